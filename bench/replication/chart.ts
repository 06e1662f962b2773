/**
 * The chart for the README: what was measured in rows, and in each row a mark for redis-server and for tsredis on each
 * runtime.
 *
 *     full syncs             time, redis-server's = 1      longest wait of a client
 *     a master's replicas    share of its throughput kept  its processor time for a SET
 *
 * The picture brings its own background in two colour schemes, as that of `compare/chart.ts` does.
 */

import { median } from "../compare/results.ts";
import { round, text, upright } from "../compare/svg.ts";
import { BARS, type ReplicationResults, RUNTIMES } from "./figures.ts";
import { linkRatio, longestWaitMs, shareKept, syncTitle } from "./report.ts";

const WIDTH = 880;
const MARGIN = 20;
const LABEL_WIDTH = 236;
const GAP = 32;
const PANEL_WIDTH = (WIDTH - 2 * MARGIN - LABEL_WIDTH - GAP) / 2;
const LEFT = MARGIN + LABEL_WIDTH;
const TOP = 106;
const ROW_HEIGHT = 20;
/** Between two panels, one above the other: the ticks of one, the title of the next. */
const BETWEEN = 62;
const RADIUS = 4.5;

/** The scale of waits, in milliseconds. */
const WAIT_TICKS = [1, 10, 100, 1000, 10_000];

const STYLE = `
  text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; }
  .head { font-weight: 600; }
  .row { text-anchor: end; }
  .tick { font-size: 10px; fill: #59636e; text-anchor: middle; }
  .back { fill: #ffffff; stroke: #d1d9e0; }
  .grid { stroke: #e4e8ec; }
  .bar { stroke: #1f2328; stroke-dasharray: 4 3; }
  .redis { fill: #c4432b; }
  .deno { fill: #0b7a75; }
  .bun { fill: #d08c1d; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .tick { fill: #9198a1; }
    .back { fill: #0d1117; stroke: #3d444d; }
    .grid { stroke: #262c36; }
    .bar { stroke: #e6edf3; }
    .redis { fill: #ff7b61; }
    .deno { fill: #35b8b0; }
    .bun { fill: #e8b04a; }
  }
`;

const SERIES = ["redis", ...RUNTIMES] as const;

type Series = typeof SERIES[number];

/** One line of a panel: its name, and for each series that has one, a value. */
interface Row {
  title: string;
  marks: { [series in Series]?: number };
}

interface Panel {
  title: string;
  rows: Row[];
  ticks: readonly number[];
  /** Where in the panel a value is, from 0 to 1. */
  place: (value: number) => number;
  /** What tsredis is held to in every row; a line. */
  bar?: number;
}

/** The chart as an SVG document. */
export function drawChart(results: ReplicationResults): string {
  const out: string[] = [];
  let top = TOP;
  for (const pair of [syncPanels(results), masterPanels(results)]) {
    const { rows } = pair[0];
    if (rows.length === 0) continue;
    for (const [i, each] of pair.entries()) {
      out.push(...draw(each, LEFT + i * (PANEL_WIDTH + GAP), top));
    }
    out.push(...rows.map(({ title }, i) => text(LEFT - 12, rowY(top, i) + 4, "row", title)));
    top += rows.length * ROW_HEIGHT + BETWEEN;
  }
  const height = top - BETWEEN + 30;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
    `role="img" aria-label="Replication of tsredis beside that of redis-server">`,
    `<style>${STYLE}</style>`,
    `<rect class="back" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>`,
    text(MARGIN, 32, "title", "Replication: full syncs, waits of clients, cost to the master"),
    ...legend(results),
    ...out,
    "</svg>",
  ].join("\n") + "\n";
}

/** Full syncs: the same rows in both panels. */
function syncPanels(results: ReplicationResults): Panel[] {
  const times = new Map<string, Row>();
  const waits = new Map<string, Row>();
  for (const runtime of RUNTIMES) {
    for (const sync of results[runtime]?.fullSync ?? []) {
      const title = syncTitle(sync);
      const time = rowOf(times, title);
      time.marks.redis = 1;
      time.marks[runtime] = linkRatio(sync);
      const wait = rowOf(waits, title);
      const [reference, subject] = sync.samples.map(longestWaitMs);
      wait.marks.redis = Math.max(wait.marks.redis ?? 0, reference);
      wait.marks[runtime] = subject;
    }
  }
  return [
    {
      title: "time to link up, redis-server = 1",
      rows: [...times.values()],
      ...linear(Math.max(1.2, highestIn(times)), 0.2),
      bar: BARS.fullSync,
    },
    {
      title: "longest wait of a client of either end, ms",
      rows: [...waits.values()],
      ticks: WAIT_TICKS,
      place: logarithmic,
      bar: BARS.stallMs,
    },
  ];
}

/** What replicas cost a master: the same rows in both panels. */
function masterPanels(results: ReplicationResults): Panel[] {
  const kept = new Map<string, Row>();
  const cpu = new Map<string, Row>();
  for (const runtime of RUNTIMES) {
    for (const [i, systems] of (results[runtime]?.throughput ?? []).entries()) {
      const series = i === 0 ? "redis" : runtime;
      for (const result of systems) {
        for (let replicas = 1; replicas < result.samples.length; replicas++) {
          const title = `SET -P ${result.pipeline}, ${replicas} replica${replicas > 1 ? "s" : ""}`;
          // Of redis-server, measured beside each of the runtimes, the better of both.
          const share = rowOf(kept, title);
          share.marks[series] = Math.max(share.marks[series] ?? 0, shareKept(result, replicas));
          const time = rowOf(cpu, title);
          const micros = median(result.samples[replicas].map((one) => one.masterCpuMicros));
          time.marks[series] = Math.min(time.marks[series] ?? Infinity, micros);
        }
      }
    }
  }
  const highest = Math.max(1, highestIn(cpu));
  return [
    {
      title: "throughput kept, of that without replicas",
      rows: [...kept.values()],
      ...linear(Math.max(1.2, highestIn(kept)), 0.2),
    },
    {
      title: "the master's CPU time for a request, µs",
      rows: [...cpu.values()],
      ...linear(highest, highest > 8 ? 2 : 1),
    },
  ];
}

function rowOf(rows: Map<string, Row>, title: string): Row {
  let row = rows.get(title);
  if (row === undefined) rows.set(title, row = { title, marks: {} });
  return row;
}

function highestIn(rows: Map<string, Row>): number {
  return Math.max(0, ...[...rows.values()].flatMap(({ marks }) => Object.values(marks)));
}

/** A scale from zero to the first tick that is not below `highest`. */
function linear(highest: number, step: number): Pick<Panel, "ticks" | "place"> {
  const steps = Math.ceil(highest / step - 1e-9);
  const end = steps * step;
  const ticks = Array.from({ length: steps + 1 }, (_, i) => Math.round(i * step * 10) / 10);
  return { ticks, place: (value) => Math.min(1, value / end) };
}

function logarithmic(ms: number): number {
  const [first, last] = [WAIT_TICKS[0], WAIT_TICKS.at(-1)!];
  const share = Math.log10(Math.max(ms, first) / first) / Math.log10(last / first);
  return Math.min(1, share);
}

function draw({ title, rows, ticks, place, bar }: Panel, left: number, top: number): string[] {
  const x = (value: number) => left + place(value) * PANEL_WIDTH;
  const height = rows.length * ROW_HEIGHT;
  const out = [text(left, top - 12, "head", title)];
  for (const tick of ticks) {
    out.push(
      upright(x(tick), top, height, "grid"),
      text(x(tick), top + height + 13, "tick", tick.toLocaleString("en")),
    );
  }
  if (bar !== undefined) out.push(upright(x(bar), top, height, "bar"));
  for (const [i, { marks }] of rows.entries()) {
    for (const series of SERIES) {
      const value = marks[series];
      if (value !== undefined) out.push(mark(x(value), rowY(top, i), series));
    }
  }
  return out;
}

function rowY(top: number, row: number): number {
  return top + (row + 0.5) * ROW_HEIGHT;
}

function mark(x: number, y: number, series: Series): string {
  return `<circle class="${series}" cx="${round(x)}" cy="${round(y)}" r="${RADIUS}"/>`;
}

function legend(results: ReplicationResults): string[] {
  const names: { [series in Series]?: string } = {};
  for (const runtime of RUNTIMES) {
    const of = results[runtime];
    if (of === undefined) continue;
    names.redis = of.reference;
    names[runtime] = of.subject;
  }
  const out: string[] = [];
  let left = MARGIN;
  for (const series of SERIES) {
    const name = names[series];
    if (name === undefined) continue;
    out.push(mark(left + 6, 54, series), text(left + 18, 58, "", name));
    left += 18 + name.length * 7 + 24;
  }
  out.push(upright(left + 6, 46, 16, "bar"), text(left + 18, 58, "", "bar of tsredis"));
  return out;
}
