/** What the start of a server does beside serving: pid file, log file, warnings. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Config } from "../../src/config/config.ts";
import { Log } from "../../src/observe/log.ts";
import { logSink, Server } from "../../src/server.ts";
import { runtime } from "../../src/runtime/here.ts";

async function inFolder(
  options: string,
  check: (server: Server, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const start = { file: null, fromStdin: false, options: `port 0\nsave ""\n${options}` };
  const config = Config.load(runtime, start, { folder });
  const server = new Server({
    config,
    log: new Log(runtime.clock, 1, logSink(config)),
    exit: () => {},
  });
  try {
    await server.start();
    await check(server, folder);
  } finally {
    server.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

const options = { sanitizeResources: false, sanitizeOps: false };

Deno.test(
  "a start writes pidfile and logfile relative to dir, a stop removes the pid file",
  options,
  () =>
    inFolder("pidfile x.pid\nlogfile x.log", async (server, folder) => {
      assertEquals(await Deno.readTextFile(`${folder}/x.pid`), `${Deno.pid}\n`);
      assertMatch(await Deno.readTextFile(`${folder}/x.log`), /Server initialized\n/);
      server.stop();
      const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
      assertEquals(names, ["x.log"]);
    }),
);

Deno.test(
  "a pid file that cannot be written is told of and stops nothing",
  options,
  () =>
    inFolder("pidfile nosuch/x.pid\nlogfile x.log", async (_, folder) => {
      const log = await Deno.readTextFile(`${folder}/x.log`);
      assertStringIncludes(log, "Failed to write PID file: No such file or directory\n");
      assertStringIncludes(log, "Server initialized");
    }),
);

Deno.test(
  "directives that are set without effect are named, others not",
  options,
  () =>
    inFolder("io-threads 4\ntimeout 7\nlogfile x.log", async (_, folder) => {
      const log = await Deno.readTextFile(`${folder}/x.log`);
      assertMatch(log, /# Warning: 'io-threads' is set but has no effect: /);
      assert(!log.includes("'timeout'") && !log.includes("'tcp-backlog'"));
    }),
);
