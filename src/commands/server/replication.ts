/** Commands about the part that a server plays in replication. */

import type { Call } from "../../dispatch/call.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { writeHelp } from "../help.ts";

/**
 * `REPLICAOF host port | NO ONE`. The master is sought after the reply. Naming the present master again
 * changes nothing, unless its empty dataset has been refused: then it is accepted from now on; or its
 * dataset could not be taken over: then that is tried again at once.
 *
 * Errors: an invalid port; a FAILOVER is under way.
 *
 * @see {@link https://redis.io/docs/latest/commands/replicaof/}
 */
export const replicaof = defineCommand({
  name: "replicaof",
  group: "server",
  since: "5.0.0",
  summary: "Makes the server a replica of another one, or a master again",
  complexity: "O(1)",
  arity: 3,
  flags: ["admin", "noscript", "stale", "no_async_loading"],
  args: "args:(host-port:(host port:integer) | no-one:(NO ONE))",
  run: runReplicaof,
});

/** `SLAVEOF`, the older name of REPLICAOF. */
export const slaveof = defineCommand({
  name: "slaveof",
  group: "server",
  since: "1.0.0",
  summary: "Does what REPLICAOF does, under its older name",
  complexity: "O(1)",
  arity: 3,
  flags: ["admin", "noscript", "stale", "no_async_loading"],
  args: "args:(host-port:(host port:integer) | no-one:(NO ONE))",
  deprecated: { since: "5.0.0", use: "`REPLICAOF`" },
  run: runReplicaof,
});

function runReplicaof(call: Call): void {
  const { words, reply, server, client } = call;
  const { replica, failover } = server.replication;
  if (failover.isUnderWay) throw new ReplyError("ERR REPLICAOF not allowed while failing over.");
  if (words.is(1, "no") && words.is(2, "one")) {
    if (replica.masterHost !== null) {
      replica.stop();
      server.log.notice(
        `MASTER MODE enabled (user request from '${client.info(server.keyspace.steadyMs)}')`,
      );
    }
    return reply.ok();
  }
  if (client.isReplica) return reply.error("ERR Command is not valid when client is a replica.");
  const port = call.integer(2, "ERR Invalid master port");
  if (port < 0 || port > 65535) return reply.error("ERR Invalid master port");
  const host = words.text(1);
  const isSame = replica.masterHost?.toLowerCase() === host.toLowerCase() &&
    replica.masterPort === port;
  if (isSame && !replica.isGuarded && !replica.isPuttingOff) {
    server.log.notice(
      "REPLICAOF would result into synchronization with the master we are already connected with. " +
        "No operation performed.",
    );
    return reply.status("OK Already connected to specified master");
  }
  replica.follow(host, port);
  server.log.notice(
    `REPLICAOF ${host}:${port} enabled (user request from '${
      client.info(server.keyspace.steadyMs)
    }')`,
  );
  reply.ok();
}

/**
 * `ROLE`: of a master "master", the replication offset, and ip, port and offset of each replica; of a
 * replica "slave", host and port of its master, the state of the link ("connect", "connecting",
 * "handshake", "sync", "connected", "diverged": a command of the master has failed here, or "guarded": see
 * `replica-guard-empty-master`), and the offset of what has been applied, -1 while the link is not up.
 *
 * @see {@link https://redis.io/docs/latest/commands/role/}
 */
export const role = defineCommand({
  name: "role",
  group: "server",
  since: "2.8.12",
  summary: "Tells the server's part in replication",
  complexity: "O(1)",
  arity: 1,
  flags: ["noscript", "loading", "stale", "fast"],
  acl: ["admin", "dangerous"],
  run: runRole,
});

function runRole({ server, reply }: Call): void {
  const { master, replica, offset } = server.replication;
  if (replica.masterHost !== null) {
    reply.array(5);
    reply.bulkText("slave");
    reply.bulkText(replica.masterHost);
    reply.integer(replica.masterPort);
    reply.bulkText(replica.state);
    reply.integer(replica.roleOffset);
    return;
  }
  const online = master.onlineReplicas();
  reply.array(3);
  reply.bulkText("master");
  reply.integer(offset);
  reply.array(online.length);
  for (const { ip, port, ackOffset } of online) {
    reply.array(3);
    reply.bulkText(ip);
    reply.bulkInteger(port);
    reply.bulkInteger(ackOffset);
  }
}

/**
 * `REPLICATION LOG [count]`: what has happened to the links of replication, the latest first: 10
 * events, or `count`, or with -1 all that are kept. Of each a map: `id` counts up; `time` is Unix time
 * in ms, of the latest where the same has happened `count` times in a row; `side` is "replica" for the
 * link to our master, "master" for that of a replica of ours, "self" for our own role; `peer` is the
 * other end; `event` is a word; `detail` says why, or how far something has come.
 *
 * Only tsredis has this command.
 */
export const replicationLog = defineCommand({
  name: "replication|log",
  group: "server",
  since: "7.2.0",
  summary: "Tells what has happened to the links of replication, and why",
  complexity: "O(N), N events",
  arity: -2,
  flags: ["admin", "noscript", "loading", "stale"],
  args: "[count:integer]",
  run: runReplicationLog,
});

const LOG_COUNT = 10;

function runReplicationLog(call: Call): void {
  const { words, reply, server } = call;
  if (words.count > 3) throw new ReplyError(SYNTAX_ERROR);
  const count = words.count < 3 ? LOG_COUNT : call.integer(2);
  if (count < -1) throw new ReplyError("ERR count should be greater than or equal to -1");
  const events = server.replication.events.latest(count < 0 ? Infinity : count);
  reply.array(events.length);
  for (const { id, timeMs, side, peer, event, detail, count: times } of events) {
    reply.map(7);
    reply.bulkText("id");
    reply.integer(id);
    reply.bulkText("time");
    reply.integer(timeMs);
    reply.bulkText("side");
    reply.bulkText(side);
    reply.bulkText("peer");
    reply.bulkText(peer);
    reply.bulkText("event");
    reply.bulkText(event);
    reply.bulkText("detail");
    reply.bulkText(detail);
    reply.bulkText("count");
    reply.integer(times);
  }
}

/** `REPLICATION HELP`. */
export const replicationHelp = defineCommand({
  name: "replication|help",
  group: "server",
  since: "7.2.0",
  summary: "Lists the subcommands",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: (call) =>
    writeHelp(call, [
      [
        "LOG [<count>]",
        "What has happened to the links of replication, the latest first: <count> events",
        "(default 10; -1 for all that are kept).",
      ],
    ]),
});

/** `REPLICATION`, the container. */
export const replication = defineCommand({
  name: "replication",
  group: "server",
  since: "7.2.0",
  summary: "A container for commands about the links of replication",
  complexity: "Depends on the subcommand",
  arity: -2,
  flags: [],
  subcommands: [replicationLog, replicationHelp],
});
