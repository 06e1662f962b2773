/**
 * What SCAN and its kin promise, on both servers: an element that is there from the first call to
 * the last is given at least once, one that never was there is never given, and the scan ends,
 * whatever is added and removed meanwhile. Order, repeats and cursors are each server's own.
 */

import { assert, assertEquals } from "@std/assert";
import { hasRedisServer } from "../support/real_redis.ts";
import { Random } from "../support/random.ts";
import type { Reply } from "./reply.ts";
import { Pair } from "./session.ts";
import type { Connection } from "./support.ts";

/** One kind of scan: how elements come and go, and the call for a step. */
interface Scan {
  name: string;
  add: (element: string) => string[];
  remove: (element: string) => string[];
  step: (cursor: string) => string[];
  /** Elements of one step's reply: every one, or every second. */
  stride: 1 | 2;
}

const SCANS: Scan[] = [
  {
    name: "SCAN",
    add: (element) => ["SET", element, "v"],
    remove: (element) => ["DEL", element],
    step: (cursor) => ["SCAN", cursor, "COUNT", "7"],
    stride: 1,
  },
  {
    name: "SSCAN",
    add: (element) => ["SADD", "key", element],
    remove: (element) => ["SREM", "key", element],
    step: (cursor) => ["SSCAN", "key", cursor, "COUNT", "7"],
    stride: 1,
  },
  {
    name: "HSCAN",
    add: (element) => ["HSET", "key", element, "v"],
    remove: (element) => ["HDEL", "key", element],
    step: (cursor) => ["HSCAN", "key", cursor, "COUNT", "7"],
    stride: 2,
  },
  {
    name: "ZSCAN",
    add: (element) => ["ZADD", "key", "1", element],
    remove: (element) => ["ZREM", "key", element],
    step: (cursor) => ["ZSCAN", "key", cursor, "COUNT", "7"],
    stride: 2,
  },
];

/** Scans to the end with changes between the steps; gives what came and the calls it took. */
async function scanAll(
  conn: Connection,
  scan: Scan,
  change: () => string[][],
): Promise<{ seen: Set<string>; calls: number }> {
  const seen = new Set<string>();
  let cursor = "0";
  let calls = 0;
  do {
    const reply: Reply = await conn.call(...scan.step(cursor));
    assertEquals(reply.items.length, 2, `${scan.name} gave ${JSON.stringify(reply)}`);
    cursor = reply.items[0].text;
    reply.items[1].items.forEach((item, i) => {
      if (i % scan.stride === 0) seen.add(item.text);
    });
    calls++;
    assert(calls < 20_000, `${scan.name} does not come to an end`);
    const changes = change();
    if (changes.length > 0) await conn.pipeline(changes);
    calls += changes.length;
  } while (cursor !== "0");
  return { seen, calls };
}

for (const scan of SCANS) {
  Deno.test({
    name: `${scan.name} gives every element that stays, and none that never was, on both servers`,
    ignore: !hasRedisServer,
    fn: async () => {
      const pair = new Pair();
      let calls = 0;
      try {
        await pair.start();
        if (!pair.has([scan.name])) {
          console.log(`left out: tsredis does not have ${scan.name}`);
          return;
        }
        for (const [size, growth] of [[5, 0], [100, 3], [1000, 0], [1000, 12], [3000, -12]]) {
          for (
            const [conn, label] of [[pair.realConns[0], "redis-server"], [
              pair.testedConns[0],
              "tsredis",
            ]] as const
          ) {
            await conn.call("FLUSHALL");
            const random = new Random(size + growth);
            const staying = Array.from({ length: size }, (_, i) => `stays:${i}`);
            const passing = Array.from({ length: size }, (_, i) => `passes:${i}`);
            await conn.pipeline([...staying, ...passing].map(scan.add));
            let next = 0;
            const change = (): string[][] => {
              const changes: string[][] = [];
              for (let i = 0; i < Math.abs(growth); i++) {
                if (growth > 0) changes.push(scan.add(`new:${next++}`)); // the table grows
                else if (next < size) changes.push(scan.remove(`passes:${next++}`)); // and shrinks
              }
              if (growth > 0) changes.push(scan.remove(random.pick(passing)));
              if (next > 6 * size) changes.length = 0; // or the scan would run after its own tail
              return changes;
            };
            const result = await scanAll(conn, scan, change);
            calls += result.calls;
            for (const element of staying) {
              assert(
                result.seen.has(element),
                `${label}: ${scan.name} of ${size} left out ${element}`,
              );
            }
            for (const element of result.seen) {
              assert(
                /^(stays|passes|new):\d+$/.test(element),
                `${label}: ${scan.name} made up ${element}`,
              );
            }
            if (growth === 0) {
              assertEquals(result.seen.size, 2 * size, `${label}: ${scan.name} of ${size}`);
            }
          }
        }
        console.log(`${calls} calls around ${scan.name} on both servers`);
      } finally {
        await pair.stop();
      }
    },
  });
}
