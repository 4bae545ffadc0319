/*
 * Making routers, in the background.
 *
 *   load      once a handle: the saved one, if it is right (router_save.c)
 *   walk      all inner pages of level 1, twice: how many leaves, then their fences and numbers
 *   estimate  rows, from a few leaves; below ROUTER_ROW_COUNT_MIN there is no model
 *   train     learned/router.h; AUTO takes the cheapest kind by estimate
 *   measure   AUTO only: look-ups of random keys in leaves that are in memory, down the tree and
 *             through the router in turns; the router has to be faster by a sixteenth. Each key once, so
 *             that the leaves are as cold to one as to the other
 *   publish   router_swap.c
 *
 * When the tree is not in memory there is nothing to measure: a router saves reading inner pages.
 * Rebuilding takes at most a twentieth of the time; when look-ups were the reason and the next
 * rebuild has the same one, it cured nothing, and they become rarer.
 */
#include "kernel/base/random.h"
#include "kernel/kernel_private.h"

enum {
    BLOCK_KEYS = 64, /* Look-ups between two readings of the clock. */
    BLOCKS = 32,     /* Of each side. */
    PICKS_A_KEY = 4, /* Tries to find a leaf in memory. */
    SAMPLE_LEAVES = 16,
    PAUSE_FACTOR = 20,
    WAIT_SHIFT_MAX = 12,
    SPARE_LEAVES = 256,
    MARGIN_SHARE = 16, /* What is gained has to be more than what measuring errs by. */
    NEAR_PERCENT = 90, /* Of rows that a guess has to find nearly, to be looked at first. */
};

/* ---- Walking ------------------------------------------------------------------------------------ */

static bool
count_leaf(void *context, const uint8_t *low, size_t low_size, uint32_t page_number)
{
    uint32_t *leaves = context;

    (void)low;
    (void)low_size;
    (void)page_number;
    (*leaves)++;
    return *leaves < LEAF_COUNT_MAX / 2;
}

static bool
take_leaf(void *context, const uint8_t *low, size_t low_size, uint32_t page_number)
{
    struct leaf_directory *directory = context;

    if (leaf_directory_append(directory, route__number(low, low_size), page_number) == STATUS_OK)
        return true;
    error_clear();
    return false;
}

static enum status
walk(const struct qtdb *db, const struct btree *btree,
     bool (*leaf)(void *context, const uint8_t *low, size_t low_size, uint32_t page_number),
     void *context)
{
    uint8_t key[BTREE_KEY_SIZE_MAX];
    size_t key_size = 0;

    do {
        TRY(btree_leaves(btree, key, &key_size, leaf, context));
        if (atomic_load(&db->stopping))
            return STATUS_STOPPED;
    } while (key_size > 0);
    return STATUS_OK;
}

/* The directory of the tree's leaves. STATUS_BUSY and STATUS_STOPPED: not now. */
static enum status
make_directory(const struct qtdb *db, const struct btree *btree, struct leaf_directory *out)
{
    uint32_t leaves = 0;

    TRY(walk(db, btree, count_leaf, &leaves));
    TRY(leaf_directory_init(out, db->env.memory, leaves + leaves / 4 + SPARE_LEAVES));
    enum status status = walk(db, btree, take_leaf, out);

    if (status != STATUS_OK)
        leaf_directory_deinit(out);
    return status;
}

enum status
route__look_at_leaves(const struct btree *btree, struct route *route)
{
    const struct leaf_directory *directory = &route->directory;
    uint32_t count = leaf_directory_count(directory);
    uint32_t samples = count < SAMPLE_LEAVES ? count : SAMPLE_LEAVES;
    uint64_t rows = 0;
    uint64_t near = 0;
    uint32_t seen = 0;

    for (uint32_t i = 0; i < samples; i++) {
        uint32_t index = (uint32_t)((uint64_t)i * count / samples);
        struct btree_leaf_shape shape;
        enum status status = btree_leaf_look(btree, directory->pages[index], &shape);

        if (status == STATUS_MISSING)
            continue;
        TRY(status);
        rows += shape.row_count;
        near += shape.near_count;
        route->shape = shape;
        seen++;
    }
    if (seen == 0)
        return STATUS_OK;
    route->row_count = rows * count / seen;
    route->shape.row_count = (uint32_t)(rows / seen);
    route->guess_is_near = near * 100 >= rows * NEAR_PERCENT;
    return STATUS_OK;
}

/* ---- Measuring ---------------------------------------------------------------------------------- */

struct measure {
    struct qtdb *db;
    const struct btree *btree;
    const struct route *route;
    struct random random;
    uint64_t keys[BLOCK_KEYS]; /* As the tree has them. */
    uint8_t value[BTREE_INLINE_VALUE_MAX];
};

/* Keys in leaves that are in memory; false: there are too few. */
static bool
pick_keys(struct measure *measure)
{
    const struct leaf_directory *directory = &measure->route->directory;
    uint32_t count = leaf_directory_count(directory);
    uint32_t picked = 0;

    for (uint32_t tries = 0; tries < BLOCK_KEYS * PICKS_A_KEY && picked < BLOCK_KEYS; tries++) {
        uint32_t index = (uint32_t)random_below(&measure->random, count);
        uint64_t low = directory->keys[index];
        uint64_t span = index + 1 < count ? directory->keys[index + 1] - low : 1;

        if (!btree_page_is_resident(measure->btree, directory->pages[index]))
            continue;
        measure->keys[picked++] =
            __builtin_bswap64(low + random_below(&measure->random, span > 0 ? span : 1));
    }
    return picked == BLOCK_KEYS;
}

static enum status
run_block(struct measure *measure, bool routed, uint64_t *ns_out)
{
    uint64_t begin = io_clock_ns(measure->db->env.io);

    for (uint32_t i = 0; i < BLOCK_KEYS; i++) {
        const void *key = &measure->keys[i];
        size_t size = sizeof(measure->value);
        uint32_t hops;
        uint64_t csn;
        enum status status = routed
                                 ? route__get_by(measure->route, measure->btree, key, 8,
                                                 measure->value, &size, &csn, &hops)
                                 : btree_get(measure->btree, key, 8, measure->value, &size, &csn);

        if (status != STATUS_OK && status != STATUS_NOT_FOUND && status != STATUS_FULL)
            return status;
    }
    *ns_out = io_clock_ns(measure->db->env.io) - begin;
    return STATUS_OK;
}

static uint64_t
median(uint64_t *values)
{
    for (uint32_t i = 1; i < BLOCKS; i++) {
        uint64_t value = values[i];
        uint32_t k = i;

        for (; k > 0 && values[k - 1] > value; k--)
            values[k] = values[k - 1];
        values[k] = value;
    }
    return values[BLOCKS / 2];
}

/* ns a look-up of both; `*measured_out` false: not enough of the tree is in memory. */
static enum status
measure_both(struct measure *measure, uint64_t *tree_ns_out, uint64_t *routed_ns_out,
             bool *measured_out)
{
    uint64_t ns[2][BLOCKS];

    *measured_out = false;
    for (uint32_t block = 0; block < 2 * BLOCKS; block++) {
        /* Which side begins changes from pair to pair. */
        bool routed = (block + block / 2) % 2 == 1;

        if (!pick_keys(measure))
            return STATUS_OK;
        TRY(run_block(measure, routed, &ns[routed][block / 2]));
    }
    *measured_out = true;
    *tree_ns_out = median(ns[0]) / BLOCK_KEYS;
    *routed_ns_out = median(ns[1]) / BLOCK_KEYS;
    return STATUS_OK;
}

/* ---- Building ----------------------------------------------------------------------------------- */

/* One look at a tree: what is found. */
struct look {
    struct route *route; /* NULL: none. */
    enum route_reason reason;
    uint32_t leaf_count;
    uint64_t row_count;
    uint64_t build_ns;
    uint64_t look_ns; /* Measuring included. */
    uint64_t tree_ns;
    uint64_t routed_ns;
};

static enum router_kind
kind_of(uint32_t wanted)
{
    switch (wanted) {
    case QTDB_ROUTER_RMI:
        return ROUTER_RMI;
    case QTDB_ROUTER_PLA:
        return ROUTER_PLA;
    case QTDB_ROUTER_DIRECTORY:
        return ROUTER_DIRECTORY;
    default:
        return ROUTER_AUTO;
    }
}

/* Trains on the directory of `route`, which there are rows enough for. */
static enum status
train(struct qtdb *db, struct route *route, uint32_t wanted)
{
    struct router_options options = {.kind = kind_of(wanted), .row_count = route->row_count};

    TRY(router_train(&route->directory, &options, db->env.memory, &route->router));
    router_health_init(&route->health, router_verdict(route->router)->leaf_count);
    return STATUS_OK;
}

static enum status
choose(struct qtdb *db, const struct btree *btree, struct look *look)
{
    struct measure measure = {.db = db, .btree = btree, .route = look->route};
    bool measured;

    random_init(&measure.random, look->leaf_count);
    TRY(measure_both(&measure, &look->tree_ns, &look->routed_ns, &measured));
    look->reason = ROUTE_COLD;
    if (!measured)
        return STATUS_OK;
    look->reason = ROUTE_FASTER;
    if (look->routed_ns + look->routed_ns / MARGIN_SHARE <= look->tree_ns)
        return STATUS_OK;
    look->reason = ROUTE_TREE_FASTER;
    route__free(db, look->route);
    look->route = NULL;
    return STATUS_OK;
}

/* Fills `look->route`, allocated and empty; on a failure the caller frees it. */
static enum status
build(struct qtdb *db, const struct btree *btree, uint32_t wanted, struct look *look)
{
    struct route *route = look->route;
    uint64_t begin = io_clock_ns(db->env.io);

    TRY(make_directory(db, btree, &route->directory));
    look->leaf_count = leaf_directory_count(&route->directory);
    TRY(route__look_at_leaves(btree, route));
    look->row_count = route->row_count;
    if (look->row_count < ROUTER_ROW_COUNT_MIN) {
        look->reason = ROUTE_FEW_ROWS;
        route__free(db, route);
        look->route = NULL;
        return STATUS_OK;
    }
    TRY(train(db, route, wanted));
    look->build_ns = io_clock_ns(db->env.io) - begin;
    look->reason = ROUTE_ASKED;
    return wanted == QTDB_ROUTER_AUTO ? choose(db, btree, look) : STATUS_OK;
}

/* ---- Steps -------------------------------------------------------------------------------------- */

/* Notes what a look found, and publishes it. */
static void
conclude(struct qtdb_tree *tree, const struct look *look, enum router_rebuild cause)
{
    struct tree_router *router = tree->router;

    latch_lock(&router->latch);
    router->look_done = true;
    router->leaf_count = look->leaf_count;
    router->row_count = look->row_count;
    router->tree_ns = look->tree_ns;
    router->routed_ns = look->routed_ns;
    router->build_ns = look->build_ns;
    router->look_ns = look->look_ns;
    router->build_count += look->route != NULL;
    router->built_at = io_clock_ns(tree->db->env.io);
    if (cause != ROUTER_REBUILD_HOPS)
        router->wait_shift = 0;
    else if (router->wait_shift < WAIT_SHIFT_MAX)
        router->wait_shift++;
    latch_unlock(&router->latch);
    route__publish(tree, look->route, look->reason);
}

/* Looks at the tree and gives it a route, or none. */
static enum status
look_at(struct qtdb_tree *tree, enum router_rebuild cause)
{
    struct qtdb *db = tree->db;
    struct btree btree = tree__btree(tree);
    struct look look = {.reason = ROUTE_NOT_LOOKED};
    uint32_t wanted = atomic_load(&tree->router->wanted);

    if (wanted == QTDB_ROUTER_TREE) {
        look.reason = ROUTE_ASKED;
        conclude(tree, &look, cause);
        return STATUS_OK;
    }
    /* From here on changes of leaves count for the next look. */
    atomic_store(&tree->router->leaf_change_count, 0);
    look.route = memory_alloc(db->env.memory, MEMORY_ROUTER, sizeof(*look.route));
    if (look.route == NULL)
        return STATUS_NO_MEMORY;
    uint64_t begin = io_clock_ns(db->env.io);
    enum status status = build(db, &btree, wanted, &look);

    look.look_ns = io_clock_ns(db->env.io) - begin;
    if (status != STATUS_OK) {
        route__free(db, look.route);
        return status;
    }
    conclude(tree, &look, cause);
    return STATUS_OK;
}

/* Is it too early to make another one? */
static bool
is_early(const struct qtdb *db, const struct tree_router *router)
{
    uint64_t pause = router->look_ns * PAUSE_FACTOR << router->wait_shift;

    return router->built_at != 0 && io_clock_ns(db->env.io) - router->built_at < pause;
}

/* What there is to be done for a tree that said so. */
enum work { WORK_NONE, WORK_LATER, WORK_DROP, WORK_LOOK };

static enum work
work_for(struct qtdb_tree *tree, enum router_rebuild *cause_out)
{
    struct tree_router *router = tree->router;
    struct qtdb *db = tree->db;

    if (atomic_load(&tree->root) == PAGE_NONE)
        return WORK_LATER; /* Its transaction has not committed. */
    route__load(tree);
    latch_lock(&router->latch);
    struct route *route = atomic_load_explicit(&router->route, memory_order_relaxed);
    enum work work = WORK_NONE;

    *cause_out = ROUTER_KEEP;
    route__reclaim(db, router);
    if (atomic_load(&tree->csn_dropped) != CSN_NEVER) {
        work = route != NULL ? WORK_DROP : WORK_NONE;
    } else {
        if (route != NULL && atomic_load(&router->leaf_change_count) > 0)
            route__extend(tree, route);
        if (route != NULL)
            *cause_out = router_health_judge(&route->health);
        if (route__is_due(router))
            work = is_early(db, router) ? WORK_LATER : WORK_LOOK;
        else if (router->retired != NULL)
            work = WORK_LATER;
    }
    latch_unlock(&router->latch);
    return work;
}

static bool
has_retired(struct tree_router *router)
{
    latch_lock(&router->latch);
    bool retired = router->retired != NULL;

    latch_unlock(&router->latch);
    return retired;
}

static enum status
step_tree(struct qtdb_tree *tree, bool *later_out)
{
    struct tree_router *router = tree->router;
    enum router_rebuild cause;
    enum status status = STATUS_OK;

    atomic_store(&router->due, false);
    enum work work = work_for(tree, &cause);

    if (work == WORK_NONE)
        return STATUS_OK;
    if (work == WORK_DROP)
        route__publish(tree, NULL, ROUTE_NOT_LOOKED);
    if (work == WORK_LOOK)
        status = look_at(tree, cause);
    if (work == WORK_LATER || status != STATUS_OK || has_retired(router)) {
        atomic_store(&router->due, true);
        *later_out = true;
    }
    /* The tree moved under it, or the handle is closing. */
    return status == STATUS_BUSY || status == STATUS_STOPPED ? STATUS_OK : status;
}

enum status
route__step(struct qtdb *db, bool *more_out)
{
    enum status first = STATUS_OK;
    bool later = false;

    *more_out = false;
    if (!atomic_load_explicit(&db->routers_due, memory_order_relaxed))
        return STATUS_OK;
    atomic_store(&db->routers_due, false);
    latch_lock(&db->handle_latch);
    struct qtdb_tree *tree = db->trees;

    latch_unlock(&db->handle_latch);
    for (; tree != NULL; tree = tree->next) { /* Handles stay until the database is closed. */
        bool dropped = atomic_load(&tree->csn_dropped) != CSN_NEVER &&
                       atomic_load(&tree->router->route) != NULL;

        if (!dropped && !atomic_load(&tree->router->due))
            continue;
        enum status status = step_tree(tree, &later);

        if (first == STATUS_OK)
            first = status;
    }
    if (later)
        atomic_store(&db->routers_due, true);
    return first;
}
