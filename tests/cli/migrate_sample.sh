#!/bin/sh
# Goal: a legacy data directory of every generation, with all types, dead rows, hostile names, rows
# that break their table's promises, and a log with every operation, arrives whole; what could not be
# kept is reported; the source stays as it was.
#
# Method: legacy-make writes the directory, qtdb-migrate converts it, the shell shows what arrived.
set -eu

work=$TMPDIR
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

rows()
{
    LC_ALL=C "$QTDB_BIN/qtdb" --csv --readonly "$1" "$2"
}

# @ stands for a tab.
tr @ '\t' >"$work/expected" <<'END'
id,si,r,n,t,vc,c,b,d,ts,tz,u,j,by,m
1,-2,0.1,123.45,"quote's ""q""@tab
line",one,ab   ,t,0044-03-15 BC,2025-01-15 10:30:00.250001,1969-12-31 23:59:59+00,550e8400-e29b-41d4-a716-446655440000,"{""a"": [1, 2]}",\x000102ff,so-so
3,,,,,,,,,,,,,,
4,7,1.5,5.00,2025-01-15,12,xyz  ,f,2025-02-28,2025-01-15 10:30:00.123456,2025-01-15 10:30:00+00,550e8400-e29b-41d4-a716-446655440000,[true],\x616263,sad
select,"a""b;--",small,whole
1,'; DROP TABLE x; --,abc,2.5
1,,abcdef,not a number
3,Юникод 🙂,,
4,"",,
id,body
1,newer 1
3,old 3
4,new 4
100,last
id,text,extra
1,old 1,
2,old 2,
3,old 3,
4,with extra,44
END

for generation in A B C D; do
    source=$work/$generation target=$work/$generation.qtdb report=$work/$generation.json
    "$QTDB_BIN/legacy-make" sample --generation "$generation" "$source"
    before=$(find "$source" -type f -exec cksum {} + | sort)
    "$QTDB_BIN/qtdb-migrate" "$source" "$target" --report "$report" >"$work/summary"
    [ "$before" = "$(find "$source" -type f -exec cksum {} + | sort)" ] || fail "the source changed"
    [ ! -e "$target.partial" ] || fail "a partial file is left"
    [ ! -e "$target-wal" ] || fail "a log is left"
    rows "$target" 'SELECT * FROM shop.all_types ORDER BY id;
        SELECT * FROM shop."odd ""table""" ORDER BY "select", small;
        SELECT * FROM shop.notes ORDER BY id; SELECT * FROM other.stuff ORDER BY id;' >"$work/got"
    diff "$work/expected" "$work/got" || fail "generation $generation: other rows"
    # The file's search_path names the schemas.
    [ "$(rows "$target" 'SELECT (SELECT count(*) FROM notes), (SELECT count(*) FROM stuff)' | tail -n 1)" = 4,4 ] ||
        fail "generation $generation: names without their schema are not found"
    "$QTDB_BIN/qtdb" --readonly "$target" .check >/dev/null || fail "generation $generation: check"
    for words in "generation $generation" "11 after the last checkpoint" "torn tail at byte" \
        "digits past microseconds" "PRIMARY KEY left out: its values repeat" "NOT NULL left out" \
        "varchar(3) became text" "bigint became text" "fewer values than columns" "past the last column" "1 user" \
        "3 sequence positions" "every table verified"; do
        grep -qF "$words" "$work/summary" || fail "generation $generation: no '$words' in the summary"
    done
    for words in '"ok": true' '"verified": true' '"rows": 15' '"widened_for"' \
        '"foreign_key_left_out"' '"primary_key_left_out"' '"sequences_left_out"' \
        '"value": "past the last", "what": "a value past the last column"' '"value": "1e+300"' \
        '"value": "2025-01-15T10:30:00.123456789"' '"kind": "user"'; do
        grep -qF "$words" "$report" || fail "generation $generation: no '$words' in the report"
    done
done
