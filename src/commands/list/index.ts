/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { blmove, blmpop, blpop, brpop, brpoplpush } from "./blocking.ts";
import { linsert, lrem, lset, ltrim } from "./change.ts";
import { lmove, rpoplpush } from "./move.ts";
import { lmpop, lpop, rpop } from "./pop.ts";
import { lpush, lpushx, rpush, rpushx } from "./push.ts";
import { lindex, llen, lpos, lrange } from "./read.ts";

export const listCommands: readonly CommandDefinition[] = [
  blmove,
  blmpop,
  blpop,
  brpop,
  brpoplpush,
  lindex,
  linsert,
  llen,
  lmove,
  lmpop,
  lpop,
  lpos,
  lpush,
  lpushx,
  lrange,
  lrem,
  lset,
  ltrim,
  rpop,
  rpoplpush,
  rpush,
  rpushx,
];
