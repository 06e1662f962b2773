/**
 * Reads the primitives of a snapshot: bytes, lengths, strings, times, doubles, the checksum. What
 * they mean together (opcodes, keys, values) is the loader's business; see format.ts for the layout.
 *
 * The reader pulls: from a file through a window of fixed size, or from bytes in memory (RESTORE),
 * which then are the window.
 *
 *     window   [ consumed, summed | consumed, not yet summed | to be read | free ]
 *              0                  crcPos                     pos          end     window.length
 *
 * The checksum is taken over long runs when the window moves on, not for each primitive.
 *
 * Reading may have to stop for a while: bytes that are still coming run out, or a long string has taken
 * long enough. Then STARVED or PAUSED is thrown, and the caller goes back to where it last said `mark`
 * and begins again there when it likes. Between two marks lies one string at most, with what stands
 * before it. A long string is not read again: it grows in a buffer of its own, which the next try finds.
 *
 * The bytes come from outside and may be damaged on purpose. A declared size is believed only after
 * comparing it with what is left to read, so a snapshot of n bytes never makes the reader allocate
 * more than n bytes for a raw string and 88 times n for a compressed one.
 */

import { blocks } from "../base/blocks.ts";
import { copyBytes } from "../base/bytes.ts";
import { writeInteger } from "../base/integers.ts";
import type { OpenFile } from "../runtime/runtime.ts";
import { Crc64 } from "./crc64.ts";
import {
  DOUBLE_INFINITY,
  DOUBLE_MINUS_INFINITY,
  DOUBLE_NAN,
  ENCODING_INT16,
  ENCODING_INT32,
  ENCODING_INT8,
  ENCODING_LZF,
  isReadVersion,
  isValkeyVersion,
  LENGTH_14BIT_MAX,
  LENGTH_32BIT,
  LENGTH_64BIT,
  LENGTH_ENCODED,
  RDB_HEADER_BYTES,
} from "./format.ts";
import {
  LZF_DAMAGED,
  LZF_EXPANSION_MAX,
  LZF_MORE,
  LzfCheck,
  lzfDecompress,
  LzfRun,
  lzfUnpack,
  UNPACKED_AT,
} from "./lzf.ts";
import { RdbError, type RdbErrorKind } from "./rdb_error.ts";

/** Where a reader takes its bytes from. */
export interface ByteSource {
  /** Stores the next bytes at `off` and on, as many as fit or are there; answers how many, 0 at the end. */
  fill(buf: Uint8Array, off: number): number;
  /** How many bytes `fill` will still give; Infinity when not known. */
  remaining(): number;
}

/** The rest of an open file as a source. The size is asked once: what is appended later is not read. */
export class FileSource implements ByteSource {
  #file: OpenFile;
  #remaining: number;

  /** Reads on from the file's present position, at most `sizeBytes`. The caller closes the file. */
  constructor(file: OpenFile, sizeBytes = file.sizeBytes()) {
    this.#file = file;
    this.#remaining = sizeBytes;
  }

  fill(buf: Uint8Array, off: number): number {
    const room = Math.min(buf.length - off, this.#remaining);
    if (room === 0) return 0;
    const count = this.#file.read(buf.subarray(off, off + room));
    this.#remaining -= count;
    return count;
  }

  remaining(): number {
    return this.#remaining;
  }
}

/** A source whose bytes are still coming; until `isComplete`, a `fill` that gives 0 means "not yet". */
export interface GrowingSource extends ByteSource {
  readonly isComplete: boolean;
}

/** Thrown by a reader of a growing source whose bytes have run out; see `RdbReader.rewind`. */
export const STARVED = Symbol("bytes have run out");

/** Thrown when a part of a long string has been read, and others may have their turn; see `rewind`. */
export const PAUSED = Symbol("a part has been read");

/** Settings of a reader. */
export interface RdbReaderOptions {
  /** Whether to keep the sum that `verifyChecksum` compares. Default: true. */
  checksum?: boolean;
  /** Size of the window over a source. Default: 1 MiB; at least 256 bytes. */
  windowBytes?: number;
  /** Whether PAUSED may be thrown in the midst of a long string, to a caller who marks. Default: true. */
  pauses?: boolean;
  /** Whether versions that are not known are read as far as what is in them is. Default: false. */
  relaxedVersion?: boolean;
}

const MAGIC = "REDIS";
const VALKEY_MAGIC = "VALKEY";
const WINDOW_BYTES = 1 << 20;
/** Bytes of a long string that are read, or decompressed, until the next pause. */
const PIECE_BYTES = 1 << 20;
/** Room for the longest primitive that is no string: a score as text. */
const WINDOW_BYTES_MIN = 256;
/** Decoded strings up to this size share one buffer that is kept. */
const SCRATCH_KEPT_BYTES = 1 << 20;
/**
 * Compressed strings up to this size are left where they are decompressed to, which others use as well. So they must not
 * be read on in a later slice: no packed value of so many bytes has enough elements for that.
 */
const SHORT_BYTES_MAX = 256;
/** No string may be longer; one buffer holds it, and arena and protocol set lower limits. */
const STRING_BYTES_MAX = 0xffffffff;

const NO_BYTES: Uint8Array = new Uint8Array(0);
const doubleBytes = new Uint8Array(8);
const doubleValue = new Float64Array(doubleBytes.buffer);

/**
 * A pull parser for the primitives. Every method throws an RdbError when the bytes end too early or
 * cannot be what is asked for; after that the reader is of no further use.
 */
export class RdbReader {
  // What readString found; valid until the next call of any method that reads.
  strBuf = NO_BYTES;
  strOff = 0;
  strLen = 0;
  /** Whether the string was stored as an integer; `strInt` then is its value, an int32. */
  strIsInt = false;
  strInt = 0;
  /** Whether `strBuf` was made for this string alone: the caller may keep it instead of copying. */
  strOwned = false;
  /**
   * Whether `strBuf` is going to be from `blocks` where it is long and made for the string: for a caller who keeps
   * it itself, and gives it back.
   */
  ownsFromBlocks = false;
  /** Absolute offset at which the string begins (its length), for messages. */
  strAt = 0;

  /** Whether the last readLength met a string encoding (its value is then one of ENCODING_). */
  isEncoded = false;
  // The last length as two unsigned halves, exact where the number no longer is.
  lengthHigh = 0;
  lengthLow = 0;

  #window: Uint8Array;
  #pos = 0;
  #end: number;
  #base = 0; // absolute offset of window[0]
  #source: ByteSource | null;
  #crc = new Crc64();
  #crcPos = 0;
  #sums: boolean;

  /** Set when bytes may run out for the time being. */
  #growing: GrowingSource | null = null;
  /** Where in the window that begins which may have to be read again; -1: nobody goes back. */
  #mark = -1;
  #pauses = true;
  #relaxedVersion = false;
  /** Bytes to pass over before anything else is read. */
  #skipLeft = 0;
  #stringBytesMax = STRING_BYTES_MAX;

  // A string that no window holds, or that is read in pieces. It begins at this absolute offset, -1 for
  // none; `#largeFilled` bytes of it have come.
  #largeAt = -1;
  #large = NO_BYTES;
  #largeFilled = 0;
  /** What such a string is decompressed to; null before that has begun. */
  #unpacked: Uint8Array | null = null;
  readonly #lzf = new LzfRun();
  #lzfLength = 0;
  #lzfCheck: LzfCheck | null = null;

  #scratch = new Uint8Array(64);
  // What #take found.
  #runBuf = NO_BYTES;
  #runOff = 0;

  private constructor(
    source: ByteSource | null,
    window: Uint8Array,
    pos: number,
    end: number,
    sums: boolean,
  ) {
    this.#source = source;
    this.#window = window;
    this.#sums = sums;
    this.#pos = this.#crcPos = pos;
    this.#end = end;
    this.#base = -pos;
  }

  /** A reader of all that `source` gives; offsets count from where the source stands now. */
  static fromSource(source: ByteSource, options: RdbReaderOptions = {}): RdbReader {
    const windowBytes = Math.max(options.windowBytes ?? WINDOW_BYTES, WINDOW_BYTES_MIN);
    const window = new Uint8Array(windowBytes);
    const reader = new RdbReader(source, window, 0, 0, options.checksum ?? true);
    reader.#pauses = options.pauses ?? true;
    reader.#relaxedVersion = options.relaxedVersion ?? false;
    return reader;
  }

  /**
   * A reader of bytes that are still coming. While the source does not know its size, strings of more
   * than `stringBytesMax` are not believed.
   */
  static fromGrowing(
    source: GrowingSource,
    stringBytesMax: number,
    options: RdbReaderOptions = {},
  ): RdbReader {
    const reader = RdbReader.fromSource(source, options);
    reader.#growing = source;
    reader.#stringBytesMax = stringBytesMax;
    return reader;
  }

  /**
   * Says that everything before has been made use of: `rewind` comes back to here. A reader that has
   * never been told so is of a caller who cannot begin again, and pauses nowhere.
   */
  mark(): void {
    if (this.#pauses) this.#mark = this.#pos;
  }

  /** Goes back to the mark, after STARVED or PAUSED. */
  rewind(): void {
    this.#pos = this.#mark;
  }

  /** A reader of `len` bytes in memory, which must not change meanwhile. Makes no copy of them. */
  static fromBytes(
    buf: Uint8Array,
    off = 0,
    len = buf.length - off,
    options: RdbReaderOptions = {},
  ): RdbReader {
    const reader = new RdbReader(null, buf, off, off + len, options.checksum ?? true);
    reader.#pauses = options.pauses ?? true;
    return reader;
  }

  /** Starts over on other bytes in memory, so that RESTORE needs one reader only. */
  resetBytes(buf: Uint8Array, off: number, len: number): void {
    this.#source = null;
    this.#window = buf;
    this.#pos = this.#crcPos = off;
    this.#end = off + len;
    this.#base = -off;
    this.#mark = -1;
    this.#skipLeft = 0;
    this.#forgetLarge();
    this.#crc.reset();
    this.strBuf = this.#runBuf = NO_BYTES;
  }

  /** How many bytes have been read: the absolute offset of the next one. */
  get offset(): number {
    return this.#base + this.#pos;
  }

  /** How many bytes are left to read; Infinity when the source does not know. */
  remaining(): number {
    return this.#end - this.#pos + (this.#source === null ? 0 : this.#source.remaining());
  }

  /** An RdbError about the place where the reader stands, or about `offset`. */
  error(what: string, offset = this.offset, kind: RdbErrorKind = "corrupt"): RdbError {
    return new RdbError(kind, what, offset);
  }

  /**
   * Reads magic and version; answers the version, 1 to RDB_VERSION_READ_MAX or RDB_VERSION_VALKEY, or a later one where
   * that may be.
   */
  readHeader(): number {
    this.#need(RDB_HEADER_BYTES);
    const buf = this.#window;
    const at = this.#pos;
    const isValkeys = buf[at] === VALKEY_MAGIC.charCodeAt(0);
    const magic = isValkeys ? VALKEY_MAGIC : MAGIC;
    for (let i = 0; i < magic.length; i++) {
      if (buf[at + i] !== magic.charCodeAt(i)) throw this.error("wrong signature");
    }
    let version = 0;
    for (let i = magic.length; i < RDB_HEADER_BYTES; i++) {
      const digit = buf[at + i] - 0x30;
      if (digit < 0 || digit > 9) {
        throw this.error("version is not a number", this.offset + magic.length);
      }
      version = version * 10 + digit;
    }
    const isRead = version >= 1 && isValkeyVersion(version) === isValkeys &&
      isReadVersion(version, this.#relaxedVersion);
    if (!isRead) {
      throw this.error(`RDB format version ${version}`, this.offset + magic.length, "unsupported");
    }
    this.#pos += RDB_HEADER_BYTES;
    return version;
  }

  readByte(): number {
    if (this.#pos === this.#end) this.#refill(1);
    return this.#window[this.#pos++];
  }

  /**
   * Reads a length; sets `lengthHigh` and `lengthLow`, exact also beyond 2^53, where the number is
   * rounded. When `isEncoded` is set afterwards, it is no length but the code of a string encoding.
   */
  readLength(): number {
    if (this.#pos === this.#end) this.#refill(1);
    const first = this.#window[this.#pos];
    this.isEncoded = false;
    this.lengthHigh = 0;
    if (first < 0x40) {
      this.#pos++;
      return this.lengthLow = first;
    }
    if (first < 0x80) {
      this.#need(2);
      const low = this.#window[this.#pos + 1];
      this.#pos += 2;
      return this.lengthLow = ((first << 8) | low) & LENGTH_14BIT_MAX;
    }
    if (first >= LENGTH_ENCODED) {
      this.#pos++;
      this.isEncoded = true;
      return this.lengthLow = first & 0x3f;
    }
    return this.#readLongLength(first);
  }

  #readLongLength(first: number): number {
    if (first === LENGTH_32BIT) {
      this.#need(5);
      this.lengthLow = uint32be(this.#window, this.#pos + 1);
      this.#pos += 5;
      return this.lengthLow;
    }
    if (first !== LENGTH_64BIT) {
      throw this.error(`unknown length encoding 0x${first.toString(16)}`);
    }
    this.#need(9);
    this.lengthHigh = uint32be(this.#window, this.#pos + 1);
    this.lengthLow = uint32be(this.#window, this.#pos + 5);
    this.#pos += 9;
    return this.lengthHigh * 0x100000000 + this.lengthLow;
  }

  /**
   * Reads the number of elements of `what` (a noun for the message). Refuses a string encoding, and
   * a number that the rest of the snapshot cannot hold with `bytesEach` bytes (at least 1) each:
   * what it answers may be allocated for.
   */
  readCount(what: string, bytesEach = 1): number {
    const at = this.offset;
    const count = this.readLength();
    if (this.isEncoded) throw this.error(`the number of ${what} is encoded as a string`, at);
    if (count * bytesEach > this.remaining()) {
      throw this.error(`${count} ${what} announced, which the rest cannot hold,`, at, "truncated");
    }
    return count;
  }

  /** Reads a length that is any number but a string encoding; see `readLength`. */
  readPlainLength(what: string): number {
    const at = this.offset;
    const length = this.readLength();
    if (this.isEncoded) throw this.error(`${what} is encoded as a string`, at);
    return length;
  }

  /**
   * Reads a string into `strBuf`, `strOff`, `strLen` (and `strIsInt`, `strInt`, `strOwned`,
   * `strAt`). Its bytes stay where they are when they lie in the window; integers become text.
   */
  readString(): void {
    if (this.#pos === this.#end) this.#refill(1);
    const first = this.#window[this.#pos];
    this.strAt = this.#base + this.#pos;
    this.strIsInt = false;
    if (first < 0x40) {
      this.#pos++;
      const after = this.#pos + first;
      if (after <= this.#end) {
        // The common case, apart so that it stays free of calls.
        this.strBuf = this.#window;
        this.strOff = this.#pos;
        this.strLen = first;
        this.strOwned = false;
        this.#pos = after;
        return;
      }
      this.#readPlainString(first);
      return;
    }
    const length = this.readLength();
    if (!this.isEncoded) this.#readPlainString(length);
    else if (length === ENCODING_LZF) this.#readLzfString();
    else this.#readIntegerString(length);
  }

  /** Reads a string and refuses any length but `len`. */
  readStringOf(len: number, what: string): void {
    this.readString();
    if (this.strLen !== len) {
      throw this.error(`${what} has ${this.strLen} bytes instead of ${len}`, this.strAt);
    }
  }

  /** Passes over a string, decompressing nothing. */
  skipString(): void {
    this.beginSkipString();
    this.finishSkip();
  }

  /** Passes over the beginning of a string; `finishSkip` does the rest. */
  beginSkipString(): void {
    const at = this.offset;
    const length = this.readLength();
    if (!this.isEncoded) this.#beginSkip(length);
    else if (length === ENCODING_LZF) {
      const packed = this.readPlainLength("a compressed size");
      this.readPlainLength("an uncompressed size");
      this.#beginSkip(packed);
    } else this.#beginSkip(integerBytes(length) || this.#unknownEncoding(length, at));
  }

  /**
   * Reads a string of at most `most` bytes, as `readString` does, and answers true. One that is longer is passed over
   * without memory for it, and only `strLen` and `strAt` are set: false. Whether it can be decompressed is looked at all
   * the same. For a reader that does not pause.
   */
  readStringUpTo(most: number): boolean {
    this.strAt = this.offset;
    this.strIsInt = false;
    const length = this.readLength();
    if (this.isEncoded && length !== ENCODING_LZF) {
      this.#readIntegerString(length);
      return true;
    }
    const packed = this.isEncoded ? this.#readLzfSizes() : -1;
    this.strLen = packed < 0 ? length : this.#lzfLength;
    if (this.strLen <= most) {
      if (packed < 0) this.#readPlainString(length);
      else this.#unpack(packed, this.#lzfLength);
      return true;
    }
    if (packed < 0) this.skip(length);
    else this.#passLzf(packed, this.#lzfLength);
    return false;
  }

  #passLzf(packed: number, length: number): void {
    if (packed > this.remaining()) this.#endsEarly(packed);
    const check = this.#lzfCheck ??= new LzfCheck();
    check.begin(length);
    for (let left = packed; left > 0;) {
      if (this.#pos === this.#end) this.#refill(1);
      const count = Math.min(left, this.#end - this.#pos);
      if (!check.take(this.#window, this.#pos, count)) this.#refuseLzf(length);
      this.#pos += count;
      left -= count;
    }
    if (!check.isWhole) this.#refuseLzf(length);
  }

  #readPlainString(length: number): void {
    this.#take(length);
    this.strBuf = this.#runBuf;
    this.strOff = this.#runOff;
    this.strLen = length;
    this.strOwned = this.#runBuf !== this.#window;
  }

  #readIntegerString(encoding: number): void {
    const bytes = integerBytes(encoding) || this.#unknownEncoding(encoding, this.strAt);
    this.#need(bytes);
    const buf = this.#window;
    const at = this.#pos;
    let value: number;
    if (bytes === 1) value = (buf[at] << 24) >> 24;
    else if (bytes === 2) value = ((buf[at] | (buf[at + 1] << 8)) << 16) >> 16;
    else value = int32le(buf, at);
    this.#pos += bytes;
    this.strBuf = this.#scratch;
    this.strOff = 0;
    this.strLen = writeInteger(this.#scratch, 0, value);
    this.strIsInt = true;
    this.strInt = value;
    this.strOwned = false;
  }

  #unknownEncoding(encoding: number, at: number): never {
    throw this.error(`unknown string encoding ${encoding}`, at);
  }

  #readLzfString(): void {
    const packed = this.#readLzfSizes();
    this.#unpack(packed, this.#lzfLength);
  }

  /** Reads the size of a compressed string, which it answers, and that of the string, `#lzfLength`. */
  #readLzfSizes(): number {
    const packed = this.readPlainLength("a compressed size");
    const length = this.#lzfLength = this.readPlainLength("an uncompressed size");
    // Checked before anything is allocated: no run of LZF gives more than that.
    if (length > packed * LZF_EXPANSION_MAX) {
      throw this.error(`${packed} bytes of LZF cannot give ${length} bytes`, this.strAt);
    }
    return packed;
  }

  /** Reads the bytes of a compressed string. */
  #unpack(packed: number, length: number): void {
    this.strOwned = length > SCRATCH_KEPT_BYTES;
    if (this.#mark >= 0 && (this.strOwned || packed > this.#largeMin)) {
      this.#readLongLzfString(packed, length);
      return;
    }
    this.#take(packed);
    const runBuf = this.#runBuf;
    const runOff = this.#runOff;
    this.strOff = 0;
    this.strLen = length;
    if (length <= SHORT_BYTES_MAX && packed <= SHORT_BYTES_MAX) {
      this.strBuf = lzfUnpack(runBuf, runOff, packed, length) ?? this.#refuseLzf(length);
      this.strOff = UNPACKED_AT;
      return;
    }
    let out = this.#scratch;
    if (this.strOwned) out = this.#allocate(length);
    else if (out.length < length) {
      out = this.#scratch = new Uint8Array(Math.min(SCRATCH_KEPT_BYTES, length * 2));
    }
    if (!lzfDecompress(runBuf, runOff, packed, out, 0, length)) this.#refuseLzf(length);
    this.strBuf = out;
  }

  /** In pieces: first what is compressed, then what comes of it. */
  #readLongLzfString(packed: number, length: number): void {
    this.#fillLarge(packed);
    if (this.#unpacked === null) {
      this.#unpacked = this.#allocate(length);
      this.#lzf.begin(this.#large, 0, packed, this.#unpacked, 0, length);
    }
    const out = this.#unpacked;
    const state = this.#lzf.step(PIECE_BYTES);
    if (state === LZF_MORE) throw PAUSED;
    if (state === LZF_DAMAGED) this.#refuseLzf(length);
    blocks.give(this.#large);
    this.#endLarge(packed);
    this.strOwned = true;
    this.strBuf = out;
    this.strOff = 0;
    this.strLen = length;
  }

  #refuseLzf(length: number): never {
    throw this.error(`LZF string does not decompress to ${length} bytes`, this.strAt);
  }

  /** Reads a score as text: a length byte and so many characters, or a byte for nan, inf, -inf. */
  readTextDouble(): number {
    const at = this.offset;
    const length = this.readByte();
    if (length === DOUBLE_NAN) return NaN;
    if (length === DOUBLE_INFINITY) return Infinity;
    if (length === DOUBLE_MINUS_INFINITY) return -Infinity;
    this.#need(length);
    let text = "";
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.#window[this.#pos + i]);
    // Number() alone would take "", " 1" and "0x1f" as well.
    if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) {
      throw this.error("malformed score", at);
    }
    this.#pos += length;
    return Number(text);
  }

  /** Reads eight bytes of an IEEE double, least significant first. */
  readBinaryDouble(): number {
    this.#need(8);
    for (let i = 0; i < 8; i++) doubleBytes[i] = this.#window[this.#pos + i];
    this.#pos += 8;
    return doubleValue[0];
  }

  /** Reads an int64, in ms. Rounded beyond 2^53, which no time reaches that a server writes. */
  readMillis(): number {
    this.#need(8);
    const low = int32le(this.#window, this.#pos) >>> 0;
    const high = int32le(this.#window, this.#pos + 4);
    this.#pos += 8;
    return high * 0x100000000 + low;
  }

  /** Reads an int32, in seconds. */
  readSeconds(): number {
    this.#need(4);
    const seconds = int32le(this.#window, this.#pos);
    this.#pos += 4;
    return seconds;
  }

  /** Copies the next `len` bytes to `dst`. */
  readInto(dst: Uint8Array, off: number, len: number): void {
    if (len <= this.#end - this.#pos) {
      copyBytes(dst, off, this.#window, this.#pos, len);
      this.#pos += len;
      return;
    }
    this.#take(len);
    copyBytes(dst, off, this.#runBuf, this.#runOff, len);
  }

  /** Passes over `len` bytes; they count for the checksum. */
  skip(len: number): void {
    this.#beginSkip(len);
    this.finishSkip();
  }

  #beginSkip(len: number): void {
    if (len > this.remaining()) this.#endsEarly(len);
    this.#skipLeft = len;
  }

  /**
   * Passes over what is to be skipped. When it stops on the way, what was read before counts as made
   * use of: it is to be called again, after `rewind`, before anything else is read.
   */
  finishSkip(): void {
    let piece = PIECE_BYTES;
    while (this.#skipLeft > this.#end - this.#pos) {
      const here = this.#end - this.#pos;
      this.#skipLeft -= here;
      piece -= here;
      this.#pos = this.#end;
      if (this.#mark >= 0) {
        this.#mark = this.#pos;
        if (piece <= 0) throw PAUSED;
      }
      this.#refill(1);
    }
    this.#pos += this.#skipLeft;
    this.#skipLeft = 0;
  }

  /**
   * Reads the eight bytes behind the EOF opcode (version 5 and later) and compares them with the sum
   * of all before. Eight zeros mean that the writer kept no sum. Answers whether it was compared;
   * throws an RdbError of kind `checksum` when it differs.
   */
  verifyChecksum(): boolean {
    const at = this.offset;
    this.#need(8);
    this.#sum();
    const buf = this.#window;
    const pos = this.#pos;
    this.#pos += 8;
    this.#crcPos = this.#pos;
    let zeros = 0;
    while (zeros < 8 && buf[pos + zeros] === 0) zeros++;
    if (!this.#sums || zeros === 8) return false;
    if (!this.#crc.equalsAt(buf, pos)) {
      let stored = "";
      for (let i = 7; i >= 0; i--) stored += buf[pos + i].toString(16).padStart(2, "0");
      const what = `CRC error, wrong checksum: expected ${stored}, got ${this.#crc.toHex()},`;
      throw this.error(what, at, "checksum");
    }
    return true;
  }

  /** Makes `count` bytes (at most WINDOW_BYTES_MIN) lie in the window from pos on. */
  #need(count: number): void {
    if (this.#end - this.#pos < count) this.#refill(count);
  }

  /** Makes `len` bytes contiguous, sets #runBuf and #runOff to them and passes over them. */
  #take(len: number): void {
    if (len > this.#end - this.#pos) {
      if (len > this.#largeMin) {
        this.#takeLarge(len);
        return;
      }
      if (len > this.remaining()) this.#endsEarly(len);
      this.#refill(len);
    } else if (len > PIECE_BYTES && this.#mark >= 0) {
      this.#takeLarge(len);
      return;
    }
    this.#runBuf = this.#window;
    this.#runOff = this.#pos;
    this.#pos += len;
  }

  /** Strings of more bytes are not gathered in the window. */
  get #largeMin(): number {
    return this.#window.length >>> 1;
  }

  /** #take of a long string: into a buffer of its own, which the caller may keep. */
  #takeLarge(len: number): void {
    this.#fillLarge(len);
    const large = this.#large;
    this.#endLarge(len);
    this.#runBuf = large;
    this.#runOff = 0;
  }

  /**
   * Gathers the `len` bytes that come next in `#large`, in as many tries as it takes. Until
   * `#endLarge` the reader stands before them.
   */
  #fillLarge(len: number): void {
    if (this.#largeAt !== this.offset) this.#beginLarge(len);
    let piece = this.#mark >= 0 ? PIECE_BYTES : Infinity;
    while (this.#largeFilled < len) {
      if (piece <= 0) throw PAUSED;
      if (this.#largeFilled === this.#large.length) this.#growLarge(len);
      const count = this.#fillSome(Math.min(len - this.#largeFilled, piece));
      if (this.#sums) this.#crc.update(this.#large, this.#largeFilled, count);
      this.#largeFilled += count;
      piece -= count;
    }
  }

  #beginLarge(len: number): void {
    if (len > this.remaining()) this.#endsEarly(len);
    if (len > STRING_BYTES_MAX) throw this.error(`a string of ${len} bytes`);
    const isKnown = this.remaining() !== Infinity;
    if (!isKnown && len > this.#stringBytesMax) {
      throw this.error(`a string of ${len} bytes, longer than proto-max-bulk-len,`);
    }
    // The system gives memory when it is written to, so what never comes costs nothing. Of a source of
    // unknown size without a limit the buffer grows with what has really come.
    const grows = !isKnown && this.#stringBytesMax === STRING_BYTES_MAX;
    this.#large = this.#allocate(grows ? Math.min(len, 2 * this.#window.length) : len);
    this.#largeFilled = 0;
    this.#largeAt = this.offset;
    this.#unpacked = null;
    this.#sum();
    if (this.#source === null) return;
    const here = Math.min(len, this.#end - this.#pos);
    copyBytes(this.#large, 0, this.#window, this.#pos, here);
    if (this.#sums) this.#crc.update(this.#large, 0, here);
    this.#largeFilled = here;
    this.#window.copyWithin(this.#pos, this.#pos + here, this.#end);
    this.#end -= here;
  }

  /** Brings the next bytes of the long string, `most` at most, to where they belong; returns how many. */
  #fillSome(most: number): number {
    const at = this.#largeFilled;
    const source = this.#source;
    if (source === null) {
      const count = Math.min(most, this.#large.length - at);
      copyBytes(this.#large, at, this.#window, this.#pos + at, count);
      return count;
    }
    const until = Math.min(this.#large.length, at + most);
    const count = source.fill(this.#large.subarray(0, until), at);
    if (count > 0) return count;
    if (this.#growing !== null && !this.#growing.isComplete) throw STARVED;
    throw this.error("unexpected end of file", this.#largeAt + at, "truncated");
  }

  #growLarge(len: number): void {
    const larger = this.#allocate(Math.min(len, 2 * this.#largeFilled));
    larger.set(this.#large);
    blocks.give(this.#large);
    this.#large = larger;
  }

  /** Passes over the long string, which has come whole. */
  #endLarge(len: number): void {
    this.#forgetLarge();
    if (this.#source === null) this.#pos += len;
    else this.#base += len; // it is not in the window
    this.#crcPos = this.#pos;
  }

  #forgetLarge(): void {
    this.#largeAt = -1;
    this.#large = NO_BYTES;
    this.#unpacked = null;
  }

  #allocate(bytes: number): Uint8Array<ArrayBuffer> {
    if (bytes > STRING_BYTES_MAX) throw this.error(`a string of ${bytes} bytes`);
    try {
      return this.ownsFromBlocks ? blocks.take(bytes) : new Uint8Array(bytes);
    } catch {
      throw this.error(`no memory for a string of ${bytes} bytes`, this.offset, "memory");
    }
  }

  /** Moves what is left to the front of the window and fills up until `count` bytes are there. */
  #refill(count: number): void {
    const source = this.#source;
    if (source === null) this.#endsEarly(count);
    this.#moveToFront();
    while (this.#end - this.#pos < count) {
      if (this.#end === this.#window.length) throw new Error("rdb: the window is too small");
      const got = source.fill(this.#window, this.#end);
      if (got === 0) {
        if (this.#growing === null || this.#growing.isComplete) this.#endsEarly(count);
        throw STARVED;
      }
      this.#end += got;
    }
  }

  /** Moves what is needed (from the mark on, where there is one) to the front of the window. */
  #moveToFront(): void {
    const from = this.#mark < 0 ? this.#pos : this.#mark;
    this.#sumTo(from);
    if (from > 0) this.#window.copyWithin(0, from, this.#end);
    this.#base += from;
    this.#pos -= from;
    this.#end -= from;
    this.#crcPos -= from;
    if (this.#mark >= 0) this.#mark = 0;
  }

  #endsEarly(count: number): never {
    const what = `unexpected end of file: ${count} more bytes needed,`;
    throw this.error(what, this.offset, "truncated");
  }

  /** Brings the sum up to pos. */
  #sum(): void {
    this.#sumTo(this.#pos);
  }

  #sumTo(pos: number): void {
    if (pos <= this.#crcPos) return; // read again: it has been counted
    if (this.#sums) this.#crc.update(this.#window, this.#crcPos, pos - this.#crcPos);
    this.#crcPos = pos;
  }
}

/** How many bytes follow an integer encoding; 0 when it is none. */
function integerBytes(encoding: number): number {
  if (encoding === ENCODING_INT8) return 1;
  if (encoding === ENCODING_INT16) return 2;
  return encoding === ENCODING_INT32 ? 4 : 0;
}

function uint32be(buf: Uint8Array, at: number): number {
  return ((buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3]) >>> 0;
}

function int32le(buf: Uint8Array, at: number): number {
  return buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16) | (buf[at + 3] << 24);
}
