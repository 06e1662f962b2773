/** A test server with a command that takes long by its clock. */

import { commandCatalog } from "../../src/commands/catalog.ts";
import { commandTable } from "../../src/commands/index.ts";
import { defineCommand } from "../../src/dispatch/command.ts";
import { type TestServer, testServer, type TestServerOptions } from "./test_server.ts";

/** A server with `PASS ms`, which takes so long, as DEBUG SLEEP does. */
export function slowServer(options?: TestServerOptions): TestServer {
  const s = testServer(options);
  const pass = defineCommand({
    name: "pass",
    group: "generic",
    since: "1.0.0",
    summary: "Takes long",
    complexity: "O(N)",
    arity: 2,
    flags: [],
    run: (call) => {
      s.clock.nowMs += call.integer(1);
      call.reply.ok();
    },
  });
  s.dispatcher.setCommands(
    [...commandTable, pass].map((each) => [each.name, each]),
    commandCatalog(),
  );
  return s;
}
