#!/bin/sh
# Goal: qtdb-crash says what is wrong and what is not by its exit status, repeats itself byte for byte,
# and writes JSON that can be read a line at a time.
#
# Method: short runs; wrong command lines; the canary, which has to fail.
set -eu

work=$TMPDIR
rig=$QTDB_BIN/qtdb-crash

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

# expect STATUS COMMAND...
expect()
{
    wanted=$1
    shift
    status=0
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = "$wanted" ] || fail "exit status $status, not $wanted: $*: $(cat "$work/err")"
}

expect 0 "$rig" --help
grep -q '^Usage: qtdb-crash MODE' "$work/out" || fail "no usage"
expect 0 "$rig" --version
grep -q '^qtdb-crash [0-9]' "$work/out" || fail "no version"

for words in "" "nonsense" "sim --nonsense" "sim --seed x" "sim --workload none" "sim --policy none" \
    "sim --replay 1:load" "sim --fault eio:1" "sim extra" "faults --replay 1:load:image --fault x"; do
    # shellcheck disable=SC2086
    expect 2 "$rig" $words
    [ -s "$work/err" ] || fail "no complaint about: $words"
    [ ! -s "$work/out" ] || fail "output for: $words"
done

expect 0 "$rig" sim --states 300 --threads 1 --seed 5
grep -q 'nothing wrong' "$work/out" || fail "no verdict"
grep -q 'states, unique' "$work/out" || fail "no count of states"

expect 0 "$rig" rows --states 300 --threads 1 --seed 5
grep -q 'nothing wrong' "$work/out" || fail "no verdict on rows"
expect 0 "$rig" rows --replay 5:rows:image/30.random.0.7
expect 0 "$rig" sim --states 300 --threads 1 --quiet
[ ! -s "$work/out" ] && [ ! -s "$work/err" ] || fail "--quiet is not quiet"

expect 0 "$rig" sim --states 300 --threads 1 --json "$work/run.json"
expect 0 "$rig" torn --seconds 1 --threads 1 --json
cat "$work/out" "$work/run.json" | grep -cv '^{"mode":"[a-z]*",.*}$' && fail "not an object a line"
grep -q '"verdict":"ok"' "$work/run.json" || fail "no verdict in the JSON"

expect 0 "$rig" sim --replay 5:update:image/30.random.0.7
mv "$work/out" "$work/first"
expect 0 "$rig" sim --replay 5:update:image/30.random.0.7
grep -v ' s$\|minute' "$work/first" >"$work/first.text"
grep -v ' s$\|minute' "$work/out" >"$work/second.text"
cmp "$work/first.text" "$work/second.text" || fail "a replay differs from itself"
grep -q ' write .*store.qtdb ' "$work/out" || fail "a replay prints no operations"

expect 0 "$rig" big --states 3
grep -q 'memory at most' "$work/out" || fail "no word on memory"

expect 1 "$rig" canary --threads 1
grep -q BLIND "$work/out" && fail "a canary was not seen: $(cat "$work/out")"

expect 2 "$rig" bugs
grep -q 'VARIANT=bugs' "$work/err" || fail "no hint at the bugs build"
