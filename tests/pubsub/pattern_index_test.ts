import { assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { globMatch } from "../../src/base/glob.ts";
import { literalPrefixLength, PatternIndex } from "../../src/pubsub/pattern_index.ts";
import { Random } from "../support/random.ts";

class Pattern {
  readonly name: Uint8Array;
  constructor(readonly text: string) {
    this.name = latin1(text);
  }
}

function found(index: PatternIndex<Pattern>, channel: string): string[] {
  const patterns: Pattern[] = [];
  index.match(latin1(`<${channel}>`), 1, channel.length, patterns);
  return patterns.map(({ text }) => text).sort();
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
    assertEquals(literalPrefixLength(latin1(pattern)), length);
  });
}

Deno.test("the index finds what trying each pattern finds, while patterns come and go", () => {
  const index = new PatternIndex<Pattern>();
  const patterns: Pattern[] = [];
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
      index.remove(pattern);
    } else {
      const pattern = new Pattern(drawText(parts, 6));
      if (patterns.some(({ text }) => text === pattern.text)) continue;
      patterns.push(pattern);
      index.add(pattern);
    }
    const channel = drawText(["a", "b", "\0", "*", "\\", "["], 6);
    const bytes = latin1(channel);
    const expected = patterns.filter(({ name }) =>
      globMatch(name, 0, name.length, bytes, 0, bytes.length, false)
    );
    matches += expected.length;
    const texts = expected.map(({ text }) => text).sort();
    assertEquals(found(index, channel), texts, JSON.stringify(toLatin1(bytes)));
  }
  assertEquals(matches > 1000, true);
});

Deno.test("patterns with equal prefixes and different ends are told apart", () => {
  const index = new PatternIndex<Pattern>();
  for (let i = 0; i < 100; i++) index.add(new Pattern(`user:*:event${i}`));
  index.add(new Pattern("user:*"));
  assertEquals(found(index, "user:7:event42"), ["user:*", "user:*:event42"]);
  assertEquals(found(index, "user:event42"), ["user:*"]);
});
