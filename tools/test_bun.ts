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
  "values",
].map((name) => `./tests/${name}/`).concat(
  ["bun_network", "node_files", "simulated_files"].map((name) => `./tests/runtime/${name}_test.ts`),
);

/** A count of the lines that `bun test` closes with, such as ` 1544 pass`. */
export function countIn(output: string, word: "pass" | "fail" | "skip"): number {
  return Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0);
}

async function runTests(args: string[]): Promise<number> {
  const bun = await bunPath();
  const isOption = (arg: string) => arg.startsWith("-");
  if (args.length === 0) console.log(`tests under Bun ${BUN_VERSION}: takes one to three minutes`);
  const output = await withBunConfig(async (configPath) => {
    const { code, stdout, stderr } = await new Deno.Command(bun, {
      args: [
        "test",
        "--only-failures",
        "--timeout=60000",
        `--tsconfig-override=${configPath}`,
        "--preload=./tests/support/bun_shim.ts",
        ...args,
        ...(args.every(isOption) ? FOLDERS : []),
      ],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
  });
  const failed = Math.max(countIn(output.text, "fail"), output.code === 0 ? 0 : 1);
  const skipped = countIn(output.text, "skip");
  if (failed > 0) console.log(output.text.trim());
  console.log(/^Ran .*$/m.exec(output.text)?.[0] ?? "Nothing was run");
  const end = skipped > 0 ? `, ${skipped} skipped` : "";
  console.log(`${countIn(output.text, "pass")} passed, ${failed} failed${end}`);
  return failed > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await runTests(Deno.args));
