/*
 * Goal: a database that an earlier version wrote, closed or not, opens and holds what was in it: trees of
 * both kinds of keys, large values, a sequence, tables with an index and a view; and lives on.
 * Method: tests/golden/database holds one file of each version and state: name, size and bytes of the
 * database's files, behind the size of it all, compressed. They are put on a simulated disk. A new one is
 * written when the environment says QTDB_GOLDEN_MAKE=FOLDER (and is committed when the format changes).
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/bytes.h"
#include "kernel/base/compress.h"
#include "kernel/base/random.h"
#include "tests/support/db_rig.h"

#define GOLDEN_FOLDER "tests/golden/database/"

enum {
    INTS = 2500,
    TEXTS = 1500,
    LARGE = 4,
    LARGE_STEP = 9000,
    VALUE_MAX = LARGE * LARGE_STEP,
    ARCHIVE_MAX = 16 << 20,
    FILES_MAX = 16,
    PATH_MAX_SIZE = 200,
    LEVEL = 19,
};

static uint8_t archive[ARCHIVE_MAX];
static uint8_t packed[ARCHIVE_MAX];

/* ---- What is in them -------------------------------------------------------------------------- */

static size_t
int_row(uint32_t number, uint8_t key[8], uint8_t *value)
{
    qtdb_key_u64(random_mix(number), key);
    memcpy(value, &number, sizeof(number));
    return number % 3 == 0 ? sizeof(number) : (size_t)snprintf((char *)value, 64, "row %u", number);
}

static size_t
text_row(uint32_t number, char key[64], uint8_t *value)
{
    snprintf(key, 64, "folder/%u/file%u", number % 30, number);
    memset(value, (int)number, number % 200);
    return number % 200;
}

/* Half of them can be compressed. */
static size_t
large_row(uint32_t number, char key[64], uint8_t *value)
{
    size_t size = (size_t)(number + 1) * LARGE_STEP;

    snprintf(key, 64, "large%u", number);
    for (size_t at = 0; at < size; at++)
        value[at] = (uint8_t)(number % 2 == 0 ? at / 100 : random_mix(at));
    return size;
}

static const char *const statements[] = {
    "CREATE TABLE town (id int PRIMARY KEY, name text NOT NULL, people int8, at timestamp,"
    " price numeric(10,2), note varchar(20), is_big bool)",
    "CREATE UNIQUE INDEX town_name ON town (name)",
    "CREATE INDEX town_people ON town (people, id)",
    "INSERT INTO town SELECT n, 'town ' || n, n * 1000, '2024-02-29 12:30:00', n / 8.0,"
    " CASE WHEN n % 5 = 0 THEN NULL ELSE 'note' END, n > 150 FROM generate_series(1, 200) AS n",
    "UPDATE town SET people = -1 WHERE id = 77",
    "DELETE FROM town WHERE id = 78",
    "CREATE VIEW big_town AS SELECT id, name FROM town WHERE is_big",
};

static const struct {
    const char *sql;
    const char *answer;
} queries[] = {
    {"SELECT count(*), sum(people), count(note) FROM town", "199|19944999|159"},
    {"SELECT * FROM town WHERE id = 42", "42|town 42|42000|2024-02-29 12:30:00|5.25|note|f"},
    {"SELECT id FROM town WHERE name = 'town 199'", "199"},
    {"SELECT id FROM town WHERE people = -1", "77"},
    {"SELECT count(*) FROM big_town", "50"},
};

/* ---- Writing and reading them ----------------------------------------------------------------- */

static void
exec(struct qtdb *db, const char *sql, const char *answer)
{
    struct qtdb_session *session;
    struct qtdb_statement *statement;
    char found[400] = "";
    size_t used = 0;
    enum qtdb_code code;

    DB(qtdb_session_open(db, &session));
    DB(qtdb_prepare(session, sql, &statement, NULL));
    while ((code = qtdb_step(statement)) == QTDB_ROW) {
        for (uint32_t column = 0; column < qtdb_column_count(statement); column++) {
            const char *text = qtdb_column_text(statement, column, NULL);

            used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%s",
                                     used == 0 ? "" : "|", text == NULL ? "(null)" : text);
        }
    }
    cr_assert_eq(code, QTDB_DONE, "%s: %s", sql, qtdb_error_last()->message);
    if (answer != NULL)
        cr_assert_str_eq(found, answer);
    qtdb_finalize(statement);
    qtdb_session_close(session);
}

static struct qtdb_tree *
open_tree(struct qtdb_txn *txn, const char *name, enum qtdb_key_kind kind)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true, .key_kind = kind};
    struct qtdb_tree *tree;

    DB(qtdb_tree_open(txn, name, &options, &tree));
    return tree;
}

/* Calls `row` for each row of the trees. */
static void
each_row(struct qtdb_txn *txn,
         void (*row)(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
                     const uint8_t *value, size_t value_size))
{
    struct qtdb_tree *ints = open_tree(txn, "ints", QTDB_KEY_INT);
    struct qtdb_tree *texts = open_tree(txn, "texts", QTDB_KEY_BYTES);
    struct qtdb_tree *large = open_tree(txn, "large", QTDB_KEY_BYTES);
    static uint8_t value[VALUE_MAX];
    uint8_t number[8];
    char key[64];

    for (uint32_t index = 0; index < INTS; index++) {
        size_t size = int_row(index, number, value);

        row(txn, ints, number, sizeof(number), value, size);
    }
    for (uint32_t index = 0; index < TEXTS; index++) {
        size_t size = text_row(index, key, value);

        row(txn, texts, key, strlen(key), value, size);
    }
    for (uint32_t index = 0; index < LARGE; index++) {
        size_t size = large_row(index, key, value);

        row(txn, large, key, strlen(key), value, size);
    }
}

static void
put_row(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
        const uint8_t *value, size_t value_size)
{
    DB(qtdb_put(txn, tree, key, key_size, value, value_size, QTDB_PUT_INSERT));
}

static void
see_row(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
        const uint8_t *value, size_t value_size)
{
    static uint8_t found[VALUE_MAX];
    size_t size = sizeof(found);

    DB(qtdb_get(txn, tree, key, key_size, found, &size));
    cr_assert_eq(size, value_size);
    cr_assert_eq(memcmp(found, value, size), 0);
}

static void
see_everything(struct qtdb *db)
{
    struct qtdb_txn *txn = db_begin_read(db);
    struct qtdb_tree *tree;

    each_row(txn, see_row);
    cr_assert_eq(qtdb_tree_open(txn, "dropped", NULL, &tree), QTDB_NOT_FOUND);
    DB(qtdb_commit(txn));
    for (size_t index = 0; index < sizeof(queries) / sizeof(queries[0]); index++)
        exec(db, queries[index].sql, queries[index].answer);
    db_check(db);
}

static void
write_everything(struct qtdb *db)
{
    struct qtdb_txn *txn = db_begin(db);
    uint64_t first;

    each_row(txn, put_row);
    DB(db_put(txn, open_tree(txn, "dropped", QTDB_KEY_BYTES), "a", "1"));
    DB(qtdb_commit(txn));
    txn = db_begin(db);
    DB(qtdb_tree_drop(txn, "dropped"));
    DB(qtdb_commit(txn));
    DB(qtdb_sequence_next(db, "numbers", 41, &first));
    for (size_t index = 0; index < sizeof(statements) / sizeof(statements[0]); index++)
        exec(db, statements[index], NULL);
}

/* ---- The archive ------------------------------------------------------------------------------ */

static uint64_t
add_file(struct db_rig *rig, uint64_t used, const char *path)
{
    struct io_file *file;
    uint64_t size;

    if (io_open(rig->io, path, 0, &file) != STATUS_OK)
        return used;
    cr_assert_eq(io_size(file, &size), STATUS_OK);
    cr_assert_leq(used + PATH_MAX_SIZE + 8 + size, ARCHIVE_MAX);
    memset(archive + used, 0, PATH_MAX_SIZE);
    snprintf((char *)archive + used, PATH_MAX_SIZE, "%s", path);
    memcpy(archive + used + PATH_MAX_SIZE, &size, sizeof(size));
    used += PATH_MAX_SIZE + sizeof(size);
    cr_assert_eq(io_sim_peek(rig->io, path, 0, archive + used, size), STATUS_OK);
    io_close(file);
    return used + size;
}

static void
make(const char *folder, bool closed)
{
    struct compress *compress;
    struct db_rig rig;
    char path[PATH_MAX_SIZE];
    uint64_t used = 0;

    db_rig_init(&rig, 1);
    db_rig_close(&rig);
    rig.options.pool_size = 4 << 20;
    db_rig_open(&rig);
    write_everything(rig.db);
    if (closed)
        db_rig_close(&rig);
    else
        db_rig_kill(&rig);
    used = add_file(&rig, used, DB_RIG_PATH);
    for (int number = 0; number < FILES_MAX * 4; number++) {
        snprintf(path, sizeof(path), DB_RIG_PATH "-wal/%016x.seg", (unsigned)number);
        used = add_file(&rig, used, path);
    }
    cr_assert_eq(compress_new(rig.memory, &compress), STATUS_OK);
    size_t size = compress_encode(compress, archive, used, packed, sizeof(packed), LEVEL);

    compress_free(compress);
    cr_assert_gt(size, 0);
    snprintf(path, sizeof(path), "%s/2-%s.golden", folder, closed ? "closed" : "killed");
    FILE *file = fopen(path, "wb");

    cr_assert(file != NULL && fwrite(&used, sizeof(used), 1, file) == 1);
    cr_assert(fwrite(packed, size, 1, file) == 1 && fclose(file) == 0);
    printf("%s: %zu bytes\n", path, size);
    db_rig_deinit(&rig);
}

static uint64_t
put_file(struct db_rig *rig, uint64_t at)
{
    const char *path = (const char *)archive + at;
    struct io_file *file;
    uint64_t size;

    memcpy(&size, archive + at + PATH_MAX_SIZE, sizeof(size));
    at += PATH_MAX_SIZE + sizeof(size);
    cr_assert_eq(io_open(rig->io, path, IO_WRITE | IO_CREATE, &file), STATUS_OK);
    cr_assert_eq(io_write(file, archive + at, size, 0, 0), STATUS_OK);
    cr_assert_eq(io_sync(file), STATUS_OK);
    io_close(file);
    return at + size;
}

static void
unpack(struct db_rig *rig, const char *name)
{
    struct compress *compress;
    char path[PATH_MAX_SIZE];
    uint64_t size;

    snprintf(path, sizeof(path), GOLDEN_FOLDER "%s.golden", name);
    FILE *file = fopen(path, "rb");

    cr_assert(file != NULL, "%s cannot be opened: run the tests in the project's root", path);
    cr_assert_eq(fread(&size, sizeof(size), 1, file), 1);
    size_t packed_size = fread(packed, 1, sizeof(packed), file);

    cr_assert(fclose(file) == 0 && size <= ARCHIVE_MAX);
    cr_assert_eq(compress_new(rig->memory, &compress), STATUS_OK);
    cr_assert_eq(compress_decode(compress, packed, packed_size, archive, size), STATUS_OK);
    compress_free(compress);
    cr_assert_eq(io_remove(rig->io, DB_RIG_PATH), STATUS_OK);
    if (strstr(name, "killed") != NULL)
        cr_assert_eq(io_make_dir(rig->io, DB_RIG_PATH "-wal"), STATUS_OK);
    for (uint64_t at = 0; at < size;)
        at = put_file(rig, at);
}

static void
see(const char *name)
{
    struct db_rig rig;
    uint64_t first;

    db_rig_init(&rig, 1);
    db_rig_close(&rig);
    unpack(&rig, name);
    rig.options.pool_size = 4 << 20;
    db_rig_open(&rig);
    see_everything(rig.db);
    DB(qtdb_sequence_next(rig.db, "numbers", 1, &first));
    cr_assert_geq(first, 42);
    exec(rig.db, "INSERT INTO town VALUES (78, 'again', 1, NULL, 1, NULL, false)", NULL);
    exec(rig.db, "DELETE FROM town WHERE id = 78", NULL);
    db_rig_close(&rig);
    db_rig_open(&rig);
    see_everything(rig.db);
    db_rig_deinit(&rig);
}

Test(database_golden, a_closed_file_of_version_1)
{
    see("1-closed");
}

Test(database_golden, a_killed_database_of_version_1)
{
    see("1-killed");
}

/* Table definitions of format 3, log records with runs of zeros. */
Test(database_golden, a_closed_file_of_version_2)
{
    see("2-closed");
}

Test(database_golden, a_killed_database_of_version_2)
{
    see("2-killed");
}

Test(database_golden, makes_new_ones_on_request)
{
    const char *folder = getenv("QTDB_GOLDEN_MAKE");

    if (folder == NULL)
        return;
    make(folder, true);
    make(folder, false);
}
