/**
 * Consumer groups of a stream: how far each has read, what it has delivered and to whom. Pure.
 *
 * A pending id is in the list of its group, with its consumer, and in that consumer's own list; the
 * methods here keep the two the same.
 */

import { compareBytes } from "../../base/bytes.ts";
import type { Count } from "./count64.ts";
import { type Generations, NO_OWNER, PendingIds, PendingPlace } from "./pending_ids.ts";
import { StreamId } from "./stream_id.ts";

/** `ConsumerGroup.entriesRead` when nobody knows. */
export const ENTRIES_READ_UNKNOWN = -1;
/** `Consumer.activeMs` of one that has never been given an entry. */
export const NEVER_ACTIVE = -1;

/** Approximate bytes of a consumer and of a group, beside their names and ids. */
const CONSUMER_BYTES = 240;
const GROUP_BYTES = 500;

/** Things with names, in the order of the names' bytes. */
export class ByName<T extends { readonly name: Uint8Array }> {
  readonly items: T[] = [];

  /** Where the name is, or (below 0) the complement of where it belongs. */
  #search(bytes: Uint8Array, off: number, length: number): number {
    const { items } = this;
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { name } = items[middle];
      const order = compareBytes(name, 0, name.length, bytes, off, length);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return ~low;
  }

  find(bytes: Uint8Array, off = 0, length = bytes.length - off): T | null {
    const at = this.#search(bytes, off, length);
    return at < 0 ? null : this.items[at];
  }

  /** Adds something whose name is not there. */
  add(item: T): void {
    this.items.splice(~this.#search(item.name, 0, item.name.length), 0, item);
  }

  remove(item: T): void {
    this.items.splice(this.#search(item.name, 0, item.name.length), 1);
  }
}

export class Consumer {
  /** The ids that wait for its acknowledgement. */
  readonly pending: PendingIds;
  /** When it was given an entry last, Unix time in ms, or NEVER_ACTIVE. */
  activeMs: number = NEVER_ACTIVE;

  /** `number` is its own in the group, above 0; `seenMs` is when it asked last, Unix time in ms. */
  constructor(
    readonly name: Uint8Array,
    readonly number: number,
    public seenMs: number,
    pending: PendingIds,
  ) {
    this.pending = pending;
  }
}

const ownPlace = new PendingPlace();

export class ConsumerGroup {
  readonly lastId = new StreamId();
  /** Entries read since the stream began, or ENTRIES_READ_UNKNOWN. */
  entriesRead: Count = ENTRIES_READ_UNKNOWN;
  readonly pending: PendingIds;
  readonly consumers = new ByName<Consumer>();
  /** The consumers by their numbers; those of consumers that have gone are given again. */
  readonly #numbered: (Consumer | null)[] = [null];
  readonly #freeNumbers: number[] = [];
  /** Bytes of the consumers' own lists. */
  #consumerBytes = 0;

  constructor(
    readonly name: Uint8Array,
    readonly generations: Generations,
    pending = new PendingIds(true, generations),
  ) {
    this.pending = pending;
  }

  get memoryBytes(): number {
    return GROUP_BYTES + this.name.length + this.pending.memoryBytes + this.#consumerBytes;
  }

  addConsumer(name: Uint8Array, nowMs: number): Consumer {
    const number = this.#freeNumbers.pop() ?? this.#numbered.length;
    const consumer = new Consumer(name, number, nowMs, new PendingIds(false, this.generations));
    this.#keep(consumer);
    return consumer;
  }

  #keep(consumer: Consumer): void {
    this.#numbered[consumer.number] = consumer;
    this.consumers.add(consumer);
    this.#consumerBytes += CONSUMER_BYTES + consumer.name.length + consumer.pending.memoryBytes;
  }

  /** Whom the id at a place was delivered to. */
  ownerAt({ chunk, index }: PendingPlace): Consumer {
    return this.#numbered[chunk.owners[index]]!;
  }

  /** Removes a consumer with all that is pending for it. @throws RangeError before anything is changed */
  removeConsumer(consumer: Consumer): void {
    if (consumer.pending.count > 0) this.pending.removeOwner(consumer.number);
    this.consumers.remove(consumer);
    this.#numbered[consumer.number] = null;
    this.#freeNumbers.push(consumer.number);
    this.#consumerBytes -= CONSUMER_BYTES + consumer.name.length + consumer.pending.memoryBytes;
  }

  /**
   * Adds a pending id that is not there, for a consumer, and stands on it.
   * @throws RangeError before anything is changed
   */
  addPending(
    place: PendingPlace,
    id: StreamId,
    consumer: Consumer,
    timeMs: number,
    deliveries: number,
  ): void {
    this.#changeOwn(consumer, id, true);
    try {
      this.pending.add(place, id);
    } catch (error) {
      this.#changeOwn(consumer, id, false);
      throw error;
    }
    this.#setDetails(place, timeMs, deliveries);
    place.chunk.owners[place.index] = consumer.number;
  }

  /**
   * Gives the pending id at a place to a consumer, who may have it already.
   * @throws RangeError before anything is changed
   */
  assign(
    place: PendingPlace,
    id: StreamId,
    consumer: Consumer,
    timeMs: number,
    deliveries: number,
  ): void {
    const before = this.ownerAt(place);
    this.pending.beforeWrite(place);
    if (before !== consumer) {
      reserveOwn(before, id);
      this.#changeOwn(consumer, id, true);
      this.#changeOwn(before, id, false);
      place.chunk.owners[place.index] = consumer.number;
    }
    this.#setDetails(place, timeMs, deliveries);
  }

  #setDetails({ chunk, index }: PendingPlace, timeMs: number, deliveries: number): void {
    chunk.times[index] = timeMs;
    chunk.deliveries[index] = deliveries;
  }

  /** Takes the memory for removing a pending id, or giving it to another consumer. @throws RangeError */
  reserveChange(place: PendingPlace, id: StreamId): void {
    if (!this.pending.mayShare) return;
    this.pending.beforeWrite(place);
    reserveOwn(this.ownerAt(place), id);
  }

  /** `reserveChange` for those of these ids that are pending. */
  reserveChanges(place: PendingPlace, ids: readonly StreamId[]): void {
    if (!this.pending.mayShare) return;
    for (const id of ids) if (this.pending.find(place, id)) this.reserveChange(place, id);
  }

  /** Removes the pending id at a place, which is good no more. @throws RangeError before anything is changed */
  removePending(place: PendingPlace, id: StreamId): void {
    const consumer = this.ownerAt(place);
    this.reserveChange(place, id);
    this.pending.remove(place);
    this.#changeOwn(consumer, id, false);
  }

  /** Adds an id to a consumer's own list, or removes it there. */
  #changeOwn({ pending }: Consumer, id: StreamId, isAdded: boolean): void {
    const before = pending.memoryBytes;
    if (isAdded) pending.add(ownPlace, id);
    else if (pending.find(ownPlace, id)) pending.remove(ownPlace);
    this.#consumerBytes += pending.memoryBytes - before;
  }

  /**
   * While a snapshot is loaded: gives the pending id, which nobody has yet, to a consumer whose ids come
   * in order. False when the group has no such id, somebody has it, or it is out of order.
   */
  loadOwn(place: PendingPlace, id: StreamId, consumer: Consumer): boolean {
    if (!this.pending.find(place, id) || place.chunk.owners[place.index] !== NO_OWNER) return false;
    place.chunk.owners[place.index] = consumer.number;
    const before = consumer.pending.memoryBytes;
    if (!consumer.pending.append(ownPlace, id)) return false;
    this.#consumerBytes += consumer.pending.memoryBytes - before;
    return true;
  }

  /** `loadOwn` for a consumer whose ids come in any order. */
  loadOwnAnywhere(place: PendingPlace, id: StreamId, consumer: Consumer): boolean {
    if (!this.pending.find(place, id) || place.chunk.owners[place.index] !== NO_OWNER) return false;
    place.chunk.owners[place.index] = consumer.number;
    this.#changeOwn(consumer, id, true);
    return true;
  }

  /** A copy for another stream, in O(consumers + pending ids / 256). */
  clone(generations: Generations): ConsumerGroup {
    const copy = new ConsumerGroup(this.name, generations, this.pending.share(generations));
    copy.lastId.copy(this.lastId);
    copy.entriesRead = this.entriesRead;
    copy.#numbered.length = this.#numbered.length;
    copy.#numbered.fill(null);
    for (const number of this.#freeNumbers) copy.#freeNumbers.push(number);
    for (const { name, number, seenMs, activeMs, pending } of this.consumers.items) {
      const twin = new Consumer(name, number, seenMs, pending.share(generations));
      twin.activeMs = activeMs;
      copy.#keep(twin);
    }
    return copy;
  }
}

/** Takes the memory for removing an id from a consumer's own list. @throws RangeError */
function reserveOwn({ pending }: Consumer, id: StreamId): void {
  if (pending.mayShare && pending.find(ownPlace, id)) pending.beforeWrite(ownPlace);
}
