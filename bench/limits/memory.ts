/**
 * Memory that is not needed any more: does it go back to the system, how much does one large value take on its
 * way in, does `maxmemory` hold what the machine sees, and does a growing dataset make others wait?
 */

import { Client, encodeBytes, encodeCommand } from "../compare/client.ts";
import { type Bench, pause } from "./bench.ts";
import { atMostOf, FIGURE, type Figures, type LimitsCase, ratioAtMost } from "./cases.ts";

/** How long after a load memory may take to go back. */
const GIVEN_BACK_MS = 5_000;
/** What may remain above 1.3 of `used_memory`, in MB. */
const REMAINS_MB = 20;

const PURGED = "memory after MEMORY PURGE, MB";
const RESIDENT = "resident memory at the end, MB";
const LIMIT = "maxmemory, MB";

const GIVEN_BACK = {
  [FIGURE.after]: atMostOf(FIGURE.used, 1.3, REMAINS_MB),
  [PURGED]: atMostOf(FIGURE.used, 1.3, REMAINS_MB),
};

const MILLION = new Uint8Array(1_000_000).fill(120);

export const MEMORY: LimitsCase[] = [
  {
    title: "600 SETs of 1 MB, then FLUSHALL",
    expectedMs: 15_000,
    run: (bench) =>
      givenBack(bench, async () => {
        for (let i = 0; i < 600; i++) {
          await bench.server.client.exchange(encodeBytes("SET", `big:${i}`, MILLION));
        }
        await bench.call("FLUSHALL");
      }),
    bars: GIVEN_BACK,
  },
  {
    title: "a million keys of 200 bytes, then all of them deleted",
    expectedMs: 25_000,
    run: (bench) =>
      givenBack(bench, async () => {
        const value = "x".repeat(200);
        await bench.server.fill(1_000_000, (i) => encodeCommand("SET", `key:${i}`, value));
        await bench.server.fill(1_000_000, (i) => encodeCommand("DEL", `key:${i}`));
      }),
    bars: GIVEN_BACK,
  },
  {
    title: "150 clients that each ask for 9 MB",
    expectedMs: 15_000,
    prepare: (bench) => bench.exchange(["SET", "large", "x".repeat(9_000_000)]),
    run: (bench) =>
      givenBack(bench, async () => {
        const get = new TextEncoder().encode(encodeCommand("GET", "large"));
        const clients = await connected(bench, 150);
        for (const client of clients) await client.send(get);
        for (const client of clients) await client.skip(1);
        for (const client of clients) client.close();
      }),
    bars: GIVEN_BACK,
  },
  {
    title: "10,000 connections that come and go",
    expectedMs: 20_000,
    run: (bench) =>
      givenBack(bench, async () => {
        const clients = await connected(bench, 9_900);
        for (const client of clients) await client.call("PING");
        for (const client of clients) client.close();
      }),
    bars: GIVEN_BACK,
  },
  {
    title: "SET of 512 MB",
    expectedMs: 15_000,
    run: async (bench) => {
      const [begin, end] = ["*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$512000000\r\n", "\r\n"];
      const figures = await bench.watch(async () => {
        const client = await bench.connect();
        await client.send(new TextEncoder().encode(begin));
        for (let i = 0; i < 512; i++) await client.send(MILLION);
        await client.send(new TextEncoder().encode(end));
        await client.skip(1);
      });
      return { ...figures, ...await bench.memoryAfter(GIVEN_BACK_MS) };
    },
    bars: {
      [FIGURE.peak]: ratioAtMost(2),
      [FIGURE.stall]: ratioAtMost(1, 10),
      [FIGURE.after]: atMostOf(FIGURE.used, 1.3, REMAINS_MB),
    },
  },
  {
    title: "maxmemory 100mb, values of 10 bytes to 100 kB in turn with others",
    options: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"],
    expectedMs: 60_000,
    run: async (bench) => {
      await churn(bench);
      return {
        [LIMIT]: 100 * 1.048576,
        [RESIDENT]: (bench.server.residentBytes() - bench.idleBytes) / 1e6,
        ...await bench.memoryAfter(GIVEN_BACK_MS),
      };
    },
    bars: { [RESIDENT]: atMostOf(LIMIT, 1.2), [FIGURE.after]: atMostOf(LIMIT, 1.2) },
  },
  {
    title: "growing to five million keys",
    expectedMs: 60_000,
    run: (bench) =>
      bench.watch(() =>
        bench.server.fill(
          5_000_000,
          (i) => encodeCommand("SET", `key:${i}`, "xxxxxxxxxxxxxxxx"),
        )
      ),
    bars: { [FIGURE.stall]: ratioAtMost(1) },
  },
];

/** Does `work`; then the memory five seconds later, and at once after MEMORY PURGE. */
async function givenBack(bench: Bench, work: () => Promise<void>): Promise<Figures> {
  const watched = await bench.watch(work);
  const after = await bench.memoryAfter(GIVEN_BACK_MS);
  await bench.call("MEMORY", "PURGE");
  return { ...watched, ...after, [PURGED]: (await bench.memoryAfter(0))[FIGURE.after] };
}

async function connected(bench: Bench, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  for (let i = 0; i < count; i++) clients.push(await Client.connect(bench.server.port));
  return clients;
}

/**
 * Rounds of values of one size after the other, so that what one size has left must serve the next: about a
 * gigabyte in all.
 */
async function churn(bench: Bench): Promise<void> {
  const sizes = [10, 100_000, 300, 20_000, 50, 3_000, 60_000, 1_000];
  for (let round = 0; round < 3; round++) {
    for (const size of sizes) {
      const count = Math.min(200_000, Math.ceil(40_000_000 / size));
      const value = "x".repeat(size);
      for (let done = 0; done < count; done += 200) {
        await bench.server.fill(
          Math.min(200, count - done),
          (i) => encodeCommand("SET", `key:${(done + i) * 7919 % 1_000_000}:${size}`, value),
        );
      }
    }
    await pause(100);
  }
}
