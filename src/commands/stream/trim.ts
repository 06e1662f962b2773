/** XTRIM, and what XADD has in common with it: the options that say what is to go. */

import { EVENT_STREAM } from "../../base/event_classes.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { streamView as view } from "../../keyspace/stream.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { type Stream, StreamCursor, type Trim } from "../../values/stream/stream.ts";
import { StreamId } from "../../values/stream/stream_id.ts";
import { idBytes } from "./entry_reply.ts";
import { readId } from "./ids.ts";
import {
  Deletions,
  isReferenced,
  policyAt,
  type ReferencePolicy,
  reserveFor,
  reserveRemoval,
} from "./references.ts";
import { type StreamPart, word as wordAt } from "../../propagation/stream_part.ts";

const TWO_STRATEGIES =
  "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
const LIMIT_ALONE = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
const LIMIT_OF_EXACT = "ERR syntax error, LIMIT cannot be used without the special ~ option";

const NO_STRATEGY = "ERR syntax error, XTRIM must be called with a trimming strategy";

/** Entries that an approximate trim removes at most, where nodes have no limit, and in any case. */
const DEFAULT_LIMIT = 10_000;
const DEFAULT_LIMIT_MAX = 1_000_000;

/** The options of XTRIM, as words say them. */
export class TrimOptions implements Trim {
  /** Whether MAXLEN or MINID was given. */
  isGiven = false;
  maxLength: number | null = null;
  readonly minId = new StreamId();
  isApproximate = false;
  limit = 0;
  /** Word of the threshold. */
  thresholdWord = 0;
  /** What of references to the entries that go. */
  policy: ReferencePolicy = "keepref";
  /** Word of that, 0 when there is none. */
  policyWord = 0;
  /** Words of MAXLEN or MINID, and of LIMIT. */
  #strategyWord = 0;
  #limitWord = 0;
  #isLimited = false;

  clear(): void {
    this.policy = "keepref";
    this.policyWord = this.#strategyWord = this.#limitWord = 0;
    this.isGiven = false;
    this.maxLength = null;
    this.isApproximate = false;
    this.limit = 0;
    this.#isLimited = false;
  }

  /** Reads an option at word `at`; how many words it takes, 0 when it is none. Throws a ReplyError. */
  read(call: Call, at: number): number {
    const { words } = call;
    const policy = policyAt(words, at);
    if (policy !== null && this.policyWord === 0) {
      this.policy = policy;
      this.policyWord = at;
      return 1;
    }
    const left = words.count - 1 - at;
    if (left < 1) return 0;
    if (words.is(at, "limit")) {
      this.#limitWord = at;
      this.limit = call.clampedInteger(at + 1);
      if (this.limit < 0) throw new ReplyError("ERR The LIMIT argument must be >= 0.");
      this.#isLimited = true;
      return 2;
    }
    const isMaxLength = words.is(at, "maxlen");
    if (!isMaxLength && !words.is(at, "minid")) return 0;
    if (this.isGiven) throw new ReplyError(TWO_STRATEGIES);
    this.#strategyWord = at;
    this.isApproximate = left >= 2 && words.is(at + 1, "~");
    const hasOperator = this.isApproximate || (left >= 2 && words.is(at + 1, "="));
    this.thresholdWord = hasOperator ? at + 2 : at + 1;
    if (isMaxLength) {
      this.maxLength = call.clampedInteger(this.thresholdWord);
      if (this.maxLength < 0) throw new ReplyError("ERR The MAXLEN argument must be >= 0.");
    } else readId(words, this.thresholdWord, this.minId);
    this.isGiven = true;
    return this.thresholdWord + 1 - at;
  }

  /** All words have been read: do they go together? Throws a ReplyError. */
  finish({ client, server }: Call, isRequired: boolean): void {
    if (this.limit !== 0 && !this.isGiven) throw new ReplyError(LIMIT_ALONE);
    if (isRequired && !this.isGiven) throw new ReplyError(NO_STRATEGY);
    if (client.isMaster) {
      // A master has decided already what its stream says.
      this.limit = 0;
      return;
    }
    if (this.#isLimited && !this.isApproximate) throw new ReplyError(LIMIT_OF_EXACT);
    if (this.isApproximate && !this.#isLimited) {
      const limit = 100 * server.keyspace.limits.streamNodeMaxEntries;
      this.limit = limit === 0 ? DEFAULT_LIMIT : Math.min(limit, DEFAULT_LIMIT_MAX);
    }
  }

  /**
   * Takes the memory for what `run` has to tell when the stream has got `added` entries more.
   * @throws RangeError when there is none
   */
  reserve(call: Call, stream: Stream | null, added: number): void {
    if (!this.isGiven || this.policy === "keepref" || stream === null) return;
    const { maxLength, minId, limit } = this;
    const trim = {
      maxLength: maxLength === null ? null : Math.max(0, maxLength - added),
      minId,
      isApproximate: false,
      limit,
    };
    const ids = this.#idsOf(stream, trim);
    reserveFor(call, stream, ids.length + added);
    reserveRemoval(stream, ids);
  }

  /**
   * Removes what is to go; how many entries that are. What was done beyond that, or in place of it, is to be told by
   * what is returned too: `propagate` of the deletions comes behind the request's own `outcome`.
   */
  run(stream: Stream): { readonly removed: number; readonly deletions: Deletions } {
    const deletions = new Deletions(stream);
    if (this.policy === "keepref") return { removed: stream.trim(this), deletions };
    const ids = this.#idsOf(stream, this);
    const isAcked = this.policy === "acked";
    for (const id of ids) {
      if (isAcked) deletions.deleteEntry(id);
      else deletions.removeReferences(id);
    }
    return { removed: isAcked ? ids.length : stream.trim(this), deletions };
  }

  #idsOf(stream: Stream, trim: Trim): StreamId[] {
    const isAcked = this.policy === "acked";
    return stream.entriesToTrim(trim, (id) => !isAcked || !isReferenced(stream, id));
  }

  /** Whether the stream of writes is to have another form of the request. */
  get isRewritten(): boolean {
    return this.isApproximate || this.policyWord > 0;
  }

  /**
   * The words behind the command's as they enter the stream of writes. How far an approximate trim has gone depends on
   * nodes and limits, so that the outcome is said; of references older servers know nothing, so that these words are
   * left out, and with ACKED, which passes entries over, all words of the trim.
   */
  outcome(stream: Stream): (index: number) => StreamPart | null {
    const threshold = this.maxLength !== null ? stream.length : idBytes(firstIdOf(stream));
    return (index) => {
      if (index === this.policyWord && index > 0) return null;
      if (this.policy === "acked" && this.#isOfTrim(index)) return null;
      if (this.isApproximate && index === this.thresholdWord - 1) return "=";
      if (this.isApproximate && index === this.thresholdWord) return threshold;
      return wordAt(index);
    };
  }

  #isOfTrim(index: number): boolean {
    const isOfStrategy = this.#strategyWord > 0 && index >= this.#strategyWord &&
      index <= this.thresholdWord;
    const isOfLimit = this.#limitWord > 0 && index >= this.#limitWord &&
      index <= this.#limitWord + 1;
    return isOfStrategy || isOfLimit;
  }
}

/** The words of a request behind the first, as `word` gives them. */
export function partsOf(
  { words }: Call,
  word: (index: number) => StreamPart | null,
): StreamPart[] {
  const parts: StreamPart[] = [];
  for (let i = 1; i < words.count; i++) {
    const part = word(i);
    if (part !== null) parts.push(part);
  }
  return parts;
}

/** Id of the first entry, tombstones included; the greatest id when there is none. */
function firstIdOf(stream: Stream): StreamId {
  const cursor = new StreamCursor(stream);
  if (stream.nodeCount === 0) return StreamId.greatest();
  cursor.open(stream.node(0));
  return cursor.first() ? cursor.id : StreamId.greatest();
}

const options = new TrimOptions();

/**
 * `XTRIM key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]`: how many entries were
 * removed.
 *
 * With "~" only whole nodes go, and, unless LIMIT says otherwise, no more than a hundred nodes' entries
 * at a time.
 *
 * @see {@link https://redis.io/docs/latest/commands/xtrim/}
 */
export const xtrim = defineCommand({
  name: "xtrim",
  group: "stream",
  since: "5.0.0",
  history: [["6.2.0", "`MINID` and `LIMIT`"], ["8.2.0", "`KEEPREF`, `DELREF` and `ACKED`"]],
  summary: "Removes the first entries of a stream",
  complexity: "O(N), N being the entries removed, which mostly go by whole nodes",
  arity: -4,
  flags: ["write"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RW delete")],
  args: `
    key
    trim:(
      strategy:(MAXLEN | MINID@6.2.0) [operator:(equal:"=" | approximately:"~")] threshold
      [LIMIT count:integer@6.2.0]
      [condition:(KEEPREF | DELREF | ACKED)@8.2.0]
    )
  `,
  run: runXtrim,
});

function runXtrim(call: Call): void {
  const { words, reply, database } = call;
  const { bytes, starts, lengths } = words;
  options.clear();
  for (let at = 2; at < words.count;) {
    const count = options.read(call, at);
    if (count === 0) throw new ReplyError(SYNTAX_ERROR);
    at += count;
  }
  options.finish(call, true);
  const stream = view.openWrite(database, bytes, starts[1], lengths[1]);
  if (stream === null) return reply.integer(0);
  options.reserve(call, stream, 0);
  view.beforeWrite();
  const { removed, deletions } = options.run(stream);
  if (removed > 0) {
    view.settle();
    database.changed(bytes, starts[1], lengths[1], EVENT_STREAM, "xtrim", removed);
    if (options.isRewritten && call.isPropagating) {
      if (options.policy !== "acked") {
        call.propagateAs("XTRIM", ...partsOf(call, options.outcome(stream)));
      }
      deletions.propagate(call);
    }
  }
  reply.integer(removed);
}
