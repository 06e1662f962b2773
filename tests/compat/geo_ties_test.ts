/**
 * Members at the same distance, in the order in which a real server answers them: with a COUNT that leaves some out
 * its way to find the few decides, else the order in which they were found.
 */

import { assertEquals } from "@std/assert";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import { Pair } from "./session.ts";

const SEED = fuzzSeed(4_2026);

/** Members at so few places that nearly all have others at their distance. */
function drawMembers(random: Random): string[] {
  const places = Array.from(
    { length: random.between(1, 12) },
    () => [random.between(-4, 4) / 10, random.between(-4, 4) / 10],
  );
  const count = random.pick([5, 6, 7, 8, 39, 40, 41, 100, 700, 3000]);
  return Array.from({ length: count }, (_, i) => {
    const [longitude, latitude] = random.pick(places);
    return [String(longitude), String(latitude), `m${random.below(1_000_000)}:${i}`];
  }).flat();
}

function drawSearch(random: Random, members: number): string[] {
  const most = random.chance(0.7) ? Math.min(members, 60) : members;
  const options = [
    ...random.pick([[], ["ASC"], ["DESC"]]),
    ...random.pick([[], ["COUNT", String(random.between(1, most + 1))]]),
    ...random.pick([[], ["WITHDIST"]]),
  ];
  const area = random.pick([["BYRADIUS", "500", "km"], ["BYBOX", "100", "700", "km"]]);
  return ["GEOSEARCH", "g", "FROMLONLAT", "0", "0", ...area, ...options];
}

Deno.test({
  name: "GEOSEARCH with COUNT answers members at the same distance in the order of redis-server",
  ignore: !hasRedisServer,
  fn: async () => {
    console.log(`seed ${SEED}`);
    const random = new Random(SEED);
    const pair = new Pair();
    await pair.start();
    try {
      for (let round = 0; round < fuzzRounds(25); round++) {
        await pair.reset();
        const members = drawMembers(random);
        await pair.both(0, [["GEOADD", "g", ...members]]);
        const searches = Array.from(
          { length: 25 },
          () => drawSearch(random, members.length / 3),
        );
        const [real, tested] = await pair.both(0, searches);
        searches.forEach((words, i) => {
          const namesOf = (reply: typeof real[0]) =>
            reply.items.map((item) => item.items?.length > 0 ? item.items[0].text : item.text);
          assertEquals(
            namesOf(tested[i]),
            namesOf(real[i]),
            `${words.join(" ")} of ${members.length / 3}`,
          );
        });
      }
    } finally {
      await pair.stop();
    }
  },
});
