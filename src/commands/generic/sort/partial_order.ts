/**
 * The order in which `SORT … BY … ALPHA LIMIT` leaves elements whose weights are the same, and GEOSEARCH with
 * COUNT members at the same distance.
 *
 * It is part of what clients of Redis see, and it is not the order in which the elements came: there,
 * where a part of what is sorted is wanted (of SORT: where BY and a LIMIT that leaves something out meet), a
 * quicksort works on those parts alone that overlap what is wanted, and where that puts elements of the same weight follows from how it chooses
 * its pivots and whom it exchanges. So this is the same algorithm: the quicksort of Bentley and McIlroy
 * (three parts, pivots by a median of three or of nine, insertion for a few), which goes on with a part
 * only if some of it is wanted.
 *
 * It works on numbers, as ranks that a faster sort has found: comparing costs next to nothing.
 *
 * @see {@link https://doi.org/10.1002/spe.4380231105} "Engineering a Sort Function"
 */

/** Fewer than this are sorted by insertion. */
const INSERTION_BELOW = 7;
/** With more than this the pivot is a median of nine. */
const THREE_MAX = 40;

/**
 * Sorts `ranks` so far that the positions `from` to before `to` have what belongs there. Whatever is
 * done to `ranks` is done to `items` too.
 */
export function sortPartially(
  ranks: Uint32Array | Float64Array,
  items: Uint32Array,
  from: number,
  to: number,
): void {
  new PartialQuicksort(ranks, items, from, to - 1).sort(0, ranks.length);
}

class PartialQuicksort {
  constructor(
    readonly ranks: Uint32Array | Float64Array,
    readonly items: Uint32Array,
    readonly firstWanted: number,
    readonly lastWanted: number,
  ) {}

  /** Sorts `count` positions from `first` on. */
  sort(first: number, count: number): void {
    while (count >= INSERTION_BELOW) {
      this.#swap(first, this.#pivotOf(first, count));
      const end = first + count;
      const { below, above } = this.#partition(first, end);
      if (below > 1 && this.#isWanted(first, below)) this.sort(first, below);
      if (above <= 1 || !this.#isWanted(end - above, above)) return;
      first = end - above;
      count = above;
    }
    this.#insertionSort(first, first + count);
  }

  #isWanted(first: number, count: number): boolean {
    return this.firstWanted < first + count && this.lastWanted >= first;
  }

  #pivotOf(first: number, count: number): number {
    const middle = first + (count >> 1);
    if (count === INSERTION_BELOW) return middle;
    const last = first + count - 1;
    if (count <= THREE_MAX) return this.#median(first, middle, last);
    const step = count >> 3;
    return this.#median(
      this.#median(first, first + step, first + 2 * step),
      this.#median(middle - step, middle, middle + step),
      this.#median(last - 2 * step, last - step, last),
    );
  }

  /** That of three positions whose rank lies between those of the others; of equals always the same one. */
  #median(a: number, b: number, c: number): number {
    const { ranks } = this;
    if (ranks[a] < ranks[b]) {
      if (ranks[b] < ranks[c]) return b;
      return ranks[a] < ranks[c] ? c : a;
    }
    if (ranks[b] > ranks[c]) return b;
    return ranks[a] < ranks[c] ? a : c;
  }

  /**
   * Brings what is below the pivot, which is at `first`, to the beginning and what is above it to the
   * end; tells how many those are. On the way, those equal to it gather at both ends:
   *
   *     pivot, equal │ below │ not seen yet │ above │ equal
   *                  left    scanned                right
   */
  #partition(first: number, end: number): { below: number; above: number } {
    const { ranks } = this;
    const pivot = ranks[first];
    let left = first + 1;
    let right = end - 1;
    let up = left;
    let down = right;
    for (;;) {
      for (; up <= down && ranks[up] <= pivot; up++) {
        if (ranks[up] === pivot) this.#swap(left++, up);
      }
      for (; up <= down && ranks[down] >= pivot; down--) {
        if (ranks[down] === pivot) this.#swap(down, right--);
      }
      if (up > down) break;
      this.#swap(up++, down--);
    }
    const below = up - left;
    const above = right - down;
    this.#swapRuns(first, up, Math.min(left - first, below));
    this.#swapRuns(up, end, Math.min(above, end - 1 - right));
    return { below, above };
  }

  /** Exchanges the `count` positions from `first` on with the last ones before `end`. */
  #swapRuns(first: number, end: number, count: number): void {
    for (let i = 0; i < count; i++) this.#swap(first + i, end - count + i);
  }

  #insertionSort(first: number, end: number): void {
    const { ranks } = this;
    for (let i = first + 1; i < end; i++) {
      for (let at = i; at > first && ranks[at - 1] > ranks[at]; at--) this.#swap(at, at - 1);
    }
  }

  #swap(a: number, b: number): void {
    const { ranks, items } = this;
    const rank = ranks[a];
    ranks[a] = ranks[b];
    ranks[b] = rank;
    const item = items[a];
    items[a] = items[b];
    items[b] = item;
  }
}
