/**
 * What every Network of src/runtime/runtime.ts has to do, whatever is below it: the same tests for
 * Deno's, Bun's and a simulated one. Whoever has a network makes a NetworkWorld and runs the tests of
 * `networkTests` with it.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Listener, Network, Socket, SocketHandler } from "../../src/runtime/runtime.ts";
import { SystemError } from "../../src/runtime/system_error.ts";

/** A network, and what a test needs beside it. */
export interface NetworkWorld {
  readonly network: Network;
  /** Lets time pass until `condition` holds; fails with `what` when it does not come to that. */
  until(condition: () => boolean, what: string): Promise<void>;
  /** Lets time pass in which whatever is under way would happen. */
  settle(): Promise<void>;
  /** A path that a Unix socket can be made at; null where there are none. */
  readonly unixPath: string | null;
  /** Whether there is a file at `unixPath`. */
  hasUnixFile(): boolean;
  /** Connects by other means than the network under test; null where there are none. */
  connectPeer: ((port: number) => Promise<Peer>) | null;
  /** Its sockets tell of a reset as of an end (those of `node:tls` in Deno). */
  readonly hidesResets?: boolean;
}

/** The other end of a connection, with the freedom to end one direction only, or rudely. */
export interface Peer {
  send(text: string): void;
  /** What has come, as latin1 text. */
  received(): string;
  /** Whether our end has shut down its sending side. */
  hasEnded(): boolean;
  /** Shuts down its own sending side; goes on reading. */
  endSending(): void;
  /** Ends the connection in the middle of everything. */
  reset(): void;
  close(): void;
}

export interface NetworkTest {
  readonly name: string;
  /** Whether the world can run it. */
  isPossible?(world: NetworkWorld): boolean;
  run(world: NetworkWorld): Promise<void>;
}

const HOST = "127.0.0.1";
/** What REPLICAOF and MIGRATE take for an address, and other servers may name as one. */
export const NO_ADDRESSES: readonly (readonly [hostname: string, port: number])[] = [
  ["", 1],
  ["a b", 1],
  ["x".repeat(300), 1],
  [HOST, 70_000],
];

/** Serves one socket, notes what happens to it, and checks how it is called. */
class End implements SocketHandler {
  received = "";
  hasEnded = false;
  /** Null while the connection holds. */
  cause: string | null = null;
  drainedCount = 0;
  /** Sum and count of the bytes, where keeping the text would be too much. */
  receivedBytes = 0;
  isOnlyCounting = false;
  isInOrder = true;
  onFilled: (text: string) => void = () => {};
  onEnded: () => void = () => {};
  socket!: Socket;
  readonly #space: Uint8Array<ArrayBuffer>;
  #isCallingSocket = false;
  #out = new Uint8Array(0);
  #at = 0;
  readonly #later: Uint8Array[] = [];
  #isWaiting = false;
  #isClosed = false;

  constructor(spaceBytes = 16 * 1024) {
    this.#space = new Uint8Array(spaceBytes);
  }

  /** Begins with this socket. */
  on(socket: Socket): this {
    this.socket = socket;
    return this;
  }

  send(text: string): void {
    this.sendBytes(Uint8Array.from(text, (char) => char.charCodeAt(0)));
  }

  /** Sends behind what has not gone yet. */
  sendBytes(bytes: Uint8Array): void {
    if (this.#isWaiting) {
      this.#later.push(bytes); // what has been offered has to stay in its place
      return;
    }
    const rest = this.#out.subarray(this.#at);
    const joined = new Uint8Array(rest.length + bytes.length);
    joined.set(rest);
    joined.set(bytes, rest.length);
    this.#out = joined;
    this.#at = 0;
    this.#offer();
  }

  get unsentBytes(): number {
    return this.#later.reduce((sum, { length }) => sum + length, this.#out.length - this.#at);
  }

  #offer(): void {
    this.#isCallingSocket = true;
    const taken = this.socket.write(this.#out, this.#at, this.#out.length);
    this.#isCallingSocket = false;
    const offered = this.#out.length - this.#at;
    assert(taken >= 0 && taken <= offered, `${taken} taken of ${offered}`);
    this.#at += taken;
    this.#isWaiting = taken < offered;
  }

  close(): void {
    this.#isClosed = true;
    this.socket.close();
  }

  #called(by: string): void {
    assert(!this.#isCallingSocket, `${by} was called from inside write`);
    assert(!this.#isClosed, `${by} was called after close`);
    assert(this.cause === null, `${by} was called after closed`);
  }

  space(hint: number): Uint8Array<ArrayBuffer> {
    this.#called("space");
    assert(hint >= 0);
    return this.#space;
  }

  filled(count: number): void {
    this.#called("filled");
    assert(count > 0 && count <= this.#space.length, `filled(${count})`);
    assert(!this.hasEnded, "filled was called after ended");
    if (this.isOnlyCounting) {
      for (let i = 0; i < count; i++) {
        if (this.#space[i] !== patternAt(this.receivedBytes + i)) this.isInOrder = false;
      }
      this.receivedBytes += count;
      this.onFilled("");
      return;
    }
    const text = String.fromCharCode(...this.#space.subarray(0, count));
    this.received += text;
    this.receivedBytes += count;
    this.onFilled(text);
  }

  ended(): void {
    this.#called("ended");
    assert(!this.hasEnded, "ended was called twice");
    this.hasEnded = true;
    this.onEnded();
  }

  drained(): void {
    this.#called("drained");
    assert(this.#isWaiting, "drained was called though nothing had been left over");
    this.drainedCount++;
    this.#isWaiting = false;
    if (this.#at < this.#out.length) this.#offer();
    while (!this.#isWaiting && this.#later.length > 0) this.sendBytes(this.#later.shift()!);
  }

  closed(cause: string): void {
    this.#called("closed");
    this.cause = cause;
  }
}

/** Byte `at` of a long text whose parts all look different. */
function patternAt(at: number): number {
  return (at ^ (at >> 8) ^ (at >> 16)) & 0xff;
}

/** Listens, and serves whoever comes with `makeEnd()`. */
class Service {
  readonly ends: End[] = [];
  readonly failures: string[] = [];
  readonly listener: Listener;

  constructor(world: NetworkWorld, makeEnd: () => End | null = () => new End(), port = 0) {
    this.listener = world.network.listenTcp(HOST, port, {
      accepted: (socket) => {
        const end = makeEnd();
        if (end === null) return null;
        this.ends.push(end.on(socket));
        return end;
      },
      failed: (reason) => this.failures.push(reason),
    });
  }

  get port(): number {
    return this.listener.port;
  }

  async stop(): Promise<void> {
    for (const end of this.ends) end.close();
    await this.listener.close();
  }
}

async function connect(world: NetworkWorld, port: number, end = new End()): Promise<End> {
  let isConnected = false;
  let failure = "";
  world.network.connectTcp(HOST, port, {
    connected(socket) {
      isConnected = true;
      return end.on(socket);
    },
    failed: (reason) => failure = reason,
  });
  await world.until(() => isConnected || failure !== "", "a connection");
  assertEquals(failure, "");
  return end;
}

/** A pair of connected ends: who has connected, and who has accepted. */
async function pair(
  world: NetworkWorld,
): Promise<{ near: End; far: End; [Symbol.asyncDispose](): Promise<void> }> {
  const service = new Service(world);
  const near = await connect(world, service.port);
  await world.until(() => service.ends.length === 1, "the other end");
  return {
    near,
    far: service.ends[0],
    async [Symbol.asyncDispose]() {
      near.close();
      await service.stop();
    },
  };
}

export const networkTests: readonly NetworkTest[] = [
  {
    name: "what is sent comes back from an echo, in order and whole",
    async run(world) {
      await using ends = await pair(world);
      const { near, far } = ends;
      far.onFilled = (text) => far.send(text);
      for (const text of ["a", "bc", "\0\r\n\xff", "d".repeat(10_000)]) {
        const before = near.received.length;
        near.send(text);
        await world.until(() => near.received.length === before + text.length, "the echo");
        assertEquals(near.received.slice(before), text);
      }
      assertEquals(near.cause, null);
      assertEquals(far.hasEnded, false);
    },
  },
  {
    name: "both ends know each other's address",
    async run(world) {
      await using ends = await pair(world);
      const { near, far } = ends;
      assertEquals({ ...near.socket.local }.port, { ...far.socket.remote }.port);
      assertEquals({ ...far.socket.local }.port, { ...near.socket.remote }.port);
      assertEquals(near.socket.remote.hostname, HOST);
      assertEquals(far.socket.remote.hostname, HOST);
      assertEquals([near.socket.isUnix, far.socket.isUnix], [false, false]);
      near.socket.setNoDelay(true);
      near.socket.setKeepAlive(true);
      near.socket.setNoDelay(false);
    },
  },
  {
    name: "output that a slow reader has no room for waits, and goes on when it reads again",
    async run(world) {
      const total = 24 << 20;
      await using ends = await pair(world);
      const { near, far } = ends;
      far.isOnlyCounting = true;
      far.socket.pauseReading();
      near.sendBytes(Uint8Array.from({ length: total }, (_, at) => patternAt(at)));
      await world.settle();
      assert(near.unsentBytes > 0, "everything was taken though nobody reads");
      assertEquals(far.receivedBytes, 0);
      far.socket.resumeReading();
      await world.until(() => far.receivedBytes === total, "all bytes");
      assert(far.isInOrder);
      await world.until(() => near.unsentBytes === 0, "the last bytes to be taken");
      assert(near.drainedCount > 0);
      assertEquals(near.cause, null);
    },
  },
  {
    name: "what was offered and not taken is offered again, once, before anything else",
    async run(world) {
      await using ends = await pair(world);
      const { near, far } = ends;
      near.send("first ");
      await world.until(() => near.unsentBytes === 0, "the first to go");
      near.send("second");
      await world.until(() => far.received.length === 12, "both");
      assertEquals(far.received, "first second");
    },
  },
  {
    name: "reading that is paused in the midst of input stops there, and goes on where it was",
    async run(world) {
      const service = new Service(world, () => new End(4));
      const near = await connect(world, service.port);
      await world.until(() => service.ends.length === 1, "the other end");
      const [far] = service.ends;
      far.onFilled = () => far.socket.pauseReading();
      near.send("0123456789");
      let before = 0;
      while (before < 10) {
        await world.until(() => far.received.length > before, "more input");
        const { length } = far.received;
        assert(length <= before + 4);
        await world.settle();
        assertEquals(far.received.length, length, "input came while reading was paused");
        before = length;
        far.socket.resumeReading();
      }
      assertEquals(far.received, "0123456789");
      near.close();
      await service.stop();
    },
  },
  {
    name: "pausing and resuming at once changes nothing",
    async run(world) {
      await using ends = await pair(world);
      const { near, far } = ends;
      far.onFilled = () => {
        far.socket.pauseReading();
        far.socket.resumeReading();
        far.socket.pauseReading();
        far.socket.resumeReading();
      };
      far.socket.resumeReading();
      for (const text of ["one", "two", "three"]) {
        near.send(text);
        await world.until(() => far.received.endsWith(text), text);
      }
      assertEquals(far.received, "onetwothree");
    },
  },
  {
    name: "input that came before a pause ends is there after it, the end of input too",
    async run(world) {
      await using ends = await pair(world);
      const { near, far } = ends;
      far.socket.pauseReading();
      near.send("kept");
      await world.until(() => near.unsentBytes === 0, "it to go");
      near.close();
      await world.settle();
      assertEquals([far.received, far.hasEnded], ["", false]);
      far.socket.resumeReading();
      await world.until(() => far.hasEnded || far.cause !== null, "the end");
      assertEquals(far.received, "kept");
    },
  },
  {
    name: "a peer that has ended its sending side is still sent what it is owed",
    isPossible: ({ connectPeer }) => connectPeer !== null,
    async run(world) {
      const service = new Service(world);
      const peer = await world.connectPeer!(service.port);
      await world.until(() => service.ends.length === 1, "the other end");
      const [end] = service.ends;
      const long = "x".repeat(1 << 20);
      end.onEnded = () => end.send(long);
      peer.send("question");
      peer.endSending();
      await world.until(() => peer.received().length === long.length, "the long answer");
      assertEquals(end.received, "question");
      assert(end.hasEnded);
      assert(!peer.hasEnded(), "our end has ended before it was closed");
      end.send("and more");
      await world.until(() => peer.received().endsWith("and more"), "more");
      end.close();
      await world.until(() => peer.hasEnded(), "the end");
      peer.close();
      await service.stop();
    },
  },
  {
    name: "close ends both directions: the peer is told, and the handler hears nothing more",
    async run(world) {
      const service = new Service(world);
      const near = await connect(world, service.port);
      await world.until(() => service.ends.length === 1, "the other end");
      const [far] = service.ends;
      near.send("last words");
      await world.until(() => far.received === "last words", "the last words");
      near.close();
      await world.until(() => far.hasEnded, "the end");
      assertEquals(near.socket.write(new Uint8Array(5), 0, 5), 0);
      near.socket.pauseReading();
      near.socket.resumeReading();
      near.socket.setNoDelay(true);
      near.socket.setKeepAlive(true);
      near.close(); // may be repeated
      far.close();
      await world.settle(); // End checks that nothing is called
      await service.stop();
    },
  },
  {
    name: "a peer that resets the connection breaks it: closed has the system's words",
    isPossible: ({ connectPeer }) => connectPeer !== null,
    async run(world) {
      const service = new Service(world);
      const peer = await world.connectPeer!(service.port);
      await world.until(() => service.ends.length === 1, "the other end");
      const [end] = service.ends;
      peer.send("hello");
      await world.until(() => end.received === "hello", "a greeting");
      peer.reset();
      if (world.hidesResets) {
        await world.until(() => end.hasEnded, "the end");
        await service.stop();
        return;
      }
      await world.until(() => end.cause !== null, "the reset");
      assertEquals(end.cause, "Connection reset by peer");
      assert(!end.hasEnded);
      assertEquals(end.socket.write(new Uint8Array(5), 0, 5), 0);
      end.socket.resumeReading();
      await service.stop();
    },
  },
  {
    name: "writing to a peer that has gone breaks the connection",
    async run(world) {
      await using ends = await pair(world);
      const { near, far } = ends;
      far.close();
      await world.until(() => near.hasEnded || near.cause !== null, "the end");
      for (let i = 0; i < 100 && near.cause === null; i++) {
        if (near.unsentBytes === 0) near.send("anybody there?");
        await world.settle();
      }
      assert(
        near.cause === "Broken pipe" || near.cause === "Connection reset by peer",
        near.cause!,
      );
    },
  },
  {
    name: "a connection begins at the address that is asked for, and where it cannot, at any",
    async run(world) {
      const service = new Service(world);
      for (
        const [source, seen] of [["127.0.0.2", "127.0.0.2"], ["203.0.113.9", HOST], ["x", HOST]]
      ) {
        const near = new End();
        const count = service.ends.length;
        world.network.connectTcp(HOST, service.port, {
          connected: (socket) => near.on(socket),
          failed: (reason) => {
            throw new Error(reason);
          },
        }, source);
        await world.until(
          () => service.ends.length > count && near.socket !== null,
          "a connection",
        );
        const far = service.ends[count];
        assertEquals(far.socket.remote.hostname, seen);
        assertEquals(near.socket.local.hostname, seen);
        assertEquals(near.socket.local.port, far.socket.remote.port);
        near.send("to");
        far.send("fro");
        await world.until(() => far.received === "to" && near.received === "fro", "what was sent");
        near.close();
        await world.until(() => far.hasEnded || far.cause !== null, "the end");
      }
      await service.stop();
    },
  },
  {
    name: "connecting where nobody listens fails with the system's words",
    async run(world) {
      const service = new Service(world);
      const { port } = service;
      await service.stop();
      const failures: string[] = [];
      world.network.connectTcp(HOST, port, {
        connected: () => {
          throw new Error("connected");
        },
        failed: (reason) => failures.push(reason),
      });
      assertEquals(failures, [], "failed was called before connectTcp returned");
      await world.until(() => failures.length > 0, "the refusal");
      await world.settle();
      assertEquals(failures, ["Connection refused"]);
    },
  },
  {
    name: "connecting to what is no address fails as a refusal does",
    async run(world) {
      for (const [hostname, port] of NO_ADDRESSES) {
        const failures: string[] = [];
        const attempt = world.network.connectTcp(hostname, port, {
          connected: () => {
            throw new Error("connected");
          },
          failed: (reason) => failures.push(reason),
        });
        assertEquals(failures, [], "failed was called before connectTcp returned");
        await world.until(() => failures.length > 0, `the refusal of "${hostname}" ${port}`);
        await world.settle();
        assertEquals(failures.length, 1);
        assert(failures[0] !== "");
        attempt.cancel();
      }
    },
  },
  {
    name: "a connection attempt that is called off is not heard of again",
    async run(world) {
      const service = new Service(world);
      let calls = 0;
      const attempt = world.network.connectTcp(HOST, service.port, {
        connected: () => {
          calls++;
          return new End();
        },
        failed: () => calls++,
      });
      attempt.cancel();
      attempt.cancel();
      await world.settle();
      assertEquals(calls, 0);
      await service.stop();
    },
  },
  {
    name: "a port that is taken is refused with EADDRINUSE, and its owner goes on",
    async run(world) {
      const service = new Service(world);
      const error = assertThrows(() => new Service(world, undefined, service.port), SystemError);
      assertEquals([error.code, error.message], ["EADDRINUSE", "Address already in use"]);
      const near = await connect(world, service.port);
      near.close();
      await service.stop();
    },
  },
  {
    name: "an address that this machine has not is refused with EADDRNOTAVAIL",
    run(world) {
      const error = assertThrows(
        () => world.network.listenTcp("192.0.2.77", 0, { accepted: () => null, failed: () => {} }),
        SystemError,
      );
      assertEquals(
        [error.code, error.message],
        ["EADDRNOTAVAIL", "Cannot assign requested address"],
      );
      return Promise.resolve();
    },
  },
  {
    name: "a listener that is closed gives its port back, and what it has accepted goes on",
    async run(world) {
      const first = new Service(world);
      const { port } = first;
      const near = await connect(world, port);
      await world.until(() => first.ends.length === 1, "the other end");
      await first.listener.close();
      await first.listener.close(); // may be repeated
      const second = new Service(world, undefined, port);
      assertEquals(second.port, port);
      near.send("still here");
      await world.until(() => first.ends[0].received === "still here", "the old connection");
      const other = await connect(world, port);
      await world.until(() => second.ends.length === 1, "the new listener's connection");
      assertEquals(first.ends.length, 1);
      near.close();
      other.close();
      await first.stop();
      await second.stop();
      assertEquals([...first.failures, ...second.failures], []);
    },
  },
  {
    name: "a connection that nobody wants to serve is closed",
    async run(world) {
      const service = new Service(world, () => null);
      const near = await connect(world, service.port);
      await world.until(() => near.hasEnded || near.cause !== null, "the end");
      near.close();
      await service.stop();
    },
  },
  {
    name: "a socket may be written and closed before it has a handler",
    async run(world) {
      let isDrained = false;
      const text = Uint8Array.from("go away", (char) => char.charCodeAt(0));
      const listener = world.network.listenTcp(HOST, 0, {
        accepted(socket) {
          let at = 0;
          const go = () => {
            at += socket.write(text, at, text.length);
            if (at === text.length) socket.close();
          };
          socket.pauseReading();
          go();
          return {
            space: () => new Uint8Array(1),
            filled() {},
            ended() {},
            closed() {},
            drained() {
              isDrained = true;
              go();
            },
          };
        },
        failed() {},
      });
      const near = await connect(world, listener.port);
      await world.until(() => near.hasEnded || near.cause !== null, "the end");
      assertEquals(near.received, "go away", `drained: ${isDrained}`);
      near.close();
      await listener.close();
    },
  },
  {
    name: "many connections at once each get their own bytes",
    async run(world) {
      const service = new Service(world, () => {
        const end: End = new End();
        end.onFilled = (text) => end.send(text.toUpperCase());
        return end;
      });
      const ends = await Promise.all(
        Array.from({ length: 50 }, () => connect(world, service.port)),
      );
      ends.forEach((end, i) => end.send(`client ${i}`));
      await world.until(() => ends.every((end) => end.received !== ""), "all answers");
      assertEquals(ends.map((end) => end.received), ends.map((_, i) => `CLIENT ${i}`));
      for (const end of ends) end.close();
      await service.stop();
    },
  },
  {
    name: "a Unix socket is a file while it is listened on",
    isPossible: ({ unixPath }) => unixPath !== null,
    run(world) {
      const path = world.unixPath!;
      const handler = { accepted: () => null, failed() {} };
      const listener = world.network.listenUnix(path, 0o700, handler);
      assertEquals(listener.port, 0);
      assert(world.hasUnixFile());
      const error = assertThrows(() => world.network.listenUnix(path, 0, handler), SystemError);
      assertEquals(error.code, "EADDRINUSE");
      return listener.close().then(() => assert(!world.hasUnixFile(), "the file is still there"));
    },
  },
  {
    name: "a Unix socket in a folder that is not there is refused with ENOENT",
    isPossible: ({ unixPath }) => unixPath !== null,
    run(world) {
      const handler = { accepted: () => null, failed() {} };
      const error = assertThrows(
        () => world.network.listenUnix("/nowhere/at/all.sock", 0, handler),
        SystemError,
      );
      assertEquals([error.code, error.message], ["ENOENT", "No such file or directory"]);
      return Promise.resolve();
    },
  },
];
