/** `repl-throttle-writers`: src/replication/writer_throttle.ts. */

import { assert, assertEquals } from "@std/assert";
import { InputClient } from "../../support/input_client.ts";
import { MasterRig } from "../../support/master_rig.ts";

const VALUE = "x".repeat(100_000);
const LIMITS = { "client-output-buffer-limit": "replica 4mb 0 0", "repl-backlog-spill-size": "0" };

function fieldsOf(rig: MasterRig): string[] {
  const text = rig.run("INFO", "replication") as string;
  return text.split("\r\n").filter((line) => line.startsWith("repl_writers_throttled"));
}

Deno.test("writes wait before a replica would be dropped, reads do not, and go on when it has caught up", () => {
  const rig = new MasterRig({ ...LIMITS, "repl-throttle-writers": "yes" });
  const replica = rig.onlineReplica(7001);
  const [writer, reader] = [new InputClient(rig), new InputClient(rig)];
  for (let i = 0; i < 30; i++) writer.send(`SET key:${i} ${VALUE}\r\n`);
  assertEquals(writer.received().length, 30);
  for (let i = 30; i < 60; i++) writer.send(`SET key:${i} ${VALUE}\r\n`);
  const done = writer.received().length;
  assert(done < 30, `${done}`);
  assert(rig.replication.backlog!.heldBytes < 5 << 20);
  reader.send("STRLEN key:1\r\n");
  assertEquals(reader.received(), [VALUE.length]);
  rig.pass(3000);
  assertEquals(fieldsOf(rig), [
    "repl_writers_throttled:1",
    "repl_writers_throttled_for:127.0.0.1:7001",
    "repl_writers_throttled_ms:3000",
  ]);
  assert(rig.logLines.some((line) => line.includes("Writes wait for replica 127.0.0.1:7001")));
  assertEquals([replica.isClosed, writer.received()], [false, []]);
  // It takes what there is, and more of the writes can go on each time.
  for (let i = 0; i < 5; i++) {
    replica.read();
    rig.pass(100);
  }
  assertEquals(done + writer.received().length, 30);
  assertEquals(fieldsOf(rig)[0], "repl_writers_throttled:0");
  assertEquals(rig.run("GET", "key:59"), VALUE);
});

Deno.test("writes wait in time where the backlog is as large as the limit, or larger", () => {
  for (const backlog of ["3mb", "4mb", "6mb"]) {
    const rig = new MasterRig({
      ...LIMITS,
      "repl-throttle-writers": "yes",
      "repl-backlog-size": backlog,
    });
    const replica = rig.onlineReplica(7001);
    const writer = new InputClient(rig);
    for (let i = 0; i < 90; i++) writer.send(`SET key:${i} ${VALUE}\r\n`);
    assert(writer.received().length < 60, backlog);
    rig.pass(1000);
    assertEquals(fieldsOf(rig)[1], "repl_writers_throttled_for:127.0.0.1:7001");
    assertEquals(replica.isClosed, false, backlog);
    assertEquals(rig.replication.master.count, 1);
  }
});

Deno.test("a replica that has gone, or another limit, lets writes go on", () => {
  for (const how of ["gone", "off", "limit"]) {
    const rig = new MasterRig({ ...LIMITS, "repl-throttle-writers": "yes" });
    const replica = rig.onlineReplica(7001);
    const writer = new InputClient(rig);
    for (let i = 0; i < 60; i++) writer.send(`SET key:${i} ${VALUE}\r\n`);
    assert(writer.received().length < 60);
    if (how === "gone") replica.hangUp();
    else if (how === "off") rig.run("CONFIG", "SET", "repl-throttle-writers", "no");
    else rig.run("CONFIG", "SET", "client-output-buffer-limit", "replica 100mb 0 0");
    rig.pass(100);
    assert(rig.run("GET", "key:59") === VALUE, how);
  }
});

for (const isStreaming of [true, false]) {
  const what = isStreaming ? "takes nothing of its stream" : "never acknowledges its snapshot";
  Deno.test(`a replica by SYNC that ${what} is dropped after repl-timeout, and writes go on`, () => {
    const rig = new MasterRig({ ...LIMITS, "repl-throttle-writers": "yes", "repl-timeout": "10" });
    const replica = rig.peer("listening-port", "7001", "capa", "eof");
    replica.send("SYNC");
    rig.snapshots.make("RDB");
    rig.snapshots.endRelay();
    replica.read();
    if (isStreaming) replica.send("REPLCONF", "ACK", "0");
    const writer = new InputClient(rig);
    for (let i = 0; i < 60; i++) writer.send(`SET key:${i} ${VALUE}\r\n`);
    assert(writer.received().length < 60);
    replica.isStuck = true;
    rig.pass(6000);
    // What it takes now and then is a sign of life.
    if (isStreaming) replica.read(1000);
    rig.pass(6000);
    assertEquals(replica.isClosed, !isStreaming);
    rig.pass(6000);
    assertEquals(replica.isClosed, true);
    assert(rig.logLines.some((line) => line.includes("Disconnecting timedout replica")));
    assertEquals(fieldsOf(rig)[0], "repl_writers_throttled:0");
    assertEquals(rig.run("GET", "key:59"), VALUE);
  });
}

Deno.test("without repl-throttle-writers no write waits", () => {
  const rig = new MasterRig(LIMITS);
  rig.onlineReplica(7001);
  const writer = new InputClient(rig);
  for (let i = 0; i < 60; i++) writer.send(`SET key:${i} ${VALUE}\r\n`);
  assertEquals(writer.received().length, 60);
});
