/*
** The engine of scripts: Lua 5.1 with what the server adds in C, because it has to be done inside of
** Lua's memory or often: memory with a limit, functions of the host, the hook that asks the host
** whether to go on, the words of a call, and the sequence of random numbers that lrand48 defines.
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

/* Writes a number as the words of commands have it; returns its length, less than NUMBER_ROOM. */
ENGINE_IMPORT("number") int host_number (char *text, double value);

/* An error outside of any protected call: does not return. */
ENGINE_IMPORT("panic") _Noreturn int host_panic (lua_State *L);

/* ---- memory ---- */

static size_t bytes_used = 0;
static size_t bytes_max = (size_t)-1;

static void *allocate (void *ud, void *block, size_t old_size, size_t new_size) {
  void *made;
  (void)ud;
  if (new_size == 0) {
    free(block);
    bytes_used -= old_size;
    return NULL;
  }
  if (new_size > old_size && new_size - old_size > bytes_max - bytes_used) return NULL;
  made = realloc(block, new_size);
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

/* ---- entering ---- */

static int run_status = 0;

EXPORT("engine_run_status") int *engine_run_status (void) { return &run_status; }

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

/*
** A protected call whose status is left at engine_run_status, where the host sees it although this
** function, as one that may be suspended, answers it with a promise. Errors become tables.
*/
EXPORT("engine_run") void engine_run (lua_State *L, int arguments, int results) {
  int handler = lua_gettop(L) - arguments;
  lua_pushcfunction(L, on_error);
  lua_insert(L, handler);
  run_status = lua_pcall(L, arguments, results, handler);
  lua_remove(L, handler);
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
  ask_host(L);
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

/* ---- the words of a call ---- */

#define NUMBER_ROOM 40

static int *words = NULL; /* of each word: where it lies, its bytes */
static char *numbers = NULL; /* the text of those that are numbers, NUMBER_ROOM each */
static int words_max = 0;

static int make_room (int count) {
  int max = count < 64 ? 64 : count * 2;
  int *new_words;
  char *new_numbers;
  if (count <= words_max) return 1;
  new_words = realloc(words, (size_t)max * 2 * sizeof(int));
  if (new_words == NULL) return 0;
  words = new_words;
  new_numbers = realloc(numbers, (size_t)max * NUMBER_ROOM);
  if (new_numbers == NULL) return 0;
  numbers = new_numbers;
  words_max = max;
  return 1;
}

static int write_number (char *text, lua_Number value) {
  long long whole;
  if (value > -9007199254740992.0 && value < 9007199254740992.0 &&
      (lua_Number)(whole = (long long)value) == value) return sprintf(text, "%lld", whole);
  return host_number(text, value);
}

EXPORT("engine_words") int *engine_words (void) { return words; }

/*
** Finds the bytes of all values on the stack, without changing them: their number, or -1 - n where
** value n is neither a string nor a number, or a large negative number without memory. They are valid
** as long as the values stay where they are.
*/
EXPORT("engine_read_words") int engine_read_words (lua_State *L) {
  int count = lua_gettop(L);
  int i;
  if (!make_room(count)) return -0x7fffffff;
  for (i = 0; i < count; i++) {
    int type = lua_type(L, i + 1);
    if (type == LUA_TSTRING) {
      size_t length;
      words[i * 2] = (int)(size_t)lua_tolstring(L, i + 1, &length);
      words[i * 2 + 1] = (int)length;
    } else if (type == LUA_TNUMBER) {
      char *text = numbers + i * NUMBER_ROOM;
      words[i * 2] = (int)(size_t)text;
      words[i * 2 + 1] = write_number(text, lua_tonumber(L, i + 1));
    } else return -1 - i;
  }
  return count;
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
