/** How the executable's builder finds workers and puts them into a bundle. */

import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { findWorkers, inlineWorkers } from "../../tools/compile.ts";

const CALL = 'new Worker(new URL("./job.ts", import.meta.url), { type: "module" })';

Deno.test("findWorkers finds a worker from the module that starts it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(folder, "a"));
    await Deno.writeTextFile(join(folder, "a/main.ts"), `const w = ${CALL};\n`);
    assertEquals(await findWorkers(folder), [join(folder, "a/job.ts")]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("inlineWorkers gives a bundle workers that need no file", async () => {
  const bundle = inlineWorkers(
    `export const w = ${CALL};`,
    new Map([["job.ts", 'postMessage("é");']]),
  );
  const url = /new Worker\("([^"]+)", \{ type: "module" \}\)/.exec(bundle)?.[1] ?? "";
  assertEquals(await (await fetch(url)).text(), 'postMessage("é");');
});

Deno.test("inlineWorkers refuses a worker it does not have or cannot tell", () => {
  assertThrows(() => inlineWorkers(CALL, new Map()), Error, "./job.ts");
  assertThrows(() => inlineWorkers("new Worker(url)", new Map()), Error, "literal URL");
});
