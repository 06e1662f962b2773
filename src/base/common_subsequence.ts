/**
 * The longest common subsequence of two strings, a row of bits for each byte of the first.
 *
 * The classic table says for each pair of beginnings how long their longest common subsequence is. From one
 * column of a row to the next that length grows by one or not at all, so a row is kept as bits: 0 in bit j where
 * it grows with byte j of `b`. A row follows from the one above in a few operations a word (Hyyrö, "Bit-Parallel
 * LCS-length Computation Revisited", 2004):
 *
 *     matches = row & bytesOfB[a's byte]
 *     row     = (row + matches) | (row & ~bytesOfB[a's byte])
 *
 * where the sum carries from word to word. That is 32 cells at a time, and an eighth of a byte for each instead
 * of the four of the table.
 */

/** Bytes that follow each other in both strings and belong to the subsequence. */
export interface CommonRun {
  startA: number;
  startB: number;
  length: number;
}

const ALL_GROW_NOT = -1;

/** The length of the longest common subsequence. */
export function commonLength(a: Uint8Array, b: Uint8Array): number {
  const masks = masksOf(a, b);
  const row = new Int32Array(wordsFor(b)).fill(ALL_GROW_NOT);
  for (const byte of a) nextRow(row, 0, row, 0, masks[byte]!);
  let length = 0;
  for (let j = 0; j < b.length; j++) length += (~row[j >> 5] >>> (j & 31)) & 1;
  return length;
}

/**
 * The subsequence as runs, from the last to the first. Where there are several of its length, the one that is found
 * from the end by leaving out a byte of `b` rather than of `a`, as Redis does.
 */
export function commonRuns(a: Uint8Array, b: Uint8Array): CommonRun[] {
  const width = wordsFor(b);
  const rows = rowsOf(a, b, width);
  const runs: CommonRun[] = [];
  let run: CommonRun | null = null;
  let i = a.length;
  let j = b.length;
  while (i > 0 && j > 0) {
    if (a[i - 1] === b[j - 1]) {
      i--;
      j--;
      if (run === null) runs.push(run = { startA: i, startB: j, length: 0 });
      run.startA = i;
      run.startB = j;
      run.length++;
    } else {
      run = null;
      // If the length grows with b's byte, it is not on that way: then the row above is as long.
      const growsWithB = (rows[i * width + ((j - 1) >> 5)] >>> ((j - 1) & 31) & 1) === 0;
      if (growsWithB) i--;
      else j--;
    }
  }
  return runs;
}

/** All rows, one behind the other; the first is that of nothing of `a`. */
function rowsOf(a: Uint8Array, b: Uint8Array, width: number): Int32Array {
  const masks = masksOf(a, b);
  const rows = new Int32Array((a.length + 1) * width).fill(ALL_GROW_NOT, 0, width);
  for (let i = 0; i < a.length; i++) nextRow(rows, i * width, rows, (i + 1) * width, masks[a[i]]!);
  return rows;
}

/** Writes to `to` at `toAt` the row that follows that of `from` at `fromAt`; both may be the same. */
function nextRow(
  from: Int32Array,
  fromAt: number,
  to: Int32Array,
  toAt: number,
  mask: Int32Array,
): void {
  let carry = 0;
  for (let k = 0; k < mask.length; k++) {
    const row = from[fromAt + k];
    const matches = row & mask[k];
    const sum = (((row + matches) | 0) + carry) | 0;
    // What a sum carries out: both had the highest bit, or one had and the sum has not.
    carry = ((row & matches) | ((row | matches) & ~sum)) >>> 31;
    to[toAt + k] = sum | (row & ~mask[k]);
  }
}

/** For each byte that `a` has: in which places `b` has it, as bits. */
function masksOf(a: Uint8Array, b: Uint8Array): (Int32Array | undefined)[] {
  const masks: (Int32Array | undefined)[] = new Array(256).fill(undefined);
  for (const byte of a) masks[byte] ??= new Int32Array(wordsFor(b));
  for (let j = 0; j < b.length; j++) {
    const mask = masks[b[j]];
    if (mask !== undefined) mask[j >> 5] |= 1 << (j & 31);
  }
  return masks;
}

function wordsFor(b: Uint8Array): number {
  return (b.length + 31) >> 5;
}
