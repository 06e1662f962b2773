/** The limits as Markdown, for the terminal and LIMITS.md. */

import { MISSED, table } from "../compare/report.ts";
import { median } from "../compare/results.ts";
import type { Figures, LimitsCase } from "./cases.ts";

/** The figures of one case, a sample a round. */
export interface CaseResult {
  subject: string;
  case: LimitsCase;
  ours: Figures[];
  redis: Figures[];
}

/** What the heading says besides the figures. */
export interface LimitsContext {
  date: string;
  machine: string;
  reference: string;
  subject: string;
  rounds: number;
  note?: string;
}

/** The whole report. A figure that misses its bar says so in its row and again at the end. */
export function toMarkdown(results: CaseResult[], context: LimitsContext): string {
  const missed: string[] = [];
  const sections = [heading(context)];
  for (const subject of new Set(results.map((result) => result.subject))) {
    const rows = results.filter((result) => result.subject === subject)
      .flatMap((result) => rowsOf(result, missed));
    sections.push(
      `## ${subject}\n\n` + table(["Case", "figure", "tsredis", "redis", "ratio", "bar"], rows),
    );
  }
  sections.push(
    missed.length === 0
      ? "## Bars\n\nEvery figure above meets its bar."
      : `## Bars\n\n${missed.length} missed:\n\n${missed.map((one) => `- ${one}`).join("\n")}`,
  );
  return sections.join("\n\n") + "\n";
}

function heading(context: LimitsContext): string {
  const lines = [
    "# Limits: what can be long or large, beside redis-server",
    "",
    "Written by `deno task bench:limits`; edit the tool rather than this page.",
    "",
    `- Date: ${context.date}`,
    `- Machine: ${context.machine}`,
    `- ${context.reference}; ${context.subject}`,
    '- Both with `--save ""` and the options of the case, otherwise as shipped; a fresh server for every case.',
    `- Rounds: ${context.rounds}, the servers in turn; figures are medians, the longest waits maxima.`,
  ];
  if (context.note) lines.push(`- Note: ${context.note}`);
  lines.push(
    "",
    "Ratio is tsredis's figure divided by redis-server's: below 1 is better than redis-server. Memory is resident",
    "memory less what the same server has when idle and empty. The other client sends PING every millisecond.",
  );
  return lines.join("\n");
}

/** A row for each figure of a case; its title stands in the first alone. */
function rowsOf(result: CaseResult, missed: string[]): string[][] {
  const ours = middle(result.ours);
  const redis = middle(result.redis);
  return Object.keys(ours).map((title, row) => {
    const bar = result.case.bars[title];
    const isMet = !bar || bar.isMet(title, ours, redis);
    if (!isMet) {
      missed.push(`${result.case.title}: ${title} ${shown(ours[title])}, bar ${bar.title}`);
    }
    return [
      row === 0 ? result.case.title : "",
      title,
      isMet ? shown(ours[title]) : `**${shown(ours[title])}**`,
      shown(redis[title]),
      shown(ours[title] / redis[title]),
      `${bar?.title ?? ""}${isMet ? "" : " " + MISSED}`,
    ];
  });
}

/** The median of each figure over the rounds; of a longest wait the longest. */
function middle(rounds: Figures[]): Figures {
  const figures: Figures = {};
  for (const title of Object.keys(rounds[0])) {
    const values = rounds.map((round) => round[title]);
    figures[title] = title.startsWith("longest") ? Math.max(...values) : median(values);
  }
  return figures;
}

/** Three digits that mean something; empty for what is no number. */
function shown(value: number): string {
  if (!Number.isFinite(value)) return "";
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}
