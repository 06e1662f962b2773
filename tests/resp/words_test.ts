import { assertEquals } from "@std/assert";
import { Words } from "../../src/resp/words.ts";

Deno.test("a clone has the same words, whatever becomes of the buffer and of the words", () => {
  const words = new Words();
  words.bytes = Uint8Array.from("..SET..key....va\xffue..", (c) => c.charCodeAt(0));
  words.push(2, 3);
  words.push(7, 3);
  words.push(0, 0);
  words.push(14, 5);
  const clone = words.clone();
  words.bytes.fill(0x2a);
  words.clear();
  assertEquals(clone.count, 4);
  assertEquals([0, 1, 2, 3].map((i) => clone.text(i)), ["SET", "key", "", "va\xffue"]);
  assertEquals(clone.bytes.length, 11, "nothing else of the buffer is kept");
});
