/**
 * Sessions of clients with tracking beside redis-server: every connection has to get the same bytes, each
 * push at the same place among the replies.
 */

import { assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import { type Step, transcripts } from "../pubsub/transcript.ts";
import { realServer, testedServer } from "./support.ts";

/**
 * Steps from lines "connection: words". Several commands with " ; " between them are sent together. A RESP2
 * connection that has subscribed cannot be named by its id any more, so it is to say first who it is.
 */
function steps(text: string): Step[] {
  return text.trim().split("\n").map((line) => {
    const [, on, words] = /^\s*(\w+): (.*)$/.exec(line)!;
    if (words.includes(" ; ")) return { on, send: words.split(" ; ").join("\r\n") + "\r\n" };
    return { on, send: words.split(" ").map((word) => word === '""' ? "" : word) };
  });
}

/** Transcripts of a session, without numbers of clients and what HELLO tells of the server. */
async function played(port: number, text: string): Promise<Record<string, string>> {
  const all = Object.entries(await transcripts(port, steps(text)));
  return Object.fromEntries(
    all.map(([name, got]) => [
      name,
      got.replace(/version\r\n\$\d\r\n[0-9.]+/g, "version")
        .replace(/(id|redirect|tracking-redir-broken)\r\n:[1-9]\d*/g, "$1"),
    ]),
  );
}

const SESSIONS: Record<string, string> = {
  "what a client has read, once for each reading": `
    3a: CLIENT TRACKING ON
    2w: MSET a 1 b 2 c 3
    3a: GET a
    3a: MGET b c nosuch
    2w: SET a 2
    2w: SET a 3
    2w: SET nosuch 1
    2w: DEL b
    2w: APPEND c x
    2w: SET never 1
    3a: GET a
    3a: SET a 4
    3a: SET a 5
    2w: SET a 6
    3a: CLIENT TRACKING OFF
    3a: GET a
    2w: SET a 7`,
  "commands that read, and that change nothing": `
    3a: CLIENT TRACKING ON
    3a: GET s
    3a: STRLEN s
    3a: LRANGE l 0 -1
    3a: SMEMBERS m
    3a: HGETALL h
    3a: ZRANGE z 0 -1
    3a: EXISTS e f
    3a: TTL t
    3a: TYPE y
    3a: OBJECT ENCODING o
    3a: SINTERCARD 2 i j
    3a: ZUNION 2 u v
    3a: SORT_RO r
    3a: XRANGE x - +
    3a: XREAD STREAMS st1 st2 0 0
    3a: BITCOUNT bits
    3a: LCS la lb
    3a: DBSIZE
    3a: DUMP d
    3a: GETRANGE wrong x y
    2w: LPUSH l a
    2w: SADD m a
    2w: HSET h f v
    2w: ZADD z 1 a
    2w: MSET e 1 f 2 t 3 y 4 o 5
    2w: SADD i a
    2w: SADD j a
    2w: ZADD u 1 a
    2w: ZADD v 1 a
    2w: RPUSH r 1
    2w: XADD x 1-1 f v
    2w: XADD st1 1-1 f v
    2w: XADD st2 1-1 f v
    2w: SETBIT bits 1 1
    2w: SET la x
    2w: SET lb x
    2w: SET d x
    2w: SET wrong x
    2w: DEL nosuch
    3a: HGET h f
    3a: SISMEMBER m a
    2w: HSET h f v
    2w: SADD m a
    2w: SREM m nosuch
    2w: EXPIRE m 100
    2w: PERSIST h
    3a: HGET h f
    2w: RENAME h h2
    3a: HGET h2 f
    2w: COPY h2 h3
    2w: MOVE h2 1
    2w: FLUSHDB`,
  "errors are remembered too": `
    3a: CLIENT TRACKING ON
    2w: SET s v
    3a: LLEN s
    3a: LRANGE s a b
    2w: SET s w
    3a: GET
    2w: SET s x`,
  "RESP2 has no pushes of its own": `
    2a: CLIENT TRACKING ON
    2a: GET a
    2w: SET a 1
    2a: GET a
    2a: CLIENT TRACKING OFF
    2a: CLIENT TRACKING OFF`,
  "redirected to a RESP2 subscriber": `
    2r: PING
    2a: CLIENT TRACKING ON REDIRECT @2r
    2r: SUBSCRIBE __redis__:invalidate
    2a: GET a
    2w: SET a 1
    2a: MGET a b
    2a: SET a 2
    2w: MSET b 1 a 3
    2a: GET a
    2w: FLUSHALL`,
  "redirected to one that subscribes to something else, or not any more": `
    2r: PING
    2a: CLIENT TRACKING ON REDIRECT @2r
    2a: GET a
    2w: SET a 1
    2r: SUBSCRIBE other
    2a: GET a
    2w: SET a 1
    2r: UNSUBSCRIBE
    2a: GET a
    2w: SET a 1
    2r: PSUBSCRIBE p*
    2a: GET a
    2w: SET a 1`,
  "redirected to a RESP3 client": `
    3r: PING
    3a: CLIENT TRACKING ON REDIRECT @3r
    2b: CLIENT TRACKING ON REDIRECT @3r NOLOOP
    3a: GET a
    2b: GET a
    2w: SET a 1
    3a: GET a
    3a: SET a 2
    2b: GET a
    2b: SET a 2
    3r: HELLO 2
    3a: GET a
    2w: SET a 1
    3r: HELLO 3
    3a: GET a
    2w: SET a 1`,
  "redirected to oneself": `
    3a: PING
    3a: CLIENT TRACKING ON REDIRECT @3a
    3a: GET a
    2w: SET a 1
    3a: GET a
    3a: SET a 1
    3a: CLIENT TRACKINGINFO`,
  "redirected to one who has gone": `
    2r: PING
    3r: PING
    3a: CLIENT TRACKING ON REDIRECT @2r
    2b: CLIENT TRACKING ON REDIRECT @2r
    3a: GET a
    2b: GET a
    2r: QUIT
    3a: CLIENT TRACKINGINFO
    2w: SET a 1
    3a: CLIENT TRACKINGINFO
    2b: CLIENT TRACKINGINFO
    3a: GET a
    3a: SET a 2
    3a: CLIENT TRACKING ON REDIRECT @3r
    3a: CLIENT TRACKINGINFO
    3a: GET a
    3a: SET a 2`,
  "invalidations of a client's own changes come behind the replies": `
    3a: CLIENT TRACKING ON
    3a: MSET a 1 b 2
    3a: MGET a b
    3a: MSET a 3 b 4
    3a: GET a ; SET a 5 ; GET a ; SET b 1 ; SET a 6
    3a: HSET h f 1
    3a: HGET h f
    3a: HDEL h f
    3a: GET a
    3a: GETDEL a
    3a: GET a
    3a: RENAME a b
    3a: GET b
    3a: SET b 1 GET`,
  "transactions": `
    3a: CLIENT TRACKING ON
    3a: MSET a 1 b 2
    3a: MULTI
    3a: GET a
    3a: SET b 3
    3a: GET b
    2w: SET a 2
    3a: INCR a
    3a: GET a
    3a: EXEC
    2w: SET a 9
    2w: SET b 9
    3a: MGET a b
    3a: MULTI
    3a: SET a 1
    2w: SET b 1
    3a: SET b 2
    3a: SET a 3
    3a: EXEC
    3a: GET a
    3a: MULTI
    3a: FLUSHDB
    3a: SET a 1
    3a: GET a
    3a: EXEC
    2w: SET a 2
    3a: MULTI
    3a: GET a
    3a: DISCARD
    2w: SET a 3`,
  "NOLOOP": `
    3a: CLIENT TRACKING ON NOLOOP
    3b: CLIENT TRACKING ON
    3a: MGET a b c
    3b: MGET a b c
    3a: SET a 1
    3b: SET b 1
    2w: SET c 1
    2w: SET a 2
    3a: MULTI
    3a: GET a
    3a: SET a 1
    3a: EXEC
    2w: SET a 2
    3a: GET a
    3a: FLUSHALL`,
  "OPTIN": `
    3a: CLIENT TRACKING ON OPTIN
    3a: CLIENT TRACKINGINFO
    2w: MSET a 1 b 2
    3a: GET a
    2w: SET a 2
    3a: CLIENT CACHING YES ; GET a ; GET b
    2w: SET a 3
    2w: SET b 3
    3a: CLIENT CACHING YES ; CLIENT TRACKINGINFO ; CLIENT GETNAME ; GET a
    2w: SET a 4
    3a: CLIENT CACHING YES ; PING ; GET a
    2w: SET a 5
    3a: CLIENT CACHING YES ; NOSUCH ; GET a
    2w: SET a 5
    3a: CLIENT CACHING YES ; GET ; GET a
    2w: SET a 5
    3a: CLIENT CACHING YES ; MULTI ; GET a ; GET b ; EXEC ; GET c
    2w: SET a 6
    2w: SET b 6
    2w: SET c 6
    3a: MULTI ; GET a ; CLIENT CACHING YES ; GET b ; GET c ; EXEC ; CLIENT TRACKINGINFO
    2w: SET a 7
    2w: SET b 7
    2w: SET c 7
    3a: CLIENT CACHING YES ; MULTI ; GET ; GET a ; EXEC ; GET a
    2w: SET a 8
    3a: CLIENT CACHING NO
    3a: CLIENT CACHING x
    3a: CLIENT TRACKING ON OPTOUT
    3a: CLIENT TRACKING ON
    3a: GET a
    2w: SET a 9`,
  "OPTOUT": `
    3a: CLIENT TRACKING ON OPTOUT
    3a: CLIENT TRACKINGINFO
    2w: MSET a 1 b 2
    3a: GET a
    2w: SET a 2
    3a: CLIENT CACHING NO ; GET a ; GET b
    2w: SET a 3
    2w: SET b 3
    3a: CLIENT CACHING NO ; CLIENT TRACKINGINFO ; GET a
    2w: SET a 4
    3a: CLIENT CACHING NO ; MULTI ; GET a ; EXEC ; GET b
    2w: SET a 5
    2w: SET b 5
    3a: CLIENT CACHING YES
    3a: CLIENT TRACKING ON OPTIN`,
  "BCAST of all keys": `
    3a: CLIENT TRACKING ON BCAST
    3a: CLIENT TRACKINGINFO
    2w: SET a 1
    2w: MSET b 1
    3a: SET c 1
    3a: GET c
    2w: MULTI ; INCR n ; INCR n ; EXEC
    2w: DEL a nosuch
    2w: DEL nosuch
    2w: FLUSHALL
    3a: CLIENT TRACKING OFF
    2w: SET a 1`,
  "BCAST of prefixes": `
    3a: CLIENT TRACKING ON BCAST PREFIX b: PREFIX a:
    3a: CLIENT TRACKINGINFO
    3b: CLIENT TRACKING ON BCAST PREFIX a:1
    2w: SET a:1 1
    2w: SET a: 1
    2w: SET a 1
    2w: SET c:1 1
    2w: MSET b:1 1 a:1 1 a:2 1 c 1
    3a: CLIENT TRACKING ON BCAST PREFIX c
    3a: CLIENT TRACKINGINFO
    2w: SET cc 1
    3a: CLIENT TRACKING ON BCAST
    3a: CLIENT TRACKINGINFO
    2w: SET xx 1
    3a: CLIENT TRACKING OFF
    3a: CLIENT TRACKINGINFO
    2w: SET a:1 2`,
  "BCAST with NOLOOP": `
    3a: CLIENT TRACKING ON BCAST NOLOOP
    3b: CLIENT TRACKING ON BCAST
    3a: SET a 1
    2w: SET b 1
    3a: MULTI ; SET a 2 ; SET b 2 ; EXEC
    2w: MULTI ; SET a 2 ; SET b 2 ; EXEC`,
  "BCAST redirected to a RESP2 subscriber": `
    2r: PING
    2a: CLIENT TRACKING ON BCAST REDIRECT @2r
    2r: SUBSCRIBE __redis__:invalidate
    2w: SET a 1
    2a: SET a 2
    2w: FLUSHDB`,
  "from one mode to another": `
    3a: CLIENT TRACKING ON
    3a: GET a
    3a: CLIENT TRACKING ON BCAST
    3a: CLIENT TRACKING OFF
    3a: CLIENT TRACKING ON BCAST
    2w: SET a 1
    3a: CLIENT TRACKING ON
    3a: CLIENT TRACKING OFF
    3a: CLIENT TRACKING ON
    3a: GET a
    3a: CLIENT TRACKING OFF
    3a: CLIENT TRACKING ON
    2w: SET a 1
    3a: GET a
    3a: CLIENT TRACKING OFF
    2w: SET a 1
    3a: CLIENT TRACKING ON
    2w: SET a 1`,
  "what does not go together": `
    2a: CLIENT TRACKING
    2a: CLIENT TRACKING x
    2a: CLIENT TRACKING ON x
    2a: CLIENT TRACKING ON REDIRECT
    2a: CLIENT TRACKING ON PREFIX
    2a: CLIENT TRACKING ON REDIRECT x
    2a: CLIENT TRACKING ON REDIRECT 0
    2a: CLIENT TRACKING ON REDIRECT -1
    2a: CLIENT TRACKING ON REDIRECT 99999999999999999999
    2a: CLIENT TRACKING ON REDIRECT 123456
    2a: CLIENT TRACKING ON REDIRECT @2a REDIRECT @2a
    2a: CLIENT TRACKING ON REDIRECT @2a REDIRECT x
    2a: CLIENT TRACKING OFF REDIRECT 123456
    2a: CLIENT TRACKING x REDIRECT 123456
    2a: CLIENT TRACKING ON PREFIX a
    2a: CLIENT TRACKING ON BCAST OPTIN
    2a: CLIENT TRACKING ON BCAST OPTOUT PREFIX a PREFIX ab
    2a: CLIENT TRACKING ON OPTIN OPTOUT
    2a: CLIENT TRACKING ON BCAST PREFIX ab PREFIX a
    2a: CLIENT TRACKING ON BCAST PREFIX a PREFIX ab
    2a: CLIENT TRACKING ON BCAST PREFIX a PREFIX a
    2a: CLIENT TRACKING ON BCAST PREFIX a PREFIX ""
    2a: CLIENT TRACKINGINFO
    2a: CLIENT TRACKING ON BCAST PREFIX foo PREFIX bar PREFIX ba!
    2a: CLIENT TRACKING ON BCAST PREFIX x PREFIX fo
    2a: CLIENT TRACKING ON BCAST PREFIX barb PREFIX x
    2a: CLIENT TRACKING ON BCAST PREFIX b
    2a: CLIENT TRACKING ON BCAST PREFIX foo
    2a: CLIENT TRACKING ON BCAST PREFIX x
    2a: CLIENT TRACKING ON PREFIX y
    2a: CLIENT TRACKING ON
    2a: CLIENT TRACKING ON OPTIN
    2a: CLIENT TRACKINGINFO
    2a: CLIENT CACHING YES
    2a: CLIENT CACHING NO
    2a: CLIENT TRACKING OFF BCAST OPTIN NOLOOP PREFIX q
    2a: CLIENT CACHING YES
    2a: CLIENT CACHING x
    2a: CLIENT CACHING
    2a: CLIENT CACHING YES NO
    2a: CLIENT GETREDIR
    2a: CLIENT GETREDIR x
    2a: CLIENT TRACKINGINFO x
    2a: CLIENT TRACKING ON NOLOOP NOLOOP OPTIN OPTIN
    2a: CLIENT GETREDIR
    2a: CLIENT TRACKINGINFO`,
  "RESET, and a protocol that changes": `
    3a: CLIENT TRACKING ON BCAST PREFIX a
    3a: RESET
    3a: HELLO 3
    3a: CLIENT TRACKINGINFO
    2w: SET a 1
    3a: CLIENT TRACKING ON
    3a: GET a
    3a: HELLO 2
    2w: SET a 1
    3a: GET a
    3a: HELLO 3
    2w: SET a 1`,
  "other databases": `
    3a: CLIENT TRACKING ON
    3a: GET a
    2w: SELECT 1
    2w: SET a 1
    3a: GET a
    2w: FLUSHDB
    3a: GET a
    2w: SWAPDB 0 1
    2w: FLUSHDB`,
  "replies that are off": `
    3a: CLIENT TRACKING ON
    3a: GET a
    3a: CLIENT REPLY OFF
    2w: SET a 1
    3a: GET a
    3a: SET a 2
    3a: GET a
    2w: FLUSHALL
    3a: CLIENT REPLY ON
    3a: GET a
    3a: CLIENT REPLY SKIP
    3a: SET a 3
    3a: CLIENT REPLY ON`,
  "keys whose time is over": `
    2w: DEBUG SET-ACTIVE-EXPIRE 0
    3a: CLIENT TRACKING ON
    3b: CLIENT TRACKING ON BCAST
    3a: MULTI ; SET a 1 PX 1 ; GET a ; EXEC
    2w: DEBUG SLEEP 0.01
    2w: GET a
    3a: MULTI ; SET a 1 PX 1 ; GET a ; EXEC
    2w: DEBUG SLEEP 0.01
    3a: MGET a b
    2w: SET a 1 PX 100000
    3a: GET a
    2w: PEXPIREAT a 1
    3a: GET a
    2w: SET a 1
    3a: GET a
    2w: EXPIRE a -1`,
  "a blocked client that is served": `
    2w: RPUSH l2 a
    3a: CLIENT TRACKING ON
    3a: LRANGE l2 0 -1
    2w: RPUSH l1 b
    3a: BLMOVE l1 l2 LEFT LEFT 0
    2w: RPUSH l2 c
    3a: XREAD BLOCK 1 STREAMS x 0
    2w: XADD x 1-1 f v`,
  "events and invalidations on one connection": `
    2w: CONFIG SET notify-keyspace-events KEA
    3r: PING
    3a: CLIENT TRACKING ON REDIRECT @3r
    3r: PSUBSCRIBE __key*__:*
    3a: GET a
    2w: SET a 1
    3a: GET a
    2w: DEL a
    2w: DEBUG SET-ACTIVE-EXPIRE 0
    3a: MULTI ; SET a 1 PX 1 ; GET a ; EXEC
    2w: DEBUG SLEEP 0.01
    2w: GET a`,
  "loading the dataset anew": `
    3a: CLIENT TRACKING ON
    3b: CLIENT TRACKING ON BCAST PREFIX x
    2w: SET a 1
    3a: GET a
    2w: DEBUG RELOAD
    2w: SET a 2`,
};

/** Steps of clients in changing modes that read and write a few keys of all types, drawn from a seed. */
function randomSession(seed: number, count: number): string {
  const random = new Random(seed);
  const key = () => `${random.pick(["a", "b", "ab"])}${random.below(3)}`;
  const command = () => random.pick(random.chance(0.5) ? READS : WRITES).replace(/k/g, key);
  const lines = ["3a: CLIENT TRACKING ON", "3b: PING", "3c: PING", "2w: PING"];
  const offs = ["3a: CLIENT TRACKING OFF", "3b: CLIENT TRACKING OFF", "3c: CLIENT TRACKING OFF"];
  for (let i = 0; i < count; i++) {
    const on = random.pick(["3a", "3b", "3c", "2w"]);
    const chosen = random.below(100);
    if (chosen < 6 && on !== "2w") {
      lines.push(`${on}: CLIENT TRACKING OFF`, `${on}: CLIENT TRACKING ON${random.pick(MODES)}`);
    } else if (chosen < 8) lines.push(random.pick(offs));
    else if (chosen < 20) {
      const queued = Array.from({ length: random.between(1, 5) }, command).join(" ; ");
      lines.push(`${on}: MULTI ; ${queued} ; EXEC`);
    } else if (chosen < 28) {
      const caching = `CLIENT CACHING ${random.pick(["YES", "NO"])}`;
      lines.push(`${on}: ${caching} ; ${command()} ; ${command()}`);
    } else if (chosen < 30) lines.push(`${on}: ${random.pick(["FLUSHDB", "CLIENT TRACKINGINFO"])}`);
    else lines.push(`${on}: ${command()}`);
  }
  return lines.join("\n");
}

const MODES = [
  "",
  " NOLOOP",
  " OPTIN",
  " OPTOUT",
  " OPTIN NOLOOP",
  " BCAST",
  " BCAST NOLOOP",
  " BCAST PREFIX a",
  " BCAST PREFIX a1 PREFIX b NOLOOP",
  " REDIRECT @3c",
];
/** Words with a "k" for each key; the keys of all types are the same, so that errors come too. */
const READS = [
  "GET k",
  "MGET k k k",
  "EXISTS k k",
  "TYPE k",
  "STRLEN k",
  "LRANGE k 0 -1",
  "LLEN k",
  "SMEMBERS k",
  "SINTERCARD 2 k k",
  "HGETALL k",
  "ZRANGE k 0 -1",
  "ZDIFF 2 k k",
  "XLEN k",
  "XREAD STREAMS k k 0 0",
  "SORT_RO k ALPHA",
  "BITCOUNT k",
];
const WRITES = [
  "SET k v",
  "MSET k v k w",
  "SETNX k v",
  "GETSET k v",
  "GETDEL k",
  "APPEND k x",
  "DEL k k",
  "UNLINK k",
  "RENAME k k",
  "COPY k k REPLACE",
  "RPUSH k x",
  "LPOP k",
  "LMOVE k k LEFT RIGHT",
  "SADD k 1 x",
  "SREM k x",
  "SMOVE k k x",
  "SINTERSTORE k k k",
  "HSET k f v",
  "HDEL k f",
  "ZADD k 1 x",
  "ZADD k 1 x",
  "ZREM k x",
  "ZUNIONSTORE k 2 k k",
  "SETBIT k 1 1",
  "EXPIRE k 1000",
  "PERSIST k",
  "EXPIRE k -1",
];

/** The keys of a message in their order: Redis has them in that, this server as they have changed. */
function withSortedKeys(transcript: string): string {
  return transcript.replace(
    /(invalidate\r\n\*\d+\r\n)((?:\$[23]\r\n(?:a|b|ab)\d\r\n)+)/g,
    (_, head: string, keys: string) => head + keys.match(/\$\d\r\n\w+\r\n/g)!.sort().join(""),
  );
}

for (const seed of [1, 2, 3]) {
  Deno.test({
    name: `tracking as redis-server has it: a session of seed ${seed}`,
    ignore: !hasRedisServer,
    fn: async () => {
      const text = randomSession(seed, 150);
      const [real, tested] = [realServer(), testedServer()];
      try {
        await Promise.all([real.start(), tested.start()]);
        const expected = await played(real.port, text);
        const got = await played(tested.port, text);
        for (const [name, transcript] of Object.entries(expected)) {
          assertEquals(withSortedKeys(got[name]), withSortedKeys(transcript), name);
        }
      } finally {
        await Promise.all([real.stop(), tested.stop()]);
      }
    },
  });
}

for (const [name, text] of Object.entries(SESSIONS)) {
  Deno.test({
    name: `tracking as redis-server has it: ${name}`,
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
