/**
 * Requests per second and CPU per request over TLS 1.3, with certificates on both sides: what encryption
 * costs each server. As speed.ts does it otherwise, with a few of its tests.
 */

import { Certificates } from "../../tests/support/certificates.ts";
import { freePort } from "../../tests/support/free_port.ts";
import { tlsArgs } from "../../tests/support/tls_servers.ts";
import type { Progress } from "./progress.ts";
import type { SpeedResult } from "./results.ts";
import { type RunningServer, type ServerSpec, startServer } from "./servers.ts";
import { expectedSpeedMs, measureSpeed, type SpeedOptions } from "./speed.ts";
import { VARIANTS, WORKLOADS } from "./workloads.ts";

const TESTS = ["ping_mbulk", "set", "get", "lrange_100"];
const PIPELINES = [1, 16];

/** What the options of the speed tests come to here. */
function optionsOf(options: Omit<SpeedOptions, "workloads" | "variants">): SpeedOptions {
  return {
    ...options,
    pipelines: options.pipelines ?? PIPELINES,
    workloads: WORKLOADS.filter(({ name }) => TESTS.includes(name)),
    variants: VARIANTS.filter(({ id }) => id === "plain"),
  };
}

/** About how long each test takes, in milliseconds, for {@linkcode Progress}. */
export function expectedTlsMs(options: Omit<SpeedOptions, "workloads" | "variants">): number[] {
  return expectedSpeedMs(optionsOf(options));
}

/** Starts both servers with TLS and measures them in turn. */
export async function measureTls(
  reference: ServerSpec,
  subject: ServerSpec,
  options: Omit<SpeedOptions, "workloads" | "variants"> & { workDir: string },
  progress: Progress,
): Promise<SpeedResult[]> {
  using certificates = Certificates.usual();
  const servers = [];
  try {
    for (const spec of [reference, subject]) {
      servers.push(await start(spec, certificates, Deno.makeTempDirSync({ dir: options.workDir })));
    }
    return await measureSpeed(servers[0], servers[1], optionsOf(options), progress);
  } finally {
    for (const server of servers) await server.stop();
  }
}

async function start(
  { label, command }: ServerSpec,
  certificates: Certificates,
  dir: string,
): Promise<RunningServer> {
  const tlsPort = freePort();
  const args = tlsArgs(certificates, tlsPort);
  const server = await startServer({ label, command: [...command, ...args] }, dir);
  const path = (file: string) => certificates.path(file);
  server.benchmarkArgs = [
    ...["-p", String(tlsPort), "--tls", "--cacert", path("ca.crt")],
    ...["--cert", path("client.crt"), "--key", path("client.key")],
  ];
  return server;
}
