/**
 * A whole server in the test's own process, on sockets: what is between a read and a write, with the
 * parts at hand to look into. For signals, exit codes and permissions see tsredis_process.ts.
 */

import { Config } from "../../src/config/config.ts";
import type { Core } from "../../src/core.ts";
import { Log } from "../../src/observe/log.ts";
import { Server } from "../../src/server.ts";
import { freePort } from "../support/free_port.ts";
import { connect, type RespClient } from "../support/resp_client.ts";
import { runtime } from "../../src/runtime/here.ts";

export class RunningServer implements AsyncDisposable {
  private constructor(
    readonly server: Server,
    readonly port: number,
    readonly dir: string,
    readonly logLines: string[],
  ) {}

  /**
   * Starts a server with these lines of configuration. It listens on a free port of 127.0.0.1 unless
   * a `bind` line says otherwise.
   */
  static async start(...lines: string[]): Promise<RunningServer> {
    return await RunningServer.startIn(
      await Deno.makeTempDir({ prefix: "tsredis-test-" }),
      ...lines,
    );
  }

  /** The same in a folder that is there, which is removed with this server or before. */
  static async startIn(dir: string, ...lines: string[]): Promise<RunningServer> {
    const port = freePort();
    const options = ["bind 127.0.0.1", `port ${port}`, `dir ${dir}`, 'save ""', "loglevel debug"];
    const config = Config.load(
      runtime,
      { file: null, fromStdin: false, options: [...options, ...lines].join("\n") + "\n" },
      { folder: dir },
    );
    const logLines: string[] = [];
    const log = new Log(
      runtime.clock,
      Deno.pid,
      (line) => logLines.push(new TextDecoder().decode(line)),
    );
    const server = new Server({ config, log, exit: () => {} });
    await server.start();
    return new RunningServer(server, port, dir, logLines);
  }

  get core(): Core {
    return this.server.core;
  }

  /** A new connection to it, by way of 127.0.0.1. */
  connect(): Promise<RespClient> {
    return connect(this.port);
  }

  /** Whether a line of its log contains this. */
  hasLogged(text: string): boolean {
    return this.logLines.some((line) => line.includes(text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.stop();
    // The reads and accepts that closing has ended settle before the test does.
    await new Promise((resolve) => setTimeout(resolve, 0));
    await Deno.remove(this.dir, { recursive: true }).catch(() => {});
  }
}
