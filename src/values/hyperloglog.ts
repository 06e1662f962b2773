/**
 * HyperLogLog: how many different elements have been added, estimated from 16,384 registers of six
 * bits, in the two forms that Redis keeps in a string, byte for byte.
 *
 * Bytes in, bytes out: beside the path, used by the commands of its group. What is wrong with bytes
 * that somebody else wrote is answered, never thrown.
 *
 * A value begins with a header of 16 bytes:
 *
 *     +------+----------+-------+----------------------+
 *     | HYLL | encoding | 0 0 0 | estimate, 8 bytes LE |
 *     +------+----------+-------+----------------------+
 *
 * The estimate is kept from the last count; the top bit of its last byte says that it is out of date.
 * Behind the header the dense form (encoding 0) has all registers, six bits each, lowest bits first.
 * The sparse form (encoding 1) has runs of equal registers:
 *
 *     00xxxxxx           a run of x + 1 registers that are 0        ("zero")
 *     01xxxxxx yyyyyyyy  a run of xy + 1 registers that are 0       ("long zero")
 *     1vvvvvxx           a run of x + 1 registers of value v + 1    ("value")
 *
 * The estimate is Otmar Ertl's improved one (arXiv:1702.01284).
 */

import { murmurHash64, murmurHigh, murmurLow } from "../base/murmur_hash.ts";

/** Registers of a HyperLogLog. */
export const HLL_REGISTERS = 16_384;
/** Bytes of the header. */
export const HLL_HEADER_BYTES = 16;
/** Bytes of the dense form. */
export const HLL_DENSE_BYTES = HLL_HEADER_BYTES + HLL_REGISTERS * 6 / 8;
/** The sparse form, with no element. Not to be written to. */
export const EMPTY_HLL = Uint8Array.of(
  0x48,
  0x59,
  0x4c,
  0x4c,
  1,
  ...new Array(11).fill(0),
  0x7f,
  0xff,
);

/** Encoding: all registers. */
export const HLL_DENSE = 0;
/** Encoding: runs of equal registers. */
export const HLL_SPARSE = 1;

const ENCODING = 4;
const ESTIMATE = 8;
const OUT_OF_DATE = 0x80;

const HASH_SEED = 0xadc83b19;
const INDEX_BITS = 14;
/** Bits of a hash that are not the index. */
const COUNTED_BITS = 64 - INDEX_BITS;

const ZERO_RUN_MAX = 64;
const VALUE_RUN_MAX = 4;
/** The highest register that the sparse form can say. */
const SPARSE_VALUE_MAX = 32;

/** Whether these bytes are a HyperLogLog by their header and length; its runs are not looked at. */
export function isHyperLogLog(bytes: Uint8Array, offset: number, length: number): boolean {
  if (length < HLL_HEADER_BYTES) return false;
  for (let i = 0; i < 4; i++) if (bytes[offset + i] !== EMPTY_HLL[i]) return false;
  const encoding = bytes[offset + ENCODING];
  return encoding === HLL_SPARSE || (encoding === HLL_DENSE && length === HLL_DENSE_BYTES);
}

/** HLL_DENSE or HLL_SPARSE. */
export function hllEncoding(bytes: Uint8Array, offset: number): number {
  return bytes[offset + ENCODING];
}

// -- the kept estimate ---------------------------------------------------------------------

/** The estimate of the last count, a bigint from 2^53 on; null when elements have been added since. */
export function keptEstimate(bytes: Uint8Array, offset: number): number | bigint | null {
  const at = offset + ESTIMATE;
  if ((bytes[at + 7] & OUT_OF_DATE) !== 0) return null;
  const low = uint32At(bytes, at);
  const high = uint32At(bytes, at + 4);
  return high < 2 ** 21 ? high * 2 ** 32 + low : (BigInt(high) << 32n) | BigInt(low);
}

function uint32At(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** Keeps an estimate in the header. */
export function keepEstimate(bytes: Uint8Array, offset: number, estimate: bigint): void {
  for (let i = 0; i < 8; i++) {
    bytes[offset + ESTIMATE + i] = Number((estimate >> BigInt(8 * i)) & 0xffn);
  }
}

/** Says that the kept estimate is out of date. */
export function dropEstimate(bytes: Uint8Array, offset: number): void {
  bytes[offset + HLL_HEADER_BYTES - 1] |= OUT_OF_DATE;
}

// -- elements --------------------------------------------------------------------------------

/** The register that the last `hashElement` chose. */
export let elementRegister = 0;
/** The value that the last `hashElement` asks of it: 1 to 51. */
export let elementValue = 0;

/** Finds which register an element raises, and to what: `elementRegister`, `elementValue`. */
export function hashElement(bytes: Uint8Array, offset: number, length: number): void {
  murmurHash64(bytes, offset, length, HASH_SEED);
  elementRegister = murmurLow & (HLL_REGISTERS - 1);
  // One more than the zeros below the lowest bit that is set, of the bits that are not the index.
  const low = murmurLow >>> INDEX_BITS;
  if (low !== 0) elementValue = 1 + trailingZeros(low);
  else if (murmurHigh !== 0) elementValue = 1 + 32 - INDEX_BITS + trailingZeros(murmurHigh);
  else elementValue = COUNTED_BITS + 1;
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}

// -- dense -------------------------------------------------------------------------------------

/** A register of the dense form that begins at `offset`. */
export function denseRegister(bytes: Uint8Array, offset: number, register: number): number {
  const bit = register * 6;
  const at = offset + HLL_HEADER_BYTES + (bit >>> 3);
  const shift = bit & 7;
  if (shift <= 2) return (bytes[at] >>> shift) & 63;
  return ((bytes[at] >>> shift) | (bytes[at + 1] << (8 - shift))) & 63;
}

/** Sets a register of the dense form that begins at `offset`. */
export function setDenseRegister(
  bytes: Uint8Array,
  offset: number,
  register: number,
  value: number,
): void {
  const bit = register * 6;
  const at = offset + HLL_HEADER_BYTES + (bit >>> 3);
  const shift = bit & 7;
  bytes[at] = (bytes[at] & ~(63 << shift)) | (value << shift);
  if (shift > 2) {
    bytes[at + 1] = (bytes[at + 1] & ~(63 >>> (8 - shift))) | (value >>> (8 - shift));
  }
}

// -- runs ----------------------------------------------------------------------------------------

/** Bytes of the last run that was read. */
let runBytes = 0;
/** Registers in it. */
let runLength = 0;
/** Their value. */
let runValue = 0;

/** Reads the run at `at`; a second byte that lies at `end` or beyond counts as 0. */
function readRun(bytes: Uint8Array, at: number, end: number): void {
  const first = bytes[at];
  runBytes = 1;
  if ((first & 0x80) !== 0) {
    runLength = (first & 3) + 1;
    runValue = ((first >>> 2) & 31) + 1;
  } else {
    runValue = 0;
    runLength = (first & 63) + 1;
    if ((first & 0x40) !== 0) {
      runLength = (((first & 63) << 8) | (at + 1 < end ? bytes[at + 1] : 0)) + 1;
      runBytes = 2;
    }
  }
}

/** Writes a run of registers that are 0; the offset behind it. */
function writeZeroRun(bytes: Uint8Array, at: number, length: number): number {
  if (length <= ZERO_RUN_MAX) {
    bytes[at] = length - 1;
    return at + 1;
  }
  bytes[at] = 0x40 | ((length - 1) >>> 8);
  bytes[at + 1] = length - 1;
  return at + 2;
}

/** Writes a run of registers of one value; the offset behind it. */
function writeValueRun(bytes: Uint8Array, at: number, value: number, length: number): number {
  bytes[at] = 0x80 | ((value - 1) << 2) | (length - 1);
  return at + 1;
}

/** The runs from `from` on as text, as PFDEBUG DECODE shows them. */
export function describeRuns(bytes: Uint8Array, offset: number, length: number): string {
  const runs: string[] = [];
  const end = offset + length;
  for (let at = offset + HLL_HEADER_BYTES; at < end; at += runBytes) {
    readRun(bytes, at, end);
    if (runValue > 0) runs.push(`v:${runValue},${runLength}`);
    else runs.push(`${runBytes === 2 ? "Z" : "z"}:${runLength}`);
  }
  return runs.join(" ");
}

// -- all registers ---------------------------------------------------------------------------------

/**
 * Raises each of `registers` to what this HyperLogLog has there. False when its runs are not those of
 * 16,384 registers; some may have been raised then.
 */
export function mergeInto(
  registers: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
): boolean {
  if (hllEncoding(bytes, offset) === HLL_DENSE) {
    mergeDense(registers, bytes, offset + HLL_HEADER_BYTES);
    return true;
  }
  const end = offset + length;
  let register = 0;
  for (let at = offset + HLL_HEADER_BYTES; at < end; at += runBytes) {
    readRun(bytes, at, end);
    if (register + runLength > HLL_REGISTERS) return false;
    const next = register + runLength;
    if (runValue === 0) register = next;
    for (; register < next; register++) {
      if (registers[register] < runValue) registers[register] = runValue;
    }
  }
  return register === HLL_REGISTERS;
}

/** Four registers at a time, of three bytes. */
function mergeDense(registers: Uint8Array, bytes: Uint8Array, from: number): void {
  for (let i = 0, at = from; i < HLL_REGISTERS; i += 4, at += 3) {
    const three = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
    if (three === 0) continue;
    raise(registers, i, three & 63);
    raise(registers, i + 1, (three >>> 6) & 63);
    raise(registers, i + 2, (three >>> 12) & 63);
    raise(registers, i + 3, three >>> 18);
  }
}

function raise(registers: Uint8Array, register: number, value: number): void {
  if (registers[register] < value) registers[register] = value;
}

/** The dense form of `registers`; header, estimate and padding are those of the HyperLogLog `like`. */
export function denseOf(registers: Uint8Array, like: Uint8Array): Uint8Array<ArrayBuffer> {
  const dense = new Uint8Array(HLL_DENSE_BYTES);
  dense.set(like.subarray(0, HLL_HEADER_BYTES));
  dense[ENCODING] = HLL_DENSE;
  for (let i = 0; i < HLL_REGISTERS; i++) {
    if (registers[i] !== 0) setDenseRegister(dense, 0, i, registers[i]);
  }
  return dense;
}

// -- estimates ---------------------------------------------------------------------------------------

const histogram = new Int32Array(64);

/** The estimate for a HyperLogLog; null when its runs are not those of 16,384 registers. */
export function estimateOf(bytes: Uint8Array, offset: number, length: number): bigint | null {
  histogram.fill(0);
  if (hllEncoding(bytes, offset) === HLL_DENSE) countDense(bytes, offset + HLL_HEADER_BYTES);
  else if (!countRuns(bytes, offset + HLL_HEADER_BYTES, offset + length)) return null;
  return estimate();
}

/** The estimate for 16,384 registers of a byte each. */
export function estimateOfRegisters(registers: Uint8Array): bigint {
  histogram.fill(0);
  for (let i = 0; i < HLL_REGISTERS; i++) histogram[registers[i]]++;
  return estimate();
}

function countDense(bytes: Uint8Array, from: number): void {
  for (let at = from; at < from + HLL_REGISTERS * 6 / 8; at += 3) {
    const three = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
    histogram[three & 63]++;
    histogram[(three >>> 6) & 63]++;
    histogram[(three >>> 12) & 63]++;
    histogram[three >>> 18]++;
  }
}

function countRuns(bytes: Uint8Array, from: number, end: number): boolean {
  let registers = 0;
  for (let at = from; at < end; at += runBytes) {
    readRun(bytes, at, end);
    registers += runLength;
    histogram[runValue] += runLength;
  }
  return registers === HLL_REGISTERS;
}

/** 1 / (2 ln 2): the correction for infinitely many registers. */
const ALPHA = 0.721347520444481703680;
/** What an estimate beyond 64 bits is answered as: the C library's answer to rounding it. */
const BEYOND_INTEGERS = -(2n ** 63n);

/** The estimate from the registers counted by value in `histogram`. */
function estimate(): bigint {
  const m = HLL_REGISTERS;
  let z = m * tau((m - histogram[COUNTED_BITS + 1]) / m);
  for (let value = COUNTED_BITS; value >= 1; value--) {
    z += histogram[value];
    z *= 0.5;
  }
  z += m * sigma(histogram[0] / m);
  const result = Math.round(ALPHA * m * m / z);
  return result < 2 ** 63 ? BigInt(result) : BEYOND_INTEGERS;
}

/** Ertl's sigma: the share of registers at 0. */
function sigma(x: number): number {
  if (x === 1) return Infinity;
  let y = 1;
  let z = x;
  for (let before = NaN; z !== before;) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

/** Ertl's tau: the share of registers that are full. */
function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let y = 1;
  let z = 1 - x;
  for (let before = NaN; z !== before;) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}

// -- changing --------------------------------------------------------------------------------------

/** `HllEditor.raise`: the register has this value or a higher one. */
export const RAISE_NOTHING = 0;
/** `HllEditor.raise`: the register has been raised. */
export const RAISE_DONE = 1;
/** `HllEditor.raise`: the runs are not those of 16,384 registers. */
export const RAISE_CORRUPT = -1;

/** Room for a sparse form that grows beyond what Redis allows by default. */
const GROWTH_BYTES = 1024;

/**
 * A copy of a HyperLogLog that registers are raised in; it turns dense where Redis turns it dense. One
 * serves all commands in turn: `open`, change, read `bytes` and `length`.
 */
export class HllEditor {
  bytes: Uint8Array = new Uint8Array(HLL_DENSE_BYTES);
  length = 0;

  /** Takes a copy. `sparseBytesMax` is the longest sparse form, header included. */
  open(bytes: Uint8Array, offset: number, length: number): void {
    // A run that is split needs three bytes more.
    if (this.bytes.length < length + 3) this.bytes = new Uint8Array(length + GROWTH_BYTES);
    this.bytes.set(bytes.subarray(offset, offset + length));
    this.length = length;
  }

  /** Raises a register; RAISE_*. */
  raise(register: number, value: number, sparseBytesMax: number): number {
    if (hllEncoding(this.bytes, 0) === HLL_DENSE) {
      if (denseRegister(this.bytes, 0, register) >= value) return RAISE_NOTHING;
      setDenseRegister(this.bytes, 0, register, value);
    } else {
      const outcome = this.#raiseSparse(register, value, sparseBytesMax);
      if (outcome !== RAISE_DONE) return outcome;
    }
    dropEstimate(this.bytes, 0);
    return RAISE_DONE;
  }

  /** Turns the sparse form into the dense one; false when its runs are wrong. */
  makeDense(): boolean {
    if (hllEncoding(this.bytes, 0) === HLL_DENSE) return true;
    const registers = new Uint8Array(HLL_REGISTERS);
    if (!mergeInto(registers, this.bytes, 0, this.length)) return false;
    this.bytes = denseOf(registers, this.bytes);
    this.length = HLL_DENSE_BYTES;
    return true;
  }

  #raiseSparse(register: number, value: number, sparseBytesMax: number): number {
    if (value > SPARSE_VALUE_MAX) return this.#raiseDense(register, value);
    const { bytes } = this;
    const end = this.length;
    // The run that the register is in, the one before it, and the first register of the run.
    let at = HLL_HEADER_BYTES;
    let before = at;
    let first = 0;
    runLength = 0;
    while (at < end) {
      readRun(bytes, at, end);
      if (register < first + runLength) break;
      before = at;
      at += runBytes;
      first += runLength;
    }
    if (runLength === 0 || at >= end) return RAISE_CORRUPT;
    if (runValue >= value) return RAISE_NOTHING;
    if (runLength === 1 && runBytes === 1) writeValueRun(bytes, at, value, 1);
    else if (!this.#split(at, first, register, value, sparseBytesMax)) {
      return this.#raiseDense(register, value);
    }
    this.#joinRuns(before);
    return RAISE_DONE;
  }

  #raiseDense(register: number, value: number): number {
    if (!this.makeDense()) return RAISE_CORRUPT;
    setDenseRegister(this.bytes, 0, register, value);
    return RAISE_DONE;
  }

  /** Puts one register of another value into the run just read, at `at`; false when there is no room. */
  #split(
    at: number,
    first: number,
    register: number,
    value: number,
    sparseBytesMax: number,
  ): boolean {
    const { bytes } = this;
    const last = first + runLength - 1;
    const runEnd = Math.min(at + runBytes, this.length);
    let size = 0;
    if (register !== first) size = this.#writePart(parts, size, register - first);
    size = writeValueRun(parts, size, value, 1);
    if (register !== last) size = this.#writePart(parts, size, last - register);

    const growth = size - (runEnd - at);
    if (growth > 0 && this.length + growth > sparseBytesMax) return false;
    bytes.copyWithin(runEnd + growth, runEnd, this.length);
    bytes.set(parts.subarray(0, size), at);
    this.length += growth;
    if (bytes.length < this.length + 3) this.open(bytes, 0, this.length);
    return true;
  }

  /** Writes a part of the run just read. */
  #writePart(to: Uint8Array, at: number, length: number): number {
    return runValue === 0 ? writeZeroRun(to, at, length) : writeValueRun(to, at, runValue, length);
  }

  /**
   * Joins neighbouring runs of one value, among the five from `at` on. Five, as the bytes have to be
   * those that Redis ends up with.
   */
  #joinRuns(at: number): void {
    const { bytes } = this;
    for (let steps = 5; steps > 0 && at < this.length; steps--) {
      readRun(bytes, at, this.length);
      const { length, value, next } = { length: runLength, value: runValue, next: at + runBytes };
      if (value > 0 && next < this.length && (bytes[next] & 0x80) !== 0) {
        readRun(bytes, next, this.length);
        if (runValue === value && length + runLength <= VALUE_RUN_MAX) {
          writeValueRun(bytes, next, value, length + runLength);
          bytes.copyWithin(at, next, this.length);
          this.length--;
          continue;
        }
      }
      at = next;
    }
  }
}

/** Where a run that is split is put together. */
const parts = new Uint8Array(5);
