/** What a Valkey as replica cannot read, and what is asked of replicas that do not tell their version. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { MasterRig, type Peer } from "../../support/master_rig.ts";

const PORT = ["listening-port", "7001"];
const TODAY = [...PORT, "capa", "eof", "capa", "psync2"];

/** A replica of this version of Valkey, "" for a Redis, that has the dataset. */
function attached(rig: MasterRig, valkey = ""): { peer: Peer; offset: number } {
  const peer = rig.peer(...TODAY, ...(valkey === "" ? [] : ["version", valkey]));
  peer.send("PSYNC", "?", "-1");
  rig.snapshots.make("RDB");
  rig.snapshots.endRelay();
  const [, offset] = /^\+FULLRESYNC [0-9a-f]{40} (\d+)/.exec(peer.read())!;
  peer.send("REPLCONF", "ACK", offset);
  return { peer, offset: Number(offset) };
}

/** It is here again, and asks for what follows on this. Answers the first words of the answer. */
function again(rig: MasterRig, valkey: string, offset: number): string {
  const peer = rig.peer(...TODAY, ...(valkey === "" ? [] : ["version", valkey]));
  peer.send("PSYNC", rig.replication.ids.id, String(offset + 1));
  const answer = peer.read().split("\r\n")[0].replace(/ [0-9a-f]{40}.*/, "");
  if (rig.snapshots.relay !== null) rig.snapshots.endRelay();
  peer.hangUp();
  return answer;
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A hash with a field that expires, and its payload, of version 12. */
function expiringHash(rig: MasterRig): string {
  rig.run("HSET", "other", "f", "v");
  rig.run("HPEXPIREAT", "other", 4e12, "FIELDS", 1, "f");
  const payload = rig.run("DUMP", "other") as string;
  rig.run("DEL", "other");
  return payload;
}

Deno.test("REPLCONF version is the version of a Valkey, and refused as there if it is none", () => {
  const rig = new MasterRig();
  const peer = rig.peer();
  for (const [text, answer] of [["8.0.1", "+OK\r\n"], ["255.255.255", "-ERR U"], ["9", "-ERR U"]]) {
    peer.send("REPLCONF", "version", text);
    assert(peer.read().startsWith(answer), text);
  }
});

Deno.test("what fits version 11 goes to a Valkey like to anybody", () => {
  const rig = new MasterRig();
  const { peer } = attached(rig, "8.0.1");
  rig.run("SADD", "s", "a", "b");
  rig.run("CONFIG", "SET", "rdb-version", "12");
  rig.run("RESTORE", "k", 0, rig.run("DUMP", "s") as string);
  rig.run("HSET", "h", "f", "v");
  assertEquals(peer.isClosed, false);
  assertMatch(peer.read(), /RESTORE[^]*HSET/);
});

Deno.test("a field that expires ends the link of a Valkey 8 by the key's name, before it is sent", async () => {
  const rig = new MasterRig();
  const { peer, offset } = attached(rig, "8.0.1");
  const other = attached(rig).peer;
  rig.run("MULTI");
  rig.run("SET", "before", "1");
  rig.run("HSET", "h", "f", "v");
  rig.run("HPEXPIREAT", "h", 4e12, "FIELDS", 1, "f");
  rig.run("EXEC");
  assertEquals([peer.isClosed, other.isClosed, peer.read()], [true, false, ""]);
  assert(rig.hasLogged(
    "Replica 127.0.0.1:7001 has to synchronize anew: what happens cannot be told to Valkey 8.0.1: RDB version 11 " +
      'cannot hold the times at which fields of the hash "h" expire (database 0)',
  ));
  // At once, and when the turn is over.
  for (let i = 0; i < 2; i++) {
    assertMatch(
      again(rig, "8.0.1", offset),
      /^-NOMASTERLINK RDB version 11 cannot hold .* the hash "h"/,
    );
    await turn();
  }
  rig.run("HPERSIST", "h", "FIELDS", 1, "f");
  assertEquals(again(rig, "8.0.1", offset), "+FULLRESYNC");
  assertEquals(again(rig, "8.0.1", rig.replication.offset), "+CONTINUE");
});

Deno.test("a Valkey 9 knows the commands for fields that expire, and is not sent a snapshot with them", () => {
  const rig = new MasterRig();
  const { peer } = attached(rig, "9.0.1");
  rig.run("HSET", "h", "f", "v");
  rig.run("HPEXPIREAT", "h", 4e12, "FIELDS", 1, "f");
  rig.run("SET", "k", "v");
  assertEquals(peer.isClosed, false);
  assertMatch(peer.read(), /HPEXPIREAT[^]*SET/);
  const { offset } = rig.replication;
  peer.hangUp();
  assertEquals(again(rig, "9.0.1", offset), "+CONTINUE");
  assertMatch(again(rig, "9.0.1", -2), /^-NOMASTERLINK RDB version 11 cannot hold .*Valkey 9.0.1/);
});

for (const valkey of ["8.0.1", "9.0.1"]) {
  Deno.test(`a payload that only version 12 can express ends the link of a Valkey ${valkey}, which goes on from behind it`, async () => {
    const rig = new MasterRig();
    const payload = expiringHash(rig);
    const { peer, offset } = attached(rig, valkey);
    rig.run("RESTORE", "k", 0, payload);
    assertEquals([peer.isClosed, peer.read()], [true, ""]);
    assertMatch(
      rig.logLines.join("\n"),
      /cannot be told to Valkey .*: the payload of RESTORE for the key "k" \(database 0\), which only RDB version 12/,
    );
    rig.run("DEL", "k");
    await turn();
    assertEquals(again(rig, valkey, offset), "+FULLRESYNC");
    assertEquals(again(rig, valkey, rig.replication.offset), "+CONTINUE");
  });
}

const MULTI = "*1\r\n$5\r\nMULTI\r\n";
const EXEC = "*1\r\n$4\r\nEXEC\r\n";

/** A hash gets a field that expires. Answers where in the stream the question begins that the replica reads, and ends. */
function ask(rig: MasterRig, peer: Peer): { begin: number; end: number } {
  rig.run("HSET", "h", "f", "v");
  peer.read();
  const before = rig.replication.offset;
  rig.run("HPEXPIREAT", "h", 4e12, "FIELDS", 1, "f");
  rig.pass(1_000);
  const text = peer.read();
  assertMatch(text, /HPEXPIREAT[^]*GETACK[^]*MULTI[^]*HPTTL[^]*GETACK[^]*EXEC[^]*GETACK/);
  const begin = before + text.indexOf(MULTI);
  return { begin, end: before + text.indexOf(EXEC) + EXEC.length };
}

function acknowledge(peer: Peer, offset: number, times = 1): void {
  for (let i = 0; i < times; i++) peer.send("REPLCONF", "ACK", String(offset));
}

const warnings = (rig: MasterRig) =>
  rig.logLines.filter((line) => line.includes("does not tell its version")).length;

Deno.test("a replica that does not tell its version is asked once whether it knows fields that expire", () => {
  const rig = new MasterRig();
  const { peer, offset } = attached(rig);
  const { begin, end } = ask(rig, peer);
  const { master } = rig.replication;
  const wanted = offset + 1;
  acknowledge(peer, begin, 9);
  assertEquals(master.acknowledgedCount(wanted), 0, "it may lack the fields yet");
  acknowledge(peer, end);
  assertEquals([master.acknowledgedCount(end), peer.isClosed], [1, false]);
  rig.run("HPEXPIREAT", "h", 5e12, "FIELDS", 1, "f");
  rig.pass(3_000);
  const later = peer.read();
  assert(later.includes("HPEXPIREAT") && !later.includes("HPTTL"), later);
  assertEquals(warnings(rig), 0);
  // On its next link it is asked again, as it may be another server.
  peer.hangUp();
  const back = rig.peer(...TODAY);
  back.send("PSYNC", rig.replication.ids.id, String(rig.replication.offset + 1));
  rig.pass(1_000);
  assertMatch(back.read(), /CONTINUE[^]*HPTTL/);
});

Deno.test("a replica that is found not to know fields that expire is ended by the key's name, until there are none", async () => {
  const rig = new MasterRig();
  const { peer, offset } = attached(rig);
  const { begin, end } = ask(rig, peer);
  acknowledge(peer, begin); // as once a second
  acknowledge(peer, end);
  assertEquals([peer.isClosed, rig.replication.master.acknowledgedCount(offset + 1)], [true, 0]);
  assert(rig.hasLogged(
    "Replica 127.0.0.1:7001 has to synchronize anew: what happens cannot be told to a server older than Redis 7.4: " +
      'RDB version 11 cannot hold the times at which fields of the hash "h" expire (database 0)',
  ));
  const refusal =
    /^-NOMASTERLINK RDB version 11 cannot hold .*"h".* a server older than Redis 7.4 reads/;
  for (let i = 0; i < 2; i++) {
    assertMatch(again(rig, "", end), refusal);
    await turn();
    rig.pass(10_000); // not away for long
  }
  assertEquals(rig.logLines.filter((line) => line.includes("is refused")).length, 1);
  for (let i = 0; i < 5; i++) {
    again(rig, "", end);
    rig.pass(10_000);
  }
  assertMatch(again(rig, "", end), refusal);
  assertEquals(rig.logLines.filter((line) => line.includes("is refused")).length, 2);
  rig.run("HPERSIST", "h", "FIELDS", 1, "f");
  const { offset: present } = rig.replication;
  assertEquals(again(rig, "", present), "+FULLRESYNC", "it lacks what it could not read");
  const { peer: next } = attached(rig);
  rig.run("HPEXPIREAT", "h", 4e12, "FIELDS", 1, "f");
  assertEquals([next.isClosed, next.read()], [true, ""], "it is known, and its link ends before");
  // Who has been away may be another server.
  rig.pass(16_000);
  assertEquals(again(rig, "", -2), "+FULLRESYNC");
  assertEquals(warnings(rig), 0);
});

Deno.test("who acknowledges without answering is warned of once, and one that was sent version 12 is not asked", () => {
  const rig = new MasterRig();
  const { peer } = attached(rig);
  rig.pass(2_000);
  const { end } = ask(rig, peer);
  assertEquals(warnings(rig), 0);
  acknowledge(peer, end + 1);
  rig.pass(3_000);
  assertEquals([peer.isClosed, warnings(rig)], [false, 1]);
  const proven = attached(rig).peer;
  rig.pass(3_000);
  assertEquals(proven.read().includes("HPTTL"), false);
  assertEquals(warnings(rig), 1);
});

Deno.test("while a master of our own makes the stream nothing is asked, and the log warns once", () => {
  const rig = new MasterRig();
  const { peer } = attached(rig);
  rig.run("HSET", "h", "f", "v");
  rig.run("HPEXPIREAT", "h", 4e12, "FIELDS", 1, "f");
  rig.replication.replica.begin("127.0.0.1", 1);
  rig.pass(3_000);
  assertEquals([peer.read().includes("HPTTL"), peer.isClosed, warnings(rig)], [false, false, 1]);
  peer.send("REPLCONF", "ACK", String(rig.replication.offset));
  assertEquals(rig.replication.master.acknowledgedCount(1), 1, "it counts, as nothing is known");
});

Deno.test("with rdb-version-for-replicas 12 all replicas are taken at that word", () => {
  const rig = new MasterRig({ "rdb-version-for-replicas": "12" });
  const { peer } = attached(rig, "8.0.1");
  rig.run("HSET", "h", "f", "v");
  rig.run("HPEXPIREAT", "h", 4e12, "FIELDS", 1, "f");
  rig.pass(3_000);
  assertEquals(peer.isClosed, false);
  assertEquals(rig.logLines.some((line) => line.includes("does not tell")), false);
});
