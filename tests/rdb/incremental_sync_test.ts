/** `rdb-save-incremental-fsync` and `aof-rewrite-incremental-fsync`: files reach the disk as they grow. */

import { assertEquals } from "@std/assert";
import { runSaveWork } from "../../src/rdb/save_work.ts";
import { runtime } from "../../src/runtime/here.ts";
import type { Files } from "../../src/runtime/runtime.ts";
import { World } from "../../src/runtime/simulated.ts";
import { Random } from "../support/random.ts";
import { testServer } from "../support/test_server.ts";

const MB = 1 << 20;

/** Counts how often `work` brings something to a simulated disk. */
async function syncsOf(work: (files: Files) => Promise<void> | void): Promise<number> {
  const machine = new World(new Random(1).draw).machine("a");
  const { files } = machine.start();
  files.makeFolder("/data");
  let syncs = 0;
  const { disk } = machine;
  const fail = disk.fail.bind(disk);
  disk.fail = (kind) => {
    if (kind === "sync") syncs++;
    fail(kind);
  };
  await work(files);
  return syncs;
}

/** With ten MB of data, SAVE, or the base that an append-only file begins with. */
function syncsOfSave(option: string, value: string, isBase: boolean): Promise<number> {
  return syncsOf(async (files) => {
    const server = testServer({
      folder: "/data",
      files,
      directives: { "rdbcompression": "no", "aof-use-rdb-preamble": "no", [option]: value },
      keepsStream: false,
    });
    for (let i = 0; i < 10; i++) server.run("SET", `k${i}`, "v".repeat(MB));
    if (isBase) await server.core.aof.start();
    else assertEquals(server.run("SAVE"), "OK");
    server.core.close();
  });
}

for (
  const [option, other, isBase] of [
    ["rdb-save-incremental-fsync", "aof-rewrite-incremental-fsync", false],
    ["aof-rewrite-incremental-fsync", "rdb-save-incremental-fsync", true],
  ] as const
) {
  const what = isBase ? "the base of an append-only file" : "SAVE";
  Deno.test(`${what} is synced every 4 MB with ${option} yes, and not with no`, async () => {
    const without = await syncsOfSave(option, "no", isBase);
    assertEquals(await syncsOfSave(option, "yes", isBase), without + 2);
    assertEquals(await syncsOfSave(other, "no", isBase), without + 2);
  });
}

Deno.test("the worker syncs every 4 MB of what it writes, if it is asked to", async () => {
  for (const [syncsAhead, expected] of [[false, 2], [true, 4]] as const) {
    const syncs = await syncsOf((files) => {
      const hear = runSaveWork({ ...runtime, files }, () => {});
      const form = { compress: false, checksum: true, commands: null, syncsAhead };
      const file = { folder: "/data", temporary: "temp", name: "dump.rdb" };
      hear({ kind: "begin", job: 1, file, form });
      for (let i = 0; i < 10; i++) {
        const chunk = new Uint8Array(MB);
        hear({ kind: "chunk", job: 1, chunk, length: MB, strings: null });
      }
      hear({ kind: "end", job: 1 });
      hear({ kind: "renamed", job: 1 });
    });
    assertEquals(syncs, expected);
  }
});
