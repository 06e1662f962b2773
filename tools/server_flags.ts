/**
 * The flags `deno run` gets for the server, for the tools and tests that start or pack it.
 *
 * They are written once, in the `start` task of deno.json. The executable and the servers that
 * tests start read them from there, so none of them can quietly have more permissions.
 */

import { fromFileUrl } from "@std/path";

/** The folder of deno.json, ending in a separator. */
export const ROOT = fromFileUrl(new URL("../", import.meta.url));

/** The flags of the `start` task that matter wherever the server runs: permissions, V8 flags. */
export async function serverFlags(): Promise<string[]> {
  const config = JSON.parse(await Deno.readTextFile(ROOT + "deno.json"));
  const command: string = config.tasks.start.command;
  return command.split("$(")[0].split(" ").filter((word) =>
    /^--(no-prompt|(allow|deny)-|v8-flags=|unstable-)/.test(word)
  );
}

let importMapFlagsPromise: Promise<string[]> | undefined;

/** What tools/import_map.ts prints here: flags for any `deno` subcommand, or none. */
export function importMapFlags(): Promise<string[]> {
  importMapFlagsPromise ??= askForImportMap();
  return importMapFlagsPromise;
}

async function askForImportMap(): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-lock", "--no-config", "--allow-read", "--allow-write"]
      .concat("tools/import_map.ts"),
    cwd: ROOT,
    stderr: "inherit",
  }).output();
  const flags = new TextDecoder().decode(stdout).split(/\s+/).filter((word) => word !== "");
  // Absolute, so that the flags also hold for a command run in another folder.
  return flags.map((flag) => flag.replace("--import-map=", `--import-map=${ROOT}`));
}
