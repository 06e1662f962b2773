/**
 * Requests per second and CPU per request with `appendonly yes`: what keeping every change costs each server. As
 * speed.ts does it otherwise, with a few of its tests.
 */

import type { Progress } from "./progress.ts";
import type { SpeedResult } from "./results.ts";
import { type RunningServer, type ServerSpec, startServer } from "./servers.ts";
import { expectedSpeedMs, measureSpeed, type SpeedOptions } from "./speed.ts";
import { VARIANTS, WORKLOADS } from "./workloads.ts";

/** Each value of `appendfsync` that promises something. */
export const POLICIES = ["everysec", "always"] as const;

const TESTS = ["set", "get"];
const PIPELINES = [1, 16];

type AofOptions = Omit<SpeedOptions, "workloads" | "variants">;

/** What the options of the speed tests come to here. */
function optionsOf(options: AofOptions): SpeedOptions {
  return {
    ...options,
    pipelines: options.pipelines ?? PIPELINES,
    workloads: WORKLOADS.filter(({ name }) => TESTS.includes(name)),
    variants: VARIANTS.filter(({ id }) => id !== "large"),
  };
}

/** About how long each test takes, in milliseconds, for {@linkcode Progress}. */
export function expectedAofMs(options: AofOptions): number[] {
  return POLICIES.flatMap(() => expectedSpeedMs(optionsOf(options)));
}

/** Starts both servers with an append-only file, for each policy in turn, and measures them. */
export async function measureAof(
  reference: ServerSpec,
  subject: ServerSpec,
  options: AofOptions & { workDir: string },
  progress: Progress,
): Promise<Record<string, SpeedResult[]>> {
  const results: Record<string, SpeedResult[]> = {};
  for (const policy of POLICIES) {
    const servers: RunningServer[] = [];
    try {
      for (const { label, command } of [reference, subject]) {
        // Without rewrites: a run that has one cannot be compared with one that has none.
        const aof = ["--appendonly", "yes", "--appendfsync", policy];
        const args = [...command, ...aof, "--auto-aof-rewrite-percentage", "0"];
        const dir = Deno.makeTempDirSync({ dir: options.workDir });
        servers.push(await startServer({ label, command: args }, dir));
      }
      results[policy] = await measureSpeed(servers[0], servers[1], optionsOf(options), progress);
    } finally {
      for (const server of servers) await server.stop();
    }
  }
  return results;
}
