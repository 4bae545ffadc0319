#!/bin/sh
# Goal: what qtdb-migrate cannot do it refuses in words, with the right exit status, and leaves nothing
# behind.
#
# Method: wrong command lines, sources of other kinds, damaged sources, an open question in the log,
# --strict, --dry-run, and an interrupt in the middle.
set -eu

work=$TMPDIR
migrate=$QTDB_BIN/qtdb-migrate

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

# refused STATUS WORDS ARGUMENT...
refused()
{
    wanted=$1 words=$2
    shift 2
    status=0
    "$migrate" "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = "$wanted" ] || fail "exit status $status, not $wanted: $*: $(cat "$work/err")"
    grep -qF -e "$words" "$work/err" || fail "no '$words' in: $(cat "$work/err")"
    grep -q '^qtdb-migrate: ' "$work/err" || fail "no program name in: $(cat "$work/err")"
    [ ! -e "$work/new.qtdb" ] || fail "a target is left: $*"
    [ ! -e "$work/new.qtdb.partial" ] || fail "a partial target is left: $*"
}

"$QTDB_BIN/legacy-make" sample "$work/sample"
"$QTDB_BIN/legacy-make" sample --create "$work/create"
new=$work/new.qtdb

refused 2 "SOURCE is missing"
refused 2 "TARGET is missing" "$work/sample"
refused 2 "no option --nonsense" --nonsense "$work/sample" "$new"
refused 2 "--rescue goes without" --rescue --strict "$work/sample" "$new"

refused 1 "No such file" "$work/nothing" "$new"
mkdir "$work/none"
refused 1 "no server_instance.db" "$work/none" "$new"
head -c 500 "$work/sample/server_instance.db" >"$work/cut.db"
refused 1 "of 500: a text of" "$work/cut.db" "$new"
head -c 4000 /dev/zero >"$work/zero.db"
refused 1 "no generation fits" "$work/zero.db" "$new"
: >"$work/empty.db"
refused 1 "the file is empty" "$work/empty.db" "$new"
echo there >"$work/there.qtdb"
refused 1 "exists already" "$work/sample" "$work/there.qtdb"
[ "$(cat "$work/there.qtdb")" = there ] || fail "the target that was there changed"
refused 1 "--log-database" "$work/create" "$new"
refused 1 "--strict: shop.all_types.ts, row 3" --strict "$work/sample" "$new"
refused 1 "No such file" "$work/sample" "$new" --report "$work/no/such/report.json"

refused 1 "'things' that this database lacks" --log-database shop "$work/create" "$new"
"$migrate" --no-log "$work/create" "$work/created.qtdb" >"$work/out"
grep -q "verified" "$work/out" || fail "--no-log"

"$migrate" --dry-run "$work/sample" --report "$work/dry.json" >"$work/out"
grep -q "nothing was written" "$work/out" || fail "--dry-run says nothing"
grep -q '"value": "2025-01-15T10:30:00.123456789"' "$work/dry.json" || fail "--dry-run: no loss"
[ ! -e "$new" ] || fail "--dry-run wrote"

# An interrupt leaves nothing, and the next run is not disturbed.
"$QTDB_BIN/legacy-make" rows --rows 300000 "$work/many.db"
"$migrate" "$work/many.db" "$new" >"$work/out" 2>"$work/err" &
pid=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -e "$new.partial" ] && break
    sleep 0.1
done
kill -INT "$pid"
status=0
wait "$pid" || status=$?
if [ "$status" != 0 ]; then
    grep -q "interrupted" "$work/err" || fail "an interrupt is not said: $(cat "$work/err")"
    [ ! -e "$new" ] && [ ! -e "$new.partial" ] && [ ! -e "$new.partial-wal" ] ||
        fail "an interrupt left something"
fi

# A killed run leaves its partial file; the next one begins anew.
rm -f "$new"
"$migrate" "$work/many.db" "$new" >"$work/out" 2>"$work/err" &
pid=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -e "$new.partial" ] && break
    sleep 0.1
done
kill -KILL "$pid"
wait "$pid" || :
rm -f "$new"
"$migrate" "$work/sample" "$new" >"$work/out" || fail "a killed run is in the way"
[ ! -e "$new.partial" ] || fail "the killed run's file is left"
