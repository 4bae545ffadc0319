/*
 * Large values: written before the commit that names them, freed after the one that no longer does.
 *
 * A value over large_min bytes is a tree of its own (btree.h). Its pieces go to the file while the
 * transaction runs, in commits of their own that nobody sees, so memory stays bounded whatever the
 * size. What keeps its pages from being lost (T17):
 *
 *   first batch    makes the tree and a record among the dropped ones, due CSN_NEVER; the transaction
 *                  holds a ticket for it
 *   commit         puts the row that names it and deletes the record, in one change
 *   replacing or   puts a record due at its own CSN: the tree is freed in bounded steps when no
 *   deleting       snapshot is older (drop.c)
 *   anything else  (rollback, an overwritten write, a crash): the record is there and nobody has a
 *                  ticket, so the tree is freed in the same way
 *
 * In write sets and in the version store such a value is its reference (WRITE_LARGE): rows before a
 * commit stay readable because their trees are freed no earlier than the snapshots end that see them.
 *
 * Values that are not that large but take several pages are compressed when a commit is prepared
 * (WRITE_PACKED), where that saves a page.
 */
#include "kernel/base/compress.h"
#include "kernel/kernel_private.h"

enum { PACK_MIN = 4032 /* What one page holds. */, PACK_LEVEL = 1, STAGE_PAGES_MAX = 256 };

/* ---- Tickets ------------------------------------------------------------------------------------ */

static enum status
ticket_take(struct qtdb_txn *txn, uint32_t *tree_id_out)
{
    struct qtdb *db = txn->db;
    uint32_t tree_id = atomic_fetch_add(&db->next_tree_id, 1);
    struct value_ticket *ticket;

    if (tree_id < CATALOG_TREE_ID_FIRST || tree_id >= UINT32_MAX / 2)
        return error_raise(STATUS_FULL, "all tree ids have been used");
    ticket = memory_alloc(db->env.memory, MEMORY_OTHER, sizeof(*ticket));
    if (ticket == NULL)
        return STATUS_NO_MEMORY;
    ticket->tree_id = tree_id;
    ticket->txn = txn;
    latch_lock(&db->snapshot_latch);
    ticket->next = db->value_tickets;
    db->value_tickets = ticket;
    latch_unlock(&db->snapshot_latch);
    txn->has_values = true;
    *tree_id_out = tree_id;
    return STATUS_OK;
}

bool
value__has_ticket(struct qtdb *db, uint32_t tree_id)
{
    latch_lock(&db->snapshot_latch);
    struct value_ticket *ticket = db->value_tickets;

    while (ticket != NULL && ticket->tree_id != tree_id)
        ticket = ticket->next;
    latch_unlock(&db->snapshot_latch);
    return ticket != NULL;
}

void
value__end_txn(struct qtdb_txn *txn)
{
    struct qtdb *db = txn->db;
    struct value_ticket **link = &db->value_tickets;
    struct value_ticket *gone = NULL;

    value_stream__detach_all(txn);
    if (!txn->has_values)
        return;
    latch_lock(&db->snapshot_latch);
    while (*link != NULL) {
        struct value_ticket *ticket = *link;

        if (ticket->txn != txn) {
            link = &ticket->next;
            continue;
        }
        *link = ticket->next;
        ticket->next = gone;
        gone = ticket;
    }
    latch_unlock(&db->snapshot_latch);
    while (gone != NULL) {
        struct value_ticket *next = gone->next;

        memory_free(db->env.memory, MEMORY_OTHER, gone, sizeof(*gone));
        gone = next;
    }
    atomic_store(&db->drops_due, true);
}

/* ---- Writing ------------------------------------------------------------------------------------ */

/* Pages of a batch: a change adopts them and touches a few more. */
static uint32_t
stage_pages(const struct qtdb *db)
{
    uint32_t pages = pager_change_limit(db->pager) / 2;

    return pages > STAGE_PAGES_MAX ? STAGE_PAGES_MAX : pages < 8 ? 8 : pages;
}

enum status
value_write__begin(struct value_write *write, struct qtdb_txn *txn, const struct qtdb_tree *tree)
{
    uint32_t tree_id = 0;

    *write = (struct value_write){.db = txn->db, .value = {.root = PAGE_NONE}};
    TRY(ticket_take(txn, &tree_id));
    write->value.tree_id = tree_id;
    return btree_value_stage_new(txn->db->pager, tree_id, stage_pages(txn->db),
                                 !tree->no_compression, &write->stage);
}

void
value_write__end(struct value_write *write)
{
    btree_value_stage_free(write->stage);
    write->stage = NULL;
}

/* Makes the tree, with the record that keeps it from being lost. */
static enum status
create(struct pager_change *change, struct value_write *write)
{
    struct btree catalog = tree__btree(write->db->catalog);
    struct catalog_record record = {
        .tree_id = le32_of(write->value.tree_id),
        .version = CATALOG_VERSION,
        .kind = QTDB_KEY_INT,
        .csn_dropped = le64_of(CSN_NEVER),
    };
    le32 next = le32_of(atomic_load(&write->db->next_tree_id));
    const uint8_t next_key = CATALOG_KEY_NEXT;
    uint8_t key[5];

    TRY(btree_create(change, BTREE_INT, write->value.tree_id, PAGE_NONE, &write->root_new));
    record.root = le32_of(write->root_new);
    catalog__dropped_key(write->value.tree_id, key);
    TRY(btree_put(change, &catalog, key, sizeof(key), &record, sizeof(record), NULL));
    return btree_put(change, &catalog, &next_key, 1, next.byte, sizeof(next), NULL);
}

static enum status
batch_body(struct pager_change *change, void *context)
{
    struct value_write *write = context;

    write->root_new = write->value.root;
    if (write->root_new == PAGE_NONE)
        TRY(create(change, write));
    return btree_value_stage_attach(change, write->stage, write->root_new);
}

static enum status
batch_write(struct value_write *write)
{
    struct qtdb *db = write->db;
    uint64_t csn;
    bool more;

    TRY(btree_value_stage_write(write->stage));
    gate__enter(&db->gate);
    enum status status = commit__change(db, batch_body, write, &csn);

    gate__leave(&db->gate);
    btree_value_stage_reset(write->stage, status == STATUS_OK);
    TRY(status);
    write->value.root = write->root_new;
    /* As after a commit: what fails there is not this one's. */
    if (!db->has_thread && background__step(db, &more) != STATUS_OK)
        error_clear();
    return STATUS_OK;
}

enum status
value_write__chunk(struct value_write *write, const uint8_t *bytes, size_t size)
{
    if (btree_value_stage_is_full(write->stage))
        TRY(batch_write(write));
    btree_value_stage_add(write->stage, bytes, size);
    write->value.size += size;
    return STATUS_OK;
}

enum status
value_write__finish(struct value_write *write)
{
    if (!btree_value_stage_is_empty(write->stage))
        TRY(batch_write(write));
    CHECK(write->value.root != PAGE_NONE);
    return STATUS_OK;
}

enum status
value__refuse_size(uint64_t size)
{
    api_error_sqlstate("54000");
    return error_raise(STATUS_INVALID, "a value has at most %u bytes, not %llu",
                       (unsigned)QTDB_VALUE_SIZE_MAX, (unsigned long long)size);
}

enum status
value__put(struct qtdb_txn *txn, struct txn_tree *tree, const void *key, size_t key_size,
           const uint8_t *bytes, size_t size)
{
    struct value_write write;
    enum status status = value_write__begin(&write, txn, tree->tree);

    for (size_t done = 0; done < size && status == STATUS_OK; done += BTREE_CHUNK_SIZE)
        status = value_write__chunk(
            &write, bytes + done, size - done < BTREE_CHUNK_SIZE ? size - done : BTREE_CHUNK_SIZE);
    if (status == STATUS_OK)
        status = value_write__finish(&write);
    value_write__end(&write);
    TRY(status);
    return write_set__put(txn, tree, key, key_size, &write.value, sizeof(write.value), WRITE_LARGE);
}

/* ---- At commit ---------------------------------------------------------------------------------- */

static enum status
pack_entry(struct qtdb_txn *txn, struct write_entry *entry, struct compress *codec, uint8_t *frame)
{
    size_t pages = (entry->value_size + PACK_MIN - 1) / PACK_MIN;
    le32 size = le32_of(entry->value_size);
    size_t packed = compress_encode(codec, entry->value, entry->value_size, frame,
                                    (pages - 1) * PACK_MIN, PACK_LEVEL);

    if (packed == 0)
        return STATUS_OK;
    uint8_t *bytes = arena_alloc(&txn->arena, sizeof(size) + packed);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    memcpy(bytes, &size, sizeof(size));
    memcpy(bytes + sizeof(size), frame, packed);
    entry->value = bytes;
    entry->value_size = (uint32_t)(sizeof(size) + packed);
    entry->kind = WRITE_PACKED;
    return STATUS_OK;
}

enum status
value__pack_tree(struct qtdb_txn *txn, struct txn_tree *tree)
{
    struct qtdb *db = txn->db;
    struct compress *codec = NULL;
    uint8_t *frame = NULL;
    enum status status = STATUS_OK;

    if (tree->tree->no_compression || tree->tree == db->catalog || tree->value_max <= PACK_MIN)
        return STATUS_OK;
    for (struct write_entry *entry = tree->writes.head[0]; entry != NULL; entry = entry->next[0]) {
        if (entry->kind != WRITE_PUT || entry->value_size <= PACK_MIN)
            continue;
        if (codec == NULL) {
            frame = memory_alloc(db->env.memory, MEMORY_WRITE_SET, LARGE_MIN_MAX);
            if (frame == NULL)
                return STATUS_NO_MEMORY;
            TRY_OUT(pager_codec_take(db->pager, &codec));
        }
        CHECK(entry->value_size <= LARGE_MIN_MAX);
        TRY_OUT(pack_entry(txn, entry, codec, frame));
    }
out:
    if (codec != NULL)
        pager_codec_give(db->pager, codec);
    memory_free(db->env.memory, MEMORY_WRITE_SET, frame, LARGE_MIN_MAX);
    return status;
}

static struct btree_value
value_of(const uint8_t *bytes, size_t size)
{
    struct btree_value value;

    CHECK(size == sizeof(value));
    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* The record says from when on nobody sees the tree. */
static enum status
put_record(struct pager_change *change, struct qtdb *db, const struct btree_value *value,
           uint64_t csn)
{
    struct btree catalog = tree__btree(db->catalog);
    struct catalog_record record = {
        .root = le32_of(value->root),
        .tree_id = le32_of(value->tree_id),
        .version = CATALOG_VERSION,
        .kind = QTDB_KEY_INT,
        .csn_dropped = le64_of(csn),
    };
    uint8_t key[5];

    if (value->tree_id < CATALOG_TREE_ID_FIRST)
        return error_raise(STATUS_CORRUPT,
                           "a row names a large value in tree id %u, which is the "
                           "engine's own",
                           value->tree_id);
    catalog__dropped_key(value->tree_id, key);
    atomic_store(&db->drops_due, true);
    return btree_put(change, &catalog, key, sizeof(key), &record, sizeof(record), NULL);
}

enum status
value__inherit(struct pager_change *change, const struct btree_value *value, void *context)
{
    return put_record(change, context, value, 0);
}

static enum status
adopt(struct pager_change *change, struct qtdb *db, const struct btree_value *value)
{
    struct btree catalog = tree__btree(db->catalog);
    uint8_t key[5];

    catalog__dropped_key(value->tree_id, key);
    enum status status = btree_delete(change, &catalog, key, sizeof(key));

    CHECK(status != STATUS_NOT_FOUND);
    return status;
}

enum status
value__adopt(struct pager_change *change, struct qtdb *db, const uint8_t *bytes, size_t size)
{
    struct btree_value value = value_of(bytes, size);

    return adopt(change, db, &value);
}

enum status
value__drop(struct pager_change *change, struct qtdb *db, const uint8_t *bytes, size_t size)
{
    struct undo_value named;

    CHECK(size == sizeof(named));
    memcpy(&named, bytes, sizeof(named));
    struct btree_value value = {.size = le64_get(named.size),
                                .root = le32_get(named.root),
                                .tree_id = le32_get(named.tree_id)};

    return put_record(change, db, &value, pager_change_csn(change));
}

enum status
value__put_as(struct pager_change *change, const struct btree *tree, enum write_kind kind,
              const void *key, size_t key_size, const uint8_t *bytes, size_t size)
{
    if (kind == WRITE_PACKED) {
        le32 unpacked;

        memcpy(&unpacked, bytes, sizeof(unpacked));
        return btree_put_packed(change, tree, key, key_size, bytes + sizeof(unpacked),
                                size - sizeof(unpacked), le32_get(unpacked));
    }
    struct btree_value value = value_of(bytes, size);

    CHECK(kind == WRITE_LARGE);
    return btree_put_value(change, tree, key, key_size, &value);
}

enum status
value__apply(struct pager_change *change, struct qtdb *db, const struct btree *tree,
             const struct write_entry *entry)
{
    if (entry->before_kind == WRITE_LARGE && entry->kind != WRITE_NONE) {
        struct btree_value before = value_of(entry->before, entry->before_size);

        TRY(put_record(change, db, &before, pager_change_csn(change)));
    }
    if (entry->kind == WRITE_LARGE)
        TRY(value__adopt(change, db, entry->value, entry->value_size));
    if (entry->kind != WRITE_LARGE && entry->kind != WRITE_PACKED)
        return STATUS_OK;
    return value__put_as(change, tree, entry->kind, entry->key, entry->key_size, entry->value,
                         entry->value_size);
}

/* ---- Reading ------------------------------------------------------------------------------------ */

enum status
value__read(struct qtdb *db, const uint8_t *bytes, size_t bytes_size, void *out, size_t *size_io)
{
    struct btree_value value = value_of(bytes, bytes_size);
    size_t room = *size_io;

    *size_io = value.size;
    return value.size > room ? STATUS_FULL : btree_value_read(db->pager, &value, out);
}

size_t
value__size(const uint8_t *bytes, size_t bytes_size)
{
    return value_of(bytes, bytes_size).size;
}

enum status
value__find_committed(struct qtdb_txn *txn, const struct qtdb_tree *tree, const void *key,
                      size_t key_size, struct btree_value *out, bool *is_large_out)
{
    struct btree btree = tree__btree(tree);
    struct version_value version = {NULL, 0, WRITE_NONE, {0}};
    uint64_t csn = 0;
    bool found = false;

    if (btree.root == PAGE_NONE)
        return STATUS_NOT_FOUND;
    enum status status = btree_get_value(&btree, key, key_size, out, is_large_out, &csn);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    if (csn == BTREE_CSN_UNKNOWN)
        csn = atomic_load_explicit(&tree->csn_run, memory_order_acquire);
    if (csn > txn->snapshot)
        TRY(versions__get(txn, tree, key, key_size, &version, &found));
    if (!found)
        return status;
    *is_large_out = version.kind == WRITE_LARGE;
    if (*is_large_out)
        *out = version.large;
    return version.kind == WRITE_DELETE ? STATUS_NOT_FOUND : STATUS_OK;
}

/* What the transaction wrote itself: WRITE_NONE when it did not. */
static enum status
find_written(struct qtdb_txn *txn, const struct txn_tree *tree, const void *key, size_t key_size,
             struct btree_value *out, enum write_kind *kind_out)
{
    const struct write_entry *own =
        tree->writes.count > 0 ? write_set__find(tree, key, key_size) : NULL;
    struct version_value below = {NULL, 0, WRITE_NONE, {0}};
    bool found = false;

    *kind_out = own == NULL ? WRITE_BELOW : own->kind;
    if (*kind_out == WRITE_LARGE)
        *out = value_of(own->value, own->value_size);
    if (*kind_out != WRITE_BELOW)
        return STATUS_OK;
    TRY(spill__get(txn, tree, key, key_size, &below, &found));
    *kind_out = found ? below.kind : WRITE_NONE;
    *out = below.large;
    return STATUS_OK;
}

enum status
value__find(struct qtdb_txn *txn, struct txn_tree *tree, const void *key, size_t key_size,
            struct btree_value *out, bool *is_large_out)
{
    enum write_kind kind = WRITE_NONE;

    *is_large_out = false;
    TRY(find_written(txn, tree, key, key_size, out, &kind));
    if (kind == WRITE_NONE) {
        if (txn->track_reads) {
            struct key_range range = {key, key, key_size, key_size};

            TRY(read_set__add(txn, tree, &range));
        }
        return value__find_committed(txn, tree->tree, key, key_size, out, is_large_out);
    }
    *is_large_out = kind == WRITE_LARGE;
    return kind == WRITE_DELETE ? STATUS_NOT_FOUND : STATUS_OK;
}
