/**
 * Calls drawn from a seed. Keys come from small pools, one per type, so that calls meet each
 * other's keys, and now and then from another type's pool or from one of keys that hardly ever exist.
 * Arguments come from pools in which the awkward values are as frequent as the plain ones. About
 * one call in ten is then bent: a word dropped, doubled, swapped, replaced by junk, misspelt.
 *
 * The same seed gives the same calls on any machine. What is kept out: calls whose effect hangs on
 * the instant (a key that lives for a second), and calls that would make either server build
 * hundreds of megabytes. See {@link tooMuch}.
 */

import { Random } from "../support/random.ts";

/** The kinds of keys that have a pool. */
export type KeyKind =
  | "string"
  | "list"
  | "set"
  | "hash"
  | "zset"
  | "text"
  | "lex"
  | "hll"
  | "geo"
  | "stream";

const KEY_POOLS: Record<KeyKind, readonly string[]> = {
  string: ["s:0", "s:1", "s:2", "s:3", "s:4", "s:{long name}" + "k".repeat(70)],
  list: ["l:0", "l:1", "l:2", "l:3", "l:4"],
  set: ["e:0", "e:1", "e:2", "e:3", "e:\x00\xff"],
  hash: ["h:0", "h:1", "h:2", "h:3"],
  zset: ["z:0", "z:1", "z:2", "z:3", "z:4"],
  // Strings of a few hundred bytes at most: LCS takes time and memory by the product of lengths.
  text: ["t:0", "t:1", "t:2"],
  // Sorted sets with one score: what the BYLEX commands find in any other is left open.
  lex: ["x:0", "x:1", "x:2"],
  hll: ["p:0", "p:1", "p:2", "p:3"],
  geo: ["g:0", "g:1", "g:2"],
  stream: ["m:0", "m:1", "m:2"],
};
const KINDS: readonly KeyKind[] = ["string", "list", "set", "hash", "zset"];
const MISSING = ["no:0", "no:1", ""];

const INTEGERS = [
  "0",
  "1",
  "-1",
  "2",
  "-2",
  "3",
  "7",
  "10",
  "100",
  "-100",
  "12345",
  "4294967295",
  "4294967296",
  "-2147483648",
  "9007199254740993",
  "9223372036854775806",
  "9223372036854775807",
  "-9223372036854775807",
  "-9223372036854775808",
];
const NOT_INTEGERS = [
  "",
  "abc",
  "1.0",
  " 1",
  "1 ",
  "+1",
  "00",
  "01",
  "-0",
  "0x10",
  "1e3",
  "--1",
  "-",
  "9223372036854775808",
  "-9223372036854775809",
  "18446744073709551615",
  "123456789012345678901234567890",
  "1\x00",
];
const FLOATS = [
  "0",
  "1",
  "-1",
  "2",
  "3",
  "1.5",
  "-2.25",
  "0.1",
  "0.2",
  "0.3",
  "3.14159265358979",
  "1e10",
  "1e-10",
  "100000000000000000000",
  "1e21",
  "-0",
  "0.0",
  "inf",
  "-inf",
  "+inf",
  "1e308",
  "-1e308",
  "1.7976931348623157e308",
  "5e-324",
  "123456789.123456789",
  "12345678901234567890",
  "0x10",
  "0x1p3",
  "+5",
  "1.",
  ".5",
  "Infinity",
  "-INF",
];
const NOT_FLOATS = [
  "",
  "abc",
  "nan",
  "NaN",
  "1.5x",
  " 1",
  "1 ",
  "1e400",
  "-1e400",
  "1_0",
  "--1",
  "1,5",
  "1\x00",
];

/** Every byte once: what must pass through a server unharmed. */
const ALL_BYTES = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");

/** Makes words. One of these serves a whole session; all it draws comes from its seed. */
export class Generator extends Random {
  /** DUMP payloads seen in this session, for RESTORE. The session fills it. */
  payloads: string[] = [];

  /** A key of the kind, mostly; sometimes of another kind, sometimes one that hardly ever exists. */
  key(kind: KeyKind): string {
    const roll = this.between(0, 99);
    if (roll < 5) return this.pick(KEY_POOLS[this.pick(KINDS)]);
    if (roll < 9) return this.pick(MISSING);
    return this.pick(KEY_POOLS[kind]);
  }

  /** A sorted set with one score, a string, or a key that nothing ever stores to. */
  lexKey(): string {
    const roll = this.between(0, 99);
    return roll < 92 ? this.pick(KEY_POOLS.lex) : roll < 96 ? "t:0" : "never there";
  }

  /** A key of any kind. */
  anyKey(): string {
    return this.key(this.pick(KINDS));
  }

  /** One or more keys of a kind. */
  keys(kind: KeyKind, most = 4): string[] {
    return this.many(1, most, () => this.key(kind));
  }

  many(fewest: number, most: number, make: () => string): string[] {
    return Array.from({ length: this.between(fewest, most) }, make);
  }

  int(): string {
    const roll = this.between(0, 99);
    if (roll < 45) return String(this.between(-20, 120));
    if (roll < 92) return this.pick(INTEGERS);
    return this.pick(NOT_INTEGERS);
  }

  /** An index into something with a few dozen elements. */
  index(): string {
    return this.chance(0.75) ? String(this.between(-15, 15)) : this.int();
  }

  /** A count that is small if positive. */
  count(): string {
    return this.chance(0.8) ? String(this.between(0, 12)) : this.int();
  }

  float(): string {
    const roll = this.between(0, 99);
    if (roll < 30) return String(this.between(-20, 20));
    if (roll < 45) return (this.between(-100000, 100000) / 1000).toString();
    if (roll < 93) return this.pick(FLOATS);
    return this.pick(NOT_FLOATS);
  }

  /**
   * A score. Never -0: a listpack forgets the sign and a skip list keeps it, and since 7.2 another
   * one of the two may be the first to hold a sorted set.
   */
  score(): string {
    const text = this.float();
    return text === "-0" ? "0" : text;
  }

  /** A text of characters below 256, which stand for bytes: the words of a session are latin1. */
  binary(fewest: number, most: number): string {
    let text = "";
    for (let left = this.between(fewest, most); left > 0; left--) {
      text += String.fromCharCode(this.between(0, 255));
    }
    return text;
  }

  /** A value of a string: words, numbers, nothing, every byte, and lengths around the limits. */
  value(): string {
    const roll = this.between(0, 99);
    if (roll < 25) {
      return this.pick(["a", "b", "hello", "hello world", "foo", "foobar", "ohmytext"]);
    }
    if (roll < 50) return this.int();
    if (roll < 60) return this.float();
    if (roll < 65) return "";
    if (roll < 75) return this.binary(1, 20);
    if (roll < 78) return ALL_BYTES;
    if (roll < 86) return this.pick("xyz\x00\xff".split("")).repeat(this.between(40, 70));
    if (roll < 97) return this.binary(60, 300);
    return this.binary(3, 7).repeat(this.between(1500, 3000));
  }

  /** An element of a list, set or hash, or a member of a sorted set. */
  member(): string {
    const roll = this.between(0, 99);
    if (roll < 40) return "m" + this.between(0, 25);
    if (roll < 70) return String(this.between(-10, 40));
    if (roll < 78) return this.pick(INTEGERS);
    if (roll < 82) return this.pick(NOT_INTEGERS);
    if (roll < 86) return this.pick(FLOATS);
    if (roll < 90) return this.binary(1, 6);
    if (roll < 96) return "long member ".repeat(7) + this.between(0, 9);
    if (roll < 98) return "x".repeat(this.pick([63, 64, 65, 253, 254, 255, 4096]));
    return this.binary(0, 100);
  }

  /** Whole numbers as members: a set of them is an intset. */
  intMember(): string {
    return this.chance(0.9) ? String(this.between(-20, 60)) : this.pick(INTEGERS);
  }

  /** Seconds to live: long enough that nothing expires during a session, or already over. */
  seconds(): string {
    const roll = this.between(0, 99);
    if (roll < 80) return String(this.between(1_000, 1_000_000_000));
    if (roll < 88) return this.pick(["-1", "-100", "0"]);
    return this.pick([
      "9223372036854775807",
      "-9223372036854775808",
      "9223372036854775",
      "9223370336854775",
      "-9223372036854775",
      ...NOT_INTEGERS,
    ]);
  }

  /** Milliseconds to live, see {@link seconds}. */
  millis(): string {
    const roll = this.between(0, 99);
    if (roll < 80) return String(this.between(1_000_000, 4_000_000_000) * 1000);
    return this.pick(["-1", "0", "9223372036854775807", "abc", "", "1.5", "9223370336854775807"]);
  }

  /** A Unix time in seconds: long past or after 2033. */
  unixSeconds(): string {
    const roll = this.between(0, 99);
    if (roll < 75) return String(this.between(2_000_000_000, 4_000_000_000));
    if (roll < 85) return this.pick(["1", "0", "-1", "1000000000"]);
    return this.pick([
      "9223372036854775807",
      "-9223372036854775808",
      "9223372036854775",
      ...NOT_INTEGERS,
    ]);
  }

  unixMillis(): string {
    const roll = this.between(0, 99);
    if (roll < 75) {
      return String(this.between(2_000_000_000, 4_000_000_000) * 1000 + this.between(0, 999));
    }
    return this.pick([
      "1",
      "0",
      "-1",
      "1000000000000",
      "9223372036854775807",
      "abc",
      "-9223372036854775808",
    ]);
  }

  /** A bound of ZRANGEBYSCORE and its kin. */
  scoreBound(): string {
    const roll = this.between(0, 99);
    if (roll < 12) return "-inf";
    if (roll < 24) return "+inf";
    if (roll < 75) return (this.chance(0.3) ? "(" : "") + this.between(-20, 20);
    if (roll < 94) return (this.chance(0.3) ? "(" : "") + this.float();
    return this.pick(["(", "[1", "((1", "-", "+", "(inf", "(-inf", "(nan", "( 1"]);
  }

  /** A bound of ZRANGEBYLEX and its kin. */
  lexBound(): string {
    const roll = this.between(0, 99);
    if (roll < 20) return "-";
    if (roll < 40) return "+";
    if (roll < 93) return this.pick(["[", "("]) + this.member();
    return this.pick(["", "m5", "[", "(", "-x", "+x", "--", "]m1"]);
  }

  /** A glob pattern. */
  pattern(): string {
    return this.pick([
      "*",
      "*",
      "m*",
      "m1?",
      "?",
      "[lsz]:*",
      "s:[0-2]",
      "s:[^0-2]",
      "*1*",
      "h:\\*",
      "[",
      "[a-",
      "\\",
      "",
      "*:*",
      "e:*",
      "m[5-1]*",
      "[\\]a]*",
      "**********x",
      "long*",
    ]);
  }

  /** Upper case, mostly; options are matched without regard to case. */
  case(word: string): string {
    if (this.chance(0.85)) return word;
    if (this.chance(0.5)) return word.toLowerCase();
    return Array.from(word, (c) => this.chance(0.5) ? c.toLowerCase() : c).join("");
  }

  /**
   * None, one or several of the options, in any order, possibly the same twice or two that exclude
   * each other; an option is a word with its arguments.
   */
  soup(options: (() => string[])[], usual = 0.55): string[] {
    if (!this.chance(usual)) return [];
    const count = this.chance(0.65) ? 1 : this.chance(0.7) ? 2 : 3;
    const words: string[] = [];
    for (let i = 0; i < count; i++) {
      const [name, ...args] = this.pick(options)();
      const misspelt = this.chance(0.02) ? name + "X" : this.chance(0.01) ? name.slice(1) : name;
      words.push(this.case(misspelt), ...args);
      if (args.length > 0 && this.chance(0.015)) words.pop();
    }
    return words;
  }

  /** Takes a well-made argument list and, one time in ten, spoils it. */
  bend(args: string[]): string[] {
    if (!this.chance(0.1)) return args;
    const bent = [...args];
    const at = bent.length === 0 ? 0 : this.between(0, bent.length - 1);
    switch (this.between(0, 7)) {
      case 0:
        bent.pop();
        break;
      case 1:
        bent.push(this.pick(["x", "", "0", "1", "GET"]));
        break;
      case 2:
        bent.splice(at, 1);
        break;
      case 3:
        if (bent.length > 0) bent.splice(at, 0, bent[at]);
        break;
      case 4:
        if (bent.length > 1) {
          const other = this.between(0, bent.length - 1);
          [bent[at], bent[other]] = [bent[other], bent[at]];
        }
        break;
      case 5:
        if (bent.length > 0) bent[at] = this.pick(NOT_INTEGERS);
        break;
      case 6:
        if (bent.length > 0) bent[at] = this.pick(INTEGERS);
        break;
      default:
        bent.length = Math.min(bent.length, this.between(0, 1));
    }
    return bent;
  }
}

const WHOLE = /^[+-]?\d+$/;
const LIFE_SECONDS = new Set(["EXPIRE", "SETEX"]);
const LIFE_MILLIS = new Set(["PEXPIRE", "PSETEX", "RESTORE"]);
const RANDOM_COUNT = new Set(["SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER"]);

/**
 * Whether a call must not be sent: it would give a key a life so short that the two servers could
 * be asked on different sides of its end, make a string or a reply of many megabytes, or ask for
 * what Redis leaves undefined.
 */
export function tooMuch(words: string[]): boolean {
  const name = words[0].toUpperCase();
  const numberAt = (i: number) => i < words.length && WHOLE.test(words[i]) ? Number(words[i]) : NaN;
  const shortLife = (value: number, unit: number) => value > 0 && value * unit < 900_000;
  if (LIFE_SECONDS.has(name) && shortLife(numberAt(2), 1000)) return true;
  if (LIFE_MILLIS.has(name) && shortLife(numberAt(2), 1)) return true;
  // Redis adds this to the time of day without a check: the sum is whatever the compiler makes of it.
  if (name === "RESTORE" && numberAt(2) > 9e18) return true;
  if (name === "SET" || name === "GETEX" || name === "RESTORE") {
    for (let i = 1; i < words.length - 1; i++) {
      const option = words[i].toUpperCase();
      if (option === "EX" && shortLife(numberAt(i + 1), 1000)) return true;
      if (option === "PX" && shortLife(numberAt(i + 1), 1)) return true;
    }
  }
  const huge = (value: number) => value > 100_000 && value < 4_294_967_296;
  if ((name === "SETBIT" || name === "SETRANGE") && huge(numberAt(2))) return true;
  if (name === "BITFIELD") {
    for (const word of words) {
      const offset = Number(word.startsWith("#") ? word.slice(1) : word);
      if (offset > 10_000 && offset < 4_294_967_296) return true;
    }
  }
  // A negative count asks for that many members, repeats allowed.
  if (RANDOM_COUNT.has(name) && numberAt(2) < -1000 && words[2] !== "-9223372036854775808") {
    return true;
  }
  return false;
}

/** All keys of a pool. */
export function poolKeys(kind: KeyKind): readonly string[] {
  return KEY_POOLS[kind];
}
