/**
 * MurmurHash64A (Austin Appleby, public domain) of bytes: what a HyperLogLog's registers are drawn from.
 * The 64 bits are kept in two halves, as a bigint for each step would cost a hundred times as much.
 *
 * Beside the path, pure.
 */

const MULTIPLIER_LOW = 0x5bd1e995;
const MULTIPLIER_HIGH = 0xc6a4a793;

/** The lower half of the last hash, as a signed 32-bit integer. */
export let murmurLow = 0;
/** The upper half of the last hash, as a signed 32-bit integer. */
export let murmurHigh = 0;

/** Sets `murmurLow` and `murmurHigh` to the hash of `length` bytes at `offset`; `seed` has 32 bits. */
export function murmurHash64(
  bytes: Uint8Array,
  offset: number,
  length: number,
  seed: number,
): void {
  low = seed | 0;
  high = 0;
  // The length times the multiplier: a word of a request is shorter than 2^32 bytes.
  const seedLow = low;
  low = length | 0;
  multiply();
  low ^= seedLow;

  let at = offset;
  for (const end = offset + (length & ~7); at < end; at += 8) {
    mixIn(wordAt(bytes, at), wordAt(bytes, at + 4));
    multiply();
  }
  if ((length & 7) !== 0) {
    xorTail(bytes, at, length & 7);
    multiply();
  }
  low ^= high >>> 15;
  multiply();
  low ^= high >>> 15;
  murmurLow = low;
  murmurHigh = high;
}

// The number that the steps below work on.
let low = 0;
let high = 0;

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** Mixes eight bytes by themselves, then into the hash. */
function mixIn(wordLow: number, wordHigh: number): void {
  const hashLow = low;
  const hashHigh = high;
  low = wordLow;
  high = wordHigh;
  multiply();
  low ^= high >>> 15; // the number moved right by 47 bits
  multiply();
  low ^= hashLow;
  high ^= hashHigh;
}

/** Puts the last one to seven bytes into the hash. */
function xorTail(bytes: Uint8Array, at: number, count: number): void {
  for (let i = 0; i < count; i++) {
    if (i < 4) low ^= bytes[at + i] << (8 * i);
    else high ^= bytes[at + i] << (8 * (i - 4));
  }
}

/** Multiplies the number by the multiplier, modulo 2^64. */
function multiply(): void {
  const low0 = low & 0xffff;
  const low1 = low >>> 16;
  const by0 = MULTIPLIER_LOW & 0xffff;
  const by1 = MULTIPLIER_LOW >>> 16;
  // The upper half of the product of the lower halves, 16 bits at a time: no step passes 2^53.
  const first = low1 * by0 + ((low0 * by0) >>> 16);
  const second = low0 * by1 + (first & 0xffff);
  const carried = low1 * by1 + (first >>> 16) + (second >>> 16);
  high = (carried + Math.imul(low, MULTIPLIER_HIGH) + Math.imul(high, MULTIPLIER_LOW)) | 0;
  low = Math.imul(low, MULTIPLIER_LOW);
}
