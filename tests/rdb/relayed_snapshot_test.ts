/** Snapshots that go to replicas as they are written: what comes out, back-pressure, and the end. */

import { assert, assertEquals } from "@std/assert";
import { datasetDigest } from "../../src/rdb/digest.ts";
import type { Persistence } from "../../src/rdb/persistence.ts";
import type { RelayedSnapshot, RelayEvents } from "../../src/rdb/relayed_snapshot.ts";
import type { Timers } from "../../src/runtime/runtime.ts";
import { eventually } from "../support/eventually.ts";
import { HandTimers } from "../support/hand_timers.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { loadBytes, saveToBytes } from "./datasets.ts";
import { Random } from "../support/random.ts";

class Master implements Disposable {
  readonly folder = Deno.makeTempDirSync();
  readonly server: TestServer;
  readonly persistence: Persistence;
  readonly ended: [string, string | null][] = [];

  constructor(timers?: Timers) {
    this.server = testServer({ folder: this.folder, directives: { save: "" }, timers });
    this.persistence = this.server.core.persistence;
    this.persistence.onSnapshotEnded((kind, failure) => this.ended.push([kind, failure]));
  }

  /** Keys of 300 bytes on average, and large values. */
  fill(keys: number): void {
    const { server } = this;
    const random = new Random(keys);
    for (let i = 0; i < keys; i++) {
      const part = `${random.below(1e9)}-`;
      server.run("SET", `key:${i}`, part.repeat(20 + random.below(20)));
      if (i % 1000 === 0) server.propagated();
    }
    for (let i = 0; i < 3000; i++) server.run("SADD", "set", `member:${i}`);
    server.run("SETRANGE", "long", 1_500_000, "end");
    server.run("SETRANGE", "very long", 5_000_000, "end");
    server.propagated();
  }

  [Symbol.dispose](): void {
    this.persistence.close();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Keeps what it is handed; gives chunks back at once unless it is to hold them. */
class Receiver implements RelayEvents {
  readonly parts: Uint8Array[] = [];
  readonly held: Uint8Array<ArrayBuffer>[] = [];
  readonly buffers = new Set<number>();
  relay!: RelayedSnapshot;
  holds = false;
  slow = false;
  isCompressed: () => boolean = () => true;
  end: string | null | undefined = undefined;
  heard: () => void = () => {};

  onBytes(chunk: Uint8Array<ArrayBuffer>, length: number): void {
    this.parts.push(chunk.slice(0, length));
    this.heard();
    chunk.fill(0xee);
    if (this.holds) this.held.push(chunk);
    else this.relay.release(chunk);
  }

  onEnd(failure: string | null): void {
    this.end = failure;
  }

  isFull(): boolean {
    return this.slow;
  }

  compresses(): boolean {
    return this.isCompressed();
  }

  get bytes(): Uint8Array {
    const all = new Uint8Array(this.parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

function start(master: Master, receiver = new Receiver()): Receiver {
  receiver.relay = master.persistence.startRelay(receiver);
  return receiver;
}

/** Waits until nothing has changed for a few turns. */
async function settled(probe: () => number): Promise<void> {
  for (let same = 0, last = -1; same < 10;) {
    const now = probe();
    same = now === last ? same + 1 : 0;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

let turns = 0;
for (
  const [when, isCompressed] of [
    ["always", () => true],
    ["never", () => false],
    ["now and then", () => turns++ % 3 === 0],
  ] as const
) {
  Deno.test(`a relayed snapshot, compressed ${when}, is the dataset as of its beginning, whatever changes meanwhile`, async () => {
    using master = new Master();
    const { server, persistence } = master;
    master.fill(20_000);
    persistence.owner.replicationAux =
      () => [["repl-stream-db", 0], ["repl-id", "x"], ["repl-offset", 5]];
    const before = datasetDigest(server.keyspace);
    const random = new Random(5);
    const change = () => {
      for (let i = 0; i < 50; i++) {
        const key = `key:${random.below(25_000)}`;
        if (random.below(3) === 0) server.run("DEL", key);
        else server.run("SET", key, random.below(1000));
        server.run("SREM", "set", `member:${random.below(3000)}`);
      }
      server.run("APPEND", "long", "more");
      server.propagated();
    };
    const receiver = new Receiver();
    receiver.isCompressed = isCompressed;
    let midWalk = 0;
    // The first bytes come while the walk still waits for the worker to take more.
    receiver.heard = () => {
      const { keysDone, keysTotal } = receiver.relay.snapshot;
      if (keysDone > 0 && keysDone < keysTotal) midWalk++;
      change();
    };
    start(master, receiver);
    assert(persistence.isSaving);
    change();
    await eventually(() => receiver.end !== undefined);
    assertEquals(receiver.end, null);
    assert(midWalk > 0, "no change fell into the midst of the walk");
    assert(!persistence.isSaving);
    assertEquals(master.ended, [["relay", null]]);
    const again = testServer();
    loadBytes(again.keyspace, receiver.bytes);
    assertEquals(datasetDigest(again.keyspace), before);
  });
}

Deno.test("the aux fields of replication stand between used-mem and aof-base", async () => {
  using master = new Master();
  master.persistence.owner.replicationAux = () => [["repl-stream-db", 0], ["repl-id", "x"]];
  const receiver = start(master);
  await eventually(() => receiver.end === null);
  const text = String.fromCharCode(...receiver.bytes);
  const order = ["used-mem", "repl-stream-db", "repl-id", "aof-base"].map((name) =>
    text.indexOf(name)
  );
  assert(order[0] > 0);
  assertEquals(order, order.toSorted((a, b) => a - b));
});

Deno.test("a relay counts as the one snapshot under way, and says nothing of the last save", async () => {
  using master = new Master();
  master.fill(2000);
  const { persistence, server } = master;
  const { dirty } = server.keyspace;
  const receiver = start(master);
  const field = (name: string) => persistence.infoFields().find(([field]) => field === name)?.[1];
  assertEquals(field("rdb_bgsave_in_progress"), 1);
  persistence.tick(server.clock.nowMs + 1e9);
  persistence.abortBackground();
  assert(persistence.isSaving, "only a save to a file is given up");
  await eventually(() => receiver.end === null);
  assertEquals(field("rdb_bgsave_in_progress"), 0);
  assertEquals(field("rdb_last_bgsave_status"), "ok");
  assertEquals(server.keyspace.dirty, dirty);
  assertEquals([...Deno.readDirSync(master.folder)], []);
});

Deno.test("a receiver that is slow, or keeps its chunks, makes the walk wait", async () => {
  using master = new Master();
  master.fill(50_000);
  master.server.config.set([["rdbcompression", "no"]]);
  const total = saveToBytes(master.server.keyspace, { compress: false }).length;
  assert(total > 12 << 20, `${total}`);
  const receiver = new Receiver();
  receiver.slow = true;
  start(master, receiver);
  const { snapshot } = receiver.relay;
  await settled(() => snapshot.keysDone);
  assert(snapshot.keysDone < 100, "it has hardly begun");
  receiver.slow = false;
  receiver.holds = true;
  receiver.relay.resume();
  await settled(() => receiver.held.length);
  const { keysDone } = snapshot;
  assert(keysDone > 100 && receiver.end === undefined);
  assert(receiver.held.length < 40, `${receiver.held.length} chunks are away`);
  receiver.holds = false;
  for (const chunk of receiver.held) receiver.relay.release(chunk);
  await eventually(() => receiver.end === null);
  const again = testServer();
  loadBytes(again.keyspace, receiver.bytes);
  assertEquals(datasetDigest(again.keyspace), datasetDigest(master.server.keyspace));
});

Deno.test("a relay that is given up says no more, and what comes next is whole", async () => {
  using master = new Master();
  master.fill(30_000);
  master.server.config.set([["rdbcompression", "no"]]);
  const { persistence } = master;
  const first = new Receiver();
  first.holds = true;
  start(master, first);
  await eventually(() => first.parts.length > 0);
  assertEquals(first.end, undefined);
  first.relay.abort();
  first.relay.abort();
  assert(!persistence.isSaving);
  assertEquals(master.ended, [["relay", "given up"]]);
  const count = first.parts.length;
  persistence.startBackground();
  await eventually(() => !persistence.isSaving);
  assertEquals(persistence.lastSaveOk, true);
  const second = start(master);
  await eventually(() => second.end === null);
  assertEquals(first.end, undefined);
  assertEquals(first.parts.length, count);
  assertEquals(master.ended.slice(1), [["file", null], ["relay", null]]);
  const digest = datasetDigest(master.server.keyspace);
  for (const bytes of [second.bytes, Deno.readFileSync(persistence.filePath)]) {
    const again = testServer();
    loadBytes(again.keyspace, bytes);
    assertEquals(datasetDigest(again.keyspace), digest);
  }
});

Deno.test("rdb-key-save-delay slows a snapshot down without holding up others", async () => {
  const timers = new HandTimers();
  using master = new Master(timers);
  for (let i = 0; i < 40; i++) master.server.run("SET", `key:${i}`, i);
  master.server.config.set([["rdb-key-save-delay", "1000"]]);
  const receiver = start(master);
  const { snapshot } = receiver.relay;
  timers.othersDone(); // the first slice comes without a delay
  let slices = 1;
  for (let before = 0; snapshot.keysDone < 40; slices++) {
    const { keysDone } = snapshot;
    const pauseMs = keysDone - before; // a millisecond for each key of the latest slice
    timers.pass(pauseMs - 0.1);
    assertEquals(snapshot.keysDone, keysDone);
    timers.pass(0.1);
    assert(snapshot.keysDone > keysDone, `nothing after ${pauseMs} ms`);
    before = keysDone;
  }
  assert(slices > 3, `${slices} slices`);
  timers.pass(40);
  await eventually(() => receiver.end === null);
});

Deno.test("rdb-key-save-delay takes its time also for keys that writes have brought forward", async () => {
  const timers = new HandTimers();
  using master = new Master(timers);
  for (let i = 0; i < 40; i++) master.server.run("SET", `key:${i}`, i);
  master.server.config.set([["rdb-key-save-delay", "1000"]]);
  const receiver = start(master);
  const { snapshot } = receiver.relay;
  timers.othersDone();
  const walked = snapshot.keysDone;
  for (let i = 0; snapshot.keysDone < 39; i++) master.server.run("SET", `key:${i}`, "other");
  timers.pass(walked);
  timers.pass(39 - walked - 0.1);
  assertEquals(snapshot.keysDone, 39);
  timers.pass(0.1);
  assertEquals(snapshot.keysDone, 40);
  timers.pass(2);
  await eventually(() => receiver.end === null);
});

Deno.test("keys past their time are told of when a load leaves them out", async () => {
  using master = new Master();
  const { server, persistence } = master;
  server.run("SELECT", 2);
  server.run("SET", "gone", 1, "PX", 10);
  server.run("SET", "here", 1);
  assert(persistence.save());
  server.run("FLUSHALL");
  server.clock.nowMs += 100;
  const told: [number, string][] = [];
  persistence.owner.expiredAtLoad = (database, bytes, offset, length) =>
    told.push([database, String.fromCharCode(...bytes.subarray(offset, offset + length))]);
  await persistence.load();
  assertEquals(told, [[2, "gone"]]);
  assertEquals(server.run("DBSIZE"), 1);
});

Deno.test("FLUSHALL gives up a snapshot for replicas: the next one is of the empty dataset", async () => {
  using master = new Master();
  for (let i = 0; i < 20_000; i++) master.server.run("SET", `key:${i}`, i);
  const receiver = start(master);
  const ends: (string | null)[] = [];
  master.persistence.onSnapshotEnded((_kind, failure) => ends.push(failure));
  master.server.run("FLUSHALL");
  assertEquals(receiver.end, "the dataset has been flushed");
  assertEquals(ends, ["the dataset has been flushed"]);
  assertEquals(master.persistence.isSaving, false);
  const next = start(master);
  assertEquals(next.relay.snapshot.keysTotal, 0);
  await eventually(() => next.end === null);
});
