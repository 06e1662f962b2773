/** deno.json and the map onto npm name the same packages; see tools/import_map.ts, tools/std/. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { permissionFlags, ROOT, serverFlags } from "../../tools/server_flags.ts";
import { importsOf, sourceFiles } from "./source_files.ts";

async function readJson(path: string) {
  return JSON.parse(await Deno.readTextFile(join(ROOT, path)));
}

/** `@std/cli/parse-args` -> `@std/cli`. */
function packageOf(specifier: string): string {
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

Deno.test("every package imported is in deno.json, and word for word in the map onto npm", async () => {
  const declared = (await readJson("deno.json")).imports;
  const mapped = (await readJson("tools/import_map.npm.json")).imports;
  const files = [{ path: "main.ts", text: await Deno.readTextFile(join(ROOT, "main.ts")) }];
  for (const folder of ["src", "tests", "tools", "bench"]) {
    files.push(...await sourceFiles(folder, ".ts"));
  }
  const wrong: string[] = [];
  for (const { path, text } of files) {
    for (const { specifier } of importsOf(text)) {
      if (/^(\.|node:)/.test(specifier) || path.startsWith("tools/std/")) continue;
      if (!(packageOf(specifier) in declared) || !(specifier in mapped)) {
        wrong.push(`${path} imports ${specifier}`);
      }
    }
  }
  assertEquals(wrong, []);
});

Deno.test("every package of deno.json has its place in the map onto npm, with types and a version", async () => {
  const declared = Object.keys((await readJson("deno.json")).imports);
  const mapped: Record<string, string> = (await readJson("tools/import_map.npm.json")).imports;
  const { "deno-std/": copy, ...places } = mapped;
  assert(/^npm:\/deno-std@\d+\.\d+\.\d+\/$/.test(copy), copy);
  assertEquals(
    [...new Set(Object.keys(places).map(packageOf))].sort(),
    declared.sort(),
  );
  for (const place of Object.values(places)) {
    const text = await Deno.readTextFile(join(ROOT, "tools", place));
    const types = /^\/\/ @ts-types="\.\/(\w+\.d\.ts)"\nexport \* from "deno-std\//m.exec(text)?.[1];
    assert(types !== undefined, `${place} gives the npm copy no types`);
    await Deno.stat(join(ROOT, "tools/std", types));
  }
});

Deno.test("the server asks for no permission beyond its sockets, its files and a few facts", async () => {
  const flags = await serverFlags();
  assert(flags.includes("--no-prompt"));
  const allowed = flags.filter((flag) => flag.startsWith("--allow-"));
  // Without a value, sys and env would open everything; run, ffi and import are not to be there.
  assertEquals(
    allowed.map((flag) => flag.replace(/sys=.+/, "sys=")).sort(),
    [
      "--allow-env=NOTIFY_SOCKET,REDISCLI_AUTH,TMPDIR",
      "--allow-net",
      "--allow-read",
      "--allow-sys=",
      "--allow-write",
    ],
  );
  assertEquals(flags.filter((flag) => flag.startsWith("--unstable")), ["--unstable-net"]);
});

Deno.test("permissionFlags spells out a permission set, and refuses what it could get wrong", () => {
  assertEquals(
    permissionFlags({ net: true, env: ["A", "B"] }),
    ["--allow-net", "--allow-env=A,B"],
  );
  for (const value of [false, [], { allow: true, deny: ["x"] }]) {
    assertThrows(() => permissionFlags({ read: value }), Error, '"read"');
  }
});
