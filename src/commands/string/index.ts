/** The commands of this group. */

import type { Command } from "../command.ts";
import { get } from "./get.ts";

export const stringCommands: Command[] = [get];
