/** The load that replication tests run under: that it is what it says. */

import { assert, assertEquals } from "@std/assert";
import { commandTable } from "../../src/commands/index.ts";
import { commandFacts } from "../support/command_facts.ts";
import { commandsInLoad, LoadGenerator, NOT_IN_LOAD } from "../support/replication_load.ts";
import { testServer } from "../support/test_server.ts";

/** Write commands of the table that redis 7.0 has too. */
const writeCommands = commandTable.filter(({ flags = [], name }) =>
  flags.includes("write") && name in commandFacts
).map(({ name }) => name);

/** Those that enter the stream as another command, by what they have done. */
const REWRITTEN = new Set(
  ("setex psetex getex getset getdel incrbyfloat hincrbyfloat expire expireat pexpire spop lmpop " +
    "blmpop blpop brpop brpoplpush blmove zmpop bzmpop bzpopmin bzpopmax geoadd xreadgroup " +
    "xautoclaim").split(" "),
);

Deno.test("the load has every write command there is, each succeeds and enters the stream", () => {
  const s = testServer();
  const g = new LoadGenerator(1);
  const succeeded = new Set<string>();
  const propagated = new Set<string>();
  const run = (words: string[]) => {
    const reply = s.run(...words);
    const name = words[0].toLowerCase();
    const isError = typeof reply === "object" && reply !== null && "error" in reply;
    if (!isError && reply !== "QUEUED") succeeded.add(name);
    if (name === "dump" && typeof reply === "string") g.payloads.push(reply);
    for (const command of s.propagated()) propagated.add(command.split(" ")[0].toLowerCase());
    s.clock.nowMs += 1;
  };
  for (let i = 0; i < 80_000; i++) {
    g.commands().forEach(run);
    if (i % 10 === 0) {
      const client = s.connect();
      client.run(...g.blockingCommand());
      s.clients.remove(client.client);
    }
  }
  for (let i = 0; i < 1_000; i++) run(g.blockingCommand());

  for (const name of Object.keys(NOT_IN_LOAD)) assert(writeCommands.includes(name), name);
  const expected = writeCommands.filter((name) => !(name in NOT_IN_LOAD));
  assertEquals(expected.filter((name) => !succeeded.has(name)), []);
  assertEquals(expected.filter((name) => !REWRITTEN.has(name) && !propagated.has(name)), []);
  // Brackets and choices of a database are in the stream besides, and ends of lives (DEL, above).
  for (const name of ["multi", "exec", "select"]) assert(propagated.has(name), name);
  assert(commandsInLoad().has("publish"));
});
