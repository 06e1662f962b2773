/**
 * Sessions of publishers and subscribers, and the events of commands on keys, beside redis-server:
 * every connection has to get the same bytes.
 */

import { assertEquals } from "@std/assert";
import { hasRedisServer } from "../support/real_redis.ts";
import { type Step, transcripts } from "../pubsub/transcript.ts";
import { realServer, testedServer } from "./support.ts";
import { countCompared } from "./session.ts";

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
        countCompared(steps(text).length);
      } finally {
        await Promise.all([real.stop(), tested.stop()]);
      }
    },
  });
}
