/** What clients of a cluster say about a connection: ASKING, READONLY, READWRITE. */

import { defineCommand } from "../../dispatch/command.ts";
import { refuseWithoutCluster } from "./disabled.ts";

/**
 * `ASKING`: refused, there is no cluster mode.
 *
 * @see {@link https://redis.io/docs/latest/commands/asking/}
 */
export const asking = defineCommand({
  name: "asking",
  group: "cluster",
  since: "3.0.0",
  summary: "Would let the next command follow a slot that is being moved",
  complexity: "O(1)",
  arity: 1,
  flags: ["fast"],
  acl: ["connection"],
  run: refuseWithoutCluster,
});

/**
 * `READONLY`: refused, there is no cluster mode.
 *
 * @see {@link https://redis.io/docs/latest/commands/readonly/}
 */
export const readonly = defineCommand({
  name: "readonly",
  group: "cluster",
  since: "3.0.0",
  summary: "Would let this connection read from a replica of the cluster",
  complexity: "O(1)",
  arity: 1,
  flags: ["fast", "loading", "stale"],
  acl: ["connection"],
  run: refuseWithoutCluster,
});

/**
 * `READWRITE`: refused, there is no cluster mode.
 *
 * @see {@link https://redis.io/docs/latest/commands/readwrite/}
 */
export const readwrite = defineCommand({
  name: "readwrite",
  group: "cluster",
  since: "3.0.0",
  summary: "Would end what READONLY began",
  complexity: "O(1)",
  arity: 1,
  flags: ["fast", "loading", "stale"],
  acl: ["connection"],
  run: refuseWithoutCluster,
});
