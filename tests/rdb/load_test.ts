import { assert, assertEquals, assertThrows } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { datasetDigest } from "../../src/rdb/digest.ts";
import * as format from "../../src/rdb/format.ts";
import { RdbLoader } from "../../src/rdb/loader.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { RdbReader } from "../../src/rdb/reader.ts";
import { ACCESS_FREQUENCY, ACCESS_IDLE } from "../../src/rdb/save_dataset.ts";
import { ChunkCollector, RdbEncoder } from "../../src/rdb/writer.ts";
import { lpAppend, lpBytes, lpNew } from "../../src/values/listpack.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { corpusBytes, corpusExpected, corpusNames } from "./corpus.ts";
import {
  asVersion10,
  CORPUS_NOW_MS,
  expectedDataset,
  loadBytes,
  readDataset,
  saveToBytes,
} from "./datasets.ts";

function corpusServer() {
  return testServer({ nowMs: CORPUS_NOW_MS });
}

/** The source of each function library. */
function librariesOf({ keyspace: { libraries } }: TestServer): string[] {
  return [...libraries.codes].map((code) => toLatin1(code, 0, code.length));
}

for (const name of corpusNames()) {
  const expected = corpusExpected(name);
  Deno.test(`${name} loads to the content it was written with`, () => {
    const server = corpusServer();
    const loader = loadBytes(server.keyspace, corpusBytes(name));
    assertEquals(readDataset(server), expectedDataset(expected.dbs));
    const codes = (expected.functions ?? []).map(({ code }) => code);
    assertEquals(librariesOf(server).toSorted(), codes.toSorted());
    assertEquals(loader.librariesLoaded, (expected.functions ?? []).length);
    assertEquals(server.keyspace.dirty, 0, "a load is no change");
  });

  Deno.test(`${name} is the same after being saved and loaded again`, () => {
    const first = corpusServer();
    loadBytes(first.keyspace, corpusBytes(name));
    for (const compress of [true, false]) {
      const second = corpusServer();
      loadBytes(second.keyspace, saveToBytes(first.keyspace, { compress }));
      assertEquals(datasetDigest(second.keyspace), datasetDigest(first.keyspace));
      assertEquals(asVersion10(readDataset(second)), asVersion10(readDataset(first)));
      assertEquals(librariesOf(second), librariesOf(first));
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
    let failure: unknown = null;
    try {
      loadBytes(server.keyspace, bytes);
    } catch (error) {
      failure = error;
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

/** A snapshot of a set, hash or sorted set with these members, in this order. */
function collectionBytes(type: number, members: string[]): Uint8Array {
  const collector = new ChunkCollector();
  const out = new RdbEncoder(collector.sink);
  out.writeHeader();
  out.writeByte(type);
  out.writeString(latin1("k"), 0, 1);
  out.writeLength(members.length);
  for (const [i, member] of members.entries()) {
    out.writeString(latin1(member), 0, member.length);
    if (type === format.TYPE_HASH) out.writeString(latin1(`value ${i}`), 0, `value ${i}`.length);
    if (type === format.TYPE_ZSET_2) out.writeBinaryDouble(1_000 - i);
  }
  out.writeEof();
  return collector.take();
}

for (
  const [name, type, size] of [
    ["set", format.TYPE_SET, "SCARD"],
    ["hash", format.TYPE_HASH, "HLEN"],
    ["sorted set", format.TYPE_ZSET_2, "ZCARD"],
  ] as const
) {
  Deno.test(`a large ${name} is loaded whole, and refused with a member that is there twice`, () => {
    const members = Array.from({ length: 700 }, (_, i) => `member ${i}`);
    const server = testServer();
    loadBytes(server.keyspace, collectionBytes(type, members));
    assertEquals(server.run(size, "k"), members.length);
    for (const [first, second] of [[0, 1], [10, 42], [10, 600], [650, 699]]) {
      const twice = members.with(second, members[first]);
      const other = testServer();
      const load = () => loadBytes(other.keyspace, collectionBytes(type, twice));
      assertThrows(load, RdbError, "is there twice in the");
      assertEquals(other.run("DBSIZE"), 0);
    }
  });
}

Deno.test("a key that is there twice in a file is refused", () => {
  const server = testServer();
  server.run("SET", "k", "v");
  const bytes = saveToBytes(server.keyspace);
  assertThrows(() => loadBytes(server.keyspace, bytes), RdbError, 'key "k" is there twice');
});

Deno.test("a key that is there twice ends a load: what stands before it stays, what stands behind it goes", () => {
  const load = (keys: string[]) => {
    const collector = new ChunkCollector();
    const out = new RdbEncoder(collector.sink);
    out.writeHeader();
    for (const [i, key] of keys.entries()) {
      if (i % 3 === 0) out.writeExpiry(4_000_000_000_000 + i);
      out.writeByte(format.TYPE_STRING);
      out.writeString(latin1(key), 0, key.length);
      out.writeString(latin1("value"), 0, 5);
    }
    out.writeEof();
    const { keyspace } = testServer();
    const reader = RdbReader.fromBytes(collector.take());
    return { keyspace, loader: new RdbLoader(keyspace, reader, { dropsExpired: true }) };
  };
  for (const [first, second] of [[3, 5], [3, 90], [60, 64]]) {
    const keys = Array.from({ length: 100 }, (_, i) => `k${i === second ? first : i}`);
    const { keyspace, loader } = load(keys);
    assertThrows(() => loader.run(), RdbError, `key "k${first}" is there twice`);
    const before = load(keys.slice(0, second));
    before.loader.run();
    assertEquals(loader.keysLoaded, second);
    assertEquals(datasetDigest(keyspace), datasetDigest(before.keyspace));
    const [one, other] = [keyspace, before.keyspace].map(({ databases }) => databases[0]);
    assertEquals(one.expiringCount, other.expiringCount);
    assertEquals(one.recordBytes, other.recordBytes, "what was not added takes no room");
  }
});

/** A snapshot of the key "k" with this value, `before` in front of its type byte. */
function snapshotOf(
  rdbType: number,
  write: (out: RdbEncoder) => void,
  before: (out: RdbEncoder) => void = () => {},
): Uint8Array {
  const collector = new ChunkCollector();
  const out = new RdbEncoder(collector.sink);
  out.writeHeader();
  before(out);
  out.writeByte(rdbType);
  out.writeString(latin1("k"), 0, 1);
  write(out);
  out.writeEof();
  return collector.take();
}

for (const [ms, isThere, ttl] of [[-1, true, -1], [-2, false, -2], [1, false, -2]] as const) {
  Deno.test(`an expiry of ${ms} ms is ${isThere ? "none" : "past"}`, () => {
    const server = corpusServer();
    const writeValue = (out: RdbEncoder) => out.writeString(latin1("v"), 0, 1);
    const bytes = snapshotOf(format.TYPE_STRING, writeValue, (out) => {
      out.writeByte(format.OPCODE_EXPIRETIME_MS);
      out.writeMillis(ms);
    });
    loadBytes(server.keyspace, bytes);
    assertEquals(server.run("EXISTS", "k"), isThere ? 1 : 0);
    assertEquals(server.run("PTTL", "k"), ttl);
  });
}

/** A listpack of words, as a string. */
function writeListpack(out: RdbEncoder, words: string[]): void {
  const bytes = new Uint8Array(4096);
  lpNew(bytes, 0);
  for (const word of words) {
    assert(lpAppend(bytes, 0, bytes.length, latin1(word), 0, word.length) > 0);
  }
  out.writeString(bytes, 0, lpBytes(bytes, 0));
}

// Scores of a listpack as others may have written them, and what they are read as.
for (
  const [score, read] of [
    ["1e400", "inf"],
    ["-1e400", "-inf"],
    ["0x1p2000", "inf"],
    ["1" + "0".repeat(120), "1e+120"],
    // Redis reads 127 characters.
    ["1" + "0".repeat(200), "1e+126"],
    ["1e-400", "0"],
    ["Infinity", "inf"],
    ["0x10", "16"],
  ]
) {
  Deno.test(`a score of ${score.slice(0, 9)} (${score.length}) in a listpack is ${read}, in its order`, () => {
    for (const words of [["b", "1", "a", score], ["a", score, "b", "1"]]) {
      const server = testServer();
      loadBytes(
        server.keyspace,
        snapshotOf(format.TYPE_ZSET_LISTPACK, (out) => writeListpack(out, words)),
      );
      assertEquals(server.run("ZSCORE", "k", "a"), read);
      const isFirst = Number(read === "inf" ? "Infinity" : read.replace("inf", "Infinity")) < 1;
      assertEquals(server.run("ZRANGE", "k", 0, -1), isFirst ? ["a", "b"] : ["b", "a"]);
      assertEquals(server.run("ZCOUNT", "k", "-inf", "+inf"), 2);
      assertEquals(server.run("ZRANK", "k", "a"), isFirst ? 0 : 1);
      // What has been understood is what is handed on.
      const again = testServer();
      assertEquals(again.run("RESTORE", "k", 0, server.run("DUMP", "k") as string), "OK");
      assertEquals(again.run("ZSCORE", "k", "a"), read);
    }
  });
}

for (
  const [name, rdbType] of [["text", format.TYPE_ZSET], ["binary", format.TYPE_ZSET_2]] as const
) {
  Deno.test(`a ${name} score of -0 is 0 in a small sorted set, as in one that is made here`, () => {
    const server = testServer();
    const bytes = snapshotOf(rdbType, (out) => {
      out.writeLength(1);
      out.writeString(latin1("m"), 0, 1);
      if (rdbType === format.TYPE_ZSET_2) out.writeBinaryDouble(-0);
      else {
        out.writeByte(2);
        out.writeByte(0x2d);
        out.writeByte(0x30);
      }
    });
    loadBytes(server.keyspace, bytes);
    assertEquals(server.run("ZSCORE", "k", "m"), "0");
    server.run("ZADD", "other", "-0", "m");
    assertEquals(server.run("ZSCORE", "other", "m"), "0");
  });
}
