/**
 * Says where the packages of deno.json come from on this machine's network.
 *
 * deno.json names them on JSR, as Deno projects do. Some networks let only npm through; there the
 * npm package `deno-std`, which carries the same sources, takes their place. Every task has
 * `$(deno run … tools/import_map.ts)` in its command: where JSR serves the packages this prints
 * nothing and deno.json alone decides; where it does not, this prints
 *
 *     --import-map=tools/import_map.npm.json --no-lock
 *
 * `--import-map` replaces the imports of deno.json whole, so that file has to name every specifier
 * the code uses; tests/project/packages_test.ts watches over it. The npm copy has no types, so
 * code has to type-check both with the real types and with `any` in their place, and it lacks the
 * data file behind `@std/cli`'s root: import `@std/cli/parse-args`.
 *
 * The question is put by importing one small JSR module rather than by a request to a host, so it
 * follows JSR_URL, proxies and Deno's own cache: where the module has been fetched once, JSR counts
 * as reached without any network. The answer is kept for ten minutes in `.package_source`, beside
 * deno.json, to keep the start of every task quick; removing that file asks again.
 *
 * The lock file: deno.lock is for JSR. It is not frozen: a task on a JSR network adds what it finds
 * missing there, such as a newly used package, and never fails for it. Under the npm map it is left
 * out (`--no-lock`): Deno would otherwise write the npm copy into it, and the two networks would
 * undo each other's lines for ever. The npm copy is pinned by its exact version in the map instead.
 * The file holds only hashes that a task has itself received from JSR; as long as nobody has run
 * and committed one there, it lists the packages and no hashes.
 */

const PROBE = "jsr:@std/assert@^1/assert";
const PROBE_TIMEOUT_MS = 1_500;
const ANSWER_FILE = ".package_source";
const ANSWER_KEPT_MS = 10 * 60_000;
const NPM_FLAGS = "--import-map=tools/import_map.npm.json --no-lock";

type Source = "jsr" | "npm";

/** The answer of an earlier run, or null when there is none or it is too old to trust. */
function keptAnswer(): Source | null {
  try {
    const writtenAtMs = Deno.statSync(ANSWER_FILE).mtime?.getTime() ?? 0;
    if (Math.abs(Date.now() - writtenAtMs) > ANSWER_KEPT_MS) return null;
    const text = Deno.readTextFileSync(ANSWER_FILE).trim();
    return text === "jsr" || text === "npm" ? text : null;
  } catch {
    return null;
  }
}

function keepAnswer(source: Source): void {
  try {
    Deno.writeTextFileSync(ANSWER_FILE, source + "\n");
  } catch {
    // A read-only checkout: the next task asks again, which costs time and nothing else.
  }
}

/** Tries JSR, for at most {@linkcode PROBE_TIMEOUT_MS}. */
function askJsr(): Promise<Source> {
  // Not a literal in `import()`, or Deno would fetch it before this file runs, with no time limit.
  const specifier = PROBE;
  const answered = import(specifier).then((): Source => "jsr", (): Source => "npm");
  const timedOut = new Promise<Source>((resolve) => {
    setTimeout(() => resolve("npm"), PROBE_TIMEOUT_MS);
  });
  return Promise.race([answered, timedOut]);
}

let source = keptAnswer();
if (source === null) {
  source = await askJsr();
  keepAnswer(source);
}
if (source === "npm") console.log(NPM_FLAGS);
// An import still waiting for a silent network would hold the process open.
Deno.exit(0);
