/** What clients that track keys have the server hold, and how long others wait while that goes away. */

import { type Client, encodeCommand } from "../compare/client.ts";
import { type Bench, pause } from "./bench.ts";
import { atMost, FIGURE, type LimitsCase, ratioAtMost } from "./cases.ts";

const KEYS = 1_000_000;
/** Reads that are sent before their replies are read. */
const BATCH = 1_000;
/** Clients that have all read the same keys, and how many those are. */
const READERS = 1_000;
const SHARED_KEYS = 100;
/** Time in which what is done in the background is watched, in ms. */
const BACKGROUND_MS = 3_000;

/** Below these, differences are the machine's. */
const TIME_SLACK_MS = 50;
const MEMORY_SLACK_MB = 20;
/** Longest wait of another client, milliseconds. */
const STALL_MS = 10;

const encoder = new TextEncoder();

/** What is done to a million keys that a client has read, and what follows from it in the background. */
function afterReading(
  title: string,
  work: (bench: Bench, client: Client) => Promise<unknown>,
): LimitsCase {
  return {
    title: `${title}, of a million keys that a client has read`,
    expectedMs: 15_000,
    run: async (bench) => {
      const client = await readAll(bench);
      return await bench.watch(async () => {
        await work(bench, client);
        await pause(BACKGROUND_MS);
      });
    },
    bars: { [FIGURE.stall]: atMost(STALL_MS) },
  };
}

export const TRACKING: LimitsCase[] = [
  {
    title: "A client with tracking reads a million keys",
    expectedMs: 10_000,
    run: async (bench) => {
      const figures = await bench.watch(() => readAll(bench));
      return { ...figures, ...await bench.memoryAfter(200) };
    },
    bars: {
      [FIGURE.time]: ratioAtMost(1, TIME_SLACK_MS),
      [FIGURE.stall]: atMost(STALL_MS),
      [FIGURE.after]: ratioAtMost(1, MEMORY_SLACK_MB),
      [FIGURE.used]: ratioAtMost(1),
    },
  },
  afterReading("The client leaves", (_, client) => Promise.resolve(client.close())),
  afterReading("FLUSHALL", (bench) => bench.call("FLUSHALL")),
  afterReading(
    "tracking-table-max-keys 1",
    (bench) => bench.call("CONFIG", "SET", "tracking-table-max-keys", "1"),
  ),
  {
    title: `MSET of ${SHARED_KEYS} keys that ${READERS} clients have read`,
    expectedMs: 15_000,
    run: async (bench) => {
      const names = Array.from({ length: SHARED_KEYS }, (_, i) => `key:${i}`);
      const clients = await Promise.all(Array.from({ length: READERS }, () => bench.connect()));
      for (const client of clients) {
        await client.call("HELLO", "3");
        await client.call("CLIENT", "TRACKING", "ON");
        await client.exchange(encoder.encode(encodeCommand("MGET", ...names)));
      }
      return await bench.watch(() => bench.exchange(["MSET", ...names.flatMap((k) => [k, "v"])]));
    },
    bars: {
      [FIGURE.time]: ratioAtMost(1, TIME_SLACK_MS),
      [FIGURE.stall]: ratioAtMost(1, STALL_MS),
    },
  },
];

/** A client with tracking that has read `KEYS` keys, none of which is there. */
async function readAll(bench: Bench): Promise<Client> {
  const client = await bench.connect();
  await client.call("CLIENT", "TRACKING", "ON");
  for (let i = 0; i < KEYS; i += BATCH) {
    let text = "";
    for (let n = i; n < i + BATCH; n++) text += encodeCommand("GET", `key:${n}`);
    await client.send(encoder.encode(text));
    await client.skip(BATCH);
  }
  return client;
}
