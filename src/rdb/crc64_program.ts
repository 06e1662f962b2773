/**
 * The inner loop of CRC-64 (crc64.ts) in WebAssembly: 64 bits are one number there, and a table of sums one look-up.
 * Eight bytes a round by eight tables, as crc64.ts explains.
 *
 * Each round waits for the one before it. So long runs are taken as four lanes side by side, whose rounds do not wait
 * for each other, and the four sums are put together: that of a lane goes through as many zero bytes as the lane behind
 * it has, which eight more tables know the outcome of, and is added to that lane's own.
 *
 *     run     | lane 0 | lane 1 | lane 2 | lane 3 |
 *     sum = over(over(over(sum 0) ^ sum 1) ^ sum 2) ^ sum 3
 *
 *     memory  0 tables: number k at k << 11, 256 sums of 8 bytes · OVER_AT the same of `over` · SUM_AT the sum ·
 *             RUN_AT the bytes to be added, RUN_MAX at most
 */

import { assembleWasm } from "../base/wasm_assembler.ts";

const PAGE_BYTES = 1 << 16;
const TABLE_BYTES = 256 * 8;
const OVER_AT = 8 * TABLE_BYTES;
const SUM_AT = 16 * TABLE_BYTES;

/** Where bytes are put that are to be added. */
export const RUN_AT = SUM_AT + 64;
/** At most so many at once. */
export const RUN_MAX = 1 << 16;

const LANES = [0, 1, 2, 3];
const LANE_BYTES = 4096;
/** Bytes of four lanes. */
export const LANES_BYTES = LANES.length * LANE_BYTES;

/** What the table at `table` has for the byte of the variable `half` that begins with bit `at`. */
function look(table: number, half: string, at: number): string {
  const shifted = at === 0
    ? `(i32.shl (local.get ${half}) (i32.const 3))`
    : `(i32.shr_u (local.get ${half}) (i32.const ${at - 3}))`;
  return `(i64.load offset=${table} (i32.and ${shifted} (i32.const 0x7f8)))`;
}

function xor(first: string, ...rest: string[]): string {
  return rest.length === 0 ? first : `(i64.xor ${first} ${xor(rest[0], ...rest.slice(1))})`;
}

/** Looks the eight bytes of `sum` up, byte i in the table at `tableOf(i)`; `low` and `high` are for its halves. */
function lookAll(sum: string, low: string, high: string, tableOf: (byte: number) => number) {
  const halves = `(local.set ${low} (i32.wrap_i64 (local.get ${sum})))
      (local.set ${high} (i32.wrap_i64 (i64.shr_u (local.get ${sum}) (i64.const 32))))`;
  const looks = Array.from({ length: 8 }, (_, byte) => {
    return look(tableOf(byte), byte < 4 ? low : high, (byte & 3) * 8);
  });
  return `${halves}
      (local.set ${sum} ${xor(looks[0], ...looks.slice(1))})`;
}

/** A round of a lane: the eight bytes at $at + `offset` are added to `$sum<lane>`. */
function round(lane: number, offset: number): string {
  const sum = `$sum${lane}`;
  return `(local.set ${sum} (i64.xor (local.get ${sum}) (i64.load offset=${offset} (local.get $at))))
      ${lookAll(sum, `$low${lane}`, `$high${lane}`, (byte) => (7 - byte) * TABLE_BYTES)}`;
}

function variables(lanes: number[]): string {
  return lanes.map((i) => `(local $sum${i} i64) (local $low${i} i32) (local $high${i} i32)`).join(
    " ",
  );
}

const LOAD_SUM = `(local.set $sum0 (i64.load offset=${SUM_AT} (i32.const 0)))`;
const STORE_SUM = `(i64.store offset=${SUM_AT} (i32.const 0) (local.get $sum0))`;
const NEXT = `(local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $words (i32.lt_u (local.get $at) (local.get $end)))`;

const TEXT = `(module
  (memory (export "memory") ${Math.ceil((RUN_AT + RUN_MAX) / PAGE_BYTES)})

  ;; Adds the bytes from $at up to $end, a multiple of eight and not none.
  (func (export "add") (param $at i32) (param $end i32) ${variables([0])}
    ${LOAD_SUM}
    (loop $words
      ${round(0, 0)}
      ${NEXT})
    ${STORE_SUM})

  ;; Adds four lanes, the first of which is from $at up to $end.
  (func (export "addLanes") (param $at i32) (param $end i32) ${variables(LANES)}
    ${LOAD_SUM}
    (loop $words
      ${LANES.map((lane) => round(lane, lane * LANE_BYTES)).join("\n      ")}
      ${NEXT})
    ${
  LANES.slice(1).map((lane) => `
      ${lookAll("$sum0", "$low0", "$high0", (byte) => OVER_AT + byte * TABLE_BYTES)}
      (local.set $sum0 (i64.xor (local.get $sum0) (local.get $sum${lane})))`).join("")
}
    ${STORE_SUM}))`;

export class CrcProgram {
  readonly memory: Uint8Array;
  /** The sum, its lower half first. */
  readonly sum: Int32Array;
  readonly #add: (at: number, end: number) => void;
  readonly #addLanes: (at: number, end: number) => void;

  /** With the tables of crc64.ts, halves of the sums apart. Takes about a millisecond. */
  constructor(lows: readonly Int32Array[], highs: readonly Int32Array[]) {
    const module = new WebAssembly.Module(assembleWasm(TEXT));
    const { memory, add, addLanes } = new WebAssembly.Instance(module).exports as unknown as {
      readonly memory: WebAssembly.Memory;
      add(at: number, end: number): void;
      addLanes(at: number, end: number): void;
    };
    const words = new Int32Array(memory.buffer);
    this.memory = new Uint8Array(memory.buffer);
    this.sum = words.subarray(SUM_AT >> 2, (SUM_AT >> 2) + 2);
    this.#add = add;
    this.#addLanes = addLanes;
    for (let k = 0; k < 8; k++) {
      const table = words.subarray(k * TABLE_BYTES >> 2);
      for (let byte = 0; byte < 256; byte++) {
        table[byte * 2] = lows[k][byte];
        table[byte * 2 + 1] = highs[k][byte];
      }
    }
    for (let k = 0; k < 8; k++) this.#fillOver(words.subarray((OVER_AT + k * TABLE_BYTES) >> 2), k);
  }

  /** What becomes of a sum of which only byte `k` is not zero, when the zeros of a lane are added. */
  #fillOver(table: Int32Array, k: number): void {
    const { sum } = this;
    for (let bit = 0; bit < 8; bit++) {
      sum[0] = k < 4 ? 1 << (k * 8 + bit) : 0;
      sum[1] = k < 4 ? 0 : 1 << ((k - 4) * 8 + bit);
      this.#add(RUN_AT, RUN_AT + LANE_BYTES);
      for (let byte = 1 << bit; byte < 2 << bit; byte++) {
        const rest = byte ^ (1 << bit);
        table[byte * 2] = sum[0] ^ table[rest * 2];
        table[byte * 2 + 1] = sum[1] ^ table[rest * 2 + 1];
      }
    }
  }

  /** Adds the first `length` bytes from RUN_AT on to `sum`: a multiple of eight, up to RUN_MAX. */
  add(length: number): void {
    let at = 0;
    for (; at + LANES_BYTES <= length; at += LANES_BYTES) {
      this.#addLanes(RUN_AT + at, RUN_AT + at + LANE_BYTES);
    }
    if (at < length) this.#add(RUN_AT + at, RUN_AT + length);
  }
}
