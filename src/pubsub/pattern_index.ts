/**
 * Finds the patterns that match a channel without trying each. A pattern is filed under its literal
 * prefix, the bytes before its first `*`, `?`, `[` or `\`: only those filed under a beginning of the
 * channel's name can match. Beginnings are looked up for the lengths that some prefix has, with a
 * hash that grows along with the name.
 *
 * Patterns without a prefix are looked at for every message, as in Redis. Those that share a prefix are
 * told apart by the bytes they end with, where those are literal, and by which bytes and pairs of bytes
 * they need anywhere: as bits of two integers, which say no to nearly all at the cost of a comparison.
 */

import { equalBytes } from "../base/bytes.ts";
import { elementEnd, globMatch } from "../base/glob.ts";

/** An object with the bytes of a pattern, which must not change. */
export interface Named {
  readonly name: Uint8Array;
}

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;

/** Length of the literal beginning of a pattern. */
export function literalPrefixLength(pattern: Uint8Array): number {
  let at = 0;
  while (at < pattern.length && !isSpecial(pattern[at])) at++;
  return at;
}

/** Length of the literal end of a pattern that has something else before it. */
function literalSuffixLength(pattern: Uint8Array, prefixLength: number): number {
  // Behind a bracket or a backslash a byte may mean something else: such patterns have none.
  for (let i = prefixLength; i < pattern.length; i++) {
    if (pattern[i] === OPEN || pattern[i] === BACKSLASH) return 0;
  }
  let at = pattern.length;
  while (at > prefixLength && !isSpecial(pattern[at - 1])) at--;
  return pattern.length - at;
}

function isSpecial(byte: number): boolean {
  return byte === STAR || byte === QUESTION || byte === OPEN || byte === BACKSLASH;
}

/**
 * The bytes of a run, each as a bit: `bytes`; and those that follow each other: `pairs`. Two may share
 * a bit, so that a bit that is not there says something, and one that is there nothing.
 */
class Signature {
  bytes = 0;
  pairs = 0;
  #previous = -1;

  begin(): void {
    this.bytes = 0;
    this.pairs = 0;
    this.#previous = -1;
  }

  add(byte: number): void {
    this.bytes |= 1 << (Math.imul(byte, SPREAD) >>> 27);
    if (this.#previous >= 0) {
      this.pairs |= 1 << (Math.imul(this.#previous << 8 | byte, SPREAD) >>> 27);
    }
    this.#previous = byte;
  }

  /** What follows is no neighbour of what was added last. */
  breakOff(): void {
    this.#previous = -1;
  }

  /** Of a name. */
  addAll(bytes: Uint8Array, offset: number, length: number): void {
    for (let i = 0; i < length; i++) this.add(bytes[offset + i]);
  }

  /** Of what a pattern needs: its plain bytes. A class of bytes is none of them. */
  addPattern(pattern: Uint8Array): void {
    for (let i = 0; i < pattern.length; i = elementEnd(pattern, i, pattern.length)) {
      const first = pattern[i];
      if (first === STAR || first === QUESTION || first === OPEN) this.breakOff();
      else this.add(first === BACKSLASH && i + 1 < pattern.length ? pattern[i + 1] : first);
    }
  }
}

const SPREAD = 0x9e3779b1;
const signature = new Signature();

/** A pattern as it is filed. */
interface Filed<T> {
  readonly item: T;
  readonly suffixLength: number;
  /** Bits of the bytes, and of the pairs of neighbours, that a name must have to match. */
  readonly neededBytes: number;
  readonly neededPairs: number;
  readonly bucket: Bucket<T>;
  /** Its place in the bucket. */
  index: number;
}

/** Patterns with the same literal prefix. */
interface Bucket<T> {
  readonly prefix: Uint8Array;
  readonly hash: number;
  readonly patterns: Filed<T>[];
}

/**
 * What the hash of a prefix is multiplied by at each byte: an odd number that clients cannot know.
 */
const factor = (crypto.getRandomValues(new Int32Array(1))[0] << 1) | 1;

export class PatternIndex<T extends Named> {
  /** Buckets by the hash of their prefix; several where hashes are equal. */
  readonly #buckets = new Map<number, Bucket<T>[]>();
  readonly #filed = new Map<T, Filed<T>>();
  /** For each length, how many buckets have a prefix of that length. */
  #lengths: number[] = [];

  add(item: T): void {
    const { name } = item;
    const prefixLength = literalPrefixLength(name);
    const hash = prefixHash(name, prefixLength);
    let buckets = this.#buckets.get(hash);
    if (buckets === undefined) this.#buckets.set(hash, buckets = []);
    let bucket = buckets.find(({ prefix }) =>
      prefix.length === prefixLength && isPrefix(prefix, name, 0)
    );
    if (bucket === undefined) {
      bucket = { prefix: name.slice(0, prefixLength), hash, patterns: [] };
      buckets.push(bucket);
      while (this.#lengths.length <= prefixLength) this.#lengths.push(0);
      this.#lengths[prefixLength]++;
    }
    const suffixLength = literalSuffixLength(name, prefixLength);
    signature.begin();
    signature.addPattern(name);
    const filed = {
      item,
      suffixLength,
      neededBytes: signature.bytes,
      neededPairs: signature.pairs,
      bucket,
      index: bucket.patterns.length,
    };
    bucket.patterns.push(filed);
    this.#filed.set(item, filed);
  }

  remove(item: T): void {
    const { bucket, index } = this.#filed.get(item)!;
    this.#filed.delete(item);
    const { prefix, hash, patterns } = bucket;
    const last = patterns.pop()!;
    if (last.item !== item) {
      patterns[index] = last;
      last.index = index;
    }
    if (patterns.length > 0) return;
    const buckets = this.#buckets.get(hash)!;
    buckets.splice(buckets.indexOf(bucket), 1);
    if (buckets.length === 0) this.#buckets.delete(hash);
    this.#lengths[prefix.length]--;
    while (this.#lengths.length > 0 && this.#lengths[this.#lengths.length - 1] === 0) {
      this.#lengths.pop();
    }
  }

  /** Appends the patterns that match to `found`, in no particular order. */
  match(bytes: Uint8Array, offset: number, length: number, found: T[]): void {
    const lengths = this.#lengths;
    signature.begin();
    signature.addAll(bytes, offset, length);
    const last = Math.min(length, lengths.length - 1);
    let hash = 0;
    for (let prefixLength = 0; prefixLength <= last; prefixLength++) {
      if (lengths[prefixLength] > 0) {
        const buckets = this.#buckets.get(finished(hash, prefixLength));
        if (buckets !== undefined) {
          for (const bucket of buckets) {
            if (bucket.prefix.length !== prefixLength) continue;
            this.#matchIn(bucket, bytes, offset, length, found);
          }
        }
      }
      hash = (Math.imul(hash, factor) + bytes[offset + prefixLength]) | 0;
    }
  }

  #matchIn(
    bucket: Bucket<T>,
    bytes: Uint8Array,
    offset: number,
    length: number,
    found: T[],
  ): void {
    const { prefix, patterns } = bucket;
    if (!isPrefix(prefix, bytes, offset)) return;
    const end = offset + length;
    const missingBytes = ~signature.bytes;
    const missingPairs = ~signature.pairs;
    for (let i = 0; i < patterns.length; i++) {
      const { item, suffixLength, neededBytes, neededPairs } = patterns[i];
      if ((neededBytes & missingBytes) !== 0 || (neededPairs & missingPairs) !== 0) continue;
      const { name } = item;
      if (suffixLength > 0) {
        if (suffixLength > length) continue;
        const suffixAt = name.length - suffixLength;
        if (!equalBytes(name, suffixAt, suffixLength, bytes, end - suffixLength, suffixLength)) {
          continue;
        }
      }
      if (globMatch(name, 0, name.length, bytes, offset, length, false)) found.push(item);
    }
  }
}

/** Whether as many bytes as the prefix has are the prefix. */
function isPrefix(prefix: Uint8Array, bytes: Uint8Array, offset: number): boolean {
  return equalBytes(prefix, 0, prefix.length, bytes, offset, prefix.length);
}

function prefixHash(name: Uint8Array, length: number): number {
  let hash = 0;
  for (let i = 0; i < length; i++) hash = (Math.imul(hash, factor) + name[i]) | 0;
  return finished(hash, length);
}

/** The hash of a whole prefix, as a small integer: with such keys a Map is fastest. */
function finished(hash: number, length: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15) ^ length, 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) >> 1;
}
