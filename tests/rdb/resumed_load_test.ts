/**
 * A load that is broken off at any place and goes on there: bytes that come one by one or in draws, the
 * clock that is up after every piece, windows hardly larger than a score. Whatever the cuts, the content
 * is the same, and so is the error of a damaged snapshot.
 */

import { assert, assertEquals } from "@std/assert";
import { ENC_HASHTABLE, ENC_SKIPLIST, TYPE_HASH } from "../../src/arena/record.ts";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { writeInteger } from "../../src/base/integers.ts";
import { HashView } from "../../src/keyspace/hash.ts";
import { datasetDigest } from "../../src/rdb/digest.ts";
import * as format from "../../src/rdb/format.ts";
import { RdbLoader } from "../../src/rdb/loader.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { type GrowingSource, RdbReader } from "../../src/rdb/reader.ts";
import { ChunkCollector, RdbEncoder } from "../../src/rdb/writer.ts";
import { lpAppend, lpAppendInteger, lpBytes, lpNew } from "../../src/values/listpack.ts";
import { Random } from "../support/random.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { corpusBytes, corpusNames } from "./corpus.ts";
import { CORPUS_NOW_MS, loadBytes, saveToBytes } from "./datasets.ts";

/** Bytes of which some have come. */
class Trickle implements GrowingSource {
  come = 0;
  #at = 0;

  constructor(readonly bytes: Uint8Array, readonly knowsSize: boolean) {}

  get isComplete(): boolean {
    return this.come >= this.bytes.length;
  }

  fill(buf: Uint8Array, off: number): number {
    const come = Math.min(this.come, this.bytes.length);
    const count = Math.min(buf.length - off, come - this.#at);
    buf.set(this.bytes.subarray(this.#at, this.#at + count), off);
    this.#at += count;
    return count;
  }

  remaining(): number {
    return this.knowsSize || this.isComplete ? this.bytes.length - this.#at : Infinity;
  }
}

/** Loads in steps of a single piece, giving `grant()` bytes more each time they run out. */
function loadInPieces(
  server: TestServer,
  bytes: Uint8Array,
  grant: () => number,
  knowsSize = true,
  windowBytes = 256,
): RdbLoader {
  const source = new Trickle(bytes, knowsSize);
  const reader = RdbReader.fromGrowing(source, 512 << 20, { windowBytes });
  const loader = new RdbLoader(server.keyspace, reader, { dropsExpired: true });
  while (!loader.step(0, () => 1)) if (loader.isStarved) source.come += grant();
  return loader;
}

/** When fields of hashes expire, which a digest does not tell. */
function fieldTimes({ keyspace }: TestServer): string[] {
  const lines: string[] = [];
  const view = new HashView();
  for (const database of keyspace.databases) {
    database.table.forEach((ref) => {
      if (database.typeOf(ref) !== TYPE_HASH) return;
      view.open(database, ref);
      view.forEachStored((field, at, length, _value, _at, _length, timeMs) => {
        if (timeMs === timeMs) lines.push(`${toLatin1(field, at, length)} ${timeMs}`);
      });
    });
  }
  return lines.sort();
}

/** What loading comes to: the digest and what was counted, or the error. */
function outcome(load: (server: TestServer) => RdbLoader): unknown[] {
  const server = testServer({ nowMs: CORPUS_NOW_MS });
  try {
    const loader = load(server);
    const { keysLoaded, keysExpired, keysEmpty, librariesLoaded } = loader;
    return [
      datasetDigest(server.keyspace),
      keysLoaded,
      keysExpired,
      keysEmpty,
      librariesLoaded,
      fieldTimes(server),
    ];
  } catch (error) {
    if (!(error instanceof RdbError)) throw error;
    // Of what is not there, somebody who has not seen the rest yet says other words.
    return error.kind === "truncated" ? [error.kind] : [error.kind, error.message];
  }
}

for (const name of [...corpusNames(), ...corpusNames(true)]) {
  Deno.test(`${name} is loaded the same whatever it is cut into`, () => {
    const bytes = corpusBytes(name);
    const whole = outcome((server) => loadBytes(server.keyspace, bytes));
    const random = new Random(bytes.length);
    const draws = [() => 1 + random.below(30), () => 1 + random.below(5000), () => bytes.length];
    // One byte at a time takes as many tries as there are bytes.
    if (bytes.length < 100_000) draws.unshift(() => 1);
    for (const grant of draws) {
      for (const knowsSize of [true, false]) {
        const cut = outcome((server) => loadInPieces(server, bytes, grant, knowsSize));
        assertEquals(cut, whole);
      }
    }
  });
}

Deno.test("a snapshot that ends at any byte is truncated, also for a load in pieces", () => {
  const server = testServer({ nowMs: CORPUS_NOW_MS });
  server.run("SET", "text", "x".repeat(300));
  server.run("RPUSH", "list", "a", "y".repeat(200), "1");
  server.run("HSET", "hash", "f", "v", "g".repeat(200), "z".repeat(300));
  server.run("SADD", "members", "a", "b", "c".repeat(150));
  server.run("ZADD", "zset", 1.5, "m", 2, "n".repeat(170));
  const bytes = saveToBytes(server.keyspace);
  const random = new Random(1);
  for (let length = 0; length < bytes.length; length++) {
    const cut = bytes.subarray(0, length);
    for (const knowsSize of [true, false]) {
      const [kind] = outcome((s) => loadInPieces(s, cut, () => 1 + random.below(9), knowsSize));
      assertEquals(kind, "truncated", `cut at ${length}`);
    }
  }
});

/** A snapshot of one key that `write` writes, type byte and value. */
function snapshotOf(write: (out: RdbEncoder) => void, compress = false): Uint8Array {
  const collector = new ChunkCollector();
  const out = new RdbEncoder(collector.sink, { compress });
  out.writeHeader(format.RDB_VERSION);
  write(out);
  out.writeEof(format.RDB_VERSION);
  return collector.take();
}

function writeText(out: RdbEncoder, text: string): void {
  out.writeString(latin1(text), 0, text.length);
}

/** A listpack with these entries. */
function listpack(entries: (string | number)[]): Uint8Array {
  const bytes = new Uint8Array(16 + entries.length * 24);
  lpNew(bytes, 0);
  for (const entry of entries) {
    const end = typeof entry === "number"
      ? lpAppendInteger(bytes, 0, bytes.length, entry)
      : lpAppend(bytes, 0, bytes.length, latin1(entry), 0, entry.length);
    assert(end > 0);
  }
  return bytes.subarray(0, lpBytes(bytes, 0));
}

/** An intset of 0, 3, 6 …, with members of four bytes. */
function intset(count: number): Uint8Array {
  const bytes = new Uint8Array(8 + 4 * count);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 4, true);
  view.setUint32(4, count, true);
  for (let i = 0; i < count; i++) view.setInt32(8 + 4 * i, i * 3, true);
  return bytes;
}

const MANY = 20_000;
const numbers = Array.from({ length: MANY }, (_, i) => i);

/** Values that take many pieces: how they are written, and what commands then answer. */
const large: [name: string, write: (out: RdbEncoder) => void, ask: string[], answer: unknown][] = [
  [
    "a set of strings",
    (out) => {
      out.writeByte(format.TYPE_SET);
      writeText(out, "k");
      out.writeLength(MANY);
      for (const i of numbers) writeText(out, `member ${i}`);
    },
    ["SCARD", "k"],
    MANY,
  ],
  [
    "a set in an intset",
    (out) => {
      out.writeByte(format.TYPE_SET_INTSET);
      writeText(out, "k");
      const bytes = intset(MANY);
      out.writeString(bytes, 0, bytes.length);
    },
    ["SCARD", "k"],
    MANY,
  ],
  [
    "a set in a listpack",
    (out) => {
      out.writeByte(format.TYPE_SET_LISTPACK);
      writeText(out, "k");
      const bytes = listpack(numbers);
      out.writeString(bytes, 0, bytes.length);
    },
    ["SCARD", "k"],
    MANY,
  ],
  [
    "a hash of strings",
    (out) => {
      out.writeByte(format.TYPE_HASH);
      writeText(out, "k");
      out.writeLength(MANY);
      for (const i of numbers) {
        writeText(out, `field ${i}`);
        writeText(out, i === 77 ? "long ".repeat(40_000) : `value ${i}`);
      }
    },
    ["HLEN", "k"],
    MANY,
  ],
  [
    "a hash in a listpack",
    (out) => {
      out.writeByte(format.TYPE_HASH_LISTPACK);
      writeText(out, "k");
      const bytes = listpack(numbers.flatMap((i) => [`f${i}`, i]));
      out.writeString(bytes, 0, bytes.length);
    },
    ["HGET", "k", "f777"],
    "777",
  ],
  [
    "a hash with expiries in a listpack",
    (out) => {
      out.writeByte(format.TYPE_HASH_LISTPACK_EX);
      writeText(out, "k");
      out.writeMillis(0);
      const bytes = listpack(numbers.flatMap((i) => [`f${i}`, i, 0]));
      out.writeString(bytes, 0, bytes.length);
    },
    ["HGET", "k", "f777"],
    "777",
  ],
  [
    "a sorted set",
    (out) => {
      out.writeByte(format.TYPE_ZSET_2);
      writeText(out, "k");
      out.writeLength(MANY);
      for (const i of numbers) {
        writeText(out, `member ${i * 7919 % MANY}`);
        out.writeBinaryDouble(i * 7919 % MANY);
      }
    },
    ["ZRANK", "k", "member 777"],
    777,
  ],
  [
    "a sorted set in a listpack",
    (out) => {
      out.writeByte(format.TYPE_ZSET_LISTPACK);
      writeText(out, "k");
      const bytes = listpack(numbers.flatMap((i) => [`m${i}`, i]));
      out.writeString(bytes, 0, bytes.length);
    },
    ["ZRANK", "k", "m777"],
    777,
  ],
  [
    "a list of strings",
    (out) => {
      out.writeByte(format.TYPE_LIST);
      writeText(out, "k");
      out.writeLength(MANY);
      for (const i of numbers) writeText(out, `element ${i}`);
    },
    ["LINDEX", "k", "777"],
    "element 777",
  ],
  [
    "a list of long plain nodes",
    (out) => {
      out.writeByte(format.TYPE_LIST_QUICKLIST_2);
      writeText(out, "k");
      out.writeLength(3);
      for (let i = 0; i < 3; i++) {
        out.writeLength(format.QUICKLIST_NODE_PLAIN);
        writeText(out, `${i}`.repeat(1_500_000));
      }
    },
    ["LLEN", "k"],
    3,
  ],
  [
    "a list of long packed nodes",
    (out) => {
      out.writeByte(format.TYPE_LIST_QUICKLIST_2);
      writeText(out, "k");
      out.writeLength(2);
      for (let i = 0; i < 2; i++) {
        out.writeLength(format.QUICKLIST_NODE_PACKED);
        const bytes = listpack(numbers.slice(i * 500));
        out.writeString(bytes, 0, bytes.length);
      }
    },
    ["LINDEX", "k", "-1"],
    "19999",
  ],
  [
    "a long string",
    (out) => {
      out.writeByte(format.TYPE_STRING);
      writeText(out, "k");
      writeText(out, "0123456789".repeat(350_000));
    },
    ["GETRANGE", "k", "3499990", "-1"],
    "0123456789",
  ],
];

for (const [name, write, ask, answer] of large) {
  Deno.test(`${name}: a large value is loaded in pieces, from memory and as its bytes come`, () => {
    const random = new Random(3);
    for (const compress of [false, true]) {
      const bytes = snapshotOf(write, compress);
      const whole = testServer();
      loadBytes(whole.keyspace, bytes);
      assertEquals(whole.run(...ask), answer);
      const digest = datasetDigest(whole.keyspace);
      for (const windowBytes of [256, 1 << 20]) {
        const server = testServer();
        const grant = () => 1 + random.below(100_000);
        loadInPieces(server, bytes, grant, windowBytes === 256, windowBytes);
        assertEquals(datasetDigest(server.keyspace), digest);
        const other = testServer();
        loadBytes(other.keyspace, saveToBytes(server.keyspace));
        assertEquals(datasetDigest(other.keyspace), digest);
      }
    }
  });
}

Deno.test("a step reads no more than a piece of a large value", () => {
  for (const [name, write] of large) {
    const bytes = snapshotOf(write);
    const reader = RdbReader.fromBytes(bytes);
    const loader = new RdbLoader(testServer().keyspace, reader, { dropsExpired: true });
    let steps = 1;
    while (!loader.step(0, () => 1)) steps++;
    assert(steps >= 2, `${name}: ${steps} steps`);
  }
});

Deno.test("damaged packed values are refused also where they are gone through in pieces", () => {
  const good = listpack(numbers.flatMap((i) => [`m${i}`, i]));
  const cases: [rdbType: number, bytes: Uint8Array, message: string][] = [];
  for (
    const rdbType of [
      format.TYPE_SET_LISTPACK,
      format.TYPE_HASH_LISTPACK,
      format.TYPE_ZSET_LISTPACK,
    ]
  ) {
    const unsound = good.slice();
    unsound.fill(0xff, 100_000, 100_008);
    cases.push([rdbType, unsound, "listpack integrity check failed"]);
    const total = good.slice();
    total[0]++;
    cases.push([rdbType, total, "wrong total size"]);
    cases.push([
      rdbType,
      listpack(["a", 1, ...numbers.flatMap((i) => [`m${i}`, i]), "a", 2]),
      "twice",
    ]);
  }
  cases.push([
    format.TYPE_HASH_LISTPACK,
    listpack([...numbers.flatMap((i) => [`m${i}`, i]), "alone"]),
    "a field without a value",
  ]);
  const descending = intset(MANY);
  descending.set(descending.subarray(0, 4), 8 + 4 * 10_000);
  cases.push([format.TYPE_SET_INTSET, descending, "Intset integrity check failed"]);
  const short = intset(MANY);
  cases.push([format.TYPE_SET_INTSET, short.subarray(0, short.length - 4), "wrong total size"]);
  for (const [rdbType, bytes, message] of cases) {
    const [kind, text] = outcome((server) =>
      loadBytes(
        server.keyspace,
        snapshotOf((out) => {
          out.writeByte(rdbType);
          writeText(out, "k");
          out.writeString(bytes, 0, bytes.length);
        }),
      )
    );
    assertEquals(kind, "corrupt", message);
    assert((text as string).includes(message), `${text}: not "${message}"`);
  }
});

Deno.test("packed values that are too large for a record take their other encoding", () => {
  const server = testServer();
  Object.assign(server.keyspace.limits, {
    hashMaxListpackEntries: 1e6,
    zsetMaxListpackEntries: 1e6,
    setMaxIntsetEntries: 1e6,
    setMaxListpackEntries: 1e6,
  });
  for (
    const [rdbType, bytes, encoding] of [
      [format.TYPE_HASH_LISTPACK, listpack(numbers.flatMap((i) => [`m${i}`, i])), ENC_HASHTABLE],
      [format.TYPE_ZSET_LISTPACK, listpack(numbers.flatMap((i) => [`m${i}`, i])), ENC_SKIPLIST],
      [format.TYPE_SET_INTSET, intset(MANY), ENC_HASHTABLE],
    ] as const
  ) {
    const key = new Uint8Array(4);
    const length = writeInteger(key, 0, rdbType);
    loadBytes(
      server.keyspace,
      snapshotOf((out) => {
        out.writeByte(rdbType);
        out.writeString(key, 0, length);
        out.writeString(bytes, 0, bytes.length);
      }),
    );
    const database = server.keyspace.databases[0];
    const ref = database.findOrExpire(key, 0, length);
    assertEquals(database.encodingOf(ref), encoding);
  }
});
