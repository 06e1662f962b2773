import { assertEquals } from "@std/assert";
import { hashBytes } from "../../src/base/hash.ts";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { SCORED_ELEMENTS_MAX, ScoredElements } from "../../src/values/scored_elements.ts";
import { Random } from "../support/random.ts";

const SCORES = [0, -0, 1, 1, 2.5, -3, Infinity, -Infinity];

function walked(elements: ScoredElements): [string, number][] {
  const found: [string, number][] = [];
  for (let on = elements.first(); on; on = elements.next()) {
    found.push([toLatin1(elements.bytes, elements.offset, elements.length), elements.score]);
  }
  return found;
}

Deno.test("ScoredElements are walked by score and, where that is the same, by their bytes", () => {
  const random = new Random(8);
  const elements = new ScoredElements();
  for (const count of [0, 1, 2, 3, 10, 100, SCORED_ELEMENTS_MAX]) {
    for (let round = 0; round < 20; round++) {
      elements.clear();
      const model = new Map<string, number>();
      while (model.size < count) {
        const name = `m${random.below(count * 3)}`;
        const bytes = latin1(name);
        const hash = hashBytes(bytes, 0, bytes.length);
        const score = SCORES[random.below(SCORES.length)];
        const found = elements.find(bytes, 0, bytes.length, hash);
        assertEquals(found >= 0, model.has(name));
        if (found < 0) elements.add(bytes, 0, bytes.length, score, hash);
        else elements.setScore(found, score);
        model.set(name, score);
      }
      elements.order();
      const expected = [...model].sort(([a, x], [b, y]) => x < y ? -1 : x > y ? 1 : a < b ? -1 : 1);
      assertEquals(walked(elements), expected);
      assertEquals(elements.count, count);
    }
  }
});
