/**
 * A node of a stream: entries in one listpack, as Redis lays them out, so that a snapshot copies it.
 *
 *     master entry   live | deleted | fields n | field 1 ... field n | 0
 *     entry          flags | ms | seq | fields n | field 1 | value 1 ... | elements of this entry
 *     with the fields of the master entry
 *                    flags | ms | seq | value 1 ... value n | elements of this entry
 *
 * `live` and `deleted` count the entries behind them; ms and seq are what an entry's id has more than
 * the node's. An entry that was deleted stays as a tombstone with a flag. The number at the end of
 * each lets one walk back.
 *
 * Pure. Listpacks that somebody else wrote go through `isStreamListpack` first.
 */

import { copyBytes, equalBytes } from "../../base/bytes.ts";
import {
  ListpackAppender,
  lpBefore,
  lpBytes,
  lpEnd,
  lpEntry,
  lpFirstAt,
  lpGet,
  lpNew,
  lpReplaceInteger,
  lpSize,
  lpValidate,
} from "../listpack.ts";
import { StreamId } from "./stream_id.ts";
import type { StreamShelf } from "./stream_memory.ts";

/** Flag of an entry: it is a tombstone. */
export const ENTRY_DELETED = 1;
/** Flag of an entry: its fields are those of the master entry. */
export const ENTRY_SAME_FIELDS = 2;

/** Most bytes that an element of a listpack takes beside its text. */
const ELEMENT_OVERHEAD_MAX = 10;
/** Elements of an entry beside fields and values, and of the master entry. */
const FIXED_ELEMENTS = 9;
/** The first buffer of a node has at least so many bytes. */
const FIRST_BYTES_MIN = 64;
/** The greatest integer of a listpack that is its own encoding. */
const SHORT_INTEGER_MAX = 127;
/**
 * Bytes that a node keeps free: the two counts of its master entry may grow when an entry is deleted, for
 * which no memory is asked then.
 */
const SPARE_BYTES = 8;
/** Approximate bytes of a node and its id beside the listpack, and of a buffer of its own. */
const NODE_BYTES = 170;
export const OWN_BUFFER_BYTES = 100;

export class StreamNode {
  /** The listpack lies in `bytes[base..base + capacity)`. */
  bytes: Uint8Array;
  base = 0;
  capacity: number;
  /** Whether other streams have it, too: it does not change any more. */
  isShared = false;
  /** The shelf that `bytes` is, and its place among the nodes there; null when that is a buffer of its own. */
  shelf: StreamShelf | null = null;
  place = 0;

  /** `generation` is the stream's, when the node was made or copied for a change. */
  constructor(readonly id: StreamId, bytes: Uint8Array, readonly generation: number) {
    this.bytes = bytes;
    this.capacity = bytes.length;
  }

  /** A node of these bytes, which are not its own: somebody has to give it a place. */
  static of(
    id: StreamId,
    bytes: Uint8Array,
    off: number,
    size: number,
    generation: number,
  ): StreamNode {
    const node = new StreamNode(id, bytes, generation);
    node.base = off;
    node.capacity = size;
    return node;
  }

  /** Bytes of the listpack. */
  get size(): number {
    return lpBytes(this.bytes, this.base);
  }

  /** Bytes that it needs: of the listpack, and those that are kept free. */
  get neededBytes(): number {
    return this.size + SPARE_BYTES;
  }

  /** Estimate of all that it takes. */
  get memoryBytes(): number {
    return this.capacity + NODE_BYTES + (this.shelf === null ? OWN_BUFFER_BYTES : 0);
  }

  /** Entries that are not deleted. */
  get live(): number {
    return integerAt(this.bytes, lpFirstAt(this.base));
  }

  /** Tombstones. */
  get deleted(): number {
    const live = lpFirstAt(this.base);
    return integerAt(this.bytes, live + lpSize(this.bytes, live));
  }

  /** Where the number of fields of the master entry lies. */
  get masterCountAt(): number {
    const live = lpFirstAt(this.base);
    const deleted = live + lpSize(this.bytes, live);
    return deleted + lpSize(this.bytes, deleted);
  }

  /** Sets the counts of the master entry. What lies behind them may move. */
  setCounts(live: number, deleted: number): void {
    const { bytes, base, capacity } = this;
    const at = lpFirstAt(base);
    lpReplaceInteger(bytes, base, capacity, at, live);
    lpReplaceInteger(bytes, base, capacity, at + lpSize(bytes, at), deleted);
  }

  /** Counts an entry that is to be added. */
  countLive(): void {
    const { bytes } = this;
    const at = lpFirstAt(this.base);
    if (bytes[at] < SHORT_INTEGER_MAX) bytes[at]++;
    else this.setCounts(this.live + 1, this.deleted);
  }

  /** Makes the entry at `at` a tombstone; the counts are the caller's to set. What is behind it may move. */
  markDeleted(at: number): void {
    const { bytes, base, capacity } = this;
    lpReplaceInteger(bytes, base, capacity, at, integerAt(bytes, at) | ENTRY_DELETED);
  }

  /** Makes room for so many bytes more: where that is not there, in a buffer of its own. */
  makeRoom(more: number): void {
    const needed = this.neededBytes + more;
    if (needed > this.capacity) this.moveTo(Math.max(needed, this.capacity * 2));
  }

  /** Gives back the room that is not used. */
  shrink(): void {
    if (this.capacity > this.neededBytes) this.moveTo(this.neededBytes);
  }

  /** Moves to a buffer of its own. What it had on a shelf is for `StreamMemory` to know. @throws RangeError */
  moveTo(capacity: number): void {
    const bytes = new Uint8Array(capacity);
    copyBytes(bytes, 0, this.bytes, this.base, this.size);
    this.bytes = bytes;
    this.base = 0;
    this.capacity = bytes.length;
  }

  /** The same node, of the same size in memory, to be changed while somebody reads this one. */
  clone(generation: number): StreamNode {
    const { bytes, base, capacity } = this;
    return new StreamNode(this.id, bytes.slice(base, base + capacity), generation);
  }
}

/** The integer at `pos`, which must be a safe one. */
export function integerAt(bytes: Uint8Array, pos: number): number {
  const head = bytes[pos];
  if (head < 0x80) return head;
  lpGet(bytes, pos);
  return lpEntry.int;
}

/** The integer at `pos`, whatever its size. */
function anyIntegerAt(bytes: Uint8Array, pos: number): number | bigint {
  const head = bytes[pos];
  if (head < 0x80) return head;
  lpGet(bytes, pos);
  return lpEntry.big ?? lpEntry.int;
}

/** Bytes of the integer at `pos`, mostly one of two. */
function integerBytes(bytes: Uint8Array, pos: number): number {
  return bytes[pos] < 0x80 ? 2 : lpSize(bytes, pos);
}

/** Fields and values of an entry that is to be added: words of a request. */
export interface EntryWords {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
}

/** Bytes of all fields and values, `count` pairs from word `first` on. */
export function entryBytes({ lengths }: EntryWords, first: number, count: number): number {
  let sum = 0;
  for (let i = first; i < first + 2 * count; i++) sum += lengths[i];
  return sum;
}

/**
 * A node with one entry, whose fields are the master entry's, and room for `capacity` bytes: a node before it says
 * how much that comes to. In the buffer `spare`, which nobody reads any more, if that is about as large.
 */
export function nodeWith(
  id: StreamId,
  words: EntryWords,
  first: number,
  count: number,
  generation: number,
  capacity: number,
  spare: Uint8Array | null,
): StreamNode {
  // The fields are there once, in the master entry.
  const needed = entryBytes(words, first, count) +
    (2 * count + FIXED_ELEMENTS) * ELEMENT_OVERHEAD_MAX;
  const room = Math.max(FIRST_BYTES_MIN, capacity, needed + SPARE_BYTES);
  const isRight = spare !== null && spare.length >= room && spare.length <= room * 2;
  const bytes = isRight ? spare : new Uint8Array(room);
  lpNew(bytes, 0);
  appender.open(bytes, 0);
  appender.integer(1);
  appender.integer(0);
  appender.integer(count);
  for (let i = first; i < first + 2 * count; i += 2) {
    appender.text(words.bytes, words.starts[i], words.lengths[i]);
  }
  appender.integer(0);
  appender.close();
  const node = new StreamNode(id.clone(), bytes, generation);
  appendEntry(node, id, words, first, count, true);
  return node;
}

/** Adds an entry behind the others; its id must be above theirs. */
export function addToNode(
  node: StreamNode,
  id: StreamId,
  words: EntryWords,
  first: number,
  count: number,
): void {
  node.makeRoom(
    entryBytes(words, first, count) + (2 * count + FIXED_ELEMENTS) * ELEMENT_OVERHEAD_MAX,
  );
  node.countLive();
  appendEntry(node, id, words, first, count, hasMasterFields(node, words, first, count));
}

/** Whether the fields of an entry are those of the master entry, in the same order. */
function hasMasterFields(
  node: StreamNode,
  words: EntryWords,
  first: number,
  count: number,
): boolean {
  const { bytes } = node;
  let at = node.masterCountAt;
  if (integerAt(bytes, at) !== count) return false;
  at += lpSize(bytes, at);
  for (let i = first; i < first + 2 * count; i += 2) {
    if (!isText(bytes, at, words.bytes, words.starts[i], words.lengths[i])) return false;
    at += lpSize(bytes, at);
  }
  return true;
}

/** The head of a text of less than 64 bytes in a listpack, with its length added. */
const SHORT_TEXT = 0x80;
const digits = new Uint8Array(24);
const appender = new ListpackAppender();

function isText(
  bytes: Uint8Array,
  at: number,
  text: Uint8Array,
  off: number,
  length: number,
): boolean {
  const head = bytes[at];
  if (head >= SHORT_TEXT && head < SHORT_TEXT + 64) {
    return head - SHORT_TEXT === length && equalBytes(bytes, at + 1, length, text, off, length);
  }
  lpGet(bytes, at);
  if (!lpEntry.isInt) return equalBytes(bytes, lpEntry.off, lpEntry.len, text, off, length);
  if (length > digits.length) return false;
  return equalBytes(digits, 0, entryText(), text, off, length);
}

/** Writes the integer in `lpEntry` to `digits`; its length. */
function entryText(): number {
  const text = lpEntry.big === null ? String(lpEntry.int) : lpEntry.big.toString();
  for (let i = 0; i < text.length; i++) digits[i] = text.charCodeAt(i);
  return text.length;
}

/** Writes an entry at the end; there is room for it. */
function appendEntry(
  node: StreamNode,
  id: StreamId,
  words: EntryWords,
  first: number,
  count: number,
  isSame: boolean,
): void {
  appender.open(node.bytes, node.base);
  appender.integer(isSame ? ENTRY_SAME_FIELDS : 0);
  appender.integer(id.msSince(node.id));
  appender.integer(id.seqSince(node.id));
  if (!isSame) appender.integer(count);
  for (let i = isSame ? first + 1 : first; i < first + 2 * count; i += isSame ? 2 : 1) {
    appender.text(words.bytes, words.starts[i], words.lengths[i]);
  }
  appender.integer(isSame ? count + 3 : 2 * count + 4);
  appender.close();
}

// -- walking ---------------------------------------------------------------------------------

/**
 * A place among the entries of a node, tombstones included. Stands before the first entry, on one, or
 * has ended.
 */
export class NodeCursor {
  node!: StreamNode;
  /** Where the entry begins: at its flags. */
  at = -1;
  flags = 0;
  readonly id = new StreamId();
  /** Fields of the entry. */
  fieldCount = 0;
  /** Where the first field lies, or with the master entry's fields the first value. */
  contentAt = 0;
  /** Where the first field of the master entry lies. */
  masterFieldsAt = 0;
  #masterCount = 0;
  /** Behind the fields and values, where the number at the end lies; -1 when nobody has walked there. */
  #contentEnd = -1;

  get isDeleted(): boolean {
    return (this.flags & ENTRY_DELETED) !== 0;
  }

  get hasMasterFields(): boolean {
    return (this.flags & ENTRY_SAME_FIELDS) !== 0;
  }

  /** Stands before the first entry. */
  open(node: StreamNode): void {
    this.node = node;
    const { bytes } = node;
    const count = node.masterCountAt;
    this.#masterCount = integerAt(bytes, count);
    this.masterFieldsAt = count + lpSize(bytes, count);
    this.at = -1;
  }

  /** Stands on the first entry; false when there is none. */
  first(): boolean {
    const { bytes } = this.node;
    let at = this.masterFieldsAt;
    for (let i = 0; i < this.#masterCount; i++) at += lpSize(bytes, at);
    return this.#stand(at + lpSize(bytes, at));
  }

  /** Stands on the last entry; false when there is none. */
  last(): boolean {
    return this.#standBefore(lpEnd(this.node.bytes, this.node.base));
  }

  /** Moves on; false at the end. */
  next(): boolean {
    const { bytes } = this.node;
    const end = this.contentEnd;
    return this.#stand(end + lpSize(bytes, end));
  }

  /** Moves back; false at the beginning. */
  previous(): boolean {
    return this.#standBefore(this.at);
  }

  /** Where the number at the entry's end lies. Whoever has walked over the content may say so. */
  get contentEnd(): number {
    if (this.#contentEnd < 0) {
      const { bytes } = this.node;
      let at = this.contentAt;
      const count = this.hasMasterFields ? this.fieldCount : 2 * this.fieldCount;
      for (let i = 0; i < count; i++) at += lpSize(bytes, at);
      this.#contentEnd = at;
    }
    return this.#contentEnd;
  }

  set contentEnd(at: number) {
    this.#contentEnd = at;
  }

  /** Looks at the entry again, which has been changed where it begins. */
  reread(): void {
    this.#stand(this.at);
  }

  #stand(at: number): boolean {
    const { bytes, base, id: nodeId } = this.node;
    this.at = at;
    this.#contentEnd = -1;
    if (at >= lpEnd(bytes, base)) return false;
    this.flags = integerAt(bytes, at);
    at += integerBytes(bytes, at);
    this.id.setMsAfter(nodeId, anyIntegerAt(bytes, at));
    at += integerBytes(bytes, at);
    this.id.setSeqAfter(nodeId, anyIntegerAt(bytes, at));
    at += integerBytes(bytes, at);
    if (this.hasMasterFields) this.fieldCount = this.#masterCount;
    else {
      this.fieldCount = integerAt(bytes, at);
      at += lpSize(bytes, at);
    }
    this.contentAt = at;
    return true;
  }

  /** Stands on the entry that ends at `end`. */
  #standBefore(end: number): boolean {
    const { bytes } = this.node;
    let at = lpBefore(bytes, end);
    const elements = integerAt(bytes, at);
    if (elements === 0) return false; // the end of the master entry
    for (let i = 0; i < elements; i++) at = lpBefore(bytes, at);
    return this.#stand(at);
  }
}

// -- bytes from outside ------------------------------------------------------------------------

/** Whether these bytes are a listpack of a stream's entries, with at least the master entry. */
export function isStreamListpack(bytes: Uint8Array, off: number, size: number): boolean {
  return lpValidate(bytes, off, size) && new EntryCheck(bytes, off).isSound();
}

/**
 * Walks over a sound listpack and sees whether it is laid out as entries, as many of both sorts as it says: what
 * is deleted later is taken off these numbers, and one below zero could be saved and not be loaded again.
 */
class EntryCheck {
  #at: number;
  #tombstones = 0;
  readonly #end: number;

  constructor(readonly bytes: Uint8Array, base: number) {
    this.#at = lpFirstAt(base);
    this.#end = lpEnd(bytes, base);
  }

  isSound(): boolean {
    const live = this.#integer();
    const deleted = this.#integer();
    const fields = this.#integer();
    if (!(live >= 0) || !(deleted >= 0) || !this.#skip(fields) || this.#integer() !== 0) {
      return false;
    }
    let left = live + deleted;
    for (; left > 0 && this.#at < this.#end; left--) if (!this.#isEntry(fields)) return false;
    return left === 0 && this.#at === this.#end && this.#tombstones === deleted;
  }

  #isEntry(masterFields: number): boolean {
    const flags = this.#integer();
    if (!this.#isInteger() || !this.#isInteger()) return false;
    let fields = masterFields;
    let elements = 3;
    if (flags !== flags) return false;
    if ((flags & ENTRY_DELETED) !== 0) this.#tombstones++;
    if ((flags & ENTRY_SAME_FIELDS) === 0) {
      fields = this.#integer();
      if (!this.#skip(fields)) return false;
      elements += fields + 1;
    }
    return this.#skip(fields) && this.#integer() === fields + elements;
  }

  /** Whether there is an integer of any size; passes over it. */
  #isInteger(): boolean {
    if (this.#at >= this.#end) return false;
    lpGet(this.bytes, this.#at);
    this.#at += lpSize(this.bytes, this.#at);
    return lpEntry.isInt;
  }

  /** A safe integer; NaN when there is something else. */
  #integer(): number {
    return this.#isInteger() ? lpEntry.int : NaN;
  }

  /** Passes over so many elements; false when they are not there. */
  #skip(count: number): boolean {
    if (!(count >= 0) || count > this.#end - this.#at) return false;
    for (let i = 0; i < count; i++) {
      if (this.#at >= this.#end) return false;
      this.#at += lpSize(this.bytes, this.#at);
    }
    return true;
  }
}
