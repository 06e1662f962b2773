/**
 * The chart for the README: for each kind of snapshot how long clients waited, and how much memory was taken in
 * addition, over time.
 *
 *     BGSAVE      BGREWRITEAOF   full sync
 *     waits       waits          waits       a logarithmic scale, with a line at the bar
 *     memory      memory         memory      in percent of the dataset, with a line at the bar
 *
 * The picture brings its own background in two colour schemes, as that of `compare/chart.ts` does.
 */

import { level, round, text } from "../compare/svg.ts";
import { BARS, type Curve, type SnapshotResults } from "./figures.ts";
import { SYSTEMS, TITLES } from "./report.ts";

const WIDTH = 880;
const HEIGHT = 520;
const MARGIN = 20;
const LABEL_WIDTH = 44;
const GAP = 18;
const TOP = 108;
const PANEL_HEIGHT = 158;
const ROW_GAP = 50;

/** The scale of waits, in milliseconds. */
const WAIT_MIN = 0.1;
const WAIT_TICKS = [0.1, 1, 10, 100, 1000];

const STYLE = `
  text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; }
  .head { font-weight: 600; }
  .tick { font-size: 10px; fill: #59636e; text-anchor: end; }
  .second { font-size: 10px; fill: #59636e; text-anchor: middle; }
  .back { fill: #ffffff; stroke: #d1d9e0; }
  .grid { stroke: #e4e8ec; }
  .bar { stroke: #1f2328; stroke-dasharray: 4 3; }
  .redis, .deno, .bun { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
  .redis { stroke: #c4432b; }
  .deno { stroke: #0b7a75; }
  .bun { stroke: #d08c1d; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .tick, .second { fill: #9198a1; }
    .back { fill: #0d1117; stroke: #3d444d; }
    .grid { stroke: #262c36; }
    .bar { stroke: #e6edf3; }
    .redis { stroke: #ff7b61; }
    .deno { stroke: #35b8b0; }
    .bun { stroke: #e8b04a; }
  }
`;

/** The chart as an SVG document. */
export function drawChart(results: SnapshotResults): string {
  const parts = Object.keys(TITLES).filter((part) =>
    SYSTEMS.some((system) => results.systems[system]?.parts[part])
  );
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" ` +
    `role="img" aria-label="Waits of clients and memory during snapshots, over time">`,
    `<style>${STYLE}</style>`,
    `<rect class="back" x="0.5" y="0.5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="8"/>`,
    text(
      MARGIN,
      32,
      "title",
      `Snapshots of ${results.keys.toLocaleString("en")} keys under ${
        results.perSecond.toLocaleString("en")
      } writes per second`,
    ),
    ...legend(results),
  ];
  const width = (WIDTH - 2 * MARGIN - LABEL_WIDTH - (parts.length - 1) * GAP) / parts.length;
  const memoryMax = ceiling(results, parts);
  for (const [column, part] of parts.entries()) {
    const left = MARGIN + LABEL_WIDTH + column * (width + GAP);
    const curves = (of: "latency" | "memory") =>
      SYSTEMS.flatMap((system) => {
        const measured = results.systems[system]?.parts[part];
        return measured ? [{ system, curve: measured[of] }] : [];
      });
    const seconds = Math.max(...curves("latency").map(({ curve }) => curve.at(-1)![0]));
    const from = Math.max(-2, ...curves("latency").map(({ curve }) => curve[0][0]));
    const x = (value: number) => left + (value - from) / (seconds - from) * width;
    out.push(text(left, TOP - 28, "head", TITLES[part]));
    for (const [row, of] of (["latency", "memory"] as const).entries()) {
      const top = TOP + row * (PANEL_HEIGHT + ROW_GAP);
      const y = of === "latency" ? waitScale(top) : memoryScale(top, memoryMax);
      const ticks = of === "latency" ? WAIT_TICKS : memoryTicks(memoryMax);
      for (const tick of ticks) {
        out.push(level(left, width, y(tick), "grid"));
        if (column === 0) out.push(text(left - 6, y(tick) + 3.5, "tick", String(tick)));
      }
      out.push(level(left, width, y(of === "latency" ? BARS.stallMs : BARS.extra * 100), "bar"));
      for (const tick of secondTicks(seconds)) {
        out.push(text(x(tick), top + PANEL_HEIGHT + 14, "second", `${tick} s`));
      }
      for (const { system, curve } of curves(of)) {
        out.push(path(curve.filter(([at]) => at >= from), system, x, y));
      }
      if (column === 0) {
        const title = of === "latency"
          ? "longest wait of a client that sends PING, ms"
          : "memory in addition, % of the dataset";
        out.push(text(left, top - 10, "", title));
      }
    }
  }
  out.push("</svg>");
  return out.join("\n") + "\n";
}

function legend({ systems }: SnapshotResults): string[] {
  let left = MARGIN;
  const out: string[] = [];
  for (const system of SYSTEMS) {
    if (!systems[system]) continue;
    const { name } = systems[system];
    out.push(
      `<line class="${system}" x1="${left}" x2="${left + 20}" y1="52" y2="52"/>`,
      text(left + 26, 56, "", name),
    );
    left += 26 + name.length * 7 + 24;
  }
  out.push(
    `<line class="bar" x1="${left}" x2="${left + 20}" y1="52" y2="52"/>`,
    text(left + 26, 56, "", "bar of tsredis"),
  );
  return out;
}

/** The end of the scale of memory, in percent. */
function ceiling({ systems }: SnapshotResults, parts: string[]): number {
  const highest = Math.max(
    BARS.extra * 200,
    ...SYSTEMS.flatMap((system) =>
      parts.flatMap((part) => systems[system]?.parts[part]?.memory.map(([, value]) => value) ?? [])
    ),
  );
  return Math.ceil(highest / 20) * 20;
}

function waitScale(top: number): (ms: number) => number {
  const decades = Math.log10(WAIT_TICKS.at(-1)! / WAIT_MIN);
  return (ms) =>
    top + PANEL_HEIGHT *
      (1 - Math.min(1, Math.max(0, Math.log10(Math.max(ms, WAIT_MIN) / WAIT_MIN) / decades)));
}

function memoryScale(top: number, max: number): (percent: number) => number {
  return (percent) => top + PANEL_HEIGHT * (1 - Math.min(1, percent / max));
}

function memoryTicks(max: number): number[] {
  const step = max > 60 ? 20 : 10;
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => i * step);
}

function secondTicks(seconds: number): number[] {
  const step = [1, 2, 5, 10, 20, 50, 100].find((each) => seconds / each <= 6) ?? 200;
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) => i * step)
    .filter((tick) => tick <= seconds * 0.97);
}

function path(
  curve: Curve,
  style: string,
  x: (seconds: number) => number,
  y: (value: number) => number,
): string {
  const points = curve.map(([seconds, value]) => `${round(x(seconds))},${round(y(value))}`);
  return `<polyline class="${style}" points="${points.join(" ")}"/>`;
}
