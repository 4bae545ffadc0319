/*
 * Rows that cannot be there. A put that must not replace a row asks the tree for it first, and a load asks as many
 * times as it has rows: of a tree without any, or of rows behind its last one. So a transaction that has written
 * ABSENT_MIN rows of a tree looks once where the tree ends, as its snapshot sees it, and what lies behind that is not
 * looked for.
 *
 * It holds for that snapshot, and only of rows that the transaction has claimed since and not written: nobody has
 * changed those after the snapshot, or the claim would have been refused (T3). A new snapshot is worth another look
 * when there are twice as many writes.
 */
#include "kernel/kernel_private.h"

enum { ABSENT_MIN = 16 };

enum status
row_absent__find_last(const struct qtdb_txn *txn, const struct qtdb_tree *tree,
                      struct btree_cursor *cursor, bool *known_out)
{
    enum status status = btree_cursor_seek_last(cursor, NULL, 0);
    uint64_t csn = cursor->csn;
    bool empty = status == STATUS_NOT_FOUND;

    *known_out = false;
    if (!empty)
        TRY(status);
    else
        cursor->row.key_size = 0;
    /* Of several leaves, perhaps, or of none: then as young as the tree. */
    if (empty || csn == BTREE_CSN_UNKNOWN)
        csn = atomic_load_explicit(&tree->csn_written, memory_order_acquire);
    *known_out = csn <= txn->snapshot;
    return STATUS_OK;
}

/* What goes wrong here is for the look-up of a row to meet. */
static void
look(const struct qtdb_txn *txn, struct txn_tree *tree)
{
    struct txn_tree_end *end = &tree->end;
    struct btree btree = tree__btree(tree->tree);
    struct btree_cursor cursor;
    bool known = false;

    end->known = false;
    end->snapshot = txn->snapshot;
    btree_cursor_init(&cursor, &btree, txn->db->env.memory);
    if (row_absent__find_last(txn, tree->tree, &cursor, &known) != STATUS_OK) {
        error_clear();
        known = false;
    }
    if (known && cursor.row.key_size <= sizeof(end->key)) {
        if (cursor.row.key_size > 0) /* Else the tree has no row. */
            memcpy(end->key, cursor.row.key, cursor.row.key_size);
        end->key_size = cursor.row.key_size;
        end->known = true;
    }
    btree_cursor_deinit(&cursor);
}

bool
row_absent__is_behind_all(const struct qtdb_txn *txn, struct txn_tree *tree, const void *key,
                          size_t key_size)
{
    struct txn_tree_end *end = &tree->end;

    if (end->snapshot != txn->snapshot || end->look_at == 0) {
        uint64_t count = write_set__count(tree);

        if (count < ABSENT_MIN || count < end->look_at)
            return false;
        end->look_at = 2 * count;
        look(txn, tree);
    }
    return end->known &&
           (end->key_size == 0 || key_compare(key, key_size, end->key, end->key_size) > 0);
}
