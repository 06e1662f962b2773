/** The commands of this group. */

import type { Command } from "../command.ts";
import { lmpop, lpop, rpop } from "./pop.ts";
import { lpush, lpushx, rpush, rpushx } from "./push.ts";
import { lindex, llen, lpos, lrange } from "./read.ts";

export const listCommands: Command[] = [
  lindex,
  llen,
  lmpop,
  lpop,
  lpos,
  lpush,
  lpushx,
  lrange,
  rpop,
  rpush,
  rpushx,
];
