import { assertEquals } from "@std/assert";
import { eventually } from "../../support/eventually.ts";
import { MasterRig } from "../../support/master_rig.ts";

const GETACK = "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";

for (
  const [words, error] of [
    [["a", "0"], "ERR value is not an integer or out of range"],
    [["0", "a"], "ERR timeout is not an integer or out of range"],
    [["0", "-1"], "ERR timeout is negative"],
  ]
) {
  Deno.test(`WAIT ${(words as string[]).join(" ")} is refused`, () => {
    assertEquals(new MasterRig().run("WAIT", ...words), { error: error as string });
  });
}

Deno.test("WAIT on a replica is refused", () => {
  const rig = new MasterRig();
  rig.replication.replica.masterHost = "elsewhere";
  const { error } = rig.run("WAIT", "0", "0") as { error: string };
  assertEquals(error.startsWith("ERR WAIT cannot be used with replica instances."), true);
});

Deno.test("WAIT answers at once when enough have acknowledged what this client wrote", () => {
  const rig = new MasterRig();
  assertEquals(rig.run("WAIT", "0", "0"), 0);
  rig.onlineReplica();
  rig.connect().run("SET", "of another", "1");
  assertEquals(rig.run("WAIT", "1", "0"), 1, "this client has written nothing");
});

Deno.test("WAIT asks once for all that wait in a turn, and answers when enough have acknowledged", async () => {
  const rig = new MasterRig();
  const [one, two] = [rig.onlineReplica(7001), rig.onlineReplica(7002)];
  const [first, second] = [rig.connect(), rig.connect()];
  first.run("SET", "a", "1");
  second.run("SET", "b", "1");
  one.read();
  two.read();
  assertEquals(first.run("WAIT", "1", "0"), undefined);
  assertEquals(second.run("WAIT", "2", "0"), undefined);
  assertEquals(rig.clients.blockedCount, 2);
  await Promise.resolve();
  assertEquals(one.read(), GETACK);
  const offset = String(rig.replication.offset);
  one.send("REPLCONF", "ACK", "1");
  assertEquals(first.received(), []);
  one.send("REPLCONF", "ACK", offset);
  assertEquals(first.received(), [1]);
  assertEquals(second.received(), []);
  two.send("REPLCONF", "ACK", offset);
  assertEquals(second.received(), [2]);
  assertEquals(rig.clients.blockedCount, 0);
});

Deno.test("WAIT does not count a replica that has not said yet what it has", async () => {
  const rig = new MasterRig({ "repl-diskless-sync": "no" });
  // What was written before the first replica came counts as offset 0, which is in the snapshot.
  const writer = rig.connect();
  const path = await Deno.makeTempFile({ prefix: "tsredis-test-" });
  const replica = rig.peer("listening-port", "7001", "capa", "eof", "capa", "psync2");
  replica.send("PSYNC", "?", "-1");
  rig.snapshots.endDisk(path, "RDB");
  await eventually(() => {
    replica.read();
    return rig.info()[1].includes("state=online");
  });
  await Deno.remove(path);
  assertEquals(writer.run("WAIT", "1", "0"), undefined);
  replica.send("REPLCONF", "ACK", "0");
  assertEquals(writer.received(), [1]);
});

Deno.test("WAIT that is over answers how many there are", async () => {
  const rig = new MasterRig();
  const client = rig.connect();
  assertEquals(client.run("WAIT", "1", "1"), undefined);
  while (client.client.park !== null) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(client.received(), [0]);
});

Deno.test("WAIT in a transaction answers at once", () => {
  const rig = new MasterRig();
  rig.run("MULTI");
  rig.run("WAIT", "5", "0");
  assertEquals(rig.run("EXEC"), [0]);
});

Deno.test("WAIT ends by CLIENT UNBLOCK, a change of role, and the end of the connection", () => {
  const rig = new MasterRig();
  const waiting = () => {
    const client = rig.connect();
    client.run("WAIT", "1", "0");
    return client;
  };
  const [timed, failed, changed, gone] = [waiting(), waiting(), waiting(), waiting()];
  rig.run("CLIENT", "UNBLOCK", timed.client.id);
  assertEquals(timed.received(), [0]);
  rig.run("CLIENT", "UNBLOCK", failed.client.id, "ERROR");
  assertEquals(failed.received(), [{ error: "UNBLOCKED client unblocked via CLIENT UNBLOCK" }]);
  gone.client.park!.unblock(false);
  rig.dispatcher.acknowledgementWaits.releaseAll("UNBLOCKED for a test");
  assertEquals(changed.received(), [{ error: "UNBLOCKED for a test" }]);
  assertEquals(rig.clients.blockedCount, 0);
});
