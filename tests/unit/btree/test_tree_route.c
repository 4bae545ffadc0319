/*
 * Goal: a look-up that begins at a page somebody named finds the row, or says that it did not look;
 * whatever the page is; leaves are named completely and in order; changes count what they do to leaves.
 * Method: trees of both kinds; each key from its own leaf, from leaves before it, and from every page
 * number of the file and beyond; cursors with hints; the walk against what leaves say of themselves.
 */
#include <criterion/criterion.h>

#include "btree/tree_private.h"
#include "pager/page.h"
#include "tests/unit/btree/tree_rig.h"

enum { ROWS = 6000, LEAVES_MAX = 2000 };

struct rows {
    struct tree_rig *rig;
    uint32_t from;
    uint32_t to;
    uint32_t step;
    bool remove;
    struct btree_leaf_tally before;
};

struct leaves {
    uint32_t count;
    uint8_t low[LEAVES_MAX][16];
    size_t low_size[LEAVES_MAX];
    uint32_t page[LEAVES_MAX];
};

static struct leaves leaves;

/* Keys of 8 bytes for integer trees, of 12 for others. */
static size_t
make_key(const struct tree_rig *rig, uint64_t number, uint8_t *out)
{
    uint64_t swapped = __builtin_bswap64(number);

    memcpy(out, &swapped, 8);
    memcpy(out + 8, "tail", 4);
    return rig->tree.kind == BTREE_INT ? 8 : 12;
}

static enum status
change_rows(struct pager_change *change, void *context)
{
    const struct rows *rows = context;
    struct btree_leaf_tally *tally = rows->rig->tree.tally;
    uint8_t key[16];

    /* The change that misses a page is abandoned and made again: what it counted counts no more. */
    if (tally != NULL)
        *tally = rows->before;
    for (uint32_t i = rows->from; i < rows->to; i += rows->step) {
        uint64_t number = i;
        size_t size = make_key(rows->rig, number, key);

        if (rows->remove)
            TRY(btree_delete(change, &rows->rig->tree, key, size));
        else
            TRY(btree_put(change, &rows->rig->tree, key, size, &number, 8, NULL));
    }
    return STATUS_OK;
}

static void
run_rows(struct tree_rig *rig, uint32_t from, uint32_t to, uint32_t step, bool remove)
{
    for (uint32_t i = from; i < to; i += 500) {
        struct rows rows = {rig, i, i + 500 < to ? i + 500 : to, step, remove, {0, 0, 0}};

        if (rig->tree.tally != NULL)
            rows.before = *rig->tree.tally;
        cr_assert_eq(tree_rig_run(rig, change_rows, &rows), STATUS_OK);
    }
}

/* Odd numbers are there. */
static void
build(struct tree_rig *rig, enum btree_kind kind)
{
    tree_rig_init(rig, kind == BTREE_INT ? UNIVERSE_DENSE : UNIVERSE_TEXT, 10, 2048);
    cr_assert_eq(rig->tree.kind, kind);
    run_rows(rig, 1, 2 * ROWS, 2, false);
}

static bool
note_leaf(void *context, const uint8_t *low, size_t low_size, uint32_t page_number)
{
    struct leaves *out = context;

    cr_assert(out->count < LEAVES_MAX && low_size <= 16);
    memcpy(out->low[out->count], low, low_size);
    out->low_size[out->count] = low_size;
    out->page[out->count++] = page_number;
    return true;
}

static void
walk(struct tree_rig *rig)
{
    uint8_t key[BTREE_KEY_SIZE_MAX];
    size_t key_size = 0;

    leaves.count = 0;
    do
        cr_assert_eq(btree_leaves(&rig->tree, key, &key_size, note_leaf, &leaves), STATUS_OK);
    while (key_size > 0);
}

static enum status
get_at(struct tree_rig *rig, uint32_t page, uint64_t number, uint32_t *hops)
{
    uint8_t key[16];
    uint64_t value = 0;
    size_t size = sizeof(value);
    uint64_t csn = 0;
    struct btree_spot spot = {page, (uint16_t)(number * 8 + page * 64), (uint16_t)(page * 640),
                              number / 2 % 2 == 1};
    enum status status =
        btree_get_at(&rig->tree, &spot, key, make_key(rig, number, key), &value, &size, &csn, hops);

    if (status == STATUS_OK)
        cr_assert(value == number && size == 8 && csn > 0);
    return status;
}

/* The key against the low fence of a leaf. */
static bool
is_at_or_behind(const uint8_t *key, size_t key_size, uint32_t leaf)
{
    size_t low_size = leaves.low_size[leaf];
    int order = memcmp(key, leaves.low[leaf], key_size < low_size ? key_size : low_size);

    return order > 0 || (order == 0 && key_size >= low_size);
}

static const enum btree_kind kinds[] = {BTREE_INT, BTREE_VAR};

/* covers: B11 */
Test(tree_route, the_walk_names_every_leaf_in_order)
{
    for (int k = 0; k < 2; k++) {
        struct tree_rig rig;
        uint64_t rows = 0;

        build(&rig, kinds[k]);
        walk(&rig);
        cr_assert(leaves.count > 20);
        cr_assert_eq(leaves.low_size[0], 0);
        for (uint32_t i = 0; i < leaves.count; i++) {
            _Alignas(8) uint8_t page[PAGE_SIZE];
            struct node node;
            struct btree_leaf_shape shape = {.row_count = 0};

            cr_assert_eq(pager_copy(rig.tree.pager, leaves.page[i], page), STATUS_OK);
            cr_assert(node_load_page(page, &node) && node.level == 0);
            cr_assert_eq(node.low_size, leaves.low_size[i]);
            cr_assert_eq(memcmp(node.low, leaves.low[i], node.low_size), 0);
            cr_assert_eq(node.link, i + 1 < leaves.count ? leaves.page[i + 1] : PAGE_NONE);
            cr_assert_eq(btree_leaf_look(&rig.tree, leaves.page[i], &shape), STATUS_OK);
            cr_assert_eq(shape.value_step, kinds[k] == BTREE_INT ? 8 : 0);
            /* The keys are every second number. */
            cr_assert_eq(shape.near_count, kinds[k] == BTREE_INT ? shape.row_count : 0);
            rows += shape.row_count;
        }
        cr_assert_eq(rows, ROWS);
        cr_assert_eq(
            btree_leaf_look(&rig.tree, rig.tree.root, &(struct btree_leaf_shape){.row_count = 0}),
            STATUS_MISSING);
        tree_rig_deinit(&rig);
    }
}

/* covers: B11 */
Test(tree_route, two_links_are_followed_and_no_more)
{
    for (int k = 0; k < 2; k++) {
        struct tree_rig rig;
        uint32_t at = 0;

        build(&rig, kinds[k]);
        walk(&rig);
        for (uint64_t number = 1; number < 2 * ROWS; number++) {
            uint8_t key[16];
            size_t key_size = make_key(&rig, number, key);
            enum status expected = number % 2 == 1 ? STATUS_OK : STATUS_NOT_FOUND;

            while (at + 1 < leaves.count && is_at_or_behind(key, key_size, at + 1))
                at++;
            for (uint32_t back = 0; back < 4 && back <= at; back++) {
                uint32_t hops = 99;
                enum status status = get_at(&rig, leaves.page[at - back], number, &hops);

                cr_assert_eq(status, back <= BTREE_HOPS_MAX ? expected : STATUS_MISSING);
                cr_assert(status == STATUS_MISSING || hops == back);
            }
            if (at + 1 < leaves.count)
                cr_assert_eq(get_at(&rig, leaves.page[at + 1], number, &(uint32_t){0}),
                             STATUS_MISSING);
        }
        tree_rig_deinit(&rig);
    }
}

/* covers: B11 */
Test(tree_route, any_page_number_is_fine)
{
    for (int k = 0; k < 2; k++) {
        struct tree_rig rig;
        struct btree_cursor cursor;
        uint8_t key[16];

        build(&rig, kinds[k]);
        run_rows(&rig, 4001, 8001, 2, true);
        btree_cursor_init(&cursor, &rig.tree, rig.pager.memory);
        uint32_t pages = pager_page_count(rig.tree.pager);

        for (uint32_t page = 0; page < pages + 3; page++) {
            uint32_t number = page == pages + 2 ? PAGE_NONE : page;
            enum status status = get_at(&rig, number, 999, &(uint32_t){0});

            cr_assert(status == STATUS_OK || status == STATUS_MISSING);
            status = get_at(&rig, number, 5001, &(uint32_t){0});
            cr_assert(status == STATUS_NOT_FOUND || status == STATUS_MISSING);
            cursor.hint = number;
            cr_assert_eq(btree_cursor_seek(&cursor, key, make_key(&rig, 1000, key)), STATUS_OK);
            cr_assert_eq(memcmp(cursor.row.value, &(uint64_t){1001}, 8), 0);
            cursor.hint = number;
            cr_assert_eq(btree_cursor_seek_last(&cursor, key, make_key(&rig, 7000, key)),
                         STATUS_OK);
            cr_assert_eq(memcmp(cursor.row.value, &(uint64_t){3999}, 8), 0);
        }
        btree_cursor_deinit(&cursor);
        tree_rig_deinit(&rig);
    }
}

struct near {
    struct tree_rig *rig;
    uint32_t from;
    uint32_t page; /* 0: the leaf that a batch of look-ups names. */
    uint32_t named;
};

/* Two hundred rows that are not there and some that are, with longer values, in one change: it splits
 * leaves that are named to it. */
static enum status
put_near_rows(struct pager_change *change, void *context)
{
    static const uint8_t value[300] = {1};
    struct near *near = context;
    const struct btree *tree = &near->rig->tree;

    near->named = 0;
    for (uint32_t number = near->from; number < near->from + 400; number++) {
        uint8_t key[16], room[300];
        struct btree_get get = {.key = key, .value = room, .size = sizeof(room)};
        bool existed = false;

        if (number % 2 == 1 && number % 10 != 1)
            continue;
        get.key_size = make_key(near->rig, number, key);
        TRY(btree_get_batch(tree, &get, 1));
        near->named += get.leaf != 0;
        btree_fetch_leaf(tree, near->page, get.leaf);
        TRY(btree_put_near(change, tree, near->page != 0 ? near->page : get.leaf, key, get.key_size,
                           value, 100 + number % 200, &existed));
        cr_assert_eq(existed, get.status == STATUS_OK);
    }
    return STATUS_OK;
}

static void
check_near_rows(const struct tree_rig *rig, uint32_t end)
{
    for (uint32_t number = 0; number < end; number++) {
        uint8_t key[16], value[300];
        size_t size = sizeof(value);
        uint64_t csn;
        enum status status =
            btree_get(&rig->tree, key, make_key(rig, number, key), value, &size, &csn);
        bool is_long = number % 2 == 0 || number % 10 == 1;

        cr_assert_eq(status, STATUS_OK, "%u", number);
        cr_assert_eq(size, is_long ? 100 + number % 200 : 8);
    }
}

/* covers: B11 */
Test(tree_route, a_put_from_any_page_puts_the_row_where_it_belongs)
{
    for (int k = 0; k < 2; k++) {
        struct tree_rig rig;
        uint32_t from = 0;

        build(&rig, kinds[k]);
        run_rows(&rig, 8001, 2 * ROWS, 2, true); /* Some pages are free again. */
        uint32_t pages = pager_page_count(rig.tree.pager);
        struct near near = {&rig, 0, 0, 0};

        for (; from < 3200; from += 400) {
            near = (struct near){&rig, from, 0, 0};
            cr_assert_eq(tree_rig_run(&rig, put_near_rows, &near), STATUS_OK);
            cr_assert_gt(near.named, 200);
        }
        for (uint32_t page = 1; from < 7600; page += pages / 10, from += 400) {
            near = (struct near){&rig, from, page, 0};
            cr_assert_eq(tree_rig_run(&rig, put_near_rows, &near), STATUS_OK);
        }
        /* The same rows again, from each page there is and beyond. */
        for (uint32_t page = 1; page < pages + 3; page++) {
            near = (struct near){&rig, 0, page == pages + 2 ? PAGE_NONE : page, 0};
            cr_assert_eq(tree_rig_run(&rig, put_near_rows, &near), STATUS_OK);
        }
        check_near_rows(&rig, from);
        tree_rig_deinit(&rig);
    }
}

Test(tree_route, changes_count_what_they_do_to_leaves)
{
    struct btree_leaf_tally tally = {.split_count = 0};
    struct tree_rig rig;

    build(&rig, BTREE_INT);
    walk(&rig);
    uint32_t before = leaves.count;

    rig.tree.tally = &tally;
    run_rows(&rig, 2 * ROWS + 1, 4 * ROWS, 2, false);
    cr_assert(tally.appended_count > 5 && tally.split_count == 0 && tally.removed_count == 0);
    walk(&rig);
    cr_assert_eq(leaves.count, before + tally.appended_count);
    run_rows(&rig, 2, 1000, 2, false);
    cr_assert(tally.split_count > 0 && tally.removed_count == 0);
    run_rows(&rig, 2 * ROWS + 1, 4 * ROWS, 2, true);
    cr_assert(tally.removed_count > 0);
    walk(&rig);
    cr_assert_eq(leaves.count,
                 before + tally.appended_count + tally.split_count - tally.removed_count);
    tree_rig_deinit(&rig);
}

Test(tree_route, samples_tell_about_how_many_rows_there_are)
{
    enum { SHARES = 256 };

    for (int k = 0; k < 2; k++) {
        uint8_t low[BTREE_KEY_SIZE_MAX], before[BTREE_KEY_SIZE_MAX];
        size_t low_size = 0, before_size = 0;
        struct tree_rig rig;
        double sum = 0;

        build(&rig, kinds[k]);
        for (uint32_t i = 0; i < SHARES; i++) {
            double rows = 0;

            cr_assert_eq(btree_sample(&rig.tree, (i + 0.5) / SHARES, &rows, low, &low_size),
                         STATUS_OK);
            sum += rows / SHARES;
            cr_assert(i > 0 || low_size == 0);
            size_t least = low_size < before_size ? low_size : before_size;
            int order = memcmp(low, before, least);
            cr_assert(order > 0 || (order == 0 && low_size >= before_size), "share %u", i);
            memcpy(before, low, low_size);
            before_size = low_size;
        }
        cr_assert(sum > 0.9 * ROWS && sum < 1.1 * ROWS, "%.0f of %d rows", sum, ROWS);
        tree_rig_deinit(&rig);
    }
}

/* Leaves that the cursor has not come to are brought in; the rows are all there. */
Test(tree_route, a_cursor_reads_absent_leaves_ahead)
{
    for (int k = 0; k < 2; k++) {
        struct btree_cursor cursor;
        struct tree_rig rig;
        uint32_t rows = 0, ahead = 0;

        build(&rig, kinds[k]);
        walk(&rig);
        for (uint32_t i = 0; i < leaves.count; i++)
            pager_rig_evict(&rig.pager, leaves.page[i]);
        cr_assert(!btree_page_is_resident(&rig.tree, leaves.page[5]));
        btree_cursor_init(&cursor, &rig.tree, rig.pager.memory);
        cr_assert_eq(btree_cursor_seek(&cursor, NULL, 0), STATUS_OK);
        do {
            uint8_t key[16];
            size_t key_size = make_key(&rig, 2 * rows + 1, key);

            cr_assert(cursor.row.key_size == key_size &&
                      memcmp(cursor.row.key, key, key_size) == 0);
            rows++;
            for (uint32_t i = 4; i < 8 && memcmp(key, leaves.low[3], 8) == 0; i++)
                ahead += btree_page_is_resident(&rig.tree, leaves.page[i]);
        } while (btree_cursor_next(&cursor) == STATUS_OK);
        cr_assert_eq(rows, ROWS);
        cr_assert_geq(ahead, 2);
        btree_cursor_deinit(&cursor);
        tree_rig_deinit(&rig);
    }
}

/* A hint for samples: the leaves they will look at come in together, and only those. */
Test(tree_route, leaves_to_be_sampled_are_brought_in)
{
    for (int k = 0; k < 2; k++) {
        static const double shares[] = {0, 0.001, 0.5, 1};
        uint8_t low[BTREE_KEY_SIZE_MAX];
        uint32_t absent = 0;
        struct tree_rig rig;

        build(&rig, kinds[k]);
        walk(&rig);
        for (uint32_t i = 0; i < leaves.count; i++)
            pager_rig_evict(&rig.pager, leaves.page[i]);
        cr_assert(!btree_page_is_resident(&rig.tree, leaves.page[0]));
        btree_sample_fetch(&rig.tree, shares, 4);
        cr_assert(btree_page_is_resident(&rig.tree, leaves.page[0]));
        cr_assert(btree_page_is_resident(&rig.tree, leaves.page[leaves.count - 1]));
        for (uint32_t i = 0; i < leaves.count; i++)
            absent += !btree_page_is_resident(&rig.tree, leaves.page[i]);
        cr_assert_geq(absent, leaves.count - 4);
        uint64_t reads = pager_thread_page_reads();
        for (uint32_t i = 0; i < 4; i++) {
            size_t low_size = 0;
            double rows = 0;

            cr_assert_eq(btree_sample(&rig.tree, shares[i], &rows, low, &low_size), STATUS_OK);
        }
        cr_assert_eq(pager_thread_page_reads(), reads);
        tree_rig_deinit(&rig);
    }
}

/* Trees of one page, of two levels, and of three: keys of 12 bytes under many leaves. */
Test(tree_route, pages_are_counted_as_a_walk_over_them_counts)
{
    static const uint32_t numbers[] = {0, 10, 2000, 150000};

    for (size_t i = 0; i < 2 * sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct btree_walk all = {.finding = NULL};
        struct tree_rig rig;
        uint64_t count = 0;

        tree_rig_init(&rig, i % 2 == 0 ? UNIVERSE_DENSE : UNIVERSE_TEXT, 10, 8192);
        run_rows(&rig, 1, numbers[i / 2], 1, false);
        cr_assert_eq(btree_page_count(&rig.tree, &count), STATUS_OK);
        cr_assert_eq(btree_verify(&rig.tree, false, &all), STATUS_OK);
        cr_assert_eq(count, all.page_count);
        cr_assert(i < 6 || btree_depth(&rig.tree) == 3, "%u", btree_depth(&rig.tree));
        tree_rig_deinit(&rig);
    }
}
