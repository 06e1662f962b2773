/** What the words of geo commands say: positions, lengths and their units. */

import { formatFixed } from "../../base/printf.ts";
import type { Call } from "../../dispatch/call.ts";
import { NOT_A_FLOAT, ReplyError } from "../../resp/reply_error.ts";
import type { ReplyWriter } from "../../resp/reply_writer.ts";
import { parseScore } from "../../values/score.ts";
import { LATITUDE_MAX, LONGITUDE_MAX } from "../../values/geo/geohash.ts";

const UNKNOWN_UNIT = "ERR unsupported unit provided. please use M, KM, FT, MI";

/** Word `index` as a unit of length, in meters. Throws a ReplyError. */
export function readUnit({ words }: Call, index: number): number {
  if (words.is(index, "m")) return 1;
  if (words.is(index, "km")) return 1000;
  if (words.is(index, "ft")) return 0.3048;
  if (words.is(index, "mi")) return 1609.34;
  throw new ReplyError(UNKNOWN_UNIT);
}

/** Word `index` as a double ("inf" allowed; "nan" and what is beyond a double's range are not). */
export function readDouble({ words }: Call, index: number, errorText = NOT_A_FLOAT): number {
  const value = parseScore(words.bytes, words.starts[index], words.lengths[index]);
  if (value !== value) throw new ReplyError(errorText);
  return value;
}

/** Words `index` and the next one as a position. Throws a ReplyError. */
export function readPosition(
  call: Call,
  index: number,
): { longitude: number; latitude: number } {
  const longitude = readDouble(call, index);
  const latitude = readDouble(call, index + 1);
  if (Math.abs(longitude) > LONGITUDE_MAX || Math.abs(latitude) > LATITUDE_MAX) {
    const pair = `${formatFixed(longitude, 6)},${formatFixed(latitude, 6)}`;
    throw new ReplyError(`ERR invalid longitude,latitude pair ${pair}`);
  }
  return { longitude, latitude };
}

/** Writes a distance with four digits behind the point. */
export function replyDistance(reply: ReplyWriter, distance: number): void {
  reply.bulkText(formatFixed(distance, 4));
}

/** Writes a longitude and a latitude with up to seventeen digits behind the point. */
export function replyPosition(reply: ReplyWriter, longitude: number, latitude: number): void {
  reply.array(2);
  reply.longDouble(degreesText(longitude));
  reply.longDouble(degreesText(latitude));
}

function degreesText(degrees: number): string {
  const text = formatFixed(degrees, 17).replace(/\.?0+$/, "");
  return text === "-0" ? "0" : text;
}
