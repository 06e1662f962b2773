/**
 * What would protect or keep data and is not there stops the start, wherever it is written, and is
 * refused by CONFIG SET; `--ignore-unsupported yes` starts all the same.
 */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { parseArguments } from "../../src/config/arguments.ts";
import { Config } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/parse.ts";
import {
  type Directive,
  type DirectiveName,
  DIRECTIVES,
  notActing,
  refusable,
  refusalOf,
} from "../../src/config/table.ts";
import { withoutEffect } from "../../src/config/without_effect.ts";
import { runtime } from "../../src/runtime/here.ts";

/** A value of each directive that is refused. */
const SAMPLES: Record<string, string[]> = {
  "daemonize": ["yes"],
  "cluster-enabled": ["yes"],
  "tls-dh-params-file": ["/etc/dh.pem"],
  "tls-protocols": ["TLSv1.1"],
  "tls-ciphers": ["HIGH:!aNULL"],
  "tls-ciphersuites": ["TLS_CHACHA20_POLY1305_SHA256"],
  "tls-prefer-server-ciphers": ["yes"],
  "loadmodule": ["/usr/lib/redisbloom.so", "ERROR_RATE", "0.1"],
};

function load(args: string[], stdin = ""): Config {
  const action = parseArguments(args, runtime);
  if (action.kind !== "start") throw new Error(`${args.join(" ")} does not start a server`);
  return Config.load(runtime, action.start, { folder: "/", readStdin: () => latin1(stdin) });
}

function report(args: string[], stdin = ""): string {
  return assertThrows(() => load(args, stdin), ConfigError).report();
}

for (const name of refusable()) {
  const sample = SAMPLES[name];
  const line = `${name} ${sample.join(" ")}`;
  const { reason } = refusalOf(name)!;

  Deno.test(`'${line}' stops the start, from a file, standard input and the command line`, () => {
    const path = Deno.makeTempFileSync();
    try {
      Deno.writeTextFileSync(path, `port 7000\n${line}\n`);
      const shown = line;
      for (
        const [from, said] of [[path, report([path])], [
          "standard input",
          report(["-"], `port 7000\n${line}\n`),
        ]]
      ) {
        assertStringIncludes(said, "Reading the configuration file, at line 2\n");
        assertStringIncludes(said, `>>> '${shown}'\n`);
        assertStringIncludes(said, `'${name}' is refused: ${reason}\n`);
        assertStringIncludes(said, `\nFile: ${from}\n`);
        assertStringIncludes(said, "add '--ignore-unsupported yes' to the command line");
        assert(!said.includes("secret"), said);
      }
      const typed = report(["--port", "7000", `--${name}`, ...sample]);
      assertStringIncludes(typed, `'${name}' is refused: ${reason}\n`);
      assertStringIncludes(typed, "\nFile: command line\n");
      assert(!typed.includes("secret"), typed);
    } finally {
      Deno.removeSync(path);
    }
  });

  Deno.test(`'${line}' is warned of with --ignore-unsupported yes`, () => {
    const config = load(["-", "--ignore-unsupported", "yes"], line + "\n");
    assertEquals(withoutEffect(config), [{ name, reason }]);
  });

  Deno.test(`${name} is in one of the README's two lists`, () => {
    assert(!notActing().some((other) => other.name === name));
  });

  if (!Object.hasOwn(DIRECTIVES, name)) continue;
  const { settable, default: byDefault } = DIRECTIVES[name as DirectiveName] as Directive<unknown>;

  Deno.test(`CONFIG SET ${line} is refused and changes nothing; the default may be set`, () => {
    const config = new Config(runtime, "/");
    const before = config.get([name]);
    const said = config.set([["hz", "20"], [name, sample[0]]]);
    const why = settable === true ? reason : "can't set immutable config";
    const start = `ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`;
    assert(said !== null && said.startsWith(start), String(said));
    assertEquals(config.get([name]), before);
    assertEquals(config.value("hz"), 10);
    if (settable === true) assertEquals(config.set([[name, byDefault]]), null);
  });

  Deno.test(`${name}: a later line takes an earlier one back`, () => {
    const value = byDefault === "" ? '""' : byDefault;
    const config = load(["-"], `${line}\n${name} ${value}\n`);
    assertEquals(config.isDefault(name as DirectiveName), true);
    assertEquals(withoutEffect(config), []);
  });
}

Deno.test("all lines that are refused are named at once, and the way to ignore them once", () => {
  const said = report(["-", "--cluster-enabled", "yes"], "daemonize yes\nhz 5\nloadmodule /x\n");
  assertEquals(
    said,
    `*** FATAL CONFIG FILE ERROR (tsredis 0.1.0) ***
Reading the configuration file, at line 1
>>> 'daemonize yes'
'daemonize' is refused: the server cannot put itself into the background
Leave that to systemd (packaging/tsredis.service) or to the shell ('nohup tsredis &').
File: standard input
Reading the configuration file, at line 1
>>> 'cluster-enabled "yes"'
'cluster-enabled' is refused: cluster mode does not exist
Run it as a server of its own, with replicas if need be.
File: command line
Reading the configuration file, at line 3
>>> 'loadmodule /x'
'loadmodule' is refused: modules cannot be loaded
Do without the module.
File: standard input
To start all the same, without what these lines ask for, add '--ignore-unsupported yes' to the command line.`,
  );
});

Deno.test("ignore-unsupported belongs on the command line; no means what its absence means", () => {
  const inFile = report(["-"], "ignore-unsupported yes\ndaemonize yes\n");
  assertStringIncludes(inFile, "'ignore-unsupported' belongs on the command line");
  assertStringIncludes(report(["--ignore-unsupported", "x"]), "argument must be 'yes' or 'no'");
  assertStringIncludes(report(["--ignore-unsupported"]), "wrong number of arguments");
  assertStringIncludes(report(["--ignore-unsupported", "no", "--daemonize", "yes"]), "'daemonize'");
  // It may come behind what it lets pass; and CONFIG does not know it.
  const config = load(["--daemonize", "yes", "--ignore-unsupported", "YES"]);
  assertEquals(config.ignored.map(({ name }) => name), ["daemonize"]);
  assertEquals(config.get(["ignore-unsupported", "ignore*"]), [["ignore-warnings", ""]]);
});

Deno.test("CONFIG SET takes what --ignore-unsupported has let pass once more, and its end", () => {
  const config = load(["--tls-ciphers", "HIGH", "--ignore-unsupported", "yes"]);
  assertEquals(config.set([["tls-ciphers", "HIGH"]]), null);
  assertEquals(config.set([["tls-ciphers", ""]]), null);
  assert(config.set([["tls-ciphers", "HIGH"]])?.includes("the runtime's library chooses"));
});

Deno.test("a program that gives such a directive is refused too, or says that it may be ignored", () => {
  const error = assertThrows(
    () => Config.of(runtime, { "daemonize": true, "tls-ciphers": "HIGH" }),
    ConfigError,
  );
  for (
    const part of [
      "'daemonize' is refused: ",
      "'tls-ciphers' is refused: ",
      '"ignore-unsupported"',
    ]
  ) {
    assertStringIncludes(error.report(), part);
  }
  const config = Config.of(runtime, { "daemonize": true, "ignore-unsupported": true });
  assertEquals(config.ignored.map(({ name }) => name), ["daemonize"]);
  assertEquals(Config.of(runtime, { "daemonize": false }).ignored, []);
});
