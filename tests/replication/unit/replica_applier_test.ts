/** The offset of what has been applied, with the stream cut at every byte. */

import { commandCatalog } from "../../../src/commands/catalog.ts";
import { assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../../src/base/bytes.ts";
import { commandTable } from "../../../src/commands/index.ts";
import { splitWords } from "../../../src/config/parse.ts";
import { Client } from "../../../src/dispatch/client.ts";
import { EXPIRE_HIDES } from "../../../src/keyspace/expire_mode.ts";
import { Crc64 } from "../../../src/rdb/crc64.ts";
import { StreamApplier } from "../../../src/replication/stream_applier.ts";
import { RequestParser } from "../../../src/resp/parser.ts";
import { HandTimers } from "../../support/hand_timers.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

function array(...words: string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

/** A stream: single commands, two transactions, one of them empty, an empty line. */
const UNITS = [
  array("SELECT", "0"),
  array("SET", "a", "1"),
  array("MULTI") + array("INCR", "a") + array("SET", "t", "x".repeat(50)) + array("EXEC"),
  array("PING"),
  "\r\n",
  array("MULTI") + array("EXEC"),
  array("MULTI") + array("INCR", "a") + array("EXEC"),
  array("INCR", "a"),
];
const STREAM = UNITS.join("");
/** Ends of the units: the offsets from which a link may go on. */
const ENDS = UNITS.map((_, i) => UNITS.slice(0, i + 1).join("").length);

function applier(timers = new HandTimers()) {
  const s = testServer({ timers });
  const client = new Client(99, s.keyspace.databases[0], s.clock.nowMs);
  client.becomeMaster();
  client.reply.isCut = true;
  client.parser = new RequestParser({ bulkBytesMax: 1 << 20 }, splitWords);
  s.keyspace.stream.isRelaying = true;
  let relayed = "";
  s.keyspace.stream.attach((bytes, offset, length) => {
    relayed += toLatin1(bytes, offset, length);
  });
  const applier = new StreamApplier(s.core, client);
  const feed = (text: string) => {
    const bytes = latin1(text);
    let at = 0;
    while (at < bytes.length) {
      const space = client.parser!.space();
      const count = Math.min(space.length, bytes.length - at);
      space.set(bytes.subarray(at, at + count));
      at += count;
      client.parser!.filled(count);
      applier.turn();
    }
  };
  return { s, client, applier, feed, relayed: () => relayed };
}

/** Has ECHO do this in place of its work. */
function replaceEcho(s: TestServer, run: () => void): void {
  s.dispatcher.setCommands(
    commandTable.map((each) => [each.name, each.name === "echo" ? { ...each, run } : each]),
    commandCatalog(),
  );
}

Deno.test("cut at any byte, the offset is the end of the last unit that was carried out", () => {
  for (let cut = 0; cut <= STREAM.length; cut++) {
    const { s, applier: a, feed, relayed } = applier();
    feed(STREAM.slice(0, cut));
    const applied = Math.max(0, ...ENDS.filter((end) => end <= cut));
    // The first byte of a line end is not a request yet.
    assertEquals(s.keyspace.stream.offset, applied, `cut at ${cut}`);
    assertEquals(a.offset, applied);
    assertEquals(a.readOffset, cut);
    assertEquals(relayed(), STREAM.slice(0, applied));
    feed(STREAM.slice(cut));
    assertEquals(s.keyspace.stream.offset, STREAM.length);
    assertEquals(relayed(), STREAM);
    assertEquals(s.run("GET", "a"), "4");
  }
});

Deno.test("a long word that is announced behind other commands does not hide them from the stream", () => {
  for (const length of [60_000, 70_000, 200_000, 1_000_000, 1_040_000]) {
    for (const before of [array("INCR", "a"), array("INCR", "a") + array("MULTI")]) {
      const after = before.includes("MULTI") ? array("INCR", "a") + array("EXEC") : "";
      const stream = array("SET", "a", "0") + before + array("SET", "k", "v".repeat(length)) +
        after + array("PING");
      for (let cut = 20; cut < 20_000; cut += 1_111) {
        const { s, applier: a, feed, relayed } = applier();
        feed(stream.slice(0, cut));
        assertEquals(a.readOffset, cut);
        feed(stream.slice(cut));
        assertEquals(s.keyspace.stream.offset, stream.length, `word of ${length}, cut at ${cut}`);
        assertEquals(relayed() === stream, true, `word of ${length}, cut at ${cut}`);
        assertEquals(s.run("STRLEN", "k"), length);
      }
    }
  }
});

Deno.test("byte by byte, the stream is relayed as it came", () => {
  const { s, feed, relayed } = applier();
  for (const byte of STREAM) feed(byte);
  assertEquals(relayed(), STREAM);
  assertEquals(s.run("GET", "a"), "4");
});

// What a redis-server 7.4.1 answers OK to: of an index it looks at the lower 32 bits.
Deno.test("LSET of a master goes by the lower 32 bits of an index, LSET of a client by all of it", () => {
  const { s, feed } = applier();
  const indexes = ["9223372036854775807", "4294967296", "-9223372036854775807", "-4294967298"];
  feed(array("RPUSH", "l", "a", "b", "c", "d", "e"));
  indexes.forEach((index, i) => feed(array("LSET", "l", index, `element ${i}`)));
  const expected = ["element 1", "element 2", "c", "element 3", "element 0"];
  assertEquals(s.run("LRANGE", "l", 0, -1), expected);
  for (const index of indexes) {
    assertEquals(s.run("LSET", "l", index, "x"), { error: "ERR index out of range" });
  }
});

// What a redis-server 7.4.1 sends once a count that a client has set to 9223372036854775807 grows by one.
Deno.test("XGROUP SETID of a master moves a group whose count has gone beyond 64 bits", () => {
  const { s, feed } = applier();
  feed(array("XADD", "s", "1-1", "f", "v") + array("XGROUP", "CREATE", "s", "g", "0"));
  const words = ["XGROUP", "SETID", "s", "g", "1-1", "ENTRIESREAD", "-9223372036854775808"];
  feed(array(...words));
  assertEquals(s.run("XINFO", "GROUPS", "s"), [[
    ...["name", "g", "consumers", 0, "pending", 0, "last-delivered-id", "1-1"],
    ...["entries-read", null, "lag", 0],
  ]]);
  const refused = "ERR value for ENTRIESREAD must be positive or -1";
  assertEquals(s.run(...words), { error: refused });
});

for (const [what, members] of [["few", 3], ["many", 9_000]] as const) {
  Deno.test(`ZUNIONSTORE and ZINTERSTORE of a master of Redis 8.8 may count sets (${what} members)`, () => {
    const { s, feed } = applier();
    s.keyspace.limits.setMaxListpackEntries = 16;
    const names = Array.from({ length: members }, (_, i) => `m${i}`);
    for (let from = 0; from < members; from += 1000) {
      const some = names.slice(from, from + 1000);
      feed(array("ZADD", "a", ...some.flatMap((name) => ["7", name])));
      feed(array("SADD", "b", ...some.filter((_, i) => i > 0)));
    }
    feed(array("ZADD", "c", "inf", "m1"));
    const counted = ["a", "b", "c", "WEIGHTS", "1", "10", "100", "AGGREGATE", "COUNT"];
    feed(array("ZUNIONSTORE", "union", "3", ...counted));
    feed(array("ZINTERSTORE", "common", "3", ...counted));
    feed(array("ZUNIONSTORE", "plain", "2", "a", "c", "AGGREGATE", "count"));
    assertEquals(s.run("ZMSCORE", "union", "m0", "m1", "m2"), ["1", "111", "11"]);
    assertEquals(s.run("ZRANGE", "common", 0, -1, "WITHSCORES"), ["m1", "111"]);
    assertEquals(s.run("ZMSCORE", "plain", "m0", "m1"), ["1", "2"]);
    assertEquals(s.run("ZCARD", "union"), members);
    const refused = { error: "ERR syntax error" };
    assertEquals(s.run("ZUNIONSTORE", "mine", "3", ...counted), refused);
  });
}

Deno.test("asked in the midst of a turn, the offset is that before the request being carried out", () => {
  const { s, applier: a, feed } = applier();
  const seen: number[] = [];
  replaceEcho(s, () => seen.push(a.offset));
  const before = array("SET", "a", "1");
  const ask = array("ECHO", "x");
  const transaction = array("MULTI") + array("INCR", "a") + array("EXEC");
  feed(before + ask + transaction + ask + array("MULTI"));
  assertEquals(seen, [before.length, (before + ask + transaction).length]);
  feed(array("INCR", "a") + array("EXEC") + ask);
  assertEquals(
    seen[2],
    (before + ask + transaction + ask + transaction).length,
  );
});

Deno.test("a fault of ours in one command is logged, and the next ones are applied", () => {
  const { s, feed } = applier();
  replaceEcho(s, () => {
    throw new Error("a fault");
  });
  feed(array("ECHO", "x") + array("SET", "k", "v"));
  assertEquals(s.run("GET", "k"), "v");
  assertEquals(s.logLines.filter((line) => line.includes('Cannot carry out "ECHO" "x"')).length, 1);
});

Deno.test("a fault outside of a command counts as the failure of that one, and the next ones are applied", () => {
  const { s, feed } = applier();
  replaceEcho(s, () => {});
  const endUnit = s.dispatcher.endUnit;
  s.dispatcher.endUnit = () => {
    s.dispatcher.endUnit = endUnit;
    throw new Error("a fault");
  };
  feed(array("ECHO", "x") + array("SET", "k", "v"));
  assertEquals(s.run("GET", "k"), "v");
  const info = new Map(s.core.replication.infoFields(0));
  assertEquals(info.get("master_stream_errors"), undefined, "it follows no master");
  assertEquals(
    s.logLines.filter((line) => line.includes("after processing the command 'echo'")).length,
    1,
  );
});

/** The payload of what a request makes at `k`, in this version or the first after it. */
function dumped(version: string, ...request: string[]): string {
  const s = testServer();
  s.run(...request);
  s.run("CONFIG", "SET", "rdb-version", version);
  return s.run("DUMP", "k") as string;
}

// A replica of ours may be a Valkey, which refuses version 12 whatever is in it.
Deno.test("payloads are handed on in the first version that can express them, in as many bytes", () => {
  const stream = (string: string, set: string, library: string) =>
    array("RESTORE", "a", "0", string) +
    array("MULTI") + array("RESTORE", "b", "0", string) +
    array("RESTORE-ASKING", "c", "0", set, "REPLACE") +
    array("FUNCTION", "RESTORE", library, "REPLACE") + array("EXEC") +
    array("restore", "d", "1", string, "ABSTTL") + array("RESTORE", "a", "0", string) +
    array("RESTORE", "e", "0") + array("INCR", "n");
  const source = testServer();
  source.run("FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() end)");
  const libraries = source.run("FUNCTION", "DUMP") as string;
  const library = latin1(libraries);
  const footer = library.length - 10;
  library[footer] = 12;
  const crc = new Crc64();
  crc.update(library, 0, footer + 2);
  crc.writeTo(library, footer + 2);
  const set = ["SADD", "k", "x", "y"];
  const sent = stream(
    dumped("12", "SET", "k", "v"),
    dumped("12", ...set),
    toLatin1(library),
  );
  const handedOn = stream(dumped("6", "SET", "k", "v"), dumped("11", ...set), libraries);
  for (let cut = 0; cut < sent.length; cut += 7) {
    const { s, applier: a, feed, relayed } = applier();
    feed(sent.slice(0, cut));
    feed(sent.slice(cut));
    assertEquals(relayed(), handedOn, `cut at ${cut}`);
    assertEquals([s.keyspace.stream.offset, a.offset], [sent.length, sent.length]);
    assertEquals([s.run("GET", "a"), s.run("GET", "b"), s.run("SCARD", "c")], ["v", "v", 2]);
    assertEquals(s.run("GET", "n"), "1");
  }
});

/** A request that takes long: RESTORE of a set, with a payload of this version. */
function longRequest(version: string): string {
  const s = testServer();
  for (let i = 0; i < 8000; i += 1000) {
    s.run("SADD", "k", ...Array.from({ length: 1000 }, (_, j) => `member ${i + j}`));
  }
  s.run("CONFIG", "SET", "rdb-version", version);
  s.run("MULTI"); // what is in a transaction is done at once
  s.run("DUMP", "k");
  const [payload] = s.run("EXEC") as string[];
  return array("RESTORE", "k", "0", payload);
}

const LONG = longRequest("12");

/** Requests that take long and make `k` a set of 8000 members, and what has to be there before. */
const LONG_REQUESTS: [
  name: string,
  request: string,
  handedOn: string,
  prepare: (s: TestServer) => void,
][] = [
  ["RESTORE", LONG, longRequest("6"), () => {}],
  ["COPY", array("COPY", "source", "k"), array("COPY", "source", "k"), (s) => {
    for (let i = 0; i < 8000; i += 1000) {
      const members = Array.from({ length: 1000 }, (_, j) => `a member that is long ${i + j}`);
      s.run("SADD", "source", ...members);
    }
  }],
];

for (const [name, LONG, handedOn, prepare] of LONG_REQUESTS) {
  Deno.test(`a request that takes long holds up the stream behind it, and counts once it is carried out: ${name}`, () => {
    const before = array("SET", "a", "1") + array("MULTI") + array("INCR", "a") + array("EXEC");
    const behind = array("INCR", "a") + array("SCARD", "k") + array("MULTI") + array("INCR", "a");
    const all = before + LONG + behind;
    // In one packet, in pieces, and with a transaction that the packet before has begun.
    for (
      const cuts of [[], [before.length], [before.length - 20], [
        before.length + Math.min(70_000, LONG.length - 3),
      ], [
        all.length - 5,
      ]]
    ) {
      const timers = new HandTimers();
      const { s, client, applier: a, feed, relayed } = applier(timers);
      prepare(s);
      let from = 0;
      for (const cut of [...cuts, all.length]) {
        feed(all.slice(from, cut));
        from = cut;
      }
      assertEquals(client.park !== null, true);
      assertEquals([s.keyspace.stream.offset, a.offset], [before.length, before.length]);
      assertEquals(a.readOffset, all.length);
      assertEquals([s.run("GET", "a"), s.run("EXISTS", "k")], ["2", 0]);
      while (client.park !== null) timers.othersDone();
      assertEquals([s.run("GET", "a"), s.run("SCARD", "k")], ["2", 8000]);
      a.turn();
      const applied = (before + LONG + array("INCR", "a") + array("SCARD", "k")).length;
      assertEquals([s.keyspace.stream.offset, a.offset, a.readOffset], [
        applied,
        applied,
        all.length,
      ]);
      assertEquals(s.run("GET", "a"), "3");
      feed(array("EXEC"));
      assertEquals(relayed() === all.replace(LONG, () => handedOn) + array("EXEC"), true);
      assertEquals(s.run("GET", "a"), "4");
    }
  });
}

Deno.test("a link that ends while a request takes long has not carried it out: it comes again", () => {
  const timers = new HandTimers();
  const { s, client, applier: a, feed, relayed } = applier(timers);
  const before = array("SET", "a", "1");
  feed(before + LONG + array("INCR", "a"));
  a.settle();
  s.core.closeMasterClient(client);
  while (timers.waitsForOthers) timers.othersDone();
  assertEquals(s.keyspace.stream.offset, before.length);
  assertEquals(relayed(), before);
  assertEquals([s.run("EXISTS", "k"), s.run("GET", "a"), s.clients.blockedCount], [0, "1", 0]);
});

Deno.test("in a transaction of the master a request that takes long is carried out at once", () => {
  const timers = new HandTimers();
  const { s, client, applier: a, feed } = applier(timers);
  const all = array("MULTI") + LONG + array("SCARD", "k") + array("EXEC");
  feed(all);
  assertEquals([client.park, a.offset, s.run("SCARD", "k")], [null, all.length, 8000]);
});

/** Scripts are long ones: the clock goes on by a millisecond with each look. */
function applierOfLongScripts() {
  const timers = new HandTimers();
  const rig = applier(timers);
  const { s } = rig;
  s.config.assign("busy-reply-threshold", ["1"]);
  let nowMs = s.clock.nowMs;
  Object.defineProperty(s.clock, "nowMs", { get: () => nowMs++ });
  const scriptOver = async () => {
    while (s.core.scripts.running !== null) {
      timers.othersDone();
      await new Promise((resolve) => setTimeout(resolve));
    }
    timers.endTurn();
  };
  return { ...rig, scriptOver };
}

const LOOP = "for i = 1, 2e6 do end";

Deno.test("a long script of the master is suspended: others hear BUSY, it cannot be killed, the stream waits", async () => {
  const script = `redis.call('incr', 'a') ${LOOP} redis.call('incr', 'a')`;
  const units = [
    array("SET", "a", "1", "PX", "1"), // whose time comes by its DEL only
    array("EVAL", script, "0"),
    array("MULTI") + array("INCR", "a") + array("EVAL", script, "0") + array("INCR", "a") +
    array("EXEC"),
    array("INCR", "a"),
  ];
  const { s, client, applier: a, feed, relayed, scriptOver } = applierOfLongScripts();
  s.keyspace.roleExpireMode = s.keyspace.expireMode = EXPIRE_HIDES;
  feed(units.join(""));
  let applied = units[0].length;
  for (const unit of units.slice(1, 3)) {
    assertEquals(client.park !== null, true);
    const error = s.run("GET", "a") as { error: string };
    assertEquals(error.error.split(" ")[0], "BUSY");
    const refusal = s.run("SCRIPT", "KILL") as { error: string };
    assertEquals(
      refusal.error,
      "UNKILLABLE The busy script was sent by a master instance in the context of replication and " +
        "cannot be killed.",
    );
    // Of a transaction what is before its EXEC has been handed on.
    assertEquals(s.keyspace.stream.offset <= applied + unit.length, true);
    await scriptOver();
    applied += unit.length;
    assertEquals(client.park, null);
    a.turn();
  }
  assertEquals(relayed() === units.join(""), true);
  assertEquals(a.offset, units.join("").length);
  feed(array("PERSIST", "a"));
  assertEquals(s.run("GET", "a"), "8");
  assertEquals(s.clients.blockedCount, 0);
});

for (
  const words of [
    ["BLPOP", "nothing", "0"],
    ["BZPOPMIN", "nothing", "0"],
    ["BLMOVE", "nothing", "b", "LEFT", "RIGHT", "0"],
    ["XREAD", "BLOCK", "0", "STREAMS", "nothing", "$"],
    ["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">"],
  ]
) {
  Deno.test(`${words.join(" ")} of a master does not wait: it counts as failed, and the stream goes on`, () => {
    const { s, client, feed, applier: it } = applier();
    s.run("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM");
    const stream = array(...words) + array("SET", "after", "1");
    feed(stream);
    assertEquals(client.park, null);
    assertEquals(s.run("GET", "after"), "1");
    assertEquals(it.offset, stream.length);
    const { errors, lastError } = s.core.replication.replica.divergence;
    assertEquals([errors, lastError], [
      1,
      `'${
        words[0].toLowerCase()
      }' has failed here: ERR what the master has carried out would wait here for keys`,
    ]);
  });
}
