import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { LargeSet } from "../../src/values/large_set.ts";
import { drawIndexes, sampleDict } from "../../src/values/sampling.ts";
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

for (
  const [count, total] of [[0, 5], [1, 1], [1, 7], [3, 30], [15, 30], [16, 40], [29, 30], [9, 4]]
) {
  Deno.test(`drawIndexes draws ${count} of ${total} in order, each about as often`, () => {
    const draw = new Random(count + total).draw;
    const times = new Array(total).fill(0);
    const rounds = 4000;
    for (let round = 0; round < rounds; round++) {
      const indexes = drawIndexes(count, total, draw);
      assertEquals(indexes.length, Math.min(count, total));
      indexes.forEach((index, i) => {
        assert(index < total && (i === 0 || index > indexes[i - 1]));
        times[index]++;
      });
    }
    const expected = rounds * Math.min(count, total) / total;
    for (const n of times) assert(n >= expected * 0.6 && n <= expected * 1.4, `${n}`);
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
