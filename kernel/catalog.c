/*
 * The catalog's rows (catalog_format.h), and what a commit does with a transaction's writes to it.
 *
 * A transaction creates a tree by putting a record without a root under its name, and drops one by
 * deleting the name. Only the commit makes the root page, puts its number into the record, and moves
 * the record of a dropped tree to the dropped ones, whose pages drop.c frees later. So DDL is rolled
 * back like any write.
 *
 * Tree ids come from a counter in memory, so that two transactions that create trees do not conflict
 * over it; each commit that creates one stores the counter. An id is never used twice: ids taken by
 * transactions that did not commit were never on disk.
 */
#include "kernel/kernel_private.h"
#include "pager/page.h"

size_t
catalog__name_key(const void *name, size_t name_size, uint8_t *out)
{
    CHECK(name_size > 0 && name_size <= QTDB_NAME_SIZE_MAX);
    out[0] = CATALOG_KEY_NAME;
    memcpy(out + 1, name, name_size);
    return name_size + 1;
}

void
catalog__router_key(uint32_t tree_id, uint8_t out[5])
{
    catalog__dropped_key(tree_id, out);
    out[0] = CATALOG_KEY_ROUTER;
}

void
catalog__dropped_key(uint32_t tree_id, uint8_t out[5])
{
    uint32_t swapped = __builtin_bswap32(tree_id);

    out[0] = CATALOG_KEY_DROPPED;
    memcpy(out + 1, &swapped, 4);
}

enum status
catalog__record_decode(const void *bytes, size_t size, struct catalog_record *out)
{
    struct catalog_record record;

    if (size != sizeof(record))
        return error_raise(STATUS_CORRUPT, "catalog: a record has %zu bytes instead of %zu", size,
                           sizeof(record));
    memcpy(&record, bytes, sizeof(record));
    if (record.version > CATALOG_VERSION)
        return error_raise(STATUS_VERSION, "catalog: a record of version %u; this build knows %d",
                           record.version, CATALOG_VERSION);
    if (record.version == 0 || record.kind > QTDB_KEY_INT ||
        record.router > QTDB_ROUTER_DIRECTORY || record.flags > CATALOG_FLAG_NO_COMPRESSION ||
        !bytes_are_zero(record.reserved, sizeof(record.reserved)) ||
        le32_get(record.root) <= PAGE_CATALOG_ROOT ||
        le32_get(record.tree_id) < CATALOG_TREE_ID_FIRST)
        return error_raise(STATUS_CORRUPT, "catalog: the record of tree id %u is damaged",
                           le32_get(record.tree_id));
    *out = record;
    return STATUS_OK;
}

/* ---- Opening ------------------------------------------------------------------------------------ */

static enum status
create_body(struct pager_change *change, void *context)
{
    struct qtdb *db = context;
    struct btree catalog = tree__btree(db->catalog);
    const uint8_t key = CATALOG_KEY_NEXT;
    le32 next = le32_of(CATALOG_TREE_ID_FIRST);
    uint32_t root;

    TRY(btree_create(change, BTREE_VAR, CATALOG_TREE_ID, PAGE_CATALOG_ROOT, &root));
    return btree_put(change, &catalog, &key, 1, next.byte, sizeof(next), NULL);
}

/* A new file has an empty page where the catalog's root will be. */
static enum status
create_if_new(struct qtdb *db)
{
    _Alignas(8) uint8_t page[PAGE_SIZE];
    uint64_t csn;

    TRY(pager_copy(db->pager, PAGE_CATALOG_ROOT, page));
    if (page_header_const(page)->type != PAGE_TYPE_NONE)
        return STATUS_OK;
    if (db->read_only)
        return error_raise(STATUS_NOT_FOUND,
                           "the file has no catalog yet: open it once for writing");
    TRY(commit__change(db, create_body, db, &csn));
    return pager_flush(db->pager, csn);
}

enum status
catalog__open(struct qtdb *db)
{
    const uint8_t key = CATALOG_KEY_NEXT;
    struct btree catalog = tree__btree(db->catalog);
    le32 next = le32_of(0);
    size_t size = sizeof(next);
    uint64_t csn;

    TRY(create_if_new(db));
    enum status status = btree_get(&catalog, &key, 1, next.byte, &size, &csn);

    if (status == STATUS_NOT_FOUND || status == STATUS_FULL ||
        (status == STATUS_OK && (size != sizeof(next) || le32_get(next) < CATALOG_TREE_ID_FIRST)))
        return error_raise(STATUS_CORRUPT, "catalog: the row of the next tree id is damaged");
    TRY(status);
    atomic_store(&db->next_tree_id, le32_get(next));
    atomic_store(&db->drops_due, !db->read_only);
    route__load_begin(db);
    return STATUS_OK;
}

/* ---- At commit ---------------------------------------------------------------------------------- */

/* What the commit would do to trees, forgotten: an earlier attempt noted it. */
static void
forget_effects(struct qtdb *db)
{
    latch_lock(&db->handle_latch);
    for (struct qtdb_tree *tree = db->trees; tree != NULL; tree = tree->next) {
        tree->root_new = PAGE_NONE;
        tree->dropping = false;
    }
    latch_unlock(&db->handle_latch);
}

/* The record of a tree that loses its name goes to the dropped ones. */
static enum status
drop_record(struct pager_change *change, struct qtdb *db, struct catalog_record *record)
{
    struct btree catalog = tree__btree(db->catalog);
    struct qtdb_tree *tree = tree__find(db, le32_get(record->tree_id));
    uint8_t key[5];

    if (tree != NULL)
        tree->dropping = true;
    catalog__dropped_key(le32_get(record->tree_id), key);
    record->csn_dropped = le64_of(pager_change_csn(change));
    atomic_store(&db->drops_due, true);
    return btree_put(change, &catalog, key, sizeof(key), record, sizeof(*record), NULL);
}

/* The record that the name has before this commit, if any. */
static enum status
record_before(struct pager_change *change, struct qtdb *db, const struct write_entry *entry,
              struct catalog_record *out, bool *found_out)
{
    struct btree catalog = tree__btree(db->catalog);
    uint8_t bytes[sizeof(*out)];
    size_t size = sizeof(bytes);
    enum status status =
        btree_change_get(change, &catalog, entry->key, entry->key_size, bytes, &size);

    *found_out = status == STATUS_OK;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_FULL)
        return error_raise(STATUS_CORRUPT, "catalog: a record has %zu bytes", size);
    TRY(status);
    return catalog__record_decode(bytes, size, out);
}

/* A big commit made it already, among the dropped ones in case that it fails. */
static enum status
adopt_early(struct pager_change *change, struct qtdb *db, struct qtdb_tree *tree)
{
    struct btree catalog = tree__btree(db->catalog);
    uint8_t key[5];

    tree->root_new = tree->root_early;
    catalog__dropped_key(tree->tree_id, key);
    return btree_delete(change, &catalog, key, sizeof(key));
}

/* Makes the tree of a record that has no root yet. */
static enum status
create_tree(struct pager_change *change, struct qtdb *db, struct catalog_record *record)
{
    uint32_t tree_id = le32_get(record->tree_id);
    struct qtdb_tree *tree = tree__find(db, tree_id);
    enum btree_kind kind = record->kind == QTDB_KEY_INT ? BTREE_INT : BTREE_VAR;

    CHECK(tree != NULL && atomic_load(&tree->csn_created) == CSN_NEVER);
    if (tree->root_early != 0)
        TRY(adopt_early(change, db, tree));
    else
        TRY(btree_create(change, kind, tree_id, PAGE_NONE, &tree->root_new));
    record->root = le32_of(tree->root_new);
    return STATUS_OK;
}

static enum status
apply_entry(struct pager_change *change, struct qtdb *db, const struct write_entry *entry,
            bool *created)
{
    struct btree catalog = tree__btree(db->catalog);
    struct catalog_record before = {.version = 0};
    struct catalog_record after = {.version = 0};
    bool found = false;

    TRY(record_before(change, db, entry, &before, &found));
    if (entry->kind == WRITE_DELETE) {
        if (!found)
            return STATUS_OK;
        TRY(drop_record(change, db, &before));
        return btree_delete(change, &catalog, entry->key, entry->key_size);
    }
    TRY(catalog__record_decode(entry->value, entry->value_size, &after));
    if (found && le32_get(before.tree_id) != le32_get(after.tree_id))
        TRY(drop_record(change, db, &before));
    if (le32_get(after.root) == PAGE_NONE) {
        TRY(create_tree(change, db, &after));
        *created = true;
    }
    return btree_put(change, &catalog, entry->key, entry->key_size, &after, sizeof(after), NULL);
}

enum status
catalog__store_next(struct pager_change *change, struct qtdb *db)
{
    struct btree catalog = tree__btree(db->catalog);
    const uint8_t key = CATALOG_KEY_NEXT;
    le32 next = le32_of(atomic_load(&db->next_tree_id));

    return btree_put(change, &catalog, &key, 1, next.byte, sizeof(next), NULL);
}

enum status
catalog__apply(struct pager_change *change, struct qtdb_txn *txn, struct txn_tree *catalog)
{
    struct qtdb *db = txn->db;
    bool created = false;

    forget_effects(db);
    for (const struct write_entry *entry = catalog->writes.head[0]; entry != NULL;
         entry = entry->next[0])
        if (entry->kind != WRITE_NONE)
            TRY(apply_entry(change, db, entry, &created));
    return created ? catalog__store_next(change, db) : STATUS_OK;
}

void
catalog__announce(struct qtdb *db, uint64_t csn)
{
    latch_lock(&db->handle_latch);
    latch_lock(&db->snapshot_latch);
    for (struct qtdb_tree *tree = db->trees; tree != NULL; tree = tree->next) {
        if (tree->root_new != PAGE_NONE) {
            atomic_store(&tree->root, tree->root_new);
            atomic_store(&tree->csn_created, csn);
        }
        if (tree->dropping)
            atomic_store(&tree->csn_dropped, csn);
    }
    latch_unlock(&db->snapshot_latch);
    latch_unlock(&db->handle_latch);
}

void
catalog__retract(struct qtdb *db, uint64_t csn)
{
    latch_lock(&db->handle_latch);
    latch_lock(&db->snapshot_latch);
    for (struct qtdb_tree *tree = db->trees; tree != NULL; tree = tree->next) {
        if (atomic_load(&tree->csn_created) == csn) {
            atomic_store(&tree->csn_created, CSN_NEVER);
            atomic_store(&tree->root, PAGE_NONE);
        }
        if (atomic_load(&tree->csn_dropped) == csn)
            atomic_store(&tree->csn_dropped, CSN_NEVER);
    }
    latch_unlock(&db->snapshot_latch);
    latch_unlock(&db->handle_latch);
}
