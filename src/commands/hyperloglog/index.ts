/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { pfadd, pfmerge } from "./add.ts";
import { pfcount } from "./count.ts";
import { pfdebug, pfselftest } from "./debug.ts";

export const hyperloglogCommands: readonly CommandDefinition[] = [
  pfadd,
  pfcount,
  pfdebug,
  pfmerge,
  pfselftest,
];
