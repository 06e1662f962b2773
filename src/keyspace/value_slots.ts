/**
 * Values too large for a record: objects in numbered slots; the record holds the number. Also keeps
 * how much memory they take, so that used memory is a sum that is always at hand.
 */

import type { Dict } from "../arena/dict.ts";
import { Blocks, blocks } from "../base/blocks.ts";
import { ValueCopy } from "../values/value_copy.ts";

/** What is made of values in slots, piece by piece: see ValueCopy. */
export interface MadeValue {
  /** Bytes it takes, an estimate that costs O(1). */
  readonly memoryBytes: number;
  /** Gives its memory back at once. */
  dispose?(): void;
}

/** Such a value in the making. */
export type ValueWork = ValueCopy<MadeValue>;

/** A value in a slot. */
export interface LargeValue extends MadeValue {
  /** The elements, of a collection that keeps them by their bytes. */
  readonly dict?: Dict;
  /** Of a hash: its place in the database's index of hashes with fields that expire, + 1; 0 for none. */
  dueAt?: number;
  /** A deep copy, for COPY. */
  clone(): LargeValue;
  /** Begins a deep copy in pieces; left out where `clone` takes hardly any time. @throws RangeError */
  beginCopy?(): ValueCopy<LargeValue>;
  /**
   * Moves a part of it out of the blocks that are being emptied (see base/blocks.ts); false when none lies there.
   * What lies in `dict` is not asked for here. @throws RangeError when memory is exhausted
   */
  vacateOne?(): boolean;
  /**
   * Gives its memory back at once: nobody has it any more. May be left out; what is not told of its end is
   * collected some time.
   */
  dispose?(): void;
}

/** A string that is too long for a record; `bytes` may have room to grow. */
export class LongString implements LargeValue {
  /**
   * `memory` is what `blocks.take` gave, which `bytes` lie in. Whoever makes the string hands both over.
   */
  constructor(public bytes: Uint8Array, public length: number, public memory = bytes) {}

  /** A string of undefined content, with room for `capacity` bytes. */
  static ofLength(length: number, capacity = length): LongString {
    return new LongString(blocks.takeGrowing(capacity), length);
  }

  /** A copy of a part of `bytes`. */
  static copyOf(bytes: Uint8Array, offset: number, length: number): LongString {
    const copy = LongString.ofLength(length);
    copy.bytes.set(bytes.subarray(offset, offset + length));
    return copy;
  }

  get memoryBytes(): number {
    return Blocks.rounded(this.memory.length) + 64;
  }

  clone(): LongString {
    return this.beginCopy().run();
  }

  beginCopy(): ValueCopy<LongString> {
    return new LongStringCopy(this);
  }

  /**
   * Makes room for `capacity` bytes; what is there is kept. Mostly the string stays where it lies, and that takes the
   * same time for any length. @throws RangeError without a change when memory is exhausted
   */
  grow(capacity: number): void {
    if (this.#growInPlace(capacity)) return;
    const larger = blocks.takeGrowing(capacity);
    larger.set(this.bytes.subarray(0, this.length));
    blocks.give(this.memory);
    this.bytes = larger;
    this.memory = larger;
  }

  #growInPlace(capacity: number): boolean {
    const offset = this.bytes.byteOffset - this.memory.byteOffset;
    const memory = blocks.extended(this.memory, offset + capacity);
    if (memory === null) return false;
    this.memory = memory;
    this.bytes = offset === 0 ? memory : memory.subarray(offset);
    return true;
  }

  vacateOne(): boolean {
    const offset = this.bytes.byteOffset - this.memory.byteOffset;
    const memory = blocks.vacated(this.memory, offset + this.length);
    if (memory === this.memory) return false;
    this.memory = memory;
    this.bytes = memory.subarray(offset, offset + this.bytes.length);
    return true;
  }

  dispose(): void {
    blocks.give(this.memory);
  }
}

/** Bytes of a string that are copied at once. */
const COPIED_BYTES = 256 * 1024;

class LongStringCopy extends ValueCopy<LongString> {
  #at = 0;

  constructor(readonly source: LongString) {
    super(LongString.ofLength(source.length));
  }

  override step(): boolean {
    const { source: { bytes, length } } = this;
    const end = Math.min(this.#at + COPIED_BYTES, length);
    this.copy.bytes.set(bytes.subarray(this.#at, end), this.#at);
    this.#at = end;
    return end === length;
  }
}

export class ValueSlots {
  /** Sum of the values' sizes, as of when each was last measured. */
  bytes = 0;
  readonly #values: (LargeValue | null)[] = [];
  readonly #sizes: number[] = [];
  readonly #free: number[] = [];

  add(value: LargeValue): number {
    const slot = this.#free.pop() ?? this.#values.length;
    this.#values[slot] = value;
    this.#sizes[slot] = 0;
    this.measured(slot, value.memoryBytes);
    return slot;
  }

  get(slot: number): LargeValue {
    const value = this.#values[slot];
    if (value === null || value === undefined) throw new Error(`value slot ${slot} is empty`);
    return value;
  }

  /** Whether one of the values is what is asked for. */
  some(test: (value: LargeValue) => boolean): boolean {
    return this.#values.some((value) => value !== null && test(value));
  }

  /** Takes a value's new size into account, after it has changed. */
  measured(slot: number, size: number): void {
    this.bytes += size - this.#sizes[slot];
    this.#sizes[slot] = size;
  }

  remove(slot: number): LargeValue {
    const value = this.get(slot);
    this.bytes -= this.#sizes[slot];
    this.#values[slot] = null;
    this.#free.push(slot);
    return value;
  }

  /**
   * Asks some values, from a slot on, to compact themselves up to `density` and to move out of the blocks that are
   * being emptied. Returns the slot to go on with, or -1 when all are through.
   */
  tidySome(from: number, count: number, density: number): number {
    const end = Math.min(from + count, this.#values.length);
    for (let slot = from; slot < end; slot++) {
      const value = this.#values[slot];
      if (value === null) continue;
      const isMore = value.dict?.compactStep(count, density) || value.dict?.vacateOne() ||
        value.vacateOne?.();
      if (isMore) return slot;
    }
    return end < this.#values.length ? end : -1;
  }

  /**
   * Gives back the memory of some values that nobody has any more, for slots that are out of use. Returns
   * whether there are more.
   */
  disposeSome(count: number): boolean {
    const values = this.#values;
    for (let n = 0; n < count && values.length > 0; n++) values.pop()?.dispose?.();
    return values.length > 0;
  }
}
