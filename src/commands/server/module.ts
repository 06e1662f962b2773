/** MODULE: there are none, and none can be loaded, which is what clients that ask are told. */

import { defineCommand } from "../../dispatch/command.ts";
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
  run: (call) =>
    writeHelp(call, [
      ["LIST", "List loaded modules: always none, they cannot be loaded."],
      ["LOAD <path> [<arg> ...]", "Answers with an error."],
      ["LOADEX <path> [CONFIG <name> <value> ...] [ARGS <arg> ...]", "Answers with an error."],
      ["UNLOAD <name>", "Answers with an error."],
    ]),
});

const NO_MODULES = "ERR Error loading the extension. tsredis cannot load modules.";

/**
 * `MODULE LOAD path [arg ...]`. Always an error.
 *
 * @see {@link https://redis.io/docs/latest/commands/module-load/}
 */
export const moduleLoad = defineCommand({
  name: "module|load",
  group: "server",
  since: "4.0.0",
  summary: "Would load a module; tsredis has none and answers with an error",
  complexity: "O(1)",
  arity: -3,
  flags: ["admin", "noscript", "no_async_loading", "protected"],
  args: "path [arg...]",
  run: ({ reply }) => reply.error(NO_MODULES),
});

/**
 * `MODULE LOADEX path [CONFIG name value ...] [ARGS arg ...]`. Always an error.
 *
 * @see {@link https://redis.io/docs/latest/commands/module-loadex/}
 */
export const moduleLoadex = defineCommand({
  name: "module|loadex",
  group: "server",
  since: "7.0.0",
  summary: "Would load a module with settings; answers with an error",
  complexity: "O(1)",
  arity: -3,
  flags: ["admin", "noscript", "no_async_loading", "protected"],
  args: "path [CONFIG... configs:(name value)] [ARGS args:(arg)...]",
  run: ({ reply }) => reply.error(NO_MODULES),
});

/**
 * `MODULE UNLOAD name`. Always an error.
 *
 * @see {@link https://redis.io/docs/latest/commands/module-unload/}
 */
export const moduleUnload = defineCommand({
  name: "module|unload",
  group: "server",
  since: "4.0.0",
  summary: "Would unload a module; none is ever loaded",
  complexity: "O(1)",
  arity: 3,
  flags: ["admin", "noscript", "no_async_loading", "protected"],
  args: "name",
  run: ({ reply }) => reply.error("ERR Error unloading module: no such module with that name"),
});

/** The container of the above. */
export const module = defineCommand({
  name: "module",
  group: "server",
  since: "4.0.0",
  summary: "Groups the commands about modules",
  complexity: "Depends on the subcommand",
  arity: -2,
  subcommands: [moduleHelp, moduleList, moduleLoad, moduleLoadex, moduleUnload],
});
