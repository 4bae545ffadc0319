/*
 * Reading an integer node: loading, bounds, search.
 *
 * The arrays begin where the header's capacity says, which is bounded when the node is loaded; a row's
 * number is below count, and count below capacity. Only the slotted form has offsets in the page, each
 * bounded where it is used. How the search goes stands in node_int_search.h.
 *
 * Keys that are not of 8 bytes are looked for too, as cursors may: a shorter one lies just before its
 * first extension, which is the number with zeros at its end; a longer one just behind its first 8
 * bytes.
 */
#include "btree/node_int_search.h"
#include "btree/node_private.h"

static bool
header_is_bounded(const struct node *node, uint8_t type)
{
    if (type != (node->level == 0 ? PAGE_TYPE_LEAF_INT : PAGE_TYPE_INNER_INT) ||
        (node->form != NODE_INT_FIXED && node->form != NODE_INT_SLOTTED) ||
        node->count > node->capacity || node__int_arrays_end(node) > PAGE_SIZE)
        return false;
    if (node->form == NODE_INT_FIXED)
        return node->heap_offset == 0 && node->dead_size == 0 &&
               (node->level == 0 || node->value_size == NODE_CHILD_SIZE);
    return node->level == 0 && node->heap_offset >= node__int_arrays_end(node) &&
           node->heap_offset <= PAGE_SIZE && node->dead_size <= PAGE_SIZE - node->heap_offset;
}

bool
node__int_load(const struct page_view *view, struct node *out)
{
    uint64_t sizes = view_u64(view, offsetof(struct node_int_header, count));
    uint8_t fences = view_u8(view, offsetof(struct node_int_header, fences));

    out->bytes = view->bytes;
    out->kind = NODE_INT;
    out->tree_id = view_u32(view, offsetof(struct page_header, tree_id));
    out->level = view_u8(view, offsetof(struct page_header, level));
    out->link = view_u32(view, offsetof(struct node_int_header, link));
    out->form = view_u8(view, offsetof(struct node_int_header, form));
    out->count = (uint16_t)sizes;
    out->capacity = (uint16_t)(sizes >> 16);
    out->value_size = (uint16_t)(sizes >> 32);
    out->heap_offset = (uint16_t)(sizes >> 48);
    out->dead_size = view_u16(view, offsetof(struct node_int_header, dead_size));
    out->prefix_size = 0;
    out->low_size = (fences & NODE_INT_HAS_LOW) != 0 ? NODE_INT_KEY_SIZE : 0;
    out->high_size = (fences & NODE_INT_HAS_HIGH) != 0 ? NODE_INT_KEY_SIZE : 0;
    out->low = view->bytes + offsetof(struct node_int_header, low);
    out->high = view->bytes + offsetof(struct node_int_header, high);
    return header_is_bounded(out, view_u8(view, offsetof(struct page_header, type)));
}

static uint32_t
find_scalar(const uint8_t *page, uint32_t count, uint64_t key)
{
    return node__int_lower_bound(page, count, key, node__int_below_scalar);
}

#if NODE_INT_X86

NODE_INT_TARGET_AVX2 static uint32_t
find_avx2(const uint8_t *page, uint32_t count, uint64_t key)
{
    return node__int_lower_bound(page, count, key, node__int_below_avx2);
}

NODE_INT_TARGET_AVX512 static uint32_t
find_avx512(const uint8_t *page, uint32_t count, uint64_t key)
{
    return node__int_lower_bound(page, count, key, node__int_below_avx512);
}

#endif

uint32_t
node__int_find(const uint8_t *page, uint32_t count, uint64_t key, int simd)
{
#if NODE_INT_X86
    if (simd == NODE_INT_AVX512)
        return find_avx512(page, count, key);
    if (simd == NODE_INT_AVX2)
        return find_avx2(page, count, key);
#endif
    CHECK(simd == NODE_INT_SCALAR);
    return find_scalar(page, count, key);
}

static uint64_t
key_at(const struct node *node, uint32_t index)
{
    struct page_view view = {.bytes = node->bytes};

    return view_u64(&view, NODE_INT_HEADER_SIZE + index * NODE_INT_KEY_SIZE);
}

bool
node__int_search(const struct node *node, const uint8_t *key, size_t key_size, uint32_t *index_out,
                 bool *equal_out)
{
    uint64_t number = 0;

    memcpy(&number, key, key_size < NODE_INT_KEY_SIZE ? key_size : NODE_INT_KEY_SIZE);
    number = __builtin_bswap64(number);
    uint32_t index = node__int_find(node->bytes, node->count, number, (int)node__int_simd());

    if (index > node->count)
        return false;
    *equal_out = index < node->count && key_at(node, index) == number;
    if (*equal_out && key_size != NODE_INT_KEY_SIZE) {
        *equal_out = false;
        index += key_size > NODE_INT_KEY_SIZE;
    }
    *index_out = index;
    return true;
}

static uint32_t
slotted_values(const struct node *node, uint32_t first, uint32_t count, const void **values,
               uint32_t *sizes)
{
    const uint8_t *slots =
        node->bytes + NODE_INT_HEADER_SIZE + (size_t)node->capacity * NODE_INT_KEY_SIZE;
    uint32_t taken = 0;

    for (; taken < count; taken++) {
        struct node_int_slot slot;

        memcpy(&slot, slots + (size_t)(first + taken) * NODE_INT_SLOT_SIZE, sizeof(slot));
        uint32_t offset = le16_get(slot.offset), size = le16_get(slot.value);
        /* A large value's bit makes the size too large for the page. */
        if (offset < node->heap_offset || offset + size > PAGE_SIZE)
            break;
        values[taken] = node->bytes + offset;
        sizes[taken] = size;
    }
    return taken;
}

uint32_t
node__int_values(const struct node *node, uint32_t first, uint32_t count, const void **values,
                 uint32_t *sizes)
{
    uint32_t array = NODE_INT_HEADER_SIZE + (uint32_t)node->capacity * NODE_INT_KEY_SIZE;

    CHECK(first + count <= node->count && node->count <= node->capacity);
    if (node->form != NODE_INT_FIXED)
        return slotted_values(node, first, count, values, sizes);
    for (uint32_t i = 0; i < count; i++) {
        values[i] = node->bytes + array + (size_t)(first + i) * node->value_size;
        sizes[i] = node->value_size;
    }
    return count;
}

bool
node__int_row_at(const struct node *node, uint32_t index, struct node_row *out)
{
    uint32_t values = NODE_INT_HEADER_SIZE + (uint32_t)node->capacity * NODE_INT_KEY_SIZE;
    struct node_int_slot slot;

    CHECK(index < node->count && node->count <= node->capacity);
    out->number = key_at(node, index);
    out->key_size = NODE_INT_KEY_SIZE;
    out->rest = NULL;
    if (node->form == NODE_INT_FIXED) {
        out->value_size = node->value_size;
        out->is_overflow = false;
        out->cell_offset = values + index * node->value_size;
    } else {
        memcpy(&slot, node->bytes + values + (size_t)index * NODE_INT_SLOT_SIZE, sizeof(slot));
        out->value_size = le16_get(slot.value) & NODE_VALUE_SIZE_MASK;
        out->is_overflow = (le16_get(slot.value) & NODE_VALUE_OVERFLOW) != 0;
        out->cell_offset = le16_get(slot.offset);
        if (out->cell_offset < node->heap_offset)
            return false;
    }
    out->cell_size = out->value_size;
    out->value = node->bytes + out->cell_offset;
    return out->cell_offset + out->cell_size <= PAGE_SIZE;
}
