/** Tests of the comparison itself: it must see a difference, and must draw the same calls twice. */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { hasRedisServer } from "../support/real_redis.ts";
import { groupNamed, groups } from "./commands.ts";
import { Generator, tooMuch } from "./generator.ts";
import type { Reply } from "./reply.ts";
import { Pair, sameUnder, Session } from "./session.ts";
import { realServer } from "./support.ts";

function draw(seed: number, group: string): string {
  const generator = new Generator(seed);
  const calls = Array.from({ length: 300 }, () => groupNamed(group).draw(generator)).flat();
  return JSON.stringify(calls);
}

for (const { name } of groups) {
  Deno.test(`a seed draws the same calls of ${name} twice, another seed others`, () => {
    assertEquals(draw(7, name), draw(7, name));
    assertNotEquals(draw(7, name), draw(8, name));
  });
}

Deno.test("every command of a group is drawn", () => {
  for (const group of groups) {
    if (group.name === "transactions") continue;
    const text = new Set<string>();
    const generator = new Generator(1);
    for (let i = 0; i < 6000; i++) {
      for (const { words } of group.draw(generator)) text.add(words[0].toUpperCase());
    }
    for (const { name } of group.specs) {
      assert(text.has(name.split(" ")[0].toUpperCase()), `${group.name} never draws ${name}`);
    }
  }
});

Deno.test("calls that hang on the instant or fill the memory are not sent", () => {
  assert(tooMuch(["EXPIRE", "k", "5"]));
  assert(tooMuch(["set", "k", "v", "px", "100"]));
  assert(tooMuch(["SETRANGE", "k", "500000000", "x"]));
  assert(tooMuch(["SRANDMEMBER", "k", "-100000000"]));
  assert(!tooMuch(["EXPIRE", "k", "-5"]));
  assert(!tooMuch(["SET", "k", "5", "EX", "100000"]));
  assert(!tooMuch(["SRANDMEMBER", "k", "-9223372036854775808"]));
});

function bulks(kind: "array" | "set", ...texts: string[]): Reply {
  return { kind, text: "", items: texts.map((text) => ({ kind: "bulk", text, items: [] })) };
}

Deno.test("ways of comparing accept what they name and nothing else", () => {
  const one = bulks("array", "a", "1", "b", "2");
  assert(!sameUnder("equal", one, bulks("array", "b", "2", "a", "1")));
  assert(sameUnder("pairs", one, bulks("array", "b", "2", "a", "1")));
  assert(!sameUnder("pairs", one, bulks("array", "b", "1", "a", "2")));
  assert(sameUnder("sorted", one, bulks("array", "b", "1", "a", "2")));
  assert(!sameUnder("sorted", one, bulks("set", "b", "1", "a", "2")));
  assert(!sameUnder("shape", one, bulks("array", "a")));
  const ttl = (text: string): Reply => ({ kind: "integer", text, items: [] });
  assert(sameUnder("lifetime", ttl("100000"), ttl("99000")));
  assert(!sameUnder("lifetime", ttl("100000"), ttl("-1")));
  assert(!sameUnder("lifetime", ttl("-2"), ttl("-1")));
  const error: Reply = { kind: "error", text: "ERR one", items: [] };
  assert(!sameUnder("kind", error, { ...error, text: "ERR another" }));
});

Deno.test({
  name: "a session finds the difference between two servers, with the calls that lead there",
  ignore: !hasRedisServer,
  fn: async () => {
    const pair = new Pair(realServer(), realServer(["--hash-max-listpack-entries", "3"]));
    try {
      await pair.start();
      const { differences } = await new Session(pair, groupNamed("hashes"), 5).run(3000);
      assert(differences.length > 0);
      const { calls, real, tested } = differences[0];
      assertEquals([real, tested], ['"listpack"', '"hashtable"']);
      assertEquals(calls[calls.length - 1].words[0].toUpperCase(), "OBJECT");
      assert(calls.length <= 6, `${calls.length} calls are left`);
    } finally {
      await pair.stop();
    }
  },
});

Deno.test({
  name: "two servers of the same version and settings do not differ",
  ignore: !hasRedisServer,
  fn: async () => {
    const pair = new Pair(realServer(), realServer());
    try {
      await pair.start();
      for (const name of ["keys", "sets", "transactions"]) {
        const { differences } = await new Session(pair, groupNamed(name), 3).run(1500);
        assertEquals(differences, []);
      }
    } finally {
      await pair.stop();
    }
  },
});
