/**
 * The libraries of scripts beside redis-server's own: some thousand scripts that a seed draws, on both.
 * The engine runs alone here, without a server around it.
 */

import { assertEquals } from "@std/assert";
import { GLOBALS, LuaState, STATUS_OK } from "../../src/scripting/lua_state.ts";
import { latin1 } from "../../src/base/bytes.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";
import { hasRedisServer, startRealRedis } from "../support/real_redis.ts";
import { connect, type RespClient } from "../support/resp_client.ts";
import { anyCase, FIRST_SETTINGS, SHOWING } from "./script_cases.ts";
import { limitCases } from "./script_limits.ts";

const BATCH = 50;

function newEngine(): LuaState {
  return new LuaState(64 << 20, {
    interrupt: () => true,
    untilResumed: () => Promise.resolve(),
  });
}

/** What the engine shows of each case. */
function here(lua: LuaState, cases: readonly string[]): string[] {
  lua.newTable();
  cases.forEach((source, i) => {
    lua.pushText(source);
    lua.rawSetIndex(-2, i + 1);
  });
  lua.setField(GLOBALS, "ARGV");
  if (lua.load(latin1(SHOWING), "=showing") === STATUS_OK) lua.protectedCall(0, 1);
  const shown = cases.map((_, i) => {
    lua.rawGetIndex(1, i + 1);
    const text = lua.text(-1) ?? lua.typeName(-1);
    lua.pop();
    return text;
  });
  lua.top = 0;
  return shown;
}

/** What redis-server shows of each. */
async function there(client: RespClient, cases: readonly string[]): Promise<string[]> {
  const reply = await client.call("EVAL", SHOWING, "0", ...cases);
  if (reply.kind !== "array") throw new Error(`no list: ${JSON.stringify(reply)}`);
  return reply.items!.map((item) => item.kind === "bulk" ? item.text! : item.kind);
}

async function compare(batches: Iterable<string[]>): Promise<void> {
  const server = await startRealRedis();
  try {
    const client = await connect(server.port);
    const lua = newEngine();
    for (const cases of batches) {
      const expected = await there(client, cases);
      const actual = here(lua, cases);
      cases.forEach((source, i) => assertEquals(actual[i], expected[i], source));
    }
    client.close();
  } finally {
    await server.stop();
  }
}

function* drawn(seed: number, rounds: number): Generator<string[]> {
  const random = new Random(seed);
  for (let i = 0; i < rounds; i += BATCH) {
    yield [FIRST_SETTINGS, ...Array.from({ length: BATCH }, () => anyCase(random))];
  }
}

Deno.test({
  name: "EVAL gives what redis-server gives, in scripts about the libraries that a seed draws",
  ignore: !hasRedisServer,
  fn: async () => {
    const seed = fuzzSeed(7);
    console.log(`seed ${seed}`);
    await compare(drawn(seed, fuzzRounds(5_000)));
  },
});

Deno.test({
  name: "EVAL gives what redis-server gives at the limits of the libraries and of Lua",
  ignore: !hasRedisServer,
  fn: () => compare(limitCases().map((source) => [source])),
});
