/**
 * Drawing several different elements at random, each subset as likely as any other: what HRANDFIELD,
 * SRANDMEMBER and SPOP with a count ask for. Costs no more than walking all elements, and for a few
 * out of very many only as much as the draws.
 */

import type { Dict } from "../arena/dict.ts";

/** Draw one by one up to this part of the elements: beyond it too many draws hit known ones. */
const SPARSE_PART = 1 / 3;

/**
 * Says for one element after the other whether it belongs to an even sample of `count` out of `total`
 * (Knuth's algorithm S): `drawNext` is to be called once per element, in any order.
 */
export class Sampler {
  #wanted: number;
  #left: number;
  readonly #draw: () => number;

  constructor(count: number, total: number, draw: () => number) {
    this.#wanted = count;
    this.#left = total;
    this.#draw = draw;
  }

  drawNext(): boolean {
    const taken = this.#draw() * this.#left-- < this.#wanted;
    if (taken) this.#wanted--;
    return taken;
  }
}

/** More than so many out of a small value are found by going through all its elements. */
const FEW = 16;

/**
 * Different indexes below `total`, in ascending order, each subset of them as likely as any other:
 * `count` of them, or all when there are no more. Of few it costs as many draws as there are.
 */
export function drawIndexes(count: number, total: number, draw: () => number): number[] {
  const indexes: number[] = [];
  if (count > FEW || count * 2 >= total) {
    const sampler = new Sampler(count, total, draw);
    for (let i = 0; i < total && indexes.length < count; i++) {
      if (sampler.drawNext()) indexes.push(i);
    }
    return indexes;
  }
  // Floyd's algorithm: what has been drawn already stands for the index that became possible last.
  for (let last = total - count; last < total; last++) {
    let index = Math.floor(draw() * (last + 1));
    if (indexes.includes(index)) index = last;
    let at = indexes.length;
    for (; at > 0 && indexes[at - 1] > index; at--) indexes[at] = indexes[at - 1];
    indexes[at] = index;
  }
  return indexes;
}

/**
 * Visits `count` different records of a Dict, drawn evenly (all when there are no more). `visit`
 * must not change the Dict.
 */
export function sampleDict(
  dict: Dict,
  count: number,
  draw: () => number,
  visit: (ref: number) => void,
): void {
  const total = dict.count;
  if (count >= total) {
    dict.forEach(visit);
  } else if (count > total * SPARSE_PART) {
    const sampler = new Sampler(count, total, draw);
    dict.forEach((ref) => {
      if (sampler.drawNext()) visit(ref);
    });
  } else {
    const taken = new Set<number>();
    while (taken.size < count) {
      const ref = dict.random(draw);
      if (taken.has(ref)) continue;
      taken.add(ref);
      visit(ref);
    }
  }
}
