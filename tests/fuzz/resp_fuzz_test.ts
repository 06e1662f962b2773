/**
 * Drawn bytes for the parser of requests: garbage, damaged requests, requests in random splits,
 * announced counts and lengths without end. Nothing may crash, hang or take memory that was not sent.
 * No sockets here: connections_fuzz_test.ts has them.
 */

import { assert, assertEquals } from "@std/assert";
import { splitWords } from "../../src/config/parse.ts";
import { BROKEN, MORE, RequestParser } from "../../src/resp/parser.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";
import { inputOf, requestOf, wordsOf } from "./drawn_input.ts";

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
