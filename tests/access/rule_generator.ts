/**
 * Draws rules of users, good ones and bad ones, and calls to try on them. All is of a small world, so that
 * rules meet each other and calls meet rules.
 */

import type { Random } from "../support/random.ts";

const HASH = "34344e4d60c2b6d639b7bd22e18f2b0b91bc34bf0ac5f9952744435093cfb4e6";
const OTHER_HASH = "30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4";

export const COMMANDS = [
  ..."get set del mget mset lpush lrange sadd smembers zadd zrange hset hget incr append copy rename"
    .split(" "),
  ..."exists touch type expire ttl sort sort_ro eval fcall publish subscribe psubscribe spublish"
    .split(" "),
  ..."ssubscribe ping echo select config client acl debug memory object xadd xread xinfo auth"
    .split(" "),
  ..."config|get config|set client|id client|list client|kill memory|usage acl|list acl|whoami"
    .split(" "),
  ..."object|encoding object|freq xinfo|stream bitfield getrange setrange blpop multi exec".split(
    " ",
  ),
];

const CATEGORIES =
  "keyspace read write set sortedset list hash string bitmap stream pubsub admin fast slow blocking dangerous connection transaction scripting"
    .split(" ");

const PATTERNS = [
  "*",
  "a",
  "b",
  "a*",
  "b*",
  "?",
  "[ab]",
  "a:*",
  "key:[0-9]*",
  "",
  "\\*",
  "a\\*b",
  "(a)",
];

export const KEYS = ["a", "b", "ab", "a:1", "key:7", "c", "*", "a*b", ""];
export const CHANNELS = ["a", "b", "a:1", "news", "a*", "*"];

/** The rules of one ACL SETUSER. */
export function drawRules(random: Random): string[] {
  const rules: string[] = [];
  for (let count = random.between(0, 5); count >= 0; count--) rules.push(...drawRule(random));
  return rules;
}

function drawRule(random: Random): string[] {
  const kind = random.below(100);
  if (kind < 62) return [drawSelectorRule(random)];
  if (kind < 80) return [drawUserRule(random)];
  if (kind < 92) return drawSelector(random);
  return [random.pick(BAD_RULES)];
}

function drawUserRule(random: Random): string {
  return random.pick([
    "on",
    "off",
    "ON",
    "nopass",
    "resetpass",
    ">one",
    ">two",
    ">",
    "<one",
    "<two",
    `#${HASH}`,
    `!${HASH}`,
    `#${OTHER_HASH}`,
    "skip-sanitize-payload",
    "sanitize-payload",
    "clearselectors",
    "reset",
    "",
  ]);
}

function drawSelectorRule(random: Random): string {
  const kind = random.below(100);
  const sign = random.pick(["+", "+", "-"]);
  if (kind < 34) {
    const name = random.pick(COMMANDS);
    return sign + (random.chance(0.1) ? name.toUpperCase() : name);
  }
  if (kind < 56) {
    const name = random.pick(CATEGORIES);
    return `${sign}@${random.chance(0.1) ? name.toUpperCase() : name}`;
  }
  if (kind < 62) return random.pick(["+@all", "-@all", "allcommands", "nocommands", "+@ALL"]);
  if (kind < 68) {
    return random.pick(["+select|0", "+SELECT|1", "+debug|object", "+get|a", "+Get|A"]);
  }
  if (kind < 82) {
    const rights = random.pick(["~", "~", "%R~", "%W~", "%RW~", "%wr~", "%r~"]);
    return rights + random.pick(PATTERNS);
  }
  if (kind < 92) return "&" + random.pick(PATTERNS);
  return random.pick([
    "allkeys",
    "resetkeys",
    "resetkeys",
    "allchannels",
    "resetchannels",
    "ALLKEYS",
  ]);
}

/** In one word, or spread over several. */
function drawSelector(random: Random): string[] {
  const rules: string[] = [];
  for (let count = random.below(4); count > 0; count--) {
    const rule = drawSelectorRule(random);
    if (!rule.includes("\\") && rule !== "") rules.push(rule);
  }
  const text = `(${rules.join(" ")})`;
  return random.chance(0.5) ? [text] : text.split(" ");
}

const BAD_RULES = [
  "+nosuch",
  "-nosuch",
  "+@nosuch",
  "-@",
  "+",
  "-",
  "+get|",
  "+get|a|b",
  "-get|a",
  "+config|nosuch",
  "-config|nosuch",
  "+config|get|x",
  "+client|",
  "nosuch",
  "on ",
  " on",
  "~a b",
  "~a\tb",
  "%R",
  "%RR~a",
  "%X~a",
  "&a b",
  "#abc",
  `#${HASH.toUpperCase()}`,
  "!abc",
  "(",
  ")",
  "(+get",
  "+get)",
  "(on)",
  "(nosuch)",
  "((+get))",
  "@all",
  "*",
  "-select|0",
];

/** A call to be tried, as a client would send it. */
export function drawCall(random: Random): string[] {
  const key = () => random.pick(KEYS);
  const channel = () => random.pick(CHANNELS);
  return random.pick<() => string[]>([
    () => ["GET", key()],
    () => ["get", key()],
    () => ["SET", key(), "1"],
    () => ["SET", key(), "1", "GET"],
    () => ["SET", key(), "1", "EX", "9", "get"],
    () => ["DEL", key(), key()],
    () => ["MGET", key(), key(), key()],
    () => ["MSET", key(), "1", key(), "2"],
    () => ["LPUSH", key(), "x"],
    () => ["LRANGE", key(), "0", "-1"],
    () => ["SADD", key(), "x"],
    () => ["SMEMBERS", key()],
    () => ["ZADD", key(), "1", "x"],
    () => ["ZRANGE", key(), "0", "-1"],
    () => ["ZUNIONSTORE", key(), "2", key(), key()],
    () => ["ZUNION", "2", key(), key()],
    () => ["HSET", key(), "f", "v"],
    () => ["HGET", key(), "f"],
    () => ["INCR", key()],
    () => ["APPEND", key(), "x"],
    () => ["COPY", key(), key()],
    () => ["RENAME", key(), key()],
    () => ["EXISTS", key()],
    () => ["TOUCH", key(), key()],
    () => ["TYPE", key()],
    () => ["EXPIRE", key(), "100"],
    () => ["TTL", key()],
    () => ["SORT", key()],
    () => ["SORT", key(), "LIMIT", "0", "1", "STORE", key()],
    () => ["SORT_RO", key(), "BY", "nosort"],
    () => ["EVAL", "return 1", "1", key()],
    () => ["EVAL", "return 1", "2", key(), key(), "x"],
    () => ["EVAL", "return 1", "9", key()],
    () => ["EVAL", "return 1", "0", key()],
    () => ["EVAL_RO", "return 1", "1", key()],
    () => ["PUBLISH", channel(), "m"],
    () => ["SPUBLISH", channel(), "m"],
    () => ["SUBSCRIBE", channel(), channel()],
    () => ["PSUBSCRIBE", channel()],
    () => ["SSUBSCRIBE", channel()],
    () => ["UNSUBSCRIBE", channel()],
    () => ["PING"],
    () => ["ECHO", "x"],
    () => ["SELECT", random.pick(["0", "1"])],
    () => ["CONFIG", "GET", "port"],
    () => ["config", "set", "maxmemory", "0"],
    () => ["CLIENT", "ID"],
    () => ["CLIENT", "LIST"],
    () => ["ACL", "WHOAMI"],
    () => ["ACL", "LIST"],
    () => ["MEMORY", "USAGE", key()],
    () => ["OBJECT", "ENCODING", key()],
    () => ["XINFO", "STREAM", key()],
    () => ["XADD", key(), "*", "f", "v"],
    () => ["XREAD", "COUNT", "1", "STREAMS", key(), key(), "0", "0"],
    () => ["XREADGROUP", "GROUP", "g", "c", "STREAMS", key(), ">"],
    () => ["BITFIELD", key(), "GET", "u4", "0"],
    () => ["BITFIELD", key(), "SET", "u4", "0", "1"],
    () => ["BITOP", "AND", key(), key(), key()],
    () => ["GETRANGE", key(), "0", "1"],
    () => ["BLPOP", key(), key(), "0"],
    () => ["LMPOP", "2", key(), key(), "LEFT"],
    () => ["GEORADIUS", key(), "0", "0", "1", "m", "STORE", key()],
    () => ["MIGRATE", "h", "1", key(), "0", "5"],
    () => ["MIGRATE", "h", "1", "", "0", "5", "KEYS", key(), key()],
    () => ["MULTI"],
    () => ["EXEC"],
    () => ["AUTH", "x"],
    () => ["QUIT"],
    () => ["DEBUG", "OBJECT", key()],
    () => ["OBJECT", "HELP"],
    () => ["GET"],
    () => ["NOSUCH"],
    () => ["CONFIG"],
    () => ["CONFIG", "NOSUCH"],
  ])();
}
