/** Sockets of the simulated network, held to what every Network has to do. */

import { World } from "../../src/runtime/simulated.ts";
import type { SimulatedSocket } from "../../src/runtime/simulated/network.ts";
import { Random } from "../support/random.ts";
import { Peer as SimulatedPeer } from "../support/simulated_peers.ts";
import { networkTests, type NetworkWorld, type Peer } from "./network_suite.ts";

/** Sockets differ by what is drawn for them. */
const SEEDS = [1, 2, 3, 4, 5, 6];
/** Virtual time within which whatever a test waits for has to come, in milliseconds. */
const LIMIT_MS = 60_000;

interface RunningWorld {
  readonly here: NetworkWorld;
  /** Lets time pass until the test has come to its end. */
  during(test: Promise<void>): Promise<void>;
}

function worldOf(seed: number): RunningWorld {
  const world = new World(new Random(seed).draw);
  world.network.bufferBytes = [16_384, 262_144];
  const { network, files } = world.machine("a").start();
  const unixPath = "/tmp/socket";
  const passing = async (condition: () => boolean, what: string) => {
    const limitMs = world.nowMs + LIMIT_MS;
    while (!condition()) {
      if (world.nowMs > limitMs) throw new Error(`waited in vain for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  };
  return {
    here: {
      network,
      until: passing,
      settle() {
        const endMs = world.nowMs + 200;
        return passing(() => world.nowMs >= endMs, "time to pass");
      },
      unixPath,
      hasUnixFile: () => files.info(unixPath) !== null,
      async connectPeer(port): Promise<Peer> {
        const peer = new SimulatedPeer();
        network.connectTcp("127.0.0.1", port, peer);
        await passing(() => peer.socket !== null, "a connection");
        const socket = peer.socket as SimulatedSocket;
        return {
          send: (text) => peer.send(text),
          received: () => peer.received,
          hasEnded: () => peer.hasEnded,
          endSending: () => peer.endSending(),
          reset: () => socket.reset(),
          close: () => socket.close(),
        };
      },
    },
    async during(test) {
      let isOver = false;
      const over = () => isOver = true;
      test.then(over, over);
      while (!isOver) await world.run(5);
      await test;
    },
  };
}

for (const { name, run } of networkTests) {
  Deno.test(`simulated sockets: ${name}`, async (t) => {
    for (const seed of SEEDS) {
      await t.step(`seed ${seed}`, async () => {
        const { here, during } = worldOf(seed);
        await during(run(here));
      });
    }
  });
}
