#!/bin/sh
# Goal: of damaged legacy and SQLite files every row that can be read arrives, what cannot is listed, and the exit
# status says so; without --rescue such files are refused.
#
# Method: files made whole, then broken in places whose rows are known: the rows that are left must be exactly
# the others.
set -eu

work=$TMPDIR
migrate=$QTDB_BIN/qtdb-migrate
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}
# rescue STATUS SOURCE TARGET
rescue()
{
    status=0
    "$migrate" --rescue "$2" "$3" --report "$3.json" >"$work/summary" 2>&1 || status=$?
    [ "$status" = "$1" ] || fail "exit status $status, not $1: $(cat "$work/summary")"
}
has()
{
    grep -qF -e "$2" "$1" || fail "no '$2' in: $(cat "$1")"
}
rows()
{
    "$QTDB_BIN/qtdb" --csv --no-header --readonly "$1" "$2"
}
# overwrite FILE OFFSET BYTES
overwrite()
{
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
# The offset of a text in a file.
place()
{
    LC_ALL=C grep -abo -F -e "$2" "$1" | head -n 1 | cut -d: -f1
}

# A legacy file of 1,000 rows: two rows broken, then also cut.
for generation in A B C D; do
    made=$work/$generation.db
    "$QTDB_BIN/legacy-make" rows --generation "$generation" --rows 1000 "$made"
    "$migrate" --quiet "$made" "$work/whole.qtdb"
    rows "$work/whole.qtdb" 'SELECT id, payload, amount, moment FROM made.rows ORDER BY id' >"$work/all"
    first=$(sed -n 100p "$work/all" | cut -d, -f2) second=$(sed -n 700p "$work/all" | cut -d, -f2)
    # The length before a payload claims more than there is; the tag before a payload's length is none.
    overwrite "$made" $(($(place "$made" "$first") - 2)) '\377\377'
    overwrite "$made" $(($(place "$made" "$second") - 12)) '\377'
    "$migrate" --quiet "$made" "$work/no.qtdb" 2>/dev/null && fail "damage is not refused without --rescue"
    rescue 1 "$made" "$work/rescued.qtdb"
    has "$work/summary" "the first damage is at byte"
    has "$work/summary" "every table verified"
    has "$work/rescued.qtdb.json" '"damaged_places": 4'
    sed '700d;100d' "$work/all" >"$work/expected"
    rows "$work/rescued.qtdb" 'SELECT id, payload, amount, moment FROM made.rows ORDER BY id' >"$work/got"
    diff "$work/expected" "$work/got" || fail "generation $generation: other rows"
    half=$(place "$made" "$(sed -n 500p "$work/all" | cut -d, -f2)")
    head -c "$half" "$made" >"$work/cut.db"
    rescue 1 "$work/cut.db" "$work/cut.qtdb"
    sed -n '1,99p;101,499p' "$work/all" >"$work/expected"
    rows "$work/cut.qtdb" 'SELECT id, payload, amount, moment FROM made.rows ORDER BY id' >"$work/got"
    diff "$work/expected" "$work/got" || fail "generation $generation, cut: other rows"
    rm -f "$work"/*.qtdb
done

# A beginning that is gone: tables are found by their names. A whole file loses nothing.
"$QTDB_BIN/legacy-make" sample --generation B "$work/sample"
cp "$work/sample/server_instance.db" "$work/headless.db"
overwrite "$work/headless.db" 0 '\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377'
rescue 1 "$work/headless.db" "$work/headless.qtdb"
has "$work/summary" "rescued.all_types: 3 rows, verified"
has "$work/summary" "other.things: 3 rows, verified"
rescue 0 "$work/sample" "$work/sample.qtdb"
head -c 3000 /dev/zero >"$work/zero.db"
rescue 1 "$work/zero.db" "$work/zero.qtdb"
has "$work/summary" "no generation fits"
[ ! -e "$work/zero.qtdb" ] || fail "a target of nothing"

# A log with a damaged record in its middle: the others are applied.
log=$work/sample/wal/000000006b000002.wal
# The first record's operation: length, sequence, timestamp come before it.
overwrite "$log" 20 '\143'
"$migrate" --quiet "$work/sample" "$work/no.qtdb" 2>/dev/null && fail "a damaged log is not refused without --rescue"
rescue 1 "$work/sample" "$work/log.qtdb"
has "$work/summary" "log: "
rows "$work/log.qtdb" "SELECT id FROM shop.notes ORDER BY id" >"$work/got"
has "$work/got" 100

# SQLite: two pages overwritten, then the file cut.
command -v sqlite3 >/dev/null || exit 0
sqlite3 "$work/x.db" 'CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
    WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5000)
    INSERT INTO t SELECT x, printf("row %040d", x) FROM c; CREATE TABLE w(k TEXT PRIMARY KEY) WITHOUT ROWID;
    WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5000)
    INSERT INTO w SELECT printf("key %040d", x) FROM c;'
rescue 0 "$work/x.db" "$work/x.qtdb"
if grep -q "without libsqlite3" "$work/summary"; then
    exit 0
fi
cp "$work/x.db" "$work/d.db"
for row in 1000 3000; do
    at=$(place "$work/x.db" "$(printf 'row %040d' $row)")
    head -c 4096 /dev/zero | tr '\0' '\377' | dd of="$work/d.db" bs=4096 seek=$((at / 4096)) conv=notrunc 2>/dev/null
done
at=$(place "$work/x.db" "$(printf 'key %040d' 2000)")
head -c 4096 /dev/zero | tr '\0' '\377' | dd of="$work/d.db" bs=4096 seek=$((at / 4096)) conv=notrunc 2>/dev/null
rescue 1 "$work/d.db" "$work/d.qtdb"
# WITHOUT ROWID: from both ends, all but the page.
lost=$((5000 - $(rows "$work/d.qtdb" 'SELECT count(*) FROM d.w')))
on_page=$(dd if="$work/x.db" bs=4096 skip=$((at / 4096)) count=1 2>/dev/null | LC_ALL=C grep -ao 'key 0[0-9]*' | wc -l)
[ "$lost" = "$on_page" ] || fail "$lost keys are lost, $on_page stood on the page"
has "$work/summary" "t: rows of rowids"
has "$work/d.qtdb.json" '"damaged_places": 3'
rows "$work/d.qtdb" 'SELECT id, v FROM d.t ORDER BY id' >"$work/got"
rows "$work/x.qtdb" 'SELECT id, v FROM x.t ORDER BY id' >"$work/all"
# The list names exactly the rows that stood in the two pages, and no others are missing.
pages=$(for row in 1000 3000; do echo $(($(place "$work/x.db" "$(printf 'row %040d' $row)") / 4096)); done)
LC_ALL=C grep -abo 'row 0[0-9]*' "$work/x.db" | tr ':' ' ' |
    awk -v pages="$pages" 'BEGIN { split(pages, list); for (i in list) gone[list[i]] = 1 }
        gone[int($1 / 4096)] { print $3 + 0 }' | sort -n >"$work/gone"
grep -o 'rowids [0-9]* to [0-9]*' "$work/d.qtdb.json" | awk '{ for (i = $2; i <= $4; i++) print i }' >"$work/named"
diff "$work/gone" "$work/named" || fail "other rows are named than were lost"
cut -d, -f1 "$work/got" | sort -n - "$work/named" >"$work/both"
seq 5000 | diff - "$work/both" || fail "rows are missing and not named, or named and there"
[ "$(sort "$work/got" "$work/all" | uniq -d | wc -l)" = "$(wc -l <"$work/got")" ] || fail "rows differ"
head -c 150000 "$work/x.db" >"$work/c.db"
rescue 1 "$work/c.db" "$work/c.qtdb"
has "$work/summary" "t: rows from rowid"
[ "$(rows "$work/c.qtdb" 'SELECT count(*) FROM c.t')" -gt 1000 ] || fail "too few rows of a cut file"
echo 'a,b' >"$work/t.csv"
rescue 1 "$work/t.csv" "$work/t.qtdb"
has "$work/summary" "--rescue is for legacy files"
