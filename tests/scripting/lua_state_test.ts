import { assert, assertEquals, assertThrows } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { Words } from "../../src/resp/words.ts";
import {
  ALL_RESULTS,
  EngineFault,
  GLOBALS,
  type Interrupter,
  LuaError,
  LuaState,
  STATUS_ERROR,
  STATUS_MEMORY,
  STATUS_OK,
  STATUS_SUSPENDED,
  STATUS_SYNTAX,
  TYPE_NUMBER,
  TYPE_STRING,
  TYPE_TABLE,
} from "../../src/scripting/lua_state.ts";

const NEVER: Interrupter = {
  interrupt: () => true,
  untilResumed: () => Promise.resolve(),
};

function newState(interrupter = NEVER, bytesMax = 64 << 20): LuaState {
  return new LuaState(bytesMax, interrupter);
}

/** The string that was taken. */
function takenText(lua: LuaState): string {
  assertEquals(lua.takenType, TYPE_STRING);
  return toLatin1(lua.memory, lua.takenAddress, lua.takenLength);
}

/** Runs a chunk: its first result as text, or its error. */
function run(lua: LuaState, source: string): string | null {
  if (lua.load(latin1(source), "=chunk") === STATUS_OK) lua.protectedCall(0, 1);
  const text = lua.text(-1);
  lua.top = 0;
  return text;
}

Deno.test("a string goes in and comes out with each of the 256 bytes", () => {
  const lua = newState();
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  lua.pushFunction((inner) => {
    assertEquals(inner.view(1), all);
    inner.pushBytes(inner.bytes(1)!);
    return 1;
  });
  lua.pushBytes(all);
  assertEquals(lua.protectedCall(1, 1), STATUS_OK);
  assertEquals(lua.bytes(-1), all);
});

Deno.test("a string larger than the scratch memory goes in and comes out", () => {
  const lua = newState();
  const large = new Uint8Array(3_000_000).fill(0xfe);
  lua.pushBytes(large);
  assertEquals(lua.length(-1), large.length);
  assertEquals(lua.bytes(-1), large);
});

Deno.test("an error of a function has the position of its caller", () => {
  const lua = newState();
  lua.pushFunction(() => {
    throw new LuaError("no good");
  });
  lua.setField(GLOBALS, "fail");
  assertEquals(run(lua, "\nfail()"), "chunk:2: no good");
  assertEquals(run(lua, "return select(2, pcall(fail))"), "no good");
});

Deno.test("an argument of the wrong type is refused in Lua's words", () => {
  const lua = newState();
  lua.pushFunction((inner) => {
    inner.pushNumber(inner.checkNumber(1) + 1);
    return 1;
  });
  lua.setField(GLOBALS, "plus");
  assertEquals(run(lua, "return plus(41)"), "42");
  assertEquals(
    run(lua, "return plus({})"),
    "chunk:1: bad argument #1 to 'plus' (number expected, got table)",
  );
});

Deno.test("a chunk that does not compile is a syntax error", () => {
  const lua = newState();
  assertEquals(lua.load(latin1("return ("), "=chunk"), STATUS_SYNTAX);
  assertEquals(lua.text(-1), "chunk:1: unexpected symbol near '<eof>'");
});

Deno.test("a compiled chunk is not loaded", () => {
  const lua = newState();
  assertEquals(
    run(lua, "return tostring(loadstring(string.dump(function() end)))"),
    "nil",
  );
});

Deno.test("a read-only table cannot be changed", () => {
  const lua = newState();
  lua.newTable();
  lua.pushNumber(1);
  lua.setField(-2, "a");
  lua.setReadOnly(-1, true);
  lua.setField(GLOBALS, "t");
  const text = "Attempt to modify a readonly table";
  assertEquals(run(lua, "t.a = 2"), `chunk:1: ${text}`);
  assertEquals(run(lua, "t.b = 2"), `chunk:1: ${text}`);
  assertEquals(run(lua, "return select(2, pcall(rawset, t, 'a', 2))"), text);
  assertEquals(run(lua, "return select(2, pcall(setmetatable, t, {}))"), text);
  assertEquals(run(lua, "return select(2, pcall(table.insert, t, 2))"), text);
  assertEquals(run(lua, "return t.a"), "1");
});

for (
  const [what, source] of [
    ["a string", "return #string.rep('x', 200000000)"],
    ["a table", "local t = {} for i = 1, 1e9 do t[i] = i end"],
    ["a growing string", "local s = 'x' while true do s = s .. s end"],
  ]
) {
  Deno.test(`${what} beyond the limit of memory ends the script, and the next one runs`, () => {
    const lua = newState(NEVER, 8 << 20);
    assertEquals(lua.load(latin1(source), "=chunk"), STATUS_OK);
    assertEquals(lua.protectedCall(0, ALL_RESULTS), STATUS_MEMORY);
    assertEquals(lua.text(-1), "not enough memory");
    lua.top = 0;
    assertEquals(run(lua, "return 1"), "1");
  });
}

for (
  const [what, source, error] of [
    ["recursion", "local function f() return 1 + f() end f()", "chunk:1: stack overflow"],
    ["recursion in C", "local function f() pcall(f) error('deep') end f()", "chunk:1: deep"],
    ["nesting", `return ${"(".repeat(300)}1${")".repeat(300)}`, "chunk:1: chunk has too many"],
    ["a pattern", "return ('a'):rep(5000):find(('a?'):rep(5000))", "chunk:1: pattern too complex"],
  ]
) {
  Deno.test(`${what} without end is an error of the script`, () => {
    const lua = newState();
    const text = run(lua, source);
    assert(text!.startsWith(error), text!);
    assertEquals(run(lua, "return 1"), "1");
  });
}

Deno.test("a pattern that tries everything asks the interrupter", () => {
  let asked = 0;
  const lua = newState({
    interrupt: () => {
      if (++asked === 3) throw new LuaError("enough");
      return true;
    },
    untilResumed: () => Promise.resolve(),
  });
  const text = run(lua, "return ('a'):rep(40):find(('.-'):rep(20) .. 'b')");
  assertEquals(text, "chunk:1: enough");
});

for (
  const [where, source] of [
    ["", "while not stop do end return 'over'"],
    [" in pcall", "pcall(function() while not stop do end end) return 'over'"],
    [
      " in a comparison of sort",
      "table.sort({1,2,3}, function(a, b) while not stop do end return a < b end) return 'over'",
    ],
    [
      " in a coroutine",
      "return coroutine.wrap(function() while not stop do end return 'over' end)()",
    ],
    [
      " in pcall of a pcall that is a result",
      "local p = ({pcall})[1] return (select(3, p(p, function() while not stop do end error('over', 0) end)))",
    ],
    [
      " in a function of xpcall",
      "return select(2, xpcall(function() while not stop do end return 'over' end, tostring))",
    ],
    [
      " in what gsub calls",
      "return (('x'):gsub('x', function() while not stop do end return 'over' end))",
    ],
    [
      " in what a for loop calls",
      "for x in function() while not stop do end return 'over' end do return x end",
    ],
    [
      " in a metamethod",
      "return setmetatable({}, {__index = function() while not stop do end return 'over' end}).x",
    ],
    [
      " in what load calls",
      "local n = 0 return load(function() n = n + 1 while not stop do end return n == 1 and 'return \\'over\\'' or nil end)()",
    ],
    [
      " behind a function found by its name",
      "return _G['pc' .. 'all'](function() while not stop do end end) and 'over'",
    ],
    [
      " in functions that call one another as their last act",
      "local a, b function a(n) if stop then return 'over' end return b(n + 1) end function b(n) return a(n + 1) end return a(0)",
    ],
    [
      " in nested functions with varying numbers of arguments",
      `local function sum(...)
         local n = 0
         for i = 1, select('#', ...) do n = n + (select(i, ...)) end
         while not stop do n = n + 1 end
         return n > 6 and 'over' or 'wrong', ...
       end
       local function through(...) return (sum(...)) end
       return through(unpack({1, 2, 3}))`,
    ],
  ]
) {
  Deno.test(`a loop${where} is suspended and goes on`, async () => {
    let asked = 0;
    let resumed = 0;
    const lua: LuaState = newState({
      interrupt: (inner, canSuspend) => {
        assert(canSuspend);
        if (++asked < 3) return true;
        if (asked < 6) return "suspend";
        inner.pushBoolean(true);
        inner.setField(GLOBALS, "stop");
        return true;
      },
      untilResumed: () => {
        resumed++;
        return Promise.resolve();
      },
    });
    lua.askEvery(1000);
    lua.load(latin1(source), "=chunk");
    const status = await new Promise<number | EngineFault>((resolve) => {
      assertEquals(lua.enter(lua.ref(), 0, 0, false, resolve), STATUS_SUSPENDED);
    });
    assertEquals(status, STATUS_OK);
    assertEquals(takenText(lua), "over");
    assertEquals([asked, resumed], [6, 3]);
  });
}

for (
  const [what, source, expected] of [
    ["pcall as the last act", "return pcall(error, 'x', 0)", "x"],
    ["pcall with the results of a call", "return (select(2, pcall(unpack({error, 'x', 0}))))", "x"],
    [
      "pcall within functions",
      "local function f(...) local r = {pcall(...)} return #r .. tostring(r[2]) end return f(error, 'x', 0) .. f(select, 2, 1, 5)",
      "2x25",
    ],
    [
      "find in a loop",
      "local n = 0 for i = 1, 50 do n = n + (('ab'):find('b')) end return n .. ''",
      "100",
    ],
    [
      "gmatch in a loop",
      "local t = {} for w in ('a b c'):gmatch('%a') do t[#t + 1] = w end return table.concat(t)",
      "abc",
    ],
    [
      "a function of Lua in a loop",
      "local function upTo(n) local i = 0 return function() i = i + 1 if i <= n then return i end end end " +
      "local s = '' for i in upTo(3) do s = s .. i end return s",
      "123",
    ],
    [
      "pairs in a loop",
      "local n = 0 for k, v in pairs({1, 2, a = 3}) do n = n + v end return n .. ''",
      "6",
    ],
    [
      "an upvalue that lives on",
      "local x = 1 local function up() x = x + 1 return x end pcall(up) up() return x .. ''",
      "3",
    ],
    [
      "a loop of many instructions",
      "local n = 0 for i = 1, 300000 do n = n + 1 end return n .. ''",
      "300000",
    ],
    [
      "many frames",
      "local function down(n) if n == 0 then return select(2, pcall(error, 'x', 0)) end local r = down(n - 1) return r .. '' end " +
      "return down(150)",
      "x",
    ],
  ]
) {
  Deno.test(`a script that has moved to where it can be suspended goes on where it was: ${what}`, () => {
    const lua = newState();
    lua.askEvery(100_000);
    lua.load(latin1(source), "=chunk");
    const ref = lua.ref();
    // The first time it moves, after that it begins there.
    for (let i = 0; i < 3; i++) {
      assertEquals(lua.enter(ref, 0, 0, false, () => assert(false)), STATUS_OK);
      if (!source.startsWith("return pcall")) assertEquals(takenText(lua), expected);
      assertEquals(lua.top, 1, "nothing but the handler of errors is left");
    }
  });

  Deno.test(`and an error behind it has its place: ${what}`, () => {
    const lua = newState();
    lua.askEvery(100_000);
    lua.load(latin1(`local function f() ${source} end f()\nerror('here')`), "=chunk");
    const ref = lua.ref();
    for (let i = 0; i < 2; i++) {
      assertEquals(lua.enter(ref, 0, 0, false, () => assert(false)), STATUS_ERROR);
      lua.getField(-1, "err");
      assertEquals(lua.text(-1), "ERR chunk:2: here");
      lua.top = 0;
    }
  });
}

Deno.test("enter answers at once where nothing is suspended", () => {
  const lua = newState();
  lua.load(latin1("return 'x', error('y')"), "=chunk");
  const never = () => assert(false);
  assertEquals(lua.enter(lua.ref(), 0, 0, false, never), STATUS_ERROR);
  assertEquals(lua.type(-1), TYPE_TABLE);
  lua.getField(-1, "err");
  assertEquals(lua.text(-1), "ERR chunk:1: y");
  lua.pop();
  lua.getField(-1, "line");
  assertEquals(lua.toNumber(-1), 1);
});

Deno.test("enter hands words to a function, or makes them globals that stay closed", () => {
  const lua = newState();
  lua.setReadOnly(GLOBALS, true);
  const large = new Uint8Array(100_000).fill(0xff);
  const words = Words.of("f", "k\0", "", large);
  const never = () => assert(false);

  lua.load(latin1("local k, a = ... return k[1] .. #k .. #a[1] .. a[2]"), "=chunk");
  const ref = lua.ref();
  assert(lua.giveWords(words, 1, 3));
  assertEquals(lua.enter(ref, 1, 2, false, never), STATUS_OK);
  assertEquals(takenText(lua), "k\0" + "10" + toLatin1(large));

  lua.load(latin1("return {KEYS[1], KEYS[2], ARGV[1], #ARGV}"), "=chunk");
  assert(lua.giveWords(words, 1, 3));
  assertEquals(lua.enter(lua.ref(), 2, 1, true, never), STATUS_OK);
  assertEquals(lua.takenType, TYPE_TABLE);
  assertEquals([lua.takeElement(1), takenText(lua)], [TYPE_STRING, "k\0"]);
  assertEquals([lua.takeElement(2), takenText(lua)], [TYPE_STRING, ""]);
  assertEquals([lua.takeElement(3), takenText(lua)], [TYPE_STRING, toLatin1(large)]);
  assertEquals([lua.takeElement(4), lua.takenNumber], [TYPE_NUMBER, 1]);

  lua.load(latin1("KEYS = nil"), "=chunk");
  assert(lua.giveWords(words, 1, 0));
  assertEquals(lua.enter(lua.ref(), 0, 0, true, never), STATUS_ERROR);
});

Deno.test("words that do not fit into memory are not handed in, and smaller ones are", () => {
  const lua = newState(NEVER, 1 << 20);
  const words = Words.of("f", new Uint8Array(64 << 20));
  assertEquals(lua.giveWords(words, 1, 1), false);
  assertEquals(lua.giveWords(words, 0, 1), true);
});

Deno.test("blocks of all sizes come and go, and what they held is right", () => {
  const lua = newState(NEVER, 32 << 20);
  const source = `
    local seed, kept, count = 1, {}, 0
    local function draw(n) seed = (seed * 16807) % 2147483647 return seed % n end
    for i = 1, 40000 do
      local size = draw(4) == 0 and draw(3000) or draw(160)
      kept[draw(400)] = string.rep(string.char(97 + size % 26), size) .. i
    end
    for _, text in pairs(kept) do
      local run, number = text:match('^(%a*)(%d+)$')
      local letter = string.char(97 + #run % 26)
      assert(run == string.rep(letter, #run), text)
      count = count + 1
    end
    return count`;
  assertEquals(run(lua, source), "400");
  const before = lua.bytesUsed;
  assertEquals(run(lua, source), "400");
  assert(lua.bytesUsed < 2 * before, "what is not held any more is collected");
});

Deno.test("memory that small blocks have taken serves larger ones, but for a part", () => {
  const lua = newState(NEVER, 24 << 20);
  const source = (size: number) =>
    `local t = {} for i = 1, ${Math.floor((14 << 20) / (size + 40))} do
      t[i] = string.rep('x', ${size - 7}) .. string.format('%07d', i) end return #t`;
  for (const size of [24, 72, 104, 30_000]) {
    assert(Number(run(lua, source(size))) > 0, `strings of ${size} bytes`);
    lua.collect();
  }
});

Deno.test("a fault of a function of the host ends the state", () => {
  const lua = newState();
  lua.pushFunction(() => {
    throw new TypeError("ours");
  });
  const ref = lua.ref();
  assertThrows(() => lua.enter(ref, 0, 0, false, () => assert(false)), EngineFault);
});

Deno.test("numbers have the text that C gives them", () => {
  const lua = newState();
  assertEquals(
    run(lua, "return tostring(0.1) .. ' ' .. 1e15 .. ' ' .. 2^53 .. ' ' .. 1/0"),
    "0.1 1e+15 9.007199254741e+15 inf",
  );
  assertEquals(
    run(lua, "return string.format('%d %.3f %5.1f %x', 2^40, 1/3, 2.25, 255)"),
    "1099511627776 0.333   2.2 ff",
  );
  assertEquals(lua.format("%.17g", 0.1), "0.10000000000000001");
});
