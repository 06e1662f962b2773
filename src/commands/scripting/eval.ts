/** EVAL and its relatives: scripts, sent with each call or named by their SHA-1. */

import type { Call } from "../../dispatch/call.ts";
import { type CommandDefinition, type CommandFlag, defineCommand } from "../../dispatch/command.ts";
import { countedKeys, noted } from "../../dispatch/key_specs.ts";

/** The flags of all commands that run a script or a function. */
export const RUN_FLAGS: readonly CommandFlag[] = [
  "noscript",
  "skip_monitor",
  "may_replicate",
  "no_mandatory_keys",
  "stale",
];
export const RUN_READONLY_FLAGS: readonly CommandFlag[] = [
  "noscript",
  "skip_monitor",
  "no_mandatory_keys",
  "stale",
  "readonly",
];

/** Where the keys of a script are; what it does to them, nobody can tell. */
export const changedKeys = () =>
  noted("Only the script knows; it may change them all", countedKeys("RW access update", 2));
export const readKeys = () =>
  noted("Only the script knows; it may read them all", countedKeys("RO access", 2));

const COMPLEXITY = "That of the script";

/**
 * `EVAL script numkeys [key ...] [arg ...]`: runs a script, atomically. It is compiled when it comes first,
 * and kept.
 *
 * @see {@link https://redis.io/docs/latest/commands/eval/}
 */
export const evalScript: CommandDefinition = defineCommand({
  name: "eval",
  group: "scripting",
  since: "2.6.0",
  summary: "Runs a Lua script",
  complexity: COMPLEXITY,
  arity: -3,
  flags: RUN_FLAGS,
  keys: [changedKeys()],
  args: "script numkeys:integer [key...] [arg...]",
  flagsOf: (server, words) => server.scripts.flagsOf(words, false),
  run: (call) => run(call, false, false),
});

/**
 * `EVALSHA sha1 numkeys [key ...] [arg ...]`: the same of a script that is known.
 *
 * @see {@link https://redis.io/docs/latest/commands/evalsha/}
 */
export const evalsha: CommandDefinition = defineCommand({
  name: "evalsha",
  group: "scripting",
  since: "2.6.0",
  summary: "Runs a Lua script, named by the SHA-1 of its source",
  complexity: COMPLEXITY,
  arity: -3,
  flags: RUN_FLAGS,
  keys: [countedKeys("RW access update", 2)],
  args: "sha1 numkeys:integer [key...] [arg...]",
  flagsOf: (server, words) => server.scripts.flagsOf(words, true),
  run: (call) => run(call, true, false),
});

/**
 * `EVAL_RO script numkeys [key ...] [arg ...]`: EVAL that refuses writes.
 *
 * @see {@link https://redis.io/docs/latest/commands/eval_ro/}
 */
export const evalReadOnly: CommandDefinition = defineCommand({
  name: "eval_ro",
  group: "scripting",
  since: "7.0.0",
  summary: "Runs a Lua script that only reads",
  complexity: COMPLEXITY,
  arity: -3,
  flags: RUN_READONLY_FLAGS,
  keys: [readKeys()],
  args: "script numkeys:integer [key...] [arg...]",
  flagsOf: (server, words) => server.scripts.flagsOf(words, false),
  run: (call) => run(call, false, true),
});

/**
 * `EVALSHA_RO sha1 numkeys [key ...] [arg ...]`: EVALSHA that refuses writes.
 *
 * @see {@link https://redis.io/docs/latest/commands/evalsha_ro/}
 */
export const evalshaReadOnly: CommandDefinition = defineCommand({
  name: "evalsha_ro",
  group: "scripting",
  since: "7.0.0",
  summary: "Runs a Lua script that only reads, named by the SHA-1 of its source",
  complexity: COMPLEXITY,
  arity: -3,
  flags: RUN_READONLY_FLAGS,
  keys: [countedKeys("RO access", 2)],
  args: "sha1 numkeys:integer [key...] [arg...]",
  flagsOf: (server, words) => server.scripts.flagsOf(words, true),
  run: (call) => run(call, true, true),
});

function run(call: Call, byName: boolean, isReadOnly: boolean): void {
  const { server, client, words } = call;
  // Before the commands that it calls.
  server.dispatcher.showToMonitors(client, words);
  server.scripts.runScript(call, byName, isReadOnly);
}
