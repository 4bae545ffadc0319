/*
 * Search of the directory without a model: a ladder of samples. Each level holds every 16th key of the
 * one below, the lowest every 16th of the directory; a look-up counts, on each, how many of 16
 * neighbours are not above the key. That is a B-tree without pages and pointers, 0.53 bytes a leaf, with
 * log16(n) steps of two cache lines where a binary search takes log2(n): the same time for any keys.
 *
 * The last window of a level is moved left until it is full. The keys it gains are not above the key,
 * so the count stays right, and no step needs padding or a bound of its own.
 */
#include "kernel/base/check.h"
#include "learned/router_private.h"

void
router__ladder_shape(struct router *router, uint32_t count)
{
    uint32_t sizes[LADDER_LEVEL_MAX];
    uint32_t level_count = 0;

    router->ladder_size = 0;
    while (count > LADDER_FANOUT) {
        CHECK(level_count < LADDER_LEVEL_MAX);
        count = (count + LADDER_FANOUT - 1) / LADDER_FANOUT;
        sizes[level_count++] = count;
    }
    router->level_count = level_count;
    for (uint32_t level = 0; level < level_count; level++) {
        router->level_size[level] = sizes[level_count - 1 - level];
        router->level_offset[level] = router->ladder_size;
        router->ladder_size += router->level_size[level];
    }
}

enum status
router__ladder_train(struct router *router, const uint64_t *keys)
{
    CHECK(router->leaf_count > 0);
    router__ladder_shape(router, router->leaf_count);
    if (router->ladder_size == 0)
        return STATUS_OK;
    router->ladder = memory_alloc_aligned(router->memory, MEMORY_ROUTER,
                                          router->ladder_size * sizeof(uint64_t), 64);
    if (router->ladder == NULL)
        return STATUS_NO_MEMORY;

    const uint64_t *below = keys;
    for (uint32_t level = router->level_count; level-- > 0;) {
        uint64_t *samples = router->ladder + router->level_offset[level];

        for (uint32_t i = 0; i < router->level_size[level]; i++)
            samples[i] = below[(size_t)i * LADDER_FANOUT];
        below = samples;
    }
    router->model_count = router->ladder_size;
    return STATUS_OK;
}

/* The last not above `key` among the 16 from `first` on, of `count` in all; `first` if none. */
static inline uint32_t
step(const uint64_t *keys, uint32_t count, uint32_t first, uint64_t key)
{
    uint32_t begin = first + LADDER_FANOUT <= count ? first : count - LADDER_FANOUT;
    uint32_t below = 0;

    for (uint32_t i = 0; i < LADDER_FANOUT; i++)
        below += keys[begin + i] <= key;
    return begin + below - (below > 0);
}

uint32_t
router__ladder_position(const struct router *router, const uint64_t *keys, uint64_t key)
{
    uint32_t count = router->leaf_count;
    uint32_t position = 0;

    for (uint32_t level = 0; level < router->level_count; level++) {
        const uint64_t *samples = router->ladder + router->level_offset[level];
        uint32_t size = router->level_size[level];

        /* Only the coarsest level may have fewer than 16. */
        if (size < LADDER_FANOUT)
            position = router__last_not_above(samples, 0, size, key);
        else
            position = step(samples, size, position, key);
        /* Samples from a file may send us anywhere within a level; stay inside the next. */
        position *= LADDER_FANOUT;
    }
    if (count < LADDER_FANOUT)
        return router__last_not_above(keys, 0, count, key);
    return step(keys, count, position, key);
}
