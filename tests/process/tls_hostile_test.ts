/**
 * What comes to the TLS port and is no client: half handshakes, garbage, certificates that are too large.
 * Others are served on meanwhile, what is held for all of it is bounded and given back.
 */

import { assert, assertEquals } from "@std/assert";
import { Certificates, hasOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";
import { type RespClient, status, textOf } from "../support/resp_client.ts";
import { connectTls, isAnswered, startTls } from "../support/tls_servers.ts";

const tls = { ignore: !hasOpenssl };
const SEED = fuzzSeed(20_251_129);
/** Hostile connections at once. */
const CROWD = 300;

/** What a client says first. */
async function clientHello(certificates: Certificates): Promise<Uint8Array> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const attempt = connectTls(certificates, port).then(
    (client) => client[Symbol.dispose](),
    () => {},
  );
  const conn = await listener.accept();
  const buffer = new Uint8Array(16_384);
  const count = await conn.read(buffer) ?? 0;
  conn.close();
  await attempt;
  return buffer.slice(0, count);
}

/** Says something that is no handshake, or only part of one. */
async function beHostile(port: number, hello: Uint8Array, random: Random): Promise<Deno.Conn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const garbage = new Uint8Array(random.below(4_000)).map(() => random.below(256));
  const changed = hello.slice();
  changed[random.below(changed.length)] ^= 1 << random.below(8);
  const said = [
    [],
    [garbage],
    [hello.subarray(0, random.below(hello.length))],
    [changed],
    [hello, garbage],
    [hello, hello],
    [new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")],
    // A record of the largest length there is, of which only the beginning comes.
    [new Uint8Array([0x16, 3, 1, 0xff, 0xff]), garbage],
  ][random.below(8)];
  for (const bytes of said) await conn.write(bytes).catch(() => {});
  return conn;
}

async function memberOf(client: RespClient, section: string, name: string): Promise<number> {
  const text = textOf(await client.call("INFO", section));
  return Number(new RegExp(`${name}:(\\d+)`).exec(text)![1]);
}

Deno.test(
  "a crowd that does not shake hands holds nobody up, and nothing of it stays",
  tls,
  async () => {
    console.log(`seed ${SEED}`);
    using certificates = Certificates.usual();
    await using server = await startTls(certificates);
    const hello = await clientHello(certificates);
    const random = new Random(SEED);
    using known = await connectTls(certificates, server.tlsPort);
    const clientsBefore = await memberOf(known, "clients", "connected_clients");
    for (let round = 0; round < fuzzRounds(2); round++) {
      const crowd = await Promise.all(
        Array.from({ length: CROWD }, () => beHostile(server.tlsPort, hello, random)),
      );
      assertEquals(await known.call("PING"), status("PONG"));
      assertEquals(await isAnswered(certificates, server.tlsPort), true);
      for (const conn of crowd) conn.close();
    }
    await eventually(async () =>
      await memberOf(known, "clients", "connected_clients") === clientsBefore
    );
    assertEquals(await isAnswered(certificates, server.tlsPort), true);
    // Of all these failures the log has some lines each second, and how many more there were.
    const { log } = server.process;
    const lines = log.match(/Error accepting a client connection/g)!.length;
    assert(lines < CROWD, `${lines} lines`);
    await server.process.untilLogged(/Error accepting a client connection: \d+ more of these/);
    assert(!/panic|TypeError|at .*\.ts:/.test(log), log);
  },
);

Deno.test("a certificate that is too large is refused, others are served on", tls, async () => {
  using certificates = Certificates.usual();
  const names = Array.from({ length: 20_000 }, (_, i) => `DNS:name-${i}.example`).join(",");
  certificates.make("huge", { extensions: ["extendedKeyUsage=clientAuth"], names });
  await using server = await startTls(certificates);
  using known = await connectTls(certificates, server.tlsPort);
  assertEquals(await isAnswered(certificates, server.tlsPort, "huge"), false);
  await server.process.untilLogged("Error accepting a client connection: ");
  assertEquals(await known.call("PING"), status("PONG"));
  assertEquals(await isAnswered(certificates, server.tlsPort), true);
});

Deno.test("a client may not shake hands again", tls, async () => {
  using certificates = Certificates.usual();
  await using server = await startTls(certificates);
  const path = (file: string) => certificates.path(file);
  const child = new Deno.Command("openssl", {
    args: [
      ...[
        "s_client",
        "-connect",
        `127.0.0.1:${server.tlsPort}`,
        "-tls1_2",
        "-CAfile",
        path("ca.crt"),
      ],
      ...["-cert", path("client.crt"), "-key", path("client.key")],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode("R\n"));
  const { stderr } = await child.output();
  await input.close().catch(() => {});
  assert(/no renegotiation|alert|error/i.test(new TextDecoder().decode(stderr)));
  assertEquals(await isAnswered(certificates, server.tlsPort), true);
});

Deno.test("a record that is broken ends its connection and no other", tls, async () => {
  using certificates = Certificates.usual();
  await using server = await startTls(certificates);
  using known = await connectTls(certificates, server.tlsPort);
  for (
    const garbage of [[0x17, 3, 3, 0, 64, ...new Array(64).fill(7)], new Array(500).fill(0xab)]
  ) {
    using between = Between.to(server.tlsPort);
    using client = await connectTls(certificates, between.port);
    assertEquals(await client.call("PING"), status("PONG"));
    await between.say(new Uint8Array(garbage));
    assertEquals(await known.call("PING"), status("PONG"));
    client[Symbol.dispose](); // Deno does not tell of a broken record, only of the end behind it
    await between.ended;
    await eventually(async () => await memberOf(known, "clients", "connected_clients") === 1);
  }
  assertEquals(await isAnswered(certificates, server.tlsPort), true);
});

/** Hands on what one connection and the server say to each other, and can say more in its name. */
class Between implements Disposable {
  #far: Deno.Conn | null = null;
  /** One of both has ended the connection. */
  readonly ended: Promise<void>;

  private constructor(readonly listener: Deno.Listener, readonly target: number) {
    this.ended = this.#run();
  }

  static to(port: number): Between {
    return new Between(Deno.listen({ hostname: "127.0.0.1", port: 0 }), port);
  }

  get port(): number {
    return (this.listener.addr as Deno.NetAddr).port;
  }

  async #run(): Promise<void> {
    const near = await this.listener.accept();
    const far = this.#far = await Deno.connect({ hostname: "127.0.0.1", port: this.target });
    const ways = [handOn(near, far), handOn(far, near)];
    await Promise.race(ways);
    near.close();
    far.close();
    await Promise.all(ways);
  }

  async say(bytes: Uint8Array): Promise<void> {
    await this.#far!.write(bytes);
  }

  [Symbol.dispose](): void {
    this.listener.close();
  }
}

/** Until one of them ends. */
async function handOn(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(16_384);
  try {
    for (;;) {
      const count = await from.read(buffer);
      if (count === null) return;
      for (let at = 0; at < count;) at += await to.write(buffer.subarray(at, count));
    }
  } catch {
    // Ended by the other direction.
  }
}
