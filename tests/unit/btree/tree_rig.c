/*
 * A tree with its model. Every change goes through tree_rig_run as the kernel's commit does: begin,
 * body, commit, and after STATUS_MISSING resolve and again from the start.
 */
#include "tests/unit/btree/tree_rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "btree/node.h"
#include "kernel/base/error.h"

enum status
tree_rig_run(struct tree_rig *rig, enum status (*body)(struct pager_change *change, void *context),
             void *context)
{
    for (;;) {
        struct pager_change *change;
        uint64_t csn;

        MUST(pager_change_begin(rig->pager.pager, &change));
        enum status status = body(change, context);

        if (status == STATUS_OK)
            status = pager_change_commit(change, &csn);
        else
            pager_change_abandon(change);
        if (status != STATUS_MISSING)
            return status;
        MUST(pager_change_resolve(rig->pager.pager));
    }
}

static enum status
create_body(struct pager_change *change, void *context)
{
    struct tree_rig *rig = context;

    return btree_create(change, rig->tree.kind, TREE_RIG_ID, PAGE_NONE, &rig->tree.root);
}

void
tree_rig_init(struct tree_rig *rig, enum universe_shape shape, uint32_t count, uint32_t pool_pages)
{
    memset(rig, 0, sizeof(*rig));
    universe_init(&rig->universe, shape, count);
    rig->seed = calloc(count, sizeof(*rig->seed));
    rig->value = malloc(UNIVERSE_VALUE_MAX);
    rig->other = malloc(UNIVERSE_VALUE_MAX);
    pager_rig_init(&rig->pager, 1);
    rig->pager.options.pool_size = (uint64_t)pool_pages * PAGE_SIZE;
    rig->pager.options.change_limit = pool_pages / 2;
    pager_rig_open(&rig->pager);
    rig->tree.pager = rig->pager.pager;
    rig->tree.tree_id = TREE_RIG_ID;
    rig->tree.kind = shape == UNIVERSE_INT || shape == UNIVERSE_DENSE ? BTREE_INT : BTREE_VAR;
    MUST(tree_rig_run(rig, create_body, rig));
}

void
tree_rig_deinit(struct tree_rig *rig)
{
    if (rig->pager.pager != NULL)
        pager_rig_close(&rig->pager);
    pager_rig_deinit(&rig->pager);
    universe_deinit(&rig->universe);
    free(rig->seed);
    free(rig->value);
    free(rig->other);
}

struct one {
    struct tree_rig *rig;
    uint32_t number;
    uint32_t seed; /* 0: delete. */
};

static enum status
one_body(struct pager_change *change, void *context)
{
    struct one *one = context;
    struct tree_rig *rig = one->rig;
    uint8_t key[1024];
    size_t key_size = universe_key(&rig->universe, one->number, key);

    if (one->seed == 0)
        return btree_delete(change, &rig->tree, key, key_size);
    size_t size = universe_value(one->seed, rig->value);

    return btree_put(change, &rig->tree, key, key_size, rig->value, size, NULL);
}

static void
note(struct tree_rig *rig, uint32_t number, uint32_t seed)
{
    rig->present += (seed != 0) - (rig->seed[number] != 0);
    rig->seed[number] = seed;
}

void
tree_rig_put(struct tree_rig *rig, uint32_t number, uint32_t seed)
{
    struct one one = {rig, number, seed};

    MUST(tree_rig_run(rig, one_body, &one));
    note(rig, number, seed);
}

void
tree_rig_delete(struct tree_rig *rig, uint32_t number)
{
    struct one one = {rig, number, 0};

    cr_assert_eq(tree_rig_run(rig, one_body, &one),
                 rig->seed[number] != 0 ? STATUS_OK : STATUS_NOT_FOUND);
    note(rig, number, 0);
}

struct many {
    struct tree_rig *rig;
    struct random random;
    uint32_t count;
    bool model; /* Second run: the model only. */
};

static enum status
many_body(struct pager_change *change, void *context)
{
    struct many *many = context;
    struct random random = many->random;

    for (uint32_t i = 0; i < many->count; i++) {
        struct one one = {many->rig, (uint32_t)random_below(&random, many->rig->universe.count), 0};
        enum status status = STATUS_OK;

        if (random_chance(&random, 3, 5))
            one.seed = 1 + (uint32_t)random_below(&random, 1000000);
        if (many->model)
            note(many->rig, one.number, one.seed);
        else
            status = one_body(change, &one);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}

void
tree_rig_change(struct tree_rig *rig, struct random *random, uint32_t count)
{
    struct many many = {rig, *random, count, false};

    MUST(tree_rig_run(rig, many_body, &many));
    many.model = true;
    MUST(many_body(NULL, &many));
    random_init(random, random_u64(random) + count);
}

void
tree_rig_check_key(struct tree_rig *rig, uint32_t number)
{
    uint8_t key[1024];
    size_t key_size = universe_key(&rig->universe, number, key);
    size_t size = UNIVERSE_VALUE_MAX;
    uint64_t csn;
    enum status status = btree_get(&rig->tree, key, key_size, rig->value, &size, &csn);

    if (rig->seed[number] == 0) {
        cr_assert_eq(status, STATUS_NOT_FOUND, "key %u: %s", number, status_name(status));
        return;
    }
    cr_assert_eq(status, STATUS_OK, "key %u: %s %s", number, status_name(status), error_message());
    cr_assert_eq(size, universe_value(rig->seed[number], rig->other), "size of key %u", number);
    cr_assert_eq(memcmp(rig->value, rig->other, size), 0, "value of key %u", number);
}

static void
check_row(struct tree_rig *rig, const struct btree_row *row, uint32_t rank)
{
    uint32_t number = rig->universe.order[rank];
    uint8_t key[1024];
    size_t key_size = universe_key(&rig->universe, number, key);
    size_t size = universe_value(rig->seed[number], rig->other);

    cr_assert(row->key_size == key_size && memcmp(row->key, key, key_size) == 0, "rank %u", rank);
    cr_assert(row->value_size == size && memcmp(row->value, rig->other, size) == 0, "rank %u",
              rank);
}

static void
check_scans(struct tree_rig *rig)
{
    struct btree_cursor cursor;
    uint32_t count = rig->universe.count;
    enum status status;
    uint32_t rank = 0;

    btree_cursor_init(&cursor, &rig->tree, rig->pager.memory);
    status = btree_cursor_seek(&cursor, NULL, 0);
    for (; rank < count; rank++) {
        if (rig->seed[rig->universe.order[rank]] == 0)
            continue;
        cr_assert_eq(status, STATUS_OK, "forward, rank %u: %s", rank, status_name(status));
        check_row(rig, &cursor.row, rank);
        status = btree_cursor_next(&cursor);
    }
    cr_assert_eq(status, STATUS_NOT_FOUND);
    status = btree_cursor_seek_last(&cursor, NULL, 0);
    for (rank = count; rank-- > 0;) {
        if (rig->seed[rig->universe.order[rank]] == 0)
            continue;
        cr_assert_eq(status, STATUS_OK, "backward, rank %u: %s", rank, status_name(status));
        check_row(rig, &cursor.row, rank);
        status = btree_cursor_previous(&cursor);
    }
    cr_assert_eq(status, STATUS_NOT_FOUND);
    btree_cursor_deinit(&cursor);
}

static void
print_finding(void *context, uint32_t page_number, const char *reason)
{
    (void)context;
    cr_log_error("page %u: %s", page_number, reason);
}

uint64_t
tree_rig_page_count(struct tree_rig *rig)
{
    struct btree_walk walk = {.finding = print_finding};

    MUST(btree_verify(&rig->tree, false, &walk));
    cr_assert_eq(walk.finding_count, 0);
    cr_assert_eq(walk.row_count, rig->present);
    return walk.page_count;
}

void
tree_rig_check(struct tree_rig *rig)
{
    (void)tree_rig_page_count(rig);
    for (uint32_t number = 0; number < rig->universe.count; number++)
        tree_rig_check_key(rig, number);
    check_scans(rig);
}
