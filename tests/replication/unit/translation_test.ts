/** Links to older servers: what they are taken for, where they go on, and what they are counted for. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { KnownPeers, NOTHING_HELD } from "../../../src/replication/bridge/known_peers.ts";
import { OffsetMap } from "../../../src/replication/bridge/offset_map.ts";
import { eventually } from "../../support/eventually.ts";
import { MasterRig, type Peer, withoutIds } from "../../support/master_rig.ts";

const OLD = ["listening-port", "7001", "capa", "eof"];
const NEW = ["listening-port", "7001", "capa", "eof", "capa", "psync2"];

/** A replica that has been sent the snapshot, and where its history began. */
function synced(rig: MasterRig, ...replconf: string[]): { peer: Peer; id: string; offset: number } {
  const peer = rig.peer(...replconf);
  peer.send("PSYNC", "?", "-1");
  rig.snapshots.make("RDB");
  rig.snapshots.endRelay();
  const [, id, offset] = /^\+FULLRESYNC ([0-9a-f]{40}) (\d+)/.exec(peer.read())!;
  return { peer, id, offset: Number(offset) };
}

function versionSent({ client }: Peer): number {
  return (client.replicaState as { sentVersion: number }).sentVersion;
}

for (
  const [what, replconf, version] of [
    ["that introduces itself as 2.8 to 3.2 do", OLD, 6],
    ["that introduces itself as 2.8 did at first", ["listening-port", "7001"], 6],
    ["that names psync2", NEW, 10],
    ["that names no port, as tools do", ["capa", "eof"], 10],
  ] as const
) {
  Deno.test(`a replica ${what} is sent a snapshot of version ${version}`, () => {
    const rig = new MasterRig();
    const peer = rig.peer(...replconf);
    peer.send("PSYNC", "?", "-1");
    assertEquals(versionSent(peer), version);
  });
}

Deno.test("rdb-version-for-replicas says what all replicas are sent", () => {
  const rig = new MasterRig({ "rdb-version-for-replicas": "9" });
  for (const replconf of [OLD, NEW, ["capa", "eof"]]) {
    const { peer } = synced(rig, ...replconf);
    assertEquals(versionSent(peer), 9);
  }
  rig.run("CONFIG", "SET", "rdb-version-for-replicas", "12");
  const { peer, id } = synced(rig, ...OLD);
  assertEquals([versionSent(peer), id], [12, rig.replication.ids.id]);
});

Deno.test("replicas of one version share a snapshot and a history, others have their own", () => {
  const rig = new MasterRig({ "repl-diskless-sync-delay": "1" });
  const peers = [OLD, NEW, OLD].map((replconf) => rig.peer(...replconf));
  for (const peer of peers) peer.send("PSYNC", "?", "-1");
  rig.pass(2_000);
  const first = peers.map((peer) => /FULLRESYNC (\S+)/.exec(peer.read())?.[1]);
  assert(first[0] !== undefined && first[0] === first[2]);
  assertEquals(first[1], undefined, "it waits for a snapshot of its own");
  rig.snapshots.endRelay();
  rig.pass(2_000);
  assertMatch(peers[1].read(), new RegExp(rig.replication.ids.id));
});

Deno.test("an older replica goes on where it was in its own history, and not in ours", () => {
  const rig = new MasterRig();
  const { peer, id, offset } = synced(rig, ...OLD);
  peer.send("REPLCONF", "ACK", String(offset));
  rig.run("SET", "a", "1");
  const said = peer.read();
  peer.hangUp();
  rig.run("GETDEL", "a");
  const back = rig.peer(...OLD);
  back.send("PSYNC", id, String(offset + said.length + 1));
  assertEquals(back.read(), "+CONTINUE\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n");
  assertEquals(rig.services.statistics.partialSyncs, 1);
  const stray = rig.peer(...OLD);
  stray.send("PSYNC", rig.replication.ids.id, String(rig.replication.offset + 1));
  assertMatch(withoutIds(stray.read()), /^\+FULLRESYNC <id>/);
  const late = rig.peer(...OLD);
  late.send("PSYNC", id, "999999");
  assertMatch(withoutIds(late.read()), /^$|^\+FULLRESYNC/);
  assertEquals(rig.services.statistics.partialSyncs, 1);
});

Deno.test("what an older replica acknowledges counts in our terms, once all of a command is there", () => {
  const rig = new MasterRig();
  const { peer, offset } = synced(rig, ...OLD);
  peer.send("REPLCONF", "ACK", String(offset));
  rig.run("SET", "k", "v");
  const plain = rig.replication.offset;
  const first = peer.read().length;
  rig.run("SET", "k", "v", "PXAT", "4000000000000");
  const all = rig.replication.offset;
  const second = peer.read().length;
  assert(second !== all - plain, "both streams have grown alike");
  const { master } = rig.replication;
  const acknowledge = (bytes: number) => {
    peer.send("REPLCONF", "ACK", String(offset + bytes));
    return master.attachedReplicas()[0].ackOffset;
  };
  assertEquals(acknowledge(first), plain);
  assertEquals(master.acknowledgedCount(all), 0);
  assertEquals(acknowledge(first + second - 1), plain);
  assertEquals(acknowledge(first + second), all);
  assertEquals(master.acknowledgedCount(all), 1);
});

Deno.test("a replica that twice leaves with the snapshot and is back at once gets older versions, until it loads one", () => {
  const rig = new MasterRig();
  const versions: number[] = [];
  for (let i = 0; i < 4; i++) {
    const { peer } = synced(rig, ...NEW);
    versions.push(versionSent(peer));
    peer.hangUp();
    rig.pass(1_000);
  }
  assertEquals(versions, [10, 10, 9, 8]);
  for (const [seconds, version] of [[2, 10], [4, 10], [8, 9]]) {
    const peer = rig.peer(...NEW);
    peer.send("PSYNC", "?", "-1");
    rig.pass(seconds * 1_000);
    rig.snapshots.make("RDB");
    rig.snapshots.endRelay();
    const [, offset] = /FULLRESYNC \S+ (\d+)/.exec(peer.read())!;
    assertEquals(versionSent(peer), version);
    if (version === 9) peer.send("REPLCONF", "ACK", offset);
    peer.hangUp();
    rig.pass(1_000);
  }
  assertEquals(versionSent(synced(rig, ...NEW).peer), 9);
});

Deno.test("a replica that has refused every version waits for the next snapshot, each time for longer, until what is sent is changed", () => {
  const rig = new MasterRig();
  for (let i = 0; i < 4; i++) {
    synced(rig, ...NEW).peer.hangUp();
    rig.pass(1_000);
  }
  for (const seconds of [2, 4, 8, 16, 32, 60, 60]) {
    const peer = rig.peer(...NEW);
    peer.send("PSYNC", "?", "-1");
    rig.pass(seconds * 1_000 - 200);
    // Meanwhile others are served.
    assertEquals(rig.snapshots.relay, null);
    assertMatch(peer.read(), /^\n*$/, "it is shown that we are alive");
    rig.onlineReplica(7002).hangUp();
    rig.pass(300);
    rig.snapshots.make("RDB");
    rig.snapshots.endRelay();
    assertMatch(peer.read(), /FULLRESYNC/);
    peer.hangUp();
    rig.pass(1_000);
  }
  const waiting = rig.peer(...NEW);
  waiting.send("PSYNC", "?", "-1");
  assertEquals(rig.snapshots.relay, null);
  rig.run("CONFIG", "SET", "rdb-version-for-replicas", "9");
  assert(waiting.isClosed);
  assertEquals(versionSent(synced(rig, ...NEW).peer), 9);
});

Deno.test("a replica waits as well where the next older version cannot hold the data, whose key the log names", () => {
  const rig = new MasterRig();
  rig.run("HSET", "h", "f", "v");
  rig.run("HPEXPIREAT", "h", "4000000000000", "FIELDS", "1", "f");
  for (let i = 0; i < 2; i++) {
    const { peer } = synced(rig, ...NEW);
    assertEquals(versionSent(peer), 12);
    peer.hangUp();
    rig.pass(1_000);
  }
  for (const seconds of [2, 4]) {
    const peer = rig.peer(...NEW);
    peer.send("PSYNC", "?", "-1");
    rig.pass(seconds * 1_000 - 200);
    assertEquals(rig.snapshots.relay, null);
    rig.pass(300);
    rig.snapshots.make("RDB");
    rig.snapshots.endRelay();
    assertMatch(peer.read(), /FULLRESYNC/);
    assertEquals(versionSent(peer), 12);
    peer.hangUp();
    rig.pass(1_000);
  }
  const named = /Replica 127\.0\.0\.1:7001 leaves whenever .* no older version can be sent: .*"h"/;
  assert(rig.logLines.some((line) => named.test(line)));
  rig.run("HPERSIST", "h", "FIELDS", "1", "f");
  const peer = rig.peer(...NEW);
  peer.send("PSYNC", "?", "-1");
  rig.pass(8_000);
  rig.snapshots.make("RDB");
  rig.snapshots.endRelay();
  assertMatch(peer.read(), /FULLRESYNC/);
  assertEquals(versionSent(peer), 10);
});

Deno.test("a replica that has refused every version waits no longer once it has loaded one, or has been away", () => {
  for (const loads of [true, false]) {
    const rig = new MasterRig();
    for (let i = 0; i < 4; i++) {
      synced(rig, ...NEW).peer.hangUp();
      rig.pass(1_000);
    }
    const peer = rig.peer(...NEW);
    peer.send("PSYNC", "?", "-1");
    assertEquals(rig.snapshots.relay, null);
    if (loads) {
      rig.pass(2_000);
      rig.snapshots.make("RDB");
      rig.snapshots.endRelay();
      peer.read();
      peer.send("REPLCONF", "ACK", String(rig.replication.offset));
    }
    peer.hangUp();
    rig.pass(loads ? 1_000 : 16_000);
    synced(rig, ...NEW).peer.hangUp();
    rig.pass(1_000);
    synced(rig, ...NEW);
  }
});

Deno.test("a replica that is cut off once between the snapshot and its acknowledgement is not taken for an older one", () => {
  const rig = new MasterRig();
  for (let cuts = 0; cuts < 3; cuts++) {
    const cut = synced(rig, ...NEW);
    cut.peer.hangUp();
    rig.pass(1_000);
    const { peer, id, offset } = synced(rig, ...NEW);
    assertEquals([versionSent(peer), id], [10, rig.replication.ids.id]);
    peer.send("REPLCONF", "ACK", String(offset));
    peer.hangUp();
    rig.pass(1_000);
  }
  assert(!rig.logLines.some((line) => line.includes("as if it could not read the snapshot")));
});

Deno.test("a replica that says what it reads is not doubted, however often it leaves", () => {
  const rig = new MasterRig();
  for (const [capa, version] of [["rdb-12", 10], ["rdb-9", 9], ["rdb-12", 10]] as const) {
    for (let i = 0; i < 3; i++) {
      const { peer } = synced(rig, ...NEW, "capa", capa);
      assertEquals(versionSent(peer), version);
      peer.hangUp();
      rig.pass(1_000);
    }
  }
  assert(!rig.logLines.some((line) => line.includes("as if it could not read the snapshot")));
});

Deno.test("a replica of 2.4, which reads no snapshot that can be sent, is named in the log; one of 2.6 that is cut off is not", async () => {
  const path = await Deno.makeTempFile();
  const rig = new MasterRig({ "repl-diskless-sync": "no" });
  const sync = async (staysMs: number, pauseMs = 0) => {
    const peer = rig.peer("listening-port", "7001");
    peer.send("SYNC");
    rig.pass(pauseMs);
    rig.snapshots.endDisk(path, "RDB");
    let sent = "";
    await eventually(() => (sent += peer.read()).endsWith("RDB"));
    rig.pass(staysMs);
    peer.hangUp();
    rig.pass(1_000);
  };
  const isNamed = () =>
    rig.logLines.some((line) => line.includes("Redis 2.4 and older cannot follow"));
  for (let i = 0; i < 4; i++) await sync(20_000);
  assert(!isNamed());
  for (let i = 0; i < 2; i++) await sync(0);
  await sync(0, 2_000);
  assert(isNamed());
  const { begunToDisk } = rig.snapshots;
  rig.peer("listening-port", "7001").send("SYNC");
  rig.pass(3_000);
  assertEquals(rig.snapshots.begunToDisk, begunToDisk, "it waits for longer now");
  await Deno.remove(path).catch(() => {}); // a file for such replicas alone goes once they have it
});

Deno.test("a replica that is back only later, or from elsewhere, is not taken for an older one", () => {
  const rig = new MasterRig();
  synced(rig, ...NEW).peer.hangUp();
  assertEquals(
    versionSent(synced(rig, "listening-port", "7002", "capa", "eof", "capa", "psync2").peer),
    10,
  );
  rig.pass(20_000);
  assertEquals(versionSent(synced(rig, ...NEW).peer), 10);
});

Deno.test("a replica is refused what its version cannot hold, by the name of the key", () => {
  const rig = new MasterRig();
  rig.run("XADD", "events", "*", "f", "v");
  const peer = rig.peer(...OLD);
  peer.send("PSYNC", "?", "-1");
  const why = 'RDB version 6 cannot hold the stream "events" (database 0)';
  assertEquals(peer.read(), `-ERR ${why}\r\n`);
  assert(rig.logLines.some((line) => line.includes(why) && line.includes("127.0.0.1:7001")));
  assertEquals(rig.replication.master.count, 0);
  rig.run("DEL", "events");
  peer.send("PSYNC", "?", "-1");
  assertMatch(withoutIds(peer.read()), /^\+FULLRESYNC <id>/);
});

Deno.test("a history of an older version ends when nobody has followed it for repl-backlog-ttl", () => {
  const rig = new MasterRig({ "repl-backlog-ttl": "10" });
  rig.onlineReplica(7009);
  const { peer, id, offset } = synced(rig, ...OLD);
  peer.hangUp();
  rig.pass(5_000);
  const back = rig.peer(...OLD);
  back.send("PSYNC", id, String(offset + 1));
  assertMatch(back.read(), /^\+CONTINUE/);
  back.hangUp();
  rig.pass(15_000);
  const { master } = rig.replication;
  assertEquals(master.translations.withId(id), null);
  assertEquals(master.translations.heldBytes, 0);
});

Deno.test("KnownPeers doubts a replica only at the second link that ends so, and no more than the data allow", () => {
  const peers = new KnownPeers();
  const isHeld = () => true;
  peers.loaded("a:1", 10);
  peers.left("a:1", 10, 0);
  assertEquals(peers.returned("a:1", 1_000, isHeld), 0);
  peers.left("a:1", 10, 1_000);
  assertEquals(peers.returned("a:1", 2_000, () => false), NOTHING_HELD);
  assertEquals([peers.versionOf("a:1"), peers.pauseOf("a:1")], [0, 2_000]);
  peers.left("a:1", 10, 2_000);
  assertEquals(peers.returned("a:1", 3_000, isHeld), 0);
  peers.left("a:1", 10, 3_000);
  assertEquals(peers.returned("a:1", 4_000, isHeld), 9);
  assertEquals([peers.versionOf("a:1"), peers.pauseOf("a:1")], [9, 8_000]);
  for (const [atMs, version] of [[0, 0], [2_000, 10]]) {
    peers.left("b:1", 12, atMs);
    assertEquals(peers.returned("b:1", atMs + 1_000, isHeld), version);
  }
});

Deno.test("OffsetMap never says more than what is there, and knows each end", () => {
  const map = new OffsetMap(100, 1_000);
  map.reached(150, 1_050);
  map.diverge();
  map.reached(180, 1_060);
  map.reached(190, 1_070);
  const places = [90, 100, 120, 150, 170, 180, 185, 190, 500].map((at) => map.oursAt(at));
  assertEquals(places, [0, 1_000, 1_020, 1_050, 1_050, 1_060, 1_065, 1_070, 1_070]);
  for (let i = 1; i <= 20_000; i++) {
    map.diverge();
    map.reached(190 + 3 * i, 1_070 + i);
  }
  assertEquals(map.oursAt(190 + 60_000), 21_070);
  assertEquals(map.oursAt(190 + 59_999), 21_069);
  assertEquals(map.oursAt(200), 0);
});
