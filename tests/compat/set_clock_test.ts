/**
 * What a clock that is set an hour on or back does to redis-server 7.2.4 and to tsredis, side by side: the same to what is
 * an instant, and to us nothing where it is a duration. See "Known differences from Redis" in the README.
 */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasOldRedis, startOldRedis } from "../support/old_redis.ts";
import { plain } from "../support/replication_peers.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { hasFaketime, SettableClock } from "../support/set_clock.ts";
import { startTsredis } from "../support/tsredis_process.ts";

/** Debian's own does not start with faketime: its allocator asks for the time too early. */
const VERSION = "7.2.4";
const HOUR_SECONDS = 3600;
const BLOCKED_MS = 1000;
/** A client that is still blocked by then stays so for long. */
const GIVEN_UP_MS = 5000;

interface Outcome {
  /** Keys that were to live for a minute, and for two hours, and the minutes that these have left. */
  expiries: string[];
  /** How long a BLPOP of a second waits, as far as it is waited for. */
  blockedMs: number;
}

async function outcome(
  server: ServerProcess,
  clock: SettableClock,
  seconds: number,
): Promise<Outcome> {
  using client = await server.connect();
  using blocked = await server.connect();
  await client.pipeline([["SET", "short", "v", "EX", "60"], ["SET", "long", "v", "EX", "7200"]]);
  const startedMs = performance.now();
  const released = blocked.call("BLPOP", "of nobody", "1").catch(() => null);
  await eventually(async () => plain(await client.call("CLIENT", "LIST")).includes("cmd=blpop"));
  clock.set(seconds);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => timer = setTimeout(resolve, GIVEN_UP_MS));
  await Promise.race([released, late]);
  clearTimeout(timer);
  const blockedMs = performance.now() - startedMs;
  const replies = await client.pipeline([
    ["EXISTS", "short"],
    ["EXISTS", "long"],
    ["TTL", "short"],
    ["TTL", "long"],
  ]);
  const [short, long, ...left] = replies.map((reply) => Number(plain(reply)));
  const minutes = left.map((ttl) => ttl < 0 ? "none" : `${Math.ceil(ttl / 60)}`);
  return { expiries: [`${short}`, `${long}`, ...minutes], blockedMs };
}

for (
  const [way, seconds, redisMs] of [
    ["on", HOUR_SECONDS, [0, BLOCKED_MS / 2]],
    ["back", -HOUR_SECONDS, [GIVEN_UP_MS - 100, Infinity]],
  ] as const
) {
  Deno.test({
    name:
      `a clock that is set an hour ${way}: expiries follow it, with us durations do not [old servers]`,
    ignore: !hasFaketime || !hasOldRedis(VERSION),
    async fn() {
      using clocks = new DisposableStack();
      const [ours, theirs] = [clocks.use(new SettableClock()), clocks.use(new SettableClock())];
      await using tsredis = await startTsredis({ args: ["--save", ""], env: ours.env });
      await using redis = await startOldRedis(VERSION, { env: theirs.env });
      const [we, they] = await Promise.all([
        outcome(tsredis, ours, seconds),
        outcome(redis, theirs, seconds),
      ]);
      assertEquals(we.expiries, they.expiries);
      assert(we.blockedMs >= BLOCKED_MS - 50 && we.blockedMs < GIVEN_UP_MS, `${we.blockedMs}`);
      const [from, to] = redisMs;
      assert(they.blockedMs >= from && they.blockedMs < to, `redis-server: ${they.blockedMs}`);
    },
  });
}
