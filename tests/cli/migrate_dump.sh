#!/bin/sh
# Goal: dumps of PostgreSQL, MySQL and SQLite arrive whole and verified, compressed ones too; what else
# they make is tried or reported; what is no dump is refused with its line and leaves nothing.
#
# Method: small dumps in the programs' own form, qtdb-migrate, and the shell.
set -eu

work=$TMPDIR
migrate=$QTDB_BIN/qtdb-migrate
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

# @ stands for a tab.
tr @ '\t' >"$work/pg.sql" <<'END'
-- PostgreSQL database dump
SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA shop;
CREATE TABLE shop.t (
    id integer NOT NULL,
    name character varying(20) DEFAULT 'x;y'::character varying,
    price numeric(10,2), f real, at timestamp with time zone, day date, tm time without time zone,
    b bytea, ok boolean, j jsonb, u uuid, tags text[]
);
COPY shop.t (id, name, price, f, at, day, tm, b, ok, j, u, tags) FROM stdin;
1@a\tb\nc\\@1.50@1.2345679@2024-02-29 10:00:00.5+02@0044-03-15 BC@10:20:30.5@\\x00ff@t@{"a": 1}@550e8400-e29b-41d4-a716-446655440000@{a,b}
2@\N@\N@NaN@\N@\N@\N@\N@f@\N@\N@\N
\.
ALTER TABLE ONLY shop.t
    ADD CONSTRAINT t_pkey PRIMARY KEY (id);
CREATE INDEX i ON shop.t USING btree (name);
CREATE VIEW shop.v AS SELECT id FROM shop.t;
END
cat >"$work/my.sql" <<'END'
-- MySQL dump 10.13
CREATE TABLE `m` (
  `id` int unsigned NOT NULL AUTO_INCREMENT,
  `n` varchar(20) NOT NULL DEFAULT '',
  `b` blob,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `m` VALUES (1,'a\'b',_binary 'x'),(4294967295,'q''r',NULL);
END
cat >"$work/lite.sql" <<'END'
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE l(a INTEGER PRIMARY KEY, b);
INSERT INTO l VALUES(1,replace('x\ny','\n',char(10)));
INSERT INTO l VALUES(2,NULL);
COMMIT;
END
"$migrate" "$work/pg.sql" "$work/my.sql" "$work/lite.sql" "$work/out.qtdb" --report "$work/report.json" \
    >"$work/summary"
tr @ '\t' >"$work/expected" <<'END'
id,name,price,f,at,day,tm,b,ok,j,u,tags
1,"a@b
c\",1.50,1.2345679,2024-02-29 08:00:00.5+00,0044-03-15 BC,10:20:30.5,\x00ff,t,"{""a"": 1}",550e8400-e29b-41d4-a716-446655440000,"{a,b}"
2,,,NaN,,,,,f,,,
id,n,b
1,a'b,\x78
4294967295,q'r,
a,b
1,"x
y"
2,
END
"$QTDB_BIN/qtdb" --csv --readonly "$work/out.qtdb" "SELECT * FROM shop.t ORDER BY id;
    SELECT * FROM m ORDER BY id; SELECT * FROM l ORDER BY a" >"$work/got"
diff "$work/expected" "$work/got" || fail "other rows"
for words in "read as what pg_dump writes" "read as what mysqldump writes" \
    "read as what sqlite3 .dump writes" "every table verified" "day date, tm time"; do
    grep -qF "$words" "$work/summary" || fail "no '$words' in: $(cat "$work/summary")"
done
"$QTDB_BIN/qtdb" --readonly "$work/out.qtdb" .schema | grep -q "PRIMARY KEY (id)" || fail "no key"
for kind in index view "column type"; do
    grep -qF "\"kind\": \"$kind\"" "$work/report.json" || fail "no $kind in the report"
done

# MySQL's keys and counting columns: two tables may have an index of one name; a position that was taken out of
# the dump follows from the values.
cat >"$work/keys.sql" <<'END'
-- MySQL dump 10.13
CREATE TABLE `a` (
  `id` int NOT NULL AUTO_INCREMENT,
  `t` varchar(10) DEFAULT 'x',
  `u` int,
  PRIMARY KEY (`id`),
  UNIQUE KEY `tu` (`t`,`u`) USING BTREE,
  KEY `k` (`t`) USING BTREE COMMENT 'of a',
  KEY `part` (`t`(3)),
  FULLTEXT KEY `f` (`t`)
) ENGINE=InnoDB AUTO_INCREMENT=14 DEFAULT CHARSET=utf8;
INSERT INTO `a` VALUES (1,'it',1),(2,NULL,2);
CREATE TABLE `b` (`id` int NOT NULL AUTO_INCREMENT, `t` int, PRIMARY KEY (`id`), KEY `k` (`t`)) ENGINE=InnoDB;
INSERT INTO `b` VALUES (41,1);
CREATE TABLE `c` (`id` int NOT NULL AUTO_INCREMENT, PRIMARY KEY (`id`));
END
"$migrate" "$work/keys.sql" "$work/keys.qtdb" --report "$work/keys.json" >"$work/summary"
for words in "1 unique constraint, 2 indexes, 3 sequence positions, 2 identities carried over" \
    "refused   index a.part: 42883"; do
    grep -qF "$words" "$work/summary" || fail "no '$words' in: $(cat "$work/summary")"
done
grep -qF '"kind": "index", "name": "a.f"' "$work/keys.json" || fail "a FULLTEXT KEY is not reported"
"$QTDB_BIN/qtdb" --csv --no-header "$work/keys.qtdb" "INSERT INTO a (t) VALUES ('n') RETURNING id;
    INSERT INTO b (t) VALUES (2) RETURNING id; INSERT INTO c DEFAULT VALUES RETURNING id;" >"$work/got"
[ "$(tr '\n' ' ' <"$work/got")" = "14 42 1 " ] || fail "other positions: $(cat "$work/got")"
"$QTDB_BIN/qtdb" --readonly "$work/keys.qtdb" .schema >"$work/got"
for words in "UNIQUE (t, u)" "ON public.a (t)" "ON public.b (t)"; do
    grep -qF "$words" "$work/got" || fail "no '$words' in: $(cat "$work/got")"
done

# Columns of an enum arrive as text and become the enum; those of a type that is not there stay texts.
tr @ '\t' >"$work/enum.sql" <<'END'
-- PostgreSQL database dump
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TYPE public.mood AS ENUM (
    'sad',
    'o''k'
);
CREATE TABLE public.e (id integer NOT NULL, m public.mood DEFAULT 'sad'::public.mood, ms public.mood[], v tsvector);
COPY public.e (id, m, ms, v) FROM stdin;
1@o'k@{sad,o'k}@'a'
2@\N@\N@\N
3@sad@{}@\N
\.
CREATE INDEX em ON public.e USING btree (m);
END
"$migrate" "$work/enum.sql" "$work/enum.qtdb" --report "$work/report.json" >"$work/summary"
"$QTDB_BIN/qtdb" --csv --no-header --readonly "$work/enum.qtdb" \
    "SELECT * FROM e WHERE m >= 'sad' ORDER BY m DESC" >"$work/got"
printf "1,o'k,\"{sad,o'k}\",'a'\n3,sad,{},\n" | diff - "$work/got" || fail "an enum's rows"
"$QTDB_BIN/qtdb" --readonly "$work/enum.qtdb" .schema | tr -d '\n' |
    grep -qF "m public.mood DEFAULT 'sad',    ms public.mood[],    v text" || fail "enum columns"
grep -q '"name": "e.v", "sql": .*"why": .*tsvector' "$work/report.json" || fail "no word of tsvector"

status=0
printf 'CREATE TABLE t (a int);\nDELETE FROM t;\n' >"$work/bad.sql"
"$migrate" "$work/bad.sql" "$work/bad.qtdb" >"$work/said" 2>&1 || status=$?
[ "$status" = 1 ] && grep -q "bad.sql: line 2: only what dump programs write" "$work/said" ||
    fail "a statement that changes rows: $(cat "$work/said")"
[ ! -e "$work/bad.qtdb" ] && [ ! -e "$work/bad.qtdb.partial" ] || fail "a target is left"
