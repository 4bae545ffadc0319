/*
 * Routers: from a key to its leaf without the inner pages of the tree.
 *
 * A router is trained on a directory (directory.h) and never changes after that, so any number of
 * threads may use one without a lock. All kinds have one interface: predict gives a position and the
 * window the leaf is expected in, correct makes it exact by the directory's keys, wherever the guess
 * was. A model therefore decides how fast the leaf is found, never which one it is. What the directory
 * does not know (leaves split since) the caller finds out by the leaf's fences.
 *
 * Training measures each kind on the keys it is trained on and keeps the cheapest, with its figures in
 * a verdict. The same directory and options give the same router, bit for bit: no clock is asked.
 *
 * A router holds no pointer to its directory. Using it with another one gives wrong positions, no
 * wild reads: it was trained on the first leaf_count entries and asks for a directory with that many.
 */
#ifndef LEARNED_ROUTER_H
#define LEARNED_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/memory.h"
#include "kernel/base/status.h"
#include "learned/directory.h"

enum router_kind {
    ROUTER_AUTO = 0,      /* In options only: choose. */
    ROUTER_TREE = 1,      /* No router: the caller descends its tree. */
    ROUTER_DIRECTORY = 2, /* Branch-free binary search of the directory. */
    ROUTER_PLA = 3,       /* Linear pieces of bounded error under a radix table. */
    ROUTER_RMI = 4,       /* Recursive model index of two stages. */
    ROUTER_KIND_COUNT = 5,
};

/* The first stage of a recursive model index: how keys are spread over its models. */
enum router_root {
    ROUTER_ROOT_NONE = 0, /* Other kinds of router. */
    ROUTER_ROOT_LINEAR = 1,
    ROUTER_ROOT_SQRT = 2,
    ROUTER_ROOT_LOG = 3,
    ROUTER_ROOT_QUANTILE = 4, /* Linear between the quantiles of equal parts of the key range. */
    ROUTER_ROOT_COUNT = 5,
};

struct router_options {
    enum router_kind kind; /* ROUTER_AUTO, or the one to build whatever its figures are. */
    uint64_t row_count;    /* Rows behind the directory; AUTO builds nothing for fewer than
                               ROUTER_ROW_COUNT_MIN. */
    uint32_t model_leaves; /* Leaves a model of the RMI gets on average, 1 to 64; 0: 2. */
    uint32_t piece_error;  /* Error a piece of the PLA may have, in pages, 1 to 64; 0: 2. */
    enum router_root root; /* ROUTER_ROOT_NONE: measure all and take the best. */
};

#define ROUTER_ROW_COUNT_MIN UINT64_C(10000)
/* What makes AUTO refuse a model whatever its cost: error in pages, models without a leaf in percent. */
#define ROUTER_ERROR_P99_MAX UINT32_C(8)
#define ROUTER_EMPTY_PERCENT_MAX UINT32_C(90)

/* Why the verdict is what it is. */
enum router_reason {
    ROUTER_REASON_ASKED = 0,    /* The options named the kind. */
    ROUTER_REASON_EMPTY = 1,    /* No leaf: nothing to route to. */
    ROUTER_REASON_FEW_ROWS = 2, /* Below ROUTER_ROW_COUNT_MIN: the tree is as fast. */
    ROUTER_REASON_CHEAPEST = 3, /* Least estimated cost of all kinds. */
    ROUTER_REASON_ERROR = 4,    /* The same, after a model's p99 error passed the bound. */
    ROUTER_REASON_SPARSE = 5,   /* The same, after too many models were empty. */
    ROUTER_REASON_COUNT = 6,
};

/* The figures of one trained router. Errors are distances in leaves between the predicted and the
 * right position, measured at the first and the last key of every leaf. */
struct router_verdict {
    enum router_kind kind;
    enum router_root root;
    enum router_reason reason;
    uint32_t leaf_count;  /* Trained on. */
    uint32_t model_count; /* Models or pieces. */
    uint32_t model_empty_count;
    uint64_t size; /* Bytes of the router, without the directory. */
    uint32_t error_p50;
    uint32_t error_p95;
    uint32_t error_p99;
    uint32_t error_max;
    double correction_steps; /* Probes outside the first window, a look-up, on average. */
    double hops_expected;    /* Sibling links to follow, a look-up: 0 when freshly trained. */
    /* Estimated cost of a look-up by each kind in ns, 0 for those not considered; how it is estimated
     * stands in router_measure.c. */
    double cost_ns[ROUTER_KIND_COUNT];
};

/* Where the leaf is expected: `position` within [low, high). */
struct router_guess {
    uint32_t position;
    uint32_t low;
    uint32_t high;
};

struct router;

/**
 * Trains on the leaves in the directory at this moment. STATUS_NO_MEMORY; STATUS_INVALID for options
 * out of range. `out` owns its memory (part MEMORY_ROUTER of `memory`, borrowed); ROUTER_TREE is a
 * router too, whose answer is always LEAF_NONE. Costs about 30 ns a leaf.
 */
MUST_CHECK enum status router_train(const struct leaf_directory *directory,
                                    const struct router_options *options, struct memory *memory,
                                    struct router **out);

/** No reader may be left. NULL is fine. */
void router_free(struct router *router);

const struct router_verdict *router_verdict(const struct router *router);

/** A guess, for correct; of no use by itself. Position LEAF_NONE when the router is ROUTER_TREE. Any
 * thread; `directory` is the one it was trained on, grown or not. */
struct router_guess router_predict(const struct router *router,
                                   const struct leaf_directory *directory, uint64_t key);

/** The last leaf whose first key is not above `key` (0 when all are), from any guess whatsoever; of
 * equal first keys the last. LEAF_NONE for a directory without leaves or position LEAF_NONE. */
uint32_t router_correct(const struct leaf_directory *directory, const struct router_guess *guess,
                        uint64_t key);

/** predict and correct in one, the fast way. */
uint32_t router_find(const struct router *router, const struct leaf_directory *directory,
                     uint64_t key);

/** Where a scan of all rows of a key that may stand on several leaves begins: the leaf before the
 * first one whose first key is not below `key`. */
uint32_t router_find_first(const struct router *router, const struct leaf_directory *directory,
                           uint64_t key);

/** Brings in the cache lines that router_find of `key` will want first; for batches. */
void router_prefetch(const struct router *router, uint64_t key);

/** The router as bytes, bound to the directory it was trained on: returns how many; writes them when
 * `size` is at least that, else nothing (`out` may be NULL). */
size_t router_encode(const struct router *router, const struct leaf_directory *directory, void *out,
                     size_t size);

/**
 * Reads what encode wrote for this directory. Hostile bytes are fine: STATUS_CORRUPT unless every
 * index in them stays inside its array and every number is one; STATUS_VERSION for another format;
 * STATUS_INVALID when the directory has other entries than the router was trained on;
 * STATUS_NO_MEMORY. Allocates no more than a few times `size`.
 */
MUST_CHECK enum status router_decode(const struct leaf_directory *directory, struct memory *memory,
                                     const void *bytes, size_t size, struct router **out);

/** Stable lower-case names, as users see them: `tree`, `directory`, `pla`, `rmi`; `linear` ... */
const char *router_kind_name(enum router_kind kind);
const char *router_root_name(enum router_root root);
const char *router_reason_text(enum router_reason reason);

/** The verdict in one line of ASCII, cut at `size` - 1 bytes. */
void router_verdict_print(const struct router_verdict *verdict, char *out, size_t size);

#endif
