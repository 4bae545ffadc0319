/*
 * Many look-ups at once. Keys go down the tree in groups, all of a group one level at a time: while
 * the page of one key is on its way from memory, the others' are asked for. Before a page is looked at,
 * its entry in the page table was fetched in the round before, then the lines of header, fences and
 * hints, then (leaves) the block of keys that the hints name, then the value. Lines that come for
 * nothing cost as much as others, so what is fetched is what will be read.
 *
 * A view is opened for each look and ended before the next key's turn, so no two are open at once. What
 * one look leaves for the next (the block, the row's index) counts only if that one finds the page in
 * the same state: its word unchanged. What was seen without a view (a word of the page table, to know
 * what to fetch) decides nothing.
 *
 * Keys that name a leaf begin there: it proves itself as the last page of a descent does (tree_route.c), and
 * when it is not the key's, the key leaves the group.
 *
 * Whatever is out of the ordinary leaves the group: pages that are absent are read side by side and
 * their keys tried again; what is then still not done goes through btree_get, alone. Variable trees
 * take the same way with less foresight: what the hints name is not fetched before it is looked at.
 */
#include "btree/tree_int_private.h"

enum { GROUP_SIZE = 32, ABSENT_ROUNDS = 4 };

struct lane {
    uint64_t key;
    uint32_t page_number; /* To be looked at next; PAGE_NONE: given up. */
    bool absent;          /* Given up because that page is not in memory. */
    struct btree_get *get;

    /* Of the leaf, as it was when its word was `seen`. */
    uint64_t seen;
    struct node_int_block block;
    struct int_leaf leaf;
    uint32_t index;
};

struct group {
    const struct btree *tree;
    const struct page_table *table;
    bool named;   /* Lanes begin at leaves. */
    bool fetches; /* To the leaves and no further. */
    uint32_t absent_count;
    uint32_t count;
    struct lane lane[GROUP_SIZE];
};

/* A view on the lane's page; false: the lane gives up. */
NODE_INT_INLINE bool
lane_view(const struct group *group, struct lane *lane, struct page_view *view)
{
    if (lane->page_number == PAGE_NONE || lane->absent)
        return false;
    lane->absent = !page_view_begin(group->table, lane->page_number, view);
    return !lane->absent;
}

NODE_INT_INLINE void
fetch_word(const struct group *group, const struct lane *lane)
{
    if (lane->page_number < group->table->page_limit)
        __builtin_prefetch((const uint8_t *)(uintptr_t)&group->table->words[lane->page_number]);
}

/* The lines that every search looks at. */
NODE_INT_INLINE void
fetch_page(const struct group *group, const struct lane *lane)
{
    if (lane->page_number >= group->table->page_limit)
        return;
    uint64_t word =
        atomic_load_explicit(&group->table->words[lane->page_number], memory_order_relaxed);
    const uint8_t *bytes = group->table->frames + (word & WORD_FRAME_MASK) * PAGE_SIZE;

    for (uint32_t line = 0; line < 4; line++)
        __builtin_prefetch(bytes + (size_t)line * 64);
    if (group->tree->kind == BTREE_VAR)
        __builtin_prefetch(bytes + PAGE_SIZE - 64); /* Fences. */
}

/* A view on the leaf, in the state in which the lane saw it last; false: the lane gives up. */
NODE_INT_INLINE bool
lane_view_again(const struct group *group, struct lane *lane, struct page_view *view)
{
    if (!lane_view(group, lane, view))
        return false;
    if (((view->seen ^ lane->seen) & ~WORD_WAITERS) == 0)
        return true;
    (void)page_view_end(view);
    lane->page_number = PAGE_NONE;
    return false;
}

/* The leaf proves to be the key's; the block of keys in which the key lies is asked for. */
NODE_INT_INLINE void
find_block(const struct group *group, struct lane *lane, node_int_below *below)
{
    struct page_view view;

    if (!lane_view(group, lane, &view))
        return;
    lane->seen = view.seen;
    lane->block = node__int_block(view.bytes, lane->key, below);
    bool right = is_node_for(&view, group->tree, lane->key, 0) && load_leaf(&view, &lane->leaf) &&
                 lane->block.first + lane->block.size <= lane->leaf.count;
    const uint8_t *keys =
        view.bytes + NODE_INT_HEADER_SIZE + (size_t)lane->block.first * NODE_INT_KEY_SIZE;

    lane->get->csn = leaf_csn(&view);
    if (!page_view_end(&view) || !right) {
        lane->page_number = PAGE_NONE;
        return;
    }
    lane->get->leaf = lane->page_number;
    __builtin_prefetch(keys);
    __builtin_prefetch(keys + 64);
    __builtin_prefetch(keys + (size_t)lane->block.size * NODE_INT_KEY_SIZE);
}

/* The row, or its absence; the row's value or its slot is asked for. */
NODE_INT_INLINE void
find_row(const struct group *group, struct lane *lane, node_int_below *below)
{
    struct page_view view;

    if (!lane_view_again(group, lane, &view))
        return;
    uint32_t keys = NODE_INT_HEADER_SIZE + lane->block.first * NODE_INT_KEY_SIZE;
    uint32_t place = below(view.bytes + keys, lane->block.size, lane->key);

    lane->index = lane->block.first + place;
    bool found = lane->index < lane->leaf.count &&
                 view_u64(&view, keys + place * NODE_INT_KEY_SIZE) == lane->key;
    const uint8_t *value = view.bytes + lane->leaf.values + lane->index * lane->leaf.width;

    if (!page_view_end(&view)) {
        lane->page_number = PAGE_NONE;
        return;
    }
    if (!found) {
        lane->get->status = STATUS_NOT_FOUND;
        lane->page_number = PAGE_NONE;
        return;
    }
    __builtin_prefetch(value);
    if (lane->leaf.width > 8) {
        __builtin_prefetch(value + 64);
        __builtin_prefetch(value + lane->leaf.width - 1);
    }
}

/* From an inner page to the child. */
NODE_INT_INLINE void
step_down(const struct group *group, struct lane *lane, uint32_t level, node_int_below *below)
{
    uint32_t child = PAGE_NONE;
    struct int_span span;
    struct page_view view;

    if (!lane_view(group, lane, &view))
        return;
    if (is_node_for(&view, group->tree, lane->key, level))
        child = look_into_inner(&view, lane->key, &span, below);
    lane->page_number = page_view_end(&view) ? child : PAGE_NONE;
    fetch_word(group, lane);
}

/* Copies the value. */
NODE_INT_INLINE void
finish(const struct group *group, struct lane *lane)
{
    struct btree_get *get = lane->get;
    size_t room = get->size;
    struct page_view view;

    if (!lane_view_again(group, lane, &view))
        return;
    get->status = copy_value(&view, &lane->leaf, lane->index, get->value, &get->size);
    if (!page_view_end(&view))
        get->status = STATUS_MISSING;
    if (get->status == STATUS_MISSING)
        get->size = room;
}

/* The root's level, or UINT32_MAX. */
static uint32_t
root_level(const struct group *group)
{
    struct page_view view;
    uint32_t level;

    if (!page_view_begin(group->table, group->tree->root, &view))
        return UINT32_MAX;
    level = view_u8(&view, offsetof(struct page_header, level));
    return page_view_end(&view) && level < BTREE_DEPTH_MAX ? level : UINT32_MAX;
}

NODE_INT_INLINE void
run_int(struct group *group, uint32_t level, node_int_below *below)
{
    for (; level > 0; level--) {
        for (uint32_t i = 0; i < group->count; i++)
            step_down(group, &group->lane[i], level, below);
        for (uint32_t i = 0; i < group->count; i++)
            fetch_page(group, &group->lane[i]);
    }
    for (uint32_t i = 0; i < group->count; i++)
        find_block(group, &group->lane[i], below);
    for (uint32_t i = 0; i < group->count; i++)
        find_row(group, &group->lane[i], below);
    for (uint32_t i = 0; i < group->count; i++)
        finish(group, &group->lane[i]);
}

static void
run_scalar(struct group *group, uint32_t level)
{
    run_int(group, level, node__int_below_scalar);
}

#if NODE_INT_X86

NODE_INT_TARGET_AVX2 static void
run_avx2(struct group *group, uint32_t level)
{
    run_int(group, level, node__int_below_avx2);
}

NODE_INT_TARGET_AVX512 static void
run_avx512(struct group *group, uint32_t level)
{
    run_int(group, level, node__int_below_avx512);
}

#endif

/* From an inner page of a variable tree to the child. */
static void
step_down_var(const struct group *group, struct lane *lane, uint32_t level)
{
    const struct btree_get *get = lane->get;
    uint32_t child = PAGE_NONE;
    uint32_t place;
    struct page_view view;
    struct node node;

    if (!lane_view(group, lane, &view))
        return;
    bool right = node_load(&view, &node) && node.tree_id == group->tree->tree_id &&
                 node.kind == NODE_VAR && node.level == level &&
                 node_holds(&node, NODE_AT, get->key, get->key_size) &&
                 node_child_place(&node, NODE_AT, get->key, get->key_size, &place) &&
                 node_child_at(&node, place, &child);

    lane->page_number = page_view_end(&view) && right ? child : PAGE_NONE;
    fetch_word(group, lane);
}

static void
run_var(struct group *group, uint32_t level)
{
    for (; level > 0; level--) {
        for (uint32_t i = 0; i < group->count; i++)
            step_down_var(group, &group->lane[i], level);
        for (uint32_t i = 0; i < group->count; i++)
            fetch_page(group, &group->lane[i]);
    }
    for (uint32_t i = 0; i < group->count; i++) {
        struct lane *lane = &group->lane[i];
        struct btree_get *get = lane->get;
        struct page_view view;

        /* Is the leaf in memory? */
        if (!lane_view(group, lane, &view))
            continue;
        (void)page_view_end(&view);
        if (group->fetches)
            continue;
        get->status = tree__get_at(group->tree, lane->page_number, get->key, get->key_size,
                                   get->value, &get->size, &get->csn);
        get->leaf = get->status != STATUS_MISSING ? lane->page_number : 0;
    }
}

/* What comes before the first look where the leaves are known. */
static void
fetch_named(const struct group *group)
{
    for (uint32_t i = 0; i < group->count; i++)
        fetch_word(group, &group->lane[i]);
    for (uint32_t i = 0; i < group->count; i++)
        fetch_page(group, &group->lane[i]);
}

static void
run(struct group *group)
{
    uint32_t level = group->named ? 0 : root_level(group);

    if (level == UINT32_MAX)
        return;
    if (group->named)
        fetch_named(group);
    if (group->tree->kind == BTREE_VAR) {
        run_var(group, level);
        return;
    }
#if NODE_INT_X86
    enum node_int_simd simd = node__int_simd();

    if (simd == NODE_INT_AVX512) {
        run_avx512(group, level);
        return;
    }
    if (simd == NODE_INT_AVX2) {
        run_avx2(group, level);
        return;
    }
#endif
    run_scalar(group, level);
}

/* Reads the pages that lanes found absent, side by side, and keeps those lanes; false if none is. */
static bool
bring_absent(struct group *group)
{
    uint32_t numbers[GROUP_SIZE];
    uint32_t count = 0;

    for (uint32_t i = 0; i < group->count; i++) {
        struct lane lane = group->lane[i];

        if (!lane.absent)
            continue;
        numbers[count] = lane.page_number;
        lane.absent = false;
        lane.page_number = group->named ? lane.get->page_number : group->tree->root;
        group->lane[count++] = lane;
    }
    group->count = count;
    group->absent_count += count;
    if (count > 0)
        pager_prefetch(group->tree->pager, numbers, count);
    return count > 0;
}

/* Up to GROUP_SIZE look-ups. Those that are not done afterwards say STATUS_MISSING. How many pages they waited
 * for. */
static uint32_t
get_group(const struct btree *tree, struct btree_get *gets, uint32_t count, bool fetches)
{
    struct group group = {.tree = tree,
                          .table = pager_table(tree->pager),
                          .named = gets[0].page_number != 0,
                          .fetches = fetches};

    for (uint32_t i = 0; i < count; i++) {
        struct lane *lane = &group.lane[group.count];
        size_t key_size = gets[i].key_size;

        gets[i].status = STATUS_MISSING;
        gets[i].hops = 0;
        gets[i].leaf = 0;
        if (key_size == 0 || key_size > BTREE_KEY_SIZE_MAX ||
            (gets[i].page_number != 0) != group.named)
            continue;
        *lane = (struct lane){.page_number = group.named ? gets[i].page_number : tree->root,
                              .get = &gets[i]};
        if (tree->kind == BTREE_INT) {
            memcpy(&lane->key, gets[i].key, key_size < 8 ? key_size : 8);
            lane->key = __builtin_bswap64(lane->key);
            /* As the short way has it: the long one looks for these. */
            if (key_size != NODE_INT_KEY_SIZE || lane->key == UINT64_MAX)
                continue;
        }
        group.count++;
    }
    for (uint32_t round = 0; round < ABSENT_ROUNDS && group.count > 0; round++) {
        run(&group);
        if (!bring_absent(&group))
            break;
    }
    return group.absent_count;
}

/* From the leaf that is named, over its links, then from the root. */
static enum status
get_alone(const struct btree *tree, struct btree_get *get)
{
    struct btree_spot spot = {.page_number = get->page_number};

    if (get->page_number != 0) {
        enum status status = btree_get_at(tree, &spot, get->key, get->key_size, get->value,
                                          &get->size, &get->csn, &get->hops);

        if (status != STATUS_MISSING)
            return status;
        get->hops = UINT32_MAX;
    }
    return btree_get(tree, get->key, get->key_size, get->value, &get->size, &get->csn);
}

enum status
btree_get_batch(const struct btree *tree, struct btree_get *gets, size_t count)
{
    for (size_t done = 0; done < count;) {
        /* Groups of one size: a small last one would have little to overlap. */
        size_t groups = (count - done - 1) / GROUP_SIZE + 1;
        uint32_t size = (uint32_t)((count - done + groups - 1) / groups);

        (void)get_group(tree, gets + done, size, false);
        for (uint32_t i = 0; i < size; i++) {
            struct btree_get *get = &gets[done + i];

            if (get->status != STATUS_MISSING)
                continue;
            get->status = get_alone(tree, get);
            if (get->status != STATUS_OK && get->status != STATUS_NOT_FOUND &&
                get->status != STATUS_FULL)
                return get->status;
        }
        done += size;
    }
    return STATUS_OK;
}

uint32_t
btree_fetch_batch(const struct btree *tree, struct btree_get *gets, size_t count)
{
    uint32_t absent_count = 0;

    for (size_t done = 0; done < count; done += GROUP_SIZE)
        absent_count +=
            get_group(tree, gets + done,
                      (uint32_t)(count - done < GROUP_SIZE ? count - done : GROUP_SIZE), true);
    return absent_count;
}
