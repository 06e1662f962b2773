/**
 * The syntax of redis.conf: bytes -> lines of words, one at a time, in order, with those of
 * included files in their place. What the words mean is the business of config.ts.
 *
 *   # a comment, only at the start of a line
 *   directive word word ...
 *   directive "with \"escapes\" \n \r \t \b \a \x41" 'taken as it is, but for \''
 *   include /etc/redis/conf.d/?*.conf
 *
 * Words are byte strings: one char code below 256 per byte.
 */

import { isAbsolute, join, SEPARATOR, SEPARATOR_PATTERN } from "@std/path";
import { latin1, toLatin1 } from "../base/bytes.ts";
import { globMatch } from "../base/glob.ts";
import type { Files } from "../runtime/runtime.ts";
import { problemOf } from "../runtime/system_error.ts";
import { TSREDIS_VERSION } from "./version.ts";

/** How deep includes may nest; a file that includes itself ends here with a clear message. */
const MAX_INCLUDE_DEPTH = 16;

/** How many files one start may read; includes that double at each level end here. */
const MAX_FILES = 1000;

const BACKSLASH = 0x5c;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;

/**
 * Splits a line into words, undoing quotes and escapes; inline commands are split the same way.
 * Null if quotes are unbalanced, or if something other than a space follows the closing one.
 */
export function splitWords(
  bytes: Uint8Array,
  off = 0,
  len = bytes.length - off,
): Uint8Array[] | null {
  // A real server splits C strings: nothing behind a zero byte is seen, and neither is it here.
  const zero = bytes.subarray(off, off + len).indexOf(0);
  const end = zero < 0 ? off + len : off + zero;
  const word = new Uint8Array(end - off); // no word is longer than what it is written as
  const words: Uint8Array[] = [];
  let at = off;
  for (;;) {
    while (at < end && isSpace(bytes[at])) at++;
    if (at >= end) return words;
    let length = 0;
    while (at < end && !endsWord(bytes[at])) {
      const byte = bytes[at++];
      if (byte !== DOUBLE_QUOTE && byte !== SINGLE_QUOTE) {
        word[length++] = byte;
        continue;
      }
      while (at < end && bytes[at] !== byte) {
        if (bytes[at] !== BACKSLASH || at + 1 >= end) {
          word[length++] = bytes[at++];
        } else if (byte === SINGLE_QUOTE) {
          if (bytes[at + 1] === SINGLE_QUOTE) at++;
          word[length++] = bytes[at++];
        } else if (bytes[at + 1] === 0x78 && at + 3 < end && hexPair(bytes, at + 2) >= 0) {
          word[length++] = hexPair(bytes, at + 2);
          at += 4;
        } else {
          word[length++] = unescape(bytes[at + 1]);
          at += 2;
        }
      }
      if (at >= end) return null;
      at++;
      if (at < end && !isSpace(bytes[at])) return null;
      break;
    }
    words.push(word.slice(0, length));
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** Vertical tab and form feed stand between words, but do not end one. */
function endsWord(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function hexPair(bytes: Uint8Array, at: number): number {
  const high = hexDigit(bytes[at]);
  const low = hexDigit(bytes[at + 1]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

function unescape(byte: number): number {
  switch (byte) {
    case 0x6e: // n
      return 0x0a;
    case 0x72: // r
      return 0x0d;
    case 0x74: // t
      return 0x09;
    case 0x62: // b
      return 0x08;
    case 0x61: // a
      return 0x07;
    default:
      return byte;
  }
}

/** The words of a line as byte strings; null if its quotes are unbalanced. */
export function lineWords(line: string): string[] | null {
  const words = splitWords(latin1(line));
  return words === null ? null : words.map((word) => toLatin1(word));
}

/** A line without the white space around it, as it is kept and shown. */
export function trimLine(line: string): string {
  return line.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
}

/** Where a line came from, for messages. */
export interface Place {
  /** A path, or words such as "command line". */
  readonly source: string;
  /** Counted from 1. */
  readonly line: number;
  /** The line itself, trimmed. */
  readonly text: string;
}

/**
 * A configuration that the server cannot start with. `message` says what is wrong;
 * `report()` is the whole text for the person at the terminal.
 */
export class ConfigError extends Error {
  /** "ConfigError". */
  override name = "ConfigError";

  /** `place` is null if there is no line to show; `hint` is a sentence that may help. */
  constructor(message: string, readonly place: Place | null, readonly hint = "") {
    super(message);
  }

  /** The text for stderr, laid out as tools and people know it, with the file in the last line. */
  report(): string {
    if (this.place === null) return this.message;
    return [FATAL, ...this.#lines()].join("\n");
  }

  /** As `report`, of several lines that are wrong; `hint` is for all of them. */
  static reportAll(errors: readonly ConfigError[], hint: string): string {
    return [FATAL, ...errors.flatMap((error) => error.#lines()), hint].join("\n");
  }

  #lines(): string[] {
    const { source, line, text } = this.place!;
    return [
      `Reading the configuration file, at line ${line}`,
      `>>> '${text}'`,
      this.message,
      ...(this.hint === "" ? [] : [this.hint]),
      `File: ${source}`,
    ];
  }
}

/** The first line of what a person is told of a configuration that the server cannot start with. */
export const FATAL = `*** FATAL CONFIG FILE ERROR (tsredis ${TSREDIS_VERSION}) ***`;

/** A line of words, to be taken in; throws a ConfigError if it cannot be. */
export type LineReader = (words: string[], place: Place) => void;

/** Bytes of configuration, and what to call them in messages. */
export interface Source {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Walks the lines of files and of what they include. One object serves one start. */
export class LineWalker {
  /** The folder that relative paths of includes count from; `dir` moves it. */
  folder: string;
  readonly #files: Files;
  readonly #read: LineReader;
  #included = 0;

  constructor(files: Files, folder: string, read: LineReader) {
    this.#files = files;
    this.folder = folder;
    this.#read = read;
  }

  /** Hands on each line of the source that holds words. Throws a ConfigError. */
  walk(source: Source, depth = 0): void {
    const lines = toLatin1(source.bytes).split("\n");
    for (let i = 0; i < lines.length; i++) {
      const text = trimLine(lines[i]);
      if (text === "" || text[0] === "#") continue;
      const place = { source: source.name, line: i + 1, text };
      const words = lineWords(text);
      if (words === null) throw new ConfigError("Unbalanced quotes in configuration line", place);
      if (words.length === 0) continue;
      words[0] = words[0].toLowerCase();
      if (words[0] === "include" && words.length === 2) this.#include(words[1], place, depth + 1);
      else this.#read(words, place);
    }
  }

  #include(pattern: string, place: Place, depth: number): void {
    if (depth > MAX_INCLUDE_DEPTH) {
      throw new ConfigError(
        `Includes nest deeper than ${MAX_INCLUDE_DEPTH} files`,
        place,
        "Does a file include itself?",
      );
    }
    for (const path of expandPath(this.#files, toPath(pattern), this.folder)) {
      if (++this.#included > MAX_FILES) {
        throw new ConfigError(`Includes name more than ${MAX_FILES} files`, place);
      }
      this.walk({ name: path, bytes: readConfigFile(this.#files, path) }, depth);
    }
  }
}

/** The bytes of a configuration file. Throws a ConfigError worded as a real server logs it. */
export function readConfigFile(files: Files, path: string): Uint8Array {
  try {
    return files.read(path);
  } catch (error) {
    throw new ConfigError(
      `Fatal error, can't open config file '${path}': ${problemOf(error)}`,
      null,
    );
  }
}

/** A path for the system from a byte string of the configuration (UTF-8 there). */
export function toPath(bytes: string): string {
  return new TextDecoder().decode(latin1(bytes));
}

/** A byte string for the configuration from text of the system: a path, a command line word. */
export function fromText(text: string): string {
  return toLatin1(new TextEncoder().encode(text));
}

/**
 * The files that a path with `*`, `?` or `[` stands for, in order of name; possibly none. A path
 * without these is itself. As in a shell, a leading dot has to be asked for.
 */
function expandPath(files: Files, path: string, folder: string): string[] {
  const full: string = isAbsolute(path) ? path : join(folder, path);
  if (!WILDCARD.test(path)) return [full];
  const parts = full.split(SEPARATOR_PATTERN);
  let found = [parts[0] + SEPARATOR]; // the root, be it "/" or a drive
  for (let i = 1; i < parts.length; i++) {
    const isLast = i === parts.length - 1;
    found = found.flatMap((base) =>
      WILDCARD.test(parts[i])
        ? matchingEntries(files, base, parts[i], isLast)
        : [join(base, parts[i])]
    );
  }
  return found.filter((path) => isReachable(files, path));
}

const WILDCARD = /[*?[]/;

function matchingEntries(
  files: Files,
  folder: string,
  part: string,
  wantFile: boolean,
): string[] {
  const pattern = new TextEncoder().encode(part);
  let entries: ReturnType<Files["list"]>;
  try {
    entries = files.list(folder);
  } catch {
    return []; // a folder that is not there or not readable holds no match
  }
  return entries.filter((entry) => {
    const name = new TextEncoder().encode(entry.name);
    return !(wantFile && entry.isFolder) && (part[0] === "." || entry.name[0] !== ".") &&
      globMatch(pattern, 0, pattern.length, name, 0, name.length, false);
  }).map((entry) => join(folder, entry.name)).sort();
}

function isReachable(files: Files, path: string): boolean {
  try {
    return files.info(path) !== null;
  } catch {
    return false;
  }
}
