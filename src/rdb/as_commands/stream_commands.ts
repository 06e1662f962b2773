/**
 * Streams of a snapshot as commands that make them. The walker has written them with `groupsFirst`:
 *
 *     <n groups>, of each:
 *       <s name> <last delivered id> <n entries read>
 *       <n consumers> of each: <s name>
 *       <n pending> of each: id16, delivered at (int64le, ms), <n deliveries>, <place of its consumer>
 *     and then what stands before the groups in TYPE_STREAM_LISTPACKS_3
 *
 * XCLAIM gives a consumer only what is in the stream. So what is pending and has been deleted since is
 * added in its place, to be removed again behind the groups: what stood before the first entry by XTRIM,
 * which leaves no trace in the stream's numbers, the rest by XDEL, whose trace is there already.
 *
 *     XADD ...   XSETID   XGROUP CREATE   XGROUP SETID   XCLAIM ...   XTRIM   XDEL ...   XSETID
 *
 * Servers from Redis 5 on load it. They pass over a command that they answer with an error, and do not count the words
 * of XSETID: so what Redis 7 says of a group stands in a command of its own behind the one that makes it.
 *
 * The pending ids of one stream are in memory while it is written, 36 bytes each. Not said by any command:
 * when a consumer asked last.
 */

import { lpSize } from "../../values/listpack.ts";
import { ElementText } from "../../values/element_text.ts";
import { ENTRIES_READ_UNKNOWN } from "../../values/stream/consumer_group.ts";
import type { Count } from "../../values/stream/count64.ts";
import { STREAM_ID_BYTES, StreamId } from "../../values/stream/stream_id.ts";
import { NodeCursor, StreamNode } from "../../values/stream/stream_node.ts";
import type { RdbReader } from "../reader.ts";
import { readCount64, readStreamId } from "../stream_numbers.ts";
import { fixedWord } from "./command_writer.ts";
import { ELEMENTS_MAX, ValueCommands } from "./value_commands.ts";

const XADD = fixedWord("XADD");
const XSETID = fixedWord("XSETID");
const XGROUP = fixedWord("XGROUP");
const XCLAIM = fixedWord("XCLAIM");
const XDEL = fixedWord("XDEL");
const XTRIM = fixedWord("XTRIM");
const CREATE = fixedWord("CREATE");
const SETID = fixedWord("SETID");
const CREATECONSUMER = fixedWord("CREATECONSUMER");
const ENTRIESREAD = fixedWord("ENTRIESREAD");
const ENTRIESADDED = fixedWord("ENTRIESADDED");
const MAXDELETEDID = fixedWord("MAXDELETEDID");
const MAXLEN = fixedWord("MAXLEN");
const TIME = fixedWord("TIME");
const RETRYCOUNT = fixedWord("RETRYCOUNT");
const JUSTID = fixedWord("JUSTID");
const FORCE = fixedWord("FORCE");
const ZERO = fixedWord("0");
const X = fixedWord("x");
const Y = fixedWord("y");

/** Ids of 16 bytes each, one after the other. */
class IdList {
  count = 0;
  #bytes: Uint8Array;

  constructor(capacity = 16) {
    this.#bytes = new Uint8Array(capacity * STREAM_ID_BYTES);
  }

  add(id: StreamId): void {
    const at = this.count * STREAM_ID_BYTES;
    if (at === this.#bytes.length) {
      const larger = new Uint8Array(Math.max(STREAM_ID_BYTES, at * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    id.writeBytes(this.#bytes, at);
    this.count++;
  }

  read(index: number, to: StreamId): StreamId {
    return to.readBytes(this.#bytes, index * STREAM_ID_BYTES);
  }
}

interface Group {
  readonly name: Uint8Array;
  readonly lastId: StreamId;
  readonly entriesRead: Count;
  readonly consumers: Uint8Array[];
  ids: IdList;
  times: Float64Array;
  deliveries: Float64Array;
  /** Place in `consumers` of whom each was delivered to. */
  owners: Uint32Array;
  /** The next pending id that has not been looked for in the stream. */
  next: number;
}

// What comes next in the snapshot.
const GROUP_COUNT = 0;
const GROUP_NAME = 1;
const CONSUMER_COUNT = 2;
const CONSUMER_NAME = 3;
const PENDING_COUNT = 4;
const PENDING = 5;
const NODE_COUNT = 6;
const NODE_ID = 7;
const NODE_BYTES = 8;
const NUMBERS = 9;

const idBytes = new Uint8Array(STREAM_ID_BYTES);
const text = new ElementText();

/** What could not be said in commands, for the log. */
export type Remark = (what: string) => void;

export class StreamCommands extends ValueCommands {
  #next = GROUP_COUNT;
  #groups: Group[] = [];
  #group!: Group;
  #left = 0;
  #groupsLeft = 0;
  #consumersLeft = 0;
  #nodesLeft = 0;
  readonly #nodeId = new StreamId();
  readonly #cursor = new NodeCursor();
  readonly #id = new StreamId();
  /** The first entry of the stream. */
  #firstId: StreamId | null = null;
  /** Pending, but not in the stream: added to be removed again, before the first entry or behind it. */
  #trimmed = 0;
  readonly #missing = new IdList();
  /** The least id that is pending and not been looked for; null when there is none. */
  #leastPending: StreamId | null = null;
  readonly #onRemark: Remark;

  constructor(out: ValueCommands["out"], key: Uint8Array, onRemark: Remark) {
    super(out, key);
    this.#onRemark = onRemark;
  }

  override step(reader: RdbReader): boolean {
    switch (this.#next) {
      case GROUP_COUNT:
        this.#groupsLeft = reader.readCount("consumer groups");
        this.#nextGroup();
        return false;
      case GROUP_NAME:
        this.#readGroup(reader);
        return false;
      case CONSUMER_COUNT:
        this.#consumersLeft = reader.readCount("consumers");
        this.#next = this.#consumersLeft > 0 ? CONSUMER_NAME : PENDING_COUNT;
        return false;
      case CONSUMER_NAME:
        reader.readString();
        this.#group.consumers.push(copyOf(reader));
        if (--this.#consumersLeft === 0) this.#next = PENDING_COUNT;
        return false;
      case PENDING_COUNT:
        this.#beginPending(reader.readCount("pending ids"));
        return false;
      case PENDING:
        this.#readPending(reader);
        return false;
      case NODE_COUNT:
        this.#nodesLeft = reader.readCount("stream nodes");
        this.#next = this.#nodesLeft > 0 ? NODE_ID : NUMBERS;
        this.#findLeast();
        return false;
      case NODE_ID:
        reader.readStringOf(STREAM_ID_BYTES, "the id of a stream node");
        this.#nodeId.readBytes(reader.strBuf, reader.strOff);
        this.#next = NODE_BYTES;
        return false;
      case NODE_BYTES:
        reader.readString();
        this.#writeNode(reader);
        this.#next = --this.#nodesLeft > 0 ? NODE_ID : NUMBERS;
        return false;
      default:
        this.#writeRest(reader);
        return true;
    }
  }

  // -- groups: kept until the entries are there ------------------------------------------------

  #nextGroup(): void {
    this.#next = this.#groupsLeft > 0 ? GROUP_NAME : NODE_COUNT;
  }

  #readGroup(reader: RdbReader): void {
    reader.readString();
    const name = copyOf(reader);
    const lastId = readStreamId(reader);
    const entriesRead = readCount64(reader);
    this.#group = {
      name,
      lastId,
      entriesRead,
      consumers: [],
      ids: new IdList(0),
      times: new Float64Array(0),
      deliveries: new Float64Array(0),
      owners: new Uint32Array(0),
      next: 0,
    };
    this.#groups.push(this.#group);
    this.#groupsLeft--;
    this.#next = CONSUMER_COUNT;
  }

  #beginPending(count: number): void {
    const group = this.#group;
    group.ids = new IdList(count);
    group.times = new Float64Array(count);
    group.deliveries = new Float64Array(count);
    group.owners = new Uint32Array(count);
    this.#left = count;
    if (count > 0) this.#next = PENDING;
    else this.#nextGroup();
  }

  #readPending(reader: RdbReader): void {
    reader.readInto(idBytes, 0, STREAM_ID_BYTES);
    const timeMs = reader.readMillis();
    const deliveries = reader.readPlainLength("how often an entry was delivered");
    const owner = reader.readPlainLength("whom to");
    const group = this.#group;
    const at = group.ids.count;
    group.ids.add(this.#id.readBytes(idBytes, 0));
    group.times[at] = timeMs;
    group.deliveries[at] = deliveries;
    group.owners[at] = owner;
    if (--this.#left === 0) this.#nextGroup();
  }

  // -- entries -----------------------------------------------------------------------------------

  #writeNode({ strBuf, strOff, strLen }: RdbReader): void {
    const cursor = this.#cursor;
    cursor.open(StreamNode.of(this.#nodeId, strBuf, strOff, strLen, 0));
    for (let on = cursor.first(); on; on = cursor.next()) {
      if (cursor.isDeleted) continue;
      this.#addMissingBefore(cursor.id);
      this.#firstId ??= cursor.id.clone();
      this.#writeEntry(cursor, strBuf);
    }
  }

  #writeEntry(cursor: NodeCursor, bytes: Uint8Array): void {
    const { out } = this;
    this.begin(XADD, 1 + 2 * cursor.fieldCount);
    out.id(cursor.id);
    let field = cursor.masterFieldsAt;
    let at = cursor.contentAt;
    for (let i = 0; i < cursor.fieldCount; i++) {
      if (cursor.hasMasterFields) field = this.#writeElement(bytes, field);
      else at = this.#writeElement(bytes, at);
      at = this.#writeElement(bytes, at);
    }
  }

  /** Writes an element; returns where the next one begins. */
  #writeElement(bytes: Uint8Array, at: number): number {
    text.setEntry(bytes, at);
    this.out.word(text.bytes, text.offset, text.length);
    return at + lpSize(bytes, at);
  }

  // -- what is pending and has been deleted --------------------------------------------------------

  #findLeast(): void {
    let least: StreamId | null = null;
    for (const group of this.#groups) {
      if (group.next === group.ids.count) continue;
      const id = group.ids.read(group.next, this.#id);
      if (least === null || id.compare(least) < 0) least = id.clone();
    }
    this.#leastPending = least;
  }

  /** Passes over an id wherever it is the next one that is pending. */
  #passOver(id: StreamId): void {
    for (const group of this.#groups) {
      if (group.next === group.ids.count) continue;
      if (group.ids.read(group.next, this.#id).equals(id)) group.next++;
    }
    this.#findLeast();
  }

  /** An entry with this id is about to be written (null: there are no more): adds what is missing before it. */
  #addMissingBefore(entry: StreamId | null): void {
    for (let least = this.#leastPending; least !== null; least = this.#leastPending) {
      const order = entry === null ? -1 : least.compare(entry);
      if (order > 0) return;
      if (order < 0) this.#addMissing(least);
      this.#passOver(least);
    }
  }

  #addMissing(id: StreamId): void {
    if (id.isZero) {
      this.#onRemark("the pending entry 0-0 of a consumer group, which XADD cannot add");
      return;
    }
    this.begin(XADD, 3);
    this.out.id(id);
    this.out.fixed(X);
    this.out.fixed(Y);
    if (this.#firstId === null) this.#trimmed++;
    else this.#missing.add(id);
  }

  // -- what comes behind the entries ---------------------------------------------------------------

  #writeRest(reader: RdbReader): void {
    const length = reader.readPlainLength("the length of a stream");
    const lastId = readStreamId(reader);
    readStreamId(reader);
    const maxDeletedId = readStreamId(reader);
    const entriesAdded = readCount64(reader);
    const setId = () => {
      this.begin(XSETID, 5);
      this.out.id(lastId);
      this.out.fixed(ENTRIESADDED);
      this.out.integer(entriesAdded);
      this.out.fixed(MAXDELETEDID);
      this.out.id(maxDeletedId);
    };
    this.#addMissingBefore(null);
    const missing = this.#missing.count + this.#trimmed;
    if (length + missing === 0) this.#makeEmpty();
    // With entries above it that are to go again, the last id could not be set yet.
    if (missing === 0) setId();
    for (const group of this.#groups) this.#writeGroup(group);
    if (missing === 0) return;
    this.#removeMissing(length);
    setId();
  }

  /** A stream that has no entries. */
  #makeEmpty(): void {
    this.begin(XADD, 5);
    this.out.fixed(MAXLEN);
    this.out.fixed(ZERO);
    this.out.id(new StreamId(0, 0, 0, 1));
    this.out.fixed(X);
    this.out.fixed(Y);
  }

  #writeGroup(group: Group): void {
    const { out } = this;
    const setGroup = (count: number, what: Uint8Array) => {
      out.begin(count, XGROUP, what);
      out.word(this.key, 0, this.key.length);
      out.word(group.name, 0, group.name.length);
      out.id(group.lastId);
    };
    setGroup(5, CREATE);
    if (group.entriesRead !== ENTRIES_READ_UNKNOWN) {
      setGroup(7, SETID);
      out.fixed(ENTRIESREAD);
      out.integer(group.entriesRead);
    }
    const hasPending = new Uint8Array(group.consumers.length);
    for (const owner of group.owners) hasPending[owner] = 1;
    group.consumers.forEach((name, index) => {
      if (hasPending[index] === 1) return;
      out.begin(5, XGROUP, CREATECONSUMER);
      out.word(this.key, 0, this.key.length);
      out.word(group.name, 0, group.name.length);
      out.word(name, 0, name.length);
    });
    for (let i = 0; i < group.ids.count; i++) this.#writePending(group, i);
  }

  #writePending(group: Group, index: number): void {
    const { out } = this;
    const consumer = group.consumers[group.owners[index]];
    this.begin(XCLAIM, 10);
    out.word(group.name, 0, group.name.length);
    out.word(consumer, 0, consumer.length);
    out.fixed(ZERO);
    out.id(group.ids.read(index, this.#id));
    out.fixed(TIME);
    out.integer(group.times[index]);
    out.fixed(RETRYCOUNT);
    out.integer(group.deliveries[index]);
    out.fixed(JUSTID);
    out.fixed(FORCE);
  }

  /** `length` entries are to stay. */
  #removeMissing(length: number): void {
    const { out } = this;
    const missing = this.#missing;
    if (this.#trimmed > 0) {
      this.begin(XTRIM, 2);
      out.fixed(MAXLEN);
      out.integer(length + missing.count);
    }
    for (let i = 0; i < missing.count; i++) {
      if (i % ELEMENTS_MAX === 0) this.begin(XDEL, Math.min(ELEMENTS_MAX, missing.count - i));
      out.id(missing.read(i, this.#id));
    }
  }
}

function copyOf({ strBuf, strOff, strLen }: RdbReader): Uint8Array {
  return strBuf.slice(strOff, strOff + strLen);
}
