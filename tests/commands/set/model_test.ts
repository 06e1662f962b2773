/** Drawn calls on sets, compared with a Set after each; small limits make all encodings occur. */

import { assertEquals } from "@std/assert";
import { type TestServer, testServer } from "../../support/test_server.ts";
import { Random } from "../../support/random.ts";

const INTEGERS = [0, 1, -1, 127, 128, 32767, 32768, -32769, 2147483648, -2147483649].map(String)
  .concat("9223372036854775807", "-9223372036854775808", "9007199254740993");

function step(s: TestServer, model: Set<string>, random: Random, texts: boolean): void {
  let member = random.draw() < 0.2
    ? INTEGERS[random.below(INTEGERS.length)]
    : String(random.below(60) - 30);
  if (texts && random.draw() < 0.3) member = "m".repeat(random.below(4)) + random.below(10);
  const kind = random.below(10);
  if (kind < 5) {
    assertEquals(s.run("SADD", "s", member), model.has(member) ? 0 : 1);
    model.add(member);
  } else if (kind < 7) {
    assertEquals(s.run("SREM", "s", member), model.delete(member) ? 1 : 0);
  } else if (kind < 8) {
    const popped = s.run("SPOP", "s") as string | null;
    assertEquals(popped === null ? model.size === 0 : model.delete(popped), true);
  } else {
    assertEquals(s.run("SISMEMBER", "s", member), model.has(member) ? 1 : 0);
  }
}

for (const [seed, ints, entries] of [[1, 512, 128], [2, 10, 20], [3, 30, 5], [4, 0, 0]]) {
  Deno.test(`a set is what a Set would be (seed ${seed}, up to ${ints} and ${entries})`, () => {
    const s = testServer({ seed });
    s.keyspace.limits.setMaxIntsetEntries = ints;
    s.keyspace.limits.setMaxListpackEntries = entries;
    const random = new Random(seed);
    const empty = s.keyspace.dataBytes;
    for (let round = 0; round < 12; round++) {
      const model = new Set<string>();
      for (let i = 0; i < 300; i++) step(s, model, random, round % 2 === 1 && i > 30);
      assertEquals((s.run("SMEMBERS", "s") as string[]).toSorted(), [...model].toSorted());
      assertEquals(s.run("SCARD", "s"), model.size);
      s.run("DEL", "s");
    }
    assertEquals(s.keyspace.dataBytes, empty);
  });
}
