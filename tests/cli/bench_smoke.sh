#!/bin/sh
# Goal: qtdb-bench runs every workload, verifies its answers, writes JSON of the promised form, and
# refuses wrong command lines.
# Method: few rows, qtdb and the legacy way (peers need not be installed); the JSON is taken apart with
# grep; a key file that is out of order must be refused, one in order taken.
set -eu
dir=$(mktemp -d "${TMPDIR:-/tmp}/qtdb-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
bench="$QTDB_BIN/qtdb-bench"

fails_with() # STATUS PATTERN ARGUMENT...
{
    wanted=$1 pattern=$2
    shift 2
    status=0
    "$bench" --dir "$dir/b" "$@" >"$dir/out" 2>&1 || status=$?
    [ "$status" = "$wanted" ] || { cat "$dir/out"; echo "status $status for $*"; exit 1; }
    grep -q "$pattern" "$dir/out" || { cat "$dir/out"; echo "no '$pattern' for $*"; exit 1; }
}

"$bench" --smoke --engine qtdb,legacy-memory --dir "$dir/b" --json "$dir/smoke.json" >"$dir/out" 2>&1 ||
    { cat "$dir/out"; exit 1; }
head -n 1 "$dir/smoke.json" | grep -q '"machine":.*"commit":.*"versions":{"qtdb":"[0-9.]*"'
for workload in load insert update delete get absent batchget get-writer range scan \
    ycsb-a ycsb-b ycsb-c ycsb-d ycsb-e ycsb-f cold cold-batch mixed recovery open hits; do
    for metric in ops_per_s rows_per_s p50_ns p99_ns seconds; do
        grep -q "{\"engine\":\"qtdb\",\"workload\":\"$workload\",\"rows\":[0-9]*,\"value_size\":100,\"batch\":[0-9]*,\"threads\":1,\"durability\":\"sync\",\"metric\":\"$metric\",\"value\":[0-9.e+-]*,\"run\":1," \
            "$dir/smoke.json" || { echo "no $metric of $workload"; exit 1; }
    done
done
grep -q '"workload":"insert".*"metric":"wa_write"' "$dir/smoke.json"
! grep -q FAILED "$dir/out"
grep -q 'legacy-memory *skipped: keeps its rows in no order' "$dir/out"

"$bench" update --engine qtdb --rows 3000 --threads 3 --runs 2 --batch 7 --durability async --seconds 1 \
    --dir "$dir/b" >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
grep -q '3 threads, async' "$dir/out"
"$bench" insert --engine legacy --rows 500 --runs 1 --dir "$dir/b" >"$dir/out" 2>&1 ||
    { cat "$dir/out"; exit 1; }
"$bench" insert --engine legacy --rows 1000000 --runs 1 --dir "$dir/b" 2>&1 | grep -q 'skipped: would write'

# The report, and runs that are kept: both must hold the figures, and a comparison must find them equal.
"$bench" insert --engine qtdb --rows 1000 --runs 2 --dir "$dir/b" --report "$dir/report" \
    --save-results "$dir/kept" >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
grep -q '<svg .*rows a second' "$dir/report/report.html"
! grep -q 'http' "$dir/report/report.html"
grep -q '^| qtdb | [0-9]' "$dir/report/report.md"
run=$(ls -d "$dir"/kept/insert_*)
for file in run_config.json system_info.json run.log raw_results.jsonl summary.json report.html; do
    [ -s "$run/$file" ] || { echo "no $file"; exit 1; }
done
[ "$(wc -l <"$run/run.log")" = 2 ]
"$bench" results list "$dir/kept" | grep -q '^insert_.*"workload":"insert"'
"$bench" results show "$run" | grep -q '^| qtdb |'
# Whether others worked meanwhile is nothing to depend on here.
sed 's/"disturbed":true/"disturbed":false/' "$run/raw_results.jsonl" >"$dir/raw" && cat "$dir/raw" >"$run/raw_results.jsonl"
"$bench" results compare "$run" "$run" >"$dir/out"
grep -q 'ops_per_s: .*(+0.0%), within the noise' "$dir/out"
! grep -q OUTSIDE "$dir/out"
mkdir "$dir/kept/other"
sed 's/\("metric":"ops_per_s","value":\)/\19/' "$run/raw_results.jsonl" >"$dir/kept/other/raw_results.jsonl"
"$bench" results compare "$run" "$dir/kept/other" | grep -q 'ops_per_s: .*OUTSIDE the noise: better'
"$bench" results compare "$dir/kept/other" "$run" | grep -q 'ops_per_s: .*OUTSIDE the noise: WORSE'
# A disturbed run says nothing where there are others.
printf '%s\n' '{"engine":"qtdb","workload":"get","rows":5,"metric":"ops_per_s","value":10,"run":1,"pool":1,"zipf":false,"own_device":false,"disturbed":false}' \
    '{"engine":"qtdb","workload":"get","rows":5,"metric":"ops_per_s","value":12,"run":2,"pool":1,"zipf":false,"own_device":false,"disturbed":false}' \
    '{"engine":"qtdb","workload":"get","rows":5,"metric":"ops_per_s","value":90,"run":3,"pool":1,"zipf":false,"own_device":false,"disturbed":true}' \
    '{"engine":"qtdb","workload":"get","rows":5,"metric":"ops_per_s","value":500,"run":1,"pool":1,"zipf":true,"own_device":false,"disturbed":false}' \
    >"$dir/kept/other/raw_results.jsonl"
"$bench" results compare "$dir/kept/other" "$dir/kept/other" >"$dir/out"
grep -q '"zipf":false.*ops_per_s: 11.00 -> 11.00 .*within' "$dir/out"
grep -q '"zipf":true.*ops_per_s: 500 -> 500 .*one run' "$dir/out"
[ -z "$("$bench" results list "$dir/kept" --only no_such)" ]
"$bench" results list "$dir/kept" --only insert_ | grep -q '^insert_'
fails_with 2 'no kept run' results show "$dir"

# Hit rates of leaves and of all pages, with what is possible: by any choice at least what was found.
"$bench" hits --engine qtdb,legacy-memory --rows 30000 --runs 1 --seconds 1 --dir "$dir/b" --json "$dir/hits.json" \
    >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
grep -q 'legacy-memory *skipped: does not count' "$dir/out"
awk -F'[,:]' '{ for (i = 1; i < NF; i++) if ($i == "\"metric\"") { m = $(i + 1); v[m] = $(i + 3) } }
    END { leaf = v["\"hit_rate\""]; exit !(leaf > 0.2 && leaf < v["\"page_hit_rate\""] && v["\"page_hit_rate\""] < 1 &&
        v["\"hit_rate_future\""] > leaf && v["\"hit_rate_future\""] < 1) }' "$dir/hits.json" ||
    { cat "$dir/hits.json"; exit 1; }

# Write amplification and the table, without peers: the device is measured or its absence said.
"$bench" wa --engine qtdb --rows 600 --runs 1 --dir "$dir/b" >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
grep -q '^device: ' "$dir/out"
grep -q '^write amplification over time' "$dir/out"

# Keys of a file: 1 to 4, then the same with the last two exchanged.
printf '\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\11\0\0\0\0\0\0\200' >"$dir/keys"
"$bench" get --engine qtdb --keys "$dir/keys" --runs 1 --seconds 1 --dir "$dir/b" >"$dir/out" 2>&1 ||
    { cat "$dir/out"; exit 1; }
grep -q 'get: 4 rows' "$dir/out"
printf '\1\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0' >"$dir/keys"
fails_with 2 'key 2 is not above' get --keys "$dir/keys"
printf '\1\0\0' >"$dir/keys"
fails_with 2 'multiple of 8' get --keys "$dir/keys"

# Routers: every line says which, the page has its pictures, small trees get no model; every row of the table is
# there, measured or not, and so is what others claimed.
printf '\1\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0' >"$dir/even.u64"
"$bench" learned --engine qtdb --rows 40000 --runs 1 --dir "$dir/b" --json "$dir/learned.json" \
    --sets "$dir/even.u64" --report "$dir/learned" >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
for router in tree rmi pla directory auto textbook; do
    for workload in learned-get learned-chain learned-absent; do
        grep -q "\"workload\":\"$workload\",\"rows\":40000,.*\"metric\":\"cpu_ns_per_row\".*\"router\":\"$router\",\"keys\":\"uniform\"}" \
            "$dir/learned.json" || { echo "no $workload of $router"; exit 1; }
    done
done
grep -q '"metric":"page_reads_per_row".*"router":"auto"' "$dir/learned.json"
grep -q '"workload":"learned-mixed".*"router":"auto"' "$dir/learned.json"
grep -q '"workload":"learned-batch".*"router":"rmi"' "$dir/learned.json"
grep -q '"workload":"learned-range".*"router":"auto"' "$dir/learned.json"
for set in outlier two-clusters squares even; do
    grep -q "\"workload\":\"learned-get\".*\"router\":\"auto\",\"keys\":\"$set\"}" "$dir/learned.json" ||
        { echo "no set $set"; exit 1; }
done
grep -q '^RMI get, 8-byte values, 100 M$' "$dir/out"
grep -q 'at least 1.2x our tree, 300 ns:  not measured' "$dir/out"
grep -q 'x (.* rows, of 8 sets); at least 0.97x our tree:' "$dir/out"
grep -q 'at 40000 rows, a pool of 40.96% (leaves [0-9.]*, inner 0.000, map [0-9.]*); tree .*at least 1.05' "$dir/out"
grep -q 'tree: fewer than 10,000 rows: .*; at least no model, and said so:  met' "$dir/out"
grep -q 'claim: 558,692 keys/s' "$dir/out"
! grep -q 'here:  not measured' "$dir/out"
grep -q '9.85x on average.*our own tree' "$dir/learned/learned.html"
grep -q '<svg .*keys against positions' "$dir/learned/learned.html"
grep -q '<svg .*leaves by error' "$dir/learned/learned.html"
"$bench" learned --engine qtdb --rows 9000 --runs 1 --dir "$dir/b" >"$dir/out" 2>&1
grep -q '^  rmi .*tree: fewer than 10,000 rows' "$dir/out"
fails_with 1 'no_such_file' learned --engine qtdb --rows 2000 --runs 1 --sets "$dir/no_such_file"

fails_with 2 "no workload 'lerned'" lerned
fails_with 2 'one WORKLOAD' --rows 5
fails_with 2 "no engine 'oracle'" get --engine oracle
fails_with 2 'sync or async' get --durability maybe
fails_with 2 'not a size' get --pool 3X
fails_with 2 'at least 1' get --rows 0
status=0
"$bench" get --dir /proc/none >"$dir/out" 2>&1 || status=$?
[ "$status" = 2 ] && grep -q 'cannot be made' "$dir/out"
[ ! -e "$dir/b/qtdb" ]

# A full disk is said as one, and what a failed engine wrote is gone before the next begins. Needs root for a small disk.
if [ "$(id -u)" = 0 ] && truncate -s 48M "$dir/disk" && mkfs.ext4 -q -F "$dir/disk" 2>/dev/null && mkdir "$dir/small" &&
    mount -o loop "$dir/disk" "$dir/small" 2>/dev/null; then
    "$bench" get --engine qtdb,legacy --rows 500000 --runs 1 --seconds 1 --dir "$dir/small/b" >"$dir/out" 2>&1 || true
    left=$(find "$dir/small/b" -type f | wc -l)
    umount "$dir/small"
    [ "$left" = 0 ] || { echo "$left files are left"; exit 1; }
    [ "$(grep -c 'FAILED: the disk of --dir is full' "$dir/out")" = 2 ] || { cat "$dir/out"; exit 1; }
fi
