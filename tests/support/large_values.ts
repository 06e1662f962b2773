/** Values of every kind that are so large that what is done to all of one takes several turns (sliced_server.ts). */

import { Random } from "./random.ts";
import type { TestServer } from "./test_server.ts";

const COUNT = 12_000;

/** How large values of each kind are made at `k`, and changes of one that `n` numbers. */
export const LARGE_VALUES: [
  name: string,
  fill: (s: TestServer) => void,
  change: (s: TestServer, n: number) => void,
][] = [
  [
    "set",
    (s) => {
      for (let i = 0; i < COUNT; i += 500) {
        s.run("SADD", "k", ...Array.from({ length: 500 }, (_, j) => `member ${i + j}`));
      }
    },
    (s, n) => {
      s.run("SREM", "k", `member ${n * 37 % COUNT}`);
      s.run("SADD", "k", `new ${n}`);
    },
  ],
  [
    "hash",
    (s) => {
      for (let i = 0; i < COUNT; i += 500) {
        s.run(
          "HSET",
          "k",
          ...Array.from({ length: 500 }, (_, j) => [`f${i + j}`, `value ${j}`]).flat(),
        );
      }
    },
    (s, n) => {
      s.run("HSET", "k", `f${n * 37 % COUNT}`, "x".repeat(n % 200), `new${n}`, "y");
      s.run("HDEL", "k", `f${n * 41 % COUNT}`);
    },
  ],
  [
    "sorted set",
    (s) => {
      for (let i = 0; i < COUNT; i += 500) {
        s.run(
          "ZADD",
          "k",
          ...Array.from({ length: 500 }, (_, j) => [(i + j) % 777, `m${i + j}`]).flat(),
        );
      }
    },
    (s, n) => {
      s.run("ZINCRBY", "k", n % 2 === 0 ? 1000 : -1000, `m${n * 37 % COUNT}`);
      s.run("ZPOPMIN", "k");
      s.run("ZADD", "k", n, `new${n}`);
    },
  ],
  [
    "list",
    (s) => {
      for (let i = 0; i < 40_000; i += 500) {
        s.run("RPUSH", "k", ...Array.from({ length: 500 }, (_, j) => `element ${i + j}`));
      }
    },
    (s, n) => {
      s.run("LSET", "k", n * 97 % 30_000, `set ${n}`);
      s.run("LPUSH", "k", `head ${n}`);
      s.run("RPOP", "k");
      s.run("LREM", "k", 1, `element ${n * 13}`);
    },
  ],
  [
    "string",
    (s) => s.run("SET", "k", Array.from({ length: 90_000 }, (_, i) => `part ${i}`).join(" ")),
    (s, n) => {
      s.run("SETRANGE", "k", n * 1000, `range ${n}`);
      s.run("APPEND", "k", "behind");
    },
  ],
  [
    "string that nothing compresses",
    (s) => {
      const random = new Random(5);
      let text = "";
      for (let i = 0; i < 700_000; i++) text += String.fromCharCode(random.below(256));
      s.run("SET", "k", text);
    },
    (s, n) => s.run("SETBIT", "k", n * 9999, n % 2),
  ],
];
