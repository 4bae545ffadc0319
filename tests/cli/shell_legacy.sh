#!/bin/sh
# Goal: a legacy or SQLite file that is opened with the shell is converted on request, or read from a temporary
# copy; it is never changed, and nothing is left behind.
#
# Method: a sample of legacy-make, once with --migrate, once without, once on a terminal with either answer
# (where script(1) makes one).
set -eu

work=$TMPDIR
qtdb=$QTDB_BIN/qtdb
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}
mkdir "$work/temporary" "$work/in"
export TMPDIR="$work/temporary"
file=$work/in/server_instance.db
"$QTDB_BIN/legacy-make" rows --rows 50 "$file"
before=$(cksum <"$file")
nothing_changed()
{
    [ "$before" = "$(cksum <"$file")" ] || fail "the file changed"
    [ -z "$(ls "$work/temporary")" ] || fail "a temporary database is left: $(ls "$work/temporary")"
}

"$qtdb" --csv --no-header "$file" 'SELECT count(*), min(id) FROM rows' >"$work/out" 2>"$work/err" || fail "$(cat "$work/err")"
[ "$(cat "$work/out")" = "50,1" ] || fail "other rows: $(cat "$work/out")"
grep -q "a temporary copy is open, read-only" "$work/err" || fail "not said: $(cat "$work/err")"
[ "$(ls "$work/in")" = server_instance.db ] || fail "something lies beside the file"
nothing_changed
status=0
"$qtdb" "$file" 'INSERT INTO rows (id) VALUES (51)' >"$work/out" 2>&1 || status=$?
[ "$status" = 1 ] && grep -q "25006\|read-only" "$work/out" || fail "the copy is written: $(cat "$work/out")"

"$qtdb" --migrate --csv --no-header "$file" 'INSERT INTO rows (payload) VALUES (NULL) RETURNING id' >"$work/out" 2>"$work/err" ||
    fail "$(cat "$work/err")"
[ "$(cat "$work/out")" = 51 ] || fail "--migrate: $(cat "$work/out")"
grep -q "every table verified" "$work/err" || fail "--migrate: no summary"
[ "$("$qtdb" --csv --no-header "$work/in/server_instance.qtdb" 'SELECT count(*) FROM made.rows')" = 51 ] || fail "--migrate"
status=0
"$qtdb" --migrate "$file" 'SELECT 1' >"$work/out" 2>&1 || status=$?
[ "$status" = 2 ] && grep -q "exists already" "$work/out" || fail "a database that is there: $(cat "$work/out")"
nothing_changed

if command -v script >/dev/null; then
    rm -rf "$work/in/server_instance.qtdb"*
    echo n | script -qec "'$qtdb' '$file' 'SELECT 7 * 6'" /dev/null >"$work/out" 2>&1 || :
    grep -q "Convert it to $work/in/server_instance.qtdb" "$work/out" || fail "no question: $(cat "$work/out")"
    grep -q 42 "$work/out" || fail "no: not opened: $(cat "$work/out")"
    [ ! -e "$work/in/server_instance.qtdb" ] || fail "converted after no"
    echo y | script -qec "'$qtdb' '$file' 'SELECT 7 * 6'" /dev/null >"$work/out" 2>&1 || :
    grep -q 42 "$work/out" || fail "yes: not opened: $(cat "$work/out")"
    [ -e "$work/in/server_instance.qtdb" ] || fail "not converted after yes"
    nothing_changed
fi

# What is neither stays what it was, and is refused.
echo "neither a database nor anything that can be converted" >"$work/other.db"
status=0
"$qtdb" "$work/other.db" 'SELECT 1' >"$work/out" 2>&1 || status=$?
[ "$status" = 2 ] && grep -q "not a legacy database, or damaged" "$work/out" || fail "another file: $(cat "$work/out")"
nothing_changed
