/** Where a server listens, and whom it lets in. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasRedisServer, startRealRedis } from "../support/real_redis.ts";
import { RespClient, status, textOf } from "../support/resp_client.ts";
import { spawnTsredis } from "../support/tsredis_process.ts";
import { RunningServer } from "./running_server.ts";

const hasIpv6 = (() => {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
})();

async function connectTo(hostname: string, port: number): Promise<RespClient> {
  return new RespClient(await Deno.connect({ hostname, port }));
}

async function isServed(hostname: string, port: number): Promise<boolean> {
  try {
    using client = await connectTo(hostname, port);
    return JSON.stringify(await client.call("PING")) === JSON.stringify(status("PONG"));
  } catch {
    return false;
  }
}

const BINDS: [bind: string, served: string, refused: string][] = [
  ["127.0.0.1", "127.0.0.1", "127.0.0.2 ::1"],
  ["127.0.0.1 127.0.0.2", "127.0.0.1 127.0.0.2", "127.0.0.3"],
  ["* -::*", "127.0.0.1 127.0.0.2 ::1", ""],
  ["*", "127.0.0.1 127.0.0.2", "::1"],
  ["127.0.0.1 -::1", "127.0.0.1 ::1", "127.0.0.2"],
  ["127.0.0.1 -192.0.2.77", "127.0.0.1", "127.0.0.2"],
  ["::*", "::1", "127.0.0.1"],
  ["127.0.0.1 ::*", "127.0.0.1 ::1", "127.0.0.2"],
];
for (const [bind, served, refused] of BINDS) {
  Deno.test({
    name: `bind ${bind} serves ${served} and not ${refused || "nothing else"}`,
    ignore: !hasIpv6 && served.includes("::"),
    fn: async () => {
      await using s = await RunningServer.start(`bind ${bind}`, "protected-mode no");
      for (const host of served.split(" ")) assert(await isServed(host, s.port), host);
      for (const host of refused.split(" ").filter(Boolean)) {
        assert(!await isServed(host, s.port), host);
      }
    },
  });
}

Deno.test("CLIENT LIST shows IPv4 addresses as such, whichever socket took them", async () => {
  await using s = await RunningServer.start("bind * -::*");
  using client = await connectTo("127.0.0.1", s.port);
  assertStringIncludes(
    textOf(await client.call("CLIENT", "INFO")),
    ` laddr=127.0.0.1:${s.port} `,
  );
});

Deno.test({
  name: "CLIENT LIST shows IPv6 addresses in brackets",
  ignore: !hasIpv6,
  fn: async () => {
    await using s = await RunningServer.start("bind ::1");
    using client = await connectTo("::1", s.port);
    assertStringIncludes(textOf(await client.call("CLIENT", "INFO")), ` laddr=[::1]:${s.port} `);
  },
});

/** An address of this machine by which it is no local client to itself. */
const outerAddress = Deno.networkInterfaces().find(({ family, address }) =>
  family === "IPv4" && !address.startsWith("127.")
)?.address;

Deno.test({
  name: "protected-mode turns away who does not come from this machine while no password is set",
  ignore: outerAddress === undefined,
  fn: async () => {
    await using s = await RunningServer.start("bind *");
    using local = await s.connect();
    assertEquals(await local.call("PING"), status("PONG"));
    {
      using outer = await connectTo(outerAddress!, s.port);
      const text = await outer.receiveUntilClosed();
      assertEquals(text.slice(0, 46), "-DENIED Redis is running in protected mode bec");
      assertEquals(text.slice(-2), "\r\n");
    }
    await local.call("CONFIG", "SET", "requirepass", "secret");
    {
      using outer = await connectTo(outerAddress!, s.port);
      assertEquals(await outer.call("AUTH", "secret"), status("OK"));
    }
    await local.call("CONFIG", "SET", "requirepass", "", "protected-mode", "no");
    assert(await isServed(outerAddress!, s.port));
  },
});

Deno.test("unixsocket is served, with its permissions, and removed at the end", async () => {
  const path = await Deno.makeTempFile({ suffix: ".sock" }); // a file in its place is replaced
  {
    await using s = await RunningServer.start(
      `unixsocket ${path}`,
      "unixsocketperm 700",
      "port 0",
    );
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o700);
    using client = new RespClient(await Deno.connect({ transport: "unix", path }));
    assertEquals(await client.call("PING"), status("PONG"));
    const info = textOf(await client.call("CLIENT", "INFO"));
    assertStringIncludes(info, `addr=${path}:0 laddr=${path}:0 `);
    assertStringIncludes(info, " flags=U ");
    assertEquals(s.core.port, 0);
  }
  await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
});

/** Whether a connection to this address comes about, whatever happens to it then. */
async function isOpen(hostname: string, port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test("CONFIG SET bind narrows and widens what a running server serves and has open", async () => {
  await using s = await RunningServer.start("bind * -::*", "protected-mode no");
  using client = await s.connect();
  const hosts = ["127.0.0.1", "127.0.0.2", "::1"];
  for (
    const [bind, ...served] of [
      ["127.0.0.1", true, false, false],
      ["127.0.0.2", false, true, false],
      ["* -::*", true, true, hasIpv6],
      ["::*", false, false, hasIpv6],
      ["* -::*", true, true, hasIpv6],
      ["*", true, true, false],
      ["127.0.0.1 -::1", true, false, hasIpv6],
      ["127.0.0.2 127.0.0.1", true, true, false],
    ]
  ) {
    if (bind === "::*" && !hasIpv6) continue;
    assertEquals(await client.call("CONFIG", "SET", "bind", `${bind}`), status("OK"), `${bind}`);
    // The runtime gives an address back only after the turn in which its socket is closed.
    await eventually(async () => {
      const found = await Promise.all(hosts.map((host) => isServed(host, s.port)));
      assertEquals(found, served, `bind ${bind}`);
      return true;
    }, { what: `bind ${bind}` });
    // An address for all takes connections by others of ours too, and closes them.
    if (`${bind}`.includes("*")) continue;
    const open = await Promise.all(hosts.map((host) => isOpen(host, s.port)));
    assertEquals(open, served, `open with bind ${bind}`);
  }
  assert(!s.hasLogged("Could not create server TCP listening socket"));
});

Deno.test("CONFIG SET bind to an address that is not here changes nothing", async () => {
  await using s = await RunningServer.start("bind * -::*", "protected-mode no");
  using client = await s.connect();
  const reply = await client.call("CONFIG", "SET", "bind", "192.0.2.77");
  assertEquals(reply.kind, "error");
  assert(s.hasLogged("192.0.2.77"));
  for (const host of ["127.0.0.1", "127.0.0.2"]) assert(await isServed(host, s.port), host);
});

Deno.test("CONFIG SET bind to more than is free goes on serving what it did", async () => {
  await using s = await RunningServer.start();
  const other = Deno.listen({ hostname: "127.0.0.2", port: s.port });
  using client = await s.connect();
  assertEquals(await client.call("CONFIG", "SET", "bind", "*"), status("OK"));
  await eventually(() => s.hasLogged(`listening socket *:${s.port}: bind: Address already in use`));
  await eventually(() => isServed("127.0.0.1", s.port));
  other.close();
});

Deno.test("CONFIG SET port 0 stops listening, another port begins again", async () => {
  await using s = await RunningServer.start();
  using client = await s.connect();
  assertEquals(await client.call("CONFIG", "SET", "port", "0"), status("OK"));
  assert(!await isServed("127.0.0.1", s.port));
  assertEquals(await client.call("CONFIG", "SET", "port", `${s.port}`), status("OK"));
  assert(await isServed("127.0.0.1", s.port));
});

Deno.test("CONFIG SET port and bind move the listener; one that cannot be had changes nothing", async () => {
  await using s = await RunningServer.start();
  await using other = await RunningServer.start();
  using client = await s.connect();
  assertEquals(await client.call("CONFIG", "SET", "bind", "127.0.0.2"), status("OK"));
  assert(!await isServed("127.0.0.1", s.port));
  assertEquals(await client.call("CONFIG", "SET", "bind", "127.0.0.1"), status("OK"));
  const reply = await client.call("CONFIG", "SET", "port", `${other.port}`);
  assertEquals(reply, {
    kind: "error",
    text: "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on " +
      "this port. Check server logs.",
  });
  assert(await isServed("127.0.0.1", s.port));
  assert(s.hasLogged("Address already in use"));
  assertEquals(s.core.port, s.port);
});

Deno.test("CONFIG SET bind to an address that is none is refused in Redis's words, and all stays", async () => {
  await using s = await RunningServer.start();
  using client = await s.connect();
  for (const addresses of ["999.999.999.999", "127.0.0.1 192.0.2.1"]) {
    assertEquals(await client.call("CONFIG", "SET", "bind", addresses), {
      kind: "error",
      text: "ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to " +
        "specified addresses.",
    });
  }
  assert(s.hasLogged(`listening socket 999.999.999.999:${s.port}: Name or service not known`));
  assert(await isServed("127.0.0.1", s.port));
});

Deno.test({
  name: "a port in use ends the start with the lines and the code of redis-server",
  ignore: !hasRedisServer,
  fn: async () => {
    await using taken = await startRealRedis();
    await using ours = await spawnTsredis({ args: ["--port", `${taken.port}`] });
    const ending = await ours.ended();
    assertEquals(ending.code, 1);
    const lines = [
      `# Warning: Could not create server TCP listening socket 127.0.0.1:${taken.port}: bind: ` +
      "Address already in use",
      `# Failed listening on port ${taken.port} (TCP), aborting.`,
    ];
    for (const line of lines) assertStringIncludes(ours.log, line);
  },
});
