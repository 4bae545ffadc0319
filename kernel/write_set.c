/*
 * A transaction's own writes: per tree an ordered map in the transaction's arena, and from the first
 * savepoint on a journal of what each write replaced. Rolling back to a mark plays the journal
 * backwards; entries stay linked and say WRITE_NONE. Values are never overwritten in place, so a row
 * that a cursor shows stays what it was.
 */
#include "kernel/kernel_private.h"

enum { JOURNAL_FIRST = 64 };

static enum status
journal_push(struct qtdb_txn *txn, struct write_entry *entry)
{
    struct memory *memory = txn->db->env.memory;

    if (!txn->journal_on)
        return STATUS_OK;
    if (txn->journal_used == txn->journal_capacity) {
        uint64_t capacity = txn->journal_capacity == 0 ? JOURNAL_FIRST : txn->journal_capacity * 2;
        struct journal_step *fresh =
            memory_resize(memory, MEMORY_WRITE_SET, txn->journal,
                          txn->journal_capacity * sizeof(*fresh), capacity * sizeof(*fresh));

        if (fresh == NULL)
            return STATUS_NO_MEMORY;
        txn->journal = fresh;
        txn->journal_capacity = capacity;
    }
    txn->journal[txn->journal_used++] = (struct journal_step){
        .entry = entry,
        .value = entry->value,
        .value_size = entry->value_size,
        .kind = entry->kind,
    };
    return STATUS_OK;
}

static enum status
refuse_size(const struct qtdb_txn *txn)
{
    return error_raise(STATUS_FULL,
                       "the transaction's writes exceed its limit of %zu bytes in memory "
                       "(write_set_limit): commit in smaller steps or raise the limit",
                       txn->db->write_set_limit);
}

enum status
write_set__put(struct qtdb_txn *txn, struct txn_tree *tree, const void *key, size_t key_size,
               const void *value, size_t value_size, enum write_kind kind)
{
    struct write_entry *entry = key_map_find(&tree->writes, key, key_size);
    size_t cost = value_size + (entry == NULL ? sizeof(*entry) + 32 + key_size : 0);
    uint8_t *copy = NULL;

    CHECK(txn->running && !txn->read_only);
    CHECK(kind == WRITE_PUT || kind == WRITE_LARGE || (kind == WRITE_DELETE && value_size == 0));
    if (txn->write_size + cost > txn->db->write_set_limit)
        return refuse_size(txn);
    if (value_size > 0) {
        copy = arena_alloc(&txn->arena, value_size);
        if (copy == NULL)
            return STATUS_NO_MEMORY;
        memcpy(copy, value, value_size);
    }
    if (entry == NULL) {
        entry = key_map_entry_new(&txn->arena, &tree->writes, key, key_size);
        if (entry == NULL)
            return STATUS_NO_MEMORY;
        key_map_insert(&tree->writes, entry);
    }
    TRY(journal_push(txn, entry));
    txn->write_size += cost;
    entry->kind = kind;
    entry->value = copy;
    entry->value_size = (uint32_t)value_size;
    return STATUS_OK;
}

enum qtdb_code
qtdb_savepoint(struct qtdb_txn *txn, uint64_t *mark_out)
{
    enum status status = txn__usable(txn);

    if (status != STATUS_OK)
        return api_error(status);
    txn->journal_on = true;
    *mark_out = txn->journal_used;
    return QTDB_OK;
}

enum qtdb_code
qtdb_rollback_to(struct qtdb_txn *txn, uint64_t mark)
{
    enum status status = txn__usable(txn);

    if (status != STATUS_OK)
        return api_error(status);
    if (!txn->journal_on || mark > txn->journal_used)
        return api_error_set(QTDB_INVALID, "3B001", 0, false,
                             "there is no such savepoint: the transaction rolled back past it");
    while (txn->journal_used > mark) {
        struct journal_step *step = &txn->journal[--txn->journal_used];

        step->entry->kind = step->kind;
        step->entry->value = step->value;
        step->entry->value_size = step->value_size;
    }
    return QTDB_OK;
}
