import { assertEquals } from "@std/assert";
import { README, refreshed } from "../../tools/readme.ts";

Deno.test("README lists the commands and directives of the tables (else: deno task readme)", () => {
  const text = Deno.readTextFileSync(README);
  assertEquals(text, refreshed(text));
});
