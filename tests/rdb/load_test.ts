import { assert, assertEquals, assertThrows } from "@std/assert";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { ACCESS_FREQUENCY, ACCESS_IDLE } from "../../src/rdb/save_dataset.ts";
import { testServer } from "../support/test_server.ts";
import { corpusBytes, corpusExpected, corpusNames } from "./corpus.ts";
import { CORPUS_NOW_MS, expectedDataset, loadBytes, readDataset, saveToBytes } from "./datasets.ts";

function corpusServer() {
  return testServer({ nowMs: CORPUS_NOW_MS });
}

for (const name of corpusNames()) {
  const expected = corpusExpected(name);
  const stream = Object.keys(expected.value_types).find((type) => type.includes("stream"));
  if (stream !== undefined) {
    Deno.test(`loading ${name} stops at a stream and says where`, () => {
      const [type, typeName] = stream.split(":");
      const error = assertThrows(
        () => loadBytes(corpusServer().keyspace, corpusBytes(name)),
        RdbError,
        `a value of type ${type} (${typeName}) at byte `,
      );
      assertEquals(error.kind, "unsupported");
      assertEquals(corpusBytes(name)[error.offset], Number(type));
    });
    continue;
  }

  Deno.test(`${name} loads to the content it was written with`, () => {
    const server = corpusServer();
    const loader = loadBytes(server.keyspace, corpusBytes(name));
    assertEquals(readDataset(server), expectedDataset(expected.dbs));
    const libraries = (expected.functions ?? []).length;
    assertEquals(loader.functionsSkipped, libraries);
    assertEquals(server.keyspace.dirty, 0, "a load is no change");
  });

  Deno.test(`${name} is the same after being saved and loaded again`, () => {
    const first = corpusServer();
    loadBytes(first.keyspace, corpusBytes(name));
    for (const compress of [true, false]) {
      const second = corpusServer();
      loadBytes(second.keyspace, saveToBytes(first.keyspace, { compress }));
      assertEquals(datasetDigest(second.keyspace), datasetDigest(first.keyspace));
      assertEquals(readDataset(second), readDataset(first));
    }
  });
}

/** What a file in bad/ has to come to: its error, or null when it loads. */
const badFiles: Record<string, RegExp | null> = {
  "bad-checksum": /wrong checksum: .* at byte 15765$/,
  "bad-magic": /wrong signature at byte 0$/,
  "checksum-zero": null,
  "db-out-of-range": /database \d+, where this server is configured to handle 16 .* at byte \d+$/,
  "empty-set": null,
  "seconds-expiry": null,
  "truncated-checksum": /unexpected end of file: 8 more bytes needed, at byte 15765$/,
  "truncated-half": /at byte \d+$/,
  "truncated-header": /at byte 0$/,
  "unknown-aux": null,
  "unknown-opcode": /unknown opcode 0xf0 at byte 80$/,
  "version-99": /RDB format version 99 at byte 5$/,
};

for (const [name, message] of Object.entries(badFiles)) {
  const expected = corpusExpected(`bad/${name}`);
  Deno.test(`bad/${name} ${message === null ? "loads" : "is refused with the offset"}`, () => {
    const server = corpusServer();
    const bytes = corpusBytes(`bad/${name}`);
    // Some are made from a file with streams, which stops the load before the damage.
    let failure: unknown = null;
    try {
      loadBytes(server.keyspace, bytes);
    } catch (error) {
      failure = error;
    }
    if (failure instanceof RdbError && failure.kind === "unsupported" && name !== "version-99") {
      assert(failure.message.includes("stream"), failure.message);
      return;
    }
    assertEquals(failure === null, expected.loads);
    if (message === null) assertEquals(readDataset(server), expectedDataset(expected.dbs));
    else assert(message.test((failure as Error).message), (failure as Error).message);
  });
}

Deno.test("a load leaves out keys past their time and counts them", () => {
  const server = testServer({ nowMs: 1_700_000_000_000 });
  server.run("SET", "gone", "v", "PXAT", 1_700_000_005_000);
  server.run("SET", "stays", "v", "PXAT", 1_700_000_010_000);
  const bytes = saveToBytes(server.keyspace);
  const later = testServer({ nowMs: 1_700_000_010_000 });
  const loader = loadBytes(later.keyspace, bytes);
  assertEquals([loader.keysLoaded, loader.keysExpired], [1, 1]);
  assertEquals(later.run("KEYS", "*"), ["stays"]);
  assertEquals(later.run("PEXPIRETIME", "stays"), 1_700_000_010_000);
});

Deno.test("idle times are saved and loaded under an LRU policy", () => {
  const server = testServer();
  server.run("SET", "k", "v");
  server.clock.nowMs += 1_000_000;
  server.keyspace.refreshTime();
  const bytes = saveToBytes(server.keyspace, {}, ACCESS_IDLE);
  server.clock.nowMs += 50_000;
  const other = testServer({ nowMs: server.clock.nowMs });
  loadBytes(other.keyspace, bytes);
  assertEquals(other.run("OBJECT", "IDLETIME", "k"), 1000);
});

Deno.test("access frequencies are saved and loaded under an LFU policy", () => {
  const server = testServer();
  server.keyspace.usesLfu = true;
  server.keyspace.refreshTime();
  server.run("SET", "k", "v");
  const database = server.keyspace.databases[0];
  const ref = database.findOrExpire(new TextEncoder().encode("k"), 0, 1);
  database.setAccess(ref, -1, 77);
  const bytes = saveToBytes(server.keyspace, {}, ACCESS_FREQUENCY);
  const other = testServer();
  other.keyspace.usesLfu = true;
  other.keyspace.refreshTime();
  loadBytes(other.keyspace, bytes);
  const copy = other.keyspace.databases[0];
  const found = copy.findOrExpire(new TextEncoder().encode("k"), 0, 1);
  assertEquals(other.keyspace.lfuCounter(copy.records.metaOf(found)), 77);
});

Deno.test("values take the encodings of the limits in force when they are loaded", () => {
  const server = testServer();
  for (let i = 0; i < 20; i++) {
    server.run("HSET", "hash", `f${i}`, `v${i}`);
    server.run("SADD", "ints", i);
    server.run("SADD", "words", `m${i}`);
    server.run("ZADD", "zset", i / 4, `m${i}`);
    server.run("RPUSH", "list", `e${i}`);
  }
  const encodings = (s: typeof server) =>
    ["hash", "ints", "words", "zset", "list"].map((key) => s.run("OBJECT", "ENCODING", key));
  assertEquals(encodings(server), ["listpack", "intset", "listpack", "listpack", "listpack"]);
  const small = testServer();
  Object.assign(small.keyspace.limits, {
    hashMaxListpackEntries: 10,
    setMaxIntsetEntries: 10,
    setMaxListpackEntries: 10,
    zsetMaxListpackEntries: 10,
    listMaxListpackSize: 10,
  });
  loadBytes(small.keyspace, saveToBytes(server.keyspace));
  assertEquals(encodings(small), ["hashtable", "hashtable", "hashtable", "skiplist", "quicklist"]);
  const back = testServer();
  loadBytes(back.keyspace, saveToBytes(small.keyspace));
  assertEquals(encodings(back), ["listpack", "intset", "listpack", "listpack", "listpack"]);
  assertEquals(datasetDigest(back.keyspace), datasetDigest(server.keyspace));
});

Deno.test("extremes of strings, expiries and scores survive a save and a load", () => {
  const server = testServer();
  const long = "abc".repeat(100_000);
  for (const text of ["", "0", "-1", "12345678901", "-2147483648", "007", "a".repeat(21), long]) {
    server.run("SET", `s:${text.slice(0, 20)}`, text);
  }
  server.run("SET", "", "the empty key");
  server.run("SET", "far", "v", "PXAT", "9007199254740993");
  for (const score of ["-0", "0.1", "1e300", "-inf", "inf", "9007199254740993", "5e-324"]) {
    server.run("ZADD", "small", score, `m${score}`);
    server.run("ZADD", "large", score, `m${score}${"x".repeat(70)}`);
  }
  server.run("HSET", "hash", "f", long, "g", "");
  server.run("RPUSH", "list", long, "", "5");
  const other = testServer();
  loadBytes(other.keyspace, saveToBytes(server.keyspace));
  assertEquals(readDataset(other), readDataset(server));
  assertEquals(datasetDigest(other.keyspace), datasetDigest(server.keyspace));
});

Deno.test("a key that is there twice in a file is refused", () => {
  const server = testServer();
  server.run("SET", "k", "v");
  const bytes = saveToBytes(server.keyspace);
  assertThrows(() => loadBytes(server.keyspace, bytes), RdbError, 'key "k" is there twice');
});
