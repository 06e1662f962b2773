/**
 * `deno task release`: executables for all platforms into dist/, with their checksums. Each is built by
 * Bun, which takes its runtime for another platform from the npm registry. What cannot run here is
 * checked for the format of its file: system, processor and, for Linux, C library.
 */

import { join } from "@std/path";
import { buildByBun, BUN_VERSION } from "./bun.ts";
import { findWorkers, versionProblem } from "./compile.ts";
import { type ExecutableFormat, formatOfFile } from "./executable_format.ts";
import { ROOT } from "./server_flags.ts";

interface Platform extends ExecutableFormat {
  /** The file's name in dist/. */
  file: string;
  /** `bun build --target`. */
  target: string;
}

const PLATFORMS: Platform[] = [
  { file: "tsredis-linux-x64", target: "bun-linux-x64", system: "linux", architecture: "x64" },
  {
    file: "tsredis-linux-arm64",
    target: "bun-linux-arm64",
    system: "linux",
    architecture: "arm64",
  },
  {
    file: "tsredis-linux-x64-musl",
    target: "bun-linux-x64-musl",
    system: "linux-musl",
    architecture: "x64",
  },
  { file: "tsredis-macos-x64", target: "bun-darwin-x64", system: "macos", architecture: "x64" },
  {
    file: "tsredis-macos-arm64",
    target: "bun-darwin-arm64",
    system: "macos",
    architecture: "arm64",
  },
  {
    file: "tsredis-windows-x64.exe",
    target: "bun-windows-x64",
    system: "windows",
    architecture: "x64",
  },
];

/** Whether this machine can run such an executable. */
function runsHere({ system, architecture }: ExecutableFormat): boolean {
  const here = { linux: "linux", darwin: "macos", windows: "windows" }[Deno.build.os as string];
  return system === here && architecture === (Deno.build.arch === "x86_64" ? "x64" : "arm64");
}

async function release(): Promise<void> {
  const folder = join(ROOT, "dist");
  await Deno.remove(folder, { recursive: true }).catch(() => {}); // there may be none
  await Deno.mkdir(folder);
  const workers = await findWorkers(join(ROOT, "src"));
  console.log(`dist/, by Bun ${BUN_VERSION}:`);
  const sums: string[] = [];
  for (const platform of PLATFORMS) {
    const path = join(folder, platform.file);
    await buildByBun({ output: path, workers, target: platform.target });
    const format = await formatOfFile(path);
    const [expected, found] = [nameOf(platform), format === null ? "unknown" : nameOf(format)];
    if (found !== expected) {
      throw new Error(`Cannot release ${platform.file}: its format is ${found}`);
    }
    const canRun = runsHere(platform);
    const problem = canRun ? await versionProblem(path) : null;
    if (problem !== null) throw new Error(`Cannot release ${platform.file}: ${problem}`);
    const bytes = await Deno.readFile(path);
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    sums.push(`${sum}  ${platform.file}\n`);
    const size = `${(bytes.length / 1e6).toFixed(0)} MB`;
    const checks = canRun ? "format checked, runs" : "format checked";
    console.log(`  ${platform.file.padEnd(24)} ${size.padStart(6)}  ${checks}`);
  }
  await Deno.writeTextFile(join(folder, "SHA256SUMS"), sums.join(""));
  console.log("  SHA256SUMS");
}

function nameOf({ system, architecture }: ExecutableFormat): string {
  return `${system} ${architecture}`;
}

if (import.meta.main) await release();
