import { assertEquals } from "@std/assert";
import { WRONG_TYPE } from "../../../src/resp/reply_error.ts";
import { testServer } from "../../support/test_server.ts";
import { recordEvents } from "../../support/events.ts";

for (const entries of [128, 0]) {
  Deno.test(`HDEL counts what was there and removes an empty hash (up to ${entries} entries)`, () => {
    const s = testServer();
    s.keyspace.limits.hashMaxListpackEntries = entries;
    s.run("HSET", "h", "a", "1", "b", "2", "c", "3");
    s.propagated();
    const events = recordEvents(s);
    assertEquals(s.run("HDEL", "h", "a", "none", "a"), 1);
    assertEquals(s.run("HDEL", "h", "none"), 0);
    assertEquals(s.run("HDEL", "h", "c", "b", "a"), 2);
    assertEquals(s.run("EXISTS", "h"), 0);
    assertEquals(events, ["hdel h", "hdel h", "del h"]);
    assertEquals(s.propagated(), ["HDEL h a none a", "HDEL h c b a"]);
  });
}

Deno.test("HDEL finds nothing at a missing key and refuses another type", () => {
  const s = testServer();
  assertEquals(s.run("HDEL", "h", "f"), 0);
  s.run("SET", "h", "x");
  assertEquals(s.run("HDEL", "h", "f"), { error: WRONG_TYPE });
});
