/**
 * Memory in gaps goes back: what lies in sparse blocks is moved while nobody reads it, and every value is the same
 * afterwards. Memory that is given back is poisoned here (tests/support/poison.ts).
 */

import { assert, assertEquals } from "@std/assert";
import { blocks } from "../../src/base/blocks.ts";
import { latin1 } from "../../src/base/bytes.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import type { QuickList } from "../../src/values/quicklist.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

const MB = 1 << 20;

let previous: TestServer | null = null;

/**
 * A server beside which none has data: blocks are shared by all of a process, and what one holds that nobody uses any
 * more, but that has not been collected yet, keeps them from being emptied.
 */
function onlyServer(...args: Parameters<typeof testServer>): TestServer {
  if (previous !== null) {
    previous.run("FLUSHALL");
    while (previous.keyspace.discardSome(1024));
  }
  blocks.settle();
  return previous = testServer(...args);
}

function defragment({ keyspace }: TestServer): void {
  while (keyspace.defragmenter.step(true));
}

/** Bytes of blocks that go back to the system by `work`. */
function releasedBy(work: () => unknown): number {
  const before = blocks.releasedBytes;
  work();
  return blocks.releasedBytes - before;
}

/** So many bytes go back in the end; each piece of the work may take so much time only. */
function assertReleased(bytes: number, work: () => unknown): void {
  let released = 0;
  for (let i = 0; i < 50 && released < bytes; i++) released += releasedBy(work);
  assert(released >= bytes, `${released}`);
}

/** Zeros and a number behind them. */
function longText(n: number): string {
  return "\0".repeat(40_000) + n;
}

/** Long strings between which others have been removed: 8 MB of data and as much of gaps. */
function withGaps(s: TestServer): void {
  for (let n = 0; n < 400; n++) s.run("SETRANGE", `key:${n}`, 40_000, n);
  for (let n = 0; n < 400; n += 2) s.run("DEL", `key:${n}`);
  blocks.settle();
}

Deno.test("long strings move together when half of them are gone, and their gaps go back", () => {
  const s = onlyServer();
  withGaps(s);
  const released = releasedBy(() => defragment(s));
  assert(released >= 4 * MB, `${released}`);
  for (let n = 1; n < 400; n += 2) assertEquals(s.run("GET", `key:${n}`), longText(n));
});

Deno.test("a long string that has moved can be changed as before", () => {
  const s = onlyServer();
  withGaps(s);
  s.run("APPEND", "key:7", "end");
  defragment(s);
  s.run("APPEND", "key:7", "more".repeat(10_000));
  s.run("SETRANGE", "key:9", 20_000, "changed");
  assertEquals(s.run("GET", "key:7"), longText(7) + "end" + "more".repeat(10_000));
  assertEquals(s.run("GETRANGE", "key:9", 19_999, 20_007), "\0changed\0");
  assertEquals(s.run("DEL", "key:7", "key:9"), 2);
});

Deno.test("segments and tables of the keyspace and of large collections move, and nothing else changes", () => {
  const s = onlyServer();
  const name = (n: number) => `a-member-of-some-length:${n}`;
  for (let n = 0; n < 20_000; n += 50) {
    const names = Array.from({ length: 50 }, (_, i) => name(n + i));
    s.run("SADD", "set", ...names);
    s.run("HSET", "hash", ...names.flatMap((field) => [field, field]));
    s.run("ZADD", "zset", ...names.flatMap((member, i) => [n + i, member]));
    s.run("RPUSH", "list", ...names);
    s.run("MSET", ...names.flatMap((key, i) => [key, n + i]));
    for (const key of names.slice(0, 20)) s.run("PEXPIREAT", key, 1_800_000_000_000 + n);
    // What lies between goes, so that all the rest is sparse.
    s.run("SETRANGE", `long:${n}`, 40_000, "x");
  }
  const large = s.keyspace.databases[0].largeValue(
    s.keyspace.databases[0].records.get(latin1("hash"), 0, 4),
  );
  const list = s.keyspace.databases[0].largeValue(
    s.keyspace.databases[0].records.get(latin1("list"), 0, 4),
  ) as QuickList;
  const places = () => large.dict!.arena.u8.map((view) => `${view.byteOffset}`).join();
  // Which buffers are sparse depends on what was there before: one node that moves is enough.
  const nodes = () => {
    const all: Uint8Array[] = [];
    for (let node = list.head; node !== null; node = node.next) all.push(node.buf);
    return all;
  };
  for (let n = 0; n < 20_000; n += 50) s.run("DEL", `long:${n}`);
  blocks.settle();
  const digest = s.run("DEBUG", "DIGEST");
  const before = places();
  const nodesBefore = nodes().map(({ buffer, byteOffset }) => ({ buffer, byteOffset }));
  const released = releasedBy(() => defragment(s));
  assert(released >= 4 * MB, `${released}`);
  assert(places() !== before);
  assert(
    nodes().some(({ buffer, byteOffset }, i) =>
      buffer !== nodesBefore[i].buffer || byteOffset !== nodesBefore[i].byteOffset
    ),
  );
  assertEquals(s.run("DEBUG", "DIGEST"), digest);
  assertEquals(s.run("SISMEMBER", "set", name(19_999)), 1);
  assertEquals(s.run("HGET", "hash", name(12_345)), name(12_345));
  assertEquals(s.run("ZRANGE", "zset", 10_000, 10_001), [name(10_000), name(10_001)]);
  assertEquals(s.run("LRANGE", "list", 10_000, 10_001), [name(10_000), name(10_001)]);
  assertEquals(s.run("PEXPIRETIME", name(50)), 1_800_000_000_050);
  s.run("SET", name(50), "changed");
  assertEquals(s.run("PTTL", name(50)), -1);
});

Deno.test("nothing moves while a snapshot may be reading it", () => {
  const s = onlyServer();
  withGaps(s);
  Keyspace.snapshotsOpen++;
  assertEquals(releasedBy(() => defragment(s)), 0);
  Keyspace.snapshotsOpen--;
  assert(releasedBy(() => defragment(s)) > 0);
});

Deno.test("a pass that FLUSHALL comes into goes on with what is there", () => {
  const s = onlyServer();
  withGaps(s);
  assert(s.keyspace.defragmenter.step(true));
  s.run("FLUSHALL");
  s.run("SET", "k", "x".repeat(50_000));
  defragment(s);
  assertEquals(s.run("STRLEN", "k"), 50_000);
});

Deno.test("MEMORY PURGE closes gaps, and the timer does once they pass maxmemory", () => {
  const s = onlyServer();
  withGaps(s);
  assertEquals(releasedBy(() => s.core.cron()), 0, "there is memory enough");
  assertReleased(4 * MB, () => s.run("MEMORY", "PURGE"));

  s.run("FLUSHALL");
  withGaps(s);
  s.run("CONFIG", "SET", "maxmemory", "9mb");
  assertReleased(4 * MB, () => s.core.cron());
});

Deno.test("data and gaps stay near maxmemory while values of all sizes replace each other", () => {
  const limit = 10 * MB;
  const s = onlyServer({ directives: { maxmemory: limit, "maxmemory-policy": "allkeys-lru" } });
  const before = s.keyspace.defragmenter.slackBytes;
  let most = 0;
  for (const size of [10, 100_000, 300, 20_000, 50, 3_000, 60_000, 1_000]) {
    const count = Math.min(10_000, Math.ceil(2 * limit / size));
    for (let n = 0; n < count; n++) {
      s.run("SETRANGE", `key:${n}:${size}`, size, "x");
      if (n % 16 === 0 || size > 10_000) s.core.cron();
      if (n % 100 === 0) {
        most = Math.max(most, s.core.usedMemory() + s.keyspace.defragmenter.slackBytes - before);
      }
    }
  }
  assert(s.keyspace.evictedKeys > 1_000);
  assert(most < limit * 1.3, `${most / limit} of maxmemory`);
});

Deno.test("maxmemory: what a large value leaves empty goes at once, not a moment later", () => {
  const value = "x".repeat(10 << 20);
  const heldAfterDel = (maxmemory: string) => {
    const s = onlyServer();
    s.run("CONFIG", "SET", "maxmemory", maxmemory);
    const before = blocks.heldBytes;
    s.run("SETRANGE", "k", 0, value);
    s.run("DEL", "k");
    s.run("PING");
    return blocks.heldBytes - before;
  };
  blocks.settle(true);
  assertEquals(heldAfterDel("1gb"), 0);
  assert(heldAfterDel("0") >= value.length);
  blocks.settle(true);
});
