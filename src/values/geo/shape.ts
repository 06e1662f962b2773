/**
 * What a search looks for: a circle or a box around a position, and the nine cells or fewer that
 * cover it.
 *
 * Beside the path, pure. Which cells are taken, and in which order, decides the order of the results
 * of a search without a sort, so both are Redis's.
 */

import {
  distanceFrom,
  EARTH_RADIUS,
  latitudeDistance,
  longitudeDistance,
  toDegrees,
  toRadians,
} from "./distance.ts";
import {
  boundsOf,
  cellAt,
  decodePosition,
  type GeoBounds,
  type GeoCell,
  latitude,
  longitude,
  neighborOf,
  STEP_MAX,
} from "./geohash.ts";

/** Half the length of the equator in meters, a little less: no search is wider. */
const WIDEST = 20037726.37;

/** Degrees are made a little more than what they are: of what lies on the edge the distance decides. */
const SLACK = 1 + 1e-9;

/** A circle or a box; lengths in meters, the position in degrees. */
export class GeoShape {
  /** Of the position in the middle. */
  longitude = 0;
  latitude = 0;
  isBox = false;
  /** Of a circle. */
  radius = 0;
  /** Of a box, from side to side. */
  width = 0;
  height = 0;
  /** Distance of the last position that `contains` was asked about and found inside. */
  distance = 0;
  /** The cosine of a latitude, which is that of the middle unless that has changed. */
  #cos = NaN;
  #cosOf = NaN;
  /** Degrees from the middle beyond which nothing is inside. */
  #upMost = Infinity;
  #acrossMost = Infinity;

  /** To be called when the shape is known and before `contains`. */
  prepare(): void {
    const { south, north, west, east } = this.#bounds();
    const isCircle = !this.isBox;
    this.#upMost = isCircle ? (north - south) / 2 * SLACK : Infinity;
    const across = (east - west) / 2 * SLACK;
    // Where a pole is inside, or nearly, no longitude is out of reach.
    this.#acrossMost = isCircle && across > 0 && Math.abs(this.latitude) + this.#upMost < 89
      ? across
      : Infinity;
  }

  /** Whether the position of a score is inside: sets `distance` to how far it is from the middle. */
  contains(score: number): boolean {
    decodePosition(score);
    // Most of what the cells have is not even in the square around a circle: that is told without a sine.
    if (Math.abs(latitude - this.latitude) > this.#upMost) return false;
    const turned = Math.abs(longitude - this.longitude);
    if (Math.min(turned, 360 - turned) > this.#acrossMost) return false;
    if (this.isBox) {
      if (latitudeDistance(latitude, this.latitude) > this.height / 2) return false;
      const across = longitudeDistance(latitude, longitude, this.longitude);
      if (across > this.width / 2) return false;
    }
    if (this.#cosOf !== this.latitude) {
      this.#cosOf = this.latitude;
      this.#cos = Math.cos(toRadians(this.latitude));
    }
    this.distance = distanceFrom(
      this.longitude,
      this.latitude,
      this.#cos,
      longitude,
      latitude,
    );
    return this.isBox || this.distance <= this.radius;
  }

  /** The cells that cover it: the one in the middle, then those around it that are needed. */
  cells(): GeoCell[] {
    const needed = this.#bounds();
    let step = this.#step();
    if (step > 1 && !coversNeeded(cellAt(this.longitude, this.latitude, step), needed)) step--;
    const center = cellAt(this.longitude, this.latitude, step);
    const found = boundsOf(center);
    // Cells of the largest sizes meet on the other side of the world: there all are searched.
    const around = AROUND.filter(({ east, north }) =>
      step < 2 ||
      !((north < 0 && found.south < needed.south) || (north > 0 && found.north > needed.north) ||
        (east < 0 && found.west < needed.west) || (east > 0 && found.east > needed.east))
    );
    return withoutRepeats(
      center,
      around.map(({ east, north }) => neighborOf(center, east, north)),
    );
  }

  /** Meters from the middle to what is furthest away. */
  #reach(): number {
    if (!this.isBox) return this.radius;
    const { width, height } = this;
    return Math.sqrt((width / 2) * (width / 2) + (height / 2) * (height / 2));
  }

  /** Bits of cells that are about as large as the shape; larger near the poles, where cells narrow. */
  #step(): number {
    let reach = this.#reach();
    if (reach === 0) return STEP_MAX;
    let step = 1;
    for (; reach < WIDEST; reach *= 2) step++;
    step -= 2;
    const north = Math.abs(this.latitude);
    if (north > 66) step--;
    if (north > 80) step--;
    return Math.max(1, Math.min(STEP_MAX, step));
  }

  /** A box in degrees around the shape. */
  #bounds(): GeoBounds {
    const up = toDegrees((this.isBox ? this.height / 2 : this.radius) / EARTH_RADIUS);
    const reach = this.isBox ? this.width / 2 : this.radius;
    // Degrees of longitude are shortest on the side that is nearer to a pole.
    const nearer = this.latitude < 0 ? this.latitude - up : this.latitude + up;
    const across = toDegrees(reach / EARTH_RADIUS / Math.cos(toRadians(nearer)));
    return {
      west: this.longitude - across,
      east: this.longitude + across,
      south: this.latitude - up,
      north: this.latitude + up,
    };
  }
}

/** The cells around one, in the order they are searched in. */
const AROUND = [
  { east: 0, north: 1 },
  { east: 0, north: -1 },
  { east: 1, north: 0 },
  { east: -1, north: 0 },
  { east: 1, north: 1 },
  { east: -1, north: 1 },
  { east: 1, north: -1 },
  { east: -1, north: -1 },
];

/** Whether a cell with those beside it reaches as far as the box. */
function coversNeeded(center: GeoCell, needed: GeoBounds): boolean {
  const beside = (east: number, north: number) => boundsOf(neighborOf(center, east, north));
  return !(beside(0, 1).north < needed.north || beside(0, -1).south > needed.south ||
    beside(1, 0).east < needed.east || beside(-1, 0).west > needed.west);
}

/** Leaves out the cells that are the same as the one before them; the middle one is not compared with. */
function withoutRepeats(center: GeoCell, around: GeoCell[]): GeoCell[] {
  const isSame = (a: GeoCell, b: GeoCell | undefined) => a.x === b?.x && a.y === b?.y;
  return [center, ...around.filter((cell, i) => !isSame(cell, around[i - 1]))];
}
