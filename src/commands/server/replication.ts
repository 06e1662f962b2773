/** Commands about the part that a server plays in replication. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../command.ts";

const NOT_A_REPLICA = "ERR this version of tsredis cannot replicate from a master";

/**
 * `REPLICAOF host port | NO ONE`.
 *
 * Errors: an invalid port; a master, which this server cannot have.
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
  const { words, reply } = call;
  if (words.is(1, "no") && words.is(2, "one")) return reply.ok();
  const port = call.integer(2, "ERR Invalid master port");
  if (port < 0 || port > 65535) return reply.error("ERR Invalid master port");
  reply.error(NOT_A_REPLICA);
}

/**
 * `ROLE`: "master", the replication offset, the replicas.
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
  reply.array(3);
  reply.bulkText("master");
  reply.integer(server.keyspace.stream.offset);
  reply.array(0);
}
