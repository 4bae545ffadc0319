#!/bin/bash
# Runs ten aggregates over one table on qtdb and on SQLite, compares the answers and the times.
#
#   SQLITE=sqlite3 bench/aggregates/aggregates_compare.sh [ROWS]
#
# ROWS is 10,000,000 unless given. SQLITE is SQLite's shell; without it only qtdb runs. QTDB names qtdb's
# shell, FOLDER where the databases are kept and found again. Each query runs RUNS times (3) in one process,
# one engine after the other, and the least processor time of the user counts, which a busy machine disturbs
# less than the clock; both have 2 GiB of memory for pages, which hold the table, so that the disk is not
# what is measured. Prints a line for each query, and the geometric mean and the least of SQLite's time over
# ours. Numbers may differ by 1 in 10^9, as SQLite sums decimals as doubles. Ends with 1 when an answer
# differs or a query fails.
set -euo pipefail

rows=${1:-10000000}
export QTDB=${QTDB:-build/bin/qtdb}
folder=${FOLDER:-$(mktemp -d)}
runs=${RUNS:-3}
own=$folder/aggregates_$rows.qtdb other=$folder/aggregates_$rows.sqlite

queries=(
    "select count(*) from m"
    "select sum(v) from m"
    "select min(v), max(v), min(s), max(s) from m"
    "select avg(r), sum(r) from m"
    "select sum(n), avg(n) from m"
    "select g, count(*), sum(v) from m group by g order by g"
    "select k, sum(v), max(n) from m group by k order by k"
    "select count(distinct g), count(distinct k) from m"
    "select sum(n * (1 - 0.05)), count(*) from m where v < 500000 and k between 100 and 40000"
    "select s, avg(n), count(*) from m group by s order by s"
)

# The rows from $1 to $2.
rows_between()
{
    echo "insert into m select i, i::bigint * 7919 % 50021, i::bigint * 31 % 97, i::bigint * 104729 % 1000003,
        (i::bigint * 1299709 % 1000033) / 8.0, (i::bigint * 15485863 % 10000019) / 100.0, 'text ' || i::bigint * 13 % 499
        from generate_series($1, $2) i;"
}

if [[ ! -e $own ]]; then
    {
        echo "create table m (id int primary key, k int, g int, v bigint, r float8, n numeric(15,2), s text);"
        for ((first = 1; first <= rows; first += 50000)); do
            last=$((first + 49999))
            rows_between "$first" $((last < rows ? last : rows))
        done
    } > "$folder/load.sql"
    "$QTDB" "$own" -f "$folder/load.sql"
fi
if [[ -n ${SQLITE:-} && ! -e $other ]]; then
    "$SQLITE" "$other" 'pragma journal_mode = off' 'pragma synchronous = off' \
        'create table m (id integer primary key, k int, g int, v bigint, r real, n numeric, s text)' \
        '.mode csv' ".import '|$QTDB --csv --no-header $own -c \"select * from m\"' m" > "$folder/out"
fi

# Processor time of the user in milliseconds that a query takes: what RUNS runs add to one; a hundred times as many
# of a query whose runs together take less than 0.1 s, which would not stand out from the program's start.
measure()
{
    local one more runs=$runs
    TIMEFORMAT=%U
    one=$({ time "$@" 1 > "$folder/one"; } 2>&1)
    more=$({ time "$@" $((runs + 1)) > "$folder/more"; } 2>&1)
    if awk -v one="$one" -v more="$more" 'BEGIN {exit !(more - one < 0.1)}'; then
        runs=$((runs * 100))
        more=$({ time "$@" $((runs + 1)) > "$folder/more"; } 2>&1)
    fi
    awk -v one="$one" -v more="$more" -v runs="$runs" 'BEGIN {printf "%.1f", (more - one) * 1000 / runs}'
}

# The query, $1 times.
repeated()
{
    local i
    for ((i = 0; i < $1; i++)); do echo "$query;"; done
}
run_own()
{
    repeated "$1" > "$folder/own.sql"
    "$QTDB" --csv --no-header --pool 2048 "$own" -f "$folder/own.sql"
}
run_other()
{
    repeated "$1" | "$SQLITE" -csv -cmd 'pragma cache_size = -2097152' "$other"
}

# Cells are equal, or numbers that are nearly so.
same()
{
    awk -F, '{gsub(/"/, "")}
        NR == FNR {line[NR] = $0; count = NR; next}
        {n = split(line[FNR], cell, ","); if (n != NF) exit 1
         for (i = 1; i <= n; i++) if (cell[i] != $i) {
             difference = cell[i] - $i; size = $i < 0 ? -$i : $i
             if (difference < 0) difference = -difference
             if (cell[i] !~ /^[-0-9.e+]+$/ || difference > size * 1e-9 + 1e-9) exit 1}}
        END {if (FNR != count) exit 1}' "$1" "$2"
}

failed=0
: > "$folder/ratios"
printf '| aggregate | answer | qtdb ms | SQLite ms | SQLite/qtdb |\n|---|---|---|---|---|\n'
for query in "${queries[@]}"; do
    verdict=ran theirs=- ratio=-
    ours=$(measure run_own)
    cp "$folder/one" "$folder/answer"
    if [[ -n ${SQLITE:-} ]]; then
        theirs=$(measure run_other)
        verdict=same
        same "$folder/answer" "$folder/one" || verdict=DIFFERS
        ratio=$(awk -v a="$theirs" -v b="$ours" 'BEGIN {printf "%.2f", (b > 0 ? a / b : 0)}')
        echo "$ratio" >> "$folder/ratios"
    fi
    [[ $verdict != DIFFERS ]] || failed=1
    printf '| %s | %s | %s | %s | %s |\n' "$query" "$verdict" "$ours" "$theirs" "$ratio"
done
awk 'NR == 1 || $1 < least {least = $1} {sum += log($1 > 0 ? $1 : 0.01)}
    END {if (NR) printf "SQLite/qtdb: geometric mean %.2f, least %.2f, of %d\n", exp(sum / NR), least, NR}' \
    "$folder/ratios"
exit $failed
