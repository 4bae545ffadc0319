#!/bin/sh
# Goal: an SQLite file with every kind of value, key and object arrives whole and verified; what SQL does
# not take yet is named with what it said; the file and its folder stay as they were.
#
# Method: a file made by the sqlite3 program (skipped without it), qtdb-migrate, and the shell.
set -eu

work=$TMPDIR
migrate=$QTDB_BIN/qtdb-migrate
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}
command -v sqlite3 >/dev/null || {
    echo "skipped: no sqlite3 program"
    exit 77
}

mkdir "$work/in"
sqlite3 "$work/in/shop.db" <<'END'
PRAGMA encoding = 'UTF-16le';
CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT NOT NULL DEFAULT 'x', r REAL, b BLOB, d DATE,
    ts DATETIME, f BOOLEAN, p DECIMAL(10,2), mixed, j JSON, u TEXT UNIQUE);
INSERT INTO a VALUES (1, 'é🙂', 0.1, x'0001ff', '2024-02-29', '2024-02-29 10:00:00', 1, 1.5, 't', '{"a":1}', 'k'),
    (2, '', 1e300, x'', NULL, '2024-01-01T00:00:00.5', 0, 3, 7, NULL, NULL),
    (9223372036854775806, 'q', NULL, NULL, NULL, NULL, NULL, NULL, x'41', NULL, NULL);
CREATE TABLE w(x TEXT, y INT, PRIMARY KEY (y, x)) WITHOUT ROWID;
INSERT INTO w VALUES ('a', 1), ('b', 1), ('c', 0);
CREATE TABLE odd(day DATE, at DATETIME, "a""b" TEXT REFERENCES w(x));
INSERT INTO odd VALUES ('2024-01-01', '2024-01-01 00:00:00', NULL), ('soon', '2024-01-01 00:00:00Z', 'a');
CREATE INDEX i ON w(x);
CREATE VIEW v AS SELECT * FROM a;
CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END;
END
chmod 500 "$work/in"
before=$(cksum <"$work/in/shop.db")
"$migrate" "$work/in/shop.db" "$work/out.qtdb" --report "$work/report.json" >"$work/summary"
[ "$before" = "$(cksum <"$work/in/shop.db")" ] || fail "the source changed"
[ "$(ls "$work/in")" = shop.db ] || fail "something lies beside the source"
chmod 700 "$work/in"
cat >"$work/expected" <<'END'
id,n,r,b,d,ts,f,p,mixed,j,u
1,é🙂,0.1,\x0001ff,2024-02-29,2024-02-29 10:00:00,t,1.5,t,"{""a"":1}",k
2,"",1e+300,\x,,2024-01-01 00:00:00.5,f,3,7,,
9223372036854775806,q,,,,,,,\x41,,
x,y
c,0
a,1
b,1
day,at,a"b
2024-01-01,2024-01-01 00:00:00,
soon,2024-01-01 00:00:00Z,a
END
for query in "a ORDER BY id" "w ORDER BY y, x" "odd ORDER BY day"; do
    "$QTDB_BIN/qtdb" --csv --readonly "$work/out.qtdb" "SELECT * FROM shop.$query"
done | sed 's/^day,at,.*/day,at,a"b/' >"$work/got"
diff "$work/expected" "$work/got" || fail "other rows"
"$QTDB_BIN/qtdb" --readonly "$work/out.qtdb" ".schema" >"$work/schema"
for words in "PRIMARY KEY (y, x)" "UNIQUE (u)" "n text NOT NULL DEFAULT 'x'" "d date" "f boolean"; do
    grep -qF "$words" "$work/schema" || fail "no '$words' in: $(cat "$work/schema")"
done
for words in "every table verified" "date became text" "timestamp became text" "1 trigger" \
    "a BLOB among other values became its hexadecimal text"; do
    grep -qF "$words" "$work/summary" || fail "no '$words' in: $(cat "$work/summary")"
done
# Tried, and either carried over or refused by name.
for kind in "index" "view" "foreign key" "sequence position"; do
    grep -qF "\"kind\": \"$kind\"" "$work/report.json" || fail "no $kind in the report"
done
silent=$(awk '/"not_carried_over": \[/ { p = 1 } /^ "target"/ { p = 0 } p && /"sql"/ && !/"why"/' "$work/report.json")
[ -z "$silent" ] || fail "refused without a word: $silent"
grep -A1 '^ "carried_over"' "$work/report.json" | grep -qF '"kind": "index", "name": "i"' || fail "no index"

status=0
"$migrate" --strict "$work/in/shop.db" "$work/strict.qtdb" >"$work/said" 2>&1 || status=$?
[ "$status" = 1 ] && grep -qF -e "--strict:" "$work/said" || fail "--strict: $(cat "$work/said")"
[ ! -e "$work/strict.qtdb" ] || fail "--strict left a target"

# A file whose changes still lie in its write-ahead log is read with them.
sqlite3 "$work/in/wal.db" "PRAGMA journal_mode = wal; CREATE TABLE t(a)" >/dev/null
(
    echo "INSERT INTO t VALUES (1), (2);"
    echo ".shell cp '$work/in/wal.db' '$work/in/live.db'; cp '$work/in/wal.db-wal' '$work/in/live.db-wal'"
) | sqlite3 "$work/in/wal.db"
"$migrate" "$work/in/live.db" "$work/live.qtdb" >"$work/summary"
grep -q "live.t: 2 rows, verified" "$work/summary" || fail "the log is not read: $(cat "$work/summary")"

head -c 3000 "$work/in/shop.db" >"$work/cut.db"
status=0
"$migrate" "$work/cut.db" "$work/cut.qtdb" >"$work/said" 2>&1 || status=$?
[ "$status" = 1 ] && grep -q "cut.db: .*SQLite: " "$work/said" || fail "a cut file: $(cat "$work/said")"
