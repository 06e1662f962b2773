/**
 * Whether words are a command as a server of some version took it, by what COMMAND DOCS of a real server says of its
 * arguments and since when there is each: what came later is taken out of the grammar, and the words have to be what is
 * left. Only the form is looked at, not whether numbers are in range.
 *
 * Arguments that may be left out and stand side by side may come in any order, and those with a word of their own more
 * than once, as servers take them.
 */

import { serverVersion } from "../../src/replication/bridge/target.ts";
import type { Argument } from "../../src/commands/arguments_syntax.ts";
import type { CommandFact } from "../support/command_facts.ts";

/** Goes on behind the words that have been taken; false if that leads nowhere. */
type Rest = (at: number) => boolean;

const INTEGER = /^[+-]?\d+$/;
const DOUBLE = /^[+-]?(\.?\d|inf|nan|0x)/i;
/** The bounds of a range of scores: nothing stands for 0, and spaces may come before the number. */
const BOUND = /^\(?\s*([+-]?(\.?\d|inf|0x)|$)/i;
const BOUNDS = /^(min|max)$/;
/** What is documented as an integer and has never had to be one: those of ZINCRBY, ZUNIONSTORE and BITFIELD ("#1"). */
const NO_INTEGERS = /^(increment|weight|offset)$/;

export class ArgumentGrammar {
  readonly #arguments: readonly Argument[];

  /** Of a command as it was in a version, see `serverVersion`. */
  constructor(fact: CommandFact, readonly version: number) {
    this.#arguments = this.#known(fact.arguments ?? [], fact.history ?? []);
  }

  /** Whether these words, from `from` on, may stand behind the command's name. */
  takes(words: readonly string[], from: number): boolean {
    return this.#list(this.#arguments, words, from, (at) => at === words.length);
  }

  /** Without what came later. Where the facts tell that only of the command as a whole, its history names it. */
  #known(all: readonly Argument[], history: readonly [string, string][]): Argument[] {
    const known: Argument[] = [];
    for (const each of all) {
      const since = each.since ?? addedIn(each, history);
      if (since !== null && serverVersion(since) > this.version) continue;
      known.push({
        ...each,
        flags: this.#isSingle(history)
          ? each.flags?.filter((flag) => flag !== "multiple")
          : each.flags,
        arguments: each.arguments && this.#known(each.arguments, history),
      });
    }
    return known;
  }

  /** Whether the command took one element only. */
  #isSingle(history: readonly [string, string][]): boolean {
    const since = history.find(([, text]) => text.startsWith("Accepts multiple"))?.[0];
    return since !== undefined && serverVersion(since) > this.version;
  }

  #list(list: readonly Argument[], words: readonly string[], at: number, rest: Rest): boolean {
    if (list.length === 0) return rest(at);
    let free = 0;
    while (free < list.length && list[free].flags?.includes("optional")) free++;
    if (free === 0) {
      return this.#one(list[0], words, at, (next) => this.#list(list.slice(1), words, next, rest));
    }
    return this.#anyOrder(
      list.slice(0, free),
      words,
      at,
      (next) => this.#list(list.slice(free), words, next, rest),
    );
  }

  #anyOrder(some: readonly Argument[], words: readonly string[], at: number, rest: Rest): boolean {
    return some.some((each) =>
      this.#one(each, words, at, (next) => {
        const left = hasWord(each) ? some : some.filter((other) => other !== each);
        return next > at && this.#anyOrder(left, words, next, rest);
      })
    ) || rest(at);
  }

  /** An argument as often as it may come, with its word before it. */
  #one(each: Argument, words: readonly string[], at: number, rest: Rest): boolean {
    const { token, type, flags = [] } = each;
    const hasToken = token !== undefined && type !== "pure-token";
    const isToken = (place: number) => words[place]?.toUpperCase() === token;
    if (hasToken && !isToken(at)) return false;
    const isTokenRepeated = flags.includes("multiple_token");
    const first = hasToken && !isTokenRepeated ? at + 1 : at;
    const value = (from: number, then: Rest): boolean => {
      if (!hasToken || !isTokenRepeated) return this.#value(each, words, from, then);
      return isToken(from) && this.#value(each, words, from + 1, then);
    };
    if (!flags.includes("multiple")) return value(first, rest);
    // As many as there are, then fewer: most often all words that are left are meant.
    const ends: number[] = [];
    for (let from = first; value(from, (next) => (ends.push(next), true));) from = ends.at(-1)!;
    return ends.toReversed().some(rest);
  }

  #value(each: Argument, words: readonly string[], at: number, rest: Rest): boolean {
    const members = each.arguments ?? [];
    switch (each.type) {
      case "pure-token":
        return words[at]?.toUpperCase() === each.token && rest(at + 1);
      case "oneof":
        return members.some((member) => this.#one(member, words, at, rest));
      case "block":
        return this.#list(members, words, at, rest);
      case "integer":
        return at < words.length && (INTEGER.test(words[at]) || NO_INTEGERS.test(each.name)) &&
          rest(at + 1);
      case "double":
        return at < words.length && (BOUNDS.test(each.name) ? BOUND : DOUBLE).test(words[at]) &&
          rest(at + 1);
      default:
        return at < words.length && rest(at + 1);
    }
  }
}

/** Whether an argument begins with a word that stands for itself. */
function hasWord({ token, type }: Argument): boolean {
  return token !== undefined || type === "oneof" || type === "block";
}

/** The version in which an argument was added, where only the command's history says so; null if it does not. */
function addedIn({ name, token }: Argument, history: readonly [string, string][]): string | null {
  const found = history.find(([, text]) =>
    text.startsWith("Added") && (text.includes(`\`${name}\``) || text.includes(`\`${token}\``))
  );
  return found === undefined ? null : found[0];
}
