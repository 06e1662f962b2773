import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";

Deno.test("GET answers null for a key that is not there", () => {
  const s = testServer();
  assertEquals(s.run("GET", "k"), null);
  assertEquals(s.run("GET"), { error: "ERR wrong number of arguments for 'get' command" });
  assertEquals(s.run("NOSUCH", "a"), {
    error: "ERR unknown command 'NOSUCH', with args beginning with: 'a' ",
  });
});
