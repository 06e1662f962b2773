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
  const bytes = request(LONG.subarray(0, 700_000), "*1\r\n$4\r\nPING\r\n");
  feed(parser, bytes);
  assertEquals(parser.next(), READY);
  assertEquals(parser.words.takeOver(2), null);
  assertEquals(parser.next(), READY);
  assertEquals(parser.words.text(0), "PING");
});

Deno.test("a buffer is not taken over for a word that is a small part of it", () => {
  const parser = parserOf();
  feed(parser, request(LONG));
  assertEquals(parser.next(), READY);
  assertEquals(parser.words.takeOver(1), null);
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
    const room = parser.space().length;
    assertEquals([room > announced - 4 * MB, room < 8 * MB], [hasRoomForAll, !hasRoomForAll]);
  });
}
