/** What the replication benchmark makes of its samples; the measuring itself is shown by running it. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { RunningServer } from "../../bench/compare/servers.ts";
import { drawChart } from "../../bench/replication/chart.ts";
import { largeCollections, manyKeys } from "../../bench/replication/datasets.ts";
import {
  applyMs,
  type ApplySample,
  type FullSyncResult,
  type FullSyncSample,
  lagBytesMax,
  lagMsMax,
  netStallMs,
  type OffsetSample,
  type RuntimeResults,
  sideFigures,
  type ThroughputResult,
} from "../../bench/replication/figures.ts";
import { withKept } from "../../bench/replication/kept.ts";
import { readmeMarkdown, toMarkdown } from "../../bench/replication/report.ts";
import { testServer } from "../support/test_server.ts";

function samples(...pairs: [atMs: number, offset: number][]): OffsetSample[] {
  return pairs.map(([atMs, offset]) => ({ atMs, offset }));
}

Deno.test("applying is timed from the last sample at the start to the first at the target", () => {
  const seen = samples([0, 100], [10, 100], [20, 150], [30, 180], [40, 200], [50, 200]);
  assertEquals(applyMs(seen, 100, 200), 30);
  assertEquals(applyMs(seen, 100, 190), 30);
});

Deno.test("applying has no time when the samples end before the target or begin after the start", () => {
  assertEquals(applyMs(samples([0, 100], [10, 150]), 100, 200), NaN);
  assertEquals(applyMs(samples([0, 150], [10, 200]), 100, 200), NaN);
});

Deno.test("the lag in bytes is the largest difference of a pair, never below zero", () => {
  const master = samples([0, 100], [10, 500], [20, 900]);
  assertEquals(lagBytesMax(master, samples([0, 100], [10, 300], [20, 850])), 200);
  assertEquals(lagBytesMax(master, samples([0, 110], [10, 510], [20, 901])), 0);
});

Deno.test("the lag in time is how long ago the master stood at the replica's offset", () => {
  const master = samples([0, 0], [10, 100], [20, 200], [30, 300]);
  // At 30 ms the replica is where the master was at 15 ms.
  assertEquals(lagMsMax(master, samples([0, 0], [10, 100], [20, 190], [30, 150])), 15);
  assertEquals(lagMsMax(master, samples([0, 0], [10, 100], [20, 200], [30, 300])), 0);
});

Deno.test("a replica that stands still lags from the moment the master went on", () => {
  const master = samples([0, 50], [10, 50], [20, 150], [30, 250]);
  assertEquals(lagMsMax(master, samples([0, 50], [10, 50], [20, 50], [30, 50])), 20);
});

function probe(...waits: [sentAtMs: number, latencyMs: number][]) {
  return {
    sentAtMs: waits.map(([sentAtMs]) => sentAtMs),
    latenciesMs: waits.map(([, latencyMs]) => latencyMs),
    refused: 0,
  };
}

Deno.test("the net stall leaves out what a bystander waited at the same time", () => {
  const server = probe([0, 1], [2, 20], [30, 9], [40, 1]);
  assertEquals(netStallMs(server, probe([0, 1], [3, 18], [22, 1], [30, 1], [40, 1])), 8);
  assertEquals(netStallMs(server, probe([0, 1], [50, 30])), 20);
  assertEquals(netStallMs(server, probe()), 20);
});

Deno.test("the net stall counts a bystander's wait that began before and ends within", () => {
  assertEquals(netStallMs(probe([10, 12]), probe([0, 11])), 1);
  assertEquals(netStallMs(probe([10, 12]), probe([0, 9])), 12);
});

Deno.test("what is kept of a probe is its longest, net and usual waits, and how many answers were errors", () => {
  const bystander = probe([0, 1], [2, 15]);
  const kept = sideFigures({ ...probe([0, 1], [3, 12], [20, 4]), refused: 2 }, bystander);
  assertEquals(kept, {
    asked: 3,
    refused: 2,
    longestMs: 12,
    longestAtMs: 3,
    netMs: 4,
    p999Ms: kept.p999Ms,
  });
  assert(kept.p999Ms > 11.9 && kept.p999Ms < 12, `${kept.p999Ms}`);
  assertEquals(sideFigures(bystander, bystander).netMs, 0);
});

/** Figures at their bars, or whatever takes their place. */
interface Shown {
  emptyMs: number;
  stallMs: number;
  kept: number;
  applied: number;
  backMs: number;
}

const AT_BARS: Shown = { emptyMs: 700, stallMs: 9.9, kept: 0.8, applied: 1_000, backMs: 2 };

const SHARED = { machine: "a machine" };

function watched(longestMs: number) {
  const side = { asked: 100, refused: 0, longestMs, longestAtMs: 0, netMs: longestMs, p999Ms: 1 };
  return { master: side, replica: side, bystander: { ...side, longestMs: 99, netMs: 0 } };
}

function sync(emptyMs: number, stallMs: number, more: Partial<FullSyncResult> = {}) {
  const sample = (ms: number, stall: number): FullSyncSample => ({
    emptyMs: ms,
    replicaCpuMs: 1,
    resyncMs: 1,
    ...watched(stall),
  });
  const result: FullSyncResult = {
    part: "keys",
    dataset: "1,000 keys",
    mode: "disk",
    replicas: 1,
    samples: [[sample(1_000, 20)], [sample(emptyMs, stallMs)]],
    ...more,
  };
  return result;
}

/** Results with redis-server's beside them. */
function results(shown: Partial<Shown> = {}): RuntimeResults {
  const { emptyMs, stallMs, kept, applied, backMs } = { ...AT_BARS, ...shown };
  const throughput = (share: number): ThroughputResult[] => [{
    pipeline: 16,
    requests: 1,
    samples: [1, share].map((part) => [{
      requestsPerSecond: part * 1_000,
      masterCpuMicros: 1,
      replicaCpuMicros: part === 1 ? 0 : 1,
    }]),
  }];
  const apply = (rate: number, stall: number): ApplySample[] => [{
    acceptedPerSecond: 1_000,
    appliedPerSecond: rate,
    appliedBytesPerSecond: 1,
    replicaCpuMicros: 1,
    relinkMs: 1,
    followedPerSecond: 1,
    lagBytesMax: 1,
    lagMsMax: 1,
    catchUpMs: 1,
    replica: watched(stall).replica,
    bystander: watched(stall).bystander,
  }];
  const partial = (ms: number, stall: number) => [{ backMs: [ms], ...watched(stall) }];
  return {
    reference: "redis-server 7.0.15",
    subject: "tsredis 0.1.0",
    labels: ["redis", "tsredis"],
    measured: {
      keys: { date: "2020-01-02", rounds: 3 },
      apply: { date: "2020-01-02", rounds: 3 },
      partial: { date: "2020-01-03", rounds: 1 },
    },
    fullSync: [sync(emptyMs, stallMs)],
    throughput: [throughput(0.8), throughput(kept)],
    partial: [partial(2, 20), partial(backMs, stallMs)],
    apply: [
      { label: "redis", samples: apply(900, 20) },
      { label: "tsredis", samples: apply(applied, stallMs) },
    ],
  };
}

Deno.test("figures at their bars meet them, whatever redis-server and the bystander show", () => {
  const report = toMarkdown(SHARED, results());
  assert(report.endsWith("## Bars\n\nEvery figure above meets its bar.\n"), report);
  assert(!report.includes("missed"), report);
});

Deno.test("figures just past their bars are listed as missed and not rounded back", () => {
  const report = toMarkdown(
    SHARED,
    results({ emptyMs: 701, stallMs: 10, kept: 0.799, applied: 999, backMs: 2.001 }),
  );
  const [, listed] = report.split("## Bars\n\n");
  const stall = "10.0 ms (net 10.0; the bystander 99.0), bar 10 ms";
  assertEquals(listed.split("\n"), [
    "9 missed:",
    "",
    "- Full sync, 1,000 keys, disk: 0.71 of redis-server, bar 0.7",
    `- Longest stall, 1,000 keys, disk, master: ${stall}`,
    `- Longest stall, 1,000 keys, disk, replica: ${stall}`,
    "- Partial resync: 1.01 of redis-server's time, bar 1",
    `- Longest stall, partial resyncs, master: ${stall}`,
    `- Longest stall, partial resyncs, replica: ${stall}`,
    "- SET `-P 16`, replicas: 1: 0.799 of none, redis-server 0.800",
    "- Apply rate: 0.99 of what the master accepts, bar 1",
    `- Longest stall, a replica that applies: ${stall}`,
    "",
  ]);
});

Deno.test("without replicas there is no processor time of a replica", () => {
  const report = toMarkdown(SHARED, results());
  assertMatch(report, /`-P 16`, 0 .* 1\.00 \| +\| +1,000 .* 1\.00 \| +\| +\|$/m);
  assertMatch(report, /`-P 16`, 1 .* 1\.00 \| +1\.00 \| .*≥ 0\.800 \|$/m);
});

Deno.test("a report has only the sections that were measured, and says when that was", () => {
  const { apply, ...others } = results();
  const report = toMarkdown(SHARED, { ...others, fullSync: [], partial: undefined, apply });
  assertEquals([...report.matchAll(/^## (.*)/gm)].map(([, title]) => title), [
    "A master's throughput with replicas attached",
    "A replica that applies what has piled up, and one that follows",
    "Bars",
  ]);
  assertMatch(
    report,
    /^- Measured: keys, apply on 2020-01-02 \(rounds: 3\); partial on 2020-01-03 \(rounds: 1\)$/m,
  );
});

Deno.test("what was not measured stays as it was kept, full syncs by part, mode and number of replicas", () => {
  const kept = {
    ...results({ kept: 0.5 }),
    fullSync: [
      sync(1, 1),
      sync(2, 2, { mode: "swapdb" }),
      sync(3, 3, { part: "replicas" as const, replicas: 2 }),
    ],
  };
  const { reference, labels } = kept;
  const now: RuntimeResults = {
    reference,
    subject: "tsredis 0.2.0",
    labels,
    measured: { many: { date: "2020-01-04", rounds: 1 }, keys: { date: "2020-01-04", rounds: 1 } },
    fullSync: [
      sync(4, 4, { part: "many", mode: "diskless" }),
      sync(5, 5, { mode: "diskless" }),
      sync(6, 6),
    ],
  };
  const all = withKept(now, kept);
  assertEquals(
    all.fullSync.map(({ part, mode, samples }) => `${part} ${mode} ${samples[1][0].emptyMs}`),
    ["keys disk 6", "keys diskless 5", "keys swapdb 2", "many diskless 4", "replicas disk 3"],
  );
  assertEquals(all.subject, "tsredis 0.2.0");
  assertEquals(all.throughput, kept.throughput);
  assertEquals(all.measured, { ...kept.measured, ...now.measured });
  assertEquals(withKept(now, undefined), now);
});

Deno.test("the README's part names each runtime's figures beside redis-server's", () => {
  const text = readmeMarkdown({ ...SHARED, deno: results(), bun: results({ emptyMs: 500 }) });
  assertMatch(text, /0\.70 to 0\.70 on Deno, 0\.50 to 0\.50 on Bun\./);
  assertMatch(text, /9\.9 ms \(redis-server beside it 20\.0\) on Deno/);
  assertMatch(text, /80 % at `-P 16` \(redis-server 80 %\) on Deno/);
  assertMatch(text, /1,000 SETs per second \(redis-server 900\) on Deno/);
  assertMatch(text, /2\.0 ms \(redis-server 2\.0\) on Deno/);
  assertEquals(readmeMarkdown(SHARED), "\n");
});

Deno.test("the chart has a mark of each server in each row of each panel", () => {
  const chart = drawChart({ ...SHARED, deno: results(), bun: results({ emptyMs: 500 }) });
  for (const series of ["redis", "deno", "bun"]) {
    // One in the legend; one row of full syncs and one of throughput, two panels each.
    assertEquals(chart.split(`<circle class="${series}"`).length - 1, 5, series);
  }
  const ofDeno = drawChart({ ...SHARED, deno: results() });
  assert(!ofDeno.includes(`<circle class="bun"`));
});

Deno.test("the data of a full sync are as many keys as said, and the probes' writes add none", async () => {
  for (const dataset of [manyKeys(1_000), largeCollections(500)]) {
    const s = testServer();
    const run = (command: string) => {
      const words = command.split("\r\n").filter((_, i) => i > 0 && i % 2 === 0);
      s.run(...words);
    };
    const server = {
      fill: (count: number, command: (i: number) => string) => {
        for (let i = 0; i < count; i++) run(command(i));
        return Promise.resolve();
      },
    } as unknown as RunningServer;
    await dataset.fill(server);
    assertEquals(s.run("DBSIZE"), dataset.keys);
    for (const words of dataset.masterCommands) s.run(...words);
    assertEquals(s.run("DBSIZE"), dataset.keys);
    for (const words of dataset.replicaCommands) assert(s.run(...words) !== null, words.join(" "));
  }
});
