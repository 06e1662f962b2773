/**
 * What can be told of a command's latencies, from the counts that dispatch keeps: element 0 counts
 * calls below 1 µs, element n those from 2^(n-1) to below 2^n µs.
 */

/**
 * The time in µs that `percent` of the calls stayed below. It is the upper end of the range in
 * which the true one lies, so it may be up to twice as long. 0 when there were no calls.
 */
export function percentileUsec(counts: Float64Array, percent: number): number {
  const total = totalOf(counts);
  if (total === 0) return 0;
  const rank = Math.max(1, Math.ceil(total * percent / 100));
  let seen = 0;
  for (let i = 0; i < counts.length; i++) {
    seen += counts[i];
    if (seen >= rank) return 2 ** i;
  }
  return 2 ** (counts.length - 1);
}

/**
 * Pairs of an upper end in µs and the number of calls below it, for ranges with calls. Where only some
 * calls were timed, the numbers are scaled up or down to `calls` in all.
 */
export function* cumulativeCounts(
  counts: Float64Array,
  calls: number,
): Generator<[usec: number, below: number]> {
  const total = totalOf(counts);
  let seen = 0;
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] === 0) continue;
    seen += counts[i];
    yield [2 ** i, Math.round(seen * calls / total)];
  }
}

/** The µs that all calls of a command took: an estimate where only some were timed. */
export function totalUsec({ calls, usec, latencyCounts }: Timed): number {
  return latencyCounts === null ? 0 : usec * calls / totalOf(latencyCounts);
}

/** What dispatch notes of a command's calls. */
export interface Timed {
  readonly calls: number;
  /** The µs of the calls that were timed, each counted for all the calls that it stands for. */
  readonly usec: number;
  readonly latencyCounts: Float64Array | null;
}

function totalOf(counts: Float64Array): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
