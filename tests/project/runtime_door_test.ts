/**
 * src/runtime/ is the only door to what differs between runtimes and machines: without a way around it a
 * simulated runtime determines everything, and the program runs on Deno and on Bun.
 */

import { assertEquals } from "@std/assert";
import { ROOT } from "../../tools/server_flags.ts";
import { type SourceFile, sourceFiles } from "./source_files.ts";

/** What only src/runtime/ may name. */
const BEHIND_THE_DOOR = [
  /\bDeno\./,
  /\bBun\./,
  /"(node|bun):/,
  /\bglobalThis\b/,
  // Node's global `process`; a HostProcess that goes by that name has none of these.
  /(?<![.\w])process\.(argv|cpuUsage|cwd|env|hrtime|memoryUsage|nextTick|on|pid|platform|std\w+)\b/,
  /\b(set|clear)(Timeout|Interval|Immediate)\b/,
  /\bqueueMicrotask\b/,
  /\bDate\.now\b/,
  /\bnew Date\(\)/,
  /\bperformance\./,
  /\bcrypto\./,
  /\bMath\.random\b/,
  /\bnew (Worker|MessageChannel)\b/,
  /\bfetch\(/,
];

/** By path, what of it stands there all the same, and why that is well. */
const EXCEPTIONS: Record<string, string[]> = {
  // Secrets of the process, drawn before there is a runtime. No order that anybody sees hangs on them.
  "src/base/hash.ts": ["crypto."],
  "src/pubsub/pattern_index.ts": ["crypto."],
  // The chance of a server that is not given another.
  "src/server.ts": ["Math.random"],
};

/** The lines of a module without its comments, and without what its strings say but for imports. */
function codeLines({ text }: SourceFile): string[] {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
    .split("\n")
    .map((line) => line.replace(/(^|\s)\/\/.*$/, ""));
}

Deno.test("only src/runtime/ names what a runtime or a machine has", async () => {
  const found: string[] = [];
  for (const file of await sourceFiles("src", ".ts")) {
    if (file.path.startsWith("src/runtime/")) continue;
    const allowed = EXCEPTIONS[file.path] ?? [];
    codeLines(file).forEach((line, i) => {
      for (const pattern of BEHIND_THE_DOOR) {
        const match = pattern.exec(line)?.[0];
        if (match === undefined || allowed.includes(match)) continue;
        found.push(`${file.path}:${i + 1}: ${line.trim()}`);
      }
    });
  }
  assertEquals(found, []);
});

Deno.test("each exception is one", async () => {
  const texts = new Map((await sourceFiles("src", ".ts")).map((file) => [file.path, file]));
  for (const [path, names] of Object.entries(EXCEPTIONS)) {
    const code = codeLines(texts.get(path)!).join("\n");
    assertEquals(names.filter((name) => !code.includes(name)), [], path);
  }
});

Deno.test("no module of the program awaits at its top: Bun's bytecode ends there", async () => {
  const main = { path: "main.ts", text: await Deno.readTextFile(`${ROOT}main.ts`) };
  const awaiting = [main, ...await sourceFiles("src", ".ts")].filter((file) =>
    codeLines(file).some((line) => /^(await|(export )?(const|let) .*= await)\b/.test(line))
  );
  assertEquals(awaiting.map(({ path }) => path), []);
});
