/** Sockets and timers by Deno. */

import { assert, assertEquals } from "@std/assert";
import { DenoNetwork } from "../../src/runtime/deno_sockets.ts";
import { DenoTimers } from "../../src/runtime/deno_timers.ts";
import { eventually } from "../support/eventually.ts";
import { connectNodePeer } from "./node_peer.ts";
import { Certificates, hasOpenssl } from "../support/certificates.ts";
import { networkTests, type NetworkWorld } from "./network_suite.ts";
import { secureWorld, tlsTests } from "./tls_suite.ts";

async function world(): Promise<NetworkWorld & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "tsredis-test-" });
  const unixPath = `${folder}/socket`;
  return {
    network: new DenoNetwork(),
    until: async (condition, what) => void await eventually(condition, { what }),
    settle: () => new Promise((resolve) => setTimeout(resolve, 30)),
    unixPath,
    hasUnixFile() {
      try {
        Deno.statSync(unixPath);
        return true;
      } catch {
        return false;
      }
    },
    connectPeer: connectNodePeer,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => setTimeout(resolve, 0));
      await Deno.remove(folder, { recursive: true });
    },
  };
}

for (const { name, isPossible, run } of networkTests) {
  Deno.test(`Deno's sockets: ${name}`, async () => {
    await using here = await world();
    assert(isPossible?.(here) ?? true);
    await run(here);
  });
}

const tls = { ignore: !hasOpenssl };

/** Runs with certificates and a network that has them. */
async function withCertificates(
  use: (world: NetworkWorld, certificates: Certificates) => Promise<void>,
): Promise<void> {
  await using here = await world();
  using certificates = Certificates.usual();
  await use(here, certificates);
}

for (const { name, isPossible, run } of networkTests) {
  Deno.test(
    `Deno's sockets with TLS: ${name}`,
    tls,
    () =>
      withCertificates(async (here, certificates) => {
        const secure = secureWorld(here, certificates);
        if (isPossible?.(secure) ?? true) await run(secure);
      }),
  );
}

for (const { name, run } of tlsTests) {
  Deno.test(`Deno's TLS: ${name}`, tls, () => withCertificates(run));
}

Deno.test("a Unix socket serves with the permissions asked for", async () => {
  await using here = await world();
  const path = here.unixPath!;
  const listener = here.network.listenUnix(path, 0o600, {
    accepted(socket) {
      assertEquals([socket.isUnix, socket.remote, socket.local], [
        true,
        { hostname: path, port: 0 },
        { hostname: path, port: 0 },
      ]);
      const space = new Uint8Array(16);
      return {
        space: () => space,
        filled: (count) => void socket.write(space, 0, count),
        drained: () => void socket.write(space, 0, 4),
        ended: () => socket.close(),
        closed() {},
      };
    },
    failed() {},
  });
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  const conn = await Deno.connect({ transport: "unix", path });
  await conn.write(new TextEncoder().encode("PING"));
  const answer = new Uint8Array(16);
  assertEquals(await conn.read(answer), 4);
  assertEquals(new TextDecoder().decode(answer.subarray(0, 4)), "PING");
  conn.close();
  await listener.close();
});

Deno.test("afterOthers lets a socket that is ready have its turn, and a timer", async () => {
  await using here = await world();
  const timers = new DenoTimers();
  const order: string[] = [];
  // Until its detour is there a timer stands in for it.
  for (let i = 0; i < 3; i++) {
    await new Promise<void>((resolve) => timers.afterOthers(resolve));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const space = new Uint8Array(16);
  const listener = here.network.listenTcp("127.0.0.1", 0, {
    accepted: (socket) => ({
      space: () => space,
      filled: () => void order.push("input"),
      drained() {},
      ended: () => socket.close(),
      closed() {},
    }),
    failed() {},
  });
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
  await here.settle();
  await conn.write(new Uint8Array(1));
  let slices = 0;
  await new Promise<void>((resolve) => {
    const slice = () => {
      order.push("slice");
      const until = performance.now() + 2;
      while (performance.now() < until);
      if (++slices < 20) timers.afterOthers(slice);
      else resolve();
    };
    slice();
  });
  const at = order.indexOf("input");
  assert(at >= 0 && at <= 2, `input had its turn as number ${at} of ${order.join(" ")}`);
  conn.close();
  await listener.close();
});

Deno.test("soon runs before anything that waits; cancel takes null and what is over", async () => {
  const timers = new DenoTimers();
  const order: string[] = [];
  const over = timers.after(0, () => order.push("after"));
  const never = timers.after(0, () => order.push("never"));
  let turns = 0;
  const every = timers.every(1, () => {
    if (++turns === 3) timers.cancel(every);
  });
  timers.soon(() => order.push("soon"));
  timers.cancel(never);
  timers.cancel(null);
  order.push("now");
  await eventually(() => turns === 3 && order.includes("after"));
  timers.cancel(over);
  await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals(order, ["now", "soon", "after"]);
  assertEquals(turns, 3);
});
