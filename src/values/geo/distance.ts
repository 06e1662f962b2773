/**
 * Distances on a sphere in meters, by the haversine formula, with the radius that Redis uses.
 *
 * Beside the path, pure.
 */

/** Quadratic mean radius of the earth in meters. */
export const EARTH_RADIUS = 6372797.560856;

const RADIANS_PER_DEGREE = Math.PI / 180;

/** Degrees in radians. */
export function toRadians(degrees: number): number {
  return degrees * RADIANS_PER_DEGREE;
}

/** Radians in degrees. */
export function toDegrees(radians: number): number {
  return radians / RADIANS_PER_DEGREE;
}

/** Meters between two latitudes, in degrees, on one meridian. */
export function latitudeDistance(a: number, b: number): number {
  return EARTH_RADIUS * Math.abs(toRadians(b) - toRadians(a));
}

/** Meters between two positions in degrees. */
export function distance(
  longitudeA: number,
  latitudeA: number,
  longitudeB: number,
  latitudeB: number,
): number {
  const cosA = Math.cos(toRadians(latitudeA));
  return distanceFrom(longitudeA, latitudeA, cosA, longitudeB, latitudeB);
}

/** `distance` from a position whose cosine of the latitude is known: that of many others from one. */
export function distanceFrom(
  longitudeA: number,
  latitudeA: number,
  cosA: number,
  longitudeB: number,
  latitudeB: number,
): number {
  const across = Math.sin((toRadians(longitudeB) - toRadians(longitudeA)) / 2);
  // On one meridian the formula comes to this, and rounding does not get in between.
  if (across === 0) return latitudeDistance(latitudeA, latitudeB);
  const b = toRadians(latitudeB);
  const up = Math.sin((b - toRadians(latitudeA)) / 2);
  const haversine = up * up + cosA * Math.cos(b) * across * across;
  return 2 * EARTH_RADIUS * Math.asin(Math.sqrt(haversine));
}

/** Meters between two longitudes on one parallel, in degrees. */
export function longitudeDistance(
  latitude: number,
  longitudeA: number,
  longitudeB: number,
): number {
  const across = Math.sin((toRadians(longitudeB) - toRadians(longitudeA)) / 2);
  if (across === 0) return 0;
  const cos = Math.cos(toRadians(latitude));
  return 2 * EARTH_RADIUS * Math.asin(Math.sqrt(cos * cos * across * across));
}
