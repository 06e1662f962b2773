/** That each directive which is said to act is looked at by somebody, so that CONFIG SET is not idle. */

import { assertEquals } from "@std/assert";
import { type Directive, DIRECTIVE_NAMES, DIRECTIVES } from "../../src/config/table.ts";
import { sourceFiles } from "../project/source_files.ts";

/** Acting directives that the code of the server names outside of the table, by how. */
async function uses(): Promise<{ heard: Set<string>; read: Set<string> }> {
  const heard = new Set<string>();
  const read = new Set<string>();
  for (const { path, text } of await sourceFiles("src", ".ts")) {
    if (path.endsWith("config/table.ts")) continue;
    // `bind([…names…], …)`, `onChange([…], …)`, and lists of names that are given to them.
    for (const [, list] of text.matchAll(/(?:bind|onChange|_DIRECTIVES =)\W*\[([^\]]*)\]/g)) {
      for (const [, name] of list.matchAll(/"([^"]+)"/g)) heard.add(name);
    }
    for (const [, name] of text.matchAll(/\bsetting\(\s*"([^"]+)"/g)) heard.add(name);
    for (const [, given] of text.matchAll(/\b(?:value|filePath)\(([^)]*)\)/g)) {
      for (const [, name] of given.matchAll(/"([^"]+)"/g)) read.add(name);
    }
  }
  return { heard, read };
}

Deno.test("every directive that acts is bound, kept or read somewhere", async () => {
  const { heard, read } = await uses();
  const acting = DIRECTIVE_NAMES.filter((name) => {
    const { notActing, refused } = DIRECTIVES[name] as Directive<unknown>;
    // Of what is refused, the other values need nobody.
    return notActing === null && refused === null;
  });
  assertEquals(acting.filter((name) => !heard.has(name) && !read.has(name)), []);
});
