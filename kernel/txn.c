/*
 * The life of a transaction.
 *
 *   begin: snapshot := the last CSN, listed as running
 *      |  get, put, cursors ...            (access.c, write_set.c, txn_cursor.c)
 *      +--> commit (commit.c) --+
 *      +--> rollback -----------+--> unlisted, resources given back, handle kept for reuse
 *
 * Running transactions are listed newest first; snapshots never fall from one begin to the next, so
 * the last of the list is the oldest. A finished handle is kept for a while before it is used again:
 * so the use of a finished transaction is an error and not a crash.
 */
#include "kernel/kernel_private.h"

enum { FINISHED_KEPT = 16 };

enum status
txn__usable(const struct qtdb_txn *txn)
{
    if (!txn->running)
        return error_raise(STATUS_INVALID, "the transaction has ended");
    return STATUS_OK;
}

uint64_t
txn__oldest_snapshot(const struct qtdb *db)
{
    return db->oldest != NULL ? db->oldest->snapshot : pager_csn(db->pager);
}

/* A handle: a finished one when there are enough of them, else a new one. */
static struct qtdb_txn *
handle_get(struct qtdb *db)
{
    struct qtdb_txn *txn = NULL;

    latch_lock(&db->snapshot_latch);
    if (db->finished_count > FINISHED_KEPT) {
        txn = db->finished;
        db->finished = txn->next;
        db->finished_count--;
    }
    latch_unlock(&db->snapshot_latch);
    if (txn == NULL)
        txn = memory_alloc(db->env.memory, MEMORY_OTHER, sizeof(*txn));
    return txn;
}

static void
list_as_running(struct qtdb_txn *txn)
{
    struct qtdb *db = txn->db;

    latch_lock(&db->snapshot_latch);
    txn->snapshot = pager_csn(db->pager);
    CHECK(db->running == NULL || db->running->snapshot <= txn->snapshot);
    txn->previous = NULL;
    txn->next = db->running;
    if (db->running != NULL)
        db->running->previous = txn;
    else
        db->oldest = txn;
    db->running = txn;
    txn->running = true;
    latch_unlock(&db->snapshot_latch);
}

enum qtdb_code
qtdb_begin(struct qtdb *db, const struct qtdb_txn_options *options, struct qtdb_txn **out)
{
    struct qtdb_txn_options given = {.size = sizeof(given)};

    if (options != NULL && options->size == 0)
        return api_error_set(QTDB_INVALID, NULL, 0, false,
                             "qtdb_txn_options.size is not set: set it to sizeof");
    if (options != NULL)
        memcpy(&given, options, options->size < sizeof(given) ? options->size : sizeof(given));
    if (given.isolation > QTDB_READ_COMMITTED || given.durability > QTDB_ASYNC)
        return api_error_set(QTDB_INVALID, NULL, 0, false, "unknown isolation %d or durability %d",
                             (int)given.isolation, (int)given.durability);
    struct qtdb_txn *txn = handle_get(db);

    if (txn == NULL)
        return api_error(STATUS_NO_MEMORY);
    *txn = (struct qtdb_txn){
        .db = db,
        .read_only = given.read_only || db->read_only,
        .durability = given.durability,
    };
    txn->track_reads = !txn->read_only && given.isolation == QTDB_SERIALIZABLE;
    arena_init(&txn->arena, db->env.memory, MEMORY_WRITE_SET);
    list_as_running(txn);
    *out = txn;
    return QTDB_OK;
}

void
txn__unlist(struct qtdb_txn *txn)
{
    struct qtdb *db = txn->db;

    CHECK(latch_is_held(&db->snapshot_latch) && txn->running);
    if (txn->previous != NULL)
        txn->previous->next = txn->next;
    else
        db->running = txn->next;
    if (txn->next != NULL)
        txn->next->previous = txn->previous;
    else
        db->oldest = txn->previous;
    txn->running = false;
}

static void
free_reads(struct qtdb_txn *txn)
{
    for (struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next) {
        memory_free(txn->db->env.memory, MEMORY_LOCKS, tree->reads,
                    tree->read_capacity * sizeof(*tree->reads));
        tree->reads = NULL;
        tree->read_capacity = 0;
        tree->read_count = 0;
    }
}

void
txn__finish(struct qtdb_txn *txn)
{
    struct qtdb *db = txn->db;

    CHECK(!txn->running && txn->cursors == NULL);
    free_reads(txn);
    memory_free(db->env.memory, MEMORY_WRITE_SET, txn->journal,
                txn->journal_capacity * sizeof(*txn->journal));
    arena_deinit(&txn->arena);
    *txn = (struct qtdb_txn){.db = db};
    latch_lock(&db->snapshot_latch);
    if (db->finished != NULL)
        db->finished_last->next = txn;
    else
        db->finished = txn;
    db->finished_last = txn;
    db->finished_count++;
    latch_unlock(&db->snapshot_latch);
}

void
qtdb_rollback(struct qtdb_txn *txn)
{
    if (txn == NULL || !txn->running)
        return;
    struct qtdb *db = txn->db;

    cursor__detach_all(txn);
    latch_lock(&db->snapshot_latch);
    txn__unlist(txn);
    struct write_chunk *pruned = recent__prune(db);

    latch_unlock(&db->snapshot_latch);
    recent__free(db, pruned);
    txn__finish(txn);
}

enum qtdb_code
qtdb_commit(struct qtdb_txn *txn)
{
    enum status status = txn__usable(txn);

    if (status != STATUS_OK)
        return api_error(status);
    struct qtdb *db = txn->db;

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
    CHECK(db->running == NULL);
    while (db->finished != NULL) {
        struct qtdb_txn *txn = db->finished;

        db->finished = txn->next;
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
        known = arena_alloc(&txn->arena, sizeof(*known));
        if (known == NULL)
            return STATUS_NO_MEMORY;
        known->tree = tree;
        known->next = txn->trees;
        txn->trees = known;
    }
    *out = known;
    return STATUS_OK;
}
