/** What a salvage has kept and what was lost: for people, and as JSON. */

import { counted, grouped, keyText, size } from "../check/words.ts";
import { keyJson } from "../check/json_report.ts";
import type { DataPart, DataSet } from "../data_files.ts";
import { type Loss, LOSSES_MAX } from "./plan.ts";

/** Remarks that are kept. */
export const SALVAGE_REMARKS_MAX = 100;
/** Losses that are shown to people. */
const LOSSES_SHOWN = 100;

/** Commands that are lost, from a byte on. */
export interface LogLoss {
  readonly from: number;
  readonly to: number;
  readonly what: string;
  readonly offset: number;
}

/** What came of one file. */
export interface PartSalvage {
  readonly part: DataPart;
  /** Whether anything of it could be read. */
  readonly isRead: boolean;
  /** Of its snapshot. */
  readonly losses: readonly Loss[];
  readonly isAltered: boolean;
  commands: number;
  logLoss: LogLoss | null;
}

export interface Salvage {
  readonly set: DataSet;
  readonly outPath: string;
  readonly keys: number;
  /** Of the new file. */
  readonly bytes: number;
  readonly parts: readonly PartSalvage[];
  readonly remarks: readonly string[];
}

/** Whether all of it was kept, as it was written. */
export function isComplete({ parts }: Salvage): boolean {
  return parts.every(({ losses, isAltered, logLoss }) =>
    losses.length === 0 && !isAltered && logLoss === null
  );
}

export function salvageText(salvage: Salvage): string {
  const { set, outPath, keys, bytes, parts, remarks } = salvage;
  const lines = [`${outPath}: ${counted(keys, "key")} of ${set.path}, ${size(bytes)}`, ""];
  if (isComplete(salvage)) lines.push("Nothing was lost.");
  for (const part of parts) lines.push(...partLines(part, set.manifest !== null));
  const isOnPart = parts.some(({ losses }) => losses.length > 0) &&
    parts.some(({ commands }) => commands > 0);
  if (isOnPart) {
    lines.push(
      "The commands were run on what could be read: a key that was lost has only what they say of it.",
    );
  }
  if (remarks.length > 0) {
    lines.push(
      "",
      "While it was loaded:",
      ...remarks.map((line) => `  ${line}`),
    );
  }
  return lines.join("\n") + "\n";
}

function partLines({ part, losses, isAltered, logLoss }: PartSalvage, names: boolean): string[] {
  const lines: string[] = [];
  const name = names ? `${part.name}: ` : "";
  if (isAltered) {
    lines.push(
      `${name}The checksum is wrong: something has been altered that can be read all the same.`,
    );
  }
  if (losses.length > 0) lines.push(`${name}Lost of the snapshot:`);
  lines.push(...losses.slice(0, LOSSES_SHOWN).flatMap(lossLines));
  if (losses.length > LOSSES_SHOWN) {
    lines.push(`  … and ${grouped(losses.length - LOSSES_SHOWN)} more places`);
  }
  if (losses.length > LOSSES_MAX) lines.push("  The file is damaged in too many places to go on.");
  if (logLoss !== null) {
    const { from, to, what, offset } = logLoss;
    lines.push(
      `${name}Lost are the commands from byte ${from} on (${size(to - from)}): ${what}` +
        (offset === from ? "" : `, at byte ${offset}`),
    );
  }
  return lines;
}

function lossLines(loss: Loss): string[] {
  const { from, to, what, offset, key, database, how, doubtful, suspect } = loss;
  const whose = key === null ? "" : `key ${keyText(key)} (database ${database}), `;
  const lines = [
    `  ${whose}bytes ${from} to ${to} (${size(to - from)}): ${what}, at byte ${offset}`,
  ];
  if (how === null) lines.push("    and all that comes behind it");
  if (suspect.length > 0) {
    lines.push(
      "    The damage may begin in the keys before it, which were kept. Look at them:",
      `    ${suspect.map(keyText).join(", ")}`,
    );
  }
  if (how === "search") {
    lines.push(
      "    Keys behind it were found by searching. They are taken to be of the same database,",
      `    and the first ones were left out, as they may be none: ${
        doubtful.map(keyText).join(", ")
      }`,
    );
  }
  return lines;
}

export function salvageJson(salvage: Salvage): string {
  const { set, outPath, keys, bytes, parts, remarks } = salvage;
  return JSON.stringify({
    path: set.path,
    out: outPath,
    complete: isComplete(salvage),
    keys,
    bytes,
    files: parts.map(({ part, losses, isAltered, commands, logLoss }) => ({
      name: part.name,
      altered: isAltered,
      commands,
      lostCommands: logLoss,
      losses: losses.map(({ key, doubtful, suspect, ...loss }) => ({
        ...loss,
        key: key === null ? null : keyJson(key),
        doubtful: doubtful.map(keyJson),
        suspect: suspect.map(keyJson),
      })),
    })),
    remarks,
  }) + "\n";
}
