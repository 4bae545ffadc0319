#!/bin/sh
# Goal: qtdb-check finds a sound file sound and a damaged one damaged, and qtdb-dump decodes both.
# Method: a file made by bench_store's own pages would need seconds; the shell makes a small one, one
# byte of a page is changed, and both programs must say so.
set -eu
dir=$(mktemp -d "${TMPDIR:-/tmp}/qtdb-check.XXXXXX")
trap 'rm -rf "$dir"' EXIT
db=$dir/t.qtdb
"$QTDB_BIN/qtdb" "$db" "create table t (id int primary key, body text)" >/dev/null
"$QTDB_BIN/qtdb" "$db" "insert into t values (1, 'one'), (2, 'two')" >/dev/null
"$QTDB_BIN/qtdb-check" "$db" | grep -q '^sound$'
"$QTDB_BIN/qtdb-dump" "$db" meta | grep -q 'state       clean'
"$QTDB_BIN/qtdb-dump" "$db" page 4 | grep -q '^page 4: valid'
"$QTDB_BIN/qtdb-dump" "$db" log | grep -q '^no log'
printf 'X' | dd of="$db" bs=1 seek=$((4 * 4096 + 2000)) conv=notrunc 2>/dev/null
status=0
"$QTDB_BIN/qtdb-dump" "$db" page 4 >"$dir/out" || status=$?
[ "$status" = 1 ] && grep -q 'NOT VALID' "$dir/out"
status=0
"$QTDB_BIN/qtdb-check" "$db" >"$dir/out" 2>&1 || status=$?
[ "$status" != 0 ] && grep -q 'page 4' "$dir/out"
status=0
"$QTDB_BIN/qtdb-check" "$dir/none.qtdb" >/dev/null 2>&1 || status=$?
[ "$status" = 2 ]
"$QTDB_BIN/qtdb-check" --help | grep -q '^usage'
"$QTDB_BIN/qtdb-dump" --version | grep -q '^qtdb-dump'
