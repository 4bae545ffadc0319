/* One history: opening, crashing, closing; see crash_history.h. The steps are in crash_workload.c. */
#include "tools/qtdb-crash/crash_history.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/error.h"
#include "pager/page.h"
#include "tools/qtdb-crash/crash_verify.h"

enum { WRONG_TEXT_SIZE = 400 };

#define SEED_DISK UINT64_C(0x6469736b)
#define SEED_WORKLOAD UINT64_C(0x776f726b)

void
crash_history_wrong(struct crash_history *history, enum crash_violation violation,
                    const char *format, ...)
{
    char text[WRONG_TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    history->wrong(history->context, violation, text);
}

static void
order_broken(void *context, const char *text)
{
    struct crash_history *history = context;

    history->wrong(history->context, CRASH_ORDER, text);
}

/* What the handle calls durable, as anyone could read it at this moment. */
static uint64_t
csn_claimed(const struct crash_history *history)
{
    return history->pager == NULL ? 0 : pager_csn_durable(history->pager);
}

static void
point(struct crash_history *history, const struct io_sim_event *event)
{
    if (history->pager != NULL)
        crash_model_acknowledge(&history->model, csn_claimed(history));
    if (history->look != NULL)
        history->look(history->context, history, event);
    history->point++;
}

/* Reads and the like change nothing: they are no points. */
static bool
is_change(enum io_sim_op op)
{
    switch (op) {
    case IO_SIM_WRITE:
    case IO_SIM_SYNC:
    case IO_SIM_TRUNCATE:
    case IO_SIM_ALLOCATE:
    case IO_SIM_RENAME:
    case IO_SIM_REMOVE:
    case IO_SIM_MAKE_DIR:
    case IO_SIM_REMOVE_DIR:
    case IO_SIM_SYNC_DIR:
    case IO_SIM_OPEN:
        return true;
    default:
        return false;
    }
}

static void
watch(void *context, const struct io_sim_event *event)
{
    struct crash_history *history = context;

    crash_order_event(&history->order, event, csn_claimed(history));
    if (is_change(event->op) && (event->op != IO_SIM_OPEN || (event->flags & IO_CREATE) != 0))
        point(history, event);
}

void
crash_history_acknowledge(struct crash_history *history)
{
    point(history, NULL);
}

static enum crash_workload
draw_workload(const struct crash_id *id)
{
    if (id->workload != CRASH_WORKLOAD_ANY)
        return id->workload;
    return (enum crash_workload)(1 + random_mix(id->seed) % CRASH_WORKLOAD_LAST);
}

static enum status
open_disk(struct crash_history *history)
{
    uint64_t seed = random_mix(history->id.seed ^ SEED_DISK);
    struct io_sim_options options = {
        .seed = seed, .direct_refused = seed % 4 == 1, .size_with_data = seed % 8 >= 5};

    return io_sim_open(history->session->rig, &options, &history->io);
}

/* The new file's one page is commit 0. */
static void
model_base(struct crash_model *model)
{
    uint8_t page[PAGE_SIZE];

    page_init(page, PAGE_CATALOG_ROOT, 0, PAGE_TYPE_NONE, 0);
    crash_model_stage(model, PAGE_CATALOG_ROOT, crash_page_hash(page, PAGE_CATALOG_ROOT), true,
                      false);
    crash_model_base(model);
}

void
crash_history_begin(struct crash_history *history, const struct crash_session *session,
                    const struct crash_id *id, struct memory *engine, crash_wrong_fn wrong,
                    crash_point_fn look, void *context)
{
    static const uint32_t targets[] = {
        [CRASH_LOAD] = 40,   [CRASH_UPDATE] = 20,   [CRASH_SHRINK] = 40, [CRASH_FULL] = 60,
        [CRASH_DIRECT] = 28, [CRASH_RECOVERY] = 24, [CRASH_EVICT] = 96};

    *history = (struct crash_history){.session = session,
                                      .id = *id,
                                      .workload = draw_workload(id),
                                      .engine = engine,
                                      .wrong = wrong,
                                      .look = look,
                                      .context = context};
    history->page_target = targets[history->workload];
    random_init(&history->random, random_mix(id->seed ^ SEED_WORKLOAD));
    crash_model_init(&history->model, session->rig);
    model_base(&history->model);
    crash_order_init(&history->order, session->rig, order_broken, history);
    if (session->options->canary == CRASH_CANARY_ORDER)
        history->order.allowance = 1;
    CHECK(open_disk(history) == STATUS_OK);
}

/* A handle, which is not the history's yet: what it calls durable means nothing to the model before
 * the model is at the same commit. */
static enum status
open_pager(struct crash_history *history, struct pager **out)
{
    struct env env = {.memory = history->engine, .io = history->io};
    struct pager_options options = crash_pager_options(&history->id);

    CHECK(history->pager == NULL);
    options.create = !history->created;
    crash_order_begin(&history->order, history->io);
    io_sim_watch(history->io, watch, history);
    enum status status = pager_open(&env, CRASH_FILE, &options, out);

    if (status == STATUS_FULL && history->squeezed) {
        /* A full disk may refuse the open; with space freed it has to succeed. */
        history->squeezed = false;
        io_sim_set_disk_size(history->io, 0);
        crash_order_begin(&history->order, history->io);
        status = pager_open(&env, CRASH_FILE, &options, out);
    }
    history->created |= status == STATUS_OK;
    if (status != STATUS_OK && !history->faulty)
        crash_history_wrong(history, CRASH_REFUSED, "open: %s: %.240s", status_name(status),
                            error_message());
    return status;
}

static void
take_pager(struct crash_history *history, struct pager *pager)
{
    history->pager = pager;
    crash_history_acknowledge(history);
}

enum status
crash_history_open(struct crash_history *history)
{
    struct pager *pager = NULL;

    TRY(open_pager(history, &pager));
    take_pager(history, pager);
    return STATUS_OK;
}

static void
abandon(struct crash_history *history)
{
    pager_abandon(history->pager);
    history->pager = NULL;
    io_sim_watch(history->io, NULL, NULL);
    if (io_sim_open_count(history->io) != 0)
        crash_history_wrong(history, CRASH_LEAK, "%" PRIu64 " files, queues or locks left open",
                            io_sim_open_count(history->io));
    if (memory_live_count(history->engine) != 0)
        crash_history_wrong(history, CRASH_LEAK, "%" PRIu64 " allocations left",
                            memory_live_count(history->engine));
}

/* With faults about, what was recovered is looked at in a copy that has none. */
static enum crash_violation
verify_copy(struct crash_history *history, const struct crash_expect *expect,
            struct crash_found *found)
{
    struct io_sim_crash choice = {.mode = IO_SIM_CRASH_KEPT};
    enum crash_violation violation;
    struct io *copy;

    CHECK(io_sim_fork(history->io, &choice, history->session->rig, &copy) == STATUS_OK);
    violation = crash_verify_disk(copy, history->session->engine[1], expect, false, found, NULL);
    if (io_sim_open_count(copy) == 0)
        io_close_all(copy);
    return violation;
}

/* The model goes back to what survived; where that is none of its states, the history cannot go on. */
static enum status
take_back(struct crash_history *history, struct pager *pager)
{
    struct crash_expect expect = crash_expect_of(history);
    enum crash_violation violation;
    struct crash_found found;

    violation = history->faulty ? verify_copy(history, &expect, &found)
                                : crash_verify_pager(pager, &expect, &found);
    if (violation != CRASH_OK) {
        history->wrong(history->context, violation, found.text);
        return STATUS_FAILED;
    }
    crash_model_rollback(&history->model, found.commit);
    return STATUS_OK;
}

void
crash_history_settle(struct crash_history *history, const struct io_sim_crash *choice)
{
    struct io *next;

    CHECK(io_sim_fork(history->io, choice, history->session->rig, &next) == STATUS_OK);
    abandon(history);
    io_close_all(history->io);
    history->io = next;
    history->crash_count++;
}

enum status
crash_history_recover(struct crash_history *history)
{
    struct pager *pager = NULL;

    TRY(open_pager(history, &pager));
    enum status status = take_back(history, pager);

    if (status == STATUS_OK)
        take_pager(history, pager);
    else
        pager_abandon(pager);
    return status;
}

enum status
crash_history_crash(struct crash_history *history, const struct io_sim_crash *choice)
{
    crash_history_settle(history, choice);
    return crash_history_recover(history);
}

enum status
crash_history_reopen(struct crash_history *history)
{
    uint64_t csn = pager_csn(history->pager);
    enum status status = pager_close(history->pager);

    history->pager = NULL;
    abandon(history);
    if (status == STATUS_OK) {
        crash_model_acknowledge(&history->model, csn);
        if (!history->faulty && crash_log_exists(history->io))
            crash_history_wrong(history, CRASH_UNCLEAN,
                                "the log is still there after a clean close");
    } else if (!history->faulty) {
        crash_history_wrong(history, CRASH_STATUS, "close: %s: %s", status_name(status),
                            error_message());
    }
    TRY(status);
    return crash_history_open(history);
}

void
crash_history_end(struct crash_history *history, bool close)
{
    if (close && history->pager != NULL) {
        enum status status = pager_close(history->pager);

        history->pager = NULL;
        if (status != STATUS_OK && !history->faulty)
            crash_history_wrong(history, CRASH_STATUS, "last close: %s: %s", status_name(status),
                                error_message());
    }
    abandon(history);
    io_close_all(history->io);
    crash_order_deinit(&history->order);
    crash_model_deinit(&history->model);
}
