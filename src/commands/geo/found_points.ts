/** The members that a search has found, without an object for each. */

import { KeyedItems } from "../../base/keyed_items.ts";
import { sortPartially } from "../generic/sort/partial_order.ts";

const FIRST_ROOM = 64;

const distanceNumber = new Float64Array(1);
const distanceHalves = new Uint32Array(distanceNumber.buffer);

export class FoundPoints {
  count = 0;
  /** Ranks in the sorted set that was searched. */
  ranks = new Uint32Array(FIRST_ROOM);
  /** Meters from the middle of the search. */
  distances = new Float64Array(FIRST_ROOM);

  /** @throws RangeError when there is no memory for more */
  add(rank: number, distance: number): void {
    if (this.count === this.ranks.length) this.#grow();
    this.ranks[this.count] = rank;
    this.distances[this.count++] = distance;
  }

  #grow(): void {
    const ranks = new Uint32Array(this.count * 2);
    const distances = new Float64Array(this.count * 2);
    ranks.set(this.ranks);
    distances.set(this.distances);
    this.ranks = ranks;
    this.distances = distances;
  }

  /**
   * The places of the points by distance, so far that the first `wanted` are right. Of points at the same
   * distance those come first that were found first, or, where not all are wanted, whom Redis's way to find
   * those few brings first.
   */
  placesByDistance(farthestFirst: boolean, wanted: number): Uint32Array {
    return wanted < this.count
      ? this.#fewByDistance(farthestFirst, wanted)
      : this.#allByDistance(farthestFirst);
  }

  #fewByDistance(farthestFirst: boolean, wanted: number): Uint32Array {
    const { count } = this;
    const distances = this.distances.slice(0, count);
    if (farthestFirst) { for (let i = 0; i < count; i++) distances[i] = -distances[i]; }
    const places = new Uint32Array(count);
    for (let i = 0; i < count; i++) places[i] = i;
    sortPartially(distances, places, 0, wanted);
    return places;
  }

  #allByDistance(farthestFirst: boolean): Uint32Array {
    const { count, distances } = this;
    const sorted = new KeyedItems(count);
    for (let i = 0; i < count; i++) {
      // No distance is negative, so their bits are in the order of the numbers, inverted in the other.
      distanceNumber[0] = distances[i];
      sorted.items[i] = i;
      const [low, high] = distanceHalves;
      if (farthestFirst) sorted.setKey(i, ~low, ~high);
      else sorted.setKey(i, low, high);
    }
    sorted.sort(0, count);
    return sorted.items;
  }
}
