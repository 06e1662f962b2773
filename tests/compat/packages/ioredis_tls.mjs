/** ioredis over TLS: a large value, a pipeline, pub/sub, and a certificate that is missing. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
// @ts-ignore: npm installs it beside a copy of this file.
import { Redis } from "ioredis";

const port = Number(process.argv[2]);
const folder = process.argv[3];
const read = (file) => readFileSync(`${folder}/${file}`);
const tls = { ca: read("ca.crt"), cert: read("client.crt"), key: read("client.key") };
const options = { port, host: "localhost", tls };

const redis = new Redis(options);
const value = Buffer.alloc(5_000_000, "0123456789");
assert.equal(await redis.set("k", value), "OK");
assert.deepEqual(await redis.getBuffer("k"), value);

const pipeline = redis.pipeline();
for (let i = 0; i < 10_000; i++) pipeline.rpush("list", `element ${i}`);
const replies = await pipeline.exec();
assert.deepEqual(replies.at(-1), [null, 10_000]);
assert.equal((await redis.lrange("list", 0, -1)).at(-1), "element 9999");

const subscriber = new Redis(options);
const heard = new Promise((resolve) => subscriber.on("message", (...message) => resolve(message)));
assert.equal(await subscriber.subscribe("channel"), 1);
await redis.publish("channel", "hello");
assert.deepEqual(await heard, ["channel", "hello"]);

const stranger = new Redis({
  ...options,
  tls: { ca: tls.ca },
  retryStrategy: () => null,
  lazyConnect: true,
});
stranger.on("error", () => {});
await assert.rejects(async () => {
  await stranger.connect();
  await stranger.ping();
});

await redis.quit();
await subscriber.quit();
stranger.disconnect();
