/**
 * `deno task map`: says where the packages of deno.json come from on this machine's network.
 *
 * deno.json names them on JSR, as Deno projects do. Some networks let only npm through; there the
 * npm package `deno-std`, which carries the same sources, takes their place. The tasks have
 * `$(deno task -q map)` in their commands: where JSR serves the packages this prints nothing and
 * deno.json alone decides; where it does not, this prints
 *
 *     --import-map=tools/import_map.npm.json --no-lock
 *
 * `--import-map` replaces the imports of deno.json whole, so that file has to name every specifier
 * the code uses; tests/project/packages_test.ts watches over it. The npm copy has no types: it is
 * re-exported by the modules in tools/std/ with types of ours, which are no looser than the packages'
 * own, so that `deno task check` means the same on both networks. It lacks the data file behind
 * `@std/cli`'s root: import `@std/cli/parse-args`.
 *
 * The question is put by importing one small JSR module rather than by a request to a host, so it
 * follows JSR_URL, proxies and Deno's own cache: where the module has been fetched once, JSR counts
 * as reached without any network. The answer is kept in `.package_flags`, beside deno.json, as it
 * is printed, and asked for anew when it is older than ten minutes; removing that file asks again.
 * The `start` task reads the file itself, whatever its age, and comes here only when there is none:
 * that saves a process and 25 ms of 110, and packages that have once been fetched are in Deno's
 * cache, whichever place they came from.
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
const ANSWER_FILE = ".package_flags";
const ANSWER_KEPT_MS = 10 * 60_000;
const NPM_FLAGS = "--import-map=tools/import_map.npm.json --no-lock";

/** The answer of an earlier run, or null when there is none or it is too old to trust. */
function keptAnswer(): string | null {
  try {
    const writtenAtMs = Deno.statSync(ANSWER_FILE).mtime?.getTime() ?? 0;
    if (Math.abs(Date.now() - writtenAtMs) > ANSWER_KEPT_MS) return null;
    const flags = Deno.readTextFileSync(ANSWER_FILE).trim();
    return flags === "" || flags === NPM_FLAGS ? flags : null;
  } catch {
    return null;
  }
}

function keepAnswer(flags: string): void {
  try {
    Deno.writeTextFileSync(ANSWER_FILE, flags + "\n");
  } catch {
    // A read-only checkout: the next task asks again, which costs time and nothing else.
  }
}

/** Tries JSR, for at most {@linkcode PROBE_TIMEOUT_MS}. */
function askJsr(): Promise<string> {
  // Not a literal in `import()`, or Deno would fetch it before this file runs, with no time limit.
  const specifier = PROBE;
  const answered = import(specifier).then(() => "", () => NPM_FLAGS);
  const timedOut = new Promise<string>((resolve) => {
    setTimeout(() => resolve(NPM_FLAGS), PROBE_TIMEOUT_MS);
  });
  return Promise.race([answered, timedOut]);
}

let flags = keptAnswer();
if (flags === null) {
  flags = await askJsr();
  keepAnswer(flags);
}
if (flags !== "") console.log(flags);
// An import still waiting for a silent network would hold the process open.
Deno.exit(0);
