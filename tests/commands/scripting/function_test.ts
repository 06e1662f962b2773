import { assert, assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";

const LIBRARY = `#!lua name=mylib
redis.register_function('put', function(keys, args) return redis.call('set', keys[1], args[1]) end)
redis.register_function{
  function_name = 'fetch',
  callback = function(keys) return redis.call('get', keys[1]) end,
  flags = {'no-writes'},
  description = 'Reads a key',
}`;

Deno.test("FCALL calls the functions of a library, by name in any case", () => {
  const s = testServer();
  assertEquals(s.run("FUNCTION", "LOAD", LIBRARY), "mylib");
  assertEquals(s.run("FCALL", "put", 1, "k", "v"), "OK");
  assertEquals(s.run("FCALL", "FETCH", 1, "k"), "v");
  assertEquals(s.run("FCALL_RO", "fetch", 1, "k"), "v");
  assertEquals(s.run("FCALL_RO", "put", 1, "k", "v"), {
    error: "ERR Can not execute a script with write flag using *_ro command.",
  });
});

for (
  const [code, error] of [
    ["return 1", "ERR Missing library metadata"],
    ["#!lua name=x", "ERR Invalid library metadata"],
    ["#!lua\n", "ERR Library name was not given"],
    ["#!lua name=a name=b\n", "ERR Invalid metadata value, name argument was given multiple times"],
    ["#!lua foo=a\n", "ERR Invalid metadata value given: foo=a"],
    ["#!py name=a\n", "ERR Engine 'py' not found"],
    [
      "#!lua name=a-b\n",
      "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long",
    ],
    ["#!lua name=a\n", "ERR No functions registered"],
    ["#!lua name=mylib\n", "ERR Library 'mylib' already exists"],
    [
      "#!lua name=a\nredis.register_function('put', function() end)",
      "ERR Function put already exists",
    ],
    [
      "#!lua name=a\nredis.register_function('x', 1)",
      "ERR Error registering functions: ERR second argument to redis.register_function must be a function",
    ],
    [
      "#!lua name=a\nredis.register_function{callback = function() end}",
      "ERR Error registering functions: ERR redis.register_function must get a function name argument",
    ],
    [
      "#!lua name=a\nredis.register_function{function_name = 'x', callback = function() end, flags = {'x'}}",
      "ERR Error registering functions: ERR unknown flag given",
    ],
    [
      "#!lua name=a\nreturn redis.call('get', 'x')",
      "ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'call'",
    ],
    [
      "#!lua name=a\nreturn string",
      "ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'string'",
    ],
    [
      "#!lua name=a\nreturn (",
      "ERR Error compiling function: user_function:2: unexpected symbol near '<eof>'",
    ],
  ]
) {
  Deno.test(`FUNCTION LOAD of "${code.replaceAll("\n", "\\n")}" is refused and changes nothing`, () => {
    const s = testServer();
    s.run("FUNCTION", "LOAD", LIBRARY);
    s.propagated();
    assertEquals(s.run("FUNCTION", "LOAD", code), { error });
    assertEquals(s.propagated(), []);
    assertEquals(s.run("FUNCTION", "STATS"), [
      "running_script",
      null,
      "engines",
      ["LUA", ["libraries_count", 1, "functions_count", 2]],
    ]);
    assertEquals(s.run("FCALL", "put", 1, "k", "v"), "OK");
  });
}

Deno.test("FUNCTION LIST describes libraries, those of a pattern or all", () => {
  const s = testServer();
  s.run("FUNCTION", "LOAD", LIBRARY);
  const functions = [
    ["name", "put", "description", null, "flags", []],
    ["name", "fetch", "description", "Reads a key", "flags", ["no-writes"]],
  ];
  const listed = ["library_name", "mylib", "engine", "LUA", "functions", functions];
  assertEquals(s.run("FUNCTION", "LIST"), [listed]);
  assertEquals(s.run("FUNCTION", "LIST", "LIBRARYNAME", "my*", "WITHCODE"), [
    [...listed, "library_code", LIBRARY],
  ]);
  assertEquals(s.run("FUNCTION", "LIST", "LIBRARYNAME", "x*"), []);
  assertEquals(s.run("FUNCTION", "LIST", "x"), { error: "ERR Unknown argument x" });
});

Deno.test("FUNCTION LOAD REPLACE, DELETE and FLUSH enter the stream of writes", () => {
  const s = testServer();
  s.run("FUNCTION", "LOAD", LIBRARY);
  const other = "#!lua name=mylib\nredis.register_function('other', function() return 1 end)";
  assertEquals(s.run("FUNCTION", "LOAD", "REPLACE", other), "mylib");
  assertEquals(s.run("FCALL", "put", 0), { error: "ERR Function not found" });
  assertEquals(s.run("FCALL", "other", 0), 1);
  assertEquals(s.run("FUNCTION", "DELETE", "mylib"), "OK");
  assertEquals(s.run("FUNCTION", "DELETE", "mylib"), { error: "ERR Library not found" });
  assertEquals(s.run("FUNCTION", "FLUSH", "SYNC"), "OK");
  assertEquals(s.propagated(), [
    "SELECT 0",
    `FUNCTION LOAD ${LIBRARY}`,
    `FUNCTION LOAD REPLACE ${other}`,
    "FUNCTION DELETE mylib",
    "FUNCTION FLUSH SYNC",
  ]);
});

Deno.test("FUNCTION RESTORE takes what FUNCTION DUMP gives, by its policy", () => {
  const s = testServer();
  s.run("FUNCTION", "LOAD", LIBRARY);
  const dump = s.run("FUNCTION", "DUMP") as string;
  assertEquals(s.run("FUNCTION", "RESTORE", dump), { error: "ERR Library mylib already exists" });
  assertEquals(s.run("FUNCTION", "RESTORE", dump, "REPLACE"), "OK");
  s.run("FUNCTION", "FLUSH");
  s.run("FUNCTION", "LOAD", "#!lua name=other\nredis.register_function('put', function() end)");
  assertEquals(s.run("FUNCTION", "RESTORE", dump), { error: "ERR Function put already exists" });
  assertEquals(s.run("FCALL", "fetch", 1, "k"), { error: "ERR Function not found" });
  assertEquals(s.run("FUNCTION", "RESTORE", dump, "FLUSH"), "OK");
  assertEquals(s.run("FCALL", "put", 1, "k", "v"), "OK");
  assertEquals(s.run("FUNCTION", "DUMP"), dump);
});

Deno.test("FUNCTION RESTORE of each damaged byte changes nothing", () => {
  const s = testServer();
  s.run("FUNCTION", "LOAD", LIBRARY);
  const dump = s.run("FUNCTION", "DUMP") as string;
  s.run("FUNCTION", "FLUSH");
  for (let i = 0; i < dump.length; i++) {
    const damaged = dump.slice(0, i) + String.fromCharCode(dump.charCodeAt(i) ^ 1) +
      dump.slice(i + 1);
    assertEquals(s.run("FUNCTION", "RESTORE", damaged), {
      error: "ERR DUMP payload version or checksum are wrong",
    });
  }
  assertEquals(s.run("FUNCTION", "LIST"), []);
});

Deno.test("a function cannot register others, nor change what it was given", () => {
  const s = testServer();
  s.run(
    "FUNCTION",
    "LOAD",
    `#!lua name=a
local api = redis
redis.register_function('f', function() api.register_function('g', function() end) end)
redis.register_function('h', function() x = 1 end)`,
  );
  const registering = s.run("FCALL", "f", 0) as { error: string };
  assert(registering.error.includes("can only be called on FUNCTION LOAD command"));
  const changing = s.run("FCALL", "h", 0) as { error: string };
  assert(changing.error.includes("Attempt to modify a readonly table"), changing.error);
});

Deno.test("a library that does not end is not loaded", () => {
  const s = testServer();
  let nowMs = s.clock.nowMs;
  Object.defineProperty(s.clock, "nowMs", { get: () => nowMs++ });
  assertEquals(s.run("FUNCTION", "LOAD", "#!lua name=a\nwhile true do end"), {
    error: "ERR Error registering functions: ERR FUNCTION LOAD timeout",
  });
  assertEquals(s.run("FUNCTION", "LOAD", LIBRARY), "mylib");
});
