/*
 * Goal: a tree holds exactly what its model holds, through splits, merges, large values and eviction;
 * freeing gives every page back; damage is found and named.
 * Method: random changes in commits of random size over key sets of four shapes with a pool much
 * smaller than the tree, then every key, both scans and a full walk; loads in order in both
 * directions; damage put into pages through a change that bypasses the tree.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "btree/node_format.h"
#include "kernel/base/error.h"
#include "pager/page.h"
#include "tests/unit/btree/tree_rig.h"

static void
random_changes(enum universe_shape shape, uint32_t key_count, uint32_t steps, uint64_t seed)
{
    struct tree_rig rig;
    struct random random;

    random_init(&random, seed);
    tree_rig_init(&rig, shape, key_count, 128);
    for (uint32_t step = 0; step < steps; step++) {
        tree_rig_change(&rig, &random, 1 + (uint32_t)random_below(&random, 12));
        if (step % (steps / 4) == 0)
            tree_rig_check(&rig);
    }
    tree_rig_check(&rig);
    tree_rig_deinit(&rig);
}

/* covers: B3, B4, B6 */
Test(tree, random_changes_equal_the_model_for_numbers)
{
    random_changes(UNIVERSE_INT, 3000, 1200, 1);
}

Test(tree, random_changes_equal_the_model_for_texts)
{
    random_changes(UNIVERSE_TEXT, 3000, 1200, 2);
}

Test(tree, random_changes_equal_the_model_for_the_longest_keys)
{
    random_changes(UNIVERSE_LONG, 600, 500, 3);
}

static uint64_t
load(enum universe_shape shape, bool backward, uint32_t count)
{
    struct tree_rig rig;
    uint64_t pages;

    tree_rig_init(&rig, shape, count, 256);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = rig.universe.order[backward ? count - 1 - i : i];
        /* A seed whose value is small. */
        tree_rig_put(&rig, number, 3);
    }
    tree_rig_check(&rig);
    pages = tree_rig_page_count(&rig);
    tree_rig_deinit(&rig);
    return pages;
}

/* covers: B5 */
Test(tree, a_load_in_order_leaves_full_pages)
{
    uint64_t forward = load(UNIVERSE_DENSE, false, 4000);
    uint64_t backward = load(UNIVERSE_DENSE, true, 4000);

    cr_assert_lt(forward * 3, backward * 2, "%lu pages forward, %lu backward",
                 (unsigned long)forward, (unsigned long)backward);
}

/* covers: B1 */
Test(tree, a_tree_that_grew_and_shrank_is_its_root_alone)
{
    struct tree_rig rig;
    uint32_t root;

    tree_rig_init(&rig, UNIVERSE_TEXT, 3000, 256);
    root = rig.tree.root;
    for (uint32_t number = 0; number < 3000; number++)
        tree_rig_put(&rig, number, number + 1);
    cr_assert_gt(tree_rig_page_count(&rig), 50);
    for (uint32_t number = 0; number < 3000; number++)
        tree_rig_delete(&rig, number);
    cr_assert_eq(rig.tree.root, root);
    cr_assert_eq(tree_rig_page_count(&rig), 1);
    tree_rig_check(&rig);
    tree_rig_deinit(&rig);
}

struct free_run {
    struct tree_rig *rig;
    bool done;
};

static enum status
free_body(struct pager_change *change, void *context)
{
    struct free_run *run = context;

    return btree_free(change, &run->rig->tree, 10, NULL, NULL, &run->done);
}

static uint64_t
used_pages(struct pager *pager)
{
    struct pager_check_result result;

    MUST(pager_check(pager, NULL, NULL, &result));
    cr_assert_eq(result.finding_count, 0);
    return result.used_count;
}

Test(tree, freeing_gives_every_page_back)
{
    struct tree_rig rig;
    uint64_t before;
    uint32_t calls = 0;

    tree_rig_init(&rig, UNIVERSE_TEXT, 1500, 256);
    before = used_pages(rig.pager.pager);
    for (uint32_t number = 0; number < 1500; number++)
        tree_rig_put(&rig, number, number + 1);
    struct free_run run = {&rig, false};

    for (; !run.done; calls++) {
        struct btree_walk walk = {.finding = NULL};

        MUST(tree_rig_run(&rig, free_body, &run));
        if (!run.done)
            MUST(btree_verify(&rig.tree, true, &walk));
        cr_assert_eq(walk.finding_count, 0);
    }
    cr_assert_gt(calls, 5);
    cr_assert_eq(used_pages(rig.pager.pager), before - 1);
    tree_rig_deinit(&rig);
}

/* covers: B8 */
Test(tree, large_values_are_read_replaced_and_freed)
{
    struct tree_rig rig;
    struct btree_cursor cursor;
    static const size_t sizes[] = {1025, 4031, 4032, 4033, 32256, 32257, 100000, 5000000};
    uint8_t *value = malloc(5000000);
    uint8_t *other = malloc(5000000);
    uint64_t before;

    tree_rig_init(&rig, UNIVERSE_DENSE, 10, 4096);
    before = used_pages(rig.pager.pager);
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct pager_change *change;
        uint64_t csn;
        size_t size = 5000000;
        enum status status = STATUS_MISSING;

        memset(value, (int)(i + 1), sizes[i]);
        value[sizes[i] - 1] = 0xee;
        while (status == STATUS_MISSING) {
            MUST(pager_change_begin(rig.pager.pager, &change));
            status = btree_put(change, &rig.tree, "12345678", 8, value, sizes[i], NULL);
            if (status == STATUS_OK)
                status = pager_change_commit(change, &csn);
            else
                pager_change_abandon(change);
            if (status == STATUS_MISSING)
                MUST(pager_change_resolve(rig.pager.pager));
        }
        MUST(status);
        MUST(btree_get(&rig.tree, "12345678", 8, other, &size, &csn));
        cr_assert(size == sizes[i] && memcmp(value, other, size) == 0, "%zu bytes", sizes[i]);
        size = sizes[i] - 1;
        cr_assert_eq(btree_get(&rig.tree, "12345678", 8, other, &size, &csn), STATUS_FULL);
        cr_assert_eq(size, sizes[i]);
        btree_cursor_init(&cursor, &rig.tree, rig.pager.memory);
        MUST(btree_cursor_seek(&cursor, "1", 1));
        cr_assert_eq(cursor.row.value_size, sizes[i]);
        cr_assert_eq(memcmp(cursor.row.value, value, sizes[i]), 0);
        btree_cursor_deinit(&cursor);
    }
    rig.present = 1;
    rig.seed[0] = 0;
    cr_assert_gt(tree_rig_page_count(&rig), 1200);
    struct pager_change *change;
    uint64_t csn;
    enum status status = STATUS_MISSING;

    while (status == STATUS_MISSING) {
        MUST(pager_change_begin(rig.pager.pager, &change));
        status = btree_delete(change, &rig.tree, "12345678", 8);
        if (status == STATUS_OK)
            status = pager_change_commit(change, &csn);
        else
            pager_change_abandon(change);
        if (status == STATUS_MISSING)
            MUST(pager_change_resolve(rig.pager.pager));
    }
    MUST(status);
    cr_assert_eq(used_pages(rig.pager.pager), before);
    tree_rig_deinit(&rig);
    free(value);
    free(other);
}

Test(tree, keys_and_values_out_of_bounds_are_refused)
{
    static uint8_t key[1025];
    struct tree_rig rig;
    struct pager_change *change;
    size_t size = 0;
    uint64_t csn;

    tree_rig_init(&rig, UNIVERSE_TEXT, 10, 128);
    MUST(pager_change_begin(rig.pager.pager, &change));
    cr_assert_eq(btree_put(change, &rig.tree, key, 0, "v", 1, NULL), STATUS_INVALID);
    cr_assert_eq(btree_put(change, &rig.tree, key, 1025, "v", 1, NULL), STATUS_INVALID);
    cr_assert_eq(btree_put(change, &rig.tree, key, 10, "v", (16 << 20) + 1, NULL), STATUS_INVALID);
    cr_assert_eq(btree_delete(change, &rig.tree, key, 0), STATUS_INVALID);
    pager_change_abandon(change);
    cr_assert_eq(btree_get(&rig.tree, key, 0, NULL, &size, &csn), STATUS_INVALID);
    cr_assert_eq(btree_get(&rig.tree, key, 1025, NULL, &size, &csn), STATUS_INVALID);
    tree_rig_deinit(&rig);
}

Test(tree, an_integer_tree_takes_keys_of_eight_bytes_only)
{
    struct tree_rig rig;
    struct pager_change *change;

    tree_rig_init(&rig, UNIVERSE_DENSE, 10, 128);
    MUST(pager_change_begin(rig.pager.pager, &change));
    cr_assert_eq(btree_put(change, &rig.tree, "1234567", 7, "v", 1, NULL), STATUS_INVALID);
    MUST(btree_put(change, &rig.tree, "12345678", 8, "v", 1, NULL));
    pager_change_abandon(change);
    tree_rig_deinit(&rig);
}

static enum status
read_own_body(struct pager_change *change, void *context)
{
    struct tree_rig *rig = context;
    uint8_t value[10];
    size_t size = sizeof(value);
    bool existed = true;

    TRY(btree_put(change, &rig->tree, "key", 3, "value", 5, &existed));
    cr_assert(!existed);
    TRY(btree_put(change, &rig->tree, "key", 3, "other", 5, &existed));
    cr_assert(existed);
    TRY(btree_change_get(change, &rig->tree, "key", 3, value, &size));
    cr_assert(size == 5 && memcmp(value, "other", 5) == 0);
    size = 4;
    cr_assert_eq(btree_change_get(change, &rig->tree, "key", 3, value, &size), STATUS_FULL);
    cr_assert_eq(btree_change_get(change, &rig->tree, "kez", 3, value, &size), STATUS_NOT_FOUND);
    TRY(btree_delete(change, &rig->tree, "key", 3));
    return STATUS_OK;
}

Test(tree, a_change_sees_what_it_did)
{
    struct tree_rig rig;

    tree_rig_init(&rig, UNIVERSE_TEXT, 10, 128);
    MUST(tree_rig_run(&rig, read_own_body, &rig));
    tree_rig_deinit(&rig);
}

/* ---- Damage --------------------------------------------------------------------------------- */

struct damage {
    struct tree_rig *rig;
    uint32_t page;
    uint32_t offset;
    uint8_t mask;
};

/* As a page whose checksum holds and whose content does not. */
static enum status
damage_body(struct pager_change *change, void *context)
{
    struct damage *damage = context;
    uint8_t *page;

    TRY(pager_change_edit(change, damage->page, &page));
    page[damage->offset] ^= damage->mask;
    return STATUS_OK;
}

static uint64_t
findings(struct tree_rig *rig)
{
    struct btree_walk walk = {.finding = NULL};

    MUST(btree_verify(&rig->tree, false, &walk));
    return walk.finding_count;
}

static void
survive_damage(enum universe_shape shape)
{
    struct tree_rig rig;
    struct random random;
    uint32_t found = 0;
    uint32_t rounds = 300;

    random_init(&random, 9);
    tree_rig_init(&rig, shape, 400, 256);
    for (uint32_t number = 0; number < 400; number++)
        tree_rig_put(&rig, number, number + 1);
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t pages = pager_page_count(rig.pager.pager);
        struct damage damage = {&rig, 5 + (uint32_t)random_below(&random, pages - 5),
                                PAGE_HEADER_SIZE + (uint32_t)random_below(&random, 200),
                                (uint8_t)(1 << random_below(&random, 8))};
        enum page_state state;

        MUST(pager_page_state(rig.pager.pager, damage.page, &state));
        if (state != PAGE_STATE_USED)
            continue;
        MUST(tree_rig_run(&rig, damage_body, &damage));
        found += findings(&rig) > 0;
        for (uint32_t number = 0; number < 400; number += 7) {
            uint8_t key[1024];
            size_t key_size = universe_key(&rig.universe, number, key);
            size_t size = UNIVERSE_VALUE_MAX;
            uint64_t csn;

            if (btree_get(&rig.tree, key, key_size, rig.value, &size, &csn) == STATUS_CORRUPT)
                cr_assert_neq(error_message()[0], '\0');
        }
        MUST(tree_rig_run(&rig, damage_body, &damage));
    }
    cr_assert_gt(found, rounds / 8, "%u of %u", found, rounds);
    cr_assert_eq(findings(&rig), 0);
    tree_rig_check(&rig);
    tree_rig_deinit(&rig);
}

/* covers: B9, B2 */
Test(tree, damage_anywhere_is_survived_and_mostly_found)
{
    survive_damage(UNIVERSE_TEXT);
    survive_damage(UNIVERSE_INT);
}

static void
refuse_changes(enum universe_shape shape)
{
    struct tree_rig rig;
    struct random random;

    random_init(&random, 10);
    tree_rig_init(&rig, shape, 300, 256);
    for (uint32_t number = 0; number < 300; number++)
        tree_rig_put(&rig, number, number + 1);
    for (uint32_t round = 0; round < 200; round++) {
        uint32_t pages = pager_page_count(rig.pager.pager);
        struct damage damage = {&rig, 5 + (uint32_t)random_below(&random, pages - 5),
                                PAGE_HEADER_SIZE + (uint32_t)random_below(&random, 100),
                                (uint8_t)(1 << random_below(&random, 8))};
        struct pager_change *change;
        enum page_state state;

        MUST(pager_page_state(rig.pager.pager, damage.page, &state));
        if (state != PAGE_STATE_USED)
            continue;
        MUST(tree_rig_run(&rig, damage_body, &damage));
        for (uint32_t number = 0; number < 300; number += 11) {
            uint8_t key[1024];
            size_t key_size = universe_key(&rig.universe, number, key);
            enum status status;

            MUST(pager_change_begin(rig.pager.pager, &change));
            status = random_chance(&random, 1, 2)
                         ? btree_delete(change, &rig.tree, key, key_size)
                         : btree_put(change, &rig.tree, key, key_size, key, key_size, NULL);
            cr_assert(status == STATUS_OK || status == STATUS_CORRUPT ||
                          status == STATUS_NOT_FOUND || status == STATUS_MISSING,
                      "%s", status_name(status));
            pager_change_abandon(change);
        }
        MUST(tree_rig_run(&rig, damage_body, &damage));
    }
    tree_rig_check(&rig);
    tree_rig_deinit(&rig);
}

/* covers: B9 */
Test(tree, changes_of_a_damaged_tree_are_refused_without_harm)
{
    refuse_changes(UNIVERSE_TEXT);
    refuse_changes(UNIVERSE_INT);
}
