/** Who a connection is and which protocol it speaks: AUTH, HELLO, RESET, QUIT. */

import { DEFAULT_USER } from "../../access/user.ts";
import { REDIS_VERSION } from "../../config/version.ts";
import type { Call } from "../../dispatch/call.ts";
import type { Client } from "../../dispatch/client.ts";
import type { Services } from "../../dispatch/services.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import type { Words } from "../../resp/words.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { checkClientWord } from "./client_word.ts";

const WRONG_PASS = "WRONGPASS invalid username-password pair or user is disabled.";
const NO_PASSWORD_SET =
  "ERR AUTH <password> called without any password configured for the default user. Are you sure " +
  "your configuration is correct?";
const HELLO_NEEDS_AUTH =
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH " +
  "<user> <pass> option can be used to authenticate the client and select the RESP protocol " +
  "version at the same time";

/**
 * `AUTH [username] password`. Without a name the user is `default`.
 *
 * Errors: WRONGPASS, also for a user who is off; without a name also when `default` needs no password, which
 * a client that expects one should hear of.
 *
 * @see {@link https://redis.io/docs/latest/commands/auth/}
 */
export const auth = defineCommand({
  name: "auth",
  group: "connection",
  since: "1.0.0",
  history: [["6.0.0", "a user name before the password"]],
  summary: "Shows the password of this connection's user",
  complexity: "O(N), N being the number of passwords of the user",
  arity: -2,
  flags: ["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"],
  args: "[username@6.0.0] password",
  run: runAuth,
});

function runAuth(call: Call): void {
  const { client, words, reply, server } = call;
  const user = words.count === 3 ? words.text(1) : DEFAULT_USER;
  const password = words.text(words.count - 1);
  // Monitors and the slow log are shown the words after the call.
  words.redact(1, words.count);
  if (words.count > 3) return reply.error(SYNTAX_ERROR);
  if (words.count === 2 && server.access.users.default.isNoPass) {
    return reply.error(NO_PASSWORD_SET);
  }
  if (!server.access.authenticate(client, user, password)) return refuseUser(call, user);
  reply.ok();
}

/**
 * `HELLO [protover [AUTH username password] [SETNAME clientname]]`. Chooses RESP2 or RESP3 and tells
 * about the server.
 *
 * @see {@link https://redis.io/docs/latest/commands/hello/}
 */
export const hello = defineCommand({
  name: "hello",
  group: "connection",
  since: "6.0.0",
  history: [["6.2.0", "may be called without a version, and then tells of the connection"]],
  summary: "Chooses the protocol, may authenticate and name the connection; tells about the server",
  complexity: "O(1)",
  arity: -1,
  flags: ["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"],
  args: `
    [arguments:(
      protover:integer
      [AUTH username_password:(username password)]
      [SETNAME clientname]
    )]
  `,
  run: runHello,
});

function runHello(call: Call): void {
  const { client, words, reply, server } = call;
  const credentials = takeCredentials(words);
  let protocol = 0;
  if (words.count > 1) {
    protocol = call.clampedInteger(1, "ERR Protocol version is not an integer or out of range");
    if (protocol !== 2 && protocol !== 3) {
      return reply.error("NOPROTO unsupported protocol version");
    }
  }
  let nameWord = 0;
  for (let i = 2; i < words.count; i++) {
    if (words.is(i, "auth") && i + 2 < words.count) i += 2;
    else if (words.is(i, "setname") && i + 1 < words.count) {
      nameWord = ++i;
      checkClientWord(words, nameWord, "Client names");
    } else {
      throw new ReplyError(`ERR Syntax error in HELLO option '${words.text(i)}'`);
    }
  }
  const name = nameWord > 0 ? words.text(nameWord) : client.name;
  if (credentials !== null) {
    const { user, password } = credentials;
    if (!server.access.authenticate(client, user, password)) return refuseUser(call, user);
  }
  if (client.needsAuth) return reply.error(HELLO_NEEDS_AUTH);
  client.name = name;
  if (protocol !== 0) reply.resp = protocol;
  reply.map(7);
  reply.bulkText("server");
  reply.bulkText("redis");
  reply.bulkText("version");
  reply.bulkText(REDIS_VERSION);
  reply.bulkText("proto");
  reply.integer(reply.resp);
  reply.bulkText("id");
  reply.integer(client.id);
  reply.bulkText("mode");
  reply.bulkText("standalone");
  reply.bulkText("role");
  reply.bulkText(server.replication.isReplica ? "replica" : "master");
  reply.bulkText("modules");
  reply.array(0);
}

/**
 * User and password of the last AUTH of a HELLO. What stands behind each is taken out of the words, whatever is
 * wrong with others: monitors and the slow log are shown the words after the call.
 */
function takeCredentials(words: Words): { user: string; password: string } | null {
  const hidden = new Set<number>();
  let credentialsAt = 0;
  let i = 2;
  while (i < words.count) {
    if (words.is(i, "auth")) {
      hidden.add(i + 1).add(i + 2);
      if (i + 2 < words.count) credentialsAt = i + 1;
      i += 3;
    } else i += words.is(i, "setname") ? 2 : 1;
  }
  if (hidden.size === 0) return null;
  const taken = credentialsAt === 0
    ? null
    : { user: words.text(credentialsAt), password: words.text(credentialsAt + 1) };
  // All at once, since each time takes as long as there are words.
  words.redactWhere((index) => hidden.has(index));
  return taken;
}

/**
 * `RESET`. Makes the connection as it was when it began, and the client needs to authenticate again
 * where a password is set. What the client library told of itself (CLIENT SETINFO) stays.
 *
 * @see {@link https://redis.io/docs/latest/commands/reset/}
 */
export const reset = defineCommand({
  name: "reset",
  group: "connection",
  since: "6.2.0",
  summary: "Puts the connection into the state of a new one",
  complexity: "O(1)",
  arity: 1,
  flags: ["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"],
  run: runReset,
});

function runReset({ client, reply, server }: Call): void {
  if (client.isReplica || client.isMaster) {
    return reply.error("ERR can only reset normal client connections");
  }
  resetClient(client, server);
  reply.status("RESET");
}

function resetClient(client: Client, server: Services): void {
  client.endTransaction();
  server.hub.forget(client);
  server.tracking.turnOff(client);
  client.isMonitor = false;
  server.clients.monitors.delete(client);
  client.database = server.keyspace.databases[0];
  client.reply.resp = 2;
  client.replyMode = "on";
  client.noTouch = false;
  client.noEvict = false;
  client.name = "";
  server.access.admit(client);
}

/**
 * `QUIT`. What was sent after it is not answered.
 *
 * @see {@link https://redis.io/docs/latest/commands/quit/}
 */
export const quit = defineCommand({
  name: "quit",
  group: "connection",
  since: "1.0.0",
  summary: "Ends the connection once its replies are sent",
  complexity: "O(1)",
  arity: -1,
  flags: ["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"],
  deprecated: { since: "7.2.0", use: "closing the connection" },
  run: runQuit,
});

function runQuit({ client, reply }: Call): void {
  reply.ok();
  client.isClosing = true;
}

/** Answers that user and password are wrong; ACL LOG tells of it, under the name of the command. */
function refuseUser(call: Call, user: string): void {
  const { client, words, reply, server, nowMs } = call;
  const context = call.isNested ? "multi" : "toplevel";
  server.accessLog.add(
    "auth",
    context,
    words.text(0),
    user,
    client.info(server.keyspace.steadyMs),
    nowMs,
  );
  reply.error(WRONG_PASS);
}
