/** Scripts at the limits of the libraries and of Lua: depths, numbers of results, nested calls. */

const nested = (depth: string, body: string) =>
  `local t = {} for i = 2, ${depth} do t = ${body} end `;

/** What a caught error of a deep recursion starts with: how deep differs. */
const start = (source: string, length = 60) =>
  `local ok, text = pcall(function() ${source} end) return ok, ok or tostring(text):sub(1, ${length})`;

function jsonLimits(): string[] {
  const cases = [
    "local t = {} t.a = t return cjson.encode(t)",
    "local t = {} t[1] = t return cjson.encode(t)",
    "local a, b = {}, {} a.x = b b[1] = a return cjson.encode(a)",
  ];
  for (const depth of ["999", "1000", "1001", "1002"]) {
    cases.push(
      nested(depth, "{t}") + "return #cjson.encode(t)",
      nested(depth, "{a=t}") + "return #cjson.encode(t)",
      `return type(cjson.decode(('['):rep(${depth}) .. (']'):rep(${depth})))`,
      `return type(cjson.decode(('{"a":'):rep(${depth}) .. '1' .. ('}'):rep(${depth})))`,
      `return cjson.decode((' [ '):rep(${depth}))`,
    );
  }
  cases.push("return cjson.encode_max_depth(1e6), cjson.decode_max_depth(1e6)");
  for (const depth of ["2500", "2660", "2700", "3900", "3990", "4010", "7990", "8010", "50000"]) {
    cases.push(
      nested(depth, "{t}") + "return #cjson.encode(t)",
      nested(depth, "{a=t}") + "return #cjson.encode(t)",
      `return type(cjson.decode(('['):rep(${depth}) .. (']'):rep(${depth})))`,
      `return type(cjson.decode(('{"a":'):rep(${depth}) .. '1' .. ('}'):rep(${depth})))`,
      `return cjson.decode(('[{"":'):rep(${depth}))`,
    );
  }
  return cases;
}

function packingLimits(): string[] {
  const cases = [];
  for (const depth of ["15", "16", "17", "18", "40"]) {
    cases.push(
      nested(depth, "{t}") + "return cmsgpack.pack(t), (cmsgpack.unpack(cmsgpack.pack(t)))",
      nested(depth, "{a=t}") + "return cmsgpack.pack(t)",
    );
  }
  for (const depth of ["100", "2600", "2700", "3990", "4010", "7990", "8010", "100000"]) {
    for (const byte of ["145", "129", "146", "130"]) {
      cases.push(
        `local p = string.char(${byte}):rep(${depth}) return pcall(cmsgpack.unpack, p .. ('\\1'):rep(9))`,
        `local v = cmsgpack.unpack(string.char(${byte}, 1):rep(${depth}) .. '\\1\\1\\1') return type(v)`,
      );
    }
    cases.push(
      `return select('#', cmsgpack.unpack(('\\1'):rep(${depth})))`,
      `return select('#', cmsgpack.unpack_limit(('\\1'):rep(${depth}), ${depth}))`,
      `return #cmsgpack.pack(unpack({}, 1, ${depth}))`,
      `return select('#', struct.unpack(('b'):rep(${depth}), ('x'):rep(${depth})))`,
      `return #struct.pack(('b'):rep(${depth}), unpack({}, 1, ${depth}))`,
      `return select('#', unpack({}, 1, ${depth}))`,
      `return select('#', string.byte(('x'):rep(${depth}), 1, ${depth}))`,
    );
  }
  for (const size of ["15", "16", "65535", "65536", "70000"]) {
    cases.push(
      `local t = {} for i = 1, ${size} do t[i] = 1 end local p = cmsgpack.pack(t) return #p, p:sub(1, 6), #cmsgpack.unpack(p)`,
      `local t = {} for i = 1, ${size} do t['k' .. i] = i end local p = cmsgpack.pack(t) return #p, p:sub(1, 6)`,
      `local p = cmsgpack.pack(('x'):rep(${size})) return #p, p:sub(1, 6), #cmsgpack.unpack(p)`,
      `return #cjson.encode(('\\1"x'):rep(${size})), #cjson.decode(cjson.encode(('\\1"x'):rep(${size})))`,
    );
  }
  return cases;
}

function luaLimits(): string[] {
  return [
    start("local function f() return 1 + f() end return f()"),
    start("local function f(...) return pcall(f, ...) end return f()"),
    start(
      "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]",
      30,
    ),
    start(
      "return (('x'):rep(10):gsub('.', function() local function g() return ('x'):gsub('.', g) end return g() end))",
    ),
    start("local function f() return coroutine.wrap(f)() end return f()", 20),
    start("return loadstring('return ' .. ('('):rep(300) .. '1' .. (')'):rep(300))()", 20),
    "return loadstring('return ' .. ('('):rep(300) .. '1' .. (')'):rep(300))",
    "return loadstring('return ' .. ('{'):rep(300) .. ('}'):rep(300))",
    "return loadstring('local ' .. ('a,'):rep(300) .. 'a = 1')",
    "local t = {} for i = 1, 300 do t[i] = 'local a' .. i .. ' = 1' end return loadstring(table.concat(t, ' '))",
    "return #loadstring('return ' .. (\"'x' .. \"):rep(150) .. \"'x'\")()",
    "return string.format('%q', 'a\\r\\n\\0\"\\\\b')",
    "return string.format('%10.123f', 1)",
    "return string.format('%1000d', 1)",
    "return string.format('%99.99f', 1e308)",
    "return string.format('%', 1), 1",
    "return string.format('%s', nil)",
    "return string.format('%d', 'x')",
    "return string.format('%d', '12')",
    "return string.format('%s %s', 1)",
    "return string.format('%-+ #0d', 1), pcall(string.format, '%-+ #00d', 1)",
    "return pcall(string.find, 'a', ('('):rep(40))",
    "return pcall(string.find, ('a'):rep(40), ('(a)'):rep(33))",
    "return pcall(string.gsub, 'abc', '%w', '%2')",
    "return pcall(string.rep), pcall(string.rep, 'x', 'y'), pcall(string.rep, 'x', 1e10 - 1e10)",
    "return #string.rep('', 2147483647)",
    "return math.random(0)",
    "return math.random(2, 1)",
    "return math.random(1, 2, 3)",
    "return pcall(math.randomseed)",
    "return tostring(cjson.null), type(cjson.null), cjson.null == cjson.null, cjson.null == nil",
    "return cjson._NAME, cjson._VERSION, cmsgpack._NAME, cmsgpack._VERSION, cmsgpack._COPYRIGHT, cmsgpack._DESCRIPTION",
    "local t = {} for _, l in ipairs{cjson, cmsgpack, struct, bit, string, table, math, coroutine, cjson.new()} do for k, v in pairs(l) do t[#t + 1] = k .. type(v) end end table.sort(t) return table.concat(t, ' ')",
    "math.randomseed(0) local t = {} for i = 1, 99 do t[i] = math.random(1e9) end return t",
  ];
}

/** All of them; settings of cjson are changed on the way. */
export function limitCases(): string[] {
  return [...jsonLimits(), ...packingLimits(), ...luaLimits()];
}
