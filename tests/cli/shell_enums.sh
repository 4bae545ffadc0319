#!/bin/sh
# Goal: enum types in the shell: COPY reads and writes labels and refuses others by line, .schema and .dump
# have the types, and a dump restores to the same, in qtdb and, where PostgreSQL 15 is installed, in psql.
#
# Method: its output against what is written here, and dumps against each other.
set -eu

work=$TMPDIR
db=$work/a.qtdb
qtdb=$QTDB_BIN/qtdb
unset NO_COLOR || :
LC_ALL=C
export LC_ALL

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

printf "CREATE SCHEMA art; CREATE TYPE art.\"Colour\" AS ENUM ('red', 'it''s green', 'b;ue');
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE t (id int PRIMARY KEY, c art.\"Colour\" DEFAULT 'red', m mood[] NOT NULL);
CREATE INDEX ON t (c);
COPY t FROM STDIN;
1\tred\t{sad,ok}
2\tb;ue\t{}
3\t\\\\N\t{NULL}
\\\\.
INSERT INTO t (id, m) VALUES (4, '{ok}');
" >"$work/make.sql"
"$qtdb" "$db" -f "$work/make.sql" >/dev/null
"$qtdb" "$db" "COPY (SELECT * FROM t ORDER BY c DESC, id) TO STDOUT CSV" >"$work/got"
printf '3,,{NULL}\n2,b;ue,{}\n1,red,"{sad,ok}"\n4,red,{ok}\n' | diff - "$work/got" || fail "rows"

status=0
printf '9\tgreen\t{}\n\\.\n' | sed '1i COPY t FROM STDIN;' | "$qtdb" "$db" >"$work/out" 2>"$work/got" || status=$?
[ "$status" = 1 ] && grep -q 'invalid input value for enum Colour: "green"' "$work/got" ||
    fail "a label that is none: $status $(cat "$work/got")"
grep -q 'COPY t, line 1, column c' "$work/got" || fail "no place: $(cat "$work/got")"

"$qtdb" "$db" ".schema mood" >"$work/got"
echo "CREATE TYPE public.mood AS ENUM ('sad', 'ok');" | diff - "$work/got" || fail ".schema"
"$qtdb" --csv "$db" "\\d t" >"$work/got"
grep -q "^c,\"art.\"\"Colour\"\"\",\"\",'red'" "$work/got" || fail "\\d: $(cat "$work/got")"
grep -q '^m,mood\[\],not null,' "$work/got" || fail "\\d: $(cat "$work/got")"

"$qtdb" --readonly "$db" .dump >"$work/a.sql"
"$qtdb" "$work/b.qtdb" -f "$work/a.sql" >/dev/null || fail "the dump is not restored"
"$qtdb" --readonly "$work/b.qtdb" .dump >"$work/b.sql"
cmp "$work/a.sql" "$work/b.sql" || fail "what was restored is dumped otherwise"
if [ -x /usr/lib/postgresql/15/bin/postgres ] && command -v psql >/dev/null; then
    echo 'SELECT * FROM t ORDER BY c, id' >"$work/ask.sql"
    scripts/with-postgres sh -c "psql -q -v ON_ERROR_STOP=1 -f '$work/a.sql' >/dev/null &&
        psql -q --csv -f '$work/ask.sql'" >"$work/psql" || fail "psql does not take the dump"
    "$qtdb" --csv "$work/b.qtdb" -f "$work/ask.sql" | diff "$work/psql" - || fail "psql has other rows"
fi
echo "shell_enums: ok"
