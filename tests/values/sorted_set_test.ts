/**
 * SortedSet against a Map and a sorted array, from seeds: adds, score changes, removals, pops,
 * ranges by rank, score and member, draws, with records moved by compaction in between.
 * Not covered: sets beyond a few ten thousand members (see bench/sorted_set.bench.ts).
 */

import { assert, assertEquals } from "@std/assert";
import type { Dict } from "../../src/arena/dict.ts";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { OrderedCursor } from "../../src/values/ordered_index.ts";
import { SortedSet } from "../../src/values/sorted_set.ts";
import { Random } from "../support/random.ts";

type Pair = [member: string, score: number];

function byOrder(a: Pair, b: Pair): number {
  if (a[1] !== b[1]) return a[1] - b[1];
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}

function memberOf(set: SortedSet, ref: number): string {
  const { dict } = set;
  return toLatin1(dict.bytesOf(ref), dict.keyOffset(ref), dict.keyLength(ref));
}

function find(set: SortedSet, member: string): number {
  const bytes = latin1("  " + member);
  return set.find(bytes, 2, member.length);
}

function put(set: SortedSet, member: string, score: number): void {
  const ref = find(set, member);
  if (ref !== 0) set.setScore(ref, score);
  else {
    const bytes = latin1("  " + member);
    set.add(bytes, 2, member.length, score);
  }
}

const cursor = new OrderedCursor();

/** The whole set against the whole model. */
function check(set: SortedSet, model: Map<string, number>, draw: () => number): void {
  set.index.verify();
  assertEquals(set.count, model.size);
  assertEquals(set.dict.count, model.size);
  const sorted = [...model].sort(byOrder);
  let rank = 0;
  for (let on = set.index.first(cursor); on; on = set.index.next(cursor)) {
    const [member, score] = sorted[rank];
    // Plain comparisons: an assertion per member would take most of the test's time.
    if (
      memberOf(set, cursor.ref) !== member || cursor.score !== score ||
      set.scoreOf(cursor.ref) !== score
    ) assertEquals([memberOf(set, cursor.ref), cursor.score, rank], [member, score, rank]);
    rank++;
  }
  assertEquals(rank, sorted.length);
  for (let i = 0; i < 200 && sorted.length > 0; i++) {
    const at = Math.floor(draw() * sorted.length);
    const [member, score] = sorted[at];
    const ref = find(set, member);
    assertEquals(set.rankOf(ref), at);
    assert(set.index.at(cursor, at));
    assertEquals(cursor.ref, ref);
    const boundary = draw() < 0.5 ? score : score + draw() - 0.5;
    assertEquals(
      set.index.countBelowScore(boundary, false),
      sorted.filter((pair) => pair[1] < boundary).length,
    );
    assertEquals(
      set.index.countBelowScore(boundary, true),
      sorted.filter((pair) => pair[1] <= boundary).length,
    );
  }
}

function drawMember(draw: () => number, span: number): string {
  const n = Math.floor(draw() * span);
  // Long and short members of one stem, with bytes above 127.
  return n % 5 === 0 ? "\xe9" + n : n % 7 === 0 ? "k" + "x".repeat(n % 90) + n : "key:" + n;
}

const scoreKinds: [string, (draw: () => number) => number][] = [
  ["equal scores", () => 0],
  ["few scores", (draw) => Math.floor(draw() * 5) - 2],
  ["many scores", (draw) => draw() * 2e6 - 1e6],
  [
    "growing scores",
    (() => {
      let last = 0;
      return (draw) => last += Math.floor(draw() * 3);
    })(),
  ],
];
scoreKinds.forEach(([kind, drawScore], at) => {
  for (const span of [60, 12_000]) {
    const seed = at * 100 + span;
    Deno.test(`SortedSet agrees with a model over random changes (${kind}, seed ${seed})`, () => {
      const draw = new Random(seed).draw;
      const set = new SortedSet();
      const model = new Map<string, number>();
      for (let step = 0; step < 40_000; step++) {
        const growing = Math.floor(step / 10_000) % 2 === 0;
        const kind = draw();
        const member = drawMember(draw, span);
        if (kind < (growing ? 0.75 : 0.2)) {
          const score = drawScore(draw);
          put(set, member, score);
          model.set(member, score);
        } else if (kind < 0.9 || set.count === 0) {
          const ref = find(set, member);
          assertEquals(ref !== 0, model.delete(member));
          if (ref !== 0) set.remove(ref);
        } else if (kind < 0.97) {
          const isFirst = draw() < 0.5;
          if (isFirst) set.index.first(cursor);
          else set.index.last(cursor);
          model.delete(memberOf(set, cursor.ref));
          if (isFirst) set.removeFirst();
          else set.removeLast();
        } else if (kind < 0.972) {
          const rank = Math.floor(draw() * set.count);
          const count = Math.floor(draw() * Math.min(200, set.count - rank + 1));
          set.index.at(cursor, rank);
          for (let i = 0; i < count; i++) {
            model.delete(memberOf(set, cursor.ref));
            set.index.next(cursor);
          }
          set.removeRange(rank, count);
        }
        if (draw() < 0.05) set.dict.compactStep(50);
        if (step % 4000 === 3999) check(set, model, draw);
      }
      while (set.dict.compactStep(100));
      check(set, model, draw);
    });
  }
});

Deno.test("Compaction moves records and the index follows", () => {
  for (const score of [() => 7, new Random(5).draw]) {
    const set = new SortedSet();
    const model = new Map<string, number>();
    const draw = new Random(6).draw;
    for (let i = 0; i < 60_000; i++) {
      const member = "a member of some length " + i;
      const s = score();
      put(set, member, s);
      model.set(member, s);
    }
    for (let i = 0; i < 60_000; i++) {
      if (i % 10 === 3) continue;
      const member = "a member of some length " + i;
      set.remove(find(set, member));
      model.delete(member);
    }
    let moves = 0;
    set.dict.listener = {
      recordMoved(oldRef, newRef) {
        moves++;
        set.recordMoved(oldRef, newRef);
      },
    };
    let steps = 0;
    while (set.dict.compactStep(200)) if (++steps % 20 === 0) set.index.verify();
    assert(moves > 1000, `only ${moves} records were moved`);
    check(set, model, draw);
  }
});

for (const last of [false, true]) {
  Deno.test(`a large set taken apart from its ${last ? "end" : "start"} gives all in order`, () => {
    const set = new SortedSet();
    const model: Pair[] = [];
    for (let i = 0; i < 45_000; i++) {
      const pair: Pair = [`m:${i}`, Math.imul(i, 0x9e3779b1) >>> 16];
      model.push(pair);
      put(set, ...pair);
    }
    model.sort(byOrder);
    if (last) model.reverse();
    for (const [member, score] of model) {
      if (last) set.index.last(cursor);
      else set.index.first(cursor);
      if (memberOf(set, cursor.ref) !== member || cursor.score !== score) {
        assertEquals([memberOf(set, cursor.ref), cursor.score], [member, score]);
      }
      if (last) set.removeLast();
      else set.removeFirst();
      set.dict.compactStep(4);
      if (set.count % 5_000 === 0) set.index.verify();
    }
    assertEquals([set.count, set.dict.count], [0, 0]);
  });
}

Deno.test("Member ranges agree with a sorted array when all scores are equal", () => {
  const draw = new Random(11).draw;
  const set = new SortedSet();
  const members = new Set<string>();
  for (let i = 0; i < 5000; i++) members.add(drawMember(draw, 20_000));
  for (const member of members) put(set, member, -1.5);
  const sorted = [...members].sort();
  for (let i = 0; i < 500; i++) {
    let member = drawMember(draw, 20_000);
    if (i % 3 === 0) member = member.slice(0, Math.floor(draw() * member.length));
    if (i % 5 === 0) member += "\0";
    const bytes = latin1("#" + member);
    for (const inclusive of [false, true]) {
      assertEquals(
        set.index.countBelowMember(bytes, 1, member.length, inclusive),
        sorted.filter((m) => m < member || (inclusive && m === member)).length,
        `${member} ${inclusive}`,
      );
    }
  }
});

for (const direction of [1, -1]) {
  Deno.test(`addOrdered loads ${direction > 0 ? "ascending" : "descending"} members`, () => {
    const set = new SortedSet();
    const model = new Map<string, number>();
    const count = 20_000;
    set.reserve(count);
    for (let i = 0; i < count; i++) {
      const n = direction > 0 ? i : count - i;
      const member = latin1("member:" + String(n).padStart(8, "0"));
      set.addOrdered(member, 0, member.length, n >> 3);
      model.set(toLatin1(member), n >> 3);
    }
    check(set, model, new Random(3).draw);
  });
}

Deno.test("setScore and removals show the record to the snapshot hook before it changes", () => {
  const set = new SortedSet();
  for (let i = 0; i < 200; i++) put(set, "m" + i, i);
  const seen: [string, number][] = [];
  set.dict.hook = {
    beforeRecordWrite(_dict: Dict, ref: number) {
      seen.push([memberOf(set, ref), set.scoreOf(ref)]);
    },
  };
  put(set, "m5", 500);
  set.remove(find(set, "m6"));
  set.removeFirst();
  set.removeRange(1, 2);
  assertEquals(seen, [["m5", 5], ["m6", 6], ["m0", 0], ["m2", 2], ["m3", 3]]);
});

Deno.test("random draws every member and only members", () => {
  const set = new SortedSet();
  assertEquals(set.random(new Random(1).draw), 0);
  for (let i = 0; i < 50; i++) put(set, "m" + i, i);
  const draw = new Random(2).draw;
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) seen.add(memberOf(set, set.random(draw)));
  assertEquals(seen.size, 50);
});

Deno.test("memoryBytes of 20,000 members of 16 bytes stays below 90 bytes a member", () => {
  const set = new SortedSet();
  const draw = new Random(8).draw;
  for (let i = 0; i < 20_000; i++) {
    put(set, "m" + String(Math.floor(draw() * 1e15)).padStart(15, "0"), draw());
  }
  assert(set.memoryBytes / set.count < 90, `${set.memoryBytes / set.count}`);
  set.removeRange(0, set.count);
  // The hash table shrinks in steps, with the calls that follow.
  assert(set.index.memoryBytes < 2048);
});

Deno.test("a clone has the same elements and goes its own way", () => {
  const draw = new Random(5).draw;
  const set = new SortedSet();
  const model = new Map<string, number>();
  for (let i = 0; i < 3000; i++) {
    const member = `m${Math.floor(draw() * 2000)}`;
    const score = Math.floor(draw() * 100);
    put(set, member, score);
    model.set(member, score);
  }
  const copy = set.clone();
  check(copy, model, draw);
  for (let i = 0; i < 500; i++) copy.removeFirst();
  put(copy, "only here", 1);
  check(set, model, draw);
  assertEquals(copy.count, set.count - 499);
});

Deno.test("records added without a place are ordered at once", () => {
  const draw = new Random(6).draw;
  const set = new SortedSet();
  const model = new Map<string, number>();
  for (let i = 0; i < 3000; i++) {
    const member = `m${Math.floor(draw() * 2000)}`;
    const score = Math.floor(draw() * 50);
    const ref = find(set, member);
    if (ref !== 0) set.setPendingScore(ref, score);
    else {
      const bytes = latin1(member);
      set.addPending(bytes, 0, bytes.length, score);
    }
    model.set(member, score);
  }
  set.orderAll();
  check(set, model, draw);
  put(set, "later", 3);
  model.set("later", 3);
  check(set, model, draw);
});
