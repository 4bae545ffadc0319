/*
 * Freeing the pages of dropped trees and of large values that no row names (large_value.c). A drop only
 * moves the tree's record to the dropped ones; here the pages follow, a limited number a commit, once no
 * running transaction is older than the drop and could still read them (T7). The record goes with the last
 * page, so a crash in between only means that the next handle goes on.
 */
#include "kernel/kernel_private.h"

struct step {
    struct qtdb *db;
    struct btree tree;
    uint8_t key[5];
    bool done;
};

static enum status
step_body(struct pager_change *change, void *context)
{
    struct step *step = context;
    struct btree catalog = tree__btree(step->db->catalog);
    struct catalog_record record;
    size_t size = sizeof(record);
    uint8_t router_key[5];

    /* A large value may have been committed since its record was read (large_value.c). */
    enum status status =
        btree_change_get(change, &catalog, step->key, sizeof(step->key), &record, &size);

    step->done = status == STATUS_NOT_FOUND;
    if (status != STATUS_OK)
        return step->done ? STATUS_OK : status;
    TRY(btree_free(change, &step->tree, step->db->drop_limit, value__inherit, step->db,
                   &step->done));
    if (!step->done)
        return STATUS_OK;
    catalog__router_key(step->tree.tree_id, router_key);
    status = btree_delete(change, &catalog, router_key, sizeof(router_key));

    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    return btree_delete(change, &catalog, step->key, sizeof(step->key));
}

/* The first dropped tree that nobody can see; STATUS_NOT_FOUND. `*later_out`: there are others. */
static enum status
find_due(struct qtdb *db, struct btree_cursor *cursor, struct step *out, bool *later_out)
{
    const uint8_t first = CATALOG_KEY_DROPPED;
    struct catalog_record record;

    latch_lock(&db->snapshot_latch);
    uint64_t oldest = txn__oldest_snapshot(db);

    latch_unlock(&db->snapshot_latch);
    *later_out = false;
    enum status status = btree_cursor_seek(cursor, &first, 1);

    for (; status == STATUS_OK; status = btree_cursor_next(cursor)) {
        const struct btree_row *row = &cursor->row;

        if (row->key[0] != CATALOG_KEY_DROPPED || row->key_size != sizeof(out->key))
            return STATUS_NOT_FOUND;
        TRY(catalog__record_decode(row->value, row->value_size, &record));
        *later_out = true;
        bool due = le64_get(record.csn_dropped) == CSN_NEVER
                       ? !value__has_ticket(db, le32_get(record.tree_id))
                       : le64_get(record.csn_dropped) <= oldest;

        if (!due || spill__is_in_use(db, le32_get(record.tree_id)))
            continue;
        memcpy(out->key, row->key, sizeof(out->key));
        out->tree = (struct btree){
            .pager = db->pager,
            .root = le32_get(record.root),
            .tree_id = le32_get(record.tree_id),
            .kind = record.kind == QTDB_KEY_INT ? BTREE_INT : BTREE_VAR,
        };
        return STATUS_OK;
    }
    return status;
}

enum status
drop__step(struct qtdb *db, bool *more_out)
{
    struct step step = {.db = db};
    struct btree catalog = tree__btree(db->catalog);
    struct btree_cursor cursor;
    uint64_t csn;
    bool later;

    *more_out = false;
    /* What is still to be undone may name values that are among the dropped ones. */
    if (!atomic_load(&db->drops_due) || atomic_load(&db->undo_due))
        return STATUS_OK;
    if (atomic_load(&db->undo_count) > 0 && gate__try_enter(&db->gate)) {
        undo__prune(db); /* The rows of them are among the trees dropped. */
        gate__leave(&db->gate);
    }
    /* Cleared first: a drop that commits from here on sets it again. */
    atomic_store(&db->drops_due, false);
    btree_cursor_init(&cursor, &catalog, db->env.memory);
    enum status status = find_due(db, &cursor, &step, &later);

    btree_cursor_deinit(&cursor);
    if (later)
        atomic_store(&db->drops_due, true);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    if (!gate__try_enter(&db->gate)) { /* A checker, or a big commit. */
        atomic_store(&db->drops_due, true);
        return STATUS_OK;
    }
    status = commit__change(db, step_body, &step, &csn);
    gate__leave(&db->gate);
    *more_out = status == STATUS_OK;
    return status;
}
