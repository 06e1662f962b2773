/**
 * The flags `deno run` gets for the server, for the tools and tests that start or pack it.
 *
 * They are written once, in the `start` task of deno.json and the permission set `start` that it
 * names. The executable and the servers that tests start take them from there, so none of them can
 * quietly have more permissions.
 *
 * Needs no package, so that it can be used before it is known where packages come from.
 */

import { fileURLToPath } from "node:url";

/** The folder of deno.json, ending in a separator. */
export const ROOT = fileURLToPath(new URL("../", import.meta.url));

/**
 * The flags of the `start` task that matter wherever the server runs: permissions, V8 flags, unstable
 * parts of Deno. What deno.json says is spelt out, so that it also holds where that is not.
 */
export async function serverFlags(): Promise<string[]> {
  const { tasks, permissions, unstable } = JSON.parse(await Deno.readTextFile(ROOT + "deno.json"));
  const command: string = tasks.start.command;
  const flags = command.split("$(")[0].split(" ").flatMap((word) => {
    if (word.startsWith("-P=")) return permissionFlags(permissions[word.slice("-P=".length)]);
    return /^--(no-prompt|(allow|deny)-|v8-flags=)/.test(word) ? [word] : [];
  });
  return [...flags, ...unstable.map((name: string) => `--unstable-${name}`)];
}

/** A permission set of deno.json as flags of `deno run`; throws for a form that it does not know. */
export function permissionFlags(set: Record<string, unknown>): string[] {
  return Object.entries(set).map(([name, value]) => {
    if (value === true) return `--allow-${name}`;
    if (Array.isArray(value) && value.length > 0) return `--allow-${name}=${value.join(",")}`;
    throw new Error(`Cannot read permission "${name}": neither true nor a list of names`);
  });
}

let importMapFlagsPromise: Promise<string[]> | undefined;

/** What `deno task map` prints here: flags for any `deno` subcommand, or none. */
export function importMapFlags(): Promise<string[]> {
  importMapFlagsPromise ??= askForImportMap();
  return importMapFlagsPromise;
}

async function askForImportMap(): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "-q", "map"],
    cwd: ROOT,
    stderr: "inherit",
  }).output();
  const flags = new TextDecoder().decode(stdout).split(/\s+/).filter((word) => word !== "");
  // Absolute, so that the flags also hold for a command run in another folder.
  return flags.map((flag) => flag.replace("--import-map=", `--import-map=${ROOT}`));
}
