/* A tree on a pager on a simulated disk, with its model; what must succeed and does not stops the
 * test. */
#ifndef TESTS_UNIT_BTREE_TREE_RIG_H
#define TESTS_UNIT_BTREE_TREE_RIG_H

#include "btree/btree.h"
#include "kernel/base/random.h"
#include "tests/support/key_universe.h"
#include "tests/support/pager_rig.h"

enum { TREE_RIG_ID = 20 };

struct tree_rig {
    struct pager_rig pager;
    struct btree tree;
    struct universe universe;
    uint32_t *seed; /* Per key number: seed of its value, 0: absent. */
    uint32_t present;
    uint8_t *value; /* Room for one. */
    uint8_t *other;
};

/** An empty tree; the pool has `pool_pages`. */
void tree_rig_init(struct tree_rig *rig, enum universe_shape shape, uint32_t count,
                   uint32_t pool_pages);
void tree_rig_deinit(struct tree_rig *rig);

/* One commit each, in tree and model. */
void tree_rig_put(struct tree_rig *rig, uint32_t number, uint32_t seed);
void tree_rig_delete(struct tree_rig *rig, uint32_t number);
/** `count` random puts and deletes in one commit. */
void tree_rig_change(struct tree_rig *rig, struct random *random, uint32_t count);

/** Asserts that the key is there with its value, or absent, as the model says. */
void tree_rig_check_key(struct tree_rig *rig, uint32_t number);
/** btree_verify finds nothing, both scans and every key agree with the model. */
void tree_rig_check(struct tree_rig *rig);
/** Runs a function in changes until nothing is missing; its status otherwise. */
enum status tree_rig_run(struct tree_rig *rig,
                         enum status (*body)(struct pager_change *change, void *context),
                         void *context);
/** Pages of the tree, by a walk without findings. */
uint64_t tree_rig_page_count(struct tree_rig *rig);

#endif
