import { assert, assertEquals } from "@std/assert";
import { Words } from "../../../src/resp/words.ts";
import { eventually } from "../../support/eventually.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

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
  // Of its reply the beginning is there already.
  s.dispatcher.execute(runner.client, Words.of("EXEC"));
  assertEquals(s.run("GET", "k"), { error: BUSY });
  await eventually(() => s.run("GET", "k") === "2");
  assertEquals(runner.received(), [[1, 2, "2"]]);
  assertEquals(s.clients.blockedCount, 0);
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
