/** CLIENT TRACKING and its relatives: whether a client is told of changes to keys; see src/tracking. */

import { toLatin1 } from "../../base/bytes.ts";
import type { Call } from "../../dispatch/call.ts";
import { redirectOf } from "../../dispatch/client_info.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { NOT_AN_INTEGER, ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { findOverlap, sortedPrefixes } from "../../tracking/overlap.ts";
import type { Tracker, TrackingOptions } from "../../tracking/tracker.ts";

/**
 * `CLIENT TRACKING ON | OFF [REDIRECT client-id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]`.
 * ON again changes the options and adds prefixes, but cannot change the mode. In RESP2 messages only go
 * to another client that has subscribed to something.
 *
 * Errors: options that contradict each other or what is on; a client to redirect to that is not there;
 * prefixes of which one begins with another.
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

function runClientTracking(call: Call): void {
  const { client, words, reply, server: { tracking } } = call;
  const { options, prefixes } = readOptions(call);
  if (words.is(2, "on")) {
    checkOptions(client.tracker, options, prefixes.length > 0);
    if (options.isBroadcast) checkPrefixes(prefixes, tracking.prefixesOf(client));
    tracking.turnOn(client, options, prefixes);
  } else if (words.is(2, "off")) tracking.turnOff(client);
  else throw new ReplyError(SYNTAX_ERROR);
  reply.ok();
}

function readOptions(call: Call): { options: TrackingOptions; prefixes: Uint8Array[] } {
  const { words } = call;
  const prefixes: Uint8Array[] = [];
  let redirectId = 0;
  let isBroadcast = false;
  let isOptIn = false;
  let isOptOut = false;
  let isNoLoop = false;
  for (let i = 3; i < words.count; i++) {
    const hasMore = i + 1 < words.count;
    if (words.is(i, "redirect") && hasMore) redirectId = readRedirect(call, ++i, redirectId);
    else if (words.is(i, "prefix") && hasMore) prefixes.push(words.copy(++i));
    else if (words.is(i, "bcast")) isBroadcast = true;
    else if (words.is(i, "optin")) isOptIn = true;
    else if (words.is(i, "optout")) isOptOut = true;
    else if (words.is(i, "noloop")) isNoLoop = true;
    else throw new ReplyError(SYNTAX_ERROR);
  }
  return { options: { redirectId, isBroadcast, isOptIn, isOptOut, isNoLoop }, prefixes };
}

function readRedirect(call: Call, index: number, before: number): number {
  if (before !== 0) {
    throw new ReplyError("ERR A client can only redirect to a single other client");
  }
  const id = call.clampedInteger(index, NOT_AN_INTEGER);
  if (!call.server.clients.byId.has(id)) {
    throw new ReplyError("ERR The client ID you want redirect to does not exist");
  }
  return id;
}

/** Whether the options go together, and with what is on. In the order in which Redis looks. */
function checkOptions(
  tracker: Tracker | null,
  { isBroadcast, isOptIn, isOptOut }: TrackingOptions,
  hasPrefixes: boolean,
): void {
  if (hasPrefixes && !isBroadcast) {
    throw new ReplyError("ERR PREFIX option requires BCAST mode to be enabled");
  }
  const present = tracker?.isOn ? tracker.options : null;
  if (present !== null && present.isBroadcast !== isBroadcast) {
    throw new ReplyError(switchingText("BCAST mode on/off"));
  }
  if (isBroadcast && (isOptIn || isOptOut)) {
    throw new ReplyError("ERR OPTIN and OPTOUT are not compatible with BCAST");
  }
  if (isOptIn && isOptOut) {
    throw new ReplyError("ERR You can't specify both OPTIN mode and OPTOUT mode");
  }
  if (present !== null && ((isOptIn && present.isOptOut) || (isOptOut && present.isOptIn))) {
    throw new ReplyError(switchingText("OPTIN/OPTOUT mode"));
  }
}

function switchingText(what: string): string {
  return `ERR You can't switch ${what} before disabling tracking for this client, and then ` +
    "re-enabling it with a different mode.";
}

function checkPrefixes(given: readonly Uint8Array[], existing: readonly Uint8Array[]): void {
  const overlap = findOverlap(given, existing);
  if (overlap === null) return;
  const other = toLatin1(overlap.other);
  const which = overlap.isExisting ? "an existing" : "another provided";
  throw new ReplyError(
    `ERR Prefix '${toLatin1(overlap.given)}' overlaps with ${which} prefix '${other}'. ` +
      "Prefixes for a single client must not overlap.",
  );
}

/**
 * `CLIENT CACHING YES | NO`: about the next command, or the next transaction.
 *
 * Errors: without tracking; YES without OPTIN, NO without OPTOUT.
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

function runClientCaching({ client: { tracker }, words, reply }: Call): void {
  if (tracker === null || !tracker.isOn) {
    throw new ReplyError(
      "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or " +
        "OPTOUT mode enabled",
    );
  }
  const { isOptIn, isOptOut } = tracker.options;
  const isYes = words.is(2, "yes");
  if (!isYes && !words.is(2, "no")) throw new ReplyError(SYNTAX_ERROR);
  if (isYes ? !isOptIn : !isOptOut) {
    const [word, mode] = isYes ? ["YES", "OPTIN"] : ["NO", "OPTOUT"];
    throw new ReplyError(
      `ERR CLIENT CACHING ${word} is only valid when tracking is enabled in ${mode} mode.`,
    );
  }
  tracker.isCachingGiven = true;
  reply.ok();
}

/**
 * `CLIENT GETREDIR`. 0: this connection itself; -1: no tracking.
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

function runClientGetredir({ client, reply }: Call): void {
  reply.integer(redirectOf(client));
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

function runClientTrackinginfo({ client, reply, server: { tracking } }: Call): void {
  const flags = flagsOf(client.tracker);
  const prefixes = sortedPrefixes(tracking.prefixesOf(client));
  reply.map(3);
  reply.bulkText("flags");
  reply.set(flags.length);
  for (const flag of flags) reply.bulkText(flag);
  reply.bulkText("redirect");
  reply.integer(redirectOf(client));
  reply.bulkText("prefixes");
  reply.array(prefixes.length);
  for (const prefix of prefixes) reply.bulk(prefix);
}

function flagsOf(tracker: Tracker | null): string[] {
  if (tracker === null || !tracker.isOn) return ["off"];
  const { options, isCachingGiven, isRedirectBroken } = tracker;
  const flags = ["on"];
  if (options.isBroadcast) flags.push("bcast");
  if (options.isOptIn) flags.push("optin");
  if (options.isOptIn && isCachingGiven) flags.push("caching-yes");
  if (options.isOptOut) flags.push("optout");
  if (options.isOptOut && isCachingGiven) flags.push("caching-no");
  if (options.isNoLoop) flags.push("noloop");
  if (isRedirectBroken) flags.push("broken_redirect");
  return flags;
}
