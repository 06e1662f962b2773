/** FAILOVER as the master sees it: what it refuses, what waits, when a replica counts as having everything. */

import { assert, assertEquals } from "@std/assert";
import { InputClient } from "../../support/input_client.ts";
import { MasterRig, type Peer } from "../../support/master_rig.ts";

const GETACK = "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";
const SYNTAX = "ERR syntax error";
const NO_INTEGER = "ERR value is not an integer or out of range";
const NO_TARGET = "ERR FAILOVER target HOST and PORT is not a replica.";
const FORCE = "ERR FAILOVER with force option requires both a timeout and target HOST and IP.";

/** What is done once the command at hand is over has been done. */
function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

function stateOf(rig: MasterRig): string {
  return rig.replication.failover.state;
}

/** A master in the middle of a FAILOVER, and its replicas on 7001 and 7002, which have to answer. */
async function waiting(...words: string[]): Promise<{ rig: MasterRig; peers: Peer[] }> {
  const rig = new MasterRig();
  const peers = [rig.onlineReplica(7001), rig.onlineReplica(7002)];
  rig.run("SET", "a", "1");
  for (const peer of peers) peer.read();
  assertEquals(rig.run("FAILOVER", ...words), "OK");
  await soon();
  return { rig, peers };
}

for (
  const [words, text] of [
    [["TIMEOUT", "0"], "ERR FAILOVER timeout must be greater than 0"],
    [["TIMEOUT", "-5"], "ERR FAILOVER timeout must be greater than 0"],
    [["TIMEOUT", "x"], NO_INTEGER],
    [["TIMEOUT"], SYNTAX],
    [["TIMEOUT", "1", "TIMEOUT", "1"], SYNTAX],
    [["TO", "127.0.0.1"], SYNTAX],
    [["TO", "127.0.0.1", "x"], NO_INTEGER],
    [["TO", "127.0.0.1", "7001", "TO", "127.0.0.1", "7001"], SYNTAX],
    [["TO", "127.0.0.1", "7001", "FORCE", "FORCE", "TIMEOUT", "1"], SYNTAX],
    [["ABORT", "TIMEOUT", "1"], SYNTAX],
    [["TIMEOUT", "1", "ABORT"], SYNTAX],
    [["ABORT"], "ERR No failover in progress."],
    [["nonsense"], SYNTAX],
    [["FORCE"], FORCE],
    [["FORCE", "TIMEOUT", "100"], FORCE],
    [["TO", "127.0.0.1", "7001", "FORCE"], FORCE],
    [["TO", "127.0.0.1", "7002"], NO_TARGET],
    [["TO", "127.0.0.2", "7001"], NO_TARGET],
    [["TO", "127.0.0.1", "99999"], NO_TARGET],
  ] as const
) {
  Deno.test(`FAILOVER ${words.join(" ")} is refused, and nothing waits`, () => {
    const rig = new MasterRig();
    rig.onlineReplica(7001);
    assertEquals(rig.run("FAILOVER", ...words), { error: text });
    assertEquals(stateOf(rig), "no-failover");
    assertEquals(rig.run("SET", "a", "1"), "OK");
  });
}

Deno.test("FAILOVER is refused without replicas, to one that is not online, on a replica, and twice", async () => {
  const rig = new MasterRig();
  assertEquals(rig.run("FAILOVER"), { error: "ERR FAILOVER requires connected replicas." });
  rig.peer("capa", "eof", "listening-port", "7003").send("PSYNC", "?", "-1");
  assertEquals(rig.run("FAILOVER", "TO", "127.0.0.1", "7003"), {
    error: "ERR FAILOVER target replica is not online.",
  });
  rig.replication.replica.masterHost = "elsewhere";
  assertEquals(rig.run("FAILOVER"), {
    error: "ERR FAILOVER is not valid when server is a replica.",
  });
  const { rig: other } = await waiting();
  assertEquals(other.run("FAILOVER"), { error: "ERR FAILOVER already in progress." });
});

Deno.test("FAILOVER holds writes and lets reads go on; ABORT lets the writes go on too", async () => {
  const { rig, peers } = await waiting("TO", "127.0.0.1", "7001");
  const [reader, writer] = [new InputClient(rig), new InputClient(rig)];
  writer.send("SET a 2\r\n");
  reader.send("GET a\r\n");
  assertEquals([reader.received(), writer.received()], [["1"], []]);
  assert((rig.run("INFO", "replication") as string).includes(
    "\r\nmaster_failover_state:waiting-for-sync\r\n",
  ));
  assert(rig.hasLogged("FAILOVER requested to 127.0.0.1:7001."));
  assertEquals(rig.run("FAILOVER", "ABORT"), "OK");
  assertEquals(writer.received(), ["OK"]);
  assertEquals(stateOf(rig), "no-failover");
  assert(rig.hasLogged("FAILOVER to 127.0.0.1:7001 aborted: Failover manually aborted"));
  assertEquals(peers.map(({ isClosed }) => isClosed), [false, false]);
});

Deno.test("FAILOVER and CLIENT PAUSE end their own waiting only", async () => {
  const { rig } = await waiting();
  const writer = new InputClient(rig);
  rig.run("CLIENT", "PAUSE", "100000", "WRITE");
  writer.send("SET a 2\r\n");
  rig.run("CLIENT", "UNPAUSE");
  assertEquals(writer.received(), [], "the failover goes on");
  rig.run("CLIENT", "PAUSE", "100000", "WRITE");
  rig.run("FAILOVER", "ABORT");
  assertEquals(writer.received(), [], "the pause goes on");
  rig.run("CLIENT", "UNPAUSE");
  assertEquals(writer.received(), ["OK"]);
});

Deno.test("REPLICAOF and PSYNC are refused during FAILOVER", async () => {
  const { rig } = await waiting();
  for (const words of [["REPLICAOF", "NO", "ONE"], ["SLAVEOF", "127.0.0.1", "7001"]]) {
    assertEquals(rig.run(...words), { error: "ERR REPLICAOF not allowed while failing over." });
  }
  const peer = rig.peer("capa", "eof");
  peer.send("PSYNC", "?", "-1");
  assertEquals(peer.read(), "-NOMASTERLINK Can't SYNC while failing over\r\n");
});

Deno.test("during FAILOVER replicas are asked twice, and then the stream stands still", async () => {
  const { rig, peers: [one] } = await waiting();
  assertEquals(one.read(), GETACK + GETACK);
  const { offset } = rig.replication;
  rig.run("SET", "gone", "1"); // waits
  rig.replication.master.requestAcks();
  await soon();
  rig.pass(30_000);
  assertEquals(rig.replication.offset, offset, "no PING and no GETACK");
  assertEquals(one.read(), "");
});

Deno.test("FAILOVER in a transaction waits for what stands behind it", async () => {
  const rig = new MasterRig();
  const one = rig.onlineReplica(7001);
  rig.run("MULTI");
  rig.run("FAILOVER");
  rig.run("SET", "a", "1");
  assertEquals(rig.run("EXEC"), ["OK", "OK"]);
  await soon();
  const text = one.read();
  assert(text.includes("SET") && text.endsWith(GETACK + GETACK), text);
});

Deno.test("a replica that has all but the question is chosen: the first such, or the one that is named", async () => {
  for (const [words, port] of [[[], 7002], [["TO", "127.0.0.1", "7002"], 7002]] as const) {
    const { rig, peers: [one, two] } = await waiting(...words);
    const writer = new InputClient(rig);
    writer.send("SET a 2\r\n");
    const before = rig.replication.offset - 2 * GETACK.length;
    one.send("REPLCONF", "ACK", `${before}`); // the answer to the first: perhaps the second is not there
    two.send("REPLCONF", "ACK", `${before}`);
    await soon();
    assertEquals(stateOf(rig), "waiting-for-sync");
    two.send("REPLCONF", "ACK", `${before + GETACK.length}`);
    await soon();
    assertEquals(stateOf(rig), "failover-in-progress");
    assert(rig.hasLogged(`Failover target 127.0.0.1:${port} is synced, failing over.`));
    assertEquals((rig.run("ROLE") as string[]).slice(0, 3), ["slave", "127.0.0.1", port]);
    assertEquals(writer.received(), []);
    assertEquals(rig.run("SET", "a", "2"), {
      error: "READONLY You can't write against a read only replica.",
    });
    // Called off now, the server is a master again and writes go on.
    assertEquals(rig.run("FAILOVER", "ABORT"), "OK");
    assertEquals(writer.received(), ["OK"]);
    assertEquals((rig.run("ROLE") as string[])[0], "master");
    rig.core.replication.close();
  }
});

Deno.test("FAILOVER to a replica does not go by what another has", async () => {
  const { rig, peers: [one] } = await waiting("TO", "127.0.0.1", "7002");
  one.send("REPLCONF", "ACK", `${rig.replication.offset}`);
  await soon();
  rig.pass(60_000);
  assertEquals(stateOf(rig), "waiting-for-sync");
});

Deno.test("FAILOVER is called off when its time is over", async () => {
  const { rig } = await waiting("TIMEOUT", "500");
  rig.pass(400);
  assertEquals(stateOf(rig), "waiting-for-sync");
  rig.pass(200);
  assertEquals(stateOf(rig), "no-failover");
  assert(
    rig.hasLogged("FAILOVER to any replica aborted: Replica never caught up before timeout"),
  );
  assertEquals(rig.run("SET", "a", "2"), "OK");
});

Deno.test("FAILOVER with FORCE goes on when its time is over, to a replica that has not all or is gone", async () => {
  const { rig, peers } = await waiting("TO", "127.0.0.1", "7002", "FORCE", "TIMEOUT", "500");
  peers[1].hangUp();
  rig.pass(600);
  assertEquals(stateOf(rig), "failover-in-progress");
  assert(rig.hasLogged("FAILOVER to 127.0.0.1:7002 time out exceeded, failing over."));
  rig.run("FAILOVER", "ABORT");
  rig.core.replication.close();
});
