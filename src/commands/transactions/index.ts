/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { discard, exec, multi, unwatch, watch } from "./multi.ts";

export const transactionCommands: readonly CommandDefinition[] = [
  discard,
  exec,
  multi,
  unwatch,
  watch,
];
