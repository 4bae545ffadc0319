/*
 * The life of routes: publishing, replacing, freeing; what commits do to them; their figures.
 *
 * Replacing takes the router's latch for the swap alone, raises the version of all routes, and leaves
 * the old one to be freed (R2, tree_router.h). As long as two of a tree wait for that, because a
 * transaction that began before makes no call, the tree's route is not replaced again.
 *
 * A commit tells what it did to leaves after it is published. Leaves that came behind all others are
 * appended to the directory by the same walk that builds one, begun at its last leaf; if the latch is
 * taken the next commit does it. All other changes only count.
 */
#include "kernel/kernel_private.h"

enum { RETIRED_MAX = 2, CHANGES_MIN = 8 };

enum status
route__init(struct qtdb *db, struct qtdb_tree *tree, enum qtdb_router wanted)
{
    struct tree_router *router = memory_alloc(db->env.memory, MEMORY_ROUTER, sizeof(*router));

    if (router == NULL)
        return STATUS_NO_MEMORY;
    atomic_store(&router->wanted, (uint32_t)wanted);
    router->stored = wanted;
    atomic_store(&router->due, true);
    atomic_store(&db->routers_due, true);
    tree->router = router;
    return STATUS_OK;
}

void
route__free(struct qtdb *db, struct route *route)
{
    if (route == NULL)
        return;
    router_free(route->router);
    leaf_directory_deinit(&route->directory);
    memory_free(db->env.memory, MEMORY_ROUTER, route, sizeof(*route));
}

void
route__deinit(struct qtdb *db, struct qtdb_tree *tree)
{
    struct tree_router *router = tree->router;

    if (router == NULL)
        return;
    route__free(db, atomic_load(&router->route));
    while (router->retired != NULL) {
        struct route *route = router->retired;

        router->retired = route->next;
        route__free(db, route);
    }
    memory_free(db->env.memory, MEMORY_ROUTER, router, sizeof(*router));
    tree->router = NULL;
}

/* ---- Replacing ---------------------------------------------------------------------------------- */

static uint64_t
oldest_seen(const struct txn_list *list, uint64_t oldest)
{
    for (const struct qtdb_txn *txn = list->newest; txn != NULL; txn = txn->next) {
        uint64_t seen = atomic_load_explicit(&txn->routes.seen, memory_order_acquire);

        if (seen < oldest)
            oldest = seen;
    }
    return oldest;
}

void
route__reclaim(struct qtdb *db, struct tree_router *router)
{
    struct route **link = &router->retired;

    if (router->retired == NULL)
        return;
    latch_lock(&db->snapshot_latch);
    txn__reap(db); /* R2: a parked one has not seen, and may begin at any moment. */
    uint64_t oldest = oldest_seen(&db->readers, oldest_seen(&db->writers, UINT64_MAX));

    latch_unlock(&db->snapshot_latch);
    while (*link != NULL) {
        struct route *route = *link;

        if (route->version > oldest) {
            link = &route->next;
            continue;
        }
        *link = route->next;
        router->retired_count--;
        route__free(db, route);
    }
}

/* Under the latch. */
static void
swap(struct qtdb *db, struct tree_router *router, struct route *fresh)
{
    struct route *old = atomic_load_explicit(&router->route, memory_order_relaxed);

    if (old == fresh)
        return;
    atomic_store_explicit(&router->route, fresh, memory_order_release);
    if (old == NULL)
        return;
    old->version = atomic_fetch_add_explicit(&db->route_version, 1, memory_order_acq_rel) + 1;
    old->next = router->retired;
    router->retired = old;
    router->retired_count++;
    route__reclaim(db, router);
}

/* The kind of router that the options ask for by name. */
static bool
is_kind_wanted(uint32_t wanted, const struct route *route)
{
    enum router_kind kind = router_verdict(route->router)->kind;

    switch (wanted) {
    case QTDB_ROUTER_AUTO:
        return true;
    case QTDB_ROUTER_RMI:
        return kind == ROUTER_RMI;
    case QTDB_ROUTER_PLA:
        return kind == ROUTER_PLA;
    case QTDB_ROUTER_DIRECTORY:
        return kind == ROUTER_DIRECTORY;
    default:
        return false;
    }
}

void
route__publish(struct qtdb_tree *tree, struct route *fresh, enum route_reason reason)
{
    struct tree_router *router = tree->router;
    struct qtdb *db = tree->db;

    latch_lock(&router->latch);
    if (fresh != NULL && !is_kind_wanted(atomic_load(&router->wanted), fresh)) {
        route__free(db, fresh);
        latch_unlock(&router->latch);
        return;
    }
    swap(db, router, fresh);
    router->reason = reason;
    if (fresh != NULL) /* Leaves that came while it was made. */
        route__extend(tree, fresh);
    latch_unlock(&router->latch);
}

void
route__want(struct qtdb_tree *tree, enum qtdb_router wanted)
{
    struct tree_router *router = tree->router;

    if (wanted == QTDB_ROUTER_AUTO)
        return;
    if (wanted == QTDB_ROUTER_STORED)
        wanted = router->stored;
    if (atomic_load(&router->wanted) == (uint32_t)wanted)
        return;
    latch_lock(&router->latch);
    atomic_store(&router->wanted, (uint32_t)wanted);
    const struct route *route = atomic_load_explicit(&router->route, memory_order_relaxed);

    if (route != NULL && !is_kind_wanted(wanted, route)) {
        swap(tree->db, router, NULL);
        router->reason = wanted == QTDB_ROUTER_TREE ? ROUTE_ASKED : ROUTE_NOT_LOOKED;
    }
    router->look_done = false;
    router->built_at = 0;
    latch_unlock(&router->latch);
    route__set_due(tree->db, router);
}

/* ---- Due ---------------------------------------------------------------------------------------- */

bool
route__is_due(struct tree_router *router)
{
    const struct route *route = atomic_load_explicit(&router->route, memory_order_relaxed);
    uint64_t changes = atomic_load_explicit(&router->leaf_change_count, memory_order_relaxed);

    if (atomic_load_explicit(&router->wanted, memory_order_relaxed) == QTDB_ROUTER_TREE)
        return route != NULL;
    if (!router->look_done)
        return true;
    if (route != NULL)
        return router->retired_count < RETIRED_MAX &&
               router_health_judge(&route->health) != ROUTER_KEEP;
    return changes >= CHANGES_MIN &&
           changes >=
               (router->reason == ROUTE_FEW_ROWS ? router->leaf_count / 4 : router->leaf_count);
}

void
route__set_due(struct qtdb *db, struct tree_router *router)
{
    if (atomic_exchange(&router->due, true))
        return;
    atomic_store(&db->routers_due, true);
    if (db->has_thread)
        pager_wake(db->pager);
}

/* ---- What commits change ------------------------------------------------------------------------ */

struct extension {
    struct route *route;
    enum btree_kind kind;
    uint64_t last_key;
    uint32_t last_page;
    bool past; /* The directory's last leaf is behind us. */
};

static bool
append_leaf(void *context, const uint8_t *low, size_t low_size, uint32_t page_number)
{
    struct extension *extension = context;
    uint64_t number = route__number(low, low_size);
    bool past = extension->past;

    if (page_number == extension->last_page)
        extension->past = true;
    if (number < extension->last_key || page_number == extension->last_page ||
        (number == extension->last_key && !past))
        return true;
    if (leaf_directory_append(&extension->route->directory, number, page_number) != STATUS_OK) {
        error_clear(); /* Full: the next one has more room. */
        return false;
    }
    extension->last_key = number;
    extension->past = true;
    router_health_appended(&extension->route->health);
    return true;
}

void
route__extend(struct qtdb_tree *tree, struct route *route)
{
    uint32_t count = leaf_directory_count(&route->directory);
    struct btree btree = tree__btree(tree);
    struct extension extension = {.route = route, .kind = btree.kind};
    uint8_t key[BTREE_KEY_SIZE_MAX];
    size_t key_size = sizeof(uint64_t);
    enum status status = STATUS_OK;

    if (count == 0 || btree.root == PAGE_NONE)
        return;
    extension.last_key = route->directory.keys[count - 1];
    extension.last_page = route->directory.pages[count - 1];
    uint64_t swapped = __builtin_bswap64(extension.last_key);

    memcpy(key, &swapped, sizeof(swapped));
    while (key_size > 0 && status == STATUS_OK)
        status = btree_leaves(&btree, key, &key_size, append_leaf, &extension);
    if (status != STATUS_OK)
        error_clear(); /* What is missing the tree finds. */
    if (leaf_directory_count(&route->directory) > count)
        route->is_saved = false;
}

static void
count_leaves(struct qtdb_tree *tree, const struct btree_leaf_tally *tally)
{
    struct tree_router *router = tree->router;

    (void)atomic_fetch_add_explicit(&router->leaf_change_count,
                                    (uint64_t)tally->split_count + tally->appended_count +
                                        tally->removed_count,
                                    memory_order_relaxed);
    if (!latch_try_lock(&router->latch)) {
        route__set_due(tree->db, router);
        return;
    }
    struct route *route = atomic_load_explicit(&router->route, memory_order_relaxed);

    if (route != NULL) {
        for (uint32_t i = 0; i < tally->split_count; i++)
            router_health_split(&route->health);
        for (uint32_t i = 0; i < tally->removed_count; i++)
            router_health_removed(&route->health);
        if (tally->appended_count > 0)
            route__extend(tree, route);
    }
    bool due = route__is_due(router);

    latch_unlock(&router->latch);
    if (due)
        route__set_due(tree->db, router);
}

void
route__committed(struct qtdb_txn *txn)
{
    for (struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next) {
        const struct btree_leaf_tally *tally = &tree->leaves;

        if (tree->tree->router != NULL &&
            (tally->split_count | tally->appended_count | tally->removed_count) != 0)
            count_leaves(tree->tree, tally);
    }
    if (txn->has_ddl)
        atomic_store(&txn->db->routers_due, true);
}

/* ---- Figures ------------------------------------------------------------------------------------ */

static uint64_t
value_of(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* A transaction's counts, those not handed on included. */
static struct qtdb_txn_statistics
counts_of(const struct qtdb_txn *txn)
{
    struct qtdb_txn_statistics sum = {
        .routed_count = txn->routes.routed_count,
        .router_hop_count = txn->routes.hop_count,
        .router_fallback_count = txn->routes.fallback_count,
    };

    for (uint32_t i = 0; i < ROUTE_TALLIES; i++) {
        sum.routed_count += value_of(&txn->routes.tally[i].routed_count);
        sum.router_hop_count += value_of(&txn->routes.tally[i].hop_count);
        sum.router_fallback_count += value_of(&txn->routes.tally[i].fallback_count);
    }
    return sum;
}

void
route__txn_begin(struct qtdb_txn *txn)
{
    struct qtdb_txn_statistics now;

    txn->routes.routed_count = 0;
    txn->routes.hop_count = 0;
    txn->routes.fallback_count = 0;
    if (txn->statistics == NULL)
        return;
    /* What earlier transactions of the handle left must not count: it wraps to nothing. */
    now = counts_of(txn);
    txn->routes.routed_count -= now.routed_count;
    txn->routes.hop_count -= now.router_hop_count;
    txn->routes.fallback_count -= now.router_fallback_count;
}

void
route__txn_counts(const struct qtdb_txn *txn, struct qtdb_txn_statistics *out)
{
    struct qtdb_txn_statistics sum = counts_of(txn);

    out->routed_count = sum.routed_count;
    out->router_hop_count = sum.router_hop_count;
    out->router_fallback_count = sum.router_fallback_count;
}

static void
add_pending(const struct qtdb_txn *first, const struct tree_router *router,
            struct qtdb_tree_statistics *out)
{
    for (const struct qtdb_txn *txn = first; txn != NULL; txn = txn->next) {
        for (uint32_t i = 0; i < ROUTE_TALLIES; i++) {
            const struct route_tally *tally = &txn->routes.tally[i];

            if (atomic_load_explicit(&tally->router, memory_order_relaxed) != router)
                continue;
            out->routed_count += value_of(&tally->routed_count);
            out->tree_count += value_of(&tally->tree_count);
            out->hop_count += value_of(&tally->hop_count);
            out->fallback_count += value_of(&tally->fallback_count);
        }
    }
}

static const char *
reason_text(enum route_reason reason)
{
    static const char *const text[ROUTE_REASON_COUNT] = {
        "not looked at yet",
        "asked for",
        "fewer than 10,000 rows: a model does not pay",
        "measured faster than the tree",
        "the tree measured faster",
        "the tree's pages are not in memory: it saves reading inner pages",
        "saved when the file was closed",
    };

    return text[reason];
}

/* Under the latch. */
static void
fill_route(const struct tree_router *router, struct qtdb_tree_statistics *out)
{
    const struct route *route = atomic_load_explicit(&router->route, memory_order_relaxed);

    out->router_kind = "tree";
    out->router_reason = atomic_load(&router->wanted) == QTDB_ROUTER_TREE
                             ? reason_text(ROUTE_ASKED)
                             : reason_text(router->reason);
    out->leaf_count = router->leaf_count;
    out->row_count = router->row_count;
    out->tree_ns = router->tree_ns;
    out->routed_ns = router->routed_ns;
    out->build_count = router->build_count;
    out->build_ns = router->build_ns;
    out->refused_count = router->refused_count;
    for (const struct route *old = router->retired; old != NULL; old = old->next)
        out->router_size +=
            leaf_directory_size(&old->directory) + router_verdict(old->router)->size;
    if (route == NULL)
        return;
    const struct router_verdict *verdict = router_verdict(route->router);

    out->router_kind = router_kind_name(verdict->kind);
    out->router_size += leaf_directory_size(&route->directory) + verdict->size;
    out->leaf_count = leaf_directory_count(&route->directory);
    out->model_count = verdict->model_count;
    out->error_p50 = verdict->error_p50;
    out->error_p99 = verdict->error_p99;
    out->error_max = verdict->error_max;
}

void
qtdb_tree_get_statistics(struct qtdb_tree *tree, struct qtdb_tree_statistics *out)
{
    struct qtdb_tree_statistics now = {.size = sizeof(now)};
    size_t size = out->size < sizeof(now) ? out->size : sizeof(now);
    struct tree_router *router = tree->router;
    struct qtdb *db = tree->db;

    now.router = (enum qtdb_router)atomic_load(&router->wanted);
    latch_lock(&router->latch);
    fill_route(router, &now);
    latch_unlock(&router->latch);
    now.routed_count = value_of(&router->routed_count);
    now.tree_count = value_of(&router->tree_count);
    now.hop_count = value_of(&router->hop_count);
    now.fallback_count = value_of(&router->fallback_count);
    struct btree pages = {.pager = db->pager, .root = atomic_load(&tree->root)};
    now.depth = pages.root == PAGE_NONE ? 0 : btree_depth(&pages);
    latch_lock(&db->snapshot_latch);
    add_pending(db->writers.newest, router, &now);
    add_pending(db->readers.newest, router, &now);
    add_pending(db->finished, router, &now);
    latch_unlock(&db->snapshot_latch);
    now.size = size;
    memcpy(out, &now, size);
}
