/**
 * What a handler is given for one call of a command.
 *
 * On the path between dispatch and commands.
 */

import type { Command } from "../commands/command.ts";

/** One call of a command. */
export interface Call {
  /** The command being called; of a container with a subcommand, the subcommand. */
  readonly command: Command;
}
