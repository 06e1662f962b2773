/**
 * Scripts that take all the memory and time they can get, damaged codes and damaged libraries: each has to end as
 * an answer. Afterwards the engine has its memory back, and no other script finds anything that it has left.
 * Not covered: changes of data, which tests/commands/scripting has.
 */

import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { Crc64 } from "../../src/rdb/crc64.ts";
import { eventually } from "../support/eventually.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";
import {
  type TestClient,
  type TestServer,
  testServer,
  type Value,
} from "../support/test_server.ts";
import {
  anyBytes,
  damaged,
  drawnLibraries,
  hungryScript,
  leavingScript,
  luaText,
} from "./drawn_scripts.ts";

const LIMIT_BYTES = 8 << 20;
/** After this a script is killed: enough for most of those that fill the memory. */
const LONG_MS = 60;

/** A server with little memory for scripts, in which they are soon too long. */
function smallServer(): TestServer {
  const s = testServer({
    keepsStream: false,
    directives: { "lua-memory-limit": LIMIT_BYTES, "busy-reply-threshold": LONG_MS },
  });
  const { nowMs } = s.clock;
  const startedMs = performance.now();
  Object.defineProperty(s.clock, "nowMs", { get: () => nowMs + performance.now() - startedMs });
  return s;
}

/** Runs what is given as text, so that the engine compiles nothing that it would keep. */
const RUN = "return assert(loadstring(ARGV[1], '=drawn'))()";
const RUN_LIBRARY = `#!lua name=run
redis.register_function('run', function(keys, args)
  return assert(loadstring(args[1], '=drawn'))()
end)`;

/** Its answer; a script that does not end is killed. */
async function answerOf(s: TestServer, runner: TestClient, words: string[]): Promise<Value> {
  const reply = runner.run(...words);
  if (reply !== undefined) return reply;
  const killed = s.run(words[0] === "FCALL" ? "FUNCTION" : "SCRIPT", "KILL");
  assert(killed === "OK" || /^NOTBUSY/.test((killed as { error: string }).error), `${killed}`);
  const received = await eventually(() => {
    const replies = runner.received();
    assert(replies.length > 0);
    return replies;
  });
  return received[0];
}

/**
 * All that a script could find of others: every name there is, and what it is. Random numbers and settings of cjson
 * do go on from script to script, as in Redis.
 */
const LOOK_AROUND = `
local seen, lines = {}, {}
local function look(path, value)
  local kind = type(value)
  lines[#lines + 1] = path .. ' ' .. kind .. ' ' .. (kind == 'function' and '' or kind == 'table' and '' or tostring(value))
  if kind ~= 'table' or seen[value] then return end
  seen[value] = true
  local names = {}
  for name, field in next, value do names[#names + 1] = {tostring(name), field} end
  table.sort(names, function(a, b) return a[1] < b[1] end)
  for _, pair in ipairs(names) do look(path .. '.' .. pair[1], pair[2]) end
  look(path .. '<meta>', getmetatable(value))
end
look('_G', _G)
look('string', getmetatable(''))
return table.concat(lines, '\\n')
`;
/** A stack that has grown becomes smaller by half with each collection. */
const BYTES_USED = "for i = 1, 9 do collectgarbage() end return collectgarbage('count') * 1024";
/** What the tables of the engine may have grown by, and what is kept to write into. */
const BYTES_MORE = 100_000;

for (
  const [what, call, run] of [
    ["EVAL", ["EVAL", RUN, "0"], (s: TestServer) => s],
    ["FCALL", ["FCALL", "run", "0"], (s: TestServer) => {
      assertEquals(s.run("FUNCTION", "LOAD", RUN_LIBRARY), "run");
      return s;
    }],
  ] as const
) {
  const seed = fuzzSeed(1);
  Deno.test(`${what} of scripts that want all memory and time ends with an answer (seed ${seed})`, async () => {
    const random = new Random(seed);
    const s = run(smallServer());
    const runner = s.connect();
    const inEngine = (source: string) => s.run(...call, source);
    const around = inEngine(LOOK_AROUND);
    assert(typeof around === "string", JSON.stringify(around));
    const bytesUsed = inEngine(BYTES_USED) as number;
    let failed = 0;
    const rounds = fuzzRounds(60);
    for (let round = 0; round < rounds; round++) {
      const source = random.below(3) === 0 ? leavingScript(random) : hungryScript(random);
      const context = `seed ${seed}, round ${round}: ${source}`;
      try {
        const reply = await answerOf(s, runner, [...call, source]);
        if (reply !== null && typeof reply === "object" && "error" in reply) failed++;
        assertEquals(s.run("PING"), "PONG");
        assertEquals(inEngine(LOOK_AROUND), around);
        const used = inEngine(BYTES_USED) as number;
        assert(used < bytesUsed + BYTES_MORE, `${used} bytes used, ${bytesUsed} before`);
        const faults = s.logLines.filter((line) =>
          /^\S+ .* # /.test(line) && !/Slow script/.test(line)
        );
        assertEquals(faults, []);
      } catch (error) {
        throw new Error(context, { cause: error });
      }
      s.logLines.length = 0;
    }
    assert(failed > rounds / 10, `only ${failed} of ${rounds} ended with an error`);
  });
}

/**
 * What three libraries make of bytes that are no code of theirs. What they read is written, and what was written is
 * read again as the same.
 */
const READ_AND_WRITE = `
local function same(a, b)
  if type(a) ~= type(b) then return false end
  if type(a) ~= 'table' then return a == b or a ~= a and b ~= b end
  for key, value in next, a do
    if type(key) == 'table' then return true end
    if not same(value, b[key]) then return false end
  end
  for key in next, b do if a[key] == nil and type(key) ~= 'table' then return false end end
  return true
end
local read, write, text = ...
local is_read, value = pcall(read, text)
if not is_read then return 'refused' end
local is_written, first = pcall(write, value)
if not is_written then return 'read' end
local again = read(first)
local second = read(write(again))
if not same(again, second) then error('not the same') end
return 'written'
`;
const CODECS: Record<string, string> = {
  cmsgpack: "cmsgpack.unpack, cmsgpack.pack",
  cjson: "cjson.decode, cjson.encode",
};
const DRAWN_VALUES = [
  "{1, 2, {3, {a = {}}}, 'x', 1.5, -7, true, cjson.null}",
  "{a = {b = {c = {}}}, d = ('x'):rep(40), e = 2^40, f = -2^31, g = 1e300}",
  "('text'):rep(9)",
  "{{}, {{}}, {[1] = 1, [3] = 3}, {x = 1, [1] = 2}}",
  "-129",
];

for (const [library, functions] of Object.entries(CODECS)) {
  const seed = fuzzSeed(23);
  Deno.test(`${library} of damaged codes gives a value or an error (seed ${seed})`, () => {
    const random = new Random(seed);
    const s = smallServer();
    const [, pack] = functions.split(", ");
    const codes = DRAWN_VALUES.map((value) =>
      s.run("EVAL", RUN, 0, `return ${pack}(${value})`) as string
    );
    const call = `return loadstring(${luaText(READ_AND_WRITE)}, '=run')(${functions}, ARGV[1])`;
    const used = s.run("EVAL", BYTES_USED, 0) as number;
    const outcomes = new Map<string, number>();
    const rounds = fuzzRounds(2_000);
    for (let round = 0; round < rounds; round++) {
      const code = random.below(4) === 0
        ? anyBytes(random, 60)
        : damaged(random, random.pick(codes));
      const context = () => `seed ${seed}, round ${round}: ${luaText(code)}`;
      const outcome = s.run("EVAL", call, 0, code);
      if (typeof outcome !== "string") throw new Error(`${context()}: ${JSON.stringify(outcome)}`);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    assert((outcomes.get("refused") ?? 0) > rounds / 20, `${[...outcomes]}`);
    assert((outcomes.get("written") ?? 0) > rounds / 20, `${[...outcomes]}`);
    const usedAfter = s.run("EVAL", BYTES_USED, 0) as number;
    assert(usedAfter < used + BYTES_MORE, `${usedAfter} bytes used, ${used} before`);
  });
}

{
  const seed = fuzzSeed(29);
  Deno.test(`struct of drawn formats gives values or an error (seed ${seed})`, () => {
    const random = new Random(seed);
    const s = smallServer();
    const script = `
      local format, text = ARGV[1], ARGV[2]
      local values = {pcall(struct.unpack, format, text, tonumber(ARGV[3]))}
      pcall(struct.size, format)
      if not values[1] then return 'refused' end
      values[#values] = nil
      local ok, packed = pcall(struct.pack, format, unpack(values, 2))
      return ok and 'written' or 'read'`;
    const outcomes = new Map<string, number>();
    const rounds = fuzzRounds(2_000);
    for (let round = 0; round < rounds; round++) {
      const format = Array.from(
        { length: 1 + random.below(5) },
        () =>
          random.pick([
            ..."<>!=bBhHlLTiIfdsxc",
            "c0",
            "i3",
            "I8",
            "!4",
            "c9",
            "Bc0",
            "i99",
            "l",
            "\0",
            "z",
          ]),
      )
        .join("");
      const text = anyBytes(random, 80);
      const at = random.pick(["1", "1", "2", "0", "-1", "90", "1e10", "0.5"]);
      const outcome = s.run("EVAL", script, 0, format, text, at);
      const context = `seed ${seed}, round ${round}: ${luaText(format)} ${luaText(text)} ${at}`;
      if (typeof outcome !== "string") throw new Error(`${context}: ${JSON.stringify(outcome)}`);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    assert((outcomes.get("refused") ?? 0) > rounds / 20, `${[...outcomes]}`);
    assert((outcomes.get("written") ?? 0) > rounds / 20, `${[...outcomes]}`);
  });

  Deno.test(`FUNCTION RESTORE of damaged payloads restores all or nothing (seed ${seed})`, () => {
    const random = new Random(seed);
    const source = testServer({ directives: { rdbcompression: false } });
    for (const code of drawnLibraries()) {
      const loaded = source.run("FUNCTION", "LOAD", code);
      assert(typeof loaded === "string", JSON.stringify(loaded));
    }
    const whole = latin1(source.run("FUNCTION", "DUMP") as string);
    const target = testServer({ keepsStream: false });
    let restored = 0;
    const rounds = fuzzRounds(300);
    for (let round = 0; round < rounds; round++) {
      const payload = latin1(damaged(random, toLatin1(whole.subarray(0, -10))) + "\0".repeat(10));
      payload.set(whole.subarray(-10, -8), payload.length - 10);
      const crc = new Crc64();
      crc.update(payload, 0, payload.length - 8);
      crc.writeTo(payload, payload.length - 8);
      const policy = random.pick(["FLUSH", "REPLACE", "APPEND"]);
      const context = `seed ${seed}, round ${round}: ${policy} ${luaText(toLatin1(payload))}`;
      try {
        const before = target.run("FUNCTION", "LIST", "WITHCODE");
        const reply = target.run("FUNCTION", "RESTORE", toLatin1(payload), policy);
        const after = target.run("FUNCTION", "LIST", "WITHCODE") as Value[];
        if (reply === "OK") restored++;
        else {
          assert(reply !== null && typeof reply === "object" && "error" in reply, `${reply}`);
          assert(!/internal error/.test(`${reply.error}`), `${reply.error}`);
          assertEquals(after, before);
        }
        for (const library of after as Value[][]) {
          for (const each of library[5] as Value[][]) {
            target.run("FCALL", each[1] as string, 1, "k", "v");
          }
        }
        if (reply === "OK") {
          const copy = testServer({ keepsStream: false });
          const dumped = target.run("FUNCTION", "DUMP") as string;
          assertEquals(copy.run("FUNCTION", "RESTORE", dumped), "OK");
          assertEquals(copy.run("FUNCTION", "LIST", "WITHCODE"), after);
        }
        if (random.below(4) === 0) target.run("FUNCTION", "FLUSH");
      } catch (error) {
        throw new Error(context, { cause: error });
      }
    }
    assert(restored > rounds / 20 && restored < rounds, `${restored} of ${rounds} were restored`);
  });
}
