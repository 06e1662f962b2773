/**
 * Values too large for a record: objects in numbered slots; the record holds the number. Also keeps
 * how much memory they take, so that used memory is a sum that is always at hand.
 */

/** A value in a slot. */
export interface LargeValue {
  /** Bytes it takes, an estimate that costs O(1). */
  readonly memoryBytes: number;
  /** A deep copy, for COPY. */
  clone(): LargeValue;
}

/** A string that is too long for a record; `bytes` may have room to grow. */
export class LongString implements LargeValue {
  constructor(public bytes: Uint8Array, public length: number) {}

  get memoryBytes(): number {
    return this.bytes.length + 64;
  }

  clone(): LongString {
    return new LongString(this.bytes.slice(0, this.length), this.length);
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
    this.measure(slot);
    return slot;
  }

  get(slot: number): LargeValue {
    const value = this.#values[slot];
    if (value === null || value === undefined) throw new Error(`value slot ${slot} is empty`);
    return value;
  }

  /** Takes a value's new size into account, after it has changed. */
  measure(slot: number): void {
    const size = this.#values[slot]!.memoryBytes;
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
}
