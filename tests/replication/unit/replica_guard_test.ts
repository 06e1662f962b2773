/** When the empty, or nearly empty, dataset of a master is refused. */

import { assertEquals } from "@std/assert";
import {
  type EmptyOffer,
  judge,
  keysEnoughToRefuse,
  livingKeys,
  type Verdict,
} from "../../../src/replication/guard.ts";
import { EXPIRE_HIDES } from "../../../src/keyspace/expire_mode.ts";
import { testServer } from "../../support/test_server.ts";

const LOST: EmptyOffer = {
  isGuardOn: true,
  isAccepted: false,
  isOfMaster: true,
  keysHeld: 50,
  keysOffered: 0,
  isKnownHistory: false,
  percentMin: 10,
  isGuarded: false,
};

const CASES: [why: string, offer: Partial<EmptyOffer>, verdict: Verdict][] = [
  ["a master that came back empty", {}, "refuse"],
  ["the guard is off", { isGuardOn: false }, "take"],
  ["a person has said so", { isAccepted: true }, "take"],
  ["our data are not the master's", { isOfMaster: false }, "take"],
  ["we have nothing to lose", { keysHeld: 0 }, "take"],
  ["the master goes on with the history we know", { isKnownHistory: true }, "take"],
  ["it has one key", { keysOffered: 1 }, "if-restarted"],
  ["it has less than a tenth", { keysOffered: 4 }, "if-restarted"],
  ["it has a tenth", { keysOffered: 5 }, "take"],
  ["it has less than a tenth, the guard is off", { keysOffered: 4, isGuardOn: false }, "take"],
  ["it has less than a tenth, said by a person", { keysOffered: 4, isAccepted: true }, "take"],
  ["it has less than a tenth, of our history", { keysOffered: 4, isKnownHistory: true }, "take"],
  ["it has one key of a few", { keysOffered: 1, keysHeld: 10 }, "take"],
  ["it has one key, and that is enough", { keysOffered: 1, percentMin: 0 }, "take"],
  ["it has none, and that is never enough", { percentMin: 0 }, "refuse"],
  ["it has all but one, and all are wanted", { keysOffered: 49, percentMin: 100 }, "if-restarted"],
  ["it has one key, our data are guarded", { keysOffered: 1, isGuarded: true }, "refuse"],
  ["it has a tenth, our data are guarded", { keysOffered: 5, isGuarded: true }, "take"],
];

for (const [why, offer, verdict] of CASES) {
  Deno.test(`the verdict on the dataset of a master is "${verdict}": ${why}`, () => {
    assertEquals(judge({ ...LOST, ...offer }), verdict);
  });
}

Deno.test("keys whose time is over are none that a replica has to lose", async () => {
  const s = testServer({ nowMs: 1000 });
  const count = (enough: number) =>
    livingKeys(s.keyspace.databases, enough, () => Promise.resolve());
  for (let i = 0; i < 500; i++) s.run("SET", `short${i}`, "v", "PX", "10");
  for (let i = 0; i < 300; i++) s.run("SET", `long${i}`, "v", "PX", "100000");
  s.run("SELECT", "3");
  for (let i = 0; i < 20; i++) s.run("SET", `${i}`, "v");
  assertEquals(await count(Infinity), 820);
  s.keyspace.expireMode = EXPIRE_HIDES;
  s.clock.nowMs = 5000;
  s.keyspace.refreshTime();
  assertEquals(await count(Infinity), 320);
  assertEquals(await count(1) >= 1, true);
});

Deno.test("from so many of our keys on a dataset counts as nearly empty", () => {
  for (const [offered, percentMin] of [[0, 10], [1, 10], [4, 10], [7, 33], [50, 100], [3, 1]]) {
    const keysHeld = keysEnoughToRefuse(offered, percentMin);
    const verdict = (held: number) =>
      judge({ ...LOST, keysOffered: offered, percentMin, keysHeld: held, isGuarded: true });
    assertEquals([verdict(keysHeld - 1), verdict(keysHeld)], ["take", "refuse"]);
  }
});
