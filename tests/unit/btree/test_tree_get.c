/*
 * Goal: the short way to a row of an integer tree finds every row of a quiet tree by itself, says
 * of others that they are absent, and leaves to the long way what it does not do.
 * Method: a tree of three levels whose leaves have both forms; each key, and its neighbours, through
 * tree__get_int alone and through btree_get.
 */
#include <criterion/criterion.h>

#include "btree/node_private.h"
#include "btree/tree_private.h"
#include "tests/unit/btree/tree_rig.h"

enum { ROWS = 30000, STRIDE = 3, LARGE = 777 };

struct rows {
    struct tree_rig *rig;
    uint32_t from;
    uint32_t to;
};

static uint64_t
number_of(uint32_t i)
{
    return (uint64_t)i * STRIDE + 10;
}

static size_t
size_of(uint32_t i)
{
    return i == LARGE ? 5000 : i / 1000 % 2 == 0 ? 8 : i % 20;
}

static enum status
put_rows(struct pager_change *change, void *context)
{
    const struct rows *rows = context;

    for (uint32_t i = rows->from; i < rows->to; i++) {
        uint64_t key = __builtin_bswap64(number_of(i));

        memset(rows->rig->value, (int)(i & 0xff), size_of(i));
        TRY(btree_put(change, &rows->rig->tree, &key, 8, rows->rig->value, size_of(i), NULL));
    }
    return STATUS_OK;
}

static void
build(struct tree_rig *rig)
{
    struct rows rows = {rig, 0, 0};

    tree_rig_init(rig, UNIVERSE_DENSE, 10, 2048);
    for (; rows.from < ROWS; rows.from = rows.to) {
        rows.to = rows.from + 500;
        MUST(tree_rig_run(rig, put_rows, &rows));
    }
}

static enum status
get(struct tree_rig *rig, uint64_t number, size_t *size_io)
{
    uint64_t csn = 0;
    enum status status = tree__get_int(&rig->tree, number, rig->other, size_io, &csn);

    if (status != STATUS_MISSING)
        cr_assert(csn > 0 && csn <= pager_csn(rig->tree.pager));
    return status;
}

Test(tree_get, the_short_way_finds_every_row)
{
    struct tree_rig rig;

    build(&rig);
    for (uint32_t i = 0; i < ROWS; i++) {
        size_t size = 100;
        enum status expected = i == LARGE ? STATUS_MISSING : STATUS_OK;

        cr_assert_eq(get(&rig, number_of(i), &size), expected, "row %u", i);
        if (expected != STATUS_OK)
            continue;
        cr_assert_eq(size, size_of(i));
        for (size_t b = 0; b < size; b++)
            cr_assert_eq(rig.other[b], (uint8_t)i, "row %u", i);
        size = 100;
        cr_assert_eq(get(&rig, number_of(i) + 1, &size), STATUS_NOT_FOUND, "behind row %u", i);
        cr_assert_eq(get(&rig, number_of(i) - 1, &size), STATUS_NOT_FOUND, "before row %u", i);
    }
    tree_rig_deinit(&rig);
}

Test(tree_get, what_the_short_way_does_not_do_goes_the_long_one)
{
    struct tree_rig rig;
    size_t size = 7;
    uint64_t key = __builtin_bswap64(number_of(5));
    uint64_t csn;

    build(&rig);
    cr_assert_eq(get(&rig, number_of(5), &size), STATUS_FULL);
    cr_assert_eq(size, 8);
    size = 8;
    cr_assert_eq(get(&rig, UINT64_MAX, &size), STATUS_MISSING);
    cr_assert_eq(size, 8);
    key = UINT64_MAX;
    cr_assert_eq(btree_get(&rig.tree, &key, 8, rig.other, &size, &csn), STATUS_NOT_FOUND);
    key = __builtin_bswap64(number_of(LARGE));
    size = UNIVERSE_VALUE_MAX;
    MUST(btree_get(&rig.tree, &key, 8, rig.other, &size, &csn));
    cr_assert_eq(size, 5000);
    cr_assert_eq(rig.other[4999], LARGE & 0xff);
    /* A tree of another id on the same pages is not this one. */
    struct btree other = rig.tree;

    other.tree_id++;
    cr_assert_eq(tree__get_int(&other, number_of(5), rig.other, &size, &csn), STATUS_MISSING);
    tree_rig_deinit(&rig);
}

/* Guesses say which lines to ask for, never what the answer is. */
Test(tree_get, a_hint_of_any_content_changes_no_answer)
{
    struct btree_hint hint = {0};
    struct tree_rig rig;
    struct random random;

    random_init(&random, 11);
    build(&rig);
    rig.tree.hint = &hint;
    for (uint32_t i = 0; i < ROWS; i++) {
        size_t size = 100;
        enum status expected = i == LARGE ? STATUS_MISSING : STATUS_OK;

        if (i % 3 != 0)
            atomic_store(&hint.leaf, random_u64(&random) >> random_below(&random, 60));
        cr_assert_eq(get(&rig, number_of(i), &size), expected, "row %u", i);
        if (expected == STATUS_OK)
            cr_assert_eq(size, size_of(i));
        size = 100;
        cr_assert_eq(get(&rig, number_of(i) + 1, &size), STATUS_NOT_FOUND, "behind row %u", i);
    }
    tree_rig_deinit(&rig);
}

/* It is shared by all readers: a leaf like those before does not write it. */
Test(tree_get, the_hint_follows_the_leaves_and_is_written_seldom)
{
    struct btree_hint hint = {0};
    uint32_t changes = 0;
    struct tree_rig rig;

    build(&rig);
    rig.tree.hint = &hint;
    for (uint32_t i = 0; i < ROWS; i++) {
        uint64_t before = atomic_load(&hint.leaf);
        size_t size = 100;

        if (i == LARGE)
            continue;
        cr_assert_eq(get(&rig, number_of(i), &size), STATUS_OK);
        changes += atomic_load(&hint.leaf) != before;
        cr_assert(atomic_load(&hint.leaf) != 0);
    }
    /* Each thousand rows the sizes of the values become others, and so the leaves. */
    cr_assert(changes >= 20 && changes <= 120, "%u", changes);
    tree__note_hint(&hint, UINT64_C(0x800080010), 0);
    cr_assert(atomic_load(&hint.leaf) != 0, "an empty leaf says nothing");
    tree__note_hint(&hint, UINT64_C(0x800f00064), UINT64_C(0x800f00064) - 20);
    cr_assert_neq(atomic_load(&hint.leaf), UINT64_C(0x800f00050), "about the same");
    tree__note_hint(&hint, UINT64_C(0x800f00064), UINT64_C(0x800f00040));
    cr_assert_eq(atomic_load(&hint.leaf), UINT64_C(0x800f00040), "36 of 100 rows fewer");
    tree_rig_deinit(&rig);
}

/* A page that is not in memory is brought in by the long way. */
Test(tree_get, absent_pages_are_brought_in)
{
    struct tree_rig rig;
    uint64_t csn;

    build(&rig);
    pager_rig_close(&rig.pager);
    pager_rig_open(&rig.pager);
    rig.tree.pager = rig.pager.pager;
    for (uint32_t i = 0; i < ROWS; i += 7) {
        uint64_t key = __builtin_bswap64(number_of(i));
        size_t size = UNIVERSE_VALUE_MAX;

        MUST(btree_get(&rig.tree, &key, 8, rig.other, &size, &csn));
        cr_assert_eq(size, size_of(i));
    }
    tree_rig_deinit(&rig);
}
