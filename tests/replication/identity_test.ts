import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { ReplicationIds } from "../../src/replication/identity.ts";
import { runtime } from "../../src/runtime/here.ts";

Deno.test("ReplicationIds shares the present history at every offset", () => {
  const ids = new ReplicationIds(runtime.fillRandom);
  assertMatch(ids.id, /^[0-9a-f]{40}$/);
  assert(ids.shares(ids.id, 1));
  assert(ids.shares(ids.id.toUpperCase(), 10 ** 15));
  assert(!ids.shares("?", 1));
  assert(!ids.shares("0".repeat(40), -5), "no second history is not a history of zeros");
});

Deno.test("ReplicationIds: a promoted replica shares its master's history up to the promotion", () => {
  const ids = new ReplicationIds(runtime.fillRandom);
  const ofMaster = ids.id;
  ids.branch(500);
  assertNotEquals(ids.id, ofMaster);
  assertEquals([ids.secondId, ids.secondOffset], [ofMaster, 501]);
  assert(ids.shares(ofMaster, 501), "who has 500 bytes wants number 501");
  assert(!ids.shares(ofMaster, 502), "that byte was the old master's own");
  ids.branch(600);
  assert(!ids.shares(ofMaster, 1), "only one generation is remembered");
});

Deno.test("ReplicationIds forgets the second history with a dataset of another", () => {
  const ids = new ReplicationIds(runtime.fillRandom);
  ids.branch(10);
  const second = ids.secondId;
  ids.adopt("a".repeat(40));
  assertEquals([ids.id, ids.secondOffset], ["a".repeat(40), -1]);
  assert(!ids.shares(second, 1));
  ids.continueAs("b".repeat(40), 20);
  assert(ids.shares("a".repeat(40), 21));
  ids.renew();
  assert(!ids.shares("b".repeat(40), 1));
});
