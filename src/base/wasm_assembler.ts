/**
 * WebAssembly from its text form, for inner loops over bytes for which JavaScript has no good instructions: words
 * that lie anywhere, 64 bits at once. What such a loop does stands in the source, and not as bytes from elsewhere.
 *
 * It knows what is used here and refuses the rest: one memory and functions, exported or not; all instructions folded
 * (operands in parentheses behind the instruction); names instead of numbers; comments of a line. Types are left to the
 * engine to check.
 *
 * @see {@link https://webassembly.github.io/spec/core/text/}
 * @see {@link https://webassembly.github.io/spec/core/binary/}
 */

type Expression = string | Expression[];

const TYPE_CODES: Record<string, number> = { i32: 0x7f, i64: 0x7e };

/** Instructions that have operands and nothing else. */
const PLAIN: Record<string, number> = {
  "return": 0x0f,
  "select": 0x1b,
  "i32.eqz": 0x45,
  "i32.eq": 0x46,
  "i32.ne": 0x47,
  "i32.lt_s": 0x48,
  "i32.lt_u": 0x49,
  "i32.gt_s": 0x4a,
  "i32.gt_u": 0x4b,
  "i32.le_s": 0x4c,
  "i32.le_u": 0x4d,
  "i32.ge_s": 0x4e,
  "i32.ge_u": 0x4f,
  "i64.eqz": 0x50,
  "i32.add": 0x6a,
  "i32.sub": 0x6b,
  "i32.mul": 0x6c,
  "i32.and": 0x71,
  "i32.or": 0x72,
  "i32.xor": 0x73,
  "i32.shl": 0x74,
  "i32.shr_u": 0x76,
  "i64.ctz": 0x7a,
  "i64.and": 0x83,
  "i64.xor": 0x85,
  "i64.shr_u": 0x88,
  "i32.wrap_i64": 0xa7,
};

/** Instructions that name a local variable. */
const LOCAL: Record<string, number> = { "local.get": 0x20, "local.set": 0x21, "local.tee": 0x22 };

/** Instructions that read or write memory: code, and the power of two that the address is a multiple of at best. */
const MEMORY: Record<string, readonly [number, number]> = {
  "i32.load": [0x28, 2],
  "i64.load": [0x29, 3],
  "i32.load8_u": [0x2d, 0],
  "i32.store": [0x36, 2],
  "i64.store": [0x37, 3],
  "i32.store8": [0x3a, 0],
};

const NO_RESULT = 0x40;
const END = 0x0b;

/** The bytes of a module. @throws Error where the text has something that is not known here */
export function assembleWasm(text: string): Uint8Array<ArrayBuffer> {
  const [, ...fields] = read(text);
  const functions = fields.filter((field) => field[0] === "func").map((field) => new Func(field));
  const names = functions.map(({ name }) => name);
  const exported: number[][] = functions.flatMap(({ exportName }, index) =>
    exportName === null ? [] : [[...nameBytes(exportName), 0, ...unsigned(index)]]
  );
  const memories: number[][] = [];
  for (const field of fields) {
    if (field[0] === "memory") {
      memories.push([0, ...unsigned(Number(field[2]))]);
      exported.push([...nameBytes(exportOf(field)!), 2, 0]);
    } else if (field[0] !== "func") throw unknown(field);
  }
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, functions.map((func) => func.type)),
    ...section(3, functions.map((_, index) => unsigned(index))),
    ...section(5, memories),
    ...section(7, exported),
    ...section(10, functions.map((func) => func.code(names))),
  ]);
}

// -- text ------------------------------------------------------------------------------------------

function read(text: string): Expression[] {
  const tokens = text.replace(/;;.*/g, "").match(/[()]|[^\s()]+/g) ?? [];
  const open: Expression[][] = [[]];
  for (const token of tokens) {
    if (token === "(") open.push([]);
    else if (token === ")") {
      const closed = open.pop()!;
      if (open.length === 0) throw new Error("wasm: a parenthesis is closed that was not opened");
      open.at(-1)!.push(closed);
    } else open.at(-1)!.push(token);
  }
  const [all] = open.pop()!;
  if (open.length > 0 || !Array.isArray(all)) throw new Error("wasm: a parenthesis is not closed");
  return all;
}

function unknown(expression: Expression): Error {
  return new Error(`wasm: unknown: ${JSON.stringify(expression).slice(0, 80)}`);
}

/** `(export "name")` behind the first word of a field; null where there is none. */
function exportOf(field: Expression): string | null {
  const [, first] = field;
  return Array.isArray(first) && first[0] === "export" ? String(first[1]).slice(1, -1) : null;
}

// -- functions -------------------------------------------------------------------------------------

class Func {
  readonly name: string;
  readonly exportName: string | null;
  readonly type: number[];
  readonly #locals: string[] = [];
  readonly #localTypes: number[] = [];
  readonly #body: Expression[] = [];

  /** `(func $name (param $p i32) … (result i32) (local $l i32) … instruction …)`, or an export for the name. */
  constructor(field: Expression) {
    const [, head, ...rest] = field;
    this.exportName = exportOf(field);
    this.name = typeof head === "string" ? head : "";
    const params: number[] = [];
    const results: number[] = [];
    for (const part of rest) {
      const [word, name, type] = part;
      if (word === "param") params.push(this.#declare(name, type));
      else if (word === "result") results.push(typeCode(name));
      else if (word === "local") this.#localTypes.push(this.#declare(name, type));
      else this.#body.push(part);
    }
    this.type = [0x60, ...vector(params), ...vector(results)];
  }

  #declare(name: Expression, type: Expression): number {
    this.#locals.push(String(name));
    return typeCode(type);
  }

  /** The entry of the code section; `names` are those of all functions. */
  code(names: readonly string[]): number[] {
    const locals = this.#localTypes.map((type) => [1, type]);
    const body = this.#body.flatMap((part) => this.#instruction(part, names, []));
    const bytes = [...unsigned(this.#localTypes.length), ...locals.flat(), ...body, END];
    return [...unsigned(bytes.length), ...bytes];
  }

  /** One instruction behind its operands. `labels` are those of the blocks around it, the outermost first. */
  #instruction(part: Expression, names: readonly string[], labels: readonly string[]): number[] {
    if (!Array.isArray(part)) throw unknown(part);
    const [op, ...words] = part as [string, ...Expression[]];
    const all = (parts: Expression[], inside = labels) =>
      parts.flatMap((each) => this.#instruction(each, names, inside));
    const [first, ...rest] = words;

    if (op in PLAIN) return [...all(words), PLAIN[op]];
    if (op in LOCAL) return [...all(rest), LOCAL[op], ...unsigned(indexOf(this.#locals, first))];
    if (op in MEMORY) {
      const hasOffset = typeof first === "string";
      const offset = hasOffset ? Number(first.replace("offset=", "")) : 0;
      return [...all(hasOffset ? rest : words), ...MEMORY[op], ...unsigned(offset)];
    }
    switch (op) {
      case "i32.const":
        return [0x41, ...signed(BigInt.asIntN(32, BigInt(String(first))))];
      case "i64.const":
        return [0x42, ...signed(BigInt.asIntN(64, BigInt(String(first))))];
      case "call":
        return [...all(rest), 0x10, ...unsigned(indexOf(names, first))];
      case "block":
      case "loop": {
        const inside = [...labels, String(first)];
        return [op === "block" ? 0x02 : 0x03, NO_RESULT, ...all(rest, inside), END];
      }
      case "br":
      case "br_if": {
        const depth = labels.length - 1 - indexOf(labels, first);
        return [...all(rest), op === "br" ? 0x0c : 0x0d, ...unsigned(depth)];
      }
      case "if": {
        const [then, otherwise] = rest as [Expression[], Expression[]?];
        const inside = [...labels, ""];
        const other = otherwise === undefined ? [] : [0x05, ...all(otherwise.slice(1), inside)];
        return [...all([first]), 0x04, NO_RESULT, ...all(then.slice(1), inside), ...other, END];
      }
    }
    throw unknown(part);
  }
}

function typeCode(type: Expression): number {
  const code = TYPE_CODES[String(type)];
  if (code === undefined) throw unknown(type);
  return code;
}

/** The innermost one of a name. */
function indexOf(names: readonly string[], name: Expression): number {
  const index = names.lastIndexOf(String(name));
  if (index < 0) throw unknown(name);
  return index;
}

// -- bytes -----------------------------------------------------------------------------------------

function section(id: number, entries: readonly number[][]): number[] {
  const bytes = [...unsigned(entries.length), ...entries.flat()];
  return [id, ...unsigned(bytes.length), ...bytes];
}

function vector(bytes: readonly number[]): number[] {
  return [...unsigned(bytes.length), ...bytes];
}

function nameBytes(name: string): number[] {
  return vector(Array.from(name, (character) => character.charCodeAt(0)));
}

/** LEB128 of a number from 0 to 2^31. */
function unsigned(n: number): number[] {
  const bytes: number[] = [];
  for (; n >= 0x80; n >>>= 7) bytes.push((n & 0x7f) | 0x80);
  return [...bytes, n];
}

function signed(n: bigint): number[] {
  const bytes: number[] = [];
  for (; n < -64n || n > 63n; n >>= 7n) bytes.push(Number(n & 0x7fn) | 0x80);
  return [...bytes, Number(n & 0x7fn)];
}
