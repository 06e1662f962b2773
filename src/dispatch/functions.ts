/**
 * Functions: what the libraries of a dataset define. The keyspace has the sources (function_libraries.ts), so
 * they are saved and replicated with it; here they are compiled, once somebody asks for one of them, and anew
 * when another dataset has taken their place.
 *
 * @see {@link https://redis.io/docs/latest/develop/programmability/functions-intro/}
 */

import type { FunctionLibraries } from "../keyspace/function_libraries.ts";
import { ReplyError } from "../resp/reply_error.ts";
import {
  LuaError,
  type LuaState,
  STATUS_OK,
  TYPE_FUNCTION,
  TYPE_NIL,
  TYPE_NUMBER,
  TYPE_STRING,
  TYPE_TABLE,
} from "../scripting/lua_state.ts";
import { FunctionState } from "../scripting/sandbox.ts";
import { readShebang, scriptFlag } from "../scripting/script_flags.ts";
import type { Call } from "./call.ts";
import type { Scripts } from "./scripts.ts";

/** A library that takes longer to load does more than register functions. */
const LOAD_MS_MAX = 500;
const INSTRUCTIONS_BETWEEN = 100_000;

const BAD_NAME =
  "Library names can only contain letters, numbers, or underscores(_) and must be at " +
  "least one character long";

export interface LibraryFunction {
  readonly name: string;
  readonly description: string | null;
  /** SCRIPT_* bits. */
  readonly flags: number;
  /** Of the function in the engine. */
  readonly ref: number;
}

export interface FunctionLibrary {
  readonly name: string;
  readonly code: Uint8Array;
  readonly functions: Map<string, LibraryFunction>;
}

export class Functions {
  #state: FunctionState | null = null;
  /** Libraries by name, functions by name in lower case; those of the keyspace as of version `#builtVersion`. */
  #libraries = new Map<string, FunctionLibrary>();
  #byName = new Map<string, LibraryFunction>();
  #builtVersion = -1;
  /** The library that is being loaded, and until when it may be. */
  #loading: Map<string, LibraryFunction> | null = null;
  #loadEndsMs = Infinity;

  readonly #sources: FunctionLibraries;

  /** Those of `sources`. */
  constructor(readonly scripts: Scripts, sources: FunctionLibraries) {
    this.#sources = sources;
  }

  get #server() {
    return this.scripts.dispatcher.server;
  }

  /** Bytes that functions have allocated. */
  get engineBytes(): number {
    return this.#state?.lua.bytesUsed ?? 0;
  }

  get #engine(): FunctionState {
    return this.#state ??= new FunctionState(
      this.scripts.bytesMax,
      this.scripts,
      this.scripts,
      (lua) => this.#register(lua),
    );
  }

  /** Throws the engine away; libraries are compiled anew when one is needed. */
  forgetEngine(): void {
    this.#state = null;
    this.#builtVersion = -1;
  }

  /** The libraries, compiled. */
  get libraries(): ReadonlyMap<string, FunctionLibrary> {
    this.#build();
    return this.#libraries;
  }

  /** How many functions there are; compiles them. */
  get count(): number {
    this.#build();
    return this.#byName.size;
  }

  /** Compiles what is in the keyspace, unless that has been done. */
  #build(): void {
    const sources = this.#sources;
    if (this.#builtVersion === sources.version) return;
    this.#libraries = new Map();
    this.#byName = new Map();
    this.#state = null;
    for (const code of sources.codes) {
      try {
        this.#link(this.#compile(code, Infinity));
      } catch (error) {
        if (!(error instanceof ReplyError)) throw error;
        this.#server.log.warning(`A function library cannot be used: ${error.text}`);
      }
    }
    this.#builtVersion = sources.version;
  }

  #link(library: FunctionLibrary): void {
    this.#libraries.set(library.name, library);
    for (const each of library.functions.values()) this.#byName.set(key(each.name), each);
  }

  #unlink(library: FunctionLibrary): void {
    this.#libraries.delete(library.name);
    for (const { name } of library.functions.values()) this.#byName.delete(key(name));
  }

  #letGo(library: FunctionLibrary): void {
    for (const { ref } of library.functions.values()) this.#state?.lua.unref(ref);
  }

  // -- calls -------------------------------------------------------------------------------

  /** The flags of a function; null when there is none of that name. */
  flagsOf(name: string): number | null {
    this.#build();
    return this.#byName.get(key(name))?.flags ?? null;
  }

  /** FCALL and FCALL_RO. @throws ReplyError */
  call(call: Call, isReadOnly: boolean): void {
    this.#build();
    const { scripts } = this;
    const { words, client } = call;
    const found = this.#byName.get(key(words.text(1)));
    if (found === undefined) throw new ReplyError("ERR Function not found");
    const keys = scripts.keyCount(call, "ERR Bad number of keys provided");
    const { name, flags, ref } = found;
    scripts.checkFlags(client, flags, isReadOnly);
    const { lua } = this.#engine;
    scripts.enter(call, lua, ref, keys, name, false, flags, isReadOnly);
  }

  // -- libraries -----------------------------------------------------------------------------

  /** FUNCTION LOAD: the library's name. @throws ReplyError, and nothing has changed */
  load(code: Uint8Array, replaces: boolean, isObeyed: boolean): string {
    this.#build();
    const name = nameOf(code);
    const old = this.#libraries.get(name);
    if (old !== undefined && !replaces) {
      throw new ReplyError(`ERR Library '${name}' already exists`);
    }
    if (old !== undefined) this.#unlink(old);
    try {
      const library = this.#compile(code, isObeyed ? Infinity : LOAD_MS_MAX);
      this.#refuseCollisions(library, this.#byName);
      this.#link(library);
    } catch (error) {
      if (old !== undefined) this.#link(old);
      throw error;
    }
    if (old !== undefined) this.#letGo(old);
    this.#sources.set(name, code);
    this.#builtVersion = this.#sources.version;
    return name;
  }

  #refuseCollisions(library: FunctionLibrary, others: ReadonlyMap<string, unknown>): void {
    for (const { name } of library.functions.values()) {
      if (others.has(key(name))) {
        this.#letGo(library);
        throw new ReplyError(`ERR Function ${name} already exists`);
      }
    }
  }

  /** FUNCTION DELETE. @throws ReplyError */
  delete(name: string): void {
    this.#build();
    const library = this.#libraries.get(name);
    if (library === undefined) throw new ReplyError("ERR Library not found");
    this.#unlink(library);
    this.#letGo(library);
    this.#sources.delete(name);
    this.#builtVersion = this.#sources.version;
  }

  /** FUNCTION FLUSH. */
  flush(): void {
    this.#sources.clear();
    this.#libraries.clear();
    this.#byName.clear();
    this.#state = null;
    this.#builtVersion = this.#sources.version;
  }

  /** FUNCTION RESTORE. @throws ReplyError, and nothing has changed */
  restore(codes: readonly Uint8Array[], policy: "append" | "replace" | "flush"): void {
    this.#build();
    const restored = this.#compileAll(codes);
    const libraries = policy === "flush" ? new Map() : new Map(this.#libraries);
    for (const { name } of restored) {
      if (libraries.has(name) && policy === "append") {
        throw new ReplyError(`ERR Library ${name} already exists`);
      }
      libraries.delete(name);
    }
    const names = new Set<string>();
    for (const { functions } of libraries.values()) {
      for (const name of functions.keys()) names.add(key(name));
    }
    for (const library of restored) {
      for (const name of library.functions.keys()) {
        if (names.has(key(name))) throw new ReplyError(`ERR Function ${name} already exists`);
      }
    }
    if (policy === "flush") this.#sources.clear();
    for (const { name, code } of restored) this.#sources.set(name, code);
    this.#build();
  }

  /** Compiles the libraries of a payload, which must not be in each other's way. */
  #compileAll(codes: readonly Uint8Array[]): FunctionLibrary[] {
    const libraries: FunctionLibrary[] = [];
    const names = new Set<string>();
    try {
      for (const code of codes) {
        const name = nameOf(code);
        if (libraries.some((other) => other.name === name)) {
          throw new ReplyError(`ERR Library '${name}' already exists`);
        }
        const library = this.#compile(code, Infinity);
        libraries.push(library);
        for (const each of library.functions.keys()) {
          if (names.has(key(each))) throw new ReplyError(`ERR Function ${each} already exists`);
          names.add(key(each));
        }
      }
      return libraries;
    } finally {
      for (const library of libraries) this.#letGo(library);
    }
  }

  /** Runs a library's source, which registers its functions. @throws ReplyError */
  #compile(code: Uint8Array, msMax: number): FunctionLibrary {
    const name = nameOf(code);
    const engine = this.#engine;
    const { lua } = engine;
    const functions = new Map<string, LibraryFunction>();
    const library = { name, code, functions };
    const source = code.subarray(code.indexOf(10));
    let text: string | null = null;
    engine.whileLoading(() => {
      if (lua.load(source, "@user_function") !== STATUS_OK) {
        text = `ERR Error compiling function: ${lua.text(-1)}`;
        return;
      }
      this.#loading = functions;
      this.#loadEndsMs = this.#server.clock.monotonic() + msMax;
      if (lua.protectedCall(0, 0) !== STATUS_OK) {
        text = `ERR Error registering functions: ${errorText(lua)}`;
      }
    });
    this.#loading = null;
    lua.top = 0;
    lua.askEvery(INSTRUCTIONS_BETWEEN);
    if (text === null && functions.size === 0) text = "ERR No functions registered";
    if (text !== null) {
      this.#letGo(library);
      throw new ReplyError(text);
    }
    return library;
  }

  /** Asked now and then while no script runs: ends a library that does not come to its end. */
  checkLoadTime(lua: LuaState): void {
    if (this.#loading === null || this.#server.clock.monotonic() < this.#loadEndsMs) return;
    lua.askEvery(1);
    lua.pushErrorTable("FUNCTION LOAD timeout");
    throw new LuaError(null);
  }

  // -- redis.register_function -----------------------------------------------------------------

  #register(lua: LuaState): number {
    const functions = this.#loading;
    if (functions === null) {
      fail(lua, "redis.register_function can only be called on FUNCTION LOAD command");
    }
    const { top } = lua;
    if (top < 1 || top > 2) {
      fail(lua, "wrong number of arguments to redis.register_function");
    }
    const registered = top === 1 ? readNamedArguments(lua) : readPlainArguments(lua);
    const { name, ref } = registered;
    const problem = !isGoodName(name)
      ? BAD_NAME
      : functions.has(name)
      ? "Function already exists in the library"
      : null;
    if (problem !== null) {
      lua.unref(ref);
      fail(lua, problem);
    }
    functions.set(name, registered);
    return 0;
  }
}

/** A function's name as it is looked up: in any case. */
function key(name: string): string {
  return name.toLowerCase();
}

function fail(lua: LuaState, text: string): never {
  lua.pushErrorTable(text);
  return lua.raise();
}

function readPlainArguments(lua: LuaState): LibraryFunction {
  const name = isText(lua, 1) ? lua.text(1) : null;
  if (name === null) fail(lua, "first argument to redis.register_function must be a string");
  if (lua.type(2) !== TYPE_FUNCTION) {
    fail(lua, "second argument to redis.register_function must be a function");
  }
  return { name, description: null, flags: 0, ref: lua.ref() };
}

function isText(lua: LuaState, index: number): boolean {
  const type = lua.type(index);
  return type === TYPE_STRING || type === TYPE_NUMBER;
}

/** What the named arguments are called, in lower case, and what reads one from the top of the stack. */
function readNamedArguments(lua: LuaState): LibraryFunction {
  if (lua.type(1) !== TYPE_TABLE) {
    fail(
      lua,
      "calling redis.register_function with a single argument is only applicable to Lua table " +
        "(representing named arguments).",
    );
  }
  let name: string | null = null;
  let description: string | null = null;
  let flags = 0;
  let ref: number | null = null;
  const refuse = (text: string): never => {
    if (ref !== null) lua.unref(ref);
    return fail(lua, text);
  };
  lua.pushNil();
  while (lua.next(1)) {
    if (!isText(lua, -2)) {
      refuse("named argument key given to redis.register_function is not a string");
    }
    // A number as key must stay one while the table is walked over.
    lua.pushValue(-2);
    const argument = key(lua.text(-1)!);
    lua.pop();
    switch (argument) {
      case "function_name":
        if (!isText(lua, -1)) {
          refuse("function_name argument given to redis.register_function must be a string");
        }
        name = lua.text(-1);
        break;
      case "description":
        if (!isText(lua, -1)) {
          refuse("description argument given to redis.register_function must be a string");
        }
        description = lua.text(-1);
        break;
      case "callback":
        if (lua.type(-1) !== TYPE_FUNCTION) {
          refuse("callback argument given to redis.register_function must be a function");
        }
        if (ref !== null) lua.unref(ref);
        ref = lua.ref();
        continue;
      case "flags": {
        if (lua.type(-1) !== TYPE_TABLE) {
          refuse(
            "flags argument to redis.register_function must be a table representing function flags",
          );
        }
        const bits = readFlags(lua);
        if (bits === null) refuse("unknown flag given");
        flags = bits!;
        break;
      }
      default:
        refuse("unknown argument given to redis.register_function");
    }
    lua.pop();
  }
  if (name === null) refuse("redis.register_function must get a function name argument");
  if (ref === null) fail(lua, "redis.register_function must get a callback argument");
  return { name: name!, description, flags, ref };
}

/** The flags in the table on the top; null when one is unknown. */
function readFlags(lua: LuaState): number | null {
  let flags = 0;
  for (let i = 1;; i++) {
    lua.pushNumber(i);
    lua.getTable(-2);
    if (lua.type(-1) === TYPE_NIL) break;
    const bit = isText(lua, -1) ? scriptFlag(lua.text(-1)!.toLowerCase()) : 0;
    if (bit === 0) return null;
    flags |= bit;
    lua.pop();
  }
  lua.pop();
  return flags;
}

/** The text of the error on the top, as an error that scripts end with has it. */
function errorText(lua: LuaState): string {
  if (lua.type(-1) !== TYPE_TABLE) return `ERR ${lua.text(-1)}`;
  lua.getField(-1, "err");
  const text = lua.text(-1) ?? "(null)";
  lua.pop();
  return text;
}

function isGoodName(name: string): boolean {
  return /^[A-Za-z0-9_]+$/.test(name);
}

/** The name in the first line of a library. @throws ReplyError when that line is not as it has to be */
function nameOf(code: Uint8Array): string {
  const shebang = readShebang(code);
  if (shebang === null) throw new ReplyError("ERR Missing library metadata");
  if (typeof shebang === "string") throw new ReplyError("ERR Invalid library metadata");
  let name: string | null = null;
  for (const option of shebang.options) {
    if (!/^name=/i.test(option)) {
      throw new ReplyError(`ERR Invalid metadata value given: ${option}`);
    }
    if (name !== null) {
      throw new ReplyError(
        "ERR Invalid metadata value, name argument was given multiple times",
      );
    }
    name = option.slice("name=".length);
  }
  if (name === null) throw new ReplyError("ERR Library name was not given");
  if (!isGoodName(name)) throw new ReplyError(`ERR ${BAD_NAME}`);
  if (shebang.engine.toLowerCase() !== "lua") {
    throw new ReplyError(`ERR Engine '${shebang.engine}' not found`);
  }
  return name;
}
