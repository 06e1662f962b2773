/**
 * The numbers of the snapshot format (RDB), versions 1 to 15, as Redis 1.0 to 8.10 and Valkey 8 write
 * it, and version 80, as Valkey 9 does. Read by reader, writer, loader and saver; no code here but
 * look-ups. All of them are read, 6 to 12 can be written.
 *
 * A file:
 *
 *     "REDIS" "0010"                      magic, version as four decimal digits
 *     "VALKEY" "080"                      the same of Valkey 9, with three
 *     250 <string> <string>  ...          aux fields: who wrote this, when
 *     245 <string>  ...                   function libraries
 *     242 <length> <length> <string> ...  templates of hashes: number, names of fields (version 15)
 *     254 <length>                        database number, before its keys
 *     251 <length> <length>               how many keys it has, and how many of them expire
 *       [253 int32le | 252 int64le]       expiry of the key that follows, Unix time in s or ms
 *       [248 <length> | 249 byte]         its idle time in s, or its access frequency
 *       [243 <length> ...]                what modules keep with it (version 13)
 *       <type byte> <string> <value>      the key and its value
 *     255 [crc64le]                       end; the checksum since version 5, 0 when switched off
 *
 * A DUMP payload: <type byte> <value> <version, int16le> <crc64le>, the sum over all before it.
 *
 * A <length> is 1, 2, 5 or 9 bytes, big-endian; its first two bits say which:
 *
 *     00nnnnnn                            0 to 63
 *     01nnnnnn nnnnnnnn                   0 to 16383
 *     10000000 <uint32be>                 0 to 2^32 - 1
 *     10000001 <uint64be>                 0 to 2^64 - 1 (since version 8)
 *     11eeeeee                            not a length: a string encoded in the way e follows
 *
 * A <string> is a length and so many bytes, or
 *
 *     11000000 <int8>                     stands for the decimal text of the number
 *     11000001 <int16le>
 *     11000010 <int32le>
 *     11000011 <length c> <length n> <c bytes>    LZF, n bytes when decompressed
 *
 * @see {@link https://rdb.fnordig.de/file_format.html}
 */

/** The version written unless asked otherwise: what Redis 7.0 writes and every later one reads. */
export const RDB_VERSION = 10;
/** The first version that can be written: what Redis 2.6 to 3.0 write. */
export const RDB_VERSION_MIN = 6;
/** The first version with aux fields, sizes of databases, and lists as nodes: Redis 3.2. */
export const RDB_VERSION_AUX = 7;
/** The first version with scores as float64: Redis 4.0. */
export const RDB_VERSION_SCORES = 8;
/** The first version with streams, idle times and frequencies: Redis 5.0. */
export const RDB_VERSION_STREAMS = 9;
/** The first version with listpacks in place of ziplists, and with functions: Redis 7.0. */
export const RDB_VERSION_LISTPACKS = 10;
/** The first version with listpacks of sets, and streams that tell when consumers were active: Redis 7.2. */
export const RDB_VERSION_SET_LISTPACKS = 11;
/** The first version with fields of hashes that expire: Redis 7.4. */
export const RDB_VERSION_FIELDS = 12;
/** The latest version that can be written. */
export const RDB_VERSION_MAX = 12;
/** The latest version of Redis that is read: what Redis 8.10 writes; 8.6 writes 13, 8.8 writes 14. */
export const RDB_VERSION_READ_MAX = 15;
/** The version of Valkey 9, which has numbers of its own for what Valkey has added. */
export const RDB_VERSION_VALKEY = 80;
/** The first version that ends with a checksum. */
export const RDB_VERSION_CHECKSUM = 5;

/** "REDIS" and four digits. */
export const RDB_HEADER_BYTES = 9;
/** Two bytes of version and eight of checksum behind a DUMP payload. */
export const DUMP_FOOTER_BYTES = 10;

// What a length begins with.
export const LENGTH_6BIT_MAX = 0x3f;
export const LENGTH_14BIT_MAX = 0x3fff;
export const LENGTH_32BIT = 0x80;
export const LENGTH_64BIT = 0x81;
export const LENGTH_ENCODED = 0xc0;

// String encodings: the low six bits behind 11.
export const ENCODING_INT8 = 0;
export const ENCODING_INT16 = 1;
export const ENCODING_INT32 = 2;
export const ENCODING_LZF = 3;

// Lengths of a score as text (type 3) that are no length.
export const DOUBLE_NAN = 253;
export const DOUBLE_INFINITY = 254;
export const DOUBLE_MINUS_INFINITY = 255;

// Value types. <n> is a length, <s> a string; a blob is a string that holds a packed structure.

/** <s> */
export const TYPE_STRING = 0;
/** <n> n times <s>, head first. */
export const TYPE_LIST = 1;
/** <n> n times <s>. */
export const TYPE_SET = 2;
/** <n> n times <s> and the score as text: a length byte and so many characters, or a DOUBLE_. */
export const TYPE_ZSET = 3;
/** <n> n times <s field> <s value>. */
export const TYPE_HASH = 4;
/** <n> n times <s> and the score as float64le. */
export const TYPE_ZSET_2 = 5;
/** A module's value as release candidates of 4.0 wrote it, readable by its module alone. */
export const TYPE_MODULE_PRE_GA = 6;
/** A module's value, with marks that let others skip it. */
export const TYPE_MODULE_2 = 7;
/** A zipmap blob: field, value, ... */
export const TYPE_HASH_ZIPMAP = 9;
/** A ziplist blob. */
export const TYPE_LIST_ZIPLIST = 10;
/** An intset blob. */
export const TYPE_SET_INTSET = 11;
/** A ziplist blob: member, score, ... ascending. */
export const TYPE_ZSET_ZIPLIST = 12;
/** A ziplist blob: field, value, ... */
export const TYPE_HASH_ZIPLIST = 13;
/** <n> n times a ziplist blob. */
export const TYPE_LIST_QUICKLIST = 14;
/** A stream of version 5.0: see TYPE_STREAM_LISTPACKS_3. */
export const TYPE_STREAM_LISTPACKS = 15;
/** A listpack blob: field, value, ... */
export const TYPE_HASH_LISTPACK = 16;
/** A listpack blob: member, score, ... ascending. */
export const TYPE_ZSET_LISTPACK = 17;
/** <n> n times: <n container> and <s>: one plain element (1), or a listpack blob of several (2). */
export const TYPE_LIST_QUICKLIST_2 = 18;
/** A stream of version 7.0: see TYPE_STREAM_LISTPACKS_3. */
export const TYPE_STREAM_LISTPACKS_2 = 19;
/** A listpack blob. Not understood before 7.2. */
export const TYPE_SET_LISTPACK = 20;
/**
 * A stream; what was added by 7.0 (+) and 7.2 (++). An id is two lengths, except where "id16" is
 * said: 16 bytes, big-endian.
 *
 *     <n> n times: <s of 16: id of the node's first entry> <s: listpack blob>
 *     <n entries> <last id> + <first id> <greatest deleted id> <n entries ever added>
 *     <n groups>, of each:
 *       <s name> <last delivered id> + <n entries read>
 *       <n pending> of each: id16, delivered at (int64le, ms), <n deliveries>
 *       <n consumers> of each: <s name> seen at (int64le, ms) ++ active at (int64le, ms)
 *         <n pending> of each: id16
 */
export const TYPE_STREAM_LISTPACKS_3 = 21;
/** As 24 without the first field, times absolute: release candidates of 7.4. */
export const TYPE_HASH_METADATA_PRE_GA = 22;
/** As 25 without the first field: release candidates of 7.4. */
export const TYPE_HASH_LISTPACK_EX_PRE_GA = 23;
/**
 * A hash with expiring fields: int64le, the earliest expiry E in ms; <n> n times: <length t>
 * <s field> <s value>, where t is 0 without expiry, else it is at E + t - 1.
 */
export const TYPE_HASH_METADATA = 24;
/** int64le, the earliest expiry in ms; a listpack blob: field, value, expiry in ms or 0, ... */
export const TYPE_HASH_LISTPACK_EX = 25;
/**
 * The number of type 22 in version 80: a hash with expiring fields as Valkey 9 writes it. <n> n times:
 * <s field> <s value> int64le, the expiry in ms or -1.
 */
export const TYPE_VALKEY_HASH_2 = 0x100 | TYPE_HASH_METADATA_PRE_GA;
/**
 * A stream of Redis 8.6: TYPE_STREAM_LISTPACKS_3, and behind the groups what it knows of producers that
 * may say a thing twice (IDMP):
 *
 *     <duration in s> <most ids of each>
 *     <n producers> of each: <s name> <n ids> of each: <s id> <id of its entry>
 *     <n ids ever taken> <n ids that came twice>
 */
export const TYPE_STREAM_LISTPACKS_4 = 26;
/** A stream of Redis 8.8: as 26, and behind the consumers of each group <n> n times id16, pending for nobody. */
export const TYPE_STREAM_LISTPACKS_5 = 27;
/**
 * An array of Redis 8.8: <n> <1 where the place of the next insertion follows, else 0> [<place>], n times: <place>
 * <tag> and a string (tags 0 and 3), an int64le (1) or a float64le (2).
 */
export const TYPE_ARRAY = 28;
/**
 * A hash with the fields of a template, as a payload of Redis 8.10: <0> <s: listpack blob of the names> or <1> <n>
 * n times <s name>; then a listpack blob: a number that says nothing here, and the values in the order of the names.
 */
export const TYPE_HASH_TMPL_LP = 29;
/** The same in a snapshot: a listpack blob, the number of the template and the values. */
export const TYPE_HASH_TMPL_LP_REF = 30;
/** As 29, with each value a <s>. */
export const TYPE_HASH_TMPL_ARRAY = 31;
/** As 30: <number of the template> and as many <s> as it has names. */
export const TYPE_HASH_TMPL_ARRAY_REF = 32;
/** The time that GCRA keeps, a length; from servers built with that only. */
export const TYPE_GCRA = 33;
/** The greatest value type. */
export const TYPE_MAX = TYPE_GCRA;
/** The greatest value type that Valkey has, too. */
const TYPE_VALKEY_MAX = TYPE_HASH_LISTPACK_EX;
/** The greatest value type of those whose numbers stay: what is behind it has been given anew before. */
const TYPE_LASTING_MAX = TYPE_HASH_TMPL_ARRAY_REF;
/** What is added to a value type that is another one in the version at hand. */
const OTHER_TYPES = 0x100;

// Containers of a node of TYPE_LIST_QUICKLIST_2.
export const QUICKLIST_NODE_PLAIN = 1;
export const QUICKLIST_NODE_PACKED = 2;

// Opcodes.

/** A template of hashes, for types 30 and 32: <number> <n> n times <s name>. Version 15. */
export const OPCODE_HASH_TEMPLATE = 242;
/** State of a slot on its way here; Valkey 9 only: <s> <n> n times <first> <last>. */
export const OPCODE_SLOT_IMPORT = 243;
/**
 * What modules keep with the key that follows; Redis only, where 243 is this: <n classes> of each: int32le (name,
 * version, flags) and parts as module_data.ts draws them. Version 13.
 */
export const OPCODE_KEY_META = OPCODE_SLOT_IMPORT;
/** Hint of the size of a cluster slot: <slot> <keys> <keys that expire>. */
export const OPCODE_SLOT_INFO = 244;
/** A function library: <s code>. */
export const OPCODE_FUNCTION_2 = 245;
/** A function library as release candidates of 7.0 wrote it. */
export const OPCODE_FUNCTION_PRE_GA = 246;
/** A module's own data. */
export const OPCODE_MODULE_AUX = 247;
/** <n>: seconds since the key that follows was used. */
export const OPCODE_IDLE = 248;
/** One byte: the access frequency (LFU counter) of the key that follows. */
export const OPCODE_FREQ = 249;
/** <s name> <s value>; unknown names are to be ignored. */
export const OPCODE_AUX = 250;
/** <n keys> <n keys that expire>: hint for the database just selected. */
export const OPCODE_RESIZEDB = 251;
/** int64le: expiry of the key that follows, Unix time in ms. */
export const OPCODE_EXPIRETIME_MS = 252;
/** int32le: expiry of the key that follows, Unix time in s. */
export const OPCODE_EXPIRETIME = 253;
/** <n>: the database of the keys that follow. */
export const OPCODE_SELECTDB = 254;
/** The end. */
export const OPCODE_EOF = 255;

/** Names of value types, for messages; what is missing is no type. */
export const TYPE_NAMES: readonly (string | undefined)[] = [
  "string",
  "list",
  "set",
  "zset",
  "hash",
  "zset2",
  "module-pre-ga",
  "module2",
  undefined,
  "hash-zipmap",
  "list-ziplist",
  "set-intset",
  "zset-ziplist",
  "hash-ziplist",
  "list-quicklist",
  "stream-listpacks",
  "hash-listpack",
  "zset-listpack",
  "list-quicklist2",
  "stream-listpacks2",
  "set-listpack",
  "stream-listpacks3",
  "hash-metadata-pre-ga",
  "hash-listpack-ex-pre-ga",
  "hash-metadata",
  "hash-listpack-ex",
  "stream-listpacks4",
  "stream-listpacks5",
  "array",
  "hash-template-listpack",
  "hash-template-listpack-ref",
  "hash-template-array",
  "hash-template-array-ref",
  "gcra",
];

/** Names of the opcodes from 242 on, for messages. */
const OPCODE_NAMES = [
  "hash-template",
  "slot-import",
  "slot-info",
  "function2",
  "function-pre-ga",
  "module-aux",
  "idle",
  "freq",
  "aux",
  "resizedb",
  "expiretime-ms",
  "expiretime",
  "selectdb",
  "eof",
];

/** Whether a version is one of Valkey's own. */
export function isValkeyVersion(version: number): boolean {
  return version >= RDB_VERSION_VALKEY;
}

/**
 * Whether snapshots and payloads of a version are read; with `relaxed` (`rdb-version-check`) also later ones, as far as
 * there is nothing in them that is not known.
 */
export function isReadVersion(version: number, relaxed = false): boolean {
  return relaxed || version <= RDB_VERSION_READ_MAX || version === RDB_VERSION_VALKEY;
}

/** What a type byte stands for in a version; a number above 255 that is no type where it is not known there. */
export function typeIn(version: number, type: number): number {
  if (isValkeyVersion(version)) {
    const isOther = type === TYPE_HASH_METADATA_PRE_GA || type > TYPE_VALKEY_MAX;
    return isOther ? OTHER_TYPES | type : type;
  }
  const isUnknown = version > RDB_VERSION_READ_MAX && type > TYPE_LASTING_MAX;
  return isUnknown ? OTHER_TYPES | type : type;
}

/** The types that came with each version after the first that can be written, up to the last of them. */
const LAST_TYPES: readonly (readonly [version: number, type: number])[] = [
  [RDB_VERSION_FIELDS, TYPE_HASH_LISTPACK_EX],
  [RDB_VERSION_SET_LISTPACKS, TYPE_STREAM_LISTPACKS_3],
  [RDB_VERSION_LISTPACKS, TYPE_STREAM_LISTPACKS_2],
  [RDB_VERSION_STREAMS, TYPE_STREAM_LISTPACKS],
  [RDB_VERSION_AUX, TYPE_LIST_QUICKLIST],
  [RDB_VERSION_MIN, TYPE_HASH_ZIPLIST],
];

/** The first version, of those that can be written, that knows a value type. */
export function versionOfType(type: number): number {
  if (type === TYPE_ZSET_2 || type === TYPE_MODULE_2) return RDB_VERSION_SCORES;
  let first = RDB_VERSION_MAX;
  for (const [version, last] of LAST_TYPES) if (type <= last) first = version;
  return first;
}

/** The name of an opcode or value type, or undefined when the byte is neither. */
export function codeName(code: number): string | undefined {
  return code >= OPCODE_HASH_TEMPLATE
    ? OPCODE_NAMES[code - OPCODE_HASH_TEMPLATE]
    : TYPE_NAMES[code];
}
