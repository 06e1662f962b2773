/**
 * Tests of data types that redis-benchmark has none of its own for, sent as custom commands: streams, places,
 * HyperLogLogs, and what reads from larger collections. In a pipeline alone, as most of them take longer than the way
 * there.
 */

import { encodeCommand } from "./client.ts";
import { KEYSPACE, type Workload } from "./workloads.ts";

const PIPELINES = [16];
/** Draws `__rand_int__` from as many numbers as there are elements. */
const RANDOM = ["-r", String(KEYSPACE)];

const STREAM_ENTRIES = 10_000;
const PLACES = 100_000;
const FIELDS = 100;
const LARGE = 1_000_000;
const SET_MEMBERS = 10_000;
/** Members that two such sets have in common: the reply is to be no part of what is timed. */
const COMMON_MEMBERS = 100;
const BITMAP_BYTES = 10_000_000;
const HYPERLOGLOG_ELEMENTS = 100_000;

/** Elements per command when filling, and bytes per command of a long string. */
const FILL_WIDTH = 100;
const PIECE_BYTES = 100_000;

export const TYPE_WORKLOADS: Workload[] = [
  {
    name: "xadd",
    ...common(["XADD", "mystream", "*", "field", "value"]),
    growth: () => 40,
  },
  {
    name: "xreadgroup",
    ...common(["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "mystream", ">"]),
    growth: () => 120,
    prepare: async (server, _variant, requests) => {
      await server.fill(
        1,
        () => encodeCommand("XGROUP", "CREATE", "mystream", "g", "0", "MKSTREAM"),
      );
      await server.fill(requests + STREAM_ENTRIES, addEntry);
    },
  },
  {
    name: "xrange_100",
    ...common(["XRANGE", "mystream", "-", "+", "COUNT", "100"]),
    prepare: (server) => server.fill(STREAM_ENTRIES, addEntry),
  },
  {
    // Of a hundred thousand places on about 900,000 km²: some 35 in a circle.
    name: "geosearch",
    ...common(["GEOSEARCH", "places", "FROMLONLAT", "5", "45", "BYRADIUS", "10", "km"]),
    prepare: (server) =>
      fillWide(server, ["GEOADD", "places"], PLACES, (i) => {
        const longitude = mixed(2 * i) * 10;
        const latitude = 40 + mixed(2 * i + 1) * 10;
        return [longitude.toFixed(6), latitude.toFixed(6), `place:${i}`];
      }),
  },
  { name: "pfadd", ...common(["PFADD", "hll", "element:__rand_int__"], RANDOM) },
  {
    name: "pfcount",
    ...common(["PFCOUNT", "hll0"]),
    prepare: (server) => fillHyperLogLogs(server, 1),
  },
  {
    // What several have together is never remembered.
    name: "pfcount_2",
    isSlow: true,
    ...common(["PFCOUNT", "hll0", "hll1"]),
    prepare: (server) => fillHyperLogLogs(server, 2),
  },
  {
    name: "hgetall_100",
    ...common(["HGETALL", "hash"]),
    prepare: (server) =>
      fillWide(server, ["HSET", "hash"], FIELDS, (i) => [`field:${i}`, `value:${i}`]),
  },
  {
    // From anywhere in a million members.
    name: "zrangebyscore",
    ...common(
      ["ZRANGEBYSCORE", "zset", "__rand_int__", "+inf", "LIMIT", "0", "10"],
      RANDOM,
    ),
    prepare: (server) =>
      fillWide(server, ["ZADD", "zset"], LARGE, (i) => [String(i), `member:${i}`]),
  },
  {
    name: "sinter_10000",
    isSlow: true,
    ...common(["SINTER", "set0", "set1"]),
    prepare: async (server) => {
      for (let n = 0; n < 2; n++) {
        const first = n * (SET_MEMBERS - COMMON_MEMBERS);
        await fillWide(server, ["SADD", `set${n}`], SET_MEMBERS, (i) => [`member:${first + i}`]);
      }
    },
  },
  {
    name: "bitcount_10mb",
    isSlow: true,
    ...common(["BITCOUNT", "bitmap"]),
    prepare: (server) => {
      const piece = Array.from({ length: PIECE_BYTES }, (_, i) => String.fromCharCode(i % 128));
      const append = encodeCommand("APPEND", "bitmap", piece.join(""));
      return server.fill(BITMAP_BYTES / PIECE_BYTES, () => append);
    },
  },
];

function common(command: string[], args: string[] = []) {
  return { variants: [], command, args, pipelines: PIPELINES };
}

function addEntry(i: number): string {
  return encodeCommand("XADD", "mystream", `${i + 1}-0`, "field", `value:${i}`);
}

async function fillHyperLogLogs(server: Fillable, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await fillWide(server, ["PFADD", `hll${n}`], HYPERLOGLOG_ELEMENTS, (i) => [`${n}:${i}`]);
  }
}

type Fillable = Parameters<NonNullable<Workload["prepare"]>>[0];

/** Sends `command` with the words that `wordsAt` says for each index, a hundred indices at a time. */
export function fillWide(
  server: Fillable,
  command: string[],
  count: number,
  wordsAt: (i: number) => string[],
): Promise<void> {
  return server.fill(count / FILL_WIDTH, (n) => {
    const words = [...command];
    for (let i = n * FILL_WIDTH; i < (n + 1) * FILL_WIDTH; i++) words.push(...wordsAt(i));
    return encodeCommand(...words);
  });
}

/** Numbers in no order, a different one for each index, the same for every server. */
export function scattered(i: number): number {
  return Math.imul(i, 0x9e3779b1) >>> 0;
}

/** Numbers from 0 to 1 that look drawn, also two in a row beside each other; the same for every server. */
function mixed(i: number): number {
  let bits = Math.imul(i + 1, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
}
