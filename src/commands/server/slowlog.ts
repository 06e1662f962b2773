/** SLOWLOG: the latest slow commands. They are kept by src/observe/slow_log.ts. */

import type { Call } from "../../dispatch/call.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { writeHelp } from "../help.ts";

const BAD_COUNT = "ERR count should be greater than or equal to -1";
const USUAL_COUNT = 10;

/**
 * `SLOWLOG GET [count]`: newest first, ten if not told otherwise, all for -1.
 *
 * @see {@link https://redis.io/docs/latest/commands/slowlog-get/}
 */
export const slowlogGet = defineCommand({
  name: "slowlog|get",
  group: "server",
  since: "2.2.12",
  history: [["4.0.0", "address and name of the client"]],
  summary: "Shows the latest commands that took long",
  complexity: "O(N), N entries",
  arity: -2,
  flags: ["admin", "loading", "stale"],
  tips: ["request_policy:all_nodes", "nondeterministic_output"],
  args: "[count:integer]",
  run: runSlowlogGet,
});

function runSlowlogGet(call: Call): void {
  const { server, words, reply } = call;
  if (words.count > 3) throw call.subcommandSyntaxError();
  let count = words.count > 2 ? call.clampedInteger(2, BAD_COUNT) : USUAL_COUNT;
  if (count < -1) throw new ReplyError(BAD_COUNT);
  const { entries } = server.slowLog;
  if (count === -1 || count > entries.length) count = entries.length;
  reply.array(count);
  for (let i = 0; i < count; i++) {
    const entry = entries[i];
    reply.array(6);
    reply.integer(entry.id);
    reply.integer(entry.time);
    reply.integer(entry.usec);
    reply.array(entry.words.length);
    for (const word of entry.words) reply.bulkText(word);
    reply.bulkText(entry.address);
    reply.bulkText(entry.name);
  }
}

/**
 * `SLOWLOG LEN`.
 *
 * @see {@link https://redis.io/docs/latest/commands/slowlog-len/}
 */
export const slowlogLen = defineCommand({
  name: "slowlog|len",
  group: "server",
  since: "2.2.12",
  summary: "Counts the entries of the slow log",
  complexity: "O(1)",
  arity: 2,
  flags: ["admin", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
  run: ({ server, reply }) => reply.integer(server.slowLog.entries.length),
});

/**
 * `SLOWLOG RESET`.
 *
 * @see {@link https://redis.io/docs/latest/commands/slowlog-reset/}
 */
export const slowlogReset = defineCommand({
  name: "slowlog|reset",
  group: "server",
  since: "2.2.12",
  summary: "Empties the slow log",
  complexity: "O(N), N entries",
  arity: 2,
  flags: ["admin", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  run: ({ server, reply }) => {
    server.slowLog.reset();
    reply.ok();
  },
});

/** `SLOWLOG HELP`. */
export const slowlogHelp = defineCommand({
  name: "slowlog|help",
  group: "server",
  since: "6.2.0",
  summary: "Lists the subcommands of SLOWLOG",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: (call) =>
    writeHelp(call, [
      [
        "GET [<count>]",
        "Show the newest entries, 10 unless told otherwise, all for -1. An entry has",
        "a number, Unix time, microseconds, the words of the command, and the client's",
        "address and name.",
      ],
      ["LEN", "Count the entries."],
      ["RESET", "Remove all entries."],
    ]),
});

/** The container of the above. */
export const slowlog = defineCommand({
  name: "slowlog",
  group: "server",
  since: "2.2.12",
  summary: "Groups the commands about the slow log",
  complexity: "Depends on the subcommand",
  arity: -2,
  subcommands: [slowlogGet, slowlogHelp, slowlogLen, slowlogReset],
});
