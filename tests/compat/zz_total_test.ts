/** Runs last, by its name: prints how many calls all files of this run have compared. */

import { hasRedisServer } from "../support/real_redis.ts";
import { countCompared } from "./session.ts";

Deno.test({
  name: "the calls compared in this run are counted",
  ignore: !hasRedisServer,
  fn: () => console.log(`compared ${countCompared(0)} calls with redis-server 7.0.15`),
});
