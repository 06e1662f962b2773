/** Commands that read or write a whole large value: no more than 1.5 of redis-server's time and 2 of its memory. */

import { encodeBytes, encodeCommand } from "../compare/client.ts";
import { fillWide, LARGE, letters, scattered } from "../compare/large_data.ts";
import type { Bench } from "./bench.ts";
import { FIGURE, type LimitsCase, ratioAtMost } from "./cases.ts";

/** Below these, differences are the machine's. */
const TIME_SLACK_MS = 10;
const MEMORY_SLACK_MB = 20;

const BARS = {
  [FIGURE.time]: ratioAtMost(1.5, TIME_SLACK_MS),
  [FIGURE.peak]: ratioAtMost(2, MEMORY_SLACK_MB),
};

export const COMMANDS: LimitsCase[] = [
  ...["SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"].map((command) => ({
    title: `${command} of two sets of a million, half of it in both`,
    expectedMs: 8_000,
    prepare: async (bench: Bench) => {
      await fillSet(bench, "s1", 0);
      await fillSet(bench, "s2", LARGE / 2);
    },
    run: (bench: Bench) => bench.watch(() => bench.exchange([command, "to", "s1", "s2"])),
    bars: BARS,
  })),
  ...["ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"].map((command) => ({
    title: `${command} of two sorted sets of a million, half of it in both`,
    expectedMs: 20_000,
    prepare: async (bench: Bench) => {
      await fillSortedSet(bench, "z1", 0);
      await fillSortedSet(bench, "z2", LARGE / 2);
    },
    run: (bench: Bench) => bench.watch(() => bench.exchange([command, "to", "2", "z1", "z2"])),
    bars: BARS,
  })),
  {
    title: "ZRANGESTORE of all of a sorted set of a million",
    expectedMs: 8_000,
    prepare: (bench) => fillSortedSet(bench, "z1", 0),
    run: (bench) => bench.watch(() => bench.exchange(["ZRANGESTORE", "to", "z1", "0", "-1"])),
    bars: BARS,
  },
  {
    title: "KEYS *99* of a million keys",
    expectedMs: 8_000,
    prepare: (bench) =>
      bench.server.fill(LARGE, (i) => encodeCommand("SET", `key:${i}`, `value:${i}`)),
    run: (bench) => bench.watch(() => bench.exchange(["KEYS", "*99*"])),
    bars: BARS,
  },
  {
    title: "PUBLISH, 100 times, with 20,000 patterns subscribed to",
    expectedMs: 3_000,
    prepare: async (bench) => {
      const subscriber = await bench.connect();
      const patterns = Array.from({ length: 20_000 }, (_, i) => `*channel:${i}*`);
      await subscriber.send(encodeBytes("PSUBSCRIBE", ...patterns));
      await subscriber.skip(patterns.length);
    },
    run: (bench) => {
      const publish = encodeCommand("PUBLISH", "news:channel:x", "message").repeat(100);
      const bytes = new TextEncoder().encode(publish);
      return bench.watch(() => bench.server.exchange("PUBLISH", bytes, 100));
    },
    bars: BARS,
  },
  ...["BITCOUNT string", "BITPOS string 1", "BITOP NOT to string"].map((line) => ({
    title: `${line}, of 100 MB`,
    expectedMs: 3_000,
    prepare: (bench: Bench) => {
      const command = encodeBytes("SET", "string", new Uint8Array(100_000_000));
      return bench.server.exchange("SET", command, 1);
    },
    run: (bench: Bench) => bench.watch(() => bench.exchange(line.split(" "))),
    bars: BARS,
  })),
  {
    title: "LCS of two strings of 10 kB",
    expectedMs: 5_000,
    prepare: async (bench) => {
      await bench.call("MSET", "a", letters(10_000, 1), "b", letters(10_000, 2));
    },
    run: (bench) => bench.watch(() => bench.exchange(["LCS", "a", "b"])),
    bars: BARS,
  },
];

/** A set of a million members `member:N`, N from `first` on. */
function fillSet(bench: Bench, key: string, first: number): Promise<void> {
  return fillWide(bench.server, ["SADD", key], (i) => [`member:${first + i}`]);
}

/** The same as a sorted set, whose scores are in no order. */
function fillSortedSet(bench: Bench, key: string, first: number): Promise<void> {
  return fillWide(
    bench.server,
    ["ZADD", key],
    (i) => [String(scattered(first + i)), `member:${first + i}`],
  );
}
