/**
 * The one ordered stream of writes: every change of the data, once, as the RESP bytes of a command
 * that has the same outcome whenever and wherever it is run (see "Outcomes enter the stream" in
 * NOTES).
 *
 * It has two taps. On a master both give the same; on a replica
 *
 *     attach          what replicas are sent: the bytes of its master, as they came
 *     attachApplied   what was applied here: the master's changes, and those of its own clients
 *
 * What changes no data (PUBLISH) comes out of the first only, and scripts may choose (`limited`).
 *
 * What one request changes is a unit: its commands are collected and enter the stream together when
 * the unit ends, between MULTI and EXEC if there is more than one. Before a command of another
 * database than that of the one before comes a SELECT (within the transaction, as in Redis 7.2). The offset counts bytes, as Redis's replication offset does.
 *
 * While nobody reads, nothing is encoded; while nobody reads for replicas, the offset stands still (as
 * in Redis, whose backlog begins with the first replica). See "Bytes of a master are handed on" in
 * NOTES. Not promised: that anything has been kept when `endUnit` returns; that is the readers' business.
 */

import { copyBytes, latin1, writeText } from "../base/bytes.ts";
import { integerLength, writeInteger } from "../base/integers.ts";
import type { Words } from "../resp/words.ts";
import { type StreamPart, WordAt } from "./stream_part.ts";

/**
 * Takes the stream's next bytes. They hold only during the call, unless `isKept`: then they never change, as long as
 * somebody holds `bytes` itself.
 */
export type StreamReader = (
  bytes: Uint8Array,
  offset: number,
  length: number,
  isKept: boolean,
) => void;

const MULTI = latin1("*1\r\n$5\r\nMULTI\r\n");
const EXEC = latin1("*1\r\n$4\r\nEXEC\r\n");
const UNIT_BYTES = 4096;
/** A unit's buffer is given back when it has grown beyond this. */
const UNIT_BYTES_KEPT = 1 << 20;

/** Whom a command is for: those who take what was applied here (a log), */
export const FOR_LOG = 1;
/** replicas, */
export const FOR_REPLICAS = 2;
/** or both. */
export const FOR_ALL = 3;

/** One of the two taps: who takes it, and which database was selected there last. */
class Tap {
  readers: StreamReader[] = [];
  /** -1 makes the next command start with SELECT. */
  database = -1;

  /** `bit` is FOR_LOG or FOR_REPLICAS. */
  constructor(readonly bit: number) {}

  add(reader: StreamReader): void {
    this.readers.push(reader);
    this.database = -1;
  }

  remove(reader: StreamReader): void {
    this.readers = this.readers.filter((other) => other !== reader);
  }
}

export class WriteStream {
  /** Bytes that have entered the stream. */
  offset = 0;
  /** Bytes that have come out for those who take what was applied here. */
  appliedOffset = 0;
  /** Whether changes made here enter the stream: callers leave out all work otherwise. */
  isActive = false;
  /** What replicas are sent. */
  readonly #replicas = new Tap(FOR_REPLICAS);
  /** What was applied here. */
  readonly #applied = new Tap(FOR_LOG);
  #isRelaying = false;
  /** How many want nothing to enter. */
  #mutes = 0;
  /** The unit's commands, encoded one after the other, and where each begins. */
  #unit = new Uint8Array(UNIT_BYTES);
  #length = 0;
  #begins = new Int32Array(16);
  #databases = new Int32Array(16);
  /** FOR_* of each. */
  #parts = new Int32Array(16);
  #count = 0;
  /** FOR_* of what is added now. */
  #addedFor = FOR_ALL;

  /**
   * Adds a reader of what replicas are sent: what `offset` counts, on a replica its master's bytes. It
   * gets everything from now on; a SELECT comes first.
   */
  attach(reader: StreamReader): void {
    this.#replicas.add(reader);
    this.#activate();
  }

  /**
   * Adds a reader of what is applied here, by whomever: on a master the same bytes; on a replica the
   * commands of its master that have changed something, and what its own clients have changed. It gets
   * everything from now on; a SELECT comes first. Not promised: that it hears of a dataset that is
   * exchanged for another as a whole (a full sync).
   */
  attachApplied(reader: StreamReader): void {
    this.#applied.add(reader);
    this.#activate();
  }

  /** Ends `attach` or `attachApplied`. */
  detach(reader: StreamReader): void {
    this.#replicas.remove(reader);
    this.#applied.remove(reader);
    this.#activate();
  }

  #activate(): void {
    const isHeard = this.#applied.readers.length > 0 ||
      (this.#replicas.readers.length > 0 && !this.#isRelaying);
    this.isActive = isHeard && this.#mutes === 0;
  }

  /** Database of the command that was the last for replicas; -1 when the next one starts with SELECT. */
  get database(): number {
    return this.#replicas.database;
  }

  /** The next command for replicas starts with SELECT: a new reader does not know the database. */
  reselect(): void {
    this.#replicas.database = -1;
  }

  /** The next command for those who take what was applied starts with SELECT. */
  reselectApplied(): void {
    this.#applied.database = -1;
  }

  /** Whether the stream is that of a master (see `relay`) and not of what happens here. */
  get isRelaying(): boolean {
    return this.#isRelaying;
  }

  set isRelaying(value: boolean) {
    // What was not finished has been applied here, but is of no history that replicas have.
    if (!value) this.endUnit();
    this.#isRelaying = value;
    if (value) this.endUnit();
    this.#replicas.database = this.#applied.database = -1;
    this.#activate();
  }

  /** Puts bytes of the master's stream into this one, as they came; see StreamReader for `isKept`. */
  relay(bytes: Uint8Array, offset: number, length: number, isKept = false): void {
    if (length === 0) return;
    this.offset += length;
    for (const reader of this.#replicas.readers) reader(bytes, offset, length, isKept);
  }

  /** Adds a request to the unit, in the words in which it came. */
  addWords(database: number, words: Words): void {
    if (!this.isActive) return;
    this.#begin(database);
    this.#line(0x2a, words.count);
    for (let i = 0; i < words.count; i++) {
      this.#bulk(words.bytes, words.starts[i], words.lengths[i]);
    }
  }

  /** Adds a request to the unit, given its RESP bytes. */
  addEncoded(database: number, bytes: Uint8Array, offset: number, length: number): void {
    if (!this.isActive) return;
    this.#begin(database);
    this.#ensure(length);
    copyBytes(this.#unit, this.#length, bytes, offset, length);
    this.#length += length;
  }

  /**
   * Adds a request, given its RESP bytes, and ends the unit with it. When it is the only one of the
   * unit it enters the stream at once, without a copy in between. See StreamReader for `isKept`.
   */
  endUnitWith(
    database: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    isKept = false,
  ): void {
    if (!this.isActive) return;
    if (this.#count > 0) {
      this.addEncoded(database, bytes, offset, length);
      this.endUnit();
      return;
    }
    const { readers } = this.#applied;
    if (!this.#isRelaying && this.#replicas.readers.length > 0) {
      this.#emitOne(this.#replicas, database, bytes, offset, length, isKept);
    }
    if (readers.length > 0) {
      this.#emitOne(this.#applied, database, bytes, offset, length, isKept);
    }
  }

  #emitOne(
    tap: Tap,
    database: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    isKept: boolean,
  ): void {
    if ((this.#addedFor & tap.bit) === 0) return;
    if (database !== tap.database) this.#select(tap, database);
    this.#emit(tap, bytes, offset, length, isKept);
  }

  /** Adds a command to the unit, made of these parts; `words` are what `WordAt` counts. */
  add(database: number, parts: readonly StreamPart[], words: Words | null = null): void {
    if (!this.isActive) return;
    this.#begin(database);
    this.#line(0x2a, parts.length);
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      if (typeof part === "string") this.#text(part);
      else if (typeof part === "number") this.#number(part);
      else if (part instanceof WordAt) {
        const { index } = part;
        this.#bulk(words!.bytes, words!.starts[index], words!.lengths[index]);
      } else this.#bulk(part, 0, part.length);
    }
  }

  /**
   * Takes the memory for so many bytes of commands, and so many of them: what is added after a change must not fail
   * for lack of it. @throws RangeError when there is none
   */
  reserve(bytes: number, commands = 1): void {
    this.#ensure(bytes);
    while (this.#count + commands > this.#begins.length) this.#enlargeUnit();
  }

  /** Does `work`, of whose changes nothing enters the stream. */
  mute(work: () => void): void {
    this.#mute(1);
    try {
      work();
    } finally {
      this.#mute(-1);
    }
  }

  /** The same for work that lets others have their turn: no change made until its end enters the stream. */
  async muteDuring<T>(work: () => Promise<T>): Promise<T> {
    this.#mute(1);
    try {
      return await work();
    } finally {
      this.#mute(-1);
    }
  }

  #mute(more: number): void {
    this.#mutes += more;
    this.#activate();
  }

  /** Does `work`; what it adds to the stream is only for some, FOR_*. */
  limited(parts: number, work: () => void): void {
    const before = this.#addedFor;
    this.#addedFor = before & parts;
    try {
      work();
    } finally {
      this.#addedFor = before;
    }
  }

  /** Whether the unit has commands. */
  get hasPending(): boolean {
    return this.#length > 0;
  }

  /** Has what `work` adds enter the stream as a unit by itself, or with the unit that has begun already. */
  unit(work: () => void): void {
    if (this.hasPending) return work();
    try {
      work();
    } finally {
      this.endUnit();
    }
  }

  /** The request is done: its commands enter the stream. Answers whether there were any. */
  endUnit(): boolean {
    const commands = this.#count;
    if (commands === 0) return false;
    if (!this.#isRelaying && this.#replicas.readers.length > 0) this.#emitUnit(this.#replicas);
    if (this.#applied.readers.length > 0) this.#emitUnit(this.#applied);
    this.#dropUnit();
    return true;
  }

  /** The unit's commands that are for this tap. */
  #emitUnit(tap: Tap): void {
    const commands = this.#count;
    let count = 0;
    for (let n = 0; n < commands; n++) if ((this.#parts[n] & tap.bit) !== 0) count++;
    if (count > 1) this.#emit(tap, MULTI, 0, MULTI.length);
    for (let n = 0; n < commands; n++) {
      if ((this.#parts[n] & tap.bit) === 0) continue;
      if (this.#databases[n] !== tap.database) this.#select(tap, this.#databases[n]);
      const begin = this.#begins[n];
      const end = n + 1 < commands ? this.#begins[n + 1] : this.#length;
      this.#emit(tap, this.#unit, begin, end - begin);
    }
    if (count > 1) this.#emit(tap, EXEC, 0, EXEC.length);
  }

  #dropUnit(): void {
    this.#count = 0;
    this.#length = 0;
    if (this.#unit.length > UNIT_BYTES_KEPT) this.#unit = new Uint8Array(UNIT_BYTES);
  }

  #select(tap: Tap, database: number): void {
    const digits = String(database);
    const bytes = latin1(`*2\r\n$6\r\nSELECT\r\n$${digits.length}\r\n${digits}\r\n`);
    this.#emit(tap, bytes, 0, bytes.length);
    tap.database = database;
  }

  #emit(tap: Tap, bytes: Uint8Array, offset: number, length: number, isKept = false): void {
    if (tap === this.#replicas) this.offset += length;
    else this.appliedOffset += length;
    const { readers } = tap;
    for (let i = 0; i < readers.length; i++) readers[i](bytes, offset, length, isKept);
  }

  #begin(database: number): void {
    if (this.#count === this.#begins.length) this.#enlargeUnit();
    const n = this.#count++;
    this.#begins[n] = this.#length;
    this.#databases[n] = database;
    this.#parts[n] = this.#addedFor;
  }

  /** Makes room for more commands, in all three or in none. */
  #enlargeUnit(): void {
    const begins = enlarged(this.#begins);
    const parts = enlarged(this.#parts);
    this.#databases = enlarged(this.#databases);
    this.#parts = parts;
    this.#begins = begins;
  }

  #bulk(bytes: Uint8Array, offset: number, length: number): void {
    this.#line(0x24, length);
    this.#ensure(length + 2);
    copyBytes(this.#unit, this.#length, bytes, offset, length);
    this.#length += length;
    this.#unit[this.#length++] = 13;
    this.#unit[this.#length++] = 10;
  }

  #text(text: string): void {
    this.#line(0x24, text.length);
    this.#ensure(text.length + 2);
    this.#length = writeText(this.#unit, this.#length, text);
    this.#unit[this.#length++] = 13;
    this.#unit[this.#length++] = 10;
  }

  #number(n: number): void {
    if (!Number.isSafeInteger(n)) return this.#text(String(n));
    this.#line(0x24, integerLength(n));
    this.#ensure(24);
    this.#length += writeInteger(this.#unit, this.#length, n);
    this.#unit[this.#length++] = 13;
    this.#unit[this.#length++] = 10;
  }

  #line(type: number, n: number): void {
    this.#ensure(24);
    this.#unit[this.#length++] = type;
    this.#length += writeInteger(this.#unit, this.#length, n);
    this.#unit[this.#length++] = 13;
    this.#unit[this.#length++] = 10;
  }

  #ensure(more: number): void {
    if (this.#length + more <= this.#unit.length) return;
    const larger = new Uint8Array(Math.max(this.#unit.length * 2, this.#length + more));
    larger.set(this.#unit.subarray(0, this.#length));
    this.#unit = larger;
  }
}

function enlarged(numbers: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(numbers.length * 2);
  larger.set(numbers);
  return larger;
}
