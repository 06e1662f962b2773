import { assertEquals } from "@std/assert";
import { randomId } from "../../src/base/random_id.ts";

Deno.test("randomId writes 20 random bytes as 40 hexadecimal digits", () => {
  const id = randomId((bytes) => bytes.forEach((_, i) => bytes[i] = i * 13));
  assertEquals(id, "000d1a2734414e5b6875828f9ca9b6c3d0ddeaf7");
});
