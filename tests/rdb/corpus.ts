/** Finds the snapshots in tests/fixtures/rdb and what the JSON beside them says. */

import type { Counts } from "./walker.ts";

const folder = new URL("../fixtures/rdb/", import.meta.url);

/** A string in the JSON: itself, or length and digest when it is long. */
export type JsonString = string | { len: number; sha1: string };

export interface ExpectedKey {
  type: string;
  ttl_ms_at: number | null;
  value: unknown;
  /** Of a hash: the fields that expire and when, where there are any. */
  field_ttl_ms_at?: unknown;
  rdb_type: number;
  file_freq?: number;
  file_idle_s?: number;
}

/** The JSON beside a snapshot; see README.md there. Files in bad/ have no counts. */
export interface Expected {
  rdb_version: number;
  value_types: Counts;
  opcodes: Counts;
  string_encodings: Counts;
  length_encodings: Counts;
  quicklist2_nodes?: Counts;
  aux?: Record<string, string>;
  functions?: { library: string; code: string }[];
  checksum: string;
  loads?: boolean;
  dbs: Record<string, Record<string, ExpectedKey>>;
}

/** Names of all snapshots as "folder/scenario", sorted; those in bad/ only when asked for. */
export function corpusNames(bad = false): string[] {
  const names: string[] = [];
  for (const server of Deno.readDirSync(folder)) {
    if (!server.isDirectory || (server.name === "bad") !== bad) continue;
    for (const file of Deno.readDirSync(new URL(`${server.name}/`, folder))) {
      if (file.name.endsWith(".rdb")) names.push(`${server.name}/${file.name.slice(0, -4)}`);
    }
  }
  return names.sort();
}

export function corpusFile(name: string): URL {
  return new URL(`${name}.rdb`, folder);
}

export function corpusBytes(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(corpusFile(name));
}

export function corpusExpected(name: string): Expected {
  return JSON.parse(Deno.readTextFileSync(new URL(`${name}.json`, folder)));
}
