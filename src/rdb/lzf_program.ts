/**
 * The two loops of LZF (see lzf.ts for the format) as WebAssembly: JavaScript has no word that lies anywhere without a
 * call or a check for each, and took twice the time. Its memory, which lzf.ts fills and reads:
 *
 *     0        32 KB   where a group of three bytes was seen last, by its hash: 8192 positions
 *     32 KB   160 KB   the input
 *     192 KB  320 KB   the output
 *
 * Both loops read and write up to eight bytes behind what is meant, so input and output have room for that. See
 * "WebAssembly for the inmost loops" in NOTES.
 */

import { assembleWasm } from "../base/wasm_assembler.ts";

export const INPUT_AT = 32 << 10;
export const OUTPUT_AT = 192 << 10;
const OVERRUN_BYTES = 16;
/** Most bytes of input, and of output. */
export const INPUT_MAX = OUTPUT_AT - INPUT_AT - OVERRUN_BYTES;
export const OUTPUT_MAX = (512 << 10) - OUTPUT_AT - OVERRUN_BYTES;
/** Bytes of the table. */
export const TABLE_BYTES = 32 << 10;

const TEXT = `
(module
  (memory (export "memory") 8)

  ;; Address in the table for the group of the lower three bytes of a word.
  (func $slot (param $word i32) (result i32)
    (i32.shl
      (i32.shr_u
        (i32.mul (i32.shl (local.get $word) (i32.const 8)) (i32.const 0x9e3779b1))
        (i32.const 19))
      (i32.const 2)))

  ;; Writes bytes as they are, with their control bytes; answers where they end.
  (func $literals (param $from i32) (param $count i32) (param $out i32) (result i32)
    (local $run i32) (local $done i32)
    (block $end
      (loop $runs
        (br_if $end (i32.eqz (local.get $count)))
        (local.set $run (select (local.get $count) (i32.const 32)
          (i32.lt_u (local.get $count) (i32.const 32))))
        (i32.store8 (local.get $out) (i32.sub (local.get $run) (i32.const 1)))
        (local.set $done (i32.const 0))
        (loop $words
          (i64.store offset=1 (i32.add (local.get $out) (local.get $done))
            (i64.load (i32.add (local.get $from) (local.get $done))))
          (local.set $done (i32.add (local.get $done) (i32.const 8)))
          (br_if $words (i32.lt_u (local.get $done) (local.get $run))))
        (local.set $out (i32.add (i32.add (local.get $out) (local.get $run)) (i32.const 1)))
        (local.set $from (i32.add (local.get $from) (local.get $run)))
        (local.set $count (i32.sub (local.get $count) (local.get $run)))
        (br $runs)))
    (local.get $out))

  ;; Compresses $length bytes at $from to $to, into $cap bytes at most: their number, or 0 when that is not enough.
  ;; A position in the table is one in memory plus $shift.
  (func (export "compress")
    (param $from i32) (param $length i32) (param $to i32) (param $cap i32) (param $shift i32)
    (result i32)
    (local $end i32) (local $outEnd i32) (local $out i32) (local $pos i32) (local $literalsFrom i32)
    (local $misses i32) (local $lastStart i32) (local $word i32) (local $slot i32) (local $seen i32)
    (local $stop i32) (local $next i32) (local $count i32) (local $distance i32)
    (local $difference i64)
    (local.set $end (i32.add (local.get $from) (local.get $length)))
    (local.set $outEnd (i32.add (local.get $to) (local.get $cap)))
    (local.set $out (local.get $to))
    (local.set $pos (local.get $from))
    (local.set $literalsFrom (local.get $from))
    (local.set $lastStart (i32.sub (local.get $end) (i32.const 3)))
    (block $done
      (loop $search
        (br_if $done (i32.gt_s (local.get $pos) (local.get $lastStart)))
        (local.set $word (i32.load (local.get $pos)))
        (local.set $slot (call $slot (local.get $word)))
        (local.set $seen (i32.sub (i32.load (local.get $slot)) (local.get $shift)))
        (i32.store (local.get $slot) (i32.add (local.get $pos) (local.get $shift)))
        (local.set $distance (i32.sub (local.get $pos) (local.get $seen)))
        (block $found
          (if (i32.and
              (i32.ge_s (local.get $seen) (local.get $from))
              (i32.le_s (local.get $distance) (i32.const 8192)))
            (then (br_if $found (i32.eqz (i32.shl
              (i32.xor (local.get $word) (i32.load (local.get $seen)))
              (i32.const 8))))))
          ;; Bytes that have long not repeated will likely not: look at fewer and fewer places.
          (local.set $pos (i32.add (local.get $pos)
            (i32.add (i32.const 1) (i32.shr_u (local.get $misses) (i32.const 6)))))
          (local.set $misses (i32.add (local.get $misses) (i32.const 1)))
          (br $search))
        (local.set $misses (i32.const 0))
        (loop $copy
          ;; The three bytes at $pos are those $distance before: how many more?
          (local.set $stop (i32.add (local.get $pos) (i32.const 264)))
          (local.set $stop (select (local.get $end) (local.get $stop)
            (i32.lt_u (local.get $end) (local.get $stop))))
          (local.set $next (i32.add (local.get $pos) (i32.const 3)))
          (block $differs
            (loop $words
              (if (i32.le_u (i32.add (local.get $next) (i32.const 8)) (local.get $stop)) (then
                (local.set $difference (i64.xor (i64.load (local.get $next))
                  (i64.load (i32.sub (local.get $next) (local.get $distance)))))
                (if (i64.eqz (local.get $difference)) (then
                  (local.set $next (i32.add (local.get $next) (i32.const 8)))
                  (br $words)))
                (local.set $next (i32.add (local.get $next)
                  (i32.wrap_i64 (i64.shr_u (i64.ctz (local.get $difference)) (i64.const 3)))))
                (br $differs))))
            (loop $bytes
              (br_if $differs (i32.ge_u (local.get $next) (local.get $stop)))
              (br_if $differs (i32.ne (i32.load8_u (local.get $next))
                (i32.load8_u (i32.sub (local.get $next) (local.get $distance)))))
              (local.set $next (i32.add (local.get $next) (i32.const 1)))
              (br $bytes)))
          (local.set $count (i32.sub (local.get $pos) (local.get $literalsFrom)))
          (if (i32.le_u (i32.sub (local.get $count) (i32.const 1)) (i32.const 7))
            (then
              (i32.store8 (local.get $out) (i32.sub (local.get $count) (i32.const 1)))
              (i64.store offset=1 (local.get $out) (i64.load (local.get $literalsFrom)))
              (local.set $out (i32.add (i32.add (local.get $out) (local.get $count)) (i32.const 1))))
            (else
              (local.set $out (call $literals
                (local.get $literalsFrom) (local.get $count) (local.get $out)))))
          (if (i32.gt_u (i32.add (local.get $out) (i32.const 3)) (local.get $outEnd)) (then
            (return (i32.const 0))))
          (local.set $count (i32.sub (local.get $next) (local.get $pos)))
          (local.set $word (i32.sub (local.get $distance) (i32.const 1)))
          (if (i32.gt_u (local.get $count) (i32.const 8))
            (then
              (i32.store8 (local.get $out)
                (i32.or (i32.const 0xe0) (i32.shr_u (local.get $word) (i32.const 8))))
              (i32.store8 offset=1 (local.get $out) (i32.sub (local.get $count) (i32.const 9)))
              (local.set $out (i32.add (local.get $out) (i32.const 2))))
            (else
              (i32.store8 (local.get $out) (i32.or
                (i32.shl (i32.sub (local.get $count) (i32.const 2)) (i32.const 5))
                (i32.shr_u (local.get $word) (i32.const 8))))
              (local.set $out (i32.add (local.get $out) (i32.const 1)))))
          (i32.store8 (local.get $out) (local.get $word))
          (local.set $out (i32.add (local.get $out) (i32.const 1)))
          (local.set $pos (local.get $next))
          (local.set $literalsFrom (local.get $pos))
          (br_if $search (i32.gt_s (i32.add (local.get $pos) (i32.const 8)) (local.get $end)))
          ;; Remember the last place inside the copy too: runs often go on from there.
          (i32.store
            (call $slot (i32.load (i32.sub (local.get $pos) (i32.const 1))))
            (i32.add (i32.sub (local.get $pos) (i32.const 1)) (local.get $shift)))
          ;; Elements that are counted up differ in a few bytes, and then go on at the same distance: that is seen
          ;; without the table.
          (local.set $difference (i64.xor (i64.load (local.get $pos))
            (i64.load (i32.sub (local.get $pos) (local.get $distance)))))
          (local.set $count (i32.const 0))
          (if (i64.eqz (i64.and (local.get $difference) (i64.const 0xffffff000000))) (then
            (local.set $count (i32.const 3))))
          (if (i64.eqz (i64.and (local.get $difference) (i64.const 0xffffff0000))) (then
            (local.set $count (i32.const 2))))
          (if (i64.eqz (i64.and (local.get $difference) (i64.const 0xffffff00))) (then
            (local.set $count (i32.const 1))))
          (br_if $search (i32.eqz (local.get $count)))
          (i32.store
            (call $slot (i32.load (local.get $pos)))
            (i32.add (local.get $pos) (local.get $shift)))
          (local.set $pos (i32.add (local.get $pos) (local.get $count)))
          (br $copy))))
    (local.set $out (call $literals (local.get $literalsFrom)
      (i32.sub (local.get $end) (local.get $literalsFrom)) (local.get $out)))
    (if (i32.gt_u (local.get $out) (local.get $outEnd)) (then (return (i32.const 0))))
    (i32.sub (local.get $out) (local.get $to)))

  ;; Decompresses $length bytes at $pos to exactly $outLength bytes at $to: 1, or 0 when they are damaged.
  (func (export "decompress")
    (param $pos i32) (param $length i32) (param $to i32) (param $outLength i32) (result i32)
    (local $end i32) (local $out i32) (local $outEnd i32) (local $control i32) (local $count i32)
    (local $from i32) (local $stop i32) (local $distance i32)
    (local.set $end (i32.add (local.get $pos) (local.get $length)))
    (local.set $out (local.get $to))
    (local.set $outEnd (i32.add (local.get $to) (local.get $outLength)))
    (block $damaged
      (block $done
        (loop $items
          (br_if $done (i32.ge_u (local.get $pos) (local.get $end)))
          (local.set $control (i32.load8_u (local.get $pos)))
          (local.set $pos (i32.add (local.get $pos) (i32.const 1)))
          (if (i32.lt_u (local.get $control) (i32.const 32)) (then
            (local.set $count (i32.add (local.get $control) (i32.const 1)))
            (br_if $damaged (i32.gt_u (local.get $count)
              (i32.sub (local.get $end) (local.get $pos))))
            (br_if $damaged (i32.gt_u (local.get $count)
              (i32.sub (local.get $outEnd) (local.get $out))))
            (local.set $stop (i32.add (local.get $out) (local.get $count)))
            (local.set $from (local.get $pos))
            (loop $literals
              (i64.store (local.get $out) (i64.load (local.get $from)))
              (local.set $from (i32.add (local.get $from) (i32.const 8)))
              (local.set $out (i32.add (local.get $out) (i32.const 8)))
              (br_if $literals (i32.lt_u (local.get $out) (local.get $stop))))
            (local.set $out (local.get $stop))
            (local.set $pos (i32.add (local.get $pos) (local.get $count)))
            (br $items)))
          (local.set $count
            (i32.add (i32.shr_u (local.get $control) (i32.const 5)) (i32.const 2)))
          (if (i32.eq (local.get $count) (i32.const 9)) (then
            (br_if $damaged (i32.ge_u (local.get $pos) (local.get $end)))
            (local.set $count (i32.add (local.get $count) (i32.load8_u (local.get $pos))))
            (local.set $pos (i32.add (local.get $pos) (i32.const 1)))))
          (br_if $damaged (i32.ge_u (local.get $pos) (local.get $end)))
          (local.set $distance (i32.add (i32.const 1) (i32.or
            (i32.shl (i32.and (local.get $control) (i32.const 31)) (i32.const 8))
            (i32.load8_u (local.get $pos)))))
          (local.set $pos (i32.add (local.get $pos) (i32.const 1)))
          (br_if $damaged (i32.gt_u (local.get $distance)
            (i32.sub (local.get $out) (local.get $to))))
          (br_if $damaged (i32.gt_u (local.get $count)
            (i32.sub (local.get $outEnd) (local.get $out))))
          (local.set $stop (i32.add (local.get $out) (local.get $count)))
          (local.set $from (i32.sub (local.get $out) (local.get $distance)))
          (if (i32.ge_u (local.get $distance) (i32.const 8))
            (then
              (loop $words
                (i64.store (local.get $out) (i64.load (local.get $from)))
                (local.set $from (i32.add (local.get $from) (i32.const 8)))
                (local.set $out (i32.add (local.get $out) (i32.const 8)))
                (br_if $words (i32.lt_u (local.get $out) (local.get $stop)))))
            (else
              ;; Byte by byte where it overlaps on purpose: what was just written is copied on.
              (loop $bytes
                (i32.store8 (local.get $out) (i32.load8_u (local.get $from)))
                (local.set $from (i32.add (local.get $from) (i32.const 1)))
                (local.set $out (i32.add (local.get $out) (i32.const 1)))
                (br_if $bytes (i32.lt_u (local.get $out) (local.get $stop))))))
          (local.set $out (local.get $stop))
          (br $items)))
      (return (i32.eq (local.get $out) (local.get $outEnd))))
    (i32.const 0))
)`;

interface Exports {
  readonly memory: WebAssembly.Memory;
  compress(from: number, length: number, to: number, cap: number, shift: number): number;
  decompress(from: number, length: number, to: number, outLength: number): number;
}

export interface LzfProgram {
  readonly memory: Uint8Array;
  readonly compress: Exports["compress"];
  readonly decompress: Exports["decompress"];
}

let program: LzfProgram | null = null;

/** The program of this thread, made when it is asked for first: that takes a millisecond or two. */
export function lzfProgram(): LzfProgram {
  return program ??= makeProgram();
}

function makeProgram(): LzfProgram {
  const module = new WebAssembly.Module(assembleWasm(TEXT));
  const exports = new WebAssembly.Instance(module).exports as unknown as Exports;
  const { memory, compress, decompress } = exports;
  return { memory: new Uint8Array(memory.buffer), compress, decompress };
}
