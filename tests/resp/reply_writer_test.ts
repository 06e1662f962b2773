import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import {
  recycleChunk,
  ReplyWriter,
  SHARE_MIN_BYTES,
  sharedBuffer,
} from "../../src/resp/reply_writer.ts";

/** Takes everything out of a writer, as latin1 text. */
function taken(reply: ReplyWriter): string {
  let text = "";
  for (;;) {
    const chunk = reply.takeChunk();
    if (chunk === null) return text;
    text += toLatin1(chunk, 0, reply.chunkLength);
    recycleChunk(chunk);
  }
}

/** Chunks that wait, the one that is being filled included if there is something in it. */
function chunkCount(reply: ReplyWriter): number {
  return reply.fullChunks + (reply.length > 0 ? 1 : 0);
}

/** What `write` puts into a writer of RESP2 and of RESP3. */
function written(write: (reply: ReplyWriter) => void): [resp2: string, resp3: string] {
  const both = [2, 3].map((resp) => {
    const reply = new ReplyWriter();
    reply.resp = resp;
    write(reply);
    assertEquals(reply.pendingBytes, reply.length);
    return taken(reply);
  });
  return both as [string, string];
}

const same = (text: string): [string, string] => [text, text];
const SHAPES: [name: string, write: (reply: ReplyWriter) => void, bytes: [string, string]][] = [
  ["OK", (r) => r.ok(), same("+OK\r\n")],
  ["QUEUED", (r) => r.queued(), same("+QUEUED\r\n")],
  ["a status", (r) => r.status("PONG"), same("+PONG\r\n")],
  ["an error", (r) => r.error("ERR no"), same("-ERR no\r\n")],
  ["an error with line ends", (r) => r.error("ERR a\r\nb"), same("-ERR a  b\r\n")],
  ["a digit", (r) => r.integer(7), same(":7\r\n")],
  ["an integer", (r) => r.integer(-1234567), same(":-1234567\r\n")],
  ["2^53", (r) => r.integer(2 ** 53), same(":9007199254740992\r\n")],
  ["a 64-bit integer", (r) => r.bigInteger(-(2n ** 63n)), same(":-9223372036854775808\r\n")],
  ["a bulk string", (r) => r.bulkText("a\r\n\xff"), same("$4\r\na\r\n\xff\r\n")],
  ["an empty bulk string", (r) => r.bulkText(""), same("$0\r\n\r\n")],
  ["a bulk string of 99", (r) => r.bulkText("x".repeat(99)), same(`$99\r\n${"x".repeat(99)}\r\n`)],
  ["one of 100", (r) => r.bulkText("x".repeat(100)), same(`$100\r\n${"x".repeat(100)}\r\n`)],
  ["an integer's text", (r) => r.bulkInteger(-42), same("$3\r\n-42\r\n")],
  ["a long integer's text", (r) => r.bulkInteger(-(2 ** 53)), same("$17\r\n-9007199254740992\r\n")],
  [
    "a 64-bit integer's text",
    (r) => r.bulkBigInt(2n ** 63n),
    same("$19\r\n9223372036854775808\r\n"),
  ],
  ["null", (r) => r.null(), ["$-1\r\n", "_\r\n"]],
  ["a null array", (r) => r.nullArray(), ["*-1\r\n", "_\r\n"]],
  ["an array", (r) => r.array(12), same("*12\r\n")],
  ["a map", (r) => r.map(3), ["*6\r\n", "%3\r\n"]],
  ["a set", (r) => r.set(3), ["*3\r\n", "~3\r\n"]],
  ["a push", (r) => r.push(3), ["*3\r\n", ">3\r\n"]],
  ["true", (r) => r.boolean(true), [":1\r\n", "#t\r\n"]],
  ["false", (r) => r.boolean(false), [":0\r\n", "#f\r\n"]],
  ["a double", (r) => r.double(1.5), ["$3\r\n1.5\r\n", ",1.5\r\n"]],
  ["infinity", (r) => r.double(-Infinity), ["$4\r\n-inf\r\n", ",-inf\r\n"]],
  ["a big number", (r) => r.bigNumber("123"), ["$3\r\n123\r\n", "(123\r\n"]],
  ["text", (r) => r.verbatim("abc"), ["$3\r\nabc\r\n", "=7\r\ntxt:abc\r\n"]],
];
for (const [name, write, bytes] of SHAPES) {
  Deno.test(`${name} is written as RESP2 and RESP3 have it`, () => {
    assertEquals(written(write), bytes);
  });
}

Deno.test("replies of all sizes come out whole and in order across chunks", () => {
  const reply = new ReplyWriter();
  let expected = "";
  for (let size = 0; size < 3000; size += 7) {
    const text = String.fromCharCode(97 + size % 26).repeat(size);
    reply.bulkText(text);
    reply.integer(size);
    expected += `$${size}\r\n${text}\r\n:${size}\r\n`;
  }
  assert(chunkCount(reply) > 2);
  assertEquals(reply.pendingBytes, expected.length);
  assertEquals(taken(reply), expected);
  assertEquals(reply.pendingBytes, 0);
  assertEquals(reply.takeChunk(), null);
});

Deno.test("a bulk string larger than any chunk gets one of its own", () => {
  const reply = new ReplyWriter();
  const large = new Uint8Array(3_000_000).fill(120);
  reply.ok();
  reply.bulk(large);
  reply.ok();
  const text = taken(reply);
  assertEquals(text.length, 5 + 10 + 3_000_000 + 2 + 5);
  assert(text.startsWith("+OK\r\n$3000000\r\nxxx") && text.endsWith("xxx\r\n+OK\r\n"));
});

Deno.test("rewind takes back what was written, within a chunk and over many", () => {
  for (const before of [0, 1, 100, 16_384, 16_385, 100_000]) {
    for (const after of [0, 1, 100, 16_384, 20_000, 1_000_000]) {
      const reply = new ReplyWriter();
      const kept = "k".repeat(before);
      if (before > 0) reply.raw(latin1(kept));
      const mark = reply.mark();
      for (let left = after; left > 0; left -= 5000) {
        reply.raw(new Uint8Array(Math.min(left, 5000)));
      }
      reply.rewind(mark);
      const context = `${before} bytes, then ${after}`;
      assertEquals(reply.pendingBytes, before, context);
      reply.ok();
      assertEquals(reply.pendingBytes, before + 5, context);
      assertEquals(taken(reply), kept + "+OK\r\n", context);
    }
  }
});

Deno.test("a writer that was emptied writes on into a new chunk", () => {
  const reply = new ReplyWriter();
  reply.status("first");
  const chunk = reply.takeChunk()!;
  const length = reply.chunkLength;
  reply.status("second");
  assertEquals(toLatin1(chunk, 0, length), "+first\r\n");
  assertEquals(taken(reply), "+second\r\n");
});

Deno.test("clear drops all chunks", () => {
  const reply = new ReplyWriter();
  for (let i = 0; i < 100; i++) reply.raw(new Uint8Array(5000));
  reply.clear();
  assertEquals(reply.pendingBytes, 0);
  reply.ok();
  assertEquals(taken(reply), "+OK\r\n");
});

Deno.test("errors are counted and the latest is kept", () => {
  const reply = new ReplyWriter();
  reply.error("ERR one");
  reply.error("WRONGTYPE two");
  assertEquals([reply.errorCount, reply.lastError], [2, "WRONGTYPE two"]);
});

Deno.test("a writer over its limit keeps and gives out nothing more, in chunks of any size", () => {
  const reply = new ReplyWriter();
  reply.isOverLimit = () => reply.pendingBytes >= 100_000;
  for (let i = 0; i < 1000 && !reply.isCut; i++) reply.bulk(new Uint8Array(1000));
  assertEquals(reply.isCut, true);
  const held = reply.heldBytes;
  for (let i = 0; i < 1000; i++) reply.bulk(new Uint8Array(1000));
  assertEquals(reply.heldBytes, held);
  reply.bulk(new Uint8Array(1 << 20));
  assertEquals(reply.takeChunk(), null);
});

Deno.test("a writer below its limit goes on", () => {
  const reply = new ReplyWriter();
  reply.isOverLimit = () => reply.pendingBytes >= 100_000;
  for (let i = 0; i < 90; i++) reply.bulk(new Uint8Array(1000));
  assertEquals([reply.isCut, taken(reply).length], [false, 90 * 1009]);
});

/** A shared buffer with the letters of the alphabet over and over. */
function sharedLetters(sizeBytes: number): Uint8Array {
  const buffer = sharedBuffer(sizeBytes);
  for (let i = 0; i < buffer.length; i++) buffer[i] = 97 + i % 26;
  return buffer;
}

Deno.test("parts that continue each other become one chunk, without a copy", () => {
  const reply = new ReplyWriter();
  const buffer = sharedLetters(1000);
  for (let at = 100; at < 200; at += 10) reply.share(buffer, at, 10);
  assertEquals([reply.pendingBytes, chunkCount(reply), reply.heldBytes], [100, 1, 100]);
  const chunk = reply.takeChunk()!;
  assertEquals([chunk.buffer === buffer.buffer, chunk.byteOffset, chunk.length], [true, 100, 100]);
  assertEquals([reply.chunkLength, reply.pendingBytes, reply.takeChunk()], [100, 0, null]);
});

Deno.test("small parts that lie apart are joined, large ones stay references", () => {
  const reply = new ReplyWriter();
  const buffer = sharedLetters(20_000);
  reply.share(buffer, 0, 10);
  reply.share(buffer, 20, 10);
  reply.share(buffer, 40, 10);
  assertEquals([chunkCount(reply), taken(reply)], [1, "abcdefghijuvwxyzabcdopqrstuvwx"]);
  reply.ok();
  reply.share(buffer, 26, SHARE_MIN_BYTES);
  reply.share(buffer, 0, 3);
  assertEquals(chunkCount(reply), 3);
  const all = taken(reply);
  assertEquals(all.length, 5 + SHARE_MIN_BYTES + 3);
  assertEquals([all.slice(0, 9), all.slice(-3)], ["+OK\r\nabcd", "abc"]);
});

Deno.test("rewind leaves what was shared before the mark", () => {
  for (const after of [1, 100, 20_000]) {
    const reply = new ReplyWriter();
    reply.share(sharedLetters(100), 0, 3);
    const mark = reply.mark();
    for (let left = after; left > 0; left -= 5000) {
      reply.raw(new Uint8Array(Math.min(left, 5000)));
    }
    reply.rewind(mark);
    assertEquals(reply.pendingBytes, 3);
    reply.ok();
    assertEquals(taken(reply), "abc+OK\r\n");
  }
});

Deno.test("the limit is looked at for shared parts too", () => {
  const reply = new ReplyWriter();
  reply.isOverLimit = () => reply.pendingBytes >= 100_000;
  for (let i = 0; i < 1000 && !reply.isCut; i++) reply.share(sharedLetters(9000), 0, 9000);
  assertEquals(reply.isCut, true);
  assert(reply.pendingBytes < 120_000);
  reply.share(sharedLetters(10), 0, 10);
  assertEquals(reply.takeChunk(), null);
  reply.clear();
  assertEquals(reply.pendingBytes, 0);
});

Deno.test("an array whose length comes later is what one announced is, also across chunks and nested", () => {
  for (const size of [0, 3, 90, 4_000, 17_000, 70_000]) {
    for (const resp of [2, 3]) {
      const item = new Uint8Array(size).fill(97);
      const later = new ReplyWriter();
      const announced = new ReplyWriter();
      later.resp = announced.resp = resp;
      for (const writer of [later, announced]) writer.ok();
      const outer = later.openLength();
      const counts = [0, 1, 12, 3];
      announced.map(counts.length);
      for (const count of counts) {
        later.bulk(item);
        announced.bulk(item);
        const inner = later.openLength();
        announced.array(count);
        for (let i = 0; i < count; i++) {
          later.bulk(item);
          announced.bulk(item);
        }
        later.closeArray(inner, count);
      }
      later.closeMap(outer, counts.length);
      for (const writer of [later, announced]) writer.integer(7);
      assertEquals(later.pendingBytes, announced.pendingBytes);
      assertEquals(taken(later), taken(announced), `${size} bytes, RESP${resp}`);
    }
  }
});
