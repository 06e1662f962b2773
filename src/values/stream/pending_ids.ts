/**
 * Ids that have been delivered and not acknowledged, in order: of a group with what is known of each
 * delivery, of a consumer the ids alone. They lie in chunks of columns, so that an id costs 16 bytes
 * and no object, and what is added at the end or taken from the front moves little.
 *
 * Pure. While a snapshot walks over them, a chunk that is to change is replaced by a copy, and the walk
 * keeps the old one (see `Stream.beginWalk`).
 */

import { tryAllocating } from "../../base/refused.ts";
import type { Consumer } from "./consumer_group.ts";
import { StreamId } from "./stream_id.ts";

/** Ids in a full chunk. */
const CHUNK_IDS_MAX = 256;
const CHUNK_IDS_FIRST = 4;
/** Neighbours with so few ids together become one. */
const JOIN_BELOW = 64;

/** Approximate bytes of a chunk beside its columns. */
const CHUNK_OVERHEAD_BYTES = 300;
const ID_BYTES = 16;
const DETAIL_BYTES = 24;

const NO_NUMBERS = new Float64Array(0);

/** A run of ids. Only read from outside. */
export class PendingChunk {
  count = 0;
  /** Of each id four halves, the most significant first. */
  ids: Uint32Array;
  /** When it was delivered last, Unix time in ms. */
  times: Float64Array;
  /** How often it was delivered. */
  deliveries: Float64Array;
  /** Whom to; null while a snapshot is being loaded. */
  readonly consumers: (Consumer | null)[] = [];

  constructor(capacity: number, readonly hasDetails: boolean, readonly generation: number) {
    this.ids = new Uint32Array(capacity * 4);
    this.times = hasDetails ? new Float64Array(capacity) : NO_NUMBERS;
    this.deliveries = hasDetails ? new Float64Array(capacity) : NO_NUMBERS;
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
      for (let i = from; i < to; i++) copy.consumers.push(this.consumers[i]);
    }
    return copy;
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
      if (index === this.count) this.consumers.push(null);
      else this.consumers.splice(index, 0, null);
    }
    this.count++;
  }

  removeAt(index: number): void {
    this.ids.copyWithin(index * 4, (index + 1) * 4, this.count * 4);
    if (this.hasDetails) {
      this.times.copyWithin(index, index + 1, this.count);
      this.deliveries.copyWithin(index, index + 1, this.count);
      this.consumers.splice(index, 1);
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
  readonly #chunks: PendingChunk[] = [];
  count = 0;
  #capacity = 0;

  constructor(readonly hasDetails: boolean, readonly generations: Generations) {}

  get memoryBytes(): number {
    const each = this.hasDetails ? ID_BYTES + DETAIL_BYTES : ID_BYTES;
    return this.#capacity * each + this.#chunks.length * CHUNK_OVERHEAD_BYTES;
  }

  /** The chunks as they are now, for a walk. */
  chunks(): readonly PendingChunk[] {
    return this.#chunks.slice();
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

  /** To be called before the details at a place are changed in place. */
  beforeWrite(place: PendingPlace): void {
    place.chunk = this.#writable(place.chunkIndex);
  }

  #writable(at: number): PendingChunk {
    const chunk = this.#chunks[at];
    const { walks, generation } = this.generations;
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

  /** Removes the id at a place, which is good no more. */
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
  chunk.consumers[at] = from.consumers[index];
}
