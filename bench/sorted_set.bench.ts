/**
 * What does a large sorted set of a million members cost per operation and per member?
 *
 * Each case works on a set of a million members of 16 bytes; figures are per 1,000 operations. The
 * bytes per member are printed first.
 */
import { latin1 } from "../src/base/bytes.ts";
import { OrderedCursor } from "../src/values/ordered_index.ts";
import { SortedSet } from "../src/values/sorted_set.ts";
import { Random } from "../tests/support/random.ts";

const MEMBERS = 1_000_000;
const { draw } = new Random(7);

const member = latin1("member:000000000");
function setMember(number: number): void {
  let n = number;
  for (let i = 15; i >= 7; i--) {
    member[i] = 48 + n % 10;
    n = (n / 10) | 0;
  }
}

/** Gives a member drawn from a wide range a score; true when it is new. */
function put(set: SortedSet, score: number): boolean {
  setMember((draw() * 999_999_999) | 0);
  const ref = set.find(member, 0, 16);
  if (ref === 0) set.add(member, 0, 16, score);
  else set.setScore(ref, score);
  return ref === 0;
}

const sets = new Map<string, SortedSet>();
for (const kind of ["equal", "random"]) {
  const set = new SortedSet();
  const began = performance.now();
  while (set.count < MEMBERS) put(set, kind === "equal" ? 0 : draw() * 1e9);
  const ns = (performance.now() - began) * 1e6 / MEMBERS;
  const bytes = set.memoryBytes / MEMBERS;
  console.log(
    `${kind} scores: ${bytes.toFixed(1)} bytes per member, ${ns.toFixed(0)} ns per add from empty`,
  );
  sets.set(kind, set);
}

const cursor = new OrderedCursor();
let sink = 0;
for (const [kind, set] of sets) {
  const score = kind === "equal" ? () => 0 : () => draw() * 1e9;
  Deno.bench(`add and remove at random, ${kind} scores`, { n: 300 }, () => {
    for (let i = 0; i < 1000; i++) {
      put(set, score());
      set.remove(set.random(draw));
    }
  });
  Deno.bench(`add at random, ${kind} scores`, { n: 300 }, (b) => {
    b.start();
    for (let i = 0; i < 1000; i++) put(set, score());
    b.end();
    while (set.count > MEMBERS) set.remove(set.random(draw));
  });
  Deno.bench(`rank of a random member, ${kind} scores`, { n: 300 }, () => {
    for (let i = 0; i < 1000; i++) sink += set.rankOf(set.random(draw));
  });
  Deno.bench(`walk from a random rank, ${kind} scores`, { n: 300 }, () => {
    set.index.at(cursor, (draw() * (set.count - 1000)) | 0);
    for (let i = 0; i < 1000; i++) {
      sink += cursor.ref + cursor.score;
      set.index.next(cursor);
    }
  });
  Deno.bench(`pop the first, ${kind} scores`, { n: 300 }, () => {
    for (let i = 0; i < 1000; i++) {
      set.index.first(cursor);
      sink += cursor.score;
      set.removeFirst();
    }
  });
}

Deno.bench("load 100,000 in descending order", () => {
  const set = new SortedSet();
  set.reserve(100_000);
  for (let i = 100_000; i > 0; i--) {
    setMember(i);
    set.addOrdered(member, 0, 16, i);
  }
});
