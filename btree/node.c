/*
 * One interface, two kinds of nodes: each call goes to the file of the page's kind. The type byte is
 * all that is looked at here; what it promises is checked by the kind's own loading and validation.
 */
#include "btree/node_private.h"

static enum node_kind
kind_of_type(uint8_t type)
{
    return type == PAGE_TYPE_LEAF_INT || type == PAGE_TYPE_INNER_INT ? NODE_INT : NODE_VAR;
}

static enum node_kind
kind_of(const void *page)
{
    return kind_of_type(page_header_const(page)->type);
}

enum page_type
node_page_type(enum node_kind kind, uint32_t level)
{
    if (kind == NODE_INT)
        return level == 0 ? PAGE_TYPE_LEAF_INT : PAGE_TYPE_INNER_INT;
    CHECK(kind == NODE_VAR);
    return level == 0 ? PAGE_TYPE_LEAF_VAR : PAGE_TYPE_INNER_VAR;
}

bool
node_load(const struct page_view *view, struct node *out)
{
    uint8_t type = view_u8(view, offsetof(struct page_header, type));

    if (kind_of_type(type) == NODE_INT)
        return node__int_load(view, out);
    return node__var_load(view, out);
}

bool
node_load_page(const void *page, struct node *out)
{
    struct page_view view = {.bytes = page};

    CHECK((uintptr_t)page % 8 == 0);
    return node_load(&view, out);
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

bool
node_holds(const struct node *node, enum node_side side, const uint8_t *key, size_t key_size)
{
    int low = compare_keys(node->low, node->low_size, key, key_size);
    int high = compare_keys(node->high, node->high_size, key, key_size);

    if (side == NODE_AT)
        return low <= 0 && (node->high_size == 0 || high > 0);
    CHECK(side == NODE_BEFORE);
    if (key_size == 0)
        return node->high_size == 0;
    return low < 0 && (node->high_size == 0 || high >= 0);
}

bool
node_search(const struct node *node, const uint8_t *key, size_t key_size, uint32_t *index_out,
            bool *equal_out)
{
    if (node->kind == NODE_INT)
        return node__int_search(node, key, key_size, index_out, equal_out);
    return node__var_search(node, key, key_size, index_out, equal_out);
}

bool
node_row_at(const struct node *node, uint32_t index, struct node_row *out)
{
    if (node->kind == NODE_INT)
        return node__int_row_at(node, index, out);
    return node__var_row_at(node, index, out);
}

uint32_t
node_row_values(const struct node *node, uint32_t first, uint32_t count, const void **values,
                uint32_t *sizes)
{
    uint32_t taken = 0;

    if (node->kind == NODE_INT)
        return node__int_values(node, first, count, values, sizes);
    while (taken < count &&
           node__var_value(node, first + taken, (const uint8_t **)&values[taken], &sizes[taken]))
        taken++;
    return taken;
}

bool
node_row_key(const struct node *node, const struct node_row *row, uint8_t *out, size_t *size_out)
{
    if (node->kind == NODE_INT) {
        uint64_t number = __builtin_bswap64(row->number);

        memcpy(out, &number, NODE_INT_KEY_SIZE);
        *size_out = NODE_INT_KEY_SIZE;
        return true;
    }
    return node__var_row_key(node, row, out, size_out);
}

bool
node_child_place(const struct node *node, enum node_side side, const uint8_t *key, size_t key_size,
                 uint32_t *place_out)
{
    uint32_t index;
    bool equal;

    CHECK(node->level > 0);
    if (side == NODE_BEFORE && key_size == 0) {
        *place_out = node->count;
        return true;
    }
    if (!node_search(node, key, key_size, &index, &equal))
        return false;
    *place_out = equal && side == NODE_AT ? index + 1 : index;
    return true;
}

bool
node_child_at(const struct node *node, uint32_t place, uint32_t *child_out)
{
    struct node_row row;
    le32 child;

    CHECK(node->level > 0 && place <= node->count);
    if (place == 0) {
        *child_out = node->link;
        return true;
    }
    if (!node_row_at(node, place - 1, &row) || row.value_size != NODE_CHILD_SIZE)
        return false;
    memcpy(&child, row.value, NODE_CHILD_SIZE);
    *child_out = le32_get(child);
    return true;
}

struct node
node__load_own(const void *page)
{
    struct node node;
    bool loaded = node_load_page(page, &node);

    CHECK(loaded);
    return node;
}

struct node_row
node__row_own(const struct node *node, uint32_t index)
{
    struct node_row row;
    bool read = node_row_at(node, index, &row);

    CHECK(read);
    return row;
}

bool
node__invariants_hold(const void *page)
{
    const char *reason = NULL;

    return node_validate_shape(page, &reason) == STATUS_OK;
}

enum status
node_validate_shape(const void *page, const char **reason_out)
{
    if (kind_of(page) == NODE_INT)
        return node__int_validate_shape(page, reason_out);
    return node__var_validate_shape(page, reason_out);
}

enum status
node_validate(const void *page, const char **reason_out)
{
    if (kind_of(page) == NODE_INT)
        return node__int_validate(page, reason_out);
    return node__var_validate(page, reason_out);
}

void
node_init(void *page, enum node_kind kind, uint32_t page_number, uint32_t tree_id, uint8_t level,
          uint32_t link, const struct node_fences *fences)
{
    struct page_header *header = page_header(page);

    CHECK(fences->low_size <= NODE_KEY_SIZE_MAX && fences->high_size <= NODE_KEY_SIZE_MAX);
    memset((uint8_t *)page + PAGE_DELTA_FIRST_BYTE, 0, PAGE_SIZE - PAGE_DELTA_FIRST_BYTE);
    header->page_number = le32_of(page_number);
    header->tree_id = le32_of(tree_id);
    header->type = (uint8_t)node_page_type(kind, level);
    header->level = level;
    header->version = PAGE_FORMAT_VERSION;
    node_set_link(page, link);
    if (kind == NODE_INT)
        node__int_init(page, fences);
    else
        node__var_init(page, fences);
}

void
node_set_link(void *page, uint32_t link)
{
    /* At the same place in both kinds. */
    node__header(page)->link = le32_of(link);
}

uint32_t
node_used_size(const void *page)
{
    return kind_of(page) == NODE_INT ? node__int_used_size(page) : node__var_used_size(page);
}

bool
node_fits(const void *page, const struct node_entry *entry)
{
    return kind_of(page) == NODE_INT ? node__int_fits(page, entry) : node__var_fits(page, entry);
}

bool
node_replace_fits(const void *page, uint32_t index, const struct node_entry *entry)
{
    if (kind_of(page) == NODE_INT)
        return node__int_replace_fits(page, index, entry);
    return node__var_replace_fits(page, index, entry);
}

void
node_insert(void *page, uint32_t index, const struct node_entry *entry,
            struct node_moves *moves_out)
{
    CHECK(node_fits(page, entry));
    moves_out->count = 0;
    if (kind_of(page) == NODE_INT)
        node__int_insert(page, index, entry, moves_out);
    else
        node__var_insert(page, index, entry, moves_out);
    DCHECK(node__invariants_hold(page));
}

bool
node_append(void *page, const struct node_entry *entry)
{
    bool done = kind_of(page) == NODE_INT && node__int_append(page, entry);

    DCHECK(node__invariants_hold(page));
    return done;
}

void
node_replace(void *page, uint32_t index, const struct node_entry *entry)
{
    CHECK(node_replace_fits(page, index, entry));
    if (kind_of(page) == NODE_INT)
        node__int_replace(page, index, entry);
    else
        node__var_replace(page, index, entry);
    DCHECK(node__invariants_hold(page));
}

void
node_remove(void *page, uint32_t index, struct node_moves *moves_out)
{
    moves_out->count = 0;
    if (kind_of(page) == NODE_INT)
        node__int_remove(page, index, moves_out);
    else
        node__var_remove(page, index, moves_out);
    DCHECK(node__invariants_hold(page));
}

void
node__moves_add(struct node_moves *moves, uint32_t from, uint32_t to, uint32_t size)
{
    if (size == 0)
        return;
    CHECK(moves->count < NODE_MOVES_MAX && from + size <= PAGE_SIZE && to + size <= PAGE_SIZE);
    moves->move[moves->count++] = (struct page_move){(uint16_t)from, (uint16_t)to, (uint16_t)size};
}

void
node_cut_choose(const void *page, uint32_t index, const struct node_entry *entry,
                struct node_cut *out)
{
    struct node node = node__load_own(page);

    CHECK(node.count > 0 && index <= node.count);
    if (node.kind == NODE_INT)
        node__int_cut_choose(&node, index, entry, out);
    else
        node__var_cut_choose(&node, index, entry, out);
}

/* At the right edge of a load all rows stay: only a fence and a link are new, and logged. */
static bool
keeps_all(const struct node *node, const struct node_cut *cut)
{
    return node->kind == NODE_INT && node->form == NODE_INT_FIXED && node->level == 0 &&
           cut->index == node->count;
}

static void
split_behind_all(void *left, void *right, uint32_t right_number, const struct node_cut *cut)
{
    struct node_int_header *header = left;
    struct node source = node__load_own(left);
    struct node_fences fences = {cut->separator, cut->separator_size, source.high,
                                 source.high_size};

    CHECK(cut->separator_size == NODE_INT_KEY_SIZE);
    node_init(right, source.kind, right_number, source.tree_id, 0, source.link, &fences);
    header->fences |= NODE_INT_HAS_HIGH;
    memcpy(header->high, cut->separator, NODE_INT_KEY_SIZE);
    header->link = le32_of(right_number);
    DCHECK(node__invariants_hold(left) && node__invariants_hold(right));
}

void
node_split(void *left, void *right, uint32_t right_number, const struct node_cut *cut)
{
    _Alignas(8) uint8_t copy[PAGE_SIZE];
    struct node whole = node__load_own(left);

    if (keeps_all(&whole, cut)) {
        split_behind_all(left, right, right_number, cut);
        return;
    }
    memcpy(copy, left, PAGE_SIZE);
    struct node source = node__load_own(copy);
    uint32_t left_number = le32_get(page_header(left)->page_number);
    struct node_fences fences_left = {source.low, source.low_size, cut->separator,
                                      cut->separator_size};
    struct node_fences fences_right = {cut->separator, cut->separator_size, source.high,
                                       source.high_size};
    uint32_t link_left = right_number;
    uint32_t link_right = source.link;
    uint32_t right_from = cut->index;

    CHECK(cut->index <= source.count && cut->separator_size > 0);
    if (source.level > 0) {
        bool found = node_child_at(&source, cut->index + 1, &link_right);

        CHECK(found);
        link_left = source.link;
        right_from = cut->index + 1;
    }
    node_init(left, source.kind, left_number, source.tree_id, source.level, link_left,
              &fences_left);
    node_init(right, source.kind, right_number, source.tree_id, source.level, link_right,
              &fences_right);
    node__fill(left, &source, 0, cut->index);
    node__fill(right, &source, right_from, source.count);
    CHECK(node_used_size(left) <= PAGE_SIZE && node_used_size(right) <= PAGE_SIZE); /* B5 */
    DCHECK(node__invariants_hold(left) && node__invariants_hold(right));
}

bool
node_close_fits(const void *page, const uint8_t *high, size_t high_size)
{
    struct node node = node__load_own(page);

    CHECK(node.level == 0 && node.high_size == 0 && high_size > 0);
    return node.kind == NODE_INT || node__var_size_with_high(&node, high, high_size) <= PAGE_SIZE;
}

void
node_close(void *page, const uint8_t *high, size_t high_size, uint32_t link)
{
    _Alignas(8) uint8_t copy[PAGE_SIZE];

    CHECK(node_close_fits(page, high, high_size));
    memcpy(copy, page, PAGE_SIZE);
    struct node source = node__load_own(copy);
    struct node_fences fences = {source.low, source.low_size, high, high_size};

    node_init(page, source.kind, le32_get(page_header(page)->page_number), source.tree_id, 0, link,
              &fences);
    node__fill(page, &source, 0, source.count);
    DCHECK(node__invariants_hold(page));
}

void
node__fill(void *page, const struct node *source, uint32_t from, uint32_t to)
{
    CHECK(from <= to && to <= source->count);
    if (source->kind == NODE_INT)
        node__int_fill(page, source, from, to);
    else
        node__var_append_range(page, source, from, to);
}

bool
node_merge_may_fit(const struct node *left, const struct node *right)
{
    if (left->kind == NODE_INT)
        return node__int_merge_may_fit(left, right);
    return node__var_merge_may_fit(left, right);
}

bool
node_merge_fits(const void *left, const void *right)
{
    struct node node_left = node__load_own(left);
    struct node node_right = node__load_own(right);
    uint32_t size;

    CHECK(node_left.level == node_right.level && node_left.tree_id == node_right.tree_id);
    CHECK(node_left.kind == node_right.kind);
    size = node_left.kind == NODE_INT ? node__int_merged_size(&node_left, &node_right)
                                      : node__var_merged_size(&node_left, &node_right);
    /* An eighth stays free, so that the next insert does not split what was just merged. */
    return size <= PAGE_SIZE - PAGE_SIZE / 8;
}

void
node_merge(void *left, const void *right)
{
    _Alignas(8) uint8_t copy[PAGE_SIZE];

    memcpy(copy, left, PAGE_SIZE);
    struct node node_left = node__load_own(copy);
    struct node node_right = node__load_own(right);
    struct node_fences fences = {node_left.low, node_left.low_size, node_right.high,
                                 node_right.high_size};
    uint32_t number = le32_get(page_header(left)->page_number);
    bool is_leaf = node_left.level == 0;

    CHECK(node_left.kind == node_right.kind && node_left.level == node_right.level);
    CHECK(node_left.high_size == node_right.low_size &&
          memcmp(node_left.high, node_right.low, node_left.high_size) == 0);
    node_init(left, node_left.kind, number, node_left.tree_id, node_left.level,
              is_leaf ? node_right.link : node_left.link, &fences);
    if (node_left.kind == NODE_INT)
        node__int_join(left, &node_left, &node_right);
    else
        node__var_join(left, &node_left, &node_right);
    CHECK(node_used_size(left) <= PAGE_SIZE);
    DCHECK(node__invariants_hold(left));
}

void
node_replace_root(void *page, const void *child)
{
    struct node root = node__load_own(page);
    struct node node = node__load_own(child);
    struct page_header *header = page_header(page);

    CHECK(root.level == node.level + 1 && root.count == 0);
    CHECK(node.low_size == 0 && node.high_size == 0);
    memcpy((uint8_t *)page + PAGE_HEADER_SIZE, (const uint8_t *)child + PAGE_HEADER_SIZE,
           PAGE_SIZE - PAGE_HEADER_SIZE);
    header->type = page_header_const(child)->type;
    header->level = node.level;
}
