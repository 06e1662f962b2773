/**
 * A value on its way from a snapshot's bytes into the keyspace, and what the kinds need to build one:
 * limits, buffers, checks of packed values. The kinds fill it in (`load`), load_value.ts places it.
 */

import { copyBytes } from "../../base/bytes.ts";
import { formatDouble } from "../../base/doubles.ts";
import { hashBytes } from "../../base/hash.ts";
import { parseInt64, parseInteger } from "../../base/integers.ts";
import { ENC_LISTPACK, INLINE_VALUE_MAX } from "../../arena/record.ts";
import type { ValueLimits } from "../../keyspace/keyspace.ts";
import type { LargeValue } from "../../keyspace/value_slots.ts";
import { ElementText } from "../../values/element_text.ts";
import { intsetBytes, intsetInsert, intsetNew } from "../../values/intset.ts";
import {
  lpAppend,
  lpAppendInteger,
  lpBytes,
  lpCount,
  lpFirst,
  lpIsNeedle,
  lpNew,
  lpNext,
  lpSetNeedle,
  lpValidate,
} from "../../values/listpack.ts";
import { isStoredAsInteger } from "../../values/score.ts";
import { ZiplistCursor, ZipmapCursor } from "../legacy.ts";
import { IntsetCursor, ListpackCursor } from "../packed_cursors.ts";
import { KeptBytes } from "../kept_bytes.ts";
import type { RdbReader } from "../reader.ts";
import { SeenNames } from "../seen_names.ts";
import { type Unheld, unheldRefusal } from "../unheld.ts";
import { HashTemplates } from "./hash_templates.ts";
import { LOAD_EMPTY, LOAD_PART, LOAD_WHOLE } from "./value_load.ts";

/**
 * A table is made for at most this many elements before they have been seen, when that many bytes at least are
 * known to follow. Where nothing has been written it takes no memory, and growing on the way costs a sixth more.
 */
const RESERVE_MAX = 1 << 24;
/** The same when nobody knows how many bytes follow. */
const RESERVE_UNKNOWN_MAX = 1 << 20;
/** Room for the text of an entry that is an integer. */
export const INTEGER_TEXT_MAX = 24;
/** An entry of a listpack takes at most this many bytes beside its text. */
const ENTRY_OVERHEAD_MAX = 10;
/** A piece of a load: at most so many elements, and about so many bytes. */
const PIECE_ELEMENTS = 256;
const PIECE_BYTES = 128 * 1024;
/** For how many elements a table is made of which `count` are announced. */
export function reservedFor(count: number, reader: RdbReader): number {
  return Math.min(count, reader.remaining() === Infinity ? RESERVE_UNKNOWN_MAX : RESERVE_MAX);
}

/** Longer names are not compared with others when a value is only passed over. */
const NAME_BYTES_MAX = 1 << 20;

/** Up to this many entries, looking through all of them is faster than a table. */
const FEW_ENTRIES = 8;

/** The value read last, with the means to read the next; one at a time. */
export class LoadedValue {
  // The value: TYPE_* and ENC_* of record.ts, and an object or bytes.
  type = 0;
  encoding = 0;
  /** The value of an encoding that lives in a slot, else null. */
  large: LargeValue | null = null;
  /** The bytes of an inline encoding: in the reader's window or in a buffer of this object. */
  bytes: Uint8Array = new Uint8Array(0);
  offset = 0;
  length = 0;
  /** Whether what has no place here is passed over; if not, it is an error. */
  leavesOut = false;
  /** What of the value was passed over, or of what is kept with its key: see unheld.ts. */
  readonly unheld: Unheld[] = [];
  /** Those of the snapshot that is being read. */
  templates = new HashTemplates();
  /** Of a hash: when its first field expires, in Unix ms; Infinity when none does. */
  firstFieldMs = Infinity;

  // Of a value that was passed over and not built (see `ValueKind.newScan`).
  /** Whether it was; what is above says nothing then but for `type`. */
  isPassed = false;
  /** Elements: members, fields, entries; 1 for a string. */
  elements = 0;
  /** Bytes of these, decompressed, with what they are packed in. */
  contentBytes = 0;
  /** Fields of a hash that expire. */
  timedFields = 0;
  readonly seen = new SeenNames();

  // Scratch of the kinds.
  readonly packed = new PackedBuilder();
  /** A field or member, while what belongs to it is read. */
  readonly name = new KeptBytes();
  /** What belongs to it, where more follows. */
  readonly content = new KeptBytes();
  readonly text = new ElementText();
  readonly otherText = new ElementText();
  readonly ziplist = new ZiplistCursor();
  readonly zipmap = new ZipmapCursor();
  readonly listpack = new ListpackCursor();
  readonly intset = new IntsetCursor();
  /** Elements, and where in the snapshot, the piece at hand ends. */
  #pieceElements = 0;
  #pieceEnd = 0;
  #places = new Int32Array(256);

  constructor(readonly limits: ValueLimits) {}

  /** A step of a load begins. */
  beginPiece(reader: RdbReader): void {
    this.#pieceElements = PIECE_ELEMENTS;
    this.#pieceEnd = reader.offset + PIECE_BYTES;
  }

  /** Whether others should have their turn before the next element is read. */
  isPieceOver(reader: RdbReader): boolean {
    return --this.#pieceElements < 0 || reader.offset > this.#pieceEnd;
  }

  /** Passes over what has no place here, and remembers that; or refuses it. It stands at `at`. @throws RdbError */
  leaveOut(unheld: Unheld, reader: RdbReader, at: number): void {
    if (!this.leavesOut) throw reader.error(unheldRefusal(unheld), at, "unsupported");
    this.unheld.push(unheld);
  }

  /** Begins to pass over a value. */
  beginPassing(type: number): void {
    this.type = type;
    this.isPassed = true;
    this.elements = this.contentBytes = this.timedFields = 0;
    this.large = null;
    this.seen.begin();
  }

  /** Passes over a string that belongs to an element. */
  passString(reader: RdbReader): void {
    reader.readStringUpTo(-1);
    this.contentBytes += reader.strLen;
  }

  /**
   * Passes over the name of an element, which must not have been there yet; `at` is where the value lies in the
   * snapshot, `step` as in `refuseTwice`. Names longer than NAME_BYTES_MAX are not compared. @throws RdbError
   */
  passName(reader: RdbReader, step: number, at: number): void {
    const isRead = reader.readStringUpTo(NAME_BYTES_MAX);
    this.contentBytes += reader.strLen;
    this.elements++;
    if (isRead && !this.seen.add(reader.strBuf, reader.strOff, reader.strLen)) {
      refuseTwice(reader, step, at);
    }
  }

  /** Makes these bytes the value. */
  setInline(
    type: number,
    encoding: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    this.type = type;
    this.encoding = encoding;
    this.isPassed = false;
    this.large = null;
    this.firstFieldMs = Infinity;
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
  }

  /** Makes the listpack in `packed` the value. */
  setListpack(type: number): void {
    const { bytes } = this.packed;
    this.setInline(type, ENC_LISTPACK, bytes, 0, lpBytes(bytes, 0));
  }

  /** Makes an object for a slot the value. */
  setLarge(type: number, encoding: number, value: LargeValue): void {
    this.type = type;
    this.encoding = encoding;
    this.isPassed = false;
    this.large = value;
    this.firstFieldMs = Infinity;
  }

  /**
   * Refuses a listpack in which an entry is there twice; looks at each `step`th one. `at` is where the
   * value lies in the snapshot. @throws RdbError
   */
  checkUnique(
    reader: RdbReader,
    listpack: Uint8Array,
    base: number,
    step: number,
    at: number,
  ): void {
    const count = lpCount(listpack, base) / step;
    if (count < 2) return;
    const usesTable = count > FEW_ENTRIES;
    let mask = 0;
    if (usesTable) {
      let size = 32;
      while (size < count * 2) size *= 2;
      if (this.#places.length < size) this.#places = new Int32Array(size);
      this.#places.fill(0, 0, size);
      mask = size - 1;
    }
    const places = this.#places;
    const { text } = this;
    let found = 0;
    for (let pos = lpFirst(listpack, base); pos >= 0;) {
      text.setEntry(listpack, pos);
      lpSetNeedle(text.bytes, text.offset, text.length);
      if (usesTable) {
        let slot = hashBytes(text.bytes, text.offset, text.length) & mask;
        for (; places[slot] !== 0; slot = (slot + 1) & mask) {
          if (lpIsNeedle(listpack, base + places[slot])) refuseTwice(reader, step, at);
        }
        places[slot] = pos - base;
      } else {
        for (let i = 0; i < found; i++) {
          if (lpIsNeedle(listpack, base + places[i])) refuseTwice(reader, step, at);
        }
        places[found++] = pos - base;
      }
      for (let i = 0; i < step && pos >= 0; i++) pos = lpNext(listpack, pos);
    }
  }
}

/** An element is there twice; `step` is above 1 where it has a value or score. @throws RdbError */
export function refuseTwice(reader: RdbReader, step: number, at: number): never {
  throw reader.error(
    `a ${step > 1 ? "field or member" : "member"} is there twice in the value`,
    at,
  );
}

/**
 * Makes the listpack that the reader has just read the value as it is, when it has room in a record and
 * at most `most` elements of `step` entries each. LOAD_PART when it has to become something else. Messages
 * call it `name`.
 */
export function takeListpack(
  value: LoadedValue,
  reader: RdbReader,
  type: number,
  step: number,
  most: number,
  name: string,
): number {
  const { strBuf, strOff, strLen, strAt } = reader;
  if (strLen > INLINE_VALUE_MAX) return LOAD_PART;
  const count = checkListpack(reader, step === 2, name) / step;
  if (count === 0) return LOAD_EMPTY;
  if (count > most) return LOAD_PART;
  value.checkUnique(reader, strBuf, strOff, step, strAt);
  value.setInline(type, ENC_LISTPACK, strBuf, strOff, strLen);
  return LOAD_WHOLE;
}

/** Checks the listpack that the reader has just read, called `name` otherwise; returns the number of entries. */
export function checkListpack(reader: RdbReader, pairs: boolean, name: string): number {
  if (!lpValidate(reader.strBuf, reader.strOff, reader.strLen, { pairs })) {
    throw reader.error(`${name} integrity check failed, value`, reader.strAt);
  }
  return lpCount(reader.strBuf, reader.strOff);
}

/** A listpack or intset under construction, at the start of `bytes`. */
export class PackedBuilder {
  bytes = new Uint8Array(1024);
  readonly #digits = new Uint8Array(INTEGER_TEXT_MAX);

  beginListpack(): void {
    lpNew(this.bytes, 0);
  }

  beginIntset(): void {
    intsetNew(this.bytes, 0);
  }

  /** Makes `bytes` at least so large; what is there is lost. */
  makeRoom(size: number): void {
    if (this.bytes.length < size) this.bytes = new Uint8Array(size * 2);
  }

  /** Whether a listpack of a record has room for entries of so many bytes of text, two at most. */
  fits(bytes: number): boolean {
    return lpBytes(this.bytes, 0) + bytes + 2 * ENTRY_OVERHEAD_MAX <= INLINE_VALUE_MAX;
  }

  /** Appends an entry to the listpack. */
  append(bytes: Uint8Array, offset: number, length: number): void {
    while (lpAppend(this.bytes, 0, this.bytes.length, bytes, offset, length) < 0) {
      this.#grow(lpBytes(this.bytes, 0), this.bytes.length * 2 + length);
    }
  }

  /** Appends an integer to the listpack. */
  appendInteger(n: number): void {
    while (lpAppendInteger(this.bytes, 0, this.bytes.length, n) < 0) {
      this.#grow(lpBytes(this.bytes, 0), this.bytes.length * 2);
    }
  }

  /** Appends a score to the listpack: an integer where it is one, else its text. */
  appendScore(score: number): void {
    if (isStoredAsInteger(score) && Number.isSafeInteger(score)) {
      // -0 has no other form as an integer than 0.
      return this.appendInteger(score + 0);
    }
    const text = formatDouble(score);
    for (let i = 0; i < text.length; i++) this.#digits[i] = text.charCodeAt(i);
    this.append(this.#digits, 0, text.length);
  }

  /** Inserts an integer, given as its text, into the intset; 0 when it was there, else the new size. */
  insertInteger(bytes: Uint8Array, offset: number, length: number): number {
    const small = parseInteger(bytes, offset, length);
    const value = small === small ? small : parseInt64(bytes, offset, length)!;
    for (;;) {
      const size = intsetInsert(this.bytes, 0, this.bytes.length, value);
      if (size >= 0) return size;
      this.#grow(intsetBytes(this.bytes, 0), this.bytes.length * 4);
    }
  }

  /** Gives `bytes` another size, keeping the first `used`. */
  #grow(used: number, size: number): void {
    const larger = new Uint8Array(size);
    copyBytes(larger, 0, this.bytes, 0, used);
    this.bytes = larger;
  }
}
