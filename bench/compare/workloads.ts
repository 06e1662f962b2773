/**
 * The tests of redis-benchmark that are compared: how each is asked for, and the data it needs.
 *
 * redis-benchmark's tests build on one another: LPOP takes what LPUSH left, GET reads what SET wrote. Asked
 * for one by one they would time replies about missing keys, so each test names the data that is put in
 * place before it, under the key names redis-benchmark uses.
 */

import { encodeCommand } from "./client.ts";

/** How a run differs from redis-benchmark's defaults. */
export interface Variant {
  id: "plain" | "random" | "large";
  title: string;
  /** Arguments added to redis-benchmark. */
  args: string[];
  valueBytes: number;
  /** Number of keys (or members) that redis-benchmark draws from; 0: one fixed key. */
  keyspace: number;
}

/** The key range of `-r`. */
export const KEYSPACE = 1_000_000;

export const VARIANTS: Variant[] = [
  { id: "plain", title: "one key per test", args: [], valueBytes: 3, keyspace: 0 },
  {
    id: "random",
    title: `random keys or members, \`-r ${KEYSPACE}\``,
    args: ["-r", String(KEYSPACE)],
    valueBytes: 3,
    keyspace: KEYSPACE,
  },
  {
    id: "large",
    title: `512-byte values at random keys, \`-d 512 -r ${KEYSPACE}\``,
    args: ["-d", "512", "-r", String(KEYSPACE)],
    valueBytes: 512,
    keyspace: KEYSPACE,
  },
];

/** What `prepare` needs from a server. */
export interface Fillable {
  fill(count: number, command: (i: number) => string): Promise<void>;
}

/** One test of redis-benchmark. */
export interface Workload {
  /** As redis-benchmark's `-t` takes it. */
  name: string;
  /** Variants besides `plain` in which the test differs from `plain`. */
  variants: Variant["id"][];
  /** Sent as a custom command instead of by `-t`, because `-t` would fill the list within the timing. */
  command?: string[];
  /** Arguments added to redis-benchmark, whatever the variant. */
  args?: string[];
  /** The only pipeline depths at which it is of interest. */
  pipelines?: number[];
  /** One request takes so long that some hundred of them are a run. */
  isSlow?: boolean;
  /** The key that must still exist after the run: a run that emptied it has timed missing keys. */
  drains?: string;
  /** Bytes of data that one request adds or takes, at most; bounds the number of requests. */
  growth?: (variant: Variant) => number;
  /** Puts in place the data for `requests` requests. */
  prepare?: (server: Fillable, variant: Variant, requests: number) => Promise<void>;
}

/** Elements, members or fields per command when filling. */
const FILL_WIDTH = 100;

/** Length of the list that LRANGE reads from: longer than any range read, of several nodes. */
const RANGE_LIST_LENGTH = 10_000;

/** redis-benchmark may send up to a pipeline per connection more than asked for. */
const OVERSHOOT = 5_000;

export const WORKLOADS: Workload[] = [
  { name: "ping_mbulk", variants: [] },
  { name: "set", variants: ["random", "large"] },
  { name: "get", variants: ["random", "large"], prepare: fillKeys },
  { name: "incr", variants: ["random"] },
  { name: "lpush", variants: ["large"], growth: elementBytes },
  { name: "rpush", variants: ["large"], growth: elementBytes },
  { name: "lpop", variants: [], drains: "mylist", growth: elementBytes, prepare: fillList },
  { name: "rpop", variants: [], drains: "mylist", growth: elementBytes, prepare: fillList },
  { name: "sadd", variants: ["random"] },
  { name: "hset", variants: ["random", "large"] },
  { name: "spop", variants: [], drains: "myset", growth: () => 60, prepare: fillSet },
  { name: "zadd", variants: ["random"] },
  { name: "zpopmin", variants: [], drains: "myzset", growth: () => 120, prepare: fillSortedSet },
  {
    name: "lrange_100",
    variants: ["large"],
    command: ["LRANGE", "mylist", "0", "99"],
    prepare: (server, variant) => fillList(server, variant, RANGE_LIST_LENGTH),
  },
  {
    name: "lrange_600",
    variants: [], // 600 values of 512 bytes, pipelined on 50 connections, would time the kernel's buffers
    command: ["LRANGE", "mylist", "0", "599"],
    prepare: (server, variant) => fillList(server, variant, RANGE_LIST_LENGTH),
  },
  { name: "mset", variants: ["random", "large"] },
];

function elementBytes(variant: Variant): number {
  return variant.valueBytes + 8;
}

/** redis-benchmark's `__rand_int__` once expanded: twelve digits. */
function randomInt(i: number): string {
  return String(i).padStart(12, "0");
}

async function fillKeys(server: Fillable, variant: Variant): Promise<void> {
  const value = "x".repeat(variant.valueBytes);
  if (variant.keyspace === 0) {
    await server.fill(1, () => encodeCommand("SET", "key:__rand_int__", value));
  } else {
    await server.fill(variant.keyspace, (i) => encodeCommand("SET", `key:${randomInt(i)}`, value));
  }
}

async function fillList(server: Fillable, variant: Variant, requests: number): Promise<void> {
  const elements: string[] = new Array(FILL_WIDTH).fill("x".repeat(variant.valueBytes));
  const command = encodeCommand("LPUSH", "mylist", ...elements);
  await server.fill(commandsFor(requests), () => command);
}

async function fillSet(server: Fillable, _variant: Variant, requests: number): Promise<void> {
  await server.fill(commandsFor(requests), (i) => {
    const words = ["SADD", "myset"];
    for (let n = 0; n < FILL_WIDTH; n++) words.push(`element:${randomInt(i * FILL_WIDTH + n)}`);
    return encodeCommand(...words);
  });
}

async function fillSortedSet(server: Fillable, _variant: Variant, requests: number): Promise<void> {
  await server.fill(commandsFor(requests), (i) => {
    const words = ["ZADD", "myzset"];
    for (let n = 0; n < FILL_WIDTH; n++) {
      const member = i * FILL_WIDTH + n;
      // A multiplicative hash: scores in no order, and the same ones for every server.
      words.push(String(Math.imul(member, 0x9e3779b1) >>> 0), `element:${randomInt(member)}`);
    }
    return encodeCommand(...words);
  });
}

function commandsFor(requests: number): number {
  return Math.ceil((requests + OVERSHOOT) / FILL_WIDTH);
}
