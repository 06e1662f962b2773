/**
 * A hash of 128 bits, keyed, of bytes or of a sequence of such hashes: by it values of two datasets are compared without
 * being kept. It is the 128-bit form of MurmurHash3 for machines of 32 bits, block by block; the key is drawn anew for
 * each comparison, so nobody can make two values that it takes for the same.
 *
 * @see {@link https://github.com/aappleby/smhasher}
 */

const C1 = 0x239b961b;
const C2 = 0xab0e9789 | 0;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93 | 0;
const BLOCK_BYTES = 16;

/** The key, of the process. */
const seed = new Int32Array(4);

/** Draws the key anew: hashes that were made before are good for nothing any more. */
export function drawHashKey(fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void): void {
  fillRandom(new Uint8Array(seed.buffer));
}

/** One hash under construction; a, b, c, d are its four words once `finish` or `ofBytes` has come to its end. */
export class Hash128 {
  a = 0;
  b = 0;
  c = 0;
  d = 0;
  #blocks = 0;

  /** Starts anew, with a number that tells apart what would look the same otherwise. */
  begin(kind: number): this {
    this.a = seed[0] ^ kind;
    this.b = seed[1];
    this.c = seed[2];
    this.d = seed[3];
    this.#blocks = 0;
    return this;
  }

  /** Takes in the four words of a hash. */
  add({ a, b, c, d }: Hash128): void {
    this.block(a, b, c, d);
  }

  /** Takes in a double, bit by bit. */
  addNumber(n: number): void {
    double[0] = n;
    this.block(doubleWords[0], doubleWords[1], 0, 0);
  }

  /** Takes in four words. */
  block(k1: number, k2: number, k3: number, k4: number): void {
    this.#blocks++;
    this.a ^= Math.imul(rotated(Math.imul(k1, C1), 15), C2);
    this.a = (Math.imul(rotated(this.a, 19) + this.b, 5) + 0x561ccd1b) | 0;
    this.b ^= Math.imul(rotated(Math.imul(k2, C2), 16), C3);
    this.b = (Math.imul(rotated(this.b, 17) + this.c, 5) + 0x0bcaa747) | 0;
    this.c ^= Math.imul(rotated(Math.imul(k3, C3), 17), C4);
    this.c = (Math.imul(rotated(this.c, 15) + this.d, 5) + 0x96cd1c35) | 0;
    this.d ^= Math.imul(rotated(Math.imul(k4, C4), 18), C1);
    this.d = (Math.imul(rotated(this.d, 13) + this.a, 5) + 0x32ac3b17) | 0;
  }

  /** Takes in bytes, and how many they are. */
  addBytes(bytes: Uint8Array, offset: number, length: number): void {
    const end = offset + length;
    let at = offset;
    for (; at + BLOCK_BYTES <= end; at += BLOCK_BYTES) {
      this.block(word(bytes, at), word(bytes, at + 4), word(bytes, at + 8), word(bytes, at + 12));
    }
    for (let i = 0; i < BLOCK_BYTES; i++) tail[i] = at + i < end ? bytes[at + i] : 0;
    this.block(word(tail, 0), word(tail, 4), word(tail, 8), word(tail, 12));
    this.block(length, length / 0x100000000, 0, 0);
  }

  /** Starts anew on bytes, and comes to the end. */
  ofBytes(kind: number, bytes: Uint8Array, offset: number, length: number): this {
    this.begin(kind).addBytes(bytes, offset, length);
    return this.finish();
  }

  finish(): this {
    const blocks = this.#blocks;
    this.a ^= blocks;
    this.b ^= blocks;
    this.c ^= blocks;
    this.d ^= blocks;
    this.#spread();
    this.a = scrambled(this.a);
    this.b = scrambled(this.b);
    this.c = scrambled(this.c);
    this.d = scrambled(this.d);
    this.#spread();
    return this;
  }

  #spread(): void {
    this.a = (this.a + this.b + this.c + this.d) | 0;
    this.b = (this.b + this.a) | 0;
    this.c = (this.c + this.a) | 0;
    this.d = (this.d + this.a) | 0;
  }
}

const double = new Float64Array(1);
const doubleWords = new Int32Array(double.buffer);
const tail = new Uint8Array(BLOCK_BYTES);

function word(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

function rotated(n: number, bits: number): number {
  return (n << bits) | (n >>> (32 - bits));
}

function scrambled(n: number): number {
  n = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  n = Math.imul(n ^ (n >>> 13), 0xc2b2ae35);
  return n ^ (n >>> 16);
}
