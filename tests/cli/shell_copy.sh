#!/bin/sh
# Goal: COPY in the shell takes its data from the source of the statements, \copy from a file, and both say
# by line and column what is wrong.
#
# Method: its output against what is written here.
set -eu

work=$TMPDIR
db=$work/a.qtdb
unset NO_COLOR || :
LC_ALL=C
export LC_ALL

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

shell()
{
    "$QTDB_BIN/qtdb" "$@"
}

# Texts below have | where the data have tabs.
tabs()
{
    tr '|' '\t'
}

bars()
{
    tr '\t' '|' >"$work/got"
}

# same NAME: the output in $work/got is that of standard input.
same()
{
    cat >"$work/expected"
    diff "$work/expected" "$work/got" || fail "$1"
}

tabs <<'END' | shell "$db" | bars
CREATE TABLE t (a int PRIMARY KEY, b text);
COPY t FROM STDIN;
1|one
2|\N
\.
SELECT * FROM t ORDER BY a;
COPY t TO STDOUT WITH (FORMAT csv, HEADER);
COPY (SELECT a * 10 FROM t ORDER BY a DESC) TO STDOUT;
END
same "data among statements" <<'END'
+---+------+
| a | b    |
+---+------+
| 1 | one  |
| 2 | NULL |
+---+------+
(2 rows)
a,b
1,one
2,
20
10
END

printf '3,three\n4,"a ""b"""\n' | shell "$db" "COPY t FROM STDIN CSV; COPY t TO STDOUT" | bars
same "data from standard input" <<'END'
1|one
2|\N
3|three
4|a "b"
END

tabs >"$work/load.sql" <<'END'
COPY t FROM STDIN;
5|five
x|six
7|seven
\.
SELECT 'not run';
END
status=0
shell -f "$work/load.sql" "$db" >"$work/out" 2>"$work/got" || status=$?
[ "$status" = 1 ] || fail "a mistake in the data gave $status"
sed -i "s|$work/||" "$work/got"
same "a mistake in the data" <<'END'
qtdb: load.sql:1: ERROR 22P02: invalid input syntax for type integer: "x"
CONTEXT:  COPY t, line 2, column a: "x"
END

tabs >"$work/lines.sql" <<'END'
COPY t FROM STDIN;
5|five
\.
SELEC 1;
END
status=0
shell -f "$work/lines.sql" "$db" 2>"$work/got" || status=$?
grep -q "lines.sql:4: ERROR 42601" "$work/got" || fail "lines of data are not counted: $(cat "$work/got")"

printf '\\copy t (b, a) to %s/out.csv csv header\n' "$work" | shell "$db" >"$work/got"
cp "$work/out.csv" "$work/got"
same "copy to a file" <<'END'
b,a
one,1
,2
three,3
"a ""b""",4
five,5
END
tabs <<END | shell "$db" | bars
DELETE FROM t;
\\copy t(b, a) FROM '$work/out.csv' WITH (FORMAT csv, HEADER match);
\\copy (select count(*), max(a) from t) to stdout
\\copy t from stdin
9|nine
\\.
\\copy (select ' from x', a from t where a > 5) to pstdout csv
END
same "copy from a file" <<'END'
5|5
 from x,9
END

for bad in '\copy' '\copy t' '\copy t from' "\\copy t from 'x" '\copy t from program ls'; do
    status=0
    printf '%s\n' "$bad" | shell "$db" >"$work/out" 2>"$work/got" || status=$?
    [ "$status" = 1 ] && grep -q 'copy: takes TABLE' "$work/got" || fail "$bad: $status $(cat "$work/got")"
done
status=0
printf '\\copy t from /nowhere/x\n' | shell "$db" >"$work/out" 2>"$work/got" || status=$?
[ "$status" = 1 ] && grep -q '/nowhere/x' "$work/got" || fail "a file that is not there"
echo "shell_copy: ok"
