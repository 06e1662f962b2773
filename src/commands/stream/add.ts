/** XADD and XDEL: entries come and go. */

import { EVENT_STREAM } from "../../base/event_classes.ts";
import { quoted } from "../../base/printable.ts";
import type { Call } from "../../dispatch/call.ts";
import type { Client } from "../../dispatch/client.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { noted, oneKey } from "../../dispatch/key_specs.ts";
import { streamView as view } from "../../keyspace/stream.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import { Stream, STREAM_NODE_BYTES_MAX } from "../../values/stream/stream.ts";
import { StreamId } from "../../values/stream/stream_id.ts";
import { entryBytes } from "../../values/stream/stream_node.ts";
import { idBytes, replyId } from "./entry_reply.ts";
import { ID_INVALID, ID_WITHOUT_SEQUENCE, INVALID_ID, parseId, readIds } from "./ids.ts";
import type { Deletions } from "./references.ts";
import { partsOf, TrimOptions } from "./trim.ts";

const ZERO_ID = "ERR The ID specified in XADD must be greater than 0-0";
const NO_MORE_IDS = "ERR The stream has exhausted the last possible ID, unable to add more items";
const ID_TOO_LOW =
  "ERR The ID specified in XADD is equal or smaller than the target stream top item";
const PRODUCERS_REFUSED =
  "ERR ids of idempotent producers (IDMP) have no place here, see replica-accept-lossy-sync";
const TOO_LARGE = "ERR Elements are too large to be stored";

const ASTERISK = 0x2a;
const MAY_OMIT_SEQUENCE = { mayOmitSequence: true };

/** How an entry gets its id. */
const ID_GIVEN = 0;
const ID_OF_TIME = 1;
const ID_OF_SEQUENCE = 2;

const trim = new TrimOptions();
const id = new StreamId();
let idForm = ID_OF_TIME;
let makesStream = true;

/**
 * `XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field
 * value [field value ...]`: the entry's id; null with NOMKSTREAM when there is no stream. Enters the stream of
 * writes with that id, and with how far it has been trimmed.
 *
 * Errors: an id that is not above the last one; more than a gigabyte.
 *
 * @see {@link https://redis.io/docs/latest/commands/xadd/}
 */
export const xadd = defineCommand({
  name: "xadd",
  group: "stream",
  since: "5.0.0",
  history: [
    ["6.2.0", "`NOMKSTREAM`, `MINID` and `LIMIT`"],
    ["7.0.0", "ids of the form `<ms>-*`"],
    ["8.2.0", "`KEEPREF`, `DELREF` and `ACKED`"],
  ],
  summary: "Adds an entry to a stream, which is made if missing",
  complexity: "O(1) without trimming, else O(N), N being the entries removed",
  arity: -5,
  flags: ["write", "denyoom", "fast"],
  tips: ["nondeterministic_output"],
  keys: [
    noted(
      "Trimming may remove entries, so that more than an insertion happens",
      oneKey("RW update"),
    ),
  ],
  args: `
    key
    [NOMKSTREAM@6.2.0]
    [condition:(KEEPREF | DELREF | ACKED)@8.2.0]
    [trim:(
      strategy:(MAXLEN | MINID@6.2.0) [operator:(equal:"=" | approximately:"~")] threshold
      [LIMIT count:integer@6.2.0]
    )]
    id_or_auto:(auto_id:"*" | id)
    field_value:(field value)...
  `,
  run: runXadd,
});

function runXadd(call: Call): void {
  const { words, reply, database } = call;
  const { bytes, starts, lengths } = words;
  const idWord = readOptions(call);
  const first = idWord + 1;
  const pairs = (words.count - first) / 2;
  if (pairs < 1 || !Number.isInteger(pairs)) throw call.arityError();
  if (idForm === ID_GIVEN && id.isZero) return reply.error(ZERO_ID);

  let stream = view.openWrite(database, bytes, starts[1], lengths[1]);
  if (stream === null && !makesStream) return reply.null();
  const isNew = stream === null;
  chooseId(stream, call.nowMs);
  if (entryBytes(words, first, pairs) > STREAM_NODE_BYTES_MAX) return reply.error(TOO_LARGE);
  const { limits } = database.keyspace;
  trim.reserve(call, stream, 1);
  if (stream === null) {
    stream = new Stream();
    stream.append(id, words, first, pairs, limits);
    view.create(database, bytes, starts[1], lengths[1], stream);
  } else {
    view.beforeWrite();
    if (trim.isGiven) stream.reserveTrim(trim, 1);
    stream.append(id, words, first, pairs, limits);
  }
  replyId(reply, id);
  database.changed(bytes, starts[1], lengths[1], EVENT_STREAM, "xadd");
  let deletions: Deletions | null = null;
  if (trim.isGiven) {
    const trimmed = trim.run(stream);
    deletions = trimmed.deletions;
    if (trimmed.removed > 0) {
      database.changed(bytes, starts[1], lengths[1], EVENT_STREAM, "xtrim", 0);
    }
  }
  view.settle();
  if (idForm !== ID_GIVEN || trim.isRewritten) propagate(call, stream, idWord);
  deletions?.propagate(call);
  if (!isNew) database.signalReady(bytes, starts[1], lengths[1]);
}

/** Reads what stands before the fields; the word of the id. Throws a ReplyError. */
function readOptions(call: Call): number {
  const { words } = call;
  const { bytes, starts, lengths } = words;
  trim.clear();
  makesStream = true;
  for (let at = 2; at < words.count;) {
    if (lengths[at] === 1 && bytes[starts[at]] === ASTERISK) {
      idForm = ID_OF_TIME;
      trim.finish(call, false);
      return at;
    }
    const count = trim.read(call, at) || producerWords(call, at);
    if (count > 0) at += count;
    else if (words.is(at, "nomkstream")) {
      makesStream = false;
      at++;
    } else {
      const found = parseId(bytes, starts[at], lengths[at], id, MAY_OMIT_SEQUENCE);
      if (found === ID_INVALID) throw new ReplyError(INVALID_ID);
      idForm = found === ID_WITHOUT_SEQUENCE ? ID_OF_SEQUENCE : ID_GIVEN;
      trim.finish(call, false);
      return at;
    }
  }
  trim.finish(call, false);
  throw call.arityError();
}

/** Masters, and append-only files, of which the log tells already that what they say of producers is lost. */
const told = new WeakSet<Client>();

/**
 * How many words at `at` say which producer adds the entry, and by which id of its own: IDMP or IDMPAUTO of Redis 8.6,
 * whose masters have decided already whether it is new. There is no place for it here, so the entry is taken without
 * where that is allowed, as in a snapshot, and by an append-only file, where it stands because it was.
 * @throws ReplyError where it is not
 */
function producerWords(call: Call, at: number): number {
  const { words, client, server } = call;
  if (!client.isMaster) return 0;
  const count = words.is(at, "idmp") ? 3 : words.is(at, "idmpauto") ? 2 : 0;
  if (count === 0 || at + count >= words.count) return 0;
  const { config, log } = server;
  const mayLose = !client.isLinked || config.value("replica-accept-lossy-sync") ||
    config.value("rdb-skip-unknown-modules");
  if (!mayLose) throw new ReplyError(PRODUCERS_REFUSED);
  if (!told.has(client)) {
    told.add(client);
    log.warning(
      "XADD says by which producer entries are added (IDMP), which has no place here: they are taken without, " +
        `the first of them to the key ${quoted(words.text(1))} (database ${call.database.index})`,
    );
  }
  return count;
}

/** Sets `id` to that of the entry. Throws a ReplyError when the stream has one as high. */
function chooseId(stream: Stream | null, nowMs: number): void {
  const last = stream === null ? NO_ID : stream.lastId;
  if (last.isGreatest) throw new ReplyError(NO_MORE_IDS);
  if (idForm === ID_OF_TIME) id.setNext(last, nowMs);
  else if (idForm === ID_OF_SEQUENCE && id.msLow === last.msLow && id.msHigh === last.msHigh) {
    id.copy(last).increment();
    // The sequence went over, so that these milliseconds have no id left.
    if (id.seqHigh === 0 && id.seqLow === 0) throw new ReplyError(ID_TOO_LOW);
  }
  if (id.compare(last) <= 0) throw new ReplyError(ID_TOO_LOW);
}

const NO_ID = new StreamId();

/** Says what became of the id and of the trimming. */
function propagate(call: Call, stream: Stream, idWord: number): void {
  if (!call.isPropagating) return;
  const word = trim.outcome(stream);
  const parts = partsOf(call, (index) => index === idWord ? idBytes(id) : word(index));
  call.propagateAs("XADD", ...parts);
}

/**
 * `XDEL key id [id ...]`: how many entries were deleted.
 *
 * @see {@link https://redis.io/docs/latest/commands/xdel/}
 */
export const xdel = defineCommand({
  name: "xdel",
  group: "stream",
  since: "5.0.0",
  summary: "Deletes entries of a stream",
  complexity: "O(1) per entry, whatever the size of the stream",
  arity: -3,
  flags: ["write", "fast"],
  keys: [oneKey("RW delete")],
  args: "key id...",
  run: runXdel,
});

function runXdel(call: Call): void {
  const { words, reply, database } = call;
  const { bytes, starts, lengths } = words;
  const stream = view.openWrite(database, bytes, starts[1], lengths[1]);
  if (stream === null) return reply.integer(0);
  const ids = readIds(words, 2);
  view.beforeWrite();
  stream.reserveDelete(ids);
  let deleted = 0;
  for (const each of ids) if (stream.delete(each)) deleted++;
  if (deleted > 0) {
    view.settle();
    database.changed(bytes, starts[1], lengths[1], EVENT_STREAM, "xdel", deleted);
  }
  reply.integer(deleted);
}
