/*
 * Training the piecewise-linear router: as few lines as a greedy pass finds such that every leaf's
 * position is within `piece_error` of its line (the shrinking cone of FITing-tree and the PGM-index,
 * here through each piece's first leaf), under a radix table over the leading bits of the trimmed
 * range, as in RadixSpline.
 *
 * Its size follows how hard the keys are, its error does not: it is the router for keys on which the
 * recursive model index errs. Of a run of equal keys the last leaf is the answer; a piece that begins
 * with a run has a piece of no width before it, which names the run's first leaf as the end of the
 * piece before, so that the error stays bounded for keys right below the run. Far keys fall into
 * the first and last cell of the table; a crowded cell costs a binary search among its pieces, never
 * a wrong answer.
 */
#include <math.h>

#include "kernel/base/check.h"
#include "learned/router_private.h"

enum { PIECE_ROOM_FIRST = 64 };

/* A piece that grows leaf by leaf. */
struct cone {
    uint64_t key; /* Of the first leaf. */
    uint32_t base;
    double slope_min;
    double slope_max;
    double error;
};

static void
cone_begin(struct cone *cone, uint64_t key, uint32_t index)
{
    cone->key = key;
    cone->base = index;
    cone->slope_min = 0.0;
    cone->slope_max = INFINITY;
}

/* Takes the leaf in, or returns false when no line from the first leaf passes near all of them. */
static bool
cone_add(struct cone *cone, uint64_t key, uint32_t index)
{
    double x = router__distance(key, cone->key);
    double y = (double)(index - cone->base);

    if (x == 0.0)
        return y <= cone->error;
    double slope_min = fmax(cone->slope_min, (y - cone->error) / x);
    double slope_max = fmin(cone->slope_max, (y + cone->error) / x);
    if (slope_min > slope_max)
        return false;
    cone->slope_min = slope_min;
    cone->slope_max = slope_max;
    return true;
}

/* The same for leaves [first, last] with one key: keys right below it belong to the leaf before them,
 * so the line has to pass near that point, too. */
static bool
cone_add_run(struct cone *cone, uint64_t key, uint32_t first, uint32_t last)
{
    return (first == last || cone_add(cone, key - 1, first - 1)) && cone_add(cone, key, last);
}

static float
cone_slope(const struct cone *cone)
{
    if (isinf(cone->slope_max))
        return 0.0F;
    return (float)((cone->slope_min + cone->slope_max) / 2);
}

/* Room for `wanted` models, kept in *room. */
static enum status
grow(struct router *router, uint32_t *room, uint32_t wanted)
{
    struct router_model *models =
        memory_resize(router->memory, MEMORY_ROUTER, router->models,
                      (size_t)*room * sizeof(*models), (size_t)wanted * sizeof(*models));

    if (models == NULL)
        return STATUS_NO_MEMORY;
    router->models = models;
    *room = wanted;
    return STATUS_OK;
}

static enum status
push(struct router *router, uint32_t *room, const struct cone *cone)
{
    /* One more for the end. */
    if (router->model_count + 1 >= *room)
        TRY(grow(router, room, *room * 2));
    router->models[router->model_count] =
        (struct router_model){.base = cone->base, .slope = cone_slope(cone)};
    router->model_count++;
    return STATUS_OK;
}

static enum status
make_pieces(struct router *router, const uint64_t *keys, uint32_t *room, double error)
{
    uint32_t count = router->leaf_count;
    struct cone cone = {.error = error};
    uint32_t run = 0;     /* First leaf of this run of equal keys, mostly itself. */
    bool is_open = false; /* The cone has a leaf. */

    for (uint32_t i = 0; i < count; i++) {
        if (i + 1 < count && keys[i] == keys[i + 1])
            continue;
        uint32_t first = run;

        run = i + 1;
        if (is_open && cone_add_run(&cone, keys[i], first, i))
            continue;
        if (is_open)
            TRY(push(router, room, &cone));
        if (is_open && first < i) {
            cone_begin(&cone, keys[i], first);
            TRY(push(router, room, &cone));
        }
        cone_begin(&cone, keys[i], i);
        is_open = true;
    }
    TRY(push(router, room, &cone));
    router->models[router->model_count] = (struct router_model){.base = count - 1, .slope = 0.0F};
    return STATUS_OK;
}

/* Twice as many cells as pieces, so that most cells have one border at most. */
static enum status
make_radix(struct router *router, const uint64_t *keys)
{
    uint32_t limit = 16;
    uint32_t filled = 0;

    while (limit < ROUTER_CELL_MAX && limit < 2 * router->model_count)
        limit *= 2;
    router__trimmed_range(keys, router->leaf_count, &router->radix_low, &router->radix_high);
    uint64_t width = router->radix_high - router->radix_low;
    while (width >> router->radix_shift >= limit)
        router->radix_shift++;
    uint32_t cell_count = (uint32_t)(width >> router->radix_shift) + 1;

    router->radix =
        memory_alloc(router->memory, MEMORY_ROUTER, (cell_count + UINT64_C(1)) * sizeof(uint32_t));
    if (router->radix == NULL)
        return STATUS_NO_MEMORY;
    router->radix_count = cell_count;
    for (uint32_t piece = 0; piece < router->model_count; piece++) {
        uint32_t cell = router__radix_cell(router, router->piece_keys[piece]);

        while (filled <= cell)
            router->radix[filled++] = piece;
    }
    while (filled <= cell_count)
        router->radix[filled++] = router->model_count;
    return STATUS_OK;
}

enum status
router__pla_index(struct router *router, const uint64_t *keys)
{
    router->piece_keys = memory_alloc(router->memory, MEMORY_ROUTER,
                                      (router->model_count + UINT64_C(1)) * sizeof(uint64_t));
    if (router->piece_keys == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i <= router->model_count; i++)
        router->piece_keys[i] = keys[router->models[i].base];
    return make_radix(router, keys);
}

enum status
router__pla_train(struct router *router, const uint64_t *keys, uint32_t piece_error)
{
    uint32_t room = 0;
    enum status status;

    CHECK(router->leaf_count > 0 && piece_error > 0);
    TRY(grow(router, &room, PIECE_ROOM_FIRST));
    TRY_OUT(make_pieces(router, keys, &room, (double)piece_error));

    /* Cut to size: from here on the size follows from model_count. */
    TRY_OUT(grow(router, &room, router->model_count + 1));
    return router__pla_index(router, keys);
out:
    memory_free(router->memory, MEMORY_ROUTER, router->models, room * sizeof(struct router_model));
    router->models = NULL;
    router->model_count = 0;
    return status;
}
