/*
 * The life of a transaction.
 *
 *   begin: snapshot := the last CSN (a writer) or the last durable one (read-only), listed as running
 *      |  get, put, cursors ...            (access.c, write_set.c, txn_cursor.c)
 *      |  refresh: under READ COMMITTED a new snapshot for each statement
 *      +--> commit (commit.c) --+
 *      +--> rollback -----------+--> unlisted, row locks and the rest given back, handle kept for reuse
 *
 * Running transactions are listed newest first, writers and readers apart; in each list snapshots never
 * fall from one begin to the next, so the last one is the oldest. A finished handle is kept for a while
 * before it is used again: so the use of a finished transaction is an error and not a crash. One that was
 * read-only may stay listed, so that its thread begins the next one without a latch (txn_park.c).
 */
#include "kernel/kernel_private.h"

enum { REAP_MIN = 1024 };

enum status
txn__usable(const struct qtdb_txn *txn)
{
    if (!txn->running)
        return error_raise(STATUS_INVALID, "the transaction has ended");
    if (txn->broken)
        return error_raise(STATUS_INVALID,
                           "the transaction could not go back to its savepoint: roll it back");
    return STATUS_OK;
}

/*
 * A writer sees all that is published. A reader sees what is durable, so that it need not wait when it
 * ends, and asynchronous commits, which are visible at once; never half a publication, and nothing of
 * a big commit that is under way.
 */
uint64_t
txn__new_snapshot(const struct qtdb *db, bool read_only)
{
    uint64_t seen = read_only && !db->read_only ? pager_csn_durable(db->pager) : CSN_NEVER;
    uint64_t published;

    uint64_t async = atomic_load_explicit(&db->csn_async, memory_order_acquire);
    uint64_t limit = atomic_load_explicit(&db->csn_limit, memory_order_acquire);

    if (seen < async)
        seen = async;
    published = pager_csn(db->pager);
    if (published > limit)
        published = limit;
    return seen < published ? seen : published;
}

/* Takes it out of its list. Under the snapshot latch. */
static void
unlist(struct qtdb_txn *txn)
{
    struct txn_list *list = txn->list;

    CHECK(latch_is_held(&txn->db->snapshot_latch) && list->count > 0);
    if (txn->previous != NULL)
        txn->previous->next = txn->next;
    else
        list->newest = txn->next;
    if (txn->next != NULL)
        txn->next->previous = txn->previous;
    else
        list->oldest = txn->previous;
    list->count--;
}

/* From here on another thread may have the handle. Under the snapshot latch. */
static void
keep_finished(struct qtdb_txn *txn)
{
    struct qtdb *db = txn->db;

    CHECK(!txn->running);
    txn->next = NULL;
    if (db->finished != NULL)
        db->finished_last->next = txn;
    else
        db->finished = txn;
    db->finished_last = txn;
    db->finished_count++;
}

/* False: the transaction runs. */
static bool
reap_one(struct qtdb_txn *txn)
{
    if (!park__steal(txn))
        return false;
    unlist(txn);
    keep_finished(txn);
    return true;
}

void
txn__reap(struct qtdb *db)
{
    struct qtdb_txn *txn = db->readers.newest;

    while (txn != NULL) {
        struct qtdb_txn *next = txn->next;

        (void)reap_one(txn);
        txn = next;
    }
    db->reap_at = 2 * db->readers.count + REAP_MIN;
}

uint64_t
txn__oldest_snapshot(struct qtdb *db)
{
    uint64_t oldest = txn__new_snapshot(db, true);

    while (db->readers.oldest != NULL && db->readers.oldest->snapshot < oldest &&
           reap_one(db->readers.oldest)) {
    }

    if (db->writers.oldest != NULL && db->writers.oldest->snapshot < oldest)
        oldest = db->writers.oldest->snapshot;
    if (db->readers.oldest != NULL && db->readers.oldest->snapshot < oldest)
        oldest = db->readers.oldest->snapshot;
    return oldest;
}

bool
txn__any_running(struct qtdb *db)
{
    latch_lock(&db->snapshot_latch);
    txn__reap(db);
    bool any = db->writers.newest != NULL || db->readers.newest != NULL;

    latch_unlock(&db->snapshot_latch);
    return any;
}

/* A finished handle when there are enough of them. Under the snapshot latch. */
static struct qtdb_txn *
finished_take(struct qtdb *db)
{
    struct qtdb_txn *txn = db->finished;

    if (db->finished_count <= FINISHED_KEPT)
        return NULL;
    db->finished = txn->next;
    db->finished_count--;
    return txn;
}

/* Takes the snapshot. Under the snapshot latch. */
static void
list_as_running(struct qtdb_txn *txn)
{
    struct txn_list *list = txn->read_only ? &txn->db->readers : &txn->db->writers;

    txn->snapshot = txn__new_snapshot(txn->db, txn->read_only);
    CHECK(list->newest == NULL || list->newest->snapshot <= txn->snapshot);
    txn->list = list;
    txn->previous = NULL;
    txn->next = list->newest;
    if (list->newest != NULL)
        list->newest->previous = txn;
    else
        list->oldest = txn;
    list->newest = txn;
    list->count++;
    txn->running = true;
    /* It has no route yet, so it is as one that has seen the latest. */
    atomic_store_explicit(&txn->routes.seen,
                          atomic_load_explicit(&txn->db->route_version, memory_order_acquire),
                          memory_order_release);
}

static uint64_t
lock_timeout_ns(uint32_t timeout_ms)
{
    if (timeout_ms == QTDB_NO_WAIT)
        return 0;
    return timeout_ms == 0 ? LOCK_WAIT_FOR_EVER : timeout_ms * UINT64_C(1000000);
}

void
database_set_lock_timeout(struct qtdb_txn *txn, uint32_t timeout_ms)
{
    txn->lock_timeout_ns = lock_timeout_ns(timeout_ms);
}

static void
start(struct qtdb_txn *txn, struct qtdb *db, const struct qtdb_txn_options *options)
{
    memset(txn, 0, offsetof(struct qtdb_txn, routes));
    txn->db = db;
    txn->read_only = options->read_only || db->read_only;
    txn->isolation = options->isolation;
    txn->durability = options->durability;
    txn->lock_timeout_ns = lock_timeout_ns(options->lock_timeout_ms);
    txn->statistics = options->statistics;
    txn->page_reads_before = txn->statistics != NULL ? pager_thread_page_reads() : 0;
    txn->track_reads = !txn->read_only && options->isolation == QTDB_SERIALIZABLE;
    arena_init_raw(&txn->arena, db->env.memory, MEMORY_WRITE_SET);
    route__txn_begin(txn);
    arena_init_raw(&txn->write_arena, db->env.memory, MEMORY_WRITE_SET);
    list_as_running(txn);
    if (db->readers.count >= db->reap_at && txn->read_only)
        txn__reap(db);
}

enum qtdb_code
qtdb_begin(struct qtdb *db, const struct qtdb_txn_options *options, struct qtdb_txn **out)
{
    struct qtdb_txn_options given = {.size = sizeof(given)};

    if (options != NULL && options->size == 0)
        return api_error_set(QTDB_INVALID, NULL, 0, false,
                             "qtdb_txn_options.size is not set: set it to sizeof");
    if (options != NULL && options->size >= sizeof(given))
        given = *options;
    else if (options != NULL)
        memcpy(&given, options, options->size);
    if (given.statistics != NULL && given.statistics->size == 0)
        return api_error_set(QTDB_INVALID, NULL, 0, false,
                             "qtdb_txn_statistics.size is not set: set it to sizeof");
    if (given.isolation > QTDB_READ_COMMITTED || given.durability > QTDB_ASYNC)
        return api_error_set(QTDB_INVALID, NULL, 0, false, "unknown isolation %d or durability %d",
                             (int)given.isolation, (int)given.durability);
    struct qtdb_txn *txn = given.read_only || db->read_only ? park__take(db) : NULL;

    if (txn != NULL && park__resume(txn, &given)) {
        *out = txn;
        return QTDB_OK;
    }
    latch_lock(&db->snapshot_latch);
    if (txn != NULL)
        unlist(txn);
    else
        txn = finished_take(db);
    if (txn == NULL) {
        latch_unlock(&db->snapshot_latch);
        txn = memory_alloc(db->env.memory, MEMORY_OTHER, sizeof(*txn));
        if (txn == NULL)
            return api_error(STATUS_NO_MEMORY);
        lock_holder_init(&txn->locks, db->env.memory, db->write_set_limit);
        latch_lock(&db->snapshot_latch);
    }
    start(txn, db, &given);
    latch_unlock(&db->snapshot_latch);
    *out = txn;
    return QTDB_OK;
}

void
txn__unlist(struct qtdb_txn *txn)
{
    CHECK(txn->running);
    unlist(txn);
    txn->running = false;
}

static struct qtdb_txn_statistics
statistics_of(const struct qtdb_txn *txn, size_t size)
{
    uint64_t page_reads = pager_thread_page_reads();
    struct qtdb_txn_statistics now = {
        .size = size,
        .log_size = txn->cost.log_size,
        .page_change_count = txn->cost.page_count,
        .page_read_count = page_reads < txn->page_reads_before
                               ? 0 /* Another thread. */
                               : page_reads - txn->page_reads_before,
        .write_size = txn->write_size,
    };

    route__txn_counts(txn, &now);
    return now;
}

static void
copy_statistics(const struct qtdb_txn *txn, struct qtdb_txn_statistics *out)
{
    size_t size = out->size < sizeof(*out) ? out->size : sizeof(*out);
    struct qtdb_txn_statistics now = statistics_of(txn, size);

    memcpy(out, &now, size);
}

void
txn__report(const struct qtdb_txn *txn)
{
    if (txn->statistics != NULL)
        copy_statistics(txn, txn->statistics);
}

enum qtdb_code
qtdb_txn_get_statistics(struct qtdb_txn *txn, struct qtdb_txn_statistics *out)
{
    enum status status = txn__usable(txn);

    if (status == STATUS_OK && (out->size == 0 || txn->statistics == NULL))
        status = error_raise(STATUS_INVALID, "the size is not set, or the transaction was begun "
                                             "without qtdb_txn_options.statistics");
    if (status == STATUS_OK)
        copy_statistics(txn, out);
    return api_error(status);
}

/* What is not in its arenas of what it knows of trees. */
static void
free_tree_notes(struct qtdb_txn *txn)
{
    for (struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next) {
        write_index_free(tree->index);
        tree->index = NULL;
        memory_free(txn->db->env.memory, MEMORY_LOCKS, tree->reads,
                    tree->read_capacity * sizeof(*tree->reads));
        tree->reads = NULL;
        tree->read_capacity = 0;
        tree->read_count = 0;
    }
}

/* Gives back what the transaction holds; only the handle is left of it. */
static void
give_back(struct qtdb_txn *txn)
{
    struct qtdb *db = txn->db;

    CHECK(txn->cursors == NULL);
    value__end_txn(txn);
    lock_release_all(&db->locks, &txn->locks);
    txn__report(txn);
    if (txn->user_size > 0)
        atomic_fetch_add_explicit(&db->user_size, txn->user_size, memory_order_relaxed);
    free_tree_notes(txn);
    spill__free_all(txn);
    memory_free(db->env.memory, MEMORY_WRITE_SET, txn->journal,
                txn->journal_capacity * sizeof(*txn->journal));
    arena_deinit(&txn->arena);
    arena_deinit(&txn->write_arena);
    txn->trees = NULL;
}

/* The same of a read-only transaction, which has no writes and no locks. */
static void
give_back_reader(struct qtdb_txn *txn)
{
    CHECK(txn->read_only && txn->locks.locks == NULL && txn->cursors == NULL);
    if (txn->arena.head != NULL || txn->value_streams != NULL || txn->has_values) {
        give_back(txn);
        return;
    }
    txn__report(txn);
    txn->trees = NULL;
}

void
txn__finish(struct qtdb_txn *txn)
{
    struct qtdb *db = txn->db;

    CHECK(!txn->running);
    give_back(txn);
    latch_lock(&db->snapshot_latch);
    keep_finished(txn);
    latch_unlock(&db->snapshot_latch);
}

/* A read-only transaction has nothing that others could wait for: it ends under one hold of the latch. */
static void
end_reader(struct qtdb_txn *txn)
{
    struct qtdb *db = txn->db;

    if (park__put(txn))
        return;
    cursor__detach_all(txn);
    give_back_reader(txn);
    latch_lock(&db->snapshot_latch);
    txn__unlist(txn);
    keep_finished(txn);
    bool due = versions__prune_is_due(db);

    latch_unlock(&db->snapshot_latch);
    if (due)
        versions__prune(db);
}

enum qtdb_code
qtdb_refresh(struct qtdb_txn *txn)
{
    enum status status = txn__usable(txn);

    if (status != STATUS_OK)
        return api_error(status);
    struct qtdb *db = txn->db;

    /* A writer's snapshot of all that is published has nothing to become. */
    if (txn->isolation != QTDB_READ_COMMITTED ||
        (!txn->read_only && txn->snapshot == pager_csn(db->pager)))
        return QTDB_OK;
    latch_lock(&db->snapshot_latch);
    txn__unlist(txn);
    list_as_running(txn);
    bool due = versions__prune_is_due(db);

    latch_unlock(&db->snapshot_latch);
    cursor__forget_all(txn);
    if (due)
        versions__prune(db);
    return QTDB_OK;
}

void
qtdb_rollback(struct qtdb_txn *txn)
{
    if (txn == NULL || !txn->running)
        return;
    struct qtdb *db = txn->db;

    if (txn->read_only) {
        end_reader(txn);
        return;
    }
    cursor__detach_all(txn);
    latch_lock(&db->snapshot_latch);
    txn__unlist(txn);
    bool due = versions__prune_is_due(db);

    latch_unlock(&db->snapshot_latch);
    if (due)
        versions__prune(db);
    txn__finish(txn);
}

enum qtdb_code
qtdb_commit(struct qtdb_txn *txn)
{
    enum status status = txn__usable(txn);

    if (status != STATUS_OK)
        return api_error(status);
    struct qtdb *db = txn->db;

    if (txn->read_only) {
        enum qtdb_durability durability = txn->durability;
        uint64_t snapshot = txn->snapshot;

        end_reader(txn);
        return api_error(commit__flush(db, durability, snapshot, false));
    }
    status = commit__run(txn);
    txn__finish(txn);
    if (status == STATUS_OK && !db->has_thread && !db->read_only) {
        bool more;

        /* What fails here is not this commit's; the handle remembers it if it is final. */
        if (background__step(db, &more) != STATUS_OK)
            error_clear();
    }
    return api_error(status);
}

void
txn__free_all(struct qtdb *db)
{
    CHECK(!txn__any_running(db));
    while (db->finished != NULL) {
        struct qtdb_txn *txn = db->finished;

        db->finished = txn->next;
        lock_holder_deinit(&txn->locks);
        memory_free(db->env.memory, MEMORY_OTHER, txn, sizeof(*txn));
    }
    db->finished_count = 0;
}

/* What this transaction itself has done to the tree's name; STATUS_FAILED: nothing. */
static enum status
visible_by_own_ddl(struct qtdb_txn *txn, const struct qtdb_tree *tree)
{
    uint8_t key[QTDB_NAME_SIZE_MAX + 1];
    struct catalog_record record;
    size_t key_size = catalog__name_key(tree->name, tree->name_size, key);

    for (struct txn_tree *known = txn->trees; known != NULL; known = known->next) {
        if (known->tree != txn->db->catalog)
            continue;
        struct write_entry *entry = key_map_find(&known->writes, key, key_size);

        if (entry == NULL || entry->kind == WRITE_NONE)
            return STATUS_FAILED;
        if (entry->kind == WRITE_PUT) {
            TRY(catalog__record_decode(entry->value, entry->value_size, &record));
            if (le32_get(record.tree_id) == tree->tree_id)
                return STATUS_OK;
        }
        return error_raise(STATUS_NOT_FOUND, "tree '%s' was dropped by this transaction",
                           tree->name);
    }
    return STATUS_FAILED;
}

enum status
txn__tree_visible(struct qtdb_txn *txn, const struct qtdb_tree *tree)
{
    if (txn->has_ddl && tree != txn->db->catalog) {
        enum status status = visible_by_own_ddl(txn, tree);

        if (status != STATUS_FAILED)
            return status;
    }
    uint64_t csn_created = atomic_load(&tree->csn_created);
    uint64_t csn_dropped = atomic_load(&tree->csn_dropped);

    if (csn_created == CSN_NEVER)
        return error_raise(STATUS_INVALID,
                           "tree '%s' was created by a transaction that did not commit",
                           tree->name);
    if (csn_created > txn->snapshot && txn->read_only)
        return error_raise(STATUS_NOT_FOUND, "there was no tree '%s' when this transaction began",
                           tree->name);
    if (csn_created > txn->snapshot)
        return error_raise(STATUS_CONFLICT, "tree '%s' was created since this transaction began",
                           tree->name);
    if (csn_dropped <= txn->snapshot)
        return error_raise(STATUS_NOT_FOUND, "tree '%s' was dropped", tree->name);
    return STATUS_OK;
}

enum status
txn__tree(struct qtdb_txn *txn, struct qtdb_tree *tree, struct txn_tree **out)
{
    struct txn_tree *known = txn->trees;

    TRY(txn__usable(txn));
    if (tree->db != txn->db)
        return error_raise(STATUS_INVALID, "the tree belongs to another database handle");
    while (known != NULL && known->tree != tree)
        known = known->next;
    if (known == NULL || txn->has_ddl)
        TRY(txn__tree_visible(txn, tree));
    if (known == NULL) {
        /* The trees of a writer become part of its chunk, so they must be in the arena. */
        known = txn->read_only && txn->trees == NULL ? &txn->first_tree
                                                     : arena_alloc(&txn->arena, sizeof(*known));
        if (known == NULL)
            return STATUS_NO_MEMORY;
        known->tree = tree;
        known->btree = tree__btree(tree);
        known->next = txn->trees;
        txn->trees = known;
    }
    *out = known;
    return STATUS_OK;
}
