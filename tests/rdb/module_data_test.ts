/** What modules write into snapshots and payloads: refused or passed over, by the name of the module. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { RdbLoader } from "../../src/rdb/loader.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { RdbReader } from "../../src/rdb/reader.ts";
import { testServer } from "../support/test_server.ts";
import { loadBytes } from "./datasets.ts";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const NO_CHECKSUM = "\0".repeat(8);

/** The number of a module's type, as it stands in a snapshot. */
function idOf(name: string, version = 0): string {
  let id = 0n;
  for (const letter of name) id = id << 6n | BigInt(LETTERS.indexOf(letter));
  return "\x81" + toLatin1(bigEndian(id << 10n | BigInt(version)), 0, 8);
}

function bigEndian(n: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, n);
  return bytes;
}

const text = (s: string) => String.fromCharCode(s.length) + s;
const KEY = "\x00" + text("before") + text("value");
/** An integer, a double, a string and a compressed one, a negative integer, a float, and the end. */
const PARTS = "\x02\x05" + "\x04" + "8bytes!!" + "\x05" + text("some text") +
  "\x05\xc3\x04\x0a\x00a\xe0\x00" + "\x01\x81" + "\xff".repeat(8) + "\x03" + "4by." + "\x00";
const VALUE = "\x07" + text("k") + idOf("ReJSON-RL", 3) + PARTS;

function file(records: string): Uint8Array {
  return latin1("REDIS0010\xfe\x00" + records + "\xff" + NO_CHECKSUM);
}

/** A payload as DUMP gives it, of version 10. */
function payload(value: string): string {
  return value + "\x0a\x00" + NO_CHECKSUM;
}

const REFUSED =
  /The RDB file contains module data I can't load: no matching module type 'ReJSON-RL', at byte \d+/;

Deno.test("a value of a module's type is refused by the name of that type", () => {
  const { keyspace } = testServer();
  const error = assertThrows(() => loadBytes(keyspace, file(KEY + VALUE)), RdbError);
  assertMatch(error.message, REFUSED);
  assertEquals(error.kind, "unsupported");
});

Deno.test("a value of a module's type as it was before the release has no name to tell", () => {
  const { keyspace } = testServer();
  const early = file("\x06" + text("k") + idOf("ReJSON-RL"));
  const error = assertThrows(() => loadBytes(keyspace, early), RdbError);
  assertMatch(
    error.message,
    /Pre-release module format not supported, at byte \d+, the value of key "k" \(database 0\)$/,
  );
});

for (const name of ["AAAAAAAAA", "_________", "graphdata", "MBbloom--", "TSDB-TYPE"]) {
  Deno.test(`the number of a module's type is its name: ${name}`, () => {
    const { keyspace } = testServer();
    const value = "\x07" + text("k") + idOf(name, 1023) + "\x00";
    const error = assertThrows(() => loadBytes(keyspace, file(value)), RdbError);
    assertMatch(error.message, new RegExp(`no matching module type '${name}',`));
  });
}

Deno.test("RESTORE of a value of a module's type is bad data, and the log has the name", () => {
  const s = testServer({ directives: { "sanitize-dump-payload": "yes" } });
  s.core.skipsChecksums = true;
  s.run("SET", "k", "there");
  const value = payload("\x07" + idOf("ReJSON-RL", 3) + PARTS);
  assertEquals(s.run("RESTORE", "k", 0, value, "REPLACE"), { error: "ERR Bad data format" });
  assertEquals(s.run("GET", "k"), "there");
  assertMatch(s.logLines.at(-1)!, REFUSED);
  assertEquals(s.logLines.at(-1)!.includes("integrity"), false);
});

Deno.test("a start with a file that has a value of a module's type ends with its name", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeFileSync(`${folder}/dump.rdb`, file(KEY + VALUE));
    const { core } = testServer({ folder });
    await assertRejects(
      () => core.persistence.load(),
      Error,
      "no matching module type 'ReJSON-RL'",
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

const AUX = "\xf7" + idOf("graphdata", 1) + PARTS;

for (const mode of ["file", "stream"] as const) {
  Deno.test(`a full sync (${mode}) with a value of a module's type leaves what is served`, async () => {
    const folder = Deno.makeTempDirSync();
    try {
      const s = testServer({ folder });
      s.run("SET", "served", "yes");
      const load = s.core.persistence.beginReplicaLoad({ mode, totalBytes: null });
      for (const byte of file(KEY + AUX + VALUE)) load.push(Uint8Array.of(byte), 0, 1);
      const error = await assertRejects(() => load.finish());
      assertMatch(
        (error as Error).message,
        /^the snapshot holds what has no place here: 1 keys of module type 'ReJSON-RL': "k" \(database 0\)\./,
      );
      assertEquals([s.run("GET", "served"), s.run("EXISTS", "before")], ["yes", 0]);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });

  Deno.test(`a full sync (${mode}) tells of the data of modules that are left out`, async () => {
    const folder = Deno.makeTempDirSync();
    try {
      const s = testServer({ folder });
      const load = s.core.persistence.beginReplicaLoad({ mode, totalBytes: null });
      for (const byte of file(AUX + KEY + AUX)) load.push(Uint8Array.of(byte), 0, 1);
      await load.finish();
      const told = s.logLines.filter((line) => line.includes("no matching module 'graphdata'"));
      assertEquals(told.length, 2);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

Deno.test("a start tells of the data of modules that are left out, and has the keys", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeFileSync(`${folder}/dump.rdb`, file(AUX + KEY + AUX));
    const s = testServer({ folder });
    await s.core.persistence.load();
    assertEquals(s.run("GET", "before"), "value");
    const told = s.logLines.filter((line) =>
      line.includes(
        "The RDB file contains AUX module data I can't load: no matching module 'graphdata'",
      )
    );
    assertEquals(told.length, 2);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("data of a module in very many parts are passed over in several steps", () => {
  const { keyspace } = testServer();
  const many = "\xf7" + idOf("graphdata") + "\x02\x05".repeat(100_000) + "\x00";
  const bytes = file(many + KEY);
  const names: string[] = [];
  const loader = new RdbLoader(
    keyspace,
    RdbReader.fromBytes(bytes, 0, bytes.length, { checksum: false }),
    { dropsExpired: false, onModule: (name) => names.push(name) },
  );
  let looks = 0;
  while (!loader.step(0, () => ++looks));
  assertEquals([names, loader.keysLoaded, looks > 10], [["graphdata"], 1, true]);
});

for (
  const [what, parts] of [["an unknown mark", "\x06\x00"], ["a mark that is text", "\xc0\x01"]]
) {
  Deno.test(`data of a module with ${what} are damaged`, () => {
    const { keyspace } = testServer();
    const bytes = file("\xf7" + idOf("graphdata") + "\x02\x05" + parts + KEY);
    const error = assertThrows(() => loadBytes(keyspace, bytes), RdbError);
    assertEquals(error.kind, "corrupt");
  });
}

// -- rdb-skip-unknown-modules ----------------------------------------------------------------

const LATER = "\x00" + text("after") + text("value");
const EXPIRING = "\xfc" + "\xff".repeat(5) + "\0\0\0" + "\xf9\x05";

Deno.test("with rdb-skip-unknown-modules a start has all keys but those of modules, which it names", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const odd = "\x07" + text('o\n"dd"') + idOf("graphdata") + PARTS;
    const records = KEY + EXPIRING + VALUE + AUX + LATER + "\xfe\x03" + odd + LATER;
    Deno.writeFileSync(`${folder}/dump.rdb`, file(records));
    const s = testServer({ folder, directives: { "rdb-skip-unknown-modules": "yes" } });
    await s.core.persistence.load();
    assertEquals((s.run("KEYS", "*") as string[]).toSorted(), ["after", "before"]);
    // The expiry was that of the key that is left out.
    assertEquals(s.run("PTTL", "after"), -1);
    s.run("SELECT", 3);
    assertEquals(s.run("KEYS", "*"), ["after"]);
    const log = s.logLines.join("");
    const told = (name: string, key: string) =>
      `The RDB file contains module data I can't load: no matching module type '${name}'. The key ${key} is left out.`;
    assert(log.includes(told("ReJSON-RL", '"k" (database 0)')), log);
    assert(log.includes(told("graphdata", '"o\\n\\"dd\\"" (database 3)')), log);
    assert(log.includes("keys loaded: 3, keys expired: 0, keys left out: 2."), log);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

for (const mode of ["file", "stream"] as const) {
  Deno.test(`with rdb-skip-unknown-modules a full sync (${mode}) has all keys but those of modules`, async () => {
    const folder = Deno.makeTempDirSync();
    try {
      const s = testServer({ folder, directives: { "rdb-skip-unknown-modules": "yes" } });
      const load = s.core.persistence.beginReplicaLoad({ mode, totalBytes: null });
      for (const byte of file(KEY + VALUE + LATER)) load.push(Uint8Array.of(byte), 0, 1);
      await load.finish();
      load.swap();
      assertEquals((s.run("KEYS", "*") as string[]).toSorted(), ["after", "before"]);
      assertEquals(s.logLines.filter((line) => line.includes("is left out, as it")).length, 1);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

for (const accepts of [false, true]) {
  const what = accepts ? "takes the rest and names" : "takes nothing and names";
  Deno.test(`a full sync ${what} what has no place here, by kind and key: replica-accept-lossy-sync`, async () => {
    const s = testServer({
      directives: { "replica-accept-lossy-sync": accepts ? "yes" : "no" },
    });
    s.run("SET", "served", "yes");
    const value = (key: string, name: string) => "\x07" + text(key) + idOf(name) + PARTS;
    const many = Array.from({ length: 120 }, (_, i) => value(`f${i}`, "MBbloom--")).join("");
    const library = "\xf5" + text("#!lua name=lib\nnonsense(");
    const load = s.core.persistence.beginReplicaLoad({ mode: "stream", totalBytes: null });
    const bytes = file(KEY + value("k", "ReJSON-RL") + "\xfe\x03" + many + library + LATER);
    load.push(bytes, 0, bytes.length);
    const failure = await load.finish().then(() => null, (error) => error as Error);
    assertEquals([load.leftOut.count, load.leftOut.libraries], [122, 1]);
    const lines = s.logLines.filter((line) => line.includes("Of the master's snapshot"));
    assertEquals(lines.length, 1 + 10 + 1);
    assert(lines[0].includes(`1 keys of module type 'ReJSON-RL', 1 to 1: "k" (database 0)`));
    assert(
      lines[1].includes(`120 keys of module type 'MBbloom--', 1 to 10: "f0" (database 3), "f1"`),
    );
    assert(lines[11].includes('1 function libraries, 1 to 1: "lib" ('), lines[11]);
    if (accepts) {
      load.swap();
      assertEquals([s.run("GET", "before"), s.run("EXISTS", "served")], ["value", 0]);
      return;
    }
    assertMatch(failure!.message, /"f2" \(database 3\), and 117 more; 1 function libraries/);
    assertEquals([s.run("GET", "served"), s.run("EXISTS", "before")], ["yes", 0]);
  });
}

Deno.test("what a snapshot has of a kind that is not known here is refused with the name of its key", () => {
  const cases = [["\x06", /Pre-release module format/], ["\x22", /unknown value type 34/], [
    "\x8f",
    /unknown value type 143/,
  ]] as const;
  for (const [type, told] of cases) {
    const bytes = file(KEY + "\xfe\x05" + type + text("a key") + "\x01");
    const error = assertThrows(() => loadBytes(testServer().keyspace, bytes), RdbError);
    assertEquals(error.kind, "unsupported");
    assertMatch(error.message, told);
    assertMatch(error.message, /, the value of key "a key" \(database 5\)$/);
  }
});

Deno.test("a key of a module in very many parts is passed over in several steps", () => {
  const { keyspace } = testServer();
  const bytes = file(
    "\x07" + text("k") + idOf("graphdata") + "\x02\x05".repeat(100_000) + "\0" + KEY,
  );
  const left: unknown[] = [];
  const loader = new RdbLoader(
    keyspace,
    RdbReader.fromBytes(bytes, 0, bytes.length, { checksum: false }),
    { dropsExpired: false, onUnheld: (...key) => left.push(key) },
  );
  let looks = 0;
  while (!loader.step(0, () => ++looks));
  assertEquals([left, loader.keysLeftOut, loader.keysLoaded], [
    [[{ kind: "module", name: "graphdata" }, 0, "k"]],
    1,
    1,
  ]);
  assert(looks > 10, `${looks} looks`);
});

Deno.test("with rdb-skip-unknown-modules what cannot be passed over is refused all the same", () => {
  for (
    const value of [
      "\x06" + text("k") + idOf("ReJSON-RL"),
      "\x07" + text("k") + idOf("graphdata") + "\x06",
    ]
  ) {
    const bytes = file(KEY + value + KEY);
    const loader = new RdbLoader(
      testServer().keyspace,
      RdbReader.fromBytes(bytes, 0, bytes.length, { checksum: false }),
      { dropsExpired: false, onUnheld: () => {} },
    );
    assertThrows(() => loader.run(), RdbError);
  }
});
