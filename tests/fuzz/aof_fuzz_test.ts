/**
 * Damaged append-only files, made of those of real servers and of one of ours: each is refused with a line for the
 * log or loads, and what has loaded is there again after the next start. Nothing is allocated beyond what its size
 * explains.
 */

import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { Manifest, ManifestError } from "../../src/aof/manifest.ts";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { World } from "../../src/runtime/simulated.ts";
import type { Files } from "../../src/runtime/runtime.ts";
import { CORPUS_NOW_MS } from "../rdb/datasets.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";
import { refuseAllocations } from "../support/refused_allocations.ts";
import { testServer } from "../support/test_server.ts";
import { allocationMax, damaged } from "./damage.ts";
import { requestOf } from "./drawn_input.ts";

const FIXTURES = new URL("../fixtures/aof/", import.meta.url);
const DIRECTORY = "appendonlydir";
const MANIFEST = `${DIRECTORY}/appendonly.aof.manifest`;
/** What a start may refuse a file for. */
const REFUSALS = new RegExp([
  "reading the append only file",
  "reading the RDB (base file|preamble)",
  "^Fatal error: (the truncated file|can't open)",
  "AOF manifest|^Found |^Unknown AOF|can't be a path",
  "^Unable to obtain the AOF file|^Can't open",
  "^The append log file .* doesn't exist",
].join("|"));

/** The files of an append-only file, by their paths. */
type AofFiles = ReadonlyMap<string, Uint8Array>;

function fixtureFiles(): AofFiles[] {
  const found: AofFiles[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(FIXTURES)) {
    if (!isDirectory) continue;
    const files = new Map<string, Uint8Array>();
    const read = (folder: URL, path: string) => {
      for (const entry of Deno.readDirSync(folder)) {
        if (entry.isDirectory) read(new URL(`${entry.name}/`, folder), `${path}${entry.name}/`);
        else files.set(path + entry.name, Deno.readFileSync(new URL(entry.name, folder)));
      }
    };
    read(new URL(`${name}/`, FIXTURES), "");
    found.push(files);
  }
  return found;
}

/** One of ours: transactions, functions, positions and times beside all kinds of values. */
function ours(): AofFiles {
  const far = "4000000000000";
  const requests = [
    ["SELECT", "0"],
    ...Array.from({ length: 40 }, (_, i) => ["SET", `s${i}`, "v".repeat(i * 7), "PXAT", far]),
    ...Array.from({ length: 40 }, (_, i) => ["RPUSH", `l${i % 3}`, `e${i}`, "x".repeat(i * 9)]),
    ["MULTI"],
    ["HSET", "h", "f", "v", "g", "w"],
    ["HPEXPIREAT", "h", far, "FIELDS", "1", "f"],
    ["ZADD", "z", "1.5", "a", "-inf", "b"],
    ["EXEC"],
    ["XADD", "x", "1-1", "f", "v"],
    ["XGROUP", "CREATE", "x", "g", "0"],
    ["XCLAIM", "x", "g", "c", "0", "1-1", "TIME", far, "RETRYCOUNT", "1", "FORCE", "JUSTID"],
    ["FUNCTION", "LOAD", "#!lua name=one\nredis.register_function('f', function() end)"],
    ["SELECT", "5"],
    ["SADD", "set", "1", "2", "three"],
  ];
  const text = "#TS:1700000000\r\n" + requests.map(requestOf).join("");
  return new Map([
    [MANIFEST, latin1("file appendonly.aof.1.incr.aof seq 1 type i\n")],
    [`${DIRECTORY}/appendonly.aof.1.incr.aof`, latin1(text)],
  ]);
}

function put(files: Files, path: string, bytes: Uint8Array): void {
  using file = files.open(`/data/${path}`, "write");
  file.write(new Uint8Array(bytes), 0, bytes.length);
}

/** Starts a server on what is there: the digest of what it has loaded, or why it has refused. */
async function start(
  files: Files,
  tailMax: number,
): Promise<{ digest?: string; refusal?: string }> {
  const server = testServer({
    folder: "/data",
    files,
    nowMs: CORPUS_NOW_MS,
    keepsStream: false,
    directives: {
      "proto-max-bulk-len": 1024 * 1024,
      "aof-load-corrupt-tail-max-size": tailMax,
      "save": [],
    },
  });
  try {
    await server.core.aof.start();
    return { digest: datasetDigest(server.keyspace) };
  } catch (error) {
    const { message } = error as Error;
    assert(REFUSALS.test(message), String((error as Error).stack));
    return { refusal: message };
  } finally {
    server.core.close();
  }
}

const seed = fuzzSeed(3);

Deno.test(`damaged append-only files load or are refused, and load the same again (seed ${seed})`, async () => {
  const random = new Random(seed);
  const sources = [...fixtureFiles(), ours(), ours()];
  const counts = { loaded: 0, refused: 0 };
  for (let round = fuzzRounds(120); round > 0; round--) {
    const source = random.pick(sources);
    const { files } = new World(random.draw).machine("a").start();
    files.makeFolder(`/data/${DIRECTORY}`);
    const names = [...source.keys()];
    // Rather what is loaded than the manifest.
    let victim = random.pick(names);
    if (victim.endsWith(".manifest")) victim = random.pick(names);
    let sizeBytes = 0;
    for (const [name, whole] of source) {
      let bytes = whole;
      if (name === victim) {
        for (let n = random.between(1, 3); n > 0; n--) bytes = damaged(bytes, random);
      }
      sizeBytes += bytes.length;
      put(files, name, bytes);
    }
    const tailMax = random.pick([0, 100, 1024 * 1024 * 1024]);
    const what = `round ${round} of seed ${seed}: ${victim} of ${names}`;
    let largest = 0;
    const putBack = refuseAllocations((bytes) => {
      largest = Math.max(largest, bytes);
      return false;
    });
    try {
      const first = await start(files, tailMax);
      const second = await start(files, tailMax);
      if (first.digest === undefined) counts.refused++;
      else counts.loaded++;
      // A start that cuts a file off, and then finds more that is wrong, may say something else.
      assertEquals(second.digest, first.digest, `${what}: ${first.refusal} ${second.refusal}`);
    } catch (cause) {
      throw new Error(`${what}: ${(cause as Error).message}`, { cause });
    } finally {
      putBack();
    }
    const most = allocationMax(sizeBytes);
    assert(largest <= most, `${what}: ${largest} bytes at once of ${sizeBytes}`);
  }
  assert(counts.loaded > 10 && counts.refused > 10, JSON.stringify(counts));
});

Deno.test(`damaged manifests are read or refused, and written as they are read (seed ${seed})`, () => {
  const random = new Random(seed + 1);
  const whole = latin1(
    'file " a \\n\\x01.1.base.rdb" seq 1 type b\nfile a.1.incr.aof seq 1 type h\n' +
      "file a.2.incr.aof seq 2 type i\nfile a.3.incr.aof seq 3 type i\n# a remark\n",
  );
  const counts = { read: 0, refused: 0 };
  for (let round = fuzzRounds(3_000); round > 0; round--) {
    let bytes: Uint8Array = whole;
    for (let n = random.between(1, 3); n > 0; n--) bytes = damaged(bytes, random);
    let manifest: Manifest;
    try {
      manifest = Manifest.parse(bytes);
    } catch (error) {
      assert(error instanceof ManifestError, String((error as Error).stack));
      counts.refused++;
      continue;
    }
    counts.read++;
    const text = manifest.toText();
    if (text === "") continue; // refused as an empty one
    assertEquals(Manifest.parse(latin1(text)).toText(), text);
  }
  assert(counts.read > 100 && counts.refused > 100, JSON.stringify(counts));
});
