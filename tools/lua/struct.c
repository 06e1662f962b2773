/*
** The library `struct`: values as the bytes of a C structure. A format is a row of letters:
**   b B h H l L T   integers of 1, 2, 8 and (T) 8 bytes, small letters signed
**   iN IN           integers of N bytes, at most 32; 4 without N
**   f d             numbers of 4 and 8 bytes
**   x               a byte of padding
**   cN s            N bytes of a string (1 without N; 0 for all, or for as many as were just read), and
**                   a string up to and with a zero byte
**   > < !N space    big, little endian; alignment to N (8 without it); nothing
*/

#include <ctype.h>
#include <string.h>

#include "libraries.h"

#define INTEGER_MAX 32
#define ALIGN_DEFAULT 8

typedef struct Format {
  lua_State *L;
  const char *at;
  int option; /* the letter that was read last */
  uint64_t size; /* bytes of its value, where that is known */
  unsigned int align;
  int is_big;
} Format;

static void format_begin (Format *f, lua_State *L) {
  f->L = L;
  f->at = luaL_checkstring(L, 1);
  f->align = 1;
  f->is_big = 0;
}

/* The number that follows a letter. */
static int format_number (Format *f, int otherwise) {
  int64_t number = 0;
  if (!isdigit((unsigned char)*f->at)) return otherwise;
  while (isdigit((unsigned char)*f->at)) {
    number = number * 10 + (*f->at++ - '0');
    if (number > INT_MAX) luaL_error(f->L, "integral size overflow");
  }
  return (int)number;
}

static uint64_t integer_size (Format *f) {
  int size = format_number(f, 4);
  if (size > INTEGER_MAX) {
    luaL_error(f->L, "integral size %d is larger than limit of %d", size, INTEGER_MAX);
  }
  return (uint64_t)size;
}

/* Reads the next letter; 0 at the end. */
static int format_next (Format *f) {
  if (*f->at == '\0') return 0;
  f->option = *f->at++;
  switch (f->option) {
    case 'b': case 'B': case 'x': f->size = 1; break;
    case 'h': case 'H': f->size = 2; break;
    case 'f': f->size = 4; break;
    case 'l': case 'L': case 'T': case 'd': f->size = 8; break;
    case 'i': case 'I': f->size = integer_size(f); break;
    case 'c': f->size = (uint64_t)format_number(f, 1); break;
    default: f->size = 0;
  }
  return 1;
}

/* Bytes that the value needs in front of it at `position`. */
static unsigned int format_padding (const Format *f, uint64_t position) {
  uint64_t size = f->size > f->align ? f->align : f->size;
  if (size == 0 || f->option == 'c') return 0;
  return (unsigned int)((size - (position & (size - 1))) & (size - 1));
}

/* A letter that stands for no value. */
static void format_control (Format *f) {
  switch (f->option) {
    case ' ': return;
    case '>': f->is_big = 1; return;
    case '<': f->is_big = 0; return;
    case '!': {
      int align = format_number(f, ALIGN_DEFAULT);
      if (align <= 0 || (align & (align - 1)) != 0) {
        luaL_error(f->L, "alignment %d is not a power of 2", align);
      }
      f->align = (unsigned int)align;
      return;
    }
    default:
      luaL_argerror(f->L, 1, lua_pushfstring(f->L, "invalid format option '%c'", f->option));
  }
}

/* ---- packing ---- */

/* Byte 0 is the lowest; beyond the eighth there are zeros. */
static void write_integer (const Format *f, uint64_t value) {
  unsigned int size = (unsigned int)f->size;
  unsigned int i;
  char *to;
  text_reserve(f->L, size);
  to = text.bytes + text.length;
  for (i = 0; i < size; i++) {
    to[f->is_big ? size - 1 - i : i] = (char)(i < 8 ? value >> (8 * i) : 0);
  }
  text.length += size;
}

static void write_float (const Format *f, double number) {
  float narrow = (float)number;
  uint32_t bits;
  memcpy(&bits, &narrow, sizeof(bits));
  write_integer(f, bits);
}

static void write_double (const Format *f, double number) {
  uint64_t bits;
  memcpy(&bits, &number, sizeof(bits));
  write_integer(f, bits);
}

static void write_string (const Format *f, int index) {
  size_t length;
  const char *bytes = luaL_checklstring(f->L, index, &length);
  size_t size = f->size == 0 ? length : (size_t)f->size;
  luaL_argcheck(f->L, length >= size, index + 1, "string too short");
  text_add(f->L, bytes, size);
  if (f->option == 's') text_add(f->L, "", 1);
}

static void write_padding (lua_State *L, unsigned int count) {
  text_reserve(L, count);
  while (count-- > 0) text_byte(0);
}

static int struct_pack (lua_State *L) {
  Format f;
  int index = 2;
  format_begin(&f, L);
  text_begin(L);
  lua_pushnil(L); /* what a value that is not given is said to be */
  while (format_next(&f)) {
    engine_step(L);
    write_padding(L, format_padding(&f, text.length));
    switch (f.option) {
      case 'b': case 'B': case 'h': case 'H': case 'l': case 'L': case 'T': case 'i': case 'I':
        write_integer(&f, to_uint64(luaL_checknumber(L, index++)));
        break;
      case 'f': write_float(&f, luaL_checknumber(L, index++)); break;
      case 'd': write_double(&f, luaL_checknumber(L, index++)); break;
      case 'c': case 's': write_string(&f, index++); break;
      case 'x': write_padding(L, 1); break;
      default: format_control(&f);
    }
  }
  text_push(L);
  return 1;
}

/* ---- unpacking ---- */

static uint64_t read_bits (const Format *f, const char *from) {
  unsigned int size = (unsigned int)f->size;
  uint64_t value = 0;
  unsigned int i;
  for (i = 0; i < size; i++) {
    value = value << 8 | (unsigned char)from[f->is_big ? i : size - 1 - i];
  }
  return value;
}

static double read_integer (const Format *f, const char *from) {
  uint64_t value = read_bits(f, from);
  uint64_t sign = ~(uint64_t)0 << ((f->size * 8 - 1) & 63);
  if (!islower(f->option)) return (double)value;
  if ((value & sign) != 0) value |= sign;
  return (double)(int64_t)value;
}

static double read_float (const Format *f, const char *from) {
  uint32_t bits = (uint32_t)read_bits(f, from);
  float narrow;
  memcpy(&narrow, &bits, sizeof(narrow));
  return narrow;
}

static double read_double (const Format *f, const char *from) {
  uint64_t bits = read_bits(f, from);
  double number;
  memcpy(&number, &bits, sizeof(number));
  return number;
}

static void check_inside (lua_State *L, uint64_t position, uint64_t size, size_t length) {
  luaL_argcheck(L, size <= length && position <= length - size, 2, "data string too short");
}

/* Takes the number that was read last from the stack: the bytes of the string after it. */
static uint64_t counted_size (lua_State *L, int results) {
  uint64_t size;
  if (results == 0 || !lua_isnumber(L, -1)) luaL_error(L, "format 'c0' needs a previous size");
  size = to_uint64(lua_tonumber(L, -1));
  lua_pop(L, 1);
  return size;
}

static uint64_t terminated_size (lua_State *L, const char *from, size_t left) {
  const char *end = memchr(from, '\0', left);
  if (end == NULL) luaL_error(L, "unfinished string in data");
  return (uint64_t)(end - from) + 1;
}

static int struct_unpack (lua_State *L) {
  Format f;
  size_t length;
  const char *data;
  uint64_t position;
  int results = 0;
  format_begin(&f, L);
  data = luaL_checklstring(L, 2, &length);
  position = lua_isnoneornil(L, 3) ? 1 : (uint64_t)check_int64(L, 3);
  luaL_argcheck(L, position > 0, 3, "offset must be 1 or greater");
  position--;
  while (format_next(&f)) {
    const char *from;
    engine_step(L);
    position += format_padding(&f, position);
    check_inside(L, position, f.size, length);
    luaL_checkstack(L, 2, "too many results");
    from = data + position;
    switch (f.option) {
      case 'b': case 'B': case 'h': case 'H': case 'l': case 'L': case 'T': case 'i': case 'I':
        lua_pushnumber(L, read_integer(&f, from));
        results++;
        break;
      case 'f': lua_pushnumber(L, read_float(&f, from)); results++; break;
      case 'd': lua_pushnumber(L, read_double(&f, from)); results++; break;
      case 'c':
        if (f.size == 0) {
          f.size = counted_size(L, results--);
          check_inside(L, position, f.size, length);
        }
        lua_pushlstring(L, from, (size_t)f.size);
        results++;
        break;
      case 's':
        f.size = terminated_size(L, from, length - (size_t)position);
        lua_pushlstring(L, from, (size_t)f.size - 1);
        results++;
        break;
      case 'x': break;
      default: format_control(&f);
    }
    position += f.size;
  }
  lua_pushnumber(L, (double)(int64_t)(position + 1));
  return results + 1;
}

static int struct_size (lua_State *L) {
  Format f;
  uint64_t position = 0;
  format_begin(&f, L);
  while (format_next(&f)) {
    position += format_padding(&f, position);
    if (f.option == 's') luaL_argerror(L, 1, "option 's' has no fixed size");
    if (f.option == 'c' && f.size == 0) luaL_argerror(L, 1, "option 'c0' has no fixed size");
    if (!isalnum(f.option)) format_control(&f);
    position += f.size;
  }
  lua_pushnumber(L, (double)(int64_t)position);
  return 1;
}

static const luaL_Reg FUNCTIONS[] = {
  {"pack", struct_pack}, {"unpack", struct_unpack}, {"size", struct_size}, {NULL, NULL}
};

int open_struct (lua_State *L) {
  luaL_register(L, "struct", FUNCTIONS);
  return 1;
}
