#!/bin/bash
# Times look-ups in JSON documents: an expression index on json_extract or ->> against LIKE over the text.
#
#   bench/json/json_compare.sh [ROWS]
#
# ROWS is 100,000 unless given. QTDB names qtdb's shell, FOLDER where the database is kept and found again. Each
# query runs RUNS times (5) in one process and the fastest counts. Prints a line for each query with its access path, and
# how many times faster than LIKE it is. Ends with 1 when an answer differs or an index is not used.
set -euo pipefail

rows=${1:-100000}
qtdb=${QTDB:-build/bin/qtdb}
folder=${FOLDER:-$(mktemp -d)}
runs=${RUNS:-5}
file=$folder/json_$rows.qtdb
row=$((rows / 2 + 1))

queries=(
    "select id from d where doc::text like '%\"key\": \"v$row\"%'"
    "select id from d where json_extract(doc, '\$.key') = 'v$row'"
    "select id from d where doc->>'key' = 'v$row'"
    "select id from d where doc#>>'{part,n}' = '$row'"
)

if [[ ! -e $file ]]; then
    cat > "$folder/load.sql" << END
create table d (id int primary key, doc jsonb);
insert into d select i, ('{"key": "v' || i || '", "part": {"n": ' || i || '}, "tags": ["a", "b"]}')::jsonb
    from generate_series(1, $rows) i;
create index on d (json_extract(doc, '\$.key'));
create index on d ((doc->>'key'));
create index on d ((doc#>>'{part,n}'));
analyze d;
END
    "$qtdb" "$file" -f "$folder/load.sql"
fi

failed=0 like=
printf '| query | access | ms | against LIKE |\n|---|---|---|---|\n'
for query in "${queries[@]}"; do
    for ((i = 0; i < runs; i++)); do echo "$query;"; done > "$folder/query.sql"
    path=$("$qtdb" --csv --no-header "$file" -c "explain (costs off) $query")
    "$qtdb" --csv --no-header --timer --pool 256 "$file" -f "$folder/query.sql" > "$folder/out"
    ms=$(awk '/^time/ {if (!n++ || $2 < least) least = $2} END {print least}' "$folder/out")
    [[ $(grep -cx "$row" "$folder/out") == "$runs" ]] || failed=1
    [[ -z $like || $path == *"Index Scan using"* ]] || failed=1
    like=${like:-$ms}
    printf '| `%s` | %s | %s | %sx |\n' "$query" "$path" "$ms" "$(awk "BEGIN {printf \"%.1f\", $like / $ms}")"
done
exit "$failed"
