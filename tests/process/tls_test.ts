/**
 * TLS for clients: who is let in, what the log says of the others, certificates that are changed while
 * the server runs, and what is no TLS at all.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Certificates, hasOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free_port.ts";
import {
  hasPythonRedis,
  hasRedisCli,
  hasRedisServer,
  pythonWithRedis,
  startRealRedis,
} from "../support/real_redis.ts";
import { bulk, error, type RespClient, status, textOf } from "../support/resp_client.ts";
import { connectTls, isAnswered, startTls, tlsArgs } from "../support/tls_servers.ts";
import { spawnTsredis, startTsredis } from "../support/tsredis_process.ts";

const tls = { ignore: !hasOpenssl };

async function configSet(client: RespClient, ...words: string[]): Promise<string> {
  const reply = await client.call("CONFIG", "SET", ...words);
  return "text" in reply ? reply.text : reply.kind;
}

Deno.test({
  name: "redis-cli --tls is answered, INFO and CLIENT LIST name the port",
  ignore: !hasOpenssl || !hasRedisCli,
  async fn() {
    using certificates = Certificates.usual();
    await using server = await startTls(certificates);
    const { process, tlsPort } = server;
    const cli = async (...args: string[]) => {
      const path = (file: string) => certificates.path(file);
      const { stdout } = await new Deno.Command("redis-cli", {
        args: [
          ...["-p", `${tlsPort}`, "--tls", "--cacert", path("ca.crt")],
          ...["--cert", path("client.crt"), "--key", path("client.key"), ...args],
        ],
      }).output();
      return new TextDecoder().decode(stdout);
    };
    assertEquals(await cli("SET", "k", "over tls"), "OK\n");
    using plain = await process.connect();
    assertEquals(await plain.call("GET", "k"), bulk("over tls"));
    const info = await cli("INFO", "server");
    assertStringIncludes(info, `tcp_port:${process.port}\r\n`);
    assertStringIncludes(info, `listener0:name=tcp,bind=127.0.0.1,port=${process.port}\r\n`);
    assertStringIncludes(info, `listener1:name=tls,bind=127.0.0.1,port=${tlsPort}\r\n`);
    assertMatch(await cli("CLIENT", "INFO"), new RegExp(` laddr=127\\.0\\.0\\.1:${tlsPort} `));
    assertStringIncludes(process.log, "Ready to accept connections tls");
  },
});

Deno.test("port 0 with tls-port listens with TLS only", tls, async () => {
  using certificates = Certificates.usual();
  const tlsPort = freePort();
  await using server = await spawnTsredis({
    args: ["--save", "", ...tlsArgs(certificates, tlsPort), "--port", "0"],
  });
  await server.untilLogged("Ready to accept connections tls");
  assertStringIncludes(server.log, `Running mode=standalone, port=${tlsPort}.`);
  using client = await connectTls(certificates, tlsPort);
  assertMatch(textOf(await client.call("INFO", "server")), new RegExp(`tcp_port:${tlsPort}\r`));
  assertEquals(
    await Deno.connect({ port: server.port }).then((c) => c.close(), () => "refused"),
    "refused",
  );
});

/** Connects without TLS, sends and waits for the end. */
async function sendPlain(port: number, text: string): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(text));
  const buffer = new Uint8Array(100);
  while (await conn.read(buffer).catch(() => null) !== null);
}

Deno.test(
  "who shows no valid certificate is not answered, the log says why, others go on",
  tls,
  async () => {
    using certificates = Certificates.usual();
    certificates.make("other", { by: null, isAuthority: true });
    certificates.make("stranger", { by: "other" });
    certificates.make("expired", { isExpired: true });
    await using server = await startTls(certificates);
    const { process, tlsPort } = server;
    using known = await connectTls(certificates, tlsPort);
    const NO = "peer did not return a certificate";
    const BAD = "certificate verify failed";
    for (const [name, reason] of [[null, NO], ["stranger", BAD], ["expired", BAD]] as const) {
      assertEquals(await isAnswered(certificates, tlsPort, name), false, `${name}`);
      await process.untilLogged(
        new RegExp(
          `# Error accepting a client connection: error:[0-9A-F]{8}:SSL routines::${reason} ` +
            `\\(addr=127\\.0\\.0\\.1:\\d+ laddr=127\\.0\\.0\\.1:${tlsPort}\\)`,
        ),
      );
    }
    await sendPlain(tlsPort, "PING\r\n");
    await process.untilLogged("SSL routines::wrong version number");
    assertEquals(await isAnswered(certificates, process.port), false); // TLS where there is none
    assertEquals(await known.call("PING"), status("PONG"));

    assertEquals(await configSet(known, "tls-auth-clients", "optional"), "OK");
    assertEquals(await isAnswered(certificates, tlsPort, null), true);
    assertEquals(await isAnswered(certificates, tlsPort, "client"), true);
    assertEquals(await isAnswered(certificates, tlsPort, "stranger"), false);
    assertEquals(await configSet(known, "tls-auth-clients", "no"), "OK");
    assertEquals(await isAnswered(certificates, tlsPort, null), true);
    assertEquals(await isAnswered(certificates, tlsPort, "stranger"), true);
    assertEquals(await configSet(known, "tls-auth-clients", "yes"), "OK");
    assertEquals(await isAnswered(certificates, tlsPort, null), false);
    const stats = textOf(await known.call("INFO", "stats"));
    assertMatch(stats, /total_connections_received:\d+\r\n/);
  },
);

Deno.test("CONFIG SET puts other certificates into use, and connections go on", tls, async () => {
  using certificates = Certificates.usual();
  certificates.make("ca2", { by: null, isAuthority: true });
  certificates.make("server2", { by: "ca2" });
  certificates.make("client2", { by: "ca2" });
  certificates.make("secret", { password: "geheim" });
  await using server = await startTls(certificates);
  const { process, tlsPort } = server;
  using before = await connectTls(certificates, tlsPort);
  const path = (file: string) => certificates.path(file);
  assertEquals(
    await configSet(
      before,
      ...["tls-cert-file", path("server2.crt"), "tls-key-file", path("server2.key")],
      ...["tls-ca-cert-file", path("ca2.crt")],
    ),
    "OK",
  );
  assertEquals(await isAnswered(certificates, tlsPort, "client"), false);
  using after = await connectTls(certificates, tlsPort, "client2", "ca2");
  assertEquals(await after.call("PING"), status("PONG"));
  assertEquals(await before.call("PING"), status("PONG"));

  const refused = (name: string) =>
    `ERR CONFIG SET failed (possibly related to argument '${name}') - ` +
    "Unable to update TLS configuration. Check server logs.";
  for (
    const [name, file, line] of [
      [
        "tls-cert-file",
        "nosuch.crt",
        "Failed to load certificate: PATH: error:80000002:system library::No such file or directory",
      ],
      [
        "tls-cert-file",
        "server2.key",
        "Failed to load certificate: PATH: error:0480006C:PEM routines::no start line",
      ],
      [
        "tls-key-file",
        "server.key",
        "Failed to load private key: PATH: error:05800074:x509 certificate routines::key values mismatch",
      ],
      [
        "tls-key-file",
        "server2.crt",
        "Failed to load private key: PATH: error:1E08010C:DECODER routines::unsupported",
      ],
      [
        "tls-ca-cert-file",
        "server.key",
        "Failed to configure CA certificate(s) file/directory: error:05800088:x509 certificate routines::no certificate or crl found",
      ],
    ]
  ) {
    assertEquals(await configSet(before, name, path(file)), refused(name));
    await process.untilLogged(line.replace("PATH", path(file)));
  }
  assertEquals(await configSet(before, "tls-protocols", "SSLv3"), refused("tls-protocols"));
  await process.untilLogged("Invalid tls-protocols specified. Use a combination of");
  assertEquals(await isAnswered(certificates, tlsPort, "client2", "ca2"), true);

  // A file of the same name has got another content.
  const [certificate, key] = [path("current.crt"), path("current.key")];
  certificates.copy("server2.crt", "current.crt");
  certificates.copy("server2.key", "current.key");
  const current = ["tls-cert-file", certificate, "tls-key-file", key] as const;
  assertEquals(await configSet(before, ...current, "tls-ca-cert-file", path("ca.crt")), "OK");
  certificates.copy("secret.crt", "current.crt");
  certificates.copy("secret.key", "current.key");
  assertEquals(await isAnswered(certificates, tlsPort, "client", "ca2"), true);
  assertEquals(await configSet(before, "tls-cert-file", certificate), refused("tls-cert-file"));
  await process.untilLogged("error:07880109:common libcrypto routines::interrupted or cancelled");
  const withPassword = ["tls-key-file-pass", "geheim", ...current];
  assertEquals(await configSet(before, ...withPassword), "OK");
  assertEquals(await isAnswered(certificates, tlsPort, "client", "ca2"), false);
  assertEquals(await isAnswered(certificates, tlsPort, "client", "ca"), true);
  assertEquals(await before.call("PING"), status("PONG"));
  assert(!process.log.includes("geheim"));
});

/** What the server answers PING of `openssl s_client`, and whether it has taken up a session again. */
async function pingByOpenssl(
  certificates: Certificates,
  port: number,
  ...args: string[]
): Promise<{ isAnswered: boolean; isResumed: boolean }> {
  const path = (file: string) => certificates.path(file);
  const child = new Deno.Command("openssl", {
    args: [
      ...["s_client", "-connect", `127.0.0.1:${port}`, "-CAfile", path("ca.crt"), "-ign_eof"],
      ...["-cert", path("client.crt"), "-key", path("client.key"), ...args],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode("PING\r\nQUIT\r\n")).catch(() => {});
  const { stdout } = await child.output();
  await input.close().catch(() => {});
  const text = new TextDecoder().decode(stdout);
  return { isAnswered: text.includes("+PONG"), isResumed: text.includes("Reused, TLS") };
}

for (const version of ["-tls1_2", "-tls1_3"]) {
  Deno.test(
    `a session ${version} is taken up again, but not for other authorities`,
    tls,
    async () => {
      using certificates = Certificates.usual();
      certificates.make("other", { by: null, isAuthority: true });
      await using server = await startTls(certificates);
      using admin = await server.process.connect();
      const path = (file: string) => certificates.path(file);
      const ping = (...args: string[]) =>
        pingByOpenssl(certificates, server.tlsPort, version, ...args);
      const session = path("session");
      assertEquals(await ping("-sess_out", session), { isAnswered: true, isResumed: false });
      assertEquals(await ping("-sess_in", session), { isAnswered: true, isResumed: true });
      assertEquals(await configSet(admin, "tls-ca-cert-file", path("other.crt")), "OK");
      assertEquals((await ping("-sess_in", session)).isAnswered, false);
      assertEquals(await configSet(admin, "tls-ca-cert-file", path("ca.crt")), "OK");
      assertEquals((await ping("-sess_in", session)).isAnswered, true);
    },
  );
}

Deno.test("tls-port is changed by CONFIG SET, once there is what it needs", tls, async () => {
  using certificates = Certificates.usual();
  await using server = await startTsredis({ args: ["--save", ""] });
  using client = await server.connect();
  const [first, second] = [freePort(), freePort()];
  const refusal = "ERR CONFIG SET failed (possibly related to argument 'tls-port') - " +
    "Unable to update TLS configuration. Check server logs.";
  assertEquals(await configSet(client, "tls-port", `${first}`), refusal);
  await server.untilLogged("# No tls-cert-file configured!");
  const [, , ...rest] = tlsArgs(certificates, first).map((word) => word.replace(/^--/, ""));
  assertEquals(await configSet(client, ...rest), "OK");
  assertEquals(await configSet(client, "tls-port", `${first}`), "OK");
  using early = await connectTls(certificates, first);
  assertEquals(await configSet(client, "tls-port", `${second}`), "OK");
  assertEquals(await isAnswered(certificates, first), false);
  assertEquals(await isAnswered(certificates, second), true);
  assertEquals(await early.call("PING"), status("PONG"));
  assertEquals(await configSet(client, "tls-port", "0"), "OK");
  await eventually(async () => !await isAnswered(certificates, second));
  assertEquals(await early.call("PING"), status("PONG"));
  const taken = await configSet(client, "tls-port", `${server.port}`);
  assertStringIncludes(taken, "Unable to listen on this port. Check server logs.");
  assertEquals(textOf(await client.call("PING")), "PONG");
});

Deno.test(
  "half handshakes count for maxclients, others are served",
  tls,
  async () => {
    using certificates = Certificates.usual();
    await using server = await startTls(certificates, ["--maxclients", "20"]);
    const { process, tlsPort } = server;
    using known = await connectTls(certificates, tlsPort);
    const half: Deno.Conn[] = [];
    for (let i = 0; i < 40; i++) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: tlsPort });
      await conn.write(new Uint8Array([0x16, 3, 1, 2, 0, 1])).catch(() => {});
      half.push(conn);
    }
    await eventually(async () =>
      /rejected_connections:(2[1-9]|3\d)\r/.test(textOf(await known.call("INFO", "stats")))
    );
    assertEquals(await isAnswered(certificates, tlsPort), false);
    for (const conn of half) conn.close();
    await process.untilLogged("SSL routines::unexpected eof while reading");
    await eventually(() => isAnswered(certificates, tlsPort));
  },
);

const BROKEN: [args: string[], isLikeRedis: boolean][] = [
  [["--tls-cert-file", "nosuch", "--tls-key-file", "server.key"], true],
  [["--tls-cert-file", "server.key", "--tls-key-file", "server.key"], true],
  [["--tls-cert-file", "server.crt", "--tls-key-file", "nosuch"], true],
  [["--tls-cert-file", "server.crt", "--tls-key-file", "client.key"], true],
  [["--tls-cert-file", "server.crt", "--tls-key-file", "server.crt"], true],
  [["--tls-cert-file", "secret.crt", "--tls-key-file", "secret.key"], true],
  [
    ["--tls-cert-file", "secret.crt", "--tls-key-file", "secret.key", "--tls-key-file-pass", "x"],
    true,
  ],
  [["--tls-cert-file", "server.crt"], true],
  [["--tls-key-file", "server.key"], true],
  [
    ["--tls-cert-file", "server.crt", "--tls-key-file", "server.key", "--tls-protocols", "TLSv9"],
    true,
  ],
  [
    ["--tls-cert-file", "server.crt", "--tls-key-file", "server.key", "--tls-ca-cert-file", ""],
    true,
  ],
  [
    ["--tls-cert-file", "server.crt", "--tls-key-file", "server.key", "--tls-ca-cert-file", "x"],
    true,
  ],
  // Redis starts, and trusts nobody.
  [
    ["--tls-cert-file", "server.crt", "--tls-key-file", "server.key", "--tls-ca-cert-dir", "x"],
    false,
  ],
];

Deno.test({
  name: "what TLS cannot be made with ends the start in the words of redis-server",
  ignore: !hasOpenssl || !hasRedisServer,
  async fn() {
    using certificates = Certificates.usual();
    certificates.make("secret", { password: "geheim" });
    const lines = (log: string) =>
      log.split("\n").filter((line) => / # /.test(line) && !line.includes("WARNING"))
        .map((line) => line.replace(/^.*? # /, "")).slice(-2);
    for (const [args, isLikeRedis] of BROKEN) {
      const words = args.map((word) => /\.(crt|key)$/.test(word) ? certificates.path(word) : word);
      const ca = ["--tls-ca-cert-file", certificates.path("ca.crt")];
      const all = ["--save", "", "--tls-port", `${freePort()}`, ...ca, ...words];
      await using ours = await spawnTsredis({ args: all });
      assertEquals((await ours.ended()).code, 1, args.join(" "));
      const said = lines(ours.log);
      assertEquals(said[1], "Failed to configure TLS. Check logs for more info.");
      if (!isLikeRedis) continue;
      const failed = await startRealRedis({ args: all }).then(() => "", String);
      assertEquals(said, lines(failed), args.join(" "));
    }
  },
});

const SCRIPT = `
import sys, redis
port, folder = int(sys.argv[1]), sys.argv[2]
client = redis.Redis(host="localhost", port=port, ssl=True, ssl_ca_certs=folder + "/ca.crt",
    ssl_certfile=folder + "/client.crt", ssl_keyfile=folder + "/client.key", decode_responses=True)
assert client.set("k", "v" * 1000000) and len(client.get("k")) == 1000000
with client.pipeline() as pipe:
    for i in range(5000): pipe.rpush("list", "element %d" % i)
    assert pipe.execute()[-1] == 5000
assert client.lrange("list", 0, -1)[4999] == "element 4999"
subscriber = client.pubsub()
subscriber.subscribe("channel")
assert subscriber.get_message(timeout=5)["type"] == "subscribe"
client.publish("channel", "hello")
assert subscriber.get_message(timeout=5)["data"] == "hello"
print("done")
`;

Deno.test(
  "tls-auth-clients-user CN makes a client the user that its certificate names",
  tls,
  async () => {
    using certificates = Certificates.usual();
    for (const name of ["reader", "off", "nobody", "d\u00f6ner"]) certificates.make(name);
    await using server = await startTls(certificates, [
      ...["--tls-auth-clients-user", "CN", "--requirepass", "secret"],
      ...["--user", "reader", "on", "~*", "+get", "+acl|whoami", "--user", "off", "~*", "+@all"],
      ...["--user", "d\u00f6ner", "on", "~*", "+@all"],
    ]);
    using admin = await server.process.connect();
    await admin.call("AUTH", "secret");
    using reader = await connectTls(certificates, server.tlsPort, "reader");
    assertEquals(await reader.call("ACL", "WHOAMI"), bulk("reader"));
    assertEquals(
      (await reader.call("SET", "k", "v") as { text: string }).text.split(" ")[0],
      "NOPERM",
    );
    using umlaut = await connectTls(certificates, server.tlsPort, "d\u00f6ner");
    assertEquals(await umlaut.call("ACL", "WHOAMI"), bulk("d\xc3\xb6ner"));
    for (const name of ["off", "nobody"]) {
      using client = await connectTls(certificates, server.tlsPort, name);
      assertEquals(await client.call("GET", "k"), error("NOAUTH Authentication required."));
      assertEquals(await client.call("AUTH", "secret"), status("OK"));
    }
    assertMatch(textOf(await admin.call("INFO", "stats")), /acl_access_denied_tls_cert:2\r/);
    assertStringIncludes(Deno.inspect(await admin.call("ACL", "LOG"), { depth: 9 }), '"nobody"');
    assertEquals(await configSet(admin, "tls-auth-clients-user", "off"), "OK");
    using other = await connectTls(certificates, server.tlsPort, "reader");
    assertEquals(await other.call("GET", "k"), error("NOAUTH Authentication required."));
  },
);

Deno.test({
  name: "redis-py works over TLS",
  ignore: !hasOpenssl || !hasPythonRedis,
  async fn() {
    using certificates = Certificates.usual();
    await using server = await startTls(certificates);
    const { stdout, stderr } = await new Deno.Command(pythonWithRedis!, {
      args: ["-c", SCRIPT, `${server.tlsPort}`, certificates.folder],
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals(text(stdout), "done\n", text(stderr));
  },
});

Deno.test(
  "large pipelines go both ways, and a client that does not read is limited",
  tls,
  async () => {
    using certificates = Certificates.usual();
    await using server = await startTls(certificates, [
      ...["--client-output-buffer-limit", "normal 30000000 0 0"],
    ]);
    using client = await connectTls(certificates, server.tlsPort);
    const value = "0123456789".repeat(10_000);
    const sets = Array.from({ length: 200 }, (_, i) => ["SET", `k${i}`, value]);
    const gets = Array.from({ length: 200 }, (_, i) => ["GET", `k${i}`]);
    const replies = await client.pipeline([...sets, ...gets]);
    assertEquals(replies.slice(200), gets.map(() => bulk(value)));
    using greedy = await connectTls(certificates, server.tlsPort);
    await greedy.send("GET k0\r\n".repeat(1_000));
    await server.process.untilLogged(
      "scheduled to be closed ASAP for overcoming of output buffer limits",
    );
    assertEquals(await client.call("PING"), status("PONG"));
    assertEquals(
      await client.call("ECHO"),
      error("ERR wrong number of arguments for 'echo' command"),
    );
  },
);
