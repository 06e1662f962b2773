import { assertEquals } from "@std/assert";
import { Dict } from "../../src/arena/dict.ts";
import { RefIndex } from "../../src/arena/ref_index.ts";
import { latin1 } from "../../src/base/bytes.ts";
import { hashBytes } from "../../src/base/hash.ts";

/** An index of so many records, each with its hash. */
function indexOf(count: number) {
  const dict = new Dict();
  const index = new RefIndex(dict);
  const hashes = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const name = latin1(`key:${i}`);
    const hash = hashBytes(name, 0, name.length);
    hashes.set(dict.add(name, 0, name.length, hash, 0, 0, NaN), hash);
  }
  for (const [ref, hash] of hashes) index.add(hash, ref);
  return { index, hashes };
}

Deno.test("a scan that removes what it visits reaches everything, however far a resize has come", () => {
  for (let count = 1; count < 600; count += 7) {
    const { index, hashes } = indexOf(count);
    const seen = new Set<number>();
    let cursor = 0;
    do {
      cursor = index.scan(cursor, (ref) => {
        seen.add(ref);
        index.delete(hashes.get(ref)!, ref);
      });
    } while (cursor !== 0);
    assertEquals([seen.size, index.count], [count, 0], `${count} references`);
  }
});
