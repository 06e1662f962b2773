/**
 * Drawn clients of a master, most of whose requests are scripts that run for too long: pipelines, transactions,
 * clients that leave, SCRIPT KILL, saves and pauses, while a replica comes and goes. Each request has its one
 * reply, and in the end the replica has what the master has.
 *
 * Which script is suspended when, no seed determines: a failure says what was drawn, and need not repeat.
 */

import { assertEquals } from "@std/assert";
import { RunningServer } from "../server/running_server.ts";
import { eventually } from "../support/eventually.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";
import { encode, type Reply, type RespClient, textOf } from "../support/resp_client.ts";

const CLIENTS = 4;
const ROUNDS = 24;

const LIBRARY = `#!lua name=l
redis.register_function('f', function(keys, args)
  for i = 1, tonumber(args[1]) do if i % 50000 == 0 then redis.call('incr', keys[1]) end end
  return redis.call('get', keys[1])
end)`;

const LOOP = "for i = 1, tonumber(ARGV[1]) do end";
const SCRIPTS = [
  `redis.call('incr', KEYS[1]) ${LOOP} redis.call('lpush', 'l' .. KEYS[1], redis.call('incr', KEYS[1]))`,
  `${LOOP} return redis.call('dbsize')`,
  `redis.call('set', KEYS[1] .. 'e', 'x', 'px', 2) ${LOOP} return redis.call('exists', KEYS[1] .. 'e')`,
  `redis.call('rpush', 'list', ARGV[1]) ${LOOP} return {redis.call('publish', 'c', 'm')}`,
  `${LOOP} redis.pcall('incr', 'list') error('x')`,
];

function drawnScript(random: Random): string[] {
  const key = `k${random.below(10)}`;
  const count = `${random.pick([1000, 100_000, 1_000_000])}`;
  if (random.chance(0.2)) return ["FCALL", "f", "1", key, count];
  return ["EVAL", random.pick(SCRIPTS), "1", key, count];
}

function isBusy(reply: Reply): boolean {
  return reply.kind === "error" && reply.text.startsWith("BUSY ");
}

/** EXEC has a reply for each command that was queued, or is refused. */
async function transaction(client: RespClient, random: Random): Promise<void> {
  const calls = Array.from(
    { length: random.between(1, 3) },
    () => random.chance(0.5) ? drawnScript(random) : ["INCR", `k${random.below(10)}`],
  );
  const replies = await client.pipeline([["MULTI"], ...calls, ["EXEC"]]);
  const ended = replies[replies.length - 1];
  if (ended.kind === "error") assertEquals(ended.text.slice(0, 9), "EXECABORT");
  else assertEquals(ended.kind === "array" ? ended.items.length : ended.kind, calls.length);
}

/** After CLIENT REPLY SKIP, unless that is refused, a script has none. */
async function unanswered(client: RespClient, random: Random): Promise<void> {
  await client.send(encode([["CLIENT", "REPLY", "SKIP"], drawnScript(random), ["HELLO", "2"]]));
  const first = await client.receive();
  if (isBusy(first)) {
    await client.receive();
    await client.receive();
  } else assertEquals(first.kind, "array");
}

/** What one client does with its connection, up to leaving it with requests under way. */
async function session(s: RunningServer, random: Random): Promise<void> {
  using client = await s.connect();
  for (let i = random.between(1, 20); i > 0; i--) {
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2:
        await client.call(...drawnScript(random));
        break;
      case 3:
        await transaction(client, random);
        break;
      case 4:
        await client.pipeline([drawnScript(random), drawnScript(random), drawnScript(random)]);
        break;
      case 5:
        if (random.chance(0.7)) await unanswered(client, random);
        else return await client.send(encode([drawnScript(random), drawnScript(random)]));
        break;
      case 6:
        await client.call("BLPOP", "list", "0.01");
        break;
      case 7:
        await client.call(random.pick(["SCRIPT", "FUNCTION"]), "KILL");
        break;
      case 8:
        await client.call(
          ...random.pick([["BGSAVE"], ["CLIENT", "PAUSE", "5", "WRITE"], [
            "SET",
            "p",
            "v",
            "PX",
            "1",
          ]]),
        );
        break;
      default:
        await client.call("INCR", `k${random.below(10)}`);
    }
  }
}

/** Calls it until the server is not busy. */
async function callWhenFree(s: RunningServer, ...words: string[]): Promise<Reply> {
  using client = await s.connect();
  return await eventually(async () => {
    const reply = await client.call(...words);
    return isBusy(reply) ? null : reply;
  }) as Reply;
}

Deno.test("long scripts of drawn clients: one reply for each request, and a replica that is equal", async () => {
  const seed = fuzzSeed(4711);
  await using master = await RunningServer.start(
    "busy-reply-threshold 2",
    "repl-diskless-sync-delay 0",
    "enable-debug-command yes",
  );
  await using replica = await RunningServer.start("enable-debug-command yes");
  await callWhenFree(master, "FUNCTION", "LOAD", LIBRARY);
  const follow = ["REPLICAOF", "127.0.0.1", `${master.port}`];
  let isOver = false;
  const clients = Array.from({ length: CLIENTS }, async (_, i) => {
    const random = new Random(seed + i);
    for (let round = fuzzRounds(ROUNDS / CLIENTS); round > 0; round--) {
      await session(master, random);
    }
  });
  const links = (async () => {
    using client = await replica.connect();
    for (let i = 0; !isOver; i++) {
      await client.call(...i % 4 === 3 ? ["REPLICAOF", "NO", "ONE"] : follow);
      if (i % 4 === 2) await client.call("CLIENT", "KILL", "TYPE", "master");
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  try {
    await Promise.all(clients);
  } catch (error) {
    throw new Error(`seed ${seed}: ${error}`, { cause: error });
  } finally {
    isOver = true;
    await links;
  }
  await callWhenFree(replica, ...follow);
  await eventually(() => {
    const { replication } = replica.core;
    return !master.core.scripts.isSuspended && replication.replica.isLinkUp &&
      replication.offset === master.core.replication.offset;
  }, { timeoutMs: 30_000, what: `the replica to come up (seed ${seed})` });
  const digestOf = async (s: RunningServer) => textOf(await callWhenFree(s, "DEBUG", "DIGEST"));
  await eventually(async () => await digestOf(master) === await digestOf(replica));
  assertEquals(master.core.clients.blockedCount, 0);
  assertEquals([master, replica].map((s) => s.core.statistics.unexpectedErrors), [0, 0]);
});
