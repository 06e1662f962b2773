/**
 * Key specifications: where in a command's words its keys are, as data.
 *
 * Beside the path: a definition (command.ts) lists its specifications, COMMAND INFO prints them, and
 * COMMAND GETKEYS, ACLs and clients that route by key evaluate them. The request path itself only
 * looks at the three legacy numbers that command.ts derives from them. The model is that of Redis
 * 7.0: a specification first finds a word to begin at (a fixed index, or the word after a keyword),
 * then finds the keys from there (a range, or a count of keys followed by the keys).
 *
 * Word 0 is the command's name; in a subcommand word 1 is the subcommand's.
 */

import { MAY_READ, MAY_WRITE } from "../access/selector.ts";
import type { Words } from "../resp/words.ts";

/** What is done to a key, spelt and ordered as COMMAND INFO spells it. */
export type KeyFlag =
  | "RO" // reads the value
  | "RW" // reads and changes it
  | "OW" // replaces it unseen
  | "RM" // removes it unseen
  | "access" // content of the value reaches the client or another key
  | "update"
  | "insert"
  | "delete"
  | "not_key" // routed like a key, but names a channel
  | "incomplete" // the specification does not find all of them
  | "variable_flags"; // what is done depends on the other words

const KEY_FLAGS: readonly string[] = [
  "RO",
  "RW",
  "OW",
  "RM",
  "access",
  "update",
  "insert",
  "delete",
  "not_key",
  "incomplete",
  "variable_flags",
] satisfies KeyFlag[];

/** A key found in a call: the index of its word, and what the command does to it. */
export interface KeyPosition {
  readonly index: number;
  readonly flags: readonly KeyFlag[];
}

/** Finds keys that no specification can describe; null when the words make no sense. */
export type KeyFinder = (words: Words) => KeyPosition[] | null;

/** The rights (MAY_*) that a user needs of a key to have this done to it; 0 where any will do. */
export function rightsFor(flags: readonly KeyFlag[]): number {
  let rights = 0;
  for (const flag of flags) {
    if (flag === "access") rights |= MAY_READ;
    else if (flag === "insert" || flag === "delete" || flag === "update") rights |= MAY_WRITE;
  }
  return rights;
}

/** One specification. Made by the functions below; fields that a kind does not use are 0 or "". */
export class KeySpec {
  readonly flags: readonly KeyFlag[];
  /** For people: why the flags are what they are; empty where there is nothing to say. */
  notes = "";
  readonly beginSearch: "index" | "keyword" | "unknown";
  readonly findKeys: "range" | "keynum" | "unknown";
  /** Kind "index": the word to begin at. */
  beginIndex = 0;
  /** Kind "keyword": the keys begin after this word (any case), in upper case here. */
  keyword = "";
  /** The same in lower case. */
  foldedKeyword = "";
  /** Kind "keyword": where the search starts; negative: from the end of the call, backwards. */
  startFrom = 0;
  /** Kind "range": last key relative to the first; negative: relative to the end of the call. */
  lastKey = 0;
  /** Words from one key to the next. */
  keyStep = 0;
  /** Kind "range" with a negative lastKey: keys are only the first 1/limit of the rest; 0, 1: all. */
  limit = 0;
  /** Kind "keynum": the word with the number of keys, relative to the begin. */
  keyNumIndex = 0;
  /** Kind "keynum": the first key, relative to the begin. */
  firstKey = 0;

  constructor(
    flags: string,
    beginSearch: KeySpec["beginSearch"],
    findKeys: KeySpec["findKeys"],
  ) {
    const names = flags.split(" ");
    for (const name of names) {
      if (!KEY_FLAGS.includes(name)) {
        throw new Error(`Cannot define a key specification: no key flag is called "${name}"`);
      }
    }
    this.flags = names as KeyFlag[];
    this.beginSearch = beginSearch;
    this.findKeys = findKeys;
  }
}

/** The specification with a note for people. */
export function noted(notes: string, spec: KeySpec): KeySpec {
  spec.notes = notes;
  return spec;
}

/** One key, at word `at`. `flags` are KeyFlags with single spaces between them. */
export function oneKey(flags: string, at = 1): KeySpec {
  return keyRange(flags, at, 0);
}

/** Keys from word `from` to the end of the call, every `step` words. */
export function keysToEnd(flags: string, from = 1, step = 1): KeySpec {
  return keyRange(flags, from, -1, step);
}

/**
 * Keys from word `from` to `last`, every `step` words. `last` counts from `from` (0: only that one)
 * or, when negative, from the end (-1 is the last word, -2 leaves one word out).
 */
export function keyRange(flags: string, from: number, last: number, step = 1): KeySpec {
  const spec = new KeySpec(flags, "index", "range");
  spec.beginIndex = from;
  spec.lastKey = last;
  spec.keyStep = step;
  return spec;
}

/** A number of keys at word `at`, then that many keys. */
export function countedKeys(flags: string, at = 1, step = 1): KeySpec {
  const spec = new KeySpec(flags, "index", "keynum");
  spec.beginIndex = at;
  spec.firstKey = 1;
  spec.keyStep = step;
  return spec;
}

/** One key after `keyword`, which is looked for from word `startFrom` on. */
export function keyAfter(keyword: string, startFrom: number, flags: string): KeySpec {
  const spec = new KeySpec(flags, "keyword", "range");
  spec.keyword = keyword;
  spec.foldedKeyword = keyword.toLowerCase();
  spec.startFrom = startFrom;
  spec.keyStep = 1;
  return spec;
}

/**
 * Keys from the word after `keyword` to the end, or, with `limit`, through the first 1/limit of the
 * words that are left (XREAD has as many IDs behind its keys). A negative `startFrom` searches
 * backwards from that distance to the end.
 */
export function keysAfter(keyword: string, startFrom: number, flags: string, limit = 0): KeySpec {
  const spec = keyAfter(keyword, startFrom, flags);
  spec.lastKey = -1;
  spec.limit = limit;
  return spec;
}

/** Keys that cannot be found from the words alone, or only by the command's own `findKeys`. */
export function unknownKeys(flags: string): KeySpec {
  return new KeySpec(flags, "unknown", "unknown");
}

/**
 * The keys that `specs` find in a call, or null if one of them cannot be followed: unknown,
 * incomplete, or pointing outside the call. A keyword that does not occur, or has
 * nothing behind it, simply finds no keys.
 */
export function keysFromSpecs(specs: readonly KeySpec[], words: Words): KeyPosition[] | null {
  const found: KeyPosition[] = [];
  for (const spec of specs) {
    if (spec.flags.includes("not_key")) continue;
    if (spec.beginSearch === "unknown" || spec.findKeys === "unknown") return null;

    const begin = spec.beginSearch === "index"
      ? spec.beginIndex
      : indexAfterKeyword(words, spec.foldedKeyword, spec.startFrom);
    if (begin === 0) continue;

    let first = begin;
    let last: number;
    if (spec.findKeys === "keynum") {
      const count = keyCount(words, begin + spec.keyNumIndex);
      if (count < 1) return null;
      first += spec.firstKey;
      last = first + (count - 1) * spec.keyStep;
    } else if (spec.lastKey >= 0) {
      last = first + spec.lastKey;
    } else if (spec.limit <= 1) {
      last = words.count + spec.lastKey;
    } else {
      last = first + Math.trunc((words.count - first) / spec.limit) + spec.lastKey;
    }
    if (last < first || last >= words.count) return null;

    for (let i = first; i <= last; i += spec.keyStep) found.push({ index: i, flags: spec.flags });
    if (spec.flags.includes("incomplete")) return null;
  }
  return found;
}

/** The index after the keyword, or 0 if it does not occur or is the last word. */
function indexAfterKeyword(words: Words, keyword: string, from: number): number {
  if (from < 0) {
    for (let i = words.count + from; i > 1; i--) if (words.is(i, keyword)) return i + 1;
  } else {
    for (let i = from; i < words.count - 1; i++) if (words.is(i, keyword)) return i + 1;
  }
  return 0;
}

/** The number of keys that word `index` says in decimal, or 0 for anything else. */
function keyCount({ bytes, starts, lengths, count: words }: Words, index: number): number {
  if (index >= words || lengths[index] === 0 || lengths[index] > 9) return 0;
  const end = starts[index] + lengths[index];
  let count = 0;
  for (let i = starts[index]; i < end; i++) {
    if (bytes[i] < 0x30 || bytes[i] > 0x39) return 0;
    count = count * 10 + bytes[i] - 0x30;
  }
  return count;
}

// Finders for the commands whose keys, or whose use of them, depend on their options. They are
// given as `findKeys` in those definitions.

/** SET reads the old value only with GET, and compares it with IFEQ and its kin. */
export function setKeys(words: Words): KeyPosition[] | null {
  let flags: KeyFlag[] = ["OW", "update"];
  for (let i = 3; i < words.count; i++) {
    if (words.is(i, "get")) return [{ index: 1, flags: ["RW", "access", "update"] }];
    if (COMPARISONS.some((name) => words.is(i, name))) flags = ["RW", "update"];
  }
  return [{ index: 1, flags }];
}

const COMPARISONS = ["ifeq", "ifne", "ifdeq", "ifdne"];

/** DELEX looks at the value only on a condition. */
export function delexKeys(words: Words): KeyPosition[] | null {
  return [{ index: 1, flags: words.count > 2 ? ["RW", "delete"] : ["RM", "delete"] }];
}

/** BITFIELD only reads when each of its operations is a GET. */
export function bitfieldKeys(words: Words): KeyPosition[] | null {
  let i = 2;
  while (i < words.count) {
    const rest = words.count - i - 1;
    if (words.is(i, "get") && rest >= 2) i += 3;
    else if (words.is(i, "overflow") && rest >= 1) i += 2;
    else return [{ index: 1, flags: ["RW", "access", "update"] }];
  }
  return [{ index: 1, flags: ["RO", "access"] }];
}

/** SORT reads its key and writes the last STORE; what BY and GET read shows only as it runs. */
export function sortKeys(words: Words): KeyPosition[] | null {
  const found: KeyPosition[] = [{ index: 1, flags: ["RO", "access"] }];
  let i = 2;
  while (i < words.count) {
    if (words.is(i, "limit")) i += 3;
    else if (words.is(i, "get") || words.is(i, "by")) i += 2;
    else {
      // The destination is looked at as an option too: of STORE STORE x, Redis means x.
      if (words.is(i, "store") && i + 1 < words.count) {
        found[1] = { index: i + 1, flags: ["OW", "update"] };
      }
      i++;
    }
  }
  return found;
}

/** SORT_RO: as SORT, without STORE. */
export function sortReadOnlyKeys(_words: Words): KeyPosition[] | null {
  return [{ index: 1, flags: ["RO", "access"] }];
}

/** MIGRATE has its key at word 3, or an empty word there and its keys after KEYS. */
export function migrateKeys(words: Words): KeyPosition[] | null {
  const flags: KeyFlag[] = ["RW", "access", "delete"];
  let i = 6;
  while (i < words.count) {
    if (words.is(i, "keys")) {
      if (words.lengths[3] > 0) return null;
      const found: KeyPosition[] = [];
      for (let k = i + 1; k < words.count; k++) found.push({ index: k, flags });
      return found;
    }
    if (words.is(i, "auth")) i += 2;
    else if (words.is(i, "auth2")) i += 3;
    else i++;
  }
  return [{ index: 3, flags }];
}

// Finders for rights, given as `findUsedKeys`. A keyword may also be the value of another option
// (`STOREDIST STORE STORE k`, `GROUP STREAMS …`), and an option may stand twice: where a specification or Redis's
// finder then takes another word for the key than the command does, these read options as the command does.

/** SORT: its key, and what stands behind each STORE. */
export function sortUsedKeys(words: Words): KeyPosition[] | null {
  const found: KeyPosition[] = [{ index: 1, flags: ["RO", "access"] }];
  let i = 2;
  while (i < words.count) {
    if (words.is(i, "limit")) i += 3;
    else if (words.is(i, "get") || words.is(i, "by")) i += 2;
    else i = afterStored(words, i, words.is(i, "store"), found);
  }
  return found;
}

/** GEORADIUS and GEORADIUSBYMEMBER, options from word `from` on: their key, and each destination. */
export function radiusUsedKeys(from: number): KeyFinder {
  return (words) => {
    const found: KeyPosition[] = [{ index: 1, flags: ["RO", "access"] }];
    let i = from;
    while (i < words.count) {
      i = afterStored(words, i, words.is(i, "store") || words.is(i, "storedist"), found);
    }
    return found;
  };
}

/** The word behind that at `at`, and behind the destination if it names one, which is added to `found`. */
function afterStored(words: Words, at: number, isStore: boolean, found: KeyPosition[]): number {
  if (!isStore) return at + 1;
  if (at + 1 < words.count) found.push({ index: at + 1, flags: ["OW", "update"] });
  return at + 2;
}

/** XREADGROUP: the first half of what stands behind STREAMS, which may be the name of a group, too. */
export function xreadgroupUsedKeys(words: Words): KeyPosition[] | null {
  let i = 1;
  while (i < words.count && !words.is(i, "streams")) {
    i += words.is(i, "group") ? 3 : words.is(i, "noack") ? 1 : 2;
  }
  const first = i + 1;
  const count = Math.trunc((words.count - first) / 2);
  if (count < 1) return null;
  return Array.from({ length: count }, (_, k) => ({ index: first + k, flags: ["RO", "access"] }));
}
