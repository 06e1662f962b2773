/**
 * What a command does when the engine refuses a buffer, wherever in its midst: it answers, or says OOM; then
 * nothing has changed and nothing is propagated, all counts agree, and the same command works when there is
 * memory again. Each command is run again and again, with another one of its buffers refused each time:
 * that one alone, or all from there on.
 *
 * Not covered: small buffers, which come out of the heap or of a pool.
 */

import { assert, assertEquals } from "@std/assert";
import type { LargeValue } from "../../src/keyspace/value_slots.ts";
import { Words } from "../../src/resp/words.ts";
import { SortedSet } from "../../src/values/sorted_set.ts";
import { isSlotEncoding, TYPE_HASH } from "../../src/arena/record.ts";
import { firstFieldExpiry } from "../../src/keyspace/hash.ts";
import { NO_MEMORY } from "../../src/resp/reply_error.ts";
import { withRefusedAllocations } from "../support/refused_allocations.ts";
import { type TestServer, testServer, type Value } from "../support/test_server.ts";

/** Buffers smaller than this are always to be had. */
const REFUSED_MIN_BYTES = 512;
const REFUSALS_MAX = 80;

const MEMBERS = Array.from({ length: 700 }, (_, n) => `member:${n * 7919 % 700}`);
const NEW_MEMBERS = MEMBERS.map((member) => `new:${member}`);
const SOME = MEMBERS.slice(0, 100);
const FAR_MS = 4_000_000_000_000;
const LARGE = "x".repeat(70_000);
const pairs = (words: string[]) => words.flatMap((word, n) => [word, String(n)]);
const scored = (words: string[]) => words.flatMap((word, n) => [String(n), word]);
const both = scored([...MEMBERS.slice(600), ...NEW_MEMBERS]);

/** What there may be, each by the command that makes it. */
const DATA: (string | number)[][] = [
  ["RPUSH", "l", ...MEMBERS],
  ["RPUSH", "l2", ...SOME],
  ["RPUSH", "numbers", ...MEMBERS.map((_, n) => n * 7919 % 700)],
  ["SADD", "s", ...MEMBERS],
  ["SADD", "s2", ...MEMBERS.slice(300), ...NEW_MEMBERS.slice(0, 100)],
  ["SADD", "ss", ...SOME],
  ["SADD", "integers", ...SOME.map((_, n) => n)],
  ["ZADD", "z", ...scored(MEMBERS)],
  ["ZADD", "z2", ...scored(MEMBERS.slice(300))],
  ["ZADD", "zs", ...scored(SOME)],
  ["HSET", "h", ...pairs(MEMBERS)],
  ["HSET", "hs", ...pairs(SOME)],
  ["HSET", "ht", ...pairs(MEMBERS)],
  ["HPEXPIREAT", "ht", FAR_MS, "FIELDS", 350, ...MEMBERS.slice(0, 350)],
  ["HSET", "hst", ...pairs(SOME)],
  ["HPEXPIREAT", "hst", FAR_MS, "FIELDS", 50, ...SOME.slice(0, 50)],
  ["SET", "str", LARGE],
  ["SET", "other", LARGE.replaceAll("x", "y")],
  ["SET", "small", "abcabcabc".repeat(100)],
  ["SET", "passing", "abc", "EX", 100],
  ["XADD", "x", "1-1", ...pairs(SOME)],
  ["XADD", "x", "2-1", ...pairs(SOME)],
  ["XADD", "x", "2-2", "f", LARGE],
  ["XGROUP", "CREATE", "x", "g", 0],
  ["XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "x", ">"],
  ["PFADD", "hll", ...MEMBERS],
  ["PFADD", "hll2", "a", "b"],
  ["GEOADD", "geo", ...MEMBERS.flatMap((member, n) => [n / 50, n / 50, member])],
];

/**
 * A server with the keys that the command names; with all where it names none. `twin` is a copy of the stream,
 * whose nodes it has in common with it.
 */
function filled(command: (string | number)[]): TestServer {
  const s = testServer();
  if (command.includes("twin")) {
    for (const words of DATA) if (String(words[0]).startsWith("X")) s.run(...words);
    s.run("COPY", "x", "twin");
    return s;
  }
  const named = DATA.filter((words) =>
    command.includes(words[words[0] === "XGROUP" ? 2 : 1]) || words[0] === "XREADGROUP"
  );
  for (const words of named.length > 0 ? named : DATA) s.run(...words);
  return s;
}

/** Most give the same dataset when they are run again; the others are in `ONCE`. */
const COMMANDS: (string | number)[][] = [
  ["SORT", "numbers"],
  ["SORT", "l", "ALPHA"],
  ["SORT", "l", "BY", "w_*", "GET", "#", "STORE", "to"],
  ["SORT", "numbers", "STORE", "numbers"],
  ["SUNION", "s", "s2"],
  ["SDIFF", "s", "s2"],
  ["SINTER", "s", "s2"],
  ["SUNIONSTORE", "to", "s", "s2"],
  ["SUNIONSTORE", "passing", "s", "s2"],
  ["SINTERSTORE", "s", "s", "s2"],
  ["SDIFFSTORE", "to", "s", "s2"],
  ["ZUNION", 2, "z", "z2", "WITHSCORES"],
  ["ZUNIONSTORE", "to", 2, "z", "z2"],
  ["ZUNIONSTORE", "passing", 2, "zs", "ss"],
  ["ZINTERSTORE", "to", 2, "z", "z2"],
  ["ZDIFFSTORE", "to", 2, "z", "z2"],
  ["ZRANGESTORE", "to", "z", 0, -1],
  ["KEYS", "*"],
  ["LCS", "small", "small", "LEN"],
  ["HGETALL", "h"],
  ["SMEMBERS", "s"],
  ["LRANGE", "l", 0, -1],
  ["COPY", "l", "to", "REPLACE"],
  ["COPY", "s", "to", "REPLACE"],
  ["COPY", "z", "s", "REPLACE"],
  ["COPY", "h", "passing", "REPLACE"],
  ["COPY", "str", "other", "REPLACE"],
  ["DUMP", "l"],
  ["DUMP", "z"],
  ["DUMP", "str"],
  ["GETRANGE", "str", 0, -1],
  ["MGET", "str", "other", "str"],
  ["BITOP", "OR", "to", "str", "other"],
  ["BITOP", "NOT", "str2", "str"],
  ["SETRANGE", "str", 100_000, "end"],
  ["SETRANGE", "passing", 100_000, "end"],
  ["SETBIT", "bits", 1_000_000, 1],
  ["SET", "str", LARGE + LARGE],
  ["SET", "fresh", LARGE],
  ["SET", "fresh", LARGE.slice(0, 10_000), "EX", 100],
  ["SET", "passing", LARGE],
  ["SET", "s", LARGE, "KEEPTTL"],
  ["GETSET", "passing", LARGE],
  ["MSET", "a", LARGE, "str", LARGE],
  ["MSET", ...pairs(NEW_MEMBERS)],
  ["MSETNX", ...pairs(NEW_MEMBERS)],
  ["MSETEX", 2, "a", LARGE, "str", LARGE, "EX", 100],
  ["MSETEX", NEW_MEMBERS.length, ...pairs(NEW_MEMBERS), "PX", 100_000],
  ["MSETEX", NEW_MEMBERS.length, ...pairs(NEW_MEMBERS), "KEEPTTL"],
  ["SET", "str", LARGE + LARGE, "IFEQ", LARGE, "EX", 100],
  ["DELEX", "str", "IFEQ", LARGE],
  ["DIGEST", "str"],
  ["APPEND", "small", LARGE],
  ["APPEND", "str", "end"],
  ["INCRBYFLOAT", "float", "1e100"],
  ["BITFIELD", "bits", "SET", "u8", 1_000_000, 200],
  ["SADD", "s", ...NEW_MEMBERS],
  ["SADD", "ss", ...MEMBERS.slice(50), ...NEW_MEMBERS],
  ["SADD", "integers", ...MEMBERS.map((_, n) => n)],
  ["SADD", "fresh", ...MEMBERS],
  ["ZADD", "z", ...scored(NEW_MEMBERS)],
  ["ZADD", "z", ...both],
  ["ZADD", "zs", ...both],
  ["ZADD", "fresh", ...scored(MEMBERS)],
  ["ZADD", "fresh", ...scored(SOME)],
  ["HSET", "h", ...pairs(NEW_MEMBERS)],
  ["HSET", "h", ...pairs(SOME).map((word) => word + word.repeat(50)), ...both],
  ["HSET", "hs", ...pairs([...SOME.slice(50), ...NEW_MEMBERS])],
  ["HSET", "hs", ...pairs(SOME.slice(50)), "long", LARGE],
  ["HSET", "fresh", ...pairs(MEMBERS)],
  ["HSET", "fresh", ...pairs(SOME)],
  ["HPEXPIREAT", "h", FAR_MS, "FIELDS", 700, ...MEMBERS],
  ["HPEXPIREAT", "hs", FAR_MS, "FIELDS", 100, ...SOME],
  ["HPEXPIREAT", "ht", FAR_MS + 1, "FIELDS", 700, ...MEMBERS],
  ["HPEXPIREAT", "hst", FAR_MS + 1, "FIELDS", 100, ...SOME],
  ["HPEXPIREAT", "ht", 1, "FIELDS", 700, ...MEMBERS],
  ["HPEXPIREAT", "hst", 1, "FIELDS", 90, ...SOME.slice(10)],
  ["HPERSIST", "hst", "FIELDS", 100, ...SOME],
  ["HSETEX", "h", "PXAT", FAR_MS, "FIELDS", 1400, ...pairs([...MEMBERS, ...NEW_MEMBERS])],
  ["HSETEX", "hs", "PXAT", FAR_MS, "FIELDS", 150, ...pairs([...SOME, ...NEW_MEMBERS.slice(0, 50)])],
  ["HSETEX", "hst", "KEEPTTL", "FIELDS", 150, ...pairs([...SOME, ...NEW_MEMBERS.slice(0, 50)])],
  ["HSETEX", "fresh", "PXAT", FAR_MS, "FIELDS", 700, ...pairs(MEMBERS)],
  ["HSETEX", "fresh", "PXAT", FAR_MS, "FIELDS", 100, ...pairs(SOME)],
  ["HGETEX", "ht", "PERSIST", "FIELDS", 700, ...MEMBERS],
  ["HGETEX", "hs", "PXAT", FAR_MS, "FIELDS", 100, ...SOME],
  ["HGETDEL", "ht", "FIELDS", 650, ...MEMBERS.slice(50)],
  ["HSET", "ht", ...pairs([...MEMBERS.slice(300), ...NEW_MEMBERS])],
  ["HSET", "hst", ...pairs([...SOME, ...NEW_MEMBERS])],
  ["HDEL", "hst", ...SOME.slice(10)],
  ["COPY", "ht", "to", "REPLACE"],
  ["COPY", "hst", "passing", "REPLACE"],
  ["RENAME", "hst", "passing"],
  ["MOVE", "ht", 1],
  ["SET", "hst", LARGE],
  ["RPUSH", "l", ...NEW_MEMBERS, LARGE, ...NEW_MEMBERS],
  ["LPUSH", "l2", ...NEW_MEMBERS],
  ["RPUSH", "fresh", ...MEMBERS],
  ["LPUSH", "fresh", ...SOME],
  ["LINSERT", "l", "AFTER", "member:350", LARGE],
  ["LSET", "l", 350, LARGE],
  ["LSET", "l2", 50, LARGE],
  ["LREM", "l", 0, "member:350"],
  ["LTRIM", "l", 300, 400],
  ["LPOP", "l", 600],
  ["LMOVE", "l", "l2", "LEFT", "RIGHT"],
  ["LMOVE", "l", "fresh", "LEFT", "RIGHT"],
  ["LMOVE", "l", "l", "LEFT", "RIGHT"],
  ["LMOVE", "l2", "l2", "LEFT", "RIGHT"],
  ["SMOVE", "s", "integers", "member:5"],
  ["SMOVE", "s", "fresh", "member:5"],
  ["SREM", "s", ...MEMBERS],
  ["SREM", "s", ...MEMBERS.slice(50)],
  ["SPOP", "s", 100],
  ["SPOP", "s", 650],
  ["ZREM", "z", ...MEMBERS],
  ["ZREM", "z", ...MEMBERS.slice(50)],
  ["ZPOPMAX", "z", 600],
  ["ZPOPMIN", "z"],
  ["ZINCRBY", "z", 350.5, "member:5"],
  ["ZREMRANGEBYRANK", "z", 50, -50],
  ["HDEL", "h", ...MEMBERS],
  ["HDEL", "h", ...MEMBERS.slice(50)],
  ["DEL", "l", "s", "z", "h", "str"],
  ["EXPIRE", "small", 100],
  ["PERSIST", "passing"],
  ["RENAME", "str", "renamed"],
  ["RENAME", "s", "passing"],
  ["RENAME", "passing", "small"],
  ["MOVE", "z", 1],
  ["MOVE", "passing", 1],
  ["SWAPDB", 0, 1],
  ["FLUSHDB"],
  ["XADD", "x", "3-1", ...pairs(SOME)],
  ["XADD", "x", "3-1", "f", LARGE],
  ["XADD", "x", "MAXLEN", 1, "3-1", "f", LARGE],
  ["XADD", "fresh", "3-1", ...pairs(SOME)],
  ["XTRIM", "x", "MAXLEN", 1],
  ["XDEL", "x", "1-1", "2-2"],
  ["XADD", "x", "DELREF", "MAXLEN", 1, "3-1", "f", LARGE],
  ["XADD", "x", "ACKED", "MAXLEN", 1, "3-1", "f", LARGE],
  ["XTRIM", "x", "MAXLEN", 1, "DELREF"],
  ["XTRIM", "x", "MAXLEN", 1, "ACKED"],
  ["XDELEX", "x", "DELREF", "IDS", 2, "1-1", "2-2"],
  ["XACKDEL", "x", "g", "DELREF", "IDS", 2, "1-1", "2-2"],
  ["XRANGE", "x", "-", "+"],
  ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">"],
  ["XCLAIM", "x", "g", "c", 0, "1-1", "2-1", "2-2", "FORCE"],
  ["COPY", "x", "to"],
  ["XADD", "twin", "2-3", "f", "v"],
  ["XADD", "twin", "MAXLEN", 2, "2-3", "f", "v"],
  ["XADD", "twin", "MINID", "2-1", "3-1", "f", LARGE],
  ["XTRIM", "twin", "MAXLEN", 1],
  ["XTRIM", "twin", "MINID", "2-2"],
  ["XDEL", "twin", "2-1", "1-1"],
  ["XDEL", "twin", "2-2", "2-1"],
  ["XDELEX", "twin", "DELREF", "IDS", 3, "2-1", "1-1", "2-2"],
  ["XACKDEL", "twin", "g", "DELREF", "IDS", 2, "1-1", "2-2"],
  ["XTRIM", "twin", "MAXLEN", 1, "DELREF"],
  ["XTRIM", "twin", "MAXLEN", 0, "ACKED"],
  ["XADD", "twin", "DELREF", "MAXLEN", 1, "2-3", "f", "v"],
  ["XACK", "twin", "g", "1-1", "2-1"],
  ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "twin", ">"],
  ["XCLAIM", "twin", "g", "other", 0, "1-1", "2-1", "2-2", "FORCE"],
  ["XAUTOCLAIM", "twin", "g", "other", 0, "-"],
  ["XGROUP", "DELCONSUMER", "twin", "g", "c"],
  ["PFADD", "hll", ...NEW_MEMBERS],
  ["PFADD", "hll2", ...MEMBERS],
  ["PFADD", "fresh", ...MEMBERS],
  ["PFMERGE", "to", "hll", "hll2"],
  ["PFCOUNT", "hll", "hll2"],
  ["GEOADD", "geo", ...NEW_MEMBERS.flatMap((member, n) => [n / 50, n / 50, member])],
  ["GEOSEARCH", "geo", "FROMLONLAT", 5, 5, "BYRADIUS", 900, "km", "ASC"],
  ["GEOSEARCHSTORE", "to", "geo", "FROMLONLAT", 5, 5, "BYRADIUS", 900, "km"],
];

/** They find something else when they are run again. */
const ONCE = new Set([
  "APPEND",
  "INCRBYFLOAT",
  "MSETNX",
  "GETSET",
  "RPUSH",
  "LPUSH",
  "LINSERT",
  "LPOP",
  "LTRIM",
  "LMOVE",
  "SMOVE",
  "SPOP",
  "ZPOPMAX",
  "ZPOPMIN",
  "ZINCRBY",
  "ZREMRANGEBYRANK",
  "RENAME",
  "MOVE",
  "SWAPDB",
  "XADD",
  "XREADGROUP",
  "XDELEX",
  "XACKDEL",
  "DELEX",
  "HGETDEL",
]);

interface Outcome {
  readonly reply: Value | undefined;
  /** Whether there was no memory to answer, so that the client is going to be closed. */
  readonly isCut: boolean;
  readonly asked: number;
}

function execute(s: TestServer, request: Words, isRefused: (asked: number) => boolean): Outcome {
  const client = s.connect();
  let asked = 0;
  withRefusedAllocations(
    (bytes) => bytes >= REFUSED_MIN_BYTES && isRefused(asked++),
    () => s.dispatcher.execute(client.client, request),
  );
  const { isCut } = client.client.reply;
  return { reply: client.received()[0], isCut, asked };
}

/** Checks the structures that a database consists of against each other. */
function verify(s: TestServer, where: string): void {
  for (const database of s.keyspace.databases) {
    const { records, table } = database;
    let count = 0;
    let expiring = 0;
    let withFields = 0;
    let bytes = 0;
    table.forEach((ref) => {
      count++;
      const at = records.keyOffset(ref);
      assertEquals(records.get(records.bytesOf(ref), at, records.keyLength(ref)), ref);
      if (!Number.isNaN(records.expiryOf(ref))) expiring++;
      if (database.typeOf(ref) === TYPE_HASH && firstFieldExpiry(database, ref) < Infinity) {
        withFields++;
      }
      if (!isSlotEncoding(database.encodingOf(ref))) return;
      const value = database.largeValue(ref);
      bytes += value.memoryBytes;
      verifyLarge(value);
    });
    assertEquals(count, database.count, "keys");
    assertEquals(expiring, database.expiringCount, "keys with an expiry");
    assertEquals(withFields, database.expiringHashCount, `hashes with times, ${where}`);
    assertEquals(bytes, database.largeValueBytes, `memory of large values, ${where}`);
  }
}

function verifyLarge(value: LargeValue): void {
  const { dict } = value;
  if (dict !== undefined) {
    let count = 0;
    dict.forEach((ref) => {
      count++;
      const at = dict.keyOffset(ref);
      assertEquals(dict.get(dict.bytesOf(ref), at, dict.keyLength(ref)), ref);
    });
    assertEquals(count, dict.count, "elements");
  }
  if (value instanceof SortedSet) {
    assertEquals(value.count, value.dict.count, "members in order");
    value.index.verify();
  }
}

const digestOf = (s: TestServer) => s.run("DEBUG", "DIGEST");

for (const words of COMMANDS) {
  const name = String(words[0]);
  const shown = words.slice(0, 5).join(" ").slice(0, 60);
  Deno.test(`${shown} (${words.length} words): a refused buffer leaves nothing half done`, () => {
    const request = Words.of(...words.map(String));
    const whole = filled(words);
    const answer = whole.run(...words);
    const expected = digestOf(whole);
    const before = filled(words);
    const old = digestOf(before);
    for (const isFromThereOn of [false, true]) {
      for (let refused = 0; refused < REFUSALS_MAX; refused++) {
        const s = filled(words);
        s.propagated();
        const { reply, isCut, asked } = execute(
          s,
          request,
          (n) => isFromThereOn ? n >= refused : n === refused,
        );
        if (asked <= refused) break; // as many have been made as it needs
        const where = `buffer ${refused}${isFromThereOn ? " and all after it" : ""}`;
        const isRefused = isCut ||
          (typeof reply === "object" && reply !== null && "error" in reply);
        if (isRefused && !isCut) assertEquals(reply, { error: NO_MEMORY }, where);
        verify(s, where);
        assertEquals(digestOf(s), isRefused ? old : expected, where);
        if (isRefused) assertEquals(s.propagated(), [], where);
        assertEquals(s.run("PING"), "PONG", where);
        if (!isRefused && ONCE.has(name)) continue;
        assertEquals(typeof s.run(...words), typeof answer, where);
        verify(s, where);
        assertEquals(digestOf(s), expected, where);
        assert(s.logLines.every((line) => !line.includes("missing")), where);
      }
    }
  });
}
