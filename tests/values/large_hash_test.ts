import { assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { ElementText } from "../../src/values/element_text.ts";
import { LargeHash } from "../../src/values/large_hash.ts";

function set(hash: LargeHash, field: string, value: string): boolean {
  const f = latin1(field);
  const v = latin1(value);
  return hash.set(f, 0, f.length, v, 0, v.length);
}

function get(hash: LargeHash, field: string): string | null {
  const f = latin1(field);
  const ref = hash.find(f, 0, f.length);
  if (ref === 0) return null;
  const text = new ElementText();
  hash.readValue(ref, text);
  return toLatin1(text.bytes, text.offset, text.length);
}

const LENGTHS = [0, 5, 65_535, 65_536, 200_000];
for (const from of LENGTHS) {
  for (const to of LENGTHS) {
    Deno.test(`LargeHash replaces a value of ${from} bytes by one of ${to}`, () => {
      const hash = new LargeHash();
      assertEquals(set(hash, "other", "o".repeat(70_000)), true);
      assertEquals(set(hash, "f", "a".repeat(from)), true);
      assertEquals(set(hash, "f", "b".repeat(to)), false);
      assertEquals(get(hash, "f"), "b".repeat(to));
      assertEquals(get(hash, "other"), "o".repeat(70_000));
      assertEquals(hash.count, 2);
    });
  }
}

Deno.test("LargeHash shows a record to a snapshot while its old value can be read", () => {
  const hash = new LargeHash();
  set(hash, "f", "a".repeat(70_000));
  const seen: (string | null)[] = [];
  hash.dict.hook = { beforeRecordWrite: () => seen.push(get(hash, "f")) };
  set(hash, "f", "b");
  assertEquals(seen[0], "a".repeat(70_000));
  set(hash, "f", "c".repeat(80_000));
  seen.length = 0;
  const f = latin1("f");
  hash.remove(hash.find(f, 0, 1));
  assertEquals(seen[0], "c".repeat(80_000));
});

Deno.test("LargeHash.clone shares nothing with what it was made of", () => {
  const hash = new LargeHash();
  set(hash, "short", "1");
  set(hash, "long", "x".repeat(70_000));
  const copy = hash.clone();
  set(hash, "short", "2");
  set(hash, "long", "y");
  assertEquals([get(copy, "short"), get(copy, "long")], ["1", "x".repeat(70_000)]);
});
