import { assert, assertEquals } from "@std/assert";
import { connectionBlocks } from "../../src/base/blocks.ts";
import { splitWords } from "../../src/config/parse.ts";
import { BROKEN, MORE, READY, RequestParser } from "../../src/resp/parser.ts";

/** One request's words as latin1 text, or the error text that ended the parsing. */
type Parsed = string[] | string;

function newParser(bulkBytesMax = 512 << 20): RequestParser {
  return new RequestParser({ bulkBytesMax }, splitWords);
}

/** Feeds latin1 text in pieces that end at `cuts`, parsing after each; gives what was parsed. */
function parse(text: string, cuts: readonly number[] = [], parser = newParser()): Parsed[] {
  const found: Parsed[] = [];
  let at = 0;
  for (const end of [...cuts, text.length]) {
    while (at < end) {
      const space = parser.space();
      const count = Math.min(space.length, end - at);
      for (let i = 0; i < count; i++) space[i] = text.charCodeAt(at + i);
      at += count;
      parser.filled(count);
      for (;;) {
        const outcome = parser.next();
        if (outcome === MORE) break;
        if (outcome === BROKEN) return [...found, parser.errorText];
        found.push(Array.from({ length: parser.words.count }, (_, i) => parser.words.text(i)));
      }
    }
  }
  return found;
}

/** A request as a client library sends it. */
function request(...words: string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

const MIXED = request("SET", "key", "value") + request("") + "SET \"a b\" 'c'\r\n" + "\r\n" +
  "*0\r\n*-1\r\n" + request("MSET", "k".repeat(10), "v".repeat(100), "\r\n", "$3") + "PING\n" +
  request("GET", "\0\xff\r\n*1\r\n");
const MIXED_WORDS = [
  ["SET", "key", "value"],
  [""],
  ["SET", "a b", "c"],
  ["MSET", "k".repeat(10), "v".repeat(100), "\r\n", "$3"],
  ["PING"],
  ["GET", "\0\xff\r\n*1\r\n"],
];

Deno.test("requests of both kinds are parsed out of one read", () => {
  assertEquals(parse(MIXED), MIXED_WORDS);
});

Deno.test("the same bytes give the same words when split in two at every byte", () => {
  for (let cut = 1; cut < MIXED.length; cut++) {
    assertEquals(parse(MIXED, [cut]), MIXED_WORDS, `cut at ${cut}`);
  }
});

Deno.test("the same bytes give the same words when they come one by one", () => {
  const cuts = Array.from({ length: MIXED.length }, (_, i) => i);
  assertEquals(parse(MIXED, cuts), MIXED_WORDS);
});

Deno.test("words survive the buffer growing and moving under them", () => {
  const large = request("SET", "k", "x".repeat(300_000), "y".repeat(70_000), "end");
  const text = request("PING") + large + request("GET", "k");
  const expected = [["PING"], ["SET", "k", "x".repeat(300_000), "y".repeat(70_000), "end"], [
    "GET",
    "k",
  ]];
  for (const cut of [1, 15, 40, 4095, 4096, 4097, 300_050, text.length - 1]) {
    assertEquals(parse(text, [cut]), expected, `cut at ${cut}`);
  }
});

Deno.test("a pipeline that crosses the end of the buffer many times is parsed whole", () => {
  const one = request("SET", "key:000000000001", "v".repeat(37));
  const words = ["SET", "key:000000000001", "v".repeat(37)];
  const parsed = parse(one.repeat(20_000));
  assertEquals(parsed.length, 20_000);
  assert(parsed.every((each) => String(each) === String(words)));
});

Deno.test("after a large request the buffer is small again and goes on", () => {
  const parser = newParser();
  parse(request("SET", "k", "x".repeat(1_000_000)), [], parser);
  assert(parser.bufferBytes >= 1_000_000);
  parser.space();
  assert(parser.bufferBytes <= 65_536, `${parser.bufferBytes} bytes kept`);
  assertEquals(parse(request("GET", "k"), [], parser), [["GET", "k"]]);
});

Deno.test("after a pipeline, small requests give the larger buffer back", () => {
  const parser = newParser();
  parse(request("PING").repeat(50_000), [], parser);
  assert(parser.bufferBytes > 4096);
  for (let i = 0; i < 100; i++) parse(request("PING"), [], parser);
  parser.space();
  assertEquals(parser.bufferBytes, 4096);
});

Deno.test("memory grows with what has arrived, not with what is announced", () => {
  const parser = newParser();
  parse("*2147483647\r\n$536870912\r\nx", [], parser);
  assert(parser.bufferBytes <= 65_536);
  assert(parser.words.starts.length <= 1024);
});

Deno.test("the room for an unusually long request's words is given back", () => {
  const parser = newParser();
  const words = Array.from({ length: 5000 }, (_, i) => String(i));
  assertEquals(parse(request(...words), [], parser), [words]);
  parser.space();
  assert(parser.words.starts.length <= 1024);
  assertEquals(parse(request("a", "b"), [], parser), [["a", "b"]]);
});

Deno.test("pendingBytes counts what has not been answered", () => {
  const parser = newParser();
  parse(request("PING") + "*1\r\n$4\r\nPI", [], parser);
  assertEquals(parser.pendingBytes, 10);
});

Deno.test("hidden words are hidden, the others and the next request are not touched", () => {
  const parser = newParser();
  const text = request("AUTH", "user", "a long password", "x") + request("GET", "key");
  const space = parser.space();
  for (let i = 0; i < text.length; i++) space[i] = text.charCodeAt(i);
  parser.filled(text.length);
  assertEquals(parser.next(), READY);
  parser.words.redact(1, 3);
  const shown = () => Array.from({ length: parser.words.count }, (_, i) => parser.words.text(i));
  assertEquals(shown(), ["AUTH", "(redacted)", "(redacted)", "x"]);
  assertEquals(parser.next(), READY);
  assertEquals(shown(), ["GET", "key"]);
});

const BROKEN_REQUESTS: [text: string, error: string][] = [
  ["*1\r\n+PING\r\n", "expected '$', got '+'"],
  ["*1\r\n$abc\r\n", "invalid bulk length"],
  ["*1\r\n$-1\r\n", "invalid bulk length"],
  ["*1\r\n$536870913\r\n", "invalid bulk length"],
  ["*1\r\n$\r\n", "invalid bulk length"],
  ["*1\r\n$04\r\nPING\r\n", "invalid bulk length"],
  ["*1\r\n$004\r\nPING\r\n", "invalid bulk length"],
  ["*1\r\n$4\nPING\r\n", "invalid bulk length"],
  ["*1\r\n$+4\r\nPING\r\n", "invalid bulk length"],
  ["*1\r\n$ 4\r\nPING\r\n", "invalid bulk length"],
  ["*1\r\n$99999999999999999999\r\n", "invalid bulk length"],
  ["*2147483648\r\n", "invalid multibulk length"],
  ["*\r\n", "invalid multibulk length"],
  ["*-\r\n", "invalid multibulk length"],
  ["*-0\r\n", "invalid multibulk length"],
  ["*01\r\n", "invalid multibulk length"],
  ["*1x\r\n", "invalid multibulk length"],
  ["*99999999999999999999\r\n", "invalid multibulk length"],
  ["*" + "1".repeat(65_600), "too big mbulk count string"],
  ["*1\r\n$" + "1".repeat(65_600), "too big bulk count string"],
  ["A".repeat(65_600), "too big inline request"],
  ['ping "unbalanced\r\n', "unbalanced quotes in request"],
  ["SET k 'a b\r\n", "unbalanced quotes in request"],
];
for (const [text, error] of BROKEN_REQUESTS) {
  const shown = JSON.stringify(text.slice(0, 24));
  Deno.test(`${shown} is refused: ${error}`, () => {
    assertEquals(parse(text), [`Protocol error: ${error}`]);
    assertEquals(parse(request("PING") + text), [["PING"], `Protocol error: ${error}`]);
    if (text.length > 100) return;
    const cuts = Array.from({ length: text.length }, (_, i) => i);
    assertEquals(parse(text, cuts), [`Protocol error: ${error}`], "byte by byte");
  });
}

for (
  const [text, error] of [
    ["*11\r\n", "unauthenticated multibulk length"],
    ["*1\r\n$16385\r\n", "unauthenticated bulk length"],
  ]
) {
  Deno.test(`${JSON.stringify(text)} is too much before authentication only`, () => {
    const parser = newParser();
    parser.isUnauthenticated = true;
    assertEquals(parse(text, [], parser), [`Protocol error: ${error}`]);
    assertEquals(parse(text), []);
  });
}

Deno.test("before authentication ten words of 16384 bytes are let through", () => {
  const parser = newParser();
  parser.isUnauthenticated = true;
  const words = Array.from({ length: 10 }, () => "x".repeat(16_384));
  assertEquals(parse(request(...words), [], parser), [words]);
});

Deno.test("words of one to four digits' length are read wherever the bytes are split", () => {
  for (const length of [0, 1, 9, 10, 11, 99, 100, 101, 512, 999, 1000, 1001]) {
    const text = request("x".repeat(length), "end");
    for (let split = 1; split < 12; split++) {
      assertEquals(parse(text, [split]), [["x".repeat(length), "end"]], `${length} at ${split}`);
    }
  }
});

Deno.test("a length with a leading zero or something else than digits is refused, however short", () => {
  for (const length of ["05", "005", "00", "012", "+5", "1x", "12x", "x", "1 2", "-1", "1-2", ""]) {
    const text = `*1\r\n$${length}\r\nhello world, and more\r\n`;
    assertEquals(parse(text), ["Protocol error: invalid bulk length"], length);
  }
});

Deno.test("the largest bulk string is what the limits say at the time", () => {
  const limits = { bulkBytesMax: 1 << 20 };
  const parser = new RequestParser(limits, splitWords);
  const text = "x".repeat(1 << 20);
  assertEquals(parse(request(text), [], parser), [[text]]);
  limits.bulkBytesMax--;
  assertEquals(parse(request(text), [], parser), [
    "Protocol error: invalid bulk length",
  ]);
});

/** Bytes that are at hand reach the parser, as much at a time as it has room for; it parses all. */
function bring(parser: RequestParser, text: string): void {
  for (let at = 0; at < text.length;) {
    const space = parser.space(text.length - at);
    const count = Math.min(space.length, text.length - at);
    for (let i = 0; i < count; i++) space[i] = text.charCodeAt(at + i);
    parser.filled(count);
    at += count;
    while (parser.next() === READY);
  }
}

Deno.test("where bytes are at hand, an idle client has no buffer, and a busy one Redis's first", () => {
  const parser = newParser();
  assertEquals([parser.bufferBytes, parser.freeBytes], [0, 0]);
  bring(parser, request("PING"));
  assertEquals([parser.bufferBytes, parser.freeBytes], [16_384, 16_384]);
  parser.giveBackUnused(2000);
  assertEquals(parser.freeBytes, 16_384);
  parser.giveBackUnused(2001);
  assertEquals([parser.bufferBytes, parser.freeBytes], [0, 0]);
  bring(parser, request("PING"));
  assertEquals(parser.freeBytes, 16_384);
});

Deno.test("where bytes are at hand, a large buffer goes with its request, and a larger one than needed in time", () => {
  const parser = newParser();
  bring(parser, request("SET", "k", "x".repeat(400_000)));
  assertEquals([parser.bufferBytes, parser.freeBytes], [65_536, 65_536]);
  bring(parser, request("SET", "k", "x".repeat(20_000)));
  parser.giveBackUnused(0);
  assertEquals(parser.freeBytes, 65_536); // it was needed since the look before
  bring(parser, request("SET", "k", "x"));
  parser.giveBackUnused(0);
  assertEquals([parser.bufferBytes, parser.freeBytes], [16_384, 16_384]);
});

Deno.test("where bytes are at hand, room for a word that does not come is given back", () => {
  const parser = newParser();
  const text = request("SET", "k", "x".repeat(1_000_000));
  bring(parser, text.slice(0, 50_000));
  assertEquals(parser.freeBytes, text.length - 50_000);
  parser.giveBackUnused(2000);
  assertEquals(parser.freeBytes, text.length - 50_000);
  parser.giveBackUnused(2001);
  assertEquals(parser.freeBytes, 0);
  bring(parser, text.slice(50_000) + request("PING"));
  assertEquals([parser.next(), parser.words.count], [MORE, 0]);
});

Deno.test("where a read waits in the buffer, it stays, and is small", () => {
  const parser = newParser();
  parser.space();
  parser.giveBackUnused(60_000);
  assertEquals(parser.freeBytes, 4096);
});

Deno.test("RequestParser has the buffer of a read that waits from blocks of connections, and gives it back", () => {
  const before = connectionBlocks.takenBytes;
  const parser = newParser();
  const space = parser.space();
  assertEquals([space.length, connectionBlocks.takenBytes - before], [4096, 4096]);
  space.fill(32);
  parser.filled(4096); // a full buffer is followed by a larger one
  assertEquals([parser.bytes.length, connectionBlocks.takenBytes - before], [16 * 1024, 0]);
});
