/*
 * The rows before a big commit (commit_big.c), and putting them back.
 *
 *   ACTIVE --the commit's last change--> COMMITTED --+
 *      |                                             +--> freed, when no snapshot is older
 *      +--rows put back, last change---> UNDONE -----+
 *
 * For each tree that a big commit writes to there is a row in the catalog, and a tree of undo rows. Who
 * finds such a row when nobody is at work on it has an unfinished commit to undo: each key is put back to
 * what its undo row says. A key is in the undo before it is changed, and once; so putting back needs no
 * order and may be broken off and begun again. The undo rows stay until all of it is done, because readers
 * need them as long as the pages show anything else (undo_search.c).
 *
 * Where the disk is full, or the memory, what is left to undo stays: snapshots are taken from before
 * the commit, and the next one that wants to commit tries again first (commit_big__enter), or else the next
 * open.
 */
#include "kernel/base/faults.h"
#include "kernel/base/log_sink.h"
#include "kernel/kernel_private.h"
#include "kernel/row_batch.h"

/* ---- Rows of the catalog ------------------------------------------------------------------------ */

void
undo__key(uint32_t tree_id, uint8_t out[5])
{
    catalog__dropped_key(tree_id, out);
    out[0] = CATALOG_KEY_UNDO;
}

/* The catalog's own rows may be among those written. */
static bool
names_a_tree(const struct catalog_undo *record)
{
    uint32_t root = le32_get(record->root);
    uint32_t tree_id = le32_get(record->tree_id);

    if (tree_id == CATALOG_TREE_ID)
        return root == PAGE_CATALOG_ROOT && record->kind == QTDB_KEY_BYTES;
    return tree_id >= CATALOG_TREE_ID_FIRST && root > PAGE_CATALOG_ROOT && root != PAGE_NONE;
}

enum status
undo__record_decode(const void *bytes, size_t size, struct catalog_undo *out)
{
    struct catalog_undo record = {.version = 0};

    if (size != sizeof(record))
        return error_raise(STATUS_CORRUPT, "catalog: an undo record has %zu bytes instead of %zu",
                           size, sizeof(record));
    memcpy(&record, bytes, sizeof(record));
    if (record.version > CATALOG_VERSION)
        return error_raise(STATUS_VERSION,
                           "catalog: an undo record of version %u; this build knows %d",
                           record.version, CATALOG_VERSION);
    if (record.version == 0 || record.kind > QTDB_KEY_INT ||
        !bytes_are_zero(record.reserved, sizeof(record.reserved)) || !names_a_tree(&record) ||
        le32_get(record.undo_root) <= PAGE_CATALOG_ROOT ||
        le32_get(record.undo_root) == PAGE_NONE ||
        le32_get(record.undo_id) < CATALOG_TREE_ID_FIRST || le64_get(record.csn) == 0)
        return error_raise(STATUS_CORRUPT, "catalog: the undo record of tree id %u is damaged",
                           le32_get(record.tree_id));
    *out = record;
    return STATUS_OK;
}

static uint8_t
key_kind(const struct btree *tree)
{
    return tree->kind == BTREE_INT ? QTDB_KEY_INT : QTDB_KEY_BYTES;
}

enum status
undo__create(struct pager_change *change, struct qtdb *db, struct undo *undo)
{
    struct btree catalog = tree__btree(db->catalog);
    uint8_t key[5];

    TRY(btree_create(change, undo->of.kind, undo->rows.tree_id, PAGE_NONE, &undo->rows.root));
    struct catalog_undo record = {
        .root = le32_of(undo->of.root),
        .tree_id = le32_of(undo->of.tree_id),
        .undo_root = le32_of(undo->rows.root),
        .undo_id = le32_of(undo->rows.tree_id),
        .version = CATALOG_VERSION,
        .kind = key_kind(&undo->of),
        .csn = le64_of(undo->csn),
    };

    undo__key(undo->of.tree_id, key);
    TRY(btree_put(change, &catalog, key, sizeof(key), &record, sizeof(record), NULL));
    return catalog__store_next(change, db);
}

static enum status
finish_one(struct pager_change *change, const struct btree *catalog, const struct undo *undo)
{
    struct catalog_record record = {
        .root = le32_of(undo->rows.root),
        .tree_id = le32_of(undo->rows.tree_id),
        .version = CATALOG_VERSION,
        .kind = key_kind(&undo->rows),
        .csn_dropped = le64_of(pager_change_csn(change)),
    };
    uint8_t key[5];

    undo__key(undo->of.tree_id, key);
    TRY(btree_delete(change, catalog, key, sizeof(key)));
    catalog__dropped_key(undo->rows.tree_id, key);
    return btree_put(change, catalog, key, sizeof(key), &record, sizeof(record), NULL);
}

enum status
undo__finish(struct pager_change *change, struct qtdb *db)
{
    struct btree catalog = tree__btree(db->catalog);

    for (const struct undo *undo = db->undos; undo != NULL; undo = undo->next)
        if (undo->state == UNDO_ACTIVE)
            TRY(finish_one(change, &catalog, undo));
    return STATUS_OK;
}

/* ---- The list ----------------------------------------------------------------------------------- */

void
undo__push(struct qtdb *db, struct undo *undo)
{
    struct undo **link = &db->undos;

    CHECK(latch_is_held(&db->snapshot_latch) && undo->state == UNDO_ACTIVE);
    while (*link != NULL) {
        CHECK((*link)->csn <= undo->csn);
        link = &(*link)->next;
    }
    undo->next = NULL;
    *link = undo;
    atomic_fetch_add_explicit(&db->undo_count, 1, memory_order_release);
}

bool
undo__is_unfinished(struct qtdb *db)
{
    bool found = false;

    latch_lock(&db->snapshot_latch);
    for (const struct undo *undo = db->undos; undo != NULL; undo = undo->next)
        found = found || undo->state == UNDO_ACTIVE;
    latch_unlock(&db->snapshot_latch);
    return found;
}

void
undo__settle(struct qtdb *db, enum undo_state state)
{
    CHECK(state != UNDO_ACTIVE);
    latch_lock(&db->snapshot_latch);
    for (struct undo *undo = db->undos; undo != NULL; undo = undo->next)
        if (undo->state == UNDO_ACTIVE)
            undo->state = state;
    db->csn_limit = CSN_NEVER;
    latch_unlock(&db->snapshot_latch);
    atomic_store(&db->undo_due, false);
    atomic_store(&db->drops_due, true);
}

void
undo__prune(struct qtdb *db)
{
    struct undo **link = &db->undos;
    struct undo *unneeded = NULL;

    latch_lock(&db->snapshot_latch);
    uint64_t oldest = txn__oldest_snapshot(db);

    while (*link != NULL) {
        struct undo *undo = *link;

        if (undo->state == UNDO_ACTIVE || undo->csn > oldest) {
            link = &undo->next;
            continue;
        }
        *link = undo->next;
        undo->next = unneeded;
        unneeded = undo;
        atomic_fetch_sub_explicit(&db->undo_count, 1, memory_order_relaxed);
    }
    latch_unlock(&db->snapshot_latch);
    while (unneeded != NULL) {
        struct undo *next = unneeded->next;

        memory_free(db->env.memory, MEMORY_VERSIONS, unneeded, sizeof(*unneeded));
        unneeded = next;
    }
}

void
undo__free_all(struct qtdb *db)
{
    while (db->undos != NULL) {
        struct undo *undo = db->undos;

        db->undos = undo->next;
        memory_free(db->env.memory, MEMORY_VERSIONS, undo, sizeof(*undo));
    }
}

/* ---- Putting back ------------------------------------------------------------------------------- */

enum status
undo__decode(const struct btree *rows, const uint8_t *bytes, size_t size, enum write_kind *kind_out,
             struct btree_value *large_out)
{
    struct undo_value value;

    if (size > 0 && bytes[0] == UNDO_ROW_WAS) {
        *kind_out = WRITE_PUT;
        return STATUS_OK;
    }
    if (size == 1 && bytes[0] == UNDO_ROW_WAS_NOT) {
        *kind_out = WRITE_DELETE;
        return STATUS_OK;
    }
    if (size != 1 + sizeof(value) || bytes[0] != UNDO_ROW_WAS_LARGE)
        return error_raise(STATUS_CORRUPT, "the undo rows of tree id %u are damaged",
                           rows->tree_id);
    memcpy(&value, bytes + 1, sizeof(value));
    *kind_out = WRITE_LARGE;
    *large_out = (struct btree_value){.size = le64_get(value.size),
                                      .root = le32_get(value.root),
                                      .tree_id = le32_get(value.tree_id)};
    return STATUS_OK;
}

/* What the commit replaced it had put among the dropped ones. */
static enum status
put_back_large(struct pager_change *change, struct qtdb *db, const struct btree *tree,
               const struct batch_row *row, const struct btree_value *value)
{
    struct btree catalog = tree__btree(db->catalog);
    uint8_t key[5];

    catalog__dropped_key(value->tree_id, key);
    enum status status = btree_delete(change, &catalog, key, sizeof(key));

    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    return btree_put_value(change, tree, row->key, row->key_size, value);
}

struct roll_back {
    struct qtdb *db;
    const struct btree *of;
};

static enum status
put_back(struct pager_change *change, const struct batch_row *row, void *context)
{
    const struct roll_back *roll_back = context;
    const struct btree *tree = roll_back->of;
    struct btree_value large = {.size = 0};
    enum write_kind kind = WRITE_NONE;

    TRY(undo__decode(tree, row->value, row->value_size, &kind, &large));
    if (kind == WRITE_LARGE)
        return put_back_large(change, roll_back->db, tree, row, &large);
    if (kind == WRITE_PUT)
        return btree_put(change, tree, row->key, row->key_size, row->value + 1, row->value_size - 1,
                         NULL);
    enum status status = btree_delete(change, tree, row->key, row->key_size);

    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
copy_row(struct row_batch *batch, const struct btree_row *row)
{
    uint8_t *bytes = arena_alloc(&batch->arena, row->key_size + row->value_size);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    memcpy(bytes, row->key, row->key_size);
    if (row->value_size > 0)
        memcpy(bytes + row->key_size, row->value, row->value_size);
    *row_batch__add(batch) = (struct batch_row){
        .key = bytes,
        .key_size = row->key_size,
        .value = bytes + row->key_size,
        .value_size = row->value_size,
    };
    return STATUS_OK;
}

/* All undo rows in key order. */
static enum status
put_back_all(struct row_batch *batch, struct btree_cursor *cursor, struct roll_back *roll_back)
{
    const struct row_batch_work work = {.apply = put_back, .context = roll_back};
    enum status status = btree_cursor_seek(cursor, NULL, 0);

    while (status == STATUS_OK) {
        row_batch__clear(batch);
        while (status == STATUS_OK && !row_batch__is_full(batch)) {
            TRY(copy_row(batch, &cursor->row));
            status = btree_cursor_next(cursor);
        }
        if (status == STATUS_OK || status == STATUS_NOT_FOUND)
            TRY(row_batch__run(batch, &work));
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
roll_back_one(struct qtdb *db, struct undo *undo)
{
    struct roll_back roll_back = {.db = db, .of = &undo->of};
    struct btree_cursor cursor;
    struct row_batch batch;

    row_batch__init(&batch, db->pager, db->env.memory);
    btree_cursor_init(&cursor, &undo->rows, db->env.memory);
    enum status status = put_back_all(&batch, &cursor, &roll_back);

    btree_cursor_deinit(&cursor);
    row_batch__deinit(&batch);
    return status;
}

static enum status
finish_body(struct pager_change *change, void *context)
{
    return BUG(UNDO_RECORD_KEPT) ? STATUS_OK : undo__finish(change, context);
}

enum status
undo__roll_back(struct qtdb *db)
{
    uint64_t csn;

    /* Whoever changes the list has the gate closed as well. */
    for (struct undo *undo = db->undos; undo != NULL; undo = undo->next)
        if (undo->state == UNDO_ACTIVE && !BUG(UNDO_NOT_RUN))
            TRY(roll_back_one(db, undo));
    TRY(commit__change(db, finish_body, db, &csn));
    /* Snapshots of what is durable must not lie in between either. */
    TRY(pager_flush(db->pager, csn));
    undo__settle(db, UNDO_UNDONE);
    return STATUS_OK;
}

/* ---- Opening ------------------------------------------------------------------------------------ */

static enum status
list_record(struct qtdb *db, const struct btree_row *row)
{
    struct catalog_undo record = {.version = 0};
    struct undo *undo;

    TRY(undo__record_decode(row->value, row->value_size, &record));
    if (le64_get(record.csn) > pager_csn(db->pager))
        return error_raise(STATUS_CORRUPT, "catalog: the undo record of tree id %u is damaged",
                           le32_get(record.tree_id));
    undo = memory_alloc(db->env.memory, MEMORY_VERSIONS, sizeof(*undo));
    if (undo == NULL)
        return STATUS_NO_MEMORY;
    undo->csn = le64_get(record.csn);
    undo->of = (struct btree){
        .pager = db->pager,
        .root = le32_get(record.root),
        .tree_id = le32_get(record.tree_id),
        .kind = record.kind == QTDB_KEY_INT ? BTREE_INT : BTREE_VAR,
    };
    undo->rows = undo->of;
    undo->rows.root = le32_get(record.undo_root);
    undo->rows.tree_id = le32_get(record.undo_id);
    latch_lock(&db->snapshot_latch);
    undo__push(db, undo);
    if (undo->csn <= db->csn_limit)
        db->csn_limit = undo->csn - 1;
    latch_unlock(&db->snapshot_latch);
    return STATUS_OK;
}

static enum status
list_records(struct qtdb *db)
{
    const uint8_t first = CATALOG_KEY_UNDO;
    struct btree catalog = tree__btree(db->catalog);
    struct btree_cursor cursor;

    btree_cursor_init(&cursor, &catalog, db->env.memory);
    enum status status = btree_cursor_seek(&cursor, &first, 1);

    while (status == STATUS_OK && cursor.row.key[0] == CATALOG_KEY_UNDO) {
        status = list_record(db, &cursor.row);
        if (status == STATUS_OK)
            status = btree_cursor_next(&cursor);
    }
    btree_cursor_deinit(&cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status
undo__open(struct qtdb *db)
{
    TRY(list_records(db));
    if (db->undos == NULL || db->read_only)
        return STATUS_OK;
    enum status status = undo__roll_back(db);

    log_line(status == STATUS_OK ? LOG_INFO : LOG_ERROR,
             "kernel: a commit larger than the pool had not ended: undone=%s reason=\"%s\"",
             status == STATUS_OK ? "yes" : "no", status == STATUS_OK ? "" : error_message());
    if (status == STATUS_OK)
        undo__prune(db);
    if (status != STATUS_FULL)
        return status;
    error_clear();
    atomic_store(&db->undo_due, true);
    return STATUS_OK;
}
