#!/bin/sh
# Goal: a suite that was interrupted, and then killed, goes on where it was: nothing that was measured is measured again, everything is
# there in the end, and a run of another build is refused.
# Method: the smallest suite, stopped by Ctrl-C when some of its cases are in its log, continued and killed when there are
# more, then continued twice; the log has
# a line for each run that was measured.
set -eu
dir=$(mktemp -d "${TMPDIR:-/tmp}/qtdb-suite.XXXXXX")
trap 'rm -rf "$dir"' EXIT
bench="$QTDB_BIN/qtdb-bench"

# A shell starts what runs in the background with SIGINT ignored.
start() # OUTPUT ARGUMENT...
{
    output=$1
    shift
    env --default-signal=INT "$bench" "$@" >"$output" 2>&1 &
    pid=$!
}

wait_for_lines() # COUNT
{
    run= lines=0 tries=0
    while [ "$lines" -lt "$1" ] && [ "$tries" -lt 600 ]; do
        sleep 0.1
        tries=$((tries + 1))
        run=$(ls -d "$dir"/b/runs/suite_* 2>/dev/null || true)
        lines=$(cat "$run/run.log" 2>/dev/null | wc -l)
    done
}

start "$dir/first" suite --quick --engine qtdb --rows 400 --seconds 0 --dir "$dir/b"
wait_for_lines 2
kill -INT "$pid" || { cat "$dir/first"; echo "it ended before it was interrupted"; exit 1; }
status=0
wait "$pid" || status=$?
[ "$status" = 1 ] || { cat "$dir/first"; echo "status $status after Ctrl-C"; exit 1; }
grep -q '^stopped: what was measured until then is above$' "$dir/first"
grep -q "^what is missing is measured by: qtdb-bench --resume $run\$" "$dir/first"
[ -s "$run/summary.json" ] && rm "$run/summary.json"

start "$dir/killed" --resume "$run"
wait_for_lines $((lines + 5))
kill -9 "$pid" 2>/dev/null || { cat "$dir/killed"; echo "it ended before it was killed"; exit 1; }
wait "$pid" 2>/dev/null || true
lines=$(wc -l <"$run/run.log")
[ ! -e "$run/summary.json" ]
cut -d: -f1,2 "$run/run.log" | sed 's/,.*//' >"$dir/done"

# A torn record at the end is what a power failure leaves.
printf 'torn' >>"$run/journal"
"$bench" --resume "$run" >"$dir/second" 2>"$dir/progress" || { cat "$dir/second" "$dir/progress"; exit 1; }
grep -q '^suite: 1 of [0-9]*, get; .* left$' "$dir/progress"
head -n "$lines" "$run/run.log" | cut -d: -f1,2 | sed 's/,.*//' | cmp - "$dir/done"
grep -v ', stopped: does not count$' "$run/run.log" | sed 's/: [0-9]* operations.*//' | sort | uniq -d >"$dir/twice"
[ ! -s "$dir/twice" ] || { cat "$dir/twice"; exit 1; }
for workload in load append insert update get hits recovery open sql-get sql-query; do
    grep -q "\"engine\":\"qtdb\",\"workload\":\"$workload\"" "$run/raw_results.jsonl" ||
        { echo "no $workload"; exit 1; }
done
for file in summary.json report.html report.md learned.txt targets.md; do
    [ -s "$run/$file" ] || { echo "no $file"; exit 1; }
done
# Every target is in the table with its verdict, whichever, in the page, in Markdown and in the summary.
grep -q '^| ordered load: write amplification | [0-9.]* | \(NOT \)*met | at most 1.15:' "$run/targets.md"
grep -q '^| SQL: prepared point select, embedded | [0-9.]* [kM]*' "$run/targets.md"
grep -q '^| recovery of 1 GB of log.* | - | not measured | not in a suite: bench_store recovery |$' "$run/targets.md"
grep -q '^| routers: a tree of 9,000 rows | .* | met | ' "$run/targets.md"
# What is held against peers is not met where there are none.
grep -q '^| 1,000 random rows a durable transaction | .* | not measured | ' "$run/targets.md"
grep -q '^## Targets: [0-9]* met, [0-9]* NOT met, [0-9]* not measured here$' "$run/report.md"
grep -q '<h2>Targets: [0-9]* met, [0-9]* NOT met, [0-9]* not measured here</h2>' "$run/report.html"
grep -q '<td class="t">routers: a tree of 9,000 rows</td>.*<td class="t v">met</td>' "$run/report.html"
grep -q '^{"target":"ordered load: write amplification","figure":"[0-9.]*","verdict":"\(NOT \)*met",' "$run/summary.json"
rows=$(grep -c '^| .* | met | \|^| .* | NOT met | \|^| .* | not measured | ' "$run/targets.md")
[ "$(grep -c '^{"target"' "$run/summary.json")" = "$rows" ]
[ "$(grep -c '^  met  \|^  NOT met  \|^  not measured  ' "$dir/second")" = "$rows" ]
grep -q '^suite: [0-9]* steps, about [0-9.]* minutes by estimate, at most 10$' "$dir/first"
grep -q '^10 MB: 92592 rows, more than --rows: left out' "$dir/second"

# Once more: all is there, so only the tables are printed.
lines=$(wc -l <"$run/run.log")
"$bench" --resume "$run" >"$dir/third" 2>/dev/null || { cat "$dir/third"; exit 1; }
[ "$(wc -l <"$run/run.log")" = "$lines" ] || { cat "$run/run.log"; exit 1; }
grep -q 'a point query against a full scan' "$dir/third"
sed -n '/^targets: /,/^kept in/p' "$dir/second" >"$dir/targets.second"
sed -n '/^targets: /,/^kept in/p' "$dir/third" | cmp - "$dir/targets.second"

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
