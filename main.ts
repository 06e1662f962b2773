/**
 * tsredis: reads the command line and the configuration, starts the server, passes signals on; or runs one of the tools
 * (src/tools), if the first word is the name of one.
 */

import { parseArguments } from "./src/config/arguments.ts";
import { Config } from "./src/config/config.ts";
import { ConfigError } from "./src/config/parse.ts";
import { Log } from "./src/observe/log.ts";
import { runtime } from "./src/runtime/here.ts";
import { keepProcessTitle } from "./src/process_title.ts";
import { logSink, Server } from "./src/server.ts";
import { commandCatalog } from "./src/commands/catalog.ts";
import { commandTable } from "./src/commands/index.ts";
import { openToolDataset } from "./src/tool_dataset.ts";
import { runTool, toolOf } from "./src/tools/command_line.ts";
import { tools } from "./src/tools/index.ts";
import { ToolHost } from "./src/tools/tool.ts";
import { userLineProblem, UsersError } from "./src/dispatch/access_control.ts";

async function main(args: readonly string[]): Promise<void> {
  const tool = toolOf(args, tools);
  if (tool !== null) {
    const host = new ToolHost(
      runtime,
      (onRemark) => openToolDataset(runtime, Math.random, onRemark),
    );
    host.listenToSignals();
    runtime.process.exit(await runTool(tool, args.slice(1), host));
  }
  const action = parseArguments(args, runtime);
  if (action.kind === "print") {
    const isError = action.exitCode !== 0 && !args.some((arg) => arg === "--help" || arg === "-h");
    (isError ? console.error : console.log)(action.text.trimEnd());
    runtime.process.exit(action.exitCode);
  }
  let config: Config;
  let log: Log;
  try {
    const names = new Set(commandTable.map((command) => command.name));
    config = Config.load(runtime, action.start, {
      isCommand: (name) => names.has(name),
      userProblem: (words, allChannels) => userLineProblem(words, commandCatalog(), allChannels),
    });
    log = new Log(runtime.clock, runtime.process.id, logSink(config));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.report());
    runtime.process.exit(1);
  }
  const ports = config.value("port") + config.value("tls-port");
  if (ports === 0 && !config.value("unixsocket")) {
    log.warning("Configured to not listen anywhere, exiting.");
    runtime.process.exit(1);
  }
  let server: Server;
  try {
    server = new Server({ config, log });
  } catch (error) {
    if (!(error instanceof UsersError)) throw error;
    log.warning(error.message);
    runtime.process.exit(1);
  }
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    runtime.process.onSignal(signal, () => server.onSignal(signal));
  }
  // A terminal that is closed, or a stray alarm, must not cost a dataset.
  for (const signal of ["SIGHUP", "SIGALRM"] as const) runtime.process.onSignal(signal, () => {});
  try {
    await server.start();
    keepProcessTitle(config, runtime);
  } catch (error) {
    log.warning(error instanceof Error ? error.message : String(error));
    runtime.process.exit(1);
  }
}

// Not awaited: see here.ts.
main(runtime.process.arguments);
