/** Snapshots and payloads in each version that can be written: what is in them, what is refused, what is left out. */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { datasetDigest } from "../../src/rdb/digest.ts";
import * as format from "../../src/rdb/format.ts";
import { ZiplistCursor } from "../../src/rdb/legacy.ts";
import {
  writeEntries,
  writeListpack,
  writeZiplist,
  writeZiplistOf,
} from "../../src/rdb/packed_writer.ts";
import { RdbReader } from "../../src/rdb/reader.ts";
import { ACCESS_FREQUENCY, ACCESS_IDLE } from "../../src/rdb/save_dataset.ts";
import { ChunkCollector, RdbEncoder } from "../../src/rdb/writer.ts";
import { firstUnheld, fullVersion, replicaVersion } from "../../src/rdb/versions.ts";
import { lpAppend, lpEnd, lpEntry, lpGet, lpNew, lpSize } from "../../src/values/listpack.ts";
import { eventually } from "../support/eventually.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { corpusBytes, corpusNames } from "./corpus.ts";
import { CORPUS_NOW_MS, loadBytes, readDataset, saveToBytes } from "./datasets.ts";
import { TestSnapshot } from "./test_snapshot.ts";
import { SAMPLE_EXPIRY_MS, SAMPLE_NOW_MS, sampleServer, VERSIONS } from "./version_samples.ts";
import { walk } from "./walker.ts";

/** What the servers of each version know beside value types. */
const OPCODES: readonly (readonly [version: number, opcode: number])[] = [
  [6, format.OPCODE_EOF],
  [6, format.OPCODE_SELECTDB],
  [6, format.OPCODE_EXPIRETIME_MS],
  [7, format.OPCODE_AUX],
  [7, format.OPCODE_RESIZEDB],
  [9, format.OPCODE_IDLE],
  [9, format.OPCODE_FREQ],
  [10, format.OPCODE_FUNCTION_2],
];

/** The first version that each value type is known in, as Redis's history has it. */
const TYPES: Readonly<Record<number, readonly number[]>> = {
  6: [0, 1, 2, 3, 4, 9, 10, 11, 12, 13],
  7: [14],
  8: [5],
  9: [15],
  10: [16, 17, 18, 19],
  11: [20, 21],
  12: [24, 25],
};

/** The codes in `counts`, whose keys begin with them. */
function codes(counts: Record<string, number>): number[] {
  return Object.keys(counts).map((name) => parseInt(name)).sort((a, b) => a - b);
}

function loaded(bytes: Uint8Array): TestServer {
  const s = testServer({ nowMs: SAMPLE_NOW_MS });
  loadBytes(s.keyspace, bytes);
  return s;
}

/** The dataset but for what the version has no place for: counters of streams, when consumers were active. */
function comparable(s: TestServer, version: number): unknown {
  const untold = version < 11 ? ["active_ms"] : [];
  if (version < 10) {
    untold.push("max_deleted_id", "entries_added", "first_id", "entries_read", "lag");
  }
  const text = JSON.stringify(readDataset(s), (name, value) => {
    if (untold.includes(name)) return undefined;
    return typeof value === "bigint" ? String(value) : value;
  });
  return JSON.parse(text);
}

for (const version of VERSIONS) {
  Deno.test(`version ${version} has opcodes and types that it knows, and all of its own`, () => {
    const { keyspace } = sampleServer(version);
    const knownOpcodes = OPCODES.filter(([first]) => first <= version).map(([, opcode]) => opcode);
    const knownTypes = Object.entries(TYPES).flatMap(([first, types]) =>
      Number(first) <= version ? types : []
    );
    for (const access of [ACCESS_IDLE, ACCESS_FREQUENCY]) {
      const bytes = saveToBytes(keyspace, { version }, access);
      const { opcodes, valueTypes, rdbVersion, lengthEncodings } = walk(
        RdbReader.fromBytes(bytes),
        bytes,
      );
      assertEquals(rdbVersion, version);
      const other = access === ACCESS_IDLE ? format.OPCODE_FREQ : format.OPCODE_IDLE;
      assertEquals(
        codes(opcodes),
        knownOpcodes.filter((code) => code !== other).sort((a, b) => a - b),
      );
      for (const type of codes(valueTypes)) assert(knownTypes.includes(type), `type ${type}`);
      // The newest form of each kind is made use of.
      for (const type of TYPES[version] ?? []) {
        if (type !== 9) assert(codes(valueTypes).includes(type), `no value of type ${type}`);
      }
      if (version < 8) assertEquals(lengthEncodings["64bit"], undefined);
    }
  });

  for (const compress of [true, false]) {
    Deno.test(`version ${version} (rdbcompression ${compress}) reads back as what it was`, () => {
      const s = sampleServer(version);
      const back = loaded(saveToBytes(s.keyspace, { version, compress }));
      assertEquals(datasetDigest(back.keyspace), datasetDigest(s.keyspace));
      assertEquals(comparable(back, version), comparable(s, version));
      const walked = new TestSnapshot(s, compress, version);
      while (!walked.step());
      const again = loaded(walked.bytes());
      assertEquals(datasetDigest(again.keyspace), datasetDigest(s.keyspace));
      assertEquals(comparable(again, version), comparable(s, version));
    });
  }

  Deno.test(`version ${version}: a snapshot between changes is of the moment it was begun`, () => {
    for (const stepsBefore of [0, 1, 4, 30]) {
      const s = sampleServer(version);
      const digest = datasetDigest(s.keyspace);
      const snapshot = new TestSnapshot(s, true, version);
      for (let i = 0; i < stepsBefore; i++) snapshot.step();
      changeAll(s);
      for (let i = 0; i < 20; i++) snapshot.step();
      changeAll(s);
      assert(datasetDigest(s.keyspace) !== digest);
      while (!snapshot.step());
      assertEquals(
        datasetDigest(loaded(snapshot.bytes()).keyspace),
        digest,
        `after ${stepsBefore}`,
      );
    }
  });

  Deno.test(`version ${version}: DUMP follows, and RESTORE takes it back`, () => {
    const s = sampleServer(version);
    assertEquals(s.run("CONFIG", "SET", "rdb-version", version), "OK");
    for (const key of s.run("KEYS", "*") as string[]) {
      for (const payload of payloadsOf(s, key)) {
        const footer = payload.charCodeAt(payload.length - 10);
        assertEquals([footer, payload.charCodeAt(payload.length - 9)], [version, 0]);
        const back = testServer({ nowMs: SAMPLE_NOW_MS });
        const ttlMs = Math.max(0, s.run("PTTL", key) as number);
        assertEquals(back.run("RESTORE", key, ttlMs, payload), "OK");
        assertEquals(back.run("DEBUG", "DIGEST-VALUE", key), s.run("DEBUG", "DIGEST-VALUE", key));
      }
    }
  });
}

/** Payloads of a key, made at once. */
function payloadsOf(s: TestServer, key: string): string[] {
  s.run("MULTI");
  s.run("DUMP", key);
  return s.run("EXEC") as string[];
}

/** Changes every key of the first database, and parts of each large value. */
function changeAll(s: TestServer): void {
  for (const key of s.run("KEYS", "*") as string[]) {
    switch (s.run("TYPE", key)) {
      case "string":
        s.run("APPEND", key, "!");
        break;
      case "list":
        s.run("LPUSH", key, 77, "new");
        s.run("RPOP", key);
        s.run("LSET", key, -1, "set");
        break;
      case "set":
        s.run("SPOP", key, 2);
        s.run("SADD", key, "new", 99);
        break;
      case "zset":
        s.run("ZINCRBY", key, 1.5, "new");
        s.run("ZPOPMAX", key);
        break;
      case "hash":
        s.run("HSET", key, "new", "field", "field 5", "other");
        s.run("HDEL", key, "field 7");
        break;
      default:
        s.run("XTRIM", key, "MAXLEN", 2);
        s.run("XGROUP", "CREATE", key, "new", 0);
    }
  }
}

Deno.test("the first version of each type is told as Redis's history has it", () => {
  for (const [version, types] of Object.entries(TYPES)) {
    for (const type of types) assertEquals(format.versionOfType(type), Number(version), `${type}`);
  }
});

// -- ziplists ----------------------------------------------------------------------------

/** What a ziplist holds that `write` has written as a string. */
function ziplistOf(write: (out: RdbEncoder) => void, compress = false): (string | bigint)[] {
  const collector = new ChunkCollector();
  const out = new RdbEncoder(collector.sink, { version: 9, compress, chunkBytes: 100 });
  write(out);
  out.flush();
  const reader = RdbReader.fromBytes(collector.take());
  reader.readString();
  const cursor = new ZiplistCursor();
  cursor.open(reader.strBuf, reader.strOff, reader.strLen, 0);
  const found: (string | bigint)[] = [];
  while (cursor.next()) {
    found.push(cursor.isInt ? cursor.wideInt() : toLatin1(cursor.buf, cursor.off, cursor.len));
  }
  return found;
}

function listpackOf(words: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(words.reduce((sum, word) => sum + word.length + 15, 16));
  lpNew(bytes, 0);
  for (const word of words) {
    assert(lpAppend(bytes, 0, bytes.length, latin1(word), 0, word.length) > 0);
  }
  return bytes;
}

Deno.test("a ziplist has the elements of the listpack, integers as integers, next to entries of any length", () => {
  const edges = [
    0n,
    12n,
    13n,
    127n,
    128n,
    32767n,
    32768n,
    8388607n,
    8388608n,
    2147483647n,
    2147483648n,
  ];
  const integers = edges.flatMap((n) => [n, -n - 1n]).concat(
    2n ** 63n - 1n,
    -(2n ** 63n),
    2n ** 53n + 1n,
  );
  const texts = [
    0,
    1,
    63,
    64,
    100,
    245,
    246,
    247,
    248,
    249,
    250,
    251,
    252,
    253,
    254,
    300,
    16383,
    16384,
    70_000,
  ]
    .map((length) => "t".repeat(length));
  const all = texts.flatMap((text, i) => [text, integers[i % integers.length], text])
    .concat(integers, "9223372036854775808", "007", "+1", "-0");
  const bytes = listpackOf(all.map(String));
  for (const compress of [true, false]) {
    assertEquals(ziplistOf((out) => writeListpack(out, bytes, 0), compress), all);
  }
});

Deno.test("a ziplist of more entries than its head can count is whole", () => {
  const words = Array.from({ length: 65_534 }, (_, i) => String(i % 300));
  for (const extra of [0, 1, 2, 5000]) {
    const all = words.concat(Array.from({ length: extra }, (_, i) => `word ${i}`));
    // Appending to a listpack reads all of it where there are so many: its entries are written apart.
    const single = listpackOf(["w"]);
    const size = lpSize(single, 6);
    const bytes = new Uint8Array(size * all.length);
    for (let i = 0; i < all.length; i++) bytes.set(single.subarray(6, 6 + size), i * size);
    const found = ziplistOf((out) => writeZiplist(out, bytes, 0, bytes.length, all.length));
    assertEquals([found.length, new Set(found).size], [all.length, 1]);
  }
});

Deno.test("one long element is a ziplist without a copy of it", () => {
  for (const text of ["", "5", "text", "x".repeat(500), "y".repeat(100_000)]) {
    const bytes = latin1(`..${text}.`);
    for (const compress of [true, false]) {
      assertEquals(ziplistOf((out) => writeZiplistOf(out, bytes, 2, text.length), compress), [
        text,
      ]);
    }
  }
});

Deno.test("writing a listpack in any form leaves the entry that a handler is at work with", () => {
  const handlers = listpackOf(["at work", "12"]);
  const bytes = listpackOf(["a", "5", "b"]);
  for (const version of VERSIONS) {
    for (const pos of [6, 6 + lpSize(handlers, 6)]) {
      lpGet(handlers, pos);
      const before = { ...lpEntry };
      const out = new RdbEncoder(() => {}, { version });
      writeListpack(out, bytes, 0);
      assertEquals({ ...lpEntry }, before);
      writeEntries(out, bytes, 6, lpEnd(bytes, 0));
      assertEquals({ ...lpEntry }, before);
    }
  }
});

Deno.test("it leaves that entry also where there is no memory for what is written", () => {
  const handlers = listpackOf(["at work"]);
  const bytes = listpackOf(Array.from({ length: 50 }, (_, i) => `element ${i}`));
  lpGet(handlers, 6);
  const before = { ...lpEntry };
  const refuse = () => {
    throw new RangeError("refused");
  };
  for (
    const write of [
      writeListpack,
      (out: RdbEncoder) => writeEntries(out, bytes, 6, lpEnd(bytes, 0)),
    ]
  ) {
    const out = new RdbEncoder(refuse, { version: 6, chunkBytes: 64 });
    assertThrows(() => write(out, bytes, 0), RangeError, "refused");
    assertEquals({ ...lpEntry }, before);
  }
});

/** Small values, and requests that read an entry and then change it. */
const REQUESTS: readonly [make: readonly string[], requests: readonly string[]][] = [
  [["RPUSH k a 5 b 7"], [
    "LSET k 1 x",
    "LPOP k 2",
    "LINSERT k BEFORE b q",
    "LREM k 0 5",
    "LMOVE k k LEFT RIGHT",
  ]],
  [["SADD k a 5 b 7"], ["SPOP k", "SREM k 5 b", "SADD k z", "SMOVE k other a"]],
  [["ZADD k 1 a 2.5 b 3 5"], ["ZINCRBY k 2 a", "ZPOPMIN k 2", "ZADD k INCR 4 b", "ZREM k 5 a"]],
  [["HSET k f 5 g t"], [
    "HINCRBY k f 3",
    "HINCRBYFLOAT k f 3",
    "HSET k f 9 g n",
    "HGETDEL k FIELDS 2 f g",
  ]],
  [
    ["HSET k f 5 g t", "HPEXPIRE k 9999 FIELDS 1 f", "HPERSIST k FIELDS 1 f"],
    [
      "HINCRBY k f 3",
      "HINCRBYFLOAT k f 3",
      "HSETNX k new v",
      "HPEXPIRE k 500 FIELDS 2 f g",
      "HDEL k f",
    ],
  ],
];

Deno.test("requests do the same to a small value while a snapshot of any version is to write it first", () => {
  for (const [make, requests] of REQUESTS) {
    for (const request of requests) {
      const outcomes = [null, ...VERSIONS].map((version) => {
        const s = testServer({ nowMs: SAMPLE_NOW_MS });
        for (const words of make) s.run(...words.split(" "));
        const snapshot = version === null ? null : new TestSnapshot(s, true, version);
        const reply = s.run(...request.split(" "));
        while (snapshot?.step() === false);
        return [reply, s.run("DEBUG", "DIGEST")];
      });
      for (const outcome of outcomes) assertEquals(outcome, outcomes[0], request);
    }
  }
});

// -- what a version cannot hold ------------------------------------------------------------

const UNHELD: readonly {
  readonly what: string;
  /** The first version that can hold it. */
  readonly since: number;
  readonly make: readonly (readonly (string | number)[])[];
  /** What is said of it. */
  readonly told: string;
  readonly key: string | null;
}[] = [
  {
    what: "a stream",
    since: 9,
    make: [["SELECT", 2], ["XADD", 'a\n"stream"', "1-1", "f", "v"], ["SELECT", 0]],
    told: 'cannot hold the stream "a\\n\\"stream\\"" (database 2)',
    key: 'a\n"stream"',
  },
  {
    what: "fields that expire",
    since: 12,
    make: [
      ["SELECT", 2],
      ["HSET", "h", "f", "v", "g", "w"],
      ["HPEXPIREAT", "h", SAMPLE_EXPIRY_MS, "FIELDS", 1, "f"],
      ["SELECT", 0],
    ],
    told: 'cannot hold the times at which fields of the hash "h" expire (database 2)',
    key: "h",
  },
  {
    what: "functions",
    since: 10,
    make: [["FUNCTION", "LOAD", "#!lua name=mylib\nredis.register_function('f', function() end)"]],
    told: "cannot hold the function library mylib",
    key: null,
  },
];

/** A server with a folder, some keys and one thing that not every version can hold. */
function serverWith(
  make: readonly (readonly (string | number)[])[],
  directives: Record<string, string>,
  work: (s: TestServer, folder: string) => void | Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync();
  const s = testServer({ nowMs: SAMPLE_NOW_MS, folder, directives });
  return (async () => {
    try {
      for (let i = 0; i < 50; i++) s.run("SET", `key:${i}`, i);
      for (const words of make) s.run(...words);
      await work(s, folder);
    } finally {
      s.core.persistence.close();
      Deno.removeSync(folder, { recursive: true });
    }
  })();
}

function saved(folder: string): Uint8Array | null {
  try {
    return Deno.readFileSync(`${folder}/dump.rdb`);
  } catch {
    return null;
  }
}

for (const { what, since, make, told, key } of UNHELD) {
  for (const version of VERSIONS) {
    const title = `rdb-version ${version} with ${what}`;
    const directives = { "rdb-version": String(version) };

    Deno.test(`${title}: SAVE and BGSAVE ${version < since ? "are refused" : "write it"}`, async () => {
      await serverWith(make, directives, async (s, folder) => {
        const { persistence } = s.core;
        if (version >= since) {
          assertEquals(s.run("SAVE"), "OK");
          const back = loaded(saved(folder)!);
          assertEquals(datasetDigest(back.keyspace), datasetDigest(s.keyspace));
          return;
        }
        const error = `ERR RDB version ${version} ${told}, see rdb-version and rdb-version-lossy`;
        assertEquals(s.run("SAVE"), { error });
        assertEquals(s.run("BGSAVE"), { error });
        assertEquals(persistence.isSaving, false);
        assertEquals(persistence.lastSaveOk, false);
        assertEquals(saved(folder), null);
        assert(s.logLines.filter((line) => line.includes(told)).length >= 2);
        assertEquals(s.run("DEBUG", "RELOAD"), {
          error: "ERR Error trying to load the RDB dump, check server logs.",
        });
        assertEquals(await new Promise((resolve) => persistence.saveFinally(resolve)), false);
        assertEquals(persistence.isSaving, false);
        // Once it can be held, all is well again.
        s.run("CONFIG", "SET", "rdb-version", since);
        assertEquals(s.run("BGSAVE"), "Background saving started");
        persistence.abortBackground();
      });
    });

    if (version >= since) continue;

    Deno.test(`${title}: with rdb-version-lossy yes it is left out and listed`, async () => {
      await serverWith(make, { ...directives, "rdb-version-lossy": "yes" }, async (s, folder) => {
        for (const way of ["SAVE", "BGSAVE"]) {
          const before = s.logLines.length;
          assertEquals(s.run(way), way === "SAVE" ? "OK" : "Background saving started");
          await eventually(() => !s.core.persistence.isSaving);
          assert(s.core.persistence.lastSaveOk);
          const listed = s.logLines.slice(before).filter((line) => line.includes("left out"));
          assertEquals(listed.length, 1);
          assert(listed[0].includes(`RDB version ${version} ${told}: it is left out`), listed[0]);
          const back = loaded(saved(folder)!);
          Deno.removeSync(`${folder}/dump.rdb`);
          assertEquals(back.run("DBSIZE"), 50);
          back.run("SELECT", 2);
          if (key !== null) assertEquals(back.run("EXISTS", key), 0);
          assertEquals(back.keyspace.libraries.count, 0);
        }
        // A reload would lose it here too.
        assertEquals(typeof s.run("DEBUG", "RELOAD"), "object");
        s.run("SELECT", 2);
        if (key !== null) assertEquals(s.run("EXISTS", key), 1);
      });
    });

    if (key === null) continue;

    Deno.test(`${title}: DUMP is an error that names the key`, () => {
      const s = testServer({ nowMs: SAMPLE_NOW_MS, directives });
      for (const words of make) s.run(...words);
      s.run("SELECT", 2);
      assertEquals(s.run("DUMP", key), { error: `ERR RDB version ${version} ${told}` });
    });

    Deno.test(`${title}: replicas get all of it, in a version that can hold it`, () => {
      const s = testServer({
        nowMs: SAMPLE_NOW_MS,
        directives: { ...directives, "rdb-version-lossy": "yes" },
      });
      assertEquals(replicaVersion(s.keyspace, s.config), version);
      for (const words of make) s.run(...words);
      assertEquals(replicaVersion(s.keyspace, s.config), fullVersion(s.keyspace));
      assert(fullVersion(s.keyspace) >= since);
    });
  }
}

Deno.test("a snapshot in slices leaves out and lists what its version cannot hold, also what changes before", () => {
  const s = testServer({ nowMs: SAMPLE_NOW_MS });
  for (let i = 0; i < 300; i++) s.run("SET", `key:${i}`, i);
  for (let i = 0; i < 40; i++) s.run("XADD", `x${i}`, "1-1", "f", "v");
  const told: string[] = [];
  const snapshot = new TestSnapshot(s, true, 8, (what) => told.push(what));
  snapshot.step();
  for (let i = 0; i < 40; i += 2) s.run("XADD", `x${i}`, "2-1", "f", "v");
  s.run("DEL", "x1", "x3");
  while (!snapshot.step());
  const expected = Array.from(
    { length: 40 },
    (_, i) => `RDB version 8 cannot hold the stream "x${i}" (database 0)`,
  );
  assertEquals(told.toSorted(), expected.toSorted());
  assertEquals(loaded(snapshot.bytes()).run("DBSIZE"), 300);
});

Deno.test("a save point that the version forbids stops writes until it can be kept", async () => {
  const directives = { "rdb-version": "8", "save": "1 1" };
  await serverWith(UNHELD[0].make, directives, async (s, folder) => {
    const { persistence } = s.core;
    const { clock } = s;
    const misconf = () => JSON.stringify(s.run("SET", "k", "v")).includes("MISCONF");
    assert(!misconf());
    clock.nowMs += 10_000;
    for (let i = 0; i < 3; i++) {
      persistence.tick(clock.nowMs);
      assertEquals([persistence.isSaving, persistence.lastSaveOk, misconf()], [false, false, true]);
      clock.nowMs += 6000;
    }
    // The stream is found again under another name, and not where there is another value now.
    assertEquals(s.logLines.filter((line) => line.includes("cannot hold the stream")).length, 3);
    s.run("CONFIG", "SET", "stop-writes-on-bgsave-error", "no");
    s.run("SELECT", 2);
    s.run("RENAME", UNHELD[0].key!, "renamed");
    assertMatch((s.run("BGSAVE") as { error: string }).error, /cannot hold the stream "renamed"/);
    s.run("SET", "renamed", "text");
    s.run("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes");
    assert(misconf());
    persistence.tick(clock.nowMs += 6000);
    await eventually(() => !persistence.isSaving);
    assertEquals([persistence.lastSaveOk, misconf()], [true, false]);
    assertEquals(toLatin1(saved(folder)!, 0, 9), "REDIS0008");
  });
});

for (const name of corpusNames()) {
  Deno.test(`${name} is the same after being saved in any version that can hold it, and loaded again`, () => {
    const s = testServer({ nowMs: CORPUS_NOW_MS });
    loadBytes(s.keyspace, corpusBytes(name));
    const versions = VERSIONS.filter((version) => firstUnheld(s.keyspace, version) === null);
    assert(versions.includes(12));
    for (const version of versions) {
      const back = testServer({ nowMs: CORPUS_NOW_MS });
      loadBytes(back.keyspace, saveToBytes(s.keyspace, { version }));
      assertEquals(datasetDigest(back.keyspace), datasetDigest(s.keyspace));
      assertEquals(comparable(back, version), comparable(s, version));
    }
  });
}

Deno.test("without rdb-version a save is of version 10, and of 12 once fields expire", () => {
  return serverWith([], {}, (s, folder) => {
    assertEquals(s.run("CONFIG", "GET", "rdb-version"), ["rdb-version", "10"]);
    assertEquals(s.run("SAVE"), "OK");
    assertEquals(toLatin1(saved(folder)!, 0, 9), "REDIS0010");
    s.run("HSET", "h", "f", "v");
    s.run("HPEXPIREAT", "h", SAMPLE_EXPIRY_MS, "FIELDS", 1, "f");
    assertEquals(s.run("SAVE"), "OK");
    assertEquals(toLatin1(saved(folder)!, 0, 9), "REDIS0012");
    assertEquals(payloadsOf(s, "h")[0].at(-10), "\x0c");
    assertEquals(payloadsOf(s, "key:1")[0].at(-10), "\x0a");
    // Given, it is that version and no other.
    assertEquals(s.run("CONFIG", "SET", "rdb-version", 10), "OK");
    assertMatch(
      (s.run("SAVE") as { error: string }).error,
      /^ERR RDB version 10 cannot hold the times/,
    );
  });
});

Deno.test("a large value that the version cannot hold is an error of DUMP in slices too", async () => {
  const s = testServer({ nowMs: SAMPLE_NOW_MS, directives: { "rdb-version": "8" } });
  for (let i = 0; i < 300; i++) s.run("XADD", "x", `${i + 1}-1`, "f", "v".repeat(2000));
  const client = s.connect();
  const reply = client.run("DUMP", "x");
  const wait = async () => {
    for (let i = 0; i < 1000; i++) {
      const [value] = client.received();
      if (value !== undefined) return value;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  assertEquals(reply ?? await wait(), {
    error: 'ERR RDB version 8 cannot hold the stream "x" (database 0)',
  });
});
