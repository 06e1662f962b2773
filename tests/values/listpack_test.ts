import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import * as lp from "../../src/values/listpack.ts";
import { Random } from "../support/random.ts";

const BASE = 13; // not aligned, and not zero
const CAP = 1 << 20;

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");
}

/** The listpack in `buf` as texts, read forward; checks soundness, count and the way back. */
function texts(buf: Uint8Array): string[] {
  const size = lp.lpBytes(buf, BASE);
  assert(lp.lpValidate(buf, BASE, size), "not sound");
  const out: string[] = [];
  const seen: number[] = [];
  for (let pos = lp.lpFirst(buf, BASE); pos !== -1; pos = lp.lpNext(buf, pos)) {
    seen.push(pos);
    out.push(textAt(buf, pos));
  }
  const back: number[] = [];
  for (let pos = lp.lpLast(buf, BASE); pos !== -1; pos = lp.lpPrev(buf, BASE, pos)) back.push(pos);
  assertEquals(back.reverse(), seen);
  assertEquals(lp.lpCount(buf, BASE), out.length);
  return out;
}

function textAt(buf: Uint8Array, pos: number): string {
  lp.lpGet(buf, pos);
  const length = lp.lpEntryTextLength();
  const out = new Uint8Array(length + 2);
  assertEquals(lp.lpEntryCopyText(out, 1), length);
  assertEquals(out[0] + out[length + 1], 0);
  return toLatin1(out, 1, length);
}

function make(items: string[]): Uint8Array {
  const buf = new Uint8Array(BASE + CAP);
  lp.lpNew(buf, BASE);
  for (const item of items) append(buf, item);
  return buf;
}

function append(buf: Uint8Array, item: string, cap = CAP): number {
  return lp.lpAppend(buf, BASE, cap, latin1("<" + item + ">"), 1, item.length);
}

/** Text and the bytes of its entry; long runs are given by their head and backlen only. */
const forms: [string, string, string][] = [
  ["", "80", "01"],
  ["a", "81 61", "02"],
  ["-", "81 2d", "02"],
  ["01", "82 30 31", "03"],
  ["-0", "82 2d 30", "03"],
  ["+1", "82 2b 31", "03"],
  [" 1", "82 20 31", "03"],
  ["0", "00", "01"],
  ["127", "7f", "01"],
  ["128", "c0 80", "02"],
  ["-1", "df ff", "02"],
  ["4095", "cf ff", "02"],
  ["-4096", "d0 00", "02"],
  ["4096", "f1 00 10", "03"],
  ["-4097", "f1 ff ef", "03"],
  ["32767", "f1 ff 7f", "03"],
  ["-32768", "f1 00 80", "03"],
  ["32768", "f2 00 80 00", "04"],
  ["-32769", "f2 ff 7f ff", "04"],
  ["8388607", "f2 ff ff 7f", "04"],
  ["-8388608", "f2 00 00 80", "04"],
  ["8388608", "f3 00 00 80 00", "05"],
  ["-8388609", "f3 ff ff 7f ff", "05"],
  ["2147483647", "f3 ff ff ff 7f", "05"],
  ["-2147483648", "f3 00 00 00 80", "05"],
  ["2147483648", "f4 00 00 00 80 00 00 00 00", "09"],
  ["-2147483649", "f4 ff ff ff 7f ff ff ff ff", "09"],
  ["9007199254740991", "f4 ff ff ff ff ff ff 1f 00", "09"],
  ["9007199254740992", "f4 00 00 00 00 00 00 20 00", "09"],
  ["9007199254740993", "f4 01 00 00 00 00 00 20 00", "09"],
  ["-9007199254740991", "f4 01 00 00 00 00 00 e0 ff", "09"],
  ["-9007199254740992", "f4 00 00 00 00 00 00 e0 ff", "09"],
  ["9223372036854775807", "f4 ff ff ff ff ff ff ff 7f", "09"],
  ["-9223372036854775808", "f4 00 00 00 00 00 00 00 80", "09"],
  ["9223372036854775808", "93" + " " + hex(latin1("9223372036854775808")), "14"],
  ["-9223372036854775809", "94" + " " + hex(latin1("-9223372036854775809")), "15"],
];
for (
  const [length, head, backlen] of [
    [63, "bf", "40"],
    [64, "e0 40", "42"],
    [125, "e0 7d", "7f"],
    [126, "e0 7e", "01 80"],
    [4095, "ef ff", "20 81"],
    [4096, "f0 00 10 00 00", "20 85"],
    [16377, "f0 f9 3f 00 00", "7f fe"],
    [16378, "f0 fa 3f 00 00", "00 ff ff"], // the limit Redis has here is one lower than it could be
    [16379, "f0 fb 3f 00 00", "01 80 80"],
  ] as [number, string, string][]
) {
  const body = "v".repeat(length);
  forms.push([body, head + " " + hex(latin1(body)), backlen]);
}

for (const [text, content, backlen] of forms) {
  const name = text.length > 30 ? `a string of ${text.length} bytes` : `"${text}"`;
  Deno.test(`listpack: ${name} has the bytes that Redis gives it and reads back`, () => {
    const buf = make(["x", text, "y"]);
    const pos = lp.lpSeek(buf, BASE, 1);
    const want = content + " " + backlen;
    assertEquals(hex(buf.subarray(pos, pos + lp.lpSize(buf, pos))), want);
    assertEquals(texts(buf), ["x", text, "y"]);
    const src = latin1(text);
    lp.lpSetNeedle(src, 0, src.length);
    assert(lp.lpIsNeedle(buf, pos));
    assert(!lp.lpIsNeedle(buf, pos - 3));
    assertEquals(lp.lpFind(buf, BASE, lp.lpFirst(buf, BASE), src, 0, src.length, 0), pos);
  });
}

Deno.test("listpack: lpGet gives safe integers as numbers and others as bigint", () => {
  for (const text of ["0", "-1", "4096", "9007199254740991", "-9007199254740991"]) {
    lp.lpGet(make([text]), BASE + 6);
    assertEquals([lp.lpEntry.isInt, lp.lpEntry.int, lp.lpEntry.big], [true, Number(text), null]);
  }
  for (const text of ["9007199254740992", "-9007199254740992", "-9223372036854775808"]) {
    lp.lpGet(make([text]), BASE + 6);
    assertEquals([lp.lpEntry.isInt, lp.lpEntry.int, lp.lpEntry.big], [true, NaN, BigInt(text)]);
  }
  const buf = make(["text"]);
  lp.lpGet(buf, BASE + 6);
  const { isInt, off, len } = lp.lpEntry;
  assertEquals([isInt, off, len], [false, BASE + 7, 4]);
  assert(lp.lpEntry.buf === buf);
});

Deno.test("listpack: integers given as numbers take the form their text would take", () => {
  for (const [text] of forms) {
    if (!/^(0|-?[1-9][0-9]*)$/.test(text) || BigInt.asIntN(64, BigInt(text)) !== BigInt(text)) {
      continue;
    }
    const n = Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
    for (const value of [n, BigInt(text)]) {
      const buf = make(["a", "b"]);
      lp.lpAppendInteger(buf, BASE, CAP, value);
      lp.lpInsertIntegerBefore(buf, BASE, CAP, lp.lpFirst(buf, BASE), value);
      lp.lpInsertIntegerBefore(buf, BASE, CAP, lp.lpSeek(buf, BASE, 2), value);
      const want = make([text, "a", text, "b", text]);
      const size = lp.lpBytes(buf, BASE);
      assertEquals(buf.subarray(BASE, BASE + size), want.subarray(BASE, BASE + size));
    }
  }
});

Deno.test("listpack: a change that passes the capacity answers -1 and changes nothing", () => {
  const items = ["alpha", "12345", "b".repeat(70)];
  const src = latin1("0123456789abcdef");
  const full = make(items);
  const size = lp.lpBytes(full, BASE);
  const before = full.slice();
  const pos = lp.lpSeek(full, BASE, 1);
  const attempts = [
    () => lp.lpAppend(full, BASE, size + 17, src, 0, 16),
    () => lp.lpPrepend(full, BASE, size + 17, src, 0, 16),
    () => lp.lpInsertBefore(full, BASE, size + 17, pos, src, 0, 16),
    () => lp.lpReplace(full, BASE, size + 13, pos, src, 0, 16),
    () => lp.lpAppendInteger(full, BASE, size + 9, 2 ** 40),
    () => lp.lpInsertIntegerBefore(full, BASE, size + 9, pos, 2 ** 40),
  ];
  for (const attempt of attempts) {
    assertEquals(attempt(), -1);
    assertEquals(full, before);
  }
  assertEquals(lp.lpAppend(full, BASE, size + 18, src, 0, 16), size + 18);
  assertEquals(texts(full), [...items, "0123456789abcdef"]);
});

Deno.test("listpack: lpFind skips between comparisons and starts where it is told", () => {
  const buf = make(["k", "v", "v", "7", "7", "k", "long".repeat(20), "end"]);
  const at = (i: number) => lp.lpSeek(buf, BASE, i);
  const find = (text: string, from: number, skip: number) =>
    lp.lpFind(buf, BASE, from, latin1(text), 0, text.length, skip);
  assertEquals(find("v", at(0), 1), at(2));
  assertEquals(find("v", at(0), 0), at(1));
  assertEquals(find("7", at(0), 1), at(4));
  assertEquals(find("7", at(1), 1), at(3));
  assertEquals(find("k", at(2), 1), -1);
  assertEquals(find("long".repeat(20), at(0), 1), at(6));
  assertEquals(find("end", at(0), 1), -1);
  assertEquals(find("end", at(0), 6), at(7));
  assertEquals(find("end", at(0), 100), -1);
  assertEquals(find("k", -1, 0), -1);
});

Deno.test("listpack: entries encoded longer than needed still compare by their text", () => {
  // 5 as a 64-bit integer, "ab" with a 32-bit length, "7" as a string.
  const body = [0xf4, 5, 0, 0, 0, 0, 0, 0, 0, 9, 0xf0, 2, 0, 0, 0, 0x61, 0x62, 7, 0x81, 0x37, 2];
  const buf = new Uint8Array(BASE + 100);
  buf.set(body, BASE + 6);
  lp.lpFrame(buf, BASE, body.length, 3);
  assertEquals(texts(buf), ["5", "ab", "7"]);
  for (const [i, text] of ["5", "ab", "7"].entries()) {
    const found = lp.lpFind(buf, BASE, BASE + 6, latin1(text), 0, text.length, 0);
    assertEquals(found, lp.lpSeek(buf, BASE, i));
  }
});

for (const seed of [1, 2]) {
  Deno.test(`listpack: scans in both directions find what comparing one by one does, seed ${seed}`, () => {
    const random = new Random(seed);
    const items = Array.from({ length: 300 }, () => {
      const kind = random.below(10);
      if (kind < 4) return `name:${random.below(20)}`;
      if (kind < 8) return String((random.below(40) - 20) * 10 ** random.below(14));
      return "w".repeat(random.below(3) * 100) + random.below(3);
    });
    const buf = make(items);
    const places: number[] = [];
    for (let pos = lp.lpFirst(buf, BASE); pos >= 0; pos = lp.lpNext(buf, pos)) places.push(pos);
    const end = lp.lpEnd(buf, BASE);
    for (let n = 0; n < 2_000; n++) {
      const needle = n % 5 === 0 ? "none" : random.pick(items);
      lp.lpSetNeedle(latin1(`<${needle}>`), 1, needle.length);
      const from = random.below(items.length);
      const most = random.below(2) === 0 ? 1000 : random.below(50);
      const ahead = items.indexOf(needle, from);
      const isAhead = ahead >= 0 && ahead - from < most;
      assertEquals(lp.lpScan(buf, places[from], end, most), isAhead ? places[ahead] : -1);
      const wayAhead = isAhead ? ahead - from : Math.min(most, items.length - from);
      assertEquals(lp.lpPassed, wayAhead);
      const behind = items.lastIndexOf(needle, from);
      const isBehind = behind >= 0 && from - behind < most;
      const back = lp.lpScanBack(buf, places[from + 1] ?? end, places[0], most);
      assertEquals(back, isBehind ? places[behind] : -1);
      assertEquals(lp.lpPassed, isBehind ? from - behind : Math.min(most, from + 1));
    }
  });
}

Deno.test("listpack: scans find entries that were encoded longer than needed", () => {
  // "17" as a string of six bits, of twelve, of 32, and as an integer of 16 bits; then 17 as usual.
  const entries = "82 31 37 03 | e0 02 31 37 04 | f0 02 00 00 00 31 37 07 | f1 11 00 03 | 11 01";
  const starts: number[] = [];
  const bytes: number[] = [];
  for (const entry of entries.split(" | ")) {
    starts.push(bytes.length);
    for (const byte of entry.split(" ")) bytes.push(parseInt(byte, 16));
  }
  const buf = Uint8Array.from(bytes);
  lp.lpSetNeedle(latin1("17"), 0, 2);
  for (const start of starts) {
    assertEquals(lp.lpScan(buf, start, buf.length, 9), start);
    const end = start + lp.lpSize(buf, start);
    assertEquals(lp.lpScanBack(buf, end, 0, 9), start);
  }
  lp.lpSetNeedle(latin1("18"), 0, 2);
  assertEquals(lp.lpScan(buf, 0, buf.length, 9), -1);
  assertEquals(lp.lpScanBack(buf, buf.length, 0, 9), -1);
});

Deno.test("listpack: 65535 and more entries are counted by walking", () => {
  const buf = make([]);
  for (let i = 0; i < 65534; i++) lp.lpAppendInteger(buf, BASE, CAP, i & 63);
  assertEquals([buf[BASE + 4], buf[BASE + 5]], [0xfe, 0xff]);
  append(buf, "a");
  append(buf, "b");
  assertEquals([buf[BASE + 4], buf[BASE + 5]], [0xff, 0xff]);
  assertEquals(lp.lpCount(buf, BASE), 65536);
  assertEquals(textAt(buf, lp.lpSeek(buf, BASE, 65535)), "b");
  assertEquals(textAt(buf, lp.lpSeek(buf, BASE, -2)), "a");
  assertEquals(lp.lpSeek(buf, BASE, 65536), -1);
  assertEquals(lp.lpSeek(buf, BASE, -65537), -1);
  lp.lpDelete(buf, BASE, lp.lpFirst(buf, BASE), 10);
  assertEquals(lp.lpCount(buf, BASE), 65526);
  assert(lp.lpValidate(buf, BASE, lp.lpBytes(buf, BASE)));
});

Deno.test("listpack: lpValidate refuses every truncation and counts pairs", () => {
  const buf = make(["a", "1", "4000", "123456789", "s".repeat(100), "t".repeat(5000)]);
  const size = lp.lpBytes(buf, BASE);
  assert(lp.lpValidate(buf, BASE, size, { pairs: true }));
  for (let cut = 0; cut < size; cut++) {
    assert(!lp.lpValidate(buf, BASE, cut), `cut at ${cut}`);
    // The same cut with a header and an end that fit it.
    const copy = buf.slice(0, BASE + cut);
    if (cut < 7) continue;
    new DataView(copy.buffer).setUint32(BASE, cut, true);
    copy[BASE + cut - 1] = 0xff;
    assert(!lp.lpValidate(copy, BASE, cut), `framed cut at ${cut}`);
  }
  append(buf, "odd");
  assert(lp.lpValidate(buf, BASE, lp.lpBytes(buf, BASE)));
  assert(!lp.lpValidate(buf, BASE, lp.lpBytes(buf, BASE), { pairs: true }));
});

function randomText(random: Random): string {
  switch (random.below(6)) {
    case 0:
      return String(random.below(300) - 20);
    case 1:
      return String(
        BigInt.asIntN(
          random.below(63) + 2,
          BigInt(random.below(2 ** 32)) * BigInt(random.below(2 ** 31)),
        ),
      );
    case 2:
      return "x".repeat(random.below(140));
    case 3:
      return random.below(20) === 0 ? "y".repeat(random.below(40_000)) : "0" + random.below(10);
    case 4:
      return forms[random.below(forms.length)][0];
    default:
      return "key:" + random.below(1000);
  }
}

Deno.test("listpack: lpValidate lets through flipped bytes only where all entries stay readable", () => {
  const random = new Random(7);
  let passed = 0;
  for (let round = 0; round < 3000; round++) {
    const buf = make(
      Array.from({ length: random.below(8) }, () => randomText(random).slice(0, 300)),
    );
    const size = lp.lpBytes(buf, BASE);
    const copy = buf.slice(0, BASE + size);
    copy[BASE + random.below(size)] = random.below(256);
    if (!lp.lpValidate(copy, BASE, size)) continue;
    passed++;
    texts(copy); // walks, decodes and checks the way back
  }
  assert(passed > 100 && passed < 2900, `${passed} passed`);
});

for (const seed of [1, 2, 3, 4]) {
  Deno.test(`listpack: random changes agree with an array (seed ${seed})`, () => {
    const random = new Random(seed);
    const buf = make([]);
    const model: string[] = [];
    for (let step = 0; step < 1500; step++) {
      const text = randomText(random);
      const src = latin1("#" + text + "#");
      const index = model.length === 0 ? 0 : random.below(model.length);
      const pos = lp.lpSeek(buf, BASE, index - (random.below(2) === 0 ? 0 : model.length));
      assertEquals(pos === -1, model.length === 0);
      switch (model.length > 60 ? 6 : random.below(8)) {
        case 0:
          lp.lpPrepend(buf, BASE, CAP, src, 1, text.length);
          model.unshift(text);
          break;
        case 1:
        case 2:
          assertEquals(append(buf, text), lp.lpBytes(buf, BASE));
          model.push(text);
          break;
        case 3:
          lp.lpInsertBefore(buf, BASE, CAP, pos, src, 1, text.length);
          model.splice(pos === -1 ? model.length : index, 0, text);
          break;
        case 4:
          if (pos === -1) break;
          lp.lpReplace(buf, BASE, CAP, pos, src, 1, text.length);
          model[index] = text;
          break;
        case 5:
        case 6: {
          if (pos === -1) break;
          const count = random.below(model.length > 60 ? 60 : 4);
          lp.lpDelete(buf, BASE, pos, count);
          model.splice(index, count);
          break;
        }
        default: {
          const skip = random.below(3);
          const from = pos === -1 ? 0 : index;
          let want = -1;
          for (let i = from; i < model.length && want < 0; i += skip + 1) {
            if (model[i] === text) want = i;
          }
          const got = lp.lpFind(buf, BASE, pos, src, 1, text.length, skip);
          assertEquals(got, want < 0 ? -1 : lp.lpSeek(buf, BASE, want));
        }
      }
      assertEquals(texts(buf), model, `step ${step}`);
    }
  });
}
