/**
 * What does the hash table cost per key, and how much of that are reads that miss the processor's cache?
 * Each figure is for 1,000 keys, out of 1,000 (all in the cache) or 1,000,000 (hardly any): the
 * difference is meant to be that of two reads, the bucket and the record.
 */
import { Dict } from "../src/arena/dict.ts";
import { hashBytes } from "../src/base/hash.ts";
import { latin1 } from "../src/base/bytes.ts";

const KEYS = 1000;
let sink = 0;

/** Keys as redis-benchmark makes them, one after the other in one buffer. */
const KEY_BYTES = 16;
const BUFFER_KEYS = 1 << 16;
const buffer = new Uint8Array(BUFFER_KEYS * KEY_BYTES);

function writeKeys(total: number): void {
  // A step that is prime to the total: keys in turn are far from each other in the arena.
  for (let i = 0, n = 0; i < BUFFER_KEYS; i++, n = (n + 7_368_787) % total) {
    buffer.set(latin1(`key:${String(n).padStart(12, "0")}`), i * KEY_BYTES);
  }
}

function add(dict: Dict, bytes: Uint8Array, offset: number): void {
  const hash = hashBytes(bytes, offset, KEY_BYTES);
  if (dict.find(bytes, offset, KEY_BYTES, hash) !== 0) return;
  dict.add(bytes, offset, KEY_BYTES, hash, 16, 0, NaN);
}

function filled(total: number): Dict {
  const dict = new Dict();
  for (let n = 0; n < total; n++) add(dict, latin1(`key:${String(n).padStart(12, "0")}`), 0);
  return dict;
}

for (const total of [1000, 1_000_000]) {
  const group = `${total} keys`;
  const dict = filled(total);
  let at = 0;
  /** The next 1,000 keys: others than the last time, as long as there are any. */
  const next = () => {
    at = (at + KEYS * KEY_BYTES) % (buffer.length - KEYS * KEY_BYTES);
    return at;
  };
  let isWritten = false;
  const keys = () => {
    if (!isWritten) writeKeys(total);
    isWritten = true;
    return next();
  };
  Deno.bench(`find, ${group}`, { group }, () => {
    const from = keys();
    for (let i = 0; i < KEYS; i++) sink += dict.get(buffer, from + i * KEY_BYTES, KEY_BYTES);
  });
  Deno.bench(`find a missing key, ${group}`, { group }, () => {
    const from = keys();
    for (let i = 0; i < KEYS; i++) sink += dict.get(buffer, from + i * KEY_BYTES + 1, KEY_BYTES);
  });
  Deno.bench(`remove and add again, ${group}`, { group }, () => {
    const from = keys();
    for (let i = 0; i < KEYS; i++) {
      const offset = from + i * KEY_BYTES;
      const ref = dict.get(buffer, offset, KEY_BYTES);
      if (ref !== 0) dict.remove(ref);
      add(dict, buffer, offset);
    }
  });
  Deno.bench(`a random record, ${group}`, { group }, () => {
    for (let i = 0; i < KEYS; i++) sink += dict.random(Math.random);
  });
  let cursor = 0;
  Deno.bench(`scan until 1,000 records are seen, ${group}`, { group }, () => {
    let seen = 0;
    while (seen < KEYS) cursor = dict.scan(cursor, () => seen++);
  });
}

Deno.bench("add 100,000 keys to an empty table", { group: "growth", n: 10 }, () => {
  sink += filled(100_000).count;
});
