import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";

Deno.test("EXEC answers with the replies of the queued commands, in order", () => {
  const s = testServer();
  assertEquals(s.run("MULTI"), "OK");
  assertEquals(s.run("SET", "k", "1"), "QUEUED");
  assertEquals(s.run("GET", "k"), "QUEUED");
  assertEquals(s.run("EXEC"), ["OK", "1"]);
  assertEquals(s.run("EXEC"), { error: "ERR EXEC without MULTI" });
});

Deno.test("A command refused while queuing makes EXEC fail and changes nothing", () => {
  const s = testServer();
  s.run("MULTI");
  s.run("SET", "k", "1");
  assertEquals(s.run("GET"), { error: "ERR wrong number of arguments for 'get' command" });
  assertEquals(s.run("EXEC"), {
    error: "EXECABORT Transaction discarded because of previous errors.",
  });
  assertEquals(s.run("GET", "k"), null);
});

Deno.test("EXEC answers null when a watched key was changed by another client", () => {
  const s = testServer();
  const other = s.connect();
  s.run("WATCH", "k");
  other.run("SET", "k", "2");
  s.run("MULTI");
  s.run("SET", "k", "1");
  assertEquals(s.run("EXEC"), null);
  assertEquals(s.run("GET", "k"), "2");
  s.run("WATCH", "k");
  s.run("MULTI");
  s.run("SET", "k", "1");
  assertEquals(s.run("EXEC"), ["OK"]);
});

Deno.test("A watched key whose time is over makes EXEC fail", () => {
  const s = testServer({ nowMs: 1000 });
  s.run("SET", "k", "1", "PX", 100);
  s.run("WATCH", "k");
  s.clock.nowMs = 1101;
  s.run("MULTI");
  s.run("PING");
  assertEquals(s.run("EXEC"), null);
});

Deno.test("Several writes of one transaction enter the stream between MULTI and EXEC", () => {
  const s = testServer();
  s.run("MULTI");
  s.run("SET", "a", "1");
  s.run("SET", "b", "2");
  assertEquals(s.propagated(), []);
  s.run("EXEC");
  assertEquals(s.propagated(), ["SELECT 0", "MULTI", "SET a 1", "SET b 2", "EXEC"]);
  s.run("SET", "a", "3");
  assertEquals(s.propagated(), ["SET a 3"]);
});

Deno.test("SELECT chooses a database and the stream follows it", () => {
  const s = testServer();
  s.run("SET", "k", "0");
  assertEquals(s.run("SELECT", 5), "OK");
  assertEquals(s.run("GET", "k"), null);
  s.run("SET", "k", "5");
  assertEquals(s.propagated(), ["SELECT 0", "SET k 0", "SELECT 5", "SET k 5"]);
  assertEquals(s.run("SELECT", 16), { error: "ERR DB index is out of range" });
  assertEquals(s.run("SELECT", "x"), { error: "ERR invalid DB index" });
});
