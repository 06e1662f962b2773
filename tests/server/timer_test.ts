/** The server's timer. */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { status } from "../support/resp_client.ts";
import { RunningServer } from "./running_server.ts";

Deno.test("CONFIG SET hz has the timer run as often from then on", async () => {
  await using s = await RunningServer.start("hz 10");
  using client = await s.connect();
  assertEquals(await client.call("CONFIG", "SET", "hz", "500"), status("OK"));
  const from = s.core.cronTurns;
  const startedMs = performance.now();
  await eventually(() => s.core.cronTurns - from >= 40, { what: "forty turns" });
  // At ten turns a second that takes four seconds.
  assert(performance.now() - startedMs < 3000);
});
