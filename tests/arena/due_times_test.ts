import { assert, assertEquals } from "@std/assert";
import { DueTimes } from "../../src/arena/due_times.ts";
import { Random } from "../support/random.ts";

/** Due times whose records are numbers, with what an owner knows of their places. */
class Owned {
  readonly places = new Map<number, number>();
  readonly times = new Map<number, number>();
  readonly due = new DueTimes(this);

  placed(ref: number, place: number): void {
    this.places.set(ref, place);
  }

  add(ref: number, timeMs: number): void {
    this.due.add(ref, timeMs);
    this.times.set(ref, timeMs);
  }

  remove(ref: number): void {
    const place = this.places.get(ref)!;
    this.places.delete(ref);
    this.times.delete(ref);
    this.due.removeAt(place);
  }

  check(): void {
    assertEquals(this.due.count, this.times.size);
    let first = Infinity;
    for (const [ref, timeMs] of this.times) {
      assertEquals(this.due.timeAt(this.places.get(ref)!), timeMs);
      first = Math.min(first, timeMs);
    }
    assertEquals(this.due.firstMs, first);
    assertEquals(new Set(this.places.values()).size, this.times.size);
  }
}

for (const [seed, most] of [[1, 30], [2, 400], [3, 3000]]) {
  Deno.test(`DueTimes keeps places and the first time through drawn changes (seed ${seed})`, () => {
    const random = new Random(seed);
    const owned = new Owned();
    let next = 1;
    for (let i = 0; i < 8000; i++) {
      const refs = [...owned.times.keys()];
      const drawn = refs[random.below(refs.length || 1)];
      const kind = random.below(10);
      const timeMs = random.below(1000);
      if (refs.length === 0 || (kind < 5 && refs.length < most)) owned.add(next++, timeMs);
      else if (kind < 7) owned.remove(drawn);
      else if (kind < 9) {
        owned.due.change(owned.places.get(drawn)!, timeMs);
        owned.times.set(drawn, timeMs);
      } else {
        owned.due.moved(owned.places.get(drawn)!, next);
        owned.places.set(next, owned.places.get(drawn)!);
        owned.times.set(next++, owned.times.get(drawn)!);
        owned.places.delete(drawn);
        owned.times.delete(drawn);
      }
      if (i % 100 === 0) owned.check();
      if (i % 500 === 0) {
        const before = [...owned.times.values()].filter((time) => time < timeMs).length;
        assertEquals(owned.due.countBefore(timeMs), before);
      }
    }
    let last = -Infinity;
    while (owned.due.count > 0) {
      assert(owned.due.firstMs >= last);
      last = owned.due.firstMs;
      owned.remove(owned.due.firstRef);
    }
  });
}

Deno.test("DueTimes grows over several chunks, gives them back, and adds what was removed without memory", () => {
  const owned = new Owned();
  const empty = owned.due.memoryBytes;
  for (let ref = 1; ref <= 50_000; ref++) owned.add(ref, (ref * 7919) % 50_021);
  const full = owned.due.memoryBytes;
  assert(full > 600_000 && full < 1_000_000, `${full}`);
  for (let ref = 1; ref <= 49_000; ref++) {
    owned.remove(ref);
    if (ref % 7000 !== 0) continue;
    const { memoryBytes } = owned.due;
    owned.add(ref, 5);
    assertEquals(owned.due.memoryBytes, memoryBytes);
    owned.remove(ref);
  }
  owned.check();
  assert(owned.due.memoryBytes < full / 2 && owned.due.memoryBytes > empty);
});
