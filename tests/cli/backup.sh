#!/bin/sh
# Goal: the shell's .backup, .compact and .shrink give files that open, hold the same rows and pass the
# check, and refuse what they must.
#
# Method: a table with an index, a large text and deleted rows, copied in each way and queried.
set -eu

work=$TMPDIR
db=$work/a.qtdb

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

shell()
{
    "$QTDB_BIN/qtdb" "$@"
}

question="SELECT count(*), sum(n) FROM big; SELECT max(length(t)) FROM texts; SELECT n FROM big WHERE t = 'row 4321'"

{
    echo "CREATE TABLE big (n int PRIMARY KEY, t text);"
    echo "CREATE INDEX big_t ON big (t);"
    echo "CREATE TABLE texts (t text);"
    echo "BEGIN;"
    awk 'BEGIN { for (i = 1; i <= 20000; i++) printf "INSERT INTO big VALUES (%d, '\''row %d'\'');\n", i, i }'
    echo "COMMIT;"
    echo "DELETE FROM big WHERE n > 5000;"
    printf "INSERT INTO texts VALUES ('"
    awk 'BEGIN { srand(7); for (i = 0; i < 40000; i++) printf "%08x", rand() * 2147483647 }'
    echo "');"
} >"$work/load.sql"
shell --csv "$db" <"$work/load.sql" >/dev/null
shell --csv "$db" -c "$question" >"$work/expected"

shell "$db" <<END >"$work/out"
.backup $work/copy.qtdb
.compact $work/dense.qtdb
.backup $work/copy.zst
.shrink
.check
END
[ "$(cat "$work/out")" = ok ] || fail "$(cat "$work/out")"
zstd -q -d -o "$work/unpacked.qtdb" "$work/copy.zst" || fail "zstd does not take the backup apart"
for name in a copy dense unpacked; do
    shell --csv "$work/$name.qtdb" -c "$question" >"$work/got"
    diff "$work/expected" "$work/got" || fail "$name has other rows"
    "$QTDB_BIN/qtdb-check" "$work/$name.qtdb" >/dev/null || fail "$name does not pass the check"
done
[ "$(stat -c %s "$work/dense.qtdb")" -lt "$(stat -c %s "$work/copy.qtdb")" ] ||
    fail "the compacted file is not smaller"
[ "$(stat -c %s "$work/copy.zst")" -lt "$(stat -c %s "$work/copy.qtdb")" ] ||
    fail "the compressed backup is not smaller"

for command in ".backup" ".compact" ".backup $work/copy.qtdb" ".compact $work/copy.qtdb" \
    ".backup $work/none/copy.qtdb"; do
    if echo "$command" | shell "$db" >"$work/out" 2>"$work/err"; then
        fail "accepted: $command"
    fi
    [ -s "$work/err" ] || fail "no message: $command"
done
ls "$work" | grep -e -new -e -plain && fail "something was left behind"
exit 0
