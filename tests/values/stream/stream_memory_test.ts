/** Where the nodes of streams lie: memory that follows the entries, and goes back. */

import { assert, assertEquals } from "@std/assert";
import { blocks } from "../../../src/base/blocks.ts";
import { latin1, toLatin1 } from "../../../src/base/bytes.ts";
import {
  lpEntry,
  lpEntryCopyText,
  lpEntryTextLength,
  lpGet,
} from "../../../src/values/listpack.ts";
import { Stream, StreamCursor, type Trim } from "../../../src/values/stream/stream.ts";
import { StreamId } from "../../../src/values/stream/stream_id.ts";
import { withRefusedAllocations } from "../../support/refused_allocations.ts";

const KB = 1024;
const LIMITS = { streamNodeMaxBytes: 4096, streamNodeMaxEntries: 100 };
const idOf = (n: number) => new StreamId(0, n, 0, 0);

function append(stream: Stream, n: number): void {
  const value = `value:${n}`;
  const words = {
    bytes: latin1("field" + value),
    starts: Int32Array.of(0, 5),
    lengths: Int32Array.of(5, value.length),
  };
  stream.append(idOf(n), words, 0, 1, LIMITS);
}

function streamOf(count: number): Stream {
  const stream = new Stream();
  for (let n = 1; n <= count; n++) append(stream, n);
  return stream;
}

/** Numbers of the entries, whose values say the same. */
function numbersOf(stream: Stream): number[] {
  const found: number[] = [];
  const cursor = new StreamCursor(stream);
  for (let on = cursor.seekFirst(idOf(0)); on; on = cursor.nextEntry()) {
    lpGet(cursor.node.bytes, cursor.contentAt);
    assert(!lpEntry.isInt);
    const text = new Uint8Array(lpEntryTextLength());
    lpEntryCopyText(text, 0);
    assertEquals(toLatin1(text), `value:${cursor.id.msLow}`);
    found.push(cursor.id.msLow);
  }
  return found;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

function trimmedTo(maxLength: number): Trim {
  return { maxLength, minId: idOf(0), isApproximate: false, limit: 0 };
}

/** Bytes of blocks that were taken by `work` and not given back. */
function takenBy(work: () => void): number {
  blocks.settle();
  const before = blocks.takenBytes;
  work();
  blocks.settle();
  return blocks.takenBytes - before;
}

Deno.test("memory of a stream is what its entries take, and what it says", () => {
  let stream = new Stream();
  const taken = takenBy(() => stream = streamOf(200_000));
  let content = 0;
  for (let i = 0; i < stream.nodeCount; i++) content += stream.node(i).size;
  assert(content > 20 * 200_000);
  // All of the shelf that is being filled is taken.
  assert(taken < content * 1.02 + 512 * KB, `${taken} for ${content}`);
  assert(stream.memoryBytes > content && stream.memoryBytes < content * 1.1);
  stream.dispose();
});

Deno.test("a short stream takes nothing of blocks", () => {
  assertEquals(takenBy(() => streamOf(1_500)), 0);
});

Deno.test("full nodes take no buffers of their own, and the one being filled keeps its buffer", () => {
  const stream = streamOf(5_000);
  let made = 0;
  withRefusedAllocations((bytes) => {
    if (bytes > 1 * KB) made++;
    return false;
  }, () => {
    for (let n = 5_001; n <= 50_000; n++) append(stream, n);
  });
  assert(made < 60, `${made} for 450 nodes`);
  assertEquals(numbersOf(stream), range(1, 50_000));
  stream.dispose();
});

Deno.test("where no shelf is to be had, nodes have buffers of their own", () => {
  const stream = streamOf(1_500);
  withRefusedAllocations((bytes) => bytes >= 16 * KB, () => {
    blocks.settle(true);
    for (let n = 1_501; n <= 4_000; n++) append(stream, n);
  });
  assertEquals(numbersOf(stream), range(1, 4_000));
});

Deno.test("a long stream that is let go of gives its memory back at once", () => {
  const taken = takenBy(() => {
    const stream = streamOf(50_000);
    stream.dispose();
    assertEquals(numbersOf(stream).length, 50_000, "it may still be read");
  });
  assertEquals(taken, 0);
});

Deno.test("a stream that is trimmed, by little or by much, gives its memory back", () => {
  for (const step of [150, 45_000]) {
    let stream = new Stream();
    const taken = takenBy(() => {
      stream = streamOf(50_000);
      for (let left = 50_000 - step; left >= 5_000; left -= step) stream.trim(trimmedTo(left));
    });
    assert(taken <= 256 * KB && stream.memoryBytes <= 256 * KB, `${taken} by ${step}`);
    assert(takenBy(() => stream.trim(trimmedTo(20))) < 0);
    assertEquals(numbersOf(stream), range(49_981, 50_000));
    assert(stream.memoryBytes < 64 * KB, `${stream.memoryBytes}`);
    stream.dispose();
  }
});

Deno.test("a stream that stays as long takes no more, however much goes through it", () => {
  const stream = streamOf(20_000);
  const before = stream.memoryBytes;
  const taken = takenBy(() => {
    for (let n = 20_001; n <= 100_000; n++) {
      append(stream, n);
      stream.trim(trimmedTo(20_000));
    }
  });
  assert(taken < 128 * KB && stream.memoryBytes < before * 1.3, `${taken}`);
  assertEquals(numbersOf(stream), range(80_001, 100_000));
  stream.dispose();
});

Deno.test("what is left between entries that were deleted is moved together", () => {
  const stream = streamOf(60_000);
  const full = stream.memoryBytes;
  const left: number[] = [];
  const taken = takenBy(() => {
    for (let n = 1; n <= 60_000; n++) {
      if (Math.floor((n - 1) / 100) % 10 !== 3) stream.delete(idOf(n));
      else left.push(n);
    }
  });
  assert(stream.memoryBytes < full / 5, `${stream.memoryBytes} of ${full}`);
  assert(-taken > full * 0.6, `${taken} of ${full}`);
  assertEquals(numbersOf(stream), left);
  stream.dispose();
});

Deno.test("what a walk reads stays until it has ended", () => {
  const stream = streamOf(30_000);
  stream.beginWalk();
  const nodes = stream.nodes();
  const taken = takenBy(() => stream.trim(trimmedTo(10)));
  assertEquals(taken, 0);
  const other = streamOf(30_000);
  let entries = 0;
  for (const node of nodes) {
    assertEquals(node.live, 100);
    entries += node.live;
  }
  assertEquals(entries, 30_000);
  assert(takenBy(() => stream.endWalk()) < -500 * KB);
  assertEquals(numbersOf(stream), range(29_991, 30_000));
  stream.dispose();
  other.dispose();
});

Deno.test("a copy keeps what it has in common with a stream that is let go of", () => {
  const stream = streamOf(3_000);
  const copy = stream.clone();
  stream.dispose();
  const other = streamOf(3_000);
  assertEquals(numbersOf(copy), range(1, 3_000));
  for (let n = 3_001; n <= 4_000; n++) append(copy, n);
  for (let n = 1; n <= 4_000; n += 2) copy.delete(idOf(n));
  assertEquals(numbersOf(copy), range(1, 2_000).map((n) => 2 * n));
  assertEquals(numbersOf(other), range(1, 3_000));
  other.dispose();
});

Deno.test("nodes move out of blocks that are emptied", () => {
  const streams = Array.from({ length: 40 }, () => streamOf(20_000));
  const bytes = blocks.heldBytes;
  for (const [i, stream] of streams.entries()) if (i % 4 !== 0) stream.dispose();
  blocks.settle();
  const left = streams.filter((_, i) => i % 4 === 0);
  assert(blocks.beginEmptying(0));
  for (const stream of left) while (stream.vacateOne());
  blocks.endEmptying(true);
  assert(blocks.heldBytes < bytes);
  for (const stream of left) {
    assertEquals(numbersOf(stream), range(1, 20_000));
    stream.dispose();
  }
});
