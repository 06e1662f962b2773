/** PING and ECHO. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";

/**
 * `PING [message]`. A RESP2 subscriber is answered with a message of the kind it expects.
 *
 * @see {@link https://redis.io/docs/latest/commands/ping/}
 */
export const ping = defineCommand({
  name: "ping",
  group: "connection",
  since: "1.0.0",
  summary: "Answers PONG, or the given message",
  complexity: "O(1)",
  arity: -1,
  flags: ["fast"],
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  args: "[message]",
  run: runPing,
});

function runPing(call: Call): void {
  const { client, words, reply } = call;
  if (words.count > 2) throw call.arityError();
  if (reply.resp === 2 && client.isSubscriber) {
    reply.array(2);
    reply.bulkText("pong");
    if (words.count === 1) reply.bulkText("");
    else reply.bulk(words.bytes, words.starts[1], words.lengths[1]);
  } else if (words.count === 1) reply.pong();
  else reply.bulk(words.bytes, words.starts[1], words.lengths[1]);
}

/**
 * `ECHO message`.
 *
 * @see {@link https://redis.io/docs/latest/commands/echo/}
 */
export const echo = defineCommand({
  name: "echo",
  group: "connection",
  since: "1.0.0",
  summary: "Answers with the given message",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale", "fast"],
  args: "message",
  run: runEcho,
});

function runEcho({ words, reply }: Call): void {
  reply.bulk(words.bytes, words.starts[1], words.lengths[1]);
}
