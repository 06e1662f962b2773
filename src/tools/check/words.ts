/** Numbers, sizes, keys and tables as the report of a check spells them. */

import { toLatin1 } from "../../base/bytes.ts";
import { quoted } from "../../base/printable.ts";
import { formatBytes } from "../../observe/bytes_for_people.ts";

/** Characters of a key that are shown. */
const KEY_SHOWN = 60;

/** "1,234,567". */
export function grouped(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 key", "2,000 keys". */
export function counted(n: number, noun: string): string {
  const plural = noun.endsWith("y") && !/[aeo]y$/.test(noun)
    ? `${noun.slice(0, -1)}ies`
    : `${noun}s`;
  return `${grouped(n)} ${n === 1 ? noun : plural}`;
}

/** "1.19M", or "512B"; nothing for a size that is not known. */
export function size(bytes: number): string {
  return formatBytes(Math.round(bytes));
}

/** "42 %". */
export function share(part: number, whole: number): string {
  if (whole === 0) return "";
  const percent = part / whole * 100;
  return `${percent < 1 && percent > 0 ? "<1" : Math.round(percent)} %`;
}

/** A key as redis-cli shows it, cut where it is long. */
export function keyText(key: Uint8Array): string {
  const text = quoted(toLatin1(key, 0, Math.min(key.length, KEY_SHOWN)));
  return key.length > KEY_SHOWN ? `${text.slice(0, -1)}…" (${grouped(key.length)} bytes)` : text;
}

/** Text of bytes in one line, without quotes. */
export function plain(latin1Text: string): string {
  return quoted(latin1Text).slice(1, -1).replaceAll('\\"', '"');
}

/** "2026-11-29 18:04:05 UTC". */
export function dateText(unixMs: number): string {
  const date = new Date(unixMs);
  if (Number.isNaN(date.getTime())) return `${unixMs} ms`;
  return `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Rows in columns, the first of them to the left and the others to the right, below a line of names. */
export function table(names: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [names, ...rows];
  const widths = names.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  return all.map((row) =>
    "  " + row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i] + 2))
      .join("").trimEnd() +
    "\n"
  ).join("");
}
