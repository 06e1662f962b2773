import { assertEquals } from "@std/assert";
import { type TestClient, testServer } from "../../support/test_server.ts";

const SYNTAX = { error: "ERR syntax error" };

/** Whether a transaction of this client, which watches something, still goes through. */
function execSucceeds(client: TestClient): boolean {
  client.run("MULTI");
  client.run("PING");
  return client.run("EXEC") !== null;
}

Deno.test("DBSIZE counts the keys of the client's database", () => {
  const s = testServer();
  s.run("SET", "a", 1);
  s.run("RPUSH", "b", 1);
  const other = s.connect();
  other.run("SELECT", 1);
  assertEquals([s.run("DBSIZE"), other.run("DBSIZE")], [2, 0]);
});

Deno.test("FLUSHDB empties one database, FLUSHALL all", () => {
  const s = testServer();
  const other = s.connect();
  other.run("SELECT", 9);
  for (const client of [s, other]) {
    client.run("SET", "a", 1, "EX", 100);
    client.run("RPUSH", "large", "x".repeat(9000));
  }
  s.propagated();
  assertEquals(s.run("FLUSHDB"), "OK");
  assertEquals([s.run("DBSIZE"), other.run("DBSIZE")], [0, 2]);
  assertEquals(other.run("FLUSHALL", "async"), "OK");
  assertEquals(s.keyspace.keyCount, 0);
  for (const database of s.keyspace.databases) {
    assertEquals([database.expiringCount, database.largeValueBytes], [0, 0]);
  }
  assertEquals(s.propagated(), ["SELECT 0", "FLUSHDB", "SELECT 9", "FLUSHALL async"]);
});

Deno.test("a flush enters the stream even when there was nothing", () => {
  const s = testServer();
  s.run("FLUSHALL");
  s.run("FLUSHDB", "SYNC");
  assertEquals(s.propagated(), ["SELECT 0", "FLUSHALL", "FLUSHDB SYNC"]);
});

Deno.test("a flush fails who watches a key that was there, nobody else", () => {
  const s = testServer();
  const [there, missing] = [s.connect(), s.connect()];
  s.run("SET", "a", 1);
  there.run("WATCH", "a");
  missing.run("WATCH", "none");
  s.run("FLUSHALL");
  assertEquals([execSucceeds(there), execSucceeds(missing)], [false, true]);
});

Deno.test("SWAPDB exchanges content under the clients' feet", () => {
  const s = testServer();
  const other = s.connect();
  other.run("SELECT", 5);
  s.run("SET", "a", "zero", "EX", 100);
  other.run("RPUSH", "l", "five");
  s.propagated();
  assertEquals(s.run("SWAPDB", 0, 5), "OK");
  assertEquals([other.run("GET", "a"), s.run("LRANGE", "l", 0, -1)], ["zero", ["five"]]);
  assertEquals([other.run("TTL", "a"), s.run("EXISTS", "a")], [100, 0]);
  assertEquals(s.propagated(), ["SELECT 0", "SWAPDB 0 5"]);
  assertEquals(s.run("SWAPDB", 3, 3), "OK");
  other.run("DEL", "a");
  assertEquals(s.keyspace.databases[5].expiringCount, 0);
});

Deno.test("SWAPDB fails who watches a key that comes or goes", () => {
  const s = testServer();
  const other = s.connect();
  other.run("SELECT", 1);
  s.run("SET", "goes", 1);
  other.run("SET", "comes", 1);
  const clients = ["goes", "comes", "none"].map((key) => {
    const client = s.connect();
    client.run("WATCH", key);
    return client;
  });
  s.run("SWAPDB", 0, 1);
  assertEquals(clients.map(execSucceeds), [false, false, true]);
});

Deno.test("commands on databases refuse wrong words and change nothing", () => {
  const s = testServer();
  s.run("SET", "a", 1);
  s.propagated();
  assertEquals(s.run("FLUSHDB", "NOW"), SYNTAX);
  assertEquals(s.run("FLUSHALL", "ASYNC", "SYNC"), SYNTAX);
  assertEquals(s.run("SWAPDB", "x", 1), { error: "ERR invalid first DB index" });
  assertEquals(s.run("SWAPDB", 1, "99999999999"), { error: "ERR invalid second DB index" });
  assertEquals(s.run("SWAPDB", 0, 16), { error: "ERR DB index is out of range" });
  assertEquals(s.run("SWAPDB", -1, 0), { error: "ERR DB index is out of range" });
  assertEquals([s.run("DBSIZE"), s.propagated()], [1, []]);
});
