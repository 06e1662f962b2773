/**
 * What is told of a client: its line in CLIENT LIST, CLIENT INFO and the log, and its class. A part of
 * client.ts, which gives both to others; off the hot path.
 */

import type { Client } from "./client.ts";

/** What limits and filters tell clients apart by. */
export type ClientClass = "normal" | "master" | "replica" | "pubsub";

/** The class of a client. A monitor is a normal client. */
export function classOf(client: Client): ClientClass {
  if (client.isMaster) return "master";
  if (client.isReplica) return "replica";
  return client.isSubscriber ? "pubsub" : "normal";
}

/**
 * The client as one line of latin1 text without its end, fields and order as in Redis 7.2:
 *
 *     id=3 addr=127.0.0.1:35792 laddr=127.0.0.1:6379 fd=8 name= age=0 idle=0 flags=N db=0 …
 *
 * Memory fields, in bytes: `qbuf` input not answered yet, `qbuf-free` room for more in that buffer,
 * `argv-mem` words of the present request (of one that has not come completely, those that have),
 * `multi-mem` words of queued commands, `rbs` the chunk of output being filled, `rbp` what is full in
 * it, `obl` likewise, `oll` and `omem` number and size of full chunks before it. `fd` counts
 * connections: the runtime does not tell the descriptor.
 */
export function infoLine(client: Client, steadyMs: number): string {
  const { transport, reply, parser } = client;
  const inputBytes = parser?.unparsedBytes ?? 0;
  const wordBytes = (parser?.wordBytes ?? 0) + (client.paused?.bytes.length ?? 0);
  const freeBytes = parser?.freeBytes ?? 0;
  const fullBytes = reply.heldBytes - reply.bytes.length;
  const redirect = redirectOf(client);
  return `id=${client.id} addr=${transport.address} laddr=${transport.localAddress} ` +
    `fd=${transport.descriptor} name=${client.name} ` +
    `age=${seconds(steadyMs - client.createdMs)} ` +
    `idle=${seconds(steadyMs - client.lastInteractionMs)} ` +
    `flags=${flagsOf(client)} db=${client.database.index} ` +
    `sub=${client.channelCount} psub=${client.patternCount} ssub=${client.shardChannelCount} ` +
    `multi=${client.isInMulti ? client.queue?.count ?? 0 : -1} ` +
    `qbuf=${inputBytes} qbuf-free=${freeBytes} ` +
    `argv-mem=${wordBytes} multi-mem=${client.queue?.wordBytes ?? 0} ` +
    `rbs=${reply.bytes.length} rbp=${reply.length} obl=${reply.length} ` +
    `oll=${reply.fullChunks} omem=${fullBytes} tot-mem=${client.memoryBytes} ` +
    `events=${transport.isWriting ? "rw" : "r"} ` +
    `cmd=${client.lastCommand?.fullName ?? "NULL"} user=${
      client.user?.name ?? "(superuser)"
    } redir=${redirect} ` +
    `resp=${reply.resp} lib-name=${client.libraryName} lib-ver=${client.libraryVersion}`;
}

/** Who is sent what tracking tells this client: 0 itself, -1 nobody. */
export function redirectOf({ tracker }: Client): number {
  return tracker?.isOn ? tracker.options.redirectId : -1;
}

function seconds(ms: number): number {
  return Math.max(0, Math.floor(ms / 1000));
}

/** One letter for each state, "N" for none. */
function flagsOf(client: Client): string {
  let flags = "";
  if (client.isMonitor) flags += "O";
  else if (client.isReplica) flags += "S";
  if (client.isMaster) flags += "M";
  if (client.isSubscriber) flags += "P";
  if (client.isInMulti) flags += "x";
  if (client.park !== null) flags += "b";
  if (client.tracker?.isOn) flags += "t";
  if (client.tracker?.isRedirectBroken) flags += "R";
  if (client.tracker?.options.isBroadcast) flags += "B";
  if (client.isDirty) flags += "d";
  if (client.isClosing) flags += "c";
  if (client.isUnixSocket) flags += "U";
  if (client.noEvict) flags += "e";
  if (client.noTouch) flags += "T";
  return flags === "" ? "N" : flags;
}
