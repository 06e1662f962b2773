import { assert, assertEquals } from "@std/assert";
import { EXPIRE_HIDES, EXPIRE_IGNORED } from "../../../src/keyspace/expire_mode.ts";
import { type TestServer, testServer, type Value } from "../../support/test_server.ts";

const NOW = 1_700_000_000_000;
const NOT_AN_INTEGER = { error: "ERR value is not an integer or out of range" };
const SYNTAX = { error: "ERR syntax error" };

function recordEvents(s: TestServer): string[] {
  const events: string[] = [];
  s.keyspace.eventMask = ~0;
  s.keyspace.listener.keyEvent = (event, database, bytes, offset, length) => {
    const key = String.fromCharCode(...bytes.subarray(offset, offset + length));
    events.push(`${event} ${key} @${database}`);
  };
  return events;
}

Deno.test("DEL and UNLINK count the keys they remove", () => {
  for (const name of ["DEL", "UNLINK"]) {
    const s = testServer();
    s.run("SET", "a", "1");
    s.run("RPUSH", "b", "1", "x".repeat(9000));
    s.run("SET", "c", "x".repeat(20_000));
    s.propagated();
    const events = recordEvents(s);
    assertEquals(s.run(name, "a", "none", "b", "c", "a"), 3);
    assertEquals(s.run(name, "none"), 0);
    assertEquals(events, ["del a @0", "del b @0", "del c @0"]);
    assertEquals(s.propagated(), [`${name} a none b c a`]);
    assertEquals(s.keyspace.databases[0].largeValueBytes, 0);
  }
});

Deno.test("EXISTS and TOUCH count keys as often as they are given", () => {
  const s = testServer();
  s.run("SET", "a", "1");
  assertEquals(s.run("EXISTS", "a", "a", "none"), 2);
  s.clock.nowMs += 10_000;
  s.run("EXISTS", "a");
  s.run("TYPE", "a");
  s.run("TTL", "a");
  s.keyspace.refreshTime();
  assertEquals(s.run("OBJECT", "IDLETIME", "a"), 10);
  assertEquals(s.run("TOUCH", "a", "none", "a"), 2);
  assertEquals(s.run("OBJECT", "IDLETIME", "a"), 0);
});

Deno.test("TYPE names what is there", () => {
  const s = testServer();
  s.run("SET", "s", "1");
  s.run("RPUSH", "l", "1");
  assertEquals([s.run("TYPE", "s"), s.run("TYPE", "l"), s.run("TYPE", "none")], [
    "string",
    "list",
    "none",
  ]);
});

Deno.test("EXPIRE and its relatives set an instant and are propagated as PEXPIREAT", () => {
  const cases: [(string | number)[], number, string][] = [
    [["EXPIRE", "k", 100], 100_000, `PEXPIREAT k ${NOW + 100_000}`],
    [["PEXPIRE", "k", 1500], 1500, `PEXPIREAT k ${NOW + 1500}`],
    [["EXPIREAT", "k", NOW / 1000 + 7], 7000, `PEXPIREAT k ${NOW + 7000}`],
    [["PEXPIREAT", "k", NOW + 77], 77, `PEXPIREAT k ${NOW + 77}`],
    [["EXPIRE", "k", 5, "NX"], 5000, `PEXPIREAT k ${NOW + 5000} NX`],
  ];
  for (const [words, ttl, propagated] of cases) {
    const s = testServer({ nowMs: NOW });
    s.run("SET", "k", "v");
    s.propagated();
    const events = recordEvents(s);
    assertEquals(s.run(...words), 1);
    assertEquals(s.run("PTTL", "k"), ttl);
    assertEquals(s.run("PEXPIRETIME", "k"), NOW + ttl);
    assertEquals(s.run("TTL", "k"), Math.floor((ttl + 500) / 1000));
    assertEquals(s.run("EXPIRETIME", "k"), Math.floor((NOW + ttl + 500) / 1000));
    assertEquals(s.propagated(), [propagated]);
    assertEquals(events, ["expire k @0"]);
  }
});

Deno.test("a key expires after its last millisecond, and enters the stream as DEL", () => {
  const s = testServer({ nowMs: NOW });
  s.run("SET", "k", "v");
  s.run("PEXPIRE", "k", 100);
  s.propagated();
  s.clock.nowMs = NOW + 100;
  assertEquals(s.run("PTTL", "k"), 0);
  s.clock.nowMs = NOW + 101;
  const events = recordEvents(s);
  assertEquals(s.run("PTTL", "k"), -2);
  assertEquals(s.propagated(), ["DEL k"]);
  assertEquals(events, ["expired k @0", "keymiss k @0"]);
  assertEquals(s.run("EXPIRE", "k", 1), 0);
});

Deno.test("TTL answers -1 without an expiry, -2 without a key", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  for (const name of ["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"]) {
    assertEquals([s.run(name, "k"), s.run(name, "none")], [-1, -2]);
  }
});

Deno.test("an expiry in the past removes the key at once", () => {
  for (const words of [["EXPIRE", "k", -1], ["PEXPIREAT", "k", 1], ["PEXPIRE", "k", 0]]) {
    const s = testServer();
    s.run("SET", "k", "v");
    s.propagated();
    const events = recordEvents(s);
    assertEquals(s.run(...words), 1);
    assertEquals(events, ["del k @0"]);
    assertEquals(s.propagated(), ["DEL k"]);
    s.keyspace.unlinksExpired = true;
    s.run("SET", "k", "v");
    s.propagated();
    s.run(...words);
    assertEquals(s.propagated(), ["UNLINK k"]);
  }
});

Deno.test("commands of the master set expiries in the past without removing the key", () => {
  const s = testServer({ nowMs: NOW });
  s.run("SET", "k", "v");
  s.keyspace.expireMode = EXPIRE_IGNORED;
  assertEquals(s.run("PEXPIREAT", "k", 5), 1);
  assertEquals(s.run("PEXPIRETIME", "k"), 5);
  s.keyspace.expireMode = EXPIRE_HIDES;
  assertEquals(s.run("GET", "k"), null);
  assertEquals(s.keyspace.databases[0].count, 1);
});

Deno.test("the conditions of EXPIRE look at the expiry that is there", () => {
  const s = testServer({ nowMs: NOW });
  const table: [present: number | null, given: number, condition: string, done: number][] = [
    [null, 10, "NX", 1],
    [20, 10, "NX", 0],
    [null, 10, "XX", 0],
    [20, 10, "XX", 1],
    [null, 10, "GT", 0],
    [20, 10, "GT", 0],
    [20, 20, "GT", 0],
    [20, 30, "gt", 1],
    [null, 10, "LT", 1],
    [20, 10, "LT", 1],
    [20, 20, "LT", 0],
    [20, 30, "lt", 0],
    [20, 10, "XX LT", 1],
    [null, 10, "XX LT", 0],
    [20, 30, "XX GT", 1],
  ];
  for (const [present, given, condition, done] of table) {
    s.run("SET", "k", "v");
    if (present !== null) s.run("EXPIRE", "k", present);
    s.propagated();
    const label = `${present} ${given} ${condition}`;
    assertEquals(s.run("EXPIRE", "k", given, ...condition.split(" ")), done, label);
    assertEquals(s.propagated().length, done, label);
    assertEquals(s.run("TTL", "k"), done === 1 ? given : present ?? -1, label);
  }
});

Deno.test("EXPIRE refuses wrong words and times outside 64 bits", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  s.propagated();
  const tooLate = (name: string) => ({ error: `ERR invalid expire time in '${name}' command` });
  const refused: [(string | number)[], Value][] = [
    [["EXPIRE", "k", "x"], NOT_AN_INTEGER],
    [["EXPIRE", "k", "1.5"], NOT_AN_INTEGER],
    [["EXPIRE", "k", "9223372036854775808"], NOT_AN_INTEGER],
    [["EXPIRE", "k", "9223372036854775807"], tooLate("expire")],
    [["EXPIRE", "k", "9223372036854775"], tooLate("expire")],
    [["PEXPIRE", "k", "9223372036854775807"], tooLate("pexpire")],
    [["EXPIREAT", "k", "-9223372036854775808"], tooLate("expireat")],
    [["EXPIRE", "k", 1, "AA"], { error: "ERR Unsupported option AA" }],
    [["EXPIRE", "k", "x", "AA"], { error: "ERR Unsupported option AA" }],
    [["EXPIRE", "k", 1, "NX", "GT"], {
      error: "ERR NX and XX, GT or LT options at the same time are not compatible",
    }],
    [["EXPIRE", "k", 1, "LT", "GT"], {
      error: "ERR GT and LT options at the same time are not compatible",
    }],
  ];
  for (const [words, error] of refused) assertEquals(s.run(...words), error, words.join(" "));
  assertEquals(s.run("PTTL", "k"), -1);
  assertEquals(s.propagated(), []);
});

Deno.test("the last instant of 64 bits is accepted and answered", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  assertEquals(s.run("PEXPIREAT", "k", "9223372036854775807"), 1);
  assertEquals(s.run("PEXPIRETIME", "k"), 9223372036854775807n);
  assertEquals(s.run("EXPIREAT", "k", "9223372036854775"), 1);
  s.propagated();
  assertEquals(s.run("GET", "k"), "v");
});

Deno.test("PERSIST takes the expiry away", () => {
  const s = testServer();
  s.run("SET", "k", "v", "EX", 100);
  s.propagated();
  const events = recordEvents(s);
  assertEquals(s.run("PERSIST", "k"), 1);
  assertEquals(s.run("PERSIST", "k"), 0);
  assertEquals(s.run("PERSIST", "none"), 0);
  assertEquals(s.run("TTL", "k"), -1);
  assertEquals([s.propagated(), events], [["PERSIST k"], ["persist k @0"]]);
  assertEquals(s.keyspace.databases[0].expiringCount, 0);
});

Deno.test("RENAME takes value and expiry along, in the place of what was there", () => {
  for (const value of [["a"], ["b".repeat(9000), "c"]]) {
    const s = testServer({ nowMs: NOW });
    s.run("RPUSH", "from", ...value);
    s.run("EXPIRE", "from", 100);
    s.run("SET", "to", "old".repeat(10_000));
    s.propagated();
    const events = recordEvents(s);
    assertEquals(s.run("RENAME", "from", "to"), "OK");
    assertEquals(s.run("LRANGE", "to", 0, -1), value);
    assertEquals([s.run("TTL", "to"), s.run("EXISTS", "from")], [100, 0]);
    assertEquals(events.slice(0, 3), ["new to @0", "rename_from from @0", "rename_to to @0"]);
    assertEquals(s.propagated(), ["RENAME from to"]);
    const [database] = s.keyspace.databases;
    assertEquals([database.count, database.expiringCount], [1, 1]);
    s.run("DEL", "to");
    assertEquals(database.largeValueBytes, 0);
  }
});

Deno.test("RENAME drops the expiry of the key it replaces", () => {
  const s = testServer();
  s.run("SET", "from", "v");
  s.run("SET", "to", "old", "EX", 100);
  s.run("RENAME", "from", "to");
  assertEquals(s.run("TTL", "to"), -1);
  assertEquals(s.keyspace.databases[0].expiringCount, 0);
});

Deno.test("RENAME to itself does nothing, and a missing key is an error", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  s.propagated();
  assertEquals(s.run("RENAME", "k", "k"), "OK");
  assertEquals(s.run("RENAMENX", "k", "k"), 0);
  assertEquals(s.run("RENAME", "none", "k"), { error: "ERR no such key" });
  assertEquals(s.run("RENAME", "none", "none"), { error: "ERR no such key" });
  assertEquals(s.propagated(), []);
});

Deno.test("RENAMENX renames only where nothing is", () => {
  const s = testServer();
  s.run("SET", "a", "1");
  s.run("SET", "b", "2");
  assertEquals(s.run("RENAMENX", "a", "b"), 0);
  assertEquals(s.run("RENAMENX", "a", "c"), 1);
  assertEquals([s.run("GET", "b"), s.run("GET", "c")], ["2", "1"]);
});

Deno.test("MOVE takes a key to another database unless it is there", () => {
  for (const value of ["v", "v".repeat(20_000)]) {
    const s = testServer();
    const other = s.connect();
    other.run("SELECT", 3);
    s.run("SET", "k", value, "EX", 50);
    s.propagated();
    const events = recordEvents(s);
    assertEquals(s.run("MOVE", "k", 3), 1);
    assertEquals(events, ["new k @3", "move_from k @0", "move_to k @3"]);
    assertEquals([other.run("GET", "k"), other.run("TTL", "k")], [value, 50]);
    assertEquals(s.run("EXISTS", "k"), 0);
    assertEquals(s.propagated(), ["MOVE k 3"]);
    assertEquals(s.run("MOVE", "k", 3), 0);
    s.run("SET", "k", "new");
    assertEquals(s.run("MOVE", "k", 3), 0);
    assertEquals(other.run("GET", "k"), value);
    assertEquals(s.keyspace.databases[0].expiringCount, 0);
    assertEquals(s.keyspace.databases[0].largeValueBytes, 0);
  }
});

Deno.test("MOVE and COPY refuse databases that are not there", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  const outOfRange = { error: "ERR DB index is out of range" };
  const same = { error: "ERR source and destination objects are the same" };
  assertEquals(s.run("MOVE", "k", 16), outOfRange);
  assertEquals(s.run("MOVE", "k", -1), outOfRange);
  assertEquals(s.run("MOVE", "k", "x"), NOT_AN_INTEGER);
  assertEquals(s.run("MOVE", "k", 0), same);
  assertEquals(s.run("COPY", "k", "l", "DB", 16), outOfRange);
  assertEquals(s.run("COPY", "k", "k"), same);
  assertEquals(s.run("COPY", "k", "k", "DB", 0), same);
  assertEquals(s.run("COPY", "k", "l", "DB"), SYNTAX);
});

Deno.test("COPY makes a value of its own with the same expiry", () => {
  const s = testServer();
  const events = recordEvents(s);
  for (const value of [["a", "b"], ["x".repeat(9000), "y", "z".repeat(20_000)]]) {
    s.run("RPUSH", "from", ...value);
    s.run("EXPIRE", "from", 100);
    events.length = 0;
    assertEquals(s.run("COPY", "from", "to"), 1);
    assertEquals(events, ["new to @0", "copy_to to @0"]);
    s.run("RPUSH", "from", "more");
    s.run("LPOP", "to");
    assertEquals(s.run("LRANGE", "from", 0, -1), [...value, "more"]);
    assertEquals(s.run("LRANGE", "to", 0, -1), value.slice(1));
    assertEquals(s.run("TTL", "to"), 100);
    assertEquals(s.run("COPY", "from", "to"), 0);
    assertEquals(s.run("COPY", "from", "to", "REPLACE", "DB", 0), 1);
    assertEquals(s.run("LLEN", "to"), value.length + 1);
    s.run("DEL", "from", "to");
  }
  assertEquals(s.run("COPY", "none", "to"), 0);
});

Deno.test("COPY reaches other databases", () => {
  const s = testServer();
  const other = s.connect();
  other.run("SELECT", 1);
  s.run("SET", "k", "v".repeat(20_000));
  assertEquals(s.run("COPY", "k", "k", "DB", 1), 1);
  s.run("APPEND", "k", "more");
  assertEquals(other.run("GET", "k"), "v".repeat(20_000));
});

Deno.test("KEYS lists what matches and leaves out expired keys", () => {
  const s = testServer();
  for (const key of ["one", "two", "three", "", "o[e"]) s.run("SET", key, "v");
  s.run("SET", "gone", "v", "PX", 10);
  s.clock.nowMs += 11;
  const keys = (pattern: string) => (s.run("KEYS", pattern) as string[]).sort();
  assertEquals(keys("*"), ["", "o[e", "one", "three", "two"]);
  assertEquals(keys("t*"), ["three", "two"]);
  assertEquals(keys("o?e"), ["o[e", "one"]);
  assertEquals(keys("o\\[e"), ["o[e"]);
  assertEquals(keys("none"), []);
});

Deno.test("SCAN visits every key that stays, whatever is added and removed meanwhile", () => {
  const s = testServer();
  for (let i = 0; i < 500; i++) s.run("SET", `stays${i}`, "v");
  for (let i = 0; i < 500; i++) s.run("SET", `goes${i}`, "v");
  const found = new Set<string>();
  let cursor = "0";
  let turn = 0;
  do {
    const [next, keys] = s.run("SCAN", cursor, "COUNT", 7) as [string, string[]];
    for (const key of keys) found.add(key);
    cursor = next;
    for (let i = 0; i < 10; i++) s.run("DEL", `goes${turn * 10 + i}`);
    for (let i = 0; i < 30; i++) s.run("SET", `new${turn * 30 + i}`, "v");
    turn++;
  } while (cursor !== "0");
  for (let i = 0; i < 500; i++) assert(found.has(`stays${i}`), `stays${i}`);
});

Deno.test("SCAN filters by pattern and type, and removes the expired keys it meets", () => {
  const s = testServer();
  s.run("SET", "string", "v");
  s.run("RPUSH", "list", "v");
  s.run("SET", "gone", "v", "PX", 10);
  s.clock.nowMs += 11;
  s.propagated();
  const scan = (...words: string[]) => (s.run("SCAN", 0, ...words) as [string, string[]])[1].sort();
  assertEquals(scan("COUNT", "100"), ["list", "string"]);
  assertEquals(s.propagated(), ["DEL gone"]);
  assertEquals(scan("MATCH", "s*"), ["string"]);
  assertEquals(scan("TYPE", "LIST"), ["list"]);
  assertEquals(scan("TYPE", "nosuchtype"), []);
  // Also those of another type, but not those that do not match.
  s.run("SET", "gone", "v", "PX", 10);
  s.clock.nowMs += 11;
  s.propagated();
  assertEquals(scan("TYPE", "list", "MATCH", "l*"), ["list"]);
  assertEquals(s.propagated(), []);
  assertEquals(scan("TYPE", "list"), ["list"]);
  assertEquals(s.propagated(), ["DEL gone"]);
  assertEquals(s.run("SCAN", "x"), { error: "ERR invalid cursor" });
  assertEquals(s.run("SCAN", 0, "COUNT", 0), SYNTAX);
  assertEquals(s.run("SCAN", 0, "COUNT"), SYNTAX);
});

Deno.test("RANDOMKEY draws among keys that are not expired", () => {
  const s = testServer();
  assertEquals(s.run("RANDOMKEY"), null);
  for (let i = 0; i < 20; i++) s.run("SET", `gone${i}`, "v", "PX", 10);
  s.run("SET", "a", "v");
  s.run("SET", "b", "v");
  s.clock.nowMs += 11;
  const drawn = new Set(Array.from({ length: 100 }, () => s.run("RANDOMKEY")));
  assertEquals([...drawn].sort(), ["a", "b"]);
});

Deno.test("RANDOMKEY on a replica ends even if all keys are expired", () => {
  const s = testServer();
  s.run("SET", "gone", "v", "PX", 10);
  s.clock.nowMs += 11;
  s.keyspace.expireMode = EXPIRE_HIDES;
  assertEquals(s.run("RANDOMKEY"), "gone");
});

Deno.test("OBJECT ENCODING names the forms of strings", () => {
  const s = testServer();
  const encoding = (...words: (string | number)[]) => {
    s.run(...words);
    return s.run("OBJECT", "ENCODING", words[1]);
  };
  assertEquals(encoding("SET", "k", 123), "int");
  assertEquals(encoding("SET", "k", "-9223372036854775808"), "int");
  assertEquals(encoding("SET", "k", "9223372036854775808"), "embstr");
  assertEquals(encoding("SET", "k", "01"), "embstr");
  assertEquals(encoding("SET", "k", ""), "embstr");
  assertEquals(encoding("SET", "k", "x".repeat(44)), "embstr");
  assertEquals(encoding("SET", "k", "x".repeat(45)), "raw");
  assertEquals(encoding("SET", "k", "x".repeat(20_000)), "raw");
  assertEquals(encoding("SET", "k", "1"), "int");
  assertEquals(encoding("APPEND", "k", "2"), "raw");
  assertEquals(s.run("OBJECT", "ENCODING", "none"), null);
  assertEquals(s.run("OBJECT", "REFCOUNT", "k"), 1);
});

// The numbers are those of redis-server 7.0.15.
Deno.test("OBJECT REFCOUNT tells of small integers that they are shared, where Redis shares them", () => {
  const s = testServer();
  const count = () => s.run("OBJECT", "REFCOUNT", "k");
  for (const value of ["0", "7", "9999"]) {
    s.run("SET", "k", value);
    assertEquals(count(), 2147483647, value);
  }
  for (const value of ["-1", "10000", "007", "x", "", "1.5"]) {
    s.run("SET", "k", value);
    assertEquals(count(), 1, value);
  }
  s.run("SET", "k", "7");
  s.run("INCR", "k");
  assertEquals(count(), 2147483647);
  s.run("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-random");
  assertEquals(count(), 2147483647);
  s.run("CONFIG", "SET", "maxmemory-policy", "volatile-lfu");
  assertEquals(count(), 1);
  s.run("CONFIG", "SET", "maxmemory", "0");
  assertEquals(count(), 2147483647);
  s.run("APPEND", "k", "1");
  assertEquals(count(), 1);
  s.run("RPUSH", "l", "1");
  assertEquals(s.run("OBJECT", "REFCOUNT", "l"), 1);
});

Deno.test("OBJECT IDLETIME and FREQ answer according to the policy", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  s.clock.nowMs += 5000;
  assertEquals(s.run("OBJECT", "IDLETIME", "k"), 5);
  assertEquals(
    (s.run("OBJECT", "FREQ", "k") as { error: string }).error.slice(0, 54),
    "ERR An LFU maxmemory policy is not selected, access fr",
  );
  s.keyspace.usesLfu = true;
  s.run("SET", "k", "v");
  assertEquals(s.run("OBJECT", "FREQ", "k"), 5);
  assertEquals(
    (s.run("OBJECT", "IDLETIME", "k") as { error: string }).error.slice(0, 50),
    "ERR An LFU maxmemory policy is selected, idle time",
  );
  assertEquals(s.run("OBJECT", "FREQ", "none"), null);
});

Deno.test("OBJECT HELP lists the subcommands", () => {
  const s = testServer();
  const lines = s.run("OBJECT", "HELP") as string[];
  assertEquals(lines[0], "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const name of ["ENCODING <key>", "FREQ <key>", "IDLETIME <key>", "REFCOUNT <key>", "HELP"]) {
    assert(lines.includes(name), name);
  }
});
