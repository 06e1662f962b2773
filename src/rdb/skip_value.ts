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
]);

/**
 * Passes over a value of this type (TYPE_*), behind its key. The reader must not pause.
 * @throws RdbError when the frame is damaged, or the type not known
 */
export function skipValue(reader: RdbReader, type: number): void {
  const frame = FRAMES.get(type);
  if (frame !== undefined) skipFrame(reader, frame);
  else if (type === format.TYPE_MODULE_2) skipModule(reader);
  else if (isStream(type)) skipStream(reader, type);
  else throw reader.error(`unknown value type ${type}`, reader.offset, "unsupported");
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

function isStream(type: number): boolean {
  return type === format.TYPE_STREAM_LISTPACKS || type === format.TYPE_STREAM_LISTPACKS_2 ||
    type === format.TYPE_STREAM_LISTPACKS_3;
}

function skipStream(reader: RdbReader, type: number): void {
  const isOld = type === format.TYPE_STREAM_LISTPACKS;
  const consumer: Part[] = type === format.TYPE_STREAM_LISTPACKS_3
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
  }
}
