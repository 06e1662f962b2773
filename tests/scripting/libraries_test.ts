import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { type Interrupter, LuaError, LuaState, STATUS_OK } from "../../src/scripting/lua_state.ts";

const NEVER: Interrupter = {
  interrupt: () => true,
  untilResumed: () => Promise.resolve(),
};

/** Lets a script go on when it is asked for the first time, and ends it then. */
const SOON_OVER = (): Interrupter => {
  let asked = 0;
  return {
    interrupt: () => {
      if (++asked > 1) throw new LuaError("took too long", false);
      return true;
    },
    untilResumed: () => Promise.resolve(),
  };
};

function newState(interrupter = NEVER, bytesMax = 64 << 20): LuaState {
  return new LuaState(bytesMax, interrupter);
}

/** Runs a chunk: its first result as text, or its error. */
function run(source: string, lua = newState()): string | null {
  if (lua.load(latin1(source), "=chunk") === STATUS_OK) lua.protectedCall(0, 1);
  const text = lua.text(-1);
  lua.top = 0;
  return text;
}

/** What redis-server 7.0.15 returned. */
const RESULTS: readonly (readonly [string, string])[] = [
  [`return cjson.encode({1, 2.5, "x/y", true, cjson.null})`, `[1,2.5,"x\\/y",true,null]`],
  [`return cjson.encode({})`, `{}`],
  [`return cjson.encode({[1] = 1, [4] = 2})`, `[1,null,null,2]`],
  [
    `return cjson.encode({[1] = 1, [40] = 2})`,
    `chunk:1: Cannot serialise table: excessively sparse array`,
  ],
  [`return cjson.encode("\\0\\31\\127\\200")`, `"\\u0000\\u001f\\u007f\xc8"`],
  [
    `return cjson.encode({1e15, 2^53, 0.1, 1/3, -0, 1e14, 1e-5})`,
    "[1e+15,9.007199254741e+15,0.1,0.33333333333333,-0,1e+14,1e-05]",
  ],
  [`return cjson.encode(0/0)`, `chunk:1: Cannot serialise number: must not be NaN or Inf`],
  [
    `return cjson.encode({[true] = 1})`,
    `chunk:1: Cannot serialise boolean: table key must be a number or string`,
  ],
  [`return cjson.encode(pcall)`, `chunk:1: Cannot serialise function: type not supported`],
  [`return cjson.encode()`, `chunk:1: bad argument #1 to 'encode' (expected 1 argument)`],
  [`return cjson.decode('"\\\\u20ac\\\\ud83d\\\\ude00"')`, "\xe2\x82\xac\xf0\x9f\x98\x80"],
  [`return cjson.decode('[1,]')`, `chunk:1: Expected value but found T_ARR_END at character 4`],
  [`return cjson.decode('{"a" 1}')`, `chunk:1: Expected colon but found T_NUMBER at character 6`],
  [
    `return cjson.decode('"a')`,
    `chunk:1: Expected value but found unexpected end of string at character 3`,
  ],
  [
    `return cjson.decode('[1] x')`,
    `chunk:1: Expected the end but found invalid token at character 5`,
  ],
  [`return tostring(cjson.null)`, `userdata: (nil)`],
  [
    `return cmsgpack.pack({1, -33, 1.5, "a", {a = false}})`,
    "\x95\x01\xd0\xdf\xca\x3f\xc0\x00\x00\xa1a\x81\xa1a\xc2",
  ],
  [`return cmsgpack.unpack("\\193")`, `chunk:1: Bad data format in input.`],
  [`return cmsgpack.unpack("\\146\\1")`, `chunk:1: Missing bytes in input.`],
  [`return cmsgpack.pack()`, `chunk:1: bad argument #0 to 'pack' (MessagePack pack needs input.)`],
  [
    `return struct.pack(">I2<i3!4bI4", 258, -2, 1, 5)`,
    "\x01\x02\xfe\xff\xff\x01\x00\x00\x05\x00\x00\x00",
  ],
  [`return struct.size("!8bd")`, `16`],
  [`return struct.pack("i", nil)`, `chunk:1: bad argument #2 to 'pack' (number expected, got nil)`],
  [
    `return struct.unpack("I4", "abc")`,
    `chunk:1: bad argument #2 to 'unpack' (data string too short)`,
  ],
  [`return struct.pack("z")`, `chunk:1: bad argument #1 to 'pack' (invalid format option 'z')`],
  [
    `return bit.tohex(-1) .. bit.tohex(255, -4) .. bit.bxor(5, 3, 2^32 + 8) .. bit.rol(1, 31)`,
    "ffffffff00FF14-2147483648",
  ],
  [`return bit.band("x")`, `chunk:1: bad argument #1 to 'band' (number expected, got string)`],
  [
    `local t = {} for i = 1, 9 do t[("k"):rep(40) .. i .. ("x"):rep(i)] = i end local o = "" for _, v in pairs(t) do o = o .. v end return o`,
    `159824637`,
  ],
  [`math.randomseed(1) return math.random(1000000)`, `41631`],
]; // deno-fmt-ignore

for (const [source, expected] of RESULTS) {
  Deno.test(`a script has the libraries' results and errors: ${source}`, () => {
    assertEquals(run(source), expected);
  });
}

Deno.test("bit.tohex takes the smallest integer as a number of digits", () => {
  assertEquals(run("return bit.tohex(255, -2147483648)"), "000000FF");
});

const LARGE: Readonly<Record<string, string>> = {
  "cjson.encode": "return cjson.encode(('\\1'):rep(8e6))",
  "cjson.decode": "return cjson.decode('[' .. ('1,'):rep(5e6) .. '1]')",
  "cmsgpack.pack":
    "local s, t = ('x'):rep(1e6), {} for i = 1, 90 do t[i] = s end return cmsgpack.pack(t)",
  "cmsgpack.unpack": "return cmsgpack.unpack('\\221\\255\\255\\255\\255' .. ('\\1'):rep(5e6))",
  "struct.pack": "local s = ('x'):rep(9e6) return struct.pack('ssss', s, s, s, s)",
};

for (const [name, source] of Object.entries(LARGE)) {
  Deno.test(`${name} beyond the limit of memory is an error, and leaves no memory behind`, () => {
    const lua = newState(NEVER, 32 << 20);
    assertEquals(run(source, lua), "not enough memory");
    run("cjson.encode(1)", lua); // the next one gives back what the last one wrote into
    lua.collect();
    assert(lua.bytesUsed < 1 << 20, `${lua.bytesUsed}`);
    assertEquals(run("return cjson.encode({1})", lua), "[1]");
  });
}

const LONG: Readonly<Record<string, string>> = {
  "table.insert far below the first element": "table.insert({}, -2147483648, 1)",
  "a search for a long string":
    "local s = ('a'):rep(4e6) s:find(('a'):rep(2e6) .. 'b' .. ('a'):rep(1e5), 1, true)",
  "a search for balanced brackets": "return ('('):rep(4e6):find('%b()')",
  "a class of many bytes": "return ('a'):rep(4e6):find('[' .. ('b'):rep(1e6) .. ']+c')",
  "a pattern with many ways": "return ('x'):rep(40):find(('x-'):rep(30) .. 'y')",
  "cmsgpack.pack of tables that are in one another many times":
    "local t = {} for i = 1, 14 do t = {t, t, t, t, t} end cmsgpack.pack(t)",
  "cjson.encode of tables that are in one another many times":
    "local t = {} for i = 1, 40 do t = {t, t, t} end cjson.encode(t)",
  "a loop over strings of megabytes":
    "local s = ('x'):rep(5e6) for i = 1, 2000 do local t = s .. 'y' end",
  "a call with ever more arguments": "local function f(...) return f(1, ...) end return f()",
  "table.sort": "local t = {} for i = 1, 2e5 do t[i] = -i % 7919 end table.sort(t)",
};

for (const [name, source] of Object.entries(LONG)) {
  Deno.test(`${name} can be ended before it is over`, () => {
    const lua = newState(SOON_OVER(), 256 << 20);
    lua.askEvery(100_000);
    assertEquals(run(source, lua), "took too long");
  });
}

Deno.test("a script has no function of Lua that reaches beyond it", () => {
  const names = [
    "getfenv",
    "setfenv",
    "newproxy",
    "print",
    "dofile",
    "loadfile",
    "os",
    "io",
    "debug",
    "require",
  ];
  for (const name of names) assertEquals(run(`return tostring(${name})`), "nil", name);
});
