/** SORT and SORT_RO: the elements of a list, set or sorted set in order, or what they point at. */

import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STRING, TYPE_ZSET } from "../../arena/record.ts";
import { compareBytes, toLatin1 } from "../../base/bytes.ts";
import { parseDouble } from "../../base/doubles.ts";
import { parseInteger } from "../../base/integers.ts";
import type { Call } from "../../dispatch/call.ts";
import type { Database } from "../../keyspace/database.ts";
import { EVENT_GENERIC, EVENT_LIST } from "../../base/event_classes.ts";
import { hashView } from "../../keyspace/hash.ts";
import { listView } from "../../keyspace/list.ts";
import { setView } from "../../keyspace/set.ts";
import { sortedSetView } from "../../keyspace/sorted_set.ts";
import { ReplyError, SYNTAX_ERROR, WRONG_TYPE } from "../../resp/reply_error.ts";
import { lpEntryCopyText, lpEntryTextLength } from "../../values/listpack.ts";
import { defineCommand } from "../../dispatch/command.ts";
import {
  noted,
  oneKey,
  sortKeys,
  sortReadOnlyKeys,
  unknownKeys,
} from "../../dispatch/key_specs.ts";

const NOT_A_SCORE = "ERR One or more scores can't be converted into double";

/** What `BY` and `GET` read. */
const KEYS_OF_PATTERNS = noted(
  "`BY` and `GET` make names of keys from the elements.",
  unknownKeys("RO access"),
);

/**
 * `SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE destination]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/sort/}
 */
export const sort = defineCommand({
  name: "sort",
  group: "generic",
  since: "1.0.0",
  summary: "Answers with the elements of a list, set or sorted set in order, or stores them",
  complexity: "O(N*log(N)+M) where N is the number of elements and M the number of those answered",
  arity: -2,
  flags: ["write", "denyoom"],
  acl: ["set", "sortedset", "list", "dangerous"],
  keys: [
    oneKey("RO access"),
    KEYS_OF_PATTERNS,
    noted("`STORE` may stand anywhere among the options.", unknownKeys("OW update")),
  ],
  findKeys: sortKeys,
  args: `
    key
    [BY pattern#1]
    [LIMIT offset_count:(offset:integer count:integer)]
    [GET... pattern#1]
    [order:(ASC | DESC)]
    [sorting:ALPHA]
    [STORE destination:key#2]
  `,
  run: runSort,
});

/**
 * `SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/sort_ro/}
 */
export const sortRo = defineCommand({
  name: "sort_ro",
  group: "generic",
  since: "7.0.0",
  summary: "Answers with the elements of a list, set or sorted set in order",
  complexity: "O(N*log(N)+M) where N is the number of elements and M the number of those answered",
  arity: -2,
  flags: ["readonly"],
  acl: ["set", "sortedset", "list", "dangerous"],
  keys: [oneKey("RO access"), KEYS_OF_PATTERNS],
  findKeys: sortReadOnlyKeys,
  args: `
    key
    [BY pattern#1]
    [LIMIT offset_count:(offset:integer count:integer)]
    [GET... pattern#1]
    [order:(ASC | DESC)]
    [sorting:ALPHA]
  `,
  run: runSortRo,
});

function runSort(call: Call): void {
  sortElements(call, readOptions(call, true));
}

function runSortRo(call: Call): void {
  sortElements(call, readOptions(call, false));
}

interface SortOptions {
  /** Pattern of BY; null to compare the elements themselves. */
  by: Pattern | null;
  /** BY names no key of its own: the elements stay in the order they are in. */
  keepsOrder: boolean;
  isDescending: boolean;
  isAlpha: boolean;
  offset: number;
  /** Elements wanted, negative for all. */
  count: number;
  gets: Pattern[];
  /** Word of the destination, 0 for none. */
  storeWord: number;
}

function readOptions(call: Call, mayStore: boolean): SortOptions {
  const { words } = call;
  const options: SortOptions = {
    by: null,
    keepsOrder: false,
    isDescending: false,
    isAlpha: false,
    offset: 0,
    count: -1,
    gets: [],
    storeWord: 0,
  };
  for (let i = 2; i < words.count; i++) {
    const left = words.count - i - 1;
    if (words.is(i, "asc")) options.isDescending = false;
    else if (words.is(i, "desc")) options.isDescending = true;
    else if (words.is(i, "alpha")) options.isAlpha = true;
    else if (words.is(i, "limit") && left >= 2) {
      options.offset = call.clampedInteger(++i);
      options.count = call.clampedInteger(++i);
    } else if (mayStore && words.is(i, "store") && left >= 1) options.storeWord = ++i;
    else if (words.is(i, "by") && left >= 1) {
      options.by = new Pattern(words.copy(++i));
      if (!options.by.hasStar) options.keepsOrder = true; // for good, whatever follows
    } else if (words.is(i, "get") && left >= 1) options.gets.push(new Pattern(words.copy(++i)));
    else throw new ReplyError(SYNTAX_ERROR);
  }
  return options;
}

const STAR = 0x2a;

/** A pattern of BY or GET: `weight_*`, `object_*->field`, or `#` for the element itself. */
class Pattern {
  readonly isElement: boolean;
  readonly hasStar: boolean;
  readonly #before: Uint8Array;
  readonly #after: Uint8Array;
  /** Field of a hash; null to read a string. */
  readonly #field: Uint8Array | null;

  constructor(text: Uint8Array) {
    this.isElement = text.length === 1 && text[0] === 0x23;
    const star = text.indexOf(STAR);
    this.hasStar = star >= 0;
    this.#before = text.subarray(0, star);
    // An arrow counts behind the star only, and when a field follows it.
    let arrow = star + 1;
    while (arrow < text.length && !(text[arrow] === 0x2d && text[arrow + 1] === 0x3e)) arrow++;
    if (arrow + 2 < text.length) {
      this.#after = text.subarray(star + 1, arrow);
      this.#field = text.subarray(arrow + 2);
    } else {
      this.#after = text.subarray(star + 1);
      this.#field = null;
    }
  }

  /** What the pattern points at for an element: a copy of its bytes, or null. */
  read(database: Database, element: Uint8Array): Uint8Array | null {
    if (this.isElement) return element;
    if (!this.hasStar) return null;
    const before = this.#before.length;
    const key = new Uint8Array(before + element.length + this.#after.length);
    key.set(this.#before);
    key.set(element, before);
    key.set(this.#after, before + element.length);
    const ref = database.lookupRead(key, 0, key.length);
    if (ref === 0) return null;
    const field = this.#field;
    if (field === null) {
      if (database.typeOf(ref) !== TYPE_STRING) return null;
      const bytes = database.locateString(ref);
      const offset = database.stringOffset;
      return bytes.slice(offset, offset + database.stringLength);
    }
    if (database.typeOf(ref) !== TYPE_HASH) return null;
    hashView.open(database, ref);
    if (!hashView.find(field, 0, field.length)) return null;
    const { bytes, offset, length } = hashView.value;
    return bytes.slice(offset, offset + length);
  }
}

/** An element with what it is compared by. */
interface Entry {
  readonly element: Uint8Array;
  score: number;
  /** ALPHA: the text compared, null when BY leads nowhere. */
  text: Uint8Array | null;
}

function sortElements(call: Call, options: SortOptions): void {
  const { database, words, reply } = call;
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  if (ref !== 0) {
    const type = database.typeOf(ref);
    if (type !== TYPE_LIST && type !== TYPE_SET && type !== TYPE_ZSET) {
      return reply.error(WRONG_TYPE);
    }
    // What is stored must be the same everywhere, and the order of a set is not.
    if (options.keepsOrder && type === TYPE_SET && options.storeWord !== 0) {
      options.keepsOrder = false;
      options.isAlpha = true;
      options.by = null;
    }
  }
  const elements = ref === 0 ? [] : elementsOf(database, ref);
  const isReversed = options.keepsOrder && options.isDescending &&
    ref !== 0 && database.typeOf(ref) !== TYPE_SET;
  if (isReversed) elements.reverse();
  const sorted = options.keepsOrder ? elements : inOrder(database, elements, options);
  if (sorted === null) return reply.error(NOT_A_SCORE);
  const from = Math.max(0, options.offset);
  const chosen = sorted.slice(from, options.count < 0 ? undefined : from + options.count);

  const { gets } = options;
  const results: (Uint8Array | null)[] = gets.length === 0 ? chosen : [];
  if (gets.length > 0) {
    for (const element of chosen) {
      for (const get of gets) results.push(get.read(database, element));
    }
  }
  if (options.storeWord !== 0) return storeList(call, options.storeWord, results);
  reply.array(results.length);
  for (const result of results) {
    if (result === null) reply.null();
    else reply.bulk(result);
  }
}

/** Copies of all elements: of a list and a sorted set in their order. */
function elementsOf(database: Database, ref: number): Uint8Array[] {
  const elements: Uint8Array[] = [];
  switch (database.typeOf(ref)) {
    case TYPE_LIST: {
      const list = listView.open(database, ref);
      for (let more = list.seek(0); more; more = list.step(false)) {
        list.read();
        const element = new Uint8Array(lpEntryTextLength());
        lpEntryCopyText(element, 0);
        elements.push(element);
      }
      break;
    }
    case TYPE_SET:
      setView.open(database, ref);
      setView.forEach((bytes, offset, length) => {
        elements.push(bytes.slice(offset, offset + length));
      });
      break;
    case TYPE_ZSET: {
      const set = sortedSetView.open(database, ref);
      for (let more = set.first(); more; more = set.next()) {
        elements.push(set.bytes.slice(set.offset, set.offset + set.length));
      }
    }
  }
  return elements;
}

/** The elements in the order that is asked for; null when one has no number to compare by. */
function inOrder(
  database: Database,
  elements: Uint8Array[],
  options: SortOptions,
): Uint8Array[] | null {
  const { by, isAlpha } = options;
  const entries: Entry[] = [];
  for (const element of elements) {
    const text = by === null ? element : by.read(database, element);
    const entry: Entry = { element, score: 0, text };
    if (!isAlpha && text !== null) {
      entry.score = scoreOf(text);
      if (entry.score !== entry.score) return null;
    }
    entries.push(entry);
  }
  const sign = options.isDescending ? -1 : 1;
  if (isAlpha) entries.sort((a, b) => sign * compareTexts(a.text, b.text));
  else entries.sort((a, b) => sign * (compareScores(a, b) || compareElements(a, b)));
  return entries.map((entry) => entry.element);
}

/** What C's strtod makes of the text, NaN where it is no number or passes the range of doubles. */
function scoreOf(bytes: Uint8Array): number {
  const small = parseInteger(bytes, 0, bytes.length);
  if (small === small) return small;
  const text = toLatin1(bytes).replace(/^[ \t\n\v\f\r]+/, "");
  if (text === "") return 0;
  const score = parseDouble(text);
  return Math.abs(score) === Infinity && !/inf/i.test(text) ? NaN : score;
}

function compareScores(a: Entry, b: Entry): number {
  return a.score < b.score ? -1 : a.score > b.score ? 1 : 0;
}

function compareElements(a: Entry, b: Entry): number {
  return compareBytes(a.element, 0, a.element.length, b.element, 0, b.element.length);
}

/** Texts in the order of their bytes, those that are missing first. */
function compareTexts(a: Uint8Array | null, b: Uint8Array | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

const NOTHING = new Uint8Array(0);

/** Makes the destination a list of the results; what is missing becomes an empty string. */
function storeList(call: Call, word: number, results: (Uint8Array | null)[]): void {
  const { database, words, reply } = call;
  const { bytes } = words;
  const keyAt = words.starts[word];
  const keyLength = words.lengths[word];
  reply.integer(results.length);
  const old = database.lookupWrite(bytes, keyAt, keyLength);
  if (results.length === 0) {
    if (old !== 0) {
      database.removeRecord(old, bytes, keyAt, keyLength, EVENT_GENERIC, "del");
    }
    return;
  }
  if (old !== 0) database.removeRecord(old, bytes, keyAt, keyLength, 0, "", 0);
  let size = 0;
  for (const result of results) size += result === null ? 0 : result.length;
  const list = listView.create(database, bytes, keyAt, keyLength, size, results.length);
  for (const result of results) {
    const element = result ?? NOTHING;
    list.push(element, 0, element.length, false);
  }
  list.settle(false);
  database.changed(bytes, keyAt, keyLength, EVENT_LIST, "sortstore", results.length);
}
