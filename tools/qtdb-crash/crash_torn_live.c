/* Damage under an open handle; see crash_torn_live.h. A page that is not in memory is damaged on the
 * disk, then read: what comes must be its last version, repaired from the log, or a refusal. */
#include "tools/qtdb-crash/crash_torn_live.h"

#include <inttypes.h>
#include <string.h>

#include "kernel/base/error.h"
#include "kernel/base/random.h"
#include "pager/page.h"
#include "pager/pager_view.h"
#include "tools/qtdb-crash/crash_history.h"
#include "tools/qtdb-crash/crash_report.h"

enum { PAGE_TARGET = 110, FILL_STEPS_MAX = 600, ROUNDS = 160, EDIT_STEPS = 4 };

struct live {
    struct crash_session *session;
    struct crash_place place;
    struct crash_history history;
    struct random random;
    uint64_t detected;
};

static void
live_wrong(void *context, enum crash_violation violation, const char *text)
{
    struct live *live = context;

    crash_report_wrong(live->session->report, &live->place, violation, text);
}

static bool
is_resident(struct live *live, uint32_t number)
{
    struct page_view view;
    bool resident = page_view_begin(pager_table(live->history.pager), number, &view);

    if (resident)
        (void)page_view_end(&view);
    return resident;
}

static uint64_t
repair_count(struct live *live)
{
    struct pager_statistics statistics;

    pager_get_statistics(live->history.pager, &statistics);
    return statistics.repair_count;
}

/* Damages the page on the disk; gives back what was there. */
static bool
damage(struct live *live, uint32_t number, uint8_t before[PAGE_SIZE])
{
    uint64_t offset = (uint64_t)number * PAGE_SIZE;
    struct io *io = live->history.io;
    uint8_t bytes[PAGE_SIZE] = {0};

    if (io_sim_peek(io, CRASH_FILE, offset, before, PAGE_SIZE) != STATUS_OK)
        return false;
    switch (random_below(&live->random, 4)) {
    case 0:
        return io_sim_flip_bit(io, CRASH_FILE,
                               offset * 8 + random_below(&live->random, 8 * PAGE_SIZE)) ==
               STATUS_OK;
    case 1:
        random_bytes(&live->random, bytes, PAGE_SIZE);
        break;
    case 2: /* A page that belongs elsewhere. */
        if (number == PAGE_CATALOG_ROOT ||
            io_sim_peek(io, CRASH_FILE, PAGE_CATALOG_ROOT * PAGE_SIZE, bytes, PAGE_SIZE) !=
                STATUS_OK)
            return false;
        break;
    default: /* Zeros: as if never written. */
        break;
    }
    return io_sim_overwrite(io, CRASH_FILE, offset, bytes, PAGE_SIZE) == STATUS_OK;
}

static void
judge(struct live *live, uint32_t number, uint64_t repaired_before, const uint8_t *before)
{
    const struct crash_version *version = crash_model_at(&live->history.model, number, UINT64_MAX);
    struct pager_pin pin;
    enum status status = pager_pin(live->history.pager, number, &pin);
    bool repaired = repair_count(live) > repaired_before;

    crash_count(live->session->report, CRASH_COUNT_SAMPLES, 1);
    if (status == STATUS_OK) {
        bool seen = repaired && crash_page_hash(pin.bytes, number) == version->hash;

        if (!seen)
            crash_history_wrong(&live->history, CRASH_SILENT,
                                "page %" PRIu32 " was damaged on the disk and is returned", number);
        pager_unpin(live->history.pager, &pin);
        if (!seen)
            return;
    } else if (status != STATUS_CORRUPT) {
        crash_history_wrong(&live->history, CRASH_STATUS, "page %" PRIu32 ": %s: %.200s", number,
                            status_name(status), error_message());
    }
    crash_count(live->session->report, CRASH_COUNT_DETECTED, 1);
    crash_count(live->session->report, repaired ? CRASH_COUNT_REPAIRED : CRASH_COUNT_REFUSED_PAGES,
                1);
    if (status == STATUS_CORRUPT)
        CHECK(io_sim_overwrite(live->history.io, CRASH_FILE, (uint64_t)number * PAGE_SIZE, before,
                               PAGE_SIZE) == STATUS_OK);
}

static void
live_round(struct live *live)
{
    uint32_t count = crash_model_used_count(&live->history.model);
    uint32_t number =
        crash_model_used(&live->history.model, (uint32_t)random_below(&live->random, count));
    uint64_t repaired = repair_count(live);
    uint8_t before[PAGE_SIZE];

    if (is_resident(live, number) || !damage(live, number, before))
        return;
    judge(live, number, repaired, before);
}

static enum status
live_run(struct live *live)
{
    struct crash_history *history = &live->history;
    enum status status = crash_history_open(history);

    for (int step = 0; step < FILL_STEPS_MAX && status == STATUS_OK; step++) {
        if (crash_model_used_count(&history->model) + 4 >= history->page_target)
            break;
        status = crash_history_step(history);
    }
    history->workload = CRASH_UPDATE;
    for (int round = 0; round < ROUNDS && status == STATUS_OK; round++) {
        for (int step = 0; step < EDIT_STEPS && status == STATUS_OK && round % 4 == 0; step++)
            status = crash_history_step(history);
        if (status == STATUS_OK)
            live_round(live);
    }
    return status;
}

void
crash_torn_live(struct crash_session *session, uint64_t index)
{
    struct live live = {.session = session};

    live.place.id =
        (struct crash_id){.seed = random_mix(session->options->seed + index),
                          .workload = CRASH_LOAD,
                          .policy = index % 2 == 0 ? PAGER_POLICY_IMAGE : PAGER_POLICY_RANGE};
    random_init(&live.random, live.place.id.seed);
    crash_history_begin(&live.history, session, &live.place.id, session->engine[0], live_wrong,
                        NULL, &live);
    live.history.page_target = PAGE_TARGET;
    enum status status = live_run(&live);

    crash_history_end(&live.history, status == STATUS_OK);
}
