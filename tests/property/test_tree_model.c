/*
 * Goal: a database of several trees holds what its model holds through random operations (100,000,
 * in `make model` 10,000,000) in transactions, with savepoints, rollbacks, scans, checkpoints, clean reopenings, kills and power
 * cuts; after a crash it holds a prefix of the commits that is not shorter than what was acknowledged.
 * Method: every transaction also counts itself in a row, which says after a crash where the prefix
 * ends. The model keeps the commits since the last moment everything was known to be durable. After
 * each opening the whole content is compared and the check must find nothing. A second pool size and
 * seeds of their own make splits, merges and evictions meet every phase. The seed is printed.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/random.h"
#include "tests/support/db_rig.h"
#include "tests/support/key_universe.h"

enum { TREES = 3, KEYS = 1500, OPS_MAX = 30, LOG_MAX = 20000, OPERATIONS = 100000 };

struct step {
    uint32_t commit;
    uint32_t tree;
    uint32_t number;
    uint32_t seed; /* 0: absent. */
};

struct world {
    struct db_rig rig;
    struct random random;
    struct universe universe[TREES];
    struct qtdb_tree *tree[TREES];
    struct qtdb_tree *counter;
    uint32_t now[TREES][KEYS];  /* After all commits. */
    uint32_t base[TREES][KEYS]; /* After commit `durable`. */
    uint32_t commit;            /* Of the last one. */
    uint32_t durable;           /* Acknowledged as durable. */
    struct step log[LOG_MAX];   /* Since `durable` was last folded into base. */
    uint32_t log_used;
    uint64_t operations;
    uint32_t reopenings;
    uint32_t lost; /* Commits that were not acknowledged as durable and did not survive. */
    uint8_t value[UNIVERSE_VALUE_MAX];
    uint8_t other[UNIVERSE_VALUE_MAX];
};

static void
open_trees(struct world *world)
{
    struct qtdb_txn *txn = db_begin(world->rig.db);

    for (uint32_t t = 0; t < TREES; t++) {
        struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
        char name[16];

        snprintf(name, sizeof(name), "tree%u", t);
        options.key_kind = world->universe[t].shape == UNIVERSE_INT ? QTDB_KEY_INT : QTDB_KEY_BYTES;
        DB(qtdb_tree_open(txn, name, &options, &world->tree[t]));
    }
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};

    DB(qtdb_tree_open(txn, "counter", &options, &world->counter));
    DB(qtdb_commit(txn));
}

/* Folds the commits up to `commit` into base; drops the rest when `cut`. */
static void
fold(struct world *world, uint32_t commit, bool cut)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < world->log_used; i++) {
        struct step step = world->log[i];

        if (step.commit <= commit)
            world->base[step.tree][step.number] = step.seed;
        else if (!cut)
            world->log[kept++] = step;
    }
    world->log_used = kept;
    world->durable = commit;
    if (cut) {
        memcpy(world->now, world->base, sizeof(world->now));
        world->commit = commit;
    }
}

static void
check_key(struct world *world, struct qtdb_txn *txn, uint32_t tree, uint32_t number,
          const uint32_t *seeds)
{
    uint8_t key[1024];
    size_t key_size = universe_key(&world->universe[tree], number, key);
    size_t size = UNIVERSE_VALUE_MAX;
    enum qtdb_code code = qtdb_get(txn, world->tree[tree], key, key_size, world->value, &size);

    if (seeds[number] == 0) {
        cr_assert_eq(code, QTDB_NOT_FOUND);
        return;
    }
    DB(code);
    cr_assert_eq(size, universe_value(seeds[number], world->other));
    cr_assert_eq(memcmp(world->value, world->other, size), 0);
}

/* A scan of `length` rows from a rank, against the model `seeds`. */
static void
check_scan(struct world *world, struct qtdb_txn *txn, uint32_t tree, const uint32_t *seeds,
           uint32_t rank, uint32_t length)
{
    const struct universe *universe = &world->universe[tree];
    struct qtdb_cursor *cursor;
    uint8_t key[1024];
    size_t key_size = universe_key(universe, universe->order[rank], key);
    enum qtdb_code code;

    DB(qtdb_cursor_open(txn, world->tree[tree], &cursor));
    code = qtdb_cursor_seek(cursor, key, key_size);
    for (; rank < KEYS && length > 0; rank++) {
        uint32_t number = universe->order[rank];
        const void *found, *value;
        size_t found_size, value_size;

        if (seeds[number] == 0)
            continue;
        DB(code);
        qtdb_cursor_row(cursor, &found, &found_size, &value, &value_size);
        key_size = universe_key(universe, number, key);
        cr_assert(found_size == key_size && memcmp(found, key, key_size) == 0);
        cr_assert_eq(value_size, universe_value(seeds[number], world->other));
        cr_assert_eq(memcmp(value, world->other, value_size), 0);
        code = qtdb_cursor_next(cursor);
        length--;
    }
    if (length > 0)
        cr_assert_eq(code, QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
}

static void
check_everything(struct world *world)
{
    struct qtdb_txn *txn = db_begin_read(world->rig.db);

    for (uint32_t t = 0; t < TREES; t++) {
        for (uint32_t number = 0; number < KEYS; number += 3)
            check_key(world, txn, t, number, world->now[t]);
        check_scan(world, txn, t, world->now[t], 0, UINT32_MAX);
    }
    DB(qtdb_commit(txn));
    db_check(world->rig.db);
}

/* ---- Transactions ----------------------------------------------------------------------------- */

struct draft {
    struct step steps[2 * OPS_MAX];
    uint32_t used;
    uint32_t seeds[TREES][KEYS]; /* As the transaction sees it. */
};

static void
write_one(struct world *world, struct qtdb_txn *txn, struct draft *draft)
{
    uint32_t tree = (uint32_t)random_below(&world->random, TREES);
    uint32_t number = (uint32_t)random_below(&world->random, KEYS);
    uint32_t seed = 1 + (uint32_t)random_below(&world->random, 1u << 30);
    uint8_t key[1024];
    size_t key_size = universe_key(&world->universe[tree], number, key);

    if (random_chance(&world->random, 2, 5)) {
        enum qtdb_code code = qtdb_delete(txn, world->tree[tree], key, key_size);

        cr_assert_eq(code, draft->seeds[tree][number] != 0 ? QTDB_OK : QTDB_NOT_FOUND);
        seed = 0;
    } else {
        size_t size = universe_value(seed, world->value);

        DB(qtdb_put(txn, world->tree[tree], key, key_size, world->value, size, QTDB_PUT_ANY));
    }
    draft->seeds[tree][number] = seed;
    draft->steps[draft->used++] = (struct step){world->commit + 1, tree, number, seed};
}

static void
read_one(struct world *world, struct qtdb_txn *txn, struct draft *draft)
{
    uint32_t tree = (uint32_t)random_below(&world->random, TREES);
    uint32_t number = (uint32_t)random_below(&world->random, KEYS);

    if (random_chance(&world->random, 1, 4))
        check_scan(world, txn, tree, draft->seeds[tree], number,
                   (uint32_t)random_below(&world->random, 40));
    else
        check_key(world, txn, tree, number, draft->seeds[tree]);
}

/* What the savepoint had, in the draft too. */
static void
roll_back_to(struct world *world, struct qtdb_txn *txn, struct draft *draft, uint64_t mark,
             uint32_t used)
{
    DB(qtdb_rollback_to(txn, mark));
    draft->used = used;
    memcpy(draft->seeds, world->now, sizeof(draft->seeds));
    for (uint32_t i = 0; i < used; i++)
        draft->seeds[draft->steps[i].tree][draft->steps[i].number] = draft->steps[i].seed;
}

static void
run_operations(struct world *world, struct qtdb_txn *txn, struct draft *draft)
{
    uint32_t count = 1 + (uint32_t)random_below(&world->random, OPS_MAX);
    uint64_t mark = 0;
    uint32_t used = UINT32_MAX;

    for (uint32_t i = 0; i < count; i++, world->operations++) {
        if (random_chance(&world->random, 1, 3))
            read_one(world, txn, draft);
        else
            write_one(world, txn, draft);
        if (used == UINT32_MAX && random_chance(&world->random, 1, 40)) {
            DB(qtdb_savepoint(txn, &mark));
            used = draft->used;
        } else if (used != UINT32_MAX && random_chance(&world->random, 1, 20)) {
            roll_back_to(world, txn, draft, mark, used);
        }
    }
}

static void
accept(struct world *world, const struct draft *draft, bool durable)
{
    world->commit++;
    for (uint32_t i = 0; i < draft->used; i++) {
        const struct step *step = &draft->steps[i];

        world->now[step->tree][step->number] = step->seed;
        cr_assert_lt(world->log_used, LOG_MAX);
        world->log[world->log_used++] = *step;
    }
    if (durable || world->log_used > LOG_MAX / 2)
        fold(world, world->commit, false);
}

static void
run_transaction(struct world *world)
{
    static struct draft draft;
    struct qtdb_txn_options options = {.size = sizeof(options)};
    uint32_t count = world->commit + 1;
    struct qtdb_txn *txn;
    enum qtdb_code code;

    options.durability = random_chance(&world->random, 1, 2) ? QTDB_ASYNC : QTDB_SYNC;
    /* The log of the model is bounded: now and then everything becomes durable. */
    if (world->log_used > LOG_MAX / 2 - 2 * OPS_MAX)
        options.durability = QTDB_SYNC;
    draft.used = 0;
    memcpy(draft.seeds, world->now, sizeof(draft.seeds));
    DB(qtdb_begin(world->rig.db, &options, &txn));
    run_operations(world, txn, &draft);
    if (random_chance(&world->random, 1, 12)) {
        qtdb_rollback(txn);
        return;
    }
    DB(qtdb_put(txn, world->counter, "count", 5, &count, sizeof(count), QTDB_PUT_ANY));
    code = qtdb_commit(txn);
    if (code == QTDB_FULL)
        return; /* Too many pages for this pool, and nothing happened. */
    DB(code);
    accept(world, &draft, options.durability == QTDB_SYNC);
}

/* ---- Reopenings ------------------------------------------------------------------------------- */

static void
reopen(struct world *world)
{
    uint32_t count = 0;
    size_t size = sizeof(count);
    struct qtdb_txn *txn;
    enum qtdb_code code;

    db_rig_open(&world->rig);
    txn = db_begin_read(world->rig.db);
    DB(qtdb_tree_open(txn, "counter", NULL, &world->counter));
    code = qtdb_get(txn, world->counter, "count", 5, &count, &size);
    if (code != QTDB_NOT_FOUND)
        DB(code);
    DB(qtdb_commit(txn));
    cr_assert_geq(count, world->durable, "commit %u of %u acknowledged", count, world->durable);
    cr_assert_leq(count, world->commit);
    world->reopenings++;
    world->lost += world->commit - count;
    fold(world, count, true);
    open_trees(world);
    check_everything(world);
}

static void
interrupt(struct world *world)
{
    static const enum io_sim_crash_mode modes[] = {
        IO_SIM_CRASH_LOST,   IO_SIM_CRASH_KEPT,    IO_SIM_CRASH_RANDOM,
        IO_SIM_CRASH_RANDOM, IO_SIM_CRASH_GARBAGE, IO_SIM_CRASH_PROCESS,
    };
    uint64_t how = random_below(&world->random, 8);
    struct io_sim_crash crash = {.seed = random_u64(&world->random)};

    if (how == 0) {
        db_rig_close(&world->rig);
        world->durable = world->commit;
    } else if (how == 1) {
        db_rig_kill(&world->rig);
    } else {
        crash.mode = modes[how - 2];
        /* Under `range` a garbage sector costs its page, which is then refused by number. */
        if (world->rig.options.policy == QTDB_POLICY_RANGE && crash.mode == IO_SIM_CRASH_GARBAGE)
            crash.mode = IO_SIM_CRASH_RANDOM;
        db_rig_crash(&world->rig, &crash);
    }
    reopen(world);
}

static void
run_world(uint64_t seed, uint64_t operations, uint32_t pool_pages, enum qtdb_policy policy)
{
    struct world *world = calloc(1, sizeof(*world));
    static const enum universe_shape shapes[TREES] = {UNIVERSE_INT, UNIVERSE_TEXT, UNIVERSE_LONG};

    printf("seed %lu\n", (unsigned long)seed);
    random_init(&world->random, seed);
    for (uint32_t t = 0; t < TREES; t++)
        universe_init(&world->universe[t], shapes[t], KEYS);
    db_rig_init(&world->rig, seed);
    db_rig_close(&world->rig);
    world->rig.options.pool_size = (uint64_t)pool_pages * 4096;
    world->rig.options.policy = policy;
    db_rig_open(&world->rig);
    open_trees(world);
    while (world->operations < operations) {
        run_transaction(world);
        if (random_chance(&world->random, 1, 100))
            DB(qtdb_checkpoint(world->rig.db));
        if (random_chance(&world->random, 1, 40))
            interrupt(world);
    }
    check_everything(world);
    printf("%u reopenings, %u commits, %u more lost\n", world->reopenings, world->commit,
           world->lost);
    cr_assert_gt(world->reopenings, operations / 4000);
    db_rig_deinit(&world->rig);
    for (uint32_t t = 0; t < TREES; t++)
        universe_deinit(&world->universe[t]);
    free(world);
}

/* QTDB_MODEL_OPS in all, of which each test takes its share; QTDB_MODEL_SEED to begin with. */
static void
run_share(uint64_t number, uint64_t share, uint32_t pool_pages, enum qtdb_policy policy)
{
    const char *operations = getenv("QTDB_MODEL_OPS");
    const char *seed = getenv("QTDB_MODEL_SEED");
    uint64_t count = operations == NULL ? OPERATIONS : strtoull(operations, NULL, 10);

    run_world(number + (seed == NULL ? 0 : strtoull(seed, NULL, 10)), count / 100 * share,
              pool_pages, policy);
}

/* covers: T5, T8 */
Test(tree_model, operations_reopenings_and_crashes_equal_the_model)
{
    run_share(1, 60, 1024, QTDB_POLICY_IMAGE);
}

Test(tree_model, a_small_pool_equals_the_model)
{
    run_share(2, 25, 256, QTDB_POLICY_IMAGE);
}

Test(tree_model, logging_ranges_only_equals_the_model)
{
    run_share(3, 15, 512, QTDB_POLICY_RANGE);
}
