/**
 * SINTER, SUNION and SDIFF with their kin: sets made of several sets. A missing key is an empty set;
 * a key of another type is an error before anything else is looked at.
 */

import { ENC_INTSET } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_SET } from "../../base/event_classes.ts";
import { type MemberVisitor, setBuilder, SetView } from "../../keyspace/set.ts";
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
  const sources = openSources(call, 2, call.words.count);
  beginResult(call);
  intersect(sources, addToResult);
  storeResult(call, "sinterstore");
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
  intersect(sources, () => ++count === limit);
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
  const sources = openSources(call, 2, call.words.count);
  beginResult(call);
  if (countOf(sources) <= SMALL_UNION) unite(sources, addToResult);
  else for (const source of sources) source?.forEach(addIfNew);
  storeResult(call, "sunionstore");
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
  const sources = openSources(call, 2, call.words.count);
  beginResult(call);
  subtract(sources, addToResult);
  storeResult(call, "sdiffstore");
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

/** Tells whether a set has a member whose hash is known. */
type MemberTest = (bytes: Uint8Array, offset: number, length: number, hash: number) => boolean;

/** Tables beside the small sets that are asked often; as many as there are such sets in a command. */
const tables: ScratchSet[] = [];

/** From so many members on, and questions, a small set is asked through a table. */
const TABLE_MIN = 12;

/** A test for each of `sets`, which are to be asked for `questions` members each. */
function testsOf(sets: SetView[], questions: number): MemberTest[] {
  return sets.map((set, i) => {
    if (set.large !== null || set.count < TABLE_MIN || questions < TABLE_MIN) {
      return (bytes, offset, length, hash) => set.hasHashed(bytes, offset, length, hash);
    }
    const table = tables[i] ??= new ScratchSet();
    table.clear();
    set.forEach((bytes, offset, length) => {
      table.add(bytes, offset, length);
    });
    return (bytes, offset, length, hash) => table.has(bytes, offset, length, hash);
  });
}

/** Visits the members that all sources have, by walking the smallest and asking the others. */
function intersect(sources: (SetView | null)[], visit: MemberVisitor): void {
  const sets: SetView[] = [];
  for (const source of sources) {
    if (source === null) return;
    sets.push(source);
  }
  sets.sort((a, b) => a.count - b.count);
  const [smallest, ...others] = sets;
  const tests = testsOf(others, smallest.count);
  smallest.forEachHashed((bytes, offset, length, hash) => {
    for (let i = 0; i < tests.length; i++) {
      if (!tests[i](bytes, offset, length, hash)) return false;
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
    others.push(other);
    othersCount += other.count;
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
  const tests = testsOf(others, first.count);
  first.forEachHashed((bytes, offset, length, hash) => {
    for (let i = 0; i < tests.length; i++) {
      if (tests[i](bytes, offset, length, hash)) return false;
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

/** Puts the result in the place of whatever the destination (word 1) is. */
function storeResult({ database, words, reply }: Call, event: string): void {
  const { bytes } = words;
  const keyAt = words.starts[1];
  const keyLength = words.lengths[1];
  const { count } = setBuilder;
  const ref = database.lookupWrite(bytes, keyAt, keyLength);
  if (count === 0) {
    if (ref !== 0) database.removeRecord(ref, bytes, keyAt, keyLength);
  } else {
    if (ref === 0) setBuilder.addTo(database, bytes, keyAt, keyLength);
    else setBuilder.replace(database, database.setExpiry(ref, NaN));
    database.changed(bytes, keyAt, keyLength, EVENT_SET, event);
  }
  reply.integer(count);
}
