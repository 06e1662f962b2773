import { assert, assertEquals } from "@std/assert";
import { Words } from "../../../src/resp/words.ts";
import { eventually } from "../../support/eventually.ts";
import { type TestServer, testServer, type Value } from "../../support/test_server.ts";

const BUSY =
  "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";

/** A server whose clock goes on by a millisecond with each look, so that scripts soon are long ones. */
function serverWithTime(): TestServer {
  const s = testServer({ directives: { "busy-reply-threshold": 1 } });
  let nowMs = s.clock.nowMs;
  Object.defineProperty(s.clock, "nowMs", { get: () => nowMs++ });
  return s;
}

for (
  const [where, loop] of [
    ["", "while true do end"],
    [" in pcall", "while true do pcall(function() while true do end end) end"],
    [" in sort", "table.sort({3, 2, 1}, function() while true do end end)"],
    [" in a coroutine", "coroutine.wrap(function() while true do end end)()"],
    [" in a pattern", "string.find(string.rep('a', 40), string.rep('.-', 20) .. 'b')"],
    [" of commands", "while true do redis.call('get', 'k') end"],
  ]
) {
  Deno.test(`a script that loops${where} lets others be told BUSY, and SCRIPT KILL ends it`, async () => {
    const s = serverWithTime();
    const runner = s.connect();
    const other = s.connect();
    assertEquals(runner.run("EVAL", loop, 0), undefined);
    assertEquals(other.run("GET", "k"), { error: BUSY });
    assertEquals(other.run("SCRIPT", "KILL"), "OK");
    const replies = await eventually(() => {
      const received = runner.received();
      assert(received.length > 0);
      return received;
    });
    assert((replies[0] as { error: string }).error.startsWith("ERR Script killed by user"));
    assertEquals(other.run("GET", "k"), null);
    assertEquals(runner.run("EVAL", "return 1", 0), 1);
    assertEquals(s.clients.blockedCount, 0);
  });
}

/** Runs to its end after some while, in which others have their turn. */
const LONG = "for i = 1, 3e6 do end ";

Deno.test("a script that has changed something cannot be killed, and its changes are one unit", async () => {
  const s = serverWithTime();
  const runner = s.connect();
  s.propagated();
  const script = `redis.call('set', 'k', 1) ${LONG} return redis.call('incr', 'k')`;
  assertEquals(runner.run("EVAL", script, 0), undefined);
  assert((s.run("SCRIPT", "KILL") as { error: string }).error.startsWith("UNKILLABLE "));
  assertEquals(s.run("PING"), { error: BUSY });
  assertEquals(s.propagated(), []);
  assertEquals(await replyOf(runner), 2);
  assertEquals(s.propagated(), ["MULTI", "SELECT 0", "set k 1", "incr k", "EXEC"]);
});

async function replyOf(client: ReturnType<TestServer["connect"]>) {
  return await eventually(() => {
    const [reply] = client.received();
    assert(reply !== undefined);
    return reply;
  });
}

Deno.test("time stands still for a script that is suspended", async () => {
  const s = serverWithTime();
  const runner = s.connect();
  const script = `redis.call('set', 'k', 'v', 'px', 5) local t = redis.call('time') ${LONG} ` +
    "local u = redis.call('time') return {redis.call('get', 'k'), t[1] == u[1] and t[2] == u[2]}";
  assertEquals(runner.run("EVAL", script, 0), undefined);
  assertEquals(await replyOf(runner), ["v", 1]);
  assertEquals(s.run("GET", "k"), null);
});

Deno.test("EXEC goes on behind scripts that were suspended", async () => {
  const s = serverWithTime();
  const runner = s.connect();
  runner.run("MULTI");
  for (let i = 0; i < 2; i++) runner.run("EVAL", `${LONG} return redis.call('incr', 'k')`, 0);
  runner.run("GET", "k");
  assertEquals(runner.run("EXEC"), undefined, "nothing of the reply is sent before it is complete");
  assert(runner.client.reply.pendingBytes > 0);
  assertEquals(s.run("GET", "k"), { error: BUSY });
  await eventually(() => s.run("GET", "k") === "2");
  assertEquals(runner.received(), [[1, 2, "2"]]);
  assertEquals(s.clients.blockedCount, 0);
});

Deno.test("EXEC with a script that was suspended is not answered where CLIENT REPLY says so", async () => {
  for (
    const [mode, replies] of [["OFF", []], ["SKIP", ["PONG"]], ["ON", [[1, "1"], "PONG"]]] as const
  ) {
    const s = serverWithTime();
    const runner = s.connect();
    runner.run("MULTI");
    runner.run("EVAL", `${LONG} return redis.call('incr', 'k')`, 0);
    runner.run("GET", "k");
    runner.client.replyMode = mode === "OFF" ? "off" : mode === "SKIP" ? "skip" : "on";
    assertEquals(runner.run("EXEC"), undefined);
    await eventually(() => s.run("GET", "k") === "1");
    s.dispatcher.execute(runner.client, Words.of("PING"));
    assertEquals(runner.received(), [...replies] as Value[]);
    assertEquals(s.clients.blockedCount, 0);
  }
});

Deno.test("others are answered as CLIENT REPLY says while a script is suspended", async () => {
  const s = serverWithTime();
  const runner = s.connect();
  const other = s.connect();
  other.run("CLIENT", "REPLY", "OFF");
  assertEquals(runner.run("EVAL", "while true do end", 0), undefined);
  assertEquals(other.run("GET", "k"), undefined);
  assertEquals(other.run("SCRIPT", "KILL"), undefined);
  assert(((await replyOf(runner)) as { error: string }).error.startsWith("ERR Script killed"));
});

Deno.test("what others do while a script is suspended is no part of its unit, and does not end it", async () => {
  const s = serverWithTime();
  const runner = s.connect();
  const other = s.connect();
  runner.client.reply.resp = 3;
  runner.run("SUBSCRIBE", "c");
  runner.received();
  s.propagated();
  const script = `redis.call('set', 'k', 1) redis.call('publish', 'c', 'm') ${LONG} ` +
    "redis.call('publish', 'c', 'n') return redis.call('incr', 'k')";
  assertEquals(runner.run("EVAL", script, 0), undefined);
  assertEquals(other.run("MULTI"), "OK");
  assertEquals(other.run("DISCARD"), "OK");
  assertEquals(other.run("WATCH", "k"), "OK");
  assertEquals(s.propagated(), []);
  await eventually(() => other.run("GET", "k") === "2");
  assertEquals(runner.received(), [2, ["message", "c", "m"], ["message", "c", "n"]]);
  assertEquals(s.propagated(), [
    "MULTI",
    "SELECT 0",
    "set k 1",
    "publish c m",
    "publish c n",
    "incr k",
    "EXEC",
  ]);
  other.run("MULTI");
  other.run("PING");
  assertEquals(other.run("EXEC"), null, "what it has watched has been changed since");
});

Deno.test("clients that wait for keys are served when a script is over, not while it is suspended", async () => {
  const s = serverWithTime();
  const [runner, waiting, other] = [s.connect(), s.connect(), s.connect()];
  assertEquals(waiting.run("BLPOP", "k", "0"), undefined);
  const script = `redis.call('rpush', 'k', 'a') ${LONG} return redis.call('lpush', 'k', 'b')`;
  assertEquals(runner.run("EVAL", script, 0), undefined);
  assertEquals(other.run("HELLO", "2", "SETNAME", "n") instanceof Array, true);
  assertEquals(other.run("RESET"), "RESET");
  s.core.cron();
  assertEquals(waiting.received(), []);
  assertEquals(await replyOf(runner), 2);
  assertEquals(waiting.received(), [["k", "b"]]);
  assertEquals(s.clients.blockedCount, 0);
});

Deno.test("SLOWLOG and COMMANDSTATS have a script that was suspended, with all of its time", async () => {
  const s = serverWithTime();
  const runner = s.connect();
  const script = `${LONG} return redis.call('nosuch')`;
  runner.run("EVAL", script, 0);
  assert("error" in ((await replyOf(runner)) as { error: string }));
  const [[, , usec, words]] = s.run("SLOWLOG", "GET") as [number, number, number, string[]][];
  assertEquals(words, ["EVAL", script, "0"]);
  assert(usec >= 10_000);
  const stats = s.run("INFO", "commandstats") as string;
  const [, evalUsec] = stats.match(/cmdstat_eval:calls=1,usec=(\d+),.*failed_calls=1/)!;
  assert(Number(evalUsec) >= 10_000, stats);
});

Deno.test("nothing is evicted while a script is suspended", async () => {
  const s = serverWithTime();
  for (let i = 0; i < 100; i++) s.run("SET", `k${i}`, "v".repeat(1000));
  s.run("CONFIG", "SET", "maxmemory-policy", "allkeys-random");
  s.run("CONFIG", "SET", "maxmemory", s.core.usedBytes() + 500_000);
  const runner = s.connect();
  const script = `redis.call('set', 'k', string.rep('v', 1e6)) ${LONG} return redis.call('dbsize')`;
  assertEquals(runner.run("EVAL", script, 0), undefined);
  assertEquals(s.run("SET", "a", "b"), { error: BUSY });
  assertEquals(await replyOf(runner), 101);
  s.run("SET", "a", "b");
  await eventually(() => s.run("DBSIZE") as number < 100);
});

Deno.test("SHUTDOWN is refused while a script is suspended, but with NOSAVE", async () => {
  const s = serverWithTime();
  const runner = s.connect();
  runner.run("EVAL", "redis.call('set', 'k', 'v') while true do end", 0);
  for (const words of [[], ["SAVE"], ["NOW"]]) {
    assertEquals(s.run("SHUTDOWN", ...words), { error: BUSY });
  }
  assertEquals(s.exits, []);
  s.run("SHUTDOWN", "NOSAVE");
  assertEquals(s.exits, [0]);
  // It stays where it is.
  const { startedMs } = s.core.scripts.running!;
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(s.core.scripts.running!.startedMs, startedMs);
});

Deno.test("a signal waits for the end of a script that is suspended", async () => {
  const s = serverWithTime();
  const runner = s.connect();
  runner.run("EVAL", `redis.call('set', 'k', 'v') ${LONG} return 1`, 0);
  s.core.requestShutdownBySignal({
    save: "nosave",
    force: false,
    now: false,
    onWaiting() {},
    onRefused() {},
  });
  s.core.cron();
  assertEquals(s.exits, []);
  assertEquals(await replyOf(runner), 1);
  s.core.cron();
  assertEquals(s.exits, [0]);
});

Deno.test("keys that a script reads for a client that has gone are not remembered", async () => {
  const s = serverWithTime();
  const runner = s.connect(3);
  s.run("SET", "k", "v");
  runner.run("CLIENT", "TRACKING", "ON");
  runner.run("EVAL", `${LONG} return redis.call('get', 'k')`, 0);
  runner.client.isClosed = true;
  s.core.closed(runner.client);
  await eventually(() => s.run("GET", "k") === "v");
  assert((s.run("INFO", "stats") as string).includes("tracking_total_keys:0\r\n"));
});

Deno.test("FUNCTION STATS and FUNCTION KILL know the function that runs", async () => {
  const s = serverWithTime();
  const runner = s.connect();
  s.run(
    "FUNCTION",
    "LOAD",
    "#!lua name=a\nredis.register_function('f', function() while true do end end)",
  );
  assertEquals(runner.run("FCALL", "f", 0), undefined);
  assertEquals(s.run("GET", "k"), { error: BUSY.replace("SCRIPT KILL", "FUNCTION KILL") });
  const [, running] = s.run("FUNCTION", "STATS") as [string, (string | string[])[]];
  assertEquals(running.slice(0, 4), ["name", "f", "command", ["FCALL", "f", "0"]]);
  assertEquals(s.run("SCRIPT", "KILL"), { error: BUSY.replace("SCRIPT KILL", "FUNCTION KILL") });
  assertEquals(s.run("FUNCTION", "KILL"), "OK");
  assert(((await replyOf(runner)) as { error: string }).error.startsWith("ERR Script killed"));
});

Deno.test("a script whose client has gone runs to its end", async () => {
  const s = serverWithTime();
  const runner = s.connect();
  assertEquals(runner.run("EVAL", `${LONG} return redis.call('set', 'k', 'v')`, 0), undefined);
  runner.client.isClosed = true;
  s.core.closed(runner.client);
  await eventually(() => s.run("GET", "k") === "v");
  assertEquals(s.clients.blockedCount, 0);
});

Deno.test("where the runtime cannot suspend scripts they run to their end at once, and the log says so", () => {
  const { Suspending } = WebAssembly as unknown as { Suspending: unknown };
  Object.assign(WebAssembly, { Suspending: undefined });
  try {
    const s = serverWithTime();
    assert(s.logLines.some((line) => line.includes("This runtime cannot suspend WebAssembly")));
    assertEquals(s.run("EVAL", `${LONG} return redis.call('incr', 'k')`, 0), 1);
    assert("error" in (s.run("EVAL", `${LONG} return nosuch`, 0) as { error: string }));
    assertEquals(s.run("EVAL", "return redis.call('get', 'k')", 0), "1");
  } finally {
    Object.assign(WebAssembly, { Suspending });
  }
  assert(serverWithTime().logLines.every((line) => !line.includes("cannot suspend")));
});
