/** The decisions in src/NOTES.md are cited by heading; these are the citations. */

import { assert, assertEquals } from "@std/assert";
import { sourceFiles } from "./source_files.ts";

/** `See "The one door" in NOTES`, also where it goes on in the next line of a comment. */
function citationsOf(text: string): string[] {
  const inOneLine = text.replaceAll(/\s*\n\s*(\*|\/\/)\s+/g, " ");
  return [...inOneLine.matchAll(/\bsee "([^"]+)" in NOTES\b/gi)].map(([, heading]) => heading);
}

Deno.test("each citation of NOTES names a heading there, and each heading is cited", async () => {
  const [notes] = await sourceFiles("src", "NOTES.md");
  const headings = [...notes.text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
  assert(headings.length > 0);
  const cited = new Set<string>();
  const unknown: string[] = [];
  for (const { path, text } of await sourceFiles("src", ".ts")) {
    for (const heading of citationsOf(text)) {
      cited.add(heading);
      if (!headings.includes(heading)) unknown.push(`${path}: ${heading}`);
    }
  }
  assertEquals(unknown, []);
  assertEquals(headings.filter((heading) => !cited.has(heading)), []);
});

Deno.test("no citation of NOTES has a form that the check passes over", async () => {
  for (const { path, text } of await sourceFiles("src", ".ts")) {
    const mentions = [...text.matchAll(/\bNOTES\b/g)].length;
    assertEquals(citationsOf(text).length, mentions, path);
  }
});
