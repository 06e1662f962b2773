/**
 * Listening to channels, patterns and shard channels, and ceasing to. The hub (src/pubsub/hub.ts)
 * knows who listens to what; here are the words and the confirmations, one for each word:
 *
 *     ["subscribe", channel, number of subscriptions]        an array in RESP2, a push in RESP3
 *
 * In RESP2 a client with subscriptions runs the commands of that mode only (dispatcher.ts). The number
 * counts channels and patterns together, shard channels for themselves.
 */

import { latin1 } from "../../base/bytes.ts";
import type { Call } from "../../dispatch/call.ts";
import type { TopicKind } from "../../pubsub/hub.ts";
import { ReplyWriter, sharedBuffer } from "../../resp/reply_writer.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keysToEnd } from "../../dispatch/key_specs.ts";

// The first words of confirmations.
const SUBSCRIBE = latin1("subscribe");
const PSUBSCRIBE = latin1("psubscribe");
const SSUBSCRIBE = latin1("ssubscribe");
const UNSUBSCRIBE = latin1("unsubscribe");
const PUNSUBSCRIBE = latin1("punsubscribe");
const SUNSUBSCRIBE = latin1("sunsubscribe");

/**
 * `SUBSCRIBE channel [channel …]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/subscribe/}
 */
export const subscribe = defineCommand({
  name: "subscribe",
  group: "pubsub",
  since: "2.0.0",
  summary: "Has the connection hear what is published on these channels",
  complexity: "O(N), N channels",
  arity: -2,
  flags: ["pubsub", "noscript", "loading", "stale"],
  channelUse: "subscribe",
  args: "channel...",
  run: runSubscribe,
});

function runSubscribe(call: Call): void {
  const { hub } = call.server;
  const { words, client } = call;
  confirm(call, (reply) => {
    for (let i = 1; i < words.count; i++) {
      hub.subscribe(client, words.bytes, words.starts[i], words.lengths[i]);
      confirmWord(reply, call, SUBSCRIBE, i, client.channelCount + client.patternCount);
    }
  });
}

/**
 * `PSUBSCRIBE pattern [pattern …]`: glob patterns as KEYS has them. A message on a channel that
 * several patterns match comes once for each.
 *
 * @see {@link https://redis.io/docs/latest/commands/psubscribe/}
 */
export const psubscribe = defineCommand({
  name: "psubscribe",
  group: "pubsub",
  since: "2.0.0",
  summary: "Has the connection hear what is published on channels that match these patterns",
  complexity: "O(N), N patterns",
  arity: -2,
  flags: ["pubsub", "noscript", "loading", "stale"],
  channelUse: "psubscribe",
  args: "pattern:(pattern)...",
  run: runPsubscribe,
});

function runPsubscribe(call: Call): void {
  const { hub } = call.server;
  const { words, client } = call;
  confirm(call, (reply) => {
    for (let i = 1; i < words.count; i++) {
      hub.subscribePattern(client, words.bytes, words.starts[i], words.lengths[i]);
      confirmWord(reply, call, PSUBSCRIBE, i, client.channelCount + client.patternCount);
    }
  });
}

/**
 * `SSUBSCRIBE shardchannel [shardchannel …]`: channels of their own, which in a cluster stay within
 * the shard that has the slot of their name. Patterns do not match them. Unlike SUBSCRIBE it is
 * refused in a transaction.
 *
 * @see {@link https://redis.io/docs/latest/commands/ssubscribe/}
 */
export const ssubscribe = defineCommand({
  name: "ssubscribe",
  group: "pubsub",
  since: "7.0.0",
  summary: "Has the connection hear what is published on these shard channels",
  complexity: "O(N), N shard channels",
  arity: -2,
  flags: ["pubsub", "noscript", "loading", "stale"],
  keys: [keysToEnd("not_key")],
  channelUse: "subscribe",
  args: "shardchannel...",
  run: runSsubscribe,
});

function runSsubscribe(call: Call): void {
  if (!call.mayPark) {
    return call.reply.error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
  }
  const { hub } = call.server;
  const { words, client } = call;
  confirm(call, (reply) => {
    for (let i = 1; i < words.count; i++) {
      hub.subscribeShard(client, words.bytes, words.starts[i], words.lengths[i]);
      confirmWord(reply, call, SSUBSCRIBE, i, client.shardChannelCount);
    }
  });
}

/**
 * `UNSUBSCRIBE [channel …]`: of all channels when none is named, in the order of subscription; if
 * there was none that is confirmed too, with null for the channel.
 *
 * @see {@link https://redis.io/docs/latest/commands/unsubscribe/}
 */
export const unsubscribe = defineCommand({
  name: "unsubscribe",
  group: "pubsub",
  since: "2.0.0",
  summary: "Ends subscriptions to channels",
  complexity: "O(N), N channels",
  arity: -1,
  flags: ["pubsub", "noscript", "loading", "stale"],
  args: "[channel...]",
  run: runUnsubscribe,
});

function runUnsubscribe(call: Call): void {
  const { hub } = call.server;
  const { words, client } = call;
  const count = () => client.channelCount + client.patternCount;
  confirm(call, (reply) => {
    if (words.count === 1) {
      return leaveAll(call, reply, UNSUBSCRIBE, "channels", count);
    }
    for (let i = 1; i < words.count; i++) {
      hub.unsubscribe(client, words.bytes, words.starts[i], words.lengths[i]);
      confirmWord(reply, call, UNSUBSCRIBE, i, count());
    }
  });
}

/**
 * `PUNSUBSCRIBE [pattern …]`: as UNSUBSCRIBE.
 *
 * @see {@link https://redis.io/docs/latest/commands/punsubscribe/}
 */
export const punsubscribe = defineCommand({
  name: "punsubscribe",
  group: "pubsub",
  since: "2.0.0",
  summary: "Ends subscriptions to patterns",
  complexity: "O(N), N patterns",
  arity: -1,
  flags: ["pubsub", "noscript", "loading", "stale"],
  args: "[pattern...]",
  run: runPunsubscribe,
});

function runPunsubscribe(call: Call): void {
  const { hub } = call.server;
  const { words, client } = call;
  const count = () => client.channelCount + client.patternCount;
  confirm(call, (reply) => {
    if (words.count === 1) {
      return leaveAll(call, reply, PUNSUBSCRIBE, "patterns", count);
    }
    for (let i = 1; i < words.count; i++) {
      hub.unsubscribePattern(client, words.bytes, words.starts[i], words.lengths[i]);
      confirmWord(reply, call, PUNSUBSCRIBE, i, count());
    }
  });
}

/**
 * `SUNSUBSCRIBE [shardchannel …]`: as UNSUBSCRIBE.
 *
 * @see {@link https://redis.io/docs/latest/commands/sunsubscribe/}
 */
export const sunsubscribe = defineCommand({
  name: "sunsubscribe",
  group: "pubsub",
  since: "7.0.0",
  summary: "Ends subscriptions to shard channels",
  complexity: "O(N), N shard channels",
  arity: -1,
  flags: ["pubsub", "noscript", "loading", "stale"],
  keys: [keysToEnd("not_key")],
  args: "[shardchannel...]",
  run: runSunsubscribe,
});

function runSunsubscribe(call: Call): void {
  const { hub } = call.server;
  const { words, client } = call;
  const count = () => client.shardChannelCount;
  confirm(call, (reply) => {
    if (words.count === 1) {
      return leaveAll(call, reply, SUNSUBSCRIBE, "shardChannels", count);
    }
    for (let i = 1; i < words.count; i++) {
      hub.unsubscribeShard(client, words.bytes, words.starts[i], words.lengths[i]);
      confirmWord(reply, call, SUNSUBSCRIBE, i, count());
    }
  });
}

/**
 * Has `write` write its confirmations: into the reply, or, where replies are off (CLIENT REPLY), aside
 * and into the output once the reply has been dropped. Confirmations come all the same, as messages do.
 */
function confirm({ client, reply, server }: Call, write: (reply: ReplyWriter) => void): void {
  if (client.replyMode === "on") return write(reply);
  const aside = new ReplyWriter();
  aside.resp = reply.resp;
  write(aside);
  for (let chunk = aside.takeChunk(); chunk !== null; chunk = aside.takeChunk()) {
    const count = aside.chunkLength;
    const buffer = sharedBuffer(count);
    buffer.set(chunk.subarray(0, count));
    server.hub.defer(client, buffer, 0, count);
  }
}

/** Confirms what word `index` has asked for. */
function confirmWord(
  reply: ReplyWriter,
  { words }: Call,
  kind: Uint8Array,
  index: number,
  count: number,
): void {
  reply.push(3);
  reply.bulk(kind);
  reply.bulk(words.bytes, words.starts[index], words.lengths[index]);
  reply.integer(count);
}

/** Ends all subscriptions of a kind and confirms each. */
function leaveAll(
  { client, server }: Call,
  reply: ReplyWriter,
  kind: Uint8Array,
  topics: TopicKind,
  count: () => number,
): void {
  let name = server.hub.leaveOldest(client, topics);
  if (name === null) return confirmLeave(reply, kind, null, count());
  for (; name !== null; name = server.hub.leaveOldest(client, topics)) {
    confirmLeave(reply, kind, name, count());
  }
}

function confirmLeave(
  reply: ReplyWriter,
  kind: Uint8Array,
  name: Uint8Array | null,
  count: number,
): void {
  reply.push(3);
  reply.bulk(kind);
  if (name === null) reply.null();
  else reply.bulk(name);
  reply.integer(count);
}
