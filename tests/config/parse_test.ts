import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { ConfigError, LineWalker, splitWords } from "../../src/config/parse.ts";
import { quote } from "../../src/config/kinds.ts";
import { runtime } from "../../src/runtime/here.ts";

function split(line: string): string[] | null {
  const words = splitWords(latin1("'" + line + "'"), 1, line.length);
  return words && words.map((word) => toLatin1(word));
}

const LINES: [line: string, words: string[] | null][] = [
  ["", []],
  ["  \t\r\n ", []],
  ["a b", ["a", "b"]],
  ["  a \t b  ", ["a", "b"]],
  ['"a b" c', ["a b", "c"]],
  ["'a b' c", ["a b", "c"]],
  ['""', [""]],
  ["''", [""]],
  ['"\\n\\r\\t\\b\\a\\\\\\"\\q"', ['\n\r\t\b\x07\\"q']],
  ['"\\x41\\xfF\\x00"', ["A\xff\0"]],
  ['"\\x4"', ["x4"]],
  ['"\\xzz"', ["xzz"]],
  ["'\\n\\x41 \\' \\\\x'", ["\\n\\x41 ' \\\\x"]],
  ["'a\\\\'", null],
  ['a\\"b\\"', null],
  ['a"b c"', ["ab c"]],
  ['a"b"c', null],
  ["'a'b", null],
  ['"a', null],
  ["'a", null],
  ['"a\\"', null],
  ["'a\\'", null],
  ['"a"\x0bb', ["a", "b"]],
  ["a\x0bb", ["a\x0bb"]],
  ["a\\nb", ["a\\nb"]],
  ["\xe4 \xff", ["\xe4", "\xff"]],
  ["a b\0c d", ["a", "b"]],
  ['"a\0"', null],
];
for (const [line, words] of LINES) {
  Deno.test(`splitWords takes ${JSON.stringify(line)} apart as a real server`, () => {
    assertEquals(split(line), words);
  });
}

Deno.test("splitWords reads back what quote writes, for every byte", () => {
  const every = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
  assertEquals(split(quote(every)), [every]);
  assert(/^[\x20-\x7e]*$/.test(quote(every)), "only printable bytes are written");
});

/** The lines, as "file:line words", that a walk over files of a new folder finds. */
function walk(files: Record<string, string>, first = "main.conf"): string[] {
  const folder = Deno.makeTempDirSync();
  try {
    for (const [name, text] of Object.entries(files)) {
      const parent = join(folder, name, "..");
      Deno.mkdirSync(parent, { recursive: true });
      Deno.writeTextFileSync(join(folder, name), text);
    }
    const found: string[] = [];
    const walker = new LineWalker(runtime.files, folder, (words, { source, line }) => {
      found.push(`${source.replace(folder + "/", "")}:${line} ${words.join("|")}`);
    });
    walker.walk({ name: first, bytes: latin1(files[first]) });
    return found;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("comments, blank lines and the case of names do not matter", () => {
  assertEquals(walk({ "main.conf": "# a\n\n  \t# b\r\n PORT 1 \r\n\tsave 1 2 # c\n#" }), [
    "main.conf:4 port|1",
    "main.conf:5 save|1|2|#|c",
  ]);
});

Deno.test("include puts the lines of a file in its place, relative to the folder", () => {
  assertEquals(
    walk({
      "main.conf": 'a 1\nINCLUDE sub/x.conf\ninclude "y z.conf"\nb 2',
      "sub/x.conf": "x 1\ninclude y\\ z.conf\n".replace("y\\ z.conf", "'y z.conf'"),
      "y z.conf": "\ny 1",
    }),
    ["main.conf:1 a|1", "sub/x.conf:1 x|1", "y z.conf:2 y|1", "y z.conf:2 y|1", "main.conf:4 b|2"],
  );
});

Deno.test("include with a pattern takes the matching files in order, possibly none", () => {
  assertEquals(
    walk({
      "main.conf": "include conf.d/*.conf\ninclude c*.d/[a]?.txt\ninclude none*/x\n",
      "conf.d/b.conf": "b 1",
      "conf.d/a.conf": "a 1",
      "conf.d/.hidden.conf": "h 1",
      "conf.d/x.conf/y": "y 1",
      "conf.d/ab.txt": "t 1",
    }),
    ["conf.d/a.conf:1 a|1", "conf.d/b.conf:1 b|1", "conf.d/ab.txt:1 t|1"],
  );
});

Deno.test("a file that includes itself is refused, and so are includes that double", () => {
  const self = assertThrows(() => walk({ "main.conf": "include main.conf" }), ConfigError);
  assertEquals(self.message, "Includes nest deeper than 16 files");
  assertEquals(self.hint, "Does a file include itself?");
  const files: Record<string, string> = { "main.conf": "include 1\ninclude 1" };
  for (let i = 1; i < 15; i++) files[i] = `include ${i + 1}\ninclude ${i + 1}`;
  files[15] = "";
  const many = assertThrows(() => walk(files), ConfigError);
  assertEquals(many.message, "Includes name more than 1000 files");
});

Deno.test("a missing included file, unbalanced quotes: the report names place and reason", () => {
  const missing = assertThrows(() => walk({ "main.conf": "include /nowhere/x" }), ConfigError);
  assertEquals(
    missing.report(),
    "Fatal error, can't open config file '/nowhere/x': No such file or directory",
  );
  const quotes = assertThrows(() => walk({ "main.conf": '\nport "1' }), ConfigError);
  assertEquals(
    quotes.report(),
    "*** FATAL CONFIG FILE ERROR (tsredis 0.1.0) ***\n" +
      "Reading the configuration file, at line 2\n" +
      ">>> 'port \"1'\n" +
      "Unbalanced quotes in configuration line\n" +
      "File: main.conf",
  );
});
