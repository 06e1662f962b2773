/** INFO. The text is made by src/observe/info.ts. */

import type { Call } from "../../dispatch/call.ts";
import { infoText } from "./info_sections.ts";
import { defineCommand } from "../../dispatch/command.ts";

/**
 * `INFO [section …]`: text for people and for monitoring; unknown sections are passed over.
 *
 * @see {@link https://redis.io/docs/latest/commands/info/}
 */
export const info = defineCommand({
  name: "info",
  group: "server",
  since: "1.0.0",
  history: [["7.0.0", "several sections"]],
  summary: "Tells of the server's state and counters, section by section",
  complexity: "O(N), N clients, commands and databases",
  arity: -1,
  flags: ["loading", "stale"],
  acl: ["dangerous"],
  tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
  args: "[section...]",
  run: runInfo,
});

function runInfo({ server, words, reply }: Call): void {
  const sections: string[] = [];
  for (let i = 1; i < words.count; i++) sections.push(words.text(i));
  const { bytes, length } = infoText(server, sections);
  reply.verbatimBytes(bytes, length);
}
