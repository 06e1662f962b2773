/** A scan of a snapshot beside a load of it: the same verdict, and the same keys. */

import { assertEquals } from "@std/assert";
import { LOAD_WHOLE } from "../../src/rdb/kinds/value_load.ts";
import { KINDS } from "../../src/rdb/kinds/index.ts";
import { corpusBytes, corpusExpected, corpusNames } from "./corpus.ts";
import { CORPUS_NOW_MS } from "./datasets.ts";
import { loadOutcome, scanBytes, scanOutcome } from "./scans.ts";

/** How many elements the JSON of the corpus has for a key. */
function elementsOf(type: string, value: unknown): number {
  if (type === "string") return 1;
  if (type === "stream") return (value as { entries: unknown[] }).entries.length;
  return (value as unknown[]).length;
}

for (const name of corpusNames()) {
  Deno.test(`a scan of ${name} finds the keys, types, elements and expiries that a server reads`, () => {
    const { dbs } = corpusExpected(name);
    const found = new Map<string, [string, number, number | null]>();
    scanBytes(corpusBytes(name), {
      onKey(scan, state) {
        if (state !== LOAD_WHOLE) return;
        const { values, databaseIndex: database, keyText, expiresAtMs } = scan;
        if (expiresAtMs < CORPUS_NOW_MS) return;
        const elements = values.isPassed ? values.elements : -1;
        const expiry = expiresAtMs === expiresAtMs ? expiresAtMs : null;
        found.set(`${database} ${keyText}`, [KINDS[values.type].name, elements, expiry]);
      },
    });
    let count = 0;
    for (const [database, keys] of Object.entries(dbs)) {
      for (const [key, { type, value, ttl_ms_at }] of Object.entries(keys)) {
        count++;
        if (key.startsWith("\u0001sha1:")) continue;
        const [foundType, elements, expiry] = found.get(`${database} ${key}`) ?? [];
        assertEquals([foundType, expiry], [type, ttl_ms_at], `${database} ${key}`);
        if (elements !== -1) assertEquals(elements, elementsOf(type, value), `${database} ${key}`);
      }
    }
    assertEquals(found.size, count);
  });
}

for (const name of [...corpusNames(), ...corpusNames(true)]) {
  Deno.test(`a scan of ${name} comes to the verdict that a load comes to`, () => {
    const bytes = corpusBytes(name);
    assertEquals(scanOutcome(bytes), loadOutcome(bytes));
  });
}
