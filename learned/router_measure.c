/*
 * What a trained router costs: errors and probes are measured on the directory itself, time is
 * estimated from them.
 *
 * Time is not taken with a clock: on a busy machine the choice would change from one training to the
 * next, and a sample short enough to be free says little. Instead a look-up's dependent parts are added
 * up: arithmetic, a cache miss for each array by the array's size, and each probe of a correction. The
 * constants are fitted to bench_router, to the mean of a look-up that overlaps with others and one that
 * waits for the one before (docs/decisions/0004-learned-routers.md); what matters is the
 * order of the kinds, and bench_router prints where estimate and clock disagree.
 */
#include "kernel/base/check.h"
#include "learned/router_private.h"

enum { EXACT_COUNT = 256, BUCKET_COUNT = EXACT_COUNT + 32 };

struct errors {
    uint32_t count[BUCKET_COUNT]; /* Each below EXACT_COUNT, then by powers of two. */
    uint64_t total;
    uint64_t probes;
    uint32_t max;
};

static uint32_t
bits_of(uint32_t value)
{
    return value == 0 ? 0 : 32 - (uint32_t)__builtin_clz(value);
}

static inline void
errors_add(struct errors *errors, uint32_t position, uint32_t right)
{
    uint32_t error = position > right ? position - right : right - position;

    errors->total++;
    errors->count[error < EXACT_COUNT ? error : EXACT_COUNT - 1 + bits_of(error)]++;
    if (error > errors->max)
        errors->max = error;
    /* Galloping past the window doubles, halving takes as many probes again. */
    if (error > ROUTER_WINDOW_BEFORE)
        errors->probes += 2 * bits_of(error) - 2;
}

/* The least error that `percent` of all do not pass; of a bucket its largest. */
static uint32_t
percentile(const struct errors *errors, uint64_t percent)
{
    uint64_t wanted = (errors->total * percent + 99) / 100;
    uint64_t seen = 0;

    for (uint32_t i = 0; i < BUCKET_COUNT; i++) {
        seen += errors->count[i];
        if (seen < wanted)
            continue;
        uint64_t value = i < EXACT_COUNT ? i : (UINT64_C(1) << (i - EXACT_COUNT + 1)) - 1;

        return value < errors->max ? (uint32_t)value : errors->max;
    }
    return errors->max;
}

static inline uint32_t
position_of(const struct router *router, const uint64_t *keys, uint64_t key)
{
    return router->verdict.kind == ROUTER_RMI ? router__rmi_position(router, keys, key)
                                              : router__pla_position(router, keys, key);
}

static void
measure_errors(const struct router *router, const uint64_t *keys, uint32_t stride,
               struct errors *errors)
{
    uint32_t count = router->leaf_count;

    for (uint32_t i = 0; i < count; i += stride) {
        /* Of leaves with equal first keys the last is the right one. */
        while (i + 1 < count && keys[i] == keys[i + 1])
            i++;
        uint64_t last = i + 1 < count ? keys[i + 1] - 1 : UINT64_MAX;

        errors_add(errors, position_of(router, keys, keys[i]), i);
        errors_add(errors, position_of(router, keys, last), i);
    }
}

/* Models of the second stage that begin where the next one begins: no leaf is theirs. */
static uint32_t
empty_count(const struct router *router)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < router->model_count; i++)
        count += router->models[i].base == router->models[i + 1].base;
    return count;
}

void
router__measure(struct router *router, const uint64_t *keys, uint32_t stride)
{
    struct router_verdict *verdict = &router->verdict;
    struct errors errors = {.total = 0};

    CHECK(stride > 0);
    verdict->leaf_count = router->leaf_count;
    verdict->model_count = router->model_count;
    verdict->size = router__size(router);
    if (verdict->kind != ROUTER_RMI && verdict->kind != ROUTER_PLA)
        return;
    if (verdict->kind == ROUTER_RMI)
        verdict->model_empty_count = empty_count(router);
    measure_errors(router, keys, stride, &errors);
    verdict->error_p50 = percentile(&errors, 50);
    verdict->error_p95 = percentile(&errors, 95);
    verdict->error_p99 = percentile(&errors, 99);
    verdict->error_max = errors.max;
    verdict->correction_steps =
        errors.total == 0 ? 0.0 : (double)errors.probes / (double)errors.total;
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* ns to load a line of an array of so many bytes at random. */
static double
load_cost(double size)
{
    static const struct {
        double size;
        double cost;
    } point[] = {{32e3, 0.0}, {300e3, 4.0}, {1.5e6, 20.0},
                 {3e6, 24.0}, {32e6, 60.0}, {512e6, 140.0}};
    enum { POINT_COUNT = sizeof(point) / sizeof(point[0]) };

    if (size <= point[0].size)
        return point[0].cost;
    for (uint32_t i = 1; i < POINT_COUNT; i++)
        if (size <= point[i].size)
            return point[i - 1].cost + (point[i].cost - point[i - 1].cost) *
                                           (size - point[i - 1].size) /
                                           (point[i].size - point[i - 1].size);
    return point[POINT_COUNT - 1].cost;
}

static const double RMI_NS = 24.0; /* Two conversions, two multiplications, the first window. */
static const double PLA_NS = 20.0;
static const double PROBE_NS = 8.0; /* A wrongly predicted branch in most of them. */
static const double PIECE_NS = 7.0; /* A halving among pieces: their number is not predictable. */
static const double HALVING_NS = 2.0;
static const double SEARCH_LOADS = 2.8; /* Lines of the directory a binary search waits for. */
static const double ROOT_NS[ROUTER_ROOT_COUNT] = {
    [ROUTER_ROOT_SQRT] = 8.0,
    [ROUTER_ROOT_LOG] = 4.0,
    [ROUTER_ROOT_QUANTILE] = 8.0,
};

/* Halvings among the pieces of a cell, on average over the pieces. */
static double
piece_probes(const struct router *router)
{
    uint64_t sum = 0;

    if (router->model_count == 1)
        return 0.0;
    for (uint32_t cell = 0; cell < router->radix_count; cell++) {
        uint32_t count = router->radix[cell + 1] - router->radix[cell];

        sum += (uint64_t)count * bits_of(count);
    }
    return (double)sum / router->model_count;
}

double
router__cost(const struct router *router)
{
    double directory = load_cost((double)router->leaf_count * sizeof(uint64_t));
    double models = load_cost((double)router->model_count * sizeof(struct router_model));
    double pieces = load_cost((double)router->model_count * 16);
    double correction = router->verdict.correction_steps * PROBE_NS;

    switch (router->verdict.kind) {
    case ROUTER_RMI:
        return RMI_NS + ROOT_NS[router->stage.kind] + models + directory + correction;
    case ROUTER_PLA:
        return PLA_NS + load_cost((double)router->radix_count * sizeof(uint32_t)) +
               piece_probes(router) * PIECE_NS + 2 * pieces + directory + correction;
    case ROUTER_DIRECTORY:
        return bits_of(router->leaf_count) * HALVING_NS + SEARCH_LOADS * directory;
    default:
        return 0.0;
    }
}
