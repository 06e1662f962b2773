// deno-lint-ignore-file no-control-regex
/** Nothing from outside makes lines of its own in what people and programs read line by line. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { oneLine } from "../../src/base/printable.ts";
import { Log } from "../../src/observe/log.ts";
import { MasterRig } from "../support/master_rig.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

const FORGED = "1:M 01 Jan 2026 00:00:00.000 * forged";
const EVIL = `x\r\n${FORGED}\x1b[2J\x9b\0`;

/** All of the log, which may be more lines than it has messages. */
function lines(s: TestServer): string[] {
  return s.logLines.join("").split("\n").slice(0, -1);
}

/** Every line begins as the server begins them, and holds no control character. */
function assertPlain(found: string[]): void {
  for (const line of found) {
    assertMatch(
      line,
      /^1:[MS] \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} [.*#-] [^\0-\x1f\x7f-\x9f]*$/,
    );
    assert(!line.startsWith(FORGED), line);
  }
}

Deno.test("a message of the log is one line without control characters", () => {
  const written: string[] = [];
  const clock = { now: () => 0, monotonic: () => 0 };
  const log = new Log(clock, 1, (line) => written.push(new TextDecoder().decode(line)));
  log.warning(EVIL);
  log.notice("caf\u00e9 \u2028");
  assertEquals(written.map((line) => line.replace(/^.*? [#*] /, "")), [
    `x\\r\\n${FORGED}\\x1b[2J\\x9b\\x00\n`,
    "caf\u00e9 \\u2028\n",
  ]);
});

Deno.test("a fault is as many warnings as its trace has lines", () => {
  const s = testServer();
  s.core.log.fault(
    "Cannot",
    Object.assign(new Error("x"), { stack: `Error: x\n${FORGED}\n at y` }),
  );
  assertEquals(lines(s).map((line) => line.replace(/^.*? # /, "")), [
    "Cannot: Error: x",
    `    ${FORGED}`,
    "    at y",
  ]);
  assertPlain(lines(s));
});

Deno.test("oneLine leaves what can be shown as it is", () => {
  assertEquals(oneLine("all that \u00e4\u00df\u20ac is \\n"), "all that \u00e4\u00df\u20ac is \\n");
  assertEquals(oneLine("\t"), "\\t");
});

for (
  const [what, requests] of [
    ["REPLICAOF", [["REPLICAOF", EVIL, "1"], ["REPLICAOF", "NO", "ONE"]]],
    ["REPLCONF and PSYNC", [
      ["REPLCONF", "ip-address", EVIL],
      ["REPLCONF", "listening-port", "1"],
      ["REPLCONF", "version", EVIL],
      ["PSYNC", EVIL, "1"],
    ]],
    ["PSYNC with an offset", [["PSYNC", "?", EVIL]]],
    ["FAILOVER", [["FAILOVER", "TO", EVIL, "1"]]],
    ["CLIENT SETNAME", [["CLIENT", "SETNAME", EVIL]]],
    ["CLIENT SETINFO", [["CLIENT", "SETINFO", "lib-name", EVIL]]],
    ["HELLO", [["HELLO", "3", "SETNAME", EVIL], ["HELLO", "3", "AUTH", EVIL, EVIL]]],
    ["CONFIG SET", [["CONFIG", "SET", "dbfilename", EVIL], ["CONFIG", "SET", EVIL, EVIL]]],
    ["RESTORE", [["RESTORE", EVIL, "0", EVIL]]],
    ["an unknown command", [[EVIL, EVIL]]],
    ["DEBUG LOG", [["DEBUG", "LOG", EVIL]]],
  ] as [string, string[][]][]
) {
  Deno.test(`${what} cannot forge a line of the log, of INFO or of CLIENT LIST`, () => {
    const s = new MasterRig();
    s.core.log.level = "debug";
    for (const words of requests) s.run(...words);
    assertPlain(lines(s));
    const info = (s.connect().run("INFO", "everything") as string | undefined) ?? "";
    for (const line of info.split("\r\n")) {
      assertMatch(line, /^(|# .*|[a-z][a-z0-9_|.-]*:[^\0-\x1f]*)$/i);
    }
    const list = s.connect().run("CLIENT", "LIST") as string;
    for (const line of list.split("\n").slice(0, -1)) assertMatch(line, /^id=\d+ [^\0-\x1f]*$/);
    s.core.close();
  });
}
