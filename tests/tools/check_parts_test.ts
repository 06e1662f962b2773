/** Parts of `tsredis check` by themselves: prefixes, and what keys take in memory. */

import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { LOAD_WHOLE } from "../../src/rdb/kinds/value_load.ts";
import { PrefixTree } from "../../src/tools/check/prefixes.ts";
import { elementsOf, memoryOf } from "../../src/tools/check/sizes.ts";
import { saveToBytes } from "../rdb/datasets.ts";
import { scanBytes } from "../rdb/scans.ts";
import { Random } from "../support/random.ts";
import { testServer } from "../support/test_server.ts";

function rowsOf(keys: Iterable<string>, share = 0.01): string[] {
  const tree = new PrefixTree();
  for (const key of keys) tree.add(latin1(key), 0, key.length, 10);
  return tree.rows(share, 100).map(({ prefix, depth, keys, bytes }) => {
    assertEquals(bytes, keys * 10);
    return `${depth} ${prefix} ${keys}`;
  });
}

Deno.test("prefixes of keys are told apart, and ids in them are not", () => {
  const keys: string[] = [];
  for (let i = 0; i < 1000; i++) {
    keys.push(`user:${i}:profile`);
    if (i % 2 === 0) keys.push(`user:${i}:cart`);
    if (i % 4 === 0) keys.push(`session:5f2b7c0${i.toString(16)}aa9`);
  }
  keys.push("config");
  assertEquals(rowsOf(keys), [
    "0 user:*: 1500",
    "1 user:*:profile 1000",
    "1 user:*:cart 500",
    "0 session:* 250",
  ]);
  assertEquals(rowsOf(["a_1", "a_2", "b"]), ["0 a_* 2", "0 b 1"]);
  assertEquals(rowsOf(["", ":", "a:"], 0), ["0 : 1", "0 a: 1", "0  1"]);
});

Deno.test("of names that are too many those that weigh something keep theirs, in bounded memory", () => {
  const random = new Random(3);
  const letters = () =>
    String.fromCharCode(...Array.from({ length: 8 }, () => 97 + random.below(26)));
  const keys = function* () {
    for (let i = 0; i < 30_000; i++) {
      yield i % 3 === 0 ? `queue:${letters()}` : `${letters()}:${letters()}:data`;
    }
  };
  const rows = rowsOf(keys());
  assert(rows.length <= 5, rows.join("\n"));
  assert(rows.includes("0 queue:* 10000"), rows.join("\n"));
});

Deno.test("memory of a key that was passed over is about what MEMORY USAGE says", () => {
  const s = testServer();
  const add = (command: string, key: string, count: number, words: (i: number) => unknown[]) => {
    for (let from = 0; from < count; from += 1000) {
      const length = Math.min(1000, count - from);
      const all = Array.from({ length }, (_, i) => words(from + i)).flat().map(String);
      s.run(command, key, ...all);
    }
  };
  s.run("SET", "string", "x".repeat(100), "PX", 100_000);
  s.run("SET", "long", "x".repeat(300_000));
  for (const n of [10, 100, 3000, 20_000]) {
    add("SADD", `ints${n}`, n, (i) => [i * 3]);
    add("SADD", `set${n}`, n, (i) => [`member ${i}`]);
    add("HSET", `hash${n}`, n, (i) => [`field ${i}`, `value number ${i}`]);
    add("ZADD", `zset${n}`, n, (i) => [i / 7, `member ${i}`]);
    add("RPUSH", `list${n}`, n, (i) => [`element ${i}`]);
    for (let i = 0; i < n / 10; i++) s.run("XADD", `stream${n}`, "*", "field", `value ${i}`);
  }
  let keys = 0;
  scanBytes(saveToBytes(s.keyspace), {
    onKey(scan, state) {
      assertEquals(state, LOAD_WHOLE);
      keys++;
      const usage = s.run("MEMORY", "USAGE", scan.keyText) as number;
      const ratio = memoryOf(scan.values, scan.keyLength, scan.expiresAtMs > 0) / usage;
      assert(ratio > 0.75 && ratio < 1.3, `${scan.keyText}: ${ratio}`);
      const size = Number(/\d+$/.exec(scan.keyText)?.[0] ?? 1);
      const isStream = scan.keyText.startsWith("stream");
      const expected = isStream ? size / 10 : size;
      assertEquals(elementsOf(scan.values), expected, scan.keyText);
    },
  });
  assertEquals(keys, 26);
});
