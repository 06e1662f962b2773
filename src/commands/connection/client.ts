/**
 * CLIENT, and those of its subcommands that are about the connection itself. Others are looked at and
 * ended in client_list.ts, held up and let go on in client_pause.ts.
 */

import type { Call } from "../../dispatch/call.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { type HelpEntry, writeHelp } from "../help.ts";
import { clientKill, clientList } from "./client_list.ts";
import { clientPause, clientUnblock, clientUnpause } from "./client_pause.ts";
import {
  clientCaching,
  clientGetredir,
  clientTracking,
  clientTrackinginfo,
} from "./client_tracking.ts";
import { checkClientWord } from "./client_word.ts";

const HELP: readonly HelpEntry[] = [
  [
    "CACHING (YES|NO)",
    "Whether the next command's keys are tracked, in the modes OPTIN and OPTOUT.",
  ],
  ["GETREDIR", "The ID of the client that this one's invalidations go to, -1 for none."],
  ["GETNAME", "The name of this connection."],
  ["ID", "The ID of this connection; no two connections of one run have the same."],
  ["INFO", "The line of CLIENT LIST about this connection."],
  ["KILL <ip:port>", "End the connection that comes from this address."],
  [
    "KILL <option> <value> [<option> <value> [...]]",
    "End all connections that every option is true of:",
    "* ADDR (<ip:port>|<unixsocket>:0)",
    "  The address it comes from.",
    "* LADDR (<ip:port>|<unixsocket>:0)",
    "  The address of ours that it came to.",
    "* TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "  Its type.",
    "* USER <username>",
    "  The user it has authenticated as.",
    "* ID <client-id>",
    "  Its ID.",
    "* SKIPME (YES|NO)",
    "  Whether to leave out this connection itself (default: yes).",
  ],
  [
    "LIST [options ...]",
    "A line about each connection. Options:",
    "* TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "  Only those of this type.",
    "* ID <client-id> [<client-id> [...]]",
    "  Only those with these IDs.",
  ],
  ["UNPAUSE", "End a CLIENT PAUSE."],
  ["PAUSE <timeout> [WRITE|ALL]", "Hold up commands, or just writes, for <timeout> milliseconds."],
  ["REPLY (ON|OFF|SKIP)", "Whether this connection is sent replies."],
  ["SETNAME <name>", "Give this connection a name."],
  ["SETINFO <option> <value>", "Say which client library this is: LIB-NAME or LIB-VER."],
  ["UNBLOCK <clientid> [TIMEOUT|ERROR]", "End the blocking command that a client waits in."],
  [
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "     [OPTIN] [OPTOUT] [NOLOOP]",
    "Whether this connection hears of changes to keys it has read.",
  ],
  ["TRACKINGINFO", "The state of tracking for this connection."],
  ["NO-EVICT (ON|OFF)", "Keep this connection out of the reach of `maxmemory-clients`."],
  ["NO-TOUCH (ON|OFF)", "Let this connection's reads leave the access times of keys alone."],
];

/** `CLIENT HELP`. */
export const clientHelp = defineCommand({
  name: "client|help",
  group: "connection",
  since: "5.0.0",
  summary: "Tells what the subcommands do",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: runClientHelp,
});

function runClientHelp(call: Call): void {
  writeHelp(call, HELP);
}

/**
 * `CLIENT ID`. Later connections have larger numbers.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-id/}
 */
export const clientId = defineCommand({
  name: "client|id",
  group: "connection",
  since: "5.0.0",
  summary: "Answers with the number of this connection",
  complexity: "O(1)",
  arity: 2,
  flags: ["noscript", "loading", "stale"],
  run: runClientId,
});

function runClientId({ client, reply }: Call): void {
  reply.integer(client.id);
}

/**
 * `CLIENT INFO`.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-info/}
 */
export const clientInfo = defineCommand({
  name: "client|info",
  group: "connection",
  since: "6.2.0",
  summary: "Answers with the line of CLIENT LIST about this connection",
  complexity: "O(1)",
  arity: 2,
  flags: ["noscript", "loading", "stale"],
  tips: ["nondeterministic_output"],
  run: runClientInfo,
});

function runClientInfo({ client, reply, server }: Call): void {
  reply.verbatim(client.info(server.keyspace.steadyMs) + "\n");
}

/**
 * `CLIENT SETNAME name`. An empty name takes it away.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-setname/}
 */
export const clientSetname = defineCommand({
  name: "client|setname",
  group: "connection",
  since: "2.6.9",
  summary: "Names this connection",
  complexity: "O(1)",
  arity: 3,
  flags: ["noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  args: "connection-name",
  run: runClientSetname,
});

function runClientSetname({ client, words, reply }: Call): void {
  checkClientWord(words, 2, "Client names");
  client.name = words.text(2);
  reply.ok();
}

/**
 * `CLIENT GETNAME`.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-getname/}
 */
export const clientGetname = defineCommand({
  name: "client|getname",
  group: "connection",
  since: "2.6.9",
  summary: "Answers with the name of this connection",
  complexity: "O(1)",
  arity: 2,
  flags: ["noscript", "loading", "stale"],
  run: runClientGetname,
});

function runClientGetname({ client, reply }: Call): void {
  if (client.name === "") reply.null();
  else reply.bulkText(client.name);
}

/**
 * `CLIENT SETINFO LIB-NAME name | LIB-VER version`. Shown by CLIENT LIST.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-setinfo/}
 */
export const clientSetinfo = defineCommand({
  name: "client|setinfo",
  group: "connection",
  since: "7.2.0",
  summary: "Says which client library uses this connection",
  complexity: "O(1)",
  arity: 4,
  flags: ["noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  args: "attr:(LIB-NAME libname | LIB-VER libver)",
  run: runClientSetinfo,
});

function runClientSetinfo({ client, words, reply }: Call): void {
  const attribute = words.text(2);
  switch (attribute.toLowerCase()) {
    case "lib-name":
      checkClientWord(words, 3, attribute);
      client.libraryName = words.text(3);
      break;
    case "lib-ver":
      checkClientWord(words, 3, attribute);
      client.libraryVersion = words.text(3);
      break;
    default:
      throw new ReplyError(`ERR Unrecognized option '${attribute}'`);
  }
  reply.ok();
}

/**
 * `CLIENT REPLY ON | OFF | SKIP`. OFF and SKIP are not answered themselves; SKIP drops the reply of
 * the next command too. Pushed messages still come.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-reply/}
 */
export const clientReply = defineCommand({
  name: "client|reply",
  group: "connection",
  since: "3.2.0",
  summary: "Says whether this connection is sent replies",
  complexity: "O(1)",
  arity: 3,
  flags: ["noscript", "loading", "stale"],
  args: "on_off_skip:(ON | OFF | SKIP)",
  run: runClientReply,
});

function runClientReply({ client, words, reply }: Call): void {
  // Dispatch drops what is written here as the mode says (see Dispatcher.call).
  if (words.is(2, "on")) client.replyMode = "on";
  else if (words.is(2, "off")) client.replyMode = "off";
  else if (!words.is(2, "skip")) throw new ReplyError(SYNTAX_ERROR);
  else if (client.replyMode !== "off") client.replyMode = "skip-next";
  reply.ok();
}

/**
 * `CLIENT NO-EVICT ON | OFF`.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-no-evict/}
 */
export const clientNoEvict = defineCommand({
  name: "client|no-evict",
  group: "connection",
  since: "7.0.0",
  summary: "Says whether `maxmemory-clients` may end this connection",
  complexity: "O(1)",
  arity: 3,
  flags: ["admin", "noscript", "loading", "stale"],
  args: "enabled:(ON | OFF)",
  run: runClientNoEvict,
});

function runClientNoEvict(call: Call): void {
  call.client.noEvict = onOrOff(call);
  call.reply.ok();
}

/**
 * `CLIENT NO-TOUCH ON | OFF`. TOUCH itself still touches.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-no-touch/}
 */
export const clientNoTouch = defineCommand({
  name: "client|no-touch",
  group: "connection",
  since: "7.2.0",
  summary: "Says whether this connection's commands change the access times of keys",
  complexity: "O(1)",
  arity: 3,
  flags: ["noscript", "loading", "stale"],
  args: "enabled:(ON | OFF)",
  run: runClientNoTouch,
});

function runClientNoTouch(call: Call): void {
  call.client.noTouch = onOrOff(call);
  call.reply.ok();
}

function onOrOff({ words }: Call): boolean {
  if (words.is(2, "on")) return true;
  if (words.is(2, "off")) return false;
  throw new ReplyError(SYNTAX_ERROR);
}

/**
 * `CLIENT` with a subcommand.
 *
 * @see {@link https://redis.io/docs/latest/commands/client/}
 */
export const client = defineCommand({
  name: "client",
  group: "connection",
  since: "2.4.0",
  summary: "Contains the commands about connections",
  complexity: "That of the subcommand",
  arity: -2,
  subcommands: [
    clientCaching,
    clientGetname,
    clientGetredir,
    clientHelp,
    clientId,
    clientInfo,
    clientKill,
    clientList,
    clientNoEvict,
    clientNoTouch,
    clientPause,
    clientReply,
    clientSetinfo,
    clientSetname,
    clientTracking,
    clientTrackinginfo,
    clientUnblock,
    clientUnpause,
  ],
});
