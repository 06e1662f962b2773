/**
 * What do the encodings of small and large collections cost per element? Each figure is for the
 * number of elements in the name. For comparison: a push to a list should stay below 60 ns.
 */
import { latin1 } from "../src/base/bytes.ts";
import { intsetHas, intsetInsert, intsetNew } from "../src/values/intset.ts";
import * as lp from "../src/values/listpack.ts";
import { ListCursor, QuickList } from "../src/values/quicklist.ts";

const MILLION = 1_000_000;
const word = latin1("xxx"); // what redis-benchmark pushes is of this kind
const number = latin1("1234567");
const field = latin1("field:000099");
let sink = 0;

function filled(count: number): QuickList {
  const list = new QuickList();
  for (let i = 0; i < count; i++) list.pushTail(field, 0, field.length);
  return list;
}

Deno.bench("RPUSH of 1,000,000 strings", { group: "quicklist", n: 10 }, () => {
  const list = new QuickList();
  for (let i = 0; i < MILLION; i++) list.pushTail(word, 0, word.length);
});
Deno.bench("LPUSH of 1,000,000 strings", { group: "quicklist", n: 10 }, () => {
  const list = new QuickList();
  for (let i = 0; i < MILLION; i++) list.pushHead(word, 0, word.length);
});
Deno.bench("RPUSH of 1,000,000 integers", { group: "quicklist", n: 10 }, () => {
  const list = new QuickList();
  for (let i = 0; i < MILLION; i++) list.pushTail(number, 0, number.length);
});
Deno.bench("LPOP of 1,000,000 strings", { group: "quicklist", n: 10 }, (b) => {
  const list = filled(MILLION);
  b.start();
  while (list.peekHead()) {
    sink += lp.lpEntry.len;
    list.dropHead();
  }
  b.end();
});
Deno.bench("RPOP of 1,000,000 strings", { group: "quicklist", n: 10 }, (b) => {
  const list = filled(MILLION);
  b.start();
  while (list.peekTail()) {
    sink += lp.lpEntry.len;
    list.dropTail();
  }
  b.end();
});
const queue = filled(1000);
Deno.bench(
  "RPUSH and LPOP of 1,000,000 strings, queue of 1,000",
  { group: "quicklist", n: 10 },
  () => {
    for (let i = 0; i < MILLION; i++) {
      queue.pushTail(field, 0, field.length);
      queue.peekHead();
      queue.dropHead();
    }
  },
);

const large = filled(MILLION);
const cursor = new ListCursor();
const reply = new Uint8Array(1 << 16);
Deno.bench("LRANGE of 600 elements", { group: "range" }, () => {
  let out = 0;
  large.seek(cursor, 5000);
  for (let i = 0; i < 600; i++) {
    cursor.read();
    sink += lp.lpEntryTextLength();
    out += lp.lpEntryCopyText(reply, out);
    cursor.next();
  }
  sink += out;
});
Deno.bench("LINDEX in the middle of 1,000,000", { group: "range" }, () => {
  large.index(500_000);
});

const hash = new Uint8Array(16384);
lp.lpNew(hash, 0);
for (let i = 0; i < 128; i++) {
  const name = latin1("field:" + String(i).padStart(6, "0"));
  lp.lpAppend(hash, 0, hash.length, name, 0, name.length);
  lp.lpAppend(hash, 0, hash.length, latin1("some value " + i), 0, 12);
}
Deno.bench("HGET of the 100th of 128 fields", { group: "listpack" }, () => {
  sink += lp.lpFind(hash, 0, lp.lpFirst(hash, 0), field, 0, field.length, 1);
});
const small = new Uint8Array(1024);
Deno.bench("append 10 strings to a new listpack", { group: "listpack" }, () => {
  lp.lpNew(small, 0);
  for (let i = 0; i < 10; i++) lp.lpAppend(small, 0, 1024, field, 0, field.length);
});

const set = new Uint8Array(8192);
intsetNew(set, 0);
for (let i = 0; i < 512; i++) intsetInsert(set, 0, set.length, i * 7);
Deno.bench("SISMEMBER in 512 integers of 16 bits", { group: "intset" }, () => {
  if (intsetHas(set, 0, 1400)) sink++;
});
const wide = new Uint8Array(8192);
intsetNew(wide, 0);
for (let i = 0; i < 512; i++) intsetInsert(wide, 0, wide.length, 2 ** 40 + i * 7);
Deno.bench("SISMEMBER in 512 integers of 64 bits", { group: "intset" }, () => {
  if (intsetHas(wide, 0, 2 ** 40 + 1400)) sink++;
});
