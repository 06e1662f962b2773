/** What an append-only file has behind an offset of a history: where that begins, and all that follows. */

import { assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { WrittenTail } from "../../src/aof/written_tail.ts";
import { runtime } from "../../src/runtime/here.ts";

const OURS = "a".repeat(40);
const BEFORE = "b".repeat(40);
const LATER = "c".repeat(40);

const command = (...words: string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
const set = (value: string) => command("SET", "k", value);
const select = (database: string) => command("SELECT", database);
const at = (offset: number) => `#RP:${offset}:0:0:-1:0\r\n`;
const id = (name: string) => `#RI:${name}\r\n`;

/** The lines of what is read, and where it begins. */
async function readBehind(files: string[], name: string, offset: number) {
  const folder = Deno.makeTempDirSync();
  try {
    const paths = files.map((text, i) => {
      const path = `${folder}/${i}`;
      Deno.writeFileSync(path, latin1(text));
      return path;
    });
    using tail = await WrittenTail.open(
      runtime.files,
      paths,
      name,
      offset,
      () => Promise.resolve(),
    );
    if (tail === null) return null;
    const words: string[] = [];
    while (tail.next()) {
      const text = new TextDecoder().decode(tail.bytes);
      words.push(text.split("\r\n").filter((line) => /^[^*$]/.test(line)).join(" "));
    }
    return {
      words,
      database: tail.database,
      offset: tail.offset,
      isWhole: tail.readBytes === tail.sizeBytes,
    };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const FIRST = select("2") + set("1") + id(OURS) + at(90) + set("2") + at(140) + set("3");
const SECOND = select("1") + set("4") + at(200) + set("5");

for (
  const [offset, from, database, words] of [
    [90, 90, 2, "2 3 4 5"],
    [139, 90, 2, "2 3 4 5"],
    [140, 140, 2, "3 4 5"],
    [199, 140, 2, "3 4 5"],
    [200, 200, 1, "5"],
    [1000, 200, 1, "5"],
    [89, -1, 0, "1 2 3 4 5"],
  ] as const
) {
  Deno.test(`behind offset ${offset} what was written is read from ${from} on`, async () => {
    const found = await readBehind([FIRST, SECOND], OURS, offset);
    const values = found!.words.filter((line) => line.startsWith("SET")).map((line) =>
      line.slice(6)
    );
    assertEquals(values.join(" "), words);
    assertEquals([found!.offset, found!.database, found!.isWhole], [from, database, true]);
  });
}

Deno.test("a history that ours grew out of counts as ours, what the server wrote in a later life does not", async () => {
  const text = select("0") + set("1") + id(BEFORE) + at(50) + set("2") + id(OURS) + at(100) +
    set("3") +
    id(LATER) + at(0) + set("4") + at(30) + set("5");
  assertEquals((await readBehind([text], OURS, 70))!.words, [
    "SET k 2",
    "SET k 3",
    "SET k 4",
    "SET k 5",
  ]);
  assertEquals((await readBehind([text], OURS, 500))!.words, ["SET k 3", "SET k 4", "SET k 5"]);
});

Deno.test("files without a command behind it, or without anything, have nothing", async () => {
  assertEquals(await readBehind([""], OURS, 5), null);
  assertEquals(await readBehind([], OURS, 5), null);
  const found = await readBehind([select("0") + set("1") + id(OURS) + at(90)], OURS, 90);
  assertEquals(found!.words, []);
});

Deno.test("a file that ends in the midst of a command is not read whole", async () => {
  const found = await readBehind([id(OURS) + at(90) + set("1") + set("2").slice(0, 9)], OURS, 90);
  assertEquals([found!.words, found!.isWhole], [["SET k 1"], false]);
});
