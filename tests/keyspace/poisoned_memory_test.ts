/**
 * Long strings that come through a parser, whose buffers become values, whose replies are read late, and
 * whose memory is poisoned when it is given back: what a client reads is what a model says.
 */

import { assertEquals } from "@std/assert";
import { blocks } from "../../src/base/blocks.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { RequestParser } from "../../src/resp/parser.ts";
import { recycleChunk } from "../../src/resp/reply_writer.ts";
import { Random } from "../support/random.ts";
import { type TestClient, type TestServer, testServer } from "../support/test_server.ts";

function send(server: TestServer, { client }: TestClient, words: string[]): void {
  client.parser ??= new RequestParser({ bulkBytesMax: 1 << 29 }, () => []);
  const text = `*${words.length}\r\n` + words.map((w) => `$${w.length}\r\n${w}\r\n`).join("");
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) {
    const space = client.parser.space();
    const count = Math.min(space.length, bytes.length - at, 200_000);
    space.set(bytes.subarray(at, at + count));
    blocks.settle();
    client.parser.filled(count);
    server.dispatcher.processInput(client);
    at += count;
  }
}

/** All that waits for the client, read only when it is asked for. */
function sent({ client }: TestClient): () => string {
  const chunks: [chunk: Uint8Array, length: number][] = [];
  for (let chunk = client.reply.takeChunk(); chunk !== null; chunk = client.reply.takeChunk()) {
    chunks.push([chunk, client.reply.chunkLength]);
  }
  return () =>
    chunks.map(([chunk, length]) => {
      const text = new TextDecoder("latin1").decode(chunk.subarray(0, length));
      recycleChunk(chunk);
      return text;
    }).join("");
}

for (const seed of [1, 2]) {
  Deno.test(`clients read what was written although given-back memory is poisoned, seed ${seed}`, () => {
    const random = new Random(seed);
    const server = testServer();
    const clients = [server.connect(), server.connect()];
    const model = new Map<string, string>();
    const late: [expected: string, read: () => string][] = [];
    const text = () => String.fromCharCode(97 + random.below(26)).repeat(random.below(900_000) + 1);
    for (let n = 0; n < 250; n++) {
      const client = random.pick(clients);
      const key = `k${random.below(4)}`;
      const other = `k${random.below(4)}`;
      const old = model.get(key) ?? "";
      const value = text();
      const bulk = (found: string) => `$${found.length}\r\n${found}\r\n`;
      let words = ["GET", key];
      let expected = model.has(key) ? bulk(old) : "$-1\r\n";
      const kind = random.below(9);
      if (kind < 3) {
        [words, expected] = [["SET", key, value], "+OK\r\n"];
        model.set(key, value);
      } else if (kind === 3 && old.length < 4_000_000) {
        [words, expected] = [["APPEND", key, value], `:${old.length + value.length}\r\n`];
        model.set(key, old + value);
      } else if (kind === 4 && model.has(key)) {
        [words, expected] = [["SET", key, value, "GET"], bulk(old)];
        model.set(key, value);
      } else if (kind === 5) {
        [words, expected] = [["DEL", key], model.delete(key) ? ":1\r\n" : ":0\r\n"];
      } else if (kind === 6 && model.has(key)) {
        [words, expected] = [["RENAME", key, other], "+OK\r\n"];
        model.delete(key);
        model.set(other, old);
      } else if (kind === 7 && model.has(key) && key !== other) {
        [words, expected] = [["COPY", key, other, "REPLACE"], ":1\r\n"];
        model.set(other, old);
      } else if (random.below(20) === 0) {
        [words, expected] = [["FLUSHALL"], "+OK\r\n"];
        model.clear();
      }
      // As if a snapshot were under way now and then: what is removed is left to the collector.
      const isRead = random.below(8) === 0;
      if (isRead) Keyspace.snapshotsOpen++;
      send(server, client, words);
      if (isRead) Keyspace.snapshotsOpen--;
      late.push([expected, sent(client)]);
      while (late.length > random.below(6)) {
        const [wanted, read] = late.shift()!;
        const got = read();
        if (got !== wanted) assertEquals(got.slice(0, 40), wanted.slice(0, 40), words[0]);
        assertEquals(got === wanted, true, words[0]);
      }
      server.propagated();
    }
    for (const [key, value] of model) assertEquals(server.run("GET", key) === value, true);
  });
}
