/**
 * The one ordered stream of writes: every change of the data, once, as the RESP bytes of a command
 * that has the same outcome whenever and wherever it is run. Replicas and the AOF read it.
 *
 * What one request changes is a unit: its commands are collected and enter the stream together when
 * the unit ends, between MULTI and EXEC if there is more than one, with a SELECT before them when the
 * database differs from the one before. The offset counts bytes, as Redis's replication offset does.
 *
 * While nobody reads, nothing is encoded and the offset stands still (as in Redis, whose backlog
 * begins with the first replica). Not promised: that anything has been kept when `endUnit` returns;
 * that is the readers' business.
 */

import { writeInteger } from "../base/integers.ts";
import type { Words } from "../resp/words.ts";

/** Takes the stream's next bytes; they hold only during the call. */
export type StreamReader = (bytes: Uint8Array, offset: number, length: number) => void;

/** A part of a command: bytes, text (latin1) or an integer. */
export type StreamPart = Uint8Array | string | number;

const MULTI = "*1\r\n$5\r\nMULTI\r\n";
const EXEC = "*1\r\n$4\r\nEXEC\r\n";

export class WriteStream {
  /** Bytes that have entered the stream. */
  offset = 0;
  #readers: StreamReader[] = [];
  /** Database of the command that entered last; -1 makes the next one start with SELECT. */
  #database = -1;
  /** The unit's commands, encoded one after the other, and where each begins. */
  #unit = new Uint8Array(4096);
  #length = 0;
  #begins: number[] = [];
  #databases: number[] = [];
  #out = new Uint8Array(4096);

  /** Whether anybody reads: callers leave out all work otherwise. */
  get isActive(): boolean {
    return this.#readers.length > 0;
  }

  /** Adds a reader, which gets everything from now on; a SELECT comes first. */
  attach(reader: StreamReader): void {
    this.#readers.push(reader);
    this.#database = -1;
  }

  detach(reader: StreamReader): void {
    this.#readers = this.#readers.filter((other) => other !== reader);
  }

  /** Adds a request as it came to the unit. */
  addWords(database: number, words: Words): void {
    if (!this.isActive) return;
    this.#begin(database, words.count);
    for (let i = 0; i < words.count; i++) {
      this.#bulk(words.bytes, words.starts[i], words.lengths[i]);
    }
  }

  /** Adds a command made of parts to the unit. */
  add(database: number, parts: readonly StreamPart[]): void {
    if (!this.isActive) return;
    this.#begin(database, parts.length);
    for (const part of parts) {
      if (typeof part === "number" || typeof part === "string") {
        const text = String(part);
        const bytes = new Uint8Array(text.length);
        for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
        this.#bulk(bytes, 0, bytes.length);
      } else this.#bulk(part, 0, part.length);
    }
  }

  /** Whether the unit has commands. */
  get hasPending(): boolean {
    return this.#begins.length > 0;
  }

  /** The request is done: its commands enter the stream. */
  endUnit(): void {
    const commands = this.#begins.length;
    if (commands === 0) return;
    let at = 0;
    const text = (s: string) => {
      this.#ensureOut(at + s.length);
      for (let i = 0; i < s.length; i++) this.#out[at++] = s.charCodeAt(i);
    };
    const select = (database: number) => {
      if (database === this.#database) return;
      const digits = String(database);
      text(`*2\r\n$6\r\nSELECT\r\n$${digits.length}\r\n${digits}\r\n`);
      this.#database = database;
    };
    select(this.#databases[0]);
    if (commands > 1) text(MULTI);
    for (let n = 0; n < commands; n++) {
      select(this.#databases[n]);
      const begin = this.#begins[n];
      const end = n + 1 < commands ? this.#begins[n + 1] : this.#length;
      this.#ensureOut(at + end - begin);
      this.#out.set(this.#unit.subarray(begin, end), at);
      at += end - begin;
    }
    if (commands > 1) text(EXEC);
    this.#begins.length = 0;
    this.#databases.length = 0;
    this.#length = 0;
    if (this.#unit.length > 1 << 20) this.#unit = new Uint8Array(4096);
    this.offset += at;
    for (const reader of this.#readers) reader(this.#out, 0, at);
    if (this.#out.length > 1 << 20) this.#out = new Uint8Array(4096);
  }

  #begin(database: number, parts: number): void {
    this.#begins.push(this.#length);
    this.#databases.push(database);
    this.#line(0x2a, parts);
  }

  #bulk(bytes: Uint8Array, offset: number, length: number): void {
    this.#line(0x24, length);
    this.#ensure(length + 2);
    this.#unit.set(bytes.subarray(offset, offset + length), this.#length);
    this.#length += length;
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

  #ensureOut(size: number): void {
    if (size <= this.#out.length) return;
    const larger = new Uint8Array(Math.max(this.#out.length * 2, size));
    larger.set(this.#out);
    this.#out = larger;
  }
}
