import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { Crc64 } from "../../src/rdb/crc64.ts";
import { Random } from "../support/random.ts";
import { mixedBytes } from "./mixed_bytes.ts";

/** The sum bit by bit, straight from the definition. */
function slowCrc(bytes: Uint8Array): string {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ ((crc & 1n) * 0x95ac9329ac4bc9b5n);
  }
  return crc.toString(16).padStart(16, "0");
}

function sum(bytes: Uint8Array): string {
  const crc = new Crc64();
  crc.update(bytes, 0, bytes.length);
  return crc.toHex();
}

Deno.test("Crc64 gives the check value of the algorithm", () => {
  assertEquals(sum(latin1("123456789")), "e9c6d914c4b8d9ca");
  assertEquals(sum(new Uint8Array(0)), "0000000000000000");
});

Deno.test("Crc64 agrees with the bit by bit definition at every length and alignment", () => {
  const random = new Random(1);
  const memory = Uint8Array.from({ length: 128 }, () => random.below(256));
  for (let len = 0; len <= 70; len++) {
    for (let off = 0; off < 9; off++) {
      const expected = slowCrc(memory.subarray(off, off + len));
      const crc = new Crc64();
      crc.update(memory, off, len);
      assertEquals(crc.toHex(), expected, `offset ${off}, length ${len}`);
      assertEquals(sum(memory.subarray(off, off + len)), expected, `view at ${off}, length ${len}`);
    }
  }
});

Deno.test("Crc64 gives the same sum for any division into pieces", () => {
  const random = new Random(2);
  const bytes = mixedBytes(random, 5000);
  const other = mixedBytes(random, 300);
  const expected = slowCrc(Uint8Array.from([...bytes, ...other]));
  for (let round = 0; round < 50; round++) {
    const crc = new Crc64();
    for (let at = 0; at < bytes.length;) {
      const len = Math.min(random.below(200), bytes.length - at);
      crc.update(bytes, at, len);
      at += len;
    }
    crc.update(other, 0, other.length);
    assertEquals(crc.toHex(), expected);
  }
});

Deno.test("Crc64 gives for long runs, wherever they lie, what it gives for short ones", () => {
  const lane = 4096;
  const memory = mixedBytes(new Random(3), 50 * lane);
  for (const around of [4 * lane, 5 * lane, 8 * lane, 16 * lane, 17 * lane, 36 * lane]) {
    for (const length of [around - 8, around - 1, around, around + 1, around + 9]) {
      const at = length % 11;
      const long = new Crc64();
      const short = new Crc64();
      for (const crc of [long, short]) crc.update(memory, 0, 100);
      long.update(memory, at, length);
      for (let done = 0; done < length; done += 1000) {
        short.update(memory, at + done, Math.min(1000, length - done));
      }
      assertEquals(long.toHex(), short.toHex(), `${length} bytes`);
    }
  }
});

Deno.test("Crc64 writes its sum least significant byte first and knows it again", () => {
  const crc = new Crc64();
  crc.update(latin1("123456789"), 0, 9);
  const buf = new Uint8Array(10);
  crc.writeTo(buf, 1);
  assertEquals([...buf], [0, 0xca, 0xd9, 0xb8, 0xc4, 0x14, 0xd9, 0xc6, 0xe9, 0]);
  assert(crc.equalsAt(buf, 1));
  for (let i = 1; i < 9; i++) {
    buf[i] ^= 0x80;
    assert(!crc.equalsAt(buf, 1), `byte ${i}`);
    buf[i] ^= 0x80;
  }
  crc.reset();
  assertEquals(crc.toHex(), "0000000000000000");
});
