/*
 * Training the recursive model index (Kraska et al., SIGMOD 2018), made robust.
 *
 * First stage: a monotone function from keys to numbers of models. One far key would stretch a linear
 * one until all others share a model, so the range is trimmed at both ends first, and four shapes are
 * tried: linear, square root, logarithm, and linear between quantiles. Each is trained on a sample of
 * at most SAMPLE_MAX leaves and judged by what a look-up in that sample pays: the logarithm of the
 * error, on average. That finds the coarse shape, which is what the first stage is for, at a small part
 * of the cost of four full trainings. A costlier shape has to be better by what its arithmetic costs.
 *
 * Second stage: since the first is monotone, the leaves of a model are neighbours, and a model is the
 * line from its first leaf to its last. Positions are clamped to the model's own leaves, so a gap
 * between models, or a model without leaves, errs by one. In a model with many leaves the line to the
 * point at seven eighths is tried too: one far key at the end must not flatten it. Equal keys stay
 * in one model, and the last of them is the one that counts.
 */
#include <math.h>

#include "kernel/base/check.h"
#include "learned/router_private.h"

enum {
    SAMPLE_MAX = 4096,
    SAMPLE_MIN = 64, /* Fewer leaves do not tell shapes apart. */
    CELL_LEAVES = 16,
    CELL_MIN = 16,
    CELL_MAX = 4096,
    ROBUST_LEAVES = 8,
    TRIM_SHARE = 10000,
    TRIM_LEAVES_MIN = 16,
};

void
router__trimmed_range(const uint64_t *keys, uint32_t count, uint64_t *low_out, uint64_t *high_out)
{
    uint32_t trim = count < TRIM_LEAVES_MIN ? 0 : count / TRIM_SHARE + 1;

    *low_out = keys[trim];
    *high_out = keys[count - 1 - trim];
}

/* ---- First stage ----------------------------------------------------------------------------- */

static uint32_t
cell_count_for(uint32_t leaf_count)
{
    uint32_t count = CELL_MIN;

    while (count < CELL_MAX && count * CELL_LEAVES < leaf_count)
        count *= 2;
    return count;
}

/* Each cell's first model, so that models have as many leaves in thick parts of the range as in thin
 * ones. `keys` are every `stride`th of the directory. */
static void
fill_cells(struct router_stage *stage, const uint64_t *keys, uint32_t count)
{
    uint32_t filled = 0;

    for (uint32_t i = 0; i < count; i++) {
        double x = router__distance(keys[i] < stage->high ? keys[i] : stage->high, stage->low);
        uint32_t cell = router__index(x * stage->scale, stage->cell_count - 1);
        uint64_t model = (uint64_t)i * (stage->model_last + UINT64_C(1)) / count;

        while (filled <= cell)
            stage->cells[filled++] = (uint32_t)model;
    }
    while (filled <= stage->cell_count)
        stage->cells[filled++] = stage->model_last + 1;
}

/* Scales the shape so that the trimmed range fills all models. */
static void
stage_fit(struct router_stage *stage, const uint64_t *keys, uint32_t count)
{
    double width;

    router__trimmed_range(keys, count, &stage->low, &stage->high);
    width = router__distance(stage->high, stage->low);
    if (stage->kind == ROUTER_ROOT_SQRT)
        width = __builtin_sqrt(width);
    if (stage->kind == ROUTER_ROOT_LOG)
        width = router__log(width);
    double target = (double)stage->model_last + 1.0;
    if (stage->kind == ROUTER_ROOT_QUANTILE)
        target = stage->cell_count;
    stage->scale = width > 0.0 ? target / width : 0.0;
    if (stage->kind == ROUTER_ROOT_QUANTILE)
        fill_cells(stage, keys, count);
}

/* ---- Second stage ---------------------------------------------------------------------------- */

static float
slope_to(const uint64_t *keys, uint32_t first, uint32_t last)
{
    double distance = router__distance(keys[last], keys[first]);

    return distance > 0.0 ? (float)((double)(last - first) / distance) : 0.0F;
}

static uint64_t
error_sum(const struct router_model *model, const uint64_t *keys)
{
    uint64_t sum = 0;

    for (uint32_t i = model->base; i < model[1].base; i++) {
        uint32_t position = router__model_position(model, keys, keys[i]);

        sum += position > i ? position - i : i - position;
    }
    return sum;
}

/* The line through the leaves [model->base, model[1].base). */
static void
model_fit(struct router_model *model, const uint64_t *keys)
{
    uint32_t count = model[1].base - model->base;

    if (count < 2)
        return;
    model->slope = slope_to(keys, model->base, model->base + count - 1);
    if (count < ROBUST_LEAVES)
        return;
    struct router_model robust[2] = {*model, model[1]};

    robust[0].slope = slope_to(keys, model->base, model->base + count - 1 - count / 8);
    if (error_sum(robust, keys) < error_sum(model, keys))
        *model = robust[0];
}

/* `models` has model_last + 2 entries, zeroed. */
static void
models_fit(const struct router_stage *stage, struct router_model *models, const uint64_t *keys,
           uint32_t count)
{
    uint32_t filled = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = router__stage_model(stage, keys[i]);

        /* Monotone: models between this leaf's and the last leaf's are empty. */
        while (filled <= index)
            models[filled++].base = i;
    }
    /* Models behind the last leaf stay at it: every base is the index of a leaf. */
    uint32_t used = filled;
    while (filled <= stage->model_last + 1)
        models[filled++].base = count - 1;

    for (uint32_t index = 0; index <= stage->model_last; index++) {
        if (index + 1 == used && used <= stage->model_last + 1) {
            /* The last model with leaves: its end is `count`, though no base says so. */
            struct router_model last[2] = {models[index], {.base = count, .slope = 0.0F}};

            model_fit(last, keys);
            models[index] = last[0];
        } else {
            model_fit(&models[index], keys);
        }
    }
}

/* ---- Choice of the first stage --------------------------------------------------------------- */

/* ns that the arithmetic of a shape costs over a linear one, as the same number of bits of error. */
static const double shape_cost[ROUTER_ROOT_COUNT] = {
    [ROUTER_ROOT_LINEAR] = 0.0,
    [ROUTER_ROOT_SQRT] = 0.3,
    [ROUTER_ROOT_LOG] = 0.2,
    [ROUTER_ROOT_QUANTILE] = 0.2,
};

/* Bits of error on average, over what the first window of correction covers. */
static double
mean_error_bits(const struct router_stage *stage, const struct router_model *models,
                const uint64_t *keys, uint32_t count)
{
    uint64_t bits = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct router_model *model = &models[router__stage_model(stage, keys[i])];
        uint32_t position = router__model_position(model, keys, keys[i]);
        uint32_t error = position > i ? position - i : i - position;

        bits += error == 0 ? 0 : 32 - (uint32_t)__builtin_clz(error);
    }
    return (double)bits / count;
}

/* Room to try a shape in. */
struct trial {
    uint64_t keys[SAMPLE_MAX];
    struct router_model models[SAMPLE_MAX + 2];
    uint32_t cells[CELL_MAX + 1];
};

static enum router_root
best_root(struct trial *trial, uint32_t count, uint32_t model_leaves)
{
    enum router_root best = ROUTER_ROOT_LINEAR;
    double best_bits = INFINITY;

    for (int kind = ROUTER_ROOT_LINEAR; kind < ROUTER_ROOT_COUNT; kind++) {
        struct router_stage stage = {
            .kind = (enum router_root)kind,
            .model_last = count / model_leaves - 1,
            .cell_count = kind == ROUTER_ROOT_QUANTILE ? cell_count_for(count) : 0,
            .cells = trial->cells,
        };

        memset(trial->models, 0, (stage.model_last + 2) * sizeof(trial->models[0]));
        stage_fit(&stage, trial->keys, count);
        models_fit(&stage, trial->models, trial->keys, count);
        double bits = mean_error_bits(&stage, trial->models, trial->keys, count) + shape_cost[kind];
        if (bits < best_bits) {
            best_bits = bits;
            best = (enum router_root)kind;
        }
    }
    return best;
}

/* A sample of single leaves a model: what one model of the full index covers is several leaves, and the
 * sample's error in its own positions stands for how far a shape is from even. */
static enum status
choose_root(struct router *router, const uint64_t *keys, enum router_root *out)
{
    uint32_t count = router->leaf_count;
    uint32_t stride = count / SAMPLE_MAX + 1;

    *out = ROUTER_ROOT_LINEAR;
    if (count < SAMPLE_MIN)
        return STATUS_OK;
    struct trial *trial = memory_alloc(router->memory, MEMORY_ROUTER, sizeof(*trial));
    if (trial == NULL)
        return STATUS_NO_MEMORY;
    uint32_t sample_count = count / stride;

    for (uint32_t i = 0; i < sample_count; i++)
        trial->keys[i] = keys[i * stride];
    *out = best_root(trial, sample_count, 4);
    memory_free(router->memory, MEMORY_ROUTER, trial, sizeof(*trial));
    return STATUS_OK;
}

enum status
router__rmi_train(struct router *router, const uint64_t *keys, const struct router_options *options)
{
    struct router_stage *stage = &router->stage;
    uint32_t count = router->leaf_count;

    CHECK(count > 0 && options->model_leaves > 0);
    uint32_t model_count = count / options->model_leaves > 0 ? count / options->model_leaves : 1;

    stage->kind = options->root;
    if (stage->kind == ROUTER_ROOT_NONE)
        TRY(choose_root(router, keys, &stage->kind));
    stage->model_last = model_count - 1;
    if (stage->kind == ROUTER_ROOT_QUANTILE) {
        uint32_t cell_count = cell_count_for(count);

        stage->cells =
            memory_alloc(router->memory, MEMORY_ROUTER, (cell_count + 1) * sizeof(uint32_t));
        if (stage->cells == NULL)
            return STATUS_NO_MEMORY;
        stage->cell_count = cell_count;
    }
    router->models = memory_alloc(router->memory, MEMORY_ROUTER,
                                  (model_count + UINT64_C(1)) * sizeof(struct router_model));
    if (router->models == NULL)
        return STATUS_NO_MEMORY;
    router->model_count = model_count;

    stage_fit(stage, keys, count);
    router->verdict.root = stage->kind;
    models_fit(stage, router->models, keys, count);
    return STATUS_OK;
}
