import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { KeyTable } from "../../src/tracking/key_table.ts";
import { Random } from "../support/random.ts";
import { withRefusedAllocations } from "../support/refused_allocations.ts";

function add(table: KeyTable, key: string, number: number) {
  const bytes = latin1(`..${key}.`);
  return table.add(bytes, 2, key.length, number);
}

function find(table: KeyTable, key: string): number {
  return table.find(latin1(`.${key}`), 1, key.length);
}

function numbersOf(table: KeyTable, key: string): number[] {
  const entry = find(table, key);
  if (entry === 0) return [];
  assertEquals(toLatin1(table.bytesOf(entry), table.offsetOf(entry), table.lengthOf(entry)), key);
  return Array.from({ length: table.countOf(entry) }, (_, place) => table.numberAt(entry, place));
}

Deno.test("a key keeps each number once, the smallest first", () => {
  const table = new KeyTable();
  assertEquals(add(table, "k", 7), "added");
  assertEquals(add(table, "k", 0xffffffff), "added");
  assertEquals(add(table, "k", 1), "added");
  assertEquals(add(table, "k", 7), "known");
  assertEquals(add(table, "", 3), "added");
  assertEquals(numbersOf(table, "k"), [1, 7, 0xffffffff]);
  assertEquals(numbersOf(table, ""), [3]);
  assertEquals(numbersOf(table, "other"), []);
  assertEquals([table.keyCount, table.itemCount], [2, 4]);
  table.remove(find(table, "k"));
  assertEquals([table.keyCount, table.itemCount], [1, 1]);
  table.clear();
  assertEquals([table.keyCount, table.itemCount, table.memoryBytes], [0, 0, 0]);
  assertEquals(find(table, ""), 0);
});

Deno.test("keys, numbers, sweeps and compaction agree with a model", () => {
  const random = new Random(3);
  const table = new KeyTable();
  const model = new Map<string, Set<number>>();
  for (let i = 0; i < 60_000; i++) {
    const key = `key:${random.below(random.chance(0.5) ? 20 : 3_000)}`;
    const chosen = random.below(1_000);
    if (chosen < 900) {
      const number = 1 + random.below(random.chance(0.8) ? 5 : 400);
      const numbers = model.get(key) ?? new Set();
      assertEquals(add(table, key, number), numbers.has(number) ? "known" : "added");
      model.set(key, numbers.add(number));
    } else if (chosen < 990) {
      const entry = find(table, key);
      assertEquals(entry !== 0, model.delete(key));
      if (entry !== 0) table.remove(entry);
    } else if (chosen < 994) {
      const gone = 1 + random.below(5);
      while (table.sweepSome((number) => number === gone));
      for (const [each, numbers] of model) {
        numbers.delete(gone);
        if (numbers.size === 0) model.delete(each);
      }
    } else {
      table.rehashSome();
      table.compactStep(1_000, 0.95);
    }
  }
  let items = 0;
  for (const [key, numbers] of model) {
    assertEquals(numbersOf(table, key), [...numbers].sort((a, b) => a - b));
    items += numbers.size;
  }
  assertEquals([table.keyCount, table.itemCount], [model.size, items]);
});

Deno.test("a list that has no more room says so and stays as it is", () => {
  const table = new KeyTable();
  let number = 0;
  while (add(table, "k", ++number) === "added");
  assertEquals(add(table, "k", number), "full");
  assertEquals(add(table, "k", 5), "known");
  assert(number > 10_000);
  assertEquals(numbersOf(table, "k").length, number - 1);
});

Deno.test("a slice of a sweep looks at a few thousand numbers, however they lie", () => {
  for (const [keys, numbers] of [[20_000, 1], [50, 400], [2, 10_000]]) {
    const table = new KeyTable();
    for (let k = 0; k < keys; k++) {
      for (let number = 1; number <= numbers; number++) add(table, `key:${k}`, number);
    }
    let looked = 0;
    let most = 0;
    let hasMore = true;
    while (hasMore) {
      const before = looked;
      hasMore = table.sweepSome((number) => {
        looked++;
        return number % 2 === 1;
      });
      most = Math.max(most, looked - before);
    }
    assertEquals(looked, keys * numbers);
    assertEquals(table.itemCount, keys * Math.floor(numbers / 2));
    // A slice ends behind the keys of one bucket, of which the hash may place many together.
    assert(most <= 2_000 + 16 * Math.max(numbers, 2), `${most} of ${keys} times ${numbers}`);
  }
});

Deno.test("a key of one client takes about 40 bytes beside its own", () => {
  const table = new KeyTable();
  for (let i = 0; i < 100_000; i++) add(table, `key:${String(i).padStart(12, "0")}`, 1 + i % 50);
  const perKey = table.memoryBytes / 100_000 - 16;
  assert(perKey < 45, `${perKey} bytes`);
});

Deno.test("where there is no memory for a key, nothing has changed", () => {
  const table = new KeyTable();
  for (let i = 0; i < 5_000; i++) {
    const before = [table.keyCount, table.itemCount];
    let isRefused = false;
    withRefusedAllocations(() => true, () => {
      try {
        add(table, `key:${i}`, 1);
      } catch (error) {
        assert(error instanceof RangeError);
        isRefused = true;
      }
    });
    if (!isRefused) continue;
    assertEquals([table.keyCount, table.itemCount], before);
    assertEquals(add(table, `key:${i}`, 1), "added");
  }
  assertEquals([table.keyCount, table.itemCount], [5_000, 5_000]);
});
