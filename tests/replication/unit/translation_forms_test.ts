/** What older servers are sent in place of commands that they do not know: the stream as it comes to them. */

import { assert, assertEquals } from "@std/assert";
import { toLatin1 } from "../../../src/base/bytes.ts";
import { type StreamPart, WordAt } from "../../../src/propagation/stream_part.ts";
import { AS_IS, formFor } from "../../../src/replication/bridge/forms.ts";
import { StreamRequests } from "../../../src/replication/bridge/stream_requests.ts";
import { targetOf } from "../../../src/replication/bridge/target.ts";
import { Words } from "../../../src/resp/words.ts";
import { latin1 } from "../../../src/base/bytes.ts";
import { MasterRig, type Peer } from "../../support/master_rig.ts";

/** A replica that is taken for a server that reads this version of snapshots, and has been sent one. */
function olderReplica(rig: MasterRig, version: number): Peer {
  rig.run("CONFIG", "SET", "rdb-version-for-replicas", String(version));
  const peer = rig.peer("listening-port", "7001", "capa", "eof", "capa", "psync2");
  peer.send("PSYNC", "?", "-1");
  rig.snapshots.make("RDB");
  rig.snapshots.endRelay();
  peer.read();
  peer.send("REPLCONF", "ACK", "0");
  return peer;
}

/** The commands of a stream, each as its words with spaces between them; payloads of RESTORE as "...". */
function commandsIn(stream: string): string[] {
  const requests = new StreamRequests();
  const bytes = latin1(stream);
  requests.begin(bytes, 0, bytes.length);
  const commands: string[] = [];
  while (requests.next()) {
    const { words } = requests;
    const texts = Array.from({ length: words.count }, (_, i) => words.text(i));
    if (texts[0] === "RESTORE") texts[3] = "...";
    if (texts[0] === "EVAL") texts[1] = "script";
    commands.push(texts.join(" "));
  }
  return commands;
}

/** What a replica of this version is sent of these requests, without the SELECT before the first. */
async function said(version: number, before: string[], ...requests: string[]): Promise<string[]> {
  const rig = new MasterRig();
  for (const request of before) rig.run(...request.split(" "));
  const peer = olderReplica(rig, version);
  for (const request of requests) rig.run(...request.split(" "));
  await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
  const commands = commandsIn(peer.read());
  assert(!peer.isClosed, rig.logLines.join(""));
  return commands.filter((command) => command !== "SELECT 0");
}

/** Version, what is there, requests, and what is said: null if that is the requests themselves. */
const CASES: [version: number, before: string, requests: string, said: string | null][] = [
  [9, "", "SET k v PXAT 4000000000000", "MULTI; SET k v; PEXPIREAT k 4000000000000; EXEC"],
  [10, "", "SET k v PXAT 4000000000000", null],
  [9, "SET k 1", "INCRBYFLOAT k 0.5", "EVAL script 1 k 1.5"],
  [9, "", "SETEX k 10 v", "MULTI; SET k v; PEXPIREAT k <ms>; EXEC"],
  [9, "", "SET k v NX", null],
  [9, "SET k 1", "SET k 2 GET", "SET k 2"],
  [9, "SET k 1", "GETDEL k", "DEL k"],
  [9, "SET k 1", "BITFIELD k INCRBY u8 0 1", "MULTI; DEL k; RESTORE k 0 ...; EXEC"],
  [9, "SET k 1", "BITFIELD k SET u8 0 50", null],
  [9, "SET k 1", "GETEX k PXAT 4000000000000", "PEXPIREAT k 4000000000000"],
  [9, "SET k 1", "PEXPIREAT k 4000000000000 NX", "PEXPIREAT k 4000000000000"],
  [10, "SET k 1", "PEXPIREAT k 4000000000000 NX", null],
  [9, "SET k 1", "COPY k c", "EVAL script 2 k c"],
  [9, "SET k 1", "COPY k c DB 3", "EVAL script 2 k c 3 0"],
  [9, "SET k 1", "COPY k c DB 3 DB 5", "EVAL script 2 k c 5 0"],
  [9, "RPUSH l a b c", "LPOP l 2", "LTRIM l 2 -1"],
  [9, "RPUSH l a b c", "RPOP l 2", "LTRIM l 0 -3"],
  [9, "RPUSH l a b c", "RPOP l", null],
  [9, "RPUSH l a b c", "LPOP l 9223372036854775807", "LTRIM l 9007199254740991 -1"],
  [9, "RPUSH l a b c", "LMPOP 1 l LEFT COUNT 2", "LTRIM l 2 -1"],
  [9, "RPUSH l a b", "LMOVE l m RIGHT LEFT", "RPOPLPUSH l m"],
  [9, "RPUSH l a b", "LMOVE l m LEFT RIGHT", "EVAL script 2 l m lpop rpush"],
  [9, "ZADD z 1 a", "ZADD z GT CH 2 a 3 b", "EVAL script 1 z gc 2 a 3 b"],
  [9, "", "ZADD z NX 1 a", null],
  [6, "", "ZADD z NX 1 a", "EVAL script 1 z n 1 a"],
  [9, "ZADD z 1 a 2 b", "ZRANGESTORE y z 0 0", "MULTI; DEL y; RESTORE y 0 ...; EXEC"],
  [9, "ZADD z 1 a 2 b", "ZRANGESTORE z z 5 6", "MULTI; DEL z; EXEC"],
  [8, "ZADD z 1 a 2 b", "ZPOPMIN z", "ZREMRANGEBYRANK z 0 0"],
  [8, "ZADD z 1 a 2 b", "ZPOPMAX z 2", "ZREMRANGEBYRANK z -2 -1"],
  [9, "ZADD z 1 a 2 b", "ZPOPMAX z 2", null],
  [7, "", "HSET h a 1 b 2", "HMSET h a 1 b 2"],
  [7, "", "HSET h a 1", null],
  [8, "", "HSET h a 1 b 2", null],
  [7, "RPUSH l a", "RPUSHX l b c", "MULTI; RPUSHX l b; RPUSHX l c; EXEC"],
  [7, "SET k 1", "UNLINK k", "DEL k"],
  [8, "SET k 1", "UNLINK k", null],
  [8, "", "FLUSHALL SYNC", "FLUSHALL"],
  [6, "", "BITFIELD b SET u8 0 65", "MULTI; DEL b; RESTORE b 0 ...; EXEC"],
  [7, "", "BITFIELD b SET u8 0 65", null],
  [6, "", "GEOADD g 13.3 52.5 m", "ZADD g 3673960699257099 m"],
  [6, "", "PFMERGE p", "MULTI; DEL p; RESTORE p 0 ...; EXEC"],
  [6, "", "PFADD p a", "MULTI; DEL p; RESTORE p 0 ...; EXEC"],
  [8, "", "PFADD p a", null],
  [8, "PFADD p a", "PFCOUNT p", "MULTI; DEL p; RESTORE p 0 ...; EXEC"],
  [9, "PFADD p a", "PFCOUNT p", null],
  [9, "", "XADD x NOMKSTREAM MAXLEN = 5 1-1 f v", ""],
  [9, "XADD x 1-1 f v", "XADD x NOMKSTREAM MAXLEN = 5 2-1 f v", "XADD x MAXLEN 5 2-1 f v"],
  [
    9,
    "XADD x 1-1 f v",
    "XADD x MINID 2 3-1 f v",
    "MULTI; XADD x 3-1 f v; EVAL script 1 x 1-<max>; EXEC",
  ],
  [9, "XADD x 1-1 f v", "XTRIM x MINID 2-5", "EVAL script 1 x 2-4"],
  [9, "XADD x 1-1 f v", "XGROUP CREATE x g 0 ENTRIESREAD 1", "XGROUP CREATE x g 0"],
  [
    9,
    "XGROUP CREATE x g 0 MKSTREAM",
    "XGROUP CREATECONSUMER x g c",
    "XREADGROUP GROUP g c STREAMS x <max>-<max>",
  ],
  [9, "XADD x 1-1 f v", "XSETID x 5-5 ENTRIESADDED 9 MAXDELETEDID 1-1", "XSETID x 5-5"],
  [9, "", "PUBLISH c m", null],
  [9, "", "SPUBLISH c m", ""],
  [9, "", "FUNCTION FLUSH", ""],
  [9, "SET k v", "EVAL return(redis.call('copy','k','c')) 0", "EVAL script 2 k c"],
];

for (const [version, before, request, expected] of CASES) {
  Deno.test(`${request} is said to who reads version ${version} as ${expected ?? "it is"}`, async () => {
    const commands = await said(version, before === "" ? [] : [before], request);
    const text = commands.join("; ").replaceAll("18446744073709551615", "<max>");
    assertEquals(text.replace(/PEXPIREAT k 1\d+/, "PEXPIREAT k <ms>"), expected ?? request);
  });
}

Deno.test("a copy's time, which a script can only tell by what is left, is told again", async () => {
  const commands = await said(9, ["SET k v PXAT 4000000000000"], "COPY k c");
  assertEquals(commands, [
    "EVAL script 2 k c",
    "MULTI",
    "PEXPIREAT c 4000000000000",
    "EXEC",
  ]);
});

/** Takes what a form says of these words, as text. */
function sayInto(said: string[], words: readonly string[]): (...parts: StreamPart[]) => void {
  const textOf = (part: StreamPart) => {
    if (part instanceof WordAt) return words[part.index];
    return part instanceof Uint8Array ? toLatin1(part) : part;
  };
  return (...parts) => void said.push(parts.map(textOf).join(" "));
}

Deno.test("an index that a master since 7.2 keeps half of is said by that half to servers before it", () => {
  const ofMaster = (version: number, ...words: string[]) => {
    const said: string[] = [];
    const form = formFor("lset", targetOf(version)!)!;
    const say = sayInto(said, words);
    const rewording = { target: targetOf(version)!, database: 0, retime: () => {}, say };
    return form(Words.of(...words), rewording) === AS_IS ? words.join(" ") : said[0];
  };
  assertEquals(ofMaster(10, "LSET", "l", "9223372036854775807", "v"), "LSET l -1 v");
  assertEquals(ofMaster(6, "LSET", "l", "-4294967298", "v"), "LSET l -2 v");
  assertEquals(ofMaster(6, "LSET", "l", "-2", "v"), "LSET l -2 v");
  assertEquals(formFor("lset", targetOf(11)!), null);
});

Deno.test("who adds an entry, which a master of Redis 8.6 says, is not told to older servers", () => {
  const form = formFor("xadd", targetOf(10)!)!;
  const toldOf = (...words: string[]) => {
    const said: string[] = [];
    const say = sayInto(said, words);
    const rewording = { target: targetOf(10)!, database: 0, retime: () => {}, say };
    return form(Words.of(...words), rewording) === AS_IS ? words.join(" ") : said.join("; ");
  };
  assertEquals(toldOf("XADD", "s", "IDMP", "p", "i", "5-1", "f", "v"), "XADD s 5-1 f v");
  assertEquals(
    toldOf("XADD", "s", "KEEPREF", "IDMPAUTO", "p", "MAXLEN", "=", "9", "5-1", "f", "v"),
    "XADD s MAXLEN 9 5-1 f v",
  );
  assertEquals(toldOf("XADD", "s", "NOMKSTREAM", "5-1", "f", "v"), "XADD s NOMKSTREAM 5-1 f v");
});

Deno.test("a transaction stays one, whatever its commands become", async () => {
  const commands = await said(
    9,
    [],
    "MULTI",
    "SET a 1 PXAT 4000000000000",
    "SET b 2 PXAT 4000000000000",
    "EXEC",
  );
  assertEquals(commands, [
    "MULTI",
    "SET a 1",
    "PEXPIREAT a 4000000000000",
    "SET b 2",
    "PEXPIREAT b 4000000000000",
    "EXEC",
  ]);
});

Deno.test("what touches a key that is sent as an outcome is left out, and what it writes is sent so too", async () => {
  const commands = await said(
    6,
    ["SET other 1"],
    "BITFIELD b SET u8 0 65",
    "APPEND b more",
    "INCR other",
    "RENAME b c",
    "BITOP NOT d c",
    "SET e 1",
  );
  assertEquals(commands, [
    "INCR other",
    "SET e 1",
    ...["MULTI", "DEL b", "DEL c", "RESTORE c 0 ...", "DEL d", "RESTORE d 0 ...", "EXEC"],
  ]);
});

Deno.test("the key of an outcome follows SWAPDB and MOVE", async () => {
  const rig = new MasterRig();
  const peer = olderReplica(rig, 9);
  rig.run("SET", "k", "v");
  rig.run("ZADD", "z", "1", "a");
  rig.run("ZRANGESTORE", "y", "z", "0", "0");
  rig.run("MOVE", "y", "2");
  rig.run("SWAPDB", "2", "5");
  await new Promise((resolve) => setTimeout(resolve, 0));
  const commands = commandsIn(peer.read());
  assertEquals(commands.slice(-7), [
    "SWAPDB 2 5",
    ...["MULTI", "DEL y", "SELECT 5", "DEL y", "RESTORE y 0 ...", "EXEC"],
  ]);
});

Deno.test("a payload that RESTORE is given goes as it is only to who reads it", async () => {
  const rig = new MasterRig();
  rig.run("SET", "k", "v");
  rig.run("XADD", "x", "1-1", "f", "v");
  rig.run("CONFIG", "SET", "rdb-version", "12");
  const old = rig.run("DUMP", "k") as string;
  const late = rig.run("DUMP", "x") as string;
  const peer = olderReplica(rig, 9);
  rig.run("RESTORE", "a", "0", old);
  rig.run("RESTORE", "b", "0", late);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(commandsIn(peer.read()), [
    "SELECT 0",
    "RESTORE a 0 ...",
    ...["MULTI", "DEL b", "RESTORE b 0 ...", "EXEC"],
  ]);
});

for (
  const [version, request, why] of [
    [
      9,
      "HPEXPIREAT h 4000000000000 FIELDS 1 f",
      /the times at which fields of the hash "h" expire/,
    ],
    [8, "XADD x 1-1 f v", /RDB version 8 cannot hold the stream "x" \(database 0\)/],
    [6, "SWAPDB 0 1", /SWAPDB: there is no word for two databases that change places/],
    [9, "FUNCTION LOAD #!lua", /FUNCTION: there is no word for a function library/],
    [9, "DEBUG REPLICATE NONSENSE", /it has no command "NONSENSE"/],
  ] as const
) {
  Deno.test(`${request} ends the link of who reads version ${version}, with the reason in the log`, async () => {
    const rig = new MasterRig({ "enable-debug-command": "yes" });
    rig.run("HSET", "h", "f", "v");
    const peer = olderReplica(rig, version);
    rig.run("SET", "before", "1");
    const words = request.split(" ");
    if (words[0] === "FUNCTION") {
      words[2] = "#!lua name=lib\nredis.register_function('f',function() return 1 end)";
    }
    rig.run(...words);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert(peer.isClosed, toLatin1(latin1(peer.read())));
    assert(rig.logLines.some((line) => why.test(line)), rig.logLines.join(""));
  });
}
