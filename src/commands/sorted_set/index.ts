/** The commands of this group. */

import type { Command } from "../command.ts";
import { zadd, zincrby } from "./add.ts";
import { zmpop, zpopmax, zpopmin } from "./pop.ts";
import {
  zrange,
  zrangebylex,
  zrangebyscore,
  zrangestore,
  zrevrange,
  zrevrangebylex,
  zrevrangebyscore,
} from "./range.ts";
import { zcard, zcount, zlexcount, zmscore, zrank, zrevrank, zscore } from "./read.ts";
import { zrem, zremrangebylex, zremrangebyrank, zremrangebyscore } from "./remove.ts";

export const sortedSetCommands: Command[] = [
  zadd,
  zcard,
  zcount,
  zincrby,
  zlexcount,
  zmpop,
  zmscore,
  zpopmax,
  zpopmin,
  zrange,
  zrangebylex,
  zrangebyscore,
  zrangestore,
  zrank,
  zrem,
  zremrangebylex,
  zremrangebyrank,
  zremrangebyscore,
  zrevrange,
  zrevrangebylex,
  zrevrangebyscore,
  zrevrank,
  zscore,
];
