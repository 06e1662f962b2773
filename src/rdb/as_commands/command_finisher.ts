/**
 * Makes commands of a snapshot while it is being written: takes its chunks as they come from the walker
 * (uncompressed, with `groupsFirst`, in version COMMANDS_VERSION, without access clocks) and hands the bytes
 * of the commands to a sink. It runs in the worker that writes the file, so that it costs the event loop no
 * time, and it keeps little: what has come and ends in the midst of a string, and what the values' own files
 * say.
 *
 *     #TS:... FUNCTION LOAD ... SELECT 0, SET ... PEXPIREAT ..., RPUSH ... SELECT 1 ...
 */

import type { Finisher } from "../finisher.ts";
import * as format from "../format.ts";
import { PAUSED, RdbReader, STARVED } from "../reader.ts";
import { ReceivedBytes } from "../received_bytes.ts";
import type { ChunkSink } from "../writer.ts";
import { CommandWriter, fixedWord } from "./command_writer.ts";
import { type Remark, StreamCommands } from "./stream_commands.ts";
import {
  IntsetCommands,
  ListCommands,
  PackedHashCommands,
  PackedSetCommands,
  PackedSortedSetCommands,
  PackedTimedHashCommands,
  SortedSetCommands,
  StringCommands,
  TableCommands,
  TimedHashCommands,
  type ValueCommands,
} from "./value_commands.ts";

/** The version of the snapshot: one that can say all there is. */
export const COMMANDS_VERSION = format.RDB_VERSION_MAX;

/** Lines around the commands, in latin1: each ends with CRLF, and is one that readers pass over. */
export interface CommandFrame {
  readonly head: string;
  readonly tail: string;
}

const STRING_BYTES_MAX = 0xffffffff;

const FUNCTION = fixedWord("FUNCTION");
const LOAD = fixedWord("LOAD");
const SELECT = fixedWord("SELECT");
const PEXPIREAT = fixedWord("PEXPIREAT");

export class CommandFinisher implements Finisher {
  readonly #out: CommandWriter;
  readonly #source = new ReceivedBytes(null);
  readonly #reader = RdbReader.fromGrowing(this.#source, STRING_BYTES_MAX, { checksum: false });
  readonly #frame: CommandFrame;
  readonly #onRemark: Remark;
  #hasHeader = false;
  /** Strings that are of no use here and come next. */
  #skips = 0;
  /** What is being read; null between keys. */
  #value: ValueCommands | null = null;
  #expiresAtMs = NaN;

  /** `onRemark` hears of what commands cannot say. */
  constructor(sink: ChunkSink, frame: CommandFrame, onRemark: Remark) {
    this.#out = new CommandWriter(sink);
    this.#frame = frame;
    this.#onRemark = onRemark;
    this.#out.lines(frame.head);
    this.#reader.mark();
  }

  recycle(chunk: Uint8Array<ArrayBuffer>): void {
    this.#out.recycle(chunk);
  }

  add(chunk: Uint8Array, length: number): void {
    this.#source.push(chunk, 0, length);
    this.#run();
  }

  /** Everything has come. @throws Error when that does not end with a value */
  end(): void {
    this.#source.isComplete = true;
    if (this.#reader.remaining() > 0 || this.#value !== null || this.#skips > 0) {
      throw new Error("rdb: the last chunk ends inside a value");
    }
    this.#out.lines(this.#frame.tail);
    this.#out.flush();
  }

  /** Makes commands of what has come. */
  #run(): void {
    const reader = this.#reader;
    for (;;) {
      try {
        for (;;) {
          this.#next();
          reader.mark();
        }
      } catch (error) {
        if (error !== STARVED && error !== PAUSED) throw error;
        reader.rewind();
        if (error === STARVED) return;
      }
    }
  }

  #next(): void {
    const reader = this.#reader;
    if (this.#value !== null) {
      if (this.#value.step(reader)) this.#endValue(this.#value);
    } else if (!this.#hasHeader) {
      reader.readHeader();
      this.#hasHeader = true;
    } else if (this.#skips > 0) {
      reader.readString();
      this.#skips--;
    } else this.#readOpcode();
  }

  #readOpcode(): void {
    const reader = this.#reader;
    const code = reader.readByte();
    switch (code) {
      case format.OPCODE_AUX:
        this.#skips = 2;
        return;
      case format.OPCODE_RESIZEDB:
        reader.readPlainLength("the number of keys");
        reader.readPlainLength("the number of keys that expire");
        return;
      case format.OPCODE_EOF:
        // Where nothing is added for the end mark, the chunks have one: behind it comes a sum.
        reader.readMillis();
        return;
      case format.OPCODE_SELECTDB: {
        const index = reader.readPlainLength("a database number");
        this.#out.begin(2, SELECT);
        this.#out.integer(index);
        return;
      }
      case format.OPCODE_EXPIRETIME_MS:
        this.#expiresAtMs = reader.readMillis();
        return;
      case format.OPCODE_FUNCTION_2:
        reader.readString();
        this.#out.begin(3, FUNCTION, LOAD);
        this.#out.word(reader.strBuf, reader.strOff, reader.strLen);
        return;
    }
    reader.readString();
    const key = reader.strBuf.slice(reader.strOff, reader.strOff + reader.strLen);
    this.#value = this.#commandsOf(code, key);
  }

  #commandsOf(type: number, key: Uint8Array): ValueCommands {
    const out = this.#out;
    switch (type) {
      case format.TYPE_STRING:
        return new StringCommands(out, key);
      case format.TYPE_LIST_QUICKLIST_2:
        return new ListCommands(out, key);
      case format.TYPE_SET:
        return TableCommands.ofSet(out, key);
      case format.TYPE_SET_INTSET:
        return new IntsetCommands(out, key);
      case format.TYPE_SET_LISTPACK:
        return new PackedSetCommands(out, key);
      case format.TYPE_HASH:
        return TableCommands.ofHash(out, key);
      case format.TYPE_HASH_LISTPACK:
        return new PackedHashCommands(out, key);
      case format.TYPE_HASH_METADATA:
        return new TimedHashCommands(out, key);
      case format.TYPE_HASH_LISTPACK_EX:
        return new PackedTimedHashCommands(out, key);
      case format.TYPE_ZSET_2:
        return new SortedSetCommands(out, key);
      case format.TYPE_ZSET_LISTPACK:
        return new PackedSortedSetCommands(out, key);
      case format.TYPE_STREAM_LISTPACKS_3:
        return new StreamCommands(out, key, this.#onRemark);
    }
    throw this.#reader.error(`type ${format.codeName(type)} is not written for commands`);
  }

  #endValue({ key }: ValueCommands): void {
    const expiresAtMs = this.#expiresAtMs;
    this.#value = null;
    this.#expiresAtMs = NaN;
    if (expiresAtMs !== expiresAtMs) return;
    this.#out.begin(3, PEXPIREAT);
    this.#out.word(key, 0, key.length);
    this.#out.millis(expiresAtMs);
  }
}
