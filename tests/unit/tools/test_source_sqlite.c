/*
 * Goal: every value of an SQLite file comes out as it is stored, whatever its column was declared as; the
 * column gets a type that holds all of its values; what is no table is noted with SQL to try; the file
 * stays as it was; damage and refused memory are errors.
 *
 * Method: files made from SQL by SQLite itself, in each encoding, read through source.h.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tools/source_rig.h"
#include "tools/qtdb-migrate/sqlite_source.h"

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

TestSuite(source_sqlite, .init = set_up, .fini = tear_down);

static const char *
make_file(const char *name, const char *sql)
{
    const struct sqlite_door *door = sqlite_door_get();
    const char *path = legacy_rig_path(&rig, name);
    char fault[SQLITE_FAULT_SIZE] = "";
    struct sqlite_file *file = door->open(path, true, fault);

    cr_assert_not_null(file, "%s", fault);
    cr_assert(door->exec(file, sql, fault), "%s", fault);
    door->close(file);
    return path;
}

static void
expect(const char *sql, const char *expected)
{
    char *got = source_rig_dump(&rig, make_file("s.db", sql), NULL);

    cr_expect_str_eq(got, expected, "%s", got);
    free(got);
    remove(legacy_rig_path(&rig, "s.db"));
}

struct kind_example {
    const char *declared;
    uint32_t classes;
    bool only_booleans;
    enum legacy_column_kind kind;
};

Test(source_sqlite, a_column_gets_a_type_that_holds_all_of_its_values)
{
    enum {
        I = SQLITE_CLASS_INTEGER,
        R = SQLITE_CLASS_REAL,
        T = SQLITE_CLASS_TEXT,
        B = SQLITE_CLASS_BLOB
    };
    static const struct kind_example examples[] = {
        {"INT", I, false, LEGACY_COLUMN_INTEGER},
        {"", I, true, LEGACY_COLUMN_INTEGER},
        {"BOOLEAN", I, true, LEGACY_COLUMN_BOOLEAN},
        {"BOOLEAN", I, false, LEGACY_COLUMN_INTEGER},
        {"DECIMAL(10,2)", I, false, LEGACY_COLUMN_NUMERIC},
        {"REAL", R, false, LEGACY_COLUMN_REAL},
        {"NUMERIC", R, false, LEGACY_COLUMN_NUMERIC},
        {"INT", I | R, false, LEGACY_COLUMN_NUMERIC},
        {"VARCHAR(3)", T, false, LEGACY_COLUMN_TEXT},
        {"INT", T, false, LEGACY_COLUMN_TEXT},
        {"DATE", T, false, LEGACY_COLUMN_DATE},
        {"DATETIME", T, false, LEGACY_COLUMN_TIMESTAMP},
        {"TIMESTAMP WITH TIME ZONE", T, false, LEGACY_COLUMN_TIMESTAMPTZ},
        {"TIME", T, false, LEGACY_COLUMN_TIME},
        {"JSON", T, false, LEGACY_COLUMN_JSON},
        {"uuid", T, false, LEGACY_COLUMN_UUID},
        {"TEXT", B, false, LEGACY_COLUMN_BYTEA},
        {"", B | T, false, LEGACY_COLUMN_BYTEA},
        {"", B | I, false, LEGACY_COLUMN_TEXT},
        {"", T | R, false, LEGACY_COLUMN_TEXT},
        {"BIGINT", 0, false, LEGACY_COLUMN_INTEGER},
        {"FLOAT", 0, false, LEGACY_COLUMN_REAL},
        {"BLOB", 0, false, LEGACY_COLUMN_BYTEA},
        {"BOOL", 0, false, LEGACY_COLUMN_BOOLEAN},
        {"", 0, false, LEGACY_COLUMN_TEXT},
    };

    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct kind_example *one = &examples[i];

        cr_expect_eq(sqlite_column_kind(one->declared, one->classes, one->only_booleans), one->kind,
                     "%s with classes %u", one->declared, one->classes);
    }
}

Test(source_sqlite, every_encoding_gives_the_same_texts)
{
    static const char *const encodings[] = {"UTF-8", "UTF-16le", "UTF-16be"};

    for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        char sql[300];

        snprintf(
            sql, sizeof(sql),
            "PRAGMA encoding = '%s'; CREATE TABLE t(\"n\xc3\xa9\" TEXT, b BLOB);"
            "INSERT INTO t VALUES ('\xd0\xae\xf0\x9f\x98\x80', x'00ff'), ('', x''), (NULL, NULL)",
            encodings[i]);
        expect(sql,
               "s.t(n\xc3\xa9 text, b bytea)\n\xd0\xae\xf0\x9f\x98\x80|\\x00ff\n|\\x\nNULL|NULL\n");
    }
}

Test(source_sqlite, values_are_exact)
{
    expect("CREATE TABLE t(i INT, r REAL, n NUMERIC, d DATE); INSERT INTO t VALUES "
           "(9223372036854775807, 0.1, 0.1, '2024-02-29'), (-9223372036854775808, 1e300, 7, NULL),"
           "(0, 9e999, 2, '2024-01-01')",
           "s.t(i bigint, r double precision, n numeric, d date)\n"
           "9223372036854775807|0.1|0.1|2024-02-29\n-9223372036854775808|1e+300|7|NULL\n"
           "0|Infinity|2|2024-01-01\n");
}

Test(source_sqlite, losses_of_mixed_columns_are_told)
{
    expect("CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'x'), (x'41', x'42')",
           "s.t(a text, b bytea)\n1|x[a text among BLOBs became its bytes]\n"
           "\\x41[a BLOB among other values became its hexadecimal text]|\\x42\n");
}

Test(source_sqlite, tables_without_rowid_and_hidden_columns)
{
    expect("CREATE TABLE t(a TEXT, b INT, g AS (b + 1), PRIMARY KEY (b, a)) WITHOUT ROWID;"
           "INSERT INTO t VALUES ('x', 2), ('y', 1); CREATE TABLE empty(z)",
           "s.t(a text, b bigint, g bigint)\ny|1|2\nx|2|3\ns.empty(z text)\n");
}

struct want {
    const char *kind;
    const char *name;
    const char *words;
    bool tried;
};

Test(source_sqlite, what_is_no_table_is_noted)
{
    static const struct want wanted[] = {
        {"unique constraint", "sqlite_autoindex_t_2",
         "ALTER TABLE \"s\".\"t\" ADD UNIQUE (\"b\", \"c\")", true},
        {"index", "i", "CREATE UNIQUE INDEX \"i\" ON \"s\".\"t\" (\"c\" DESC)", true},
        {"index", "e", "CREATE INDEX e ON t(b) WHERE b > 'x'", true},
        {"foreign key", "t to p",
         "ALTER TABLE \"s\".\"t\" ADD FOREIGN KEY (\"a\") REFERENCES \"s\".\"p\" (\"id\") ON "
         "UPDATE NO "
         "ACTION ON DELETE CASCADE",
         true},
        {"view", "v", "CREATE VIEW v AS SELECT a FROM t", true},
        {"trigger", "r", "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END", false},
    };
    struct source_list list = {.count = 0};
    struct source_options options = {.from = "sqlite"};
    struct arena arena;
    const char *path = make_file(
        "s.db",
        "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO p VALUES (41);"
        "CREATE TABLE t(a INT REFERENCES p(id) ON DELETE CASCADE, b TEXT UNIQUE DEFAULT 'x', c,"
        "UNIQUE(b, c)); CREATE UNIQUE INDEX i ON t(c DESC); CREATE INDEX e ON t(b) WHERE b > 'x';"
        "CREATE VIEW v AS SELECT a FROM t; CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END");

    arena_init(&arena, rig.env.memory, MEMORY_OTHER);
    cr_assert_eq(source_find(&rig.env, &arena, path, &options, &list), STATUS_OK);
    struct source *source = list.sources[0];
    cr_assert_eq(source_open(source), STATUS_OK, "%s", source->fault);
    const struct plan_note *note = source->plan->notes;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++, note = note->next) {
        cr_assert_not_null(note, "%s is missing", wanted[i].name);
        cr_expect_str_eq(note->kind, wanted[i].kind);
        cr_expect_str_eq(note->name, wanted[i].name);
        cr_expect_str_eq(note->words, wanted[i].words);
        cr_expect_eq(note->sql != NULL, wanted[i].tried);
    }
    cr_expect_null(note);
    const struct plan_table *p = source->plan->databases->tables, *t = p->next;
    cr_expect_eq(p->sequences->next, 42);
    cr_expect(p->columns[0].column.primary_key);
    cr_expect(t->columns[1].column.unique && !t->columns[2].column.unique);
    cr_expect_str_eq(t->columns[1].column.default_sql.bytes, "'x'");
    source_close(source);
    arena_deinit(&arena);
}

Test(source_sqlite, damage_is_refused_and_the_file_stays_as_it_was)
{
    const char *path = make_file(
        "s.db", "CREATE TABLE t(a); WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 "
                "FROM n WHERE x < 3000) INSERT INTO t SELECT printf('%50d', x) FROM n");
    size_t size = 0, after_size = 0;
    unsigned char *bytes = legacy_rig_read(path, &size);

    for (size_t i = size / 2; i < size; i += 97)
        bytes[i] ^= 0x55;
    legacy_rig_write(path, bytes, size);
    char *got = source_rig_dump(&rig, path, NULL);
    cr_expect(got[strspn(got, "0123456789 \n().abcdefghijklmnopqrstuvwxyz")] == '!', "%.100s", got);
    cr_expect_not_null(strstr(got, "malformed"), "%.300s", got);
    free(got);
    unsigned char *after = legacy_rig_read(path, &after_size);
    cr_expect(size == after_size && memcmp(bytes, after, size) == 0);
    free(after);
    bytes[20] = 0xff; /* Reserved bytes a page, past what a page may have. */
    legacy_rig_write(path, bytes, 600);
    free(bytes);
    got = source_rig_dump(&rig, path, NULL);
    cr_expect(got[0] == '!', "%s", got);
    free(got);
}

Test(source_sqlite, refused_memory_is_an_error_and_no_leak)
{
    source_rig_starve(
        &rig, make_file("s.db", "CREATE TABLE t(a INT PRIMARY KEY, b TEXT UNIQUE, c REFERENCES "
                                "t(a)); INSERT INTO t VALUES (1, CAST(x'ff' AS TEXT), x'00');"
                                "CREATE INDEX i ON t(c); CREATE VIEW v AS SELECT 1"));
}
