/** The commands of this group. */

import type { Command } from "../command.ts";
import { command } from "./command.ts";
import { config } from "./config.ts";
import { dbsize, flushall, flushdb, swapdb } from "./databases.ts";
import { debug } from "./debug.ts";
import { info } from "./info.ts";
import { bgsave, lastsave, save } from "./save.ts";

export const serverCommands: Command[] = [
  bgsave,
  command,
  config,
  dbsize,
  debug,
  flushall,
  flushdb,
  info,
  lastsave,
  save,
  swapdb,
];
