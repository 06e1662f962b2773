import { assert, assertEquals } from "@std/assert";
import { Dict } from "../../src/arena/dict.ts";
import { DictFill } from "../../src/arena/dict_fill.ts";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { hashBytes } from "../../src/base/hash.ts";

/** Fills a new dict with these keys; null when one was said to be there twice. */
function filledWith(keys: string[], reserved: number): Dict | null {
  const dict = new Dict();
  dict.reserve(reserved);
  const fill = new DictFill();
  fill.begin(dict);
  for (const key of keys) {
    const bytes = latin1(key);
    const ref = fill.add(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length), 1, 7);
    if (ref === 0) return null;
    dict.bytesOf(ref)[dict.valueOffset(ref)] = bytes.length;
  }
  return fill.flush() ? dict : null;
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `key:${i}`);

for (const count of [0, 1, 31, 32, 33, 1_000]) {
  for (const reserved of [0, count]) {
    Deno.test(`DictFill: ${count} records are found, in a table made for ${reserved}`, () => {
      const dict = filledWith(names(count), reserved)!;
      assertEquals(dict.count, count);
      const found: string[] = [];
      dict.forEach((ref) => {
        const key = toLatin1(dict.bytesOf(ref), dict.keyOffset(ref), dict.keyLength(ref));
        assertEquals(dict.bytesOf(ref)[dict.valueOffset(ref)], key.length);
        assertEquals(dict.metaOf(ref), 7);
        found.push(key);
      });
      assertEquals(found.toSorted(), names(count).toSorted());
      for (const name of names(count)) assert(dict.get(latin1(name), 0, name.length) !== 0, name);
    });
  }
}

for (const [first, second] of [[0, 1], [0, 31], [0, 32], [3, 999], [31, 32], [500, 531]]) {
  Deno.test(`DictFill: a key that is there as record ${first} and ${second} is noticed`, () => {
    const keys = names(1_000);
    keys[second] = keys[first];
    assertEquals(filledWith(keys, 1_000), null);
  });
}
