/** The members that a search has found, without an object for each. */

import { KeyedItems } from "../../base/keyed_items.ts";
import { sortPartially } from "../generic/sort/partial_order.ts";

const FIRST_ROOM = 64;

const distanceNumber = new Float64Array(1);
const distanceHalves = new Uint32Array(distanceNumber.buffer);

export class FoundPoints {
  count = 0;
  /** Where they are in the sorted set that was searched: `SortedSetView.place`. */
  places = new Int32Array(FIRST_ROOM);
  /** Meters from the middle of the search. */
  distances = new Float64Array(FIRST_ROOM);

  /** @throws RangeError when there is no memory for more */
  add(place: number, distance: number): void {
    if (this.count === this.places.length) this.#grow();
    this.places[this.count] = place;
    this.distances[this.count++] = distance;
  }

  #grow(): void {
    const places = new Int32Array(this.count * 2);
    const distances = new Float64Array(this.count * 2);
    places.set(this.places);
    distances.set(this.distances);
    this.places = places;
    this.distances = distances;
  }

  /**
   * The numbers of the points by distance, so far that the first `wanted` are right. Of points at the same
   * distance those come first that were found first, or, where not all are wanted, whom Redis's way to find
   * those few brings first.
   */
  byDistance(farthestFirst: boolean, wanted: number): Uint32Array {
    return wanted < this.count
      ? this.#fewByDistance(farthestFirst, wanted)
      : this.#allByDistance(farthestFirst);
  }

  #fewByDistance(farthestFirst: boolean, wanted: number): Uint32Array {
    const { count } = this;
    const distances = this.distances.slice(0, count);
    if (farthestFirst) { for (let i = 0; i < count; i++) distances[i] = -distances[i]; }
    const order = new Uint32Array(count);
    for (let i = 0; i < count; i++) order[i] = i;
    sortPartially(distances, order, 0, wanted);
    return order;
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
