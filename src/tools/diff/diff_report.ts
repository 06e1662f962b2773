/** What `tsredis diff` prints: a line for each difference, for people or as JSON, and a summary at the end. */

import { toLatin1 } from "../../base/bytes.ts";
import { quoted } from "../../base/printable.ts";
import type { ShownKey } from "../dataset/dataset.ts";
import { jsonOfBytes } from "../json_text.ts";
import type { ToolHost } from "../tool.ts";
import { type PartDifference, timeText, type ValueDifference } from "./value_difference.ts";

/** In what a key differs that both have: null where it does not. */
export interface KeyDifference {
  /** The type in A. */
  readonly type: string;
  readonly types: readonly [a: string, b: string] | null;
  readonly expiries: readonly [a: number, b: number] | null;
  readonly hasOtherValue: boolean;
  /** Null also where the values are too large to be compared part by part. */
  readonly value: ValueDifference | null;
}

/** Where a library is, or that both have it and it differs. */
export type LibraryFound = "a" | "b" | "both";

/** Characters that are collected before they are printed. */
const TEXT_MAX = 32 * 1024;

export class DiffReport {
  same = 0;
  onlyInA = 0;
  onlyInB = 0;
  keysDifferent = 0;
  libraries = 0;
  /** Keys that were passed over as their time is over. */
  expired = 0;
  readonly #host: ToolHost;
  readonly #isJson: boolean;
  #text = "";

  constructor(host: ToolHost, isJson: boolean) {
    this.#host = host;
    this.#isJson = isJson;
  }

  get differences(): number {
    return this.onlyInA + this.onlyInB + this.keysDifferent + this.libraries;
  }

  #line(line: string): void {
    this.#text += `${line}\n`;
    if (this.#text.length < TEXT_MAX) return;
    this.#host.print(this.#text);
    this.#text = "";
  }

  /** A key that only one of them has. */
  onlyIn(side: "a" | "b", key: ShownKey, type: string): void {
    if (side === "a") this.onlyInA++;
    else this.onlyInB++;
    if (this.#isJson) {
      return this.#line(`{${jsonPlace(key)},"only_in":"${side}","type":"${type}"}`);
    }
    this.#line(`only in ${side.toUpperCase()}: ${placeOf(key)} (${type})`);
  }

  /** A key that both have. */
  differs(key: ShownKey, difference: KeyDifference): void {
    this.keysDifferent++;
    this.#line(this.#isJson ? jsonDifference(key, difference) : textDifference(key, difference));
  }

  library(name: string, found: LibraryFound): void {
    this.libraries++;
    if (this.#isJson) {
      const what = found === "both" ? '"differs":true' : `"only_in":"${found}"`;
      return this.#line(`{"library":${JSON.stringify(name)},${what}}`);
    }
    this.#line(
      found === "both"
        ? `different: the function library ${name}`
        : `only in ${found.toUpperCase()}: the function library ${name}`,
    );
  }

  /** Prints the summary, and all that has not been printed. */
  end(): void {
    const { same, onlyInA, onlyInB, keysDifferent, libraries, expired } = this;
    if (this.#isJson) {
      this.#line(JSON.stringify({
        summary: {
          same,
          only_in_a: onlyInA,
          only_in_b: onlyInB,
          different: keysDifferent,
          libraries,
          expired,
        },
      }));
    } else {
      const others = libraries === 0 ? "" : `, ${counted(libraries, "library", "libraries")} not`;
      const passed = expired === 0
        ? ""
        : `; ${counted(expired, "key", "keys")} whose time is over left out`;
      this.#line(
        `${
          counted(same, "key", "keys")
        } the same, ${keysDifferent} different, ${onlyInA} only in A, ` +
          `${onlyInB} only in B${others}${passed}`,
      );
    }
    this.#host.print(this.#text);
    this.#text = "";
  }
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** The bytes of a key, in a copy. */
export function keyBytes({ place: { records }, ref }: ShownKey): Uint8Array {
  const at = records.keyOffset(ref);
  return records.bytesOf(ref).slice(at, at + records.keyLength(ref));
}

/** Database and key, for a person. */
export function placeOf(key: ShownKey): string {
  const name = quoted(toLatin1(keyBytes(key)));
  return key.database === 0 ? name : `${name} in database ${key.database}`;
}

function jsonPlace(key: ShownKey): string {
  return `"db":${key.database},"key":${jsonOfBytes(keyBytes(key))}`;
}

function textDifference(key: ShownKey, difference: KeyDifference): string {
  const { type, types, expiries, hasOtherValue, value } = difference;
  const said: string[] = [];
  if (types !== null) said.push(`a ${types[0]} in A, a ${types[1]} in B`);
  if (expiries !== null) {
    said.push(`expires ${timeText(expiries[0])} in A, ${timeText(expiries[1])} in B`);
  }
  if (hasOtherValue) {
    const told = value === null ? [] : value.found.map(textOfPart);
    const more = value === null ? 0 : value.count - value.found.length;
    if (more > 0) told.push(`${more} more`);
    said.push(told.length === 0 ? "another value" : told.join("; "));
  }
  return `different: ${placeOf(key)} (${types === null ? type : types.join(", ")}): ${
    said.join("; ")
  }`;
}

function textOfPart({ part, a, b }: PartDifference): string {
  if (a === null) return `${part} only in B`;
  if (b === null) return `${part} only in A`;
  return `${part}: ${a} in A, ${b} in B`;
}

function jsonDifference(key: ShownKey, difference: KeyDifference): string {
  const { type, types, expiries, hasOtherValue, value } = difference;
  const said: Record<string, unknown> = {};
  if (types === null) said.type = type;
  else said.types = types;
  if (expiries !== null) said.expires_at_ms = expiries.map((ms) => Number.isNaN(ms) ? null : ms);
  if (hasOtherValue) {
    said.value = value === null ? null : { parts: value.found, count: value.count };
  }
  return `{${jsonPlace(key)},${JSON.stringify(said).slice(1)}`;
}
