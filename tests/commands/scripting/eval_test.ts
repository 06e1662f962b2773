import { assert, assertEquals } from "@std/assert";
import { toLatin1 } from "../../../src/base/bytes.ts";
import { Words } from "../../../src/resp/words.ts";
import { testServer } from "../../support/test_server.ts";

const SHA_OF_RETURN_1 = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";

Deno.test("EVAL gives a script its keys and arguments, byte for byte", () => {
  const s = testServer();
  const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
  const script = "return {KEYS[1], #KEYS, ARGV[1], #ARGV, ARGV[2] == KEYS[1]}";
  assertEquals(s.run("EVAL", script, 1, all, "a", all), [all, 1, "a", 2, 1]);
});

for (
  const [script, reply] of [
    ["return 1", 1],
    ["return 3.99", 3],
    ["return -3.99", -3],
    ["return 2^53 * 4", 36028797018963968n],
    ["return 1e300", -(2n ** 63n)],
    ["return 'text'", "text"],
    ["return true", 1],
    ["return false", null],
    ["return nil", null],
    ["return", null],
    ["return {}", []],
    ["return {1, 'a', {true}, nil, 5}", [1, "a", [1]]],
    ["return {ok = 'FINE'}", "FINE"],
    ["return {ok = 'a\\r\\nb'}", "a  b"],
    ["return {err = 'MY error'}", { error: "MY error" }],
    ["return {double = 3.5}", "3.5"],
    ["return {map = {a = 1}}", ["a", 1]],
    ["return {set = {a = true}}", ["a"]],
    ["return {big_number = '12345678901234567890'}", "12345678901234567890"],
    ["return {verbatim_string = {string = 'v', format = 'txt'}}", "v"],
    ["return redis.status_reply('HI')", "HI"],
    ["return redis.error_reply('MY error')", { error: "MY error" }],
    ["return redis.error_reply('single')", { error: "ERR single" }],
    ["return print == nil", { error: "" }],
  ] as const
) {
  Deno.test(`EVAL "${script}" in RESP2`, () => {
    const answer = testServer().run("EVAL", script, 0);
    if (typeof reply !== "object" || reply === null || !("error" in reply) || reply.error !== "") {
      assertEquals(answer, reply as typeof answer);
    } else assert((answer as { error: string }).error.includes("nonexistent global variable"));
  });
}

for (
  const [script, reply] of [
    ["return true", 1],
    ["redis.setresp(3) return true", true],
    ["redis.setresp(3) return false", false],
    ["return false", null],
    ["return {double = 3.5}", "3.5"],
    ["return {map = {a = 1}}", { map: [["a", 1]] }],
    ["return {set = {a = true}}", { set: ["a"] }],
    ["return redis.error_reply('MY a\\0b').err", "MY a"],
    ["redis.setresp(3) return redis.call('hgetall', 'h')", { map: [["f", "v"]] }],
    ["return redis.call('hgetall', 'h')", ["f", "v"]],
    ["redis.setresp(3) return redis.call('smembers', 's')", { set: ["m"] }],
    ["redis.setresp(3) return redis.call('zscore', 'z', 'm')", "1.5"],
    ["redis.setresp(3) return type(redis.call('get', 'none'))", "nil"],
    ["return type(redis.call('get', 'none'))", "boolean"],
  ] as const
) {
  Deno.test(`EVAL "${script}" in RESP3`, () => {
    const s = testServer();
    s.run("HSET", "h", "f", "v");
    s.run("SADD", "s", "m");
    s.run("ZADD", "z", "1.5", "m");
    assertEquals(s.connect(3).run("EVAL", script, 0), reply as never);
  });
}

for (
  const [words, error] of [
    [["EVAL", "return 1", "x"], "ERR value is not an integer or out of range"],
    [["EVAL", "return 1", "-1"], "ERR Number of keys can't be negative"],
    [["EVAL", "return 1", "1"], "ERR Number of keys can't be greater than number of args"],
    [["EVALSHA", "abc", "0"], "NOSCRIPT No matching script. Please use EVAL."],
    [["EVALSHA", SHA_OF_RETURN_1, "0"], "NOSCRIPT No matching script. Please use EVAL."],
    [
      ["EVAL", "return (", "0"],
      "ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'",
    ],
    [["EVAL", "#!lua", "0"], "ERR Invalid script shebang"],
    [["EVAL", "#!py\nreturn", "0"], "ERR Unexpected engine in script shebang: #!py"],
    [["EVAL", "#!lua flags=x\n", "0"], "ERR Unexpected flag in script shebang: x"],
    [["EVAL", "#!lua name=x\n", "0"], "ERR Unknown lua shebang option: name=x"],
    [["SCRIPT", "FLUSH", "x"], "ERR SCRIPT FLUSH only support SYNC|ASYNC option"],
    [["SCRIPT", "KILL"], "NOTBUSY No scripts in execution right now."],
  ] as const
) {
  Deno.test(`${words.join(" ").replaceAll("\n", "\\n")} is refused`, () => {
    assertEquals(testServer().run(...words), { error });
  });
}

for (
  const [script, error] of [
    ["error('x')", "ERR user_script:1: x script: NAME, on @user_script:1."],
    ["error({err = 'MY x'})", "MY x script: NAME, on @user_script:1."],
    [
      "\nreturn redis.call('nosuch')",
      "ERR Unknown Redis command called from script script: NAME, on @user_script:2.",
    ],
    [
      "return redis.call('get')",
      "ERR Wrong number of args calling Redis command from script script: NAME, on @user_script:1.",
    ],
    [
      "return redis.call('watch', 'k')",
      "ERR This Redis command is not allowed from script script: NAME, on @user_script:1.",
    ],
    [
      "return redis.call()",
      "ERR Please specify at least one argument for this redis lib call script: NAME, on @user_script:1.",
    ],
    [
      "return redis.call('get', {})",
      "ERR Lua redis lib command arguments must be strings or integers script: NAME, on @user_script:1.",
    ],
    [
      "return redis.call('incr', 'l')",
      "WRONGTYPE Operation against a key holding the wrong kind of value script: NAME, on @user_script:1.",
    ],
    [
      "x = 1",
      "ERR user_script:1: Attempt to modify a readonly table script: NAME, on @user_script:1.",
    ],
    [
      "return x",
      "ERR user_script:1: Script attempted to access nonexistent global variable 'x' script: NAME, on @user_script:1.",
    ],
    [
      "getmetatable('').__index = nil",
      "ERR user_script:1: Attempt to modify a readonly table script: NAME, on @user_script:1.",
    ],
  ]
) {
  Deno.test(`EVAL "${script.trim()}" ends with an error that says where`, () => {
    const s = testServer();
    s.run("RPUSH", "l", "x");
    const name = s.run("SCRIPT", "LOAD", script) as string;
    assertEquals(s.run("EVAL", script, 0), { error: error.replace("NAME", name) });
  });
}

Deno.test("SCRIPT LOAD, EXISTS and FLUSH keep scripts for EVALSHA, in any case", () => {
  const s = testServer();
  assertEquals(s.run("SCRIPT", "LOAD", "return 1"), SHA_OF_RETURN_1);
  assertEquals(s.run("EVALSHA", SHA_OF_RETURN_1.toUpperCase(), 0), 1);
  assertEquals(s.run("SCRIPT", "EXISTS", SHA_OF_RETURN_1, "x"), [1, 0]);
  assertEquals(s.run("SCRIPT", "FLUSH", "ASYNC"), "OK");
  assertEquals(s.run("SCRIPT", "EXISTS", SHA_OF_RETURN_1), [0]);
  assertEquals(s.run("EVAL", "return 1", 0), 1);
  assertEquals(s.run("SCRIPT", "EXISTS", SHA_OF_RETURN_1), [1]);
});

Deno.test("EVAL keeps the last 500 scripts, and those of SCRIPT LOAD for good", () => {
  const s = testServer();
  const kept = s.run("SCRIPT", "LOAD", "return 'kept'") as string;
  assertEquals(s.run("EVAL", "return 1", 0), 1);
  for (let i = 0; i < 500; i++) s.run("EVAL", `return 'number ${i}'`, 0);
  assertEquals(s.run("SCRIPT", "EXISTS", SHA_OF_RETURN_1, kept), [0, 1]);
  assertEquals(s.run("EVAL", "return 1", 0), 1);
});

Deno.test("what a script changes enters the stream as one transaction, by its effects", () => {
  const s = testServer();
  s.propagated();
  s.run("EVAL", "redis.call('set', KEYS[1], 1) return redis.call('incr', KEYS[1])", 1, "k");
  assertEquals(
    s.propagated(),
    ["SELECT 0", "MULTI", "set k 1", "incr k", "EXEC"].toSorted(bySelect),
  );
  s.run("EVAL", "return redis.call('spop', KEYS[1])", 1, "none");
  assertEquals(s.propagated(), []);
  s.run("EVAL", "return redis.call('set', KEYS[1], 2)", 1, "k");
  assertEquals(s.propagated(), ["set k 2"]);
  s.run("EVAL", "redis.set_repl(redis.REPL_NONE) return redis.call('set', KEYS[1], 3)", 1, "k");
  assertEquals(s.propagated(), []);
  assertEquals(s.run("GET", "k"), "3");
});

/** SELECT stands within the transaction that needs it. */
function bySelect(a: string, b: string): number {
  const order = ["MULTI", "SELECT 0"];
  const place = (word: string) => order.indexOf(word) < 0 ? 9 : order.indexOf(word);
  return place(a) - place(b);
}

Deno.test("a script that ends with an error has done what came before it", () => {
  const s = testServer();
  s.propagated();
  s.run("EVAL", "redis.call('set', 'a', 1) redis.call('lpush', 'a', 1)", 0);
  assertEquals(s.run("GET", "a"), "1");
  assertEquals(s.propagated().at(-1), "set a 1");
});

Deno.test("time stands still in a script", () => {
  const s = testServer();
  const script = "redis.call('set', 'k', 'v', 'px', 1) local t = redis.call('time') " +
    "for i = 1, 1e6 do end return {redis.call('get', 'k'), redis.call('time')[2] == t[2]}";
  assertEquals(s.run("EVAL", script, 0), ["v", 1]);
});

Deno.test("SELECT in a script is undone at its end", () => {
  const s = testServer();
  s.run("EVAL", "redis.call('select', 3) redis.call('set', 'k', 'v')", 0);
  assertEquals(s.run("GET", "k"), null);
  s.run("SELECT", 3);
  assertEquals(s.run("GET", "k"), "v");
});

Deno.test("blocking commands of a script answer at once", () => {
  const s = testServer();
  assertEquals(s.run("EVAL", "return redis.call('blpop', 'none', 0)", 0), null);
  assertEquals(s.run("EVAL", "return redis.pcall('xread', 'BLOCK', 0, 'STREAMS', 's', '$')", 0), {
    error: "ERR xread command is not allowed with BLOCK option from scripts",
  });
});

Deno.test("a script's writes are seen by WATCH", () => {
  const s = testServer();
  const other = s.connect();
  other.run("WATCH", "k");
  s.run("EVAL", "redis.call('set', 'k', 1)", 0);
  other.run("MULTI");
  other.run("PING");
  assertEquals(other.run("EXEC"), null);
});

Deno.test("EVAL runs in a transaction", () => {
  const s = testServer();
  s.run("MULTI");
  assertEquals(s.run("EVAL", "return redis.call('incr', 'k')", 0), "QUEUED");
  s.run("EVAL", "return redis.call('incr', 'k')", 0);
  assertEquals(s.run("EXEC"), [1, 2]);
});

Deno.test("MONITOR shows a script before its commands, and these as lua's", () => {
  const s = testServer();
  const monitor = s.connect();
  monitor.run("MONITOR");
  s.run("EVAL", "return redis.call('set', 'k', 'v')", 0);
  const lines = monitor.received().map((line) => String(line).replace(/^[\d.]+ /, ""));
  assertEquals(lines, [
    `[0 ] "EVAL" "return redis.call('set', 'k', 'v')" "0"`,
    `[0 lua] "set" "k" "v"`,
  ]);
});

for (
  const [what, script, error] of [
    [
      "a write",
      "return redis.call('set', 'k', 1)",
      "ERR Write commands are not allowed from read-only scripts.",
    ],
    [
      "PUBLISH",
      "return redis.call('publish', 'c', 1)",
      "ERR Write commands are not allowed from read-only scripts.",
    ],
  ]
) {
  for (const command of ["EVAL_RO", "EVAL"]) {
    Deno.test(`${command} of a script that only reads refuses ${what}`, () => {
      const s = testServer();
      const source = command === "EVAL" ? `#!lua flags=no-writes\n${script}` : script;
      const answer = s.run(command, source, 0) as { error: string };
      assert(answer.error.startsWith(error), answer.error);
      assertEquals(s.run("EXISTS", "k"), 0);
    });
  }
}

Deno.test("above maxmemory a script ends at its first write, and none that says it writes begins", () => {
  const s = testServer({ directives: { "maxmemory": 1 } });
  const answer = s.run("EVAL", "return redis.call('set', 'k', 1)", 0) as { error: string };
  assert(answer.error.startsWith("OOM command not allowed when used memory > 'maxmemory'."));
  assertEquals(s.run("EVAL", "return redis.call('get', 'k')", 0), null);
  assertEquals(s.run("EVAL", "#!lua flags=allow-oom\nreturn redis.call('set', 'k', 1)", 0), "OK");
  const refused = s.run("EVAL", "#!lua\nreturn 1", 0) as { error: string };
  assert(refused.error.startsWith("OOM"), refused.error);
  assertEquals(s.run("EVAL", "#!lua flags=no-writes\nreturn 1", 0), 1);
});

for (
  const [what, script] of [
    ["a huge string", "return #string.rep('x', 2e9)"],
    ["a table without end", "local t = {} while true do t[#t + 1] = {} end"],
    ["recursion without end", "local function f() return 1 + f() end return f()"],
    ["a value nested in itself", "local t = {} t[1] = t return t"],
    ["pcall without end", "local function f() return pcall(f) end return f()"],
  ]
) {
  Deno.test(`EVAL of ${what} is an answer, and the next script runs`, () => {
    const s = testServer({ directives: { "lua-memory-limit": 16 << 20 } });
    s.run("EVAL", script, 0);
    assertEquals(s.run("EVAL", "return redis.call('ping')", 0), "PONG");
    assert(s.services.scripts.evalBytes < 64 << 20);
  });
}

Deno.test("EVAL has its memory again after a script that has caught its lack of it", () => {
  const s = testServer({ directives: { "lua-memory-limit": 16 << 20 } });
  const takeAll = "return (pcall(function() local t = {} while true do t[#t + 1] = {} end end))";
  for (let i = 0; i < 3; i++) {
    assertEquals(s.run("EVAL", takeAll, 0), null);
    assertEquals(s.run("EVAL", "return #('x'):rep(3e6)", 0), 3e6);
  }
});

for (
  const result of ["{1}", "{err = 'MY own'}", "{map = {a = 1}}"]
) {
  Deno.test(`EVAL of a script that returns ${result} when no memory is left is answered`, () => {
    const s = testServer({ directives: { "lua-memory-limit": 8 << 20 } });
    const expected = s.run("EVAL", `return ${result}`, 0);
    const takeAll = `local result, kept, i = ${result}, {}, 0 ` +
      "for _, size in ipairs({1e5, 1e3, 10, 1}) do " +
      "repeat local ok = pcall(function() kept[i + 1] = ('x'):rep(size) .. i i = i + 1 end) until not ok end " +
      "return result";
    assertEquals(s.run("EVAL", takeAll, 0), expected);
    assertEquals(s.run("EVAL", "return #('x'):rep(1e6)", 0), 1e6);
  });
}

Deno.test("EVAL fills up the format of a verbatim string with spaces", () => {
  const { server, client } = testServer().connect(3);
  const verbatim = "return {verbatim_string = {string = 'v', format = 'md'}}";
  server.dispatcher.execute(client, Words.of("EVAL", verbatim, "0"));
  const chunk = client.reply.takeChunk()!;
  assertEquals(toLatin1(chunk, 0, client.reply.chunkLength), "=5\r\nmd :v\r\n");
});

Deno.test("commands of scripts are counted, their errors once", () => {
  const s = testServer();
  s.run("CONFIG", "RESETSTAT");
  s.run("EVAL", "return redis.call('lpop')", 0);
  s.run("RPUSH", "l", "x");
  s.run("EVAL", "return redis.call('incr', 'l')", 0);
  const stats = s.run("INFO", "commandstats") as string;
  assert(/cmdstat_eval:calls=2,.*failed_calls=2/.test(stats), stats);
  assert(/cmdstat_incr:calls=1,.*failed_calls=1/.test(stats), stats);
  assert(/cmdstat_lpop:calls=0,.*rejected_calls=1/.test(stats), stats);
  const errors = s.run("INFO", "errorstats") as string;
  assert(/errorstat_ERR:count=1\r/.test(errors), errors);
  assert(/errorstat_WRONGTYPE:count=1\r/.test(errors), errors);
});

Deno.test("math.random is the sequence that Redis has", () => {
  const s = testServer();
  assertEquals(
    s.run("EVAL", "math.randomseed(7) return tostring(math.random())", 0),
    "0.26644419658298",
  );
});
