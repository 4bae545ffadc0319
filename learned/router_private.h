/*
 * The parts of a router, and the arithmetic that training and look-up must do alike: a model is judged
 * by exactly what a look-up will compute.
 *
 * A distance between keys is halved before it becomes a double, so that it fits a signed integer (one
 * instruction where an unsigned one takes a branch). The lost bit moves a prediction by half the slope
 * at most. Positions are clamped as doubles before they become integers, so that no number from a file,
 * however odd, is converted out of range.
 */
#ifndef LEARNED_ROUTER_PRIVATE_H
#define LEARNED_ROUTER_PRIVATE_H

#include <string.h>

#include "learned/router.h"

enum {
    ROUTER_WINDOW = 8,        /* Keys compared at once: one cache line of them. */
    ROUTER_WINDOW_BEFORE = 3, /* Of these, before the predicted position. */
    ROUTER_CELL_MAX = 1 << 16,
};

/* Position = base + slope * (half the distance of the key from the directory's key at base). The next
 * model's base is the last position; arrays of models end with one more for that. */
struct router_model {
    uint32_t base;
    float slope;
};

/* The first stage: monotone, from a key to a model's number. */
struct router_stage {
    enum router_root kind;
    uint32_t model_last; /* Number of the last model. */
    uint64_t low;        /* Keys outside [low, high] count as low or high: outliers are trimmed. */
    uint64_t high;
    double scale;
    uint32_t cell_count; /* Of the quantile root; else 0. */
    uint32_t *cells;     /* cell_count + 1 numbers of models, ascending. */
};

struct router {
    /* Fixed once trained. */
    struct memory *memory;
    struct router_verdict verdict;
    uint32_t leaf_count;
    struct router_stage stage;   /* RMI. */
    struct router_model *models; /* RMI, PLA: model_count + 1. */
    uint32_t model_count;
    uint64_t *piece_keys; /* PLA: model_count, ascending. */
    uint32_t *radix;      /* PLA: radix_count + 1: first piece of this cell or a later one. */
    uint32_t radix_count;
    uint32_t radix_shift;
    uint64_t radix_low;
    uint64_t radix_high;
};

/* Half the distance of `key` above `low`, 0 below it. */
static inline double
router__distance(uint64_t key, uint64_t low)
{
    return key > low ? (double)(int64_t)((key - low) >> 1) : 0.0;
}

/* `x` as an index up to `last`; what is not a number, or too large, is `last`. `x` >= 0 or NaN. */
static inline uint32_t
router__index(double x, uint32_t last)
{
    return x < (double)last ? (uint32_t)(int64_t)x : last;
}

/* log2 of x + 1 up to a factor, linear between powers of two: the double's own bits. */
static inline double
router__log(double x)
{
    double shifted = x + 1.0;
    double one = 1.0;
    int64_t bits;
    int64_t origin;

    memcpy(&bits, &shifted, sizeof(bits));
    memcpy(&origin, &one, sizeof(origin));
    return (double)(bits - origin);
}

/* Quantiles: where the key lies among equal parts of the range, and linear inside its part. */
static inline uint32_t
router__quantile(const struct router_stage *stage, double x)
{
    uint32_t cell = router__index(x, stage->cell_count - 1);
    double first = stage->cells[cell];
    double width = (double)(stage->cells[cell + 1] - stage->cells[cell]);
    double part = x - (double)cell;

    return router__index(first + (part < 1.0 ? part : 1.0) * width, stage->model_last);
}

static inline uint32_t
router__stage_model(const struct router_stage *stage, uint64_t key)
{
    double x = router__distance(key < stage->high ? key : stage->high, stage->low);

    switch (stage->kind) {
    case ROUTER_ROOT_SQRT:
        x = __builtin_sqrt(x);
        break;
    case ROUTER_ROOT_LOG:
        x = router__log(x);
        break;
    case ROUTER_ROOT_QUANTILE:
        return router__quantile(stage, x * stage->scale);
    default:
        break;
    }
    return router__index(x * stage->scale, stage->model_last);
}

static inline uint32_t
router__model_position(const struct router_model *model, const uint64_t *keys, uint64_t key)
{
    double ahead = (double)model->slope * router__distance(key, keys[model->base]);

    return model->base + router__index(ahead, model[1].base - model->base);
}

static inline uint32_t
router__rmi_position(const struct router *router, const uint64_t *keys, uint64_t key)
{
    uint32_t index = router__stage_model(&router->stage, key);

    return router__model_position(&router->models[index], keys, key);
}

static inline uint32_t
router__radix_cell(const struct router *router, uint64_t key)
{
    if (key > router->radix_high)
        key = router->radix_high;
    if (key < router->radix_low)
        key = router->radix_low;
    return (uint32_t)((key - router->radix_low) >> router->radix_shift);
}

/* The last of keys[low .. high) not above `key`, or `low` when there is none; low < high. Branch-free:
 * the half is chosen by a conditional move. */
static inline uint32_t
router__last_not_above(const uint64_t *keys, uint32_t low, uint32_t high, uint64_t key)
{
    const uint64_t *base = keys + low;
    uint32_t length = high - low;

    while (length > 1) {
        uint32_t half = length / 2;

        base = base[half] <= key ? base + half : base;
        length -= half;
    }
    return (uint32_t)(base - keys);
}

static inline uint32_t
router__pla_position(const struct router *router, const uint64_t *keys, uint64_t key)
{
    uint32_t cell = router__radix_cell(router, key);
    uint32_t low = router->radix[cell];
    uint32_t high = router->radix[cell + 1];

    /* The piece that reaches into the cell from the left, too. */
    low -= low > 0;
    uint32_t piece =
        high > low + 1 ? router__last_not_above(router->piece_keys, low, high, key) : low;
    return router__model_position(&router->models[piece], keys, key);
}

/* ---- Parts of training, each for the kind its file is named after ---------------------------- */

/* Each fills the router's arrays; on an error the caller frees them by router__clear. */
MUST_CHECK enum status router__rmi_train(struct router *router, const uint64_t *keys,
                                         const struct router_options *options);
MUST_CHECK enum status router__pla_train(struct router *router, const uint64_t *keys,
                                         uint32_t piece_error);
/* The first keys of the pieces, and the radix table over them, from models and directory. */
MUST_CHECK enum status router__pla_index(struct router *router, const uint64_t *keys);

/* The range without a ten-thousandth of the leaves at each end, one at least where there are 16. */
void router__trimmed_range(const uint64_t *keys, uint32_t count, uint64_t *low_out,
                           uint64_t *high_out);

/** Frees the arrays; kind and figures stay. */
void router__clear(struct router *router);

/** Bytes of the arrays and the struct. */
uint64_t router__size(const struct router *router);

/** Sets the verdict's figures, errors measured at every `stride`th leaf. */
void router__measure(struct router *router, const uint64_t *keys, uint32_t stride);

/** Estimated ns of a look-up; after router__measure. */
double router__cost(const struct router *router);

#endif
