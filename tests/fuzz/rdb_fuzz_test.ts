/**
 * Damaged snapshots and DUMP payloads: cut at every byte, bits flipped, with and without a checksum
 * that fits. Each has to be refused with an RdbError or load to values that all commands can work
 * with. Lengths of 2^60 and the like at every byte: no allocation is larger than what the size of the
 * file explains.
 */

import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { Crc64 } from "../../src/rdb/crc64.ts";
import { RDB_HEADER_BYTES } from "../../src/rdb/format.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { ACCESS_NONE } from "../../src/rdb/save_dataset.ts";
import { corpusBytes, corpusNames } from "../rdb/corpus.ts";
import { asVersion10, loadBytes, readDataset, saveToBytes } from "../rdb/datasets.ts";
import { Random } from "../support/random.ts";
import { withRefusedAllocations } from "../support/refused_allocations.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { EVERYTHING, NEWER_PAYLOADS, snapshot } from "../support/newer_snapshots.ts";
import { ABSURD_LENGTHS, allocationMax, overwritten } from "./damage.ts";

/** A small dataset with every encoding. */
function everyEncoding(): TestServer {
  const server = testServer();
  Object.assign(server.keyspace.limits, { listMaxListpackSize: 8 });
  server.run("SET", "int", 123456);
  server.run(
    "SET",
    "text",
    "some text that is long enough for compression, compression, compression",
  );
  server.run("SET", "expires", "v", "PXAT", 4_000_000_000_000);
  for (let i = 0; i < 12; i++) {
    server.run("RPUSH", "quicklist", `element ${i}`, i * 1000, "x".repeat(i * 20));
    server.run("SADD", "intset", i * i * i * 1000);
    server.run("SADD", "set", `m${i}`, i);
    server.run("HSET", "hash", `f${i}`, i * 100_000);
    server.run("ZADD", "zset", i / 3, `m${i}`);
  }
  server.run("RPUSH", "list", "a", 1, -70_000);
  server.keyspace.limits.streamNodeMaxEntries = 3;
  for (let i = 1; i < 9; i++) {
    server.run("XADD", "stream", `${i}-1`, "f", i, i % 2 === 0 ? "g" : "h", "v");
  }
  server.run("XDEL", "stream", "2-1");
  server.run("XGROUP", "CREATE", "stream", "readers", "0");
  server.run("XREADGROUP", "GROUP", "readers", "c", "COUNT", 4, "STREAMS", "stream", ">");
  server.run("XREADGROUP", "GROUP", "readers", "d", "COUNT", 2, "STREAMS", "stream", ">");
  const long = "y".repeat(70);
  for (let i = 0; i < 4; i++) {
    server.run("SADD", "table", `${i}${long}`);
    server.run("HSET", "fields", `${i}${long}`, i);
    server.run("ZADD", "skiplist", i, `${i}${long}`);
    server.run("HSET", "timed", `f${i}`, i, `g${i}`, "text");
    server.run("HPEXPIREAT", "timed", 4_000_000_000_000 + 7 * i, "FIELDS", 1, `f${i}`);
    server.run("HSET", "timed fields", `${i}${long}`, i);
    server.run("HPEXPIREAT", "timed fields", 4_000_000_000_000 - i, "FIELDS", 1, `${i % 3}${long}`);
  }
  const { libraries } = server.keyspace;
  libraries.set("one", latin1("#!lua name=one\nredis.register_function('f', function() end)"));
  libraries.set("two", latin1(`#!lua name=two\n${"-- compression, ".repeat(20)}`));
  server.run("SELECT", 3);
  server.run("SET", "other", "database");
  server.run("SELECT", 0);
  return server;
}

/** Loads damaged bytes; null, or the error, which has to be of the one kind there is. */
function tryLoad(bytes: Uint8Array, what: string, checksum: boolean): RdbError | null {
  const server = testServer();
  try {
    loadBytes(server.keyspace, bytes, { checksum }, { onUnheld() {} });
  } catch (error) {
    if (error instanceof RdbError) {
      assert(error.offset <= bytes.length, `${what}: offset ${error.offset} lies outside`);
      return error;
    }
    throw new Error(what, { cause: error });
  }
  const content = asVersion10(readDataset(server));
  const again = testServer();
  loadBytes(again.keyspace, saveToBytes(server.keyspace));
  assertEquals(asVersion10(readDataset(again)), content, what);
  assertEquals([...again.keyspace.libraries.codes], [...server.keyspace.libraries.codes], what);
  for (const version of [6, 9]) assertHolds(server, version, what);
  return null;
}

/** Of all that a snapshot of this version can hold it has what is there. */
function assertHolds(server: TestServer, version: number, what: string): void {
  const older = testServer();
  let left = 0;
  const bytes = saveToBytes(server.keyspace, { version }, ACCESS_NONE, () => left++);
  loadBytes(older.keyspace, bytes);
  let held = 0;
  for (const { index, count } of older.keyspace.databases) {
    if (count === 0) continue;
    for (const s of [server, older]) s.run("SELECT", index);
    const keys = older.run("KEYS", "*") as string[];
    const digests = (s: TestServer) => s.run("DEBUG", "DIGEST-VALUE", ...keys);
    assertEquals(digests(older), digests(server), `${what}, version ${version}`);
    held += keys.length;
  }
  for (const s of [server, older]) s.run("SELECT", 0);
  const all = server.keyspace.databases.reduce((sum, { count }) => sum + count, 0) +
    server.keyspace.libraries.count;
  assertEquals(held + left, all, `${what}, version ${version}`);
}

Deno.test("a snapshot cut at any byte is refused", () => {
  const bytes = saveToBytes(everyEncoding().keyspace);
  for (let length = 0; length < bytes.length; length++) {
    const error = tryLoad(bytes.subarray(0, length), `cut at ${length}`, true);
    assert(error !== null, `cut at ${length}: loads`);
  }
  assertEquals(tryLoad(bytes, "whole", true), null);
});

const seed = fuzzSeed(7);

Deno.test(`a snapshot with a flipped bit is refused by its checksum (seed ${seed})`, () => {
  const random = new Random(seed);
  const bytes = saveToBytes(everyEncoding().keyspace);
  for (let round = fuzzRounds(300); round > 0; round--) {
    const at = random.below(bytes.length);
    const bit = 1 << random.below(8);
    bytes[at] ^= bit;
    const error = tryLoad(bytes, `bit ${bit} of byte ${at}, seed ${seed}`, true);
    // A lower version may have no checksum.
    assert(error !== null || at < RDB_HEADER_BYTES, `bit ${bit} of byte ${at} loads`);
    bytes[at] ^= bit;
  }
});

Deno.test(`damaged snapshots without a checksum load to sound values or not at all (seed ${seed})`, () => {
  const random = new Random(seed + 1);
  const files = [
    saveToBytes(everyEncoding().keyspace),
    saveToBytes(everyEncoding().keyspace, { compress: false }),
    snapshot(EVERYTHING),
    ...corpusNames().filter((name) => /mixed|-default|expires|hash-ttl|streams/.test(name))
      .map((name) => corpusBytes(name)).filter((bytes) => bytes.length < 30_000),
  ];
  let loaded = 0;
  const rounds = fuzzRounds(600);
  for (let round = 0; round < rounds; round++) {
    const bytes = files[random.below(files.length)].slice();
    const flips = 1 + random.below(3);
    const ats: number[] = [];
    for (let i = 0; i < flips; i++) {
      const at = RDB_HEADER_BYTES + random.below(bytes.length - RDB_HEADER_BYTES);
      bytes[at] = random.below(3) === 0 ? random.below(256) : bytes[at] ^ (1 << random.below(8));
      ats.push(at);
    }
    if (tryLoad(bytes, `round ${round} of seed ${seed}, bytes ${ats}`, false) === null) loaded++;
  }
  assert(loaded > 0 && loaded < rounds, `${loaded} of ${rounds} were loaded`);
});

/** Gives a payload the checksum that fits its bytes. */
function sealed(payload: Uint8Array): string {
  const crc = new Crc64();
  crc.update(payload, 0, payload.length - 8);
  crc.writeTo(payload, payload.length - 8);
  return toLatin1(payload);
}

/** Commands that read and change a value of any type in many ways; errors of type are fine. */
const PROBES: string[][] = [
  ["APPEND", "k", "x"],
  ["LRANGE", "k", "0", "-1"],
  ["LPUSH", "k", "new"],
  ["LSET", "k", "0", "other"],
  ["RPOP", "k"],
  ["SADD", "k", "new", "5"],
  ["SMEMBERS", "k"],
  ["SPOP", "k", "2"],
  ["HSET", "k", "f", "v"],
  ["HGETALL", "k"],
  ["HPEXPIRE", "k", "1000", "FIELDS", "3", "f", "f1", "f2"],
  ["HTTL", "k", "FIELDS", "3", "f", "f1", "f2"],
  ["HGET", "k", "f1"],
  ["HSET", "k", "f1", "w", "f2", "w"],
  ["HRANDFIELD", "k", "-3"],
  ["HDEL", "k", "f1", "f"],
  ["ZADD", "k", "2.5", "new"],
  ["ZRANGE", "k", "0", "-1", "WITHSCORES"],
  ["ZRANK", "k", "new"],
  ["ZPOPMIN", "k"],
  ["COPY", "k", "copy", "REPLACE"],
  ["DUMP", "k"],
];

Deno.test(`RESTORE of damaged payloads gives sound values or an error (seed ${seed})`, () => {
  const random = new Random(seed + 2);
  const source = everyEncoding();
  const payloads = (source.run("KEYS", "*") as string[])
    .map((key) => source.run("DUMP", key) as string).concat(NEWER_PAYLOADS);
  const target = testServer();
  let restored = 0;
  const rounds = fuzzRounds(1500);
  for (let round = 0; round < rounds; round++) {
    const text = payloads[random.below(payloads.length)];
    const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
    const cut = random.below(4) === 0 ? random.below(bytes.length - 10) : 0;
    const payload = cut === 0 ? bytes : new Uint8Array([
      ...bytes.subarray(0, bytes.length - 10 - cut),
      ...bytes.subarray(bytes.length - 10),
    ]);
    const at = random.below(Math.max(1, payload.length - 10));
    if (random.below(3) > 0) payload[at] ^= 1 << random.below(8);
    else payload[at] = random.below(256);
    const what = `round ${round} of seed ${seed}: ${toHex(payload)}`;
    try {
      target.run("FLUSHALL");
      const reply = target.run("RESTORE", "k", "0", sealed(payload));
      if (reply !== "OK") {
        assertEquals(reply, { error: "ERR Bad data format" }, what);
        assertEquals(target.run("DBSIZE"), 0, what);
        continue;
      }
      restored++;
      for (const probe of PROBES) target.run(...probe);
      target.propagated();
    } catch (error) {
      throw new Error(what, { cause: error });
    }
  }
  assert(restored > 0 && restored < rounds, `${restored} of ${rounds} were restored`);
});

Deno.test("RESTORE refuses a payload cut at any byte, and changes nothing", () => {
  const server = everyEncoding();
  for (const key of server.run("KEYS", "*") as string[]) {
    const payload = server.run("DUMP", key) as string;
    for (let length = 0; length < payload.length; length++) {
      assertEquals(server.run("RESTORE", "k", "0", payload.slice(0, length)), {
        error: "ERR DUMP payload version or checksum are wrong",
      });
    }
  }
  assertEquals(server.run("EXISTS", "k"), 0);
});

/** Runs `work`; nothing that it allocates at once is larger than what so many bytes explain. */
function withinBounds<T>(fileBytes: number, what: string, work: () => T): T {
  let largest = 0;
  const refuses = (bytes: number) => {
    largest = Math.max(largest, bytes);
    // What nobody has is not tried.
    return bytes > 2 ** 32;
  };
  const result = withRefusedAllocations(refuses, work);
  assert(largest <= allocationMax(fileBytes), `${what}: ${largest} bytes at once of ${fileBytes}`);
  return result;
}

Deno.test("absurd lengths at any byte of a snapshot: refused or loaded, and nothing of that size is allocated", () => {
  const step = fuzzRounds(1) > 1 ? 1 : 41;
  const files = [true, false].map((compress) =>
    saveToBytes(everyEncoding().keyspace, { compress })
  );
  for (const bytes of [...files, snapshot(EVERYTHING)]) {
    for (const [i, length] of ABSURD_LENGTHS.entries()) {
      for (let at = RDB_HEADER_BYTES + 7 * i; at < bytes.length; at += step) {
        const what = `length ${i} at byte ${at}`;
        withinBounds(
          bytes.length,
          what,
          () => tryLoad(overwritten(bytes, at, length), what, false),
        );
      }
    }
  }
});

Deno.test("absurd lengths at any byte of a payload of RESTORE: an error or a value, and nothing of that size is allocated", () => {
  const source = everyEncoding();
  const target = testServer();
  const step = fuzzRounds(1) > 1 ? 1 : 3;
  const own = (source.run("KEYS", "*") as string[]).map((key) => [
    key,
    source.run("DUMP", key) as string,
  ]);
  const newer = NEWER_PAYLOADS.map((payload, i) => [`newer ${i}`, payload]);
  for (const [key, dumped] of [...own, ...newer]) {
    const payload = latin1(dumped);
    for (const [i, length] of ABSURD_LENGTHS.entries()) {
      for (let at = i % step; at < payload.length - 10; at += step) {
        const damaged = sealed(overwritten(payload, at, length));
        const what = `${key}: length ${i} at byte ${at}`;
        const reply = withinBounds(
          payload.length,
          what,
          () => target.run("RESTORE", "k", "0", damaged, "REPLACE"),
        );
        if (reply !== "OK") {
          assert(
            JSON.stringify(reply).includes("Bad data format") ||
              JSON.stringify(reply).includes("payload version or checksum"),
            `${what}: ${JSON.stringify(reply)}`,
          );
        }
      }
    }
  }
});

function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
