/**
 * Prefixes of one client must not overlap: a key would be told of twice. Finds the first two that do, in
 * Redis's order, in time that grows with the number of prefixes and hardly faster.
 */

import { compareBytes } from "../base/bytes.ts";

/** Two prefixes of which one begins with the other. */
export interface Overlap {
  readonly given: Uint8Array;
  readonly other: Uint8Array;
  /** Whether `other` is one that the client has already; else it was given too. */
  readonly isExisting: boolean;
}

/**
 * The first of the given prefixes that overlaps with an existing one or with one given behind it, and the
 * first of those; null when there is none. Existing ones may overlap with each other.
 */
export function findOverlap(
  given: readonly Uint8Array[],
  existing: readonly Uint8Array[],
): Overlap | null {
  const index = firstOverlapping(given, existing);
  if (index < 0) return null;
  const prefix = given[index];
  const old = sortedPrefixes(existing).find((each) => overlaps(prefix, each));
  if (old !== undefined) return { given: prefix, other: old, isExisting: true };
  const other = given.find((each, i) => i > index && overlaps(prefix, each))!;
  return { given: prefix, other, isExisting: false };
}

/** In the order of their bytes. */
export function sortedPrefixes(prefixes: readonly Uint8Array[]): Uint8Array[] {
  return [...prefixes].sort((a, b) => compareBytes(a, 0, a.length, b, 0, b.length));
}

/**
 * The smallest index in `given` of one that overlaps with another, or -1. In the order of their bytes,
 * whatever begins with a prefix follows it directly: those that the one at hand begins with are on a stack.
 */
function firstOverlapping(
  given: readonly Uint8Array[],
  existing: readonly Uint8Array[],
): number {
  const all = [
    ...given.map((bytes, index) => ({ bytes, index })),
    ...existing.map((bytes) => ({ bytes, index: given.length })),
  ].sort((a, b) => compareBytes(a.bytes, 0, a.bytes.length, b.bytes, 0, b.bytes.length));
  let first = given.length;
  const open: { bytes: Uint8Array; least: number }[] = [];
  for (const { bytes, index } of all) {
    while (open.length > 0 && !overlaps(open.at(-1)!.bytes, bytes)) open.pop();
    const above = open.at(-1);
    // The least index of those that it begins with, and its own: of two of them one is given.
    const least = Math.min(index, above?.least ?? given.length);
    if (above !== undefined) first = Math.min(first, least);
    open.push({ bytes, least });
  }
  return first === given.length ? -1 : first;
}

function overlaps(a: Uint8Array, b: Uint8Array): boolean {
  const shared = Math.min(a.length, b.length);
  return compareBytes(a, 0, shared, b, 0, shared) === 0;
}
