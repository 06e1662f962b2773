/** Tells people what a check has found. */

import {
  type CommandCount,
  type Damage,
  type Findings,
  isSound,
  type KeyPlace,
  type LogFindings,
  type PartFindings,
  type SnapshotFindings,
} from "./findings.ts";
import type { PrefixTree } from "./prefixes.ts";
import type { Survey, TypeCount } from "./survey.ts";
import { counted, dateText, grouped, keyText, plain, share, size, table } from "./words.ts";

/** Prefixes with a smaller share are not shown, nor more than so many. */
const PREFIX_SHARE = 0.01;
const PREFIX_ROWS = 30;
/** Commands that are shown. */
const COMMAND_ROWS = 12;
/** Databases that a server has where nobody says otherwise. */
const DATABASES = 16;
/** Databases that are shown. */
const DATABASE_ROWS = 32;

export function textReport(findings: Findings): string {
  const { set, parts, survey, written, isLoaded } = findings;
  const sections = [
    `${set.path}: ${titleOf(findings)}\n`,
    ...(set.problem === null ? [] : [`Damaged: ${set.problem}\n`]),
    ...parts.map((part) => partText(part, set.manifest !== null)),
    verdictText(findings),
    replicationText(findings),
    ...(survey.keys > 0 ? surveySections(survey) : []),
    ...parts.map(({ log }) => log === null ? "" : logText(log)),
    ...(written === null || isLoaded
      ? []
      : [prefixText(written, "Prefix, by what was written", "written")]),
    remarksText(findings.remarks),
  ];
  return sections.filter((section) => section !== "").join("\n");
}

function titleOf({ set, parts }: Findings): string {
  const files = parts.length === 1 ? "" : `, ${counted(parts.length, "file")}`;
  const isKnown = set.manifest !== null ||
    parts.some(({ snapshot, log }) => (snapshot?.version ?? 0) > 0 || log !== null);
  return `${isKnown ? `${set.kind}${files}, ` : ""}${size(set.totalBytes)}`;
}

// -- files ----------------------------------------------------------------------------------------

function partText(
  { part, snapshot, log, damage, trailingBytes }: PartFindings,
  names: boolean,
): string {
  const lines: string[] = [];
  if (names) lines.push(`${part.name} (${part.role}, ${size(part.sizeBytes ?? 0)})`);
  if (snapshot !== null && snapshot.version > 0) lines.push(...snapshotLines(snapshot));
  if (log !== null) lines.push(...logLines(log));
  if (trailingBytes > 0) {
    lines.push(`${grouped(trailingBytes)} bytes behind the end, which no server reads`);
  }
  if (log?.unfinishedFrom != null) {
    lines.push(`Damaged: the transaction that begins at byte ${log.unfinishedFrom} has no end`);
  }
  if (damage !== null) lines.push(...damageLines(damage, log !== null));
  const indent = names ? "  " : "";
  return lines.map((line, i) => `${names && i === 0 ? "" : indent}${line}\n`).join("");
}

function snapshotLines(snapshot: SnapshotFindings): string[] {
  const { aux, checksum } = snapshot;
  const lines = [`RDB version ${snapshot.version}${writtenBy(aux)}`];
  const sums = {
    right: "checksum right",
    wrong: "checksum wrong",
    none: "without a checksum",
    unknown: "no checksum read",
  };
  const counts = [counted(snapshot.keys, "key"), sums[checksum]];
  if (snapshot.libraries.length > 0) {
    counts.push(`function libraries: ${snapshot.libraries.map(plain).join(", ")}`);
  }
  if (snapshot.emptyKeys > 0) {
    counts.push(`${counted(snapshot.emptyKeys, "empty collection")}, which no server keeps`);
  }
  lines.push(counts.join(", "));
  const modules = [...snapshot.moduleKeys].map(([name, keys]) =>
    `${name} (${counted(keys, "key")})`
  );
  for (const name of snapshot.modules) modules.push(`${name} (beside keys)`);
  if (modules.length > 0) {
    lines.push(`Data of modules, which tsredis does not have: ${modules.join(", ")}`);
  }
  if (snapshot.unheld.size > 0) {
    const unheld = [...snapshot.unheld].map(([what, keys]) => `${what} (${counted(keys, "key")})`);
    lines.push(`What tsredis has no place for: ${unheld.join(", ")}`);
  }
  if (snapshot.slotImports.length > 0) {
    lines.push(
      `Slots were on their way to the server that wrote it, so keys may be incomplete: jobs ${
        snapshot.slotImports.map(plain).join(", ")
      }`,
    );
  }
  if (snapshot.isDuplicateUnknown) {
    lines.push(
      "Too many keys to see whether one comes twice: only the first 4 million were compared",
    );
  }
  return lines;
}

function writtenBy(aux: ReadonlyMap<string, string>): string {
  const redis = aux.get("redis-ver");
  const valkey = aux.get("valkey-ver");
  const tsredis = aux.get("tsredis-ver");
  const made = Number(aux.get("ctime"));
  const by = valkey !== undefined ? `Valkey ${plain(valkey)}` : redis && `Redis ${plain(redis)}`;
  const who = tsredis !== undefined ? `tsredis ${plain(tsredis)}` : by;
  const when = made > 0 ? `, made ${dateText(made * 1000)}` : "";
  return `${who === undefined ? "" : `, written by ${who}`}${when}`;
}

function logLines(log: LogFindings): string[] {
  const parts = [counted(log.commands, "command")];
  if (log.transactions > 0) parts.push(counted(log.transactions, "transaction"));
  const least = log.areNamesCounted ? "" : "at least ";
  if (log.names > 0) parts.push(`naming ${least}${counted(log.names, "key")}`);
  if (log.timestamp !== null) parts.push(`up to ${dateText(log.timestamp * 1000)}`);
  const begin = log.beginBytes > 0 ? `From byte ${log.beginBytes} on: ` : "";
  return [begin + parts.join(", ")];
}

function damageLines(damage: Damage, isLog: boolean): string[] {
  const { kind, what, offset, key, lastKey } = damage;
  if (kind === "missing") return [`Damaged: ${what}`];
  if (kind === "checksum") {
    return [
      `Damaged: ${what} at byte ${offset}`,
      "Every key can be read, but something in the file is not as it was written.",
    ];
  }
  const lines = [
    `${kind === "unsupported" ? "Not understood" : "Damaged"} at byte ${offset}: ${what}`,
  ];
  if (key !== null) {
    lines.push(
      `  while reading the value of ${placeText(key)}, which begins at byte ${key.begin}`,
    );
  }
  if (lastKey !== null) {
    lines.push(`  the last key that is whole: ${placeText(lastKey)}, up to byte ${lastKey.end}`);
  }
  if (isLog) lines.push(`  all is whole up to byte ${damage.soundBytes}`);
  return lines;
}

function placeText({ key, type, database }: KeyPlace): string {
  return `${keyText(key)} (${type}, database ${database})`;
}

function verdictText(findings: Findings): string {
  if (isSound(findings)) return "Sound.\n";
  const { parts } = findings;
  const last = parts.at(-1);
  const isTail = last !== undefined && last.damage !== null && last.log !== null &&
    parts.slice(0, -1).every(({ damage, log }) => damage === null && log?.unfinishedFrom == null);
  const cuts = isTail && last.damage?.kind === "truncated"
    ? "A server with 'aof-load-truncated yes' (the default) cuts the end off and starts.\n"
    : "";
  const isRead = parts.some(({ snapshot, log }) =>
    (snapshot?.keys ?? 0) + (log?.commands ?? 0) > 0
  );
  if (!isRead) return "NOT SOUND.\n";
  return `NOT SOUND.\n${cuts}'tsredis check --salvage OUT.rdb ${findings.set.path}' keeps what can be read.\n`;
}

function replicationText({ replication }: Findings): string {
  if (replication === null) return "";
  const { id, offset, database } = replication;
  return `Replication: id ${id}, offset ${offset}, database ${database}\n`;
}

function remarksText(remarks: readonly string[]): string {
  if (remarks.length === 0) return "";
  return `While the commands were run:\n${remarks.map((line) => `  ${line}\n`).join("")}`;
}

// -- keys -----------------------------------------------------------------------------------------

function surveySections(survey: Survey): string[] {
  const isOfFile = survey.fileBytes > 0;
  return [
    typeText("Type", survey.types, survey, isOfFile),
    typeText("Form", survey.encodings, survey, isOfFile),
    databaseText(survey),
    expiryText(survey),
    prefixText(survey.prefixes, "Prefix, by memory", "memory"),
    largestText(survey, isOfFile),
    "Memory is about what the keys take in tsredis, as MEMORY USAGE tells it.\n",
  ];
}

function typeText(
  title: string,
  counts: ReadonlyMap<string, TypeCount>,
  survey: Survey,
  isOfFile: boolean,
): string {
  const rows = [...counts].sort(([, a], [, b]) => b.memoryBytes - a.memoryBytes);
  const cells = rows.map(([name, count]) => [
    name,
    grouped(count.keys),
    grouped(count.elements),
    ...(isOfFile ? [size(count.fileBytes)] : []),
    size(count.memoryBytes),
    share(count.memoryBytes, survey.memoryBytes),
  ]);
  return table([title, "keys", "elements", ...(isOfFile ? ["in file"] : []), "memory", ""], cells);
}

function databaseText({ databases, memoryBytes }: Survey): string {
  const rows = [...databases].sort(([a], [b]) => a - b).slice(0, DATABASE_ROWS);
  const last = Math.max(...databases.keys());
  const needs = last < DATABASES
    ? ""
    : `  A server needs 'databases ${last + 1}' to load this; the default is ${DATABASES}.\n`;
  return needs + table(
    ["Database", "keys", "expiring", "memory", ""],
    rows.map(([index, count]) => [
      String(index),
      grouped(count.keys),
      grouped(count.expiring),
      size(count.memoryBytes),
      share(count.memoryBytes, memoryBytes),
    ]),
  );
}

function expiryText(survey: Survey): string {
  if (survey.expiring === 0) return "No key expires.\n";
  const rows = survey.spans.filter(([, keys]) => keys > 0)
    .map(([name, keys]) => [name, grouped(keys), share(keys, survey.keys)]);
  const { firstExpiryMs, lastExpiryMs, keys, expiring } = survey;
  rows.push(["never", grouped(keys - expiring), share(keys - expiring, keys)]);
  return table(["Expiry, from now", "keys", ""], rows) +
    `  first ${dateText(firstExpiryMs)}, last ${dateText(lastExpiryMs)}\n`;
}

function prefixText(prefixes: PrefixTree, title: string, measure: string): string {
  const { bytes } = prefixes.total;
  const rows = prefixes.rows(PREFIX_SHARE, PREFIX_ROWS).map((row) => [
    `${"  ".repeat(row.depth)}${plain(row.prefix)}`,
    grouped(row.keys),
    size(row.bytes),
    share(row.bytes, bytes),
  ]);
  return table([title, measure === "memory" ? "keys" : "times", measure, ""], rows);
}

function largestText({ largest }: Survey, isOfFile: boolean): string {
  return table(
    ["Largest keys", "type", "database", "elements", ...(isOfFile ? ["in file"] : []), "memory"],
    largest.map((each) => [
      keyText(each.key),
      each.type,
      String(each.database),
      grouped(each.elements),
      ...(isOfFile ? [size(each.fileBytes)] : []),
      size(each.memoryBytes),
    ]),
  );
}

function logText({ byName, byDatabase }: LogFindings): string {
  const total = [...byName.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  const rows = (counts: ReadonlyMap<string | number, CommandCount>) =>
    [...counts].sort(([, a], [, b]) => b.bytes - a.bytes).slice(0, COMMAND_ROWS)
      .map(([name, { commands, bytes }]) => [
        String(name),
        grouped(commands),
        size(bytes),
        share(bytes, total),
      ]);
  if (byName.size === 0) return "";
  const databases = byDatabase.size > 1
    ? "\n" + table(["Database", "commands", "in file", ""], rows(byDatabase))
    : "";
  return table(["Command", "times", "in file", ""], rows(byName)) + databases;
}
