/*
 * Goal: a damaged page under a scan or a large value is an error that names it and costs nothing else;
 * a cursor on a dropped tree says so. (Keys and values out of range, ended transactions, no memory and
 * full disks: test_access.c, test_txn.c, test_commit.c, test_large_value.c.)
 * Method: a bit flipped in every page of a file in turn, then scans from both ends, streams and gets.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { ROWS = 400, VALUE_SIZE = 200000, PAGES = 100 };

static struct db_rig rig;
static uint8_t value[VALUE_SIZE];
static uint8_t found[VALUE_SIZE];

static void
load(void)
{
    struct qtdb_txn *txn = db_begin(rig.db);
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
    struct qtdb_tree *tree;
    uint32_t state = 1;

    for (size_t i = 0; i < VALUE_SIZE; i++)
        value[i] = (uint8_t)((state = state * 1664525 + 1013904223) >> 24);
    DB(qtdb_tree_open(txn, "rows", &options, &tree));
    for (int i = 0; i < ROWS; i++) {
        char key[16];

        (void)snprintf(key, sizeof(key), "%04d", i);
        DB(qtdb_put(txn, tree, key, 4, value + i, 100, QTDB_PUT_INSERT));
    }
    DB(qtdb_tree_open(txn, "values", &options, &tree));
    DB(qtdb_put(txn, tree, "v", 1, value, VALUE_SIZE, QTDB_PUT_INSERT));
    DB(qtdb_commit(txn));
}

static bool
names_page(uint64_t page)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "page %d", (int)page);
    return strstr(qtdb_error_last()->message, text) != NULL;
}

/* The number of the cursor's row. */
static int
row_of(struct qtdb_cursor *cursor)
{
    const void *key;
    const void *row;
    size_t key_size;
    size_t size;
    char text[5] = "";

    qtdb_cursor_row(cursor, &key, &key_size, &row, &size);
    cr_assert_eq(key_size, 4);
    memcpy(text, key, 4);
    int number = (int)strtol(text, NULL, 10);

    cr_assert_eq(size, 100);
    cr_assert_eq(memcmp(row, value + number, 100), 0);
    return number;
}

/* Scans and, where a leaf is damaged, goes on behind it. Returns how many rows were not readable. */
static int
scan_around(struct qtdb_txn *txn, struct qtdb_tree *tree, uint64_t page)
{
    struct qtdb_cursor *cursor;
    int next = 0;
    int lost = 0;
    char key[16];

    DB(qtdb_cursor_open(txn, tree, &cursor));
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);

    while (next < ROWS) {
        if (code == QTDB_OK) {
            cr_assert_eq(row_of(cursor), next);
            next++;
            code = qtdb_cursor_next(cursor);
            continue;
        }
        cr_assert_eq(code, QTDB_CORRUPT);
        cr_assert(names_page(page), "%s", qtdb_error_last()->message);
        const void *row_key = &next;
        size_t size;

        qtdb_cursor_row(cursor, &row_key, &size, &row_key, &size);
        cr_assert_null(row_key);
        lost++;
        (void)snprintf(key, sizeof(key), "%04d", ++next);
        code = qtdb_cursor_seek(cursor, key, 4);
    }
    qtdb_cursor_close(cursor);
    return lost;
}

/* Reads the value a piece at a time; returns how many pieces were not readable. */
static int
stream_around(struct qtdb_txn *txn, uint64_t page)
{
    struct qtdb_value_reader *reader;
    struct qtdb_tree *tree;
    int lost = 0;

    DB(qtdb_tree_open(txn, "values", NULL, &tree));
    enum qtdb_code code = qtdb_value_open(txn, tree, "v", 1, &reader);

    if (code != QTDB_OK) {
        cr_assert_eq(code, QTDB_CORRUPT);
        cr_assert(names_page(page));
        return 1;
    }
    for (size_t at = 0; at < VALUE_SIZE; at += 5000) {
        size_t part = 0;

        code = qtdb_value_read(reader, at, found, 5000, &part);
        if (code == QTDB_OK) {
            cr_assert_eq(part, 5000);
            cr_assert_eq(memcmp(found, value + at, part), 0);
            continue;
        }
        cr_assert_eq(code, QTDB_CORRUPT);
        cr_assert(names_page(page), "%s", qtdb_error_last()->message);
        lost++;
    }
    qtdb_value_close(reader);
    return lost;
}

/* covers: B9 */
Test(bad_input, a_damaged_page_is_named_and_the_rest_is_read)
{
    int scans_hurt = 0;
    int streams_hurt = 0;

    db_rig_init(&rig, 1);
    load();
    db_rig_close(&rig);
    rig.options.read_only = true;
    rig.options.create = false;
    for (uint64_t page = 5; page < PAGES; page++) {
        uint64_t bit = (page * 4096 + 1500) * 8;

        if (io_sim_flip_bit(rig.io, DB_RIG_PATH, bit) != STATUS_OK)
            break;
        db_rig_open(&rig);
        struct qtdb_txn *txn = db_begin_read(rig.db);
        struct qtdb_tree *tree;
        enum qtdb_code code = qtdb_tree_open(txn, "rows", NULL, &tree);

        DB(code);
        int lost = scan_around(txn, tree, page);
        int pieces = stream_around(txn, page);

        cr_assert(lost == 0 || pieces == 0);
        scans_hurt += lost > 0 && lost < ROWS;
        streams_hurt += pieces > 0;
        cr_assert(pieces <= 9 || pieces == VALUE_SIZE / 5000);
        qtdb_rollback(txn);
        db_rig_close(&rig);
        cr_assert_eq(io_sim_flip_bit(rig.io, DB_RIG_PATH, bit), STATUS_OK);
    }
    cr_assert_gt(scans_hurt, 5);
    cr_assert_gt(streams_hurt, 40);
    db_rig_open(&rig);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(bad_input, a_cursor_on_a_dropped_tree)
{
    struct qtdb_cursor *cursor;
    struct qtdb_txn *other;
    struct qtdb_txn *txn;
    struct qtdb_tree *tree;

    db_rig_init(&rig, 2);
    load();
    /* Dropped by another: this one still sees it, to the end. */
    txn = db_begin_read(rig.db);
    DB(qtdb_tree_open(txn, "rows", NULL, &tree));
    DB(qtdb_cursor_open(txn, tree, &cursor));
    DB(qtdb_cursor_seek(cursor, NULL, 0));
    other = db_begin(rig.db);
    DB(qtdb_tree_drop(other, "rows"));
    DB(qtdb_commit(other));
    for (int i = 0; i < ROWS; i++) {
        cr_assert_eq(row_of(cursor), i);
        cr_assert_eq(qtdb_cursor_next(cursor), i + 1 < ROWS ? QTDB_OK : QTDB_NOT_FOUND);
    }
    qtdb_rollback(txn);
    DB_REFUSED(qtdb_cursor_seek(cursor, NULL, 0), QTDB_INVALID);
    qtdb_cursor_close(cursor);
    /* Dropped by the transaction itself. */
    txn = db_begin(rig.db);
    DB(qtdb_tree_open(txn, "values", NULL, &tree));
    DB(qtdb_cursor_open(txn, tree, &cursor));
    DB(qtdb_cursor_seek(cursor, NULL, 0));
    DB(qtdb_tree_drop(txn, "values"));
    cr_assert_eq(qtdb_cursor_next(cursor), QTDB_NOT_FOUND);
    cr_assert_eq(qtdb_cursor_seek(cursor, NULL, 0), QTDB_NOT_FOUND);
    DB_REFUSED(qtdb_put(txn, tree, "a", 1, "b", 1, QTDB_PUT_ANY), QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
    qtdb_rollback(txn);
    db_check(rig.db);
    db_rig_deinit(&rig);
}
