/**
 * Imports in src/ point down: from the socket to the bytes, never back. What has to call upwards is
 * handed a function by src/server.ts, the only file that knows all parts.
 */

import { assert, assertEquals } from "@std/assert";
import { importsOf, sourceFiles } from "./source_files.ts";

/** Folder of src/ -> the folders it may import from. From top to bottom: each only names lower ones. */
const MAY_IMPORT: Record<string, string[]> = {
  net: ["dispatch", "commands", "pubsub", "observe", "config", "resp", "base"],
  dispatch: [
    "commands",
    "replication",
    "aof",
    "rdb",
    "pubsub",
    "keyspace",
    "propagation",
    "observe",
    "config",
    "resp",
    "values",
    "arena",
    "base",
  ],
  commands: [
    "replication",
    "aof",
    "rdb",
    "pubsub",
    "keyspace",
    "propagation",
    "observe",
    "config",
    "resp",
    "values",
    "arena",
    "base",
  ],
  replication: [
    "aof",
    "rdb",
    "keyspace",
    "propagation",
    "observe",
    "config",
    "resp",
    "values",
    "arena",
    "base",
  ],
  aof: ["rdb", "keyspace", "propagation", "observe", "config", "resp", "values", "arena", "base"],
  rdb: ["observe", "config", "keyspace", "resp", "values", "arena", "base"],
  pubsub: ["resp", "base"],
  observe: ["config", "resp", "base"],
  config: ["keyspace", "base"], // the flags of notify-keyspace-events
  keyspace: ["propagation", "resp", "values", "arena", "base"],
  propagation: ["resp", "base"],
  resp: ["base"],
  values: ["arena", "base"],
  arena: ["base"],
  base: [],
};

/** Types that point up, each with its reason; they are gone when the code runs. */
const MAY_IMPORT_TYPES: Record<string, string[]> = {
  commands: ["dispatch"], // a handler is given its call by dispatch
  observe: ["dispatch", "commands", "keyspace"], // INFO and MONITOR are handed the parts they show
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
    for (const { specifier, typeOnly } of importsOf(text)) {
      if (!specifier.startsWith(".")) continue;
      const target = new URL(specifier, `file:///${path}`).pathname.slice(1);
      const targetFolder = folderOf(target);
      if (targetFolder === folder) continue;
      if (targetFolder !== null && allowed.includes(targetFolder)) continue;
      if (typeOnly && targetFolder !== null && MAY_IMPORT_TYPES[folder]?.includes(targetFolder)) {
        continue;
      }
      wrong.push(`${path} imports ${target}`);
    }
  }
  assertEquals(wrong, []);
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
