import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";

Deno.test("HSET makes a hash, answers the number of new fields and replaces values", () => {
  const s = testServer();
  assertEquals(s.run("HSET", "h", "a", "1", "b", "two"), 2);
  assertEquals(s.run("HSET", "h", "a", "one", "c", "", "c", "3"), 1);
  assertEquals(s.run("HGETALL", "h"), ["a", "one", "b", "two", "c", "3"]);
  assertEquals(s.propagated(), ["SELECT 0", "HSET h a 1 b two", "HSET h a one c  c 3"]);
});
