/**
 * One record of the keyspace as bytes of a snapshot: type byte, key and value, in types that every
 * server since 7.0 reads (RDB version 10). Used by SAVE, the snapshot of BGSAVE and DUMP.
 *
 *     string                       0    <string>
 *     list    listpack, quicklist  18   <nodes> of each <container> <blob>
 *     set     intset               11   <blob>
 *             listpack, table      2    <members> of each <string>
 *     zset    listpack             17   <blob>
 *             table and index      5    <members> of each <string> <float64>, highest score first
 *     hash    listpack             16   <blob>
 *             table                4    <fields> of each <string> <string>
 *
 * A value is written at once here; src/rdb/snapshot.ts cuts large ones into pieces.
 */

import type { Dict } from "../arena/dict.ts";
import {
  ENC_EXTERNAL,
  ENC_HASHTABLE,
  ENC_INTSET,
  ENC_LISTPACK,
  ENC_QUICKLIST,
  ENC_SKIPLIST,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STRING,
  TYPE_ZSET,
} from "../arena/record.ts";
import type { ValueSource } from "../keyspace/doors.ts";
import type { LongString } from "../keyspace/value_slots.ts";
import { ElementText } from "../values/element_text.ts";
import { intsetBytes } from "../values/intset.ts";
import type { LargeHash } from "../values/large_hash.ts";
import type { LargeSet } from "../values/large_set.ts";
import { lpBytes, lpCount, lpEntry, lpFirst, lpGet, lpNext } from "../values/listpack.ts";
import { copyListNode, type ListNode, listNodeSize, type QuickList } from "../values/quicklist.ts";
import { OrderedCursor } from "../values/ordered_index.ts";
import type { SortedSet } from "../values/sorted_set.ts";
import * as format from "./format.ts";
import type { RdbEncoder } from "./writer.ts";

/** The type byte for a record with this meta word. @throws Error for a type that cannot be saved */
export function typeByte(meta: number): number {
  const encoding = (meta >>> 4) & 0xf;
  switch (meta & 0xf) {
    case TYPE_STRING:
      return format.TYPE_STRING;
    case TYPE_LIST:
      return format.TYPE_LIST_QUICKLIST_2;
    case TYPE_SET:
      return encoding === ENC_INTSET ? format.TYPE_SET_INTSET : format.TYPE_SET;
    case TYPE_ZSET:
      return encoding === ENC_LISTPACK ? format.TYPE_ZSET_LISTPACK : format.TYPE_ZSET_2;
    case TYPE_HASH:
      return encoding === ENC_LISTPACK ? format.TYPE_HASH_LISTPACK : format.TYPE_HASH;
  }
  throw new Error(`rdb: a value of type ${meta & 0xf} cannot be saved`);
}

/** Writes type byte, key and value of a record. */
export function writeRecord(out: RdbEncoder, source: ValueSource, ref: number): void {
  const { records } = source;
  out.writeByte(typeByte(records.metaOf(ref)));
  out.writeString(records.bytesOf(ref), records.keyOffset(ref), records.keyLength(ref));
  writeValue(out, source, ref);
}

/** Writes the value of a record, without type byte and key. */
export function writeValue(out: RdbEncoder, source: ValueSource, ref: number): void {
  const { records } = source;
  const meta = records.metaOf(ref);
  const bytes = records.bytesOf(ref);
  const at = records.valueOffset(ref);
  switch ((meta >>> 4) & 0xf) {
    case ENC_EXTERNAL: {
      const value = source.largeValue(ref) as LongString;
      out.writeString(value.bytes, 0, value.length);
      return;
    }
    case ENC_LISTPACK:
      if ((meta & 0xf) === TYPE_SET) {
        writeListpackMembers(out, bytes, at);
        return;
      }
      if ((meta & 0xf) === TYPE_LIST) {
        out.writeLength(1);
        out.writeLength(format.QUICKLIST_NODE_PACKED);
      }
      out.writeString(bytes, at, lpBytes(bytes, at));
      return;
    case ENC_INTSET:
      out.writeString(bytes, at, intsetBytes(bytes, at));
      return;
    case ENC_QUICKLIST: {
      const list = source.largeValue(ref) as QuickList;
      out.writeLength(list.nodes);
      for (let node = list.head; node !== null; node = node.next) writeListNode(out, node);
      return;
    }
    case ENC_HASHTABLE:
      if ((meta & 0xf) === TYPE_HASH) writeHash(out, source.largeValue(ref) as LargeHash);
      else writeSet(out, source.largeValue(ref) as LargeSet);
      return;
    case ENC_SKIPLIST:
      writeSortedSet(out, source.largeValue(ref) as SortedSet);
      return;
    default:
      out.writeString(bytes, at, records.valueLength(ref));
  }
}

/**
 * Members of a listpack one by one: type 20, the blob, is not known before 7.2. Leaves `lpEntry` as it
 * was: a handler may be at work with it when the snapshot's hook comes here.
 */
function writeListpackMembers(out: RdbEncoder, bytes: Uint8Array, base: number): void {
  const { isInt, int, big, buf, off, len } = lpEntry;
  out.writeLength(lpCount(bytes, base));
  for (let pos = lpFirst(bytes, base); pos >= 0; pos = lpNext(bytes, pos)) {
    lpGet(bytes, pos);
    if (!lpEntry.isInt) out.writeString(lpEntry.buf, lpEntry.off, lpEntry.len);
    else out.writeInteger(lpEntry.big ?? lpEntry.int);
  }
  lpEntry.isInt = isInt;
  lpEntry.int = int;
  lpEntry.big = big;
  lpEntry.buf = buf;
  lpEntry.off = off;
  lpEntry.len = len;
}

let nodeBytes = new Uint8Array(16 * 1024);

/** Writes a node of a list: container and blob, or the one plain element. */
export function writeListNode(out: RdbEncoder, node: ListNode): void {
  if (node.plain) {
    out.writeLength(format.QUICKLIST_NODE_PLAIN);
    out.writeString(node.buf, node.start, node.end - node.start);
    return;
  }
  const size = listNodeSize(node);
  if (nodeBytes.length < size) nodeBytes = new Uint8Array(size * 2);
  copyListNode(node, nodeBytes, 0);
  out.writeLength(format.QUICKLIST_NODE_PACKED);
  out.writeString(nodeBytes, 0, size);
}

/** Writes a member of a large set. */
export function writeMember(out: RdbEncoder, set: Dict, ref: number): void {
  out.writeString(set.bytesOf(ref), set.keyOffset(ref), set.keyLength(ref));
}

function writeSet(out: RdbEncoder, set: Dict): void {
  out.writeLength(set.count);
  set.forEach((ref) => writeMember(out, set, ref));
}

const text = new ElementText();

/** Writes a field of a large hash and its value. */
export function writeField(out: RdbEncoder, hash: LargeHash, ref: number): void {
  writeMember(out, hash.dict, ref);
  hash.readValue(ref, text);
  out.writeString(text.bytes, text.offset, text.length);
}

function writeHash(out: RdbEncoder, hash: LargeHash): void {
  out.writeLength(hash.count);
  hash.dict.forEach((ref) => writeField(out, hash, ref));
}

/** Writes a member of a large sorted set with its score. */
export function writeScored(out: RdbEncoder, set: SortedSet, ref: number): void {
  const { dict } = set;
  out.writeString(dict.bytesOf(ref), dict.keyOffset(ref), dict.keyLength(ref));
  out.writeBinaryDouble(set.scoreOf(ref));
}

const cursor = new OrderedCursor();

function writeSortedSet(out: RdbEncoder, set: SortedSet): void {
  out.writeLength(set.count);
  for (let found = set.index.last(cursor); found; found = set.index.prev(cursor)) {
    writeScored(out, set, cursor.ref);
  }
}
