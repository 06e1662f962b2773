/** COMMAND: what the server knows about its commands. The answers are made by command_docs.ts. */

import type { Call } from "../../dispatch/call.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { ReplyWriter } from "../../resp/reply_writer.ts";
import type { Words } from "../../resp/words.ts";
import { type Command, defineCommand } from "../../dispatch/command.ts";
import {
  type CommandFilter,
  type CommandsByName,
  type ReplySink,
  writeCommandCount,
  writeCommandDocs,
  writeCommandInfo,
  writeCommandList,
  writeCommands,
  writeGetKeys,
} from "../command_docs.ts";
import { writeHelp } from "../help.ts";

/** A reply writer as command_docs.ts wants it. */
function sinkOf(reply: ReplyWriter): ReplySink {
  return {
    array: (n) => reply.array(n),
    map: (n) => reply.map(n),
    set: (n) => reply.set(n),
    bulk: (text) => reply.bulkText(text),
    bytes: (value) => reply.bulk(value),
    status: (text) => reply.status(text),
    int: (n) => reply.integer(n),
    null: () => reply.null(),
    error: (text) => reply.error(text),
  };
}

function commandsOf({ server }: Call): CommandsByName {
  return server.dispatcher.byName;
}

function copiesFrom(words: Words, first: number): Uint8Array[] {
  const copies: Uint8Array[] = [];
  for (let i = first; i < words.count; i++) copies.push(words.copy(i));
  return copies;
}

/**
 * `COMMAND COUNT`.
 *
 * @see {@link https://redis.io/docs/latest/commands/command-count/}
 */
export const commandCount = defineCommand({
  name: "command|count",
  group: "server",
  since: "2.8.13",
  summary: "Counts the commands of this server",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  acl: ["connection"],
  run: runCommandCount,
});

function runCommandCount(call: Call): void {
  writeCommandCount(sinkOf(call.reply), commandsOf(call));
}

/**
 * `COMMAND DOCS [name …]`: summaries and arguments; unknown names are left out.
 *
 * @see {@link https://redis.io/docs/latest/commands/command-docs/}
 */
export const commandDocs = defineCommand({
  name: "command|docs",
  group: "server",
  since: "7.0.0",
  summary: "Describes commands and their arguments for people",
  complexity: "O(N), N commands asked for",
  arity: -2,
  flags: ["loading", "stale"],
  acl: ["connection"],
  tips: ["nondeterministic_output_order"],
  args: "[command-name...]",
  run: runCommandDocs,
});

function runCommandDocs(call: Call): void {
  writeCommandDocs(sinkOf(call.reply), commandsOf(call), copiesFrom(call.words, 2));
}

/**
 * `COMMAND GETKEYS command [arg …]`: the keys of a whole command.
 *
 * @see {@link https://redis.io/docs/latest/commands/command-getkeys/}
 */
export const commandGetkeys = defineCommand({
  name: "command|getkeys",
  group: "server",
  since: "2.8.13",
  summary: "Finds the keys in a command with its arguments",
  complexity: "O(N), N arguments",
  arity: -3,
  flags: ["loading", "stale"],
  acl: ["connection"],
  run: runCommandGetkeys,
});

function runCommandGetkeys(call: Call): void {
  writeGetKeys(sinkOf(call.reply), commandsOf(call), call.words.behind(2), false);
}

/**
 * `COMMAND GETKEYSANDFLAGS command [arg …]`: the keys of a whole command, each with what is done to
 * it.
 *
 * @see {@link https://redis.io/docs/latest/commands/command-getkeysandflags/}
 */
export const commandGetkeysandflags = defineCommand({
  name: "command|getkeysandflags",
  group: "server",
  since: "7.0.0",
  summary: "Finds the keys in a command with its arguments, and how each is used",
  complexity: "O(N), N arguments",
  arity: -3,
  flags: ["loading", "stale"],
  acl: ["connection"],
  run: runCommandGetkeysandflags,
});

function runCommandGetkeysandflags(call: Call): void {
  writeGetKeys(sinkOf(call.reply), commandsOf(call), call.words.behind(2), true);
}

/**
 * `COMMAND INFO [name …]`: what programs need to know; null for an unknown name.
 *
 * @see {@link https://redis.io/docs/latest/commands/command-info/}
 */
export const commandInfo = defineCommand({
  name: "command|info",
  group: "server",
  since: "2.8.13",
  history: [["7.0.0", "all commands when none is named"]],
  summary: "Describes commands for programs: arity, flags, keys",
  complexity: "O(N), N commands asked for",
  arity: -2,
  flags: ["loading", "stale"],
  acl: ["connection"],
  tips: ["nondeterministic_output_order"],
  args: "[command-name...]",
  run: runCommandInfo,
});

function runCommandInfo(call: Call): void {
  if (call.words.count === 2) return runCommand(call);
  writeCommandInfo(sinkOf(call.reply), commandsOf(call), copiesFrom(call.words, 2));
}

/**
 * `COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]`: full names.
 *
 * @see {@link https://redis.io/docs/latest/commands/command-list/}
 */
export const commandList = defineCommand({
  name: "command|list",
  group: "server",
  since: "7.0.0",
  summary: "Lists the names of commands",
  complexity: "O(N), N commands",
  arity: -2,
  flags: ["loading", "stale"],
  acl: ["connection"],
  tips: ["nondeterministic_output_order"],
  args: "[FILTERBY filterby:(MODULE module-name | ACLCAT category | PATTERN pattern)]",
  run: runCommandList,
});

const FILTERS = ["module", "aclcat", "pattern"] as const;

function runCommandList(call: Call): void {
  const { words, reply } = call;
  let filter: CommandFilter | null = null;
  if (words.count > 2) {
    const by = words.count === 5 && words.is(2, "filterby")
      ? FILTERS.find((name) => words.is(3, name))
      : undefined;
    if (by === undefined) throw new ReplyError(SYNTAX_ERROR);
    filter = { by, value: words.copy(4) };
  }
  writeCommandList(sinkOf(reply), call.server.dispatcher.all, filter);
}

/** `COMMAND HELP`. */
export const commandHelp = defineCommand({
  name: "command|help",
  group: "server",
  since: "5.0.0",
  summary: "Lists the subcommands of COMMAND",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  acl: ["connection"],
  run: runCommandHelp,
});

function runCommandHelp(call: Call): void {
  writeHelp(call, [
    ["(no subcommand)", "Describe all commands for programs."],
    ["COUNT", "Count the commands."],
    ["LIST", "List the names of all commands."],
    ["INFO [<command-name> ...]", "Describe the named commands, or all, for programs."],
    ["DOCS [<command-name> ...]", "Describe the named commands, or all, for people."],
    ["GETKEYS <full-command>", "Find the keys in a command with its arguments."],
    [
      "GETKEYSANDFLAGS <full-command>",
      "Find the keys in a command with its arguments, and how each is used.",
    ],
  ]);
}

/**
 * `COMMAND`: what programs need to know of all commands.
 *
 * @see {@link https://redis.io/docs/latest/commands/command/}
 */
export const command = defineCommand({
  name: "command",
  group: "server",
  since: "2.8.13",
  summary: "Describes all commands for programs",
  complexity: "O(N), N commands",
  arity: -1,
  flags: ["loading", "stale"],
  acl: ["connection"],
  tips: ["nondeterministic_output_order"],
  subcommands: [
    commandCount,
    commandDocs,
    commandGetkeys,
    commandGetkeysandflags,
    commandHelp,
    commandInfo,
    commandList,
  ],
  run: runCommand,
});

function runCommand(call: Call): void {
  for (const part of answerOf(call)) call.reply.raw(part);
}

/** The answer in each protocol, once it has been asked for: clients ask when they begin. */
const answers = new WeakMap<readonly Command[], Map<number, Uint8Array[]>>();

function answerOf(call: Call): Uint8Array[] {
  const { all, byName } = call.server.dispatcher;
  let byProtocol = answers.get(all);
  if (byProtocol === undefined) answers.set(all, byProtocol = new Map());
  const { resp } = call.reply;
  let parts = byProtocol.get(resp);
  if (parts === undefined) byProtocol.set(resp, parts = writtenAside(resp, byName));
  return parts;
}

function writtenAside(resp: number, commands: CommandsByName): Uint8Array[] {
  const aside = new ReplyWriter();
  aside.resp = resp;
  writeCommands(sinkOf(aside), commands);
  const parts: Uint8Array[] = [];
  for (let chunk = aside.takeChunk(); chunk !== null; chunk = aside.takeChunk()) {
    parts.push(chunk.slice(0, aside.chunkLength));
  }
  return parts;
}
