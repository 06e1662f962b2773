import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { latin1 } from "../../src/base/bytes.ts";
import { hex, sha1, SHA1_BYTES } from "../../src/base/sha1.ts";

function sha1Hex(bytes: Uint8Array, offset = 0, length: number = bytes.length): string {
  const out = new Uint8Array(SHA1_BYTES);
  sha1(bytes, offset, length, out);
  return hex(out);
}

Deno.test("sha1 gives the digests of the standard", () => {
  assertEquals(sha1Hex(latin1("")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  assertEquals(sha1Hex(latin1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
});

Deno.test("sha1 is right for every length around the size of a block, and in the middle of a buffer", () => {
  const bytes = Uint8Array.from({ length: 400 }, (_, i) => i * 7);
  for (let length = 0; length < 200; length++) {
    const expected = createHash("sha1").update(bytes.subarray(3, 3 + length)).digest("hex");
    assertEquals(sha1Hex(bytes, 3, length), expected, `${length} bytes`);
  }
});

Deno.test("sha1 may write over its input", () => {
  const bytes = latin1("abcdefghijklmnopqrst");
  const expected = sha1Hex(bytes);
  sha1(bytes, 0, 20, bytes);
  assertEquals(hex(bytes), expected);
});
