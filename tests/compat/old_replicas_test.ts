/**
 * Real servers of Redis 2.4 to 8.0 and Valkey as replicas of tsredis: under a load of every write command that their data
 * can hold they end with the same data, are counted by WAIT, and go on partially after a cut link; and so behind a
 * tsredis that follows a newer server. Skipped by name where a server is not there (tests/support/old_redis.ts).
 */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { fuzzSeed } from "../support/fuzz.ts";
import { hasOldRedis, lacks, nameOf, OLD_VERSIONS, startOldRedis } from "../support/old_redis.ts";
import { LOAD_DATABASES, startLoad } from "../support/replication_load.ts";
import {
  type Address,
  ask,
  askText,
  assertNoFaults,
  countedFor,
  infoOf,
  linkUp,
  startPeer,
  syncCounts,
  withLog,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { connect, type Reply, textOf } from "../support/resp_client.ts";

const SEED = fuzzSeed(20_180_322);

/** Makes a server a replica by the word that all know. */
async function follow(replica: Address, master: Address): Promise<void> {
  await ask(replica, "SLAVEOF", "127.0.0.1", `${master.port}`);
}

/** Waits until a replica has acknowledged everything, and compares the data. */
async function assertSame(master: ServerProcess, replica: ServerProcess): Promise<void> {
  await withLog([master, replica], async () => {
    await eventually(async () => {
      using client = await master.connect();
      await client.call("SET", "the last", "word");
      const reply = await client.call("WAIT", "1", "1000");
      return reply.kind === "integer" && Number(reply.value) === 1;
    }, { timeoutMs: 60_000, what: "WAIT to count the replica" });
    await sameValues(master, replica);
    await assertSameTimes(master, replica);
  });
}

/**
 * Waits until two servers hold the same. DEBUG DIGEST is not asked: that of 2.6 and 2.8 ends the server where its table of
 * keys grows meanwhile, and since 7.2 it takes scores in another form.
 */
async function sameValues(one: Address, other: Address): Promise<void> {
  await eventually(async () => {
    const [left, right] = await Promise.all([valuesOf(one), valuesOf(other)]);
    const names = new Set([...left.keys(), ...right.keys()]);
    const differing = [...names].filter((name) => left.get(name) !== right.get(name));
    if (differing.length === 0) return true;
    const shown = differing.slice(0, 3).map((name) =>
      `${name}: ${left.get(name)} and ${right.get(name)}`
    );
    throw new Error(`${differing.length} keys differ: ${shown.join("; ")}`);
  }, { timeoutMs: 30_000, what: "equal values" });
}

/** How a value is read whole, by its type. */
const READS: Record<string, (key: string) => string[]> = {
  string: (key) => ["GET", key],
  list: (key) => ["LRANGE", key, "0", "-1"],
  set: (key) => ["SMEMBERS", key],
  hash: (key) => ["HGETALL", key],
  zset: (key) => ["ZRANGE", key, "0", "-1", "WITHSCORES"],
  stream: (key) => ["XRANGE", key, "-", "+"],
};

/** All values of a server as text, by database and key. */
async function valuesOf(server: Address): Promise<Map<string, string>> {
  using client = await connect(server.port);
  const values = new Map<string, string>();
  for (let database = 0; database < LOAD_DATABASES; database++) {
    await client.call("SELECT", `${database}`);
    const keys = await client.call("KEYS", "*");
    assert(keys.kind === "array");
    for (const key of keys.items.map(textOf)) {
      const type = textOf(await client.call("TYPE", key));
      if (type === "none") continue;
      values.set(`${database}: ${key}`, shownValue(type, await client.call(...READS[type](key))));
    }
  }
  return values;
}

/** A value as text that is the same wherever the value is: in an order that all share, scores as numbers. */
function shownValue(type: string, reply: Reply): string {
  if (reply.kind !== "array" || type === "list" || type === "stream") return JSON.stringify(reply);
  const words = reply.items.map(textOf);
  if (type === "set") return JSON.stringify(words.sort());
  const pairs: [string, string | number][] = [];
  for (let i = 0; i < words.length; i += 2) {
    pairs.push([words[i], type === "zset" ? Number(words[i + 1]) : words[i + 1]]);
  }
  return JSON.stringify(type === "zset" ? pairs : pairs.sort(([a], [b]) => a < b ? -1 : 1));
}

/** What the measuring of a time may take, in ms. */
const SLACK_MS = 50;

/** When keys expire, as far as servers without PEXPIRETIME can be asked. */
async function assertSameTimes(master: ServerProcess, replica: ServerProcess): Promise<void> {
  using ours = await master.connect();
  using theirs = await replica.connect();
  const keys = await ours.call("KEYS", "*");
  assert(keys.kind === "array");
  for (const key of keys.items.map(textOf)) {
    const [left, right] = await Promise.all([ours.call("PTTL", key), theirs.call("PTTL", key)]);
    assert(left.kind === "integer" && right.kind === "integer");
    const [a, b] = [Number(left.value), Number(right.value)];
    // A key that is about to go is there until the master says so.
    // Nor is one compared whose time is too far away to be a number here.
    if (a < SLACK_MS * 10 || a > Number.MAX_SAFE_INTEGER) continue;
    assert(Math.abs(a - b) < SLACK_MS * 10, `${key} has ${a} ms here and ${b} there`);
  }
}

/** Servers that need nothing translated, but for what their handshakes are. */
const NEWER_VERSIONS = ["7.4.1", "valkey-8.0.1", "valkey-unstable", "8.0-m01"];

for (const version of [...OLD_VERSIONS, ...NEWER_VERSIONS]) {
  const ignore = !hasOldRedis(version);
  for (const sync of ["yes", "no"]) {
    Deno.test({
      name: `${
        nameOf(version)
      } follows tsredis under a load (repl-diskless-sync ${sync}) [old servers]`,
      ignore,
      async fn() {
        console.log(`seed ${SEED}`);
        await using master = await startPeer("tsredis", {
          args: ["--repl-diskless-sync", sync],
        });
        await using replica = await startOldRedis(version);
        await using load = await startLoad(master, { seed: SEED, leavesOut: lacks(version) });
        await load.further(500);
        await follow(replica, master);
        await linkUp(replica);
        await load.further(4_000);
        await load.stop();
        await assertSame(master, replica);
      },
    });
  }

  Deno.test({
    name: `${
      nameOf(version)
    } goes on partially after a cut link, and tells of all it has [old servers]`,
    ignore,
    async fn() {
      await using master = await startPeer("tsredis");
      await using replica = await startOldRedis(version);
      await using proxy = LinkProxy.to(master);
      await using load = await startLoad(master, {
        seed: SEED + 1,
        leavesOut: (words) => lacks(version)(words) || /^flush/i.test(words[0]),
      });
      await follow(replica, proxy);
      await linkUp(replica);
      const before = await syncCounts(master);
      for (let cut = 1; cut <= 3; cut++) {
        await load.further(500);
        const links = proxy.links.length;
        proxy.cutAfter("toReplica", proxy.link.count("toReplica") + 1_000 * cut);
        await eventually(() => proxy.links.length > links, {
          timeoutMs: 20_000,
          what: "a new link",
        });
        await linkUp(replica);
      }
      await load.stop();
      await assertSame(master, replica);
      const after = await syncCounts(master);
      await withLog([master, replica], async () => {
        assertEquals([after.full, after.partialOk], [before.full, before.partialOk + 3]);
        await eventually(async () => {
          const { master_repl_offset, slave0 } = await infoOf(master);
          return slave0.includes(`offset=${master_repl_offset},`);
        }, { timeoutMs: 20_000, what: "the replica to have acknowledged all" });
      });
    },
  });
}

Deno.test({
  name:
    "redis 3.2.13 gets anew what it cannot be told: SWAPDB, and refuses a stream by its name [old servers]",
  ignore: !hasOldRedis("3.2.13"),
  async fn() {
    await using master = await startPeer("tsredis");
    await using replica = await startOldRedis("3.2.13");
    await ask(master, "SET", "k", "v");
    await follow(replica, master);
    await linkUp(replica);
    await ask(master, "SWAPDB", "0", "1");
    await master.untilLogged(/synchronize anew: .*two databases that change places/);
    await eventually(async () => (await syncCounts(master)).full === 2, {
      timeoutMs: 20_000,
      what: "the second full sync",
    });
    await linkUp(replica);
    await assertSame(master, replica);
    await ask(master, "XADD", "events", "*", "f", "v");
    await master.untilLogged('RDB version 6 cannot hold the stream "events" (database 0)');
    await ask(master, "SET", "k", "later");
    await ask(master, "DEL", "events");
    await linkUp(replica);
    await assertSame(master, replica);
  },
});

// -- between a newer master and an older replica ------------------------------------------------------------------

for (const newer of NEWER_VERSIONS) {
  for (const version of [...OLD_VERSIONS, ...NEWER_VERSIONS]) {
    Deno.test({
      name: `${nameOf(newer)} -> tsredis -> ${
        nameOf(version)
      }: equal data after a load [old servers]`,
      ignore: !hasOldRedis(newer) || !hasOldRedis(version),
      async fn() {
        await using master = await startOldRedis(newer, {
          args: ["--repl-diskless-sync-delay", "0"],
        });
        await using bridge = await startPeer("tsredis");
        await using replica = await startOldRedis(version);
        const seed = SEED + 2;
        await using load = await startLoad(master, { seed, leavesOut: lacks(version) });
        await load.further(500);
        await follow(bridge, master);
        await linkUp(bridge);
        await follow(replica, bridge);
        await linkUp(replica);
        await load.further(3_000);
        await load.stop();
        await ask(master, "SET", "the last", "word");
        await withLog([master, bridge, replica], async () => {
          await eventually(async () => await askText(replica, "GET", "the last") === "word", {
            timeoutMs: 30_000,
            what: "the last word",
          });
          await sameValues(bridge, replica);
          await sameValues(master, bridge);
          assertEquals((await infoOf(bridge)).connected_slaves, "1");
          assertNoFaults(bridge);
        });
      },
    });
  }
}

const NEWER = "7.4.1";

// Valkey 8 refuses payloads of version 12, whatever is in them; nobody has told tsredis that it is one.
for (const isBridge of [true, false]) {
  const path = isBridge ? `redis ${NEWER} -> tsredis` : "tsredis";
  Deno.test({
    name: `${path} -> valkey 8.0.1: payloads that name version 12 arrive [old servers]`,
    ignore: !hasOldRedis("valkey-8.0.1") || !hasOldRedis(NEWER),
    async fn() {
      await using newer = await startOldRedis(NEWER, {
        args: ["--repl-diskless-sync-delay", "0"],
      });
      await using bridge = await startPeer("tsredis");
      await using replica = await startOldRedis("valkey-8.0.1");
      if (isBridge) {
        await follow(bridge, newer);
        await linkUp(bridge);
      }
      await follow(replica, bridge);
      await linkUp(replica);
      using source = await newer.connect();
      await source.call("SELECT", "1");
      const sources = [
        ["SET", "string", "v"],
        ["SADD", "set", "a", "b"],
        ["RPUSH", "list", "a", "b"],
        ["HSET", "hash", "f", "v"],
        ["ZADD", "zset", "1", "m"],
        ["XADD", "stream", "1-1", "f", "v"],
      ];
      for (const words of sources) await source.call(...words);
      using client = await (isBridge ? newer : bridge).connect();
      const payloads = new Map<string, string>();
      for (const [, key] of sources) payloads.set(key, textOf(await source.call("DUMP", key)));
      for (const [key, payload] of payloads) {
        assertEquals(payload.charCodeAt(payload.length - 10), 12);
        await client.call("RESTORE", key, "0", payload);
        await client.call("RESTORE", `${key} to go`, "1000000", payload, "IDLETIME", "3");
        await client.call("EVAL", RESTORING, "1", `${key} of a script`, payload);
      }
      await client.call("MULTI");
      for (const [key, payload] of payloads) {
        await client.call("RESTORE", `${key} together`, "0", payload, "REPLACE");
      }
      await client.call("EXEC");
      await source.call("FUNCTION", "LOAD", LIBRARY);
      const libraries = textOf(await source.call("FUNCTION", "DUMP"));
      await client.call("FUNCTION", "RESTORE", libraries, "FLUSH");
      await client.call("SET", "the last", "word");
      await withLog([newer, bridge, replica], async () => {
        await eventually(async () => await askText(replica, "GET", "the last") === "word", {
          timeoutMs: 30_000,
          what: "the last word",
        });
        await sameValues(bridge, replica);
        using other = await replica.connect();
        assertEquals(await other.call("DBSIZE"), await client.call("DBSIZE"));
        assertEquals(textOf(await other.call("FCALL_RO", "answer", "0")), "42");
        assertEquals((await syncCounts(bridge)).full, 1);
        assertNoFaults(bridge);
      });
    },
  });
}

const RESTORING = "return redis.call('RESTORE', KEYS[1], 0, ARGV[1])";
const LIBRARY = `#!lua name=l
redis.register_function{
  function_name = 'answer', callback = function() return '42' end, flags = {'no-writes'}
}`;

Deno.test({
  name:
    `redis ${NEWER} -> tsredis -> redis 6.2.14: what ${NEWER} does with numbers out of range is done as there [old servers]`,
  ignore: !hasOldRedis(NEWER) || !hasOldRedis("6.2.14"),
  async fn() {
    await using master = await startOldRedis(NEWER, { args: ["--repl-diskless-sync-delay", "0"] });
    await using bridge = await startPeer("tsredis", { args: ["--rdb-version-for-replicas", "9"] });
    await using replica = await startOldRedis("6.2.14");
    await follow(bridge, master);
    await linkUp(bridge);
    await follow(replica, bridge);
    await linkUp(replica);
    await ask(master, "RPUSH", "l", "a", "b", "c", "d", "e");
    for (const index of ["9223372036854775807", "4294967296", "-4294967298"]) {
      await ask(master, "LSET", "l", index, index);
    }
    await ask(master, "XADD", "s", "1-1", "f", "v");
    await ask(master, "XGROUP", "CREATE", "s", "g", "0", "ENTRIESREAD", "9223372036854775807");
    await ask(master, "XREADGROUP", "GROUP", "g", "c", "NOACK", "STREAMS", "s", ">");
    await ask(master, "SET", "the last", "word");
    await withLog([master, bridge, replica], async () => {
      await eventually(async () => await askText(replica, "GET", "the last") === "word", {
        timeoutMs: 30_000,
        what: "the last word",
      });
      const expected = await ask(master, "LRANGE", "l", "0", "-1");
      for (const server of [bridge, replica]) {
        assertEquals(await ask(server, "LRANGE", "l", "0", "-1"), expected);
        const groups = await ask(server, "XINFO", "GROUPS", "s");
        assert(groups.kind === "array" && groups.items[0].kind === "array");
        assertEquals(textOf(groups.items[0].items[7]), "1-1");
      }
      assertNoFaults(bridge);
    });
  },
});

for (
  const [version, args] of [
    ["6.2.14", ["--rdb-version-for-replicas", "9"]],
    ["valkey-8.0.1", []], // it tells its version
  ] as [string, string[]][]
) {
  Deno.test({
    name: `redis ${NEWER} -> tsredis -> ${
      nameOf(version)
    }: a field that expires ends the link by its name [old servers]`,
    ignore: !hasOldRedis(NEWER) || !hasOldRedis(version),
    async fn() {
      await using master = await startOldRedis(NEWER, {
        args: ["--repl-diskless-sync-delay", "0"],
      });
      await using bridge = await startPeer("tsredis", { args });
      await using replica = await startOldRedis(version);
      await ask(master, "HSET", "h", "f", "v", "g", "w");
      await follow(bridge, master);
      await linkUp(bridge);
      await follow(replica, bridge);
      await linkUp(replica);
      assertEquals(await askText(replica, "HGET", "h", "f"), "v");
      await ask(master, "HEXPIRE", "h", "1000", "FIELDS", "1", "f");
      await bridge.untilLogged(/synchronize anew: .*fields of the hash "h" expire \(database 0\)/);
      await bridge.untilLogged(/is refused, as it cannot have all of the data: .*the hash "h"/);
      assertEquals(await askText(replica, "HGET", "h", "f"), "v");
      await ask(master, "HPERSIST", "h", "FIELDS", "1", "f");
      await ask(master, "HSET", "h", "g", "later");
      await linkUp(replica);
      await eventually(async () => await askText(replica, "HGET", "h", "g") === "later", {
        timeoutMs: 30_000,
        what: "the replica to have the later value",
      });
    },
  });
}

for (const version of ["7.2.4", "7.4.1", "8.0-m01", "valkey-7.2.7"]) {
  const isOlder = version.includes("7.2");
  Deno.test({
    name: `${nameOf(version)}, which does not tell its version, ${
      isOlder ? "is found not to know" : "is found to know"
    } fields that expire [old servers]`,
    ignore: !hasOldRedis(version),
    async fn() {
      await using master = await startPeer("tsredis", {
        args: ["--repl-diskless-sync-delay", "0"],
      });
      await using replica = await startOldRedis(version);
      await ask(master, "HSET", "h", "f", "v");
      await follow(replica, master);
      await linkUp(replica);
      const count = await countedFor(
        master,
        isOlder ? 500 : 10_000,
        ...["HEXPIRE", "h", "1000", "FIELDS", "1", "f"],
      );
      assertEquals(count, isOlder ? 0 : 1);
      const sentence = /cannot be told to a server older than Redis 7\.4: .*the hash "h"/;
      if (isOlder) await master.untilLogged(sentence);
      else {
        assertEquals(sentence.test(master.log), false);
        assertEquals((await syncCounts(master)).full, 1);
      }
    },
  });
}

Deno.test({
  name:
    "redis 2.4.18, which reads no snapshot of ours, has to wait longer for each further one [old servers]",
  ignore: !hasOldRedis("2.4.18"),
  async fn() {
    await using master = await startPeer("tsredis");
    await ask(master, "SET", "k", "v");
    await using replica = await startOldRedis("2.4.18");
    await follow(replica, master);
    await master.untilLogged("Redis 2.4 and older cannot follow");
    for (const seconds of [2, 4, 8]) {
      await master.untilLogged(`has to wait for ${seconds} seconds`);
    }
    assertEquals((await syncCounts(master)).full, 5, "two before the first pause, and asked for");
  },
});

Deno.test({
  name: "redis 2.6.17, which knows SYNC alone, follows tsredis under a load [old servers]",
  ignore: !hasOldRedis("2.6.17"),
  async fn() {
    await using master = await startPeer("tsredis");
    await using replica = await startOldRedis("2.6.17");
    await using load = await startLoad(master, { seed: SEED + 3, leavesOut: lacks("2.6.17") });
    await load.further(500);
    await follow(replica, master);
    await linkUp(replica);
    await load.further(4_000);
    await load.stop();
    await ask(master, "SET", "the last", "word");
    await withLog([master, replica], async () => {
      await eventually(async () => await askText(replica, "GET", "the last") === "word", {
        timeoutMs: 30_000,
        what: "the last word",
      });
      await sameValues(master, replica);
      assertNoFaults(master);
    });
  },
});
