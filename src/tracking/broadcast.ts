/**
 * Broadcasting mode: who is told of all keys that begin with a prefix, and the keys of the present turn.
 *
 *     change of a key ─► its prefixes that somebody has ─► at the end of the turn one message for each
 *
 * A key that changes several times in a turn is told of once. Prefixes are names that trackers are
 * attached to (arena/links.ts); those of a key are found by their lengths, of which there are few.
 */

import { Dict } from "../arena/dict.ts";
import { Links } from "../arena/links.ts";
import { compareBytes, copyBytes } from "../base/bytes.ts";
import { writeInteger } from "../base/integers.ts";
import { type Invalidation, ofValue } from "./invalidation.ts";
import type { TrackedClient, Tracker } from "./tracker.ts";

/** So many keys of a turn, at most, are taken out of their table one by one. */
const FEW_KEYS = 64;
/** What a key takes in a message beside its bytes, at most. */
const BULK_BYTES = 16;
/** What an index is kept in. */
const INDEX_BYTES = 4;

/** The keys of this turn that begin with one prefix. */
class Pending {
  /** Indexes of the keys in the order in which they changed first. */
  readonly keys: number[] = [];
  /** Nobody has the prefix any more. */
  isDropped = false;

  constructor(readonly prefixLength: number) {}
}

export class Broadcast {
  /** A name's tag is the place of its Pending, counted from 1; 0 if there is none. */
  #links = this.#newLinks();
  /** How many prefixes there are of each length; the lengths in ascending order, null until asked for. */
  readonly #lengthCounts = new Map<number, number>();
  #lengths: readonly number[] | null = null;
  /** Changes with each new prefix: a key that was seen before has to be looked at again. */
  #generation = 0;

  // The keys of this turn, by index: records of #keys, whose value is the index.
  #keys = new Dict();
  readonly #refs: number[] = [];
  /** Who changed it last; null if nobody did, as it has expired. */
  readonly #sources: (TrackedClient | null)[] = [];
  readonly #generations: number[] = [];
  #pending: Pending[] = [];

  #newLinks(): Links<Tracker> {
    return new Links((tag) => {
      if (tag > 0) this.#pending[tag - 1].isDropped = true;
    });
  }

  /** Different prefixes. */
  get prefixCount(): number {
    return this.#links.nameCount;
  }

  /** Bytes in use. */
  get memoryBytes(): number {
    const keys = this.#keys.count === 0 ? 0 : this.#keys.memoryBytes;
    return (this.prefixCount === 0 ? 0 : this.#links.memoryBytes) + keys;
  }

  /** Whether there are keys for `deliver` to tell of. */
  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  // -- prefixes ----------------------------------------------------------------------------

  /**
   * Has a tracker hear of keys with these prefixes too; those that it has already are left alone.
   * @throws RangeError without a change when there is no memory
   */
  join(tracker: Tracker, prefixes: readonly Uint8Array[]): void {
    const joined: Uint8Array[] = [];
    try {
      for (const prefix of prefixes) if (this.#join(tracker, prefix)) joined.push(prefix);
    } catch (error) {
      for (const prefix of joined) this.#leave(tracker, prefix);
      throw error;
    }
  }

  /** False if the tracker has this prefix already. */
  #join(tracker: Tracker, prefix: Uint8Array): boolean {
    const links = this.#links;
    const link = links.link(tracker.prefixes, prefix, 0, prefix.length);
    if (link === 0) return false;
    if (links.countOf(links.nameOf(link)) === 1) {
      this.#generation++;
      this.#countLength(prefix.length, 1);
    }
    return true;
  }

  #leave(tracker: Tracker, prefix: Uint8Array): void {
    const links = this.#links;
    const name = links.find(prefix, 0, prefix.length);
    if (links.countOf(name) === 1) this.#countLength(prefix.length, -1);
    links.unlink(links.linkOf(tracker.prefixes, name));
  }

  /** Ends all that a tracker hears of. */
  leave({ prefixes }: Tracker): void {
    const links = this.#links;
    for (let link = prefixes.first; link !== 0; link = links.nextBy(link)) {
      const name = links.nameOf(link);
      if (links.countOf(name) === 1) this.#countLength(links.lengthOf(name), -1);
    }
    links.unlinkAll(prefixes);
    if (links.nameCount === 0) this.#links = this.#newLinks();
  }

  #countLength(length: number, change: number): void {
    const count = (this.#lengthCounts.get(length) ?? 0) + change;
    if (count === 0) this.#lengthCounts.delete(length);
    else this.#lengthCounts.set(length, count);
    if (count === 0 || count === change) this.#lengths = null;
  }

  /** Copies of a tracker's prefixes, in the order in which it got them. */
  prefixesOf({ prefixes }: Tracker): Uint8Array[] {
    const found: Uint8Array[] = [];
    for (let link = prefixes.first; link !== 0; link = this.#links.nextBy(link)) {
      found.push(this.#links.copyOf(this.#links.nameOf(link)));
    }
    return found;
  }

  /** All that hear of keys with some prefix; one with several comes several times. */
  *trackers(): Iterable<Tracker> {
    const links = this.#links;
    for (let name = links.nameAfter(0); name !== 0; name = links.nameAfter(name)) {
      for (let link = links.firstOf(name); link !== 0; link = links.nextOf(link)) {
        yield links.memberOf(link);
      }
    }
  }

  // -- the keys of a turn --------------------------------------------------------------------

  /** A key has changed. @throws RangeError when there is no memory to note that */
  changed(
    bytes: Uint8Array,
    offset: number,
    length: number,
    source: TrackedClient | null,
  ): void {
    const links = this.#links;
    let index = -1;
    let isKnown = false;
    this.#lengths ??= [...this.#lengthCounts.keys()].sort((a, b) => a - b);
    for (const prefixLength of this.#lengths) {
      if (prefixLength > length) return;
      const name = links.find(bytes, offset, prefixLength);
      if (name === 0) continue;
      if (index < 0) {
        const count = this.#refs.length;
        index = this.#indexOf(bytes, offset, length);
        this.#sources[index] = source;
        isKnown = index < count;
        if (isKnown && this.#generations[index] === this.#generation) return;
        this.#generations[index] = this.#generation;
      }
      const { keys } = this.#pendingOf(name, prefixLength);
      if (!isKnown || !keys.includes(index)) keys.push(index);
    }
  }

  #indexOf(bytes: Uint8Array, offset: number, length: number): number {
    const dict = this.#keys;
    let ref = dict.get(bytes, offset, length);
    if (ref !== 0) return dict.intValue(ref);
    const index = this.#refs.length;
    ref = dict.add(bytes, offset, length, dict.hash, INDEX_BYTES, 0, NaN);
    const buffer = dict.bytesOf(ref);
    const at = dict.valueOffset(ref);
    for (let i = 0; i < INDEX_BYTES; i++) buffer[at + i] = index >>> (i * 8);
    this.#refs.push(ref);
    return index;
  }

  #pendingOf(name: number, prefixLength: number): Pending {
    const tag = this.#links.tagOf(name);
    if (tag > 0) return this.#pending[tag - 1];
    const pending = new Pending(prefixLength);
    this.#pending.push(pending);
    this.#links.setTag(name, this.#pending.length);
    return pending;
  }

  /**
   * The turn has ended: gives `send` a message for each tracker and each of its prefixes with keys of this
   * turn, in the order of the prefixes' bytes.
   */
  deliver(send: (tracker: Tracker, invalidation: Invalidation) => void): void {
    const pending = this.#pending.filter(({ isDropped }) => !isDropped);
    this.#pending = [];
    if (pending.length > 1) pending.sort((a, b) => this.#comparePrefixes(a, b));
    for (const each of pending) this.#deliver(each, send);
    this.#forgetKeys();
  }

  #comparePrefixes(a: Pending, b: Pending): number {
    const dict = this.#keys;
    const [first, second] = [this.#refs[a.keys[0]], this.#refs[b.keys[0]]];
    return compareBytes(
      dict.bytesOf(first),
      dict.keyOffset(first),
      a.prefixLength,
      dict.bytesOf(second),
      dict.keyOffset(second),
      b.prefixLength,
    );
  }

  #deliver(
    { keys, prefixLength }: Pending,
    send: (tracker: Tracker, invalidation: Invalidation) => void,
  ): void {
    const links = this.#links;
    const ref = this.#refs[keys[0]];
    const name = links.find(this.#keys.bytesOf(ref), this.#keys.keyOffset(ref), prefixLength);
    links.setTag(name, 0);
    const toAll = ofValue(() => this.#encode(keys));
    const sources = new Set(keys.map((index) => this.#sources[index]));
    for (let link = links.firstOf(name); link !== 0; link = links.nextOf(link)) {
      const tracker = links.memberOf(link);
      const { client, options } = tracker;
      if (!options.isNoLoop || !sources.has(client)) send(tracker, toAll);
      else {
        const others = keys.filter((index) => this.#sources[index] !== client);
        if (others.length > 0) send(tracker, ofValue(() => this.#encode(others)));
      }
    }
  }

  /** An array of these keys. */
  #encode(keys: readonly number[]): Uint8Array {
    const dict = this.#keys;
    let room = BULK_BYTES;
    for (const index of keys) room += dict.keyLength(this.#refs[index]) + BULK_BYTES;
    const bytes = new Uint8Array(room);
    let at = writeLine(bytes, 0, 0x2a, keys.length);
    for (const index of keys) {
      const ref = this.#refs[index];
      const length = dict.keyLength(ref);
      at = writeLine(bytes, at, 0x24, length);
      copyBytes(bytes, at, dict.bytesOf(ref), dict.keyOffset(ref), length);
      at = writeLineEnd(bytes, at + length);
    }
    return bytes.subarray(0, at);
  }

  #forgetKeys(): void {
    if (this.#refs.length <= FEW_KEYS) {
      for (const ref of this.#refs) this.#keys.remove(ref);
    } else {
      this.#keys.dispose();
      this.#keys = new Dict();
    }
    this.#refs.length = 0;
    this.#sources.length = 0;
    this.#generations.length = 0;
  }
}

function writeLine(bytes: Uint8Array, at: number, sign: number, count: number): number {
  bytes[at] = sign;
  return writeLineEnd(bytes, at + 1 + writeInteger(bytes, at + 1, count));
}

function writeLineEnd(bytes: Uint8Array, at: number): number {
  bytes[at] = 13;
  bytes[at + 1] = 10;
  return at + 2;
}
