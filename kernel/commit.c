/*
 * Committing.
 *
 *   prepare   note what open cursors read; order trees by id; read the rows to be changed, for the
 *             version store, which brings in their pages (commit_capture.c); write long runs of new rows
 *             (commit_run.c); have the room made that they will take (commit_room.c)
 *   attempt   pager_change_begin (commit latch)
 *             validate reads and writes against what was committed since the snapshot   -> CONFLICT
 *             apply: the catalog first (it makes roots), then each tree in key order
 *             announce: the rows before, created and dropped trees
 *             pager_change_commit: log and publish (releases the commit latch)
 *             on failure: take the announcements back
 *             small ones of several threads: one thread makes the attempts of all (commit_queue.c)
 *   resolve   after STATUS_MISSING: without any latch, then attempt again
 *   settle    unlist; the chunk is the version store's
 *   flush     wait for durability, unless asynchronous
 *   retire    keep the rows before for older snapshots or free them
 *
 * What touches more pages than one change may is left to commit_big.c: when an attempt meets that limit,
 * or the rows before alone are more than it.
 *
 * Any failure before pager_change_commit returned STATUS_OK is a clean abort: nothing of the
 * transaction is anywhere but in its own memory (T4). After it the transaction is visible; if the flush
 * then fails, the outcome is unknown until the file is opened again, and the message says so.
 *
 * A transaction that saw commits which are not durable yet waits for them before it is acknowledged,
 * also when it wrote nothing (T5).
 */
#include "kernel/kernel_private.h"

enum status
commit__change(struct qtdb *db, enum status (*body)(struct pager_change *change, void *context),
               void *context, uint64_t *csn_out)
{
    for (;;) {
        struct pager_change *change;

        TRY(pager_change_begin(db->pager, &change));
        enum status status = body(change, context);

        if (status == STATUS_OK)
            status = pager_change_commit(change, csn_out);
        else
            pager_change_abandon(change);
        if (status != STATUS_MISSING)
            return status;
        TRY(pager_change_resolve(db->pager));
    }
}

/* ---- Preparing ---------------------------------------------------------------------------------- */

static bool
has_writes(const struct qtdb_txn *txn)
{
    for (const struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next)
        for (const struct write_entry *entry = tree->writes.head[0]; entry != NULL;
             entry = entry->next[0])
            if (entry->kind != WRITE_NONE)
                return true;
    return spill__exists(txn);
}

/* By tree id: the catalog comes first. */
static void
order_trees(struct qtdb_txn *txn)
{
    struct txn_tree *ordered = NULL;

    while (txn->trees != NULL) {
        struct txn_tree *tree = txn->trees;
        struct txn_tree **link = &ordered;

        txn->trees = tree->next;
        while (*link != NULL && (*link)->tree->tree_id < tree->tree->tree_id)
            link = &(*link)->next;
        tree->next = *link;
        *link = tree;
    }
    txn->trees = ordered;
}

static enum status
prepare(struct qtdb_txn *txn, struct write_chunk **chunk_out)
{
    struct write_chunk *chunk;
    size_t size = 0;

    CHECK(txn->running && !txn->read_only);
    order_trees(txn);
    TRY(read_set__validate_undo(txn));
    for (struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next)
        TRY(commit__capture(txn, tree, &size));
    for (struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next) {
        TRY(commit_run__prepare(txn, tree));
        TRY(value__pack_tree(txn, tree));
    }
    chunk = arena_alloc(&txn->arena, sizeof(*chunk));
    if (chunk == NULL)
        return STATUS_NO_MEMORY;
    chunk->trees = txn->trees;
    commit_room__foresee(txn);
    *chunk_out = chunk;
    return STATUS_OK;
}

/* ---- An attempt --------------------------------------------------------------------------------- */

static enum status
validate(struct qtdb_txn *txn)
{
    latch_lock(&txn->db->snapshot_latch);
    enum status status = read_set__validate(txn);

    latch_unlock(&txn->db->snapshot_latch);
    return status;
}

/* While one row is put, the leaf of the next comes from memory, and what leads to those behind. */
static void
fetch_next(const struct btree *btree, const struct write_entry *entry)
{
    const struct write_entry *next = entry->next[0];
    const struct write_entry *after = next != NULL ? next->next[0] : NULL;

    if (next == NULL)
        return;
    if (after != NULL && after->next[0] != NULL)
        __builtin_prefetch(after->next[0]);
    btree_fetch_leaf(btree, next->leaf != entry->leaf ? next->leaf : 0,
                     after != NULL ? after->leaf : 0);
}

static enum status
apply_tree(struct pager_change *change, struct qtdb_txn *txn, struct txn_tree *tree)
{
    struct btree btree = tree__btree(tree->tree);
    bool deleted = false;

    btree.tally = &tree->leaves;
    if (txn->has_ddl) {
        enum status status = txn__tree_visible(txn, tree->tree);

        if (status == STATUS_NOT_FOUND || status == STATUS_INVALID)
            return STATUS_OK; /* Dropped by this very transaction, or never made after all. */
        TRY(status);
    }
    if (btree.root == PAGE_NONE)
        btree.root = tree->tree->root_new;
    CHECK(btree.root != PAGE_NONE && btree.root != PAGE_CATALOG_ROOT);
    for (const struct write_entry *entry = tree->writes.head[0]; entry != tree->run_first;
         entry = entry->next[0]) {
        fetch_next(&btree, entry);
        enum status status = value__apply(change, txn->db, &btree, entry);

        TRY(status);
        deleted = deleted || entry->kind == WRITE_DELETE;
        if (entry->kind == WRITE_PUT)
            status = btree_put_near(change, &btree, deleted ? 0 : entry->leaf, entry->key,
                                    entry->key_size, entry->value, entry->value_size, NULL);
        else if (entry->kind == WRITE_DELETE)
            status = btree_delete(change, &btree, entry->key, entry->key_size);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
        pager_change_rest(change);
    }
    return commit_run__attach(change, tree, &btree);
}

static enum status
apply(struct pager_change *change, struct qtdb_txn *txn)
{
    TRY(validate(txn));
    for (struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next) {
        tree->run_attached = false;
        tree->leaves = (struct btree_leaf_tally){.split_count = 0};
        if (tree->writes.count == 0)
            continue;
        if (tree->tree == txn->db->catalog)
            TRY(catalog__apply(change, txn, tree));
        else
            TRY(apply_tree(change, txn, tree));
    }
    return STATUS_OK;
}

static void
announce(struct qtdb_txn *txn, struct write_chunk *chunk)
{
    struct qtdb *db = txn->db;

    if (txn->has_ddl)
        catalog__announce(db, chunk->csn);
    commit_run__announce(chunk);
    latch_lock(&db->snapshot_latch);
    versions__push(db, chunk);
    latch_unlock(&db->snapshot_latch);
}

static void
retract(struct qtdb_txn *txn, struct write_chunk *chunk)
{
    struct qtdb *db = txn->db;

    latch_lock(&db->snapshot_latch);
    versions__withdraw(db, chunk);
    latch_unlock(&db->snapshot_latch);
    if (txn->has_ddl)
        catalog__retract(db, chunk->csn);
}

enum status
commit__attempt(struct qtdb_txn *txn, struct write_chunk *chunk, uint64_t *csn_out)
{
    struct pager_change *change;

    TRY(pager_change_begin(txn->db->pager, &change));
    if (txn->statistics != NULL)
        pager_change_measure(change, &txn->cost);
    enum status status = apply(change, txn);

    if (status != STATUS_OK) {
        txn->too_big = status == STATUS_FULL && pager_change_is_full(change);
        pager_change_abandon(change);
        return status;
    }
    chunk->csn = pager_change_csn(change);
    announce(txn, chunk);
    status = pager_change_commit(change, csn_out);
    /* A change that alters nothing takes no CSN. */
    CHECK(status != STATUS_OK || *csn_out <= chunk->csn);
    if (status != STATUS_OK || *csn_out != chunk->csn)
        retract(txn, chunk);
    return status;
}

static enum status
attempt_until_done(struct qtdb_txn *txn, struct write_chunk *chunk, uint64_t *csn_out)
{
    struct qtdb *db = txn->db;

    if (commit_queue__takes(txn) && commit_queue__run(txn, chunk, csn_out))
        return STATUS_OK;
    for (;;) {
        latch_lock(&db->attempt_latch);
        enum status status = commit__attempt(txn, chunk, csn_out);

        latch_unlock(&db->attempt_latch);
        if (status != STATUS_MISSING)
            return status;
        TRY(pager_change_resolve(db->pager));
    }
}

/* ---- The whole ---------------------------------------------------------------------------------- */

/* The chunk takes over what the transaction holds of its writes. */
static void
hand_over(struct qtdb_txn *txn, struct write_chunk *chunk)
{
    struct memory *memory = txn->db->env.memory;

    chunk->arena = txn->arena;
    chunk->writes = txn->write_arena;
    arena_init_raw(&txn->arena, memory, MEMORY_WRITE_SET);
    arena_init_raw(&txn->write_arena, memory, MEMORY_WRITE_SET);
    for (struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next) {
        memory_free(memory, MEMORY_LOCKS, tree->reads, tree->read_capacity * sizeof(*tree->reads));
        tree->reads = NULL;
        tree->read_capacity = 0;
    }
    txn->trees = NULL;
}

/* Takes the transaction out of the running ones; the chunk (NULL: none) becomes history. */
static void
settle(struct qtdb_txn *txn, struct write_chunk *chunk)
{
    struct qtdb *db = txn->db;

    cursor__detach_all(txn);
    if (chunk != NULL)
        hand_over(txn, chunk);
    latch_lock(&db->snapshot_latch);
    txn__unlist(txn);
    if (chunk != NULL) {
        if (txn->durability == QTDB_ASYNC && chunk->csn > db->csn_async)
            db->csn_async = chunk->csn;
        versions__publish(db, chunk);
    }
    bool due = chunk == NULL && versions__prune_is_due(db);

    latch_unlock(&db->snapshot_latch);
    if (due)
        versions__prune(db);
}

enum status
commit__flush(const struct qtdb *db, enum qtdb_durability durability, uint64_t csn, bool wrote)
{
    struct pager *pager = db->pager;

    if (durability == QTDB_ASYNC || db->read_only || pager_csn_durable(pager) >= csn)
        return STATUS_OK;
    enum status status = pager_flush(pager, csn);

    if (status == STATUS_OK)
        return STATUS_OK;
    return error_raise(status, "%.300s; %s", error_message(),
                       wrote ? "the outcome of the transaction is unknown until the database has "
                               "been closed and opened again"
                             : "what the transaction read may not be durable");
}

/* Inside the gate. */
static enum status
commit_in_one_change(struct qtdb_txn *txn, struct write_chunk **chunk_out, uint64_t *csn_out)
{
    txn->too_big = spill__exists(txn);
    if (txn->too_big)
        return error_raise(STATUS_FULL, "the writes do not fit one change");
    TRY(commit_big__enter(txn->db));
    enum status status = prepare(txn, chunk_out);

    if (status == STATUS_OK)
        status = attempt_until_done(txn, *chunk_out, csn_out);
    gate__leave(&txn->db->gate);
    return status;
}

static enum status
commit_writes(struct qtdb_txn *txn)
{
    struct qtdb *db = txn->db;
    struct write_chunk *chunk = NULL;
    uint64_t csn = 0;
    enum status status = commit_in_one_change(txn, &chunk, &csn);

    CHECK(status != STATUS_OK || chunk != NULL);
    bool published = status == STATUS_OK && csn == chunk->csn;

    if (published)
        route__committed(txn);
    commit_run__end_all(txn, published);
    if (txn->too_big) {
        error_clear();
        status = commit_big__run(txn, &csn);
    }
    settle(txn, published ? chunk : NULL);
    TRY(status);
    atomic_fetch_add_explicit(&db->commit_count, 1, memory_order_relaxed);
    status = commit__flush(db, txn->durability, csn, true);
    if (published)
        versions__retire(db, chunk, csn);
    return status;
}

enum status
commit__run(struct qtdb_txn *txn)
{
    enum status status = cursor__note_reads(txn);

    write_set__settle_all(txn);
    if (status == STATUS_OK && has_writes(txn))
        return commit_writes(txn);
    settle(txn, NULL);
    TRY(status);
    return commit__flush(txn->db, txn->durability, txn->snapshot, false);
}
