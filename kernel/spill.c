/*
 * Write sets larger than their budget (write_set_limit).
 *
 * What a transaction has written is in its memory, until that is full. Then all of it goes into trees of
 * the file that only this transaction knows, one for each tree that it writes to, ordered as the maps are;
 * and the memory is free for more. What is in memory hides what is below it:
 *
 *   map entry   PUT, DELETE     the own write
 *               NONE            rolled back: no own write, whatever lies below
 *               BELOW           rolled back, or none yet: what lies below counts, and so without an entry
 *   spill row   one byte enum write_kind, and with WRITE_PUT the value behind it, with WRITE_LARGE the
 *               reference
 *
 * The journal of savepoints (write_set.c) is spilled with it, before it: step number -> tree id, kind, key
 * and value as they were. A step that says BELOW is written with what lies below just then, so that it
 * holds after the writes have gone there too. A spill that fails leaves all as it was: what got into the
 * trees is hidden by what is still in memory.
 *
 * The trees are in the catalog as dropped ones from the beginning, so that a crash needs no further thought:
 * the next handle frees their pages. As long as the transaction runs they are in a list that keeps drop.c
 * off. A temporary file would spare the log, at the price of another format, cache and merge
 * (docs/decisions/0010-spilled-write-sets.md).
 *
 * A spilled transaction is committed as a big one (commit_big.c), which reads its writes from here.
 */
#include "kernel/kernel_private.h"
#include "kernel/row_batch.h"

enum { STEP_HEADER = 4 + 1 + 2 };
static_assert((int)WRITE_PUT == UNDO_ROW_WAS && (int)WRITE_DELETE == UNDO_ROW_WAS_NOT &&
                  (int)WRITE_LARGE == UNDO_ROW_WAS_LARGE,
              "spilled rows and undo rows are read by the same code");
static_assert(sizeof(struct btree_value) == sizeof(struct undo_value) &&
                  offsetof(struct btree_value, root) == offsetof(struct undo_value, root) &&
                  offsetof(struct btree_value, tree_id) == offsetof(struct undo_value, tree_id) &&
                  __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "and so are references to large values");

/* ---- The trees ---------------------------------------------------------------------------------- */

struct create {
    struct qtdb *db;
    struct spill *spill;
};

static enum status
create_body(struct pager_change *change, void *context)
{
    const struct create *create = context;
    struct btree *rows = &create->spill->rows;
    struct btree catalog = tree__btree(create->db->catalog);
    uint8_t key[5];

    TRY(btree_create(change, rows->kind, rows->tree_id, PAGE_NONE, &rows->root));
    struct catalog_record record = {
        .root = le32_of(rows->root),
        .tree_id = le32_of(rows->tree_id),
        .version = CATALOG_VERSION,
        .kind = rows->kind == BTREE_INT ? QTDB_KEY_INT : QTDB_KEY_BYTES,
    };

    catalog__dropped_key(rows->tree_id, key);
    TRY(btree_put(change, &catalog, key, sizeof(key), &record, sizeof(record), NULL));
    return catalog__store_next(change, create->db);
}

static void
list(struct qtdb *db, struct spill *spill)
{
    latch_lock(&db->snapshot_latch);
    spill->next = db->spills;
    db->spills = spill;
    latch_unlock(&db->snapshot_latch);
}

static void
unlist(struct qtdb *db, struct spill *spill)
{
    struct spill **link = &db->spills;

    latch_lock(&db->snapshot_latch);
    while (*link != spill) {
        CHECK(*link != NULL);
        link = &(*link)->next;
    }
    *link = spill->next;
    latch_unlock(&db->snapshot_latch);
}

bool
spill__is_in_use(struct qtdb *db, uint32_t tree_id)
{
    bool found = false;

    latch_lock(&db->snapshot_latch);
    for (const struct spill *spill = db->spills; spill != NULL && !found; spill = spill->next)
        found = spill->rows.tree_id == tree_id;
    latch_unlock(&db->snapshot_latch);
    return found;
}

static void
spill_free(struct qtdb *db, struct spill *spill)
{
    if (spill == NULL)
        return;
    unlist(db, spill);
    memory_free(db->env.memory, MEMORY_WRITE_SET, spill, sizeof(*spill));
    atomic_store(&db->drops_due, true);
}

/* Listed before it is in the catalog, so that nobody takes it for one to be freed. */
static enum status
spill_new(struct qtdb *db, enum btree_kind kind, struct spill **out)
{
    struct spill *spill = memory_alloc(db->env.memory, MEMORY_WRITE_SET, sizeof(*spill));
    struct create create = {.db = db, .spill = spill};
    uint64_t csn;

    if (spill == NULL)
        return STATUS_NO_MEMORY;
    spill->rows = (struct btree){.pager = db->pager, .root = PAGE_NONE, .kind = kind};
    spill->rows.tree_id = atomic_fetch_add(&db->next_tree_id, 1);
    list(db, spill);
    enum status status = spill->rows.tree_id >= UINT32_MAX / 2
                             ? error_raise(STATUS_FULL, "all tree ids have been used")
                             : commit__change(db, create_body, &create, &csn);

    if (status != STATUS_OK) {
        spill_free(db, spill);
        return status;
    }
    *out = spill;
    return STATUS_OK;
}

void
spill__free_all(struct qtdb_txn *txn)
{
    for (struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next) {
        spill_free(txn->db, tree->spill);
        tree->spill = NULL;
    }
    spill_free(txn->db, txn->journal_spill);
    txn->journal_spill = NULL;
}

/* ---- Reading ------------------------------------------------------------------------------------ */

enum status
spill__get(struct qtdb_txn *txn, const struct txn_tree *tree, const void *key, size_t key_size,
           struct version_value *value, bool *found_out)
{
    *found_out = false;
    if (tree->spill == NULL)
        return STATUS_OK;
    return undo__get_tagged(txn->db->env.memory, &tree->spill->rows, key, key_size, value->size,
                            value, found_out);
}

/* ---- The writes --------------------------------------------------------------------------------- */

static enum status
apply_row(struct pager_change *change, const struct batch_row *row, void *context)
{
    const struct btree *rows = context;

    if (row->value_size > 0)
        return btree_put(change, rows, row->key, row->key_size, row->value, row->value_size, NULL);
    enum status status = btree_delete(change, rows, row->key, row->key_size);

    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The spill row of an entry; without a value: none. */
static enum status
add_entry(struct row_batch *batch, const struct write_entry *entry)
{
    struct batch_row *row = row_batch__add(batch);

    row->key = entry->key;
    row->key_size = entry->key_size;
    if (entry->kind == WRITE_NONE)
        return STATUS_OK;
    uint8_t *bytes = arena_alloc(&batch->arena, entry->value_size + 1);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    bytes[0] = (uint8_t)entry->kind;
    if (entry->value_size > 0)
        memcpy(bytes + 1, entry->value, entry->value_size);
    row->value = bytes;
    row->value_size = entry->value_size + 1;
    return STATUS_OK;
}

static enum status
spill_tree(struct qtdb_txn *txn, struct txn_tree *tree, struct row_batch *batch)
{
    const struct write_entry *entry = tree->writes.head[0];

    if (tree->spill == NULL)
        TRY(spill_new(txn->db, tree->tree->kind == QTDB_KEY_INT ? BTREE_INT : BTREE_VAR,
                      &tree->spill));
    const struct row_batch_work work = {.apply = apply_row, .context = &tree->spill->rows};

    while (entry != NULL) {
        row_batch__clear(batch);
        for (; entry != NULL && !row_batch__is_full(batch); entry = entry->next[0])
            if (entry->kind != WRITE_BELOW)
                TRY(add_entry(batch, entry));
        TRY(row_batch__run(batch, &work));
    }
    return STATUS_OK;
}

static bool
is_spilled(const struct qtdb_txn *txn, const struct txn_tree *tree)
{
    return tree->writes.count > 0 && tree->tree != txn->db->catalog;
}

/* ---- The journal -------------------------------------------------------------------------------- */

/* What lies below, for a step that says so. */
static enum status
read_below(struct qtdb_txn *txn, const struct journal_step *step, struct row_batch *batch,
           struct version_value *out)
{
    const struct write_entry *entry = step->entry;
    bool found;

    *out = (struct version_value){.kind = step->kind, .size = step->value_size};
    out->bytes = (uint8_t *)(uintptr_t)step->value;
    if (step->kind != WRITE_BELOW)
        return STATUS_OK;
    out->size = 0;
    TRY(spill__get(txn, step->tree, entry->key, entry->key_size, out, &found));
    if (!found) {
        *out = (struct version_value){.kind = WRITE_NONE};
        return STATUS_OK;
    }
    if (out->kind == WRITE_LARGE)
        out->size = sizeof(out->large);
    out->bytes = arena_alloc(&batch->arena, out->size);
    if (out->bytes == NULL)
        return STATUS_NO_MEMORY;
    if (out->kind == WRITE_LARGE) {
        memcpy(out->bytes, &out->large, sizeof(out->large));
        return STATUS_OK;
    }
    return spill__get(txn, step->tree, entry->key, entry->key_size, out, &found);
}

static enum status
add_step(struct qtdb_txn *txn, const struct journal_step *step, uint64_t number,
         struct row_batch *batch)
{
    const struct write_entry *entry = step->entry;
    struct batch_row *row = row_batch__add(batch);
    struct version_value was;

    TRY(read_below(txn, step, batch, &was));
    size_t size = STEP_HEADER + entry->key_size + was.size;
    uint8_t *bytes = arena_alloc(&batch->arena, 8 + size);
    le32 tree_id = le32_of(step->tree->tree->tree_id);
    le16 key_size = le16_of((uint16_t)entry->key_size);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    qtdb_key_u64(number, bytes);
    memcpy(bytes + 8, &tree_id, 4);
    bytes[12] = (uint8_t)was.kind;
    memcpy(bytes + 13, &key_size, 2);
    memcpy(bytes + 8 + STEP_HEADER, entry->key, entry->key_size);
    if (was.size > 0)
        memcpy(bytes + 8 + STEP_HEADER + entry->key_size, was.bytes, was.size);
    row->key = bytes;
    row->key_size = 8;
    row->value = bytes + 8;
    row->value_size = size;
    return STATUS_OK;
}

/* All steps in memory; steps of the catalog too, which is never spilled itself. */
static enum status
spill_journal(struct qtdb_txn *txn, struct row_batch *batch)
{
    if (txn->journal_used == 0)
        return STATUS_OK;
    if (txn->journal_spill == NULL)
        TRY(spill_new(txn->db, BTREE_INT, &txn->journal_spill));
    const struct row_batch_work work = {.apply = apply_row, .context = &txn->journal_spill->rows};

    for (uint64_t index = 0; index < txn->journal_used;) {
        row_batch__clear(batch);
        for (; index < txn->journal_used && !row_batch__is_full(batch); index++)
            TRY(add_step(txn, &txn->journal[index], txn->journal_base + index, batch));
        TRY(row_batch__run(batch, &work));
    }
    txn->journal_base += txn->journal_used;
    txn->journal_used = 0;
    return STATUS_OK;
}

/* ---- Spilling ----------------------------------------------------------------------------------- */

static enum status
spill_writes(struct qtdb_txn *txn, struct row_batch *batch)
{
    write_set__settle_all(txn);
    TRY(cursor__keep_rows(txn));
    TRY(spill_journal(txn, batch));
    for (struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next)
        if (is_spilled(txn, tree))
            TRY(spill_tree(txn, tree, batch));
    return STATUS_OK;
}

/* What was in memory is below. */
static void
forget_writes(struct qtdb_txn *txn)
{
    for (struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next)
        if (is_spilled(txn, tree))
            tree->writes = (struct key_map){.random = tree->writes.random};
    arena_deinit(&txn->write_arena);
    arena_init_raw(&txn->write_arena, txn->db->env.memory, MEMORY_WRITE_SET);
    txn->write_size = txn->write_kept;
}

enum status
spill__all(struct qtdb_txn *txn)
{
    struct qtdb *db = txn->db;
    struct row_batch batch;

    TRY(commit_big__enter(db));
    row_batch__init(&batch, db->pager, db->env.memory);
    enum status status = spill_writes(txn, &batch);

    row_batch__deinit(&batch);
    gate__leave(&db->gate);
    if (status == STATUS_OK)
        forget_writes(txn);
    return status;
}

bool
spill__exists(const struct qtdb_txn *txn)
{
    for (const struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next)
        if (tree->spill != NULL)
            return true;
    return false;
}

/* ---- Savepoints --------------------------------------------------------------------------------- */

static enum status
refuse_step(void)
{
    return error_raise(STATUS_CORRUPT, "a spilled savepoint step is damaged");
}

static enum status
undo_step(struct qtdb_txn *txn, const struct btree_row *row)
{
    const uint8_t *bytes = row->value;
    struct txn_tree *tree = txn->trees;
    le32 tree_id;
    le16 key_size;

    if (row->value_size < STEP_HEADER)
        return refuse_step();
    memcpy(&tree_id, bytes, 4);
    memcpy(&key_size, bytes + 5, 2);
    size_t value_at = STEP_HEADER + (size_t)le16_get(key_size);

    while (tree != NULL && tree->tree->tree_id != le32_get(tree_id))
        tree = tree->next;
    if (tree == NULL || row->value_size < value_at || le16_get(key_size) == 0 ||
        bytes[4] > WRITE_LARGE)
        return refuse_step();
    return write_set__restore(txn, tree, bytes + STEP_HEADER, le16_get(key_size), bytes + value_at,
                              row->value_size - value_at, (enum write_kind)bytes[4]);
}

static enum status
undo_steps(struct qtdb_txn *txn, struct btree_cursor *cursor, uint64_t mark)
{
    uint8_t key[8];

    for (uint64_t number = txn->journal_base; number > mark; number--) {
        qtdb_key_u64(number - 1, key);
        enum status status = number == txn->journal_base ? btree_cursor_seek(cursor, key, 8)
                                                         : btree_cursor_previous(cursor);

        if (status == STATUS_NOT_FOUND ||
            (status == STATUS_OK && memcmp(cursor->row.key, key, 8) != 0))
            return refuse_step();
        TRY(status);
        TRY(undo_step(txn, &cursor->row));
    }
    return STATUS_OK;
}

enum status
spill__roll_back_to(struct qtdb_txn *txn, uint64_t mark)
{
    struct btree_cursor cursor;

    CHECK(txn->journal_used == 0 && mark <= txn->journal_base);
    if (mark == txn->journal_base)
        return STATUS_OK;
    btree_cursor_init(&cursor, &txn->journal_spill->rows, txn->db->env.memory);
    enum status status = undo_steps(txn, &cursor, mark);

    btree_cursor_deinit(&cursor);
    if (status == STATUS_OK)
        txn->journal_base = mark;
    return status;
}
