/** Files of a simulated machine, which has to be as real ones are while nothing fails. */

import { World } from "../../src/runtime/simulated.ts";
import { Random } from "../support/random.ts";
import { filesSuite } from "./files_suite.ts";

filesSuite("simulated", () => {
  const world = new World(new Random(1).draw);
  const { files } = world.machine("a").start();
  return {
    files,
    folder: "/data",
    async settled(promise) {
      promise.catch(() => {}); // it is awaited below
      await world.run(1_000);
      return await promise;
    },
    [Symbol.dispose]: () => {},
  };
});
