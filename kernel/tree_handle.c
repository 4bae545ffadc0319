/*
 * Tree handles, and opening, creating, dropping and listing trees.
 *
 * There is one handle a tree id, made when a transaction first opens or creates the tree and kept
 * until the database is closed. Whether a transaction may use it is asked of the handle's CSNs and of
 * the transaction's own writes to the catalog (txn__tree_visible): the handle itself promises
 * nothing.
 */
#include "kernel/kernel_private.h"

struct btree
tree__btree(const struct qtdb_tree *tree)
{
    return (struct btree){
        .pager = tree->db->pager,
        .root = atomic_load_explicit(&tree->root, memory_order_acquire),
        .tree_id = tree->tree_id,
        .kind = tree->kind == QTDB_KEY_INT ? BTREE_INT : BTREE_VAR,
        .hint = (struct btree_hint *)(uintptr_t)&tree->hint,
    };
}

static struct qtdb_tree *
find(const struct qtdb *db, uint32_t tree_id)
{
    struct qtdb_tree *tree = db->trees;

    while (tree != NULL && tree->tree_id != tree_id)
        tree = tree->next;
    return tree;
}

struct qtdb_tree *
tree__find(struct qtdb *db, uint32_t tree_id)
{
    latch_lock(&db->handle_latch);
    struct qtdb_tree *tree = find(db, tree_id);

    latch_unlock(&db->handle_latch);
    return tree;
}

enum status
tree__handle(struct qtdb *db, uint32_t tree_id, const void *name, size_t name_size,
             const struct catalog_record *record, struct qtdb_tree **out)
{
    struct qtdb_tree *fresh;
    struct qtdb_tree *tree = tree__find(db, tree_id);

    CHECK(name_size <= QTDB_NAME_SIZE_MAX);
    if (tree != NULL) {
        *out = tree;
        return STATUS_OK;
    }
    fresh = memory_alloc(db->env.memory, MEMORY_OTHER, sizeof(*fresh));
    if (fresh == NULL)
        return STATUS_NO_MEMORY;
    fresh->db = db;
    fresh->tree_id = tree_id;
    CHECK(record->version == CATALOG_VERSION);
    fresh->kind = (enum qtdb_key_kind)record->kind;
    fresh->no_compression = (record->flags & CATALOG_FLAG_NO_COMPRESSION) != 0;
    fresh->name_size = name_size;
    memcpy(fresh->name, name, name_size);
    enum status status = route__init(db, fresh, (enum qtdb_router)record->router);

    if (status != STATUS_OK) {
        memory_free(db->env.memory, MEMORY_OTHER, fresh, sizeof(*fresh));
        return status;
    }
    fresh->root_new = PAGE_NONE;
    atomic_store(&fresh->root, le32_get(record->root));
    /* What the catalog shows was committed before the snapshot of whoever looked. */
    atomic_store(&fresh->csn_created, le32_get(record->root) == PAGE_NONE ? CSN_NEVER : 0);
    atomic_store(&fresh->csn_dropped, CSN_NEVER);
    latch_lock(&db->handle_latch);
    tree = find(db, tree_id);
    if (tree == NULL) {
        fresh->next = db->trees;
        db->trees = fresh;
        tree = fresh;
        fresh = NULL;
    }
    latch_unlock(&db->handle_latch);
    if (fresh != NULL)
        route__deinit(db, fresh);
    memory_free(db->env.memory, MEMORY_OTHER, fresh, sizeof(*fresh));
    *out = tree;
    return STATUS_OK;
}

void
tree__free_all(struct qtdb *db)
{
    while (db->trees != NULL) {
        struct qtdb_tree *tree = db->trees;

        db->trees = tree->next;
        route__deinit(db, tree);
        memory_free(db->env.memory, MEMORY_OTHER, tree, sizeof(*tree));
    }
}

/* The catalog's key of a name, checked. */
static enum status
name_key(const char *name, uint8_t *key, size_t *key_size_out)
{
    size_t size = strnlen(name, QTDB_NAME_SIZE_MAX + 1);

    if (size == 0 || size > QTDB_NAME_SIZE_MAX)
        return error_raise(STATUS_INVALID, "the name of a tree has 1 to %d bytes",
                           QTDB_NAME_SIZE_MAX);
    *key_size_out = catalog__name_key(name, size, key);
    return STATUS_OK;
}

/* The record of a name as the transaction sees it. STATUS_NOT_FOUND. */
static enum status
look_up(struct qtdb_txn *txn, struct txn_tree *catalog, const uint8_t *key, size_t key_size,
        struct catalog_record *out)
{
    uint8_t bytes[sizeof(*out)];
    size_t size = sizeof(bytes);
    enum status status = access__get(txn, catalog, key, key_size, bytes, &size);

    if (status == STATUS_FULL)
        return error_raise(STATUS_CORRUPT, "catalog: a record has %zu bytes", size);
    TRY(status);
    return catalog__record_decode(bytes, size, out);
}

static enum status
create(struct qtdb_txn *txn, struct txn_tree *catalog, const uint8_t *key, size_t key_size,
       const struct qtdb_tree_options *options, struct qtdb_tree **out)
{
    struct qtdb *db = txn->db;
    struct catalog_record record = {
        .root = le32_of(PAGE_NONE),
        .version = CATALOG_VERSION,
        .kind = (uint8_t)options->key_kind,
        .router =
            options->router == QTDB_ROUTER_STORED ? QTDB_ROUTER_AUTO : (uint8_t)options->router,
        .flags = options->no_compression ? CATALOG_FLAG_NO_COMPRESSION : 0,
    };

    if (txn->read_only)
        return error_raise(STATUS_READONLY, "the transaction is read-only");
    TRY(access__claim(txn, db->catalog, key, key_size, LOCK_EXCLUSIVE, txn->lock_timeout_ns));
    uint32_t tree_id = atomic_fetch_add(&db->next_tree_id, 1);

    if (tree_id < CATALOG_TREE_ID_FIRST || tree_id >= UINT32_MAX / 2)
        return error_raise(STATUS_FULL, "all tree ids have been used");
    record.tree_id = le32_of(tree_id);
    TRY(tree__handle(db, tree_id, key + 1, key_size - 1, &record, out));
    TRY(write_set__put(txn, catalog, key, key_size, &record, sizeof(record), WRITE_PUT));
    txn->has_ddl = true;
    return STATUS_OK;
}

static enum status
tree_open(struct qtdb_txn *txn, const char *name, const struct qtdb_tree_options *options,
          struct qtdb_tree **out)
{
    uint8_t key[QTDB_NAME_SIZE_MAX + 1];
    struct catalog_record record = {.version = 0};
    struct txn_tree *catalog;
    size_t key_size = 0;

    if (options->key_kind > QTDB_KEY_INT || options->router > QTDB_ROUTER_STORED)
        return error_raise(STATUS_INVALID, "unknown kind of keys or router");
    TRY(name_key(name, key, &key_size));
    TRY(txn__usable(txn));
    TRY(txn__tree(txn, txn->db->catalog, &catalog));
    enum status status = look_up(txn, catalog, key, key_size, &record);

    if (status == STATUS_NOT_FOUND && options->create)
        return create(txn, catalog, key, key_size, options, out);
    if (status == STATUS_NOT_FOUND)
        return error_raise(STATUS_NOT_FOUND, "there is no tree '%s'", name);
    TRY(status);
    if (options->create && options->exclusive)
        return error_raise(STATUS_EXISTS, "there is a tree '%s' already", name);
    if (options->create && record.kind != options->key_kind)
        return error_raise(STATUS_INVALID, "tree '%s' exists with another kind of keys", name);
    TRY(tree__handle(txn->db, le32_get(record.tree_id), key + 1, key_size - 1, &record, out));
    route__want(*out, options->router);
    if (!txn->db->has_thread)
        route__load(*out);
    return STATUS_OK;
}

enum qtdb_code
qtdb_tree_open(struct qtdb_txn *txn, const char *name, const struct qtdb_tree_options *options,
               struct qtdb_tree **out)
{
    struct qtdb_tree_options given = {.size = sizeof(given)};

    if (options != NULL && options->size == 0)
        return api_error_set(QTDB_INVALID, NULL, 0, false,
                             "qtdb_tree_options.size is not set: set it to sizeof");
    if (options != NULL)
        memcpy(&given, options, options->size < sizeof(given) ? options->size : sizeof(given));
    return api_error(tree_open(txn, name, &given, out));
}

static enum status
tree_drop(struct qtdb_txn *txn, const char *name)
{
    uint8_t key[QTDB_NAME_SIZE_MAX + 1];
    struct catalog_record record = {.version = 0};
    struct txn_tree *catalog;
    size_t key_size = 0;

    TRY(name_key(name, key, &key_size));
    TRY(txn__usable(txn));
    if (txn->read_only)
        return error_raise(STATUS_READONLY, "the transaction is read-only");
    TRY(txn__tree(txn, txn->db->catalog, &catalog));
    enum status status = look_up(txn, catalog, key, key_size, &record);

    if (status == STATUS_NOT_FOUND)
        return error_raise(STATUS_NOT_FOUND, "there is no tree '%s'", name);
    TRY(status);
    TRY(access__claim(txn, txn->db->catalog, key, key_size, LOCK_EXCLUSIVE, txn->lock_timeout_ns));
    TRY(write_set__put(txn, catalog, key, key_size, NULL, 0, WRITE_DELETE));
    txn->has_ddl = true;
    return STATUS_OK;
}

enum qtdb_code
qtdb_tree_drop(struct qtdb_txn *txn, const char *name)
{
    return api_error(tree_drop(txn, name));
}

/* The catalog is read like any tree, through a cursor of the transaction. */
static enum status
list(struct qtdb_txn *txn, struct qtdb_cursor *cursor,
     void (*each)(void *context, const char *name), void *context)
{
    const uint8_t first = CATALOG_KEY_NAME;
    char name[QTDB_NAME_SIZE_MAX + 1];
    enum status status = cursor__seek(cursor, &first, 1);

    while (status == STATUS_OK) {
        const void *key;
        const void *value;
        size_t key_size;
        size_t value_size;

        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        if (((const uint8_t *)key)[0] != CATALOG_KEY_NAME)
            break;
        if (key_size < 2 || key_size > QTDB_NAME_SIZE_MAX + 1)
            return error_raise(STATUS_CORRUPT, "catalog: a name has %zu bytes", key_size - 1);
        memcpy(name, (const uint8_t *)key + 1, key_size - 1);
        name[key_size - 1] = '\0';
        each(context, name);
        TRY(txn__usable(txn));
        status = cursor__next(cursor);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum qtdb_code
qtdb_tree_list(struct qtdb_txn *txn, void (*each)(void *context, const char *name), void *context)
{
    struct qtdb_cursor *cursor = NULL;
    enum status status = txn__usable(txn);

    if (status == STATUS_OK)
        status = cursor__open(txn, txn->db->catalog, &cursor);
    if (status == STATUS_OK)
        status = list(txn, cursor, each, context);
    qtdb_cursor_close(cursor);
    return api_error(status);
}

enum status
database_sample(struct qtdb_txn *txn, struct qtdb_tree *tree, double share, double *rows_out,
                uint8_t *low_out, size_t *low_size_out)
{
    struct txn_tree *own;

    TRY(txn__tree(txn, tree, &own));
    *rows_out = 0;
    *low_size_out = 0;
    if (own->btree.root != PAGE_NONE)
        TRY(btree_sample(&own->btree, share, rows_out, low_out, low_size_out));
    *rows_out += (double)write_set__count(own);
    return STATUS_OK;
}

void
database_sample_fetch(struct qtdb_txn *txn, struct qtdb_tree *tree, const double *shares,
                      uint32_t count)
{
    struct txn_tree *own;

    if (txn__tree(txn, tree, &own) != STATUS_OK)
        error_clear();
    else if (own->btree.root != PAGE_NONE)
        btree_sample_fetch(&own->btree, shares, count);
}

enum status
database_page_count(struct qtdb_txn *txn, struct qtdb_tree *tree, uint64_t *out)
{
    struct txn_tree *own;

    *out = 0;
    TRY(txn__tree(txn, tree, &own));
    return own->btree.root != PAGE_NONE ? btree_page_count(&own->btree, out) : STATUS_OK;
}

uint64_t
database_snapshot(const struct qtdb_txn *txn)
{
    return txn->snapshot;
}

/* A commit says which trees it is about to write before any snapshot can have it. */
bool
database_is_as_of(const struct qtdb_txn *txn, const struct qtdb_tree *tree, uint64_t csn)
{
    return !txn->track_reads && txn->snapshot >= csn &&
           atomic_load_explicit(&tree->csn_written, memory_order_acquire) <= csn;
}
