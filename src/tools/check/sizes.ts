/**
 * What a value that was read or passed over would take in memory of tsredis, about as MEMORY USAGE would say, and how
 * many elements it has. Of what was loaded it is exact; of what was passed over it follows from its elements and bytes,
 * most times within a tenth.
 */

import {
  ENC_INTSET,
  ENC_LISTPACK,
  ENC_LISTPACK_EX,
  EXPIRY_BYTES,
  HEADER_BYTES,
  PLACE_BYTES,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_STRING,
  TYPE_ZSET,
} from "../../arena/record.ts";
import { INLINE_STRING_MAX } from "../../keyspace/database.ts";
import { DEFAULT_LIMITS } from "../../keyspace/keyspace.ts";
import type { LargeValue } from "../../keyspace/value_slots.ts";
import type { LoadedValue } from "../../rdb/kinds/loaded_value.ts";
import { intsetCount } from "../../values/intset.ts";
import { lpCount } from "../../values/listpack.ts";
import { Stream } from "../../values/stream/stream.ts";

/** Share of a key in the table of its database. */
const TABLE_SHARE_BYTES = 8;
/** Number of a slot, where the value is in one. */
const SLOT_BYTES = 4;
/** What a member or field in a table takes beside its bytes. */
const TABLE_ELEMENT_BYTES = 30;
/** The same of a member of a sorted set, and what the smallest one takes. */
const SCORED_ELEMENT_BYTES = 54;
const SCORED_FIRST_BYTES = 14_000;
/** A time at which a field expires. */
const FIELD_TIME_BYTES = 13;
/** An entry of a listpack beside its bytes, and its score. */
const ENTRY_BYTES = 3;
const SCORE_BYTES = 9;
/** A node of a list, beside its bytes. */
const LIST_NODE_BYTES = 100;
const LIST_NODE_SIZE = 8192;

/** Bytes that a key takes with its value. */
export function memoryOf(value: LoadedValue, keyBytes: number, expires: boolean): number {
  const head = HEADER_BYTES + (expires ? EXPIRY_BYTES : 0) + keyBytes;
  const record = (bytes: number) => (head + bytes + 7 & ~7) + TABLE_SHARE_BYTES;
  if (value.large !== null) return record(SLOT_BYTES) + value.large.memoryBytes;
  if (!value.isPassed) return record(value.length);
  const inline = inlineBytes(value);
  return inline >= 0 ? record(inline) : record(SLOT_BYTES) + slotBytes(value);
}

/** Bytes of the value in its record; -1 when it is in a slot. */
function inlineBytes({ type, elements, contentBytes, timedFields }: LoadedValue): number {
  if (type === TYPE_STRING) return contentBytes <= INLINE_STRING_MAX ? contentBytes : -1;
  if (type === TYPE_LIST) return contentBytes <= LIST_NODE_SIZE ? contentBytes : -1;
  const { hashMaxListpackEntries, hashMaxListpackValue } = DEFAULT_LIMITS;
  const isSmall = elements <= hashMaxListpackEntries &&
    contentBytes <= elements * hashMaxListpackValue;
  if (!isSmall || type > TYPE_HASH) return -1;
  const isPaired = type === TYPE_HASH || type === TYPE_ZSET;
  const scores = type === TYPE_ZSET ? SCORE_BYTES * elements : 0;
  return contentBytes + ENTRY_BYTES * elements * (isPaired ? 2 : 1) + scores +
    FIELD_TIME_BYTES * timedFields;
}

function slotBytes({ type, elements, contentBytes, timedFields }: LoadedValue): number {
  switch (type) {
    case TYPE_STRING:
      return contentBytes;
    case TYPE_LIST:
      return contentBytes + Math.ceil(contentBytes / LIST_NODE_SIZE) * LIST_NODE_BYTES;
    case TYPE_ZSET:
      return contentBytes + elements * SCORED_ELEMENT_BYTES + SCORED_FIRST_BYTES;
    default:
      if (type > TYPE_HASH) return contentBytes;
      return contentBytes + elements * TABLE_ELEMENT_BYTES + timedFields * FIELD_TIME_BYTES;
  }
}

/** How many elements a value has: members, fields, entries; 1 for a string. */
export function elementsOf(value: LoadedValue): number {
  if (value.isPassed) return value.elements;
  return elementsIn(value.type, value.encoding, value.large, value.bytes, value.offset);
}

/** The same of a value as a database holds it: in a slot, or as bytes in its record. */
export function elementsIn(
  type: number,
  encoding: number,
  large: LargeValue | null,
  bytes: Uint8Array,
  offset: number,
): number {
  if (type === TYPE_STRING) return 1;
  if (large instanceof Stream) return large.length;
  if (large !== null) return (large as LargeValue & { readonly count: number }).count;
  if (encoding === ENC_INTSET) return intsetCount(bytes, offset);
  if (encoding === ENC_LISTPACK_EX) return lpCount(bytes, offset + PLACE_BYTES) / 3;
  const isPaired = encoding === ENC_LISTPACK && (type === TYPE_HASH || type === TYPE_ZSET);
  return lpCount(bytes, offset) / (isPaired ? 2 : 1);
}
