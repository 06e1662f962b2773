/**
 * The receiving side of a full sync: snapshots that come in pieces of any size, end anywhere, are
 * damaged; and the exchange of datasets. Until then the dataset being served must not change.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Config } from "../../src/config/config.ts";
import { datasetDigest } from "../../src/rdb/digest.ts";
import type { Persistence } from "../../src/rdb/persistence.ts";
import type { Timers } from "../../src/runtime/runtime.ts";
import { RECEIVED_MAX, type ReplicaLoad } from "../../src/rdb/replica_load.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { eventually } from "../support/eventually.ts";
import { type TestClient, type TestServer, testServer } from "../support/test_server.ts";
import { corpusBytes, corpusNames } from "./corpus.ts";
import { CORPUS_NOW_MS, loadBytes, saveToBytes } from "./datasets.ts";
import { HandTimers } from "../support/hand_timers.ts";
import { Random } from "../support/random.ts";

type Mode = "file" | "stream";
const MODES: Mode[] = ["file", "stream"];

/** A replica with a dataset of its own, in a folder of its own. */
class Replica implements Disposable {
  readonly server: TestServer;
  readonly persistence: Persistence;
  readonly config: Config;
  readonly folder = Deno.makeTempDirSync();

  constructor(timers?: Timers) {
    this.server = testServer({ nowMs: CORPUS_NOW_MS, folder: this.folder, timers });
    this.config = this.server.config;
    this.persistence = this.server.core.persistence;
    this.server.run("SET", "served", "yes");
    this.server.run("SADD", "set", 1, 2, 3);
    this.server.propagated();
  }

  get digest(): string {
    return datasetDigest(this.server.keyspace);
  }

  /** Names in its folder, but for that which says who saves there. */
  get files(): string[] {
    const names = [...Deno.readDirSync(this.folder)].map(({ name }) => name);
    return names.filter((name) => name !== ".dump.rdb.lock").sort();
  }

  /** Receives `bytes` in pieces of sizes that `size` draws, and says that this was all. */
  receive(
    bytes: Uint8Array,
    mode: Mode,
    totalBytes: number | null,
    size: () => number,
  ): [load: ReplicaLoad, done: Promise<void>] {
    const load = this.persistence.beginReplicaLoad({ mode, totalBytes });
    for (let at = 0; at < bytes.length;) {
      const part = Math.min(size(), bytes.length - at);
      const piece = bytes.slice(at, at + part);
      load.push(piece, 0, part);
      piece.fill(0xee); // whoever keeps a part of it would notice
      at += part;
    }
    return [load, load.finish()];
  }

  [Symbol.dispose](): void {
    this.persistence.replicaLoad?.abandon();
    this.persistence.close();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

function digestOf(bytes: Uint8Array): string {
  const server = testServer({ nowMs: CORPUS_NOW_MS });
  // Nothing is dropped, as on a replica.
  server.clock.nowMs = 0;
  server.keyspace.refreshTime();
  loadBytes(server.keyspace, bytes);
  return datasetDigest(server.keyspace);
}

/** A dataset with values of all kinds, small enough to be cut at every byte. */
function smallSnapshot(): Uint8Array {
  const server = testServer({ nowMs: CORPUS_NOW_MS });
  server.run("SET", "text", "x".repeat(60));
  server.run("SET", "number", 12345);
  server.run("PEXPIREAT", "number", CORPUS_NOW_MS + 1000);
  server.run("RPUSH", "list", "a", "b", "1");
  server.run("HSET", "hash", "f", "v", "g", "y".repeat(80));
  server.run("SADD", "members", "a", "b");
  server.run("SELECT", 2);
  server.run("ZADD", "zset", 1.5, "m", 2, "n".repeat(70));
  return saveToBytes(server.keyspace);
}

for (const mode of MODES) {
  for (const name of corpusNames()) {
    const bytes = corpusBytes(name);
    let expected: string;
    try {
      expected = digestOf(bytes);
    } catch {
      continue; // streams and the like, which do not load here in any way
    }
    Deno.test(`${name} is the same dataset when received (${mode})`, async () => {
      using replica = new Replica();
      const random = new Random(bytes.length);
      const before = replica.digest;
      for (const totalBytes of [bytes.length, null]) {
        const [load, done] = replica.receive(
          bytes,
          mode,
          totalBytes,
          () => 1 + random.below(totalBytes === null ? 40 : 5000),
        );
        await done;
        if (totalBytes !== null) {
          assertEquals(replica.digest, before, "nothing is touched before the swap");
          load.abandon();
          assertEquals(replica.files, []);
          continue;
        }
        const { keyCount } = load;
        load.swap();
        assertEquals(replica.server.keyspace.keyCount, keyCount);
        replica.server.clock.nowMs = 0;
        replica.server.keyspace.refreshTime();
        assertEquals(replica.digest, expected);
        assertEquals(replica.persistence.replicaLoad, null);
      }
    });
  }

  Deno.test(`a snapshot cut at any byte is refused, with the byte (${mode})`, async () => {
    using replica = new Replica();
    const bytes = smallSnapshot();
    const before = replica.digest;
    const step = mode === "file" ? 7 : 1;
    for (let cut = 0; cut < bytes.length; cut += step) {
      const totalBytes = cut % 2 === 0 ? null : bytes.length;
      const [load, done] = replica.receive(bytes.slice(0, cut), mode, totalBytes, () => 11);
      const error = await assertRejects(() => done, RdbError);
      assertEquals(error.kind, "truncated", `cut at ${cut}: ${error.message}`);
      assert(/ at byte \d+$/.test(error.message), error.message);
      assert(error.offset <= cut, `${error.offset} of ${cut}`);
      load.abandon();
    }
    assertEquals(replica.digest, before);
    assertEquals(replica.files, []);
  });

  Deno.test(`a snapshot with a flipped bit is refused (${mode})`, async () => {
    using replica = new Replica();
    const bytes = smallSnapshot();
    const before = replica.digest;
    const random = new Random(7);
    for (let round = 0; round < 150; round++) {
      const damaged = bytes.slice();
      damaged[random.below(bytes.length)] ^= 1 << random.below(8);
      const [load, done] = replica.receive(damaged, mode, bytes.length, () => 100);
      await assertRejects(() => done, RdbError);
      load.abandon();
    }
    assertEquals(replica.digest, before);
  });

  Deno.test(`bytes behind the end of a snapshot are refused (${mode})`, async () => {
    using replica = new Replica();
    const bytes = new Uint8Array([...smallSnapshot(), 0]);
    for (const totalBytes of [null, bytes.length, bytes.length - 1]) {
      const [load, done] = replica.receive(bytes, mode, totalBytes, () => bytes.length);
      const error = await assertRejects(() => done, RdbError);
      assert(error.message.includes("bytes behind the end"), error.message);
      load.abandon();
    }
  });

  Deno.test(`a swap fails transactions, wakes blocked clients and keeps expiries (${mode})`, async () => {
    using replica = new Replica();
    const { server, persistence } = replica;
    server.run("SET", "only here", 1);
    const watchers: Record<string, TestClient> = {};
    for (const key of ["served", "only here", "list", "nowhere"]) {
      const other = server.connect();
      other.run("WATCH", key);
      watchers[key] = other;
    }
    const blocked = server.connect();
    blocked.run("BLPOP", "list", 0);
    const [load, done] = replica.receive(smallSnapshot(), mode, null, () => 50);
    await done;
    load.swap();
    server.run("PING"); // the next request serves those who may go on
    for (const [key, isFailed] of [["served", true], ["only here", true], ["nowhere", false]]) {
      const other = watchers[key as string];
      other.run("MULTI");
      other.run("PING");
      assertEquals(other.run("EXEC") === null, isFailed, key as string);
    }
    assertEquals(blocked.received(), [["list", "a"]]);
    assertEquals(server.run("PEXPIRETIME", "number"), CORPUS_NOW_MS + 1000);
    assertEquals(server.keyspace.databases[0].expiringCount, 1);
    server.clock.nowMs += 1001;
    assertEquals(server.run("GET", "number"), null);
    assertEquals(persistence.replicaLoad, null);
  });
}

Deno.test("the received file becomes dbfilename, and a background save of the old data does not", async () => {
  using replica = new Replica();
  const { persistence } = replica;
  assert(persistence.save());
  const bytes = smallSnapshot();
  const [load, done] = replica.receive(bytes, "file", bytes.length, () => 50);
  await done;
  const ended: unknown[] = [];
  persistence.onSnapshotEnded((kind, failure) => ended.push([kind, failure]));
  persistence.startBackground();
  load.swap();
  assertEquals(ended, [["file", "given up"]]);
  assert(!persistence.isSaving);
  assertEquals(Deno.readFileSync(persistence.filePath), bytes);
  await eventually(() => replica.files.length === 1);
  // The worker may still be at the old save: a new one waits behind it.
  persistence.startBackground();
  await eventually(() => !persistence.isSaving);
  await eventually(() => replica.files.join() === "dump.rdb");
  const again = testServer({ nowMs: CORPUS_NOW_MS });
  loadBytes(again.keyspace, Deno.readFileSync(persistence.filePath));
  assertEquals(datasetDigest(again.keyspace), replica.digest);
});

for (const [save, files] of [["", []], ["3600 1", ["dump.rdb"]]] as const) {
  Deno.test(`rdb-del-sync-files with save "${save}" leaves ${files.length} files`, async () => {
    using replica = new Replica();
    replica.config.set([["rdb-del-sync-files", "yes"], ["save", save]]);
    const [load, done] = replica.receive(smallSnapshot(), "file", null, () => 500);
    await done;
    load.swap();
    await eventually(() => replica.files.length === files.length);
    assertEquals(replica.files, [...files]);
  });
}

Deno.test("the aux fields of replication are told, and INFO shows the load", async () => {
  const folder = Deno.makeTempDirSync();
  const master = testServer({ folder });
  for (let i = 0; i < 2000; i++) master.run("SET", `key:${i}`, i);
  const { persistence } = master.core;
  const id = "0123456789abcdef0123456789abcdef01234567";
  persistence.owner.replicationAux = () => [
    ["repl-stream-db", 3],
    ["repl-id", id],
    ["repl-offset", 4711],
  ];
  assert(persistence.save());
  const bytes = Deno.readFileSync(persistence.filePath);
  await persistence.load().catch(() => {}); // the keys are there already
  assertEquals(persistence.loadedReplication, null);
  master.run("FLUSHALL");
  await persistence.load();
  assertEquals(persistence.loadedReplication, {
    id,
    offset: 4711,
    database: 3,
    streamErrors: 0,
    divergedAt: -1,
    leftOut: 0,
  });
  persistence.close();
  Deno.removeSync(folder, { recursive: true });

  using replica = new Replica();
  const { persistence: own } = replica;
  const field = (name: string) => own.infoFields().find(([field]) => field === name)?.[1];
  const load = own.beginReplicaLoad({ mode: "stream", totalBytes: bytes.length });
  assertEquals(field("async_loading"), 0);
  load.push(bytes, 0, 10_000);
  await eventually(() => load.keysLoaded > 0);
  assertEquals(field("async_loading"), 1);
  assertEquals(field("loading"), 0);
  assertEquals(field("loading_total_bytes"), bytes.length);
  assertEquals(field("loading_loaded_bytes"), load.loadedBytes);
  assert(load.loadedBytes <= 10_000);
  load.push(bytes, 10_000, bytes.length - 10_000);
  await load.finish();
  assertEquals([load.replicationId, load.replicationOffset, load.replicationDatabase], [
    id,
    4711,
    3,
  ]);
  assertEquals(load.keyCount, 2000);
  load.abandon();
  assertEquals(field("async_loading"), 0);
});

for (const mode of MODES) {
  Deno.test(`a receiver that waits for onDrained keeps memory bounded (${mode})`, async () => {
    const master = testServer();
    for (let i = 0; i < 3000; i++) master.run("SET", `key:${i}`, `${i}`.repeat(1000));
    master.run("SET", "one long string", "z".repeat(6_000_000));
    const bytes = saveToBytes(master.keyspace, { compress: false });
    assert(bytes.length > 3 * RECEIVED_MAX);
    using replica = new Replica();
    const load = replica.persistence.beginReplicaLoad({ mode, totalBytes: null });
    const PIECE = 100_000;
    let most = 0;
    for (let at = 0; at < bytes.length; at += PIECE) {
      load.push(bytes, at, Math.min(PIECE, bytes.length - at));
      most = Math.max(most, load.waitingBytes);
      if (load.waitingBytes > RECEIVED_MAX) {
        await new Promise<void>((resolve) => load.onDrained = resolve);
        assert(load.waitingBytes < RECEIVED_MAX);
      }
    }
    await load.finish();
    assert(most > RECEIVED_MAX && most <= RECEIVED_MAX + PIECE, `${most}`);
    load.swap();
    assertEquals(replica.digest, datasetDigest(master.keyspace));
  });
}

Deno.test("a stream that announces too much is refused before memory is taken for it", async () => {
  using replica = new Replica();
  const bytes = new Uint8Array(smallSnapshot().subarray(0, 9 + 200));
  // A string of 4 GB less one byte, under the first key.
  bytes.set([0xfe, 0, 0, 1, 0x6b, 0x80, 0xff, 0xff, 0xff, 0xff], 9);
  const load = replica.persistence.beginReplicaLoad({ mode: "stream", totalBytes: null });
  const failed = new Promise<Error>((resolve) => load.onFailed = resolve);
  load.push(bytes, 0, bytes.length);
  const failure = await failed;
  assert(failure.message.includes("proto-max-bulk-len"), failure.message);
  load.abandon();
});

Deno.test("key-load-delay slows a load down without holding up others", async () => {
  const timers = new HandTimers();
  using replica = new Replica(timers);
  replica.config.set([["key-load-delay", "2000"]]);
  const bytes = smallSnapshot();
  const [load, done] = replica.receive(bytes, "stream", null, () => 500);
  let isDone = false;
  done.then(() => isDone = true);
  const seen = new Set<number>();
  while (!isDone && timers.nowMs < 1_000_000) {
    if (timers.waitsForOthers) timers.othersDone(); // at its beginning, while it has no key yet
    seen.add(load.keysLoaded);
    timers.pass(1);
    await Promise.resolve();
  }
  await done;
  assert(seen.size > 2, [...seen].join());
  const pausesMs = 2 * [...seen].at(-2)!; // two for each key, but those of the last slice
  assert(timers.nowMs >= pausesMs, `${timers.nowMs} ms for ${[...seen].join()}`);
});
