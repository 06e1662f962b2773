/** UNDO: brings back what FLUSHALL, FLUSHDB, SWAPDB or a full sync has replaced. Of tsredis's own. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import {
  sealedBytes,
  type SealedDataset,
  type SealedDatasets,
  sealedKeys,
} from "../../keyspace/sealed_datasets.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import { formatBytes } from "../../observe/bytes_for_people.ts";
import { writeHelp } from "../help.ts";

/** Who has asked for something, in words for people: `127.0.0.1:4711 (user default)`, the master, or a file. */
export function askerOf({ client, server }: Call): string {
  // A script asks for its caller, and has no address of its own.
  const asker = client.caller ?? client;
  if (asker.isMaster) {
    const { isLinkUp, peer } = server.replication.replica;
    return isLinkUp ? `master ${peer}` : "the append-only file";
  }
  return `${asker.transport.address} (user ${asker.user?.name ?? "(superuser)"})`;
}

/**
 * `UNDO LIST`: what is kept, the latest first; of each a map of its `id`, what has replaced it (`cause`), `by` whom,
 * the Unix `time` in ms, `seconds-left`, and how many `keys` and `bytes` of memory in which `databases`.
 */
export const undoList = defineCommand({
  name: "undo|list",
  group: "server",
  since: "7.2.0",
  summary: "Lists the data that were replaced and can be brought back",
  complexity: "O(N), N datasets that are kept",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  run: runUndoList,
});

function runUndoList({ reply, server }: Call): void {
  const { sealed } = server.keyspace;
  reply.array(sealed.all.length);
  for (const dataset of sealed.all.toReversed()) {
    const { id, cause, by, sealedAtMs } = dataset;
    const fields: readonly [string, string | number][] = [
      ["id", id],
      ["cause", cause],
      ["by", by],
      ["time", sealedAtMs],
      ["seconds-left", Math.ceil(sealed.secondsLeft(dataset))],
      ["databases", databasesOf(dataset)],
      ["keys", sealedKeys(dataset)],
      ["bytes", sealedBytes(dataset)],
    ];
    reply.map(fields.length);
    for (const [name, value] of fields) {
      reply.bulkText(name);
      if (typeof value === "number") reply.integer(value);
      else reply.bulkText(value);
    }
  }
}

function databasesOf({ databases, swapped }: SealedDataset): string {
  return (swapped ?? databases.map(({ index }) => index)).join(",");
}

/**
 * `UNDO RESTORE id`: brings a dataset back as it was, but for what has expired since. What is there now is kept in turn.
 * After FLUSHALL and a full sync that is all databases (and of the latter the functions), after FLUSHDB the one.
 * Replicas take all of it by a full sync; SWAPDB is turned back by another one. With an append-only file the client
 * waits until that leads to it, and is answered when the datasets are exchanged; it is given up if the client leaves.
 *
 * Errors: there is no such dataset (any more); this is a replica, whose data are its master's; what is there now is more
 * than `undo-max-memory`, and would be lost.
 */
export const undoRestore = defineCommand({
  name: "undo|restore",
  group: "server",
  since: "7.2.0",
  summary: "Brings back data that were replaced; what is there now is kept in turn",
  complexity: "O(N), N databases",
  arity: 3,
  flags: ["write", "admin", "noscript", "no_multi", "no_async_loading"],
  args: "id:integer",
  run: runUndoRestore,
});

function runUndoRestore(call: Call): void {
  const { reply, server } = call;
  const { keyspace, replication, aof, persistence, log, dispatcher } = server;
  if (replication.isReplica) {
    throw new ReplyError(
      "ERR the data of a replica are its master's: UNDO there, or make this server a master " +
        "(REPLICAOF NO ONE) first",
    );
  }
  const dataset = find(call);
  const { id, cause, by, swapped } = dataset;
  const refusal = () => roomRefusal(keyspace.sealed, dataset);
  const problem = refusal();
  if (problem !== null) throw new ReplyError(problem);
  const who = askerOf(call);
  const what = `UNDO RESTORE ${id} by ${who}: brings back what ${cause} by ${by} has replaced`;
  call.preventPropagation();
  if (swapped !== null) {
    log.notice(what);
    keyspace.sealed.restore(dataset, who);
    call.propagateAs("SWAPDB", ...swapped);
    return reply.ok();
  }
  const restore = () => {
    log.notice(what);
    keyspace.sealed.restore(dataset, who);
    replication.datasetReplaced(`UNDO RESTORE ${id}`);
    persistence.datasetRestored();
  };
  if (aof.isOn && !aof.isWaiting) {
    return dispatcher.undoRestores.begin(call, { dataset, refusal, restore });
  }
  restore();
  aof.datasetReplaced();
  if (aof.isOn) {
    log.notice(
      "There is no append-only file yet, and it is begun anew: until it is there, a restart leads back to before",
    );
  }
  reply.ok();
}

/** Why what is there now could not be kept in turn; null when it can. */
function roomRefusal(sealed: SealedDatasets, dataset: SealedDataset): string | null {
  if (dataset.swapped !== null) return null;
  const bytes = sealed.bytesToReplace(dataset);
  if (bytes === 0) return null;
  if (sealed.windowMs === 0) return "ERR what is there now would be lost, as undo-window is 0 now";
  if (bytes <= sealed.bytesMax) return null;
  return `ERR what is there now (${formatBytes(bytes)}) would be lost, as it is more than ` +
    `undo-max-memory (${formatBytes(sealed.bytesMax)}): raise that first`;
}

/** `UNDO DROP id | ALL`: lets go of it now. Errors: there is no such dataset (any more). */
export const undoDrop = defineCommand({
  name: "undo|drop",
  group: "server",
  since: "7.2.0",
  summary: "Lets go of data that were replaced",
  complexity: "O(1)",
  arity: 3,
  flags: ["admin", "noscript"],
  args: "which:(id:integer | ALL)",
  run: runUndoDrop,
});

function runUndoDrop(call: Call): void {
  const { server: { keyspace: { sealed }, aof, dispatcher: { undoRestores } } } = call;
  const dropped = call.words.is(2, "all") ? sealed.all : [find(call)];
  const restored = undoRestores.dataset;
  if (restored !== null && dropped.includes(restored)) {
    if (!aof.mayGiveUpExchange) {
      throw new ReplyError(`ERR ${restored.id} is being brought back at this moment`);
    }
    undoRestores.cancel(`UNDO DROP ${call.words.text(2).toUpperCase()}`);
  }
  for (const dataset of dropped) {
    if (sealed.find(dataset.id) !== null) sealed.drop(dataset, "asked for");
  }
  call.reply.ok();
}

/** The dataset that the request names. */
function find(call: Call): SealedDataset {
  const { sealed } = call.server.keyspace;
  const dataset = sealed.find(call.integer(2));
  if (dataset !== null) return dataset;
  throw new ReplyError(
    sealed.windowMs === 0
      ? "ERR nothing is kept: undo-window is 0"
      : "ERR no such dataset, or it is not kept any more: see UNDO LIST",
  );
}

/** `UNDO HELP`. */
export const undoHelp = defineCommand({
  name: "undo|help",
  group: "server",
  since: "7.2.0",
  summary: "Lists the subcommands",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: (call) =>
    writeHelp(call, [
      ["DROP <id>|ALL", "Let go of data that were replaced."],
      [
        "LIST",
        "What FLUSHALL, FLUSHDB, SWAPDB or a full sync has replaced within undo-window",
        "seconds, the latest first.",
      ],
      ["RESTORE <id>", "Bring it back. What is there now is kept in turn."],
    ]),
});

/** `UNDO`, the container. */
export const undo = defineCommand({
  name: "undo",
  group: "server",
  since: "7.2.0",
  summary: "A container for commands about data that were replaced",
  complexity: "Depends on the subcommand",
  arity: -2,
  flags: [],
  subcommands: [undoDrop, undoHelp, undoList, undoRestore],
});
