/**
 * What an element of a large collection takes, as counted, beside what it takes in redis-server 7.0.15: resident
 * memory of a million elements as bench/compare/data.ts has them. Here there are
 * fewer, with numbers of six digits (for which a list there takes 16.4 bytes).
 */

import { assert } from "@std/assert";
import { blocks } from "../../src/base/blocks.ts";
import { latin1 } from "../../src/base/bytes.ts";
import { testServer } from "../support/test_server.ts";

const COUNT = 131_072;
const FIRST = 800_000;
const WIDTH = 64;

const KINDS: { kind: string; redisBytes: number; command: (i: number) => string[] }[] = [
  { kind: "hash", redisBytes: 80.0, command: (i) => [`field:${i}`, `value:${i}`] },
  { kind: "set", redisBytes: 64.8, command: (i) => [`member:${i}`] },
  { kind: "sorted set", redisBytes: 113.6, command: (i) => [`${scattered(i)}`, `member:${i}`] },
  { kind: "list", redisBytes: 16.4, command: (i) => [`element:${i}`] },
  { kind: "stream", redisBytes: 26.1, command: (i) => ["field", `value:${i}`] },
];

const COMMANDS: Record<string, string> = {
  hash: "HSET",
  set: "SADD",
  "sorted set": "ZADD",
  list: "RPUSH",
  stream: "XADD",
};

function scattered(i: number): number {
  return Math.imul(i, 0x9e3779b1) >>> 0;
}

for (const { kind, redisBytes, command } of KINDS) {
  Deno.test(`memory: an element of a large ${kind} takes no more than in Redis`, () => {
    const s = testServer();
    const width = kind === "stream" ? 1 : WIDTH;
    const id = kind === "stream" ? ["*"] : [];
    for (let i = 0; i < COUNT; i += width) {
      const words = [COMMANDS[kind], "k", ...id];
      for (let n = i; n < i + width; n++) words.push(...command(FIRST + n));
      s.run(...words);
    }
    const usage = s.run("MEMORY", "USAGE", "k", "SAMPLES", "0") as number;
    // Other tests in the process watch what blocks hold.
    s.run("FLUSHALL");
    blocks.settle(true);
    assert(Number(usage) / COUNT <= redisBytes, `${Number(usage) / COUNT}`);
    assert(Number(usage) > COUNT * latin1(command(FIRST).at(-1)!).length);
  });
}
