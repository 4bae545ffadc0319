#!/bin/bash
# Copies the tables of a qtdb database of tpch_load.sh into a new SQLite file: ./tpch_sqlite.sh QTDB SQLITE,
# and prints the queries as SQLite takes them with --queries. The rows and the primary keys are the same
# (a key of one integer is the rowid, which is SQLite's best); dates are texts, as SQLite has none, and
# numbers are as its affinity NUMERIC keeps them: integers and doubles. ANALYZE is run at the end. QTDB
# and SQLITE name the shells.
set -euo pipefail

here=$(dirname "$0")
qtdb=${QTDB:-build/bin/qtdb}
sqlite=${SQLITE:-sqlite3}

# Dates become texts, parts of dates and texts functions of SQLite.
if [[ ${1:-} == --queries ]]; then
    sed -E -e "s/date '1998-12-01' - 90/date('1998-12-01', '-90 days')/" -e "s/date '([0-9-]+)'/'\1'/g" \
        -e 's/extract\(year from ([a-z_]+)\)/cast(substr(\1, 1, 4) as integer)/g' \
        -e 's/substring\(([a-z_]+) from ([0-9]+) for ([0-9]+)\)/substr(\1, \2, \3)/g' \
        -e 's/as c_orders \(c_custkey, c_count\)/as c_orders/' \
        -e 's/select c_custkey, count\(o_orderkey\) from/select c_custkey, count(o_orderkey) as c_count from/' \
        "$here/tpch_queries.sql"
    exit 0
fi

from=$1 to=$2
rm -f "$to"
definitions=$("$here/tpch_load.sh" 1 | sed -n '/^create table/,/;$/p')
{
    printf '%s\n' '.output /dev/null' 'pragma journal_mode = off; pragma synchronous = off;'
    echo "${definitions//int primary key/integer primary key}"
    echo '.mode csv'
    for table in region nation part supplier partsupp customer orders lineitem; do
        echo ".import '|$qtdb --csv --no-header $from -c \"select * from $table\"' $table"
    done
    echo 'analyze;'
} | "$sqlite" "$to"
# Texts of fixed length come with blanks, which SQLite compares.
"$sqlite" "$to" "select 'update ' || m.name || ' set ' || group_concat(p.name || ' = rtrim(' || p.name || ')') ||
    ';' from sqlite_master m, pragma_table_info(m.name) p where p.type like 'char(%' group by m.name" |
    "$sqlite" "$to"
