/**
 * Writes the parts of README.md that are printed from tables: the supported commands, the directives
 * that stop the start and those that do nothing, the fields that INFO lacks, the tools of the executable, and from what
 * was measured, the table of speed and the figures of snapshots and of replication, each between its two marks. A test
 * fails while they are stale.
 *
 *     deno task readme
 */

import { type SavedResults, speedMarkdown } from "../bench/compare/speed_table.ts";
import type { ReplicationResults } from "../bench/replication/figures.ts";
import { readmeMarkdown as replicationMarkdown } from "../bench/replication/report.ts";
import type { SnapshotResults } from "../bench/snapshot/figures.ts";
import { readmeMarkdown as snapshotMarkdown } from "../bench/snapshot/report.ts";
import { leftOutFieldsMarkdown } from "../src/commands/server/info_sections.ts";
import { commandTable } from "../src/commands/index.ts";
import { notActingMarkdown, refusedMarkdown } from "../src/config/table.ts";
import { tools } from "../src/tools/index.ts";
import { replacePart } from "./readme_parts.ts";

/** README.md's path. */
export const README = new URL("../README.md", import.meta.url);

/** What the last whole runs of `deno task compare` left, Deno's first. */
const RESULTS = ["results.json", "results-bun.json"].map((name) =>
  new URL(`../bench/${name}`, import.meta.url)
);

/** What `deno task bench:snapshot` has kept. */
const SNAPSHOTS = new URL("../bench/snapshot.json", import.meta.url);

/** What `deno task bench:replication` has kept. */
const REPLICATION = new URL("../bench/replication.json", import.meta.url);

/** The commands by group, subcommands behind their container. */
export function commandsMarkdown(): string {
  const groups = new Map<string, string[]>();
  for (const { name, group, subcommands } of commandTable) {
    const names = groups.get(group) ?? [];
    const shown = "`" + name.toUpperCase() + "`";
    if (subcommands === undefined) names.push(shown);
    else {
      const own = subcommands.map((each) => each.name.slice(name.length + 1).toUpperCase()).sort();
      names.push(`${shown} (${own.join(", ")})`);
    }
    groups.set(group, names);
  }
  const lines = [...groups].sort(([a], [b]) => a < b ? -1 : 1).map(([group, names]) =>
    `- **${group}**: ${names.sort().join(", ")}`
  );
  return `${commandTable.length} commands.\n\n${lines.join("\n")}\n\n${newerMarkdown()}`;
}

/** The version that commands follow where nothing else is said. */
const VERSION = 7.2;

/** Commands and options that came after the version that is followed, each with the one that has them so. */
function newerMarkdown(): string {
  const byVersion = new Map<string, string[]>();
  const add = (version: string, what: string) => {
    const short = version.replace(/\.0$/, "");
    if (parseFloat(short) <= VERSION) return;
    byVersion.set(short, [...byVersion.get(short) ?? [], what]);
  };
  for (const { name, since, history = [] } of commandTable) {
    const shown = "`" + name.toUpperCase() + "`";
    add(since, shown);
    for (const [version, added] of history) add(version, `${shown} (${added})`);
  }
  // Redis has not come to 9.
  const maker = (version: string) => parseFloat(version) < 9 ? "Redis" : "Valkey";
  const lines = [...byVersion].sort().map(([version, names]) =>
    `- ${maker(version)} ${version}: ${names.sort().join(", ")}`
  );
  return `They follow Redis ${VERSION}; what is newer follows the version named here:\n\n${
    lines.join("\n")
  }\n`;
}

/** The tools of the executable, with their options and exit codes. */
export function toolsMarkdown(): string {
  return tools.map(({ name, operands, summary, options, exitCodes }) => {
    const spelt = options.map((option) => {
      const value = option.value === undefined ? "" : ` ${option.value}`;
      return `  - \`--${option.name}${value}\`: ${option.help}\n`;
    });
    const codes = exitCodes.map(([code, meaning]) => `${code} ${meaning}`).join("; ");
    const ends = options.length === 0 ? "" : `  - exit codes: ${codes}\n`;
    return `- \`tsredis ${name} ${operands}\`: ${summary}\n${spelt.join("")}${ends}`;
  }).join("");
}

/** The README with its printed parts as they should be. */
export function refreshed(text: string): string {
  const parts = {
    commands: commandsMarkdown(),
    refused: refusedMarkdown(),
    info: leftOutFieldsMarkdown(),
    directives: notActingMarkdown(),
    tools: toolsMarkdown(),
    speed: speedMarkdown(
      RESULTS.map((path) => JSON.parse(Deno.readTextFileSync(path)) as SavedResults),
    ),
    snapshots: snapshotMarkdown(
      JSON.parse(Deno.readTextFileSync(SNAPSHOTS)) as SnapshotResults,
    ),
    replication: replicationMarkdown(
      JSON.parse(Deno.readTextFileSync(REPLICATION)) as ReplicationResults,
    ),
  };
  let out = text;
  for (const [name, content] of Object.entries(parts)) out = replacePart(out, name, content);
  return out;
}

if (import.meta.main) {
  Deno.writeTextFileSync(README, refreshed(Deno.readTextFileSync(README)));
}
