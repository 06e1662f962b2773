/**
 * ioredis with sentinels, as docs/high-availability.md says: writes go on over a change of the master that is
 * asked for and over the death of a master, and what was answered is there afterwards.
 */

import assert from "node:assert/strict";
// @ts-ignore: npm installs it beside a copy of this file.
import { Redis } from "ioredis";

const sentinels = process.argv[2].split(",").map((port) => ({
  host: "127.0.0.1",
  port: Number(port),
}));
const name = process.argv[3];
const password = "a-long-secret";
const options = {
  sentinels,
  name,
  password,
  reconnectOnError: (error) => error.message.startsWith("READONLY") ? 2 : false,
  sentinelRetryStrategy: () => 100,
  retryStrategy: () => 100,
};

const redis = new Redis(options);
redis.on("error", () => {}); // the connection is broken on purpose
const sentinel = new Redis({ port: sentinels[0].port });
const masterPort = async () =>
  Number((await sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name))[1]);

let written = 0;
let isOver = false;
async function write() {
  while (!isOver) {
    try {
      await redis.set(`key:${written}`, "v");
      written++;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
const writer = write();

/** Waits until there is another master, and something was written at it. */
async function untilReplaced(before) {
  while (await masterPort() === before) await new Promise((resolve) => setTimeout(resolve, 100));
  const to = await masterPort();
  // What the former one has answered since it was passed over is lost, as nobody has it but itself.
  const isThere = async () =>
    (await redis.info("server").catch(() => "")).includes(`tcp_port:${to}\r`);
  while (!await isThere()) await new Promise((resolve) => setTimeout(resolve, 50));
  const count = written;
  while (written < count + 100) await new Promise((resolve) => setTimeout(resolve, 50));
}

const first = await masterPort();
while (written < 100) await new Promise((resolve) => setTimeout(resolve, 20));
assert.equal(await sentinel.call("SENTINEL", "FAILOVER", name), "OK");
await untilReplaced(first);
const from = written;
const confirmed = await redis.wait(1, 10_000);
assert(confirmed >= 1, `${confirmed} replicas have all`);

// A master that dies: what replicas have confirmed stays.
const second = await masterPort();
while (written < from + 100) await new Promise((resolve) => setTimeout(resolve, 20));
isOver = true;
await writer;
const kept = written;
assert(await redis.wait(1, 10_000) >= 1);
const victim = new Redis({ port: second, password });
victim.on("error", () => {});
await victim.shutdown("NOSAVE", "NOW").catch(() => {});
victim.disconnect();
isOver = false;
const again = write();
await untilReplaced(second);
isOver = true;
await again;
for (let i = from; i < kept; i++) assert.equal(await redis.get(`key:${i}`), "v", `key:${i}`);

const reader = new Redis({ ...options, role: "slave" });
assert.equal((await reader.role())[0], "slave");

for (const client of [redis, sentinel, reader]) client.disconnect();
