/*
** The engine of scripts: Lua 5.1 with what the server adds in C, because it has to be done inside of
** Lua's memory or often: memory with a limit, entering a script, functions of the host, the hook that asks
** the host whether to go on, and the sequence of random numbers that lrand48 defines. Commands of scripts
** are in commands.c.
** src/scripting/lua_state.ts is the other side of it.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "libraries.h"
#include "lua.h"
#include "lauxlib.h"
#include "lualib.h"

#define EXPORT(name) __attribute__((export_name(name)))

/* Calls function `id` of the host: the number of its results, or -1 with an error on the top. */
ENGINE_IMPORT("call") int host_call (lua_State *L, int id);

#define GO_ON 0
#define RAISE 1 /* an error is on the top */
#define SUSPEND 2 /* then ask again */

/* Asks whether to go on. */
ENGINE_IMPORT("interrupt") int host_interrupt (lua_State *L);

/* Returns when the host wants the script to go on; its other work is done meanwhile. */
ENGINE_IMPORT("suspend") void host_suspend (void);

/* An error outside of any protected call: does not return. */
ENGINE_IMPORT("panic") _Noreturn int host_panic (lua_State *L);

/* ---- memory ---- */

static size_t bytes_used = 0;
static size_t bytes_max = (size_t)-1;

/*
** Most blocks are small and live as long as one call, which malloc is not made for: those of up to
** SMALL_MAX bytes lie in pieces of memory, in lists by their size. Pieces stay; when there are as many as
** there may be, malloc serves small blocks too.
*/
#define SMALL_MAX 128
#define SMALL_UNIT 16
#define PIECE_BITS 16
#define PIECES_MAX 128

#define size_class(size) (((size) + SMALL_UNIT - 1) / SMALL_UNIT)

static void *free_blocks[SMALL_MAX / SMALL_UNIT + 1];
static char *piece = NULL, *piece_end = NULL; /* of the latest piece, what has not been used yet */
static int pieces = 0;
static unsigned char is_piece[1 << (32 - PIECE_BITS)]; /* by address */

static void *allocate_small (size_t size) {
  size_t class = size_class(size);
  void *block = free_blocks[class];
  if (block != NULL) {
    free_blocks[class] = *(void **)block;
    return block;
  }
  if ((size_t)(piece_end - piece) < class * SMALL_UNIT) {
    char *new_piece = pieces < PIECES_MAX ? aligned_alloc(1 << PIECE_BITS, 1 << PIECE_BITS) : NULL;
    if (new_piece == NULL) return malloc(size);
    pieces++;
    is_piece[(size_t)new_piece >> PIECE_BITS] = 1;
    piece = new_piece;
    piece_end = new_piece + (1 << PIECE_BITS);
  }
  block = piece;
  piece += class * SMALL_UNIT;
  return block;
}

static int lies_in_piece (void *block) {
  return is_piece[(size_t)block >> PIECE_BITS];
}

static void free_block (void *block, size_t size) {
  size_t class = size_class(size);
  if (!lies_in_piece(block)) {
    free(block);
    return;
  }
  *(void **)block = free_blocks[class];
  free_blocks[class] = block;
}

static void *resize_block (void *block, size_t old_size, size_t new_size) {
  void *made;
  if (block == NULL) return new_size <= SMALL_MAX ? allocate_small(new_size) : malloc(new_size);
  if (!lies_in_piece(block)) return realloc(block, new_size);
  if (size_class(old_size) == size_class(new_size)) return block;
  made = new_size <= SMALL_MAX ? allocate_small(new_size) : malloc(new_size);
  if (made == NULL) return new_size < old_size ? block : NULL; /* to become smaller never fails */
  memcpy(made, block, old_size < new_size ? old_size : new_size);
  free_block(block, old_size);
  return made;
}

static void *allocate (void *ud, void *block, size_t old_size, size_t new_size) {
  void *made;
  (void)ud;
  if (new_size == 0) {
    if (block != NULL) free_block(block, old_size);
    bytes_used -= old_size;
    return NULL;
  }
  if (new_size > old_size && new_size - old_size > bytes_max - bytes_used) return NULL;
  made = resize_block(block, old_size, new_size);
  if (made != NULL) bytes_used += new_size - old_size;
  return made;
}

EXPORT("engine_new") lua_State *engine_new (size_t max) {
  lua_State *L;
  bytes_max = max;
  L = lua_newstate(allocate, NULL);
  if (L != NULL) lua_atpanic(L, host_panic);
  return L;
}

EXPORT("engine_bytes_used") size_t engine_bytes_used (void) { return bytes_used; }

/* Applies from the next allocation on; what is in use may be more. */
EXPORT("engine_limit") void engine_limit (size_t max) {
  bytes_max = max < bytes_used ? bytes_used : max;
}

/* ---- what the host hands in: words of a request, the reply to a command ---- */

static char *room = NULL;

/* Makes it so large, whatever was in it; NULL without memory. */
EXPORT("engine_make_room") char *engine_make_room (size_t size) {
  free(room);
  return room = malloc(size);
}

char *engine_room (void) { return room; }

/* ---- values for the host ---- */

#define SUSPENDED (-1)

/*
** What the host sees of a script that is over, and of a value that it takes: of a string where it lies,
** which is good until the engine allocates something.
*/
static struct {
  int status;
  int type;
  const char *bytes;
  int length;
  double number;
} taken = { 0, 0, NULL, 0, 0 };

EXPORT("engine_taken") void *engine_taken (void) { return &taken; }

/* Takes the value on the top, which is dropped unless it is a table: its type. */
EXPORT("engine_take") int engine_take (lua_State *L) {
  size_t length;
  taken.type = lua_type(L, -1);
  switch (taken.type) {
    case LUA_TTABLE: return LUA_TTABLE;
    case LUA_TBOOLEAN: taken.number = lua_toboolean(L, -1); break;
    case LUA_TNUMBER: taken.number = lua_tonumber(L, -1); break;
    case LUA_TSTRING:
      taken.bytes = lua_tolstring(L, -1, &length);
      taken.length = (int)length;
      break;
  }
  lua_pop(L, 1);
  return taken.type;
}

/* Takes element `n` of the table on the top. */
EXPORT("engine_take_element") int engine_take_element (lua_State *L, int n) {
  lua_rawgeti(L, -1, n);
  return engine_take(L);
}

/*
** Of these fields, each of its type, the first one that the table on the top has: which one, pushing it, or
** -1. They say what a table that a script returns stands for. A verbatim string counts if it is complete.
*/
#define VERBATIM 4

static const struct { const char *name; int type; } MEANINGS[] = {
  { "err", LUA_TSTRING },
  { "ok", LUA_TSTRING },
  { "double", LUA_TNUMBER },
  { "big_number", LUA_TSTRING },
  { "verbatim_string", LUA_TTABLE },
  { "map", LUA_TTABLE },
  { "set", LUA_TTABLE }
};

/* Pushes a field of the table on the top if it is of that type. */
static int push_field (lua_State *L, const char *name, int type) {
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  if (lua_type(L, -1) == type) return 1;
  lua_pop(L, 1);
  return 0;
}

static int has_text (lua_State *L, const char *name) {
  if (!push_field(L, name, LUA_TSTRING)) return 0;
  lua_pop(L, 1);
  return 1;
}

EXPORT("engine_meaning") int engine_meaning (lua_State *L) {
  int i;
  if (!engine_has_fields(L)) return -1;
  for (i = 0; i < (int)(sizeof(MEANINGS) / sizeof(MEANINGS[0])); i++) {
    if (!push_field(L, MEANINGS[i].name, MEANINGS[i].type)) continue;
    if (i != VERBATIM || (has_text(L, "format") && has_text(L, "string"))) return i;
    lua_pop(L, 1);
  }
  return -1;
}

/* ---- entering ---- */

/*
** What becomes of an error that ends a script: a table whose `err` is its text, with where it happened,
** which is in Lua: of a function of C, who has called it.
*/
static int on_error (lua_State *L) {
  lua_Debug ar;
  int is_known = lua_getstack(L, 1, &ar) && lua_getinfo(L, "Sl", &ar);
  if (is_known && ar.what[0] == 'C') is_known = lua_getstack(L, 2, &ar) && lua_getinfo(L, "Sl", &ar);
  if (!lua_istable(L, 1)) {
    lua_newtable(L);
    lua_pushliteral(L, "ERR ");
    lua_getglobal(L, "tostring");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    lua_concat(L, 2);
    lua_setfield(L, -2, "err");
    lua_replace(L, 1);
  }
  if (is_known) {
    lua_pushstring(L, ar.source);
    lua_setfield(L, 1, "source");
    lua_pushinteger(L, ar.currentline);
    lua_setfield(L, 1, "line");
  }
  lua_settop(L, 1);
  return 1;
}

/* References to what every call needs. */
static int error_handler = LUA_NOREF;
static int keys_name = LUA_NOREF;
static int arguments_name = LUA_NOREF;

typedef struct Entry {
  int function;
  int keys;
  int arguments;
  int sets_globals;
} Entry;

/* Pushes a table of `count` strings: their lengths, and their bytes, whose end it returns. */
static const char *push_words (lua_State *L, const int *lengths, int count, const char *bytes) {
  int i;
  lua_createtable(L, count, 0);
  for (i = 0; i < count; i++) {
    lua_pushlstring(L, bytes, (size_t)lengths[i]);
    lua_rawseti(L, -2, i + 1);
    bytes += lengths[i];
  }
  return bytes;
}

static void set_global (lua_State *L, int name) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, name);
  lua_insert(L, -2);
  lua_rawset(L, LUA_GLOBALSINDEX);
}

/* Pushes the handler of errors, the function, and its arguments unless those become globals. */
static void prepare (lua_State *L, void *ud) {
  const Entry *entry = ud;
  const int *lengths = (const int *)(const void *)room;
  const char *bytes = room + (size_t)(entry->keys + entry->arguments) * sizeof(int);
  lua_settop(L, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, error_handler);
  lua_rawgeti(L, LUA_REGISTRYINDEX, entry->function);
  bytes = push_words(L, lengths, entry->keys, bytes);
  if (entry->sets_globals) set_global(L, keys_name);
  push_words(L, lengths + entry->keys, entry->arguments, bytes);
  if (entry->sets_globals) set_global(L, arguments_name);
}

static void ended (lua_State *L, int status) {
  if (status == 0) engine_take(L);
  taken.status = status;
}

/*
** Calls a function, named by its reference, in a protected call. What the host has put into the room, the
** lengths of all words and then their bytes, are the keys and arguments: two tables that the function
** gets, or the globals KEYS and ARGV, which are open to us alone. Errors become tables.
**
** How it ended, and its result as `engine_take` takes it, are left at engine_taken. With LUA_YIELD it has
** not ended: engine_resume goes on, in a call that may be suspended. As such a one answers with a promise, it
** is engine_taken that says whether it was.
*/
EXPORT("engine_enter") void engine_enter (lua_State *L, int function, int keys, int arguments, int sets_globals) {
  Entry entry = { function, keys, arguments, sets_globals };
  int status;
  if (sets_globals) lua_setreadonly(L, LUA_GLOBALSINDEX, 0);
  status = engine_protect(L, prepare, &entry);
  if (sets_globals) lua_setreadonly(L, LUA_GLOBALSINDEX, 1);
  ended(L, status != 0 ? status : engine_begin(L));
}

EXPORT("engine_resume") void engine_resume (lua_State *L) {
  taken.status = SUSPENDED;
  ended(L, engine_go_on(L));
}

/* Lua's pcall, to which an error of a command is its text and not the table that it is raised as. */
static int protected_call (lua_State *L) {
  luaL_checkany(L, 1);
  if (lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0) == 0) {
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    return lua_gettop(L);
  }
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "err");
    if (!lua_isstring(L, -1)) lua_pop(L, 1);
  }
  lua_pushboolean(L, 0);
  lua_insert(L, -2);
  return 2;
}

/* ---- libraries ---- */

static void open_library (lua_State *L, const char *name, lua_CFunction open) {
  lua_pushcfunction(L, open);
  lua_pushstring(L, name);
  lua_call(L, 1, 0);
}

/* Functions that call others, or take long: those that ask the host, but for what reads or writes once through. */
static const char *const LONG_FUNCTIONS[][2] = {
  { NULL, "pcall" }, { NULL, "xpcall" }, { NULL, "load" }, { NULL, "setmetatable" },
  { "coroutine", "create" }, { "coroutine", "wrap" }, { "coroutine", "resume" },
  { "table", "sort" }, { "table", "foreach" }, { "table", "foreachi" },
  { "string", "find" }, { "string", "match" }, { "string", "gmatch" }, { "string", "gfind" }, { "string", "gsub" },
  { "cjson", "encode" }, { "cmsgpack", "pack" }
};

static void mark_long_functions (lua_State *L) {
  size_t i;
  for (i = 0; i < sizeof(LONG_FUNCTIONS) / sizeof(LONG_FUNCTIONS[0]); i++) {
    const char *library = LONG_FUNCTIONS[i][0];
    if (library == NULL) lua_getglobal(L, LONG_FUNCTIONS[i][1]);
    else {
      lua_getglobal(L, library);
      lua_getfield(L, -1, LONG_FUNCTIONS[i][1]);
    }
    if (lua_iscfunction(L, -1)) engine_mark_long(L);
    lua_settop(L, 0);
  }
}

EXPORT("engine_open") void engine_open (lua_State *L) {
  open_library(L, "", luaopen_base);
  open_library(L, LUA_TABLIBNAME, luaopen_table);
  open_library(L, LUA_STRLIBNAME, luaopen_string);
  open_library(L, LUA_MATHLIBNAME, luaopen_math);
  open_library(L, "cjson", open_cjson);
  open_library(L, "cmsgpack", open_cmsgpack);
  open_library(L, "struct", open_struct);
  open_library(L, "bit", open_bit);
  lua_pushcfunction(L, protected_call);
  lua_setglobal(L, "pcall");
  mark_long_functions(L);
  lua_pushcfunction(L, on_error);
  error_handler = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushliteral(L, "KEYS");
  keys_name = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushliteral(L, "ARGV");
  arguments_name = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* ---- functions of the host ---- */

static int call_host (lua_State *L) {
  int results = host_call(L, (int)lua_tonumber(L, lua_upvalueindex(1)));
  return results >= 0 ? results : lua_error(L);
}

EXPORT("engine_push_function") void engine_push_function (lua_State *L, int id) {
  lua_pushnumber(L, id);
  lua_pushcclosure(L, call_host, 1);
}

/* ---- asking the host ---- */

#define STEPS_BETWEEN 100000

int engine_steps_left = STEPS_BETWEEN;

static void ask_host (lua_State *L) {
  int answer;
  while ((answer = host_interrupt(L)) == SUSPEND) host_suspend();
  if (answer == RAISE) lua_error(L);
}

void engine_out_of_steps (lua_State *L) {
  engine_steps_left = STEPS_BETWEEN;
  /* A finalizer runs within the collector, which cannot be suspended. */
  if (engine_allows_hook(L)) ask_host(L);
}

static void on_count (lua_State *L, lua_Debug *ar) {
  (void)ar;
  engine_steps_left = STEPS_BETWEEN;
  if (engine_is_plain) engine_stop(L);
  else ask_host(L);
}

/* The host is asked after so many instructions, over and over; 0 for never. */
EXPORT("engine_ask_every") void engine_ask_every (lua_State *L, int instructions) {
  lua_sethook(L, instructions > 0 ? on_count : NULL, LUA_MASKCOUNT, instructions);
}

/* ---- where something is ---- */

/* Pushes the short source of the function at a level and returns the line; -1 if there is none. */
EXPORT("engine_where") int engine_where (lua_State *L, int level) {
  lua_Debug ar;
  if (!lua_getstack(L, level, &ar)) return -1;
  lua_getinfo(L, "Sl", &ar);
  lua_pushstring(L, ar.short_src);
  return ar.currentline;
}

/* Raises the string on the top, with "source:line: " of what called the running function before it. */
EXPORT("engine_error") void engine_error (lua_State *L) {
  luaL_where(L, 1);
  lua_insert(L, -2);
  lua_concat(L, 2);
  lua_error(L);
}

/* ---- numbers as text ---- */

/* Writes `value` with a format of printf for one double; returns its length. */
EXPORT("engine_format") int engine_format (char *text, int room, const char *format, double value) {
  return snprintf(text, (size_t)room, format, value);
}

/* ---- random numbers: the 48-bit sequence of lrand48 ---- */

static unsigned long long random_state = 0x1234abcd330eULL;

void engine_seed (int seed) {
  random_state = ((unsigned long long)(unsigned int)seed << 16) | 0x330eU;
}

EXPORT("engine_reseed") void engine_reseed (void) { engine_seed(0); }

int engine_random (void) {
  random_state = (random_state * 0x5deece66dULL + 0xbU) & 0xffffffffffffULL;
  return (int)(random_state >> 17);
}
