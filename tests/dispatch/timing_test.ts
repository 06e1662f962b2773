import { assertEquals } from "@std/assert";
import { InputClient } from "../support/input_client.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

/** Has each look at the clock show a millisecond more; returns what counts the looks. */
function countLooks(s: TestServer): { count: number } {
  const looks = { count: 0 };
  Object.assign(s.keyspace.clock, { monotonic: () => ++looks.count });
  return looks;
}

function usecOf(s: TestServer, name: string): number {
  return s.dispatcher.byName.get(name)!.usec;
}

Deno.test("a timed call in a pipeline begins where the one before it has ended", () => {
  const s = testServer();
  const client = new InputClient(s);
  const looks = countLooks(s);
  client.send("LRANGE k 0 -1\r\n".repeat(5));
  assertEquals([looks.count, usecOf(s, "lrange")], [6, 5000]);
});

Deno.test("the time between two reads of a client is no call's time", () => {
  const s = testServer();
  const client = new InputClient(s);
  const looks = countLooks(s);
  client.send("LRANGE k 0 -1\r\n");
  looks.count += 1000;
  client.send("LRANGE k 0 -1\r\n");
  assertEquals(usecOf(s, "lrange"), 2000);
});

Deno.test("a call that follows one that was not timed looks at the clock itself", () => {
  const s = testServer();
  const client = new InputClient(s);
  client.send("GET k\r\n"); // of sixteen of these the first is timed
  const looks = countLooks(s);
  client.send("LRANGE k 0 -1\r\nGET k\r\nLRANGE k 0 -1\r\n");
  assertEquals([looks.count, usecOf(s, "lrange")], [4, 2000]);
});

Deno.test("of PFCOUNT with one key some calls are timed, with several all", () => {
  const s = testServer();
  const client = new InputClient(s);
  const looks = countLooks(s);
  client.send("PFCOUNT a\r\n".repeat(16));
  assertEquals([looks.count, usecOf(s, "pfcount")], [2, 16_000]);
  client.send("PFCOUNT a b\r\n".repeat(3));
  assertEquals([looks.count, usecOf(s, "pfcount")], [6, 19_000]);
});
