/**
 * ACL: who may do what. There is one user, `default`, who may do everything; its password is
 * `requirepass`. What would make or change users is refused.
 */

import { defaultUserRules, passwordHash } from "../../config/default_user.ts";
import type { Call } from "../../dispatch/call.ts";
import type { Services } from "../../dispatch/services.ts";
import { wrongArity } from "../../dispatch/command_errors.ts";
import type { AccessLogEntry } from "../../observe/access_log.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import { ACL_CATEGORIES, defineCommand } from "../../dispatch/command.ts";
import { findByFullName } from "../command_docs.ts";
import { writeHelp } from "../help.ts";

const ONE_USER =
  "ERR this version of tsredis has no user but 'default', whose password is requirepass";
/** The answer of a server without `aclfile`, word for word. */
const NO_ACL_FILE =
  "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via " +
  "the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration " +
  "file set) in order to store users in the Redis configuration.";
const BAD_BITS = "ERR ACL GENPASS argument must be the number of bits for the output password, a " +
  "positive number up to 4096";
const PASSWORD_BITS = 256;
const PASSWORD_BITS_MAX = 4096;
/** Entries of ACL LOG unless told otherwise. */
const LOG_COUNT = 10;

/** SHA-256 of the default user's password in hexadecimal digits, or null when it has none. */
function requiredHash(server: Services): string | null {
  const password = server.config.value("requirepass");
  return password === null || password === "" ? null : passwordHash(password);
}

/**
 * `ACL WHOAMI`.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-whoami/}
 */
export const aclWhoami = defineCommand({
  name: "acl|whoami",
  group: "server",
  since: "6.0.0",
  summary: "Names the user of this connection",
  complexity: "O(1)",
  arity: 2,
  flags: ["noscript", "loading", "stale"],
  run: ({ client, reply }) => reply.bulkText(client.user),
});

/**
 * `ACL CAT [category]`: all categories, or the commands of one.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-cat/}
 */
export const aclCat = defineCommand({
  name: "acl|cat",
  group: "server",
  since: "6.0.0",
  summary: "Lists the categories of commands, or the commands of one",
  complexity: "O(N), N commands",
  arity: -2,
  flags: ["noscript", "loading", "stale"],
  args: "[categoryname]",
  run: runAclCat,
});

function runAclCat(call: Call): void {
  const { server, words, reply } = call;
  if (words.count === 2) {
    reply.array(ACL_CATEGORIES.length);
    for (const category of ACL_CATEGORIES) reply.bulkText(category);
    return;
  }
  if (words.count > 3) throw call.subcommandSyntaxError();
  const name = words.text(2);
  const place = ACL_CATEGORIES.findIndex((category) => category === name.toLowerCase());
  if (place < 0) throw new ReplyError(`ERR Unknown category '${name}'`);
  const found: string[] = [];
  for (const { categoryBits, fullName } of server.dispatcher.all) {
    if ((categoryBits & (1 << place)) !== 0) found.push(fullName);
  }
  reply.array(found.length);
  for (const each of found) reply.bulkText(each);
}

/**
 * `ACL USERS`.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-users/}
 */
export const aclUsers = defineCommand({
  name: "acl|users",
  group: "server",
  since: "6.0.0",
  summary: "Lists the names of users",
  complexity: "O(1)",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  run: ({ reply }) => {
    reply.array(1);
    reply.bulkText("default");
  },
});

/**
 * `ACL LIST`: users with their rules, as a configuration file has them.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-list/}
 */
export const aclList = defineCommand({
  name: "acl|list",
  group: "server",
  since: "6.0.0",
  summary: "Lists users with their rules",
  complexity: "O(1)",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  run: runAclList,
});

function runAclList({ server, reply }: Call): void {
  const rules = defaultUserRules(server.config.value("requirepass"));
  reply.array(1);
  reply.bulkText(`user default ${rules.join(" ")}`);
}

/**
 * `ACL GETUSER username`: what a user may do; null for an unknown one.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-getuser/}
 */
export const aclGetuser = defineCommand({
  name: "acl|getuser",
  group: "server",
  since: "6.0.0",
  history: [["6.2.0", "channel patterns"], [
    "7.0.0",
    "selectors; key and channel patterns as rules, not as lists",
  ]],
  summary: "Shows the rules of a user",
  complexity: "O(1)",
  arity: 3,
  flags: ["admin", "noscript", "loading", "stale"],
  args: "username",
  run: runAclGetuser,
});

function runAclGetuser({ server, words, reply }: Call): void {
  if (words.text(2) !== "default") return reply.null();
  const hash = requiredHash(server);
  const flags = hash === null ? ["on", "nopass"] : ["on"];
  reply.map(6);
  reply.bulkText("flags");
  reply.set(flags.length);
  for (const flag of flags) reply.bulkText(flag);
  reply.bulkText("passwords");
  reply.array(hash === null ? 0 : 1);
  if (hash !== null) reply.bulkText(hash);
  reply.bulkText("commands");
  reply.bulkText("+@all");
  reply.bulkText("keys");
  reply.bulkText("~*");
  reply.bulkText("channels");
  reply.bulkText("&*");
  reply.bulkText("selectors");
  reply.array(0);
}

/**
 * `ACL SETUSER username [rule …]`: refused, there is one user.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-setuser/}
 */
export const aclSetuser = defineCommand({
  name: "acl|setuser",
  group: "server",
  since: "6.0.0",
  history: [["6.2.0", "channel patterns"], ["7.0.0", "selectors, and rights by key"]],
  summary: "Would make or change a user; refused",
  complexity: "O(1)",
  arity: -3,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  args: "username [rule...]",
  run: ({ words, reply }) => {
    words.redact(2, words.count);
    reply.error(ONE_USER);
  },
});

/**
 * `ACL DELUSER username …`: the default user stays, and there is no other.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-deluser/}
 */
export const aclDeluser = defineCommand({
  name: "acl|deluser",
  group: "server",
  since: "6.0.0",
  summary: "Would remove users; there are none that could be removed",
  complexity: "O(N), N names",
  arity: -3,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  args: "username...",
  run: runAclDeluser,
});

function runAclDeluser({ words, reply }: Call): void {
  for (let i = 2; i < words.count; i++) {
    if (words.text(i) === "default") {
      return reply.error("ERR The 'default' user cannot be removed");
    }
  }
  reply.integer(0);
}

/**
 * `ACL DRYRUN username command [arg …]`: whether a user could run a command.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-dryrun/}
 */
export const aclDryrun = defineCommand({
  name: "acl|dryrun",
  group: "server",
  since: "7.0.0",
  summary: "Tells whether a user may run a command",
  complexity: "O(1)",
  arity: -4,
  flags: ["admin", "noscript", "loading", "stale"],
  args: "username command [arg...]",
  run: runAclDryrun,
});

function runAclDryrun({ server, words, reply }: Call): void {
  const user = words.text(2);
  if (user !== "default") return reply.error(`ERR User '${user}' not found`);
  let command = findByFullName(server.dispatcher.byName, words.text(3));
  if (command !== undefined && command.subcommands !== null && words.count > 4) {
    command = command.subcommands.get(words.text(4).toLowerCase());
  }
  if (command === undefined) {
    return reply.error(`ERR Command '${words.text(3)}' not found`);
  }
  const count = words.count - 3;
  if (command.arity > 0 ? count !== command.arity : count < -command.arity) {
    return reply.error(wrongArity(command));
  }
  reply.ok();
}

/**
 * `ACL GENPASS [bits]`: that many random bits, rounded up, as hexadecimal digits.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-genpass/}
 */
export const aclGenpass = defineCommand({
  name: "acl|genpass",
  group: "server",
  since: "6.0.0",
  summary: "Makes a random password",
  complexity: "O(1)",
  arity: -2,
  flags: ["noscript", "loading", "stale"],
  args: "[bits:integer]",
  run: runAclGenpass,
});

function runAclGenpass(call: Call): void {
  const { server, words, reply } = call;
  if (words.count > 3) throw call.subcommandSyntaxError();
  const bits = words.count > 2 ? call.clampedInteger(2) : PASSWORD_BITS;
  if (bits < 1 || bits > PASSWORD_BITS_MAX) throw new ReplyError(BAD_BITS);
  const digits = Math.ceil(bits / 4);
  const bytes = new Uint8Array(Math.ceil(digits / 2));
  server.runtime.fillRandom(bytes);
  reply.bulkText(bytes.toHex().slice(0, digits));
}

/**
 * `ACL LOG [count | RESET]`: the latest refusals, 10 unless told otherwise. As the one user may do
 * everything, these are failed authentications.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-log/}
 */
export const aclLog = defineCommand({
  name: "acl|log",
  group: "server",
  since: "6.0.0",
  history: [["7.2.0", "`entry-id` and the two timestamps"]],
  summary: "Lists the latest failed authentications, or forgets them",
  complexity: "O(N), N entries",
  arity: -2,
  flags: ["admin", "noscript", "loading", "stale"],
  args: "[operation:(count:integer | RESET)]",
  run: runAclLog,
});

function runAclLog(call: Call): void {
  const { server, words, reply } = call;
  if (words.count > 3) throw call.subcommandSyntaxError();
  if (words.count > 2 && words.is(2, "reset")) {
    server.accessLog.clear();
    return reply.ok();
  }
  const wanted = words.count > 2 ? Math.max(0, call.clampedInteger(2)) : LOG_COUNT;
  const shown = server.accessLog.entries.slice(0, wanted);
  reply.array(shown.length);
  for (const entry of shown) replyLogEntry(call, entry);
}

function replyLogEntry({ reply, nowMs }: Call, entry: AccessLogEntry): void {
  reply.map(10);
  reply.bulkText("count");
  reply.integer(entry.count);
  reply.bulkText("reason");
  reply.bulkText(entry.reason === "cmd" ? "command" : entry.reason);
  reply.bulkText("context");
  reply.bulkText(entry.context);
  reply.bulkText("object");
  reply.bulkText(entry.object);
  reply.bulkText("username");
  reply.bulkText(entry.user);
  reply.bulkText("age-seconds");
  reply.double((nowMs - entry.updatedMs) / 1000);
  reply.bulkText("client-info");
  reply.bulkText(entry.clientInfo);
  reply.bulkText("entry-id");
  reply.integer(entry.id);
  reply.bulkText("timestamp-created");
  reply.integer(entry.createdMs);
  reply.bulkText("timestamp-last-updated");
  reply.integer(entry.updatedMs);
}

/** `ACL LOAD`: refused, there is no file of users. */
export const aclLoad = defineCommand({
  name: "acl|load",
  group: "server",
  since: "6.0.0",
  summary: "Would read users from a file; refused",
  complexity: "O(1)",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  run: ({ reply }) => reply.error(NO_ACL_FILE),
});

/** `ACL SAVE`: refused, there is no file of users. */
export const aclSave = defineCommand({
  name: "acl|save",
  group: "server",
  since: "6.0.0",
  summary: "Would write users to a file; refused",
  complexity: "O(1)",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  run: ({ reply }) => reply.error(NO_ACL_FILE),
});

/** `ACL HELP`. */
export const aclHelp = defineCommand({
  name: "acl|help",
  group: "server",
  since: "6.0.0",
  summary: "Lists the subcommands of ACL",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: (call) =>
    writeHelp(call, [
      ["CAT [<category>]", "List all categories, or the commands of one."],
      ["DELUSER <username> [<username> ...]", "Remove users; there are none but 'default'."],
      [
        "DRYRUN <username> <command> [<arg> ...]",
        "Tell whether a user may run a command, without running it.",
      ],
      ["GETUSER <username>", "Show the rules of a user."],
      ["GENPASS [<bits>]", "Make a random password, of 256 bits unless told otherwise."],
      ["LIST", "List users with their rules."],
      ["LOAD", "Refused: there is no file of users."],
      ["LOG [<count> | RESET]", "List the latest failed authentications, or forget them."],
      ["SAVE", "Refused: there is no file of users."],
      ["SETUSER <username> [<rule> ...]", "Refused: there is one user, 'default'."],
      ["USERS", "List the names of users."],
      ["WHOAMI", "Name the user of this connection."],
    ]),
});

/** The container of the above. */
export const acl = defineCommand({
  name: "acl",
  group: "server",
  since: "6.0.0",
  summary: "Groups the commands about users and their rights",
  complexity: "Depends on the subcommand",
  arity: -2,
  subcommands: [
    aclCat,
    aclDeluser,
    aclDryrun,
    aclGenpass,
    aclGetuser,
    aclHelp,
    aclList,
    aclLoad,
    aclLog,
    aclSave,
    aclSetuser,
    aclUsers,
    aclWhoami,
  ],
});
