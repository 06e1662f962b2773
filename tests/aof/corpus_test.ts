/** Append-only files of real servers load to what those servers made of them, or are refused as there. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { toLatin1 } from "../../src/base/bytes.ts";
import type { ExpectedKey } from "../rdb/corpus.ts";
import { CORPUS_NOW_MS, expectedDataset, readDataset } from "../rdb/datasets.ts";
import { eventually } from "../support/eventually.ts";
import { testServer } from "../support/test_server.ts";

interface ExpectedFolder {
  readonly folder: string;
  readonly loads: boolean;
  readonly log: readonly string[];
  readonly files_after_load?: Record<string, number>;
  readonly manifest_after_load?: string;
  readonly functions?: readonly { code: string }[];
  readonly dbs: Record<string, Record<string, ExpectedKey>>;
}

const fixtures = new URL("../fixtures/aof/", import.meta.url);

function expectations(): ExpectedFolder[] {
  return [...Deno.readDirSync(fixtures)]
    .filter(({ name }) => name.endsWith(".json"))
    .map(({ name }) => JSON.parse(Deno.readTextFileSync(new URL(name, fixtures))))
    .sort((a, b) => a.folder < b.folder ? -1 : 1);
}

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyFolder(`${from}/${name}`, `${to}/${name}`);
    else Deno.writeFileSync(`${to}/${name}`, Deno.readFileSync(`${from}/${name}`));
  }
}

/** Sizes of all files below a folder, by their paths from there. */
function filesBelow(folder: string, path = ""): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const { name, isDirectory } of Deno.readDirSync(`${folder}/${path}`)) {
    if (isDirectory) Object.assign(sizes, filesBelow(folder, `${path}${name}/`));
    else sizes[path + name] = Deno.statSync(`${folder}/${path}${name}`).size;
  }
  return sizes;
}

/** Asserts that all these lines are in the log, in this order. */
function assertLogged(log: readonly string[], expected: readonly string[]): void {
  const lines = log.map((line) =>
    line.replace(/^\d+:\w .{24} [.*#-] /, "").trim().replace(/: \d+\.\d+ seconds$/, ": T seconds")
  );
  let at = 0;
  for (const line of expected) {
    const found = lines.indexOf(line, at);
    assert(found >= 0, `no line ${JSON.stringify(line)} after line ${at} of:\n${lines.join("\n")}`);
    at = found + 1;
  }
}

/** When a consumer was last seen is when the command was run: at the load. */
function withoutLoadTimes<T>(dataset: T): T {
  const without = (key: string, value: unknown) =>
    key === "seen_ms" || key === "active_ms" ? undefined : value;
  return JSON.parse(JSON.stringify(dataset, without));
}

for (const expected of expectations()) {
  const name = expected.folder;
  Deno.test(`the append-only file ${name} ${expected.loads ? "loads" : "is refused"}`, async () => {
    const folder = Deno.makeTempDirSync({ prefix: "tsredis-test-" });
    copyFolder(fromFileUrl(new URL(`${name}/`, fixtures)), folder);
    const server = testServer({ nowMs: CORPUS_NOW_MS, folder });
    try {
      if (!expected.loads) {
        const before = filesBelow(folder);
        const failure = await assertRejects(() => server.core.aof.start(), Error);
        assertLogged([...server.logLines, failure.message], expected.log);
        assertEquals(filesBelow(folder), before, "nothing has been changed");
        return;
      }
      await server.core.aof.start();
      assertLogged(server.logLines, expected.log);
      const dataset = withoutLoadTimes(readDataset(server));
      assertEquals(dataset, withoutLoadTimes(expectedDataset(expected.dbs)));
      const codes = (expected.functions ?? []).map(({ code }) => code);
      const libraries = [...server.keyspace.libraries.codes].map((code) => toLatin1(code));
      assertEquals(libraries.toSorted(), codes.toSorted());
      assertEquals(server.keyspace.dirty, 0);
      server.core.close();
      const manifest = `${folder}/appendonlydir/appendonly.aof.manifest`;
      assertEquals(Deno.readTextFileSync(manifest), expected.manifest_after_load);
      // History goes in the background.
      const files = Object.keys(expected.files_after_load ?? {}).length;
      await eventually(() => Object.keys(filesBelow(folder)).length <= files);
      assertEquals(filesBelow(folder), expected.files_after_load);
    } finally {
      server.core.close();
      Deno.removeSync(folder, { recursive: true });
    }
  });
}
