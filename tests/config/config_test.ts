import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { Config } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/parse.ts";
import { runtime } from "../../src/runtime/here.ts";

/** A configuration as a file of this text would make it. */
function load(text: string, isCommand?: (name: string) => boolean): Config {
  return Config.load(runtime, { file: null, fromStdin: true, options: "" }, {
    folder: "/",
    readStdin: () => latin1(text),
    isCommand,
  });
}

function text(config: Config, name: string): string {
  return config.get([name])[0][1];
}

/** The message of a refused CONFIG SET without the part that names the directive; "" if it went. */
function refusal(config: Config, name: string, value: string): string {
  const reply = config.set([[name, value]]);
  return reply === null
    ? ""
    : reply.replace(`ERR CONFIG SET failed (possibly related to argument '${name}') - `, "");
}

// Values as CONFIG GET of redis-server 7.0.15 showed them after CONFIG SET.
const TAKEN: [name: string, given: string, shown: string][] = [
  ["maxmemory", "1k", "1000"],
  ["maxmemory", "1kb", "1024"],
  ["maxmemory", "1m", "1000000"],
  ["maxmemory", "1Mb", "1048576"],
  ["maxmemory", "1g", "1000000000"],
  ["maxmemory", "1GB", "1073741824"],
  ["maxmemory", "7b", "7"],
  ["maxmemory", "", "0"],
  ["maxmemory", "k", "0"],
  ["maxmemory", "00012", "12"],
  ["maxmemory", "18446744073709551616", "18446744073709551615"],
  ["proto-max-bulk-len", "9223372036854775807", "9223372036854775807"],
  ["slowlog-max-len", "9223372036854775807", "9223372036854775807"],
  ["maxmemory-clients", "50%", "50%"],
  ["maxmemory-clients", "0%", "0"],
  ["maxmemory-clients", "1mb", "1048576"],
  ["hz", "0", "1"],
  ["hz", "501", "500"],
  ["rdbcompression", "NO", "no"],
  ["maxmemory-policy", "ALLKEYS-LRU", "allkeys-lru"],
  ["save", "60 1 30 2", "60 1 30 2"],
  ["save", "", ""],
  ["save", "60 0", "60 0"],
  ["save", "3600 1 99999999999 5", "3600 1 99999999999 5"],
  [
    "client-output-buffer-limit",
    "normal 1mb 1k 10",
    "normal 1048576 1000 10 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
  ],
  [
    "client-output-buffer-limit",
    "replica 1gb 2 3 PUBSUB 5 6 7",
    "normal 0 0 0 slave 1073741824 2 3 pubsub 5 6 7",
  ],
  ["oom-score-adj-values", "3 2 -1", "3 2 -1"],
  ["notify-keyspace-events", "KEA", "AKE"],
  ["notify-keyspace-events", "AKE$lshzxetdmn", "AKEm"],
  ["notify-keyspace-events", "g$x", "g$x"],
  ["latency-tracking-info-percentiles", "50.0 99.999 1.12345678 0 1e1", "50 99.999 1.123457 0 10"],
  ["latency-tracking-info-percentiles", "0x10 +5 .5 5.", "16 5 0.5 5"],
  ["latency-tracking-info-percentiles", "", ""],
  ["shutdown-on-sigterm", "nosave force NOW", "nosave now force"],
  ["shutdown-on-sigterm", "save default", "save"],
  ["bind", "127.0.0.1 -::1", "127.0.0.1 -::1"],
  ["bind", "", ""],
  ["masterauth", 'a\xffb"', 'a\xffb"'],
  ["proc-title-template", "{title} {{ok", "{title} {{ok"],
];
for (const [name, given, shown] of TAKEN) {
  Deno.test(`CONFIG SET ${name} "${given}" is shown as "${shown}"`, () => {
    const config = new Config(runtime, "/");
    assertEquals(config.set([[name, given]]), null);
    assertEquals(text(config, name), shown);
  });
}

// The messages of redis-server 7.0.15.
const REFUSED: [name: string, values: string[], message: string][] = [
  [
    "maxmemory",
    ["10x", "1t", "-1", "1.5mb", " 1", "1 ", "0x10", "+1", "1bb", "-0", "1%"],
    "argument must be a memory value",
  ],
  [
    "repl-backlog-size",
    ["0", "18446744073709551615"],
    "argument must be between 1 and 9223372036854775807 inclusive",
  ],
  ["maxmemory-clients", ["101%", "200%"], "percentage argument must be less or equal to 100"],
  [
    "maxmemory-clients",
    ["-5%", "%", "5.5%", "%5"],
    "argument must be a memory or percent value",
  ],
  ["hz", ["-1", "2147483648"], "argument must be between 0 and 2147483647 inclusive"],
  [
    "hz",
    ["010", "+5", "1.0", "", "1e3", " 5", "5 ", "0x5", "-0", "9223372036854775808"],
    "argument couldn't be parsed into an integer",
  ],
  ["rdbcompression", ["true", "1", ""], "argument must be 'yes' or 'no'"],
  [
    "save",
    ["60", "0 1", "1 -1", "a b", "  60   1  ", '"60" 1', "60 1x", "60  1", " "],
    "Invalid save parameters",
  ],
  [
    "client-output-buffer-limit",
    ["slave 1 2 x", "normal x 2 3", "normal -1 2 3", "normal 1 2 -3"],
    "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
  ],
  [
    "client-output-buffer-limit",
    ["foo 1 2 3", "master 1 2 3", "toString 1 2 3"],
    "Invalid client class specified in buffer limit configuration.",
  ],
  [
    "client-output-buffer-limit",
    ["normal 0 0 0 ", "normal 0  0 0"],
    "Wrong number of arguments in buffer limit configuration.",
  ],
  ["oom-score-adj-values", ["1 2", "1 2 3 4", ""], "wrong number of arguments"],
  [
    "oom-score-adj-values",
    ["1 2 x", "-3000 2 1", "1 2 2001"],
    "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
  ],
  [
    "latency-tracking-info-percentiles",
    ["nan", " 5", "50  60", "0b1", "1e"],
    "Invalid latency-tracking-info-percentiles parameters",
  ],
  [
    "latency-tracking-info-percentiles",
    ["-1", "100.1"],
    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
  ],
  [
    "shutdown-on-sigterm",
    ["save nosave"],
    "shutdown options SAVE and NOSAVE can't be used simultaneously",
  ],
  ["bind", ["1 ".repeat(16) + "1"], "Too many bind addresses specified."],
  [
    "cluster-announce-hostname",
    ["a_b"],
    "Hostnames may only contain alphanumeric characters, hyphens or dots",
  ],
  [
    "proc-title-template",
    ["{x}", "{title", "a {"],
    "template format is invalid or contains unknown variables",
  ],
];
for (const [name, values, message] of REFUSED) {
  Deno.test(`CONFIG SET ${name} refuses ${values.map((v) => `"${v}"`).join(", ")}`, () => {
    const config = new Config(runtime, "/");
    const before = text(config, name);
    for (const value of values) {
      assertEquals(refusal(config, name, value), message, value);
      assertEquals(text(config, name), before);
    }
  });
}

Deno.test("values in use are typed and need no parsing", () => {
  const config = load(
    "maxmemory 1mb\nunixsocketperm 770\nsave 60 1\nslaveof h 7\nmaxmemory-clients 5%\n" +
      "client-output-buffer-limit slave 1kb 2 3\nshutdown-on-sigint now\nreplica-read-only no\n" +
      "notify-keyspace-events Kg\nbind ::1 *\nloglevel DEBUG\n",
  );
  assertEquals(config.value("maxmemory"), 1 << 20);
  assertEquals(config.value("unixsocketperm"), 0o770);
  assertEquals(config.value("save"), [{ seconds: 60, changes: 1 }]);
  assertEquals(config.value("replicaof"), { host: "h", port: 7 });
  assertEquals(config.value("maxmemory-clients"), -5);
  assertEquals(config.value("client-output-buffer-limit").replica, {
    hardBytes: 1024,
    softBytes: 2,
    softSeconds: 3,
  });
  assertEquals(config.value("client-output-buffer-limit").pubsub.softSeconds, 60);
  assertEquals(config.value("shutdown-on-sigint"), ["now"]);
  assertEquals(config.value("shutdown-on-sigterm"), []);
  assertEquals(config.value("replica-read-only"), false);
  assertEquals(config.value("notify-keyspace-events"), 1 | 4);
  assertEquals(config.value("bind"), ["::1", "*"]);
  assertEquals(config.value("loglevel"), "debug");
});

Deno.test("a kept setting follows CONFIG SET", () => {
  const config = new Config(runtime, "/");
  const timeout = config.setting("timeout");
  config.set([["timeout", "9"]]);
  assertEquals(timeout.value, 9);
});

Deno.test("CONFIG GET answers under the name asked for, each name once", () => {
  const config = new Config(runtime, "/");
  assertEquals(config.get(["MAXMEMORY", "maxmemory"]), [["MAXMEMORY", "0"]]);
  assertEquals(config.get(["slave-read-only"]), [["slave-read-only", "yes"]]);
  assertEquals(config.get(["MaxMem*y"]).map(([name]) => name), [
    "maxmemory",
    "maxmemory-policy",
    "maxmemory-eviction-tenacity",
  ]);
  assertEquals(config.get(["h?", "hz", "[h]z", "save"]), [
    ["hz", "10"],
    ["save", "3600 1 300 100 60 10000"],
  ]);
  assertEquals(config.get(["nosuch", "\\hz", "user", "maxmemory?"]), []);
});

Deno.test("CONFIG GET shows hidden settings by their very name only", () => {
  const config = new Config(runtime, "/");
  assertEquals(config.get(["*key-load*"]), []);
  assertEquals(config.get(["key-load-delay"]), [["key-load-delay", "0"]]);
});

Deno.test("CONFIG SET of several pairs sets all or none", () => {
  const config = new Config(runtime, "/");
  assertEquals(config.set([["timeout", "5"], ["hz", "20"]]), null);
  assertEquals(
    config.set([["timeout", "7"], ["Maxmemory-Samples", "0"], ["hz", "1"]]),
    "ERR CONFIG SET failed (possibly related to argument 'maxmemory-samples') - " +
      "argument must be between 1 and 2147483647 inclusive",
  );
  assertEquals([config.value("timeout"), config.value("hz")], [5, 20]);
  // Both names of a setting may be given; the old value comes back whole when a third one fails.
  assertEquals(config.set([["slave-read-only", "no"], ["replica-read-only", "yes"]]), null);
  const failing = [["slave-priority", "1"], ["replica-priority", "2"], ["hz", "x"]] as const;
  assert(config.set(failing) !== null);
  assertEquals(config.value("replica-priority"), 100);
});

Deno.test("CONFIG SET looks at names before values, the first fault counts", () => {
  const config = new Config(runtime, "/");
  const said = (...pairs: [string, string][]) => config.set(pairs);
  const failed = (name: string) => `ERR CONFIG SET failed (possibly related to argument '${name}')`;
  assertEquals(
    said(["hz", "x"], ["NoSuch", "1"]),
    "ERR Unknown option or number of arguments for CONFIG SET - 'NoSuch'",
  );
  assertEquals(said(["DAEMONIZE", "x"]), failed("DAEMONIZE") + " - can't set immutable config");
  assertEquals(
    said(["dir", "/"], ["nosuch", "1"]),
    failed("dir") + " - can't set protected config",
  );
  assertEquals(
    said(["HZ", "1"], ["hz", "x"], ["daemonize", "no"]),
    failed("hz") + " - duplicate parameter",
  );
});

Deno.test("CONFIG SET of protected directives follows enable-protected-configs", () => {
  const far = { isLocal: false, isLoading: false };
  const near = { isLocal: true, isLoading: false };
  const ask = (allowed: string, who: typeof far) =>
    load(`enable-protected-configs ${allowed}`).set([["dbfilename", "x.rdb"]], who) === null;
  assertEquals([ask("no", near), ask("no", far)], [false, false]);
  assertEquals([ask("local", near), ask("local", far)], [true, false]);
  assertEquals([ask("yes", near), ask("yes", far)], [true, true]);
});

Deno.test("CONFIG SET of dir and appendonly has to wait while a dataset is loaded", () => {
  const loading = { isLocal: true, isLoading: true };
  const config = load("enable-protected-configs yes");
  for (const name of ["dir", "appendonly"]) {
    assertEquals(
      config.set([["hz", "20"], [name, "/"]], loading),
      "LOADING Redis is loading the dataset in memory",
    );
  }
  assertEquals(config.value("hz"), 10);
  assertEquals(config.set([["hz", "20"]], loading), null);
});

Deno.test("dir becomes an absolute path, and has to exist", () => {
  const root = Deno.realPathSync(Deno.makeTempDirSync());
  try {
    Deno.mkdirSync(root + "/a/b", { recursive: true });
    Deno.writeTextFileSync(root + "/file", "");
    const config = load(`dir ${root}\ndir a\ndir ./b/\nenable-protected-configs yes`);
    assertEquals(text(config, "dir"), root + "/a/b");
    assertEquals(config.set([["dir", ".."]]), null);
    assertEquals(text(config, "dir"), root + "/a");
    assertEquals(refusal(config, "dir", "nowhere"), "No such file or directory");
    assertEquals(refusal(config, "dir", ""), "No such file or directory");
    assertEquals(refusal(config, "dir", root + "/file"), "Not a directory");
    assertEquals(text(config, "dir"), root + "/a");
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});

Deno.test("onChange is called once after all values are set, and only for changes", () => {
  const config = new Config(runtime, "/");
  const seen: unknown[] = [];
  config.onChange(["port", "bind"], () => {
    seen.push([config.value("port"), config.value("bind"), config.value("hz")]);
  });
  assertEquals(config.set([["port", "1"], ["bind", "::1"], ["hz", "20"]]), null);
  assertEquals(seen, [[1, ["::1"], 20]]);
  assertEquals(config.set([["port", "1"], ["hz", "30"]]), null);
  assertEquals(seen.length, 1);
});

Deno.test("bind is called at once and at changes, with the values of its directives alone", () => {
  const config = new Config(runtime, "/");
  const seen: unknown[] = [];
  config.bind(["port", "bind"], (values) => void seen.push({ ...values }));
  assertEquals(seen, [{ port: 6379, bind: ["*", "-::*"] }]);
  assertEquals(config.set([["port", "1"], ["hz", "20"]]), null);
  assertEquals(seen[1], { port: 1, bind: ["*", "-::*"] });
  assertEquals(config.set([["hz", "30"]]), null);
  assertEquals(seen.length, 2);
});

Deno.test("a refusing onChange takes all values back and tells those already called", () => {
  const config = new Config(runtime, "/");
  const seen: string[] = [];
  config.onChange(["timeout"], () => void seen.push(`timeout ${config.value("timeout")}`));
  config.onChange(["port"], () => {
    seen.push(`port ${config.value("port")}`);
    if (config.value("port") === 1) return "Unable to listen on this port";
  });
  config.onChange(["hz"], () => void seen.push("hz"));
  assertEquals(
    config.set([["timeout", "5"], ["port", "1"], ["hz", "20"]]),
    "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port",
  );
  assertEquals(seen, ["timeout 5", "port 1", "timeout 0", "port 6379"]);
  assertEquals([config.value("timeout"), config.value("port"), config.value("hz")], [0, 6379, 10]);
});

Deno.test("assign sets what clients may not, and calls nobody", () => {
  const config = new Config(runtime, "/");
  config.onChange(["replicaof"], () => {
    throw new Error("not to be called");
  });
  config.assign("replicaof", ["localhost", "6379"]);
  assertEquals(config.get(["slaveof"]), [["slaveof", "localhost 6379"]]);
  config.assign("replicaof", ["no", "one"]);
  assertEquals(config.value("replicaof"), null);
});

Deno.test("save lines of one start add up, and an empty one clears", () => {
  const lines: [string, string][] = [
    ["", "3600 1 300 100 60 10000"],
    ["save 60 1", "60 1"],
    ["save 60 1\nsave 300 10 5 6", "60 1 300 10 5 6"],
    ['save 60 1\nsave ""\nsave 5 6', "5 6"],
    ['save ""', ""],
    ['save "60 1 300 10"', "60 1 300 10"],
  ];
  for (const [given, shown] of lines) assertEquals(text(load(given), "save"), shown, given);
});

Deno.test("client-output-buffer-limit lines change the class they name", () => {
  const config = load(
    "client-output-buffer-limit pubsub 1 2 3\nclient-output-buffer-limit normal 4 5 6",
  );
  assertEquals(
    text(config, "client-output-buffer-limit"),
    "normal 4 5 6 slave 268435456 67108864 60 pubsub 1 2 3",
  );
});

Deno.test("later lines win, whatever name of the setting they use", () => {
  const config = load("slave-priority 1\nreplica-priority 2\nPORT 1\nport 2");
  assertEquals([text(config, "slave-priority"), text(config, "port")], ["2", "2"]);
});

Deno.test("rename-command lines are kept in order, checked against the commands there are", () => {
  const isCommand = (name: string) => ["get", "set", "debug"].includes(name);
  const config = load('rename-command GET get2\nrename-command debug ""', isCommand);
  assertEquals(config.renames, [{ from: "get", to: "get2" }, { from: "debug", to: "" }]);
  const refused = (lines: string) =>
    assertThrows(() => load(lines, isCommand), ConfigError).message;
  assertEquals(refused("rename-command foo bar"), "No such command in rename-command");
  assertEquals(refused("rename-command get SET"), "Target command name already exists");
  assertEquals(
    refused("rename-command get x\nrename-command get y"),
    "No such command in rename-command",
  );
  load("rename-command get x\nrename-command set get\nrename-command x set", isCommand);
});

// The messages of redis-server 7.0.15 for one line of a file.
const BAD_LINES: [line: string, message: string][] = [
  ["port", "wrong number of arguments"],
  ["port 1 2", "wrong number of arguments"],
  ["maxmemory 1 mb", "wrong number of arguments"],
  ["port 1 #c", "wrong number of arguments"],
  ["port 0x10", "argument couldn't be parsed into an integer"],
  ['port "a\\x41"', "argument couldn't be parsed into an integer"],
  ["port '1'x", "Unbalanced quotes in configuration line"],
  ["port -1", "argument must be between 0 and 65535 inclusive"],
  ["include", "Bad directive or wrong number of arguments"],
  ["include a b", "Bad directive or wrong number of arguments"],
  ["save 1", "Invalid save parameters"],
  ["save  60  1 # c", "Invalid save parameters"],
  ["unixsocketperm 999", "argument couldn't be parsed as an octal number"],
  ["unixsocketperm 7777", "argument must be between 0 and 777 inclusive"],
  ["unixsocketperm -1", "argument must be between 0 and 777 inclusive"],
  ["databases 0", "argument must be between 1 and 2147483647 inclusive"],
  ["rename-command get", "Bad directive or wrong number of arguments"],
  ["user", "Bad directive or wrong number of arguments"],
  ["loadmodule", "Bad directive or wrong number of arguments"],
  ["slaveof a", "wrong number of arguments"],
  ["replicaof a 70000", "Invalid master port"],
  ["replicaof a x", "Invalid master port"],
  ["sentinel x", "sentinel directive while not in sentinel mode"],
  ["dir /nowhere", "No such file or directory"],
  ["dbfilename a/b", "dbfilename can't be a path, just a filename"],
  ["appendfilename a/b", "appendfilename can't be a path, just a filename"],
  ["appenddirname a/b", "appenddirname can't be a path, just a dirname"],
  ['appenddirname ""', "appenddirname can't be empty"],
  ['appendfilename ""', "appendfilename can't be empty"],
  ["supervised x", "argument(s) must be one of the following: upstart, systemd, auto, no"],
  ["io-threads 129", "argument must be between 1 and 128 inclusive"],
  ["socket-mark-id 4294967296", "argument must be between 0 and 4294967295 inclusive"],
  ["--port 5", "Bad directive or wrong number of arguments"],
  ["po\\rt 5", "Bad directive or wrong number of arguments"],
];
for (const [line, message] of BAD_LINES) {
  Deno.test(`the line '${line}' keeps the server from starting`, () => {
    const error = assertThrows(() => load("# first\n" + line + "\nport 1"), ConfigError);
    assertEquals(error.message, message);
    assertEquals(error.place, { source: "standard input", line: 2, text: line });
  });
}

/** The directives of CONFIG GET * that are not at their default, each with its value. */
function changed(config: Config): Record<string, string> {
  const defaults = new Map(new Config(runtime, "/").get(["*"]));
  return Object.fromEntries(
    config.get(["*"]).filter(([name, value]) => defaults.get(name) !== value),
  );
}

/** What each line makes of the defaults, or of the line before it where there is one. */
const ACCEPTED: [line: string, becomes: Record<string, string>, before?: string][] = [
  ["save", { save: "" }],
  ["bind", { bind: "" }],
  ['logfile ""', {}, "logfile /tmp/log"],
  ['dbfilename ""', { dbfilename: "" }],
  ["replicaof a 0", { replicaof: "a 0", slaveof: "a 0" }],
  ['replicaof "" 5', {}, "replicaof a 1"],
  ["list-max-ziplist-entries 5", {}],
  ["user default on nopass ~* &* +@all", {}],
  ['"port" 5', { port: "5" }],
  ['"\\x70ort" 5', { port: "5" }],
  ["shutdown-on-sigint save now", { "shutdown-on-sigint": "save now" }],
  ["tls-protocols x", { "tls-protocols": "x" }],
  ['masteruser ""', {}, "masteruser somebody"],
  ["unixsocketperm 700", { unixsocketperm: "700" }],
  ["lua-time-limit 0", { "busy-reply-threshold": "0", "lua-time-limit": "0" }],
  ["server_cpulist 0", { server_cpulist: "0" }],
  ["include /nowhere*/x", {}],
];
for (const [line, becomes, before] of ACCEPTED) {
  Deno.test(`the line '${line}' is accepted`, () => {
    if (before !== undefined) assertNotEquals(changed(load(before)), becomes);
    const config = load(`${before ?? ""}\n${line}\n`);
    assertEquals(changed(config), becomes);
  });
}

Deno.test("the report of a bad line looks as on a real server, with file and suggestion", () => {
  const error = assertThrows(() => load("\n\n prot 6380 "), ConfigError);
  assertEquals(
    error.report(),
    "*** FATAL CONFIG FILE ERROR (tsredis 0.1.0) ***\n" +
      "Reading the configuration file, at line 3\n" +
      ">>> 'prot 6380'\n" +
      "Bad directive or wrong number of arguments\n" +
      "Did you mean 'port'?\n" +
      "File: standard input",
  );
});
