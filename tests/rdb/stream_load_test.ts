/** Streams from bytes that no server has written: what would do harm later is refused. */

import { assert, assertEquals } from "@std/assert";
import { type TestServer, testServer } from "../support/test_server.ts";

const FRAME_BYTES = 6;

/** A payload of three entries, of which the first two are deleted or not. */
function payloadOf(deletes: number): string {
  const s = testServer({ directives: { rdbcompression: false } });
  for (const id of ["1-1", "2-1", "3-1"]) s.run("XADD", "s", id, "field", "value");
  for (let n = 1; n <= deletes; n++) s.run("XDEL", "s", `${n}-1`);
  s.run("MULTI"); // what is in a transaction is done at once
  s.run("DUMP", "s");
  return (s.run("EXEC") as string[])[0];
}

/** The payload with these numbers of entries and tombstones in its node, and as the length of the stream. */
function withCounts(payload: string, live: number, deleted: number, length = live): string {
  const bytes = [...payload].map((c) => c.charCodeAt(0));
  const at = payload.indexOf("field");
  // Backwards from the first field: its head, the number of fields, and the two counts, of two bytes each.
  const counts = at - 1 - 2 - 2 - 2;
  const size = bytes[counts - FRAME_BYTES] | (bytes[counts - FRAME_BYTES + 1] << 8);
  bytes[counts] = live;
  bytes[counts + 2] = deleted;
  bytes[counts - FRAME_BYTES + size] = length;
  return String.fromCharCode(...bytes);
}

function restoring(): TestServer {
  const s = testServer();
  s.core.skipsChecksums = true;
  return s;
}

for (const deletes of [0, 1, 2]) {
  Deno.test(`a node of a stream with ${deletes} tombstones is what it says, or refused`, () => {
    const payload = payloadOf(deletes);
    for (let live = 0; live <= 4; live++) {
      for (let deleted = 0; deleted <= 4; deleted++) {
        const s = restoring();
        const answer = s.run("RESTORE", "k", 0, withCounts(payload, live, deleted));
        const isTrue = live === 3 - deletes && deleted === deletes;
        assertEquals(
          answer,
          isTrue ? "OK" : { error: "ERR Bad data format" },
          `${live} ${deleted}`,
        );
        assertEquals(s.run("XLEN", "k"), isTrue ? live : 0);
      }
    }
    const s = restoring();
    const wrong = withCounts(payload, 3 - deletes, deletes, 7);
    assertEquals(s.run("RESTORE", "k", 0, wrong), { error: "ERR Bad data format" });
    assert(s.logLines.at(-1)!.includes("a stream of 7 entries, whose nodes have"));
  });
}
