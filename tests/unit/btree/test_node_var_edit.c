/*
 * Goal: a node changed at random holds exactly what a sorted list holds, is valid after every step,
 * and its free space is what its header says.
 * Method: 4 shapes of keys, each with several seeds: insert, replace and remove at random, compared
 * with the model after every step through search, rows and the full validation. Moves that are handed
 * back are replayed on the page as it was before.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/check.h"
#include "pager/page.h"
#include "tests/unit/btree/node_help.h"

static const struct node_fences no_fences = {NULL, 0, NULL, 0};

static void
apply_step(struct random *random, enum key_shape shape, struct model *model, uint8_t *page)
{
    static struct model_entry drawn;
    struct node_entry entry = model_draw(random, shape, &drawn);
    struct node_moves moves;
    bool equal;
    uint32_t index = model_find(model, drawn.key, drawn.key_size, &equal);

    if (random_chance(random, 2, 5) && model->count > 0) {
        index = (uint32_t)random_below(random, model->count);
        node_remove(page, index, &moves);
        model_remove(model, index);
    } else if (equal && node_replace_fits(page, index, &entry)) {
        node_replace(page, index, &entry);
        model->entry[index] = drawn;
    } else if (!equal && node_fits(page, &entry)) {
        node_insert(page, index, &entry, &moves);
        model_insert(model, index, &drawn);
    }
}

static void
run_steps(enum key_shape shape, uint64_t seed)
{
    struct model *model = calloc(1, sizeof(*model));
    struct test_page page = {{0}};
    struct random random;
    char where[64];

    random_init(&random, seed);
    node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &no_fences);
    for (uint32_t step = 0; step < 800; step++) {
        apply_step(&random, shape, model, page.bytes);
        snprintf(where, sizeof(where), "shape %d seed %lu step %u", shape, (unsigned long)seed,
                 step);
        model_compare(model, 0, model->count, page.bytes, where);
    }
    free(model);
}

/* covers: B7 */
Test(node_edit, random_changes_equal_a_sorted_list)
{
    for (int shape = 0; shape < KEY_SHAPE_COUNT; shape++)
        for (uint64_t seed = 1; seed <= 6; seed++)
            run_steps((enum key_shape)shape, seed);
}

Test(node_edit, an_empty_node_is_valid_and_holds_every_key)
{
    struct test_page page = {{0}};
    const char *reason = "none";

    node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &no_fences);
    struct node node = node_of(page.bytes);

    cr_assert_eq(node_validate(page.bytes, &reason), STATUS_OK, "%s", reason);
    cr_assert(node_holds(&node, NODE_AT, (const uint8_t *)"", 0));
    cr_assert(node_holds(&node, NODE_AT, (const uint8_t *)"\xff\xff", 2));
    cr_assert(node_holds(&node, NODE_BEFORE, (const uint8_t *)"", 0));
    cr_assert_eq(node_used_size(page.bytes), NODE_HEADER_SIZE);
}

Test(node_edit, initialising_leaves_the_bytes_of_the_pager_alone)
{
    struct test_page page;

    memset(page.bytes, 0xab, PAGE_SIZE);
    node_init(page.bytes, NODE_VAR, 7, 3, 2, 99, &no_fences);
    for (uint32_t i = 0; i < PAGE_DELTA_FIRST_BYTE; i++)
        cr_assert_eq(page.bytes[i], 0xab);
    cr_assert_eq(page_header(page.bytes)->type, PAGE_TYPE_INNER_VAR);
    cr_assert_eq(page_header(page.bytes)->level, 2);
}

/* A value of the same size changes only the value's bytes, so that the log gets only those. */
Test(node_edit, a_value_of_the_same_size_is_replaced_in_place)
{
    struct test_page page = {{0}};
    struct test_page before;
    struct node_moves moves;
    struct node_entry entry = {.key = (const uint8_t *)"key",
                               .key_size = 3,
                               .value = (const uint8_t *)"12345678",
                               .value_size = 8};
    uint32_t changed = 0;

    node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &no_fences);
    node_insert(page.bytes, 0, &entry, &moves);
    before = page;
    entry.value = (const uint8_t *)"1234567x";
    node_replace(page.bytes, 0, &entry);
    for (uint32_t i = 0; i < PAGE_SIZE; i++)
        changed += before.bytes[i] != page.bytes[i];
    cr_assert_eq(changed, 1);
}

/* The announced move and the bytes outside of it explain all that an insert changes. */
Test(node_edit, moves_are_announced_as_they_happen)
{
    struct test_page page = {{0}};
    struct random random;
    uint8_t value[16] = {0};

    uint32_t rest = 0;

    random_init(&random, 5);
    node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &no_fences);
    for (uint32_t i = 0; i < 60; i++) {
        struct test_page before = page;
        struct node_moves moves = {0};
        uint64_t number = random_u64(&random);
        struct node_entry entry = {.key = (const uint8_t *)&number,
                                   .key_size = 8,
                                   .value = value,
                                   .value_size = sizeof(value)};
        struct node node = node_of(page.bytes);
        uint32_t index;
        uint32_t changed = 0;
        bool equal;

        cr_assert(node_search(&node, entry.key, 8, &index, &equal));
        node_insert(page.bytes, index, &entry, &moves);
        cr_assert_eq(moves.move[0].size, (i - index) * NODE_SLOT_SIZE);
        memmove(before.bytes + moves.move[0].to, before.bytes + moves.move[0].from,
                moves.move[0].size);
        for (uint32_t byte = 0; byte < PAGE_SIZE; byte++)
            changed += before.bytes[byte] != page.bytes[byte];
        /* The slot, the cell, count, heap_offset and a block; now and then all blocks. */
        cr_assert_leq(changed, NODE_SLOT_SIZE + 2 + 4 + 16 + 4 + 16 + 64);
        rest += changed > NODE_SLOT_SIZE + 2 + 4 + 16 + 4 + 1;
    }
    cr_assert_leq(rest, 6);
}

static void
fill(uint8_t *page, uint32_t *count_out)
{
    uint8_t value[100];
    struct node_moves moves;
    uint32_t count = 0;

    memset(value, 'v', sizeof(value));
    for (;; count++) {
        uint64_t number = __builtin_bswap64(count);
        struct node_entry entry = {.key = (const uint8_t *)&number,
                                   .key_size = 8,
                                   .value = value,
                                   .value_size = sizeof(value)};

        if (!node_fits(page, &entry))
            break;
        node_insert(page, count, &entry, &moves);
    }
    *count_out = count;
}

Test(node_edit, dead_bytes_are_used_again)
{
    struct test_page page = {{0}};
    struct node_moves moves;
    uint32_t count;
    uint32_t again;
    const char *reason = "none";

    node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &no_fences);
    fill(page.bytes, &count);
    for (uint32_t i = 0; i < count; i++)
        node_remove(page.bytes, count - 1 - i, &moves);
    cr_assert_eq(node_used_size(page.bytes), NODE_HEADER_SIZE);
    fill(page.bytes, &again);
    cr_assert_eq(again, count);
    cr_assert_eq(node_validate(page.bytes, &reason), STATUS_OK, "%s", reason);
}

/* The longest fences leave room for one of the largest entries. */
Test(node_edit, one_entry_of_the_largest_size_fits_between_the_longest_fences)
{
    static uint8_t low[NODE_KEY_SIZE_MAX];
    static uint8_t high[NODE_KEY_SIZE_MAX];
    static uint8_t key[NODE_KEY_SIZE_MAX];
    static uint8_t value[NODE_ENTRY_SIZE_MAX];
    struct node_fences fences = {low, sizeof(low), high, sizeof(high)};
    struct node_entry entry = {.key = key,
                               .key_size = sizeof(key),
                               .value = value,
                               .value_size = NODE_ENTRY_SIZE_MAX - sizeof(key)};
    struct test_page page = {{0}};
    struct node_moves moves;
    const char *reason = "none";

    memset(low, 'a', sizeof(low));
    memset(key, 'b', sizeof(key));
    memset(high, 'c', sizeof(high));
    node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &fences);
    cr_assert(node_fits(page.bytes, &entry));
    node_insert(page.bytes, 0, &entry, &moves);
    cr_assert_eq(node_validate(page.bytes, &reason), STATUS_OK, "%s", reason);
}
