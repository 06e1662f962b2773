/**
 * Ids that have been delivered and not acknowledged, in order: of a group with what is known of each
 * delivery, of a consumer the ids alone. They lie in chunks of columns, so that an id costs 16 bytes
 * and no object, and what is added at the end or taken from the front moves little.
 *
 * Pure. While a snapshot walks over them, a chunk that is to change is replaced by a copy, and the walk
 * keeps the old one (see `Stream.beginWalk`). In the same way a copy of the whole has the chunks in common
 * with it, until one of the two is to change.
 */

import { tryAllocating } from "../../base/refused.ts";
import { StreamId } from "./stream_id.ts";

/** Ids in a full chunk. */
const CHUNK_IDS_MAX = 256;
const CHUNK_IDS_FIRST = 4;
/** Neighbours with so few ids together become one. */
const JOIN_BELOW = 64;

/** Approximate bytes of a chunk beside its columns. */
const CHUNK_OVERHEAD_BYTES = 300;
const ID_BYTES = 16;
const DETAIL_BYTES = 20;

const NO_NUMBERS = new Float64Array(0);
const NO_OWNERS = new Uint32Array(0);
/** Number of no consumer. */
export const NO_OWNER = 0;

/** A run of ids. Only read from outside. */
export class PendingChunk {
  count = 0;
  /** Of each id four halves, the most significant first. */
  ids: Uint32Array;
  /** When it was delivered last, Unix time in ms. */
  times: Float64Array;
  /** How often it was delivered. */
  deliveries: Float64Array;
  /** Whom to: `Consumer.number`, or NO_OWNER while a snapshot is being loaded. */
  owners: Uint32Array;
  /** Whether others have it, too: it does not change any more. */
  isShared = false;

  constructor(capacity: number, readonly hasDetails: boolean, readonly generation: number) {
    this.ids = new Uint32Array(capacity * 4);
    this.times = hasDetails ? new Float64Array(capacity) : NO_NUMBERS;
    this.deliveries = hasDetails ? new Float64Array(capacity) : NO_NUMBERS;
    this.owners = hasDetails ? new Uint32Array(capacity) : NO_OWNERS;
  }

  get capacity(): number {
    return this.ids.length >> 2;
  }

  /** Compares the id at `index` with another one. */
  compare(index: number, id: StreamId): number {
    const { ids } = this;
    const at = index * 4;
    return ids[at] - id.msHigh || ids[at + 1] - id.msLow || ids[at + 2] - id.seqHigh ||
      ids[at + 3] - id.seqLow;
  }

  readId(index: number, to: StreamId): StreamId {
    const { ids } = this;
    const at = index * 4;
    return to.set(ids[at], ids[at + 1], ids[at + 2], ids[at + 3]);
  }

  /** The first index whose id is not below `id`. */
  lowerBound(id: StreamId): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(middle, id) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** A copy of the ids from `from` on, with room for `capacity`. */
  copyFrom(from: number, to: number, capacity: number, generation: number): PendingChunk {
    const copy = new PendingChunk(capacity, this.hasDetails, generation);
    copy.count = to - from;
    copy.ids.set(this.ids.subarray(from * 4, to * 4));
    if (this.hasDetails) {
      copy.times.set(this.times.subarray(from, to));
      copy.deliveries.set(this.deliveries.subarray(from, to));
      copy.owners.set(this.owners.subarray(from, to));
    }
    return copy;
  }

  /** How many of the ids are this owner's. */
  countOf(owner: number): number {
    let found = 0;
    for (let i = 0; i < this.count; i++) if (this.owners[i] === owner) found++;
    return found;
  }

  /** Whether most of it is free. */
  get isSparse(): boolean {
    return this.capacity > CHUNK_IDS_FIRST && this.count < this.capacity >> 2;
  }

  /** A copy that is at least half full. */
  fitting(generation: number): PendingChunk {
    const capacity = Math.max(CHUNK_IDS_FIRST, 2 ** Math.ceil(Math.log2(this.count)));
    return this.copyFrom(0, this.count, capacity, generation);
  }

  /** Opens a place at `index`; there is room. */
  insertAt(index: number, id: StreamId): void {
    const { ids } = this;
    const at = index * 4;
    ids.copyWithin(at + 4, at, this.count * 4);
    ids[at] = id.msHigh;
    ids[at + 1] = id.msLow;
    ids[at + 2] = id.seqHigh;
    ids[at + 3] = id.seqLow;
    if (this.hasDetails) {
      this.times.copyWithin(index + 1, index, this.count);
      this.deliveries.copyWithin(index + 1, index, this.count);
      this.owners.copyWithin(index + 1, index, this.count);
      this.owners[index] = NO_OWNER;
    }
    this.count++;
  }

  removeAt(index: number): void {
    this.ids.copyWithin(index * 4, (index + 1) * 4, this.count * 4);
    if (this.hasDetails) {
      this.times.copyWithin(index, index + 1, this.count);
      this.deliveries.copyWithin(index, index + 1, this.count);
      this.owners.copyWithin(index, index + 1, this.count);
    }
    this.count--;
  }
}

/** Whether a walk is under way, and the generation of what may be changed in place. */
export interface Generations {
  readonly walks: number;
  readonly generation: number;
  /** Memory was refused for what a walk has to keep. */
  walksFail(): void;
}

/** A place among pending ids; good until the next change. */
export class PendingPlace {
  chunkIndex = 0;
  index = 0;
  chunk!: PendingChunk;
}

export class PendingIds {
  #chunks: PendingChunk[] = [];
  count = 0;
  #capacity = 0;
  /** Whether there may be others that have chunks in common with these. */
  mayShare = false;

  constructor(readonly hasDetails: boolean, readonly generations: Generations) {}

  get memoryBytes(): number {
    const each = this.hasDetails ? ID_BYTES + DETAIL_BYTES : ID_BYTES;
    return this.#capacity * each + this.#chunks.length * CHUNK_OVERHEAD_BYTES;
  }

  /** The chunks as they are now, for a walk. */
  chunks(): readonly PendingChunk[] {
    return this.#chunks.slice();
  }

  /** A copy of its own, in O(chunks). */
  share(generations: Generations): PendingIds {
    const copy = new PendingIds(this.hasDetails, generations);
    for (const chunk of this.#chunks) chunk.isShared = true;
    copy.#chunks = this.#chunks.slice();
    this.mayShare = copy.mayShare = true;
    copy.count = this.count;
    copy.#capacity = this.#capacity;
    return copy;
  }

  // -- reading -------------------------------------------------------------------------------

  /** Stands on the first id that is not below `id`; false when there is none. */
  seek(place: PendingPlace, id: StreamId): boolean {
    const chunks = this.#chunks;
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = chunks[middle];
      if (chunk.compare(chunk.count - 1, id) < 0) low = middle + 1;
      else high = middle;
    }
    return this.#stand(place, low, low < chunks.length ? chunks[low].lowerBound(id) : 0);
  }

  first(place: PendingPlace): boolean {
    return this.#stand(place, 0, 0);
  }

  last(place: PendingPlace): boolean {
    const at = this.#chunks.length - 1;
    return at >= 0 && this.#stand(place, at, this.#chunks[at].count - 1);
  }

  next(place: PendingPlace): boolean {
    if (place.index + 1 < place.chunk.count) {
      place.index++;
      return true;
    }
    return this.#stand(place, place.chunkIndex + 1, 0);
  }

  /** Stands on exactly this id. */
  find(place: PendingPlace, id: StreamId): boolean {
    return this.seek(place, id) && place.chunk.compare(place.index, id) === 0;
  }

  #stand(place: PendingPlace, chunkIndex: number, index: number): boolean {
    if (chunkIndex >= this.#chunks.length) return false;
    place.chunkIndex = chunkIndex;
    place.index = index;
    place.chunk = this.#chunks[chunkIndex];
    return true;
  }

  // -- changing ------------------------------------------------------------------------------

  /**
   * To be called before the details at a place are changed in place; what follows there takes no memory.
   * @throws RangeError when there is none for a chunk that others have, too
   */
  beforeWrite(place: PendingPlace): void {
    place.chunk = this.#writable(place.chunkIndex);
  }

  #writable(at: number): PendingChunk {
    const chunk = this.#chunks[at];
    const { walks, generation } = this.generations;
    if (chunk.isShared) {
      return this.#chunks[at] = chunk.copyFrom(0, chunk.count, chunk.capacity, generation);
    }
    if (walks === 0 || chunk.generation === generation) return chunk;
    const isKept = tryAllocating(() => {
      this.#chunks[at] = chunk.copyFrom(0, chunk.count, chunk.capacity, generation);
    });
    if (!isKept) this.generations.walksFail();
    return this.#chunks[at];
  }

  /** Adds an id that is not there, and stands on it. @throws RangeError before anything is changed */
  add(place: PendingPlace, id: StreamId): void {
    const chunks = this.#chunks;
    let at: number;
    let index: number;
    if (this.seek(place, id)) {
      at = place.chunkIndex;
      index = place.index;
    } else {
      at = chunks.length - 1;
      index = at < 0 ? 0 : chunks[at].count;
    }
    if (at < 0 || (chunks[at].count === CHUNK_IDS_MAX && index === CHUNK_IDS_MAX)) {
      // Behind all others, as is usual: the full chunk stays full.
      at++;
      index = 0;
      chunks.push(this.#newChunk(CHUNK_IDS_FIRST));
    } else if (chunks[at].count === CHUNK_IDS_MAX) {
      this.#split(at);
      if (index > chunks[at].count) {
        index -= chunks[at].count;
        at++;
      }
    } else if (chunks[at].count === chunks[at].capacity) {
      this.#replace(at, chunks[at], Math.min(CHUNK_IDS_MAX, chunks[at].capacity * 2));
    }
    const chunk = this.#writable(at);
    chunk.insertAt(index, id);
    this.count++;
    this.#stand(place, at, index);
  }

  #newChunk(capacity: number): PendingChunk {
    const chunk = new PendingChunk(capacity, this.hasDetails, this.generations.generation);
    this.#capacity += capacity;
    return chunk;
  }

  /** Puts a copy of a chunk with another capacity in its place. */
  #replace(at: number, chunk: PendingChunk, capacity: number): void {
    const { generation } = this.generations;
    this.#chunks[at] = chunk.copyFrom(0, chunk.count, capacity, generation);
    this.#capacity += capacity - chunk.capacity;
  }

  #split(at: number): void {
    const chunk = this.#chunks[at];
    const half = chunk.count >> 1;
    const { generation } = this.generations;
    this.#chunks.splice(
      at,
      1,
      chunk.copyFrom(0, half, CHUNK_IDS_MAX, generation),
      chunk.copyFrom(half, chunk.count, CHUNK_IDS_MAX, generation),
    );
    this.#capacity += 2 * CHUNK_IDS_MAX - chunk.capacity;
  }

  /** Removes the id at a place, which is good no more. @throws as `beforeWrite`, before any change */
  remove(place: PendingPlace): void {
    const at = place.chunkIndex;
    const chunk = this.#writable(at);
    chunk.removeAt(place.index);
    this.count--;
    if (chunk.count === 0) {
      this.#chunks.splice(at, 1);
      this.#capacity -= chunk.capacity;
    } else if (chunk.count < chunk.capacity >> 2) tryAllocating(() => this.#shrink(at, chunk));
  }

  /** Lets a chunk that has become sparse take less, with its neighbour if that is sparse, too. */
  #shrink(at: number, chunk: PendingChunk): void {
    const next = this.#chunks[at + 1];
    if (next !== undefined && chunk.count + next.count <= JOIN_BELOW) {
      const { generation } = this.generations;
      const joined = chunk.copyFrom(0, chunk.count, JOIN_BELOW * 2, generation);
      for (let i = 0; i < next.count; i++) appendTo(joined, next, i);
      this.#chunks.splice(at, 2, joined);
      this.#capacity += joined.capacity - chunk.capacity - next.capacity;
    } else if (chunk.capacity > CHUNK_IDS_FIRST) this.#replace(at, chunk, chunk.capacity >> 1);
  }

  /**
   * Removes all ids of an owner, in O(count). Places are good no more.
   * @throws RangeError before anything is changed
   */
  removeOwner(owner: number): void {
    const kept = this.#chunksWithout(owner);
    this.#chunks = kept;
    this.count = 0;
    this.#capacity = 0;
    for (const chunk of kept) {
      this.count += chunk.count;
      this.#capacity += chunk.capacity;
    }
  }

  /** The chunks without an owner's ids: those that have none of them as they are, what is left of others joined. */
  #chunksWithout(owner: number): PendingChunk[] {
    const { generation } = this.generations;
    const kept: PendingChunk[] = [];
    let rest: PendingChunk | null = null;
    for (const chunk of this.#chunks) {
      const left = chunk.count - chunk.countOf(owner);
      if (left === chunk.count) {
        kept.push(chunk);
        rest = null;
      } else if (left > 0) {
        if (rest === null || rest.count + left > CHUNK_IDS_MAX) {
          rest = new PendingChunk(CHUNK_IDS_MAX, this.hasDetails, generation);
          kept.push(rest);
        }
        for (let i = 0; i < chunk.count; i++) {
          if (chunk.owners[i] !== owner) appendTo(rest, chunk, i);
        }
      }
    }
    return kept.map((chunk) => chunk.isSparse ? chunk.fitting(generation) : chunk);
  }

  /** Adds an id behind all others, as a snapshot has them; false when it is not above them. */
  append(place: PendingPlace, id: StreamId): boolean {
    if (this.last(place) && place.chunk.compare(place.index, id) >= 0) return false;
    this.add(place, id);
    return true;
  }
}

const moved = new StreamId();

function appendTo(chunk: PendingChunk, from: PendingChunk, index: number): void {
  const at = chunk.count;
  chunk.insertAt(at, from.readId(index, moved));
  if (!chunk.hasDetails) return;
  chunk.times[at] = from.times[index];
  chunk.deliveries[at] = from.deliveries[index];
  chunk.owners[at] = from.owners[index];
}
