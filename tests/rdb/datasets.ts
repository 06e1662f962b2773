/** Whole datasets in tests: saving one to bytes, loading bytes, reading the content back by commands. */

import { createHash } from "node:crypto";
import { latin1 } from "../../src/base/bytes.ts";
import type { Keyspace } from "../../src/keyspace/keyspace.ts";
import { type LoadOptions, RdbLoader } from "../../src/rdb/loader.ts";
import { RdbReader, type RdbReaderOptions } from "../../src/rdb/reader.ts";
import { ACCESS_NONE, type LeftOutListener, saveDataset } from "../../src/rdb/save_dataset.ts";
import { fullVersion } from "../../src/rdb/versions.ts";
import { ChunkCollector, RdbEncoder, type RdbEncoderOptions } from "../../src/rdb/writer.ts";
import type { TestServer } from "../support/test_server.ts";
import type { ExpectedKey, JsonString } from "./corpus.ts";

/** After every expiry in the corpus that is to be past, before those that are not: in 2030. */
export const CORPUS_NOW_MS = 1_900_000_000_000;

/** A snapshot of the dataset, as SAVE writes it; with `leftOut` without what the version cannot hold. */
export function saveToBytes(
  keyspace: Keyspace,
  options: RdbEncoderOptions = {},
  access = ACCESS_NONE,
  leftOut: LeftOutListener | null = null,
): Uint8Array<ArrayBuffer> {
  const collector = new ChunkCollector();
  const version = options.version ?? fullVersion(keyspace);
  saveDataset(
    keyspace,
    new RdbEncoder(collector.sink, { ...options, version }),
    access,
    {},
    leftOut,
  );
  return collector.take();
}

/** Loads a snapshot as a master does at its start. */
export function loadBytes(
  keyspace: Keyspace,
  bytes: Uint8Array,
  options: RdbReaderOptions = {},
  more: Partial<LoadOptions> = {},
): RdbLoader {
  const loader = new RdbLoader(keyspace, RdbReader.fromBytes(bytes, 0, bytes.length, options), {
    dropsExpired: true,
    ...more,
  });
  loader.run();
  return loader;
}

function sha1Of(text: string): string {
  return createHash("sha1").update(latin1(text)).digest("hex");
}

/** A string as the corpus' JSON has it: itself, or length and digest when it is long. */
export function jsonString(text: string): JsonString {
  return text.length <= 256 ? text : { len: text.length, sha1: sha1Of(text) };
}

function jsonKey(key: string): string {
  const short = jsonString(key);
  return typeof short === "string" ? short : `\u0001sha1:${short.sha1}:${short.len}`;
}

function byBytes<T>(keyOf: (value: T) => string): (a: T, b: T) => number {
  return (a, b) => keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0;
}

function pairs(flat: string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
}

/** Scores as numbers: "-0" and other texts of one score are compared as such. */
export function scoreOf(text: string): number {
  if (text === "inf") return Infinity;
  return text === "-inf" ? -Infinity : Number(text);
}

/** What the commands answer about one key, in the form of the corpus' JSON. */
export function readKey(server: TestServer, key: string): Partial<ExpectedKey> | null {
  const type = server.run("TYPE", key) as string;
  if (type === "none") return null;
  const expiry = server.run("PEXPIRETIME", key) as number;
  const ttl_ms_at = expiry < 0 ? null : expiry;
  let value: unknown;
  if (type === "string") value = jsonString(server.run("GET", key) as string);
  else if (type === "list") {
    value = (server.run("LRANGE", key, 0, -1) as string[]).map(jsonString);
  } else if (type === "set") {
    value = (server.run("SMEMBERS", key) as string[]).toSorted(byBytes((text) => text))
      .map(jsonString);
  } else if (type === "hash") {
    value = pairs(server.run("HGETALL", key) as string[]).toSorted(byBytes(([field]) => field))
      .map((pair) => pair.map(jsonString));
  } else if (type === "zset") {
    value = pairs(server.run("ZRANGE", key, 0, -1, "WITHSCORES") as string[])
      .map(([member, score]) => [jsonString(member), scoreOf(score)]);
  } else if (type === "stream") value = readStream(server, key);
  const field_ttl_ms_at = type === "hash" ? readFieldTimes(server, key) : [];
  return { type, ttl_ms_at, value, ...(field_ttl_ms_at.length > 0 ? { field_ttl_ms_at } : {}) };
}

/** The fields of a hash that expire, and when. */
function readFieldTimes(server: TestServer, key: string): [JsonString, number][] {
  const fields = server.run("HKEYS", key) as string[];
  if (fields.length === 0) return [];
  const words = ["HPEXPIRETIME", key, "FIELDS", fields.length, ...fields];
  const times = server.run(...words) as number[];
  return fields.map((field, i): [string, number] => [field, times[i]])
    .filter(([, time]) => time >= 0).toSorted(byBytes(([field]) => field))
    .map(([field, time]) => [jsonString(field), time]);
}

/** A reply that is a map, as an object. */
function record(flat: unknown): Record<string, unknown> {
  const items = flat as unknown[];
  return Object.fromEntries(
    Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i], items[2 * i + 1]]),
  );
}

function readStream(server: TestServer, key: string) {
  const info = record(server.run("XINFO", "STREAM", key, "FULL", "COUNT", 0));
  return {
    entries: (info["entries"] as [string, string[]][]).map((
      [id, flat],
    ) => [id, pairs(flat).map((pair) => pair.map(jsonString))]),
    last_id: info["last-generated-id"],
    max_deleted_id: info["max-deleted-entry-id"],
    entries_added: info["entries-added"],
    first_id: info["recorded-first-entry-id"],
    groups: (info["groups"] as unknown[]).map(record).map((group) => ({
      name: jsonString(group["name"] as string),
      last_delivered_id: group["last-delivered-id"],
      entries_read: group["entries-read"],
      lag: group["lag"],
      pending: (group["pending"] as [string, string, number, number][]).map((
        [id, consumer, at, deliveries],
      ) => [id, jsonString(consumer), deliveries, at]),
      consumers: (group["consumers"] as unknown[]).map(record).map((consumer) => ({
        name: jsonString(consumer["name"] as string),
        seen_ms: consumer["seen-time"],
        active_ms: consumer["active-time"],
        pending: (consumer["pending"] as [string, number, number][]).map((
          [id, at, deliveries],
        ) => [id, deliveries, at]),
      })),
    })),
  };
}

/** What is left of a dataset in a snapshot of version 10, which does not know when consumers were active. */
export function asVersion10(dbs: ReturnType<typeof readDataset>): ReturnType<typeof readDataset> {
  const text = JSON.stringify(dbs, (_, value) => {
    if (typeof value === "bigint") return String(value);
    return value?.seen_ms === undefined ? value : { ...value, active_ms: value.seen_ms };
  });
  return JSON.parse(text);
}

/** Every key of every database, by number and by the name that the JSON gives it. */
export function readDataset(server: TestServer): Record<string, Record<string, unknown>> {
  const dbs: Record<string, Record<string, unknown>> = {};
  for (const { index, count } of server.keyspace.databases) {
    if (count === 0) continue;
    server.run("SELECT", index);
    const keys = server.run("KEYS", "*") as string[];
    dbs[index] = Object.fromEntries(keys.map((key) => [jsonKey(key), readKey(server, key)]));
  }
  server.run("SELECT", 0);
  return dbs;
}

/** The dbs of a corpus JSON, reduced to what `readDataset` gives. */
export function expectedDataset(
  dbs: Record<string, Record<string, ExpectedKey>>,
): Record<string, Record<string, unknown>> {
  const reduced: Record<string, Record<string, unknown>> = {};
  for (const [db, keys] of Object.entries(dbs)) {
    const entries = Object.entries(keys);
    if (entries.length === 0) continue;
    reduced[db] = Object.fromEntries(
      entries.map(([key, { type, ttl_ms_at, value, field_ttl_ms_at }]) => [key, {
        type,
        ttl_ms_at,
        value: type === "zset"
          ? (value as [JsonString, string][]).map(([member, text]) => [member, scoreOf(text)])
          : value,
        ...(field_ttl_ms_at === undefined ? {} : { field_ttl_ms_at }),
      }]),
    );
  }
  return reduced;
}
