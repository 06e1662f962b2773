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
export type KeyFinder = (words: readonly Uint8Array[]) => KeyPosition[] | null;

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
export function keysFromSpecs(
  specs: readonly KeySpec[],
  words: readonly Uint8Array[],
): KeyPosition[] | null {
  const found: KeyPosition[] = [];
  for (const spec of specs) {
    if (spec.flags.includes("not_key")) continue;
    if (spec.beginSearch === "unknown" || spec.findKeys === "unknown") return null;

    const begin = spec.beginSearch === "index"
      ? spec.beginIndex
      : indexAfterKeyword(words, spec.keyword, spec.startFrom);
    if (begin === 0) continue;

    let first = begin;
    let last: number;
    if (spec.findKeys === "keynum") {
      const count = keyCount(words[begin + spec.keyNumIndex]);
      if (count < 1) return null;
      first += spec.firstKey;
      last = first + (count - 1) * spec.keyStep;
    } else if (spec.lastKey >= 0) {
      last = first + spec.lastKey;
    } else if (spec.limit <= 1) {
      last = words.length + spec.lastKey;
    } else {
      last = first + Math.trunc((words.length - first) / spec.limit) + spec.lastKey;
    }
    if (last < first || last >= words.length) return null;

    for (let i = first; i <= last; i += spec.keyStep) found.push({ index: i, flags: spec.flags });
    if (spec.flags.includes("incomplete")) return null;
  }
  return found;
}

/** The index after the keyword, or 0 if it does not occur or is the last word. */
function indexAfterKeyword(words: readonly Uint8Array[], keyword: string, from: number): number {
  if (from < 0) {
    for (let i = words.length + from; i > 1; i--) if (isWord(words[i], keyword)) return i + 1;
  } else {
    for (let i = from; i < words.length - 1; i++) if (isWord(words[i], keyword)) return i + 1;
  }
  return 0;
}

/** A number of keys in decimal, or 0 for anything else. */
function keyCount(word: Uint8Array | undefined): number {
  if (word === undefined || word.length === 0 || word.length > 9) return 0;
  let count = 0;
  for (const byte of word) {
    if (byte < 0x30 || byte > 0x39) return 0;
    count = count * 10 + byte - 0x30;
  }
  return count;
}

/** Whether a word is `upper`, which is in upper case, in any case. */
function isWord(word: Uint8Array, upper: string): boolean {
  if (word.length !== upper.length) return false;
  for (let i = 0; i < word.length; i++) {
    const byte = word[i];
    const folded = byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
    if (folded !== upper.charCodeAt(i)) return false;
  }
  return true;
}

// Finders for the commands whose keys, or whose use of them, depend on their options. They are
// given as `findKeys` in those definitions.

/** SET reads the old value only with GET, and compares it with IFEQ and its kin. */
export function setKeys(words: readonly Uint8Array[]): KeyPosition[] | null {
  let flags: KeyFlag[] = ["OW", "update"];
  for (let i = 3; i < words.length; i++) {
    if (isWord(words[i], "GET")) return [{ index: 1, flags: ["RW", "access", "update"] }];
    if (COMPARISONS.some((name) => isWord(words[i], name))) flags = ["RW", "update"];
  }
  return [{ index: 1, flags }];
}

const COMPARISONS = ["IFEQ", "IFNE", "IFDEQ", "IFDNE"];

/** DELEX looks at the value only on a condition. */
export function delexKeys(words: readonly Uint8Array[]): KeyPosition[] | null {
  return [{ index: 1, flags: words.length > 2 ? ["RW", "delete"] : ["RM", "delete"] }];
}

/** BITFIELD only reads when each of its operations is a GET. */
export function bitfieldKeys(words: readonly Uint8Array[]): KeyPosition[] | null {
  let i = 2;
  while (i < words.length) {
    const rest = words.length - i - 1;
    if (isWord(words[i], "GET") && rest >= 2) i += 3;
    else if (isWord(words[i], "OVERFLOW") && rest >= 1) i += 2;
    else return [{ index: 1, flags: ["RW", "access", "update"] }];
  }
  return [{ index: 1, flags: ["RO", "access"] }];
}

/** SORT reads its key and writes the last STORE; what BY and GET read shows only as it runs. */
export function sortKeys(words: readonly Uint8Array[]): KeyPosition[] | null {
  const found: KeyPosition[] = [{ index: 1, flags: ["RO", "access"] }];
  let i = 2;
  while (i < words.length) {
    if (isWord(words[i], "LIMIT")) i += 3;
    else if (isWord(words[i], "GET") || isWord(words[i], "BY")) i += 2;
    else {
      // The destination is looked at as an option too: of STORE STORE x, Redis means x.
      if (isWord(words[i], "STORE") && i + 1 < words.length) {
        found[1] = { index: i + 1, flags: ["OW", "update"] };
      }
      i++;
    }
  }
  return found;
}

/** SORT_RO: as SORT, without STORE. */
export function sortReadOnlyKeys(_words: readonly Uint8Array[]): KeyPosition[] | null {
  return [{ index: 1, flags: ["RO", "access"] }];
}

/** MIGRATE has its key at word 3, or an empty word there and its keys after KEYS. */
export function migrateKeys(words: readonly Uint8Array[]): KeyPosition[] | null {
  const flags: KeyFlag[] = ["RW", "access", "delete"];
  let i = 6;
  while (i < words.length) {
    if (isWord(words[i], "KEYS")) {
      if (words[3].length > 0) return null;
      const found: KeyPosition[] = [];
      for (let k = i + 1; k < words.length; k++) found.push({ index: k, flags });
      return found;
    }
    if (isWord(words[i], "AUTH")) i += 2;
    else if (isWord(words[i], "AUTH2")) i += 3;
    else i++;
  }
  return [{ index: 3, flags }];
}
