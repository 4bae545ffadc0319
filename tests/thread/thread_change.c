/*
 * Goal: with many threads changing, allocating, freeing, writing directly and shrinking at once, each
 * commit is whole, no page is given out twice, and what was flushed is there after a reopen.
 * Method: pages are accounts; commits move amounts between two of them, so the sum stands still in
 * every state. Beside that each thread owns pages it allocates, writes directly, and frees again, and
 * marks them with its number. A thread of the owner does checkpoints with a log that is always near its
 * limit; another one shrinks. In the end the sum is taken from the pool, after a crash, and after a
 * clean close.
 */
#include <pthread.h>
#include <stdio.h>

#include "kernel/base/check.h"
#include "pager/pager_private.h"
#include "tests/support/pager_world.h"

enum {
    ACCOUNTS = 60,
    START = 1000,
    THREADS = 4,
    OWN_MAX = 20,
    PLACE = 64,
#ifdef QTDB_TSAN
    STEPS = 400,
#else
    STEPS = 4000,
#endif
};

static struct world world;
static uint32_t accounts[ACCOUNTS];
static _Atomic bool stop;

#define MUST(expr) WORLD_OK(&world, expr)

static uint64_t
value_get(const uint8_t *page)
{
    le64 value;

    memcpy(&value, page + PLACE, sizeof(value));
    return le64_get(value);
}

static void
value_set(uint8_t *page, uint64_t value)
{
    le64 bytes = le64_of(value);

    memcpy(page + PLACE, &bytes, sizeof(bytes));
}

/* One try of a change; ends it. */
typedef enum status (*change_fn)(struct pager_change *change, void *context);

static void
run_change(change_fn act, void *context)
{
    enum status status = STATUS_MISSING;

    while (status == STATUS_MISSING) {
        struct pager_change *change;
        uint64_t csn;
        MUST(pager_change_begin(world.pager, &change));
        status = act(change, context);
        if (status == STATUS_OK)
            status = pager_change_commit(change, &csn);
        else
            pager_change_abandon(change);
        if (status == STATUS_MISSING)
            MUST(pager_change_resolve(world.pager));
    }
    MUST(status);
}

struct transfer {
    uint32_t from;
    uint32_t to;
};

static enum status
transfer(struct pager_change *change, void *context)
{
    const struct transfer *transfer = context;
    uint8_t *from, *to;

    TRY(pager_change_edit(change, transfer->from, &from));
    TRY(pager_change_edit(change, transfer->to, &to));
    value_set(from, value_get(from) - 1);
    value_set(to, value_get(to) + 1);
    return STATUS_OK;
}

/* A thread's own pages. */
struct own {
    uint64_t mark;
    uint32_t pages[OWN_MAX];
    uint32_t count;
    uint32_t page;
};

static enum status
own_allocate(struct pager_change *change, void *context)
{
    struct own *own = context;
    uint8_t *page;

    TRY(pager_change_allocate(change, 3, PAGE_TYPE_TEST, 0, &own->page, &page));
    value_set(page, own->mark);
    return STATUS_OK;
}

static enum status
own_adopt(struct pager_change *change, void *context)
{
    return pager_change_adopt(change, ((struct own *)context)->page);
}

static enum status
own_free(struct pager_change *change, void *context)
{
    struct own *own = context;
    const uint8_t *page;

    TRY(pager_change_read(change, own->page, &page));
    CHECK(value_get(page) == own->mark);
    return pager_change_free(change, own->page);
}

static void
own_write_directly(struct own *own)
{
    uint8_t page[PAGE_SIZE];
    void *pages[] = {page};

    MUST(pager_direct_reserve(world.pager, 1, &own->page));
    page_init(page, own->page, 3, PAGE_TYPE_TEST, 0);
    value_set(page, own->mark);
    MUST(pager_direct_write(world.pager, 1, &own->page, pages));
    run_change(own_adopt, own);
}

static void
own_step(struct own *own, struct random *random)
{
    if (own->count == OWN_MAX || (own->count > 0 && random_chance(random, 1, 2))) {
        uint32_t index = (uint32_t)random_below(random, own->count);
        own->page = own->pages[index];
        own->pages[index] = own->pages[--own->count];
        run_change(own_free, own);
        return;
    }
    if (random_chance(random, 1, 8))
        own_write_directly(own);
    else
        run_change(own_allocate, own);
    own->pages[own->count++] = own->page;
}

static void *
writer_main(void *argument)
{
    struct own own = {.mark = 1 + (uint64_t)(uintptr_t)argument};
    struct random random;

    random_init(&random, own.mark);
    for (int step = 0; step < STEPS; step++) {
        struct transfer pair = {accounts[random_below(&random, ACCOUNTS)],
                                accounts[random_below(&random, ACCOUNTS)]};
        if (pair.from != pair.to)
            run_change(transfer, &pair);
        if (random_chance(&random, 1, 3))
            own_step(&own, &random);
        if (random_chance(&random, 1, 10))
            MUST(pager_flush(world.pager, pager_csn(world.pager)));
    }
    return NULL;
}

static void *
worker_main(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) {
        bool more = true;
        while (more)
            MUST(pager_work(world.pager, &more));
        pager_wait_for_work(world.pager, 1000000);
    }
    return NULL;
}

static void *
shrinker_main(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) {
        uint32_t page_count;
        MUST(pager_shrink(world.pager, &page_count));
        pager_wait_for_work(world.pager, 1000000);
    }
    return NULL;
}

/* The sum over all accounts as they are. */
static void
check_sum(struct pager *pager)
{
    struct pager_check_result result;
    uint8_t page[PAGE_SIZE];
    uint64_t sum = 0;

    for (int index = 0; index < ACCOUNTS; index++) {
        MUST(pager_copy(pager, accounts[index], page));
        sum += value_get(page);
    }
    CHECK(sum == (uint64_t)ACCOUNTS * START);
    MUST(pager_check(pager, NULL, NULL, &result));
    CHECK(result.finding_count == 0);
}

static enum status
make_account(struct pager_change *change, void *context)
{
    uint8_t *page;

    TRY(pager_change_allocate(change, 3, PAGE_TYPE_TEST, 0, context, &page));
    value_set(page, START);
    return STATUS_OK;
}

static void
check_crash(void)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct env env = {world.memory, NULL};
    struct pager *pager;

    MUST(io_sim_fork(world.io, &crash, world.disk_memory, &env.io));
    MUST(pager_open(&env, WORLD_PATH, &world.options, &pager));
    check_sum(pager);
    MUST(pager_close(pager));
    io_close_all(env.io);
}

int
main(void)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);
    pthread_t threads[THREADS + 2];

    options.background = true;
    options.log_limit = 1 << 20;
    world_init(&world, 1, &options);
    MUST(pager_open(&world.env, WORLD_PATH, &options, &world.pager));
    for (int index = 0; index < ACCOUNTS; index++)
        run_change(make_account, &accounts[index]);
    for (uintptr_t index = 0; index < THREADS; index++)
        CHECK(pthread_create(&threads[index], NULL, writer_main, (void *)index) == 0);
    CHECK(pthread_create(&threads[THREADS], NULL, worker_main, NULL) == 0);
    CHECK(pthread_create(&threads[THREADS + 1], NULL, shrinker_main, NULL) == 0);
    for (int index = 0; index < THREADS; index++)
        CHECK(pthread_join(threads[index], NULL) == 0);
    atomic_store(&stop, true);
    pager_wake(world.pager);
    CHECK(pthread_join(threads[THREADS], NULL) == 0);
    CHECK(pthread_join(threads[THREADS + 1], NULL) == 0);
    check_sum(world.pager);
    MUST(pager_flush(world.pager, pager_csn(world.pager)));
    check_crash();
    MUST(pager_close(world.pager));
    MUST(pager_open(&world.env, WORLD_PATH, &options, &world.pager));
    check_sum(world.pager);
    MUST(pager_close(world.pager));
    world.pager = NULL;
    world_deinit(&world);
    printf("1 passed, 0 failed\n");
    return 0;
}
