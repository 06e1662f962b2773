import { assertEquals } from "@std/assert";
import { RequestParser } from "../../src/resp/parser.ts";

function parserWith(text: string): RequestParser {
  const parser = new RequestParser({ bulkBytesMax: 1 << 29 }, () => null);
  for (let i = 0; i < text.length; i++) {
    parser.space()[0] = text.charCodeAt(i);
    parser.filled(1);
  }
  return parser;
}

function ahead(text: string): string[] {
  const parser = parserWith(text);
  const starts = new Int32Array(16);
  const lengths = new Int32Array(16);
  const count = parser.keysAhead(starts, lengths);
  return Array.from(
    { length: count },
    (_, i) => text.slice(starts[i], starts[i] + lengths[i]),
  );
}

const GET = "*2\r\n$3\r\nGET\r\n$5\r\nkey:1\r\n";
const SET = "*3\r\n$3\r\nSET\r\n$12\r\nkey:00000002\r\n$1\r\nv\r\n";

Deno.test("looking ahead finds the keys of plain requests and stops at anything else", () => {
  assertEquals(ahead(GET + SET + GET), ["key:1", "key:00000002", "key:1"]);
  assertEquals(ahead(GET + "PING inline and more\r\n" + GET), ["key:1"]);
  assertEquals(ahead(GET + "*1\r\n$4\r\nPING\r\n" + GET), ["key:1"]);
  assertEquals(ahead(GET + "*2\r\n$-1\r\n$99\r\n" + GET), ["key:1"]);
});

Deno.test("looking ahead never passes the end of what has arrived", () => {
  const text = GET + SET;
  for (let cut = 0; cut < text.length; cut++) {
    assertEquals(ahead(text.slice(0, cut)), cut < GET.length ? [] : ["key:1"], `cut at ${cut}`);
  }
});
