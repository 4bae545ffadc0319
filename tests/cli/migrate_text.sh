#!/bin/sh
# Goal: CSV, TSV and JSON files, single or a directory of them, plain or compressed, arrive whole and
# verified; the types found are shown and in the report; what cannot be done is refused in words.
#
# Method: small files made here, qtdb-migrate, and the shell to show what arrived.
set -eu

work=$TMPDIR
migrate=$QTDB_BIN/qtdb-migrate
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

mkdir "$work/in"
printf 'id,name,price,day,at,ok,zip\n1,"a, ""b""\nc",1.50,2024-02-29,2024-02-29T10:00:00+02:00,t,007\n2,,-3,,,,\n' \
    >"$work/in/a.csv"
printf 'k\tv\n1\tone\n2\ttwo\tmore\n3\n' >"$work/in/b.tsv"
printf '{"a":1,"n":{"k":[1,2]},"s":"\\u00e9"}\n{"a":2.5,"s":null}\n' >"$work/in/c.jsonl"
printf 'neither' >"$work/in/notes.txt"
"$migrate" "$work/in" "$work/out.qtdb" --report "$work/report.json" >"$work/summary"
cat >"$work/expected" <<'END'
id,name,price,day,at,ok,zip
1,"a, ""b""
c",1.50,2024-02-29,2024-02-29 08:00:00+00,t,007
2,,-3,,,,
k,v
1,one
2,two
3,
a,n,s
1,"{""k"":[1,2]}",é
2.5,,
END
for table in a b c; do
    "$QTDB_BIN/qtdb" --csv --readonly "$work/out.qtdb" "SELECT * FROM $table ORDER BY 1"
done | sed 's/{""k"": \[1, 2\]}/{""k"":[1,2]}/' >"$work/got"
diff "$work/expected" "$work/got" || fail "other rows"
for words in "every table verified" "1 file of the directory left alone" "divided by tabs" \
    "public.a: id bigint, name text, price numeric, day date, at timestamptz, ok boolean, zip text" \
    "1 row had values past the last column" "1 row had fewer values"; do
    grep -qF "$words" "$work/summary" || fail "no '$words' in: $(cat "$work/summary")"
done
for words in '"kind": "json"' '"found from 2 values, 0 empty", "type": "bigint"' \
    '"value": "more", "what": "a value past the last column"' '"files_left_alone": 1'; do
    grep -qF "$words" "$work/report.json" || fail "no '$words' in: $(cat "$work/report.json")"
done

# Several sources of several kinds in one target.
"$QTDB_BIN/legacy-make" sample "$work/legacy"
"$migrate" "$work/in/a.csv" "$work/legacy" tests/data/cities.csv.zst "$work/all.qtdb" >"$work/summary"
grep -q "every table verified" "$work/summary" || fail "several sources"
[ "$("$QTDB_BIN/qtdb" --csv --readonly "$work/all.qtdb" 'SELECT count(*) FROM public.cities' |
    tail -n 1)" = 20000 ] || fail "not all cities"
"$QTDB_BIN/qtdb" --csv --readonly "$work/all.qtdb" 'SELECT count(*) FROM shop.notes' >/dev/null

# refused STATUS WORDS ARGUMENT...
refused()
{
    wanted=$1 words=$2
    shift 2
    status=0
    "$migrate" "$@" >"$work/said" 2>&1 || status=$?
    [ "$status" = "$wanted" ] || fail "exit status $status, not $wanted: $*: $(cat "$work/said")"
    grep -qF -e "$words" "$work/said" || fail "no '$words' in: $(cat "$work/said")"
    [ ! -e "$work/new.qtdb" ] || fail "a target is left"
}
mkdir "$work/twice"
cp "$work/in/a.csv" "$work/twice/a.csv"
refused 1 "two sources have a table public.a" "$work/in/a.csv" "$work/twice/a.csv" "$work/new.qtdb"
refused 2 "there is no kind 'xml'" --from xml "$work/in/a.csv" "$work/new.qtdb"
refused 2 "--delimiter takes one character" --delimiter ab "$work/in/a.csv" "$work/new.qtdb"
refused 1 "--strict: public.b, row 1: the row has more values" --strict "$work/in/b.tsv" "$work/new.qtdb"
printf 'a,b\n1,"2\n' >"$work/bad.csv"
refused 1 "bad.csv: line 2: a quoted field has no closing quote" "$work/bad.csv" "$work/new.qtdb"
"$migrate" --dry-run --from csv --no-header --delimiter '|' "$work/in/notes.txt" >"$work/said"
grep -qF "public.notes: c1 text" "$work/said" || fail "options: $(cat "$work/said")"
