/**
 * A test server whose SHUTDOWN is only noted, and that is of the same size wherever it runs.
 */

import type { ShutdownOptions } from "../../src/dispatch/services.ts";
import { TestServer } from "./test_server.ts";

export class WholeServer extends TestServer {
  /** What SHUTDOWN has asked for. */
  readonly shutdowns: ShutdownOptions[] = [];
  /** When set, a shutdown is refused for this reason. */
  shutdownRefusal: string | null = null;

  constructor() {
    super();
    this.core.requestShutdown = (options) => {
      this.shutdowns.push(options);
      if (this.shutdownRefusal !== null) options.onRefused(this.shutdownRefusal);
    };
  }
}

export function wholeServer(): WholeServer {
  return new WholeServer();
}
