/**
 * Finds the patterns that match a channel without trying each. A pattern is filed under its literal
 * prefix, the bytes before its first `*`, `?`, `[` or `\`: only those filed under a beginning of the
 * channel's name can match. Beginnings are looked up for the lengths that some prefix has, with a
 * hash that grows along with the name.
 *
 * Patterns without a prefix are looked at for every message, as in Redis. Those that share a prefix are
 * told apart by the bytes they end with, where those are literal, and by which bytes and pairs of bytes
 * they need anywhere: as bits of two integers, which say no to nearly all at the cost of a comparison.
 *
 * All of that lies in tables of integers. The bytes of the patterns are those of the names that
 * subscribers are attached to (`Links`), whose tags say where a pattern is filed:
 *
 *     entries   name │ serial │ suffix length │ needed bytes, pairs │ bucket │ previous, next of the bucket
 *     buckets   hash of the prefix │ its length │ first entry │ count │ list │ next in chain
 *
 * The entries of a small bucket are a chain. Those of a large one are gone through in a list of their
 * own, in which what they need lies side by side.
 */

import type { Links } from "../arena/links.ts";
import { RowIndex, Rows } from "../arena/rows.ts";
import { equalBytes } from "../base/bytes.ts";
import { elementEnd, globMatch } from "../base/glob.ts";

/** Where the bytes of patterns lie, and what is kept for each. */
export type PatternNames = Pick<
  Links<unknown>,
  "bytesOf" | "offsetOf" | "lengthOf" | "nameAfter" | "tagOf" | "setTag"
>;

const ENTRY_FIELDS = 8;
const NAME = 0;
const SERIAL = 1;
const SUFFIX_LENGTH = 2;
/** Bits of the bytes, and of the pairs of neighbours, that a channel must have to match. */
const NEEDED_BYTES = 3;
const NEEDED_PAIRS = 4;
const BUCKET = 5;
/** In a large bucket: its place in the list. */
const PREVIOUS = 6;
const NEXT = 7;

const BUCKET_FIELDS = 6;
const HASH = 0;
const PREFIX_LENGTH = 1;
/** One of its entries; of a small bucket the first in the chain. */
const FIRST = 2;
const COUNT = 3;
/** The number of its list, or 0 while it is small. */
const LIST = 4;
const CHAIN = 5;

/** A bucket with more patterns than this has a list. */
const SMALL_BUCKET_MAX = 8;

/**
 * Memory of a pattern in the index: its entry, and a bucket with its share of the chains. In a large
 * bucket a place in a list takes less than a bucket.
 */
export const PATTERN_BYTES = (ENTRY_FIELDS + BUCKET_FIELDS + 1) * 4;

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;

/** Length of the literal beginning of a pattern. */
export function literalPrefixLength(bytes: Uint8Array, offset: number, length: number): number {
  let at = 0;
  while (at < length && !isSpecial(bytes[offset + at])) at++;
  return at;
}

/** Length of the literal end of a pattern that has something else before it. */
function literalSuffixLength(
  bytes: Uint8Array,
  offset: number,
  length: number,
  prefixLength: number,
): number {
  // Behind a bracket or a backslash a byte may mean something else: such patterns have none.
  for (let i = prefixLength; i < length; i++) {
    const byte = bytes[offset + i];
    if (byte === OPEN || byte === BACKSLASH) return 0;
  }
  let at = length;
  while (at > prefixLength && !isSpecial(bytes[offset + at - 1])) at--;
  return length - at;
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
  addPattern(bytes: Uint8Array, offset: number, length: number): void {
    const end = offset + length;
    for (let i = offset; i < end; i = elementEnd(bytes, i, end)) {
      const first = bytes[i];
      if (first === STAR || first === QUESTION || first === OPEN) this.breakOff();
      else this.add(first === BACKSLASH && i + 1 < end ? bytes[i + 1] : first);
    }
  }
}

const SPREAD = 0x9e3779b1;
const signature = new Signature();

/**
 * What the hash of a prefix is multiplied by at each byte: an odd number that clients cannot know.
 */
const factor = (crypto.getRandomValues(new Int32Array(1))[0] << 1) | 1;

/** The entries of a large bucket, each with what it needs. */
class EntryList {
  count = 0;
  /** Needed bytes, needed pairs and number of each entry. */
  ints = new Int32Array(16 * LIST_FIELDS);

  /** Appends an entry; returns its place. */
  add(entry: number, neededBytes: number, neededPairs: number): number {
    const at = this.count * LIST_FIELDS;
    if (at + LIST_FIELDS > this.ints.length) {
      const larger = new Int32Array(at + (at >> 1));
      larger.set(this.ints);
      this.ints = larger;
    }
    this.ints[at] = neededBytes;
    this.ints[at + 1] = neededPairs;
    this.ints[at + 2] = entry;
    return this.count++;
  }

  /** Puts the last entry in this place; returns which it is. */
  fill(place: number): number {
    const last = --this.count * LIST_FIELDS;
    this.ints.copyWithin(place * LIST_FIELDS, last, last + LIST_FIELDS);
    return this.ints[last + 2];
  }
}

const LIST_FIELDS = 3;

export class PatternIndex {
  #entries = new Rows(ENTRY_FIELDS);
  #buckets = new Rows(BUCKET_FIELDS);
  #bucketIndex = this.#newBucketIndex();
  /** Lists of large buckets by their numbers, and numbers that are free. */
  #lists: (EntryList | null)[] = [null];
  #freeLists: number[] = [];
  /** How many buckets have a prefix of a length, and those lengths in ascending order. */
  #lengthCounts = new Map<number, number>();
  #lengths: number[] = [];
  /** Counts patterns: they are found in the order in which they came. */
  #serial = 0;
  readonly #bySerial = (a: number, b: number): number =>
    (this.#entries.get(a, SERIAL) - this.#entries.get(b, SERIAL)) | 0;

  /** The patterns are among these names. */
  constructor(readonly names: PatternNames) {}

  get memoryBytes(): number {
    return this.#entries.memoryBytes + this.#buckets.memoryBytes + this.#bucketIndex.memoryBytes;
  }

  // -- patterns come and go ----------------------------------------------------------------

  /** Files a name; its tag is from now on what the index knows it by. */
  add(name: number): void {
    this.#file(name, ++this.#serial);
  }

  #file(name: number, serial: number): void {
    const { names } = this;
    const bytes = names.bytesOf(name);
    const offset = names.offsetOf(name);
    const length = names.lengthOf(name);
    const prefixLength = literalPrefixLength(bytes, offset, length);
    const bucket = this.#bucketOf(bytes, offset, prefixLength);
    signature.begin();
    signature.addPattern(bytes, offset, length);
    const entries = this.#entries;
    const entry = entries.take();
    entries.set(entry, NAME, name);
    entries.set(entry, SERIAL, serial);
    entries.set(entry, SUFFIX_LENGTH, literalSuffixLength(bytes, offset, length, prefixLength));
    entries.set(entry, NEEDED_BYTES, signature.bytes);
    entries.set(entry, NEEDED_PAIRS, signature.pairs);
    entries.set(entry, BUCKET, bucket);
    this.#enter(bucket, entry);
    names.setTag(name, entry);
  }

  #enter(bucket: number, entry: number): void {
    const entries = this.#entries;
    const buckets = this.#buckets;
    const count = buckets.get(bucket, COUNT) + 1;
    buckets.set(bucket, COUNT, count);
    const list = this.#lists[buckets.get(bucket, LIST)];
    if (list !== null) return this.#append(list, entry);
    const first = buckets.get(bucket, FIRST);
    entries.set(entry, NEXT, first);
    if (first !== 0) entries.set(first, PREVIOUS, entry);
    buckets.set(bucket, FIRST, entry);
    if (count > SMALL_BUCKET_MAX) this.#giveList(bucket);
  }

  #append(list: EntryList, entry: number): void {
    const entries = this.#entries;
    const neededBytes = entries.get(entry, NEEDED_BYTES);
    const neededPairs = entries.get(entry, NEEDED_PAIRS);
    entries.set(entry, PREVIOUS, list.add(entry, neededBytes, neededPairs));
  }

  /** The bucket is large from now on. */
  #giveList(bucket: number): void {
    const list = new EntryList();
    const number = this.#freeLists.pop() ?? this.#lists.length;
    this.#lists[number] = list;
    this.#buckets.set(bucket, LIST, number);
    let entry = this.#buckets.get(bucket, FIRST);
    for (; entry !== 0; entry = this.#entries.get(entry, NEXT)) this.#append(list, entry);
  }

  /** The bucket of a prefix, which is made if it is not there. */
  #bucketOf(bytes: Uint8Array, offset: number, length: number): number {
    const hash = prefixHash(bytes, offset, length);
    const buckets = this.#buckets;
    let bucket = this.#bucketIndex.first(hash);
    while (bucket !== 0 && !this.#isBucketOf(bucket, hash, bytes, offset, length)) {
      bucket = buckets.get(bucket, CHAIN);
    }
    if (bucket !== 0) return bucket;
    bucket = buckets.take();
    buckets.set(bucket, HASH, hash);
    buckets.set(bucket, PREFIX_LENGTH, length);
    this.#bucketIndex.add(bucket);
    const count = this.#lengthCounts.get(length) ?? 0;
    this.#lengthCounts.set(length, count + 1);
    if (count === 0) this.#lengths.splice(placeOf(this.#lengths, length), 0, length);
    return bucket;
  }

  /** Whether a bucket has the prefix that lies here. */
  #isBucketOf(
    bucket: number,
    hash: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    const buckets = this.#buckets;
    if (buckets.get(bucket, HASH) !== hash || buckets.get(bucket, PREFIX_LENGTH) !== length) {
      return false;
    }
    // All its patterns begin with the prefix.
    const { names } = this;
    const name = this.#entries.get(buckets.get(bucket, FIRST), NAME);
    return equalBytes(names.bytesOf(name), names.offsetOf(name), length, bytes, offset, length);
  }

  /** The name with this tag has gone. */
  remove(entry: number): void {
    const entries = this.#entries;
    const buckets = this.#buckets;
    const bucket = entries.get(entry, BUCKET);
    const list = this.#lists[buckets.get(bucket, LIST)];
    if (list !== null) {
      const place = entries.get(entry, PREVIOUS);
      entries.set(list.fill(place), PREVIOUS, place);
      buckets.set(bucket, FIRST, list.ints[2]);
    } else {
      const next = entries.get(entry, NEXT);
      const previous = entries.get(entry, PREVIOUS);
      if (next !== 0) entries.set(next, PREVIOUS, previous);
      if (previous === 0) buckets.set(bucket, FIRST, next);
      else entries.set(previous, NEXT, next);
    }
    entries.give(entry);
    const count = buckets.get(bucket, COUNT) - 1;
    buckets.set(bucket, COUNT, count);
    if (count === 0) this.#removeBucket(bucket);
  }

  #removeBucket(bucket: number): void {
    const length = this.#buckets.get(bucket, PREFIX_LENGTH);
    const count = this.#lengthCounts.get(length)! - 1;
    if (count > 0) this.#lengthCounts.set(length, count);
    else {
      this.#lengthCounts.delete(length);
      this.#lengths.splice(placeOf(this.#lengths, length), 1);
    }
    const list = this.#buckets.get(bucket, LIST);
    if (list !== 0) {
      this.#lists[list] = null;
      this.#freeLists.push(list);
    }
    this.#bucketIndex.remove(bucket);
    this.#buckets.give(bucket);
  }

  /** The names have got other numbers: files all of them anew, which gives memory back, too. */
  renumber(): void {
    const old = this.#entries;
    this.#entries = new Rows(ENTRY_FIELDS);
    this.#buckets = new Rows(BUCKET_FIELDS);
    this.#bucketIndex = this.#newBucketIndex();
    this.#lists = [null];
    this.#freeLists = [];
    this.#lengthCounts = new Map();
    this.#lengths = [];
    const { names } = this;
    for (let name = names.nameAfter(0); name !== 0; name = names.nameAfter(name)) {
      this.#file(name, old.get(names.tagOf(name), SERIAL));
    }
  }

  #newBucketIndex(): RowIndex {
    const buckets = this.#buckets;
    return new RowIndex(buckets, CHAIN, (bucket) => buckets.get(bucket, HASH));
  }

  // -- finding -------------------------------------------------------------------------------

  /** Puts the names of the patterns that match into `found`, in the order in which they came. */
  match(bytes: Uint8Array, offset: number, length: number, found: number[]): void {
    const lengths = this.#lengths;
    const buckets = this.#buckets;
    signature.begin();
    signature.addAll(bytes, offset, length);
    let hash = 0;
    let at = 0;
    for (let i = 0; i < lengths.length && lengths[i] <= length; i++) {
      const prefixLength = lengths[i];
      for (; at < prefixLength; at++) hash = (Math.imul(hash, factor) + bytes[offset + at]) | 0;
      const whole = finished(hash, prefixLength);
      let bucket = this.#bucketIndex.first(whole);
      for (; bucket !== 0; bucket = buckets.get(bucket, CHAIN)) {
        if (!this.#isBucketOf(bucket, whole, bytes, offset, prefixLength)) continue;
        const list = this.#lists[buckets.get(bucket, LIST)];
        if (list !== null) this.#matchList(list, bytes, offset, length, found);
        else this.#matchChain(buckets.get(bucket, FIRST), bytes, offset, length, found);
      }
    }
    if (found.length > 1) found.sort(this.#bySerial);
    for (let i = 0; i < found.length; i++) found[i] = this.#entries.get(found[i], NAME);
  }

  /** Appends the entries of a small bucket that match. */
  #matchChain(
    first: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    found: number[],
  ): void {
    const entries = this.#entries;
    for (let entry = first; entry !== 0; entry = entries.get(entry, NEXT)) {
      if ((entries.get(entry, NEEDED_BYTES) & ~signature.bytes) !== 0) continue;
      if ((entries.get(entry, NEEDED_PAIRS) & ~signature.pairs) !== 0) continue;
      if (this.#matches(entry, bytes, offset, length)) found.push(entry);
    }
  }

  /** The same for a large bucket. */
  #matchList(
    { ints, count }: EntryList,
    bytes: Uint8Array,
    offset: number,
    length: number,
    found: number[],
  ): void {
    const missingBytes = ~signature.bytes;
    const missingPairs = ~signature.pairs;
    const end = count * LIST_FIELDS;
    for (let at = 0; at < end; at += LIST_FIELDS) {
      if ((ints[at] & missingBytes) !== 0 || (ints[at + 1] & missingPairs) !== 0) continue;
      if (this.#matches(ints[at + 2], bytes, offset, length)) found.push(ints[at + 2]);
    }
  }

  #matches(entry: number, bytes: Uint8Array, offset: number, length: number): boolean {
    const { names } = this;
    const name = this.#entries.get(entry, NAME);
    const suffixLength = this.#entries.get(entry, SUFFIX_LENGTH);
    const pattern = names.bytesOf(name);
    const patternOffset = names.offsetOf(name);
    const patternLength = names.lengthOf(name);
    if (suffixLength > 0) {
      if (suffixLength > length) return false;
      const suffixAt = patternOffset + patternLength - suffixLength;
      const endAt = offset + length - suffixLength;
      if (!equalBytes(pattern, suffixAt, suffixLength, bytes, endAt, suffixLength)) return false;
    }
    return globMatch(pattern, patternOffset, patternLength, bytes, offset, length, false);
  }
}

/** Where in ascending numbers one is, or would be. */
function placeOf(numbers: readonly number[], wanted: number): number {
  let from = 0;
  let to = numbers.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (numbers[middle] < wanted) from = middle + 1;
    else to = middle;
  }
  return from;
}

function prefixHash(bytes: Uint8Array, offset: number, length: number): number {
  let hash = 0;
  for (let i = 0; i < length; i++) hash = (Math.imul(hash, factor) + bytes[offset + i]) | 0;
  return finished(hash, length);
}

/** The hash of a whole prefix: its lower bits, which the chains go by, depend on all of it. */
function finished(hash: number, length: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15) ^ length, 0x2c1b3c6d);
  return mixed ^ (mixed >>> 13);
}
