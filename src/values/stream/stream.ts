/**
 * A stream: entries in nodes (stream_node.ts), found by their ids, and the groups that read them.
 *
 * Pure. Nodes are an ordered list that is searched by halving; entries are added at the end, mostly
 * removed at the front. Memory is that of the listpacks and about 170 bytes for each node
 * (see stream_memory.ts for where they lie).
 *
 * A snapshot walks over nodes and pending ids while requests go on changing them (`beginWalk`): what is
 * older than the walk is not changed any more but replaced by a copy, so that the walk's own lists
 * still hold what was there when it began. In the same way a copy of a stream (`clone`) has nodes and
 * pending ids in common with it, until one of the two is to change them. Both count them as their own.
 * Then memory may be refused, before anything is different: what changes several places takes it for all
 * of them first (`reserveDelete`, `reserveTrim`).
 */

import { tryAllocating } from "../../base/refused.ts";
import { ByName, ConsumerGroup, ENTRIES_READ_UNKNOWN } from "./consumer_group.ts";
import { addCount, type Count, subtractCount } from "./count64.ts";
import type { Generations } from "./pending_ids.ts";
import { StreamId } from "./stream_id.ts";
import { StreamMemory } from "./stream_memory.ts";
import {
  addToNode,
  entryBytes,
  type EntryWords,
  NodeCursor,
  nodeWith,
  StreamNode,
} from "./stream_node.ts";

/** Approximate bytes of a stream beside its nodes. */
const STREAM_BYTES = 600;

/** Room in a new node beyond what the one before it has: an entry's size is overestimated at first. */
const FULL_NODE_SPARE_BYTES = 128;

/** No node and no entry has more bytes, whatever the limits say. */
export const STREAM_NODE_BYTES_MAX = 2 ** 30;

/** When a node is full: `stream-node-max-bytes` and `stream-node-max-entries`, 0 for no limit. */
export interface NodeLimits {
  readonly streamNodeMaxBytes: number;
  readonly streamNodeMaxEntries: number;
}

/** What of the front of a stream is to go. */
export interface Trim {
  /** Entries that stay; null when `minId` decides. */
  readonly maxLength: number | null;
  /** The lowest id that stays. */
  readonly minId: StreamId;
  /** Whether whole nodes only are to go. */
  readonly isApproximate: boolean;
  /** Most entries to go, 0 for no limit. */
  readonly limit: number;
}

/** Nodes at the front of a stream, and the entries that they have. */
interface WholeNodes {
  readonly nodes: number;
  readonly entries: number;
}

const edge = new NodeCursor();

export class Stream implements Generations {
  /** The nodes, behind `#first` places that are free. */
  #nodes: (StreamNode | null)[] = [];
  #first = 0;
  readonly #memory = new StreamMemory();
  /** Entries that are not deleted. */
  length = 0;
  /** Of the first entry, 0-0 when there is none. */
  readonly firstId = new StreamId();
  /** Of the last entry that was ever added, or what XSETID said. */
  readonly lastId = new StreamId();
  /** The greatest id that was deleted by XDEL. */
  readonly maxDeletedId = new StreamId();
  entriesAdded: Count = 0;
  readonly groups = new ByName<ConsumerGroup>();
  /** Walks under way, and what may be changed in place while there are some. */
  walks = 0;
  generation = 0;
  failedGeneration = -1;
  /** Whether there may be a stream that has nodes or pending ids in common with this one. */
  #mayShare = false;

  /** Bytes in use, in O(groups). */
  get memoryBytes(): number {
    let bytes = STREAM_BYTES + this.#memory.heldBytes;
    for (const group of this.groups.items) bytes += group.memoryBytes;
    return bytes;
  }

  /** A copy of its own, in O(nodes + pending ids / 256). */
  clone(): Stream {
    const copy = new Stream();
    copy.#nodes = this.#nodes.slice(this.#first);
    for (const node of copy.#nodes) {
      node!.isShared = true;
      copy.#memory.add(node!);
    }
    this.#memory.share();
    this.#mayShare = copy.#mayShare = true;
    copy.length = this.length;
    copy.firstId.copy(this.firstId);
    copy.lastId.copy(this.lastId);
    copy.maxDeletedId.copy(this.maxDeletedId);
    copy.entriesAdded = this.entriesAdded;
    for (const group of this.groups.items) copy.groups.add(group.clone(copy));
    return copy;
  }

  /** LargeValue. */
  vacateOne(): boolean {
    return this.#memory.vacateOne();
  }

  /** LargeValue. */
  dispose(): void {
    this.#memory.dispose();
  }

  // -- nodes ---------------------------------------------------------------------------------

  get nodeCount(): number {
    return this.#nodes.length - this.#first;
  }

  node(index: number): StreamNode {
    return this.#nodes[this.#first + index]!;
  }

  /** The last node whose id is not above `id`, -1 when there is none. */
  nodeIndexOf(id: StreamId): number {
    let low = 0;
    let high = this.nodeCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.node(middle).id.compare(id) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The nodes as they are now, for a walk. */
  nodes(): readonly StreamNode[] {
    return this.#nodes.slice(this.#first) as StreamNode[];
  }

  /** From now on what is there is not changed in place, until `endWalk`. */
  beginWalk(): void {
    this.walks++;
    this.generation++;
    this.#memory.isRead = true;
  }

  endWalk(): void {
    if (--this.walks === 0) this.#memory.endReading();
  }

  /**
   * Memory was refused for what a walk still has to write as it was: that is no reason to refuse the change.
   * The walks of this generation or before it find it in `failedGeneration`.
   */
  walksFail(): void {
    this.failedGeneration = this.generation;
  }

  /** The node to be changed. @throws RangeError when there is no memory for one that others have, too */
  #writable(index: number): StreamNode {
    const node = this.node(index);
    if (node.isShared) return this.#copied(index);
    if (this.walks === 0 || node.generation === this.generation) return node;
    if (!tryAllocating(() => this.#copied(index))) this.walksFail();
    return this.node(index);
  }

  /** Puts a copy in the place of a node. */
  #copied(index: number): StreamNode {
    const node = this.node(index);
    const copy = node.clone(this.generation);
    this.#memory.remove(node);
    this.#memory.add(copy);
    return this.#nodes[this.#first + index] = copy;
  }

  #removeNode(index: number): void {
    if (index === 0) return this.#removeFirst(1);
    this.#memory.remove(this.node(index));
    this.#nodes.splice(this.#first + index, 1);
    this.#memory.tidy(this.nodeCount);
  }

  #removeFirst(count: number): void {
    this.#takeFirst(count);
    this.#memory.tidy(this.nodeCount);
  }

  #takeFirst(count: number): void {
    if (count > this.nodeCount / 2) {
      this.#nodes = this.#nodes.slice(this.#first + count);
      this.#first = 0;
      this.#memory.retain(this.#nodes);
      return;
    }
    for (let i = 0; i < count; i++) {
      this.#memory.remove(this.node(0));
      this.#nodes[this.#first++] = null;
    }
    if (this.#first > 32 && this.#first > this.#nodes.length >> 1) {
      this.#nodes.splice(0, this.#first);
      this.#first = 0;
    }
  }

  /** While a snapshot is loaded: adds a node, with its entries, behind the others; false when its id is not above theirs. */
  loadNode(id: StreamId, bytes: Uint8Array, off: number, size: number): boolean {
    const count = this.nodeCount;
    if (count > 0 && this.node(count - 1).id.compare(id) >= 0) return false;
    const node = StreamNode.of(id.clone(), bytes, off, size, this.generation);
    this.#memory.addCopied(node, count);
    this.#nodes.push(node);
    this.length += node.live;
    return true;
  }

  // -- adding --------------------------------------------------------------------------------

  /**
   * Adds an entry with `count` fields and values in the words from `first` on. Its id must be above
   * `lastId`, its bytes at most STREAM_NODE_BYTES_MAX.
   */
  append(
    id: StreamId,
    words: EntryWords,
    first: number,
    count: number,
    limits: NodeLimits,
  ): void {
    const last = this.nodeCount - 1;
    if (last < 0 || isFull(this.node(last), entryBytes(words, first, count), limits)) {
      // The one before says how large it will become; so it does not grow step by step.
      const capacity = last < 0 ? 0 : this.node(last).size + FULL_NODE_SPARE_BYTES;
      const spare = last < 0 ? null : this.#memory.shelveFull(this.node(last), last + 1);
      const node = nodeWith(id, words, first, count, this.generation, capacity, spare);
      if (last >= 0) this.#shrink(last);
      this.#memory.add(node);
      this.#nodes.push(node);
    } else this.#addTo(this.#writable(last), id, words, first, count);
    this.length++;
    this.entriesAdded = addCount(this.entriesAdded, 1);
    this.lastId.copy(id);
    if (this.length === 1) this.firstId.copy(id);
  }

  #addTo(node: StreamNode, id: StreamId, words: EntryWords, first: number, count: number): void {
    const { bytes, capacity } = node;
    addToNode(node, id, words, first, count);
    if (node.bytes !== bytes) this.#memory.moved(node, capacity);
  }

  /** Gives back the room that a full node has in a buffer of its own. */
  #shrink(index: number): void {
    const { shelf, isShared } = this.node(index);
    if (shelf !== null || isShared) return;
    const node = this.#writable(index);
    const { capacity } = node;
    node.shrink();
    this.#memory.moved(node, capacity);
  }

  // -- removing ------------------------------------------------------------------------------

  /** Deletes an entry; false when it is not there. */
  delete(id: StreamId): boolean {
    const index = this.nodeIndexOf(id);
    if (index < 0 || !standOn(edge, this.node(index), id)) return false;
    if (this.node(index).live === 1) this.#removeNode(index);
    else {
      const at = edge.at - edge.node.base;
      const node = this.#writable(index);
      node.markDeleted(node.base + at);
      node.setCounts(node.live - 1, node.deleted + 1);
    }
    this.length--;
    if (this.length === 0) this.firstId.set(0, 0, 0, 0);
    else if (id.equals(this.firstId)) this.findFirst();
    if (id.compare(this.maxDeletedId) > 0) this.maxDeletedId.copy(id);
    return true;
  }

  /** Sets `firstId` to what the nodes say. */
  findFirst(): void {
    const cursor = new StreamCursor(this);
    if (cursor.seekFirst(ZERO)) this.firstId.copy(cursor.id);
  }

  /** Takes the memory for deleting these entries. @throws RangeError */
  reserveDelete(ids: readonly StreamId[]): void {
    if (!this.#mayShare) return;
    for (const id of ids) {
      const index = this.nodeIndexOf(id);
      if (index >= 0 && standOn(edge, this.node(index), id)) this.#writable(index);
    }
  }

  /** Takes the memory for a trim once `added` entries have come behind the others. @throws RangeError */
  reserveTrim(trim: Trim, added: number): void {
    if (this.#mayShare) this.#reservePart(trim, this.#wholeNodes(trim, added), added);
  }

  /** Takes the memory for what a trim removes of the node behind those that go as a whole. @throws RangeError */
  #reservePart(
    { isApproximate, maxLength }: Trim,
    { nodes, entries }: WholeNodes,
    added: number,
  ): boolean {
    if (isApproximate || nodes === this.nodeCount) return false;
    if (maxLength !== null && this.length + added - entries <= maxLength) return false;
    this.#writable(nodes);
    return true;
  }

  /** The nodes at the front that a trim removes as a whole. Takes time for those that go or those that stay. */
  #wholeNodes(trim: Trim, added: number): WholeNodes {
    const { maxLength, minId, limit } = trim;
    if (limit > 0) return this.#wholeNodesInOrder(trim, added);
    if (maxLength === null) return this.#wholeNodesBefore(minId);
    return maxLength < this.length / 2
      ? this.#wholeNodesBeyond(maxLength, added)
      : this.#wholeNodesInOrder(trim, added);
  }

  #wholeNodesInOrder({ maxLength, minId, limit }: Trim, added: number): WholeNodes {
    const { nodeCount } = this;
    const length = this.length + added;
    let nodes = 0;
    let entries = 0;
    for (; nodes < nodeCount; nodes++) {
      const { live } = this.node(nodes);
      if (limit > 0 && entries + live > limit) break;
      const goesWhole = maxLength !== null
        ? length - entries - live >= maxLength && length - entries > maxLength
        : this.#isBefore(nodes, minId);
      if (!goesWhole) break;
      entries += live;
    }
    return { nodes, entries };
  }

  /** The same for few entries that stay: counts these, from the last one on. */
  #wholeNodesBeyond(maxLength: number, added: number): WholeNodes {
    let nodes = this.nodeCount;
    let kept = added;
    while (nodes > 0 && kept < maxLength) kept += this.node(--nodes).live;
    // Nodes without an entry only go where one behind them does.
    while (nodes > 0 && kept === maxLength && this.node(nodes - 1).live === 0) nodes--;
    return { nodes, entries: Math.max(0, this.length + added - kept) };
  }

  /** The same for ids, which are searched. */
  #wholeNodesBefore(minId: StreamId): WholeNodes {
    const index = this.nodeIndexOf(minId);
    const nodes = index >= 0 && this.#isBefore(index, minId) ? index + 1 : Math.max(0, index);
    const { nodeCount } = this;
    const entries = nodes < nodeCount / 2
      ? this.#liveBetween(0, nodes)
      : this.length - this.#liveBetween(nodes, nodeCount);
    return { nodes, entries };
  }

  #liveBetween(from: number, to: number): number {
    let live = 0;
    for (let i = from; i < to; i++) live += this.node(i).live;
    return live;
  }

  /** Whether all entries of a node have ids below this one. */
  #isBefore(index: number, id: StreamId): boolean {
    // Where the next node begins says it mostly, and is at hand.
    if (index + 1 < this.nodeCount && this.node(index + 1).id.compare(id) <= 0) return true;
    return lastIdOf(this.node(index)).compare(id) < 0;
  }

  /** Removes entries at the front; how many. @throws RangeError before any change, see `reserveTrim` */
  trim(trim: Trim): number {
    const whole = this.#wholeNodes(trim, 0);
    const hasPart = this.#reservePart(trim, whole, 0);
    this.#removeFirst(whole.nodes);
    this.length -= whole.entries;
    const removed = whole.entries + (hasPart ? this.#trimNode(trim) : 0);
    if (this.length === 0) this.firstId.set(0, 0, 0, 0);
    else if (removed > 0) this.findFirst();
    return removed;
  }

  /**
   * The entries that a trim removes if those that `mayGo` says no to are passed over, which makes the rest of the
   * first entries go: their ids, for `delete`.
   */
  entriesToTrim(trim: Trim, mayGo: (id: StreamId) => boolean): StreamId[] {
    const { maxLength, minId } = trim;
    const ids: StreamId[] = [];
    let left = this.length;
    for (let i = 0; i < this.nodeCount && (maxLength === null || left > maxLength); i++) {
      const node = this.node(i);
      if (trim.limit > 0 && ids.length + node.live > trim.limit) break;
      const isBefore = maxLength === null
        ? lastIdOf(node).compare(minId) < 0
        : left - node.live >= maxLength;
      if (!isBefore && trim.isApproximate) break;
      edge.open(node);
      for (let on = edge.first(); on; on = edge.next()) {
        if (maxLength === null ? edge.id.compare(minId) >= 0 : left <= maxLength) break;
        if (edge.isDeleted || !mayGo(edge.id)) continue;
        ids.push(edge.id.clone());
        left--;
      }
      if (!isBefore) break;
    }
    return ids;
  }

  /** Removes entries of the first node, which may be written, and keeps some; how many. Takes no memory. */
  #trimNode({ maxLength, minId }: Trim): number {
    const node = this.node(0);
    let removed = 0;
    // From the first on: a mark moves what lies behind it only where it makes the flags shorter.
    edge.open(node);
    for (let on = edge.first(); on; on = edge.next()) {
      const stays = maxLength !== null
        ? this.length - removed <= maxLength
        : edge.id.compare(minId) >= 0;
      if (stays) break;
      if (edge.isDeleted) continue;
      node.markDeleted(edge.at);
      edge.reread();
      removed++;
    }
    if (removed > 0) node.setCounts(node.live - removed, node.deleted + removed);
    this.length -= removed;
    return removed;
  }

  // -- groups --------------------------------------------------------------------------------

  /** Adds a group whose name is not there; it has read up to `lastId`. */
  addGroup(name: Uint8Array, lastId: StreamId, entriesRead: Count): ConsumerGroup {
    const group = new ConsumerGroup(name, this);
    group.lastId.copy(lastId);
    group.entriesRead = entriesRead;
    this.groups.add(group);
    return group;
  }

  /** Whether an entry from `from` on may have been deleted, so that counting on from there is a guess. */
  mayMissEntriesFrom(from: StreamId): boolean {
    const { maxDeletedId } = this;
    if (this.length === 0 || maxDeletedId.isZero) return false;
    return this.firstId.compare(maxDeletedId) <= 0 && from.compare(maxDeletedId) <= 0;
  }

  /** How many entries were added up to an id, or ENTRIES_READ_UNKNOWN where that cannot be told. */
  entriesUpTo(id: StreamId): Count {
    const { entriesAdded, maxDeletedId } = this;
    if (entriesAdded === 0) return 0;
    const order = id.compare(this.lastId);
    if (order === 0 || (order < 0 && this.length === 0)) return entriesAdded;
    if (order > 0) return ENTRIES_READ_UNKNOWN;
    if (!maxDeletedId.isZero && maxDeletedId.compare(this.firstId) >= 0) {
      return ENTRIES_READ_UNKNOWN;
    }
    const before = subtractCount(entriesAdded, this.length);
    const fromFirst = id.compare(this.firstId);
    if (fromFirst > 0) return ENTRIES_READ_UNKNOWN;
    return fromFirst < 0 ? before : addCount(before, 1);
  }

  /** How many entries a group has not read yet; null where that cannot be told. */
  lagOf(group: ConsumerGroup): Count | null {
    if (this.entriesAdded === 0) return 0;
    const isKnown = group.entriesRead !== ENTRIES_READ_UNKNOWN &&
      !this.mayMissEntriesFrom(group.lastId);
    const read = isKnown ? group.entriesRead : this.entriesUpTo(group.lastId);
    return read === ENTRIES_READ_UNKNOWN ? null : subtractCount(this.entriesAdded, read);
  }

  /** A group has been given the entry with this id: counts it, if it is the furthest so far. */
  countRead(group: ConsumerGroup, id: StreamId): boolean {
    if (id.compare(group.lastId) <= 0) return false;
    if (group.entriesRead !== ENTRIES_READ_UNKNOWN && !this.mayMissEntriesFrom(id)) {
      group.entriesRead = addCount(group.entriesRead, 1);
    } else if (this.entriesAdded !== 0) group.entriesRead = this.entriesUpTo(id);
    // A client may have set the count so high that it goes beyond 64 bits here. No command can set what
    // comes of that, so that replicas would refuse it together with the id.
    if (group.entriesRead < 0) group.entriesRead = ENTRIES_READ_UNKNOWN;
    group.lastId.copy(id);
    return true;
  }
}

const ZERO = new StreamId();

function isFull(node: StreamNode, entrySize: number, limits: NodeLimits): boolean {
  const { streamNodeMaxBytes, streamNodeMaxEntries } = limits;
  const bytesMax = streamNodeMaxBytes === 0
    ? STREAM_NODE_BYTES_MAX
    : Math.min(streamNodeMaxBytes, STREAM_NODE_BYTES_MAX);
  if (node.size + entrySize >= bytesMax) return true;
  return streamNodeMaxEntries > 0 && node.live + node.deleted >= streamNodeMaxEntries;
}

/** Stands on the entry with this id, which is not deleted. */
function standOn(cursor: NodeCursor, node: StreamNode, id: StreamId): boolean {
  cursor.open(node);
  for (let on = cursor.first(); on; on = cursor.next()) {
    const order = cursor.id.compare(id);
    if (order > 0) return false;
    if (order === 0 && !cursor.isDeleted) return true;
  }
  return false;
}

/** Id of a node's last entry, deleted or not. */
function lastIdOf(node: StreamNode): StreamId {
  edge.open(node);
  return edge.last() ? edge.id : ZERO;
}

/** A place among the entries of a stream that are not deleted; good until the next change. */
export class StreamCursor extends NodeCursor {
  #index = 0;
  /** Whether it stands on an entry. */
  #isOn = false;

  constructor(public stream: Stream) {
    super();
  }

  /** Stands on the first entry whose id is not below `start`; false when there is none. */
  seekFirst(start: StreamId): boolean {
    this.#index = Math.max(0, this.stream.nodeIndexOf(start));
    if (!this.#openNode()) return this.#isOn = false;
    let on = this.first();
    while (on && this.id.compare(start) < 0) on = this.next();
    return this.#settle(on, true);
  }

  /**
   * `seekFirst`, for who goes through ids in order: nothing has changed since the cursor was set on this stream,
   * and `start` is not below what it was set on.
   */
  seekAhead(start: StreamId): boolean {
    const index = this.stream.nodeIndexOf(start);
    if (!this.#isOn || index !== this.#index) return this.seekFirst(start);
    let on = true;
    while (on && this.id.compare(start) < 0) on = this.next();
    return this.#settle(on, true);
  }

  /** Stands on the last entry whose id is not above `end`; false when there is none. */
  seekLast(end: StreamId): boolean {
    this.#index = this.stream.nodeIndexOf(end);
    if (!this.#openNode()) return this.#isOn = false;
    let on = this.last();
    while (on && this.id.compare(end) > 0) on = this.previous();
    return this.#settle(on, false);
  }

  /** Moves to the next entry; false at the end. */
  nextEntry(): boolean {
    return this.#settle(this.next(), true);
  }

  /** Moves to the entry before; false at the beginning. */
  previousEntry(): boolean {
    return this.#settle(this.previous(), false);
  }

  #openNode(): boolean {
    if (this.#index < 0 || this.#index >= this.stream.nodeCount) return false;
    this.open(this.stream.node(this.#index));
    return true;
  }

  /** Goes on until the entry at hand is one, and not deleted. */
  #settle(on: boolean, forward: boolean): boolean {
    for (;;) {
      while (on && this.isDeleted) on = forward ? this.next() : this.previous();
      if (on) return this.#isOn = true;
      this.#index += forward ? 1 : -1;
      if (!this.#openNode()) return this.#isOn = false;
      on = forward ? this.first() : this.last();
    }
  }
}
