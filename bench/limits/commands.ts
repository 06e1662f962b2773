/** Commands that read or write a whole large value: no more than 1.5 of redis-server's time and 2 of its memory. */

import { encodeCommand } from "../compare/client.ts";
import type { Bench } from "./bench.ts";
import { FIGURE, type LimitsCase, ratioAtMost } from "./cases.ts";

const MEMBERS = 1_000_000;
const MEMBERS_PER_COMMAND = 100;

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
      await fillSet(bench, "s2", MEMBERS / 2);
    },
    run: (bench: Bench) => bench.watch(() => bench.exchange([command, "to", "s1", "s2"])),
    bars: BARS,
  })),
  ...["ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"].map((command) => ({
    title: `${command} of two sorted sets of a million, half of it in both`,
    expectedMs: 20_000,
    prepare: async (bench: Bench) => {
      await fillSortedSet(bench, "z1", 0);
      await fillSortedSet(bench, "z2", MEMBERS / 2);
    },
    run: (bench: Bench) => bench.watch(() => bench.exchange([command, "to", "2", "z1", "z2"])),
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
export async function fillSet(bench: Bench, key: string, first: number): Promise<void> {
  await bench.server.fill(MEMBERS / MEMBERS_PER_COMMAND, (i) => {
    const words = ["SADD", key];
    for (let n = 0; n < MEMBERS_PER_COMMAND; n++) {
      words.push(`member:${first + i * MEMBERS_PER_COMMAND + n}`);
    }
    return encodeCommand(...words);
  });
}

/** The same as a sorted set; its scores are in no order, and the same for every server. */
export async function fillSortedSet(bench: Bench, key: string, first: number): Promise<void> {
  await bench.server.fill(MEMBERS / MEMBERS_PER_COMMAND, (i) => {
    const words = ["ZADD", key];
    for (let n = 0; n < MEMBERS_PER_COMMAND; n++) {
      const member = first + i * MEMBERS_PER_COMMAND + n;
      words.push(String(Math.imul(member, 0x9e3779b1) >>> 0), `member:${member}`);
    }
    return encodeCommand(...words);
  });
}

/** Letters a to d in no order, the same for the same seed. */
function letters(count: number, seed: number): string {
  let state = seed;
  let text = "";
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    text += "abcd"[state >> 16 & 3];
  }
  return text;
}
