/** `tsredis check` on files of real servers, on damaged ones, and on what is none. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { latin1 } from "../../src/base/bytes.ts";
import {
  corpusBytes,
  corpusExpected,
  corpusFile,
  corpusNames,
  type Expected,
} from "../rdb/corpus.ts";
import { CORPUS_NOW_MS } from "../rdb/datasets.ts";
import { runToolWith } from "../support/tool_runs.ts";

const AOF = new URL("../fixtures/aof/", import.meta.url).pathname;

interface Report {
  kind: string;
  sound: boolean;
  problem: string | null;
  files: {
    name: string;
    snapshot: {
      version: number;
      checksum: string;
      aux: Record<string, string>;
      libraries: string[];
    };
    commands: { count: number; byName: Record<string, { commands: number }> };
    damage: {
      kind: string;
      what: string;
      offset: number;
      soundBytes: number;
      key: { key: string; type: string; begin: number } | null;
      lastKey: { key: string; end: number } | null;
    };
  }[];
  totals: { keys: number; memoryBytes: number; fileBytes: number; expiring: number };
  types: Record<string, { keys: number; elements: number }>;
  databases: Record<string, { keys: number; expiring: number }>;
  replication: { id: string; offset: number } | null;
  largest: { key: string; memoryBytes: number }[];
  prefixes: { prefix: string; keys: number }[];
}

async function check(...words: string[]): Promise<{ exitCode: number; report: Report }> {
  const { exitCode, output, remarks } = await runToolWith(["check", "--json", ...words]);
  assertEquals(remarks, "");
  return { exitCode, report: JSON.parse(output) };
}

/** Keys by type and by database, as the JSON of a corpus has them. */
function countsOf(dbs: Expected["dbs"]): [Record<string, number>, Record<string, number>] {
  const types: Record<string, number> = {};
  const databases: Record<string, number> = {};
  for (const [database, keys] of Object.entries(dbs)) {
    for (const { type } of Object.values(keys)) {
      types[type] = (types[type] ?? 0) + 1;
      databases[database] = (databases[database] ?? 0) + 1;
    }
  }
  return [types, databases];
}

function keysOf(counts: Record<string, { keys: number }>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([name, { keys }]) => [name, keys]));
}

for (const name of corpusNames()) {
  Deno.test(`check tells of ${name} what a real server reads from it`, async () => {
    const expected = corpusExpected(name);
    const { exitCode, report } = await check(corpusFile(name).pathname);
    assertEquals([exitCode, report.sound, report.kind], [0, true, "snapshot"]);
    const [{ snapshot, damage }] = report.files;
    assertEquals(damage, null);
    assertEquals(snapshot.version, expected.rdb_version);
    assertEquals(snapshot.checksum, /[1-9a-f]/.test(expected.checksum) ? "right" : "none");
    const libraries = (expected.functions ?? []).map(({ library }) => library);
    assertEquals(snapshot.libraries.toSorted(), libraries.toSorted());
    for (const [aux, value] of Object.entries(expected.aux ?? {})) {
      assertEquals(snapshot.aux[aux], String(value), aux);
    }
    // What is past its time is in the file and not in a server.
    if (name.endsWith("/expired")) return;
    const [types, databases] = countsOf(expected.dbs);
    assertEquals(keysOf(report.types), types);
    assertEquals(keysOf(report.databases), databases);
    const expiring = Object.values(expected.dbs).flatMap((keys) => Object.values(keys))
      .filter(({ ttl_ms_at }) => ttl_ms_at !== null).length;
    assertEquals(report.totals.expiring, expiring);
  });
}

for (const name of corpusNames(true)) {
  Deno.test(`check takes ${name} for sound where a real server loads it`, async () => {
    const { loads } = corpusExpected(name);
    const { exitCode, report } = await check(corpusFile(name).pathname);
    // How many databases a server has the file cannot tell.
    const isSound = loads === true || name === "bad/db-out-of-range";
    assertEquals([exitCode, report.sound], isSound ? [0, true] : [1, false]);
    assertEquals(report.files[0].damage === null, isSound);
  });
}

for (const entry of [...Deno.readDirSync(AOF)].filter(({ isDirectory }) => isDirectory)) {
  Deno.test(`check --load of aof/${entry.name} comes to what a real server comes to`, async () => {
    const expected = JSON.parse(Deno.readTextFileSync(join(AOF, `${entry.name}.json`)));
    const { report } = await check("--load", join(AOF, entry.name));
    const isCut = JSON.stringify(expected.log).includes("runcat");
    assertEquals(report.sound, expected.loads && !isCut);
    if (!expected.loads) return;
    const [types, databases] = countsOf(expected.dbs);
    assertEquals(keysOf(report.types), types);
    assertEquals(keysOf(report.databases), databases);
  });
}

Deno.test("check tells where the data stand in the history of replication", async () => {
  const { aux } = corpusExpected("redis-7.0.15/repl-aux");
  const { report } = await check(corpusFile("redis-7.0.15/repl-aux").pathname);
  assertEquals(report.replication?.id, aux!["repl-id"]);
  assertEquals(report.replication?.offset, Number(aux!["repl-offset"]));
});

/** A snapshot of version 10 without a checksum. */
function snapshotOf(...records: string[]): Uint8Array {
  return latin1(`REDIS0010${records.join("")}\xff${"\0".repeat(8)}`);
}

const string = (key: string, value: string) =>
  `\0${String.fromCharCode(key.length)}${key}${String.fromCharCode(value.length)}${value}`;

async function withFile<T>(
  name: string,
  bytes: Uint8Array,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeFileSync(join(folder, name), bytes);
    return await use(join(folder, name));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("check tells the first damage: its byte, the key being read, the last that is whole", async () => {
  // A set of two members one of which comes twice.
  const bytes = snapshotOf(string("good", "v"), "\x02\x03bad\x02\x01a\x01a", string("after", "v"));
  await withFile("dump.rdb", bytes, async (path) => {
    const { exitCode, report } = await check(path);
    assertEquals([exitCode, report.totals.keys], [1, 1]);
    const { damage } = report.files[0];
    assertEquals([damage.kind, damage.offset, damage.soundBytes], ["corrupt", 25, 17]);
    assertMatch(damage.what, /^a member is there twice/);
    assertEquals([damage.key?.key, damage.key?.type, damage.key?.begin], ["bad", "set", 17]);
    assertEquals([damage.lastKey?.key, damage.lastKey?.end], ["good", 17]);

    const { output } = await runToolWith(["check", path]);
    assertMatch(output, /^Damaged at byte 25: a member is there twice/m);
    assertStringIncludes(output, 'the value of "bad" (set, database 0), which begins at byte 17');
    assertStringIncludes(
      output,
      'the last key that is whole: "good" (string, database 0), up to byte 17',
    );
    assertMatch(output, /^NOT SOUND\.$/m);
  });
});

Deno.test("check refuses a key that comes twice, in one database and not in two", async () => {
  const key = string("k", "v");
  await withFile("dump.rdb", snapshotOf(key, key), async (path) => {
    const { report } = await check(path);
    assertEquals(report.files[0].damage.what, 'key "k" is there twice');
  });
  await withFile("dump.rdb", snapshotOf(key, "\xfe\x01", key), async (path) => {
    assertEquals((await check(path)).report.totals.keys, 2);
  });
});

Deno.test("check of an append-only file counts commands, and names what no server runs", async () => {
  const set = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n";
  await withFile(
    "appendonly.aof",
    latin1(`#TS:1700000000\r\n${set}${set}*1\r\n$4\r\nNOPE\r\n`),
    async (path) => {
      const { exitCode, report } = await check(path);
      const [{ commands, damage }] = report.files;
      assertEquals([exitCode, commands.count, commands.byName.set.commands], [1, 2, 2]);
      assertEquals([damage.kind, damage.offset], ["refused", 16 + 2 * set.length]);
      assertMatch(damage.what, /unknown command 'nope'/);
    },
  );
  await withFile(
    "appendonly.aof",
    latin1("*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$3\r\nGET\r\n"),
    async (path) => {
      const { report } = await check(path);
      assertMatch(report.files[0].damage.what, /wrong number of arguments for 'get'/);
    },
  );
});

Deno.test("check of a log with a comment at its head reads on behind it", async () => {
  const log = "# diverged from a master\r\n# at offset 17\r\n*1\r\n$8\r\nFLUSHALL\r\n";
  await withFile("diverged-1.aof", latin1(log), async (path) => {
    const { exitCode, report } = await check(path);
    assertEquals([exitCode, report.kind, report.files[0].commands.count], [
      0,
      "append-only file",
      1,
    ]);
  });
});

const REFUSALS: [name: string, bytes: string, exitCode: number, told: RegExp][] = [
  ["dump.rdb", "", 1, /Damaged at byte 0: the file is empty/],
  ["appendonly.aof", "", 0, /0 commands/],
  ["random.bin", "\x93\x01\xfe\x77random", 1, /neither a snapshot nor an append-only file/],
  ["dump.rdb.gz", "\x1f\x8b\x08\0\0\0\0\0", 3, /packed by gzip: unpack it first \(gunzip\)/],
  ["dump.rdb.zst", "\x28\xb5\x2f\xfd\0\0", 3, /packed by zstd/],
  ["dump.rdb", "REDIS0099", 1, /Not understood at byte 5: RDB format version 99/],
  ["dump.rdb", "REDIS", 1, /Damaged at byte 0: unexpected end of file/],
  ["a.manifest", "file\n", 1, /Damaged: Invalid AOF manifest file format, line 1/],
  [
    "a.manifest",
    "file gone.aof seq 1 type i\n",
    1,
    /gone\.aof.*\n {2}Damaged: there is no such file/,
  ],
];
for (const [name, bytes, exitCode, told] of REFUSALS) {
  Deno.test(`check of ${name} that begins with ${JSON.stringify(bytes.slice(0, 9))} ends with ${exitCode}`, async () => {
    await withFile(name, latin1(bytes), async (path) => {
      const run = await runToolWith(["check", path]);
      assertEquals(run.exitCode, exitCode, run.output + run.remarks);
      assertMatch(run.output + run.remarks, told);
    });
  });
}

Deno.test("check of nothing, and of a folder without data, fails", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const missing = await runToolWith(["check", join(folder, "missing.rdb")]);
    assertEquals([missing.exitCode, missing.output], [3, ""]);
    assertMatch(missing.remarks, /^tsredis check: .*missing\.rdb: No such file or directory$/m);
    const empty = await runToolWith(["check", `${folder}/`]);
    assertEquals([empty.exitCode, empty.output], [3, ""]);
    assertMatch(empty.remarks, /has no data in it: no manifest, no \*\.rdb, no \*\.aof\.$/m);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("check of a folder tells of each dataset in it", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeFileSync(join(folder, "dump.rdb"), corpusBytes("redis-7.2.6/mixed"));
    Deno.writeTextFileSync(join(folder, "temp-1.rdb"), "not finished");
    Deno.writeTextFileSync(join(folder, "redis.conf"), "port 1");
    const from = join(AOF, "two-incr-files/appendonlydir");
    Deno.mkdirSync(join(folder, "appendonlydir"));
    for (const { name } of Deno.readDirSync(from)) {
      const bytes = Deno.readFileSync(join(from, name));
      Deno.writeFileSync(join(folder, "appendonlydir", name), bytes);
    }
    const { exitCode, output } = await runToolWith(["check", "--json", folder]);
    const reports = output.trimEnd().split("\n").map((line) => JSON.parse(line) as Report);
    assertEquals(exitCode, 0);
    assertEquals(reports.map(({ kind, files }) => [kind, files.length]), [
      ["snapshot", 1],
      ["append-only file", 3],
    ]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("check shows how far it is at a terminal alone, and Ctrl-C ends it", async () => {
  const path = corpusFile("redis-7.2.6/mixed").pathname;
  // A clock that runs: every look at it is a second later.
  let nowMs = 0;
  const clock = { now: () => CORPUS_NOW_MS, monotonic: () => nowMs += 1000 };
  const shown = await runToolWith(["check", path], { isTerminal: true, runtime: { clock } });
  assertEquals(shown.exitCode, 0);
  assertMatch(shown.remarks, /\rReading: [\d.]+\w+ of 15\.41K, \d+ keys, \d+ %, \d+ s left/);
  assert(shown.remarks.endsWith("\r\x1b[K"));
  const piped = await runToolWith(["check", path], { runtime: { clock } });
  assertEquals([piped.output, piped.remarks], [shown.output, ""]);
  const ended = await runToolWith(["check", path], {
    runtime: { clock },
    onHost: (host) => host.interrupt(),
  });
  assertEquals([ended.exitCode, ended.output, ended.remarks], [130, "", "Interrupted.\n"]);
});

Deno.test("check of a file that somebody cut is the same at every length: damaged, never a fault", async () => {
  const bytes = corpusBytes("redis-7.2.6/functions-only");
  for (let length = 1; length < bytes.length; length += 7) {
    await withFile("dump.rdb", bytes.subarray(0, length), async (path) => {
      assertEquals((await runToolWith(["check", path])).exitCode, 1, `${length} bytes`);
    });
  }
});
