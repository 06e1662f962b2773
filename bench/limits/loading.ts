/**
 * One large value that is taken in, by a replica in a full sync, at the start from a file, by RESTORE (of a client,
 * and on a replica of its master), or handed out by DUMP. Nobody waits for it; the time that it takes altogether is
 * told beside redis-server's.
 */

import { encodeBytes, encodeCommand } from "../compare/client.ts";
import { type Bench, pause } from "./bench.ts";
import { atMost, FIGURE, type LimitsCase, ratioAtMost } from "./cases.ts";
import { fillStream } from "./streams.ts";

/** Elements of a filling command. */
const BATCH = 1_000;
const SIZES = [2_000_000, 5_000_000];
/** Longest wait of another client, milliseconds. */
const STALL_MS = 10;
/** Milliseconds that starting and connecting may take beside the loading. */
const TIME_SLACK_MS = 300;

const BARS = {
  [FIGURE.stall]: atMost(STALL_MS),
  [FIGURE.time]: ratioAtMost(1.5, TIME_SLACK_MS),
};

/** Kinds of values, and what fills one at `k`. */
export const KINDS: [name: string, fill: (bench: Bench, size: number) => Promise<void>][] = [
  ["sorted set", filledBy("ZADD", (i) => [String(i), `member:${i}`])],
  ["hash", filledBy("HSET", (i) => [`field:${i}`, `value:${i}`])],
  ["set", filledBy("SADD", (i) => [`member:${i}`])],
  ["list", filledBy("RPUSH", (i) => [`element:${i}`])],
  ["stream", (bench, size) => fillStream(bench, size, "k")],
];

export const LOADING: LimitsCase[] = SIZES.flatMap((size) =>
  KINDS.flatMap(([kind, fill]): LimitsCase[] => {
    const what = `a ${kind} of ${size / 1e6} million`;
    const prepare = (bench: Bench) => fill(bench, size);
    const common = {
      expectedMs: size / 100,
      options: ["--repl-diskless-sync-delay", "0"],
      prepare,
    };
    return [
      { ...common, title: `A replica receives ${what}`, run: sync, bars: BARS },
      { ...common, title: `A start loads ${what}`, run: start, bars: BARS },
      { ...common, title: `RESTORE of ${what}`, run: restore, bars: BARS },
      {
        ...common,
        title: `A replica is sent a RESTORE of ${what}`,
        run: restoreOnReplica,
        bars: BARS,
      },
      { ...common, title: `DUMP of ${what}`, run: dump, bars: BARS },
    ];
  })
);

/** A filling by a command to which element `i` adds these words. */
function filledBy(command: string, words: (i: number) => string[]) {
  return (bench: Bench, size: number): Promise<void> =>
    bench.server.fill(size / BATCH, (batch) => {
      const all = Array.from({ length: BATCH }, (_, i) => words(batch * BATCH + i)).flat();
      return encodeCommand(command, "k", ...all);
    });
}

async function sync(bench: Bench) {
  const replica = await bench.startAnother([]);
  return await bench.watch(async () => {
    await replica.call("REPLICAOF", "127.0.0.1", String(bench.server.port));
    while ((await linkOf(replica)) !== "up") await pause(10);
  }, replica);
}

/** State of a replica's link to its master: "up" once the dataset has come. */
async function linkOf(replica: Bench["server"]): Promise<string> {
  return (await replica.info("replication")).get("master_link_status") ?? "";
}

async function start(bench: Bench) {
  await bench.call("SAVE");
  return await bench.watchStart([], bench.dir);
}

async function restore(bench: Bench) {
  const [client, request] = await restoreRequest(bench);
  return await bench.watch(() => client.exchange(request));
}

/** A client, and the request by which it copies the value. */
async function restoreRequest(bench: Bench) {
  const client = await bench.connect();
  const payload = await client.bulk("DUMP", "k");
  return [client, encodeBytes("RESTORE", "copy", "0", payload!)] as const;
}

/** Other clients are those of the replica, which has the value already under another name. */
async function restoreOnReplica(bench: Bench) {
  const replica = await bench.startAnother([]);
  await replica.call("REPLICAOF", "127.0.0.1", String(bench.server.port));
  while ((await linkOf(replica)) !== "up") await pause(10);
  const [client, request] = await restoreRequest(bench);
  return await bench.watch(async () => {
    await client.exchange(request);
    while ((await replica.call("EXISTS", "copy")) !== "1") await pause(2);
  }, replica);
}

async function dump(bench: Bench) {
  const client = await bench.connect();
  return await bench.watch(() => client.bulk("DUMP", "k"));
}
