/**
 * OrderedIndex through its edges: duplicates of a score, ends, splits and merges, ranges by score
 * and by member, moved records. Random histories are in sorted_set_test.ts. The tree's invariants
 * are checked by `verify`.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Dict } from "../../src/arena/dict.ts";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { hashBytes } from "../../src/base/hash.ts";
import { OrderedCursor, OrderedIndex } from "../../src/values/ordered_index.ts";
import { withRefusedAllocations } from "../support/refused_allocations.ts";

/** A dict of members without values and an index over it. */
class Fixture {
  readonly dict = new Dict();
  readonly index = new OrderedIndex(this.dict);
  readonly cursor = new OrderedCursor();

  record(member: string): number {
    const bytes = latin1(member);
    const hash = hashBytes(bytes, 0, bytes.length);
    const ref = this.dict.find(bytes, 0, bytes.length, hash);
    return ref !== 0 ? ref : this.dict.add(bytes, 0, bytes.length, hash, 0, 0, NaN);
  }

  insert(score: number, member: string): number {
    const ref = this.record(member);
    this.index.insert(score, ref);
    return ref;
  }

  member(ref: number): string {
    return toLatin1(this.dict.bytesOf(ref), this.dict.keyOffset(ref), this.dict.keyLength(ref));
  }

  /** All members in order, walked forwards; the walk backwards must agree. */
  members(): string[] {
    const { index, cursor } = this;
    const out: string[] = [];
    for (let on = index.first(cursor); on; on = index.next(cursor)) {
      out.push(this.member(cursor.ref));
    }
    const back: string[] = [];
    for (let on = index.last(cursor); on; on = index.prev(cursor)) {
      back.push(this.member(cursor.ref));
    }
    assertEquals(back.reverse(), out);
    return out;
  }

  belowMember(member: string, inclusive: boolean): number {
    const bytes = latin1("xx" + member);
    return this.index.countBelowMember(bytes, 2, member.length, inclusive);
  }
}

function name(n: number): string {
  return "m" + String(n).padStart(6, "0");
}

Deno.test("An empty index has no first, no last, no rank and nothing to pop", () => {
  const { index, cursor } = new Fixture();
  assertEquals(index.first(cursor), false);
  assertEquals(index.last(cursor), false);
  assertEquals(index.at(cursor, 0), false);
  assertEquals(index.popFirst(cursor), false);
  assertEquals(index.popLast(cursor), false);
  assertEquals(index.firstFrom(cursor, -Infinity, false), false);
  assertEquals(index.lastUpTo(cursor, Infinity, false), false);
  assertEquals(index.countBelowScore(Infinity, true), 0);
  assertEquals(index.countBelowMember(new Uint8Array(0), 0, 0, true), 0);
  index.verify();
});

Deno.test("The last element at or before a score and member is found, whether they are there or not", () => {
  const f = new Fixture();
  const find = (score: number, member: string) => {
    const bytes = latin1("x" + member);
    const isThere = f.index.atMost(f.cursor, score, bytes, 1, member.length);
    return isThere ? [f.cursor.score, f.member(f.cursor.ref)] : null;
  };
  assertEquals(find(1, "a"), null);
  for (let n = 0; n < 6000; n++) f.insert(n >> 2, name(n));
  assertEquals(find(-1, "z"), null);
  assertEquals(find(0, ""), null);
  assertEquals(find(0, name(0)), [0, name(0)]);
  assertEquals(find(Infinity, ""), [1499, name(5999)]);
  for (let n = 1; n < 6000; n++) {
    const score = n >> 2;
    assertEquals(find(score, name(n)), [score, name(n)]);
    assertEquals(find(score, name(n - 1) + "x"), [
      (n - 1) >> 2 === score ? score : score - 1,
      name(n - 1),
    ]);
    assertEquals(find(score - 0.5, "z"), score === 0 ? null : [score - 1, name(score * 4 - 1)]);
  }
});

Deno.test("Equal scores are ordered by member as unsigned bytes, a prefix first", () => {
  const f = new Fixture();
  const sorted = [
    "",
    "\0",
    "\0\0",
    "a",
    "a\0",
    "aa",
    "ab",
    "a\x7f",
    "a\x80",
    "b",
    "\xff",
    "\xff\0",
  ];
  for (const i of [5, 0, 11, 3, 8, 1, 10, 2, 7, 4, 9, 6]) f.insert(1, sorted[i]);
  assertEquals(f.members(), sorted);
  sorted.forEach((member, rank) => {
    assertEquals(f.index.rankOf(1, f.record(member)), rank);
    assertEquals(f.belowMember(member, false), rank);
    assertEquals(f.belowMember(member, true), rank + 1);
  });
  assertEquals(f.belowMember("a\x01", true), 5);
  assertEquals(f.belowMember("zzz", false), 10);
});

Deno.test("Scores come before members, infinities at the ends, -0 and 0 are one score", () => {
  const f = new Fixture();
  f.insert(Infinity, "a");
  f.insert(-Infinity, "z");
  f.insert(0, "c");
  f.insert(-0, "d");
  f.insert(-0, "b");
  f.insert(5e-324, "a0");
  f.insert(-5e-324, "y");
  assertEquals(f.members(), ["z", "y", "b", "c", "d", "a0", "a"]);
  assertEquals(f.index.rankOf(0, f.record("d")), 4);
  assertEquals(f.index.countBelowScore(-0, false), 2);
  assertEquals(f.index.countBelowScore(0, false), 2);
  assertEquals(f.index.countBelowScore(-0, true), 5);
  assertEquals(f.index.countBelowScore(-Infinity, false), 0);
  assertEquals(f.index.countBelowScore(Infinity, true), 7);
  f.index.verify();
});

Deno.test("Score ranges find their first and last element with open and closed ends", () => {
  const f = new Fixture();
  // Scores 0, 2, 4 ..., 300 members each: boundaries in the middle of leaves and across them.
  for (let i = 0; i < 3000; i++) f.insert(Math.floor(i / 300) * 2, name(i));
  const { index, cursor } = f;
  for (let boundary = -1; boundary <= 20; boundary++) {
    const closed = Math.min(3000, Math.max(0, Math.ceil(boundary / 2)) * 300);
    const open = Math.min(3000, Math.max(0, Math.floor(boundary / 2) + 1) * 300);
    assertEquals(index.countBelowScore(boundary, false), closed);
    assertEquals(index.countBelowScore(boundary, true), open);
    for (const [exclusive, from, to] of [[false, closed, open], [true, open, closed]] as const) {
      const first = index.countBelowScore(boundary, exclusive);
      assertEquals(index.at(cursor, first), from < 3000);
      if (from < 3000) assertEquals(f.member(cursor.ref), name(from));
      const last = index.countBelowScore(boundary, !exclusive) - 1;
      assertEquals(index.at(cursor, last), to > 0);
      if (to > 0) assertEquals(f.member(cursor.ref), name(to - 1));
    }
  }
});

/** Elements that a test has in mind, in order. */
type Pair = readonly [score: number, member: string];

/** Scores 0, 2, 4 … of `each` members. */
function pairsOf(count: number, each: number): Pair[] {
  return Array.from({ length: count }, (_, i) => [Math.floor(i / each) * 2, name(i)]);
}

for (const [count, each] of [[1, 1], [5, 2], [64, 3], [130, 64], [1500, 7], [4500, 300]]) {
  Deno.test(`A walk over scores begins and ends where it should, ${count} elements, ${each} of a score`, () => {
    const f = new Fixture();
    const pairs = pairsOf(count, each);
    for (const [score, member] of pairs) f.insert(score, member);
    const { index, cursor } = f;
    const last = pairs[count - 1][0];
    const step = Math.max(1, Math.floor(last / 12));
    const bounds = [-Infinity, -1, Infinity];
    for (let bound = 0; bound <= last + 2; bound += step) bounds.push(bound);
    for (const exclusive of [false, true]) {
      for (const from of bounds) {
        const above = pairs.filter(([score]) => exclusive ? score > from : score >= from);
        const below = pairs.filter(([score]) => exclusive ? score < from : score <= from).reverse();
        for (const [reverse, walked] of [[false, above], [true, below]] as const) {
          const isThere = reverse
            ? index.lastUpTo(cursor, from, exclusive)
            : index.firstFrom(cursor, from, exclusive);
          assertEquals(isThere, walked.length > 0);
          if (!isThere) continue;
          assertEquals(f.member(cursor.ref), walked[0][1]);
          for (const to of bounds) {
            const isWithin = ([score]: Pair) =>
              reverse ? exclusive ? score > to : score >= to : exclusive ? score < to : score <= to;
            const beyond = walked.findIndex((pair) => !isWithin(pair));
            const within = beyond < 0 ? walked.length : beyond;
            for (const most of [0, 1, 10, 64, 100, Infinity]) {
              const counted = index.countTowards(cursor, reverse, to, exclusive, most);
              // Leaves have 32 elements at least: what is not seen in four of them is beyond 96.
              if (counted === -1) assert(Math.min(most, within) > 96);
              else assertEquals(counted, Math.min(most, within));
            }
          }
        }
      }
    }
  });
}

for (const count of [1, 7, 64, 130, 1500, 4500]) {
  Deno.test(`A walk over ${count} members of one score begins and ends where it should`, () => {
    const f = new Fixture();
    // Every other name is missing; some are the beginning of others.
    const members = Array.from(
      { length: count },
      (_, i) => name(i * 2 + i % 3) + "~".repeat(i % 2),
    );
    members.sort().forEach((member) => f.insert(3, member));
    const { index, cursor } = f;
    assert(index.isOneScore);
    const bounds = ["", "m", name(count * 2 + 9), members[count - 1]];
    for (let i = 0; i < count * 2; i += Math.max(1, count >> 2)) {
      bounds.push(name(i), name(i) + "x");
    }
    const text = latin1("..");
    const at = (bound: string) =>
      [Uint8Array.of(...text, ...latin1(bound)), 2, bound.length] as const;
    for (const exclusive of [false, true]) {
      for (const from of bounds) {
        const above = members.filter((member) => exclusive ? member > from : member >= from);
        const below = members.filter((member) => exclusive ? member < from : member <= from);
        assertEquals(index.countBelowMember(...at(from), !exclusive), below.length);
        for (const reverse of [false, true]) {
          const walked = reverse ? below.toReversed() : above;
          const isThere = reverse
            ? index.lastUpToMember(cursor, ...at(from), exclusive)
            : index.firstFromMember(cursor, ...at(from), exclusive);
          assertEquals(isThere, walked.length > 0);
          if (!isThere) continue;
          assertEquals(f.member(cursor.ref), walked[0]);
          for (const to of bounds) {
            const isBeyond = (member: string) =>
              member === to ? exclusive : reverse ? member < to : member > to;
            const beyond = walked.findIndex(isBeyond);
            const within = beyond < 0 ? walked.length : beyond;
            for (const most of [0, 1, 10, 100, Infinity]) {
              const [bytes, offset, length] = at(to);
              const counted = index.countTowardsMember(
                cursor,
                reverse,
                bytes,
                offset,
                length,
                exclusive,
                most,
              );
              if (counted === -1) assert(Math.min(most, within) > 96);
              else assertEquals(counted, Math.min(most, within));
            }
          }
        }
      }
    }
    index.verify();
  });
}

for (const direction of ["up", "down"]) {
  for (const way of ["insert", "insertOrdered"] as const) {
    Deno.test(`Loading 30,000 elements ${direction} by ${way} fills leaves completely`, () => {
      const f = new Fixture();
      for (let i = 0; i < 30_000; i++) {
        const n = direction === "up" ? i : 29_999 - i;
        f.index[way](Math.floor(n / 7), f.record(name(n)));
      }
      f.index.verify();
      const members = f.members();
      assertEquals(members.length, 30_000);
      members.forEach((member, n) => assertEquals(member, name(n)));
      // 12 bytes a pair; the slab that is being filled and the nodes come on top.
      assert(f.index.memoryBytes < 30_000 * 12 + 64 * 64 * 12 + 30_000 * 2);
    });
  }
}

Deno.test("insertOrdered puts elements that are out of order where they belong", () => {
  const f = new Fixture();
  const order = Array.from({ length: 2000 }, (_, i) => (i * 777) % 2000);
  for (const n of order) f.index.insertOrdered(0, f.record(name(n)));
  f.index.verify();
  assertEquals(f.members(), order.map(name).sort());
});

Deno.test("Room for many changes is made in few steps, and is not much more than they need", () => {
  const f = new Fixture();
  const count = 60_000;
  const order = Array.from({ length: count }, (_, i) => (i * 7919) % count);
  const refs = order.map((n) => f.record(name(n)));
  let madeBytes = 0;
  withRefusedAllocations((bytes) => {
    madeBytes += bytes;
    return false;
  }, () => {
    for (let i = 0; i < count; i++) {
      if (i % 100 === 0) f.index.reserve(100);
      f.index.insert(order[i], refs[i]);
    }
  });
  assert(madeBytes < 2 * f.index.memoryBytes, `${madeBytes} for ${f.index.memoryBytes}`);
  assert(f.index.memoryBytes < count * 18, `${f.index.memoryBytes / count}`);
  f.index.verify();
});

Deno.test("Popping from both ends empties the index in order and gives memory back", () => {
  const f = new Fixture();
  for (let i = 0; i < 20_000; i++) f.insert((i * 7919) % 20_000, name((i * 7919) % 20_000));
  const fullBytes = f.index.memoryBytes;
  let low = 0;
  let high = 20_000;
  while (low < high) {
    if (low % 3 === 0) {
      assert(f.index.popLast(f.cursor));
      high--;
      assertEquals(f.cursor.score, high);
      assertEquals(f.member(f.cursor.ref), name(high));
      if (low === high) break;
    }
    assert(f.index.popFirst(f.cursor));
    assertEquals(f.cursor.score, low);
    assertEquals(f.member(f.cursor.ref), name(low));
    low++;
    if (f.index.count % 997 === 0) f.index.verify();
    if (f.index.count === 1000) assert(f.index.memoryBytes < fullBytes / 8);
  }
  assertEquals(f.index.count, 0);
  assert(f.index.memoryBytes < 2048);
  f.insert(1, "again");
  assertEquals(f.members(), ["again"]);
  f.index.verify();
});

for (const count of [1, 10, 64, 65, 500, 4096, 5000]) {
  Deno.test(`deleteRange takes any range out of ${count} elements`, () => {
    for (const [from, to] of [[0, 1], [0, 0.5], [0.5, 1], [0.25, 0.75], [0.1, 0.12], [0.98, 1]]) {
      const f = new Fixture();
      for (let i = 0; i < count; i++) f.insert(i % 2 === 0 ? i : i - 1, name(i));
      const start = Math.floor(from * count);
      const removed = Math.floor(to * count) - start;
      f.index.deleteRange(start, removed);
      f.index.verify();
      const expected = Array.from({ length: count }, (_, i) => name(i));
      expected.splice(start, removed);
      assertEquals(f.members(), expected);
      expected.forEach((member, rank) => {
        f.index.at(f.cursor, rank);
        assertEquals(f.member(f.cursor.ref), member);
      });
    }
  });
}

Deno.test("Deleting every element but one of each leaf keeps the tree whole", () => {
  const f = new Fixture();
  for (let i = 0; i < 10_000; i++) f.index.insertOrdered(0, f.record(name(i)));
  for (let i = 0; i < 10_000; i++) if (i % 64 !== 10) f.index.delete(0, f.record(name(i)));
  f.index.verify();
  assertEquals(f.members(), Array.from({ length: 157 }, (_, i) => name(i * 64 + 10)));
});

Deno.test("update keeps the order whether or not the element changes its place", () => {
  const f = new Fixture();
  for (let i = 0; i < 1000; i++) f.insert(i * 10, name(i));
  f.index.update(5000, f.record(name(500)), 5005); // stays
  f.index.update(0, f.record(name(0)), -3); // stays first
  f.index.update(9990, f.record(name(999)), 1e9); // stays last
  f.index.update(5010, f.record(name(501)), 5005); // now equal to its neighbour
  f.index.update(70, f.record(name(7)), 5005);
  f.index.verify();
  assertEquals(f.index.countBelowScore(5005, true) - f.index.countBelowScore(5005, false), 3);
  f.index.at(f.cursor, f.index.countBelowScore(5005, false));
  assertEquals(f.member(f.cursor.ref), name(7));
  assertEquals(f.index.rankOf(1e9, f.record(name(999))), 999);
  assertEquals(f.index.rankOf(-3, f.record(name(0))), 0);
  for (let i = 20; i < 400; i++) {
    f.index.update(i * 10, f.record(name(i)), i * 10 + 9.5);
    f.index.verify();
  }
});

Deno.test("replaceRef follows a moved record, also when it is the smallest of its leaf", () => {
  const f = new Fixture();
  for (let i = 0; i < 500; i++) f.insert(3, name(i));
  const moved: [number, number][] = [];
  f.dict.listener = {
    recordMoved(oldRef, newRef) {
      moved.push([oldRef, newRef]);
      f.index.replaceRef(3, oldRef, newRef);
    },
  };
  for (let i = 0; i < 500; i++) f.dict.resizeValue(f.record(name(i)), 100);
  assertEquals(moved.length, 500);
  f.index.verify();
  assertEquals(f.members(), Array.from({ length: 500 }, (_, i) => name(i)));
});

Deno.test("Taking out or ranking what is not there is a broken invariant, not a wrong answer", () => {
  const f = new Fixture();
  for (let i = 0; i < 300; i++) f.insert(i, name(i));
  const stranger = f.record("stranger");
  assertThrows(() => f.index.delete(1, stranger), Error, "missing");
  assertThrows(() => f.index.rankOf(1, stranger), Error, "missing");
  assertThrows(() => f.index.rankOf(299, f.record(name(0))), Error, "missing");
  f.index.verify();
});
