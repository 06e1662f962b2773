/** The snapshot benchmark's own parts: what it writes, how it finds out whether a snapshot is exact, what it shows. */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { drawChart } from "../../bench/snapshot/chart.ts";
import {
  COMMAND_BYTES_MAX,
  elementsOf,
  type Shape,
  shapeOf,
  Writes,
} from "../../bench/snapshot/dataset.ts";
import { curveOf, type PartResult, type SnapshotResults } from "../../bench/snapshot/figures.ts";
import { readmeMarkdown, toMarkdown } from "../../bench/snapshot/report.ts";
import { filesOf, followsOn, instantOf } from "../../bench/snapshot/verify.ts";
import { saveToBytes } from "../rdb/datasets.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

const SHAPE = shapeOf(2_000);
const WRITES = new Writes(SHAPE);

/** A write as bytes. */
function encoded(number: number): Uint8Array {
  const bytes = new Uint8Array(COMMAND_BYTES_MAX);
  return bytes.slice(0, WRITES.encode(number, bytes, 0));
}

function wordsOf(command: Uint8Array): string[] {
  return new TextDecoder().decode(command).split("\r\n").filter((_, i) => i > 0 && i % 2 === 0);
}

/** A server with all the data and the writes up to `number`. */
function serverAt(number: number): TestServer {
  const s = testServer();
  const bytes = new Uint8Array(COMMAND_BYTES_MAX);
  for (let element = 0; element < elementsOf(SHAPE); element++) {
    s.run(...wordsOf(bytes.slice(0, WRITES.encodeElement(element, 0, bytes, 0))));
  }
  for (let i = 1; i <= number; i++) s.run(...wordsOf(encoded(i)));
  return s;
}

/** Calls `use` with a file of this dataset's snapshot. */
function withSnapshot(s: TestServer, use: (path: string) => void): void {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(path, saveToBytes(s.keyspace));
    use(path);
  } finally {
    Deno.removeSync(path);
  }
}

function writeKinds(count: number): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (let i = 1; i <= count; i++) {
    const [name] = wordsOf(encoded(i));
    kinds[name] = (kinds[name] ?? 0) + 1;
  }
  return kinds;
}

Deno.test("writes are of all four kinds, in proportion to the elements", () => {
  assertEquals(shapeOf(5_000_000), { strings: 4_999_998, fields: 2_000_000, members: 2_000_000 });
  const { SET, DEL, HSET, ZADD } = writeKinds(9_000);
  assert(SET > 4_200 && SET < 5_200 && DEL > 200 && DEL < 450, `${SET} SET, ${DEL} DEL`);
  assert(HSET > 1_800 && HSET < 2_200 && ZADD > 1_800 && ZADD < 2_200, `${HSET}, ${ZADD}`);
});

Deno.test("a snapshot shows which write it is of", () => {
  for (const number of [0, 1, 2_000, 2_001]) {
    withSnapshot(serverAt(number), (path) => {
      const found = instantOf(path, SHAPE);
      // A removal of what is not there changes nothing, so it cannot be told from its not having come yet.
      const later = Array.from({ length: number - found.number }, (_, i) => found.number + 1 + i);
      assert(later.every((each) => WRITES.isDelete(each)), `${found.number} of ${number}`);
    });
  }
});

Deno.test("a snapshot that lacks one write, or has one that is too new, is not exact", () => {
  const lost = [1_900, 1_901, 1_902].find((number) => !WRITES.isDelete(number))!;
  const s = serverAt(lost - 1);
  for (let i = lost + 1; i <= 2_000; i++) s.run(...wordsOf(encoded(i)));
  withSnapshot(
    s,
    (path) => assertThrows(() => instantOf(path, SHAPE), Error, "not of one instant"),
  );
});

Deno.test("a snapshot with a damaged value, or an element that nobody wrote, is not exact", () => {
  const s = serverAt(10);
  s.run("SETRANGE", "key:00000500", "100", "!");
  withSnapshot(s, (path) => assertThrows(() => instantOf(path, SHAPE), Error, "damaged"));
  const other = serverAt(10);
  other.run("ZADD", "zset", "1", "member:00000999");
  withSnapshot(other, (path) => assertThrows(() => instantOf(path, SHAPE), Error, "nobody"));
});

/** The stream of these writes, cut into pieces of so many bytes, between commands that are none of them. */
function* streamOf(numbers: number[], piece: number): Generator<Uint8Array> {
  const text = numbers.map((number) => new TextDecoder().decode(encoded(number)));
  const all = new TextEncoder().encode(
    ["*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n#TS:1\r\n", ...text, "*1\r\n$4\r\nPING\r\n"].join(""),
  );
  for (let at = 0; at < all.length; at += piece) yield all.subarray(at, at + piece);
}

/** The writes between two numbers that change something, as a log has them. */
function changes(shape: Shape, from: number, to: number): number[] {
  const gone = new Set<number>();
  const writes = new Writes(shape);
  return Array.from({ length: to }, (_, i) => i + 1).filter((number) => {
    const element = writes.elementOf(number);
    if (!writes.isDelete(number)) return gone.delete(element) || true;
    const hasGone = gone.has(element);
    gone.add(element);
    return !hasGone;
  }).filter((number) => number > from);
}

Deno.test("a stream follows on a snapshot if it has each of the next writes, whatever pieces it comes in", () => {
  withSnapshot(serverAt(1_000), (path) => {
    for (const piece of [1, 7, 100, 100_000]) {
      const instant = instantOf(path, SHAPE);
      const next = changes(SHAPE, instant.number, 3_000);
      assertEquals(followsOn(instant, streamOf(next, piece)), next.at(-1));
    }
  });
});

Deno.test("a stream without one of the next writes, or with one twice, does not follow on a snapshot", () => {
  withSnapshot(serverAt(1_000), (path) => {
    const first = instantOf(path, SHAPE);
    const next = changes(SHAPE, first.number, 1_100);
    const without = next.toSpliced(50, 1);
    assertThrows(() => followsOn(first, streamOf(without, 4_096)), Error, "should come");
    const twice = next.toSpliced(50, 0, next[50]);
    assertThrows(
      () => followsOn(instantOf(path, SHAPE), streamOf(twice, 4_096)),
      Error,
      "should come",
    );
  });
});

Deno.test("a manifest names the base and the incremental files of an append-only file", () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(
      `${folder}/appendonly.aof.manifest`,
      "file a.2.base.rdb seq 2 type b\nfile a.1.incr.aof seq 1 type h\nfile a.2.incr.aof seq 2 type i\n",
    );
    assertEquals(filesOf(folder), {
      base: `${folder}/a.2.base.rdb`,
      increments: [`${folder}/a.2.incr.aof`],
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a curve keeps its peaks and has few points", () => {
  const points = Array.from(
    { length: 20_000 },
    (_, i): [number, number] => [i / 1_000, i % 7 / 10],
  );
  points[12_345][1] = 99.5;
  const curve = curveOf(points);
  assert(curve.length <= 162, `${curve.length} points`);
  const [at] = curve.find(([, value]) => value === 99.5)!;
  assert(Math.abs(at - 12.345) < 0.2, `at ${at}`);
});

function measured(figures: Partial<PartResult>): PartResult {
  const curve = Array.from({ length: 160 }, (_, i): [number, number] => [i / 10 - 3, i % 9 + 0.12]);
  return {
    seconds: 5,
    cpuSeconds: 8,
    datasetBytes: 2e9,
    extraBytes: 4e7,
    fileBytes: 1.5e9,
    longestMs: 7,
    netMs: 6,
    p999Ms: 4,
    longestBeforeMs: 3,
    bystanderMs: 3,
    askedPerSecond: 50_000,
    writtenPerSecond: 49_990,
    leastPerSecond: 49_000,
    clientLatestMs: 9,
    exact: "yes",
    latency: curve,
    memory: curve,
    ...figures,
  };
}

function results(figures: Partial<PartResult>): SnapshotResults {
  const parts = (part: PartResult) => ({ save: part, rewrite: part, sync: part });
  return {
    date: "2026-01-01",
    machine: "a machine",
    keys: 5_000_000,
    perSecond: 50_000,
    systems: {
      redis: {
        name: "redis-server 7.0.15",
        parts: parts(measured({ longestMs: 70, extraBytes: 1.6e9 })),
      },
      deno: { name: "tsredis 1 on Deno 2", parts: parts(measured(figures)) },
      bun: { name: "tsredis 1 on Bun 1", parts: parts(measured({})) },
    },
  };
}

Deno.test("the page holds tsredis to its bars, and redis-server to none", () => {
  assertMatch(toMarkdown(results({})), /Every figure of tsredis meets its bar/);
  const missed: [Partial<PartResult>, RegExp][] = [
    [{ longestMs: 10.1 }, /BGSAVE, tsredis 1 on Deno 2: longest wait 10\.1 ms/],
    [{ extraBytes: 2.1e8 }, /full sync, tsredis 1 on Deno 2: memory \+10\.5 % of the dataset/],
    [{ exact: "not of one instant: element 7" }, /BGREWRITEAOF, .*: not of one instant: element 7/],
  ];
  for (const [figures, expected] of missed) {
    const page = toMarkdown(results(figures));
    assertMatch(page, /3 missed/);
    assertMatch(page, expected);
  }
});

Deno.test("the page says where the writes were fewer than they should be", () => {
  assertMatch(toMarkdown(results({ writtenPerSecond: 48_000 })), /48,000 \(not held\)/);
});

Deno.test("the README's part has the waits and the memory of each server", () => {
  const text = readmeMarkdown(results({ longestMs: 8.25 }));
  assertMatch(text, /70\.0, 70\.0 and 70\.0 ms for redis-server/);
  assertMatch(text, /8\.3, 8\.3 and 8\.3 ms for tsredis on Deno/);
  assertMatch(text, /80\.0, 80\.0 and 80\.0 % of the data for redis-server/);
});

Deno.test("the chart has a curve of each server for each snapshot, and is small", () => {
  const chart = drawChart(results({}));
  for (const system of ["redis", "deno", "bun"]) {
    assertEquals(chart.split(`<polyline class="${system}"`).length - 1, 6);
  }
  assert(chart.length < 60_000, `${chart.length} bytes`);
});
