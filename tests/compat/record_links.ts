/**
 * Records links between tsredis and real servers of other versions, as fixtures: `deno task record:links [NAME…]`, with
 * TSREDIS_OLD_SERVERS (see tests/support/old_redis.ts). To be run again when what such servers are sent is to change:
 *
 *     served-2-8-24      tsredis as master of a Redis 2.8.24
 *     followed-8-0-m01   tsredis as replica of a Redis 8.0-m01
 *
 * A recording is kept only if both servers hold the same in the end. tests/process/recorded_bridges_test.ts plays them.
 */

import { parseArgs } from "@std/cli/parse-args";
import { toLatin1 } from "../../src/base/bytes.ts";
import { serverVersion } from "../../src/replication/bridge/target.ts";
import { eventually } from "../support/eventually.ts";
import { LinkRecorder } from "../support/link_recorder.ts";
import { hasOldRedis, nameOf, startOldRedis } from "../support/old_redis.ts";
import { digestNote, fileName, type Part, SERVED_ARGS } from "../support/recorded_bridges.ts";
import { ask, askText, differingKeys, linkUp, startPeer } from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";
import type { RespClient } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";

const FOLDER = new URL("../fixtures/replication/", import.meta.url);

const SERVED = [
  ...["2.6.17", "2.8.24", "3.0.7", "3.2.13", "4.0.14", "5.0.14", "6.2.14", "7.4.1"],
  ...["valkey-8.0.1", "8.0-m01"],
];
const FOLLOWED = ["valkey-8.0.1", "8.0-m01"];

/** The commands of clients on the master, one a line, and the version from which on they are in a session. */
interface Session {
  /** What the snapshot has. */
  before: string;
  /** What is sent while the link is up. */
  after: string;
  /** What happens while it is cut, and once it is there again. */
  whileCut: string;
  later: string;
}

/** Data and words that every server has. No words with spaces, and nothing that is drawn by chance. */
const PLAIN: Session = {
  before: `
    SET s value
    SET n 12345
    SET till v PXAT 4000000000000
    RPUSH l a b c d e f 1 2
    SADD i 1 2 300
    SADD m one
    HSET h f v g w
    ZADD z 1 a 2.5 b 3 c 4 d
    SETBIT bits 9 1
    SELECT 3
    SET in3 x
    SELECT 0`,
  after: `
    SET a v PXAT 4000000000000
    SET a w KEEPTTL
    SET a x GET
    SETEX e 100 v
    PSETEX e 100000 w
    SET only v NX
    GETSET only w
    SET g v
    GETEX g PXAT 4000000000000
    GETEX g PERSIST
    GETDEL g
    PEXPIREAT a 4000000000000
    PEXPIREAT a 4000000000001 GT
    EXPIRE n 100 NX
    PERSIST n
    SET gone v
    PEXPIREAT gone 1
    INCR n
    INCRBYFLOAT n 0.5
    APPEND s more
    SETRANGE s 2 xy
    SETBIT bits 3 1
    BITOP AND both bits s
    LPOP l 2
    RPOP l 1
    RPOP l
    LMOVE l l2 LEFT RIGHT
    LMOVE l l2 RIGHT LEFT
    LMPOP 1 l LEFT COUNT 1
    LPUSHX l2 x y
    RPUSHX l2 z
    LINSERT l2 BEFORE z w
    LSET l2 0 first
    SPOP m 1
    SADD m p q
    SMOVE m i p
    SINTERSTORE si i m
    SUNIONSTORE su i m
    HSET h x 1 y 2
    HINCRBYFLOAT h x 0.5
    HDEL h f
    ZADD z GT CH 9 a 0 b
    ZADD z NX 5 e
    ZADD z INCR 1 e
    ZPOPMIN z
    ZPOPMAX z 1
    ZRANGESTORE zs z 0 1
    ZUNIONSTORE zu 2 z zs WEIGHTS 1 2 AGGREGATE MAX
    ZREMRANGEBYRANK zu 0 0
    SORT i STORE sorted
    COPY a copied
    COPY l2 copied2 DB 3 REPLACE
    RENAME copied other
    MOVE only 3
    UNLINK both
    TOUCH s
    MULTI
    SET in1 1 PXAT 4000000000000
    LPOP l2 2
    EXEC
    EVAL redis.call('set','evaled',KEYS[1],'pxat',4000000000000) 1 s
    SELECT 5
    SET x y
    FLUSHDB
    SET x z
    SELECT 0
    PUBLISH channel message
    SPUBLISH channel message
    SCRIPT FLUSH SYNC
    FUNCTION FLUSH`,
  whileCut: `
    SET cut v
    GETDEL s
    COPY n cut2`,
  later: `
    LMOVE l2 l RIGHT LEFT
    SET last word`,
};

/** Where the bytes are Redis's own since 2.8.9 (the registers of counts), 3.2 (places, fields of bits). */
const SINCE_3_2: Session = {
  before: "PFADD count a b c\n GEOADD geo 13.3 52.5 berlin 2.3 48.8 paris",
  after: `
    PFADD count d e
    PFMERGE merged count
    BITFIELD field SET u8 0 65
    GEOADD geo 12.5 41.9 rome
    GEORADIUS geo 13 52 900 km STORE near
    GEOSEARCHSTORE found geo FROMMEMBER berlin BYRADIUS 1000 km`,
  whileCut: "",
  later: "",
};

const STREAMS: Session = {
  before: `
    XADD stream 1-1 f v
    XADD stream 2-1 f v g w
    XGROUP CREATE stream g 0
    XREADGROUP GROUP g c COUNT 1 STREAMS stream >`,
  after: `
    XADD stream 3-1 f v
    XADD stream NOMKSTREAM 4-1 f v
    XADD stream MAXLEN = 4 5-1 f v
    XADD stream MINID = 3 6-1 f v
    XREADGROUP GROUP g c COUNT 2 STREAMS stream >
    XGROUP CREATECONSUMER stream g idle
    XGROUP CREATE stream h $ ENTRIESREAD 2
    XAUTOCLAIM stream g other 0 0 COUNT 1
    XACK stream g 4-1
    XDEL stream 5-1
    XTRIM stream MINID = 5
    XGROUP SETID stream h 6-1 ENTRIESREAD 5
    XSETID stream 9-9 ENTRIESADDED 9 MAXDELETEDID 5-1
    XGROUP DELCONSUMER stream g idle`,
  whileCut: "XADD stream 10-1 f v",
  later: "XADD stream MAXLEN = 1 11-1 f v",
};

const FIELDS: Session = {
  before: "HSET fields a 1 b 2 c 3\n HPEXPIREAT fields 4000000000000 FIELDS 1 a",
  after: `
    HPEXPIREAT fields 4000000000001 FIELDS 1 b
    HPERSIST fields FIELDS 1 a
    HPEXPIREAT fields 1 FIELDS 1 c`,
  whileCut: "HEXPIREAT fields 4000000001 FIELDS 1 a",
  later: "",
};

/** Which server's data the sessions are for, and whose words. */
function sessionsFor(version: string): Session[] {
  if (version.startsWith("valkey")) return [PLAIN, SINCE_3_2, STREAMS];
  const number = serverVersion(version.replace("-m", "."));
  const all = [PLAIN];
  if (number >= 30_200) all.push(SINCE_3_2);
  if (number >= 50_000) all.push(STREAMS);
  if (number >= 70_400) all.push(FIELDS);
  return all;
}

/** The commands of a part of all sessions. Those of a real master have no time that is over when they are played. */
function commands(version: string, step: keyof Session, part: Part): string[] {
  return sessionsFor(version).flatMap((session) => session[step].split("\n"))
    .map((line) => line.trim())
    .filter((line) => line !== "" && !(part === "followed" && /^(EXPIRE|P?SETEX) /.test(line)));
}

/** So long nothing may come before the next command is run. */
const QUIET_MS = 40;

class Recording {
  constructor(
    readonly version: string,
    readonly part: Part,
    readonly client: RespClient,
    readonly proxy: LinkProxy,
    readonly recorder: LinkRecorder,
  ) {}

  async run(step: keyof Session): Promise<void> {
    for (const line of commands(this.version, step, this.part)) {
      await this.#quiet();
      this.recorder.note(`client on master: ${line}`);
      await this.client.call(...line.split(" "));
    }
    await this.#quiet();
  }

  async #quiet(): Promise<void> {
    for (let seen = -1, now = this.#count(); seen !== now; now = this.#count()) {
      seen = now;
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    }
  }

  #count(): number {
    return this.proxy.links.at(-1)?.count("toReplica") ?? 0;
  }
}

/** Whether such a replica tells how far it has come. */
function hasAcks(version: string): boolean {
  return !version.startsWith("2.6");
}

/** The stream flows once the replica has told for the first time. */
function hasAcknowledged({ link }: LinkProxy): boolean {
  return toLatin1(link.recorded("toMaster")).includes("\r\nACK\r\n");
}

function start(version: string, args: readonly string[]): Promise<ServerProcess> {
  return version === "tsredis"
    ? startPeer("tsredis", { args: [...args] })
    : startOldRedis(version, { args: [...args] });
}

async function record(version: string, part: Part): Promise<string> {
  const isServed = part === "served";
  const masterArgs = isServed ? SERVED_ARGS : [...SERVED_ARGS, "--repl-diskless-sync-delay", "0"];
  await using master = await start(isServed ? "tsredis" : version, masterArgs);
  await using replica = await start(isServed ? version : "tsredis", []);
  using client = await master.connect();
  const recorder = new LinkRecorder();
  await using proxy = LinkProxy.to(master, { watcher: recorder });
  const recording = new Recording(version, part, client, proxy, recorder);
  await recording.run("before");
  recorder.note("client on replica: REPLICAOF 127.0.0.1 <master>");
  await ask(replica, "SLAVEOF", "127.0.0.1", `${proxy.port}`);
  await linkUp(replica);
  if (hasAcks(version)) await eventually(() => hasAcknowledged(proxy), { what: "an ACK" });
  await recording.run("after");
  await proxy.refuse();
  proxy.cut();
  await recording.run("whileCut");
  proxy.accept();
  await eventually(async () => (await askText(replica, "INFO")).includes("master_link_status:up"), {
    timeoutMs: 20_000,
    what: "the link to be up again",
  });
  await recording.run("later");
  const digest = await eventually(async () => {
    const [one, other] = await Promise.all(
      [master, replica].map((server) => askText(server, "DEBUG", "DIGEST")),
    );
    if (one !== other) throw new Error((await differingKeys(master, replica)).join("\n"));
    return one;
  }, { what: `equal digests\n${master.log}\n${replica.log}` });
  recorder.note(digestNote(digest));
  return isServed
    ? recorder.transcript(
      `${nameOf(version)} as replica of tsredis`,
      "What it is sent, and was found to hold in the end.",
    )
    : recorder.transcript(
      `${nameOf(version)} as master of tsredis`,
      "What it sends, and both were found to hold in the end.",
    );
}

async function main(): Promise<void> {
  const { _: only } = parseArgs(Deno.args, { string: ["_"] });
  for (const [part, versions] of [["served", SERVED], ["followed", FOLLOWED]] as const) {
    for (const version of versions) {
      const name = fileName(part, version);
      if (only.length > 0 && !only.includes(name)) continue;
      if (!hasOldRedis(version)) {
        console.log(`${name}: no such server in TSREDIS_OLD_SERVERS`);
        continue;
      }
      const text = await record(version, part);
      await Deno.writeTextFile(new URL(`${name}.txt`, FOLDER), text);
      console.log(`${name}: ${text.length} bytes`);
    }
  }
}

if (import.meta.main) await main();
