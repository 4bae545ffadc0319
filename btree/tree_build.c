/*
 * Runs of rows written as whole leaves (rule L4 of the design).
 *
 * Leaves are built as a load in order would build them: rows go into a page at the right edge until
 * one does not fit, then the page is cut behind its last row (node_cut_choose) and the right half goes
 * on. A page is complete when it was cut, for then its high fence and its neighbour's number are
 * known; it is written while the next ones are built. Page numbers are reserved ahead.
 * The run's first leaf begins with its first key (or, in an empty tree, with nothing).
 *
 * Attaching happens in a change. The tree's last leaf gets the run's first key as high fence and the
 * first leaf as neighbour; where a fence of that length does not fit, the leaf is split before. Then
 * each leaf is adopted and its low fence posted to the last inner page of level 1, which splits at the
 * right edge as it does under puts. What is logged: the last leaf, and 12 bytes or a separator a leaf.
 * Nothing here looks at an adopted page: within the change the file has it and memory has not.
 */
#include "btree/tree_private.h"
#include "pager/page.h"

enum {
    RESERVE_FIRST = 32,
    RESERVE_MAX = 256,
    POST_STEPS_MAX = 4 * BTREE_DEPTH_MAX,
};

struct btree_build {
    struct btree tree;
    struct memory *memory;
    bool into_empty;
    bool written;
    struct pager_direct *direct; /* NULL until the first page is complete. */
    uint32_t open;               /* Which of `pages` is being filled. */
    uint32_t page_count;         /* Of the run, the one being filled included. */
    uint64_t row_count;
    uint32_t *reserved; /* All numbers reserved, the run's first; */
    uint32_t reserved_count;
    uint32_t reserved_capacity;
    uint8_t *bounds; /* For each page but the first its low fence: size (2 bytes) and bytes. */
    size_t bounds_size;
    size_t bounds_capacity;
    size_t last_size;
    uint8_t last[BTREE_KEY_SIZE_MAX];
    size_t first_size;
    uint8_t first[BTREE_KEY_SIZE_MAX];
    _Alignas(8) uint8_t pages[2][PAGE_SIZE]; /* The one being filled, and the next. */
};

/* The page being filled. */
static uint8_t *
open_page(struct btree_build *build)
{
    return build->pages[build->open];
}

enum status
btree_build_begin(const struct btree *tree, bool into_empty, struct btree_build **out)
{
    struct memory *memory = pager_env(tree->pager).memory;
    struct btree_build *build = memory_alloc(memory, MEMORY_WRITE_SET, sizeof(*build));

    if (build == NULL)
        return STATUS_NO_MEMORY;
    build->tree = *tree;
    build->memory = memory;
    build->into_empty = into_empty;
    *out = build;
    return STATUS_OK;
}

void
btree_build_end(struct btree_build *build, bool committed)
{
    struct memory *memory;
    uint32_t kept;

    if (build == NULL)
        return;
    memory = build->memory;
    kept = committed ? build->page_count : 0;
    CHECK(!committed || build->written);
    pager_direct_end(build->direct); /* Before its pages may be anybody's. */
    if (build->reserved_count > kept)
        pager_direct_release(build->tree.pager, build->reserved_count - kept,
                             build->reserved + kept);
    memory_free(memory, MEMORY_WRITE_SET, build->reserved,
                build->reserved_capacity * sizeof(uint32_t));
    memory_free(memory, MEMORY_WRITE_SET, build->bounds, build->bounds_capacity);
    memory_free(memory, MEMORY_WRITE_SET, build, sizeof(*build));
}

uint32_t
btree_build_page_count(const struct btree_build *build)
{
    return build->page_count;
}

/* The number of the run's next page; reserves as many as there are so far, up to a batch. */
static enum status
next_number(struct btree_build *build, uint32_t *out)
{
    uint32_t count = build->reserved_count < RESERVE_FIRST ? RESERVE_FIRST
                     : build->reserved_count > RESERVE_MAX ? RESERVE_MAX
                                                           : build->reserved_count;

    if (build->page_count == build->reserved_count) {
        uint32_t capacity = build->reserved_count + count;

        if (capacity > build->reserved_capacity) {
            uint32_t wanted =
                capacity > 2 * build->reserved_capacity ? capacity : 2 * build->reserved_capacity;
            uint32_t *fresh = memory_resize(build->memory, MEMORY_WRITE_SET, build->reserved,
                                            build->reserved_capacity * sizeof(uint32_t),
                                            wanted * sizeof(uint32_t));
            if (fresh == NULL)
                return STATUS_NO_MEMORY;
            build->reserved = fresh;
            build->reserved_capacity = wanted;
        }
        TRY(pager_direct_reserve(build->tree.pager, count,
                                 build->reserved + build->reserved_count));
        build->reserved_count += count;
    }
    *out = build->reserved[build->page_count];
    return STATUS_OK;
}

/* Keeps the low fence of a page behind the first. */
static enum status
keep_bound(struct btree_build *build, const uint8_t *key, size_t key_size)
{
    size_t wanted = build->bounds_size + sizeof(le16) + key_size;
    le16 size = le16_of((uint16_t)key_size);

    CHECK(key_size > 0 && key_size <= BTREE_KEY_SIZE_MAX);
    if (wanted > build->bounds_capacity) {
        size_t capacity = 2 * wanted > PAGE_SIZE ? 2 * wanted : (size_t)PAGE_SIZE;
        uint8_t *fresh = memory_resize(build->memory, MEMORY_WRITE_SET, build->bounds,
                                       build->bounds_capacity, capacity);
        if (fresh == NULL)
            return STATUS_NO_MEMORY;
        build->bounds = fresh;
        build->bounds_capacity = capacity;
    }
    memcpy(build->bounds + build->bounds_size, &size, sizeof(size));
    memcpy(build->bounds + build->bounds_size + sizeof(size), key, key_size);
    build->bounds_size = wanted;
    return STATUS_OK;
}

/* Writes the open page, which is complete. */
static enum status
write_page(struct btree_build *build)
{
    if (build->direct == NULL)
        TRY(pager_direct_begin(build->tree.pager, &build->direct));
    return pager_direct_put(build->direct, build->reserved[build->page_count - 1],
                            open_page(build));
}

static enum status
first_page(struct btree_build *build, const uint8_t *key, size_t key_size)
{
    struct node_fences fences = {key, build->into_empty ? 0 : key_size, NULL, 0};
    uint32_t number;

    TRY(next_number(build, &number));
    node_init(open_page(build), tree__node_kind(&build->tree), number, build->tree.tree_id, 0,
              PAGE_NONE, &fences);
    build->page_count = 1;
    build->first_size = key_size;
    memcpy(build->first, key, key_size);
    return STATUS_OK;
}

/* Completes the open page and goes on in a new one. */
static enum status
next_page(struct btree_build *build, const struct node_entry *entry)
{
    struct node node;
    struct node_cut cut;
    uint32_t number;
    bool loaded;

    uint8_t *left = open_page(build);

    loaded = node_load_page(left, &node);
    CHECK(loaded && node.count > 0);
    TRY(next_number(build, &number));
    node_cut_choose(left, node.count, entry, &cut);
    TRY(keep_bound(build, cut.separator, cut.separator_size));
    node_split(left, build->pages[1 - build->open], number, &cut);
    TRY(write_page(build));
    build->open = 1 - build->open;
    build->page_count++;
    return STATUS_OK;
}

/* What needs a new layout, or a new page. */
static enum status
insert_last(struct btree_build *build, const struct node_entry *entry)
{
    struct node_moves moves;
    struct node node;

    /* Long keys may need more than one cut until a page has room (node_var_split.c). */
    while (!node_fits(open_page(build), entry))
        TRY(next_page(build, entry));
    bool loaded = node_load_page(open_page(build), &node);

    CHECK(loaded);
    node_insert(open_page(build), node.count, entry, &moves);
    return STATUS_OK;
}

static bool
is_above(const struct btree_build *build, const uint8_t *key, size_t key_size)
{
    size_t common = key_size < build->last_size ? key_size : build->last_size;
    int order = memcmp(build->last, key, common);

    return build->row_count == 0 || order < 0 || (order == 0 && build->last_size < key_size);
}

enum status
btree_build_add(struct btree_build *build, const void *key, size_t key_size, const void *value,
                size_t value_size)
{
    struct node_entry entry = {
        .key = key,
        .key_size = key_size,
        .value = value,
        .value_size = value_size,
    };

    CHECK(!build->written);
    TRY(tree__refuse_key(&build->tree, key_size));
    if (!tree__value_is_inline(key_size, value_size))
        return error_raise(STATUS_INVALID,
                           "a value of %zu bytes does not fit a leaf, and runs are made of leaves "
                           "alone: put this row by itself",
                           value_size);
    if (!is_above(build, key, key_size))
        return error_raise(STATUS_INVALID, "row %llu of a run is not above the one before",
                           (unsigned long long)build->row_count);
    if (build->row_count == 0)
        TRY(first_page(build, key, key_size));
    if (!node_append(open_page(build), &entry))
        TRY(insert_last(build, &entry));
    memcpy(build->last, key, key_size);
    build->last_size = key_size;
    build->row_count++;
    return STATUS_OK;
}

enum status
btree_build_write(struct btree_build *build)
{
    CHECK(!build->written && build->row_count > 0);
    TRY(write_page(build));
    TRY(pager_direct_finish(build->direct, build->page_count, build->reserved));
    pager_direct_end(build->direct);
    build->direct = NULL;
    build->written = true;
    return STATUS_OK;
}

/* ---- Attaching ---------------------------------------------------------------------------------- */

static enum status
refuse_order(const struct btree *tree)
{
    return error_raise(STATUS_CONFLICT,
                       "tree %u has rows where a run was to begin: put its rows one by one",
                       tree->tree_id);
}

/* The root of an empty tree becomes an inner page whose only child is the run's first leaf. */
static enum status
attach_to_nothing(struct pager_change *change, struct btree_build *build, const struct btree *tree)
{
    struct node_fences fences = {NULL, 0, NULL, 0};
    struct node root;
    uint8_t *page;

    TRY(tree__change_node(change, tree, tree->root, UINT32_MAX, &root));
    if (root.level > 0 || root.count > 0)
        return refuse_order(tree);
    TRY(tree__change_edit(change, tree, tree->root, &page));
    node_init(page, tree__node_kind(tree), tree->root, tree->tree_id, 1, build->reserved[0],
              &fences);
    return STATUS_OK;
}

/* The tree's last leaf, all of whose keys are below the run's first. */
static enum status
last_leaf(struct pager_change *change, const struct btree_build *build, const struct btree *tree,
          struct tree_path *path, struct node *node)
{
    uint32_t index;
    bool equal;

    TRY(tree__change_descend_edge(change, tree, 0, path));
    uint32_t number = path->step[path->depth - 1].page_number;

    TRY(tree__change_node(change, tree, number, 0, node));
    if (node->high_size != 0)
        return tree__corrupt(tree, number, "it is the last leaf and has a high fence");
    if (!node_holds(node, NODE_AT, build->first, build->first_size))
        return refuse_order(tree);
    if (!node_search(node, build->first, build->first_size, &index, &equal))
        return tree__corrupt(tree, number, "a key lies outside its page");
    return index == node->count ? STATUS_OK : refuse_order(tree);
}

/* Gives the last leaf the run as its neighbour, and the tree an inner page to post to. */
static enum status
close_last_leaf(struct pager_change *change, struct btree_build *build, const struct btree *tree)
{
    struct node_entry bound = {.key = build->first, .key_size = build->first_size};

    for (uint32_t steps = 0; steps < POST_STEPS_MAX; steps++) {
        struct tree_path path = {.depth = 0};
        struct node node;
        uint8_t *page;

        TRY(last_leaf(change, build, tree, &path, &node));
        if (path.depth == 1) {
            TRY(tree__grow(change, tree));
            continue;
        }
        TRY(tree__change_edit_whole(change, tree, path.step[path.depth - 1].page_number, &page));
        if (node_close_fits(page, build->first, build->first_size)) {
            node_close(page, build->first, build->first_size, build->reserved[0]);
            return STATUS_OK;
        }
        /* A row lies in it: without any, two fences fit. */
        TRY(tree__split(change, tree, &path, node.count, &bound));
    }
    return tree__corrupt(tree, tree->root, "splitting makes no room for a fence");
}

/* Posts a leaf to the last inner page of level 1. */
static enum status
post(struct pager_change *change, const struct btree *tree, const uint8_t *key, size_t key_size,
     uint32_t number)
{
    le32 child = le32_of(number);
    struct node_entry entry = {
        .key = key,
        .key_size = key_size,
        .value = child.byte,
        .value_size = NODE_CHILD_SIZE,
    };

    for (uint32_t steps = 0; steps < POST_STEPS_MAX; steps++) {
        struct tree_path path = {.depth = 0};
        struct node_moves moves;
        struct node node;
        uint8_t *page;

        TRY(tree__change_descend_edge(change, tree, 1, &path));
        uint32_t parent_number = path.step[path.depth - 1].page_number;

        TRY(tree__change_edit(change, tree, parent_number, &page));
        bool loaded = node_load_page(page, &node);

        CHECK(loaded && node.level == 1);
        if (node_fits(page, &entry)) {
            node_insert(page, node.count, &entry, &moves);
            tree__change_moved(change, parent_number, &moves);
            return STATUS_OK;
        }
        TRY(tree__split(change, tree, &path, node.count, &entry));
    }
    return tree__corrupt(tree, tree->root, "splitting makes no room below it");
}

enum status
btree_build_attach(struct pager_change *change, struct btree_build *build, const struct btree *tree)
{
    const uint8_t *bound = build->bounds;

    CHECK(build->written && tree->tree_id == build->tree.tree_id);
    CHECK(tree->kind == build->tree.kind && tree->root != PAGE_NONE);
    if (build->into_empty) {
        TRY(attach_to_nothing(change, build, tree));
    } else {
        TRY(close_last_leaf(change, build, tree));
        TRY(post(change, tree, build->first, build->first_size, build->reserved[0]));
    }
    TRY(pager_change_adopt(change, build->reserved[0]));
    for (uint32_t i = 1; i < build->page_count; i++) {
        le16 size;

        memcpy(&size, bound, sizeof(size));
        bound += sizeof(size);
        TRY(post(change, tree, bound, le16_get(size), build->reserved[i]));
        TRY(pager_change_adopt(change, build->reserved[i]));
        bound += le16_get(size);
    }
    CHECK(bound == build->bounds + build->bounds_size);
    if (tree->tally != NULL)
        tree->tally->appended_count += build->page_count;
    return STATUS_OK;
}
