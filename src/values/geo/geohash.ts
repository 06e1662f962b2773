/**
 * Positions as the scores of a sorted set: longitude and latitude are each cut into 2^26 steps, and
 * the bits of the two numbers of steps alternate, so that what is near in score is near on the map.
 *
 * Beside the path, pure: the commands of the geo group encode and decode with it.
 *
 *     bit 51                                   bit 0
 *     lon lat lon lat lon lat ...  lon lat lon lat
 *
 * A cell is what the first bits have in common: of `step` bits of each number. The latitudes end at
 * 85.05112878 degrees, as maps on the web do (EPSG:3857).
 */

export const LONGITUDE_MAX = 180;
export const LATITUDE_MAX = 85.05112878;
/** Bits of each of the two numbers in a score. */
export const STEP_MAX = 26;

const HALF = 2 ** 26;
const STEPS = 2 ** STEP_MAX;
const SCORE_EXACT = 2 ** 53;

/** Standard geohashes count latitudes to the poles. */
const POLE = 90;
const ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz";
const GEOHASH_LETTERS = 11;

/** A cell: `x` counts from the west, `y` from the south, in 2^`step` parts. */
export interface GeoCell {
  readonly x: number;
  readonly y: number;
  readonly step: number;
}

/** Where a cell ends, in degrees. */
export interface GeoBounds {
  readonly west: number;
  readonly east: number;
  readonly south: number;
  readonly north: number;
}

/** Degrees, within the limits above, as parts of 2^step; the limit itself is one part too many. */
function partOf(degrees: number, limit: number, step: number): number {
  return Math.floor((degrees - -limit) / (limit - -limit) * 2 ** step);
}

/** The cell of a position. */
export function cellAt(longitude: number, latitude: number, step: number): GeoCell {
  return {
    x: partOf(longitude, LONGITUDE_MAX, step),
    y: partOf(latitude, LATITUDE_MAX, step),
    step,
  };
}

/**
 * The cell so many cells to the east and the north, around the world. A cell beyond a limit (see
 * `partOf`) stays there in the direction that it is not moved in.
 */
export function neighborOf(cell: GeoCell, east: number, north: number): GeoCell {
  const count = 2 ** cell.step;
  const moved = (part: number, by: number) => by === 0 ? part : (part + by + count) % count;
  return { x: moved(cell.x, east), y: moved(cell.y, north), step: cell.step };
}

/** Where a cell ends. */
export function boundsOf({ x, y, step }: GeoCell): GeoBounds {
  const count = 2 ** step;
  return {
    west: edge(x, count, LONGITUDE_MAX),
    east: edge(x + 1, count, LONGITUDE_MAX),
    south: edge(y, count, LATITUDE_MAX),
    north: edge(y + 1, count, LATITUDE_MAX),
  };
}

function edge(part: number, count: number, limit: number): number {
  return -limit + part / count * (limit - -limit);
}

/** The lowest score of a cell. */
export function firstScoreOf({ x, y, step }: GeoCell): number {
  return interleave(x, y) * 2 ** (2 * (STEP_MAX - step));
}

/** The lowest score above those of a cell. */
export function endScoreOf({ x, y, step }: GeoCell): number {
  return (interleave(x, y) + 1) * 2 ** (2 * (STEP_MAX - step));
}

/** The score of a position; both must be within their limits. */
export function scoreOfPosition(longitude: number, latitude: number): number {
  return interleave(
    partOf(longitude, LONGITUDE_MAX, STEP_MAX),
    partOf(latitude, LATITUDE_MAX, STEP_MAX),
  );
}

/** The longitude of the last `decodePosition`. */
export let longitude = 0;
/** The latitude of the last `decodePosition`. */
export let latitude = 0;

/** Sets `longitude` and `latitude` to the middle of the cell that a score stands for. Any score will do. */
export function decodePosition(score: number): void {
  if (score >= 0 && score < SCORE_EXACT) {
    const high = Math.floor(score / HALF);
    const low = Math.floor(score) - high * HALF;
    decodeHalves(high, low);
  } else decodeForeign(score);
}

function decodeHalves(high: number, low: number): void {
  const y = (compact(low) | (compact(high) << 13)) >>> 0;
  const x = (compact(low >>> 1) | (compact(high >>> 1) << 13)) >>> 0;
  longitude = middle(x, LONGITUDE_MAX);
  latitude = middle(y, LATITUDE_MAX);
}

/** A score that no position has: taken as the 64 bits that C makes of the double. */
function decodeForeign(score: number): void {
  const bits = unsignedBits(score);
  let x = 0;
  let y = 0;
  for (let i = 31; i >= 0; i--) {
    x = x * 2 + Number((bits >> BigInt(2 * i + 1)) & 1n);
    y = y * 2 + Number((bits >> BigInt(2 * i)) & 1n);
  }
  longitude = middle(x, LONGITUDE_MAX);
  latitude = middle(y, LATITUDE_MAX);
}

/** What x86-64 makes of a double that is turned into 64 bits without a sign. */
function unsignedBits(n: number): bigint {
  if (n >= 2 ** 64) return 0n;
  if (n < -(2 ** 63)) return 1n << 63n;
  return BigInt.asUintN(64, BigInt(Math.trunc(n)));
}

function middle(part: number, limit: number): number {
  // The part after the last of 2^32 is counted as the first.
  const next = part === 0xffffffff ? 0 : part + 1;
  const degrees = (edge(part, STEPS, limit) + edge(next, STEPS, limit)) / 2;
  return Math.max(-limit, Math.min(limit, degrees));
}

/** The standard geohash of eleven letters of the last position decoded; the last letter is always 0. */
export function geohashText(): string {
  const x = partOf(longitude, LONGITUDE_MAX, STEP_MAX);
  const y = partOf(latitude, POLE, STEP_MAX);
  let text = "";
  let letter = 0;
  // Bits alternate from the highest on, longitude first; ten letters take 25 of each.
  for (let bit = 0; bit < 50; bit++) {
    const from = (bit & 1) === 0 ? x : y;
    letter = (letter << 1) | ((from >>> (STEP_MAX - 1 - (bit >> 1))) & 1);
    if (bit % 5 !== 4) continue;
    text += ALPHABET[letter];
    letter = 0;
  }
  return text.padEnd(GEOHASH_LETTERS, "0");
}

// -- alternating bits ----------------------------------------------------------------------

/** Numbers of up to 27 bits, of `x` the odd bits and of `y` the even ones of the result. */
function interleave(x: number, y: number): number {
  const low = spread(y & 0x1fff) | (spread(x & 0x1fff) << 1);
  const high = spread(y >>> 13) | (spread(x >>> 13) << 1);
  return high * HALF + low;
}

/** Sixteen bits or fewer, each followed by a zero. */
function spread(n: number): number {
  n = (n | (n << 8)) & 0x00ff00ff;
  n = (n | (n << 4)) & 0x0f0f0f0f;
  n = (n | (n << 2)) & 0x33333333;
  return (n | (n << 1)) & 0x55555555;
}

/** The even bits of a number of 32, put together. */
function compact(n: number): number {
  n &= 0x55555555;
  n = (n | (n >>> 1)) & 0x33333333;
  n = (n | (n >>> 2)) & 0x0f0f0f0f;
  n = (n | (n >>> 4)) & 0x00ff00ff;
  return (n | (n >>> 8)) & 0x0000ffff;
}
