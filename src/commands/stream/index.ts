/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { xadd, xdel } from "./add.ts";
import { xautoclaim, xclaim } from "./claim.ts";
import { xgroup, xsetid } from "./group.ts";
import { xinfo } from "./info.ts";
import { xack, xpending } from "./pending.ts";
import { xlen, xrange, xrevrange } from "./range.ts";
import { xread, xreadgroup } from "./read.ts";
import { xackdel, xdelex } from "./references.ts";
import { xtrim } from "./trim.ts";

export const streamCommands: readonly CommandDefinition[] = [
  xack,
  xackdel,
  xadd,
  xautoclaim,
  xclaim,
  xdel,
  xdelex,
  xgroup,
  xinfo,
  xlen,
  xpending,
  xrange,
  xread,
  xreadgroup,
  xrevrange,
  xsetid,
  xtrim,
];
