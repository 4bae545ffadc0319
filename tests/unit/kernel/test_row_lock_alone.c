/*
 * Goal: a holder whose claims are in a list of its own has them as if they were in the table: for others
 * that come, in any order and at any moment, for itself, and when memory or its bounds end.
 * Method: runs of ascending claims and others that disturb them, and claims said to be fresh, in any order and
 * of rows that are not, against a model; the ways out of being
 * alone one by one; every allocation failed once. tests/thread/thread_locks.c has the races.
 */
#include <criterion/criterion.h>

#include "kernel/base/random.h"
#include "kernel/row_lock.h"

enum { HOLDERS = 3, KEYS = 5000, TREE = 7, ALONE_FROM = 64 };

struct rig {
    struct memory *memory;
    struct lock_table table;
    struct lock_holder holder[HOLDERS];
};

static void
rig_init(struct rig *rig, size_t size_limit)
{
    *rig = (struct rig){.memory = memory_new()};
    cr_assert_eq(lock_table_init(&rig->table, rig->memory), STATUS_OK);
    for (int i = 0; i < HOLDERS; i++)
        lock_holder_init(&rig->holder[i], rig->memory, size_limit);
}

static void
rig_deinit(struct rig *rig)
{
    for (int i = 0; i < HOLDERS; i++) {
        lock_release_all(&rig->table, &rig->holder[i]);
        lock_holder_deinit(&rig->holder[i]);
    }
    lock_table_deinit(&rig->table); /* CHECKs that no claim is left. */
    memory_delete(rig->memory);
}

static enum status
claim(struct rig *rig, int who, uint64_t key, enum lock_mode mode)
{
    uint64_t bytes = __builtin_bswap64(key);

    return lock_acquire(&rig->table, &rig->holder[who], TREE, &bytes, sizeof(bytes), mode, 0);
}

static enum status
claim_fresh(struct rig *rig, int who, uint64_t key)
{
    uint64_t bytes = __builtin_bswap64(key);

    return lock_acquire_fresh(&rig->table, &rig->holder[who], TREE, &bytes, sizeof(bytes), 0);
}

static void
claim_run(struct rig *rig, int who, uint64_t first, uint64_t count)
{
    for (uint64_t key = first; key < first + count; key++)
        cr_assert_eq(claim(rig, who, key, LOCK_EXCLUSIVE), STATUS_OK);
}

static bool
is_alone(struct rig *rig, int who)
{
    return atomic_load(&rig->table.loner) == &rig->holder[who];
}

static uint64_t
claims_in_table(const struct rig *rig)
{
    uint64_t count = 0;

    for (int i = 0; i < LOCK_PARTITIONS; i++)
        count += rig->table.partition[i].count;
    return count;
}

/* `fresh_share`: of a hundred exclusive claims those said to be fresh. */
static void
play(uint64_t seed, uint32_t fresh_share)
{
    static enum lock_mode model[HOLDERS][KEYS];
    uint32_t forgotten = 0, joined = 0, busy = 0;
    uint64_t next[HOLDERS] = {0};
    struct random random;
    struct rig rig;

    memset(model, 0, sizeof(model));
    random_init(&random, seed);
    rig_init(&rig, 1 << 20);
    for (uint32_t turn = 0; turn < 200000; turn++) {
        /* The first does nearly all, so that it is alone for long; the others come at any moment. */
        int who = random_chance(&random, 1, 300) ? 1 + (int)random_below(&random, 2) : 0;
        bool was_alone = is_alone(&rig, 0);

        if (who == 0 ? random_chance(&random, 1, 300) : random_chance(&random, 3, 4)) {
            lock_release_all(&rig.table, &rig.holder[who]);
            memset(model[who], 0, sizeof(model[who]));
            next[who] = random_below(&random, 100);
            forgotten += was_alone && who == 0;
            continue;
        }
        bool back = random_chance(&random, 1, 1000);
        uint64_t key =
            back || who != 0
                ? random_below(&random, KEYS)
                : next[0] + (random_chance(&random, 1, 500) ? 0 : 1 + random_below(&random, 10));
        enum lock_mode mode = random_chance(&random, 1, 2) ? LOCK_SHARED : LOCK_EXCLUSIVE;
        bool free = true,
             fresh = mode == LOCK_EXCLUSIVE && random_chance(&random, fresh_share, 100);

        if (fresh && random_chance(&random, 1, 2))
            key = random_below(&random, KEYS);

        key = key < KEYS ? key : KEYS - 1;
        next[who] = back ? next[who] : key;
        for (int other = 0; other < HOLDERS; other++)
            if (other != who && (model[other][key] == LOCK_EXCLUSIVE ||
                                 (model[other][key] != LOCK_NONE && mode == LOCK_EXCLUSIVE)))
                free = false;
        free = free || model[who][key] >= mode;
        cr_assert_eq(fresh ? claim_fresh(&rig, who, key) : claim(&rig, who, key, mode),
                     free ? STATUS_OK : STATUS_BUSY);
        busy += !free;
        joined += was_alone && !is_alone(&rig, 0);
        if (free && model[who][key] < mode)
            model[who][key] = mode;
    }
    cr_assert_gt(forgotten, 20);
    cr_assert_gt(joined, 20);
    cr_assert_gt(busy, 20);
    rig_deinit(&rig);
}

/* covers: T11 */
Test(row_lock_alone, runs_and_those_who_come_between_equal_a_model)
{
    play(1, 0);
    play(2, 10);
    play(3, 100);
}

/* covers: T11 */
Test(row_lock_alone, fresh_claims_come_in_any_order)
{
    enum { FRESH = 1000 };
    struct rig rig;

    rig_init(&rig, 1 << 20);
    for (uint64_t i = 0; i < FRESH; i++) {
        cr_assert_eq(claim_fresh(&rig, 0, i * 7 % FRESH), STATUS_OK);
        /* Others of its own go into the table and disturb nothing. */
        if (i == FRESH / 2)
            cr_assert_eq(claim(&rig, 0, FRESH, LOCK_SHARED), STATUS_OK);
    }
    cr_assert(is_alone(&rig, 0));
    cr_assert_eq(claims_in_table(&rig), ALONE_FROM + 1);
    cr_assert_eq(claim(&rig, 1, FRESH, LOCK_SHARED), STATUS_OK);
    cr_assert_not(is_alone(&rig, 0));
    for (uint64_t key = 0; key < FRESH; key++)
        cr_assert_eq(claim(&rig, 1, key, LOCK_SHARED), STATUS_BUSY);
    cr_assert_eq(claim_fresh(&rig, 0, 2 * FRESH), STATUS_OK);
    cr_assert_eq(claim(&rig, 1, 2 * FRESH, LOCK_SHARED), STATUS_BUSY);
    lock_release_all(&rig.table, &rig.holder[0]);
    cr_assert_eq(claims_in_table(&rig), 1);
    rig_deinit(&rig);
}

/* covers: T11 */
Test(row_lock_alone, nothing_of_it_is_in_the_table_until_another_comes)
{
    struct rig rig;

    rig_init(&rig, 1 << 20);
    claim_run(&rig, 0, 0, ALONE_FROM + 1000);
    cr_assert(is_alone(&rig, 0));
    cr_assert_eq(claims_in_table(&rig), ALONE_FROM);
    lock_release_all(&rig.table, &rig.holder[0]);
    cr_assert_eq(claims_in_table(&rig), 0);
    cr_assert_not(is_alone(&rig, 0));

    claim_run(&rig, 0, 0, ALONE_FROM + 1000);
    cr_assert_eq(claim(&rig, 1, 9999, LOCK_SHARED), STATUS_OK);
    cr_assert_eq(claims_in_table(&rig), ALONE_FROM + 1001);
    for (uint64_t key = 0; key < ALONE_FROM + 1000; key++)
        cr_assert_eq(claim(&rig, 1, key, LOCK_SHARED), STATUS_BUSY);
    /* The first goes on, in the table. */
    cr_assert_eq(claim(&rig, 0, 9999, LOCK_EXCLUSIVE), STATUS_BUSY);
    claim_run(&rig, 0, 10000, 200);
    cr_assert_eq(claims_in_table(&rig), ALONE_FROM + 1201);
    lock_release_all(&rig.table, &rig.holder[0]);
    cr_assert_eq(claims_in_table(&rig), 1);
    claim_run(&rig, 1, 0, 100);
    rig_deinit(&rig);
}

/* covers: T11 */
Test(row_lock_alone, who_is_not_the_only_one_is_not_alone)
{
    struct rig rig;

    rig_init(&rig, 1 << 20);
    cr_assert_eq(claim(&rig, 1, 9999, LOCK_SHARED), STATUS_OK);
    claim_run(&rig, 0, 0, 1000);
    cr_assert_not(is_alone(&rig, 0));
    lock_release_all(&rig.table, &rig.holder[1]);
    claim_run(&rig, 0, 2000, 1000);
    cr_assert_not(is_alone(&rig, 0), "one look a transaction");
    lock_release_all(&rig.table, &rig.holder[0]);
    /* Nor is one whose keys come in any order and are not said to be fresh: what is new could not be told. */
    cr_assert_eq(claim(&rig, 0, 5000, LOCK_EXCLUSIVE), STATUS_OK);
    claim_run(&rig, 0, 0, 1000);
    cr_assert_not(is_alone(&rig, 0));
    rig_deinit(&rig);
}

/* covers: T11 */
Test(row_lock_alone, its_own_claims_are_its_own)
{
    struct rig rig;
    uint64_t last = ALONE_FROM + 99;

    rig_init(&rig, 1 << 20);
    claim_run(&rig, 0, 0, ALONE_FROM + 100);
    size_t used = rig.holder[0].arena.used;

    /* The last one again, in the same mode and in a weaker one, costs nothing. */
    cr_assert_eq(claim(&rig, 0, last, LOCK_EXCLUSIVE), STATUS_OK);
    cr_assert_eq(claim(&rig, 0, last, LOCK_SHARED), STATUS_OK);
    cr_assert(is_alone(&rig, 0));
    cr_assert_eq(rig.holder[0].arena.used, used);
    /* An earlier one is claimed again, in the table. */
    cr_assert_eq(claim(&rig, 0, ALONE_FROM + 50, LOCK_SHARED), STATUS_OK);
    cr_assert(is_alone(&rig, 0));
    cr_assert_eq(claims_in_table(&rig), ALONE_FROM + 1);
    cr_assert_eq(claim(&rig, 1, ALONE_FROM + 50, LOCK_SHARED), STATUS_BUSY);
    cr_assert_eq(claims_in_table(&rig), ALONE_FROM + 101);
    lock_release_all(&rig.table, &rig.holder[0]);

    /* So is a stronger mode of the last one. */
    claim_run(&rig, 0, 0, ALONE_FROM);
    cr_assert_eq(claim(&rig, 0, last, LOCK_SHARED), STATUS_OK);
    cr_assert_eq(claim(&rig, 0, last, LOCK_EXCLUSIVE), STATUS_OK);
    cr_assert_eq(claims_in_table(&rig), ALONE_FROM + 1);
    cr_assert_eq(claim(&rig, 1, last, LOCK_SHARED), STATUS_BUSY);
    cr_assert_eq(claims_in_table(&rig), ALONE_FROM + 2);
    rig_deinit(&rig);
}

/* covers: T11 */
Test(row_lock_alone, its_bounds_end_it)
{
    struct rig rig;
    uint64_t many = (UINT64_C(1) << 17) + 100;

    rig_init(&rig, SIZE_MAX);
    claim_run(&rig, 0, 0, many);
    cr_assert_not(is_alone(&rig, 0));
    cr_assert_eq(claims_in_table(&rig), many);
    cr_assert_eq(claim(&rig, 1, many / 2, LOCK_SHARED), STATUS_BUSY);
    rig_deinit(&rig);

    /* Past its memory it takes the tree. */
    rig_init(&rig, 100000);
    claim_run(&rig, 0, 0, 20000);
    cr_assert_eq(atomic_load(&rig.table.escalation_count), 1);
    cr_assert_eq(claim(&rig, 1, 50000, LOCK_SHARED), STATUS_BUSY);
    lock_release_all(&rig.table, &rig.holder[0]);
    cr_assert_eq(claim(&rig, 1, 50000, LOCK_SHARED), STATUS_OK);
    rig_deinit(&rig);
}

/* covers: T11 */
Test(row_lock_alone, every_allocation_that_fails_is_a_clean_refusal)
{
    uint32_t refused = 0;
    bool failed = true;
    struct rig rig;

    rig_init(&rig, 1 << 20);
    for (uint64_t index = 0; failed; index++) {
        memory_fail_at(rig.memory, index, false);
        for (uint64_t key = 0; key < 4000; key++) {
            enum status status = claim(&rig, 0, key, LOCK_EXCLUSIVE);

            refused += status == STATUS_NO_MEMORY;
            cr_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        }
        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert_eq(claim(&rig, 1, 4000, LOCK_SHARED), STATUS_OK);
        cr_assert_eq(claim(&rig, 1, 3998, LOCK_SHARED), STATUS_BUSY);
        lock_release_all(&rig.table, &rig.holder[0]);
        lock_release_all(&rig.table, &rig.holder[1]);
    }
    cr_assert_gt(refused, 0);
    rig_deinit(&rig);
}
