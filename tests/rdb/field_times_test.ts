/** When fields of hashes expire, in snapshots and payloads: versions, types that are only read, damage. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { hashBytes } from "../../src/base/hash.ts";
import { EXPIRE_DELETES } from "../../src/keyspace/expire_mode.ts";
import { expireSlice } from "../../src/keyspace/expiry.ts";
import * as format from "../../src/rdb/format.ts";
import { NO_LEAVE, PayloadLoad } from "../../src/rdb/payload.ts";
import { PayloadDump } from "../../src/rdb/payload_dump.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { RdbReader } from "../../src/rdb/reader.ts";
import { ChunkCollector, RdbEncoder } from "../../src/rdb/writer.ts";
import { lpAppend, lpAppendInteger, lpBytes, lpNew } from "../../src/values/listpack.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { corpusBytes } from "./corpus.ts";
import { CORPUS_NOW_MS, loadBytes, saveToBytes } from "./datasets.ts";
import { TestSnapshot } from "./test_snapshot.ts";

const NOW = 1_700_000_000_000;

function headerOf(bytes: Uint8Array): string {
  return toLatin1(bytes, 0, 9);
}

/** The version in the footer of a DUMP payload. */
function payloadVersion(payload: unknown): number {
  return (payload as string).charCodeAt((payload as string).length - 10);
}

for (const entries of [128, 0]) {
  const what = entries === 0 ? "a table" : "a listpack";

  Deno.test(`a snapshot is in version 12 while a field of ${what} expires, else in version 10`, () => {
    const s = testServer({ nowMs: NOW });
    s.keyspace.limits.hashMaxListpackEntries = entries;
    s.run("HSET", "h", "a", "1", "b", "2");
    const version = () => {
      const snapshot = new TestSnapshot(s, true);
      while (!snapshot.step());
      const header = headerOf(snapshot.bytes());
      assertEquals(header, headerOf(saveToBytes(s.keyspace)));
      return [header, payloadVersion(s.run("DUMP", "h"))];
    };
    assertEquals(version(), ["REDIS0010", 10]);
    s.run("HEXPIRE", "h", 10, "FIELDS", 1, "a");
    assertEquals(version(), ["REDIS0012", 12]);
    s.run("SELECT", 3);
    s.run("SET", "k", "v");
    assertEquals(payloadVersion(s.run("DUMP", "k")), 10);
    s.run("SELECT", 0);
    s.run("HPERSIST", "h", "FIELDS", 1, "a");
    assertEquals(version(), ["REDIS0010", 10]);
    const other = testServer({ nowMs: NOW });
    loadBytes(other.keyspace, saveToBytes(s.keyspace));
    assertEquals(other.run("HGETALL", "h"), s.run("HGETALL", "h"));
  });

  Deno.test(`fields of ${what} that are over are loaded hidden, and their end enters the stream`, () => {
    const s = testServer({ nowMs: NOW });
    s.keyspace.limits.hashMaxListpackEntries = entries;
    s.run("HSET", "h", "a", "1", "b", "2");
    s.run("HPEXPIRE", "h", 10, "FIELDS", 1, "a");
    s.run("HPEXPIRE", "h", 20, "FIELDS", 1, "b");
    const later = testServer({ nowMs: NOW + 15 });
    later.keyspace.limits.hashMaxListpackEntries = entries;
    loadBytes(later.keyspace, saveToBytes(s.keyspace));
    assertEquals(later.run("HGETALL", "h"), ["b", "2"]);
    later.keyspace.expireMode = EXPIRE_DELETES;
    later.keyspace.refreshTime();
    expireSlice(later.keyspace, 1000, () => 0);
    assertEquals(later.propagated(), ["SELECT 0", "HDEL h a"]);
    assertEquals(later.run("HLEN", "h"), 1);
  });
}

Deno.test("a listpack with times has the bytes that Redis 7.4 gives it", () => {
  const file = corpusBytes("redis-7.4.1/hash-ttl");
  const s = testServer({ nowMs: CORPUS_NOW_MS });
  loadBytes(s.keyspace, file);
  s.run("CONFIG", "SET", "rdbcompression", "no");
  for (const key of ["ht:lp", "ht:all", "ht:keyttl"]) {
    const payload = latin1(s.run("DUMP", key) as string);
    const inFile = toLatin1(file, 0, file.length).indexOf(key) + key.length;
    assertEquals(timeAndListpack(payload, 1), timeAndListpack(file, inFile), key);
  }
});

/** The earliest time and the listpack that lie in a snapshot or payload. */
function timeAndListpack(bytes: Uint8Array, at: number): [number, string] {
  const reader = RdbReader.fromBytes(bytes, at, bytes.length - at);
  const firstMs = reader.readMillis();
  reader.readString();
  return [firstMs, toLatin1(reader.strBuf, reader.strOff, reader.strLen)];
}

/** A snapshot with one key `h` of this type, whose value `write` writes. */
function snapshotOf(magic: string, type: number, write: (out: RdbEncoder) => void): Uint8Array {
  const collector = new ChunkCollector();
  const out = new RdbEncoder(collector.sink, { checksum: false });
  const header = latin1(magic);
  out.writeBytes(header, 0, header.length);
  out.writeByte(type);
  writeText(out, "h");
  write(out);
  out.writeEof();
  return collector.take();
}

function writeText(out: RdbEncoder, text: string): void {
  const bytes = latin1(text);
  out.writeString(bytes, 0, bytes.length);
}

function writeListpack(out: RdbEncoder, items: readonly (string | number)[]): void {
  const bytes = new Uint8Array(4096);
  lpNew(bytes, 0);
  for (const item of items) {
    if (typeof item === "number") lpAppendInteger(bytes, 0, bytes.length, item);
    else lpAppend(bytes, 0, bytes.length, latin1(item), 0, item.length);
  }
  out.writeString(bytes, 0, lpBytes(bytes, 0));
}

function loaded(bytes: Uint8Array, entries = 128): TestServer {
  const s = testServer({ nowMs: NOW });
  s.keyspace.limits.hashMaxListpackEntries = entries;
  loadBytes(s.keyspace, bytes, { checksum: false });
  return s;
}

const TIMES = ["HPEXPIRETIME", "h", "FIELDS", 3, "a", "b", "c"];

const TRIPLES = ["b", 2, NOW + 5, "a", "1", NOW + 9, "c", "3", 0];

const READ: Record<string, Uint8Array> = {
  "type 25": snapshotOf("REDIS0012", format.TYPE_HASH_LISTPACK_EX, (out) => {
    out.writeMillis(NOW + 5);
    writeListpack(out, TRIPLES);
  }),
  "type 23": snapshotOf(
    "REDIS0012",
    format.TYPE_HASH_LISTPACK_EX_PRE_GA,
    (out) => writeListpack(out, TRIPLES),
  ),
  "type 24": snapshotOf("REDIS0012", format.TYPE_HASH_METADATA, (out) => {
    out.writeMillis(NOW + 5);
    out.writeLength(3);
    for (const [ttl, field, value] of [[0, "c", "3"], [5, "a", "1"], [1, "b", "2"]] as const) {
      out.writeLength(ttl);
      writeText(out, field);
      writeText(out, value);
    }
  }),
  "type 22": snapshotOf("REDIS0012", format.TYPE_HASH_METADATA_PRE_GA, (out) => {
    out.writeLength(3);
    for (const [time, field, value] of [[0, "c", "3"], [NOW + 9, "a", "1"], [NOW + 5, "b", "2"]]) {
      out.writeLength(time as number);
      writeText(out, field as string);
      writeText(out, value as string);
    }
  }),
  "type 22 of Valkey": snapshotOf("VALKEY080", format.TYPE_HASH_METADATA_PRE_GA, (out) => {
    out.writeLength(3);
    for (const [field, value, time] of [["c", "3", -1], ["a", "1", NOW + 9], ["b", "2", NOW + 5]]) {
      writeText(out, field as string);
      writeText(out, value as string);
      if (time === -1) { for (let i = 0; i < 8; i++) out.writeByte(255); }
      else out.writeMillis(time as number);
    }
  }),
};

for (const [name, bytes] of Object.entries(READ)) {
  for (const entries of [128, 2]) {
    Deno.test(`${name} is loaded with times, up to ${entries} fields in a listpack`, () => {
      const s = loaded(bytes, entries);
      const encoding = entries > 2 ? "listpackex" : "hashtable";
      assertEquals(s.run("OBJECT", "ENCODING", "h"), encoding);
      assertEquals(s.run("HMGET", "h", "a", "b", "c"), ["1", "2", "3"]);
      assertEquals(s.run(...TIMES), [NOW + 9, NOW + 5, -1]);
      assertEquals(s.keyspace.databases[0].expiringHashCount, 1);
      const saved = loaded(saveToBytes(s.keyspace), entries);
      assertEquals(saved.run(...TIMES), [NOW + 9, NOW + 5, -1]);
      s.clock.nowMs += 6;
      s.keyspace.refreshTime();
      expireSlice(s.keyspace, 1000, () => 0);
      assertEquals(s.run("HLEN", "h"), 2);
      assertEquals(s.run(...TIMES), [NOW + 9, -2, -1]);
    });
  }
}

const listpackOf = (...items: (string | number)[]) =>
  snapshotOf("REDIS0012", format.TYPE_HASH_LISTPACK_EX, (out) => {
    out.writeMillis(NOW);
    writeListpack(out, items);
  });

const REFUSED: readonly (readonly [what: string, bytes: Uint8Array, message: RegExp])[] = [
  ["a field without a time", listpackOf("a", "1"), /without value or expiry/],
  ["a time that is no number", listpackOf("a", "1", "soon"), /is not a number/],
  ["a time before 1970", listpackOf("a", "1", -5), /out of range/],
  ["a time beyond 48 bits", listpackOf("a", "1", 2 ** 48), /out of range/],
  [
    "a listpack that is not in the order of its times",
    listpackOf("a", "1", NOW + 9, "b", "2", NOW + 5),
    /not in the order/,
  ],
  ["a time behind none", listpackOf("a", "1", 0, "b", "2", NOW + 5), /not in the order/],
  ["a field twice", listpackOf("a", "1", NOW, "a", "2", 0), /is there twice/],
  [
    "a time beyond 48 bits, counted from the earliest",
    snapshotOf("REDIS0012", format.TYPE_HASH_METADATA, (out) => {
      out.writeMillis(2 ** 48 - 2);
      out.writeLength(1);
      out.writeLength(2);
      writeText(out, "a");
      writeText(out, "1");
    }),
    /out of range/,
  ],
  [
    "an earliest time below zero",
    snapshotOf("REDIS0012", format.TYPE_HASH_METADATA, (out) => {
      for (let i = 0; i < 8; i++) out.writeByte(255);
      out.writeLength(1);
      out.writeLength(1);
      writeText(out, "a");
      writeText(out, "1");
    }),
    /out of range/,
  ],
  ["a version of Valkey to come", snapshotOf("VALKEY081", 0, () => {}), /RDB format version 81/],
  ["a version between", snapshotOf("REDIS0016", 0, () => {}), /RDB format version 16/],
];

for (const [what, bytes, message] of REFUSED) {
  Deno.test(`${what} is refused`, () => {
    const error = assertThrows(() => loaded(bytes), RdbError);
    assert(message.test(error.message), error.message);
  });
}

Deno.test("RESTORE takes a payload of Valkey 9 with times", () => {
  const collector = new ChunkCollector();
  const out = new RdbEncoder(collector.sink);
  out.writeByte(format.TYPE_HASH_METADATA_PRE_GA);
  out.writeLength(1);
  writeText(out, "a");
  writeText(out, "1");
  out.writeMillis(NOW + 9);
  out.writeDumpFooter(format.RDB_VERSION_VALKEY);
  const s = testServer({ nowMs: NOW });
  const payload = toLatin1(collector.take());
  assertEquals(s.run("RESTORE", "h", 0, payload), "OK");
  assertEquals(s.run("HPTTL", "h", "FIELDS", 1, "a"), [9]);
});

Deno.test("DUMP in steps has the times of the moment it was begun, whatever is changed meanwhile", () => {
  const names = Array.from({ length: 3000 }, (_, i) => `f${i}`);
  const s = testServer({ nowMs: NOW });
  s.run("HSET", "h", ...names.flatMap((name) => [name, `value of ${name}`]));
  for (let i = 0; i < 2000; i++) {
    s.run("HPEXPIREAT", "h", NOW + 5000 + (i * 7) % 977, "FIELDS", 1, `f${i}`);
  }
  const times = s.run("HPEXPIRETIME", "h", "FIELDS", 3000, ...names);
  const database = s.keyspace.databases[0];
  const dump = PayloadDump.begin(database, database.findOrExpire(latin1("h"), 0, 1), {
    compress: true,
    version: null,
  })!;
  for (let i = 0; !dump.step(); i++) {
    s.run("HPEXPIREAT", "h", NOW + 1000 + i, "FIELDS", 3, `f${i}`, `f${2999 - i}`, `f${1500 + i}`);
    s.run("HPERSIST", "h", "FIELDS", 1, `f${i * 2}`);
    s.run("HSET", "h", `f${i * 3}`, "other");
    s.run("HDEL", "h", `f${i + 700}`);
  }
  const payload = dump.chunks.map((chunk, i) => toLatin1(chunk, 0, dump.lengths[i])).join("");
  const other = testServer({ nowMs: NOW });
  const load = new PayloadLoad(latin1(payload), 0, payload.length, NO_LEAVE, other.keyspace.limits);
  load.run();
  assertEquals([load.isWhole, load.problem], [true, null]);
  load.values.place(
    other.keyspace.databases[0],
    latin1("h"),
    0,
    1,
    hashBytes(latin1("h"), 0, 1),
    NaN,
  );
  assertEquals(other.run("HPEXPIRETIME", "h", "FIELDS", 3000, ...names), times);
  assertEquals(other.run("HGET", "h", "f3"), "value of f3");
  assertEquals(other.keyspace.databases[0].expiringHashCount, 1);
});
