import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { Random } from "../support/random.ts";
import { withRefusedAllocations } from "../support/refused_allocations.ts";
import { type Ear, Hall } from "./ear.ts";

Deno.test("a reader hears once of a change, each of several readers does", () => {
  const hall = new Hall();
  const [a, b] = [hall.ear(), hall.ear()];
  hall.on(a);
  hall.on(b);
  hall.read(a, "k", "l", "k");
  hall.read(b, "k");
  assertEquals(hall.counts, { clients: 2, keys: 2, items: 3, prefixes: 0 });
  hall.change(null, "k", "k", "nosuch");
  assertEquals([a.heard(), b.heard()], [["k"], ["k"]]);
  assertEquals([a.wakes, b.wakes], [1, 1]);
  assertEquals(hall.counts, { clients: 2, keys: 1, items: 1, prefixes: 0 });
});

Deno.test("changes are asked for only while somebody may have to be told", () => {
  const hall = new Hall();
  const a = hall.ear();
  hall.on(a);
  assertEquals(hall.isWanted, false);
  hall.read(a, "k");
  assertEquals(hall.isWanted, true);
  hall.change(null, "k");
  assertEquals(hall.isWanted, false);
  hall.tracking.turnOff(a);
  hall.on(a, { isBroadcast: true });
  assertEquals(hall.isWanted, true);
  hall.tracking.forget(a);
  assertEquals(hall.isWanted, false);
  assertEquals(hall.counts, { clients: 0, keys: 0, items: 0, prefixes: 0 });
});

Deno.test("messages of the client whose command runs wait, before others that wait", () => {
  const hall = new Hall();
  const [a, b, target] = [hall.ear(), hall.ear(), hall.ear()];
  hall.on(a);
  hall.on(b, { redirectId: a.id });
  const c = hall.ear();
  hall.on(c, { redirectId: target.id });
  for (const ear of [a, b, c]) hall.read(ear, "k");
  hall.change(a, "k");
  assertEquals([a.heard(), target.heard()], [[], ["k"]]);
  assertEquals(hall.deferred.map(({ client, goesFirst }) => [client, goesFirst]), [
    [a, true],
    [a, false],
  ]);
  hall.deferred.length = 0;
  hall.read(c, "k");
  hall.change(c, "k");
  assertEquals(target.heard(), []);
  assertEquals(hall.deferred.map(({ client, goesFirst }) => [client, goesFirst]), [[target, true]]);
});

Deno.test("NOLOOP leaves out what a client changes itself, not what expires while its command runs", () => {
  const hall = new Hall();
  const [a, b] = [hall.ear(), hall.ear()];
  hall.on(a, { isNoLoop: true });
  hall.on(b, { isNoLoop: true, isBroadcast: true });
  hall.read(a, "k", "l", "m");
  hall.change(a, "k");
  hall.change(b, "l", "n");
  hall.running = a;
  hall.expire("m");
  hall.running = null;
  assertEquals(hall.deferred.map(({ client }) => client), [a]);
  hall.timers.endTurn();
  assertEquals([a.heard(), b.heard()], [["l"], ["k m"]]);
});

Deno.test("BCAST collects the keys of a turn, once each, by prefix", () => {
  const hall = new Hall();
  const [a, b, c] = [hall.ear(), hall.ear(), hall.ear()];
  hall.on(a, { isBroadcast: true }, ["b:", "a:"]);
  hall.on(b, { isBroadcast: true, isNoLoop: true }, ["a:"]);
  hall.on(c, { isBroadcast: true }, ["a:1"]);
  assertEquals(hall.counts.prefixes, 3);
  hall.change(null, "b:1", "a:1", "c", "a", "a:");
  hall.change(b, "a:1", "a:2");
  assertEquals(a.heard(), []);
  hall.timers.endTurn();
  assertEquals([a.heard(), b.heard(), c.heard()], [["a:1 a: a:2", "b:1"], ["a:"], ["a:1"]]);
  hall.timers.endTurn();
  assertEquals([a.heard(), b.heard(), c.heard()], [[], [], []]);
});

Deno.test("BCAST: a prefix that comes in the midst of a turn hears of what changes from then on", () => {
  const hall = new Hall();
  const [a, b] = [hall.ear(), hall.ear()];
  hall.on(a, { isBroadcast: true }, ["k"]);
  hall.change(null, "k1", "k2");
  hall.on(b, { isBroadcast: true }, ["k1", "k2", "k3"]);
  hall.change(null, "k1", "k3", "k1");
  hall.timers.endTurn();
  assertEquals([a.heard(), b.heard()], [["k1 k2 k3"], ["k1", "k3"]]);
});

Deno.test("BCAST: a prefix that has gone takes its keys of the turn along, also if it comes again", () => {
  const hall = new Hall();
  const [a, b] = [hall.ear(), hall.ear()];
  hall.on(a, { isBroadcast: true }, ["k", "l"]);
  hall.on(b, { isBroadcast: true }, ["l"]);
  hall.change(null, "k1", "l1");
  hall.tracking.turnOff(a);
  hall.on(a, { isBroadcast: true }, ["k"]);
  hall.change(null, "k2");
  hall.timers.endTurn();
  assertEquals([a.heard(), b.heard()], [["k2"], ["l1"]]);
});

Deno.test("BCAST tells of many keys in one turn, and lets go of them", () => {
  const hall = new Hall();
  const a = hall.ear();
  hall.on(a, { isBroadcast: true });
  const keys = Array.from({ length: 5_000 }, (_, i) => `key:${i}`);
  const before = hall.tracking.memoryBytes;
  for (let turn = 0; turn < 3; turn++) {
    hall.change(null, ...keys);
    assert(hall.tracking.memoryBytes > before + 100_000);
    hall.timers.endTurn();
    assertEquals(a.heard(), [keys.join(" ")]);
    assertEquals(hall.tracking.memoryBytes, before);
  }
});

Deno.test("a client that turns tracking off and on again hears of what it had read before", () => {
  const hall = new Hall();
  const a = hall.ear();
  hall.on(a);
  hall.read(a, "k", "l");
  hall.tracking.turnOff(a);
  hall.change(null, "k");
  hall.on(a);
  hall.change(null, "k", "l");
  assertEquals(a.heard(), ["l"]);
});

Deno.test("without keys for anybody there is nothing in memory", () => {
  const hall = new Hall();
  const ears = Array.from({ length: 20 }, () => hall.ear());
  for (const ear of ears) hall.on(ear);
  for (let i = 0; i < 20_000; i++) hall.read(ears[i % 20], `key:${i % 2_000}`);
  assert(hall.tracking.memoryBytes > 80_000);
  assertEquals(hall.counts.keys, 2_000);
  hall.tracking.allChanged();
  assertEquals(ears.map((ear) => ear.heard()), ears.map(() => ["*"]));
  assertEquals(hall.tracking.memoryBytes, 0);
  assertEquals(hall.counts, { clients: 20, keys: 0, items: 0, prefixes: 0 });
});

Deno.test("what a client has read that is gone is forgotten in slices", () => {
  const hall = new Hall();
  const [a, b] = [hall.ear(), hall.ear()];
  hall.on(a);
  hall.on(b);
  for (let i = 0; i < 4_000; i++) hall.read(a, `key:${i}`);
  for (let i = 0; i < 1_000; i++) hall.read(b, `key:${i}`);
  assertEquals(hall.tracking.tidySome(), false);
  hall.tracking.forget(a);
  assertEquals([hall.counts.keys, hall.counts.items], [4_000, 5_000]);
  let slices = 1;
  while (hall.tracking.tidySome()) slices++;
  assert(slices > 1, `${slices}`);
  assertEquals(hall.counts, { clients: 1, keys: 1_000, items: 1_000, prefixes: 0 });
  hall.change(null, "key:1", "key:2000");
  assertEquals([a.heard(), b.heard()], [[], ["key:1"]]);
});

Deno.test("beyond the limit keys are forgotten by chance, and their readers told", () => {
  const hall = new Hall();
  const a = hall.ear();
  hall.on(a);
  hall.tracking.keysMax = 100;
  for (let i = 0; i < 1_000; i++) {
    hall.read(a, `key:${i}`);
    assert(hall.counts.keys <= 100);
  }
  const told = a.heard();
  assertEquals(told.length, 900);
  assertEquals(new Set(told).size, 900);
  // Neither just the oldest nor just the latest.
  assert(told.slice(-100).some((key) => Number(key.slice(4)) < 900));
  hall.tracking.keysMax = 0;
  for (let i = 0; i < 1_000; i++) hall.read(a, `key:${i}`);
  assertEquals(hall.counts.keys, 1_000);
});

Deno.test("a lower limit is come to in slices", () => {
  const hall = new Hall();
  const a = hall.ear();
  hall.on(a);
  for (let i = 0; i < 10_000; i++) hall.read(a, `key:${i}`);
  hall.tracking.keysMax = 10;
  assert(hall.counts.keys > 5_000);
  assertEquals(hall.trims, 1);
  let slices = 1;
  while (hall.tracking.trim()) slices++;
  assert(slices > 3);
  assertEquals(hall.counts.keys, 10);
  assertEquals(a.heard().length, 9_990);
});

Deno.test("many clients for few keys are too many, too", () => {
  const hall = new Hall();
  hall.tracking.keysMax = 10;
  const ears = Array.from({ length: 200 }, () => hall.ear());
  for (const ear of ears) {
    hall.on(ear);
    for (let i = 0; i < 10; i++) hall.read(ear, `key:${i}`);
  }
  assert(hall.counts.items <= 640, `${hall.counts.items}`);
  assertEquals(hall.tracking.itemCount, hall.counts.items);
  assert(ears.some((ear) => ear.heard().length > 0));
});

Deno.test("a message that cannot be made ends the connection, and a key that cannot be kept is told of", () => {
  const hall = new Hall();
  const [a, b, c] = [hall.ear(), hall.ear(), hall.ear()];
  hall.on(a);
  hall.on(b, { isBroadcast: true });
  hall.on(c);
  hall.read(a, "first");
  hall.change(null, "first");
  hall.timers.endTurn();
  a.heard();
  b.heard();
  // Keys are remembered until there is no room; from then on each is told of at once.
  let i = 0;
  withRefusedAllocations((bytes) => bytes > 4_000 && bytes < 60_000, () => {
    for (; i < 2_000 && a.reply.pendingBytes === 0; i++) hall.read(a, `key:${i}`);
  });
  assertEquals(a.heard(), [`key:${i - 1}`]);
  assertEquals(hall.counts.keys, i - 1);
  hall.read(c, "long");
  const long = `long${"x".repeat(100_000)}`;
  hall.read(a, long);
  const bytes = latin1(long);
  withRefusedAllocations((size) => size > 50_000, () => {
    hall.tracking.keyChanged(bytes, 0, bytes.length, true);
    hall.timers.endTurn();
  });
  assertEquals([a.reply.isCut, b.reply.isCut, c.reply.isCut], [true, true, false]);
});

/** What everybody should hear, kept in the plainest way. */
class Model {
  readonly readers = new Map<string, Set<Ear>>();
  readonly prefixes = new Map<Ear, string[]>();
  readonly changedBy = new Map<string, Ear | null>();
  readonly heard = new Map<Ear, string[]>();

  tell(ear: Ear, key: string): void {
    const list = this.heard.get(ear);
    if (list === undefined) this.heard.set(ear, [key]);
    else list.push(key);
  }
}

Deno.test("clients of all modes hear what a plain model says", () => {
  const random = new Random(5);
  const hall = new Hall();
  const model = new Model();
  const ears = Array.from({ length: 12 }, () => hall.ear());
  const key = () => `${random.pick(["a", "b", "ab"])}${random.below(30)}`;
  for (let i = 0; i < 20_000; i++) {
    const ear = random.pick(ears);
    const { tracker } = ear;
    const chosen = random.below(100);
    if (chosen < 5) {
      // Who joins or leaves in the midst of a turn is looked at by other tests.
      hall.timers.endTurn();
      for (const each of ears) each.heard();
      model.changedBy.clear();
      model.heard.clear();
      hall.deferred.length = 0;
      hall.tracking.turnOff(ear);
      model.prefixes.delete(ear);
      if (random.chance(0.4)) {
        const prefixes = random.pick([["a1", "b"], ["a"], [""], ["ab1", "a2"]]);
        hall.on(ear, { isBroadcast: true, isNoLoop: random.chance(0.5) }, prefixes);
        model.prefixes.set(ear, prefixes);
      } else if (random.chance(0.8)) hall.on(ear, { isNoLoop: random.chance(0.5) });
    } else if (chosen < 50) {
      if (tracker === null || !tracker.hearsOfKeys) continue;
      const read = key();
      hall.read(ear, read);
      const readers = model.readers.get(read) ?? new Set();
      model.readers.set(read, readers.add(ear));
    } else if (chosen < 99) {
      const by = random.chance(0.5) ? ear : null;
      const changed = key();
      hall.change(by, changed);
      for (const reader of model.readers.get(changed) ?? []) {
        if (!reader.tracker!.hearsOfKeys) continue;
        if (reader !== by || !reader.tracker!.options.isNoLoop) model.tell(reader, changed);
      }
      model.readers.delete(changed);
      model.changedBy.set(changed, by);
    } else {
      hall.tracking.allChanged();
      model.readers.clear();
      for (const each of ears) if (each.tracker?.isOn) model.tell(each, "*");
    }
    if (random.chance(0.7)) {
      for (const [each, prefixes] of model.prefixes) {
        for (const [changed, by] of model.changedBy) {
          const isOwn = by === each && each.tracker!.options.isNoLoop;
          if (!isOwn && prefixes.some((prefix) => changed.startsWith(prefix))) {
            model.tell(each, changed);
          }
        }
      }
      model.changedBy.clear();
      hall.timers.endTurn();
    } else continue;
    for (const each of ears) {
      const own = hall.deferred.filter(({ client }) => client === each)
        .map(({ text }) => text.split("\r\n").at(-2)!);
      const heard = each.heard().flatMap((keys) => keys.split(" "));
      assertEquals([...heard, ...own].sort(), (model.heard.get(each) ?? []).sort(), `step ${i}`);
    }
    hall.deferred.length = 0;
    model.heard.clear();
  }
});
