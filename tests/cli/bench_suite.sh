#!/bin/sh
# Goal: a suite that was killed goes on where it was: nothing that was measured is measured again, everything is
# there in the end, and a run of another build is refused.
# Method: the smallest suite, killed when some of its cases are in its log, then continued twice; the log has
# a line for each run that was measured.
set -eu
dir=$(mktemp -d "${TMPDIR:-/tmp}/qtdb-suite.XXXXXX")
trap 'rm -rf "$dir"' EXIT
bench="$QTDB_BIN/qtdb-bench"

"$bench" suite --quick --engine qtdb --rows 400 --seconds 0 --dir "$dir/b" >"$dir/first" 2>&1 &
pid=$!
run= lines=0 tries=0
while [ "$lines" -lt 5 ] && [ "$tries" -lt 600 ]; do
    sleep 0.1
    tries=$((tries + 1))
    run=$(ls -d "$dir"/b/runs/suite_* 2>/dev/null || true)
    lines=$(cat "$run/run.log" 2>/dev/null | wc -l)
done
kill -9 "$pid" 2>/dev/null || { cat "$dir/first"; echo "it ended before it was killed"; exit 1; }
wait "$pid" 2>/dev/null || true
lines=$(wc -l <"$run/run.log")
[ ! -e "$run/summary.json" ]
cut -d: -f1,2 "$run/run.log" | sed 's/,.*//' >"$dir/done"

# A torn record at the end is what a power failure leaves.
printf 'torn' >>"$run/journal"
"$bench" --resume "$run" >"$dir/second" 2>"$dir/progress" || { cat "$dir/second" "$dir/progress"; exit 1; }
grep -q '^suite: 1 of [0-9]*, load; .* left$' "$dir/progress"
head -n "$lines" "$run/run.log" | cut -d: -f1,2 | sed 's/,.*//' | cmp - "$dir/done"
sed 's/: [0-9]* operations.*//' "$run/run.log" | sort | uniq -d >"$dir/twice"
[ ! -s "$dir/twice" ] || { cat "$dir/twice"; exit 1; }
for workload in load append insert update get hits recovery open sql-get sql-query; do
    grep -q "\"engine\":\"qtdb\",\"workload\":\"$workload\"" "$run/raw_results.jsonl" ||
        { echo "no $workload"; exit 1; }
done
for file in summary.json report.html report.md learned.txt targets.md; do
    [ -s "$run/$file" ] || { echo "no $file"; exit 1; }
done
grep -q '^| ordered load: write amplification | [0-9.]* | at most 1.15:' "$run/targets.md"
grep -q '^| SQL: prepared point select, embedded | [0-9.]* [kM]*' "$run/targets.md"
grep -q '^| recovery of 1 GB of log.* | - | not in a suite: bench_store recovery |$' "$run/targets.md"
grep -q '^suite: [0-9]* steps, about [0-9.]* minutes by estimate, at most 10$' "$dir/first"
grep -q '^10 MB: 92592 rows, more than --rows: left out' "$dir/second"

# Once more: all is there, so only the tables are printed.
lines=$(wc -l <"$run/run.log")
"$bench" --resume "$run" >"$dir/third" 2>/dev/null || { cat "$dir/third"; exit 1; }
[ "$(wc -l <"$run/run.log")" = "$lines" ] || { cat "$run/run.log"; exit 1; }
grep -q 'a point query against a full scan' "$dir/third"

refused() # PATTERN ARGUMENT...
{
    pattern=$1 status=0
    shift
    "$bench" "$@" >"$dir/out" 2>&1 || status=$?
    [ "$status" = 2 ] && grep -q "$pattern" "$dir/out" || { cat "$dir/out"; echo "$status: $*"; exit 1; }
}
refused 'no run that can be continued' --resume "$dir"
refused 'stands alone' --resume "$run" get
printf 'X' | dd of="$run/journal" bs=1 seek=24 conv=notrunc 2>/dev/null
refused 'figures of two builds' --resume "$run"
: >"$run/journal"
refused 'is no journal' --resume "$run"
