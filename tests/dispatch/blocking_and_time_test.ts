/** What blocking commands do about keys that pass their time within the unit of work that made them. */

import { assert, assertEquals } from "@std/assert";
import { InputClient } from "../support/input_client.ts";
import { slowServer } from "../support/slow_server.ts";

const WAITING: [request: string, push: string[]][] = [
  ["BLPOP k 0", ["RPUSH", "k", "v"]],
  ["BRPOP k 0", ["RPUSH", "k", "v"]],
  ["BLMOVE k l LEFT LEFT 0", ["RPUSH", "k", "v"]],
  ["BRPOPLPUSH k l 0", ["RPUSH", "k", "v"]],
  ["BLMPOP 0 1 k LEFT", ["RPUSH", "k", "v"]],
  ["BZPOPMIN k 0", ["ZADD", "k", "1", "v"]],
  ["BZPOPMAX k 0", ["ZADD", "k", "1", "v"]],
  ["BZMPOP 0 1 k MIN", ["ZADD", "k", "1", "v"]],
];

for (const [request, push] of WAITING) {
  Deno.test(`${request} goes on waiting when its key has passed its time as EXEC ends`, () => {
    const s = slowServer();
    const waiting = s.connect();
    assertEquals(waiting.run(...request.split(" ")), undefined);
    s.run("MULTI");
    s.run(...push);
    s.run("PEXPIRE", "k", 100);
    s.run("PASS", 200);
    assertEquals(s.run("EXEC"), [1, 1, "OK"]);
    assertEquals(waiting.received(), []);
    assertEquals(s.clients.blockedCount, 1);
    const expiresAt = s.clock.nowMs - 100;
    assertEquals(s.propagated(), [
      "MULTI",
      "SELECT 0",
      push.join(" "),
      `PEXPIREAT k ${expiresAt}`,
      "EXEC",
    ]);
    // The key goes when somebody comes across it, as in Redis 7.2.
    s.run(...push);
    assert(s.propagated().includes("DEL k"));
    assertEquals(waiting.received().length, 1);
    assertEquals(s.clients.blockedCount, 0);
  });
}

Deno.test("a request behind a slow one of the same pipeline sees how late it has become", () => {
  const s = slowServer();
  const client = new InputClient(s);
  client.send("SET k v PX 100\r\nPASS 200\r\nGET k\r\n");
  assertEquals(client.received(), ["OK", "OK", null]);
});

Deno.test("within a transaction it is one instant however long that takes", () => {
  const s = slowServer();
  const client = new InputClient(s);
  client.send("MULTI\r\nSET k v PX 100\r\nPASS 200\r\nGET k\r\nEXEC\r\nGET k\r\n");
  assertEquals(client.received().slice(-2), [["OK", "OK", "v"], null]);
});
