/** MODULE: there are none, and none can be loaded, which is what clients that ask are told. */

import { defineCommand } from "../command.ts";
import { writeHelp } from "../help.ts";

/**
 * `MODULE LIST`.
 *
 * @see {@link https://redis.io/docs/latest/commands/module-list/}
 */
export const moduleList = defineCommand({
  name: "module|list",
  group: "server",
  since: "4.0.0",
  summary: "Lists loaded modules, of which there are none",
  complexity: "O(1)",
  arity: 2,
  flags: ["admin", "noscript"],
  tips: ["nondeterministic_output_order"],
  run: ({ reply }) => reply.array(0),
});

/** `MODULE HELP`. */
export const moduleHelp = defineCommand({
  name: "module|help",
  group: "server",
  since: "5.0.0",
  summary: "Lists the subcommands of MODULE",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: ({ reply }) =>
    writeHelp(reply, "MODULE", [[
      "LIST",
      "List loaded modules: always none, they cannot be loaded.",
    ]]),
});

/** The container of the above. */
export const module = defineCommand({
  name: "module",
  group: "server",
  since: "4.0.0",
  summary: "Groups the commands about modules",
  complexity: "Depends on the subcommand",
  arity: -2,
  subcommands: [moduleHelp, moduleList],
});
