/*
 * Questions to the undo of big commits (undo.c), which is the part of the version store that is on disk:
 * what did a snapshot older than such a commit have of a key, what is the next key of which it had
 * something else, was anything of a range changed since.
 *
 * As in version_search.c the tree is read first and the undo then: a key is in the undo before the
 * page shows its change. The trees of undo rows are read like any tree, without latches; they stay, for
 * their pages are not freed while a snapshot older than the end of the commit runs (T7), and whoever asks
 * has one. Only the list of them is looked at under the snapshot latch.
 */
#include "kernel/kernel_private.h"

/* The first undo of the tree with a CSN above `*csn_io`, which becomes that one's. */
static bool
next_undo(struct qtdb *db, uint32_t tree_id, bool committed, uint64_t *csn_io,
          struct btree *rows_out)
{
    bool found = false;

    latch_lock(&db->snapshot_latch);
    for (const struct undo *undo = db->undos; undo != NULL && !found; undo = undo->next) {
        if (undo->of.tree_id != tree_id || undo->csn <= *csn_io ||
            (committed && undo->state != UNDO_COMMITTED))
            continue;
        *rows_out = undo->rows;
        *csn_io = undo->csn;
        found = true;
    }
    latch_unlock(&db->snapshot_latch);
    return found;
}

/* ---- One key ------------------------------------------------------------------------------------ */

static enum status
take_value(const struct btree *rows, const uint8_t *bytes, size_t size, size_t room,
           struct version_value *value)
{
    TRY(undo__decode(rows, bytes, size, &value->kind, &value->large));
    value->size = value->kind == WRITE_LARGE ? 0 : size - 1;
    if (value->size > 0 && value->size <= room)
        memcpy(value->bytes, bytes + 1, value->size);
    return STATUS_OK;
}

static enum status
get_large(struct memory *memory, const struct btree *rows, const void *key, size_t key_size,
          size_t size, size_t room, struct version_value *value)
{
    uint8_t *bytes = memory_alloc(memory, MEMORY_OTHER, size);
    size_t got = size;
    uint64_t csn;

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    enum status status = btree_get(rows, key, key_size, bytes, &got, &csn);

    if (status == STATUS_OK)
        status = take_value(rows, bytes, got, room, value);
    memory_free(memory, MEMORY_OTHER, bytes, size);
    return status;
}

enum status
undo__get_tagged(struct memory *memory, const struct btree *rows, const void *key, size_t key_size,
                 size_t room, struct version_value *value, bool *found_out)
{
    uint8_t bytes[BTREE_INLINE_VALUE_MAX + 1];
    size_t size = sizeof(bytes);
    uint64_t csn;
    enum status status = btree_get(rows, key, key_size, bytes, &size, &csn);

    *found_out = false;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = take_value(rows, bytes, size, room, value);
    else if (status == STATUS_FULL)
        status = get_large(memory, rows, key, key_size, size, room, value);
    *found_out = status == STATUS_OK;
    return status;
}

enum status
undo__get(struct qtdb_txn *txn, const struct qtdb_tree *tree, const void *key, size_t key_size,
          uint64_t csn, size_t room, struct version_value *value, bool *found_out)
{
    struct memory *memory = txn->db->env.memory;
    uint64_t at = txn->snapshot;
    struct btree rows;

    while (next_undo(txn->db, tree->tree_id, false, &at, &rows) && at < csn) {
        bool found;

        TRY(undo__get_tagged(memory, &rows, key, key_size, room, value, &found));
        if (!found)
            continue;
        *found_out = true;
        return STATUS_OK;
    }
    return STATUS_OK;
}

/* ---- The next key ------------------------------------------------------------------------------- */

static bool
is_place(const struct btree_row *row, const struct version_place *place)
{
    return place->key_size > 0 &&
           key_compare(row->key, row->key_size, place->key, place->key_size) == 0;
}

static enum status
seek(struct btree_cursor *cursor, const struct version_place *place)
{
    enum status status = place->backward
                             ? btree_cursor_seek_last(cursor, place->key, place->key_size)
                             : btree_cursor_seek(cursor, place->key, place->key_size);

    if (status != STATUS_OK || place->inclusive || !is_place(&cursor->row, place))
        return status;
    return place->backward ? btree_cursor_previous(cursor) : btree_cursor_next(cursor);
}

static bool
is_nearer(const struct btree_row *found, uint64_t csn, bool backward, const struct version_row *row)
{
    if (row->ended)
        return true;
    int order = key_compare(found->key, found->key_size, row->bytes, row->key_size);

    if (order == 0)
        return row->kind == WRITE_NONE || csn < row->csn;
    return backward ? order > 0 : order < 0;
}

static enum status
take_row(const struct btree *rows, const struct btree_row *found, uint64_t csn,
         struct version_row *row)
{
    const uint8_t *value = found->value + 1;
    size_t value_size = found->value_size - 1;
    struct btree_value large = {.size = 0};
    enum write_kind kind = WRITE_NONE;

    TRY(undo__decode(rows, found->value, found->value_size, &kind, &large));
    if (kind == WRITE_LARGE) {
        value = (const uint8_t *)&large;
        value_size = sizeof(large);
    }

    if (found->key_size + value_size > row->capacity)
        TRY(version_row__reserve(row, found->key_size + value_size));
    memcpy(row->bytes, found->key, found->key_size);
    if (value_size > 0)
        memcpy(row->bytes + found->key_size, value, value_size);
    row->key_size = found->key_size;
    row->value_size = value_size;
    row->kind = kind;
    row->ended = false;
    row->csn = csn;
    return STATUS_OK;
}

enum status
undo__seek(struct qtdb_txn *txn, const struct qtdb_tree *tree, const struct version_place *place,
           struct version_row *row)
{
    uint64_t csn = txn->snapshot;
    struct btree rows;

    while (next_undo(txn->db, tree->tree_id, false, &csn, &rows)) {
        struct btree_cursor cursor;

        btree_cursor_init(&cursor, &rows, txn->db->env.memory);
        enum status status = seek(&cursor, place);

        if (status == STATUS_OK && is_nearer(&cursor.row, csn, place->backward, row))
            status = take_row(&rows, &cursor.row, csn, row);
        btree_cursor_deinit(&cursor);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}

/* ---- Was anything changed? ---------------------------------------------------------------------- */

static enum status
has_key(struct memory *memory, const struct btree *rows, const struct key_range *range, bool *out)
{
    struct btree_cursor cursor;

    btree_cursor_init(&cursor, rows, memory);
    enum status status = btree_cursor_seek(&cursor, range->low, range->low_size);

    *out = status == STATUS_OK &&
           (range->high_size == 0 ||
            key_compare(cursor.row.key, cursor.row.key_size, range->high, range->high_size) <= 0);
    btree_cursor_deinit(&cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status
undo__is_changed(struct qtdb *db, const struct qtdb_tree *tree, const struct key_range *range,
                 uint64_t snapshot, bool *out)
{
    uint64_t csn = snapshot;
    struct btree rows;

    *out = false;
    if (atomic_load_explicit(&tree->csn_written, memory_order_acquire) <= snapshot)
        return STATUS_OK;
    while (!*out && next_undo(db, tree->tree_id, true, &csn, &rows))
        TRY(has_key(db->env.memory, &rows, range, out));
    return STATUS_OK;
}
