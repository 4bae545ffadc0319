/*
 * Goal: opening and closing do what qtdb.h says, on the simulated disk and on a real one; a background
 * thread changes nothing about answers; damage is found by the check.
 * Method: one script a sentence; a handle with its thread under load on a real file system.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/kernel_private.h"
#include "pager/page.h"
#include "tests/support/db_rig.h"

Test(database, a_clean_close_leaves_everything_in_the_file)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_commit(txn));
    db_rig_close(&rig);
    cr_assert_eq(io_list(rig.io, DB_RIG_PATH "-wal", NULL, NULL), STATUS_NOT_FOUND);
    db_rig_open(&rig);
    tree = db_tree(rig.db, "t");
    cr_assert_str_eq(db_look(rig.db, tree, "a"), "1");
    db_rig_deinit(&rig);
}

Test(database, closing_is_refused_while_a_transaction_runs)
{
    struct db_rig rig;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    txn = db_begin(rig.db);
    DB_REFUSED(qtdb_close(rig.db), QTDB_INVALID);
    qtdb_rollback(txn);
    DB(qtdb_close(NULL));
    db_rig_deinit(&rig);
}

Test(database, a_missing_file_and_wrong_options_are_refused)
{
    struct qtdb_options options = {.size = 0};
    struct db_rig rig;
    struct qtdb *db;

    db_rig_init(&rig, 1);
    cr_assert_eq(database_open_env(&rig.env, "/other.qtdb", NULL, &db), STATUS_NOT_FOUND);
    cr_assert_eq(database_open_env(&rig.env, "/other.qtdb", &options, &db), STATUS_INVALID);
    options.size = sizeof(options);
    options.policy = (enum qtdb_policy)7;
    cr_assert_eq(database_open_env(&rig.env, "/other.qtdb", &options, &db), STATUS_INVALID);
    db_rig_deinit(&rig);
    DB_REFUSED(qtdb_open("/no/such/folder/x.qtdb", NULL, &db), QTDB_NOT_FOUND);
}

Test(database, a_read_only_handle_reads_and_refuses_writes)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_commit(txn));
    for (int clean = 0; clean < 2; clean++) {
        if (clean != 0)
            db_rig_close(&rig);
        else
            db_rig_kill(&rig);
        rig.options.read_only = true;
        rig.options.create = false;
        db_rig_open(&rig);
        txn = db_begin(rig.db);
        DB(qtdb_tree_open(txn, "t", NULL, &tree));
        cr_assert_str_eq(db_get(txn, tree, "a"), "1");
        DB_REFUSED(db_put(txn, tree, "b", "1"), QTDB_READONLY);
        DB(qtdb_commit(txn));
        DB_REFUSED(qtdb_checkpoint(rig.db), QTDB_READONLY);
        db_check(rig.db);
        db_rig_close(&rig);
        rig.options.read_only = false;
        db_rig_open(&rig);
    }
    db_rig_deinit(&rig);
}

Test(database, statistics_count)
{
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "abc", "12345"));
    DB(qtdb_commit(txn));
    DB(qtdb_checkpoint(rig.db));
    qtdb_get_statistics(rig.db, &statistics);
    cr_assert_eq(statistics.commit_count, 2);
    cr_assert_eq(statistics.user_size, 8);
    cr_assert_gt(statistics.log_size, 0);
    cr_assert_gt(statistics.page_write_size, 0);
    cr_assert_geq(statistics.checkpoint_count, 1);
    cr_assert_eq(statistics.size, sizeof(statistics));
    struct qtdb_statistics old = {.size = 16};

    qtdb_get_statistics(rig.db, &old);
    cr_assert_eq(old.commit_count, 2);
    cr_assert_eq(old.log_size, 0);
    struct qtdb_statistics cheap = {.size = offsetof(struct qtdb_statistics, pin_count)};

    qtdb_get_statistics(rig.db, &cheap);
    cr_assert_eq(cheap.user_size, 8);
    cr_assert_eq(cheap.log_size, statistics.log_size);
    cr_assert_eq(cheap.page_write_size, statistics.page_write_size);
    cr_assert(cheap.pin_count == 0 && statistics.pin_count > 0);
    db_rig_deinit(&rig);
}

struct damage {
    uint32_t page;
    uint32_t offset;
};

static enum status
damage_body(struct pager_change *change, void *context)
{
    struct damage *damage = context;
    uint8_t *page;

    TRY(pager_change_edit(change, damage->page, &page));
    page[damage->offset] ^= 0x40;
    return STATUS_OK;
}

static enum status
leak_body(struct pager_change *change, void *context)
{
    uint32_t number;
    uint8_t *page;

    (void)context;
    return pager_change_allocate(change, 99, PAGE_TYPE_OVERFLOW, 0, &number, &page);
}

static void
count_line(void *context, const char *line)
{
    cr_assert_gt(strlen(line), 10);
    ++*(int *)context;
}

/* covers: T8 */
Test(database, the_check_finds_damage_and_pages_without_an_owner)
{
    struct damage damage = {.offset = PAGE_HEADER_SIZE + 2};
    struct db_rig rig;
    struct qtdb_tree *tree;
    int lines = 0;
    uint64_t csn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    damage.page = atomic_load(&tree->root);
    db_check(rig.db);
    cr_assert_eq(commit__change(rig.db, damage_body, &damage, &csn), STATUS_OK);
    DB_REFUSED(qtdb_check(rig.db, count_line, &lines), QTDB_CORRUPT);
    cr_assert_geq(lines, 1);
    DB_REFUSED(qtdb_check(rig.db, NULL, NULL), QTDB_CORRUPT);
    cr_assert_eq(commit__change(rig.db, damage_body, &damage, &csn), STATUS_OK);
    db_check(rig.db);
    lines = 0;
    cr_assert_eq(commit__change(rig.db, leak_body, NULL, &csn), STATUS_OK);
    DB_REFUSED(qtdb_check(rig.db, count_line, &lines), QTDB_CORRUPT);
    cr_assert_eq(lines, 1);
    db_rig_deinit(&rig);
}

/* Large values and dropped trees follow the size of the pool too. */
Test(database, the_pool_changes_its_size_while_open)
{
    static uint8_t large[60000];
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};
    struct db_rig rig;
    struct qtdb_tree *tree;

    db_rig_init(&rig, 8);
    db_rig_close(&rig);
    rig.options.pool_size_max = 512 * 4096;
    db_rig_open(&rig);
    for (uint32_t i = 0; i < sizeof(large); i++)
        large[i] = (uint8_t)((i * 2654435761u) >> 13);
    for (uint64_t pages = 64; pages <= 512; pages *= 2) {
        struct qtdb_txn *txn;
        size_t size = sizeof(large);

        DB(qtdb_set_pool_size(rig.db, pages * 4096));
        qtdb_get_statistics(rig.db, &statistics);
        cr_assert_eq(statistics.pool_size, pages * 4096);
        tree = db_tree(rig.db, "t");
        txn = db_begin(rig.db);
        DB(qtdb_put(txn, tree, "k", 1, large, sizeof(large), QTDB_PUT_ANY));
        DB(qtdb_commit(txn));
        txn = db_begin(rig.db);
        DB(qtdb_get(txn, tree, "k", 1, large, &size));
        DB(qtdb_tree_drop(txn, "t"));
        DB(qtdb_commit(txn));
        DB(qtdb_shrink(rig.db));
    }
    DB_REFUSED(qtdb_set_pool_size(rig.db, 513 * 4096), QTDB_INVALID);
    DB_REFUSED(qtdb_set_pool_size(rig.db, 63 * 4096), QTDB_INVALID);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(database, a_real_file_with_a_background_thread)
{
    struct qtdb_options options = {.size = sizeof(options),
                                   .create = true,
                                   .pool_size = 1 << 20,
                                   .log_limit = 1 << 20,
                                   .segment_size = 256 << 10};
    const char *folder = getenv("TMPDIR");
    char path[200];
    char file[240];
    struct qtdb *db;
    struct qtdb_tree *tree;
    static char value[500];

    snprintf(path, sizeof(path), "%s/qtdb-test-XXXXXX", folder != NULL ? folder : ".");
    cr_assert_not_null(mkdtemp(path));
    snprintf(file, sizeof(file), "%s/x.qtdb", path);
    DB(qtdb_open(file, &options, &db));
    tree = db_tree(db, "t");
    for (int i = 0; i < 200; i++) {
        struct qtdb_txn_options how = {.size = sizeof(how), .durability = QTDB_ASYNC};
        struct qtdb_txn *txn;

        DB(qtdb_begin(db, &how, &txn));
        for (int k = 0; k < 20; k++) {
            char key[16];

            snprintf(key, sizeof(key), "%d", i * 20 + k);
            DB(qtdb_put(txn, tree, key, strlen(key), value, sizeof(value), QTDB_PUT_INSERT));
        }
        DB(qtdb_commit(txn));
    }
    db_check(db);
    DB(qtdb_close(db));
    options.create = false;
    DB(qtdb_open(file, &options, &db));
    tree = db_tree(db, "t");
    struct qtdb_txn *txn = db_begin_read(db);
    size_t size = sizeof(value);

    DB(qtdb_get(txn, tree, "3999", 4, value, &size));
    cr_assert_eq(size, sizeof(value));
    DB(qtdb_commit(txn));
    DB(qtdb_close(db));
    cr_assert_eq(unlink(file), 0);
    cr_assert_eq(rmdir(path), 0);
}
