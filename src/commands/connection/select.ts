/** SELECT. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";

/**
 * `SELECT index`.
 *
 * @see {@link https://redis.io/docs/latest/commands/select/}
 */
export const select = defineCommand({
  name: "select",
  group: "connection",
  since: "1.0.0",
  summary: "Chooses the database that this connection works on",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale", "fast"],
  args: "index:integer",
  run: runSelect,
});

function runSelect(call: Call): void {
  const index = call.clampedInteger(1);
  if (index < -0x80000000 || index > 0x7fffffff) {
    return call.reply.error(
      "ERR value is out of range, value must between -2147483648 and 2147483647",
    );
  }
  const database = call.server.keyspace.databases[index];
  if (database === undefined) return call.reply.error("ERR DB index is out of range");
  call.client.database = database;
  call.reply.ok();
}
