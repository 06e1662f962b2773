import { assert, assertEquals } from "@std/assert";
import { Random } from "../../support/random.ts";
import { testServer } from "../../support/test_server.ts";

const NOT_A_HYPERLOGLOG = { error: "WRONGTYPE Key is not a valid HyperLogLog string value." };
const CORRUPTED = { error: "INVALIDOBJ Corrupted HLL object detected" };
const WRONG_TYPE = {
  error: "WRONGTYPE Operation against a key holding the wrong kind of value",
};
const EMPTY = "HYLL\x01" + "\0".repeat(11) + "\x7f\xff";

function elements(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `element:${from + i}`);
}

Deno.test("PFADD answers whether the estimate may have changed, and makes the key", () => {
  const s = testServer();
  assertEquals(s.run("PFADD", "h"), 1);
  assertEquals(s.run("PFADD", "h"), 0);
  assertEquals(s.run("PFADD", "h", "a", "b", "c"), 1);
  assertEquals(s.run("PFADD", "h", "b"), 0);
  assertEquals(s.run("PFCOUNT", "h"), 3);
  assertEquals(s.run("TYPE", "h"), "string");
  assertEquals(s.run("OBJECT", "ENCODING", "h"), "raw");
  assertEquals(s.propagated(), ["SELECT 0", "PFADD h", "PFADD h a b c", "PFCOUNT h"]);
});

Deno.test("PFCOUNT keeps its estimate in the value and tells replicas only when it is new", () => {
  const s = testServer();
  s.run("PFADD", "h", "a");
  s.propagated();
  assertEquals(s.run("PFCOUNT", "h"), 1);
  assertEquals(s.run("PFCOUNT", "h"), 1);
  assertEquals(s.run("PFCOUNT", "h", "missing"), 1);
  assertEquals(s.propagated(), ["PFCOUNT h"]);
  assertEquals(s.run("GETRANGE", "h", 8, 15), "\x01\0\0\0\0\0\0\0");
  s.run("PFADD", "h", "b");
  assertEquals(s.run("GETRANGE", "h", 15, 15), "\x80");
});

Deno.test("PFCOUNT is near the number of elements, and equal in both forms", () => {
  for (const sparse of [3000, 0]) {
    const s = testServer();
    s.keyspace.limits.hllSparseBytesMax = sparse;
    for (const count of [1, 10, 100, 1000, 10_000]) {
      for (let at = 0; at < count; at += 500) {
        s.run("PFADD", `h${count}`, ...elements(at, Math.min(500, count - at)));
      }
      const estimate = s.run("PFCOUNT", `h${count}`) as number;
      assert(Math.abs(estimate - count) <= Math.ceil(count * 0.03), `${estimate} for ${count}`);
    }
    assertEquals(s.run("PFDEBUG", "ENCODING", "h10000"), "dense");
    assertEquals(s.run("PFDEBUG", "ENCODING", "h1"), sparse === 0 ? "dense" : "sparse");
    assertEquals(s.run("PFSELFTEST"), "OK");
  }
});

Deno.test("PFMERGE is the union, dense as soon as one source is", () => {
  const s = testServer();
  s.run("PFADD", "a", ...elements(0, 50));
  s.run("PFADD", "b", ...elements(25, 50));
  assertEquals(s.run("PFCOUNT", "a", "b"), s.run("PFCOUNT", "b", "a"));
  assertEquals(s.run("PFMERGE", "d", "a", "b", "missing"), "OK");
  assertEquals(s.run("PFCOUNT", "d"), s.run("PFCOUNT", "a", "b"));
  assertEquals(s.run("PFDEBUG", "ENCODING", "d"), "sparse");
  assertEquals(s.run("PFDEBUG", "TODENSE", "b"), 1);
  assertEquals(s.run("PFDEBUG", "TODENSE", "b"), 0);
  assertEquals(s.run("PFMERGE", "a", "b"), "OK");
  assertEquals(s.run("PFDEBUG", "ENCODING", "a"), "dense");
  assertEquals(s.run("PFCOUNT", "a"), s.run("PFCOUNT", "d"));
  assertEquals(s.run("PFMERGE", "new"), "OK");
  assertEquals(s.run("PFDEBUG", "DECODE", "new"), "Z:16384");
});

Deno.test("any order of PFADD and PFMERGE ends with the registers of a plain model", () => {
  const random = new Random(7);
  const s = testServer();
  s.keyspace.limits.hllSparseBytesMax = 400;
  for (let round = 0; round < 40; round++) {
    const added = elements(random.between(0, 3000), random.between(1, 60));
    s.run("PFADD", "grown", ...added);
    s.run("PFADD", `part:${round % 5}`, ...added);
    // Always dense, so that its registers are set in another way.
    if (round === 0) s.run("PFDEBUG", "TODENSE", "grown");
  }
  s.run("PFMERGE", "merged", ...Array.from({ length: 5 }, (_, i) => `part:${i}`));
  assertEquals(s.run("PFDEBUG", "GETREG", "merged"), s.run("PFDEBUG", "GETREG", "grown"));
  assertEquals(s.run("PFCOUNT", "merged"), s.run("PFCOUNT", "grown"));
});

Deno.test("HyperLogLogs refuse what is none and change nothing", () => {
  const s = testServer();
  s.run("RPUSH", "list", "e");
  for (
    const value of [
      "",
      "HYLL",
      "x".repeat(20),
      "HYLL\0" + "\0".repeat(20),
      "HYLL\x02" + "\0".repeat(11),
    ]
  ) {
    s.run("SET", "no", value);
    s.propagated();
    assertEquals(s.run("PFADD", "no", "a"), NOT_A_HYPERLOGLOG, value);
    assertEquals(s.run("PFCOUNT", "no"), NOT_A_HYPERLOGLOG, value);
    assertEquals(s.run("PFCOUNT", "missing", "no"), NOT_A_HYPERLOGLOG, value);
    assertEquals(s.run("PFMERGE", "d", "no"), NOT_A_HYPERLOGLOG, value);
    assertEquals(s.run("PFDEBUG", "DECODE", "no"), NOT_A_HYPERLOGLOG, value);
    assertEquals(s.run("GET", "no"), value);
  }
  assertEquals(s.run("PFADD", "list", "a"), WRONG_TYPE);
  assertEquals(s.run("PFMERGE", "d", "list"), WRONG_TYPE);
  assertEquals(s.run("PFDEBUG", "DECODE", "missing"), {
    error: "ERR The specified key does not exist",
  });
  assertEquals(s.run("EXISTS", "d"), 0);
  assertEquals(s.propagated(), []);
});

Deno.test("a corrupted HyperLogLog is refused whole, whatever its runs say", () => {
  const s = testServer();
  const random = new Random(11);
  const header = EMPTY.slice(0, 15) + "\x80";
  // Too few registers, too many in a run of zeros and in one of values, half a run at the end.
  const corrupted = ["", "\x3f", "\x7f\xff\x00", "\x7f\xff\x84", "\x7f\xfe\x85", "\x7f\xff\x7f"];
  for (let i = 0; i < 200; i++) {
    corrupted.push(String.fromCharCode(
      ...Array.from({ length: random.between(1, 30) }, () => random.between(0, 255)),
    ));
  }
  for (const runs of corrupted) {
    const value = header + runs;
    s.run("SET", "bad", value);
    s.propagated();
    assertEquals(s.run("PFCOUNT", "bad"), CORRUPTED, JSON.stringify(runs));
    assertEquals(s.run("PFCOUNT", "bad", "missing"), CORRUPTED);
    assertEquals(s.run("PFMERGE", "d", "bad"), CORRUPTED);
    assertEquals(s.run("PFDEBUG", "TODENSE", "bad"), CORRUPTED);
    assertEquals(s.run("PFDEBUG", "GETREG", "bad"), CORRUPTED);
    assertEquals(s.run("GET", "bad"), value);
    assertEquals(s.propagated(), []);
    s.run("PFADD", "bad", ...elements(0, 20));
    s.run("PFDEBUG", "DECODE", "bad");
  }
});

Deno.test("a snapshot under way sees the dense HyperLogLog of its instant", () => {
  const s = testServer();
  s.run("PFADD", "h", ...elements(0, 3000));
  s.run("PFCOUNT", "h");
  const before = s.run("DUMP", "h");
  s.run("PFADD", "h", ...elements(3000, 3000));
  s.run("DEL", "h2");
  assertEquals(s.run("RESTORE", "h2", 0, before as string), "OK");
  assert(s.run("GET", "h") !== s.run("GET", "h2"));
  assertEquals((s.run("GET", "h2") as string).length, 12_304);
});

Deno.test("PFDEBUG refuses unknown subcommands and dense values to DECODE", () => {
  const s = testServer();
  s.run("PFADD", "h", "a");
  assertEquals(s.run("PFDEBUG", "NoSuch", "h"), {
    error: "ERR Unknown PFDEBUG subcommand 'NoSuch'",
  });
  assertEquals((s.run("PFDEBUG", "GETREG", "h") as number[]).length, 16_384);
  assertEquals(s.run("PFDEBUG", "DECODE", "h"), { error: "ERR HLL encoding is not sparse" });
});
