#!/bin/sh
# Goal: a run that is killed or interrupted at any point leaves no target, and --resume goes on with what
# is done: the result is that of a run that was never stopped. Other sources than before begin anew.
#
# Method: several CSV files; the program is killed (no handler runs) once each number of tables is done,
# as its state file tells, and interrupted (it closes); then run again and compared.
set -eu

work=$TMPDIR
migrate=$QTDB_BIN/qtdb-migrate
target=$work/new.qtdb
state=$target.partial-state
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

mkdir "$work/in"
for table in a b c d; do
    {
        echo "id,name,late"
        # A value that fits no number comes late: the table is loaded twice.
        seq 1 4000 | sed "s/.*/&,$table number &,&/"
        [ $table != b ] || echo "4001,x,word"
    } >"$work/in/$table.csv"
done
rows()
{
    for table in a b c d; do
        "$QTDB_BIN/qtdb" --csv --readonly "$1" "SELECT * FROM $table ORDER BY id"
    done
}
"$migrate" "$work/in" "$work/whole.qtdb" >/dev/null
rows "$work/whole.qtdb" >"$work/expected"

# start N: runs in the background until N tables are done; `pid`. Fails where it ended before that.
start()
{
    "$migrate" --resume "$work/in" "$target" >"$work/out" 2>"$work/err" &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        [ ! -e "$state" ] || [ "$(grep -c '^table' "$state")" -lt "$1" ] || return 0
    done
    return 0
}

# go_on: the kernel may give a killed program's lock back a moment after it has ended.
go_on()
{
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        "$migrate" --resume "$work/in" "$target" >"$work/out" 2>"$work/err" && return 0
        grep -q "open in another process" "$work/err" || return 1
        sleep 0.2
    done
    return 1
}

stopped=0
for signal in KILL INT; do
    for count in 0 1 2 3 4; do
        rm -rf "$target" "$target".partial*
        start "$count"
        kill "-$signal" "$pid" 2>/dev/null || :
        status=0
        wait "$pid" 2>/dev/null || status=$?
        if [ "$status" = 0 ]; then
            continue # It was faster.
        fi
        stopped=$((stopped + 1))
        [ ! -e "$target" ] || fail "$signal after $count: a target is there"
        [ "$signal" = KILL ] || grep -q "goes on with what is done" "$work/err" ||
            fail "$signal: $(cat "$work/err")"
        done_before=$(grep -c '^table' "$state" 2>/dev/null || :)
        go_on ||
            fail "$signal after $count: $(cat "$work/err")"
        grep -q "every table verified" "$work/out" || fail "$signal after $count: not verified"
        rows "$target" >"$work/got"
        cmp -s "$work/expected" "$work/got" || fail "$signal after $count: other rows"
        [ "${done_before:-0}" = 0 ] || grep -q "^resumed\|1 pass\|2 passes" "$work/out" || fail "$(cat "$work/out")"
        [ ! -e "$state" ] && [ ! -e "$target.partial" ] && [ ! -e "$target.partial-wal" ] ||
            fail "$signal after $count: something is left"
        "$QTDB_BIN/qtdb" --readonly "$target" .check >/dev/null || fail "$signal after $count: check"
    done
done
[ "$stopped" -ge 3 ] || fail "only $stopped runs could be stopped"

# Tables that are done are taken over, and not where a source changed.
rm -rf "$target" "$target".partial*
start 2
kill -KILL "$pid" 2>/dev/null || :
wait "$pid" 2>/dev/null || :
if [ -e "$state" ] && [ ! -e "$target" ]; then
    cp -r "$work" "$work.copy"
    go_on || fail "$(cat "$work/err")"
    grep -q "^resumed   [2-4] tables" "$work/out" || fail "not taken over: $(cat "$work/out")"
    rm -rf "$target"
    cp -r "$work.copy"/new.qtdb.partial* "$work"
    sed 's/number 5,/changed,/' "$work/in/a.csv" >"$work/in/a.new" && mv "$work/in/a.new" "$work/in/a.csv"
    go_on || fail "$(cat "$work/err")"
    ! grep -q "^resumed" "$work/out" || fail "a changed source was gone on with"
    [ "$("$QTDB_BIN/qtdb" --csv --readonly "$target" "SELECT name FROM a WHERE id = 5" | tail -n 1)" = \
        "a changed" ] || fail "a changed source: old rows"
    rm -rf "$work.copy"
fi

# A state file that is torn or of something else is not believed.
rm -rf "$target" "$target".partial*
start 1
kill -KILL "$pid" 2>/dev/null || :
wait "$pid" 2>/dev/null || :
if [ -e "$state" ]; then
    sed 's/^table 0 /table 1 /' "$state" >"$work/state" && mv "$work/state" "$state"
    go_on || fail "$(cat "$work/err")"
    rows "$target" >/dev/null
fi
