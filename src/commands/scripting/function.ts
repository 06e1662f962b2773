/** FUNCTION: the libraries of the dataset. */

import { globMatch } from "../../base/glob.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import type { FunctionLibrary } from "../../dispatch/functions.ts";
import { busyText } from "../../dispatch/scripts.ts";
import { lowerPayload } from "../../dispatch/restores.ts";
import { dumpLibraries, readLibraries } from "../../rdb/function_payload.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import type { ReplyWriter } from "../../resp/reply_writer.ts";
import { SCRIPT_FLAGS } from "../../scripting/script_flags.ts";
import { writeHelp } from "../help.ts";
import { isFlushMode } from "./script.ts";

const ALL_SHARDS = "request_policy:all_shards";
const TO_ALL = [ALL_SHARDS, "response_policy:all_succeeded"];

/**
 * `FUNCTION LOAD [REPLACE] function-code`: compiles a library and adds it; answers its name.
 *
 * @see {@link https://redis.io/docs/latest/commands/function-load/}
 */
const functionLoad = defineCommand({
  name: "function|load",
  group: "scripting",
  since: "7.0.0",
  summary: "Adds a library of functions",
  complexity: "O(N), N bytes of source",
  arity: -3,
  flags: ["noscript", "write", "denyoom"],
  tips: TO_ALL,
  args: "[REPLACE] function-code",
  run: runFunctionLoad,
});

function runFunctionLoad(call: Call): void {
  const { client, server, words, reply } = call;
  const last = words.count - 1;
  for (let i = 2; i < last; i++) {
    if (!words.is(i, "replace")) {
      throw new ReplyError(`ERR Unknown option given: ${words.text(i)}`);
    }
  }
  const name = server.scripts.functions.load(words.copy(last), last > 2, client.isMaster);
  server.keyspace.dirty++;
  reply.bulkText(name);
}

/**
 * `FUNCTION DELETE library-name`.
 *
 * @see {@link https://redis.io/docs/latest/commands/function-delete/}
 */
const functionDelete = defineCommand({
  name: "function|delete",
  group: "scripting",
  since: "7.0.0",
  summary: "Removes a library and its functions",
  complexity: "O(1)",
  arity: 3,
  flags: ["noscript", "write"],
  tips: TO_ALL,
  args: "library-name",
  run: ({ server, words, reply }) => {
    server.scripts.functions.delete(words.text(2));
    server.keyspace.dirty++;
    reply.ok();
  },
});

/**
 * `FUNCTION FLUSH [ASYNC | SYNC]`: removes all libraries; both modes are the same.
 *
 * @see {@link https://redis.io/docs/latest/commands/function-flush/}
 */
const functionFlush = defineCommand({
  name: "function|flush",
  group: "scripting",
  since: "7.0.0",
  summary: "Removes all libraries",
  complexity: "O(N), N functions",
  arity: -2,
  flags: ["noscript", "write"],
  tips: TO_ALL,
  args: "[async:(ASYNC | SYNC)]",
  run: runFunctionFlush,
});

function runFunctionFlush(call: Call): void {
  const { server, words, reply } = call;
  if (words.count > 3) throw call.subcommandSyntaxError();
  if (words.count === 3 && !isFlushMode(words.text(2))) {
    return reply.error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  }
  server.scripts.functions.flush();
  server.keyspace.dirty++;
  reply.ok();
}

/**
 * `FUNCTION LIST [LIBRARYNAME library-name-pattern] [WITHCODE]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/function-list/}
 */
const functionList = defineCommand({
  name: "function|list",
  group: "scripting",
  since: "7.0.0",
  summary: "Describes all libraries, or those that a pattern matches",
  complexity: "O(N), N functions",
  arity: -2,
  flags: ["noscript"],
  tips: ["nondeterministic_output_order"],
  args: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
  run: runFunctionList,
});

function runFunctionList({ server, words, reply }: Call): void {
  let pattern: Uint8Array | null = null;
  let hasCode = false;
  for (let i = 2; i < words.count; i++) {
    if (!hasCode && words.is(i, "withcode")) hasCode = true;
    else if (pattern === null && words.is(i, "libraryname")) {
      if (i === words.count - 1) throw new ReplyError("ERR library name argument was not given");
      pattern = words.copy(++i);
    } else throw new ReplyError(`ERR Unknown argument ${words.text(i)}`);
  }
  const all = [...server.scripts.functions.libraries.values()];
  const listed = pattern === null ? all : all.filter(({ name }) => matches(pattern, name));
  reply.array(listed.length);
  for (const library of listed) writeLibrary(reply, library, hasCode);
}

function matches(pattern: Uint8Array, name: string): boolean {
  const bytes = Uint8Array.from(name, (c) => c.charCodeAt(0));
  return globMatch(pattern, 0, pattern.length, bytes, 0, bytes.length, true);
}

function writeLibrary(reply: ReplyWriter, library: FunctionLibrary, hasCode: boolean): void {
  reply.map(hasCode ? 4 : 3);
  reply.bulkText("library_name");
  reply.bulkText(library.name);
  reply.bulkText("engine");
  reply.bulkText("LUA");
  reply.bulkText("functions");
  reply.array(library.functions.size);
  for (const { name, description, flags } of library.functions.values()) {
    reply.map(3);
    reply.bulkText("name");
    reply.bulkText(name);
    reply.bulkText("description");
    if (description === null) reply.null();
    else reply.bulkText(description);
    reply.bulkText("flags");
    const names = SCRIPT_FLAGS.filter(([, bit]) => (flags & bit) !== 0);
    reply.set(names.length);
    for (const [flag] of names) reply.status(flag);
  }
  if (!hasCode) return;
  reply.bulkText("library_code");
  reply.bulk(library.code);
}

/**
 * `FUNCTION STATS`: the function that is running, and how many there are.
 *
 * @see {@link https://redis.io/docs/latest/commands/function-stats/}
 */
const functionStats = defineCommand({
  name: "function|stats",
  group: "scripting",
  since: "7.0.0",
  summary: "Tells which function is running",
  complexity: "O(1)",
  arity: 2,
  flags: ["noscript", "allow_busy"],
  tips: ["nondeterministic_output", ALL_SHARDS, "response_policy:special"],
  run: runFunctionStats,
});

function runFunctionStats({ server, reply }: Call): void {
  const { running, functions } = server.scripts;
  if (running?.isEval) throw new ReplyError(busyText(true));
  reply.map(2);
  reply.bulkText("running_script");
  if (running === null) reply.null();
  else {
    const { name, words, startedMs } = running;
    reply.map(3);
    reply.bulkText("name");
    reply.bulkText(name);
    reply.bulkText("command");
    reply.array(words.count);
    for (let i = 0; i < words.count; i++) {
      reply.bulk(words.bytes, words.starts[i], words.lengths[i]);
    }
    reply.bulkText("duration_ms");
    reply.integer(Math.floor(server.clock.monotonic() - startedMs));
  }
  reply.bulkText("engines");
  reply.map(1);
  reply.bulkText("LUA");
  reply.map(2);
  reply.bulkText("libraries_count");
  reply.integer(functions.libraries.size);
  reply.bulkText("functions_count");
  reply.integer(functions.count);
}

/**
 * `FUNCTION KILL`: ends the function that is running for too long, if it has not changed anything.
 *
 * @see {@link https://redis.io/docs/latest/commands/function-kill/}
 */
const functionKill = defineCommand({
  name: "function|kill",
  group: "scripting",
  since: "7.0.0",
  summary: "Ends the running function",
  complexity: "O(1)",
  arity: 2,
  flags: ["noscript", "allow_busy"],
  tips: [ALL_SHARDS, "response_policy:one_succeeded"],
  run: ({ server, reply }) => {
    server.scripts.kill(false);
    reply.ok();
  },
});

/**
 * `FUNCTION DUMP`: all libraries as one string, for FUNCTION RESTORE.
 *
 * @see {@link https://redis.io/docs/latest/commands/function-dump/}
 */
const functionDump = defineCommand({
  name: "function|dump",
  group: "scripting",
  since: "7.0.0",
  summary: "Gives all libraries as one string",
  complexity: "O(N), N functions",
  arity: 2,
  flags: ["noscript"],
  run: ({ server, reply }) => {
    const compresses = server.config.value("rdbcompression");
    reply.bulk(dumpLibraries(server.keyspace.libraries.codes, compresses));
  },
});

/**
 * `FUNCTION RESTORE serialized-value [FLUSH | APPEND | REPLACE]`: adds the libraries of FUNCTION DUMP. All of
 * them, or on an error none.
 *
 * @see {@link https://redis.io/docs/latest/commands/function-restore/}
 */
const functionRestore = defineCommand({
  name: "function|restore",
  group: "scripting",
  since: "7.0.0",
  summary: "Adds the libraries in a string of FUNCTION DUMP",
  complexity: "O(N), N functions",
  arity: -3,
  flags: ["noscript", "write", "denyoom"],
  tips: TO_ALL,
  payloadWord: 2,
  args: "serialized-value [policy:(FLUSH | APPEND | REPLACE)]",
  run: runFunctionRestore,
});

function runFunctionRestore(call: Call): void {
  const { server, words, reply } = call;
  if (words.count > 4) throw call.subcommandSyntaxError();
  const policy = words.count === 4 ? words.text(3).toLowerCase() : "append";
  if (policy !== "append" && policy !== "replace" && policy !== "flush") {
    throw new ReplyError(
      "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
    );
  }
  lowerPayload(call.command, words);
  const codes = readLibraries(words.bytes, words.starts[2], words.lengths[2]);
  if (typeof codes === "string") throw new ReplyError(`ERR ${codes}`);
  server.scripts.functions.restore(codes, policy);
  server.keyspace.dirty++;
  reply.ok();
}

/**
 * `FUNCTION HELP`.
 *
 * @see {@link https://redis.io/docs/latest/commands/function-help/}
 */
const functionHelp = defineCommand({
  name: "function|help",
  group: "scripting",
  since: "7.0.0",
  summary: "Lists the subcommands",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: (call) =>
    writeHelp(call, [
      ["LOAD [REPLACE] <FUNCTION CODE>", "Add a library; its first line has its name."],
      ["DELETE <LIBRARY NAME>", "Remove a library."],
      [
        "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
        "Describe all libraries, or those whose names match: name, engine, functions, and the source",
        "with WITHCODE.",
      ],
      ["STATS", "Tell which function is running, and how many libraries and functions there are."],
      ["KILL", "End the function that is running."],
      ["FLUSH [ASYNC|SYNC]", "Remove all libraries."],
      ["DUMP", "Give all libraries as one string."],
      [
        "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
        "Add the libraries in such a string. FLUSH removes all others before, REPLACE those of the same",
        "name; with APPEND, which is the default, the same name is an error.",
      ],
    ]),
});

/**
 * `FUNCTION`: a container.
 *
 * @see {@link https://redis.io/docs/latest/commands/function/}
 */
export const functions = defineCommand({
  name: "function",
  group: "scripting",
  since: "7.0.0",
  summary: "Looks after the libraries of functions",
  complexity: "That of the subcommand",
  arity: -2,
  subcommands: [
    functionDelete,
    functionDump,
    functionFlush,
    functionHelp,
    functionKill,
    functionList,
    functionLoad,
    functionRestore,
    functionStats,
  ],
});
