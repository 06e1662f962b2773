/** ScratchSet beside a Set of texts. */

import { assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { hashBytes } from "../../src/base/hash.ts";
import { ScratchSet } from "../../src/values/scratch_set.ts";
import { Random } from "../support/random.ts";

Deno.test("a ScratchSet holds what was added since it was cleared, of any number and length", () => {
  const random = new Random(7);
  const set = new ScratchSet();
  for (const count of [10, 3_000, 5, 40, 200]) {
    set.clear();
    const model = new Set<string>();
    for (let i = 0; i < count; i++) {
      const text = String(random.below(count)) + "x".repeat(random.below(50));
      const bytes = latin1(`<${text}>`);
      assertEquals(
        set.has(bytes, 1, text.length, hashBytes(bytes, 1, text.length)),
        model.has(text),
      );
      assertEquals(set.add(bytes, 1, text.length), !model.has(text));
      model.add(text);
      assertEquals(set.count, model.size);
    }
    for (const text of model) {
      assertEquals(set.add(latin1(text), 0, text.length), false);
    }
  }
});
