/** Positions in the history of replication in the lines of an append-only file: src/aof/position.ts. */

import { assertEquals } from "@std/assert";
import { positionLines, PositionReader } from "../../src/aof/position.ts";

const ID = "0123456789abcdef0123456789abcdef01234567";

Deno.test("a position is read as it was written, also of a dataset that is another one than its master's", () => {
  const reader = new PositionReader();
  const positions = [
    { id: ID, offset: 4100, database: 3, streamErrors: 0, divergedAt: -1, leftOut: 0 },
    { id: ID, offset: 4200, database: 0, streamErrors: 7, divergedAt: 4150, leftOut: 2 },
  ];
  let id = "";
  for (const position of positions) {
    for (const line of positionLines(position, id).split("\r\n")) reader.line(line);
    assertEquals(reader.position, position);
    id = position.id;
  }
  reader.command();
  assertEquals(reader.position, null);
});

Deno.test("lines that are no position are passed over", () => {
  const reader = new PositionReader();
  for (const line of ["#TS:1700000000", "#RP:1:0:0:-1:0", `#RI:${ID}x`, "#RP:1:0:0:-2:0", "#"]) {
    reader.line(line);
    assertEquals(reader.position, null);
  }
});
