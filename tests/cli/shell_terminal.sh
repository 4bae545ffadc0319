#!/bin/sh
# Goal: on a terminal the shell completes words, colours what was entered unless NO_COLOR says otherwise, and
# keeps a history.
#
# Method: script(1) makes the terminal and takes what is typed from a pipe; without it nothing is tested, and
# the test says so.
set -eu

work=$TMPDIR
qtdb=$QTDB_BIN/qtdb
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}
command -v script >/dev/null || {
    echo "SKIPPED: there is no script(1) to make a terminal"
    exit 77
}
unset NO_COLOR || :
export HOME="$work" TERM=xterm
"$qtdb" "$work/a.qtdb" "CREATE TABLE measurements (id int PRIMARY KEY, temperature int); INSERT INTO measurements VALUES (1, 2042)"

# typed: what standard input holds, on a terminal of 100 columns; $work/out is what it shows.
typed()
{
    script -qec "stty cols 100; '$qtdb' '$work/a.qtdb'" /dev/null >"$work/out" 2>&1 || :
}
printf 'sel\ttempera\tfr\tmeas\t;\n.quit\n' | typed
grep -q 2042 "$work/out" || fail "not completed: $(cat "$work/out")"
grep -q "$(printf '\033\\[1;34mselect')" "$work/out" || fail "no colours: $(cat -v "$work/out")"
grep -q "meas" "$work/.qtdb_history" || fail "no history"
printf '.mode line\nselect 6 * 7 as answer;\n.quit\n' | NO_COLOR=1 typed
grep -q "answer = 42" "$work/out" || fail "not run: $(cat "$work/out")"
if grep -q "$(printf '\033\\[1;34m')" "$work/out"; then
    fail "colours in spite of NO_COLOR"
fi
# An import into a block that has failed does not end the block.
printf 'a\n7\n' >"$work/f.csv"
printf "BEGIN;\nSELECT 1/0;\n.import '%s' f\nSELECT 2 + 2;\n.quit\n" "$work/f.csv" | NO_COLOR=1 typed
grep -q '25P02' "$work/out" || fail "the failed block was ended: $(cat "$work/out")"
