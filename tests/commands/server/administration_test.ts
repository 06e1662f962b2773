/** SHUTDOWN, REPLICAOF, ROLE, TIME, LOLWUT, MODULE and ACL. */

import { assertEquals, assertMatch } from "@std/assert";
import { wholeServer } from "../../support/whole_server.ts";

Deno.test("SHUTDOWN passes on what to save and whether to insist, and does not answer", () => {
  const s = wholeServer();
  assertEquals(s.run("SHUTDOWN"), undefined);
  assertEquals(s.run("SHUTDOWN", "NOSAVE", "NOW", "FORCE"), undefined);
  assertEquals(s.run("SHUTDOWN", "save"), undefined);
  assertEquals(s.shutdowns.map(({ save, force }) => [save, force]), [
    ["default", false],
    ["nosave", true],
    ["save", false],
  ]);
});

Deno.test("SHUTDOWN answers when it does not take place", () => {
  const s = wholeServer();
  s.shutdownRefusal = "ERR Errors trying to SHUTDOWN. Check logs.";
  assertEquals(s.run("SHUTDOWN"), { error: s.shutdownRefusal });
});
for (const words of ["NOSAVE SAVE", "ABORT NOW", "FOO"]) {
  Deno.test(`SHUTDOWN ${words} is a syntax error`, () => {
    const s = wholeServer();
    assertEquals(s.run("SHUTDOWN", ...words.split(" ")), { error: "ERR syntax error" });
    assertEquals(s.shutdowns, []);
  });
}
Deno.test("SHUTDOWN ABORT has nothing to abort", () => {
  assertEquals(wholeServer().run("SHUTDOWN", "ABORT"), { error: "ERR No shutdown in progress." });
});

Deno.test("ROLE tells of a master without replicas", () => {
  const s = wholeServer();
  s.run("SET", "k", "v");
  assertEquals(s.run("ROLE"), ["master", s.keyspace.stream.offset, []]);
});

Deno.test("REPLICAOF NO ONE keeps the master a master; a port has to be one", () => {
  const s = wholeServer();
  for (const name of ["REPLICAOF", "SLAVEOF"]) {
    assertEquals(s.run(name, "no", "ONE"), "OK");
    for (const port of ["two", "-1", "65536"]) {
      assertEquals(s.run(name, "no", port), { error: "ERR Invalid master port" });
    }
  }
});

Deno.test("TIME tells seconds and microseconds", () => {
  const s = wholeServer();
  s.clock.nowMs = 1_700_000_000_045;
  assertEquals(s.run("TIME"), ["1700000000", "45000"]);
});

Deno.test("LOLWUT draws something of the size asked for and tells the version", () => {
  const s = wholeServer();
  assertMatch(s.run("LOLWUT") as string, /^Redis ver\. 7\.2\.4 /m);
  const lines = (s.run("LOLWUT", "VERSION", 5, 20, 7) as string).split("\n");
  assertEquals(lines.slice(7), ["", lines[8], ""]);
  assertEquals(lines[6].length, 20);
  for (const words of [["VERSION", "x"], ["VERSION", "5", "x"]]) {
    assertEquals(s.run("LOLWUT", ...words), {
      error: "ERR value is not an integer or out of range",
    });
  }
});

Deno.test("MODULE LIST is empty", () => {
  assertEquals(wholeServer().run("MODULE", "LIST"), []);
});

Deno.test("ACL tells of the default user, with the hash of its password", () => {
  const s = wholeServer();
  assertEquals(s.run("ACL", "WHOAMI"), "default");
  assertEquals(s.run("ACL", "USERS"), ["default"]);
  assertEquals(s.run("ACL", "LIST"), [
    "user default on nopass sanitize-payload ~* &* +@all",
  ]);
  s.run("CONFIG", "SET", "requirepass", "abc");
  const hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assertEquals(s.run("ACL", "LIST"), [
    `user default on sanitize-payload #${hash} ~* &* +@all`,
  ]);
  assertEquals(s.connect(3).run("ACL", "GETUSER", "default"), {
    map: [
      ["flags", { set: ["on", "sanitize-payload"] }],
      ["passwords", [hash]],
      ["commands", "+@all"],
      ["keys", "~*"],
      ["channels", "&*"],
      ["selectors", []],
    ],
  });
  assertEquals(s.run("ACL", "GETUSER", "nosuch"), null);
});

Deno.test("ACL CAT lists categories, and the commands of one", () => {
  const s = wholeServer();
  assertEquals((s.run("ACL", "CAT") as string[]).length, 21);
  assertEquals((s.run("ACL", "CAT", "Transaction") as string[]).toSorted(), [
    "discard",
    "exec",
    "multi",
    "unwatch",
    "watch",
  ]);
  assertEquals(s.run("ACL", "CAT", "nosuch"), { error: "ERR Unknown category 'nosuch'" });
});

Deno.test("ACL GENPASS makes as many bits as asked for", () => {
  const s = wholeServer();
  assertMatch(s.run("ACL", "GENPASS") as string, /^[0-9a-f]{64}$/);
  assertMatch(s.run("ACL", "GENPASS", 5) as string, /^[0-9a-f]{2}$/);
  assertMatch(s.run("ACL", "GENPASS", 9) as string, /^[0-9a-f]{3}$/);
  for (const bits of [0, 4097]) {
    assertMatch((s.run("ACL", "GENPASS", bits) as { error: string }).error, /positive number/);
  }
});

const ACL_ANSWERS: [words: string, answer: unknown][] = [
  ["LOG", []],
  ["LOG 3", []],
  ["LOG RESET", "OK"],
  ["DELUSER x", 0],
  ["DELUSER default", { error: "ERR The 'default' user cannot be removed" }],
  ["DRYRUN default SET a b", "OK"],
  ["DRYRUN default CONFIG GET port", "OK"],
  ["DRYRUN nouser GET a", { error: "ERR User 'nouser' not found" }],
  ["DRYRUN default NOSUCH", { error: "ERR Command 'NOSUCH' not found" }],
  ["DRYRUN default GET", { error: "ERR wrong number of arguments for 'get' command" }],
];
for (const [words, answer] of ACL_ANSWERS) {
  Deno.test(`ACL ${words} answers as a real server does`, () => {
    assertEquals(wholeServer().run("ACL", ...words.split(" ")), answer as never);
  });
}
for (const word of ["LOAD", "SAVE"]) {
  Deno.test(`ACL ${word} says that there is no file of users, as a real server without one`, () => {
    const answer =
      "ERR This Redis instance is not configured to use an ACL file. You may want to " +
      "specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have " +
      "a Redis configuration file set) in order to store users in the Redis configuration.";
    assertEquals(wholeServer().run("ACL", word), { error: answer });
  });
}
