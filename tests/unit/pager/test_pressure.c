/*
 * Goal: a pool that is nearly all dirty does not keep changes of absent pages from coming to an end: the few
 * clean pages must not push each other out for ever.
 * Method: a pool of 640 pages on a simulated disk, all of it made dirty, then changes of 100 random pages of
 * four times as many, whose attempts are counted.
 */
#include <criterion/criterion.h>

#include "kernel/base/random.h"
#include "pager/pager_private.h"
#include "tests/support/pager_rig.h"

enum { POOL = 640, PAGES = 4 * POOL, TOUCHED = 100, CHANGES = 30 };

/* STATUS_MISSING: some page was absent. */
static enum status
change_all(struct pager_rig *rig, const uint32_t *pages, uint64_t value)
{
    struct pager_change *change;
    uint64_t csn;

    TRY(pager_change_begin(rig->pager, &change));
    for (uint32_t i = 0; i < TOUCHED; i++) {
        uint8_t *page;
        enum status status = pager_change_edit(change, pages[i], &page);

        if (status != STATUS_OK) {
            pager_change_abandon(change);
            return status;
        }
        memcpy(page + RIG_VALUE_OFFSET, &value, sizeof(value));
    }
    return pager_change_commit(change, &csn);
}

Test(pressure, changes_of_absent_pages_end_though_the_pool_is_dirty)
{
    static uint32_t pages[PAGES];
    struct pager_rig rig;
    struct random random;
    uint32_t attempts = 0;

    random_init(&random, 3);
    pager_rig_init(&rig, 5);
    rig.options.pool_size = (uint64_t)POOL * PAGE_SIZE;
    rig.options.log_limit = 64 << 20; /* No checkpoint comes to help. */
    rig.options.segment_size = 4 << 20;
    pager_rig_open(&rig);
    for (uint32_t i = 0; i < PAGES; i++)
        pages[i] = pager_rig_allocate(&rig, i);
    for (uint32_t round = 0; round < CHANGES; round++) {
        uint32_t touched[TOUCHED];
        enum status status;

        for (uint32_t i = 0; i < TOUCHED; i++)
            touched[i] = pages[random_below(&random, PAGES)];
        while ((status = change_all(&rig, touched, round)) == STATUS_MISSING) {
            cr_assert_lt(attempts++, 100 * CHANGES, "round %u does not end", round);
            MUST(pager_change_resolve(rig.pager));
        }
        MUST(status);
        for (uint32_t i = 0; i < TOUCHED; i++)
            cr_assert_eq(pager_rig_get(&rig, touched[i]), round);
    }
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}
