import { assertEquals } from "@std/assert";
import { addressText, isLoopback, plainAddress } from "../../src/net/listener.ts";

Deno.test("addressText puts IPv6 addresses in brackets", () => {
  assertEquals(addressText("127.0.0.1", 80), "127.0.0.1:80");
  assertEquals(addressText("::1", 80), "[::1]:80");
});

for (
  const [shown, plain] of [
    ["::ffff:127.0.0.1", "127.0.0.1"],
    ["::FFFF:192.0.2.1", "192.0.2.1"],
    ["::1", "::1"],
    ["::ffff:1", "::ffff:1"],
    ["fd00::ffff:127", "fd00::ffff:127"],
    ["127.0.0.1", "127.0.0.1"],
  ]
) {
  Deno.test(`plainAddress shows ${shown} as ${plain}`, () => {
    assertEquals(plainAddress(shown), plain);
  });
}

Deno.test("isLoopback takes the loopback address of each family, as protected mode does", () => {
  const addresses = ["127.0.0.1", "::1", "127.0.0.2", "0.0.0.0", "::", "192.0.2.1", ""];
  assertEquals(addresses.filter(isLoopback), ["127.0.0.1", "::1"]);
});
