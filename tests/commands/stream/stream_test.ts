import { assert, assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";

const WRONG_TYPE = {
  error: "WRONGTYPE Operation against a key holding the wrong kind of value",
};
const INVALID_ID = { error: "ERR Invalid stream ID specified as stream command argument" };
const TOO_LOW = {
  error: "ERR The ID specified in XADD is equal or smaller than the target stream top item",
};
const GREATEST = "18446744073709551615-18446744073709551615";

Deno.test("XADD makes ids of the time, counts on within a millisecond, and never goes back", () => {
  const s = testServer({ nowMs: 1_000 });
  assertEquals(s.run("XADD", "k", "*", "f", "v"), "1000-0");
  assertEquals(s.run("XADD", "k", "*", "f", "v"), "1000-1");
  s.clock.nowMs = 500;
  s.keyspace.refreshTime();
  assertEquals(s.run("XADD", "k", "*", "f", "v"), "1000-2");
  assertEquals(s.run("XADD", "k", "1001-*", "f", "v"), "1001-0");
  assertEquals(s.run("XADD", "k", "1001-*", "f", "v"), "1001-1");
  assertEquals(s.run("XADD", "k", "1001-1", "f", "v"), TOO_LOW);
  assertEquals(s.run("XADD", "k", "1000-*", "f", "v"), TOO_LOW);
  assertEquals(s.run("XADD", "k", "0-0", "f", "v"), {
    error: "ERR The ID specified in XADD must be greater than 0-0",
  });
  assertEquals(
    s.run("XADD", "k", "1002-18446744073709551615", "f", "v"),
    "1002-18446744073709551615",
  );
  assertEquals(s.run("XADD", "k", "1002-*", "f", "v"), TOO_LOW);
  assertEquals(s.run("XADD", "k", GREATEST, "f", "v"), GREATEST);
  assertEquals(s.run("XADD", "k", "*", "f", "v"), {
    error: "ERR The stream has exhausted the last possible ID, unable to add more items",
  });
});

Deno.test("XADD enters the stream of writes with its id, and with how far it has trimmed", () => {
  const s = testServer({ nowMs: 1_000, directives: { "stream-node-max-entries": 2 } });
  s.run("XADD", "k", "*", "f", "v");
  s.run("XADD", "k", "NOMKSTREAM", "2000-*", "f", "v");
  s.run("XADD", "k", "3000-1", "f", "v");
  s.run("XADD", "k", "MAXLEN", "~", 2, "3000-2", "f", "v");
  s.run("XADD", "k", "MINID", "~", "3000-1", "*", "f", "v");
  s.run("XADD", "k", "MAXLEN", "=", 2, "4000-1", "f", "v");
  s.run("XADD", "none", "NOMKSTREAM", "*", "f", "v");
  assertEquals(s.propagated(), [
    "SELECT 0",
    "XADD k 1000-0 f v",
    "XADD k NOMKSTREAM 2000-0 f v",
    "XADD k 3000-1 f v",
    "XADD k MAXLEN = 2 3000-2 f v",
    "XADD k MINID = 3000-1 3000-3 f v",
    "XADD k MAXLEN = 2 4000-1 f v",
  ]);
  assertEquals(s.run("EXISTS", "none"), 0);
});

Deno.test("stream commands refuse bad words and types and change nothing", () => {
  const s = testServer();
  s.run("SET", "string", "x");
  s.run("XADD", "k", "5-5", "f", "v");
  s.propagated();
  for (
    const id of [
      "",
      "x",
      "1-x",
      "-",
      "+",
      "1-1-1",
      "18446744073709551616-0",
      "1-18446744073709551616",
    ]
  ) {
    assertEquals(s.run("XADD", "k", id, "f", "v"), INVALID_ID, id);
    assertEquals(s.run("XDEL", "k", "5-5", id), INVALID_ID, id);
    assertEquals(s.run("XADD", "new", id, "f", "v"), INVALID_ID, id);
  }
  const arity = { error: "ERR wrong number of arguments for 'xadd' command" };
  assertEquals(s.run("XADD", "k", "*", "f", "v", "g"), arity);
  assertEquals(s.run("XADD", "k", "MAXLEN", "5", "*"), arity);
  assertEquals(s.run("XADD", "k", "MAXLEN", "-1", "*", "f", "v"), {
    error: "ERR The MAXLEN argument must be >= 0.",
  });
  assertEquals(s.run("XTRIM", "k", "MAXLEN", "1", "LIMIT", "5"), {
    error: "ERR syntax error, LIMIT cannot be used without the special ~ option",
  });
  assertEquals(s.run("XTRIM", "k", "MAXLEN", "1", "MINID", "5"), {
    error: "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
  });
  for (
    const words of [
      ["XADD", "string", "*", "f", "v"],
      ["XLEN", "string"],
      ["XRANGE", "string", "-", "+"],
      ["XREAD", "STREAMS", "string", "0"],
      ["XGROUP", "CREATE", "string", "g", "0"],
      ["XINFO", "STREAM", "string"],
      ["XACK", "string", "g", "1"],
      ["XPENDING", "string", "g"],
    ]
  ) assertEquals(s.run(...words), WRONG_TYPE, words.join(" "));
  assertEquals(s.run("XRANGE", "k", `(${GREATEST}`, "+"), {
    error: "ERR invalid start ID for the interval",
  });
  assertEquals(s.run("XRANGE", "k", "-", "(0-0"), { error: "ERR invalid end ID for the interval" });
  assertEquals(s.propagated(), []);
  assertEquals(s.run("XLEN", "k"), 1);
});

Deno.test("XRANGE and XREVRANGE give the entries between two ids, across nodes and tombstones", () => {
  const s = testServer({ directives: { "stream-node-max-entries": 4 } });
  const ids: string[] = [];
  for (let i = 1; i <= 50; i++) {
    ids.push(`${i}-${i % 3}`);
    s.run(
      "XADD",
      "k",
      `${i}-${i % 3}`,
      ...(i % 7 === 0 ? ["other", i] : ["n", i, "text", `t${i}`]),
    );
  }
  const gone = ids.filter((_, i) => i % 5 === 0 || (i > 20 && i < 30));
  assertEquals(s.run("XDEL", "k", ...gone, ...gone), gone.length);
  const left = ids.filter((id) => !gone.includes(id));
  const idsOf = (reply: unknown) => (reply as [string, string[]][]).map(([id]) => id);
  assertEquals(idsOf(s.run("XRANGE", "k", "-", "+")), left);
  assertEquals(idsOf(s.run("XREVRANGE", "k", "+", "-")), left.toReversed());
  for (let from = 0; from <= 52; from += 3) {
    for (let to = 0; to <= 52; to += 4) {
      const expected = left.filter((id) =>
        Number(id.split("-")[0]) >= from && Number(id.split("-")[0]) <= to
      );
      assertEquals(idsOf(s.run("XRANGE", "k", from, to)), expected, `${from} to ${to}`);
      assertEquals(idsOf(s.run("XREVRANGE", "k", to, from)), expected.toReversed());
      const three = s.run("XRANGE", "k", from, to, "COUNT", 3);
      assertEquals(idsOf(three), expected.slice(0, 3));
    }
  }
  assertEquals(s.run("XRANGE", "k", "7-1", "7-1"), [["7-1", ["other", "7"]]]);
  assertEquals(s.run("XRANGE", "k", "2-2", "2"), [["2-2", ["n", "2", "text", "t2"]]]);
  assertEquals(s.run("XRANGE", "k", "-", "+", "COUNT", 0), null);
  assertEquals(s.run("XLEN", "k"), left.length);
});

Deno.test("XTRIM removes from the front: exactly, or by whole nodes up to a limit", () => {
  const s = testServer({ directives: { "stream-node-max-entries": 10 } });
  for (let i = 1; i <= 100; i++) s.run("XADD", "k", `${i}-0`, "f", i);
  s.propagated();
  assertEquals(s.run("XTRIM", "k", "MAXLEN", "~", 55, "LIMIT", 20), 20);
  assertEquals(s.run("XTRIM", "k", "MAXLEN", "~", 55), 20);
  assertEquals(s.run("XTRIM", "k", "MAXLEN", "~", 55), 0);
  assertEquals(s.run("XTRIM", "k", "MINID", 44), 3);
  assertEquals(s.run("XTRIM", "k", "MINID", "~", "62-0"), 17);
  assertEquals(s.run("XTRIM", "k", "MAXLEN", "=", 35), 5);
  assertEquals(s.run("XINFO", "STREAM", "k"), [
    ...["length", 35, "radix-tree-keys", 4, "radix-tree-nodes", 10],
    ...["last-generated-id", "100-0", "max-deleted-entry-id", "0-0", "entries-added", 100],
    ...["recorded-first-entry-id", "66-0", "groups", 0],
    ...["first-entry", ["66-0", ["f", "66"]], "last-entry", ["100-0", ["f", "100"]]],
  ]);
  assertEquals(s.propagated(), [
    "XTRIM k MAXLEN = 80 LIMIT 20",
    "XTRIM k MAXLEN = 60",
    "XTRIM k MINID 44",
    "XTRIM k MINID = 61-0",
    "XTRIM k MAXLEN = 35",
  ]);
});

Deno.test("a group gives each entry to one consumer, and takes acknowledgements", () => {
  const s = testServer({ nowMs: 1_000 });
  for (let i = 1; i <= 4; i++) s.run("XADD", "k", `${i}-0`, "f", i);
  assertEquals(s.run("XGROUP", "CREATE", "k", "g", "1-0"), "OK");
  assertEquals(s.run("XGROUP", "CREATE", "k", "g", "0"), {
    error: "BUSYGROUP Consumer Group name already exists",
  });
  const read = (consumer: string, ...words: (string | number)[]) =>
    s.run("XREADGROUP", "GROUP", "g", consumer, ...words, "STREAMS", "k", ">");
  s.propagated();
  assertEquals(read("alice", "COUNT", 1), [["k", [["2-0", ["f", "2"]]]]]);
  assertEquals(read("bob"), [["k", [["3-0", ["f", "3"]], ["4-0", ["f", "4"]]]]]);
  assertEquals(read("alice"), null);
  assertEquals(s.propagated(), [
    "MULTI",
    "XGROUP CREATECONSUMER k g alice",
    "XCLAIM k g alice 0 2-0 TIME 1000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0",
    "XGROUP SETID k g 2-0 ENTRIESREAD -1",
    "EXEC",
    "MULTI",
    "XGROUP CREATECONSUMER k g bob",
    "XCLAIM k g bob 0 3-0 TIME 1000 RETRYCOUNT 1 FORCE JUSTID LASTID 3-0",
    "XCLAIM k g bob 0 4-0 TIME 1000 RETRYCOUNT 1 FORCE JUSTID LASTID 4-0",
    "XGROUP SETID k g 4-0 ENTRIESREAD 4",
    "EXEC",
  ]);
  assertEquals(s.run("XPENDING", "k", "g"), [3, "2-0", "4-0", [["alice", "1"], ["bob", "2"]]]);
  s.clock.nowMs = 1_500;
  s.keyspace.refreshTime();
  assertEquals(s.run("XPENDING", "k", "g", "-", "+", 10, "bob"), [
    ["3-0", "bob", 500, 1],
    ["4-0", "bob", 500, 1],
  ]);
  assertEquals(s.run("XACK", "k", "g", "3-0", "9-9", "3-0"), 1);
  s.run("XDEL", "k", "4-0");
  assertEquals(s.run("XREADGROUP", "GROUP", "g", "bob", "STREAMS", "k", "0"), [["k", [[
    "4-0",
    null,
  ]]]]);
  assertEquals(s.run("XGROUP", "DELCONSUMER", "k", "g", "bob"), 1);
  assertEquals(s.run("XPENDING", "k", "g"), [1, "2-0", "2-0", [["alice", "1"]]]);
  assertEquals(s.run("XINFO", "GROUPS", "k"), [[
    ...["name", "g", "consumers", 1, "pending", 1, "last-delivered-id", "4-0"],
    ...["entries-read", 4, "lag", 0],
  ]]);
});

Deno.test("XREADGROUP with NOACK leaves nothing pending, and says how far the group is", () => {
  const s = testServer({ nowMs: 1_000 });
  s.run("XADD", "k", "1-0", "f", 1);
  s.run("XGROUP", "CREATE", "k", "g", 0);
  s.propagated();
  s.run("XREADGROUP", "GROUP", "g", "c", "NOACK", "STREAMS", "k", ">");
  assertEquals(s.run("XPENDING", "k", "g"), [0, null, null, null]);
  assertEquals(s.propagated(), [
    "MULTI",
    "XGROUP CREATECONSUMER k g c",
    "XGROUP SETID k g 1-0 ENTRIESREAD 1",
    "EXEC",
  ]);
});

Deno.test("XCLAIM and XAUTOCLAIM hand entries over, and let go of those that are deleted", () => {
  const s = testServer({ nowMs: 10_000 });
  for (let i = 1; i <= 5; i++) s.run("XADD", "k", `${i}-0`, "f", i);
  s.run("XGROUP", "CREATE", "k", "g", 0);
  s.run("XREADGROUP", "GROUP", "g", "alice", "COUNT", 4, "STREAMS", "k", ">");
  s.clock.nowMs = 12_000;
  s.keyspace.refreshTime();
  assertEquals(s.run("XCLAIM", "k", "g", "bob", 5_000, "1-0"), []);
  assertEquals(s.run("XCLAIM", "k", "g", "bob", 1_000, "1-0", "5-0"), [["1-0", ["f", "1"]]]);
  assertEquals(
    s.run("XCLAIM", "k", "g", "bob", 0, "5-0", "FORCE", "JUSTID", "RETRYCOUNT", 7, "IDLE", 500),
    ["5-0"],
  );
  assertEquals(s.run("XPENDING", "k", "g", "5-0", "5-0", 1), [["5-0", "bob", 500, 7]]);
  s.run("XDEL", "k", "2-0");
  s.propagated();
  assertEquals(s.run("XAUTOCLAIM", "k", "g", "carol", 1_000, "-", "COUNT", 2), [
    "4-0",
    [["3-0", ["f", "3"]]],
    ["2-0"],
  ]);
  assertEquals(s.propagated(), [
    "MULTI",
    "XGROUP CREATECONSUMER k g carol",
    "XCLAIM k g alice 0 2-0 TIME 10000 RETRYCOUNT 1 FORCE JUSTID LASTID 4-0",
    "XCLAIM k g carol 0 3-0 TIME 12000 RETRYCOUNT 2 FORCE JUSTID LASTID 4-0",
    "EXEC",
  ]);
  assertEquals(s.run("XAUTOCLAIM", "k", "g", "carol", 0, "4", "JUSTID"), [
    "0-0",
    ["4-0", "5-0"],
    [],
  ]);
});

Deno.test("what a stream propagates gives a replica the same stream, groups included", () => {
  const master = testServer({ nowMs: 50_000, directives: { "stream-node-max-entries": 5 } });
  for (let i = 1; i <= 60; i++) master.run("XADD", "k", "*", "f", i);
  master.run("XGROUP", "CREATE", "k", "g", "$");
  master.run("XGROUP", "CREATE", "k", "h", "0", "ENTRIESREAD", 0);
  for (let i = 1; i <= 20; i++) {
    master.run("XADD", "k", "MAXLEN", "~", 40, "*", i % 3 === 0 ? "g" : "f", i);
    master.run(
      "XREADGROUP",
      "GROUP",
      i % 2 === 0 ? "g" : "h",
      `c${i % 4}`,
      "COUNT",
      3,
      "STREAMS",
      "k",
      ">",
    );
    if (i % 5 === 0) master.run("XAUTOCLAIM", "k", "h", "c9", 0, "-", "COUNT", 2);
  }
  master.run("XACK", "k", "h", "50000-3", "50000-30");
  const replica = testServer({ nowMs: 50_000, directives: { "stream-node-max-entries": 5 } });
  for (const line of master.propagated()) {
    if (line !== "MULTI" && line !== "EXEC") replica.run(...line.split(" "));
  }
  assertEquals(replica.run("DEBUG", "DIGEST"), master.run("DEBUG", "DIGEST"));
  assertEquals(
    replica.run("XINFO", "STREAM", "k", "FULL", "COUNT", 0),
    master.run("XINFO", "STREAM", "k", "FULL", "COUNT", 0),
  );
});

Deno.test("lag and entries-read say what is known, and null where entries were deleted", () => {
  const s = testServer();
  for (let i = 1; i <= 5; i++) s.run("XADD", "k", `${i}-0`, "f", i);
  s.run("XGROUP", "CREATE", "k", "g", 0);
  const progress = () => (s.run("XINFO", "GROUPS", "k") as unknown[][])[0].slice(8);
  assertEquals(progress(), ["entries-read", null, "lag", 5]);
  s.run("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "k", ">");
  assertEquals(progress(), ["entries-read", 1, "lag", 4]);
  s.run("XDEL", "k", "3-0");
  assertEquals(progress(), ["entries-read", 1, "lag", null]);
  s.run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "k", ">");
  assertEquals(progress(), ["entries-read", 5, "lag", 0]);
  s.run("XGROUP", "SETID", "k", "g", "2-0", "ENTRIESREAD", "9223372036854775807");
  assertEquals(String(progress()[1]), "9223372036854775807");
});

Deno.test("a count of entries read that goes beyond 64 bits is unknown, and a replica follows", () => {
  const master = testServer();
  for (let i = 1; i <= 3; i++) master.run("XADD", "k", `${i}-0`, "f", i);
  master.run("XGROUP", "CREATE", "k", "g", "1-0", "ENTRIESREAD", "9223372036854775807");
  master.run("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "k", ">");
  const groups = (server: typeof master) => (server.run("XINFO", "GROUPS", "k") as unknown[][])[0];
  assertEquals(groups(master).slice(6), [
    "last-delivered-id",
    "2-0",
    "entries-read",
    null,
    "lag",
    null,
  ]);
  const replica = testServer();
  for (const line of master.propagated()) {
    if (line !== "MULTI" && line !== "EXEC") replica.run(...line.split(" "));
  }
  assertEquals(groups(replica), groups(master));
});

Deno.test("a stream under a snapshot is saved as of its instant while everything in it changes", () => {
  const s = testServer({ directives: { "stream-node-max-entries": 3 } });
  for (let i = 1; i <= 10; i++) s.run("XADD", "k", `${i}-0`, "f", i);
  s.run("XGROUP", "CREATE", "k", "g", 0);
  s.run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "k", ">");
  const payload = s.run("DUMP", "k") as string;
  s.run("XTRIM", "k", "MAXLEN", 1);
  s.run("XACK", "k", "g", "1-0", "2-0");
  assertEquals(s.run("RESTORE", "old", 0, payload), "OK");
  assertEquals(s.run("XLEN", "old"), 10);
  assertEquals((s.run("XPENDING", "old", "g") as unknown[])[0], 10);
  assertEquals((s.run("XPENDING", "k", "g") as unknown[])[0], 8);
  assert((s.run("MEMORY", "USAGE", "k") as number) > 0);
});
