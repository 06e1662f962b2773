/** Function libraries of a dataset: kept as they came, through files, snapshots, full syncs and failures. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { libraryName } from "../../src/keyspace/function_libraries.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { RdbLoader } from "../../src/rdb/loader.ts";
import { RdbReader } from "../../src/rdb/reader.ts";
import { eventually } from "../support/eventually.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { loadBytes, saveToBytes } from "./datasets.ts";
import { TestSnapshot } from "./test_snapshot.ts";

const ONE = "#!lua name=one\nredis.register_function('f', function() return '\xff\x00' end)";
const TWO = "#!LUA NAME=two_2\n" + "-- a long comment\n".repeat(50_000) +
  "redis.register_function('g', function() return 2 end)";

function withLibraries(...codes: string[]): TestServer {
  const server = testServer();
  server.run("SET", "k", "v");
  for (const code of codes) {
    server.keyspace.libraries.set(libraryName(latin1(code))!, latin1(code));
  }
  return server;
}

function librariesOf({ keyspace: { libraries } }: TestServer): string[] {
  return [...libraries.codes].map((code) => toLatin1(code, 0, code.length));
}

function infoOf(server: TestServer, name: string): string {
  const text = server.run("INFO", "memory") as string;
  return new RegExp(`^${name}:(.*)\r$`, "m").exec(text)![1];
}

for (
  const [code, name] of [
    [ONE, "one"],
    ["#!lua  name=a1 \n", "a1"],
    ["#!js flags=x name=b", "b"],
    ["#!lua NAME=C\n", "C"],
    ["#!lua\nname=a", null],
    ["#!lua name=\n", null],
    ["#!lua name=a-b\n", null],
    ["name=a", null],
    ["", null],
  ] as const
) {
  Deno.test(`the library that begins with ${JSON.stringify(code.slice(0, 20))} is called ${name}`, () => {
    assertEquals(libraryName(latin1(code)), name);
  });
}

Deno.test("SAVE, FLUSHALL and a load leave function libraries as they were, each byte and in order", () => {
  const server = withLibraries(ONE, TWO);
  for (const compress of [true, false]) {
    const loaded = testServer();
    loadBytes(loaded.keyspace, saveToBytes(server.keyspace, { compress }));
    assertEquals(librariesOf(loaded), [ONE, TWO]);
    loaded.run("FLUSHALL");
    assertEquals(librariesOf(loaded), [ONE, TWO]);
    const empty = testServer();
    loadBytes(empty.keyspace, saveToBytes(loaded.keyspace));
    assertEquals(librariesOf(empty), [ONE, TWO]);
  }
});

Deno.test("INFO counts function libraries, and used_memory has them", () => {
  const server = withLibraries();
  const before = server.keyspace.dataBytes;
  server.keyspace.libraries.set("two_2", latin1(TWO));
  assertEquals(infoOf(server, "number_of_libraries"), "1");
  assert(Number(infoOf(server, "used_memory_functions")) >= TWO.length);
  assert(server.keyspace.dataBytes - before >= TWO.length);
  server.keyspace.libraries.set("two_2", latin1(ONE));
  assertEquals(librariesOf(server), [ONE]);
  assert(server.keyspace.dataBytes - before < 1000);
});

Deno.test("a snapshot has the function libraries of its beginning", () => {
  const server = withLibraries(ONE);
  const snapshot = new TestSnapshot(server, true);
  server.keyspace.libraries.set("two_2", latin1(TWO));
  while (!snapshot.step());
  const loaded = testServer();
  loadBytes(loaded.keyspace, snapshot.bytes());
  assertEquals(librariesOf(loaded), [ONE]);
});

Deno.test("a library that is there twice, or has no name, is refused with its place", () => {
  const server = withLibraries(ONE);
  const bytes = saveToBytes(server.keyspace);
  const loaded = testServer();
  loadBytes(loaded.keyspace, bytes);
  loaded.run("DEL", "k");
  assertThrows(
    () => loadBytes(loaded.keyspace, bytes),
    RdbError,
    'function library "one" is there twice at byte ',
  );
  server.keyspace.libraries.set("one", latin1("return 1"));
  assertThrows(
    () => loadBytes(testServer().keyspace, saveToBytes(server.keyspace)),
    RdbError,
    "a function library without a name at byte ",
  );
  const merged = new RdbLoader(loaded.keyspace, RdbReader.fromBytes(bytes, 0, bytes.length), {
    dropsExpired: true,
    replaces: true,
  });
  merged.run();
  assertEquals(librariesOf(loaded), [ONE]);
});

Deno.test("DEBUG RELOAD keeps function libraries, also when the file cannot be loaded", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const server = testServer({ folder });
    loadBytes(server.keyspace, saveToBytes(withLibraries(ONE, TWO).keyspace));
    assertEquals(server.run("DEBUG", "RELOAD"), "OK");
    assertEquals(librariesOf(server), [ONE, TWO]);
    const path = `${folder}/dump.rdb`;
    const bytes = Deno.readFileSync(path);
    Deno.writeFileSync(path, bytes.subarray(0, -20));
    assertEquals(typeof server.run("DEBUG", "RELOAD", "NOSAVE"), "object");
    assertEquals(librariesOf(server), [ONE, TWO]);
    assertEquals(server.run("GET", "k"), "v");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a full sync brings the function libraries of the master and takes away our own", async () => {
  const bytes = saveToBytes(withLibraries(TWO).keyspace);
  const replica = withLibraries(ONE);
  const load = replica.core.persistence.beginReplicaLoad({
    mode: "stream",
    totalBytes: bytes.length,
  });
  load.push(bytes, 0, bytes.length);
  let isDone = false;
  load.finish().then(() => isDone = true);
  await eventually(() => isDone);
  assertEquals(librariesOf(replica), [ONE], "nothing changes before all is there");
  load.swap();
  assertEquals(librariesOf(replica), [TWO]);
});

/** Sources that are kept by a server that looks at no more than their first line, and what is wrong with them. */
const UNUSABLE = [
  ["#!lua name=a\nredis.register_function(", "Error compiling function: user_function:2: "],
  ["#!lua name=a\nlocal a = 1", "No functions registered"],
  ["#!lua name=a\nredis.call('get', 'k')", "Error registering functions: "],
  ["#!js name=a\n", "Engine 'js' not found"],
  [
    "#!lua name=a\nredis.register_function{function_name='f', callback=print, flags={'x'}}",
    "Error registering functions: ",
  ],
  ["#!lua name=a\nredis.register_function('F', function() end)", "Function F already exists"],
];

for (const [code, problem] of UNUSABLE) {
  Deno.test(`a dataset with a library that cannot be used is not loaded: ${problem}`, async () => {
    const folder = Deno.makeTempDirSync();
    try {
      const server = testServer({ folder });
      loadBytes(server.keyspace, saveToBytes(withLibraries(ONE).keyspace));
      const bytes = saveToBytes(withLibraries(ONE, code).keyspace);
      Deno.writeFileSync(`${folder}/dump.rdb`, bytes);
      const failure = server.run("DEBUG", "RELOAD", "NOSAVE") as { error: string };
      assertEquals(typeof failure.error, "string");
      assert(
        server.logLines.some((line) =>
          line.includes(`function library that cannot be used (${problem}`)
        ),
        server.logLines.join(""),
      );
      assertEquals(librariesOf(server), [ONE]);
      assertEquals(server.run("FCALL", "f", "0"), "\xff\x00");
      const load = server.core.persistence.beginReplicaLoad({
        mode: "stream",
        totalBytes: bytes.length,
      });
      let failed = "";
      load.onFailed = (error) => failed = String(error);
      load.push(bytes, 0, bytes.length);
      load.finish().catch((error) => failed = String(error));
      await eventually(() => failed !== "");
      assert(failed.includes(problem), failed);
      assertEquals(librariesOf(server), [ONE]);
      assertEquals(server.run("FCALL", "f", "0"), "\xff\x00");
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

Deno.test("functions of a dataset that has come by a full sync are called, and ours are not any more", async () => {
  const bytes = saveToBytes(withLibraries(TWO).keyspace);
  const replica = withLibraries(ONE);
  assertEquals(replica.run("FCALL", "f", "0"), "\xff\x00");
  const load = replica.core.persistence.beginReplicaLoad({
    mode: "stream",
    totalBytes: bytes.length,
  });
  load.push(bytes, 0, bytes.length);
  await load.finish();
  load.swap();
  assertEquals(replica.run("FCALL", "f", "0"), { error: "ERR Function not found" });
  assertEquals(replica.run("FCALL", "g", "0"), 2);
});
