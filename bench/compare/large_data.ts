/**
 * Large data, and the commands that go through much of it: what `commands.ts` times.
 *
 * Each group has data of its own, which both servers get, and commands that are run on it. A command that changes
 * the data runs on a copy, made anew before each run.
 */

import { type Client, encodeBytes, encodeCommand } from "./client.ts";
import type { RunningServer } from "./servers.ts";
import { fillWide as fillCounted, scattered } from "./type_workloads.ts";

export { scattered } from "./type_workloads.ts";

const encoder = new TextEncoder();

/** Members, fields, elements or keys. */
export const LARGE = 1_000_000;
const STRING_BYTES = 100_000_000;
/** Words of a command that is itself large. */
const WIDE = 100_000;

/** One command, or what takes several requests. */
export interface LargeCommand {
  title: string;
  /** Before each run, not timed; gives what is timed. */
  prepare(server: RunningServer): Promise<() => Promise<void>>;
}

/** Data, and what is run on it. */
export interface LargeGroup {
  title: string;
  /** About how long filling takes both servers, in milliseconds. */
  fillMs: number;
  fill(server: RunningServer): Promise<void>;
  commands: LargeCommand[];
}

export const LARGE_GROUPS: LargeGroup[] = [
  {
    title: "sets",
    fillMs: 8_000,
    fill: async (server) => {
      await fillWide(server, ["SADD", "set"], (i) => [`member:${i}`]);
      await fillWide(server, ["SADD", "set2"], (i) => [`member:${i + LARGE / 2}`]);
      await fillWide(server, ["SADD", "numbers"], (i) => [String(scattered(i))]);
      await fillWide(server, ["SADD", "numbers2"], (i) => [String(scattered(i + LARGE / 2))]);
      for (let n = 0; n < 10; n++) {
        await fillWide(server, ["SADD", `tenth${n}`], (i) => [`member:${i * 10 + n}`], LARGE / 10);
      }
      await server.call("SADD", "small", "member:1", "member:2", "member:3");
    },
    commands: [
      words("SUNIONSTORE to set set2"),
      words("SUNIONSTORE to numbers numbers2"),
      words("SUNIONSTORE to tenth0 tenth1 tenth2 tenth3 tenth4 tenth5 tenth6 tenth7 tenth8 tenth9"),
      words("SINTERSTORE to set set2"),
      words("SINTERSTORE to numbers numbers2"),
      words("SDIFFSTORE to set set2"),
      words("SDIFFSTORE to numbers numbers2"),
      words("SDIFFSTORE to set tenth0 tenth1 tenth2 tenth3 tenth4"),
      words("SUNION set set2"),
      words("SINTER set set2"),
      words("SDIFF set set2"),
      words("SINTERCARD 2 set set2"),
      words("SMEMBERS set"),
      words("SMEMBERS numbers"),
      words("SRANDMEMBER set 100000"),
      words("SRANDMEMBER set 900000"),
      words("SRANDMEMBER set -100000"),
      words("SPOP tmp 100000", "set"),
      words("SPOP tmp 900000", "set"),
      words("COPY set tmp REPLACE"),
      words("RENAME tmp tmp2", "set"),
      words("DEL tmp", "set"),
      words("UNLINK tmp", "set"),
      words("DUMP set"),
      restore("set"),
      wide("SMISMEMBER set", (i) => [`member:${i * 2}`]),
      wide("SADD tmp", (i) => [`other:${i}`], "small"),
      wide("SREM tmp", (i) => [`member:${i * 3}`], "set"),
      scan("SSCAN set"),
      words("MEMORY USAGE set SAMPLES 0"),
      words("DEBUG DIGEST-VALUE set"),
      words("OBJECT ENCODING set"),
    ],
  },
  {
    title: "hash",
    fillMs: 4_000,
    fill: async (server) => {
      await fillWide(server, ["HSET", "hash"], (i) => [`field:${i}`, `value:${i}`]);
      await server.call("HSET", "small", "field", "value");
    },
    commands: [
      words("HGETALL hash"),
      words("HKEYS hash"),
      words("HVALS hash"),
      words("HRANDFIELD hash 100000 WITHVALUES"),
      words("HRANDFIELD hash -100000 WITHVALUES"),
      words("HRANDFIELD hash 900000"),
      words("COPY hash tmp REPLACE"),
      words("DUMP hash"),
      restore("hash"),
      wide("HMGET hash", (i) => [`field:${i * 2}`]),
      wide("HSET tmp", (i) => [`other:${i}`, "value"], "small"),
      wide("HDEL tmp", (i) => [`field:${i * 3}`], "hash"),
      scan("HSCAN hash"),
      words("MEMORY USAGE hash SAMPLES 0"),
      words("DEL tmp", "hash"),
    ],
  },
  {
    title: "sorted sets",
    fillMs: 20_000,
    fill: async (server) => {
      const scored = (key: string, first: number) =>
        fillWide(
          server,
          ["ZADD", key],
          (i) => [String(scattered(first + i)), `member:${first + i}`],
        );
      await scored("zset", 0);
      await scored("zset2", LARGE / 2);
      await fillWide(
        server,
        ["ZADD", "lex"],
        (i) => ["0", `member:${String(i).padStart(10, "0")}`],
      );
      await fillWide(server, ["SADD", "set"], (i) => [`member:${i}`]);
      await server.call("ZADD", "small", "1", "member");
    },
    commands: [
      words("ZUNIONSTORE to 2 zset zset2"),
      words("ZUNIONSTORE to 2 zset set"),
      words("ZUNIONSTORE to 1 zset"),
      words("ZINTERSTORE to 2 zset zset2"),
      words("ZDIFFSTORE to 2 zset zset2"),
      words("ZUNION 2 zset zset2"),
      words("ZINTER 2 zset zset2"),
      words("ZDIFF 2 zset zset2"),
      words("ZINTERCARD 2 zset zset2"),
      words("ZRANGESTORE to zset 0 -1"),
      words("ZRANGESTORE to zset 100000 600000"),
      words("ZRANGE zset 0 -1"),
      words("ZRANGE zset 0 -1 WITHSCORES"),
      words("ZREVRANGE zset 0 -1"),
      words("ZRANGEBYSCORE zset -inf +inf"),
      words("ZRANGEBYSCORE zset 1000000000 3000000000 WITHSCORES"),
      words("ZRANGEBYSCORE zset -inf +inf LIMIT 500000 10", undefined, 10),
      words("ZRANGEBYLEX lex - +"),
      words("ZRANGEBYLEX lex [member:0000200000 [member:0000700000"),
      words("ZCOUNT zset 1000000000 3000000000", undefined, 10_000),
      words("ZLEXCOUNT lex [member:0000200000 [member:0000700000", undefined, 10_000),
      words("ZRANK zset member:500000", undefined, 10_000),
      words("ZREMRANGEBYRANK tmp 100000 600000", "zset"),
      words("ZREMRANGEBYSCORE tmp 1000000000 3000000000", "zset"),
      words("ZREMRANGEBYLEX tmp [member:0000200000 [member:0000700000", "lex"),
      words("ZPOPMIN tmp 100000", "zset"),
      words("ZRANDMEMBER zset 100000 WITHSCORES"),
      words("ZRANDMEMBER zset -100000"),
      words("ZRANDMEMBER zset 900000"),
      words("COPY zset tmp REPLACE"),
      words("DUMP zset"),
      restore("zset"),
      wide("ZMSCORE zset", (i) => [`member:${i * 2}`]),
      wide("ZADD tmp", (i) => [String(scattered(i)), `other:${i}`], "small"),
      wide("ZREM tmp", (i) => [`member:${i * 3}`], "zset"),
      scan("ZSCAN zset"),
      words("DEL tmp", "zset"),
    ],
  },
  {
    title: "lists",
    fillMs: 2_000,
    fill: async (server) => {
      await fillWide(server, ["RPUSH", "list"], (i) => [`element:${i}`]);
      await server.call("RPUSH", "small", "element");
    },
    commands: [
      words("LRANGE list 0 -1"),
      words("LRANGE list 400000 600000"),
      words("LINDEX list 500000", undefined, 2_000),
      words("LSET tmp 500000 other", "list", 2_000),
      words("LINSERT tmp BEFORE element:500000 other", "list", 10),
      words("LREM tmp 0 element:500000", "list"),
      words("LREM tmp -1 element:1", "list"),
      words("LPOS list element:999999"),
      words("LPOS list element:999999 COUNT 0"),
      words("LPOS list element:1 RANK -1"),
      words("LTRIM tmp 250000 750000", "list"),
      words("LPOP tmp 100000", "list"),
      words("COPY list tmp REPLACE"),
      words("DUMP list"),
      restore("list"),
      wide("RPUSH tmp", (i) => [`other:${i}`], "small"),
      wide("LPUSH tmp", (i) => [`other:${i}`], "small"),
      words("LMOVE list list LEFT RIGHT", undefined, 10_000),
      words("DEL tmp", "list"),
    ],
  },
  {
    title: "strings of 100 MB",
    fillMs: 3_000,
    fill: async (server) => {
      const bytes = new Uint8Array(STRING_BYTES);
      for (let i = 0; i < bytes.length; i++) bytes[i] = i % 251;
      await server.exchange("SET", encodeBytes("SET", "string", bytes), 1);
      await server.exchange("SET", encodeBytes("SET", "zeros", new Uint8Array(STRING_BYTES)), 1);
      await server.call("MSET", "a", letters(10_000, 1), "b", letters(10_000, 2));
      await server.call("MSET", "c", letters(10_000, 1), "d", "x".repeat(10_000));
    },
    commands: [
      words("GET string"),
      words("GETRANGE string 10000000 90000000"),
      words("SETRANGE tmp 50000000 changed", "string"),
      words("SETRANGE tmp 150000000 changed", "string"),
      words("APPEND tmp more", "string"),
      words("BITCOUNT string"),
      words("BITCOUNT string 1 99999998"),
      words("BITPOS zeros 1"),
      words("BITPOS zeros 1 1 -2"),
      words("BITOP AND to string zeros"),
      words("BITOP XOR to string zeros"),
      words("BITOP NOT to string"),
      words("SETBIT tmp 700000000 1", "string"),
      words("COPY string tmp REPLACE"),
      words("DUMP string"),
      restore("string"),
      words("STRLEN string"),
      words("LCS a b"),
      words("LCS c d LEN"),
      words("LCS a b IDX"),
      words("DEL tmp", "string"),
    ],
  },
  {
    title: "a million keys",
    fillMs: 5_000,
    fill: (server) => server.fill(LARGE, (i) => encodeCommand("SET", `key:${i}`, `value:${i}`)),
    commands: [
      words("KEYS *"),
      words("KEYS key:5*"),
      words("KEYS *99*"),
      words("KEYS nothing[0-9]"),
      scan("SCAN"),
      scan("SCAN", "MATCH", "*99*"),
      words("RANDOMKEY", undefined, 10_000),
      wide("MGET", (i) => [`key:${i * 2}`]),
      wide("EXISTS", (i) => [`key:${i * 3}`]),
      wide("TOUCH", (i) => [`key:${i * 3}`]),
      wide("MSET", (i) => [`key:${i * 3}`, `changed:${i}`]),
      each("EXPIRE of 100,000 keys", (i) => ["EXPIRE", `key:${i * 3}`, "100000"]),
      each("PERSIST of 100,000 keys", (i) => ["PERSIST", `key:${i * 3}`]),
      words("DEBUG DIGEST"),
      wide("DEL", (i) => [`key:${i}`]),
      wide("UNLINK", (i) => [`key:${i + 500_000}`]),
      words("DEBUG RELOAD"),
      words("FLUSHALL"),
    ],
  },
];

/** A command without spaces in its words. `copied` becomes the key `tmp` first; sent `times` times in one go. */
function words(line: string, copied?: string, times = 1): LargeCommand {
  const title = times === 1 ? line : `${line}, ${times.toLocaleString("en")} times`;
  return pipelined(title, new Array(times).fill(line.split(" ")), copied);
}

/** One command with 100,000 times the words that `wordsAt` says after those of `line`. */
function wide(line: string, wordsAt: (i: number) => string[], copied?: string): LargeCommand {
  const all = line.split(" ");
  for (let i = 0; i < WIDE; i++) all.push(...wordsAt(i));
  return pipelined(`${line} … of ${WIDE.toLocaleString("en")}`, [all], copied);
}

/** A command for each of 100,000 keys, sent in one go. */
function each(title: string, wordsAt: (i: number) => string[]): LargeCommand {
  return pipelined(title, Array.from({ length: WIDE }, (_, i) => wordsAt(i)));
}

function pipelined(title: string, commands: string[][], copied?: string): LargeCommand {
  let bytes: Uint8Array<ArrayBuffer> | undefined; // made at the first use: all of them are many
  return {
    title,
    prepare: async (server) => {
      if (copied) {
        await server.call("COPY", copied, "tmp", "REPLACE");
        await server.call("PING"); // the copy before may be freed only after the reply
      }
      bytes ??= encoder.encode(commands.map(encodeWords).join(""));
      return () => server.exchange(title, bytes!, commands.length);
    },
  };
}

/** `encodeCommand` without handing over each word as an argument, of which there may not be so many. */
function encodeWords(all: string[]): string {
  return `*${all.length}\r\n` + all.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

function restore(key: string): LargeCommand {
  const title = `RESTORE of ${key}`;
  return {
    title,
    prepare: async (server) => {
      const payload = await server.guard("DUMP", server.client.bulk("DUMP", key));
      await server.call("DEL", "tmp");
      const command = encodeBytes("RESTORE", "tmp", "0", payload!);
      return () => server.exchange(title, command, 1);
    },
  };
}

/** A whole iteration, 1,000 at a time. */
function scan(line: string, ...options: string[]): LargeCommand {
  const title = [line, ...options, "COUNT 1000, a whole iteration"].join(" ");
  return {
    title,
    prepare: (server) =>
      Promise.resolve(() => server.guard(title, scanAll(server.client, line.split(" "), options))),
  };
}

async function scanAll(client: Client, command: string[], options: string[]): Promise<void> {
  let cursor = "0";
  do cursor = await client.cursor(...command, cursor, ...options, "COUNT", "1000"); while (
    cursor !== "0"
  );
}

/** `fillWide` of `type_workloads.ts` for a million indices, if not told otherwise. */
export async function fillWide(
  server: RunningServer,
  command: string[],
  wordsAt: (i: number) => string[],
  count = LARGE,
): Promise<void> {
  await fillCounted(server, command, count, wordsAt);
}

/** Letters a to d in no order, the same for the same seed. */
export function letters(count: number, seed: number): string {
  let state = seed;
  let text = "";
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    text += "abcd"[state >> 16 & 3];
  }
  return text;
}
