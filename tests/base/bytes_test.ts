import { assert, assertEquals } from "@std/assert";
import {
  compareBytes,
  copyBytes,
  copyWords,
  equalBytes,
  latin1,
  toLatin1,
} from "../../src/base/bytes.ts";

Deno.test("compareBytes orders by unsigned bytes, then by length", () => {
  const ordered = ["", "\0", "\0\0", "a", "aa", "ab", "b", "\x7f", "\x80", "\xff", "\xff\0"];
  for (let i = 0; i < ordered.length; i++) {
    for (let j = 0; j < ordered.length; j++) {
      const a = latin1("xx" + ordered[i] + "y");
      const b = latin1("z" + ordered[j] + "yyy");
      const got = compareBytes(a, 2, ordered[i].length, b, 1, ordered[j].length);
      assertEquals(Math.sign(got), Math.sign(i - j), `${i} against ${j}`);
      assertEquals(equalBytes(a, 2, ordered[i].length, b, 1, ordered[j].length), i === j);
    }
  }
});

Deno.test("copyWords copies runs of any length between any places, and nothing beside them", () => {
  const parts = Array.from({ length: 6 }, () => new Uint8Array(new ArrayBuffer(400), 3, 390));
  for (let length = 0; length <= 140; length++) {
    for (const [to, from] of [[0, 0], [1, 2], [7, 0], [13, 5]]) {
      const dst = parts[length % 6].fill(0xee);
      const src = parts[(length + 1 + to % 4) % 6];
      for (let i = 0; i < src.length; i++) src[i] = i * 7 + length;
      copyWords(dst, to, src, from, length);
      const expected = new Uint8Array(390).fill(0xee);
      expected.set(src.subarray(from, from + length), to);
      assertEquals(dst, expected, `${length} bytes from ${from} to ${to}`);
    }
  }
});

Deno.test("copyBytes moves overlapping runs of one buffer in both directions, short and long", () => {
  for (const len of [0, 1, 5, 47, 48, 49, 200]) {
    for (const shift of [-30, -1, 0, 1, 30]) {
      const buf = Uint8Array.from({ length: 300 }, (_, i) => i);
      const want = Array.from(buf);
      const moved = want.slice(40, 40 + len);
      want.splice(40 + shift, len, ...moved);
      copyBytes(buf, 40 + shift, buf, 40, len);
      assertEquals(Array.from(buf), want, `${len} bytes by ${shift}`);
    }
  }
});

Deno.test("copyBytes copies between buffers and touches nothing around", () => {
  for (const len of [0, 1, 47, 48, 100]) {
    const src = Uint8Array.from({ length: 120 }, (_, i) => i + 1);
    const dst = new Uint8Array(120);
    copyBytes(dst, 3, src, 7, len);
    for (let i = 0; i < 120; i++) assertEquals(dst[i], i >= 3 && i < 3 + len ? i + 5 : 0);
  }
});

Deno.test("latin1 and toLatin1 are inverse for every byte and for long runs", () => {
  const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => i & 255);
  assertEquals(latin1(toLatin1(bytes)), bytes);
  assertEquals(toLatin1(bytes, 97, 3), "abc");
  assert(toLatin1(bytes, 5, 0) === "");
});
