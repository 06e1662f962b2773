/**
 * A dataset for the tools of the executable: a core that listens nowhere, has no timer, reads no configuration and
 * writes no file. What is past its time stays in it.
 */

import type { Draw } from "./base/clock.ts";
import { Config } from "./config/config.ts";
import { Core } from "./core.ts";
import { EXPIRE_IGNORED } from "./keyspace/expire_mode.ts";
import { Log } from "./observe/log.ts";
import type { Runtime } from "./runtime/runtime.ts";
import type { ToolDataset } from "./tools/tool.ts";

/** Databases that it has: of servers with more, the tools say that they cannot replay the commands. */
const DATABASES = 1024;

/** An empty dataset; `onRemark` hears what a server's log would say of commands that fail. */
export function openToolDataset(
  runtime: Runtime,
  draw: Draw,
  onRemark: (line: string) => void,
): ToolDataset {
  const config = Config.of(runtime, { databases: DATABASES, save: "" });
  const log = new Log(runtime.clock, runtime.process.id, () => {});
  log.warning = onRemark;
  const core = new Core({ config, log, runtime, draw, ending: { stop() {}, exit() {} } });
  const { keyspace } = core;
  keyspace.expireMode = keyspace.roleExpireMode = EXPIRE_IGNORED;
  return {
    keyspace,
    replay(work) {
      keyspace.refreshTime();
      keyspace.stream.mute(work);
    },
    runCommands: () => core.runCommands(),
    close: () => core.close(),
  };
}
