/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { hdel } from "./delete.ts";
import { hexists, hget, hgetall, hkeys, hlen, hmget, hstrlen, hvals } from "./get.ts";
import { hincrby, hincrbyfloat } from "./increment.ts";
import { hrandfield } from "./random.ts";
import { hscan } from "./scan.ts";
import { hmset, hset, hsetnx } from "./set.ts";

export const hashCommands: readonly CommandDefinition[] = [
  hdel,
  hexists,
  hget,
  hgetall,
  hincrby,
  hincrbyfloat,
  hkeys,
  hlen,
  hmget,
  hmset,
  hrandfield,
  hscan,
  hset,
  hsetnx,
  hstrlen,
  hvals,
];
