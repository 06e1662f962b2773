/**
 * What the TLS of every runtime has to do: all that plain sockets do (network_suite.ts, run over TLS), and
 * what handshakes come to. Whoever has a network runs `secureNetworkTests` and `tlsTests` with it.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type {
  ClientCertificates,
  ConnectHandler,
  Listener,
  ListenerHandler,
  Network,
  Socket,
  SocketHandler,
  TlsContext,
  TlsFiles,
  TlsListenerHandler,
  TlsVersion,
} from "../../src/runtime/runtime.ts";
import { TlsFileError } from "../../src/runtime/tls_files.ts";
import type { Certificates } from "../support/certificates.ts";
import { type NetworkWorld, NO_ADDRESSES } from "./network_suite.ts";
import { connectTlsPeer } from "./node_peer.ts";

const HOST = "127.0.0.1";

/** The files of `name`, with `ca` as the authority unless others are named. */
export function tlsFiles(
  certificates: Certificates,
  name: string,
  { authorities = ["ca"], versions = ["TLSv1.2", "TLSv1.3"], keyPassword = null, key = name }: {
    authorities?: string[];
    versions?: TlsVersion[];
    keyPassword?: string | null;
    key?: string;
  } = {},
): TlsFiles {
  return {
    certificate: certificates.read(`${name}.crt`),
    key: certificates.read(`${key}.key`),
    keyPassword,
    authorities: authorities.map((each) => certificates.read(`${each}.crt`)),
    versions,
  };
}

/** The same world, with a network whose TCP is TLS. */
export function secureWorld(world: NetworkWorld, certificates: Certificates): NetworkWorld {
  const { network, until, settle, unixPath, hasUnixFile } = world;
  const hidesResets = !("Bun" in globalThis);
  return {
    network: new SecureNetwork(network, certificates),
    until,
    settle,
    unixPath,
    hidesResets,
    hasUnixFile: () => hasUnixFile.call(world),
    connectPeer: (port) => connectTlsPeer(port, certificates),
  };
}

/** A network whose TCP is TLS with certificates on both sides. */
class SecureNetwork implements Network {
  readonly #server: TlsContext;
  readonly #client: TlsContext;

  constructor(readonly below: Network, certificates: Certificates) {
    this.#server = below.tlsContext(tlsFiles(certificates, "server"));
    this.#client = below.tlsContext(tlsFiles(certificates, "client"));
  }

  listenTcp(hostname: string, port: number, handler: ListenerHandler): Listener {
    const context = this.#server;
    return this.below.listenTls(hostname, port, {
      arrived: () => ({ context, clientCertificates: "yes" }),
      handshakeFailed() {},
      accepted: (socket) => handler.accepted(socket),
      failed: (reason) => handler.failed(reason),
    });
  }

  listenUnix(path: string, mode: number, handler: ListenerHandler): Listener {
    return this.below.listenUnix(path, mode, handler);
  }

  connectTcp(hostname: string, port: number, handler: ConnectHandler, source?: string) {
    return this.below.connectTls(hostname, port, this.#client, handler, source);
  }

  tlsContext(files: TlsFiles): TlsContext {
    return this.below.tlsContext(files);
  }

  listenTls(hostname: string, port: number, handler: TlsListenerHandler): Listener {
    return this.below.listenTls(hostname, port, handler);
  }

  connectTls(
    hostname: string,
    port: number,
    context: TlsContext,
    handler: ConnectHandler,
    source?: string,
  ) {
    return this.below.connectTls(hostname, port, context, handler, source);
  }
}

export interface TlsTest {
  readonly name: string;
  run(world: NetworkWorld, certificates: Certificates): Promise<void>;
}

/** Serves a socket by sending back what comes. */
class Echo implements SocketHandler {
  readonly #space = new Uint8Array(1024);
  constructor(readonly socket: Socket) {}
  space() {
    return this.#space;
  }
  filled(count: number) {
    this.socket.write(this.#space.slice(0, count), 0, count);
  }
  ended() {
    this.socket.close();
  }
  drained() {}
  closed() {}
}

/** Asks, and notes the answer and the end. */
class Asking implements SocketHandler {
  received = "";
  hasEnded = false;
  readonly #space = new Uint8Array(1024);
  constructor(readonly socket: Socket) {
    socket.write(new TextEncoder().encode("hello"), 0, 5);
  }
  space() {
    return this.#space;
  }
  filled(count: number) {
    this.received += new TextDecoder().decode(this.#space.subarray(0, count));
  }
  ended() {
    this.hasEnded = true;
  }
  drained() {}
  closed() {
    this.hasEnded = true;
  }
}

class Service {
  readonly failures: string[] = [];
  acceptedCount = 0;
  clientCertificates: ClientCertificates = "yes";
  isOpen = true;
  readonly listener: Listener;

  constructor(readonly world: NetworkWorld, public context: TlsContext) {
    this.listener = world.network.listenTls(HOST, 0, {
      arrived: () =>
        this.isOpen ? { context: this.context, clientCertificates: this.clientCertificates } : null,
      accepted: (socket) => {
        this.acceptedCount++;
        return new Echo(socket);
      },
      failed: (reason) => this.failures.push(reason),
      handshakeFailed: (reason, remote, local) => {
        assertEquals([remote.hostname, local.hostname], [HOST, HOST]);
        assertEquals(local.port, this.listener.port);
        this.failures.push(reason);
      },
    });
  }

  /** Connects with this context and asks; the answer, or why there is none. */
  async ask(context: TlsContext): Promise<string> {
    let asking: Asking | null = null;
    let failure: string | null = null;
    this.world.network.connectTls(HOST, this.listener.port, context, {
      connected: (socket) => asking = new Asking(socket),
      failed: (reason) => failure = reason,
    });
    const isOver = () =>
      failure !== null || (asking !== null && (asking.received !== "" || asking.hasEnded));
    await this.world.until(isOver, "an answer");
    const asked = asking as Asking | null;
    asked?.socket.close();
    return failure ?? asked!.received;
  }

  async untilFailed(expected: string): Promise<void> {
    await this.world.until(() => this.failures.length > 0, "a failure");
    assertEquals(this.failures.splice(0), [expected]);
  }
}

const BAD = "error:0A000086:SSL routines::certificate verify failed";
const NONE = "error:0A0000C7:SSL routines::peer did not return a certificate";

export const tlsTests: readonly TlsTest[] = [
  {
    name: "a client's certificate must be valid where one is asked for",
    async run(world, certificates) {
      certificates.make("other", { by: null, isAuthority: true });
      certificates.make("stranger", { by: "other" });
      certificates.make("expired", { isExpired: true });
      const { network } = world;
      const context = (name: string) => network.tlsContext(tlsFiles(certificates, name));
      const service = new Service(world, context("server"));
      for (const way of ["yes", "optional"] as const) {
        service.clientCertificates = way;
        const shy = await connectTlsPeer(service.listener.port, certificates, null);
        shy.send("x");
        if (way === "yes") await service.untilFailed(NONE);
        else await world.until(() => shy.received() === "x", "an answer");
        shy.close();
        assertEquals(await service.ask(context("client")), "hello", way);
        for (const bad of ["stranger", "expired", "other"]) {
          const answer = await service.ask(context(bad));
          assert(answer !== "hello", `${bad} ${way}`);
          await service.untilFailed(BAD);
        }
      }
      service.clientCertificates = "no";
      assertEquals(await service.ask(context("stranger")), "hello");
      assertEquals(service.failures, []);
      assertEquals(service.acceptedCount, 4);
      await service.listener.close();
    },
  },
  {
    name: "nobody's certificate is valid where no authority is named",
    async run(world, certificates) {
      const { network } = world;
      const trusting = network.tlsContext(tlsFiles(certificates, "client"));
      const files = tlsFiles(certificates, "server", { authorities: [] });
      const service = new Service(world, network.tlsContext(files));
      assert(await service.ask(trusting) !== "hello");
      await service.untilFailed(BAD);
      service.clientCertificates = "no";
      assertEquals(await service.ask(trusting), "hello");
      await service.listener.close();
    },
  },
  {
    name: "a server's certificate must be valid, whatever name is in it",
    async run(world, certificates) {
      const names = "DNS:elsewhere.example";
      certificates.make("stranger", { by: null, isAuthority: true });
      certificates.make("foreign", { by: "stranger", names });
      certificates.make("self", { by: null, names });
      certificates.make("old", { isExpired: true });
      certificates.make("oldElsewhere", { isExpired: true, names });
      certificates.make("elsewhere", { names });
      const { network } = world;
      const client = network.tlsContext(tlsFiles(certificates, "client"));
      for (
        const [name, isFine] of [
          ["stranger", false],
          ["foreign", false],
          ["self", false],
          ["old", false],
          ["oldElsewhere", false],
          ["elsewhere", true],
        ] as const
      ) {
        const service = new Service(world, network.tlsContext(tlsFiles(certificates, name)));
        // The second time sessions may be taken up again.
        for (let i = 0; i < 2; i++) {
          assertEquals(await service.ask(client), isFine ? "hello" : BAD, name);
        }
        await service.listener.close();
      }
    },
  },
  {
    name: "the versions that are named are used, and no others",
    async run(world, certificates) {
      const { network } = world;
      const context = (name: string, version: TlsVersion) =>
        network.tlsContext(tlsFiles(certificates, name, { versions: [version] }));
      for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
        const other = version === "TLSv1.2" ? "TLSv1.3" : "TLSv1.2";
        const service = new Service(world, context("server", version));
        assertEquals(await service.ask(context("client", version)), "hello");
        assert(await service.ask(context("client", other)) !== "hello");
        await world.until(() => service.failures.length > 0, "a failure");
        await service.listener.close();
      }
    },
  },
  {
    name: "another context counts from the next connection on, also for who comes back",
    async run(world, certificates) {
      certificates.make("ca2", { by: null, isAuthority: true });
      certificates.make("server2", { by: "ca2" });
      certificates.make("client2", { by: "ca2" });
      const { network } = world;
      const both = ["ca", "ca2"];
      const first = network.tlsContext(tlsFiles(certificates, "client", { authorities: both }));
      const second = network.tlsContext(tlsFiles(certificates, "client2", { authorities: both }));
      const service = new Service(world, network.tlsContext(tlsFiles(certificates, "server")));
      assertEquals(await service.ask(first), "hello");
      assertEquals(await service.ask(first), "hello");
      const doubting = tlsFiles(certificates, "client", { authorities: ["ca2"] });
      assertEquals(await service.ask(network.tlsContext(doubting)), BAD);
      await world.settle(); // the server may hear of it as of a failure, or of an end
      service.failures.splice(0);
      service.context = network.tlsContext(
        tlsFiles(certificates, "server2", { authorities: ["ca2"] }),
      );
      assertEquals(await service.ask(second), "hello");
      assert(await service.ask(first) !== "hello");
      await service.untilFailed(BAD);
      await service.listener.close();
    },
  },
  {
    name: "whom the handler does not want is closed before anything is said",
    async run(world, certificates) {
      const { network } = world;
      const service = new Service(world, network.tlsContext(tlsFiles(certificates, "server")));
      service.isOpen = false;
      const answer = await service.ask(network.tlsContext(tlsFiles(certificates, "client")));
      assert(answer !== "hello");
      await world.settle();
      assertEquals(service.failures, []);
      await service.listener.close();
    },
  },
  {
    name: "connecting to what is no address fails as a refusal does",
    async run(world, certificates) {
      const { network } = world;
      const context = network.tlsContext(tlsFiles(certificates, "client"));
      for (const [hostname, port] of NO_ADDRESSES) {
        const failures: string[] = [];
        const attempt = network.connectTls(hostname, port, context, {
          connected: () => {
            throw new Error("connected");
          },
          failed: (reason) => failures.push(reason),
        });
        assertEquals(failures, [], "failed was called before connectTls returned");
        await world.until(() => failures.length > 0, `the refusal of "${hostname}" ${port}`);
        await world.settle();
        assertEquals(failures.length, 1);
        assert(failures[0] !== "");
        attempt.cancel();
      }
    },
  },
  {
    name: "what is no TLS, or ends too soon, has failed by its name",
    async run(world, certificates) {
      if (world.connectPeer === null) return;
      const { network } = world;
      const service = new Service(world, network.tlsContext(tlsFiles(certificates, "server")));
      const plain = await world.connectPeer(service.listener.port);
      plain.send("PING\r\n");
      await service.untilFailed("error:0A00010B:SSL routines::wrong version number");
      plain.close();
      const END = "error:0A000126:SSL routines::unexpected eof while reading";
      for (const half of ["", "\x16\x03\x01\x02\x00\x01"]) {
        const peer = await world.connectPeer(service.listener.port);
        if (half !== "") peer.send(half);
        await world.settle();
        peer.endSending();
        await service.untilFailed(END);
        peer.close();
      }
      await service.listener.close();
    },
  },
  {
    name: "files that do not go together are refused by OpenSSL's words",
    // deno-lint-ignore require-await
    async run({ network }, certificates) {
      certificates.make("secret", { password: "secret" });
      const refusal = (files: TlsFiles) => {
        const { kind, message } = assertThrows(() => network.tlsContext(files), TlsFileError);
        return `${kind}: ${message}`;
      };
      const files = tlsFiles(certificates, "server");
      const none = new Uint8Array(0);
      const NO_START = "error:0480006C:PEM routines::no start line";
      assertEquals(refusal({ ...files, certificate: none }), `certificate: ${NO_START}`);
      assertEquals(
        refusal({ ...files, key: certificates.read("client.key") }),
        "key: error:05800074:x509 certificate routines::key values mismatch",
      );
      assertEquals(
        refusal({ ...files, key: files.certificate }),
        "key: error:1E08010C:DECODER routines::unsupported",
      );
      assertEquals(
        refusal({ ...files, authorities: [files.key] }),
        "authorities: error:05800088:x509 certificate routines::no certificate or crl found",
      );
      const secret = tlsFiles(certificates, "secret");
      assertEquals(
        refusal(secret),
        "key: error:07880109:common libcrypto routines::interrupted or cancelled",
      );
      assertEquals(
        refusal({ ...secret, keyPassword: "wrong" }),
        "key: error:1C800064:Provider routines::bad decrypt",
      );
    },
  },
];
