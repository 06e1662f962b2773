/** Flows of BullMQ: a job whose children, in several queues, come first. */

import assert from "node:assert/strict";
// @ts-ignore: npm installs it beside a copy of this file.
import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";

const connection = {
  port: Number(process.argv[2]),
  maxRetriesPerRequest: null,
};
const queue = new Queue("assembly", { connection });
const queueEvents = new QueueEvents("assembly", { connection });
await queueEvents.waitUntilReady();
const flowProducer = new FlowProducer({ connection });

const order = [];
const parts = new Worker("parts", async (job) => {
  order.push(job.name);
  await job.updateProgress(100);
  if (job.data.breaks) throw new Error("broken");
  return job.data.price;
}, { connection, concurrency: 3 });
const assembly = new Worker("assembly", async (job) => {
  order.push(job.name);
  const prices = Object.values(await job.getChildrenValues());
  return prices.reduce((sum, price) => sum + price, job.data.price);
}, { connection });

const flow = await flowProducer.add({
  name: "car",
  queueName: "assembly",
  data: { price: 1 },
  children: [
    { name: "wheel", queueName: "parts", data: { price: 10 } },
    {
      name: "seat",
      queueName: "parts",
      data: { price: 100 },
      opts: { delay: 100 },
    },
    {
      name: "engine",
      queueName: "assembly",
      data: { price: 1_000 },
      children: [{
        name: "piston",
        queueName: "parts",
        data: { price: 10_000 },
      }],
    },
  ],
});
assert.equal(flow.children.length, 3);
assert.equal(await flow.job.waitUntilFinished(queueEvents, 30_000), 11_111);
assert.equal(order.at(-1), "car");
assert.ok(order.indexOf("piston") < order.indexOf("engine"));
assert.deepEqual([...order].sort(), [
  "car",
  "engine",
  "piston",
  "seat",
  "wheel",
]);
const tree = await flowProducer.getFlow({
  id: flow.job.id,
  queueName: "assembly",
});
assert.equal(tree.children.length, 3);
const { processed } = await flow.job.getDependencies();
assert.deepEqual(Object.values(processed).sort((a, b) => a - b), [
  10,
  100,
  11_000,
]);

// A child that fails takes its parent with it, where that is asked for.
const broken = await flowProducer.add({
  name: "bike",
  queueName: "assembly",
  data: { price: 1 },
  children: [
    {
      name: "frame",
      queueName: "parts",
      data: { breaks: true },
      opts: { failParentOnFailure: true },
    },
  ],
});
await assert.rejects(
  broken.job.waitUntilFinished(queueEvents, 30_000),
  /failed/,
);
assert.equal(await broken.job.getState(), "failed");

// Or is left out.
const without = await flowProducer.add({
  name: "trike",
  queueName: "assembly",
  data: { price: 5 },
  children: [
    {
      name: "bell",
      queueName: "parts",
      data: { breaks: true },
      opts: { ignoreDependencyOnFailure: true },
    },
  ],
});
assert.equal(await without.job.waitUntilFinished(queueEvents, 30_000), 5);

await Promise.all([parts.close(), assembly.close()]);
await Promise.all([flowProducer.close(), queueEvents.close(), queue.close()]);
