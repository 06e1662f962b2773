/** SORT and SORT_RO: the elements of a list, set or sorted set in order, or what they point at. */

import { TYPE_LIST, TYPE_SET, TYPE_ZSET } from "../../arena/record.ts";
import { mayReadAllKeys } from "../../dispatch/access_check.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import {
  noted,
  oneKey,
  sortKeys,
  sortReadOnlyKeys,
  sortUsedKeys,
  unknownKeys,
} from "../../dispatch/key_specs.ts";
import { ReplyError, SYNTAX_ERROR, WRONG_TYPE } from "../../resp/reply_error.ts";
import type { Words } from "../../resp/words.ts";
import { countElements, readElements } from "./sort/elements.ts";
import { Pattern } from "./sort/pattern.ts";
import { ResultWriter } from "./sort/results.ts";
import { sortByNumber, sortByText } from "./sort/order.ts";
import { StoredResults } from "./sort/store.ts";

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
  findUsedKeys: sortUsedKeys,
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
      options.by = patternAt(words, ++i);
      if (!options.by.hasStar) options.keepsOrder = true; // for good, whatever follows
      else checkAllKeys(call, "BY");
    } else if (words.is(i, "get") && left >= 1) {
      checkAllKeys(call, "GET");
      options.gets.push(patternAt(words, ++i));
    } else throw new ReplyError(SYNTAX_ERROR);
  }
  return options;
}

/** What a pattern reads are keys that no word names: who may not read all has no use of it. */
function checkAllKeys({ client, command, words }: Call, option: string): void {
  if (mayReadAllKeys(client.user, command, words)) return;
  throw new ReplyError(`ERR ${option} option of SORT denied due to insufficient ACL permissions.`);
}

function patternAt({ bytes, starts, lengths }: Words, index: number): Pattern {
  return new Pattern(bytes, starts[index], lengths[index]);
}

function sortElements(call: Call, options: SortOptions): void {
  const { database, words, reply } = call;
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  const type = ref === 0 ? TYPE_LIST : database.typeOf(ref);
  if (type !== TYPE_LIST && type !== TYPE_SET && type !== TYPE_ZSET) return reply.error(WRONG_TYPE);
  // What is stored, or what a script may go by, must be the same everywhere; the order of a set is not.
  const isForScript = call.client.caller !== null;
  if (options.keepsOrder && type === TYPE_SET && (options.storeWord !== 0 || isForScript)) {
    options.keepsOrder = false;
    options.isAlpha = true;
    options.by = null;
  }
  const count = ref === 0 ? 0 : countElements(database, ref);
  const from = Math.min(Math.max(0, options.offset), count);
  const to = options.count < 0 ? count : Math.min(from + options.count, count);
  const { by, isDescending, gets, storeWord } = options;
  const stored = storeWord === 0 ? null : new StoredResults(database);
  const results = new ResultWriter(database, gets, stored ?? reply);
  // Taken back if it turns out that the elements cannot be sorted.
  if (stored === null) reply.array((to - from) * Math.max(1, gets.length));
  if (options.keepsOrder) readElements(database, ref, from, to, isDescending, results);
  else {
    const { memory } = call.server;
    const endsAtNul = storeWord === 0;
    const task = { database, memory, ref, count, from, to, by, isDescending, endsAtNul };
    if (options.isAlpha) sortByText(task, results);
    else sortByNumber(task, results);
  }
  stored?.store(call, storeWord);
}
