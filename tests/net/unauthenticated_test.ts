/** What clients may do that have not authenticated, where that is asked for. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { InputClient } from "../support/input_client.ts";
import { connect, error, status, textOf } from "../support/resp_client.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { RunningServer } from "../server/running_server.ts";
import { eventually } from "../support/eventually.ts";

function withPassword(directives: Record<string, string> = {}): [TestServer, InputClient] {
  const s = testServer({ nowMs: 10_000, directives: { "requirepass": "secret", ...directives } });
  const c = new InputClient(s);
  s.core.access.admit(c.client);
  return [s, c];
}

const counts = (s: TestServer) => ({ ...s.services.statistics.unauthenticatedRefused });
const NONE = { input: 0, output: 0, number: 0, time: 0 };
const logged = (s: TestServer) =>
  s.services.accessLog.entries.map(({ reason, object }) => [reason, object]);

function pass(s: TestServer, ms: number): void {
  for (const end = s.clock.nowMs + ms; s.clock.nowMs < end;) {
    s.clock.nowMs += 100;
    s.keyspace.refreshTime();
    s.core.clientLimits.tick(s.clock.nowMs);
  }
}

Deno.test("unauthenticated-timeout ends who has not authenticated in time, and nobody else", () => {
  const [s, idle] = withPassword({ "unauthenticated-timeout": "5", "loglevel": "verbose" });
  const busy = new InputClient(s);
  const known = new InputClient(s);
  for (const { client } of [busy, known]) s.core.access.admit(client);
  known.send("AUTH secret\r\n");
  pass(s, 4_900);
  busy.send("PING\r\n"); // does not help
  assertEquals([idle.closed, busy.closed, known.closed], ["no", "no", "no"]);
  pass(s, 300);
  assertEquals([idle.closed, busy.closed, known.closed], ["at once", "at once", "no"]);
  assertEquals(counts(s), { ...NONE, time: 2 });
  assertEquals(logged(s), [["auth", "unauthenticated: time"]]);
  assertEquals(s.services.accessLog.entries[0].count, 2);
  assertMatch(s.logLines.join(""), /- Closing client that has not authenticated in time/);
});

Deno.test("unauthenticated-timeout is off by default, and says nothing where no password is set", () => {
  const [s, c] = withPassword();
  pass(s, 600_000);
  assertEquals(c.closed, "no");
  const open = testServer({ directives: { "unauthenticated-timeout": "1" } });
  const guest = new InputClient(open);
  open.core.access.admit(guest.client);
  pass(open, 5_000);
  assertEquals(guest.closed, "no");
});

for (const request of ["*11\r\n", "*2\r\n$4\r\nAUTH\r\n$16385\r\n"]) {
  Deno.test(`input beyond what is allowed before AUTH is counted: ${JSON.stringify(request)}`, () => {
    const [s, c] = withPassword();
    c.send(request);
    assertEquals(c.client.isClosing, true);
    assertEquals(counts(s), { ...NONE, input: 1 });
    assertEquals(logged(s), [["auth", "unauthenticated: input"]]);
    // Any other broken request is not.
    const other = new InputClient(s);
    s.core.access.admit(other.client);
    other.send("*x\r\n");
    assertEquals(counts(s), { ...NONE, input: 1 });
  });
}

Deno.test("output that is not read before AUTH is counted", () => {
  const [s, c] = withPassword();
  c.send("GET k\r\n".repeat(600));
  assertEquals(c.closed, "at once");
  assertEquals(counts(s), { ...NONE, output: 1 });
  assertEquals(logged(s), [["auth", "unauthenticated: output"]]);
  s.services.statistics.reset();
  assertEquals(counts(s), NONE);
});

Deno.test("unauthenticated-clients-max bounds how many there are at once", async () => {
  await using s = await RunningServer.start("requirepass secret", "unauthenticated-clients-max 2");
  using known = await s.connect();
  assertEquals(await known.call("AUTH", "secret"), status("OK"));
  using first = await s.connect();
  await first.call("PING");
  {
    using second = await s.connect();
    await second.call("PING");
    using third = await connect(s.port);
    assertEquals(
      await third.receive(),
      error("ERR max number of unauthenticated clients reached"),
    );
  }
  const info = async () => textOf(await known.call("INFO", "stats"));
  assertMatch(await info(), /rejected_connections:1\r\n/);
  assertMatch(await info(), /unauthenticated_refused_number:1\r\n/);
  // One has gone, one authenticates: there is room again.
  assertEquals(await first.call("AUTH", "secret"), status("OK"));
  await eventually(async () => {
    using another = await s.connect();
    return (await another.call("AUTH", "secret")).kind === "status";
  });
  assert(s.core.accessLog.entries.some(({ object }) => object === "unauthenticated: number"));
});
