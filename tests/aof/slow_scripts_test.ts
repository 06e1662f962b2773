/** Scripts in an append-only file that run for longer than `busy-reply-threshold`: what comes behind them waits. */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { requestOf } from "../fuzz/drawn_input.ts";
import { bulk, error, integer, status } from "../support/resp_client.ts";
import { RunningServer } from "../server/running_server.ts";

const SLOW = "redis.call('set',KEYS[1],'script') redis.call('incr','runs') " +
  "for i=1,300000 do redis.call('ping') end redis.call('append',KEYS[1],' end')";
const INCREMENT = "appendonly.aof.1.incr.aof";
const LOADING = error("LOADING Redis is loading the dataset in memory");

async function withLog(...requests: string[][]): Promise<RunningServer> {
  const s = await RunningServer.start(
    "appendonly yes",
    "enable-debug-command yes",
    "busy-reply-threshold 1",
  );
  const file = Deno.openSync(`${s.dir}/appendonlydir/${INCREMENT}`, { append: true });
  file.writeSync(new TextEncoder().encode(requests.map(requestOf).join("")));
  file.close();
  return s;
}

Deno.test("a slow script of the log is over before the next command; others are told LOADING, not BUSY", async () => {
  await using s = await withLog(
    ["EVAL", SLOW, "1", "a"],
    ["APPEND", "a", ", next"],
    ["MULTI"],
    ["EVAL", SLOW, "1", "b"],
    ["APPEND", "b", ", next"],
    ["EXEC"],
    ["APPEND", "b", ", last"],
    ["EVAL", SLOW, "1", "c"],
  );
  const { size } = Deno.statSync(`${s.dir}/appendonlydir/${INCREMENT}`);
  using loader = await s.connect();
  using other = await s.connect();
  const loaded = loader.call("DEBUG", "LOADAOF");
  const seen = new Set<string>();
  let isLoaded = false;
  loaded.finally(() => isLoaded = true);
  await eventually(async () => {
    seen.add(JSON.stringify(await other.call("PING")));
    return isLoaded;
  });
  assertEquals(await loaded, status("OK"));
  seen.delete(JSON.stringify(status("PONG")));
  assertEquals([...seen], [JSON.stringify(LOADING)]);
  assertEquals(await other.call("GET", "a"), bulk("script end, next"));
  assertEquals(await other.call("GET", "b"), bulk("script end, next, last"));
  assertEquals(await other.call("GET", "c"), bulk("script end"));
  assertEquals(await other.call("INCR", "runs"), integer(4));
  // What was loaded is not written once more.
  const set = requestOf(["SELECT", "0"]) + requestOf(["INCR", "runs"]);
  const now = Deno.readTextFileSync(`${s.dir}/appendonlydir/${INCREMENT}`);
  assertEquals(now.slice(size), set);
});
