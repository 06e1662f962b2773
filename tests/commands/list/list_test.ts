import { assertEquals } from "@std/assert";
import { Words } from "../../../src/resp/words.ts";
import { type TestServer, testServer, type Value } from "../../support/test_server.ts";
import { Random } from "../../support/random.ts";

const WRONG_TYPE = {
  error: "WRONGTYPE Operation against a key holding the wrong kind of value",
};
const SYNTAX = { error: "ERR syntax error" };

function all(s: TestServer, key: string): Value | undefined {
  return s.run("LRANGE", key, 0, -1);
}

/** Every event as "event key" from now on. */
function recordEvents(s: TestServer): string[] {
  const events: string[] = [];
  s.keyspace.eventMask = ~0;
  s.keyspace.listener.keyEvent = (event, _database, bytes, offset, length) => {
    const key = String.fromCharCode(...bytes.subarray(offset, offset + length));
    events.push(`${event} ${key}`);
  };
  return events;
}

function isLarge(s: TestServer, key: string): boolean {
  return s.run("OBJECT", "ENCODING", key) === "quicklist";
}

Deno.test("LPUSH and RPUSH add at their end, element by element", () => {
  const s = testServer();
  assertEquals(s.run("LPUSH", "l", "a", "b"), 2);
  assertEquals(s.run("RPUSH", "l", "c", "d"), 4);
  assertEquals(all(s, "l"), ["b", "a", "c", "d"]);
  assertEquals(s.run("LLEN", "l"), 4);
  assertEquals(s.run("LLEN", "none"), 0);
  assertEquals(s.propagated(), ["SELECT 0", "LPUSH l a b", "RPUSH l c d"]);
});

Deno.test("LPUSHX and RPUSHX make no list", () => {
  const s = testServer();
  assertEquals(s.run("LPUSHX", "l", "a"), 0);
  assertEquals(s.run("RPUSHX", "l", "a"), 0);
  assertEquals(s.propagated(), []);
  s.run("RPUSH", "l", "m");
  assertEquals(s.run("LPUSHX", "l", "a", "b"), 3);
  assertEquals(s.run("RPUSHX", "l", "z"), 4);
  assertEquals(all(s, "l"), ["b", "a", "m", "z"]);
});

Deno.test("elements keep their bytes whatever they are stored as", () => {
  const s = testServer();
  const elements = ["", "0", "-1", "01", "+1", "127", "128", "-4096", "65536", "2147483648"].concat(
    ["9007199254740993", "-9223372036854775808", "9223372036854775808", " 1", "\x00\xff\r\n"],
    ["x".repeat(63), "x".repeat(64), "y".repeat(5000)],
  );
  s.run("RPUSH", "small", ...elements);
  assertEquals(all(s, "small"), elements);
  s.run("RPUSH", "large", ...elements, "z".repeat(10_000));
  assertEquals(all(s, "large"), [...elements, "z".repeat(10_000)]);
  elements.forEach((element, i) => assertEquals(s.run("LINDEX", "large", i), element));
});

Deno.test("a list changes its form where Redis 7.2 does", () => {
  const s = testServer();
  s.run("RPUSH", "l", "x".repeat(8180)); // 8,192 bytes are the limit; the empty form has 7
  assertEquals(isLarge(s, "l"), false);
  s.run("RPUSH", "l", "y");
  assertEquals(isLarge(s, "l"), true);
  s.run("RPOP", "l");
  assertEquals(isLarge(s, "l"), true); // still above half of the limit
  s.run("LSET", "l", 0, "x".repeat(4000));
  assertEquals(isLarge(s, "l"), false);
  assertEquals(all(s, "l"), ["x".repeat(4000)]);

  s.keyspace.limits.listMaxListpackSize = 4;
  s.run("RPUSH", "n", 1, 2, 3, 4);
  assertEquals(isLarge(s, "n"), false);
  s.run("LPUSH", "n", 0);
  assertEquals(isLarge(s, "n"), true);
  s.run("LPOP", "n");
  assertEquals(isLarge(s, "n"), true);
  s.run("LTRIM", "n", 0, 2);
  assertEquals(isLarge(s, "n"), true);
  s.run("LREM", "n", 1, "2");
  assertEquals(isLarge(s, "n"), false);
  assertEquals(all(s, "n"), ["1", "3"]);
  s.run("RPUSH", "m", 1, 2, 3, 4, 5); // made large at once
  assertEquals(isLarge(s, "m"), true);
});

Deno.test("a list of 64 KiB nodes still fits its record while it is small", () => {
  const s = testServer();
  s.keyspace.limits.listMaxListpackSize = -5;
  for (let i = 0; i < 700; i++) s.run("RPUSH", "l", String(i).padStart(100, "x"));
  assertEquals(s.run("LLEN", "l"), 700);
  assertEquals(s.run("LINDEX", "l", 699), "699".padStart(100, "x"));
});

Deno.test("LPOP and RPOP take from their end, and the key goes with the last element", () => {
  const s = testServer();
  s.run("RPUSH", "l", "a", "b", "c", "d", "e");
  assertEquals(s.run("LPOP", "l"), "a");
  assertEquals(s.run("RPOP", "l"), "e");
  assertEquals(s.run("LPOP", "l", 0), []);
  assertEquals(s.run("RPOP", "l", 2), ["d", "c"]);
  assertEquals(s.run("LPOP", "l", 10), ["b"]);
  assertEquals(s.run("EXISTS", "l"), 0);
  assertEquals(s.run("LPOP", "l"), null);
  assertEquals(s.run("LPOP", "l", 1), null);
  assertEquals(s.propagated().slice(2), ["LPOP l", "RPOP l", "RPOP l 2", "LPOP l 10"]);
});

Deno.test("LPOP with a count answers null arrays in RESP2 and null in RESP3", () => {
  const s = testServer();
  const raw = (resp: number) => {
    const { client } = s.connect(resp);
    s.dispatcher.execute(client, Words.of("LPOP", "none", "1"));
    const chunk = client.reply.takeChunk()!;
    return new TextDecoder().decode(chunk.subarray(0, client.reply.chunkLength));
  };
  assertEquals([raw(2), raw(3)], ["*-1\r\n", "_\r\n"]);
});

Deno.test("LRANGE and LINDEX count from both ends and accept indexes outside", () => {
  for (const size of [10, 3000]) {
    const s = testServer();
    const elements = Array.from({ length: size }, (_, i) => `element${i}`);
    s.run("RPUSH", "l", ...elements);
    const ranges = [[0, -1], [2, 5], [-3, -1], [-100_000, 1], [5, 2], [size, size + 5], [
      size >> 1,
      100_000,
    ]];
    for (const [start, stop] of ranges) {
      const from = start < 0 ? Math.max(0, start + size) : start;
      const to = stop < 0 ? stop + size : stop;
      assertEquals(s.run("LRANGE", "l", start, stop), elements.slice(from, to + 1));
    }
    assertEquals(s.run("LINDEX", "l", 3), "element3");
    assertEquals(s.run("LINDEX", "l", -1), `element${size - 1}`);
    assertEquals(s.run("LINDEX", "l", size), null);
    assertEquals(s.run("LRANGE", "l", "-9223372036854775808", "9223372036854775807"), elements);
  }
});

Deno.test("LSET replaces one element", () => {
  for (const filler of [0, 2000]) {
    const s = testServer();
    s.run("RPUSH", "l", "a", "b", "c", ...Array.from({ length: filler }, (_, i) => `f${i}`));
    assertEquals(s.run("LSET", "l", 1, "longer than before"), "OK");
    assertEquals(s.run("LSET", "l", 0, "7"), "OK");
    assertEquals(s.run("LRANGE", "l", 0, 2), ["7", "longer than before", "c"]);
    assertEquals(s.run("LSET", "l", 10_000, "x"), { error: "ERR index out of range" });
    assertEquals(s.run("LSET", "none", 0, "x"), { error: "ERR no such key" });
  }
});

Deno.test("LINSERT puts an element beside the first equal one", () => {
  for (const filler of [0, 2000]) {
    const s = testServer();
    s.run("RPUSH", "l", "a", "b", "a", ...Array.from({ length: filler }, (_, i) => `f${i}`));
    assertEquals(s.run("LINSERT", "l", "BEFORE", "a", "x"), 4 + filler);
    assertEquals(s.run("LINSERT", "l", "after", "a", "y"), 5 + filler);
    assertEquals(s.run("LRANGE", "l", 0, 4), ["x", "a", "y", "b", "a"]);
    assertEquals(s.run("LINSERT", "l", "AFTER", "none", "y"), -1);
    assertEquals(s.run("LINSERT", "none", "AFTER", "a", "y"), 0);
    assertEquals(s.run("LINSERT", "l", "BESIDE", "a", "y"), SYNTAX);
  }
});

Deno.test("LREM removes from the head, from the tail, or all", () => {
  for (const filler of [0, 2000]) {
    const rest = Array.from({ length: filler }, (_, i) => `f${i}`);
    const s = testServer();
    s.run("RPUSH", "l", "a", "1", "a", "1", "a", ...rest);
    assertEquals(s.run("LREM", "l", 1, "a"), 1);
    assertEquals(s.run("LRANGE", "l", 0, 3), ["1", "a", "1", "a"]);
    assertEquals(s.run("LREM", "l", -1, "a"), 1);
    assertEquals(s.run("LRANGE", "l", 0, 2), ["1", "a", "1"]);
    assertEquals(s.run("LREM", "l", 0, "1"), 2);
    assertEquals(s.run("LREM", "l", 0, "none"), 0);
    assertEquals(s.run("LREM", "none", 0, "a"), 0);
    assertEquals(all(s, "l"), ["a", ...rest]);
  }
});

Deno.test("LTRIM keeps a range, and what is out of range is nothing", () => {
  const s = testServer();
  const fresh = () => {
    s.run("DEL", "l");
    s.run("RPUSH", "l", 0, 1, 2, 3, 4, 5);
  };
  for (
    const [start, stop, left] of [
      [0, -1, ["0", "1", "2", "3", "4", "5"]],
      [1, -2, ["1", "2", "3", "4"]],
      [-2, 100, ["4", "5"]],
      [3, 2, []],
      [9, 20, []],
      [-100, 0, ["0"]],
    ] as [number, number, string[]][]
  ) {
    fresh();
    assertEquals(s.run("LTRIM", "l", start, stop), "OK");
    assertEquals(all(s, "l"), left);
    assertEquals(s.run("EXISTS", "l"), left.length > 0 ? 1 : 0);
  }
  fresh();
  s.propagated();
  s.run("LTRIM", "l", 0, -1); // changes nothing
  assertEquals(s.propagated(), []);
});

Deno.test("LPOS finds by rank, count and length", () => {
  for (const filler of [0, 3000]) {
    const s = testServer();
    const rest = Array.from({ length: filler }, () => "filler");
    s.run("RPUSH", "l", "a", "b", "c", "1", "2", "3", "c", "c", ...rest);
    assertEquals(s.run("LPOS", "l", "c"), 2);
    assertEquals(s.run("LPOS", "l", "1"), 3);
    assertEquals(s.run("LPOS", "l", "c", "RANK", 2), 6);
    assertEquals(s.run("LPOS", "l", "c", "RANK", -1), 7);
    assertEquals(s.run("LPOS", "l", "c", "COUNT", 0), [2, 6, 7]);
    assertEquals(s.run("LPOS", "l", "c", "COUNT", 2, "RANK", -1), [7, 6]);
    assertEquals(s.run("LPOS", "l", "c", "COUNT", 0, "MAXLEN", 7), [2, 6]);
    assertEquals(s.run("LPOS", "l", "c", "MAXLEN", 2), null);
    assertEquals(s.run("LPOS", "l", "none", "COUNT", 1), []);
    assertEquals(s.run("LPOS", "none", "c"), null);
    assertEquals(s.run("LPOS", "none", "c", "COUNT", 1), []);
  }
});

Deno.test("LMOVE moves between all ends", () => {
  for (
    const [from, to, source, target] of [
      ["LEFT", "LEFT", ["b", "c"], ["a", "x", "y"]],
      ["LEFT", "RIGHT", ["b", "c"], ["x", "y", "a"]],
      ["RIGHT", "LEFT", ["a", "b"], ["c", "x", "y"]],
      ["RIGHT", "RIGHT", ["a", "b"], ["x", "y", "c"]],
    ] as [string, string, string[], string[]][]
  ) {
    const s = testServer();
    s.run("RPUSH", "s", "a", "b", "c");
    s.run("RPUSH", "t", "x", "y");
    assertEquals(s.run("LMOVE", "s", "t", from, to), from === "LEFT" ? "a" : "c");
    assertEquals([all(s, "s"), all(s, "t")], [source, target]);
  }
});

Deno.test("RPOPLPUSH rotates a list in itself, even of one element", () => {
  const s = testServer();
  s.run("RPUSH", "l", "a", "b", "c");
  assertEquals(s.run("RPOPLPUSH", "l", "l"), "c");
  assertEquals(all(s, "l"), ["c", "a", "b"]);
  s.run("RPUSH", "one", "x".repeat(9000));
  assertEquals(s.run("RPOPLPUSH", "one", "one"), "x".repeat(9000));
  assertEquals(all(s, "one"), ["x".repeat(9000)]);
  assertEquals(s.run("RPOPLPUSH", "none", "l"), null);
});

Deno.test("LMOVE makes the target, removes an emptied source and tells of both", () => {
  const s = testServer();
  s.run("RPUSH", "s", "a");
  const events = recordEvents(s);
  assertEquals(s.run("LMOVE", "s", "t", "LEFT", "RIGHT"), "a");
  assertEquals(events, ["new t", "rpush t", "lpop s", "del s"]);
  assertEquals(s.run("EXISTS", "s"), 0);
  assertEquals(s.propagated().slice(2), ["LMOVE s t LEFT RIGHT"]);
});

Deno.test("LMPOP pops from the first list there is, and is propagated as a pop", () => {
  const s = testServer();
  s.run("RPUSH", "b", 1, 2, 3);
  s.propagated();
  assertEquals(s.run("LMPOP", 2, "a", "b", "RIGHT", "COUNT", 2), ["b", ["3", "2"]]);
  assertEquals(s.run("LMPOP", 1, "b", "left", "COUNT", 10), ["b", ["1"]]);
  assertEquals(s.run("LMPOP", 2, "a", "b", "LEFT"), null);
  assertEquals(s.propagated(), ["RPOP b 2", "LPOP b 1"]);
});

Deno.test("list commands tell events in Redis's order", () => {
  const s = testServer();
  const events = recordEvents(s);
  s.run("LPUSH", "l", "a", "b", "c", "d");
  s.run("RPUSH", "l", "e");
  s.run("LSET", "l", 0, "z");
  s.run("LINSERT", "l", "BEFORE", "z", "y");
  s.run("LREM", "l", 0, "y");
  s.run("LTRIM", "l", 0, 1);
  s.run("LPOP", "l");
  s.run("RPOP", "l");
  assertEquals(events, [
    "new l",
    "lpush l",
    "rpush l",
    "lset l",
    "linsert l",
    "lrem l",
    "ltrim l",
    "lpop l",
    "rpop l",
    "del l",
  ]);
});

Deno.test("list commands refuse other types and wrong words, and change nothing", () => {
  const s = testServer();
  s.run("SET", "str", "v");
  s.run("RPUSH", "l", "a");
  s.propagated();
  const refused: [(string | number)[], Value][] = [
    [["LPUSH", "str", "a"], WRONG_TYPE],
    [["RPUSHX", "str", "a"], WRONG_TYPE],
    [["LPOP", "str"], WRONG_TYPE],
    [["RPOP", "str", 1], WRONG_TYPE],
    [["LLEN", "str"], WRONG_TYPE],
    [["LRANGE", "str", 0, -1], WRONG_TYPE],
    [["LINDEX", "str", "x"], WRONG_TYPE],
    [["LSET", "str", "x", "y"], WRONG_TYPE],
    [["LREM", "str", 0, "y"], WRONG_TYPE],
    [["LTRIM", "str", 0, 0], WRONG_TYPE],
    [["LINSERT", "str", "BEFORE", "a", "b"], WRONG_TYPE],
    [["LPOS", "str", "a"], WRONG_TYPE],
    [["LMOVE", "str", "l", "LEFT", "LEFT"], WRONG_TYPE],
    [["LMOVE", "l", "str", "LEFT", "LEFT"], WRONG_TYPE],
    [["LMPOP", 2, "none", "str", "LEFT"], WRONG_TYPE],
    [["LPOP", "l", -1], { error: "ERR value is out of range, must be positive" }],
    [["LPOP", "l", "x"], { error: "ERR value is out of range, must be positive" }],
    [["LPOP", "l", 1, 2], { error: "ERR wrong number of arguments for 'lpop' command" }],
    [["LRANGE", "l", "x", 0], { error: "ERR value is not an integer or out of range" }],
    [["LMOVE", "l", "l", "UP", "LEFT"], SYNTAX],
    [["LMPOP", 0, "l", "LEFT"], { error: "ERR numkeys should be greater than 0" }],
    [["LMPOP", 5, "l", "LEFT"], SYNTAX],
    [["LMPOP", 1, "l", "LEFT", "COUNT", 0], { error: "ERR count should be greater than 0" }],
    [["LMPOP", 1, "l", "LEFT", "COUNT", 1, "COUNT", 1], SYNTAX],
    [["LPOS", "l", "a", "RANK", 0], {
      error: "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
        "or use negative to start from the end of the list",
    }],
    [["LPOS", "l", "a", "COUNT", -1], { error: "ERR COUNT can't be negative" }],
    [["LPOS", "l", "a", "MAXLEN", -1], { error: "ERR MAXLEN can't be negative" }],
    [["LPOS", "l", "a", "RANK"], SYNTAX],
  ];
  for (const [words, error] of refused) assertEquals(s.run(...words), error, words.join(" "));
  assertEquals(s.propagated(), []);
  assertEquals([all(s, "l"), s.run("GET", "str")], [["a"], "v"]);
});

Deno.test("lists agree with arrays under drawn changes, small, large and in between", () => {
  for (const limit of [-2, 5, 1]) {
    const s = testServer();
    s.keyspace.limits.listMaxListpackSize = limit;
    const random = new Random(17);
    let model: string[] = [];
    for (let step = 0; step < 3000; step++) {
      const element = random.below(8) === 0
        ? "x".repeat(random.below(3000))
        : String(random.below(30) - 5);
      const index = model.length === 0 ? 0 : random.below(model.length);
      switch (random.below(9)) {
        case 0:
        case 1:
          s.run("LPUSH", "l", element);
          model.unshift(element);
          break;
        case 2:
        case 3:
          s.run("RPUSH", "l", element);
          model.push(element);
          break;
        case 4:
          assertEquals(s.run("LPOP", "l"), model.shift() ?? null);
          break;
        case 5:
          assertEquals(s.run("RPOP", "l"), model.pop() ?? null);
          break;
        case 6:
          if (model.length > 0) {
            s.run("LSET", "l", index, element);
            model[index] = element;
          }
          break;
        case 7:
          if (model.length > 0) {
            const pivot = model[index];
            s.run("LINSERT", "l", "AFTER", pivot, element);
            model.splice(model.indexOf(pivot) + 1, 0, element);
          }
          break;
        case 8:
          if (random.below(10) === 0) {
            s.run("LTRIM", "l", index >> 1, index);
            model = model.slice(index >> 1, index + 1);
          } else {
            s.run("LREM", "l", 0, element);
            model = model.filter((other) => other !== element);
          }
      }
      assertEquals(s.run("LLEN", "l"), model.length);
      if (step % 10 === 0) assertEquals(all(s, "l"), model);
    }
    assertEquals(all(s, "l"), model);
    s.run("DEL", "l");
    assertEquals(s.keyspace.databases[0].largeValueBytes, 0);
  }
});

Deno.test("RPUSH and LPUSH keep many elements that take fewer bytes than their text", () => {
  const s = testServer();
  const numbers = Array.from({ length: 100 }, (_, i) => String(i));
  s.run("RPUSH", "l", ...numbers);
  assertEquals(s.run("LRANGE", "l", 0, -1), numbers);
  s.run("LPUSH", "l", ...numbers);
  assertEquals(s.run("LRANGE", "l", 0, -1), [...numbers.toReversed(), ...numbers]);
});

Deno.test("LMOVE of an element whose node is emptied by it keeps its bytes", () => {
  const s = testServer();
  s.run("CONFIG", "SET", "list-max-listpack-size", 1);
  const elements = ["a", "b", "c", "d"].map((letter) => letter.repeat(3000));
  s.run("RPUSH", "l", ...elements);
  for (let i = 0; i < 10; i++) {
    assertEquals(s.run("LMOVE", "l", "l", "RIGHT", "LEFT"), elements.at(-1));
    elements.unshift(elements.pop()!);
    assertEquals(s.run("LRANGE", "l", 0, -1), elements);
    assertEquals(s.run("RPOPLPUSH", "l", "other"), elements.at(-1));
    assertEquals(s.run("LMOVE", "other", "l", "LEFT", "RIGHT"), elements.at(-1));
    assertEquals(s.run("LRANGE", "l", 0, -1), elements);
  }
});
