#!/bin/sh
# Goal: .import brings rows of CSV, TSV and JSON files into the open database: into a table of its own with
# types found from the values, or by name into one that is there; all of a file or nothing.
#
# Method: small files, and what SELECT gives afterwards; the temporary database is gone each time.
set -eu

work=$TMPDIR
db=$work/a.qtdb
mkdir "$work/temporary"
export TMPDIR="$work/temporary"
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}
shell()
{
    "$QTDB_BIN/qtdb" --csv --no-header "$db" "$@"
}
# same NAME TEXT: the output of the last command in $work/out.
same()
{
    [ "$(cat "$work/out")" = "$2" ] || fail "$1: $(cat "$work/out")"
    [ -z "$(ls "$work/temporary")" ] || fail "$1: left: $(ls "$work/temporary")"
}

cat >"$work/towns.csv" <<END
id,name,since,price
1,Berlin,1237-10-28,1.50
2,"Paris, Texas",,2.25
END
printf 'a\tb\n1\tx\n2\ty\n' >"$work/two words.tsv"
printf '{"a":1,"b":{"x":[1,2]}}\n{"a":2}\n' >"$work/docs.json"

shell ".import $work/towns.csv" >"$work/out"
same rows "2 rows"
shell "SELECT id + 1, name, since - 1, price FROM towns ORDER BY id" >"$work/out"
same values '2,Berlin,1237-10-27,1.50
3,"Paris, Texas",,2.25'
shell ".import $work/docs.json" >"$work/out"
same documents "2 rows"
shell "SELECT a, b->'x'->>1 FROM docs ORDER BY a" >"$work/out"
same json '1,2
2,'
shell ".import '$work/two words.tsv' pairs" >"$work/out"
same quotes "2 rows"

# A table that is there takes the columns by name, in its own types and under its constraints.
shell "CREATE TABLE kept (name text, id int PRIMARY KEY, price numeric(8,1), since text, more int DEFAULT 7)"
shell ".import $work/towns.csv kept" >"$work/out"
same "into a table" "2 rows"
shell "SELECT id, price, since, more FROM kept ORDER BY id" >"$work/out"
same "its types" '1,1.5,1237-10-28,7
2,2.3,,7'

shell 'CREATE SCHEMA "My Place"; CREATE TYPE mood AS ENUM ('"'sad', 'ok')"
printf 'm\nok\nsad\n' >"$work/moods.csv"
shell 'CREATE TABLE "My Place".moods (m mood)'
shell ".import $work/moods.csv \"My Place\".Moods" >"$work/out"
same "a schema and an enum" "2 rows"
shell 'SELECT m FROM "My Place".moods ORDER BY m DESC LIMIT 1' >"$work/out"
same "an enum" ok

# All or nothing, also inside a block, which goes on.
refused()
{
    status=0
    shell "$1" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = 1 ] || fail "exit status $status: $1"
    grep -q "$2" "$work/err" || fail "$1: $(cat "$work/err")"
    [ -z "$(ls "$work/temporary")" ] || fail "left: $(ls "$work/temporary")"
}
printf 'id,name\n3,x\n2,again\n' >"$work/again.csv"
refused ".import $work/again.csv kept" "duplicate key"
refused ".import $work/docs.json kept" 'column "a"'
refused ".import $work/absent.csv" "No such file"
refused ".import" "takes a file"
shell "SELECT count(*) FROM kept" >"$work/out"
same nothing 2
cat >"$work/block.sql" <<END
BEGIN;
INSERT INTO kept (id) VALUES (9);
.import $work/towns.csv more_towns
ROLLBACK;
SELECT count(*) FROM kept;
SELECT count(*) FROM information_schema.tables WHERE table_name = 'more_towns';
END
shell -f "$work/block.sql" >"$work/out"
same block '2 rows
2
0'
