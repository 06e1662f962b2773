/**
 * Lists as a kind of value. In a snapshot:
 *
 *     written   18   <nodes> of each <container> <blob>: a plain element (1) or a listpack (2)
 *               14   <nodes> of each a ziplist blob, before version 10
 *               10   a ziplist blob, before version 7: what is a listpack here
 *                1   <elements> of each <string>, before version 7: a quicklist
 *
 * All of them are read.
 */

import { ENC_LISTPACK, ENC_QUICKLIST, INLINE_VALUE_MAX, TYPE_LIST } from "../../arena/record.ts";
import { copyBytes } from "../../base/bytes.ts";
import { isRefusal } from "../../base/refused.ts";
import type { Database } from "../../keyspace/database.ts";
import type { ValueSource } from "../../keyspace/doors.ts";
import type { ValueLimits } from "../../keyspace/keyspace.ts";
import { listView } from "../../keyspace/list.ts";
import { LP_EMPTY_BYTES, lpEntry, lpEntryCopyText } from "../../values/listpack.ts";
import { ListNode } from "../../values/list_node.ts";
import {
  copyListNode,
  listNodeSize,
  nodeBytesMax,
  nodeCountMax,
  QuickList,
} from "../../values/quicklist.ts";
import * as format from "../format.ts";
import type { EntryCursor } from "../legacy.ts";
import type { RdbReader } from "../reader.ts";
import type { RdbEncoder } from "../writer.ts";
import { writeEntries, writeListpack, writeZiplist, writeZiplistOf } from "../packed_writer.ts";
import { checkListpack, INTEGER_TEXT_MAX, type LoadedValue } from "./loaded_value.ts";
import type { ValueDigest } from "./value_digest.ts";
import type { ValueKind } from "./value_kind.ts";
import { ElementsLoad, ElementsScan, PackedLoad, type ValueLoad } from "./value_load.ts";
import { ELEMENTS_AT_ONCE, type SavedForm, ValueWalk } from "./value_walk.ts";

/** A list with more bytes is walked in pieces, too. */
const BYTES_AT_ONCE = 64 * 1024;

export const listKind: ValueKind = {
  type: TYPE_LIST,
  name: "list",
  encodings: [ENC_LISTPACK, ENC_QUICKLIST],
  encodingName: (source, ref) => isQuick(source, ref) ? "quicklist" : "listpack",
  digestNumber: 1,
  addToDigest,
  rdbTypes: [
    format.TYPE_LIST,
    format.TYPE_LIST_ZIPLIST,
    format.TYPE_LIST_QUICKLIST,
    format.TYPE_LIST_QUICKLIST_2,
  ],
  rdbTypeOf,
  save,
  newLoad,
  newScan: (rdbType) => rdbType === format.TYPE_LIST_ZIPLIST ? null : new NodesScan(rdbType),
  walk,
  isWalked,
  tableOf: () => null,
};

function isQuick({ records }: ValueSource, ref: number): boolean {
  return ((records.metaOf(ref) >>> 4) & 0xf) === ENC_QUICKLIST;
}

const digits = new Uint8Array(INTEGER_TEXT_MAX);

function addToDigest(digest: ValueDigest, database: Database, ref: number): void {
  listView.open(database, ref);
  for (let has = listView.seek(0); has; has = listView.step(false)) {
    listView.read();
    if (lpEntry.isInt) digest.mix(digits, 0, lpEntryCopyText(digits, 0));
    else digest.mix(lpEntry.buf, lpEntry.off, lpEntry.len);
  }
}

// -- saving ------------------------------------------------------------------------------

function rdbTypeOf(source: ValueSource, ref: number, version: number): number {
  if (version >= format.RDB_VERSION_LISTPACKS) return format.TYPE_LIST_QUICKLIST_2;
  if (version >= format.RDB_VERSION_AUX) return format.TYPE_LIST_QUICKLIST;
  return isQuick(source, ref) ? format.TYPE_LIST : format.TYPE_LIST_ZIPLIST;
}

function save(out: RdbEncoder, source: ValueSource, ref: number): void {
  if (isQuick(source, ref)) {
    const list = source.largeValue(ref) as QuickList;
    writeSize(out, list.nodes, list.count);
    for (let node = list.head; node !== null; node = node.next) writeNode(out, node);
    return;
  }
  const { records } = source;
  if (out.version >= format.RDB_VERSION_AUX) out.writeLength(1);
  if (out.version >= format.RDB_VERSION_LISTPACKS) out.writeLength(format.QUICKLIST_NODE_PACKED);
  writeListpack(out, records.bytesOf(ref), records.valueOffset(ref));
}

/** Writes what stands before the nodes, or before the elements where the version has no nodes. */
function writeSize(out: RdbEncoder, nodes: number, elements: number): void {
  out.writeLength(out.version >= format.RDB_VERSION_AUX ? nodes : elements);
}

/** Writes a node, or its elements. */
function writeNode(out: RdbEncoder, node: ListNode): void {
  if (out.version >= format.RDB_VERSION_LISTPACKS) return writeListpackNode(out, node);
  const { plain, buf, start, end } = node;
  if (out.version < format.RDB_VERSION_AUX) {
    if (plain) out.writeString(buf, start, end - start);
    else writeEntries(out, buf, start, end);
  } else if (plain) writeZiplistOf(out, buf, start, end - start);
  else writeZiplist(out, buf, start, end, node.count);
}

let nodeBytes = new Uint8Array(16 * 1024);

/** Writes a node: container and blob, or the one plain element. */
function writeListpackNode(out: RdbEncoder, node: ListNode): void {
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

function walk(
  source: ValueSource,
  ref: number,
  _form: SavedForm,
  _canBorrow: boolean,
  alwaysWalks = false,
): ValueWalk | null {
  if (!isQuick(source, ref)) return null;
  const list = source.largeValue(ref) as QuickList;
  const isSmall = list.count <= ELEMENTS_AT_ONCE && list.bufferBytes <= BYTES_AT_ONCE;
  return isSmall && !alwaysWalks ? null : new ListWalk(list);
}

function isWalked(source: ValueSource, ref: number): boolean {
  return isQuick(source, ref) && (source.largeValue(ref) as QuickList).onNodeWrite !== null;
}

/** Nodes of a list, in the order they had. */
class ListWalk extends ValueWalk {
  override readonly isInOrder = true;
  readonly #list: QuickList;
  readonly #nodes: ListNode[] = [];
  readonly #count: number;
  /** Nodes that have changed meanwhile, as they were. */
  readonly #kept = new Map<ListNode, ListNode>();
  #at = 0;

  constructor(list: QuickList) {
    super(list);
    list.onOtherWalk?.();
    list.onOtherWalk = () => this.onPreempted?.();
    this.#list = list;
    this.#count = list.count;
    for (let node = list.head; node !== null; node = node.next) this.#nodes.push(node);
    list.generation++;
    list.onNodeWrite = (node) => this.#keepNode(node);
  }

  #keepNode(node: ListNode): void {
    if (node.generation === this.#list.generation) return;
    node.generation = this.#list.generation;
    try {
      this.#kept.set(node, copyNode(node));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.failure ??= error;
    }
  }

  override begin(main: RdbEncoder): void {
    writeSize(main, this.#nodes.length, this.#count);
  }

  override step(main: RdbEncoder): boolean {
    if (this.failure !== null) throw this.failure;
    const node = this.#nodes[this.#at++];
    const kept = this.#kept.get(node);
    if (kept !== undefined) {
      writeNode(main, kept);
      this.#kept.delete(node);
    } else {
      writeNode(main, node);
      node.generation = this.#list.generation;
    }
    if (this.#at < this.#nodes.length) return false;
    this.abort();
    return true;
  }

  override abort(): void {
    this.#list.onNodeWrite = null;
    this.#list.onOtherWalk = null;
  }
}

/** A node of its own with the same content. */
function copyNode(node: ListNode): ListNode {
  const size = node.end - node.start;
  const copy = new ListNode(size, node.plain, 0);
  copyBytes(copy.buf, 0, node.buf, node.start, size);
  copy.end = size;
  copy.count = node.count;
  return copy;
}

// -- loading -----------------------------------------------------------------------------

function newLoad(rdbType: number): ValueLoad {
  return rdbType === format.TYPE_LIST_ZIPLIST ? new ZiplistLoad() : new NodesLoad(rdbType);
}

/** <elements or nodes>, one by one. */
class NodesLoad extends ElementsLoad {
  #list = NONE;
  #nodes = 0;
  /** The list is one listpack, which has become the value as it is. */
  #isWhole = false;

  constructor(readonly rdbType: number) {
    super();
  }

  protected override open(_value: LoadedValue, reader: RdbReader): number {
    this.#list = NONE;
    this.#isWhole = false;
    return this.#nodes = reader.readCount(
      this.rdbType === format.TYPE_LIST ? "elements" : "list nodes",
    );
  }

  protected override readElement(value: LoadedValue, reader: RdbReader): void {
    if (this.rdbType === format.TYPE_LIST_QUICKLIST_2) return this.#readNode(value, reader);
    const list = this.#listOf(value);
    if (this.rdbType === format.TYPE_LIST_QUICKLIST) addZiplist(value, reader, list);
    else {
      reader.readString();
      list.pushTail(reader.strBuf, reader.strOff, reader.strLen);
    }
  }

  #listOf({ limits }: LoadedValue): QuickList {
    if (this.#list === NONE) this.#list = new QuickList(limits.listMaxListpackSize);
    return this.#list;
  }

  #readNode(value: LoadedValue, reader: RdbReader): void {
    const at = reader.offset;
    const isPacked = readIsPacked(reader);
    reader.readString();
    const { strBuf, strOff, strLen, strOwned } = reader;
    if (!isPacked) {
      if (strLen === 0) refuseEmptyNode(reader, at);
      this.#listOf(value).appendPlain(strBuf, strOff, strLen, strOwned);
      return;
    }
    const count = checkListpack(reader, false, "Listpack");
    if (this.#nodes === 1 && count > 0 && isRecord(value.limits, strLen, count)) {
      this.#isWhole = true;
      value.setInline(TYPE_LIST, ENC_LISTPACK, strBuf, strOff, strLen);
    } else this.#listOf(value).appendListpack(strBuf, strOff, strOwned);
  }

  protected override finish(value: LoadedValue): boolean {
    if (this.#isWhole) return true;
    const list = this.#list;
    this.#list = NONE;
    return finishList(value, list);
  }
}

/** The whole list in one ziplist. */
class ZiplistLoad extends PackedLoad {
  protected override readonly name = "List ziplist";
  #list = NONE;

  protected override cursorOf(value: LoadedValue): EntryCursor {
    return value.ziplist;
  }

  protected override open({ limits }: LoadedValue): void {
    this.#list = new QuickList(limits.listMaxListpackSize);
  }

  protected override readEntry(
    _value: LoadedValue,
    _reader: RdbReader,
    cursor: EntryCursor,
  ): void {
    cursor.toText();
    this.#list.pushTail(cursor.buf, cursor.off, cursor.len);
  }

  protected override finish(value: LoadedValue): boolean {
    const list = this.#list;
    this.#list = NONE;
    return finishList(value, list);
  }
}

const NONE = new QuickList(-2);

/** Whether a list that is one listpack of so many bytes has its place in a record. */
function isRecord({ listMaxListpackSize }: ValueLimits, bytes: number, count: number): boolean {
  return bytes <= INLINE_VALUE_MAX && bytes <= nodeBytesMax(listMaxListpackSize) &&
    count <= nodeCountMax(listMaxListpackSize);
}

/** Makes the list the value, as a listpack if it may be one; false when it is empty. */
function finishList(value: LoadedValue, list: QuickList): boolean {
  const node = list.head;
  if (node === null) return false;
  const size = node.end - node.start + LP_EMPTY_BYTES;
  if (list.nodes === 1 && !node.plain && isRecord(value.limits, size, list.count)) {
    const { packed } = value;
    packed.makeRoom(size);
    list.toListpack(packed.bytes, 0, packed.bytes.length);
    value.setListpack(TYPE_LIST);
  } else value.setLarge(TYPE_LIST, ENC_QUICKLIST, list);
  return true;
}

function addZiplist({ ziplist }: LoadedValue, reader: RdbReader, list: QuickList): void {
  reader.readString();
  ziplist.open(reader.strBuf, reader.strOff, reader.strLen, reader.strAt);
  while (ziplist.next()) {
    ziplist.toText();
    list.pushTail(ziplist.buf, ziplist.off, ziplist.len);
  }
}

/** Reads whether the next node is packed; if not, it is one plain element. */
function readIsPacked(reader: RdbReader): boolean {
  const at = reader.offset;
  const container = reader.readPlainLength("the container of a list node");
  if (container !== format.QUICKLIST_NODE_PLAIN && container !== format.QUICKLIST_NODE_PACKED) {
    throw reader.error(`unknown container ${container} of a list node`, at);
  }
  return container === format.QUICKLIST_NODE_PACKED;
}

function refuseEmptyNode(reader: RdbReader, at: number): never {
  throw reader.error("a list node of its own for no bytes", at);
}

/** Passes over elements or nodes. */
class NodesScan extends ElementsScan {
  constructor(readonly rdbType: number) {
    super();
  }

  protected override open(value: LoadedValue, reader: RdbReader): number {
    value.beginPassing(TYPE_LIST);
    return reader.readCount(this.rdbType === format.TYPE_LIST ? "elements" : "list nodes");
  }

  protected override readElement(value: LoadedValue, reader: RdbReader): void {
    if (this.rdbType === format.TYPE_LIST_QUICKLIST) passZiplist(value, reader);
    else if (this.rdbType === format.TYPE_LIST_QUICKLIST_2) passNode(value, reader);
    else {
      value.passString(reader);
      value.elements++;
    }
  }
}

function passZiplist(value: LoadedValue, reader: RdbReader): void {
  reader.readString();
  value.contentBytes += reader.strLen;
  const { ziplist } = value;
  ziplist.open(reader.strBuf, reader.strOff, reader.strLen, reader.strAt);
  while (ziplist.next()) value.elements++;
}

function passNode(value: LoadedValue, reader: RdbReader): void {
  const at = reader.offset;
  if (readIsPacked(reader)) {
    reader.readString();
    value.contentBytes += reader.strLen;
    value.elements += checkListpack(reader, false, "Listpack");
    return;
  }
  value.passString(reader);
  value.elements++;
  if (reader.strLen === 0) refuseEmptyNode(reader, at);
}
