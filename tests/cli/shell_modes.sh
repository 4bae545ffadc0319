#!/bin/sh
# Goal: rows as a table of Markdown, \x and \timing as psql has them, and the list of types.
#
# Method: the shell's output against what is written here.
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

cat >"$work/make.sql" <<'END'
CREATE TABLE t (a int PRIMARY KEY, b text, c text UNIQUE);
CREATE SCHEMA s; CREATE TABLE s."T 1" (a int);
CREATE INDEX ti ON t (b); CREATE VIEW v AS SELECT a FROM t; CREATE TYPE s.mood AS ENUM ('x');
INSERT INTO t VALUES (1, 'a|b', NULL), (22, E'c\nd', 'z');
END
"$qtdb" "$db" -f "$work/make.sql" >/dev/null

"$qtdb" --markdown "$db" 'SELECT * FROM t ORDER BY a; SELECT a FROM t WHERE a > 99' >"$work/got"
cat >"$work/expected" <<'END'
| a | b | c |
|--:|---|---|
| 1 | a\|b | NULL |
| 22 | c<br>d | z |
| a |
|--:|
END
diff "$work/expected" "$work/got" || fail "--markdown"
printf '.mode markdown\nSELECT 1 AS one;\n.mode csv\nSELECT 1 AS one;\n' | "$qtdb" "$db" >"$work/got"
printf '| one |\n|--:|\n| 1 |\none\n1\n' | diff - "$work/got" || fail ".mode markdown"

printf '\\x\nSELECT a, b FROM t WHERE a = 1;\n\\x off\nSELECT 2 AS b;\n\\x on\nSELECT 3 AS b;\n\\x\n' | "$qtdb" "$db" >"$work/got"
printf 'a = 1\nb = a|b\n+---+\n| b |\n+---+\n| 2 |\n+---+\n(1 row)\nb = 3\n' | diff - "$work/got" || fail '\x'
"$qtdb" "$db" --box 'SELECT 1 AS one' | grep -q '| one |' || fail "--box"

printf '\\timing\nSELECT 1;\n' | "$qtdb" --csv "$db" 2>&1 | grep -q ' ms' || fail '\timing does not time'
printf '\\timing on\n\\timing off\nSELECT 1;\n' | "$qtdb" --csv "$db" 2>&1 | grep -q ' ms' && fail '\timing off times'

"$qtdb" --csv --no-header "$db" '\dT' >"$work/got"
printf "s,mood,CREATE TYPE s.mood AS ENUM ('x')\n" | diff - "$work/got" || fail '\dT'

for bad in '--csv --markdown' '--box --line'; do
    status=0
    "$qtdb" $bad "$db" 'SELECT 1' >/dev/null 2>&1 || status=$?
    [ "$status" = 2 ] || fail "$bad: $status"
done
for bad in '.mode nothing' '\x maybe' '\timing maybe'; do
    status=0
    printf '%s\n' "$bad" | "$qtdb" "$db" >/dev/null 2>"$work/said" || status=$?
    [ "$status" = 1 ] && grep -q 'takes' "$work/said" || fail "$bad: $status $(cat "$work/said")"
done
echo "shell_modes: ok"
