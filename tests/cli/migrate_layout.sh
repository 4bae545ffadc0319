#!/bin/sh
# Goal: --layout files makes a file of each database of the sources, all or none.
#
# Method: the sample with two databases; the files' rows are those of one file with --layout schemas. Then a
# failure at the second database, and remains of a killed run.
set -eu

work=$TMPDIR
migrate=$QTDB_BIN/qtdb-migrate
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}
refused()
{
    status=0 words=$2 wanted=$1
    shift 2
    "$migrate" "$@" >"$work/said" 2>&1 || status=$?
    [ "$status" = "$wanted" ] || fail "exit status $status, not $wanted: $*: $(cat "$work/said")"
    grep -qF -e "$words" "$work/said" || fail "no '$words' in: $(cat "$work/said")"
}

"$QTDB_BIN/legacy-make" sample "$work/in"
"$migrate" --quiet "$work/in" "$work/all.qtdb"
"$migrate" --layout files "$work/in" "$work/out" --report "$work/report.json" >"$work/summary"
[ "$(ls "$work/out" | tr '\n' ' ')" = "other.qtdb shop.qtdb " ] || fail "other files: $(ls "$work/out")"
[ ! -e "$work/out.partial" ] || fail "something is left"
[ "$(grep -c "every table verified" "$work/summary")" = 2 ] || fail "not verified"
for table in shop.all_types shop.notes other.stuff; do
    query="SELECT * FROM $table ORDER BY id"
    "$QTDB_BIN/qtdb" --csv --readonly "$work/all.qtdb" "$query" >"$work/expected"
    "$QTDB_BIN/qtdb" --csv --readonly "$work/out/${table%%.*}.qtdb" "$query" | diff "$work/expected" - || fail "$table"
done
"$QTDB_BIN/qtdb" --readonly "$work/out/other.qtdb" .schema | grep -q shop && fail "shop is in other.qtdb"
grep -q '"ok": true' "$work/report.shop.json" && grep -q '"ok": true' "$work/report.other.json" || fail "no reports"

grep '"name": "mood"' "$work/report.other.json" | grep -q '"why"' && fail "shop's enum is tried in other.qtdb"

refused 2 "--layout takes schemas or files" --layout one "$work/in" "$work/x"
refused 1 "exists already" --layout files "$work/in" "$work/out"
refused 1 "--strict:" --layout files --strict "$work/in" "$work/x"
[ ! -e "$work/x" ] && [ ! -e "$work/x.partial" ] || fail "a failure left something"
mkdir -p "$work/x.partial/other.qtdb.partial-wal"
touch "$work/x.partial/shop.qtdb" "$work/x.partial/other.qtdb.partial" "$work/x.partial/other.qtdb.partial-wal/1"
"$migrate" --quiet --layout files "$work/in" "$work/x" || fail "remains of a killed run are in the way"
mkdir "$work/y.partial"
touch "$work/y.partial/mine"
refused 1 "not ours" --layout files "$work/in" "$work/y"
[ -e "$work/y.partial/mine" ] || fail "a foreign file is gone"
