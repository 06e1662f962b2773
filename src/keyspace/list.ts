/**
 * Lists as commands see them, whatever their encoding. Between commands and values.
 *
 * A small list is listpack bytes inside its record (ENC_LISTPACK), a larger one a QuickList in a slot
 * (ENC_QUICKLIST). `list-max-listpack-size` draws the line by Redis's rules: a list grows over it when
 * the words to be added would pass the limit, and comes back when what is left in one node is within
 * half of it, so that a list at the limit does not change its form with each command.
 *
 * There is one ListView: `open` it on a record, work, then `settle`. Handlers run one at a time and to
 * their end, so it never serves two.
 *
 * Not done here: `Database.changed` and removing an emptied key, which the handlers do as their
 * events demand. Elements to be stored must not lie in the list itself.
 */

import { ENC_LISTPACK, ENC_QUICKLIST, INLINE_VALUE_MAX, TYPE_LIST } from "../arena/record.ts";
import { tryAllocating } from "../base/refused.ts";
import { ReplyError, WRONG_TYPE } from "../resp/reply_error.ts";
import {
  LP_EMPTY_BYTES,
  lpAppend,
  lpBytes,
  lpCount,
  lpDelete,
  lpEnd,
  lpEntry,
  lpFirst,
  lpFirstAt,
  lpGet,
  lpInsertBefore,
  lpLast,
  lpNew,
  lpNext,
  lpPassed,
  lpPrepend,
  lpPrev,
  lpReplace,
  lpScan,
  lpScanBack,
  lpSeek,
  lpSetNeedle,
  lpSize,
  lpStageText,
} from "../values/listpack.ts";
import { ListCursor, QuickList } from "../values/quicklist.ts";
import type { Database } from "./database.ts";

/** Most bytes that an entry of a listpack takes beside its text. */
const ENTRY_OVERHEAD_MAX = 10;
/** A list limited by its number of elements may have at most this many bytes all the same. */
const SAFETY_LIMIT_BYTES = 8192;

/** Takes elements one after the other: the writer of a reply does. */
export interface ElementSink {
  bulk(bytes: Uint8Array, offset: number, length: number): void;
  bulkInteger(n: number): void;
  bulkBigInt(n: bigint): void;
}

/** Hands on the element in `lpEntry`. */
export function writeEntry(sink: ElementSink): void {
  if (!lpEntry.isInt) sink.bulk(lpEntry.buf, lpEntry.off, lpEntry.len);
  else if (lpEntry.big === null) sink.bulkInteger(lpEntry.int);
  else sink.bulkBigInt(lpEntry.big);
}

/** Hands on the entry of a listpack at `pos`; returns where the next one begins. */
export function writeEntryAt(sink: ElementSink, buf: Uint8Array, pos: number): number {
  const head = buf[pos];
  if (head >= 0x80 && head < 0xc0) { // the usual short string
    const length = head & 0x3f;
    sink.bulk(buf, pos + 1, length);
    return pos + length + 2;
  }
  lpGet(buf, pos);
  writeEntry(sink);
  return pos + lpSize(buf, pos);
}

/** Whether a list of this size is too large for a listpack. `fill` is `list-max-listpack-size`. */
function exceeds(fill: number, bytes: number, count: number): boolean {
  if (fill < 0) return bytes > 2048 << Math.min(-fill, 5);
  return bytes > SAFETY_LIMIT_BYTES || count > Math.max(fill, 1);
}

/** Whether a large list of this size stays one; what was large turns small only well below the limit. */
function exceedsHalf(fill: number, bytes: number, count: number): boolean {
  if (fill < 0) return bytes > 1024 << Math.min(-fill, 5);
  return bytes > SAFETY_LIMIT_BYTES >> 1 || count > Math.max(fill, 1) >> 1;
}

export class ListView {
  #database!: Database;
  #ref = 0;
  /** The list when it is large, else null. */
  #quick: QuickList | null = null;
  /** The element that `first`, `next` and their like stand on: a cursor, or a place in the listpack. */
  readonly #cursor = new ListCursor();
  #pos = -1;

  /** Works on this record, which must be a list. */
  open(database: Database, ref: number): this {
    this.#database = database;
    this.#ref = ref;
    this.#quick = database.encodingOf(ref) === ENC_QUICKLIST
      ? database.largeValue(ref) as QuickList
      : null;
    return this;
  }

  /** Looks a key up for reading; false when it is missing. @throws ReplyError WRONGTYPE */
  openRead(database: Database, bytes: Uint8Array, offset: number, length: number): boolean {
    const ref = database.lookupRead(bytes, offset, length);
    if (ref === 0) return false;
    if (database.typeOf(ref) !== TYPE_LIST) throw new ReplyError(WRONG_TYPE);
    this.open(database, ref);
    return true;
  }

  /**
   * Adds an empty list at a key that is not there, with room for `count` elements of `bytes` bytes
   * together, and opens it. The caller puts at least one element into it.
   */
  create(
    database: Database,
    key: Uint8Array,
    offset: number,
    length: number,
    bytes: number,
    count: number,
  ): this {
    this.#database = database;
    const fill = database.keyspace.limits.listMaxListpackSize;
    if (exceeds(fill, LP_EMPTY_BYTES + bytes, count) || isTooLong(bytes, count)) {
      this.#quick = new QuickList(fill);
      this.#ref = database.addLarge(key, offset, length, TYPE_LIST, ENC_QUICKLIST, this.#quick);
    } else {
      const room = bytes + 3 * count;
      this.#quick = null;
      this.#ref = database.addRecord(
        key,
        offset,
        length,
        TYPE_LIST,
        ENC_LISTPACK,
        LP_EMPTY_BYTES,
        Math.min(room, INLINE_VALUE_MAX),
      );
      const { records } = database;
      lpNew(records.bytesOf(this.#ref), records.valueOffset(this.#ref));
    }
    return this;
  }

  /**
   * Adds a list made elsewhere, which has at least one element, at a key that is not there, and opens
   * it. It becomes a small one if its elements are few enough.
   */
  createFrom(
    database: Database,
    key: Uint8Array,
    offset: number,
    length: number,
    quick: QuickList,
  ): this {
    const { head, count } = quick;
    const bytes = head!.end - head!.start;
    const fill = database.keyspace.limits.listMaxListpackSize;
    const isLarge = head!.plain || quick.nodes > 1 ||
      exceeds(fill, LP_EMPTY_BYTES + bytes, count) || LP_EMPTY_BYTES + bytes > INLINE_VALUE_MAX;
    this.#database = database;
    if (isLarge) {
      this.#quick = quick;
      this.#ref = database.addLarge(key, offset, length, TYPE_LIST, ENC_QUICKLIST, quick);
      return this;
    }
    const size = LP_EMPTY_BYTES + bytes;
    const ref = database.addRecord(key, offset, length, TYPE_LIST, ENC_LISTPACK, size);
    const { records } = database;
    quick.toListpack(records.bytesOf(ref), records.valueOffset(ref), size);
    this.#quick = null;
    this.#ref = ref;
    return this;
  }

  /** The record, whose reference changes when the list grows. */
  get ref(): number {
    return this.#ref;
  }

  /** Whether the list is a large one. */
  get isLarge(): boolean {
    return this.#quick !== null;
  }

  /** Number of elements. */
  get length(): number {
    if (this.#quick !== null) return this.#quick.count;
    const { records } = this.#database;
    return lpCount(records.bytesOf(this.#ref), records.valueOffset(this.#ref));
  }

  // -- changing -------------------------------------------------------------------

  /** To be called once before a change of a list that was there. */
  beforeWrite(): void {
    this.#database.beforeWrite(this.#ref);
  }

  /** `makeRoom` for elements with the lengths from index `from` to `end`. */
  makeRoomFor(lengths: Int32Array, from: number, end: number): void {
    if (this.#quick === null) this.makeRoom(sizeOfWords(lengths, from, end), end - from);
  }

  /** Makes the list a large one if `count` more elements of `bytes` bytes are too many for a small one. */
  makeRoom(bytes: number, count: number): void {
    if (this.#quick !== null) return;
    const database = this.#database;
    const { records, keyspace } = database;
    const fill = keyspace.limits.listMaxListpackSize;
    const buf = records.bytesOf(this.#ref);
    const base = records.valueOffset(this.#ref);
    const size = lpBytes(buf, base) + bytes;
    const total = lpCount(buf, base) + count;
    if (!exceeds(fill, size, total) && !isTooLong(size, count)) return;
    const quick = QuickList.fromListpack(buf, base, fill);
    this.#ref = database.replaceByLarge(this.#ref, TYPE_LIST, ENC_QUICKLIST, quick);
    this.#quick = quick;
  }

  /**
   * Adds the elements with the indices from `from` to `end` of offsets and lengths in `src`, one after the other; none
   * of them when memory is refused.
   */
  pushAll(
    src: Uint8Array,
    offsets: Int32Array,
    lengths: Int32Array,
    from: number,
    end: number,
    atHead: boolean,
  ): void {
    const { length } = this;
    try {
      if (this.#quick !== null) this.#quick.pushAll(src, offsets, lengths, from, end, atHead);
      else for (let i = from; i < end; i++) this.push(src, offsets[i], lengths[i], atHead);
    } catch (error) {
      while (this.length > length) this.drop(atHead);
      throw error;
    }
  }

  /** Adds an element at the head or the tail. */
  push(src: Uint8Array, off: number, len: number, atHead: boolean): void {
    const quick = this.#quick;
    if (quick !== null) {
      if (atHead) quick.pushHead(src, off, len);
      else quick.pushTail(src, off, len);
      return;
    }
    const { records } = this.#database;
    for (;;) {
      const ref = this.#ref;
      const buf = records.bytesOf(ref);
      const base = records.valueOffset(ref);
      const cap = records.valueCapacity(ref);
      const size = atHead
        ? lpPrepend(buf, base, cap, src, off, len)
        : lpAppend(buf, base, cap, src, off, len);
      if (size >= 0) return;
      this.#grow(lpStageText(src, off, len));
    }
  }

  /** Makes the listpack's record larger by at least `bytes`. */
  #grow(bytes: number): void {
    const database = this.#database;
    const { records } = database;
    const size = lpBytes(records.bytesOf(this.#ref), records.valueOffset(this.#ref));
    // The record's length first: only that many bytes are taken along.
    database.setValueLength(this.#ref, size);
    this.#ref = database.resizeInline(this.#ref, size + bytes, 16 + (size >> 2));
  }

  /** Decodes the first or last element into `lpEntry`; false when the list is empty. */
  peek(atHead: boolean): boolean {
    const quick = this.#quick;
    if (quick !== null) return atHead ? quick.peekHead() : quick.peekTail();
    const { records } = this.#database;
    const buf = records.bytesOf(this.#ref);
    const base = records.valueOffset(this.#ref);
    const pos = atHead ? lpFirst(buf, base) : lpLast(buf, base);
    if (pos < 0) return false;
    lpGet(buf, pos);
    return true;
  }

  /** Removes the first or last element, which must be there. */
  drop(atHead: boolean): void {
    const quick = this.#quick;
    if (quick !== null) {
      if (atHead) quick.dropHead();
      else quick.dropTail();
      return;
    }
    const { records } = this.#database;
    const buf = records.bytesOf(this.#ref);
    const base = records.valueOffset(this.#ref);
    lpDelete(buf, base, atHead ? lpFirst(buf, base) : lpLast(buf, base), 1);
  }

  /** See `QuickList.rotate`; false for a small list, too. */
  rotate(fromHead: boolean, length: number): boolean {
    return this.#quick !== null && this.#quick.rotate(fromHead, length);
  }

  /** Removes `count` elements from `index` (negative from the last) on. */
  deleteRange(index: number, count: number): void {
    if (count <= 0) return;
    if (this.#quick !== null) {
      this.#quick.deleteRange(index, count);
      return;
    }
    const { records } = this.#database;
    const buf = records.bytesOf(this.#ref);
    const base = records.valueOffset(this.#ref);
    const pos = lpSeek(buf, base, index);
    if (pos >= 0) lpDelete(buf, base, pos, count);
  }

  /** Ends a change: the record's length, the memory count, and with `isSmaller` the way back. */
  settle(isSmaller: boolean): void {
    const database = this.#database;
    const quick = this.#quick;
    if (quick === null) {
      const { records } = database;
      const size = lpBytes(records.bytesOf(this.#ref), records.valueOffset(this.#ref));
      if (size !== records.valueLength(this.#ref)) {
        database.setValueLength(this.#ref, size);
        this.#ref = database.resizeInline(this.#ref, size);
      }
      return;
    }
    if (isSmaller) {
      if (quick.nodes === 1 && this.#shrink(quick)) return;
      quick.tidy();
    }
    database.measured(this.#ref, quick.memoryBytes);
  }

  /** Makes a large list of one node a small one if it is within half of the limit. */
  #shrink(quick: QuickList): boolean {
    const node = quick.head!;
    if (node.plain) return false;
    const fill = this.#database.keyspace.limits.listMaxListpackSize;
    const size = node.end - node.start + LP_EMPTY_BYTES;
    if (size > INLINE_VALUE_MAX) return false;
    if (exceedsHalf(fill, size, quick.count)) return false;
    return tryAllocating(() => this.#makeSmall(quick));
  }

  /** Puts a large list of one node, which is not a plain one, into the record, if there is memory. */
  #makeSmall(quick: QuickList): void {
    const node = quick.head!;
    const size = node.end - node.start + LP_EMPTY_BYTES;
    const database = this.#database;
    const ref = database.replaceByInline(this.#ref, TYPE_LIST, ENC_LISTPACK, size);
    const { records } = database;
    quick.toListpack(records.bytesOf(ref), records.valueOffset(ref), size);
    this.#ref = ref;
    this.#quick = null;
  }

  // -- places ------------------------------------------------------------------------

  /** Stands on the element with this index (negative from the last); false when there is none. */
  seek(index: number): boolean {
    if (this.#quick !== null) return this.#quick.seek(this.#cursor, index);
    const { records } = this.#database;
    this.#pos = lpSeek(records.bytesOf(this.#ref), records.valueOffset(this.#ref), index);
    return this.#pos >= 0;
  }

  /** Moves to the following element, or with `backward` to the preceding one; false at the end. */
  step(backward: boolean): boolean {
    if (this.#quick !== null) return backward ? this.#cursor.prev() : this.#cursor.next();
    const { records } = this.#database;
    const buf = records.bytesOf(this.#ref);
    this.#pos = backward
      ? lpPrev(buf, records.valueOffset(this.#ref), this.#pos)
      : lpNext(buf, this.#pos);
    return this.#pos >= 0;
  }

  /** Decodes the element it stands on into `lpEntry`. */
  read(): void {
    if (this.#quick !== null) this.#cursor.read();
    else lpGet(this.#database.records.bytesOf(this.#ref), this.#pos);
  }

  /** Sets the bytes that `find` looks for; they must stay where they are. */
  setNeedle(src: Uint8Array, off: number, len: number): void {
    lpSetNeedle(src, off, len);
  }

  /**
   * Moves to the first of `most` elements, from the one it stands on, that is the needle; with `backward` from there
   * back. Answers how many it passed over, or -1 when there is none, and it stands nowhere then.
   */
  find(backward: boolean, most = 0x7fffffff): number {
    if (this.#quick !== null) return this.#cursor.find(most, backward);
    const { records } = this.#database;
    const buf = records.bytesOf(this.#ref);
    const base = records.valueOffset(this.#ref);
    const pos = this.#pos;
    if (pos < 0) return -1;
    this.#pos = backward
      ? lpScanBack(buf, pos + lpSize(buf, pos), lpFirstAt(base), most)
      : lpScan(buf, pos, lpEnd(buf, base), most);
    return this.#pos < 0 ? -1 : lpPassed;
  }

  /** Puts an element in the place of the one it stands on. `makeRoom` has been called before. */
  replace(src: Uint8Array, off: number, len: number): void {
    const quick = this.#quick;
    if (quick !== null) return this.#measured(() => quick.replaceAt(this.#cursor, src, off, len));
    const { records } = this.#database;
    for (;;) {
      const base = records.valueOffset(this.#ref);
      const cap = records.valueCapacity(this.#ref);
      if (lpReplace(records.bytesOf(this.#ref), base, cap, this.#pos, src, off, len) >= 0) return;
      this.#growAround(lpStageText(src, off, len));
    }
  }

  /** Inserts an element before or behind the one it stands on. `makeRoom` has been called before. */
  insert(src: Uint8Array, off: number, len: number, before: boolean): void {
    const quick = this.#quick;
    if (quick !== null) {
      return this.#measured(() => {
        if (before) quick.insertBefore(this.#cursor, src, off, len);
        else quick.insertAfter(this.#cursor, src, off, len);
      });
    }
    const { records } = this.#database;
    if (!before) this.#pos += lpSize(records.bytesOf(this.#ref), this.#pos);
    for (;;) {
      const base = records.valueOffset(this.#ref);
      const cap = records.valueCapacity(this.#ref);
      const buf = records.bytesOf(this.#ref);
      const pos = this.#pos === lpEnd(buf, base) ? -1 : this.#pos;
      if (lpInsertBefore(buf, base, cap, pos, src, off, len) >= 0) return;
      this.#growAround(lpStageText(src, off, len));
    }
  }

  /** Does a change of a large list; if memory is refused, a node may have become two without it. */
  #measured(change: () => void): void {
    try {
      change();
    } catch (error) {
      this.#database.measured(this.#ref, this.#quick!.memoryBytes);
      throw error;
    }
  }

  /** `#grow`, keeping the place it stands on. */
  #growAround(bytes: number): void {
    const { records } = this.#database;
    const relative = this.#pos - records.valueOffset(this.#ref);
    this.#grow(bytes);
    this.#pos = records.valueOffset(this.#ref) + relative;
  }

  /**
   * Removes the element it stands on, and stands on the following one, with `backward` on the
   * preceding one; false when there is none.
   */
  remove(backward: boolean): boolean {
    if (this.#quick !== null) {
      this.#quick.removeAt(this.#cursor, backward);
      return this.#cursor.node !== null;
    }
    const { records } = this.#database;
    const buf = records.bytesOf(this.#ref);
    const base = records.valueOffset(this.#ref);
    lpDelete(buf, base, this.#pos, 1);
    if (backward) this.#pos = lpPrev(buf, base, this.#pos);
    else if (this.#pos === lpEnd(buf, base)) this.#pos = -1;
    return this.#pos >= 0;
  }

  // -- reading runs of elements ---------------------------------------------------------

  /** Hands on `count` elements from `start` (0 or more) on; they must be there. */
  writeRange(sink: ElementSink, start: number, count: number): void {
    if (count <= 0) return;
    if (this.#quick === null) {
      const { records } = this.#database;
      const buf = records.bytesOf(this.#ref);
      let pos = lpSeek(buf, records.valueOffset(this.#ref), start);
      for (let rest = count; rest > 0; rest--) pos = writeEntryAt(sink, buf, pos);
      return;
    }
    this.#quick.seek(this.#cursor, start);
    let node = this.#cursor.node!;
    let pos = this.#cursor.pos;
    for (let rest = count;;) {
      if (node.plain) {
        sink.bulk(node.buf, node.start, node.end - node.start);
        rest--;
      } else {
        while (rest > 0 && pos < node.end) {
          pos = writeEntryAt(sink, node.buf, pos);
          rest--;
        }
      }
      if (rest === 0) return;
      node = node.next!;
      pos = node.start;
    }
  }
}

/** Sum of the lengths from index `from` to `end`, as far as it matters: what is more than any record holds is much. */
export function sizeOfWords(lengths: Int32Array, from: number, end: number): number {
  let bytes = 0;
  for (let i = from; i < end && bytes <= INLINE_VALUE_MAX; i++) bytes += lengths[i];
  return bytes;
}

/** Whether entries with `bytes` of text may pass what a record can hold. */
function isTooLong(bytes: number, count: number): boolean {
  return LP_EMPTY_BYTES + bytes + count * ENTRY_OVERHEAD_MAX > INLINE_VALUE_MAX;
}

/** The one view of lists. */
export const listView = new ListView();
