/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { acl } from "./acl.ts";
import { command } from "./command.ts";
import { config } from "./config.ts";
import { dbsize, flushall, flushdb, swapdb } from "./databases.ts";
import { debug } from "./debug.ts";
import { failover } from "./failover.ts";
import { info } from "./info.ts";
import { latency } from "./latency.ts";
import { lolwut } from "./lolwut.ts";
import { memory } from "./memory.ts";
import { module } from "./module.ts";
import { monitor } from "./monitor.ts";
import { replicaof, replication, role, slaveof } from "./replication.ts";
import { undo } from "./undo.ts";
import { psync, replconf, sync } from "./replication_master.ts";
import { bgrewriteaof, bgsave, lastsave, save } from "./save.ts";
import { shutdown } from "./shutdown.ts";
import { slowlog } from "./slowlog.ts";
import { restoreAsking } from "../generic/dump.ts";
import { time } from "./time.ts";

export const serverCommands: readonly CommandDefinition[] = [
  acl,
  bgrewriteaof,
  bgsave,
  command,
  config,
  dbsize,
  debug,
  failover,
  flushall,
  flushdb,
  info,
  lastsave,
  latency,
  lolwut,
  memory,
  module,
  monitor,
  psync,
  replconf,
  replicaof,
  replication,
  undo,
  restoreAsking,
  role,
  save,
  shutdown,
  slaveof,
  slowlog,
  swapdb,
  sync,
  time,
];
