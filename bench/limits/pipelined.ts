/**
 * Every command of the table in a pipeline, on values of few elements, of as many as are kept in one piece, and on
 * large ones: CPU time of the server for a request, no more than 1.5 of redis-server's.
 *
 * CPU time of the whole process rather than time on the clock, so that a busy machine disturbs little. What a pipeline
 * saves (system calls, turns of the loop) is equal for both; what is left is the command itself.
 */

import { encodeCommand } from "../compare/client.ts";
import { fillWide, scattered } from "../compare/large_data.ts";
import type { Bench } from "./bench.ts";
import { type Figures, type LimitsCase, ratioAtMost } from "./cases.ts";

/** How long one sample should take at least, in microseconds of CPU. */
const SAMPLE_MICROS = 25_000;
/** Samples of each command, of which the least counts: the first are a runtime's warming up. */
const SAMPLES = 5;
/** Requests of a pipeline at most. */
const REQUESTS_MAX = 8_192;
/** Below this, differences are the machine's. */
const SLACK_MICROS = 0.3;

/** Keys with values of one kind and size. */
interface Values {
  title: string;
  /** Keys `k:0` to `k:<keys - 1>`. */
  keys: number;
  /** Elements of each. */
  elements: number;
}

const SIZES: Values[] = [
  { title: "5 elements", keys: 1_000, elements: 5 },
  { title: "100 elements", keys: 300, elements: 100 },
  { title: "100,000 elements", keys: 2, elements: 100_000 },
];

/**
 * A pipeline, written as its commands with `;` between them, repeated. `KEY` stands for a key of the values, `ANY`
 * for an element of it, `ONE` for one that is the same in all commands of the line, `NEW` for one that it has not, `N` for a number. What changes a value also brings it back.
 */
type Line = string;

/** For values of every kind. */
const ANY_KIND: Line[] = [
  "TYPE KEY",
  "EXISTS KEY",
  "TTL KEY",
  "EXPIRETIME KEY",
  "EXPIRE KEY 1000; PERSIST KEY",
  "EXPIRE KEY 1000 NX; PERSIST KEY",
  "TOUCH KEY",
  "OBJECT ENCODING KEY",
  "OBJECT IDLETIME KEY",
  "OBJECT REFCOUNT KEY",
  "MEMORY USAGE KEY",
  "DUMP KEY",
  "COPY KEY copy REPLACE",
  "COPY KEY copy REPLACE; DEL copy",
  "COPY KEY copy REPLACE; UNLINK copy",
  "RENAME KEY other; RENAME other KEY",
  "RENAMENX KEY other; RENAMENX other KEY",
  "MOVE KEY 1; SELECT 1; MOVE KEY 0; SELECT 0",
];

const HASH: Line[] = [
  "HGET KEY ANY",
  "HGET KEY NEW",
  "HMGET KEY ANY ANY ANY NEW",
  "HSET KEY ANY N",
  "HMSET KEY ANY N",
  "HSET KEY NEW N; HDEL KEY NEW",
  "HSETNX KEY ANY N",
  "HEXISTS KEY ANY",
  "HSTRLEN KEY ANY",
  "HLEN KEY",
  "HGETALL KEY",
  "HKEYS KEY",
  "HVALS KEY",
  "HINCRBY KEY ANY 1",
  "HINCRBYFLOAT KEY ANY 1.5",
  "HINCRBYFLOAT KEY ANY 0.1",
  "HSET KEY ANY N",
  "HRANDFIELD KEY",
  "HRANDFIELD KEY 3",
  "HRANDFIELD KEY 50",
  "HRANDFIELD KEY -3 WITHVALUES",
  "HSCAN KEY 0",
  "HSCAN KEY 0 COUNT 100 MATCH *7*",
];

const SET: Line[] = [
  "SADD KEY ANY",
  "SADD KEY NEW; SREM KEY NEW",
  "SISMEMBER KEY ANY",
  "SISMEMBER KEY NEW",
  "SMISMEMBER KEY ANY ANY NEW",
  "SCARD KEY",
  "SMEMBERS KEY",
  "SRANDMEMBER KEY",
  "SRANDMEMBER KEY 3",
  "SRANDMEMBER KEY 50",
  "SRANDMEMBER KEY -3",
  "SMOVE KEY aside ONE; SMOVE aside KEY ONE",
  "SSCAN KEY 0",
  "SSCAN KEY 0 COUNT 100 MATCH *7*",
  "SINTER KEY KEY2",
  "SINTERCARD 2 KEY KEY2",
  "SINTERCARD 2 KEY KEY2 LIMIT 2",
  "SUNION KEY KEY2",
  "SDIFF KEY KEY2",
  "SINTERSTORE copy KEY KEY2",
  "SUNIONSTORE copy KEY KEY2",
  "SDIFFSTORE copy KEY KEY2",
  "SORT KEY ALPHA",
  "SORT KEY BY nosort LIMIT 0 3",
  "COPY KEY copy REPLACE; SPOP copy",
  "COPY KEY copy REPLACE; SPOP copy 3",
];

const SORTED_SET: Line[] = [
  "ZADD KEY N ANY",
  "ZADD KEY XX CH N ANY",
  "ZADD KEY GT N ANY",
  "ZADD KEY INCR 1 ANY",
  "ZINCRBY KEY 1.5 ANY",
  "ZADD KEY N NEW; ZREM KEY NEW",
  "ZSCORE KEY ANY",
  "ZMSCORE KEY ANY ANY NEW",
  "ZCARD KEY",
  "ZRANK KEY ANY",
  "ZREVRANK KEY ANY",
  "ZCOUNT KEY 100 50000",
  "ZLEXCOUNT KEY - +",
  "ZRANGE KEY 0 2",
  "ZRANGE KEY 0 2 WITHSCORES",
  "ZRANGE KEY 0 -1",
  "ZRANGE KEY 0 -1 WITHSCORES",
  "ZREVRANGE KEY 0 2",
  "ZREVRANGE KEY 0 -1",
  "ZRANGE KEY 2 1 REV",
  "ZRANGEBYSCORE KEY 100 +inf LIMIT 0 3",
  "ZREVRANGEBYSCORE KEY +inf 100 LIMIT 0 3",
  "ZRANGEBYSCORE KEY -inf +inf",
  "ZRANGE KEY 100 +inf BYSCORE LIMIT 0 3",
  "ZRANGEBYLEX KEY - + LIMIT 0 3",
  "ZREVRANGEBYLEX KEY + - LIMIT 0 3",
  "ZRANGESTORE copy KEY 0 2",
  "ZRANGESTORE copy KEY 0 -1",
  "ZRANDMEMBER KEY",
  "ZRANDMEMBER KEY 3",
  "ZRANDMEMBER KEY 50",
  "ZRANDMEMBER KEY -3 WITHSCORES",
  "ZSCAN KEY 0",
  "ZSCAN KEY 0 COUNT 100 MATCH *7*",
  "ZINTER 2 KEY KEY2",
  "ZINTERCARD 2 KEY KEY2",
  "ZUNION 2 KEY KEY2",
  "ZUNION 2 KEY KEY2 WITHSCORES",
  "ZDIFF 2 KEY KEY2",
  "ZINTERSTORE copy 2 KEY KEY2",
  "ZUNIONSTORE copy 2 KEY KEY2",
  "ZUNIONSTORE copy 2 KEY KEY2 WEIGHTS 2 3 AGGREGATE MAX",
  "ZDIFFSTORE copy 2 KEY KEY2",
  "SORT KEY ALPHA",
  "SORT KEY BY nosort LIMIT 0 3",
  "ZADD KEY 0 low; ZPOPMIN KEY",
  "ZADD KEY 1e9 high; ZPOPMAX KEY",
  "ZADD KEY 0 low; BZPOPMIN KEY 0",
  "ZADD KEY 0 low; ZMPOP 1 KEY MIN",
  "ZADD KEY 0 low; ZREMRANGEBYRANK KEY 0 0",
  "ZADD KEY 0 low; ZREMRANGEBYSCORE KEY 0 0",
  "COPY KEY copy REPLACE; ZREMRANGEBYLEX copy - +",
];

const LIST: Line[] = [
  "LPUSH KEY NEW; LPOP KEY",
  "RPUSH KEY NEW; RPOP KEY",
  "RPUSHX KEY NEW; RPOP KEY",
  "RPUSH KEY 1 2 3; RPOP KEY 3",
  "LLEN KEY",
  "LINDEX KEY 0",
  "LINDEX KEY -1",
  "LINDEX KEY MIDDLE",
  "LSET KEY 0 N",
  "LSET KEY MIDDLE N",
  "LRANGE KEY 0 2",
  "LRANGE KEY 0 -1",
  "LRANGE KEY MIDDLE -1",
  "LPOS KEY ANY",
  "LPOS KEY ANY COUNT 0",
  "LPOS KEY ANY RANK -1",
  "RPUSH KEY pivot; LINSERT KEY BEFORE pivot NEW; RPOP KEY 2",
  "LREM KEY 1 NEW",
  "RPUSH KEY NEW; LREM KEY -1 NEW",
  "RPUSH KEY NEW; LTRIM KEY 0 -2",
  "LMOVE KEY KEY LEFT RIGHT",
  "RPOPLPUSH KEY KEY",
  "BLMOVE KEY KEY LEFT RIGHT 0",
  "LPUSH KEY NEW; BLPOP KEY 0",
  "RPUSH KEY NEW; BRPOP KEY 0",
  "LPUSH KEY NEW; LMPOP 1 KEY LEFT",
  "LPUSH KEY NEW; BLMPOP 0 1 KEY LEFT",
  "SORT KEY ALPHA",
  "SORT KEY ALPHA LIMIT 0 3",
  "SORT KEY ALPHA DESC STORE copy",
  "SORT_RO KEY ALPHA",
  "SORT KEY BY nosort",
  "SORT KEY BY w_* ALPHA",
  "SORT KEY ALPHA GET # GET w_*",
];

/** On strings: numbers in the first size, text in the others. */
const STRING: Line[] = [
  "GET KEY",
  "GET NEW",
  "SET KEY N",
  "SET KEY N EX 1000",
  "SET KEY N KEEPTTL",
  "SET KEY N XX GET",
  "SET KEY N NX",
  "SETNX KEY N",
  "SETEX KEY 1000 N",
  "PSETEX KEY 100000 N",
  "GETSET KEY N",
  "GETEX KEY",
  "GETEX KEY EX 100",
  "GETEX KEY PERSIST",
  "SET copy N; GETDEL copy",
  "SET copy N; DEL copy",
  "SET copy N; UNLINK copy",
  "INCR KEY",
  "DECR KEY",
  "INCRBY KEY 7",
  "DECRBY KEY 7",
  "INCRBYFLOAT KEY 1.5",
  "INCRBYFLOAT KEY 0.1",
  "SET KEY N",
  "MGET KEY KEY2 NEW",
  "MSET KEY N KEY2 N",
  "MSETNX KEY N KEY2 N",
];

const BYTES: Line[] = [
  "GET KEY",
  "STRLEN KEY",
  "GETRANGE KEY 10 20",
  "GETRANGE KEY 0 -1",
  "SUBSTR KEY 10 20",
  "SETRANGE KEY 10 changed",
  "SET copy N; APPEND copy more",
  "APPEND copy more",
  "SETBIT KEY 77 1",
  "SETBIT KEY 77 0; SETBIT KEY 77 1",
  "GETBIT KEY 77",
  "BITCOUNT KEY",
  "BITCOUNT KEY 10 40",
  "BITCOUNT KEY 10 300 BIT",
  "BITPOS KEY 1",
  "BITPOS KEY 0 10",
  "BITPOS KEY 1 10 300 BIT",
  "BITPOS zeros 1",
  "BITPOS ones 0",
  "BITFIELD KEY GET u8 3",
  "BITFIELD KEY SET u8 3 7",
  "BITFIELD KEY INCRBY i16 #2 7",
  "BITFIELD KEY OVERFLOW SAT INCRBY u4 9 1 GET u4 0",
  "BITFIELD_RO KEY GET u8 3",
  "BITOP AND copy KEY KEY2",
  "BITOP OR copy KEY KEY2",
  "BITOP XOR copy KEY KEY2",
  "BITOP NOT copy KEY",
  "LCS few few2",
  "LCS few few2 LEN",
  "LCS few few2 IDX WITHMATCHLEN",
];

const SERVER: Line[] = [
  "PING",
  "PING N",
  "ECHO N",
  "TIME",
  "DBSIZE",
  "LASTSAVE",
  "ROLE",
  "SELECT 0",
  "RANDOMKEY",
  "SCAN 0",
  "SCAN 0 COUNT 100",
  "SCAN 0 COUNT 100 MATCH *7*",
  "SCAN 0 COUNT 100 TYPE string",
  "KEYS *",
  "KEYS *77*",
  "KEYS k:7",
  "INFO",
  "INFO server",
  "INFO clients",
  "INFO memory",
  "INFO persistence",
  "INFO stats",
  "INFO replication",
  "INFO cpu",
  "INFO keyspace",
  "INFO commandstats",
  "INFO latencystats",
  "INFO errorstats",
  "INFO everything",
  "CONFIG GET *",
  "CONFIG GET maxmemory",
  "CONFIG GET max* save",
  "CONFIG SET maxmemory 0",
  "CONFIG SET hash-max-listpack-entries 128",
  "COMMAND",
  "COMMAND COUNT",
  "COMMAND LIST",
  "COMMAND LIST FILTERBY PATTERN z*",
  "COMMAND LIST FILTERBY ACLCAT hash",
  "COMMAND INFO get",
  "COMMAND DOCS get",
  "COMMAND GETKEYS MSET a 1 b 2",
  "COMMAND GETKEYSANDFLAGS SET a 1",
  "CLIENT ID",
  "CLIENT INFO",
  "CLIENT LIST",
  "CLIENT GETNAME",
  "CLIENT SETNAME N",
  "CLIENT NO-EVICT on; CLIENT NO-EVICT off",
  "CLIENT GETREDIR",
  "CLIENT TRACKINGINFO",
  "CLIENT UNPAUSE",
  "HELLO 2",
  "RESET",
  "ACL WHOAMI",
  "ACL CAT",
  "ACL CAT hash",
  "ACL LIST",
  "ACL USERS",
  "ACL GETUSER default",
  "ACL DRYRUN default GET a",
  "ACL GENPASS",
  "ACL LOG",
  "SLOWLOG GET",
  "SLOWLOG LEN",
  "LATENCY LATEST",
  "LATENCY HISTORY command",
  "LATENCY DOCTOR",
  "LATENCY HISTOGRAM get",
  "LATENCY HISTOGRAM",
  "MEMORY STATS",
  "MEMORY DOCTOR",
  "MODULE LIST",
  "PUBSUB CHANNELS",
  "PUBSUB NUMSUB a b",
  "PUBSUB NUMPAT",
  "PUBLISH NEW N",
  "SPUBLISH NEW N",
  "SUBSCRIBE NEW; UNSUBSCRIBE NEW",
  "PSUBSCRIBE NEW*; PUNSUBSCRIBE NEW*",
  "MULTI; EXEC",
  "MULTI; SET copy N; INCR copy; EXEC",
  "MULTI; DISCARD",
  "WATCH KEY; UNWATCH",
  "WATCH KEY; MULTI; SET KEY N; EXEC",
  "WAIT 0 0",
  "SWAPDB 0 1; SWAPDB 0 1",
  "EXISTS KEY KEY2 NEW",
  "TOUCH KEY KEY2",
  "OBJECT HELP",
  "LOLWUT",
];

/** How a value of each kind gets its elements. */
const KINDS: { title: string; fill: string[]; element: (i: number) => string[]; lines: Line[] }[] =
  [
    { title: "hashes", fill: ["HSET"], element: (i) => [`e:${i}`, `${i}`], lines: HASH },
    { title: "sets", fill: ["SADD"], element: (i) => [`e:${i}`], lines: SET },
    { title: "sets of integers", fill: ["SADD"], element: (i) => [`${i * 7}`], lines: SET },
    {
      title: "sorted sets",
      fill: ["ZADD"],
      element: (i) => [`${scattered(i) % 100_000}`, `e:${i}`],
      lines: SORTED_SET,
    },
    { title: "lists", fill: ["RPUSH"], element: (i) => [`e:${i}`], lines: LIST },
  ];

export const PIPELINED: LimitsCase[] = [
  ...KINDS.flatMap(({ title, fill, element, lines }) =>
    SIZES.map((values) => {
      const elementAt = (i: number) => {
        const words = element(i);
        return fill[0] === "ZADD" ? words[1] : words[0];
      };
      return pipelinedCase(
        `${title} of ${values.title}`,
        [...lines, ...ANY_KIND],
        values,
        elementAt,
        (bench) => fillKind(bench, fill[0], element, values),
      );
    })
  ),
  pipelinedCase(
    "numbers",
    [...STRING, ...ANY_KIND],
    SIZES[0],
    String,
    (bench) => fillStrings(bench, SIZES[0].keys, (i) => `${i}`),
  ),
  ...[60, 10_000, 1_000_000].map((size) => {
    const values = { title: "", keys: size > 10_000 ? 2 : 300, elements: 1 };
    return pipelinedCase(
      `strings of ${size.toLocaleString("en")} bytes`,
      [...BYTES, ...ANY_KIND],
      values,
      String,
      async (bench) => {
        await fillStrings(bench, values.keys, () => "abcdefghij".repeat(size / 10));
        await bench.call("SETBIT", "zeros", String(size * 8 - 1), "0");
        await bench.call("SETBIT", "ones", "0", "0");
        await bench.call("BITOP", "NOT", "ones", "zeros");
        await bench.call("MSET", "few", "ohmytext".repeat(7), "few2", "mynewtext".repeat(7));
      },
    );
  }),
  pipelinedCase("the server", SERVER, SIZES[0], String, async (bench) => {
    await fillStrings(bench, SIZES[0].keys, String);
  }),
];

function pipelinedCase(
  title: string,
  lines: Line[],
  values: Values,
  elementAt: (i: number) => string,
  prepare: (bench: Bench) => Promise<void>,
): LimitsCase {
  const all = [...new Set(lines)];
  const titles = all.map((line) => `${line}, µs`);
  return {
    title: `Pipelined: ${title}`,
    expectedMs: all.length * 600,
    prepare,
    run: async (bench) => {
      const figures: Figures = {};
      await microsOf(bench, all[0], expand(all[0], values, elementAt)); // the runtime begins slowly
      for (const [n, line] of all.entries()) {
        figures[titles[n]] = await microsOf(bench, line, expand(line, values, elementAt));
      }
      return figures;
    },
    bars: Object.fromEntries(titles.map((one) => [one, ratioAtMost(1.5, SLACK_MICROS)])),
  };
}

/** Turns a line into the words of its commands for the `i`-th repetition. */
function expand(line: Line, { keys, elements }: Values, elementAt: (i: number) => string) {
  const commands = line.split(";").map((command) => command.trim().split(" "));
  return (i: number) => {
    let draw = i;
    const word = (pattern: string): string => {
      if (pattern === "KEY") return `k:${i % keys}`;
      if (pattern === "KEY2") return `k:${(i + 1) % keys}`;
      if (pattern === "ANY") return elementAt(scattered(draw += 7) % elements);
      if (pattern === "ONE") return elementAt(scattered(i) % elements);
      if (pattern === "NEW") return `new:${i}`;
      if (pattern === "N") return `${scattered(i) % 100_000}`;
      if (pattern === "MIDDLE") return `${elements >> 1}`;
      return pattern.replace("NEW", `new:${i}`);
    };
    return commands.map((command) => command.map(word));
  };
}

/** Least CPU of the server for one repetition of the line, in microseconds. */
async function microsOf(bench: Bench, line: Line, at: (i: number) => string[][]): Promise<number> {
  const width = at(0).length;
  let repetitions = 4;
  let least = Infinity;
  for (let sample = 0; sample < SAMPLES;) {
    let text = "";
    for (let i = 0; i < repetitions; i++) {
      for (const words of at(i)) text += encodeCommand(...words);
    }
    const bytes = new TextEncoder().encode(text);
    let spent = 0;
    let times = 0;
    while (spent < SAMPLE_MICROS) {
      const before = bench.server.threadMicros();
      await bench.server.exchange(line, bytes, repetitions * width);
      spent += bench.server.threadMicros() - before;
      times++;
      if (times === 4 && repetitions * width < REQUESTS_MAX) break;
    }
    if (spent < SAMPLE_MICROS && repetitions * width < REQUESTS_MAX) {
      repetitions *= 4;
      continue;
    }
    least = Math.min(least, spent / times / repetitions);
    sample++;
  }
  return least;
}

async function fillKind(
  bench: Bench,
  command: string,
  element: (i: number) => string[],
  { keys, elements }: Values,
): Promise<void> {
  for (let key = 0; key < keys; key++) {
    if (elements > 1000) {
      await fillWide(bench.server, [command, `k:${key}`], element, elements);
    } else {
      const words = Array.from({ length: elements }, (_, i) => element(i)).flat();
      await bench.call(command, `k:${key}`, ...words);
    }
  }
}

function fillStrings(bench: Bench, keys: number, value: (i: number) => string): Promise<void> {
  return bench.server.fill(keys, (i) => encodeCommand("SET", `k:${i}`, value(i)));
}
