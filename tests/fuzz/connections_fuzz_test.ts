/**
 * Drawn bytes sent to a whole server: it goes on, and whoever sends what is no request loses its own
 * connection only.
 *
 * Not covered: what commands do with their arguments (tests/compat/ draws those).
 */

import { assert, assertEquals } from "@std/assert";
import { RunningServer } from "../server/running_server.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";
import { inputOf } from "./drawn_input.ts";

Deno.test("connections that send drawn input end alone; the server goes on", async () => {
  const seed = fuzzSeed(5);
  const random = new Random(seed);
  await using s = await RunningServer.start();
  using witness = await s.connect();
  await witness.call("SET", "witness", "here");
  const rounds = fuzzRounds(300);
  for (let round = 0; round < rounds; round++) {
    const context = `seed ${seed}, round ${round}`;
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: s.port });
    try {
      const input = Uint8Array.from(inputOf(random), (c) => c.charCodeAt(0));
      for (let at = 0; at < input.length;) {
        const end = Math.min(input.length, at + 1 + random.below(3000));
        while (at < end) at += await conn.write(input.subarray(at, end));
      }
      if (random.below(2) === 0) await conn.closeWrite();
    } catch {
      // The server has closed already.
    }
    conn.close();
    if (round % 20 === 0) {
      assertEquals(await witness.call("GET", "witness"), { kind: "bulk", text: "here" }, context);
    }
  }
  assertEquals(s.core.statistics.unexpectedErrors, 0);
  assert(!s.hasLogged("Cannot serve client"), s.logLines.join(""));
});
