/*
 * Reading a slotted node: loading, bounds, search.
 *
 * A slot is one aligned 8-byte load, so even under a view it is some slot that was there. Offsets and
 * sizes from it are bounded before use; the bytes behind them may be torn, which only makes a
 * comparison go the wrong way in an answer that the view then rejects.
 *
 * Hints name the slots to search (node_var_blocks.c). Search compares heads first: four bytes after the prefix as one number. Only where heads are equal
 * are the cells touched. With equal heads and one key not longer than a head, the shorter key is the
 * smaller: the zeros that fill its head stand for nothing, and the longer one begins with it.
 */
#include "btree/node_private.h"

static uint32_t
load_head(const uint8_t *suffix, size_t size)
{
    uint32_t raw = 0;

    memcpy(&raw, suffix, size < NODE_HEAD_SIZE ? size : NODE_HEAD_SIZE);
    return __builtin_bswap32(raw);
}

static uint64_t
load_slot(const struct node *node, uint32_t index)
{
    struct page_view view = {.bytes = node->bytes};

    return view_u64(&view, NODE_HEADER_SIZE + index * NODE_SLOT_SIZE);
}

static uint32_t
slot_offset(uint64_t slot)
{
    return (uint32_t)(slot & 0xffff);
}

static uint32_t
slot_key_size(uint64_t slot)
{
    return (uint32_t)(slot >> 16 & 0xffff);
}

static uint32_t
slot_head(uint64_t slot)
{
    return (uint32_t)(slot >> 32);
}

static bool
type_is_right(uint8_t type, uint8_t level)
{
    return level == 0 ? type == PAGE_TYPE_LEAF_VAR : type == PAGE_TYPE_INNER_VAR;
}

/* The parts of the page lie in order and inside it. */
static bool
header_is_bounded(const struct node *node)
{
    uint32_t fences = (uint32_t)node->low_size + node->high_size;

    return node->low_size <= NODE_KEY_SIZE_MAX && node->high_size <= NODE_KEY_SIZE_MAX &&
           node->prefix_size <= node->low_size && node->prefix_size <= node->high_size &&
           node->count <= NODE_SLOT_MAX && node->heap_offset <= PAGE_SIZE - fences &&
           NODE_HEADER_SIZE + (uint32_t)node->count * NODE_SLOT_SIZE <= node->heap_offset &&
           node->dead_size <= PAGE_SIZE - fences - node->heap_offset;
}

bool
node__var_load(const struct page_view *view, struct node *out)
{
    uint8_t type = view_u8(view, offsetof(struct page_header, type));
    uint64_t sizes = view_u64(view, offsetof(struct node_header, count));

    out->bytes = view->bytes;
    out->kind = NODE_VAR;
    out->form = 0;
    out->capacity = 0;
    out->value_size = 0;
    out->tree_id = view_u32(view, offsetof(struct page_header, tree_id));
    out->level = view_u8(view, offsetof(struct page_header, level));
    out->link = view_u32(view, offsetof(struct node_header, link));
    out->count = (uint16_t)sizes;
    out->heap_offset = (uint16_t)(sizes >> 16);
    out->dead_size = (uint16_t)(sizes >> 32);
    out->prefix_size = (uint16_t)(sizes >> 48);
    out->low_size = view_u16(view, offsetof(struct node_header, low_size));
    out->high_size = view_u16(view, offsetof(struct node_header, high_size));
    if (!type_is_right(type, out->level) || !header_is_bounded(out))
        return false;
    out->low = view->bytes + PAGE_SIZE - out->low_size;
    out->high = out->low - out->high_size;
    return true;
}

static int
compare_keys(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    size_t common = a_size < b_size ? a_size : b_size;
    int order = memcmp(a, b, common);

    if (order != 0)
        return order;
    return a_size < b_size ? -1 : a_size > b_size;
}

/* A key to look for, without the node's prefix. */
struct target {
    const uint8_t *suffix;
    size_t size;
    uint32_t head;
};

/* Order of a slot's key against the target, heads being equal; false when the slot is impossible. */
static bool
compare_rest(const struct node *node, uint64_t slot, const struct target *target, int *out)
{
    uint32_t size = slot_key_size(slot);

    if (size <= NODE_HEAD_SIZE || target->size <= NODE_HEAD_SIZE) {
        *out = size < target->size ? -1 : size > target->size;
        return true;
    }
    size -= NODE_HEAD_SIZE;
    uint32_t offset = slot_offset(slot) + NODE_CELL_HEADER_SIZE;
    if (offset + size > PAGE_SIZE)
        return false;
    *out = compare_keys(node->bytes + offset, size, target->suffix + NODE_HEAD_SIZE,
                        target->size - NODE_HEAD_SIZE);
    return true;
}

/* First slot of [low, high) whose head is not below `head`; without branches, which would be
 * mispredicted half of the time. */
static uint32_t
first_head(const struct node *node, uint32_t low, uint32_t high, uint32_t head)
{
    uint32_t size = high - low;

    while (size > 1) {
        uint32_t half = size / 2;
        uint32_t below = slot_head(load_slot(node, low + half - 1)) < head;

        low += half & (0 - below);
        size -= half;
    }
    return low + (size == 1 && slot_head(load_slot(node, low)) < head);
}

/* Among slots [low, high) with whole keys. */
static bool
search_keys(const struct node *node, const struct target *target, uint32_t low, uint32_t high,
            uint32_t *index_out, bool *equal_out)
{
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        uint64_t slot = load_slot(node, middle);
        int order = slot_head(slot) < target->head ? -1 : slot_head(slot) > target->head;

        if (order == 0 && !compare_rest(node, slot, target, &order))
            return false;
        if (order == 0) {
            *equal_out = true;
            low = middle;
            break;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *index_out = low;
    return true;
}

bool
node__var_search(const struct node *node, const uint8_t *key, size_t key_size, uint32_t *index_out,
                 bool *equal_out)
{
    if (key_size < node->prefix_size)
        return false;
    struct target target = {key + node->prefix_size, key_size - node->prefix_size, 0};
    uint32_t low;
    uint32_t high;
    int order;

    CHECK(node->count <= NODE_SLOT_MAX);
    target.head = load_head(target.suffix, target.size);
    *equal_out = false;
    if (!node__var_block_bounds(node, target.head, &low, &high))
        return false;
    low = first_head(node, low, high, target.head);
    *index_out = low;
    if (low == high || slot_head(load_slot(node, low)) != target.head)
        return true;
    /* Mostly heads are enough, and this is the only one. */
    if (!compare_rest(node, load_slot(node, low), &target, &order))
        return false;
    *equal_out = order == 0;
    return order >= 0 || search_keys(node, &target, low + 1, high, index_out, equal_out);
}

bool
node__var_row_at(const struct node *node, uint32_t index, struct node_row *out)
{
    CHECK(index < node->count);
    uint64_t slot = load_slot(node, index);
    uint32_t offset = slot_offset(slot);
    uint32_t heap_end = PAGE_SIZE - (uint32_t)node->low_size - node->high_size;
    uint32_t head = __builtin_bswap32(slot_head(slot));

    if (offset < node->heap_offset || offset + NODE_CELL_HEADER_SIZE > heap_end ||
        slot_key_size(slot) + node->prefix_size > NODE_KEY_SIZE_MAX)
        return false;
    const uint8_t *cell = node->bytes + offset;
    uint32_t value = (uint32_t)cell[0] | (uint32_t)cell[1] << 8;
    uint32_t rest_size =
        slot_key_size(slot) > NODE_HEAD_SIZE ? slot_key_size(slot) - NODE_HEAD_SIZE : 0;

    out->key_size = (uint16_t)slot_key_size(slot);
    out->value_size = (uint16_t)(value & NODE_VALUE_SIZE_MASK);
    out->is_overflow = (value & NODE_VALUE_OVERFLOW) != 0;
    memcpy(out->head, &head, NODE_HEAD_SIZE);
    out->rest = cell + NODE_CELL_HEADER_SIZE;
    out->value = out->rest + rest_size;
    out->cell_offset = offset;
    out->cell_size = NODE_CELL_HEADER_SIZE + rest_size + out->value_size;
    return offset + out->cell_size <= heap_end;
}

bool
node__var_value(const struct node *node, uint32_t index, const uint8_t **value_out,
                uint32_t *size_out)
{
    CHECK(index < node->count);
    uint64_t slot = load_slot(node, index);
    uint32_t offset = slot_offset(slot), key_size = slot_key_size(slot);
    uint32_t heap_end = PAGE_SIZE - (uint32_t)node->low_size - node->high_size;
    uint32_t begin = offset + NODE_CELL_HEADER_SIZE;

    if (offset < node->heap_offset || begin > heap_end)
        return false;
    begin += key_size > NODE_HEAD_SIZE ? key_size - NODE_HEAD_SIZE : 0;
    uint32_t value = (uint32_t)node->bytes[offset] | (uint32_t)node->bytes[offset + 1] << 8;
    *value_out = node->bytes + begin;
    *size_out = value & NODE_VALUE_SIZE_MASK;
    return (value & NODE_VALUE_OVERFLOW) == 0 && begin <= heap_end && *size_out <= heap_end - begin;
}

bool
node__var_row_key(const struct node *node, const struct node_row *row, uint8_t *out,
                  size_t *size_out)
{
    size_t size = (size_t)node->prefix_size + row->key_size;
    size_t head_size = row->key_size < NODE_HEAD_SIZE ? row->key_size : NODE_HEAD_SIZE;

    if (size > NODE_KEY_SIZE_MAX)
        return false;
    memcpy(out, node->low, node->prefix_size);
    memcpy(out + node->prefix_size, row->head, head_size);
    memcpy(out + node->prefix_size + head_size, row->rest, row->key_size - head_size);
    *size_out = size;
    return true;
}
