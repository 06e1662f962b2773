/** What a Valkey as replica cannot read, and what is said of replicas that do not tell their version. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { MasterRig, type Peer } from "../../support/master_rig.ts";

const PORT = ["listening-port", "7001"];
const TODAY = [...PORT, "capa", "eof", "capa", "psync2"];

/** A replica of this version of Valkey, none for a Redis, that has the dataset. */
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
  const peer = rig.peer(...TODAY, "version", valkey);
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
    assertMatch(again(rig, "8.0.1", offset), /^-ERR RDB version 11 cannot hold .* the hash "h"/);
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
  assertMatch(again(rig, "9.0.1", -2), /^-ERR RDB version 11 cannot hold .*Valkey 9.0.1/);
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

Deno.test("a replica that does not tell its version is warned of once, and one that was sent version 12 is not", () => {
  const rig = new MasterRig();
  attached(rig);
  const warned = () =>
    rig.logLines.filter((line) => line.includes("does not tell its version")).length;
  rig.run("HSET", "h", "f", "v");
  rig.pass(2_000);
  assertEquals(warned(), 0);
  rig.run("HPEXPIREAT", "h", 4e12, "FIELDS", 1, "f");
  rig.pass(3_000);
  assertEquals(warned(), 1);
  attached(rig);
  rig.pass(3_000);
  assertEquals(warned(), 1);
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
