/** SortedSetView and the functions that make whole sorted sets, as loaders and COPY use them. */

import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { ENC_LISTPACK, ENC_SKIPLIST } from "../../src/arena/record.ts";
import { SortedSetView, storeSortedSet } from "../../src/keyspace/sorted_set.ts";
import { lpValidate } from "../../src/values/listpack.ts";
import { SortedSet } from "../../src/values/sorted_set.ts";
import { testServer } from "../support/test_server.ts";

const KEY = latin1("key");

function setOf(pairs: [string, number][]): SortedSet {
  const set = new SortedSet();
  for (const [member, score] of pairs) {
    const bytes = latin1(member);
    set.addOrdered(bytes, 0, bytes.length, score);
  }
  return set;
}

function elements(view: SortedSetView): [string, number][] {
  const found: [string, number][] = [];
  for (let on = view.first(); on; on = view.next()) {
    found.push([toLatin1(view.bytes, view.offset, view.length), view.score]);
  }
  return found;
}

function elementsBackwards(view: SortedSetView): [string, number][] {
  const found: [string, number][] = [];
  for (let on = view.last(); on; on = view.prev()) {
    found.push([toLatin1(view.bytes, view.offset, view.length), view.score]);
  }
  return found;
}

const PAIRS: [string, number][] = [
  ["low", -Infinity],
  ["-5", -1.5],
  ["", 0],
  ["12345678901234567890123456789", 0],
  ["9223372036854775807", 3],
  ["x".repeat(60), 2 ** 62],
  ["high", 1e300],
];

Deno.test("storeSortedSet chooses the encoding and drops what the key was", () => {
  const database = testServer().keyspace.databases[0];
  const view = new SortedSetView();
  for (const limit of [128, 6]) {
    database.keyspace.limits.zsetMaxListpackEntries = limit;
    storeSortedSet(database, KEY, 0, 3, setOf(PAIRS), 2e12);
    const ref = database.findOrExpire(KEY, 0, 3);
    assertEquals(database.encodingOf(ref), limit === 128 ? ENC_LISTPACK : ENC_SKIPLIST);
    assertEquals(database.expiryOf(ref), 2e12);
    view.open(database, ref);
    assertEquals(view.count, PAIRS.length);
    assertEquals(elements(view), PAIRS);
    assertEquals(elementsBackwards(view), PAIRS.toReversed());
    for (const [rank, [member, score]] of PAIRS.entries()) {
      const bytes = latin1(member);
      assert(view.find(bytes, 0, bytes.length));
      assertEquals([view.rank(), view.score], [rank, score]);
      assert(view.seek(rank));
      assertEquals(toLatin1(view.bytes, view.offset, view.length), member);
    }
    assertEquals(view.seek(PAIRS.length), false);
  }
  storeSortedSet(database, KEY, 0, 3, setOf([["a", 1]]));
  assertEquals(database.expiryOf(database.findOrExpire(KEY, 0, 3)), NaN);
  assertEquals(database.count, 1);
});

Deno.test("a stored small set is a listpack as Redis writes it", () => {
  const database = testServer().keyspace.databases[0];
  storeSortedSet(database, KEY, 0, 3, setOf([["a", 0.5], ["7", 1], ["b", -0]]));
  const ref = database.findOrExpire(KEY, 0, 3);
  const { records } = database;
  const base = records.valueOffset(ref);
  const size = records.valueLength(ref);
  assert(lpValidate(records.bytesOf(ref), base, size, { pairs: true }));
  assertEquals([...records.bytesOf(ref).subarray(base, base + size)], [
    ...[size, 0, 0, 0, 6, 0],
    ...[0x81, 0x62, 2, 0, 1], // "b" with 0: the sign is not kept
    ...[0x81, 0x61, 2, 0x83, 0x30, 0x2e, 0x35, 4], // "a" with the text 0.5
    ...[7, 1, 1, 1], // 7 with 1
    0xff,
  ]);
});

Deno.test("memory of a large set is measured as it changes", () => {
  const s = testServer();
  const database = s.keyspace.databases[0];
  const before = database.memoryBytes;
  for (let i = 0; i < 1000; i++) s.run("ZADD", "z", i, `member:${i}`);
  const full = database.memoryBytes;
  assert(full > before + 20_000);
  s.run("ZREMRANGEBYRANK", "z", 100, -1);
  assert(database.memoryBytes < full - 10_000);
  s.run("ZPOPMIN", "z", 100);
  assertEquals(s.run("EXISTS", "z"), 0);
  assertEquals(database.largeValueBytes, 0);
});
