/*
 * Training and choice.
 *
 * AUTO trains all three kinds, because each costs less than judging keys by any shorter look at them.
 * Each is measured on a sample of leaves; those that break a bound on errors or empty models are out.
 * The cheapest of the others by estimate is then measured on all leaves and kept, unless it breaks a
 * bound there, where the next cheapest has its turn. Plain search breaks none: there is an answer.
 */
#include "learned/router.h"

#include <stdio.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "learned/router_private.h"

enum {
    MEASURED_MAX = 4096, /* Leaves of a sample. */
    MODEL_LEAVES = 2,
    PIECE_ERROR = 2,
    OPTION_MAX = 64,
};

/* ---- One router ------------------------------------------------------------------------------ */

void
router__clear(struct router *router)
{
    struct memory *memory = router->memory;

    if (router->models != NULL)
        memory_free(memory, MEMORY_ROUTER, router->models,
                    (router->model_count + UINT64_C(1)) * sizeof(struct router_model));
    if (router->stage.cells != NULL)
        memory_free(memory, MEMORY_ROUTER, router->stage.cells,
                    (router->stage.cell_count + UINT64_C(1)) * sizeof(uint32_t));
    if (router->piece_keys != NULL)
        memory_free(memory, MEMORY_ROUTER, router->piece_keys,
                    (router->model_count + UINT64_C(1)) * sizeof(uint64_t));
    if (router->radix != NULL)
        memory_free(memory, MEMORY_ROUTER, router->radix,
                    (router->radix_count + UINT64_C(1)) * sizeof(uint32_t));
    router->models = NULL;
    router->stage.cells = NULL;
    router->piece_keys = NULL;
    router->radix = NULL;
}

uint64_t
router__size(const struct router *router)
{
    uint64_t size = sizeof(*router);

    if (router->models != NULL)
        size += (router->model_count + UINT64_C(1)) * sizeof(struct router_model);
    if (router->stage.cells != NULL)
        size += (router->stage.cell_count + UINT64_C(1)) * sizeof(uint32_t);
    if (router->piece_keys != NULL)
        size += (router->model_count + UINT64_C(1)) * sizeof(uint64_t);
    if (router->radix != NULL)
        size += (router->radix_count + UINT64_C(1)) * sizeof(uint32_t);
    return size;
}

static enum status
train_kind(struct router *router, enum router_kind kind, const uint64_t *keys,
           const struct router_options *options)
{
    enum status status = STATUS_OK;

    router->verdict.kind = kind;
    if (kind == ROUTER_RMI)
        status = router__rmi_train(router, keys, options);
    else if (kind == ROUTER_PLA)
        status = router__pla_train(router, keys, options->piece_error);
    if (status != STATUS_OK)
        router__clear(router);
    return status;
}

/* ---- Choice ---------------------------------------------------------------------------------- */

/* Why a router may not be taken; ROUTER_REASON_CHEAPEST when it may. */
static enum router_reason
objection(const struct router_verdict *verdict)
{
    if (verdict->kind == ROUTER_DIRECTORY)
        return ROUTER_REASON_CHEAPEST;
    if (verdict->error_p99 > ROUTER_ERROR_P99_MAX)
        return ROUTER_REASON_ERROR;
    if ((uint64_t)verdict->model_empty_count * 100 >=
        (uint64_t)verdict->model_count * ROUTER_EMPTY_PERCENT_MAX)
        return ROUTER_REASON_SPARSE;
    return ROUTER_REASON_CHEAPEST;
}

/* The kind of least cost among those not refused. */
static enum router_kind
cheapest(const double cost_ns[ROUTER_KIND_COUNT], const bool is_refused[ROUTER_KIND_COUNT])
{
    enum router_kind best = ROUTER_DIRECTORY;

    for (int kind = ROUTER_DIRECTORY; kind < ROUTER_KIND_COUNT; kind++)
        if (!is_refused[kind] && cost_ns[kind] < cost_ns[best])
            best = (enum router_kind)kind;
    return best;
}

/* `candidates` by kind, trained; what is not taken is cleared. */
static void
choose(struct router *candidates, const uint64_t *keys, struct router *out)
{
    double cost_ns[ROUTER_KIND_COUNT] = {0};
    bool is_refused[ROUTER_KIND_COUNT] = {false};
    enum router_reason reason = ROUTER_REASON_CHEAPEST;
    enum router_kind best;

    for (int kind = ROUTER_DIRECTORY; kind < ROUTER_KIND_COUNT; kind++) {
        router__measure(&candidates[kind], keys, candidates[kind].leaf_count / MEASURED_MAX + 1);
        cost_ns[kind] = router__cost(&candidates[kind]);
        enum router_reason found = objection(&candidates[kind].verdict);

        is_refused[kind] = found != ROUTER_REASON_CHEAPEST;
        if (is_refused[kind])
            reason = found;
    }
    /* Errors on all leaves decide, and may turn out worse than on the sample. */
    for (;;) {
        best = cheapest(cost_ns, is_refused);
        router__measure(&candidates[best], keys, 1);
        enum router_reason found = objection(&candidates[best].verdict);

        if (found == ROUTER_REASON_CHEAPEST)
            break;
        CHECK(!is_refused[best]);
        is_refused[best] = true;
        reason = found;
    }
    /* What is taken leaves its place empty. */
    *out = candidates[best];
    candidates[best] = (struct router){.memory = out->memory};
    for (int kind = ROUTER_DIRECTORY; kind < ROUTER_KIND_COUNT; kind++)
        router__clear(&candidates[kind]);
    out->verdict.reason = reason;
    memcpy(out->verdict.cost_ns, cost_ns, sizeof(cost_ns));
    out->verdict.cost_ns[best] = router__cost(out);
}

static enum status
train_auto(struct router *router, const uint64_t *keys, const struct router_options *options)
{
    struct router candidates[ROUTER_KIND_COUNT];
    enum status status = STATUS_OK;
    int kind;

    for (kind = ROUTER_DIRECTORY; kind < ROUTER_KIND_COUNT && status == STATUS_OK; kind++) {
        candidates[kind] = *router;
        status = train_kind(&candidates[kind], (enum router_kind)kind, keys, options);
    }
    if (status != STATUS_OK) {
        /* The last one has cleared itself. */
        for (int other = ROUTER_DIRECTORY; other < kind - 1; other++)
            router__clear(&candidates[other]);
        return status;
    }
    choose(candidates, keys, router);
    return STATUS_OK;
}

static enum status
train(struct router *router, const uint64_t *keys, const struct router_options *options)
{
    struct router_verdict *verdict = &router->verdict;

    if (router->leaf_count == 0 || options->kind == ROUTER_TREE ||
        (options->kind == ROUTER_AUTO && options->row_count < ROUTER_ROW_COUNT_MIN)) {
        verdict->kind = ROUTER_TREE;
        verdict->reason = router->leaf_count == 0        ? ROUTER_REASON_EMPTY
                          : options->kind == ROUTER_TREE ? ROUTER_REASON_ASKED
                                                         : ROUTER_REASON_FEW_ROWS;
        router__measure(router, keys, 1);
        return STATUS_OK;
    }
    if (options->kind == ROUTER_AUTO)
        return train_auto(router, keys, options);
    TRY(train_kind(router, options->kind, keys, options));
    router__measure(router, keys, 1);
    verdict->reason = ROUTER_REASON_ASKED;
    verdict->cost_ns[options->kind] = router__cost(router);
    return STATUS_OK;
}

enum status
router_train(const struct leaf_directory *directory, const struct router_options *options,
             struct memory *memory, struct router **out)
{
    struct router_options used = *options;
    struct router *router;

    if ((unsigned)used.kind >= ROUTER_KIND_COUNT || (unsigned)used.root >= ROUTER_ROOT_COUNT ||
        used.model_leaves > OPTION_MAX || used.piece_error > OPTION_MAX)
        return error_raise(STATUS_INVALID,
                           "router options: kind %d, root %d, %u leaves a model, error %u",
                           used.kind, used.root, used.model_leaves, used.piece_error);
    if (used.model_leaves == 0)
        used.model_leaves = MODEL_LEAVES;
    if (used.piece_error == 0)
        used.piece_error = PIECE_ERROR;

    router = memory_alloc(memory, MEMORY_ROUTER, sizeof(*router));
    if (router == NULL)
        return STATUS_NO_MEMORY;
    router->memory = memory;
    router->leaf_count = leaf_directory_count(directory);
    enum status status = train(router, directory->keys, &used);
    if (status != STATUS_OK) {
        memory_free(memory, MEMORY_ROUTER, router, sizeof(*router));
        return status;
    }
    *out = router;
    return STATUS_OK;
}

void
router_free(struct router *router)
{
    if (router == NULL)
        return;
    router__clear(router);
    memory_free(router->memory, MEMORY_ROUTER, router, sizeof(*router));
}

const struct router_verdict *
router_verdict(const struct router *router)
{
    return &router->verdict;
}

/* ---- Words ----------------------------------------------------------------------------------- */

const char *
router_kind_name(enum router_kind kind)
{
    static const char *const name[ROUTER_KIND_COUNT] = {"auto", "tree", "directory", "pla", "rmi"};

    return (unsigned)kind < ROUTER_KIND_COUNT ? name[kind] : "unknown";
}

const char *
router_root_name(enum router_root root)
{
    static const char *const name[ROUTER_ROOT_COUNT] = {"none", "linear", "sqrt", "log",
                                                        "quantile"};

    return (unsigned)root < ROUTER_ROOT_COUNT ? name[root] : "unknown";
}

const char *
router_reason_text(enum router_reason reason)
{
    static const char *const text[ROUTER_REASON_COUNT] = {
        "asked for",
        "the tree has no leaf",
        "fewer than 10,000 rows: a model does not pay",
        "least estimated cost",
        "least estimated cost of those left; a model errs by more than 8 pages at p99",
        "least estimated cost of those left; 90% or more of a model's parts are empty",
    };

    return (unsigned)reason < ROUTER_REASON_COUNT ? text[reason] : "unknown";
}

void
router_verdict_print(const struct router_verdict *verdict, char *out, size_t size)
{
    const double *cost = verdict->cost_ns;

    (void)snprintf(out, size,
                   "%s root=%s leaves=%u models=%u empty=%u bytes=%llu error_p50=%u p95=%u p99=%u "
                   "max=%u steps=%.2f hops=%.2f cost_ns(directory=%.1f pla=%.1f rmi=%.1f): %s",
                   router_kind_name(verdict->kind), router_root_name(verdict->root),
                   verdict->leaf_count, verdict->model_count, verdict->model_empty_count,
                   (unsigned long long)verdict->size, verdict->error_p50, verdict->error_p95,
                   verdict->error_p99, verdict->error_max, verdict->correction_steps,
                   verdict->hops_expected, cost[ROUTER_DIRECTORY], cost[ROUTER_PLA],
                   cost[ROUTER_RMI], router_reason_text(verdict->reason));
}
