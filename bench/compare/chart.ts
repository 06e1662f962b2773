/**
 * The chart for the README: a bar per test, its length the ratio to redis-server, a line at 1.0.
 *
 * The picture brings its own background in two colour schemes, so that it is legible whether the page
 * around it is light or dark and whether or not the viewer passes the scheme on.
 */

import { speedRatio, type SpeedResult } from "./results.ts";
import { KEYSPACE, type Variant } from "./workloads.ts";

const WIDTH = 880;
const LABEL_WIDTH = 112;
const PANEL_GAP = 28;
const MARGIN = 20;
const TOP = 104;
const ROW_HEIGHT = 26;
const BAR_HEIGHT = 9;
/** Room right of the longest bar for its figure. */
const FIGURE_WIDTH = 34;

const SERIES: { variant: Variant["id"]; title: string }[] = [
  { variant: "plain", title: "one key per test" },
  { variant: "random", title: `${KEYSPACE.toLocaleString("en")} random keys or members` },
];

const STYLE = `
  text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; }
  .head { font-weight: 600; }
  .figure, .tick { font-size: 10px; }
  .tick { fill: #59636e; text-anchor: middle; }
  .test { text-anchor: end; }
  .back { fill: #ffffff; stroke: #d1d9e0; }
  .grid { stroke: #e4e8ec; }
  .one { stroke: #1f2328; stroke-width: 1.5; }
  .plain { fill: #0b7a75; }
  .random { fill: #d08c1d; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .tick { fill: #9198a1; }
    .back { fill: #0d1117; stroke: #3d444d; }
    .grid { stroke: #262c36; }
    .one { stroke: #e6edf3; }
    .plain { fill: #35b8b0; }
    .random { fill: #e8b04a; }
  }
`;

/** The chart as an SVG document; a panel per pipeline depth, tests in the order of the results. */
export function drawChart(
  speed: SpeedResult[],
  referenceVersion: string,
  subjectVersion: string,
): string {
  const shown = speed.filter((result) => SERIES.some(({ variant }) => variant === result.variant));
  const tests = [...new Set(shown.map((result) => result.test))];
  const pipelines = [...new Set(shown.map((result) => result.pipeline))];
  const panelWidth = (WIDTH - 2 * MARGIN - LABEL_WIDTH - (pipelines.length - 1) * PANEL_GAP) /
    pipelines.length;
  const highest = Math.max(1, ...shown.map(speedRatio));
  // Half steps while they have room; the axis always shows the line at 1.
  const step = highest > 3 ? 1 : 0.5;
  const axisEnd = Math.ceil(highest / step + 0.01) * step;
  const scale = (panelWidth - FIGURE_WIDTH) / axisEnd;
  const height = TOP + tests.length * ROW_HEIGHT + 16;
  const bottom = TOP + tests.length * ROW_HEIGHT;

  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" ` +
    `height="${height}" role="img" aria-label="Requests per second of tsredis relative to redis-server">`,
    `<style>${STYLE}</style>`,
    `<rect class="back" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>`,
    text(
      MARGIN,
      32,
      "title",
      `tsredis ${subjectVersion}: requests per second, ` +
        `redis-server ${referenceVersion} = 1`,
    ),
  ];
  let legendX = MARGIN;
  for (const { variant, title } of SERIES) {
    if (!shown.some((result) => result.variant === variant)) continue;
    parts.push(rect(legendX, 49, 12, 10, variant), text(legendX + 18, 58, "", title));
    legendX += 42 + title.length * 6.4;
  }

  for (const [panel, pipeline] of pipelines.entries()) {
    const left = MARGIN + LABEL_WIDTH + panel * (panelWidth + PANEL_GAP);
    parts.push(text(left, 82, "head", pipeline === 1 ? "no pipeline" : `pipeline of ${pipeline}`));
    for (let value = 0; value <= axisEnd + 1e-9; value += step) {
      const x = left + value * scale;
      parts.push(line(x, TOP - 4, bottom, "grid"), text(x, TOP - 8, "tick", String(value)));
    }
    for (const [row, test] of tests.entries()) {
      const middle = TOP + row * ROW_HEIGHT + ROW_HEIGHT / 2;
      if (panel === 0) {
        parts.push(text(MARGIN + LABEL_WIDTH - 10, middle + 4, "test", test.toUpperCase()));
      }
      const results = SERIES.flatMap(({ variant }) =>
        shown.filter((result) =>
          result.test === test && result.pipeline === pipeline && result.variant === variant
        )
      );
      let y = middle - results.length * (BAR_HEIGHT + 1) / 2;
      for (const result of results) {
        const ratio = speedRatio(result);
        parts.push(rect(left, y, ratio * scale, BAR_HEIGHT, result.variant));
        // A figure that the line at 1 would strike through stands right of the line instead.
        const end = ratio * scale;
        const figureLeft = end < scale && end + FIGURE_WIDTH > scale ? scale : end;
        parts.push(text(left + figureLeft + 5, y + BAR_HEIGHT - 1, "figure", ratio.toFixed(2)));
        y += BAR_HEIGHT + 1;
      }
    }
    parts.push(line(left + scale, TOP - 4, bottom, "one"));
  }
  parts.push("</svg>");
  return parts.join("\n") + "\n";
}

function text(x: number, y: number, style: string, content: string): string {
  return `<text class="${style}" x="${round(x)}" y="${round(y)}">${content}</text>`;
}

function rect(x: number, y: number, width: number, height: number, style: string): string {
  return `<rect class="${style}" x="${round(x)}" y="${round(y)}" width="${round(width)}" ` +
    `height="${height}" rx="1"/>`;
}

function line(x: number, top: number, bottom: number, style: string): string {
  return `<line class="${style}" x1="${round(x)}" x2="${round(x)}" y1="${top}" y2="${bottom}"/>`;
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}
