/** The simulated network: what it promises its users, and each of its faults. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Listener, Socket, SocketHandler } from "../../src/runtime/runtime.ts";
import { type Machine, type SimulatedRuntime, World } from "../../src/runtime/simulated.ts";
import { SystemError } from "../../src/runtime/system_error.ts";
import { Random } from "../support/random.ts";
import { Peer } from "../support/simulated_peers.ts";

const PORT = 6379;
/** Sockets differ by what is drawn for them: each test is to hold for all kinds. */
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

interface Scene {
  readonly world: World;
  readonly server: Machine;
  readonly client: Machine;
  readonly serverRuntime: SimulatedRuntime;
  readonly clientRuntime: SimulatedRuntime;
  readonly listener: Listener;
  /** Who serves the connections, in order of their coming. */
  readonly accepted: Peer[];
  connect(port?: number, hostname?: string): Peer;
}

/** A server that listens on PORT, and a machine for its clients. */
function sceneOf(seed: number, makePeer: () => Peer = () => new Peer()): Scene {
  const world = new World(new Random(seed).draw);
  const server = world.machine("server");
  const client = world.machine("client");
  const serverRuntime = server.start();
  const clientRuntime = client.start();
  const accepted: Peer[] = [];
  const listener = serverRuntime.network.listenTcp("0.0.0.0", PORT, {
    accepted: (socket) => {
      const peer = makePeer();
      accepted.push(peer);
      return peer.connected(socket);
    },
    failed: (reason) => {
      throw new Error(reason);
    },
  });
  return {
    world,
    server,
    client,
    serverRuntime,
    clientRuntime,
    listener,
    accepted,
    connect: (port = PORT, hostname = "server") => {
      const peer = new Peer();
      clientRuntime.network.connectTcp(hostname, port, peer);
      return peer;
    },
  };
}

/** A test that has to hold for every seed. */
function testAll(name: string, test: (seed: number) => Promise<void>): void {
  Deno.test(`simulated network: ${name}`, async (t) => {
    for (const seed of SEEDS) await t.step(`seed ${seed}`, () => test(seed));
  });
}

testAll("bytes arrive in order and whole, both ways, some time later", async (seed) => {
  const { world, accepted, connect } = sceneOf(seed);
  const client = connect();
  client.send("hello");
  assertEquals(accepted.length, 0);
  await world.run(500);
  const there = Array.from({ length: 20_000 }, (_, i) => `${i} `).join("");
  client.send(there);
  accepted[0].send(there.toUpperCase());
  accepted[0].send("end");
  await world.run(5_000);
  assertEquals(accepted[0].received, "hello" + there);
  assertEquals(client.received, there.toUpperCase() + "end");
  assertEquals(client.socket!.remote, accepted[0].socket!.local);
  assertEquals(client.socket!.local, accepted[0].socket!.remote);
  assertEquals(client.socket!.remote.port, PORT);
});

testAll("a socket takes only what there is room for while nobody reads", async (seed) => {
  const { world, accepted, connect } = sceneOf(seed);
  const client = connect();
  await world.run(500);
  accepted[0].socket!.pauseReading();
  const text = "x".repeat(200_000);
  client.send(text);
  await world.run(5_000);
  assertEquals(accepted[0].received, "");
  assert(client.waitingBytes > 100_000, `${client.waitingBytes} bytes wait`);
  accepted[0].socket!.resumeReading();
  await world.run(20_000);
  assertEquals([accepted[0].received.length, client.waitingBytes], [text.length, 0]);
  assert(client.calls.includes("drained"));
});

testAll("what has been offered must stay as it is until it is taken", async (seed) => {
  const { world, accepted, connect } = sceneOf(seed);
  const client = connect();
  await world.run(500);
  accepted[0].socket!.pauseReading();
  const bytes = new Uint8Array(100_000);
  const socket = client.socket!;
  let taken = socket.write(bytes, 0, bytes.length);
  assert(taken < bytes.length);
  // Nothing may be offered before the socket asks for it.
  assertThrows(() => socket.write(bytes, taken, bytes.length), Error, "before the socket had");
  bytes[bytes.length - 1] = 1;
  accepted[0].socket!.resumeReading();
  client.drained = () => taken += socket.write(bytes, taken, bytes.length);
  await assertRejects(() => world.run(1_000), Error, "Output was changed before");
});

testAll("other bytes than those that were not taken are refused", async (seed) => {
  const { world, accepted, connect } = sceneOf(seed);
  const client = connect();
  await world.run(500);
  const { socket } = client;
  let problem: unknown = null;
  const bytes = new Uint8Array(100_000);
  client.drained = () => {
    try {
      socket!.write(new Uint8Array(10), 0, 10);
    } catch (error) {
      problem ??= error;
    }
  };
  assert(socket!.write(bytes, 0, bytes.length) < bytes.length);
  await world.run(1_000);
  assert(problem instanceof Error);
  assertEquals(problem.message, "Other output was offered than what had not been taken");
  assertEquals(accepted.length, 1);
});

testAll("a peer that has shut down its sending side still reads", async (seed) => {
  const { world, accepted, connect } = sceneOf(seed);
  const client = connect();
  client.send("last words");
  await world.run(500);
  client.endSending();
  await world.run(500);
  assertEquals([accepted[0].received, accepted[0].hasEnded], ["last words", true]);
  accepted[0].send("answer");
  await world.run(500);
  assertEquals([client.received, client.hasEnded, client.cause], ["answer", false, null]);
  accepted[0].socket!.close();
  await world.run(500);
  assertEquals([client.hasEnded, client.cause], [true, null]);
  client.socket!.close();
  await world.run(500);
  assertEquals([...world.network.links], []);
});

testAll("the end is heard after all input, and not while reading is paused", async (seed) => {
  const { world, accepted, connect } = sceneOf(seed, () => new Peer(3));
  const client = connect();
  await world.run(500);
  accepted[0].socket!.pauseReading();
  client.send("0123456789");
  await world.run(500);
  client.socket!.close();
  await world.run(500);
  assertEquals([accepted[0].received, accepted[0].hasEnded], ["", false]);
  accepted[0].socket!.resumeReading();
  await world.run(500);
  assertEquals(accepted[0].received, "0123456789");
  assertEquals(accepted[0].calls.at(-1), "ended");
});

testAll("output that was taken goes out after close; a closed socket takes none", async (seed) => {
  const { world, accepted, connect } = sceneOf(seed);
  const client = connect();
  await world.run(500);
  let taken = 0;
  const bytes = new TextEncoder().encode("0123456789".repeat(10_000));
  client.drained = () => {
    taken += client.socket!.write(bytes, taken, bytes.length);
    client.socket!.close();
  };
  taken += client.socket!.write(bytes, 0, bytes.length);
  await world.run(5_000);
  assert(taken > 0 && taken < bytes.length);
  assertEquals([accepted[0].received.length, accepted[0].hasEnded], [taken, true]);
  assertEquals(client.socket!.write(bytes, 0, 10), 0);
});

testAll("who writes to a peer that has closed is reset", async (seed) => {
  const { world, accepted, connect } = sceneOf(seed);
  const client = connect();
  await world.run(500);
  client.socket!.close();
  await world.run(500);
  assertEquals([accepted[0].hasEnded, accepted[0].cause], [true, null]);
  accepted[0].send("is there anybody");
  await world.run(500);
  assertEquals(accepted[0].cause, "Connection reset by peer");
  assertEquals(client.calls.includes("closed"), false);
});

testAll("closing with unread input resets the peer", async (seed) => {
  const { world, accepted, connect } = sceneOf(seed);
  const client = connect();
  await world.run(500);
  accepted[0].socket!.pauseReading();
  client.send("nobody reads this");
  await world.run(500);
  accepted[0].socket!.close();
  await world.run(500);
  assertEquals(client.cause, "Connection reset by peer");
});

testAll("a cut resets both ends, and what was on the way is lost", async (seed) => {
  const { world, server, client, accepted, connect } = sceneOf(seed);
  const other = world.machine("other").start();
  const [one, two, third] = [connect(), connect(), new Peer()];
  other.network.connectTcp("server", PORT, third);
  await world.run(500);
  one.send("lost");
  await world.run(0.1); // written, but not there yet
  world.network.cut(server, client);
  await world.run(500);
  for (const peer of [one, two]) assertEquals(peer.cause, "Connection reset by peer");
  assertEquals(accepted.map(({ received }) => received).join(""), "");
  assertEquals(accepted.filter(({ cause }) => cause !== null).length, 2);
  assertEquals(third.cause, null);
  third.send("still there");
  await world.run(500);
  assertEquals(accepted.map(({ received }) => received).join(""), "still there");
  world.network.cut(server);
  await world.run(500);
  assertEquals(third.cause, "Connection reset by peer");
});

testAll(
  "a partition holds everything back, one way if so told, until it is healed",
  async (seed) => {
    const { world, server, client, accepted, connect } = sceneOf(seed);
    const peer = connect();
    await world.run(500);
    world.network.partition(client, server);
    peer.send("a");
    const late = connect();
    late.send("late");
    accepted[0].send("the other way");
    await world.run(60_000);
    assertEquals([accepted.length, accepted[0].received], [1, ""]);
    assertEquals(peer.received, "the other way");
    world.network.heal();
    peer.send("b".repeat(1_000));
    await world.run(500);
    assertEquals(accepted[0].received, "a" + "b".repeat(1_000));
    assertEquals([accepted.length, accepted[1].received], [2, "late"]);
  },
);

testAll("a partition may be healed for one machine, and stay for others", async (seed) => {
  const { world, server, client, accepted, connect } = sceneOf(seed);
  const other = world.machine("other");
  const [peer, third] = [connect(), new Peer()];
  other.start().network.connectTcp("server", PORT, third);
  await world.run(500);
  world.network.partition(client, server);
  world.network.partition(other, server);
  peer.send("a");
  third.send("b");
  await world.run(500);
  world.network.heal(other);
  await world.run(500);
  assertEquals(accepted.map(({ received }) => received).sort(), ["", "b"]);
  world.network.heal();
  await world.run(500);
  assertEquals(accepted.map(({ received }) => received).sort(), ["a", "b"]);
});

testAll(
  "a connection attempt ends: refused, unreachable, unknown, or after a time",
  async (seed) => {
    const { world, server, client, connect } = sceneOf(seed);
    const off = world.machine("off");
    off.crash();
    const causes: Record<string, Peer> = {
      "Connection refused": connect(PORT + 1),
      "Name or service not known": connect(PORT, "nobody"),
      "No route to host": connect(PORT, "off"),
    };
    await world.run(3_500);
    for (const [cause, peer] of Object.entries(causes)) assertEquals(peer.cause, cause);
    world.network.partition(client, server);
    const peer = connect();
    await world.run(126_000);
    assertEquals(peer.cause, null);
    await world.run(2_000);
    assertEquals([peer.cause, peer.calls], ["Connection timed out", ["failed"]]);
  },
);

testAll("an attempt that is called off calls nobody", async (seed) => {
  const { world, clientRuntime, accepted } = sceneOf(seed);
  const peers = [new Peer(), new Peer(), new Peer()];
  const attempts = [
    clientRuntime.network.connectTcp("server", PORT, peers[0]),
    clientRuntime.network.connectTcp("server", PORT + 1, peers[1]),
    clientRuntime.network.connectTcp("nobody", PORT, peers[2]),
  ];
  for (const attempt of attempts) attempt.cancel();
  await world.run(1_000);
  assertEquals(peers.map(({ calls }) => calls), [[], [], []]);
  assertEquals(accepted.filter(({ hasEnded }) => !hasEnded).length, 0);

  const peer = new Peer();
  const attempt = clientRuntime.network.connectTcp("server", PORT, peer);
  await world.run(1_000);
  attempt.cancel(); // too late: it is a connection now
  peer.send("here");
  await world.run(1_000);
  assertEquals(accepted.at(-1)!.received, "here");
});

testAll("a listener that has closed refuses, and its port can be had again", async (seed) => {
  const { world, serverRuntime, listener, connect, accepted } = sceneOf(seed);
  const handler = { accepted: () => null, failed: () => {} };
  const listen = () => serverRuntime.network.listenTcp("127.0.0.1", PORT, handler);
  assertEquals(listener.port, PORT);
  assertEquals(assertThrows(listen, SystemError).code, "EADDRINUSE");
  const open = connect();
  await world.run(500);
  let isFree = false;
  listener.close().then(() => isFree = true);
  assertEquals(assertThrows(listen, SystemError).code, "EADDRINUSE");
  await world.until(() => isFree, 1_000);
  listen();
  const refused = connect(); // the new one is for the machine itself only
  open.send("goes on");
  await world.run(500);
  assertEquals([refused.cause, accepted[0].received], ["Connection refused", "goes on"]);
  await listener.close();
});

testAll("port 0 is a free one; addresses of others cannot be had", async (seed) => {
  const { world, serverRuntime, connect } = sceneOf(seed);
  const { network } = serverRuntime;
  const handler = { accepted: (): SocketHandler | null => null, failed: () => {} };
  const [one, two] = [
    network.listenTcp("0.0.0.0", 0, handler),
    network.listenTcp("::", 0, handler),
  ];
  assert(one.port > 0 && two.port > 0 && one.port !== two.port);
  const peer = connect(one.port);
  await world.run(500);
  assertEquals([peer.hasEnded, peer.cause], [true, null]); // nobody was to serve it
  const foreign = () => network.listenTcp("10.9.9.9", PORT, handler);
  assertEquals(assertThrows(foreign, SystemError).code, "EADDRNOTAVAIL");
});

testAll("a Unix socket is a name in a folder, gone with its listener", async (seed) => {
  const { world, serverRuntime } = sceneOf(seed);
  const { network, files } = serverRuntime;
  const served: Socket[] = [];
  const peers: Peer[] = [];
  const handler = {
    accepted: (socket: Socket): SocketHandler => {
      served.push(socket);
      peers.push(new Peer());
      return peers.at(-1)!.connected(socket);
    },
    failed: () => {},
  };
  const listener = network.listenUnix("/tmp/socket", 0o700, handler);
  assertEquals(files.info("/tmp/socket"), { sizeBytes: 0, isFolder: false, mode: 0o700 });
  const again = () => network.listenUnix("/tmp/socket", 0, handler);
  assertEquals(assertThrows(again, SystemError).code, "EADDRINUSE");
  const client = new Peer();
  network.connectUnix("/tmp/socket", client);
  client.send("by path");
  await world.run(500);
  assertEquals(peers[0].received, "by path");
  assertEquals([served[0].isUnix, served[0].local], [true, { hostname: "/tmp/socket", port: 0 }]);
  await Promise.all([listener.close(), world.run(1)]);
  assertEquals(files.info("/tmp/socket"), null);
});

testAll("a killed process leaves its peers an end, a crashed machine a reset", async (seed) => {
  for (const how of ["kill", "crash"] as const) {
    const { world, server, connect, accepted } = sceneOf(seed);
    const peer = connect();
    await world.run(500);
    accepted[0].send("last words");
    await world.run(500);
    server[how]();
    await world.run(500);
    assertEquals(peer.received, "last words");
    assertEquals(peer.hasEnded, how === "kill");
    assertEquals(peer.cause, how === "kill" ? null : "Connection reset by peer");
    const next = connect();
    await world.run(4_000);
    assertEquals(next.cause, how === "kill" ? "Connection refused" : "No route to host");
    assertEquals(accepted[0].calls.filter((call) => /closed|ended/.test(call)), []);
  }
});

testAll("every call comes in a turn of its own, never from inside a call", async (seed) => {
  const { world, connect, accepted } = sceneOf(seed, () => new Peer(7));
  let depth = 0;
  const outside = <T extends unknown[]>(call: (...args: T) => void) => (...args: T) => {
    assertEquals(depth, 0);
    call(...args);
  };
  const inside = (work: () => void) => {
    depth++;
    work();
    depth--;
  };
  const client = connect();
  client.filled = outside(client.filled.bind(client));
  client.drained = outside(client.drained.bind(client));
  client.ended = outside(client.ended.bind(client));
  await world.run(500);
  inside(() => client.send("x".repeat(100_000)));
  inside(() => client.socket!.pauseReading());
  accepted[0].send("y".repeat(5_000));
  await world.run(2_000);
  inside(() => client.socket!.resumeReading());
  await world.run(2_000);
  inside(() => client.socket!.close());
  assertEquals(client.received.length, 5_000);
});
