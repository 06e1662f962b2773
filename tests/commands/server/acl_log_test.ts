/** ACL LOG: what redis 7.2.4 enters and answers when authentication fails. */

import { assertEquals, assertMatch } from "@std/assert";
import { testServer } from "../../support/test_server.ts";

const NOW_MS = 1_700_000_000_000;

function withPassword(directives = {}) {
  return testServer({ nowMs: NOW_MS, directives: { requirepass: "secret", ...directives } });
}

/** The entries, each as an object. */
function logOf(s: ReturnType<typeof testServer>, ...words: string[]) {
  const entries = s.run("ACL", "LOG", ...words) as (string | number)[][];
  return entries.map((entry) => {
    const fields: Record<string, string | number> = {};
    for (let i = 0; i < entry.length; i += 2) fields[entry[i]] = entry[i + 1];
    return fields;
  });
}

Deno.test("ACL LOG tells of a failed AUTH with ten fields", () => {
  const s = withPassword();
  s.run("AUTH", "nobody", "wrong");
  s.clock.nowMs += 1500;
  const [{ "client-info": info, ...entry }, ...others] = logOf(s);
  assertEquals(others, []);
  assertEquals(entry, {
    "count": 1,
    "reason": "auth",
    "context": "toplevel",
    "object": "AUTH",
    "username": "nobody",
    "age-seconds": "1.5",
    "entry-id": 0,
    "timestamp-created": NOW_MS,
    "timestamp-last-updated": NOW_MS,
  });
  assertMatch(String(info), /^id=\d+ .* cmd=auth user=default /);
});

Deno.test("ACL LOG answers maps in RESP3", () => {
  const s = withPassword();
  s.run("AUTH", "wrong");
  const [entry] = s.connect(3).run("ACL", "LOG") as { map: [string, unknown][] }[];
  assertEquals(entry.map.map(([name]) => name), [
    "count",
    "reason",
    "context",
    "object",
    "username",
    "age-seconds",
    "client-info",
    "entry-id",
    "timestamp-created",
    "timestamp-last-updated",
  ]);
});

Deno.test("ACL LOG joins what is alike within a minute, and moves it to the front", () => {
  const s = withPassword();
  s.run("AUTH", "wrong");
  s.run("AUTH", "other", "wrong");
  s.clock.nowMs += 60_000;
  s.run("AUTH", "wrong again");
  assertEquals(logOf(s).map((each) => [each.username, each.count, each["entry-id"]]), [
    ["default", 2, 0],
    ["other", 1, 1],
  ]);
  assertEquals(logOf(s)[0]["timestamp-last-updated"], NOW_MS + 60_000);
  s.clock.nowMs += 60_001;
  s.run("AUTH", "wrong");
  assertEquals(logOf(s).map((each) => each["entry-id"]), [2, 0, 1]);
});

Deno.test("ACL LOG names the command as typed, and tells of HELLO and of transactions", () => {
  const s = withPassword();
  s.run("auth", "wrong");
  s.run("HELLO", "3", "AUTH", "default", "wrong");
  s.run("MULTI");
  s.run("AUTH", "wrong");
  s.run("EXEC");
  assertEquals(logOf(s).map(({ object, context }) => [object, context]), [
    ["AUTH", "multi"],
    ["HELLO", "toplevel"],
    ["auth", "toplevel"],
  ]);
});

Deno.test("ACL LOG shows ten entries, as many as asked for, or none; RESET forgets them", () => {
  const s = withPassword();
  for (let i = 0; i < 12; i++) s.run("AUTH", `user${i}`, "wrong");
  assertEquals(logOf(s).length, 10);
  assertEquals(logOf(s, "20").length, 12);
  assertEquals(logOf(s, "1").map(({ username }) => username), ["user11"]);
  assertEquals(logOf(s, "-1"), []);
  assertEquals(s.run("ACL", "LOG", "x"), { error: "ERR value is not an integer or out of range" });
  assertEquals(s.run("ACL", "LOG", "Reset"), "OK");
  assertEquals(logOf(s), []);
});

Deno.test("acllog-max-len bounds ACL LOG at once, also from 0 on", () => {
  const s = withPassword({ "acllog-max-len": 2 });
  for (const user of ["a", "b", "c"]) s.run("AUTH", user, "wrong");
  assertEquals(logOf(s).map(({ username }) => username), ["c", "b"]);
  s.run("CONFIG", "SET", "acllog-max-len", 1);
  assertEquals(logOf(s).map(({ username }) => username), ["c"]);
  s.run("CONFIG", "SET", "acllog-max-len", 0);
  s.run("AUTH", "d", "wrong");
  assertEquals(logOf(s), []);
});

Deno.test("ACL LOG keeps no more than the beginning of a long name", () => {
  const s = withPassword();
  s.run("AUTH", "u".repeat(100_000), "wrong");
  assertEquals(logOf(s)[0].username, "u".repeat(256));
});

Deno.test("ACL LOG stays empty while authentication succeeds", () => {
  const s = withPassword();
  s.run("AUTH", "secret");
  s.run("HELLO", "2", "AUTH", "default", "secret");
  assertEquals(logOf(s), []);
});
