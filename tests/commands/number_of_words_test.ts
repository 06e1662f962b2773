/**
 * Errors in the number of words that handlers find, because a command's arity does not show them; as
 * redis 7.0.15 and 7.2.4 answer.
 */

import { assertEquals } from "@std/assert";
import { testServer } from "../support/test_server.ts";

const subcommand = (typed: string, container: string) =>
  `ERR unknown subcommand or wrong number of arguments for '${typed}'. Try ${container} HELP.`;
const arity = (name: string) => `ERR wrong number of arguments for '${name}' command`;

const CASES: [call: string, error: string][] = [
  ["ACL CAT a b", subcommand("CAT", "ACL")],
  ["acl Cat a b", subcommand("Cat", "ACL")],
  ["ACL GENPASS 1 2", subcommand("GENPASS", "ACL")],
  ["ACL LOG a b", subcommand("LOG", "ACL")],
  ["ACL log 1 2", subcommand("log", "ACL")],
  ["SLOWLOG GET 1 2", subcommand("GET", "SLOWLOG")],
  ["slowlog Get 1 2", subcommand("Get", "SLOWLOG")],
  ["PUBSUB CHANNELS a b", subcommand("CHANNELS", "PUBSUB")],
  ["pubsub shardCHANNELS a b", subcommand("shardCHANNELS", "PUBSUB")],
  ["CLIENT PAUSE 1 ALL x", subcommand("PAUSE", "CLIENT")],
  ["client Unblock 1 TIMEOUT x", subcommand("Unblock", "CLIENT")],
  ["DEBUG NoSuch", subcommand("NoSuch", "DEBUG")],
  ["debug Sleep", subcommand("Sleep", "DEBUG")],
  ["PING a b", arity("ping")],
  ["MSET a b c", arity("mset")],
  ["MSETNX a b c", arity("msetnx")],
  ["HSET k a b c", arity("hset")],
  ["HMSET k a b c", arity("hmset")],
  ["LPOP k 1 2", arity("lpop")],
  ["RPOP k 1 2", arity("rpop")],
  ["ZRANK z a WITHSCORE x", arity("zrank")],
  ["ZREVRANK z a b c", arity("zrevrank")],
  ["ZPOPMIN z 1 2", "ERR syntax error"],
  ["SPOP s 1 2", "ERR syntax error"],
];
for (const [call, error] of CASES) {
  Deno.test(`${call} is refused: ${error}`, () => {
    assertEquals(testServer().run(...call.split(" ")), { error });
  });
}
