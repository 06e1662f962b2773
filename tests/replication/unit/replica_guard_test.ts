/** When the empty dataset of a master is refused. */

import { assertEquals } from "@std/assert";
import { type EmptyOffer, refusesEmpty } from "../../../src/replication/guard.ts";

const LOST: EmptyOffer = {
  isGuardOn: true,
  isAccepted: false,
  isOfMaster: true,
  keysHeld: 5,
  keysOffered: 0,
  isKnownHistory: false,
};

const CASES: [why: string, offer: Partial<EmptyOffer>, isRefused: boolean][] = [
  ["a master that came back empty", {}, true],
  ["the guard is off", { isGuardOn: false }, false],
  ["a person has said so", { isAccepted: true }, false],
  ["our data are not the master's", { isOfMaster: false }, false],
  ["we have nothing to lose", { keysHeld: 0 }, false],
  ["the master has one key", { keysOffered: 1 }, false],
  ["the master goes on with the history we know", { isKnownHistory: true }, false],
];

for (const [why, offer, isRefused] of CASES) {
  Deno.test(`an empty dataset is ${isRefused ? "refused" : "taken"}: ${why}`, () => {
    assertEquals(refusesEmpty({ ...LOST, ...offer }), isRefused);
  });
}
