/**
 * Runs the tests and ends with one line a script can read: `N passed, M failed`, followed by
 * `, K skipped` where tests were skipped. Before that line, every skipped test is named.
 *
 * All arguments go to `deno test`: `deno task test tests/values --filter ZADD`. Its output passes
 * through as it comes; the counts are those of its last line, the names those of its JUnit report.
 * Exits with 1 when a test failed or when nothing could be run (a type error, say).
 *
 * A test that needs a real Redis beside it is skipped where there is none. With
 * TSREDIS_REQUIRE_PEERS=1 each skipped test counts as failed, so that a CI machine that lost its
 * redis-server cannot stay green.
 */

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

/** Reads the closing line of `deno test`, or null when it never came to print one. */
export function readCounts(output: string): Counts | null {
  // deno-lint-ignore no-control-regex
  const plain = output.replaceAll(/\x1b\[[0-9;]*m/g, "");
  const lines = plain.split("\n").filter((line) => /^(ok|FAILED) \| \d+ passed/.test(line));
  const last = lines.at(-1);
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

/** Copies a stream to this process's own output and returns the end of what went by. */
async function passThrough(
  from: ReadableStream<Uint8Array>,
  to: WritableStream<Uint8Array>,
): Promise<string> {
  const decoder = new TextDecoder();
  const writer = to.getWriter();
  let tail = "";
  for await (const chunk of from) {
    await writer.write(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-16_384);
  }
  writer.releaseLock();
  return tail;
}

async function runTests(args: string[]): Promise<number> {
  const requirePeers = Deno.env.get("TSREDIS_REQUIRE_PEERS") === "1";
  const reportPath = await Deno.makeTempFile({ prefix: "tsredis-tests-", suffix: ".xml" });
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["test", ...TEST_PERMISSIONS, `--junit-path=${reportPath}`, ...args],
      env: Deno.stdout.isTerminal() ? { FORCE_COLOR: "1" } : {},
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const tail = await passThrough(child.stdout, Deno.stdout.writable);
    const { success } = await child.status;

    const counts = readCounts(tail) ?? { passed: 0, failed: 0, skipped: 0 };
    // Deno fails a run for more than failed tests: what does not type-check, a leftover error.
    if (!success && counts.failed === 0) counts.failed = 1;

    const skippedNames = readSkippedNames(await Deno.readTextFile(reportPath));
    if (skippedNames.length > 0) {
      console.log(`\nSkipped${requirePeers ? ", which TSREDIS_REQUIRE_PEERS=1 forbids" : ""}:`);
      for (const name of skippedNames) console.log(`  ${name}`);
      console.log();
    }
    if (requirePeers) {
      counts.failed += Math.max(counts.skipped, skippedNames.length);
      counts.skipped = 0;
    }
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
    console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
    return counts.failed > 0 ? 1 : 0;
  } finally {
    await Deno.remove(reportPath);
  }
}

if (import.meta.main) Deno.exit(await runTests(Deno.args));
