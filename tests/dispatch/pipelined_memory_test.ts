/** What requests of one pipeline take and give back serves the ones behind them. */

import { assert, assertEquals } from "@std/assert";
import { blocks } from "../../src/base/blocks.ts";
import { RequestParser } from "../../src/resp/parser.ts";
import { withRefusedAllocations } from "../support/refused_allocations.ts";
import { testServer } from "../support/test_server.ts";

const LONG = Array.from({ length: 3_000 }, (_, n) => `${n}:`.padEnd(500, "x"));
const SHORT = LONG.slice(0, 20);

Deno.test("COPY of a long list over another, again and again in a pipeline, takes memory for few", () => {
  const s = testServer();
  s.run("RPUSH", "list", ...LONG);
  const { client } = s.connect();
  client.parser = new RequestParser({ bulkBytesMax: 1 << 29 }, () => []);
  const words = ["COPY", "list", "copy", "REPLACE"];
  const request = `*4\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
  const bytes = new TextEncoder().encode(request.repeat(100));
  const before = blocks.heldBytes;
  for (let at = 0; at < bytes.length;) {
    const space = client.parser.space();
    const count = Math.min(space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + count));
    client.parser.filled(count);
    s.dispatcher.processInput(client);
    at += count;
  }
  const held = blocks.heldBytes - before;
  assert(held < 6 * 3_000 * 500, `${held}`);
  assertEquals(s.run("LRANGE", "copy", 0, -1), LONG);
});

Deno.test("COPY of a list of a few nodes over another makes no buffers for them", () => {
  const s = testServer();
  s.run("RPUSH", "list", ...SHORT);
  for (let n = 0; n < 3; n++) s.run("COPY", "list", "copy", "REPLACE");
  withRefusedAllocations((bytes) => bytes > 1024 && bytes < 10_000, () => {
    for (let n = 0; n < 20; n++) assertEquals(s.run("COPY", "list", "copy", "REPLACE"), 1);
  });
  assertEquals(s.run("LRANGE", "list", 0, -1), SHORT);
  assertEquals(s.run("LRANGE", "copy", 0, -1), SHORT);
});
