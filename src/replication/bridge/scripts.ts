/**
 * What an older server does not know as a command, as a script for it: where the outcome depends on what is there when
 * the command's turn comes, which only the replica itself can see. All run from Lua 5.1 of Redis 2.6 on, call nothing
 * of chance before they write, and give back nothing.
 *
 * Times are read as what is left, the only form that all versions know, and kept within what Lua writes as an integer.
 * What that may change of a time is put right afterwards, see translator.ts.
 */

/** KEYS: the string. ARGV: its new value. The time at which it expires stays. */
export const SET_KEEPING_TIME = "local t=redis.call('pttl',KEYS[1]) " +
  "redis.call('set',KEYS[1],ARGV[1]) " +
  "if t>=0 then redis.call('pexpire',KEYS[1],math.min(math.max(t,1),9e15)) end";

/** KEYS: the list from which an element is taken, and to which it goes. ARGV: with which commands. */
export const MOVE_ELEMENT = "local v=redis.call(ARGV[1],KEYS[1]) " +
  "if v then redis.call(ARGV[2],KEYS[2],v) end";

/** KEYS: what is copied, and where to. ARGV: the database that it goes to, and the one of before; or none. */
export const COPY = "local d=redis.call('dump',KEYS[1]) if not d then return end " +
  "local t=redis.call('pttl',KEYS[1]) if t<0 then t=0 else t=math.min(math.max(t,1),9e15) end " +
  "if ARGV[1] then redis.call('select',ARGV[1]) end " +
  "redis.call('del',KEYS[2]) redis.call('restore',KEYS[2],t,d) " +
  "if ARGV[1] then redis.call('select',ARGV[2]) end";

/** KEYS: the sorted set. ARGV: the options of ZADD as letters n (NX), x (XX), g (GT), l (LT), i (INCR), then its pairs. */
export const ADD_SCORED = "local f=ARGV[1] for i=2,#ARGV,2 do " +
  "local w,m=ARGV[i],ARGV[i+1] local s=redis.call('zscore',KEYS[1],m) " +
  "if s and not f:find('n') then " +
  "local old,new=tonumber(s),tonumber(w) if f:find('i') then new=old+new end " +
  "if (not f:find('g') or new>old) and (not f:find('l') or new<old) then " +
  "redis.call(f:find('i') and 'zincrby' or 'zadd',KEYS[1],w,m) end " +
  "elseif not s and not f:find('x') then redis.call('zadd',KEYS[1],w,m) end end";

/** KEYS: the stream. ARGV: the id up to which entries are removed. */
export const REMOVE_ENTRIES =
  "repeat local e=redis.call('xrange',KEYS[1],'-',ARGV[1],'COUNT',1000) " +
  "for i=1,#e do redis.call('xdel',KEYS[1],e[i][1]) end until #e<1000";
