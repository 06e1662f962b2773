/**
 * Cursors over packed values as older servers wrote them: ziplists (lists, hashes and sorted sets up
 * to 6.2) and zipmaps (hashes of 2.4). The loader turns them into today's encodings, entry by entry.
 *
 * The bytes come from snapshots and from RESTORE, so nothing in them is believed: each length, back
 * link and count is checked before it is used, and a cursor that reached its end without an error
 * has seen a value that is well formed in every byte. Errors are RdbErrors whose offset is the place
 * of the value in the snapshot, as given to `open`.
 *
 * Listpacks, which came after, and intsets are part of the keyspace: src/values.
 */

import { writeBigInt, writeInteger } from "../base/integers.ts";
import { RdbError } from "./rdb_error.ts";

/**
 * What all cursors have in common. After `open` it stands before the first entry; each `next` moves
 * on and answers false at the end. An entry is an integer (`isInt`) or a run of bytes, which stays
 * where it is: valid as long as the value's bytes are.
 */
export abstract class EntryCursor {
  /** Whether the entry is an integer; then `buf`, `off` and `len` are set only by `toText`. */
  isInt = false;
  /** The integer; exact unless `isWide`. */
  int = 0;
  /** Whether the integer is beyond 2^53 - 1 in magnitude; `wideInt` then has it exactly. */
  isWide = false;
  // The integer as an int64: signed upper and unsigned lower half.
  intHigh = 0;
  intLow = 0;
  buf: Uint8Array = NO_BYTES;
  off = 0;
  len = 0;
  /** How many entries `next` has answered so far. */
  index = 0;

  protected value: Uint8Array = NO_BYTES;
  protected start = 0;
  protected end = 0; // where the last byte of the value ends
  protected pos = 0;
  #at = 0;
  #text = new Uint8Array(20);

  /** Name of the encoding as Redis's log has it. */
  protected abstract readonly encoding: string;
  #name = "";

  /** Moves to the next entry; false at the end. Throws an RdbError when the value is damaged. */
  abstract next(): boolean;

  /** Checks the value's frame and sets `pos` to the first entry. */
  protected abstract openFrame(len: number): void;

  /**
   * Starts on a value of `len` bytes that begins at byte `at` of the snapshot; `name` is what messages call it.
   * Throws an RdbError when its frame (sizes, end mark) is damaged.
   */
  open(buf: Uint8Array, off: number, len: number, at: number, name: string = this.encoding): void {
    this.#name = name;
    this.value = buf;
    this.start = off;
    this.end = off + len;
    this.index = 0;
    this.#at = at;
    this.openFrame(len);
  }

  /** The integer as a bigint, exact always. */
  wideInt(): bigint {
    return (BigInt(this.intHigh) << 32n) | BigInt(this.intLow);
  }

  /** Points `buf`, `off` and `len` at the decimal text if the entry is an integer. */
  toText(): void {
    if (!this.isInt) return;
    this.buf = this.#text;
    this.off = 0;
    this.len = this.isWide
      ? writeBigInt(this.#text, 0, this.wideInt())
      : writeInteger(this.#text, 0, this.int);
  }

  protected fail(what: string): never {
    throw new RdbError("corrupt", `${this.#name} integrity check failed: ${what}, value`, this.#at);
  }

  protected setRun(off: number, len: number): void {
    this.isInt = false;
    this.buf = this.value;
    this.off = off;
    this.len = len;
  }

  protected setInt32(value: number): void {
    this.isInt = true;
    this.isWide = false;
    this.int = value;
    this.intHigh = value < 0 ? -1 : 0;
    this.intLow = value >>> 0;
  }

  /** Sets the integer from eight bytes, least significant first. */
  protected setInt64(at: number): void {
    const low = uint32le(this.value, at);
    const high = uint32le(this.value, at + 4) | 0;
    this.isInt = true;
    this.intHigh = high;
    this.intLow = low;
    this.int = high * 0x100000000 + low;
    this.isWide = !Number.isSafeInteger(this.int);
  }
}

const NO_BYTES = new Uint8Array(0);

const ZIPLIST_HEADER_BYTES = 10;
const ZIPLIST_END = 255;
/** A previous size from here on takes five bytes. */
const ZIPLIST_LONG_PREVIOUS = 254;
/** A ziplist with that many entries or more does not say how many. */
const ZIPLIST_COUNT_UNKNOWN = 0xffff;

/**
 * A ziplist:
 *
 *     <total bytes, uint32le> <offset of the last entry, uint32le> <entries, uint16le> entry ... 255
 *
 * An entry is the size of the entry before it, what it is, and its bytes:
 *
 *     0xxxxxxx up to 253          previous size, 0 at the first entry
 *     254 <uint32le>
 *
 *     00nnnnnn                    a run of n bytes follows
 *     01nnnnnn nnnnnnnn
 *     10------ <uint32be>
 *     11000000 <int16le>          an integer
 *     11010000 <int32le>
 *     11100000 <int64le>
 *     11110000 <int24le>
 *     11111110 <int8>
 *     1111nnnn                    n from 1 to 13: the integer n - 1
 */
export class ZiplistCursor extends EntryCursor {
  protected override readonly encoding = "Ziplist";
  #tail = 0;
  #count = 0;
  #entryStart = 0;
  #entrySize = 0;

  protected override openFrame(len: number): void {
    const { value, start } = this;
    if (len < ZIPLIST_HEADER_BYTES + 1) this.fail("too short");
    if (uint32le(value, start) !== len) this.fail("wrong total size");
    if (value[this.end - 1] !== ZIPLIST_END) this.fail("no end mark");
    this.#tail = start + uint32le(value, start + 4);
    this.#count = value[start + 8] | (value[start + 9] << 8);
    this.pos = this.#entryStart = start + ZIPLIST_HEADER_BYTES;
    this.#entrySize = 0;
  }

  override next(): boolean {
    const value = this.value;
    const limit = this.end - 1;
    if (this.pos === limit) {
      if (this.#tail !== this.#entryStart) this.fail("wrong offset of the last entry");
      if (this.#count !== ZIPLIST_COUNT_UNKNOWN && this.#count !== this.index) {
        this.fail("wrong number of entries");
      }
      return false;
    }

    const entryStart = this.pos;
    let pos = entryStart;
    let previous = value[pos++];
    if (previous >= ZIPLIST_LONG_PREVIOUS) {
      if (previous === ZIPLIST_END) this.fail("end mark inside");
      if (limit - pos < 4) this.#endsInside();
      previous = uint32le(value, pos);
      pos += 4;
    }
    if (previous !== this.#entrySize) this.fail(`wrong size before entry ${this.index}`);

    if (pos >= limit) this.#endsInside();
    const kind = value[pos++];
    if (kind < 0xc0) {
      let len = kind & 0x3f;
      if (kind >= 0x80) {
        if (limit - pos < 4) this.#endsInside();
        len = uint32be(value, pos);
        pos += 4;
      } else if (kind >= 0x40) {
        if (pos >= limit) this.#endsInside();
        len = (len << 8) | value[pos++];
      }
      if (len > limit - pos) this.#endsInside();
      this.setRun(pos, len);
      pos += len;
    } else {
      const size = ziplistIntegerSize(kind);
      if (size < 0) this.fail(`unknown encoding 0x${kind.toString(16)} of entry ${this.index}`);
      if (size > limit - pos) this.#endsInside();
      if (size === 0) this.setInt32((kind & 15) - 1);
      else if (size === 1) this.setInt32((value[pos] << 24) >> 24);
      else if (size === 2) this.setInt32(((value[pos] | (value[pos + 1] << 8)) << 16) >> 16);
      else if (size === 3) {
        this.setInt32(((value[pos] << 8) | (value[pos + 1] << 16) | (value[pos + 2] << 24)) >> 8);
      } else if (size === 4) this.setInt32(uint32le(value, pos) | 0);
      else this.setInt64(pos);
      pos += size;
    }
    this.#entryStart = entryStart;
    this.#entrySize = pos - entryStart;
    this.pos = pos;
    this.index++;
    return true;
  }

  #endsInside(): never {
    this.fail(`entry ${this.index} runs past the end`);
  }
}

/** Bytes of the integer behind this encoding; 0 when it is in the encoding itself, -1 if unknown. */
function ziplistIntegerSize(kind: number): number {
  if (kind >= 0xf1 && kind <= 0xfd) return 0;
  if (kind === 0xfe) return 1;
  if (kind === 0xc0) return 2;
  if (kind === 0xf0) return 3;
  if (kind === 0xd0) return 4;
  return kind === 0xe0 ? 8 : -1;
}

const ZIPMAP_END = 255;
/** A length from here on takes four bytes more; also: a zipmap that does not say how many pairs. */
const ZIPMAP_LONG = 254;

/**
 * A zipmap, whose entries are given as field, value, field, value, ... and are never integers:
 *
 *     <pairs, 254 = unknown> pair ... 255
 *
 *     pair:    <length> <field> <length> <unused: u> <value> <u bytes without meaning>
 *     length:  one byte up to 253, or 254 <uint32le>
 */
export class ZipmapCursor extends EntryCursor {
  protected override readonly encoding = "Zipmap";

  protected override openFrame(len: number): void {
    if (len < 2) this.fail("too short");
    if (this.value[this.end - 1] !== ZIPMAP_END) this.fail("no end mark");
    if (len === 2) this.fail("no fields");
    this.pos = this.start + 1;
  }

  override next(): boolean {
    const value = this.value;
    const limit = this.end - 1;
    const isField = (this.index & 1) === 0;
    let pos = this.pos;
    if (pos === limit) {
      if (!isField) this.fail("a field without a value");
      const pairs = value[this.start];
      if (pairs < ZIPMAP_LONG && pairs !== this.index >>> 1) this.fail("wrong number of fields");
      return false;
    }

    let len = value[pos++];
    if (len === ZIPMAP_END) this.fail("end mark inside");
    if (len === ZIPMAP_LONG) {
      if (limit - pos < 4) this.fail(`entry ${this.index} runs past the end`);
      len = uint32le(value, pos);
      pos += 4;
    }
    let unused = 0;
    if (!isField) {
      if (pos >= limit) this.fail(`entry ${this.index} runs past the end`);
      unused = value[pos++];
    }
    if (len + unused > limit - pos) this.fail(`entry ${this.index} runs past the end`);
    this.setRun(pos, len);
    this.pos = pos + len + unused;
    this.index++;
    return true;
  }
}

function uint32le(buf: Uint8Array, at: number): number {
  return (buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16) | (buf[at + 3] << 24)) >>> 0;
}

function uint32be(buf: Uint8Array, at: number): number {
  return ((buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3]) >>> 0;
}
