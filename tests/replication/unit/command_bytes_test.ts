/** The bytes of commands for a translated stream. */

import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../../src/base/bytes.ts";
import { word } from "../../../src/propagation/stream_part.ts";
import { CommandBytes } from "../../../src/replication/bridge/command_bytes.ts";
import { Words } from "../../../src/resp/words.ts";

const NONE = new Words();

/** What is there as text. */
function textOf({ bytes, length }: CommandBytes): string {
  return toLatin1(bytes, 0, length);
}

Deno.test("CommandBytes.add writes text, bytes, integers and words of the command at hand", () => {
  const words = Words.of(
    "SET",
    "key",
    "\u00ffvalue",
    ...Array.from({ length: 20 }, (_, i) => `w${i}`),
  );
  const commands = new CommandBytes();
  commands.add(["A", latin1("bytes"), -12, word(2), word(22)], words);
  commands.add([word(0), "", 0, 9_007_199_254_740_991], words);
  assertEquals(
    textOf(commands),
    "*5\r\n$1\r\nA\r\n$5\r\nbytes\r\n$3\r\n-12\r\n$6\r\n\u00ffvalue\r\n$3\r\nw19\r\n" +
      "*4\r\n$3\r\nSET\r\n$0\r\n\r\n$1\r\n0\r\n$16\r\n9007199254740991\r\n",
  );
  assertEquals(commands.count, 2);
  commands.clear();
  assertEquals([commands.count, textOf(commands)], [0, ""]);
});

Deno.test("CommandBytes grows with thousands of commands, and hands large bytes over", () => {
  const commands = new CommandBytes();
  const { bytes } = commands;
  commands.add(["SMALL"], NONE);
  assert(!commands.isLarge);
  commands.clear();
  assertEquals(commands.bytes, bytes, "a small buffer is used again");
  let expected = "";
  for (let i = 0; i < 5_000; i++) {
    const element = `e${i}`;
    commands.add(["RPUSHX", "list", element], NONE);
    expected += `*3\r\n$6\r\nRPUSHX\r\n$4\r\nlist\r\n$${element.length}\r\n${element}\r\n`;
  }
  assertEquals(textOf(commands), expected);
  assert(commands.isLarge);
  const kept = commands.bytes;
  commands.clear();
  const large = new Uint8Array(1 << 20).fill(120);
  commands.add(["SET", "k", large], NONE);
  assertEquals(commands.bytes === kept, false);
  assert(commands.bytes.length < large.length + 200, "there is no room beside a large value");
  assertEquals(
    textOf(commands).length,
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048576\r\n\r\n".length + large.length,
  );
});
