/** What replicas say to their master: the handshake, the request for the dataset, acknowledgements. */

import { toLatin1 } from "../../base/bytes.ts";
import { parseInteger } from "../../base/integers.ts";
import { splitWords } from "../../config/parse.ts";
import type { Call } from "../../dispatch/call.ts";
import { serverVersion } from "../../replication/bridge/target.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { EARLY_PSYNC_CAPA } from "../../replication/handshake.ts";

/** Longest address that a replica may announce. */
const ADDRESS_MAX = 255;

/**
 * `PSYNC replication-id offset`. The stream of writes from byte number `offset` on, if that is here
 * still and of the same history; else the whole dataset first. `PSYNC ? -1` asks for that.
 *
 * Errors: we follow a master and have no link to it; an offset that is no number; replies that have
 * not been read yet.
 *
 * @see {@link https://redis.io/docs/latest/commands/psync/}
 */
export const psync = defineCommand({
  name: "psync",
  group: "server",
  since: "2.8.0",
  summary: "Makes the connection a replica's link, from an offset on if possible",
  complexity: "O(N) in the background for a whole dataset of N keys, O(1) otherwise",
  arity: -3,
  flags: ["admin", "noscript", "no_async_loading", "no_multi"],
  args: "replicationid offset:integer",
  run: runPsync,
});

function runPsync(call: Call): void {
  const { words, server, client } = call;
  if (client.isReplica || client.isMonitor) return;
  if (words.count > 3 && words.is(3, "failover")) {
    takeOver(call);
  }
  const wanted = parseInteger(words.bytes, words.starts[2], words.lengths[2]);
  refuse(call, server.replication.master.psync(client, words.text(1), wanted));
}

/** `PSYNC id offset FAILOVER`: our master hands its role over to us, and follows us from now on. */
function takeOver({ server, words, client }: Call): void {
  const { replication, log } = server;
  const id = words.text(1);
  log.notice(`Failover request received for replid ${id}.`);
  if (!replication.isReplica) {
    throw new ReplyError("ERR PSYNC FAILOVER can't be sent to a master.");
  }
  if (id.toLowerCase() !== replication.ids.id) {
    throw new ReplyError("ERR PSYNC FAILOVER replid must match my replid.");
  }
  replication.replica.stop();
  log.notice(
    `MASTER MODE enabled (failover request from '${client.info(server.keyspace.steadyMs)}')`,
  );
}

/**
 * `SYNC`: the whole dataset, then the stream of writes; without a line that tells id and offset. For
 * Redis before 2.8, and for redis-cli.
 *
 * @see {@link https://redis.io/docs/latest/commands/sync/}
 */
export const sync = defineCommand({
  name: "sync",
  group: "server",
  since: "1.0.0",
  summary: "Makes the connection the link of an old replica, with the whole dataset",
  complexity: "O(N) in the background for a dataset of N keys",
  arity: 1,
  flags: ["admin", "noscript", "no_async_loading", "no_multi"],
  run: runSync,
});

function runSync(call: Call): void {
  const { server, client } = call;
  if (client.isReplica || client.isMonitor) return;
  refuse(call, server.replication.master.psync(client, null, 0));
}

function refuse(call: Call, errorText: string | null): void {
  if (errorText !== null) call.reply.error(errorText);
}

/**
 * `REPLCONF option value …`: what a replica tells of itself before PSYNC (listening-port, ip-address,
 * capa, version, rdb-only, rdb-filter-only), ACK with the offset that it has come to, without a reply, and
 * GETACK of our master, answered by an ACK.
 *
 * @see {@link https://redis.io/docs/latest/commands/replconf/}
 */
export const replconf = defineCommand({
  name: "replconf",
  group: "server",
  since: "3.0.0",
  summary: "Sets up and keeps up the link between replica and master",
  complexity: "O(1)",
  arity: -1,
  flags: ["admin", "noscript", "loading", "stale", "allow_busy"],
  internal: true,
  run: runReplconf,
});

function runReplconf(call: Call): void {
  const { words, server, client, reply } = call;
  const { master, replica: ours, isReplica } = server.replication;
  if (words.count % 2 === 0) throw new ReplyError(SYNTAX_ERROR);
  let saysEarlyPsync = false;
  for (let i = 1; i < words.count; i += 2) {
    if (words.is(i, "ack")) {
      const offset = integerOr(call, i + 1, NaN);
      if (Number.isNaN(offset)) return;
      const hasSynced = words.count > i + 3 && words.is(i + 2, "fack");
      master.acknowledge(client, offset, hasSynced ? integerOr(call, i + 3, NaN) : NaN);
      return;
    }
    if (words.is(i, "getack")) {
      if (isReplica) ours.sendAck();
      return;
    }
    const state = master.stateOf(client);
    if (words.is(i, "listening-port")) state.listeningPort = call.integer(i + 1);
    else if (words.is(i, "ip-address")) {
      const address = words.text(i + 1);
      if (address.length > ADDRESS_MAX) {
        throw new ReplyError(
          `ERR REPLCONF ip-address provided by replica instance is too long: ${address.length} bytes`,
        );
      }
      state.announcedAddress = address;
    } else if (words.is(i, "capa")) {
      // Others are of later versions: ignored.
      if (words.is(i + 1, "eof")) state.hasCapaEof = true;
      else if (words.is(i + 1, "psync2")) state.hasCapaPsync2 = true;
      else if (words.is(i + 1, EARLY_PSYNC_CAPA)) saysEarlyPsync = state.hasCapaEarlyPsync = true;
      else {
        const version = /^rdb-(\d{1,3})$/.exec(words.text(i + 1));
        if (version !== null) state.readsRdb = Number(version[1]);
      }
    } else if (words.is(i, "version")) {
      const text = words.text(i + 1);
      // As Valkey, the only one to tell it, takes it.
      if (!/^\d{1,3}\.\d{1,2}\.\d{1,2}$/.test(text)) {
        throw new ReplyError(`ERR Unrecognized version format: ${text}`);
      }
      state.valkeyVersion = serverVersion(text);
    } else if (words.is(i, "rdb-only")) {
      const value = call.integer(i + 1);
      if (value !== 0 && value !== 1) {
        throw new ReplyError("ERR value is out of range, value must between 0 and 1");
      }
      state.isRdbOnly = value === 1;
    } else if (words.is(i, "rdb-filter-only")) {
      const filters = splitWords(words.copy(i + 1));
      if (filters === null) throw new ReplyError("ERR Missing rdb-filter-only values");
      state.excludesData = state.excludesFunctions = true;
      for (const filter of filters) {
        const name = toLatin1(filter);
        if (name.toLowerCase() !== "functions") {
          throw new ReplyError(`ERR Unsupported rdb-filter-only option: ${name}`);
        }
        state.excludesFunctions = false;
      }
    } else {
      throw new ReplyError(`ERR Unrecognized REPLCONF option: ${words.text(i)}`);
    }
  }
  // The replica remembers it for its next link.
  if (saysEarlyPsync) reply.status(`OK ${EARLY_PSYNC_CAPA}`);
  else reply.ok();
}

function integerOr(call: Call, index: number, otherwise: number): number {
  const { words } = call;
  const value = parseInteger(words.bytes, words.starts[index], words.lengths[index]);
  return value === value ? value : otherwise;
}
