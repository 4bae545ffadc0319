/*
 * Goal: large values are there whole or not at all, for every snapshot as it saw them, in bounded memory;
 * no page of one is ever lost, whatever ends the transaction.
 * Method: values of many sizes, put whole and as streams, compared byte by byte through get, cursors and
 * streams; page counts before and after; a power cut and a failure of memory or disk at every place.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { LARGE = 300000, SIZE_MAX_TESTED = 700000 };

static struct db_rig rig;
static uint8_t expected[SIZE_MAX_TESTED];
static uint8_t found[SIZE_MAX_TESTED];

/* Bytes that do not compress, or (`plain`) do. */
static const uint8_t *
fill(uint64_t seed, size_t size, bool plain)
{
    uint64_t state = seed * 2 + 1;

    cr_assert_leq(size, SIZE_MAX_TESTED);
    for (size_t i = 0; i < size; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        expected[i] = plain ? (uint8_t)(seed + i / 1000) : (uint8_t)(state >> 56);
    }
    return expected;
}

static struct qtdb_tree *
open_tree(struct qtdb_txn *txn)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
    struct qtdb_tree *tree;

    DB(qtdb_tree_open(txn, "values", &options, &tree));
    return tree;
}

static void
put_as(struct qtdb_txn *txn, const char *key, uint64_t seed, size_t size, bool plain)
{
    DB(qtdb_put(txn, open_tree(txn), key, strlen(key), fill(seed, size, plain), size,
                QTDB_PUT_ANY));
}

static void
put_now(const char *key, uint64_t seed, size_t size)
{
    struct qtdb_txn *txn = db_begin(rig.db);

    put_as(txn, key, seed, size, false);
    DB(qtdb_commit(txn));
}

static void
delete_now(const char *key)
{
    struct qtdb_txn *txn = db_begin(rig.db);

    DB(qtdb_delete(txn, open_tree(txn), key, strlen(key)));
    DB(qtdb_commit(txn));
}

/* In pieces of a size that fits nothing. */
static void
expect_stream(struct qtdb_txn *txn, const char *key, size_t size)
{
    struct qtdb_value_reader *reader;
    size_t part = 0;

    DB(qtdb_value_open(txn, open_tree(txn), key, strlen(key), &reader));
    cr_assert_eq(qtdb_value_size(reader), size);
    for (size_t at = 0; at < size; at += part) {
        DB(qtdb_value_read(reader, at, found, 10007, &part));
        cr_assert_eq(part, size - at < 10007 ? size - at : 10007);
        cr_assert_eq(memcmp(found, expected + at, part), 0);
    }
    DB(qtdb_value_read(reader, size, found, 1, &part));
    cr_assert_eq(part, 0);
    DB(qtdb_value_read(reader, size / 2, found, size, &part));
    cr_assert_eq(part, size - size / 2);
    cr_assert_eq(memcmp(found, expected + size / 2, part), 0);
    qtdb_value_close(reader);
}

static void
expect_cursor(struct qtdb_txn *txn, const char *key, size_t size)
{
    struct qtdb_cursor *cursor;
    const void *row_key;
    const void *value;
    size_t key_size;
    size_t value_size;

    DB(qtdb_cursor_open(txn, open_tree(txn), &cursor));
    DB(qtdb_cursor_seek(cursor, key, strlen(key)));
    qtdb_cursor_row(cursor, &row_key, &key_size, &value, &value_size);
    cr_assert_eq(key_size, strlen(key));
    cr_assert_eq(memcmp(row_key, key, key_size), 0);
    cr_assert_eq(value_size, size);
    cr_assert_eq(memcmp(value, expected, size), 0);
    qtdb_cursor_close(cursor);
}

/* The transaction sees the value by every way of reading. */
static void
expect(struct qtdb_txn *txn, const char *key, uint64_t seed, size_t size, bool plain)
{
    struct qtdb_tree *tree = open_tree(txn);
    size_t room = size - 1;

    fill(seed, size, plain);
    cr_assert_eq(qtdb_get(txn, tree, key, strlen(key), found, &room), QTDB_FULL);
    cr_assert_eq(room, size);
    DB(qtdb_get(txn, tree, key, strlen(key), found, &room));
    cr_assert_eq(room, size);
    cr_assert_eq(memcmp(found, expected, size), 0);
    expect_stream(txn, key, size);
    expect_cursor(txn, key, size);
}

static void
expect_now(const char *key, uint64_t seed, size_t size)
{
    struct qtdb_txn *txn = db_begin_read(rig.db);

    expect(txn, key, seed, size, false);
    qtdb_rollback(txn);
}

static void
expect_none(struct qtdb *db, const char *key)
{
    struct qtdb_txn *txn = db_begin_read(db);
    struct qtdb_value_reader *reader;
    size_t room = 0;

    cr_assert_eq(qtdb_get(txn, open_tree(txn), key, strlen(key), found, &room), QTDB_NOT_FOUND);
    DB_REFUSED(qtdb_value_open(txn, open_tree(txn), key, strlen(key), &reader), QTDB_NOT_FOUND);
    qtdb_rollback(txn);
}

static void
no_finding(void *context, const struct pager_finding *finding)
{
    (void)context;
    cr_assert_fail("page %u: %s", finding->page_number, finding->reason);
}

/* All that is to be freed is freed; returns the pages in use. */
static uint64_t
drain(struct qtdb *db)
{
    struct pager_check_result result;
    bool more = true;

    for (int i = 0; i < 20000 && (more || i < 20); i++)
        cr_assert_eq(background__step(db, &more), STATUS_OK);
    cr_assert_eq(pager_check(db->pager, no_finding, NULL, &result), STATUS_OK);
    return result.used_count;
}

static void
begin(uint64_t seed)
{
    db_rig_init(&rig, seed);
    put_now("first", 1, 10);
    (void)drain(rig.db);
}

/* covers: T1 */
Test(value, of_any_size_reads_as_it_was_put)
{
    const size_t sizes[] = {1,     1024,  1025,  4032,  4033,   32256,  32257,  64511, 64512,
                            64513, 64514, 96768, 96769, 129024, 129025, 300000, 700000};

    begin(1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int plain = 0; plain < 2; plain++) {
            struct qtdb_txn *txn = db_begin(rig.db);

            put_as(txn, "key", i, sizes[i], plain);
            expect(txn, "key", i, sizes[i], plain);
            DB(qtdb_commit(txn));
            txn = db_begin_read(rig.db);
            expect(txn, "key", i, sizes[i], plain);
            qtdb_rollback(txn);
        }
    }
    db_check(rig.db);
    db_rig_kill(&rig);
    db_rig_open(&rig);
    struct qtdb_txn *txn = db_begin_read(rig.db);

    expect(txn, "key", 16, 700000, true);
    qtdb_rollback(txn);
    db_rig_deinit(&rig);
}

/* covers: T1, T17 */
Test(value, of_older_snapshots_stays_until_they_end)
{
    uint64_t used;

    begin(2);
    put_now("key", 3, LARGE);
    used = drain(rig.db);
    struct qtdb_txn *old = db_begin_read(rig.db);

    put_now("key", 4, LARGE + 5000);
    struct qtdb_txn *middle = db_begin_read(rig.db);

    delete_now("key");
    (void)drain(rig.db);
    expect(old, "key", 3, LARGE, false);
    expect(middle, "key", 4, LARGE + 5000, false);
    expect_none(rig.db, "key");
    db_check(rig.db);
    qtdb_rollback(old);
    expect(middle, "key", 4, LARGE + 5000, false);
    qtdb_rollback(middle);
    cr_assert_lt(drain(rig.db) + LARGE / 4096, used + 3);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* covers: T4, T9, T17 */
Test(value, that_is_not_committed_gives_its_pages_back)
{
    struct qtdb_value_writer *writer;
    struct qtdb_txn *txn;
    uint64_t used;
    uint64_t mark;

    begin(3);
    used = drain(rig.db);
    txn = db_begin(rig.db);
    put_as(txn, "key", 5, LARGE, false);
    db_check(rig.db);
    (void)drain(rig.db);
    expect(txn, "key", 5, LARGE, false);
    qtdb_rollback(txn);
    cr_assert_leq(drain(rig.db), used + 1);
    expect_none(rig.db, "key");

    txn = db_begin(rig.db);
    put_as(txn, "small", 6, 100, false);
    DB(qtdb_savepoint(txn, &mark));
    put_as(txn, "key", 7, LARGE, false);
    DB(qtdb_rollback_to(txn, mark));
    put_as(txn, "twice", 8, LARGE, false);
    put_as(txn, "twice", 9, 20, false);
    DB(qtdb_value_create(txn, open_tree(txn), "w", 1, QTDB_PUT_ANY, &writer));
    DB(qtdb_value_write(writer, fill(10, LARGE, false), LARGE));
    DB(qtdb_commit(txn));
    qtdb_value_discard(writer);
    cr_assert_leq(drain(rig.db), used + 1);
    expect_none(rig.db, "key");
    expect_none(rig.db, "w");
    expect_now("twice", 9, 20);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* covers: T17 */
Test(value, of_a_dropped_tree_is_freed_with_it)
{
    struct qtdb_txn *txn;
    uint64_t used;

    begin(4);
    used = drain(rig.db);
    put_now("a", 1, LARGE);
    put_now("b", 2, 20000);
    put_now("c", 3, LARGE);
    txn = db_begin(rig.db);
    put_as(txn, "c", 4, LARGE, false);
    DB(qtdb_tree_drop(txn, "values"));
    DB(qtdb_commit(txn));
    db_check(rig.db);
    cr_assert_leq(drain(rig.db), used + 1);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(value, is_written_as_a_stream)
{
    const size_t sizes[] = {0, 1, 5000, 64512, 64513, LARGE};

    begin(5);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct qtdb_txn *txn = db_begin(rig.db);
        struct qtdb_value_writer *writer;
        size_t part;

        fill(i, sizes[i], false);
        DB(qtdb_value_create(txn, open_tree(txn), "key", 3, QTDB_PUT_ANY, &writer));
        for (size_t at = 0; at < sizes[i]; at += part) {
            part = sizes[i] - at < 7001 ? sizes[i] - at : 7001;
            DB(qtdb_value_write(writer, expected + at, part));
        }
        if (i == 0)
            expect_none(rig.db, "key");
        DB(qtdb_value_finish(writer));
        DB_REFUSED(qtdb_value_finish(writer), QTDB_INVALID);
        DB_REFUSED(qtdb_value_write(writer, "x", 1), QTDB_INVALID);
        qtdb_value_discard(writer);
        if (sizes[i] > 0)
            expect(txn, "key", i, sizes[i], false);
        DB(qtdb_commit(txn));
        if (sizes[i] > 0)
            expect_now("key", i, sizes[i]);
        else
            cr_assert_str_eq(db_look(rig.db, db_tree(rig.db, "values"), "key"), "");
    }
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(value, stream_answers_for_modes_and_ends_with_its_transaction)
{
    struct qtdb_value_writer *writer;
    struct qtdb_value_reader *reader;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    size_t part;

    begin(6);
    put_now("key", 1, LARGE);
    txn = db_begin(rig.db);
    tree = open_tree(txn);
    DB_REFUSED(qtdb_value_create(txn, tree, "key", 3, QTDB_PUT_INSERT, &writer), QTDB_EXISTS);
    DB_REFUSED(qtdb_value_create(txn, tree, "new", 3, QTDB_PUT_REPLACE, &writer), QTDB_NOT_FOUND);
    DB_REFUSED(qtdb_value_create(txn, tree, "", 0, QTDB_PUT_ANY, &writer), QTDB_INVALID);
    DB(qtdb_value_create(txn, tree, "new", 3, QTDB_PUT_INSERT, &writer));
    DB(qtdb_value_write(writer, "value", 5));
    DB(db_put(txn, tree, "new", "faster"));
    DB_REFUSED(qtdb_value_finish(writer), QTDB_EXISTS);
    DB(qtdb_value_open(txn, tree, "key", 3, &reader));
    DB(qtdb_commit(txn));
    DB_REFUSED(qtdb_value_read(reader, 0, found, 1, &part), QTDB_INVALID);
    DB_REFUSED(qtdb_value_write(writer, "x", 1), QTDB_INVALID);
    DB_REFUSED(qtdb_value_finish(writer), QTDB_INVALID);
    qtdb_value_close(reader);
    qtdb_value_discard(writer);
    cr_assert_str_eq(db_look(rig.db, tree, "new"), "faster");
    qtdb_value_close(NULL);
    qtdb_value_discard(NULL);
    db_rig_deinit(&rig);
}

/* covers: T13 */
Test(value, reader_ends_with_its_statement)
{
    struct qtdb_value_reader *reader;
    struct qtdb_txn *txn;
    size_t part;

    begin(7);
    put_now("key", 1, LARGE);
    txn = db_begin_as(rig.db, QTDB_READ_COMMITTED);
    DB(qtdb_value_open(txn, open_tree(txn), "key", 3, &reader));
    DB(qtdb_value_read(reader, 0, found, 10, &part));
    delete_now("key");
    DB(qtdb_refresh(txn));
    DB_REFUSED(qtdb_value_read(reader, 0, found, 10, &part), QTDB_INVALID);
    qtdb_value_close(reader);
    qtdb_rollback(txn);
    db_rig_deinit(&rig);
}

Test(value, over_the_limit_is_refused_and_the_transaction_goes_on)
{
    struct qtdb_value_writer *writer;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    begin(8);
    txn = db_begin(rig.db);
    tree = open_tree(txn);
    DB_REFUSED(qtdb_put(txn, tree, "k", 1, "", (size_t)QTDB_VALUE_SIZE_MAX + 1, QTDB_PUT_ANY),
               QTDB_INVALID);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "54000");
    DB(qtdb_value_create(txn, tree, "k", 1, QTDB_PUT_ANY, &writer));
    DB(qtdb_value_write(writer, "abc", 3));
    DB_REFUSED(qtdb_value_write(writer, "", (size_t)QTDB_VALUE_SIZE_MAX - 2), QTDB_INVALID);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "54000");
    DB_REFUSED(qtdb_value_finish(writer), QTDB_INVALID);
    qtdb_value_discard(writer);
    DB(db_put(txn, tree, "other", "fine"));
    DB(qtdb_commit(txn));
    cr_assert_str_eq(db_look(rig.db, tree, "other"), "fine");
    expect_none(rig.db, "k");
    db_rig_deinit(&rig);
}

static uint64_t
pages_of_plain(const char *name, bool no_compression, size_t size)
{
    struct qtdb_tree_options options = {
        .size = sizeof(options), .create = true, .no_compression = no_compression};
    struct qtdb_txn *txn = db_begin(rig.db);
    uint64_t before = drain(rig.db);
    struct qtdb_tree *tree;

    DB(qtdb_tree_open(txn, name, &options, &tree));
    DB(qtdb_put(txn, tree, "k", 1, fill(1, size, true), size, QTDB_PUT_ANY));
    DB(qtdb_commit(txn));
    return drain(rig.db) - before;
}

/* covers: B12 */
Test(value, is_compressed_where_that_saves_a_page)
{
    begin(9);
    cr_assert_leq(pages_of_plain("medium", false, 40000), 3);
    cr_assert_geq(pages_of_plain("medium-plain", true, 40000), 11);
    cr_assert_leq(pages_of_plain("large", false, 600000), 30);
    cr_assert_geq(pages_of_plain("large-plain", true, 600000), 149);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* A value far larger than the pool, through streams; memory stays what it was. */
Test(value, is_larger_than_the_pool)
{
    enum { SIZE = 12 << 20, STEP = 1 << 19 };
    struct qtdb_value_writer *writer;
    struct qtdb_value_reader *reader;
    struct qtdb_txn *txn;
    uint64_t used;
    size_t part;

    begin(10); /* The pool has 1 MiB. */
    used = drain(rig.db);
    txn = db_begin(rig.db);
    DB(qtdb_value_create(txn, open_tree(txn), "key", 3, QTDB_PUT_ANY, &writer));
    for (size_t at = 0; at < SIZE; at += STEP)
        DB(qtdb_value_write(writer, fill(at, STEP, false), STEP));
    DB(qtdb_value_finish(writer));
    qtdb_value_discard(writer);
    cr_assert_lt(memory_used(rig.memory, MEMORY_WRITE_SET), 1 << 20);
    DB(qtdb_commit(txn));
    db_rig_kill(&rig);
    db_rig_open(&rig);
    txn = db_begin_read(rig.db);
    DB(qtdb_value_open(txn, open_tree(txn), "key", 3, &reader));
    cr_assert_eq(qtdb_value_size(reader), SIZE);
    for (size_t at = 0; at < SIZE; at += STEP) {
        DB(qtdb_value_read(reader, at, found, STEP, &part));
        cr_assert_eq(memcmp(found, fill(at, STEP, false), STEP), 0);
    }
    qtdb_value_close(reader);
    qtdb_rollback(txn);
    delete_now("key");
    uint64_t left = drain(rig.db);

    cr_assert_leq(left, used + 2, "%d pages, not %d", (int)left, (int)used);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* ---- Faults ------------------------------------------------------------------------------------- */

enum { STATES_MAX = 600 };

struct cutter {
    struct io *states[STATES_MAX];
    uint32_t count;
    uint64_t seed;
};

static void
on_operation(void *context, const struct io_sim_event *event)
{
    static const enum io_sim_crash_mode modes[] = {IO_SIM_CRASH_LOST, IO_SIM_CRASH_KEPT,
                                                   IO_SIM_CRASH_RANDOM, IO_SIM_CRASH_PROCESS};
    struct cutter *cutter = context;
    struct io_sim_crash crash = {.mode = modes[cutter->seed % 4], .seed = cutter->seed};

    cutter->seed++;
    if (event->op == IO_SIM_READ || cutter->count == STATES_MAX)
        return;
    cr_assert_eq(io_sim_fork(rig.io, &crash, rig.disk_memory, &cutter->states[cutter->count]),
                 STATUS_OK);
    cutter->count++;
}

/* Which of the two values the key has; 0: none. The database is whole in any case. */
static int
value_in(struct qtdb *db)
{
    struct qtdb_txn *txn = db_begin_read(db);
    size_t size = sizeof(found);
    enum qtdb_code code = qtdb_get(txn, open_tree(txn), "key", 3, found, &size);
    int which = 0;

    cr_assert(code == QTDB_OK || code == QTDB_NOT_FOUND);
    if (code == QTDB_OK) {
        which = size == LARGE ? 1 : 2;
        cr_assert_eq(size, which == 1 ? LARGE : LARGE + 1);
        cr_assert_eq(memcmp(found, fill((uint64_t)which, size, false), size), 0);
    }
    qtdb_rollback(txn);
    return which;
}

/* covers: T4, T5, T8, T17 */
Test(value, is_whole_or_absent_at_every_cut)
{
    static struct cutter cutter;
    uint32_t seen[3] = {0};
    uint64_t used;

    begin(11);
    put_now("key", 1, LARGE);
    used = drain(rig.db);
    io_sim_watch(rig.io, on_operation, &cutter);
    put_now("key", 2, LARGE + 1);
    (void)drain(rig.db);
    delete_now("key");
    (void)drain(rig.db);
    io_sim_watch(rig.io, NULL, NULL);
    cr_assert_gt(cutter.count, 30);
    cr_assert_lt(cutter.count, STATES_MAX);
    for (uint32_t i = 0; i < cutter.count; i++) {
        struct env env = {.memory = rig.memory, .io = cutter.states[i]};
        struct qtdb *db;

        cr_assert_eq(database_open_env(&env, DB_RIG_PATH, &rig.options, &db), STATUS_OK);
        int which = value_in(db);

        seen[which]++;
        db_check(db);
        /* Nothing of the other value is left. */
        uint64_t kept = drain(db);

        cr_assert_leq(kept, used + 2, "state %d: %d pages, not %d", (int)i, (int)kept, (int)used);
        cr_assert(which != 0 || kept < used - 70);
        db_check(db);
        DB(qtdb_close(db));
        io_close_all(cutter.states[i]);
    }
    cr_assert(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
    db_rig_deinit(&rig);
}

/* One attempt to replace the value through a stream. */
static enum qtdb_code
replace(struct qtdb *db)
{
    struct qtdb_value_writer *writer = NULL;
    struct qtdb_txn *txn;
    struct qtdb_tree *tree;
    enum qtdb_code code = qtdb_begin(db, NULL, &txn);

    if (code != QTDB_OK)
        return code;
    code = qtdb_tree_open(txn, "values", NULL, &tree);
    if (code == QTDB_OK)
        code = qtdb_value_create(txn, tree, "key", 3, QTDB_PUT_ANY, &writer);
    if (code == QTDB_OK)
        code = qtdb_value_write(writer, fill(2, LARGE + 1, false), LARGE + 1);
    if (code == QTDB_OK)
        code = qtdb_value_finish(writer);
    qtdb_value_discard(writer);
    if (code == QTDB_OK)
        return qtdb_commit(txn);
    qtdb_rollback(txn);
    return code;
}

/* covers: T4, T17 */
Test(value, every_allocation_that_fails_is_a_clean_refusal)
{
    enum qtdb_code code = QTDB_NO_MEMORY;
    uint64_t failures = 0;

    begin(12);
    put_now("key", 1, LARGE);
    uint64_t used = drain(rig.db);

    for (uint64_t index = 0; code != QTDB_OK; index++) {
        memory_fail_at(rig.memory, index, false);
        code = replace(rig.db);
        bool failed = memory_failed(rig.memory);

        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert(code == QTDB_NO_MEMORY || code == QTDB_OK, "%d", (int)code);
        if (code == QTDB_OK && failed) { /* A compression or a background step went without. */
            put_now("key", 1, LARGE);
            code = QTDB_NO_MEMORY;
        }
        failures += failed;
        cr_assert(!failed || value_in(rig.db) == 1);
        cr_assert_leq(drain(rig.db), used + 3);
    }
    cr_assert_gt(failures, 10);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* covers: T17 */
Test(value, on_a_full_disk_is_refused_and_nothing_is_lost)
{
    enum qtdb_code code = QTDB_FULL;
    uint32_t refusals = 0;

    for (uint64_t size = 600000; code == QTDB_FULL; size += 100000) {
        begin(13);
        put_now("key", 1, LARGE);
        uint64_t used = drain(rig.db);

        DB(qtdb_checkpoint(rig.db));
        io_sim_set_disk_size(rig.io, size);
        code = replace(rig.db);
        cr_assert(code == QTDB_FULL || code == QTDB_OK, "%d", (int)code);
        cr_assert_eq(value_in(rig.db), code == QTDB_OK ? 2 : 1);
        refusals += code == QTDB_FULL;
        io_sim_set_disk_size(rig.io, 0);
        cr_assert_leq(drain(rig.db), used + 3);
        db_check(rig.db);
        db_rig_deinit(&rig);
    }
    cr_assert_gt(refusals, 2);
}

/* covers: T4, T17 */
Test(value, every_operation_of_the_disk_that_fails_loses_nothing)
{
    enum qtdb_code code = QTDB_IO;
    uint32_t failures = 0;

    for (uint64_t index = 0; code != QTDB_OK; index++) {
        begin(14);
        put_now("key", 1, LARGE);
        uint64_t used = drain(rig.db);

        io_sim_fail_at(rig.io, io_sim_op_count(rig.io) + index, IO_SIM_FAULT_EIO, false);
        code = replace(rig.db);
        bool failed = io_sim_failed(rig.io);

        cr_assert(code == QTDB_OK || code == QTDB_IO || code == QTDB_FAILED, "%d", (int)code);
        db_rig_kill(&rig);
        io_sim_fail_at(rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
        db_rig_open(&rig);
        int which = value_in(rig.db);

        cr_assert(which == 2 || (which == 1 && code != QTDB_OK));
        cr_assert_leq(drain(rig.db), used + 3);
        db_check(rig.db);
        db_rig_deinit(&rig);
        failures += failed;
        if (code == QTDB_OK && failed)
            code = QTDB_IO; /* A read ahead, or work in the background. */
    }
    cr_assert_gt(failures, 10);
}
