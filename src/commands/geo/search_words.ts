/** The words of a search in an area, of all its spellings. */

import type { Call } from "../../dispatch/call.ts";
import { sortedSetView as view } from "../../keyspace/sorted_set.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { decodePosition, latitude, longitude } from "../../values/geo/geohash.ts";
import { GeoShape } from "../../values/geo/shape.ts";
import { readDouble, readPosition, readUnit } from "./words.ts";

/** The middle is said by two words behind the key. */
export const FROM_POSITION = 1;
/** The middle is said by a word behind the key. */
export const FROM_MEMBER = 2;
/** Middle and shape are options. */
export const FROM_OPTIONS = 3;

/** What the name of a command has decided already. */
export interface Spelling {
  readonly from: typeof FROM_POSITION | typeof FROM_MEMBER | typeof FROM_OPTIONS;
  /** Word of the key that is searched. */
  readonly source: number;
  /** Whether the result is stored: never, always in word 1, or with STORE and STOREDIST. */
  readonly stores: "never" | "always" | "optionally";
}

const NO_MEMBER = "ERR could not decode requested zset member";
const ANY_WITHOUT_COUNT = "ERR the ANY argument requires COUNT argument";

/** What a search was asked for. */
export class GeoSearch {
  readonly shape = new GeoShape();
  /** Meters in the unit of the request. */
  unit = 1;
  withDistance = false;
  withHash = false;
  withPosition = false;
  /** Most members in the result, 0 for all. */
  count = 0;
  /** Whether the first `count` that are found will do. */
  any = false;
  order: "none" | "nearest first" | "farthest first" = "none";
  /** Word of the key to store at, 0 to answer. */
  destination = 0;
  /** Whether distances are stored in place of scores. */
  storesDistances = false;

  #hasMiddle: "member" | "position" | null = null;
  #hasShape = false;

  /** Reads all words; `isThere` says whether `view` is open on the source. Throws a ReplyError. */
  read(call: Call, spelling: Spelling, isThere: boolean): void {
    const { words } = call;
    if (spelling.stores === "always") this.destination = 1;
    for (let at = this.#readFixed(call, spelling, isThere); at < words.count;) {
      const count = this.#readOption(call, at) || this.#readStoring(call, at, spelling) ||
        (spelling.from === FROM_OPTIONS ? this.#readArea(call, at, isThere) : 0);
      if (count === 0) throw new ReplyError(SYNTAX_ERROR);
      at += count;
    }
    this.#check(call, spelling);
  }

  /** Reads what has no name; the word behind it. */
  #readFixed(call: Call, { from, source }: Spelling, isThere: boolean): number {
    const middle = source + 1;
    if (from === FROM_OPTIONS) return middle;
    if (from === FROM_POSITION) this.#readMiddle(call, middle);
    else if (isThere) this.#findMiddle(call, middle);
    const at = from === FROM_POSITION ? middle + 2 : middle + 1;
    // Where there is nothing to search, Redis does not look at the distance.
    if (from === FROM_POSITION || isThere) this.#readRadius(call, at);
    return at + 2;
  }

  /** Reads an option that all spellings have; how many words it takes, 0 for none. */
  #readOption(call: Call, at: number): number {
    const { words } = call;
    if (words.is(at, "withdist")) this.withDistance = true;
    else if (words.is(at, "withhash")) this.withHash = true;
    else if (words.is(at, "withcoord")) this.withPosition = true;
    else if (words.is(at, "any")) this.any = true;
    else if (words.is(at, "asc")) this.order = "nearest first";
    else if (words.is(at, "desc")) this.order = "farthest first";
    else if (words.is(at, "count") && at + 1 < words.count) {
      this.count = call.clampedInteger(at + 1);
      if (this.count <= 0) throw new ReplyError("ERR COUNT must be > 0");
      return 2;
    } else return 0;
    return 1;
  }

  /** Reads an option about storing; how many words it takes, 0 for none. */
  #readStoring({ words }: Call, at: number, { stores }: Spelling): number {
    if (stores === "never") return 0;
    const isDistances = words.is(at, "storedist");
    if (stores === "always") {
      if (!isDistances) return 0;
      this.storesDistances = true;
      return 1;
    }
    if ((!isDistances && !words.is(at, "store")) || at + 1 >= words.count) return 0;
    this.storesDistances = isDistances;
    this.destination = at + 1;
    return 2;
  }

  /** Reads an option that says middle or shape; how many words it takes, 0 for none. */
  #readArea(call: Call, at: number, isThere: boolean): number {
    const { words } = call;
    const left = words.count - at - 1;
    if (words.is(at, "frommember") && left >= 1 && this.#hasMiddle !== "position") {
      if (isThere) this.#findMiddle(call, at + 1);
      this.#hasMiddle = "member";
      return 2;
    }
    if (words.is(at, "fromlonlat") && left >= 2 && this.#hasMiddle !== "member") {
      this.#readMiddle(call, at + 1);
      this.#hasMiddle = "position";
      return 3;
    }
    const mayBe = (isBox: boolean) => !this.#hasShape || this.shape.isBox === isBox;
    if (words.is(at, "byradius") && left >= 2 && mayBe(false)) {
      this.#readRadius(call, at + 1);
      return 3;
    }
    if (words.is(at, "bybox") && left >= 3 && mayBe(true)) {
      this.#readBox(call, at + 1);
      return 4;
    }
    return 0;
  }

  #readMiddle(call: Call, at: number): void {
    const { longitude, latitude } = readPosition(call, at);
    this.shape.longitude = longitude;
    this.shape.latitude = latitude;
  }

  #findMiddle({ words }: Call, at: number): void {
    if (!view.find(words.bytes, words.starts[at], words.lengths[at])) {
      throw new ReplyError(NO_MEMBER);
    }
    decodePosition(view.score);
    this.shape.longitude = longitude;
    this.shape.latitude = latitude;
  }

  #readRadius(call: Call, at: number): void {
    const radius = readDouble(call, at, "ERR need numeric radius");
    if (radius < 0) throw new ReplyError("ERR radius cannot be negative");
    this.unit = readUnit(call, at + 1);
    this.shape.isBox = false;
    this.shape.radius = radius * this.unit;
    this.#hasShape = true;
  }

  #readBox(call: Call, at: number): void {
    const width = readDouble(call, at, "ERR need numeric width");
    const height = readDouble(call, at + 1, "ERR need numeric height");
    if (width < 0 || height < 0) throw new ReplyError("ERR height or width cannot be negative");
    this.unit = readUnit(call, at + 2);
    this.shape.isBox = true;
    this.shape.width = width * this.unit;
    this.shape.height = height * this.unit;
    this.#hasShape = true;
  }

  /** Whether the words make sense together. Throws a ReplyError. */
  #check({ words }: Call, { from, stores }: Spelling): void {
    if (this.destination !== 0 && (this.withDistance || this.withHash || this.withPosition)) {
      const what = stores === "always" ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS";
      throw new ReplyError(
        `ERR ${what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`,
      );
    }
    if (from === FROM_OPTIONS) {
      const missing = this.#hasMiddle === null
        ? "FROMMEMBER or FROMLONLAT"
        : this.#hasShape
        ? null
        : "BYRADIUS and BYBOX";
      if (missing !== null) {
        throw new ReplyError(`ERR exactly one of ${missing} can be specified for ${words.text(0)}`);
      }
    }
    if (this.any && this.count === 0) throw new ReplyError(ANY_WITHOUT_COUNT);
    // The nearest are what a limit is for, unless any will do.
    if (this.count !== 0 && this.order === "none" && !this.any) this.order = "nearest first";
  }
}
