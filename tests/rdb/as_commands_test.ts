/** Datasets as commands: who runs them has the dataset, streams with all that their groups know. */

import { assert, assertEquals } from "@std/assert";
import { toLatin1 } from "../../src/base/bytes.ts";
import { CommandFinisher, type CommandFrame } from "../../src/rdb/as_commands/command_finisher.ts";
import { COMMANDS_OPTIONS, saveCommands } from "../../src/rdb/as_commands/save_commands.ts";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { Snapshot } from "../../src/rdb/snapshot.ts";
import { ChunkCollector } from "../../src/rdb/writer.ts";
import { Random } from "../support/random.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { corpusBytes, corpusNames } from "./corpus.ts";
import { CORPUS_NOW_MS, loadBytes, readDataset } from "./datasets.ts";
import { SAMPLE_NOW_MS, sampleServer } from "./version_samples.ts";

const NO_FRAME: CommandFrame = { head: "", tail: "" };

function noRemark(what: string): never {
  throw new Error(`commands cannot express ${what}`);
}

function commandsOf(server: TestServer, frame = NO_FRAME): string {
  const collector = new ChunkCollector();
  saveCommands(server.keyspace, frame, (chunk, length, strings) => {
    collector.sink(chunk.slice(), length, strings);
  }, noRemark);
  return toLatin1(collector.take());
}

/** The words of each command. */
function decode(text: string): string[][] {
  const commands: string[][] = [];
  let at = 0;
  const number = () => {
    const end = text.indexOf("\r\n", at);
    const found = Number(text.slice(at + 1, end));
    at = end + 2;
    return found;
  };
  while (at < text.length) {
    commands.push(Array.from({ length: number() }, () => {
      const length = number();
      at += length + 2;
      return text.slice(at - length - 2, at - 2);
    }));
  }
  return commands;
}

/** A server that has run them, at this time. */
function serverOf(text: string, nowMs: number): TestServer {
  const server = testServer({ nowMs });
  for (const words of decode(text)) {
    const reply = server.run(...words);
    const isError = typeof reply === "object" && reply !== null && "error" in reply;
    assert(!isError, `${words.slice(0, 3).join(" ")}: ${JSON.stringify(reply)}`);
  }
  server.run("SELECT", 0);
  return server;
}

/** All but some numbers: when consumers were last seen, no command says. */
function contentOf(server: TestServer, leftOut: string[]): unknown {
  return JSON.parse(JSON.stringify(readDataset(server), (key, value) => {
    if (typeof value === "bigint") return String(value);
    return leftOut.includes(key) ? undefined : value;
  }));
}

function assertSame(made: TestServer, server: TestServer, ...alsoLeftOut: string[]): void {
  const leftOut = ["seen_ms", "active_ms", ...alsoLeftOut];
  assertEquals(contentOf(made, leftOut), contentOf(server, leftOut));
  assertEquals(datasetDigest(made.keyspace), datasetDigest(server.keyspace));
  assertEquals([...made.keyspace.libraries.codes], [...server.keyspace.libraries.codes]);
}

Deno.test("a dataset with every form of values is the same after its commands have run", () => {
  const server = sampleServer(12);
  assertSame(serverOf(commandsOf(server), SAMPLE_NOW_MS + 1000), server);
});

for (const name of corpusNames()) {
  Deno.test(`the dataset of ${name} is the same after its commands have run`, () => {
    const server = testServer({ nowMs: CORPUS_NOW_MS });
    loadBytes(server.keyspace, corpusBytes(name));
    // Snapshots of before 7.0 do not say what has been deleted; commands that delete it again do.
    const leftOut = /redis-[56]/.test(name) ? ["first_id", "max_deleted_id"] : [];
    assertSame(serverOf(commandsOf(server), CORPUS_NOW_MS), server, ...leftOut);
  });
}

Deno.test("a command has 64 elements at most", () => {
  const server = sampleServer(12);
  const perElement: Record<string, number> = { RPUSH: 1, SADD: 1, ZADD: 2, HMSET: 2 };
  let most = 0;
  for (const [name, , ...rest] of decode(commandsOf(server))) {
    if (!(name in perElement)) continue;
    const elements = rest.length / perElement[name];
    assert(Number.isInteger(elements) && elements >= 1 && elements <= 64, `${name}: ${elements}`);
    most = Math.max(most, elements);
  }
  assertEquals(most, 64);
});

Deno.test("values become the commands that Redis writes", () => {
  const server = testServer({ nowMs: 1000 });
  server.run("SET", "s", "v", "PXAT", 5000);
  server.run("SELECT", 2);
  server.run("ZADD", "z", 1.5, "m", "-inf", "n");
  server.run("HSET", "h", "f", "v");
  server.run("HPEXPIREAT", "h", 7000, "FIELDS", 1, "f");
  assertEquals(
    decode(commandsOf(server)).map((words) => words.join(" ")).sort(),
    [
      "HMSET h f v",
      "HPEXPIREAT h 7000 FIELDS 1 f",
      "PEXPIREAT s 5000",
      "SELECT 0",
      "SELECT 2",
      "SET s v",
      "ZADD z -inf n 1.5 m",
    ],
  );
  assertEquals(
    commandsOf(testServer(), { head: "#TS:1\r\n", tail: "#RP:1:2:3\r\n" }),
    "#TS:1\r\n#RP:1:2:3\r\n",
  );
});

/** Streams whose groups have entries pending that are not there any more. */
function streamsWithGaps(): TestServer {
  const server = testServer({ nowMs: 50_000 });
  const add = (key: string, from: number, to: number) => {
    for (let i = from; i <= to; i++) server.run("XADD", key, `${i}-0`, "f", i);
  };
  const read = (key: string, group: string, consumer: string, count: number) => {
    server.clock.nowMs++;
    server.run("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", key, ">");
  };
  for (const key of ["trimmed", "holes", "both", "all", "tail"]) {
    add(key, 1, 300);
    for (const group of ["g", "other"]) server.run("XGROUP", "CREATE", key, group, 0);
    read(key, "g", "alice", 120);
    read(key, "g", "bob", 100);
    read(key, "other", "carol", 30);
    server.run("XGROUP", "CREATECONSUMER", key, "g", "idle");
    server.run("XACK", key, "g", "7-0", "60-0");
  }
  server.run("XTRIM", "trimmed", "MINID", "100-0");
  server.run("XDEL", "holes", "20-0", "21-0", "150-0", "299-0");
  server.run("XTRIM", "both", "MAXLEN", 280);
  server.run("XDEL", "both", "25-0", "200-0");
  server.run("XTRIM", "all", "MAXLEN", 0);
  server.run("XTRIM", "tail", "MAXLEN", 1);
  server.run("XDEL", "tail", "300-0");
  return server;
}

Deno.test("what is pending for a consumer and has been deleted stays pending", () => {
  const server = streamsWithGaps();
  assertSame(serverOf(commandsOf(server), 60_000), server);
});

/** The commands of a snapshot that is taken step by step, with `change` between the steps, in chunks of this size. */
function walkedCommands(server: TestServer, change: () => void, chunkBytes: () => number): string {
  const collector = new ChunkCollector();
  const finisher: CommandFinisher = new CommandFinisher(collector.sink, NO_FRAME, noRemark);
  const snapshot: Snapshot = new Snapshot(server.keyspace, {
    write: (chunk, length) => {
      for (let at = 0; at < length;) {
        const end = Math.min(length, at + chunkBytes());
        finisher.add(chunk.slice(at, end), end - at);
        at = end;
      }
      chunk.fill(0xee, 0, length);
    },
    isFull: () => false,
  }, COMMANDS_OPTIONS);
  while (!snapshot.step(-Infinity, () => 0)) change();
  finisher.end();
  return toLatin1(collector.take());
}

Deno.test("commands are of the instant at which the snapshot began, wherever its chunks end", () => {
  for (const seed of [1, 2, 3, 4]) {
    const random = new Random(seed);
    const server = sampleServer(12);
    const before = sampleServer(12);
    let i = 0;
    const change = () => {
      server.run("HSET", "t:table", `field ${i}`, "changed", `new ${i}`, i);
      server.run("ZADD", "z:table", i, `member ${i}`);
      server.run("LPUSH", "l:many", i);
      server.run("SREM", "m:table", i);
      server.run("XADD", "x:many", "18446744073709551615-18446744073709551615", "f", "v");
      server.run("XACK", "x:many", "readers", `${1_600_000_000_000 + i}-${i % 5}`);
      server.run("APPEND", "s:longer", "more");
      i++;
    };
    const text = walkedCommands(
      server,
      change,
      () => 1 + random.below([5, 100, 3000, 100_000][seed - 1]),
    );
    assert(i > 10);
    assertSame(serverOf(text, SAMPLE_NOW_MS + 1000), before);
  }
});

Deno.test("a chunk that ends in the midst of a value is no end", () => {
  const server = testServer();
  server.run("SET", "k", "v".repeat(1000));
  const finisher = new CommandFinisher(() => {}, NO_FRAME, noRemark);
  const snapshot = new Snapshot(server.keyspace, {
    write: (chunk, length) => finisher.add(chunk, length - 1),
    isFull: () => false,
  }, COMMANDS_OPTIONS);
  while (!snapshot.step(-Infinity, () => 0));
  let message = "";
  try {
    finisher.end();
  } catch (error) {
    message = String(error);
  }
  assert(message.includes("ends inside a value"), message);
});

Deno.test("keys that expire at the end of time are said to do so, as far as an integer can", () => {
  const server = testServer({ nowMs: SAMPLE_NOW_MS });
  server.run("SET", "last", "v");
  server.run("PEXPIREAT", "last", "9223372036854775807");
  server.run("SET", "far", "v");
  server.run("PEXPIREAT", "far", "9007199254740993000");
  const again = serverOf(commandsOf(server), SAMPLE_NOW_MS);
  assertEquals(datasetDigest(again.keyspace), datasetDigest(server.keyspace));
});
