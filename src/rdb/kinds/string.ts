/**
 * Strings as a kind of value. In a snapshot: type 0, <string>.
 */

import { ENC_EMBSTR, ENC_EXTERNAL, ENC_RAW, ENC_TEXT, TYPE_STRING } from "../../arena/record.ts";
import { isInt64Text } from "../../base/integers.ts";
import { type Database, INLINE_STRING_MAX } from "../../keyspace/database.ts";
import type { ValueSource } from "../../keyspace/doors.ts";
import { LongString } from "../../keyspace/value_slots.ts";
import * as format from "../format.ts";
import type { RdbReader } from "../reader.ts";
import type { RdbEncoder } from "../writer.ts";
import type { LoadedValue } from "./loaded_value.ts";
import type { ValueDigest } from "./value_digest.ts";
import type { ValueKind } from "./value_kind.ts";
import { LOAD_WHOLE, ValueLoad } from "./value_load.ts";
import { type SavedForm, ValueWalk } from "./value_walk.ts";

/** Longest string that Redis would keep in one allocation with its object. */
const EMBSTR_MAX = 44;
/** A longer string is written in pieces of this size. */
const BYTES_AT_ONCE = 256 * 1024;

export const stringKind: ValueKind = {
  type: TYPE_STRING,
  name: "string",
  encodings: [ENC_RAW, ENC_EXTERNAL, ENC_EMBSTR, ENC_TEXT],
  encodingName,
  digestNumber: 0,
  addToDigest,
  rdbTypes: [format.TYPE_STRING],
  rdbTypeOf: () => format.TYPE_STRING,
  save,
  newLoad: () => new StringLoad(),
  newScan: () => new StringScan(),
  walk,
  isWalked: () => false,
  tableOf: () => null,
};

/** "int", "embstr" and "raw" are one form here: the name follows from how the text came about. */
function encodingName({ records }: ValueSource, ref: number): string {
  const encoding = (records.metaOf(ref) >>> 4) & 0xf;
  if (encoding === ENC_RAW || encoding === ENC_EXTERNAL) return "raw";
  const length = records.valueLength(ref);
  if (
    encoding === ENC_EMBSTR && isInt64Text(records.bytesOf(ref), records.valueOffset(ref), length)
  ) return "int";
  return length <= EMBSTR_MAX ? "embstr" : "raw";
}

function addToDigest(digest: ValueDigest, database: Database, ref: number): void {
  const bytes = database.locateString(ref);
  digest.mix(bytes, database.stringOffset, database.stringLength);
}

function save(out: RdbEncoder, source: ValueSource, ref: number): void {
  const { records } = source;
  if (((records.metaOf(ref) >>> 4) & 0xf) === ENC_EXTERNAL) {
    const value = source.largeValue(ref) as LongString;
    out.writeString(value.bytes, 0, value.length);
  } else {
    out.writeString(records.bytesOf(ref), records.valueOffset(ref), records.valueLength(ref));
  }
}

class StringLoad extends ValueLoad {
  override begin(): void {}

  override step(value: LoadedValue, reader: RdbReader): number {
    reader.ownsFromBlocks = true;
    try {
      reader.readString();
    } finally {
      reader.ownsFromBlocks = false;
    }
    const { strBuf, strOff, strLen } = reader;
    if (strLen <= INLINE_STRING_MAX) {
      value.setInline(TYPE_STRING, ENC_EMBSTR, strBuf, strOff, strLen);
      return LOAD_WHOLE;
    }
    const long = reader.strOwned && strOff === 0
      ? new LongString(strBuf, strLen)
      : LongString.copyOf(strBuf, strOff, strLen);
    value.setLarge(TYPE_STRING, ENC_EXTERNAL, long);
    return LOAD_WHOLE;
  }
}

class StringScan extends ValueLoad {
  override begin(): void {}

  override step(value: LoadedValue, reader: RdbReader): number {
    value.beginPassing(TYPE_STRING);
    value.passString(reader);
    value.elements = 1;
    return LOAD_WHOLE;
  }
}

function walk(
  source: ValueSource,
  ref: number,
  _form: SavedForm,
  canBorrow: boolean,
): ValueWalk | null {
  if (!canBorrow || ((source.records.metaOf(ref) >>> 4) & 0xf) !== ENC_EXTERNAL) return null;
  const value = source.largeValue(ref) as LongString;
  return value.length <= BYTES_AT_ONCE ? null : new StringWalk(value);
}

/** A long string, kept by reference until somebody wants to change it. */
class StringWalk extends ValueWalk {
  override readonly isBorrowed = true;
  readonly #string: LongString;
  readonly #length: number;
  #bytes: Uint8Array;
  #at = 0;

  constructor(value: LongString) {
    super(value);
    this.#string = value;
    this.#bytes = value.bytes;
    this.#length = value.length;
  }

  override keep(): void {
    if (this.#bytes !== this.#string.bytes) return;
    this.#bytes = this.#bytes.slice(0, this.#length);
  }

  override begin(main: RdbEncoder): void {
    main.openString(this.#length);
  }

  override step(main: RdbEncoder): boolean {
    const size = Math.min(BYTES_AT_ONCE, this.#length - this.#at);
    main.writeBytes(this.#bytes, this.#at, size);
    this.#at += size;
    return this.#at === this.#length;
  }

  override abort(): void {}
}
