import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { BLOCK_SHARE_MIN, Blocks } from "../../src/base/blocks.ts";
import { withRefusedAllocations } from "../support/refused_allocations.ts";

const MB = 1 << 20;

Deno.test("Blocks gives parts that do not overlap, of the sizes that were asked for", () => {
  const blocks = new Blocks();
  const sizes = [BLOCK_SHARE_MIN, 20_001, 5 * MB, 100_000, 19 * MB, 30 * MB, 60 * MB];
  const views = sizes.map((size) => blocks.take(size));
  views.forEach((view, i) => view.fill(i + 1));
  views.forEach((view, i) => {
    assertEquals(view.length, sizes[i]);
    assertEquals([view[0], view[view.length - 1]], [i + 1, i + 1]);
    assertEquals(view.byteOffset % 8, 0);
  });
});

Deno.test("Blocks asks for few buffers as much is taken: each may have garbage collected", () => {
  const blocks = new Blocks();
  const buffers = new Set<ArrayBuffer>();
  const takeUntil = (bytes: number) => {
    while (blocks.takenBytes < bytes) buffers.add(blocks.take(MB).buffer);
    return buffers.size;
  };
  assertEquals(takeUntil(12 * MB), 3, "a small dataset gives back small blocks");
  assert(takeUntil(100 * MB) <= 11, `${buffers.size}`);
});

Deno.test("Blocks leaves small parts to buffers of their own, which nobody has to give back", () => {
  const blocks = new Blocks();
  const view = blocks.take(BLOCK_SHARE_MIN - 1);
  assertEquals([view.length, view.buffer.byteLength], [BLOCK_SHARE_MIN - 1, BLOCK_SHARE_MIN - 1]);
  blocks.give(view);
  assertEquals([blocks.takenBytes, blocks.pendingBytes], [0, 0]);
});

Deno.test("Blocks that share nothing have no gaps, whatever was forgotten", () => {
  const blocks = new Blocks();
  blocks.sharesNothing = true;
  for (const view of [blocks.take(MB), blocks.take(MB, true), blocks.takeGrowing(9 * MB)]) {
    assertEquals(view.byteOffset, 0);
    assertEquals(view.buffer.byteLength, view.length);
    blocks.give(view);
  }
  assertEquals([blocks.takenBytes, blocks.pendingBytes, blocks.gapBytes], [0, 0, 0]);
});

Deno.test("Blocks uses what was given back only after settle", () => {
  const blocks = new Blocks();
  const kept = blocks.take(MB);
  const first = blocks.take(MB);
  const { byteOffset } = first;
  first.fill(7);
  blocks.give(first);
  assertEquals([blocks.takenBytes, blocks.pendingBytes], [MB, MB]);
  const second = blocks.take(MB);
  assertEquals(first[0], 7);
  assertEquals(second.byteOffset === byteOffset, false);
  blocks.settle();
  const third = blocks.take(MB);
  assertEquals(third.byteOffset, byteOffset);
  assertStrictEquals(third.buffer, kept.buffer);
});

Deno.test("Blocks gives a block back to the system when nothing of it is in use", () => {
  const blocks = new Blocks();
  const views = [MB, 8 * MB, 8 * MB, 8 * MB, 8 * MB, 8 * MB].map((size) => blocks.take(size));
  const [first, last] = [views[0], views[5]];
  assertEquals(first.buffer === last.buffer, false);
  blocks.give(last);
  blocks.settle(true);
  assertEquals(last.length, 0);
  assertEquals(first.length, MB);
  for (const view of views) blocks.give(view);
  blocks.settle();
  for (let turn = 0; turn < 21; turn++) blocks.tick();
  assertEquals(views.map((view) => view.length), [0, 0, 0, 0, 0, 0]);
  assertEquals([blocks.takenBytes, blocks.heldBytes], [0, 0]);
});

for (const [turns, keptBytesMax] of [[20, 128 * MB], [5, 0]]) {
  Deno.test(`Blocks keeps an empty block while it is used again and again, and ${turns} turns more`, () => {
    const blocks = new Blocks();
    blocks.keptBytesMax = keptBytesMax;
    const first = blocks.take(MB);
    const { buffer } = first;
    blocks.give(first);
    for (let turn = 0; turn < 5; turn++) {
      blocks.settle();
      assertEquals(blocks.heldBytes, MB);
      const again = blocks.take(MB);
      assertStrictEquals(again.buffer, buffer);
      blocks.tick();
      blocks.give(again);
    }
    for (let turn = 0; turn < turns; turn++) {
      blocks.tick();
      assertEquals(blocks.heldBytes, MB, `${turn} turns after it was used`);
    }
    blocks.tick();
    assertEquals([blocks.heldBytes, buffer.byteLength], [0, 0]);
    blocks.give(blocks.take(MB));
    blocks.settle(true);
    assertEquals(blocks.heldBytes, 0);
  });
}

Deno.test("Blocks has memory freed elsewhere, except by who needs it at once", () => {
  const blocks = new Blocks();
  const freed: ArrayBuffer[] = [];
  blocks.freeElsewhere = (memory) => freed.push(structuredClone(memory, { transfer: [memory] }));
  blocks.keptBytesMax = 0;
  const view = blocks.take(9 * MB);
  blocks.give(view);
  blocks.settle();
  assertEquals([view.length, freed.length, freed[0].byteLength >= 9 * MB], [0, 1, true]);
  const other = blocks.take(9 * MB);
  blocks.give(other);
  blocks.settle(true);
  assertEquals([other.length, freed.length, blocks.heldBytes], [0, 1, 0]);
});

Deno.test("Blocks takes a part back once, however often it is given", () => {
  const blocks = new Blocks();
  const view = blocks.take(MB);
  const other = blocks.take(MB);
  blocks.give(view);
  blocks.give(view);
  blocks.give(other.subarray(5));
  blocks.give(new Uint8Array(MB));
  assertEquals([blocks.takenBytes, blocks.pendingBytes], [MB, MB]);
});

Deno.test("Blocks gives zeros where they are asked for, also in memory that was used before", () => {
  const blocks = new Blocks();
  blocks.take(MB);
  const used = blocks.take(MB).fill(9);
  blocks.give(used);
  blocks.settle();
  const zeros = blocks.take(3 * MB, true);
  assertEquals(zeros.byteOffset, used.byteOffset);
  assertEquals(zeros.every((byte) => byte === 0), true);
});

Deno.test("Blocks finds room again where parts of all sizes come and go", () => {
  const blocks = new Blocks();
  const sizes = [20_000, 300_000, 70_000, 1_000_000];
  const views: Uint8Array[] = [];
  let bytes = 0;
  let state = 1;
  for (let n = 0; n < 20_000; n++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    const view = blocks.take(sizes[state >> 8 & 3]);
    views.push(view);
    bytes += view.length;
    while (bytes > 30 * MB) {
      const at = (state >> 12) % views.length;
      bytes -= views[at].length;
      blocks.give(views[at]);
      views[at] = views[views.length - 1];
      views.pop();
    }
    blocks.settle();
  }
  assertEquals(blocks.takenBytes < 34 * MB, true);
  assertEquals(blocks.heldBytes <= 80 * MB, true);
});

Deno.test("Blocks throws RangeError where there is no such memory, and goes on", () => {
  const blocks = new Blocks();
  assertThrows(() => blocks.take(2 ** 50), RangeError);
  assertEquals(blocks.take(MB).length, MB);
});

Deno.test("Blocks gives what is larger than its share a block of its own, which goes with it", () => {
  const blocks = new Blocks();
  blocks.keptBytesMax = 0;
  const kept = blocks.take(MB);
  const large = blocks.take(9 * MB).fill(1);
  blocks.give(large);
  blocks.settle();
  assertEquals([large.length, kept.length, blocks.heldBytes], [0, MB, MB]);
});

Deno.test("Blocks knows how much has been written that nobody has", () => {
  const blocks = new Blocks();
  const [first] = [blocks.take(2 * MB), blocks.take(MB)];
  assertEquals(blocks.gapBytes, 0);
  blocks.give(first);
  blocks.settle();
  assertEquals([blocks.takenBytes, blocks.heldBytes, blocks.gapBytes], [MB, 3 * MB, 2 * MB]);
  blocks.take(MB);
  assertEquals(blocks.gapBytes, MB);
});

/** Blocks of which every second part was given back, and the parts that remain, filled with their numbers. */
function sparseBlocks(blocks: Blocks, parts: number): Uint8Array[] {
  const views = Array.from({ length: parts }, (_, n) => blocks.take(MB / 4).fill(n));
  for (let n = 0; n < parts; n += 2) blocks.give(views[n]);
  blocks.settle();
  return views.filter((_, n) => n % 2 === 1);
}

for (const returnedMin of [0, 33 * MB]) {
  Deno.test(`Blocks closes gaps when all views are moved, returnedMin ${returnedMin}`, () => {
    const blocks = new Blocks();
    blocks.returnedMin = returnedMin;
    let views = sparseBlocks(blocks, 200);
    assertEquals(blocks.gapBytes, 25 * MB);
    while (blocks.beginEmptying(4 * MB)) {
      views = views.map((view) => blocks.vacated(view));
      blocks.endEmptying();
    }
    assertEquals(blocks.takenBytes, 25 * MB);
    assertEquals(blocks.gapBytes <= 4 * MB, true, `${blocks.gapBytes}`);
    views.forEach((view, n) => {
      const number = 2 * n + 1;
      assertEquals([view.length, view[0], view[view.length - 1]], [MB / 4, number, number]);
    });
  });
}

Deno.test("Blocks leaves views alone that lie in no block that is being emptied", () => {
  const blocks = new Blocks();
  const view = blocks.take(MB);
  assertStrictEquals(blocks.vacated(view), view);
  assertEquals(blocks.beginEmptying(0), false);
  const small = new Uint8Array(10);
  assertStrictEquals(blocks.vacated(small), small);
});

Deno.test("Blocks copies as much of a view that moves as is in use", () => {
  const blocks = new Blocks();
  const views = sparseBlocks(blocks, 16);
  assertEquals(blocks.beginEmptying(0), true);
  const fresh = blocks.vacated(views[0], 1000);
  assertEquals(fresh.length, views[0].length);
  assertEquals(fresh.subarray(0, 1000), views[0].subarray(0, 1000));
  assertEquals(fresh[1000], 0);
});

Deno.test("Blocks hands nothing out of a block that is being emptied, and does again when that has failed", () => {
  const blocks = new Blocks();
  const views = sparseBlocks(blocks, 16);
  assertEquals(blocks.beginEmptying(0), true);
  const elsewhere = blocks.take(MB / 4);
  assertEquals(elsewhere.buffer === views[0].buffer, false);
  blocks.endEmptying();
  assertStrictEquals(blocks.take(MB / 4).buffer, views[0].buffer);
  assertEquals(
    blocks.beginEmptying(0),
    false,
    "somebody holds on to it, so it is left alone for now",
  );
});

Deno.test("Blocks lets a view grow where it lies as long as nothing follows it", () => {
  const blocks = new Blocks();
  const first = blocks.take(MB).fill(1);
  const longer = blocks.extended(first, 2 * MB)!;
  assertEquals([longer.length, longer.byteOffset, longer[0]], [2 * MB, first.byteOffset, 1]);
  assertStrictEquals(longer.buffer, first.buffer);
  assertEquals(blocks.takenBytes, 2 * MB);
  const second = blocks.take(MB).fill(2);
  assertEquals(blocks.extended(longer, 3 * MB), null);
  blocks.give(first);
  assertEquals(blocks.pendingBytes, 0, "the shorter view is none of ours any more");
  blocks.give(second);
  blocks.settle();
  assertEquals(blocks.extended(longer, 3 * MB)!.length, 3 * MB);
  assertEquals(blocks.extended(new Uint8Array(MB), 2 * MB), null);
});

Deno.test("Blocks gives what has a block of its own room to grow, which nobody else gets", () => {
  const blocks = new Blocks();
  blocks.keptBytesMax = 0;
  const large = blocks.take(50 * MB);
  const small = blocks.take(MB);
  assertEquals(small.buffer === large.buffer, false);
  assertEquals(blocks.takenBytes, 51 * MB);
  assertEquals(blocks.heldBytes, 51 * MB);
  const longer = blocks.extended(large, 60 * MB)!;
  assertEquals([longer.length, blocks.takenBytes, blocks.heldBytes], [60 * MB, 61 * MB, 61 * MB]);
  blocks.give(longer);
  blocks.settle();
  assertEquals([longer.length, blocks.takenBytes], [0, MB]);
});

for (const returnedMin of [0, 33 * MB]) {
  Deno.test(`Blocks lets what grows do so without moving, returnedMin ${returnedMin}`, () => {
    const blocks = new Blocks();
    blocks.returnedMin = returnedMin;
    const view = blocks.takeGrowing(20 * MB).fill(1);
    const longer = blocks.extended(view, 30 * MB)!;
    assertEquals([longer[0], longer[20 * MB - 1], longer[20 * MB]], [1, 1, 0]);
    assertEquals([blocks.takenBytes, blocks.heldBytes], [30 * MB, 30 * MB]);
    const longest = blocks.extended(longer, 512 * MB)!;
    assertEquals([longest.length, longest[0], blocks.takenBytes], [512 * MB, 1, 512 * MB]);
    assert(longest.buffer === view.buffer);
    assert(blocks.extended(longest, 513 * MB) === null);
    blocks.give(longest);
    blocks.settle(true);
    assertEquals([longest.length, blocks.takenBytes, blocks.heldBytes], [0, 0, 0]);
  });
}

Deno.test("Blocks leaves a view as it is when memory for its growth is refused", () => {
  const blocks = new Blocks();
  blocks.returnedMin = 0;
  const view = blocks.takeGrowing(20 * MB).fill(1);
  withRefusedAllocations(() => true, () => assert(blocks.extended(view, 60 * MB) === null));
  assertEquals([blocks.takenBytes, blocks.heldBytes], [20 * MB, 20 * MB]);
  assertEquals(blocks.extended(view, 60 * MB)!.length, 60 * MB);
});

Deno.test("Blocks gives what grows a place without room when the room is refused", () => {
  const blocks = new Blocks();
  const refusesRoom = (bytes: number) => bytes > 40 * MB;
  const view = withRefusedAllocations(refusesRoom, () => blocks.takeGrowing(40 * MB));
  assertEquals([view.length, blocks.takenBytes], [40 * MB, 40 * MB]);
  assert(blocks.extended(view, 41 * MB) === null);
});

for (const grows of [false, true]) {
  const how = grows ? "of what may grow" : "of what stays as it is";
  Deno.test(`Blocks keeps a block ${how} for the next one as large, for a short time`, () => {
    const blocks = new Blocks();
    const take = (bytes: number) => grows ? blocks.takeGrowing(bytes) : blocks.take(bytes);
    const first = take(40 * MB);
    const { buffer } = first;
    blocks.give(first);
    assert(take(40 * MB).buffer !== buffer, "it may be read until settle");
    blocks.settle();
    const again = take(39 * MB);
    assert(again.buffer === buffer);
    blocks.give(again);
    blocks.settle();
    assert(take(20 * MB).buffer !== buffer, "half of it would be left over");
    for (let turn = 0; turn < 5; turn++) blocks.tick();
    assertEquals(again.length, 39 * MB);
    blocks.tick();
    assertEquals(again.length, 0);
  });
}

Deno.test("Blocks hands out zeros of a large block that was kept, where zeros are asked for", () => {
  const blocks = new Blocks();
  blocks.give(blocks.takeGrowing(20 * MB).fill(9));
  blocks.settle();
  const again = blocks.takeGrowing(20 * MB, true);
  assert(again.every((byte) => byte === 0));
});

Deno.test("Blocks keeps no more than so many bytes of large blocks, the latest ones", () => {
  const blocks = new Blocks();
  blocks.keptBytesMax = 50 * MB;
  const views = [20 * MB, 30 * MB, 20 * MB].map((size) => blocks.take(size));
  for (const view of views) blocks.give(view);
  blocks.settle();
  assertEquals(views.map((view) => view.length / MB), [0, 30, 20]);
  blocks.settle(true);
  assertEquals([blocks.heldBytes, ...views.map((view) => view.length)], [0, 0, 0, 0]);
});
