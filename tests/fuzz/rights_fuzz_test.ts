/**
 * Drawn calls of a user whose keys are few: whatever their words, no key is changed that it may not write, and no
 * reply has anything of the value of a key that it may not read. The commands are those of the comparison with Redis
 * and those here, bent, and with words of options in the places of names; some are in scripts or transactions.
 */

import { assert, assertEquals } from "@std/assert";
import { commandTable } from "../../src/commands/index.ts";
import { drawCall, groups } from "../compat/commands.ts";
import { Generator } from "../compat/generator.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import {
  type TestClient,
  type TestServer,
  testServer,
  type Value,
} from "../support/test_server.ts";

/** In each value that the user may not read. */
const SECRET = "sEcReT";
/** Keys end with a digit, which says what the user may do. Words of options are names of keys that are its own. */
const RULES = ["%R~*:1", "%W~*:2", "~*:3", "~*:4", "~no*", "~[a-zA-Z]*[A-Za-z]", "&*", "+@all"];
const OPTION = /^[a-zA-Z](.*[A-Za-z])?$|^no/s;
const mayRead = (key: string) => /:[134]$/.test(key) || OPTION.test(key);
const mayWrite = (key: string) => /:[234]$/.test(key) || OPTION.test(key);

const KEYWORDS =
  "STORE STOREDIST BY GET STREAMS KEYS LIMIT COUNT GROUP NOACK BLOCK WEIGHTS AGGREGATE LEFT RIGHT MIN MAX EX NX XX " +
  "ASC WITHDIST FIELDS REPLACE DB OVERFLOW WITHCODE";
const KINDS = {
  s: "string",
  l: "list",
  e: "set",
  h: "hash",
  z: "zset",
  g: "geo",
  m: "stream",
  p: "hll",
};
const NAMES = Object.keys(KINDS).flatMap((kind) => [0, 1, 2, 3, 4].map((n) => `${kind}:${n}`));
/** Made for these tests: what the comparison does not call, or calls in a plain way only. K is a key, N its number. */
const LINES = `
  MSETEX N K a K b NX | MSETEX 1 K a EX 100 | DELEX K | DELEX K IFEQ x | DIGEST K | SET K v IFEQ x GET
  BITFIELD K GET u8 0 | BITFIELD K OVERFLOW WRAP SET u8 0 7 | BITFIELD K OVERFLOW FAIL GET u4 1 | BITFIELD_RO K GET u8 0
  GETEX K PERSIST | GETEX K EX 100 | GETSET K x | GETDEL K | SETRANGE K 0 x | LCS K K
  SORT K BY nosort STORE K | SORT K ALPHA STORE K STORE K | SORT K BY nosort STORE BY STORE K
  SORT K GET # | SORT K BY w* ALPHA | SORT_RO K ALPHA | SORT K LIMIT 0 9 ALPHA STORE GET STORE K
  GEORADIUS K 0 0 9999 km STORE K | GEORADIUS K 0 0 9999 km STOREDIST STORE STORE K
  GEORADIUS K 0 0 9999 km STORE STOREDIST STOREDIST K | GEORADIUS K 0 0 9999 km COUNT 9 STORE K STOREDIST K
  GEORADIUSBYMEMBER K a 9999 km STOREDIST STORE STORE K | GEORADIUSBYMEMBER K a 9999 km STOREDIST K STORE K
  GEORADIUSBYMEMBER_RO K a 9999 km | GEORADIUS_RO K 0 0 9999 km
  GEOSEARCHSTORE K K FROMMEMBER a BYRADIUS 9999 km STOREDIST
  XREADGROUP GROUP g1 c STREAMS K > | XREADGROUP COUNT 9 GROUP STREAMS STREAMS STREAMS K >
  XREADGROUP NOACK GROUP g1 STREAMS STREAMS K > | XREADGROUP GROUP g1 c NOACK STREAMS K K > >
  XREAD STREAMS K 0 | XREAD COUNT 2 STREAMS K K 0 0 | XREAD STREAMS STREAMS K 0 0 | XINFO STREAM K FULL
  XINFO CONSUMERS K g1 | XINFO GROUPS K | XACKDEL K g1 IDS 1 1-1 | XDELEX K IDS 1 1-1 | XSETID K 99-1
  XAUTOCLAIM K g1 c 0 0 | XCLAIM K g1 c 0 1-1 | XPENDING K g1 - + 9 | XADD K * f v
  ZUNIONSTORE K N K K | ZINTERSTORE K N K K AGGREGATE MAX | ZDIFFSTORE K N K K | ZRANGESTORE K K 0 -1
  ZUNION N K K WITHSCORES | ZINTER N K K | ZINTERCARD N K K LIMIT 1 | SINTERCARD N K K | ZDIFF N K K
  ZMPOP N K K MIN COUNT 2 | LMPOP N K K LEFT COUNT 2 | BLMPOP 1 N K K RIGHT | BZMPOP 1 N K K MAX
  BLPOP K K 1 | BRPOP K 1 | BRPOPLPUSH K K 1 | BLMOVE K K LEFT RIGHT 1 | BZPOPMIN K K 1 | BZPOPMAX K 1 | RPOPLPUSH K K
  COPY K K REPLACE | COPY K K DB 0 | RENAME K K | RENAMENX K K | SMOVE K K a | LMOVE K K LEFT LEFT
  OBJECT ENCODING K | OBJECT FREQ K | OBJECT IDLETIME K | OBJECT REFCOUNT K | MEMORY USAGE K SAMPLES 0
  DEBUG OBJECT K | PFDEBUG GETREG K | PFDEBUG TODENSE K | PFMERGE K K K | PFCOUNT K K | PFADD K x | DUMP K
  HGETEX K EX 100 FIELDS 1 a | HSETEX K FIELDS 1 a b | HGETDEL K FIELDS 1 a | HPEXPIRE K 100000 FIELDS 1 a
  HEXPIRE K 100 FIELDS 1 a | HEXPIREAT K 9999999999 FIELDS 1 a | HPEXPIREAT K 9999999999999 FIELDS 1 a
  HTTL K FIELDS 1 a | HPTTL K FIELDS 1 a | HEXPIRETIME K FIELDS 1 a | HPEXPIRETIME K FIELDS 1 a
  HPERSIST K FIELDS 1 a | HRANDFIELD K 3 WITHVALUES | HSCAN K 0 | SSCAN K 0 | ZSCAN K 0
  SUNIONSTORE K K K | SDIFFSTORE K K K | SINTERSTORE K K K | BITOP OR K K K | BITOP NOT K K | DEL K K | UNLINK K
  TOUCH K K | EXPIRE K 100 | PERSIST K | MSETNX K a K b | RESTORE K 0 x REPLACE | WATCH K | DELIFEQ K x | SINTERSTORE K K K | MOVE K 3
  EVAL return{redis.call('get',KEYS[1])} 1 K | EVAL_RO return{redis.call('get',KEYS[1])} 1 K
  EVAL return{redis.pcall('get',ARGV[1])} 0 K | EVAL return{redis.pcall('set',ARGV[1],'x')} 0 K
`.trim().split(/\n|\|/).map((line) => line.trim().split(" "));
/** They need a target, scripts or libraries that were loaded; the access of EVAL's kind is drawn. */
const NEVER_DRAWN = ["migrate", "evalsha", "evalsha_ro", "fcall", "fcall_ro", "restore-asking"];
/** Of the drawn groups: what is of the server and of sessions tells more than of keys. */
const SPECS = groups.filter(({ name }) => !["server", "transactions"].includes(name))
  .flatMap(({ specs }) => specs)
  .filter(({ name }) =>
    !/^(DEBUG|SELECT|FLUSH|SWAPDB|SCAN|KEYS|RANDOMKEY|DBSIZE|EVAL|CONFIG)/.test(name)
  );

function drawLine(g: Generator): string[] {
  return g.pick(LINES).map((word) =>
    word === "K" ? g.pick(NAMES) : word === "N" ? (g.chance(0.9) ? "2" : g.int()) : word
  );
}

/** A call in which a word may be another's: of an option, of a key, of a number written oddly. */
function drawWords(g: Generator): string[] {
  const words = g.chance(0.6) ? drawLine(g) : drawCall(g, g.pick(SPECS)).words;
  while (g.chance(0.3)) {
    const at = g.between(1, words.length);
    const word = g.pick([
      () => g.pick(KEYWORDS.split(" ")),
      () => g.pick(NAMES),
      () =>
        g.pick(["1", "2", "+1", " 1", "01", "0x1", "1.0", "0", "-1", "0000000001", "4294967297"]),
    ])();
    words.splice(at, g.between(0, 1), word);
    if (g.chance(0.3)) words.splice(at + 1, 0, g.pick(NAMES));
  }
  return words;
}

/** Gives each key a value again, which has the secret in it where the user may not read it. */
function fill(s: TestServer): void {
  for (const name of NAMES) {
    const secret = mayRead(name) ? "plain" : SECRET;
    const run = (...words: string[]) => s.run(words[0], name, ...words.slice(1));
    run("DEL");
    if (name[0] === "s") run("SET", secret);
    else if (name[0] === "l") run("RPUSH", "1", secret, `${secret}2`);
    else if (name[0] === "e") run("SADD", "a", "3", secret);
    else if (name[0] === "h") run("HSET", "a", secret, secret, "1");
    else if (name[0] === "z") run("ZADD", "1", "a", "2", secret);
    else if (name[0] === "g") run("GEOADD", "0", "0", "a", "0.1", "0.1", secret);
    else if (name[0] === "p") run("PFADD", "a", "b", "c");
    else {
      run("XADD", "1-1", "f", secret);
      for (const group of ["g1", "STREAMS", "NOACK"]) s.run("XGROUP", "CREATE", name, group, "0");
    }
  }
}

/** What is seen of keys that the user may not write. */
function untouchable(s: TestServer): Value[] {
  // To read a HyperLogLog may change how it is kept, not what it counts.
  const isCount = (name: string) => name[0] === "p";
  const names = NAMES.filter((name) => !mayWrite(name) && !isCount(name));
  return [
    s.run("DEBUG", "DIGEST-VALUE", ...names)!,
    ...names.map((name) => s.run("PEXPIRETIME", name)!),
    ...NAMES.filter((name) => !mayWrite(name) && isCount(name)).map((name) =>
      s.run("PFCOUNT", name)!
    ),
  ];
}

const shown = (value: Value | undefined): string =>
  JSON.stringify(value, (_, each) => typeof each === "bigint" ? String(each) : each) ?? "";
const isError = (value: Value | undefined): boolean =>
  value !== null && typeof value === "object" && "error" in value;

function userClient(s: TestServer): TestClient {
  const c = s.connect();
  assertEquals(c.run("AUTH", "u", ""), "OK");
  return c;
}

Deno.test("no drawn call changes or tells of a key without the right to it", () => {
  const seed = fuzzSeed(11);
  const g = new Generator(seed);
  const rounds = fuzzRounds(12_000);
  const done = new Map<string, number>();
  let refused = 0;
  let s!: TestServer;
  let c!: TestClient;
  let before: Value[] = [];
  for (let round = 0; round < rounds; round++) {
    if (round % 2_000 === 0) {
      s = testServer({ seed, keepsStream: false });
      s.run("ACL", "SETUSER", "u", "on", "nopass", ...RULES);
    }
    if (round % 50 === 0) {
      s.run("FLUSHALL");
      fill(s);
      before = untouchable(s);
    }
    // One that waits takes nothing else.
    c = userClient(s);
    const words = drawWords(g);
    const where = `seed ${seed}, round ${round}: ${JSON.stringify(words)}`;
    const way = g.below(6);
    let replies: Value[];
    if (way === 0) {
      const script = "return redis.pcall(unpack(ARGV))";
      replies = c.runAll("EVAL", script, "0", ...words);
    } else if (way === 1) {
      c.run("MULTI");
      replies = [...c.runAll(...words), ...c.runAll("EXEC")];
    } else replies = c.runAll(...words);
    s.run("PING");
    replies.push(...c.received());
    const answer = shown(replies);
    assert(!answer.includes(SECRET), `${where} tells ${answer}`);
    assertEquals(untouchable(s), before, where);
    if (/NOPERM|ACL failure/.test(answer)) refused++;
    else if (!isError(replies[0])) {
      const name = words[0].toLowerCase();
      done.set(name, (done.get(name) ?? 0) + 1);
    }
    c.run("RESET");
  }
  assert(
    refused > rounds / 10 && done.size > 150,
    `${refused} refused, ${done.size} commands done`,
  );
});

Deno.test("each command with keys is drawn for rights, but for those that need more than keys", () => {
  const drawn = new Set([
    ...LINES.map(([name]) => name),
    ...SPECS.map(({ name }) => name.split(" ")[0]),
  ]);
  const never = commandTable.filter(({ name, keys = [], findKeys }) =>
    (keys.some(({ flags }) => !flags.includes("not_key")) || findKeys !== undefined) &&
    !drawn.has(name.toUpperCase())
  ).map(({ name }) => name);
  assertEquals(never, NEVER_DRAWN);
});
