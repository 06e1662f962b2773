/** Tools and snapshots of Redis 8.6 to 8.10: what has no place here is named, and nothing else is lost. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { RdbReader } from "../../src/rdb/reader.ts";
import { skipValue } from "../../src/rdb/skip_value.ts";
import { loadBytes, saveToBytes } from "../rdb/datasets.ts";
import { scanBytes } from "../rdb/scans.ts";
import {
  AFTER,
  BEFORE,
  EVERYTHING,
  HASH,
  HASH_ARRAY_REF,
  key,
  length,
  metadata,
  payload,
  slotImport,
  snapshot,
  template,
  TEMPLATED,
  text,
} from "../support/newer_snapshots.ts";
import { FakeMaster } from "../replication/unit/fake_master.ts";
import { testServer } from "../support/test_server.ts";
import { runToolWith } from "../support/tool_runs.ts";
import { WorkFolder } from "../support/work_folder.ts";

const UNHELD = {
  "ids of idempotent producers (IDMP)": 1,
  "marks of entries that consumers have given back (XNACK)": 1,
  "values of type 'array'": 1,
  "values of type 'gcra'": 1,
  "metadata of the module class 'BLES'": 1,
};

Deno.test("check counts what has no place here by its kind", async () => {
  using folder = new WorkFolder();
  const path = folder.write("dump.rdb", snapshot(EVERYTHING));
  const { exitCode, output } = await runToolWith(["check", path]);
  assertEquals(exitCode, 0);
  const told = Object.keys(UNHELD).map((what) => `${what} (1 key)`).join(", ");
  assertStringIncludes(output, `What tsredis has no place for: ${told}`);
  assertStringIncludes(output, "13 keys");
  const json = await runToolWith(["check", "--json", path]);
  const [file] = JSON.parse(json.output).files;
  assertEquals([file.snapshot.unheld, file.snapshot.version], [UNHELD, 15]);
});

Deno.test("check tells of slots that were on their way", async () => {
  using folder = new WorkFolder();
  const path = folder.write("dump.rdb", snapshot(slotImport("a job", [1, 2]) + BEFORE, 80));
  const { exitCode, output } = await runToolWith(["check", path]);
  assertEquals(exitCode, 0);
  assertStringIncludes(output, "so keys may be incomplete: jobs a job");
  const json = await runToolWith(["check", "--json", path]);
  assertEquals(JSON.parse(json.output).files[0].snapshot.slotImports, ["a job"]);
});

Deno.test("convert names what has no place here, and leaves it out only if it may", async () => {
  using folder = new WorkFolder();
  const path = folder.write("dump.rdb", snapshot(EVERYTHING));
  const refused = await runToolWith(["convert", path, folder.at("out.rdb")]);
  assertEquals([refused.exitCode, folder.names], [3, ["dump.rdb"]]);
  assertStringIncludes(
    refused.remarks,
    `no place for the ids of idempotent producers (IDMP) of "s4" (database 0). Nothing was written`,
  );
  const lossy = await runToolWith(["convert", path, folder.at("out.rdb"), "--lossy"]);
  assertEquals(lossy.exitCode, 1);
  for (
    const line of [
      `the ids of idempotent producers (IDMP) of "s4" (database 0): it is left out`,
      `the marks of entries that consumers have given back (XNACK) of "s5" (database 0): it is`,
      `"array" (database 0), of type 'array': it is left out`,
      `"gcra" (database 0), of type 'gcra': it is left out`,
      `the metadata of the module class 'BLES' of "with metadata" (database 0): it is left out`,
    ]
  ) assertStringIncludes(lossy.remarks, line);
  const s = testServer();
  loadBytes(s.keyspace, Deno.readFileSync(folder.at("out.rdb")));
  assertEquals([s.run("DBSIZE"), s.run("HGETALL", "h5")], [11, HASH]);
});

Deno.test("convert loses nothing of a snapshot whose hashes have templates", async () => {
  using folder = new WorkFolder();
  const records = template(1, "f") + key(HASH_ARRAY_REF, "h", length(1) + text("v"));
  const path = folder.write("dump.rdb", snapshot(records));
  const { exitCode } = await runToolWith(["convert", path, folder.at("out.rdb")]);
  assertEquals(exitCode, 0);
  const compared = await runToolWith(["diff", path, folder.at("out.rdb")]);
  assertEquals(compared.exitCode, 0, compared.output + compared.remarks);
});

Deno.test("diff compares the rest with --skip-modules, and refuses without", async () => {
  using folder = new WorkFolder();
  const path = folder.write("dump.rdb", snapshot(EVERYTHING));
  const refused = await runToolWith(["diff", path, path]);
  assertEquals(refused.exitCode, 3);
  assertStringIncludes(
    refused.remarks,
    `the ids of idempotent producers (IDMP) of "s4" (database 0) cannot be compared`,
  );
  const compared = await runToolWith(["diff", "--skip-modules", path, path]);
  assertEquals(compared.exitCode, 0, compared.remarks);
});

Deno.test("check --salvage keeps hashes whose templates stand before the damage", async () => {
  using folder = new WorkFolder();
  const hash = (name: string) => key(HASH_ARRAY_REF, name, length(1) + text(`of ${name}`));
  const broken = key("\x10", "broken", text("no listpack"));
  const many = Array.from({ length: 6 }, (_, i) => hash(`h${i}`)).join("");
  const bytes = snapshot(template(1, "f") + hash("first") + broken + many + AFTER);
  const path = folder.write("dump.rdb", bytes);
  const { exitCode, remarks } = await runToolWith([
    "check",
    "--salvage",
    folder.at("out.rdb"),
    path,
  ]);
  assertEquals(exitCode, 1, remarks);
  const s = testServer();
  loadBytes(s.keyspace, Deno.readFileSync(folder.at("out.rdb")));
  assertEquals(s.run("DBSIZE"), 8);
  for (const name of ["first", "h0", "h5"]) assertEquals(s.run("HGET", name, "f"), `of ${name}`);
});

Deno.test("the frames of all values of a newer snapshot end where a scan says", () => {
  const bytes = snapshot(EVERYTHING);
  const types = new Set<number>();
  let unknown = 0;
  scanBytes(bytes, {
    onKey(scan) {
      const reader = RdbReader.fromBytes(bytes, scan.typeAt, undefined, {
        checksum: false,
        pauses: false,
      });
      const type = reader.readByte();
      reader.skipString();
      types.add(type);
      try {
        skipValue(reader, type);
        assertEquals(scan.typeAt + reader.offset, scan.offset, `type ${type}`);
      } catch (error) {
        // What refers to a template cannot be known by its frame, nor can names that are packed.
        assert([31, 32].includes(type), String(error));
        unknown++;
      }
    },
  }, false);
  assertEquals([...types].toSorted((a, b) => a - b), [0, 26, 27, 28, 29, 30, 31, 32, 33]);
  assertEquals(unknown, 2);
});

/** Serves the keys of this dump to who asks for them one by one, until the connection ends. */
async function serveKeys(server: FakeMaster, dumps: Record<string, string>): Promise<void> {
  const link = await server.accept();
  const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
  const list = (...items: string[]) => `*${items.length}\r\n${items.join("")}`;
  for (;;) {
    const asked = await link.request();
    if (asked === null) return;
    const [command, name] = asked.split(" ");
    if (command === "INFO") await link.send(bulk("# Keyspace\r\ndb0:keys=2,expires=0\r\n"));
    else if (command === "SELECT") await link.send("+OK\r\n");
    else if (command === "SCAN") {
      await link.send(list(bulk("0"), list(...Object.keys(dumps).map(bulk))));
    } else if (command === "TIME") await link.send(list(bulk("1700000000"), bulk("0")));
    else if (command === "DUMP") await link.send(bulk(dumps[name]));
    else if (command === "PEXPIRETIME") await link.send(":-1\r\n");
    else await link.send(`-ERR unknown command '${command}'\r\n`);
  }
}

Deno.test("diff --scan compares payloads of Redis 8.10, and names what has no place here", async () => {
  using folder = new WorkFolder();
  const [type, , value] = TEMPLATED[0];
  const s = testServer();
  s.run("HSET", "h", ...HASH);
  s.run("SET", "with metadata", "value");
  const path = folder.write("dump.rdb", saveToBytes(s.keyspace));
  for (const skips of [true, false]) {
    using server = new FakeMaster();
    const served = serveKeys(server, {
      h: payload(type + value),
      "with": payload(metadata("BLES") + "\0" + text("value")),
    });
    const words = ["diff", "--scan", ...(skips ? ["--skip-modules"] : []), path];
    const { exitCode, output, remarks } = await runToolWith([...words, `127.0.0.1:${server.port}`]);
    if (skips) {
      assertEquals(exitCode, 1, remarks);
      assertStringIncludes(output, 'only in A: "with metadata" (string)');
      assertStringIncludes(output, 'only in B: "with" (string)');
      assert(!output.includes('"h"'), output);
    } else {
      assertEquals(exitCode, 3);
      assertStringIncludes(
        remarks,
        `the metadata of the module class 'BLES' of "with" (database 0) cannot be compared`,
      );
    }
    await served;
  }
});

Deno.test("diff --scan refuses payloads of a version that is not known", async () => {
  using folder = new WorkFolder();
  const path = folder.write("dump.rdb", saveToBytes(testServer().keyspace));
  using server = new FakeMaster();
  const served = serveKeys(server, { k: payload("\x21\x01", 16) });
  const { exitCode, remarks } = await runToolWith([
    "diff",
    "--scan",
    path,
    `127.0.0.1:${server.port}`,
  ]);
  assertEquals(exitCode, 3);
  assertStringIncludes(remarks, "DUMP: payloads of RDB version 16 are not read.");
  await served;
});
