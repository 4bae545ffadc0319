#!/bin/sh
# Goal: the shell runs statements from every place they can come from, shows rows in its four ways,
# complains with file, line, caret and SQLSTATE, and says by its exit status how it went.
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

# same NAME: the output in $work/got is that of standard input.
same()
{
    cat >"$work/expected"
    diff "$work/expected" "$work/got" || fail "$1"
}

# refused STATUS ARGUMENT...: leaves standard error in $work/got.
refused()
{
    wanted=$1 status=0
    shift
    shell "$@" >"$work/out" 2>"$work/got" </dev/null || status=$?
    [ "$status" = "$wanted" ] || fail "exit status $status, not $wanted: $*"
}

shell "$db" "CREATE TABLE t (id int PRIMARY KEY, name text, x numeric(5,2), f bool, j json);
    INSERT INTO t VALUES (1, 'one', 1.5, true, '{\"a\": 1}'), (2, NULL, NULL, NULL, NULL),
        (3, E'a,\"b\"\\n', -2, false, '[]')" >"$work/got"
same "changes print nothing" </dev/null

shell "$db" "SELECT * FROM t ORDER BY id" >"$work/got"
same "box" <<'END'
+----+---------+-------+------+----------+
| id | name    | x     | f    | j        |
+----+---------+-------+------+----------+
|  1 | one     |  1.50 | t    | {"a": 1} |
|  2 | NULL    |  NULL | NULL | NULL     |
|  3 | a,"b"\n | -2.00 | f    | []       |
+----+---------+-------+------+----------+
(3 rows)
END

shell --csv "$db" "SELECT * FROM t ORDER BY id" >"$work/got"
same "csv" <<'END'
id,name,x,f,j
1,one,1.50,t,"{""a"": 1}"
2,,,,
3,"a,""b""
",-2.00,f,[]
END
shell --csv --no-header "$db" "SELECT id FROM t WHERE id = 1" >"$work/got"
same "csv without header" <<'END'
1
END
shell --json "$db" "SELECT * FROM t ORDER BY id; SELECT id FROM t WHERE id > 9" >"$work/got"
same "json" <<'END'
[{"id": 1, "name": "one", "x": 1.50, "f": true, "j": {"a": 1}},
 {"id": 2, "name": null, "x": null, "f": null, "j": null},
 {"id": 3, "name": "a,\"b\"\n", "x": -2.00, "f": false, "j": []}]
[]
END
shell --line "$db" "SELECT id, name FROM t WHERE id < 3 ORDER BY id" >"$work/got"
same "line" <<'END'
  id = 1
name = one

  id = 2
name = NULL
END

# Places statements come from.
printf 'SELECT 1;\nSELECT\n2; -- ; no end\nSELECT 3' >"$work/a.sql"
for how in "-f $work/a.sql" "--file $work/a.sql"; do
    shell --csv --no-header $how >"$work/got"
    same "$how" <<'END'
1
2
3
END
done
shell --csv --no-header <"$work/a.sql" >"$work/got"
same "standard input" <<'END'
1
2
3
END
shell --csv --no-header -c "SELECT ';'; .print hello
.mode line
SELECT 5 AS five;" >"$work/got" 2>&1 && fail "a command in the middle of a line is no command"
shell --csv --no-header -c "SELECT ';';
.print hello
.mode line
SELECT 5 AS five;" >"$work/got"
same "commands between statements" <<'END'
;
hello
five = 5
END
shell "$db" .tables >"$work/got"
same ".tables" <<'END'
t
END
shell "$db" ".schema t" >"$work/got"
same ".schema" <<'END'
CREATE TABLE public.t (
    id integer NOT NULL,
    name text,
    x numeric(5,2),
    f boolean,
    j json,
    PRIMARY KEY (id)
);
END
shell "$db" "CREATE TABLE u (a int UNIQUE, b text); CREATE INDEX u_b ON u (b, a);
    CREATE VIEW w AS SELECT a FROM u;
.schema u
.tables
DROP VIEW w; DROP TABLE u" >"$work/got"
same ".schema with indexes" <<'END'
CREATE TABLE public.u (
    a integer,
    b text,
    UNIQUE (a)
);
CREATE INDEX u_b ON public.u (b, a);
t
u
END
shell "$db" "CREATE TABLE v (id serial PRIMARY KEY, t_id int REFERENCES t ON DELETE CASCADE,
    n int DEFAULT abs(-1) CHECK (n > 0)); CREATE INDEX v_n ON v ((n + 1)) WHERE n > 5;
.schema v
\\d v
DROP TABLE v" >"$work/got"
same ".schema and \\d with rules" <<'END'
CREATE TABLE public.v (
    id integer NOT NULL DEFAULT nextval('public.v_id_seq'),
    t_id integer,
    n integer DEFAULT abs((-1)),
    PRIMARY KEY (id),
    CONSTRAINT v_n_check CHECK ((n > 0))
);
CREATE INDEX v_n ON public.v (((n + 1))) WHERE (n > 5);
ALTER TABLE public.v ADD CONSTRAINT v_t_id_fkey FOREIGN KEY (t_id) REFERENCES public.t(id) ON DELETE CASCADE;
+--------+---------+----------+----------------------------+
| column | type    | nullable | default                    |
+--------+---------+----------+----------------------------+
| id     | integer | not null | nextval('public.v_id_seq') |
| t_id   | integer |          |                            |
| n      | integer |          | abs((-1))                  |
+--------+---------+----------+----------------------------+
(3 rows)
Indexes:
    "v_pkey" PRIMARY KEY, btree (id)
    "v_n" btree (((n + 1))) WHERE (n > 5)
Check constraints:
    "v_n_check" CHECK ((n > 0))
Foreign-key constraints:
    "v_t_id_fkey" FOREIGN KEY (t_id) REFERENCES public.t(id) ON DELETE CASCADE
END
shell --csv "$db" "CREATE TABLE v (a text DEFAULT 'x NOT NULL y');
\\d v
DROP TABLE v" >"$work/got"
same "\\d with words of its own in a default" <<'END'
column,type,nullable,default
a,text,"",'x NOT NULL y'
END
shell --csv "$db" "CREATE SCHEMA s; CREATE TABLE s.\"Of it\" (\"x y\" int REFERENCES t, g int GENERATED ALWAYS AS (1 + 1) STORED,
    i int GENERATED ALWAYS AS IDENTITY, UNIQUE (i)); CREATE VIEW s.w AS SELECT \"x y\" FROM s.\"Of it\";
\\d s.Of it
\\d w
\\d Of it_i_key
\\d t
DROP SCHEMA s CASCADE" >"$work/got"
same "\\d with a schema, of a view, an index, and a table that others refer to" <<'END'
column,type,nullable,default
x y,integer,"",""
g,integer,"",generated always as ((1 + 1)) stored
i,integer,not null,generated always as identity
Indexes:
    "Of it_i_key" UNIQUE CONSTRAINT, btree (i)
Foreign-key constraints:
    "Of it_x y_fkey" FOREIGN KEY ("x y") REFERENCES public.t(id)
column,type,nullable,default
x y,integer,"",""
View definition:
    SELECT "x y" FROM s."Of it"
column,type,nullable,default
i,integer,"",""
Index of:
    CREATE UNIQUE INDEX "Of it_i_key" ON s."Of it" USING btree (i)
column,type,nullable,default
id,integer,not null,""
name,text,"",""
x,"numeric(5,2)","",""
f,boolean,"",""
j,json,"",""
Indexes:
    "t_pkey" PRIMARY KEY, btree (id)
Referenced by:
    TABLE s."Of it" CONSTRAINT "Of it_x y_fkey" FOREIGN KEY ("x y") REFERENCES public.t(id)
END
refused 1 "$db" "\\d absent"
echo "SELECT 2 AS b" >"$work/two.sql"
shell --csv --no-header -c "SELECT 1" -f "$work/two.sql" -c "SELECT 3" >"$work/got"
same "several -c and -f" <<'END'
1
2
3
END
refused 1 --csv --no-header -c "SELECT 1" -c "SELECT nothing" -c "SELECT 3"
[ "$(cat "$work/out")" = 1 ] || fail "what came after a failure: $(cat "$work/out")"
shell "$db" .check >"$work/got"
same ".check" <<'END'
ok
END
shell "$db" "UPDATE t SET name = 'x' WHERE id = 2;
.stats
.wa" >"$work/out"
grep -q '^commits  *1$' "$work/out" || fail ".stats counts no commit"
grep -q '^scans_key  *1$' "$work/out" || fail ".stats counts no look-up by key"
grep -q '^prepared  *[1-9]' "$work/out" || fail ".stats counts no plan"
grep -qE '^written [1-9][0-9]* user [1-9][0-9]* ratio' "$work/out" || fail ".wa"
shell --json "$db" .stats | grep -q '^{"commits": 0, "user_bytes": 0, .*}$' || fail ".stats as JSON"

shell "$db" .metrics | grep -A 1 '^# TYPE qtdb_commits_total counter$' | grep -q '^qtdb_commits_total 0$' || fail ".metrics"
shell "$db" "DELETE FROM t WHERE id = 77; INSERT INTO t (id) VALUES (77);
.wa" >"$work/out"
grep -qE '^last statement: logged [1-9][0-9]* written [1-9][0-9]* user [1-9]' "$work/out" || fail ".wa of a statement: $(cat "$work/out")"

# psql's commands, other files, other looks.
shell "$db" "CREATE INDEX t_name ON t (name); CREATE SEQUENCE numbers; CREATE VIEW names AS SELECT name FROM t"
printf '.mode csv\n.header off\n\\di\n\\dv\n\\ds\n\\dn\n\\dt\n' >"$work/list.sql"
shell "$db" -f "$work/list.sql" >"$work/got"
same "lists" <<'END'
public,t_name,t,CREATE INDEX t_name ON public.t USING btree (name)
public,t_pkey,t,CREATE UNIQUE INDEX t_pkey ON public.t USING btree (id)
public,names,CREATE VIEW names AS SELECT name FROM t
public,numbers,1,1,9223372036854775807,1,NO
information_schema
pg_catalog
public
t
END
shell "$db" "DROP VIEW names; DROP SEQUENCE numbers; DROP INDEX t_name"
printf '.read %s\nSELECT 2 AS two;\n' "$work/inner.sql" >"$work/outer.sql"
printf 'SELECT 1 AS one;\n' >"$work/inner.sql"
shell --csv --no-header "$db" ".read $work/outer.sql" >"$work/got"
same ".read" <<'END'
1
2
END
printf '.read %s\n' "$work/itself.sql" >"$work/itself.sql"
refused 1 "$db" ".read $work/itself.sql"
grep -q "more than 20 deep" "$work/got" || fail "a file that names itself: $(cat "$work/got")"
refused 1 "$db" ".read $work/absent.sql"
printf '.open %s\nSELECT count(*) FROM t;\n.open\nCREATE TABLE only_here (a int);\n\\dt\n' "$db" >"$work/open.sql"
shell --csv --no-header "$work/first.qtdb" -f "$work/open.sql" | tail -n 1 >"$work/got"
same ".open" <<'END'
only_here
END
refused 1 "$db" ".open $work"
shell --markdown "$db" "SELECT 1 AS a, 'x|y' AS \"b c\", NULL AS n" >"$work/got"
same "--markdown" <<'END'
| a | b c | n |
|--:|---|---|
| 1 | x\|y | NULL |
END
shell --box "$db" "\\x
SELECT 5 AS five;
\\x off
SELECT 6 AS six" >"$work/got"
same "\\x" <<'END'
five = 5
+-----+
| six |
+-----+
|   6 |
+-----+
(1 row)
END

# Complaints.
refused 1 "$db" "SELECT nam FROM t"
same "caret" <<'END'
qtdb: ERROR 42703: column "nam" does not exist
LINE 1: SELECT nam FROM t
               ^
END
printf '\n\nSELECT 1;\n\n  SELECT "\303\244",\n\tfrom t;\nSELECT 2;\n' >"$work/b.sql"
refused 1 --csv "$db" -f "$work/b.sql"
head -n 1 "$work/got" | grep -qF "qtdb: $work/b.sql:5: ERROR 42601: syntax error at or near \"from\"" ||
    fail "file and line: $(cat "$work/got")"
sed -n '2,$p' "$work/got" >"$work/tail" && mv "$work/tail" "$work/got"
same "line of a file" <<'END'
LINE 6:  from t;
         ^
END
grep -q 2 "$work/out" && fail "the text goes on after a failure"
refused 1 "$db" "INSERT INTO t VALUES (1)"
grep -q "ERROR 23505: " "$work/got" || fail "SQLSTATE of a duplicate: $(cat "$work/got")"
refused 1 "$db" .nonsense
shell --pool 1 --csv --no-header "$db" "SELECT id FROM t WHERE id = 1" >"$work/got"
same "--pool" <<END
1
END
refused 2 --pool many "$db" "SELECT 1"
refused 1 --readonly "$db" "INSERT INTO t VALUES (9)"
refused 2 --nonsense
refused 2 --csv --json
refused 2 "$db" "SELECT 1" more
refused 2 --readonly "$work/absent.qtdb"
[ ! -e "$work/absent.qtdb" ] || fail "--readonly made a file"
echo "not a database, but long enough to look at its first bytes" >"$work/legacy.db"
refused 2 "$work/legacy.db"
grep -q "qtdb-migrate" "$work/got" || fail "no hint at qtdb-migrate: $(cat "$work/got")"

shell --help | grep -q "^Usage: qtdb" || fail "--help"
shell --version | grep -qE '^qtdb [0-9]' || fail "--version"

# The temporary database goes.
mkdir "$work/temporary"
TMPDIR=$work/temporary shell -c "CREATE TABLE t (a int)"
[ -z "$(ls "$work/temporary")" ] || fail "a temporary database is left"
