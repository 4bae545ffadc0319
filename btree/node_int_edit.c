/*
 * Changing an integer node in place.
 *
 * Inserting moves the rest of both arrays up by one entry, which the pager is told, so that the log
 * gets the row and a few bytes. What a removal leaves behind count stays as it is: clearing it would be
 * logged.
 *
 * A leaf begins in the fixed form. The first value of another size, or the first overflow reference,
 * turns it into the slotted form, which lasts until the page is cut or joined; then the form is chosen
 * anew. The slotted form's capacity is a guess of how many rows of this size will fit; where it was
 * wrong, and where the heap's dead bytes are needed, the page is laid out anew through a copy on the
 * stack.
 *
 * Blocks: a row appended behind all others opens a new block when the last one has its share of a full
 * page, so that a load in order needs no more. Otherwise the row goes to the block that the hints say,
 * and when one has become too long all are made anew, of one size.
 */
#include "btree/node_int_search.h"
#include "btree/node_private.h"

enum { BLOCK_LONG = 32 };

static struct node_int_header *
header_of(void *page)
{
    return page;
}

static uint8_t *
keys_of(void *page)
{
    return (uint8_t *)page + NODE_INT_HEADER_SIZE;
}

/* Values or slots. */
static uint32_t
values_offset(const void *page)
{
    const struct node_int_header *header = page;

    return NODE_INT_HEADER_SIZE + (uint32_t)le16_get(header->capacity) * NODE_INT_KEY_SIZE;
}

static uint64_t
number_of(const struct node_entry *entry)
{
    uint64_t number;

    CHECK(entry->key_size == NODE_INT_KEY_SIZE);
    memcpy(&number, entry->key, sizeof(number));
    return __builtin_bswap64(number);
}

static uint32_t
fixed_capacity(uint32_t value_size)
{
    return (PAGE_SIZE - NODE_INT_HEADER_SIZE) / (NODE_INT_KEY_SIZE + value_size);
}

/* Bytes of the values of all rows. */
static uint32_t
values_size(const struct node *node)
{
    if (node->form == NODE_INT_FIXED)
        return (uint32_t)node->count * node->value_size;
    return (uint32_t)PAGE_SIZE - node->heap_offset - node->dead_size;
}

static uint32_t
slotted_size(uint32_t count, uint32_t values)
{
    return NODE_INT_HEADER_SIZE + count * (NODE_INT_KEY_SIZE + NODE_INT_SLOT_SIZE) + values;
}

/* ---- Blocks ------------------------------------------------------------------------------------- */

/* All blocks anew, of one size. */
static void
make_blocks(void *page)
{
    struct node_int_header *header = header_of(page);
    uint32_t count = le16_get(header->count);
    uint32_t share = (count + NODE_BLOCK_COUNT - 1) / NODE_BLOCK_COUNT;

    for (uint32_t block = 0; block < NODE_BLOCK_COUNT; block++) {
        uint32_t first = block * share;
        uint32_t end = first + share;

        header->hint[block] = le64_of(UINT64_MAX);
        if (end < count)
            memcpy(&header->hint[block], keys_of(page) + (size_t)(end - 1) * NODE_INT_KEY_SIZE, 8);
        header->block[block] = (uint8_t)(first >= count ? 0 : end < count ? share : count - first);
    }
    CHECK(share <= NODE_BLOCK_MAX);
}

static uint32_t
block_of(const void *page, uint64_t number)
{
    const struct node_int_header *header = page;
    uint32_t block = 0;

    for (uint32_t i = 0; i < NODE_BLOCK_COUNT - 1; i++)
        block += le64_get(header->hint[i]) < number;
    return block;
}

/* After row `index` was put in. */
static void
blocks_insert(void *page, uint32_t index, uint64_t number)
{
    struct node_int_header *header = header_of(page);
    uint32_t count = le16_get(header->count);
    uint32_t share = le16_get(header->capacity) / NODE_BLOCK_COUNT;
    uint32_t longest = 2 * (count / NODE_BLOCK_COUNT);
    uint32_t block = block_of(page, number);

    if (index + 1 == count && index > 0 && block < NODE_BLOCK_COUNT - 1 &&
        le64_get(header->hint[block]) == UINT64_MAX && header->block[block] > 0 &&
        header->block[block] >= share) {
        memcpy(&header->hint[block], keys_of(page) + (size_t)(index - 1) * NODE_INT_KEY_SIZE, 8);
        block++;
    }
    if (header->block[block] >= (longest < BLOCK_LONG ? BLOCK_LONG : longest))
        make_blocks(page);
    else
        header->block[block]++;
}

/* After a row was taken out. */
static void
blocks_remove(void *page, uint64_t number)
{
    struct node_int_header *header = header_of(page);
    uint32_t block = block_of(page, number);

    /* Of a damaged page the hints may say anything. */
    if (header->block[block] == 0)
        make_blocks(page);
    else
        header->block[block]--;
}

/* ---- Layout ------------------------------------------------------------------------------------- */

static void
lay_out_fixed(void *page, uint32_t value_size)
{
    struct node_int_header *header = header_of(page);

    header->form = NODE_INT_FIXED;
    header->capacity = le16_of((uint16_t)fixed_capacity(value_size));
    header->value_size = le16_of((uint16_t)value_size);
    header->heap_offset = le16_of(0);
    header->dead_size = le16_of(0);
}

/* For `count` rows with values of `values` bytes together: room for as many more like them as fit. */
static void
lay_out_slotted(void *page, uint32_t count, uint32_t values)
{
    struct node_int_header *header = header_of(page);
    uint32_t entry = NODE_INT_KEY_SIZE + NODE_INT_SLOT_SIZE;
    uint32_t most = (PAGE_SIZE - NODE_INT_HEADER_SIZE - values) / entry;
    uint32_t likely =
        (PAGE_SIZE - NODE_INT_HEADER_SIZE) / (entry + (count == 0 ? 0 : values / count));

    CHECK(slotted_size(count, values) <= PAGE_SIZE && count <= most);
    if (likely < count)
        likely = count;
    header->form = NODE_INT_SLOTTED;
    header->capacity = le16_of((uint16_t)(likely < most ? likely : most));
    header->value_size = le16_of(0);
    header->heap_offset = le16_of(PAGE_SIZE);
    header->dead_size = le16_of(0);
}

void
node__int_init(void *page, const struct node_fences *fences)
{
    struct node_int_header *header = header_of(page);

    CHECK(fences->low_size == 0 || fences->low_size == NODE_INT_KEY_SIZE);
    CHECK(fences->high_size == 0 || fences->high_size == NODE_INT_KEY_SIZE);
    if (fences->low_size > 0) {
        header->fences |= NODE_INT_HAS_LOW;
        memcpy(header->low, fences->low, NODE_INT_KEY_SIZE);
    }
    if (fences->high_size > 0) {
        header->fences |= NODE_INT_HAS_HIGH;
        memcpy(header->high, fences->high, NODE_INT_KEY_SIZE);
    }
    lay_out_fixed(page, header->page.level == 0 ? 8 : NODE_CHILD_SIZE);
    make_blocks(page);
}

/* Puts a value where row `index` has it; there is room. */
static void
value_write(void *page, uint32_t index, const uint8_t *value, uint32_t size, bool is_overflow)
{
    struct node_int_header *header = header_of(page);
    uint8_t *at = (uint8_t *)page + values_offset(page);

    if (header->form == NODE_INT_FIXED) {
        CHECK(size == le16_get(header->value_size) && !is_overflow);
        at += (size_t)index * size;
    } else {
        uint32_t heap = le16_get(header->heap_offset) - size;
        struct node_int_slot slot = {
            le16_of((uint16_t)heap),
            le16_of((uint16_t)(size | (is_overflow ? NODE_VALUE_OVERFLOW : 0)))};

        CHECK(size <= le16_get(header->heap_offset) &&
              heap >= values_offset(page) +
                          (uint32_t)le16_get(header->capacity) * (uint32_t)NODE_INT_SLOT_SIZE);
        memcpy(at + (size_t)index * NODE_INT_SLOT_SIZE, &slot, sizeof(slot));
        header->heap_offset = le16_of((uint16_t)heap);
        at = (uint8_t *)page + heap;
    }
    if (size > 0)
        memcpy(at, value, size);
}

/* Puts a row behind the last one; leaves the blocks alone. */
static void
append(void *page, uint64_t number, const uint8_t *value, uint32_t size, bool is_overflow)
{
    struct node_int_header *header = header_of(page);
    uint32_t count = le16_get(header->count);

    CHECK(count < le16_get(header->capacity));
    memcpy(keys_of(page) + (size_t)count * NODE_INT_KEY_SIZE, &number, sizeof(number));
    value_write(page, count, value, size, is_overflow);
    header->count = le16_of((uint16_t)(count + 1));
}

/* The same for rows of a node of fixed form, both arrays at once, if the page has their form. */
static bool
append_arrays(void *page, const struct node *source, uint32_t from, uint32_t to)
{
    struct node_int_header *header = header_of(page);
    uint32_t count = le16_get(header->count);
    size_t size = source->value_size;
    const uint8_t *keys = source->bytes + NODE_INT_HEADER_SIZE;
    const uint8_t *values = keys + (size_t)source->capacity * NODE_INT_KEY_SIZE;

    if (source->form != NODE_INT_FIXED || header->form != NODE_INT_FIXED)
        return false;
    CHECK(from == to || le16_get(header->value_size) == source->value_size);
    CHECK(from <= to && to <= source->count && count + (to - from) <= le16_get(header->capacity));
    memcpy(keys_of(page) + (size_t)count * NODE_INT_KEY_SIZE,
           keys + (size_t)from * NODE_INT_KEY_SIZE, (size_t)(to - from) * NODE_INT_KEY_SIZE);
    memcpy(keys_of(page) + (size_t)le16_get(header->capacity) * NODE_INT_KEY_SIZE + count * size,
           values + from * size, (to - from) * size);
    header->count = le16_of((uint16_t)(count + (to - from)));
    return true;
}

static void
append_rows(void *page, const struct node *source, uint32_t from, uint32_t to)
{
    if (append_arrays(page, source, from, to))
        return;
    for (uint32_t i = from; i < to; i++) {
        struct node_row row = node__row_own(source, i);

        append(page, row.number, row.value, row.value_size, row.is_overflow);
    }
}

/* What rows need: whether they can have the fixed form, and bytes. */
struct plan {
    uint32_t count;
    uint32_t values;
    bool mixed;
    uint32_t value_size; /* Of the first row. */
};

static void
plan_row(struct plan *plan, uint32_t size, bool is_overflow)
{
    if (plan->count == 0)
        plan->value_size = size;
    plan->mixed = plan->mixed || is_overflow || size != plan->value_size;
    plan->count++;
    plan->values += size;
}

static void
plan_rows(struct plan *plan, const struct node *source, uint32_t from, uint32_t to)
{
    if (source->form == NODE_INT_FIXED && from < to) {
        plan_row(plan, source->value_size, false);
        plan->count += to - from - 1;
        plan->values += (to - from - 1) * source->value_size;
        return;
    }
    for (uint32_t i = from; i < to; i++) {
        struct node_row row = node__row_own(source, i);

        plan_row(plan, row.value_size, row.is_overflow);
    }
}

static void
lay_out(void *page, const struct plan *plan)
{
    if (plan->count == 0)
        return;
    if (plan->mixed)
        lay_out_slotted(page, plan->count, plan->values);
    else
        lay_out_fixed(page, plan->value_size);
}

void
node__int_fill(void *page, const struct node *source, uint32_t from, uint32_t to)
{
    struct plan plan = {.count = 0};

    plan_rows(&plan, source, from, to);
    lay_out(page, &plan);
    append_rows(page, source, from, to);
    make_blocks(page);
}

uint32_t
node__int_merged_size(const struct node *left, const struct node *right)
{
    struct plan plan = {.count = 0};

    plan_rows(&plan, left, 0, left->count);
    if (left->level > 0)
        plan_row(&plan, NODE_CHILD_SIZE, false);
    plan_rows(&plan, right, 0, right->count);
    if (plan.mixed)
        return slotted_size(plan.count, plan.values);
    return NODE_INT_HEADER_SIZE + plan.count * (NODE_INT_KEY_SIZE + plan.value_size);
}

bool
node__int_merge_may_fit(const struct node *left, const struct node *right)
{
    return NODE_INT_HEADER_SIZE + (left->count + right->count) * (uint32_t)NODE_INT_KEY_SIZE +
               values_size(left) + values_size(right) <=
           PAGE_SIZE;
}

void
node__int_join(void *page, const struct node *left, const struct node *right)
{
    struct plan plan = {.count = 0};

    plan_rows(&plan, left, 0, left->count);
    if (left->level > 0)
        plan_row(&plan, NODE_CHILD_SIZE, false);
    plan_rows(&plan, right, 0, right->count);
    lay_out(page, &plan);
    append_rows(page, left, 0, left->count);
    if (left->level > 0) {
        le32 child = le32_of(right->link);
        uint64_t number;

        CHECK(right->low_size == NODE_INT_KEY_SIZE);
        memcpy(&number, right->low, sizeof(number));
        append(page, __builtin_bswap64(number), child.byte, NODE_CHILD_SIZE, false);
    }
    append_rows(page, right, 0, right->count);
    make_blocks(page);
}

/* Lays the page out anew in the slotted form, with room for `count` more rows with values of `values`
 * bytes. The value of row `without` (UINT32_MAX: none) is dropped. */
static void
refill(void *page, uint32_t count, uint32_t values, uint32_t without)
{
    _Alignas(8) uint8_t copy[PAGE_SIZE];
    struct node_int_header *header = header_of(page);
    uint32_t keys_end;

    memcpy(copy, page, PAGE_SIZE);
    struct node source = node__load_own(copy);
    uint32_t live = values_size(&source);

    if (without != UINT32_MAX)
        live -= node__row_own(&source, without).value_size;
    lay_out_slotted(page, source.count + count, live + values);
    keys_end = NODE_INT_HEADER_SIZE + source.count * (uint32_t)NODE_INT_KEY_SIZE;
    memset((uint8_t *)page + keys_end, 0, PAGE_SIZE - keys_end);
    for (uint32_t i = 0; i < source.count; i++) {
        struct node_row row = node__row_own(&source, i);

        if (i == without)
            value_write(page, i, NULL, 0, false);
        else
            value_write(page, i, row.value, row.value_size, row.is_overflow);
    }
    CHECK(le16_get(header->count) == source.count);
}

/* ---- Room --------------------------------------------------------------------------------------- */

uint32_t
node__int_used_size(const void *page)
{
    struct node node = node__load_own(page);

    if (node.form == NODE_INT_FIXED)
        return NODE_INT_HEADER_SIZE + node.count * (NODE_INT_KEY_SIZE + (uint32_t)node.value_size);
    return slotted_size(node.count, values_size(&node));
}

static bool
has_form_of(const struct node *node, const struct node_entry *entry)
{
    return node->form == NODE_INT_FIXED && entry->value_size == node->value_size &&
           !entry->is_overflow;
}

bool
node__int_fits(const void *page, const struct node_entry *entry)
{
    struct node node = node__load_own(page);

    CHECK(entry->key_size == NODE_INT_KEY_SIZE && entry->value_size <= NODE_ENTRY_SIZE_MAX);
    if (has_form_of(&node, entry))
        return node.count < node.capacity;
    return slotted_size(node.count + 1u, values_size(&node) + (uint32_t)entry->value_size) <=
           PAGE_SIZE;
}

bool
node__int_replace_fits(const void *page, uint32_t index, const struct node_entry *entry)
{
    struct node node = node__load_own(page);
    struct node_row row = node__row_own(&node, index);

    CHECK(entry->key_size == NODE_INT_KEY_SIZE && entry->value_size <= NODE_ENTRY_SIZE_MAX);
    if (has_form_of(&node, entry))
        return true;
    return slotted_size(node.count, values_size(&node) - row.value_size +
                                        (uint32_t)entry->value_size) <= PAGE_SIZE;
}

/* ---- Changing ----------------------------------------------------------------------------------- */

/* The page has an entry's room in both arrays, and `size` bytes in the heap; says how much of it was
 * laid out anew. */
static bool
make_room(void *page, const struct node_entry *entry)
{
    struct node node = node__load_own(page);
    uint32_t size = (uint32_t)entry->value_size;

    if (has_form_of(&node, entry))
        return false;
    if (node.count == 0 && !entry->is_overflow) {
        memset(keys_of(page), 0, PAGE_SIZE - NODE_INT_HEADER_SIZE);
        lay_out_fixed(page, size);
        return true;
    }
    if (node.form == NODE_INT_SLOTTED && node.count < node.capacity &&
        node.heap_offset - node__int_arrays_end(&node) >= size)
        return false;
    refill(page, 1, size, UINT32_MAX);
    return true;
}

void
node__int_insert(void *page, uint32_t index, const struct node_entry *entry,
                 struct node_moves *moves_out)
{
    struct node_int_header *header = header_of(page);
    uint32_t count = le16_get(header->count);
    uint64_t number = number_of(entry);
    bool laid_out = make_room(page, entry);
    uint32_t width =
        header->form == NODE_INT_FIXED ? (uint32_t)entry->value_size : (uint32_t)NODE_INT_SLOT_SIZE;
    uint32_t keys = NODE_INT_HEADER_SIZE + index * NODE_INT_KEY_SIZE;
    uint32_t values = values_offset(page) + index * width;
    uint8_t *bytes = page;

    CHECK(index <= count && count < le16_get(header->capacity));
    node__moves_add(moves_out, keys, keys + NODE_INT_KEY_SIZE, (count - index) * NODE_INT_KEY_SIZE);
    if (!laid_out)
        node__moves_add(moves_out, values, values + width, (count - index) * width);
    memmove(bytes + keys + NODE_INT_KEY_SIZE, bytes + keys,
            (size_t)(count - index) * NODE_INT_KEY_SIZE);
    memmove(bytes + values + width, bytes + values, (size_t)(count - index) * width);
    memcpy(bytes + keys, &number, sizeof(number));
    value_write(page, index, entry->value, (uint32_t)entry->value_size, entry->is_overflow);
    header->count = le16_of((uint16_t)(count + 1));
    blocks_insert(page, index, number);
}

bool
node__int_append(void *page, const struct node_entry *entry)
{
    const struct node_int_header *header = page;
    uint32_t count = le16_get(header->count);
    uint64_t number = number_of(entry);

    if (header->page.level > 0 || header->form != NODE_INT_FIXED || count == 0 ||
        count >= le16_get(header->capacity) || entry->is_overflow ||
        entry->value_size != le16_get(header->value_size))
        return false;
    append(page, number, entry->value, (uint32_t)entry->value_size, false);
    blocks_insert(page, count, number);
    return true;
}

void
node__int_replace(void *page, uint32_t index, const struct node_entry *entry)
{
    struct node_int_header *header = header_of(page);
    struct node node = node__load_own(page);
    struct node_row row = node__row_own(&node, index);
    uint32_t size = (uint32_t)entry->value_size;

    CHECK(row.number == number_of(entry));
    if (row.value_size == size && row.is_overflow == entry->is_overflow) {
        if (size > 0)
            memcpy((uint8_t *)page + row.cell_offset, entry->value, size);
        return;
    }
    if (node.form == NODE_INT_SLOTTED && node.heap_offset - node__int_arrays_end(&node) >= size)
        header->dead_size = le16_of((uint16_t)(node.dead_size + row.value_size));
    else
        refill(page, 0, size, index);
    value_write(page, index, entry->value, size, entry->is_overflow);
}

void
node__int_remove(void *page, uint32_t index, struct node_moves *moves_out)
{
    struct node_int_header *header = header_of(page);
    struct node node = node__load_own(page);
    struct node_row row = node__row_own(&node, index);
    uint32_t rest = node.count - index - 1u;
    uint32_t width = node__int_width(&node);
    uint32_t keys = NODE_INT_HEADER_SIZE + index * NODE_INT_KEY_SIZE;
    uint32_t values = values_offset(page) + index * width;
    uint8_t *bytes = page;

    node__moves_add(moves_out, keys + NODE_INT_KEY_SIZE, keys, rest * NODE_INT_KEY_SIZE);
    node__moves_add(moves_out, values + width, values, rest * width);
    memmove(bytes + keys, bytes + keys + NODE_INT_KEY_SIZE, (size_t)rest * NODE_INT_KEY_SIZE);
    memmove(bytes + values, bytes + values + width, (size_t)rest * width);
    header->count = le16_of((uint16_t)(node.count - 1));
    if (node.form == NODE_INT_SLOTTED)
        header->dead_size = le16_of((uint16_t)(node.dead_size + row.value_size));
    blocks_remove(page, row.number);
}
