/** Snapshots and payloads of Redis 8.6 to 8.10, and of versions that are not known. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { toLatin1 } from "../../src/base/bytes.ts";
import { type LoadOptions, RdbLoader } from "../../src/rdb/loader.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { RdbReader } from "../../src/rdb/reader.ts";
import type { Unheld } from "../../src/rdb/unheld.ts";
import {
  AFTER,
  ARRAY,
  array,
  BEFORE,
  EVERYTHING,
  GCRA,
  HASH,
  HASH_ARRAY,
  HASH_ARRAY_REF,
  HASH_PACKED,
  HASH_PACKED_REF,
  key,
  length,
  listpack,
  metadata,
  names,
  NO_SUM,
  payload,
  producers,
  slotImport,
  snapshot,
  stream,
  STREAM_4,
  STREAM_5,
  template,
  TEMPLATED,
  text,
  VALUES,
} from "../support/newer_snapshots.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { loadOutcome, scanOutcome } from "./scans.ts";

type Told = [unheld: Unheld, database: number, key: string];

/** Loads a file; with `told` what has no place here is left out and told there. @throws RdbError */
function load(bytes: Uint8Array, told?: Told[], options: Partial<LoadOptions> = {}): TestServer {
  const server = testServer();
  const reader = RdbReader.fromBytes(bytes, 0, bytes.length);
  const loader = new RdbLoader(server.keyspace, reader, {
    dropsExpired: true,
    onUnheld: told && ((...each) => told.push(each)),
    ...options,
  });
  loader.run();
  return server;
}

function refusalOf(records: string, version = 15): RdbError {
  return assertThrows(() => load(snapshot(BEFORE + records + AFTER, version)), RdbError);
}

/** Loads what has no place here with the rest; the kinds and names that are told, by key. */
function leftOutOf(records: string): [TestServer, string[]] {
  const told: Told[] = [];
  const server = load(snapshot(BEFORE + records + AFTER), told);
  return [
    server,
    told.map(([{ kind, name }, database, key]) => `${kind} ${name}: ${key} ${database}`),
  ];
}

// -- versions -----------------------------------------------------------------------------

for (const version of [13, 14, 15]) {
  Deno.test(`a snapshot of RDB version ${version} is loaded`, () => {
    const s = load(snapshot(BEFORE + AFTER, version));
    assertEquals([s.run("GET", "before"), s.run("DBSIZE")], ["value", 2]);
  });

  Deno.test(`RESTORE takes a payload of RDB version ${version}`, () => {
    const s = testServer();
    assertEquals(s.run("RESTORE", "k", 0, payload("\0" + text("value"), version)), "OK");
    assertEquals(s.run("GET", "k"), "value");
  });
}

for (const version of [16, 79, 81]) {
  Deno.test(`a snapshot of RDB version ${version} is refused by its version`, () => {
    const error = refusalOf("", version);
    assertEquals(error.kind, "unsupported");
    assertMatch(error.message, new RegExp(`RDB format version ${version} at byte [56]$`));
  });

  Deno.test(`with rdb-version-check relaxed RDB version ${version} is read as far as it is known`, async () => {
    const folder = Deno.makeTempDirSync();
    try {
      const s = testServer({ folder, directives: { "rdb-version-check": "relaxed" } });
      Deno.writeFileSync(`${folder}/dump.rdb`, snapshot(BEFORE + AFTER, version));
      await s.core.persistence.load();
      assertEquals(s.run("GET", "after"), "value");
      assertEquals(s.run("RESTORE", "k", 0, payload("\0" + text("value"), version)), "OK");
      const strange = key("\x21", "strange", "\x01");
      const sync = s.core.persistence.beginReplicaLoad({ mode: "stream", totalBytes: null });
      const bytes = snapshot(BEFORE + strange, version);
      sync.push(bytes, 0, bytes.length);
      const error = await assertRejects(() => sync.finish(), RdbError);
      assertMatch(
        error.message,
        /unknown value type 33 at byte \d+, the value of key "strange" \(database 0\)$/,
      );
      assertEquals(s.run("GET", "after"), "value");
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

Deno.test("RESTORE refuses a payload of a version that is not known, and a relaxed one a type that is not", () => {
  const s = testServer();
  const later = payload("\0" + text("value"), 16);
  const wrong = { error: "ERR DUMP payload version or checksum are wrong" };
  assertEquals(s.run("RESTORE", "k", 0, later), wrong);
  s.run("CONFIG", "SET", "rdb-version-check", "relaxed");
  assertEquals(s.run("RESTORE", "k", 0, later), "OK");
  for (const version of [16, 81]) {
    const strange = payload("\x21\x01", version);
    assertEquals(s.run("RESTORE", "strange", 0, strange), { error: "ERR Bad data format" });
  }
});

Deno.test("RESTORE takes a payload of Redis 8.10 without a checksum, as its masters send them, and no older one", () => {
  const s = testServer();
  const withoutSum = (version: number) => payload("\0" + text("v"), version).slice(0, -8) + NO_SUM;
  assertEquals(s.run("RESTORE", "new", 0, withoutSum(15)), "OK");
  for (const version of [10, 12, 80]) {
    assertEquals(s.run("RESTORE", "old", 0, withoutSum(version)), {
      error: "ERR DUMP payload version or checksum are wrong",
    });
  }
});

Deno.test("types of Redis 8.6 and later are none in a snapshot of Valkey", () => {
  for (const type of [STREAM_4, ARRAY, HASH_PACKED]) {
    const error = refusalOf(key(type, "k", "\0\0\0"), 80);
    assertMatch(error.message, new RegExp(`unknown value type ${type.charCodeAt(0)} at`));
  }
});

// -- streams --------------------------------------------------------------------------------

/** All that can be seen of a stream, but for the clock's part. */
function streamContent(s: TestServer): string {
  const seen = [
    s.run("XRANGE", "s", "-", "+"),
    s.run("XINFO", "STREAM", "s", "FULL"),
    s.run("DEBUG", "DIGEST-VALUE", "s"),
  ];
  return JSON.stringify(seen);
}

for (const type of [STREAM_4, STREAM_5]) {
  const what = `type ${type.charCodeAt(0)}`;

  Deno.test(`a stream of ${what} of which no producer is known is the same as one of version 11`, () => {
    for (const parts of [null, { owned: [2, 4] }]) {
      const made = testServer();
      for (let i = 1; i <= 4; i++) made.run("XADD", "s", `${i}-1`, "f", `v${i}`);
      if (parts !== null) {
        const read = load(snapshot(key(type, "s", stream(type, parts))));
        assertEquals(read.run("XPENDING", "s", "g", "-", "+", 10), [
          ["2-1", "c", read.core.clock.now() - 1002, 2],
          ["4-1", "c", read.core.clock.now() - 1004, 4],
        ]);
        continue;
      }
      const told: Told[] = [];
      const read = load(snapshot(key(type, "s", stream(type, parts))), told);
      assertEquals([streamContent(read), told], [streamContent(made), []]);
      assertEquals(
        made.run("RESTORE", "s", 0, payload(type + stream(type, parts)), "REPLACE"),
        "OK",
      );
      assertEquals(streamContent(made), streamContent(read));
    }
  });

  Deno.test(`a stream of ${what} that knows ids of producers is refused by key and kind, or loses them`, () => {
    const known = producers({
      one: [["id", 2], ["other", 3]],
      two: [],
      three: [["x".repeat(70), 4]],
    });
    const record = key(type, "s", stream(type, { owned: [1] }, known));
    const refusal = refusalOf(record);
    assertEquals(refusal.kind, "unsupported");
    assertMatch(
      refusal.message,
      /ids of idempotent producers \(IDMP\) have no place here, at byte \d+, the value of key "s"/,
    );
    const [s, told] = leftOutOf(record);
    assertEquals(told, ["part ids of idempotent producers (IDMP): s 0"]);
    assertEquals([s.run("XLEN", "s"), s.run("GET", "after")], [4, "value"]);
    assertEquals(s.run("RESTORE", "k", 0, payload(type + stream(type, null, known))), {
      error: "ERR Bad data format",
    });
  });

  Deno.test(`a stream of ${what} with settings of its own for producers is refused by key and kind, or loses them`, () => {
    for (const known of [producers({}, 300), producers({}, 100, 7)]) {
      const record = key(type, "s", stream(type, null, known));
      assertMatch(refusalOf(record).message, /settings for idempotent producers/);
      const [s, told] = leftOutOf(record);
      assertEquals(told, ["part settings for idempotent producers (IDMP): s 0"]);
      assertEquals(s.run("XLEN", "s"), 4);
    }
  });
}

Deno.test("entries that nobody has are refused by key and kind, or become pending for a consumer without a name", () => {
  const record = key(STREAM_5, "s", stream(STREAM_5, { owned: [2], givenBack: [4, 1, 3] }));
  assertMatch(
    refusalOf(record).message,
    /marks of entries that consumers have given back \(XNACK\) have no place here, at byte \d+, the value of key "s"/,
  );
  const [s, told] = leftOutOf(record);
  assertEquals(told, ["part marks of entries that consumers have given back (XNACK): s 0"]);
  const now = s.core.clock.now();
  assertEquals(s.run("XPENDING", "s", "g", "-", "+", 10), [
    ["1-1", "", now - 1001, 1],
    ["2-1", "c", now - 1002, 2],
    ["3-1", "", now - 1003, 3],
    ["4-1", "", now - 1004, 4],
  ]);
  assertEquals(s.run("XAUTOCLAIM", "s", "g", "c", 1000, "3-1", "JUSTID"), [
    "0-0",
    ["3-1", "4-1"],
    [],
  ]);
  assertEquals(s.run("XPENDING", "s", "g", "-", "+", 10, ""), [["1-1", "", now - 1001, 1]]);
  // It is one like any other.
  assertEquals(s.run("XGROUP", "DELCONSUMER", "s", "g", ""), 1);
});

Deno.test("a stream whose entries of nobody are not pending, or are somebody's, is damaged", () => {
  const good = stream(STREAM_5, { owned: [2], givenBack: [3] });
  const at = good.lastIndexOf("\0\0\0\0\0\0\0\x03");
  for (const ms of ["\x04", "\x02"]) {
    const bad = good.slice(0, at + 7) + ms + good.slice(at + 8);
    const told: Told[] = [];
    const error = assertThrows(() => load(snapshot(key(STREAM_5, "s", bad)), told), RdbError);
    assertEquals(error.kind, "corrupt");
  }
  // One that is pending has to be somebody's, or be among them.
  const none = stream(STREAM_5, { owned: [2], givenBack: [3] }).slice(0, at - 1) + "\0" +
    producers({});
  assertMatch(
    assertThrows(() => load(snapshot(key(STREAM_5, "s", none)), []), RdbError).message,
    /a pending id of a consumer group is for no consumer/,
  );
});

// -- values of types that are not here --------------------------------------------------------

for (
  const [name, type, value] of [
    ["array", ARRAY, array()],
    ["array", ARRAY, array(false)],
    ["gcra", GCRA, length(1_800_000_000_000)],
  ] as const
) {
  Deno.test(`a value of type ${name} (${value.length} bytes) is refused by key and kind, or left out`, () => {
    const record = key(type, "k", value);
    const refusal = refusalOf(record);
    assertEquals(refusal.kind, "unsupported");
    assertMatch(
      refusal.message,
      new RegExp(`values of type '${name}' have no place here, at byte \\d+, the value of key "k"`),
    );
    const [s, told] = leftOutOf(record);
    assertEquals(told, [`type ${name}: k 0`]);
    assertEquals([s.run("EXISTS", "k"), s.run("GET", "after")], [0, "value"]);
    assertEquals(s.run("RESTORE", "k", 0, payload(type + value)), { error: "ERR Bad data format" });
    assertMatch(s.logLines.at(-1)!, new RegExp(`RESTORE: values of type '${name}' have no place`));
  });
}

Deno.test("an array with an unknown mark or tag is damaged", () => {
  for (
    const value of [
      length(1) + length(2) + length(0) + length(0) + text("x"),
      length(1) + length(0) + length(0) + length(4) + text("x"),
    ]
  ) {
    const error = assertThrows(() => load(snapshot(key(ARRAY, "k", value)), []), RdbError);
    assertEquals(error.kind, "corrupt");
  }
});

// -- hashes with templates ----------------------------------------------------------------------

for (const [type, records, value] of TEMPLATED) {
  const what = `a hash with a template (type ${type.charCodeAt(0)}, ${records("").length} bytes)`;

  Deno.test(`${what} is a hash like any other, and nothing of it is lost`, () => {
    const told: Told[] = [];
    const s = load(snapshot(records("h") + AFTER), told);
    assertEquals([s.run("HGETALL", "h"), told], [HASH, []]);
    assertEquals([s.run("OBJECT", "ENCODING", "h"), s.run("GET", "after")], ["listpack", "value"]);
    s.keyspace.limits.hashMaxListpackEntries = 2;
    assertEquals(s.run("HSET", "h", "new", "field"), 1);
    if (value === null) return;
    assertEquals(s.run("RESTORE", "k", 0, payload(type + value)), "OK");
    assertEquals([s.run("HGET", "k", "email"), s.run("OBJECT", "ENCODING", "k")], [
      VALUES[2],
      "hashtable",
    ]);
  });

  Deno.test(`${what} is found by a scan as it is by a load`, () => {
    const bytes = snapshot(records("h") + AFTER);
    assertEquals(scanOutcome(bytes), loadOutcome(bytes));
    assertEquals(scanOutcome(bytes)[0], "whole");
  });
}

Deno.test("a payload cannot have a hash that names a template of a snapshot", () => {
  const s = testServer();
  for (const value of [HASH_ARRAY_REF + length(3), HASH_PACKED_REF + listpack(3, "v")]) {
    assertEquals(s.run("RESTORE", "k", 0, payload(value)), { error: "ERR Bad data format" });
    assertMatch(s.logLines.at(-1)!, /no hash template 3/);
  }
});

Deno.test("a hash with very many fields of a template is loaded in steps", () => {
  const fields = Array.from({ length: 20_000 }, (_, i) => `field ${i}`);
  const records = template(1, ...fields) +
    key(HASH_ARRAY_REF, "a", length(1) + fields.map((f) => text(`of ${f}`)).join("")) +
    key(HASH_PACKED_REF, "p", listpack(1, ...fields.map((f) => `of ${f}`))) +
    key(HASH_ARRAY, "self", names(true, ...fields) + fields.map((f) => text(`of ${f}`)).join(""));
  const bytes = snapshot(records);
  const s = testServer();
  const loader = new RdbLoader(s.keyspace, RdbReader.fromBytes(bytes, 0, bytes.length), {
    dropsExpired: true,
  });
  let looks = 0;
  while (!loader.step(0, () => ++looks));
  assert(looks > 100, `${looks} looks`);
  for (const name of ["a", "p", "self"]) {
    assertEquals(s.run("HLEN", name), fields.length);
    assertEquals(s.run("HGET", name, "field 19999"), "of field 19999");
  }
});

const DAMAGED_TEMPLATES: Record<string, string> = {
  "a template that is not there": key(HASH_ARRAY_REF, "h", length(4) + text("v")),
  "a packed one that is not there": key(HASH_PACKED_REF, "h", listpack(4, "v")),
  "a template that is there twice": template(1, "a") + template(1, "b"),
  "a template without fields": template(1),
  "a payload's names without any": key(HASH_ARRAY, "h", names(false)),
  "packed names without any": key(HASH_ARRAY, "h", names(true)),
  "fewer values than names": template(1, "a", "b") + key(HASH_PACKED_REF, "h", listpack(1, "v")),
  "more values than names": template(1, "a") + key(HASH_PACKED_REF, "h", listpack(1, "v", "w")),
  "no number before packed values": key(HASH_PACKED, "h", names(true, "a") + listpack("x", "v")),
  "nothing before packed values": key(HASH_PACKED, "h", names(true, "a") + listpack()),
  "a name that is there twice": template(1, "a", "a") +
    key(HASH_ARRAY_REF, "h", length(1) + text("v") + text("w")),
  "names in an unknown form": key(HASH_ARRAY, "h", length(2) + text("a") + text("v")),
};

for (const [what, records] of Object.entries(DAMAGED_TEMPLATES)) {
  Deno.test(`${what}: the snapshot is damaged, for a load and for a scan`, () => {
    const bytes = snapshot(records + AFTER);
    const error = assertThrows(() => load(bytes), RdbError);
    assertEquals(error.kind, "corrupt");
    assertEquals(scanOutcome(bytes), ["corrupt", error.offset]);
  });
}

// -- metadata of modules, slots on their way ----------------------------------------------------

Deno.test("what modules keep with a key is refused by key and class, or the key is loaded without", () => {
  const record = "\xfc" + "\xff".repeat(5) + "\x0f\0\0" + metadata("BLES", "x-_9") +
    key("\0", "k", text("value"));
  assertMatch(
    refusalOf(record).message,
    /metadata of the module class 'BLES' have no place here, at byte \d+, the value of key "k"/,
  );
  const [s, told] = leftOutOf(record);
  assertEquals(told, [
    "part metadata of the module class 'BLES': k 0",
    "part metadata of the module class 'x-_9': k 0",
  ]);
  assertEquals([s.run("GET", "k"), s.run("PEXPIRETIME", "k")], ["value", 0xfffffffffff]);
  assertEquals(s.run("PTTL", "after"), -1);
  const restored = payload(metadata("BLES") + "\0" + text("value"));
  assertEquals(s.run("RESTORE", "other", 0, restored), { error: "ERR Bad data format" });
  assertMatch(
    s.logLines.at(-1)!,
    /RESTORE: metadata of a module with the value have no place here/,
  );
});

Deno.test("metadata of more classes than there can be are damaged", () => {
  for (
    const records of [
      metadata(...Array<string>(8).fill("BLES")),
      metadata("BLES") + metadata("BLES"),
    ]
  ) {
    assertEquals(refusalOf(records + AFTER).kind, "corrupt");
  }
});

Deno.test("slots on their way to a server of Valkey 9 are passed over and told", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const s = testServer({ folder });
    const records = slotImport("a job", [0, 100], [16_000, 16_383]) + BEFORE + slotImport("none");
    Deno.writeFileSync(`${folder}/dump.rdb`, snapshot(records, 80));
    await s.core.persistence.load();
    assertEquals(s.run("GET", "before"), "value");
    const told = s.logLines.filter((line) => line.includes("brought slots of a cluster there"));
    assertEquals(told.length, 2);
    assert(told[0].includes('the job "a job"'), told[0]);
    const sync = s.core.persistence.beginReplicaLoad({ mode: "stream", totalBytes: null });
    for (const byte of snapshot(records, 80)) sync.push(Uint8Array.of(byte), 0, 1);
    await sync.finish();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

// -- all of it ------------------------------------------------------------------------------------

const ALL_TOLD = [
  "keys with ids of idempotent producers (IDMP)",
  "keys with marks of entries that consumers have given back (XNACK)",
  "keys of type 'array'",
  "keys of type 'gcra'",
  "keys with metadata of the module class 'BLES'",
];

Deno.test("a snapshot with everything is passed over by a scan as it is loaded, also when it is cut at any byte", () => {
  const bytes = snapshot(EVERYTHING);
  for (let end = 9; end <= bytes.length; end++) {
    const cut = bytes.subarray(0, end);
    assertEquals(scanOutcome(cut), loadOutcome(cut), `cut at ${end}`);
  }
});

for (const mode of ["file", "stream"] as const) {
  Deno.test(`a full sync (${mode}) names all that has no place here, and takes the rest if it may`, async () => {
    for (const accepts of ["no", "yes"]) {
      const folder = Deno.makeTempDirSync();
      try {
        const s = testServer({ folder, directives: { "replica-accept-lossy-sync": accepts } });
        s.run("SET", "served", "yes");
        const sync = s.core.persistence.beginReplicaLoad({ mode, totalBytes: null });
        for (const byte of snapshot(EVERYTHING)) sync.push(Uint8Array.of(byte), 0, 1);
        const failure = await sync.finish().then(() => null, (error) => error as Error);
        assertEquals(sync.leftOut.count, 5);
        for (const what of ALL_TOLD) {
          const line = s.logLines.find((line) => line.includes(`1 ${what}, 1 to 1: "`));
          assert(line !== undefined, what);
          if (failure !== null) assert(failure.message.includes(`1 ${what}: "`), what);
        }
        assertEquals(failure === null, accepts === "yes");
        if (failure !== null) {
          assertEquals([s.run("GET", "served"), s.run("EXISTS", "before")], ["yes", 0]);
          continue;
        }
        sync.swap();
        assertEquals(s.run("DBSIZE"), 11);
        for (let i = 0; i < TEMPLATED.length; i++) assertEquals(s.run("HGETALL", `h${i}`), HASH);
        assertEquals([s.run("XLEN", "s4"), s.run("XLEN", "s5")], [4, 4]);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    }
  });
}

Deno.test("with rdb-skip-unknown-modules a start names all that has no place here, by key", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeFileSync(`${folder}/dump.rdb`, snapshot(EVERYTHING));
    await assertRejects(
      () => testServer({ folder }).core.persistence.load(),
      Error,
      "have no place here, at byte",
    );
    const s = testServer({ folder, directives: { "rdb-skip-unknown-modules": "yes" } });
    await s.core.persistence.load();
    const log = s.logLines.join("");
    for (
      const line of [
        "contains ids of idempotent producers (IDMP), which have no place here. " +
        'The key "s4" (database 0) is loaded without them.',
        "contains marks of entries that consumers have given back (XNACK), which have no place here. " +
        'The key "s5" (database 0) is loaded without them.',
        "contains a value of type 'array', which has no place here. The key \"array\" (database 0) is left out.",
        "contains a value of type 'gcra', which has no place here. The key \"gcra\" (database 0) is left out.",
        "contains metadata of the module class 'BLES', which have no place here. " +
        'The key "with metadata" (database 0) is loaded without them.',
        "keys loaded: 11, keys expired: 0, keys left out: 2.",
      ]
    ) assert(log.includes(line), `${line}\n${log}`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("what was loaded from a newer snapshot is saved in a version of today", () => {
  const s = load(snapshot(EVERYTHING), []);
  const dumped = s.run("DUMP", "s5") as string;
  assertEquals(
    toLatin1(Uint8Array.of(dumped.charCodeAt(0), dumped.charCodeAt(dumped.length - 10))),
    "\x13\x0a",
  );
  const other = testServer();
  assertEquals(other.run("RESTORE", "s5", 0, dumped), "OK");
  assertEquals((other.run("XPENDING", "s5", "g") as unknown[])[0], 3);
});
