/**
 * The id of a stream's entry: two numbers of 64 bits, milliseconds and a sequence within them. Each is
 * kept in two halves, so that comparing and counting make no bigint.
 *
 * Pure; used by streams, their commands and their snapshots. An id is changed in place: whoever keeps
 * one makes a copy.
 */

import { writeBigInt, writeInteger } from "../../base/integers.ts";

const TWO_TO_32 = 0x100000000;
const HALF_MAX = 0xffffffff;
/** Upper half from which a number passes 2^53. */
const WIDE_FROM = 0x200000;

/** Most bytes of an id's text. */
export const STREAM_ID_TEXT_MAX = 41;
/** Bytes of an id where it is written as one number, the most significant first. */
export const STREAM_ID_BYTES = 16;

// The sum of the last `add64`.
let sumHigh = 0;
let sumLow = 0;

/** Adds a signed number to one of 64 bits: `sumHigh`, `sumLow`. */
function add64(high: number, low: number, n: number | bigint): void {
  if (typeof n === "number" && n >= 0 && low + n < TWO_TO_32) { // as it mostly is
    sumHigh = high;
    sumLow = low + n;
    return;
  }
  let moreHigh: number;
  let moreLow: number;
  if (typeof n === "bigint") {
    moreHigh = Number(BigInt.asUintN(64, n) >> 32n);
    moreLow = Number(n & 0xffffffffn);
  } else {
    moreHigh = Math.floor(n / TWO_TO_32);
    moreLow = n - moreHigh * TWO_TO_32;
  }
  const sum = low + moreLow;
  sumLow = sum >>> 0;
  sumHigh = (high + moreHigh + (sum >= TWO_TO_32 ? 1 : 0)) >>> 0;
}

/** The difference of two numbers of 64 bits, as a signed one of 64 bits. */
function subtract64(
  high: number,
  low: number,
  lessHigh: number,
  lessLow: number,
): number | bigint {
  if (high === lessHigh) return low - lessLow; // as it mostly is
  const difference = (high - lessHigh) * TWO_TO_32 + (low - lessLow);
  if (Number.isSafeInteger(difference)) return difference;
  return BigInt.asIntN(64, wide(high, low) - wide(lessHigh, lessLow));
}

function wide(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

function writeHalves(buf: Uint8Array, off: number, high: number, low: number): number {
  if (high < WIDE_FROM) return writeInteger(buf, off, high * TWO_TO_32 + low);
  return writeBigInt(buf, off, wide(high, low));
}

export class StreamId {
  constructor(
    public msHigh = 0,
    public msLow = 0,
    public seqHigh = 0,
    public seqLow = 0,
  ) {}

  /** The greatest id there is. */
  static greatest(): StreamId {
    return new StreamId(HALF_MAX, HALF_MAX, HALF_MAX, HALF_MAX);
  }

  set(msHigh: number, msLow: number, seqHigh: number, seqLow: number): this {
    this.msHigh = msHigh;
    this.msLow = msLow;
    this.seqHigh = seqHigh;
    this.seqLow = seqLow;
    return this;
  }

  copy(from: StreamId): this {
    return this.set(from.msHigh, from.msLow, from.seqHigh, from.seqLow);
  }

  clone(): StreamId {
    return new StreamId(this.msHigh, this.msLow, this.seqHigh, this.seqLow);
  }

  get isZero(): boolean {
    return this.msHigh === 0 && this.msLow === 0 && this.seqHigh === 0 && this.seqLow === 0;
  }

  get isGreatest(): boolean {
    return this.msHigh === HALF_MAX && this.msLow === HALF_MAX &&
      this.seqHigh === HALF_MAX && this.seqLow === HALF_MAX;
  }

  /** Below 0, 0 or above 0 as this id is less than, equal to or greater than another. */
  compare(other: StreamId): number {
    return this.msHigh - other.msHigh || this.msLow - other.msLow ||
      this.seqHigh - other.seqHigh || this.seqLow - other.seqLow;
  }

  equals(other: StreamId): boolean {
    return this.compare(other) === 0;
  }

  /** The next id in place; false, and 0-0, when there is none. */
  increment(): boolean {
    this.seqLow = (this.seqLow + 1) >>> 0;
    if (this.seqLow !== 0) return true;
    this.seqHigh = (this.seqHigh + 1) >>> 0;
    if (this.seqHigh !== 0) return true;
    this.msLow = (this.msLow + 1) >>> 0;
    if (this.msLow !== 0) return true;
    this.msHigh = (this.msHigh + 1) >>> 0;
    return this.msHigh !== 0;
  }

  /** The id before in place; false, and the greatest id, when there is none. */
  decrement(): boolean {
    this.seqLow = (this.seqLow - 1) >>> 0;
    if (this.seqLow !== HALF_MAX) return true;
    this.seqHigh = (this.seqHigh - 1) >>> 0;
    if (this.seqHigh !== HALF_MAX) return true;
    this.msLow = (this.msLow - 1) >>> 0;
    if (this.msLow !== HALF_MAX) return true;
    this.msHigh = (this.msHigh - 1) >>> 0;
    return this.msHigh !== HALF_MAX;
  }

  /** The id that follows `last` at a time in ms: its first one, unless the clock is behind. */
  setNext(last: StreamId, nowMs: number): this {
    const high = Math.floor(nowMs / TWO_TO_32);
    const low = nowMs - high * TWO_TO_32;
    if (high > last.msHigh || (high === last.msHigh && low > last.msLow)) {
      return this.set(high, low, 0, 0);
    }
    this.copy(last).increment();
    return this;
  }

  /** Milliseconds from another id's to this one's, modulo 2^64. */
  msSince(other: StreamId): number | bigint {
    return subtract64(this.msHigh, this.msLow, other.msHigh, other.msLow);
  }

  /** This sequence less another id's, modulo 2^64. */
  seqSince(other: StreamId): number | bigint {
    return subtract64(this.seqHigh, this.seqLow, other.seqHigh, other.seqLow);
  }

  /** The milliseconds of another id and so many more. */
  setMsAfter(other: StreamId, ms: number | bigint): void {
    add64(other.msHigh, other.msLow, ms);
    this.msHigh = sumHigh;
    this.msLow = sumLow;
  }

  /** The sequence of another id and so many more. */
  setSeqAfter(other: StreamId, seq: number | bigint): void {
    add64(other.seqHigh, other.seqLow, seq);
    this.seqHigh = sumHigh;
    this.seqLow = sumLow;
  }

  /** Writes "ms-seq"; how many bytes that took. `buf` must have room for STREAM_ID_TEXT_MAX. */
  writeText(buf: Uint8Array, off: number): number {
    return this.writeSequence(buf, this.writeMs(buf, off)) - off;
  }

  /** Writes the milliseconds and "-"; returns where the sequence comes. */
  writeMs(buf: Uint8Array, off: number): number {
    const dash = off + writeHalves(buf, off, this.msHigh, this.msLow);
    buf[dash] = 0x2d;
    return dash + 1;
  }

  /** Writes the sequence; returns where it ends. `buf` must have room for STREAM_ID_TEXT_MAX in all. */
  writeSequence(buf: Uint8Array, off: number): number {
    return off + writeHalves(buf, off, this.seqHigh, this.seqLow);
  }

  toString(): string {
    return `${wide(this.msHigh, this.msLow)}-${wide(this.seqHigh, this.seqLow)}`;
  }

  /** Writes the 16 bytes of a snapshot. */
  writeBytes(buf: Uint8Array, off: number): void {
    writeUint32(buf, off, this.msHigh);
    writeUint32(buf, off + 4, this.msLow);
    writeUint32(buf, off + 8, this.seqHigh);
    writeUint32(buf, off + 12, this.seqLow);
  }

  /** Reads the 16 bytes of a snapshot. */
  readBytes(buf: Uint8Array, off: number): this {
    return this.set(
      readUint32(buf, off),
      readUint32(buf, off + 4),
      readUint32(buf, off + 8),
      readUint32(buf, off + 12),
    );
  }
}

function writeUint32(buf: Uint8Array, off: number, n: number): void {
  buf[off] = n >>> 24;
  buf[off + 1] = n >>> 16;
  buf[off + 2] = n >>> 8;
  buf[off + 3] = n;
}

function readUint32(buf: Uint8Array, off: number): number {
  return ((buf[off] << 24) | (buf[off + 1] << 16) | (buf[off + 2] << 8) | buf[off + 3]) >>> 0;
}
