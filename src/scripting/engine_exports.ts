/** The functions of the engine, as tools/lua/engine.c and the C API of Lua 5.1 define them. */

/** A lua_State: an address. */
export type StatePointer = number;

export interface EngineExports {
  readonly __stack_pointer: WebAssembly.Global;
  _initialize(): void;
  malloc(size: number): number;
  free(address: number): void;

  engine_new(bytesMax: number): StatePointer;
  engine_bytes_used(): number;
  engine_limit(bytesMax: number): void;
  engine_open(L: StatePointer): void;
  engine_push_function(L: StatePointer, id: number): void;
  engine_ask_every(L: StatePointer, instructions: number): void;
  engine_enter(
    L: StatePointer,
    ref: number,
    keys: number,
    args: number,
    setsGlobals: number,
  ): void;
  engine_resume(L: StatePointer): void;
  engine_make_room(size: number): number;
  engine_taken(): number;
  engine_take(L: StatePointer): number;
  engine_take_element(L: StatePointer, n: number): number;
  engine_meaning(L: StatePointer): number;
  engine_push_command(L: StatePointer, isProtected: number): void;
  engine_push_error(L: StatePointer, address: number, length: number): void;
  engine_where(L: StatePointer, level: number): number;
  engine_error(L: StatePointer): void;
  engine_words(): number;
  engine_read_words(L: StatePointer): number;
  engine_format(text: number, room: number, format: number, value: number): number;
  engine_reseed(): void;

  lua_checkstack(L: StatePointer, extra: number): number;
  lua_gettop(L: StatePointer): number;
  lua_settop(L: StatePointer, index: number): void;
  lua_remove(L: StatePointer, index: number): void;
  lua_insert(L: StatePointer, index: number): void;
  lua_replace(L: StatePointer, index: number): void;
  lua_pushvalue(L: StatePointer, index: number): void;
  lua_type(L: StatePointer, index: number): number;
  lua_isnumber(L: StatePointer, index: number): number;
  lua_toboolean(L: StatePointer, index: number): number;
  lua_tonumber(L: StatePointer, index: number): number;
  lua_tolstring(L: StatePointer, index: number, length: number): number;
  lua_objlen(L: StatePointer, index: number): number;
  lua_topointer(L: StatePointer, index: number): number;
  lua_pushnil(L: StatePointer): void;
  lua_pushnumber(L: StatePointer, value: number): void;
  lua_pushlstring(L: StatePointer, address: number, length: number): void;
  lua_pushboolean(L: StatePointer, value: number): void;
  lua_gettable(L: StatePointer, index: number): void;
  lua_rawget(L: StatePointer, index: number): void;
  lua_rawgeti(L: StatePointer, index: number, n: number): void;
  lua_rawequal(L: StatePointer, a: number, b: number): number;
  lua_createtable(L: StatePointer, elements: number, fields: number): void;
  lua_getmetatable(L: StatePointer, index: number): number;
  lua_settable(L: StatePointer, index: number): void;
  lua_rawset(L: StatePointer, index: number): void;
  lua_rawseti(L: StatePointer, index: number, n: number): void;
  lua_setmetatable(L: StatePointer, index: number): number;
  lua_setreadonly(L: StatePointer, index: number, isReadOnly: number): void;
  lua_isreadonly(L: StatePointer, index: number): number;
  lua_getfenv(L: StatePointer, index: number): void;
  lua_setfenv(L: StatePointer, index: number): number;
  lua_call(L: StatePointer, args: number, results: number): void;
  lua_pcall(L: StatePointer, args: number, results: number, handler: number): number;
  lua_gc(L: StatePointer, what: number, data: number): number;
  lua_error(L: StatePointer): void;
  lua_next(L: StatePointer, index: number): number;
  lua_concat(L: StatePointer, count: number): void;
  lua_newthread(L: StatePointer): StatePointer;
  lua_xmove(from: StatePointer, to: StatePointer, count: number): void;

  luaL_ref(L: StatePointer, table: number): number;
  luaL_unref(L: StatePointer, table: number, ref: number): void;
  luaL_loadbuffer(L: StatePointer, address: number, size: number, name: number): number;
  luaL_checklstring(L: StatePointer, index: number, length: number): number;
  luaL_checknumber(L: StatePointer, index: number): number;
  luaL_optnumber(L: StatePointer, index: number, otherwise: number): number;
  luaL_checktype(L: StatePointer, index: number, type: number): void;
  luaL_checkany(L: StatePointer, index: number): void;
  luaL_argerror(L: StatePointer, index: number, message: number): number;
  luaL_typerror(L: StatePointer, index: number, expected: number): number;
}
