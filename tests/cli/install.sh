#!/bin/sh
# Goal: what is installed is enough to use the library: header, shared and static library, pkg-config
# file, programs, and a man page for each function; the library shows no other names; the examples
# compile against it as a user would compile them, and run; uninstall leaves nothing.
#
# Method: installs below a folder of its own. Only the ordinary build is installed.
set -eu

if [ -n "${VARIANT:-}" ]; then
    echo "skip: only the ordinary build is installed"
    exit 77
fi
work=$TMPDIR
root=$work/root
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES || :
PKG_CONFIG_PATH=$root/lib/pkgconfig
LD_LIBRARY_PATH=$root/lib
export PKG_CONFIG_PATH LD_LIBRARY_PATH

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

make -s install PREFIX="$root" >"$work/log" 2>&1 || fail "install: $(cat "$work/log")"
make -s install PREFIX=/usr DESTDIR="$work/stage" >"$work/log" 2>&1 || fail "install with DESTDIR"
for file in bin/qtdb bin/qtdb-check include/qtdb.h lib/libqtdb.so lib/libqtdb.a \
    lib/pkgconfig/qtdb.pc share/man/man1/qtdb.1 share/man/man3/qtdb_put.3; do
    [ -f "$root/$file" ] || fail "$file is not installed"
    [ -f "$work/stage/usr/$file" ] || fail "$file is not installed below DESTDIR"
done
grep -q "^prefix=/usr$" "$work/stage/usr/lib/pkgconfig/qtdb.pc" || fail "qtdb.pc names DESTDIR"

nm -D --defined-only "$root/lib/libqtdb.so" | awk '$2 != "A" && $3 !~ /^qtdb_/ { print $3 }' >"$work/foreign"
[ ! -s "$work/foreign" ] || fail "the library shows other names: $(head -3 "$work/foreign")"
nm -D --defined-only "$root/lib/libqtdb.so" | awk '{ sub(/@.*/, "", $3); print $3 }' >"$work/shown"
grep -v '^#' "$root/include/qtdb.h" | tr -s ' \n' ' ' | grep -o 'QTDB_API[^;]*;' |
    sed 's/^[^(]*[ *]\(qtdb_[a-z0-9_]*\)(.*/\1/' | sort -u >"$work/functions"
[ "$(wc -l <"$work/functions")" -gt 50 ] || fail "the header was not understood"
while read -r function; do
    grep -q -x "$function" "$work/shown" || fail "$function is not in the library"
    [ -f "$root/share/man/man3/$function.3" ] || fail "$function has no man page"
done <"$work/functions"

for source in examples/*.c; do
    name=$(basename "$source" .c)
    # Word splitting is wanted: flags.
    cc -std=c11 -Wall -Wextra -Werror "$source" $(pkg-config --cflags --libs qtdb) \
        -o "$work/$name" || fail "$source does not compile"
done
cc -std=c11 examples/kv_store.c $(pkg-config --cflags qtdb) \
    $(pkg-config --static --libs qtdb | sed 's/-lqtdb/-l:libqtdb.a/') -o "$work/kv_static" ||
    fail "the static library does not link"

cd "$work"
./kv_store kv.qtdb put color blue
./kv_static kv.qtdb put shape round
[ "$(./kv_store kv.qtdb get color)" = blue ] || fail "kv_store get"
./kv_store kv.qtdb delete color
! ./kv_store kv.qtdb get color 2>/dev/null || fail "kv_store delete"
! ./kv_store 2>/dev/null || fail "kv_store without arguments"
[ "$(./kv_static kv.qtdb get shape)" = round ] || fail "kv_static get"

[ "$(seq 25000 | ./batch_load lines.qtdb)" = "25000 rows" ] || fail "batch_load"
[ "$(./cursor_scan lines.qtdb 24998 30000 | tr '\n' ';')" = "24998 24998;24999 24999;25000 25000;" ] ||
    fail "cursor_scan"
[ "$(./cursor_scan lines.qtdb 3 1 | tr '\n' ';')" = "3 3;2 2;1 1;" ] || fail "cursor_scan backwards"

head -c 3000000 "$root/lib/libqtdb.a" >large
./value_stream values.qtdb put large <large
./value_stream values.qtdb get large | cmp - large || fail "value_stream"
"$root/bin/qtdb-check" values.qtdb >/dev/null || fail "the check"

cd "$OLDPWD"
make -s uninstall PREFIX="$root" >"$work/log" 2>&1 || fail "uninstall: $(cat "$work/log")"
left=$(find "$root" -type f -o -type l)
[ -z "$left" ] || fail "uninstall leaves $left"
