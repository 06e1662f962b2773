/** How the executable's builder finds workers and puts them into a bundle. */

import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { findWorkers, inlineWorkers } from "../../tools/compile.ts";

const URL_OF_WORKER = 'new URL("./job_worker.ts", import.meta.url)';

Deno.test("findWorkers finds a worker from the module that names it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(folder, "a"));
    await Deno.writeTextFile(join(folder, "a/main.ts"), `const url = ${URL_OF_WORKER};\n`);
    assertEquals(await findWorkers(folder), [join(folder, "a/job_worker.ts")]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("inlineWorkers gives a bundle workers that need no file", async () => {
  const bundle = inlineWorkers(
    `export const url = ${URL_OF_WORKER};`,
    new Map([["job_worker.ts", 'postMessage("é");']]),
  );
  const url = /new URL\("([^"]+)"\)/.exec(bundle)?.[1] ?? "";
  assertEquals(await (await fetch(url)).text(), 'postMessage("é");');
});

Deno.test("inlineWorkers refuses a worker it does not have or cannot tell", () => {
  assertThrows(() => inlineWorkers(URL_OF_WORKER, new Map()), Error, "./job_worker.ts");
  assertThrows(
    () => inlineWorkers("new URL(name, import.meta.url)", new Map()),
    Error,
    "is not named",
  );
});
