/**
 * What of a master's snapshot has no place here: keys whose value is of a type that is not known, parts of others, and
 * function libraries that cannot be used. A full sync collects it while it builds the new dataset aside, so that all of it can be told by name
 * before anything of the old one is let go of; `replica-accept-lossy-sync` decides whether the rest is taken.
 */

import { quoted } from "../base/printable.ts";
import { type Unheld, unheldKeys } from "./unheld.ts";

/** Names kept of each kind, and kinds told apart; the rest is counted. */
const NAMES_MAX = 100;
const KINDS_MAX = 100;
const OTHER_KINDS = "keys of other kinds";
/** Names in a line of the log, and in the text of an error. */
const NAMES_PER_LINE = 10;
const NAMES_IN_SUMMARY = 3;
const NAME_SHOWN_MAX = 200;

interface Kind {
  count: number;
  readonly names: string[];
}

export class LeftOut {
  /** Keys and libraries. */
  count = 0;
  /** Function libraries among them. */
  libraries = 0;
  readonly #kinds = new Map<string, Kind>();

  get isEmpty(): boolean {
    return this.count === 0;
  }

  /** A key that has this. */
  key(unheld: Unheld, database: number, key: string): void {
    this.#add(unheldKeys(unheld), `${shown(key)} (database ${database})`);
  }

  /** A function library, and what is wrong with it. */
  library(name: string, problem: string): void {
    this.libraries++;
    this.#add("function libraries", `${shown(name)} (${problem})`);
  }

  #add(what: string, name: string): void {
    this.count++;
    const isApart = this.#kinds.has(what) || this.#kinds.size < KINDS_MAX;
    const key = isApart ? what : OTHER_KINDS;
    let kind = this.#kinds.get(key);
    if (kind === undefined) this.#kinds.set(key, kind = { count: 0, names: [] });
    kind.count++;
    if (kind.names.length < NAMES_MAX) kind.names.push(name);
  }

  /** All of it on one line: each kind with its number and the first of its names. */
  get summary(): string {
    const kinds = [...this.#kinds].map(([what, { count, names }]) =>
      `${count} ${what}: ${listed(names.slice(0, NAMES_IN_SUMMARY), count)}`
    );
    return kinds.join("; ");
  }

  /** The same in lines for the log, with a hundred names of each kind. */
  get lines(): string[] {
    const lines: string[] = [];
    for (const [what, { count, names }] of this.#kinds) {
      for (let i = 0; i < names.length; i += NAMES_PER_LINE) {
        const some = names.slice(i, i + NAMES_PER_LINE);
        lines.push(`${count} ${what}, ${i + 1} to ${i + some.length}: ${some.join(", ")}`);
      }
    }
    return lines;
  }
}

function shown(name: string): string {
  return quoted(name.slice(0, NAME_SHOWN_MAX));
}

function listed(names: readonly string[], count: number): string {
  return names.join(", ") + (count > names.length ? `, and ${count - names.length} more` : "");
}
