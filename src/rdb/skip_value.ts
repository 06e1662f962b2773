/**
 * Passes over a value of a snapshot by its frame alone: the lengths and counts that say where it ends. What is in it is
 * not looked at, so this finds the end of a value whose content is damaged, if its frame is not. For tools.
 *
 * How the frames of all types look is drawn in format.ts. A frame is a list of parts.
 */

import * as format from "./format.ts";
import { readModuleName, skipModulePart } from "./module_data.ts";
import type { RdbReader } from "./reader.ts";

/** A string; */
const STRING = "s";
/** a length; */
const LENGTH = "n";
/** a score as text; or so many bytes. */
const SCORE = "score";
type Part = typeof STRING | typeof LENGTH | typeof SCORE | number;

/** What stands before the elements, if anything, and the parts of each; null: there are none to be counted. */
interface Frame {
  readonly head: readonly Part[];
  readonly element: readonly Part[] | null;
}

const ID_BYTES = 16;
const TIME_BYTES = 8;

const BLOB: Frame = { head: [STRING], element: null };

const FRAMES = new Map<number, Frame>([
  [format.TYPE_STRING, BLOB],
  [format.TYPE_LIST, { head: [], element: [STRING] }],
  [format.TYPE_SET, { head: [], element: [STRING] }],
  [format.TYPE_ZSET, { head: [], element: [STRING, SCORE] }],
  [format.TYPE_HASH, { head: [], element: [STRING, STRING] }],
  [format.TYPE_ZSET_2, { head: [], element: [STRING, 8] }],
  [format.TYPE_HASH_ZIPMAP, BLOB],
  [format.TYPE_LIST_ZIPLIST, BLOB],
  [format.TYPE_SET_INTSET, BLOB],
  [format.TYPE_ZSET_ZIPLIST, BLOB],
  [format.TYPE_HASH_ZIPLIST, BLOB],
  [format.TYPE_LIST_QUICKLIST, { head: [], element: [STRING] }],
  [format.TYPE_HASH_LISTPACK, BLOB],
  [format.TYPE_ZSET_LISTPACK, BLOB],
  [format.TYPE_LIST_QUICKLIST_2, { head: [], element: [LENGTH, STRING] }],
  [format.TYPE_SET_LISTPACK, BLOB],
  [format.TYPE_HASH_METADATA_PRE_GA, { head: [], element: [LENGTH, STRING, STRING] }],
  [format.TYPE_HASH_LISTPACK_EX_PRE_GA, BLOB],
  [format.TYPE_HASH_METADATA, { head: [TIME_BYTES], element: [LENGTH, STRING, STRING] }],
  [format.TYPE_HASH_LISTPACK_EX, { head: [TIME_BYTES, STRING], element: null }],
  [format.TYPE_VALKEY_HASH_2, { head: [], element: [STRING, STRING, TIME_BYTES] }],
  [format.TYPE_HASH_TMPL_LP_REF, BLOB],
  [format.TYPE_GCRA, { head: [LENGTH], element: null }],
]);

/**
 * Passes over a value of this type (TYPE_*), behind its key. The reader must not pause.
 * @throws RdbError when the frame is damaged, or the type not known
 */
export function skipValue(reader: RdbReader, type: number): void {
  const frame = FRAMES.get(type);
  if (frame !== undefined) skipFrame(reader, frame);
  else if (type === format.TYPE_MODULE_2) skipModule(reader);
  else if (STREAM_TYPES.has(type)) skipStream(reader, type);
  else if (type === format.TYPE_ARRAY) skipArray(reader);
  else if (type === format.TYPE_HASH_TMPL_LP || type === format.TYPE_HASH_TMPL_ARRAY) {
    skipTemplateHash(reader, type);
  } else throw reader.error(`unknown value type ${type}`, reader.offset, "unsupported");
}

function skipFrame(reader: RdbReader, { head, element }: Frame): void {
  skipParts(reader, head);
  if (element !== null) skipElements(reader, element);
}

function skipElements(reader: RdbReader, element: readonly Part[]): void {
  for (let left = reader.readCount("elements"); left > 0; left--) skipParts(reader, element);
}

function skipParts(reader: RdbReader, parts: readonly Part[]): void {
  for (const part of parts) {
    if (part === STRING) reader.skipString();
    else if (part === LENGTH) reader.readPlainLength("a number");
    else if (part === SCORE) reader.readTextDouble();
    else reader.skip(part);
  }
}

function skipModule(reader: RdbReader): void {
  readModuleName(reader);
  while (skipModulePart(reader));
}

const STREAM_TYPES = new Set<number>([
  format.TYPE_STREAM_LISTPACKS,
  format.TYPE_STREAM_LISTPACKS_2,
  format.TYPE_STREAM_LISTPACKS_3,
  format.TYPE_STREAM_LISTPACKS_4,
  format.TYPE_STREAM_LISTPACKS_5,
]);

function skipStream(reader: RdbReader, type: number): void {
  const isOld = type === format.TYPE_STREAM_LISTPACKS;
  const consumer: Part[] = type >= format.TYPE_STREAM_LISTPACKS_3
    ? [STRING, TIME_BYTES, TIME_BYTES]
    : [STRING, TIME_BYTES];
  skipElements(reader, [STRING, STRING]);
  skipParts(reader, Array(isOld ? 3 : 8).fill(LENGTH));
  for (let groups = reader.readCount("consumer groups"); groups > 0; groups--) {
    skipParts(reader, [STRING, LENGTH, LENGTH, ...(isOld ? [] : [LENGTH] as const)]);
    skipElements(reader, [ID_BYTES, TIME_BYTES, LENGTH]);
    for (let consumers = reader.readCount("consumers"); consumers > 0; consumers--) {
      skipParts(reader, consumer);
      skipElements(reader, [ID_BYTES]);
    }
    if (type === format.TYPE_STREAM_LISTPACKS_5) skipElements(reader, [ID_BYTES]);
  }
  if (type >= format.TYPE_STREAM_LISTPACKS_4) skipIdempotent(reader);
}

function skipIdempotent(reader: RdbReader): void {
  skipParts(reader, [LENGTH, LENGTH]);
  for (let producers = reader.readCount("producers"); producers > 0; producers--) {
    reader.skipString();
    skipElements(reader, [STRING, LENGTH, LENGTH]);
  }
  skipParts(reader, [LENGTH, LENGTH]);
}

/** A string among the elements of an array has this tag, or 0. */
const ELEMENT_SHORT_STRING = 3;

function skipArray(reader: RdbReader): void {
  let elements = reader.readCount("elements");
  if (reader.readPlainLength("a mark") !== 0) reader.readPlainLength("a place");
  for (; elements > 0; elements--) {
    reader.readPlainLength("a place");
    const tag = reader.readPlainLength("a tag");
    skipParts(reader, [tag === 0 || tag === ELEMENT_SHORT_STRING ? STRING : 8]);
  }
}

/** The names of the fields come before the values. */
function skipTemplateHash(reader: RdbReader, type: number): void {
  const isPlain = reader.readPlainLength("how names are written") !== 0;
  const isPacked = type === format.TYPE_HASH_TMPL_LP;
  let values = isPacked ? 1 : 0;
  if (isPlain) {
    const fields = reader.readCount("fields");
    values = isPacked ? 1 : fields;
    for (let left = fields; left > 0; left--) reader.skipString();
  } else if (isPacked) reader.skipString();
  else throw reader.error("the names of fields are packed", reader.offset, "unsupported");
  for (; values > 0; values--) reader.skipString();
}
