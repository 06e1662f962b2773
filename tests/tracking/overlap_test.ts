import { assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { findOverlap } from "../../src/tracking/overlap.ts";
import { Random } from "../support/random.ts";

type Found = [given: string, other: string, isExisting: boolean] | null;

function found(given: string[], existing: string[]): Found {
  const overlap = findOverlap(given.map(latin1), existing.map(latin1));
  if (overlap === null) return null;
  return [toLatin1(overlap.given), toLatin1(overlap.other), overlap.isExisting];
}

/** Each with each, in the order in which Redis looks. */
function expected(given: string[], existing: string[]): Found {
  const overlaps = (a: string, b: string) => a.startsWith(b) || b.startsWith(a);
  for (const [i, prefix] of given.entries()) {
    for (const old of [...existing].sort()) if (overlaps(prefix, old)) return [prefix, old, true];
    for (const other of given.slice(i + 1)) {
      if (overlaps(prefix, other)) return [prefix, other, false];
    }
  }
  return null;
}

Deno.test("the first prefix that overlaps is found, and with which", () => {
  assertEquals(found([], []), null);
  assertEquals(found(["a", "b"], ["c"]), null);
  assertEquals(found(["FOOBAR", "FOO"], []), ["FOOBAR", "FOO", false]);
  assertEquals(found(["x", "foo", "fo"], []), ["foo", "fo", false]);
  assertEquals(found(["x", "fo"], ["foo", "foa"]), ["fo", "foa", true]);
  assertEquals(found(["a", "a"], []), ["a", "a", false]);
  assertEquals(found(["a", ""], []), ["a", "", false]);
  assertEquals(found(["ac"], ["a", "ab"]), ["ac", "a", true]);
  assertEquals(found(["x"], ["a", "ab"]), null);
});

Deno.test("overlaps of prefixes agree with looking at each with each", () => {
  const random = new Random(11);
  const word = () =>
    Array.from({ length: random.below(5) }, () => random.pick(["a", "b", "\xff"])).join("");
  for (let i = 0; i < 3_000; i++) {
    const given = Array.from({ length: random.below(6) }, word);
    const existing = [...new Set(Array.from({ length: random.below(5) }, word))];
    assertEquals(
      found(given, existing),
      expected(given, existing),
      JSON.stringify({ given, existing }),
    );
  }
});
