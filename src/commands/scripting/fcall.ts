/** FCALL and FCALL_RO: functions of libraries. */

import type { Call } from "../../dispatch/call.ts";
import { type CommandDefinition, defineCommand } from "../../dispatch/command.ts";
import { changedKeys, readKeys, RUN_FLAGS, RUN_READONLY_FLAGS } from "./eval.ts";

const COMPLEXITY = "That of the function";

/**
 * `FCALL function numkeys [key ...] [arg ...]`: calls a function, atomically.
 *
 * @see {@link https://redis.io/docs/latest/commands/fcall/}
 */
export const fcall: CommandDefinition = defineCommand({
  name: "fcall",
  group: "scripting",
  since: "7.0.0",
  summary: "Calls a function of a library",
  complexity: COMPLEXITY,
  arity: -3,
  flags: RUN_FLAGS,
  keys: [changedKeys()],
  args: "function numkeys:integer [key...] [arg...]",
  flagsOf: (server, words) => server.scripts.functions.flagsOf(words.text(1)),
  run: (call) => run(call, false),
});

/**
 * `FCALL_RO function numkeys [key ...] [arg ...]`: calls a function that has the flag no-writes.
 *
 * @see {@link https://redis.io/docs/latest/commands/fcall_ro/}
 */
export const fcallReadOnly: CommandDefinition = defineCommand({
  name: "fcall_ro",
  group: "scripting",
  since: "7.0.0",
  summary: "Calls a function that only reads",
  complexity: COMPLEXITY,
  arity: -3,
  flags: RUN_READONLY_FLAGS,
  keys: [readKeys()],
  args: "function numkeys:integer [key...] [arg...]",
  flagsOf: (server, words) => server.scripts.functions.flagsOf(words.text(1)),
  run: (call) => run(call, true),
});

function run(call: Call, isReadOnly: boolean): void {
  const { server, client, words } = call;
  server.dispatcher.showToMonitors(client, words);
  server.scripts.functions.call(call, isReadOnly);
}
