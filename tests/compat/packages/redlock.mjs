/** Locks of redlock: on one server, on several resources at once, extended, contended. */

import assert from "node:assert/strict";
// @ts-ignore: npm installs it beside a copy of this file.
import { Redis } from "ioredis";
// @ts-ignore: npm installs it beside a copy of this file.
import Redlock from "redlock";

const port = Number(process.argv[2]);
const client = new Redis(port);
const impatient = new Redlock([client], { retryCount: 0 });

// The times are long: no lock is lost while this runs.
const lock = await impatient.lock("locks:account:322456", 60_000);
assert.equal(await client.exists("locks:account:322456"), 1);
await assert.rejects(impatient.lock("locks:account:322456", 60_000), {
  name: "LockError",
});
const extended = await lock.extend(600_000);
assert.ok(await client.pttl("locks:account:322456") > 60_000);
await extended.unlock();
assert.equal(await client.exists("locks:account:322456"), 0);
await assert.rejects(lock.unlock(), { name: "LockError" });

// All of several resources, or none.
const both = await impatient.lock(["a", "b"], 60_000);
await assert.rejects(impatient.lock(["b", "c"], 60_000), { name: "LockError" });
assert.equal(await client.exists("c"), 0);
await both.unlock();

// A lock that is over cannot be extended or given back: another one has it.
const lost = await impatient.lock("a", 60_000);
await client.set("a", "another's");
await assert.rejects(lost.unlock(), { name: "LockError" });
await assert.rejects(lost.extend(60_000), { name: "LockError" });
assert.equal(await client.get("a"), "another's");

// One at a time, of many who wait for their turn.
const patient = new Redlock([client], {
  retryCount: -1,
  retryDelay: 5,
  retryJitter: 5,
});
let inside = 0;
let turns = 0;
await Promise.all(Array.from({ length: 10 }, async () => {
  const mine = await patient.lock("turns", 60_000);
  assert.equal(++inside, 1);
  turns = Number(await client.get("count") ?? "0") + 1;
  await client.set("count", turns);
  inside--;
  await mine.unlock();
}));
assert.equal(turns, 10);

client.disconnect();
