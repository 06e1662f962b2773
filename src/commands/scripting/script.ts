/** SCRIPT: the scripts that the server keeps, and the one that runs. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { writeHelp } from "../help.ts";

const ALL_SHARDS = "request_policy:all_shards";
const ALL_SUCCEEDED = "response_policy:all_succeeded";

/**
 * `SCRIPT LOAD script`: compiles a script and keeps it until SCRIPT FLUSH; answers the SHA-1 that EVALSHA takes.
 *
 * @see {@link https://redis.io/docs/latest/commands/script-load/}
 */
const scriptLoad = defineCommand({
  name: "script|load",
  group: "scripting",
  since: "2.6.0",
  summary: "Keeps a script for EVALSHA",
  complexity: "O(N), N bytes of source",
  arity: 3,
  flags: ["noscript", "stale"],
  tips: ["request_policy:all_nodes", ALL_SUCCEEDED],
  args: "script",
  run: ({ server, words, reply }) => reply.bulkText(server.scripts.load(words)),
});

/**
 * `SCRIPT EXISTS sha1 [sha1 ...]`: 1 for each that is kept, 0 for the others.
 *
 * @see {@link https://redis.io/docs/latest/commands/script-exists/}
 */
const scriptExists = defineCommand({
  name: "script|exists",
  group: "scripting",
  since: "2.6.0",
  summary: "Tells which scripts are kept",
  complexity: "O(N), N scripts asked for",
  arity: -3,
  flags: ["noscript"],
  tips: [ALL_SHARDS, "response_policy:agg_logical_and"],
  args: "sha1...",
  run: runScriptExists,
});

function runScriptExists({ server, words, reply }: Call): void {
  const { cache } = server.scripts;
  reply.array(words.count - 2);
  for (let i = 2; i < words.count; i++) {
    reply.integer(cache.has(words.bytes, words.starts[i], words.lengths[i]) ? 1 : 0);
  }
}

/**
 * `SCRIPT FLUSH [ASYNC | SYNC]`: forgets all scripts. There is nothing to be done aside: both are the same.
 *
 * @see {@link https://redis.io/docs/latest/commands/script-flush/}
 */
const scriptFlush = defineCommand({
  name: "script|flush",
  group: "scripting",
  since: "2.6.0",
  history: [["6.2.0", "How to flush can be said: `ASYNC` or `SYNC`."]],
  summary: "Forgets all scripts",
  complexity: "O(N), N scripts",
  arity: -2,
  flags: ["noscript"],
  tips: ["request_policy:all_nodes", ALL_SUCCEEDED],
  args: "[async:(ASYNC | SYNC)@6.2.0]",
  run: runScriptFlush,
});

function runScriptFlush({ server, words, reply }: Call): void {
  if (words.count > 3 || (words.count === 3 && !isFlushMode(words.text(2)))) {
    return reply.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  }
  server.scripts.flush();
  reply.ok();
}

/** Whether a word says how to flush. */
export function isFlushMode(word: string): boolean {
  return /^a?sync$/i.test(word);
}

/**
 * `SCRIPT KILL`: ends the script that is running for too long, if it has not changed anything.
 *
 * @see {@link https://redis.io/docs/latest/commands/script-kill/}
 */
const scriptKill = defineCommand({
  name: "script|kill",
  group: "scripting",
  since: "2.6.0",
  summary: "Ends the running script",
  complexity: "O(1)",
  arity: 2,
  flags: ["noscript", "allow_busy"],
  tips: [ALL_SHARDS, "response_policy:one_succeeded"],
  run: ({ server, reply }) => {
    server.scripts.kill(true);
    reply.ok();
  },
});

/**
 * `SCRIPT DEBUG YES | SYNC | NO`. There is no debugger: NO is the only mode.
 *
 * @see {@link https://redis.io/docs/latest/commands/script-debug/}
 */
const scriptDebug = defineCommand({
  name: "script|debug",
  group: "scripting",
  since: "3.2.0",
  summary: "Chooses whether scripts are run in the debugger",
  complexity: "O(1)",
  arity: 3,
  flags: ["noscript"],
  args: "mode:(YES | SYNC | NO)",
  run: runScriptDebug,
});

function runScriptDebug({ words, reply }: Call): void {
  if (words.is(2, "no")) return reply.ok();
  const isMode = words.is(2, "yes") || words.is(2, "sync");
  reply.error(
    isMode ? "ERR this server has no debugger for scripts" : "ERR Use SCRIPT DEBUG YES/SYNC/NO",
  );
}

/**
 * `SCRIPT HELP`.
 *
 * @see {@link https://redis.io/docs/latest/commands/script-help/}
 */
const scriptHelp = defineCommand({
  name: "script|help",
  group: "scripting",
  since: "5.0.0",
  summary: "Lists the subcommands",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: (call) =>
    writeHelp(call, [
      ["DEBUG (YES|SYNC|NO)", "Choose the mode of the debugger, which this server does not have."],
      ["EXISTS <sha1> [<sha1> ...]", "Tell for each of the scripts whether it is kept."],
      ["FLUSH [ASYNC|SYNC]", "Forget all scripts."],
      ["KILL", "End the script that is running."],
      ["LOAD <script>", "Keep a script without running it."],
    ]),
});

/**
 * `SCRIPT`: a container.
 *
 * @see {@link https://redis.io/docs/latest/commands/script/}
 */
export const script = defineCommand({
  name: "script",
  group: "scripting",
  since: "2.6.0",
  summary: "Looks after the scripts that are kept",
  complexity: "That of the subcommand",
  arity: -2,
  subcommands: [scriptDebug, scriptExists, scriptFlush, scriptHelp, scriptKill, scriptLoad],
});
