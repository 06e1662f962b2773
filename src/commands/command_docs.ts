/**
 * What COMMAND and its subcommands answer, made from the definitions.
 *
 * Beside the path: the handlers of COMMAND read their words and call these functions; nothing here
 * runs unless a client asks. Replies have the fields of Redis
 * 7.2; the sentences in them (summaries, history, notes on keys) are our own.
 */

import { ACL_CATEGORIES } from "../access/categories.ts";
import { globMatch } from "../base/glob.ts";
import { toLatin1, writeText } from "../base/bytes.ts";
import { type Argument, parseArguments } from "./arguments_syntax.ts";
import {
  type Command,
  type CommandDefinition,
  FLAG_NO_MANDATORY_KEYS,
} from "../dispatch/command.ts";
import { getKeys } from "../dispatch/call_keys.ts";
import type { KeySpec } from "../dispatch/key_specs.ts";
import type { Words } from "../resp/words.ts";

/**
 * Where a reply is written. `array`, `map` and `set` announce n elements (n pairs for a map), which
 * then follow; in RESP2 the sink makes arrays of all three.
 */
export interface ReplySink {
  array(n: number): void;
  map(n: number): void;
  set(n: number): void;
  /** A bulk string; all characters are below 256 and stand for one byte each. */
  bulk(text: string): void;
  bytes(value: Uint8Array): void;
  /** A simple string. */
  status(text: string): void;
  int(n: number): void;
  null(): void;
  /** An error; `text` begins with its code ("ERR ..."). */
  error(text: string): void;
}

/** A filter of COMMAND LIST. */
export interface CommandFilter {
  readonly by: "module" | "aclcat" | "pattern";
  readonly value: Uint8Array;
}

/** Commands by the names that they are called by, lower case: `rename-command` changes them. */
export type CommandsByName = ReadonlyMap<string, Command>;

/** The command of a name ("get", "config|get") in any case, as it is called. */
export function findByFullName(commands: CommandsByName, name: string): Command | undefined {
  const [top, ...rest] = name.toLowerCase().split("|");
  const command = commands.get(top);
  return rest.length === 0 ? command : command?.subcommands?.get(rest.join("|"));
}

/** COMMAND and COMMAND INFO without names. */
export function writeCommands(sink: ReplySink, commands: CommandsByName): void {
  sink.array(commands.size);
  for (const command of commands.values()) writeInfo(sink, command);
}

/** COMMAND INFO name...: an entry for each name, null for an unknown one. */
export function writeCommandInfo(
  sink: ReplySink,
  commands: CommandsByName,
  names: readonly Uint8Array[],
): void {
  sink.array(names.length);
  for (const name of names) {
    const command = findByFullName(commands, toLatin1(name));
    if (command === undefined) sink.null();
    else writeInfo(sink, command);
  }
}

/** COMMAND DOCS, of all commands when there are no names; unknown names are left out. */
export function writeCommandDocs(
  sink: ReplySink,
  commands: CommandsByName,
  names: readonly Uint8Array[],
): void {
  const found = names.length === 0
    ? [...commands.values()]
    : names.map((name) => findByFullName(commands, toLatin1(name))).filter((each) =>
      each !== undefined
    );
  sink.map(found.length);
  for (const command of found) writeDocs(sink, command);
}

/** COMMAND COUNT. */
export function writeCommandCount(sink: ReplySink, commands: CommandsByName): void {
  sink.int(commands.size);
}

/** COMMAND LIST: full names, subcommands among them, of those that the filter lets through. */
export function writeCommandList(
  sink: ReplySink,
  commands: readonly Command[],
  filter: CommandFilter | null,
): void {
  const passes = filter === null ? () => true : predicateOf(filter);
  const names: string[] = [];
  for (const command of commands) if (passes(command)) names.push(command.fullName);
  sink.array(names.length);
  for (const name of names) sink.bulk(name);
}

/** The name that a pattern is tried on; the longest has 25 bytes. */
const nameBytes = new Uint8Array(256);

function predicateOf({ by, value }: CommandFilter): (command: Command) => boolean {
  switch (by) {
    case "module":
      return () => false; // there are no modules
    case "aclcat": {
      const wanted = toLatin1(value).toLowerCase();
      const place = ACL_CATEGORIES.findIndex((category) => category === wanted);
      return ({ categoryBits }) => place >= 0 && (categoryBits & (1 << place)) !== 0;
    }
    case "pattern":
      return ({ fullName }) => {
        const length = writeText(nameBytes, 0, fullName);
        return globMatch(value, 0, value.length, nameBytes, 0, length, true);
      };
  }
}

/** COMMAND GETKEYS and, with flags, COMMAND GETKEYSANDFLAGS of the call in `words`. */
export function writeGetKeys(
  sink: ReplySink,
  commands: CommandsByName,
  words: Words,
  withFlags: boolean,
): void {
  const command = commandOfCall(commands, words);
  if (command === undefined) return sink.error("ERR Invalid command specified");
  const { keys = [] } = command.definition;
  if (!keys.some((spec) => !spec.flags.includes("not_key"))) {
    return sink.error("ERR The command has no key arguments");
  }
  const { arity } = command;
  if (arity > 0 ? words.count !== arity : words.count < -arity) {
    return sink.error("ERR Invalid number of arguments specified for command");
  }
  const found = getKeys(command, words) ?? [];
  if (found.length === 0 && (command.flagBits & FLAG_NO_MANDATORY_KEYS) === 0) {
    return sink.error("ERR Invalid arguments specified for command");
  }
  sink.array(found.length);
  for (const { index, flags } of found) {
    if (withFlags) sink.array(2);
    sink.bytes(words.copy(index));
    if (withFlags) writeNames(sink, flags);
  }
}

/** The command that a call means: of a container with a second word, the subcommand. */
function commandOfCall(
  commands: CommandsByName,
  words: Words,
): Command | undefined {
  const name = words.text(0).toLowerCase();
  const command = commands.get(name);
  if (command === undefined || command.subcommands === null || words.count === 1) return command;
  return command.subcommands.get(words.text(1).toLowerCase());
}

/** The ten elements that COMMAND has for each command. */
function writeInfo(sink: ReplySink, command: Command): void {
  const { tips = [], keys = [] } = command.definition;
  sink.array(10);
  sink.bulk(command.fullName);
  sink.int(command.arity);
  writeNames(sink, command.flagNames());
  sink.int(command.firstKey);
  sink.int(command.lastKey);
  sink.int(command.keyStep);
  writeNames(sink, command.categoryNames().map((category) => "@" + category));
  sink.set(tips.length);
  for (const tip of tips) sink.bulk(tip);
  sink.set(keys.length);
  for (const spec of keys) writeKeySpec(sink, spec);
  sink.array(command.subcommands?.size ?? 0);
  for (const subcommand of command.subcommands?.values() ?? []) writeInfo(sink, subcommand);
}

function writeKeySpec(sink: ReplySink, spec: KeySpec): void {
  sink.map(spec.notes === "" ? 3 : 4);
  if (spec.notes !== "") {
    sink.bulk("notes");
    sink.bulk(spec.notes);
  }
  sink.bulk("flags");
  writeNames(sink, spec.flags);

  sink.bulk("begin_search");
  switch (spec.beginSearch) {
    case "index":
      writeSearch(sink, "index", [["index", spec.beginIndex]]);
      break;
    case "keyword":
      writeSearch(sink, "keyword", [["keyword", spec.keyword], ["startfrom", spec.startFrom]]);
      break;
    case "unknown":
      writeSearch(sink, "unknown", []);
  }

  sink.bulk("find_keys");
  const step: [string, number] = ["keystep", spec.keyStep];
  switch (spec.findKeys) {
    case "range":
      writeSearch(sink, "range", [["lastkey", spec.lastKey], step, ["limit", spec.limit]]);
      break;
    case "keynum":
      writeSearch(sink, "keynum", [
        ["keynumidx", spec.keyNumIndex],
        ["firstkey", spec.firstKey],
        step,
      ]);
      break;
    case "unknown":
      writeSearch(sink, "unknown", []);
  }
}

function writeSearch(sink: ReplySink, type: string, fields: [string, string | number][]): void {
  sink.map(2);
  sink.bulk("type");
  sink.bulk(type);
  sink.bulk("spec");
  sink.map(fields.length);
  for (const [name, value] of fields) {
    sink.bulk(name);
    if (typeof value === "number") sink.int(value);
    else sink.bulk(value);
  }
}

/** Arguments by their text, read once. */
const argumentsByText = new Map<string, readonly Argument[]>();

function argumentsOf(text: string): readonly Argument[] {
  let args = argumentsByText.get(text);
  if (args === undefined) argumentsByText.set(text, args = parseArguments(text));
  return args;
}

/** A name and its documentation, as a pair of a map. */
function writeDocs(sink: ReplySink, { fullName, definition, subcommands }: Command): void {
  const { summary, since, group, complexity, history = [], args, deprecated, internal } =
    definition;
  const docFlags: string[] = [];
  if (deprecated !== undefined) docFlags.push("deprecated");
  if (internal) docFlags.push("syscmd");

  const fields: [string, () => void][] = [
    ["summary", () => sink.bulk(summary)],
    ["since", () => sink.bulk(since)],
    ["group", () => sink.bulk(group)],
  ];
  if (complexity !== "") fields.push(["complexity", () => sink.bulk(complexity)]);
  if (docFlags.length > 0) fields.push(["doc_flags", () => writeNames(sink, docFlags)]);
  if (deprecated !== undefined) {
    fields.push(["deprecated_since", () => sink.bulk(deprecated.since)]);
    fields.push(["replaced_by", () => sink.bulk(deprecated.use)]);
  }
  if (history.length > 0) {
    fields.push(["history", () => writeHistory(sink, history)]);
  }
  if (args !== undefined) {
    fields.push(["arguments", () => writeArguments(sink, argumentsOf(args))]);
  }
  if (subcommands !== null) {
    fields.push(["subcommands", () => {
      sink.map(subcommands.size);
      for (const subcommand of subcommands.values()) writeDocs(sink, subcommand);
    }]);
  }
  sink.bulk(fullName);
  writeFields(sink, fields);
}

function writeHistory(sink: ReplySink, history: NonNullable<CommandDefinition["history"]>): void {
  sink.set(history.length);
  for (const [version, added] of history) {
    sink.array(2);
    sink.bulk(version);
    sink.bulk(added);
  }
}

function writeArguments(sink: ReplySink, args: readonly Argument[]): void {
  sink.array(args.length);
  for (const arg of args) {
    const fields: [string, () => void][] = [];
    const text = (name: string, value: string | undefined) => {
      if (value !== undefined) fields.push([name, () => sink.bulk(value)]);
    };
    text("name", arg.name);
    text("type", arg.type);
    const { key_spec_index: index, flags, arguments: members } = arg;
    if (index !== undefined) fields.push(["key_spec_index", () => sink.int(index)]);
    text("token", arg.token);
    text("since", arg.since);
    text("deprecated_since", arg.deprecated_since);
    if (flags !== undefined) fields.push(["flags", () => writeNames(sink, flags)]);
    if (members !== undefined) fields.push(["arguments", () => writeArguments(sink, members)]);
    writeFields(sink, fields);
  }
}

function writeFields(sink: ReplySink, fields: readonly [string, () => void][]): void {
  sink.map(fields.length);
  for (const [name, write] of fields) {
    sink.bulk(name);
    write();
  }
}

/** A set of simple strings. */
function writeNames(sink: ReplySink, names: readonly string[]): void {
  sink.set(names.length);
  for (const name of names) sink.status(name);
}
