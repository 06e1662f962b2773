/**
 * A hash of two million fields that all expire: taken in, handed out, saved, removed, and its fields expiring, without
 * a stall for others. A redis-server that knows no such fields (before 7.4) has the same hash without times; how its
 * fields expire it has no figure for.
 */

import { encodeCommand } from "../compare/client.ts";
import { type Bench, pause } from "./bench.ts";
import { atMost, FIGURE, type Figures, type LimitsCase, ratioAtMost } from "./cases.ts";

const FIELDS = 2_000_000;
/** Fields of a filling command. */
const BATCH = 1_000;
/** Longest wait of another client, milliseconds. */
const STALL_MS = 10;
const TIME_SLACK_MS = 300;
const FAR_MS = 4_000_000_000_000;
/** In how many milliseconds fields are to expire: longer than setting all of them takes. */
const SOON_MS = 20_000;

const BARS = {
  [FIGURE.stall]: atMost(STALL_MS),
  [FIGURE.time]: ratioAtMost(1.5, TIME_SLACK_MS),
};
const STALL_BAR = { [FIGURE.stall]: atMost(STALL_MS) };

/** Makes a key a hash whose fields expire in the far future. */
export async function fillExpiring(bench: Bench, key = "h"): Promise<void> {
  if (await knowsTimes(bench)) {
    return await setAll(bench, (batch) => FAR_MS + (batch * 7919) % FIELDS, key);
  }
  await bench.server.fill(FIELDS / BATCH, (batch) => encodeCommand("HSET", key, ...pairsOf(batch)));
}

function pairsOf(batch: number): string[] {
  return Array.from({ length: BATCH }, (_, i) => batch * BATCH + i)
    .flatMap((field) => [`field:${field}`, `value of field ${field}`]);
}

async function knowsTimes(bench: Bench): Promise<boolean> {
  return (await bench.server.info("server")).has("tsredis_version");
}

/** Sets all fields, those of one command with the same time. */
async function setAll(
  bench: Bench,
  timeOf: (batch: number) => number,
  key = "h",
): Promise<void> {
  await bench.server.fill(FIELDS / BATCH, (batch) => {
    const time = String(timeOf(batch));
    return encodeCommand("HSETEX", key, "PXAT", time, "FIELDS", String(BATCH), ...pairsOf(batch));
  });
}

/** All fields at once are over, and go by themselves. */
async function expire(bench: Bench): Promise<Figures> {
  if (!(await knowsTimes(bench))) return { [FIGURE.time]: NaN, [FIGURE.stall]: NaN };
  const soonMs = Date.now() + SOON_MS;
  await setAll(bench, () => soonMs);
  await pause(Math.max(0, soonMs - Date.now()));
  return await bench.watch(async () => {
    while ((await bench.call("EXISTS", "h")) !== "0") await pause(10);
  });
}

/** A background save, from its beginning to its end. */
export async function save(bench: Bench): Promise<Figures> {
  return await bench.watch(async () => {
    await bench.call("BGSAVE");
    while ((await bench.server.info("persistence")).get("rdb_bgsave_in_progress") !== "0") {
      await pause(10);
    }
  });
}

async function sync(bench: Bench): Promise<Figures> {
  const replica = await bench.startAnother([]);
  return await bench.watch(async () => {
    await replica.call("REPLICAOF", "127.0.0.1", String(bench.server.port));
    while ((await replica.info("replication")).get("master_link_status") !== "up") await pause(10);
  }, replica);
}

async function start(bench: Bench): Promise<Figures> {
  await bench.call("SAVE");
  return await bench.watchStart([], bench.dir);
}

function fieldsCase(
  title: string,
  run: (bench: Bench) => Promise<Figures>,
  bars: LimitsCase["bars"],
): LimitsCase {
  return {
    title: `${title}, of two million fields that expire`,
    expectedMs: 30_000,
    options: ["--repl-diskless-sync-delay", "0"],
    prepare: (bench) => fillExpiring(bench),
    run,
    bars,
  };
}

const lineCase = (line: string) =>
  fieldsCase(line, (bench) => bench.watch(() => bench.exchange(line.split(" "))), BARS);

export const FIELD_TIMES: LimitsCase[] = [
  lineCase("DEL h"),
  lineCase("SET h value"),
  lineCase("RENAME h other"),
  lineCase("HRANDFIELD h 5"),
  fieldsCase("A background save of a hash", save, STALL_BAR),
  fieldsCase("A replica receives a hash", sync, BARS),
  fieldsCase("A start loads a hash", start, BARS),
  fieldsCase("A hash goes as its time is over", expire, STALL_BAR),
];
