import { assert, assertEquals } from "@std/assert";
import { measureMemory } from "../../../src/commands/server/memory_use.ts";
import { MasterRig } from "../../support/master_rig.ts";
import { withRefusedAllocations } from "../../support/refused_allocations.ts";

const PING = "*1\r\n$4\r\nping\r\n";

Deno.test("INFO shows replicas in their order, as they announce themselves", () => {
  const rig = new MasterRig();
  assertEquals(rig.info(), ["connected_slaves:0"]);
  const online = rig.onlineReplica(7001);
  const waiting = rig.peer("capa", "eof", "listening-port", "7002", "ip-address", "10.0.0.9");
  waiting.send("PSYNC", "?", "-1");
  rig.run("SET", "k", "v");
  rig.pass(3000);
  online.send("REPLCONF", "ACK", "14");
  rig.pass(2000);
  assertEquals(rig.info(), [
    "connected_slaves:2",
    "slave0:ip=127.0.0.1,port=7001,state=online,offset=14,lag=2",
    "slave1:ip=10.0.0.9,port=7002,state=wait_bgsave,offset=0,lag=0",
  ]);
  assertEquals(rig.replication.master.onlineReplicas(), [{
    ip: "127.0.0.1",
    port: 7001,
    ackOffset: 14,
  }]);
});

Deno.test("good replicas are those that are online and have acknowledged not long ago", () => {
  const rig = new MasterRig({ "min-replicas-to-write": "1", "min-replicas-max-lag": "3" });
  assertEquals(rig.info(), ["connected_slaves:0", "min_slaves_good_slaves:0"]);
  const peer = rig.onlineReplica();
  assertEquals(rig.replication.master.goodCount, 1);
  rig.pass(4000);
  assertEquals(rig.replication.master.goodCount, 0);
  rig.config.set([["min-replicas-max-lag", "10"]]); // holds at once
  assertEquals(rig.replication.master.goodCount, 1);
  rig.config.set([["min-replicas-max-lag", "3"]]);
  assertEquals(rig.replication.master.goodCount, 0);
  peer.send("REPLCONF", "ACK", "0");
  rig.pass(1000);
  assertEquals(rig.replication.master.goodCount, 1);
  peer.hangUp();
  assertEquals(rig.replication.master.goodCount, 0);
});

Deno.test("PING enters the stream in its period, without SELECT, while there are replicas", () => {
  const rig = new MasterRig({ "repl-ping-replica-period": "5" });
  rig.pass(20_000);
  assertEquals(rig.propagated(), []);
  const peer = rig.onlineReplica();
  rig.pass(10_000);
  assertEquals(peer.read(), PING + PING);
  rig.replication.replica.masterHost = "elsewhere"; // pings come from there
  rig.pass(10_000);
  assertEquals(peer.read(), "");
});

Deno.test("a replica that does not acknowledge for repl-timeout is dropped", () => {
  const rig = new MasterRig({ "repl-timeout": "5" });
  const [silent, alive] = [rig.onlineReplica(7001), rig.onlineReplica(7002)];
  for (let second = 0; second < 7; second++) {
    alive.send("REPLCONF", "ACK", "0");
    rig.pass(1000);
    assertEquals(silent.isClosed, second >= 5, `after ${second + 1} seconds`);
  }
  assertEquals(alive.isClosed, false);
  assert(rig.hasLogged("Disconnecting timedout replica (streaming sync): 127.0.0.1:7001"));
  assert(rig.hasLogged("Connection with replica 127.0.0.1:7001 lost."));
});

Deno.test("a replica that acknowledges more than was written does not count, is closed, and gets all anew", () => {
  const rig = new MasterRig();
  const peer = rig.onlineReplica(7001);
  rig.run("SET", "k", "v");
  const { master, offset, ids } = rig.replication;
  peer.send("REPLCONF", "ACK", String(offset + 35));
  assertEquals(peer.isClosed, true);
  assertEquals(master.acknowledgedCount(1), 0);
  assertEquals(rig.replication.history.acknowledgedOffset, 0);
  assert(rig.hasLogged(
    `Replica 127.0.0.1:7001 acknowledges offset ${offset + 35}, 35B beyond all that was written ` +
      `here (${offset}): what it was sent has been changed on the way. ` +
      "Its link is ended, and it has to take the whole dataset",
  ));
  peer.hangUp();
  for (let i = 0; i < 10; i++) rig.run("SET", `k${i}`, "v");
  // Its offset is one of ours by now, and others may go on there. A full sync that is cut changes nothing.
  for (const _ of ["cut", "whole"]) {
    const back = rig.peer("listening-port", "7001", "capa", "eof", "capa", "psync2");
    back.send("PSYNC", ids.id, String(offset + 36));
    assert(back.read().startsWith("+FULLRESYNC"));
    if (_ === "cut") back.hangUp();
    else {
      rig.snapshots.make("RDB");
      rig.snapshots.endRelay();
      back.read();
      back.send("REPLCONF", "ACK", String(rig.replication.offset));
      back.hangUp();
    }
  }
  for (const port of ["7001", "7002"]) {
    const back = rig.peer("listening-port", port, "capa", "eof", "capa", "psync2");
    back.send("PSYNC", ids.id, String(offset + 36));
    assert(back.read().startsWith("+CONTINUE"), port);
  }
});

Deno.test("a tool that acknowledges more than was written counts for all there is, and goes on", () => {
  const rig = new MasterRig();
  const peer = rig.peer("capa", "eof");
  peer.send("PSYNC", "?", "-1");
  rig.snapshots.make("RDB");
  rig.snapshots.endRelay();
  peer.read();
  rig.run("SET", "k", "v");
  const { master, offset } = rig.replication;
  peer.send("REPLCONF", "ACK", "999999");
  assertEquals([peer.isClosed, master.attachedReplicas()[0].ackOffset], [false, offset]);
});

Deno.test("a replica that takes nothing of its snapshot for repl-timeout is dropped", () => {
  const rig = new MasterRig({ "repl-timeout": "5" });
  const peer = rig.peer("capa", "eof", "listening-port", "7001");
  peer.send("PSYNC", "?", "-1");
  rig.snapshots.make("REDIS");
  peer.isStuck = true;
  rig.pass(4000);
  peer.read(60); // some progress
  rig.pass(5000);
  assertEquals(peer.isClosed, false);
  rig.pass(2000);
  assertEquals(peer.isClosed, true);
  assert(rig.hasLogged("Disconnecting timedout replica (full sync): 127.0.0.1:7001"));
});

Deno.test("without replicas the backlog goes after repl-backlog-ttl, and the history with it", () => {
  const rig = new MasterRig({ "repl-backlog-ttl": "10" });
  const peer = rig.onlineReplica();
  rig.replication.ids.branch(0);
  const { id } = rig.replication.ids;
  rig.pass(5000);
  peer.send("REPLCONF", "ACK", "0");
  peer.hangUp();
  rig.pass(10_000);
  assert(rig.replication.backlog !== null);
  rig.pass(2000);
  assertEquals(rig.replication.backlog, null);
  assert(rig.replication.ids.id !== id);
  assertEquals(rig.replication.ids.secondOffset, -1);
  assert(rig.hasLogged("Replication backlog freed after 10 seconds without connected replicas."));
});

Deno.test("on a replica, or with repl-backlog-ttl 0, the backlog stays", () => {
  for (const [ttl, master] of [["0", null], ["10", "elsewhere"]] as const) {
    const rig = new MasterRig({ "repl-backlog-ttl": ttl });
    rig.onlineReplica().hangUp();
    rig.replication.replica.masterHost = master;
    rig.pass(60_000);
    assert(rig.replication.backlog !== null, ttl);
  }
});

Deno.test("all links can be ended, and the reason is kept", () => {
  const rig = new MasterRig();
  const peers = [rig.onlineReplica(7001), rig.onlineReplica(7002)];
  rig.replication.master.disconnectAll("our history has another name");
  assertEquals(peers.map(({ isClosed }) => isClosed), [true, true]);
  const causes = rig.replication.events.latest(2).map(({ peer, event, detail }) => [
    peer,
    event,
    detail.startsWith("our history has another name ("),
  ]);
  assertEquals(causes, [["127.0.0.1:7002", "closed", true], ["127.0.0.1:7001", "closed", true]]);
});

Deno.test("what a slow replica has not taken counts as its output", () => {
  const rig = new MasterRig();
  const peer = rig.onlineReplica();
  peer.read();
  rig.run("SET", "a", "x".repeat(1000));
  const { pendingBytes } = peer.client.feed!;
  assert(pendingBytes > 1000);
  assertEquals(peer.read().length, pendingBytes);
  assertEquals(peer.client.feed!.pendingBytes, 0);
});

Deno.test("what is kept for a slow replica is memory of replicas, until it has been sent", () => {
  const rig = new MasterRig({ "repl-backlog-size": "16384" });
  const peer = rig.onlineReplica();
  for (let i = 0; i < 10; i++) rig.run("SET", "a", "x".repeat(15_000));
  const services = {
    ...rig.services,
    usedMemory: () => 1e7,
    clientBytes: () => 0,
    replicaClientBytes: () => 0,
  };
  const { replicas, backlog } = measureMemory(services);
  assert(replicas > 90_000 && replicas <= rig.replication.backlog!.heldBytes - 16384);
  assertEquals(replicas + backlog, rig.replication.backlog!.heldBytes);
  peer.read();
  assertEquals(measureMemory(services).replicas, 0);
});

Deno.test("bytes that lie together are sent together", () => {
  const rig = new MasterRig();
  const peer = rig.onlineReplica();
  peer.read();
  for (let i = 0; i < 100; i++) rig.run("SET", "a", String(i));
  assertEquals(peer.client.feed!.next()!.length, peer.client.feed!.pendingBytes);
});

Deno.test("a replica is woken once for what it has not been sent, and not while it is being sent some", async () => {
  const rig = new MasterRig();
  const peers = [rig.onlineReplica(7001), rig.onlineReplica(7002)];
  let woken = 0;
  for (const peer of peers) {
    peer.read();
    peer.client.transport.wake = () => woken++;
  }
  const write = async () => {
    rig.run("SET", "a", "1");
    rig.run("SET", "a", "2");
    await Promise.resolve();
  };
  await write();
  assertEquals(woken, 2);
  await write();
  assertEquals(woken, 2, "neither has sent what it was woken for");
  peers[0].read();
  peers[1].isStuck = true;
  await write();
  assertEquals(woken, 3, "the one that is idle again");
  peers[0].hangUp();
  peers[1].isStuck = false;
  await write();
  assertEquals(woken, 4);
});

Deno.test("without memory for the backlog a write is made, and replicas have to synchronize anew", () => {
  const rig = new MasterRig({ "repl-backlog-size": "4mb" }); // in blocks of 64 KB
  const peer = rig.onlineReplica();
  rig.run("SET", "k", "v");
  peer.read();

  let refused = 0;
  const isRefused = (bytes: number) => bytes === 64 * 1024 && ++refused > 0;
  for (let i = 0; i < 10 && refused === 0; i++) {
    const reply = withRefusedAllocations(isRefused, () => rig.run("SET", "k", "w".repeat(10_000)));
    assertEquals(reply, "OK");
  }
  assertEquals([rig.run("STRLEN", "k"), peer.isClosed], [10_000, true]);
  assert(rig.hasLogged("there is no memory for the replication backlog."));
  rig.run("SET", "k", "after");
  const again = rig.onlineReplica(7002);
  rig.run("SET", "k", "last");
  assert(again.read().endsWith("last\r\n"));
});

Deno.test("a tool by SYNC that never acknowledges its snapshot does not take the place of others for ever", () => {
  const rig = new MasterRig({ "repl-max-concurrent-full-syncs": "1", "repl-timeout": "10" });
  const tool = rig.peer("capa", "eof");
  tool.send("SYNC");
  rig.snapshots.make("RDB");
  rig.snapshots.endRelay();
  tool.read();
  const replica = rig.peer("listening-port", "7002", "capa", "eof", "capa", "psync2");
  replica.send("PSYNC", "?", "-1");
  rig.pass(9000);
  assertEquals([tool.isClosed, rig.snapshots.isSaving], [false, false]);
  rig.pass(4000);
  assertEquals([tool.isClosed, rig.snapshots.isSaving], [true, true]);
});
