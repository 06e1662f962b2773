/** Servers side by side in one process. */

import { assertEquals } from "@std/assert";
import { bulk } from "../support/resp_client.ts";
import { RunningServer } from "./running_server.ts";

Deno.test("a server that is built later leaves the keys of an earlier one found", async () => {
  await using first = await RunningServer.start();
  using client = await first.connect();
  for (let i = 0; i < 100; i++) await client.call("SET", `k${i}`, `${i}`);
  await using _second = await RunningServer.start();
  for (let i = 0; i < 100; i++) assertEquals(await client.call("GET", `k${i}`), bulk(`${i}`));
});
