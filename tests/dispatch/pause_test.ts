import { assertEquals } from "@std/assert";
import { InputClient } from "../support/input_client.ts";
import { testServer } from "../support/test_server.ts";

Deno.test("CLIENT PAUSE holds a command and all that follows until the time is over", () => {
  const s = testServer({ nowMs: 1000 });
  const c = new InputClient(s);
  assertEquals(s.run("CLIENT", "PAUSE", 100), "OK");
  c.send("SET k 1\r\nGET k\r\n");
  c.send("INCR k\r\n");
  assertEquals(c.received(), []);
  assertEquals(s.clients.blockedCount, 1);
  s.pause.tick(1099);
  assertEquals(c.received(), []);
  s.pause.tick(1100);
  assertEquals(c.received(), ["OK", "1", 2]);
  assertEquals(s.clients.blockedCount, 0);
});

Deno.test("CLIENT PAUSE WRITE holds writes, also in a transaction, and no reads", () => {
  const s = testServer();
  const reader = new InputClient(s);
  const writer = new InputClient(s);
  const inMulti = new InputClient(s);
  inMulti.send("MULTI\r\nSET a 1\r\n");
  assertEquals(inMulti.received(), ["OK", "QUEUED"]);
  s.run("CLIENT", "PAUSE", 100, "WRITE");
  reader.send("GET k\r\nMULTI\r\nGET k\r\nEXEC\r\n");
  assertEquals(reader.received(), [null, "OK", "QUEUED", [null]]);
  writer.send("SET k 1\r\n");
  inMulti.send("EXEC\r\n");
  assertEquals([writer.received(), inMulti.received()], [[], []]);
  assertEquals(s.run("CLIENT", "UNPAUSE"), "OK");
  assertEquals([writer.received(), inMulti.received()], [["OK"], [["OK"]]]);
});

Deno.test("a second pause makes the first longer or stricter, never shorter or milder", () => {
  const s = testServer({ nowMs: 1000 });
  const c = new InputClient(s);
  s.pause.begin("client", 2000, true);
  s.pause.begin("client", 1500, false);
  c.send("GET k\r\n");
  s.pause.tick(1999);
  assertEquals(c.received(), []);
  s.pause.tick(2000);
  assertEquals(c.received(), [null]);
});

Deno.test("a command held by one pause may be held by the next", () => {
  const s = testServer();
  const c = new InputClient(s);
  s.run("CLIENT", "PAUSE", 100, "WRITE");
  c.send("SET k 1\r\nSET k 2\r\n");
  // Between the end of the first pause and the client's turn a second one begins.
  c.client.transport.resume = () => {
    s.pause.begin("client", Number.MAX_SAFE_INTEGER, true);
    s.dispatcher.processInput(c.client);
  };
  s.pause.end("client");
  assertEquals(c.received(), []);
  c.client.transport.resume = () => s.dispatcher.processInput(c.client);
  s.pause.end("client");
  assertEquals(c.received(), ["OK", "OK"]);
  assertEquals(s.run("GET", "k"), "2");
});

Deno.test("a client that goes while it is held is forgotten", () => {
  const s = testServer();
  const c = new InputClient(s);
  s.run("CLIENT", "PAUSE", 100);
  c.send("SET k 1\r\n");
  c.client.isClosing = true;
  c.client.park!.unblock(false);
  assertEquals(s.clients.blockedCount, 0);
  s.pause.end("client");
  assertEquals(s.run("GET", "k"), null);
});

Deno.test("masters and replicas are not held", () => {
  const s = testServer();
  s.pause.begin("client", Number.MAX_SAFE_INTEGER, true);
  const c = new InputClient(s);
  c.client.becomeMaster();
  c.send("SET k 1\r\n");
  assertEquals(c.received(), ["OK"]);
});
