/** Jobs of BullMQ that come again, and limits of how many are worked on in a time. */

import assert from "node:assert/strict";
// @ts-ignore: npm installs it beside a copy of this file.
import { Queue, QueueEvents, Worker } from "bullmq";

const connection = {
  port: Number(process.argv[2]),
  maxRetriesPerRequest: null,
};

// Again and again, until it has been three times.
const clock = new Queue("clock", { connection });
const ticks = [];
let isOver;
const allTicks = new Promise((resolve) => isOver = resolve);
const ticking = new Worker("clock", async (job) => {
  ticks.push([job.name, job.data.n, job.timestamp + job.delay]);
  await job.log("tick");
  if (ticks.length === 3) isOver();
}, { connection });
await clock.upsertJobScheduler("every", { every: 100, limit: 3 }, {
  name: "tick",
  data: { n: 7 },
});
await allTicks;
await ticking.close();
assert.deepEqual(ticks.map(([name, n]) => `${name} ${n}`), [
  "tick 7",
  "tick 7",
  "tick 7",
]);
assert.ok(ticks[2][2] - ticks[0][2] >= 100);

// By a calendar: the next time is known.
await clock.upsertJobScheduler("nightly", { pattern: "0 15 3 * * *" }, {
  name: "night",
});
const scheduler = await clock.getJobScheduler("nightly");
assert.equal(new Date(scheduler.next).getMinutes(), 15);
const [next] = await clock.getDelayed();
assert.equal(next.name, "night");
assert.equal(await clock.removeJobScheduler("nightly"), true);
assert.equal(await clock.getDelayedCount(), 0);
await clock.close();

// Two in a long time: the third waits, although the worker has nothing else to do.
const queue = new Queue("limited", { connection });
const queueEvents = new QueueEvents("limited", { connection });
await queueEvents.waitUntilReady();
const jobs = await queue.addBulk(
  Array.from({ length: 5 }, (_, i) => ({ name: `job${i}`, data: {} })),
);
const slow = new Worker("limited", async () => {}, {
  connection,
  limiter: { max: 2, duration: 600_000 },
});
await Promise.all(
  jobs.slice(0, 2).map((job) => job.waitUntilFinished(queueEvents, 30_000)),
);
while (!(await queue.getRateLimitTtl(2) > 0)) {
  await new Promise((resolve) => setTimeout(resolve, 10));
}
assert.equal(await queue.getCompletedCount(), 2);
assert.ok(await queue.getRateLimitTtl(2) <= 600_000);
await slow.close(true);

// Two in a short time: all are done, but not at once.
await queue.removeRateLimitKey();
const short = new Worker("limited", async () => {}, {
  connection,
  limiter: { max: 2, duration: 100 },
});
await Promise.all(
  jobs.map((job) => job.waitUntilFinished(queueEvents, 30_000)),
);
assert.equal(await queue.getCompletedCount(), 5);
await short.close();

// A worker that finds out on its own that it has to wait.
let tries = 0;
const told = new Worker("limited", async () => {
  if (++tries === 1) {
    await queue.rateLimit(100);
    throw Worker.RateLimitError();
  }
  return tries;
}, { connection, limiter: { max: 1, duration: 100 } });
const again = await queue.add("again", {});
assert.equal(await again.waitUntilFinished(queueEvents, 30_000), 2);
await told.close();

await queueEvents.close();
await queue.close();
