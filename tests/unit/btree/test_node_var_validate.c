/*
 * Goal: no bytes make reading a node go out of its page, and a node that passes validation in shape
 * can be changed without a check failing.
 * Method: valid nodes with bytes changed at random and pages of random bytes; every reading function
 * on all of them, every changing function on those that pass. Each clause of the rule in
 * node_format.h is broken once by hand and must be named.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "btree/node_private.h"
#include "tests/unit/btree/node_help.h"

static void
build(struct random *random, uint8_t *page)
{
    struct node_fences fences = {(const uint8_t *)"\x01", 1, (const uint8_t *)"\x03\x01", 2};
    static struct model_entry drawn;
    struct node_moves moves;

    node_init(page, NODE_VAR, 7, 3, 0, PAGE_NONE, &fences);
    for (uint32_t i = 0; i < 80; i++) {
        struct node_entry entry = model_draw(random, KEYS_SHORT, &drawn);
        struct node node = node_of(page);
        uint32_t index;
        bool equal;

        if (!node_holds(&node, NODE_AT, entry.key, entry.key_size) || !node_fits(page, &entry))
            continue;
        cr_assert(node_search(&node, entry.key, entry.key_size, &index, &equal));
        if (!equal)
            node_insert(page, index, &entry, &moves);
    }
}

/* Whatever the bytes say, nothing is read past the page: the sanitizers watch. */
static void
read_everything(const void *page)
{
    uint8_t key[NODE_KEY_SIZE_MAX];
    struct node node;
    struct node_row row;
    uint32_t index;
    size_t size;
    bool equal;

    if (!node_load_page(page, &node))
        return;
    (void)node_holds(&node, NODE_AT, (const uint8_t *)"\x02\x02", 2);
    (void)node_search(&node, (const uint8_t *)"\x02\x02\x02\x02\x02\x02", 6, &index, &equal);
    for (uint32_t i = 0; i < node.count; i++)
        if (node_row_at(&node, i, &row) && node_row_key(&node, &row, key, &size))
            (void)node_search(&node, key, size, &index, &equal);
    for (uint32_t place = 0; node.level > 0 && place <= node.count; place++)
        (void)node_child_at(&node, place, &index);
}

static void
change_if_valid(struct random *random, uint8_t *page)
{
    struct node_entry entry = {.key_size = 4, .value = (const uint8_t *)"value", .value_size = 5};
    uint8_t key[NODE_KEY_SIZE_MAX];
    struct node_moves moves;
    const char *reason;
    struct node node;

    if (node_validate_shape(page, &reason) != STATUS_OK)
        return;
    cr_assert(node_load_page(page, &node));
    random_bytes(random, key, sizeof(key));
    memcpy(key, node.low, node.prefix_size);
    entry.key = key;
    entry.key_size = node.prefix_size + 4u;
    if (entry.key_size <= NODE_KEY_SIZE_MAX && node_fits(page, &entry))
        node_insert(page, (uint32_t)random_below(random, node.count + 1u), &entry, &moves);
    if (node.count > 1)
        node_remove(page, (uint32_t)random_below(random, node.count), &moves);
}

/* covers: B9 */
Test(node_validate, damaged_nodes_are_read_and_changed_within_their_page)
{
    struct test_page *page = malloc(sizeof(*page));
    struct random random;

    random_init(&random, 11);
    for (uint32_t round = 0; round < 4000; round++) {
        build(&random, page->bytes);
        for (uint64_t i = random_below(&random, 6); i > 0; i--) {
            uint64_t limit = random_chance(&random, 1, 2) ? NODE_HEADER_SIZE + 64 : PAGE_SIZE;
            uint64_t at = 24 + random_below(&random, limit - 24);

            page->bytes[at] = (uint8_t)random_u64(&random);
        }
        read_everything(page->bytes);
        change_if_valid(&random, page->bytes);
        read_everything(page->bytes);
    }
    free(page);
}

/* covers: B9 */
Test(node_validate, random_bytes_are_read_within_their_page)
{
    struct test_page *page = malloc(sizeof(*page));
    struct random random;

    random_init(&random, 12);
    for (uint32_t round = 0; round < 3000; round++) {
        struct node_header *header = (struct node_header *)page->bytes;

        random_bytes(&random, page->bytes, PAGE_SIZE);
        header->page.level = (uint8_t)random_below(&random, 2);
        header->page.type = header->page.level == 0 ? PAGE_TYPE_LEAF_VAR : PAGE_TYPE_INNER_VAR;
        header->count = le16_of((uint16_t)random_below(&random, 300));
        header->heap_offset = le16_of((uint16_t)(2500 + random_below(&random, 1500)));
        header->low_size = le16_of((uint16_t)random_below(&random, 20));
        header->high_size = le16_of((uint16_t)random_below(&random, 20));
        header->prefix_size = le16_of((uint16_t)random_below(&random, 10));
        header->dead_size = le16_of((uint16_t)random_below(&random, 100));
        read_everything(page->bytes);
        change_if_valid(&random, page->bytes);
    }
    free(page);
}

static const char *
reason_of(const void *page)
{
    const char *reason = "accepted";

    return node_validate(page, &reason) == STATUS_OK ? "accepted" : reason;
}

#define REFUSED(page, text) cr_assert_str_eq(reason_of((page).bytes), text)

Test(node_validate, each_clause_of_the_rule_is_checked)
{
    struct test_page good;
    struct test_page bad;
    struct random random;
    struct node_header *header = (struct node_header *)bad.bytes;
    struct node_slot *slots = node__slots(bad.bytes);

    random_init(&random, 13);
    build(&random, good.bytes);
    cr_assert_str_eq(reason_of(good.bytes), "accepted");
    bad = good;
    header->page.level = 1;
    REFUSED(bad, "the header of the node is out of bounds");
    bad = good;
    header->reserved[3] = 1;
    REFUSED(bad, "reserved bytes of the node are not zero");
    bad = good;
    header->prefix_size = le16_of(1);
    REFUSED(bad, "the prefix is not one of both fences");
    bad = good;
    bad.bytes[PAGE_SIZE - 1] = 4;
    REFUSED(bad, "the high fence is not above the low one");
    bad = good;
    slots[2].offset = le16_of(NODE_HEADER_SIZE);
    REFUSED(bad, "a cell lies outside the heap");
    bad = good;
    header->dead_size = le16_of((uint16_t)(le16_get(header->dead_size) + 1));
    REFUSED(bad, "the cells do not add up to the heap");
    bad = good;
    bad.bytes[le16_get(header->heap_offset) - 1] = 1;
    REFUSED(bad, "free space is not zero");
    bad = good;
    struct node_slot slot = slots[1];
    slots[1] = slots[2];
    slots[2] = slot;
    REFUSED(bad, "keys do not rise");
    bad = good;
    header->block[0]++;
    REFUSED(bad, "the blocks' slots do not add up to the node's");
    bad = good;
    header->hint[NODE_BLOCK_COUNT - 1] = le32_of(5);
    REFUSED(bad, "the last hint is a bound");
    bad = good;
    header->hint[1] = le32_of(0);
    REFUSED(bad, "hints fall");
    bad = good;
    header->hint[0] = le32_of(le32_get(slots[header->block[0] - 1].head) - 1);
    REFUSED(bad, "a head is above its block's hint");
    bad = good;
    header->hint[0] = header->hint[1];
    header->hint[1] = header->hint[2];
    header->hint[2] = header->hint[3];
    REFUSED(bad, "a head is below the hint before its block");
    bad = good;
    slots[le16_get(header->count) - 1].head = le32_of(UINT32_MAX);
    cr_assert_str_neq(reason_of(bad.bytes), "accepted");
}

Test(node_validate, overlapping_cells_are_found)
{
    struct node_fences fences = {NULL, 0, NULL, 0};
    struct test_page page = {{0}};
    struct node_moves moves;
    struct node_entry entry = {
        .key = (const uint8_t *)"a", .key_size = 1, .value = (const uint8_t *)"1", .value_size = 1};
    struct node_slot *slots = node__slots(page.bytes);

    node_init(page.bytes, NODE_VAR, 7, 3, 0, PAGE_NONE, &fences);
    node_insert(page.bytes, 0, &entry, &moves);
    entry.key = (const uint8_t *)"b";
    node_insert(page.bytes, 1, &entry, &moves);
    slots[1].offset = slots[0].offset;
    REFUSED(page, "two cells overlap");
}
