import { assert, assertEquals } from "@std/assert";
import { blocks } from "../../../src/base/blocks.ts";
import { equalBytes } from "../../../src/base/bytes.ts";
import { Random } from "../../support/random.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

const TOO_LONG = { error: "ERR string exceeds maximum allowed size (proto-max-bulk-len)" };
const NOT_AN_INTEGER = { error: "ERR value is not an integer or out of range" };

Deno.test("APPEND builds a string in pieces, through all the forms it is kept in", () => {
  const s = testServer();
  let whole = "";
  for (const length of [1, 0, 10, 100, 3000, 13273, 1, 5000, 30000, 1]) {
    const piece = String.fromCharCode(97 + length % 26).repeat(length);
    whole += piece;
    assertEquals(s.run("APPEND", "k", piece), whole.length);
    assertEquals(s.run("GET", "k"), whole);
  }
  assertEquals(s.run("APPEND", "empty", ""), 0);
  assertEquals(s.run("GET", "empty"), "");
});

Deno.test("APPEND and SETRANGE refuse results that are too long and change nothing", () => {
  const s = testServer();
  s.keyspace.limits.stringBytesMax = 100;
  s.run("SET", "k", "x".repeat(90));
  s.propagated();
  assertEquals(s.run("APPEND", "k", "y".repeat(11)), TOO_LONG);
  assertEquals(s.run("SETRANGE", "k", 95, "y".repeat(6)), TOO_LONG);
  assertEquals(s.run("SETRANGE", "new", "9223372036854775807", "y"), TOO_LONG);
  assertEquals(s.propagated(), []);
  assertEquals(s.run("APPEND", "k", "y".repeat(10)), 100);
  assertEquals(s.run("SETRANGE", "k", 95, "z".repeat(5)), 100);
});

Deno.test("GETRANGE gives the part between its ends", () => {
  const text = "hello world";
  const s = testServer();
  s.run("SET", "k", text);
  s.run("SET", "long", "0123456789".repeat(2000));
  for (let start = -14; start <= 14; start++) {
    for (let end = -14; end <= 14; end++) {
      const from = start < 0 ? Math.max(0, start + text.length) : start;
      const to = end < 0 ? Math.max(0, end + text.length) : end;
      const reversed = start < 0 && end < 0 && start > end;
      const expected = reversed ? "" : text.slice(from, to + 1);
      assertEquals(s.run("GETRANGE", "k", start, end), expected, `${start} ${end}`);
    }
  }
  assertEquals(s.run("SUBSTR", "long", 19999, "9223372036854775807"), "9");
  assertEquals(s.run("GETRANGE", "missing", 0, -1), "");
  for (const bad of ["x", "", "1.0", "9223372036854775808"]) {
    assertEquals(s.run("GETRANGE", "missing", bad, 1), NOT_AN_INTEGER);
    assertEquals(s.run("GETRANGE", "missing", 1, bad), NOT_AN_INTEGER);
  }
});

Deno.test("SETRANGE overwrites, lengthens, and fills a gap with zero bytes", () => {
  const s = testServer();
  s.run("SET", "k", "hello");
  assertEquals(s.run("SETRANGE", "k", 1, "ipp"), 5);
  assertEquals(s.run("GET", "k"), "hippo");
  assertEquals(s.run("SETRANGE", "k", 7, "!"), 8);
  assertEquals(s.run("GET", "k"), "hippo\0\0!");
  // What lay in the chunk before must not show through.
  s.run("SET", "k", "x".repeat(100));
  s.run("SET", "k", "a");
  assertEquals(s.run("SETRANGE", "k", 60, "b"), 61);
  assertEquals(s.run("GET", "k"), "a" + "\0".repeat(59) + "b");
  assertEquals(s.run("SETRANGE", "k", 20000, "c"), 20001);
  assertEquals(s.run("SETRANGE", "k", 40000, "d"), 40001);
  const sum = "a" + "\0".repeat(59) + "b" + "\0".repeat(19939) + "c" + "\0".repeat(19999) + "d";
  assertEquals(s.run("GET", "k"), sum);
  assertEquals(s.run("SETRANGE", "new", 3, "x"), 4);
  assertEquals(s.run("GET", "new"), "\0\0\0x");
});

Deno.test("SETRANGE with an empty value changes nothing and makes no key", () => {
  const s = testServer();
  s.run("SET", "k", "hello");
  s.propagated();
  assertEquals(s.run("SETRANGE", "k", 100, ""), 5);
  assertEquals(s.run("SETRANGE", "missing", 100, ""), 0);
  assertEquals(s.run("GET", "missing"), null);
  assertEquals(s.run("SETRANGE", "k", -1, "x"), { error: "ERR offset is out of range" });
  assertEquals(s.run("SETRANGE", "k", "x", "x"), NOT_AN_INTEGER);
  assertEquals(s.propagated(), []);
});

/** Sets a string, lengthens and overwrites it again and again at chance; checks content and memory each time. */
function growAtChance(s: TestServer, length: number, seed: number): void {
  const random = new Random(seed);
  const model = new Uint8Array(10 * length).fill(97, 0, length);
  s.run("SET", "k", "a".repeat(length));
  const empty = s.keyspace.databases[0].memoryBytes - memoryOf(s);
  while (length < model.length * 0.3) {
    const piece = String.fromCharCode(random.between(98, 122)).repeat(
      random.below(model.length / 20),
    );
    const isAppended = random.chance(0.5);
    const offset = isAppended ? length : random.below(2 * length);
    const answer = isAppended ? s.run("APPEND", "k", piece) : s.run("SETRANGE", "k", offset, piece);
    model.fill(piece.charCodeAt(0), offset, offset + piece.length);
    if (piece !== "") length = Math.max(length, offset + piece.length);
    assertEquals(answer, length);
    assertString(s, model.subarray(0, length));
    const memory = memoryOf(s);
    assert(memory >= length && memory < length + Math.min(length / 2, 1 << 20) + 10_000);
    assertEquals(s.keyspace.databases[0].memoryBytes - memory, empty);
  }
}

function memoryOf(s: TestServer): number {
  return s.run("MEMORY", "USAGE", "k") as number;
}

function assertString(s: TestServer, expected: Uint8Array): void {
  const database = s.keyspace.databases[0];
  const ref = database.findOrExpire(new Uint8Array([107]), 0, 1);
  const bytes = database.locateString(ref);
  const { stringOffset, stringLength } = database;
  assertEquals(stringLength, expected.length);
  assert(equalBytes(bytes, stringOffset, stringLength, expected, 0, expected.length));
}

for (const returnedMin of [0, 33 << 20]) {
  const how = returnedMin === 0 ? "where buffers are resized" : "where unwritten memory is free";
  Deno.test(`APPEND and SETRANGE keep what a growing string holds, and count its memory, ${how}`, () => {
    const taken = blocks.takenBytes;
    for (const [i, length] of [10, 10_000, 100_000, 3 << 20].entries()) {
      const s = testServer();
      blocks.returnedMin = returnedMin;
      growAtChance(s, length, i);
      s.run("DEL", "k");
      s.run("PING");
      assertEquals(blocks.takenBytes, taken, "all is given back");
    }
  });
}
