import { assert, assertEquals, assertThrows } from "@std/assert";
import { Backlog, type BacklogCursor, historyBytesMax } from "../../src/propagation/backlog.ts";

/** Bytes of the stream from offset `from` on: each tells its offset. */
function stream(from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (from + i) * 31 & 0xff);
}

function append(backlog: Backlog, length: number): void {
  const { endOffset } = backlog;
  // The run lies in the midst of other bytes, as in a read buffer.
  const bytes = new Uint8Array(length + 10).fill(255);
  bytes.set(stream(endOffset, length), 7);
  backlog.append(bytes, 7, length);
}

/** Reads up to `max` bytes and checks that they are those of the stream. */
function read(cursor: BacklogCursor, max = Infinity): number {
  let total = 0;
  while (total < max) {
    const bytes = cursor.peek();
    if (bytes === null) break;
    const count = Math.min(bytes.length, max - total);
    assertEquals(bytes.slice(0, count), stream(cursor.offset, count));
    cursor.advance(count);
    total += count;
  }
  return total;
}

Deno.test("Backlog begins at the offset of the stream and covers what is appended", () => {
  const backlog = new Backlog(1000, 1 << 20);
  assertEquals([backlog.beginOffset, backlog.endOffset, backlog.historyBytes], [1000, 1000, 0]);
  assert(backlog.covers(1000));
  append(backlog, 50);
  assertEquals([backlog.beginOffset, backlog.endOffset], [1000, 1050]);
  for (const offset of [1000, 1025, 1050]) assert(backlog.covers(offset));
  for (const offset of [0, 999, 1051]) {
    assert(!backlog.covers(offset));
    assertThrows(() => backlog.cursor(offset), Error, `offset ${offset} is not within`);
  }
});

Deno.test("Backlog keeps at least sizeBytes of the latest bytes, and not much more", () => {
  for (const sizeBytes of [1, 16 * 1024, 100_000, 1 << 20]) {
    const backlog = new Backlog(0, sizeBytes);
    for (let i = 0; i < 3000; i++) append(backlog, 1 + i % 1999);
    assert(backlog.historyBytes >= sizeBytes, `${backlog.historyBytes} of ${sizeBytes}`);
    assert(backlog.historyBytes < historyBytesMax(sizeBytes), `${backlog.historyBytes}`);
    const { historyBytes } = backlog;
    assertEquals(read(backlog.cursor(backlog.beginOffset)), historyBytes);
    assert(backlog.heldBytes >= backlog.historyBytes);
  }
});

Deno.test("BacklogCursor reads on from its place while the stream grows", () => {
  const backlog = new Backlog(5, 64 * 1024);
  append(backlog, 10);
  const cursor = backlog.cursor(8);
  assertEquals(cursor.behindBytes, 7);
  assertEquals(read(cursor, 3), 3);
  append(backlog, 20_000);
  append(backlog, 40_000);
  assertEquals(cursor.behindBytes, 60_004);
  assertEquals(read(cursor), 60_004);
  assertEquals([cursor.peek(), cursor.behindBytes, cursor.offset], [null, 0, backlog.endOffset]);
});

Deno.test("Backlog reaches back to its slowest cursor, and no further once that has gone on", () => {
  const backlog = new Backlog(0, 16 * 1024);
  append(backlog, 200);
  const [slow, slower] = [backlog.cursor(100), backlog.cursor(50)];
  const copy = slower.copy();
  for (let i = 0; i < 100; i++) append(backlog, 2998);
  assertEquals(backlog.beginOffset, 0);
  assert(backlog.heldBytes >= 300_000 && backlog.excessBytes >= 200_000);
  const late = backlog.cursor(1000);
  assertEquals(read(slower), 299_950);
  assertEquals(read(copy), 299_950);
  assertEquals(backlog.beginOffset, 0);
  assertEquals(read(late, 200_000), 200_000);
  assertEquals(read(slow), 299_900);
  assert(backlog.beginOffset > 150_000 && backlog.covers(201_000));
  late.close();
  assert(!backlog.covers(201_000));
  assert(backlog.historyBytes < 3 * 16 * 1024);
  assertEquals(backlog.excessBytes, 0);
  assert(backlog.heldBytes >= backlog.historyBytes && backlog.heldBytes <= 3 * 16 * 1024);
});

Deno.test("Backlog takes one append larger than all of it", () => {
  const backlog = new Backlog(0, 16 * 1024);
  const cursor = backlog.cursor(0);
  append(backlog, 1_000_000);
  assertEquals(backlog.endOffset, 1_000_000);
  assertEquals(read(cursor), 1_000_000);
});

Deno.test("Backlog drops blocks when it is made smaller", () => {
  const backlog = new Backlog(0, 1 << 20);
  for (let i = 0; i < 500; i++) append(backlog, 2000);
  assertEquals(backlog.beginOffset, 0);
  backlog.sizeBytes = 16 * 1024;
  assert(backlog.historyBytes < 64 * 1024);
  assertEquals(backlog.endOffset, 1_000_000);
});

Deno.test("Backlog holds long runs that never change as they are, between others that it copies", () => {
  const backlog = new Backlog(0, 64 * 1024);
  const cursor = backlog.cursor(0);
  const long = new Uint8Array(3 << 20).map((_, i) => i % 251);
  const short = new Uint8Array(1000).fill(7);
  let sent = 0;
  for (
    const [bytes, offset, length] of [[short, 0, 1000], [long, 5, 2_000_000], [
      short,
      10,
      900,
    ]] as const
  ) {
    backlog.append(bytes, offset, length, true);
    sent += length;
  }
  short.fill(8); // what is short is copied
  assertEquals(backlog.endOffset, sent);
  const read = new Uint8Array(sent);
  let at = 0;
  let shares = 0;
  for (let part = cursor.peek(); part !== null; part = cursor.peek()) {
    read.set(part, at);
    at += part.length;
    if (part.buffer === long.buffer) shares++;
    cursor.advance(part.length);
  }
  assertEquals(at, sent);
  assertEquals(read.subarray(1000, 2_001_000), long.subarray(5, 2_000_005));
  assertEquals([read[0], read[999], read[2_001_000], read[sent - 1]], [7, 7, 7, 7]);
  assertEquals(shares > 5, true); // in parts that a socket can take
  for (let i = 0; i < 90; i++) backlog.append(short, 0, 1000);
  assertEquals(backlog.heldBytes < 1 << 20, true); // read and old, the long run is let go of
  cursor.close();
});

Deno.test("Backlog uses the memory of what has fallen off again, but not what is still being sent", () => {
  const backlog = new Backlog(0, 64 * 1024);
  const seen = new Set<ArrayBufferLike>();
  const fill = () => {
    for (let i = 0; i < 100; i++) {
      append(backlog, 10_000);
      const cursor = backlog.cursor(backlog.endOffset - 1);
      seen.add(cursor.peek()!.buffer);
      cursor.advance(1);
      cursor.close();
    }
  };
  fill();
  assertEquals(seen.size, 6);

  const cursor = backlog.cursor(backlog.endOffset - 10_000);
  const lent = cursor.peek()!;
  const bytes = lent.slice();
  cursor.close(); // while it is being sent
  fill();
  assertEquals(lent, bytes);
  assertEquals(seen.size, 7);
});

Deno.test("Backlog.latest copies the end of the stream, across blocks, and holds nothing", () => {
  const backlog = new Backlog(1000, 100_000);
  assertEquals(backlog.latest(10).length, 0);
  const bytes = Uint8Array.from({ length: 50_000 }, (_, i) => i);
  for (let at = 0; at < bytes.length; at += 100) backlog.append(bytes, at, 100);
  assertEquals(backlog.latest(256), bytes.subarray(-256));
  assertEquals(backlog.latest(40_000), bytes.subarray(-40_000));
  assertEquals(backlog.latest(90_000), bytes);
  const heldBytes = backlog.heldBytes;
  for (let i = 0; i < 1000; i++) backlog.append(bytes, 0, 1000);
  assertEquals(backlog.heldBytes < heldBytes + 100_000, true);
});

Deno.test("the largest piece is known for as long as some of it is here", () => {
  const MB = 1 << 20;
  const backlog = new Backlog(0, 2 * MB);
  const add = (bytes: number, isKept = false) =>
    backlog.append(new Uint8Array(bytes), 0, bytes, isKept);
  assertEquals(backlog.largestPieceBytes, 0);
  add(MB - 1);
  assertEquals(backlog.largestPieceBytes, 0);
  add(5 * MB, true);
  add(MB);
  assertEquals(backlog.largestPieceBytes, 5 * MB);
  add(MB - 1);
  assertEquals(backlog.largestPieceBytes, 5 * MB);
  add(MB - 1);
  assertEquals(backlog.largestPieceBytes, MB);
  const cursor = backlog.cursor(backlog.endOffset);
  for (let i = 0; i < 10; i++) add(MB - 1);
  assertEquals(backlog.largestPieceBytes, 0);
  add(3 * MB);
  for (let i = 0; i < 10; i++) add(MB - 1);
  assertEquals(cursor.largestPieceBytes, 3 * MB, "a slow reader has not had it yet");
  cursor.close();
  add(MB - 1);
  assertEquals(backlog.largestPieceBytes, 0);
});
