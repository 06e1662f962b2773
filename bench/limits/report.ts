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

/** The whole report. A figure that misses its bar says so in its row and again at the end of its subject. */
export function toMarkdown(results: CaseResult[], context: LimitsContext): string {
  return [heading(), ...sectionsOf(results, context)].join("\n\n") + "\n";
}

/**
 * A report that is kept, with the sections of these results in place of its own for the same subjects; those of
 * other subjects stay, in the order of `subjects`. @param kept what the file holds, "" for none
 */
export function mergedMarkdown(
  kept: string,
  subjects: string[],
  results: CaseResult[],
  context: LimitsContext,
): string {
  const fresh = sectionsOf(results, context);
  const old = kept.split(/\n+(?=## )/).slice(1).map((section) => section.trimEnd());
  const sections = subjects.flatMap((subject) => {
    const isIts = (section: string) => section.startsWith(`## ${subject}\n`);
    const found = fresh.find(isIts) ?? old.find(isIts);
    return found === undefined ? [] : [found];
  });
  return [heading(), ...sections].join("\n\n") + "\n";
}

function sectionsOf(results: CaseResult[], context: LimitsContext): string[] {
  return [...new Set(results.map((result) => result.subject))].map((subject) => {
    const missed: string[] = [];
    const rows = results.filter((result) => result.subject === subject)
      .flatMap((result) => rowsOf(result, missed));
    return [
      `## ${subject}`,
      conditions(context),
      table(["Case", "figure", "tsredis", "redis", "ratio", "bar"], rows),
      missed.length === 0
        ? "Every figure above meets its bar."
        : `Bars missed: ${missed.length}\n\n${missed.map((one) => `- ${one}`).join("\n")}`,
    ].join("\n\n");
  });
}

function conditions(context: LimitsContext): string {
  const { date, machine, reference, subject, rounds, note } = context;
  const lines = [`${date}, ${machine}. ${reference}; ${subject}. Rounds: ${rounds}.`];
  if (note) lines.push(`Note: ${note}`);
  return lines.join("\n");
}

function heading(): string {
  return [
    "# Limits: what can be long or large, beside redis-server",
    "",
    "Written by `deno task bench:limits`; edit the tool rather than this page. Each subject tells when it was measured.",
    "",
    'Both servers run with `--save ""` and the options of the case, otherwise as shipped, a fresh one for every case, in',
    "turn. Figures are medians of the rounds, the longest waits maxima. Ratio is tsredis's figure divided by",
    "redis-server's: below 1 is better than redis-server. Memory is resident memory less what the same server has when",
    "idle and empty. The other client sends PING every millisecond.",
  ].join("\n");
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
