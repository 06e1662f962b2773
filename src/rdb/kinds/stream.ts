/**
 * Streams as a kind of value. In a snapshot they are of type 15, from version 10 on of type 19 and from 11 on
 * of type 21; TYPE_STREAM_LISTPACKS_3 of format.ts draws all three. Versions before 9 have no streams. Types 26 and 27,
 * of Redis 8.6 and 8.8, are read: what they say of producers that may repeat themselves has no place here, and that an
 * entry is pending for nobody becomes pending for a consumer whose name is empty; either is told (unheld.ts).
 */

import { ENC_STREAM, TYPE_STREAM } from "../../arena/record.ts";
import type { Database } from "../../keyspace/database.ts";
import type { ValueSource } from "../../keyspace/doors.ts";
import { lpEntry, lpEntryCopyText, lpGet, lpSize } from "../../values/listpack.ts";
import { type Consumer, type ConsumerGroup } from "../../values/stream/consumer_group.ts";
import type { Count } from "../../values/stream/count64.ts";
import { type PendingChunk, PendingPlace } from "../../values/stream/pending_ids.ts";
import { Stream, StreamCursor } from "../../values/stream/stream.ts";
import { STREAM_ID_BYTES, STREAM_ID_TEXT_MAX, StreamId } from "../../values/stream/stream_id.ts";
import { isStreamListpack, StreamNode } from "../../values/stream/stream_node.ts";
import * as format from "../format.ts";
import type { RdbReader } from "../reader.ts";
import { readCount64, readStreamId } from "../stream_numbers.ts";
import { GIVEN_BACK, IDEMPOTENT_IDS, IDEMPOTENT_SETTINGS } from "../unheld.ts";
import type { RdbEncoder } from "../writer.ts";
import { INTEGER_TEXT_MAX, type LoadedValue } from "./loaded_value.ts";
import type { ValueDigest } from "./value_digest.ts";
import type { ValueKind } from "./value_kind.ts";
import { LOAD_PART, LOAD_WHOLE, ValueLoad } from "./value_load.ts";
import { ELEMENTS_AT_ONCE, type SavedForm, ValueWalk } from "./value_walk.ts";

/** A stream with more nodes is walked in pieces. */
const NODES_AT_ONCE = 16;

export const streamKind: ValueKind = {
  type: TYPE_STREAM,
  name: "stream",
  encodings: [ENC_STREAM],
  encodingName: () => "stream",
  digestNumber: 6,
  addToDigest,
  rdbTypes: [
    format.TYPE_STREAM_LISTPACKS,
    format.TYPE_STREAM_LISTPACKS_2,
    format.TYPE_STREAM_LISTPACKS_3,
    format.TYPE_STREAM_LISTPACKS_4,
    format.TYPE_STREAM_LISTPACKS_5,
  ],
  rdbTypeOf: (_source, _ref, version) => streamTypeIn(version),
  save,
  newLoad: (rdbType) => new StreamLoad(rdbType),
  newScan: (rdbType) => new StreamScan(rdbType),
  walk,
  // Any number of walks can be under way: each has lists of its own.
  isWalked: () => false,
  tableOf: () => null,
};

const digits = new Uint8Array(Math.max(INTEGER_TEXT_MAX, STREAM_ID_TEXT_MAX));
const START = new StreamId();
const DASH = 0x2d;
const POINT = 0x2e;

function addToDigest(digest: ValueDigest, database: Database, ref: number): void {
  const cursor = new StreamCursor(database.largeValue(ref) as Stream);
  for (let on = cursor.seekFirst(START); on; on = cursor.nextEntry()) {
    const length = cursor.id.writeText(digits, 0);
    digits[digits.indexOf(DASH)] = POINT; // in a digest the two numbers have a point between them
    digest.mix(digits, 0, length);
    const { bytes } = cursor.node;
    let field = cursor.masterFieldsAt;
    let at = cursor.contentAt;
    for (let i = 0; i < cursor.fieldCount; i++) {
      if (cursor.hasMasterFields) field = mixElement(digest, bytes, field);
      else at = mixElement(digest, bytes, at);
      at = mixElement(digest, bytes, at);
    }
  }
}

/** Mixes the text of an element; returns where the next one begins. */
function mixElement(digest: ValueDigest, bytes: Uint8Array, at: number): number {
  lpGet(bytes, at);
  if (lpEntry.isInt) digest.mix(digits, 0, lpEntryCopyText(digits, 0));
  else digest.mix(bytes, lpEntry.off, lpEntry.len);
  return at + lpSize(bytes, at);
}

// -- saving ------------------------------------------------------------------------------

/** The type of streams in a version; before RDB_VERSION_STREAMS, which has none, that of this version. */
function streamTypeIn(version: number): number {
  if (version >= format.RDB_VERSION_SET_LISTPACKS) return format.TYPE_STREAM_LISTPACKS_3;
  return version >= format.RDB_VERSION_LISTPACKS
    ? format.TYPE_STREAM_LISTPACKS_2
    : format.TYPE_STREAM_LISTPACKS;
}

function save(out: RdbEncoder, source: ValueSource, ref: number): void {
  const walk = new StreamWalk(source.largeValue(ref) as Stream);
  walk.begin(out);
  while (!walk.step());
}

function walk(
  source: ValueSource,
  ref: number,
  _form: SavedForm,
  _canBorrow: boolean,
  alwaysWalks = false,
): ValueWalk | null {
  const stream = source.largeValue(ref) as Stream;
  let pending = 0;
  for (const group of stream.groups.items) {
    pending += group.pending.count + group.consumers.items.length;
  }
  const isSmall = stream.nodeCount <= NODES_AT_ONCE && pending <= ELEMENTS_AT_ONCE;
  return isSmall && !alwaysWalks ? null : new StreamWalk(stream);
}

/** A group as it was when the walk began. */
interface KeptGroup {
  readonly name: Uint8Array;
  readonly lastId: StreamId;
  readonly entriesRead: Count;
  readonly pendingCount: number;
  readonly pending: readonly PendingChunk[];
  readonly consumers: readonly KeptConsumer[];
}

interface KeptConsumer {
  readonly name: Uint8Array;
  readonly number: number;
  readonly seenMs: number;
  readonly activeMs: number;
  readonly pendingCount: number;
  readonly pending: readonly PendingChunk[];
}

function keepGroup({ name, lastId, entriesRead, pending, consumers }: ConsumerGroup): KeptGroup {
  return {
    name,
    lastId: lastId.clone(),
    entriesRead,
    pendingCount: pending.count,
    pending: pending.chunks(),
    consumers: consumers.items.map(({ name, number, seenMs, activeMs, pending }) => ({
      name,
      number,
      seenMs,
      activeMs,
      pendingCount: pending.count,
      pending: pending.chunks(),
    })),
  };
}

/** Nodes, numbers and groups of a stream, as they were. */
class StreamWalk extends ValueWalk {
  readonly #stream: Stream;
  readonly #nodes: readonly StreamNode[];
  readonly #groups: readonly KeptGroup[];
  /** Length, and ids and counts behind the nodes, as they are written. */
  readonly #length: number;
  readonly #lastId: StreamId;
  readonly #firstId: StreamId;
  readonly #maxDeletedId: StreamId;
  readonly #entriesAdded: Count;
  #pieces: Generator<void, void> | null = null;
  readonly #generation: number;

  constructor(stream: Stream) {
    super(stream);
    this.#stream = stream;
    stream.beginWalk();
    this.#generation = stream.generation;
    this.#nodes = stream.nodes();
    this.#length = stream.length;
    this.#lastId = stream.lastId.clone();
    this.#firstId = stream.firstId.clone();
    this.#maxDeletedId = stream.maxDeletedId.clone();
    this.#entriesAdded = stream.entriesAdded;
    this.#groups = stream.groups.items.map(keepGroup);
  }

  override begin(main: RdbEncoder): void {
    this.#pieces = this.#write(main);
  }

  override step(): boolean {
    const { failedGeneration } = this.#stream;
    if (failedGeneration >= this.#generation) {
      throw new RangeError("no memory to keep a stream as it was");
    }
    if (this.#pieces!.next().done !== true) return false;
    this.#stream.endWalk();
    return true;
  }

  override abort(): void {
    this.#stream.endWalk();
  }

  *#write(out: RdbEncoder): Generator<void, void> {
    if (out.groupsFirst) {
      out.writeLength(this.#groups.length);
      for (const group of this.#groups) yield* writeGroupFirst(out, group);
    }
    out.writeLength(this.#nodes.length);
    for (const node of this.#nodes) {
      node.id.writeBytes(idBytes, 0);
      out.writeRawString(idBytes, 0, STREAM_ID_BYTES);
      out.writeString(node.bytes, node.base, node.size);
      yield;
    }
    out.writeLength(this.#length);
    writeId(out, this.#lastId);
    if (streamTypeIn(out.version) !== format.TYPE_STREAM_LISTPACKS) {
      writeId(out, this.#firstId);
      writeId(out, this.#maxDeletedId);
      writeCount(out, this.#entriesAdded);
    }
    if (out.groupsFirst) return;
    out.writeLength(this.#groups.length);
    for (const group of this.#groups) yield* writeGroup(out, group);
  }
}

/** Writes a group as stream_commands.ts reads it. */
function* writeGroupFirst(out: RdbEncoder, group: KeptGroup): Generator<void, void> {
  out.writeString(group.name, 0, group.name.length);
  writeId(out, group.lastId);
  writeCount(out, group.entriesRead);
  out.writeLength(group.consumers.length);
  const places = new Map<number, number>();
  for (const { name, number } of group.consumers) {
    places.set(number, places.size);
    out.writeString(name, 0, name.length);
  }
  out.writeLength(group.pendingCount);
  for (const chunk of group.pending) {
    for (let i = 0; i < chunk.count; i++) {
      writePending(out, chunk, i);
      out.writeLength(places.get(chunk.owners[i])!);
    }
    yield;
  }
}

function* writeGroup(out: RdbEncoder, group: KeptGroup): Generator<void, void> {
  const type = streamTypeIn(out.version);
  out.writeString(group.name, 0, group.name.length);
  writeId(out, group.lastId);
  if (type !== format.TYPE_STREAM_LISTPACKS) writeCount(out, group.entriesRead);
  out.writeLength(group.pendingCount);
  for (const chunk of group.pending) {
    for (let i = 0; i < chunk.count; i++) writePending(out, chunk, i);
    yield;
  }
  out.writeLength(group.consumers.length);
  for (const { name, seenMs, activeMs, pendingCount, pending } of group.consumers) {
    out.writeString(name, 0, name.length);
    out.writeMillis(seenMs);
    if (type === format.TYPE_STREAM_LISTPACKS_3) out.writeMillis(activeMs);
    out.writeLength(pendingCount);
    for (const chunk of pending) {
      for (let i = 0; i < chunk.count; i++) writeRawId(out, chunk, i);
      yield;
    }
  }
}

const idBytes = new Uint8Array(STREAM_ID_BYTES);
const scratchId = new StreamId();

/** Writes a pending id and what is known of its delivery. */
function writePending(out: RdbEncoder, chunk: PendingChunk, index: number): void {
  writeRawId(out, chunk, index);
  out.writeMillis(chunk.times[index]);
  out.writeLength(chunk.deliveries[index]);
}

function writeRawId(out: RdbEncoder, chunk: PendingChunk, index: number): void {
  chunk.readId(index, scratchId).writeBytes(idBytes, 0);
  out.writeBytes(idBytes, 0, STREAM_ID_BYTES);
}

function writeId(out: RdbEncoder, id: StreamId): void {
  out.writeWideLength(id.msHigh, id.msLow);
  out.writeWideLength(id.seqHigh, id.seqLow);
}

function writeCount(out: RdbEncoder, count: Count): void {
  if (typeof count === "number" && count >= 0) return out.writeLength(count);
  const bits = BigInt.asUintN(64, BigInt(count));
  out.writeWideLength(Number(bits >> 32n), Number(bits & 0xffffffffn));
}

// -- loading -----------------------------------------------------------------------------

// What comes next in the snapshot.
const NODE_COUNT = 0;
const NODE_ID = 1;
const NODE_BYTES = 2;
const NUMBERS = 3;
const GROUP_NAME = 4;
const GROUP_NUMBERS = 5;
const PENDING = 6;
const CONSUMER_COUNT = 7;
const CONSUMER_NAME = 8;
const CONSUMER_NUMBERS = 9;
const CONSUMER_PENDING = 10;
const GIVEN_BACK_COUNT = 11;
const GIVEN_BACK_ID = 12;
const IDEMPOTENT = 13;
const PRODUCER = 14;
const PRODUCER_IDS = 15;
const PRODUCER_ID = 16;
const PRODUCER_ENTRY = 17;
const IDEMPOTENT_COUNTS = 18;
const END = 19;

/** What a stream of Redis 8.6 says for how long, in s, and how many ids of producers it keeps, if nobody changes it. */
const IDEMPOTENT_SECONDS = 100;
const IDEMPOTENT_IDS_MAX = 100;
/** The bytes of an id of a producer and of its entry are as many at least. */
const PRODUCER_ID_BYTES = 3;
/** Whom entries that nobody has are pending for. */
const NOBODY = new Uint8Array(0);

class StreamLoad extends ValueLoad {
  #next = NODE_COUNT;
  #stream = new Stream();
  #group!: ConsumerGroup;
  #consumer!: Consumer;
  /** Nodes, groups, consumers, pending ids that are still to come. */
  #nodes = 0;
  #groups = 0;
  #consumers = 0;
  #pending = 0;
  /** Pending ids of the group that a consumer has. */
  #owned = 0;
  /** Producers, and ids of the one at hand, that are still to come. */
  #producers = 0;
  #ids = 0;
  readonly #id = new StreamId();
  #name = idBytes;
  readonly #place = new PendingPlace();

  constructor(readonly rdbType: number) {
    super();
  }

  override begin(): void {
    this.#next = NODE_COUNT;
    this.#stream = new Stream();
  }

  override step(value: LoadedValue, reader: RdbReader): number {
    value.beginPiece(reader);
    while (this.#next !== END) {
      if (value.isPieceOver(reader)) return LOAD_PART;
      this.#readNext(value, reader);
      reader.mark();
    }
    this.finish(value, this.#stream);
    this.#stream = new Stream();
    return LOAD_WHOLE;
  }

  /** Adds the next node; false when it does not come behind those before. The bytes are checked, and the reader's. */
  protected addNode(
    stream: Stream,
    id: StreamId,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    return stream.loadNode(id, bytes, offset, length);
  }

  protected finish(value: LoadedValue, stream: Stream): void {
    value.setLarge(TYPE_STREAM, ENC_STREAM, stream);
  }

  /** Reads what comes next, all of it before anything is changed. */
  #readNext(value: LoadedValue, reader: RdbReader): void {
    switch (this.#next) {
      case NODE_COUNT:
        this.#nodes = reader.readCount("stream nodes");
        this.#next = this.#nodes > 0 ? NODE_ID : NUMBERS;
        break;
      case NODE_ID:
        reader.readStringOf(STREAM_ID_BYTES, "the id of a stream node");
        this.#id.readBytes(reader.strBuf, reader.strOff);
        this.#next = NODE_BYTES;
        break;
      case NODE_BYTES:
        this.#readNode(reader);
        break;
      case NUMBERS:
        this.#readNumbers(reader);
        break;
      case GROUP_NAME:
        this.#name = readName(reader);
        this.#next = GROUP_NUMBERS;
        break;
      case GROUP_NUMBERS:
        this.#readGroup(reader);
        break;
      case PENDING:
        this.#readPending(reader);
        break;
      case CONSUMER_COUNT:
        this.#consumers = reader.readCount("consumers");
        this.#next = this.#consumers > 0 ? CONSUMER_NAME : this.#endGroup(reader);
        break;
      case CONSUMER_NAME:
        this.#name = readName(reader);
        this.#next = CONSUMER_NUMBERS;
        break;
      case CONSUMER_NUMBERS:
        this.#readConsumer(reader);
        break;
      case CONSUMER_PENDING:
        this.#readOwnPending(reader);
        break;
      case GIVEN_BACK_COUNT:
        this.#readGivenBackCount(value, reader);
        break;
      case GIVEN_BACK_ID:
        this.#readGivenBack(reader);
        break;
      default:
        this.#readIdempotent(value, reader);
    }
  }

  /** Reads what comes next of what is known of producers; nothing of it is kept. */
  #readIdempotent(value: LoadedValue, reader: RdbReader): void {
    switch (this.#next) {
      case IDEMPOTENT:
        this.#readIdempotentSettings(value, reader);
        break;
      case PRODUCER:
        reader.readString();
        this.#next = PRODUCER_IDS;
        break;
      case PRODUCER_IDS:
        this.#ids = reader.readCount("ids of a producer", PRODUCER_ID_BYTES);
        this.#next = this.#ids > 0 ? PRODUCER_ID : this.#endProducer();
        break;
      case PRODUCER_ID:
        reader.readString();
        this.#next = PRODUCER_ENTRY;
        break;
      case PRODUCER_ENTRY:
        readStreamId(reader);
        this.#next = --this.#ids > 0 ? PRODUCER_ID : this.#endProducer();
        break;
      default:
        readCount64(reader);
        readCount64(reader);
        this.#next = END;
    }
  }

  #readIdempotentSettings(value: LoadedValue, reader: RdbReader): void {
    const at = reader.offset;
    const seconds = reader.readPlainLength("how long ids of producers are kept");
    const most = reader.readPlainLength("how many ids of a producer are kept");
    const producers = reader.readCount("producers", 2);
    const isUsual = seconds === IDEMPOTENT_SECONDS && most === IDEMPOTENT_IDS_MAX;
    if (producers > 0) value.leaveOut(IDEMPOTENT_IDS, reader, at);
    else if (!isUsual) value.leaveOut(IDEMPOTENT_SETTINGS, reader, at);
    this.#producers = producers;
    this.#next = producers > 0 ? PRODUCER : IDEMPOTENT_COUNTS;
  }

  #endProducer(): number {
    return --this.#producers > 0 ? PRODUCER : IDEMPOTENT_COUNTS;
  }

  #readNode(reader: RdbReader): void {
    reader.readString();
    const { strBuf, strOff, strLen, strAt } = reader;
    if (!isStreamListpack(strBuf, strOff, strLen)) {
      throw reader.error("Stream listpack integrity check failed, value", strAt);
    }
    if (!this.addNode(this.#stream, this.#id, strBuf, strOff, strLen)) {
      throw reader.error("the nodes of a stream are out of order", strAt);
    }
    if (--this.#nodes === 0) this.#next = NUMBERS;
    else this.#next = NODE_ID;
  }

  #readNumbers(reader: RdbReader): void {
    const at = reader.offset;
    const length = reader.readPlainLength("the length of a stream");
    const lastId = readStreamId(reader);
    const firstId = new StreamId();
    const maxDeletedId = new StreamId();
    let entriesAdded: Count = length;
    const isOld = this.rdbType === format.TYPE_STREAM_LISTPACKS;
    if (!isOld) {
      firstId.copy(readStreamId(reader));
      maxDeletedId.copy(readStreamId(reader));
      entriesAdded = readCount64(reader);
    }
    const groups = reader.readCount("consumer groups");

    const stream = this.#stream;
    const found = stream.length;
    if (found !== length) {
      throw reader.error(`a stream of ${length} entries, whose nodes have ${found},`, at);
    }
    stream.lastId.copy(lastId);
    stream.firstId.copy(firstId);
    // Without entries there is no first id: Redis takes the greatest one when it loads such a stream.
    if (isOld && length === 0) stream.firstId.copy(StreamId.greatest());
    else if (isOld) stream.findFirst();
    stream.maxDeletedId.copy(maxDeletedId);
    stream.entriesAdded = entriesAdded;
    this.#groups = groups;
    this.#next = groups > 0 ? GROUP_NAME : this.#afterGroups();
  }

  #afterGroups(): number {
    return this.rdbType >= format.TYPE_STREAM_LISTPACKS_4 ? IDEMPOTENT : END;
  }

  #readGroup(reader: RdbReader): void {
    const at = reader.offset;
    const lastId = readStreamId(reader);
    const stream = this.#stream;
    const entriesRead = this.rdbType === format.TYPE_STREAM_LISTPACKS
      ? stream.entriesUpTo(lastId)
      : readCount64(reader);
    const pending = reader.readCount("pending ids", STREAM_ID_BYTES);

    if (stream.groups.find(this.#name) !== null) {
      throw reader.error("a consumer group is there twice", at);
    }
    this.#group = stream.addGroup(this.#name, lastId, entriesRead);
    this.#pending = pending;
    this.#owned = 0;
    this.#next = pending > 0 ? PENDING : CONSUMER_COUNT;
  }

  #readPending(reader: RdbReader): void {
    const at = reader.offset;
    reader.readInto(idBytes, 0, STREAM_ID_BYTES);
    const timeMs = safe(reader.readMillis());
    const deliveries = safe(reader.readPlainLength("how often an entry was delivered"));

    const { pending } = this.#group;
    const place = this.#place;
    if (!pending.append(place, this.#id.readBytes(idBytes, 0))) {
      throw reader.error("the pending ids of a consumer group are out of order", at);
    }
    place.chunk.times[place.index] = timeMs;
    place.chunk.deliveries[place.index] = deliveries;
    if (--this.#pending === 0) this.#next = CONSUMER_COUNT;
  }

  #readConsumer(reader: RdbReader): void {
    const at = reader.offset;
    const seenMs = safe(reader.readMillis());
    const activeMs = this.rdbType >= format.TYPE_STREAM_LISTPACKS_3 ? reader.readMillis() : seenMs;
    const pending = reader.readCount("pending ids of a consumer", STREAM_ID_BYTES);

    if (this.#group.consumers.find(this.#name) !== null) {
      throw reader.error("Duplicate stream consumer detected", at);
    }
    this.#consumer = this.#group.addConsumer(this.#name, seenMs);
    this.#consumer.activeMs = activeMs;
    this.#pending = pending;
    if (pending > 0) this.#next = CONSUMER_PENDING;
    else this.#endConsumer(reader);
  }

  #readOwnPending(reader: RdbReader): void {
    const at = reader.offset;
    reader.readInto(idBytes, 0, STREAM_ID_BYTES);
    const id = this.#id.readBytes(idBytes, 0);
    if (!this.#group.loadOwn(this.#place, id, this.#consumer)) {
      throw reader.error("a pending id of a consumer is not for it alone in its group", at);
    }
    this.#owned++;
    if (--this.#pending === 0) this.#endConsumer(reader);
  }

  #endConsumer(reader: RdbReader): void {
    this.#next = --this.#consumers > 0 ? CONSUMER_NAME : this.#endGroup(reader);
  }

  /** What comes behind the consumers of a group. */
  #endGroup(reader: RdbReader): number {
    if (this.rdbType === format.TYPE_STREAM_LISTPACKS_5) return GIVEN_BACK_COUNT;
    return this.#nextGroup(reader);
  }

  #readGivenBackCount(value: LoadedValue, reader: RdbReader): void {
    const at = reader.offset;
    this.#pending = reader.readCount("ids that were given back", STREAM_ID_BYTES);
    if (this.#pending === 0) {
      this.#next = this.#nextGroup(reader);
      return;
    }
    value.leaveOut(GIVEN_BACK, reader, at);
    this.#consumer = this.#group.consumers.find(NOBODY) ?? this.#group.addConsumer(NOBODY, 0);
    this.#next = GIVEN_BACK_ID;
  }

  /** Those that were given back last come first: they are not in the order of their ids. */
  #readGivenBack(reader: RdbReader): void {
    const at = reader.offset;
    reader.readInto(idBytes, 0, STREAM_ID_BYTES);
    const id = this.#id.readBytes(idBytes, 0);
    if (!this.#group.loadOwnAnywhere(this.#place, id, this.#consumer)) {
      throw reader.error("an id that was given back is not pending for nobody", at);
    }
    this.#owned++;
    if (--this.#pending === 0) this.#next = this.#nextGroup(reader);
  }

  /** What comes behind the group that has been read. */
  #nextGroup(reader: RdbReader): number {
    if (this.#owned !== this.#group.pending.count) {
      throw reader.error("a pending id of a consumer group is for no consumer");
    }
    return --this.#groups > 0 ? GROUP_NAME : this.#afterGroups();
  }
}

/** Passes over a stream: of its nodes nothing is kept, of its groups the pending ids are, to be compared. */
class StreamScan extends StreamLoad {
  readonly #lastNode = new StreamId();
  #nodesPassed = 0;
  #bytes = 0;

  override begin(): void {
    super.begin();
    this.#nodesPassed = this.#bytes = 0;
  }

  protected override addNode(
    stream: Stream,
    id: StreamId,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    if (this.#nodesPassed++ > 0 && this.#lastNode.compare(id) >= 0) return false;
    this.#lastNode.copy(id);
    const node = StreamNode.of(id, bytes, offset, length, 0);
    this.#bytes += node.memoryBytes;
    stream.length += node.live;
    return true;
  }

  protected override finish(value: LoadedValue, stream: Stream): void {
    value.beginPassing(TYPE_STREAM);
    value.elements = stream.length;
    value.contentBytes = this.#bytes + stream.memoryBytes;
  }
}

/** A time or a number of deliveries, at most what is exact as a number: no server comes near that. */
function safe(n: number): number {
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, n));
}

function readName(reader: RdbReader): Uint8Array<ArrayBuffer> {
  reader.readString();
  return new Uint8Array(reader.strBuf.subarray(reader.strOff, reader.strOff + reader.strLen));
}
