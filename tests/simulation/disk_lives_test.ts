/**
 * The lives of disk_lives.ts, for a few seeds. TSREDIS_FUZZ_FACTOR=200 has it take so many times as many;
 * `deno task simulate:disk` does so for as long as it is told.
 */

import { assert } from "@std/assert";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { DiskLives, WAYS } from "./disk_lives.ts";

for (const way of WAYS) {
  const name = way === "snapshots" ? "snapshots keep their" : `appendfsync ${way} keeps its`;
  Deno.test(`${name} promise through kills, power cuts and failing disks`, async () => {
    const first = fuzzSeed(1);
    let writes = 0;
    let rewrites = 0;
    let undone = 0;
    for (let seed = first; seed < first + fuzzRounds(4); seed++) {
      const lives = new DiskLives(seed, way);
      await lives.play();
      writes += lives.writes;
      rewrites += lives.rewrites;
      undone += lives.undone;
    }
    assert(writes > 1000 && rewrites > 20, `${writes} writes, ${rewrites} rewrites`);
    assert(way === "snapshots" || undone > 20, `${undone} datasets brought back`);
  });
}
