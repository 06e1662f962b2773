/**
 * Quicklist: the encoding of lists too large to lie inside their record.
 *
 * A doubly linked chain of nodes; each packed node holds listpack entries (see listpack.ts for
 * their bytes), without the listpack's header and end, in the middle of its part of a buffer
 * (see list_node.ts for where that comes from):
 *
 *     |  gap  | entry | entry | ... | entry |  gap  |
 *    low    start                          end     high
 *
 * Pushing and popping at either end moves `start` or `end` and no bytes: LPUSH costs what RPUSH
 * costs. Elsewhere the shorter side is moved. An element larger than a node may be gets a plain
 * node of its own, whose bytes are the element.
 *
 * When a node counts as full is Redis's rule for `list-max-listpack-size`, so that a list saved and
 * loaded has nodes of the same size there and here.
 *
 * Snapshots: the owner can set `onNodeWrite`, which is called before the content of a node changes
 * or the node leaves the list, while its old content is still whole. Several calls for one node in
 * one operation are possible; `generation` of the node is for the owner to remember that it has
 * seen it. New nodes take the `generation` of the list.
 *
 * A change for which there is no memory throws a RangeError, and has not been made.
 *
 * Elements are given as (buffer, offset, length), which must not lie in a node of the list itself.
 * They are read through the shared `lpEntry`. Positions and decoded entries are good until the next
 * change of the list.
 */

import { copyBytes } from "../base/bytes.ts";
import { tryAllocating } from "../base/refused.ts";
import { ListNode, NodeMemory } from "./list_node.ts";
import {
  LP_EMPTY_BYTES,
  lpBefore,
  lpBytes,
  lpCount,
  lpEntry,
  lpFrame,
  lpGet,
  lpIsName,
  lpPassed,
  lpScan,
  lpScanBack,
  lpScanPlain,
  lpSize,
  lpStageText,
  lpWriteName,
  lpWriteStaged,
} from "./listpack.ts";
import { ValueCopy } from "./value_copy.ts";

/** A node limited by its number of elements may have at most this many bytes all the same. */
const SAFETY_LIMIT_BYTES = 8192;
/** What Redis adds to the length of an element when it asks whether a node has room for it. */
const ENTRY_OVERHEAD_ESTIMATE = 8;
/** The first buffer of a list. */
const FIRST_BUFFER_BYTES = 64;
const LIST_OVERHEAD_BYTES = 280;

/**
 * A place in a list; make one and seek it again and again. Ended (`node` is null) when it ran past
 * either end of the list.
 */
export class ListCursor {
  node: ListNode | null = null;
  /** Offset of the element in the buffer of the node. */
  pos = 0;

  /** Decodes the element into `lpEntry`. The cursor must not be ended. */
  read(): void {
    readNodeEntry(this.node!, this.pos);
  }

  /**
   * Moves to the first of `most` elements, from this one on, that is the needle of `lpSetNeedle`; with `backward`
   * from this one back. Answers how many it passed over, or -1 when there is none: then it is ended.
   */
  find(most: number, backward: boolean): number {
    let passed = 0;
    for (let node = this.node; node !== null && passed < most;) {
      const pos = scanNode(node, this.pos, most - passed, backward);
      passed += lpPassed;
      if (pos >= 0) {
        this.pos = pos;
        return passed;
      }
      node = backward ? node.prev : node.next;
      this.enter(node, !backward);
    }
    this.node = null;
    return -1;
  }

  /** Moves to the following element; false when there is none. */
  next(): boolean {
    const node = this.node!;
    const pos = node.plain ? node.end : this.pos + lpSize(node.buf, this.pos);
    if (pos < node.end) {
      this.pos = pos;
      return true;
    }
    return this.enter(node.next, true);
  }

  /** Moves to the preceding element; false when there is none. */
  prev(): boolean {
    const node = this.node!;
    if (this.pos > node.start) {
      this.pos = lpBefore(node.buf, this.pos);
      return true;
    }
    return this.enter(node.prev, false);
  }

  /** Stands on the first or the last element of a node, or is ended by null. */
  enter(node: ListNode | null, atFirst: boolean): boolean {
    this.node = node;
    if (node === null) return false;
    this.pos = atFirst || node.plain ? node.start : lpBefore(node.buf, node.end);
    return true;
  }
}

/** `lpScan` or `lpScanBack` in a node, from the element at `pos` on. */
function scanNode(node: ListNode, pos: number, most: number, backward: boolean): number {
  const { buf, start, end } = node;
  if (node.plain) return lpScanPlain(buf, start, end - start);
  if (backward) return lpScanBack(buf, pos + lpSize(buf, pos), start, most);
  return lpScan(buf, pos, end, most);
}

function readNodeEntry(node: ListNode, pos: number): void {
  if (!node.plain) {
    lpGet(node.buf, pos);
    return;
  }
  lpEntry.isInt = false;
  lpEntry.buf = node.buf;
  lpEntry.off = node.start;
  lpEntry.len = node.end - node.start;
}

/** Offset in the buffer of the element with this index within its node. */
function entryOffset(node: ListNode, index: number): number {
  if (node.plain) return node.start;
  if (index < node.count >> 1) {
    let pos = node.start;
    for (; index > 0; index--) pos += lpSize(node.buf, pos);
    return pos;
  }
  let pos = node.end;
  for (let rest = node.count - index; rest > 0; rest--) pos = lpBefore(node.buf, pos);
  return pos;
}

/** Size of a node as it stands in a snapshot: a listpack, or the bytes of a plain node. */
export function listNodeSize(node: ListNode): number {
  const size = node.end - node.start;
  return node.plain ? size : size + LP_EMPTY_BYTES;
}

/** Writes a node as it stands in a snapshot; returns `listNodeSize(node)`. */
export function copyListNode(node: ListNode, dst: Uint8Array, dstOff: number): number {
  const size = node.end - node.start;
  if (node.plain) {
    copyBytes(dst, dstOff, node.buf, node.start, size);
    return size;
  }
  copyBytes(dst, dstOff + LP_EMPTY_BYTES - 1, node.buf, node.start, size);
  return lpFrame(dst, dstOff, size, node.count);
}

/** From here on a node is far; every so many nodes one is marked. */
const FAR_NODES = 16;
/** Nodes are marked when so many elements far off have been sought one after the other. */
const MARKED_FROM_SEEK = 4;

/** Smaller buffers are cheap to make. */
const SPARE_BYTES_MIN = 1024;

/**
 * Buffers of nodes that were emptied or whose list was let go of, of any list. Where an element comes and goes at an
 * end whose node is full, or lists of a few nodes do, each would otherwise make nodes with buffers of several kilobytes.
 */
const spares: Uint8Array[] = [];
const SPARES_MAX = 16;

/**
 * Hands a spare buffer over if one is right for a node of `bytes` to `most` bytes. Not that of `src`, which is to be
 * copied into the node: it may be an element that has just been taken from there.
 */
function takeSpare(bytes: number, most: number, src: Uint8Array): Uint8Array | null {
  for (let i = spares.length - 1; i >= 0; i--) {
    const buf = spares[i];
    if (buf.length < bytes || buf.length > most || buf === src) continue;
    spares[i] = spares.at(-1)!;
    spares.pop();
    return buf;
  }
  return null;
}

/** Most bytes that a node may have under this `list-max-listpack-size`, with the seven of a listpack's frame. */
export function nodeBytesMax(fill: number): number {
  return fill < 0 ? 2048 << Math.min(-fill, 5) : SAFETY_LIMIT_BYTES;
}

/** Most elements that a node may have under it. */
export function nodeCountMax(fill: number): number {
  return fill < 0 ? 0x7fffffff : Math.max(fill, 1);
}

/** A list of byte strings with cheap ends; see the head of the file. */
export class QuickList {
  head: ListNode | null = null;
  tail: ListNode | null = null;
  /** Number of elements. */
  count = 0;
  /** Number of nodes. */
  nodes = 0;
  /** Given to new nodes. */
  generation = 0;
  /** Called before the content of a node changes or the node is unlinked. */
  onNodeWrite: ((node: ListNode) => void) | null = null;
  /** For who has set `onNodeWrite`: called by another who is about to. */
  onOtherWalk: (() => void) | null = null;

  readonly #memory: NodeMemory;
  /** Nodes that the list will have soon, where that is known. */
  #nodesToCome = 0;
  /** Most bytes a node may have, with the seven of a listpack's frame. */
  readonly nodeBytesMax: number;
  /** Most elements a node may have. */
  readonly nodeCountMax: number;
  readonly #fill: number;
  readonly #at = new ListCursor();

  /**
   * `fill` is `list-max-listpack-size`: -1 to -5 for nodes of 4, 8, 16, 32 or 64 KiB, a positive
   * number for that many elements in a node (and at most 8 KiB); 0 counts as 1.
   */
  constructor(fill = -2) {
    this.#fill = fill;
    this.nodeBytesMax = nodeBytesMax(fill);
    this.nodeCountMax = nodeCountMax(fill);
    this.#memory = new NodeMemory(this.nodeBytesMax);
  }

  /** A list with the elements of a listpack, in one node whatever its size. */
  static fromListpack(buf: Uint8Array, base: number, fill: number): QuickList {
    const list = new QuickList(fill);
    list.appendListpack(buf, base);
    return list;
  }

  /** Bytes that all nodes may use, gaps included. */
  get bufferBytes(): number {
    return this.#memory.nodeBytes;
  }

  /** LargeValue: estimate of the memory in use. */
  get memoryBytes(): number {
    return LIST_OVERHEAD_BYTES + this.#memory.heldBytes;
  }

  /** LargeValue. */
  vacateOne(): boolean {
    return this.#memory.vacateOne();
  }

  /** LargeValue. What the nodes hold may be read until the end of the command, and nothing else be done. */
  dispose(): void {
    let node = this.head;
    for (let n = 0; node !== null && n < SPARES_MAX; n++, node = node.next) this.#keepSpare(node);
    this.#memory.dispose();
  }

  /** Gives memory back after elements have gone. Nodes may move: nothing of what was read before is good any more. */
  tidy(): void {
    if (this.#memory.isSparse && this.#memory.tidy(this.nodes)) this.#sought = -1;
  }

  /** A list of its own with the same elements in nodes of the same content, limits included. */
  clone(): QuickList {
    return this.beginCopy().run();
  }

  /** `clone` in pieces. */
  beginCopy(): ValueCopy<QuickList> {
    const copy = new QuickList(this.#fill);
    copy.#nodesToCome = this.nodes;
    return new QuickListCopy(copy, this.head, (node) => copy.#appendCopy(node));
  }

  /** Appends what a node of another list has; null after the last one of a list that was copied. */
  #appendCopy(node: ListNode | null): void {
    if (node === null) {
      this.#nodesToCome = 0;
      return;
    }
    const { plain, buf, start, end, count } = node;
    const size = end - start;
    if (plain) this.#linkPlain(this.tail, null, buf, start, size);
    else this.#appendPacked(buf, start, size, count);
  }

  // -------------------------------------------------------------------------------------------
  // Ends

  /** Inserts an element before the first. */
  pushHead(src: Uint8Array, off: number, len: number): void {
    if (len > this.nodeBytesMax) {
      this.#linkPlain(null, this.head, src, off, len);
      return;
    }
    const size = lpStageText(src, off, len);
    let node = this.head;
    if (node === null || !this.#hasRoom(node, len)) {
      node = this.#linkPacked(null, node, size, true, src);
    } else if (node.start - node.low >= size) {
      if (this.onNodeWrite !== null) this.onNodeWrite(node);
    } else if (this.#worthMoving(node, size)) {
      if (this.onNodeWrite !== null) this.onNodeWrite(node);
      this.#rebuild(node, node.start, size);
      node.start += size; // the gap that was opened is where the entry goes, below
    } else {
      node = this.#linkPacked(null, node, size, true, src);
    }
    node.start -= size;
    lpWriteStaged(node.buf, node.start, src, off);
    node.count++;
    this.count++;
    this.#forgetPlaces();
  }

  /** Inserts an element behind the last. */
  pushTail(src: Uint8Array, off: number, len: number): void {
    if (len > this.nodeBytesMax) {
      this.#linkPlain(this.tail, null, src, off, len);
      return;
    }
    const size = lpStageText(src, off, len);
    let node = this.tail;
    if (node === null || !this.#hasRoom(node, len)) {
      node = this.#linkPacked(node, null, size, false, src);
    } else if (node.high - node.end >= size) {
      if (this.onNodeWrite !== null) this.onNodeWrite(node);
    } else if (this.#worthMoving(node, size)) {
      if (this.onNodeWrite !== null) this.onNodeWrite(node);
      this.#rebuild(node, node.end, size);
      node.end -= size;
    } else {
      node = this.#linkPacked(node, null, size, false, src);
    }
    lpWriteStaged(node.buf, node.end, src, off);
    node.end += size;
    node.count++;
    this.count++;
  }

  /**
   * Inserts the elements with the indices from `from` to `end` of offsets and lengths in `src`, one after the other.
   * When memory is refused, those before are in the list.
   */
  pushAll(
    src: Uint8Array,
    offsets: Int32Array,
    lengths: Int32Array,
    from: number,
    end: number,
    atHead: boolean,
  ): void {
    for (let i = from; i < end; i++) {
      i = atHead
        ? this.#fillHead(src, offsets, lengths, i, end)
        : this.#fillTail(src, offsets, lengths, i, end);
      if (i === end) return;
      if (atHead) this.pushHead(src, offsets[i], lengths[i]);
      else this.pushTail(src, offsets[i], lengths[i]);
    }
  }

  /** Inserts elements into the first node while they are names and it has a gap for them; answers the next index. */
  #fillHead(
    src: Uint8Array,
    offsets: Int32Array,
    lengths: Int32Array,
    from: number,
    end: number,
  ): number {
    const node = this.head;
    if (node === null || node.plain) return from;
    if (this.onNodeWrite !== null) this.onNodeWrite(node);
    const { buf } = node;
    const lowest = Math.max(node.low, node.end - this.#contentMax);
    let at = node.start;
    const stop = Math.min(end, from + this.nodeCountMax - node.count);
    let i = from;
    for (; i < stop; i++) {
      const off = offsets[i];
      const len = lengths[i];
      if (at - len - ENTRY_OVERHEAD_ESTIMATE < lowest || !lpIsName(src, off, len)) break;
      at -= len + 2;
      lpWriteName(buf, at, src, off, len);
    }
    node.start = at;
    this.#added(node, i - from);
    return i;
  }

  /** The same at the end of the last node. */
  #fillTail(
    src: Uint8Array,
    offsets: Int32Array,
    lengths: Int32Array,
    from: number,
    end: number,
  ): number {
    const node = this.tail;
    if (node === null || node.plain) return from;
    if (this.onNodeWrite !== null) this.onNodeWrite(node);
    const { buf } = node;
    const highest = Math.min(node.high, node.start + this.#contentMax);
    let at = node.end;
    const stop = Math.min(end, from + this.nodeCountMax - node.count);
    let i = from;
    for (; i < stop; i++) {
      const off = offsets[i];
      const len = lengths[i];
      if (at + len + ENTRY_OVERHEAD_ESTIMATE > highest || !lpIsName(src, off, len)) break;
      lpWriteName(buf, at, src, off, len);
      at += len + 2;
    }
    node.end = at;
    this.#added(node, i - from);
    return i;
  }

  /** Counts elements that a node has more. */
  #added(node: ListNode, count: number): void {
    node.count += count;
    this.count += count;
    this.#forgetPlaces();
  }

  /** Most bytes that the entries of a node may have. */
  get #contentMax(): number {
    return this.nodeBytesMax - LP_EMPTY_BYTES;
  }

  /** Decodes the first element into `lpEntry`; false when the list is empty. */
  peekHead(): boolean {
    const node = this.head;
    if (node === null) return false;
    readNodeEntry(node, node.start);
    return true;
  }

  /** Decodes the last element into `lpEntry`; false when the list is empty. */
  peekTail(): boolean {
    const node = this.tail;
    if (node === null) return false;
    readNodeEntry(node, node.plain ? node.start : lpBefore(node.buf, node.end));
    return true;
  }

  /**
   * Removes the first element; the list must not be empty. What `peekHead` decoded before stays
   * readable until the next insertion.
   */
  dropHead(): void {
    const node = this.head!;
    if (node.count === 1) {
      this.#unlink(node);
      this.#keepSpare(node);
      return;
    }
    if (this.onNodeWrite !== null) this.onNodeWrite(node);
    node.start += lpSize(node.buf, node.start);
    node.count--;
    this.count--;
    this.#forgetPlaces();
  }

  /** Removes the last element; the list must not be empty. See `dropHead`. */
  dropTail(): void {
    const node = this.tail!;
    if (node.count === 1) {
      this.#unlink(node);
      this.#keepSpare(node);
      return;
    }
    if (this.onNodeWrite !== null) this.onNodeWrite(node);
    node.end = lpBefore(node.buf, node.end);
    node.count--;
    this.count--;
    this.#sought = -1;
  }

  /**
   * Moves the first element, whose text has `length` bytes, behind the last one; without `fromHead` the last before the
   * first. False, and nothing is done, where that needs more than copying its bytes from one node to another.
   */
  rotate(fromHead: boolean, length: number): boolean {
    const from = fromHead ? this.head : this.tail;
    const to = fromHead ? this.tail : this.head;
    if (from === null || to === null || from === to || from.plain || from.count === 1) return false;
    const pos = fromHead ? from.start : lpBefore(from.buf, from.end);
    const size = fromHead ? lpSize(from.buf, pos) : from.end - pos;
    const room = fromHead ? to.high - to.end : to.start - to.low;
    if (room < size || !this.#hasRoom(to, length)) return false;
    if (this.onNodeWrite !== null) {
      this.onNodeWrite(from);
      this.onNodeWrite(to);
    }
    if (fromHead) {
      copyBytes(to.buf, to.end, from.buf, pos, size);
      to.end += size;
      from.start += size;
    } else {
      to.start -= size;
      copyBytes(to.buf, to.start, from.buf, pos, size);
      from.end = pos;
    }
    to.count++;
    from.count--;
    this.#forgetPlaces();
    return true;
  }

  /** Keeps the buffer of a node that is empty now, unless a snapshot may still read it. */
  #keepSpare(node: ListNode): void {
    if (this.onNodeWrite !== null || node.plain || node.shelf !== null) return;
    if (node.capacity < SPARE_BYTES_MIN || node.capacity !== node.buf.length) return;
    if (spares.length === SPARES_MAX) spares.shift(); // of a size that nobody has asked for
    spares.push(node.buf);
  }

  // -------------------------------------------------------------------------------------------
  // Places

  /**
   * Puts the cursor on the element with this index, negative from the last (-1); false, and the
   * cursor ended, when there is none. O(nodes + elements of a node), from the closer ends.
   */
  seek(cursor: ListCursor, index: number): boolean {
    const node = this.#nodeOf(index);
    cursor.node = node;
    if (node === null) return false;
    cursor.pos = this.#offsetOf(node, this.#indexInNode);
    return true;
  }

  #indexInNode = 0;
  /** Where the element lies that was sought last, and its index in `#near`; -1 once that may have changed. */
  #sought = -1;
  #soughtIndex = 0;

  /** Offset of an element of `#near`, from the closest of its ends and the one that was sought last. */
  #offsetOf(node: ListNode, index: number): number {
    const distance = index - this.#soughtIndex;
    if (this.#sought < 0 || Math.min(index, node.count - index) <= Math.abs(distance)) {
      this.#sought = entryOffset(node, index);
    } else {
      const { buf } = node;
      let pos = this.#sought;
      for (let rest = distance; rest > 0; rest--) pos += lpSize(buf, pos);
      for (let rest = distance; rest < 0; rest++) pos = lpBefore(buf, pos);
      this.#sought = pos;
    }
    this.#soughtIndex = index;
    return this.#sought;
  }

  /**
   * The node of the element that was sought last, so that the way to those around it is short, and the
   * index of its first element. Null once that index may have changed.
   */
  #near: ListNode | null = null;
  #nearFirst = 0;
  /** Far seeks since then, and from the fourth on every so many nodes one, with its first index. */
  #farSeeks = 0;
  #marks: { node: ListNode; first: number }[] | null = null;

  /** To be called when elements before the last node have come or gone. */
  #forgetPlaces(): void {
    this.#near = null;
    this.#sought = -1;
    if (this.#farSeeks === 0) return;
    this.#farSeeks = 0;
    this.#marks = null;
  }

  /** The node of an element; its index there is left in `#indexInNode`. */
  #nodeOf(index: number): ListNode | null {
    const { count } = this;
    if (index < 0) index += count;
    if (index < 0 || index >= count) return null;
    let node = this.#near;
    let first = this.#nearFirst;
    if (node === null || Math.min(index, count - index) < Math.abs(index - first)) {
      const isFromHead = index < count / 2;
      node = isFromHead ? this.head! : this.tail!;
      first = isFromHead ? 0 : count - node.count;
    }
    if (this.nodes > FAR_NODES && Math.abs(index - first) > FAR_NODES * node.count) {
      const mark = this.#markBefore(index);
      if (mark !== null) ({ node, first } = mark);
    }
    while (index < first) {
      node = node.prev!;
      first -= node.count;
    }
    while (index >= first + node.count) {
      first += node.count;
      node = node.next!;
    }
    if (node !== this.#near) this.#sought = -1;
    this.#near = node;
    this.#nearFirst = first;
    this.#indexInNode = index - first;
    return node;
  }

  /** The last marked node that begins at this index or before it; null where none are marked yet. */
  #markBefore(index: number): { node: ListNode; first: number } | null {
    if (++this.#farSeeks < MARKED_FROM_SEEK) return null;
    const marks = this.#marks ??= this.#markNodes();
    let low = 0;
    for (let high = marks.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if (marks[middle].first <= index) low = middle;
      else high = middle;
    }
    return marks[low];
  }

  #markNodes(): { node: ListNode; first: number }[] {
    const marks: { node: ListNode; first: number }[] = [];
    let first = 0;
    let n = 0;
    for (let node = this.head; node !== null; node = node.next) {
      if (n++ % FAR_NODES === 0) marks.push({ node, first });
      first += node.count;
    }
    return marks;
  }

  /** Decodes the element with this index (negative from the last) into `lpEntry`. */
  index(index: number): boolean {
    if (!this.seek(this.#at, index)) return false;
    this.#at.read();
    return true;
  }

  /** Puts an element in the place of the one with this index; false when there is none. */
  set(index: number, src: Uint8Array, off: number, len: number): boolean {
    if (!this.seek(this.#at, index)) return false;
    this.replaceAt(this.#at, src, off, len);
    return true;
  }

  /** Puts an element in the place of the cursor's. The cursor stands on the new one afterwards. */
  replaceAt(cursor: ListCursor, src: Uint8Array, off: number, len: number): void {
    const node = cursor.node!;
    if (!node.plain && len <= this.nodeBytesMax) {
      const oldSize = lpSize(node.buf, cursor.pos);
      const size = lpStageText(src, off, len);
      const others = node.end - node.start - oldSize;
      if (size <= oldSize || others === 0 || this.#fits(others, len)) {
        if (this.onNodeWrite !== null) this.onNodeWrite(node);
        if (size > oldSize) cursor.pos = this.#openGap(node, cursor.pos, size - oldSize);
        if (size < oldSize) {
          cursor.pos = this.#cut(node, cursor.pos, cursor.pos + oldSize - size);
        }
        lpWriteStaged(node.buf, cursor.pos, src, off);
        return;
      }
    }
    this.insertBefore(cursor, src, off, len);
    cursor.next();
    this.removeAt(cursor, true); // goes back to the new element
  }

  /** Inserts an element before the cursor's. The cursor stands on the new one afterwards. */
  insertBefore(cursor: ListCursor, src: Uint8Array, off: number, len: number): void {
    this.#insert(cursor, cursor.node!, cursor.pos, src, off, len);
  }

  /** Inserts an element behind the cursor's. The cursor stands on the new one afterwards. */
  insertAfter(cursor: ListCursor, src: Uint8Array, off: number, len: number): void {
    const node = cursor.node!;
    const pos = node.plain ? node.end : cursor.pos + lpSize(node.buf, cursor.pos);
    this.#insert(cursor, node, pos, src, off, len);
  }

  /** Inserts at a boundary between elements of `node`, or at either end of it. */
  #insert(
    cursor: ListCursor,
    node: ListNode,
    pos: number,
    src: Uint8Array,
    off: number,
    len: number,
  ): void {
    if (pos !== node.start && pos !== node.end) {
      if (len <= this.nodeBytesMax && this.#hasRoom(node, len)) {
        this.#insertInto(cursor, node, pos, src, off, len);
        return;
      }
      this.#split(node, pos);
      pos = node.end;
    }
    const before = pos === node.start ? node.prev : node;
    const after = pos === node.start ? node : node.next;
    if (len > this.nodeBytesMax) {
      cursor.enter(this.#linkPlain(before, after, src, off, len), true);
    } else if (before !== null && this.#hasRoom(before, len)) {
      this.#insertInto(cursor, before, before.end, src, off, len);
    } else if (after !== null && this.#hasRoom(after, len)) {
      this.#insertInto(cursor, after, after.start, src, off, len);
    } else {
      const fresh = this.#linkPacked(before, after, lpStageText(src, off, len), false, src);
      this.#insertInto(cursor, fresh, fresh.start, src, off, len);
    }
    this.#mergeAround(cursor.node!, cursor);
  }

  #insertInto(
    cursor: ListCursor,
    node: ListNode,
    pos: number,
    src: Uint8Array,
    off: number,
    len: number,
  ): void {
    const size = lpStageText(src, off, len);
    if (this.onNodeWrite !== null) this.onNodeWrite(node);
    cursor.node = node;
    cursor.pos = this.#openGap(node, pos, size);
    lpWriteStaged(node.buf, cursor.pos, src, off);
    node.count++;
    this.count++;
    this.#forgetPlaces();
  }

  /**
   * Removes the cursor's element. The cursor stands on the following one afterwards, or with
   * `backward` on the preceding one; it is ended when there is none. Joins nodes that became small.
   */
  removeAt(cursor: ListCursor, backward = false): void {
    const node = cursor.node!;
    if (node.count === 1) {
      cursor.enter(backward ? node.prev : node.next, !backward);
      const neighbour = cursor.node ?? (backward ? node.next : node.prev);
      this.#unlink(node);
      if (neighbour !== null) this.#mergeAround(neighbour, cursor);
      return;
    }
    if (this.onNodeWrite !== null) this.onNodeWrite(node);
    const pos = this.#cut(node, cursor.pos, cursor.pos + lpSize(node.buf, cursor.pos));
    node.count--;
    this.count--;
    this.#forgetPlaces();
    if (backward) {
      if (pos > node.start) cursor.pos = lpBefore(node.buf, pos);
      else cursor.enter(node.prev, false);
    } else {
      if (pos < node.end) cursor.pos = pos;
      else cursor.enter(node.next, true);
    }
    this.#mergeAround(node, cursor);
  }

  /**
   * Removes up to `count` elements from an index (negative from the last) on; answers how many.
   * Whole nodes are unlinked without looking at their elements.
   */
  deleteRange(start: number, count: number): number {
    let node = this.#nodeOf(start);
    if (node === null) return 0;
    let index = this.#indexInNode;
    const before = this.count;
    let edge = node.prev;
    while (node !== null && count > 0) {
      const next: ListNode | null = node.next;
      const here = Math.min(count, node.count - index);
      if (here === node.count) {
        this.#unlink(node);
      } else {
        const from = entryOffset(node, index);
        const to = index + here === node.count ? node.end : entryOffset(node, index + here);
        if (this.onNodeWrite !== null) this.onNodeWrite(node);
        this.#cut(node, from, to);
        node.count -= here;
        this.count -= here;
        edge = node;
      }
      count -= here;
      index = 0;
      node = next;
    }
    this.#forgetPlaces();
    edge ??= this.head;
    if (edge !== null) this.#mergeAround(edge, null);
    return before - this.count;
  }

  /** Removes everything. */
  clear(): void {
    while (this.head !== null) this.#unlink(this.head);
  }

  // -------------------------------------------------------------------------------------------
  // Whole nodes, for snapshots and conversions

  /**
   * Appends a packed node with the entries of a listpack, whatever the limits say; not if empty. When
   * `buf` is `owned`, it may be kept.
   */
  appendListpack(buf: Uint8Array, base: number, owned = false): void {
    const size = lpBytes(buf, base) - LP_EMPTY_BYTES;
    if (size === 0) return;
    const first = base + LP_EMPTY_BYTES - 1;
    const count = lpCount(buf, base);
    if (!owned) return this.#appendPacked(buf, first, size, count);
    const node = new ListNode(buf, false, this.generation);
    node.start = first;
    node.end = first + size;
    this.#linkFull(node, count);
  }

  /** A packed node for content of `src`, with room for `bytes` to about `most` bytes. */
  #newNode(bytes: number, most: number, src: Uint8Array): ListNode {
    const used = takeSpare(bytes, most, src);
    if (used !== null) return new ListNode(used, false, this.generation);
    const nodes = Math.max(this.nodes, this.#nodesToCome);
    return this.#memory.newNode(bytes, nodes, this.generation);
  }

  /** Appends a packed node with a copy of these entries. */
  #appendPacked(buf: Uint8Array, off: number, size: number, count: number): void {
    const node = this.#newNode(size, size + (size >> 3), buf);
    copyBytes(node.buf, node.low, buf, off, size);
    node.end = node.low + size;
    this.#linkFull(node, count);
  }

  /** Links a node with elements behind the last one. */
  #linkFull(node: ListNode, count: number): void {
    this.#linkNode(this.tail, null, node);
    node.count = count;
    this.count += count;
  }

  /**
   * Appends a plain node with these bytes as its one element, whatever the limits say. When `buf` is
   * `owned`, it may be kept.
   */
  appendPlain(buf: Uint8Array, off: number, len: number, owned = false): void {
    if (len === 0) this.pushTail(buf, off, len); // a plain node has at least one byte
    else this.#linkPlain(this.tail, null, buf, off, len, owned);
  }

  /**
   * Writes all elements as one listpack. Answers its size, or -1 when that would pass `cap` (then
   * what lies there is undefined). O(n).
   */
  toListpack(dst: Uint8Array, base: number, cap: number): number {
    let end = base + LP_EMPTY_BYTES - 1;
    const limit = base + cap - 1;
    for (let node = this.head; node !== null; node = node.next) {
      const payload = node.end - node.start;
      const size = node.plain ? lpStageText(node.buf, node.start, payload) : payload;
      if (end + size > limit) return -1;
      if (node.plain) lpWriteStaged(dst, end, node.buf, node.start);
      else copyBytes(dst, end, node.buf, node.start, size);
      end += size;
    }
    if (end > limit) return -1;
    return lpFrame(dst, base, end - base - LP_EMPTY_BYTES + 1, this.count);
  }

  // -------------------------------------------------------------------------------------------
  // The chain

  /** Whether a packed node whose entries take `used` bytes has room for an element of `len`. */
  #fits(used: number, len: number): boolean {
    return used + LP_EMPTY_BYTES + len + ENTRY_OVERHEAD_ESTIMATE <= this.nodeBytesMax;
  }

  #hasRoom(node: ListNode, len: number): boolean {
    return !node.plain && node.count < this.nodeCountMax && this.#fits(node.end - node.start, len);
  }

  #linkNode(prev: ListNode | null, next: ListNode | null, node: ListNode): ListNode {
    node.prev = prev;
    node.next = next;
    if (prev === null) this.head = node;
    else prev.next = node;
    if (next === null) this.tail = node;
    else {
      next.prev = node;
      this.#forgetPlaces();
    }
    this.nodes++;
    this.#memory.add(node);
    return node;
  }

  /**
   * Links an empty packed node. The longer the list, the more its first buffer is like what the
   * neighbour came to need, so that short lists stay small and long ones do not copy.
   */
  #linkPacked(
    prev: ListNode | null,
    next: ListNode | null,
    size: number,
    atHead: boolean,
    src: Uint8Array,
  ): ListNode {
    const neighbour = prev ?? next;
    let capacity = FIRST_BUFFER_BYTES;
    if (neighbour !== null && !neighbour.plain) {
      const used = neighbour.end - neighbour.start;
      const expected = this.nodes >= 4 ? used + (used >> 3) : (used * this.nodes) >> 2;
      capacity = Math.min(Math.max(capacity, expected), this.nodeBytesMax);
    }
    const bytes = Math.max(capacity, size);
    const most = Math.max(bytes, Math.min(bytes * 2, this.nodeBytesMax));
    const node = this.#newNode(bytes, most, src);
    if (atHead) node.start = node.end = node.high;
    return this.#linkNode(prev, next, node);
  }

  #linkPlain(
    prev: ListNode | null,
    next: ListNode | null,
    src: Uint8Array,
    off: number,
    len: number,
    owned = false,
  ): ListNode {
    const node = new ListNode(owned ? src : len, true, this.generation);
    node.start = owned ? off : 0;
    node.end = node.start + len;
    if (!owned) copyBytes(node.buf, 0, src, off, len);
    this.#linkNode(prev, next, node);
    node.count = 1;
    this.count++;
    return node;
  }

  /** Takes a node and its elements out of the list. */
  #unlink(node: ListNode): void {
    if (this.onNodeWrite !== null) this.onNodeWrite(node);
    const { prev, next } = node;
    if (prev === null) this.head = next;
    else prev.next = next;
    if (next === null) this.tail = prev;
    else next.prev = prev;
    node.prev = null;
    node.next = null;
    this.#forgetPlaces();
    this.nodes--;
    this.count -= node.count;
    this.#memory.remove(node);
  }

  /** Moves the elements from `pos` on into a new node behind `node`. Neither may be left empty. */
  #split(node: ListNode, pos: number): void {
    if (this.onNodeWrite !== null) this.onNodeWrite(node);
    const size = node.end - pos;
    const right = new ListNode(size, false, this.generation);
    copyBytes(right.buf, 0, node.buf, pos, size);
    right.end = size;
    for (let at = 0; at < size; at += lpSize(right.buf, at)) right.count++;
    node.end = pos;
    node.count -= right.count;
    this.#sought = -1;
    this.#linkNode(node, node.next, right);
  }

  /**
   * Joins a node with its neighbours where the result is at most half full, and trims it. Two nodes
   * stay two: Redis joins none when elements go, and takes a list of one node for a small one. Without
   * memory for a new buffer all stays as it is.
   */
  #mergeAround(node: ListNode, cursor: ListCursor | null): void {
    tryAllocating(() => this.#mergeOrTrim(node, cursor));
  }

  #mergeOrTrim(node: ListNode, cursor: ListCursor | null): void {
    const { prev } = node;
    if (prev !== null && this.#mayMerge(prev, node)) {
      this.#merge(prev, node, cursor);
      node = prev;
    }
    if (node.next !== null && this.#mayMerge(node, node.next)) this.#merge(node, node.next, cursor);

    const used = node.end - node.start;
    const { plain, capacity } = node;
    if (!plain && capacity > FIRST_BUFFER_BYTES && used * 4 < capacity) {
      this.#rebuffer(node, new Uint8Array(Math.max(used, FIRST_BUFFER_BYTES)), cursor);
    }
  }

  #mayMerge(a: ListNode, b: ListNode): boolean {
    return this.nodes > 2 && !a.plain && !b.plain && a.count + b.count <= this.nodeCountMax &&
      a.end - a.start + b.end - b.start <= this.nodeBytesMax >> 1;
  }

  /** Moves the elements of `b` to the end of `a`, which is before it; the cursor goes along. */
  #merge(a: ListNode, b: ListNode, cursor: ListCursor | null): void {
    if (this.onNodeWrite !== null) this.onNodeWrite(a);
    const aSize = a.end - a.start;
    const bSize = b.end - b.start;
    this.#rebuffer(a, new Uint8Array(aSize + bSize), cursor);
    copyBytes(a.buf, aSize, b.buf, b.start, bSize);
    if (cursor !== null && cursor.node === b) {
      cursor.node = a;
      cursor.pos += aSize - b.start;
    }
    const moved = b.count;
    this.#unlink(b);
    this.count += moved;
    a.end += bSize;
    a.count += moved;
  }

  /** Moves what a node holds to the beginning of another buffer. */
  #rebuffer(node: ListNode, buf: Uint8Array, cursor: ListCursor | null): void {
    if (cursor !== null && cursor.node === node) cursor.pos -= node.start;
    this.#memory.rebuffer(node, buf);
    this.#sought = -1;
  }

  // -------------------------------------------------------------------------------------------
  // The buffer of a node (callers have called onNodeWrite)

  /** Removes the bytes from `from` to `to`; answers where what followed them lies now. */
  #cut(node: ListNode, from: number, to: number): number {
    const left = from - node.start;
    const right = node.end - to;
    this.#sought = -1;
    if (left < right) {
      copyBytes(node.buf, to - left, node.buf, node.start, left);
      node.start = to - left;
      return to;
    }
    copyBytes(node.buf, from, node.buf, to, right);
    node.end = from + right;
    return from;
  }

  /** Makes room for `size` bytes before what lies at `pos`; answers where that room is. */
  #openGap(node: ListNode, pos: number, size: number): number {
    const { buf, start, end } = node;
    const left = pos - start;
    const right = end - pos;
    const headFits = start - node.low >= size;
    this.#sought = -1;
    if (node.high - end >= size && !(headFits && left < right)) {
      copyBytes(buf, pos + size, buf, pos, right);
      node.end = end + size;
      return pos;
    }
    if (headFits) {
      copyBytes(buf, start - size, buf, start, left);
      node.start = start - size;
      return pos - size;
    }
    return this.#rebuild(node, pos, size);
  }

  /** Whether a push that lacks a gap should move the node's bytes, rather than begin a new node. */
  #worthMoving(node: ListNode, size: number): boolean {
    // A buffer of full size that is mostly used would be moved again too soon: a queue that is
    // pushed at one end and popped at the other would copy its node for every few elements.
    const { capacity } = node;
    return capacity < this.nodeBytesMax || (node.end - node.start + size) * 4 <= capacity * 3;
  }

  /**
   * Moves what a node holds, leaving room for `size` bytes before what lies at `pos`; answers where that
   * room is. Free space goes to the end that is growing, and a quarter of it to the other one if that had
   * some. Into a larger buffer where this one is nearly full.
   */
  #rebuild(node: ListNode, pos: number, size: number): number {
    const left = pos - node.start;
    const right = node.end - pos;
    const used = left + size + right;
    const capacity = this.#capacityFor(node, used);
    const free = capacity - used;
    let room: number;
    if (left === 0 && right > 0) room = node.end < node.high ? free - (free >> 2) : free;
    else room = node.start > node.low ? free >> 2 : 0;
    this.#sought = -1;
    if (capacity === node.capacity) return shift(node, pos, size, node.low + room);

    const fresh = new Uint8Array(capacity);
    copyBytes(fresh, room, node.buf, node.start, left);
    copyBytes(fresh, room + left + size, node.buf, pos, right);
    this.#memory.replace(node, fresh, room, room + used);
    return room + left;
  }

  #capacityFor({ capacity }: ListNode, used: number): number {
    if (used * 4 <= capacity * 3) return capacity;
    return Math.max(used, Math.min(capacity * 2, this.nodeBytesMax));
  }
}

/**
 * Moves what a node holds within its buffer so that it begins at `newStart`, with room for `size` bytes before what
 * lay at `pos`; answers where that room is.
 */
function shift(node: ListNode, pos: number, size: number, newStart: number): number {
  const { buf, start, end } = node;
  const left = pos - start;
  const room = newStart + left;
  // What goes to the right goes before what lies to the left of it, so that nothing is written over.
  if (newStart > start) copyBytes(buf, room + size, buf, pos, end - pos);
  copyBytes(buf, newStart, buf, start, left);
  if (newStart <= start) copyBytes(buf, room + size, buf, pos, end - pos);
  node.start = newStart;
  node.end = room + size + (end - pos);
  return room;
}

/** Copies one node after the other. */
class QuickListCopy extends ValueCopy<QuickList> {
  #node: ListNode | null;
  readonly #append: (node: ListNode | null) => void;

  constructor(copy: QuickList, first: ListNode | null, append: (node: ListNode | null) => void) {
    super(copy);
    this.#node = first;
    this.#append = append;
  }

  override step(): boolean {
    const node = this.#node;
    this.#append(node);
    if (node !== null) this.#node = node.next;
    return node === null;
  }
}
