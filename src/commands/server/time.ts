/** TIME. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";

/**
 * `TIME`: Unix time in seconds, and the microseconds since (in whole milliseconds: the clock has no
 * more).
 *
 * @see {@link https://redis.io/docs/latest/commands/time/}
 */
export const time = defineCommand({
  name: "time",
  group: "server",
  since: "2.6.0",
  summary: "Tells the server's time",
  complexity: "O(1)",
  arity: 1,
  flags: ["loading", "stale", "fast"],
  tips: ["nondeterministic_output"],
  run: runTime,
});

function runTime({ nowMs, reply }: Call): void {
  reply.array(2);
  reply.bulkInteger(Math.floor(nowMs / 1000));
  reply.bulkInteger(Math.floor(nowMs % 1000) * 1000);
}
