/**
 * A dataset with every form that values are written in, for each version of the snapshot format that can be written:
 * the same one at each run. tests/fixtures/rdb-versions has what came of it, and what real servers made of that.
 */

import { latin1 } from "../../src/base/bytes.ts";
import type { TestServer } from "../support/test_server.ts";
import { testServer } from "../support/test_server.ts";

/** The versions that can be written. */
export const VERSIONS = [6, 7, 8, 9, 10, 11, 12] as const;

/**
 * The secret that tables are filled with, for who wants the same bytes in each process: they are walked in the order
 * of the hashes.
 */
export const SAMPLE_HASH_SEED = [20_261, 129] as const;
/** What the clock of the sample shows. */
export const SAMPLE_NOW_MS = 1_700_000_000_000;
/** When its keys and fields expire: in 2100. */
export const SAMPLE_EXPIRY_MS = 4_102_444_800_000;

/** Integers at the ends of what each packed form holds. */
const INTEGERS = [
  ...[0, 1, 12, 13, 63, 64, 127, 128, 255, 256, 4095, 4096, 32767, 32768, 65535, 65536],
  ...[8388607, 8388608, 2147483647, 2147483648, 4294967295, 4294967296, 9007199254740991],
].flatMap((n) => [String(n), String(-n), String(-n - 1)]).concat(
  "9007199254740993",
  "9223372036854775807",
  "-9223372036854775808",
  "9223372036854775808", // one that is text everywhere
);

/** Lengths at the ends of what each head of a packed entry, and of the entry behind it, can say. */
const LENGTHS = [
  1,
  20,
  21,
  62,
  63,
  64,
  126,
  127,
  250,
  251,
  252,
  253,
  254,
  255,
  256,
  300,
  4095,
  4096,
];

const SCORES = [
  ...["0", "-0", "1", "-1", "0.1", "-2.5", "3.14159265358979", "1e300", "-1e-300", "5e-324"],
  ...["inf", "-inf", "9007199254740993", "4503599627370497", "1.7976931348623157e308", "17"],
];

/** A text of this length without repetitions worth compressing; `letter` tells one from another. */
function text(length: number, letter: string): string {
  let state = length * 31 + letter.charCodeAt(0);
  let out = "";
  while (out.length < length) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out += String.fromCharCode(33 + (state >>> 8) % 94);
  }
  return out;
}

const many = <T>(count: number, each: (i: number) => T[]) =>
  Array.from({ length: count }, (_, i) => each(i)).flat();

/** A server with all of the sample that this version can hold. */
export function sampleServer(version: number): TestServer {
  const s = testServer({
    nowMs: SAMPLE_NOW_MS,
    directives: {
      "hash-max-listpack-value": "5000",
      "zset-max-listpack-value": "5000",
      "set-max-listpack-value": "5000",
    },
  });
  makeStrings(s);
  makeLists(s);
  makeSets(s);
  makeSortedSets(s);
  makeHashes(s);
  if (version >= 9) makeStreams(s);
  if (version >= 10) makeLibraries(s);
  if (version >= 12) makeFieldTimes(s);
  for (const database of [3, 15]) {
    s.run("SELECT", database);
    s.run("SET", "key", `in database ${database}`);
    s.run("RPUSH", "list", "a", "b", database);
  }
  s.run("SELECT", 0);
  return s;
}

function makeStrings(s: TestServer): void {
  for (const n of INTEGERS) s.run("SET", `s:int:${n}`, n);
  s.run("SET", "s:empty", "");
  s.run("SET", "", "of the empty key");
  s.run("SET", '\x00\xff\r\n"\\', "\xfe\x00 of a key with odd bytes");
  s.run("SET", text(300, "k"), "of a long key");
  s.run("SET", "12345", "of a key that is a number");
  s.run("SET", "s:repeated", "abc".repeat(1000));
  s.run("SET", "s:long", text(3000, "s"));
  s.run("SET", "s:longer", "0123456789abcdef".repeat(20_000));
  s.run("SETBIT", "s:bits", 4000, 1);
  s.run("PFADD", "s:hll", ...many(300, (i) => [`element ${i}`]));
  s.run("SET", "s:expires", "v", "PXAT", SAMPLE_EXPIRY_MS);
  s.run("SET", "s:expires:odd", "v", "PXAT", SAMPLE_EXPIRY_MS + 123);
}

function makeLists(s: TestServer): void {
  const texts = LENGTHS.map((length) => text(length, "l"));
  s.run("RPUSH", "l:one", "only");
  s.run("RPUSH", "l:integers", ...INTEGERS);
  s.run("RPUSH", "l:texts", "", ...texts);
  s.run("RPUSH", "l:mixed", ...many(40, (i) => [INTEGERS[i], texts[i % 8], ""]));
  s.run("RPUSH", "l:many", ...many(900, (i) => [i, `element ${i} of a list of many nodes`]));
  s.run("RPUSH", "l:plain", "small", text(9000, "p"), 5, "x".repeat(20_000));
  s.run("PEXPIREAT", "l:one", SAMPLE_EXPIRY_MS);
}

function makeSets(s: TestServer): void {
  s.run("SADD", "m:16", 1, -2, 32767, -32768);
  s.run("SADD", "m:32", 1, -2, 32768, 2147483647);
  s.run("SADD", "m:64", 1, -2, "9223372036854775807", "-9223372036854775808");
  s.run("SADD", "m:packed", "a", "", ...INTEGERS.slice(0, 30), ...LENGTHS.map((n) => text(n, "m")));
  s.run("SADD", "m:table", ...many(900, (i) => [`member ${i}`, i]));
  s.run("PEXPIREAT", "m:packed", SAMPLE_EXPIRY_MS);
}

function makeSortedSets(s: TestServer): void {
  const scored = SCORES.flatMap((score, i) => [score, `m${i}`]);
  s.run("ZADD", "z:packed", ...scored, 1, "", 2, text(300, "z"), 3, "17", 3, "-5");
  s.run(
    "ZADD",
    "z:table",
    ...scored,
    ...many(700, (i) => [i / 7, `member ${i}`]),
    1,
    text(6000, "z"),
  );
  s.run("PEXPIREAT", "z:table", SAMPLE_EXPIRY_MS);
}

function makeHashes(s: TestServer): void {
  s.run("HSET", "h:packed", "", "", ...INTEGERS.slice(0, 40).flatMap((n) => [n, `of ${n}`]));
  s.run("HSET", "h:packed:texts", ...LENGTHS.flatMap((n) => [text(n, "f"), text(n, "v")]));
  s.run("HSET", "h:packed:integers", ...INTEGERS.flatMap((n, i) => [`f${i}`, n]));
  s.run("HSET", "h:table", ...many(900, (i) => [`field ${i}`, i]), "long", "y".repeat(70_000));
  s.run("PEXPIREAT", "h:packed", SAMPLE_EXPIRY_MS);
}

function makeStreams(s: TestServer): void {
  s.run("XADD", "x:one", "1-1", "f", "v");
  s.run("XADD", "x:empty", "5-1", "f", "v");
  s.run("XDEL", "x:empty", "5-1");
  s.run("XGROUP", "CREATE", "x:group-only", "g", "$", "MKSTREAM");
  for (let i = 1; i <= 450; i++) {
    const words = i % 3 === 0
      ? ["other", i, "", text(i, "x")]
      : ["same", i, "fields", INTEGERS[i % 60]];
    s.run("XADD", "x:many", `${1_600_000_000_000 + i}-${i % 5}`, ...words);
  }
  s.run("XADD", "x:many", "18446744073709551615-18446744073709551614", "the", "last");
  s.run("XDEL", "x:many", "1600000000003-3", "1600000000200-0");
  s.run("XGROUP", "CREATE", "x:many", "readers", 0);
  s.run("XGROUP", "CREATE", "x:many", "idle", "1600000000100-0");
  s.run("XREADGROUP", "GROUP", "readers", "alice", "COUNT", 150, "STREAMS", "x:many", ">");
  s.clock.nowMs += 10;
  s.run("XREADGROUP", "GROUP", "readers", "bob", "COUNT", 70, "STREAMS", "x:many", ">");
  s.run("XGROUP", "CREATECONSUMER", "x:many", "readers", "carol");
  s.run("XACK", "x:many", "readers", "1600000000001-1", "1600000000160-0");
  s.run("XCLAIM", "x:many", "readers", "carol", 0, "1600000000010-0", "RETRYCOUNT", 7);
  s.run("PEXPIREAT", "x:one", SAMPLE_EXPIRY_MS);
}

/** Source of the function library of the sample. */
const LIBRARY = "#!lua name=sample\nredis.register_function('answer', function() return 42 end)\n";

function makeLibraries({ keyspace }: TestServer): void {
  keyspace.libraries.set("sample", latin1(LIBRARY));
}

function makeFieldTimes(s: TestServer): void {
  s.run("HSET", "t:packed", "a", 1, "b", "two", "c", 3);
  s.run("HPEXPIREAT", "t:packed", SAMPLE_EXPIRY_MS, "FIELDS", 1, "a");
  s.run("HPEXPIREAT", "t:packed", SAMPLE_EXPIRY_MS - 5, "FIELDS", 1, "c");
  s.run("HSET", "t:table", ...many(700, (i) => [`field ${i}`, i]));
  s.run(
    "HPEXPIREAT",
    "t:table",
    SAMPLE_EXPIRY_MS + 7,
    "FIELDS",
    300,
    ...many(300, (i) => [`field ${i}`]),
  );
}
