/** XGROUP: consumer groups are made, moved and removed; XSETID, which moves the stream itself. */

import { EVENT_NONE, EVENT_STREAM } from "../../base/event_classes.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { streamView as view } from "../../keyspace/stream.ts";
import { NO_SUCH_KEY, ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { type ConsumerGroup, ENTRIES_READ_UNKNOWN } from "../../values/stream/consumer_group.ts";
import { type Count, countOf } from "../../values/stream/count64.ts";
import { type Stream, StreamCursor } from "../../values/stream/stream.ts";
import { StreamId } from "../../values/stream/stream_id.ts";
import { writeHelp } from "../help.ts";
import { findGroup, noGroupOfKey } from "./groups.ts";
import { ID_INVALID, INVALID_ID, parseId, readId } from "./ids.ts";

const NO_KEY =
  "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use " +
  "the MKSTREAM option to create an empty stream automatically.";
const BUSY_GROUP = "BUSYGROUP Consumer Group name already exists";
const BAD_ENTRIES_READ = "ERR value for ENTRIESREAD must be positive or -1";

const KEY = 2;
const GROUP = 3;

/** The stream at the key, which must be there. Throws a ReplyError. */
function openStream({ database, words }: Call): Stream {
  const { bytes, starts, lengths } = words;
  const stream = view.openWrite(database, bytes, starts[KEY], lengths[KEY]);
  if (stream === null) throw new ReplyError(NO_KEY);
  return stream;
}

/** The group of the stream. Throws a ReplyError. */
function groupOf(call: Call, stream: Stream): ConsumerGroup {
  const group = findGroup(call, stream, GROUP);
  if (group === null) throw noGroupOfKey(call, KEY, GROUP);
  return group;
}

/** A group of the stream has changed. */
function changed({ database, words }: Call, event: string, changes = 1): void {
  view.settle();
  const { bytes, starts, lengths } = words;
  database.changedUnseen(bytes, starts[KEY], lengths[KEY], EVENT_STREAM, event, changes);
}

/** What CREATE and SETID read behind the id. */
interface GroupOptions {
  readonly makesStream: boolean;
  readonly entriesRead: Count;
}

function readOptions(call: Call, mayMakeStream: boolean): GroupOptions {
  const { words } = call;
  let makesStream = false;
  let entriesRead: Count = ENTRIES_READ_UNKNOWN;
  for (let at = 5; at < words.count; at++) {
    if (mayMakeStream && words.is(at, "mkstream")) makesStream = true;
    else if (words.is(at, "entriesread") && at + 1 < words.count) {
      entriesRead = readEntriesRead(call, ++at);
    } else throw call.subcommandSyntaxError();
  }
  return { makesStream, entriesRead };
}

/**
 * A count of entries that a group has read. Redis lets one that a client has set grow beyond 64 bits, and its stream then
 * tells it with the group's new id, as a negative number: the id has to be taken, what was counted is not known any more.
 */
function readEntriesRead(call: Call, at: number): Count {
  const count = countOf(call.bigInteger(at));
  if (count >= 0 || count === ENTRIES_READ_UNKNOWN) return count;
  if (call.client.isMaster) return ENTRIES_READ_UNKNOWN;
  throw new ReplyError(BAD_ENTRIES_READ);
}

/**
 * `XGROUP CREATE key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/xgroup-create/}
 */
const xgroupCreate = defineCommand({
  name: "xgroup|create",
  group: "stream",
  since: "5.0.0",
  history: [["7.0.0", "`ENTRIESREAD`"]],
  summary: "Makes a consumer group",
  complexity: "O(1)",
  arity: -5,
  flags: ["write", "denyoom"],
  keys: [oneKey("RW insert", KEY)],
  args: `
    key groupname id:(id | new_id:"$")
    [MKSTREAM]
    [ENTRIESREAD entries_read:integer]
  `,
  run: runXgroupCreate,
});

function runXgroupCreate(call: Call): void {
  const { words, reply, database } = call;
  const { bytes, starts, lengths } = words;
  const { makesStream, entriesRead } = readOptions(call, true);
  let stream = view.openWrite(database, bytes, starts[KEY], lengths[KEY]);
  if (stream === null && !makesStream) return reply.error(NO_KEY);
  const lastId = new StreamId();
  if (!words.is(4, "$")) readId(words, 4, lastId);
  else if (stream !== null) lastId.copy(stream.lastId);
  if (words.count > 8) throw call.subcommandSyntaxError();

  if (findGroup(call, stream, GROUP) !== null) return reply.error(BUSY_GROUP);
  if (stream === null) {
    stream = view.create(database, bytes, starts[KEY], lengths[KEY]);
    database.changed(bytes, starts[KEY], lengths[KEY], EVENT_NONE, "", 0);
  } else view.beforeWrite();
  stream.addGroup(words.copy(GROUP), lastId, entriesRead);
  changed(call, "xgroup-create");
  reply.ok();
}

/**
 * `XGROUP SETID key group <id | $> [ENTRIESREAD entries-read]`: the group goes on behind that entry.
 *
 * @see {@link https://redis.io/docs/latest/commands/xgroup-setid/}
 */
const xgroupSetid = defineCommand({
  name: "xgroup|setid",
  group: "stream",
  since: "5.0.0",
  history: [["7.0.0", "`ENTRIESREAD`"]],
  summary: "Sets the last entry that a consumer group has been given",
  complexity: "O(1)",
  arity: -5,
  flags: ["write"],
  keys: [oneKey("RW update", KEY)],
  args: `key groupname id:(id | new_id:"$") [ENTRIESREAD entries_read:integer]`,
  run: runXgroupSetid,
});

function runXgroupSetid(call: Call): void {
  const { words, reply } = call;
  const { entriesRead } = readOptions(call, false);
  const stream = openStream(call);
  const group = groupOf(call, stream);
  const lastId = new StreamId();
  const { bytes, starts, lengths } = words;
  if (words.count !== 5 && words.count !== 7) throw call.subcommandSyntaxError();
  if (words.is(4, "$")) lastId.copy(stream.lastId);
  else if (parseId(bytes, starts[4], lengths[4], lastId, { hasEnds: true }) === ID_INVALID) {
    return reply.error(INVALID_ID);
  }
  view.beforeWrite();
  group.lastId.copy(lastId);
  group.entriesRead = entriesRead;
  changed(call, "xgroup-setid");
  reply.ok();
}

/**
 * `XGROUP DESTROY key group`: 1 if there was such a group. Clients that wait in it are told NOGROUP.
 *
 * @see {@link https://redis.io/docs/latest/commands/xgroup-destroy/}
 */
const xgroupDestroy = defineCommand({
  name: "xgroup|destroy",
  group: "stream",
  since: "5.0.0",
  summary: "Removes a consumer group with all that is pending in it",
  complexity: "O(N), N being the pending entries",
  arity: 4,
  flags: ["write"],
  keys: [oneKey("RW delete", KEY)],
  args: "key groupname",
  run: runXgroupDestroy,
});

function runXgroupDestroy(call: Call): void {
  const { words, reply, database } = call;
  const stream = openStream(call);
  const group = findGroup(call, stream, GROUP);
  if (group === null) return reply.integer(0);
  view.beforeWrite();
  stream.groups.remove(group);
  changed(call, "xgroup-destroy");
  database.signalReady(words.bytes, words.starts[KEY], words.lengths[KEY]);
  reply.integer(1);
}

/**
 * `XGROUP CREATECONSUMER key group consumer`: 1 if it was not there.
 *
 * @see {@link https://redis.io/docs/latest/commands/xgroup-createconsumer/}
 */
const xgroupCreateconsumer = defineCommand({
  name: "xgroup|createconsumer",
  group: "stream",
  since: "6.2.0",
  summary: "Makes a consumer of a group",
  complexity: "O(1)",
  arity: 5,
  flags: ["write", "denyoom"],
  keys: [oneKey("RW insert", KEY)],
  args: "key groupname consumername",
  run: runXgroupCreateconsumer,
});

function runXgroupCreateconsumer(call: Call): void {
  const { words, reply, nowMs } = call;
  const group = groupOf(call, openStream(call));
  if (group.consumers.find(words.bytes, words.starts[4], words.lengths[4]) !== null) {
    return reply.integer(0);
  }
  view.beforeWrite();
  group.addConsumer(words.copy(4), nowMs);
  changed(call, "xgroup-createconsumer");
  reply.integer(1);
}

/**
 * `XGROUP DELCONSUMER key group consumer`: how many entries were pending for it, and now are for nobody.
 *
 * @see {@link https://redis.io/docs/latest/commands/xgroup-delconsumer/}
 */
const xgroupDelconsumer = defineCommand({
  name: "xgroup|delconsumer",
  group: "stream",
  since: "5.0.0",
  summary: "Removes a consumer of a group with all that is pending for it",
  complexity: "O(N), N being the entries pending for it",
  arity: 5,
  flags: ["write"],
  keys: [oneKey("RW delete", KEY)],
  args: "key groupname consumername",
  run: runXgroupDelconsumer,
});

function runXgroupDelconsumer(call: Call): void {
  const { words, reply } = call;
  const group = groupOf(call, openStream(call));
  const consumer = group.consumers.find(words.bytes, words.starts[4], words.lengths[4]);
  if (consumer === null) return reply.integer(0);
  const pending = consumer.pending.count;
  view.beforeWrite();
  group.removeConsumer(consumer);
  changed(call, "xgroup-delconsumer");
  reply.integer(pending);
}

/**
 * `XGROUP HELP`.
 *
 * @see {@link https://redis.io/docs/latest/commands/xgroup-help/}
 */
const xgroupHelp = defineCommand({
  name: "xgroup|help",
  group: "stream",
  since: "5.0.0",
  summary: "Lists the subcommands of XGROUP",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: (call) =>
    writeHelp(call, [
      [
        "CREATE <key> <groupname> <id|$> [option]",
        "Make a consumer group. Options are:",
        "* MKSTREAM",
        "  Make an empty stream if the key is missing.",
        "* ENTRIESREAD entries_read",
        "  Set how many entries the group has read (for replication).",
      ],
      ["CREATECONSUMER <key> <groupname> <consumer>", "Make a consumer of the group."],
      ["DELCONSUMER <key> <groupname> <consumer>", "Remove the consumer."],
      ["DESTROY <key> <groupname>", "Remove the group."],
      [
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "Set the last entry that the group has been given, and how many it has read.",
      ],
    ]),
});

/**
 * `XGROUP <subcommand>`.
 *
 * @see {@link https://redis.io/docs/latest/commands/xgroup/}
 */
export const xgroup = defineCommand({
  name: "xgroup",
  group: "stream",
  since: "5.0.0",
  summary: "Commands about consumer groups",
  complexity: "Depends on the subcommand",
  arity: -2,
  subcommands: [
    xgroupCreate,
    xgroupCreateconsumer,
    xgroupDelconsumer,
    xgroupDestroy,
    xgroupHelp,
    xgroupSetid,
  ],
});

/**
 * `XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]`: for replication and
 * repair.
 *
 * Errors: an id below the last entry's or below what was deleted; fewer entries than there are.
 *
 * @see {@link https://redis.io/docs/latest/commands/xsetid/}
 */
export const xsetid = defineCommand({
  name: "xsetid",
  group: "stream",
  since: "5.0.0",
  history: [["7.0.0", "`ENTRIESADDED` and `MAXDELETEDID`"]],
  summary: "Sets the last id of a stream",
  complexity: "O(1)",
  arity: -3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW update")],
  args: `
    key last-id
    [ENTRIESADDED entries_added:integer@7.0.0]
    [MAXDELETEDID max_deleted_entry_id@7.0.0]
  `,
  run: runXsetid,
});

function runXsetid(call: Call): void {
  const { words, reply, database } = call;
  const { bytes, starts, lengths } = words;
  const lastId = new StreamId();
  readId(words, 2, lastId);
  let entriesAdded: Count | null = null;
  const maxDeletedId = new StreamId();
  for (let at = 3; at < words.count; at += 2) {
    if (at + 1 === words.count) return reply.error(SYNTAX_ERROR);
    if (words.is(at, "entriesadded")) {
      entriesAdded = countOf(call.bigInteger(at + 1));
      if (entriesAdded < 0) return reply.error("ERR entries_added must be positive");
    } else if (words.is(at, "maxdeletedid")) {
      readId(words, at + 1, maxDeletedId);
      if (lastId.compare(maxDeletedId) < 0) {
        return reply.error(
          "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
        );
      }
    } else return reply.error(SYNTAX_ERROR);
  }

  const stream = view.openWrite(database, bytes, starts[1], lengths[1]);
  if (stream === null) return reply.error(NO_SUCH_KEY);
  const fault = faultOf(stream, lastId, entriesAdded);
  if (fault !== null) return reply.error(fault);
  view.beforeWrite();
  stream.lastId.copy(lastId);
  if (entriesAdded !== null) stream.entriesAdded = entriesAdded;
  if (!maxDeletedId.isZero) stream.maxDeletedId.copy(maxDeletedId);
  database.changedUnseen(bytes, starts[1], lengths[1], EVENT_STREAM, "xsetid");
  reply.ok();
}

/** Why a stream cannot be set to that; null if it can. */
function faultOf(stream: Stream, lastId: StreamId, entriesAdded: Count | null): string | null {
  if (lastId.compare(stream.maxDeletedId) < 0) {
    return "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
  }
  if (stream.length === 0) return null;
  const cursor = new StreamCursor(stream);
  if (cursor.seekLast(StreamId.greatest()) && lastId.compare(cursor.id) < 0) {
    return "ERR The ID specified in XSETID is smaller than the target stream top item";
  }
  if (entriesAdded !== null && stream.length > entriesAdded) {
    return "ERR The entries_added specified in XSETID is smaller than the target stream length";
  }
  return null;
}
