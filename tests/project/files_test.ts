/** Habits that hold for all files: every test runs, and nothing depends on one machine. */

import { assert, assertEquals } from "@std/assert";
import { sourceFiles } from "./source_files.ts";

Deno.test("every file that defines tests is found by the test task: tests/**/x_test.ts", async () => {
  const files = [];
  for (const folder of ["src", "tests", "tools", "bench"]) {
    files.push(...await sourceFiles(folder, ".ts"));
  }
  const defining = files.filter(({ text }) => /^Deno\.test(\.only)?\(/m.test(text));
  assert(defining.length > 0);
  const notFound = defining.map(({ path }) => path)
    .filter((path) => !(path.startsWith("tests/") && path.endsWith("_test.ts")));
  assertEquals(notFound, []);
});

Deno.test("no test is left with `only`, which would silence all others", async () => {
  const files = await sourceFiles("tests", "_test.ts");
  const silencing = files.filter(({ text }) => /^\s*Deno\.test\.only\(|^\s*only: true/m.test(text));
  assertEquals(silencing.map(({ path }) => path), []);
});

Deno.test("no file names a folder that only exists on somebody's machine", async () => {
  const personal = /(?<![\w.])\/(home|root|Users|work|mnt)\/[\w.]/;
  const wrong: string[] = [];
  for (const folder of ["src", "tests", "tools", "bench", "packaging", ".ci"]) {
    for (
      const { path, text } of await sourceFiles(folder, ".ts", ".sh", ".service", "run", ".md")
    ) {
      if (path.startsWith("tests/fixtures/")) continue;
      const found = personal.exec(text);
      if (found !== null) wrong.push(`${path}: ${found[0]}`);
    }
  }
  assertEquals(wrong, []);
});
