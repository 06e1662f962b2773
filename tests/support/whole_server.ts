/**
 * A test server with the parts that commands about the server itself look at: persistence, memory
 * figures, switches, and a shutdown that is only noted.
 */

import { Persistence } from "../../src/rdb/persistence.ts";
import { runtime } from "../../src/runtime/here.ts";
import { Replication } from "../../src/replication/replication.ts";
import type { Services, ShutdownOptions } from "../../src/dispatch/services.ts";
import { TestServer } from "./test_server.ts";

export class WholeServer extends TestServer {
  /** What SHUTDOWN has asked for. */
  readonly shutdowns: ShutdownOptions[] = [];
  /** When set, a shutdown is refused for this reason. */
  shutdownRefusal: string | null = null;

  constructor() {
    super();
    const parts: Partial<{ -readonly [K in keyof Services]: Services[K] }> = {
      persistence: new Persistence(this.keyspace, this.config, this.services.log, runtime),
      isActiveExpireOn: true,
      isTimerOn: true,
      skipsChecksums: false,
      usedMemory: () => 1_000_000 + this.keyspace.dataBytes + 2048,
      clientBytes: () => 2048,
      abortShutdown: () => false,
      shutdownRemainingMs: () => null,
      requestShutdown: (options) => {
        this.shutdowns.push(options);
        if (this.shutdownRefusal !== null) options.onRefused(this.shutdownRefusal);
      },
    };
    Object.assign(this.services, parts);
    Object.assign(this.services, {
      replication: new Replication({
        ...this.services,
        isPaused: false,
        openMasterClient: () => {
          throw new Error("this server has no sockets");
        },
        processMasterInput: () => {},
        closeMasterClient: () => {},
        replicationChanged: () => {},
        roleChanged: () => {},
      }),
    });
  }
}

export function wholeServer(): WholeServer {
  return new WholeServer();
}
