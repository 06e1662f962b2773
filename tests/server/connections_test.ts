/** Requests and replies over real sockets: splits, pipelines, sizes, protocol errors. */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { bulk, encode, error, integer, NULL_BULK, status, textOf } from "../support/resp_client.ts";
import { RunningServer } from "./running_server.ts";

Deno.test("requests split at every byte are answered as whole ones", async () => {
  await using s = await RunningServer.start();
  using client = await s.connect();
  const requests = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\nabc\r\nGET k\r\n*1\r\n$4\r\nPING\r\n";
  for (let cut = 1; cut < requests.length; cut++) {
    await client.send(requests.slice(0, cut));
    // A round trip of another connection: the first piece has been read by then.
    using other = await s.connect();
    await other.call("PING");
    await client.send(requests.slice(cut));
    assertEquals(
      [await client.receive(), await client.receive(), await client.receive()],
      [status("OK"), bulk("abc"), status("PONG")],
      `cut at ${cut}`,
    );
  }
});

Deno.test("half a request is waited for, and its connection's end is noticed", async () => {
  await using s = await RunningServer.start();
  const client = await s.connect();
  await client.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\nabc");
  using other = await s.connect();
  await eventually(() => s.core.clients.count === 2, { what: "both connections" });
  assertEquals(await other.call("GET", "k"), NULL_BULK);
  client.close();
  await eventually(() => s.core.clients.count === 1, { what: "the end of one" });
  assertEquals(await other.call("DBSIZE"), integer(0));
});

Deno.test("inline requests as telnet sends them", async () => {
  await using s = await RunningServer.start();
  using client = await s.connect();
  await client.send('SET greeting "hello\\x20world\\n"\r\n\r\n  GET   greeting  \nNOSUCH a\r\n');
  assertEquals(await client.receive(), status("OK"));
  assertEquals(await client.receive(), bulk("hello world\n"));
  assertEquals(
    await client.receive(),
    error("ERR unknown command 'NOSUCH', with args beginning with: 'a' "),
  );
});

Deno.test("a pipeline of 100,000 commands is answered whole, though nothing is read meanwhile", async () => {
  await using s = await RunningServer.start();
  using client = await s.connect();
  const calls = 100_000;
  // All is sent before the first reply is read: the server must not wait for its reader.
  await client.send(encode(Array.from({ length: calls }, () => ["INCR", "k"])));
  let expected = "";
  for (let i = 1; i <= calls; i++) expected += `:${i}\r\n`;
  assert(await client.receiveRaw(expected.length) === expected);
});

Deno.test("a bulk string of 100 MB goes in and out, and its buffers are given back", async () => {
  await using s = await RunningServer.start();
  using client = await s.connect();
  const size = 100 << 20;
  const value = new Uint8Array(size).fill(120);
  value[0] = 97;
  value[size - 1] = 122;
  await client.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${size}\r\n`);
  await client.send(value);
  await client.send("\r\n");
  assertEquals(await client.receive(), status("OK"));
  assertEquals(await client.call("STRLEN", "k"), integer(size));
  assertEquals(await client.call("GETRANGE", "k", "0", "1"), bulk("ax"));
  assertEquals(await client.call("GETRANGE", "k", "-2", "-1"), bulk("xz"));

  // The reply is counted, not kept.
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: s.port });
  await conn.write(new TextEncoder().encode("GET k\r\n"));
  const buffer = new Uint8Array(1 << 20);
  const expected = `$${size}\r\n`.length + size + 2;
  let received = 0;
  let last = 0;
  while (received < expected) {
    const count = await conn.read(buffer);
    if (count === null) throw new Error("the server closed the connection");
    received += count;
    last = buffer[count - 1];
  }
  assertEquals([received, last], [expected, 10]);
  conn.close();
  await eventually(() => {
    let bytes = 0;
    for (const each of s.core.clients.byId.values()) bytes += each.memoryBytes;
    return bytes < 1 << 20;
  }, { what: "the buffers to be small again" });
});

const ERRORS: [name: string, bytes: string, text: string][] = [
  ["no bulk string", "*1\r\n+PING\r\n", "expected '$', got '+'"],
  ["a length that is no number", "*1\r\n$abc\r\n", "invalid bulk length"],
  ["a negative length", "*1\r\n$-1\r\n", "invalid bulk length"],
  ["a length over proto-max-bulk-len", "*1\r\n$536870913\r\n", "invalid bulk length"],
  ["a count over 2^31", "*2147483648\r\n", "invalid multibulk length"],
  ["an endless count", "*" + "1".repeat(65_600), "too big mbulk count string"],
  ["an endless length", "*1\r\n$" + "1".repeat(65_600), "too big bulk count string"],
  ["an endless line", "A".repeat(65_600), "too big inline request"],
  ["an open quote", 'ping "x\r\n', "unbalanced quotes in request"],
];
for (const [name, bytes, text] of ERRORS) {
  Deno.test(`${name}: replies before it, its error, and the end of this connection only`, async () => {
    await using s = await RunningServer.start();
    using other = await s.connect();
    using client = await s.connect();
    await client.send("PING\r\n" + bytes);
    assertEquals(await client.receiveUntilClosed(), `+PONG\r\n-ERR Protocol error: ${text}\r\n`);
    assertEquals(await other.call("PING"), status("PONG"));
    assertEquals(s.core.clients.count, 1);
  });
}

Deno.test("before authentication only small requests are taken", async () => {
  await using s = await RunningServer.start("requirepass secret");
  for (
    const [bytes, text] of [
      ["*11\r\n", "unauthenticated multibulk length"],
      ["*1\r\n$16385\r\n", "unauthenticated bulk length"],
    ]
  ) {
    using client = await s.connect();
    await client.send(bytes);
    assertEquals(await client.receiveUntilClosed(), `-ERR Protocol error: ${text}\r\n`);
  }
  using client = await s.connect();
  assertEquals(await client.call("GET", "k"), error("NOAUTH Authentication required."));
  assertEquals(await client.call("AUTH", "secret"), status("OK"));
  assertEquals(await client.call("SET", "k", "x".repeat(20_000)), status("OK"));
  const many = Array.from({ length: 20 }, (_, i) => `k${i}`);
  assertEquals(await client.call("DEL", ...many), integer(0));
});

Deno.test("CONFIG SET requirepass is for those who come later, until it is taken back", async () => {
  await using s = await RunningServer.start();
  using early = await s.connect();
  assertEquals(await early.call("CONFIG", "SET", "requirepass", "secret"), status("OK"));
  assertEquals(await early.call("GET", "k"), NULL_BULK);
  using late = await s.connect();
  assertEquals(await late.call("GET", "k"), error("NOAUTH Authentication required."));
  await early.call("CONFIG", "SET", "requirepass", "");
  assertEquals(await late.call("GET", "k"), NULL_BULK);
  await early.call("CONFIG", "SET", "requirepass", "secret");
  assertEquals(await late.call("GET", "k"), error("NOAUTH Authentication required."));
  assertEquals(await early.call("GET", "k"), NULL_BULK);
});

Deno.test("QUIT is answered, then the server closes", async () => {
  await using s = await RunningServer.start();
  using client = await s.connect();
  await client.send("SET k 1\r\nQUIT\r\nSET k 2\r\n");
  assertEquals(await client.receiveUntilClosed(), "+OK\r\n+OK\r\n");
  using other = await s.connect();
  assertEquals(await other.call("GET", "k"), bulk("1"));
});

Deno.test("a client that has shut down its sending side gets its replies", async () => {
  await using s = await RunningServer.start();
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: s.port });
  await conn.write(new TextEncoder().encode("PING\r\nECHO x\r\n"));
  await conn.closeWrite();
  assertEquals(await new Response(conn.readable).text(), "+PONG\r\n$1\r\nx\r\n");
});

Deno.test("CLIENT KILL ends another connection, or after its reply one's own", async () => {
  await using s = await RunningServer.start();
  using client = await s.connect();
  using other = await s.connect();
  const [, otherClient] = s.core.clients.byId.values();
  assertEquals(await client.call("CLIENT", "KILL", "ID", `${otherClient.id}`), integer(1));
  assertEquals(await other.receiveUntilClosed(), "");
  await client.send("CLIENT KILL TYPE normal SKIPME no\r\nPING\r\n");
  assertEquals(await client.receiveUntilClosed(), ":1\r\n");
});

Deno.test("what CLIENT PAUSE holds up is carried out when it ends, in order", async () => {
  await using s = await RunningServer.start();
  using client = await s.connect();
  using other = await s.connect();
  await other.call("CLIENT", "PAUSE", "60000", "WRITE");
  await client.send("SET k 1\r\nGET k\r\n");
  await eventually(() => s.core.clients.blockedCount === 1, { what: "the client to be held up" });
  await client.send("INCR k\r\n");
  assertEquals(await other.call("GET", "k"), NULL_BULK);
  await other.call("CLIENT", "UNPAUSE");
  assertEquals(
    [await client.receive(), await client.receive(), await client.receive()],
    [status("OK"), bulk("1"), integer(2)],
  );
  // A pause of a few milliseconds is ended by the timer.
  await other.call("CLIENT", "PAUSE", "20");
  assertEquals(await client.call("GET", "k"), bulk("2"));
});

Deno.test("a client that goes while it is held up is forgotten, its command not carried out", async () => {
  await using s = await RunningServer.start();
  const client = await s.connect();
  using other = await s.connect();
  await other.call("CLIENT", "PAUSE", "60000", "WRITE");
  await client.send("SET k 1\r\n");
  await eventually(() => s.core.clients.blockedCount === 1, { what: "the client to be held up" });
  client.close();
  await eventually(() => s.core.clients.blockedCount === 0, {
    what: "the client to be forgotten",
  });
  await other.call("CLIENT", "UNPAUSE");
  assertEquals(await other.call("GET", "k"), NULL_BULK);
});

Deno.test("MONITOR shows the commands of all, and no passwords", async () => {
  await using s = await RunningServer.start();
  using monitor = await s.connect();
  using client = await s.connect();
  assertEquals(await monitor.call("MONITOR"), status("OK"));
  await client.call("SET", "k", 'a "b"\n\xff');
  await client.call("AUTH", "default", "secret");
  await client.call("HELLO", "2", "AUTH", "default", "secret", "SETNAME", "x");
  await client.call("CONFIG", "GET", "port");
  await client.pipeline([["SELECT", "3"], ["MULTI"], ["GET", "k"], ["EXEC"]]);
  const lines: string[] = [];
  for (let i = 0; i < 7; i++) {
    lines.push(
      textOf(await monitor.receive()).replace(/^\d+\.\d{6} \[(\d+) 127\.0\.0\.1:\d+\]/, "$1"),
    );
  }
  assertEquals(lines, [
    '0 "SET" "k" "a \\"b\\"\\n\\xff"',
    '0 "AUTH" "(redacted)" "(redacted)"',
    '0 "HELLO" "2" "AUTH" "(redacted)" "(redacted)" "SETNAME" "x"',
    '3 "SELECT" "3"',
    '3 "MULTI"',
    '3 "GET" "k"',
    '3 "EXEC"',
  ]);
});
