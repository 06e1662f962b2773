/**
 * The kinds of values, each in each of its encodings, through everything that goes by their list:
 * TYPE, SCAN, OBJECT ENCODING, digests, DUMP and RESTORE, COPY, memory, snapshots at once and in
 * pieces. A new kind needs its samples in the table below, or the first tests fail.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  ENC_EMBSTR,
  ENC_EXTERNAL,
  ENC_HASHTABLE,
  ENC_INTSET,
  ENC_LISTPACK,
  ENC_LISTPACK_EX,
  ENC_QUICKLIST,
  ENC_RAW,
  ENC_SKIPLIST,
  ENC_STREAM,
  ENC_TEXT,
  isSlotEncoding,
} from "../../src/arena/record.ts";
import { latin1 } from "../../src/base/bytes.ts";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { RDB_VERSION, TYPE_NAMES } from "../../src/rdb/format.ts";
import { kindOf, kindOfRdbType, KINDS } from "../../src/rdb/kinds/index.ts";
import type { ValueKind } from "../../src/rdb/kinds/value_kind.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { loadBytes, saveToBytes } from "./datasets.ts";
import { TestSnapshot } from "./test_snapshot.ts";

interface Sample {
  readonly kind: string;
  readonly encoding: number;
  /** What OBJECT ENCODING answers. */
  readonly name: string;
  /** Commands that make the key `k`. */
  readonly make: readonly (readonly (string | number)[])[];
  /** Commands that change it and leave no part of a large value as it was. */
  readonly change: readonly (readonly (string | number)[])[];
  /** Whether a snapshot writes it in pieces. */
  readonly isWalked?: boolean;
  /** What OBJECT ENCODING answers after a reload, where that is another name. */
  readonly reloadedName?: string;
}

/** When fields expire: in 2100. */
const FAR_MS = 4_102_444_800_000;
const LONG = "long text ".repeat(60_000);
const many = (words: (i: number) => (string | number)[]) =>
  Array.from({ length: 1200 }, (_, i) => words(i)).flat();
const changedString = [["APPEND", "k", "!"], ["SETRANGE", "k", 0, "?"]];

const SAMPLES: readonly Sample[] = [
  {
    kind: "string",
    encoding: ENC_EMBSTR,
    name: "int",
    make: [["SET", "k", 12345]],
    change: changedString,
  },
  {
    kind: "string",
    encoding: ENC_EMBSTR,
    name: "embstr",
    make: [["SET", "k", "text"]],
    change: changedString,
  },
  {
    kind: "string",
    encoding: ENC_EMBSTR,
    name: "raw",
    make: [["SET", "k", "text".repeat(20)]],
    change: changedString,
  },
  {
    kind: "string",
    encoding: ENC_RAW,
    name: "raw",
    make: [["SET", "k", "te"], ["APPEND", "k", "xt"]],
    change: changedString,
    reloadedName: "embstr",
  },
  {
    kind: "string",
    encoding: ENC_TEXT,
    name: "embstr",
    make: [["INCRBYFLOAT", "k", 10]],
    change: changedString,
    reloadedName: "int",
  },
  {
    kind: "string",
    encoding: ENC_EXTERNAL,
    name: "raw",
    make: [["SET", "k", LONG]],
    change: [["SETRANGE", "k", 0, "?"], ["SETRANGE", "k", LONG.length - 1, "?"]],
    isWalked: true,
  },
  {
    kind: "list",
    encoding: ENC_LISTPACK,
    name: "listpack",
    make: [["RPUSH", "k", "a", 1, "b"]],
    change: [["LPUSH", "k", "c"], ["LREM", "k", 0, "b"]],
  },
  {
    kind: "list",
    encoding: ENC_QUICKLIST,
    name: "quicklist",
    make: [["RPUSH", "k", ...many((i) => [`element ${i} of the list`])]],
    change: [["LPOP", "k", 700], ["RPUSH", "k", "new"], ["LSET", "k", 0, "changed"]],
    isWalked: true,
  },
  {
    kind: "set",
    encoding: ENC_INTSET,
    name: "intset",
    make: [["SADD", "k", 1, -2, 300_000]],
    change: [["SREM", "k", 1], ["SADD", "k", 4]],
  },
  {
    kind: "set",
    encoding: ENC_LISTPACK,
    name: "listpack",
    make: [["SADD", "k", "a", 1, "b"]],
    change: [["SREM", "k", "a"], ["SADD", "k", "c"]],
  },
  {
    kind: "set",
    encoding: ENC_HASHTABLE,
    name: "hashtable",
    make: [["SADD", "k", ...many((i) => [`m${i}`])]],
    change: [["SREM", "k", ...many((i) => [`m${i}`])], ["SADD", "k", "new"]],
    isWalked: true,
  },
  {
    kind: "zset",
    encoding: ENC_LISTPACK,
    name: "listpack",
    make: [["ZADD", "k", 1.5, "a", -2, "b", "inf", "c"]],
    change: [["ZINCRBY", "k", 1, "a"], ["ZREM", "k", "b"]],
  },
  {
    kind: "zset",
    encoding: ENC_SKIPLIST,
    name: "skiplist",
    make: [["ZADD", "k", ...many((i) => [i / 4, `m${i}`])]],
    change: [["ZREMRANGEBYRANK", "k", 0, 900], ["ZADD", "k", ...many((i) => [-i, `m${i}`])]],
    isWalked: true,
  },
  {
    kind: "hash",
    encoding: ENC_LISTPACK,
    name: "listpack",
    make: [["HSET", "k", "f", "v", "g", 1]],
    change: [["HSET", "k", "f", "w"], ["HDEL", "k", "g"]],
  },
  {
    kind: "hash",
    encoding: ENC_LISTPACK_EX,
    name: "listpackex",
    make: [
      ["HSET", "k", "f", "v", "g", 1, "h", "x"],
      ["HPEXPIREAT", "k", FAR_MS, "FIELDS", 1, "g"],
      ["HPEXPIREAT", "k", FAR_MS - 5, "FIELDS", 1, "h"],
    ],
    change: [["HSET", "k", "f", "w", "g", 2], ["HDEL", "k", "h"]],
  },
  {
    kind: "hash",
    encoding: ENC_HASHTABLE,
    name: "hashtable",
    make: [
      ["HSET", "k", ...many((i) => [`f${i}`, `v${i}`]), "long", "v".repeat(70_000)],
      ["HPEXPIREAT", "k", FAR_MS, "FIELDS", 800, ...many((i) => [`f${i}`]).slice(0, 800)],
    ],
    change: [
      ["HPEXPIREAT", "k", FAR_MS, "FIELDS", 400, ...many((i) => [`f${i}`]).slice(800)],
      ["HPERSIST", "k", "FIELDS", 400, ...many((i) => [`f${i}`]).slice(0, 400)],
      ["HSET", "k", ...many((i) => [`f${i}`, "new"])],
      ["HDEL", "k", "long", "f1"],
    ],
    isWalked: true,
  },
  {
    kind: "hash",
    encoding: ENC_HASHTABLE,
    name: "hashtable",
    make: [["HSET", "k", ...many((i) => [`f${i}`, `v${i}`]), "long", "v".repeat(70_000)]],
    change: [["HSET", "k", ...many((i) => [`f${i}`, "new"])], ["HDEL", "k", "long", "f1"]],
    isWalked: true,
  },
  {
    kind: "stream",
    encoding: ENC_STREAM,
    name: "stream",
    make: [
      ["XADD", "k", "1-1", "f", "v", "g", 12],
      ["XADD", "k", "1-2", "other", "v"],
      ["XGROUP", "CREATE", "k", "readers", 0],
      ["XREADGROUP", "GROUP", "readers", "c", "COUNT", 1, "STREAMS", "k", ">"],
    ],
    change: [["XDEL", "k", "1-1"], ["XADD", "k", "2-1", "f", "w"], ["XACK", "k", "readers", "1-1"]],
  },
  {
    kind: "stream",
    encoding: ENC_STREAM,
    name: "stream",
    make: [
      ...Array.from(
        { length: 1800 },
        (_, i) => ["XADD", "k", `${i + 1}-1`, "f", i],
      ),
      ["XGROUP", "CREATE", "k", "readers", 0],
      ["XREADGROUP", "GROUP", "readers", "c", "COUNT", 600, "STREAMS", "k", ">"],
    ],
    change: [
      ["XACK", "k", "readers", ...Array.from({ length: 300 }, (_, i) => `${2 * i + 1}-1`)],
      ["XDEL", "k", ...Array.from({ length: 800 }, (_, i) => `${2 * i + 1}-1`)],
      ["XADD", "k", "5000-1", "new", "entry"],
      ["XTRIM", "k", "MAXLEN", 40],
    ],
    isWalked: true,
  },
];

function serverWith(sample: Sample): TestServer {
  const s = testServer();
  for (const words of sample.make) s.run(...words);
  return s;
}

function kindNamed(name: string): ValueKind {
  return KINDS.find((kind) => kind.name === name)!;
}

/** The record of a key in the selected database. */
function recordOf(s: TestServer, key: string): number {
  return s.keyspace.databases[0].records.get(latin1(key), 0, key.length);
}

function digestOf(s: TestServer, key: string): string {
  return (s.run("DEBUG", "DIGEST-VALUE", key) as string[])[0];
}

/** Runs `work` while a part of a kind notes that it is called; returns how often it was. */
function callsOf<
  K extends "encodingName" | "addToDigest" | "save" | "newLoad" | "walk" | "tableOf",
>(
  kind: ValueKind,
  part: K,
  work: () => void,
): number {
  const mutable = kind as { -readonly [P in keyof ValueKind]: ValueKind[P] };
  const original = kind[part];
  let calls = 0;
  mutable[part] = ((...args: never[]) => {
    calls++;
    return (original as (...args: never[]) => unknown)(...args);
  }) as ValueKind[K];
  try {
    work();
  } finally {
    mutable[part] = original;
  }
  return calls;
}

Deno.test("kinds stand at the place of their type, with names of their own", () => {
  assertEquals(KINDS.map((kind) => kind.type), KINDS.map((_, i) => i));
  assertEquals(new Set(KINDS.map((kind) => kind.name)).size, KINDS.length);
  assertEquals(new Set(KINDS.map((kind) => kind.digestNumber)).size, KINDS.length);
});

Deno.test("every kind has samples of all its encodings, and no others", () => {
  for (const kind of KINDS) {
    const sampled = SAMPLES.filter((sample) => sample.kind === kind.name)
      .map(({ encoding }) => encoding);
    assertEquals([...new Set(sampled)].toSorted(), kind.encodings.toSorted(), kind.name);
  }
});

Deno.test("every type of the snapshot format is read by one kind, but for modules", () => {
  const unread: string[] = [];
  for (const [rdbType, name] of TYPE_NAMES.entries()) {
    const readers = KINDS.filter((kind) => kind.rdbTypes.includes(rdbType));
    assert(readers.length <= 1, name);
    assertEquals(kindOfRdbType(rdbType), readers[0]);
    if (name !== undefined && readers.length === 0) unread.push(name);
  }
  assertEquals(unread, [
    "module-pre-ga",
    "module2",
    "array",
    "gcra",
  ]);
  for (const sample of SAMPLES) {
    const database = serverWith(sample).keyspace.databases[0];
    const ref = database.table.random(() => 0);
    const kind = kindOf(database.records.metaOf(ref));
    assert(
      kind.rdbTypes.includes(kind.rdbTypeOf(database, ref, RDB_VERSION)),
      `${kind.name} ${sample.name}`,
    );
  }
});

/** In a transaction, where nothing is done in slices. */
function runAtOnce(s: TestServer, ...words: string[]): unknown {
  s.run("MULTI");
  s.run(...words);
  return (s.run("EXEC") as unknown[])[0];
}

for (const sample of SAMPLES) {
  const { kind, name, encoding } = sample;
  const title = `a ${kind} with encoding ${name} (${encoding})`;

  Deno.test(`${title} is named by TYPE, SCAN and OBJECT ENCODING`, () => {
    const s = serverWith(sample);
    assertEquals(s.run("TYPE", "k"), kind);
    assertEquals(s.run("OBJECT", "ENCODING", "k"), name);
    assertEquals(s.keyspace.databases[0].encodingOf(recordOf(s, "k")), encoding);
    for (const other of KINDS) {
      const found = s.run("SCAN", 0, "TYPE", other.name) as string[][];
      assertEquals(found[1], other.name === kind ? ["k"] : []);
    }
  });

  Deno.test(`${title} is the same after DUMP and RESTORE, COPY, RENAME and a reload`, () => {
    const s = serverWith(sample);
    const digest = digestOf(s, "k");
    assertNotEquals(digest, "0".repeat(40));
    const payload = runAtOnce(s, "DUMP", "k") as string;
    assertEquals(s.run("RESTORE", "restored", 0, payload), "OK");
    assertEquals(s.run("COPY", "k", "copied"), 1);
    const reloadedName = sample.reloadedName ?? name;
    assertEquals(s.run("OBJECT", "ENCODING", "restored"), reloadedName);
    assertEquals(s.run("OBJECT", "ENCODING", "copied"), name);
    for (const key of ["restored", "copied"]) assertEquals(digestOf(s, key), digest, key);
    for (const words of sample.change) s.run(...words);
    assertNotEquals(digestOf(s, "k"), digest);
    assertEquals(digestOf(s, "copied"), digest);
    s.run("RENAME", "copied", "renamed");
    assertEquals(digestOf(s, "renamed"), digest);

    const other = testServer();
    loadBytes(other.keyspace, saveToBytes(s.keyspace));
    assertEquals(datasetDigest(other.keyspace), datasetDigest(s.keyspace));
    assertEquals(other.run("OBJECT", "ENCODING", "renamed"), reloadedName);
  });

  Deno.test(`${title} is in a snapshot as it was when that began`, () => {
    const s = serverWith(sample);
    s.run("SET", "other", "text");
    const digest = datasetDigest(s.keyspace);
    for (let stepsBefore = 0; stepsBefore < 9; stepsBefore++) {
      const copy = testServer();
      loadBytes(copy.keyspace, saveToBytes(s.keyspace));
      const snapshot = new TestSnapshot(copy, true);
      for (let i = 0; i < stepsBefore; i++) snapshot.step();
      for (const words of sample.change) copy.run(...words);
      assertNotEquals(datasetDigest(copy.keyspace), digest);
      while (!snapshot.step());
      const loaded = testServer();
      loadBytes(loaded.keyspace, snapshot.bytes());
      assertEquals(datasetDigest(loaded.keyspace), digest, `changed after ${stepsBefore} steps`);
    }
  });

  Deno.test(`${title} counts as memory, which is given back when it is removed`, () => {
    const s = serverWith(sample);
    const database = s.keyspace.databases[0];
    const bytes = s.run("MEMORY", "USAGE", "k") as number;
    assertEquals(database.largeValueBytes > 0, isSlotEncoding(encoding));
    assert(bytes > database.largeValueBytes, `${bytes}`);
    s.run("SET", "k", "v"); // another kind in its place
    assertEquals(database.largeValueBytes, 0);
    for (const words of [["DEL", "k"], ...sample.make, ["DEL", "k"]]) s.run(...words);
    assertEquals([database.largeValueBytes, database.count], [0, 0]);
  });

  Deno.test(`${title} goes through its kind wherever a value's kind matters`, () => {
    const s = serverWith(sample);
    const object = kindNamed(kind);
    assertEquals(kindOf(s.keyspace.databases[0].records.metaOf(recordOf(s, "k"))), object);
    const payload = runAtOnce(s, "DUMP", "k") as string;
    const bytes = saveToBytes(s.keyspace);
    const calls = (part: Parameters<typeof callsOf>[1], work: () => void) =>
      callsOf(object, part, work);
    assertEquals(calls("encodingName", () => s.run("OBJECT", "ENCODING", "k")), 1);
    assertEquals(calls("addToDigest", () => s.run("DEBUG", "DIGEST")), 1);
    assertEquals(calls("addToDigest", () => digestOf(s, "k")), 1);
    assertEquals(calls("save", () => runAtOnce(s, "DUMP", "k")), 1);
    assertEquals(calls("save", () => saveToBytes(s.keyspace)), 1);
    assertEquals(calls("newLoad", () => s.run("RESTORE", "k", 0, payload, "REPLACE")), 1);
    assertEquals(calls("newLoad", () => loadBytes(testServer().keyspace, bytes)), 1);
    const snapshotAll = () => {
      const snapshot = new TestSnapshot(s, false);
      while (!snapshot.step());
    };
    assertEquals(calls("walk", snapshotAll), 1);
    assertEquals(calls("save", snapshotAll), sample.isWalked === true ? 0 : 1);
    assertEquals(calls("tableOf", () => s.run("DEBUG", "HTSTATS-KEY", "k")), 1);
    const stats = s.run("DEBUG", "HTSTATS-KEY", "k");
    const hasTable = encoding === ENC_HASHTABLE || encoding === ENC_SKIPLIST;
    assertEquals(typeof stats === "string" && stats.includes("number of elements"), hasTable);
  });
}
