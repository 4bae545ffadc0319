#!/bin/sh
# Goal: a database goes out as SQL, CSV and SQLite and comes back as it was; what a form does not hold is told
# by name; nothing is left of a way back that failed.
#
# Method: a database with every type, hostile names and texts, keys of all kinds, sequences and views. Its
# .dump restored is byte for byte the same dump, in qtdb and, where PostgreSQL 15 is installed, with the
# same rows in psql; CSV and SQLite are read by other programs and by qtdb-migrate.
set -eu

work=$TMPDIR
migrate=$QTDB_BIN/qtdb-migrate qtdb=$QTDB_BIN/qtdb
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}
has()
{
    grep -qF -e "$2" "$1" || fail "no '$2' in $1: $(cat "$1")"
}

cat >"$work/make.sql" <<'END'
CREATE SCHEMA other; CREATE SCHEMA "Odd ""s";
CREATE SEQUENCE loose START 5 INCREMENT -3 MINVALUE -100 MAXVALUE 50;
CREATE SEQUENCE spent MAXVALUE 2;
CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, si smallint, i int DEFAULT 7,
    b boolean DEFAULT true, r real, d double precision, n numeric(10,2) DEFAULT 1.5, big numeric,
    t text NOT NULL DEFAULT 'it''s', vc varchar(20), c char(5), by bytea, da date, ti time, ts timestamp,
    tz timestamptz, u uuid, j json, jb jsonb, iv interval, ar int[], CHECK (length(t) < 1000));
INSERT INTO a (si, i, b, r, d, n, big, t, vc, c, by, da, ti, ts, tz, u, j, jb, iv, ar) VALUES
    (-1, 2147483647, true, 1.5, 0.1, 123.40, 12345678901234567890.1200, 'quote''s "q" \n', 'vc', 'ab',
     '\x000102ff', '2025-01-15', '10:30', '2025-01-15 10:30:00.25', '2025-01-15 10:30:00+02',
     '550e8400-e29b-41d4-a716-446655440000', '{"a": [1,2]}', '{"b": 1.50}', '1 day 02:00:00', '{1,NULL,3}'),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL),
    (0, -5, false, 'NaN', '-0', 0, 1.50, 'multi
.print hello, "x"', 'юникод 🙂', '', '\x', '0044-03-15 BC', '00:00:00.000001', '12025-01-15 00:00:00',
     '1969-12-31 23:59:59+00', '00000000-0000-0000-0000-000000000000', '5', '1e2', '-3 mons', '{}'),
    (1, 1, true, 'Infinity', 1e-300, -99999999.99, -0.5, E'\r', NULL, NULL, '\x41', NULL, NULL, NULL, NULL, NULL,
     '"x"', '"y"', NULL, NULL);
CREATE TABLE other.p (x int, y text, z numeric(6,2), "index" text DEFAULT 'd', PRIMARY KEY (y, x),
    UNIQUE (z, "index"));
INSERT INTO other.p VALUES (1, 'a', 1.10, 'k'), (2, 'b', NULL, NULL);
CREATE TABLE other.child (id serial PRIMARY KEY, px int, py text, g int GENERATED ALWAYS AS (px * 2) STORED,
    FOREIGN KEY (py, px) REFERENCES other.p (y, x) ON DELETE CASCADE);
INSERT INTO other.child (px, py) VALUES (1, 'a'), (NULL, NULL), (2, 'b');
CREATE TABLE "Odd ""s"."t/a.b" ("a""b" text, ord int);
INSERT INTO "Odd ""s"."t/a.b" VALUES (NULL, 1), ('x', 2);
CREATE TABLE one (lone text);
INSERT INTO one VALUES (NULL), (''), ('a');
CREATE TABLE checked (n int CHECK (n % 2 = 0 OR n::text ~ '^[0-9]+$'));
INSERT INTO checked VALUES (1), (2);
CREATE TABLE empty (id int UNIQUE);
CREATE INDEX a_t ON a (t, (lower(vc))) WHERE i > 0;
CREATE UNIQUE INDEX p_z ON other.p (z);
CREATE VIEW v AS SELECT id, t FROM a WHERE i > 0;
CREATE VIEW other.w AS SELECT x + 1 AS x1, y FROM other.p;
CREATE VIEW odd AS SELECT id FROM a WHERE t ~ 'x';
COMMENT ON TABLE a IS 'it''s a';
COMMENT ON COLUMN a.i IS 'num';
SELECT nextval('loose'), nextval('loose'), nextval('spent'), nextval('spent');
END
"$qtdb" "$work/a.qtdb" -f "$work/make.sql" >/dev/null

# SQL.
"$qtdb" --readonly "$work/a.qtdb" .dump >"$work/a.sql"
"$qtdb" "$work/b.qtdb" -f "$work/a.sql" >/dev/null || fail "the dump is not restored"
"$qtdb" --readonly "$work/b.qtdb" .dump >"$work/b.sql"
cmp "$work/a.sql" "$work/b.sql" || fail "what was restored is dumped otherwise"
has "$work/a.sql" "SELECT pg_catalog.setval('\"public\".\"loose\"', -1, false)"
has "$work/a.sql" "SELECT pg_catalog.setval('\"public\".\"spent\"', 2, true)"
"$migrate" --to sql "$work/a.qtdb" "$work/out.sql" >"$work/summary"
cmp "$work/a.sql" "$work/out.sql" || fail "--to sql and .dump differ"
has "$work/summary" "every table verified"
# What was written is a dump that qtdb-migrate reads, too.
"$migrate" "$work/a.sql" "$work/read.qtdb" >"$work/summary" || fail "the dump is no source: $(cat "$work/summary")"
has "$work/summary" "public.a: 4 rows, verified"
has "$work/summary" "other.child: 3 rows, verified"
if [ -x /usr/lib/postgresql/15/bin/postgres ] && command -v psql >/dev/null; then
    cat >"$work/ask.sql" <<'END'
SELECT * FROM a ORDER BY id; SELECT * FROM other.child ORDER BY id; SELECT * FROM v ORDER BY id;
SELECT nextval('loose'), nextval('a_id_seq'), nextval('other.child_id_seq');
END
    scripts/with-postgres sh -c "psql -q -v ON_ERROR_STOP=1 -f '$work/a.sql' >/dev/null &&
        psql -q --csv -f '$work/ask.sql'" >"$work/psql" || fail "psql does not take the dump"
    # psql shows an empty text as it shows a null.
    "$qtdb" --csv "$work/b.qtdb" -f "$work/ask.sql" | sed 's/,"",/,,/g' >"$work/ours"
    diff "$work/psql" "$work/ours" || fail "psql has other rows"
fi

# CSV: a file a table, nulls told from empty texts.
"$migrate" --to csv "$work/a.qtdb" "$work/csv" --report "$work/csv.json" >"$work/summary"
[ "$(ls "$work/csv" | tr '\n' ' ')" = "Odd %22s.t%2Fa%2Eb.csv a.csv checked.csv empty.csv one.csv other.child.csv other.p.csv " ] ||
    fail "other files: $(ls "$work/csv")"
printf 'lone\r\n\r\n""\r\na\r\n' | cmp - "$work/csv/one.csv" || fail "null, empty, text"
printf 'x,y,z,index\r\n1,a,1.10,k\r\n2,b,,\r\n' | cmp - "$work/csv/other.p.csv" || fail "other.p.csv"
has "$work/csv.json" '"kind": "view", "name": "public.v"'
has "$work/csv.json" '"verified": true'
"$migrate" "$work/csv" "$work/csv.qtdb" --header >"$work/summary"
"$qtdb" --csv --no-header --readonly "$work/csv.qtdb" 'SELECT big, t, c FROM a ORDER BY id' >"$work/got"
"$qtdb" --csv --no-header --readonly "$work/a.qtdb" 'SELECT big, t, c FROM a ORDER BY id' >"$work/expected"
diff "$work/expected" "$work/got" || fail "CSV comes back otherwise"

# SQLite, where the program was built with it.
if "$migrate" --to sqlite "$work/a.qtdb" "$work/a.db" --report "$work/a.json" >"$work/summary" 2>&1; then
    has "$work/summary" "every table verified"
    for words in '"what": "SQLite has no NaN; its text stands there"' '"what": "SQLite has no negative zero"' \
        '"kind": "view", "name": "public.odd"' '"kind": "check", "name": "public.checked"' \
        '"kind": "type", "name": "a.big"' '"kind": "sequence", "name": "public.loose"' '"kind": "comment"'; do
        has "$work/a.json" "$words"
    done
    "$migrate" "$work/a.db" "$work/back.qtdb" >"$work/summary"
    has "$work/summary" "every table verified"
    has "$work/summary" "2 views, 2 sequence positions carried over"
    columns="id, si, i, b, big, t, vc, c, by, da, ti, ts, tz, u, j, iv, ar"
    for side in a.qtdb:public back.qtdb:a; do
        "$qtdb" --csv --readonly "$work/${side%%:*}" "SELECT $columns FROM ${side#*:}.a ORDER BY id"
    done >"$work/got"
    [ "$(sort "$work/got" | uniq -c | awk '$1 % 2' | wc -l)" = 0 ] || fail "SQLite comes back otherwise: $(cat "$work/got")"
    "$qtdb" "$work/back.qtdb" "INSERT INTO a.a (t) VALUES ('next') RETURNING id" >"$work/got"
    has "$work/got" 5
    status=0
    "$migrate" --strict --to sqlite "$work/a.qtdb" "$work/strict.db" >"$work/got" 2>&1 || status=$?
    [ "$status" = 1 ] && grep -qF -e "--strict:" "$work/got" || fail "--strict: $(cat "$work/got")"
    [ ! -e "$work/strict.db" ] && [ ! -e "$work/strict.db.partial" ] || fail "--strict left something"
else
    has "$work/summary" "without libsqlite3"
fi

# Refusals leave nothing and touch nothing.
refused()
{
    wanted=$1 words=$2
    shift 2
    status=0
    "$migrate" "$@" >"$work/got" 2>&1 || status=$?
    [ "$status" = "$wanted" ] || fail "exit status $status, not $wanted: $*"
    has "$work/got" "$words"
}
refused 2 "--to takes sqlite, csv or sql" --to xml "$work/a.qtdb" "$work/x"
refused 2 "--to takes FILE.qtdb and OUT" --to csv "$work/a.qtdb"
refused 2 "goes without" --to csv --dry-run "$work/a.qtdb" "$work/x"
refused 1 "exists already" --to csv "$work/a.qtdb" "$work/csv"
refused 1 "No such file" --to sql "$work/nothing.qtdb" "$work/x"
refused 1 "make.sql" --to sql "$work/make.sql" "$work/x"
# A disk that is full sooner and later: no file may grow past so many blocks of 512 bytes.
for form in csv sql sqlite; do
    blocks=1 failures=0
    while :; do
        status=0
        (trap '' XFSZ && ulimit -f $blocks && exec "$migrate" --to $form "$work/a.qtdb" "$work/full" 2>"$work/got") >/dev/null || status=$?
        [ "$status" != 0 ] || break
        [ "$status" = 1 ] || fail "--to $form with $blocks blocks: $status: $(cat "$work/got")"
        for left in "$work"/full*; do
            [ ! -e "$left" ] || fail "--to $form with $blocks blocks left $left"
        done
        failures=$((failures + 1))
        blocks=$((blocks + blocks / 6 + 1))
        [ $blocks -lt 65536 ] || fail "--to $form needs $blocks blocks"
    done
    [ $failures -ge 1 ] || fail "--to $form: a full disk was met $failures times"
    [ -e "$work/full" ] || fail "--to $form: nothing came out"
    rm -rf "$work"/full*
done
mkdir "$work/x.partial"
echo mine >"$work/x.partial/notes.txt"
refused 1 "other files in it" --to csv "$work/a.qtdb" "$work/x"
[ "$(cat "$work/x.partial/notes.txt")" = mine ] || fail "a foreign file is gone"
[ ! -e "$work/x" ] || fail "a refusal left a target"
