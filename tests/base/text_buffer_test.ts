import { assertEquals } from "@std/assert";
import { toLatin1, writeText } from "../../src/base/bytes.ts";
import { TextBuffer } from "../../src/base/text_buffer.ts";

function written(write: (to: TextBuffer) => void): string {
  const to = new TextBuffer();
  write(to);
  return toLatin1(to.bytes, 0, to.length);
}

Deno.test("TextBuffer writes numbers as String does", () => {
  for (const n of [0, 7, -12, 1e6, 2 ** 53 - 1, 2 ** 60, 1.5, -0.25, NaN, Infinity]) {
    assertEquals(written((to) => to.number(n)), String(n));
  }
});

Deno.test("TextBuffer writes fixed decimals as toFixed does", () => {
  for (const n of [0, 0.5, 1, 1.25, 12.34, 99.99, 0.001, 1234567.891, 1e15, 1e20, -3.5, NaN]) {
    for (const decimals of [2, 3, 6]) {
      assertEquals(written((to) => to.fixed(n, decimals)), n.toFixed(decimals), `${n}`);
    }
  }
});

Deno.test("TextBuffer grows with what is written, and begins anew", () => {
  const to = new TextBuffer();
  let expected = "";
  for (let i = 0; i < 5000; i++) {
    to.text(`line ${i}\xe9\n`);
    expected += `line ${i}\xe9\n`;
  }
  assertEquals(toLatin1(to.bytes, 0, to.length), expected);
  to.clear();
  to.raw(new Uint8Array([97, 98]));
  assertEquals(toLatin1(to.bytes, 0, to.length), "ab");
});

Deno.test("writeText writes every character below 256 as its byte, however long the text is", () => {
  const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
  for (const text of ["", "a", all, "x".repeat(500), "x".repeat(100) + all, all.slice(128, 200)]) {
    const to = new Uint8Array(text.length + 2);
    assertEquals(writeText(to, 1, text), text.length + 1);
    assertEquals(toLatin1(to), `\0${text}\0`);
  }
});
