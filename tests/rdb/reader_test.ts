import { assert, assertEquals, assertThrows } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { lzfProgram } from "../../src/rdb/lzf_program.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { type ByteSource, RdbReader } from "../../src/rdb/reader.ts";
import { corpusBytes } from "./corpus.ts";
import { walk } from "./walker.ts";
import { Random } from "../support/random.ts";

/** Gives the same bytes over and over and says so, or says that there are few. */
class EndlessSource implements ByteSource {
  filled = 0;
  constructor(readonly prefix: number[], readonly left: number) {}
  fill(buf: Uint8Array, off: number): number {
    const from = this.filled;
    if (this.left !== Infinity && from >= this.prefix.length) return 0;
    let at = off;
    while (at < buf.length && this.filled < this.prefix.length) {
      buf[at++] = this.prefix[this.filled++];
    }
    if (this.left !== Infinity) return at - off;
    if (from > 1 << 20) return 0;
    buf.fill(1, at);
    this.filled += buf.length - at;
    return buf.length - off;
  }
  remaining(): number {
    return this.left === Infinity ? Infinity : this.left - this.filled;
  }
}

function refuses(
  bytes: number[],
  read: (r: RdbReader) => void,
  kind: string,
  message: RegExp,
): void {
  const error = assertThrows(() => read(RdbReader.fromBytes(Uint8Array.from(bytes))), RdbError);
  assertEquals((error as RdbError).kind, kind);
  assert(message.test((error as RdbError).message), (error as RdbError).message);
}

Deno.test("an error says what was attempted and at which byte", () => {
  const string = (r: RdbReader) => r.readString();
  refuses(
    [],
    string,
    "truncated",
    /^Cannot load snapshot: unexpected end of file: 1 more .* byte 0$/,
  );
  refuses([5, 1, 2], string, "truncated", /5 more bytes needed, at byte 1$/);
  refuses([0x40], string, "truncated", /2 more bytes needed, at byte 0$/);
  refuses([0x80, 1], string, "truncated", /5 more bytes needed, at byte 0$/);
  refuses([0x81, 1], string, "truncated", /9 more bytes needed, at byte 0$/);
  refuses([0x82, 0, 0], string, "corrupt", /unknown length encoding 0x82 at byte 0$/);
  refuses([0xc4, 0, 0], string, "corrupt", /unknown string encoding 4 at byte 0$/);
  refuses([0xc4, 0, 0], (r) => r.skipString(), "corrupt", /unknown string encoding 4 at byte 0$/);
  refuses([0xc2, 0, 0], string, "truncated", /4 more bytes needed, at byte 1$/);
  refuses([0xc3, 2, 3, 0, 65], string, "corrupt", /LZF string does not .* 3 bytes at byte 0$/);
  refuses([0xc3, 0xc0, 3, 0, 65], string, "corrupt", /a compressed size is encoded as a string/);
  refuses([0xc0, 1], (r) => r.readCount("fields"), "corrupt", /number of fields is encoded/);
  refuses([3, 1, 2], (r) => r.readCount("fields"), "truncated", /3 fields announced.* at byte 0$/);
  refuses([2, 1, 2], (r) => r.readCount("ids", 16), "truncated", /2 ids announced/);
  refuses(
    [2, 1, 2],
    (r) => r.readStringOf(16, "an id"),
    "corrupt",
    /an id has 2 bytes instead of 16/,
  );
  refuses([1, 2], (r) => r.skip(3), "truncated", /3 more bytes needed, at byte 0$/);
  refuses([...latin1("REDIS00x1")], (r) => r.readHeader(), "corrupt", /not a number at byte 5$/);
  refuses([...latin1("REDIS0000")], (r) => r.readHeader(), "unsupported", /version 0 at byte 5$/);
});

Deno.test("readTextDouble takes the numbers that servers write and nothing else", () => {
  const texts = [
    "0",
    "-0",
    "1.5",
    "-976964731.5565097",
    "1e+300",
    "5e-324",
    "17179869184",
    ".5",
    "1.",
  ];
  for (const text of texts) {
    const reader = RdbReader.fromBytes(Uint8Array.from([text.length, ...latin1(text)]));
    assert(Object.is(reader.readTextDouble(), Number(text)), text);
    assertEquals(reader.remaining(), 0);
  }
  const specials = RdbReader.fromBytes(Uint8Array.of(253, 254, 255));
  assertEquals(specials.readTextDouble(), NaN);
  assertEquals(specials.readTextDouble(), Infinity);
  assertEquals(specials.readTextDouble(), -Infinity);
  for (const text of ["", " 1", "1 ", "0x10", "nan", "1e", "--1", "1,5", "."]) {
    const bytes = [text.length, ...latin1(text)];
    refuses(bytes, (r) => r.readTextDouble(), "corrupt", /malformed score at byte 0$/);
  }
});

Deno.test("a declared size is compared with what is left before anything is allocated", () => {
  const gigabytes = [0x80, 0xff, 0xff, 0xff, 0xff];
  const exabytes = [0x81, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
  for (const length of [gigabytes, exabytes]) {
    refuses(length, (r) => r.readString(), "truncated", /more bytes needed/);
    refuses([0xc3, ...length, 5, 0, 65], (r) => r.readString(), "truncated", /more bytes needed/);
    refuses(
      [0xc3, 2, ...length, 0, 65],
      (r) => r.readString(),
      "corrupt",
      /2 bytes of LZF cannot give/,
    );
    refuses(length, (r) => r.readCount("fields"), "truncated", /announced/);

    const source = new EndlessSource(length, 100);
    const reader = RdbReader.fromSource(source, { windowBytes: 256 });
    const error = assertThrows(() => reader.readString(), RdbError);
    assertEquals((error as RdbError).kind, "truncated");
  }
});

Deno.test("from a source of unknown size a string takes memory as it comes", () => {
  const source = new EndlessSource([0x80, 0xff, 0xff, 0xff, 0xff], Infinity);
  const reader = RdbReader.fromSource(source, { windowBytes: 256 });
  const error = assertThrows(() => reader.readString(), RdbError) as RdbError;
  assertEquals(error.kind, "truncated");
  assertEquals(error.offset, source.filled);
  assert(source.filled < 4 << 20);
});

Deno.test("resetBytes starts over on other bytes", () => {
  const reader = RdbReader.fromBytes(latin1("\x01a\x01b"));
  reader.readString();
  for (let round = 0; round < 3; round++) {
    const bytes = latin1("junk\x03xyz");
    reader.resetBytes(bytes, 4, 4);
    assertEquals(reader.offset, 0);
    reader.readString();
    assertEquals(toLatin1(reader.strBuf, reader.strOff, reader.strLen), "xyz");
    assertEquals(reader.remaining(), 0);
    assertEquals(reader.offset, 4);
  }
});

/** Walks damaged bytes: a result or an RdbError, and no buffer beyond what the bytes may ask for. */
function survives(bytes: Uint8Array): boolean {
  const reader = RdbReader.fromBytes(bytes);
  try {
    walk(reader, bytes);
    return false;
  } catch (error) {
    if (!(error instanceof RdbError)) throw error;
    assert(error.offset >= 0 && error.offset <= bytes.length, error.message);
    return true;
  } finally {
    // What is compressed and short lies in the memory of the program that decompresses, which does not grow.
    const isAllocated = reader.strBuf !== lzfProgram().memory;
    assert(!isAllocated || reader.strBuf.length <= Math.max(4096, 88 * bytes.length));
  }
}

const small = [
  "redis-2.4.18/empty",
  "redis-3.0.7/expires",
  "redis-5.0.14/lfu",
  "redis-7.4.1/functions",
];
for (const name of small) {
  Deno.test(`${name} cut at any byte is an RdbError`, () => {
    const bytes = corpusBytes(name);
    for (let len = 0; len < bytes.length; len++) {
      assert(survives(bytes.subarray(0, len)), `cut at ${len}`);
    }
    assert(!survives(bytes));
  });

  Deno.test(`${name} with any bit flipped is an RdbError or has no checksum`, () => {
    const bytes = corpusBytes(name);
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        bytes[at] ^= 1 << bit;
        // A version below 5 keeps no sum, and so does a file that came to be one.
        if (!survives(bytes)) assert(bytes[8] < 0x35 && bytes[7] === 0x30, `byte ${at} bit ${bit}`);
        bytes[at] ^= 1 << bit;
      }
    }
  });
}

for (
  const name of ["redis-2.4.18/mixed", "redis-7.4.1/hash-ttl", "valkey-8.0.1/streams-small-nodes"]
) {
  Deno.test(`${name} damaged at places drawn from a seed never crashes the reader`, () => {
    const bytes = corpusBytes(name);
    const random = new Random(12345);
    let refused = 0;
    for (let round = 0; round < 400; round++) {
      const at = random.below(bytes.length);
      const old = bytes[at];
      bytes[at] = [0, 0x3f, 0x7f, 0x80, 0x81, 0xc3, 0xff, random.below(256)][round % 8];
      if (survives(bytes)) refused++;
      bytes[at] = old;
      survives(bytes.subarray(0, at));
    }
    assert(refused > 50, `${refused} refused`);
  });
}
