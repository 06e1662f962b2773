import { assert, assertEquals, assertThrows } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { DUMP_FOOTER_BYTES } from "../../src/rdb/format.ts";
import { NO_LEAVE, PayloadLoad } from "../../src/rdb/payload.ts";
import { type ByteSource, RdbReader } from "../../src/rdb/reader.ts";
import { ChunkCollector, RdbEncoder, type RdbEncoderOptions } from "../../src/rdb/writer.ts";
import { Random } from "../support/random.ts";
import { mixedBytes } from "./mixed_bytes.ts";
import { testServer } from "../support/test_server.ts";

/** What redis 7.0.15 answers to DUMP of the string "42". */
const DUMP_OF_42 = "00c02a0a0081fb5cfa86634f50";

function encode(write: (e: RdbEncoder) => void, options?: RdbEncoderOptions): Uint8Array {
  const collector = new ChunkCollector();
  const encoder = new RdbEncoder(collector.sink, options);
  write(encoder);
  encoder.flush();
  const bytes = collector.take();
  assertEquals(encoder.offset, bytes.length);
  return bytes;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
}

function encodeString(text: string, options?: RdbEncoderOptions): string {
  return hex(encode((e) => e.writeString(latin1(text), 0, text.length), options));
}

/** Gives bytes in pieces of odd sizes; knows or does not know how many there are. */
class PieceSource implements ByteSource {
  #at = 0;
  constructor(readonly bytes: Uint8Array, readonly random: Random, readonly sized: boolean) {}
  fill(buf: Uint8Array, off: number): number {
    const most = Math.min(buf.length - off, this.bytes.length - this.#at);
    const len = Math.min(most, 1 + this.random.below(300));
    buf.set(this.bytes.subarray(this.#at, this.#at + len), off);
    this.#at += len;
    return len;
  }
  remaining(): number {
    return this.sized ? this.bytes.length - this.#at : Infinity;
  }
}

const lengthForms: [number, string][] = [
  [0, "00"],
  [63, "3f"],
  [64, "4040"],
  [16383, "7fff"],
  [16384, "8000004000"],
  [0xffffffff, "80ffffffff"],
  [0x100000000, "810000000100000000"],
  [2 ** 53 - 1, "81001fffffffffffff"],
];

/** Whether RESTORE would take the frame of these bytes. */
function isWhole(payload: Uint8Array, length: number): boolean {
  const load = new PayloadLoad(payload, 0, length, NO_LEAVE, testServer().keyspace.limits);
  load.run();
  return load.isWhole;
}

Deno.test("writeLength takes the shortest form, and readLength reads it back", () => {
  for (const [length, form] of lengthForms) {
    const bytes = encode((e) => e.writeLength(length));
    assertEquals(hex(bytes), form);
    const reader = RdbReader.fromBytes(bytes);
    assertEquals(reader.readLength(), length);
    assert(!reader.isEncoded);
    assertEquals(reader.lengthHigh * 2 ** 32 + reader.lengthLow, length);
  }
});

const stringForms: [string, string][] = [
  ["", "00"],
  ["0", "c000"],
  ["-1", "c0ff"],
  ["127", "c07f"],
  ["-128", "c080"],
  ["128", "c18000"],
  ["-129", "c17fff"],
  ["32767", "c1ff7f"],
  ["-32768", "c10080"],
  ["32768", "c200800000"],
  ["-32769", "c2ff7fffff"],
  ["2147483647", "c2ffffff7f"],
  ["-2147483648", "c200000080"],
  // Not the canonical text of an int32: kept as it is.
  ["2147483648", "0a" + hex(latin1("2147483648"))],
  ["-2147483649", "0b" + hex(latin1("-2147483649"))],
  ["00", "023030"],
  ["-0", "022d30"],
  ["+1", "022b31"],
  ["1 ", "023120"],
  ["-", "012d"],
  ["1e3", "03316533"],
  ["aaaaaaaaaaaaaaaaaaaa", "14" + "61".repeat(20)],
];

for (const [text, form] of stringForms) {
  Deno.test(`writeString stores "${text}" as a server does, and readString gives it back`, () => {
    assertEquals(encodeString(text), form);
    const reader = RdbReader.fromBytes(encode((e) => e.writeString(latin1(text), 0, text.length)));
    reader.readString();
    assertEquals(toLatin1(reader.strBuf, reader.strOff, reader.strLen), text);
    assertEquals(reader.strIsInt, form.startsWith("c"));
    if (reader.strIsInt) assertEquals(reader.strInt, Number(text));
    assertEquals(reader.remaining(), 0);
  });
}

Deno.test("writeString compresses from 21 bytes on, unless that is switched off", () => {
  const text = "a".repeat(21);
  assert(encodeString(text).startsWith("c3"));
  assertEquals(encodeString(text, { compress: false }), "15" + "61".repeat(21));
  assertEquals(encode((e) => e.writeRawString(latin1(text), 0, 21)).length, 22);
});

Deno.test("writeInteger stores what writeString stores for the text", () => {
  for (
    const n of [
      0,
      -1,
      127,
      128,
      -32769,
      2 ** 31 - 1,
      2 ** 31,
      -(2 ** 31) - 1,
      2 ** 53 - 1,
      2n ** 63n - 1n,
      -(2n ** 63n),
    ]
  ) {
    assertEquals(hex(encode((e) => e.writeInteger(n))), encodeString(String(n)), String(n));
  }
});

Deno.test("times and doubles come back as written", () => {
  const times = [0, 1, -1, 4102444800000, 2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 32, -(2 ** 32)];
  const doubles = [0, -0, 1.5, NaN, Infinity, -Infinity, 5e-324, 1.7976931348623157e308];
  const reader = RdbReader.fromBytes(encode((e) => {
    for (const ms of times) e.writeMillis(ms);
    for (const value of doubles) e.writeBinaryDouble(value);
  }));
  for (const ms of times) assertEquals(reader.readMillis(), ms);
  for (const value of doubles) assert(Object.is(reader.readBinaryDouble(), value), `${value}`);
});

Deno.test("a snapshot has header, aux, databases, attributes and a checksum that verifies", () => {
  const bytes = encode((e) => {
    e.writeHeader();
    e.writeAux("redis-bits", 64);
    e.writeSelectDb(3);
    e.writeResizeDb(100, 1);
    e.writeExpiry(4102444800000);
    e.writeIdle(70);
    e.writeFrequency(255);
    e.writeByte(0);
    e.writeString(latin1("k"), 0, 1);
    e.writeString(latin1("v"), 0, 1);
    e.writeEof();
  });
  assertEquals(
    hex(bytes.subarray(0, bytes.length - 8)),
    "524544495330303130" + "fa0a72656469732d62697473c040" + "fe03" + "fb406401" +
      "fc00d8c32cbb030000" + "f84046" + "f9ff" + "00016b0176" + "ff",
  );
  const reader = RdbReader.fromBytes(bytes);
  assertEquals(reader.readHeader(), 10);
  reader.skip(bytes.length - 17);
  assert(reader.verifyChecksum());
});

Deno.test("a snapshot without checksum ends with zeros, which verify as none", () => {
  const bytes = encode((e) => {
    e.writeHeader();
    e.writeEof();
  }, { checksum: false });
  assertEquals(hex(bytes), "524544495330303130ff0000000000000000");
  const reader = RdbReader.fromBytes(bytes);
  reader.skip(10);
  assert(!reader.verifyChecksum());
});

Deno.test("a payload written by a real server verifies, an altered one does not", () => {
  const payload = Uint8Array.from(DUMP_OF_42.match(/../g)!, (h) => parseInt(h, 16));
  const ours = encode((e) => {
    e.writeByte(0);
    e.writeInteger(42);
    e.writeDumpFooter();
  });
  assertEquals(hex(ours), hex(payload));
  assert(isWhole(payload, payload.length));
  for (let i = 0; i < payload.length; i++) {
    for (let bit = 0; bit < 8; bit++) {
      const altered = payload.slice();
      altered[i] ^= 1 << bit;
      assert(!isWhole(altered, altered.length), `byte ${i} bit ${bit}`);
    }
    assert(!isWhole(payload, i), `cut at ${i}`);
  }
  const later = encode((e) => {
    e.writeByte(0);
    e.writeInteger(42);
    e.writeDumpFooter(16);
  });
  assert(!isWhole(later, later.length), "of a version not known");
});

Deno.test("a DUMP payload is refused to an encoder without checksum", () => {
  assertThrows(() => encode((e) => e.writeDumpFooter(), { checksum: false }), Error, "checksum");
  assertEquals(DUMP_FOOTER_BYTES, 10);
});

Deno.test("an encoder starts over after reset", () => {
  const collector = new ChunkCollector();
  const encoder = new RdbEncoder(collector.sink);
  const first: string[] = [];
  for (let round = 0; round < 2; round++) {
    encoder.reset();
    encoder.writeByte(0);
    encoder.writeInteger(42);
    encoder.writeDumpFooter();
    first.push(hex(collector.take()));
  }
  assertEquals(first, [DUMP_OF_42, DUMP_OF_42]);
});

Deno.test("a sink may give chunks back at once", () => {
  const parts: Uint8Array[] = [];
  const encoder = new RdbEncoder((chunk, length) => {
    parts.push(chunk.slice(0, length));
    chunk.fill(0);
    encoder.recycle(chunk);
  }, { chunkBytes: 64 });
  const random = new Random(6);
  const all = mixedBytes(random, 1000);
  for (let at = 0; at < all.length; at += 10) encoder.writeRawString(all, at, 10);
  encoder.writeEof();
  const bytes = new Uint8Array(encoder.offset);
  let end = 0;
  for (const part of parts) {
    bytes.set(part, end);
    end += part.length;
  }
  const reader = RdbReader.fromBytes(bytes);
  for (let at = 0; at < all.length; at += 10) {
    reader.readString();
    assertEquals(reader.strBuf.slice(reader.strOff, reader.strOff + 10), all.slice(at, at + 10));
  }
  assertEquals(reader.readByte(), 255);
  assert(reader.verifyChecksum());
});

/** One thing written, and how it is read back. */
type Step = { write(e: RdbEncoder): void; check(r: RdbReader): void };

function randomStep(random: Random): Step {
  const kind = random.below(8);
  if (kind === 0) {
    const n = random.below(2) === 0 ? random.below(300) : Math.floor(random.draw() * 2 ** 40);
    return {
      write: (e) => e.writeLength(n),
      check: (r) => assertEquals(r.readPlainLength("n"), n),
    };
  }
  if (kind === 1) {
    const n = (random.below(2 ** 32) - 2 ** 31) * (random.below(2) === 0 ? 1 : 2 ** 20);
    return {
      write: (e) => e.writeInteger(n),
      check: (r) => {
        r.readString();
        assertEquals(toLatin1(r.strBuf, r.strOff, r.strLen), String(n));
      },
    };
  }
  if (kind === 2) {
    const ms = Math.floor(random.draw() * 2 ** 50);
    return { write: (e) => e.writeMillis(ms), check: (r) => assertEquals(r.readMillis(), ms) };
  }
  if (kind === 3) {
    const raw = mixedBytes(random, random.below(700));
    return {
      write: (e) => e.writeBytes(raw, 0, raw.length),
      check: (r) => {
        const copy = new Uint8Array(raw.length);
        if (random.below(2) === 0) r.skip(raw.length);
        else {
          r.readInto(copy, 0, raw.length);
          assertEquals(copy, raw);
        }
      },
    };
  }
  const text = mixedBytes(random, random.below([4, 30, 600, 5000][random.below(4)]));
  return {
    write: (e) =>
      kind === 4 ? e.writeRawString(text, 0, text.length) : e.writeString(text, 0, text.length),
    check: (r) => {
      if (random.below(5) === 0) return r.skipString();
      r.readString();
      assertEquals(r.strBuf.slice(r.strOff, r.strOff + r.strLen), text);
      if (r.strOwned) assertEquals(r.strOff, 0);
    },
  };
}

Deno.test("whatever is written comes back, through any chunk, window and source", () => {
  for (let seed = 0; seed < 150; seed++) {
    const random = new Random(seed);
    const steps = Array.from({ length: 1 + random.below(60) }, () => randomStep(random));
    const bytes = encode((e) => {
      for (const step of steps) step.write(e);
      e.writeEof();
    }, { chunkBytes: [64, 100, 1000, undefined][random.below(4)], compress: random.below(4) > 0 });

    const sources = [
      RdbReader.fromBytes(Uint8Array.from([1, 2, 3, ...bytes, 4]), 3, bytes.length),
      RdbReader.fromSource(new PieceSource(bytes, random, true), { windowBytes: 256 }),
      RdbReader.fromSource(new PieceSource(bytes, random, false), { windowBytes: 300 }),
      RdbReader.fromSource(new PieceSource(bytes, random, true)),
    ];
    for (const [i, reader] of sources.entries()) {
      try {
        for (const step of steps) step.check(reader);
        assertEquals(reader.readByte(), 255);
        assert(reader.verifyChecksum());
        assertEquals(reader.offset, bytes.length);
      } catch (error) {
        throw new Error(`seed ${seed}, source ${i}`, { cause: error });
      }
    }
  }
});
