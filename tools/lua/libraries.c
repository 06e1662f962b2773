/*
** What the libraries of scripts share: see libraries.h.
*/

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libraries.h"

/* Beyond this the memory of a result is not kept for the next one. */
#define TEXT_KEPT 65536

Text text = { NULL, 0, 0 };

static Level *levels = NULL;
static int levels_room = 0;

static void *reallocate (lua_State *L, void *block, size_t old_size, size_t new_size) {
  void *ud;
  lua_Alloc allocate = lua_getallocf(L, &ud);
  void *made = allocate(ud, block, old_size, new_size);
  if (made == NULL && new_size > old_size) {
    lua_gc(L, LUA_GCCOLLECT, 0);
    made = allocate(ud, block, old_size, new_size);
    if (made == NULL) {
      lua_pushliteral(L, "not enough memory");
      lua_error(L);
    }
  }
  return made;
}

void text_begin (lua_State *L) {
  text.length = 0;
  if (text.room <= TEXT_KEPT) return;
  reallocate(L, text.bytes, text.room, 0);
  text.bytes = NULL;
  text.room = 0;
}

void text_grow (lua_State *L, size_t extra) {
  size_t room = text.room < 1024 ? 1024 : text.room;
  size_t needed = text.length + extra;
  if (needed > INT_MAX) luaL_error(L, "result is too large");
  while (room < needed) room += room < (1 << 20) ? room : room / 2;
  text.bytes = reallocate(L, text.bytes, text.room, room);
  text.room = room;
}

void text_add (lua_State *L, const char *bytes, size_t length) {
  text_reserve(L, length);
  memcpy(text.bytes + text.length, bytes, length);
  text.length += length;
}

void text_push (lua_State *L) {
  lua_pushlstring(L, text.length == 0 ? "" : text.bytes, text.length);
  if (text.room > TEXT_KEPT) text_begin(L);
}

Level *level_at (lua_State *L, int depth) {
  if (depth >= levels_room) {
    int room = levels_room == 0 ? 64 : levels_room * 2;
    levels = reallocate(L, levels, (size_t)levels_room * sizeof(Level), (size_t)room * sizeof(Level));
    levels_room = room;
  }
  return &levels[depth];
}

/* ---- numbers as text ---- */

static const double POWERS[] = {
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18
};

static int write_digits (char *to, uint64_t value) {
  char reversed[20];
  int count = 0;
  int i;
  do {
    reversed[count++] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  for (i = 0; i < count; i++) to[i] = reversed[count - 1 - i];
  return count;
}

int integer_text (char *to, int64_t value) {
  if (value >= 0) return write_digits(to, (uint64_t)value);
  *to = '-';
  return 1 + write_digits(to + 1, -(uint64_t)value);
}

/* Upper half of the bits of a number, so that the product of two such is exact. */
static double upper_half (double value) {
  double spread = 134217729.0 * value;
  return spread - (spread - value);
}

/*
** The integer next to value * 10^power, an even one where two are as near. The product is exact as the sum
** of two doubles (Dekker's method), so this is the decimal that printf would round to.
*/
static uint64_t scaled (double value, int power) {
  double factor = POWERS[power];
  double product = value * factor;
  double a = upper_half(value), b = value - a;
  double c = upper_half(factor), d = factor - c;
  double rest = ((a * c - product) + a * d + b * c) + b * d;
  double whole = floor(product);
  double above = (product - whole - 0.5) + rest;
  uint64_t digits = (uint64_t)whole;
  if (above > 0 || (above == 0 && (digits & 1) != 0)) digits++;
  return digits;
}

/* A number from 0.0001 on, below 10^precision, with something behind the point. */
static int write_fraction (char *to, double value, int precision) {
  int before = 0; /* digits before the point; of a number below 0.1, minus its zeros behind it */
  int places, length;
  uint64_t digits, whole, fraction, unit;
  if (value >= 1) while (value >= POWERS[before]) before++;
  else while (value * POWERS[1 - before] < 1) before--;
  places = precision - before;
  digits = scaled(value, places);
  while (places > 0 && digits % 10 == 0) {
    digits /= 10;
    places--;
  }
  unit = (uint64_t)POWERS[places];
  whole = digits / unit;
  fraction = digits % unit;
  length = write_digits(to, whole);
  if (places == 0) return length;
  to[length++] = '.';
  while ((unit /= 10) > fraction) to[length++] = '0';
  return length + write_digits(to + length, fraction);
}

int number_text (char *to, double value, int precision) {
  double size = fabs(value);
  int is_plain = size >= 1e-4 && size < POWERS[precision] - 1;
  int sign = 0;
  if (!is_plain && value != 0) return snprintf(to, NUMBER_TEXT_MAX, "%.*g", precision, value);
  if (signbit(value)) to[sign++] = '-';
  if (size == (double)(int64_t)size) return sign + write_digits(to + sign, (uint64_t)size);
  return sign + write_fraction(to + sign, size, precision);
}

/* ---- numbers from text ---- */

#define FEW_DIGITS 15 /* as a double, so many are always exact */

/*
** Reads a number of few digits without an exponent, as most are: a division of two exact doubles rounds as
** strtod does. NULL if it is any other number, else where it ends.
*/
static const char *read_short (const char *from, double *value) {
  const char *at = from + (*from == '-');
  int64_t digits = 0;
  int count = 0, places = 0;
  for (; *at >= '0' && *at <= '9'; at++, count++) {
    if (count == FEW_DIGITS) return NULL;
    digits = digits * 10 + (*at - '0');
  }
  if (count == 0) return NULL;
  if (*at == '.') {
    for (at++; *at >= '0' && *at <= '9'; at++, count++, places++) {
      if (count == FEW_DIGITS) return NULL;
      digits = digits * 10 + (*at - '0');
    }
  }
  if ((*at | 0x20) == 'e' || (*at | 0x20) == 'x') return NULL;
  *value = (double)digits / POWERS[places];
  if (*from == '-') *value = -*value;
  return at;
}

double number_read (const char *from, char **end) {
  double value;
  const char *at = read_short(from, &value);
  if (at != NULL) {
    *end = (char *)at;
    return value;
  }
  value = strtod(from, end);
  if (!isnan(value)) return value;
  while (isspace((unsigned char)*from)) from++;
  return copysign(value, *from == '-' ? -1 : 1);
}
