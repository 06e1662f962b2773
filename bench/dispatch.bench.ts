/**
 * What does dispatch add to a command: finding it, its gates, statistics, the call? Each figure is for
 * 1,000 requests, parsed beforehand; PING does nothing itself, so it is the price of the path.
 */
import { Config } from "../src/config/config.ts";
import { GATE_MEMORY } from "../src/dispatch/dispatcher.ts";
import { Log } from "../src/observe/log.ts";
import { recycleChunk } from "../src/resp/reply_writer.ts";
import { Words } from "../src/resp/words.ts";
import { Client } from "../src/dispatch/client.ts";
import { Server } from "../src/server.ts";
import { runtime } from "../src/runtime/here.ts";

const REQUESTS = 1000;
let sink = 0;

const server = new Server({
  config: new Config(runtime),
  log: new Log(runtime.clock, 1, () => {}),
  exit: () => {},
});
const { dispatcher, keyspace } = server.core;
const client = new Client(1, keyspace.databases[0], keyspace.nowMs);

function run(requests: readonly Words[]): void {
  for (let i = 0; i < REQUESTS; i++) dispatcher.execute(client, requests[i % requests.length]);
  const { reply } = client;
  for (let chunk = reply.takeChunk(); chunk !== null; chunk = reply.takeChunk()) {
    sink += reply.chunkLength;
    recycleChunk(chunk);
  }
}

function bench(name: string, group: string, ...requests: Words[]): void {
  Deno.bench(name, { group }, () => run(requests));
}

run([Words.of("SET", "key:000000000001", "xxx")]);
bench("PING", "commands", Words.of("PING"));
bench("GET", "commands", Words.of("GET", "key:000000000001"));
bench("SET", "commands", Words.of("SET", "key:000000000001", "xxx"));
bench("INCR", "commands", Words.of("INCR", "counter:000000000001"));
bench("GET and PING in turn", "commands", Words.of("GET", "key:000000000001"), Words.of("PING"));
bench("CLIENT ID, a subcommand", "commands", Words.of("CLIENT", "ID"));
bench("an unknown command", "commands", Words.of("NOSUCH", "key"));

Deno.bench("GET through the gates, maxmemory set", { group: "gates" }, () => {
  server.core.setGate(GATE_MEMORY, true);
  run([Words.of("GET", "key:000000000001")]);
  server.core.setGate(GATE_MEMORY, false);
});
Deno.bench("GET in a transaction of 1,000", { group: "gates" }, () => {
  dispatcher.execute(client, Words.of("MULTI"));
  run([Words.of("GET", "key:000000000001")]);
  dispatcher.execute(client, Words.of("EXEC"));
});

const names = [...dispatcher.byName.values()].map(({ nameBytes }) => nameBytes);
Deno.bench("find every command of the table once", { group: "find" }, () => {
  for (const name of names) if (dispatcher.find(name, 0, name.length) !== null) sink++;
});
