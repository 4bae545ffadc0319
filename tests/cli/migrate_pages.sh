#!/bin/sh
# Goal: the predecessor's page folders hold what it says they hold; damaged pages are refused, or rescued slot by
# slot; names come from --schema.
#
# Method: $QTDB_SHARED/legacy, generations B and C: the rows of the migrated database against
# expected_pages_t1.json. Copies of these files are broken in known places.
set -eu

samples=${QTDB_SHARED:-}/legacy
if [ ! -d "$samples/gB/pages" ]; then
    echo "skip: QTDB_SHARED names no folder with legacy/gB/pages"
    exit 77
fi
work=$TMPDIR
migrate=$QTDB_BIN/qtdb-migrate
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}
rows()
{
    "$QTDB_BIN/qtdb" --csv --no-header --readonly "$1" "$2" | sort
}

cat >"$work/schema.sql" <<'END'
CREATE TABLE items (id integer PRIMARY KEY, name varchar(80) NOT NULL);
CREATE TABLE flags (name text, flag boolean);
CREATE INDEX items_name ON items (name);
END
for generation in B C; do
    "$migrate" "$samples/g$generation/pages" "$work/$generation.qtdb" >"$work/summary"
    grep -q "every table verified" "$work/summary" || fail "not verified"
    # Live rows, one a line, as CSV.
    sed 's/},{"values"/}\n{"values"/g; s/^\[//' "$samples/g$generation/expected_pages_t1.json" |
        sed -n 's/^{"values":\[{"Integer":\([0-9]*\)},{"Text":"\([^"]*\)"}\],"xmin":[0-9]*,"xmax":null}.*/\1,\2/p' |
        sort >"$work/expected"
    [ "$(wc -l <"$work/expected")" -ge 180 ] || fail "the expected file is read wrong"
    rows "$work/$generation.qtdb" 'SELECT * FROM table_1' >"$work/got"
    diff "$work/expected" "$work/got" || fail "generation $generation: other rows"
    [ "$(rows "$work/$generation.qtdb" 'SELECT * FROM table_2')" = ",f" ] || fail "table_2"
done
"$migrate" --schema "$work/schema.sql" "$samples/gB/pages" "$work/named.qtdb" >"$work/summary"
rows "$work/named.qtdb" 'SELECT id, name FROM items' >"$work/got"
rows "$work/B.qtdb" 'SELECT * FROM table_1' | diff - "$work/got" || fail "--schema: other rows"
grep -q "1 index carried over" "$work/summary" || fail "--schema: no index: $(cat "$work/summary")"
# One table's folder alone.
"$migrate" "$samples/gB/pages/table_1" "$work/one.qtdb" >"$work/summary"
rows "$work/one.qtdb" 'SELECT * FROM table_1' | diff - "$work/got" || fail "one folder: other rows"

refused()
{
    words=$1
    shift
    status=0
    "$migrate" "$@" "$work/no.qtdb" >"$work/said" 2>&1 || status=$?
    [ "$status" = 1 ] || fail "exit status $status: $*"
    grep -qF -e "$words" "$work/said" || fail "no '$words' in: $(cat "$work/said")"
    [ ! -e "$work/no.qtdb" ] || fail "a target is left"
}
cp -r "$samples/gB/pages" "$work/bad"
chmod -R u+w "$work/bad"
page=$work/bad/table_1/page_00000001.dat
# Slot 0 leads past the data; slot 1 is neither used nor not.
printf '\377\037' | dd of="$page" bs=1 seek=28 conv=notrunc 2>/dev/null
printf '\002' | dd of="$page" bs=1 seek=37 conv=notrunc 2>/dev/null
refused "page_00000001.dat, slot 0, byte 28" "$work/bad"
"$migrate" --rescue "$work/bad" "$work/rescued.qtdb" --report "$work/report" >"$work/summary" && fail "--rescue: status 0"
grep -q '"damaged_places": 2' "$work/report" || fail "--rescue: $(cat "$work/summary")"
rows "$work/rescued.qtdb" 'SELECT * FROM table_1' >"$work/got"
[ "$(rows "$work/B.qtdb" 'SELECT * FROM table_1' | comm -13 - "$work/got" | wc -l)" = 0 ] || fail "rows that never were"
[ "$(wc -l <"$work/got")" = 178 ] || fail "$(wc -l <"$work/got") rows rescued, not 178"
head -c 4000 "$page" >"$work/cut" && mv "$work/cut" "$page"
refused "the file should have" "$work/bad"
refused "--schema is for page folders" --schema "$work/schema.sql" "$work/schema.sql"
