/*
 * Goal: search and fences say what comparing whole keys says; the prefix is left out of cells.
 * Method: nodes between random fences with random keys, each key and many absent ones looked for on
 * both sides, compared with memcmp order; inner nodes route every key to the child whose range holds
 * it.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/btree/node_help.h"

/* Draws two different keys in order. */
static void
draw_fences(struct random *random, enum key_shape shape, struct model_entry *low,
            struct model_entry *high)
{
    do {
        model_draw(random, shape, low);
        model_draw(random, shape, high);
    } while (bytes_compare(low->key, low->key_size, high->key, high->key_size) >= 0);
}

static bool
lies_between(const struct model_entry *entry, const struct model_entry *low,
             const struct model_entry *high)
{
    return bytes_compare(entry->key, entry->key_size, low->key, low->key_size) >= 0 &&
           bytes_compare(entry->key, entry->key_size, high->key, high->key_size) < 0;
}

static void
fill_between(struct random *random, enum key_shape shape, uint8_t *page, struct model *model,
             const struct model_entry *low, const struct model_entry *high)
{
    static struct model_entry drawn;
    struct node_moves moves;

    for (uint32_t i = 0; i < 300; i++) {
        struct node_entry entry = model_draw(random, shape, &drawn);
        bool equal;
        uint32_t index = model_find(model, drawn.key, drawn.key_size, &equal);

        if (equal || !lies_between(&drawn, low, high) || !node_fits(page, &entry))
            continue;
        node_insert(page, index, &entry, &moves);
        model_insert(model, index, &drawn);
    }
}

static void
look_for_others(struct random *random, enum key_shape shape, const uint8_t *page,
                const struct model *model, const struct model_entry *low,
                const struct model_entry *high)
{
    static struct model_entry drawn;
    struct node node = node_of(page);

    for (uint32_t i = 0; i < 200; i++) {
        uint32_t index;
        bool equal;
        bool equal_model;

        model_draw(random, shape, &drawn);
        bool inside = lies_between(&drawn, low, high);

        cr_assert_eq(node_holds(&node, NODE_AT, drawn.key, drawn.key_size), inside);
        if (!inside)
            continue;
        cr_assert(node_search(&node, drawn.key, drawn.key_size, &index, &equal));
        cr_assert_eq(index, model_find(model, drawn.key, drawn.key_size, &equal_model));
        cr_assert_eq(equal, equal_model);
    }
}

/* covers: B3, B4 */
Test(node_var, search_between_fences_equals_comparing_whole_keys)
{
    static struct model_entry low, high;
    struct model *model = calloc(1, sizeof(*model));

    for (uint64_t seed = 1; seed <= 60; seed++) {
        enum key_shape shape = (enum key_shape)(seed % KEY_SHAPE_COUNT);
        struct test_page page = {{0}};
        struct random random;

        random_init(&random, seed);
        draw_fences(&random, shape, &low, &high);
        struct node_fences fences = {low.key, low.key_size, high.key, high.key_size};

        model->count = 0;
        node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &fences);
        fill_between(&random, shape, page.bytes, model, &low, &high);
        model_compare(model, 0, model->count, page.bytes, "between fences");
        look_for_others(&random, shape, page.bytes, model, &low, &high);
    }
    free(model);
}

Test(node_var, a_common_prefix_is_stored_once)
{
    struct node_fences fences = {(const uint8_t *)"database/a", 10, (const uint8_t *)"database/z",
                                 10};
    struct node_entry entry = {.key = (const uint8_t *)"database/key",
                               .key_size = 12,
                               .value = (const uint8_t *)"v",
                               .value_size = 1};
    struct test_page page = {{0}};
    struct node_moves moves;
    struct node_row row;
    uint32_t before;

    node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &fences);
    before = node_used_size(page.bytes);
    node_insert(page.bytes, 0, &entry, &moves);
    struct node node = node_of(page.bytes);

    cr_assert_eq(node.prefix_size, 9);
    cr_assert(node_row_at(&node, 0, &row));
    cr_assert_eq(row.key_size, 3);
    /* Slot, cell header and value: the key's last three bytes are the head. */
    cr_assert_eq(node_used_size(page.bytes) - before, NODE_SLOT_SIZE + NODE_CELL_HEADER_SIZE + 1);
}

Test(node_var, a_node_holds_its_low_fence_but_before_its_high_one)
{
    struct node_fences fences = {(const uint8_t *)"b", 1, (const uint8_t *)"d", 1};
    struct test_page page = {{0}};

    node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &fences);
    struct node node = node_of(page.bytes);

    cr_assert(node_holds(&node, NODE_AT, (const uint8_t *)"b", 1));
    cr_assert(!node_holds(&node, NODE_AT, (const uint8_t *)"d", 1));
    cr_assert(!node_holds(&node, NODE_BEFORE, (const uint8_t *)"b", 1));
    cr_assert(node_holds(&node, NODE_BEFORE, (const uint8_t *)"d", 1));
    cr_assert(!node_holds(&node, NODE_BEFORE, (const uint8_t *)"", 0));
    cr_assert(!node_holds(&node, NODE_AT, (const uint8_t *)"", 0));
}

Test(node_var, keys_that_differ_only_in_trailing_zeros_are_ordered)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 6, 9};
    struct model *model = calloc(1, sizeof(*model));
    struct test_page page = {{0}};
    struct node_fences fences = {NULL, 0, NULL, 0};
    struct node_moves moves;

    node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &fences);
    for (uint32_t i = 0; i < 7; i++) {
        struct model_entry entry = {.key = {'a'}, .key_size = sizes[i], .value_size = 0};
        struct node_entry node_entry = model_node_entry(&entry);

        node_insert(page.bytes, i, &node_entry, &moves);
        model_insert(model, i, &entry);
    }
    model_compare(model, 0, model->count, page.bytes, "zeros");
    free(model);
}

static void
put_child(uint8_t *page, uint32_t index, const char *key, uint32_t child)
{
    le32 bytes = le32_of(child);
    struct node_moves moves;
    struct node_entry entry = {.key = (const uint8_t *)key,
                               .key_size = strlen(key),
                               .value = bytes.byte,
                               .value_size = NODE_CHILD_SIZE};

    node_insert(page, index, &entry, &moves);
}

static uint32_t
route(const uint8_t *page, enum node_side side, const char *key)
{
    struct node node = node_of(page);
    uint32_t place;
    uint32_t child;

    cr_assert(node_child_place(&node, side, (const uint8_t *)key, strlen(key), &place));
    cr_assert(node_child_at(&node, place, &child));
    return child;
}

Test(node_var, an_inner_node_routes_keys_to_children)
{
    struct node_fences fences = {NULL, 0, NULL, 0};
    struct test_page page = {{0}};
    const char *reason = "none";

    node_init(page.bytes, NODE_VAR, 7, 3, 1, 100, &fences);
    put_child(page.bytes, 0, "g", 101);
    put_child(page.bytes, 1, "p", 102);
    cr_assert_eq(node_validate(page.bytes, &reason), STATUS_OK, "%s", reason);
    cr_assert_eq(route(page.bytes, NODE_AT, ""), 100);
    cr_assert_eq(route(page.bytes, NODE_AT, "f"), 100);
    cr_assert_eq(route(page.bytes, NODE_AT, "g"), 101);
    cr_assert_eq(route(page.bytes, NODE_AT, "gg"), 101);
    cr_assert_eq(route(page.bytes, NODE_AT, "z"), 102);
    cr_assert_eq(route(page.bytes, NODE_BEFORE, "g"), 100);
    cr_assert_eq(route(page.bytes, NODE_BEFORE, "h"), 101);
    cr_assert_eq(route(page.bytes, NODE_BEFORE, "p"), 101);
    cr_assert_eq(route(page.bytes, NODE_BEFORE, ""), 102);
}
