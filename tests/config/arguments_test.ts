import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { resolve } from "@std/path";
import { latin1 } from "../../src/base/bytes.ts";
import { parseArguments } from "../../src/config/arguments.ts";
import { Config, type Start } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/parse.ts";
import { TSREDIS_VERSION } from "../../src/config/version.ts";
import project from "../../deno.json" with { type: "json" };
import { runtime } from "../../src/runtime/here.ts";

function start(...args: string[]): Start {
  const action = parseArguments(args, runtime);
  if (action.kind !== "start") throw new Error(`${args.join(" ")} does not start a server`);
  return action.start;
}

/** What is printed instead of starting a server. */
function printed(...args: string[]): { text: string; exitCode: number } {
  const action = parseArguments(args, runtime);
  if (action.kind !== "print") throw new Error(`${args.join(" ")} prints nothing`);
  return action;
}

function load(args: string[], stdin = ""): Config {
  return Config.load(runtime, start(...args), { folder: "/", readStdin: () => latin1(stdin) });
}

function get(config: Config, name: string): string {
  return config.get([name])[0][1];
}

// What a real server of 7.0.15 then answered to CONFIG GET.
const STARTS: [args: string[], name: string, value: string][] = [
  [[], "port", "6379"],
  [["--port", "6380"], "port", "6380"],
  [["--port 6380"], "port", "6380"],
  [["--PORT", "6380"], "port", "6380"],
  [["--port", "0"], "port", "0"],
  [["--maxmemory", "1mb", "--maxmemory", "2mb"], "maxmemory", "2097152"],
  [["--save", "60", "1", "--save", "300", "10"], "save", "60 1 300 10"],
  [["--save", "60 1 300 10"], "save", "60 1 300 10"],
  [["--save", ""], "save", ""],
  [["--save"], "save", ""],
  [["--save", "--port", "6380"], "port", "6380"],
  [["--save", "--port", "6380"], "save", ""],
  [["--slaveof", "localhost", "6379"], "replicaof", "localhost 6379"],
  [["--slaveof", "localhost 6379"], "slaveof", "localhost 6379"],
  [["--slaveof", "no", "one"], "slaveof", ""],
  [["--requirepass", 'a b "c" \\x'], "requirepass", 'a b "c" \\x'],
  [["--requirepass", "--x", "--port", "6380"], "requirepass", "--x"],
  [["--requirepass", "--x", "--port", "6380"], "port", "6380"],
  [["--requirepass", "-x"], "requirepass", "-x"],
  [["--requirepass", "\u00e4"], "requirepass", "\xc3\xa4"],
  [["--list-max-listpack-size", "-1"], "list-max-listpack-size", "-1"],
  [["--oom-score-adj-values", "0", "-5", "100"], "oom-score-adj-values", "0 -5 100"],
  [["--bind", "127.0.0.1", "-::1"], "bind", "127.0.0.1 -::1"],
  [["--bind", "127.0.0.1 -::1"], "bind", "127.0.0.1 -::1"],
  [["--shutdown-on-sigterm", "now", "nosave"], "shutdown-on-sigterm", "nosave now"],
];
for (const [args, name, value] of STARTS) {
  Deno.test(`tsredis ${args.join(" ")} has ${name} "${value}"`, () => {
    assertEquals(get(load(args), name), value);
  });
}

// The line and the message of a real server.
const REFUSED: [args: string[], line: string, message: string][] = [
  [["--port", "6380 --appendonly yes"], 'port "6380 --appendonly yes"', "an integer"],
  [["--port", "6380", "x"], 'port "6380" "x"', "wrong number of arguments"],
  [["-p", "6380"], '"-p" "6380"', "Bad directive or wrong number of arguments"],
  [["--port", "6380", "--prot", "1"], 'prot "1"', "Bad directive or wrong number of arguments"],
  [["--maxmemory"], "maxmemory", "wrong number of arguments"],
  [["--port", "--save"], 'port "--save"', "an integer"],
  [["--", "--port", "6380"], '"--port" "6380"', "Bad directive or wrong number of arguments"],
  [["-", "-", "--port", "6380"], '"-"', "Bad directive or wrong number of arguments"],
  [["--maxmemory", "--", "5"], 'maxmemory "--" "5"', "wrong number of arguments"],
];
for (const [args, line, message] of REFUSED) {
  Deno.test(`tsredis ${args.join(" ")} does not start`, () => {
    const error = assertThrows(() => load(args), ConfigError);
    assertEquals(error.place?.text, line);
    assertEquals(error.place?.source, "command line");
    assert(error.message.endsWith(message), error.message);
  });
}

Deno.test("file, standard input and options are read in this order, the later ones win", () => {
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(file, "port 1\nmaxmemory 1\ntimeout 1\nsave 60 1\n");
    const config = load([file, "--port", "3", "--save", "5", "6", "-"], "port 2\nmaxmemory 2\n");
    assertEquals(get(config, "port"), "3");
    assertEquals(get(config, "maxmemory"), "2");
    assertEquals(get(config, "timeout"), "1");
    assertEquals(get(config, "save"), "60 1 5 6");
    assertEquals(get(load([file, "--save", ""]), "save"), "");
    assertEquals(config.file, file);
  } finally {
    Deno.removeSync(file);
  }
});

Deno.test("a lone dash asks for standard input as the first or the last word only", () => {
  assertEquals(start("-", "--port", "1").fromStdin, true);
  assertEquals(start("--port", "1", "-").fromStdin, true);
  assertEquals(start("--logfile", "-", "--port", "1").fromStdin, false);
  assertEquals(start("--port", "1").fromStdin, false);
});

Deno.test("the configuration file is the first word, and becomes absolute", () => {
  assertEquals(start("x/redis.conf", "--port", "1").file, resolve("x/redis.conf"));
  assertEquals(start("--port", "x").file, null);
  const error = assertThrows(() => load(["/nowhere/redis.conf"]), ConfigError);
  assertEquals(
    error.report(),
    "Fatal error, can't open config file '/nowhere/redis.conf': No such file or directory",
  );
});

for (const args of [["--version"], ["-v"], ["-v", "x"], ["--version", "--port", "1"]]) {
  Deno.test(`tsredis ${args.join(" ")} prints the version`, () => {
    const action = printed(...args);
    assertMatch(
      action.text,
      /^tsredis v=\d+\.\d+\.\d+ redis=7\.2\.4 (deno|bun)=\d+\.\d+\.\d+ bits=64\n$/,
    );
    assertEquals(action.exitCode, 0);
  });
}

for (const args of [["--help"], ["-h"], ["-h", "x"]]) {
  Deno.test(`tsredis ${args.join(" ")} prints how to use it`, () => {
    const action = printed(...args);
    assertMatch(action.text, /^Usage: tsredis /);
  });
}

for (const args of [["--test-memory", "5"], ["--check-system"], ["x.conf", "--sentinel"]]) {
  Deno.test(`tsredis ${args.join(" ")} says that this is not part of it`, () => {
    const action = printed(...args);
    assertMatch(action.text, /^--[a-z-]+ is not part of tsredis\. /);
    assertEquals(action.exitCode, 1);
  });
}

Deno.test("--help behind another option is that option's value", () => {
  assertEquals(get(load(["--requirepass", "--help"]), "requirepass"), "--help");
});

Deno.test("the version is that of deno.json", () => {
  assertEquals(TSREDIS_VERSION, project.version);
});
