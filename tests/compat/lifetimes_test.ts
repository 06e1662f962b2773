/**
 * Keys with lives of a fraction of a second, which the drawn sessions leave out: once their time is
 * over, every command must see the same absence on both servers.
 */

import { assertEquals } from "@std/assert";
import { hasRedisServer } from "../support/real_redis.ts";
import { render } from "./reply.ts";
import { Pair } from "./session.ts";

/** Long enough for the calls that follow, and for the pause, on a busy machine. */
const LIFE_MS = 300;

const MAKE: string[][] = [
  ["SET", "string", "12"],
  ["RPUSH", "list", "a", "b"],
  ["SADD", "set", "1", "2"],
  ["HSET", "hash", "f", "1"],
  ["ZADD", "zset", "1", "m"],
];

/** What is asked of a key whose life is over, each on a fresh set of keys. */
const ASK: ((key: string) => string[])[] = [
  (key) => ["EXISTS", key],
  (key) => ["TYPE", key],
  (key) => ["TTL", key],
  (key) => ["PERSIST", key],
  (key) => ["DEL", key],
  (key) => ["EXPIRE", key, "1000"],
  (key) => ["RENAME", key, "other"],
  (key) => ["COPY", key, "other"],
  (key) => ["MOVE", key, "1"],
  (key) => ["OBJECT", "ENCODING", key],
  (key) => ["DUMP", key],
  (key) => ["TOUCH", key],
  (key) => ["SET", key, "v", "KEEPTTL"],
  (key) => ["APPEND", key, "x"],
  (key) => ["LPUSHX", key, "x"],
  (key) => ["SADD", key, "x"],
  (key) => ["HINCRBY", key, "f", "2"],
  (key) => ["ZINCRBY", key, "2", "m"],
  (key) => ["SUNIONSTORE", "other", key, key],
  (key) => ["SORT", key],
  (key) => ["SETNX", key, "v"],
  (key) => ["SCAN", "0", "MATCH", key, "COUNT", "1000"],
  (key) => ["KEYS", key],
];

Deno.test({
  name: "after the end of its life a key is absent for every command, as for redis-server 7.0.15",
  ignore: !hasRedisServer,
  fn: async () => {
    const pair = new Pair();
    let calls = 0;
    try {
      await pair.start();
      const names = MAKE.map((words) => words[1]);
      const wrong: string[] = [];
      // One database per question: all lives pass in the same pause. The first 15 of 16 are used.
      for (let from = 0; from < ASK.length; from += 15) {
        const asked = ASK.slice(from, from + 15);
        const prepare = [
          ["FLUSHALL"],
          ["DEBUG", "SET-ACTIVE-EXPIRE", "0"], // absent although nobody removed it
          ...asked.flatMap((_, db) => [
            ["SELECT", String(db)],
            ...MAKE,
            ...names.map((name) => ["PEXPIRE", name, String(LIFE_MS)]),
          ]),
        ];
        await pair.both(0, prepare);
        await new Promise((resolve) => setTimeout(resolve, LIFE_MS + 50));
        for (const [db, ask] of asked.entries()) {
          await pair.both(0, [["SELECT", String(db)]]);
          const questions = names.flatMap((name) => [
            ask(name),
            ...(ask(name).includes("other") ? [["DEL", "other"]] : []),
            ["TYPE", name],
            ["TTL", name],
          ]).filter((words) => pair.has(words));
          const [real, tested] = await pair.both(0, questions);
          for (const [i, words] of questions.entries()) {
            calls++;
            if (render(real[i]) === render(tested[i])) continue;
            wrong.push(
              `${words.join(" ")}\n  redis-server: ${render(real[i])}\n  tsredis:      ${
                render(tested[i])
              }`,
            );
          }
        }
      }
      await pair.both(0, [["DEBUG", "SET-ACTIVE-EXPIRE", "1"]]);
      console.log(`compared ${calls} calls with redis-server 7.0.15 (lifetimes)`);
      assertEquals(wrong.length, 0, "\n" + wrong.join("\n"));
    } finally {
      await pair.stop();
    }
  },
});
