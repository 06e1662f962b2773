/** WAIT and WAITAOF: a client that wants to know that its writes have come to replicas, or to disks. */

import type { Call } from "../../dispatch/call.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import { readTimeoutMs } from "../timeout.ts";
import { defineCommand } from "../../dispatch/command.ts";

const NOT_ON_REPLICA =
  "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica " +
  "is configured to be writable (which is not the default) writes to replicas are just local and are " +
  "not propagated.";

const NO_FILE_HERE = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
const SYNCED_NOT_ON_REPLICA =
  "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just " +
  "local and are not propagated.";

/**
 * `WAIT numreplicas timeout-ms`. Answers how many replicas have acknowledged everything that this
 * client has written, as soon as there are enough or when the time is over; 0 waits for ever. Within a
 * transaction it does not wait.
 *
 * Errors: on a replica; a count or timeout that is no integer; a timeout that is negative or beyond
 * 64 bits.
 *
 * @see {@link https://redis.io/docs/latest/commands/wait/}
 */
export const wait = defineCommand({
  name: "wait",
  group: "generic",
  since: "3.0.0",
  summary: "Waits until replicas have acknowledged what the connection has written",
  complexity: "O(1)",
  arity: 3,
  acl: ["connection"],
  tips: ["request_policy:all_shards", "response_policy:agg_min"],
  args: "numreplicas:integer timeout:integer",
  run: runWait,
});

function runWait(call: Call): void {
  const { server, client } = call;
  const { replication, dispatcher } = server;
  if (replication.isReplica) throw new ReplyError(NOT_ON_REPLICA);
  const wanted = call.clampedInteger(1);
  const timeoutMs = readTimeoutMs(call, 2);
  const { writeOffset } = client;
  const count = () => replication.master.acknowledgedCount(writeOffset);
  dispatcher.acknowledgementWaits.await(call, {
    isReached: () => count() >= wanted,
    reply: (_server, reply) => reply.integer(count()),
  }, timeoutMs);
}

/**
 * `WAITAOF numlocal numreplicas timeout-ms`. As WAIT, until everything that this client has written is
 * on the disk: with numlocal 1 in the append-only file here, and in those of so many replicas. Answers
 * with both numbers.
 *
 * Errors: on a replica; numlocal that is not 0 or 1, or is 1 with `appendonly no`; as WAIT.
 *
 * @see {@link https://redis.io/docs/latest/commands/waitaof/}
 */
export const waitaof = defineCommand({
  name: "waitaof",
  group: "generic",
  since: "7.2.0",
  summary: "Waits until what the connection has written is in append-only files on disk",
  complexity: "O(1)",
  arity: 4,
  flags: ["blocking"],
  acl: ["connection"],
  tips: ["request_policy:all_shards", "response_policy:agg_min"],
  args: "numlocal:integer numreplicas:integer timeout:integer",
  run: runWaitaof,
});

function runWaitaof(call: Call): void {
  const { server, client } = call;
  const { replication, dispatcher, aof, config } = server;
  const wantedHere = call.clampedInteger(1);
  if (wantedHere < 0 || wantedHere > 1) {
    throw new ReplyError("ERR value is out of range, must be between 0 and 1");
  }
  const wanted = call.clampedInteger(2);
  if (wanted < 0) throw new ReplyError("ERR value is out of range, must be positive");
  const timeoutMs = readTimeoutMs(call, 3);
  if (replication.isReplica) throw new ReplyError(SYNCED_NOT_ON_REPLICA);
  if (wantedHere > 0 && !config.value("appendonly")) throw new ReplyError(NO_FILE_HERE);
  const { writeOffset, appliedOffset } = client;
  const here = () => aof.hasSynced(appliedOffset) ? 1 : 0;
  const there = () => replication.master.syncedCount(writeOffset);
  dispatcher.acknowledgementWaits.await(call, {
    isReached: () => here() >= wantedHere && there() >= wanted,
    reply(_server, reply) {
      reply.array(2);
      reply.integer(here());
      reply.integer(there());
    },
    refusal: () => wantedHere > 0 && !aof.isOn ? NO_FILE_HERE : null,
  }, timeoutMs);
}
