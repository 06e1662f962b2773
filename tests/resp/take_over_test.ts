import { assertEquals, assertStrictEquals } from "@std/assert";
import { MORE, READY, RequestParser } from "../../src/resp/parser.ts";
import { blocks } from "../../src/base/blocks.ts";

const MB = 1 << 20;

function parserOf(): RequestParser {
  return new RequestParser({ bulkBytesMax: 512 * MB }, () => []);
}

/** Has the parser read `bytes`, as much at a time as it has room for. */
function feed(parser: RequestParser, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const space = parser.space();
    const part = bytes.subarray(at, at + Math.min(space.length, 200_000));
    space.set(part);
    parser.filled(part.length);
    at += part.length;
    if (at < bytes.length) assertEquals(parser.next(), MORE);
  }
}

function request(value: Uint8Array, behind = ""): Uint8Array {
  const head = new TextEncoder().encode(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n`);
  const tail = new TextEncoder().encode(`\r\n${behind}`);
  const bytes = new Uint8Array(head.length + value.length + tail.length);
  bytes.set(head);
  bytes.set(value, head.length);
  bytes.set(tail, head.length + value.length);
  return bytes;
}

/** A request of two long words, for the second of which the buffer has grown beyond both. */
function twoLongWords(behind: string): Uint8Array {
  const head = new TextEncoder().encode(`*3\r\n$3\r\nSET\r\n$900000\r\n`);
  const bytes = new Uint8Array(head.length + 900_000 + 2);
  bytes.set(head);
  bytes.fill(107, head.length);
  bytes.set([13, 10], bytes.length - 2);
  const rest = request(LONG.subarray(0, 200_000), behind);
  const second = rest.subarray(rest.indexOf(107) + 3); // behind the "k"
  const all = new Uint8Array(bytes.length + second.length);
  all.set(bytes);
  all.set(second, bytes.length);
  return all;
}

const LONG = new Uint8Array(20 * MB).fill(120);

Deno.test("a long word's buffer can be taken over, and the parser goes on with another", () => {
  const parser = parserOf();
  feed(parser, request(LONG));
  assertEquals(parser.next(), READY);
  const { words } = parser;
  const memory = words.takeOver(2)!;
  assertStrictEquals(memory, words.bytes);
  assertEquals([words.takeOver(2), parser.bufferBytes], [null, 0]);
  const start = words.starts[2];
  feed(parser, request(new Uint8Array(3).fill(121)));
  assertEquals(parser.next(), READY);
  assertEquals([words.count, words.lengths[2], words.takeOver(2)], [3, 3, null]);
  blocks.settle();
  assertEquals([memory[start], memory[start + LONG.length - 1]], [120, 120]);
  blocks.give(memory);
});

Deno.test("a buffer that holds more than the request cannot be taken over", () => {
  const parser = parserOf();
  feed(parser, twoLongWords("*1\r\n$4\r\nPING\r\n"));
  assertEquals(parser.next(), READY);
  assertEquals(parser.words.takeOver(2), null);
  assertEquals(parser.next(), READY);
  assertEquals(parser.words.text(0), "PING");
});

Deno.test("a word of up to a megabyte has room at the next read, and is taken over whole", () => {
  for (const length of [70_000, 300_000, MB]) {
    const parser = parserOf();
    const bytes = request(LONG.subarray(0, length));
    feed(parser, bytes.subarray(0, 100));
    assertEquals(parser.next(), MORE);
    parser.space();
    assertEquals([parser.freeBytes, parser.bufferBytes < 5000], [bytes.length - 100, true]);
    feed(parser, bytes.subarray(100));
    assertEquals(parser.next(), READY);
    const memory = parser.words.takeOver(2)!;
    assertEquals([memory.length, parser.freeBytes], [bytes.length, 0]);
    blocks.give(memory);
  }
});

Deno.test("a buffer is not taken over for a word that is a small part of it", () => {
  const parser = parserOf();
  feed(parser, request(LONG));
  assertEquals(parser.next(), READY);
  assertEquals(parser.words.takeOver(1), null);
});

Deno.test("a request that is kept is not copied, and the parser goes on with what has come behind it", () => {
  const parser = parserOf();
  feed(parser, twoLongWords("*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$2\r\nh"));
  assertEquals(parser.next(), READY);
  const memory = parser.bytes;
  const kept = parser.keepRequest();
  assertStrictEquals(kept.bytes, memory);
  assertEquals(kept.bytes.subarray(kept.requestAt, kept.requestEnd), twoLongWords(""));
  assertEquals(parser.words.text(0), "SET"); // also for who looks at the request behind its call
  assertEquals(parser.next(), READY);
  assertEquals(parser.words.text(0), "PING");
  feed(parser, new TextEncoder().encode("i\r\n"));
  assertEquals(parser.next(), READY);
  assertEquals([parser.words.text(0), parser.words.text(1)], ["ECHO", "hi"]);
  assertEquals([kept.text(0), kept.lengths[1], kept.lengths[2]], ["SET", 900_000, 200_000]);
  assertEquals(kept.bytes[kept.starts[2] + 199_999], 120);
});

Deno.test("an inline request is kept as a copy", () => {
  const parser = new RequestParser({ bulkBytesMax: MB }, (bytes, at, length) => [
    bytes.slice(at, at + 4),
    bytes.slice(at + 5, at + length),
  ]);
  feed(parser, new TextEncoder().encode("ECHO first\r\nECHO other\r\n"));
  assertEquals(parser.next(), READY);
  const kept = parser.keepRequest();
  assertEquals([kept.text(1), kept.requestEnd], ["first", 0]);
  assertEquals(parser.next(), READY);
  assertEquals([parser.words.text(1), kept.text(1)], ["other", "first"]);
});

Deno.test("behind a long word there is room for options, so that it is not moved for them", () => {
  const parser = parserOf();
  const value = LONG.subarray(0, 5 * MB);
  const options = "$7\r\nREPLACE\r\n";
  const bytes = request(value, options);
  bytes[1] = 0x34; // four words
  feed(parser, bytes.subarray(0, bytes.length - options.length));
  const before = parser.bytes;
  feed(parser, bytes.subarray(bytes.length - options.length));
  assertEquals(parser.next(), READY);
  assertStrictEquals(parser.bytes, before);
  assertEquals(parser.words.text(3), "REPLACE");
});

for (const [announced, hasRoomForAll] of [[100 * MB, true], [4_000 * MB, false]] as const) {
  Deno.test(`of a word of ${announced / MB} MB a part has come: room for ${hasRoomForAll ? "all" : "as much again"}`, () => {
    const parser = new RequestParser({ bulkBytesMax: Infinity }, () => []);
    feed(
      parser,
      new TextEncoder().encode(`*2\r\n$4\r\nECHO\r\n$${announced}\r\n` + "x".repeat(MB)),
    );
    assertEquals(parser.next(), MORE);
    feed(parser, new Uint8Array(2 * MB).fill(120));
    assertEquals(parser.space().length <= MB, true); // of it, so much is read at once
    const room = parser.freeBytes;
    assertEquals([room > announced - 4 * MB, room < 8 * MB], [hasRoomForAll, !hasRoomForAll]);
  });
}

Deno.test("a request is copied where the next read waits in the buffer, and what is read arrives", () => {
  const parser = parserOf();
  const small = new Uint8Array(3).fill(121);
  const all = new Uint8Array([...request(LONG.subarray(0, 100_000)), ...request(small)]);
  for (let at = 0; at < all.length;) {
    const space = parser.space();
    const part = all.subarray(at, at + space.length);
    space.set(part);
    parser.filled(part.length);
    at += part.length;
  }
  const waiting = parser.space();
  assertEquals(parser.next(), READY);
  const kept = parser.keepRequest();
  const ping = new TextEncoder().encode("*1\r\n$4\r\nPING\r\n");
  waiting.set(ping);
  parser.filled(ping.length);
  assertEquals(parser.next(), READY);
  assertEquals([parser.words.text(0), parser.words.text(2)], ["SET", "yyy"]);
  assertEquals(parser.next(), READY);
  assertEquals(parser.words.text(0), "PING");
  assertEquals([kept.text(0), kept.text(1), kept.lengths[2]], ["SET", "k", 100_000]);
});

Deno.test("a buffer in which the next read waits is not taken over", () => {
  const parser = parserOf();
  feed(parser, request(LONG));
  parser.space();
  assertEquals(parser.next(), READY);
  assertEquals(parser.words.takeOver(2), null);
});
