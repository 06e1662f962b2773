/** A replica in which a script is suspended, and a master that the test plays. */

import { assert, assertEquals } from "@std/assert";
import type { Client } from "../../../src/dispatch/client.ts";
import { RunningServer } from "../../server/running_server.ts";
import { eventually } from "../../support/eventually.ts";
import { type Reply, type RespClient, textOf } from "../../support/resp_client.ts";
import { array, FakeLink, FakeMaster, HISTORY, snapshot } from "./fake_master.ts";

async function replicaOf(master: FakeMaster): Promise<RunningServer> {
  const s = await RunningServer.start("busy-reply-threshold 1");
  using client = await s.connect();
  await client.call("REPLICAOF", "127.0.0.1", `${master.port}`);
  return s;
}

async function serve(link: FakeLink, strings: Record<string, string>, offset: number) {
  await link.greet();
  const body = snapshot(strings);
  await link.send(`+FULLRESYNC ${HISTORY} ${offset}\r\n$${body.length}\r\n${body}`);
}

function codeOf(reply: Reply): string {
  return reply.kind === "error" ? reply.text.split(" ")[0] : textOf(reply);
}

async function untilBusy(client: RespClient): Promise<void> {
  while (codeOf(await client.call("PING")) !== "BUSY");
}

async function untilNotBusy(client: RespClient): Promise<void> {
  while (codeOf(await client.call("PING")) === "BUSY");
}

const LOOP = "for i = 1, 1e8 do end";

for (const isTransaction of [false, true]) {
  const where = isTransaction ? " in a transaction" : "";
  Deno.test(`a link that is lost while a script of the master is under way${where} ends after it, and counts it`, async () => {
    using master = new FakeMaster();
    await using s = await replicaOf(master);
    using other = await s.connect();
    const link = await master.accept();
    await serve(link, { a: "1" }, 100);
    await link.untilAcknowledged(100);
    const script = array("EVAL", `redis.call('incr', 'a') ${LOOP} redis.call('incr', 'a')`, "0");
    const stream = isTransaction ? array("MULTI") + script + array("EXEC") : script;
    await link.send(stream);
    await untilBusy(other);
    const refusal = await other.call("SCRIPT", "KILL") as { text: string };
    assert(refusal.text.startsWith("UNKILLABLE The busy script was sent by a master"));
    const ours = [...s.core.clients.byId.values()].find(({ isMaster }) => isMaster) as Client;
    ours.transport.close(false);
    assert(s.core.replication.replica.isLinkUp);
    assertEquals(master.linkCount, 1);
    await untilNotBusy(other);
    assertEquals(textOf(await other.call("GET", "a")), "3");
    const again = await master.accept();
    assertEquals(await again.greet(), `PSYNC ${HISTORY} ${101 + stream.length}`);
  });
}

Deno.test("a full sync takes the place of the data only when a script that is under way is over", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  using other = await s.connect();
  using runner = await s.connect();
  const link = await master.accept();
  await serve(link, { a: "1" }, 100);
  await link.untilAcknowledged(100);
  const ended = runner.call(
    "EVAL",
    "while true do if redis.call('get', 'a') ~= '1' then return 'CHANGED' end end",
    "0",
  );
  await untilBusy(other);
  link.close();
  const again = await master.accept();
  await serve(again, { a: "2" }, 500);
  await eventually(() => s.core.persistence.replicaLoad?.keysLoaded === 1);
  for (let i = 0; i < 20; i++) assertEquals(codeOf(await other.call("PING")), "BUSY");
  assertEquals(codeOf(await other.call("SCRIPT", "KILL")), "OK");
  assertEquals(codeOf(await ended), "ERR");
  await again.untilAcknowledged(500);
  assertEquals(textOf(await other.call("GET", "a")), "2");
});
