/** REPLICATION LOG: what has happened to the links, with its cause, as either side saw it. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import {
  ask,
  infoOf,
  inStep,
  linkUp,
  replicate,
  startPeer,
  startPeers,
  withLog,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";
import { FakeMaster } from "../support/replication_wire.ts";
import { error, type Reply, textOf } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";

interface LinkEvent {
  id: number;
  time: number;
  side: string;
  peer: string;
  event: string;
  detail: string;
  count: number;
}

function readEvent(reply: Reply): LinkEvent {
  if (reply.kind !== "array") throw new Error(`not an event: ${Deno.inspect(reply)}`);
  const fields: Record<string, unknown> = {};
  for (let i = 0; i < reply.items.length; i += 2) {
    const value = reply.items[i + 1];
    fields[textOf(reply.items[i])] = value.kind === "integer" ? value.value : textOf(value);
  }
  assertEquals(Object.keys(fields), ["id", "time", "side", "peer", "event", "detail", "count"]);
  return fields as unknown as LinkEvent;
}

/** The events of a server, oldest first. */
async function eventsOf(server: ServerProcess): Promise<LinkEvent[]> {
  const reply = await ask(server, "REPLICATION", "LOG", "-1");
  if (reply.kind !== "array") throw new Error(Deno.inspect(reply));
  return reply.items.map(readEvent).reverse();
}

/** That these events are there in this order, others between them or not. */
function assertEvents(events: LinkEvent[], expected: [event: string, detail: RegExp][]): void {
  let at = 0;
  for (const [event, detail] of expected) {
    const found = events.findIndex((one, i) =>
      i >= at && one.event === event && detail.test(one.detail)
    );
    assert(found >= 0, `no "${event}" with ${detail} from place ${at} on: ${Deno.inspect(events)}`);
    at = found + 1;
  }
}

Deno.test("REPLICATION LOG tells of syncs, cuts, refusals and promotions with their causes", async () => {
  await using stack = new AsyncDisposableStack();
  const [master, replica] = await startPeers(stack, ["tsredis", "tsredis"], [
    "--repl-backlog-size",
    "16kb",
  ]);
  const proxy = stack.use(LinkProxy.to(master));
  await withLog([master, replica], async () => {
    for (let i = 0; i < 100; i++) await ask(master, "SET", `key:${i}`, "value");
    await replicate(replica, proxy);
    await linkUp(replica);
    await ask(master, "SET", "a", "1");
    await inStep(master, replica);
    const cutWhile = async (run: () => Promise<unknown>) => {
      await proxy.refuse();
      proxy.cut();
      await eventually(async () => (await infoOf(replica)).master_link_status === "down");
      await run();
      proxy.accept();
      await linkUp(replica);
      await inStep(master, replica);
    };
    await cutWhile(() => ask(master, "SET", "a", "2"));
    await cutWhile(async () => {
      for (let i = 0; i < 3; i++) await ask(master, "SET", "big", "x".repeat(15_000));
    });
    const links = proxy.links.length;
    await ask(master, "CLIENT", "KILL", "TYPE", "replica");
    await eventually(() => proxy.links.length > links);
    await linkUp(replica);
    await ask(replica, "REPLICAOF", "NO", "ONE");

    const ofMaster = await eventsOf(master);
    assertEvents(ofMaster, [
      ["refused", /^it asked for replication id [0-9a-f]{40}, ours are [0-9a-f]{40} and 0{40}$/],
      ["backlog-created", /^replication id [0-9a-f]{40}$/],
      ["full-sync", /the snapshot of offset 0 has begun/],
      ["online", /the snapshot has been sent, \d/],
      ["streaming", /it has acknowledged offset 0/],
      ["closed", /the replica closed it, or it broke/],
      ["partial-sync", /from offset \d+ on, .*backlog/],
      ["closed", /the replica closed it, or it broke/],
      ["refused", /it asked for offset \d+, the backlog begins at \d+: \d+ bytes are missing/],
      ["full-sync", /the snapshot of offset \d+ has begun/],
      ["closed", /CLIENT KILL/],
      ["partial-sync", /from offset \d+ on/],
    ]);
    // By how many bytes: what it says has to be true.
    const missing = ofMaster.find(({ detail }) => detail.includes("bytes are missing"))!.detail;
    const [, asked, begins, bytes] = /(\d+), the backlog begins at (\d+): (\d+)/.exec(missing)!;
    assertEquals(Number(begins) - Number(asked), Number(bytes));
    // A snapshot that takes a while tells how far it has come; that is about no one replica.
    const ofNoPeer = ["backlog-created", "snapshot"];
    for (const { side, peer } of ofMaster.filter(({ event }) => !ofNoPeer.includes(event))) {
      assertEquals([side, peer], ["master", `127.0.0.1:${replica.port}`]);
    }

    const ofReplica = await eventsOf(replica);
    assertEvents(ofReplica, [
      ["replica", new RegExp(`told to follow 127.0.0.1:${proxy.port}`)],
      ["receiving", /\d+ bytes received/],
      ["full-sync", /^\d+ bytes, 100 keys, goes on at offset 0$/],
      ["closed", /Connection with master lost: closed by the master/],
      ["partial-sync", /goes on at offset \d+/],
      ["closed", /closed by the master/],
      ["full-sync", /^\d+ bytes, 102 keys, goes on at offset \d+$/],
      ["closed", /closed by the master/],
      ["partial-sync", /goes on at offset \d+/],
      ["master", /told to be one, at offset \d+/],
    ]);
    for (const events of [ofMaster, ofReplica]) {
      assertEquals(events.map(({ id }) => id), events.map((_, i) => i + 1));
      assert(events.every(({ time }, i) => i === 0 || time >= events[i - 1].time));
    }
  });
});

Deno.test("REPLICATION LOG counts what happens again and again, and takes a number of events", async () => {
  await using replica = await startPeer("tsredis");
  const master = new FakeMaster();
  await replicate(replica, master);
  master.close(); // from now on nobody listens there
  await withLog([replica], () =>
    eventually(async () => {
      const last = (await eventsOf(replica)).at(-1)!;
      assertEquals([last.side, last.event], ["replica", "failed"]);
      assertMatch(last.detail, /refused|reset|closed/i);
      return last.count >= 3;
    }));
  using client = await replica.connect();
  const one = await client.call("REPLICATION", "LOG", "1");
  assertEquals(one.kind === "array" ? one.items.length : -1, 1);
  assertEquals(await client.call("REPLICATION", "LOG", "0"), { kind: "array", items: [] });
  const refused = "ERR value is not an integer or out of range";
  assertEquals(await client.call("REPLICATION", "LOG", "x"), error(refused));
  assertEquals((await client.call("REPLICATION", "LOG", "-2")).kind, "error");
  assertEquals((await client.call("REPLICATION", "LOG", "1", "2")).kind, "error");
});
