/** Commands about single positions: GEOADD, GEOPOS, GEOHASH, GEODIST. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { PUT_NEW, PUT_OLD, sortedSetView as view } from "../../keyspace/sorted_set.ts";
import { type StreamPart, word } from "../../propagation/stream_part.ts";
import { SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { distance } from "../../values/geo/distance.ts";
import {
  decodePosition,
  geohashText,
  latitude,
  longitude,
  scoreOfPosition,
} from "../../values/geo/geohash.ts";
import { putMembers, roomForScores } from "../sorted_set/add.ts";
import { readPosition, readUnit, replyDistance, replyPosition } from "./words.ts";

/**
 * `GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]`.
 *
 * Answers the number of members added, with CH that of members changed. Enters the stream as ZADD with
 * the scores that the positions became.
 *
 * Errors: a position beyond the limits, with what was understood of it.
 *
 * @see {@link https://redis.io/docs/latest/commands/geoadd/}
 */
export const geoadd = defineCommand({
  name: "geoadd",
  group: "geo",
  since: "3.2.0",
  history: [["6.2.0", "`CH`, `NX` and `XX`"]],
  summary: "Puts members with their positions into a sorted set",
  complexity: "O(log(N)) per member, N being the size of the sorted set",
  arity: -5,
  flags: ["write", "denyoom"],
  keys: [oneKey("RW update")],
  args: `
    key
    [condition:(NX | XX)@6.2.0]
    [change:CH@6.2.0]
    longitude_latitude_member:(longitude:double latitude:double member)...
  `,
  run: runGeoadd,
});

function runGeoadd(call: Call): void {
  const { words, reply } = call;
  let flags = 0;
  let countsChanged = false;
  let first = 2;
  for (; first < words.count; first++) {
    if (words.is(first, "nx")) flags |= PUT_NEW;
    else if (words.is(first, "xx")) flags |= PUT_OLD;
    else if (words.is(first, "ch")) countsChanged = true;
    else break;
  }
  const count = (words.count - first) / 3;
  if (!Number.isInteger(count) || flags === (PUT_NEW | PUT_OLD)) return reply.error(SYNTAX_ERROR);
  const scores = roomForScores(count);
  for (let i = 0; i < count; i++) scores[i] = readScore(call, first + 3 * i);
  if (count === 0) return reply.error(SYNTAX_ERROR);
  const changed = putMembers(call, count, first + 2, 3, flags, countsChanged);
  if (changed > 0 && call.isPropagating) propagate(call, first, count);
}

/** The score of the position in words `index` and the next. Throws a ReplyError. */
function readScore(call: Call, index: number): number {
  const position = readPosition(call, index);
  return scoreOfPosition(position.longitude, position.latitude);
}

/** Enters the stream as ZADD; positions with their members begin at word `first`. */
function propagate(call: Call, first: number, count: number): void {
  const { words } = call;
  const parts: StreamPart[] = ["ZADD"];
  for (let i = 1; i < first; i++) parts.push(word(i));
  for (let at = first; at < first + 3 * count; at += 3) {
    parts.push(readScore(call, at), words.copy(at + 2));
  }
  call.propagateAs(...parts);
}

/** Looks a member up in the sorted set that is open, if any, and decodes its position. */
function findPosition({ words }: Call, isThere: boolean, index: number): boolean {
  if (!isThere || !view.find(words.bytes, words.starts[index], words.lengths[index])) return false;
  decodePosition(view.score);
  return true;
}

/**
 * `GEOPOS key [member ...]`: longitude and latitude of each member, null for those that are missing.
 * They differ a little from what was added: a score has 52 bits.
 *
 * @see {@link https://redis.io/docs/latest/commands/geopos/}
 */
export const geopos = defineCommand({
  name: "geopos",
  group: "geo",
  since: "3.2.0",
  summary: "Reads the positions of members",
  complexity: "O(N), N being the number of members asked for",
  arity: -2,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key member...",
  run: runGeopos,
});

function runGeopos(call: Call): void {
  const { words, reply, database } = call;
  const isThere = view.openRead(database, words.bytes, words.starts[1], words.lengths[1]);
  reply.array(words.count - 2);
  for (let i = 2; i < words.count; i++) {
    if (findPosition(call, isThere, i)) replyPosition(reply, longitude, latitude);
    else reply.nullArray();
  }
}

/**
 * `GEOHASH key [member ...]`: the standard geohash of each member, null for those that are missing.
 *
 * @see {@link https://redis.io/docs/latest/commands/geohash/}
 */
export const geohash = defineCommand({
  name: "geohash",
  group: "geo",
  since: "3.2.0",
  summary: "Reads the positions of members as geohashes",
  complexity: "O(log(N)) per member, N being the size of the sorted set",
  arity: -2,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key member...",
  run: runGeohash,
});

function runGeohash(call: Call): void {
  const { words, reply, database } = call;
  const isThere = view.openRead(database, words.bytes, words.starts[1], words.lengths[1]);
  reply.array(words.count - 2);
  for (let i = 2; i < words.count; i++) {
    if (findPosition(call, isThere, i)) reply.bulkText(geohashText());
    else reply.null();
  }
}

/**
 * `GEODIST key member1 member2 [M | KM | FT | MI]`: the distance in meters or that unit, null when one
 * is missing.
 *
 * @see {@link https://redis.io/docs/latest/commands/geodist/}
 */
export const geodist = defineCommand({
  name: "geodist",
  group: "geo",
  since: "3.2.0",
  summary: "Measures the distance between two members",
  complexity: "O(log(N)), N being the size of the sorted set",
  arity: -4,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key member1 member2 [unit:(M | KM | FT | MI)]",
  run: runGeodist,
});

function runGeodist(call: Call): void {
  const { words, reply, database } = call;
  const unit = words.count === 5 ? readUnit(call, 4) : 1;
  if (words.count > 5) return reply.error(SYNTAX_ERROR);
  const isThere = view.openRead(database, words.bytes, words.starts[1], words.lengths[1]);
  if (!findPosition(call, isThere, 2)) return reply.null();
  const from = { longitude, latitude };
  if (!findPosition(call, isThere, 3)) return reply.null();
  replyDistance(reply, distance(from.longitude, from.latitude, longitude, latitude) / unit);
}
