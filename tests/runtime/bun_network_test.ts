/**
 * Sockets and timers by Bun. They need Bun: `deno task test:bun` runs this file, under Deno there is
 * nothing to test in it.
 */

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { BunNetwork } from "../../src/runtime/bun_network.ts";
import { BunTimers } from "../../src/runtime/bun_timers.ts";
import type { Socket } from "../../src/runtime/runtime.ts";
import { SystemError } from "../../src/runtime/system_error.ts";
import { eventually } from "../support/eventually.ts";
import { Certificates, hasOpenssl } from "../support/certificates.ts";
import { networkTests, type NetworkWorld } from "./network_suite.ts";
import { secureWorld, tlsTests } from "./tls_suite.ts";
import { connectNodePeer } from "./node_peer.ts";

function test(name: string, fn: () => Promise<void>): void {
  if ("Bun" in globalThis) Deno.test(name, fn);
}

const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 30));

function world(): NetworkWorld & Disposable {
  const folder = fs.mkdtempSync(join(tmpdir(), "tsredis-test-"));
  const unixPath = join(folder, "socket");
  return {
    network: new BunNetwork(),
    until: async (condition, what) => void await eventually(condition, { what }),
    settle,
    unixPath,
    hasUnixFile: () => fs.existsSync(unixPath),
    connectPeer: connectNodePeer,
    [Symbol.dispose]: () => fs.rmSync(folder, { recursive: true }),
  };
}

for (const { name, isPossible, run } of networkTests) {
  test(`Bun's sockets: ${name}`, async () => {
    using here = world();
    assert(isPossible?.(here) ?? true);
    await run(here);
  });
}

/** Runs with certificates and a network that has them. */
async function withCertificates(
  use: (world: NetworkWorld, certificates: Certificates) => Promise<void>,
): Promise<void> {
  using here = world();
  using certificates = Certificates.usual();
  await use(here, certificates);
}

if (hasOpenssl) {
  for (const { name, isPossible, run } of networkTests) {
    test(`Bun's sockets with TLS: ${name}`, () =>
      withCertificates(async (here, certificates) => {
        const secure = secureWorld(here, certificates);
        if (isPossible?.(secure) ?? true) await run(secure);
      }));
  }
  for (const { name, run } of tlsTests) {
    test(`Bun's TLS: ${name}`, () => withCertificates(run));
  }
}

test("Bun: a Unix socket has the permissions asked for", async () => {
  using here = world();
  const handler = { accepted: () => null, failed() {} };
  const listener = here.network.listenUnix(here.unixPath!, 0o600, handler);
  assertEquals(fs.statSync(here.unixPath!).mode & 0o777, 0o600);
  await listener.close();
});

test("Bun: the address for all of IPv6 serves IPv4 too, and no other socket can then", async () => {
  using here = world();
  const remotes: string[] = [];
  const handler = {
    accepted(socket: Socket) {
      remotes.push(socket.remote.hostname);
      return null;
    },
    failed() {},
  };
  const six = here.network.listenTcp("::", 0, handler);
  assertThrows(() => here.network.listenTcp("0.0.0.0", six.port, handler), SystemError);
  const peer = await connectNodePeer(six.port);
  await eventually(() => peer.hasEnded());
  assertEquals(remotes, ["::ffff:127.0.0.1"]);
  peer.close();
  await six.close();
});

test("Bun: input longer than the handler's space is given in pieces of it", async () => {
  using here = world();
  let received = "";
  const space = new Uint8Array(7);
  const hints: number[] = [];
  const listener = here.network.listenTcp("127.0.0.1", 0, {
    accepted: (socket) => ({
      space(hint) {
        hints.push(hint);
        return space;
      },
      filled(count) {
        received += String.fromCharCode(...space.subarray(0, count));
      },
      drained() {},
      ended: () => socket.close(),
      closed() {},
    }),
    failed() {},
  });
  const peer = await connectNodePeer(listener.port);
  peer.send("0123456789abcdefghij");
  await eventually(() => received.length === 20);
  assertEquals([received, hints], ["0123456789abcdefghij", [20, 13, 6]]);
  peer.close();
  await listener.close();
});

for (const name of ["afterOthers", "afterInput"] as const) {
  test(`Bun: ${name} comes once all sockets that are ready have had their turn`, async () => {
    using here = world();
    const timers = new BunTimers();
    const order: string[] = [];
    const space = new Uint8Array(16);
    const listener = here.network.listenTcp("127.0.0.1", 0, {
      accepted: (socket) => ({
        space: () => space,
        filled() {
          order.push("input");
          timers[name](() => order.push("after"));
        },
        drained() {},
        ended: () => socket.close(),
        closed() {},
      }),
      failed() {},
    });
    const peers = await Promise.all([1, 2, 3].map(() => connectNodePeer(listener.port)));
    await settle();
    for (const peer of peers) peer.send("x");
    const until = performance.now() + 20;
    while (performance.now() < until);
    await eventually(() => order.length === 6);
    assertEquals(order, ["input", "input", "input", "after", "after", "after"]);
    for (const peer of peers) peer.close();
    await listener.close();
  });
}

test("Bun: what afterInput does may ask for more, which comes before others have their turn", async () => {
  const timers = new BunTimers();
  const order: string[] = [];
  timers.afterInput(() => {
    order.push("one");
    timers.afterOthers(() => order.push("others"));
    timers.afterInput(() => order.push("three"));
  });
  timers.afterInput(() => order.push("two"));
  await eventually(() => order.length === 4);
  assertEquals(order, ["one", "two", "three", "others"]);
  // It begins anew each time.
  timers.afterInput(() => order.push("again"));
  await eventually(() => order.length === 5);
});

test("Bun: work in slices lets a socket that becomes ready have its turn", async () => {
  using here = world();
  const timers = new BunTimers();
  const order: string[] = [];
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
  const peer = await connectNodePeer(listener.port);
  await settle();
  peer.send("x");
  await new Promise<void>((resolve) => {
    const slice = () => {
      order.push("slice");
      const until = performance.now() + 2;
      while (performance.now() < until);
      if (order.length < 20) timers.afterOthers(slice);
      else resolve();
    };
    slice();
  });
  const at = order.indexOf("input");
  assert(at >= 0 && at <= 3, `input had its turn as number ${at} of ${order.join(" ")}`);
  peer.close();
  await listener.close();
});

test("Bun: timers end when they are cancelled; null and what is over is no matter", async () => {
  const timers = new BunTimers();
  const order: string[] = [];
  const over = timers.after(0, () => order.push("after"));
  timers.cancel(timers.after(0, () => order.push("never")));
  let turns = 0;
  const every = timers.every(1, () => {
    if (++turns === 3) timers.cancel(every);
  });
  timers.soon(() => order.push("soon"));
  timers.cancel(null);
  order.push("now");
  await eventually(() => turns === 3 && order.includes("after"));
  timers.cancel(over);
  await settle();
  assertEquals([order, turns], [["now", "soon", "after"], 3]);
});
