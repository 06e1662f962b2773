/**
 * Puts items in the order of the bytes of their texts, for SORT with ALPHA.
 *
 * What all texts begin with is passed over; the seven bytes after it and a mark of how much follows
 * them make a key of 64 bits, and the items are sorted by those. Wherever keys are the same and the
 * texts go on, the same is done again deeper in the texts, with those items only, and only if they
 * come to lie in the part of the order that is wanted.
 *
 * Items whose texts are the same, or missing, stay in the order in which they came, also when the
 * order is a descending one.
 */

import type { KeyedItems } from "../../../base/keyed_items.ts";
import { NO_TEXT, type Texts } from "./texts.ts";

/** Bytes of a text in a key. */
const KEY_BYTES = 7;
// The mark, the key's lowest byte: 0 for a missing text, 1 and more for one with so many bytes less one.
const MARK_MISSING = 0;
const MARK_LONGER = KEY_BYTES + 2;

/** Up to so many items, comparing the texts is faster than making keys. */
const COMPARED_MAX = 8;

export class TextOrder {
  /** Ranges that are still to be sorted: from, to, depth. */
  readonly #ranges: number[] = [];

  /**
   * Orders `keyed.items`, each an index of `textOf`, which has its text. Only the positions within
   * `wanted` are sure to be in order afterwards.
   */
  constructor(
    readonly texts: Texts,
    readonly textOf: Uint32Array,
    readonly keyed: KeyedItems,
    readonly isDescending: boolean,
    readonly wanted: { readonly from: number; readonly to: number },
  ) {}

  /** Sorts the positions from `first` to before `last`. */
  sort(first: number, last: number): void {
    const ranges = this.#ranges;
    ranges.push(first, last, 0);
    while (ranges.length > 0) {
      const depth = ranges.pop()!;
      const to = ranges.pop()!;
      const from = ranges.pop()!;
      if (to - from <= COMPARED_MAX) this.#sortByComparing(from, to, depth);
      else this.#sortByKeys(from, to, depth + this.#sharedBytes(from, to, depth));
    }
  }

  #sortByKeys(from: number, to: number, depth: number): void {
    this.#makeKeys(from, to, depth);
    this.keyed.sort(from, to);
    this.#findRuns(from, to, depth + KEY_BYTES);
  }

  #makeKeys(from: number, to: number, depth: number): void {
    const { texts, textOf } = this;
    const { items, keys } = this.keyed;
    const flip = this.isDescending ? -1 : 0;
    for (let i = from; i < to; i++) {
      const text = textOf[items[i]];
      let low = MARK_MISSING;
      let high = 0;
      if (text !== NO_TEXT) {
        const bytes = texts.bytesOf(text);
        const at = texts.offsetOf(text) + depth;
        const rest = texts.lengthOf(text) - depth;
        if (rest >= KEY_BYTES) {
          high = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
          low = (bytes[at + 4] << 24) | (bytes[at + 5] << 16) | (bytes[at + 6] << 8);
          low |= rest === KEY_BYTES ? KEY_BYTES + 1 : MARK_LONGER;
        } else {
          for (let j = 0; j < rest; j++) {
            if (j < 4) high |= bytes[at + j] << (24 - j * 8);
            else low |= bytes[at + j] << (56 - j * 8);
          }
          low |= rest + 1;
        }
      }
      keys[i * 2] = low ^ flip;
      keys[i * 2 + 1] = high ^ flip;
    }
  }

  /** How many bytes from `depth` on all texts of the range share; 0 when one is missing. */
  #sharedBytes(from: number, to: number, depth: number): number {
    const { texts, textOf } = this;
    const { items } = this.keyed;
    const first = textOf[items[from]];
    if (first === NO_TEXT) return 0;
    const bytes = texts.bytesOf(first);
    const at = texts.offsetOf(first) + depth;
    let shared = texts.lengthOf(first) - depth;
    for (let i = from + 1; i < to && shared > 0; i++) {
      const text = textOf[items[i]];
      if (text === NO_TEXT) return 0;
      const others = texts.bytesOf(text);
      const othersAt = texts.offsetOf(text) + depth;
      shared = Math.min(shared, texts.lengthOf(text) - depth);
      let same = 0;
      while (same < shared && others[othersAt + same] === bytes[at + same]) same++;
      shared = same;
    }
    return shared;
  }

  /** Notes the runs of equal keys whose texts go on behind the key, at `depth`. */
  #findRuns(from: number, to: number, depth: number): void {
    const { keyed } = this;
    const longer = this.isDescending ? ~MARK_LONGER & 0xff : MARK_LONGER;
    for (let start = from; start < to;) {
      let end = start + 1;
      if ((keyed.keys[start * 2] & 0xff) === longer) {
        while (end < to && keyed.hasSameKey(start, end)) end++;
        const isWanted = start < this.wanted.to && end > this.wanted.from;
        if (end - start > 1 && isWanted) this.#ranges.push(start, end, depth);
      }
      start = end;
    }
  }

  #sortByComparing(from: number, to: number, depth: number): void {
    const { texts, textOf } = this;
    const { items } = this.keyed;
    const sign = this.isDescending ? -1 : 1;
    for (let i = from + 1; i < to; i++) {
      const item = items[i];
      let at = i;
      while (
        at > from && sign * texts.order(textOf[items[at - 1]], textOf[item], depth) > 0
      ) {
        items[at] = items[at - 1];
        at--;
      }
      items[at] = item;
    }
  }
}
