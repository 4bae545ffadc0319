/*
 * Goal: what the rig once found wrong stays right.
 *
 * Method: each case in the smallest form that shows it, on the simulated disk. A kill leaves what was
 * written in the kernel's cache; a power cut after it takes that away again, and with it what a
 * recovery believed without having made it durable.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/error.h"
#include "pager/page.h"
#include "tools/qtdb-crash/crash_change.h"
#include "tools/qtdb-crash/crash_fault.h"
#include "tools/qtdb-crash/crash_history.h"
#include "tools/qtdb-crash/crash_report.h"
#include "tools/qtdb-crash/crash_verify.h"

static struct crash_options options = {.seed = 1, .threads = 1};
static struct crash_report report;
static struct crash_session session;
static struct crash_history history;

#define MUST(expr)                                                                            \
    do {                                                                                      \
        enum status must_status_ = (expr);                                                    \
        cr_assert_eq(must_status_, STATUS_OK, "%s: %s: %s", #expr, status_name(must_status_), \
                     error_message());                                                        \
    } while (0)

static void
wrong(void *context, enum crash_violation violation, const char *text)
{
    (void)context;
    cr_assert_fail("%s: %s", crash_violation_name(violation), text);
}

static void
begin(uint64_t seed, enum crash_workload workload, enum pager_policy policy)
{
    struct crash_id id = {.seed = seed, .workload = workload, .policy = policy};

    cr_assert(crash_report_init(&report, "sim", &options));
    crash_session_init(&session, &options, &report, NULL);
    crash_history_begin(&history, &session, &id, session.engine[0], wrong, NULL, NULL);
    MUST(crash_history_open(&history));
}

static void
end(void)
{
    crash_history_end(&history, false);
    crash_session_deinit(&session);
}

static void
edit(struct crash_history *of, uint64_t seed)
{
    struct crash_change change = {.count = 0};

    crash_change_add(&change, CRASH_EDIT, PAGE_CATALOG_ROOT, seed);
    crash_change_add(&change, CRASH_ALLOCATE, PAGE_NONE, seed + 1);
    MUST(crash_history_change(of, &change));
}

static void
flush(struct crash_history *of)
{
    MUST(pager_flush(of->pager, of->model.csns[of->model.commit_count]));
    crash_history_acknowledge(of);
}

/* A power cut at every operation of what is done on `io`, in several ways; each must verify. */
struct cutter {
    struct io *io;
    struct crash_expect expect;
    uint64_t cuts;
};

static void
cut_at(void *context, const struct io_sim_event *event)
{
    static const enum io_sim_crash_mode modes[] = {IO_SIM_CRASH_LOST, IO_SIM_CRASH_KEPT,
                                                   IO_SIM_CRASH_RANDOM, IO_SIM_CRASH_RANDOM};
    struct cutter *cutter = context;

    if (event->op == IO_SIM_READ || (!event->done && !event->in_flight))
        return;
    for (size_t index = 0; index < sizeof(modes) / sizeof(modes[0]); index++) {
        struct io_sim_crash choice = {.mode = modes[index], .seed = cutter->cuts++};
        struct crash_found found;
        struct io *fork;

        MUST(io_sim_fork(cutter->io, &choice, session.rig, &fork));
        enum crash_violation violation =
            crash_verify_disk(fork, session.engine[2], &cutter->expect, false, &found, NULL);

        cr_assert_eq(violation, CRASH_OK, "cut %d: %s: %s", (int)cutter->cuts,
                     crash_violation_name(violation), found.text);
        io_close_all(fork);
    }
}

/* Killed at this moment; the next process opens the file, changes it, and is cut off on the way. */
static void
kill_and_cut(struct crash_history *of, uint64_t seed)
{
    struct io_sim_crash kill = {.mode = IO_SIM_CRASH_PROCESS, .seed = seed};
    struct cutter cutter = {.expect = crash_expect_of(of)};
    struct crash_found found;
    struct pager *pager = NULL;

    MUST(io_sim_fork(of->io, &kill, session.rig, &cutter.io));
    io_sim_watch(cutter.io, cut_at, &cutter);
    enum crash_violation violation =
        crash_verify_disk(cutter.io, session.engine[1], &cutter.expect, false, &found, &pager);

    io_sim_watch(cutter.io, NULL, NULL);
    cr_assert_eq(violation, CRASH_OK, "%s", found.text);
    if (pager == NULL) {
        io_close_all(cutter.io);
        return;
    }
    violation = crash_verify_life(pager, cutter.io, session.rig, &cutter.expect, seed, &found);
    cr_assert_eq(violation, CRASH_OK, "%s", found.text);
    io_close_all(cutter.io);
}

static void
kill_at(void *context, struct crash_history *of, const struct io_sim_event *event)
{
    uint64_t *kills = context;

    if (event == NULL || (event->done && event->op != IO_SIM_WRITE))
        return;
    kill_and_cut(of, (*kills)++);
}

/* The slot that says clean, or the one that names the log, was in a cache only when its writer was
 * killed: the next process removed the log, or appended to it, and a power cut brought the other slot
 * back. */
/* covers: P8 */
Test(store_found, a_kill_while_the_slots_change_and_then_a_power_cut)
{
    uint64_t kills = 0;

    begin(7, CRASH_UPDATE, PAGER_POLICY_IMAGE);
    edit(&history, 10);
    flush(&history);
    history.look = kill_at;
    history.context = &kills;
    MUST(crash_history_reopen(&history));
    edit(&history, 20);
    flush(&history);
    history.look = NULL;
    printf("%d kills\n", (int)kills);
    cr_assert_gt(kills, 20);
    end();
}

/* The same kill several times: what of a write in flight reaches the cache is drawn. */
static void
kill_often_at(void *context, struct crash_history *of, const struct io_sim_event *event)
{
    for (int repeat = 0; repeat < 6 && event != NULL && event->in_flight; repeat++)
        kill_at(context, of, event);
}

/* Recovery of more pages than fit the pool wrote pages before the log's tail, which was in a cache only,
 * was durable. */
/* covers: P1, P13 */
Test(store_found, a_kill_with_a_log_in_the_cache_and_more_pages_than_frames)
{
    uint64_t kills = 0;

    begin(11, CRASH_LOAD, PAGER_POLICY_IMAGE);
    history.page_target = 90;
    while (crash_model_used_count(&history.model) < 60)
        MUST(crash_history_step(&history));
    MUST(pager_checkpoint(history.pager));
    for (uint64_t round = 0; round < 10; round++) {
        struct crash_change change = {.count = 0};

        for (uint32_t at = 0; at < 6; at++)
            crash_change_add(&change, CRASH_EDIT,
                             crash_model_used(&history.model, (uint32_t)round * 6 + at),
                             round * 100 + at);
        MUST(crash_history_change(&history, &change));
        if (round % 3 != 2)
            continue;
        history.look = kill_often_at;
        history.context = &kills;
        flush(&history);
        history.look = NULL;
    }
    printf("%d kills\n", (int)kills);
    cr_assert_gt(kills, 0);
    end();
}

/* On a file just opened the map page was not in memory, no page would do, and the file grew to its
 * limit. */
/* covers: P12 */
Test(store_found, direct_pages_of_a_file_just_opened)
{
    uint32_t numbers[4];

    begin(3, CRASH_DIRECT, PAGER_POLICY_IMAGE);
    MUST(crash_history_reopen(&history));
    MUST(pager_direct_reserve(history.pager, 4, numbers));
    cr_assert_lt(numbers[3], 32);
    pager_direct_release(history.pager, 4, numbers);
    end();
}

static void
write_directly(uint32_t number, uint8_t fill)
{
    uint8_t bytes[PAGE_SIZE];
    void *page = bytes;

    page_init(bytes, number, 9, PAGE_TYPE_TEST, 0);
    memset(bytes + PAGE_HEADER_SIZE, fill, PAGE_BODY_SIZE);
    MUST(pager_direct_write(history.pager, 1, &number, &page));
}

/* Which operation of the second write is lost: its log's, its own, or its sync's (no loss). */
static void
lose_second_direct_write(uint64_t operation)
{
    struct crash_change change = {.count = 0};
    struct pager_pin pin;
    uint32_t number;
    uint32_t again;
    uint64_t csn;

    begin(5, CRASH_DIRECT, PAGER_POLICY_IMAGE);
    edit(&history, 1);
    flush(&history);
    MUST(pager_direct_reserve(history.pager, 1, &number));
    write_directly(number, 'a');
    pager_direct_release(history.pager, 1, &number);
    MUST(pager_direct_reserve(history.pager, 1, &again));
    cr_assert_eq(again, number);
    io_sim_fail_at(history.io, io_sim_op_count(history.io) + operation, IO_SIM_FAULT_LOST, false);
    write_directly(number, 'b');
    crash_change_add(&change, CRASH_ADOPT, number, 0);
    MUST(crash_change_run(history.pager, &change, &csn));
    enum status status = pager_pin(history.pager, number, &pin);

    if (status == STATUS_OK) {
        cr_assert_eq(pin.bytes[PAGE_HEADER_SIZE], 'b');
        pager_unpin(history.pager, &pin);
    } else {
        cr_assert_eq(status, STATUS_CORRUPT);
    }
    end();
}

/* The second direct write of a page had the CSN of the first: lost, it left the first one valid. */
/* covers: P3 */
Test(store_found, a_lost_second_direct_write_is_noticed)
{
    for (uint64_t operation = 0; operation < 3; operation++)
        lose_second_direct_write(operation);
}

/* Both slots unreadable: that is the disk's refusal, not damage. */
Test(store_found, slots_that_cannot_be_read_are_an_io_error)
{
    struct crash_fault fault = {.io = IO_SIM_FAULT_EIO, .index = 0, .for_ever = true};
    struct pager_options pager_options;
    struct pager *pager = NULL;
    struct env env;

    begin(6, CRASH_UPDATE, PAGER_POLICY_IMAGE);
    pager_options = crash_pager_options(&history.id);
    MUST(pager_close(history.pager));
    history.pager = NULL;
    env = (struct env){.memory = history.engine, .io = history.io};
    MUST(io_sim_bad_range(history.io, CRASH_FILE, 0, META_SLOT_COUNT * PAGE_SIZE));
    cr_assert_eq(pager_open(&env, CRASH_FILE, &pager_options, &pager), STATUS_IO);
    MUST(io_sim_bad_range(history.io, CRASH_FILE, 0, 0));
    MUST(pager_open(&env, CRASH_FILE, &pager_options, &pager));
    pager_abandon(pager);
    (void)fault;
    end();
}

/* Under `range` a page whose read failed once during recovery was fenced for good. */
Test(store_found, a_read_that_fails_once_in_recovery_fences_nothing)
{
    struct io_sim_crash cut = {.mode = IO_SIM_CRASH_LOST};
    struct pager_options pager_options;
    struct pager *pager = NULL;
    struct crash_found found;
    struct env env;

    begin(8, CRASH_UPDATE, PAGER_POLICY_RANGE);
    edit(&history, 1);
    flush(&history);
    MUST(pager_checkpoint(history.pager));
    edit(&history, 2);
    flush(&history);
    struct crash_expect expect = crash_expect_of(&history);

    crash_history_settle(&history, &cut);
    pager_options = crash_pager_options(&history.id);
    env = (struct env){.memory = history.engine, .io = history.io};
    MUST(io_sim_bad_range(history.io, CRASH_FILE, PAGE_CATALOG_ROOT * PAGE_SIZE, 512));
    cr_assert_eq(pager_open(&env, CRASH_FILE, &pager_options, &pager), STATUS_IO);
    MUST(io_sim_bad_range(history.io, CRASH_FILE, 0, 0));
    enum crash_violation violation =
        crash_verify_disk(history.io, session.engine[1], &expect, false, &found, NULL);

    cr_assert_eq(violation, CRASH_OK, "%s", found.text);
    end();
}

/* A log that could not be made on a full disk left its directory behind a clean close. */
/* covers: P16 */
Test(store_found, a_log_that_could_not_be_made_leaves_nothing)
{
    struct pager_change *change;

    begin(9, CRASH_FULL, PAGER_POLICY_IMAGE);
    MUST(crash_history_reopen(&history));
    io_sim_set_disk_size(history.io, 8 * PAGE_SIZE);
    cr_assert_eq(pager_change_begin(history.pager, &change), STATUS_FULL);
    cr_assert_not_null(strstr(error_message(), "no space"));
    MUST(pager_close(history.pager));
    history.pager = NULL;
    cr_assert_not(crash_log_exists(history.io));
    end();
}

/* A crash left the file long enough behind its last page, but took the space: pages were given out
 * there, and a disk that was full by then failed their flush, and with it the handle. */
/* covers: P11 */
Test(store_found, a_hole_behind_the_last_page_on_a_full_disk)
{
    struct io_sim_crash cut = {.mode = IO_SIM_CRASH_KEPT};
    struct crash_change change = {.count = 0};
    struct pager_statistics statistics;
    struct io_file *file;
    uint64_t csn;

    begin(16, CRASH_UPDATE, PAGER_POLICY_RANGE);
    edit(&history, 1);
    flush(&history);
    pager_get_statistics(history.pager, &statistics);
    crash_history_settle(&history, &cut);
    MUST(io_open(history.io, CRASH_FILE, IO_WRITE, &file));
    MUST(io_truncate(file, statistics.page_count * PAGE_SIZE));
    MUST(io_truncate(file, UINT64_C(64) * PAGE_SIZE));
    io_close(file);
    MUST(crash_history_recover(&history));
    io_sim_set_disk_size(history.io, 1);
    for (uint32_t page = 0; page < 4; page++)
        crash_change_add(&change, CRASH_ALLOCATE, PAGE_NONE, 100 + page);
    MUST(crash_change_run(history.pager, &change, &csn));
    MUST(pager_checkpoint(history.pager));
    io_sim_set_disk_size(history.io, 0);
    end();
}
