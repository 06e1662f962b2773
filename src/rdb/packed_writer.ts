/**
 * Listpacks as the version that is written knows them: as they are from RDB_VERSION_LISTPACKS on, before that
 * as ziplists (which legacy.ts draws), or as their elements one by one. Used by the kinds of values.
 *
 * Any listpack can be written as a ziplist: both pack the same elements, and an integer stays one. Not done: the
 * limits of those servers (`hash-max-ziplist-entries` and its kin), which they go by themselves when they
 * load one. All here leaves `lpEntry` as it was.
 */

import { copyBytes } from "../base/bytes.ts";
import {
  lpBytes,
  lpCount,
  lpEnd,
  lpEntry,
  lpFirstAt,
  lpGet,
  lpHoldEntry,
  lpReleaseEntry,
  lpSize,
} from "../values/listpack.ts";
import { RDB_VERSION_LISTPACKS } from "./format.ts";
import type { RdbEncoder } from "./writer.ts";

const HEADER_BYTES = 10;
const END = 255;
/** The size of an entry from which on it takes five bytes in the next one. */
const LONG_PREVIOUS = 254;
/** A ziplist with that many entries or more does not say how many. */
const COUNT_UNKNOWN = 0xffff;
/** What an entry may take more than in a listpack: four bytes of the size before it, one of the encoding. */
const EXTRA_BYTES = 5;
/** The buffer that ziplists are made in is kept up to this size. */
const KEPT_BYTES = 1 << 20;

// What an entry is, beside the runs of bytes, whose head has their length.
const RUN_14BIT = 0x40;
const RUN_32BIT = 0x80;
const INT16 = 0xc0;
const INT32 = 0xd0;
const INT64 = 0xe0;
const INT24 = 0xf0;
const INT8 = 0xfe;
/** The integers 0 to 12 are in the head itself, from here on. */
const INT_IMMEDIATE = 0xf1;
const INT_IMMEDIATE_MAX = 12;

let bytes = new Uint8Array(16 * 1024);
let end = 0;
let last = 0;

/** Writes a listpack as a string: as it is, or as a ziplist where the version knows no listpacks. */
export function writeListpack(out: RdbEncoder, buf: Uint8Array, base: number): void {
  if (out.version >= RDB_VERSION_LISTPACKS) out.writeString(buf, base, lpBytes(buf, base));
  else writeZiplist(out, buf, lpFirstAt(base), lpEnd(buf, base), lpCount(buf, base));
}

/** Writes the listpack entries in `buf[from..to)` as a string each. @throws RangeError when memory is refused */
export function writeEntries(out: RdbEncoder, buf: Uint8Array, from: number, to: number): void {
  lpHoldEntry();
  try {
    for (let pos = from; pos < to; pos += lpSize(buf, pos)) {
      lpGet(buf, pos);
      if (lpEntry.isInt) out.writeInteger(lpEntry.big ?? lpEntry.int);
      else out.writeString(buf, lpEntry.off, lpEntry.len);
    }
  } finally {
    lpReleaseEntry();
  }
}

/**
 * Writes `count` listpack entries, which lie in `buf[from..to)`, as a ziplist in a string.
 * @throws RangeError when memory is refused
 */
export function writeZiplist(
  out: RdbEncoder,
  buf: Uint8Array,
  from: number,
  to: number,
  count: number,
): void {
  const most = HEADER_BYTES + (to - from) + count * EXTRA_BYTES + 1;
  if (bytes.length < most) bytes = new Uint8Array(2 * most);
  end = last = HEADER_BYTES;
  lpHoldEntry();
  for (let pos = from; pos < to; pos += lpSize(buf, pos)) {
    lpGet(buf, pos);
    addEntry();
  }
  lpReleaseEntry();
  bytes[end++] = END;
  writeUint32(0, end);
  writeUint32(4, last);
  const known = count < COUNT_UNKNOWN ? count : COUNT_UNKNOWN;
  bytes[8] = known;
  bytes[9] = known >>> 8;
  out.writeString(bytes, 0, end);
  if (bytes.length > KEPT_BYTES) bytes = new Uint8Array(KEPT_BYTES);
}

/**
 * Writes one element, however long, as a ziplist in a string, without a copy of it: a run of bytes, as it
 * is too long for an integer.
 */
export function writeZiplistOf(out: RdbEncoder, buf: Uint8Array, off: number, len: number): void {
  const total = HEADER_BYTES + 6 + len + 1;
  out.openString(total);
  writeUint32(0, total);
  writeUint32(4, HEADER_BYTES);
  bytes[8] = 1;
  bytes[9] = 0;
  bytes[10] = 0;
  bytes[11] = RUN_32BIT;
  writeUint32be(12, len);
  out.writeBytes(bytes, 0, HEADER_BYTES + 6);
  out.writeBytes(buf, off, len);
  out.writeByte(END);
}

/** Adds the entry in `lpEntry`. */
function addEntry(): void {
  const previous = end - last;
  last = end;
  if (previous < LONG_PREVIOUS) bytes[end++] = previous;
  else {
    bytes[end] = LONG_PREVIOUS;
    writeUint32(end + 1, previous);
    end += 5;
  }
  if (!lpEntry.isInt) addRun(lpEntry.buf, lpEntry.off, lpEntry.len);
  else if (lpEntry.big === null) addInteger(lpEntry.int);
  else addInt64(lpEntry.big);
}

function addRun(buf: Uint8Array, off: number, len: number): void {
  if (len < RUN_14BIT) bytes[end++] = len;
  else if (len < 1 << 14) {
    bytes[end++] = RUN_14BIT | (len >>> 8);
    bytes[end++] = len;
  } else {
    bytes[end] = RUN_32BIT;
    writeUint32be(end + 1, len);
    end += 5;
  }
  copyBytes(bytes, end, buf, off, len);
  end += len;
}

function addInteger(value: number): void {
  if (value >= 0 && value <= INT_IMMEDIATE_MAX) bytes[end++] = INT_IMMEDIATE + value;
  else if (value === (value << 24) >> 24) addSized(INT8, value, 1);
  else if (value === (value << 16) >> 16) addSized(INT16, value, 2);
  else if (value === (value << 8) >> 8) addSized(INT24, value, 3);
  else if (value === (value | 0)) addSized(INT32, value, 4);
  else addInt64(BigInt(value));
}

/** Adds an integer of `size` bytes, at most four, least significant first. */
function addSized(head: number, value: number, size: number): void {
  bytes[end++] = head;
  for (let i = 0; i < size; i++) bytes[end++] = value >> (8 * i);
}

function addInt64(value: bigint): void {
  bytes[end++] = INT64;
  writeUint32(end, Number(BigInt.asUintN(32, value)));
  writeUint32(end + 4, Number(BigInt.asUintN(32, value >> 32n)));
  end += 8;
}

function writeUint32(at: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = value >>> (8 * i);
}

function writeUint32be(at: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = value >>> (24 - 8 * i);
}
