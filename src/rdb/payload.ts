/**
 * DUMP payloads: one value with its type byte, a version and a checksum, as format.ts draws it. For
 * the commands DUMP and RESTORE; what happens to the key is theirs.
 */

import type { Database } from "../keyspace/database.ts";
import type { ValueLimits } from "../keyspace/keyspace.ts";
import { Crc64 } from "./crc64.ts";
import {
  DUMP_FOOTER_BYTES,
  isReadVersion,
  isValkeyVersion,
  OPCODE_KEY_META,
  TYPE_MAX,
  typeIn,
} from "./format.ts";
import { LOAD_EMPTY, LOAD_PART } from "./kinds/value_load.ts";
import { ValueReader } from "./load_value.ts";
import { isSumLeftOut } from "./payload_version.ts";
import { RdbError } from "./rdb_error.ts";
import { PAUSED, RdbReader } from "./reader.ts";
import { typeByte, writeValue } from "./save_value.ts";
import { type PayloadForm, payloadFormOf } from "./versions.ts";
import { ChunkCollector, RdbEncoder } from "./writer.ts";

const collector = new ChunkCollector();
const encoder = new RdbEncoder(collector.sink, { chunkBytes: 16 * 1024 });

/** At the end of a payload. */
const CHECKSUM_BYTES = 8;

/** The payload of a record's value. @throws ReplyError when the version that is asked for cannot hold it */
export function dumpPayload(database: Database, ref: number, form: PayloadForm): Uint8Array {
  const { compress, version } = payloadFormOf(form, database, database, ref);
  encoder.reset();
  encoder.compress = compress;
  encoder.version = version;
  encoder.writeByte(typeByte(database, ref, version));
  writeValue(encoder, database, ref);
  encoder.writeDumpFooter();
  return collector.take(encoder);
}

/** Bytes of a payload whose sum is taken in one step. */
const PIECE_BYTES = 1 << 20;

/** What a payload may have that is otherwise wrong. */
export interface PayloadLeave {
  /** Any checksum. */
  readonly anyChecksum: boolean;
  /** A version that is not known, if the type of its value is. */
  readonly anyVersion: boolean;
}

export const NO_LEAVE: PayloadLeave = { anyChecksum: false, anyVersion: false };

/** A payload on its way to a value, in steps; the bytes must stay what they are until its end. */
export class PayloadLoad {
  readonly values: ValueReader;
  /** Whether version and checksum are right, once the end has come; else nothing of it has been read. */
  isWhole = false;
  /** What is wrong with the value, once the end has come; null when it can be placed. */
  problem: string | null = null;
  /** Whether the value is whole, as far as can be told, and of a kind that is not known here. */
  isUnsupported = false;
  readonly #bytes: Uint8Array;
  readonly #offset: number;
  readonly #length: number;
  readonly #crc = new Crc64();
  #summed = 0;
  #version = 0;
  #reader: RdbReader | null = null;

  constructor(
    bytes: Uint8Array,
    offset: number,
    length: number,
    readonly leave: PayloadLeave,
    limits: ValueLimits,
  ) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#length = length;
    this.values = new ValueReader(limits);
  }

  /** Goes to the end at once. */
  run(): void {
    while (!this.step());
  }

  /** Does a piece; true at the end. Bytes behind the value are let through, as in Redis. */
  step(): boolean {
    try {
      if (this.isWhole) return this.#readOn();
      if (!this.#isSummed()) return false;
      if (!this.#hasGoodFooter()) return true;
      this.isWhole = true;
      return this.#begin();
    } catch (error) {
      if (error === PAUSED) {
        this.#reader!.rewind();
        return false;
      }
      if (!(error instanceof RdbError)) throw error;
      this.problem = error.what;
      this.isUnsupported = error.kind === "unsupported";
      return true;
    }
  }

  /** Adds a piece to the sum of all but itself; true when it is complete, or not needed. */
  #isSummed(): boolean {
    const left = this.#length - CHECKSUM_BYTES - this.#summed;
    if (this.leave.anyChecksum || left <= 0) return true;
    const piece = Math.min(left, PIECE_BYTES);
    this.#crc.update(this.#bytes, this.#offset + this.#summed, piece);
    this.#summed += piece;
    return piece === left;
  }

  #hasGoodFooter(): boolean {
    if (this.#length < DUMP_FOOTER_BYTES) return false;
    const bytes = this.#bytes;
    const footer = this.#offset + this.#length - DUMP_FOOTER_BYTES;
    this.#version = bytes[footer] | (bytes[footer + 1] << 8);
    if (!isReadVersion(this.#version, this.leave.anyVersion)) return false;
    return this.leave.anyChecksum || this.#crc.equalsAt(bytes, footer + 2) ||
      this.#hasNoSum(footer + 2);
  }

  /** Masters of Redis 8.10 send payloads whose sum is 0 when they had no need of one. */
  #hasNoSum(at: number): boolean {
    if (!isSumLeftOut(this.#version)) return false;
    return this.#bytes.subarray(at, at + CHECKSUM_BYTES).every((byte) => byte === 0);
  }

  #begin(): boolean {
    const size = this.#length - DUMP_FOOTER_BYTES;
    const first = this.#bytes[this.#offset];
    if (first === OPCODE_KEY_META && !isValkeyVersion(this.#version)) {
      this.problem = "metadata of a module with the value have no place here";
      this.isUnsupported = true;
      return true;
    }
    if (size < 1 || first > TYPE_MAX) {
      this.problem = "unknown type of value";
      return true;
    }
    const reader = this.#reader = RdbReader.fromBytes(this.#bytes, this.#offset, size, {
      checksum: false,
    });
    this.values.begin(reader, typeIn(this.#version, reader.readByte()), 0);
    reader.mark();
    return false;
  }

  #readOn(): boolean {
    const state = this.values.step(this.#reader!);
    if (state === LOAD_EMPTY) this.problem = "empty collection";
    return state !== LOAD_PART;
  }
}
