/** The manifest of an append-only file: its text, its names, what is refused. */

import { assertEquals, assertThrows } from "@std/assert";
import { Manifest, ManifestError } from "../../src/aof/manifest.ts";
import { latin1 } from "../../src/base/bytes.ts";

const parse = (text: string) => Manifest.parse(latin1(text));

function refuses(text: string, message: string, line: number | null): void {
  const error = assertThrows(() => parse(text), ManifestError);
  assertEquals([error.message, error.line === null ? null : error.lineNumber], [message, line]);
}

Deno.test("a manifest is written as it was read: base, history, increments", () => {
  const text = "file a.2.base.rdb seq 2 type b\nfile a.1.base.rdb seq 1 type h\n" +
    "file a.1.incr.aof seq 1 type h\nfile a.2.incr.aof seq 2 type i\nfile a.5.incr.aof seq 5 type i\n";
  const manifest = parse(text);
  assertEquals(manifest.toText(), text);
  assertEquals(manifest.copy().toText(), text);
  assertEquals(manifest.loadable.map(({ name }) => name), [
    "a.2.base.rdb",
    "a.2.incr.aof",
    "a.5.incr.aof",
  ]);
});

Deno.test("comments, quotes, other cases, further pairs and other orders are read", () => {
  const manifest = parse(
    '# a remark\n\tfile "a b\\x01" seq 7 type i \r\nTYPE base SEQ 3 FILE x later on\n',
  );
  assertEquals(manifest.base, { name: "x", seq: 3 });
  assertEquals(manifest.increments, [{ name: "a b\x01", seq: 7 }]);
  assertEquals(
    manifest.toText(),
    'file x seq 3 type b\nfile "a b\\x01" seq 7 type i\n',
  );
});

Deno.test("what is no manifest is refused with the line that is wrong", () => {
  refuses("", "Found an empty AOF manifest", null);
  refuses("\n", "Invalid AOF manifest file format", 1);
  refuses("file a seq 1\n", "Invalid AOF manifest file format", 1);
  refuses("file a seq 1 type b extra\n", "Invalid AOF manifest file format", 1);
  refuses('file "a seq 1 type b\n', "Invalid AOF manifest file format", 1);
  refuses("#\nfile a seq 0 type b\n", "Invalid AOF manifest file format", 2);
  refuses("file a seq x type b\n", "Invalid AOF manifest file format", 1);
  refuses("file ../a seq 1 type b\n", "File can't be a path, just a filename", 1);
  refuses("file a seq 1 type x\n", "Unknown AOF file type", 1);
  refuses("file a seq 1 type b", "The AOF manifest file contains too long line", null);
  refuses(
    `file ${"a".repeat(1024)} seq 1 type b\n`,
    "The AOF manifest file contains too long line",
    null,
  );
  const twice = "file a seq 1 type b\nfile b seq 2 type b\n";
  refuses(twice, "Found duplicate base file information", 2);
  const back = "file a seq 2 type i\nfile b seq 2 type i\n";
  refuses(back, "Found a non-monotonic sequence number", 2);
});

Deno.test("names go on counting, and what a rewrite replaces is history", () => {
  const manifest = new Manifest();
  assertEquals(manifest.isEmpty, true);
  assertEquals(manifest.addBase("a", "rdb").name, "a.1.base.rdb");
  assertEquals(manifest.addIncrement("a").name, "a.1.incr.aof");
  assertEquals(manifest.addIncrement("a").name, "a.2.incr.aof");
  manifest.addBase("a", "aof");
  manifest.retireIncrements(1);
  assertEquals(
    manifest.toText(),
    "file a.2.base.aof seq 2 type b\nfile a.1.incr.aof seq 1 type h\n" +
      "file a.1.base.rdb seq 1 type h\nfile a.2.incr.aof seq 2 type i\n",
  );
});
