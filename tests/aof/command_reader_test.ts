/** Commands in an append-only file, and what is none: src/aof/command_reader.ts. */

import { assertEquals } from "@std/assert";
import {
  CommandReader,
  READ_BROKEN,
  READ_COMMAND,
  READ_END,
} from "../../src/aof/command_reader.ts";
import type { OpenFile } from "../../src/runtime/runtime.ts";

/** A file of this text, as far as a reader asks for it. */
function fileOf(text: string): OpenFile {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  const read = (into: Uint8Array) => {
    const count = Math.min(into.length, bytes.length - at);
    into.set(bytes.subarray(at, at + count));
    at += count;
    return count;
  };
  return { read, sizeBytes: () => bytes.length } as Partial<OpenFile> as OpenFile;
}

const FIRST = "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";

Deno.test("a word of an append-only file that is not followed by the end of its line is none: a piece was lost", () => {
  for (
    const [what, text] of [
      ["zeros in place of a piece", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nva\0\0\0\0\0"],
      ["another piece in its place", "*2\r\n$4\r\nINCR\r\n$1\r\nabc\r\n"],
      ["half of the end of a line", "*1\r\n$4\r\nPING\n\n"],
    ]
  ) {
    const reader = new CommandReader(fileOf(FIRST + text), 0);
    assertEquals(reader.next(), READ_COMMAND);
    assertEquals(reader.next(), READ_BROKEN, what);
    assertEquals(reader.offset, FIRST.length, what);
  }
});

Deno.test("the lines of an append-only file may end with a line feed alone, as Redis reads them, and its words not", () => {
  const reader = new CommandReader(fileOf("*2\n$4\nINCR\r\n$1\na\r\n"), 0);
  assertEquals(reader.next(), READ_COMMAND);
  assertEquals(reader.next(), READ_END);
});
