/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { dump, restore } from "./dump.ts";
import { expire, expireat, persist, pexpire, pexpireat } from "./expire.ts";
import { migrate } from "./migrate.ts";
import { object } from "./object.ts";
import { exists, touch, type } from "./presence.ts";
import { del, unlink } from "./remove.ts";
import { copy, move, rename, renamenx } from "./rename.ts";
import { sort, sortRo } from "./sort.ts";
import { expiretime, pexpiretime, pttl, ttl } from "./ttl.ts";
import { wait, waitaof } from "./wait.ts";
import { keys, randomkey, scan } from "./walk.ts";

export const genericCommands: readonly CommandDefinition[] = [
  copy,
  del,
  dump,
  exists,
  expire,
  expireat,
  expiretime,
  keys,
  migrate,
  move,
  object,
  persist,
  pexpire,
  pexpireat,
  pexpiretime,
  pttl,
  randomkey,
  rename,
  renamenx,
  restore,
  scan,
  sort,
  sortRo,
  touch,
  ttl,
  type,
  unlink,
  wait,
  waitaof,
];
