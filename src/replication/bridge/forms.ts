/**
 * How commands are said to a server that does not know them, or not in that form: a table by the name of the command.
 * Pure: from words to words. On the path of a translated stream only, for translator.ts, which does the rest:
 * commands without a form here go as they are if the server knows them by their version, else as their outcome.
 *
 * What the stream of a master has is what has taken effect, so conditions (NX, GT of EXPIRE, IFEQ) can be left out
 * where they tell nothing more; what is left to be decided by the replica (LMOVE, GT of ZADD) becomes a script.
 * Streams of masters of any version are read, so words that we do not say ourselves are here as well.
 */

import type { Words } from "../../resp/words.ts";
import { type StreamPart, word } from "../../propagation/stream_part.ts";
import { ADD_SCORED, COPY, MOVE_ELEMENT, REMOVE_ENTRIES, SET_KEEPING_TIME } from "./scripts.ts";
import { serverVersion, type Target } from "./target.ts";

/** The server knows it so. */
export const AS_IS = 0;
/** What has been told to `Rewording` is sent in place of it. */
export const REWORDED = 1;
/** The keys that it writes are sent as they are afterwards. */
export const OUTCOME = 2;

/** A command that nothing can be sent for: the link has to end. */
export class Unsayable {
  constructor(readonly why: string) {}
}

/** Takes what is to be sent in place of a command. */
export interface Rewording {
  readonly target: Target;
  /** The database of the command. */
  readonly database: number;
  say(...parts: StreamPart[]): void;
  /** When this key expires has to be told again. */
  retime(key: Uint8Array, database?: number): void;
}

/** Answers AS_IS, REWORDED or OUTCOME. @throws Unsayable */
export type Form = (words: Words, to: Rewording) => number;

interface Entry {
  /** Servers from this version on, as `serverVersion` tells it, take it as it is; Infinity: none for certain. */
  readonly until: number;
  readonly form: Form;
}

/** The form of a command for a server; null where it needs none. `name` is lower case, of a subcommand "a|b". */
export function formFor(name: string, target: Target): Form | null {
  const entry = FORMS[name];
  return entry === undefined || entry.until <= target.server ? null : entry.form;
}

const FORMS: Record<string, Entry | undefined> = {
  // Keys
  "copy": before("6.2.0", copy),
  "expire": before("7.0.0", firstWords(3)),
  "expireat": before("7.0.0", firstWords(3)),
  "flushall": before("7.0.0", firstWords(1)),
  "flushdb": before("7.0.0", firstWords(1)),
  "pexpire": before("7.0.0", firstWords(3)),
  "pexpireat": before("7.0.0", firstWords(3)),
  "restore": always(restore),
  "restore-asking": always(restore),
  "swapdb": before("4.0.0", unsayable("two databases that change places")),
  "unlink": before("4.0.0", renamed("DEL")),
  // Strings
  "bitfield": from("3.2.0", before("6.2.0", bitfield)),
  "bitop": before("8.2.0", bitop),
  "getdel": before("6.2.0", renamed("DEL")),
  "getex": before("6.2.0", getex),
  "set": always(set),
  // Lists
  "blmove": before("6.2.0", moveElement),
  "lmove": before("6.2.0", moveElement),
  "lpop": before("6.2.0", popElements(true)),
  "lpushx": before("4.0.0", oneByOne),
  "lset": before("7.2.0", replaceElement),
  "rpop": before("6.2.0", popElements(false)),
  "rpushx": before("4.0.0", oneByOne),
  // Hashes and sorted sets
  "hset": before("4.0.0", renamed("HMSET")),
  // Before 7.0 other members may be found, and with none what was there stayed.
  "georadius": before("7.0.0", asOutcome),
  "georadiusbymember": before("7.0.0", asOutcome),
  "zadd": before("6.2.0", addScored),
  "zpopmax": before("5.0.0", popScored(true)),
  "zpopmin": before("5.0.0", popScored(false)),
  "zinterstore": always(knownAggregate),
  "zunionstore": always(knownAggregate),
  // Streams: before 5.0 there is no word for any of them
  "xadd": from("5.0.0", always(addEntry)),
  "xgroup|create": from("5.0.0", before("7.0.0", without("entriesread", 2))),
  "xgroup|createconsumer": from("5.0.0", before("6.2.0", createConsumer)),
  "xgroup|setid": from("5.0.0", before("7.0.0", without("entriesread", 2))),
  "xsetid": from("5.0.0", before("7.0.0", firstWords(3))),
  "xtrim": from("5.0.0", always(trimEntries)),
  // Beside the data
  "fcall": before("7.0.0", unsayable("a function")),
  "function|delete": before("7.0.0", nothing),
  "function|flush": before("7.0.0", nothing),
  "function|load": before("7.0.0", unsayable("a function library")),
  "function|restore": before("7.0.0", unsayable("a function library")),
  // Servers pack the same registers into other bytes.
  "pfadd": before("4.0.0", asOutcome),
  // What it notes in the value is an estimate, which 5.0 makes in another way.
  "pfcount": before("5.0.0", asOutcome),
  "pfmerge": before("4.0.0", asOutcome),
  "replconf": before("3.0.0", nothing),
  "script|flush": before("6.2.0", firstWords(2)),
  "spublish": before("7.0.0", nothing),
};

function before(version: string, form: Form): Entry {
  return { until: serverVersion(version), form };
}

function always(form: Form): Entry {
  return { until: Infinity, form };
}

/** The form of servers from this version on: to earlier ones the outcome is told, if it can be. */
function from(version: string, { until, form }: Entry): Entry {
  const known = serverVersion(version);
  return { until, form: (words, to) => to.target.server < known ? OUTCOME : form(words, to) };
}

// -- forms of many commands --------------------------------------------------------------------

function nothing(): number {
  return REWORDED;
}

function asOutcome(): number {
  return OUTCOME;
}

function unsayable(what: string): Form {
  return (words) => {
    throw new Unsayable(`${words.text(0).toUpperCase()}: there is no word for ${what}`);
  };
}

/** Before 6.2 the sum of two large numbers of 64 bits came out as another one. */
function bitfield(words: Words): number {
  for (let n = 2; n < words.count; n++) {
    if (words.text(n).toUpperCase() === "INCRBY") return OUTCOME;
  }
  return AS_IS;
}

/** The same words under another name. */
function renamed(name: string): Form {
  return (words, to) => {
    if (name === "HMSET" && words.count === 4) return AS_IS;
    to.say(name, ...wordsFrom(1, words.count));
    return REWORDED;
  };
}

/** Without what stands behind the first words. */
function firstWords(count: number): Form {
  return (words, to) => {
    if (words.count <= count) return AS_IS;
    to.say(...wordsFrom(0, count));
    return REWORDED;
  };
}

/** Without this option, which takes `count` words, however often it is there. */
function without(option: string, count: number): Form {
  return (words, to) => {
    if (indexOf(words, option, 4) < 0) return AS_IS;
    const parts = wordsFrom(0, 4);
    for (let i = 4; i < words.count; i++) {
      if (words.is(i, option)) i += count - 1;
      else parts.push(word(i));
    }
    to.say(...parts);
    return REWORDED;
  };
}

/** A command for each of the elements behind the key. */
function oneByOne(words: Words, to: Rewording): number {
  if (words.count === 3) return AS_IS;
  for (let i = 2; i < words.count; i++) to.say(word(0), word(1), word(i));
  return REWORDED;
}

function wordsFrom(from: number, to: number): StreamPart[] {
  const parts: StreamPart[] = [];
  for (let i = from; i < to; i++) parts.push(word(i));
  return parts;
}

/** The word from `from` on that is this option, in any case; -1 for none. */
function indexOf(words: Words, option: string, from: number): number {
  for (let i = from; i < words.count; i++) if (words.is(i, option)) return i;
  return -1;
}

/** A word that is a count; `otherwise` if there is none. Larger ones than any collection are as good as the largest. */
function countAt(words: Words, index: number, otherwise: number): number {
  return index < words.count
    ? Math.min(Number(words.text(index)), Number.MAX_SAFE_INTEGER)
    : otherwise;
}

// -- keys and strings ------------------------------------------------------------------------------

function copy(words: Words, to: Rewording): number {
  const database = databaseOf(words);
  const key = words.copy(2);
  if (database < 0) to.say("EVAL", COPY, 2, word(1), word(2));
  else to.say("EVAL", COPY, 2, word(1), word(2), database, to.database);
  to.retime(key, database < 0 ? to.database : database);
  return REWORDED;
}

/** The database that COPY or MOVE names, the last one if it does so again; -1 for none. */
export function databaseOf(words: Words): number {
  if (words.is(0, "move")) return Number(words.text(2));
  let database = -1;
  if (!words.is(0, "copy")) return database;
  for (let i = 3; i + 1 < words.count; i++) {
    if (words.is(i, "db")) database = Number(words.text(++i));
  }
  return database;
}

/** The bytes behind a DUMP payload: the version that it is of, and a checksum. */
const PAYLOAD_FOOTER_BYTES = 10;

function restore(words: Words, to: Rewording): number {
  const { bytes, starts, lengths } = words;
  const footer = starts[3] + lengths[3] - PAYLOAD_FOOTER_BYTES;
  const version = bytes[footer] | (bytes[footer + 1] << 8);
  const hasKnownWords = words.count === 4 || to.target.knows("5.0.0");
  return version <= to.target.rdbVersion && hasKnownWords && words.is(0, "restore")
    ? AS_IS
    : OUTCOME;
}

/** The command that gives a key the time which this word as an option of SET or GETEX is followed by; "" for none. */
function timeCommandOf(words: Words, index: number): string {
  if (words.is(index, "pxat")) return "PEXPIREAT";
  if (words.is(index, "px")) return "PEXPIRE";
  if (words.is(index, "ex")) return "EXPIRE";
  return words.is(index, "exat") ? "EXPIREAT" : "";
}

/** What the options of a SET ask for. */
interface SetOptions {
  keepsTime: boolean;
  /** The word that is the option of the time; 0 for none. */
  timeWord: number;
  /** The version of Redis that knows all of them. */
  since: string;
}

function readSetOptions(words: Words): SetOptions {
  const options: SetOptions = { keepsTime: false, timeWord: 0, since: "2.6.12" };
  for (let i = 3; i < words.count; i++) {
    const since = sinceOfSetOption(words, i);
    if (since === "6.0.0") options.keepsTime = true;
    if (timeCommandOf(words, i) !== "") options.timeWord = i++;
    else if (since === "8.4.0") i++;
    if (since > options.since) options.since = since;
  }
  return options;
}

/** The version of Redis that brought an option of SET. */
function sinceOfSetOption(words: Words, index: number): string {
  if (["px", "ex", "nx", "xx"].some((name) => words.is(index, name))) return "2.6.12";
  if (words.is(index, "keepttl")) return "6.0.0";
  const isCompared = /^if/i.test(words.beginning(index, 2));
  return isCompared ? "8.4.0" : "6.2.0";
}

function set(words: Words, to: Rewording): number {
  if (words.count === 3) return AS_IS;
  const { target } = to;
  const { keepsTime, timeWord, since } = readSetOptions(words);
  if (target.knows(since)) return AS_IS;
  if (!keepsTime) {
    to.say("SET", word(1), word(2));
    if (timeWord > 0) sayTime(words, timeWord, to);
  } else if (target.knows("6.0.0")) to.say("SET", word(1), word(2), "KEEPTTL");
  else {
    to.say("EVAL", SET_KEEPING_TIME, 1, word(1), word(2));
    to.retime(words.copy(1));
  }
  return REWORDED;
}

/** Says the time that the option at this word gives a key; false if it is none. */
function sayTime(words: Words, index: number, to: Rewording): boolean {
  const command = timeCommandOf(words, index);
  if (command === "" || index + 1 === words.count) return false;
  to.say(command, word(1), word(index + 1));
  return true;
}

function getex(words: Words, to: Rewording): number {
  if (words.count === 2) return REWORDED;
  if (words.is(2, "persist")) to.say("PERSIST", word(1));
  else if (!sayTime(words, 2, to)) return OUTCOME;
  return REWORDED;
}

function bitop(words: Words): number {
  return ["and", "or", "xor", "not"].some((operation) => words.is(1, operation)) ? AS_IS : OUTCOME;
}

// -- lists ---------------------------------------------------------------------------------------------

function moveElement(words: Words, to: Rewording): number {
  const atHead = words.is(3, "left");
  const toHead = words.is(4, "left");
  if (!atHead && toHead) to.say("RPOPLPUSH", word(1), word(2));
  else {
    const commands = [atHead ? "lpop" : "rpop", toHead ? "lpush" : "rpush"];
    to.say("EVAL", MOVE_ELEMENT, 2, word(1), word(2), ...commands);
  }
  return REWORDED;
}

/** Masters since 7.2 keep the lower 32 bits of an index, which earlier servers refuse as a whole. */
function replaceElement(words: Words, to: Rewording): number {
  const index = BigInt(words.text(2));
  const kept = BigInt.asIntN(32, index);
  if (kept === index) return AS_IS;
  to.say("LSET", word(1), Number(kept), word(3));
  return REWORDED;
}

/** Several elements go at once by LTRIM, which removes an empty list as well. */
function popElements(atHead: boolean): Form {
  return (words, to) => {
    if (words.count === 2) return AS_IS;
    const count = countAt(words, 2, 1);
    if (count === 0) return REWORDED;
    const [first, last] = atHead ? [count, -1] : [0, -1 - count];
    to.say("LTRIM", word(1), first, last);
    return REWORDED;
  };
}

// -- sorted sets -------------------------------------------------------------------------------------------

/** Letters of ADD_SCORED for the options of ZADD. CH only changes the answer. */
const SCORE_OPTIONS: Record<string, string | undefined> = {
  nx: "n",
  xx: "x",
  gt: "g",
  lt: "l",
  incr: "i",
  ch: "c",
};

function addScored(words: Words, to: Rewording): number {
  let options = "";
  let at = 2;
  for (; at < words.count; at++) {
    const letter = SCORE_OPTIONS[words.text(at).toLowerCase()];
    if (letter === undefined) break;
    options += letter;
  }
  if (options === "" || (to.target.knows("3.0.2") && !/[gl]/.test(options))) return AS_IS;
  to.say("EVAL", ADD_SCORED, 1, word(1), options, ...wordsFrom(at, words.count));
  return REWORDED;
}

function popScored(highest: boolean): Form {
  return (words, to) => {
    const count = countAt(words, 2, 1);
    if (count === 0) return REWORDED;
    const [first, last] = highest ? [-count, -1] : [0, count - 1];
    to.say("ZREMRANGEBYRANK", word(1), first, last);
    return REWORDED;
  };
}

function knownAggregate(words: Words): number {
  for (let i = 3; i + 1 < words.count; i++) {
    const isKnown = ["sum", "min", "max"].some((name) => words.is(i + 1, name));
    if (words.is(i, "aggregate") && !isKnown) return OUTCOME;
  }
  return AS_IS;
}

// -- streams ---------------------------------------------------------------------------------------------------

/** Where the words of a trim stand: from the strategy to the threshold, and what follows. */
interface Trim {
  readonly at: number;
  readonly end: number;
  readonly isByLength: boolean;
  /** The word that is the threshold. */
  readonly threshold: number;
}

/** The trim at word `at`; null if there is none. */
function trimAt(words: Words, at: number): Trim | null {
  const isByLength = words.is(at, "maxlen");
  if (!isByLength && !words.is(at, "minid")) return null;
  const hasOperator = words.is(at + 1, "=") || words.is(at + 1, "~");
  const last = hasOperator ? at + 2 : at + 1;
  return { at, end: last + 1, isByLength, threshold: last };
}

function addEntry(words: Words, to: Rewording): number {
  let trim: Trim | null = null;
  let at = 2;
  let isOld = true;
  for (;;) {
    const found = trimAt(words, at);
    if (found !== null) {
      trim = found;
      isOld = isOld && found.isByLength && found.end === found.at + 2;
      at = found.end;
    } else if (words.is(at, "limit") || words.is(at, "idmpauto")) at += 2;
    else if (words.is(at, "idmp")) at += 3;
    else if (isFlag(words, at)) at++;
    else break;
    if (found === null) isOld = false;
  }
  if (isOld || isSpokenSince62(words, at, to)) return AS_IS;
  const length: StreamPart[] = trim?.isByLength ? ["MAXLEN", word(trim.threshold)] : [];
  to.say("XADD", word(1), ...length, ...wordsFrom(at, words.count));
  if (trim !== null && !trim.isByLength) sayRemoval(words, trim.threshold, to);
  return REWORDED;
}

/** NOMKSTREAM came with 6.2, the others with 8.2. */
function isFlag(words: Words, at: number): boolean {
  return words.is(at, "nomkstream") || isPolicy(words, at);
}

function isPolicy(words: Words, at: number): boolean {
  return words.is(at, "keepref") || words.is(at, "delref") || words.is(at, "acked");
}

/** What a master of Redis 8.6 says of who adds an entry. */
function isProducer(words: Words, at: number): boolean {
  return words.is(at, "idmp") || words.is(at, "idmpauto");
}

/** Whether all that stands before word `end` is known to a server from 6.2 on. */
function isSpokenSince62(words: Words, end: number, { target }: Rewording): boolean {
  if (!target.knows("6.2.0")) return false;
  for (let i = 2; i < end; i++) if (isPolicy(words, i) || isProducer(words, i)) return false;
  return true;
}

function trimEntries(words: Words, to: Rewording): number {
  const trim = trimAt(words, 2);
  if (trim === null || indexOf(words, "acked", 3) >= 0) return OUTCOME;
  const isOld = trim.isByLength && trim.end === 4 && words.count === 4;
  if (isOld || isSpokenSince62(words, words.count, to)) return AS_IS;
  if (trim.isByLength) to.say("XTRIM", word(1), "MAXLEN", word(trim.threshold));
  else if (to.target.knows("6.2.0")) to.say("XTRIM", word(1), "MINID", word(trim.threshold));
  else sayRemoval(words, trim.threshold, to);
  return REWORDED;
}

/** Removes the entries before the id that a word says. */
function sayRemoval(words: Words, index: number, to: Rewording): void {
  const last = idBefore(words.text(index));
  if (last !== null) to.say("EVAL", REMOVE_ENTRIES, 1, word(1), last);
}

const SEQUENCE_MAX = 0xffff_ffff_ffff_ffffn;

/** The id of a stream before this one, which may be milliseconds alone; null for the first. */
function idBefore(text: string): string | null {
  const [ms, sequence = "0"] = text.split("-");
  if (BigInt(sequence) > 0n) return `${ms}-${BigInt(sequence) - 1n}`;
  return BigInt(ms) > 0n ? `${BigInt(ms) - 1n}-${SEQUENCE_MAX}` : null;
}

/** Who reads its own entries behind the last of all becomes a consumer by it. */
function createConsumer(_words: Words, to: Rewording): number {
  const last = `${SEQUENCE_MAX}-${SEQUENCE_MAX}`;
  to.say("XREADGROUP", "GROUP", word(3), word(4), "STREAMS", word(2), last);
  return REWORDED;
}
