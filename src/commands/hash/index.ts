/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { hdel } from "./delete.ts";
import { hexpire, hexpireat, hpersist, hpexpire, hpexpireat } from "./expire.ts";
import { hexists, hget, hgetall, hkeys, hlen, hmget, hstrlen, hvals } from "./get.ts";
import { hgetdel, hgetex, hsetex } from "./get_expire.ts";
import { hincrby, hincrbyfloat } from "./increment.ts";
import { hrandfield } from "./random.ts";
import { hscan } from "./scan.ts";
import { hmset, hset, hsetnx } from "./set.ts";
import { hexpiretime, hpexpiretime, hpttl, httl } from "./ttl.ts";

export const hashCommands: readonly CommandDefinition[] = [
  hdel,
  hexists,
  hexpire,
  hexpireat,
  hexpiretime,
  hget,
  hgetall,
  hgetdel,
  hgetex,
  hincrby,
  hincrbyfloat,
  hkeys,
  hlen,
  hmget,
  hmset,
  hpersist,
  hpexpire,
  hpexpireat,
  hpexpiretime,
  hpttl,
  hrandfield,
  hscan,
  hset,
  hsetex,
  hsetnx,
  hstrlen,
  httl,
  hvals,
];
