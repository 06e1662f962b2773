/**
 * `deno task test:bun`: runs the tests that start no processes under Bun's test runner: the pure ones, and those
 * of the whole server in this process, on Bun's sockets. Arguments go to `bun test`: other files or folders,
 * or `--test-name-pattern`.
 *
 * Ends with the line `N passed, M failed`, as the test task does. Exits with 1 when a test failed or when
 * nothing could be run.
 */

import { BUN_VERSION, bunPath, withBunConfig } from "./bun.ts";
import { ROOT } from "./server_flags.ts";

/** The folders of these tests, and the files that are for Bun alone. */
const FOLDERS = [
  "arena",
  "base",
  "commands",
  "config",
  "dispatch",
  "fuzz",
  "keyspace",
  "module",
  "net",
  "observe",
  "propagation",
  "pubsub",
  "rdb",
  "replication",
  "resp",
  "server",
  "tools",
  "values",
].map((name) => `./tests/${name}/`).concat(
  ["bun_network", "node_files", "simulated_files"].map((name) => `./tests/runtime/${name}_test.ts`),
);

/**
 * Tests that have a process of their own: of what the whole process holds, which other tests leave something of;
 * and those that make hundreds of servers with a Lua of their own each, for each of which Bun collects the garbage of
 * the whole process (34 s for one test behind all the others, 1 s without them).
 */
const ALONE = ["tests/keyspace/defragmenter_test.ts", "tests/fuzz/script_fuzz_test.ts"];

/** A count of the lines that `bun test` closes with, such as ` 1544 pass`. */
export function countIn(output: string, word: "pass" | "fail" | "skip"): number {
  return Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0);
}

interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
}

/** One run of `bun test`; shows what has failed. */
async function run(bun: string, args: readonly string[]): Promise<Outcome> {
  const { code, text } = await withBunConfig(async (configPath) => {
    const { code, stdout, stderr } = await new Deno.Command(bun, {
      args: [
        "test",
        "--only-failures",
        "--timeout=60000",
        `--tsconfig-override=${configPath}`,
        "--preload=./tests/support/bun_shim.ts",
        ...args,
      ],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
  });
  const failed = Math.max(countIn(text, "fail"), code === 0 ? 0 : 1);
  if (failed > 0) console.log(text.trim());
  console.log(/^Ran .*$/m.exec(text)?.[0] ?? "Nothing was run");
  return { passed: countIn(text, "pass"), failed, skipped: countIn(text, "skip") };
}

async function runTests(args: string[]): Promise<number> {
  const bun = await bunPath();
  const outcomes: Outcome[] = [];
  if (args.length === 0) {
    console.log(`tests under Bun ${BUN_VERSION}: takes five to ten minutes`);
    const others = ALONE.map((path) => `--path-ignore-patterns=**/${path}`);
    outcomes.push(await run(bun, [...others, ...FOLDERS]));
    for (const path of ALONE) outcomes.push(await run(bun, [`./${path}`]));
  } else {
    const namesFiles = args.some((arg) => !arg.startsWith("-"));
    outcomes.push(await run(bun, namesFiles ? args : [...args, ...FOLDERS]));
  }
  const sum = (of: keyof Outcome) => outcomes.reduce((all, outcome) => all + outcome[of], 0);
  const end = sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : "";
  console.log(`${sum("passed")} passed, ${sum("failed")} failed${end}`);
  return sum("failed") > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await runTests(Deno.args));
