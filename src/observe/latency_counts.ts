/**
 * What can be told of a command's latencies, from the counts that dispatch keeps: element 0 counts
 * calls below 1 µs, element n those from 2^(n-1) to below 2^n µs.
 */

/**
 * The time in µs that `percent` of the calls stayed below: the upper end of the range in which it
 * lies, so up to twice the true one. 0 when there were no calls.
 */
export function percentileUsec(counts: Float64Array, percent: number): number {
  let total = 0;
  for (const count of counts) total += count;
  if (total === 0) return 0;
  const rank = Math.max(1, Math.ceil(total * percent / 100));
  let seen = 0;
  for (let i = 0; i < counts.length; i++) {
    seen += counts[i];
    if (seen >= rank) return 2 ** i;
  }
  return 2 ** (counts.length - 1);
}

/** Pairs of an upper end in µs and the number of calls below it, for ranges with calls. */
export function* cumulativeCounts(counts: Float64Array): Generator<[usec: number, calls: number]> {
  let seen = 0;
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] === 0) continue;
    seen += counts[i];
    yield [2 ** i, seen];
  }
}
