/**
 * Writes the primitives of a snapshot (see format.ts) into buffers of fixed size and hands each full
 * one to a sink: a file, a replica's link, or a collector for DUMP. What is written, and in which
 * order, is the saver's business.
 *
 * The encoder never waits: a saver that must not fill memory faster than the sink empties it
 * pauses between keys.
 */

import { copyBytes, latin1 } from "../base/bytes.ts";
import { parseInteger, writeBigInt } from "../base/integers.ts";
import { formatPrecise } from "../base/printf.ts";
import { Crc64 } from "./crc64.ts";
import {
  DOUBLE_INFINITY,
  DOUBLE_MINUS_INFINITY,
  DOUBLE_NAN,
  ENCODING_INT16,
  ENCODING_INT32,
  ENCODING_INT8,
  ENCODING_LZF,
  LENGTH_14BIT_MAX,
  LENGTH_32BIT,
  LENGTH_64BIT,
  LENGTH_6BIT_MAX,
  LENGTH_ENCODED,
  OPCODE_AUX,
  OPCODE_EOF,
  OPCODE_EXPIRETIME_MS,
  OPCODE_FREQ,
  OPCODE_FUNCTION_2,
  OPCODE_IDLE,
  OPCODE_RESIZEDB,
  OPCODE_SELECTDB,
  RDB_VERSION,
  RDB_VERSION_CHECKSUM,
} from "./format.ts";
import { lzfCompress } from "./lzf.ts";

/**
 * Takes the first `length` bytes of `chunk`. It may keep the chunk; once it needs it no more it can
 * give it back with `RdbEncoder.recycle`. `strings` is null, or with `deferStrings` the strings that
 * are still to be given their final form: pairs of offset and length. The last one may go on in the
 * chunks that follow.
 */
export type ChunkSink = (
  chunk: Uint8Array<ArrayBuffer>,
  length: number,
  strings: Int32Array<ArrayBuffer> | null,
) => void;

/** Settings of an encoder. */
export interface RdbEncoderOptions {
  /** Whether strings are compressed (`rdbcompression`). Default: true. */
  compress?: boolean;
  /** Whether the end carries a checksum (`rdbchecksum`) or zeros. Default: true. */
  checksum?: boolean;
  /** Size of the chunks. Default: 256 KiB; at least 64 bytes. */
  chunkBytes?: number;
  /**
   * Whether strings worth compressing are put into the chunks bare, without their length, and listed
   * beside each chunk: somebody else compresses them (see finisher.ts). Default: false.
   */
  deferStrings?: boolean;
  /** Longer strings are not deferred but written as they are. Default: all are deferred. */
  deferMax?: number;
  /** The version that is written, RDB_VERSION_MIN to RDB_VERSION_MAX. Default: RDB_VERSION. */
  version?: number;
  /** See `RdbEncoder.groupsFirst`. Default: false. */
  groupsFirst?: boolean;
}

const CHUNK_BYTES = 256 << 10;
const CHUNK_BYTES_MIN = 64;
/** Chunks given back beyond this many are left to the garbage collector. */
const POOL_MAX = 8;

/** The longest text of an int32, "-2147483648". */
const INT32_TEXT_MAX = 11;
/** Strings up to this long are never compressed. */
const UNCOMPRESSED_MAX = 20;
/** The buffer that compressed strings are made in is kept up to this size. */
const SCRATCH_KEPT_BYTES = 1 << 20;

const doubleBytes = new Uint8Array(8);
const doubleValue = new Float64Array(doubleBytes.buffer);
const digits = new Uint8Array(20);

/** An append-only encoder of the snapshot format. */
export class RdbEncoder {
  /** Whether strings are compressed from here on. */
  compress: boolean;
  /**
   * The version that is written. Primitives are the same in all of them; whoever writes values, aux fields and
   * the like through this encoder goes by it.
   */
  version: number;
  /**
   * Whether a stream's groups stand before its entries, in a form of their own: for who makes commands of the bytes
   * (src/rdb/as_commands) as they come. No snapshot that is kept has that.
   */
  readonly groupsFirst: boolean;

  #sink: ChunkSink;
  #chunkBytes: number;
  #chunk: Uint8Array<ArrayBuffer>;
  #pos = 0;
  #flushed = 0; // bytes handed to the sink
  #pool: Uint8Array<ArrayBuffer>[] = [];
  #crc = new Crc64();
  #crcPos = 0;
  #sums: boolean;
  #scratch = new Uint8Array(4096);
  #deferred: number[] | null;
  readonly #deferMax: number;

  constructor(sink: ChunkSink, options: RdbEncoderOptions = {}) {
    this.#sink = sink;
    this.compress = options.compress ?? true;
    this.version = options.version ?? RDB_VERSION;
    this.groupsFirst = options.groupsFirst ?? false;
    this.#sums = options.checksum ?? true;
    this.#chunkBytes = Math.max(options.chunkBytes ?? CHUNK_BYTES, CHUNK_BYTES_MIN);
    this.#chunk = new Uint8Array(this.#chunkBytes);
    this.#deferred = options.deferStrings === true ? [] : null;
    this.#deferMax = options.deferMax ?? Infinity;
  }

  /** Bytes written so far (deferred strings without what their final form adds or saves). */
  get offset(): number {
    return this.#flushed + this.#pos;
  }

  /** Gives a chunk back that the sink was handed and no longer needs. */
  recycle(chunk: Uint8Array<ArrayBuffer>): void {
    if (chunk.length === this.#chunkBytes && this.#pool.length < POOL_MAX) this.#pool.push(chunk);
  }

  /** Hands to the sink what has been written since the last chunk; nothing if there is nothing. */
  flush(): void {
    if (this.#pos === 0) return;
    this.#sum();
    const full = this.#chunk;
    const length = this.#pos;
    this.#flushed += length;
    this.#pos = this.#crcPos = 0;
    // A chunk of its own before the sink runs, which may already give the old one back.
    this.#chunk = this.#pool.pop() ?? new Uint8Array(this.#chunkBytes);
    let strings: Int32Array<ArrayBuffer> | null = null;
    if (this.#deferred !== null) {
      strings = Int32Array.from(this.#deferred);
      this.#deferred.length = 0;
    }
    this.#sink(full, length, strings);
  }

  /** Starts over: another snapshot or payload, same settings. Drops what has not been flushed. */
  reset(): void {
    this.#pos = this.#crcPos = this.#flushed = 0;
    this.#crc.reset();
    if (this.#deferred !== null) this.#deferred.length = 0;
  }

  // Primitives.

  writeByte(byte: number): void {
    if (this.#pos === this.#chunkBytes) this.flush();
    this.#chunk[this.#pos++] = byte;
  }

  /** Writes bytes as they are, without a length. */
  writeBytes(buf: Uint8Array, off: number, len: number): void {
    while (len > this.#chunkBytes - this.#pos) {
      const part = this.#chunkBytes - this.#pos;
      copyBytes(this.#chunk, this.#pos, buf, off, part);
      this.#pos += part;
      off += part;
      len -= part;
      this.flush();
    }
    copyBytes(this.#chunk, this.#pos, buf, off, len);
    this.#pos += len;
  }

  /** Writes a length from 0 to 2^53 - 1 in its shortest form. */
  writeLength(length: number): void {
    if (this.#chunkBytes - this.#pos < 9) this.flush();
    if (length <= LENGTH_6BIT_MAX) this.#chunk[this.#pos++] = length;
    else if (length <= LENGTH_14BIT_MAX) {
      this.#chunk[this.#pos++] = 0x40 | (length >>> 8);
      this.#chunk[this.#pos++] = length;
    } else if (length <= 0xffffffff) {
      this.#chunk[this.#pos++] = LENGTH_32BIT;
      this.#uint32be(length);
    } else {
      this.#chunk[this.#pos++] = LENGTH_64BIT;
      this.#uint32be(Math.floor(length / 0x100000000));
      this.#uint32be(length % 0x100000000);
    }
  }

  /** Writes a length of 64 bits, given in two halves, in its shortest form. */
  writeWideLength(high: number, low: number): void {
    if (high === 0) return this.writeLength(low);
    if (this.#chunkBytes - this.#pos < 9) this.flush();
    this.#chunk[this.#pos++] = LENGTH_64BIT;
    this.#uint32be(high);
    this.#uint32be(low);
  }

  #uint32be(value: number): void {
    this.#chunk[this.#pos++] = value >>> 24;
    this.#chunk[this.#pos++] = value >>> 16;
    this.#chunk[this.#pos++] = value >>> 8;
    this.#chunk[this.#pos++] = value;
  }

  /**
   * Writes a string in the form a server chooses: as an integer when it is the canonical text of an
   * int32, compressed when that is on and saves something, else as it is.
   */
  writeString(buf: Uint8Array, off: number, len: number): void {
    if (len <= INT32_TEXT_MAX) {
      // Most short strings begin with a letter; asked here, it spares the call.
      if (len > 0 && buf[off] <= 0x39) {
        const value = parseInteger(buf, off, len);
        if (value === (value | 0)) {
          this.#int32(value);
          return;
        }
      }
    } else if (len > UNCOMPRESSED_MAX && this.compress) {
      if (this.#deferred !== null) {
        if (len <= this.#deferMax) {
          if (this.#pos === this.#chunkBytes) this.flush();
          this.#deferred.push(this.#pos, len);
          this.writeBytes(buf, off, len);
          return;
        }
      } else if (this.#writeCompressed(buf, off, len)) return;
    }
    this.writeRawString(buf, off, len);
  }

  /** Writes a string as it is: a length and the bytes. */
  writeRawString(buf: Uint8Array, off: number, len: number): void {
    this.writeLength(len);
    this.writeBytes(buf, off, len);
  }

  /**
   * Begins a string of `len` bytes, too many to be written at once: they follow through `writeBytes`.
   * It is compressed only where strings are deferred.
   */
  openString(len: number): void {
    const isDeferred = this.compress && len > UNCOMPRESSED_MAX && len <= this.#deferMax;
    if (this.#deferred === null || !isDeferred) {
      this.writeLength(len);
      return;
    }
    if (this.#pos === this.#chunkBytes) this.flush();
    this.#deferred.push(this.#pos, len);
  }

  /** Begins a string that is compressed already: `packed` bytes follow through `writeBytes`, of which `len` come. */
  openCompressed(packed: number, len: number): void {
    this.writeByte(LENGTH_ENCODED | ENCODING_LZF);
    this.writeLength(packed);
    this.writeLength(len);
  }

  /** Writes the text of an integer (safe as a number; any int64 as a bigint) as a string. */
  writeInteger(value: number | bigint): void {
    if (typeof value === "number" && value === (value | 0)) {
      this.#int32(value);
      return;
    }
    const len = writeBigInt(digits, 0, BigInt(value));
    this.writeString(digits, 0, len);
  }

  #int32(value: number): void {
    if (this.#chunkBytes - this.#pos < 5) this.flush();
    const chunk = this.#chunk;
    if (value >= -0x80 && value <= 0x7f) {
      chunk[this.#pos++] = LENGTH_ENCODED | ENCODING_INT8;
      chunk[this.#pos++] = value;
      return;
    }
    const wide = value < -0x8000 || value > 0x7fff;
    chunk[this.#pos++] = LENGTH_ENCODED | (wide ? ENCODING_INT32 : ENCODING_INT16);
    chunk[this.#pos++] = value;
    chunk[this.#pos++] = value >>> 8;
    if (wide) {
      chunk[this.#pos++] = value >>> 16;
      chunk[this.#pos++] = value >>> 24;
    }
  }

  #writeCompressed(buf: Uint8Array, off: number, len: number): boolean {
    let scratch = this.#scratch;
    if (scratch.length < len) {
      scratch = new Uint8Array(len <= SCRATCH_KEPT_BYTES ? SCRATCH_KEPT_BYTES : len);
      if (len <= SCRATCH_KEPT_BYTES) this.#scratch = scratch;
    }
    const packed = lzfCompress(buf, off, len, scratch, 0, len - 4);
    if (packed === 0) return false;
    this.openCompressed(packed, len);
    this.writeBytes(scratch, 0, packed);
    return true;
  }

  /** Writes eight bytes of an IEEE double, least significant first. */
  writeBinaryDouble(value: number): void {
    doubleValue[0] = value;
    this.writeBytes(doubleBytes, 0, 8);
  }

  /** Writes a double as text, which all digits of it are in: what scores were before version 8. */
  writeTextDouble(value: number): void {
    if (value !== value) return this.writeByte(DOUBLE_NAN);
    if (value === Infinity) return this.writeByte(DOUBLE_INFINITY);
    if (value === -Infinity) return this.writeByte(DOUBLE_MINUS_INFINITY);
    const text = latin1(formatPrecise(value, 17));
    this.writeByte(text.length);
    this.writeBytes(text, 0, text.length);
  }

  /** Writes an int64, least significant byte first; `ms` is an integer, the last int64 if beyond it. */
  writeMillis(ms: number): void {
    if (this.#chunkBytes - this.#pos < 8) this.flush();
    if (ms >= 2 ** 63) {
      this.#int32le(-1);
      this.#int32le(0x7fffffff);
      return;
    }
    this.#int32le(ms % 0x100000000);
    this.#int32le(Math.floor(ms / 0x100000000));
  }

  #int32le(value: number): void {
    this.#chunk[this.#pos++] = value;
    this.#chunk[this.#pos++] = value >>> 8;
    this.#chunk[this.#pos++] = value >>> 16;
    this.#chunk[this.#pos++] = value >>> 24;
  }

  // Opcodes.

  /** Begins a snapshot: "REDIS" and the version in four digits. */
  writeHeader(version = this.version): void {
    const header = latin1("REDIS" + String(version).padStart(4, "0"));
    this.writeBytes(header, 0, header.length);
  }

  /** Writes an aux field; name and text hold characters below 256 only. */
  writeAux(name: string, value: string | number): void {
    this.writeByte(OPCODE_AUX);
    const nameBytes = latin1(name);
    this.writeString(nameBytes, 0, nameBytes.length);
    const valueBytes = latin1(String(value));
    this.writeString(valueBytes, 0, valueBytes.length);
  }

  /** The source of a function library. */
  writeLibrary(code: Uint8Array): void {
    this.writeByte(OPCODE_FUNCTION_2);
    this.writeString(code, 0, code.length);
  }

  /** Says that the keys that follow belong to database `index`. */
  writeSelectDb(index: number): void {
    this.writeByte(OPCODE_SELECTDB);
    this.writeLength(index);
  }

  /** Tells how many keys of this database follow, and how many of them expire. */
  writeResizeDb(keys: number, expiring: number): void {
    this.writeByte(OPCODE_RESIZEDB);
    this.writeLength(keys);
    this.writeLength(expiring);
  }

  /** Expiry of the key that follows, Unix time in ms. */
  writeExpiry(ms: number): void {
    this.writeByte(OPCODE_EXPIRETIME_MS);
    this.writeMillis(ms);
  }

  /** Seconds since the key that follows was used. */
  writeIdle(seconds: number): void {
    this.writeByte(OPCODE_IDLE);
    this.writeLength(seconds);
  }

  /** Access frequency (0 to 255) of the key that follows. */
  writeFrequency(frequency: number): void {
    this.writeByte(OPCODE_FREQ);
    this.writeByte(frequency);
  }

  /** Ends a snapshot with its checksum (zeros when switched off) and flushes. */
  writeEof(version = this.version): void {
    this.writeByte(OPCODE_EOF);
    if (version >= RDB_VERSION_CHECKSUM) this.#writeChecksum();
    this.flush();
  }

  /** Ends a DUMP payload with version and checksum, which it has in any case, and flushes. */
  writeDumpFooter(version = this.version): void {
    if (!this.#sums) throw new Error("a DUMP payload needs an encoder that keeps the checksum");
    this.writeByte(version & 255);
    this.writeByte(version >>> 8);
    this.#writeChecksum();
    this.flush();
  }

  #writeChecksum(): void {
    if (this.#chunkBytes - this.#pos < 8) this.flush();
    this.#sum();
    if (this.#sums) this.#crc.writeTo(this.#chunk, this.#pos);
    else this.#chunk.fill(0, this.#pos, this.#pos + 8);
    this.#pos += 8;
    this.#crcPos = this.#pos;
  }

  /** Brings the sum up to pos. */
  #sum(): void {
    if (this.#sums) this.#crc.update(this.#chunk, this.#crcPos, this.#pos - this.#crcPos);
    this.#crcPos = this.#pos;
  }
}

/** A sink that keeps everything in memory: DUMP, tests. */
export class ChunkCollector {
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #lengths: number[] = [];
  #size = 0;

  /** To be handed to an encoder. */
  readonly sink: ChunkSink = (chunk, length) => {
    this.#chunks.push(chunk);
    this.#lengths.push(length);
    this.#size += length;
  };

  /** All bytes so far in one new array; the collector is empty afterwards. The encoder gets its chunks back. */
  take(encoder?: RdbEncoder): Uint8Array<ArrayBuffer> {
    const chunks = this.#chunks;
    const lengths = this.#lengths;
    const size = this.#size;
    this.#chunks = [];
    this.#lengths = [];
    this.#size = 0;
    const all = new Uint8Array(size);
    let at = 0;
    for (const [i, chunk] of chunks.entries()) {
      copyBytes(all, at, chunk, 0, lengths[i]);
      at += lengths[i];
      encoder?.recycle(chunk);
    }
    return all;
  }
}
