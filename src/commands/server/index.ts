/** The commands of this group. */

import type { Command } from "../command.ts";
import { command } from "./command.ts";
import { config } from "./config.ts";
import { info } from "./info.ts";

export const serverCommands: Command[] = [command, config, info];
