/** The commands of this group. */

import type { Command } from "../command.ts";

export const listCommands: Command[] = [];
