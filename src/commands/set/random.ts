/** SPOP and SRANDMEMBER: members drawn at random. */

import { ENC_LISTPACK, TYPE_SET } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_GENERIC, EVENT_SET } from "../../base/event_classes.ts";
import { setBuilder, setView } from "../../keyspace/set.ts";
import type { LargeSet } from "../../values/large_set.ts";
import { sampleDict } from "../../values/sampling.ts";
import { ReplyError, SYNTAX_ERROR, WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { checkDraws, drawCount } from "../draw_count.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { word } from "../../propagation/stream_part.ts";

const NOT_POSITIVE = "ERR value is out of range, must be positive";

/** Members that one SREM in the stream of writes names at most. */
const SREM_MEMBERS_MAX = 1024;
/** What a word takes in the stream of writes beside its bytes, at most. */
const WORD_OVERHEAD_BYTES = 24;
/**
 * When more than this many times the remaining members are to be popped, the remaining ones are drawn
 * instead and put into a new set.
 */
const POPPED_PER_REMAINING = 5;

/**
 * `SPOP key [count]`: removes a member drawn at random, or up to `count` of them.
 *
 * Propagates as what came of it: `SREM key member …`, or `DEL key` when a count takes all members.
 *
 * @see {@link https://redis.io/docs/latest/commands/spop/}
 */
export const spop = defineCommand({
  name: "spop",
  group: "set",
  since: "1.0.0",
  history: [["3.2.0", "a count"]],
  summary: "Draws members of a set at random and removes them",
  complexity: "O(N) with N members drawn",
  arity: -2,
  flags: ["write", "fast"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RW access delete")],
  args: "key [count:integer@3.2.0]",
  run: runSpop,
});

function runSpop(call: Call): void {
  const { database, words, reply } = call;
  if (words.count > 2) return popMany(call);
  const { bytes, starts, lengths } = words;
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref === 0) return reply.null();
  if (database.typeOf(ref) !== TYPE_SET) return reply.error(WRONG_TYPE);
  setView.openToWrite(database, ref);
  setView.draw(call.server.draw);
  const { member } = setView;
  reply.bulk(member.bytes, member.offset, member.length);
  if (call.isPropagating) call.propagateAs("SREM", word(1), member.copy());
  setView.removeDrawn();
  setView.measure();
  const isEmpty = setView.count === 0;
  database.changed(bytes, starts[1], lengths[1], EVENT_SET, "spop");
  if (isEmpty) {
    database.removeRecord(setView.ref, bytes, starts[1], lengths[1], EVENT_GENERIC, "del", 0);
  }
}

function popMany(call: Call): void {
  const { database, words, reply } = call;
  if (words.count > 3) throw new ReplyError(SYNTAX_ERROR);
  const { bytes, starts, lengths } = words;
  const count = call.clampedInteger(2, NOT_POSITIVE);
  if (count < 0) throw new ReplyError(NOT_POSITIVE);
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref === 0) return reply.set(0);
  if (database.typeOf(ref) !== TYPE_SET) return reply.error(WRONG_TYPE);
  if (count === 0) return reply.set(0);
  setView.openToWrite(database, ref);
  const size = setView.count;
  if (count >= size) return popAll(call, size);

  reply.set(count);
  const log = call.isPropagating ? new RemovalLog(call) : null;
  const { large } = setView;
  if (large !== null && (size - count) * POPPED_PER_REMAINING <= count) {
    popAllBut(call, large, size - count, log);
  } else {
    // All are in the reply before the first goes: there may be no memory for that.
    const members: Uint8Array[] = [];
    setView.sample(count, call.server.draw, (member, offset, length) => {
      reply.bulk(member, offset, length);
      members.push(member.slice(offset, offset + length));
    });
    for (const member of members) log?.add(member, 0, member.length);
    log?.flush();
    for (const member of members) setView.remove(member, 0, member.length);
    setView.measure();
  }
  database.changed(bytes, starts[1], lengths[1], EVENT_SET, "spop", count);
}

function popAll(call: Call, size: number): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  reply.set(size);
  setView.forEach((member, offset, length) => reply.bulk(member, offset, length));
  if (call.isPropagating) {
    call.propagateAs(database.keyspace.unlinksEmptied ? "UNLINK" : "DEL", word(1));
  }
  database.changed(bytes, starts[1], lengths[1], EVENT_SET, "spop", size);
  database.removeRecord(setView.ref, bytes, starts[1], lengths[1], EVENT_GENERIC, "del", 0);
}

/** Pops all members but `remaining` ones drawn at random, which become a set of their own. */
function popAllBut(
  { database, reply, server }: Call,
  large: LargeSet,
  remaining: number,
  log: RemovalLog | null,
): void {
  const kept = new Set<number>();
  setBuilder.begin(database.keyspace.limits, ENC_LISTPACK);
  sampleDict(large, remaining, server.draw, (ref) => {
    kept.add(ref);
    setBuilder.add(large.bytesOf(ref), large.keyOffset(ref), large.keyLength(ref));
  });
  large.forEach((ref) => {
    if (kept.has(ref)) return;
    const bytes = large.bytesOf(ref);
    const offset = large.keyOffset(ref);
    const length = large.keyLength(ref);
    reply.bulk(bytes, offset, length);
    if (log !== null) log.add(bytes, offset, length);
  });
  log?.flush();
  setBuilder.replace(database, setView.ref);
}

/** Popped members on their way into the stream of writes, so many to an SREM. */
class RemovalLog {
  readonly #members: Uint8Array[] = [];
  #bytes = 0;

  constructor(readonly call: Call) {}

  add(bytes: Uint8Array, offset: number, length: number): void {
    this.#members.push(bytes.slice(offset, offset + length));
    this.#bytes += length + WORD_OVERHEAD_BYTES;
  }

  /** @throws RangeError when there is no memory for all; then none has entered the stream */
  flush(): void {
    const { call } = this;
    const key = call.words.copy(1);
    const commands = Math.ceil(this.#members.length / SREM_MEMBERS_MAX);
    const keyBytes = key.length + 4 * WORD_OVERHEAD_BYTES;
    call.server.keyspace.stream.reserve(this.#bytes + commands * keyBytes);
    for (let at = 0; at < this.#members.length; at += SREM_MEMBERS_MAX) {
      call.propagateAs("SREM", key, ...this.#members.slice(at, at + SREM_MEMBERS_MAX));
    }
  }
}

/**
 * `SRANDMEMBER key [count]`: one member, or `count` different ones (all if there are no more), or with
 * a negative count that many with repetitions.
 *
 * @see {@link https://redis.io/docs/latest/commands/srandmember/}
 */
export const srandmember = defineCommand({
  name: "srandmember",
  group: "set",
  since: "1.0.0",
  history: [["2.6.0", "a count"]],
  summary: "Draws members of a set at random",
  complexity: "O(N) with N members drawn",
  arity: -2,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO access")],
  args: "key [count:integer@2.6.0]",
  run: runSrandmember,
});

function runSrandmember(call: Call): void {
  const { database, words, reply, server } = call;
  if (words.count > 3) return reply.error(SYNTAX_ERROR);
  const isOne = words.count === 2;
  const count = isOne ? 1 : drawCount(call, 2);
  if (!setView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return isOne ? reply.null() : reply.array(0);
  }
  checkDraws(count);
  if (isOne || count < 0) {
    if (!isOne) reply.array(-count);
    const { member } = setView;
    for (let left = Math.abs(count); left > 0 && !reply.isCut; left--) {
      setView.draw(server.draw);
      reply.bulk(member.bytes, member.offset, member.length);
    }
    return;
  }
  const drawn = Math.min(count, setView.count);
  reply.array(drawn);
  if (drawn === 0) return;
  setView.sample(drawn, server.draw, (bytes, offset, length) => {
    reply.bulk(bytes, offset, length);
  });
}
