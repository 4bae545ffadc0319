/*
 * The router of a tree: learned/ tied to btree/. What its files share (router_get.c, router_swap.c,
 * router_build.c, router_save.c).
 *
 * A route is a directory of leaves with a router trained on it. Once published it never changes but at
 * the directory's right edge; it is replaced as a whole. It only ever names a page to look at first, so
 * it may be stale, wrong or gone at any moment, and no answer changes (R1).
 *
 * Who uses a route when: a transaction's call says which version of routes it has seen (a store to its
 * own memory, and only when there is a new one), then takes the pointer and lets go of it before it
 * returns. A route that was replaced is freed once every running transaction has seen a version that
 * is not older than the replacement (R2).
 */
#ifndef KERNEL_TREE_ROUTER_H
#define KERNEL_TREE_ROUTER_H

#include "btree/btree.h"
#include "kernel/base/sync.h"
#include "kernel/qtdb.h"
#include "learned/router.h"
#include "learned/router_health.h"

struct qtdb_tree;
struct qtdb_txn;
struct txn_tree;

struct route {
    struct leaf_directory directory;
    struct router *router; /* Of another kind than ROUTER_TREE. */
    struct router_health health;
    uint64_t row_count; /* Estimated. */
    /* Where in a leaf a key is likely to be, from some of its leaves (integer keys). Fixed. */
    struct btree_leaf_shape shape;
    bool guess_is_near; /* Keys lie evenly between the fences of their leaves. Fixed. */
    bool is_saved;      /* The file has it, as it is. Guarded by the latch. */
    /* Once replaced. */
    struct route *next;
    uint64_t version;
};

/* Why there is a route, or none. */
enum route_reason {
    ROUTE_NOT_LOOKED = 0,  /* Nobody has looked yet. */
    ROUTE_ASKED = 1,       /* The options name what answers. */
    ROUTE_FEW_ROWS = 2,    /* Below ROUTER_ROW_COUNT_MIN. */
    ROUTE_FASTER = 3,      /* Measured against the tree. */
    ROUTE_TREE_FASTER = 4, /* The same. */
    ROUTE_COLD = 5,        /* The tree's pages are not in memory: it saves reads. */
    ROUTE_SAVED = 6,       /* From the file. */
    ROUTE_REASON_COUNT = 7,
};

/* What a transaction handle has counted for one tree; relaxed, written by the transaction's thread. */
struct route_tally {
    _Atomic(struct tree_router *) router; /* NULL: unused. */
    _Atomic uint64_t routed_count;
    _Atomic uint64_t tree_count;
    _Atomic uint64_t hop_count;
    _Atomic uint64_t fallback_count;
};

enum { ROUTE_TALLIES = 4, ROUTE_NAMES_MAX = 48 };

/* Part of a transaction's handle; stays when the handle is used again. */
struct txn_routes {
    _Atomic uint64_t seen; /* Version of routes (R2). */
    struct route_tally tally[ROUTE_TALLIES];
    /* Of the transaction under way, as far as handed on. */
    uint64_t routed_count;
    uint64_t hop_count;
    uint64_t fallback_count;
};

struct tree_router {
    /* Read anywhere. */
    _Atomic(struct route *) route; /* NULL: the tree answers. Written under the latch. */
    _Atomic uint32_t wanted;       /* enum qtdb_router */
    enum qtdb_router stored;       /* With the tree. Fixed. */
    _Atomic bool due;              /* The background is to look at it. */
    /* Totals, relaxed. */
    _Atomic uint64_t routed_count;
    _Atomic uint64_t tree_count;
    _Atomic uint64_t hop_count;
    _Atomic uint64_t fallback_count;
    _Atomic uint64_t leaf_change_count; /* Leaves split, appended, removed since the last look. */

    struct latch latch; /* For a swap, an append, a few counts. Before the snapshot latch. */
    /* Guarded by the latch. */
    struct route *retired;
    uint32_t retired_count;
    bool load_tried;
    bool look_done;
    enum route_reason reason;
    uint32_t leaf_count; /* At the last look. */
    uint64_t row_count;
    uint64_t tree_ns; /* A look-up, when it was measured; 0: was not. */
    uint64_t routed_ns;
    uint64_t build_count;
    uint64_t refused_count; /* Saved ones that were not as they should be. */
    uint64_t build_ns;      /* The last time, */
    uint64_t look_ns;       /* and with measuring. */
    uint64_t built_at;
    uint32_t wait_shift; /* Rebuilds that cure nothing become rare. */
};

/* ---- router_get.c: looking up ------------------------------------------------------------------- */

/** As btree_get, through the tree's route where there is one. The transaction is running. */
MUST_CHECK enum status route__get(struct qtdb_txn *txn, const struct qtdb_tree *tree,
                                  const struct btree *btree, const void *key, size_t key_size,
                                  void *value, size_t *size_io, uint64_t *csn_out);
/** The same without a transaction's counts: what the measuring measures. `*hops_out` UINT32_MAX: the
 * tree answered. */
MUST_CHECK enum status route__get_by(const struct route *route, const struct btree *btree,
                                     const void *key, size_t key_size, void *value, size_t *size_io,
                                     uint64_t *csn_out, uint32_t *hops_out);
/** Names the leaves of at most ROUTE_NAMES_MAX look-ups, with the waiting for memory overlapped; false
 * where there is no route. Keys are not empty. */
bool route__name(struct qtdb_txn *txn, const struct qtdb_tree *tree, struct btree_get *gets,
                 uint32_t count);
/** How it went with those named. */
void route__named(struct qtdb_txn *txn, const struct qtdb_tree *tree, const struct btree_get *gets,
                  uint32_t count);
/** The leaf at which a cursor of the transaction is to look first for the key, or PAGE_NONE. */
uint32_t route__hint(struct qtdb_txn *txn, const struct qtdb_tree *tree, const void *key,
                     size_t key_size);
/** How it went: links followed, or UINT32_MAX. */
void route__hinted(struct qtdb_txn *txn, const struct qtdb_tree *tree, uint32_t hops);
/** The key as the directory has it. */
uint64_t route__number(const void *key, size_t key_size);

/* ---- router_swap.c: life, counts, what commits change ------------------------------------------- */

MUST_CHECK enum status route__init(struct qtdb *db, struct qtdb_tree *tree,
                                   enum qtdb_router wanted);
void route__deinit(struct qtdb *db, struct qtdb_tree *tree);
/** Another kind is wanted from now on; what does not fit is dropped. */
void route__want(struct qtdb_tree *tree, enum qtdb_router wanted);
/** Puts `fresh` (NULL: none; else owned from here on) in the route's place, if that is still wanted. */
void route__publish(struct qtdb_tree *tree, struct route *fresh, enum route_reason reason);
/** Frees what nobody can use any more. Under the router's latch. */
void route__reclaim(struct qtdb *db, struct tree_router *router);
void route__free(struct qtdb *db, struct route *route);
/** Is anything to be done for the tree: never looked at, unhealthy, grown. */
bool route__is_due(struct tree_router *router);
/** Tells the background. */
void route__set_due(struct qtdb *db, struct tree_router *router);
/** After the commit is published: counts its leaves, appends those behind all others. */
void route__committed(struct qtdb_txn *txn);
/** The transaction's own counts: what it began with, and what there is now. */
void route__txn_begin(struct qtdb_txn *txn);
void route__txn_counts(const struct qtdb_txn *txn, struct qtdb_txn_statistics *out);
/** Appends the leaves behind the directory's last one. Under the router's latch. */
void route__extend(struct qtdb_tree *tree, struct route *route);

/* ---- router_build.c: the background ------------------------------------------------------------- */

/** Estimates rows, and how leaves look, from a few of them. */
MUST_CHECK enum status route__look_at_leaves(const struct btree *btree, struct route *route);
/** Looks after one tree that is due, if any. */
MUST_CHECK enum status route__step(struct qtdb *db, bool *more_out);

/* ---- router_save.c: from one handle to the next ------------------------------------------------- */

/** Learns which saved routers are right for the file as it was opened. */
void route__load_begin(struct qtdb *db);
/** Takes the tree's saved router, if there is one, it is right and it fits. Once a handle. */
void route__load(struct qtdb_tree *tree);
/** At close: what cannot be saved is not there at the next open. */
void route__save_all(struct qtdb *db);

#endif
