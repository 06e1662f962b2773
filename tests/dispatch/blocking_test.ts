/**
 * Parked requests as commands park them: one that is to be run again in other words, and one that hears
 * when its key goes. (What BLPOP and its kin make of it: tests/commands/list/blocking_test.ts.)
 */

import { commandCatalog } from "../../src/commands/catalog.ts";
import { assert, assertEquals } from "@std/assert";
import { commandTable } from "../../src/commands/index.ts";
import type { Call } from "../../src/dispatch/call.ts";
import { type CommandDefinition, defineCommand } from "../../src/dispatch/command.ts";
import { TYPE_LIST } from "../../src/arena/record.ts";
import { Words } from "../../src/resp/words.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

const plain = {
  group: "generic",
  since: "1.0.0",
  summary: "Waits",
  complexity: "O(1)",
  flags: ["blocking"],
} as const;

/** `SINCE key bytes`: waits for a list of more bytes than that; "$" stands for what it has now. */
const since: CommandDefinition = defineCommand({
  ...plain,
  name: "since",
  arity: 3,
  run(call: Call) {
    const { words, database } = call;
    const ref = database.findOrExpire(words.bytes, words.starts[1], words.lengths[1]);
    const bytes = ref === 0 ? 0 : database.records.valueLength(ref);
    if (words.is(2, "$")) {
      const wait = Words.of("SINCE", words.copy(1), String(bytes));
      park(call, { words: wait });
    } else if (bytes > call.integer(2)) call.reply.integer(bytes);
    else park(call, {});
  },
});

/** `WAITGONE key`: answers when the key is not there, or no list. */
const waitGone: CommandDefinition = defineCommand({
  ...plain,
  name: "waitgone",
  arity: 2,
  run(call: Call) {
    const { words, database, reply } = call;
    const ref = database.findOrExpire(words.bytes, words.starts[1], words.lengths[1]);
    if (ref === 0) reply.status("gone");
    else if (database.typeOf(ref) !== TYPE_LIST) reply.status("another");
    else park(call, {});
  },
});

function park(call: Call, more: { words?: Words }): void {
  call.server.dispatcher.blocking.park(call, {
    type: TYPE_LIST,
    firstKey: 1,
    keyCount: 1,
    deadlineMs: Infinity,
    timeoutReply: "null",
    hearsChanges: true,
    ...more,
  });
}

function server(): TestServer {
  const s = testServer();
  const definitions = [...commandTable, since, waitGone];
  s.dispatcher.setCommands(definitions.map((each) => [each.name, each]), commandCatalog());
  return s;
}

Deno.test("a parked request is run again in the words that its command has chosen", () => {
  const s = server();
  s.run("RPUSH", "l", "a", "b");
  const waiting = s.connect();
  assertEquals(waiting.run("SINCE", "l", "$"), undefined);
  // Were "$" read anew, nothing would ever be more.
  s.run("LPOP", "l");
  assertEquals(waiting.received(), []);
  s.run("RPUSH", "l", "c", "d", "e");
  const [bytes] = waiting.received();
  assert(typeof bytes === "number" && bytes > 0);
  assertEquals(s.clients.blockedCount, 0);
});

Deno.test("a parked request that is released is counted and logged in the words in which it came", () => {
  const s = server();
  s.run("CONFIG", "SET", "slowlog-log-slower-than", "0");
  const waiting = s.connect();
  waiting.run("SINCE", "l", "$");
  waiting.client.park!.unblock(false);
  assertEquals(waiting.received(), [null]);
  const entries = s.run("SLOWLOG", "GET", "10") as [number, number, number, string[]][];
  assert(entries.some(([, , , words]) => words.join(" ") === "SINCE l $"), JSON.stringify(entries));
});

const ends: [how: string, end: (s: TestServer) => void, answer: string][] = [
  ["DEL", (s) => s.run("DEL", "l"), "gone"],
  ["a pop of the last element", (s) => s.run("LPOP", "l"), "gone"],
  ["RENAME", (s) => s.run("RENAME", "l", "m"), "gone"],
  ["MOVE", (s) => s.run("MOVE", "l", "1"), "gone"],
  ["FLUSHALL", (s) => s.run("FLUSHALL"), "gone"],
  ["SWAPDB", (s) => s.run("SWAPDB", "0", "1"), "gone"],
  ["SET of a string", (s) => s.run("SET", "l", "v"), "another"],
  ["a store over it", (s) => [s.run("SADD", "s", "a"), s.run("SUNIONSTORE", "l", "s")], "another"],
  ["a transaction", (s) => [s.run("MULTI"), s.run("DEL", "l"), s.run("EXEC")], "gone"],
];
for (const [how, end, answer] of ends) {
  Deno.test(`a request that hears changes is run again when its key goes by ${how}`, () => {
    const s = server();
    s.run("RPUSH", "l", "a");
    const waiting = s.connect();
    assertEquals(waiting.run("WAITGONE", "l"), undefined);
    s.run("SET", "other", "v");
    assertEquals(waiting.received(), []);
    end(s);
    assertEquals(waiting.received(), [answer]);
    assertEquals(s.clients.blockedCount, 0);
    assertEquals(s.keyspace.databases[0].watched, null);
  });
}

Deno.test("a request that hears changes is run again when its key expires, by the timer", () => {
  const s = server();
  s.run("RPUSH", "l", "a");
  s.run("PEXPIRE", "l", 100);
  const waiting = s.connect();
  waiting.run("WAITGONE", "l");
  s.clock.nowMs += 200;
  s.core.cron();
  assertEquals(waiting.received(), ["gone"]);
});

Deno.test("a request that has gone leaves no watch behind", () => {
  const s = server();
  s.run("RPUSH", "l", "a");
  const waiting = s.connect();
  waiting.run("WAITGONE", "l");
  assert(s.keyspace.databases[0].watched !== null);
  waiting.client.park!.unblock(true);
  assertEquals(s.keyspace.databases[0].watched, null);
  assertEquals(s.run("DEL", "l"), 1);
  assertEquals(waiting.received(), [{
    error: "UNBLOCKED client unblocked via CLIENT UNBLOCK",
  }]);
});

Deno.test("what a blocked client waits for counts as its memory until it goes on", () => {
  const s = testServer();
  const c = s.connect();
  const before = c.client.memoryBytes;
  c.run("BLPOP", ...Array.from({ length: 1000 }, (_, i) => `key:${i}`), 0);
  const counted = c.client.memoryBytes - before;
  assert(counted > 300_000 && counted < 350_000, String(counted));
  s.run("RPUSH", "key:7", "v");
  assertEquals(c.received(), [["key:7", "v"]]);
  assert(c.client.memoryBytes - before < 20_000);
});
