import { assertEquals } from "@std/assert";
import { formatBytes } from "../../src/observe/bytes_for_people.ts";
import { drawGraph, LatencyMonitor } from "../../src/observe/latency.ts";

Deno.test("LatencyMonitor keeps the longest of a second, and 160 samples", () => {
  const monitor = new LatencyMonitor();
  monitor.add("e", 1000, 0);
  assertEquals(monitor.events.size, 0);
  monitor.thresholdMs = 10;
  monitor.add("e", 9, 0);
  for (const ms of [10, 30, 20]) monitor.add("e", ms, 500);
  assertEquals(monitor.events.get("e"), { max: 30, samples: [{ time: 0, ms: 30 }] });
  for (let i = 1; i <= 200; i++) monitor.add("e", 10, i * 1000);
  const { max, samples } = monitor.events.get("e")!;
  assertEquals([max, samples.length, samples[0].time], [30, 160, 41]);
});

Deno.test("drawGraph draws the longest over all rows and the ages below", () => {
  const samples = [{ time: 0, ms: 10 }, { time: 70, ms: 40 }];
  assertEquals(
    drawGraph("e", { max: 50, samples }, 75_000),
    `e - high 40 ms, low 10 ms (all time high 50 ms)\n${"-".repeat(80)}\n` +
      " #\n #\n #\n_#\n\n15\nms\n",
  );
});

Deno.test("formatBytes gives two places from 1 KiB on", () => {
  assertEquals([0, 1023, 1024, 1258840, 25276514304].map(formatBytes), [
    "0B",
    "1023B",
    "1.00K",
    "1.20M",
    "23.54G",
  ]);
});
