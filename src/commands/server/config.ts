/** CONFIG: the configuration as clients see and change it. The work is done by src/config/. */

import { rewriteConfigFile } from "../../config/rewrite.ts";
import { DIRECTIVES, NAMES } from "../../config/table.ts";
import type { Call } from "../../dispatch/call.ts";
import { SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { writeHelp } from "../help.ts";

/**
 * `CONFIG GET pattern [pattern …]`: a map of names and values.
 *
 * @see {@link https://redis.io/docs/latest/commands/config-get/}
 */
export const configGet = defineCommand({
  name: "config|get",
  group: "server",
  since: "2.0.0",
  history: [["7.0.0", "several patterns in one call"]],
  summary: "Reads the settings whose names match one of the patterns",
  complexity: "O(N*M), N patterns and M settings",
  arity: -3,
  flags: ["admin", "noscript", "loading", "stale"],
  args: "parameter:(parameter)...",
  run: runConfigGet,
});

function runConfigGet({ server, words, reply }: Call): void {
  const patterns: string[] = [];
  for (let i = 2; i < words.count; i++) patterns.push(words.text(i));
  const found = server.config.get(patterns);
  reply.map(found.length);
  for (const [name, value] of found) {
    reply.bulkText(name);
    reply.bulkText(value);
  }
}

/**
 * `CONFIG SET name value [name value …]`: all of them or, when one is refused, none.
 *
 * @see {@link https://redis.io/docs/latest/commands/config-set/}
 */
export const configSet = defineCommand({
  name: "config|set",
  group: "server",
  since: "2.0.0",
  history: [["7.0.0", "several directives in one call"]],
  summary: "Changes settings, all of them or none",
  complexity: "O(N), N settings",
  arity: -4,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  args: "parameter_value:(parameter value)...",
  run: runConfigSet,
});

function runConfigSet({ server, client, words, reply }: Call): void {
  const isWhole = words.count % 2 === 0;
  const pairs: [string, string][] = [];
  for (let i = 2; i + 1 < words.count; i += 2) pairs.push([words.text(i), words.text(i + 1)]);
  // The slow log is shown the words after the call; where one too many is there, which of them is no value?
  const hidden = new Set<number>();
  pairs.forEach(([name], n) => {
    const directive = NAMES.get(name.toLowerCase());
    if (directive === undefined || !DIRECTIVES[directive].sensitive) return;
    hidden.add(2 * n + 3);
    if (!isWhole) hidden.add(words.count - 1);
  });
  if (hidden.size > 0) words.redactWhere((index) => hidden.has(index));
  if (!isWhole) return reply.error(SYNTAX_ERROR);
  const refusal = server.config.set(pairs, {
    isLocal: client.isLocal,
    // A replica that loads a full sync loads, too, whatever it serves meanwhile.
    isLoading: server.persistence.isLoading || server.persistence.replicaLoad?.isLoading === true,
  });
  if (refusal === null) reply.ok();
  else reply.error(refusal);
}

/**
 * `CONFIG REWRITE`: writes what was changed back to the configuration file.
 *
 * Errors: there is no file; it cannot be written.
 *
 * @see {@link https://redis.io/docs/latest/commands/config-rewrite/}
 */
export const configRewrite = defineCommand({
  name: "config|rewrite",
  group: "server",
  since: "2.8.0",
  summary: "Writes the settings in use to the configuration file",
  complexity: "O(1)",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  run: runConfigRewrite,
});

function runConfigRewrite({ server, reply }: Call): void {
  const refusal = rewriteConfigFile(server.config);
  if (refusal === null) {
    server.log.notice("CONFIG REWRITE executed with success.");
    return reply.ok();
  }
  if (server.config.file !== null) server.log.warning(`CONFIG REWRITE failed: ${refusal.slice(4)}`);
  reply.error(refusal);
}

/**
 * `CONFIG RESETSTAT`: puts the counters of INFO back to zero. What tells of the present (clients,
 * memory and its peak, time since the start) stays.
 *
 * @see {@link https://redis.io/docs/latest/commands/config-resetstat/}
 */
export const configResetstat = defineCommand({
  name: "config|resetstat",
  group: "server",
  since: "2.0.0",
  summary: "Puts the counters that INFO shows back to zero",
  complexity: "O(N), N commands",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  run: runConfigResetstat,
});

function runConfigResetstat({ server, reply }: Call): void {
  const { keyspace, statistics, dispatcher } = server;
  statistics.reset();
  server.accessLog.resetCounts();
  keyspace.keyspaceHits = 0;
  keyspace.keyspaceMisses = 0;
  keyspace.expiredKeys = 0;
  keyspace.expiredFields = 0;
  keyspace.evictedKeys = 0;
  keyspace.expireCycleMs = 0;
  keyspace.expireTimeouts = 0;
  keyspace.expiredShare = 0;
  server.evictor.resetExceeded();
  for (const command of dispatcher.byName.values()) command.resetStatistics();
  reply.ok();
}

/** `CONFIG HELP`. */
export const configHelp = defineCommand({
  name: "config|help",
  group: "server",
  since: "5.0.0",
  summary: "Lists the subcommands of CONFIG",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: runConfigHelp,
});

function runConfigHelp(call: Call): void {
  writeHelp(call, [
    ["GET <pattern>", "Show the settings whose names match the glob-style pattern."],
    ["SET <directive> <value>", "Give a setting a new value, from now on."],
    ["RESETSTAT", "Put the counters that INFO shows back to zero."],
    ["REWRITE", "Write the settings in use to the configuration file."],
  ]);
}

/** The container of the above. */
export const config = defineCommand({
  name: "config",
  group: "server",
  since: "2.0.0",
  summary: "Groups the commands about settings of the server",
  complexity: "Depends on the subcommand",
  arity: -2,
  subcommands: [configGet, configHelp, configResetstat, configRewrite, configSet],
});
