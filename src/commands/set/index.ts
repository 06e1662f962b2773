/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { sadd, smove, srem } from "./change.ts";
import {
  sdiff,
  sdiffstore,
  sinter,
  sintercard,
  sinterstore,
  sunion,
  sunionstore,
} from "./operations.ts";
import { spop, srandmember } from "./random.ts";
import { scard, sismember, smembers, smismember } from "./read.ts";
import { sscan } from "./scan.ts";

export const setCommands: readonly CommandDefinition[] = [
  sadd,
  scard,
  sdiff,
  sdiffstore,
  sinter,
  sintercard,
  sinterstore,
  sismember,
  smembers,
  smismember,
  smove,
  spop,
  srandmember,
  srem,
  sscan,
  sunion,
  sunionstore,
];
