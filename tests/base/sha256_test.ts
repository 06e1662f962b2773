import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { sha256 } from "../../src/base/sha256.ts";

Deno.test("sha256 of every length up to three blocks is that of another implementation", () => {
  for (let length = 0; length <= 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 167 + length) & 0xff);
    assertEquals(
      sha256(bytes).toHex(),
      createHash("sha256").update(bytes).digest("hex"),
      `${length}`,
    );
  }
});
