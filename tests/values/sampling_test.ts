import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { LargeSet } from "../../src/values/large_set.ts";
import { sampleDict } from "../../src/values/sampling.ts";
import { Random } from "../support/random.ts";

function setOf(size: number): LargeSet {
  const set = new LargeSet();
  for (let i = 0; i < size; i++) {
    const member = latin1(`m${i}`);
    set.addMember(member, 0, member.length);
  }
  return set;
}

for (const count of [0, 1, 3, 10, 29, 30, 31]) {
  Deno.test(`sampleDict visits ${count} different of 30 records, each about as often`, () => {
    const set = setOf(30);
    const draw = new Random(count).draw;
    const times = new Map<string, number>();
    const rounds = 3000;
    for (let round = 0; round < rounds; round++) {
      const seen = new Set<number>();
      sampleDict(set, count, draw, (ref) => {
        seen.add(ref);
        const name = toLatin1(set.bytesOf(ref), set.keyOffset(ref), set.keyLength(ref));
        times.set(name, (times.get(name) ?? 0) + 1);
      });
      assertEquals(seen.size, Math.min(count, 30));
    }
    const expected = rounds * Math.min(count, 30) / 30;
    for (const n of times.values()) {
      assert(n >= expected * 0.6 && n <= expected * 1.4, `${n} of ${expected}`);
    }
  });
}

Deno.test("LargeSet.clone shares nothing with what it was made of", () => {
  const set = setOf(100);
  const copy = set.clone();
  const member = latin1("m7");
  set.remove(set.get(member, 0, member.length));
  assertEquals([set.count, copy.count], [99, 100]);
  assert(copy.get(member, 0, member.length) !== 0);
});
