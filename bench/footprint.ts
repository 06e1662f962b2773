/**
 * `deno task footprint`: what tsredis takes before it does anything, in each of its forms, beside
 * redis-server: time from the start of the process to the first PONG, memory and CPU while idle, size.
 *
 * Prints a table and puts it into README.md between its marks, unless `--no-write` is given. Linux only,
 * for /proc. Takes about a minute and a half.
 */

import { join } from "@std/path";
import { sourceCommand } from "../tests/support/tsredis_process.ts";
import { BUN_VERSION } from "../tools/bun.ts";
import { build } from "../tools/compile.ts";
import { replacePart } from "../tools/readme_parts.ts";
import { ROOT } from "../tools/server_flags.ts";
import { killEverything, startServer } from "./compare/servers.ts";
import { median } from "./compare/results.ts";

/** How often each is started. */
const STARTS = 15;

/** How long a server is left alone before and while its memory and CPU are read. */
const SETTLE_MS = 2_000;
const IDLE_MS = 10_000;

interface Form {
  label: string;
  command: string[];
  /** What has to be on the machine: the files whose sizes count. */
  files: string[];
}

interface Footprint {
  label: string;
  startMs: number;
  idleBytes: number;
  /** Share of one processor. */
  idleCpu: number;
  sizeBytes: number;
}

/** The forms that can be had here; executables are built into `folder`. */
async function formsIn(folder: string): Promise<Form[]> {
  const forms: Form[] = [];
  const redis = await pathOf("redis-server");
  if (redis !== null) {
    forms.push({ label: "redis-server", command: ["redis-server"], files: [redis] });
  }
  const executables = [
    [`executable by Bun ${BUN_VERSION}`, "bun"],
    [`executable by Deno ${Deno.version.deno}`, "deno"],
  ] as const;
  for (const [label, runtime] of executables) {
    const path = join(folder, `tsredis-${runtime}`);
    try {
      await build(runtime, path);
      forms.push({ label: `tsredis, ${label}`, command: [path], files: [path] });
    } catch (error) {
      console.error(`no ${label}: ${error instanceof Error ? error.message : error}`);
    }
  }
  forms.push({
    label: `tsredis, sources on Deno ${Deno.version.deno}`,
    command: await sourceCommand(),
    files: [Deno.execPath()],
  });
  return forms;
}

/** The real path of a program on the PATH; null when there is none. */
async function pathOf(program: string): Promise<string | null> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    try {
      return await Deno.realPath(join(folder, program));
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

async function measure({ label, command, files }: Form, folder: string): Promise<Footprint> {
  const spec = { label, command };
  const start = async () => {
    const dir = await Deno.makeTempDir({ dir: folder });
    return await startServer(spec, dir);
  };
  const starts: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const server = await start();
    starts.push(server.startMs);
    await server.stop();
  }
  const server = await start();
  await pause(SETTLE_MS);
  const cpuBefore = server.cpuMicros();
  await pause(IDLE_MS);
  const idleCpu = (server.cpuMicros() - cpuBefore) / (IDLE_MS * 1_000);
  const idleBytes = server.residentBytes();
  await server.stop();
  let sizeBytes = 0;
  for (const file of files) sizeBytes += (await Deno.stat(file)).size;
  return { label, startMs: median(starts), idleBytes, idleCpu, sizeBytes };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The table in Markdown. */
export function footprintMarkdown(footprints: readonly Footprint[]): string {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
  const rows = footprints.map(({ label, startMs, idleBytes, idleCpu, sizeBytes }) =>
    `| ${label} | ${startMs.toFixed(0)} ms | ${megabytes(idleBytes)} | ${
      (idleCpu * 100).toFixed(1)
    } % | ${megabytes(sizeBytes)} |`
  );
  return [
    "| | start to first PONG | idle memory | idle CPU | size on disk |",
    "|---|---:|---:|---:|---:|",
    ...rows,
  ].join("\n") + "\n";
}

if (import.meta.main) {
  const folder = await Deno.makeTempDir({ prefix: "tsredis-footprint-" });
  try {
    const footprints: Footprint[] = [];
    for (const form of await formsIn(folder)) {
      console.error(`measuring ${form.label}`);
      footprints.push(await measure(form, folder));
    }
    const table = footprintMarkdown(footprints);
    console.log(table);
    if (!Deno.args.includes("--no-write")) {
      const readme = join(ROOT, "README.md");
      const text = await Deno.readTextFile(readme);
      await Deno.writeTextFile(readme, replacePart(text, "footprint", table));
    }
  } finally {
    killEverything();
    await Deno.remove(folder, { recursive: true });
  }
}
