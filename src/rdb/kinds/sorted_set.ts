/**
 * Sorted sets as a kind of value. In a snapshot:
 *
 *     written   17   a listpack blob
 *               12   the same as a ziplist blob, before version 10
 *                5   <members> of each <string> <float64>, highest score first: a table and an index
 *                3   <members> of each <string> and the score as text, before version 8
 *
 * All of them are read.
 */

import { DictFill } from "../../arena/dict_fill.ts";
import { ENC_LISTPACK, ENC_SKIPLIST, TYPE_ZSET } from "../../arena/record.ts";
import { compareBytes, latin1 } from "../../base/bytes.ts";
import { formatPrecise } from "../../base/printf.ts";
import type { Database } from "../../keyspace/database.ts";
import type { ValueSource } from "../../keyspace/doors.ts";
import { sortedSetView } from "../../keyspace/sorted_set.ts";
import type { ElementText } from "../../values/element_text.ts";
import { lpEntry, lpFirst, lpGet, lpNext } from "../../values/listpack.ts";
import { OrderedCursor, type OrderedIndex } from "../../values/ordered_index.ts";
import { parseScore, parseStoredScore, STORED_TEXT_MAX } from "../../values/score.ts";
import { SortedSet } from "../../values/sorted_set.ts";
import * as format from "../format.ts";
import type { EntryCursor } from "../legacy.ts";
import { KeptBytes } from "../kept_bytes.ts";
import type { RdbReader } from "../reader.ts";
import type { RdbEncoder } from "../writer.ts";
import { writeListpack } from "../packed_writer.ts";
import { INTEGER_TEXT_MAX, type LoadedValue, reservedFor, takeListpack } from "./loaded_value.ts";
import { type ValueDigest, xorPair } from "./value_digest.ts";
import type { ValueKind } from "./value_kind.ts";
import {
  ElementsLoad,
  ElementsScan,
  LOAD_PART,
  LOAD_WHOLE,
  PackedLoad,
  type ValueLoad,
} from "./value_load.ts";
import { ELEMENTS_AT_ONCE, type SavedForm, TableWalk, type ValueWalk } from "./value_walk.ts";

export const sortedSetKind: ValueKind = {
  type: TYPE_ZSET,
  name: "zset",
  encodings: [ENC_LISTPACK, ENC_SKIPLIST],
  encodingName: (source, ref) => largeOf(source, ref) === null ? "listpack" : "skiplist",
  digestNumber: 3,
  addToDigest,
  rdbTypes: [
    format.TYPE_ZSET,
    format.TYPE_ZSET_2,
    format.TYPE_ZSET_ZIPLIST,
    format.TYPE_ZSET_LISTPACK,
  ],
  rdbTypeOf,
  save,
  newLoad,
  newScan,
  walk,
  isWalked: (source, ref) => (largeOf(source, ref)?.dict.hook ?? null) !== null,
  tableOf: (source, ref) => largeOf(source, ref)?.dict ?? null,
};

function largeOf(source: ValueSource, ref: number): SortedSet | null {
  const encoding = (source.records.metaOf(ref) >>> 4) & 0xf;
  return encoding === ENC_SKIPLIST ? source.largeValue(ref) as SortedSet : null;
}

function addToDigest(digest: ValueDigest, database: Database, ref: number): void {
  const view = sortedSetView.open(database, ref);
  for (let has = view.first(); has; has = view.next()) {
    const score = latin1(formatPrecise(view.score, 17));
    xorPair(digest, view.bytes, view.offset, view.length, score, 0, score.length);
  }
}

// -- saving ------------------------------------------------------------------------------

const cursor = new OrderedCursor();

function rdbTypeOf(source: ValueSource, ref: number, version: number): number {
  if (largeOf(source, ref) !== null) {
    return version >= format.RDB_VERSION_SCORES ? format.TYPE_ZSET_2 : format.TYPE_ZSET;
  }
  const isKnown = version >= format.RDB_VERSION_LISTPACKS;
  return isKnown ? format.TYPE_ZSET_LISTPACK : format.TYPE_ZSET_ZIPLIST;
}

function save(out: RdbEncoder, source: ValueSource, ref: number): void {
  const set = largeOf(source, ref);
  if (set !== null) {
    out.writeLength(set.count);
    for (let found = set.index.last(cursor); found; found = set.index.prev(cursor)) {
      writeMember(out, set, cursor.ref);
    }
    return;
  }
  const bytes = source.records.bytesOf(ref);
  writeListpack(out, bytes, source.records.valueOffset(ref));
}

/** Writes a member with its score. */
function writeMember(out: RdbEncoder, set: SortedSet, member: number): void {
  const { dict } = set;
  out.writeString(dict.bytesOf(member), dict.keyOffset(member), dict.keyLength(member));
  const score = set.scoreOf(member);
  if (out.version >= format.RDB_VERSION_SCORES) out.writeBinaryDouble(score);
  else out.writeTextDouble(score);
}

function walk(
  source: ValueSource,
  ref: number,
  form: SavedForm,
  _canBorrow: boolean,
  alwaysWalks = false,
): ValueWalk | null {
  const set = largeOf(source, ref);
  if (set === null || (set.count <= ELEMENTS_AT_ONCE && !alwaysWalks)) return null;
  return new MembersWalk(set, form);
}

/** Members that are visited before others have their turn. */
const PIECE_MEMBERS = 64;
const pieceRefs = new Int32Array(PIECE_MEMBERS);
/** Of no meaning: so that the compiler does not leave the reads ahead out. */
export let warmedSum = 0;

/**
 * Members by score, highest first as in a file of Redis: who loads them has a place for each without a search.
 * Where it has come to is remembered by score and bytes, as the order changes meanwhile.
 */
class MembersWalk extends TableWalk {
  readonly #set: SortedSet;
  readonly #member = new KeptBytes();
  #score = NaN;

  constructor(set: SortedSet, form: SavedForm) {
    super(set, set.dict, (out, member) => writeMember(out, set, member), form);
    this.#set = set;
  }

  protected override nextSome(visit: (ref: number) => void): boolean {
    const { dict, index } = this.#set;
    if (!this.#seek(index)) return false;
    let count = 0;
    let isMore = true;
    // All are read once before the first is visited: the waits for them overlap.
    let sum = 0;
    for (; isMore && count < PIECE_MEMBERS; isMore = index.prev(cursor)) {
      this.#score = cursor.score;
      pieceRefs[count++] = cursor.ref;
      sum ^= dict.flagsOf(cursor.ref);
    }
    warmedSum = sum;
    const last = pieceRefs[count - 1];
    this.#member.keep(dict.bytesOf(last), dict.keyOffset(last), dict.keyLength(last));
    for (let i = 0; i < count; i++) visit(pieceRefs[i]);
    return isMore;
  }

  /** To the member that was visited last, or the one before its place; false when there is none. */
  #seek(index: OrderedIndex): boolean {
    const { bytes, length } = this.#member;
    if (this.#score !== this.#score) return index.last(cursor);
    return index.atMost(cursor, this.#score, bytes, 0, length);
  }
}

// -- loading -----------------------------------------------------------------------------

function newLoad(rdbType: number): ValueLoad {
  switch (rdbType) {
    case format.TYPE_ZSET_LISTPACK:
    case format.TYPE_ZSET_ZIPLIST:
      return new PackedMembersLoad(rdbType === format.TYPE_ZSET_LISTPACK);
    default:
      return new MembersLoad(rdbType === format.TYPE_ZSET_2);
  }
}

function newScan(rdbType: number): ValueLoad | null {
  const isBinary = rdbType === format.TYPE_ZSET_2;
  return isBinary || rdbType === format.TYPE_ZSET ? new MembersScan(isBinary) : null;
}

/** A sorted set under construction. */
class SortedSetInProgress {
  #set = new SortedSet();
  readonly #fill = new DictFill();
  #longest = 0;
  #at = 0;

  /** `expected` members at least are to come (0: not known). `at` is where the value lies in the snapshot. */
  begin(expected: number, at: number): void {
    this.#set = new SortedSet();
    this.#set.reserve(expected);
    this.#fill.begin(this.#set.dict);
    this.#longest = 0;
    this.#at = at;
  }

  /**
   * Adds a member that must not be there yet, with a score that must be a number. That one is there twice may be told
   * later. @throws RdbError
   */
  add(
    reader: RdbReader,
    bytes: Uint8Array,
    offset: number,
    length: number,
    score: number,
  ): void {
    checkScore(reader, score, this.#at);
    if (length > this.#longest) this.#longest = length;
    const ref = this.#set.addOrderedWith(this.#fill, bytes, offset, length, score);
    if (ref === 0) this.#refuseTwice(reader);
  }

  #refuseTwice(reader: RdbReader): never {
    throw reader.error("a member is there twice in the sorted set", this.#at);
  }

  /**
   * Makes it the value, as a listpack if it may be one (`keepsLong`: whatever the length of its
   * members); false when it is empty. @throws RdbError
   */
  finish(value: LoadedValue, reader: RdbReader, keepsLong: boolean): boolean {
    const set = this.#set;
    this.#set = NONE;
    if (!this.#fill.flush()) this.#refuseTwice(reader);
    if (set.count === 0) return false;
    const { zsetMaxListpackEntries, zsetMaxListpackValue } = value.limits;
    const isShort = keepsLong || this.#longest <= zsetMaxListpackValue;
    if (set.count <= zsetMaxListpackEntries && isShort && pack(value, set)) {
      value.setListpack(TYPE_ZSET);
    } else value.setLarge(TYPE_ZSET, ENC_SKIPLIST, set);
    return true;
  }
}

const NONE = new SortedSet();

/** <members> of each <string> and a score. */
class MembersLoad extends ElementsLoad {
  readonly #set = new SortedSetInProgress();
  /** The member stands in `value.name`, its score comes next. */
  #hasMember = false;

  /** `isBinary`: scores are float64, not text. */
  constructor(readonly isBinary: boolean) {
    super();
  }

  protected override open(_value: LoadedValue, reader: RdbReader): number {
    const at = reader.offset;
    const count = reader.readCount("members", 2);
    this.#hasMember = false;
    this.#set.begin(reservedFor(count, reader), at);
    return count;
  }

  protected override readElement({ name }: LoadedValue, reader: RdbReader): void {
    if (!this.#hasMember) {
      reader.readString();
      name.keep(reader.strBuf, reader.strOff, reader.strLen);
      this.#hasMember = true;
      reader.mark();
    }
    const score = this.isBinary ? reader.readBinaryDouble() : reader.readTextDouble();
    this.#hasMember = false;
    this.#set.add(reader, name.bytes, 0, name.length, score);
  }

  protected override finish(value: LoadedValue, reader: RdbReader): boolean {
    return this.#set.finish(value, reader, false);
  }
}

/** @throws RdbError when it is not a number; `at` is where the set lies in the snapshot */
function checkScore(reader: RdbReader, score: number, at: number): void {
  if (score === score) return;
  throw reader.error("a score that is not a number in the sorted set", at);
}

/** Passes over <members> of each <string> and a score. */
class MembersScan extends ElementsScan {
  #at = 0;

  constructor(readonly isBinary: boolean) {
    super();
  }

  protected override open(value: LoadedValue, reader: RdbReader): number {
    this.#at = reader.offset;
    value.beginPassing(TYPE_ZSET);
    return reader.readCount("members", 2);
  }

  protected override readElement(value: LoadedValue, reader: RdbReader): void {
    value.passName(reader, 2, this.#at);
    const score = this.isBinary ? reader.readBinaryDouble() : reader.readTextDouble();
    checkScore(reader, score, this.#at);
  }
}

/** A ziplist or listpack of members and scores in turn. */
class PackedMembersLoad extends PackedLoad {
  protected override readonly name: string;
  readonly #set = new SortedSetInProgress();

  constructor(readonly isListpack: boolean) {
    super();
    this.name = isListpack ? "Zset listpack" : "Zset ziplist";
  }

  protected override takeWhole(value: LoadedValue, reader: RdbReader): number {
    if (!this.isListpack) return LOAD_PART;
    const most = value.limits.zsetMaxListpackEntries;
    const state = takeListpack(value, reader, TYPE_ZSET, 2, most, this.name);
    if (state !== LOAD_WHOLE) return state;
    return isInOrder(value, value.bytes, value.offset) ? LOAD_WHOLE : LOAD_PART;
  }

  protected override cursorOf(value: LoadedValue): EntryCursor {
    return this.isListpack ? value.listpack : value.ziplist;
  }

  protected override open(_value: LoadedValue, reader: RdbReader): void {
    this.#set.begin(0, reader.strAt);
  }

  protected override readEntry(
    { name }: LoadedValue,
    reader: RdbReader,
    cursor: EntryCursor,
  ): void {
    cursor.toText();
    name.keep(cursor.buf, cursor.off, cursor.len);
    if (!cursor.next()) {
      throw reader.error("a member without a score in the sorted set", reader.strAt);
    }
    cursor.toText();
    const score = parseStoredScore(cursor.buf, cursor.off, cursor.len);
    this.#set.add(reader, name.bytes, 0, name.length, score);
  }

  protected override finish(value: LoadedValue, reader: RdbReader): boolean {
    // Longer members stay in a listpack as they were, as in Redis; those of a ziplist do not.
    return this.#set.finish(value, reader, this.isListpack);
  }
}

/** Writes the set as a listpack into `value.packed`; false when a record has no room for it. */
function pack({ packed }: LoadedValue, set: SortedSet): boolean {
  packed.beginListpack();
  const { dict } = set;
  for (let found = set.index.first(cursor); found; found = set.index.next(cursor)) {
    const { ref, score } = cursor;
    const length = dict.keyLength(ref);
    if (!packed.fits(length + INTEGER_TEXT_MAX)) return false;
    packed.append(dict.bytesOf(ref), dict.keyOffset(ref), length);
    packed.appendScore(score);
  }
  return true;
}

/** The score that the keyspace finds in an entry; NaN when it does not understand its text as Redis does. */
function scoreIn(bytes: Uint8Array, pos: number): number {
  lpGet(bytes, pos);
  if (lpEntry.isInt) return lpEntry.big === null ? lpEntry.int : Number(lpEntry.big);
  if (lpEntry.len > STORED_TEXT_MAX) return NaN;
  return parseScore(lpEntry.buf, lpEntry.off, lpEntry.len);
}

/**
 * Whether members of a listpack come by score and then by their bytes, each with a number that the
 * keyspace reads as such.
 */
function isInOrder(value: LoadedValue, bytes: Uint8Array, base: number): boolean {
  let member = value.text;
  let previous: ElementText | null = null;
  let previousScore = -Infinity;
  for (let pos = lpFirst(bytes, base); pos >= 0;) {
    member.setEntry(bytes, pos);
    const scoreAt = lpNext(bytes, pos);
    const score = scoreIn(bytes, scoreAt);
    if (!(score >= previousScore)) return false;
    if (previous !== null && score === previousScore && compareTexts(previous, member) >= 0) {
      return false;
    }
    const free = previous ?? value.otherText;
    previous = member;
    member = free;
    previousScore = score;
    pos = lpNext(bytes, scoreAt);
  }
  return true;
}

function compareTexts(a: ElementText, b: ElementText): number {
  return compareBytes(a.bytes, a.offset, a.length, b.bytes, b.offset, b.length);
}
