/**
 * `deno task test`: runs the tests, prints a line for each file and the failures whole, and ends with
 * one line a script can read: `N passed, M failed`, followed by `, K skipped` where tests were
 * skipped. Before that line, every skipped test is named.
 *
 * All arguments but `--verbose` go to `deno test`: `deno task test tests/values --filter ZADD`. Its
 * output is read as it comes ({@linkcode Summary}), or passes through with `--verbose`; the counts
 * are those of its last line, the names of skipped tests those of its JUnit report. Exits with 1
 * when a test failed or when nothing could be run (a type error, say).
 *
 * A test that needs a real Redis beside it, or packages of npm, is skipped where there are none. With
 * TSREDIS_REQUIRE_PEERS=1 each skipped test counts as failed, so that a CI machine that lost its
 * redis-server or its way to npm cannot stay green.
 */

import { importMapFlags } from "./server_flags.ts";

/** What tests may do: they start servers and clients, and keep files in folders of their own. */
const TEST_PERMISSIONS = [
  "--no-prompt",
  "--allow-run",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
];

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Makes a line per file of what `deno test` prints:
 *
 *     running 2 tests from ./tests/a_test.ts      tests/a_test.ts ... 1 passed, 1 FAILED (0.1 s)
 *     one ... ok (1ms)                            two ...
 *     two ...                                     ------- output -------
 *     ------- output -------                 =>   said before it failed
 *     said before it failed                       ----- output end -----
 *     ----- output end -----                      two ... FAILED (2ms)
 *     two ... FAILED (2ms)
 *
 * and leaves the errors at the end as they are. What comes before the first file (a type error) and
 * what it does not know passes through.
 */
export class Summary {
  /** Where in the output it is. `after` the last file: errors and the closing line. */
  #place: "before" | "file" | "after" = "before";
  /** Whether the lines are what a test has printed, which may look like anything. */
  #isInOutput = false;
  #file = "";
  #startedAtMs = 0;
  #passed = 0;
  #failed = 0;
  #skipped = 0;
  /** Lines of the present test, and lines between tests, such as output of the module itself. */
  #testLines: string[] = [];
  /** All lines of the failed tests of the present file. */
  #failedLines: string[] = [];
  /** How many files it has seen. */
  files = 0;

  /** Takes a line, without its end; returns the text to print for it. */
  line(text: string, nowMs: number): string {
    const plain = withoutColours(text);
    if (this.#place === "after") {
      // The closing line is replaced by the total.
      return isClosingLine(plain) ? "" : text + "\n";
    }
    if (this.#isInOutput) {
      this.#isInOutput = !/^----- (post-test )?output end -----$/.test(plain);
      // Output before a test module's end may lack its end mark.
      if (this.#isInOutput && this.#isNextFile(plain)) this.#isInOutput = false;
      else {
        this.#testLines.push(text);
        return "";
      }
    }
    const started = /^running \d+ tests? from (?:\.\/)?(.+)$/.exec(plain);
    if (started !== null) return this.#beginFile(started[1], nowMs);
    const broken = /^Uncaught error from (?:\.\/)?(.+) FAILED$/.exec(plain);
    if (broken !== null) {
      // A module that fails before its first test has not been said to run.
      const begun = broken[1] === this.#file ? "" : this.#beginFile(broken[1], nowMs);
      this.#testLines.push(text);
      this.#countFailed();
      return begun;
    }
    if (this.#place === "before") return isClosingLine(plain) ? "" : text + "\n";
    if (plain === " ERRORS " || isClosingLine(plain)) {
      const ended = this.#endOfFile(nowMs);
      this.#place = "after";
      return plain === " ERRORS " ? `${ended}\n${text}\n` : ended;
    }
    if (/^------- (post-test )?output -------$/.test(plain)) this.#isInOutput = true;
    this.#testLines.push(text);
    this.#countResult(plain);
    return "";
  }

  /** What is left to print once the output has ended; something only when that was untimely. */
  end(nowMs: number): string {
    if (this.#place !== "file") return "";
    this.#failedLines.push(...this.#testLines);
    return this.#endOfFile(nowMs);
  }

  #beginFile(name: string, nowMs: number): string {
    const ended = this.#endOfFile(nowMs);
    this.#place = "file";
    this.#file = name;
    this.#startedAtMs = nowMs;
    this.files++;
    return `${ended}${name} ... `;
  }

  #isNextFile(plain: string): boolean {
    return /^(running \d+ tests? from \.\/.+|Uncaught error from .+ FAILED)$/.test(plain);
  }

  #countResult(plain: string): void {
    // A step is indented; what counts is the whole test, which ends at the margin.
    const result = /^\S.* \.\.\. (ok|FAILED|ignored|cancelled)\b/.exec(plain)?.[1];
    if (result === undefined) return;
    if (result === "ok") this.#passed++;
    else if (result === "ignored") this.#skipped++;
    else return this.#countFailed();
    this.#testLines = [];
  }

  #countFailed(): void {
    this.#failed++;
    this.#failedLines.push(
      ...this.#testLines.filter((line) => !/^\s+.* \.\.\. ok \(/.test(withoutColours(line))),
    );
    this.#testLines = [];
  }

  #endOfFile(nowMs: number): string {
    if (this.#place !== "file") return "";
    const parts = [`${this.#passed} passed`];
    if (this.#failed > 0) parts.push(`${this.#failed} FAILED`);
    if (this.#skipped > 0) parts.push(`${this.#skipped} skipped`);
    const seconds = ((nowMs - this.#startedAtMs) / 1_000).toFixed(1);
    const lines = [`${parts.join(", ")} (${seconds} s)`, ...this.#failedLines];
    this.#passed = this.#failed = this.#skipped = 0;
    this.#testLines = [];
    this.#failedLines = [];
    return lines.join("\n") + "\n";
  }
}

function withoutColours(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[[0-9;]*m/g, "");
}

function isClosingLine(plain: string): boolean {
  return /^(ok|FAILED) \| \d+ passed/.test(plain);
}

/** Reads the closing line of `deno test`, or null when it never came to print one. */
export function readCounts(output: string): Counts | null {
  const last = withoutColours(output).split("\n").filter(isClosingLine).at(-1);
  if (last === undefined) return null;
  const count = (word: string) => Number(new RegExp(`\\| (\\d+) ${word}`).exec(last)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}

/** The names of the tests and steps a JUnit report marks as skipped, in its order. */
export function readSkippedNames(junit: string): string[] {
  const names: string[] = [];
  for (const [, name] of junit.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<skipped\/>/g)) {
    names.push(
      name.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"')
        .replaceAll("&apos;", "'").replaceAll("&amp;", "&"),
    );
  }
  return names;
}

/** Prints what a stream of `deno test` says, shortened or not, and returns the end of what went by. */
async function show(from: ReadableStream<Uint8Array>, summary: Summary | null): Promise<string> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  const writer = Deno.stdout.writable.getWriter();
  let tail = "";
  let unfinished = "";
  for await (const chunk of from) {
    const text = decoder.decode(chunk, { stream: true });
    tail = (tail + text).slice(-16_384);
    if (summary === null) {
      await writer.write(chunk);
      continue;
    }
    const lines = (unfinished + text).split("\n");
    unfinished = lines.pop()!;
    const shown = lines.map((line) => summary.line(line, performance.now())).join("");
    if (shown !== "") await writer.write(encoder.encode(shown));
  }
  if (summary !== null) {
    const last = unfinished === "" ? "" : summary.line(unfinished, performance.now());
    await writer.write(encoder.encode(last + summary.end(performance.now())));
  }
  writer.releaseLock();
  return tail;
}

/** Passes on what `deno test` says on its error output, but for what is in the total anyway. */
async function showErrors(from: ReadableStream<Uint8Array>): Promise<void> {
  const writer = Deno.stderr.writable.getWriter();
  const encoder = new TextEncoder();
  let unfinished = "";
  const lines = from.pipeThrough(new TextDecoderStream());
  for await (const text of lines) {
    const whole = (unfinished + text).split("\n");
    unfinished = whole.pop()!;
    // It names every file that it type-checks. `-q` would also keep what failed tests have printed.
    const shown = whole.filter((line) =>
      !/^(Check .+_test\.ts|error: Test failed)$/.test(withoutColours(line))
    );
    await writer.write(encoder.encode(shown.map((line) => line + "\n").join("")));
  }
  await writer.write(encoder.encode(unfinished));
  writer.releaseLock();
}

/** What ends the name of a test for which no package can be installed: servers of long ago, a disk or a network of its own. */
const MAY_BE_SKIPPED = /\[(old servers|own disk|own network)\]$/;

/** Names of skipped tests: those that may be, and those that must not. */
export function sorted(names: string[], requirePeers: boolean): [string[], string[]] {
  const isRight = (name: string) => !requirePeers || MAY_BE_SKIPPED.test(name);
  return [names.filter(isRight), names.filter((name) => !isRight(name))];
}

function tell(heading: string, names: string[]): void {
  if (names.length === 0) return;
  console.log(`\n${heading}:`);
  for (const name of names) console.log(`  ${name}`);
}

async function runTests(args: string[]): Promise<number> {
  const startedAtMs = performance.now();
  const requirePeers = Deno.env.get("TSREDIS_REQUIRE_PEERS") === "1";
  const summary = args.includes("--verbose") ? null : new Summary();
  const mapFlags = await importMapFlags();
  const reportPath = await Deno.makeTempFile({ prefix: "tsredis-tests-", suffix: ".xml" });
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["test", ...TEST_PERMISSIONS, ...mapFlags, `--junit-path=${reportPath}`].concat(
        args.filter((arg) => arg !== "--verbose"),
      ),
      env: { RUST_BACKTRACE: "0", ...(Deno.stdout.isTerminal() ? { FORCE_COLOR: "1" } : {}) },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const [tail] = await Promise.all([show(child.stdout, summary), showErrors(child.stderr)]);
    const { success } = await child.status;

    const counts = readCounts(tail) ?? { passed: 0, failed: 0, skipped: 0 };
    // Deno fails a run for more than failed tests: what does not type-check, a leftover error.
    if (!success && counts.failed === 0) counts.failed = 1;

    const skippedNames = readSkippedNames(await Deno.readTextFile(reportPath));
    const [rightly, wrongly] = sorted(skippedNames, requirePeers);
    tell("Skipped", rightly);
    tell("Skipped, which TSREDIS_REQUIRE_PEERS=1 forbids", wrongly);
    if (requirePeers) {
      const count = Math.max(counts.skipped - rightly.length, wrongly.length);
      counts.failed += count;
      counts.skipped -= count;
    }
    if (summary !== null && summary.files > 0) {
      const seconds = Math.round((performance.now() - startedAtMs) / 1_000);
      console.log(`\n${summary.files} test file${summary.files === 1 ? "" : "s"} in ${seconds} s`);
    }
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
    console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
    return counts.failed > 0 ? 1 : 0;
  } finally {
    await Deno.remove(reportPath);
  }
}

if (import.meta.main) Deno.exit(await runTests(Deno.args));
