/** Limits of rate-limiter-flexible: each point that is taken is a script on the server. */

import assert from "node:assert/strict";
// @ts-ignore: npm installs it beside a copy of this file.
import { Redis } from "ioredis";
// @ts-ignore: npm installs it beside a copy of this file.
import { BurstyRateLimiter, RateLimiterRedis } from "rate-limiter-flexible";

const port = Number(process.argv[2]);
const storeClient = new Redis(port, { enableOfflineQueue: false });
await new Promise((resolve) => storeClient.once("ready", resolve));

// Long durations: no point comes back while this runs.
const limiter = new RateLimiterRedis({
  storeClient,
  keyPrefix: "api",
  points: 5,
  duration: 600,
});
const first = await limiter.consume("127.0.0.1", 2);
assert.deepEqual(
  [first.consumedPoints, first.remainingPoints, first.isFirstInDuration],
  [2, 3, true],
);
assert.ok(first.msBeforeNext > 0 && first.msBeforeNext <= 600_000);
const second = await limiter.consume("127.0.0.1", 3);
assert.deepEqual(
  [second.consumedPoints, second.remainingPoints, second.isFirstInDuration],
  [5, 0, false],
);
const refused = await limiter.consume("127.0.0.1").then(
  () => null,
  (reason) => reason,
);
assert.deepEqual([refused.consumedPoints, refused.remainingPoints], [6, 0]);
assert.ok(refused.msBeforeNext > 0);
assert.equal((await limiter.consume("127.0.0.2")).remainingPoints, 4);

assert.equal((await limiter.get("127.0.0.1")).consumedPoints, 6);
assert.equal((await limiter.reward("127.0.0.1", 4)).consumedPoints, 2);
assert.equal((await limiter.penalty("127.0.0.1")).consumedPoints, 3);
assert.equal((await limiter.set("127.0.0.1", 1, 60)).consumedPoints, 1);
assert.equal(await limiter.delete("127.0.0.1"), true);
assert.equal(await limiter.get("127.0.0.1"), null);

// Many at once: not one point too many is given out.
const outcomes = await Promise.allSettled(
  Array.from({ length: 20 }, () => limiter.consume("crowd")),
);
assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 5);

const blocking = new RateLimiterRedis({
  storeClient,
  keyPrefix: "login",
  points: 1,
  duration: 600,
  blockDuration: 900,
});
await blocking.consume("user");
const blocked = await blocking.consume("user").then(
  () => null,
  (reason) => reason,
);
assert.ok(blocked.msBeforeNext > 600_000, `${blocked.msBeforeNext}`);

const bursty = new BurstyRateLimiter(
  new RateLimiterRedis({
    storeClient,
    keyPrefix: "steady",
    points: 2,
    duration: 600,
  }),
  new RateLimiterRedis({
    storeClient,
    keyPrefix: "burst",
    points: 3,
    duration: 900,
  }),
);
for (let i = 0; i < 5; i++) await bursty.consume("user");
await assert.rejects(
  bursty.consume("user"),
  (reason) => reason.msBeforeNext > 0,
);

// Points come back once their time is over.
const short = new RateLimiterRedis({
  storeClient,
  keyPrefix: "short",
  points: 1,
  duration: 1,
});
await short.consume("user");
for (;;) {
  const reason = await short.consume("user").then(
    () => null,
    (reason) => reason,
  );
  if (reason === null) break;
  assert.ok(reason.msBeforeNext > 0 && reason.msBeforeNext <= 1_000);
  await new Promise((resolve) => setTimeout(resolve, reason.msBeforeNext));
}

storeClient.disconnect();
