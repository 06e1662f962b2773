import { assert, assertEquals, assertThrows } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { FOR_LOG, FOR_REPLICAS, WriteStream } from "../../src/propagation/write_stream.ts";
import { Words } from "../../src/resp/words.ts";

function recorded(): { stream: WriteStream; text: () => string } {
  const stream = new WriteStream();
  let text = "";
  stream.attach((bytes, offset, length) => text += toLatin1(bytes, offset, length));
  return { stream, text: () => text };
}

const SELECT0 = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
const SELECT12 = "*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n";
const DEL = "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n";
const MULTI = "*1\r\n$5\r\nMULTI\r\n";
const EXEC = "*1\r\n$4\r\nEXEC\r\n";

Deno.test("WriteStream says the database before a unit that is in another one", () => {
  const { stream, text } = recorded();
  stream.add(0, ["DEL", "k"]);
  stream.endUnit();
  stream.add(0, ["DEL", "k"]);
  stream.endUnit();
  stream.addWords(12, Words.of("DEL", "k"));
  stream.endUnit();
  assertEquals(text(), SELECT0 + DEL + DEL + SELECT12 + DEL);
  assertEquals(stream.offset, text().length);
});

Deno.test("WriteStream puts a unit of several commands between MULTI and EXEC", () => {
  const { stream, text } = recorded();
  stream.add(0, ["DEL", "k"]);
  stream.add(12, ["DEL", "k"]);
  assertEquals(text(), "");
  stream.endUnit();
  assertEquals(text(), MULTI + SELECT0 + DEL + SELECT12 + DEL + EXEC);
});

Deno.test("WriteStream takes a unit of very many commands", () => {
  const { stream, text } = recorded();
  for (let i = 0; i < 1000; i++) stream.add(0, ["DEL", "k"]);
  stream.endUnit();
  assertEquals(text(), MULTI + SELECT0 + DEL.repeat(1000) + EXEC);
});

Deno.test("endUnitWith passes on a request that is alone, and joins what waits", () => {
  const { stream, text } = recorded();
  const bytes = latin1(`xx${DEL}yy`);
  stream.endUnitWith(0, bytes, 2, DEL.length);
  assertEquals(text(), SELECT0 + DEL);
  stream.add(0, ["DEL", "expired"]);
  stream.endUnitWith(0, bytes, 2, DEL.length);
  assert(!stream.hasPending);
  assertEquals(
    text(),
    SELECT0 + DEL + MULTI + "*2\r\n$3\r\nDEL\r\n$7\r\nexpired\r\n" + DEL + EXEC,
  );
});

Deno.test("without readers nothing enters the stream", () => {
  const stream = new WriteStream();
  stream.add(0, ["DEL", "k"]);
  assert(!stream.isActive && !stream.hasPending);
  assertEquals(stream.offset, 0);
});

Deno.test("a relaying stream takes the bytes of the master, and nothing from here", () => {
  const { stream, text } = recorded();
  stream.add(0, ["DEL", "k"]);
  stream.isRelaying = true; // what was not finished is dropped
  stream.add(0, ["DEL", "k"]);
  stream.endUnitWith(0, latin1(DEL), 0, DEL.length);
  stream.endUnit();
  assertEquals([text(), stream.isActive], ["", false]);
  stream.relay(latin1(`..${SELECT12}`), 2, 10);
  stream.relay(latin1(SELECT12), 10, SELECT12.length - 10);
  assertEquals([text(), stream.offset], [SELECT12, SELECT12.length]);
  stream.isRelaying = false; // promoted: the database is said again
  stream.add(12, ["DEL", "k"]);
  stream.endUnit();
  assertEquals(text(), SELECT12 + SELECT12 + DEL);
});

Deno.test("a reader that comes later gets a SELECT first", () => {
  const { stream, text } = recorded();
  stream.add(0, ["DEL", "k"]);
  stream.endUnit();
  const before = text().length;
  stream.reselect();
  stream.add(0, ["DEL", "k"]);
  stream.endUnit();
  assertEquals(text().slice(before), SELECT0 + DEL);
});

Deno.test("what a unit adds enters when it ends, also when it fails, and within another with that", () => {
  const stream = new WriteStream();
  let text = "";
  stream.attach((bytes, offset, length) => {
    text += String.fromCharCode(...bytes.subarray(offset, offset + length));
  });
  stream.unit(() => stream.add(0, ["A"]));
  assertEquals(text, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$1\r\nA\r\n");
  text = "";
  assertThrows(() =>
    stream.unit(() => {
      stream.add(0, ["B"]);
      throw new Error("a fault");
    })
  );
  assertEquals(text, "*1\r\n$1\r\nB\r\n");
  text = "";
  stream.unit(() => {
    stream.add(0, ["C"]);
    stream.unit(() => stream.add(0, ["D"]));
    assertEquals(text, "");
  });
  assertEquals(text, "*1\r\n$5\r\nMULTI\r\n*1\r\n$1\r\nC\r\n*1\r\n$1\r\nD\r\n*1\r\n$4\r\nEXEC\r\n");
  assertEquals([stream.unit(() => {}), stream.endUnit()], [undefined, false]);
});

Deno.test("on a master both taps give the same", () => {
  const { stream, text } = recorded();
  let applied = "";
  stream.attachApplied((bytes, offset, length) => applied += toLatin1(bytes, offset, length));
  stream.unit(() => stream.add(2, ["SET", "k", "v"]));
  assertEquals(applied, text());
  assert(text().includes("SELECT"));
  assertEquals(stream.offset, text().length);
});

Deno.test("a command may be for one of the taps only, and each has the brackets and databases it needs", () => {
  const { stream, text } = recorded();
  let applied = "";
  stream.attachApplied((bytes, offset, length) => applied += toLatin1(bytes, offset, length));
  stream.unit(() => {
    stream.add(3, ["A"]);
    stream.limited(FOR_REPLICAS, () => stream.add(4, ["B"]));
  });
  const select = (n: number) => `*2\r\n$6\r\nSELECT\r\n$1\r\n${n}\r\n`;
  const word = (name: string) => `*1\r\n$${name.length}\r\n${name}\r\n`;
  assertEquals(
    text(),
    word("MULTI") + select(3) + word("A") + select(4) + word("B") + word("EXEC"),
  );
  assertEquals(applied, select(3) + word("A"));
  assertEquals(stream.offset, text().length);
  applied = "";
  const before = text();
  stream.limited(FOR_LOG, () => {
    stream.limited(FOR_REPLICAS, () => stream.unit(() => stream.add(3, ["C"])));
    const bytes = latin1(word("D"));
    stream.endUnitWith(3, bytes, 0, bytes.length);
  });
  assertEquals([text(), applied], [before, word("D")]);
});

Deno.test("while only what is applied is read, the offset stands still", () => {
  const stream = new WriteStream();
  let applied = "";
  const reader = (bytes: Uint8Array, offset: number, length: number) => {
    applied += toLatin1(bytes, offset, length);
  };
  stream.attachApplied(reader);
  assert(stream.isActive);
  stream.unit(() => stream.add(0, ["A"]));
  assert(applied.endsWith("*1\r\n$1\r\nA\r\n"));
  assertEquals(stream.offset, 0);
  stream.detach(reader);
  assert(!stream.isActive);
});

Deno.test("on a replica one tap gives the master's bytes, the other what was applied", () => {
  const { stream, text } = recorded();
  let applied = "";
  stream.attachApplied((bytes, offset, length) => applied += toLatin1(bytes, offset, length));
  stream.add(0, ["UNFINISHED"]);
  stream.isRelaying = true;
  assertEquals([text(), stream.offset], ["", 0]);
  assert(applied.includes("UNFINISHED"));
  applied = "";
  const master = latin1("*1\r\n$4\r\nPING\r\n");
  stream.relay(master, 0, master.length);
  stream.unit(() => stream.add(1, ["SET", "own", "v"]));
  assertEquals([text(), stream.offset], ["*1\r\n$4\r\nPING\r\n", 14]);
  assertEquals(
    applied,
    "*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n*3\r\n$3\r\nSET\r\n$3\r\nown\r\n$1\r\nv\r\n",
  );
  stream.add(1, ["LAST"]);
  stream.isRelaying = false;
  assert(applied.includes("LAST") && !text().includes("LAST"));
});
