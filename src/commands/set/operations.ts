/**
 * SINTER, SUNION and SDIFF with their kin: sets made of several sets. A missing key is an empty set;
 * a key of another type is an error before anything else is looked at.
 */

import { ENC_INTSET } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_SET } from "../../base/event_classes.ts";
import { type MemberVisitor, type SetBuilder, setBuilder, SetView } from "../../keyspace/set.ts";
import { SetOperation, type SetOperationName } from "../../keyspace/set_operation.ts";
import { SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { LargeSet } from "../../values/large_set.ts";
import { ScratchSet } from "../../values/scratch_set.ts";
import { CollectedElements } from "../collected_elements.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { countedKeys, keysToEnd, oneKey } from "../../dispatch/key_specs.ts";

const NUMKEYS_NOT_POSITIVE = "ERR numkeys should be greater than 0";
const TOO_MANY_KEYS = "ERR Number of keys can't be greater than number of args";
const LIMIT_NEGATIVE = "ERR LIMIT can't be negative";

/** Views of the sources of the present call; kept for the next ones. */
const views: SetView[] = [];
const elements = new CollectedElements();

/**
 * `SINTER key …`: the members that all sets have.
 *
 * @see {@link https://redis.io/docs/latest/commands/sinter/}
 */
export const sinter = defineCommand({
  name: "sinter",
  group: "set",
  since: "1.0.0",
  summary: "Lists the members that several sets have in common",
  complexity: "O(N*M) with N members in the smallest of M sets",
  arity: -2,
  flags: ["readonly"],
  tips: ["nondeterministic_output_order"],
  keys: [keysToEnd("RO access")],
  args: "key...",
  run: runSinter,
});

function runSinter(call: Call): void {
  const sources = openSources(call, 1, call.words.count);
  elements.clear();
  intersect(sources, collect);
  writeElements(call);
}

/**
 * `SINTERSTORE destination key …`: answers how many members the result has; an empty one removes the
 * destination.
 */
export const sinterstore = defineCommand({
  name: "sinterstore",
  group: "set",
  since: "1.0.0",
  summary: "Makes a set of the members that several sets have in common",
  complexity: "O(N*M) with N members in the smallest of M sets",
  arity: -3,
  flags: ["write", "denyoom"],
  keys: [oneKey("RW update"), keysToEnd("RO access", 2)],
  args: "destination:key key#1...",
  run: runSinterstore,
});

function runSinterstore(call: Call): void {
  if (storeMade(call, "sinterstore")) return;
  const sources = openSources(call, 2, call.words.count);
  if (parkLarge(call, sources, "intersection")) return;
  beginResult(call);
  intersect(sources, addToResult);
  storeResult(call, setBuilder, "sinterstore");
}

/** `SINTERCARD numkeys key … [LIMIT limit]`: how many members all sets have, counting to `limit`. */
export const sintercard = defineCommand({
  name: "sintercard",
  group: "set",
  since: "7.0.0",
  summary: "Counts the members that several sets have in common",
  complexity: "O(N*M) with N members in the smallest of M sets",
  arity: -3,
  flags: ["readonly"],
  keys: [countedKeys("RO access")],
  args: "numkeys:integer key... [LIMIT limit:integer]",
  run: runSintercard,
});

function runSintercard(call: Call): void {
  const { words, reply } = call;
  const keys = call.clampedInteger(1, NUMKEYS_NOT_POSITIVE);
  if (keys < 1) return reply.error(NUMKEYS_NOT_POSITIVE);
  if (keys > words.count - 2) return reply.error(TOO_MANY_KEYS);
  let limit = 0;
  for (let i = 2 + keys; i < words.count; i += 2) {
    if (!words.is(i, "limit") || i + 1 === words.count) return reply.error(SYNTAX_ERROR);
    limit = call.clampedInteger(i + 1, LIMIT_NEGATIVE);
    if (limit < 0) return reply.error(LIMIT_NEGATIVE);
  }
  const sources = openSources(call, 2, 2 + keys);
  let count = 0;
  const visit = () => ++count === limit;
  intersect(sources, visit, visit);
  reply.integer(count);
}

/**
 * `SUNION key …`: the members of all sets.
 *
 * @see {@link https://redis.io/docs/latest/commands/sunion/}
 */
export const sunion = defineCommand({
  name: "sunion",
  group: "set",
  since: "1.0.0",
  summary: "Lists the members of several sets, each once",
  complexity: "O(N) with N members in all sets",
  arity: -2,
  flags: ["readonly"],
  tips: ["nondeterministic_output_order"],
  keys: [keysToEnd("RO access")],
  args: "key...",
  run: runSunion,
});

function runSunion(call: Call): void {
  const sources = openSources(call, 1, call.words.count);
  elements.clear();
  unite(sources, collect);
  writeElements(call);
}

/** `SUNIONSTORE destination key …`: see SINTERSTORE. */
export const sunionstore = defineCommand({
  name: "sunionstore",
  group: "set",
  since: "1.0.0",
  summary: "Makes a set of the members of several sets",
  complexity: "O(N) with N members in all sets",
  arity: -3,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update"), keysToEnd("RO access", 2)],
  args: "destination:key key#1...",
  run: runSunionstore,
});

function runSunionstore(call: Call): void {
  if (storeMade(call, "sunionstore")) return;
  const sources = openSources(call, 2, call.words.count);
  if (parkLarge(call, sources, "union")) return;
  beginResult(call);
  if (countOf(sources) <= SMALL_UNION) unite(sources, addToResult);
  else for (const source of sources) source?.forEach(addIfNew);
  storeResult(call, setBuilder, "sunionstore");
}

/**
 * `SDIFF key …`: the members of the first set that the others do not have.
 *
 * @see {@link https://redis.io/docs/latest/commands/sdiff/}
 */
export const sdiff = defineCommand({
  name: "sdiff",
  group: "set",
  since: "1.0.0",
  summary: "Lists the members of a set that other sets do not have",
  complexity: "O(N) with N members in all sets",
  arity: -2,
  flags: ["readonly"],
  tips: ["nondeterministic_output_order"],
  keys: [keysToEnd("RO access")],
  args: "key...",
  run: runSdiff,
});

function runSdiff(call: Call): void {
  const sources = openSources(call, 1, call.words.count);
  elements.clear();
  subtract(sources, collect);
  writeElements(call);
}

/** `SDIFFSTORE destination key …`: see SINTERSTORE. */
export const sdiffstore = defineCommand({
  name: "sdiffstore",
  group: "set",
  since: "1.0.0",
  summary: "Makes a set of the members of a set that other sets do not have",
  complexity: "O(N) with N members in all sets",
  arity: -3,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update"), keysToEnd("RO access", 2)],
  args: "destination:key key#1...",
  run: runSdiffstore,
});

function runSdiffstore(call: Call): void {
  if (storeMade(call, "sdiffstore")) return;
  const sources = openSources(call, 2, call.words.count);
  if (parkLarge(call, sources, "difference")) return;
  beginResult(call);
  subtract(sources, addToResult);
  storeResult(call, setBuilder, "sdiffstore");
}

// -- sources ------------------------------------------------------------------------------------

/** The sets of the keys in words `from` to `end`, null for each missing one. Throws WRONG_TYPE. */
function openSources({ database, words }: Call, from: number, end: number): (SetView | null)[] {
  const sources: (SetView | null)[] = [];
  for (let i = from; i < end; i++) {
    const view = views[i - from] ??= new SetView();
    const isThere = view.openRead(database, words.bytes, words.starts[i], words.lengths[i]);
    sources.push(isThere ? view : null);
  }
  return sources;
}

/** Members of all sources, those that several have counted for each. */
function countOf(sources: (SetView | null)[]): number {
  return sources.reduce((sum, source) => sum + (source?.count ?? 0), 0);
}

/** Up to so many members a union notes aside what it has seen: the result may be a small set. */
const SMALL_UNION = 10_000;

const seen = new ScratchSet();

/** Visits the members that any of the sources has, each once. */
function unite(sources: (SetView | null)[], visit: MemberVisitor): void {
  if (sources.length === 1) return sources[0]?.forEach(visit);
  const isSmall = countOf(sources) <= SMALL_UNION;
  const visited = isSmall ? seen : new LargeSet();
  seen.clear();
  for (const source of sources) {
    source?.forEach((bytes, offset, length) => {
      const isNew = visited instanceof ScratchSet
        ? visited.add(bytes, offset, length)
        : visited.addMember(bytes, offset, length);
      if (isNew) visit(bytes, offset, length);
    });
  }
}

/** From so many members on, and after so many questions, a small set is asked through a table. */
const TABLE_MIN = 12;

/** A set that is asked again and again whether it has a member. */
class AskedSet {
  #set!: SetView;
  /** Questions so far; of an intset, the index that the latest one has led to. */
  #questions = 0;
  #isTabled = false;
  /** What a small set has, where asking the set itself would go through all of it each time. */
  readonly #table = new ScratchSet();

  begin(set: SetView): void {
    this.#set = set;
    this.#questions = 0;
    this.#isTabled = false;
  }

  /** `hash` is `hashBytes` of the member. */
  has(bytes: Uint8Array, offset: number, length: number, hash: number): boolean {
    const set = this.#set;
    if (set.large !== null) return set.large.find(bytes, offset, length, hash) !== 0;
    if (this.#isTabled) return this.#table.has(bytes, offset, length, hash);
    if (++this.#questions > TABLE_MIN && set.count >= TABLE_MIN) this.#makeTable();
    return set.hasHashed(bytes, offset, length, hash);
  }

  /** Asks an intset, with integers in ascending order. */
  hasInteger(n: number | bigint): boolean {
    const set = this.#set;
    this.#questions = set.seekInteger(this.#questions, n);
    return this.#questions < set.count && set.integerAt(this.#questions) === n;
  }

  #makeTable(): void {
    const table = this.#table;
    table.clear();
    this.#set.forEach((bytes, offset, length) => {
      table.add(bytes, offset, length);
    });
    this.#isTabled = true;
  }
}

/** Kept for the next calls. */
const askedSets: AskedSet[] = [];

/** Makes ready to ask each of `sets`; the first `sets.length` of the result count. */
function asking(sets: SetView[]): readonly AskedSet[] {
  sets.forEach((set, i) => (askedSets[i] ??= new AskedSet()).begin(set));
  return askedSets;
}

/** Sees an integer that is a member; answering true ends the walk. */
type IntegerVisitor = (n: number | bigint) => boolean | void;

/**
 * Visits those members of the first of several intsets that the others have, or do not have
 * (`wanted`), by going through all of them side by side.
 */
function walkIntegers(sets: SetView[], wanted: boolean, visit: IntegerVisitor): void {
  const [first, ...others] = sets;
  const asked = asking(others);
  for (let i = 0, count = first.count; i < count; i++) {
    const n = first.integerAt(i);
    let fits = true;
    for (let j = 0; j < others.length && fits; j++) fits = asked[j].hasInteger(n) === wanted;
    if (fits && visit(n) === true) return;
  }
}

/** A visitor of integers that shows their text. */
function asText({ member }: SetView, visit: MemberVisitor): IntegerVisitor {
  return (n) => {
    member.setInteger(n);
    return visit(member.bytes, member.offset, member.length);
  };
}

function areIntsets(sets: SetView[]): boolean {
  return sets.every((set) => set.encoding === ENC_INTSET);
}

/**
 * Visits the members that all sources have, by walking the smallest and asking the others. Integers go
 * to `visitInteger` where that is given and all are intsets.
 */
function intersect(
  sources: (SetView | null)[],
  visit: MemberVisitor,
  visitInteger?: IntegerVisitor,
): void {
  const sets: SetView[] = [];
  for (const source of sources) {
    if (source === null) return;
    if (!sets.some((set) => set.ref === source.ref)) sets.push(source);
  }
  if (sets.length > 1) sets.sort((a, b) => a.count - b.count);
  const [smallest, ...others] = sets;
  if (areIntsets(sets)) return walkIntegers(sets, true, visitInteger ?? asText(smallest, visit));
  const asked = asking(others);
  const count = others.length;
  smallest.forEachHashed((bytes, offset, length, hash) => {
    for (let i = 0; i < count; i++) {
      if (!asked[i].has(bytes, offset, length, hash)) return false;
    }
    return visit(bytes, offset, length);
  });
}

/** Visits the members of the first source that the others do not have. */
function subtract([first, ...rest]: (SetView | null)[], visit: MemberVisitor): void {
  if (first === null) return;
  const others: SetView[] = [];
  let othersCount = 0;
  for (const other of rest) {
    if (other === null) continue;
    if (other.ref === first.ref) return; // nothing is left of a set without itself
    others.push(other);
    othersCount += other.count;
  }
  if (areIntsets([first, ...others])) {
    return walkIntegers([first, ...others], false, asText(first, visit));
  }
  // Asking each of the others costs a lookup per member and set; beyond what a table of all their
  // members costs, that table is asked instead.
  if (first.count * others.length > 2 * (first.count + othersCount)) {
    const taken = new LargeSet();
    for (const other of others) {
      other.forEach((bytes, offset, length) => {
        taken.addMember(bytes, offset, length);
      });
    }
    first.forEach((bytes, offset, length) => {
      return taken.get(bytes, offset, length) === 0 ? visit(bytes, offset, length) : false;
    });
    return;
  }
  others.sort((a, b) => b.count - a.count); // the largest one is the likeliest to have a member
  const asked = asking(others);
  const count = others.length;
  first.forEachHashed((bytes, offset, length, hash) => {
    for (let i = 0; i < count; i++) {
      if (asked[i].has(bytes, offset, length, hash)) return false;
    }
    return visit(bytes, offset, length);
  });
}

// -- results ------------------------------------------------------------------------------------

function collect(bytes: Uint8Array, offset: number, length: number): void {
  elements.add(bytes, offset, length);
}

function writeElements({ reply }: Call): void {
  reply.set(elements.count);
  elements.writeTo(reply);
}

function beginResult({ database }: Call): void {
  setBuilder.begin(database.keyspace.limits, ENC_INTSET);
}

/** For members that come once each. */
function addToResult(bytes: Uint8Array, offset: number, length: number): void {
  setBuilder.add(bytes, offset, length, true);
}

function addIfNew(bytes: Uint8Array, offset: number, length: number): void {
  setBuilder.add(bytes, offset, length);
}

/** From so many members of all sources on, a set is made of them in slices, if the client may wait. */
const SLICED_MEMBERS = 20_000;

/** Has the client wait until the result of a large operation is made; false when it is to be made at once. */
function parkLarge(call: Call, sources: (SetView | null)[], name: SetOperationName): boolean {
  const isWalked = name === "union"
    ? countOf(sources) >= SLICED_MEMBERS
    : name === "difference"
    ? (sources[0]?.count ?? 0) >= SLICED_MEMBERS
    : sources.every((source) => source !== null && source.count >= SLICED_MEMBERS);
  if (!isWalked || areIntsets(sources.filter((source) => source !== null))) return false;
  const keys = sources.map((_, i) => 2 + i);
  return call.server.dispatcher.makings.park(
    call,
    keys,
    (database, words) => SetOperation.begin(name, database, words, 2),
  );
}

/** Stores the result that was made for this request while its client waited; false when there is none. */
function storeMade(call: Call, event: string): boolean {
  const made = call.server.dispatcher.makings.take(call.client) as SetBuilder | null;
  if (made !== null) storeResult(call, made, event);
  return made !== null;
}

/** Puts the result in the place of whatever the destination (word 1) is. */
function storeResult({ database, words, reply }: Call, result: SetBuilder, event: string): void {
  const { bytes } = words;
  const keyAt = words.starts[1];
  const keyLength = words.lengths[1];
  const { count } = result;
  const ref = database.lookupWrite(bytes, keyAt, keyLength);
  if (count === 0) {
    if (ref !== 0) database.removeRecord(ref, bytes, keyAt, keyLength);
  } else {
    if (ref === 0) result.addTo(database, bytes, keyAt, keyLength);
    else result.replace(database, ref, NaN);
    database.changed(bytes, keyAt, keyLength, EVENT_SET, event);
  }
  reply.integer(count);
}
