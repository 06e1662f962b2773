/**
 * Imports in src/ point down: from the socket to the bytes, never back. What has to call upwards is
 * handed an owner or a function by src/core.ts, the file that knows all parts.
 */

import { assert, assertEquals } from "@std/assert";
import { importsOf, sourceFiles } from "./source_files.ts";

/**
 * Folder of src/ -> the folders it may import from, types included. From top to bottom: each only
 * names lower ones. README's list of folders stands in the same order.
 */
const MAY_IMPORT: Record<string, string[]> = {
  tools: [
    "commands",
    "dispatch",
    "replication",
    "aof",
    "rdb",
    "keyspace",
    "propagation",
    "observe",
    "config",
    "resp",
    "values",
    "arena",
    "runtime",
    "base",
  ],
  net: ["dispatch", "pubsub", "observe", "config", "resp", "runtime", "base"],
  commands: [
    "dispatch",
    "access",
    "scripting",
    "replication",
    "aof",
    "rdb",
    "tracking",
    "pubsub",
    "keyspace",
    "propagation",
    "observe",
    "config",
    "resp",
    "values",
    "arena",
    "runtime",
    "base",
  ],
  dispatch: [
    "access",
    "scripting",
    "replication",
    "aof",
    "rdb",
    "tracking",
    "pubsub",
    "keyspace",
    "propagation",
    "observe",
    "config",
    "resp",
    "runtime",
    "base",
  ],
  access: ["config", "base"],
  scripting: ["rdb", "observe", "config", "resp", "runtime", "base"],
  replication: [
    "aof",
    "rdb",
    "keyspace",
    "propagation",
    "observe",
    "config",
    "resp",
    "runtime",
    "base",
  ],
  aof: ["rdb", "keyspace", "propagation", "observe", "config", "resp", "runtime", "base"],
  rdb: ["keyspace", "observe", "config", "resp", "values", "arena", "runtime", "base"],
  tracking: ["pubsub", "resp", "arena", "runtime", "base"],
  pubsub: ["resp", "arena", "runtime", "base"],
  keyspace: ["propagation", "resp", "values", "arena", "base"],
  propagation: ["resp", "base"],
  values: ["arena", "base"],
  arena: ["base"],
  observe: ["config", "resp", "runtime", "base"],
  config: ["runtime", "base"],
  resp: ["base"],
  runtime: ["base"],
  base: [],
};

/** The folder of src/ that a file is in, or null for a file in src/ itself. */
function folderOf(path: string): string | null {
  const parts = path.split("/");
  return parts[0] === "src" && parts.length > 2 ? parts[1] : null;
}

Deno.test("the layers of src/ have a top and a bottom: none imports itself by a detour", () => {
  const order = Object.keys(MAY_IMPORT);
  for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
    for (const lower of allowed) {
      assert(order.indexOf(lower) > order.indexOf(folder), `${lower} is not below ${folder}`);
    }
  }
});

Deno.test("imports in src/ point down the layers", async () => {
  const wrong: string[] = [];
  for (const { path, text } of await sourceFiles("src", ".ts")) {
    const folder = folderOf(path);
    if (folder === null) continue;
    const allowed = MAY_IMPORT[folder];
    if (allowed === undefined) {
      wrong.push(`${path}: its folder has no place among the layers`);
      continue;
    }
    for (const { specifier } of importsOf(text)) {
      if (!specifier.startsWith(".")) continue;
      const target = new URL(specifier, `file:///${path}`).pathname.slice(1);
      const targetFolder = folderOf(target);
      if (targetFolder === folder) continue;
      if (targetFolder !== null && allowed.includes(targetFolder)) continue;
      wrong.push(`${path} imports ${target}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("README lists the folders of src/ in the order of the layers", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const listed = [...readme.matchAll(/^src\/(\w+)\/ +\S/gm)].map(([, folder]) => folder);
  const folders = new Set((await sourceFiles("src", ".ts")).map(({ path }) => folderOf(path)));
  assertEquals(listed, Object.keys(MAY_IMPORT).filter((folder) => folders.has(folder)));
});

Deno.test("importsOf sees every spelling of an import, and no words of a comment", () => {
  const text = [
    'import { a } from "./a.ts";',
    'import type { B } from "./b.ts";',
    'import { type B2, type B3 } from "./b2.ts";',
    "import {",
    "  c,",
    "  type D,",
    '} from "./c.ts";',
    'import * as e from "./e.ts";',
    'import "./f.ts";',
    'export * from "./g.ts";',
    'export { h } from "./h.ts";',
    '// import { x } from "./x.ts";',
    'export const y = "./y.ts";',
  ].join("\n");
  const found = importsOf(text);
  assertEquals(found.map(({ specifier }) => specifier), [
    "./a.ts",
    "./b.ts",
    "./b2.ts",
    "./c.ts",
    "./e.ts",
    "./f.ts",
    "./g.ts",
    "./h.ts",
  ]);
  assertEquals(found.filter(({ typeOnly }) => typeOnly).map(({ specifier }) => specifier), [
    "./b.ts",
    "./b2.ts",
  ]);
});
