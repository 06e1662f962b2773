/** INFO of a server on sockets: where it listens, and the turns of its connections. */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { type RespClient, textOf } from "../support/resp_client.ts";
import { RunningServer } from "./running_server.ts";

async function fields(client: RespClient, section: string): Promise<Map<string, string>> {
  const reply = await client.call("INFO", section);
  return new Map(
    textOf(reply).split("\r\n").map((line) => line.split(/:(.*)/s) as [string, string]),
  );
}

Deno.test("INFO names each listener with its addresses, as bind spells them", async () => {
  const folder = await Deno.makeTempDir();
  await using s = await RunningServer.start("bind 127.0.0.1 -::1", `unixsocket ${folder}/s`);
  using client = await s.connect();
  const found = await fields(client, "server");
  assertEquals(found.get("listener0"), `name=tcp,bind=127.0.0.1,bind=-::1,port=${s.port}`);
  assertEquals(found.get("listener1"), `name=unix,bind=${folder}/s`);
  assertEquals(found.has("listener2"), false);
});

Deno.test("INFO counts turns of connections, commands of the longest, and time spent", async () => {
  await using s = await RunningServer.start();
  using client = await s.connect();
  const before = await fields(client, "stats");
  await client.pipeline(Array(50).fill(["PING"]));
  for (let i = 0; i < 20; i++) await client.call("PING");
  await eventually(
    async () => {
      const now = await fields(client, "stats");
      const grown = (name: string) => Number(now.get(name)) - Number(before.get(name));
      return grown("eventloop_cycles") >= 21 && grown("eventloop_duration_sum") > 0 &&
        grown("eventloop_duration_cmd_sum") > 0 &&
        Number(now.get("instantaneous_eventloop_cycles_per_sec")) > 0;
    },
    { what: "counted turns" },
  );
  const debug = await fields(client, "debug");
  assert(Number(debug.get("eventloop_cmd_per_cycle_max")) >= 2);
});

Deno.test("INFO has a duration from the first turn of a connection on", async () => {
  await using s = await RunningServer.start("hz 1");
  using client = await s.connect();
  await client.call("CONFIG", "RESETSTAT");
  s.core.isTimerOn = false;
  await client.call("PING");
  assert(Number((await fields(client, "stats")).get("eventloop_duration_sum")) > 0);
});
