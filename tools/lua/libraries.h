/*
** What the libraries of scripts beside Lua's own share: json.c, msgpack.c, struct.c and bits.c. Their
** functions, results and errors are those that scripts know from Redis; the code is ours.
*/

#ifndef tsredis_libraries_h
#define tsredis_libraries_h

#include <limits.h>
#include "engine.h"
#include "lua.h"
#include "lauxlib.h"

int open_cjson (lua_State *L);
int open_cmsgpack (lua_State *L);
int open_struct (lua_State *L);
int open_bit (lua_State *L);

/* ---- text: where a library writes its result ---- */

/*
** One piece of memory for all of them, since none of them calls Lua while it writes. It grows as needed,
** within what scripts may allocate; text_begin gives a large one back. An error may leave at any time.
*/
typedef struct Text {
  char *bytes;
  size_t length;
  size_t room;
} Text;

extern Text text;

void text_begin (lua_State *L);

/* Makes room for `extra` more bytes. Raises "not enough memory". */
void text_grow (lua_State *L, size_t extra);

#define text_reserve(L, extra) \
  ((void)(text.room - text.length >= (extra) || (text_grow(L, extra), 0)))

void text_add (lua_State *L, const char *bytes, size_t length);

/* Only after text_reserve. */
#define text_byte(byte) ((void)(text.bytes[text.length++] = (char)(byte)))

/* Pushes it as a string of Lua. */
void text_push (lua_State *L);

/* ---- levels: the tables that are open, innermost last; so nothing here needs a deep stack of C ---- */

typedef struct Level {
  int length; /* of an array; what else there is has no use for it */
  int next;
} Level;

/* Level `depth`, from 0; makes room for it. Good until the next call. Raises "not enough memory". */
Level *level_at (lua_State *L, int depth);

/* ---- arguments ---- */

/* An argument that is a number, as an integer of 64 bits, or of 32 bits with the upper ones lost. */
static inline int64_t check_int64 (lua_State *L, int argument) {
  return to_int64(luaL_checknumber(L, argument));
}

static inline int check_int (lua_State *L, int argument) {
  return (int)check_int64(L, argument);
}

#endif
