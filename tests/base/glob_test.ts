import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { globMatch } from "../../src/base/glob.ts";
import { Random } from "../support/random.ts";

function matches(pattern: string, text: string, nocase = false): boolean {
  // Neighbours that would change the answer if the match looked past either end.
  const p = latin1("*" + pattern + "]*");
  const s = latin1("a" + text + "a");
  return globMatch(p, 1, pattern.length, s, 1, text.length, nocase);
}

// What KEYS of redis-server 7.0.15 answers over the keys named here.
const KEYS = ["", "a", "*", "[", "]", "ab", "a\\", "A", "-", "^"];
const ANSWERS: [pattern: string, matching: string[]][] = [
  ["", [""]],
  ["**", ["a", "*", "[", "]", "ab", "a\\", "A", "-", "^"]],
  ["?", ["a", "*", "[", "]", "A", "-", "^"]],
  ["[", []],
  ["[^", ["a", "*", "[", "]", "A", "-", "^"]],
  ["[]", []],
  ["[^]", ["a", "*", "[", "]", "A", "-", "^"]],
  ["[]a]", []],
  ["[^a", ["*", "[", "]", "A", "-", "^"]],
  ["\\", []],
  ["a\\", ["a\\"]],
  ["\\a", ["a"]],
  ["[\\a]", ["a"]],
  ["[a-", ["a", "-"]],
  ["[-a]", ["a", "-"]],
  ["[a-]", ["a", "]", "^"]],
  ["[z-a]", ["a"]],
  ["a**", ["a", "ab", "a\\"]],
  ["[a-\\]]", []],
  ["[^\\", ["a", "*", "[", "]", "A", "-", "^"]],
  ["[\\]]", ["]"]],
  ["[\\]", ["]"]],
  ["a[^]*", ["ab", "a\\"]],
  ["[a^]", ["a", "^"]],
  ["[A-a]", ["a", "[", "]", "A", "^"]],
  ["\\*", ["*"]],
];
for (const [pattern, expected] of ANSWERS) {
  Deno.test(`globMatch answers for the pattern ${JSON.stringify(pattern)} as a real server`, () => {
    assertEquals(KEYS.filter((key) => matches(pattern, key)), expected);
  });
}

Deno.test("globMatch lets a star take back what it had left to the rest", () => {
  assert(matches("a*ab", "aaab"));
  assert(matches("*a*b*c", "xxaxxbxxbc"));
  assert(matches("h*llo", "hllo"));
  assert(!matches("*a*b*c", "xxbxxaxxbcx"));
  assert(!matches("a*b", "a"));
  assert(matches("user:[0-9]*:name?", "user:12:x:names"));
});

Deno.test("globMatch folds case on request, but not behind a backslash in a class", () => {
  assert(!matches("ABC", "abc"));
  assert(matches("ABC", "abc", true));
  assert(matches("a\\Bc", "AbC", true));
  assert(matches("[A-C]x", "bX", true));
  assert(!matches("[\\B]", "b", true));
  assert(!matches("\xc4", "\xe4", true), "only ASCII letters fold");
});

Deno.test("globMatch takes any byte, zero and above 127 too", () => {
  assert(matches("\0*\xff", "\0\x80\xff"));
  assert(matches("[\x80-\xff]", "\xc3"));
  assert(!matches("[\x80-\xff]", "\x7f"));
});

Deno.test("globMatch needs no exponential work for many stars", () => {
  // Trying every split of the text over 60 stars would not end in the life of the machine.
  assert(!matches("a*".repeat(60) + "b", "a".repeat(5_000)));
  assert(!matches("*?".repeat(200) + "[^a]", "a".repeat(3_000)));
});

/** The definition spelt out: every split tried. Only for short inputs. */
function naive(p: string[], s: string): boolean {
  if (p.length === 0) return s === "";
  if (p[0] === "*") {
    for (let taken = 0; taken <= s.length; taken++) {
      if (naive(p.slice(1), s.slice(taken))) return true;
    }
    return false;
  }
  if (s === "") return false;
  if (p[0] !== "?" && !(p[0] === "[ab]" ? "ab" : p[0]).includes(s[0])) return false;
  return naive(p.slice(1), s.slice(1));
}

Deno.test("globMatch agrees with trying every split, on drawn patterns and texts", () => {
  const random = new Random(20_240_607);
  let hits = 0;
  for (let i = 0; i < 20_000; i++) {
    const elements = Array.from(
      { length: random.below(7) },
      () => ["*", "?", "a", "b", "[ab]"][random.below(5)],
    );
    const text = Array.from({ length: 1 + random.below(7) }, () => "abc"[random.below(3)]).join("");
    const expected = naive(elements, text);
    if (expected) hits++;
    assertEquals(matches(elements.join(""), text), expected, `${elements.join("")} on ${text}`);
  }
  assert(hits > 2_000, "the draw reaches matching cases");
});
