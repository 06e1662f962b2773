/** RESTORE of payloads that take long: built between others' requests, seen by them at once. */

import { assert, assertEquals } from "@std/assert";
import { blocks } from "../../../src/base/blocks.ts";
import { latin1, toLatin1 } from "../../../src/base/bytes.ts";
import { lowerVersion } from "../../../src/rdb/payload_version.ts";
import { RequestParser } from "../../../src/resp/parser.ts";
import { answerAndTurns, slicedServer } from "../../support/sliced_server.ts";
import { type TestClient, type TestServer, testServer } from "../../support/test_server.ts";

const MEMBERS = 20_000;

/** A payload of a set, larger than what is restored at once. */
function payload(): string {
  const s = testServer();
  for (let i = 0; i < MEMBERS; i += 1000) {
    s.run("SADD", "k", ...Array.from({ length: 1000 }, (_, j) => `member ${i + j}`));
  }
  s.run("MULTI"); // what is in a transaction is done at once
  s.run("DUMP", "k");
  const [bytes] = s.run("EXEC") as string[];
  assert(bytes.length > 64 * 1024);
  return bytes;
}

const PAYLOAD = payload();

Deno.test("RESTORE of a large payload goes on in turns; others see all of it or nothing", () => {
  const { s, timers, client } = slicedServer();
  assertEquals(client.run("RESTORE", "k", 0, PAYLOAD), undefined);
  assertEquals(s.clients.blockedCount, 1);
  assert(client.client.memoryBytes > PAYLOAD.length);
  for (let turn = 0; turn < 5; turn++) {
    timers.othersDone();
    assertEquals(s.run("EXISTS", "k"), 0);
  }
  const [answer, turns] = answerAndTurns(client, timers);
  assertEquals(answer, "OK");
  assert(turns > 10, `${turns} turns`);
  assertEquals(s.run("SCARD", "k"), MEMBERS);
  assertEquals(s.clients.blockedCount, 0);
  assertEquals(timers.waitsForOthers, false);
});

Deno.test("RESTORE of a large payload enters the stream once, and is counted once", () => {
  const { s, timers, client } = slicedServer();
  client.run("RESTORE", "k", 0, PAYLOAD);
  assertEquals(s.propagated(), []);
  answerAndTurns(client, timers);
  const propagated = s.propagated();
  assertEquals(propagated.length, 2);
  assert(propagated[1].startsWith("RESTORE k 0 "));
  assertEquals(s.dispatcher.byName.get("restore")!.calls, 1);
});

Deno.test("RESTORE of a large payload asks for the key when the value is made", () => {
  const { s, timers, client } = slicedServer();
  s.run("SET", "k", "there");
  assertEquals(client.run("RESTORE", "k", 0, PAYLOAD), {
    error: "BUSYKEY Target key name already exists.",
  });
  s.run("DEL", "k");
  client.run("RESTORE", "k", 0, PAYLOAD);
  timers.othersDone();
  s.run("SET", "k", "meanwhile");
  const [answer] = answerAndTurns(client, timers);
  assertEquals(answer, { error: "BUSYKEY Target key name already exists." });
  assertEquals(s.run("GET", "k"), "meanwhile");
});

Deno.test("RESTORE of a large damaged payload is refused, also where its checksum fits", () => {
  const { s, timers, client } = slicedServer();
  // The byte before a member is its length; within a member any byte would be right.
  const at = PAYLOAD.indexOf("member", 50_000) - 1;
  const damaged = PAYLOAD.slice(0, at) + "\xff" + PAYLOAD.slice(at + 1);
  client.run("RESTORE", "k", 0, damaged);
  assertEquals(answerAndTurns(client, timers)[0], {
    error: "ERR DUMP payload version or checksum are wrong",
  });
  s.core.skipsChecksums = true;
  client.run("RESTORE", "k", 0, damaged);
  assertEquals(answerAndTurns(client, timers)[0], { error: "ERR Bad data format" });
  assertEquals(s.run("EXISTS", "k"), 0);
});

Deno.test("a client that goes takes its RESTORE along", () => {
  const { s, timers, client } = slicedServer();
  client.run("RESTORE", "k", 0, PAYLOAD);
  timers.othersDone();
  client.client.isClosed = true;
  client.client.park?.unblock(false);
  assertEquals(s.clients.blockedCount, 0);
  while (timers.waitsForOthers) timers.othersDone();
  assertEquals(s.run("EXISTS", "k"), 0);
});

Deno.test("several large RESTOREs come to their ends in the order of their arrival", () => {
  const { s, timers, client } = slicedServer();
  const other = s.connect();
  client.run("RESTORE", "a", 0, PAYLOAD);
  other.run("RESTORE", "b", 0, PAYLOAD);
  assertEquals(answerAndTurns(client, timers)[0], "OK");
  assertEquals(other.received(), []);
  assertEquals(answerAndTurns(other, timers)[0], "OK");
  assertEquals(s.run("SCARD", "b"), MEMBERS);
});

/** A client whose requests come as bytes, as over a connection. */
function withParser(client: TestClient): (text: string) => void {
  const parser = client.client.parser = new RequestParser({ bulkBytesMax: 512 << 20 }, () => []);
  return (text) => {
    for (let at = 0; at < text.length;) {
      const space = parser.space();
      const part = latin1(text.slice(at, at + Math.min(space.length, 100_000)));
      space.set(part);
      parser.filled(part.length);
      at += part.length;
      client.server.dispatcher.processInput(client.client);
    }
  };
}

function encoded(...words: string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

Deno.test("RESTORE of a large payload enters the stream but for its version, and requests behind it wait", () => {
  const handedOn = latin1(PAYLOAD);
  assertEquals(lowerVersion(handedOn, 0, handedOn.length), 6);
  const { s, timers, client } = slicedServer();
  const send = withParser(client);
  const request = encoded("RESTORE", "k", "0", PAYLOAD, "REPLACE");
  send(encoded("SET", "k", "old") + request + encoded("SCARD", "k"));
  assertEquals(client.received(), ["OK"]);
  send(encoded("ECHO", "more"));
  timers.othersDone();
  s.run("GET", "k");
  s.propagated();
  assertEquals(answerAndTurns(client, timers)[0], "OK");
  client.server.dispatcher.processInput(client.client);
  assertEquals(client.received(), [MEMBERS, "more"]);
  const expected = ["RESTORE", "k", "0", toLatin1(handedOn), "REPLACE"].join(" ");
  assertEquals(s.propagated().map((command) => command === expected), [true]);
});

Deno.test("the memory of a payload goes back when its client goes, and when its request is done", () => {
  const { timers, client } = slicedServer();
  const send = withParser(client);
  const request = encoded("RESTORE", "k", "0", PAYLOAD + PAYLOAD + PAYLOAD);
  const taken = blocks.takenBytes;
  send(request);
  assert(blocks.takenBytes > taken + PAYLOAD.length);
  client.client.isClosed = true;
  client.client.park!.unblock(false);
  assertEquals(blocks.takenBytes, taken);
  const other = slicedServer();
  withParser(other.client)(request.slice(0, -3) + "x\r\n");
  assert(blocks.takenBytes > taken + PAYLOAD.length);
  assertEquals(answerAndTurns(other.client, other.timers)[0], {
    error: "ERR DUMP payload version or checksum are wrong",
  });
  assertEquals(blocks.takenBytes, taken);
  assertEquals(timers.waitsForOthers, true);
});

/** What others do while a value is built, and what is there after RESTORE REPLACE of key "k" in database 0. */
const interleavings: [name: string, happens: (s: TestServer) => void, keys: unknown[]][] = [
  ["FLUSHALL", (s) => s.run("FLUSHALL"), [MEMBERS, 0, 0]],
  ["RENAME", (s) => s.run("RENAME", "k", "renamed"), [MEMBERS, 1, 0]],
  ["SWAPDB", (s) => s.run("SWAPDB", 0, 1), [MEMBERS, 0, 1]],
  ["DEL", (s) => s.run("DEL", "k"), [MEMBERS, 0, 0]],
  ["SADD", (s) => s.run("SADD", "k", "more"), [MEMBERS, 0, 0]],
  ["EXPIRE", (s) => s.run("PEXPIRE", "k", 1), [MEMBERS, 0, 0]],
  ["another type", (s) => s.run("RPUSH", "k", "x") && s.run("SET", "k", "y"), [MEMBERS, 0, 0]],
];

for (const [name, happens, expected] of interleavings) {
  Deno.test(`RESTORE REPLACE of a large payload replaces what is there at its end: after ${name}`, () => {
    const { s, timers, client } = slicedServer();
    s.run("SADD", "k", "old");
    client.run("RESTORE", "k", 0, PAYLOAD, "REPLACE");
    for (let turn = 0; turn < 5; turn++) timers.othersDone();
    happens(s);
    s.clock.nowMs += 1000;
    assertEquals(answerAndTurns(client, timers)[0], "OK");
    const found = [s.run("SCARD", "k"), s.run("EXISTS", "renamed")];
    assertEquals([s.run("TTL", "k"), s.run("SISMEMBER", "k", "more")], [-1, 0]);
    s.run("SELECT", 1);
    assertEquals([...found, s.run("EXISTS", "k")], expected);
  });
}

Deno.test("in a transaction RESTORE of a large payload does not wait", () => {
  const { s, timers, client } = slicedServer();
  client.run("MULTI");
  client.run("RESTORE", "k", 0, PAYLOAD);
  client.run("SCARD", "k");
  assertEquals(client.run("EXEC"), ["OK", MEMBERS]);
  assertEquals(timers.waitsForOthers, false);
  assertEquals(s.run("SCARD", "k"), MEMBERS);
});

for (const compress of [true, false]) {
  const how = compress ? "that was compressed" : "as it is";
  Deno.test(`RESTORE of a long string ${how} takes its memory from blocks, and DEL gives it back`, () => {
    const s = testServer({ directives: { rdbcompression: compress } });
    s.run("SET", "k", "0123456789".repeat(300_000));
    s.run("MULTI"); // what is in a transaction is done at once
    s.run("DUMP", "k");
    const [dump] = s.run("EXEC") as string[];
    const digest = s.run("DEBUG", "DIGEST-VALUE", "k");
    s.run("DEL", "k");
    s.run("PING");
    const before = blocks.takenBytes;
    s.run("MULTI");
    s.run("RESTORE", "k", 0, dump);
    s.run("EXEC");
    assertEquals(s.run("DEBUG", "DIGEST-VALUE", "k"), digest);
    const taken = blocks.takenBytes - before;
    assert(taken >= 3_000_000 && taken < 3_100_000, `${taken}`);
    s.run("DEL", "k");
    s.run("PING");
    assertEquals(blocks.takenBytes, before);
  });
}
