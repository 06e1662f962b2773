#!/bin/sh
# tsredis, a Redis server: one file for this kind of machine, nothing to install.
#
# Behind this script lie, each compressed by gzip, a JavaScript runtime and the program. The first
# start unpacks them into a cache folder named by their content; later starts find them there.
# Starts at the same time are safe: each unpacks into a folder of its own and renames file by
# file, the program last, and either one's files are the same.
#
# The runtime it finds is executed, so the folder has to be one that no other user can write to.

hash=@HASH@
runtime_offset=@RUNTIME_OFFSET@ # of the first byte, counted from 1
runtime_packed=@RUNTIME_PACKED@ # sizes in bytes
runtime_size=@RUNTIME_SIZE@
program_offset=@PROGRAM_OFFSET@
program_size=@PROGRAM_SIZE@

self=$0
uid=$(id -u)

fail() {
  echo "tsredis: $1" >&2
  exit 1
}

# Is this folder the user's (or root's), and closed to writes by anyone else? Follows a link.
closed_to_others() {
  # The words of `ls -ldn`: mode, links, owner, group, ...
  # shellcheck disable=SC2046
  set -- $(ls -ldn "$1/." 2>/dev/null)
  case ${1:-} in
  d????-??-*) [ "$3" = "$uid" ] || [ "$3" = 0 ] ;;
  *) return 1 ;;
  esac
}

size_of() {
  wc -c 2>/dev/null <"$1" | tr -d ' '
}

is_unpacked() {
  [ -x "$1/tsredis" ] && [ -f "$1/main.js" ] &&
    [ "$(size_of "$1/tsredis")" = $runtime_size ] &&
    [ "$(size_of "$1/main.js")" = $program_size ]
}

# Unpacks into the folder $1, which exists. Fails where there is no room, or no right to execute.
unpack() (
  umask 077
  part=$(mktemp -d "$1/unpacking.XXXXXX") || return 1
  trap 'rm -rf "$part"' EXIT
  trap 'exit 1' HUP INT TERM
  tail -c +$runtime_offset "$self" | head -c $runtime_packed | gzip -dc >"$part/tsredis" &&
    tail -c +$program_offset "$self" | gzip -dc >"$part/main.js" &&
    chmod 700 "$part/tsredis" &&
    "$part/tsredis" --version >/dev/null &&
    mv -f "$part/tsredis" "$1/tsredis" &&
    mv -f "$part/main.js" "$1/main.js"
)

# Removes versions that were not started for a month. A server still running from one of them goes
# on: it has its files open, and its workers within itself.
remove_old_versions() {
  find "$1" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf {} + 2>/dev/null
}

# Sets `folder` to the one under $1 that holds this version, unpacking it first where needed.
prepare() {
  closed_to_others "$1" || return 1
  folder=$1/$hash
  (umask 077 && mkdir -p "$folder") 2>/dev/null || [ -d "$folder" ] || return 1
  closed_to_others "$folder" || return 1
  if ! is_unpacked "$folder"; then
    unpack "$folder" 2>/dev/null && is_unpacked "$folder" || return 1
    remove_old_versions "$1"
  fi
  touch "$folder"
}

prepare_in_cache() {
  cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
  [ -n "$cache" ] || return 1
  (umask 077 && mkdir -p "$cache/tsredis") 2>/dev/null || [ -d "$cache/tsredis" ] || return 1
  # A folder that others may rename would let them put their own in its place.
  closed_to_others "$cache" && prepare "$cache/tsredis"
}

# Others may write to /tmp but not rename what is ours: its sticky bit sees to that. They can be
# first to take the name, so a link there is not followed and an owner of another name not trusted.
prepare_in_tmp() {
  own=/tmp/tsredis-$uid
  mkdir -m 700 "$own" 2>/dev/null
  [ -d "$own" ] && [ ! -L "$own" ] && prepare "$own"
}

case $self in
*/*) ;;
*) self=$(command -v -- "$self") || fail "cannot tell where the executable lies" ;;
esac

prepare_in_cache || prepare_in_tmp ||
  fail "cannot unpack: neither \${XDG_CACHE_HOME:-\$HOME/.cache}/tsredis nor /tmp/tsredis-$uid is \
a folder that only this user can write to, with room for 100 MB of programs; set XDG_CACHE_HOME"

export DENO_DIR="$folder/deno_dir" DENO_NO_UPDATE_CHECK=1 TSREDIS_EXECUTABLE="$self"
# The same process from here on: its id is the server's, and signals reach it.
exec "$folder/tsredis" run -q --no-config --no-lock --no-npm --no-remote @FLAGS@ \
  "$folder/main.js" "$@"
exit 126
