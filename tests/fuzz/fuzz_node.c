/*
 * Goal: no bytes of a tree page lead outside of it, and what validation accepts can be searched,
 * changed, cut and joined without a CHECK failing.
 * Method: the first half of the input becomes the page behind its header, the second half its end,
 * where the fences lie; the first byte chooses leaf or inner page and the kind of node. Reading is done on any bytes,
 * changing on what passes the shape, cutting and joining on what passes the whole rule.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "btree/node.h"
#include "pager/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the input, together the page without its header. */
enum { TAIL_MAX = PAGE_SIZE / 2, HEAD_MAX = PAGE_SIZE / 2 - PAGE_HEADER_SIZE };

static _Alignas(8) uint8_t page[PAGE_SIZE];
static _Alignas(8) uint8_t other[PAGE_SIZE];

static void
read_all(const void *bytes)
{
    uint8_t key[NODE_KEY_SIZE_MAX];
    struct node node;
    struct node_row row;
    uint32_t index;
    size_t key_size;
    bool equal;

    if (!node_load_page(bytes, &node))
        return;
    for (uint32_t i = 0; i < node.count; i++)
        if (node_row_at(&node, i, &row) && node_row_key(&node, &row, key, &key_size)) {
            (void)node_holds(&node, NODE_AT, key, key_size);
            (void)node_search(&node, key, key_size, &index, &equal);
        }
    for (uint32_t place = 0; node.level > 0 && place <= node.count; place++)
        (void)node_child_at(&node, place, &index);
}

static void
must_be_valid(const void *bytes)
{
    const char *reason;

    if (node_validate(bytes, &reason) != STATUS_OK)
        abort();
}

/* Removes and inserts at the front, middle and end: positions do not matter to the shape. */
static void
change(void)
{
    uint8_t key[NODE_KEY_SIZE_MAX] = {0};
    struct node_entry entry = {.key = key, .value = (const uint8_t *)"1234", .value_size = 4};
    struct node_moves moves;
    struct node node;

    memcpy(other, page, PAGE_SIZE);
    if (!node_load_page(other, &node))
        abort();
    memcpy(key, node.low, node.prefix_size);
    entry.key_size = node.kind == NODE_INT ? NODE_INT_KEY_SIZE : node.prefix_size + 3u;
    uint32_t empty_size = node.kind == NODE_INT
                              ? (uint32_t)NODE_INT_HEADER_SIZE
                              : NODE_HEADER_SIZE + (uint32_t)node.low_size + node.high_size;

    for (uint32_t i = 0; i < 3 && entry.key_size <= NODE_KEY_SIZE_MAX; i++) {
        if (node_fits(other, &entry))
            node_insert(other, node.count * i / 2, &entry, &moves);
    }
    while (node_load_page(other, &node) && node.count > 0)
        node_remove(other, node.count / 2u, &moves);
    if (node_used_size(other) != empty_size)
        abort();
}

/* The whole rule holds: cut before a new last entry and join again. */
static void
cut_and_join(void)
{
    static _Alignas(8) uint8_t right[PAGE_SIZE];
    uint8_t key[NODE_KEY_SIZE_MAX];
    struct node_entry entry = {.key = key, .value = (const uint8_t *)"1234", .value_size = 4};
    struct node_row row;
    struct node_cut cut;
    struct node node;

    memcpy(other, page, PAGE_SIZE);
    if (!node_load_page(other, &node) || node.count < 2)
        return;
    if (!node_row_at(&node, node.count / 2u, &row) ||
        !node_row_key(&node, &row, key, &entry.key_size))
        abort();
    node_cut_choose(other, node.count / 2u, &entry, &cut);
    node_split(other, right, 9, &cut);
    must_be_valid(other);
    must_be_valid(right);
    if (node_merge_fits(other, right)) {
        node_merge(other, right);
        must_be_valid(other);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *reason;

    if (size < 2)
        return 0;
    size_t count = size - 1;
    size_t head = count - count / 2 < HEAD_MAX ? count - count / 2 : HEAD_MAX;
    size_t tail = count - head < TAIL_MAX ? count - head : TAIL_MAX;

    page_init(page, 7, 3, node_page_type((enum node_kind)(data[0] / 2 % 2), data[0] % 2),
              data[0] % 2);
    memcpy(page + PAGE_HEADER_SIZE, data + 1, head);
    memcpy(page + PAGE_SIZE - tail, data + size - tail, tail);
    read_all(page);
    if (node_validate_shape(page, &reason) == STATUS_OK)
        change();
    if (node_validate(page, &reason) == STATUS_OK)
        cut_and_join();
    return 0;
}
