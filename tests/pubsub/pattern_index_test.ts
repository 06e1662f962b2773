import { assertEquals } from "@std/assert";
import { Holder, Links } from "../../src/arena/links.ts";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { globMatch } from "../../src/base/glob.ts";
import {
  literalPrefixLength,
  PATTERN_BYTES,
  PatternIndex,
} from "../../src/pubsub/pattern_index.ts";
import { Random } from "../support/random.ts";

/** Patterns, and what listens to them, as the hub has both. */
class Patterns {
  readonly links: Links<null> = new Links((tag) => this.index.remove(tag));
  readonly index = new PatternIndex(this.links);
  readonly holder = new Holder(null);
  #renewals = 0;

  add(pattern: string): void {
    const bytes = latin1(pattern);
    this.index.add(this.links.nameOf(this.links.link(this.holder, bytes, 0, bytes.length)));
  }

  remove(pattern: string): void {
    const bytes = latin1(pattern);
    const { links } = this;
    links.unlink(links.linkOf(this.holder, links.find(bytes, 0, bytes.length)));
    if (links.renewals === this.#renewals) return;
    this.#renewals = links.renewals;
    this.index.renumber();
  }

  /** Those that match, in the order in which they are found. */
  found(channel: string): string[] {
    const names: number[] = [];
    this.index.match(latin1(`<${channel}>`), 1, channel.length, names);
    return names.map((name) => toLatin1(this.links.copyOf(name)));
  }
}

for (
  const [pattern, length] of [
    ["", 0],
    ["*", 0],
    ["news", 4],
    ["news.*", 5],
    ["n?", 1],
    ["n[ab]", 1],
    ["n\\*", 1],
  ] as const
) {
  Deno.test(`the literal prefix of "${pattern}" has ${length} bytes`, () => {
    assertEquals(literalPrefixLength(latin1(`*${pattern}x`), 1, pattern.length), length);
  });
}

Deno.test("the index finds what trying each pattern finds, while patterns come and go", () => {
  const filed = new Patterns();
  const patterns: string[] = [];
  const random = new Random(11);
  const drawText = (alphabet: string[], lengthMax: number) => {
    let text = "";
    for (let left = random.below(lengthMax + 1); left > 0; left--) {
      text += alphabet[random.below(alphabet.length)];
    }
    return text;
  };
  const parts = ["a", "b", "a", "b", "\0", "*", "?", "[ab]", "[^a]", "\\a", "\\*", "[", "\\"];
  let matches = 0;
  for (let i = 0; i < 4000; i++) {
    if (patterns.length > 100 || (patterns.length > 0 && random.below(3) === 0)) {
      const [pattern] = patterns.splice(random.below(patterns.length), 1);
      filed.remove(pattern);
    } else {
      const pattern = drawText(parts, 6);
      if (patterns.includes(pattern)) continue;
      patterns.push(pattern);
      filed.add(pattern);
    }
    const channel = drawText(["a", "b", "\0", "*", "\\", "["], 6);
    const bytes = latin1(channel);
    const expected = patterns.filter((pattern) =>
      globMatch(latin1(pattern), 0, pattern.length, bytes, 0, bytes.length, false)
    );
    matches += expected.length;
    assertEquals(filed.found(channel), expected, JSON.stringify(channel));
  }
  assertEquals(matches > 1000, true);
});

Deno.test("patterns with equal prefixes and different ends are told apart", () => {
  const patterns = new Patterns();
  for (let i = 0; i < 100; i++) patterns.add(`user:*:event${i}`);
  patterns.add("user:*");
  assertEquals(patterns.found("user:7:event42"), ["user:*:event42", "user:*"]);
  assertEquals(patterns.found("user:event42"), ["user:*"]);
});

Deno.test("a long prefix costs no more than its bytes, and those of each length are looked for", () => {
  const patterns = new Patterns();
  const long = "x".repeat(3_000_000);
  const before = patterns.index.memoryBytes;
  for (const pattern of [`${long}*`, "x*", "xx?", "*"]) patterns.add(pattern);
  assertEquals(patterns.index.memoryBytes - before <= 4 * PATTERN_BYTES, true);
  assertEquals(patterns.found(long), [`${long}*`, "x*", "*"]);
  assertEquals(patterns.found("xxx"), ["x*", "xx?", "*"]);
  patterns.remove("x*");
  assertEquals(patterns.found("xxx"), ["xx?", "*"]);
});

Deno.test("patterns keep their order, and give memory back, when few of many are left", () => {
  const patterns = new Patterns();
  for (let i = 0; i < 40_000; i++) patterns.add(`${i % 7}:*${i}`);
  const before = patterns.index.memoryBytes;
  patterns.add("0:*");
  patterns.add("*");
  for (let i = 40_000; --i >= 3;) patterns.remove(`${i % 7}:*${i}`);
  assertEquals(patterns.links.renewals > 0, true);
  assertEquals(patterns.index.memoryBytes < before / 4, true);
  assertEquals(patterns.found("0:0"), ["0:*0", "0:*", "*"]);
  patterns.add("0*");
  assertEquals(patterns.found("0:0"), ["0:*0", "0:*", "*", "0*"]);
});
