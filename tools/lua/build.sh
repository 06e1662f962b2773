#!/bin/sh
# Builds src/scripting/lua_wasm.ts, the engine of scripts, from Debian's sources of Lua 5.1. Needs
# Debian 12 with clang, lld, wasi-libc, libclang-rt-dev-wasm32, binaryen and dpkg-dev, and deno. Takes the
# folder with lua5.1_5.1.5.orig.tar.gz (`apt-get source --download-only lua5.1`). The same packages make
# the same bytes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
archive="$1/lua5.1_5.1.5.orig.tar.gz"
echo "2640fc56a795f29d28ef15e13c34a47e223960b0240e8cb0a82d9b0738695333  $archive" | sha256sum --check --quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xzf "$archive" -C "$work"
cd "$work/lua-5.1.5"
patch -s -p1 < "$here/lua.patch"
cd src

exports=""
for name in checkstack gettop settop remove insert replace pushvalue type isnumber toboolean tonumber tolstring \
  objlen pushnil pushnumber pushlstring pushboolean gettable rawget rawgeti rawequal createtable \
  getmetatable settable rawset rawseti setmetatable setreadonly isreadonly getfenv setfenv call pcall gc error next \
  concat newthread xmove topointer; do
  exports="$exports -Wl,--export=lua_$name"
done
for name in luaL_ref luaL_unref luaL_loadbuffer luaL_checklstring luaL_checknumber luaL_optnumber \
  luaL_checktype luaL_checkany luaL_argerror luaL_typerror malloc free; do
  exports="$exports -Wl,--export=$name"
done

# LUA_USELONGLONG: %d of string.format has 64 bits, where `long` has 32. Linking has no -O, for which
# clang would call wasm-opt with the wrong features.
clang --target=wasm32-wasi -c -O3 -flto -mnontrapping-fptoint -mbulk-memory -msign-ext -mexception-handling -DNDEBUG \
  -DTSREDIS -DLUA_ANSI -DLUA_USELONGLONG -I"$here" -I. -Wall -Wno-unused-function -Wno-misleading-indentation \
  lapi.c lcode.c ldebug.c ldo.c ldump.c lfunc.c lgc.c llex.c lmem.c lobject.c lopcodes.c lparser.c \
  lstate.c lstring.c ltable.c ltm.c lundump.c lvm.c lzio.c lauxlib.c lbaselib.c ltablib.c lstrlib.c \
  lmathlib.c "$here/engine.c" "$here/commands.c" "$here/libraries.c" "$here/json.c" "$here/msgpack.c" "$here/struct.c" \
  "$here/bits.c"
clang --target=wasm32-wasi -c -mexception-handling "$here/protect.s"
clang --target=wasm32-wasi -flto -mexec-model=reactor *.o -o "$work/engine.wasm" -Wl,--import-memory \
  -Wl,-z,stack-size=1048576 -Wl,--stack-first -Wl,--strip-all -Wl,--export-table \
  -Wl,--export=__stack_pointer -Wl,--lto-O3 -Wl,-mllvm,-wasm-enable-eh -Wl,-mllvm,-exception-model=wasm $exports
wasm-opt -O3 --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
  --enable-mutable-globals --enable-exception-handling "$work/engine.wasm" -o "$work/lua.wasm"
deno run --no-config --allow-read --allow-write "$here/embed.ts" "$work/lua.wasm" "$here/../../src/scripting/lua_wasm.ts"
if [ -n "${KEEP:-}" ]; then cp "$work/lua.wasm" "$KEEP"; fi
