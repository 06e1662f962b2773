/**
 * Counts that may be set to any number of 64 bits: a number while that is exact, a bigint beyond.
 * Pure.
 */

/** A count: a bigint only where a number would not be exact. */
export type Count = number | bigint;

/** The count in its usual form. */
export function countOf(n: bigint): Count {
  const near = Number(n);
  return Number.isSafeInteger(near) ? near : n;
}

/** A count and so many more. */
export function addCount(count: Count, more: Count): Count {
  if (typeof count === "number" && typeof more === "number") {
    const sum = count + more;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return countOf(BigInt.asIntN(64, BigInt(count) + BigInt(more)));
}

/** A count less another one. */
export function subtractCount(count: Count, less: Count): Count {
  return addCount(count, typeof less === "number" ? -less : -less);
}
