import { assertEquals, assertThrows } from "@std/assert";
import { assembleWasm } from "../../src/base/wasm_assembler.ts";

// deno-lint-ignore no-explicit-any
function instance(text: string): any {
  return new WebAssembly.Instance(new WebAssembly.Module(assembleWasm(text))).exports;
}

/** A function `f` of an i32 with two locals more, which the body is of. */
function func(body: string): (n: number) => number {
  return instance(`(module (memory (export "m") 1)
    (func (export "f") (param $n i32) (result i32) (local $i i32) (local $w i64) ${body}))`).f;
}

Deno.test("assembleWasm gives the bytes that the specification has for the smallest module", () => {
  assertEquals([...assembleWasm("(module)")].slice(0, 8), [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  assertEquals(WebAssembly.validate(assembleWasm("(module)")), true);
});

Deno.test("assembleWasm knows constants of every length", () => {
  for (const n of [0, 1, 63, 64, -64, -65, 127, 128, 8191, 8192, 2 ** 31 - 1, -(2 ** 31)]) {
    assertEquals(func(`(i32.const ${n})`)(0), n);
  }
  assertEquals(func("(i32.const 0x9e3779b1)")(0), 0x9e3779b1 | 0);
  for (const n of ["0xffffff000000", "0x7fffffffffffffff", "-1", "0x8000000000000000"]) {
    const high = Number(BigInt.asIntN(32, BigInt(n) >> 32n));
    const body = `(i32.wrap_i64 (i64.shr_u (i64.const ${n}) (i64.const 32)))`;
    assertEquals(func(body)(0), high, n);
  }
});

Deno.test("assembleWasm counts branches from the innermost block", () => {
  const sum = func(`
    (block $done
      (loop $next ;; adds n, n - 1, ... 1
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $i (i32.add (local.get $i) (local.get $n)))
        (if (i32.gt_u (local.get $i) (i32.const 1000)) (then (return (i32.const -1))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next)))
    (local.get $i)`);
  assertEquals([0, 1, 4, 44, 45].map(sum), [0, 1, 10, 990, -1]);
});

Deno.test("assembleWasm has both branches of a condition, and calls by name in any order", () => {
  const { f } = instance(`(module
    (func (export "f") (param $n i32) (result i32)
      (if (i32.lt_s (local.get $n) (i32.const 0))
        (then (local.set $n (call $twice (i32.sub (i32.const 0) (local.get $n)))))
        (else (local.set $n (i32.shl (local.get $n) (i32.const 4)))))
      (local.get $n))
    (func $twice (param $n i32) (result i32) (i32.mul (local.get $n) (i32.const 2))))`);
  assertEquals([-5, 0, 5].map(f), [10, 0, 80]);
});

Deno.test("assembleWasm reads and writes memory at offsets, in words that lie anywhere", () => {
  const f = func(`
    (i64.store offset=300 (local.get $n) (i64.const 0x0807060504030201))
    (local.set $w (i64.load offset=303 (local.get $n)))
    (i32.store8 (i32.const 0) (i32.wrap_i64 (local.get $w)))
    (i32.store offset=1 (i32.const 0) (i32.load offset=304 (local.get $n)))
    (i32.or (i32.shl (i32.load8_u (i32.const 0)) (i32.const 16)) (i32.load8_u (i32.const 4)))`);
  assertEquals(f(77), 0x040008);
});

Deno.test("assembleWasm refuses what it does not know", () => {
  for (
    const text of [
      "(module",
      "(module))",
      "(module (table 1 funcref))",
      "(module (func $f (result f64)))",
      "(module (func $f (i32.popcnt (i32.const 1))))",
      "(module (func $f (local.get $none)))",
      "(module (func $f (call $none)))",
      "(module (func $f (br $none)))",
      "(module (func $f nop))",
    ]
  ) assertThrows(() => assembleWasm(text), Error, "wasm: ", text);
});
