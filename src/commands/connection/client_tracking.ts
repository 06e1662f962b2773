/**
 * CLIENT TRACKING and its relatives. Caches on the client's side are not supported: a client that asks
 * for one is told so, and the questions about it are answered as for a client without tracking.
 */

import type { Call } from "../../dispatch/call.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";

/**
 * `CLIENT TRACKING ON | OFF ...`. ON is refused.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-tracking/}
 */
export const clientTracking = defineCommand({
  name: "client|tracking",
  group: "connection",
  since: "6.0.0",
  summary: "Says whether this connection hears of changes to keys it has read",
  complexity: "O(1); some options O(N), N being their number",
  arity: -3,
  flags: ["noscript", "loading", "stale"],
  args: `
    status:(ON | OFF)
    [REDIRECT client-id:integer]
    [PREFIX... prefix]
    [BCAST]
    [OPTIN]
    [OPTOUT]
    [NOLOOP]
  `,
  run: runClientTracking,
});

function runClientTracking({ words, reply }: Call): void {
  if (words.is(2, "on")) {
    throw new ReplyError("ERR CLIENT TRACKING is not supported by this server");
  }
  if (!words.is(2, "off")) throw new ReplyError(SYNTAX_ERROR);
  reply.ok();
}

/**
 * `CLIENT CACHING YES | NO`. Only for clients with tracking, so always refused.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-caching/}
 */
export const clientCaching = defineCommand({
  name: "client|caching",
  group: "connection",
  since: "6.0.0",
  summary: "Says whether the keys of the next command are tracked",
  complexity: "O(1)",
  arity: 3,
  flags: ["noscript", "loading", "stale"],
  args: "mode:(YES | NO)",
  run: runClientCaching,
});

function runClientCaching({ reply }: Call): void {
  reply.error(
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or " +
      "OPTOUT mode enabled",
  );
}

/**
 * `CLIENT GETREDIR`. -1: no tracking.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-getredir/}
 */
export const clientGetredir = defineCommand({
  name: "client|getredir",
  group: "connection",
  since: "6.0.0",
  summary: "Answers which connection is sent what tracking tells this one",
  complexity: "O(1)",
  arity: 2,
  flags: ["noscript", "loading", "stale"],
  run: runClientGetredir,
});

function runClientGetredir({ reply }: Call): void {
  reply.integer(-1);
}

/**
 * `CLIENT TRACKINGINFO`.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-trackinginfo/}
 */
export const clientTrackinginfo = defineCommand({
  name: "client|trackinginfo",
  group: "connection",
  since: "6.2.0",
  summary: "Answers with the state of tracking for this connection",
  complexity: "O(1)",
  arity: 2,
  flags: ["noscript", "loading", "stale"],
  run: runClientTrackinginfo,
});

function runClientTrackinginfo({ reply }: Call): void {
  reply.map(3);
  reply.bulkText("flags");
  reply.set(1);
  reply.bulkText("off");
  reply.bulkText("redirect");
  reply.integer(-1);
  reply.bulkText("prefixes");
  reply.array(0);
}
