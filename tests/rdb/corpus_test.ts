/** The reader on files of real servers: structure, counts, checksums and plain values. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { createHash } from "node:crypto";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { RDB_VERSION_CHECKSUM } from "../../src/rdb/format.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { FileSource, RdbReader } from "../../src/rdb/reader.ts";
import { runtime } from "../../src/runtime/here.ts";
import {
  corpusBytes,
  corpusExpected,
  corpusFile,
  corpusNames,
  type Expected,
  type JsonString,
} from "./corpus.ts";
import { score, walk, Walked, type WalkedKey } from "./walker.ts";

/** Walks a file through a window so small that most values cross it. */
function walkFile(name: string, windowBytes: number): Walked {
  using file = runtime.files.open(fromFileUrl(corpusFile(name)), "read");
  const reader = RdbReader.fromSource(new FileSource(file), { windowBytes });
  const walked = walk(reader, corpusBytes(name));
  assertEquals(reader.remaining(), 0);
  return walked;
}

/** A string as the JSON has it. */
function jsonString(text: string): JsonString {
  if (text.length <= 256) return text;
  return { len: text.length, sha1: createHash("sha1").update(latin1(text)).digest("hex") };
}

function jsonKey(key: string): string {
  const long = jsonString(key);
  return typeof long === "string" ? long : `\u0001sha1:${long.sha1}:${long.len}`;
}

/** The elements of a key in the order and form of the JSON. */
function jsonValue(type: string, { elements }: WalkedKey): unknown {
  const items = (elements as (string | number)[]).map((e) =>
    typeof e === "string" ? jsonString(e) : e
  );
  if (type === "string") return items[0];
  if (type === "list") return items;
  if (type === "set") return (elements as string[]).toSorted(byBytes).map(jsonString);
  const pairs: [string, unknown][] = [];
  for (let i = 0; i < items.length; i += 2) pairs.push([elements![i] as string, items[i + 1]]);
  if (type === "zset") {
    pairs.sort(([a, x], [b, y]) => (x as number) - (y as number) || byBytes(a, b));
  } else pairs.sort(([a], [b]) => byBytes(a, b));
  return pairs.map(([field, value]) => [jsonString(field), value]);
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Expected values with zset scores as doubles. */
function expectedValue(type: string, value: unknown): unknown {
  if (type !== "zset") return value;
  return (value as [JsonString, string][]).map(([member, text]) => [member, score(text)]);
}

/** Compares keys, expiry times and, where the walker opens the encoding, values. */
function assertContent(walked: Walked, expected: Expected, name: string): number {
  let compared = 0;
  for (const [db, keys] of Object.entries(expected.dbs)) {
    const found = new Map<string, WalkedKey>();
    for (const [key, value] of walked.dbs.get(Number(db)) ?? []) found.set(jsonKey(key), value);
    for (const [key, want] of Object.entries(keys)) {
      const have = found.get(key);
      if (have === undefined) throw new Error(`${name}: no key ${key} in db ${db}`);
      assertEquals(have.expiresAtMs, want.ttl_ms_at, `${name}: expiry of ${key}`);
      if (have.elements === null) continue;
      assertEquals(
        jsonValue(want.type, have),
        expectedValue(want.type, want.value),
        `${name}: value of ${key}`,
      );
      compared++;
    }
  }
  return compared;
}

for (const name of corpusNames()) {
  Deno.test(`RdbReader walks ${name} and finds what was written`, () => {
    const bytes = corpusBytes(name);
    const expected = corpusExpected(name);
    const walked = walk(RdbReader.fromBytes(bytes), bytes);
    assertEquals(walked.rdbVersion, expected.rdb_version);
    assertEquals(walked.valueTypes, expected.value_types);
    assertEquals(walked.opcodes, expected.opcodes);
    assertEquals(walked.stringEncodings, expected.string_encodings);
    assertEquals(walked.lengthEncodings, expected.length_encodings);
    assertEquals(walked.quicklist2Nodes, expected.quicklist2_nodes ?? {});
    assertEquals(walked.aux, expected.aux ?? {});
    assertEquals(walked.functions.toSorted(), (expected.functions ?? []).map((e) => e.code).sort());
    assertContent(walked, expected, name);

    const sums = walked.rdbVersion >= RDB_VERSION_CHECKSUM;
    const stored = sums ? toLatin1(bytes, bytes.length - 8) : "";
    const hex = [...stored].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0"));
    assertEquals(hex.join(""), expected.checksum);
    assertEquals(walked.checksumVerified, /[1-9a-f]/.test(expected.checksum));
  });

  Deno.test(`RdbReader walks ${name} in pieces to the same result`, () => {
    const bytes = corpusBytes(name);
    const whole = walk(RdbReader.fromBytes(bytes), bytes);
    assertEquals(walkFile(name, 1 << 20), whole);
    assertEquals(walkFile(name, 256), whole);
  });
}

Deno.test("the corpus holds every value type that the walker opens", () => {
  const types = new Set<string>();
  let values = 0;
  for (const name of corpusNames()) {
    const bytes = corpusBytes(name);
    const walked = walk(RdbReader.fromBytes(bytes), bytes);
    for (const type of Object.keys(walked.valueTypes)) types.add(type);
    values += assertContent(walked, corpusExpected(name), name);
  }
  for (
    const type of [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 24, 25]
  ) {
    assert([...types].some((name) => name.startsWith(`${type}:`)), `no value of type ${type}`);
  }
  assert(values > 1000, `only ${values} values compared`);
});

const badFiles: Record<string, [kind: string, message: RegExp] | null> = {
  "bad-checksum": [
    "checksum",
    /wrong checksum: expected 1c698788f63282e0, got 1d698788f63282e0, at byte 15765$/,
  ],
  "bad-magic": ["corrupt", /wrong signature at byte 0$/],
  "checksum-zero": null,
  "db-out-of-range": null, // how many databases there are is the loader's business
  "empty-set": null, // and so is what to do with an empty value
  "seconds-expiry": null,
  "truncated-checksum": [
    "truncated",
    /unexpected end of file: 8 more bytes needed, at byte 15765$/,
  ],
  "truncated-half": ["truncated", /unexpected end of file: .* at byte \d+$/],
  "truncated-header": ["truncated", /unexpected end of file: 9 more bytes needed, at byte 0$/],
  "unknown-aux": null,
  "unknown-opcode": ["corrupt", /^Cannot load snapshot: unknown opcode 0xf0 at byte 80$/],
  "version-99": ["unsupported", /RDB format version 99 at byte 5$/],
};

Deno.test("every damaged file of the corpus has an expectation", () => {
  assertEquals(corpusNames(true), Object.keys(badFiles).map((name) => `bad/${name}`).sort());
});

for (const [name, failure] of Object.entries(badFiles)) {
  Deno.test(`RdbReader ${failure ? "refuses" : "walks"} bad/${name}`, () => {
    const bytes = corpusBytes(`bad/${name}`);
    const run = () => walk(RdbReader.fromBytes(bytes), bytes);
    if (failure === null) {
      const walked = run();
      const expected = corpusExpected(`bad/${name}`);
      if (expected.loads) assertContent(walked, expected, name);
      assert(!walked.checksumVerified, "these files were altered and end with zeros");
    } else {
      const error = assertThrows(run, RdbError);
      assertEquals(error.kind, failure[0]);
      assert(failure[1].test(error.message), error.message);
    }
  });
}
