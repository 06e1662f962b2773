/** ACL: users and their rights; see src/access for what they are, access_control.ts for what they do. */

import { ACL_CATEGORIES, categoryBit } from "../../access/categories.ts";
import { hasSpaces } from "../../access/selector_rules.ts";
import type { Selector } from "../../access/selector.ts";
import { DEFAULT_USER } from "../../access/user.ts";
import { BadRule, UnmatchedBracket } from "../../access/user_rules.ts";
import { checkAccess, denialText, DENIED_NOTHING } from "../../dispatch/access_check.ts";
import type { Call } from "../../dispatch/call.ts";
import type { Services } from "../../dispatch/services.ts";
import type { Words } from "../../resp/words.ts";
import { type Command, defineCommand } from "../../dispatch/command.ts";
import { wrongArity } from "../../dispatch/command_errors.ts";
import type { AccessLogEntry } from "../../observe/access_log.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import type { ReplyWriter } from "../../resp/reply_writer.ts";
import { writeHelp } from "../help.ts";

/** The answer of a server without `aclfile`, word for word. */
const NO_ACL_FILE =
  "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via " +
  "the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration " +
  "file set) in order to store users in the Redis configuration.";
const NOT_SAVED =
  "ERR There was an error trying to save the ACLs. Please check the server logs for more information";
const BAD_BITS = "ERR ACL GENPASS argument must be the number of bits for the output password, a " +
  "positive number up to 4096";
const PASSWORD_BITS = 256;
const PASSWORD_BITS_MAX = 4096;
/** Entries of ACL LOG unless told otherwise. */
const LOG_COUNT = 10;

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
  run: ({ client, reply }) =>
    client.user === null ? reply.null() : reply.bulkText(client.user.name),
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
  const bit = categoryBit(name);
  if (bit === 0) throw new ReplyError(`ERR Unknown category '${name.slice(0, NAME_SHOWN)}'`);
  const found = server.access.users.catalog.all.filter((each) => (each.categoryBits & bit) !== 0);
  reply.array(found.length);
  for (const { fullName } of found) reply.bulkText(fullName);
}

/** Of a name that is unknown, so much is shown. */
const NAME_SHOWN = 128;

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
  complexity: "O(N), N users",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  run: ({ server, reply }) => {
    const users = server.access.users.all();
    reply.array(users.length);
    for (const { name } of users) reply.bulkText(name);
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
  complexity: "O(N), N users",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  run: runAclList,
});

function runAclList({ server, reply }: Call): void {
  const users = server.access.users.all();
  reply.array(users.length);
  for (const { line } of users) reply.bulkText(line);
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
  complexity: "O(N), N rules",
  arity: 3,
  flags: ["admin", "noscript", "loading", "stale"],
  args: "username",
  run: runAclGetuser,
});

function runAclGetuser({ server, words, reply }: Call): void {
  const user = server.access.users.find(words.text(2));
  if (user === null) return reply.null();
  const flags = user.flags();
  const [root, ...selectors] = user.selectors;
  reply.map(6);
  reply.bulkText("flags");
  reply.set(flags.length);
  for (const flag of flags) reply.bulkText(flag);
  reply.bulkText("passwords");
  reply.array(user.passwords.length);
  for (const hash of user.passwords) reply.bulkText(hash);
  replySelector(reply, root);
  reply.bulkText("selectors");
  reply.array(selectors.length);
  for (const selector of selectors) {
    reply.map(3);
    replySelector(reply, selector);
  }
}

/** Three fields of a map. */
function replySelector(reply: ReplyWriter, selector: Selector): void {
  reply.bulkText("commands");
  reply.bulkText(selector.describeCommands());
  reply.bulkText("keys");
  reply.bulkText(selector.describeKeys());
  reply.bulkText("channels");
  reply.bulkText(selector.describeChannels());
}

/**
 * `ACL SETUSER username [rule …]`: makes or changes a user; all rules are applied, or none. Subscribers that may
 * not hear some of their channels any more are ended.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-setuser/}
 */
export const aclSetuser = defineCommand({
  name: "acl|setuser",
  group: "server",
  since: "6.0.0",
  history: [["6.2.0", "channel patterns"], ["7.0.0", "selectors, and rights by key"]],
  summary: "Makes or changes a user",
  complexity: "O(N), N rules",
  arity: -3,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  args: "username [rule...]",
  run: runAclSetuser,
});

function runAclSetuser({ server, words, reply }: Call): void {
  const [name, ...rules] = textsFrom(words, 2);
  // Monitors and the slow log are shown the words after the call.
  words.redact(2, words.count);
  if (hasSpaces(name)) {
    throw new ReplyError("ERR Usernames can't contain spaces or null characters");
  }
  try {
    server.access.set(name, rules);
  } catch (error) {
    if (!(error instanceof BadRule) && !(error instanceof UnmatchedBracket)) throw error;
    throw new ReplyError(`ERR ${error.message.replace(/[\r\n]/g, " ")}`);
  }
  reply.ok();
}

function textsFrom(words: Words, from: number): string[] {
  const texts: string[] = [];
  for (let i = from; i < words.count; i++) texts.push(words.text(i));
  return texts;
}

/**
 * `ACL DELUSER username …`: removes users and ends their connections; answers how many users. The default user
 * stays.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-deluser/}
 */
export const aclDeluser = defineCommand({
  name: "acl|deluser",
  group: "server",
  since: "6.0.0",
  summary: "Removes users and ends their connections",
  complexity: "O(N), N connections for each name",
  arity: -3,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  args: "username...",
  run: runAclDeluser,
});

function runAclDeluser({ server, words, reply }: Call): void {
  const names = textsFrom(words, 2);
  if (names.includes(DEFAULT_USER)) {
    return reply.error("ERR The 'default' user cannot be removed");
  }
  reply.integer(names.filter((name) => server.access.remove(name)).length);
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
  const user = server.access.users.find(words.text(2));
  if (user === null) return reply.error(`ERR User '${words.text(2)}' not found`);
  const asked = words.behind(3);
  const command = commandOf(server, asked);
  if (command === null) return reply.error(`ERR Command '${asked.text(0)}' not found`);
  const { arity } = command;
  if (arity > 0 ? asked.count !== arity : asked.count < -arity) {
    return reply.error(wrongArity(command));
  }
  const denied = checkAccess(user, command, asked);
  if (denied === DENIED_NOTHING) reply.ok();
  else reply.bulkText(denialText(denied, user, command, asked, true));
}

/** The command or subcommand that the words call, or null. */
function commandOf({ dispatcher }: Services, words: Words): Command | null {
  const command = dispatcher.find(words.bytes, words.starts[0], words.lengths[0]);
  if (command === null || command.subcommands === null || words.count === 1) return command;
  return command.subcommands.get(words.text(1).toLowerCase()) ?? null;
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
 * `ACL LOG [count | RESET]`: the latest refusals, 10 unless told otherwise: of commands, keys, channels and
 * passwords.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-log/}
 */
export const aclLog = defineCommand({
  name: "acl|log",
  group: "server",
  since: "6.0.0",
  history: [["7.2.0", "`entry-id` and the two timestamps"]],
  summary: "Lists the latest refusals for want of rights, or forgets them",
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

/**
 * `ACL LOAD`: replaces all users by those of the file that `aclfile` names, if all of it is right. Connections of
 * all users but the default one are ended.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-load/}
 */
export const aclLoad = defineCommand({
  name: "acl|load",
  group: "server",
  since: "6.0.0",
  summary: "Reads all users from the file of users",
  complexity: "O(N), N users and connections",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  run: runAclLoad,
});

function runAclLoad({ server, reply }: Call): void {
  if (!server.access.hasFile) return reply.error(NO_ACL_FILE);
  const errors = server.access.load();
  if (errors === null) reply.ok();
  else reply.error(`ERR ${errors.replace(/[\r\n]/g, " ")}`);
}

/**
 * `ACL SAVE`: writes all users to the file that `aclfile` names, which is replaced at once.
 *
 * @see {@link https://redis.io/docs/latest/commands/acl-save/}
 */
export const aclSave = defineCommand({
  name: "acl|save",
  group: "server",
  since: "6.0.0",
  summary: "Writes all users to the file of users",
  complexity: "O(N), N users",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  run: runAclSave,
});

function runAclSave({ server, reply }: Call): void {
  if (!server.access.hasFile) return reply.error(NO_ACL_FILE);
  if (server.access.save()) reply.ok();
  else reply.error(NOT_SAVED);
}

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
      ["DELUSER <username> [<username> ...]", "Remove users, and end their connections."],
      [
        "DRYRUN <username> <command> [<arg> ...]",
        "Tell whether a user may run a command, without running it.",
      ],
      ["GETUSER <username>", "Show the rules of a user."],
      ["GENPASS [<bits>]", "Make a random password, of 256 bits unless told otherwise."],
      ["LIST", "List users with their rules."],
      ["LOAD", "Read all users from the file of users."],
      ["LOG [<count> | RESET]", "List the latest refusals for want of rights, or forget them."],
      ["SAVE", "Write all users to the file of users."],
      ["SETUSER <username> [<rule> ...]", "Make or change a user; all rules are applied, or none."],
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
