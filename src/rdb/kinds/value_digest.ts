/**
 * A digest of 20 bytes under construction, by the two operations that Redis's DEBUG DIGEST has:
 *
 *     xor   digest = digest XOR sha1(bytes)           order does not matter
 *     mix   digest = sha1(digest XOR sha1(bytes))     order matters
 */

import { hex, sha1, SHA1_BYTES } from "../../base/sha1.ts";

const scratch = new Uint8Array(SHA1_BYTES);
const integer = new Uint8Array(4);

export class ValueDigest {
  readonly #bytes = new Uint8Array(SHA1_BYTES);

  /** Starts anew. */
  clear(): void {
    this.#bytes.fill(0);
  }

  xor(bytes: Uint8Array, offset: number, length: number): void {
    sha1(bytes, offset, length, scratch);
    for (let i = 0; i < SHA1_BYTES; i++) this.#bytes[i] ^= scratch[i];
  }

  mix(bytes: Uint8Array, offset: number, length: number): void {
    this.xor(bytes, offset, length);
    sha1(this.#bytes, 0, SHA1_BYTES, this.#bytes);
  }

  /** Mixes an integer as four bytes, big-endian. */
  mixInteger(n: number): void {
    integer[0] = n >>> 24;
    integer[1] = n >>> 16;
    integer[2] = n >>> 8;
    integer[3] = n;
    this.mix(integer, 0, 4);
  }

  /** Xors another digest. */
  xorDigest(other: ValueDigest): void {
    this.xor(other.#bytes, 0, SHA1_BYTES);
  }

  /** Forty hexadecimal digits. */
  toHex(): string {
    return hex(this.#bytes);
  }
}

const ofPair = new ValueDigest();

/**
 * Xors the digest of mixing two runs of bytes: a field and its value, a member and its score. `mark` is xored
 * into that first, for what there is to be said of the pair beside.
 */
export function xorPair(
  digest: ValueDigest,
  first: Uint8Array,
  firstAt: number,
  firstLength: number,
  second: Uint8Array,
  secondAt: number,
  secondLength: number,
  mark: Uint8Array | null = null,
): void {
  ofPair.clear();
  ofPair.mix(first, firstAt, firstLength);
  ofPair.mix(second, secondAt, secondLength);
  if (mark !== null) ofPair.xor(mark, 0, mark.length);
  digest.xorDigest(ofPair);
}
