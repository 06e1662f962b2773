/**
 * Bun, the second runtime: where it comes from and how it finds the packages of deno.json. The version is
 * named here and nowhere else.
 */

import { join } from "@std/path";
import { importMapFlags, ROOT } from "./server_flags.ts";

/** The version of npm's package `bun` that makes the executables and runs the tests. */
export const BUN_VERSION = "1.4.5";

let bunPathPromise: Promise<string> | undefined;

/**
 * The path of Bun's executable: the `bun` on the PATH when it is of that version, else npm's, which is
 * fetched at the first use. Throws when neither can be had.
 */
export function bunPath(): Promise<string> {
  bunPathPromise ??= findBun();
  return bunPathPromise;
}

async function findBun(): Promise<string> {
  const script = "console.log(Bun.version + ' ' + process.execPath)";
  const problems: string[] = [];
  for (const command of [["bun"], ["npx", "-y", `bun@${BUN_VERSION}`]]) {
    try {
      const [version, ...path] = (await run([...command, "-e", script])).trim().split(" ");
      if (version === BUN_VERSION) return path.join(" ");
      problems.push(`${command.join(" ")} is version ${version}`);
    } catch (error) {
      problems.push(`${command.join(" ")}: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new Error(`Cannot find Bun ${BUN_VERSION}: ${problems.join("; ")}`);
}

/** Runs a program in the project's folder and gives what it printed; throws when it fails. */
export async function run([program, ...args]: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(decoder.decode(stderr).trim() || decoder.decode(stdout).trim());
  return decoder.decode(stdout);
}

/**
 * Calls `use` with the path of a tsconfig.json that tells Bun where `@std/…` is. Bun knows neither JSR nor
 * import maps, so Deno bundles the packages, from wherever they come on this network, into a folder
 * that lasts as long as the call.
 */
export async function withBunConfig<T>(use: (configPath: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "tsredis-bun-" });
  try {
    const map = JSON.parse(await Deno.readTextFile(join(ROOT, "tools/import_map.npm.json")));
    const paths: Record<string, string[]> = {};
    const entries: string[] = [];
    for (const specifier of Object.keys(map.imports)) {
      if (!specifier.startsWith("@std/")) continue;
      const name = specifier.replaceAll(/\W+/g, "_");
      entries.push(join(folder, `${name}.ts`));
      await Deno.writeTextFile(entries.at(-1)!, `export * from "${specifier}";\n`);
      paths[specifier] = [`./out/${name}.js`];
    }
    const flags = [...await importMapFlags(), `--config=${join(ROOT, "deno.json")}`];
    await run(
      [Deno.execPath(), "bundle", "-q", ...flags, `--outdir=${join(folder, "out")}`, ...entries],
    );
    const configPath = join(folder, "tsconfig.json");
    const config = { compilerOptions: { baseUrl: ".", paths } };
    await Deno.writeTextFile(configPath, JSON.stringify(config));
    return await use(configPath);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a `bun build` makes. */
export interface BunBuild {
  /** Path of the file to make. */
  output: string;
  /** Paths of the modules that run in workers, from the project's folder. */
  workers: string[];
  /** As `bun build --target` names it (`bun-linux-arm64`); this machine's without it. */
  target?: string;
}

/** Builds an executable. Throws with Bun's words when that fails. */
export async function buildByBun({ output, workers, target }: BunBuild): Promise<void> {
  const bun = await bunPath();
  await withBunConfig((configPath) =>
    run([
      bun,
      "build",
      "--compile",
      "--bytecode",
      "--format=esm",
      // What lies in the folder of its data is no business of the server's.
      "--no-compile-autoload-dotenv",
      "--no-compile-autoload-bunfig",
      // All code is one module at the executable's root, and finds the workers beside itself.
      "--entry-naming=[name].[ext]",
      `--tsconfig-override=${configPath}`,
      ...(target === undefined ? [] : [`--target=${target}`]),
      `--outfile=${output}`,
      "main.ts",
      ...workers,
    ])
  );
}
