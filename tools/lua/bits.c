/*
** The library `bit`: operations on numbers as 32 bits, whose results are signed.
*/

#include <string.h>

#include "libraries.h"

/* What makes the whole part of a double its lowest bits, of negative numbers as a complement. */
#define SHIFTED 6755399441055744.0

static uint32_t argument (lua_State *L, int index) {
  double number = lua_tonumber(L, index) + SHIFTED;
  uint64_t bits;
  memcpy(&bits, &number, sizeof(bits));
  if ((uint32_t)bits == 0 && !lua_isnumber(L, index)) luaL_typerror(L, index, "number");
  return (uint32_t)bits;
}

static int result (lua_State *L, uint32_t bits) {
  lua_pushnumber(L, (int32_t)bits);
  return 1;
}

static int bit_tobit (lua_State *L) { return result(L, argument(L, 1)); }

static int bit_bnot (lua_State *L) { return result(L, ~argument(L, 1)); }

static int bit_bswap (lua_State *L) { return result(L, __builtin_bswap32(argument(L, 1))); }

/* Of the first argument and all others, from the last on: errors come in that order. */
#define OF_ALL(name, operator) \
  static int name (lua_State *L) { \
    uint32_t bits = argument(L, 1); \
    int i; \
    for (i = lua_gettop(L); i > 1; i--) bits operator argument(L, i); \
    return result(L, bits); \
  }

OF_ALL(bit_band, &=)
OF_ALL(bit_bor, |=)
OF_ALL(bit_bxor, ^=)

/* Of a number and a distance, of which five bits count. */
#define OF_DISTANCE(name, expression) \
  static int name (lua_State *L) { \
    uint32_t bits = argument(L, 1); \
    uint32_t by = argument(L, 2) & 31; \
    return result(L, expression); \
  }

OF_DISTANCE(bit_lshift, bits << by)
OF_DISTANCE(bit_rshift, bits >> by)
OF_DISTANCE(bit_arshift, (uint32_t)((int32_t)bits >> by))
OF_DISTANCE(bit_rol, __builtin_rotateleft32(bits, by))
OF_DISTANCE(bit_ror, __builtin_rotateright32(bits, by))

/* The lowest digits, eight or as many as the second argument says; in capitals if that is negative. */
static int bit_tohex (lua_State *L) {
  uint32_t bits = argument(L, 1);
  int32_t count = lua_isnone(L, 2) ? 8 : (int32_t)argument(L, 2);
  const char *digits = count < 0 ? "0123456789ABCDEF" : "0123456789abcdef";
  char hex[8];
  int i;
  if (count < -8 || count > 8) count = 8;
  else if (count < 0) count = -count;
  for (i = count - 1; i >= 0; i--, bits >>= 4) hex[i] = digits[bits & 15];
  lua_pushlstring(L, hex, (size_t)count);
  return 1;
}

static const luaL_Reg FUNCTIONS[] = {
  {"tobit", bit_tobit}, {"bnot", bit_bnot}, {"band", bit_band}, {"bor", bit_bor}, {"bxor", bit_bxor},
  {"lshift", bit_lshift}, {"rshift", bit_rshift}, {"arshift", bit_arshift}, {"rol", bit_rol},
  {"ror", bit_ror}, {"bswap", bit_bswap}, {"tohex", bit_tohex}, {NULL, NULL}
};

int open_bit (lua_State *L) {
  luaL_register(L, "bit", FUNCTIONS);
  return 1;
}
