/**
 * Values of a snapshot as commands that make them: strings, lists, sets, hashes and sorted sets. Streams are
 * in stream_commands.ts. They read what the walker writes (src/rdb/kinds) in the form that `groupsFirst` asks
 * for, and no other.
 *
 * A collection becomes several commands of up to ELEMENTS_MAX elements each, written as the elements come:
 * nothing of it is kept but one name, or of a hash the names of a command's fields that expire.
 */

import { ElementText } from "../../values/element_text.ts";
import { intsetCount } from "../../values/intset.ts";
import { lpCount, lpFirst, lpNext } from "../../values/listpack.ts";
import { timeOfField, TRIPLE } from "../../values/timed_listpack.ts";
import { QUICKLIST_NODE_PLAIN } from "../format.ts";
import { KeptBytes } from "../kept_bytes.ts";
import { IntsetCursor } from "../packed_cursors.ts";
import type { RdbReader } from "../reader.ts";
import { type CommandWriter, fixedWord } from "./command_writer.ts";

/** Elements of one command at most, as in Redis. */
export const ELEMENTS_MAX = 64;

/** Reads one value and writes it as commands. */
export abstract class ValueCommands {
  constructor(readonly out: CommandWriter, readonly key: Uint8Array) {}

  /**
   * Reads the next piece, which has one string at most, and writes what that completes; true when it was the
   * last. What the reader throws before leaves everything as it was.
   */
  abstract step(reader: RdbReader): boolean;

  /** Begins a command on the key, with so many words behind it. */
  protected begin(name: Uint8Array, words: number): void {
    this.out.begin(words + 2, name);
    this.out.word(this.key, 0, this.key.length);
  }

  /** The string that was read last, as a word. */
  protected read({ strBuf, strOff, strLen }: RdbReader): void {
    this.out.word(strBuf, strOff, strLen);
  }
}

const SET = fixedWord("SET");
const RPUSH = fixedWord("RPUSH");
const SADD = fixedWord("SADD");
const ZADD = fixedWord("ZADD");
const HMSET = fixedWord("HMSET");
const HPEXPIREAT = fixedWord("HPEXPIREAT");
const FIELDS = fixedWord("FIELDS");

export class StringCommands extends ValueCommands {
  override step(reader: RdbReader): boolean {
    reader.readString();
    this.begin(SET, 1);
    this.read(reader);
    return true;
  }
}

/** Elements of one collection, in commands that all have the same name. */
class ElementCommands {
  /** Elements that are still to come in the command that was begun. */
  #open = 0;

  /** `parts` are the words of an element. */
  constructor(
    readonly begin: (words: number) => void,
    readonly parts: number,
    public left: number,
  ) {}

  /** Called before an element is written. */
  next(): void {
    if (this.#open === 0) {
      this.#open = Math.min(ELEMENTS_MAX, this.left);
      this.begin(this.#open * this.parts);
    }
    this.#open--;
    this.left--;
  }

  /** Whether the last element of a command was begun. */
  get isAtEnd(): boolean {
    return this.#open === 0;
  }
}

const text = new ElementText();

/** Nodes: each becomes commands of its own, as they do not say how many elements there are in all. */
export class ListCommands extends ValueCommands {
  #nodes = -1;

  override step(reader: RdbReader): boolean {
    if (this.#nodes < 0) {
      this.#nodes = reader.readCount("list nodes");
      return this.#nodes === 0;
    }
    const container = reader.readPlainLength("the container of a list node");
    reader.readString();
    if (container === QUICKLIST_NODE_PLAIN) {
      this.begin(RPUSH, 1);
      this.read(reader);
    } else packedElements(this.out, (words) => this.begin(RPUSH, words), 1, reader);
    return --this.#nodes === 0;
  }
}

/** The elements of a listpack that was read last, of `parts` entries each, in commands. */
function packedElements(
  out: CommandWriter,
  begin: (words: number) => void,
  parts: number,
  { strBuf, strOff }: RdbReader,
): void {
  const commands = new ElementCommands(begin, parts, lpCount(strBuf, strOff) / parts);
  for (let pos = lpFirst(strBuf, strOff); pos >= 0;) {
    commands.next();
    for (let i = 0; i < parts; i++) {
      text.setEntry(strBuf, pos);
      out.word(text.bytes, text.offset, text.length);
      pos = lpNext(strBuf, pos);
    }
  }
}

/** Members in a listpack. */
export class PackedSetCommands extends ValueCommands {
  override step(reader: RdbReader): boolean {
    reader.readString();
    packedElements(this.out, (words) => this.begin(SADD, words), 1, reader);
    return true;
  }
}

/** Members in an intset. */
export class IntsetCommands extends ValueCommands {
  override step(reader: RdbReader): boolean {
    reader.readString();
    const { strBuf, strOff, strLen, strAt } = reader;
    const count = intsetCount(strBuf, strOff);
    const commands = new ElementCommands((words) => this.begin(SADD, words), 1, count);
    const cursor = new IntsetCursor();
    cursor.open(strBuf, strOff, strLen, strAt);
    while (cursor.next()) {
      commands.next();
      cursor.toText();
      this.out.word(cursor.buf, cursor.off, cursor.len);
    }
    return true;
  }
}

/** Members, or fields and values, one by one. */
export class TableCommands extends ValueCommands {
  #commands: ElementCommands | null = null;
  /** Which part of an element comes next. */
  #part = 0;

  constructor(
    out: CommandWriter,
    key: Uint8Array,
    readonly name: Uint8Array,
    readonly parts: number,
  ) {
    super(out, key);
  }

  static ofSet(out: CommandWriter, key: Uint8Array): TableCommands {
    return new TableCommands(out, key, SADD, 1);
  }

  static ofHash(out: CommandWriter, key: Uint8Array): TableCommands {
    return new TableCommands(out, key, HMSET, 2);
  }

  override step(reader: RdbReader): boolean {
    if (this.#commands === null) {
      const count = reader.readCount("elements");
      const begin = (words: number) => this.begin(this.name, words);
      this.#commands = new ElementCommands(begin, this.parts, count);
      return count === 0;
    }
    reader.readString();
    if (this.#part === 0) this.#commands.next();
    this.read(reader);
    this.#part = (this.#part + 1) % this.parts;
    return this.#part === 0 && this.#commands.left === 0;
  }
}

/** Fields and values in a listpack. */
export class PackedHashCommands extends ValueCommands {
  override step(reader: RdbReader): boolean {
    reader.readString();
    packedElements(this.out, (words) => this.begin(HMSET, words), 2, reader);
    return true;
  }
}

/** A field that expires, and when. */
interface FieldTime {
  readonly field: Uint8Array;
  readonly timeMs: number;
}

/** What hashes with fields that expire have in common: behind a command's fields come their times. */
abstract class TimedCommands extends ValueCommands {
  #times: FieldTime[] = [];

  protected addTime(field: Uint8Array, timeMs: number): void {
    this.#times.push({ field, timeMs });
  }

  protected writeTimes(): void {
    for (const { field, timeMs } of this.#times) {
      this.begin(HPEXPIREAT, 4);
      this.out.millis(timeMs);
      this.out.fixed(FIELDS);
      this.out.integer(1);
      this.out.word(field, 0, field.length);
    }
    this.#times = [];
  }
}

/** Fields one by one, each with its time before it. */
export class TimedHashCommands extends TimedCommands {
  #commands: ElementCommands | null = null;
  #firstMs = 0;
  /** Whether the value of a field comes next. */
  #isAtValue = false;

  override step(reader: RdbReader): boolean {
    const commands = this.#commands;
    if (commands === null) {
      const firstMs = reader.readMillis();
      const count = reader.readCount("fields");
      this.#firstMs = firstMs;
      this.#commands = new ElementCommands((words) => this.begin(HMSET, words), 2, count);
      return count === 0;
    }
    if (!this.#isAtValue) {
      const time = reader.readPlainLength("the time of a field");
      reader.readString();
      commands.next();
      if (time !== 0) {
        const { strBuf, strOff, strLen } = reader;
        this.addTime(strBuf.slice(strOff, strOff + strLen), this.#firstMs + time - 1);
      }
      this.read(reader);
      this.#isAtValue = true;
      return false;
    }
    reader.readString();
    this.read(reader);
    this.#isAtValue = false;
    if (commands.isAtEnd) this.writeTimes();
    return commands.left === 0;
  }
}

/** The same in a listpack of fields, values and times. */
export class PackedTimedHashCommands extends TimedCommands {
  override step(reader: RdbReader): boolean {
    reader.readMillis();
    reader.readString();
    const { strBuf, strOff } = reader;
    const count = lpCount(strBuf, strOff) / TRIPLE;
    const commands = new ElementCommands((words) => this.begin(HMSET, words), 2, count);
    for (let pos = lpFirst(strBuf, strOff); pos >= 0;) {
      commands.next();
      const timeMs = timeOfField(strBuf, pos);
      text.setEntry(strBuf, pos);
      if (timeMs !== 0) this.addTime(text.copy(), timeMs);
      this.out.word(text.bytes, text.offset, text.length);
      pos = lpNext(strBuf, pos);
      text.setEntry(strBuf, pos);
      this.out.word(text.bytes, text.offset, text.length);
      pos = lpNext(strBuf, lpNext(strBuf, pos));
      if (commands.isAtEnd) this.writeTimes();
    }
    return true;
  }
}

/** Members of a sorted set, each with its score behind it. */
export class SortedSetCommands extends ValueCommands {
  #commands: ElementCommands | null = null;
  readonly #member = new KeptBytes();
  #isAtScore = false;

  override step(reader: RdbReader): boolean {
    const commands = this.#commands;
    if (commands === null) {
      const count = reader.readCount("members");
      this.#commands = new ElementCommands((words) => this.begin(ZADD, words), 2, count);
      return count === 0;
    }
    if (!this.#isAtScore) {
      reader.readString();
      this.#member.keep(reader.strBuf, reader.strOff, reader.strLen);
      this.#isAtScore = true;
      return false;
    }
    const score = reader.readBinaryDouble();
    commands.next();
    this.out.score(score);
    this.out.word(this.#member.bytes, 0, this.#member.length);
    this.#isAtScore = false;
    return commands.left === 0;
  }
}

const scoreText = new ElementText();

/** The same in a listpack. */
export class PackedSortedSetCommands extends ValueCommands {
  override step(reader: RdbReader): boolean {
    reader.readString();
    const { strBuf, strOff } = reader;
    const count = lpCount(strBuf, strOff) / 2;
    const commands = new ElementCommands((words) => this.begin(ZADD, words), 2, count);
    for (let pos = lpFirst(strBuf, strOff); pos >= 0;) {
      commands.next();
      const scoreAt = lpNext(strBuf, pos);
      scoreText.setEntry(strBuf, scoreAt);
      this.out.word(scoreText.bytes, scoreText.offset, scoreText.length);
      text.setEntry(strBuf, pos);
      this.out.word(text.bytes, text.offset, text.length);
      pos = lpNext(strBuf, scoreAt);
    }
    return true;
  }
}
