/*
 * Goal: what pg_dump, mysqldump and sqlite3 .dump write is read value by value; keys that follow the rows
 * are found; what is no table is noted, with SQL where it can be tried; what would change rows in other
 * ways, damage, and refused memory are errors with their line.
 *
 * Method: small dumps made here in the programs' own form, read through source.h.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tools/source_rig.h"

static struct legacy_rig rig;

static void
set_up(void)
{
    legacy_rig_init(&rig);
}

static void
tear_down(void)
{
    legacy_rig_deinit(&rig);
}

TestSuite(source_dump, .init = set_up, .fini = tear_down);

#define PG "-- PostgreSQL database dump\n"
#define MY "-- MySQL dump 10.13\n"
#define LITE "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n"

static void
expect(const char *dump, const char *expected)
{
    source_rig_expect(&rig, "d.sql", dump, NULL, expected);
}

Test(source_dump, copy_blocks_of_postgresql)
{
    expect(PG "SET x = 0;\nCREATE TABLE s.t (id integer NOT NULL, n character varying(9) DEFAULT "
              "'x;y'::character varying, b bytea, r real);\n"
              "COPY s.t (n, id, b, r) FROM stdin;\n"
              "a\\tb\\\\\t1\t\\\\x00ff\t1.5\n\\N\t2\t\\N\tNaN\n\\.\nCREATE TABLE e (x bigint);\n",
           "s.t(id integer, n varchar(9), b bytea, r real)\n1|a\tb\\|\\x00ff|1.5\n2|NULL|NULL|NaN\n"
           "public.e(x bigint)\n");
}

Test(source_dump, quoting_of_postgresql)
{
    expect(PG
           "CREATE FUNCTION f() RETURNS int AS $_$ select ';'' ; $_$ LANGUAGE sql;\n"
           "CREATE TABLE \"T \"\"x\" (A int, \"B\" text); /* a /* nested; */ comment */\n"
           "INSERT INTO \"T \"\"x\" VALUES (1, 'it''s; -- no comment'), (-2, E'a\\n\\x41\\'b');\n"
           "INSERT INTO \"T \"\"x\" (\"B\", a) VALUES (NULL::text, 3);\n",
           "public.T \"x(a integer, B text)\n1|it's; -- no comment\n-2|a\nA'b\n3|NULL\n");
}

Test(source_dump, values_of_mysql)
{
    expect(
        MY
        "CREATE TABLE `t` (`id` int(10) unsigned NOT NULL AUTO_INCREMENT, `n` varchar(9) COLLATE "
        "utf8mb4_bin DEFAULT 'a''b' COMMENT 'it; is', `b` blob, `u` bigint unsigned, `at` "
        "timestamp "
        "NULL, PRIMARY KEY (`id`), KEY `ix` (`n`(3))) ENGINE=InnoDB;\n# a comment; with one\n"
        "/*!40000 ALTER TABLE `t` DISABLE KEYS */;\n"
        "INSERT INTO `t` VALUES (1,'a\\'b\\\\\\n\\0',_binary "
        "'\\0x',18446744073709551615,'2024-01-01 "
        "00:00:00'),(2,\"q\",0x41FF,NULL,NULL);\n",
        "public.t(id bigint, n varchar(9), b bytea, u numeric(20,0), at timestamptz)\n"
        "1|a'b\\\n"
        "|\\x0078|18446744073709551615|2024-01-01 00:00:00\n"
        "2|q|\\x41ff|NULL|NULL\n");
}

Test(source_dump, routines_of_mysql_are_noted_whole)
{
    expect(MY "CREATE TABLE `t` (`a` int);\nDELIMITER ;;\nCREATE TRIGGER r BEFORE INSERT ON t FOR "
              "EACH ROW "
              "BEGIN SET @a = 1; SET @b = 2; END ;;\nDELIMITER ;\nINSERT INTO `t` VALUES (1);\n",
           "public.t(a integer)\n1\n");
}

Test(source_dump, values_and_triggers_of_sqlite)
{
    expect(
        LITE "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c BOOLEAN, d DECIMAL(10,2), g AS (a));\n"
             "INSERT INTO t VALUES(1,replace('x\\ny','\\n',char(10)),1,0.5);\n"
             "INSERT INTO t VALUES(2,X'00ff',0,9e999);\n"
             "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END;\nCOMMIT;\n",
        "public.t(a bigint, b bytea, c boolean, d numeric)\n1|x\ny|1|0.5\n2|\\x00ff|0|Infinity\n");
}

Test(source_dump, tables_that_take_turns)
{
    expect(PG "CREATE TABLE a (i int); CREATE TABLE b (i int);\n"
              "INSERT INTO a VALUES (1); INSERT INTO b VALUES (10); INSERT INTO a VALUES (2);\n"
              "INSERT INTO b VALUES (20);\n",
           "public.a(i integer)\n1\n2\npublic.b(i integer)\n10\n20\n");
}

Test(source_dump, what_is_not_understood_is_refused_with_its_line)
{
    expect(PG "CREATE TABLE t (a int);\nUPDATE t SET a = 1;\n",
           "d.sql: line 3: only what dump programs write is supported, not: UPDATE t SET a = 1");
    expect(PG "CREATE TABLE t (a int);\n\nINSERT INTO t VALUES (now());\n",
           "d.sql: line 4: an expression at 'now' is not supported");
    expect(PG "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1, 2);\n",
           "d.sql: line 3: a row of t has not 1 values");
    expect(PG "INSERT INTO t VALUES (1);\n",
           "d.sql: line 2: rows of public.t, but the dump makes no such table");
    expect(PG "CREATE TABLE t (a int);\nCOPY t (a) FROM stdin;\n1\n",
           "d.sql: line 5: COPY's data has no end; the file is cut off");
    expect(PG "CREATE TABLE t (a int);\nINSERT INTO t VALUES ('x",
           "d.sql: line 3: the statement has no end; the file is cut off");
    expect(PG "CREATE TABLE t (a int",
           "d.sql: line 2: the statement has no end; the file is cut off");
    expect(PG "CREATE TABLE t (a int);\nCREATE TABLE t (a int);\n",
           "d.sql: line 3: the table public.t is made twice");
    expect(PG "\\connect other\n",
           "d.sql: line 2: psql's command \\connect other; a dump of one database has none");
    expect("PGDMP\x01\x0e",
           "d.sql: pg_dump's custom format; pg_restore -f FILE.sql makes a plain dump of it");
    expect(PG "SELECT 1;\n",
           "d.sql: line 2: only what dump programs write is supported, not: SELECT 1");
    expect(PG, "d.sql: it makes no table");
}

struct want {
    const char *kind;
    const char *name;
    bool tried;
};

Test(source_dump, keys_behind_the_rows_and_everything_else)
{
    static const struct want wanted[] = {
        {"type", "mood", true},
        {"column type", "t.m", true},
        {"check constraint", "t", true},
        {"owner", "t", false},
        {"sequence", "q", true},
        {"default", "t", true},
        {"sequence position", "q", true},
        {"unique constraint", "t", true},
        {"index", "i", true},
        {"foreign key", "t", true},
        {"grant", "table", false},
    };
    struct source_list list = {.count = 0};
    struct source_options options = {.from = "sql"};
    const char *path = legacy_rig_path(&rig, "d.sql");
    static const char dump[] =
        PG "CREATE TYPE mood AS ENUM ('a');\nCREATE TABLE t (id int NOT NULL, n text, m mood, "
           "CONSTRAINT c "
           "CHECK ((id > 0)));\nALTER TABLE t OWNER TO bob;\nCREATE SEQUENCE q;\nALTER TABLE ONLY "
           "t ALTER "
           "COLUMN id SET DEFAULT nextval('q'::regclass);\nINSERT INTO t VALUES (1, 'x', 'a');\n"
           "SELECT pg_catalog.setval('q', 5, true);\nALTER TABLE ONLY t ADD CONSTRAINT k PRIMARY "
           "KEY (n, id);\n"
           "ALTER TABLE ONLY t ADD CONSTRAINT u UNIQUE (id);\nALTER TABLE ONLY t ADD CONSTRAINT u2 "
           "UNIQUE (id, "
           "n);\nCREATE INDEX i ON t USING btree (n);\nALTER TABLE ONLY t ADD CONSTRAINT f FOREIGN "
           "KEY (id) "
           "REFERENCES t(id);\nGRANT SELECT ON TABLE t TO PUBLIC;\n";
    struct arena arena;

    arena_init(&arena, rig.env.memory, MEMORY_OTHER);
    legacy_rig_write(path, dump, strlen(dump));
    cr_assert_eq(source_find(&rig.env, &arena, path, &options, &list), STATUS_OK);
    struct source *source = list.sources[0];
    cr_assert_eq(source_open(source), STATUS_OK, "%s", source->fault);
    const struct plan_note *note = source->plan->notes;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++, note = note->next) {
        cr_assert_not_null(note, "%s %s is missing", wanted[i].kind, wanted[i].name);
        cr_expect_str_eq(note->kind, wanted[i].kind);
        if (strcmp(note->kind, "grant") != 0)
            cr_expect_str_eq(note->name, wanted[i].name, "%s %s", note->kind, note->name);
        cr_expect_eq(note->sql != NULL, wanted[i].tried, "%s", note->kind);
    }
    cr_expect_null(note);
    const struct plan_table *table = source->plan->databases->tables;
    cr_expect_eq(table->columns[0].column.key_position, 2);
    cr_expect_eq(table->columns[1].column.key_position, 1);
    cr_expect(table->columns[0].column.unique);
    cr_expect_not(table->columns[1].column.unique);
    source_close(source);
    arena_deinit(&arena);
}

Test(source_dump, refused_memory_is_an_error_and_no_leak)
{
    static const char dump[] = PG
        "CREATE TABLE t (a int PRIMARY KEY, b text REFERENCES p(x));\nCREATE VIEW v AS SELECT 1;\n"
        "COPY t (b, a) FROM stdin;\nx\\ty\t1\n\\.\nINSERT INTO t VALUES (2, 'z');\n";
    const char *path = legacy_rig_path(&rig, "d.sql");

    legacy_rig_write(path, dump, strlen(dump));
    source_rig_starve(&rig, path);
}
