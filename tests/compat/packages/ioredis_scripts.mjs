/** Commands that are scripts, as ioredis's documentation defines them. */

import assert from "node:assert/strict";
// @ts-ignore: npm installs it beside a copy of this file.
import { Redis } from "ioredis";

const port = Number(process.argv[2]);
const lua = "return {KEYS[1],KEYS[2],ARGV[1],ARGV[2]}";
const redis = new Redis(port, {
  scripts: { fromTheStart: { numberOfKeys: 2, lua } },
});

redis.defineCommand("myecho", { numberOfKeys: 2, lua });
assert.deepEqual(await redis.myecho("k1", "k2", "a1", "a2"), [
  "k1",
  "k2",
  "a1",
  "a2",
]);
assert.deepEqual(await redis.fromTheStart("k1", "k2", "a1", "a2"), [
  "k1",
  "k2",
  "a1",
  "a2",
]);
assert.deepEqual(
  await redis.myechoBuffer("k1", "k2", Buffer.from([0, 255, 13, 10]), "a2"),
  [
    Buffer.from("k1"),
    Buffer.from("k2"),
    Buffer.from([0, 255, 13, 10]),
    Buffer.from("a2"),
  ],
);

// The server knows the script by its SHA-1 by now: no source is sent a second time.
const callsOf = async (command) => {
  const statistics = await redis.info("commandstats");
  return Number(
    new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(statistics)?.[1] ?? "0",
  );
};
const [sources, names] = [await callsOf("eval"), await callsOf("evalsha")];
await redis.myecho("k1", "k2", "a1", "a2");
assert.deepEqual([await callsOf("eval"), await callsOf("evalsha")], [
  sources,
  names + 1,
]);

// It is sent again once the server has forgotten it, also in a pipeline and in a transaction.
await redis.script("FLUSH");
const many = redis.pipeline().set("foo", "bar").myecho("k1", "k2", "a1", "a2")
  .get("foo");
assert.deepEqual(await many.exec(), [
  [null, "OK"],
  [null, ["k1", "k2", "a1", "a2"]],
  [null, "bar"],
]);
assert.deepEqual(
  await redis.multi().incr("n").myecho("n", "m", "1", "2").exec(),
  [
    [null, 1],
    [null, ["n", "m", "1", "2"]],
  ],
);

redis.defineCommand("echoDynamicKeyNumber", { lua });
assert.deepEqual(await redis.echoDynamicKeyNumber(2, "k1", "k2", "a1", "a2"), [
  "k1",
  "k2",
  "a1",
  "a2",
]);

redis.defineCommand("rename2", {
  numberOfKeys: 2,
  lua: `
    if redis.call("EXISTS", KEYS[1]) == 0 then return redis.error_reply("MISSING no " .. KEYS[1]) end
    return redis.call("RENAME", KEYS[1], KEYS[2])`,
});
assert.equal(await redis.rename2("foo", "moved"), "OK");
await assert.rejects(redis.rename2("foo", "moved"), {
  message: "MISSING no foo",
});

const prefixed = new Redis(port, {
  keyPrefix: "app:",
  scripts: { first: { numberOfKeys: 1, lua } },
});
assert.deepEqual(await prefixed.first("k", "a"), ["app:k"]);

const library = "#!lua name=mylib\nredis.register_function('add', function(keys, args) " +
  "return redis.call('INCRBY', keys[1], args[1]) end)";
assert.equal(await redis.function("LOAD", library), "mylib");
assert.equal(await redis.fcall("add", 1, "n", 41), 42);

prefixed.disconnect();
redis.disconnect();
