import { assertEquals } from "@std/assert";
import { latin1 } from "../../../src/base/bytes.ts";
import { asVersion10, expectedDataset, readKey } from "../../rdb/datasets.ts";
import type { ExpectedKey } from "../../rdb/corpus.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

const folder = new URL("../../fixtures/dump/", import.meta.url);

interface Dumped {
  key: string;
  dump_hex: string;
  type: string;
  value: unknown;
}

function fromHex(hex: string): string {
  return (hex.match(/../g) ?? []).map((pair) => String.fromCharCode(parseInt(pair, 16))).join("");
}

/** What of `found` the server knew that has written `expected`: Redis 6.2 does not tell all of a stream. */
function withMembersOf(expected: unknown, found: unknown): unknown {
  if (typeof expected !== "object" || typeof found !== "object" || !expected || !found) {
    return found;
  }
  if (Array.isArray(found)) {
    return found.map((item, i) => withMembersOf((expected as unknown[])[i], item));
  }
  const known = Object.entries(expected).filter(([name]) => name in found);
  return Object.fromEntries(
    known.map((
      [name, value],
    ) => [name, withMembersOf(value, (found as typeof expected)[name as never])]),
  );
}

for (const { name } of [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".json"))) {
  Deno.test(`RESTORE takes every payload of ${name}, and DUMP gives one that is as good`, () => {
    const server = testServer();
    const dumped: Dumped[] = JSON.parse(Deno.readTextFileSync(new URL(name, folder)));
    for (const { key, dump_hex, type, value } of dumped) {
      assertEquals(server.run("RESTORE", "k", 0, fromHex(dump_hex), "REPLACE"), "OK", key);
      const expected = asVersion10(expectedDataset({
        0: { k: { type, value, ttl_ms_at: null } as ExpectedKey },
      }));
      // Payloads of ours do not say when a consumer was active last.
      const read = (name: string) => {
        const found = asVersion10({ 0: { k: readKey(server, name) } });
        return withMembersOf(expected, found);
      };
      assertEquals(read("k"), expected, key);
      const payload = server.run("DUMP", "k") as string;
      assertEquals(server.run("RESTORE", "again", 0, payload, "REPLACE"), "OK", key);
      assertEquals(read("again"), expected, key);
    }
  });
}

/** A server with a string, its payload in the first version there is for it, and nothing in the stream. */
function restoring(): { server: TestServer; payload: string } {
  const server = testServer();
  server.run("SET", "source", "value");
  server.run("CONFIG", "SET", "rdb-version", "6");
  const payload = server.run("DUMP", "source") as string;
  server.propagated();
  return { server, payload };
}

Deno.test("DUMP of a missing key is null", () => {
  assertEquals(testServer().run("DUMP", "k"), null);
});

Deno.test("DUMP writes version 10 with the value and without the expiry", () => {
  const server = testServer();
  server.run("SET", "k", "42", "EX", 100);
  // What redis 7.0.15 answers.
  assertEquals(
    latin1(server.run("DUMP", "k") as string),
    latin1(fromHex("00c02a0a0081fb5cfa86634f50")),
  );
});

const wrongs: [string, (string | number)[], string][] = [
  ["a time that is no number", ["n", "abc", "x"], "ERR value is not an integer or out of range"],
  ["a negative time", ["n", -1, "x"], "ERR Invalid TTL value, must be >= 0"],
  ["a payload that is none", ["n", 0, "x"], "ERR DUMP payload version or checksum are wrong"],
  [
    "a key that is there, before all else",
    ["source", "abc", "x"],
    "BUSYKEY Target key name already exists.",
  ],
  [
    "a frequency above 255",
    ["n", 0, "x", "FREQ", 256],
    "ERR Invalid FREQ value, must be >= 0 and <= 255",
  ],
  [
    "a negative idle time",
    ["n", 0, "x", "IDLETIME", -1],
    "ERR Invalid IDLETIME value, must be >= 0",
  ],
  ["IDLETIME without its number", ["n", 0, "x", "IDLETIME"], "ERR syntax error"],
  ["IDLETIME and FREQ at once", ["n", 0, "x", "FREQ", 1, "IDLETIME", 1], "ERR syntax error"],
  ["an unknown option, before the key", ["source", 0, "x", "NOSUCH"], "ERR syntax error"],
  [
    "a value of no type",
    ["n", 0, fromHex("63017664006261640000000000000000")],
    "ERR DUMP payload version or checksum are wrong",
  ],
];
for (const [what, words, text] of wrongs) {
  Deno.test(`RESTORE refuses ${what} and changes nothing`, () => {
    const { server } = restoring();
    const { dirty } = server.keyspace;
    assertEquals(server.run("RESTORE", ...words), { error: text });
    assertEquals(server.run("DBSIZE"), 1);
    assertEquals(server.keyspace.dirty, dirty);
    assertEquals(server.propagated(), []);
  });
}

Deno.test("RESTORE sets a relative expiry, which enters the stream as an instant", () => {
  const { server, payload } = restoring();
  assertEquals(server.run("RESTORE", "k", 5000, payload), "OK");
  assertEquals(server.run("PTTL", "k"), 5000);
  const expiresAtMs = server.clock.nowMs + 5000;
  assertEquals(server.propagated().at(-1), `RESTORE k ${expiresAtMs} ${payload} ABSTTL`);
});

Deno.test("RESTORE without expiry or with ABSTTL enters the stream as it came", () => {
  const { server, payload } = restoring();
  const expiresAtMs = server.clock.nowMs + 5000;
  server.run("RESTORE", "a", 0, payload);
  server.run("RESTORE", "b", expiresAtMs, payload, "ABSTTL");
  assertEquals(server.run("PEXPIRETIME", "b"), expiresAtMs);
  assertEquals(server.propagated().slice(-2), [
    `RESTORE a 0 ${payload}`,
    `RESTORE b ${expiresAtMs} ${payload} ABSTTL`,
  ]);
});

/** The payload of the key in this version. */
function dumpedAs(version: string, server: TestServer, key: string): string {
  const before = server.config.value("rdb-version");
  server.run("CONFIG", "SET", "rdb-version", version);
  const payload = server.run("DUMP", key) as string;
  server.run("CONFIG", "SET", "rdb-version", before);
  return payload;
}

Deno.test("RESTORE enters the stream in the first version that can express the payload", () => {
  const { server, payload } = restoring();
  const late = dumpedAs("12", server, "source");
  assertEquals(late === payload, false);
  server.run("RESTORE", "a", 0, late);
  server.run("MULTI");
  server.run("RESTORE", "b", 1000, late);
  server.run("EXEC");
  server.run("EVAL", "redis.call('RESTORE', KEYS[1], 0, ARGV[1])", 1, "c", late);
  server.run("RESTORE-ASKING", "a", 0, late, "REPLACE");
  const expiresAtMs = server.clock.nowMs + 1000;
  assertEquals(server.propagated().slice(-4), [
    `RESTORE a 0 ${payload}`,
    `RESTORE b ${expiresAtMs} ${payload} ABSTTL`,
    `RESTORE c 0 ${payload}`,
    `RESTORE-ASKING a 0 ${payload} REPLACE`,
  ]);
});

for (
  const request of ["SADD source a b", "XADD source 1-1 f v", "HSET source f v"]
) {
  Deno.test(`RESTORE of what is newer than 7.0 enters the stream in a form that 7.0 reads: ${request}`, () => {
    const server = testServer();
    server.run(...request.split(" "));
    const late = dumpedAs("12", server, "source");
    server.propagated();
    server.run("RESTORE", "k", 1000, late, "REPLACE", "FREQ", 7);
    const expiresAtMs = server.clock.nowMs + 1000;
    const payload = dumpedAs("10", server, "source");
    assertEquals(
      server.propagated().at(-1),
      `RESTORE k ${expiresAtMs} ${payload} REPLACE FREQ 7 ABSTTL`,
    );
    server.run("RESTORE", "k", 0, late, "REPLACE");
    assertEquals(server.propagated().at(-1), `RESTORE k 0 ${payload} REPLACE`);
  });
}

Deno.test("RESTORE of a hash whose fields expire enters the stream in the version for that", () => {
  const server = testServer();
  server.run("HSET", "h", "f", "v");
  server.run("HPEXPIREAT", "h", 4e12, "FIELDS", 1, "f");
  const payload = server.run("DUMP", "h") as string;
  assertEquals(payload.charCodeAt(payload.length - 10), 12);
  server.run("RESTORE", "k", 0, payload);
  assertEquals(server.propagated().at(-1), `RESTORE k 0 ${payload}`);
});

Deno.test("RESTORE with an instant that is past leaves no key, and deletes the one it replaces", () => {
  const { server, payload } = restoring();
  assertEquals(server.run("RESTORE", "k", 1, payload, "ABSTTL"), "OK");
  assertEquals(server.propagated(), []);
  assertEquals(server.run("RESTORE", "source", 1, payload, "ABSTTL", "REPLACE"), "OK");
  assertEquals(server.run("DBSIZE"), 0);
  assertEquals(server.propagated().at(-1), "DEL source");
});

Deno.test("RESTORE REPLACE takes the place of a value of another type, expiry included", () => {
  const { server, payload } = restoring();
  server.run("RPUSH", "l", "a");
  server.run("EXPIRE", "l", 100);
  assertEquals(server.run("RESTORE", "l", 0, payload, "REPLACE"), "OK");
  assertEquals(server.run("GET", "l"), "value");
  assertEquals(server.run("TTL", "l"), -1);
});

Deno.test("RESTORE sets the idle time", () => {
  const { server, payload } = restoring();
  server.run("RESTORE", "k", 0, payload, "IDLETIME", 1000);
  assertEquals(server.run("OBJECT", "IDLETIME", "k"), 1000);
});

/** Damaged payloads, their sums not right either, and what Redis's log calls what is wrong with them. */
const damaged: [hex: string, problem: string][] = [
  ["090200ff0900c0f1b86716ac1423", "Zipmap integrity check failed: no fields"],
  [
    "0c191900000002000000060000f102f102025f3104f202f302f3ff09004d727b97cd9a70c1",
    "Zset ziplist integrity check failed: wrong offset of the last entry",
  ],
  ["100707000000000000090000000000000000ff", "Hash listpack integrity check failed"],
  ["11090900000001000102ff09000000000000000000", "Zset listpack integrity check failed"],
  ["0b080200000001000000090000000000000000ff", "Intset integrity check failed"],
];

for (const [hex, problem] of damaged) {
  Deno.test(`RESTORE of a damaged payload says in the log "${problem}"`, () => {
    const server = testServer();
    server.core.skipsChecksums = true;
    assertEquals(server.run("RESTORE", "k", 0, fromHex(hex)), { error: "ERR Bad data format" });
    const line = server.logLines.at(-1)!;
    assertEquals(line.includes(`RESTORE: ${problem}`), true, line);
  });
}

for (
  const [what, from, to, log] of [
    ["a consumer that is there twice", "\x02c2", "\x02c1", "Duplicate stream consumer detected"],
    ["a damaged node", "\x85field", "\x86field", "Stream listpack integrity check failed"],
  ]
) {
  Deno.test(`RESTORE refuses a stream with ${what}, and the log says what watches it look for`, () => {
    const server = testServer();
    server.run("XADD", "x", "1-0", "field", "value");
    server.run("XGROUP", "CREATE", "x", "g", "0");
    server.run("XGROUP", "CREATECONSUMER", "x", "g", "c1");
    server.run("XGROUP", "CREATECONSUMER", "x", "g", "c2");
    const payload = server.run("DUMP", "x") as string;
    assertEquals(payload.split(from).length, 2);
    server.core.skipsChecksums = true;
    const damaged = payload.replace(from, to);
    assertEquals(server.run("RESTORE", "y", "0", damaged), { error: "ERR Bad data format" });
    assertEquals(server.logLines.filter((line) => line.includes(log)).length, 1);
  });
}
