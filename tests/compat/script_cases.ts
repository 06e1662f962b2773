/**
 * Scripts that a seed draws, about the libraries of Lua: codecs and bits with values, texts, formats
 * and settings of all kinds, most of them good and many of them damaged. Each is the source of a
 * function, and its results and errors are comparable as text (`SHOWING`).
 */

import type { Random } from "../support/random.ts";

/**
 * A script that runs each of its arguments as a function: a list of what they gave. Settings made by
 * one are there for those after it.
 */
export const SHOWING = `
local function show(value, depth)
  local kind = type(value)
  if kind == 'number' then return string.format('%.17g', value) end
  if kind == 'string' then return string.format('%q', value) end
  if kind == 'function' or kind == 'thread' then return kind end
  if kind ~= 'table' then return tostring(value) end
  if depth > 40 then return '...' end
  local parts, has_tables = {}, false
  for key, element in next, value do
    has_tables = has_tables or type(key) == 'table' -- their order is that of addresses
    parts[#parts + 1] = show(key, depth + 1) .. '=' .. show(element, depth + 1)
    if #parts > 300 then break end
  end
  if has_tables then table.sort(parts) end
  return '{' .. table.concat(parts, ',') .. '}'
end
local function collect(...)
  local parts = {}
  for i = 1, select('#', ...) do
    if i > 100 then break end
    parts[i] = show((select(i, ...)), 0)
  end
  return table.concat(parts, ' ')
end
local shown = {}
for i, source in ipairs(ARGV) do
  local work, fault = loadstring(source, '=case')
  shown[i] = work and collect(pcall(work)) or 'no script: ' .. fault
end
return shown
`;

const NUMBERS = [
  "0",
  "-0",
  "1",
  "-1",
  "2",
  "10",
  "15",
  "16",
  "31",
  "32",
  "33",
  "127",
  "128",
  "255",
  "256",
  "-32",
  "-33",
  "-128",
  "-129",
  "32767",
  "32768",
  "-32768",
  "-32769",
  "65535",
  "65536",
  "2147483647",
  "2147483648",
  "-2147483648",
  "-2147483649",
  "4294967295",
  "4294967296",
  "9007199254740991",
  "9007199254740993",
  "1e10",
  "1e13",
  "99999999999999",
  "1e14",
  "999999999999995e-1",
  "1e15",
  "2^53",
  "2^62",
  "2^63",
  "-2^63",
  "2^64",
  "2^64-2048",
  "-2^64",
  "1e100",
  "-1e100",
  "1e308",
  "5e-324",
  "1e-5",
  "1e-4",
  "0.1",
  "0.5",
  "1.5",
  "2.5",
  "-2.5",
  "0.1+0.2",
  "1/3",
  "100/3",
  "1e6/7",
  "1e14/3",
  "123456.789",
  "0.00012345678901234567",
  "9.9999999999999995",
  "99999.999999999995",
  "0.099999999999999999",
  "1.00000000000005",
  "math.huge",
  "-math.huge",
  "0/0",
  "-(0/0)",
  "math.pi",
  "1e21",
  "1e22",
  "1e23",
]; // deno-fmt-ignore

/** No position far below 1: redis-server moves up all elements from there on, for minutes. */
const INSERTED_AT = ["0", "1", "2", "3", "4", "-1", "-3", "'2'", "1.9", "100", "1e10", "2^32+2", "nil"];

const pick = <T>(random: Random, from: readonly T[]): T => from[random.below(from.length)];

/** A literal of Lua with these bytes. */
export function luaString(bytes: string): string {
  let text = "";
  for (const c of bytes) {
    const code = c.charCodeAt(0);
    text += code < 32 || code > 126 || c === '"' || c === "\\"
      ? `\\${String(code).padStart(3, "0")}`
      : c;
  }
  return `"${text}"`;
}

function anyBytes(random: Random, max: number): string {
  const length = random.below(4) === 0 ? random.below(max) : random.below(Math.min(max, 12));
  const isText = random.below(2) === 0;
  let bytes = "";
  for (let i = 0; i < length; i++) {
    bytes += String.fromCharCode(isText ? random.between(32, 126) : random.below(256));
  }
  return bytes;
}

function anyNumber(random: Random): string {
  switch (random.below(6)) {
    case 0:
      return String(random.next() - 2 ** 31);
    case 1:
      return String((random.next() - 2 ** 31) / 10 ** random.below(12));
    case 2:
      return String((random.draw() - 0.5) * 10 ** random.between(-30, 30));
    case 3:
      return String(random.below(300) - 50);
    default:
      return pick(random, NUMBERS);
  }
}

function anyValue(random: Random, depth = 0): string {
  switch (random.below(depth > 3 ? 7 : 12)) {
    case 0:
      return pick(random, ["true", "false", "nil", "cjson.null"]);
    case 1:
    case 2:
      return anyNumber(random);
    case 3:
    case 4:
    case 5:
      return luaString(anyBytes(random, 300));
    case 6:
      return pick(random, ["print", "cjson.encode", "{}", "{{}}", "coroutine.create(pcall)"])
        .replace("print", "pcall");
    case 7:
    case 8:
      return anyArray(random, depth);
    default:
      return anyMap(random, depth);
  }
}

function anyArray(random: Random, depth: number): string {
  const length = random.below(10) === 0 ? random.between(14, 70) : random.below(6);
  const parts = Array.from({ length }, () => anyValue(random, depth + 1));
  if (random.below(4) === 0) {
    parts.push(`[${pick(random, ["3", "9", "12", "21", "40", "1e10", "-1", "0", "1.5"])}]=1`);
  }
  return `{${parts.join(",")}}`;
}

function anyMap(random: Random, depth: number): string {
  const length = random.below(10) === 0 ? random.between(14, 40) : random.below(5);
  const parts = Array.from({ length }, () => {
    const key = random.below(5) === 0
      ? pick(random, ["1", "2", "-3", "0.5", "1e15", "2^31", "true", "math.huge", "20"])
      : luaString(anyBytes(random, 20));
    return `[${key}]=${anyValue(random, depth + 1)}`;
  });
  return `{${parts.join(",")}}`;
}

const JSON_NUMBERS = [
  "0",
  "-0",
  "1",
  "-1",
  "0.5",
  "1e5",
  "1E+5",
  "1e-7",
  "12345678901234567890",
  "1.7976931348623157e308",
  "1e400",
  "-1e400",
  "01",
  "-01",
  "+1",
  "1.",
  "-.5",
  ".5",
  "1e",
  "1e+",
  "0x1F",
  "-0x1f",
  "0x",
  "0x.8p1",
  "inf",
  "-inf",
  "Infinity",
  "-Infinity",
  "infin",
  "nan",
  "-nan",
  "NaN",
  "-NaN",
  "NaN(12)",
  "nan(x",
  "-",
  "+",
  "--1",
  "1.5.5",
  "4.9e-324",
  "2.4703282292062327e-324",
  "0.1",
  "123456789012345.6",
  "999999999999999",
  "1234567890123456",
  "9007199254740993",
  "0.30000000000000004",
  "100000000000000000000000",
  "1e22",
  "1e23",
]; // deno-fmt-ignore

const JSON_STRINGS = [
  '""', '"a"', '"\\n\\t\\r\\b\\f\\/\\\\\\""', '"\\u0041"', '"\\u00e9\\u20AC"', '"\\ud83d\\ude00"', '"\\ud83d"',
  '"\\ude00"', '"\\ud83d\\u0041"', '"\\ud83dx"', '"\\u12"', '"\\u12g4"', '"\\x"', '"\\', '"\\"', '"abc', "'a'",
  '"\\u0000"', '"\xff\xfe"', '"a\nb"', '"a\0b"', '"\\ud83d\\ud83d"',
]; // deno-fmt-ignore

function anyJson(random: Random, depth = 0): string {
  switch (random.below(depth > 4 ? 4 : 7)) {
    case 0:
      return pick(random, JSON_NUMBERS);
    case 1:
      return random.below(2) === 0
        ? String((random.draw() - 0.5) * 10 ** random.between(-20, 20))
        : String(random.below(100000) / 10 ** random.below(5));
    case 2:
      return random.below(3) === 0 ? pick(random, JSON_STRINGS) : JSON.stringify(anyBytes(random, 40));
    case 3:
      return pick(random, ["true", "false", "null", "null", "tru", "nul", "True", "nil"]);
    case 4:
    case 5: {
      const items = Array.from({ length: random.below(6) }, () => anyJson(random, depth + 1));
      return `[${items.join(pick(random, [",", ", ", " ,\n"]))}]`;
    }
    default: {
      const fields = Array.from(
        { length: random.below(5) },
        () => `${JSON.stringify(anyBytes(random, 10))}:${anyJson(random, depth + 1)}`,
      );
      return `{${fields.join(pick(random, [",", " , "]))}}`;
    }
  }
}

/** The text with some of its bytes changed, left out or added. */
function damaged(random: Random, text: string): string {
  let result = text;
  for (let times = random.below(3); times >= 0; times--) {
    const at = random.below(result.length + 1);
    const byte = random.below(2) === 0
      ? pick(random, ["{", "}", "[", "]", ",", ":", '"', "\\", "\0", " ", "e", "-", "0"])
      : String.fromCharCode(random.below(256));
    const left = result.slice(0, at);
    result = pick(random, [
      left + byte + result.slice(at),
      left + byte + result.slice(at + 1),
      left + result.slice(at + 1),
      left,
    ]);
  }
  return result;
}

const SETTINGS: readonly (readonly [string, readonly string[]])[] = [
  ["encode_sparse_array", [
    "",
    "true",
    "false",
    "true,1",
    "false,0,0",
    "true,3,5",
    "nil,2,10",
    "nil,-1",
    "1",
    "'on'",
    "'off',2,10",
    "'x'",
    "true,2,10,4",
    "false,2,1e10",
    "false,1.9,3.7",
    "{}",
  ]],
  ["encode_max_depth", [
    "",
    "5",
    "1",
    "1000",
    "0",
    "-1",
    "2147483647",
    "2147483648",
    "'12'",
    "'x'",
    "nil",
    "1,2",
    "4294967301",
  ]],
  ["decode_max_depth", ["", "3", "1", "1000", "0", "1e10", "true", "1,2"]],
  ["encode_number_precision", ["", "1", "3", "10", "14", "15", "0", "'9'", "14.9"]],
  ["encode_keep_buffer", ["", "true", "false", "'on'", "'off'", "1", "nil"]],
  ["encode_invalid_numbers", ["", "true", "false", "'null'", "'on'", "'off'", "'x'", "2", "{}"]],
  ["decode_invalid_numbers", ["", "true", "false", "'on'", "'off'", "'null'"]],
]; // deno-fmt-ignore

/** Of the library, its settings as they are at first. */
export const FIRST_SETTINGS = "cjson.encode_sparse_array(false,2,10) cjson.encode_max_depth(1000) " +
  "cjson.decode_max_depth(1000) cjson.encode_number_precision(14) cjson.encode_keep_buffer(true) " +
  "cjson.encode_invalid_numbers(false) cjson.decode_invalid_numbers(true)";

function settingCase(random: Random): string {
  const [name, choices] = pick(random, SETTINGS);
  const call = `cjson.${name}(${pick(random, choices)})`;
  switch (random.below(5)) {
    case 0:
      return FIRST_SETTINGS;
    case 1:
      return `local c = cjson.new() local a = {c.${name}(${pick(random, choices)})} ` +
        `return a, c.encode(${anyValue(random)}), c.decode('[[[[1,nan]]]]')`;
    default:
      return `return ${call}`;
  }
}

function jsonCase(random: Random): string {
  switch (random.below(12)) {
    case 0:
      return settingCase(random);
    case 1:
    case 2:
    case 3:
      return `return cjson.encode(${anyValue(random)})`;
    case 4:
      return `local v = cjson.encode(${anyValue(random)}) return v, cjson.decode(v)`;
    case 5:
    case 6:
    case 7:
      return `return cjson.decode(${luaString(anyJson(random))})`;
    case 8:
    case 9:
      return `return cjson.decode(${luaString(damaged(random, anyJson(random)))})`;
    case 10:
      return `return cjson.encode(cjson.decode(${luaString(anyJson(random))}))`;
    default:
      return pick(random, [
        `return cjson.decode(${luaString(anyBytes(random, 60))})`,
        `return cjson.${pick(random, ["encode", "decode"])}(${
          pick(random, ["", "1,2", "nil", "12", "true", "{}", "''"])
        })`,
        `return cjson.encode(${anyNumber(random)}), cjson.encode({${anyNumber(random)}})`,
        `return cjson.encode({[${anyNumber(random)}]=1})`,
      ]);
  }
}

function msgpackCase(random: Random): string {
  switch (random.below(8)) {
    case 0:
    case 1:
      return `return cmsgpack.pack(${anyValue(random)})`;
    case 2:
      return `return cmsgpack.unpack(cmsgpack.pack(${anyValue(random)},${anyValue(random)}))`;
    case 3: {
      const first = random.below(256);
      return `return cmsgpack.unpack(${
        luaString(String.fromCharCode(first) + anyBytes(random, 60))
      })`;
    }
    case 4:
      return `local p = cmsgpack.pack(${
        anyValue(random)
      }) local at = ${random.next()} % (#p + 1) ` +
        `return cmsgpack.unpack(p:sub(1, at) .. ${luaString(anyBytes(random, 3))} .. p:sub(at + ${
          random.below(3)
        }))`;
    case 5:
      return `return cmsgpack.unpack_one(cmsgpack.pack(1, ${anyValue(random)}, "x"), ${
        anySmall(random)
      })`;
    case 6:
      return `return cmsgpack.unpack_limit(cmsgpack.pack(1, "abc", ${anyValue(random)}), ${
        anySmall(random)
      }, ${anySmall(random)})`;
    default:
      return pick(random, [
        `return cmsgpack.${pick(random, ["pack", "unpack", "unpack_one", "unpack_limit"])}(${
          pick(random, [
            "",
            "1",
            "nil",
            "'a',1,2,3",
            "{}",
            "'abc',nil,nil",
            "'abc','x'",
            "'\\1\\2\\3',2",
          ])
        })`,
        `return cmsgpack.pack(${anyNumber(random)}, ${anyNumber(random)})`,
        `return cmsgpack.unpack(${luaString("\xcb" + anyBytes(random, 12) + "\0\0\0\0\0\0\0\0")})`,
      ]);
  }
}

function anySmall(random: Random): string {
  return pick(random, [
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "-1",
    "100",
    "1e10",
    "-1e10",
    "2^32",
    "2^32+1",
    "2^63",
    "-2^63",
    "0/0",
    "1.9",
    "'2'",
    "nil",
  ]);
}

function anyFormat(random: Random): string {
  let format = "";
  for (let length = random.below(7); length >= 0; length--) {
    format += pick(random, [
      "b",
      "B",
      "h",
      "H",
      "l",
      "L",
      "T",
      "i",
      "I",
      "f",
      "d",
      "x",
      "s",
      "c",
      "c0",
      "<",
      ">",
      "!",
      " ",
    ]);
    if (random.below(3) === 0) {
      format += pick(random, ["0", "1", "2", "3", "4", "5", "7", "8", "9", "16", "32", "33", "12"]);
    }
    if (random.below(60) === 0) {
      format += pick(random, ["z", "99999999999", "2147483647", "2147483648", "\0", "\xe9", "%"]);
    }
  }
  return format;
}

/** Values that go with a format, mostly. */
function valuesFor(random: Random, format: string): string {
  const values = [];
  for (const letter of format) {
    if (random.below(30) === 0) values.push(anyValue(random, 9));
    else if (/[bBhHlLTiIfd]/.test(letter)) values.push(anyNumber(random));
    else if (/[sc]/.test(letter)) values.push(luaString(anyBytes(random, 30) + "0123456789"));
  }
  return values.map((value) => `,${value}`).join("");
}

function structCase(random: Random): string {
  const format = anyFormat(random);
  const text = luaString(format);
  switch (random.below(6)) {
    case 0:
      return `return struct.size(${text})`;
    case 1:
    case 2:
      return `return struct.pack(${text}${valuesFor(random, format)})`;
    case 3:
      return `return struct.unpack(${text}, struct.pack(${text}${valuesFor(random, format)}))`;
    default:
      return `return struct.unpack(${text}, ${
        luaString(anyBytes(random, 90) + anyBytes(random, 90))
      }` +
        `${random.below(3) === 0 ? `, ${anySmall(random)}` : ""})`;
  }
}

function bitCase(random: Random): string {
  const name = pick(random, [
    "tobit",
    "tohex",
    "bnot",
    "band",
    "bor",
    "bxor",
    "lshift",
    "rshift",
    "arshift",
    "rol",
    "ror",
    "bswap",
  ]);
  const values = Array.from({
    length: random.below(10) === 0 ? random.below(5) : random.between(2, 3),
  }, () => {
    if (random.below(20) === 0) {
      return pick(random, ["nil", "{}", "'x'", "'12'", "'0'", "true", "''"]);
    }
    return name === "tohex" && random.below(2) === 0
      ? String(random.between(-9, 9))
      : anyNumber(random);
  });
  return `return bit.${name}(${values.join(",")})`;
}

function luaCase(random: Random): string {
  const number = anyNumber(random);
  switch (random.below(10)) {
    case 0:
      return `return tostring(${number}), ${number} .. '', string.format('%q', ${
        luaString(anyBytes(random, 40))
      })`;
    case 1: {
      const flags = pick(random, [
        "",
        "-",
        "+",
        " ",
        "#",
        "0",
        "5",
        "-8",
        "08",
        ".3",
        "10.4",
        ".0",
        "+.2",
        "99.99",
        "100",
        ".100",
      ]);
      const letter = pick(random, [
        "d",
        "i",
        "u",
        "x",
        "X",
        "o",
        "g",
        "G",
        "e",
        "E",
        "f",
        "c",
        "s",
        "q",
        "z",
        "%",
      ]);
      const value = letter === "s" ? luaString(anyBytes(random, 120)) : number;
      return `return string.format('%${flags}${letter}', ${
        random.below(10) === 0 ? anyValue(random, 9) : value
      })`;
    }
    case 2:
      return `math.randomseed(${number}) local t = {} for i = 1, 20 do t[i] = math.random() end return t`;
    case 3:
      return `math.randomseed(${random.below(1000)}) return math.random(${anySmall(random)}), ` +
        `pcall(math.random, ${anySmall(random)}, ${number}), math.random(${random.between(1, 9)}, ${
          random.between(9, 99)
        })`;
    case 4:
      return `return tonumber(${luaString(pick(random, JSON_NUMBERS))}), tonumber(${
        luaString(anyBytes(random, 8))
      }), ` +
        `tonumber(${
          luaString(
            pick(random, ["ff", "0x10", "zz", "-7", "1e1", " 12 ", "12 3", "77777777777777777777"]),
          )
        }, ${random.between(1, 37)})`;
    case 5:
      return `local s = ${luaString(anyBytes(random, 30))} return s:sub(${
        anySmall(random)
      }, ${number}), s:byte(${anySmall(random)}, ${anySmall(random)}), ` +
        `s:upper(), s:lower(), s:reverse(), #s`;
    case 6:
      return `return string.rep(${luaString(anyBytes(random, 5))}, ${
        pick(random, ["0", "3", "-1", "-2^40", "0/0", "'4'", "2.9"])
      }), ` +
        `pcall(string.char, ${random.below(300)}, ${pick(random, ["65", "-1", "256", "2^32+65"])})`;
    case 7: {
      const pattern = pick(random, [
        "%a+",
        "(%w)(%d*)",
        "[^%s]-x",
        "%b()",
        "^.*$",
        ".-",
        "%f[%w]%w+",
        "()",
        "[%z\\1-\\31]",
        "%",
        "[a",
        "(a",
        "%1",
        "a)",
        "[]]",
        "[^]]",
        "%x%x",
        "(.)%1",
      ]);
      const text = luaString(anyBytes(random, 60));
      return pick(random, [
        `return string.find(${text}, ${luaString(pattern)}, ${anySmall(random)})`,
        `return string.match(${text}, ${luaString(pattern)})`,
        `return string.gsub(${text}, ${luaString(pattern)}, ${
          pick(random, [
            "'<%0>'",
            "'%1'",
            "'%2'",
            "'%9'",
            "{a='b'}",
            "function(a) return a end",
            "12",
            "nil",
          ])
        }, ${anySmall(random)})`,
      ]);
    }
    case 8: {
      const name = pick(random, [
        "floor",
        "ceil",
        "fmod",
        "modf",
        "frexp",
        "ldexp",
        "abs",
        "sqrt",
        "max",
        "min",
        "mod",
      ]);
      return `return math.${name}(${number}, ${
        pick(random, ["2", "3", "-2", "0.5", "10", "1e3"])
      })`;
    }
    default:
      return pick(random, [
        `return ${number} % ${
          pick(random, ["3", "-3", "0.3", "1e300", "0"])
        }, ${number} / 7, ${number} * 3`,
        `return ${number} == ${anyNumber(random)}, ${number} < ${anyNumber(random)}`,
        `local t = {${
          Array.from({ length: random.below(9) }, () => anyNumber(random)).join(",")
        }} pcall(table.sort, t) return #t, table.concat(t, ','), t`,
        `return unpack({1,2,3}, ${anySmall(random)}, ${
          pick(random, ["1", "3", "5", "2^31-1", "-2^31", "1e10", "nil"])
        })`,
        `return select(${anySmall(random)}, 1, 2, 3), table.concat({1,2,3}, ',', ${
          anySmall(random)
        }, ${random.below(4)})`,
        `local t = {1,2,3} table.insert(t, ${
          pick(random, INSERTED_AT)
        }, 9) return t, table.remove(t, ${anySmall(random)}), table.maxn(t)`,
      ]);
  }
}

const CASES = [
  jsonCase,
  jsonCase,
  jsonCase,
  msgpackCase,
  msgpackCase,
  structCase,
  structCase,
  bitCase,
  luaCase,
  luaCase,
];

/** One script. */
export function anyCase(random: Random): string {
  return pick(random, CASES)(random);
}
