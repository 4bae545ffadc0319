/*
 * Goal: a cursor meets every row that is there all the time exactly once and in order, whatever is
 * inserted, deleted, split and merged around it, in both directions; and what it says of CSNs holds.
 * Method: a third of the keys stays; between any two steps of the cursor random others are put and
 * deleted. Seeks are compared with the model's order for every key and its neighbours.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/btree/tree_rig.h"

static bool
stays(uint32_t number)
{
    return number % 3 == 0;
}

static void
disturb(struct tree_rig *rig, struct random *random)
{
    for (uint64_t i = random_below(random, 6); i > 0; i--) {
        uint32_t number = (uint32_t)random_below(random, rig->universe.count);

        if (stays(number))
            tree_rig_put(rig, number, 1 + (uint32_t)random_below(random, 5000));
        else if (random_chance(random, 1, 2))
            tree_rig_put(rig, number, 1 + (uint32_t)random_below(random, 5000));
        else
            tree_rig_delete(rig, number);
    }
}

static uint32_t
number_of(const struct tree_rig *rig, const struct btree_row *row)
{
    for (uint32_t number = 0; number < rig->universe.count; number++) {
        uint8_t key[1024];
        size_t key_size = universe_key(&rig->universe, number, key);

        if (key_size == row->key_size && memcmp(key, row->key, key_size) == 0)
            return number;
    }
    cr_assert_fail("a key that was never put");
    return 0;
}

static void
walk(bool backward, uint64_t seed)
{
    uint32_t count = 900;
    uint8_t *met = calloc(count, 1);
    struct tree_rig rig;
    struct btree_cursor cursor;
    struct random random;
    enum status status;
    uint32_t steps = 0;
    uint32_t last = 0;

    random_init(&random, seed);
    tree_rig_init(&rig, UNIVERSE_TEXT, count, 256);
    for (uint32_t number = 0; number < count; number++)
        if (stays(number))
            tree_rig_put(&rig, number, number + 1);
    btree_cursor_init(&cursor, &rig.tree, rig.pager.memory);
    status =
        backward ? btree_cursor_seek_last(&cursor, NULL, 0) : btree_cursor_seek(&cursor, NULL, 0);
    while (status == STATUS_OK) {
        uint32_t number = number_of(&rig, &cursor.row);
        uint32_t rank = rig.universe.rank[number];

        cr_assert_eq(met[number], 0, "key %u twice", number);
        cr_assert(steps == 0 || (backward ? rank < last : rank > last), "out of order");
        met[number] = 1;
        last = rank;
        steps++;
        disturb(&rig, &random);
        status = backward ? btree_cursor_previous(&cursor) : btree_cursor_next(&cursor);
    }
    cr_assert_eq(status, STATUS_NOT_FOUND);
    for (uint32_t number = 0; number < count; number++)
        cr_assert(!stays(number) || met[number], "key %u was passed over, seed %lu", number,
                  (unsigned long)seed);
    btree_cursor_deinit(&cursor);
    tree_rig_deinit(&rig);
    free(met);
}

/* covers: B10 */
Test(tree_cursor, forward_scans_survive_changes)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        walk(false, seed);
}

/* covers: B10 */
Test(tree_cursor, backward_scans_survive_changes)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        walk(true, seed);
}

static void
expect(struct tree_rig *rig, struct btree_cursor *cursor, enum status status, int64_t rank,
       int direction)
{
    while (rank >= 0 && rank < (int64_t)rig->universe.count &&
           rig->seed[rig->universe.order[rank]] == 0)
        rank += direction;
    if (rank < 0 || rank >= (int64_t)rig->universe.count) {
        cr_assert_eq(status, STATUS_NOT_FOUND);
        return;
    }
    cr_assert_eq(status, STATUS_OK);
    cr_assert_eq(number_of(rig, &cursor->row), rig->universe.order[rank]);
}

Test(tree_cursor, seeks_land_on_the_nearest_row)
{
    struct tree_rig rig;
    struct btree_cursor cursor;
    struct random random;
    uint32_t count = 500;

    random_init(&random, 3);
    tree_rig_init(&rig, UNIVERSE_TEXT, count, 256);
    for (uint32_t i = 0; i < 60; i++)
        tree_rig_change(&rig, &random, 8);
    btree_cursor_init(&cursor, &rig.tree, rig.pager.memory);
    for (uint32_t number = 0; number < count; number++) {
        uint8_t key[1024];
        size_t key_size = universe_key(&rig.universe, number, key);
        int64_t rank = rig.universe.rank[number];

        expect(&rig, &cursor, btree_cursor_seek(&cursor, key, key_size), rank, 1);
        if (cursor.valid)
            expect(&rig, &cursor, btree_cursor_previous(&cursor), rank - 1, -1);
        expect(&rig, &cursor, btree_cursor_seek_last(&cursor, key, key_size), rank, -1);
        if (cursor.valid)
            expect(&rig, &cursor, btree_cursor_next(&cursor), rank + 1, 1);
    }
    btree_cursor_deinit(&cursor);
    tree_rig_deinit(&rig);
}

Test(tree_cursor, an_empty_tree_has_no_rows)
{
    struct tree_rig rig;
    struct btree_cursor cursor;

    tree_rig_init(&rig, UNIVERSE_TEXT, 10, 128);
    btree_cursor_init(&cursor, &rig.tree, rig.pager.memory);
    cr_assert_eq(btree_cursor_seek(&cursor, NULL, 0), STATUS_NOT_FOUND);
    cr_assert_eq(btree_cursor_seek_last(&cursor, NULL, 0), STATUS_NOT_FOUND);
    cr_assert_eq(btree_cursor_seek(&cursor, "key", 3), STATUS_NOT_FOUND);
    cr_assert_eq(btree_cursor_seek_last(&cursor, "key", 3), STATUS_NOT_FOUND);
    btree_cursor_deinit(&cursor);
    tree_rig_deinit(&rig);
}

/* A step that only sees leaves as old as a snapshot says so: nothing between the rows has changed. */
Test(tree_cursor, the_csn_tells_of_every_leaf_looked_at)
{
    struct tree_rig rig;
    struct btree_cursor cursor;
    uint64_t before;

    tree_rig_init(&rig, UNIVERSE_DENSE, 2000, 256);
    for (uint32_t number = 0; number < 2000; number++)
        tree_rig_put(&rig, number, 3);
    before = pager_csn(rig.pager.pager);
    btree_cursor_init(&cursor, &rig.tree, rig.pager.memory);
    MUST(btree_cursor_seek(&cursor, NULL, 0));
    cr_assert_leq(cursor.csn, before);
    tree_rig_delete(&rig, 1500);
    uint64_t highest = 0;

    while (btree_cursor_next(&cursor) == STATUS_OK)
        if (cursor.csn > highest)
            highest = cursor.csn;
    cr_assert_gt(highest, before);
    btree_cursor_deinit(&cursor);
    tree_rig_deinit(&rig);
}

/* covers: B8 */
Test(tree_cursor, a_large_value_that_went_ahead_of_the_cursor_is_not_damage)
{
    struct tree_rig rig;
    struct btree_cursor cursor;
    uint32_t large[2] = {0, 0};
    uint32_t seed = 1;

    tree_rig_init(&rig, UNIVERSE_DENSE, 10, 256);
    for (uint32_t i = 0; i < 2; seed++)
        if (universe_value(seed, rig.value) > 2000)
            large[i++] = seed;
    tree_rig_put(&rig, 1, 3);
    tree_rig_put(&rig, 2, large[0]);
    tree_rig_put(&rig, 3, large[0]);
    tree_rig_put(&rig, 4, 3);
    btree_cursor_init(&cursor, &rig.tree, rig.pager.memory);
    MUST(btree_cursor_seek(&cursor, NULL, 0));
    tree_rig_put(&rig, 2, large[1]);
    tree_rig_delete(&rig, 3);
    MUST(btree_cursor_next(&cursor));
    cr_assert_eq(number_of(&rig, &cursor.row), 2);
    cr_assert_eq(cursor.row.value_size, universe_value(large[1], rig.other));
    cr_assert_eq(memcmp(cursor.row.value, rig.other, cursor.row.value_size), 0);
    cr_assert_eq(cursor.csn, pager_csn(rig.pager.pager));
    MUST(btree_cursor_next(&cursor));
    cr_assert_eq(number_of(&rig, &cursor.row), 4);
    btree_cursor_deinit(&cursor);
    tree_rig_deinit(&rig);
}

/* A step inside a leaf copies a key, allocates nothing, and hands out the value where it lies. */
Test(tree_cursor, steps_allocate_nothing)
{
    struct btree_cursor cursor;
    struct tree_rig rig;
    uint64_t allocations;
    uint32_t steps = 0;

    tree_rig_init(&rig, UNIVERSE_DENSE, 400, 256);
    for (uint32_t number = 0; number < 400; number++)
        tree_rig_put(&rig, number, 1);
    btree_cursor_init(&cursor, &rig.tree, rig.pager.memory);
    MUST(btree_cursor_seek(&cursor, NULL, 0));
    allocations = memory_alloc_count(rig.pager.memory);
    enum status status = STATUS_OK;

    for (; status == STATUS_OK; steps++) {
        cr_assert(cursor.row.value >= cursor.leaf &&
                  cursor.row.value + cursor.row.value_size <= cursor.leaf + PAGE_SIZE);
        status = steps < 200 ? btree_cursor_next(&cursor) : btree_cursor_previous(&cursor);
    }
    cr_assert_eq(status, STATUS_NOT_FOUND);
    cr_assert_eq(steps, 401);
    cr_assert_eq(memory_alloc_count(rig.pager.memory), allocations);
    btree_cursor_deinit(&cursor);
    tree_rig_deinit(&rig);
}

static void
expect_same(const struct btree_cursor *cursor, const struct btree_cursor *other)
{
    cr_assert_eq(cursor->row.key_size, other->row.key_size);
    cr_assert_eq(memcmp(cursor->row.key, other->row.key, cursor->row.key_size), 0);
    cr_assert_eq(cursor->row.value_size, other->row.value_size);
    cr_assert_eq(memcmp(cursor->row.value, other->row.value, cursor->row.value_size), 0);
}

/* A step inside the copied leaf leads where next and previous lead, or does nothing. */
static void
step_like_next(struct tree_rig *rig, bool forward, uint32_t *steps_out)
{
    struct btree_cursor cursor, other;
    enum status status;
    uint32_t others = 0;

    btree_cursor_init(&cursor, &rig->tree, rig->pager.memory);
    btree_cursor_init(&other, &rig->tree, rig->pager.memory);
    status =
        forward ? btree_cursor_seek(&cursor, NULL, 0) : btree_cursor_seek_last(&cursor, NULL, 0);
    MUST(forward ? btree_cursor_seek(&other, NULL, 0) : btree_cursor_seek_last(&other, NULL, 0));
    while (status == STATUS_OK) {
        expect_same(&cursor, &other);
        bool stepped = btree_cursor_step(&cursor, forward);

        status = forward ? btree_cursor_next(&other) : btree_cursor_previous(&other);
        if (stepped) {
            *steps_out += 1;
            cr_assert_eq(status, STATUS_OK);
            continue;
        }
        others++;
        cr_assert_eq(forward ? btree_cursor_next(&cursor) : btree_cursor_previous(&cursor), status);
    }
    cr_assert(others > 2 && *steps_out > others);
    btree_cursor_deinit(&cursor);
    btree_cursor_deinit(&other);
}

/* A span gives what as many steps give, whatever is asked for; where it gives nothing next goes on. */
static void
span_like_next(struct tree_rig *rig, uint32_t most, uint32_t *spanned_out)
{
    struct btree_cursor cursor, other;
    const void *values[16];
    uint32_t sizes[16];
    enum status status;

    btree_cursor_init(&cursor, &rig->tree, rig->pager.memory);
    btree_cursor_init(&other, &rig->tree, rig->pager.memory);
    status = btree_cursor_seek(&cursor, NULL, 0);
    MUST(btree_cursor_seek(&other, NULL, 0));
    for (bool counts = false; status == STATUS_OK; counts = !counts) {
        uint32_t taken =
            btree_cursor_span(&cursor, most, counts ? NULL : values, counts ? NULL : sizes);

        cr_assert_leq(taken, most);
        *spanned_out += taken;
        for (uint32_t i = 0; i < taken; i++) {
            MUST(btree_cursor_next(&other));
            if (counts)
                continue;
            cr_assert_eq(sizes[i], other.row.value_size);
            cr_assert_eq(memcmp(values[i], other.row.value, sizes[i]), 0);
        }
        expect_same(&cursor, &other);
        status = btree_cursor_next(&other);
        cr_assert_eq(btree_cursor_next(&cursor), status);
    }
    cr_assert_eq(status, STATUS_NOT_FOUND);
    btree_cursor_deinit(&cursor);
    btree_cursor_deinit(&other);
}

static bool
is_before(const struct btree_row_ref *row, const uint8_t *key, size_t key_size)
{
    int order = memcmp(row->key, key, row->key_size < key_size ? row->key_size : key_size);

    return order != 0 ? order < 0 : row->key_size < key_size;
}

/* Rows handed out together are those that as many steps give, up to a bound; then next goes on. */
static void
rows_like_steps(struct tree_rig *rig, bool forward, uint32_t most, uint32_t *handed_out)
{
    struct btree_cursor cursor, other;
    struct btree_row_ref rows[40];
    enum status status;

    btree_cursor_init(&cursor, &rig->tree, rig->pager.memory);
    btree_cursor_init(&other, &rig->tree, rig->pager.memory);
    status =
        forward ? btree_cursor_seek(&cursor, NULL, 0) : btree_cursor_seek_last(&cursor, NULL, 0);
    MUST(forward ? btree_cursor_seek(&other, NULL, 0) : btree_cursor_seek_last(&other, NULL, 0));
    for (bool bounded = false; status == STATUS_OK; bounded = !bounded) {
        uint8_t bound[BTREE_KEY_SIZE_MAX];
        size_t bound_size = bounded ? cursor.row.key_size : 0;

        memcpy(bound, cursor.row.key, bound_size);
        if (bounded) /* The next key but a few, or none. */
            bound[bound_size - 1] = (uint8_t)(bound[bound_size - 1] + (forward ? 3 : -3));
        bool wrapped = bounded && (memcmp(bound, cursor.row.key, bound_size) < 0) == forward;
        uint32_t taken =
            btree_cursor_rows(&cursor, forward, bound, wrapped ? 0 : bound_size, rows, most);

        cr_assert(taken >= 1 && taken <= most);
        *handed_out += taken;
        for (uint32_t i = 0; i < taken; i++) {
            if (i > 0)
                MUST(forward ? btree_cursor_next(&other) : btree_cursor_previous(&other));
            cr_assert_eq(rows[i].key_size, other.row.key_size);
            cr_assert_eq(memcmp(rows[i].key, other.row.key, rows[i].key_size), 0);
            cr_assert_eq(rows[i].value_size, other.row.value_size);
            cr_assert_eq(memcmp(rows[i].value, other.row.value, rows[i].value_size), 0);
            if (i == 0 || !bounded || wrapped)
                continue;
            cr_assert_eq(is_before(&rows[i], bound, bound_size), forward);
            cr_assert(rows[i].key_size != bound_size ||
                      memcmp(rows[i].key, bound, bound_size) != 0);
        }
        expect_same(&cursor, &other);
        status = forward ? btree_cursor_next(&other) : btree_cursor_previous(&other);
        cr_assert_eq(forward ? btree_cursor_next(&cursor) : btree_cursor_previous(&cursor), status);
    }
    cr_assert_eq(status, STATUS_NOT_FOUND);
    btree_cursor_deinit(&cursor);
    btree_cursor_deinit(&other);
}

Test(tree_cursor, a_span_gives_the_rows_that_steps_give)
{
    const enum universe_shape kinds[] = {UNIVERSE_DENSE, UNIVERSE_TEXT};

    for (uint32_t k = 0; k < 6; k++) {
        struct tree_rig rig;
        uint32_t spanned = 0;

        /* Values of one size, of several, and some of them large. */
        tree_rig_init(&rig, kinds[k % 2], 900, 256);
        for (uint32_t number = 0; number < 900; number++)
            tree_rig_put(&rig, number,
                         k < 2                       ? 7
                         : k < 4 || number % 10 != 3 ? 1 + number % 90
                                                     : 5000);
        span_like_next(&rig, 1, &spanned);
        span_like_next(&rig, 16, &spanned);
        cr_assert_gt(spanned, 900);
        uint32_t handed = 0;

        rows_like_steps(&rig, true, 1, &handed);
        rows_like_steps(&rig, true, 40, &handed);
        rows_like_steps(&rig, false, 40, &handed);
        cr_assert_eq(handed, 2700);
        tree_rig_deinit(&rig);
    }
}

/* Leaves with values of one size are arrays, those beside them are not: each row is what a get finds. */
Test(tree_cursor, rows_of_leaves_of_both_forms_are_those_that_a_get_finds)
{
    for (uint32_t forward = 0; forward < 2; forward++) {
        struct tree_rig rig;
        struct btree_cursor cursor;
        uint32_t rows = 0;

        tree_rig_init(&rig, UNIVERSE_DENSE, 900, 256);
        for (uint32_t number = 0; number < 900; number++)
            tree_rig_put(&rig, number, number / 150 % 2 == 0 ? 7 : 1 + number);
        btree_cursor_init(&cursor, &rig.tree, rig.pager.memory);
        enum status status = forward != 0 ? btree_cursor_seek(&cursor, NULL, 0)
                                          : btree_cursor_seek_last(&cursor, NULL, 0);

        for (; status == STATUS_OK; rows++) {
            size_t size = UNIVERSE_VALUE_MAX;
            uint64_t csn;

            MUST(btree_get(&rig.tree, cursor.row.key, cursor.row.key_size, rig.other, &size, &csn));
            cr_assert_eq(size, cursor.row.value_size);
            cr_assert_eq(memcmp(rig.other, cursor.row.value, size), 0);
            if (!btree_cursor_step(&cursor, forward != 0))
                status = forward != 0 ? btree_cursor_next(&cursor) : btree_cursor_previous(&cursor);
        }
        cr_assert_eq(status, STATUS_NOT_FOUND);
        cr_assert_eq(rows, 900);
        btree_cursor_deinit(&cursor);
        tree_rig_deinit(&rig);
    }
}

Test(tree_cursor, a_step_leads_where_next_and_previous_lead)
{
    const enum universe_shape kinds[] = {UNIVERSE_DENSE, UNIVERSE_TEXT};

    for (uint32_t k = 0; k < 2; k++) {
        for (uint32_t same = 0; same < 2; same++) {
            struct tree_rig rig;
            uint32_t steps = 0;

            tree_rig_init(&rig, kinds[k], 900, 256);
            for (uint32_t number = 0; number < 900; number++)
                tree_rig_put(&rig, number, same != 0 ? 7 : 1 + number * 5);
            step_like_next(&rig, true, &steps);
            steps = 0;
            step_like_next(&rig, false, &steps);
            tree_rig_deinit(&rig);
        }
    }
}

static uint64_t
read_count(const struct tree_rig *rig)
{
    struct pager_statistics statistics;

    pager_get_statistics(rig->pager.pager, &statistics);
    return statistics.page_read_count;
}

/* Steps until `leaves` leaves were left behind or there is no more row; returns how many were. */
static uint32_t
pass_leaves(struct btree_cursor *cursor, bool backward, uint32_t leaves)
{
    enum status status =
        backward ? btree_cursor_seek_last(cursor, NULL, 0) : btree_cursor_seek(cursor, NULL, 0);

    while (status == STATUS_OK && cursor->turns < leaves)
        status = backward ? btree_cursor_previous(cursor) : btree_cursor_next(cursor);
    cr_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
    return cursor->turns;
}

/* Without a page in memory: a few leaves are read one by one, then more at once, and none twice. */
static void
scan_cold(struct tree_rig *rig, bool backward, uint64_t page_count)
{
    const uint32_t few = 2, more = 4;
    uint64_t reads[3];
    struct btree_cursor cursor;

    for (uint32_t i = 0; i < 3; i++) {
        pager_rig_close(&rig->pager);
        pager_rig_open(&rig->pager);
        rig->tree.pager = rig->pager.pager;
        btree_cursor_init(&cursor, &rig->tree, rig->pager.memory);
        uint64_t before = read_count(rig);

        (void)pass_leaves(&cursor, backward, i == 0 ? few : i == 1 ? more : UINT32_MAX);
        reads[i] = read_count(rig) - before;
        btree_cursor_deinit(&cursor);
    }
    /* Root, inner pages of the way and map pages come with the leaves. */
    cr_assert_leq(reads[0], few + 1 + 4);
    cr_assert_geq(reads[1], more + 8, "nothing was read ahead: %llu pages",
                  (unsigned long long)reads[1]);
    cr_assert_leq(reads[2], page_count + 4);
}

Test(tree_cursor, scans_read_ahead_of_themselves_and_nothing_twice)
{
    struct tree_rig rig;

    tree_rig_init(&rig, UNIVERSE_TEXT, 3000, 512);
    for (uint32_t number = 0; number < 3000; number++)
        tree_rig_put(&rig, number, 7); /* Of one short value. */
    uint64_t page_count = tree_rig_page_count(&rig);

    cr_assert_gt(page_count, 60u);
    cr_assert_lt(page_count, 400u);
    scan_cold(&rig, false, page_count);
    scan_cold(&rig, true, page_count);
    tree_rig_deinit(&rig);
}
