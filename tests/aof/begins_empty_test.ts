/** A server of a program, which begins empty in a folder that nobody has named. */

import { assertEquals, assertRejects } from "@std/assert";
import { AofServer } from "./aof_server.ts";

Deno.test("a server that begins empty has an append-only file at once, and does not replace one", async () => {
  using first = new AofServer({ "appendonly": "yes", "save": "" });
  await first.server.core.load(true);
  assertEquals([first.aof.isOn, first.aof.isWaiting], [true, false]);
  first.run("SET", "k", "v");
  first.server.core.close();
  const before = [first.manifest, first.file("appendonly.aof.1.incr.aof")];
  const second = new AofServer({ "appendonly": "yes", "save": "" }, first.folder, false);
  await assertRejects(
    () => second.server.core.load(true),
    Error,
    `${first.folder}/appendonlydir is there and would be replaced`,
  );
  second.server.core.close();
  assertEquals([first.manifest, first.file("appendonly.aof.1.incr.aof")], before);
  // With the folder named it is loaded.
  const third = new AofServer({ "appendonly": "yes", "save": "" }, first.folder, false);
  await third.server.core.load();
  assertEquals(third.run("GET", "k"), "v");
  third.server.core.close();
});

Deno.test("a server that begins empty does not replace a single file, or a snapshot", async () => {
  for (
    const [name, directives] of [
      ["appendonly.aof", { "appendonly": "yes", "save": "" }],
      ["dump.rdb", { "appendonly": "no", "save": "900 1" }],
    ] as const
  ) {
    using server = new AofServer(directives);
    Deno.writeTextFileSync(`${server.folder}/${name}`, "somebody's");
    await assertRejects(() => server.server.core.load(true), Error, "would be replaced");
    assertEquals(Deno.readTextFileSync(`${server.folder}/${name}`), "somebody's");
  }
  // What it does not write is no business of it.
  using server = new AofServer({ "save": "" });
  Deno.writeTextFileSync(`${server.folder}/dump.rdb`, "somebody's");
  await server.server.core.load(true);
  assertEquals(server.run("DBSIZE"), 0);
});
