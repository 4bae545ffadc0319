#!/bin/bash
# Runs the 22 queries on qtdb and on PostgreSQL 15 over the same rows and compares the answers.
#
#   PSQL="psql -h DIR -p PORT -U postgres" bench/tpch/tpch_compare.sh [PERCENT]
#
# PERCENT of scale 1 (10: 0.1). PSQL reaches a server of your own, where a database qtdb_tpch_PERCENT is
# made when it is missing; without PSQL the queries only run. QTDB names the shell, FOLDER where its
# database is kept. Prints each query's verdict and milliseconds; ends with 1 when one differs or fails.
set -euo pipefail

percent=${1:-10}
here=$(dirname "$0")
qtdb=${QTDB:-build/bin/qtdb}
folder=${FOLDER:-$(mktemp -d)}
file=$folder/tpch_$percent.qtdb
name=qtdb_tpch_$percent

if [[ ! -e $file ]]; then
    "$here/tpch_load.sh" "$percent" > "$folder/load.sql"
    "$qtdb" "$file" -f "$folder/load.sql"
fi
if [[ -n ${PSQL:-} ]] && ! $PSQL -qAt -c 'select 1' "$name" > "$folder/out" 2>&1; then
    "$here/tpch_load.sh" "$percent" > "$folder/load.sql"
    $PSQL -q -c "create database $name" postgres
    $PSQL -q -v ON_ERROR_STOP=1 -f "$folder/load.sql" "$name"
    $PSQL -q -c 'vacuum analyze' "$name"
fi
awk -v folder="$folder" '/^-- [0-9]+$/ {n = $2; printf "" > (folder "/q" n ".sql"); next}
    n {print > (folder "/q" n ".sql")}' "$here/tpch_queries.sql"

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

failed=0
for n in $(seq 1 22); do
    begin=$(milliseconds)
    verdict=ran
    timeout "${LIMIT:-60}" "$qtdb" --csv --no-header "$file" -f "$folder/q$n.sql" \
        > "$folder/a$n" 2>&1 || verdict=FAILED
    own=$(($(milliseconds) - begin))
    other=-
    if [[ $verdict == ran && -n ${PSQL:-} ]]; then
        begin=$(milliseconds)
        $PSQL -q --csv -t -f "$folder/q$n.sql" "$name" > "$folder/b$n" 2>&1
        other=$(($(milliseconds) - begin))
        verdict=same
        cmp -s "$folder/a$n" "$folder/b$n" || verdict=DIFFERS
    fi
    [[ $verdict == same || $verdict == ran ]] || failed=1
    echo "query $n: $verdict, $(wc -l < "$folder/a$n") rows, $own ms, PostgreSQL $other ms"
done
exit $failed
