import { assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { hashBytes } from "../../src/base/hash.ts";
import { ByteMap, type Named } from "../../src/pubsub/byte_map.ts";
import { Random } from "../support/random.ts";

function named(text: string): Named {
  const name = latin1(text);
  return { name, hash: hashBytes(name, 0, name.length) };
}

Deno.test("a map finds by bytes what was added and not removed, as a Map of strings does", () => {
  const map = new ByteMap<Named>();
  const model = new Map<string, Named>();
  const random = new Random(3);
  for (let i = 0; i < 20_000; i++) {
    // First it grows, then it shrinks.
    const text = `n${random.below(2000)}`;
    const item = model.get(text);
    if (item !== undefined && random.below(20_000) < i) {
      map.remove(item);
      model.delete(text);
    } else if (item === undefined && random.below(20_000) >= i) {
      const fresh = named(text);
      map.add(fresh);
      model.set(text, fresh);
    }
    assertEquals(map.count, model.size);
    const asked = `n${random.below(2000)}`;
    const bytes = latin1(`-${asked}-`);
    assertEquals(map.get(bytes, 1, asked.length), model.get(asked) ?? null);
  }
  const names = [...map.values()].map(({ name }) => toLatin1(name));
  assertEquals(names.sort(), [...model.keys()].sort());
});
