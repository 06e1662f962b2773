/**
 * Which prefixes of keys take how much, in memory that has a bound, whatever the keys are.
 *
 * A key is cut at its separators (: / . | #, or where it has none of these at _ and -), and counted in a tree of the
 * pieces. Pieces that are numbers, or look like ids, count as one, shown as *. Where a piece has too many different
 * values to be names of things, those that take little become * together:
 *
 *     user:1001:profile  user:1002:profile  user:anna:cart   ->   user:*:profile  user:*:cart
 *
 * Sums are exact; which of them end up in a * depends on what came first.
 */

import { toLatin1 } from "../../base/bytes.ts";

/** What keys take together. */
export interface Weight {
  keys: number;
  /** What prefixes are compared by: bytes in memory, or bytes written. */
  bytes: number;
}

/** A line of the result: a prefix ("user:"), or a pattern of whole keys ("user:*"). */
export interface PrefixRow extends Weight {
  readonly prefix: string;
  /** How many prefixes it stands below. */
  readonly depth: number;
}

/** Pieces of a key that are told apart; what comes behind the last of them is one piece. */
const DEPTH_MAX = 5;
/** Different pieces below one prefix. */
const PIECES_MAX = 64;
/** A piece is kept by name if it has at least this share of what its prefix takes. */
const KEPT_SHARE = 0.02;
/** A longer piece is no name of a thing. */
const NAME_MAX = 64;
const ANY = "*";

const SEPARATORS = separators(":/.|#");
const WEAK_SEPARATORS = separators("_-");

class Piece implements Weight {
  keys = 0;
  bytes = 0;
  /** Pieces that come behind it with a separator, which is a part of their name; and those that end a key. */
  inner: Map<string, Piece> | null = null;
  ends: Map<string, Piece> | null = null;
}

/** Prefixes that are remembered; a power of two. */
const RECENT = 256;

/** A prefix with its piece, as long as none have been joined since. */
class RecentPrefix {
  constructor(
    readonly joins: number,
    readonly bytes: Uint8Array,
    readonly piece: Piece,
  ) {}

  is(joins: number, key: Uint8Array, from: number, to: number): boolean {
    const { bytes } = this;
    if (joins !== this.joins || bytes.length !== to - from) return false;
    for (let i = 0; i < bytes.length; i++) if (bytes[i] !== key[from + i]) return false;
    return true;
  }
}

export class PrefixTree {
  readonly #root = new Piece();
  readonly #recent: (RecentPrefix | undefined)[] = new Array(RECENT);
  /** How often pieces have been joined. */
  #joins = 0;

  get total(): Readonly<Weight> {
    return this.#root;
  }

  /** Counts a key. */
  add(key: Uint8Array, offset: number, length: number, bytes: number): void {
    const end = offset + length;
    const from = behindOnlyMark(key, offset, end);
    if (from > 0) this.#addShort(key, offset, from, end, bytes);
    else this.#addAny(key, offset, end, bytes);
  }

  /** A key with one separator, as most have: its prefix was often the same a moment ago. */
  #addShort(key: Uint8Array, offset: number, from: number, end: number, bytes: number): void {
    const slot = (key[offset] * 31 + key[from - 2] * 7 + from - offset) & (RECENT - 1);
    let recent = this.#recent[slot];
    if (recent === undefined || !recent.is(this.#joins, key, offset, from)) {
      const inner = this.#root.inner ??= new Map();
      const mark = String.fromCharCode(key[from - 1]);
      const name = nameOf(key, offset, from - 1) + mark;
      const piece = this.#childOf(this.#root, inner, name, mark);
      recent = new RecentPrefix(this.#joins, key.slice(offset, from), piece);
      this.#recent[slot] = recent;
    }
    const { piece } = recent;
    count(this.#root, bytes);
    count(piece, bytes);
    piece.ends ??= new Map();
    count(this.#childOf(piece, piece.ends, nameOf(key, from, end), ""), bytes);
  }

  #addAny(key: Uint8Array, offset: number, end: number, bytes: number): void {
    const marks = has(key, offset, end, SEPARATORS) ? SEPARATORS : WEAK_SEPARATORS;
    let piece = this.#root;
    let from = offset;
    count(piece, bytes);
    for (let depth = 1; depth < DEPTH_MAX; depth++) {
      let at = from;
      while (at < end && marks[key[at]] === 0) at++;
      if (at === end) break;
      const name = nameOf(key, from, at) + String.fromCharCode(key[at]);
      piece.inner ??= new Map();
      piece = this.#childOf(piece, piece.inner, name, name.slice(-1));
      count(piece, bytes);
      from = at + 1;
    }
    piece.ends ??= new Map();
    count(this.#childOf(piece, piece.ends, nameOf(key, from, end), ""), bytes);
  }

  #childOf(parent: Piece, children: Map<string, Piece>, name: string, mark: string): Piece {
    const found = children.get(name);
    if (found !== undefined) return found;
    if (children.size >= PIECES_MAX) {
      join(parent, children, ANY + mark);
      this.#joins++;
    }
    const made = new Piece();
    children.set(name, made);
    return made;
  }

  /** What takes at least a share of all, by size, prefixes before what is below them; `most` rows at most. */
  rows(share: number, most: number): PrefixRow[] {
    const rows: PrefixRow[] = [];
    const least = this.#root.bytes * share;
    settleAll(this.#root);
    this.#joins++;
    collect(this.#root, "", 0, least, rows);
    return rows.slice(0, most);
  }
}

function separators(text: string): Uint8Array {
  const marks = new Uint8Array(256);
  for (const letter of text) marks[letter.charCodeAt(0)] = 1;
  return marks;
}

function has(key: Uint8Array, from: number, end: number, marks: Uint8Array): boolean {
  for (let i = from; i < end; i++) if (marks[key[i]] !== 0) return true;
  return false;
}

/** Where the key goes on behind its only separator, if it has one of the strong ones; else 0. */
function behindOnlyMark(key: Uint8Array, from: number, end: number): number {
  let behind = 0;
  for (let i = from; i < end; i++) {
    if (SEPARATORS[key[i]] === 0) continue;
    if (behind > 0 || i === from) return 0;
    behind = i + 1;
  }
  return behind;
}

function count(piece: Piece, bytes: number): void {
  piece.keys++;
  piece.bytes += bytes;
}

/** How a piece of a key is called: itself, or * for what is a number, an id, or long. */
function nameOf(key: Uint8Array, from: number, end: number): string {
  if (end - from > NAME_MAX || from === end) return from === end ? "" : ANY;
  let digits = 0;
  let hex = 0;
  for (let i = from; i < end; i++) {
    const byte = key[i];
    if (byte < 0x20) return ANY;
    if (byte >= 0x30 && byte <= 0x39) digits++;
    else if (((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66) || byte === 0x2d) hex++;
  }
  const length = end - from;
  const isNumber = digits === length;
  const isId = digits > 0 && digits + hex === length && length >= 8;
  return isNumber || isId ? ANY : toLatin1(key, from, length);
}

/** Makes one of those children that take little. Of several separators that of the newest is shown. */
function join(parent: Piece, children: Map<string, Piece>, any: string): void {
  const rest = children.get(any) ?? new Piece();
  for (const [name, child] of children) {
    if (name === any || isKept(child, parent)) continue;
    children.delete(name);
    merge(rest, child);
  }
  children.set(any, rest);
}

function isKept(child: Piece, parent: Piece): boolean {
  return child.keys >= parent.keys * KEPT_SHARE || child.bytes >= parent.bytes * KEPT_SHARE;
}

function merge(into: Piece, from: Piece): void {
  into.keys += from.keys;
  into.bytes += from.bytes;
  if (from.inner !== null) mergeAll(into, into.inner ??= new Map(), from.inner, true);
  if (from.ends !== null) mergeAll(into, into.ends ??= new Map(), from.ends, false);
}

function mergeAll(
  parent: Piece,
  into: Map<string, Piece>,
  from: Map<string, Piece>,
  isInner: boolean,
): void {
  for (const [name, piece] of from) {
    const there = into.get(name);
    if (there !== undefined) merge(there, piece);
    else {
      if (into.size >= PIECES_MAX) join(parent, into, isInner ? ANY + name.slice(-1) : ANY);
      into.set(name, piece);
    }
  }
}

function settleAll(piece: Piece): void {
  settle(piece, piece.inner);
  settle(piece, piece.ends);
  for (const child of piece.inner?.values() ?? []) settleAll(child);
}

/** Where something has become *, what has come since and takes as little goes there, too. */
function settle(parent: Piece, children: Map<string, Piece> | null): void {
  if (children === null) return;
  for (const any of [...children.keys()]) {
    if (any[0] === ANY && any.length <= 2) join(parent, children, any);
  }
}

/** Adds rows for what is below a prefix. What has a single piece below it is shown by that. */
function collect(
  piece: Piece,
  prefix: string,
  depth: number,
  least: number,
  rows: PrefixRow[],
): void {
  const children: [name: string, child: Piece, isInner: boolean][] = [
    ...[...piece.inner ?? []].map(([name, child]) => [name, child, true] as const),
    ...[...piece.ends ?? []].map(([name, child]) => [name, child, false] as const),
  ].map((child) => [...child]);
  const shown = children.filter(([, { bytes }]) => bytes >= least);
  const hidden = children.filter(([, { bytes }]) => bytes < least);
  shown.sort(([, a], [, b]) => b.bytes - a.bytes);
  for (const [name, child, isInner] of shown) {
    const path = prefix + name;
    if (isInner && isSingle(child)) collect(child, path, depth, least, rows);
    else {
      rows.push({ prefix: path, depth, keys: child.keys, bytes: child.bytes });
      if (isInner) collect(child, path, depth + 1, least, rows);
    }
  }
  if (hidden.length === 0 || shown.length === 0) return;
  const rest = hidden.reduce<Weight>((sum, [, { keys, bytes }]) => ({
    keys: sum.keys + keys,
    bytes: sum.bytes + bytes,
  }), { keys: 0, bytes: 0 });
  if (rest.bytes >= least) rows.push({ prefix: `${prefix}(others)`, depth, ...rest });
}

function isSingle({ inner, ends }: Piece): boolean {
  return (inner?.size ?? 0) + (ends?.size ?? 0) === 1;
}
