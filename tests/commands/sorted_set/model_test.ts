/**
 * Sorted sets against a Map and a sorted array, from seeds, while they grow from small to large: what
 * changes them, ranges of all kinds in both directions, ranks, counts. Also over a hash of the final
 * content when converted back through *STORE. Not covered: the words of requests (see the other files).
 */

import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";
import { encodingOf } from "./support.ts";
import { Random } from "../../support/random.ts";

type Pair = [member: string, score: number];

function sorted(model: Map<string, number>): Pair[] {
  return [...model].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
}

const flat = (pairs: Pair[]) => pairs.flatMap(([member, score]) => [member, String(score)]);

function play(seed: number, options: { members: number; scores: number; steps: number }): void {
  const random = new Random(seed);
  const s = testServer({ seed });
  s.keyspace.limits.zsetMaxListpackEntries = 40;
  const model = new Map<string, number>();
  const name = () => {
    const n = random.below(options.members);
    return n % 3 === 0 ? String(n) : n % 3 === 1 ? `m${n}` : "x".repeat(n % 50) + n;
  };
  const scoreOf = () => random.below(options.scores) / (random.below(2) + 1);
  for (let step = 0; step < options.steps; step++) {
    const what = `seed ${seed} step ${step}`;
    const order = sorted(model);
    const [low, high] = [scoreOf(), scoreOf()];
    const [first, last] = [random.below(60) - 20, random.below(60) - 20];
    const member = name();
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const pairs: Pair[] = Array.from(
          { length: 1 + random.below(4) },
          () => [name(), scoreOf()],
        );
        const added = new Set(pairs.map(([each]) => each).filter((each) => !model.has(each))).size;
        assertEquals(s.run("ZADD", "z", ...pairs.flatMap(([m, n]) => [n, m])), added, what);
        for (const [each, score] of pairs) model.set(each, score);
        break;
      }
      case 4:
        assertEquals(s.run("ZREM", "z", member), model.delete(member) ? 1 : 0, what);
        break;
      case 5: {
        const highest = random.below(2) === 1;
        const popped = (highest ? order.toReversed() : order).slice(0, 2);
        assertEquals(s.run(highest ? "ZPOPMAX" : "ZPOPMIN", "z", 2), flat(popped), what);
        for (const [each] of popped) model.delete(each);
        break;
      }
      case 6: {
        const inside = order.filter(([, score]) => score >= low && score < high);
        assertEquals(s.run("ZCOUNT", "z", low, `(${high}`), inside.length, what);
        const offset = random.below(random.below(2) === 0 ? 4 : 120);
        const most = [-1, 0, 3, 150][random.below(4)];
        const limit = ["LIMIT", offset, most];
        const part = (walked: Pair[]) =>
          flat(walked.slice(offset, most < 0 ? undefined : offset + most));
        assertEquals(
          s.run("ZRANGEBYSCORE", "z", low, `(${high}`, "WITHSCORES", ...limit),
          part(inside),
          what,
        );
        assertEquals(
          s.run("ZRANGE", "z", `(${high}`, low, "BYSCORE", "REV", ...limit, "WITHSCORES"),
          part(inside.toReversed()),
          what,
        );
        break;
      }
      case 7: {
        const from = first < 0 ? Math.max(0, order.length + first) : first;
        const to = last < 0 ? order.length + last : last;
        const reversed = order.toReversed().slice(from, Math.max(0, to + 1));
        const straight = order.slice(from, Math.max(0, to + 1));
        assertEquals(s.run("ZRANGE", "z", first, last, "WITHSCORES"), flat(straight), what);
        assertEquals(s.run("ZREVRANGE", "z", first, last, "WITHSCORES"), flat(reversed), what);
        break;
      }
      case 8: {
        const rank = order.findIndex(([each]) => each === member);
        const score = model.get(member);
        assertEquals(s.run("ZRANK", "z", member), rank < 0 ? null : rank, what);
        assertEquals(
          s.run("ZREVRANK", "z", member, "WITHSCORE"),
          rank < 0 ? null : [order.length - 1 - rank, String(score)],
          what,
        );
        assertEquals(s.run("ZMSCORE", "z", member), [score === undefined ? null : String(score)]);
        break;
      }
      case 9: {
        if (random.below(4) > 0) break;
        const inside = order.filter(([, score]) => score > low && score <= high);
        assertEquals(s.run("ZREMRANGEBYSCORE", "z", `(${low}`, high), inside.length, what);
        for (const [each] of inside) model.delete(each);
        break;
      }
      case 10: {
        const from = random.below(Math.max(1, order.length));
        const inside = order.slice(from, from + 3);
        assertEquals(s.run("ZREMRANGEBYRANK", "z", from, from + 2), inside.length, what);
        for (const [each] of inside) model.delete(each);
        break;
      }
      case 11: {
        const increment = random.below(9) - 4;
        const score = (model.get(member) ?? 0) + increment;
        assertEquals(s.run("ZINCRBY", "z", increment, member), String(score), what);
        model.set(member, score);
        break;
      }
    }
  }
  const expected = flat(sorted(model));
  assertEquals(s.run("ZRANGE", "z", 0, -1, "WITHSCORES"), expected);
  assertEquals(s.run("ZUNIONSTORE", "copy", 1, "z"), model.size);
  assertEquals(s.run("ZRANGE", "copy", 0, -1, "WITHSCORES"), expected);
  assertEquals(s.run("ZRANGESTORE", "part", "z", 0, 39), Math.min(40, model.size));
  assertEquals(encodingOf(s, "part"), "listpack");
  assertEquals(s.run("ZRANGE", "part", 0, -1, "WITHSCORES"), expected.slice(0, 80));
}

for (const seed of [1, 2, 3, 4]) {
  Deno.test(`a sorted set is what its changes make of it, small ones, seed ${seed}`, () => {
    play(seed, { members: 30, scores: 10, steps: 1500 });
  });
  Deno.test(`a sorted set is what its changes make of it, large ones, seed ${seed}`, () => {
    play(seed, { members: 400, scores: 50, steps: 1500 });
  });
}

for (const [count, largest] of [[20, 40], [300, 0], [3000, 0]]) {
  Deno.test(`BYLEX ranges of ${count} members are those of a sorted array`, () => {
    const random = new Random(count);
    const s = testServer();
    s.keyspace.limits.zsetMaxListpackEntries = largest;
    const name = () => "m".repeat(random.below(3)) + random.below(count * 3).toString(36);
    const names = new Set(Array.from({ length: count }, name));
    for (const member of names) s.run("ZADD", "z", 1, member);
    const order = [...names].sort();
    const bound = () => ["-", "+", `[${name()}`, `(${name()}`, `[${name()}`][random.below(5)];
    const isAbove = (member: string, min: string) =>
      min === "-" ||
      (min !== "+" && (member > min.slice(1) || min[0] === "[" && member === min.slice(1)));
    const isBelow = (member: string, max: string) =>
      max === "+" ||
      (max !== "-" && (member < max.slice(1) || max[0] === "[" && member === max.slice(1)));
    for (let step = 0; step < 600; step++) {
      const [min, max] = [bound(), bound()];
      const offset = random.below(random.below(2) === 0 ? 3 : 100);
      const most = [-1, 0, 10, 150][random.below(4)];
      const what = `${min} ${max} LIMIT ${offset} ${most}`;
      const inside = order.filter((member) => isAbove(member, min) && isBelow(member, max));
      const end = most < 0 ? undefined : offset + most;
      assertEquals(s.run("ZLEXCOUNT", "z", min, max), inside.length, what);
      assertEquals(
        s.run("ZRANGEBYLEX", "z", min, max, "LIMIT", offset, most),
        inside.slice(offset, end),
        what,
      );
      assertEquals(
        s.run("ZREVRANGEBYLEX", "z", max, min, "LIMIT", offset, most),
        inside.toReversed().slice(offset, end),
        what,
      );
    }
  });
}
