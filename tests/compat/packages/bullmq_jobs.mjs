/** Jobs of BullMQ: added, worked on, delayed, by priority, failed and tried again, read and removed. */

import assert from "node:assert/strict";
// @ts-ignore: npm installs it beside a copy of this file.
import { Queue, QueueEvents, Worker } from "bullmq";
// @ts-ignore: npm installs it beside a copy of this file.
import { Redis } from "ioredis";

const connection = {
  port: Number(process.argv[2]),
  maxRetriesPerRequest: null,
};
const queue = new Queue("Paint", { connection });
const queueEvents = new QueueEvents("Paint", { connection });
await queueEvents.waitUntilReady();

// What lies there before any worker comes is worked on by priority, and in its order.
const order = [];
for (
  const [name, priority] of [
    ["low", 9],
    ["high", 1],
    ["plain", undefined],
    ["low2", 9],
  ]
) {
  await queue.add(name, {}, { priority });
}
assert.deepEqual(
  await queue.getJobCounts("waiting", "prioritized", "active", "delayed"),
  {
    waiting: 1,
    prioritized: 3,
    active: 0,
    delayed: 0,
  },
);

const worker = new Worker("Paint", async (job) => {
  order.push(job.name);
  await job.updateProgress(50);
  await job.log(`working on ${job.name}`);
  if (job.name === "twice" && job.attemptsMade === 0) {
    throw new Error("not yet");
  }
  if (job.name === "never") throw new Error("cannot be done");
  return { name: job.name, color: job.data.color ?? null };
}, { connection });
const done = async (job) => await job.waitUntilFinished(queueEvents, 30_000);

const progress = [];
queueEvents.on("progress", ({ jobId, data }) => progress.push([jobId, data]));
const cars = await queue.add("cars", { color: "blue \u{1f697}" }, {
  priority: 10,
});
assert.deepEqual(await done(cars), { name: "cars", color: "blue \u{1f697}" });
assert.deepEqual(order, ["plain", "high", "low", "low2", "cars"]);
assert.equal(await cars.getState(), "completed");
assert.deepEqual((await queue.getJobLogs(cars.id)).logs, ["working on cars"]);
assert.deepEqual(progress.filter(([id]) => id === cars.id), [[cars.id, 50]]);

const delayed = await queue.add("late", {}, { delay: 300 });
await done(delayed);
const late = await queue.getJob(delayed.id);
assert.ok(
  late.processedOn >= late.timestamp + 300,
  `${late.processedOn - late.timestamp} ms`,
);

const twice = await queue.add("twice", {}, {
  attempts: 3,
  backoff: { type: "exponential", delay: 20 },
});
await done(twice);
assert.equal((await queue.getJob(twice.id)).attemptsMade, 2);

const never = await queue.add("never", {}, { attempts: 2 });
await assert.rejects(done(never), { message: "cannot be done" });
const failed = await queue.getJob(never.id);
assert.equal(failed.failedReason, "cannot be done");
assert.equal(await failed.getState(), "failed");
await failed.retry();
await assert.rejects(done(failed), { message: "cannot be done" });

// The same id is the same job.
const bulk = await queue.addBulk(
  Array.from(
    { length: 50 },
    (_, i) => ({
      name: `bulk${i}`,
      data: { color: i },
      opts: { jobId: `b${i % 40}` },
    }),
  ),
);
for (const job of bulk) await done(job);
assert.equal(order.filter((name) => name.startsWith("bulk")).length, 40);

// Paused, nothing is worked on; promoted, a job need not wait.
await queue.pause();
const held = await queue.add("held", {}, { delay: 3_600_000 });
assert.equal(await held.getState(), "delayed");
await held.promote();
assert.equal(await held.getState(), "waiting");
await queue.resume();
await done(held);

const completed = await queue.getCompletedCount();
assert.equal(completed, 5 + 1 + 1 + 40 + 1);
assert.equal((await queue.clean(0, 1_000, "completed")).length, completed);
await worker.close();
await queue.add("left", {});
assert.equal(await queue.getWaitingCount(), 1);
await queue.drain();
assert.equal(await queue.getWaitingCount(), 0);
await queue.obliterate({ force: true });
const redis = new Redis(connection);
assert.deepEqual(await redis.keys("bull:Paint:*"), []);
redis.disconnect();

await queueEvents.close();
await queue.close();
