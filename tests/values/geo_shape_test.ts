/** What is inside of a circle, by the distance alone. */

import { assertEquals } from "@std/assert";
import { distance } from "../../src/values/geo/distance.ts";
import {
  decodePosition,
  latitude,
  longitude,
  scoreOfPosition,
} from "../../src/values/geo/geohash.ts";
import { GeoShape } from "../../src/values/geo/shape.ts";

let state = 1;
/** A number from `from` to `to`, the same ones in each run. */
function drawn(from: number, to: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return from + (state / 2 ** 32) * (to - from);
}

/** Where a search is in the middle, and how far about its points may be. */
const PLACES: [name: string, longitude: number, latitude: number, reach: number][] = [
  ["near the equator", 15, 3, 1],
  ["in the north", 15, 60, 0.1],
  ["on the line between east and west", 179.99, -20, 2],
  ["near the southern end", -120, -84.9, 10],
  ["in the north, far around", 10, 80, 90],
  ["everywhere", 0, 0, 180],
];

for (const [name, atLongitude, atLatitude, reach] of PLACES) {
  Deno.test(`a circle ${name} contains what is not further away than its radius`, () => {
    const shape = new GeoShape();
    for (let i = 0; i < 20_000; i++) {
      shape.longitude = atLongitude;
      shape.latitude = atLatitude;
      const east = atLongitude + drawn(-reach, reach);
      const score = scoreOfPosition(
        east > 180 ? east - 360 : east < -180 ? east + 360 : east,
        Math.max(-85, Math.min(85, atLatitude + drawn(-reach, reach))),
      );
      decodePosition(score);
      const meters = distance(atLongitude, atLatitude, longitude, latitude);
      // Some have their point on the edge, to the last bit, some right inside or outside of it.
      const scale = [1, 1 - 1e-12, 1 + 1e-12, drawn(0, 2)][i % 4];
      shape.radius = meters * scale;
      shape.prepare();
      assertEquals(shape.contains(score), meters <= shape.radius, `${meters} ${scale}`);
    }
  });
}
