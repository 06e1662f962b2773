/**
 * Streams of two million entries, groups with a million pending ids, and sorted sets of two million places:
 * what goes away or is copied as a whole keeps nobody waiting, what has a long answer takes no longer than with
 * redis-server.
 */

import { encodeCommand } from "../compare/client.ts";
import { fillWide, scattered } from "../compare/large_data.ts";
import type { Bench } from "./bench.ts";
import { atMost, type Bar, FIGURE, type LimitsCase, ratioAtMost } from "./cases.ts";

const ENTRIES = 2_000_000;
const PENDING = 1_000_000;
/** Pending ids come by so many at a time. */
const READ_AT_ONCE = 10_000;
/** Longest wait of another client, milliseconds. */
const STALL_MS = 10;
/** Below this, differences are the machine's. */
const TIME_SLACK_MS = 10;
const MEMORY_SLACK_MB = 20;

/** What is done to a whole value, and has a short answer. */
const SHORT: Record<string, Bar> = {
  [FIGURE.stall]: atMost(STALL_MS),
  [FIGURE.time]: ratioAtMost(1, TIME_SLACK_MS),
};
/** What has a long answer, which Redis makes at one go, too. */
const LONG: Record<string, Bar> = {
  [FIGURE.time]: ratioAtMost(1, TIME_SLACK_MS),
  [FIGURE.peak]: ratioAtMost(2, MEMORY_SLACK_MB),
};

function streamCase(
  line: string,
  bars: Record<string, Bar>,
  prepare: (bench: Bench) => Promise<void> = fillStream,
): LimitsCase {
  return {
    title: `${line}, of two million entries`,
    expectedMs: 30_000,
    prepare,
    run: (bench) => bench.watch(() => bench.exchange(line.split(" "))),
    bars,
  };
}

function placesCase(line: string): LimitsCase {
  return {
    title: `${line}, of two million places`,
    expectedMs: 30_000,
    prepare: fillPlaces,
    run: (bench) => bench.watch(() => bench.exchange(line.split(" "))),
    bars: LONG,
  };
}

export const STREAMS: LimitsCase[] = [
  streamCase("COPY s copy", SHORT),
  streamCase("XTRIM s MAXLEN 10", SHORT),
  streamCase("XTRIM s MINID 1999990", SHORT),
  streamCase("XADD s MAXLEN 10 * field value", SHORT),
  streamCase("DEL s", SHORT),
  streamCase("SET s value", SHORT),
  streamCase("PEXPIRE s 1", SHORT),
  streamCase("COPY s copy REPLACE", SHORT, fillGroup),
  streamCase("XGROUP DESTROY s g", SHORT, fillGroup),
  streamCase("XGROUP DELCONSUMER s g c", SHORT, fillGroup),
  streamCase("XRANGE s - +", LONG),
  streamCase("XREVRANGE s + -", LONG),
  streamCase("XREADGROUP GROUP g c STREAMS s 0", LONG, fillGroup),
  streamCase(`XAUTOCLAIM s g other 0 - COUNT ${PENDING}`, LONG, fillGroup),
  placesCase("GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 25000 km"),
  placesCase("GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 25000 km ASC"),
  placesCase("GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 25000 km COUNT 10"),
  placesCase("GEOSEARCH g FROMLONLAT 0 0 BYBOX 20000 20000 km WITHDIST WITHCOORD"),
  placesCase("GEOSEARCHSTORE to g FROMLONLAT 0 0 BYRADIUS 25000 km"),
];

/** Makes a key a stream of `entries` entries. */
export function fillStream(bench: Bench, entries = ENTRIES, key = "s"): Promise<void> {
  return bench.server.fill(
    entries,
    (i) => encodeCommand("XADD", key, `${i + 1}-1`, "field", `value:${i}`),
  );
}

async function fillGroup(bench: Bench): Promise<void> {
  await fillStream(bench);
  await bench.call("XGROUP", "CREATE", "s", "g", "0");
  const read = `XREADGROUP GROUP g c COUNT ${READ_AT_ONCE} STREAMS s >`.split(" ");
  for (let given = 0; given < PENDING; given += READ_AT_ONCE) await bench.exchange(read);
}

function fillPlaces(bench: Bench): Promise<void> {
  const degrees = (i: number, limit: number) =>
    (scattered(i) % 1_000_003 / 1_000_003 * 2 - 1) * limit;
  return fillWide(
    bench.server,
    ["GEOADD", "g"],
    (i) => [degrees(i, 180).toFixed(6), degrees(i + ENTRIES, 85).toFixed(6), `member:${i}`],
    ENTRIES,
  );
}
