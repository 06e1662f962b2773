import { assertEquals } from "@std/assert";
import { InputClient } from "../support/input_client.ts";
import {
  type TestClient,
  type TestServer,
  testServer,
  type Value,
} from "../support/test_server.ts";

const BLOCKING = [
  "BLPOP k 1",
  "BRPOP k 1",
  "BLMOVE k l LEFT LEFT 1",
  "BRPOPLPUSH k l 1",
  "BLMPOP 1 1 k LEFT",
  "BZPOPMIN k 1",
  "BZPOPMAX k 1",
  "BZMPOP 1 1 k MIN",
  "WAIT 1 0",
];

const ENDS: [how: string, end: (s: TestServer, waiting: TestClient) => void][] = [
  ["its timeout", (s, waiting) => {
    if (waiting.client.lastCommand!.fullName === "wait") waiting.client.park!.unblock(false);
    s.clock.nowMs += 1001;
    s.core.cron();
  }],
  ["CLIENT UNBLOCK", (s, { client }) => s.run("CLIENT", "UNBLOCK", client.id)],
  [
    "CLIENT UNBLOCK with an error",
    (s, { client }) => s.run("CLIENT", "UNBLOCK", client.id, "ERROR"),
  ],
  ["a change of role", (s) => {
    s.services.replication.replica.masterHost = "elsewhere";
    s.core.roleChanged();
  }],
];

for (const request of BLOCKING) {
  for (const [how, end] of ENDS) {
    Deno.test(`${request} that ends by ${how} answers as CLIENT REPLY says`, () => {
      for (const [mode, next] of [["SKIP", ["PONG"]], ["OFF", []]] as [string, Value[]][]) {
        const s = testServer();
        const waiting = s.connect();
        assertEquals(waiting.runAll("CLIENT", "REPLY", mode), []);
        assertEquals(waiting.runAll(...request.split(" ")), []);
        assertEquals(s.clients.blockedCount, 1);
        end(s, waiting);
        assertEquals(s.clients.blockedCount, 0);
        assertEquals([...waiting.received(), ...waiting.runAll("PING")], next, mode);
        assertEquals(waiting.runAll("CLIENT", "REPLY", "ON"), ["OK"]);
      }
    });
  }
}

Deno.test("a blocking command that is served answers as CLIENT REPLY says", () => {
  const s = testServer();
  const waiting = s.connect();
  waiting.run("CLIENT", "REPLY", "SKIP");
  waiting.run("BLPOP", "k", 0);
  s.run("RPUSH", "k", "v");
  assertEquals(waiting.received(), []);
  assertEquals(waiting.runAll("PING"), ["PONG"]);
});

Deno.test("SHUTDOWN that is given up answers as CLIENT REPLY says", () => {
  const s = testServer({ directives: { save: "" } });
  const waiting = s.connect();
  waiting.run("CLIENT", "REPLY", "SKIP");
  s.core.requestShutdown = (options) => {
    options.onWaiting();
    options.onRefused("ERR no");
  };
  assertEquals(waiting.runAll("SHUTDOWN"), []);
  assertEquals(waiting.runAll("PING"), ["PONG"]);
});

Deno.test("MONITOR shows nothing and a protocol error is silent while replies are off", () => {
  const s = testServer();
  const monitor = s.connect();
  monitor.run("MONITOR");
  monitor.run("CLIENT", "REPLY", "OFF");
  s.run("PING");
  assertEquals(monitor.received(), []);
  monitor.run("CLIENT", "REPLY", "ON");
  s.run("PING");
  assertEquals(monitor.received().length, 1);

  const broken = new InputClient(s);
  broken.send("CLIENT REPLY OFF\r\n*x\r\n");
  assertEquals(broken.received(), []);
  assertEquals(broken.client.isClosing, true);
});
