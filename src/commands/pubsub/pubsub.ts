/** PUBSUB: who listens to what. */

import type { Call } from "../../dispatch/call.ts";
import type { ReplyWriter } from "../../resp/reply_writer.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { type HelpEntry, writeHelp } from "../help.ts";

const HELP: HelpEntry[] = [
  ["CHANNELS [<pattern>]", "Channels with subscribers; with a pattern those that match (glob)."],
  ["NUMPAT", "Number of different patterns with subscribers."],
  ["NUMSUB [<channel> ...]", "Channels with the number of their subscribers, without patterns."],
  ["SHARDCHANNELS [<pattern>]", "Shard channels with subscribers."],
  ["SHARDNUMSUB [<shardchannel> ...]", "Shard channels with the number of their subscribers."],
];

/**
 * `PUBSUB CHANNELS [pattern]`: in no particular order.
 *
 * @see {@link https://redis.io/docs/latest/commands/pubsub-channels/}
 */
export const pubsubChannels = defineCommand({
  name: "pubsub|channels",
  group: "pubsub",
  since: "2.8.0",
  summary: "Lists the channels that have subscribers",
  complexity: "O(N), N channels with subscribers",
  arity: -2,
  flags: ["pubsub", "loading", "stale"],
  args: "[pattern]",
  run: runPubsubChannels,
});

function runPubsubChannels(call: Call): void {
  const { words, server, reply } = call;
  if (words.count > 3) throw call.subcommandSyntaxError();
  writeNames(reply, server.hub.channelNames(words.count === 3 ? words.copy(2) : null));
}

/** `PUBSUB HELP`. */
export const pubsubHelp = defineCommand({
  name: "pubsub|help",
  group: "pubsub",
  since: "6.2.0",
  summary: "Tells what the subcommands do",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: runPubsubHelp,
});

function runPubsubHelp(call: Call): void {
  writeHelp(call, HELP);
}

/**
 * `PUBSUB NUMPAT`.
 *
 * @see {@link https://redis.io/docs/latest/commands/pubsub-numpat/}
 */
export const pubsubNumpat = defineCommand({
  name: "pubsub|numpat",
  group: "pubsub",
  since: "2.8.0",
  summary: "Counts the different patterns that have subscribers",
  complexity: "O(1)",
  arity: 2,
  flags: ["pubsub", "loading", "stale"],
  run: runPubsubNumpat,
});

function runPubsubNumpat({ server, reply }: Call): void {
  reply.integer(server.hub.patternCount);
}

/**
 * `PUBSUB NUMSUB [channel …]`: a flat array also in RESP3.
 *
 * @see {@link https://redis.io/docs/latest/commands/pubsub-numsub/}
 */
export const pubsubNumsub = defineCommand({
  name: "pubsub|numsub",
  group: "pubsub",
  since: "2.8.0",
  summary: "Counts the subscribers of each of these channels",
  complexity: "O(N), N channels asked for",
  arity: -2,
  flags: ["pubsub", "loading", "stale"],
  args: "[channel...]",
  run: runPubsubNumsub,
});

function runPubsubNumsub({ words, server, reply }: Call): void {
  reply.array((words.count - 2) * 2);
  for (let i = 2; i < words.count; i++) {
    const start = words.starts[i];
    const length = words.lengths[i];
    reply.bulk(words.bytes, start, length);
    reply.integer(server.hub.subscriberCount(words.bytes, start, length));
  }
}

/**
 * `PUBSUB SHARDCHANNELS [pattern]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/pubsub-shardchannels/}
 */
export const pubsubShardchannels = defineCommand({
  name: "pubsub|shardchannels",
  group: "pubsub",
  since: "7.0.0",
  summary: "Lists the shard channels that have subscribers",
  complexity: "O(N), N shard channels with subscribers",
  arity: -2,
  flags: ["pubsub", "loading", "stale"],
  args: "[pattern]",
  run: runPubsubShardchannels,
});

function runPubsubShardchannels(call: Call): void {
  const { words, server, reply } = call;
  if (words.count > 3) throw call.subcommandSyntaxError();
  writeNames(reply, server.hub.shardChannelNames(words.count === 3 ? words.copy(2) : null));
}

/**
 * `PUBSUB SHARDNUMSUB [shardchannel …]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/pubsub-shardnumsub/}
 */
export const pubsubShardnumsub = defineCommand({
  name: "pubsub|shardnumsub",
  group: "pubsub",
  since: "7.0.0",
  summary: "Counts the subscribers of each of these shard channels",
  complexity: "O(N), N shard channels asked for",
  arity: -2,
  flags: ["pubsub", "loading", "stale"],
  args: "[shardchannel...]",
  run: runPubsubShardnumsub,
});

function runPubsubShardnumsub({ words, server, reply }: Call): void {
  reply.array((words.count - 2) * 2);
  for (let i = 2; i < words.count; i++) {
    const start = words.starts[i];
    const length = words.lengths[i];
    reply.bulk(words.bytes, start, length);
    reply.integer(server.hub.shardSubscriberCount(words.bytes, start, length));
  }
}

/**
 * `PUBSUB`: the container.
 *
 * @see {@link https://redis.io/docs/latest/commands/pubsub/}
 */
export const pubsub = defineCommand({
  name: "pubsub",
  group: "pubsub",
  since: "2.8.0",
  summary: "Tells who listens to what",
  complexity: "That of the subcommand",
  arity: -2,
  subcommands: [
    pubsubChannels,
    pubsubHelp,
    pubsubNumpat,
    pubsubNumsub,
    pubsubShardchannels,
    pubsubShardnumsub,
  ],
});

function writeNames(reply: ReplyWriter, names: readonly Uint8Array[]): void {
  reply.array(names.length);
  for (const name of names) reply.bulk(name);
}
