/** A replica whose dataset parts from its master's: what it acknowledges, and how the two become equal again. */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../../support/eventually.ts";
import { textOf } from "../../support/resp_client.ts";
import { Words } from "../../../src/resp/words.ts";
import { testServer } from "../../support/test_server.ts";
import {
  array,
  ask,
  FakeLink,
  FakeMaster,
  get,
  HISTORY,
  info,
  replicaOf,
  snapshot,
} from "./fake_master.ts";

/** Answers with a full sync whose snapshot is this. */
async function sendFull(link: FakeLink, body: string, offset: number): Promise<void> {
  await link.send(`+FULLRESYNC ${HISTORY} ${offset}\r\n$${body.length}\r\n${body}`);
}

/** Serves a full sync; returns what was asked for. */
async function serve(link: FakeLink, strings: Record<string, string>, offset = 100) {
  const asked = await link.greet();
  await sendFull(link, snapshot(strings), offset);
  await link.untilAcknowledged(offset);
  return asked;
}

Deno.test("a replica acknowledges nothing behind a command that has failed here, and heals itself by a full sync", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const link = await master.accept();
  await serve(link, { k: "v" });
  const equal = array("SET", "a", "1") + array("INCR", "a");
  const failing = array("MULTI") + array("SET", "b", "1") + array("NOSUCH", "x") +
    array("SET", "c", "1") + array("EXEC");
  await link.send(equal + failing + array("SET", "d", "1"));
  await eventually(() => info(s).master_stream_errors === "1");
  const parted = 100 + equal.length;
  await link.send(array("REPLCONF", "GETACK", "*"));
  assertEquals(await link.acknowledged(), parted);
  assertEquals(await Promise.all(["a", "b", "c", "d"].map((key) => get(s, key))), [
    "2",
    "1",
    "1",
    "1",
  ]);
  const fields = info(s);
  assertEquals([fields.master_link_status, fields.master_link_state, fields.slave_priority], [
    "up",
    "diverged",
    "0",
  ]);
  assertEquals(fields.master_stream_diverged_offset, String(parted));
  assertEquals(s.core.replication.replica.state, "diverged");

  const next = await master.accept();
  assertEquals(await next.greet(), "PSYNC ? -1");
  await sendFull(next, snapshot({ k: "w" }), 5000);
  await next.untilAcknowledged(5000);
  assertEquals([await get(s, "k"), s.core.keyspace.keyCount], ["w", 1]);
  const healed = info(s);
  assertEquals([healed.master_stream_errors, healed.slave_priority, healed.master_link_state], [
    "0",
    "100",
    "connected",
  ]);
  const events = s.core.replication.events.latest(20).map(({ event }) => event);
  for (const event of ["command-failed", "diverged", "heals", "healed"]) {
    assert(events.includes(event), event);
  }
  assertEquals(s.logLines.filter((line) => line.includes("NOSUCH")).length, 1, "named once");
  await next.send(array("SET", "e", "1"));
  await next.untilAcknowledged(5000 + array("SET", "e", "1").length);
});

Deno.test("a full sync that was to heal and cannot be loaded leaves the stream going on where it was", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const link = await master.accept();
  await serve(link, { k: "v" });
  const stream = array("NOSUCH") + array("SET", "a", "1");
  await link.send(stream);
  await eventually(() => info(s).master_stream_errors === "1");
  const next = await master.accept();
  assertEquals(await next.greet(), "PSYNC ? -1");
  await sendFull(next, "REDIS0011\xf0" + "\0".repeat(30), 5000);
  const third = await master.accept();
  assertEquals(await third.greet(), `PSYNC ${HISTORY} ${100 + stream.length + 1}`);
  await third.send(`+CONTINUE\r\n${array("SET", "b", "1")}`);
  await third.untilAcknowledged(100);
  await eventually(async () => await get(s, "b") === "1");
  assertEquals([await get(s, "k"), await get(s, "a")], ["v", "1"]);
  assertEquals(info(s).master_link_state, "diverged");
});

for (const inTransaction of [false, true]) {
  const where = inTransaction ? " in a transaction" : "";
  Deno.test(`SELECT of a database that is not here${where}: the link stops before it, and goes on there`, async () => {
    using master = new FakeMaster();
    await using s = await replicaOf(master, "databases 4");
    const link = await master.accept();
    await serve(link, { k: "v" });
    const before = array("SELECT", "3") + array("SET", "n", "1");
    const select = array("SELECT", "4") + array("FLUSHDB");
    const unit = inTransaction
      ? array("MULTI") + array("INCR", "n") + select + array("EXEC")
      : select;
    await link.send(before + unit);
    const at = 100 + before.length;
    for (let i = 0; i < 2; i++) {
      const next = await master.accept();
      assertEquals(await next.greet(), `PSYNC ${HISTORY} ${at + 1}`);
      assert(s.hasLogged("'databases' is 4"));
      assertEquals(info(s).master_stream_stopped.includes("database 4"), true);
      assertEquals(info(s).master_stream_errors, "0");
      if (i === 0) await next.send(`+CONTINUE\r\n${unit}`);
      else {
        await next.send(`+CONTINUE\r\n${array("SET", "n", "2")}`);
        await next.untilAcknowledged(at + array("SET", "n", "2").length);
      }
    }
    assertEquals(await get(s, "k"), "v");
    using client = await s.connect();
    await client.call("SELECT", "3");
    assertEquals(textOf(await client.call("GET", "n")), "2");
    const waits = s.core.replication.events.latest(20).filter(({ event }) => event === "waiting");
    assertEquals(waits[0].detail, "the stream of the master is asked for again in 2 seconds");
  });
}

Deno.test("a snapshot whose stream goes on in a database that is not here is not taken", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master, "databases 4");
  const link = await master.accept();
  await serve(link, { k: "v" });
  link.close();
  const next = await master.accept();
  await next.greet();
  const aux = "\xfa\x0erepl-stream-db\x019";
  await sendFull(next, snapshot({ k: "w" }).replace("\xfe\x00", `${aux}\xfe\x00`), 500);
  await eventually(() => info(s).master_sync_failures === "1");
  assert(info(s).master_sync_last_error.includes("'databases' is 4"));
  assertEquals(await get(s, "k"), "v");
});

const OF_PRODUCER = array("XADD", "s", "IDMP", "p", "id", "5-1", "f", "v") +
  array("XADD", "s", "KEEPREF", "IDMPAUTO", "p", "6-1", "f", "w");

Deno.test("XADD of a producer that a master of Redis 8.6 knows is an error that names what is lost", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const link = await master.accept();
  await serve(link, { k: "v" });
  await link.send(OF_PRODUCER);
  await eventually(() => info(s).master_stream_errors === "2");
  assert(
    info(s).master_stream_last_error.includes("ids of idempotent producers (IDMP) have no place"),
    info(s).master_stream_last_error,
  );
});

Deno.test("XADD of a producer adds its entry where a lossy sync is accepted, and the log tells once", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master, "replica-accept-lossy-sync yes");
  const link = await master.accept();
  await serve(link, { k: "v" });
  await link.send(OF_PRODUCER + array("SET", "done", "1"));
  await eventually(async () => await get(s, "done") === "1");
  assertEquals(await ask(s, "XLEN", "s"), { kind: "integer", value: 2 });
  assertEquals(info(s).master_stream_errors, "0");
});

Deno.test("XADD of a producer in an append-only file adds its entry, and the log tells once", () => {
  const s = testServer();
  const run = s.core.runCommands();
  for (const id of ["5-1", "6-1"]) {
    assertEquals(run.run(Words.of("XADD", "s", "IDMP", "p", id, id, "f", "v")), null);
  }
  assertEquals(s.run("XLEN", "s"), 2);
  const told = s.logLines.filter((line) => line.includes("(IDMP), which has no place here"));
  assertEquals(told.length, 1);
  assert(told[0].includes('the key "s" (database 0)'), told[0]);
  assertEquals(s.run("XADD", "s", "IDMP", "p", "id", "7-1", "f", "v"), {
    error: "ERR Invalid stream ID specified as stream command argument",
  });
});
