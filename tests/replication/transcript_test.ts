/** That the recorded links are read as they were recorded: lengths and offsets they tell are right. */

import { assert, assertEquals } from "@std/assert";
import { parseTranscript, readTranscript, wordsOf } from "../support/replication_transcript.ts";

const folder = new URL("../fixtures/replication/", import.meta.url);
const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
  .filter((name) => name.endsWith(".txt")).map((name) => name.slice(0, -4)).sort();

/** Links in which no offsets are told: by SYNC, and one that ends before. */
const COUNTS_NONE = /^(announce-and-auth|sync-2-4|served-2-6-.*)$/;

for (const name of names) {
  Deno.test(`transcript ${name}: the remarked offsets are the sums of the bytes read`, () => {
    const { sections } = readTranscript(name);
    let offset: number | null = null;
    let checked = 0;
    let payloads = 0;
    for (const { items } of sections) {
      for (const item of items) {
        if (item.kind !== "bytes" || item.from !== "M" || item.to !== "R") continue;
        if (item.isRdb) {
          payloads++;
          assert(item.bytes.startsWith("REDIS00"), item.bytes);
          continue;
        }
        const full = /^\+FULLRESYNC \w+ (\d+)\r\n$/.exec(item.bytes);
        if (full !== null) offset = Number(full[1]);
        const told = /^offset (\d+)$/.exec(item.remark);
        if (told === null || offset === null) continue;
        offset += item.bytes.length;
        assertEquals(offset, Number(told[1]), item.bytes);
        checked++;
      }
    }
    assert(payloads > 0 && (checked > 0 || COUNTS_NONE.test(name)));
  });
}

Deno.test("a transcript's escapes, headings, remarks and broken lines are read", () => {
  const { title, sections } = parseTranscript(
    [
      "a title",
      "How to read: …",
      "",
      "# client on master: SET k v",
      "  0.1  R->M  *1\\r\\n$4\\r\\nPING\\r\\n      # a remark",
      "  0.2  R<-M      # RDB payload, 4 bytes",
      "                      # values: none",
      "                      #\\xf",
      "                      f\\\\z",
      "# --- a heading",
      "  0.3  #2           # (connection 2 opens)",
      "",
    ].join("\n"),
  );
  const bytes = { kind: "bytes", from: "R", to: "M", isRdb: false, remark: "a remark" };
  assertEquals(title, "a title");
  assertEquals(
    sections,
    [{
      title: "",
      items: [
        { kind: "note", text: "client on master: SET k v" },
        { ...bytes, bytes: "*1\r\n$4\r\nPING\r\n" },
        { ...bytes, from: "M", to: "R", bytes: "#\xff\\z", isRdb: true, remark: "" },
      ],
    }, { title: "a heading", items: [{ kind: "opens", connection: 2 }] }] as typeof sections,
  );
  assertEquals(wordsOf("*2\r\n$3\r\nGET\r\n$3\r\na b\r\n"), ["GET", "a b"]);
  assertEquals(wordsOf("SYNC \r\n"), ["SYNC"]);
});
