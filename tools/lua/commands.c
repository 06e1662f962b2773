/*
** redis.call and redis.pcall. The words of a command are shown to the host where they lie, which runs it and
** puts the reply, as a client would get it, into the room; here it becomes values of Lua:
**
**     RESP2                RESP3 (after redis.setresp(3))
**     integer   number     double     {double = number}
**     bulk      string     map        {map = {key = value ...}}
**     null      false      null       nil
**     array     table      set        {set = {element = true ...}}
**     status    {ok = ...}   boolean    boolean
**     error     {err = ...}  big number {big_number = ...}
**                          verbatim   {verbatim_string = {string = ..., format = ...}}
**
** Attributes are passed over. See https://redis.io/docs/latest/develop/programmability/lua-api/.
*/

#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "lua.h"
#include "lauxlib.h"

#define EXPORT(name) __attribute__((export_name(name)))

/*
** Runs the command of so many words, of each of which `words` has the place and the length. False without
** memory for the reply.
*/
ENGINE_IMPORT("command") int host_command (lua_State *L, int count, const int *words);

/* Writes a number as the words of commands have it; returns its length, less than NUMBER_ROOM. */
ENGINE_IMPORT("number") int host_number (char *text, double value);

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
  if (value > -9007199254740992.0 && value < 9007199254740992.0 && value == (lua_Number)(int64_t)value) {
    return integer_text(text, (int64_t)value);
  }
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

/* ---- errors ---- */

/*
** Pushes an error as a table with `err`. The text begins with "-" and a code, or has none and gets ERR; of a
** code alone, ERR comes before it.
*/
EXPORT("engine_push_error") void engine_push_error (lua_State *L, const char *text, size_t length) {
  int has_code = length > 0 && *text == '-';
  if (has_code) {
    text++;
    length--;
    has_code = memchr(text, ' ', length) != NULL;
  }
  while (length > 0 && (text[length - 1] == '\r' || text[length - 1] == '\n')) length--;
  lua_createtable(L, 0, 2);
  lua_pushliteral(L, "err");
  if (!has_code) lua_pushliteral(L, "ERR ");
  lua_pushlstring(L, text, length);
  if (!has_code) lua_concat(L, 2);
  lua_rawset(L, -3);
}

static void push_text_error (lua_State *L, const char *text) {
  engine_push_error(L, text, strlen(text));
}

/* ---- replies ---- */

/* Replies nested deeper than this are none that a command gives. */
#define DEPTH_ROOM 8

static const char *at = NULL; /* what of the reply is still to be read */

static void push_reply (lua_State *L);

static void need_stack (lua_State *L) {
  if (!lua_checkstack(L, DEPTH_ROOM)) luaL_error(L, "stack overflow");
}

/* Reads up to the line's end, which it passes. */
static int64_t read_integer (void) {
  int is_negative = *at == '-';
  uint64_t value = 0;
  for (at += is_negative; *at != '\r'; at++) value = value * 10 + (uint64_t)(*at - '0');
  at += 2;
  return (int64_t)(is_negative ? -value : value);
}

/* Passes a line; returns its length. */
static size_t pass_line (void) {
  const char *from = at;
  while (at[0] != '\r' || at[1] != '\n') at++;
  at += 2;
  return (size_t)(at - from - 2);
}

/* A table with one field, whose value is the line. */
static void push_line (lua_State *L, const char *field) {
  const char *from = at;
  lua_createtable(L, 0, 1);
  lua_pushstring(L, field);
  lua_pushlstring(L, from, pass_line());
  lua_rawset(L, -3);
}

static void push_bulk (lua_State *L) {
  int64_t length = read_integer();
  if (length < 0) {
    lua_pushboolean(L, 0);
    return;
  }
  lua_pushlstring(L, at, (size_t)length);
  at += length + 2;
}

/* Errors of commands are counted where they happen, not once more where a script passes them on. */
static void push_error_reply (lua_State *L) {
  const char *from = at - 1;
  engine_push_error(L, from, pass_line() + 1);
  lua_pushliteral(L, "ignore_error_stats_update");
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
}

static void push_array (lua_State *L) {
  int count = (int)read_integer();
  int i;
  if (count < 0) {
    lua_pushboolean(L, 0);
    return;
  }
  need_stack(L);
  lua_createtable(L, count, 0);
  for (i = 1; i <= count; i++) {
    push_reply(L);
    lua_rawseti(L, -2, i);
  }
}

static void push_map (lua_State *L) {
  int pairs = (int)read_integer();
  need_stack(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "map");
  lua_createtable(L, 0, pairs);
  for (; pairs > 0; pairs--) {
    push_reply(L);
    push_reply(L);
    lua_rawset(L, -3);
  }
  lua_rawset(L, -3);
}

static void push_set (lua_State *L) {
  int count = (int)read_integer();
  need_stack(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "set");
  lua_createtable(L, 0, count);
  for (; count > 0; count--) {
    push_reply(L);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  lua_rawset(L, -3);
}

static void push_verbatim (lua_State *L) {
  size_t length = (size_t)read_integer();
  need_stack(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "verbatim_string");
  lua_createtable(L, 0, 2);
  lua_pushliteral(L, "string");
  lua_pushlstring(L, at + 4, length - 4);
  lua_rawset(L, -3);
  lua_pushliteral(L, "format");
  lua_pushlstring(L, at, 3);
  lua_rawset(L, -3);
  lua_rawset(L, -3);
  at += length + 2;
}

static void push_double (lua_State *L) {
  char *end;
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "double");
  lua_pushnumber(L, number_read(at, &end));
  lua_rawset(L, -3);
  pass_line();
}

static void push_after_attributes (lua_State *L) {
  int64_t left;
  for (left = read_integer() * 2; left > 0; left--) {
    push_reply(L);
    lua_pop(L, 1);
  }
  push_reply(L);
}

static void push_reply (lua_State *L) {
  switch (*at++) {
    case ':': lua_pushnumber(L, (lua_Number)read_integer()); break;
    case '$': push_bulk(L); break;
    case '+': push_line(L, "ok"); break;
    case '-': push_error_reply(L); break;
    case '*': push_array(L); break;
    case '%': push_map(L); break;
    case '~': push_set(L); break;
    case '_': pass_line(); lua_pushnil(L); break;
    case '#': lua_pushboolean(L, *at == 't'); pass_line(); break;
    case ',': push_double(L); break;
    case '(': push_line(L, "big_number"); break;
    case '=': push_verbatim(L); break;
    case '|': push_after_attributes(L); break;
    default: luaL_error(L, "cannot read a reply that begins with byte %d", at[-1]);
  }
}

/* ---- the functions ---- */

/* Leaves the reply on the top; whether that is an error. */
static int run_command (lua_State *L) {
  int count = engine_read_words(L);
  int is_error;
  if (count <= 0) {
    lua_settop(L, 0);
    push_text_error(L, count == 0
      ? "Please specify at least one argument for this redis lib call"
      : "Lua redis lib command arguments must be strings or integers");
    return 1;
  }
  if (!host_command(L, count, words)) {
    lua_pushliteral(L, "not enough memory");
    lua_error(L);
  }
  lua_settop(L, 0);
  lua_checkstack(L, DEPTH_ROOM);
  at = engine_room();
  is_error = *at == '-';
  push_reply(L);
  return is_error;
}

static int call_command (lua_State *L) {
  return run_command(L) ? lua_error(L) : 1;
}

static int protected_call_command (lua_State *L) {
  run_command(L);
  return 1;
}

/* Pushes redis.call, or redis.pcall. */
EXPORT("engine_push_command") void engine_push_command (lua_State *L, int is_protected) {
  lua_pushcfunction(L, is_protected ? protected_call_command : call_command);
}
