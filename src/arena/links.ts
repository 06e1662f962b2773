/**
 * Who is attached to which name: clients to the channels that they listen to, and to the keys that
 * they watch. Many to many, in tables of integers outside the JavaScript heap: a name that one holder
 * is attached to takes about 80 bytes beside its own, whatever their number.
 *
 *     names   hash │ bytes │ first link │ last link │ links │ tag │ next in chain
 *     links   name │ holder │ next, previous of the name │ next, previous of the holder │ mark │ next in chain
 *
 * A name is found by its bytes, a link by name and holder, both through chains (`RowIndex`). The links
 * of a name, and those of a holder, are lists in the order in which they came.
 *
 * Numbers of names and links hold until the next `unlink`: where few are left of many, they get new
 * ones, so that memory goes back. Number 0 stands for none.
 */

import { copyBytes, equalBytes } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";
import { Arena, CHUNK_UNITS_MAX, roundUnits } from "./arena.ts";
import { REF_MASK, REF_SHIFT } from "./record.ts";
import { RowIndex, Rows } from "./rows.ts";

const NAME_FIELDS = 7;
const HASH = 0;
const BYTES = 1;
const FIRST = 2;
const LAST = 3;
const COUNT = 4;
const TAG = 5;
const NAME_CHAIN = 6;

const LINK_FIELDS = 8;
const NAME = 0;
const HOLDER = 1;
const NEXT_OF_NAME = 2;
const PREVIOUS_OF_NAME = 3;
const NEXT_OF_HOLDER = 4;
const PREVIOUS_OF_HOLDER = 5;
const MARK = 6;
const LINK_CHAIN = 7;

/** Memory of a link and of a name without its bytes, their share in the index included. */
const LINK_BYTES = (LINK_FIELDS + 1) * 4;
const NAME_BYTES = (NAME_FIELDS + 1) * 4;
/** A table of so many links or more gets new numbers when a part of them is left. */
const RENEW_MIN = 32 * 1024;
const RENEW_PART = 8;

/** One who may be attached to names of one table. */
export class Holder<M> {
  /** How many names it is attached to. */
  count = 0;
  /** What that takes in bytes; a name counts for each of its holders, though it is kept once. */
  sizeBytes = 0;
  /** Its first and last link. */
  first = 0;
  last = 0;
  /** Its number in the table; -1 while it has no links. */
  slot = -1;

  constructor(readonly member: M) {}
}

export class Links<M> {
  #names = new Rows(NAME_FIELDS);
  #links = new Rows(LINK_FIELDS);
  #arena = new Arena();
  #nameIndex = this.#newNameIndex();
  #linkIndex = this.#newLinkIndex();
  readonly #holders: (Holder<M> | null)[] = [];
  readonly #freeSlots: number[] = [];
  /** How often names and links have got new numbers. */
  renewals = 0;

  /** `onNameGone` is told of a name's tag when its last link goes. */
  constructor(readonly onNameGone: (tag: number) => void = () => {}) {}

  get nameCount(): number {
    return this.#names.count;
  }

  get linkCount(): number {
    return this.#links.count;
  }

  /** Memory of all, in bytes. */
  get memoryBytes(): number {
    return this.#names.memoryBytes + this.#links.memoryBytes + this.#arena.totalBytes +
      this.#nameIndex.memoryBytes + this.#linkIndex.memoryBytes;
  }

  // -- names -----------------------------------------------------------------------------

  /** The name with these bytes, or 0. */
  find(bytes: Uint8Array, offset: number, length: number): number {
    if (this.#names.count === 0) return 0;
    return this.#find(hashBytes(bytes, offset, length), bytes, offset, length);
  }

  #find(hash: number, bytes: Uint8Array, offset: number, length: number): number {
    const names = this.#names;
    for (let name = this.#nameIndex.first(hash); name !== 0; name = names.get(name, NAME_CHAIN)) {
      if (names.get(name, HASH) !== hash) continue;
      const ref = names.get(name, BYTES);
      const segment = ref >>> REF_SHIFT;
      const at = ref & REF_MASK;
      if (this.#arena.i32[segment][at << 1] !== length) continue;
      const kept = this.#arena.u8[segment];
      if (equalBytes(kept, (at << 3) + 4, length, bytes, offset, length)) return name;
    }
    return 0;
  }

  /**
   * Brings what lookups of names with these hashes will read into the caches, and the first link of
   * each. See "Looking ahead" in NOTES. Answers a sum of no meaning, so that nothing is left out.
   */
  warm(hashes: Int32Array, count: number): number {
    const names = this.#names;
    const index = this.#nameIndex;
    let sum = 0;
    for (let i = 0; i < count; i++) sum ^= index.first(hashes[i]);
    for (let i = 0; i < count; i++) {
      const name = index.first(hashes[i]);
      if (name !== 0) sum ^= names.get(name, HASH);
    }
    for (let i = 0; i < count; i++) {
      const name = index.first(hashes[i]);
      if (name === 0) continue;
      const ref = names.get(name, BYTES);
      sum ^= this.#arena.i32[ref >>> REF_SHIFT][(ref & REF_MASK) << 1];
      sum ^= this.#links.get(names.get(name, FIRST), HOLDER);
    }
    return sum;
  }

  /** The buffer that the bytes of a name lie in, and where; it holds until the next change. */
  bytesOf(name: number): Uint8Array {
    return this.#arena.u8[this.#names.get(name, BYTES) >>> REF_SHIFT];
  }

  offsetOf(name: number): number {
    return ((this.#names.get(name, BYTES) & REF_MASK) << 3) + 4;
  }

  lengthOf(name: number): number {
    const ref = this.#names.get(name, BYTES);
    return this.#arena.i32[ref >>> REF_SHIFT][(ref & REF_MASK) << 1];
  }

  /** A copy of a name. */
  copyOf(name: number): Uint8Array {
    const offset = this.offsetOf(name);
    return this.bytesOf(name).slice(offset, offset + this.lengthOf(name));
  }

  /** How many are attached to a name. */
  countOf(name: number): number {
    return this.#names.get(name, COUNT);
  }

  /** A number of the owner's for a name; 0 at first. */
  tagOf(name: number): number {
    return this.#names.get(name, TAG);
  }

  setTag(name: number, tag: number): void {
    this.#names.set(name, TAG, tag);
  }

  /** All names, in no particular order: the one after `name`, the first one after 0, 0 at the end. */
  nameAfter(name: number): number {
    const names = this.#names;
    for (let next = name + 1; next < names.end; next++) {
      if (names.get(next, COUNT) > 0) return next;
    }
    return 0;
  }

  // -- links -----------------------------------------------------------------------------

  /** The link between a holder and a name, or 0. */
  linkOf(holder: Holder<M>, name: number): number {
    const { slot } = holder;
    if (slot < 0) return 0;
    const links = this.#links;
    let link = this.#linkIndex.first(linkHash(name, slot));
    while (link !== 0 && (links.get(link, NAME) !== name || links.get(link, HOLDER) !== slot)) {
      link = links.get(link, LINK_CHAIN);
    }
    return link;
  }

  firstOf(name: number): number {
    return this.#names.get(name, FIRST);
  }

  /** The link after `link` among those of its name; 0 at the end. */
  nextOf(link: number): number {
    return this.#links.get(link, NEXT_OF_NAME);
  }

  /** The link after `link` among those of its holder. */
  nextBy(link: number): number {
    return this.#links.get(link, NEXT_OF_HOLDER);
  }

  nameOf(link: number): number {
    return this.#links.get(link, NAME);
  }

  memberOf(link: number): M {
    return this.#holders[this.#links.get(link, HOLDER)]!.member;
  }

  /** A mark that the owner may put on a link; false at first. */
  isMarked(link: number): boolean {
    return this.#links.get(link, MARK) !== 0;
  }

  setMark(link: number, isMarked: boolean): void {
    this.#links.set(link, MARK, isMarked ? 1 : 0);
  }

  // -- changes ---------------------------------------------------------------------------

  /**
   * Attaches a holder to the name with these bytes, which are copied. Returns the link, or 0 if there
   * is one already. @throws RangeError when there is no memory for it
   */
  link(holder: Holder<M>, bytes: Uint8Array, offset: number, length: number): number {
    const hash = hashBytes(bytes, offset, length);
    let name = this.#find(hash, bytes, offset, length);
    if (name === 0) name = this.#addName(hash, bytes, offset, length);
    else if (this.linkOf(holder, name) !== 0) return 0;
    if (holder.slot < 0) this.#enter(holder);
    const { slot } = holder;
    const names = this.#names;
    const links = this.#links;
    const link = links.take();
    const last = names.get(name, LAST);
    links.set(link, NAME, name);
    links.set(link, HOLDER, slot);
    links.set(link, PREVIOUS_OF_NAME, last);
    if (last === 0) names.set(name, FIRST, link);
    else links.set(last, NEXT_OF_NAME, link);
    names.set(name, LAST, link);
    names.set(name, COUNT, names.get(name, COUNT) + 1);
    links.set(link, PREVIOUS_OF_HOLDER, holder.last);
    if (holder.last === 0) holder.first = link;
    else links.set(holder.last, NEXT_OF_HOLDER, link);
    holder.last = link;
    holder.count++;
    holder.sizeBytes += this.#sizeOf(length);
    this.#linkIndex.add(link);
    return link;
  }

  /** Ends a link; a name without links goes. */
  unlink(link: number): void {
    this.#unlink(link);
    this.#renewIfSparse();
  }

  /** Ends all links of a holder. */
  unlinkAll(holder: Holder<M>): void {
    while (holder.first !== 0) this.#unlink(holder.first);
    this.#renewIfSparse();
  }

  #unlink(link: number): void {
    const names = this.#names;
    const links = this.#links;
    const name = links.get(link, NAME);
    const holder = this.#holders[links.get(link, HOLDER)]!;
    this.#linkIndex.remove(link);

    const next = links.get(link, NEXT_OF_NAME);
    const previous = links.get(link, PREVIOUS_OF_NAME);
    if (next === 0) names.set(name, LAST, previous);
    else links.set(next, PREVIOUS_OF_NAME, previous);
    if (previous === 0) names.set(name, FIRST, next);
    else links.set(previous, NEXT_OF_NAME, next);
    const count = names.get(name, COUNT) - 1;
    names.set(name, COUNT, count);

    const nextBy = links.get(link, NEXT_OF_HOLDER);
    const previousBy = links.get(link, PREVIOUS_OF_HOLDER);
    if (nextBy === 0) holder.last = previousBy;
    else links.set(nextBy, PREVIOUS_OF_HOLDER, previousBy);
    if (previousBy === 0) holder.first = nextBy;
    else links.set(previousBy, NEXT_OF_HOLDER, nextBy);
    holder.count--;
    holder.sizeBytes -= this.#sizeOf(this.lengthOf(name));

    links.give(link);
    if (holder.count === 0) this.#leave(holder);
    if (count === 0) this.#removeName(name);
  }

  #enter(holder: Holder<M>): void {
    holder.slot = this.#freeSlots.pop() ?? this.#holders.length;
    this.#holders[holder.slot] = holder;
  }

  #leave(holder: Holder<M>): void {
    this.#holders[holder.slot] = null;
    this.#freeSlots.push(holder.slot);
    holder.slot = -1;
  }

  #addName(hash: number, bytes: Uint8Array, offset: number, length: number): number {
    const ref = allocateName(this.#arena, length);
    const segment = ref >>> REF_SHIFT;
    const at = ref & REF_MASK;
    this.#arena.i32[segment][at << 1] = length;
    copyBytes(this.#arena.u8[segment], (at << 3) + 4, bytes, offset, length);
    const name = this.#names.take();
    this.#names.set(name, HASH, hash);
    this.#names.set(name, BYTES, ref);
    this.#nameIndex.add(name);
    return name;
  }

  #removeName(name: number): void {
    const names = this.#names;
    this.#nameIndex.remove(name);
    const tag = names.get(name, TAG);
    const units = nameUnits(this.lengthOf(name));
    const isOwnSegment = units > CHUNK_UNITS_MAX;
    this.#arena.free(names.get(name, BYTES), isOwnSegment ? 0 : roundUnits(units));
    names.give(name);
    this.onNameGone(tag);
  }

  #sizeOf(length: number): number {
    return LINK_BYTES + NAME_BYTES + (nameUnits(length) << 3);
  }

  // -- giving memory back ------------------------------------------------------------------

  /** Where little is left of much, everything moves together: less work than the removals were. */
  #renewIfSparse(): void {
    const { count, end } = this.#links;
    if (end < RENEW_MIN || count * RENEW_PART > end) return;
    const oldNames = this.#names;
    const oldLinks = this.#links;
    const oldArena = this.#arena;
    const newName = numbersAnew(oldNames, COUNT);
    const newLink = numbersAnew(oldLinks, NAME);
    this.#names = new Rows(NAME_FIELDS);
    this.#links = new Rows(LINK_FIELDS);
    this.#arena = new Arena();
    this.#nameIndex = this.#newNameIndex();
    this.#linkIndex = this.#newLinkIndex();
    for (let old = 1; old < oldNames.end; old++) {
      if (newName[old] !== 0) this.#moveName(old, oldNames, oldArena, newLink);
    }
    for (let old = 1; old < oldLinks.end; old++) {
      if (newLink[old] !== 0) this.#moveLink(old, oldLinks, newName, newLink);
    }
    for (const holder of this.#holders) {
      if (holder === null) continue;
      holder.first = newLink[holder.first];
      holder.last = newLink[holder.last];
    }
    this.renewals++;
  }

  #moveName(old: number, from: Rows, arena: Arena, newLink: Int32Array): void {
    const ref = from.get(old, BYTES);
    const segment = ref >>> REF_SHIFT;
    const at = ref & REF_MASK;
    const length = arena.i32[segment][at << 1];
    const name = this.#addName(from.get(old, HASH), arena.u8[segment], (at << 3) + 4, length);
    this.#names.set(name, FIRST, newLink[from.get(old, FIRST)]);
    this.#names.set(name, LAST, newLink[from.get(old, LAST)]);
    this.#names.set(name, COUNT, from.get(old, COUNT));
    this.#names.set(name, TAG, from.get(old, TAG));
  }

  #moveLink(old: number, from: Rows, newName: Int32Array, newLink: Int32Array): void {
    const link = this.#links.take();
    this.#links.set(link, NAME, newName[from.get(old, NAME)]);
    this.#links.set(link, HOLDER, from.get(old, HOLDER));
    this.#links.set(link, MARK, from.get(old, MARK));
    for (
      const field of [NEXT_OF_NAME, PREVIOUS_OF_NAME, NEXT_OF_HOLDER, PREVIOUS_OF_HOLDER] as const
    ) this.#links.set(link, field, newLink[from.get(old, field)]);
    this.#linkIndex.add(link);
  }

  #newNameIndex(): RowIndex {
    const names = this.#names;
    return new RowIndex(names, NAME_CHAIN, (name) => names.get(name, HASH));
  }

  #newLinkIndex(): RowIndex {
    const links = this.#links;
    return new RowIndex(
      links,
      LINK_CHAIN,
      (link) => linkHash(links.get(link, NAME), links.get(link, HOLDER)),
    );
  }
}

/** Numbers for the rows whose `field` is not 0, in their order; 0 for the others. */
function numbersAnew(rows: Rows, field: number): Int32Array {
  const numbers = new Int32Array(rows.end);
  let next = 1;
  for (let row = 1; row < rows.end; row++) if (rows.get(row, field) !== 0) numbers[row] = next++;
  return numbers;
}

/**
 * A hash of two numbers that nobody outside can choose. Names that follow each other, as those of one
 * holder mostly do, come into chains that lie together.
 */
function linkHash(name: number, slot: number): number {
  return (name + Math.imul(slot, 0x2c1b3c6d)) | 0;
}

/** The size of the chunk for a name and its length: at least what a free chunk needs. */
function nameUnits(length: number): number {
  return Math.max(2, (length + 11) >>> 3);
}

function allocateName(arena: Arena, length: number): number {
  const units = nameUnits(length);
  return units > CHUNK_UNITS_MAX ? arena.allocateSegment(units << 3) : arena.allocate(units);
}
