/**
 * The keyed hash of keys, fields and members: HalfSipHash-1-3 (32 bits), computed over bytes
 * where they lie. It is keyed because the words come from outside: without the secret nobody can
 * choose words that all fall into one bucket.
 *
 * @see {@link https://github.com/veorq/SipHash} the specification of the family
 */

/** The secret key, of the process: tables of all its servers are filled with it. */
let [key0, key1] = crypto.getRandomValues(new Int32Array(2));

/**
 * Sets the key, for runs that are to be the same each time. Only before the first table of the process
 * is filled: what is in a table by then is not found any more.
 */
export function seedHash(low: number, high: number): void {
  key0 = low | 0;
  key1 = high | 0;
}

/** Longest key that `hashedWords` holds whole, in bytes. */
export const HASHED_BYTES_MAX = 124;
const HASHED_WORDS_MASK = 31;
/**
 * The bytes that were hashed last, four to a word, little-endian; bits beyond their end are undefined. They
 * were put together for the hash, and serve whoever compares those bytes with some that are aligned. Of a key
 * longer than HASHED_BYTES_MAX it holds nothing useful.
 */
export const hashedWords = new Int32Array(HASHED_WORDS_MASK + 1);

/**
 * Hash of `length` bytes at `offset`, as a signed 32-bit integer; leaves them in `hashedWords`. Cost: one
 * round per 4 bytes.
 */
export function hashBytes(bytes: Uint8Array, offset: number, length: number): number {
  let v0 = key0;
  let v1 = key1;
  let v2 = 0x6c796765 ^ key0;
  let v3 = 0x74656462 ^ key1;
  const end = offset + (length & ~3);
  let at = offset;
  let word = 0;
  for (; at < end; at += 4) {
    const m = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    hashedWords[word++ & HASHED_WORDS_MASK] = m;
    v3 ^= m;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= m;
  }
  let last = length << 24;
  switch (length & 3) {
    case 3:
      last |= bytes[at + 2] << 16;
      /* falls through */
    case 2:
      last |= bytes[at + 1] << 8;
      /* falls through */
    case 1:
      last |= bytes[at];
  }
  hashedWords[word & HASHED_WORDS_MASK] = last;
  v3 ^= last;
  for (let round = 0; round < 4; round++) {
    // The first round takes in the last word, the other three finish.
    if (round === 1) {
      v0 ^= last;
      v2 ^= 0xff;
    }
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  return v1 ^ v3;
}
