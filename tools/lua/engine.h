/*
** What Lua's own sources see of the engine: see engine.c.
*/

#ifndef tsredis_engine_h
#define tsredis_engine_h

#include <stddef.h>
#include <stdint.h>

struct lua_State;

#define ENGINE_IMPORT(name) __attribute__((import_module("host"), import_name(name)))

/* Runs f(L, ud): 0 when it returned, 1 when engine_throw ended it. In protect.s. */
int engine_try (void (*f) (struct lua_State *, void *), struct lua_State *L, void *ud);

/* The same in a state that is in no protected call: 0, or how it failed. Beside lua_pcall. */
int engine_protect (struct lua_State *L, void (*f) (struct lua_State *, void *), void *ud);

/* Leaves everything up to the innermost engine_try. */
#define engine_throw() __builtin_wasm_throw(0, (void *)0)

/*
** A script begins in a call that cannot be suspended, which takes less than to be able to. As long as
** engine_is_plain, it stops (with status LUA_YIELD) before a call that may take long or calls Lua in turn,
** which are those of functions marked as long and of functions of Lua by a loop (`for ... in`), and when the
** hook says so. All frames are the virtual machine's own then, so it goes on from there in a call that can be
** suspended. Metamethods of Lua cannot be met before, since setmetatable is such a function.
*/
extern int engine_is_plain;

/* What isC of a function is that may take long. */
#define ENGINE_LONG 2

/* Marks the function on the top. In lapi.c. */
void engine_mark_long (struct lua_State *L);

/* For the hook: has the script stop. In ldo.c. */
void engine_stop (struct lua_State *L);

/*
** Calls the second value on the stack with those above as arguments, for one result in place of all of
** these; the first is called upon errors. Returns as lua_pcall does, or LUA_YIELD when it is to be gone on
** with: it has stopped, or was not even begun, as a script that has stopped once is not.
*/
int engine_begin (struct lua_State *L);
int engine_go_on (struct lua_State *L);

/* Nested calls that matching a pattern may need, each for a repeated or captured part of it. */
#define ENGINE_MAXMATCH 1000

/* Some work that no instruction of Lua stands for: asks the host now and then. */
extern int engine_steps_left;
void engine_out_of_steps (struct lua_State *L);
#define engine_work(L, steps) \
  ((void)((engine_steps_left -= (int)(steps)) > 0 || (engine_out_of_steps(L), 0)))
#define engine_step(L) engine_work(L, 1)

/* The same where the host cannot be asked: it is, by the hook, at the next instruction. */
#define engine_work_later(L, steps) \
  ((void)(engine_steps_left <= 0 || (engine_steps_left -= (int)(steps)) > 0 || ((L)->hookcount = 1)))

/* Whether hooks may run; defined beside lua_sethook. */
int engine_allows_hook (struct lua_State *L);

/* Whether the table on the top has any key but those of its array; in ltable.c. */
int engine_has_fields (struct lua_State *L);

/* What the host hands in lies there. */
char *engine_room (void);

/* Numbers become integers as the processors do it on which scripts were written. */

/* Out of range, and for NaN, the smallest integer. */
static inline int64_t to_int64 (double value) {
  return value >= -0x1p63 && value < 0x1p63 ? (int64_t)value : INT64_MIN;
}

static inline int32_t to_int32 (double value) {
  return value > -0x1p31 - 1 && value < 0x1p31 ? (int32_t)value : INT32_MIN;
}

/* Negative numbers wrap; from 2^64 on it is 0. */
static inline uint64_t to_uint64 (double value) {
  if (!(value >= 0x1p63)) return (uint64_t)to_int64(value);
  return (uint64_t)to_int64(value - 0x1p63) ^ ((uint64_t)1 << 63);
}

/* Room for what number_text writes. */
#define NUMBER_TEXT_MAX 32

/*
** Writes a number with up to `precision` (1 to 14) significant digits, as "%.*g" does: its length, less
** than NUMBER_TEXT_MAX. In libraries.c.
*/
int number_text (char *to, double value, int precision);

/* Writes an integer: its length, less than NUMBER_TEXT_MAX. In libraries.c. */
int integer_text (char *to, int64_t value);

/* As strtod, but quick, and with the sign of a NaN. In libraries.c. */
double number_read (const char *from, char **end);

void engine_seed (int seed);
int engine_random (void);

#endif
