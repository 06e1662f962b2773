/**
 * A small hash with fields that expire (answered as "listpackex"): a listpack of triples. Between
 * keyspace/hash.ts, rdb/kinds/hash.ts and values/listpack.ts.
 *
 *     field, value, time, field, value, time, …
 *
 * The time is an integer, Unix ms, or 0 for a field that does not expire. Triples are in the order of
 * their times, those without one behind all others, as Redis has it in memory and in its snapshots: so
 * the first triple tells when something expires, and what is over stands in front. Positions are those
 * of fields. Where a listpack gets longer, the caller has made room.
 */

import { copyBytes } from "../base/bytes.ts";
import {
  lpBytes,
  lpCount,
  lpDelete,
  lpEnd,
  lpEntry,
  lpFirst,
  lpFirstAt,
  lpFrame,
  lpGet,
  lpNew,
  lpSize,
  lpStageInteger,
  lpWriteStaged,
} from "./listpack.ts";

/** Entries of a field. */
export const TRIPLE = 3;
/** The most that an integer takes in a listpack. */
export const TIME_BYTES_MAX = 10;
/** What the time of a field takes that does not expire. */
export const NO_TIME_BYTES = 2;

let moved = new Uint8Array(256);

/** The position of the field behind the one at `pos`, or of the end. */
export function afterTriple(buf: Uint8Array, pos: number): number {
  let next = pos;
  for (let i = 0; i < TRIPLE; i++) next += lpSize(buf, next);
  return next;
}

function timePosition(buf: Uint8Array, pos: number): number {
  const value = pos + lpSize(buf, pos);
  return value + lpSize(buf, value);
}

/** When the field at `pos` expires, in Unix ms; 0 when it does not. */
export function timeOfField(buf: Uint8Array, pos: number): number {
  lpGet(buf, timePosition(buf, pos));
  return lpEntry.int;
}

/** The earliest time at which a field expires, Infinity when none does. */
export function firstTime(buf: Uint8Array, base: number): number {
  const first = lpFirst(buf, base);
  return first < 0 ? Infinity : timeOfField(buf, first) || Infinity;
}

/** The position of the first field that is not over before a time, or of the end. */
export function firstNotBefore(buf: Uint8Array, base: number, timeMs: number): number {
  const end = lpEnd(buf, base);
  let pos = lpFirstAt(base);
  while (pos < end) {
    const time = timeOfField(buf, pos);
    if (time === 0 || time >= timeMs) break;
    pos = afterTriple(buf, pos);
  }
  return pos;
}

/** How many fields are over before a time. */
export function countBefore(buf: Uint8Array, base: number, timeMs: number): number {
  const until = firstNotBefore(buf, base, timeMs);
  let count = 0;
  for (let pos = lpFirstAt(base); pos < until; pos = afterTriple(buf, pos)) count++;
  return count;
}

/**
 * Makes a listpack of fields and values at `from` one of triples without times, at `base` of `into`, which
 * has room. Returns its size.
 */
export function addTimes(into: Uint8Array, base: number, buf: Uint8Array, from: number): number {
  lpNew(into, base);
  const start = lpFirstAt(base);
  const end = lpEnd(buf, from);
  let at = start;
  let count = 0;
  for (let pos = lpFirstAt(from); pos < end; count += TRIPLE) {
    const value = pos + lpSize(buf, pos);
    const next = value + lpSize(buf, value);
    copyBytes(into, at, buf, pos, next - pos);
    at += next - pos;
    into[at++] = 0;
    into[at++] = 1;
    pos = next;
  }
  return lpFrame(into, base, at - start, count);
}

/** Gives the field at `pos` another time, 0 for none, and the place that goes with it. Returns the new size. */
export function retime(buf: Uint8Array, base: number, pos: number, timeMs: number): number {
  const length = timePosition(buf, pos) - pos;
  if (moved.length < length) moved = new Uint8Array(length * 2);
  copyBytes(moved, 0, buf, pos, length);
  lpDelete(buf, base, pos, TRIPLE);
  const count = lpCount(buf, base);
  const end = lpEnd(buf, base);
  const at = timeMs === 0 ? end : firstNotBefore(buf, base, timeMs);
  const timeSize = lpStageInteger(timeMs);
  copyBytes(buf, at + length + timeSize, buf, at, end - at);
  copyBytes(buf, at, moved, 0, length);
  lpWriteStaged(buf, at + length, NOTHING, 0);
  return lpFrame(buf, base, end + length + timeSize - lpFirstAt(base), count + TRIPLE);
}

const NOTHING = new Uint8Array(0);

/** Brings the triples of a listpack at the start of `buf`, in whatever order they are, into theirs. */
export function sortTriples(buf: Uint8Array): void {
  const size = lpBytes(buf, 0);
  const from = buf.slice(0, size);
  const end = lpEnd(from, 0);
  const triples: { pos: number; timeMs: number }[] = [];
  for (let pos = lpFirstAt(0); pos < end; pos = afterTriple(from, pos)) {
    triples.push({ pos, timeMs: timeOfField(from, pos) || Infinity });
  }
  triples.sort((a, b) => a.timeMs < b.timeMs ? -1 : a.timeMs > b.timeMs ? 1 : a.pos - b.pos);
  let at = lpFirstAt(0);
  for (const { pos } of triples) {
    const length = afterTriple(from, pos) - pos;
    copyBytes(buf, at, from, pos, length);
    at += length;
  }
}
