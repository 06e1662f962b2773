import { assert, assertEquals } from "@std/assert";
import { EXPIRE_DELETES } from "../../src/keyspace/expire_mode.ts";
import type { Persistence } from "../../src/rdb/persistence.ts";
import type { Timers } from "../../src/runtime/runtime.ts";
import { eventually } from "../support/eventually.ts";
import { HandTimers } from "../support/hand_timers.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

/** A server for data, its persistence in a folder of its own, and what was logged. */
class Persisted implements Disposable {
  readonly server: TestServer;
  readonly persistence: Persistence;

  constructor(
    readonly folder = Deno.makeTempDirSync(),
    readonly ownsFolder = true,
    timers?: Timers,
  ) {
    this.server = testServer({ folder, timers });
    this.persistence = this.server.core.persistence;
  }

  /** Another server on the same folder. */
  again(timers?: Timers): Persisted {
    return new Persisted(this.folder, false, timers);
  }

  info(name: string): string | number | undefined {
    return this.persistence.infoFields().find(([field]) => field === name)?.[1];
  }

  get log(): string {
    return this.server.logLines.join("");
  }

  [Symbol.dispose](): void {
    this.persistence.close();
    if (this.ownsFolder) removeFolder(this.folder);
  }
}

async function backgroundEnded({ persistence }: Persisted): Promise<void> {
  await eventually(() => !persistence.isSaving);
}

/** Names in a folder, without those that only say who writes there. */
function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => !name.endsWith(".lock"));
}

Deno.test("a missing file is an empty start", async () => {
  using p = new Persisted();
  await p.persistence.load();
  assertEquals(p.server.run("DBSIZE"), 0);
  assertEquals(p.log, "");
});

Deno.test("a load in slices lets others run, and INFO tells how far it has come", async () => {
  using p = new Persisted();
  for (let i = 0; i < 20_000; i++) p.server.run("SET", `key:${i}`, i);
  p.server.propagated();
  assert(p.persistence.save());
  const timers = new HandTimers();
  using q = p.again(timers);
  // A clock that jumps ahead at each look: every slice ends at its first one.
  let looks = 0;
  Object.assign(q.server.keyspace.clock, { monotonic: () => 100 * ++looks });
  const done = q.persistence.load();
  let slices = 0;
  let loadedBytes = 0;
  for (; q.persistence.isLoading; slices++) {
    assert(timers.waitsForOthers, "others have their turn before it goes on");
    assertEquals(q.info("loading"), 1);
    const more = Number(q.info("loading_loaded_bytes"));
    assert(more > loadedBytes && more <= Number(q.info("loading_total_bytes")), `${more}`);
    loadedBytes = more;
    timers.othersDone();
    for (let i = 0; i < 10; i++) await Promise.resolve(); // what `load` awaits is at hand
  }
  await done;
  assert(slices > 100, `${slices} slices`);
  assertEquals(q.info("loading"), 0);
  assertEquals(q.info("loading_total_bytes"), undefined);
  assertEquals(q.info("rdb_last_load_keys_loaded"), 20_000);
  assertEquals(q.server.run("DBSIZE"), 20_000);
  assertEquals(q.server.keyspace.expireMode, EXPIRE_DELETES);
  assert(q.log.includes("Loading DB in memory: "), q.log);
});

Deno.test("changes during a background save are still counted after it", async () => {
  using p = new Persisted();
  p.server.run("SET", "a", "1");
  p.server.run("SET", "b", "1");
  p.persistence.startBackground();
  assertEquals(p.info("rdb_bgsave_in_progress"), 1);
  assertEquals(p.info("current_save_keys_total"), 2);
  p.server.run("SET", "c", "1");
  await backgroundEnded(p);
  assertEquals(p.info("rdb_changes_since_last_save"), 1);
  assertEquals(p.info("rdb_saves"), 1);
  assertEquals(p.persistence.lastSaveOk, true);
  using q = p.again();
  await q.persistence.load();
  assertEquals(q.server.run("DBSIZE"), 2);
});

Deno.test("a save point waits its time, and a failed save is tried again after five seconds", async () => {
  using p = new Persisted();
  p.server.config.assign("save", ["10", "2"]);
  const { clock } = p.server;
  p.persistence.tick(clock.nowMs);
  p.server.run("SET", "a", "1");
  clock.nowMs += 60_000;
  p.persistence.tick(clock.nowMs);
  assert(!p.persistence.isSaving, "one change is not enough");
  p.server.run("SET", "b", "1");
  Deno.mkdirSync(`${p.folder}/dump.rdb`); // where the file cannot be put
  p.persistence.tick(clock.nowMs);
  assert(p.persistence.isSaving);
  assert(p.log.includes("2 changes in 10 seconds. Saving..."), p.log);
  await backgroundEnded(p);
  assertEquals(p.persistence.lastSaveOk, false);
  assert(p.log.includes("Background saving error"), p.log);
  Deno.removeSync(`${p.folder}/dump.rdb`);
  clock.nowMs += 5_000;
  p.persistence.tick(clock.nowMs);
  assert(!p.persistence.isSaving, "too early");
  clock.nowMs += 1;
  p.persistence.tick(clock.nowMs);
  assert(p.persistence.isSaving);
  await backgroundEnded(p);
  assertEquals(p.persistence.lastSaveOk, true);
  assertEquals(p.persistence.lastSaveMs, clock.nowMs);
});

Deno.test("a background save that is given up leaves no file, and the next one is whole", async () => {
  using p = new Persisted();
  for (let i = 0; i < 3000; i++) p.server.run("SADD", "set", i * 1000);
  for (let i = 0; i < 3000; i++) p.server.run("SET", `key:${i}`, i);
  p.persistence.startBackground();
  p.server.run("SREM", "set", 5000);
  p.persistence.abortBackground();
  p.persistence.startBackground();
  p.server.run("FLUSHDB"); // FLUSHALL gives the save up
  await backgroundEnded(p);
  assertEquals(namesIn(p.folder), ["dump.rdb"]);
  using q = p.again();
  await q.persistence.load();
  assertEquals(q.server.run("DBSIZE"), 3001);
  assertEquals(q.server.run("SCARD", "set"), 2999);
});

for (const save of ["", "3600 1"]) {
  Deno.test(`FLUSHALL ${save ? "saves" : "does not save"} with save "${save}"`, () => {
    using p = new Persisted();
    p.server.config.set([["save", save]]);
    p.server.run("SET", "a", "1");
    p.server.run("FLUSHALL");
    assertEquals(p.server.keyspace.dirty, save ? 0 : 2);
    assertEquals(namesIn(p.folder).length, save ? 1 : 0);
  });
}

Deno.test("the save at the end of the server gives up a background save", async () => {
  using p = new Persisted();
  p.server.run("SET", "a", "1");
  p.persistence.startBackground();
  p.server.run("SET", "b", "1");
  assert(await new Promise((resolve) => p.persistence.saveFinally(resolve)));
  assert(!p.persistence.isSaving);
  assertEquals(p.server.keyspace.dirty, 0);
  assertEquals(namesIn(p.folder), ["dump.rdb"]);
});

Deno.test("the save at the end of the server begins again when the dataset is another one", async () => {
  using p = new Persisted();
  p.server.run("MSET", "a", "1", "b", "1");
  const saved = new Promise((resolve) => p.persistence.saveFinally(resolve));
  assert(p.persistence.isSaving);
  p.persistence.abortBackground(); // as a full sync does before its dataset comes in
  p.server.run("DEL", "b");
  assert(p.persistence.isSaving);
  assert(await saved);
  assertEquals(p.persistence.reload({ saves: false, flushes: true, merges: false }), null);
  assertEquals(p.server.run("KEYS", "*"), ["a"]);
});

Deno.test("the save at the end of the server tells when it fails, and saves again", async () => {
  using p = new Persisted();
  p.server.run("SET", "a", "1");
  Deno.mkdirSync(`${p.folder}/dump.rdb`);
  const save = () => new Promise((resolve) => p.persistence.saveFinally(resolve));
  assertEquals(await save(), false);
  assert(!p.persistence.isSaving);
  assertEquals(p.server.keyspace.dirty, 1);
  Deno.removeSync(`${p.folder}/dump.rdb`);
  assertEquals(await save(), true);
});

for (const [merges, flushes, size] of [[true, false, 3], [false, true, 2]] as const) {
  Deno.test(`reload ${merges ? "MERGE NOFLUSH" : "NOSAVE"} leaves ${size} keys`, () => {
    using p = new Persisted();
    p.server.run("MSET", "a", "1", "b", "1");
    assert(p.persistence.save());
    p.server.run("MSET", "b", "2", "c", "2");
    assertEquals(p.persistence.reload({ saves: false, flushes, merges }), null);
    assertEquals(p.server.run("DBSIZE"), size);
    assertEquals(p.server.run("GET", "b"), "1");
    assertEquals(p.server.keyspace.dirty, 0);
  });
}

/** Removes a folder in which the worker of a save that was given up may still finish a file. */
function removeFolder(path: string): void {
  for (let tries = 0;; tries++) {
    try {
      return Deno.removeSync(path, { recursive: true });
    } catch (error) {
      if (tries === 100) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

Deno.test("all who want to know hear of the end of a background save, well or not", async () => {
  using p = new Persisted();
  const heard: string[] = [];
  for (const name of ["one", "other"]) {
    p.persistence.onSnapshotEnded((kind, failure) => heard.push(`${name} ${kind} ${failure}`));
  }
  p.persistence.startBackground();
  p.persistence.abortBackground();
  assertEquals(heard, ["one file given up", "other file given up"]);
  p.persistence.startBackground();
  await backgroundEnded(p);
  assertEquals(heard.slice(2), ["one file null", "other file null"]);
});

Deno.test("two servers of a process that save to one folder at once do not mix their files", async () => {
  using a = new Persisted();
  using b = a.again();
  a.server.config.assign("dbfilename", ["a.rdb"]);
  b.server.config.assign("dbfilename", ["b.rdb"]);
  for (let i = 0; i < 5_000; i++) {
    a.server.run("SET", `a:${i}`, i);
    b.server.run("SET", `b:${i}`, -i);
  }
  const digests = [a, b].map(({ server }) => server.run("DEBUG", "DIGEST"));
  a.persistence.startBackground();
  b.persistence.startBackground();
  await backgroundEnded(a);
  await backgroundEnded(b);
  const loaded = [];
  for (const name of ["a.rdb", "b.rdb"]) {
    using again = a.again();
    again.server.config.assign("dbfilename", [name]);
    await again.persistence.load();
    loaded.push(again.server.run("DEBUG", "DIGEST"));
  }
  assertEquals(loaded, digests);
});

Deno.test("a snapshot file that is a folder is named, in the system's words", async () => {
  using p = new Persisted();
  p.server.run("SET", "k", "v");
  Deno.mkdirSync(p.persistence.filePath);
  const path = p.persistence.filePath;
  const error = await p.persistence.load().then(() => null, (error) => error);
  assertEquals(error.message, `Fatal error: can't read the RDB file ${path}: Is a directory`);
  assertEquals(p.persistence.save(), false);
  assert(
    /Error moving temp DB file temp-\S+-main\.rdb on the final destination dump\.rdb \(in server root dir \S+\): Is a directory\n/
      .test(p.log),
    p.log,
  );
  assertEquals(p.server.run("GET", "k"), "v");
});

Deno.test("a start clears what dead processes left, and nothing that is written or another's", async () => {
  using p = new Persisted();
  const write = (name: string, text: string) => Deno.writeTextFileSync(`${p.folder}/${name}`, text);
  const left = [
    "temp-77-0123abcd-main.rdb",
    "temp-77-0123abcd.rdb",
    "temp-77-0123abcd.rdb.old",
    "temp-1700000000.77.1.rdb",
  ];
  const kept = [
    "temp-77.rdb", // redis-server's, of BGSAVE
    "temp-1700000000.77.rdb", // and of a full sync
    "temp-77-0123abcd.rdb.txt",
    "temp-notes.rdb",
    "temp-78-0123abcd.rdb",
  ];
  for (const name of [...left, ...kept]) write(name, "REDIS0011");
  write("temp-79-0123abcd.rdb", ""); // may just have been made
  using written = p.server.core.runtime.files.open(`${p.folder}/temp-78-0123abcd.rdb`, "append");
  assert(written.tryLock());
  await p.persistence.load();
  const names = [...Deno.readDirSync(p.folder)].map(({ name }) => name).sort();
  assertEquals(names, [...kept, "temp-79-0123abcd.rdb"].sort());
  for (const name of left) assert(p.log.includes(`Removed ${name}, `), p.log);
});

Deno.test("a server that began empty clears what dead processes left when a full sync makes a file", () => {
  using p = new Persisted();
  const left = `${p.folder}/temp-1700000000.77.1.rdb`;
  Deno.writeTextFileSync(left, "REDIS0011");
  const files = () => [...Deno.readDirSync(p.folder)].length;
  p.persistence.beginReplicaLoad({ mode: "stream", totalBytes: null }).abandon();
  assertEquals(files(), 1);
  const load = p.persistence.beginReplicaLoad({ mode: "file", totalBytes: 100 });
  assertEquals([...Deno.readDirSync(p.folder)].some(({ name }) => left.endsWith(name)), false);
  assertEquals(files(), 1); // its own
  load.abandon();
  assertEquals(files(), 0);
});

Deno.test("a start clears empty files of dead processes after a second, and none that is locked by then", async () => {
  using folder = new Persisted();
  const timers = new HandTimers();
  using p = folder.again(timers);
  const names = ["temp-80-0123abcd.rdb", "temp-81-0123abcd.rdb"];
  for (const name of names) Deno.writeTextFileSync(`${p.folder}/${name}`, "");
  await p.persistence.load();
  // It was made in the moment of the start, and is locked by now.
  using written = p.server.core.runtime.files.open(`${p.folder}/${names[1]}`, "append");
  assert(written.tryLock());
  const left = () => [...Deno.readDirSync(p.folder)].map(({ name }) => name).sort();
  assertEquals(left(), names);
  timers.pass(1_000);
  assertEquals(left(), [names[1]]);
  assert(p.log.includes(`Removed ${names[0]}, `), p.log);
});

Deno.test("a start leaves a save of another server under way alone", async () => {
  using p = new Persisted();
  for (let i = 0; i < 20_000; i++) p.server.run("SET", `key:${i}`, i);
  p.server.config.set([["rdb-key-save-delay", "50"]]);
  p.persistence.startBackground();
  const temporary = () => [...Deno.readDirSync(p.folder)].filter(({ name }) => /^temp-/.test(name));
  await eventually(() => temporary().length === 1);
  using q = p.again();
  await q.persistence.load();
  assertEquals(temporary().length, 1);
  p.server.config.set([["rdb-key-save-delay", "0"]]);
  await backgroundEnded(p);
  assertEquals(p.persistence.lastSaveOk, true);
  assertEquals(temporary(), []);
});
