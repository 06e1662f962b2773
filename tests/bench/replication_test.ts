/** What the replication benchmark makes of its samples; the measuring itself is shown by running it. */

import { assert, assertEquals } from "@std/assert";
import {
  applyMs,
  type ApplySample,
  type FullSyncSample,
  lagBytesMax,
  lagMsMax,
  netStallMs,
  type OffsetSample,
  type ThroughputResult,
} from "../../bench/replication/figures.ts";
import {
  type ReplicationContext,
  type ReplicationResults,
  toMarkdown,
} from "../../bench/replication/report.ts";

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

const CONTEXT: ReplicationContext = {
  date: "2020-01-02",
  machine: "a machine",
  reference: "redis-server 7.0.15",
  subject: "tsredis 0.1.0",
  labels: ["redis", "tsredis"],
  rounds: 1,
  keys: 1_000,
};

/** Results in which tsredis takes `emptyMs`, stalls for `stallMs`, keeps `kept` and applies `applied`. */
function results(emptyMs: number, stallMs: number, kept: number, applied: number) {
  const sync = (ms: number, stall: number): FullSyncSample[] => {
    const probe = { sentAtMs: [0, 50], latenciesMs: [0.1, stall], refused: 0 };
    const idle = { sentAtMs: [200], latenciesMs: [99], refused: 0 };
    return [{
      emptyMs: ms,
      replicaCpuMs: 1,
      resyncMs: 1,
      master: probe,
      replica: probe,
      bystander: idle,
    }];
  };
  const throughput = (share: number): ThroughputResult[] => [{
    pipeline: 16,
    requests: 1,
    samples: [1, share].map((part) => [{
      requestsPerSecond: part * 1_000,
      masterCpuMicros: 1,
      replicaCpuMicros: 1,
    }]),
  }];
  const apply = (rate: number): ApplySample[] => [{
    acceptedPerSecond: 1_000,
    appliedPerSecond: rate,
    appliedBytesPerSecond: 1,
    replicaCpuMicros: 1,
    relinkMs: 1,
    followedPerSecond: 1,
    lagBytesMax: 1,
    lagMsMax: 1,
    catchUpMs: 1,
  }];
  const both: ReplicationResults = {
    fullSync: [{
      mode: { title: "disk", options: [] },
      samples: [sync(1_000, 20), sync(emptyMs, stallMs)],
    }],
    throughput: [throughput(0.8), throughput(kept)],
    apply: [{ label: "redis", samples: apply(900) }, { label: "tsredis", samples: apply(applied) }],
  };
  return both;
}

Deno.test("figures at their bars meet them, whatever redis-server and the bystander show", () => {
  const report = toMarkdown(results(1_200, 9.9, 0.8, 1_000), CONTEXT);
  assert(report.endsWith("## Bars\n\nEvery figure above meets its bar.\n"), report);
  assert(!report.includes("missed"), report);
});

Deno.test("figures just past their bars are listed as missed and not rounded back", () => {
  const report = toMarkdown(results(1_201, 10, 0.799, 999), CONTEXT);
  const [, listed] = report.split("## Bars\n\n");
  assertEquals(listed.split("\n"), [
    "5 missed:",
    "",
    "- Full sync, disk: 1.21 of redis-server, bar 1.2",
    "- Longest stall, disk, master: 10.0 ms (net 10.0), bar 10 ms",
    "- Longest stall, disk, replica: 10.0 ms (net 10.0), bar 10 ms",
    "- SET `-P 16`, replicas: 1: 0.799 of none, redis-server 0.800",
    "- Apply rate: 0.99 of what the master accepts, bar 1",
    "",
  ]);
});

Deno.test("a report has only the sections that were measured", () => {
  const { apply } = results(1, 1, 1, 1);
  const report = toMarkdown({ apply }, CONTEXT);
  assertEquals([...report.matchAll(/^## .*/gm)].length, 2); // applying, and the bars
});
