/*
 * Reading, writing and locking single rows.
 *
 * A read is answered as of the transaction's snapshot (T1): own writes first; then the row in the
 * tree, which is the snapshot's when its page is not younger; else the version store says what the
 * snapshot had of this key, or that it is unchanged. So a get beside which nobody writes touches
 * nothing shared but to read it.
 *
 * A write locks its row and then makes sure that nobody changed it since the snapshot: the first to
 * update wins (T3). From then on nobody else can until this transaction has ended.
 */
#include "kernel/kernel_private.h"

enum status
access__refuse_key(const struct qtdb_tree *tree, size_t key_size)
{
    if (tree->kind == QTDB_KEY_INT && key_size != 8)
        return error_raise(STATUS_INVALID, "a key of tree '%s' has 8 bytes, not %zu", tree->name,
                           key_size);
    if (key_size == 0 || key_size > QTDB_KEY_SIZE_MAX)
        return error_raise(STATUS_INVALID, "a key has 1 to %d bytes, not %zu", QTDB_KEY_SIZE_MAX,
                           key_size);
    return STATUS_OK;
}

static enum status
get_own(struct qtdb *db, const struct write_entry *entry, void *value, size_t *size_io)
{
    size_t room = *size_io;

    if (entry->kind == WRITE_DELETE)
        return STATUS_NOT_FOUND;
    if (entry->kind == WRITE_LARGE)
        return value__read(db, entry->value, entry->value_size, value, size_io);
    *size_io = entry->value_size;
    if (entry->value_size > room)
        return STATUS_FULL;
    if (entry->value_size > 0)
        memcpy(value, entry->value, entry->value_size);
    return STATUS_OK;
}

/* An own write that is not in memory any more. `*found_out` false: there is none. */
static enum status
get_spilled(struct qtdb_txn *txn, const struct txn_tree *tree, const void *key, size_t key_size,
            void *value, size_t *size_io, bool *found_out)
{
    struct version_value own = {value, *size_io, WRITE_NONE, {0}};
    size_t room = *size_io;

    TRY(spill__get(txn, tree, key, key_size, &own, found_out));
    if (!*found_out)
        return STATUS_OK;
    if (own.kind == WRITE_DELETE)
        return STATUS_NOT_FOUND;
    if (own.kind == WRITE_LARGE)
        return value__read(txn->db, (const uint8_t *)&own.large, sizeof(own.large), value, size_io);
    *size_io = own.size;
    return own.size > room ? STATUS_FULL : STATUS_OK;
}

/* The tree's row was the snapshot's unless the version store knows better. */
static enum status
get_version(struct qtdb_txn *txn, const struct qtdb_tree *tree, const void *key, size_t key_size,
            struct version_value *value, enum status status, size_t *size_io)
{
    size_t room = value->size;
    bool found;

    TRY(versions__get(txn, tree, key, key_size, value, &found));
    if (!found)
        return status;
    if (value->kind == WRITE_DELETE)
        return STATUS_NOT_FOUND;
    if (value->kind == WRITE_LARGE)
        return value__read(txn->db, (const uint8_t *)&value->large, sizeof(value->large),
                           value->bytes, size_io);
    *size_io = value->size;
    return value->size > room ? STATUS_FULL : STATUS_OK;
}

enum status
access__get_committed(struct qtdb_txn *txn, const struct qtdb_tree *tree, const void *key,
                      size_t key_size, void *value, size_t *size_io)
{
    struct btree btree = tree__btree(tree);
    size_t room = *size_io;
    struct version_value version = {value, room, WRITE_NONE, {0}};
    uint64_t csn = 0;

    if (btree.root == PAGE_NONE)
        return STATUS_NOT_FOUND; /* Made by this transaction: only its own writes are in it. */
    enum status status = route__get(txn, tree, &btree, key, key_size, value, size_io, &csn);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND && status != STATUS_FULL)
        return status;
    if (!access__is_of_snapshot(txn, tree, csn))
        return get_version(txn, tree, key, key_size, &version, status, size_io);
    return status;
}

/* What the transaction has written itself, in memory or below; `*found_out` false: nothing. */
static enum status
get_written(struct qtdb_txn *txn, const struct txn_tree *tree, const void *key, size_t key_size,
            void *value, size_t *size_io, bool *found_out)
{
    const struct write_entry *own =
        tree->writes.count > 0 ? write_set__find(tree, key, key_size) : NULL;

    *found_out = own != NULL && own->kind != WRITE_NONE && own->kind != WRITE_BELOW;
    if (*found_out)
        return get_own(txn->db, own, value, size_io);
    if (tree->spill == NULL || (own != NULL && own->kind == WRITE_NONE))
        return STATUS_OK;
    return get_spilled(txn, tree, key, key_size, value, size_io, found_out);
}

enum status
access__get_unnoted(struct qtdb_txn *txn, const struct txn_tree *tree, const void *key,
                    size_t key_size, void *value, size_t *size_io)
{
    bool found;
    enum status status = get_written(txn, tree, key, key_size, value, size_io, &found);

    if (found || status != STATUS_OK)
        return status;
    return access__get_committed(txn, tree->tree, key, key_size, value, size_io);
}

/* What the transaction has not written. */
static enum status
get_unwritten(struct qtdb_txn *txn, struct txn_tree *tree, const void *key, size_t key_size,
              void *value, size_t *size_io)
{
    if (txn->track_reads) {
        struct key_range range = {key, key, key_size, key_size};

        TRY(read_set__add(txn, tree, &range));
    }
    return access__get_committed(txn, tree->tree, key, key_size, value, size_io);
}

enum status
access__get(struct qtdb_txn *txn, struct txn_tree *tree, const void *key, size_t key_size,
            void *value, size_t *size_io)
{
    bool found;

    CHECK(txn->running);
    enum status status = get_written(txn, tree, key, key_size, value, size_io, &found);

    if (found || status != STATUS_OK)
        return status;
    return get_unwritten(txn, tree, key, key_size, value, size_io);
}

/*
 * What nearly every get is, told apart with few instructions, for each one keeps the next get's cache
 * misses from overlapping with this one's: a tree that the transaction used last, without writes of its
 * own, no reads to note, a good key, and a row or its absence as the snapshot has it. STATUS_MISSING
 * when it is not: then nothing has happened, and the long way has to be gone.
 */
static inline enum status
get_plain(struct qtdb_txn *txn, const struct qtdb_tree *tree, const void *key, size_t key_size,
          void *value, size_t *size_io)
{
    const struct txn_tree *known = txn->trees; /* NULL when it has ended. */
    size_t room = *size_io;
    uint64_t csn = 0;

    if (known == NULL || known->tree != tree || known->writes.count > 0 || known->spill != NULL ||
        txn->has_ddl || txn->track_reads || known->btree.root == PAGE_NONE ||
        key_size - 1 >= QTDB_KEY_SIZE_MAX || (known->btree.kind == BTREE_INT && key_size != 8))
        return STATUS_MISSING;
    enum status status = route__get(txn, tree, &known->btree, key, key_size, value, size_io, &csn);

    if ((status == STATUS_OK || status == STATUS_NOT_FOUND) &&
        access__is_of_snapshot(txn, tree, csn))
        return status;
    *size_io = room;
    return STATUS_MISSING;
}

static enum status
get(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size, void *value,
    size_t *size_io)
{
    struct txn_tree *known;

    TRY(txn__tree(txn, tree, &known));
    TRY(access__refuse_key(tree, key_size));
    enum status status = access__get(txn, known, key, key_size, value, size_io);

    if (status == STATUS_FULL)
        return error_raise(status, "the value has %zu bytes, more than there is room for",
                           *size_io);
    return status;
}

enum qtdb_code
qtdb_get(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
         void *value, size_t *size_io)
{
    enum status status = get_plain(txn, tree, key, key_size, value, size_io);

    if (__builtin_expect(status == STATUS_OK, 1))
        return QTDB_OK;
    if (status == STATUS_MISSING)
        status = get(txn, tree, key, key_size, value, size_io);
    return api_error(status);
}

static enum status
lock(struct qtdb_txn *txn, const struct qtdb_tree *tree, const void *key, size_t key_size,
     enum lock_mode mode, uint64_t timeout_ns, bool fresh)
{
    struct lock_table *locks = &txn->db->locks;
    enum status status =
        fresh && mode == LOCK_EXCLUSIVE
            ? lock_acquire_fresh(locks, &txn->locks, tree->tree_id, key, key_size, timeout_ns)
            : lock_acquire(locks, &txn->locks, tree->tree_id, key, key_size, mode, timeout_ns);

    if (status == STATUS_BUSY)
        api_error_sqlstate("55P03");
    if (status == STATUS_CONFLICT) {
        atomic_fetch_add(&txn->db->conflict_count, 1);
        api_error_sqlstate("40P01");
    }
    return status;
}

static enum status
claim(struct qtdb_txn *txn, const struct qtdb_tree *tree, const void *key, size_t key_size,
      enum lock_mode mode, uint64_t timeout_ns, bool fresh)
{
    struct key_range range = {key, key, key_size, key_size};
    struct qtdb *db = txn->db;

    TRY(lock(txn, tree, key, key_size, mode, timeout_ns, fresh));
    /* Who had the lock before announced its commit before it gave the lock up. */
    if (atomic_load_explicit(&tree->csn_written, memory_order_acquire) <= txn->snapshot)
        return STATUS_OK;
    latch_lock(&db->snapshot_latch);
    bool changed = versions__is_changed(db, tree, &range, txn->snapshot);

    latch_unlock(&db->snapshot_latch);
    if (!changed && atomic_load(&db->undo_count) > 0)
        TRY(undo__is_changed(db, tree, &range, txn->snapshot, &changed));
    if (changed)
        return read_set__conflict(txn, tree, "a row that this one changes or locks");
    return STATUS_OK;
}

enum status
access__claim(struct qtdb_txn *txn, const struct qtdb_tree *tree, const void *key, size_t key_size,
              enum lock_mode mode, uint64_t timeout_ns)
{
    return claim(txn, tree, key, key_size, mode, timeout_ns, false);
}

/* Exclusively, to write the row. `*fresh_out`: the transaction has not written it. If it has, then it has had
 * the lock since, and nobody else has changed it (T11). */
static enum status
claim_to_write(struct qtdb_txn *txn, const struct txn_tree *tree, const void *key, size_t key_size,
               bool *fresh_out)
{
    bool written = tree->writes.count > 0 && write_set__find(tree, key, key_size) != NULL;

    *fresh_out = !written && tree->spill == NULL;
    if (written)
        return STATUS_OK;
    return claim(txn, tree->tree, key, key_size, LOCK_EXCLUSIVE, txn->lock_timeout_ns, *fresh_out);
}

/* Is there a row? The transaction has claimed it, so the answer holds until it ends, and is not noted as read. */
static enum status
row_exists(struct qtdb_txn *txn, struct txn_tree *tree, const void *key, size_t key_size,
           bool fresh, bool *out)
{
    uint8_t nothing[1];
    size_t size = 0;

    if (fresh && row_absent__is_behind_all(txn, tree, key, key_size)) {
        *out = false;
        return STATUS_OK;
    }
    enum status status = fresh
                             ? access__get_committed(txn, tree->tree, key, key_size, nothing, &size)
                             : access__get(txn, tree, key, key_size, nothing, &size);

    *out = status == STATUS_OK || status == STATUS_FULL;
    return *out || status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
writable(struct qtdb_txn *txn, struct qtdb_tree *tree, size_t key_size, struct txn_tree **out)
{
    TRY(txn__tree(txn, tree, out));
    if (txn->read_only)
        return error_raise(STATUS_READONLY, "the transaction is read-only");
    return access__refuse_key(tree, key_size);
}

enum status
access__may_put(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
                enum qtdb_put_mode mode, struct txn_tree **out)
{
    bool exists = false, fresh = false;

    TRY(writable(txn, tree, key_size, out));
    if (mode > QTDB_PUT_REPLACE)
        return error_raise(STATUS_INVALID, "unknown mode %d of a put", (int)mode);
    TRY(claim_to_write(txn, *out, key, key_size, &fresh));
    if (mode != QTDB_PUT_ANY)
        TRY(row_exists(txn, *out, key, key_size, fresh, &exists));
    if (mode == QTDB_PUT_INSERT && exists)
        return STATUS_EXISTS;
    if (mode == QTDB_PUT_REPLACE && !exists)
        return STATUS_NOT_FOUND;
    return STATUS_OK;
}

static enum status
put(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
    const void *value, size_t value_size, enum qtdb_put_mode mode)
{
    struct txn_tree *known;

    if (value_size > QTDB_VALUE_SIZE_MAX)
        return value__refuse_size(value_size);
    TRY(access__may_put(txn, tree, key, key_size, mode, &known));
    if (value_size > txn->db->large_min)
        TRY(value__put(txn, known, key, key_size, value, value_size));
    else
        TRY(write_set__put(txn, known, key, key_size, value, value_size, WRITE_PUT));
    txn->user_size += key_size + value_size;
    return STATUS_OK;
}

enum qtdb_code
qtdb_put(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
         const void *value, size_t value_size, enum qtdb_put_mode mode)
{
    return api_error(put(txn, tree, key, key_size, value, value_size, mode));
}

static enum status
delete_row(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size)
{
    struct txn_tree *known;
    bool exists = false, fresh = false;

    TRY(writable(txn, tree, key_size, &known));
    TRY(claim_to_write(txn, known, key, key_size, &fresh));
    TRY(row_exists(txn, known, key, key_size, fresh, &exists));
    if (!exists)
        return STATUS_NOT_FOUND;
    return write_set__put(txn, known, key, key_size, NULL, 0, WRITE_DELETE);
}

enum qtdb_code
qtdb_delete(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size)
{
    return api_error(delete_row(txn, tree, key, key_size));
}

static enum status
lock_row(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
         enum qtdb_lock_mode mode, bool wait)
{
    struct txn_tree *known;

    TRY(writable(txn, tree, key_size, &known));
    if (mode != QTDB_LOCK_SHARED && mode != QTDB_LOCK_EXCLUSIVE)
        return error_raise(STATUS_INVALID, "unknown mode %d of a lock", (int)mode);
    return access__claim(txn, tree, key, key_size,
                         mode == QTDB_LOCK_SHARED ? LOCK_SHARED : LOCK_EXCLUSIVE,
                         wait ? txn->lock_timeout_ns : 0);
}

enum qtdb_code
qtdb_lock(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
          enum qtdb_lock_mode mode, bool wait)
{
    return api_error(lock_row(txn, tree, key, key_size, mode, wait));
}
