/** Drawn calls on hashes, compared with a Map after each; small limits make all encodings occur. */

import { assertEquals } from "@std/assert";
import { type TestServer, testServer } from "../../support/test_server.ts";
import { Random } from "../../support/random.ts";

function step(s: TestServer, model: Map<string, string>, random: Random): void {
  const field = random.draw() < 0.5 ? `f${random.below(40)}` : String(random.below(40) - 20);
  const kind = random.below(10);
  if (kind < 5) {
    // Values of all lengths: integers, short and long texts, now and then one beyond a record.
    const length = random.draw() < 0.02
      ? 65_530 + random.below(12)
      : random.below(random.draw() < 0.2 ? 300 : 12);
    const value = random.draw() < 0.3 ? String(random.below(1e9) - 5e8) : "v".repeat(length);
    assertEquals(s.run("HSET", "h", field, value), model.has(field) ? 0 : 1);
    model.set(field, value);
  } else if (kind < 8) {
    assertEquals(s.run("HDEL", "h", field), model.delete(field) ? 1 : 0);
  } else {
    assertEquals(s.run("HGET", "h", field), model.get(field) ?? null);
  }
}

for (const [seed, entries, longest] of [[1, 128, 64], [2, 20, 64], [3, 12, 1000], [4, 0, 0]]) {
  Deno.test(`a hash is what a map would be (seed ${seed}, listpacks up to ${entries})`, () => {
    const s = testServer();
    s.keyspace.limits.hashMaxListpackEntries = entries;
    s.keyspace.limits.hashMaxListpackValue = longest;
    const random = new Random(seed);
    const empty = s.keyspace.dataBytes;
    for (let round = 0; round < 8; round++) {
      const model = new Map<string, string>();
      for (let i = 0; i < 250; i++) step(s, model, random);
      const flat = s.run("HGETALL", "h") as string[];
      const pairs = flat.flatMap((field, i) => i % 2 === 0 ? [[field, flat[i + 1]]] : []);
      assertEquals(pairs.toSorted(), [...model].toSorted());
      assertEquals(s.run("HLEN", "h"), model.size);
      s.run("DEL", "h");
    }
    assertEquals(s.keyspace.dataBytes, empty);
  });
}
