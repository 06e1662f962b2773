/** The commands of this group. */

import type { Command } from "../../dispatch/command.ts";
import { discard, exec, multi, unwatch, watch } from "./multi.ts";

export const transactionCommands: Command[] = [discard, exec, multi, unwatch, watch];
