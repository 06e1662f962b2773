/**
 * The kinds of value that a directive can have: how each is read from the words of a line or of
 * CONFIG SET, how CONFIG GET shows it, and how CONFIG REWRITE writes it back.
 *
 * Words and texts are byte strings: one char code below 256 per byte, whatever the encoding of the
 * file is. Error texts are those that clients know from real servers.
 */

import { notifyFlags, notifyLetters } from "./notify.ts";

/** The largest signed 64-bit number. */
export const I64_MAX = 9223372036854775807n;
/** The largest unsigned 64-bit number. */
export const U64_MAX = 18446744073709551615n;
/** The largest signed 32-bit number. */
export const I32_MAX = 2147483647n;
/** The smallest signed 32-bit number. */
export const I32_MIN = -2147483648n;
/** The largest unsigned 32-bit number. */
export const U32_MAX = 4294967295n;

/** A value that its directive does not take; the message is the one that clients get to see. */
export class ConfigValueError extends Error {
  override name = "ConfigValueError";
}

/** A value, and the text with which CONFIG GET shows it. */
export interface Parsed<T> {
  value: T;
  text: string;
}

/** One way of reading and writing values. */
export interface Kind<T> {
  /** What the value is, in a few words for documentation. */
  readonly label: string;
  /** Whether a line of the file may hold several words for it. */
  readonly multi: boolean;
  /**
   * Reads a value; throws a ConfigValueError. Without `multi` there is exactly one word.
   * `adding` says that the file being read has named the directive before: `save` adds up then.
   */
  parse(words: readonly string[], previous: T, adding: boolean): Parsed<T>;
  /** What follows the name in the rewritten file, one entry per line. */
  lines(parsed: Parsed<T>): string[];
}

/** The words of a line of the file: `save "60 1 300 10"` means the same without the quotes. */
export function fileWords(kind: Kind<unknown>, words: readonly string[]): readonly string[] {
  return words.length === 1 ? splitValue(kind, words[0]) : words;
}

/** Splits a value that is given as one text into words, at single spaces. */
export function splitValue(kind: Kind<unknown>, value: string): string[] {
  if (!kind.multi) return [value];
  return value === "" ? [] : value.split(" ");
}

/** A text in quotes that splitWords reads back to the same bytes. */
export function quote(text: string): string {
  let quoted = '"';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const escaped = ESCAPES[code];
    if (escaped !== undefined) quoted += escaped;
    else if (code >= 0x20 && code < 0x7f) quoted += text[i];
    else quoted += "\\x" + code.toString(16).padStart(2, "0");
  }
  return quoted + '"';
}

const ESCAPES: Record<number, string> = {
  0x07: "\\a",
  0x08: "\\b",
  0x09: "\\t",
  0x0a: "\\n",
  0x0d: "\\r",
  0x22: '\\"',
  0x5c: "\\\\",
};

/** `yes` or `no`. */
export function boolKind(): Kind<boolean> {
  return {
    label: "yes or no",
    multi: false,
    parse([word]) {
      const text = word.toLowerCase();
      if (text !== "yes" && text !== "no") fail("argument must be 'yes' or 'no'");
      return { value: text === "yes", text };
    },
    lines: ({ text }) => [text],
  };
}

/**
 * A decimal integer. The value is a JS number: beyond 2^53 it is rounded, the text stays exact.
 * `clamp` moves what is in range into the narrower range that is used.
 */
export function intKind(
  min: bigint,
  max: bigint,
  clamp?: readonly [bigint, bigint],
): Kind<number> {
  return {
    label: `integer from ${min} to ${max}`,
    multi: false,
    parse([word]) {
      if (!/^(0|-?[1-9][0-9]{0,18})$/.test(word)) failInteger();
      let exact = BigInt(word);
      if (exact !== BigInt.asIntN(64, exact)) failInteger();
      checkRange(exact, min, max);
      if (clamp) exact = exact < clamp[0] ? clamp[0] : exact > clamp[1] ? clamp[1] : exact;
      return { value: Number(exact), text: String(exact) };
    },
    lines: ({ text }) => [text],
  };
}

/** A file mode in octal digits, as a number. */
export function octalKind(max: number): Kind<number> {
  return {
    label: `octal number up to ${max.toString(8)}`,
    multi: false,
    parse([word]) {
      if (!/^[+-]?[0-7]+$/.test(word)) fail("argument couldn't be parsed as an octal number");
      const value = parseInt(word, 8);
      if (value < 0 || value > max) {
        fail(`argument must be between 0 and ${max.toString(8)} inclusive`);
      }
      return { value, text: value.toString(8) };
    },
    lines: ({ text }) => [text],
  };
}

/**
 * Bytes, with one of the units b, k, kb, m, mb, g, gb; k is 1000 and kb is 1024. What is in range
 * but below `least` becomes `least`.
 */
export function memoryKind(min: bigint, max: bigint, least = min): Kind<number> {
  return {
    label: "memory size",
    multi: false,
    parse([word]) {
      let bytes = memoryBytes(word);
      if (bytes === null) fail("argument must be a memory value");
      checkRange(bytes, min, max);
      if (bytes < least) bytes = least;
      return { value: Number(bytes), text: String(bytes) };
    },
    lines: ({ text }) => [memoryText(BigInt(text))],
  };
}

/** A memory size, or a percentage of `maxmemory`, which is kept as a negative number. */
export function memoryOrPercentKind(): Kind<number> {
  return {
    label: "memory size or percentage",
    multi: false,
    parse([word]) {
      const percent = /^(0|[1-9][0-9]{0,17})%$/.exec(word);
      if (percent) {
        const value = Number(percent[1]);
        if (value > 100) fail("percentage argument must be less or equal to 100");
        return value === 0 ? { value: 0, text: "0" } : { value: -value, text: `${value}%` };
      }
      const bytes = memoryBytes(word);
      if (bytes === null) fail("argument must be a memory or percent value");
      return { value: Number(bytes), text: String(bytes) };
    },
    lines: ({ text }) => [text.endsWith("%") ? text : memoryText(BigInt(text))],
  };
}

/** One of these words, in any case. */
export function choiceKind<C extends string>(choices: readonly C[]): Kind<C> {
  return {
    label: choices.join(", "),
    multi: false,
    parse([word]) {
      const folded = word.toLowerCase();
      const value = choices.find((choice) => choice.toLowerCase() === folded);
      if (value === undefined) failChoice(choices);
      return { value, text: value };
    },
    lines: ({ text }) => [text],
  };
}

/** Any bytes. `check` answers with a message for those it refuses. */
export function textKind(check?: (text: string) => string | undefined): Kind<string> {
  return {
    label: "text",
    multi: false,
    parse([word]) {
      const problem = check?.(word);
      if (problem !== undefined) fail(problem);
      return { value: word, text: word };
    },
    lines: ({ text }) => [quote(text)],
  };
}

/** Text that means "none" when empty: such a directive leaves no line in the rewritten file. */
export function optionalTextKind(check?: (text: string) => string | undefined): Kind<string> {
  return { ...textKind(check), lines: ({ text }) => text === "" ? [] : [quote(text)] };
}

/** Save after this many seconds if at least this many changes have been made. */
export interface SavePoint {
  readonly seconds: number;
  readonly changes: number;
}

/** The save points; an empty list means never. */
export function saveKind(): Kind<readonly SavePoint[]> {
  return {
    label: "pairs of seconds and changes",
    multi: true,
    parse(words, previous, adding) {
      if (words.length % 2 !== 0) fail("Invalid save parameters");
      const points = adding && words.length > 0 ? [...previous] : [];
      for (let i = 0; i < words.length; i += 2) {
        const seconds = wholeNumber(words[i]);
        const changes = wholeNumber(words[i + 1]);
        if (seconds === null || seconds < 1 || changes === null) fail("Invalid save parameters");
        points.push({ seconds, changes });
      }
      return { value: points, text: points.map(savePointText).join(" ") };
    },
    lines: ({ value }) => value.length === 0 ? ['""'] : value.map(savePointText),
  };
}

function savePointText({ seconds, changes }: SavePoint): string {
  return `${seconds} ${changes}`;
}

/** When to drop a client that does not read its replies; 0 means no limit. */
export interface OutputLimit {
  /** Bytes at which the client goes at once. */
  readonly hardBytes: number;
  /** Bytes that it may not stay above for `softSeconds`. */
  readonly softBytes: number;
  readonly softSeconds: number;
}

/** A limit for each class of client. */
export interface OutputLimits {
  readonly normal: OutputLimit;
  readonly replica: OutputLimit;
  readonly pubsub: OutputLimit;
}

/** No limits: what the directive's own default is read on top of. */
export const NO_OUTPUT_LIMITS: OutputLimits = {
  normal: { hardBytes: 0, softBytes: 0, softSeconds: 0 },
  replica: { hardBytes: 0, softBytes: 0, softSeconds: 0 },
  pubsub: { hardBytes: 0, softBytes: 0, softSeconds: 0 },
};

/** `class hard soft seconds`, for one class or several; the classes not named stay as they are. */
export function outputLimitsKind(): Kind<OutputLimits> {
  return {
    label: "class, hard limit, soft limit, soft seconds",
    multi: true,
    parse(words, previous) {
      if (words.length % 4 !== 0) {
        fail("Wrong number of arguments in buffer limit configuration.");
      }
      const value = { ...previous };
      for (let i = 0; i < words.length; i += 4) {
        const name = OUTPUT_CLASSES[words[i].toLowerCase()];
        if (name === undefined) {
          fail("Invalid client class specified in buffer limit configuration.");
        }
        const hard = memoryBytes(words[i + 1]);
        const soft = memoryBytes(words[i + 2]);
        const softSeconds = wholeNumber(words[i + 3]);
        if (hard === null || soft === null || softSeconds === null) {
          fail("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
        }
        value[name] = { hardBytes: Number(hard), softBytes: Number(soft), softSeconds };
      }
      return { value, text: outputLimitTexts(value, String).join(" ") };
    },
    lines: ({ value }) => outputLimitTexts(value, (bytes) => memoryText(BigInt(bytes))),
  };
}

const OUTPUT_CLASSES: Record<string, keyof OutputLimits | undefined> = {
  normal: "normal",
  slave: "replica",
  replica: "replica",
  pubsub: "pubsub",
};

function outputLimitTexts(limits: OutputLimits, bytesText: (bytes: number) => string): string[] {
  // CONFIG GET and the rewritten file name the replica class as old clients expect it.
  const named = [["normal", limits.normal], ["slave", limits.replica], ["pubsub", limits.pubsub]];
  return (named as [string, OutputLimit][]).map(([name, { hardBytes, softBytes, softSeconds }]) =>
    `${name} ${bytesText(hardBytes)} ${bytesText(softBytes)} ${softSeconds}`
  );
}

/**
 * Addresses to listen on; `*` is every IPv4 one, `::*` every IPv6 one, a `-` before it makes one
 * optional.
 */
export function bindKind(): Kind<readonly string[]> {
  return {
    label: "up to 16 addresses",
    multi: true,
    parse(words) {
      if (words.length > 16) fail("Too many bind addresses specified.");
      return { value: [...words], text: words.join(" ") };
    },
    lines: ({ text }) => [text === "" ? '""' : text],
  };
}

/** Three numbers for the kernel's out-of-memory score. */
export function oomScoresKind(): Kind<readonly number[]> {
  return {
    label: "three integers from -2000 to 2000",
    multi: true,
    parse(words) {
      if (words.length !== 3) fail("wrong number of arguments");
      const value = words.map((word) => /^[+-]?[0-9]+$/.test(word) ? Number(word) : NaN);
      if (!value.every((score) => score >= -2000 && score <= 2000)) {
        fail("Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
      }
      return { value, text: value.join(" ") };
    },
    lines: ({ text }) => [text],
  };
}

const FLOAT = /^[+-]?(0x[0-9a-f]+|([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?)$/i;

/** Percentiles of command latency; may be empty. */
export function percentilesKind(): Kind<readonly number[]> {
  const name = "latency-tracking-info-percentiles";
  return {
    label: "numbers from 0 to 100",
    multi: true,
    parse(words) {
      const value = words.map((word) => {
        if (!FLOAT.test(word)) fail(`Invalid ${name} parameters`);
        // Number() knows no sign before 0x.
        const percentile = Number(word.replace(/^[+-]/, "")) * (word[0] === "-" ? -1 : 1);
        if (!(percentile >= 0 && percentile <= 100)) {
          fail(`${name} parameters should sit between [0.0,100.0]`);
        }
        return percentile;
      });
      return { value, text: value.map((v) => String(Number(v.toFixed(6)))).join(" ") };
    },
    lines: ({ text }) => [text === "" ? '""' : text],
  };
}

/** How a signal shuts the server down; none of the words means the default. */
export type ShutdownOption = "save" | "nosave" | "now" | "force";

const SHUTDOWN_WORDS = ["default", "save", "nosave", "now", "force"] as const;

/** A set of shutdown options. */
export function shutdownKind(): Kind<readonly ShutdownOption[]> {
  return {
    label: "default, or some of save, nosave, now, force",
    multi: true,
    parse(words) {
      const given = new Set(words.map((word) => word.toLowerCase()));
      const known: readonly string[] = SHUTDOWN_WORDS;
      if (given.size === 0 || ![...given].every((word) => known.includes(word))) {
        failChoice(known);
      }
      if (given.has("save") && given.has("nosave")) {
        fail("shutdown options SAVE and NOSAVE can't be used simultaneously");
      }
      const value = SHUTDOWN_WORDS.filter((word): word is ShutdownOption =>
        word !== "default" && given.has(word)
      );
      return { value, text: value.join(" ") || "default" };
    },
    lines: ({ text }) => [text],
  };
}

/** The classes of keyspace events, as the bits of notify.ts. */
export function notifyKind(): Kind<number> {
  return {
    label: "letters of keyspace event classes",
    multi: false,
    parse([word]) {
      const value = notifyFlags(word);
      if (value === null) fail("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
      return { value, text: notifyLetters(value) };
    },
    lines: ({ value }) => [quote(notifyLetters(value, true))],
  };
}

/** Where the master of this server is; null for a server that is a master itself. */
export interface MasterAddress {
  readonly host: string;
  readonly port: number;
}

/** `host port`, or `no one`. */
export function masterKind(): Kind<MasterAddress | null> {
  return {
    label: "host and port, or no one",
    multi: true,
    parse(words) {
      if (words.length !== 2) fail("wrong number of arguments");
      const [host, portWord] = words;
      if (host.toLowerCase() === "no" && portWord.toLowerCase() === "one") {
        return { value: null, text: "" };
      }
      const port = wholeNumber(portWord);
      if (port === null || port > 65535) fail("Invalid master port");
      return host === ""
        ? { value: null, text: "" }
        : { value: { host, port }, text: `${host} ${port}` };
    },
    lines: ({ text }) => text === "" ? [] : [text],
  };
}

/** The number of bytes that a word such as `64mb` means; null if it means none. Ends at 2^64 - 1. */
export function memoryBytes(word: string): bigint | null {
  const parts = /^([0-9]*)(b|kb?|mb?|gb?)?$/i.exec(word);
  if (parts === null || word.length > 64) return null;
  const bytes = BigInt(parts[1]) * MEMORY_UNITS[(parts[2] ?? "b").toLowerCase()];
  return bytes > U64_MAX ? U64_MAX : bytes;
}

const MEMORY_UNITS: Record<string, bigint> = {
  b: 1n,
  k: 1000n,
  kb: 1024n,
  m: 1_000_000n,
  mb: 1024n ** 2n,
  g: 1_000_000_000n,
  gb: 1024n ** 3n,
};

/** The bytes with the largest unit that divides them. */
function memoryText(bytes: bigint): string {
  for (const unit of ["gb", "mb", "kb"]) {
    if (bytes !== 0n && bytes % MEMORY_UNITS[unit] === 0n) return bytes / MEMORY_UNITS[unit] + unit;
  }
  return String(bytes);
}

/** A number from 0 on, as strtoll reads one; null for anything else. */
function wholeNumber(word: string): number | null {
  return /^\+?[0-9]{1,19}$/.test(word) ? Number(word) : null;
}

function checkRange(value: bigint, min: bigint, max: bigint): void {
  if (value < min || value > max) fail(`argument must be between ${min} and ${max} inclusive`);
}

function failInteger(): never {
  fail("argument couldn't be parsed into an integer");
}

function failChoice(choices: readonly string[]): never {
  fail(`argument(s) must be one of the following: ${choices.join(", ")}`);
}

function fail(message: string): never {
  throw new ConfigValueError(message);
}
