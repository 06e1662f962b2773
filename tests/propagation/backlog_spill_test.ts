/** The part of a backlog that does not fit into memory: src/propagation/backlog.ts, src/replication/spill_files.ts. */

import { assert, assertEquals } from "@std/assert";
import {
  Backlog,
  type BacklogCursor,
  type Spill,
  type SpillPlace,
  type SpillStore,
} from "../../src/propagation/backlog.ts";
import { SpillFiles } from "../../src/replication/spill_files.ts";
import { databaseAt } from "../../src/replication/command_scan.ts";
import { latin1 } from "../../src/base/bytes.ts";
import { runtime } from "../../src/runtime/here.ts";
import { eventually } from "../support/eventually.ts";
import { Random } from "../support/random.ts";

function byteAt(offset: number): number {
  return (offset * 31 + (offset >> 9)) & 0xff;
}

function append(backlog: Backlog, length: number, isKept = false): void {
  const from = backlog.endOffset;
  backlog.append(Uint8Array.from({ length }, (_, i) => byteAt(from + i)), 0, length, isKept);
}

/** Reads up to `max` bytes of what is there now, and checks them. */
function read(cursor: BacklogCursor, max = Infinity): number {
  let total = 0;
  while (total < max) {
    const bytes = cursor.peek();
    if (bytes === null) break;
    const count = Math.min(bytes.length, max - total);
    for (let i = 0; i < count; i++) {
      if (bytes[i] !== byteAt(cursor.offset + i)) throw new Error(`wrong at ${cursor.offset + i}`);
    }
    cursor.advance(count);
    total += count;
  }
  return total;
}

/** Keeps blocks aside; each call is done when the test says so. */
class FakeStore implements SpillStore {
  readonly kept = new Map<SpillPlace, Uint8Array>();
  isClosed = false;
  failsWith: Error | null = null;

  async write(parts: readonly Uint8Array[]): Promise<SpillPlace[]> {
    await Promise.resolve();
    if (this.failsWith !== null) throw this.failsWith;
    return parts.map((part) => {
      const place = {};
      this.kept.set(place, part.slice());
      return place;
    });
  }

  async read(places: readonly SpillPlace[]): Promise<Uint8Array[]> {
    await Promise.resolve();
    if (this.failsWith !== null) throw this.failsWith;
    return places.map((place) => this.kept.get(place)!.slice());
  }

  free(place: SpillPlace): void {
    assert(this.kept.delete(place), "nothing is given back twice");
  }

  close(): void {
    this.isClosed = true;
  }
}

class Heard implements Spill {
  loaded = 0;
  readonly failures: unknown[] = [];
  readonly losses: unknown[] = [];

  constructor(readonly store: SpillStore, public bytesMax: number) {}

  onLoaded(): void {
    this.loaded++;
  }

  onFailed(error: unknown): void {
    this.failures.push(error);
  }

  onLost(error: unknown): void {
    this.losses.push(error);
  }
}

/** Lets what is under way come to its end. */
async function settle(): Promise<void> {
  for (let i = 0; i < 200; i++) await Promise.resolve();
}

Deno.test("Backlog puts what a slow cursor holds beyond the bound aside, and has it back when it is come to", async () => {
  const backlog = new Backlog(0, 64 * 1024);
  const store = new FakeStore();
  const spill = new Heard(store, 256 * 1024);
  backlog.spillTo(spill);
  const slow = backlog.cursor(0);
  for (let i = 0; i < 300; i++) {
    append(backlog, 10_000);
    await settle();
    assert(backlog.heldBytes <= 256 * 1024 + 3 * 16 * 1024, `${backlog.heldBytes}`);
  }
  assertEquals(backlog.historyBytes, 3_000_000);
  assert(backlog.spilledBytes > 2_500_000);
  assert(slow.heldBehindBytes <= 300_000 && slow.behindBytes === 3_000_000);
  let total = 0;
  for (let turns = 0; total < 3_000_000; turns++) {
    assert(turns < 1000, `stands at ${total}`);
    total += read(slow);
    await settle();
  }
  slow.close();
  assertEquals([store.kept.size, backlog.spilledBytes], [0, 0]);
  assert(spill.loaded > 0);
  assert(backlog.heldBytes <= 64 * 1024 + 3 * 16 * 1024);
});

Deno.test("Backlog gives each of many cursors every byte, however fast they are", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = new Random(seed);
    const backlog = new Backlog(0, random.pick([1, 40_000, 200_000]));
    const store = new FakeStore();
    const spill = new Heard(store, random.pick([0, 50_000, 400_000]));
    backlog.spillTo(spill);
    const cursors: BacklogCursor[] = [];
    for (let step = 0; step < 600; step++) {
      append(backlog, random.between(1, 9_000));
      if (random.between(0, 60) === 0) append(backlog, 1_100_000, true);
      if (cursors.length < 5 && random.between(0, 10) === 0) {
        cursors.push(backlog.cursor(random.pick([backlog.beginOffset, backlog.endOffset])));
      }
      for (const [i, cursor] of cursors.entries()) {
        if (random.between(0, 3) > 0) read(cursor, random.between(0, (i + 1) * 5_000));
      }
      if (cursors.length > 0 && random.between(0, 90) === 0) {
        cursors.splice(random.between(0, cursors.length - 1), 1)[0].close();
      }
      if (random.between(0, 2) > 0) await settle();
    }
    for (const cursor of cursors) {
      for (let turns = 0; cursor.behindBytes > 0; turns++) {
        assert(turns < 5000, `seed ${seed}: stands at ${cursor.offset}`);
        read(cursor);
        await settle();
      }
      cursor.close();
    }
    await settle();
    append(backlog, 300_000);
    append(backlog, 300_000);
    await settle();
    assertEquals([store.kept.size, backlog.spilledBytes], [0, 0], `seed ${seed}`);
    assertEquals([spill.failures, spill.losses], [[], []]);
  }
});

Deno.test("Backlog keeps in memory what cannot be written, and says what cannot be read back", async () => {
  const backlog = new Backlog(0, 16 * 1024);
  const store = new FakeStore();
  const spill = new Heard(store, 100_000);
  backlog.spillTo(spill);
  const slow = backlog.cursor(0);
  append(backlog, 400_000);
  await settle();
  const { spilledBytes } = backlog;
  assert(spilledBytes > 0);
  store.failsWith = new Error("disk full");
  for (let i = 0; i < 40; i++) append(backlog, 10_000);
  await settle();
  assertEquals([backlog.spilledBytes, spill.failures], [spilledBytes, [store.failsWith]]);
  read(slow);
  await settle();
  assertEquals(spill.losses[0], store.failsWith);
  backlog.close();
  assert(store.isClosed);
});

Deno.test("Backlog writes what could not be written before once the disk has room again", async () => {
  const backlog = new Backlog(0, 16 * 1024);
  const store = new FakeStore();
  const spill = new Heard(store, 100_000);
  backlog.spillTo(spill);
  const slow = backlog.cursor(0);
  for (let round = 0; round < 5; round++) {
    store.failsWith = new Error("disk full");
    spill.bytesMax = 100_000;
    for (let i = 0; i < 60; i++) append(backlog, 10_000);
    await settle();
    assert(backlog.heldBytes > 500_000, "it is in memory");
  }
  store.failsWith = null;
  spill.bytesMax = 100_000;
  backlog.spillLimitChanged();
  for (let i = 0; i < 10; i++) await settle();
  assert(backlog.heldBytes <= 100_000 + 3 * 16 * 1024, `${backlog.heldBytes}`);
  assert(backlog.spilledTo > 2_900_000);
  for (let turns = 0; slow.behindBytes > 0; turns++) {
    assert(turns < 1000, `stands at ${slow.offset}`);
    read(slow);
    await settle();
  }
  slow.close();
  assertEquals([store.kept.size, backlog.spilledTo], [0, backlog.beginOffset]);
});

Deno.test("SpillFiles keeps bytes in files without names, which go when they are done with", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tsredis-test-" });
  const used: boolean[] = [];
  const path = (n: number) => `${folder}/temp-1-00000000-${n}.backlog`;
  const store = new SpillFiles(runtime.files, path, (isUsed) => used.push(isUsed));
  try {
    const blocks = Array.from({ length: 6 }, (_, i) => new Uint8Array((15 << 20) - i).fill(i + 1));
    const places = await store.write(blocks.slice(0, 2));
    for (const block of blocks.slice(2)) places.push(...await store.write([block]));
    if (Deno.build.os !== "windows") assertEquals([...Deno.readDirSync(folder)], []);
    const parts = await store.read(places);
    assertEquals(parts.map(({ length }) => length), blocks.map(({ length }) => length));
    parts.forEach((part, i) => assert(part.every((byte) => byte === i + 1)));
    for (const place of places) store.free(place);
    assertEquals(used, [true, false]);
    await store.write([blocks[0]]);
    store.close();
    assertEquals([...Deno.readDirSync(folder)], []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("SpillFiles says when a file cannot be made", async () => {
  const store = new SpillFiles(runtime.files, () => "/nowhere/at/all", () => {});
  let failure: unknown = null;
  await store.write([new Uint8Array(10)]).catch((error) => failure = error);
  await eventually(() => failure !== null);
  assert(String(failure).includes("No such file"), String(failure));
});

Deno.test("commands are found in what lies in a file too", async () => {
  const backlog = new Backlog(0, 16 * 1024);
  backlog.spillTo(new Heard(new FakeStore(), 50_000));
  const slow = backlog.cursor(0);
  const put = (text: string) => backlog.append(latin1(text), 0, text.length);
  for (let i = 0; i < 2_000; i++) {
    put(`*2\r\n$6\r\nSELECT\r\n$4\r\n${1000 + i}\r\n`);
    put(`*2\r\n$4\r\nINCR\r\n$100\r\n${"k".repeat(100)}\r\n`);
    if (i % 50 === 0) await settle();
  }
  await settle();
  assert(backlog.spilledBytes > 100_000);
  const pause = () => Promise.resolve();
  assertEquals(await databaseAt(backlog, backlog.endOffset, pause), 2999);
  slow.close();
});
