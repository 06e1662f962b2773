/** Scripts that a seed draws for the fuzzer of the engine: greedy ones, and such as try to leave something behind. */

import type { Random } from "../support/random.ts";

const SIZES = [
  "0",
  "3",
  "17",
  "300",
  "5000",
  "70000",
  "3e6",
  "2^31",
  "2^32 + 3",
  "2^53",
  "-5",
  "1/0",
];
const SMALL = ["2", "17", "300", "5000", "40000"];
const TEXTS = [
  "'x'",
  "'abc'",
  "('x'):rep(1000)",
  "('yz'):rep(50000)",
  "''",
  "'%s'",
  "'\\0\\255'",
  "'(a'",
];

/**
 * Statements that take memory, time or stack; `N` is a size, `S` a small one, `T` a text, `U` a short one. Loops
 * without an end have short ones: whether such a script is over is asked after so many instructions, however
 * long each of them takes.
 */
const HUNGRY = [
  "return T:rep(N)",
  "return #T:rep(N)",
  "return #(T:rep(S):rep(S))",
  "local s = T while true do s = s .. s .. 'x' end",
  "local s = '' for i = 1, N do s = s .. T end return #s",
  "local t = {} for i = 1, N do t[i] = i end return #t",
  "local t = {} for i = 1, N do t[i] = {i, tostring(i)} end return t",
  "local t = {} while true do t[#t + 1] = U .. #t end",
  "local t = {} while true do t = {t, t} end",
  "local t = {} while true do t[{}] = {} end",
  "local t = {} while true do t[#t + 1] = function() return t end end",
  "local t = setmetatable({}, {__mode = 'k'}) while true do t[{}] = U .. 'x' end",
  "local t = setmetatable({}, {__mode = 'kv'}) for i = 1, N do t[i] = {i} end return #t",
  "local t = {} for i = 1, N do t = {t} end return t",
  "local t = {} for i = 1, S do t[i] = T end return t",
  "local t = {} for i = 1, S do t['k' .. i] = i end return {map = t}",
  "local t = {} for i = 1, S do t[i] = 1 end return {set = t}",
  "return {ok = T:rep(S)}",
  "return {err = T:rep(S)}",
  "return {double = N}, {big_number = T:rep(S)}",
  "return {verbatim_string = {string = T:rep(S), format = T}}",
  "return setmetatable({}, {__index = function(t, i) return i end})",
  "local function f(n) return 1 + f(n + 1) end return f(1)",
  "local function f(...) return (select('#', f(1, ...))) end return f()",
  "local function f(...) return pcall(f, ...) end return f()",
  "local function f() return coroutine.wrap(f)() end return f()",
  "local t = {} while true do local c = coroutine.create(function() coroutine.yield(U) end) coroutine.resume(c) t[#t + 1] = c end",
  "local c = coroutine.wrap(function() while true do coroutine.yield(U:rep(9)) end end) for i = 1, S do c() end return c()",
  "local c = coroutine.wrap(function() local t = {} while true do t[#t + 1] = U .. #t end end) return c()",
  "return unpack({}, 1, N)",
  "return select('#', unpack({}, 1, S))",
  "return {unpack({}, -N, N)}",
  "local t = {} for i = 1, S do t[i] = 'x' end return #string.char(unpack(t))",
  "local t = {} for i = 1, S do t[i] = 65 end return #string.char(unpack(t))",
  "local t = {} for i = 1, S do t[i] = T end return #table.concat(t, T)",
  "return #table.concat({}, T, 1, N)",
  "return #T:rep(S):gsub('.', T:rep(S))",
  "return #T:rep(S):gsub('.', function(c) return c .. T end)",
  "return #T:rep(S):gsub('.', {x = T:rep(S)})",
  "local function g() return (T:gsub('.', g)) end return g()",
  "return #string.format('%' .. S .. 'd', 1)",
  "return #string.format('%s%s%s', T:rep(S), T:rep(S), T:rep(S))",
  "return #string.format(T:rep(S), unpack({}, 1, S))",
  "return #string.format('%q', ('\\0'):rep(S))",
  "return #string.format('%99.99f', 1e308)",
  "return T:rep(S):find(('a?'):rep(S) .. ('a'):rep(S))",
  "return ('a'):rep(S):find('.-.-.-.-.-.-.-b')",
  "return ('a'):rep(S):find('.-.-.-.-.-.-.-b', 1, N)",
  "return ('('):rep(S):find('%b()')",
  "return ('a'):rep(S):find('[' .. ('b'):rep(S) .. ']+c')",
  "return ('a'):rep(S):find(('(a)'):rep(S))",
  "return ('a'):rep(S):match(('('):rep(S))",
  "for w in T:rep(S):gmatch('()') do end",
  "return T:rep(S):reverse():upper():lower():byte(1, N)",
  "return loadstring('return ' .. ('('):rep(S) .. '1' .. (')'):rep(S))",
  "return loadstring('return ' .. ('{'):rep(S) .. ('}'):rep(S))",
  "return loadstring('local a = ' .. ('1 + '):rep(S) .. '1 return a')",
  "return loadstring('return ' .. ('\"x\" .. '):rep(S) .. '\"x\"')",
  "return loadstring(('local a '):rep(S))",
  "return loadstring(('if x then '):rep(S))",
  "return loadstring('return function() ' .. ('return function() '):rep(S))",
  "return loadstring('x = \"' .. T:rep(S))",
  "return load(function() return ' ' end)",
  "return load(function() return T end)",
  "local t = {} for i = 1, S do t[i] = 'local a' .. i .. ' = {' .. i .. '}' end return loadstring(table.concat(t, ' '))",
  "error(T:rep(S))",
  "error({err = T:rep(S)})",
  "error({err = {}})",
  "error({})",
  "error(nil)",
  "error(error)",
  "error(coroutine.create(error))",
  "error(setmetatable({}, {__tostring = function() error('again') end}))",
  "error(setmetatable({}, {__index = function(t, k) return T:rep(S) end}))",
  "local t = {} for i = 1, S do t[i] = T .. i end t.err = 'MY own' error(t)",
  "local t = setmetatable({}, {__tostring = function(t) return tostring(t) end}) return tostring(t)",
  "local t = setmetatable({}, {__tostring = function(t) return {} end}) return tostring(t)",
  "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]",
  "local t = setmetatable({}, {__newindex = function(t, k, v) t[k + 1] = v end}) t[1] = T",
  "local t = setmetatable({}, {__concat = function(a, b) return a .. b end}) return t .. t",
  "local t = setmetatable({}, {__call = function(f) return f() end}) return t()",
  "local t = setmetatable({}, {__eq = function(a, b) return a == b end}) return t == setmetatable({}, getmetatable(t))",
  "local t = {} setmetatable(t, {__index = t, __newindex = t}) t.x = 1 return t.y",
  "local m = {} for i = 1, S do m = setmetatable({}, {__index = m}) end return m.x",
  "local t = {} for i = 1, S do t[i] = i % 7 end table.sort(t, function(a, b) return true end) return #t",
  "local t = {} for i = 1, S do t[i] = i % 7 end table.sort(t, function(a, b) t[#t + 1] = a return a < b end) return #t",
  "local t = {} for i = 1, S do t[i] = i % 7 end table.sort(t, function(a, b) error(T) end)",
  "local t = {} for i = 1, S do t[i] = i % 7 end table.sort(t, function(a, b) t[a] = nil return a > b end) return #t",
  "local t = {1, 'a', {}} table.sort(t)",
  "local t = {} table.insert(t, N, 1) return #t",
  "local t = {1, 2, 3} table.insert(t, -N, 1) return #t",
  "local t = {} for i = 1, S do table.insert(t, 1, i) end return table.remove(t, N)",
  "return table.maxn({[N] = 1}), #{[1] = 1, [2^30] = 1}",
  "for i = 1, N do end",
  "while true do end",
  "repeat until false",
  "while true do pcall(function() while true do end end) end",
  "while true do pcall(error, U) end",
  "return cjson.encode(T:rep(S))",
  "local t = {} t[1] = t return cjson.encode(t)",
  "local t = {} for i = 1, S do t = {t} end return cjson.encode(t)",
  "local t = {} for i = 1, S do t = {a = t, b = t} end return cjson.encode(t)",
  "local t = {} for i = 1, 30 do t = {t, t} end return #cjson.encode(t)",
  "return cjson.encode({[N] = 1})",
  "return cjson.decode(('['):rep(S) .. (']'):rep(S))",
  "return cjson.decode('[' .. ('{\"a\":1},'):rep(S) .. '1]')",
  "return cjson.decode('\"' .. T:rep(S) .. '\"')",
  "return cjson.decode(('9'):rep(S))",
  "local t = {} for i = 1, S do t = {t} end return cmsgpack.pack(t)",
  "local t = {} for i = 1, 30 do t = {t, t} end return #cmsgpack.pack(t)",
  "local t = {} for i = 1, S do t[i] = T end return #cmsgpack.pack(unpack(t))",
  "return cmsgpack.unpack(('\\145'):rep(S) .. '\\1')",
  "return cmsgpack.unpack('\\221\\255\\255\\255\\255' .. ('\\1'):rep(S))",
  "return cmsgpack.unpack('\\223\\127\\255\\255\\255' .. ('\\1'):rep(S))",
  "return cmsgpack.unpack('\\219\\255\\255\\255\\255' .. T)",
  "return select('#', cmsgpack.unpack(('\\1'):rep(S)))",
  "return #struct.pack('c' .. S .. 's', T:rep(S), T)",
  "return struct.pack(('i4'):rep(S), unpack({}, 1, S))",
  "return struct.unpack(('b'):rep(S), T:rep(S))",
  "return struct.size(('!16di'):rep(S))",
  "return struct.unpack('c0', T:rep(S), N)",
  "return redis.sha1hex(T:rep(S))",
  "return redis.error_reply(T:rep(S))",
  "return redis.status_reply(T:rep(S))",
  "redis.log(redis.LOG_NOTICE, T)",
  "return redis.call('echo', T:rep(S))",
  "return redis.call('ping', unpack({}, 1, S))",
  "local t = {} for i = 1, S do t[i] = T end return redis.call('mget', unpack(t))",
  "local t = {} for i = 1, S do t[i] = redis.call('echo', T .. i) end return t",
  "return redis.call(T:rep(S))",
  "return redis.pcall('get', {}), redis.pcall(T:rep(S), T:rep(S))",
  "while true do redis.pcall('nosuch', U) end",
  "while true do redis.call('get', U) end",
  "redis.setresp(3) return redis.call('command', 'docs')",
  "return redis.call('command')",
  "local t = {} while true do t[#t + 1] = redis.call('command', 'info', 'get') end",
  "return tostring(N), N .. T, tonumber(T:rep(S)), tonumber(('1'):rep(S), 36)",
  "return math.random(N), math.floor(N), math.fmod(N, S), bit.lshift(N, N)",
  "return collectgarbage('step', N), collectgarbage('setpause', N), collectgarbage('setstepmul', N)",
  "collectgarbage('stop') local t = {} for i = 1, S do t[i % 10] = T .. i end",
  "return string.dump(function() return T end), loadstring(string.dump(load))",
  "return xpcall(function() local function f() return 1 + f() end return f() end, function(m) return T:rep(S) .. m end)",
  "return xpcall(error, function(m) return error(m) end)",
  "return pcall(pcall, pcall, error, T:rep(S))",
];

const AROUND = [
  "BODY",
  "BODY",
  "BODY",
  "return pcall(function() BODY end)",
  "return {pcall(function() BODY end)}",
  "local ok, e = pcall(function() BODY end) return {ok, tostring(e):sub(1, 50)}",
  "return coroutine.wrap(function() BODY end)()",
  "return coroutine.resume(coroutine.create(function() BODY end))",
  "return (('x'):gsub('x', function() BODY end))",
  "table.sort({3, 1, 2}, function(a, b) BODY end)",
  "return setmetatable({}, {__index = function(t, k) BODY end}).x",
  "for i = 1, 3 do pcall(function() BODY end) end return 1",
  "local kept = ('k'):rep(5e6) BODY",
  "local kept = {} for i = 1, 6e4 do kept[i] = {i} end BODY",
  "redis.setresp(3) BODY",
  "local a = {pcall(function() BODY end)} return cjson.encode(a)",
  "return xpcall(function() BODY end, function(m) return m end)",
  "return loadstring('local T = ... BODYTEXT')('x')",
];

function filled(random: Random, text: string): string {
  return text
    .replace(/\bN\b/g, () => `(${random.pick(SIZES)})`)
    .replace(/\bS\b/g, () => `(${random.pick(SMALL)})`)
    .replace(/\bU\b/g, () => random.pick(["'x'", "'abc'", "('yz'):rep(9)"]))
    .replace(/\bT\b/g, () => `(${random.pick(TEXTS)})`);
}

/** A script that takes what it can get. */
export function hungryScript(random: Random): string {
  const body = filled(random, random.pick(HUNGRY));
  const around = random.pick(AROUND);
  if (around.includes("BODYTEXT")) return `return loadstring(${luaText(body)}, '=inner')()`;
  return filled(random, around).replace("BODY", () => body);
}

const PLACES = [
  ...["_G", "redis", "cjson", "cmsgpack", "struct", "bit", "string", "table", "math", "coroutine"],
  ...["getmetatable('')", "getmetatable('').__index", "getmetatable(_G)", "getmetatable(redis)"],
  ...[
    "KEYS",
    "ARGV",
    "_G._G",
    "getmetatable(cjson)",
    "cjson.new()",
    "getmetatable(getmetatable(''))",
  ],
];

const LEAVING = [
  "P.left = 1",
  "P[1] = 1",
  "P.call = nil",
  "P.format = print",
  "rawset(P, 'left', 1)",
  "rawset(P, 1, 1)",
  "table.insert(P, 1)",
  "table.insert(P, 1, 1)",
  "table.remove(P)",
  "table.remove(P, 1)",
  "table.sort(P)",
  "table.foreach(P, function(k) P[k] = nil end)",
  "for k in pairs(P) do P[k] = nil end",
  "for k in next, P do rawset(P, k, nil) end",
  "setmetatable(P, {__index = function() return 1 end})",
  "setmetatable(P, nil)",
  "getmetatable(P).__index = nil",
  "getmetatable(P).__newindex = function() end",
  "rawset(getmetatable(P), '__index', {})",
  "table.setn(P, 3)",
  "P.encode_max_depth(3)",
  "math.randomseed(77) P.x = math.random()",
  "redis.setresp(3)",
  "redis.set_repl(redis.REPL_NONE)",
  "left = 1",
  "local x = left",
  "function left() end",
  "KEYS = nil",
  "ARGV = {1}",
  "loadstring('left = 1')()",
  "load(function() return nil end)",
  "coroutine.wrap(function() left = 1 end)()",
  "coroutine.wrap(function() P.left = 1 coroutine.yield() end)()",
  "setfenv(1, {})",
  "getfenv(0).left = 1",
  "module('left')",
  "require('left')",
  "debug.setmetatable('', {})",
  "debug.getregistry().left = 1",
  "string.gsub('x', 'x', function() P.left = 1 end)",
  "table.sort({2, 1}, function() P.left = 1 end)",
  "xpcall(function() P.left = 1 end, function() P.left = 1 end)",
  "local t = setmetatable({}, {__newindex = P}) t.left = 1",
  "local t = setmetatable({}, {__index = P}) t.left = 1 rawset(t, 'call', 1)",
  "collectgarbage('stop')",
  "collectgarbage('setpause', 1e6)",
  "collectgarbage('setstepmul', 0)",
  "local c = P.new and P.new() if c then c.left = 1 c.encode = nil end",
  "redis.register_function('left', function() end)",
  "redis.call('script', 'flush')",
  "redis.call('function', 'flush')",
  "redis.call('eval', 'left = 1', 0)",
  "redis.breakpoint() redis.debug(P)",
];

/** A script that tries to leave something where another one would find it. */
export function leavingScript(random: Random): string {
  const parts = Array.from({ length: 1 + random.below(4) }, () => {
    const text = `do local P = ${random.pick(PLACES)} ${random.pick(LEAVING)} end`;
    return random.below(3) === 0 ? text : `pcall(loadstring(${luaText(text)}))`;
  });
  return parts.join(" ");
}

/** Bytes of any kind, up to so many. */
export function anyBytes(random: Random, max: number): string {
  return Array.from(
    { length: random.below(max) },
    () => String.fromCharCode(random.below(256)),
  ).join("");
}

/** The text with some of its bits flipped, some of its bytes changed, left out or added. */
export function damaged(random: Random, text: string): string {
  let result = text;
  for (let times = random.below(3); times >= 0; times--) {
    const at = random.below(result.length + 1);
    const [left, right] = [result.slice(0, at), result.slice(at + 1)];
    const flipped = String.fromCharCode((result.charCodeAt(at) ^ (1 << random.below(8))) & 255);
    const other = String.fromCharCode(random.below(256));
    result = random.pick([
      left + flipped + right,
      left + flipped + right,
      left + flipped + right,
      left + other + right,
      left + other + result.slice(at),
      left + right,
      left,
    ]);
  }
  return result;
}

/** Sources of libraries without loops, which damage is not likely to bring in. */
export function drawnLibraries(): string[] {
  return [
    `#!lua name=one
redis.register_function('put', function(keys, args) return redis.call('set', keys[1], args[1]) end)
redis.register_function{function_name = 'fetch', callback = function(keys) return redis.call('get', keys[1]) end,
  flags = {'no-writes', 'allow-stale'}, description = 'Reads a key'}`,
    `#!lua name=two
local kept = {1, 2, 3}
local function sum(a, b) return a + b end
redis.register_function('count', function(keys, args) return #kept + sum(#keys, #args) end)
redis.register_function('fails', function() return redis.error_reply('MY own') end)`,
    `#!lua name=three\n${"-- compressed, ".repeat(20)}
redis.register_function('three', function() return {map = {a = 1, b = {2, 3}}} end)`,
  ];
}

/** A literal of Lua with these bytes. */
export function luaText(bytes: string): string {
  return `"${
    bytes.replace(/[^ -~]|["\\]/g, (c) => `\\${String(c.charCodeAt(0)).padStart(3, "0")}`)
  }"`;
}
