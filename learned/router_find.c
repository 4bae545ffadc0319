/*
 * Look-up: guess, then make it exact.
 *
 * The first look is at one cache line's worth of keys around the guess, all compared without a branch:
 * if some are above the searched key and some are not, the leaf is the last that is not. Otherwise the
 * search gallops away from the window, doubling, and halves what it has enclosed. So the cost grows
 * with the logarithm of the error, and the result depends on the directory alone.
 */
#include <assert.h>

#include "kernel/base/check.h"
#include "learned/router_private.h"

static inline uint32_t
count_not_above(const uint64_t *keys, uint64_t key)
{
    static_assert(ROUTER_WINDOW == 8, "as many terms as keys");
    return (uint32_t)((keys[0] <= key) + (keys[1] <= key) + (keys[2] <= key) + (keys[3] <= key) +
                      (keys[4] <= key) + (keys[5] <= key) + (keys[6] <= key) + (keys[7] <= key));
}

/* keys[low] is not above `key`; the answer is at `low` or right of it. */
static __attribute__((noinline)) uint32_t
gallop_right(const uint64_t *keys, uint32_t count, uint32_t low, uint64_t key)
{
    uint32_t width = ROUTER_WINDOW;

    while (width < count - low && keys[low + width] <= key) {
        low += width;
        width *= 2;
    }
    uint32_t high = width < count - low ? low + width : count;

    return router__last_not_above(keys, low, high, key);
}

/* keys[high] is above `key`; the answer is left of it, or 0. */
static __attribute__((noinline)) uint32_t
gallop_left(const uint64_t *keys, uint32_t high, uint64_t key)
{
    uint32_t width = ROUTER_WINDOW;

    while (width < high && keys[high - width] > key) {
        high -= width;
        width *= 2;
    }
    if (high == 0)
        return 0;
    return router__last_not_above(keys, width < high ? high - width : 0, high, key);
}

/* Exact from any position below `count`. */
static inline uint32_t
correct(const uint64_t *keys, uint32_t count, uint32_t position, uint64_t key)
{
    if (count < ROUTER_WINDOW)
        return router__last_not_above(keys, 0, count, key);
    uint32_t first = position > ROUTER_WINDOW_BEFORE ? position - ROUTER_WINDOW_BEFORE : 0;

    if (first > count - ROUTER_WINDOW)
        first = count - ROUTER_WINDOW;
    uint32_t below = count_not_above(keys + first, key);

    if (__builtin_expect(below == 0, 0))
        return gallop_left(keys, first, key);
    if (__builtin_expect(below == ROUTER_WINDOW, 0))
        return gallop_right(keys, count, first + ROUTER_WINDOW - 1, key);
    return first + below - 1;
}

static inline uint32_t
position_of(const struct router *router, const uint64_t *keys, uint64_t key)
{
    switch (router->verdict.kind) {
    case ROUTER_RMI:
        return router__rmi_position(router, keys, key);
    case ROUTER_PLA:
        return router__pla_position(router, keys, key);
    case ROUTER_DIRECTORY:
        return router__last_not_above(keys, 0, router->leaf_count, key);
    default:
        return LEAF_NONE;
    }
}

/* True when the leaf is among those appended since training: searched from the right edge. */
static inline bool
is_appended(const struct router *router, const uint64_t *keys, uint32_t count, uint64_t key)
{
    return count > router->leaf_count && keys[router->leaf_count] <= key;
}

struct router_guess
router_predict(const struct router *router, const struct leaf_directory *directory, uint64_t key)
{
    uint32_t count = leaf_directory_count(directory);
    uint32_t position = LEAF_NONE;

    CHECK(count >= router->leaf_count);
    if (router->verdict.kind == ROUTER_TREE)
        return (struct router_guess){.position = position};
    if (is_appended(router, directory->keys, count, key))
        position = count - 1;
    else
        position = position_of(router, directory->keys, key);

    uint32_t low = position > ROUTER_WINDOW_BEFORE ? position - ROUTER_WINDOW_BEFORE : 0;
    uint32_t high = low + ROUTER_WINDOW < count ? low + ROUTER_WINDOW : count;

    if (router->verdict.kind == ROUTER_DIRECTORY && position < router->leaf_count) {
        low = position;
        high = position + 1;
    }
    return (struct router_guess){.position = position, .low = low, .high = high};
}

uint32_t
router_correct(const struct leaf_directory *directory, const struct router_guess *guess,
               uint64_t key)
{
    uint32_t count = leaf_directory_count(directory);
    uint32_t position = guess->position;

    if (count == 0 || position == LEAF_NONE)
        return LEAF_NONE;
    return correct(directory->keys, count, position < count ? position : count - 1, key);
}

uint32_t
router_find(const struct router *router, const struct leaf_directory *directory, uint64_t key)
{
    const uint64_t *keys = directory->keys;
    uint32_t count = leaf_directory_count(directory);

    CHECK(count >= router->leaf_count);
    if (is_appended(router, keys, count, key))
        return router->verdict.kind == ROUTER_TREE ? LEAF_NONE
                                                   : correct(keys, count, count - 1, key);
    /* What is right of the trained leaves is out of the question now, so their end is the end. */
    count = router->leaf_count;
    switch (router->verdict.kind) {
    case ROUTER_RMI:
        return correct(keys, count, router__rmi_position(router, keys, key), key);
    case ROUTER_PLA:
        return correct(keys, count, router__pla_position(router, keys, key), key);
    case ROUTER_DIRECTORY:
        return router__last_not_above(keys, 0, count, key);
    default:
        return LEAF_NONE;
    }
}

uint32_t
router_find_first(const struct router *router, const struct leaf_directory *directory, uint64_t key)
{
    /* The last leaf that begins below the key: rows of the key may already stand at its end. Nothing
     * begins below 0. */
    uint32_t position = router_find(router, directory, key == 0 ? 0 : key - 1);

    return key == 0 && position != LEAF_NONE ? 0 : position;
}

void
router_prefetch(const struct router *router, uint64_t key)
{
    if (router->verdict.kind == ROUTER_RMI)
        __builtin_prefetch(&router->models[router__stage_model(&router->stage, key)]);
    else if (router->verdict.kind == ROUTER_PLA)
        __builtin_prefetch(&router->radix[router__radix_cell(router, key)]);
}
