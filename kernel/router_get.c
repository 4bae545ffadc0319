/*
 * Looking up through a route: a page from the directory, and the check at the leaf, which is btree's
 * (B2, B11). Whatever fails there sends the look-up down the tree, so a route cannot make an answer
 * wrong (R1).
 *
 * Keys of integer trees are numbers. Of other keys the first eight bytes are; neighbours with equal
 * beginnings then are equal numbers, and the search begins at the leaf before the first of them.
 */
#include "kernel/kernel_private.h"

enum {
    TALLY_MAX = 512, /* Look-ups counted before the counts are handed on. */
    /* A guess among keys drawn at random is seldom off by more: rows, and bytes worth asking for. */
    VALUE_ROWS = 3,
    VALUE_AROUND_MIN = 32,
    VALUE_AROUND_MAX = 256,
};

uint64_t
route__number(const void *key, size_t key_size)
{
    uint64_t number = 0;

    if (__builtin_expect(key_size >= sizeof(number), 1))
        memcpy(&number, key, sizeof(number));
    else
        memcpy(&number, key, key_size);
    return __builtin_bswap64(number);
}

/* Keys of a leaf lie more or less evenly between its fence and the next one: which line a key is in is
 * often right, and then it is on its way together with the head of the page. */
static inline struct btree_spot
spot_for(const struct route *route, uint32_t index, uint64_t number)
{
    const struct leaf_directory *directory = &route->directory;
    struct btree_spot spot = {.page_number = directory->pages[index]};

    /* One that was appended just now may lie anywhere. */
    if (index + 1 >= leaf_directory_count(directory) || number >= directory->keys[index + 1])
        return spot;
    uint64_t low = directory->keys[index];
    /* Halved, because signed numbers are cheaper to convert; not 0. */
    double span = (double)(int64_t)(((directory->keys[index + 1] - low) >> 1) | 1);
    double share = (double)(int64_t)((number - low) >> 1) / span;
    uint32_t row = (uint32_t)(share * (double)route->shape.row_count);

    spot.is_near = route->guess_is_near;
    spot.key_offset = (uint16_t)(route->shape.keys + row * sizeof(uint64_t));
    if (route->shape.values != 0) {
        spot.value_offset = (uint16_t)(route->shape.values + row * route->shape.value_step);
        uint32_t around = VALUE_ROWS * route->shape.value_step;

        if (around < VALUE_AROUND_MIN)
            around = VALUE_AROUND_MIN;
        spot.value_around = (uint16_t)(around < VALUE_AROUND_MAX ? around : VALUE_AROUND_MAX);
    }
    return spot;
}

static inline uint32_t
index_for(const struct route *route, enum btree_kind kind, const void *key, size_t key_size)
{
    const struct leaf_directory *directory = &route->directory;
    uint64_t number = route__number(key, key_size);
    uint32_t index = router_find(route->router, directory, number);

    if (kind != BTREE_INT && index != LEAF_NONE && directory->keys[index] == number)
        index = router_find_first(route->router, directory, number);
    return index;
}

static inline __attribute__((always_inline)) enum status
get_by(const struct route *route, const struct btree *btree, const void *key, size_t key_size,
       void *value, size_t *size_io, uint64_t *csn_out, uint32_t *hops_out)
{
    uint32_t index = index_for(route, btree->kind, key, key_size);

    if (__builtin_expect(index != LEAF_NONE, 1)) {
        struct btree_spot spot = {.page_number = route->directory.pages[index]};

        if (btree->kind == BTREE_INT)
            spot = spot_for(route, index, route__number(key, key_size));
        enum status status =
            btree_get_at(btree, &spot, key, key_size, value, size_io, csn_out, hops_out);

        if (__builtin_expect(status != STATUS_MISSING, 1))
            return status;
    }
    *hops_out = UINT32_MAX;
    return btree_get(btree, key, key_size, value, size_io, csn_out);
}

enum status
route__get_by(const struct route *route, const struct btree *btree, const void *key,
              size_t key_size, void *value, size_t *size_io, uint64_t *csn_out, uint32_t *hops_out)
{
    return get_by(route, btree, key, key_size, value, size_io, csn_out, hops_out);
}

/* ---- Counting ----------------------------------------------------------------------------------- */

static inline void
count(_Atomic uint64_t *counter, uint64_t value)
{
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, before + value, memory_order_relaxed);
}

static uint64_t
take(_Atomic uint64_t *counter, _Atomic uint64_t *total)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, 0, memory_order_relaxed);
    if (value > 0)
        (void)atomic_fetch_add_explicit(total, value, memory_order_relaxed);
    return value;
}

/* Hands the counts on to the tree, and asks whether its route still serves. */
static __attribute__((noinline)) void
hand_on(struct qtdb_txn *txn, struct route_tally *tally)
{
    struct tree_router *router = atomic_load_explicit(&tally->router, memory_order_relaxed);
    struct router_tally gathered;

    gathered.lookup_count = take(&tally->routed_count, &router->routed_count);
    gathered.hop_count = take(&tally->hop_count, &router->hop_count);
    gathered.fallback_count = take(&tally->fallback_count, &router->fallback_count);
    (void)take(&tally->tree_count, &router->tree_count);
    txn->routes.routed_count += gathered.lookup_count;
    txn->routes.hop_count += gathered.hop_count;
    txn->routes.fallback_count += gathered.fallback_count;
    gathered.lookup_count += gathered.fallback_count;
    /* The latch keeps the route from being replaced; who finds it taken leaves the health alone. */
    if (!latch_try_lock(&router->latch))
        return;
    struct route *route = atomic_load_explicit(&router->route, memory_order_relaxed);

    if (route != NULL)
        router_health_add(&route->health, &gathered);
    bool due = route__is_due(router);

    latch_unlock(&router->latch);
    if (due)
        route__set_due(txn->db, router);
}

static struct route_tally *
tally_change(struct qtdb_txn *txn, struct route_tally *tally, struct tree_router *router)
{
    if (atomic_load_explicit(&tally->router, memory_order_relaxed) != NULL)
        hand_on(txn, tally);
    atomic_store_explicit(&tally->router, router, memory_order_relaxed);
    return tally;
}

/* The transaction's counts for the tree. */
static inline struct route_tally *
tally_of(struct qtdb_txn *txn, const struct qtdb_tree *tree)
{
    struct route_tally *tally = &txn->routes.tally[tree->tree_id % ROUTE_TALLIES];

    if (__builtin_expect(atomic_load_explicit(&tally->router, memory_order_relaxed) != tree->router,
                         0))
        return tally_change(txn, tally, tree->router);
    if (__builtin_expect(atomic_load_explicit(&tally->routed_count, memory_order_relaxed) +
                                 atomic_load_explicit(&tally->tree_count, memory_order_relaxed) >=
                             TALLY_MAX,
                         0))
        hand_on(txn, tally);
    return tally;
}

/* The route to use in this call (R2). */
static inline struct route *
route_now(struct qtdb_txn *txn, const struct tree_router *router)
{
    uint64_t version = atomic_load_explicit(&txn->db->route_version, memory_order_acquire);

    if (__builtin_expect(atomic_load_explicit(&txn->routes.seen, memory_order_relaxed) != version,
                         0))
        atomic_store_explicit(&txn->routes.seen, version, memory_order_release);
    return atomic_load_explicit(&router->route, memory_order_acquire);
}

static inline void
count_routed(struct route_tally *tally, uint32_t hops)
{
    if (__builtin_expect(hops == 0, 1)) {
        count(&tally->routed_count, 1);
    } else if (hops == UINT32_MAX) {
        count(&tally->fallback_count, 1);
        count(&tally->tree_count, 1);
    } else {
        count(&tally->routed_count, 1);
        count(&tally->hop_count, hops);
    }
}

enum status
route__get(struct qtdb_txn *txn, const struct qtdb_tree *tree, const struct btree *btree,
           const void *key, size_t key_size, void *value, size_t *size_io, uint64_t *csn_out)
{
    if (tree->router == NULL) /* The catalog. */
        return btree_get(btree, key, key_size, value, size_io, csn_out);
    CHECK(txn->running);
    struct route_tally *tally = tally_of(txn, tree);
    const struct route *route = route_now(txn, tree->router);
    uint32_t hops;

    if (route == NULL) {
        count(&tally->tree_count, 1);
        return btree_get(btree, key, key_size, value, size_io, csn_out);
    }
    enum status status = get_by(route, btree, key, key_size, value, size_io, csn_out, &hops);

    count_routed(tally, hops);
    return status;
}

/* Each step is made for all keys before the next one is for any. */
static void
name_leaves(const struct route *route, bool numbers_are_keys, struct btree_get *gets,
            uint32_t count)
{
    const struct leaf_directory *directory = &route->directory;
    struct router_guess guess[ROUTE_NAMES_MAX];
    uint64_t number[ROUTE_NAMES_MAX];

    for (uint32_t i = 0; i < count; i++) {
        number[i] = route__number(gets[i].key, gets[i].key_size);
        router_prefetch(route->router, number[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        guess[i] = router_predict(route->router, directory, number[i]);
        __builtin_prefetch(&directory->keys[guess[i].low]);
        __builtin_prefetch(&directory->keys[guess[i].high > 0 ? guess[i].high - 1 : 0]);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = router_correct(directory, &guess[i], number[i]);

        if (!numbers_are_keys && index != LEAF_NONE && directory->keys[index] == number[i])
            index = router_find_first(route->router, directory, number[i]);
        guess[i].position = index;
        if (index != LEAF_NONE)
            __builtin_prefetch(&directory->pages[index]);
    }
    for (uint32_t i = 0; i < count; i++)
        gets[i].page_number =
            guess[i].position == LEAF_NONE ? 0 : directory->pages[guess[i].position];
}

bool
route__name(struct qtdb_txn *txn, const struct qtdb_tree *tree, struct btree_get *gets,
            uint32_t count_of_gets)
{
    if (tree->router == NULL) /* The catalog. */
        return false;
    CHECK(txn->running && count_of_gets <= ROUTE_NAMES_MAX);
    struct route_tally *tally = tally_of(txn, tree);
    const struct route *route = route_now(txn, tree->router);

    if (route == NULL) {
        count(&tally->tree_count, count_of_gets);
        return false;
    }
    name_leaves(route, tree->kind == QTDB_KEY_INT, gets, count_of_gets);
    return true;
}

void
route__named(struct qtdb_txn *txn, const struct qtdb_tree *tree, const struct btree_get *gets,
             uint32_t count_of_gets)
{
    struct route_tally *tally = tally_of(txn, tree);

    for (uint32_t i = 0; i < count_of_gets; i++)
        count_routed(tally, gets[i].page_number == 0 ? UINT32_MAX : gets[i].hops);
}

uint32_t
route__hint(struct qtdb_txn *txn, const struct qtdb_tree *tree, const void *key, size_t key_size)
{
    if (tree->router == NULL || key_size == 0)
        return PAGE_NONE;
    CHECK(txn->running);
    const struct route *route = route_now(txn, tree->router);
    enum btree_kind kind = tree->kind == QTDB_KEY_INT ? BTREE_INT : BTREE_VAR;

    if (route != NULL) {
        uint32_t index = index_for(route, kind, key, key_size);

        return index == LEAF_NONE ? PAGE_NONE : route->directory.pages[index];
    }
    count(&tally_of(txn, tree)->tree_count, 1);
    return PAGE_NONE;
}

void
route__hinted(struct qtdb_txn *txn, const struct qtdb_tree *tree, uint32_t hops)
{
    count_routed(tally_of(txn, tree), hops);
}
