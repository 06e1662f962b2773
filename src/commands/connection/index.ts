/** The commands of this group. */

import type { Command } from "../command.ts";
import { echo, ping } from "./ping.ts";
import { select } from "./select.ts";

export const connectionCommands: Command[] = [echo, ping, select];
