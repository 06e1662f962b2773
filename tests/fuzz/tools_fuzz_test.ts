/**
 * Damaged files as the tools' input: cut, with bits flipped, with bytes of length turned into large numbers. Each run
 * ends with an exit code of the tool's own, never with a fault; a file is there only if the tool says so, whole, and
 * nothing else is left. Not covered: how much memory is taken, beyond what makes the runtime fail.
 */

import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { corpusBytes, corpusNames } from "../rdb/corpus.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";
import { runToolWith } from "../support/tool_runs.ts";
import { WorkFolder } from "../support/work_folder.ts";

/** Files to begin with: snapshots of all versions, and append-only files. */
function originals(): [name: string, bytes: Uint8Array][] {
  const logs = new URL("../fixtures/aof/", import.meta.url);
  const log = (path: string): [string, Uint8Array] => [
    "in.aof",
    Deno.readFileSync(fromFileUrl(new URL(path, logs))),
  ];
  return [
    ...corpusNames().map((name): [string, Uint8Array] => ["in.rdb", corpusBytes(name)]),
    ...corpusNames(true).map((name): [string, Uint8Array] => ["in.rdb", corpusBytes(name)]),
    log("single-redis-3.0.7-no-preamble/appendonly.aof"),
    log("single-redis-5.0.14-preamble/appendonly.aof"),
    log("single-redis-6.2.16-no-preamble/appendonly.aof"),
  ].filter(([, bytes]) => bytes.length < 100_000);
}

function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice();
  if (copy.length === 0) return copy;
  for (let left = random.between(1, 3); left > 0; left--) {
    const at = random.below(copy.length);
    const kind = random.below(4);
    if (kind < 2) copy[at] ^= 1 << random.below(8);
    else if (kind === 2) copy[at] = random.pick([0x80, 0x81, 0xc3, 0xff, 0xfa, 0xfe]);
    else copy.copyWithin(at, random.below(copy.length), random.below(copy.length));
  }
  return random.chance(0.3) ? copy.subarray(0, random.below(copy.length)) : copy;
}

const KINDS = [[], ["--json"], ["--aof"], ["--rdb-version", "6"], [
  "--rdb-version",
  "12",
  "--lossy",
]];

Deno.test("convert and diff of damaged files end as they should, and leave nothing", async () => {
  const files = originals();
  const seed = fuzzSeed(7);
  const codes = new Map<number, number>();
  for (let round = 0; round < fuzzRounds(400); round++) {
    const random = new Random(seed + round);
    using folder = new WorkFolder();
    const [name, bytes] = random.pick(files);
    const path = folder.write(name, damaged(bytes, random));
    const words = ["convert", path, folder.at("out"), ...random.pick(KINDS)];
    const said = `seed ${seed + round}: ${words.slice(3).join(" ")}`;
    const { exitCode, remarks } = await runToolWith(words);
    codes.set(exitCode, (codes.get(exitCode) ?? 0) + 1);
    assert([0, 1, 3].includes(exitCode), said);
    assert(exitCode === 0 || remarks !== "", said);
    assertEquals(folder.names, exitCode === 3 ? [name] : [name, "out"].sort(), said);
    const compared = await runToolWith(["diff", "--expired", "--skip-modules", path, path]);
    // One that is read by convert may have a key twice.
    assert([0, 3].includes(compared.exitCode), `${said}: ${compared.output}`);
    if (exitCode === 3 && !/cannot hold|module/.test(remarks)) {
      assertEquals(compared.exitCode, 3, `${said}: ${remarks}`);
    }
  }
  assert((codes.get(0) ?? 0) > 20 && (codes.get(3) ?? 0) > 20, JSON.stringify([...codes]));
});
