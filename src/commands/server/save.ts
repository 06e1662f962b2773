/** SAVE, BGSAVE, BGREWRITEAOF and LASTSAVE; the work is done in src/rdb/persistence.ts and src/aof. */

import type { Call } from "../../dispatch/call.ts";
import { SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";

const ALREADY_SAVING = "ERR Background save already in progress";
const REWRITING =
  "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order " +
  "to schedule a BGSAVE whenever possible.";

/**
 * `SAVE`. Serves nobody until the file is on the disk. An error names the key that `rdb-version` has no form for.
 *
 * @see {@link https://redis.io/docs/latest/commands/save/}
 */
export const save = defineCommand({
  name: "save",
  group: "server",
  since: "1.0.0",
  summary: "Writes the dataset to disk while all clients wait",
  complexity: "O(N) where N is the number of keys in all databases",
  arity: 1,
  flags: ["admin", "noscript", "no_async_loading", "no_multi"],
  run: runSave,
});

function runSave({ server, reply }: Call): void {
  const { persistence } = server;
  if (persistence.isSaving && !persistence.isSavingBase) return reply.error(ALREADY_SAVING);
  const refusal = persistence.refusal();
  if (persistence.save()) reply.ok();
  else reply.error(refusal === null ? "ERR" : `ERR ${refusal}`);
}

/**
 * `BGSAVE [SCHEDULE]`. SCHEDULE has it wait for a rewrite of the append-only file. An error names the key that
 * `rdb-version` has no form for.
 *
 * @see {@link https://redis.io/docs/latest/commands/bgsave/}
 */
export const bgsave = defineCommand({
  name: "bgsave",
  group: "server",
  since: "1.0.0",
  history: [["3.2.2", "`SCHEDULE`"]],
  summary: "Starts writing the dataset to disk between requests",
  complexity: "O(1)",
  arity: -1,
  flags: ["admin", "noscript", "no_async_loading"],
  args: "[SCHEDULE@3.2.2]",
  run: runBgsave,
});

function runBgsave({ server, words, reply }: Call): void {
  const { persistence } = server;
  if (words.count > 2 || (words.count === 2 && !words.is(1, "schedule"))) {
    return reply.error(SYNTAX_ERROR);
  }
  if (persistence.isSavingBase) {
    if (words.count === 1) return reply.error(REWRITING);
    persistence.schedule();
    return reply.status("Background saving scheduled");
  }
  if (persistence.isSaving) return reply.error(ALREADY_SAVING);
  const refusal = persistence.saveInBackground();
  if (refusal === null) reply.status("Background saving started");
  else reply.error(`ERR ${refusal}`);
}

/**
 * `BGREWRITEAOF`. Also with `appendonly no`: then there is an append-only file as of this moment.
 *
 * @see {@link https://redis.io/docs/latest/commands/bgrewriteaof/}
 */
export const bgrewriteaof = defineCommand({
  name: "bgrewriteaof",
  group: "server",
  since: "1.0.0",
  summary: "Starts making the append-only file anew between requests",
  complexity: "O(1)",
  arity: 1,
  flags: ["admin", "noscript", "no_async_loading"],
  run: runBgrewriteaof,
});

function runBgrewriteaof({ server, isNested, reply }: Call): void {
  switch (server.aof.requestRewrite(isNested)) {
    case "started":
      return reply.status("Background append only file rewriting started");
    case "scheduled":
      return reply.status("Background append only file rewriting scheduled");
    case "under way":
      return reply.error("ERR Background append only file rewriting already in progress");
    case "failed":
      reply.error(
        "ERR Can't execute an AOF background rewriting. Please check the server logs for more " +
          "information.",
      );
  }
}

/**
 * `LASTSAVE`: Unix time in seconds of the last save that went well, or of the start.
 *
 * @see {@link https://redis.io/docs/latest/commands/lastsave/}
 */
export const lastsave = defineCommand({
  name: "lastsave",
  group: "server",
  since: "1.0.0",
  summary: "Tells when the dataset was last saved",
  complexity: "O(1)",
  arity: 1,
  flags: ["loading", "stale", "fast"],
  acl: ["admin", "dangerous"],
  tips: ["nondeterministic_output"],
  run: runLastsave,
});

function runLastsave({ server, reply }: Call): void {
  reply.integer(Math.floor(server.persistence.lastSaveMs / 1000));
}
