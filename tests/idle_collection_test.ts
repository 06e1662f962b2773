import { assertEquals } from "@std/assert";
import { IdleCollection } from "../src/idle_collection.ts";

/** Times at which a server collects that has done so much by each turn of its timer, every 100 ms. */
function collections(
  bytesByTurn: (turn: number) => number,
  connections = 0,
  isBusyAt: (turn: number) => boolean = () => false,
): number[] {
  const times: number[] = [];
  let nowMs = 0;
  const collection = new IdleCollection(() => times.push(nowMs));
  for (let turn = 0; turn < 100; turn++) {
    nowMs = turn * 100;
    const work = {
      bytes: bytesByTurn(turn),
      connections: turn > 10 ? connections : 0,
      isBusy: isBusyAt(turn),
    };
    collection.tick(work, nowMs);
  }
  return times;
}

Deno.test("a server that has come to rest after a load collects a second later, and once again", () => {
  assertEquals(collections((turn) => Math.min(turn, 20) * 1_000_000), [3_000, 4_000]);
});

Deno.test("connections that come and go are a load, too", () => {
  assertEquals(collections(() => 0, 100), [2_100, 3_100]);
});

Deno.test("a server under load leaves collecting to its runtime", () => {
  assertEquals(collections((turn) => turn * 1_000_000), []);
});

Deno.test("a server that is asked how it is every now and then counts as being at rest", () => {
  assertEquals(collections((turn) => turn * 50), []);
  assertEquals(collections((turn) => 50_000 + turn * 50), [1_000, 2_000]);
});

Deno.test("a server that clients ask for something, if little, is not at rest: they would wait for the collection", () => {
  assertEquals(collections((turn) => 50_000 + turn * 500), []);
  assertEquals(collections((turn) => 50_000 + Math.min(turn, 60) * 500), [7_000, 8_000]);
});

Deno.test("a snapshot or full sync puts collecting off until a second after it, and asks for none itself", () => {
  const load = (turn: number) => Math.min(turn, 20) * 1_000_000;
  const during = (from: number, to: number) => (turn: number) => turn >= from && turn < to;
  assertEquals(collections(load, 0, during(25, 50)), [5_900, 6_900]);
  assertEquals(collections(load, 0, during(35, 50)), [3_000, 5_900]);
  assertEquals(collections(() => 0, 0, during(25, 50)), []);
});
