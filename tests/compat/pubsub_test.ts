/**
 * Sessions of publishers and subscribers, and the events of commands on keys, beside redis-server:
 * every connection has to get the same bytes.
 */

import { assertEquals } from "@std/assert";
import { hasRedisServer } from "../support/real_redis.ts";
import { type Step, transcripts } from "../pubsub/transcript.ts";
import { Connection, realServer, testedServer } from "./support.ts";

/** Steps from lines "connection: words". */
function steps(text: string): Step[] {
  return text.trim().split("\n").map((line) => {
    const [, on, words] = /^\s*(\w+): (.*)$/.exec(line)!;
    return { on, send: words.split(" ").map((word) => word === '""' ? "" : word) };
  });
}

/** Transcripts of a session, without what HELLO tells of the server. */
async function played(port: number, text: string): Promise<Record<string, string>> {
  const all = Object.entries(await transcripts(port, steps(text)));
  return Object.fromEntries(
    all.map((
      [name, got],
    ) => [
      name,
      got.replace(/version\r\n\$\d\r\n[0-9.]+/g, "version").replace(/(id\r\n):\d+/g, "$1"),
    ]),
  );
}

const SESSIONS: Record<string, string> = {
  "subscribing, publishing and unsubscribing": `
    2a: SUBSCRIBE c1 c2 c1
    2b: SUBSCRIBE c2
    3a: SUBSCRIBE c1 c3
    2p: PUBLISH c1 one
    2p: PUBLISH c2 two
    2p: PUBLISH c3 three
    2p: PUBLISH nobody x
    2p: PUBLISH c1 ""
    2a: UNSUBSCRIBE c1 nosuch
    2p: PUBLISH c1 four
    2a: UNSUBSCRIBE c2
    2a: GET k
    2a: UNSUBSCRIBE
    3a: UNSUBSCRIBE nosuch
    3a: UNSUBSCRIBE c1 c3
    3a: UNSUBSCRIBE
    2p: PUBLISH c1 five`,
  "patterns, also several that match": `
    2a: PSUBSCRIBE news.*
    2b: PSUBSCRIBE news.a* news.a*
    3a: PSUBSCRIBE n?ws.[ab]*
    2a: SUBSCRIBE news.art
    2p: PUBLISH news.art x
    2p: PUBLISH news.b y
    2p: PUBLISH other z
    2b: PUNSUBSCRIBE news.a*
    2b: PUNSUBSCRIBE news.a*
    2a: PUNSUBSCRIBE
    2p: PUBLISH news.art x
    3a: PUNSUBSCRIBE
    3a: PUNSUBSCRIBE
    2p: PUBSUB NUMPAT`,
  "escapes and classes in patterns": `
    2a: PSUBSCRIBE h\\*llo
    2b: PSUBSCRIBE h[^e]llo
    2c: PSUBSCRIBE *
    2d: PSUBSCRIBE [h]*o
    2e: PSUBSCRIBE ""
    2f: PSUBSCRIBE h\\
    2p: PUBLISH h*llo a
    2p: PUBLISH hallo b
    2p: PUBLISH hello c
    2p: PUBLISH h\\ d
    2p: PUBLISH h e
    2p: PUBLISH "" f`,
  "shard channels": `
    2a: SSUBSCRIBE s1 s2
    3a: SSUBSCRIBE s1
    2b: SUBSCRIBE s1
    2c: PSUBSCRIBE s*
    2p: SPUBLISH s1 one
    2p: PUBLISH s1 two
    2p: SPUBLISH s2 three
    2a: SUBSCRIBE c1
    2a: PSUBSCRIBE p1
    2a: GET k
    2a: SUNSUBSCRIBE s1
    2a: SUNSUBSCRIBE
    2a: SUNSUBSCRIBE
    2a: GET k
    2a: UNSUBSCRIBE
    2a: PUNSUBSCRIBE
    2a: GET k
    3a: SUNSUBSCRIBE nosuch s1
    2p: SPUBLISH s1 four`,
  "the mode of a RESP2 subscriber": `
    2a: PING
    2a: SUBSCRIBE c
    2a: PING
    2a: PING hello
    2a: PING a b
    2a: GET k
    2a: SET k v
    2a: HELLO 3
    2a: MULTI
    2a: CLIENT LIST
    2a: NOSUCH
    2a: GET
    2a: PUBLISH c x
    2a: SSUBSCRIBE s
    2a: UNSUBSCRIBE
    2a: PING
    2a: GET k
    2a: RESET
    2a: GET k
    2a: PING
    2p: PUBLISH c x
    2p: SPUBLISH s x`,
  "a RESP3 client does anything while it listens": `
    3a: SUBSCRIBE c
    3a: SET k v
    3a: GET k
    3a: PING
    2p: PUBLISH c hello
    3a: HELLO 2
    2p: PUBLISH c again
    3a: GET k
    3a: RESET
    3a: GET k
    2p: PUBLISH c gone`,
  "transactions": `
    2a: MULTI
    2a: SUBSCRIBE c
    2a: PSUBSCRIBE p*
    2a: PING
    2a: UNSUBSCRIBE
    2a: SSUBSCRIBE s
    2a: PUBSUB NUMSUB c
    2a: EXEC
    2a: GET k
    2a: PUNSUBSCRIBE
    2a: SUNSUBSCRIBE
    3b: SUBSCRIBE c
    2p: MULTI
    2p: PUBLISH c one
    2p: SPUBLISH s two
    2p: PUBLISH c three
    2p: EXEC
    3b: MULTI
    2p: PUBLISH c between
    3b: GET k
    2p: PUBLISH c again
    3b: EXEC`,
  "pushes come while replies are off": `
    3a: CLIENT REPLY OFF
    3a: SUBSCRIBE c
    2p: PUBLISH c one
    3a: GET k
    3a: PUBLISH other x
    3a: UNSUBSCRIBE c
    3a: CLIENT REPLY ON
    2a: CLIENT REPLY SKIP
    2a: SUBSCRIBE c
    2p: PUBLISH c two
    2a: CLIENT REPLY ON
    2a: UNSUBSCRIBE`,
  "PUBSUB": `
    2a: SUBSCRIBE c1 c2
    2b: SUBSCRIBE c1
    3a: SSUBSCRIBE s1
    2c: PSUBSCRIBE p* q* p*
    2d: PSUBSCRIBE p*
    2p: PUBSUB NUMSUB
    2p: PUBSUB NUMSUB c1 c2 c3 c1
    2p: PUBSUB NUMPAT
    2p: PUBSUB CHANNELS c1
    2p: PUBSUB CHANNELS ?2
    2p: PUBSUB CHANNELS nosuch
    2p: PUBSUB SHARDCHANNELS
    2p: PUBSUB SHARDCHANNELS x*
    2p: PUBSUB SHARDNUMSUB s1 c1
    2p: PUBSUB SHARDNUMSUB
    3p: PUBSUB NUMSUB c1
    3p: PUBSUB CHANNELS c1
    3p: PUBSUB SHARDNUMSUB s1
    2p: PUBSUB CHANNELS a b
    2p: PUBSUB SHARDCHANNELS a b
    2p: PUBSUB NUMPAT a
    2p: PUBSUB NOSUCH
    2p: PUBSUB
    2p: PUBSUB HELP a
    2p: SUBSCRIBE
    2p: PSUBSCRIBE
    2p: SSUBSCRIBE
    2p: PUBLISH c
    2p: PUBLISH c a b
    2p: SPUBLISH c`,
  "subscribers that leave, each in a way of its own": `
    2a: SUBSCRIBE c
    2b: SUBSCRIBE c
    3c: SUBSCRIBE c
    2a: QUIT
    2b: RESET
    3c: RESET
    2p: PUBLISH c x
    2p: PUBSUB NUMSUB c
    2p: PUBSUB CHANNELS`,
};

for (const [name, text] of Object.entries(SESSIONS)) {
  Deno.test({
    name: `pub/sub as redis-server has it: ${name}`,
    ignore: !hasRedisServer,
    fn: async () => {
      const [real, tested] = [realServer(), testedServer()];
      try {
        await Promise.all([real.start(), tested.start()]);
        const expected = await played(real.port, text);
        assertEquals(await played(tested.port, text), expected);
      } finally {
        await Promise.all([real.stop(), tested.stop()]);
      }
    },
  });
}

/** Commands on keys, all groups; every line is played on an empty database. */
const COMMANDS = `
SET k v | SET k w | SET k v EX 100 | SET k v NX | SETEX k 100 v | PSETEX k 100000 v | SETNX k w | GETSET k z
SET k v | GETSET new v | GETDEL k | GETDEL k | GETEX new EX 100 | GETEX new PERSIST | GETEX new | GETEX nosuch EX 1
SET n 1 | INCR n | INCRBY n 5 | DECR n | DECRBY n 2 | INCRBYFLOAT n 1.5 | INCR fresh | INCRBYFLOAT float 1
APPEND k a | APPEND k b | SETRANGE k 1 xyz | SETRANGE nosuch 5 "" | SETRANGE k2 2 x | STRLEN nosuch | GETRANGE nosuch 0 1
MSET a 1 b 2 | MSET a 3 | MSETNX a 1 c 2 | MSETNX c 1 d 2 | MGET a x | GET x | SUBSTR x 0 1 | LCS a x
SETBIT b 7 1 | SETBIT b 7 0 | GETBIT x 1 | BITOP AND d b b | BITOP OR e x y | BITOP OR d x y | BITCOUNT x | BITPOS x 1
SETBIT b 7 1 | BITFIELD_RO b GET u8 0
SET k v | DEL k x | SET k v | UNLINK k | SET a 1 | SET b 2 | DEL a b | DEL a
SET a 1 | RENAME a b | SET a 2 | RENAME a b | RENAMENX b c | SET a 1 | RENAMENX a c | RENAME c c
SET a 1 | COPY a b | COPY a b REPLACE | COPY a b | COPY x y | COPY a c DB 1 | MOVE a 1 | SELECT 1 | MOVE c 0 | SELECT 0
SET k v | EXPIRE k 100 | PEXPIRE k 100000 | EXPIREAT k 99999999999 | PEXPIREAT k 99999999999999 | PERSIST k | PERSIST k
SET k v | EXPIRE k -1 | SET k v | PEXPIREAT k 1 | EXPIRE nosuch 1 | SET k v | EXPIRE k 100 NX | EXPIRE k 50 GT
SET k v EXAT 1 | SET k v | GETEX k EXAT 1 | GET k
EXISTS x | TYPE x | TTL x | OBJECT ENCODING x | DUMP x | TOUCH x | RANDOMKEY | KEYS * | SCAN 0
LPUSH l a b | RPUSH l c | LPUSHX l d | RPUSHX l e | LPUSHX x a | LINSERT l BEFORE a z | LINSERT l AFTER q z | LSET l 0 x
RPUSH l a b c d e | LPOP l | RPOP l 2 | LREM l 0 c | LREM l 0 q | LTRIM l 0 5 | LTRIM l 5 1 | LPOP l | LRANGE l 0 1 | LLEN l | LINDEX l 1
RPUSH l a | LPOP l | RPUSH l a b | LREM l 1 a | LREM l 1 b | RPUSH l a | RPOP l 1 | RPUSH l a | LTRIM l 1 1
RPUSH l a b | LMOVE l m LEFT RIGHT | RPOPLPUSH l m | RPOPLPUSH l m | LMOVE m m LEFT RIGHT | LMPOP 2 l m LEFT COUNT 1 | LMPOP 1 m RIGHT COUNT 9
RPUSH l a b | BLPOP l 1 | BRPOP l 1 | RPUSH l a b | BLMOVE l m LEFT LEFT 1 | BRPOPLPUSH l m 1 | BLMPOP 1 1 m LEFT COUNT 5 | LPOS l a
SADD s a b | SADD s a | SREM s a x | SREM s b | SADD s 1 2 3 | SPOP s | SPOP s 5 | SADD s a | SPOP s | SPOP s | SCARD s | SMEMBERS s
SADD s a b | SADD t b | SMOVE s t a | SMOVE s t a | SMOVE s t b | SMOVE t t a | SISMEMBER s a | SRANDMEMBER s | SRANDMEMBER s 2
SADD s a b | SADD t b c | SINTERSTORE d s t | SUNIONSTORE d s t | SDIFFSTORE d s t | SINTERSTORE d s x | SINTERSTORE d x y | SUNIONSTORE d x | SINTER s x | SINTERCARD 2 s x | SDIFF x
SET d v | SADD s a | SUNIONSTORE d s | SADD one a | SREM one a
HSET h f v | HSET h f w g x | HSETNX h f z | HSETNX h n z | HMSET h a b | HINCRBY h i 5 | HINCRBYFLOAT h d 1.5 | HDEL h f x | HDEL h g n a i d
HSET h f v | HDEL h q | HDEL h f | HGET h f | HGETALL h | HMGET h f | HLEN h | HKEYS h | HSTRLEN h f | HRANDFIELD h | HEXISTS h f
ZADD z 1 a 2 b | ZADD z 1 a | ZADD z 5 a | ZADD z XX 7 a | ZADD z NX 8 a | ZADD z INCR 2 a | ZADD x XX 1 a | ZINCRBY z 3 b | ZINCRBY y 1 q | ZREM z a x | ZREM z b
ZADD z 1 a 2 b 3 c | ZPOPMIN z | ZPOPMAX z 2 | ZPOPMIN z | ZADD z 1 a 2 b | BZPOPMIN z 1 | BZPOPMAX z 1 | ZADD z 1 a 2 b | ZMPOP 1 z MIN | BZMPOP 1 1 z MAX COUNT 5
ZADD z 1 a 2 b 3 c | ZREMRANGEBYRANK z 0 0 | ZREMRANGEBYSCORE z 2 2 | ZREMRANGEBYLEX z - + | ZREMRANGEBYRANK z 0 0 | ZADD z 1 a | ZREMRANGEBYSCORE z 5 6 | ZCARD x | ZSCORE x a | ZRANGE x 0 1
ZADD z 1 a 2 b | ZADD y 1 b | ZUNIONSTORE d 2 z y | ZINTERSTORE d 2 z y | ZDIFFSTORE d 2 z y | ZINTERSTORE d 2 z x | ZUNIONSTORE d 1 x | ZRANGESTORE d z 0 1 | ZRANGESTORE d z 5 6 | ZRANGESTORE d x 0 1 | ZINTER 2 z x
RPUSH l 2 1 3 | SORT l STORE d | SORT x STORE d | SORT x STORE d | SORT l
SET a 1 | SET b 2 | FLUSHDB | SET a 1 | FLUSHALL | SET a 1 | SWAPDB 0 1 | SWAPDB 0 1
MULTI | SET k v | INCR n | DEL k | EXEC | SET k v | INCR k
RESTORE r 0 \\x00 | SET a 1 | RESTORE a 0 x
`.trim().split("\n").map((line) => line.split(" | ").map((words) => words.split(" ")));

/** What both servers publish while the lines are played; one list of "channel message" for each line. */
async function events(port: number, flags: string): Promise<string[][]> {
  const listener = await Connection.open(port);
  const conn = await Connection.open(port);
  const publisher = await Connection.open(port);
  try {
    await conn.call("FLUSHALL");
    // Otherwise a turn of the timer may meet a key whose time is over before the next command does.
    const off = await conn.call("DEBUG", "SET-ACTIVE-EXPIRE", "0");
    assertEquals(off.text, "OK");
    await conn.call("CONFIG", "SET", "notify-keyspace-events", flags);
    await listener.call("PSUBSCRIBE", "__key*__:*", "end");
    await listener.read();
    const lines: string[][] = [];
    for (const [i, line] of COMMANDS.entries()) {
      const seen: string[] = [];
      for (const words of line) {
        await conn.call(...words.map((word) => word === '""' ? "" : word));
        seen.push(`# ${words.join(" ")}`);
        await publisher.call("PUBLISH", "end", String(i));
        for (;;) {
          const { items } = await listener.read();
          if (items[2].text === "end") break;
          seen.push(`${items[2].text} ${items[3].text}`);
        }
      }
      lines.push(seen);
      await conn.call("FLUSHALL");
    }
    return lines;
  } finally {
    listener.close();
    conn.close();
    publisher.close();
  }
}

for (const flags of ["KEA", "KEAmn", "Kg$x", "Elshzet", "Em", "A", "K"]) {
  Deno.test({
    name: `commands raise the events of redis-server in its order, notify-keyspace-events ${flags}`,
    ignore: !hasRedisServer,
    fn: async () => {
      const [real, tested] = [realServer(), testedServer()];
      try {
        await Promise.all([real.start(), tested.start()]);
        const expected = await events(real.port, flags);
        const raised = expected.flat().filter((line) => !line.startsWith("#"));
        assertEquals(raised.length > 0, /[KE].+/.test(flags));
        assertEquals(await events(tested.port, flags), expected);
      } finally {
        await Promise.all([real.stop(), tested.stop()]);
      }
    },
  });
}
