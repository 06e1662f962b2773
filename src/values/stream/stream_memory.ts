/**
 * The memory that the full nodes of a stream lie in: below stream.ts, which says what is in them.
 *
 * A node that is being filled has a buffer of its own. Once it is full it moves to a shelf, a large buffer from blocks,
 * where nodes lie one behind the other and take what they need:
 *
 *     |  node  | node |  given up  |   node   |  never used ...  |
 *
 * A buffer for every few kilobytes would cost more: allocators round such sizes up by as much as a fifth, and keep what
 * is freed. What is given up is not used again; a shelf goes back when nothing is left on it, and `tidy` moves what is
 * left on a sparse one. As streams are mostly trimmed at the front, most shelves go by themselves.
 *
 * A copy of a stream has nodes in common with it. The shelves that these lie on belong to nobody any more (`share`): no
 * one gives them back by hand, they are collected.
 */

import { BLOCK_SHARE_MIN, blocks } from "../../base/blocks.ts";
import { copyBytes } from "../../base/bytes.ts";
import { tryAllocating } from "../../base/refused.ts";
import { OWN_BUFFER_BYTES, type StreamNode } from "./stream_node.ts";

/** A stream with fewer nodes has no shelves. */
const SHELVES_FROM_NODES = 16;
/** A shelf is this share of what a stream takes, within these limits, in pages. */
const SHELF_SHARE = 1 / 8;
const SHELF_BYTES_MAX = 512 * 1024;
const PAGE_BYTES = 4096;
/** Larger nodes, as a share of a shelf, have buffers of their own: the end of a shelf is left free. */
const NODE_SHARE_MAX = 1 / 4;
/** What was given up is let lie while it is less than this share of all that is in use, or so many bytes. */
const GAP_SHARE = 1 / 4;
const GAP_BYTES_MIN = 16 * 1024;

/** See the head of the file. */
export class StreamShelf {
  /** The nodes that were put there in their order, null for those that have left. */
  readonly nodes: (StreamNode | null)[] = [];
  /** Where the next node begins. */
  end = 0;
  /** Bytes of the nodes that are there. */
  live = 0;

  constructor(public memory: Uint8Array) {}

  /** Whether emptying it gives back more than has to be moved. */
  get isSparse(): boolean {
    return this.live * 2 <= this.end;
  }
}

export class StreamMemory {
  /** Bytes of the nodes of the stream, wherever they lie. */
  #nodeBytes = 0;
  /** Bytes on shelves that nodes have given up. */
  #gapBytes = 0;
  readonly #shelves: StreamShelf[] = [];
  /** Where the next node goes. */
  #open: StreamShelf | null = null;
  /** Shelves that are empty and may still be read. */
  readonly #held: StreamShelf[] = [];
  /** Whether walks are under way, which read nodes that have left the stream: nothing is given back meanwhile. */
  isRead = false;

  /** Estimate of all that is held. */
  get heldBytes(): number {
    return this.#nodeBytes + this.#gapBytes;
  }

  /** The node has come into the stream. */
  add(node: StreamNode): void {
    this.#nodeBytes += node.memoryBytes;
  }

  /** The node has left the stream. Its bytes may be read until the end of the command, and of all walks. */
  remove(node: StreamNode): void {
    this.#nodeBytes -= node.memoryBytes;
    this.#leaveShelf(node);
  }

  /** `add` for a node whose bytes somebody else has: it gets a copy of them. @throws RangeError without a change */
  addCopied(node: StreamNode, nodes: number): void {
    if (nodes < SHELVES_FROM_NODES || !this.#shelve(node)) node.moveTo(node.neededBytes);
    this.add(node);
  }

  /**
   * Puts a full node of a stream of so many on a shelf; answers the buffer that it had of its own, which nobody reads
   * then. Where it has none, or that is better left, nothing is done, and the answer is null.
   */
  shelveFull(node: StreamNode, nodes: number): Uint8Array | null {
    if (nodes < SHELVES_FROM_NODES || node.shelf !== null || node.isShared) return null;
    const { bytes, memoryBytes } = node;
    if (!this.#shelve(node)) return null;
    this.#nodeBytes += node.memoryBytes - memoryBytes;
    return bytes;
  }

  /** A node of the stream, which had `before` bytes of capacity, has moved to a buffer of its own. */
  moved(node: StreamNode, before: number): void {
    this.#nodeBytes += node.capacity - before;
    if (node.shelf === null) return;
    this.#leaveShelf(node, before);
    this.#nodeBytes += OWN_BUFFER_BYTES;
  }

  // -- shelves -------------------------------------------------------------------------------

  /** Moves a node to the open shelf; false, and nothing is done, where it is too large or memory is refused. */
  #shelve(node: StreamNode): boolean {
    const bytes = node.neededBytes;
    const shelfBytes = shelfBytesFor(this.#nodeBytes);
    if (bytes > shelfBytes * NODE_SHARE_MAX) return false;
    if (!tryAllocating(() => this.#makeRoom(bytes, shelfBytes))) return false;
    const shelf = this.#open!;
    copyBytes(shelf.memory, shelf.end, node.bytes, node.base, node.size);
    this.#leaveShelf(node);
    node.bytes = shelf.memory;
    node.base = shelf.end;
    node.capacity = bytes;
    node.shelf = shelf;
    node.place = shelf.nodes.length;
    shelf.nodes.push(node);
    shelf.end += bytes;
    shelf.live += bytes;
    return true;
  }

  /** Makes the open shelf one that has room. @throws RangeError without a change */
  #makeRoom(bytes: number, shelfBytes: number): void {
    if (this.#open !== null && this.#open.end + bytes <= this.#open.memory.length) return;
    this.#open = new StreamShelf(blocks.take(shelfBytes));
    this.#shelves.push(this.#open);
  }

  /** What a node had on a shelf, if it had something there, is given up. */
  #leaveShelf(node: StreamNode, bytes = node.capacity): void {
    const { shelf } = node;
    if (shelf === null || node.isShared) return;
    node.shelf = null;
    shelf.nodes[node.place] = null;
    shelf.live -= bytes;
    this.#gapBytes += bytes;
    if (shelf.live === 0) this.#drop(shelf);
  }

  #drop(shelf: StreamShelf): void {
    this.#gapBytes -= shelf.end;
    this.#shelves.splice(this.#shelves.indexOf(shelf), 1);
    if (this.#open === shelf) this.#open = null;
    if (this.isRead) this.#held.push(shelf);
    else blocks.give(shelf.memory);
  }

  /** The last walk has ended: what was held for it goes back. */
  endReading(): void {
    this.isRead = false;
    for (const shelf of this.#held.splice(0)) blocks.give(shelf.memory);
  }

  /** All nodes but these have left the stream. Takes time for those that stay, and for the shelves. */
  retain(nodes: readonly (StreamNode | null)[]): void {
    this.#nodeBytes = 0;
    for (const shelf of this.#shelves) {
      shelf.nodes.length = 0;
      shelf.live = 0;
    }
    for (const node of nodes) if (node !== null) this.#retainOne(node);
    this.#gapBytes = 0;
    for (const shelf of this.#shelves) this.#gapBytes += shelf.end - shelf.live;
    for (const shelf of this.#shelves.filter(({ live }) => live === 0)) this.#drop(shelf);
  }

  #retainOne(node: StreamNode): void {
    this.add(node);
    const { shelf } = node;
    if (shelf === null || node.isShared) return;
    node.place = shelf.nodes.length;
    shelf.nodes.push(node);
    shelf.live += node.capacity;
  }

  /** Other streams have the nodes, too: from now on the shelves are left to the collector. */
  share(): void {
    this.#shelves.length = 0;
    this.#held.length = 0;
    this.#open = null;
    this.#gapBytes = 0;
  }

  // -- memory that goes back -------------------------------------------------------------------

  /**
   * Empties a sparse shelf, where much was given up: that copies a quarter of a megabyte at most. Without memory for it
   * all stays as it is.
   */
  tidy(nodes: number): void {
    if (this.#gapBytes <= Math.max(GAP_BYTES_MIN, this.#nodeBytes * GAP_SHARE)) return;
    let sparsest: StreamShelf | null = null;
    for (const shelf of this.#shelves) {
      if (shelf.isSparse && (sparsest === null || shelf.live < sparsest.live)) sparsest = shelf;
    }
    if (sparsest === null) return;
    if (this.#open === sparsest) this.#open = null;
    for (const node of sparsest.nodes) if (node !== null && !this.#move(node, nodes)) return;
  }

  /** Moves a node from one shelf to another; where these are not worth it, to a buffer of its own. */
  #move(node: StreamNode, nodes: number): boolean {
    if (nodes >= SHELVES_FROM_NODES && this.#shelve(node)) return true;
    const { capacity } = node;
    if (!tryAllocating(() => node.moveTo(node.neededBytes))) return false;
    this.moved(node, capacity);
    return true;
  }

  /** See `LargeValue.vacateOne`. There are no walks then. */
  vacateOne(): boolean {
    for (const shelf of this.#shelves) {
      const memory = blocks.vacated(shelf.memory, shelf.end);
      if (memory === shelf.memory) continue;
      shelf.memory = memory;
      for (const node of shelf.nodes) if (node !== null) node.bytes = memory;
      return true;
    }
    return false;
  }

  /** Gives all shelves back: the stream is not used any more. What lies there may be read until the command's end. */
  dispose(): void {
    if (!this.isRead) { for (const shelf of this.#shelves) blocks.give(shelf.memory); }
    this.share();
  }
}

/** How large a shelf is to be for nodes of so many bytes. */
function shelfBytesFor(nodeBytes: number): number {
  const wanted = Math.max(BLOCK_SHARE_MIN, Math.min(nodeBytes * SHELF_SHARE, SHELF_BYTES_MAX));
  return Math.ceil(wanted / PAGE_BYTES) * PAGE_BYTES;
}
