/** `maxclients` beside the limit of open files. */

import { assertEquals, assertThrows } from "@std/assert";
import { Config } from "../../src/config/config.ts";
import { fitMaxClients, refuseMaxClients } from "../../src/net/open_files_limit.ts";
import { Log } from "../../src/observe/log.ts";
import { runtime } from "../../src/runtime/here.ts";
import { openFilesLimit } from "../../src/runtime/proc_limits.ts";

function start(openFilesMax: number | null, maxclients: string) {
  const config = new Config(runtime, "/");
  config.assign("maxclients", [maxclients]);
  let text = "";
  const log = new Log(runtime.clock, 1, (line) => text += new TextDecoder().decode(line));
  fitMaxClients(config, { openFilesMax: () => openFilesMax }, log);
  const lines = text.split("\n").map((line) => line.replace(/^.*? # /, ""));
  return { maxclients: config.value("maxclients"), lines: lines.slice(0, -1) };
}

Deno.test("maxclients is lowered to what the limit of open files bears, and Redis's lines say so", () => {
  assertEquals(start(1024, "10000"), {
    maxclients: 960,
    lines: [
      "You requested maxclients of 10000 requiring at least 10064 max file descriptors.",
      "Current maximum open files is 1024. maxclients has been reduced to 960 to compensate for " +
      "low ulimit. If you need higher maxclients increase 'ulimit -n'.",
    ],
  });
});

Deno.test("maxclients stays where it is possible, or where nobody knows", () => {
  assertEquals(start(1024, "960"), { maxclients: 960, lines: [] });
  assertEquals(start(1024, "961").maxclients, 960);
  assertEquals(start(null, "4000000"), { maxclients: 4_000_000, lines: [] });
});

Deno.test("with room for no client at all the server does not start", () => {
  assertEquals(start(65, "10").maxclients, 1);
  assertThrows(
    () => start(64, "10"),
    Error,
    "Your current 'ulimit -n' of 64 is not enough for the server to start. Please increase your " +
      "open file limit to at least 74. Exiting.",
  );
});

Deno.test("CONFIG SET maxclients is refused beyond it, with the number that is possible", () => {
  const process = { openFilesMax: () => 100 };
  assertEquals(refuseMaxClients(36, process), undefined);
  assertEquals(
    refuseMaxClients(37, process),
    "The operating system is not able to handle the specified number of clients, try with 36",
  );
});

Deno.test("openFilesLimit reads the soft limit out of Linux's table", () => {
  const table = (soft: string) =>
    "Limit                     Soft Limit           Hard Limit           Units     \n" +
    "Max processes             95000                95000                processes \n" +
    `Max open files            ${soft.padEnd(20)} 20000                files     \n`;
  assertEquals(openFilesLimit(table("1024")), 1024);
  assertEquals(openFilesLimit(table("unlimited")), null);
  assertEquals(openFilesLimit(""), null);
});
