import { assertEquals } from "@std/assert";
import { Dict } from "../../src/arena/dict.ts";
import { blocks } from "../../src/base/blocks.ts";
import { hashBytes } from "../../src/base/hash.ts";
import { latin1 } from "../../src/base/bytes.ts";
import { testServer } from "../support/test_server.ts";

const MB = 1 << 20;

/** Bytes taken from blocks since `before`, once what was given back has been settled. */
function takenSince(before: number): number {
  blocks.settle();
  return blocks.takenBytes - before;
}

Deno.test("a dict gives its segments and tables back as its records are removed", () => {
  const before = takenSince(0);
  const dict = new Dict();
  const refs: number[] = [];
  for (let n = 0; n < 100_000; n++) {
    const key = latin1(`key:${n}`);
    refs.push(dict.add(key, 0, key.length, hashBytes(key, 0, key.length), 100, 0, NaN));
  }
  assertEquals(takenSince(before) > 12 * MB, true);
  for (const ref of refs) dict.remove(ref);
  while (dict.compactStep(1000) || dict.rehashSome(1000));
  assertEquals(takenSince(before), 0);
});

Deno.test("a dict that is disposed of gives everything back", () => {
  const before = takenSince(0);
  const dict = new Dict();
  for (let n = 0; n < 100_000; n++) {
    const key = latin1(`key:${n}`);
    dict.add(key, 0, key.length, hashBytes(key, 0, key.length), 100, 0, NaN);
  }
  dict.dispose();
  assertEquals(takenSince(before), 0);
});

for (const command of [["FLUSHALL"], ["DEL", "a", "b"], ["MSET", "a", "1", "b", "2"]]) {
  Deno.test(`${command[0]} gives the memory of long strings back`, () => {
    const s = testServer();
    const before = takenSince(0);
    s.run("SET", "a", "x".repeat(3 * MB));
    s.run("SET", "b", "x".repeat(20_000));
    s.run("APPEND", "b", "x".repeat(MB));
    assertEquals(takenSince(before) >= 4 * MB, true);
    s.run(...command);
    assertEquals(takenSince(before) < 64 * 1024, true);
  });
}

Deno.test("MEMORY PURGE gives back what FLUSHALL has left for later", () => {
  const s = testServer();
  const before = takenSince(0);
  for (let n = 0; n < 2_000; n++) s.run("SET", `key:${n}`, "x".repeat(17_000));
  s.run("FLUSHALL");
  assertEquals(takenSince(before) > 16 * MB, true);
  assertEquals(s.run("MEMORY", "PURGE"), "OK");
  assertEquals(takenSince(before), 0);
});
