/**
 * SORT's work: brings the elements of a value into order and hands on those that are wanted.
 *
 * Nothing here makes an object per element. Elements that are all integers are sorted as numbers, of
 * which their text is made again. All others are copied into `Texts`, and their indexes are sorted by
 * keys of 64 bits. Whatever there is no memory for is a RangeError, which becomes an error reply.
 */

import { KeyedItems } from "../../../base/keyed_items.ts";
import { parseInteger } from "../../../base/integers.ts";
import type { Database } from "../../../keyspace/database.ts";
import type { ElementSink } from "../../../keyspace/list.ts";
import type { MemoryGuard } from "../../../observe/memory_guard.ts";
import { ReplyError } from "../../../resp/reply_error.ts";
import { ElementText } from "../../../values/element_text.ts";
import { parseScore } from "../../../values/score.ts";
import { readElements } from "./elements.ts";
import type { Pattern } from "./pattern.ts";
import { TextOrder } from "./text_order.ts";
import { sortPartially } from "./partial_order.ts";
import { NO_TEXT, Texts } from "./texts.ts";

const NOT_A_NUMBER = "ERR One or more scores can't be converted into double";

/** What is to be sorted, and which part of the outcome is wanted. */
export interface SortTask {
  readonly database: Database;
  readonly memory: MemoryGuard;
  /** The record of the list, set or sorted set; 0 when there is none. */
  readonly ref: number;
  /** Number of its elements. */
  readonly count: number;
  /** The positions wanted, in the order of the outcome: from `from` to before `to`. */
  readonly from: number;
  readonly to: number;
  /** Where what is compared is found; null to compare the elements themselves. */
  readonly by: Pattern | null;
  readonly isDescending: boolean;
  /** Whether texts end at a NUL byte, as those of C do: what BY finds, unless the outcome is stored. */
  readonly endsAtNul: boolean;
}

/** Below it a double has fewer digits: strtod says that the text is out of range. */
const SMALLEST_NORMAL = 2 ** -1022;

/** What an element takes without its text: see `KeyedItems`, and two references. */
const BYTES_PER_ELEMENT = 32;

const texts = new Texts();

/** So many elements are few: their arrays are kept for the next SORT, of which there is one at a time. */
const FEW = 128;
const few = {
  keyed: new KeyedItems(FEW),
  textOf: new Uint32Array(FEW),
  comparedOf: new Uint32Array(FEW),
  integers: new Float64Array(FEW),
};

/** By number, and where those are the same by the bytes of the elements. @throws ReplyError */
export function sortByNumber(task: SortTask, results: ElementSink): void {
  if (task.count === 0) return;
  if (task.by === null && sortIntegers(task, results)) return;
  task.memory.demand(task.count * BYTES_PER_ELEMENT);
  withTexts(task, () => {
    const elements = new NumberedElements(task);
    readAll(task, elements);
    const { keyed, textOf } = elements;
    keyed.sort(0, task.count);
    orderTies(task, keyed, new TextOrder(texts, textOf, keyed, task.isDescending, task));
    handOn(task, keyed, textOf, results);
  });
}

/**
 * By the bytes of texts. Elements whose text is the same, or missing, stay as they are, unless BY and a
 * part of the outcome are asked for: see `partial_order.ts`.
 */
export function sortByText(task: SortTask, results: ElementSink): void {
  if (task.count === 0) return;
  task.memory.demand(task.count * BYTES_PER_ELEMENT);
  withTexts(task, () => {
    const elements = new TextElements(task);
    readAll(task, elements);
    const { keyed, textOf, comparedOf } = elements;
    new TextOrder(texts, comparedOf, keyed, task.isDescending, task).sort(0, task.count);
    const isPartial = task.from > 0 || task.to < task.count;
    if (task.by !== null && isPartial && hasTies(task, keyed, comparedOf)) {
      orderPartially(task, keyed, comparedOf);
    }
    handOn(task, keyed, textOf, results);
  });
}

/** Whether one of the wanted positions has the text of another position, once they are in order. */
function hasTies({ count, from, to }: SortTask, { items }: KeyedItems, textOf: Uint32Array) {
  for (let i = Math.max(1, from); i <= to && i < count; i++) {
    if (texts.areSame(textOf[items[i - 1]], textOf[items[i]])) return true;
  }
  return false;
}

/** Puts ties into Redis's order for a part of the outcome. */
function orderPartially(task: SortTask, keyed: KeyedItems, comparedOf: Uint32Array): void {
  const { count, from, to, isDescending } = task;
  task.memory.demand(count * Uint32Array.BYTES_PER_ELEMENT);
  // So far only what is wanted has been brought into order.
  new TextOrder(texts, comparedOf, keyed, isDescending, { from: 0, to: count }).sort(0, count);
  const { items } = keyed;
  const ranks = new Uint32Array(count);
  let rank = 0;
  for (let i = 1; i < count; i++) {
    if (!texts.areSame(comparedOf[items[i - 1]], comparedOf[items[i]])) rank++;
    ranks[items[i]] = rank;
  }
  for (let i = 0; i < count; i++) items[i] = i;
  sortPartially(ranks, items, from, to);
}

function withTexts({ memory }: SortTask, work: () => void): void {
  texts.begin(memory);
  try {
    work();
  } finally {
    texts.clear();
  }
}

function readAll({ database, ref, count }: SortTask, sink: ElementSink): void {
  readElements(database, ref, 0, count, false, sink);
}

/** Brings elements of the same number, where they are wanted, into the order of their bytes. */
function orderTies(task: SortTask, keyed: KeyedItems, order: TextOrder): void {
  for (let start = 0; start < task.to;) {
    let end = start + 1;
    while (end < task.count && keyed.hasSameKey(start, end)) end++;
    if (end - start > 1 && end > task.from) order.sort(start, end);
    start = end;
  }
}

function handOn(
  { from, to }: SortTask,
  { items }: KeyedItems,
  textOf: Uint32Array,
  results: ElementSink,
): void {
  for (let i = from; i < to; i++) {
    const text = textOf[items[i]];
    results.bulk(texts.bytesOf(text), texts.offsetOf(text), texts.lengthOf(text));
  }
}

/** Elements by number when all are integers whose text follows from the number; else false. */
function sortIntegers(task: SortTask, results: ElementSink): boolean {
  const { count, from, to, isDescending } = task;
  task.memory.demand(count * Float64Array.BYTES_PER_ELEMENT);
  const integers = new Integers(count);
  readAll(task, integers);
  if (!integers.isAll) return false;
  const { values } = integers;
  if (count <= FEW) sortFew(values, count);
  else values.sort();
  if (isDescending) {
    for (let i = count - 1 - from, end = count - 1 - to; i > end; i--) {
      results.bulkInteger(values[i]);
    }
  } else {
    for (let i = from; i < to; i++) results.bulkInteger(values[i]);
  }
  return true;
}

/** Sorts the first `count` numbers. */
function sortFew(values: Float64Array, count: number): void {
  for (let i = 1; i < count; i++) {
    const value = values[i];
    let at = i;
    for (; at > 0 && values[at - 1] > value; at--) values[at] = values[at - 1];
    values[at] = value;
  }
}

/** Takes elements as numbers. */
class Integers implements ElementSink {
  readonly values: Float64Array;
  /** Whether all elements so far have been integers that a double holds exactly, in their usual form. */
  isAll = true;
  #count = 0;

  constructor(count: number) {
    this.values = count <= FEW ? few.integers : new Float64Array(count);
  }

  bulk(bytes: Uint8Array, offset: number, length: number): void {
    this.bulkInteger(this.isAll ? parseInteger(bytes, offset, length) : NaN);
  }

  bulkInteger(n: number): void {
    if (n === n) this.values[this.#count++] = n;
    else this.isAll = false;
  }

  bulkBigInt(): void {
    this.isAll = false;
  }
}

const integerText = new ElementText();

/** Takes elements that come as numbers as their text. */
abstract class TextSink implements ElementSink {
  abstract bulk(bytes: Uint8Array, offset: number, length: number): void;

  bulkInteger(n: number): void {
    this.bulkBigInt(n);
  }

  bulkBigInt(n: number | bigint): void {
    integerText.setInteger(n);
    this.bulk(integerText.bytes, integerText.offset, integerText.length);
  }
}

/** Copies of elements, each with a number that makes its key. */
class NumberedElements extends TextSink {
  readonly textOf: Uint32Array;
  readonly keyed: KeyedItems;
  #count = 0;

  constructor(readonly task: SortTask) {
    super();
    const { count } = task;
    this.textOf = count <= FEW ? few.textOf : new Uint32Array(count);
    this.keyed = count <= FEW ? few.keyed : new KeyedItems(count);
  }

  bulk(bytes: Uint8Array, offset: number, length: number): void {
    const { by, database, isDescending } = this.task;
    let number = 0; // of an element that BY finds nothing for
    if (by === null) number = numberOf(bytes, offset, length);
    else if (by.find(database, bytes, offset, length)) {
      number = numberOf(by.bytes, by.offset, by.length);
    }
    if (number !== number) throw new ReplyError(NOT_A_NUMBER);
    const index = this.#count++;
    this.textOf[index] = texts.add(bytes, offset, length);
    this.keyed.items[index] = index;
    setNumberKey(this.keyed, index, number, isDescending);
  }
}

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

/** Sets a key that orders as the number does; -0 counts as 0. */
function setNumberKey(keyed: KeyedItems, at: number, number: number, isDescending: boolean): void {
  double[0] = number + 0;
  const high = halves[1];
  const isNegative = high >>> 31 === 1;
  // Of a negative number all bits are turned, of any other the sign; of a descending order all once more.
  const flip = isNegative !== isDescending ? -1 : 0;
  keyed.setKey(at, halves[0] ^ flip, high ^ flip ^ (isNegative ? 0 : 0x80000000));
}

/** Copies of elements, and of the texts that they are compared by. */
class TextElements extends TextSink {
  readonly textOf: Uint32Array;
  /** Of each index the text compared, NO_TEXT where BY finds none. */
  readonly comparedOf: Uint32Array;
  readonly keyed: KeyedItems;
  #count = 0;

  constructor(readonly task: SortTask) {
    super();
    const { count } = task;
    this.textOf = count <= FEW ? few.textOf : new Uint32Array(count);
    if (task.by === null) this.comparedOf = this.textOf;
    else this.comparedOf = count <= FEW ? few.comparedOf : new Uint32Array(count);
    this.keyed = count <= FEW ? few.keyed : new KeyedItems(count);
  }

  bulk(bytes: Uint8Array, offset: number, length: number): void {
    const { by, database, endsAtNul } = this.task;
    const index = this.#count++;
    this.keyed.items[index] = index;
    this.textOf[index] = texts.add(bytes, offset, length);
    if (by === null) return;
    this.comparedOf[index] = by.find(database, bytes, offset, length)
      ? texts.add(by.bytes, by.offset, endsAtNul ? lengthToNul(by) : by.length)
      : NO_TEXT;
  }
}

/** Bytes of what a pattern has found, up to the first NUL byte if there is one. */
function lengthToNul({ bytes, offset, length }: Pattern): number {
  for (let i = 0; i < length; i++) if (bytes[offset + i] === 0) return i;
  return length;
}

/**
 * What C's strtod makes of a text, up to the first NUL byte if there is one. NaN where it is no number
 * or passes the range of doubles, also towards 0.
 */
function numberOf(bytes: Uint8Array, offset: number, length: number): number {
  const small = parseInteger(bytes, offset, length);
  return small === small ? small : unusualNumberOf(bytes, offset, length);
}

function unusualNumberOf(bytes: Uint8Array, offset: number, length: number): number {
  let end = offset;
  while (end < offset + length && bytes[end] !== 0) end++;
  if (end === offset) return 0;
  let start = offset;
  while (start < end && isSpace(bytes[start])) start++;
  const number = parseScore(bytes, start, end - start);
  return Math.abs(number) < SMALLEST_NORMAL && number !== 0 ? NaN : number;
}

/** As C's isspace says. */
function isSpace(c: number): boolean {
  return c === 0x20 || (c >= 0x09 && c <= 0x0d);
}
