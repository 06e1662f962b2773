/** Links over TLS: replicas of tsredis and of redis-server, both ways, and MIGRATE. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Certificates, hasOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import { bulk, type RespClient, status, textOf } from "../support/resp_client.ts";
import { connectTls, startTls, type TlsServer } from "../support/tls_servers.ts";

type Make = "tsredis" | "redis";
const REPLICATION = ["--tls-replication", "yes", "--repl-diskless-sync-delay", "0"];

async function info(client: RespClient): Promise<string> {
  return textOf(await client.call("INFO", "replication"));
}

/** Has `replica` follow `master` at its port with TLS, and waits until the link is up. */
async function follow(replica: TlsServer, master: TlsServer): Promise<void> {
  using client = await replica.process.connect();
  await client.call("REPLICAOF", "127.0.0.1", `${master.tlsPort}`);
  try {
    await eventually(async () => (await info(client)).includes("master_link_status:up"), {
      timeoutMs: 30_000,
      what: "the link",
    });
  } catch (cause) {
    throw new Error(`${replica.process.log}\n--- master:\n${master.process.log}`, { cause });
  }
}

for (const [from, to] of [["tsredis", "tsredis"], ["redis", "tsredis"], ["tsredis", "redis"]]) {
  Deno.test({
    name: `a ${to} follows a ${from} over TLS: full sync, stream, partial resync`,
    ignore: !hasOpenssl || (`${from}${to}`.includes("redisredis") && !hasRedisServer) ||
      ([from, to].includes("redis") && !hasRedisServer),
    async fn() {
      using certificates = Certificates.usual();
      await using master = await startTls(certificates, REPLICATION, from as Make);
      await using replica = await startTls(certificates, REPLICATION, to as Make);
      using writer = await connectTls(certificates, master.tlsPort);
      const value = "0123456789".repeat(10_000);
      await writer.pipeline(
        Array.from({ length: 100 }, (_, i) => ["SET", `before:${i}`, value + i]),
      );
      await follow(replica, master);
      await writer.pipeline(
        Array.from({ length: 100 }, (_, i) => ["SET", `after:${i}`, value + i]),
      );
      assertEquals((await writer.call("WAIT", "1", "10000") as { value: number }).value, 1);
      using reader = await connectTls(certificates, replica.tlsPort);
      assertEquals(await reader.call("GET", "before:99"), bulk(value + 99));
      assertEquals(await reader.call("GET", "after:99"), bulk(value + 99));
      assertEquals(await reader.call("DBSIZE"), await writer.call("DBSIZE"));
      // The replica says where it listens with TLS.
      assertStringIncludes(await info(writer), `port=${replica.tlsPort},state=online`);
      await writer.call("CLIENT", "KILL", "TYPE", "replica");
      await writer.call("SET", "later", "on");
      await eventually(async () => "text" in await reader.call("GET", "later"));
      assertStringIncludes(textOf(await writer.call("INFO", "stats")), "sync_partial_ok:1\r\n");
    },
  });
}

Deno.test({
  name: "a replica does not follow a master whose certificate it cannot check, and says so",
  ignore: !hasOpenssl,
  async fn() {
    using certificates = Certificates.usual();
    certificates.make("other", { by: null, isAuthority: true });
    await using master = await startTls(certificates, REPLICATION);
    await using replica = await startTls(certificates, [
      ...REPLICATION,
      ...["--tls-ca-cert-file", certificates.path("other.crt")],
    ]);
    using client = await replica.process.connect();
    await client.call("REPLICAOF", "127.0.0.1", `${master.tlsPort}`);
    await replica.process.untilLogged(
      "Error condition on socket for SYNC: error:0A000086:SSL routines::certificate verify failed",
    );
    assertStringIncludes(await info(client), "master_link_status:down");
    // Once it can, it follows.
    const right = certificates.path("ca.crt");
    assertEquals(await client.call("CONFIG", "SET", "tls-ca-cert-file", right), status("OK"));
    await eventually(async () => (await info(client)).includes("master_link_status:up"), {
      timeoutMs: 30_000,
    });
  },
});

Deno.test({
  name: "links show tls-client-cert-file, where there is one",
  ignore: !hasOpenssl,
  async fn() {
    using certificates = Certificates.usual();
    certificates.make("replica", {
      password: "geheim",
      extensions: ["extendedKeyUsage=clientAuth"],
    });
    // The name in it is not looked at, as in Redis.
    certificates.make("listener", {
      extensions: ["extendedKeyUsage=serverAuth"],
      names: "DNS:elsewhere.example",
    });
    const listener = [
      ...["--tls-cert-file", certificates.path("listener.crt")],
      ...["--tls-key-file", certificates.path("listener.key")],
    ];
    await using master = await startTls(certificates, [...REPLICATION, ...listener]);
    await using replica = await startTls(certificates, [
      ...REPLICATION,
      ...listener,
      ...["--tls-client-cert-file", certificates.path("replica.crt")],
      ...["--tls-client-key-file", certificates.path("replica.key")],
      ...["--tls-client-key-file-pass", "geheim"],
    ]);
    await follow(replica, master);
    using client = await replica.process.connect();
    const other = ["tls-client-cert-file", "", "tls-client-key-file", ""];
    assertEquals(await client.call("CONFIG", "SET", ...other), status("OK"));
    using there = await master.process.connect();
    await there.call("CLIENT", "KILL", "TYPE", "replica");
    // The certificate of the listener is not for clients.
    await master.process.untilLogged("SSL routines::certificate verify failed");
    assert(!replica.process.log.includes("geheim"));
  },
});

for (const to of ["tsredis", "redis"] as const) {
  Deno.test({
    name: `MIGRATE to ${to} goes over TLS with tls-cluster yes`,
    ignore: !hasOpenssl || (to === "redis" && !hasRedisServer),
    async fn() {
      using certificates = Certificates.usual();
      await using source = await startTls(certificates, ["--tls-cluster", "yes"]);
      await using target = await startTls(certificates, [], to);
      using here = await source.process.connect();
      using there = await target.process.connect();
      const value = "x".repeat(3_000_000);
      await here.call("SET", "k", value);
      const migrate = ["MIGRATE", "127.0.0.1", `${target.tlsPort}`, "k", "0", "10000"];
      assertEquals(await here.call(...migrate), status("OK"));
      assertEquals(await there.call("GET", "k"), bulk(value));
      assertEquals(await here.call("EXISTS", "k"), { kind: "integer", value: 0 });
      assertEquals(await here.call("CONFIG", "SET", "tls-cluster", "no"), status("OK"));
    },
  });
}
