/**
 * Lua 5.1 as an object: the stack, tables, functions and errors of the C API, with strings as bytes.
 *
 * Below everything of scripting: the libraries, the sandbox and the conversions are written with it. The
 * engine is WebAssembly with a memory of its own (lua_wasm.ts, made by tools/lua), so nothing a script does
 * reaches the server but through functions registered here. What goes wrong inside of it for good (its
 * stack, a fault of ours) ends with an `EngineFault`; the state must then be thrown away.
 *
 * An index counts from the bottom of the running function's part of the stack (1 is its first argument)
 * or, where negative, from the top (-1 is the topmost). See the manual of Lua 5.1, "The application program
 * interface": <https://www.lua.org/manual/5.1/manual.html#3>.
 */

import { formatDouble } from "../base/doubles.ts";
import { copyBytes, latin1, toLatin1, writeText } from "../base/bytes.ts";
import { recycleChunk, type ReplyWriter } from "../resp/reply_writer.ts";
import { Words } from "../resp/words.ts";
import { lzfDecompress } from "../rdb/lzf.ts";
import type { EngineExports, StatePointer } from "./engine_exports.ts";
import { LUA_WASM, LUA_WASM_BYTES } from "./lua_wasm.ts";

/** Types of values, as `LuaState.type` gives them. */
export const TYPE_NONE = -1;
export const TYPE_NIL = 0;
export const TYPE_BOOLEAN = 1;
export const TYPE_LIGHT_USERDATA = 2;
export const TYPE_NUMBER = 3;
export const TYPE_STRING = 4;
export const TYPE_TABLE = 5;
export const TYPE_FUNCTION = 6;
export const TYPE_USERDATA = 7;
export const TYPE_THREAD = 8;

const TYPE_NAMES = [
  "nil",
  "boolean",
  "userdata",
  "number",
  "string",
  "table",
  "function",
  "userdata",
  "thread",
];

/** Places beside the stack that an index may name. */
export const REGISTRY = -10000;
export const GLOBALS = -10002;

/** What a table that a script returns is known by. */
export const MEANS_ARRAY = -1;
export const MEANS_ERROR = 0;
export const MEANS_STATUS = 1;
export const MEANS_DOUBLE = 2;
export const MEANS_BIG_NUMBER = 3;
export const MEANS_VERBATIM = 4;
export const MEANS_MAP = 5;
export const MEANS_SET = 6;

/** Results of a protected call. */
export const STATUS_OK = 0;
export const STATUS_ERROR = 2;
export const STATUS_SYNTAX = 3;
export const STATUS_MEMORY = 4;
/** Of `enter`: the call is not over, it goes on when the host lets it. */
export const STATUS_SUSPENDED = -1;
/** The call is to be gone on with in one that can be suspended. */
const STATUS_STOPPED = 1;

/** As a number of results: all that there are. */
export const ALL_RESULTS = -1;

const GC_COLLECT = 2;
const GC_STEP = 5;

/** Room for texts, and for the words of requests and the replies that are handed in, as long as they are small. */
const ROOM_BYTES = 16384;
const PAGE_BYTES = 65536;
/** Beside what Lua itself may allocate: the stack, constants, fragmentation. */
const OVERHEAD_PAGES = 256;
const FIRST_PAGES = 48;
const PAGES_MAX = 65535;
/** Beyond the limit, for reading what is left by a script that has taken all that it may have. */
const RESERVE_BYTES = 1 << 20;

/** Ends the running function of Lua with an error. */
export class LuaError extends Error {
  /**
   * @param hasPosition whether "source:line: " of the calling function comes before a text, as luaL_error
   *   has it; the error of an own value is on the top of the stack, and `text` null
   */
  constructor(readonly text: string | Uint8Array | null, readonly hasPosition = true) {
    super(typeof text === "string" ? text : "error of a script");
  }
}

/** The engine has ended in the middle of something: the state cannot be used any more. */
export class EngineFault extends Error {}

/** A function that Lua calls: reads its arguments at 1 to `top`, pushes results, answers how many. */
export type LuaFunction = (lua: LuaState) => number;

/** Runs the commands of scripts. */
export interface CommandRunner {
  /** Runs a command, whose words are good meanwhile: where its reply lies, alone. */
  callCommand(words: Words): ReplyWriter;
}

/** What the engine asks for when a script has done some amount of work. */
export interface Interrupter {
  /**
   * Whether to go on: true, or "suspend" to have everything wait for `untilResumed`, or throws a LuaError,
   * which ends the script. Only where `canSuspend`.
   */
  interrupt(lua: LuaState, canSuspend: boolean): boolean | "suspend";
  /** Resolves when the script is to go on. */
  untilResumed(): Promise<void>;
}

let compiled: WebAssembly.Module | null = null;

function module(): WebAssembly.Module {
  if (compiled !== null) return compiled;
  const packed = latin1(atob(LUA_WASM));
  const engine = new Uint8Array(LUA_WASM_BYTES);
  lzfDecompress(packed, 0, packed.length, engine, 0, engine.length);
  compiled = new WebAssembly.Module(engine);
  return compiled;
}

/** What WebAssembly has for suspending, which the library of types does not know yet. */
interface Suspension {
  Suspending?: new (work: () => Promise<void>) => WebAssembly.ImportValue;
  promising?(work: (L: StatePointer) => void): (L: StatePointer) => Promise<void>;
}

/** Whether this runtime can suspend scripts: those of a year ago could not. */
export function canSuspendScripts(): boolean {
  const { Suspending, promising } = WebAssembly as unknown as Suspension;
  return Suspending !== undefined && promising !== undefined;
}

const OVER = Promise.resolve();

/** What `promising` makes of a call, where there is nothing that could suspend it. */
function atOnce(work: (L: StatePointer) => void): (L: StatePointer) => Promise<void> {
  return (L) => {
    try {
      work(L);
      return OVER;
    } catch (error) {
      return Promise.reject(error);
    }
  };
}

export class LuaState {
  readonly #memory: WebAssembly.Memory;
  readonly #exports: EngineExports;
  readonly #main: StatePointer;
  readonly #resume: (L: StatePointer) => Promise<void>;
  /** Where the engine leaves how a script has ended, and what it takes. */
  readonly #taken: number;
  /** Where lengths are put by the engine. */
  readonly #lengthAt: number;
  /** Where bytes are put for the engine, and how many fit there. */
  #room = 0;
  #roomBytes = 0;
  readonly #functions: LuaFunction[] = [];
  readonly #literals = new Map<string, { address: number; length: number }>();
  #bytes!: Uint8Array<ArrayBuffer>;
  #ints!: Int32Array<ArrayBuffer>;
  #doubles!: Float64Array<ArrayBuffer>;
  readonly #commandWords = new Words();
  #commands: CommandRunner | null = null;
  /** The running coroutine. */
  #L: StatePointer;
  /** Nested calls of functions of the host, in which nothing can be suspended. */
  #hostDepth = 0;
  readonly #canSuspend = canSuspendScripts();
  #isEntered = false;
  #isSuspended = false;
  /** Beyond this `makeReady` collects: at least half of the room beside what was in use when it did last. */
  #fullBytes: number;

  /** @param bytesMax what scripts may allocate; beyond it they end with "not enough memory" */
  constructor(readonly bytesMax: number, readonly interrupter: Interrupter) {
    this.#fullBytes = bytesMax / 2;
    const pages = Math.ceil(bytesMax / PAGE_BYTES) + OVERHEAD_PAGES;
    this.#memory = new WebAssembly.Memory({
      initial: FIRST_PAGES,
      maximum: Math.min(PAGES_MAX, Math.max(FIRST_PAGES, pages)),
    });
    const { Suspending, promising } = WebAssembly as unknown as Suspension;
    const instance = new WebAssembly.Instance(module(), {
      env: { memory: this.#memory },
      host: {
        call: (L: number, id: number) => this.#callHost(L, id),
        command: (_L: number, count: number, at: number) => this.#runCommand(count, at),
        interrupt: (L: number) => this.#interrupt(L),
        suspend: Suspending === undefined ? () => {} : new Suspending(() => this.#suspend()),
        number: (at: number, value: number) => writeText(this.memory, at, formatDouble(value)) - at,
        panic: () => {
          throw new EngineFault("a script has failed outside of any protected call");
        },
      },
      wasi_snapshot_preview1: {
        fd_close: () => 8,
        fd_seek: () => 8,
        fd_write: () => 8,
        proc_exit: () => {
          throw new EngineFault("the engine has ended itself");
        },
      },
    });
    const exports = this.#exports = instance.exports as unknown as EngineExports;
    this.#resume = (this.#canSuspend ? promising! : atOnce)(exports.engine_resume);
    exports._initialize();
    this.#L = this.#main = exports.engine_new(bytesMax);
    this.#lengthAt = exports.malloc(8);
    if (this.#main === 0 || this.#lengthAt === 0) {
      throw new EngineFault("no memory for the engine of scripts");
    }
    this.#taken = exports.engine_taken();
    this.#makeRoom(ROOM_BYTES);
    this.#view();
    exports.engine_open(this.#main);
  }

  // -- memory ----------------------------------------------------------------------------

  /** Bytes that Lua has allocated. */
  get bytesUsed(): number {
    return this.#exports.engine_bytes_used() >>> 0;
  }

  /** Bytes of the engine's memory as a whole; it never becomes smaller. */
  get memoryBytes(): number {
    return this.memory.length;
  }

  #limitBytes(bytes: number): void {
    this.#exports.engine_limit(bytes);
  }

  collect(): void {
    this.#exports.lua_gc(this.#L, GC_COLLECT, 0);
  }

  /**
   * Makes it ready for another script, once what the last one has left has been read: collects all garbage if
   * there may be so much that it would lack the memory. The engine's own collector waits until there is twice
   * what was in use once, which can be beyond the limit.
   */
  makeReady(): void {
    if (this.memoryBytes <= this.bytesMax / 2) return;
    if (this.bytesUsed > this.#fullBytes) {
      this.collect();
      this.#fullBytes = (this.bytesUsed + this.bytesMax) / 2;
    }
    this.#limitBytes(this.bytesMax);
  }

  collectStep(size: number): void {
    this.#exports.lua_gc(this.#L, GC_STEP, size);
  }

  #view(): void {
    this.#bytes = new Uint8Array(this.#memory.buffer) as Uint8Array<ArrayBuffer>;
    this.#ints = new Int32Array(this.#memory.buffer) as Int32Array<ArrayBuffer>;
    this.#doubles = new Float64Array(this.#memory.buffer) as Float64Array<ArrayBuffer>;
  }

  /** The engine's memory; good until the engine next allocates something. */
  get memory(): Uint8Array<ArrayBuffer> {
    if (this.#bytes.length === 0) this.#view();
    return this.#bytes;
  }

  get #words(): Int32Array<ArrayBuffer> {
    if (this.#ints.length === 0) this.#view();
    return this.#ints;
  }

  // -- the stack -------------------------------------------------------------------------

  /** The number of values of the running function: also the index of the topmost. */
  get top(): number {
    return this.#exports.lua_gettop(this.#L);
  }

  /** Drops what is above, or fills up with nil. */
  set top(index: number) {
    this.#exports.lua_settop(this.#L, index);
  }

  pop(count = 1): void {
    this.#exports.lua_settop(this.#L, -count - 1);
  }

  /** Makes room for `extra` values beyond the 20 that are always there. @throws LuaError without room */
  checkStack(extra: number, text = "stack overflow"): void {
    if (this.#exports.lua_checkstack(this.#L, extra) === 0) throw new LuaError(text);
  }

  /** Whether there is room for `extra` more values; makes it. */
  hasRoom(extra: number): boolean {
    return this.#exports.lua_checkstack(this.#L, extra) !== 0;
  }

  /** Pushes what is at `index` once more. */
  pushValue(index: number): void {
    this.#exports.lua_pushvalue(this.#L, index);
  }

  /** Moves the topmost to `index`, what is there and above up. */
  insert(index: number): void {
    this.#exports.lua_insert(this.#L, index);
  }

  remove(index: number): void {
    this.#exports.lua_remove(this.#L, index);
  }

  /** Moves the topmost to `index`, in place of what is there. */
  replace(index: number): void {
    this.#exports.lua_replace(this.#L, index);
  }

  /** TYPE_*; TYPE_NONE beyond the top. */
  type(index: number): number {
    return this.#exports.lua_type(this.#L, index);
  }

  /** "table", "nil" …: the name of the type of what is at `index`. */
  typeName(index: number): string {
    return TYPE_NAMES[this.type(index)] ?? "no value";
  }

  // -- values ----------------------------------------------------------------------------

  pushNil(): void {
    this.#exports.lua_pushnil(this.#L);
  }

  pushBoolean(value: boolean): void {
    this.#exports.lua_pushboolean(this.#L, value ? 1 : 0);
  }

  pushNumber(value: number): void {
    this.#exports.lua_pushnumber(this.#L, value);
  }

  /** Pushes a string of these bytes. */
  pushBytes(bytes: Uint8Array, offset = 0, length = bytes.length - offset): void {
    const address = this.#placed(bytes, offset, length);
    this.#exports.lua_pushlstring(this.#L, address, length);
  }

  /** Pushes a string whose characters are bytes (Latin-1). */
  pushText(text: string): void {
    this.#exports.lua_pushlstring(this.#L, this.#placedText(text), text.length);
  }

  /** Pushes a string that is pushed often: its bytes are kept in the engine for good. */
  pushLiteral(text: string): void {
    const { address, length } = this.#literal(text);
    this.#exports.lua_pushlstring(this.#L, address, length);
  }

  /** Whether it is a number, or a string that reads as one. */
  isNumber(index: number): boolean {
    return this.#exports.lua_isnumber(this.#L, index) !== 0;
  }

  /** False for false and nil only. */
  toBoolean(index: number): boolean {
    return this.#exports.lua_toboolean(this.#L, index) !== 0;
  }

  /** The number at `index`, also of a string that reads as one; 0 for anything else. */
  toNumber(index: number): number {
    return this.#exports.lua_tonumber(this.#L, index);
  }

  /**
   * The bytes of the string at `index` where they lie: good until the engine is next called. A number
   * becomes a string on the stack (not while `next` walks over it). Null for any other value.
   */
  view(index: number): Uint8Array | null {
    const address = this.#exports.lua_tolstring(this.#L, index, this.#lengthAt);
    if (address === 0) return null;
    return this.memory.subarray(address, address + this.#words[this.#lengthAt >> 2]);
  }

  /** A copy of the bytes of the string (or number, as `view` says) at `index`. */
  bytes(index: number): Uint8Array<ArrayBuffer> | null {
    const view = this.view(index);
    return view === null ? null : view.slice() as Uint8Array<ArrayBuffer>;
  }

  /** The same as text of Latin-1. */
  text(index: number): string | null {
    const view = this.view(index);
    return view === null ? null : toLatin1(view);
  }

  /** Bytes of a string, or what `#` gives of a table. */
  length(index: number): number {
    return this.#exports.lua_objlen(this.#L, index);
  }

  /** Whether the values are the same, without metamethods. */
  rawEqual(a: number, b: number): boolean {
    return this.#exports.lua_rawequal(this.#L, a, b) !== 0;
  }

  /** A number that tells tables, functions and the like apart; 0 for other values. */
  identity(index: number): number {
    return this.#exports.lua_topointer(this.#L, index);
  }

  /** Writes a number as printf does with `format`, one of those kept in the engine. */
  format(format: string, value: number): string {
    const { address } = this.#literal(format + "\0");
    const room = this.#roomFor(ROOM_BYTES);
    const length = this.#exports.engine_format(room, ROOM_BYTES, address, value);
    return toLatin1(this.memory, room, length);
  }

  // -- values that are taken -----------------------------------------------------------------

  /**
   * Takes the value on the top: answers its type, and has it at `takenNumber` (a boolean as 0 or 1) or, of a
   * string, at `takenAddress` in `memory`. It is dropped, but for a table.
   */
  take(): number {
    return this.#exports.engine_take(this.#L);
  }

  /** Takes element `n` of the table on the top. */
  takeElement(n: number): number {
    return this.#exports.engine_take_element(this.#L, n);
  }

  get takenType(): number {
    return this.#words[(this.#taken >> 2) + 1];
  }

  get takenNumber(): number {
    if (this.#doubles.length === 0) this.#view();
    return this.#doubles[(this.#taken >> 3) + 2];
  }

  /** Good until the engine next allocates something. */
  get takenAddress(): number {
    return this.#words[(this.#taken >> 2) + 2];
  }

  get takenLength(): number {
    return this.#words[(this.#taken >> 2) + 3];
  }

  /** What the table on the top means as a reply, by the field that it has, which is pushed: MEANS_*. */
  pushMeaning(): number {
    return this.#exports.engine_meaning(this.#L);
  }

  // -- tables ----------------------------------------------------------------------------

  /** Pushes an empty table with room for `elements` at 1, 2 … and for `fields` others. */
  newTable(elements = 0, fields = 0): void {
    this.#exports.lua_createtable(this.#L, elements, fields);
  }

  /** Replaces the key on the top by what the table at `index` has of it, without metamethods. */
  rawGet(index: number): void {
    this.#exports.lua_rawget(this.#L, index);
  }

  /** Pushes element `n`, without metamethods. */
  rawGetIndex(index: number, n: number): void {
    this.#exports.lua_rawgeti(this.#L, index, n);
  }

  /** Sets a field to the topmost value, its key below it, and drops both; without metamethods. */
  rawSet(index: number): void {
    this.#exports.lua_rawset(this.#L, index);
  }

  /** Sets element `n` to the topmost value and drops it; without metamethods. */
  rawSetIndex(index: number, n: number): void {
    this.#exports.lua_rawseti(this.#L, index, n);
  }

  /** As `rawGet`, with metamethods. */
  getTable(index: number): void {
    this.#exports.lua_gettable(this.#L, index);
  }

  /** As `rawSet`, with metamethods. */
  setTable(index: number): void {
    this.#exports.lua_settable(this.#L, index);
  }

  /** Pushes the field of that name, without metamethods. */
  getField(index: number, name: string): void {
    this.pushLiteral(name);
    this.#exports.lua_rawget(this.#L, index < 0 && index > REGISTRY ? index - 1 : index);
  }

  /** Sets the field of that name to the topmost value and drops it, without metamethods. */
  setField(index: number, name: string): void {
    this.pushLiteral(name);
    this.insert(-2);
    this.#exports.lua_rawset(this.#L, index < 0 && index > REGISTRY ? index - 1 : index);
  }

  /** Sets the global of that name to the topmost value and drops it. */
  setGlobal(name: string): void {
    this.setField(GLOBALS, name);
  }

  /** Replaces the key on the top by the next key and its value; false, and nothing pushed, at the end. */
  next(index: number): boolean {
    return this.#exports.lua_next(this.#L, index) !== 0;
  }

  /** Pushes the metatable of what is at `index`; false, and nothing pushed, where it has none. */
  getMetatable(index: number): boolean {
    return this.#exports.lua_getmetatable(this.#L, index) !== 0;
  }

  /** Gives the table at `index` the metatable on the top, and drops that. */
  setMetatable(index: number): void {
    this.#exports.lua_setmetatable(this.#L, index);
  }

  /** From now on nothing in the table at `index` can be changed by anybody, nor its metatable. */
  setReadOnly(index: number, isReadOnly: boolean): void {
    this.#exports.lua_setreadonly(this.#L, index, isReadOnly ? 1 : 0);
  }

  isReadOnly(index: number): boolean {
    return this.#exports.lua_isreadonly(this.#L, index) !== 0;
  }

  /** Pushes the table in which the function at `index` looks up globals. */
  getEnvironment(index: number): void {
    this.#exports.lua_getfenv(this.#L, index);
  }

  /** Gives the function at `index` the table on the top for its globals, and drops that. */
  setEnvironment(index: number): void {
    this.#exports.lua_setfenv(this.#L, index);
  }

  /** Keeps the topmost value, and drops it: the number by which `pushRef` finds it. */
  ref(): number {
    return this.#exports.luaL_ref(this.#L, REGISTRY);
  }

  unref(ref: number): void {
    this.#exports.luaL_unref(this.#L, REGISTRY, ref);
  }

  pushRef(ref: number): void {
    this.#exports.lua_rawgeti(this.#L, REGISTRY, ref);
  }

  // -- functions -------------------------------------------------------------------------

  /** Makes a function callable from Lua; there is no way to undo it. */
  pushFunction(work: LuaFunction): void {
    this.#functions.push(work);
    this.#exports.engine_push_function(this.#L, this.#functions.length - 1);
  }

  /** Sets functions as fields of the table on the top. */
  register(functions: Readonly<Record<string, LuaFunction>>): void {
    for (const [name, work] of Object.entries(functions)) {
      this.pushFunction(work);
      this.setField(-2, name);
    }
  }

  /** Compiles a chunk and pushes it as a function, or pushes the error: STATUS_*. */
  load(source: Uint8Array, name: string): number {
    const address = this.#placed(source, 0, source.length);
    const chunkName = this.#literal(name + "\0").address;
    return this.#exports.luaL_loadbuffer(this.#L, address, source.length, chunkName);
  }

  /** Calls the function below its `args` arguments, which its results replace; errors go through. */
  call(args: number, results: number): void {
    this.#exports.lua_call(this.#L, args, results);
  }

  /** The same, but an error ends here: STATUS_*, and its value on the stack in place of results. */
  protectedCall(args: number, results: number): number {
    return this.#collected(this.#exports.lua_pcall(this.#L, args, results, 0));
  }

  /** After an error for lack of memory: what it leaves behind is given up at once. */
  #collected(status: number): number {
    if (status === STATUS_MEMORY) this.collect();
    return status;
  }

  /** Of a script that is over, but for what it has left: to read that takes some memory too. */
  #readable(status: number): number {
    if (this.memoryBytes > this.bytesMax / 2) this.#limitBytes(this.bytesMax + RESERVE_BYTES);
    return this.#collected(status);
  }

  /**
   * Copies words of a request, the first of them at `first`, to where the next `enter` expects them. False
   * without memory for them.
   */
  giveWords({ bytes, starts, lengths }: Words, first: number, count: number): boolean {
    let size = count * 4;
    for (let i = first; i < first + count; i++) size += lengths[i];
    let at = this.#tryRoom(size);
    if (at === 0) return false;
    const { memory } = this;
    const ints = this.#words;
    const lengthsAt = at >> 2;
    at += count * 4;
    for (let i = 0; i < count; i++) {
      const length = ints[lengthsAt + i] = lengths[first + i];
      copyBytes(memory, at, bytes, starts[first + i], length);
      at += length;
    }
    return true;
  }

  /**
   * A protected call, from outside of everything, of the function of reference `ref`. The words that were given,
   * `keys` and `args` of them, are two tables: its arguments, or the globals KEYS and ARGV.
   *
   * It can be suspended: then it answers STATUS_SUSPENDED, and calls `whenOver` with the status once it is over.
   * Its result is taken (`takenType`; of STATUS_OK). An error is a table with `err`, and `source` and `line` where
   * that is known.
   * @throws EngineFault when the engine has ended
   */
  enter(
    ref: number,
    keys: number,
    args: number,
    setsGlobals: boolean,
    whenOver: (status: number | EngineFault) => void,
  ): number {
    const begun = this.#begin(ref, keys, args, setsGlobals);
    if (begun !== STATUS_STOPPED) return this.#readable(begun);
    this.#isEntered = true;
    const ended = this.#resume(this.#L);
    const status = this.#endStatus;
    if (status !== STATUS_SUSPENDED) {
      this.#isEntered = false;
      return this.#readable(status);
    }
    const fault = new EngineFault("the engine of scripts has failed");
    const isSuspended = this.#isSuspended;
    ended.then(
      () => {
        this.#isEntered = false;
        whenOver(this.#readable(this.#endStatus));
      },
      (error) => {
        fault.cause = error;
        this.#isEntered = false;
        if (isSuspended) whenOver(fault);
      },
    );
    if (isSuspended) return status;
    throw fault;
  }

  /** Most scripts are over before they would have to be suspended, and to be able to takes a while. */
  #begin(ref: number, keys: number, args: number, setsGlobals: boolean): number {
    try {
      this.#exports.engine_enter(this.#L, ref, keys, args, setsGlobals ? 1 : 0);
    } catch (error) {
      throw new EngineFault("the engine of scripts has failed", { cause: error });
    }
    return this.#endStatus;
  }

  get #endStatus(): number {
    return this.#words[this.#taken >> 2];
  }

  /** Has the interrupter asked after every so many instructions of the running coroutine. */
  askEvery(instructions: number): void {
    this.#exports.engine_ask_every(this.#L, instructions);
  }

  /** Puts the sequence of math.random back to its beginning. */
  reseed(): void {
    this.#exports.engine_reseed();
  }

  /** Where the function at `level` is (0 the running one, 1 its caller); line -1 where Lua has none. */
  where(level: number): { source: string; line: number } | null {
    const line = this.#exports.engine_where(this.#L, level);
    if (line === -1 && this.type(-1) !== TYPE_STRING) return null;
    const source = this.text(-1)!;
    this.pop();
    return { source, line };
  }

  // -- errors ----------------------------------------------------------------------------

  /** Raises the value on the top. Does not return. */
  raise(): never {
    throw new LuaError(null);
  }

  /** "bad argument #1 to 'name' (text)", as luaL_argerror words it. Does not return. */
  argumentError(index: number, text: string): never {
    const address = this.#placedText(text.slice(0, 1000) + "\0");
    this.#exports.luaL_argerror(this.#L, index, address);
    throw new EngineFault("an error was not raised");
  }

  /** "bad argument #1 to 'name' (expected expected, got …)". Does not return. */
  typeError(index: number, expected: string): never {
    this.#exports.luaL_typerror(this.#L, index, this.#literal(expected + "\0").address);
    throw new EngineFault("an error was not raised");
  }

  /** A number, or a string that reads as one. @throws what Lua's own functions do otherwise */
  checkNumber(index: number): number {
    return this.#exports.luaL_checknumber(this.#L, index);
  }

  /** The same, `otherwise` where there is nothing or nil. */
  optionalNumber(index: number, otherwise: number): number {
    return this.#exports.luaL_optnumber(this.#L, index, otherwise);
  }

  /** A string or a number as one: as `view`. @throws what Lua's own functions do otherwise */
  checkView(index: number): Uint8Array {
    const address = this.#exports.luaL_checklstring(this.#L, index, this.#lengthAt);
    return this.memory.subarray(address, address + this.#words[this.#lengthAt >> 2]);
  }

  /** @throws what Lua's own functions do when the type is another */
  checkType(index: number, type: number): void {
    this.#exports.luaL_checktype(this.#L, index, type);
  }

  /** @throws what Lua's own functions do when there is nothing, not even nil */
  checkAny(index: number): void {
    this.#exports.luaL_checkany(this.#L, index);
  }

  // -- the words of a call -----------------------------------------------------------------

  /** Has `redis.call` and its like run their commands. */
  set commands(runner: CommandRunner) {
    this.#commands = runner;
  }

  /** Pushes `redis.call`, or `redis.pcall`. */
  pushCommandFunction(isProtected: boolean): void {
    this.#exports.engine_push_command(this.#L, isProtected ? 1 : 0);
  }

  /**
   * Puts where the bytes of all values of the running function lie into `words`, as `redis.call` takes them:
   * how many there are, or -1 - n where value n (from 0) is neither string nor number. Good until the
   * engine is next called.
   */
  readWords(words: Words): number {
    const count = this.#exports.engine_read_words(this.#L);
    if (count >= 0) this.#showWords(words, count, this.#exports.engine_words());
    return count;
  }

  #showWords(words: Words, count: number, address: number): void {
    words.clear();
    words.bytes = this.memory;
    words.isScattered = true;
    while (words.starts.length < count) words.grow();
    const { starts, lengths } = words;
    const ints = this.#words;
    let at = address >> 2;
    for (let i = 0; i < count; i++) {
      starts[i] = ints[at++];
      lengths[i] = ints[at++];
    }
    words.count = count;
  }

  /** Called by the engine: runs a command and puts its reply into the room; 0 without memory for it. */
  #runCommand(count: number, address: number): number {
    const words = this.#commandWords;
    this.#showWords(words, count, address);
    const reply = this.#commands!.callCommand(words);
    return reply.fullChunks === 0 ? this.#put(reply.bytes, reply.length) : this.#putChunks(reply);
  }

  #put(bytes: Uint8Array, length: number): number {
    const room = this.#tryRoom(length);
    if (room !== 0) copyBytes(this.memory, room, bytes, 0, length);
    return room;
  }

  #putChunks(reply: ReplyWriter): number {
    const room = this.#tryRoom(reply.pendingBytes);
    let at = room;
    for (let chunk = reply.takeChunk(); chunk !== null; chunk = reply.takeChunk()) {
      if (room !== 0) copyBytes(this.memory, at, chunk, 0, reply.chunkLength);
      at += reply.chunkLength;
      recycleChunk(chunk);
    }
    return room;
  }

  /** Pushes an error as a table; `text` begins with "-" and a code, or has none and gets ERR. */
  pushErrorTable(text: string): void {
    this.#exports.engine_push_error(this.#L, this.#placedText(text), text.length);
  }

  // -- inside ------------------------------------------------------------------------------

  /** Room for so many bytes; what was in it is gone. @throws LuaError when there is no memory for it */
  #roomFor(size: number): number {
    const room = this.#tryRoom(size);
    if (room === 0) throw new LuaError("not enough memory", false);
    return room;
  }

  /** The same, or 0. A large one is kept as long as large ones are asked for. */
  #tryRoom(size: number): number {
    if (size <= this.#roomBytes && (this.#roomBytes === ROOM_BYTES || size > ROOM_BYTES)) {
      return this.#room;
    }
    return this.#makeRoom(Math.max(size, ROOM_BYTES));
  }

  #makeRoom(size: number): number {
    this.#room = this.#exports.engine_make_room(size) >>> 0;
    this.#roomBytes = this.#room === 0 ? 0 : size;
    return this.#room;
  }

  /** Copies bytes into the room: where to. */
  #placed(bytes: Uint8Array, offset: number, length: number): number {
    const room = this.#roomFor(length);
    copyBytes(this.memory, room, bytes, offset, length);
    return room;
  }

  #placedText(text: string): number {
    const room = this.#roomFor(text.length);
    writeText(this.memory, room, text);
    return room;
  }

  #literal(text: string): { address: number; length: number } {
    const known = this.#literals.get(text);
    if (known !== undefined) return known;
    const address = this.#exports.malloc(text.length + 1);
    if (address === 0) throw new LuaError("not enough memory", false);
    writeText(this.memory, address, text);
    const literal = { address, length: text.length };
    this.#literals.set(text, literal);
    return literal;
  }

  /** Calls a function that Lua has called: the number of results, -1 for an error on the top. */
  #callHost(L: StatePointer, id: number): number {
    const before = this.#L;
    this.#L = L;
    this.#hostDepth++;
    try {
      return this.#functions[id](this);
    } catch (error) {
      if (!(error instanceof LuaError)) throw error;
      return this.#pushError(error);
    } finally {
      this.#hostDepth--;
      this.#L = before;
    }
  }

  #pushError({ text, hasPosition }: LuaError): number {
    if (text === null) return -1;
    if (typeof text === "string") this.pushText(text);
    else this.pushBytes(text);
    if (hasPosition) this.#exports.engine_error(this.#L);
    return -1;
  }

  /** Asked by the engine: 0 to go on, 1 for an error on the top, 2 to be suspended. */
  #interrupt(L: StatePointer): number {
    const before = this.#L;
    this.#L = L;
    try {
      const canSuspend = this.#canSuspend && this.#isEntered && this.#hostDepth === 0;
      const answer = this.interrupter.interrupt(this, canSuspend);
      return answer === "suspend" ? 2 : 0;
    } catch (error) {
      if (!(error instanceof LuaError)) throw error;
      this.#pushError(error);
      return 1;
    } finally {
      this.#L = before;
    }
  }

  async #suspend(): Promise<void> {
    this.#isSuspended = true;
    await this.interrupter.untilResumed();
    this.#isSuspended = false;
  }
}
