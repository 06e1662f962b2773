/**
 * Searches in an area: GEOSEARCH and GEOSEARCHSTORE, and their older spellings GEORADIUS and
 * GEORADIUSBYMEMBER, which may store, too, and have a variant that never does.
 */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keyAfter, oneKey, radiusUsedKeys } from "../../dispatch/key_specs.ts";
import { sortedSetView as view } from "../../keyspace/sorted_set.ts";
import type { ReplyWriter } from "../../resp/reply_writer.ts";
import {
  decodePosition,
  endScoreOf,
  firstScoreOf,
  type GeoCell,
  latitude,
  longitude,
} from "../../values/geo/geohash.ts";
import { SortedSet } from "../../values/sorted_set.ts";
import { storeResult } from "../sorted_set/store.ts";
import { FoundPoints } from "./found_points.ts";
import {
  FROM_MEMBER,
  FROM_OPTIONS,
  FROM_POSITION,
  GeoSearch,
  type Spelling,
} from "./search_words.ts";
import { replyDistance, replyPosition } from "./words.ts";

const COMPLEXITY =
  "O(N+log(M)), N being the members in the cells around the area and M the size of the sorted set";
const UPPER_CASE_UNITS = ["7.0.0", "units in upper case"] as const;
const ANY_SINCE = ["6.2.0", "`ANY` for `COUNT`"] as const;
const UNIT = "unit:(M | KM | FT | MI)";
const RADIUS = `radius:double ${UNIT} [WITHCOORD] [WITHDIST] [WITHHASH]`;
const AREA = `
  from:(FROMMEMBER member | FROMLONLAT longitude_latitude:(longitude:double latitude:double))
  by:(
    circle:(BYRADIUS radius:double ${UNIT})
    | box:(BYBOX width:double height:double ${UNIT})
  )
  [order:(ASC | DESC)]
  [count:(COUNT count:integer [ANY])]
`;

/**
 * `GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius unit | BYBOX width
 * height unit> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]`.
 *
 * The members in a circle or a box, in no particular order unless asked for; with COUNT the nearest,
 * with ANY those that are found first.
 *
 * @see {@link https://redis.io/docs/latest/commands/geosearch/}
 */
export const geosearch = defineCommand({
  name: "geosearch",
  group: "geo",
  since: "6.2.0",
  history: [UPPER_CASE_UNITS],
  summary: "Finds the members in a circle or a box",
  complexity: COMPLEXITY,
  arity: -7,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: `key ${AREA} [WITHCOORD] [WITHDIST] [WITHHASH]`,
  run: (call) => search(call, { from: FROM_OPTIONS, source: 1, stores: "never" }, ""),
});

/**
 * `GEOSEARCHSTORE destination source ... [STOREDIST]`: GEOSEARCH, of which the result is stored with
 * its scores, or with distances. Answers the number of members; an empty result removes the key.
 *
 * @see {@link https://redis.io/docs/latest/commands/geosearchstore/}
 */
export const geosearchstore = defineCommand({
  name: "geosearchstore",
  group: "geo",
  since: "6.2.0",
  history: [UPPER_CASE_UNITS],
  summary: "Stores the members in a circle or a box at another key",
  complexity: COMPLEXITY,
  arity: -8,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update"), oneKey("RO access", 2)],
  args: `destination:key source:key#1 ${AREA} [STOREDIST]`,
  run: (call) =>
    search(call, { from: FROM_OPTIONS, source: 2, stores: "always" }, "geosearchstore"),
});

/**
 * `GEORADIUS key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]]
 * [ASC | DESC] [STORE key | STOREDIST key]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/georadius/}
 */
export const georadius = defineCommand({
  name: "georadius",
  group: "geo",
  since: "3.2.0",
  history: [ANY_SINCE, UPPER_CASE_UNITS],
  summary: "Finds the members in a circle around a position",
  complexity: COMPLEXITY,
  arity: -6,
  flags: ["write", "denyoom"],
  keys: [
    oneKey("RO access"),
    keyAfter("STORE", 6, "OW update"),
    keyAfter("STOREDIST", 6, "OW update"),
  ],
  findUsedKeys: radiusUsedKeys(6),
  args: `
    key longitude:double latitude:double ${RADIUS}
    [count:(COUNT count:integer [ANY@6.2.0])] [order:(ASC | DESC)]
    [STORE key#1] [STOREDIST key#2]
  `,
  deprecated: {
    since: "6.2.0",
    use: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
  },
  run: (call) =>
    search(call, { from: FROM_POSITION, source: 1, stores: "optionally" }, "georadiusstore"),
});

/**
 * `GEORADIUS_RO`: GEORADIUS without STORE and STOREDIST, for replicas.
 *
 * @see {@link https://redis.io/docs/latest/commands/georadius_ro/}
 */
export const georadiusRo = defineCommand({
  name: "georadius_ro",
  group: "geo",
  since: "3.2.10",
  history: [ANY_SINCE],
  summary: "Finds the members in a circle around a position, and never stores them",
  complexity: COMPLEXITY,
  arity: -6,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: `
    key longitude:double latitude:double ${RADIUS}
    [count:(COUNT count:integer [ANY@6.2.0])] [order:(ASC | DESC)]
  `,
  deprecated: { since: "6.2.0", use: "`GEOSEARCH` with the `BYRADIUS` argument" },
  run: (call) => search(call, { from: FROM_POSITION, source: 1, stores: "never" }, ""),
});

/**
 * `GEORADIUSBYMEMBER key member radius unit ...`: GEORADIUS around a member.
 *
 * @see {@link https://redis.io/docs/latest/commands/georadiusbymember/}
 */
export const georadiusbymember = defineCommand({
  name: "georadiusbymember",
  group: "geo",
  since: "3.2.0",
  history: [UPPER_CASE_UNITS],
  summary: "Finds the members in a circle around a member",
  complexity: COMPLEXITY,
  arity: -5,
  flags: ["write", "denyoom"],
  keys: [
    oneKey("RO access"),
    keyAfter("STORE", 5, "OW update"),
    keyAfter("STOREDIST", 5, "OW update"),
  ],
  findUsedKeys: radiusUsedKeys(5),
  args: `
    key member ${RADIUS} [count:(COUNT count:integer [ANY])] [order:(ASC | DESC)]
    [STORE key#1] [STOREDIST key#2]
  `,
  deprecated: {
    since: "6.2.0",
    use: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
  },
  run: (call) =>
    search(call, { from: FROM_MEMBER, source: 1, stores: "optionally" }, "georadiusstore"),
});

/**
 * `GEORADIUSBYMEMBER_RO`: GEORADIUSBYMEMBER without STORE and STOREDIST, for replicas.
 *
 * @see {@link https://redis.io/docs/latest/commands/georadiusbymember_ro/}
 */
export const georadiusbymemberRo = defineCommand({
  name: "georadiusbymember_ro",
  group: "geo",
  since: "3.2.10",
  summary: "Finds the members in a circle around a member, and never stores them",
  complexity: COMPLEXITY,
  arity: -5,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: `key member ${RADIUS} [count:(COUNT count:integer [ANY])] [order:(ASC | DESC)]`,
  deprecated: {
    since: "6.2.0",
    use: "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
  },
  run: (call) => search(call, { from: FROM_MEMBER, source: 1, stores: "never" }, ""),
});

/** What all spellings do; `event` is that of a stored result. */
function search(call: Call, spelling: Spelling, event: string): void {
  const { words, reply, database } = call;
  const source = spelling.source;
  const isThere = view.openRead(
    database,
    words.bytes,
    words.starts[source],
    words.lengths[source],
  );
  const asked = new GeoSearch();
  asked.read(call, spelling, isThere);

  const found = new FoundPoints();
  if (isThere) findAll(asked, found);
  const count = asked.count === 0 ? found.count : Math.min(asked.count, found.count);
  const order = orderOf(asked, found, count);
  if (asked.destination === 0) return replyPoints(reply, asked, found, order, count);
  const result = resultOf(asked, found, order, count);
  storeResult(call, result, event, asked.destination, count);
}

/** Searches the cells of the area, all or until enough is found. */
function findAll({ shape, any, count }: GeoSearch, found: FoundPoints): void {
  const most = any ? count : Infinity;
  shape.prepare();
  for (const cell of shape.cells()) {
    if (found.count >= most) return;
    findInCell(cell, shape, found, most);
  }
}

function findInCell(
  cell: GeoCell,
  shape: GeoSearch["shape"],
  found: FoundPoints,
  most: number,
): void {
  const end = endScoreOf(cell);
  const rank = view.countBelowScore(firstScoreOf(cell), false);
  if (rank >= view.count) return;
  for (let on = view.seekScore(rank); on && view.score < end; on = view.nextScore()) {
    if (!shape.contains(view.score)) continue;
    found.add(view.place, shape.distance);
    if (found.count >= most) return;
  }
}

/** The numbers of the first `count` points in the order asked for; null for the order they were found in. */
function orderOf(asked: GeoSearch, found: FoundPoints, count: number): Uint32Array | null {
  if (asked.order === "none") return null;
  return found.byDistance(asked.order === "farthest first", count);
}

/** Points whose members are read in one go, so that their misses in the caches overlap. */
const POINTS_AT_ONCE = 64;
const ahead = new Int32Array(POINTS_AT_ONCE);

/** Goes through the first `count` points in an order: the view stands on each. */
function forEachPoint(
  { places }: FoundPoints,
  order: Uint32Array | null,
  count: number,
  see: (point: number) => void,
): void {
  for (let from = 0; from < count; from += POINTS_AT_ONCE) {
    const some = Math.min(POINTS_AT_ONCE, count - from);
    for (let i = 0; i < some; i++) ahead[i] = places[order === null ? from + i : order[from + i]];
    if (some > 1) view.warmPlaces(ahead, 0, some);
    for (let i = 0; i < some; i++) {
      view.seekPlace(ahead[i]);
      see(order === null ? from + i : order[from + i]);
    }
  }
}

function replyPoints(
  reply: ReplyWriter,
  asked: GeoSearch,
  found: FoundPoints,
  order: Uint32Array | null,
  count: number,
): void {
  const { withDistance, withHash, withPosition, unit } = asked;
  const parts = 1 + Number(withDistance) + Number(withHash) + Number(withPosition);
  reply.array(count);
  forEachPoint(found, order, count, (point) => {
    if (parts > 1) reply.array(parts);
    reply.bulk(view.bytes, view.offset, view.length);
    if (withDistance) replyDistance(reply, found.distances[point] / unit);
    if (withHash) reply.bigInteger(wholeScore(view.score));
    if (!withPosition) return;
    decodePosition(view.score);
    replyPosition(reply, longitude, latitude);
  });
}

/** A score without its fraction; what has no 64 bits is what C makes of it. */
function wholeScore(score: number): bigint {
  return Math.abs(score) < 2 ** 63 ? BigInt(Math.trunc(score)) : -(2n ** 63n);
}

/** The points as a sorted set of their own, of which the source may be the destination. */
function resultOf(
  asked: GeoSearch,
  found: FoundPoints,
  order: Uint32Array | null,
  count: number,
): SortedSet {
  const set = new SortedSet();
  set.reserve(count);
  forEachPoint(found, order, count, (point) => {
    const score = asked.storesDistances ? found.distances[point] / asked.unit : view.score;
    set.add(view.bytes, view.offset, view.length, score);
  });
  return set;
}
