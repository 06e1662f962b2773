/** `tsredis convert`: files of real servers in each form and back, what is refused, and what is left where. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { corpusExpected, corpusFile, corpusNames } from "../rdb/corpus.ts";
import { CORPUS_NOW_MS, expectedDataset, loadBytes, saveToBytes } from "../rdb/datasets.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { runToolWith } from "../support/tool_runs.ts";
import { WorkFolder } from "../support/work_folder.ts";
import { datasetOf, librariesOf, linesOf, told } from "./json_datasets.ts";

const VERSIONS = [6, 7, 8, 9, 10, 11, 12];
const NOW = { nowMs: CORPUS_NOW_MS };
/** Scenarios with keys whose time is over: they are converted, and no server keeps them. */
const EXPIRED = /\/expired$/;

function corpusPath(name: string): string {
  return fromFileUrl(corpusFile(name));
}

/** Runs convert, which has to end well, or (with `lossy`) with something left out. */
async function convert(...words: string[]): Promise<string> {
  const { exitCode, remarks, output } = await runToolWith(["convert", ...words]);
  assertEquals(output, "");
  const isLossy = words.includes("--lossy") && exitCode === 1;
  assert(exitCode === 0 || isLossy, `exit code ${exitCode}: ${remarks}`);
  return remarks;
}

async function assertSame(a: string, b: string): Promise<void> {
  const { exitCode, output } = await runToolWith([
    "diff",
    "--expired",
    "--expiry-tolerance",
    "0",
    a,
    b,
  ]);
  assertEquals(exitCode, 0, output);
}

/** A server with what a snapshot has, less the keys that a remark names as left out. */
function loaded(path: string, leftOut = ""): TestServer {
  const server = testServer({ ...NOW, directives: { databases: 64 } });
  loadBytes(server.keyspace, Deno.readFileSync(path));
  for (
    const [, key, database] of leftOut.matchAll(/ ("(?:[^"\\]|\\.)*")[^"\n]* \(database (\d+)\)/g)
  ) {
    server.run("SELECT", database);
    server.run("DEL", unquoted(key));
  }
  server.run("SELECT", 0);
  return server;
}

/** What printable.ts has put into quotes. */
function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(x..|.)/g, (_, escape: string) => {
    if (escape.length === 3) return String.fromCharCode(parseInt(escape.slice(1), 16));
    return { n: "\n", r: "\r", t: "\t", a: "\x07", b: "\b" }[escape] ?? escape;
  });
}

for (const name of corpusNames()) {
  Deno.test(`convert: ${name} in versions 6 to 12, and back, is what it was`, async () => {
    using folder = new WorkFolder();
    const path = corpusPath(name);
    for (const version of VERSIONS) {
      const out = folder.at(`${version}.rdb`);
      const leftOut = await convert(path, out, "--rdb-version", `${version}`, "--lossy");
      assertEquals(toLatin1(Deno.readFileSync(out), 0, 9), `REDIS${`${version}`.padStart(4, "0")}`);
      const expected = loaded(path, leftOut);
      assertEquals(datasetDigest(loaded(out).keyspace), datasetDigest(expected.keyspace));
      const back = folder.at(`${version}-back.rdb`);
      await convert(out, back, "--rdb-version", "12");
      await assertSame(out, back);
      if (leftOut === "") await assertSame(path, out);
      else assertStringIncludes(leftOut, `RDB version ${version} cannot hold`);
    }
  });

  Deno.test(`convert: ${name} as JSON tells what real servers read`, async () => {
    using folder = new WorkFolder();
    const out = folder.at("out.json");
    await convert(corpusPath(name), out, "--json");
    const { dbs, functions } = corpusExpected(name);
    const lines = linesOf(out);
    if (!EXPIRED.test(name)) assertEquals(told(datasetOf(lines)), told(expectedDataset(dbs)));
    assertEquals(librariesOf(lines).sort(), (functions ?? []).map(({ code }) => code).sort());
    const file = corpusExpected(name).dbs;
    for (const { db, key, idle_s, frequency } of lines) {
      const says = file[db]?.[key as string];
      if (says === undefined) continue;
      assertEquals([idle_s, frequency], [says.file_idle_s, says.file_freq]);
    }
  });

  Deno.test(`convert: ${name} as commands, and back, is what it was`, async () => {
    using folder = new WorkFolder();
    const path = corpusPath(name);
    const log = folder.at("out.aof");
    await convert(path, log, "--aof");
    await assertSame(path, log);
    const back = folder.at("back.rdb");
    await convert(log, back);
    assertEquals(datasetDigest(loaded(back).keyspace), datasetDigest(loaded(path).keyspace));
  });
}

/** Append-only files of the corpus that a server starts with. */
function loadableLogs(): string[] {
  const folder = new URL("../fixtures/aof/", import.meta.url);
  return [...Deno.readDirSync(folder)].filter(({ name, isDirectory }) =>
    isDirectory && JSON.parse(Deno.readTextFileSync(new URL(`${name}.json`, folder))).loads
  ).map(({ name }) => name).sort();
}

for (const name of loadableLogs()) {
  Deno.test(`convert: the append-only file ${name} as JSON tells what real servers read`, async () => {
    using folder = new WorkFolder();
    const fixture = new URL(`../fixtures/aof/${name}`, import.meta.url);
    const out = folder.at("out.json");
    const before = namesBelow(fromFileUrl(fixture));
    await convert(fromFileUrl(fixture), out, "--json");
    assertEquals(namesBelow(fromFileUrl(fixture)), before);
    const { dbs } = JSON.parse(Deno.readTextFileSync(new URL(`${fixture}.json`)));
    assertEquals(told(datasetOf(linesOf(out)), false), told(expectedDataset(dbs), false));
    const log = folder.at("out.aof");
    await convert(fromFileUrl(fixture), log, "--aof");
    await assertSame(fromFileUrl(fixture), log);
  });
}

/** Names and sizes of all that is in a folder. */
function namesBelow(path: string): string[] {
  return [...Deno.readDirSync(path)].flatMap(({ name, isDirectory }) => {
    const inner = `${path}/${name}`;
    return isDirectory ? namesBelow(inner) : [`${inner} ${Deno.statSync(inner).size}`];
  }).sort();
}

// -- what is refused, and what is left ---------------------------------------------------------

/** A snapshot of a server of ours. */
function snapshotOf(folder: WorkFolder, name: string, ...commands: (string | number)[][]): string {
  const server = testServer();
  for (const command of commands) server.run(...command);
  return folder.write(name, saveToBytes(server.keyspace));
}

const STREAM = ["XADD", "the stream", "1-1", "f", "v"];
const FIELDS = [["HSET", "h", "f", "v"], ["HPEXPIREAT", "h", "4000000000000", "FIELDS", "1", "f"]];
const LIBRARY = [
  "FUNCTION",
  "LOAD",
  "#!lua name=lib\nredis.register_function('f', function() end)",
];

for (
  const [what, commands, version, named] of [
    ["a stream before 9", [STREAM], 8, 'the stream "the stream"'],
    ["fields that expire before 12", FIELDS, 11, 'fields of the hash "h" expire'],
    ["a function library before 10", [LIBRARY], 9, "the function library lib"],
  ] as const
) {
  Deno.test(`convert refuses ${what}, and leaves it out if it may`, async () => {
    using folder = new WorkFolder();
    const path = snapshotOf(folder, "in.rdb", ["SET", "k", "v"], ...commands.map((c) => [...c]));
    const out = folder.at("out.rdb");
    const words = ["convert", path, out, "--rdb-version", `${version}`];
    const refused = await runToolWith(words);
    assertEquals(refused.exitCode, 3);
    assertStringIncludes(refused.remarks, named);
    assertStringIncludes(refused.remarks, "--lossy");
    assertEquals(folder.names, ["in.rdb"]);

    const lossy = await runToolWith([...words, "--lossy"]);
    assertEquals(lossy.exitCode, 1);
    assertStringIncludes(
      lossy.remarks,
      `${named} (database 0): it is left out`.replace("lib (database 0)", "lib"),
    );
    const kept = loaded(out);
    assertEquals(kept.run("KEYS", "*"), ["k"]);
    assertEquals(kept.keyspace.libraries.count, 0);
  });
}

Deno.test("convert without a version writes 10, and 12 where fields expire", async () => {
  using folder = new WorkFolder();
  const plain = snapshotOf(folder, "plain.rdb", STREAM, LIBRARY);
  assertEquals(await convert(plain, folder.at("10.rdb")), "");
  assertEquals(toLatin1(Deno.readFileSync(folder.at("10.rdb")), 0, 9), "REDIS0010");
  const timed = snapshotOf(folder, "timed.rdb", ["SET", "k", "v"], ...FIELDS);
  assertStringIncludes(await convert(timed, folder.at("12.rdb")), "version 12 is written");
  assertEquals(toLatin1(Deno.readFileSync(folder.at("12.rdb")), 0, 9), "REDIS0012");
  await assertSame(timed, folder.at("12.rdb"));
});

Deno.test("convert writes over nothing, and reads nothing for that long", async () => {
  using folder = new WorkFolder();
  const path = snapshotOf(folder, "in.rdb", ["SET", "k", "v"]);
  const out = folder.write("out.rdb", "precious");
  const { exitCode, remarks } = await runToolWith(["convert", path, out]);
  assertEquals([exitCode, Deno.readTextFileSync(out)], [3, "precious"]);
  assertStringIncludes(remarks, "is there already");
  assertEquals(folder.names, ["in.rdb", "out.rdb"]);
});

Deno.test("convert says what is wrong with its options", async () => {
  for (
    const [words, remark] of [
      [["--rdb-version", "5"], "from 6 to 12"],
      [["--rdb-version", "x"], "from 6 to 12"],
      [["--json", "--aof"], "two things"],
      [["--json", "--rdb-version", "9"], "no versions"],
    ] as const
  ) {
    const { exitCode, remarks } = await runToolWith(["convert", "in", "out", ...words]);
    assertEquals(exitCode, 2, remarks);
    assertStringIncludes(remarks, remark);
  }
});

Deno.test("convert of a snapshot whose end is missing leaves no file", async () => {
  using folder = new WorkFolder();
  const path = snapshotOf(folder, "in.rdb", ["SET", "k", "v"], ["SET", "l", "w"]);
  const cut = folder.write("cut.rdb", Deno.readFileSync(path).slice(0, -12));
  for (const kind of [[], ["--json"], ["--aof"]]) {
    const { exitCode, remarks } = await runToolWith(["convert", cut, folder.at("out"), ...kind]);
    assertEquals(exitCode, 3);
    assertStringIncludes(remarks, "unexpected end of file");
    assertStringIncludes(remarks, "tsredis check");
    assertEquals(folder.names, ["cut.rdb", "in.rdb"]);
  }
});

Deno.test("convert that is interrupted leaves no file", async () => {
  using folder = new WorkFolder();
  const commands = Array.from({ length: 20_000 }, (_, i) => ["SET", `key:${i}`, "x".repeat(100)]);
  const path = snapshotOf(folder, "in.rdb", ...commands);
  // By this clock it is time to look for signals again and again.
  let ms = 0;
  const clock = { now: () => 0, monotonic: () => ms += 30 };
  const { exitCode } = await runToolWith(["convert", path, folder.at("out.rdb")], {
    onHost: (host) => host.interrupt(),
    runtime: { clock },
  });
  assertEquals([exitCode, folder.names], [130, ["in.rdb"]]);
});

Deno.test("convert leaves out data of modules only if it may", async () => {
  using folder = new WorkFolder();
  // A value of the type "ReJSON-RL" (module2): its number, one string, the end; then a plain key.
  const number = moduleTypeNumber("ReJSON-RL");
  const body = latin1(
    `REDIS0010\xfe\0\x07\x01j\x81${number}\x05\x02{}\0\0\x01k\x01v\xff${"\0".repeat(8)}`,
  );
  const path = folder.write("in.rdb", body);
  const refused = await runToolWith(["convert", path, folder.at("out.rdb")]);
  assertEquals([refused.exitCode, folder.names], [3, ["in.rdb"]]);
  assertStringIncludes(refused.remarks, `"j" (database 0), of its type 'ReJSON-RL'`);
  const lossy = await runToolWith(["convert", path, folder.at("out.rdb"), "--lossy"]);
  assertEquals(lossy.exitCode, 1, lossy.remarks);
  assertEquals(loaded(folder.at("out.rdb")).run("KEYS", "*"), ["k"]);
});

/** A module type's name of nine characters as the number that stands in a snapshot, in eight bytes. */
function moduleTypeNumber(name: string): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  let number = 0n;
  for (const c of name) number = (number << 6n) | BigInt(letters.indexOf(c));
  number <<= 10n;
  return Array.from({ length: 8 }, (_, i) => Number((number >> BigInt(56 - 8 * i)) & 255n))
    .map((byte) => String.fromCharCode(byte)).join("");
}

Deno.test("convert: strings that are no UTF-8 are base64 in JSON, all others text", async () => {
  using folder = new WorkFolder();
  const path = snapshotOf(
    folder,
    "in.rdb",
    ["SET", "\xff\0", "\xed\xa0\x80"], // half of a surrogate pair
    ["SET", '\xc3\xa4 "\\\n\x01\x7f', "\xf0\x9f\x98\x80\xe2\x80\xa8"],
    ["SET", "", ""],
  );
  const out = folder.at("out.json");
  await convert(path, out, "--json");
  const lines = linesOf(out).map(({ key, value }) => [key, value]);
  assertEquals(lines.find(([key]) => key === ""), ["", ""]);
  assertEquals(lines.find(([key]) => typeof key !== "string"), [
    { base64: "/wA=" },
    { base64: "7aCA" },
  ]);
  assertEquals(lines.find(([key]) => key === 'ä "\\\n\x01\x7f')?.[1], "😀\u2028");
});
