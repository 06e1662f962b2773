/** PUBLISH and SPUBLISH: a message on its way to whoever listens; see src/pubsub/hub.ts. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { FOR_REPLICAS } from "../../propagation/write_stream.ts";

/**
 * `PUBLISH channel message`. Answers with the number of subscribers here that are sent it, those of
 * replicas not counted; one that listens to the channel by several patterns counts as several.
 *
 * Enters the stream of writes as it came, though no data change: subscribers of replicas get it too.
 *
 * @see {@link https://redis.io/docs/latest/commands/publish/}
 */
export const publish = defineCommand({
  name: "publish",
  group: "pubsub",
  since: "2.0.0",
  summary: "Sends a message to all who listen to a channel",
  complexity: "O(N+M), N subscribers of the channel and M patterns that may match it",
  arity: 3,
  flags: ["pubsub", "loading", "stale", "fast", "may_replicate"],
  channelWord: 1,
  channelUse: "publish",
  args: "channel message",
  run: runPublish,
});

function runPublish(call: Call): void {
  const { words, server, reply } = call;
  const { bytes, starts, lengths } = words;
  const receivers = server.hub.publish(
    bytes,
    starts[1],
    lengths[1],
    bytes,
    starts[2],
    lengths[2],
  );
  propagate(call);
  reply.integer(receivers);
}

/**
 * `SPUBLISH shardchannel message`: as PUBLISH, for shard channels.
 *
 * @see {@link https://redis.io/docs/latest/commands/spublish/}
 */
export const spublish = defineCommand({
  name: "spublish",
  group: "pubsub",
  since: "7.0.0",
  summary: "Sends a message to all who listen to a shard channel",
  complexity: "O(N), N subscribers of the shard channel",
  arity: 3,
  flags: ["pubsub", "loading", "stale", "fast", "may_replicate"],
  keys: [oneKey("not_key")],
  channelUse: "publish",
  args: "shardchannel message",
  run: runSpublish,
});

function runSpublish(call: Call): void {
  const { words, server, reply } = call;
  const { bytes, starts, lengths } = words;
  const receivers = server.hub.publishShard(
    bytes,
    starts[1],
    lengths[1],
    bytes,
    starts[2],
    lengths[2],
  );
  propagate(call);
  reply.integer(receivers);
}

/** Puts the request into the stream of writes, which takes by itself only what changed data: for replicas, no log. */
function propagate(call: Call): void {
  if (!call.isPropagating) return;
  call.preventPropagation();
  const { stream } = call.server.keyspace;
  stream.limited(FOR_REPLICAS, () => stream.addWords(call.database.index, call.words));
}
