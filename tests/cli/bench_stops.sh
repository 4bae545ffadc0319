#!/bin/sh
# Goal: what ends a measurement early loses nothing and says itself: Ctrl-C keeps what was measured, a file or a disk that is full and a missing right are clear messages with the exit status they have.
# Method: a run of many, interrupted when its log has the first (bench_suite.sh does it to a suite); limits of the size
# of files for engines and for results; directories that the user may not write to, where the test runs as root.
set -eu
dir=$(mktemp -d "${TMPDIR:-/tmp}/qtdb-stops.XXXXXX")
trap 'rm -rf "$dir"' EXIT
bench="$QTDB_BIN/qtdb-bench"

wait_for_line() # LOG: until that of the run that is kept has one
{
    tries=0
    while [ "$(cat $1 2>/dev/null | wc -l)" -lt 1 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || { cat "$dir/out"; echo "no run came to its end"; exit 1; }
        sleep 0.1
    done
}

# A shell starts what runs in the background with SIGINT ignored.
interrupt() # LOG ARGUMENT...
{
    log=$1 status=0
    shift
    env --default-signal=INT "$bench" "$@" >"$dir/out" 2>"$dir/err" &
    pid=$!
    wait_for_line "$log"
    kill -INT "$pid"
    wait "$pid" || status=$?
    [ "$status" = 1 ] || { cat "$dir/out" "$dir/err"; echo "status $status after Ctrl-C"; exit 1; }
    grep -q '^stopped: what was measured until then is above$' "$dir/out"
}

interrupt "$dir/kept/*/run.log" get --engine qtdb --rows 2000 --runs 1000 --seconds 1 --dir "$dir/b" \
    --json "$dir/get.json" --report "$dir/report" --save-results "$dir/kept"
grep -q '^  qtdb  *[0-9]' "$dir/out" || { cat "$dir/out"; exit 1; }
grep -q '"metric":"ops_per_s","value":[0-9]' "$dir/get.json"
grep -q '^| qtdb | [0-9]' "$dir/report/report.md"
[ -s "$dir"/kept/get_*/summary.json ]
[ ! -e "$dir/b/qtdb" ]

# Files of at most 1 MB: the engine says it, what it left is removed, the next one goes on. Then of 1 KB: the results.
status=0
(ulimit -f 2000 && "$bench" get --engine qtdb,legacy-memory --rows 50000 --runs 1 --seconds 1 --dir "$dir/b") \
    >"$dir/out" 2>&1 || status=$?
[ "$status" = 1 ] && grep -q 'qtdb *FAILED: .*File too large' "$dir/out" || { cat "$dir/out"; exit 1; }
grep -q '^  legacy-memory *[0-9]' "$dir/out"
[ ! -e "$dir/b/qtdb" ]
for option in --json --report --save-results; do
    # By a pipe: a file for its output would be limited too.
    (
        ulimit -f 2
        status=0
        "$bench" get --engine legacy-memory --rows 50 --runs 3 --seconds 1 --dir "$dir/b" "$option" "$dir/full" 2>&1 ||
            status=$?
        echo "status $status"
    ) | cat >"$dir/out"
    grep -q '^status 1$' "$dir/out" && grep -q '^qtdb-bench: .*File too large' "$dir/out" ||
        { cat "$dir/out"; echo "$option"; exit 1; }
    rm -rf "$dir/full"
done

[ "$(id -u)" = 0 ] && command -v setpriv >/dev/null || exit 0
as_other() # STATUS PATTERN ARGUMENT...
{
    wanted=$1 pattern=$2 status=0
    shift 2
    setpriv --reuid=65534 --regid=65534 --clear-groups "$dir/bin" "$@" >"$dir/out" 2>&1 || status=$?
    [ "$status" = "$wanted" ] && grep -q "$pattern" "$dir/out" || { cat "$dir/out"; echo "$status: $*"; exit 1; }
}
cp "$bench" "$dir/bin"
mkdir "$dir/mine" "$dir/theirs"
chmod 755 "$dir" "$dir/mine" "$dir/bin"
chmod 777 "$dir/theirs"
set -- get --engine qtdb --rows 1000 --runs 1 --seconds 1
as_other 2 'mine/b cannot be made: Permission denied' "$@" --dir "$dir/mine/b"
as_other 2 'mine/kept.* cannot be made: Permission denied' "$@" --dir "$dir/theirs/b" --save-results "$dir/mine/kept"
as_other 1 'mine/json cannot be written: Permission denied' "$@" --dir "$dir/theirs/b" --json "$dir/mine/json"
as_other 1 'mine/r cannot be made: Permission denied' "$@" --dir "$dir/theirs/b" --report "$dir/mine/r"
as_other 0 '^device: not measured, a loop device needs root$' wa --engine qtdb --rows 500 --runs 1 --dir "$dir/theirs/b"
