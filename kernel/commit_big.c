/*
 * Big commits: those that touch more pages than one change may (a quarter of the pool).
 *
 *   close the gate    other committers wait; no snapshot is taken from here on but of before (csn_limit)
 *   validate          reads against what was committed since the snapshot                -> CONFLICT
 *   begin             for each tree: an undo tree, named in the catalog; trees that the transaction makes
 *                     are made, as dropped ones
 *   for each tree, in batches of rows, in key order:
 *       read          the rows as they are, into memory
 *       undo          into the undo tree: one change or more
 *       apply         the writes: one change or more
 *   end               one change: DDL, out with the undo records. With it the commit exists (T15)
 *   flush             it is durable before anybody may see it, whatever the durability asked for
 *   settle, open the gate
 *
 * Each change is whole or absent and in order, so at any moment a row that is not as it was before is in
 * the undo. Any failure before the end is undone at once (undo.c), and where that fails too, later.
 *
 * Memory: one batch. The transaction's writes are in its memory, or spilled (spill.c).
 */
#include <stdio.h>

#include "kernel/base/faults.h"
#include "kernel/base/log_sink.h"
#include "kernel/kernel_private.h"
#include "kernel/row_batch.h"

struct big {
    struct qtdb_txn *txn;
    struct qtdb *db;
    uint64_t csn; /* No change of this commit comes before it. */
    bool published;
    struct pager_change_cost cost;
    struct row_batch batch;
};

/* ---- Beginning ---------------------------------------------------------------------------------- */

/* Trees that the transaction made and dropped, or only dropped, are not written to. */
static enum status
is_written(const struct big *big, const struct txn_tree *part, bool *out)
{
    enum status status = STATUS_OK;

    *out = part->writes.count > 0 || part->spill != NULL;
    if (!*out || !big->txn->has_ddl || part->tree == big->db->catalog)
        return STATUS_OK;
    status = txn__tree_visible(big->txn, part->tree);
    *out = status == STATUS_OK;
    if (status != STATUS_NOT_FOUND && status != STATUS_INVALID)
        return status;
    error_clear();
    return STATUS_OK;
}

static bool
is_made_here(const struct qtdb_tree *tree)
{
    return atomic_load_explicit(&tree->root, memory_order_acquire) == PAGE_NONE;
}

/* The tree as the commit writes to it. */
static struct btree
btree_of(const struct qtdb_tree *tree)
{
    struct btree btree = tree__btree(tree);

    if (btree.root == PAGE_NONE)
        btree.root = tree->root_early;
    return btree;
}

struct begin {
    struct qtdb *db;
    struct undo *undo;
    struct qtdb_tree *tree;
    uint32_t root;
};

static enum status
undo_body(struct pager_change *change, void *context)
{
    struct begin *begin = context;

    return undo__create(change, begin->db, begin->undo);
}

/* Lists it once it is there. */
static enum status
begin_undo(struct big *big, struct qtdb_tree *tree)
{
    struct qtdb *db = big->db;
    struct undo *undo = memory_alloc(db->env.memory, MEMORY_VERSIONS, sizeof(*undo));
    struct begin begin = {.db = db, .undo = undo};
    uint64_t csn;

    if (undo == NULL)
        return STATUS_NO_MEMORY;
    undo->csn = big->csn;
    undo->of = btree_of(tree);
    undo->rows = undo->of;
    undo->rows.tree_id = atomic_fetch_add(&db->next_tree_id, 1);
    enum status status = undo->rows.tree_id >= UINT32_MAX / 2
                             ? error_raise(STATUS_FULL, "all tree ids have been used")
                             : commit__change(db, undo_body, &begin, &csn);

    if (status != STATUS_OK) {
        memory_free(db->env.memory, MEMORY_VERSIONS, undo, sizeof(*undo));
        return status;
    }
    latch_lock(&db->snapshot_latch);
    undo__push(db, undo);
    atomic_store_explicit(&tree->csn_written, big->csn, memory_order_release);
    latch_unlock(&db->snapshot_latch);
    return STATUS_OK;
}

/* Nobody can see it yet, so it needs no undo: if the commit fails it is a dropped tree already. */
static enum status
make_body(struct pager_change *change, void *context)
{
    struct begin *begin = context;
    struct btree catalog = tree__btree(begin->db->catalog);
    struct btree tree = tree__btree(begin->tree);
    uint8_t key[5];

    TRY(btree_create(change, tree.kind, tree.tree_id, PAGE_NONE, &begin->root));
    struct catalog_record record = {
        .root = le32_of(begin->root),
        .tree_id = le32_of(tree.tree_id),
        .version = CATALOG_VERSION,
        .kind = (uint8_t)begin->tree->kind,
        .csn_dropped = le64_of(pager_change_csn(change)),
    };

    catalog__dropped_key(tree.tree_id, key);
    TRY(btree_put(change, &catalog, key, sizeof(key), &record, sizeof(record), NULL));
    return catalog__store_next(change, begin->db);
}

static enum status
begin_tree(struct big *big, const struct txn_tree *part)
{
    struct begin begin = {.db = big->db, .tree = part->tree};
    bool written = false;
    uint64_t csn;

    TRY(is_written(big, part, &written));
    if (!written)
        return STATUS_OK;
    if (!is_made_here(part->tree))
        return begin_undo(big, part->tree);
    TRY(commit__change(big->db, make_body, &begin, &csn));
    part->tree->root_early = begin.root;
    return STATUS_OK;
}

/* ---- Batches ------------------------------------------------------------------------------------ */

/* The same of a row whose value is a tree of its own. */
static enum status
note_large(struct big *big, struct batch_row *row, const struct btree_value *before)
{
    struct undo_value value = {.size = le64_of(before->size),
                               .root = le32_of(before->root),
                               .tree_id = le32_of(before->tree_id)};
    uint8_t *bytes = arena_alloc(&big->batch.arena, 1 + sizeof(value));

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    bytes[0] = UNDO_ROW_WAS_LARGE;
    memcpy(bytes + 1, &value, sizeof(value));
    row->value = bytes;
    row->value_size = 1 + sizeof(value);
    return STATUS_OK;
}

/* The row as it is, behind a byte that says whether there is one. Nobody else changes it: its key is
 * locked, and the gate is closed. */
static enum status
read_before(struct big *big, const struct btree *tree, struct batch_row *row)
{
    uint8_t inline_value[BTREE_INLINE_VALUE_MAX];
    size_t size = sizeof(inline_value);
    uint64_t csn;
    enum status status = btree_get(tree, row->key, row->key_size, inline_value, &size, &csn);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND && status != STATUS_FULL)
        return status;
    if (status == STATUS_FULL && size > BTREE_CHUNK_SIZE) {
        struct btree_value before;
        bool is_large = false;

        TRY(btree_get_value(tree, row->key, row->key_size, &before, &is_large, &csn));
        if (is_large)
            return note_large(big, row, &before);
    }
    bool was = status != STATUS_NOT_FOUND;
    uint8_t *value = arena_alloc(&big->batch.arena, was ? size + 1 : 1);

    if (value == NULL)
        return STATUS_NO_MEMORY;
    value[0] = was ? UNDO_ROW_WAS : UNDO_ROW_WAS_NOT;
    if (status == STATUS_FULL)
        TRY(btree_get(tree, row->key, row->key_size, value + 1, &size, &csn));
    else if (was)
        memcpy(value + 1, inline_value, size);
    row->value = value;
    row->value_size = was ? size + 1 : 1;
    return STATUS_OK;
}

/* The transaction's writes to a tree, in key order: in its memory, or all of them spilled. */
struct source {
    const struct write_entry *entry;
    struct btree_cursor spilled;
    bool is_spilled;
    bool ended;
};

static enum status
source_take(struct source *source, enum status status)
{
    source->ended = status != STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
source_begin(struct source *source, const struct txn_tree *part, struct memory *memory)
{
    *source = (struct source){.entry = part->writes.head[0], .is_spilled = part->spill != NULL};
    source->ended = source->entry == NULL;
    if (!source->is_spilled)
        return STATUS_OK;
    btree_cursor_init(&source->spilled, &part->spill->rows, memory);
    return source_take(source, btree_cursor_seek(&source->spilled, NULL, 0));
}

static void
source_end(struct source *source)
{
    if (source->is_spilled)
        btree_cursor_deinit(&source->spilled);
}

/* The present write into the batch, copied where it does not stay. */
static enum status
add_spilled(struct row_batch *batch, const struct btree *rows, const struct btree_row *from)
{
    struct btree_value large;
    uint8_t *bytes = arena_alloc(&batch->arena, from->key_size + from->value_size);
    struct batch_row *row = row_batch__add(batch);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    TRY(undo__decode(rows, from->value, from->value_size, &row->kind, &large));
    memcpy(bytes, from->key, from->key_size);
    memcpy(bytes + from->key_size, from->value, from->value_size);
    row->key = bytes;
    row->key_size = from->key_size;
    row->write = bytes + from->key_size + 1;
    row->write_size = from->value_size - 1;
    return STATUS_OK;
}

static void
add_entry(struct row_batch *batch, const struct write_entry *entry)
{
    if (entry->kind == WRITE_NONE)
        return;
    *row_batch__add(batch) = (struct batch_row){
        .key = entry->key,
        .key_size = entry->key_size,
        .kind = entry->kind,
        .write = entry->value,
        .write_size = entry->value_size,
    };
}

static enum status
source_step(struct source *source, struct row_batch *batch)
{
    if (source->is_spilled) {
        TRY(add_spilled(batch, &source->spilled.tree, &source->spilled.row));
        return source_take(source, btree_cursor_next(&source->spilled));
    }
    add_entry(batch, source->entry);
    source->entry = source->entry->next[0];
    source->ended = source->entry == NULL;
    return STATUS_OK;
}

/* Fills the batch with the next writes, and the rows as they are where there is an undo. */
static enum status
collect(struct big *big, const struct btree *tree, bool undo, struct source *source)
{
    struct row_batch *batch = &big->batch;

    row_batch__clear(batch);
    while (!source->ended && !row_batch__is_full(batch)) {
        uint32_t count = batch->row_count;

        TRY(source_step(source, batch));
        if (undo && batch->row_count > count)
            TRY(read_before(big, tree, &batch->rows[count]));
    }
    return STATUS_OK;
}

static enum status
put_undo(struct pager_change *change, const struct batch_row *row, void *context)
{
    const struct btree *rows = context;

    return btree_put(change, rows, row->key, row->key_size, row->value, row->value_size, NULL);
}

struct apply {
    struct qtdb *db;
    const struct btree *tree;
    bool is_new; /* The tree is: it is a dropped one itself until the commit ends. */
};

/* Of the row that is replaced the undo knows; its value is freed when no snapshot sees it, unless the
 * commit is undone. A new value stays among the dropped ones until the commit ends, or is freed with the
 * new tree that names it: never both. */
static enum status
apply_row(struct pager_change *change, const struct batch_row *row, void *context)
{
    const struct apply *apply = context;
    const struct btree *tree = apply->tree;

    if (row->value_size > 0 && row->value[0] == UNDO_ROW_WAS_LARGE)
        TRY(value__drop(change, apply->db, row->value + 1, row->value_size - 1));
    if (row->kind == WRITE_LARGE && apply->is_new)
        TRY(value__adopt(change, apply->db, row->write, row->write_size));
    if (row->kind == WRITE_LARGE || row->kind == WRITE_PACKED)
        return value__put_as(change, tree, row->kind, row->key, row->key_size, row->write,
                             row->write_size);
    if (row->kind == WRITE_PUT)
        return btree_put(change, tree, row->key, row->key_size, row->write, row->write_size, NULL);
    enum status status = btree_delete(change, tree, row->key, row->key_size);

    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
run(struct big *big, void *context,
    enum status (*apply)(struct pager_change *change, const struct batch_row *row, void *context))
{
    const struct row_batch_work work = {.apply = apply, .context = context, .cost = &big->cost};

    return row_batch__run(&big->batch, &work);
}

static enum status
put_undo_rows(struct big *big, struct undo *undo)
{
    if (undo == NULL || BUG(UNDO_NOT_WRITTEN))
        return STATUS_OK;
    TRY(run(big, &undo->rows, put_undo));
    /* Whoever knows of nothing before some key has to look again. */
    atomic_fetch_add_explicit(&big->db->version_epoch, 1, memory_order_release);
    return STATUS_OK;
}

static struct undo *
undo_of(const struct qtdb *db, uint32_t tree_id)
{
    struct undo *undo = db->undos;

    while (undo != NULL && (undo->of.tree_id != tree_id || undo->state != UNDO_ACTIVE))
        undo = undo->next;
    return undo;
}

/* The catalog's own writes are applied at the end, in one change. */
static enum status
apply_source(struct big *big, struct qtdb_tree *tree, struct source *source)
{
    struct undo *undo = undo_of(big->db, tree->tree_id);
    struct btree btree = btree_of(tree);
    struct apply apply = {.db = big->db, .tree = &btree, .is_new = is_made_here(tree)};

    while (!source->ended) {
        TRY(collect(big, &btree, undo != NULL, source));
        if (!BUG(UNDO_AFTER_CHANGE))
            TRY(put_undo_rows(big, undo));
        if (tree != big->db->catalog)
            TRY(run(big, &apply, apply_row));
        if (BUG(UNDO_AFTER_CHANGE))
            TRY(put_undo_rows(big, undo));
        if (BUG(BIG_COMMIT_ENDS_EARLY))
            return STATUS_OK;
    }
    return STATUS_OK;
}

static enum status
apply_tree(struct big *big, const struct txn_tree *part)
{
    struct source source;
    bool written = false;

    TRY(is_written(big, part, &written));
    if (!written)
        return STATUS_OK;
    enum status status = source_begin(&source, part, big->db->env.memory);

    if (status == STATUS_OK)
        status = apply_source(big, part->tree, &source);
    source_end(&source);
    return status;
}

/* ---- Ending ------------------------------------------------------------------------------------- */

/* The rows name them now. */
static enum status
adopt_values(struct pager_change *change, struct big *big, const struct txn_tree *part)
{
    struct source source;
    bool written = false;

    TRY(is_written(big, part, &written));
    if (!written || is_made_here(part->tree))
        return STATUS_OK;
    enum status status = source_begin(&source, part, big->db->env.memory);

    while (status == STATUS_OK && !source.ended) {
        row_batch__clear(&big->batch);
        status = source_step(&source, &big->batch);
        const struct batch_row *row = &big->batch.rows[0];

        if (status == STATUS_OK && big->batch.row_count > 0 && row->kind == WRITE_LARGE)
            status = value__adopt(change, big->db, row->write, row->write_size);
    }
    source_end(&source);
    return status;
}

static enum status
end_body(struct pager_change *change, struct big *big)
{
    if (big->txn->has_values)
        for (struct txn_tree *part = big->txn->trees; part != NULL; part = part->next)
            TRY(adopt_values(change, big, part));
    for (struct txn_tree *part = big->txn->trees; part != NULL; part = part->next)
        if (part->tree == big->db->catalog && part->writes.count > 0)
            TRY(catalog__apply(change, big->txn, part));
    return undo__finish(change, big->db);
}

/* Under the attempt latch. */
static enum status
end_attempt(struct big *big, uint64_t *csn_out)
{
    struct pager_change_cost cost = {.log_size = 0};
    struct qtdb *db = big->db;
    struct pager_change *change;

    TRY(pager_change_begin(db->pager, &change));
    pager_change_measure(change, &cost);
    enum status status = end_body(change, big);

    if (status != STATUS_OK) {
        pager_change_abandon(change);
        return status;
    }
    uint64_t csn = pager_change_csn(change);

    if (big->txn->has_ddl)
        catalog__announce(db, csn);
    status = pager_change_commit(change, csn_out);
    if (status != STATUS_OK && big->txn->has_ddl)
        catalog__retract(db, csn);
    if (status == STATUS_OK) {
        big->cost.log_size += cost.log_size;
        big->cost.page_count += cost.page_count;
    }
    return status;
}

static enum status
end(struct big *big, uint64_t *csn_out)
{
    struct qtdb *db = big->db;

    for (;;) {
        latch_lock(&db->attempt_latch);
        enum status status = end_attempt(big, csn_out);

        latch_unlock(&db->attempt_latch);
        if (status != STATUS_MISSING)
            return status;
        TRY(pager_change_resolve(db->pager));
    }
}

/* ---- The whole ---------------------------------------------------------------------------------- */

static enum status
validate(struct big *big)
{
    TRY(read_set__validate_undo(big->txn));
    latch_lock(&big->db->snapshot_latch);
    enum status status = read_set__validate(big->txn);

    latch_unlock(&big->db->snapshot_latch);
    return status;
}

/* Committers are out, so what is published now is all that there is before this commit. */
static enum status
hold_snapshots(struct big *big)
{
    struct qtdb *db = big->db;

    latch_lock(&db->snapshot_latch);
    bool held = db->csn_limit != CSN_NEVER; /* By one that could not be made durable. */
    uint64_t csn = pager_csn(db->pager);

    if (!held && !BUG(SNAPSHOT_IN_BIG_COMMIT))
        db->csn_limit = csn;
    latch_unlock(&db->snapshot_latch);
    big->csn = csn + 1;
    if (held)
        return error_raise(STATUS_FAILED, "an earlier write failed and this handle takes no "
                                          "changes: close it and open again to recover");
    return STATUS_OK;
}

static enum status
write_all(struct big *big, uint64_t *csn_out)
{
    for (struct txn_tree *part = big->txn->trees; part != NULL; part = part->next) {
        TRY(value__pack_tree(big->txn, part));
        TRY(begin_tree(big, part));
    }
    for (struct txn_tree *part = big->txn->trees; part != NULL; part = part->next)
        TRY(apply_tree(big, part));
    TRY(end(big, csn_out));
    big->published = true;
    return STATUS_OK;
}

static void
forget_early_roots(struct big *big)
{
    for (struct txn_tree *part = big->txn->trees; part != NULL; part = part->next)
        part->tree->root_early = 0;
}

/* Undoes what was done; returns `status` with its message. */
static enum status
give_up(struct big *big, enum status status)
{
    char reason[ERROR_MESSAGE_SIZE];

    (void)snprintf(reason, sizeof(reason), "%s", error_message());
    if (undo__roll_back(big->db) != STATUS_OK) {
        atomic_store(&big->db->undo_due, true);
        log_line(LOG_ERROR, "kernel: a failed commit cannot be undone yet reason=\"%s\"",
                 error_message());
    }
    return error_raise(status, "%s", reason);
}

static enum status
publish(struct big *big, uint64_t csn)
{
    enum status status = pager_flush(big->db->pager, csn);

    if (status != STATUS_OK)
        return error_raise(status,
                           "%.300s; the outcome of the transaction is unknown until the database "
                           "has been closed and opened again",
                           error_message());
    undo__settle(big->db, UNDO_COMMITTED);
    return STATUS_OK;
}

static enum status
commit(struct big *big, uint64_t *csn_out)
{
    TRY(validate(big));
    undo__prune(big->db);
    TRY(hold_snapshots(big));
    enum status status = write_all(big, csn_out);

    forget_early_roots(big);
    if (big->published)
        return publish(big, *csn_out);
    return give_up(big, status);
}

/* Undoes what could not be undone before. The gate is closed. */
static enum status
catch_up(struct qtdb *db)
{
    enum status status = atomic_load(&db->undo_due) ? undo__roll_back(db) : STATUS_OK;

    if (status == STATUS_OK)
        return STATUS_OK;
    return error_raise(status,
                       "a large transaction that failed has to be undone before another one can "
                       "commit: %.300s",
                       error_message());
}

enum status
commit_big__enter(struct qtdb *db)
{
    for (;;) {
        gate__enter(&db->gate);
        if (!atomic_load(&db->undo_due))
            return STATUS_OK;
        gate__leave(&db->gate);
        gate__close(&db->gate);
        enum status status = catch_up(db);

        gate__open(&db->gate);
        TRY(status);
    }
}

enum status
commit_big__run(struct qtdb_txn *txn, uint64_t *csn_out)
{
    struct qtdb *db = txn->db;
    struct big big = {.txn = txn, .db = db};

    if (spill__exists(txn))
        TRY(spill__all(txn)); /* The rest: then each tree's writes are in one place. */
    row_batch__init(&big.batch, db->pager, db->env.memory);
    gate__close(&db->gate);
    enum status status = catch_up(db);

    if (status == STATUS_OK)
        status = commit(&big, csn_out);
    gate__open(&db->gate);
    row_batch__deinit(&big.batch);
    txn->cost = big.cost;
    return status;
}
