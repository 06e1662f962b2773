/**
 * Values of two million elements that are copied, moved, removed, replaced, saved, hashed as a whole: how long do
 * others wait meanwhile? What the files beside this one have for single kinds is not here again.
 */

import { encodeBytes } from "../compare/client.ts";
import type { Bench } from "./bench.ts";
import { atMost, FIGURE, type Figures, type LimitsCase, ratioAtMost } from "./cases.ts";
import { fillExpiring, save } from "./fields.ts";
import { KINDS } from "./loading.ts";

const ELEMENTS = 2_000_000;
/** Longest wait of another client, milliseconds. */
const STALL_MS = 10;
const TIME_SLACK_MS = 300;

const BARS = {
  [FIGURE.stall]: atMost(STALL_MS),
  [FIGURE.time]: ratioAtMost(1.5, TIME_SLACK_MS),
};

/** What fills a value at `k`, by its kind. */
const FILLS: [kind: string, fill: (bench: Bench) => Promise<void>][] = [
  ...KINDS.map(([kind, fill]): [string, (bench: Bench) => Promise<void>] => [
    kind,
    (bench) => fill(bench, ELEMENTS),
  ]),
  ["hash with times", (bench) => fillExpiring(bench, "k")],
];

async function migrate(bench: Bench): Promise<Figures> {
  const { port } = await bench.startAnother([]);
  const words = `MIGRATE 127.0.0.1 ${port} k 0 600000`.split(" ");
  return await bench.watch(() => bench.exchange(words));
}

/** Until the key is gone by itself. */
async function expire(bench: Bench): Promise<Figures> {
  return await bench.watch(async () => {
    await bench.call("PEXPIRE", "k", "1");
    while ((await bench.call("EXISTS", "k")) !== "0");
  });
}

const line = (text: string) => (bench: Bench) => bench.watch(() => bench.exchange(text.split(" ")));

/** What is done, and whether one case of each kind or only of those that have none elsewhere. */
const ACTIONS: [title: string, run: (bench: Bench) => Promise<Figures>, kinds?: string[]][] = [
  ["COPY", line("COPY k copy")],
  ["MIGRATE", migrate],
  ["DEL", line("DEL k"), ["sorted set"]],
  ["SET over it", line("SET k value"), ["sorted set"]],
  ["PEXPIRE 1", expire, ["sorted set", "stream", "hash with times"]],
  ["A background save", save, ["sorted set", "stream"]],
];

export const WHOLE: LimitsCase[] = [
  ...ACTIONS.flatMap(([title, run, kinds]): LimitsCase[] =>
    FILLS.filter(([kind]) => kinds?.includes(kind) ?? true).map(([kind, prepare]) => ({
      title: `${title} of a ${kind} of two million`,
      expectedMs: 30_000,
      prepare,
      run,
      bars: BARS,
    }))
  ),
  {
    title: "DIGEST of 100 MB",
    expectedMs: 5_000,
    prepare: (bench) =>
      bench.server.exchange("SET", encodeBytes("SET", "k", new Uint8Array(100_000_000)), 1),
    run: line("DIGEST k"),
    bars: { [FIGURE.stall]: atMost(STALL_MS) },
  },
];
