import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { hashBytes } from "../../src/base/hash.ts";
import { commandTable } from "../../src/commands/index.ts";
import { Command } from "../../src/dispatch/command.ts";
import { RequestParser } from "../../src/resp/parser.ts";
import { InputClient } from "../support/input_client.ts";
import { testServer } from "../support/test_server.ts";

function parserWith(text: string): RequestParser {
  const parser = new RequestParser({ bulkBytesMax: 1 << 29 }, () => null);
  for (let i = 0; i < text.length; i++) {
    parser.space()[0] = text.charCodeAt(i);
    parser.filled(1);
  }
  return parser;
}

function ahead(text: string, word = 1, max = 16): string[] {
  const parser = parserWith(text);
  const starts = new Int32Array(16);
  const lengths = new Int32Array(16);
  const count = parser.wordsAhead(word, starts, lengths, max);
  return Array.from(
    { length: count },
    (_, i) => text.slice(starts[i], starts[i] + lengths[i]),
  );
}

const GET = "*2\r\n$3\r\nGET\r\n$5\r\nkey:1\r\n";
const SET = "*3\r\n$3\r\nSET\r\n$12\r\nkey:00000002\r\n$1\r\nv\r\n";

Deno.test("looking ahead finds the keys of plain requests and stops at anything else", () => {
  assertEquals(ahead(GET + SET + GET), ["key:1", "key:00000002", "key:1"]);
  assertEquals(ahead(GET + "PING inline and more\r\n" + GET), ["key:1"]);
  assertEquals(ahead(GET + "*1\r\n$4\r\nPING\r\n" + GET), ["key:1"]);
  assertEquals(ahead(GET + "*2\r\n$-1\r\n$99\r\n" + GET), ["key:1"]);
});

Deno.test("looking ahead never passes the end of what has arrived", () => {
  const text = GET + SET;
  for (let cut = 0; cut < text.length; cut++) {
    assertEquals(ahead(text.slice(0, cut)), cut < GET.length ? [] : ["key:1"], `cut at ${cut}`);
  }
});

Deno.test("looking ahead finds another word, in as many requests as are wanted", () => {
  const ZADD = "*4\r\n$4\r\nZADD\r\n$1\r\nz\r\n$3\r\n1.5\r\n$6\r\nmember\r\n";
  assertEquals(ahead(ZADD + ZADD + ZADD, 3), ["member", "member", "member"]);
  assertEquals(ahead(ZADD + ZADD + ZADD, 3, 2), ["member", "member"]);
  assertEquals(ahead(ZADD + GET + ZADD, 3), ["member"]);
  assertEquals(ahead(ZADD + GET + ZADD, 0), ["ZADD", "GET", "ZADD"]);
});

Deno.test("where a command says which word is the element, it has that word, after its one first key", () => {
  const found = commandTable.filter(({ elementWord }) => elementWord !== undefined);
  assert(found.length > 0);
  for (const definition of found) {
    const { fullName, arity, elementWord, firstKey } = new Command(definition);
    assertEquals(firstKey, 1, fullName);
    assert(elementWord > 1 && elementWord < Math.abs(arity), fullName);
  }
});

/** A request as clients send it. */
function request(...words: (string | number)[]): string {
  const parts = words.map((word) => `$${`${word}`.length}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join("")}`;
}

const LARGE = 25_000;
/** Per type: a request that adds element n, and one that asks for it. */
const collections: [string, (n: number) => string, (n: number) => string][] = [
  ["set", (n) => request("SADD", "key", `e:${n}`), (n) => request("SISMEMBER", "key", `e:${n}`)],
  ["hash", (n) => request("HSET", "key", `e:${n}`, n), (n) => request("HGET", "key", `e:${n}`)],
  [
    "sorted set",
    (n) => request("ZADD", "key", n, `e:${n}`),
    (n) => request("ZSCORE", "key", `e:${n}`),
  ],
];

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

for (const [type, add, ask] of collections) {
  Deno.test(`a pipeline on one large ${type} looks ahead at the elements it names`, () => {
    const server = testServer();
    const input = new InputClient(server);
    input.send(range(0, LARGE).map(add).join(""));
    const { database } = input.client;
    const ref = database.records.get(latin1("key"), 0, 3);
    const elements = database.elementsOf(ref)!;
    assertEquals(elements.count, LARGE);
    const warmed = new Set<number>();
    elements.warm = (hashes, count) => {
      for (let i = 0; i < count; i++) warmed.add(hashes[i]);
      return 0;
    };
    const hashOf = (n: number) => hashBytes(latin1(`e:${n}`), 0, `e:${n}`.length);
    input.send(range(100, 140).map(add).join(""));
    assertEquals(warmed, new Set(range(100, 140).map(hashOf)));
    warmed.clear();
    input.send(ask(1));
    input.send(range(200, 240).map(ask).join(""));
    assertEquals(warmed.size, 40);
    warmed.clear();
    input.send(request("GET", "other") + request("GET", "other"));
    input.send(range(0, 40).map((n) => request("GET", `other:${n}`)).join(""));
    assertEquals(warmed.size, 0);
  });

  Deno.test(`a pipeline on one large ${type} is answered as its requests one by one`, () => {
    const fill = range(0, LARGE).map(add).join("");
    const requests = range(LARGE - 100, LARGE + 100).flatMap((
      n,
    ) => [ask(n), add(n), add(n), ask(n)]);
    requests.splice(500, 0, request("DEL", "key"), ask(1), request("SET", "key", "v"), ask(1));
    requests.splice(600, 0, request("GETDEL", "key"), add(1));
    const together = new InputClient(testServer());
    together.send(fill);
    together.received();
    together.send(requests.join(""));
    const alone = new InputClient(testServer());
    alone.send(fill);
    alone.received();
    for (const one of requests) alone.send(one);
    assertEquals(together.received(), alone.received());
  });
}

Deno.test("where a command says which word is the channel, it has that word, and no keys", () => {
  const found = commandTable.filter(({ channelWord }) => channelWord !== undefined);
  assertEquals(found.map(({ name }) => name), ["publish"]);
  const { arity, channelWord, firstKey } = new Command(found[0]);
  assert(channelWord > 0 && channelWord < arity && firstKey === 0);
});

Deno.test("a pipeline that publishes on many channels looks ahead at them, and reaches who listens", () => {
  const server = testServer();
  const { channels } = server.core.hub;
  const ears = [new InputClient(server), new InputClient(server)];
  for (const n of range(0, 5000)) ears[n % 2].send(request("SUBSCRIBE", `c:${n}`));
  ears[0].received();
  ears[1].received();
  const warm = channels.warm.bind(channels);
  const warmed = new Set<number>();
  channels.warm = (hashes, count) => {
    for (let i = 0; i < count; i++) warmed.add(hashes[i]);
    return warm(hashes, count);
  };
  const publisher = new InputClient(server);
  publisher.send(request("PUBLISH", "nobody", "x"));
  publisher.received();
  // Every third channel has nobody.
  const names = range(0, 60).map((n) => n % 3 === 2 ? `none:${n}` : `c:${n}`);
  publisher.send(names.map((name) => request("PUBLISH", name, `for ${name}`)).join(""));
  assertEquals(publisher.received(), names.map((name) => name[0] === "c" ? 1 : 0));
  assertEquals(warmed, new Set(names.map((name) => hashBytes(latin1(name), 0, name.length))));
  for (const [which, ear] of ears.entries()) {
    const mine = range(0, 60).filter((n) => n % 3 !== 2 && n % 2 === which);
    assertEquals(ear.received(), mine.map((n) => ["message", `c:${n}`, `for c:${n}`]));
  }
});
