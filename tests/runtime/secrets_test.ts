import { assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { runtime } from "../../src/runtime/here.ts";

Deno.test("isSameSecret tells equal secrets from others, of whatever length", () => {
  const same = (given: string, secret: string) =>
    runtime.isSameSecret(latin1(given), latin1(secret));
  assertEquals(same("secret", "secret"), true);
  assertEquals(same("", ""), true);
  for (const given of ["", "s", "secres", "Secret", "secret ", "secretsecret", "secret\0"]) {
    assertEquals(same(given, "secret"), false, given);
  }
});
