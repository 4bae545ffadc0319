#!/bin/sh
# Goal: hostile texts, NUMERIC values, nulls, dead rows and a log with a torn tail arrive whole from each generation, many
# rows of them.
#
# Method: legacy-make hostile tallies what is to arrive while it writes; SQL counts what did. MIGRATE_ROWS rows a
# generation, 100,000 here, a million in make legacy-million.
set -eu

work=$TMPDIR
count=${MIGRATE_ROWS:-100000}
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

for generation in A B C D; do
    in=$work/$generation out=$work/$generation.qtdb
    expected=$("$QTDB_BIN/legacy-make" hostile --generation "$generation" --rows "$count" "$in")
    "$QTDB_BIN/qtdb-migrate" "$in" "$out" --report "$work/report.json" >"$work/summary" || fail "generation $generation"
    got=$("$QTDB_BIN/qtdb" --csv --no-header --readonly "$out" "SELECT 'rows ' || count(*) || ' ids ' || sum(id) || ' cents ' ||
        (sum(amount) * 100)::bigint || ' bytes ' || sum(octet_length(payload)) || ' nulls ' ||
        count(*) FILTER (WHERE payload IS NULL) FROM made.hostile")
    [ "$expected" = "$got" ] || fail "generation $generation: '$got' arrived, not '$expected'"
    for words in "generation $generation" "torn tail at byte" "every table verified"; do
        grep -qF "$words" "$work/summary" || fail "generation $generation: no '$words': $(cat "$work/summary")"
    done
    grep -qF '"losses": []' "$work/report.json" || fail "generation $generation: losses"
    [ "$count" -lt 1000000 ] || echo "generation $generation: $got; $(grep '^done' "$work/summary")"
    rm -rf "$in" "$out"
done
