/**
 * What becomes of the references that consumer groups have to entries which are deleted (KEEPREF, DELREF, ACKED), and
 * the commands that are about nothing else: XDELEX and XACKDEL. XADD and XTRIM have the same words for what they trim.
 *
 * Into the stream of writes goes what has come of it, as XDEL and XACK, which older servers know too.
 */

import { EVENT_NONE, EVENT_STREAM } from "../../base/event_classes.ts";
import { parseInteger } from "../../base/integers.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { streamView as view } from "../../keyspace/stream.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import type { Words } from "../../resp/words.ts";
import type { ConsumerGroup } from "../../values/stream/consumer_group.ts";
import { PendingPlace } from "../../values/stream/pending_ids.ts";
import type { Stream } from "../../values/stream/stream.ts";
import { STREAM_ID_TEXT_MAX, StreamId } from "../../values/stream/stream_id.ts";
import { idBytes } from "./entry_reply.ts";
import { findGroup } from "./groups.ts";
import { readId } from "./ids.ts";

const NO_COUNT = "ERR Number of IDs must be a positive integer";
const WRONG_COUNT = "ERR The `numids` parameter must match the number of arguments";
const NO_IDS = "ERR IDS option is required";

/** What was done with an entry. */
const RESULT_NONE = -1;
const RESULT_DELETED = 1;
const RESULT_REFERENCED = 2;
/** A word of the stream of writes beside its bytes, at most. */
const WORD_BYTES = 24;

/**
 * What of the references to an entry that is deleted: they stay ("keepref"), they go too ("delref"), or the entry
 * stays until there are none and every group has come past it ("acked").
 */
export type ReferencePolicy = "keepref" | "delref" | "acked";
const POLICIES: readonly ReferencePolicy[] = ["keepref", "delref", "acked"];

/** The policy that word `index` names, or null. */
export function policyAt(words: Words, index: number): ReferencePolicy | null {
  return POLICIES.find((name) => words.is(index, name)) ?? null;
}

const place = new PendingPlace();

/** Whether a group has the id pending, or has not come to it yet. */
export function isReferenced(stream: Stream, id: StreamId): boolean {
  return stream.groups.items.some((group) =>
    id.compare(group.lastId) > 0 || group.pending.find(place, id)
  );
}

/** What a command has deleted, entries and references, to be told when it is done. */
export class Deletions {
  readonly entries: StreamId[] = [];
  readonly #references = new Map<ConsumerGroup, StreamId[]>();
  /** How many references. */
  referenceCount = 0;

  constructor(readonly stream: Stream) {}

  /** Deletes an entry; false when it is not there. */
  deleteEntry(id: StreamId): boolean {
    const isThere = this.stream.delete(id);
    if (isThere) this.entries.push(id);
    return isThere;
  }

  /** Removes the reference that a group has; false when it has none. */
  removeReference(group: ConsumerGroup, id: StreamId): boolean {
    if (!group.pending.find(place, id)) return false;
    group.removePending(place, id);
    const ids = this.#references.get(group);
    if (ids === undefined) this.#references.set(group, [id]);
    else ids.push(id);
    this.referenceCount++;
    return true;
  }

  /** Removes the references of all groups. */
  removeReferences(id: StreamId): void {
    for (const group of this.stream.groups.items) this.removeReference(group, id);
  }

  /** Puts it into the stream of writes. */
  propagate(call: Call): void {
    if (!call.isPropagating) return;
    const key = call.words.copy(1);
    for (const [{ name }, ids] of this.#references) {
      call.propagateAs("XACK", key, name, ...ids.map(idBytes));
    }
    if (this.entries.length > 0) call.propagateAs("XDEL", key, ...this.entries.map(idBytes));
  }
}

/** What XDELEX and XACKDEL have in common behind the key and the group. */
interface Ids {
  readonly policy: ReferencePolicy;
  readonly first: number;
  readonly count: number;
}

/** Reads the words from `from` on. @throws ReplyError */
function readOptions({ words }: Call, from: number): Ids {
  let policy: ReferencePolicy | null = null;
  let first = 0;
  let count = 0;
  for (let at = from; at < words.count;) {
    const named = policyAt(words, at);
    if (named !== null && policy === null) {
      policy = named;
      at++;
    } else if (words.is(at, "ids") && at + 1 < words.count) {
      count = parseInteger(words.bytes, words.starts[at + 1], words.lengths[at + 1]);
      if (!(count > 0)) throw new ReplyError(NO_COUNT);
      if (count > words.count - at - 2) throw new ReplyError(WRONG_COUNT);
      first = at + 2;
      at = first + count;
    } else throw new ReplyError(SYNTAX_ERROR);
  }
  if (first === 0) throw new ReplyError(NO_IDS);
  return { policy: policy ?? "keepref", first, count };
}

function idsOf({ words }: Call, { first, count }: Ids): StreamId[] {
  return Array.from({ length: count }, (_, i) => {
    const id = new StreamId();
    readId(words, first + i, id);
    return id;
  });
}

/**
 * `XDELEX key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]`: of each id whether its entry was deleted (1), is still
 * referenced (2, with ACKED) or is not there (-1).
 *
 * @see {@link https://redis.io/docs/latest/commands/xdelex/}
 */
export const xdelex = defineCommand({
  name: "xdelex",
  group: "stream",
  since: "8.2.0",
  summary: "Deletes entries of a stream, and says what becomes of references to them",
  complexity: "O(1) per entry, whatever the size of the stream",
  arity: -5,
  flags: ["write", "fast"],
  keys: [oneKey("RW delete")],
  args: "key [condition:(KEEPREF | DELREF | ACKED)] IDS ids:(numids:integer id...)",
  run: runXdelex,
});

function runXdelex(call: Call): void {
  const { words, database } = call;
  const { bytes, starts, lengths } = words;
  const stream = view.openWrite(database, bytes, starts[1], lengths[1]);
  const options = readOptions(call, 2);
  if (stream === null) return replyWithNone(call, options.count);
  const ids = idsOf(call, options);
  deleteEach(call, stream, ids, (deletions, id) => {
    if (options.policy === "acked" && isReferenced(stream, id)) return RESULT_REFERENCED;
    if (options.policy === "delref") deletions.removeReferences(id);
    return deletions.deleteEntry(id) ? RESULT_DELETED : RESULT_NONE;
  });
}

/**
 * `XACKDEL key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]`: acknowledges ids, and deletes the entries of
 * those that were pending. Of each id whether that has been done (1), the entry is still referenced (2, with ACKED), or
 * it was not pending (-1).
 *
 * @see {@link https://redis.io/docs/latest/commands/xackdel/}
 */
export const xackdel = defineCommand({
  name: "xackdel",
  group: "stream",
  since: "8.2.0",
  summary: "Acknowledges entries that a consumer group was given, and deletes them",
  complexity: "O(1) per entry",
  arity: -6,
  flags: ["write", "fast"],
  keys: [oneKey("RW update delete")],
  args: "key group [condition:(KEEPREF | DELREF | ACKED)] IDS ids:(numids:integer id...)",
  run: runXackdel,
});

function runXackdel(call: Call): void {
  const { words, database } = call;
  const { bytes, starts, lengths } = words;
  const stream = view.openWrite(database, bytes, starts[1], lengths[1]);
  const options = readOptions(call, 3);
  const group = findGroup(call, stream, 2);
  if (stream === null || group === null) return replyWithNone(call, options.count);
  const ids = idsOf(call, options);
  deleteEach(call, stream, ids, (deletions, id) => {
    if (!deletions.removeReference(group, id)) return RESULT_NONE;
    if (options.policy === "acked" && isReferenced(stream, id)) return RESULT_REFERENCED;
    if (options.policy === "delref") deletions.removeReferences(id);
    deletions.deleteEntry(id);
    return RESULT_DELETED;
  });
}

function replyWithNone({ reply }: Call, count: number): void {
  reply.array(count);
  for (let i = 0; i < count; i++) reply.integer(RESULT_NONE);
}

/** Does this with each id and answers with what it gives; then tells of what was deleted. */
function deleteEach(
  call: Call,
  stream: Stream,
  ids: readonly StreamId[],
  each: (deletions: Deletions, id: StreamId) => number,
): void {
  const { words, reply, database } = call;
  const { bytes, starts, lengths } = words;
  const deletions = new Deletions(stream);
  reserveFor(call, stream, ids.length);
  view.beforeWrite();
  reserveRemoval(stream, ids);
  reply.array(ids.length);
  for (const id of ids) reply.integer(each(deletions, id));
  const { entries, referenceCount } = deletions;
  if (entries.length + referenceCount === 0) return;
  view.settle();
  if (entries.length > 0) {
    database.changed(bytes, starts[1], lengths[1], EVENT_STREAM, "xdel", entries.length);
  }
  if (referenceCount > 0) {
    database.changedUnseen(bytes, starts[1], lengths[1], EVENT_NONE, "", referenceCount);
  }
  deletions.propagate(call);
}

/** Takes the memory for the answer and the stream of writes. @throws RangeError when there is none */
export function reserveFor({ reply, server }: Call, stream: Stream, count: number): void {
  reply.reserve((count + 1) * WORD_BYTES);
  const { stream: writes } = server.keyspace;
  if (!writes.isActive) return;
  const commands = 1 + stream.groups.items.length;
  writes.reserve(commands * (count + 4) * (STREAM_ID_TEXT_MAX + WORD_BYTES), commands);
}

/**
 * Takes the memory for removing entries and the references to them, where the stream has a copy that they are
 * shared with. @throws RangeError when there is none
 */
export function reserveRemoval(stream: Stream, ids: readonly StreamId[]): void {
  stream.reserveDelete(ids);
  for (const group of stream.groups.items) group.reserveChanges(place, ids);
}
