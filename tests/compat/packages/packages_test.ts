/**
 * Packages that keep queues, locks and limits in scripts, by the examples of their documentation: do
 * they run on this server as they do on Redis? Each program here asserts for itself, and runs on a server
 * of its own. With TSREDIS_COMPAT_PEER=redis that is redis-server, which tests the programs.
 *
 * Where npm cannot install the packages (there is no npm, or no way to a registry), the tests are skipped,
 * and their names say why. Versions are those of npm.lock.json, scripts of packages are not run, and all of it
 * lies in a temporary folder.
 */

import { assert } from "@std/assert";
import { join } from "@std/path";
import { Certificates, hasOpenssl } from "../../support/certificates.ts";
import { freePort } from "../../support/free_port.ts";
import { hasRedisSentinel, pythonWithRedis } from "../../support/real_redis.ts";
import { startPeers } from "../../support/replication_peers.ts";
import { GROUP, Sentinels } from "../../support/sentinels.ts";
import { tlsArgs } from "../../support/tls_servers.ts";
import { testedServer } from "../support.ts";

const HERE = import.meta.dirname!;
const INSTALL_MS_MAX = 120_000;
const PROGRAM_MS_MAX = 120_000;
/** As in docs/high-availability.md. */
const PASSWORD = "a-long-secret";

/** All that a program prints, and whether it has ended well. */
async function run(
  program: string,
  args: string[],
  { cwd, msMax }: { cwd: string; msMax: number },
): Promise<{ success: boolean; output: string }> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args,
      cwd,
      stdin: "null",
      signal: AbortSignal.timeout(msMax),
    }).output();
    const decoder = new TextDecoder();
    return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (error) {
    return { success: false, output: `${program}: ${(error as Error).message}` };
  }
}

/** Under their own names npm's files would be taken for those of this project. */
function placeOf(name: string): string {
  if (name === "npm.json") return "package.json";
  return name === "npm.lock.json" ? "package-lock.json" : name;
}

/** A folder with the packages and copies of the programs, or why there is none. */
async function installPackages(): Promise<{ folder: string | null; why: string }> {
  const dir = await Deno.makeTempDir({ prefix: "tsredis-packages-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
  for await (const { name } of Deno.readDir(HERE)) {
    if (/\.(mjs|json)$/.test(name)) await Deno.copyFile(join(HERE, name), join(dir, placeOf(name)));
  }
  const quiet = ["--loglevel=error", "--no-audit", "--no-fund", "--no-update-notifier"];
  const soon = [
    "--prefer-offline",
    "--fetch-retry-mintimeout=500",
    "--fetch-retry-maxtimeout=3000",
  ];
  const { success, output } = await run(
    "npm",
    ["ci", "--ignore-scripts", "--omit=optional", ...quiet, ...soon],
    { cwd: dir, msMax: INSTALL_MS_MAX },
  );
  if (success) return { folder: dir, why: "" };
  return { folder: null, why: ` (not installed: ${output.trim().split("\n")[0]})` };
}

const { folder, why } = await installPackages();

for (
  const [program, what] of [
    [
      "ioredis_scripts",
      "ioredis: defineCommand by SHA-1, in pipelines and transactions; functions",
    ],
    [
      "bullmq_jobs",
      "bullmq: jobs are worked on by priority, later, once more, and removed",
    ],
    ["bullmq_flows", "bullmq: the children of a flow come before their parent"],
    [
      "bullmq_schedules",
      "bullmq: jobs come again, and workers keep to a limit",
    ],
    [
      "redlock",
      "redlock: locks exclude each other, on several resources at once",
    ],
    [
      "rate_limiter_flexible",
      "rate-limiter-flexible: no point too many is given out",
    ],
  ]
) {
  Deno.test({
    name: what + why,
    ignore: folder === null,
    fn: () => runOnServer("node", `${program}.mjs`, folder!),
  });
}

Deno.test({
  name: "ioredis over TLS: large values, pipelines, pub/sub, no certificate" + why,
  ignore: folder === null || !hasOpenssl,
  async fn() {
    using certificates = Certificates.usual();
    const tlsPort = freePort();
    const args = [`${tlsPort}`, certificates.folder];
    await runOnServer("node", "ioredis_tls.mjs", folder!, args, tlsArgs(certificates, tlsPort));
  },
});

Deno.test({
  name: "ioredis with sentinels: writes go on with the next master" + why,
  ignore: folder === null || !hasRedisSentinel,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const args = ["--requirepass", PASSWORD, "--masterauth", PASSWORD];
    const servers = await startPeers(stack, ["tsredis", "tsredis", "tsredis"], args);
    const [master, ...replicas] = servers;
    for (const replica of replicas) {
      using client = await replica.connect();
      await client.call("AUTH", PASSWORD);
      await client.call("REPLICAOF", "127.0.0.1", `${master.port}`);
    }
    const lines = [`sentinel auth-pass ${GROUP} ${PASSWORD}`];
    const sentinels = stack.use(await Sentinels.start(master, replicas.length, { lines }));
    const words = ["ioredis_sentinels.mjs", sentinels.ports.join(","), GROUP];
    const { success, output } = await run("node", words, { cwd: folder!, msMax: PROGRAM_MS_MAX });
    const logs = servers.map(({ log }) => log).join("\n--- another:\n");
    assert(success, `${output}\n${sentinels.log}\n--- the servers' logs:\n${logs}`);
  },
});

Deno.test({
  name: "redis-py: locks exclude each other, and registered scripts are sent when they are needed",
  ignore: pythonWithRedis === null,
  fn: () => runOnServer(pythonWithRedis!, "redis_py_locks.py", HERE),
});

async function runOnServer(
  interpreter: string,
  program: string,
  cwd: string,
  args: string[] = [],
  serverArgs: string[] = [],
): Promise<void> {
  const server = testedServer(serverArgs);
  await server.start();
  try {
    const { success, output } = await run(
      interpreter,
      args.length === 0 ? [program, `${server.port}`] : [program, ...args],
      { cwd, msMax: PROGRAM_MS_MAX },
    );
    assert(
      success,
      `${program}:\n${output}\nThe server's log:\n${server.logTail}`,
    );
  } finally {
    await server.stop();
  }
}
