/*
 * Routers from one handle to the next: rows of the catalog (catalog_format.h), written when the
 * database is closed.
 *
 * They are derived data. A row is taken only if the file was closed cleanly, by a handle that wrote it or
 * left it standing because its tree had not changed: one row says since which CSN rows are right. After a
 * crash all are passed over, and written anew at the next close. What is damaged in spite of checksums,
 * names pages that the file does not have, or is of another kind than wanted, is refused and counted; the
 * tree answers until a router is built. Even a row that is taken only names pages that are checked at each
 * use (R1).
 *
 * Saving never fails a close: what cannot be saved is missing at the next open.
 */
#include "kernel/kernel_private.h"

enum { SPARE_LEAVES = 256 };

/* ---- Loading ------------------------------------------------------------------------------------ */

void
route__load_begin(struct qtdb *db)
{
    const uint8_t key = CATALOG_KEY_ROUTER;
    struct btree catalog = tree__btree(db->catalog);
    struct pager_statistics pager;
    le64 since = le64_of(CSN_NEVER);
    size_t size = sizeof(since);
    uint64_t csn;

    pager_get_counts(db->pager, &pager);
    enum status status = btree_get(&catalog, &key, 1, since.byte, &size, &csn);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        error_clear();
    db->route_since = CSN_NEVER;
    db->routes_stale = status != STATUS_NOT_FOUND;
    if (status == STATUS_OK && size == sizeof(since) && pager.opened_clean != 0 &&
        le64_get(since) <= pager.csn_opened) {
        db->route_since = le64_get(since);
        db->routes_stale = false;
    }
}

/* The row, from memory_alloc; STATUS_NOT_FOUND. */
static enum status
read_row(struct qtdb_tree *tree, uint8_t **out, size_t *size_out)
{
    struct qtdb *db = tree->db;
    struct btree catalog = tree__btree(db->catalog);
    size_t size = 0;
    uint8_t key[5];
    uint8_t *bytes;
    uint64_t csn;

    catalog__router_key(tree->tree_id, key);
    enum status status = btree_get(&catalog, key, sizeof(key), key, &size, &csn);

    if (status != STATUS_FULL)
        return status == STATUS_OK ? STATUS_CORRUPT : status;
    bytes = memory_alloc(db->env.memory, MEMORY_ROUTER, size);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    *size_out = size;
    status = btree_get(&catalog, key, sizeof(key), bytes, &size, &csn);
    if (status != STATUS_OK) {
        memory_free(db->env.memory, MEMORY_ROUTER, bytes, *size_out);
        return status;
    }
    *out = bytes;
    return STATUS_OK;
}

/* Every leaf is a page that there is, and the first one is the tree's first. */
static enum status
validate_leaves(const struct qtdb *db, const struct leaf_directory *directory)
{
    uint32_t count = leaf_directory_count(directory);
    uint32_t pages = pager_page_count(db->pager);

    if (count == 0 || directory->keys[0] != 0)
        return STATUS_CORRUPT;
    for (uint32_t i = 0; i < count; i++)
        if (directory->pages[i] < PAGE_CATALOG_ROOT || directory->pages[i] >= pages)
            return STATUS_CORRUPT;
    return STATUS_OK;
}

/* On a failure the caller frees the route. */
static enum status
decode_into(struct qtdb *db, const uint8_t *bytes, size_t size, struct route *route)
{
    struct router_record record;

    if (size < sizeof(record))
        return STATUS_CORRUPT;
    memcpy(&record, bytes, sizeof(record));
    size_t directory_size = le32_get(record.directory_size);
    size_t router_size = le32_get(record.router_size);

    if (directory_size + router_size != size - sizeof(record))
        return STATUS_CORRUPT;
    if (le64_get(record.csn) < db->route_since)
        return STATUS_NOT_FOUND; /* Left from before a crash. */
    bytes += sizeof(record);
    TRY(leaf_directory_decode(&route->directory, db->env.memory, bytes, directory_size,
                              SPARE_LEAVES));
    TRY(validate_leaves(db, &route->directory));
    TRY(router_decode(&route->directory, db->env.memory, bytes + directory_size, router_size,
                      &route->router));
    const struct router_verdict *verdict = router_verdict(route->router);

    if (verdict->kind == ROUTER_TREE)
        return STATUS_CORRUPT;
    router_health_init(&route->health, verdict->leaf_count);
    route->row_count = le64_get(record.row_count);
    route->is_saved = true;
    return STATUS_OK;
}

static enum status
load(struct qtdb_tree *tree, struct route **out)
{
    struct qtdb *db = tree->db;
    struct route *route = memory_alloc(db->env.memory, MEMORY_ROUTER, sizeof(*route));
    uint8_t *bytes;
    size_t size;

    if (route == NULL)
        return STATUS_NO_MEMORY;
    enum status status = read_row(tree, &bytes, &size);

    if (status == STATUS_OK) {
        status = decode_into(db, bytes, size, route);
        memory_free(db->env.memory, MEMORY_ROUTER, bytes, size);
    }
    if (status != STATUS_OK) {
        route__free(db, route);
        return status;
    }
    *out = route;
    return STATUS_OK;
}

/* Under nothing; the first who comes does it. */
static bool
load_is_mine(struct tree_router *router)
{
    latch_lock(&router->latch);
    bool mine = !router->load_tried;

    router->load_tried = true;
    latch_unlock(&router->latch);
    return mine;
}

void
route__load(struct qtdb_tree *tree)
{
    struct tree_router *router = tree->router;
    struct route *route = NULL;

    if (!load_is_mine(router) || tree->db->route_since == CSN_NEVER ||
        atomic_load(&tree->root) == PAGE_NONE)
        return;
    enum status status = load(tree, &route);

    if (status != STATUS_OK)
        error_clear();
    bool refused = status != STATUS_OK && status != STATUS_NOT_FOUND && status != STATUS_NO_MEMORY;

    latch_lock(&router->latch);
    router->refused_count += refused;
    router->look_done = route != NULL;
    if (route != NULL) {
        router->leaf_count = leaf_directory_count(&route->directory);
        router->row_count = route->row_count;
    }
    latch_unlock(&router->latch);
    if (route == NULL)
        return;
    struct btree btree = tree__btree(tree);
    uint64_t row_count = route->row_count;

    if (route__look_at_leaves(&btree, route) != STATUS_OK)
        error_clear();
    route->row_count = row_count;
    route__publish(tree, route, ROUTE_SAVED);
    latch_lock(&router->latch); /* It may have been of another kind than wanted. */
    router->look_done = atomic_load(&router->route) != NULL;
    latch_unlock(&router->latch);
}

/* ---- Saving ------------------------------------------------------------------------------------- */

/* One tree's row to be. */
struct saved {
    struct qtdb_tree *tree;
    uint8_t *bytes; /* NULL: there is to be no row. */
    size_t size;
};

struct saving {
    struct qtdb *db;
    struct saved *rows;
    uint32_t count;
};

/* NULL: it cannot be saved. */
static void
encode(struct qtdb *db, const struct route *route, struct saved *out)
{
    size_t directory_size = leaf_directory_encode(&route->directory, NULL, 0);
    size_t router_size = router_encode(route->router, &route->directory, NULL, 0);
    size_t size = sizeof(struct router_record) + directory_size + router_size;
    struct router_record record = {
        .row_count = le64_of(route->row_count),
        .directory_size = le32_of((uint32_t)directory_size),
        .router_size = le32_of((uint32_t)router_size),
    };

    out->bytes = NULL;
    if (size > BTREE_VALUE_SIZE_MAX || size > db->route_save_limit)
        return;
    out->bytes = memory_alloc(db->env.memory, MEMORY_ROUTER, size);
    if (out->bytes == NULL)
        return;
    out->size = size;
    memcpy(out->bytes, &record, sizeof(record));
    (void)leaf_directory_encode(&route->directory, out->bytes + sizeof(record), directory_size);
    (void)router_encode(route->router, &route->directory,
                        out->bytes + sizeof(record) + directory_size, router_size);
}

static enum status
save_row(struct pager_change *change, const struct btree *catalog, const struct saved *row)
{
    uint8_t key[5];

    catalog__router_key(row->tree->tree_id, key);
    if (row->bytes != NULL) {
        le64 csn = le64_of(pager_change_csn(change));

        memcpy(row->bytes + offsetof(struct router_record, csn), &csn, sizeof(csn));
        return btree_put(change, catalog, key, sizeof(key), row->bytes, row->size, NULL);
    }
    enum status status = btree_delete(change, catalog, key, sizeof(key));

    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
save_body(struct pager_change *change, void *context)
{
    const struct saving *saving = context;
    struct qtdb *db = saving->db;
    struct btree catalog = tree__btree(db->catalog);
    const uint8_t key = CATALOG_KEY_ROUTER;
    le64 since = le64_of(pager_change_csn(change));

    for (uint32_t i = 0; i < saving->count; i++)
        TRY(save_row(change, &catalog, &saving->rows[i]));
    if (db->route_since != CSN_NEVER)
        return STATUS_OK;
    return btree_put(change, &catalog, &key, 1, since.byte, sizeof(since), NULL);
}

/* When saving failed: nothing that is saved counts. */
static enum status
forget_body(struct pager_change *change, void *context)
{
    const struct saving *saving = context;
    struct btree catalog = tree__btree(saving->db->catalog);
    const uint8_t key = CATALOG_KEY_ROUTER;
    enum status status = btree_delete(change, &catalog, &key, 1);

    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Does the tree's row stand as it is? */
static bool
is_saved(const struct qtdb_tree *tree)
{
    const struct tree_router *router = tree->router;
    const struct route *route = atomic_load(&router->route);

    if (!router->load_tried) /* Nobody got to it: right as long as the tree has the same leaves. */
        return atomic_load(&router->leaf_change_count) == 0;
    return route != NULL && route->is_saved;
}

/* Fills `rows`, one of each tree whose row does not stand; the largest that fit the limit together. */
static bool
gather(struct saving *saving)
{
    struct qtdb *db = saving->db;
    size_t left = db->route_save_limit;
    bool any = false;

    for (struct qtdb_tree *tree = db->trees; tree != NULL; tree = tree->next) {
        const struct route *route = atomic_load(&tree->router->route);
        struct saved *row = &saving->rows[saving->count];

        if (is_saved(tree) || atomic_load(&tree->root) == PAGE_NONE)
            continue;
        *row = (struct saved){.tree = tree};
        if (route != NULL && atomic_load(&tree->csn_dropped) == CSN_NEVER)
            encode(db, route, row);
        if (row->size > left) {
            memory_free(db->env.memory, MEMORY_ROUTER, row->bytes, row->size);
            row->bytes = NULL;
        }
        if (row->bytes != NULL)
            left -= row->size;
        any = any || row->bytes != NULL;
        saving->count++;
    }
    return any;
}

static void
save(struct saving *saving)
{
    struct qtdb *db = saving->db;
    uint64_t csn;
    bool any = gather(saving);

    /* Nothing to save and nothing saved; or all that is saved stands. */
    if (!any && !db->routes_stale && (db->route_since == CSN_NEVER || saving->count == 0))
        return;
    if (commit__change(db, save_body, saving, &csn) == STATUS_OK)
        return;
    error_clear();
    if (commit__change(db, forget_body, saving, &csn) != STATUS_OK)
        error_clear();
}

void
route__save_all(struct qtdb *db)
{
    struct saving saving = {.db = db};
    uint32_t room = 0;

    if (db->read_only || pager_is_failed(db->pager))
        return;
    for (const struct qtdb_tree *tree = db->trees; tree != NULL; tree = tree->next)
        room++;
    if (room == 0)
        room = 1;
    saving.rows = memory_alloc(db->env.memory, MEMORY_ROUTER, room * sizeof(*saving.rows));
    if (saving.rows == NULL)
        return;
    save(&saving);
    for (uint32_t i = 0; i < saving.count; i++)
        memory_free(db->env.memory, MEMORY_ROUTER, saving.rows[i].bytes, saving.rows[i].size);
    memory_free(db->env.memory, MEMORY_ROUTER, saving.rows, room * sizeof(*saving.rows));
}
