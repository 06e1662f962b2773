/** What a server does when its machine's clock is set an hour back, or on: durations stay what they are. */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { MasterRig } from "../support/master_rig.ts";
import { type TestServer, testServer, type TestServerOptions } from "../support/test_server.ts";

const HOUR_MS = 3_600_000;

/** The test runs with a clock that is set back, and with one that is set on. */
function whenSet(
  name: string,
  run: (set: (s: TestServer) => void, hourMs: number) => void | Promise<void>,
): void {
  for (const [way, hourMs] of [["back", -HOUR_MS], ["on", HOUR_MS]] as const) {
    Deno.test(`the clock is set ${way} an hour: ${name}`, () => {
      return run((s) => {
        s.clock.setMs = hourMs;
        s.keyspace.refreshTime();
      }, hourMs);
    });
  }
}

/** Lets the time pass, and the timer see it. */
function pass(s: TestServer, ms: number): void {
  s.clock.nowMs += ms;
  s.core.cron();
}

function field(s: TestServer, name: string): string {
  return new RegExp(`^${name}:(.*)\r$`, "m").exec(s.run("INFO") as string)![1];
}

whenSet("uptime goes on", (set) => {
  const s = testServer();
  pass(s, 5000);
  set(s);
  assertEquals(field(s, "uptime_in_seconds"), "5");
  pass(s, 5000);
  assertEquals(field(s, "uptime_in_seconds"), "10");
});

whenSet("CLIENT PAUSE ends in its time", (set) => {
  const s = testServer();
  s.run("CLIENT", "PAUSE", 1000);
  set(s);
  pass(s, 999);
  assertEquals(s.connect().run("PING"), undefined);
  pass(s, 1);
  assertEquals(s.connect().run("PING"), "PONG");
});

whenSet("blocking commands end in their time", (set) => {
  const s = testServer();
  const before = s.connect();
  before.run("BLPOP", "k", 1);
  set(s);
  const after = s.connect();
  after.run("BZPOPMIN", "k", 1);
  pass(s, 999);
  assertEquals([before.received(), after.received()], [[], []]);
  pass(s, 1);
  assertEquals([before.received(), after.received()], [[null], [null]]);
});

whenSet("save points count the time since the last save", async (set) => {
  const folder = await Deno.makeTempDir();
  try {
    const s = testServer({ directives: { save: "60 1" }, folder });
    s.run("SET", "k", "v");
    pass(s, 1000);
    set(s);
    pass(s, 59_000);
    assertEquals(s.core.persistence.isSaving, false);
    pass(s, 2000);
    assertEquals(s.core.persistence.isSaving, true);
    await eventually(() => !s.core.persistence.isSaving, { what: "the save to end" });
    s.core.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

whenSet("idle clients are closed in their time, and not before", (set) => {
  const s = server({ timeout: 10 });
  const closed: string[] = [];
  const client = s.core.openClient(true, () => ({
    address: "127.0.0.1:1",
    localAddress: "127.0.0.1:2",
    descriptor: 9,
    isWriting: false,
    wake() {},
    resume() {},
    close: () => closed.push("closed"),
  }));
  pass(s, 3000);
  set(s);
  s.dispatcher.processInput(client);
  pass(s, 10_000);
  assert(client.info(s.keyspace.steadyMs).includes("age=13 idle=10 "));
  assertEquals(closed, []);
  pass(s, 1000);
  assertEquals(closed, ["closed"]);
});

function server(directives: TestServerOptions["directives"]): TestServer {
  return testServer({ directives });
}

whenSet("idle times of keys go on", (set) => {
  const s = testServer();
  s.run("SET", "k", "v");
  pass(s, 5000);
  set(s);
  assertEquals(s.run("OBJECT", "IDLETIME", "k"), 5);
  pass(s, 5000);
  assertEquals(s.run("OBJECT", "IDLETIME", "k"), 10);
  s.run("SET", "l", "v");
  assertEquals(s.run("OBJECT", "IDLETIME", "l"), 0);
});

whenSet("keys expire by the time of day", (set, hourMs) => {
  const s = testServer();
  s.run("SET", "k", "v", "EX", 60);
  set(s);
  assertEquals(s.run("GET", "k"), hourMs < 0 ? "v" : null);
});

whenSet("rates are those of the time that has passed", (set) => {
  const s = testServer();
  const seconds = (count: number) => {
    for (let turn = 0; turn < count * 10; turn++) {
      for (let i = 0; i < 10; i++) s.run("PING");
      pass(s, 100);
    }
  };
  seconds(2);
  set(s);
  seconds(2);
  assertEquals(field(s, "instantaneous_ops_per_sec"), "100");
});

whenSet("a silent replica is given up in its time, its lag is that of its silence", (set) => {
  const rig = new MasterRig();
  const replica = rig.onlineReplica();
  const lag = () => /lag=(.*)/.exec(rig.info()[1] ?? "")?.[1];
  pass(rig, 1000);
  replica.read();
  set(rig);
  assertEquals(lag(), "1");
  for (let second = 0; second < 58; second++) pass(rig, 1000);
  assertEquals([rig.info()[0], lag()], ["connected_slaves:1", "59"]);
  for (let second = 0; second < 3; second++) pass(rig, 1000);
  assertEquals(rig.info()[0], "connected_slaves:0");
});

whenSet("replicas are good as long as they have acknowledged lately", (set) => {
  const rig = new MasterRig({ "min-replicas-to-write": "1", "min-replicas-max-lag": "3" });
  rig.onlineReplica();
  const good = () => rig.replication.master.goodCount;
  pass(rig, 1000);
  set(rig);
  for (let second = 0; second < 2; second++) pass(rig, 1000);
  assertEquals(good(), 1);
  for (let second = 0; second < 2; second++) pass(rig, 1000);
  assertEquals(good(), 0);
});

whenSet(
  "the backlog goes in its time without replicas, and a partial resync is had until then",
  (set) => {
    const rig = new MasterRig({ "repl-backlog-ttl": "10" });
    rig.onlineReplica().hangUp();
    const { ids: { id }, offset } = rig.replication;
    pass(rig, 1000);
    set(rig);
    for (let second = 0; second < 8; second++) pass(rig, 1000);
    const back = rig.peer("listening-port", "7001", "capa", "eof", "capa", "psync2");
    back.send("PSYNC", id, String(offset + 1));
    assert(back.read().startsWith(`+CONTINUE ${id}`));
    back.hangUp();
    for (let second = 0; second < 12; second++) pass(rig, 1000);
    assertEquals(rig.replication.backlog, null);
  },
);
