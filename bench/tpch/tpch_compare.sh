#!/bin/bash
# Runs the 22 queries on qtdb, on SQLite and on PostgreSQL 15 over the same rows, compares the answers with
# PostgreSQL's and the times with SQLite's.
#
#   PSQL="psql -h DIR -p PORT -U postgres" SQLITE=sqlite3 bench/tpch/tpch_compare.sh [PERCENT [QUERY...]]
#
# PERCENT of scale 1 (10: 0.1). PSQL reaches a server of your own, where a database qtdb_tpch_PERCENT is
# made when it is missing; SQLITE is SQLite's shell; without either it is left out. QTDB names qtdb's
# shell, FOLDER where the databases are kept. Each query runs RUNS times (2) in one process, one engine
# after the other, and the fastest run counts: the data is in each engine's cache by then. Each runs LIMIT
# seconds (120) at most, qtdb and SQLite with POOL MiB (256; more than the file, or the disk is measured too: 2048 for
# scale 1) of memory for pages; where SQLite is cut off before its
# first answer, LIMIT counts as its time, which is shown as ">". Prints a line for each query, and the geometric mean and the least of SQLite's
# time over ours. What PostgreSQL answered, and how fast, stays in FOLDER and is not asked again. Ends with 1 when an answer differs or a query fails.
set -euo pipefail

percent=${1:-10}
here=$(dirname "$0")
export QTDB=${QTDB:-build/bin/qtdb}
folder=${FOLDER:-$(mktemp -d)}
file=$folder/tpch_$percent.qtdb
name=qtdb_tpch_$percent
runs=${RUNS:-2}
limit=${LIMIT:-120}
pool=${POOL:-256}
shift || true
queries=${*:-$(seq 1 22)}

if [[ ! -e $file ]]; then
    "$here/tpch_load.sh" "$percent" > "$folder/load.sql"
    "$QTDB" "$file" -f "$folder/load.sql"
fi
if [[ -n ${SQLITE:-} && ! -e $folder/tpch_$percent.sqlite ]]; then
    "$here/tpch_sqlite.sh" "$file" "$folder/tpch_$percent.sqlite"
fi
if [[ -n ${PSQL:-} ]] && ! $PSQL -qAt -c 'select 1' "$name" > "$folder/out" 2>&1; then
    "$here/tpch_load.sh" "$percent" > "$folder/load.sql"
    $PSQL -q -c "create database $name" postgres
    $PSQL -q -v ON_ERROR_STOP=1 -f "$folder/load.sql" "$name"
    $PSQL -q -c 'vacuum analyze' "$name"
fi

# split FILE PREFIX: each query RUNS times into PREFIXn.sql.
split() {
    awk -v prefix="$2" -v runs="$runs" 'function flush(i) {
            for (i = 0; n && i < runs; i++) printf "%s", text > (prefix n ".sql")
        }
        /^-- [0-9]+$/ {flush(); n = $2; text = ""; next}
        n {text = text $0 "\n"}
        END {flush()}' "$1"
}
split "$here/tpch_queries.sql" "$folder/q"
"$here/tpch_sqlite.sh" --queries > "$folder/queries.sqlite"
split "$folder/queries.sqlite" "$folder/s"

# fastest PATTERN FILE: the least number, in milliseconds, behind the word; - when there is none.
fastest() {
    awk -v word="$1" -v factor="$3" '$0 ~ "^" word {v = $0; sub("^" word "[ :]*", "", v)
            v = v * factor; if (!n++ || v < least) least = v}
        END {if (n) printf "%.1f", least; else printf "-"}' "$2"
}

failed=0
printf '| query | answer | rows | qtdb ms | SQLite ms | PostgreSQL ms | SQLite/qtdb | PostgreSQL/qtdb |\n'
printf '|---|---|---|---|---|---|---|---|\n'
: > "$folder/ratios"
for n in $queries; do
    verdict=ran sqlite=- postgres=- cut=
    timeout "$limit" "$QTDB" --csv --no-header --timer --pool "$pool" "$file" -f "$folder/q$n.sql" \
        > "$folder/a$n.all" 2>&1 || verdict=FAILED
    sed '/^time [0-9.]* ms$/,$d' "$folder/a$n.all" > "$folder/a$n"
    own=$(fastest time "$folder/a$n.all" 1)
    if [[ -n ${SQLITE:-} ]]; then
        timeout "$limit" "$SQLITE" -csv -cmd "pragma cache_size = -$((pool * 1024))" -cmd '.timer on' \
            "$folder/tpch_$percent.sqlite" < "$folder/s$n.sql" > "$folder/s$n.all" 2>&1 ||
            [[ $? != 124 ]] || cut='>'
        sqlite=$(fastest 'Run Time: real' "$folder/s$n.all" 1000)
        if [[ $sqlite != - ]]; then cut=; elif [[ -n $cut ]]; then sqlite=$((limit * 1000)); fi
    fi
    if [[ -n ${PSQL:-} && ! -e $folder/b$n ]]; then
        timeout "$limit" $PSQL -q --csv -t -c '\timing on' -f "$folder/q$n.sql" "$name" \
            > "$folder/b$n.all" 2>&1 || echo "query $n: PostgreSQL did not end" >&2
        if grep -q '^Time: ' "$folder/b$n.all"; then
            sed '/^Time: /,$d' "$folder/b$n.all" | sed '/^Timing is on/d' > "$folder/b$n"
        fi
    fi
    if [[ $verdict == ran && -e $folder/b$n ]]; then
        postgres=$(fastest Time "$folder/b$n.all" 1)
        verdict=same
        cmp -s "$folder/a$n" "$folder/b$n" || verdict=DIFFERS
    fi
    [[ $verdict == same || $verdict == ran ]] || failed=1
    awk -v n="$n" -v verdict="$verdict" -v rows="$(wc -l < "$folder/a$n")" -v own="$own" -v sqlite="$sqlite" \
        -v postgres="$postgres" -v ratios="$folder/ratios" -v cut="$cut" 'BEGIN {
        by = own != "-" && sqlite != "-" ? sprintf("%.2f", sqlite / own) : "-"
        if (by != "-") print by >> ratios
        by2 = own != "-" && postgres != "-" ? sprintf("%.2f", postgres / own) : "-"
        printf "| %s | %s | %s | %s | %s%s | %s | %s%s | %s |\n", n, verdict, rows, own, cut, sqlite, postgres,
            cut, by, by2}'
done
awk 'NR == 1 || $1 < least {least = $1} {sum += log($1 > 0 ? $1 : 0.01)}
    END {if (NR) printf "SQLite/qtdb: geometric mean %.2f, least %.2f, of %d queries\n", exp(sum / NR), least, NR}' \
    "$folder/ratios"
exit $failed
