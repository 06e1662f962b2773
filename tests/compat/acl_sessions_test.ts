/**
 * Sessions in which users change while others are connected, subscribed or in a transaction, beside redis-server:
 * each connection has to hear the same, and to end where it ends there.
 */

import { assertEquals } from "@std/assert";
import { hasRedisServer } from "../support/real_redis.ts";
import { render } from "./reply.ts";
import { Connection, type Peer, realServer, testedServer } from "./support.ts";
import { encode } from "../support/resp_client.ts";

/** What refusals are since 7.2, of what they are in 7.0. */
const SINCE_7_2: [RegExp, string][] = [
  [/the HELLO AUTH/, "the HELLO <proto> AUTH"],
  [/NOPERM this user has/g, "NOPERM User u has"],
  [
    /NOPERM .* one of the (key|channel)s used as arguments/g,
    "NOPERM No permissions to access a $1",
  ],
  [
    /The user executing the script can't access .* key.* script/g,
    "ACL failure in script: No permissions to access a key script",
  ],
];

/**
 * Plays a session of lines: `name: words` is a call, `name> words` one whose reply is not waited for, and `name<`
 * waits for a reply, or the end of the connection.
 */
async function played(peer: Peer, text: string): Promise<string[]> {
  const connections = new Map<string, Connection>();
  const heard: string[] = [];
  for (const line of text.trim().split("\n").map((each) => each.trim())) {
    const [, name, what, words] = /^(\w+)([:<>]) ?(.*)$/.exec(line)!;
    let connection = connections.get(name);
    if (connection === undefined) {
      connections.set(name, connection = await Connection.open(peer.port));
    }
    if (what !== "<") await connection.send(encode([words.split(" ")]));
    if (what === ">") continue;
    let reply = render(await connection.read());
    for (const [old, now] of SINCE_7_2) reply = reply.replace(old, now);
    heard.push(`${line} -> ${reply}`);
  }
  for (const connection of connections.values()) connection.close();
  return heard;
}

const SESSIONS: Record<string, string> = {
  "a user that gains and loses rights while it is connected": `
    a: ACL SETUSER u on >p +get ~a
    u: GET a
    u: AUTH u wrong
    u: AUTH u p
    u: GET a
    u: GET b
    u: SET a 1
    a: ACL SETUSER u +set ~b
    u: SET b 1
    u: GET b
    a: ACL SETUSER u -get resetkeys ~c
    u: GET c
    u: SET b 1
    u: SET c 1
    a: ACL SETUSER u off resetpass
    u: SET c 2
    u: AUTH u p
    u: SET c 3
    u: RESET
    u: SET a 1`,
  "a transaction whose commands are not allowed any more": `
    a: ACL SETUSER u on nopass +@all ~*
    u: AUTH u x
    u: MULTI
    u: SET a 1
    u: GET a
    a: ACL SETUSER u -set
    u: EXEC
    u: MULTI
    u: SET a 1
    u: GET a
    u: EXEC
    u: MULTI
    u: GET a
    a: ACL SETUSER u resetkeys ~b
    u: EXEC
    u: MULTI
    u: PING
    a: ACL SETUSER u -exec
    u: EXEC
    u: PING
    u: DISCARD`,
  "AUTH within a transaction": `
    a: ACL SETUSER u on nopass +@all ~a
    a: ACL SETUSER v on nopass +@all ~b
    u: AUTH u x
    u: MULTI
    u: AUTH v x
    u: GET a
    u: EXEC
    u: GET b`,
  "subscribers that lose their channels": `
    a: ACL SETUSER u on nopass +@all &foo &bar*
    u: AUTH u x
    u: SUBSCRIBE foo
    v: AUTH u x
    v: PSUBSCRIBE bar*
    w: AUTH u x
    w: PSUBSCRIBE foo
    w: SUBSCRIBE bar1
    a: PUBLISH foo 1
    u<
    a: ACL SETUSER u resetchannels &foo
    v<
    w<
    a: PUBLISH foo 2
    u<
    a: PUBLISH bar1 2
    a: ACL SETUSER u allchannels
    u: SUBSCRIBE other
    a: ACL SETUSER u resetchannels
    u<
    a: PUBLISH foo 3`,
  "a user that is removed: those who wait, listen, watch and queue": `
    a: ACL SETUSER u on nopass +@all ~* &*
    b: AUTH u x
    b> BLPOP list 0
    c: AUTH u x
    c: SUBSCRIBE foo
    d: AUTH u x
    d: MULTI
    d: SET k v
    e: AUTH u x
    e: PING
    a: ACL DELUSER u nosuch
    b<
    c<
    d<
    e<
    a: RPUSH list x
    a: LRANGE list 0 -1
    a: EXISTS k
    a: PUBLISH foo x`,
  "a client that removes its own user, and one that does so in a transaction": `
    a: ACL SETUSER u on nopass +@all ~*
    a: ACL SETUSER v on nopass +@all ~*
    u: AUTH u x
    u: ACL DELUSER u
    u<
    v: AUTH v x
    v: MULTI
    v: SET k 1
    v: ACL DELUSER v
    v: EXEC
    v<
    a: ACL USERS
    a: GET k`,
  "the default user with a password, and off": `
    u: PING
    a: ACL SETUSER default resetpass >p
    u: PING
    b: PING
    b: AUTH x
    b: AUTH p
    b: PING
    a: ACL SETUSER default off
    c: PING
    c: AUTH p
    c: AUTH default p
    c: HELLO 2
    b: PING
    a: ACL SETUSER default on nopass
    c: PING`,
  "scripts of a user": `
    a: ACL SETUSER u on nopass +eval +get +fcall ~a
    u: AUTH u x
    u: EVAL return(redis.call('get',KEYS[1])) 1 a
    u: EVAL return(redis.call('get',KEYS[1])) 1 b
    u: EVAL return(redis.acl_check_cmd('get','a')) 0
    u: EVAL return(redis.acl_check_cmd('get','b')) 0
    u: EVAL return(redis.acl_check_cmd('set','a',1)) 0
    u: EVAL return(redis.acl_check_cmd('nosuch')) 0
    u: EVAL return(redis.acl_check_cmd()) 0
    u: EVAL return(redis.acl_check_cmd('config')) 0`,
};

for (const [name, text] of Object.entries(SESSIONS)) {
  Deno.test({
    name: `${name}: the same on redis-server`,
    ignore: !hasRedisServer,
    async fn() {
      const [real, tested] = [realServer(), testedServer()];
      try {
        await Promise.all([real.start(), tested.start()]);
        assertEquals(await played(tested, text), await played(real, text));
      } finally {
        await Promise.all([real.stop(), tested.stop()]);
      }
    },
  });
}
