/**
 * XXH3, the 64-bit form without a seed: a fast hash that tells values apart (DIGEST, IFDEQ), no cryptography and none
 * of the tables'. The same function as in every library of the name.
 *
 * Up to 240 bytes it is a handful of 128-bit products, which bigints are good for. What is longer goes through eight
 * accumulators of 64 bits, here in two halves each, 64 bytes at a time.
 *
 * @see {@link https://github.com/Cyan4973/xxHash}
 */

const U64 = (n: bigint) => BigInt.asUintN(64, n);

const PRIME32_1 = 0x9e3779b1n;
const PRIME32_2 = 0x85ebca77n;
const PRIME32_3 = 0xc2b2ae3dn;
const PRIME64_1 = 0x9e3779b185ebca87n;
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME64_3 = 0x165667b19e3779f9n;
const PRIME64_4 = 0x85ebca77c2b2ae63n;
const PRIME64_5 = 0x27d4eb2f165667c5n;
const PRIME_MX1 = 0x165667919e3779f9n;
const PRIME_MX2 = 0x9fb21c651e98df25n;

/** Bytes that input is mixed with. */
const SECRET = bytesOf(
  "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f" +
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c" +
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8" +
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364" +
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e" +
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e",
);
const SECRET_BYTES = 192;

/** What is hashed at present; a view of the whole buffer costs no more than one of a part. */
let input: DataView = new DataView(new ArrayBuffer(0));
let start = 0;

/** The hash of these bytes. */
export function xxh3(bytes: Uint8Array, offset: number, length: number): bigint {
  input = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  start = offset;
  if (length > 240) return new Xxh3Run(length).hash(bytes, offset);
  if (length > 128) return of129To240(length);
  if (length > 16) return of17To128(length);
  if (length > 8) return of9To16(length);
  if (length > 3) return of4To8(length);
  return length > 0 ? of1To3(length) : avalancheOld(secret64(56) ^ secret64(64));
}

/** The hash in 16 hexadecimal digits. */
export function xxh3Hex(bytes: Uint8Array, offset: number, length: number): string {
  return hexOf(xxh3(bytes, offset, length));
}

function hexOf(hash: bigint): string {
  return hash.toString(16).padStart(16, "0");
}

function bytesOf(hex: string): DataView {
  const bytes = Uint8Array.from(hex.match(/../g)!, (digits) => parseInt(digits, 16));
  return new DataView(bytes.buffer);
}

function secret64(at: number): bigint {
  return SECRET.getBigUint64(at, true);
}

function secret32(at: number): bigint {
  return BigInt(SECRET.getUint32(at, true));
}

function read64(at: number): bigint {
  return input.getBigUint64(start + at, true);
}

function read32(at: number): bigint {
  return BigInt(input.getUint32(start + at, true));
}

// -- up to 240 bytes -------------------------------------------------------------------------

function avalanche(hash: bigint): bigint {
  const mixed = U64((hash ^ (hash >> 37n)) * PRIME_MX1);
  return mixed ^ (mixed >> 32n);
}

/** The end of XXH64, which short inputs have in common with it. */
function avalancheOld(hash: bigint): bigint {
  let mixed = U64((hash ^ (hash >> 33n)) * PRIME64_2);
  mixed = U64((mixed ^ (mixed >> 29n)) * PRIME64_3);
  return mixed ^ (mixed >> 32n);
}

/** Both halves of a product, one over the other. */
function folded(a: bigint, b: bigint): bigint {
  const product = a * b;
  return U64(product) ^ (product >> 64n);
}

function rotated(hash: bigint, bits: bigint): bigint {
  return U64(hash << bits) | (hash >> (64n - bits));
}

function reversedBytes(n: bigint): bigint {
  const scratch = new DataView(new ArrayBuffer(8));
  scratch.setBigUint64(0, n, true);
  return scratch.getBigUint64(0, false);
}

/** 16 bytes of input with 16 of the secret. */
function mixed16(at: number, secretAt: number): bigint {
  return folded(read64(at) ^ secret64(secretAt), read64(at + 8) ^ secret64(secretAt + 8));
}

function of1To3(length: number): bigint {
  const first = input.getUint8(start);
  const middle = input.getUint8(start + (length >> 1));
  const last = input.getUint8(start + length - 1);
  const combined = ((first << 16) | (middle << 24) | last | (length << 8)) >>> 0;
  return avalancheOld(BigInt(combined) ^ secret32(0) ^ secret32(4));
}

function of4To8(length: number): bigint {
  let hash = (read32(length - 4) + (read32(0) << 32n)) ^ secret64(8) ^ secret64(16);
  hash ^= rotated(hash, 49n) ^ rotated(hash, 24n);
  hash = U64(hash * PRIME_MX2);
  hash ^= (hash >> 35n) + BigInt(length);
  hash = U64(hash * PRIME_MX2);
  return hash ^ (hash >> 28n);
}

function of9To16(length: number): bigint {
  const low = read64(0) ^ secret64(24) ^ secret64(32);
  const high = read64(length - 8) ^ secret64(40) ^ secret64(48);
  return avalanche(U64(BigInt(length) + reversedBytes(low) + high + folded(low, high)));
}

function of17To128(length: number): bigint {
  let sum = BigInt(length) * PRIME64_1;
  // From both ends, as far as they do not meet.
  for (let pair = (length - 1) >> 5; pair >= 0; pair--) {
    sum += mixed16(pair * 16, pair * 32) + mixed16(length - 16 * (pair + 1), pair * 32 + 16);
  }
  return avalanche(U64(sum));
}

function of129To240(length: number): bigint {
  let sum = BigInt(length) * PRIME64_1;
  for (let at = 0; at < 128; at += 16) sum += mixed16(at, at);
  sum = avalanche(U64(sum));
  for (let at = 128; at + 16 <= length; at += 16) sum += mixed16(at, at - 128 + 3);
  return avalanche(U64(sum + mixed16(length - 16, 136 - 17)));
}

// -- longer input ----------------------------------------------------------------------------

const STRIPE_BYTES = 64;
/** Stripes until the accumulators are scrambled: each moves on by 8 bytes in the secret. */
const STRIPES = (SECRET_BYTES - STRIPE_BYTES) / 8;
const BLOCK_BYTES = STRIPES * STRIPE_BYTES;

const BEGIN = [
  PRIME32_3,
  PRIME64_1,
  PRIME64_2,
  PRIME64_3,
  PRIME64_4,
  PRIME32_2,
  PRIME64_5,
  PRIME32_1,
];
const BEGIN_LOW = Int32Array.from(BEGIN, (n) => Number(BigInt.asIntN(32, n)));
const BEGIN_HIGH = Int32Array.from(BEGIN, (n) => Number(BigInt.asIntN(32, n >> 32n)));
/** The accumulators of the run that is hashed at present. */
let low = BEGIN_LOW;
let high = BEGIN_HIGH;

/** The hash of more than 240 bytes, in steps. Between these they may lie elsewhere, and must be the same. */
export class Xxh3Run {
  readonly #low = BEGIN_LOW.slice();
  readonly #high = BEGIN_HIGH.slice();
  readonly #length: number;
  /** The last byte is never part of a whole block, nor of the whole stripes behind them. */
  readonly #blocksEnd: number;
  #at = 0;

  constructor(length: number) {
    this.#length = length;
    this.#blocksEnd = length - 1 - (length - 1) % BLOCK_BYTES;
  }

  #open(bytes: Uint8Array, offset: number): void {
    input = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    start = offset;
    low = this.#low;
    high = this.#high;
  }

  /** Takes about `stepBytes` more of the bytes at `offset`; true when only the end is left, for `hash`. */
  step(bytes: Uint8Array, offset: number, stepBytes: number): boolean {
    this.#open(bytes, offset);
    const end = Math.min(this.#blocksEnd, this.#at + stepBytes);
    for (; this.#at < end; this.#at += BLOCK_BYTES) {
      accumulate(this.#at, STRIPES);
      scramble();
    }
    return this.#at >= this.#blocksEnd;
  }

  /** Takes all that is left, and answers with the hash. */
  hash(bytes: Uint8Array, offset: number): bigint {
    this.step(bytes, offset, Infinity);
    const length = this.#length;
    accumulate(this.#blocksEnd, Math.floor((length - 1 - this.#blocksEnd) / STRIPE_BYTES));
    addStripe(start + length - STRIPE_BYTES, SECRET_BYTES - STRIPE_BYTES - 7);
    let sum = BigInt(length) * PRIME64_1;
    for (let i = 0; i < 8; i += 2) {
      const at = 11 + 8 * i;
      sum += folded(accumulator(i) ^ secret64(at), accumulator(i + 1) ^ secret64(at + 8));
    }
    return avalanche(U64(sum));
  }

  /** `hash` in 16 hexadecimal digits. */
  hex(bytes: Uint8Array, offset: number): string {
    return hexOf(this.hash(bytes, offset));
  }
}

function accumulator(i: number): bigint {
  return (BigInt(high[i] >>> 0) << 32n) | BigInt(low[i] >>> 0);
}

function accumulate(at: number, stripes: number): void {
  for (let n = 0; n < stripes; n++) addStripe(start + at + n * STRIPE_BYTES, n * 8);
}

function addStripe(at: number, secretAt: number): void {
  for (let i = 0; i < 8; i++) {
    const dataLow = input.getInt32(at + 8 * i, true);
    const dataHigh = input.getInt32(at + 8 * i + 4, true);
    add(i ^ 1, dataLow, dataHigh);
    const keyLow = dataLow ^ SECRET.getInt32(secretAt + 8 * i, true);
    const keyHigh = dataHigh ^ SECRET.getInt32(secretAt + 8 * i + 4, true);
    add(i, Math.imul(keyLow, keyHigh), highOfProduct(keyLow >>> 0, keyHigh >>> 0));
  }
}

/** Adds 64 bits to an accumulator. */
function add(i: number, addedLow: number, addedHigh: number): void {
  const sum = (low[i] + addedLow) | 0;
  const carry = (sum >>> 0) < (addedLow >>> 0) ? 1 : 0;
  low[i] = sum;
  high[i] = (high[i] + addedHigh + carry) | 0;
}

/**
 * The upper 32 bits of the product of two numbers of 32 bits. A double has it but for its last eleven bits, which
 * are nothing beside half of 2^32.
 */
function highOfProduct(a: number, b: number): number {
  const lowest = Math.imul(a, b) >>> 0;
  return Math.floor((a * b - lowest) / 2 ** 32 + 0.5);
}

function scramble(): void {
  const prime = Number(PRIME32_1);
  for (let i = 0; i < 8; i++) {
    const at = SECRET_BYTES - STRIPE_BYTES + 8 * i;
    const mixedLow = low[i] ^ (high[i] >>> 15) ^ SECRET.getInt32(at, true);
    const mixedHigh = high[i] ^ SECRET.getInt32(at + 4, true);
    low[i] = Math.imul(mixedLow, prime);
    high[i] = (highOfProduct(mixedLow >>> 0, prime) + Math.imul(mixedHigh, prime)) | 0;
  }
}
