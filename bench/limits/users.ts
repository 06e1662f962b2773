/** Many users, many rules: what they take, how long a file of them is read, and what a call of such a user costs. */

import { encodeCommand } from "../compare/client.ts";
import type { Bench } from "./bench.ts";
import { FIGURE, type LimitsCase, ratioAtMost } from "./cases.ts";

const USERS = 10_000;
/** Calls that are sent before their replies are read. */
const BATCH = 1_000;
const CALLS = 100_000;
const PATTERNS = 1_000;
const FILE = "users.acl";

/** Below these, differences are the machine's. */
const TIME_SLACK_MS = 50;

/** Users are changed by people, a few at a time: what such a change takes matters less than what calls take. */
const CHANGE_BARS = {
  [FIGURE.time]: ratioAtMost(3, TIME_SLACK_MS),
  [FIGURE.stall]: ratioAtMost(3, TIME_SLACK_MS),
};
const CALL_BARS = { [FIGURE.time]: ratioAtMost(1.5, TIME_SLACK_MS) };

const encoder = new TextEncoder();

/** Rules as people give them: categories, some commands, two patterns. */
const rulesOf = (i: number) => [
  "on",
  `>password${i}`,
  "+@read",
  "+@write",
  "-@dangerous",
  "+config|get",
  `~user:${i}:*`,
  "%R~shared:*",
  `&news:${i}`,
];

/** Sends calls in batches, and lets their replies go. */
async function callAll(
  bench: Bench,
  count: number,
  call: (i: number) => string[],
): Promise<void> {
  const { client } = bench.server;
  for (let i = 0; i < count; i += BATCH) {
    let text = "";
    for (let n = i; n < i + BATCH; n++) text += encodeCommand(...call(n));
    await client.send(encoder.encode(text));
    await client.skip(BATCH);
  }
}

const makeUsers = (bench: Bench) =>
  callAll(bench, USERS, (i) => ["ACL", "SETUSER", `user${i}`, ...rulesOf(i)]);

/** What GET costs a user who may do this much. */
function getAs(title: string, rules: string[]): LimitsCase {
  return {
    title: `${CALLS} times GET by a user with ${title}`,
    expectedMs: 3_000,
    prepare: async (bench) => {
      await bench.call("ACL", "SETUSER", "u", "on", "nopass", ...rules);
      await bench.call("AUTH", "u", "x");
    },
    run: (bench) => bench.watch(() => callAll(bench, CALLS, (i) => ["GET", `key:${i}`])),
    bars: CALL_BARS,
  };
}

export const USERS_AND_RULES: LimitsCase[] = [
  {
    title: `ACL SETUSER of ${USERS} users`,
    expectedMs: 5_000,
    run: async (bench) => {
      const figures = await bench.watch(() => makeUsers(bench));
      return { ...figures, ...await bench.memoryAfter(200) };
    },
    bars: CHANGE_BARS,
  },
  {
    title: `ACL LIST of ${USERS} users`,
    expectedMs: 5_000,
    prepare: makeUsers,
    run: (bench) => bench.watch(() => bench.exchange(["ACL", "LIST"])),
    bars: CHANGE_BARS,
  },
  {
    title: `ACL LOAD of ${USERS} users`,
    expectedMs: 5_000,
    run: async (bench) => {
      const lines = Array.from(
        { length: USERS },
        (_, i) => `user user${i} ${rulesOf(i).join(" ")}\n`,
      );
      await Deno.writeTextFile(`${bench.dir}/${FILE}`, lines.join(""));
      const server = await bench.startAnother(["--aclfile", FILE], bench.dir);
      return await bench.watch(() => server.call("ACL", "LOAD"), server);
    },
    bars: CHANGE_BARS,
  },
  getAs("all rights", ["+@all", "~*", "&*"]),
  getAs("three patterns of keys", ["+@all", "-flushall", "~user:*", "~cache:*", "~key:*"]),
  getAs(`${PATTERNS} patterns of keys`, [
    "+@all",
    ...Array.from({ length: PATTERNS - 1 }, (_, i) => `~user:${i}:*`),
    "~key:*",
  ]),
];
