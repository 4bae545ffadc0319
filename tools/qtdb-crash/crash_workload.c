/*
 * The reference workloads: steps drawn by weight, a table each. A step that changes pages goes through
 * the model; a step that reads compares with it at once.
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/error.h"
#include "pager/page.h"
#include "tools/qtdb-crash/crash_change.h"
#include "tools/qtdb-crash/crash_history.h"

enum {
    DIRECT_MAX = 6,
    WORK_STEPS_MAX = 4,
    WORK_SETTLE_MAX = 64,
    CHANGE_PAGES_MAX = 7,
    READ_MAX = 8,
    DISK_SMALL_FIRST = 340 * 1024,
    DISK_STEP = 32 * 1024,
};

enum step {
    STEP_CHANGE = 0,
    STEP_ALLOCATE = 1,
    STEP_FREE = 2,
    STEP_FLUSH = 3,
    STEP_WORK = 4,
    STEP_CHECKPOINT = 5,
    STEP_DIRECT = 6,
    STEP_SHRINK = 7,
    STEP_READ = 8,
    STEP_REOPEN = 9,
    STEP_CRASH = 10,
    STEP_DISK = 11,
    STEP_COUNT = 12,
};

/* Weights; the sum of a row is what a draw is out of. */
static const uint8_t weights[CRASH_WORKLOAD_LAST + 1][STEP_COUNT] = {
    /*                  change alloc free flush work check direct shrink read reopen crash disk */
    [CRASH_LOAD] = {10, 45, 2, 14, 10, 3, 4, 1, 6, 1, 0, 0},
    [CRASH_UPDATE] = {60, 4, 3, 14, 12, 4, 0, 0, 4, 1, 0, 0},
    [CRASH_SHRINK] = {20, 14, 24, 12, 10, 7, 2, 8, 4, 1, 0, 0},
    [CRASH_FULL] = {20, 34, 8, 12, 10, 4, 4, 2, 4, 1, 0, 6},
    [CRASH_DIRECT] = {20, 4, 16, 12, 10, 6, 26, 2, 4, 1, 0, 0},
    [CRASH_RECOVERY] = {40, 8, 8, 14, 10, 4, 6, 2, 3, 3, 5, 0},
    [CRASH_EVICT] = {24, 24, 3, 10, 6, 2, 3, 1, 24, 1, 0, 0},
};

const char *
crash_workload_name(enum crash_workload workload)
{
    static const char *const names[] = {
        [CRASH_WORKLOAD_ANY] = "any",  [CRASH_LOAD] = "load",   [CRASH_UPDATE] = "update",
        [CRASH_SHRINK] = "shrink",     [CRASH_FULL] = "full",   [CRASH_DIRECT] = "direct",
        [CRASH_RECOVERY] = "recovery", [CRASH_EVICT] = "evict", [CRASH_ROWS] = "rows"};

    return names[workload];
}

static enum step
draw_step(struct crash_history *history)
{
    const uint8_t *row = weights[history->workload];
    uint32_t sum = 0;
    uint32_t index = 0;

    for (uint32_t at = 0; at < STEP_COUNT; at++)
        sum += row[at];
    uint64_t drawn = random_below(&history->random, sum);

    while (drawn >= row[index])
        drawn -= row[index++];
    return (enum step)index;
}

/* A page in use that the change does not touch yet; PAGE_NONE when luck has it. */
static uint32_t
draw_page(struct crash_history *history, const struct crash_change *change)
{
    uint32_t count = crash_model_used_count(&history->model);
    uint32_t page_number;

    if (count == 0)
        return PAGE_NONE;
    page_number =
        crash_model_used(&history->model, (uint32_t)random_below(&history->random, count));
    for (uint32_t index = 0; index < change->count; index++) {
        if (change->actions[index].page_number == page_number)
            return PAGE_NONE;
    }
    return page_number;
}

static void
plan_edits(struct crash_history *history, struct crash_change *change, uint64_t count)
{
    while (count-- > 0) {
        static const enum crash_action_kind kinds[] = {CRASH_EDIT, CRASH_EDIT, CRASH_EDIT,
                                                       CRASH_MOVE, CRASH_MOVE, CRASH_REWRITE};
        uint64_t seed = random_u64(&history->random);
        uint32_t page_number = draw_page(history, change);
        uint64_t kind = random_below(&history->random, sizeof(kinds) / sizeof(kinds[0]));

        if (page_number != PAGE_NONE)
            crash_change_add(change, kinds[kind], page_number, seed);
    }
}

static void
plan_frees(struct crash_history *history, struct crash_change *change, uint64_t count)
{
    while (count-- > 0) {
        uint32_t page_number = draw_page(history, change);

        if (page_number != PAGE_NONE && page_number != PAGE_CATALOG_ROOT)
            crash_change_add(change, CRASH_FREE, page_number, 0);
    }
}

static void
plan_allocations(struct crash_history *history, struct crash_change *change, uint64_t count)
{
    while (count-- > 0)
        crash_change_add(change, CRASH_ALLOCATE, PAGE_NONE, random_u64(&history->random));
}

static void
change_prepared(void *context, const struct crash_change *change, uint64_t csn)
{
    struct crash_history *history = context;

    for (uint32_t index = 0; index < change->count; index++) {
        const struct crash_action *action = &change->actions[index];

        if (action->kind != CRASH_NOTE)
            crash_model_stage(&history->model, action->page_number, action->hash,
                              action->kind != CRASH_FREE, action->kind != CRASH_ADOPT);
    }
    crash_model_commit(&history->model, csn);
}

static void
change_undone(void *context)
{
    struct crash_history *history = context;

    crash_model_uncommit(&history->model);
}

/* Nothing may fail but for want of space, and that only where there is little of it. */
static enum status
judge(struct crash_history *history, const char *what, enum status status)
{
    if (status == STATUS_FULL && history->squeezed)
        return STATUS_OK;
    if (status == STATUS_OK || history->faulty)
        return status;
    crash_history_wrong(history, CRASH_STATUS, "%s: %s: %.200s", what, status_name(status),
                        error_message());
    return status;
}

enum status
crash_history_change(struct crash_history *history, struct crash_change *change)
{
    uint64_t csn;

    if (change->count == 0)
        return STATUS_OK;
    change->prepared = change_prepared;
    change->undone = change_undone;
    change->context = history;
    return judge(history, "change", crash_change_run(history->pager, change, &csn));
}

static enum status
step_change(struct crash_history *history)
{
    struct crash_change change = {.count = 0};

    plan_edits(history, &change, 1 + random_below(&history->random, CHANGE_PAGES_MAX));
    if (random_chance(&history->random, 1, 10))
        crash_change_add(&change, CRASH_NOTE, PAGE_NONE, random_u64(&history->random));
    return crash_history_change(history, &change);
}

static enum status
step_allocate(struct crash_history *history)
{
    struct crash_change change = {.count = 0};
    uint32_t used = crash_model_used_count(&history->model);

    plan_edits(history, &change, random_below(&history->random, 3));
    if (used > history->page_target)
        plan_frees(history, &change, 3);
    plan_allocations(history, &change, 1 + random_below(&history->random, CHANGE_PAGES_MAX));
    return crash_history_change(history, &change);
}

static enum status
step_free(struct crash_history *history)
{
    struct crash_change change = {.count = 0};

    plan_edits(history, &change, random_below(&history->random, 2));
    plan_frees(history, &change, 1 + random_below(&history->random, CHANGE_PAGES_MAX));
    if (random_chance(&history->random, 1, 4))
        plan_allocations(history, &change, 1);
    return crash_history_change(history, &change);
}

static enum status
step_flush(struct crash_history *history)
{
    uint64_t csn = history->model.csns[history->model.commit_count];
    enum status status = pager_flush(history->pager, csn);

    if (history->session->options->canary == CRASH_CANARY_STATUS && status == STATUS_OK)
        status = STATUS_IO;
    if (status == STATUS_OK) {
        crash_model_acknowledge(&history->model, csn);
        crash_history_acknowledge(history);
    }
    return judge(history, "flush", status);
}

static enum status
step_work(struct crash_history *history)
{
    uint64_t count = 1 + random_below(&history->random, WORK_STEPS_MAX);
    bool more = true;

    if (random_chance(&history->random, 1, 4))
        count = WORK_SETTLE_MAX;
    while (count-- > 0 && more) {
        enum status status = judge(history, "work", pager_work(history->pager, &more));

        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status
step_checkpoint(struct crash_history *history)
{
    return judge(history, "checkpoint", pager_checkpoint(history->pager));
}

static void
make_pages(struct crash_history *history, uint8_t *bytes, const uint32_t *numbers, uint32_t count,
           void **pages)
{
    for (uint32_t index = 0; index < count; index++) {
        uint8_t *page = bytes + (size_t)index * PAGE_SIZE;

        page_init(page, numbers[index], 9, PAGE_TYPE_TEST, 0);
        crash_page_fill(page, random_u64(&history->random));
        pages[index] = page;
    }
}

/* Some of the pages are adopted, with an edit elsewhere; the rest is given back. */
static enum status
adopt_some(struct crash_history *history, uint32_t *numbers, uint32_t count, void **pages)
{
    struct crash_change change = {.count = 0};
    uint32_t adopted = (uint32_t)random_below(&history->random, count + 1);
    enum status status = STATUS_OK;

    if (random_chance(&history->random, 1, 2))
        plan_edits(history, &change, 1);
    for (uint32_t index = 0; index < adopted; index++) {
        crash_change_add(&change, CRASH_ADOPT, numbers[index], 0);
        change.actions[change.count - 1].hash = crash_page_hash(pages[index], numbers[index]);
    }
    if (adopted > 0) {
        uint64_t before = history->model.commit_count;

        status = crash_history_change(history, &change);
        if (history->model.commit_count == before)
            adopted = 0;
    }
    pager_direct_release(history->pager, count - adopted, numbers + adopted);
    return status;
}

static enum status
step_direct(struct crash_history *history)
{
    uint32_t count = 1 + (uint32_t)random_below(&history->random, DIRECT_MAX);
    uint32_t numbers[DIRECT_MAX];
    void *pages[DIRECT_MAX];
    uint8_t *bytes;

    if (crash_model_used_count(&history->model) > history->page_target)
        return step_free(history);
    enum status status = pager_direct_reserve(history->pager, count, numbers);

    if (status != STATUS_OK)
        return judge(history, "reserve", status);
    bytes = crash_alloc(history->session->rig, (size_t)count * PAGE_SIZE);
    make_pages(history, bytes, numbers, count, pages);
    history->order.direct = true;
    status =
        judge(history, "direct write", pager_direct_write(history->pager, count, numbers, pages));
    history->order.direct = false;
    if (status == STATUS_OK)
        status = adopt_some(history, numbers, count, pages);
    else
        pager_direct_release(history->pager, count, numbers);
    crash_free(history->session->rig, bytes, (size_t)count * PAGE_SIZE);
    return status;
}

/* Frees what lies at the end first, so that there is something to cut. */
static enum status
step_shrink(struct crash_history *history)
{
    struct crash_change change = {.count = 0};
    uint32_t page_count;

    for (uint32_t number = history->model.page_count; number-- > PAGE_CATALOG_ROOT + 1;) {
        if (change.count == CHANGE_PAGES_MAX)
            break;
        if (crash_model_is_used(&history->model, number))
            crash_change_add(&change, CRASH_FREE, number, 0);
    }
    enum status status = crash_history_change(history, &change);

    if (status != STATUS_OK)
        return status;
    return judge(history, "shrink", pager_shrink(history->pager, &page_count));
}

/* What is read now has to be what was committed last. */
static enum status
read_page(struct crash_history *history, uint32_t number)
{
    struct pager_pin pin;
    enum status status = pager_pin(history->pager, number, &pin);

    if (status != STATUS_OK)
        return judge(history, "read", status);
    const struct crash_version *version = crash_model_at(&history->model, number, UINT64_MAX);

    if (crash_page_hash(pin.bytes, number) != version->hash)
        crash_history_wrong(history, CRASH_SILENT,
                            "page %" PRIu32 " reads other than commit %" PRIu64 " left it", number,
                            version->commit);
    pager_unpin(history->pager, &pin);
    return STATUS_OK;
}

static enum status
step_read(struct crash_history *history)
{
    uint64_t count = 1 + random_below(&history->random, READ_MAX);
    enum status status = STATUS_OK;

    while (count-- > 0 && status == STATUS_OK) {
        struct crash_change none = {.count = 0};
        uint32_t number = draw_page(history, &none);

        if (number != PAGE_NONE)
            status = read_page(history, number);
    }
    return status;
}

static enum status
step_crash(struct crash_history *history)
{
    static const enum io_sim_crash_mode modes[] = {
        IO_SIM_CRASH_LOST,   IO_SIM_CRASH_KEPT,   IO_SIM_CRASH_RANDOM,
        IO_SIM_CRASH_RANDOM, IO_SIM_CRASH_PREFIX, IO_SIM_CRASH_PROCESS,
    };
    uint64_t drawn = random_below(&history->random, sizeof(modes) / sizeof(modes[0]));
    uint64_t pending = io_sim_pending_count(history->io);
    struct io_sim_crash choice = {.mode = modes[drawn],
                                  .index = random_below(&history->random, pending + 1),
                                  .seed = random_u64(&history->random)};

    return crash_history_crash(history, &choice);
}

/* The disk gets small, and after a while large again. */
static enum status
step_disk(struct crash_history *history)
{
    uint64_t size = DISK_SMALL_FIRST + random_below(&history->random, 8) * DISK_STEP;

    history->squeezed = !history->squeezed;
    io_sim_set_disk_size(history->io, history->squeezed ? size : 0);
    return STATUS_OK;
}

enum status
crash_history_step(struct crash_history *history)
{
    static enum status (*const steps[])(struct crash_history *) = {
        [STEP_CHANGE] = step_change, [STEP_ALLOCATE] = step_allocate,
        [STEP_FREE] = step_free,     [STEP_FLUSH] = step_flush,
        [STEP_WORK] = step_work,     [STEP_CHECKPOINT] = step_checkpoint,
        [STEP_DIRECT] = step_direct, [STEP_SHRINK] = step_shrink,
        [STEP_READ] = step_read,     [STEP_REOPEN] = crash_history_reopen,
        [STEP_CRASH] = step_crash,   [STEP_DISK] = step_disk,
    };

    history->step_count++;
    return steps[draw_step(history)](history);
}
