/**
 * The world of a script: the globals that it sees, all of them closed to changes, so that no script leaves
 * anything behind for another. Two worlds, as in Redis: that of EVAL, and that of functions, where a library
 * that is being loaded sees next to nothing.
 */

import {
  GLOBALS,
  type Interrupter,
  LuaError,
  LuaState,
  TYPE_NUMBER,
  TYPE_STRING,
  TYPE_TABLE,
} from "./lua_state.ts";
import { RedisApi, type ScriptHost, setLogAndVersion } from "./redis_api.ts";

/** After so much work the interrupter is asked. */
const INSTRUCTIONS_BETWEEN = 100_000;

/** The state in which the scripts of EVAL run. */
export function newScriptState(
  bytesMax: number,
  interrupter: Interrupter,
  host: ScriptHost,
): LuaState {
  const lua = new LuaState(bytesMax, interrupter);
  const api = new RedisApi(lua, host);
  api.pushTable();
  api.addEvalFunctions();
  lua.setField(GLOBALS, "redis");
  lua.pushValue(GLOBALS);
  refuseUnknownNames(lua);
  closeAll(lua);
  lua.pop();
  closeStrings(lua);
  lua.askEvery(INSTRUCTIONS_BETWEEN);
  return lua;
}

/** The state of functions, and how a library is let into it. */
export class FunctionState {
  readonly lua: LuaState;
  /** What functions see, what a library sees while it is loaded, and the table that says which of the two. */
  readonly #globals: number;
  readonly #loadGlobals: number;
  readonly #switch: number;

  /** @param register called as `redis.register_function`, by whatever library is being loaded */
  constructor(
    bytesMax: number,
    interrupter: Interrupter,
    host: ScriptHost,
    register: (lua: LuaState) => number,
  ) {
    const lua = this.lua = new LuaState(bytesMax, interrupter);
    new RedisApi(lua, host).pushTable();
    lua.setField(GLOBALS, "redis");
    lua.newTable(0, 1);
    lua.newTable(0, 8);
    lua.register({ register_function: register });
    setLogAndVersion(lua, host);
    refuseUnknownNames(lua);
    lua.setField(-2, "redis");
    refuseUnknownNames(lua);
    closeAll(lua);
    this.#loadGlobals = lua.ref();
    lua.pushValue(GLOBALS);
    refuseUnknownNames(lua);
    closeAll(lua);
    lua.pushValue(-1);
    this.#globals = lua.ref();
    // From here on the globals are an empty table, and what it falls back on can be changed.
    lua.newTable();
    lua.newTable(0, 1);
    lua.pushValue(-3);
    lua.setField(-2, "__index");
    lua.pushValue(-1);
    this.#switch = lua.ref();
    lua.setReadOnly(-1, true);
    lua.setMetatable(-2);
    lua.setReadOnly(-1, true);
    lua.replace(GLOBALS);
    lua.pop();
    closeStrings(lua);
    lua.askEvery(INSTRUCTIONS_BETWEEN);
  }

  /** Runs `load` while globals are those of a library that is being loaded. */
  whileLoading<T>(load: () => T): T {
    this.#show(this.#loadGlobals);
    try {
      return load();
    } finally {
      this.#show(this.#globals);
    }
  }

  #show(globals: number): void {
    const { lua } = this;
    lua.pushRef(this.#switch);
    lua.setReadOnly(-1, false);
    lua.pushRef(globals);
    lua.setField(-2, "__index");
    lua.setReadOnly(-1, true);
    lua.pop();
  }
}

/** Closes what strings have for methods, which all scripts share and no global names. */
function closeStrings(lua: LuaState): void {
  lua.pushText("");
  if (lua.getMetatable(-1)) {
    closeAll(lua);
    lua.pop();
  }
  lua.pop();
}

/** From now on reading a name that the table on the top does not have is an error. */
function refuseUnknownNames(lua: LuaState): void {
  lua.newTable(0, 1);
  lua.pushFunction(unknownName);
  lua.setField(-2, "__index");
  lua.setMetatable(-2);
}

function unknownName(lua: LuaState): number {
  if (lua.top !== 2) throw new LuaError("Wrong number of arguments to luaProtectedTableError");
  const type = lua.type(2);
  if (type !== TYPE_STRING && type !== TYPE_NUMBER) {
    throw new LuaError("Second argument to luaProtectedTableError must be a string or number");
  }
  const name = lua.text(2);
  throw new LuaError(`Script attempted to access nonexistent global variable '${name}'`);
}

/** Closes the table on the top and all that can be reached from it, metatables too. */
function closeAll(lua: LuaState): void {
  if (lua.isReadOnly(-1)) return;
  lua.setReadOnly(-1, true);
  lua.checkStack(4);
  lua.pushNil();
  while (lua.next(-2)) {
    if (lua.type(-1) === TYPE_TABLE) closeAll(lua);
    lua.pop();
  }
  if (lua.getMetatable(-1)) {
    closeAll(lua);
    lua.pop();
  }
}
