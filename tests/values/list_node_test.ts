/** Where the nodes of long lists lie: memory that follows the elements, and goes back. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { blocks } from "../../src/base/blocks.ts";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { lpEntryCopyText, lpEntryTextLength } from "../../src/values/listpack.ts";
import { ListCursor, QuickList } from "../../src/values/quicklist.ts";
import { withRefusedAllocations } from "../support/refused_allocations.ts";

const KB = 1024;

function texts(list: QuickList): string[] {
  const found: string[] = [];
  const cursor = new ListCursor();
  for (let more = list.seek(cursor, 0); more; more = cursor.next()) {
    cursor.read();
    const out = new Uint8Array(lpEntryTextLength());
    lpEntryCopyText(out, 0);
    found.push(toLatin1(out));
  }
  return found;
}

function push(list: QuickList, text: string, atHead = false): void {
  const bytes = latin1(text);
  if (atHead) list.pushHead(bytes, 0, bytes.length);
  else list.pushTail(bytes, 0, bytes.length);
}

function wide(n: number): string {
  return `${n}:`.padEnd(500, "x");
}

function listOf(count: number): QuickList {
  const list = new QuickList();
  for (let n = 0; n < count; n++) push(list, wide(n));
  return list;
}

/** Bytes of blocks that were taken by `work` and not given back. */
function takenBy(work: () => void): number {
  blocks.settle();
  const before = blocks.takenBytes;
  work();
  blocks.settle();
  return blocks.takenBytes - before;
}

/** Buffers of lists of this many bytes or more that were made by `work`. */
function buffersMade(bytesMin: number, work: () => void): number {
  let made = 0;
  withRefusedAllocations((bytes) => {
    if (bytes >= bytesMin) made++;
    return false;
  }, work);
  return made;
}

Deno.test("nodes of a long list share buffers; those of a short one have their own", () => {
  let list = listOf(15 * 10);
  assertEquals(takenBy(() => listOf(15 * 10)), 0);
  assert(list.head!.shelf === null && list.tail!.shelf === null);
  // The blocks that the buffers come from are there, or are made now.
  assert(buffersMade(8 * KB, () => list = listOf(15 * 1000)) < 60);
  assert(list.nodes > 900);
  assert(list.tail!.shelf !== null);
  list.dispose();
});

Deno.test("a long list that is let go of gives its memory back at once", () => {
  const taken = takenBy(() => {
    const list = listOf(15_000);
    assert(takenBy(() => {}) === 0);
    list.dispose();
    assertEquals(texts(list).length, 15_000, "it may still be read");
  });
  assertEquals(taken, 0);
});

Deno.test("memory of a list is what its elements take, and what it says", () => {
  let list = new QuickList();
  const taken = takenBy(() => list = listOf(30_000));
  const content = 30_000 * 503;
  assert(taken < content * 1.15 && list.memoryBytes < content * 1.1, `${taken}`);
  assert(list.memoryBytes > content);
  list.dispose();
});

Deno.test("a list that becomes short gives its memory back, whichever end is left", () => {
  for (const start of [0, 5_000, 14_990]) {
    const list = new QuickList();
    const taken = takenBy(() => {
      for (let n = 0; n < 15_000; n++) push(list, wide(n));
      const wanted = texts(list).slice(start, start + 10);
      list.deleteRange(start + 10, 15_000);
      list.deleteRange(0, start);
      list.tidy();
      assertEquals(texts(list), wanted);
    });
    assert(taken <= 64 * KB, `${taken} from ${start}`);
    assert(list.memoryBytes <= 64 * KB, `${list.memoryBytes} from ${start}`);
    list.dispose();
  }
});

Deno.test("free cells between others are used again, and sparse shelves moved together", () => {
  const list = new QuickList();
  // Ends alternate, so that nodes of both lie on every shelf.
  const taken = takenBy(() => {
    for (let n = 0; n < 30_000; n++) push(list, wide(n), Math.floor(n / 15) % 2 === 0);
    const left = texts(list).slice(15_000);
    for (let n = 0; n < 15_000; n++) {
      list.dropHead();
      list.tidy();
    }
    assertEquals(texts(list), left);
  });
  const content = 15_000 * 503;
  assert(taken < content * 1.6, `${taken} for ${content}`);
  assert(list.memoryBytes < content * 1.5, `${list.memoryBytes} for ${content}`);

  const more = takenBy(() => {
    for (let n = 0; n < 3_000; n++) push(list, wide(n));
  });
  assert(more < 3_000 * 503 / 2, `${more}`);
  list.dispose();
});

Deno.test("a long queue stays as large as it is", () => {
  const list = listOf(3_000);
  const taken = takenBy(() => {
    for (let n = 3_000; n < 60_000; n++) {
      push(list, wide(n));
      list.dropHead();
      list.tidy();
    }
  });
  assert(taken <= 512 * KB, `${taken}`);
  assertEquals(texts(list), Array.from({ length: 3_000 }, (_, n) => wide(57_000 + n)));
  list.dispose();
});

Deno.test("an element that comes and goes at the edge of a shelf takes no new memory", () => {
  const list = listOf(15_000);
  while (list.tail!.count < 15) push(list, wide(0));
  push(list, wide(1));
  list.dropTail();
  assertEquals(
    buffersMade(8 * KB, () => {
      for (let n = 0; n < 1000; n++) {
        push(list, wide(n));
        list.dropTail();
        list.tidy();
      }
    }),
    0,
  );
  list.dispose();
});

Deno.test("a push that gets no memory leaves a long list as it was", () => {
  const list = listOf(15_000);
  const refuses = (bytes: number) => bytes >= 8 * KB;
  const before = texts(list);
  const { memoryBytes } = list;
  withRefusedAllocations(refuses, () => {
    let pushed = 0;
    const taken: Uint8Array[] = [];
    try {
      // Until blocks have no room either: then a new one is refused.
      assertThrows(() => {
        for (;; pushed++) {
          push(list, wide(pushed));
          taken.push(blocks.take(16 * KB));
        }
      }, RangeError);
    } finally {
      taken.forEach((view) => blocks.give(view));
    }
    assert(pushed > 0 && list.count - 15_000 - pushed <= 1);
  });
  const added = Array.from({ length: list.count - 15_000 }, (_, n) => wide(n));
  assertEquals(texts(list), [...before, ...added]);
  while (list.count > 15_000) list.dropTail();
  assertEquals(texts(list), before);
  assert(list.memoryBytes <= memoryBytes + 1024 * KB);
  list.dispose();
});

Deno.test("without memory a sparse list stays where it is, and is the same", () => {
  const list = new QuickList();
  for (let n = 0; n < 30_000; n++) push(list, wide(n), Math.floor(n / 15) % 2 === 0);
  list.deleteRange(5, 29_990);
  const left = texts(list);
  withRefusedAllocations(() => true, () => list.tidy());
  assertEquals(texts(list), left);
  list.tidy();
  assertEquals(texts(list), left);
  list.dispose();
});

Deno.test("a copy of a long list has memory of its own", () => {
  const list = listOf(3_000);
  const copy = list.clone();
  list.dispose();
  blocks.settle();
  const other = new QuickList();
  for (let n = 0; n < 3_000; n++) push(other, "y".repeat(500));
  assertEquals(texts(copy), Array.from({ length: 3_000 }, (_, n) => wide(n)));
  copy.dispose();
  other.dispose();
});
