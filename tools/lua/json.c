/*
** The library `cjson`. Tables are written and read without recursion: the open ones are on the stack of
** Lua, and `level_at` has how far each has come.
**
** Strings are bytes; nobody checks that they are UTF-8. JSON's null is a light userdata of NULL.
*/

#include <math.h>
#include <string.h>
#include <strings.h>

#include "libraries.h"

#define INVALID_REFUSED 0
#define INVALID_WRITTEN 1
#define INVALID_NULL 2

typedef struct Settings {
  int converts_sparse;
  int sparse_ratio;
  int sparse_safe;
  int encode_depth_max;
  int decode_depth_max;
  int encode_invalid; /* INVALID_* */
  int decodes_invalid;
  int precision;
  int keeps_buffer; /* only told: memory is always kept up to a bound */
} Settings;

static const Settings DEFAULTS = { 0, 2, 10, 1000, 1000, INVALID_REFUSED, 1, 14, 1 };

static Settings *settings_of (lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1));
}

/* ---- settings ---- */

static Settings *settings_begin (lua_State *L, int arguments_max) {
  luaL_argcheck(L, lua_gettop(L) <= arguments_max, arguments_max + 1, "found too many arguments");
  lua_settop(L, arguments_max);
  return settings_of(L);
}

/* Sets an integer to an argument that is not nil, and pushes what it is then. */
static void set_integer (lua_State *L, int argument, int *setting, int min, int max) {
  if (!lua_isnil(L, argument)) {
    int value = check_int(L, argument);
    if (value < min || value > max) {
      luaL_argerror(L, 1, lua_pushfstring(L, "expected integer between %d and %d", min, max));
    }
    *setting = value;
  }
  lua_pushinteger(L, *setting);
}

static const char *const SWITCH[] = { "off", "on", NULL };

/* The same with one of some names, of which the first two are false and true as well. */
static void set_choice (lua_State *L, int argument, int *setting, const char *const names[]) {
  if (lua_isboolean(L, argument)) *setting = lua_toboolean(L, argument);
  else if (!lua_isnil(L, argument)) *setting = luaL_checkoption(L, argument, NULL, names);
  if (*setting <= 1) lua_pushboolean(L, *setting);
  else lua_pushstring(L, names[*setting]);
}

static int json_encode_sparse_array (lua_State *L) {
  Settings *settings = settings_begin(L, 3);
  set_choice(L, 1, &settings->converts_sparse, SWITCH);
  set_integer(L, 2, &settings->sparse_ratio, 0, INT_MAX);
  set_integer(L, 3, &settings->sparse_safe, 0, INT_MAX);
  return 3;
}

static int json_encode_max_depth (lua_State *L) {
  set_integer(L, 1, &settings_begin(L, 1)->encode_depth_max, 1, INT_MAX);
  return 1;
}

static int json_decode_max_depth (lua_State *L) {
  set_integer(L, 1, &settings_begin(L, 1)->decode_depth_max, 1, INT_MAX);
  return 1;
}

static int json_encode_number_precision (lua_State *L) {
  set_integer(L, 1, &settings_begin(L, 1)->precision, 1, 14);
  return 1;
}

static int json_encode_keep_buffer (lua_State *L) {
  set_choice(L, 1, &settings_begin(L, 1)->keeps_buffer, SWITCH);
  return 1;
}

static int json_encode_invalid_numbers (lua_State *L) {
  static const char *const names[] = { "off", "on", "null", NULL };
  set_choice(L, 1, &settings_begin(L, 1)->encode_invalid, names);
  return 1;
}

static int json_decode_invalid_numbers (lua_State *L) {
  set_choice(L, 1, &settings_begin(L, 1)->decodes_invalid, SWITCH);
  return 1;
}

/* ---- encoding ---- */

/* How a byte is written in a string: 0 as it is, 1 as \u and four digits, or after a backslash as this. */
static const char ESCAPES[256] = {
  1, 1, 1, 1, 1, 1, 1, 1, 'b', 't', 'n', 1, 'f', 'r', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
  ['"'] = '"', ['/'] = '/', ['\\'] = '\\', [127] = 1
};

/* Bytes of a string between two looks at the room; each needs six at most. */
#define STRING_PIECE 512

static void cannot_encode (lua_State *L, int index, const char *reason) {
  luaL_error(L, "Cannot serialise %s: %s", luaL_typename(L, index), reason);
}

static char *write_escape (char *to, unsigned char byte) {
  static const char digits[] = "0123456789abcdef";
  *to++ = '\\';
  if (ESCAPES[byte] != 1) {
    *to++ = ESCAPES[byte];
    return to;
  }
  memcpy(to, "u00", 3);
  to[3] = digits[byte >> 4];
  to[4] = digits[byte & 15];
  return to + 5;
}

static void write_piece (lua_State *L, const char *bytes, size_t length) {
  char *to;
  size_t i;
  text_reserve(L, length * 6 + 2);
  to = text.bytes + text.length;
  for (i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    if (ESCAPES[byte] == 0) *to++ = (char)byte;
    else to = write_escape(to, byte);
  }
  text.length = (size_t)(to - text.bytes);
}

static void write_string (lua_State *L, int index) {
  size_t length;
  const char *bytes = lua_tolstring(L, index, &length);
  text_reserve(L, 1);
  text_byte('"');
  while (length > STRING_PIECE) {
    write_piece(L, bytes, STRING_PIECE);
    bytes += STRING_PIECE;
    length -= STRING_PIECE;
    engine_step(L);
  }
  write_piece(L, bytes, length);
  text_byte('"'); /* write_piece has made room for it */
}

static void write_number (lua_State *L, const Settings *settings, int index) {
  double value = lua_tonumber(L, index);
  if (isinf(value) || isnan(value)) {
    if (settings->encode_invalid == INVALID_REFUSED) cannot_encode(L, index, "must not be NaN or Inf");
    if (settings->encode_invalid == INVALID_NULL) {
      text_add(L, "null", 4);
      return;
    }
    if (isnan(value)) {
      text_add(L, "nan", 3);
      return;
    }
  }
  text_reserve(L, NUMBER_TEXT_MAX);
  text.length += (size_t)number_text(text.bytes + text.length, value, settings->precision);
}

static void write_key (lua_State *L, const Settings *settings, int index) {
  int type = lua_type(L, index);
  if (type == LUA_TSTRING) write_string(L, index);
  else if (type == LUA_TNUMBER) {
    text_add(L, "\"", 1);
    write_number(L, settings, index);
    text_add(L, "\"", 1);
  } else cannot_encode(L, index, "table key must be a number or string");
  text_add(L, ":", 1);
}

/* Writes what has no elements. */
static void write_plain (lua_State *L, const Settings *settings) {
  switch (lua_type(L, -1)) {
    case LUA_TSTRING: write_string(L, -1); return;
    case LUA_TNUMBER: write_number(L, settings, -1); return;
    case LUA_TBOOLEAN:
      if (lua_toboolean(L, -1)) text_add(L, "true", 4);
      else text_add(L, "false", 5);
      return;
    case LUA_TNIL: text_add(L, "null", 4); return;
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(L, -1) == NULL) {
        text_add(L, "null", 4);
        return;
      }
  }
  cannot_encode(L, -1, "type not supported");
}

/* The largest of the keys of the table on the top if all of them are integers from 1 on; or 0. */
static int array_length (lua_State *L, const Settings *settings) {
  int max = 0;
  int items = 0;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    double key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
    if (key < 1 || floor(key) != key) {
      lua_pop(L, 2);
      return 0;
    }
    if (key > max) max = to_int32(key);
    items++;
    lua_pop(L, 1);
    engine_step(L);
  }
  if (settings->sparse_ratio > 0 && max > settings->sparse_safe &&
      max > (int)((unsigned int)items * (unsigned int)settings->sparse_ratio)) {
    if (!settings->converts_sparse) cannot_encode(L, -1, "excessively sparse array");
    return 0;
  }
  return max > 0 ? max : 0;
}

/* Begins with the table on the top; `depth` counts it. */
static void open_table (lua_State *L, const Settings *settings, int depth) {
  Level *level;
  int length;
  if (depth > settings->encode_depth_max || !lua_checkstack(L, 3)) {
    luaL_error(L, "Cannot serialise, excessive nesting (%d)", depth);
  }
  length = array_length(L, settings);
  level = level_at(L, depth - 1);
  level->length = length;
  level->next = 0;
  text_add(L, length > 0 ? "[" : "{", 1);
  if (length == 0) lua_pushnil(L); /* the key before the first */
}

/* Pushes the next value of the innermost table; 0 at its end. */
static int next_value (lua_State *L, const Settings *settings, int depth) {
  Level *level = level_at(L, depth - 1);
  int is_first = level->next == 0;
  if (level->length > 0) {
    if (level->next == level->length) return 0;
    lua_rawgeti(L, -1, ++level->next);
    if (!is_first) text_add(L, ",", 1);
    return 1;
  }
  if (!lua_next(L, -2)) return 0;
  level->next = 1;
  if (!is_first) text_add(L, ",", 1);
  write_key(L, settings, -2);
  return 1;
}

static int json_encode (lua_State *L) {
  const Settings *settings = settings_of(L);
  int depth = 0;
  luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
  text_begin(L);
  do {
    engine_step(L);
    if (lua_istable(L, -1)) open_table(L, settings, ++depth);
    else {
      write_plain(L, settings);
      lua_pop(L, 1);
    }
    while (depth > 0 && !next_value(L, settings, depth)) {
      text_add(L, level_at(L, --depth)->length > 0 ? "]" : "}", 1);
      lua_pop(L, 1);
    }
  } while (depth > 0);
  text_push(L);
  return 1;
}

/* ---- decoding ---- */

typedef enum Token {
  OBJECT_BEGIN, OBJECT_END, ARRAY_BEGIN, ARRAY_END, STRING, NUMBER, BOOLEAN, NOTHING, COLON, COMMA, END, BAD
} Token;

static const char *const TOKEN_NAMES[] = {
  "T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END", "T_STRING", "T_NUMBER", "T_BOOLEAN", "T_NULL",
  "T_COLON", "T_COMMA", "T_END"
};

/* What was read last, and where reading goes on. The text ends with a zero byte. */
typedef struct Reader {
  lua_State *L;
  const Settings *settings;
  const char *begin;
  const char *at;
  const char *token_at;
  const char *fault; /* of a BAD token */
  const char *string;
  size_t length;
  double number; /* of BOOLEAN: whether true */
} Reader;

static Token bad (Reader *r, const char *fault) {
  r->fault = fault;
  r->token_at = r->at;
  return BAD;
}

static void expected (Reader *r, Token token, const char *what) {
  luaL_error(r->L, "Expected %s but found %s at character %d", what,
    token == BAD ? r->fault : TOKEN_NAMES[token], (int)(r->token_at - r->begin) + 1);
}

/* The value of four digits, or -1. */
static int read_unit (const char *digits) {
  int value = 0;
  int i;
  for (i = 0; i < 4; i++) {
    char c = digits[i];
    int lower = c | 0x20;
    if (c >= '0' && c <= '9') value = value * 16 + (c - '0');
    else if (lower >= 'a' && lower <= 'f') value = value * 16 + (lower - 'a' + 10);
    else return -1;
  }
  return value;
}

static void add_utf8 (int code) {
  if (code < 0x80) {
    text_byte(code);
    return;
  }
  if (code < 0x800) text_byte(0xc0 | code >> 6);
  else {
    if (code < 0x10000) text_byte(0xe0 | code >> 12);
    else {
      text_byte(0xf0 | code >> 18);
      text_byte(0x80 | (code >> 12 & 0x3f));
    }
    text_byte(0x80 | (code >> 6 & 0x3f));
  }
  text_byte(0x80 | (code & 0x3f));
}

/* Reads \uXXXX, or two of them that make one character; 0 if it is none. */
static int read_code (Reader *r) {
  int code = read_unit(r->at + 2);
  int length = 6;
  if (code < 0) return 0;
  if ((code & 0xf800) == 0xd800) {
    int low;
    if ((code & 0x400) != 0 || r->at[6] != '\\' || r->at[7] != 'u') return 0;
    low = read_unit(r->at + 8);
    if ((low & ~0x3ff) != 0xdc00) return 0;
    code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
    length = 12;
  }
  add_utf8(code);
  r->at += length;
  return 1;
}

/* The byte that a letter after a backslash stands for; 0 for none. */
static char escaped_byte (char letter) {
  switch (letter) {
    case '"': case '\\': case '/': return letter;
    case 'b': return '\b';
    case 't': return '\t';
    case 'n': return '\n';
    case 'f': return '\f';
    case 'r': return '\r';
    default: return 0;
  }
}

/* Goes on to the next quote, backslash or end. */
static void skip_plain (Reader *r) {
  const char *at = r->at;
  while (*at != '"' && *at != '\\' && *at != '\0') at++;
  r->at = at;
}

/* The rest of a string that has escapes, of which `from` is the part before the first. */
static Token read_escaped_string (Reader *r, const char *from) {
  text_begin(r->L);
  for (;;) {
    text_add(r->L, from, (size_t)(r->at - from));
    if (*r->at == '"') break;
    if (*r->at == '\0') return bad(r, "unexpected end of string");
    text_reserve(r->L, 4);
    if (r->at[1] == 'u') {
      if (!read_code(r)) return bad(r, "invalid unicode escape code");
    } else {
      char byte = escaped_byte(r->at[1]);
      if (byte == 0) return bad(r, "invalid escape code");
      text_byte(byte);
      r->at += 2;
    }
    from = r->at;
    skip_plain(r);
  }
  r->at++;
  r->string = text.bytes;
  r->length = text.length;
  return STRING;
}

/* A string without escapes stays where it is. */
static Token read_string (Reader *r) {
  const char *from = ++r->at;
  skip_plain(r);
  if (*r->at != '"') return read_escaped_string(r, from);
  r->string = from;
  r->length = (size_t)(r->at++ - from);
  return STRING;
}

/* Whether a number begins that strtod takes and JSON does not have. */
static int is_invalid_number (const char *at) {
  if (*at == '+') return 1;
  if (*at == '-') at++;
  if (*at == '0') return (at[1] | 0x20) == 'x' || (at[1] >= '0' && at[1] <= '9');
  return strncasecmp(at, "inf", 3) == 0 || strncasecmp(at, "nan", 3) == 0;
}

static Token read_number (Reader *r) {
  char *end;
  r->number = number_read(r->at, &end);
  if (end == r->at) return bad(r, "invalid number");
  r->at = end;
  return NUMBER;
}

static Token read_word (Reader *r) {
  if (strncmp(r->at, "true", 4) == 0) {
    r->at += 4;
    r->number = 1;
    return BOOLEAN;
  }
  if (strncmp(r->at, "false", 5) == 0) {
    r->at += 5;
    r->number = 0;
    return BOOLEAN;
  }
  if (strncmp(r->at, "null", 4) == 0) {
    r->at += 4;
    return NOTHING;
  }
  if (r->settings->decodes_invalid && is_invalid_number(r->at)) return read_number(r);
  return bad(r, "invalid token");
}

static Token mark (Reader *r, Token token) {
  r->at++;
  return token;
}

static Token next_token (Reader *r) {
  while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r') r->at++;
  r->token_at = r->at;
  switch (*r->at) {
    case '{': return mark(r, OBJECT_BEGIN);
    case '}': return mark(r, OBJECT_END);
    case '[': return mark(r, ARRAY_BEGIN);
    case ']': return mark(r, ARRAY_END);
    case ',': return mark(r, COMMA);
    case ':': return mark(r, COLON);
    case '\0': return END;
    case '"': return read_string(r);
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8':
    case '9':
      if (!r->settings->decodes_invalid && is_invalid_number(r->at)) return bad(r, "invalid number");
      return read_number(r);
    case 'f': case 'i': case 'I': case 'n': case 'N': case 't': case '+': return read_word(r);
    default: return bad(r, "invalid token");
  }
}

#define IS_OBJECT (-1) /* as `length` of a level; an array has its elements in `next` */

/* Begins with a table that is read; `depth` counts it. */
static void push_table (Reader *r, Token token, int depth) {
  int is_object = token == OBJECT_BEGIN;
  Level *level;
  if (depth > r->settings->decode_depth_max || !lua_checkstack(r->L, is_object ? 3 : 2)) {
    luaL_error(r->L, "Found too many nested data structures (%d) at character %d", depth,
      (int)(r->at - r->begin));
  }
  lua_newtable(r->L);
  level = level_at(r->L, depth - 1);
  level->length = is_object ? IS_OBJECT : 0;
  level->next = 0;
}

static void push_plain (Reader *r, Token token) {
  switch (token) {
    case STRING: lua_pushlstring(r->L, r->string, r->length); return;
    case NUMBER: lua_pushnumber(r->L, r->number); return;
    case BOOLEAN: lua_pushboolean(r->L, r->number != 0); return;
    case NOTHING: lua_pushlightuserdata(r->L, NULL); return;
    default: expected(r, token, "value");
  }
}

/* Reads the key of a field, of which `token` is the first, and pushes it: the first token of the value. */
static Token push_key (Reader *r, Token token) {
  if (token != STRING) expected(r, token, "object key string");
  lua_pushlstring(r->L, r->string, r->length);
  token = next_token(r);
  if (token != COLON) expected(r, token, "colon");
  return next_token(r);
}

/* Puts the value on the top into the innermost table. */
static void keep_value (Reader *r, Level *level) {
  if (level->length == IS_OBJECT) lua_rawset(r->L, -3);
  else lua_rawseti(r->L, -2, ++level->next);
}

/*
** What follows a value in the innermost table: its end, or a comma and the first token of the next one,
** which is left at `token`; 0 at the end.
*/
static int goes_on (Reader *r, const Level *level, Token *token) {
  int is_object = level->length == IS_OBJECT;
  *token = next_token(r);
  if (*token == (is_object ? OBJECT_END : ARRAY_END)) return 0;
  if (*token != COMMA) expected(r, *token, is_object ? "comma or object end" : "comma or array end");
  *token = next_token(r);
  if (is_object) *token = push_key(r, *token);
  return 1;
}

/* Reads one value and pushes it. */
static void read_value (Reader *r) {
  int depth = 0;
  Token token = next_token(r);
  do {
    int is_over = 1;
    engine_step(r->L);
    if (token == OBJECT_BEGIN || token == ARRAY_BEGIN) {
      Token begin = token;
      push_table(r, begin, ++depth);
      token = next_token(r);
      if (token == (begin == OBJECT_BEGIN ? OBJECT_END : ARRAY_END)) depth--;
      else {
        is_over = 0;
        if (begin == OBJECT_BEGIN) token = push_key(r, token);
      }
    } else push_plain(r, token);
    while (is_over && depth > 0) {
      Level *level = level_at(r->L, depth - 1);
      keep_value(r, level);
      if (goes_on(r, level, &token)) is_over = 0;
      else depth--;
    }
  } while (depth > 0);
}

static int json_decode (lua_State *L) {
  Reader r;
  Token token;
  size_t length;
  luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
  r.L = L;
  r.settings = settings_of(L);
  r.begin = r.at = luaL_checklstring(L, 1, &length);
  if (length >= 2 && (r.begin[0] == '\0' || r.begin[1] == '\0')) {
    luaL_error(L, "JSON parser does not support UTF-16 or UTF-32");
  }
  read_value(&r);
  token = next_token(&r);
  if (token != END) expected(&r, token, "the end");
  return 1;
}

/* ---- the table ---- */

static int json_new (lua_State *L);

static const luaL_Reg FUNCTIONS[] = {
  {"encode", json_encode}, {"decode", json_decode}, {"encode_sparse_array", json_encode_sparse_array},
  {"encode_max_depth", json_encode_max_depth}, {"decode_max_depth", json_decode_max_depth},
  {"encode_number_precision", json_encode_number_precision},
  {"encode_keep_buffer", json_encode_keep_buffer},
  {"encode_invalid_numbers", json_encode_invalid_numbers},
  {"decode_invalid_numbers", json_decode_invalid_numbers}, {"new", json_new}, {NULL, NULL}
};

/* Pushes a table of its own settings. */
static int json_new (lua_State *L) {
  const luaL_Reg *function;
  lua_newtable(L);
  *(Settings *)lua_newuserdata(L, sizeof(Settings)) = DEFAULTS;
  for (function = FUNCTIONS; function->name != NULL; function++) {
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, function->func, 1);
    lua_setfield(L, -3, function->name);
  }
  lua_pop(L, 1);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  lua_pushliteral(L, "cjson");
  lua_setfield(L, -2, "_NAME");
  lua_pushliteral(L, "2.1.0");
  lua_setfield(L, -2, "_VERSION");
  return 1;
}

int open_cjson (lua_State *L) {
  json_new(L);
  lua_setglobal(L, "cjson");
  return 0;
}
