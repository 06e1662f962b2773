/**
 * What a million keys cost: memory, SAVE and load time, and the stalls of clients during BGSAVE.
 *
 * The keys are `key:0` to `key:999999` with 16-byte values. Every sample is taken from a freshly started
 * server, one server at a time, so that neither the other server nor an earlier measurement is in it.
 */

import { Client, encodeCommand } from "./client.ts";
import type { Progress } from "./progress.ts";
import type { MemorySample, Pair, SaveSample, StallSample } from "./results.ts";
import { type RunningServer, type ServerSpec, startServer } from "./servers.ts";
import { fillWide, scattered } from "./type_workloads.ts";

export interface DataOptions {
  keys: number;
  rounds: number;
  /** A folder for data folders; each server gets an empty one in it. */
  workDir: string;
}

const VALUE_BYTES = 16;

/** Time given to a server to settle before its resident memory is read. */
const SETTLE_MS = 1_000;

/** How long the stall probe watches the server without a snapshot, and its pause between probes. */
const IDLE_WATCH_MS = 3_000;
const PROBE_PAUSE_MS = 1;

/** Snapshots watched per round: one alone may be over after a few hundred probes. */
const SNAPSHOTS_PER_ROUND = 3;
const SNAPSHOT_TIMEOUT_MS = 120_000;

/** About how long a round of each measurement takes for both servers, in milliseconds. */
export const EXPECTED_ROUND_MS = { memory: 8_000, elements: 9_000, save: 7_000, stall: 20_000 };

/** Takes `measure` for both servers, alternating, once per round. */
export async function measurePair<T>(
  reference: ServerSpec,
  subject: ServerSpec,
  options: DataOptions,
  what: keyof typeof EXPECTED_ROUND_MS,
  measure: (spec: ServerSpec, options: DataOptions) => Promise<T>,
  progress: Progress,
): Promise<Pair<T>> {
  const pair: Pair<T> = { reference: [], subject: [] };
  for (let round = 0; round < options.rounds; round++) {
    progress.begin(`${what}: round ${round + 1} of ${options.rounds}`);
    pair.reference.push(await measure(reference, options));
    pair.subject.push(await measure(subject, options));
    progress.end(EXPECTED_ROUND_MS[what]);
  }
  return pair;
}

/** Resident memory of a server before and after the keys were set. */
export function measureMemory(spec: ServerSpec, options: DataOptions): Promise<MemorySample> {
  return withServer(spec, options, async (server) => {
    await pause(SETTLE_MS);
    const emptyBytes = server.residentBytes();
    await fillKeys(server, options.keys);
    await pause(SETTLE_MS);
    return { emptyBytes, filledBytes: server.residentBytes() };
  });
}

/** A collection of a million elements. */
export interface ElementKind {
  readonly title: string;
  /** The command that adds to it, with its key. */
  readonly command: string[];
  /** The words of one element. */
  words(i: number): string[];
  readonly count: string;
}

/** One key each; the elements are short texts, as most are. */
export const ELEMENT_KINDS: readonly ElementKind[] = [
  {
    title: "hash",
    command: ["HSET", "k"],
    words: (i) => [`field:${i}`, `value:${i}`],
    count: "HLEN",
  },
  { title: "set", command: ["SADD", "k"], words: (i) => [`member:${i}`], count: "SCARD" },
  {
    title: "sorted set",
    command: ["ZADD", "k"],
    words: (i) => [String(scattered(i)), `member:${i}`],
    count: "ZCARD",
  },
  { title: "list", command: ["RPUSH", "k"], words: (i) => [`element:${i}`], count: "LLEN" },
  {
    title: "stream",
    command: ["XADD", "k", "*"],
    words: (i) => ["field", `value:${i}`],
    count: "XLEN",
  },
];

/** Resident memory of a server before and after it was given such a collection. */
export function elementMeasure(
  kind: ElementKind,
): (spec: ServerSpec, options: DataOptions) => Promise<MemorySample> {
  return (spec, options) =>
    withServer(spec, options, async (server) => {
      // What the runtime compiles and keeps at first is no part of what elements cost.
      await fillElements(server, kind, WARM_UP_ELEMENTS);
      await server.call("FLUSHALL");
      await pause(2 * SETTLE_MS);
      const emptyBytes = server.residentBytes();
      await fillElements(server, kind, options.keys);
      const found = await server.call(kind.count, "k");
      if (found !== String(options.keys)) {
        throw new Error(`${server.label}: ${found} elements where ${options.keys} should be`);
      }
      // As long as before: what idle servers collect has gone both times.
      await pause(2 * SETTLE_MS);
      return { emptyBytes, filledBytes: server.residentBytes() };
    });
}

/** Elements that are added, and removed again, before those that are measured. */
const WARM_UP_ELEMENTS = 50_000;

/** Adds `count` elements of a kind, to another key than `k` where one is named. */
export async function fillElements(
  server: RunningServer,
  kind: ElementKind,
  count: number,
  key = "k",
): Promise<void> {
  const { words } = kind;
  const command = kind.command.with(1, key);
  if (command.includes("*")) { // an entry has a command of its own
    await server.fill(count, (i) => encodeCommand(...command, ...words(i)));
  } else await fillWide(server, command, count, words);
}

/** Time of a SAVE, and of a start with the saved file compared with a start without one. */
export async function measureSave(spec: ServerSpec, options: DataOptions): Promise<SaveSample> {
  const dir = Deno.makeTempDirSync({ dir: options.workDir });
  let server = await startServer(spec, dir);
  let emptyStartMs: number, saveMs: number, loadedStartMs: number, fileBytes: number;
  try {
    emptyStartMs = server.startMs;
    await fillKeys(server, options.keys);
    const startedAt = performance.now();
    await server.call("SAVE");
    saveMs = performance.now() - startedAt;
    fileBytes = Deno.statSync(`${dir}/dump.rdb`).size;
  } finally {
    await server.stop();
  }
  server = await startServer(spec, dir);
  try {
    loadedStartMs = server.startMs;
    await expectKeys(server, options.keys);
  } finally {
    await server.stop();
  }
  Deno.removeSync(dir, { recursive: true });
  return { saveMs, emptyStartMs, loadedStartMs, fileBytes };
}

/**
 * Latencies of a client that sends PING, GET and SET in turn, at random keys, about every millisecond:
 * first while nothing else happens, then while BGSAVE runs. The writes matter: they are what a forked
 * child's pages or a snapshot's hook make dearer.
 */
export function measureStall(spec: ServerSpec, options: DataOptions): Promise<StallSample> {
  return withServer(spec, options, async (server) => {
    await fillKeys(server, options.keys);
    const probe = new Probe(await Client.connect(server.port), options.keys);
    await watch(server, probe, IDLE_WATCH_MS / 3); // warms up both ends
    const idleMs = await watch(server, probe, IDLE_WATCH_MS);

    const snapshotMs: number[] = [];
    let snapshotDurationMs = 0;
    for (let n = 0; n < SNAPSHOTS_PER_ROUND; n++) {
      const watching = probe.watchUntilStopped();
      const startedAt = performance.now();
      await server.call("BGSAVE");
      await server.guard("BGSAVE", snapshotEnd(server), SNAPSHOT_TIMEOUT_MS);
      snapshotDurationMs += (performance.now() - startedAt) / SNAPSHOTS_PER_ROUND;
      probe.stop();
      for (const ms of await server.guard("probing", watching)) snapshotMs.push(ms);
    }
    probe.close();
    return { idleMs, snapshotMs, snapshotDurationMs };
  });
}

async function snapshotEnd(server: RunningServer): Promise<void> {
  for (;;) {
    await pause(20);
    const fields = await server.client.info("persistence");
    if (fields.get("rdb_bgsave_in_progress") === "1") continue;
    if (fields.get("rdb_last_bgsave_status") !== "ok") throw new Error("BGSAVE failed");
    return;
  }
}

async function watch(server: RunningServer, probe: Probe, durationMs: number): Promise<number[]> {
  const watching = probe.watchUntilStopped();
  await pause(durationMs);
  probe.stop();
  return await server.guard("probing", watching);
}

/** A client that asks all the time and notes how long each answer took. */
class Probe {
  #client: Client;
  #commands: Uint8Array[] = [];
  #next = 0;
  #stopped = false;

  constructor(client: Client, keys: number) {
    this.#client = client;
    const encoder = new TextEncoder();
    const value = "y".repeat(VALUE_BYTES);
    // Encoded beforehand: the less the probe itself allocates, the less its own pauses show.
    for (let i = 0; i < 3_000; i++) {
      const key = `key:${(Math.imul(i, 0x9e3779b1) >>> 0) % keys}`;
      const words = [["PING"], ["GET", key], ["SET", key, value]][i % 3];
      this.#commands.push(encoder.encode(encodeCommand(...words)));
    }
  }

  /** Probes until `stop`; the latencies in milliseconds. */
  async watchUntilStopped(): Promise<number[]> {
    const latencies: number[] = [];
    this.#stopped = false;
    while (!this.#stopped) {
      const command = this.#commands[this.#next++ % this.#commands.length];
      const sentAt = performance.now();
      await this.#client.exchange(command);
      latencies.push(performance.now() - sentAt);
      await pause(PROBE_PAUSE_MS);
    }
    return latencies;
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.#client.close();
  }
}

async function fillKeys(server: RunningServer, keys: number): Promise<void> {
  const value = "x".repeat(VALUE_BYTES);
  await server.fill(keys, (i) => encodeCommand("SET", `key:${i}`, value));
  await expectKeys(server, keys);
}

async function expectKeys(server: RunningServer, keys: number): Promise<void> {
  const found = await server.call("DBSIZE");
  if (found !== String(keys)) {
    throw new Error(`${server.label}: ${found} keys where ${keys} should be${server.logTail()}`);
  }
}

async function withServer<T>(
  spec: ServerSpec,
  options: DataOptions,
  measure: (server: RunningServer) => Promise<T>,
): Promise<T> {
  const dir = Deno.makeTempDirSync({ dir: options.workDir });
  const server = await startServer(spec, dir);
  try {
    return await measure(server);
  } finally {
    await server.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
