/** Drawn calls on hashes, compared with a Map after each; small limits make all encodings occur. */

import { assertEquals } from "@std/assert";
import { type TestServer, testServer } from "../../support/test_server.ts";

/** Numbers in [0, 1) from a seed. */
function draws(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

function step(s: TestServer, model: Map<string, string>, draw: () => number): void {
  const below = (n: number) => Math.floor(draw() * n);
  const field = draw() < 0.5 ? `f${below(40)}` : String(below(40) - 20);
  const kind = below(10);
  if (kind < 5) {
    // Values of all lengths: integers, short and long texts, now and then one beyond a record.
    const length = draw() < 0.02 ? 65_530 + below(12) : below(draw() < 0.2 ? 300 : 12);
    const value = draw() < 0.3 ? String(below(1e9) - 5e8) : "v".repeat(length);
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
    const draw = draws(seed);
    const empty = s.keyspace.dataBytes;
    for (let round = 0; round < 8; round++) {
      const model = new Map<string, string>();
      for (let i = 0; i < 250; i++) step(s, model, draw);
      const flat = s.run("HGETALL", "h") as string[];
      const pairs = flat.flatMap((field, i) => i % 2 === 0 ? [[field, flat[i + 1]]] : []);
      assertEquals(pairs.toSorted(), [...model].toSorted());
      assertEquals(s.run("HLEN", "h"), model.size);
      s.run("DEL", "h");
    }
    assertEquals(s.keyspace.dataBytes, empty);
  });
}
