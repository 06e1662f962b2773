/** What one client makes the server hold: transactions, watched keys, subscriptions, replies it does not read. */

import { type Client, encodeCommand } from "../compare/client.ts";
import { type Bench, pause } from "./bench.ts";
import { atMost, FIGURE, type LimitsCase, ratioAtMost } from "./cases.ts";

const COUNT = 1_000_000;
/** Commands that are sent before their replies are read, and words of one WATCH or SUBSCRIBE. */
const BATCH = 1_000;

/** Clients that share the million of watched keys. */
const WATCHERS = 500;

/** Below these, differences are the machine's. */
const TIME_SLACK_MS = 50;
const MEMORY_SLACK_MB = 20;
const STALL_SLACK_MS = 10;

const encoder = new TextEncoder();

const BARS = {
  [FIGURE.time]: ratioAtMost(1, TIME_SLACK_MS),
  [FIGURE.peak]: ratioAtMost(1, MEMORY_SLACK_MB),
  [FIGURE.stall]: ratioAtMost(1, STALL_SLACK_MS),
};

/** Commands that are queued by the million, by the way they are called in titles. */
const QUEUED: [title: string, command: (i: number) => string[]][] = [
  ["PINGs", () => ["PING"]],
  ["SETs", (i) => ["SET", `key:${i % 1000}`, "0123456789abcdef"]],
];

/** Memory while it is held is the figure "after": nothing has been given back yet. */
const HOLDING = { ...BARS, [FIGURE.after]: ratioAtMost(1, MEMORY_SLACK_MB) };
const COUNTED = "tot-mem of the client, MB";

export const CLIENTS: LimitsCase[] = [
  ...QUEUED.flatMap(([title, command]): LimitsCase[] => [
    holding(`MULTI, then a million ${title}`, (client) => queueAll(client, command)),
    {
      title: `EXEC of a million ${title}`,
      expectedMs: 8_000,
      run: async (bench) => {
        const client = await bench.connect();
        await queueAll(client, command);
        return await bench.watch(() => client.exchange(encoder.encode(encodeCommand("EXEC"))));
      },
      bars: BARS,
    },
  ]),
  // redis-server looks through all keys of a client at each WATCH: a million for one would take it an hour.
  {
    title: `WATCH of ${COUNT / WATCHERS} keys by each of ${WATCHERS} clients`,
    expectedMs: 10_000,
    run: async (bench) => {
      const clients = await Promise.all(Array.from({ length: WATCHERS }, () => bench.connect()));
      const idleBytes = bench.server.residentBytes();
      const figures = await bench.watch(async () => {
        for (const [i, client] of clients.entries()) {
          await nameAll(client, "WATCH", i * COUNT / WATCHERS, COUNT / WATCHERS);
        }
      });
      const bytes = bench.server.residentBytes() - idleBytes;
      return { ...figures, [FIGURE.after]: bytes / 1e6 };
    },
    bars: HOLDING,
  },
  ...[["SUBSCRIBE", "channels"], ["SSUBSCRIBE", "shard channels"]].map(
    ([command, things]) =>
      holding(
        `${command} of a million ${things}`,
        (client) => nameAll(client, command, 0, COUNT),
      ),
  ),
  {
    title: "A client that has not authenticated, sends for two seconds and never reads",
    expectedMs: 5_000,
    run: async (bench) => {
      await bench.call("CONFIG", "SET", "requirepass", "secret");
      const client = await bench.connect();
      bench.server.forgetPeak();
      const before = bench.server.residentBytes();
      await sendForTwoSeconds(client);
      return { [FIGURE.peak]: (bench.server.peakBytes() - before) / 1e6 };
    },
    bars: { [FIGURE.peak]: atMost(MEMORY_SLACK_MB) },
  },
];

/** A case whose client has the server hold something. */
function holding(title: string, hold: (client: Client) => Promise<void>): LimitsCase {
  return {
    title,
    expectedMs: 6_000,
    run: async (bench) => {
      const client = await bench.connect();
      const figures = await bench.watch(() => hold(client));
      const after = await bench.memoryAfter(200);
      return { ...figures, ...after, [COUNTED]: await largestClientBytes(bench) / 1e6 };
    },
    bars: HOLDING,
  };
}

/** MULTI, then `COUNT` commands whose replies are read batch by batch. */
async function queueAll(client: Client, command: (i: number) => string[]): Promise<void> {
  await client.call("MULTI");
  for (let i = 0; i < COUNT; i += BATCH) {
    let text = "";
    for (let n = i; n < i + BATCH; n++) text += encodeCommand(...command(n));
    await client.send(encoder.encode(text));
    await client.skip(BATCH);
  }
}

/**
 * A command with so many names in all, numbered from `first` on. WATCH is answered once, each name of a
 * subscription for itself.
 */
async function nameAll(
  client: Client,
  command: string,
  first: number,
  count: number,
): Promise<void> {
  for (let i = first; i < first + count; i += BATCH) {
    const names = Array.from({ length: BATCH }, (_, n) => `name:${i + n}`);
    await client.send(encoder.encode(encodeCommand(command, ...names)));
    await client.skip(command === "WATCH" ? 1 : BATCH);
  }
}

/** What the server says that its largest client takes. */
async function largestClientBytes(bench: Bench): Promise<number> {
  const list = await bench.call("CLIENT", "LIST") ?? "";
  return Math.max(...[...list.matchAll(/ tot-mem=(\d+)/g)].map(([, bytes]) => Number(bytes)));
}

/** Commands that are refused, whose replies nobody reads; ends before its time when it is closed. */
async function sendForTwoSeconds(client: Client): Promise<void> {
  const commands = encoder.encode(encodeCommand("GET", "key").repeat(BATCH));
  const until = performance.now() + 2_000;
  const sending = (async () => {
    while (performance.now() < until) await client.send(commands);
  })();
  // A server that takes no more keeps `send` waiting.
  await Promise.race([sending, pause(2_000)]).catch(() => {});
  sending.catch(() => {});
}
