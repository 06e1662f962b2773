/**
 * Three real sentinels that watch over a master and its replicas, and what tests ask of them. They are
 * configured as docs/high-availability.md says, but for shorter times.
 */

import { join } from "@std/path";
import { eventually } from "./eventually.ts";
import { type Address, ask, askText, infoOf } from "./replication_peers.ts";
import { textOf } from "./resp_client.ts";
import { ServerProcess } from "./server_process.ts";

/** What the sentinels call the group. */
export const GROUP = "mymaster";
const COUNT = 3;
const QUORUM = 2;
/** How long sentinels may take to find each other, or to fail over. */
const PATIENCE_MS = 90_000;

export class Sentinels implements AsyncDisposable {
  private constructor(readonly all: readonly ServerProcess[], readonly dirs: readonly string[]) {}

  /** Starts them; returns when each knows `replicaCount` replicas and the other sentinels. */
  static async start(
    master: Address,
    replicaCount: number,
    { downAfterMs = 1500, lines = [] }: { downAfterMs?: number; lines?: string[] } = {},
  ): Promise<Sentinels> {
    const dirs: string[] = [];
    const all: ServerProcess[] = [];
    const sentinels = new Sentinels(all, dirs);
    try {
      for (let i = 0; i < COUNT; i++) {
        const dir = await Deno.makeTempDir({ prefix: "tsredis-sentinel-" });
        dirs.push(dir);
        all.push(await startOne(dir, master, downAfterMs, lines));
      }
      await sentinels.#settled(replicaCount);
    } catch (cause) {
      const logs = all.map(({ log }) => log).join("\n--- sentinel:\n");
      await sentinels[Symbol.asyncDispose]();
      throw new Error(`Cannot start the sentinels:\n${logs}`, { cause });
    }
    return sentinels;
  }

  /** Until each of them knows of all the others, which failing over needs. */
  async #settled(replicaCount: number): Promise<void> {
    for (const sentinel of this.all) {
      await eventually(async () => {
        const { master0 } = await infoOf(sentinel, "sentinel");
        return master0.includes(`status=ok,`) &&
          master0.includes(`slaves=${replicaCount},sentinels=${COUNT}`);
      }, { timeoutMs: PATIENCE_MS, what: "the sentinels to know all" });
    }
  }

  get ports(): number[] {
    return this.all.map(({ port }) => port);
  }

  get log(): string {
    return this.all.map(({ log }, i) => `--- sentinel ${i}:\n${log}`).join("\n");
  }

  /** The port of the master, as the first of them says. */
  async masterPort(): Promise<number> {
    const reply = await ask(this.all[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", GROUP);
    if (reply.kind !== "array") throw new Error(`no address: ${reply.kind}`);
    return Number(textOf(reply.items[1]));
  }

  /** Whoever of these is the master from now on: not `former`, and says so itself. */
  async untilFailedOver<T extends Address>(former: Address, servers: readonly T[]): Promise<T> {
    let found: T | undefined;
    try {
      await eventually(async () => {
        const port = await this.masterPort();
        found = servers.find((server) => server.port === port);
        return port !== former.port && found !== undefined &&
          (await infoOf(found)).role === "master";
      }, { timeoutMs: PATIENCE_MS, what: "a failover" });
    } catch (cause) {
      throw new Error(`${(cause as Error).message}\n${this.log}`, { cause });
    }
    return found!;
  }

  /** `SENTINEL FAILOVER`; fails with what the sentinel answers. */
  async failOver(): Promise<void> {
    await askText(this.all[0], "SENTINEL", "FAILOVER", GROUP);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sentinel of this.all) await sentinel[Symbol.asyncDispose]();
    for (const dir of this.dirs) await Deno.remove(dir, { recursive: true });
  }
}

async function startOne(
  dir: string,
  master: Address,
  downAfterMs: number,
  lines: string[],
): Promise<ServerProcess> {
  const file = join(dir, "sentinel.conf");
  await Deno.writeTextFile(
    file,
    [
      `sentinel monitor ${GROUP} 127.0.0.1 ${master.port} ${QUORUM}`,
      `sentinel down-after-milliseconds ${GROUP} ${downAfterMs}`,
      `sentinel failover-timeout ${GROUP} 6000`,
      `sentinel parallel-syncs ${GROUP} 1`,
      ...lines,
      "",
    ].join("\n"),
  );
  return await ServerProcess.start({
    name: "redis-sentinel",
    command: ["redis-sentinel", file],
    args: [],
    dir,
  });
}
