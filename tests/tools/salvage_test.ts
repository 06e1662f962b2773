/** `tsredis check --salvage`: what is kept of a damaged file, what is lost, and what is written when. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { latin1 } from "../../src/base/bytes.ts";
import { runtime } from "../../src/runtime/here.ts";
import { SystemError } from "../../src/runtime/system_error.ts";
import { corpusBytes, corpusFile, corpusNames } from "../rdb/corpus.ts";
import { loadBytes, readDataset } from "../rdb/datasets.ts";
import { scanBytes } from "../rdb/scans.ts";
import { testServer } from "../support/test_server.ts";
import { runToolWith, type ToolRunOptions } from "../support/tool_runs.ts";

const AOF = new URL("../fixtures/aof/", import.meta.url).pathname;

interface Done {
  readonly exitCode: number;
  readonly report: {
    complete: boolean;
    keys: number;
    files: {
      altered: boolean;
      commands: number;
      lostCommands: { from: number; what: string } | null;
      losses: {
        from: number;
        to: number;
        how: string | null;
        key: { key: string } | null;
        doubtful: { key: string }[];
        suspect: { key: string }[];
      }[];
    }[];
  };
  readonly out: Uint8Array<ArrayBuffer>;
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = Deno.makeTempDirSync();
  try {
    return await use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function salvage(bytes: Uint8Array): Promise<Done> {
  return inFolder(async (folder) => {
    const path = join(folder, "dump.rdb");
    Deno.writeFileSync(path, bytes);
    return await salvageFile(path, folder);
  });
}

async function salvageFile(path: string, folder: string): Promise<Done> {
  const out = join(folder, "out.rdb");
  const { exitCode, output, remarks } = await runToolWith([
    "check",
    "--json",
    "--salvage",
    out,
    path,
  ]);
  assertEquals(remarks, "");
  assertEquals([...Deno.readDirSync(folder)].filter(({ name }) => name.includes(".part-")), []);
  return { exitCode, report: JSON.parse(output), out: Deno.readFileSync(out) };
}

/** The content of a snapshot as commands answer it. */
function contentOf(bytes: Uint8Array): Record<string, Record<string, unknown>> {
  const server = testServer();
  loadBytes(server.keyspace, bytes);
  return readDataset(server) as Record<string, Record<string, unknown>>;
}

/** The records of a snapshot, in their order. */
function recordsOf(bytes: Uint8Array): { key: string; from: number; to: number }[] {
  const records: { key: string; from: number; to: number }[] = [];
  scanBytes(bytes, {
    onKey: (scan) => void records.push({ key: scan.keyText, from: scan.recordAt, to: scan.offset }),
  }, false);
  return records;
}

for (const name of corpusNames()) {
  Deno.test(`a salvage of ${name}, which is sound, loses nothing`, async () => {
    const bytes = corpusBytes(name);
    const { exitCode, report, out } = await salvage(bytes);
    assertEquals([exitCode, report.complete], [0, true]);
    assertEquals(recordsOf(out), recordsOf(bytes));
    assertEquals(contentOf(out), contentOf(bytes));
  });
}

const string = (key: string, value: string) =>
  `\0${String.fromCharCode(key.length)}${key}${String.fromCharCode(value.length)}${value}`;
const snapshot = (...records: string[]) =>
  latin1(`REDIS0010${records.join("")}\xff${"\0".repeat(8)}`);
const strings = (count: number) =>
  Array.from({ length: count }, (_, i) => string(`key:${i}`, `value ${i}`));

Deno.test("behind a value whose content alone is damaged a salvage goes on at its end", async () => {
  // A set of which a member comes twice; expiry and database of what comes behind it stay.
  const bad = "\x02\x03bad\x02\x01a\x01a";
  const behind = ["\xfc\0\0\0\0\xff\x0f\0\0" + string("late", "v"), "\xfe\x03", ...strings(4)];
  const { exitCode, report, out } = await salvage(snapshot(string("first", "v"), bad, ...behind));
  assertEquals([exitCode, report.keys], [1, 6]);
  const [{ losses }] = report.files;
  assertEquals(losses.map(({ from, to, how, key }) => [from, to, how, key?.key]), [
    [18, 18 + bad.length, "frame", "bad"],
  ]);
  assertEquals(contentOf(out), contentOf(snapshot(string("first", "v"), ...behind)));
});

Deno.test("a key that comes twice is kept once", async () => {
  const { report, out } = await salvage(
    snapshot(string("k", "1"), string("k", "2"), ...strings(5)),
  );
  assertEquals(report.files[0].losses.map(({ how, key }) => [how, key?.key]), [["frame", "k"]]);
  assertEquals(contentOf(out), contentOf(snapshot(string("k", "1"), ...strings(5))));
});

Deno.test("behind damaged lengths a salvage goes on where all the rest can be read, but for three keys", async () => {
  const records = strings(20);
  const damaged = [...records];
  // The length of the value takes in all the rest.
  damaged[5] = "\0\x05key:5\x80\xff\xff\xff\xff";
  const { exitCode, report, out } = await salvage(snapshot(...damaged));
  assertEquals([exitCode, report.keys], [1, 5 + 11]);
  const [loss] = report.files[0].losses;
  assertEquals([loss.how, loss.doubtful.map(({ key }) => key)], ["search", [
    "key:6",
    "key:7",
    "key:8",
  ]]);
  // The damage may be theirs, too.
  assertEquals(loss.suspect.map(({ key }) => key), ["key:2", "key:3", "key:4"]);
  const kept = records.filter((_, i) => i < 5 || i > 8);
  assertEquals(contentOf(out), contentOf(snapshot(...kept)));
});

Deno.test("what looks like keys within a damaged value does not become keys", async () => {
  // The value holds a key as a snapshot has it, and one that swallows what comes next.
  const inner = string("fake", "v") + string("fake2", "v");
  const bad = `\0\x03bad\x80\xff\xff\xff\xff${inner}\x20\x20`;
  const { report, out } = await salvage(snapshot(string("first", "v"), bad, ...strings(10)));
  assertEquals(report.files[0].losses[0].how, "search");
  const kept = Object.keys(contentOf(out)[0] ?? contentOf(out)["0"]);
  assert(!kept.some((key) => key.startsWith("fake")), kept.join());
});

Deno.test("of a snapshot that was cut off a salvage keeps what comes before", async () => {
  const bytes = corpusBytes("redis-7.2.6/mixed");
  const records = recordsOf(bytes);
  const { exitCode, report, out } = await salvage(bytes.subarray(0, records[40].to - 1));
  assertEquals([exitCode, report.keys], [1, 40]);
  assertEquals(report.files[0].losses.map(({ from, to, how }) => [from, to, how]), [
    [records[40].from, records[40].to - 1, null],
  ]);
  assertEquals(recordsOf(out).map(({ key }) => key), records.slice(0, 40).map(({ key }) => key));
});

Deno.test("a salvage of what only the checksum is wrong of keeps all, and says so", async () => {
  const { exitCode, report, out } = await salvage(corpusBytes("bad/bad-checksum"));
  assertEquals([exitCode, report.complete, report.files[0].altered, report.keys], [
    1,
    false,
    true,
    90,
  ]);
  scanBytes(out); // its checksum is right
});

/** Keys of each database. */
function keysByDatabase(bytes: Uint8Array): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  scanBytes(bytes, {
    onKey: (scan) => void (found[scan.databaseIndex] ??= []).push(scan.keyText),
  });
  return Object.fromEntries(
    Object.entries(found).map(([database, keys]) => [database, keys.sort()]),
  );
}

for (const entry of [...Deno.readDirSync(AOF)].filter(({ isDirectory }) => isDirectory)) {
  const expected = JSON.parse(Deno.readTextFileSync(join(AOF, `${entry.name}.json`)));
  if (!expected.loads) continue;
  Deno.test(`a salvage of aof/${entry.name} has what a real server has that cuts it`, () =>
    inFolder(async (folder) => {
      const { exitCode, report, out } = await salvageFile(join(AOF, entry.name), folder);
      const dbs: [string, object][] = Object.entries(expected.dbs);
      const keys = dbs.map(([database, keys]) => [database, Object.keys(keys).sort()]);
      assertEquals(keysByDatabase(out), Object.fromEntries(keys));
      assertEquals(exitCode === 0, report.files.every(({ lostCommands }) => lostCommands === null));
    }));
}

Deno.test("commands behind a damaged one are not run, nor files behind that", () =>
  inFolder(async (folder) => {
    const set = (key: string) => `*3\r\n$3\r\nSET\r\n$1\r\n${key}\r\n$1\r\nv\r\n`;
    Deno.writeTextFileSync(join(folder, "1.aof"), `${set("a")}*1\r\n$x\r\n${set("b")}`);
    Deno.writeTextFileSync(join(folder, "2.aof"), set("c"));
    const manifest = join(folder, "a.manifest");
    Deno.writeTextFileSync(manifest, "file 1.aof seq 1 type i\nfile 2.aof seq 2 type i\n");
    const { exitCode, report, out } = await salvageFile(manifest, folder);
    assertEquals([exitCode, keysByDatabase(out)], [1, { 0: ["a"] }]);
    assertEquals(report.files.map(({ lostCommands }) => lostCommands?.from), [27, 0]);
  }));

Deno.test("a salvage writes over nothing, and makes no file of what cannot be read", () =>
  inFolder(async (folder) => {
    const path = join(folder, "dump.rdb");
    const out = join(folder, "out.rdb");
    Deno.writeFileSync(path, corpusBytes("redis-7.2.6/mixed"));
    Deno.writeTextFileSync(out, "mine");
    const refused = await runToolWith(["check", "--salvage", out, path]);
    assertEquals([refused.exitCode, refused.output], [3, ""]);
    assertStringIncludes(refused.remarks, "is there already; nothing is written over it.");
    assertEquals(Deno.readTextFileSync(out), "mine");

    Deno.removeSync(out);
    Deno.writeTextFileSync(path, "no snapshot at all");
    const empty = await runToolWith(["check", "--salvage", out, path]);
    assertEquals(empty.exitCode, 3);
    assertMatch(empty.remarks, /nothing can be read of .*; .* is not made\./);
    const nowhere = await runToolWith(["check", "--salvage", join(folder, "no/out.rdb"), path]);
    assertEquals(nowhere.exitCode, 3);
    assertMatch(nowhere.remarks, /cannot write .*: No such file or directory/);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["dump.rdb"]);
  }));

async function endsWithoutAFile(
  options: ToolRunOptions,
  exitCode: number,
  remarks: RegExp,
): Promise<void> {
  for (const name of ["redis-7.2.6/mixed", "aof"]) {
    await inFolder(async (folder) => {
      const path = name === "aof" ? join(AOF, "two-incr-files") : corpusFile(name).pathname;
      const done = await runToolWith(
        ["check", "--salvage", join(folder, "out.rdb"), path],
        options,
      );
      assertEquals([done.exitCode, done.output], [exitCode, ""]);
      assertMatch(done.remarks, remarks);
      assertEquals([...Deno.readDirSync(folder)], []);
    });
  }
}

Deno.test("a salvage that Ctrl-C ends leaves no file, wherever it is", async () => {
  // A clock that runs: every look at it is a second later. The signal comes at one look after the other.
  for (let look = 1; look < 60; look += 7) {
    let looks = 0;
    let interrupt = () => {};
    const clock = {
      now: () => 0,
      monotonic: () => {
        if (++looks >= look) interrupt();
        return looks * 1000;
      },
    };
    await inFolder(async (folder) => {
      const out = join(folder, "out.rdb");
      const done = await runToolWith(
        ["check", "--salvage", out, join(AOF, "two-incr-files")],
        { runtime: { clock }, onHost: (host) => interrupt = () => host.interrupt() },
      );
      const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
      if (done.exitCode === 130) assertEquals(names, [], `look ${look}`);
      else assertEquals([done.exitCode, names], [0, ["out.rdb"]], `look ${look}`);
    });
  }
});

/** Opens a file; what is being made has no room on its disk. */
function openFailing(...args: Parameters<typeof runtime.files.open>) {
  const file = runtime.files.open(...args);
  if (!args[0].includes(".part-")) return file;
  return new Proxy(file, {
    get(target, name) {
      if (name === "write") {
        return () => {
          throw new SystemError("ENOSPC");
        };
      }
      const member = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

Deno.test("a salvage to a disk that fails leaves no file", async () => {
  const files = new Proxy(runtime.files, {
    get(target, name) {
      if (name === "open") return openFailing;
      const member = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  await endsWithoutAFile({ runtime: { files } }, 3, /cannot write .*: No space left on device/);
});
