/**
 * Drawn bytes as a client's input: garbage, damaged requests, requests in random splits, announced
 * counts and lengths without end. Nothing may crash, hang or take memory that was not sent; whoever
 * sends what is no request loses its own connection only.
 *
 * Not covered: what commands do with their arguments (tests/compat/ draws those).
 */

import { assert, assertEquals } from "@std/assert";
import { splitWords } from "../../src/config/parse.ts";
import { BROKEN, MORE, RequestParser } from "../../src/resp/parser.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { RunningServer } from "../server/running_server.ts";
import { Random } from "../support/random.ts";

const NUMBERS = [
  ...["0", "1", "2", "3", "10", "99", "100", "-1", "-0", "00", "07", "", "+1", " 1", "1 ", "x"],
  ...["65536", "1048576", "2147483647", "2147483648", "536870912", "536870913"],
  ...["9223372036854775807", "9223372036854775808", "18446744073709551616", "1".repeat(40)],
];
const LINES = [
  "PING",
  'ECHO "a',
  "ECHO 'a'",
  "",
  " ",
  "\t",
  'ECHO "\\x0g"',
  "GET\0",
  "*",
  "$",
  "\\",
];

function bytesOf(random: Random, length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) text += String.fromCharCode(random.below(256));
  return text;
}

function wordsOf(random: Random): string[] {
  return Array.from(
    { length: 1 + random.below(5) },
    () => bytesOf(random, random.below(8) === 0 ? random.below(20_000) : random.below(20)),
  );
}

function requestOf(words: readonly string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

/** A run of input, mostly near to what requests look like. */
function inputOf(random: Random): string {
  let text = "";
  for (let parts = 1 + random.below(6); parts > 0; parts--) {
    switch (random.below(6)) {
      case 0:
        text += bytesOf(random, random.below(200));
        break;
      case 1:
        text += `*${random.pick(NUMBERS)}\r\n`;
        break;
      case 2:
        text += `*${1 + random.below(3)}\r\n$${random.pick(NUMBERS)}\r\n${
          bytesOf(random, random.below(9))
        }`;
        break;
      case 3:
        text += random.pick(LINES) + random.pick(["\r\n", "\n", "\r", ""]);
        break;
      default:
        text += requestOf(wordsOf(random));
    }
  }
  // Damage.
  for (let flips = random.below(4); flips > 0 && text.length > 0; flips--) {
    const at = random.below(text.length);
    text = text.slice(0, at) + String.fromCharCode(random.below(256)) +
      text.slice(at + random.below(3));
  }
  return text;
}

/** Parses text that arrives in these pieces; the words of each request, or the error that ended it. */
function parse(text: string, pieceBytes: () => number): (string[] | string)[] {
  const parser = new RequestParser({ bulkBytesMax: 512 << 20 }, splitWords);
  const found: (string[] | string)[] = [];
  for (let at = 0; at < text.length;) {
    const space = parser.space();
    const count = Math.min(space.length, pieceBytes(), text.length - at);
    if (count === 0) throw new Error("the parser gives no room");
    for (let i = 0; i < count; i++) space[i] = text.charCodeAt(at + i);
    parser.filled(count);
    at += count;
    for (let requests = 0;; requests++) {
      // Each request has at least one byte.
      if (requests > text.length) throw new Error("the parser does not move on");
      const outcome = parser.next();
      if (outcome === MORE) break;
      if (outcome === BROKEN) return [...found, parser.errorText];
      found.push(Array.from({ length: parser.words.count }, (_, i) => parser.words.text(i)));
    }
    const allowed = 2 * text.length + 65_536;
    if (parser.bufferBytes > allowed || parser.words.starts.length > allowed) {
      throw new Error(`${parser.bufferBytes} bytes, ${parser.words.starts.length} words of room`);
    }
  }
  return found;
}

Deno.test("drawn input is parsed the same in all splits, within bounded memory", () => {
  const seed = fuzzSeed(20_231);
  const random = new Random(seed);
  const rounds = fuzzRounds(3000);
  let broken = 0;
  let requests = 0;
  for (let round = 0; round < rounds; round++) {
    const text = inputOf(random);
    const context = `seed ${seed}, round ${round}: ${JSON.stringify(text.slice(0, 300))}`;
    try {
      const whole = parse(text, () => Infinity);
      assertEquals(parse(text, () => 1 + random.below(7)), whole, context);
      assertEquals(parse(text, () => 1 + random.below(5000)), whole, context);
      if (typeof whole.at(-1) === "string") broken++;
      requests += whole.length;
    } catch (error) {
      throw new Error(context, { cause: error });
    }
  }
  assert(broken > rounds / 10 && requests > rounds, `${broken} broken, ${requests} requests`);
});

Deno.test("drawn requests come out of the parser as they were sent", () => {
  const seed = fuzzSeed(977);
  const random = new Random(seed);
  for (let round = fuzzRounds(500); round > 0; round--) {
    const sent = Array.from({ length: 1 + random.below(20) }, () => wordsOf(random));
    const text = sent.map(requestOf).join("");
    assertEquals(
      parse(text, () => 1 + random.below(3000)),
      sent,
      `seed ${seed}, ${round} rounds to go`,
    );
  }
});

Deno.test("connections that send drawn input end alone; the server goes on", async () => {
  const seed = fuzzSeed(5);
  const random = new Random(seed);
  await using s = await RunningServer.start();
  using witness = await s.connect();
  await witness.call("SET", "witness", "here");
  const rounds = fuzzRounds(300);
  for (let round = 0; round < rounds; round++) {
    const context = `seed ${seed}, round ${round}`;
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: s.port });
    try {
      const input = Uint8Array.from(inputOf(random), (c) => c.charCodeAt(0));
      for (let at = 0; at < input.length;) {
        const end = Math.min(input.length, at + 1 + random.below(3000));
        while (at < end) at += await conn.write(input.subarray(at, end));
      }
      if (random.below(2) === 0) await conn.closeWrite();
    } catch {
      // The server has closed already.
    }
    conn.close();
    if (round % 20 === 0) {
      assertEquals(await witness.call("GET", "witness"), { kind: "bulk", text: "here" }, context);
    }
  }
  assertEquals(s.server.statistics.unexpectedErrors, 0);
  assert(!s.hasLogged("Cannot serve client"), s.logLines.join(""));
});
