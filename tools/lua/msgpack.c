/*
** The library `cmsgpack`: values as MessagePack <https://msgpack.org>, without its extension types and
** with strings for all bytes. Tables whose keys are 1 to n are arrays, others maps; deeper than 16 they are
** nil, as is what has no form there.
*/

#include <math.h>
#include <string.h>

#include "libraries.h"

#define PACK_DEPTH_MAX 16

/* ---- packing ---- */

/* A byte that says the form, and `size` bytes of a number, highest first. */
static void write_head (lua_State *L, int form, uint64_t value, int size) {
  text_reserve(L, 9);
  text_byte(form);
  while (size-- > 0) text_byte(value >> (8 * size));
}

static void write_bits (lua_State *L, int form, uint64_t value) {
  static const int sizes[] = { 1, 2, 4, 8 };
  write_head(L, form, value, sizes[form & 3]);
}

static void write_integer (lua_State *L, int64_t value) {
  if (value >= -32 && value <= 127) write_head(L, (int)(value & 0xff), 0, 0);
  else if (value >= 0) {
    write_bits(L, value <= 0xff ? 0xcc : value <= 0xffff ? 0xcd : value <= 0xffffffffLL ? 0xce : 0xcf, (uint64_t)value);
  } else {
    write_bits(L, value >= -128 ? 0xd0 : value >= -32768 ? 0xd1 : value >= INT32_MIN ? 0xd2 : 0xd3, (uint64_t)value);
  }
}

/* Of numbers with a fraction, or beyond 64 bits: a float where that loses nothing. */
static void write_float (lua_State *L, double value) {
  float narrow = (float)value;
  if (narrow == value) {
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof(bits));
    write_head(L, 0xca, bits, 4);
  } else {
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    write_head(L, 0xcb, bits, 8);
  }
}

static void write_number (lua_State *L, double value) {
  int64_t whole = to_int64(value);
  if ((double)whole == value) write_integer(L, whole);
  else write_float(L, value);
}

static void write_string (lua_State *L) {
  size_t length;
  const char *bytes = lua_tolstring(L, -1, &length);
  if (length < 32) write_head(L, 0xa0 | (int)length, 0, 0);
  else if (length <= 0xff) write_head(L, 0xd9, length, 1);
  else if (length <= 0xffff) write_head(L, 0xda, length, 2);
  else write_head(L, 0xdb, length, 4);
  text_add(L, bytes, length);
}

/* Of an array or a map: its form with a length of up to 15 within, and those with 16 and 32 bits. */
static void write_count (lua_State *L, int form, int form_16, size_t count) {
  if (count <= 15) write_head(L, form | (int)count, 0, 0);
  else if (count <= 0xffff) write_head(L, form_16, count, 2);
  else write_head(L, form_16 + 1, count, 4);
}

/* Whether the keys of the table on the top are 1 to n; 0 of an empty one is so too. */
static int is_array (lua_State *L) {
  int count = 0;
  int max = 0;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    double key;
    lua_pop(L, 1);
    key = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    if (key <= 0 || key > INT_MAX || floor(key) != key) {
      lua_pop(L, 1);
      return 0;
    }
    if (key > max) max = (int)key;
    count++;
    engine_step(L);
  }
  return count == max;
}

static void pack_top (lua_State *L, int depth);

static void pack_array (lua_State *L, int depth) {
  int length = (int)lua_objlen(L, -1);
  int i;
  write_count(L, 0x90, 0xdc, (size_t)length);
  for (i = 1; i <= length; i++) {
    lua_rawgeti(L, -1, i);
    pack_top(L, depth);
  }
}

static void pack_map (lua_State *L, int depth) {
  size_t count = 0;
  lua_pushnil(L);
  for (; lua_next(L, -2); lua_pop(L, 1)) count++;
  write_count(L, 0x80, 0xde, count);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pushvalue(L, -2);
    pack_top(L, depth);
    pack_top(L, depth);
  }
}

static void pack_table (lua_State *L, int depth) {
  if (depth == PACK_DEPTH_MAX) {
    write_head(L, 0xc0, 0, 0);
    return;
  }
  luaL_checkstack(L, 4, "in packing a table");
  if (is_array(L)) pack_array(L, depth + 1);
  else pack_map(L, depth + 1);
}

/* Packs the value on the top, which is within `depth` tables, and drops it. */
static void pack_top (lua_State *L, int depth) {
  engine_step(L);
  switch (lua_type(L, -1)) {
    case LUA_TSTRING: write_string(L); break;
    case LUA_TBOOLEAN: write_head(L, lua_toboolean(L, -1) ? 0xc3 : 0xc2, 0, 0); break;
    case LUA_TNUMBER: write_number(L, lua_tonumber(L, -1)); break;
    case LUA_TTABLE: pack_table(L, depth); break;
    default: write_head(L, 0xc0, 0, 0);
  }
  lua_pop(L, 1);
}

static int msgpack_pack (lua_State *L) {
  int count = lua_gettop(L);
  int i;
  if (count == 0) return luaL_argerror(L, 0, "MessagePack pack needs input.");
  if (!lua_checkstack(L, count)) return luaL_argerror(L, 0, "Too many arguments for MessagePack pack.");
  text_begin(L);
  for (i = 1; i <= count; i++) {
    lua_pushvalue(L, i);
    pack_top(L, 0);
  }
  text_push(L);
  return 1;
}

/* ---- unpacking ---- */

#define MISSING "Missing bytes in input."

/* As `length` of a level: what `next` counts down, elements of an array or fields of a map. */
#define ARRAY 0
#define MAP_KEY 1 /* a key is to come */
#define MAP_VALUE 2

typedef struct Reader {
  lua_State *L;
  const unsigned char *at;
  size_t left;
  int depth;
} Reader;

/* Takes `size` bytes. */
static const unsigned char *take (Reader *r, size_t size) {
  const unsigned char *taken = r->at;
  if (r->left < size) luaL_error(r->L, MISSING);
  r->at += size;
  r->left -= size;
  return taken;
}

static uint64_t take_bits (Reader *r, int size) {
  const unsigned char *from = take(r, (size_t)size);
  uint64_t value = 0;
  int i;
  for (i = 0; i < size; i++) value = value << 8 | from[i];
  return value;
}

static void push_string (Reader *r, size_t length) {
  const char *bytes = (const char *)take(r, length);
  lua_pushlstring(r->L, bytes, length);
}

static void push_float (Reader *r) {
  uint32_t bits = (uint32_t)take_bits(r, 4);
  float value;
  memcpy(&value, &bits, sizeof(value));
  lua_pushnumber(r->L, value);
}

static void push_double (Reader *r) {
  uint64_t bits = take_bits(r, 8);
  double value;
  memcpy(&value, &bits, sizeof(value));
  lua_pushnumber(r->L, value);
}

/* Begins with a table that has elements, which are read after it. */
static void push_table (Reader *r, int kind, uint32_t count) {
  Level *level;
  lua_newtable(r->L);
  if (kind == ARRAY) luaL_checkstack(r->L, 1, "in function mp_decode_to_lua_array");
  if (count == 0) return;
  level = level_at(r->L, r->depth++);
  level->length = kind;
  level->next = (int)count;
  if (kind == ARRAY) lua_pushnumber(r->L, 1);
}

/* Pushes a value whose form has its length, or itself, within; 0 for a form that there is not. */
static int push_short (Reader *r, int form) {
  if (form < 0x80) lua_pushnumber(r->L, form);
  else if (form < 0x90) push_table(r, MAP_KEY, (uint32_t)form & 15);
  else if (form < 0xa0) push_table(r, ARRAY, (uint32_t)form & 15);
  else if (form < 0xc0) push_string(r, (size_t)form & 31);
  else if (form >= 0xe0) lua_pushnumber(r->L, form - 256);
  else return 0;
  return 1;
}

/* Reads a value, or the beginning of a table, and pushes it. */
static void push_value (Reader *r) {
  lua_State *L = r->L;
  int form = *take(r, 1);
  luaL_checkstack(L, 1, "too many return values at once; use unpack_one or unpack_limit instead.");
  switch (form) {
    case 0xc0: lua_pushnil(L); return;
    case 0xc2: lua_pushboolean(L, 0); return;
    case 0xc3: lua_pushboolean(L, 1); return;
    case 0xca: push_float(r); return;
    case 0xcb: push_double(r); return;
    case 0xcc: lua_pushnumber(L, (double)take_bits(r, 1)); return;
    case 0xcd: lua_pushnumber(L, (double)take_bits(r, 2)); return;
    case 0xce: lua_pushnumber(L, (double)take_bits(r, 4)); return;
    case 0xd0: lua_pushnumber(L, (int8_t)take_bits(r, 1)); return;
    case 0xd1: lua_pushnumber(L, (int16_t)take_bits(r, 2)); return;
    case 0xd2: lua_pushnumber(L, (int32_t)take_bits(r, 4)); return;
    case 0xcf: /* scripts know numbers from 2^63 on as negative ones */
    case 0xd3: lua_pushnumber(L, (double)(int64_t)take_bits(r, 8)); return;
    case 0xd9: push_string(r, (size_t)take_bits(r, 1)); return;
    case 0xda: push_string(r, (size_t)take_bits(r, 2)); return;
    case 0xdb: push_string(r, (size_t)take_bits(r, 4)); return;
    case 0xdc: push_table(r, ARRAY, (uint32_t)take_bits(r, 2)); return;
    case 0xdd: push_table(r, ARRAY, (uint32_t)take_bits(r, 4)); return;
    case 0xde: push_table(r, MAP_KEY, (uint32_t)take_bits(r, 2)); return;
    case 0xdf: push_table(r, MAP_KEY, (uint32_t)take_bits(r, 4)); return;
  }
  if (!push_short(r, form)) luaL_error(L, "Bad data format in input.");
}

/* The value on the top is whole: puts it where it belongs. 0 if the table around it is not over. */
static int keep_value (Reader *r) {
  lua_State *L = r->L;
  Level *level = level_at(L, r->depth - 1);
  if (level->length == MAP_KEY) {
    level->length = MAP_VALUE;
    return 0;
  }
  if (level->length == ARRAY) {
    double next = lua_tonumber(L, -2) + 1;
    lua_rawset(L, -3);
    if (--level->next == 0) return 1;
    lua_pushnumber(L, next);
    return 0;
  }
  lua_rawset(L, -3);
  level->length = MAP_KEY;
  return --level->next == 0;
}

static void read_value (Reader *r) {
  do {
    int depth = r->depth;
    engine_step(r->L);
    push_value(r);
    if (r->depth > depth) continue; /* a table whose elements are to come */
    while (r->depth > 0 && keep_value(r)) r->depth--;
  } while (r->depth > 0);
}

/* Unpacks up to `limit` values of the string at 1; all, and no offset in front of them, with 0 and 0. */
static int unpack (lua_State *L, int64_t limit, int64_t offset) {
  size_t length;
  const char *bytes = luaL_checklstring(L, 1, &length);
  int is_all = limit == 0 && offset == 0;
  int count;
  Reader r;
  if (offset < 0 || limit < 0) {
    return luaL_error(L, "Invalid request to unpack with offset of %d and limit of %d.", (int)offset, (int)length);
  }
  if ((uint64_t)offset > length) {
    return luaL_error(L, "Start offset %d greater than input length %d.", (int)offset, (int)length);
  }
  r.L = L;
  r.at = (const unsigned char *)bytes + offset;
  r.left = length - (size_t)offset;
  r.depth = 0;
  for (count = 0; r.left > 0 && (is_all || count < limit); count++) read_value(&r);
  if (is_all) return count;
  luaL_checkstack(L, 1, "in function mp_unpack_full");
  lua_pushnumber(L, r.left == 0 ? -1 : (double)(length - r.left));
  lua_insert(L, 2);
  return count + 1;
}

static int msgpack_unpack (lua_State *L) { return unpack(L, 0, 0); }

static int64_t optional_int64 (lua_State *L, int argument) {
  return lua_isnoneornil(L, argument) ? 0 : check_int64(L, argument);
}

static int msgpack_unpack_one (lua_State *L) {
  int64_t offset = optional_int64(L, 2);
  if (lua_gettop(L) > 1) lua_settop(L, 1);
  return unpack(L, 1, offset);
}

static int msgpack_unpack_limit (lua_State *L) {
  int64_t limit = check_int64(L, 2);
  int64_t offset = optional_int64(L, 3);
  lua_settop(L, 1);
  return unpack(L, limit, offset);
}

/* ---- the table ---- */

static const luaL_Reg FUNCTIONS[] = {
  {"pack", msgpack_pack}, {"unpack", msgpack_unpack}, {"unpack_one", msgpack_unpack_one},
  {"unpack_limit", msgpack_unpack_limit}, {NULL, NULL}
};

static void set_text (lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

int open_cmsgpack (lua_State *L) {
  luaL_register(L, "cmsgpack", FUNCTIONS);
  set_text(L, "_NAME", "cmsgpack");
  set_text(L, "_VERSION", "lua-cmsgpack 0.4.0");
  set_text(L, "_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo");
  set_text(L, "_DESCRIPTION", "MessagePack C implementation for Lua");
  return 1;
}
