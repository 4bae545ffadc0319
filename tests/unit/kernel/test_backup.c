/*
 * Goal: a backup is the database as it was at one moment, however much changes while it is made; a
 * compacted file has the same rows and no gaps; shrinking makes the file shorter. Each is there whole
 * or not at all, and a damaged page is named and not copied.
 * Method: money moves between accounts, and large values come and go, in the progress callback of a
 * backup on the simulated disk; the copy is opened, checked and added up. A power cut, a failed
 * allocation and a failed operation at every place.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/compress.h"
#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { ACCOUNTS = 400, FUNDS = 1000, VALUE_SIZE = 150000 };

#define COPY "/copy.qtdb"

static struct db_rig rig;
static uint8_t value[VALUE_SIZE];

static struct qtdb_tree *
open_tree(struct qtdb_txn *txn, const char *name)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
    struct qtdb_tree *tree;

    DB(qtdb_tree_open(txn, name, &options, &tree));
    return tree;
}

static void
key_of(int account, char key[32])
{
    (void)snprintf(key, 32, "%s/%04d", "account", account);
}

static int
funds_of(struct qtdb_txn *txn, struct qtdb_tree *tree, int account)
{
    char key[32];
    int funds = 0;
    size_t size = sizeof(funds);

    key_of(account, key);
    DB(qtdb_get(txn, tree, key, strlen(key), &funds, &size));
    return funds;
}

static void
set_funds(struct qtdb_txn *txn, struct qtdb_tree *tree, int account, int funds)
{
    uint8_t row[120] = {0};
    char key[32];

    key_of(account, key);
    memcpy(row, &funds, sizeof(funds));
    DB(qtdb_put(txn, tree, key, strlen(key), row, sizeof(funds), QTDB_PUT_ANY));
}

static void
transfer(struct qtdb *db, int round)
{
    struct qtdb_txn *txn = db_begin(db);
    struct qtdb_tree *tree = open_tree(txn, "accounts");
    int from = round * 37 % ACCOUNTS;
    int to = (from + 1 + round * 11 % (ACCOUNTS - 1)) % ACCOUNTS;

    set_funds(txn, tree, from, funds_of(txn, tree, from) - 7);
    set_funds(txn, tree, to, funds_of(txn, tree, to) + 7);
    DB(qtdb_commit(txn));
}

/* Nothing that compresses. */
static uint8_t
byte_at(uint8_t seed, size_t index)
{
    uint32_t mixed = (uint32_t)index * 2654435761u;

    mixed = (mixed ^ mixed >> 15) * 2246822519u;
    return (uint8_t)(seed + (mixed >> 13));
}

static void
put_value_as(struct qtdb *db, const char *key, uint8_t seed)
{
    struct qtdb_txn *txn = db_begin(db);

    for (size_t i = 0; i < VALUE_SIZE; i++)
        value[i] = byte_at(seed, i);
    DB(qtdb_put(txn, open_tree(txn, "values"), key, strlen(key), value, VALUE_SIZE, QTDB_PUT_ANY));
    DB(qtdb_commit(txn));
}

static void
put_value(struct qtdb *db, uint8_t seed)
{
    put_value_as(db, "v", seed);
}

static void
begin(uint64_t seed)
{
    struct qtdb_txn *txn;

    db_rig_init(&rig, seed);
    for (int account = 0; account < ACCOUNTS; account += 50) {
        txn = db_begin(rig.db);
        for (int i = account; i < account + 50; i++)
            set_funds(txn, open_tree(txn, "accounts"), i, FUNDS);
        DB(qtdb_commit(txn));
    }
    put_value(rig.db, 1);
    for (int i = 0; i < 8; i++)
        put_value_as(rig.db, (char[2]){(char)('a' + i), '\0'}, (uint8_t)i);
}

/* Rows of the tree; adds the funds up where they are accounts. */
static int
count(struct qtdb *db, const char *name, long *sum_out)
{
    struct qtdb_txn *txn = db_begin_read(db);
    struct qtdb_cursor *cursor;
    struct qtdb_tree *tree;
    int rows = 0;

    *sum_out = 0;
    DB(qtdb_tree_open(txn, name, NULL, &tree));
    DB(qtdb_cursor_open(txn, tree, &cursor));
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);

    for (; code == QTDB_OK; code = qtdb_cursor_next(cursor)) {
        const void *key;
        const void *row;
        size_t key_size;
        size_t size;
        int funds;

        qtdb_cursor_row(cursor, &key, &key_size, &row, &size);
        memcpy(&funds, row, sizeof(funds));
        *sum_out += funds;
        rows++;
    }
    cr_assert_eq(code, QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
    qtdb_rollback(txn);
    return rows;
}

/* The large value is one of those that were there. */
static void
expect_value(struct qtdb *db)
{
    struct qtdb_txn *txn = db_begin_read(db);
    size_t size = VALUE_SIZE;

    DB(qtdb_get(txn, open_tree(txn, "values"), "v", 1, value, &size));
    cr_assert_eq(size, VALUE_SIZE);
    for (size_t i = 0; i < VALUE_SIZE; i++)
        cr_assert_eq(value[i], byte_at(value[0], i));
    qtdb_rollback(txn);
}

static struct qtdb *
open_copy(struct io *io, const char *path)
{
    struct env env = {.memory = rig.memory, .io = io};
    struct qtdb_options options = rig.options;
    struct qtdb *db;

    options.create = false;
    cr_assert_eq(database_open_env(&env, path, &options, &db), STATUS_OK, "%s", error_message());
    return db;
}

static void
expect_copy(struct io *io)
{
    struct qtdb *db = open_copy(io, COPY);
    long sum;

    db_check(db);
    cr_assert_eq(count(db, "accounts", &sum), ACCOUNTS);
    cr_assert_eq(sum, (long)ACCOUNTS * FUNDS);
    expect_value(db);
    /* It takes changes like any other. */
    transfer(db, 3);
    put_value(db, 9);
    DB(qtdb_close(db));
    db = open_copy(io, COPY);
    db_check(db);
    expect_value(db);
    DB(qtdb_close(db));
}

static bool
copy_exists(struct io *io, const char *path)
{
    struct io_file *file;

    if (io_open(io, path, 0, &file) != STATUS_OK)
        return false;
    io_close(file);
    return true;
}

/* ---- Backup ------------------------------------------------------------------------------------- */

struct beside {
    int rounds;
    int rounds_max;
    uint32_t passes;
    bool again;
};

static bool
change_beside(void *context, const struct qtdb_backup_progress *progress)
{
    struct beside *beside = context;

    cr_assert_eq(progress->size, sizeof(*progress));
    cr_assert_leq(progress->page_done, progress->page_count);
    beside->passes = progress->pass;
    if (beside->again) {
        DB_REFUSED(qtdb_backup(rig.db, "/other.qtdb", NULL), QTDB_BUSY);
        beside->again = false;
    }
    if (beside->rounds >= beside->rounds_max)
        return true;
    for (int i = 0; i < 5; i++)
        transfer(rig.db, beside->rounds++);
    if (beside->rounds % 25 == 0)
        put_value(rig.db, (uint8_t)beside->rounds);
    if (beside->rounds % 40 == 0)
        DB(qtdb_checkpoint(rig.db));
    return true;
}

/* covers: P17 */
Test(backup, is_one_moment_of_a_database_that_changes)
{
    struct beside beside = {.rounds_max = 600, .again = true};
    struct qtdb_backup_options options = {
        .size = sizeof(options), .progress = change_beside, .context = &beside};
    long sum;

    begin(1);
    DB(qtdb_backup(rig.db, COPY, &options));
    cr_assert_gt(beside.rounds, 24);
    cr_assert_gt(beside.passes, 1);
    db_check(rig.db);
    expect_copy(rig.io);
    cr_assert_eq(count(rig.db, "accounts", &sum), ACCOUNTS);
    cr_assert_not(copy_exists(rig.io, COPY "-new"));
    cr_assert_not(copy_exists(rig.io, "/other.qtdb-new"));
    DB_REFUSED(qtdb_backup(rig.db, COPY, NULL), QTDB_EXISTS);
    DB(qtdb_backup(rig.db, "/second.qtdb", NULL));
    DB(qtdb_close(open_copy(rig.io, "/second.qtdb")));
    db_rig_deinit(&rig);
}

static bool
stop(void *context, const struct qtdb_backup_progress *progress)
{
    int *calls = context;

    (void)progress;
    return --*calls > 0;
}

Test(backup, that_is_interrupted_leaves_nothing)
{
    int calls = 2;
    struct qtdb_backup_options options = {
        .size = sizeof(options), .progress = stop, .context = &calls};

    begin(2);
    DB_REFUSED(qtdb_backup(rig.db, COPY, &options), QTDB_STOPPED);
    cr_assert_not(copy_exists(rig.io, COPY));
    cr_assert_not(copy_exists(rig.io, COPY "-new"));
    options.size = 0;
    DB_REFUSED(qtdb_backup(rig.db, COPY, &options), QTDB_INVALID);
    DB_REFUSED(qtdb_backup(rig.db, "/no/such/dir/copy", NULL), QTDB_NOT_FOUND);
    DB(qtdb_backup(rig.db, COPY, NULL));
    expect_copy(rig.io);
    db_rig_deinit(&rig);
}

Test(backup, of_a_read_only_handle)
{
    begin(3);
    db_rig_close(&rig);
    rig.options.read_only = true;
    rig.options.create = false;
    db_rig_open(&rig);
    DB(qtdb_backup(rig.db, COPY, NULL));
    db_rig_close(&rig);
    rig.options.read_only = false;
    db_rig_open(&rig);
    expect_copy(rig.io);
    db_rig_deinit(&rig);
}

/* Takes the frames apart and writes what is in them. */
static void
unpack(const char *from, const char *to)
{
    static uint8_t in[1 << 16];
    static uint8_t out[1 << 16];
    struct decompress *stream;
    struct io_file *source;
    struct io_file *target;
    uint64_t offset = 0;
    uint64_t written = 0;
    bool whole = false;
    size_t size = 0;

    cr_assert_eq(decompress_new(rig.memory, &stream), STATUS_OK);
    cr_assert_eq(io_open(rig.io, from, 0, &source), STATUS_OK);
    cr_assert_eq(io_open(rig.io, to, IO_WRITE | IO_CREATE, &target), STATUS_OK);
    for (;;) {
        cr_assert_eq(io_read_some(source, in, sizeof(in), offset, &size), STATUS_OK);
        if (size == 0)
            break;
        struct decompress_piece piece = {
            .in = in, .in_size = size, .out = out, .out_size = sizeof(out)};

        cr_assert_eq(decompress_step(stream, &piece), STATUS_OK);
        cr_assert_eq(io_write(target, out, piece.out_used, written, 0), STATUS_OK);
        offset += piece.in_used;
        written += piece.out_used;
        whole = piece.whole;
    }
    cr_assert(whole);
    cr_assert_lt(offset, written);
    io_close(source);
    io_close(target);
    decompress_free(stream);
}

Test(backup, compressed_is_the_same_file)
{
    struct beside beside = {.rounds_max = 100};
    struct qtdb_backup_options options = {
        .size = sizeof(options), .compress = true, .progress = change_beside, .context = &beside};

    begin(4);
    DB(qtdb_backup(rig.db, "/copy.zst", &options));
    cr_assert_not(copy_exists(rig.io, "/copy.zst-plain"));
    cr_assert_not(copy_exists(rig.io, "/copy.zst-new"));
    DB_REFUSED(qtdb_backup(rig.db, "/copy.zst", &options), QTDB_EXISTS);
    unpack("/copy.zst", COPY);
    expect_copy(rig.io);
    db_rig_deinit(&rig);
}

static bool
shrink_beside(void *context, const struct qtdb_backup_progress *progress)
{
    bool *done = context;

    (void)progress;
    if (*done)
        return true;
    *done = true;
    struct qtdb_txn *txn = db_begin(rig.db);

    DB(qtdb_tree_drop(txn, "filler"));
    DB(qtdb_commit(txn));
    DB(qtdb_shrink(rig.db));
    return true;
}

Test(backup, of_a_file_that_shrinks_meanwhile)
{
    bool done = false;
    struct qtdb_backup_options options = {
        .size = sizeof(options), .progress = shrink_beside, .context = &done};
    struct qtdb_txn *txn;

    begin(12);
    for (int i = 0; i < 20; i++) {
        char key[2] = {(char)('a' + i), '\0'};

        txn = db_begin(rig.db);
        DB(qtdb_put(txn, open_tree(txn, "filler"), key, 1, value, VALUE_SIZE, QTDB_PUT_ANY));
        DB(qtdb_commit(txn));
    }
    DB(qtdb_backup(rig.db, COPY, &options));
    cr_assert(done);
    db_check(rig.db);
    expect_copy(rig.io);
    db_rig_deinit(&rig);
}

/* covers: P17 */
Test(backup, names_a_damaged_page_and_does_not_copy_it)
{
    uint32_t refused = 0;

    begin(5);
    db_rig_close(&rig);
    for (uint64_t page = 5; page < 30; page++) {
        uint64_t bit = (page * 4096 + 2000) * 8;

        cr_assert_eq(io_sim_flip_bit(rig.io, DB_RIG_PATH, bit), STATUS_OK);
        db_rig_open(&rig);
        enum qtdb_code code = qtdb_backup(rig.db, COPY, NULL);

        if (code != QTDB_OK) { /* Else the page is free. */
            char number[32];

            cr_assert_eq(code, QTDB_CORRUPT);
            (void)snprintf(number, sizeof(number), "page %d", (int)page);
            cr_assert_not_null(strstr(qtdb_error_last()->message, number), "%s",
                               qtdb_error_last()->message);
            refused++;
        }
        cr_assert_eq(copy_exists(rig.io, COPY), code == QTDB_OK);
        if (code == QTDB_OK)
            cr_assert_eq(io_remove(rig.io, COPY), STATUS_OK);
        db_rig_close(&rig);
        cr_assert_eq(io_sim_flip_bit(rig.io, DB_RIG_PATH, bit), STATUS_OK);
    }
    cr_assert_gt(refused, 10);
    db_rig_open(&rig);
    db_rig_deinit(&rig);
}

enum { STATES_MAX = 900 };

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

/* covers: P17 */
Test(backup, is_whole_or_absent_at_every_cut)
{
    static struct cutter cutter;
    struct beside beside = {.rounds_max = 15};
    struct qtdb_backup_options options = {
        .size = sizeof(options), .progress = change_beside, .context = &beside};
    uint32_t whole = 0;

    begin(6);
    io_sim_watch(rig.io, on_operation, &cutter);
    DB(qtdb_backup(rig.db, COPY, &options));
    io_sim_watch(rig.io, NULL, NULL);
    cr_assert_gt(cutter.count, 30);
    cr_assert_lt(cutter.count, STATES_MAX);
    for (uint32_t i = 0; i < cutter.count; i++) {
        struct qtdb *db = open_copy(cutter.states[i], DB_RIG_PATH);

        db_check(db);
        DB(qtdb_close(db));
        if (copy_exists(cutter.states[i], COPY)) {
            expect_copy(cutter.states[i]);
            whole++;
        }
        io_close_all(cutter.states[i]);
    }
    cr_assert_gt(whole, 0);
    cr_assert_lt(whole, cutter.count);
    db_rig_deinit(&rig);
}

static enum qtdb_code
backup_compressed(void)
{
    struct qtdb_backup_options options = {.size = sizeof(options), .compress = true};

    return qtdb_backup(rig.db, COPY, &options);
}

static enum qtdb_code
backup_plain(void)
{
    return qtdb_backup(rig.db, COPY, NULL);
}

static enum qtdb_code
compact(void)
{
    struct qtdb_compact_options options = {.size = sizeof(options), .pool_size = 256 * 4096};

    return qtdb_compact(rig.db, COPY, &options);
}

/* The allocation at every index fails once: then there is nothing, or everything. */
static void fail_allocations(enum qtdb_code (*make)(void))
{
    enum qtdb_code code = QTDB_NO_MEMORY;
    uint32_t failures = 0;

    for (uint64_t index = 0; code != QTDB_OK; index++) {
        memory_fail_at(rig.memory, index, false);
        code = make();
        bool failed = memory_failed(rig.memory);

        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert(code == QTDB_NO_MEMORY || code == QTDB_OK, "%d: %s", (int)code,
                  qtdb_error_last()->message);
        cr_assert_eq(copy_exists(rig.io, COPY), code == QTDB_OK);
        cr_assert_not(copy_exists(rig.io, COPY "-new"));
        if (code == QTDB_OK && failed) { /* It could do without. */
            cr_assert_eq(io_remove(rig.io, COPY), STATUS_OK);
            code = QTDB_NO_MEMORY;
        }
        failures += failed;
    }
    cr_assert_gt(failures, 2);
}

Test(backup, every_allocation_that_fails_is_a_clean_refusal)
{
    begin(7);
    fail_allocations(backup_plain);
    expect_copy(rig.io);
    cr_assert_eq(io_remove(rig.io, COPY), STATUS_OK);
    fail_allocations(backup_compressed);
    cr_assert_eq(io_remove(rig.io, COPY), STATUS_OK);
    fail_allocations(compact);
    expect_copy(rig.io);
    db_rig_deinit(&rig);
}

/* The same for operations of the disk. The original goes on, for none of its own were hit, or says
 * that it failed and is opened again. */
static void
fail_operations(enum qtdb_code (*make)(void), enum io_sim_fault fault)
{
    enum qtdb_code code = QTDB_IO;
    uint32_t failures = 0;

    for (uint64_t index = 0; code != QTDB_OK; index++) {
        io_sim_fail_at(rig.io, io_sim_op_count(rig.io) + index, fault, false);
        code = make();
        bool failed = io_sim_failed(rig.io);

        io_sim_fail_at(rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
        cr_assert(failed || code == QTDB_OK);
        if (code == QTDB_OK && failed)
            code = QTDB_IO;
        if (pager_is_failed(rig.db->pager)) {
            db_rig_kill(&rig);
            db_rig_open(&rig);
        }
        if (copy_exists(rig.io, COPY) && failed) {
            if (make != backup_compressed)
                DB(qtdb_close(open_copy(rig.io, COPY)));
            cr_assert_eq(io_remove(rig.io, COPY), STATUS_OK);
        }
        failures += failed;
    }
    cr_assert_gt(failures, 8);
    db_check(rig.db);
}

Test(backup, every_operation_of_the_disk_that_fails_is_a_clean_refusal)
{
    begin(8);
    fail_operations(backup_plain, IO_SIM_FAULT_EIO);
    expect_copy(rig.io);
    cr_assert_eq(io_remove(rig.io, COPY), STATUS_OK);
    fail_operations(backup_plain, IO_SIM_FAULT_ENOSPC);
    cr_assert_eq(io_remove(rig.io, COPY), STATUS_OK);
    fail_operations(backup_compressed, IO_SIM_FAULT_EIO);
    cr_assert_eq(io_remove(rig.io, COPY), STATUS_OK);
    fail_operations(compact, IO_SIM_FAULT_EIO);
    expect_copy(rig.io);
    db_rig_deinit(&rig);
}

/* ---- Compacting and shrinking ------------------------------------------------------------------- */

static uint64_t
pages_of(struct qtdb *db)
{
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};

    qtdb_get_statistics(db, &statistics);
    return statistics.page_count;
}

static void
fill_and_delete(struct qtdb *db)
{
    char key[32];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3000; i += 20) {
            struct qtdb_txn *txn = db_begin(db);
            struct qtdb_tree *tree = open_tree(txn, "filler");

            for (int j = i; j < i + 20; j++) {
                (void)snprintf(key, sizeof(key), "%06d", j * 7919 % 3000);
                if (round == 0)
                    DB(qtdb_put(txn, tree, key, 6, value, 300, QTDB_PUT_ANY));
                else if (j % 10 != 0)
                    DB(qtdb_delete(txn, tree, key, 6));
            }
            DB(qtdb_commit(txn));
        }
    }
}

static bool
count_rows(void *context, uint64_t row_count)
{
    *(uint64_t *)context = row_count;
    transfer(rig.db, (int)row_count);
    return true;
}

Test(compact, has_the_same_rows_in_fewer_pages)
{
    uint64_t rows = 0;
    struct qtdb_compact_options options = {
        .size = sizeof(options), .progress = count_rows, .context = &rows};
    struct qtdb_tree_options numbers = {
        .size = sizeof(numbers), .create = true, .key_kind = QTDB_KEY_INT};
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    uint64_t number;
    struct qtdb *db;
    uint8_t key[8];
    long sum;

    begin(9);
    fill_and_delete(rig.db);
    txn = db_begin(rig.db);
    DB(qtdb_tree_open(txn, "numbers", &numbers, &tree));
    qtdb_key_u64(77, key);
    DB(qtdb_put(txn, tree, key, 8, "x", 1, QTDB_PUT_ANY));
    (void)open_tree(txn, "empty");
    DB(qtdb_commit(txn));
    DB(qtdb_sequence_next(rig.db, "ids", 5, &number));
    DB(qtdb_compact(rig.db, COPY, &options));
    cr_assert_eq(rows, ACCOUNTS + 9 + 300 + 1);
    db = open_copy(rig.io, COPY);
    cr_assert_lt(pages_of(db) + 200, pages_of(rig.db));
    cr_assert_eq(count(db, "filler", &sum), 300);
    cr_assert_eq(count(db, "empty", &sum), 0);
    cr_assert_eq(count(db, "numbers", &sum), 1);
    DB(qtdb_sequence_next(db, "ids", 1, &number));
    cr_assert_geq(number, 6);
    DB(qtdb_close(db));
    expect_copy(rig.io);
    DB_REFUSED(qtdb_compact(rig.db, COPY, &options), QTDB_EXISTS);
    options.size = 0;
    DB_REFUSED(qtdb_compact(rig.db, "/c2", &options), QTDB_INVALID);
    db_rig_deinit(&rig);
}

static bool
refuse(void *context, uint64_t row_count)
{
    (void)context;
    (void)row_count;
    return false;
}

Test(compact, that_is_interrupted_leaves_nothing)
{
    struct qtdb_compact_options options = {.size = sizeof(options), .progress = refuse};

    begin(10);
    DB_REFUSED(qtdb_compact(rig.db, COPY, &options), QTDB_STOPPED);
    cr_assert_not(copy_exists(rig.io, COPY));
    cr_assert_not(copy_exists(rig.io, COPY "-new"));
    cr_assert_eq(io_sim_open_count(rig.io) > 0, true); /* The original is still open. */
    db_rig_deinit(&rig);
}

static uint64_t
file_size(void)
{
    struct io_file *file;
    uint64_t size;

    cr_assert_eq(io_open(rig.io, DB_RIG_PATH, 0, &file), STATUS_OK);
    cr_assert_eq(io_size(file, &size), STATUS_OK);
    io_close(file);
    return size;
}

Test(shrink, makes_the_open_file_shorter)
{
    struct qtdb_txn *txn;
    uint64_t before;
    long sum;

    begin(11);
    fill_and_delete(rig.db);
    before = file_size();
    txn = db_begin(rig.db);
    DB(qtdb_tree_drop(txn, "filler"));
    DB(qtdb_commit(txn));
    DB(qtdb_shrink(rig.db));
    cr_assert_lt(file_size() + 200 * 4096, before, "%d of %d", (int)file_size(), (int)before);
    db_check(rig.db);
    cr_assert_eq(count(rig.db, "accounts", &sum), ACCOUNTS);
    fill_and_delete(rig.db);
    db_check(rig.db);
    db_rig_close(&rig);
    rig.options.read_only = true;
    rig.options.create = false;
    db_rig_open(&rig);
    DB_REFUSED(qtdb_shrink(rig.db), QTDB_READONLY);
    db_rig_deinit(&rig);
}
