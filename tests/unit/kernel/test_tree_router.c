/*
 * Goal: a router finds what the tree finds and nothing else, whatever became of the tree since; small
 * trees get none and say so; a saved one comes back after a clean close, and only then; a damaged one
 * is refused, counted, and changes no answer; replaced ones are freed, but not under a transaction.
 * Method: trees of integer and of text keys on a simulated disk, background work done by commits; each
 * key and one beside it through gets and cursors; statistics say which way they went. Saved rows
 * are forged in the catalog. Every allocation fails once.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { ROWS = 14000, STEP = 10, A_COMMIT = 700, BATCH = 35 };

struct router_rig {
    struct db_rig rig;
    struct qtdb_tree *tree;
    bool text;
    uint32_t rows; /* Keys STEP, 2 * STEP ... are there. */
};

static size_t
make_key(const struct router_rig *at, uint64_t number, uint8_t *out)
{
    if (at->text)
        return (size_t)snprintf((char *)out, 32, "%09u/row", (unsigned)number);
    qtdb_key_u64(number, out);
    return 8;
}

static void
open_tree(struct router_rig *at, enum qtdb_router router)
{
    struct qtdb_tree_options options = {
        .size = sizeof(options),
        .create = true,
        .key_kind = at->text ? QTDB_KEY_BYTES : QTDB_KEY_INT,
        .router = router,
    };
    struct qtdb_txn *txn = db_begin(at->rig.db);

    DB(qtdb_tree_open(txn, "t", &options, &at->tree));
    DB(qtdb_commit(txn));
}

static void
put_row(struct router_rig *at, struct qtdb_txn *txn, uint64_t number)
{
    uint8_t key[32];
    size_t size = make_key(at, number, key);

    DB(qtdb_put(txn, at->tree, key, size, &number, sizeof(number), QTDB_PUT_ANY));
}

/* Rows [at->rows, rows), in transactions of A_COMMIT, each followed by a step of the background. */
static void
grow(struct router_rig *at, uint32_t rows)
{
    while (at->rows < rows) {
        struct qtdb_txn *txn = db_begin(at->rig.db);

        for (uint32_t i = 0; i < A_COMMIT && at->rows < rows; i++)
            put_row(at, txn, (uint64_t)++at->rows * STEP);
        DB(qtdb_commit(txn));
    }
}

static void
init(struct router_rig *at, bool text, enum qtdb_router router, uint32_t rows)
{
    *at = (struct router_rig){.text = text};
    db_rig_init(&at->rig, 7);
    db_rig_close(&at->rig);
    at->rig.options.pool_size = 2048 * 4096;
    db_rig_open(&at->rig);
    open_tree(at, router);
    grow(at, rows);
}

static void
step(struct router_rig *at)
{
    bool more;

    cr_assert_eq(background__step(at->rig.db, &more), STATUS_OK);
}

static struct qtdb_tree_statistics
statistics(const struct router_rig *at)
{
    struct qtdb_tree_statistics now = {.size = sizeof(now)};

    qtdb_tree_get_statistics(at->tree, &now);
    return now;
}

static bool
get(struct router_rig *at, struct qtdb_txn *txn, uint64_t number)
{
    uint8_t key[32];
    size_t key_size = make_key(at, number, key);
    uint64_t value = 0;
    size_t size = sizeof(value);
    enum qtdb_code code = qtdb_get(txn, at->tree, key, key_size, &value, &size);

    cr_assert(code == QTDB_OK || code == QTDB_NOT_FOUND, "%s", qtdb_error_last()->message);
    cr_assert(code != QTDB_OK || (value == number && size == 8));
    return code == QTDB_OK;
}

/* Rows [first, first + count), and nothing beside them, in one batch. */
static void
check_batch(struct router_rig *at, struct qtdb_txn *txn, uint64_t first, uint32_t count)
{
    struct qtdb_lookup lookups[2 * BATCH];
    uint64_t values[2 * BATCH];
    uint8_t keys[2 * BATCH][32];

    for (uint32_t i = 0; i < 2 * count; i++)
        lookups[i] = (struct qtdb_lookup){
            .key = keys[i],
            .key_size = make_key(at, (first + i / 2) * STEP + i % 2, keys[i]),
            .value = &values[i],
            .value_size = sizeof(values[i]),
        };
    DB(qtdb_get_batch(txn, at->tree, lookups, 2 * (size_t)count));
    for (uint32_t i = 0; i < 2 * count; i += 2) {
        cr_assert_eq(lookups[i].code, QTDB_OK, "row %u", (unsigned)(first + i / 2));
        cr_assert_eq(values[i], (first + i / 2) * STEP);
        cr_assert_eq(lookups[i + 1].code, QTDB_NOT_FOUND);
    }
}

/* Every row, and nothing beside it, by gets, by batches and (one in 16) by seeks. */
static void
check_all(struct router_rig *at)
{
    struct qtdb_txn *txn = db_begin_read(at->rig.db);
    struct qtdb_cursor *cursor;
    uint8_t key[32];

    DB(qtdb_cursor_open(txn, at->tree, &cursor));
    for (uint64_t i = 1; i <= at->rows; i++) {
        cr_assert(get(at, txn, i * STEP), "row %u", (unsigned)i);
        cr_assert(!get(at, txn, i * STEP + 1), "behind row %u", (unsigned)i);
        if (i % BATCH == 0)
            check_batch(at, txn, i - BATCH + 1, BATCH);
        if (i % 16 != 0)
            continue;
        const void *found;
        const void *value;
        size_t found_size, value_size;

        DB(qtdb_cursor_seek(cursor, key, make_key(at, i * STEP - 3, key)));
        qtdb_cursor_row(cursor, &found, &found_size, &value, &value_size);
        cr_assert_eq(memcmp(value, &(uint64_t){i * STEP}, 8), 0, "seek of row %u", (unsigned)i);
        DB(qtdb_cursor_seek_last(cursor, key, make_key(at, i * STEP + 3, key)));
        qtdb_cursor_row(cursor, &found, &found_size, &value, &value_size);
        cr_assert_eq(memcmp(value, &(uint64_t){i * STEP}, 8), 0, "seek of row %u", (unsigned)i);
    }
    cr_assert(!get(at, txn, 0));
    cr_assert(!get(at, txn, 999999999));
    qtdb_cursor_close(cursor);
    qtdb_rollback(txn);
}

/* covers: R1 */
Test(tree_router, every_kind_finds_what_the_tree_finds)
{
    static const struct {
        enum qtdb_router router;
        const char *kind;
    } wanted[] = {
        {QTDB_ROUTER_TREE, "tree"},
        {QTDB_ROUTER_RMI, "rmi"},
        {QTDB_ROUTER_PLA, "pla"},
        {QTDB_ROUTER_DIRECTORY, "directory"},
    };

    for (int text = 0; text < 2; text++) {
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
            struct router_rig at;

            init(&at, text != 0, wanted[i].router, ROWS);
            step(&at);
            struct qtdb_tree_statistics before = statistics(&at);

            check_all(&at);
            struct qtdb_tree_statistics after = statistics(&at);

            cr_assert_str_eq(after.router_kind, wanted[i].kind);
            cr_assert_eq(after.router, wanted[i].router);
            if (wanted[i].router == QTDB_ROUTER_TREE) {
                cr_assert_eq(after.routed_count, 0);
                cr_assert_eq(after.router_size, 0);
                cr_assert_str_eq(after.router_reason, "asked for");
                cr_assert(after.tree_count - before.tree_count >= 4 * ROWS - 4 * BATCH);
            } else {
                cr_assert(after.routed_count - before.routed_count >= 4 * ROWS - 4 * BATCH,
                          "%s: %llu routed", wanted[i].kind,
                          (unsigned long long)after.routed_count);
                cr_assert_eq(after.fallback_count, before.fallback_count);
                cr_assert(after.router_size > 0 && after.leaf_count > 40 && after.build_count > 0);
            }
            db_rig_deinit(&at.rig);
        }
    }
}

Test(tree_router, a_small_tree_gets_no_model_and_says_so)
{
    struct router_rig at;

    init(&at, false, QTDB_ROUTER_RMI, 9000);
    step(&at);
    check_all(&at);
    struct qtdb_tree_statistics now = statistics(&at);

    cr_assert_str_eq(now.router_kind, "tree");
    cr_assert(strstr(now.router_reason, "10,000") != NULL, "%s", now.router_reason);
    cr_assert_eq(now.routed_count, 0);
    grow(&at, 16000);
    step(&at);
    cr_assert_str_eq(statistics(&at).router_kind, "rmi");
    check_all(&at);
    db_rig_deinit(&at.rig);
}

/* The simulated clock stands still, so neither side is slower. */
Test(tree_router, auto_measures_and_says_what_it_found)
{
    struct router_rig at;

    init(&at, false, QTDB_ROUTER_AUTO, ROWS);
    step(&at);
    struct qtdb_tree_statistics now = statistics(&at);

    cr_assert_str_neq(now.router_kind, "tree");
    cr_assert_str_eq(now.router_reason, "measured faster than the tree");
    cr_assert(now.row_count > ROWS / 2 && now.row_count < 2 * ROWS);
    cr_assert_eq(now.depth, now.leaf_count > 1 ? 2 : 1, "%u leaves", (unsigned)now.leaf_count);
    check_all(&at);
    db_rig_deinit(&at.rig);
}

/* covers: R3 */
Test(tree_router, rows_behind_all_others_extend_the_directory)
{
    struct router_rig at;

    init(&at, false, QTDB_ROUTER_RMI, ROWS);
    step(&at);
    struct qtdb_tree_statistics before = statistics(&at);

    /* Fewer than would have it trained anew. */
    grow(&at, ROWS + ROWS / 20);
    struct qtdb_tree_statistics after = statistics(&at);

    cr_assert_eq(after.build_count, before.build_count);
    cr_assert(after.leaf_count > before.leaf_count);
    check_all(&at);
    cr_assert_eq(statistics(&at).fallback_count, after.fallback_count);
    db_rig_deinit(&at.rig);
}

/* covers: R1 */
Test(tree_router, a_router_that_lags_behind_costs_hops_and_no_answers)
{
    struct router_rig at;

    init(&at, false, QTDB_ROUTER_RMI, ROWS);
    step(&at);
    /* Leaves split all over, and nobody trains the router anew. */
    for (uint32_t round = 0; round < 4; round++) {
        struct qtdb_txn *txn = db_begin(at.rig.db);

        for (uint64_t i = 1; i <= ROWS; i++)
            if (i % 4 == round)
                put_row(&at, txn, i * STEP + 5);
        latch_lock(&at.rig.db->work_latch);
        DB(qtdb_commit(txn));
        latch_unlock(&at.rig.db->work_latch);
        check_all(&at);
    }
    struct qtdb_tree_statistics stale = statistics(&at);

    cr_assert(stale.hop_count > 0);
    step(&at);
    cr_assert(statistics(&at).build_count > stale.build_count);
    check_all(&at);
    cr_assert_eq(statistics(&at).hop_count, stale.hop_count);
    /* Leaves merge, and their pages are given back. */
    for (uint32_t round = 0; round < 8; round++) {
        struct qtdb_txn *txn = db_begin(at.rig.db);

        for (uint64_t i = 1; i <= ROWS; i++) {
            uint8_t key[8];

            qtdb_key_u64(i * STEP + 5, key);
            if (i % 8 == round)
                DB(qtdb_delete(txn, at.tree, key, 8));
            qtdb_key_u64(i * STEP, key);
            if (i > 2000 && i % 8 == round)
                DB(qtdb_delete(txn, at.tree, key, 8));
        }
        latch_lock(&at.rig.db->work_latch);
        DB(qtdb_commit(txn));
        latch_unlock(&at.rig.db->work_latch);
    }
    struct qtdb_txn *txn = db_begin_read(at.rig.db);

    for (uint64_t i = 1; i <= ROWS; i++)
        cr_assert_eq(get(&at, txn, i * STEP), i <= 2000, "row %u", (unsigned)i);
    qtdb_rollback(txn);
    cr_assert(statistics(&at).fallback_count > stale.fallback_count);
    db_check(at.rig.db);
    db_rig_deinit(&at.rig);
}

/* covers: R2 */
Test(tree_router, a_replaced_router_is_freed_when_nobody_can_use_it)
{
    struct router_rig at;

    init(&at, false, QTDB_ROUTER_RMI, ROWS);
    step(&at);
    struct qtdb_txn *idle = db_begin_read(at.rig.db);

    cr_assert(get(&at, idle, STEP));
    open_tree(&at, QTDB_ROUTER_TREE);
    cr_assert_not_null(at.tree->router->retired);
    step(&at);
    cr_assert_not_null(at.tree->router->retired, "the transaction has made no call since");
    cr_assert(get(&at, idle, STEP));
    cr_assert(get(&at, idle, 2 * STEP));
    step(&at);
    cr_assert_null(at.tree->router->retired);
    cr_assert_eq(statistics(&at).router_size, 0);
    open_tree(&at, QTDB_ROUTER_PLA);
    step(&at);
    open_tree(&at, QTDB_ROUTER_TREE);
    cr_assert_not_null(at.tree->router->retired);
    qtdb_rollback(idle);
    step(&at);
    cr_assert_null(at.tree->router->retired);
    check_all(&at);
    db_rig_deinit(&at.rig);
}

Test(tree_router, a_transaction_knows_its_own_counts)
{
    struct qtdb_txn_statistics seen = {.size = sizeof(seen)};
    struct qtdb_txn_options options = {
        .size = sizeof(options), .read_only = true, .statistics = &seen};
    struct router_rig at;
    struct qtdb_txn *txn;

    init(&at, false, QTDB_ROUTER_RMI, ROWS);
    step(&at);
    for (uint32_t round = 0; round < 40; round++) {
        DB(qtdb_begin(at.rig.db, &options, &txn));
        for (uint64_t i = 1; i <= 1000; i++)
            cr_assert(get(&at, txn, i * STEP));
        DB(qtdb_txn_get_statistics(txn, &seen));
        cr_assert_eq(seen.routed_count, 1000);
        DB(qtdb_commit(txn));
        cr_assert_eq(seen.routed_count, 1000);
        cr_assert_eq(seen.router_hop_count, 0);
        cr_assert_eq(seen.router_fallback_count, 0);
    }
    db_rig_deinit(&at.rig);
}

/* covers: R4 */
Test(tree_router, a_saved_router_comes_back_after_a_clean_close_only)
{
    struct router_rig at;

    init(&at, false, QTDB_ROUTER_RMI, ROWS);
    step(&at);
    for (uint32_t round = 0; round < 3; round++) {
        db_rig_close(&at.rig);
        db_rig_open(&at.rig);
        open_tree(&at, QTDB_ROUTER_AUTO);
        struct qtdb_tree_statistics now = statistics(&at);

        cr_assert_str_eq(now.router_kind, "rmi");
        cr_assert_str_eq(now.router_reason, "saved when the file was closed");
        cr_assert_eq(now.build_count + now.refused_count, 0);
        check_all(&at);
        /* The second close has nothing to write, the third one more leaves. */
        if (round == 1)
            grow(&at, at.rows + 600);
    }
    cr_assert_eq(statistics(&at).fallback_count, 0);
    db_check(at.rig.db);
    grow(&at, at.rows + 10);
    db_rig_kill(&at.rig);
    db_rig_open(&at.rig);
    struct qtdb_txn *txn = db_begin_read(at.rig.db);

    DB(qtdb_tree_open(txn, "t", NULL, &at.tree));
    cr_assert_str_eq(statistics(&at).router_kind, "tree");
    cr_assert_eq(statistics(&at).refused_count, 0);
    qtdb_rollback(txn);
    check_all(&at);
    grow(&at, at.rows + 1);
    step(&at);
    cr_assert_str_eq(statistics(&at).router_kind, "rmi");
    check_all(&at);
    db_rig_close(&at.rig);
    /* Read-only handles have no background, and use what was saved. */
    at.rig.options.read_only = true;
    at.rig.options.create = false;
    db_rig_open(&at.rig);
    txn = db_begin_read(at.rig.db);
    DB(qtdb_tree_open(txn, "t", NULL, &at.tree));
    qtdb_rollback(txn);
    cr_assert_str_eq(statistics(&at).router_kind, "rmi");
    check_all(&at);
    db_rig_deinit(&at.rig);
}

/* ---- Forgery ------------------------------------------------------------------------------------ */

struct forgery {
    struct btree catalog;
    uint8_t key[5];
    uint8_t bytes[1 << 16];
    size_t size;
};

static enum status
forge_body(struct pager_change *change, void *context)
{
    const struct forgery *forgery = context;

    return btree_put(change, &forgery->catalog, forgery->key, sizeof(forgery->key), forgery->bytes,
                     forgery->size, NULL);
}

/* Reads the saved row of the tree with this id. */
static void
read_saved(struct router_rig *at, uint32_t tree_id, struct forgery *out)
{
    uint64_t csn;

    out->catalog = tree__btree(at->rig.db->catalog);
    out->size = sizeof(out->bytes);
    catalog__router_key(tree_id, out->key);
    cr_assert_eq(btree_get(&out->catalog, out->key, sizeof(out->key), out->bytes, &out->size, &csn),
                 STATUS_OK);
}

/* Opens the file with that row in the saved one's place, as if it had been saved so. */
static void
open_forged(struct router_rig *at, struct forgery *forgery)
{
    uint64_t csn;

    db_rig_open(&at->rig);
    forgery->catalog = tree__btree(at->rig.db->catalog);
    cr_assert_eq(commit__change(at->rig.db, forge_body, forgery, &csn), STATUS_OK);
    at->rig.db->route_since = 0;
    struct qtdb_txn *txn = db_begin_read(at->rig.db);

    DB(qtdb_tree_open(txn, "t", NULL, &at->tree));
    qtdb_rollback(txn);
}

static void
check_some(struct router_rig *at)
{
    struct qtdb_txn *txn = db_begin_read(at->rig.db);

    for (uint64_t i = 1; i <= at->rows; i += 37) {
        cr_assert(get(at, txn, i * STEP));
        cr_assert(!get(at, txn, i * STEP + 1));
    }
    qtdb_rollback(txn);
}

/* covers: R4 */
Test(tree_router, a_damaged_saved_router_is_refused_and_counted)
{
    static struct forgery saved, forged;
    struct router_rig at;
    uint32_t refused = 0;

    init(&at, false, QTDB_ROUTER_RMI, ROWS);
    step(&at);
    uint32_t tree_id = at.tree->tree_id;

    db_rig_close(&at.rig);
    db_rig_open(&at.rig);
    read_saved(&at, tree_id, &saved);
    for (size_t i = 0; i < saved.size + 20; i += i < 40 || i >= saved.size ? 1 : 61) {
        db_rig_close(&at.rig);
        forged = saved;
        if (i < saved.size)
            forged.bytes[i] ^= (uint8_t)(1 << i % 8);
        else
            forged.size = (i - saved.size) * saved.size / 20;
        open_forged(&at, &forged);
        struct qtdb_tree_statistics now = statistics(&at);
        /* The CSN says only which close wrote it, the count of rows is for show. */
        bool harmless = i < 16;

        cr_assert_eq(now.refused_count, harmless ? 0 : 1, "byte %zu", i);
        cr_assert_str_eq(now.router_kind, harmless ? "rmi" : "tree");
        refused += now.refused_count == 1;
        check_some(&at);
    }
    cr_assert(refused > 20);
    db_rig_deinit(&at.rig);
}

/* The first of the pages that a directory names. */
static void
name_other_pages(struct leaf_directory *directory, uint32_t round, uint32_t pages)
{
    for (uint32_t i = 0; i < leaf_directory_count(directory); i++) {
        if (round == 0)
            directory->pages[i] = PAGE_CATALOG_ROOT + i % (pages - PAGE_CATALOG_ROOT);
        else if (round == 1)
            directory->pages[i] = directory->pages[leaf_directory_count(directory) - 1];
        else if (round == 2 && i > 0)
            directory->keys[i] = directory->keys[i] / 2;
        else if (round == 3)
            directory->pages[i] = pages + i;
    }
}

/* covers: R1 */
Test(tree_router, a_forged_directory_misleads_and_nothing_comes_of_it)
{
    static struct forgery saved, forged;
    struct router_rig at;

    init(&at, false, QTDB_ROUTER_RMI, ROWS);
    step(&at);
    uint32_t tree_id = at.tree->tree_id;

    db_rig_close(&at.rig);
    db_rig_open(&at.rig);
    read_saved(&at, tree_id, &saved);
    for (uint32_t round = 0; round < 4; round++) {
        struct router_record *record = (struct router_record *)forged.bytes;
        struct leaf_directory directory;
        struct router *router;
        uint8_t *place = forged.bytes + sizeof(*record);

        forged = saved;
        cr_assert_eq(leaf_directory_decode(&directory, at.rig.memory, place,
                                           le32_get(record->directory_size), 0),
                     STATUS_OK);
        name_other_pages(&directory, round, pager_page_count(at.rig.db->pager));
        struct router_options options = {.kind = ROUTER_RMI, .row_count = ROWS};

        cr_assert_eq(router_train(&directory, &options, at.rig.memory, &router), STATUS_OK);
        size_t size = leaf_directory_encode(&directory, place, 30000);

        record->directory_size = le32_of((uint32_t)size);
        record->router_size =
            le32_of((uint32_t)router_encode(router, &directory, place + size, 30000));
        forged.size = sizeof(*record) + size + le32_get(record->router_size);
        router_free(router);
        leaf_directory_deinit(&directory);
        db_rig_close(&at.rig);
        open_forged(&at, &forged);
        cr_assert_eq(statistics(&at).refused_count, round == 3 ? 1 : 0);
        check_all(&at);
        cr_assert(round == 3 || statistics(&at).fallback_count > 0);
    }
    db_check(at.rig.db);
    db_rig_deinit(&at.rig);
}

/* ---- Memory ------------------------------------------------------------------------------------- */

static void
check_while_failing(struct router_rig *at)
{
    struct qtdb_txn *txn;
    struct qtdb_txn_options options = {.size = sizeof(options), .read_only = true};
    bool more;

    if (background__step(at->rig.db, &more) != STATUS_OK)
        error_clear();
    if (qtdb_begin(at->rig.db, &options, &txn) != QTDB_OK)
        return;
    for (uint64_t i = 1; i <= at->rows; i += 501)
        cr_assert(get(at, txn, i * STEP));
    qtdb_rollback(txn);
}

Test(tree_router, memory_refused_anywhere_leaves_the_tree)
{
    struct router_rig at;
    bool failed = true;
    uint32_t index;

    init(&at, false, QTDB_ROUTER_AUTO, ROWS);
    for (index = 0; failed; index++) {
        open_tree(&at, QTDB_ROUTER_TREE);
        step(&at);
        atomic_store(&at.tree->router->wanted, QTDB_ROUTER_AUTO);
        at.tree->router->look_done = false;
        route__set_due(at.rig.db, at.tree->router);
        memory_fail_at(at.rig.memory, index, false);
        check_while_failing(&at);
        failed = memory_failed(at.rig.memory);
        memory_fail_at(at.rig.memory, UINT64_MAX, false);
        cr_assert_eq(statistics(&at).router_size > 0, !failed, "allocation %u", index);
        step(&at);
        check_some(&at);
    }
    cr_assert(index > 5, "only %u allocations", index);
    db_rig_deinit(&at.rig);
}

Test(tree_router, memory_refused_at_close_or_open_loses_the_router_only)
{
    struct router_rig at;
    bool failed = true;
    uint32_t index;

    init(&at, false, QTDB_ROUTER_RMI, ROWS);
    for (index = 0; failed; index++) {
        step(&at);
        memory_fail_at(at.rig.memory, index, false);
        route__save_all(at.rig.db);
        failed = memory_failed(at.rig.memory);
        memory_fail_at(at.rig.memory, UINT64_MAX, false);
        database_abandon(at.rig.db);
        at.rig.db = NULL;
        db_rig_open(&at.rig);
        open_tree(&at, QTDB_ROUTER_AUTO);
        check_some(&at);
        grow(&at, at.rows + 1);
    }
    cr_assert(index > 2);
    db_rig_close(&at.rig);
    failed = true;
    for (index = 0; failed; index++) {
        struct qtdb_txn *txn;

        db_rig_open(&at.rig);
        memory_fail_at(at.rig.memory, index, false);
        txn = NULL;
        enum qtdb_code code = qtdb_begin(at.rig.db, NULL, &txn);

        if (code == QTDB_OK)
            code = qtdb_tree_open(txn, "t", NULL, &at.tree);
        failed = memory_failed(at.rig.memory);
        memory_fail_at(at.rig.memory, UINT64_MAX, false);
        cr_assert(code == QTDB_OK || (failed && code == QTDB_NO_MEMORY));
        qtdb_rollback(txn);
        if (code == QTDB_OK) {
            cr_assert_eq(statistics(&at).refused_count, 0);
            check_some(&at);
        }
        db_rig_close(&at.rig);
    }
    db_rig_open(&at.rig);
    db_rig_deinit(&at.rig);
}

/* ---- The disk ----------------------------------------------------------------------------------- */

static uint32_t
io_count(const struct router_rig *at)
{
    return (uint32_t)io_sim_op_count(at->rig.io);
}

/* Building reads the inner pages and some leaves; a read that fails there is nobody's error. */
Test(tree_router, a_failed_read_while_building_leaves_the_tree)
{
    struct router_rig at;
    bool failed = true;
    uint32_t built = 0;

    init(&at, false, QTDB_ROUTER_RMI, ROWS);
    db_rig_close(&at.rig);
    at.rig.options.pool_size = 64 * 4096;
    for (uint32_t offset = 0; failed; offset++) {
        struct qtdb_txn *txn;
        bool more;

        db_rig_open(&at.rig);
        at.rig.db->route_since = CSN_NEVER; /* What is saved does not count here. */
        txn = db_begin_read(at.rig.db);
        DB(qtdb_tree_open(txn, "t", NULL, &at.tree));
        qtdb_rollback(txn);
        uint32_t before = io_count(&at);

        io_sim_fail_at(at.rig.io, before + offset, IO_SIM_FAULT_EIO, false);
        if (background__step(at.rig.db, &more) != STATUS_OK)
            error_clear();
        failed = io_count(&at) > before + offset;
        io_sim_fail_at(at.rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
        cr_assert(!pager_is_failed(at.rig.db->pager));
        check_some(&at);
        step(&at);
        built += strcmp(statistics(&at).router_kind, "rmi") == 0;
        cr_assert_eq(built, offset + 1);
        db_rig_kill(&at.rig);
    }
    cr_assert(built > 10, "only %u reads", built);
    db_rig_open(&at.rig);
    db_rig_deinit(&at.rig);
}

/* Whatever write fails while it is saved: the close says so or has saved nothing; no row is lost. */
Test(tree_router, a_failed_write_while_saving_loses_no_row)
{
    bool failed = true;
    uint32_t offset;

    for (offset = 0; failed; offset++) {
        struct router_rig at;

        init(&at, false, QTDB_ROUTER_RMI, ROWS);
        step(&at);
        DB(qtdb_checkpoint(at.rig.db));
        uint32_t before = io_count(&at);

        io_sim_fail_at(at.rig.io, before + offset, IO_SIM_FAULT_EIO, false);
        enum qtdb_code code = qtdb_close(at.rig.db);

        failed = io_count(&at) > before + offset;
        cr_assert(code == QTDB_OK || failed);
        io_sim_fail_at(at.rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
        at.rig.db = NULL;
        db_rig_open(&at.rig);
        open_tree(&at, QTDB_ROUTER_AUTO);
        check_some(&at);
        db_check(at.rig.db);
        db_rig_deinit(&at.rig);
    }
    cr_assert(offset > 5, "only %u writes", offset);
}
