/** Pending ids beside a plain sorted list: any order of adding, removing and seeking, under walks too. */

import { assert, assertEquals } from "@std/assert";
import { ConsumerGroup } from "../../../src/values/stream/consumer_group.ts";
import { PendingIds, PendingPlace } from "../../../src/values/stream/pending_ids.ts";
import { StreamId } from "../../../src/values/stream/stream_id.ts";
import { Random } from "../../support/random.ts";

const idOf = (n: number) => new StreamId(0, Math.floor(n / 7), 0, n % 7);

function all(pending: PendingIds): string[] {
  const found: string[] = [];
  const place = new PendingPlace();
  const id = new StreamId();
  for (let on = pending.first(place); on; on = pending.next(place)) {
    found.push(String(place.chunk.readId(place.index, id)));
  }
  return found;
}

for (const hasDetails of [true, false]) {
  Deno.test(`PendingIds ${hasDetails ? "with" : "without"} details are what a sorted list is`, () => {
    for (const seed of [1, 2, 3, 4]) {
      const random = new Random(seed);
      const generations = { walks: 0, generation: 0, walksFail() {} };
      const pending = new PendingIds(hasDetails, generations);
      const model = new Map<number, number>();
      const place = new PendingPlace();
      let kept: { chunks: ReturnType<PendingIds["chunks"]>; text: string } | null = null;
      const textOf = (chunks: ReturnType<PendingIds["chunks"]>) =>
        chunks.map((chunk) =>
          [...chunk.ids.slice(0, chunk.count * 4), ...chunk.times.slice(0, chunk.count)].join()
        )
          .join(";");
      for (let step = 0; step < 6000; step++) {
        const n = random.chance(0.5) ? random.below(1500) : 1500 + step;
        if (random.chance(step < 3000 ? 0.7 : 0.25)) {
          if (!model.has(n)) {
            pending.add(place, idOf(n));
            if (hasDetails) place.chunk.times[place.index] = n;
            model.set(n, n);
          }
        } else if (model.size > 0) {
          const keys = [...model.keys()];
          const gone = random.chance(0.3) ? Math.min(...keys) : keys[random.below(keys.length)];
          assert(pending.find(place, idOf(gone)));
          if (hasDetails) assertEquals(place.chunk.times[place.index], gone);
          pending.remove(place);
          model.delete(gone);
        }
        if (step % 500 === 250) {
          generations.walks = 1;
          generations.generation++;
          kept = { chunks: pending.chunks(), text: textOf(pending.chunks()) };
        }
        if (step % 500 === 499 && kept !== null) {
          assertEquals(textOf(kept.chunks), kept.text, "what a walk has kept has changed");
          generations.walks = 0;
          kept = null;
        }
        if (step % 400 === 0) {
          const sorted = [...model.keys()].toSorted((a, b) => a - b).map((key) =>
            String(idOf(key))
          );
          assertEquals(all(pending), sorted);
          assertEquals(pending.count, sorted.length);
          const sought = random.below(2000);
          const next = [...model.keys()].filter((key) =>
            key >= sought
          ).toSorted((a, b) => a - b)[0];
          assertEquals(pending.seek(place, idOf(sought)), next !== undefined);
          assertEquals(pending.find(place, idOf(sought)), model.has(sought));
        }
      }
      for (const key of [...model.keys()]) {
        if (pending.find(place, idOf(key))) pending.remove(place);
      }
      assertEquals([pending.count, pending.memoryBytes], [0, 0]);
    }
  });
}

Deno.test("a group and its consumers agree on who has what, and count their memory back to nothing", () => {
  const random = new Random(9);
  const group = new ConsumerGroup(new Uint8Array([1]), { walks: 0, generation: 0, walksFail() {} });
  const empty = group.memoryBytes;
  const consumers = [1, 2, 3].map((n) => group.addConsumer(new Uint8Array([n]), 0));
  const owners = new Map<number, number>();
  const place = new PendingPlace();
  for (let step = 0; step < 4000; step++) {
    const n = random.below(600);
    const to = random.below(3);
    if (!group.pending.find(place, idOf(n))) {
      group.addPending(place, idOf(n), consumers[to], step, 1);
    } else if (random.chance(0.6)) group.assign(place, idOf(n), consumers[to], step, 2);
    else {
      group.removePending(place, idOf(n));
      owners.delete(n);
      continue;
    }
    owners.set(n, to);
  }
  for (const [i, consumer] of consumers.entries()) {
    const own = [...owners].filter(([, to]) => to === i).map(([n]) => n).toSorted((a, b) => a - b);
    assertEquals(all(consumer.pending), own.map((n) => String(idOf(n))));
  }
  group.removeConsumer(consumers[0]);
  assertEquals(group.pending.count, [...owners.values()].filter((to) => to !== 0).length);
  group.removeConsumer(consumers[1]);
  group.removeConsumer(consumers[2]);
  assertEquals(group.memoryBytes, empty);
});
