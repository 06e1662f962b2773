/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { get, getdel, getex, mget, strlen } from "./get.ts";
import { decr, decrby, incr, incrby, incrbyfloat } from "./increment.ts";
import { lcs } from "./lcs.ts";
import { append, getrange, setrange, substr } from "./range.ts";
import { getset, mset, msetnx, psetex, set, setex, setnx } from "./set.ts";

export const stringCommands: readonly CommandDefinition[] = [
  append,
  decr,
  decrby,
  get,
  getdel,
  getex,
  getrange,
  getset,
  incr,
  incrby,
  incrbyfloat,
  lcs,
  mget,
  mset,
  msetnx,
  psetex,
  set,
  setex,
  setnx,
  setrange,
  strlen,
  substr,
];
