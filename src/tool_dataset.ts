/**
 * A dataset for the tools of the executable: a core that listens nowhere, has no timer, reads no configuration and
 * writes no file. What is past its time stays in it.
 */

import { AofLoader, type AofLoadHost } from "./aof/loader.ts";
import type { Draw } from "./base/clock.ts";
import { Config } from "./config/config.ts";
import { toPath } from "./config/parse.ts";
import { Core } from "./core.ts";
import { EXPIRE_IGNORED } from "./keyspace/expire_mode.ts";
import { Log } from "./observe/log.ts";
import type { Files, Runtime } from "./runtime/runtime.ts";
import type { LogLoad, ToolDataset } from "./tools/tool.ts";

/** Databases that it has: of servers with more, the tools say that they cannot replay the commands. */
const DATABASES = 1024;

/** An empty dataset; `onRemark` hears what a server's log would say of commands that fail. */
export function openToolDataset(
  runtime: Runtime,
  draw: Draw,
  onRemark: (line: string) => void,
): ToolDataset {
  const config = Config.of(runtime, { databases: DATABASES, save: "", loglevel: "warning" });
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
    load: async (load) => {
      await new ReadOnlyLoader(core.aof.host, load, runtime.files).load(load.manifest);
    },
    close: () => core.close(),
  };
}

/** Loads an append-only file from any folder, and leaves it as it is. */
class ReadOnlyLoader extends AofLoader {
  readonly #load: LogLoad;

  constructor(host: AofLoadHost, load: LogLoad, files: Files) {
    const pathOf = (name: string) => load.folder + toPath(name);
    const sizeOf = (name: string) => {
      const info = files.info(pathOf(name));
      if (info === null) throw new Error(`${pathOf(name)}: No such file or directory`);
      return info.sizeBytes;
    };
    super(host, { prefix: load.manifest.base?.name ?? "", pathOf, sizeOf }, false);
    this.#load = load;
  }

  override async yield(commandsDone: number): Promise<void> {
    await super.yield(commandsDone);
    const { databases } = this.host.keyspace;
    const keys = databases.reduce((sum, { count }) => sum + count, 0);
    await this.#load.atWork(this.loadedBytes(), keys);
  }
}
