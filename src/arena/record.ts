/**
 * The layout of a record: one key (or field, or member) with its value, as bytes in a chunk of an
 * arena. Everything the keyspace knows about a key stands here; tables hold references only.
 *
 *     int32 0   hash of the key
 *     int32 1   bits 0-3 type, 4-7 encoding, 8-31 access clock (LRU seconds or LFU minutes+counter)
 *     int32 2   bits 0-28 key length, bit 29 snapshot parity (see Dict.parity), bit 31 "has an expiry"
 *     int32 3   bits 0-15 value length, bits 16-31 size of the chunk in units of 8 bytes
 *               (0: the chunk is a segment of its own)
 *     float64   expiry, Unix time in ms; only when bit 31 of word 2 is set
 *     key bytes, then value bytes
 *
 * A reference is an int32: segment number << 20 | offset in units of 8 bytes. 0 is "none".
 * A free chunk has FREE in word 1; see arena.ts. See "Records and references" in NOTES.
 */

/** Bits of a reference below the segment number. */
export const REF_SHIFT = 20;
export const REF_MASK = 0xfffff;

export const HEADER_BYTES = 16;
export const EXPIRY_BYTES = 8;

export const KEY_LENGTH_MASK = 0x1fffffff;
export const SNAPSHOT_BIT = 0x20000000;
export const EXPIRY_BIT = 0x80000000 | 0;

/** The longest value that stays inside a record. */
export const INLINE_VALUE_MAX = 0xffff;

/** Word 1 of a chunk that is not in use. */
export const FREE = -1;

// Types: numbers of our own, in the order of Redis's object types; at most 15. What else a kind of
// value is stands in src/rdb/kinds.
export const TYPE_STRING = 0;
export const TYPE_LIST = 1;
export const TYPE_SET = 2;
export const TYPE_ZSET = 3;
export const TYPE_HASH = 4;
export const TYPE_STREAM = 5;

// Encodings, at most 15. Inline ones keep the value's bytes in the record; the others a 4-byte slot number.
/** String: text bytes in the record, changed in place since it was set (always "raw"). */
export const ENC_RAW = 0;
/** String: bytes in a slot (too long for a record). */
export const ENC_EXTERNAL = 2;
/** List, set, hash or sorted set: listpack bytes in the record. */
export const ENC_LISTPACK = 3;
/** Set: intset bytes in the record. */
export const ENC_INTSET = 4;
/** List in a slot: QuickList. */
export const ENC_QUICKLIST = 5;
/** Set or hash in a slot: Dict. */
export const ENC_HASHTABLE = 6;
/** Sorted set in a slot: SortedSet (answered as "skiplist"). */
export const ENC_SKIPLIST = 7;
/** Stream in a slot: Stream. */
export const ENC_STREAM = 8;
/**
 * String: text bytes in the record as they were set ("int", "embstr" or "raw" by what they are). See
 * "One text form for strings" in NOTES.
 */
export const ENC_EMBSTR = 9;
/** String: text bytes in the record that count as text even where they are an integer. */
export const ENC_TEXT = 10;
/**
 * Hash with fields that expire: the place of the record in the database's index of such hashes + 1, or 0
 * (4 bytes, little-endian), and a listpack of triples (values/timed_listpack.ts), in the record.
 */
export const ENC_LISTPACK_EX = 11;
/** Bytes before that listpack. */
export const PLACE_BYTES = 4;

/** Encodings that keep the value in a slot, as bits. */
const SLOT_ENCODINGS = 1 << ENC_EXTERNAL | 1 << ENC_QUICKLIST | 1 << ENC_HASHTABLE |
  1 << ENC_SKIPLIST | 1 << ENC_STREAM;

/** Encodings of values that something else than the record knows of: a slot, an index. */
const NOTED_ENCODINGS = SLOT_ENCODINGS | 1 << ENC_LISTPACK_EX;

/** Whether a value of this encoding may not simply be overwritten. */
export function isNotedEncoding(encoding: number): boolean {
  return (NOTED_ENCODINGS >>> encoding & 1) !== 0;
}

/** Whether values of this encoding are in a slot. */
export function isSlotEncoding(encoding: number): boolean {
  return (SLOT_ENCODINGS >>> encoding & 1) !== 0;
}
