/*
 * Goal: any full node can be cut and the entry that did not fit finds room in the end; halves and
 * merged pages hold what they should between the right fences.
 * Method: fill nodes at random until an entry does not fit, cut as often as needed, and compare each
 * piece with its part of the model; join neighbours again where that fits.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/btree/node_help.h"

static const struct node_fences no_fences = {NULL, 0, NULL, 0};

/* Fills the page; returns with `drawn` not fitting at `*index_out`. */
static void
fill_until_full(struct random *random, enum key_shape shape, uint8_t *page, struct model *model,
                struct model_entry *drawn, uint32_t *index_out)
{
    struct node_moves moves;

    for (;;) {
        struct node_entry entry = model_draw(random, shape, drawn);
        bool equal;
        uint32_t index = model_find(model, drawn->key, drawn->key_size, &equal);

        if (equal)
            continue;
        if (!node_fits(page, &entry)) {
            *index_out = index;
            return;
        }
        node_insert(page, index, &entry, &moves);
        model_insert(model, index, drawn);
    }
}

/* Cuts `page` until the entry fits; asserts every piece. The model's entries [from, ..) lie in it. */
static void
cut_until_it_fits(uint8_t *page, struct model *model, uint32_t from, uint32_t to,
                  struct model_entry *drawn)
{
    struct node_entry entry = model_node_entry(drawn);
    struct node_moves moves;

    for (uint32_t steps = 0; !node_fits(page, &entry); steps++) {
        struct test_page right;
        struct node_cut cut;
        bool equal;
        uint32_t index = model_find(model, drawn->key, drawn->key_size, &equal) - from;

        cr_assert_lt(steps, 8);
        node_cut_choose(page, index, &entry, &cut);
        node_split(page, right.bytes, 55, &cut);
        model_compare(model, from, from + cut.index, page, "left half");
        model_compare(model, from + cut.index, to, right.bytes, "right half");
        struct node left_node = node_of(page);
        struct node right_node = node_of(right.bytes);

        cr_assert_eq(left_node.link, 55);
        cr_assert_eq(
            bytes_compare(left_node.high, left_node.high_size, right_node.low, right_node.low_size),
            0);
        if (bytes_compare(drawn->key, drawn->key_size, cut.separator, cut.separator_size) >= 0) {
            memcpy(page, right.bytes, PAGE_SIZE);
            from += cut.index;
        } else {
            to = from + cut.index;
        }
    }
    bool equal;
    uint32_t index = model_find(model, drawn->key, drawn->key_size, &equal);

    node_insert(page, index - from, &entry, &moves);
    model_insert(model, index, drawn);
    model_compare(model, from, to + 1, page, "with the new entry");
}

/* covers: B5 */
Test(node_split, every_entry_finds_room)
{
    static struct model_entry drawn;
    struct model *model = calloc(1, sizeof(*model));

    for (uint64_t seed = 1; seed <= 120; seed++) {
        enum key_shape shape = (enum key_shape)(seed % KEY_SHAPE_COUNT);
        struct test_page page = {{0}};
        struct random random;
        uint32_t index;

        random_init(&random, seed);
        model->count = 0;
        node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &no_fences);
        fill_until_full(&random, shape, page.bytes, model, &drawn, &index);
        cut_until_it_fits(page.bytes, model, 0, model->count, &drawn);
    }
    free(model);
}

/* covers: B5 */
Test(node_split, the_right_edge_leaves_a_full_page)
{
    struct test_page left = {{0}};
    struct test_page right;
    struct node_moves moves;
    struct node_cut cut;
    uint8_t value[100] = {0};
    uint32_t count = 0;
    struct node_entry entry = {.key_size = 8, .value = value, .value_size = sizeof(value)};
    uint64_t number;

    node_init(left.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &no_fences);
    for (;; count++) {
        number = __builtin_bswap64(count);
        entry.key = (const uint8_t *)&number;
        if (!node_fits(left.bytes, &entry))
            break;
        node_insert(left.bytes, count, &entry, &moves);
    }
    node_cut_choose(left.bytes, count, &entry, &cut);
    cr_assert_eq(cut.index, count);
    node_split(left.bytes, right.bytes, 8, &cut);
    cr_assert_eq(node_of(left.bytes).count, count);
    cr_assert_eq(node_of(right.bytes).count, 0);
}

/* Entries at the limit between separators at the limit: two pages are not enough for three. */
Test(node_split, the_largest_entries_are_cut_until_they_fit)
{
    static struct model_entry first, second, third;
    static struct model_entry *const entries[] = {&first, &second, &third};
    struct model *model = calloc(1, sizeof(*model));
    struct test_page page = {{0}};

    for (uint32_t i = 0; i < 3; i++) {
        struct model_entry *entry = entries[i];

        memset(entry->key, 'k', NODE_KEY_SIZE_MAX);
        entry->key_size = NODE_KEY_SIZE_MAX;
        entry->key[NODE_KEY_SIZE_MAX - 1] = (uint8_t)('a' + i);
        entry->value_size = NODE_ENTRY_SIZE_MAX - NODE_KEY_SIZE_MAX;
    }
    static const uint32_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 2, 0}, {2, 1, 0}};

    for (uint32_t o = 0; o < 4; o++) {
        model->count = 0;
        node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &no_fences);
        cut_until_it_fits(page.bytes, model, 0, 0, entries[orders[o][0]]);
        cut_until_it_fits(page.bytes, model, 0, 1, entries[orders[o][1]]);
        if (node_of(page.bytes).count == 2)
            cut_until_it_fits(page.bytes, model, 0, 2, entries[orders[o][2]]);
    }
    free(model);
}

static void
put_child(uint8_t *page, uint32_t index, const uint8_t *key, size_t key_size, uint32_t child)
{
    le32 bytes = le32_of(child);
    struct node_moves moves;
    struct node_entry entry = {
        .key = key, .key_size = key_size, .value = bytes.byte, .value_size = NODE_CHILD_SIZE};

    node_insert(page, index, &entry, &moves);
}

static void
check_children(const uint8_t *page, uint32_t first, uint32_t count)
{
    struct node node = node_of(page);

    cr_assert_eq(node.count, count);
    for (uint32_t place = 0; place <= count; place++) {
        uint32_t child;

        cr_assert(node_child_at(&node, place, &child));
        cr_assert_eq(child, first + place);
    }
}

/* The key at the cut goes up; all children stay, in order. Merging brings the key back down. */
Test(node_split, inner_nodes_are_cut_at_a_key_and_joined_again)
{
    struct test_page left = {{0}};
    struct test_page right;
    struct node_cut cut;
    uint8_t key[40] = {0};
    const char *reason = "none";

    node_init(left.bytes, NODE_VAR, 7, 3, 1, 1000, &no_fences);
    for (uint32_t i = 0; i < 40; i++) {
        key[0] = (uint8_t)(i + 1);
        put_child(left.bytes, i, key, sizeof(key), 1001 + i);
    }
    key[0] = 20;
    le32 child = le32_of(5);
    struct node_entry entry = {
        .key = key, .key_size = 39, .value = child.byte, .value_size = NODE_CHILD_SIZE};

    node_cut_choose(left.bytes, 19, &entry, &cut);
    node_split(left.bytes, right.bytes, 8, &cut);
    cr_assert_eq(node_validate(left.bytes, &reason), STATUS_OK, "%s", reason);
    cr_assert_eq(node_validate(right.bytes, &reason), STATUS_OK, "%s", reason);
    check_children(left.bytes, 1000, cut.index);
    check_children(right.bytes, 1001 + cut.index, 40 - cut.index - 1);
    cr_assert_eq(node_of(left.bytes).level, 1);
    cr_assert(node_merge_fits(left.bytes, right.bytes));
    node_merge(left.bytes, right.bytes);
    cr_assert_eq(node_validate(left.bytes, &reason), STATUS_OK, "%s", reason);
    check_children(left.bytes, 1000, 40);
}

Test(node_split, an_inner_node_of_one_key_can_be_cut)
{
    struct test_page left = {{0}};
    struct test_page right;
    struct node_cut cut;
    uint8_t key[10] = {5};
    le32 child = le32_of(5);
    struct node_entry entry = {.key = (const uint8_t *)"z",
                               .key_size = 1,
                               .value = child.byte,
                               .value_size = NODE_CHILD_SIZE};

    node_init(left.bytes, NODE_VAR, 7, 3, 1, 1000, &no_fences);
    put_child(left.bytes, 0, key, sizeof(key), 1001);
    node_cut_choose(left.bytes, 1, &entry, &cut);
    node_split(left.bytes, right.bytes, 8, &cut);
    check_children(left.bytes, 1000, 0);
    check_children(right.bytes, 1001, 0);
}

Test(node_split, halves_join_to_what_was_cut)
{
    static struct model_entry drawn;
    struct model *model = calloc(1, sizeof(*model));
    uint32_t joined = 0;

    for (uint64_t seed = 1; seed <= 80; seed++) {
        enum key_shape shape = (enum key_shape)(seed % KEY_SHAPE_COUNT);
        struct test_page left = {{0}};
        struct test_page right;
        struct random random;
        struct node_cut cut;
        struct node_moves moves;
        uint32_t index;

        random_init(&random, seed);
        model->count = 0;
        node_init(left.bytes, NODE_VAR, 7, 3, 0, 77, &no_fences);
        fill_until_full(&random, shape, left.bytes, model, &drawn, &index);
        struct node_entry entry = model_node_entry(&drawn);

        while (model->count > 2 && node_used_size(left.bytes) > PAGE_SIZE / 2) {
            node_remove(left.bytes, 0, &moves);
            model_remove(model, 0);
            index = index > 0 ? index - 1 : 0;
        }
        node_cut_choose(left.bytes, index, &entry, &cut);
        node_split(left.bytes, right.bytes, 8, &cut);
        if (!node_merge_fits(left.bytes, right.bytes))
            continue;
        node_merge(left.bytes, right.bytes);
        model_compare(model, 0, model->count, left.bytes, "joined");
        cr_assert_eq(node_of(left.bytes).link, 77);
        joined++;
    }
    cr_assert_gt(joined, 40);
    free(model);
}

/* covers: B1 */
Test(node_split, a_root_takes_the_place_of_its_only_child_and_keeps_its_number)
{
    struct test_page root = {{0}};
    struct test_page child = {{0}};
    struct node_moves moves;
    struct node_entry entry = {
        .key = (const uint8_t *)"k", .key_size = 1, .value = (const uint8_t *)"v", .value_size = 1};
    const char *reason = "none";

    node_init(root.bytes, NODE_VAR, 7, 3, 1, 8, &no_fences);
    node_init(child.bytes, NODE_VAR, 8, 3, 0, PAGE_NONE, &no_fences);
    node_insert(child.bytes, 0, &entry, &moves);
    node_replace_root(root.bytes, child.bytes);
    struct node node = node_of(root.bytes);

    cr_assert_eq(node_validate(root.bytes, &reason), STATUS_OK, "%s", reason);
    cr_assert(node.level == 0 && node.count == 1);
    cr_assert_eq(le32_get(((struct page_header *)root.bytes)->page_number), 7);
}
