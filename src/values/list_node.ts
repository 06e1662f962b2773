/**
 * The nodes of a quicklist and the memory they lie in: below quicklist.ts, which says what is in them.
 *
 * In a short list each node has a buffer of its own. In a long one the nodes of full size lie in cells of large
 * buffers, which come from blocks: a buffer for every few kilobytes costs more than what is written into it, and
 * the more of them there are, the longer each collection takes. A shelf, all cells one beside the other:
 *
 *     |  node  |  node  |  free  |  node  |  never used ...  |
 *
 * A cell that is given up goes to the next node that is made, and an empty shelf goes back. What is left on shelves
 * that have become sparse is moved together by `tidy`, so that free cells stay a part of those in use.
 */

import { blocks } from "../base/blocks.ts";
import { copyBytes } from "../base/bytes.ts";
import { tryAllocating } from "../base/refused.ts";

/** Estimate of what a node takes without its content. */
const NODE_BYTES = 112;
/** What a buffer of its own takes beside its bytes: its view, and what the engine keeps of it. */
const OWN_BUFFER_BYTES = 168;
/** A list with fewer nodes has no shelves. */
const SHELVES_FROM_NODES = 16;
/** A shelf has cells for a quarter of the nodes there are, within these limits and about so many bytes. */
const SHELF_SHARE = 4;
const CELLS_MIN = 8;
const CELLS_MAX = 64;
const SHELF_BYTES_MAX = 1 << 20;
/** Content that fills less of a cell than this gets a buffer of its own. */
const FILLED_MIN = 7 / 8;
/** Shelves are tidied when free cells are more than this share of those in use, and at least so many. */
const FREE_SHARE = 1 / 4;
const FREE_MIN = 4;

/** A link of the chain. Owned by its list: only read it from outside (but `generation` is yours). */
export class ListNode {
  prev: ListNode | null = null;
  next: ListNode | null = null;
  /** The node may use `buf[low..high)`; its content is `buf[start..end)`. */
  buf: Uint8Array;
  low = 0;
  high: number;
  /** Listpack entries, or the one element of a plain node. */
  start = 0;
  end = 0;
  /** Number of elements, 1 for a plain node. */
  count = 0;
  readonly plain: boolean;
  generation: number;
  /** The shelf that `buf` is; null when that is a buffer of its own. */
  shelf: Shelf | null = null;

  /** `buf` is the buffer, or how many bytes a new one is to have. */
  constructor(buf: Uint8Array | number, plain: boolean, generation: number) {
    this.buf = typeof buf === "number" ? new Uint8Array(buf) : buf;
    this.high = this.buf.length;
    this.plain = plain;
    this.generation = generation;
  }

  /** Bytes that the node may use. */
  get capacity(): number {
    return this.high - this.low;
  }
}

class Shelf {
  /** The node in each cell that has been used some time. */
  readonly nodes: (ListNode | null)[] = [];
  /** How many of these are null. */
  free = 0;
  /** Nothing is put there: it is being emptied. */
  isLeaving = false;

  constructor(public memory: Uint8Array, readonly cells: number) {}

  get used(): number {
    return this.nodes.length - this.free;
  }

  get hasRoom(): boolean {
    return !this.isLeaving && this.used < this.cells;
  }

  /** Whether emptying it gives back more than has to be moved. */
  get isSparse(): boolean {
    return this.free * 2 >= this.nodes.length;
  }
}

const NO_BYTES = new Uint8Array(0);

/** The memory of the nodes of one list. */
export class NodeMemory {
  /** Bytes of all that nodes may use, of both kinds. */
  nodeBytes = 0;
  /** Estimate of all that is held: for the nodes, and in free cells. */
  heldBytes = 0;
  readonly #shelves: Shelf[] = [];
  #cellsUsed = 0;
  #cellsFree = 0;
  /** Where there was room last. */
  #open: Shelf | null = null;
  /** Free cells that there were when no shelf was sparse enough to be emptied. */
  #stuckAt = 0;

  /** `cellBytes` is the most that a node usually has: a multiple of the size of a page. */
  constructor(readonly cellBytes: number) {}

  /**
   * A packed node with room for `bytes` bytes at least, for a list that has `nodes` of them. It is to be put into the
   * list (`add`). @throws RangeError when memory is refused
   */
  newNode(bytes: number, nodes: number, generation: number): ListNode {
    const { cellBytes } = this;
    if (nodes < SHELVES_FROM_NODES || bytes > cellBytes || bytes < cellBytes * FILLED_MIN) {
      return new ListNode(bytes, false, generation);
    }
    const node = new ListNode(NO_BYTES, false, generation);
    this.#put(node, this.#shelfWithRoom(nodes));
    node.start = node.end = node.low;
    return node;
  }

  /** The node has come into the list. */
  add(node: ListNode): void {
    this.nodeBytes += node.capacity;
    this.heldBytes += sizeOf(node);
  }

  /** The node has left the list. Its content may be read until another node is made, or `tidy` called. */
  remove(node: ListNode): void {
    this.nodeBytes -= node.capacity;
    this.heldBytes -= sizeOf(node);
    if (node.shelf !== null) this.#freeCell(node, node.shelf);
  }

  /** Gives a node of the list another buffer, and says where its content lies in it. */
  replace(node: ListNode, buf: Uint8Array, start: number, end: number): void {
    this.remove(node);
    node.shelf = null;
    node.buf = buf;
    node.low = 0;
    node.high = buf.length;
    node.start = start;
    node.end = end;
    this.add(node);
  }

  /** Moves the content of a node of the list to the beginning of another buffer. */
  rebuffer(node: ListNode, buf: Uint8Array): void {
    const used = node.end - node.start;
    copyBytes(buf, 0, node.buf, node.start, used);
    this.replace(node, buf, 0, used);
  }

  // -- shelves -----------------------------------------------------------------------------------

  #shelfWithRoom(nodes: number): Shelf {
    if (this.#open?.hasRoom) return this.#open;
    return this.#open = this.#shelves.find((shelf) => shelf.hasRoom) ?? this.#newShelf(nodes);
  }

  #newShelf(nodes: number): Shelf {
    const { cellBytes } = this;
    const most = Math.min(CELLS_MAX, SHELF_BYTES_MAX / cellBytes);
    const cells = Math.max(CELLS_MIN, Math.min(most, Math.floor(nodes / SHELF_SHARE)));
    const shelf = new Shelf(blocks.take(cells * cellBytes), cells);
    this.#shelves.push(shelf);
    return shelf;
  }

  /** Makes a cell of a shelf, which has room, the node's. */
  #put(node: ListNode, shelf: Shelf): void {
    const { nodes } = shelf;
    let cell = nodes.length;
    if (shelf.free > 0) {
      cell = nodes.indexOf(null);
      shelf.free--;
      this.#cellsFree--;
      this.heldBytes -= this.cellBytes;
    }
    nodes[cell] = node;
    this.#cellsUsed++;
    node.shelf = shelf;
    node.buf = shelf.memory;
    node.low = cell * this.cellBytes;
    node.high = node.low + this.cellBytes;
  }

  #freeCell(node: ListNode, shelf: Shelf): void {
    shelf.nodes[node.low / this.cellBytes] = null;
    shelf.free++;
    this.#cellsUsed--;
    this.#cellsFree++;
    this.heldBytes += this.cellBytes;
    if (shelf.used === 0 && !this.#isNeeded(shelf)) this.#drop(shelf);
    else if (this.#open === null) this.#open = shelf;
  }

  /** Whether an empty shelf is kept: one of a long list, so that a node that comes and goes costs little. */
  #isNeeded(empty: Shelf): boolean {
    return !empty.isLeaving && this.#cellsUsed >= empty.cells &&
      !this.#shelves.some((shelf) => shelf !== empty && shelf.used === 0);
  }

  #drop(shelf: Shelf): void {
    this.#cellsFree -= shelf.free;
    this.heldBytes -= shelf.free * this.cellBytes;
    this.#shelves.splice(this.#shelves.indexOf(shelf), 1);
    if (this.#open === shelf) this.#open = null;
    blocks.give(shelf.memory);
  }

  // -- memory that goes back ---------------------------------------------------------------------

  /** Whether `tidy` may give something back. */
  get isSparse(): boolean {
    const free = this.#cellsFree;
    return free > FREE_MIN && free > this.#cellsUsed * FREE_SHARE &&
      free >= this.#stuckAt + FREE_MIN;
  }

  /**
   * Moves what is left on sparse shelves together and gives those back, for a list that has `nodes` nodes; as far as
   * that goes without memory where it is refused. True when nodes have moved.
   */
  tidy(nodes: number): boolean {
    this.#stuckAt = 0;
    let hasMoved = false;
    while (this.isSparse && tryAllocating(() => this.#emptySparsest(nodes))) hasMoved = true;
    return hasMoved;
  }

  #emptySparsest(nodes: number): void {
    let sparsest: Shelf | null = null;
    for (const shelf of this.#shelves) {
      if (shelf.isSparse && (sparsest === null || shelf.used < sparsest.used)) sparsest = shelf;
    }
    if (sparsest === null) {
      this.#stuckAt = this.#cellsFree;
      return;
    }
    sparsest.isLeaving = true;
    try {
      if (sparsest.used === 0) this.#drop(sparsest);
      else for (const node of sparsest.nodes) if (node !== null) this.#move(node, nodes);
    } finally {
      sparsest.isLeaving = false;
    }
  }

  /** Moves a node of the list to another cell; where cells are not worth it, to a buffer of its own. */
  #move(node: ListNode, nodes: number): void {
    const used = node.end - node.start;
    if (nodes < SHELVES_FROM_NODES) return this.rebuffer(node, new Uint8Array(used));
    const shelf = this.#shelfWithRoom(nodes);
    const { buf, low, start } = node;
    this.remove(node);
    this.#put(node, shelf);
    node.start = node.low + (start - low);
    node.end = node.start + used;
    copyBytes(node.buf, node.start, buf, start, used);
    this.add(node);
  }

  /** See `LargeValue.vacateOne`. */
  vacateOne(): boolean {
    for (const shelf of this.#shelves) {
      const memory = blocks.vacated(shelf.memory, shelf.nodes.length * this.cellBytes);
      if (memory === shelf.memory) continue;
      shelf.memory = memory;
      for (const node of shelf.nodes) if (node !== null) node.buf = memory;
      return true;
    }
    return false;
  }

  /** Gives all shelves back: the list is not used any more. What lies on them may be read until the command's end. */
  dispose(): void {
    for (const shelf of this.#shelves) blocks.give(shelf.memory);
    this.#shelves.length = 0;
    this.#open = null;
  }
}

/** Estimate of the memory of a node. */
function sizeOf(node: ListNode): number {
  return node.capacity + NODE_BYTES + (node.shelf === null ? OWN_BUFFER_BYTES : 0);
}
