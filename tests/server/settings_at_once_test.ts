/** Directives that CONFIG SET changes count from the next request on. */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { slowServer } from "../support/slow_server.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

/** The first word of an error, or the reply. */
function answer(s: TestServer, ...words: string[]) {
  const reply = s.run(...words);
  const isError = typeof reply === "object" && reply !== null && "error" in reply;
  return isError ? reply.error.split(" ")[0] : reply;
}

/** A server whose last save has failed. */
async function unsaved(): Promise<TestServer> {
  const s = testServer({ directives: { save: "3600 1" }, folder: "/nonexistent-folder" });
  s.run("SET", "a", "1");
  s.run("BGSAVE");
  await eventually(() => !s.core.persistence.lastSaveOk, { what: "the save to fail" });
  return s;
}

for (
  const [name, off, on] of [
    ["stop-writes-on-bgsave-error", "no", "yes"],
    ["save", "", "3600 1"],
  ]
) {
  Deno.test(`CONFIG SET ${name} after a failed save counts from the next request on`, async () => {
    const s = await unsaved();
    const refused = ["MISCONF", "MISCONF", "1"];
    const look = () => [answer(s, "SET", "a", "1"), answer(s, "PING"), answer(s, "GET", "a")];
    assertEquals(look(), refused);
    assertEquals(s.run("CONFIG", "SET", name, off), "OK");
    assertEquals(look(), ["OK", "PONG", "1"]);
    assertEquals(s.run("CONFIG", "SET", name, on), "OK");
    assertEquals(look(), refused);
  });
}

Deno.test("watchdog-period has the log tell of a turn that took longer, and what took longest", () => {
  const s = slowServer();
  const turn = (ms: number) => {
    s.run("PASS", ms);
    s.core.cron();
    return s.logLines.splice(0).map((line) => line.replace(/^.* # /, "").trimEnd());
  };
  assertEquals(turn(5000), []);
  assertEquals(s.run("CONFIG", "GET", "*watchdog*"), []);
  assertEquals(s.run("CONFIG", "SET", "watchdog-period", "500"), "OK");
  assertEquals(turn(500), []);
  assertEquals(turn(501), [
    "--- WATCHDOG TIMER EXPIRED ---",
    "The event loop stood still for 501 ms.",
    "The longest command meanwhile: pass, 501.0 ms.",
    "--------",
  ]);
  assertEquals(turn(1), []);
  s.run("CONFIG", "SET", "watchdog-period", "0");
  assertEquals(turn(5000), []);
});

Deno.test("watchdog-period is at least two turns of the timer, as in Redis", () => {
  const s = testServer();
  assertEquals(s.run("CONFIG", "SET", "watchdog-period", "1"), "OK");
  assertEquals(s.run("CONFIG", "GET", "watchdog-period"), ["watchdog-period", "200"]);
  assertEquals(s.run("CONFIG", "SET", "watchdog-period", "-1"), {
    error:
      "ERR CONFIG SET failed (possibly related to argument 'watchdog-period') - argument must " +
      "be between 0 and 2147483647 inclusive",
  });
});
