/**
 * SHA-1 (FIPS 180-4), for names and digests that Redis makes with it, not for security. Made for many
 * short inputs: nothing is allocated per call.
 */

export const SHA1_BYTES = 20;

const schedule = new Int32Array(80);
const tail = new Uint8Array(128);

/** Writes the SHA-1 of `length` bytes of `bytes` to `out` at `outOffset`; may overwrite its input. */
export function sha1(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: Uint8Array,
  outOffset = 0,
): void {
  h0 = 0x67452301;
  h1 = 0xefcdab89 | 0;
  h2 = 0x98badcfe | 0;
  h3 = 0x10325476;
  h4 = 0xc3d2e1f0 | 0;
  const whole = length & ~63;
  for (let at = 0; at < whole; at += 64) block(bytes, offset + at);

  // The rest, a one bit, zeros, and the length in bits as 64-bit big-endian.
  const rest = length - whole;
  const size = rest < 56 ? 64 : 128;
  for (let i = 0; i < rest; i++) tail[i] = bytes[offset + whole + i];
  tail[rest] = 0x80;
  tail.fill(0, rest + 1, size - 8);
  writeWord(tail, size - 8, Math.floor(length / 2 ** 29));
  writeWord(tail, size - 4, length << 3);
  block(tail, 0);
  if (size === 128) block(tail, 64);

  writeWord(out, outOffset, h0);
  writeWord(out, outOffset + 4, h1);
  writeWord(out, outOffset + 8, h2);
  writeWord(out, outOffset + 12, h3);
  writeWord(out, outOffset + 16, h4);
}

/** The state between blocks. */
let h0 = 0;
let h1 = 0;
let h2 = 0;
let h3 = 0;
let h4 = 0;

function block(bytes: Uint8Array, at: number): void {
  const w = schedule;
  for (let i = 0; i < 16; i++, at += 4) {
    w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }
  for (let i = 16; i < 80; i++) {
    const x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
    w[i] = (x << 1) | (x >>> 31);
  }
  let a = h0;
  let b = h1;
  let c = h2;
  let d = h3;
  let e = h4;
  for (let i = 0; i < 80; i++) {
    let f: number;
    if (i < 20) f = ((b & c) | (~b & d)) + 0x5a827999;
    else if (i < 40) f = (b ^ c ^ d) + 0x6ed9eba1;
    else if (i < 60) f = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    else f = (b ^ c ^ d) + 0xca62c1d6;
    const next = (((a << 5) | (a >>> 27)) + f + e + w[i]) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  h0 = (h0 + a) | 0;
  h1 = (h1 + b) | 0;
  h2 = (h2 + c) | 0;
  h3 = (h3 + d) | 0;
  h4 = (h4 + e) | 0;
}

function writeWord(out: Uint8Array, at: number, word: number): void {
  out[at] = word >>> 24;
  out[at + 1] = word >>> 16;
  out[at + 2] = word >>> 8;
  out[at + 3] = word;
}

/** Bytes as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
