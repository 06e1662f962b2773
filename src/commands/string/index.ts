/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { delex, delifeq, digest } from "./compare.ts";
import { get, getdel, getex, mget, strlen } from "./get.ts";
import { decr, decrby, incr, incrby, incrbyfloat } from "./increment.ts";
import { lcs } from "./lcs.ts";
import { append, getrange, setrange, substr } from "./range.ts";
import { getset, psetex, set, setex, setnx } from "./set.ts";
import { mset, msetex, msetnx } from "./set_several.ts";

export const stringCommands: readonly CommandDefinition[] = [
  append,
  decr,
  decrby,
  delex,
  delifeq,
  digest,
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
  msetex,
  msetnx,
  psetex,
  set,
  setex,
  setnx,
  setrange,
  strlen,
  substr,
];
