/** The commands of this group. */

import type { Command } from "../command.ts";

export const genericCommands: Command[] = [];
