/** SAVE, BGSAVE and LASTSAVE; the work is done in src/rdb/persistence.ts. */

import type { Call } from "../../dispatch/call.ts";
import { SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";

const ALREADY_SAVING = "ERR Background save already in progress";

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
  if (persistence.isSaving) return reply.error(ALREADY_SAVING);
  const refusal = persistence.refusal();
  if (persistence.save()) reply.ok();
  else reply.error(refusal === null ? "ERR" : `ERR ${refusal}`);
}

/**
 * `BGSAVE [SCHEDULE]`. There is no other background work that a save would have to wait for, so
 * SCHEDULE makes no difference. An error names the key that `rdb-version` has no form for.
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
  if (persistence.isSaving) return reply.error(ALREADY_SAVING);
  const refusal = persistence.saveInBackground();
  if (refusal === null) reply.status("Background saving started");
  else reply.error(`ERR ${refusal}`);
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
