/*
 * Goal: prove the order in which a flush writes, that it writes what it must and no more, and that a
 * failed write or sync ends the handle.
 * Method: a watcher on the simulated disk that knows the rules: no frame into a segment whose name,
 * size and header are not durable, no block written twice; faults injected at single operations.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/error.h"
#include "kernel/base/log_sink.h"
#include "kernel/base/random.h"
#include "tests/unit/wal/wal_help.h"

static struct help_log log;

static void
begin(uint32_t frame_size_max)
{
    struct io_sim_options options = {.seed = 3};

    help_init_sim(&log, &options);
    log.options.frame_size_max = frame_size_max;
    help_create(&log);
}

/* What the watcher knows of each block of the log: by segment number and block. */
enum { SEGMENT_MAX = 64, BLOCK_MAX = HELP_SEGMENT_SIZE / WAL_BLOCK_SIZE };

struct rules {
    bool name_durable[SEGMENT_MAX];
    bool name_pending[SEGMENT_MAX];
    bool header_durable[SEGMENT_MAX];
    bool has_frame[SEGMENT_MAX][BLOCK_MAX];
    uint64_t frame_count;
    uint64_t violation_count;
};

static void
check_frame_write(struct rules *rules, uint64_t number, const struct io_sim_event *event)
{
    if (!rules->name_durable[number] || !rules->header_durable[number])
        rules->violation_count++;
    if ((event->flags & IO_DURABLE) == 0)
        rules->violation_count++;
    for (uint64_t at = event->offset; at < event->offset + event->size; at += WAL_BLOCK_SIZE) {
        if (rules->has_frame[number][at / WAL_BLOCK_SIZE])
            rules->violation_count++;
        rules->has_frame[number][at / WAL_BLOCK_SIZE] = true;
    }
    rules->frame_count++;
}

static void
on_write(struct rules *rules, const struct io_sim_event *event)
{
    const char *name = strrchr(event->path, '/') + 1;
    uint64_t number = wal__number_in(name);
    const struct wal_frame_header *frame = event->bytes;

    if (number == 0 || number >= SEGMENT_MAX)
        return;
    if (!event->done && !event->in_flight && event->offset >= WAL_FRAMES_OFFSET &&
        le32_get(frame->magic) == WAL_FRAME_MAGIC)
        check_frame_write(rules, number, event);
    else if (!event->done && !event->in_flight && event->offset >= WAL_FRAMES_OFFSET)
        for (uint64_t at = event->offset; at < event->offset + event->size; at += WAL_BLOCK_SIZE)
            rules->violation_count += rules->has_frame[number][at / WAL_BLOCK_SIZE] ? 1 : 0;
    if (event->done && event->offset == 0 && event->size == WAL_BLOCK_SIZE)
        rules->header_durable[number] = true;
}

static void
watch_rules(void *context, const struct io_sim_event *event)
{
    struct rules *rules = context;

    if (event->op == IO_SIM_WRITE)
        on_write(rules, event);
    if (!event->done || event->status != STATUS_OK)
        return;
    if (event->op == IO_SIM_RENAME) {
        uint64_t from = wal__number_in(strrchr(event->path, '/') + 1);
        uint64_t to = wal__number_in(strrchr(event->path_to, '/') + 1);

        memset(rules->has_frame[from], 0, sizeof(rules->has_frame[from]));
        rules->header_durable[from] = false;
        rules->name_pending[to] = true;
    }
    if (event->op == IO_SIM_OPEN)
        rules->name_pending[wal__number_in(strrchr(event->path, '/') + 1) % SEGMENT_MAX] = true;
    for (int i = 0; event->op == IO_SIM_SYNC_DIR && i < SEGMENT_MAX; i++)
        rules->name_durable[i] |= rules->name_pending[i];
}

/* covers: W1, W2 */
Test(wal_flush, writes_frames_only_where_name_and_header_are_durable_and_each_block_once)
{
    struct rules *rules = calloc(1, sizeof(*rules));
    struct random random;

    cr_assert_not_null(rules);
    random_init(&random, 11);
    struct io_sim_options options = {.seed = 3};
    help_init_sim(&log, &options);
    io_sim_watch(log.io, watch_rules, rules);
    help_create(&log);
    for (int i = 0; i < 400; i++) {
        help_append(&log, (uint32_t)random_below(&random, i % 9 == 0 ? 20000 : 800));
        if (i % 3 != 0)
            help_flush(&log);
        if (i % 40 == 0)
            cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    }
    help_flush(&log);
    cr_assert(rules->violation_count == 0);
    cr_assert(rules->frame_count > 200 && log.wal->kept.last->number > 10);
    io_sim_watch(log.io, NULL, NULL);
    help_deinit(&log);
    free(rules);
}

Test(wal_flush, of_one_commit_is_one_write)
{
    begin(8000);
    help_commit(&log, 100); /* Pays for filling the segment. */
    help_append(&log, 100);
    uint64_t op_count = io_sim_op_count(log.io);
    help_flush(&log);
    cr_assert(io_sim_op_count(log.io) == op_count + 1);
    help_flush(&log); /* Nothing to do. */
    cr_assert(wal_flush(log.wal, 1) == STATUS_OK);
    cr_assert(io_sim_op_count(log.io) == op_count + 1);
    struct wal_statistics statistics;
    wal_get_statistics(log.wal, &statistics);
    cr_assert(statistics.flush_count == 2 && statistics.frame_count == 2);
    cr_assert(statistics.frame_size == 2 * WAL_BLOCK_SIZE);
    help_deinit(&log);
}

/* Held frames. */

static uint64_t
frame_count(void)
{
    struct wal_statistics statistics;

    wal_get_statistics(log.wal, &statistics);
    return statistics.frame_count;
}

static void *
flush_first(void *csn)
{
    cr_assert(wal_flush_for(log.wal, *(const uint64_t *)csn, 1) == STATUS_OK);
    return NULL;
}

/* covers: W1 */
Test(wal_flush, a_small_frame_waits_for_the_clients_answered_last)
{
    pthread_t thread;
    bool waits = false;

    begin(0);
    log.wal->hold_ns = UINT64_C(1000000000000); /* Only the others end it. */
    help_append(&log, 10);
    cr_assert(wal_flush_for(log.wal, 1, 2) == STATUS_OK);
    cr_assert(log.wal->clients_expected == 2);
    uint64_t before = frame_count();
    uint64_t csn = log.history.appended + 1;
    help_append(&log, 10);
    cr_assert(pthread_create(&thread, NULL, flush_first, &csn) == 0);
    while (!waits && wal_csn_durable(log.wal) < csn) {
        latch_lock(&log.wal->latch);
        waits = log.wal->slots[log.wal->sequence_open % log.wal->slot_count].has_candidate;
        latch_unlock(&log.wal->latch);
    }
    cr_assert(wal_csn_durable(log.wal) < csn);
    help_commit(&log, 10);
    cr_assert(pthread_join(thread, NULL) == 0);
    cr_assert(frame_count() == before + 1 && wal_csn_durable(log.wal) == csn + 1);
    cr_assert(log.wal->clients_expected == 2);
    help_append(&log, 3 * WAL_BLOCK_SIZE); /* It fills blocks: nobody is waited for. */
    help_flush(&log);
    log.history.acked = log.history.appended;
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}

Test(wal_flush, waits_only_for_a_moment_and_never_for_a_lone_client)
{
    begin(0);
    log.wal->hold_ns = UINT64_C(1000000000000);
    for (int i = 0; i < 5; i++) {
        help_append(&log, 10);
        help_append(&log, 10); /* Commits that nobody waits for do not count. */
        help_flush(&log);
        cr_assert(log.wal->clients_expected == 0);
    }
    help_append(&log, 10);
    cr_assert(wal_flush_for(log.wal, log.history.appended, 3) == STATUS_OK);
    log.wal->hold_ns = 1;
    help_commit(&log, 10);
    cr_assert(log.wal->clients_expected == 0);
    log.history.acked = log.history.appended;
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}

Test(wal_flush, fills_ahead_so_that_small_frames_meet_written_blocks)
{
    struct wal_statistics statistics;

    begin(8000);
    for (int i = 0; i < 5; i++)
        help_commit(&log, 100);
    wal_get_statistics(log.wal, &statistics);
    cr_assert(statistics.fill_size == 2 * WAL__FILL_AHEAD_MIN); /* 4 blocks, then as many again. */
    help_deinit(&log);

    struct io_sim_options options = {.seed = 3};
    help_init_sim(&log, &options);
    log.options.segment_size = 4 * 1024 * 1024;
    log.options.frame_size_max = 0;
    help_create(&log);
    help_commit(&log, 200000); /* Large frames may use blocks never written. */
    wal_get_statistics(log.wal, &statistics);
    cr_assert(statistics.fill_size == 0);
    help_commit(&log, 100);
    wal_get_statistics(log.wal, &statistics);
    cr_assert(statistics.fill_size == WAL__FILL_AHEAD_MIN);
    for (int i = 0; i < 5; i++)
        help_commit(&log, 100);
    wal_get_statistics(log.wal, &statistics);
    cr_assert(statistics.fill_size == 2 * WAL__FILL_AHEAD_MIN);
    help_deinit(&log);
}

static char log_text[1024];
static uint32_t log_count;

static void
take_line(void *context, enum log_level level, const char *line)
{
    (void)context;
    if (level == LOG_ERROR) {
        snprintf(log_text, sizeof(log_text), "%s", line);
        log_count++;
    }
}

/* covers: W10 */
Test(wal_flush, failed_once_is_final)
{
    static const enum io_sim_fault faults[] = {IO_SIM_FAULT_EIO, IO_SIM_FAULT_ENOSPC,
                                               IO_SIM_FAULT_SHORT, IO_SIM_FAULT_LATE_SYNC};
    struct wal_position position;
    bool more = false;

    log_sink_set(take_line, NULL, LOG_ERROR);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        begin(8000);
        help_commit(&log, 100);
        position = wal_mark(log.wal);
        help_append(&log, 100);
        log_count = 0;
        io_sim_fail_at(log.io, io_sim_op_count(log.io), faults[i], false);
        cr_assert(help_try_flush(&log, 2) == STATUS_FAILED);
        cr_assert(io_sim_failed(log.io) && wal_is_failed(log.wal));
        cr_assert_not_null(strstr(error_message(), "unknown outcome"), "%s", error_message());
        cr_assert_not_null(strstr(error_message(), "after CSN 1"), "%s", error_message());
        cr_assert(log_count == 1);
        cr_assert_not_null(strstr(log_text, "csn_durable=1"), "%s", log_text);

        uint64_t op_count = io_sim_op_count(log.io);
        cr_assert(wal_flush(log.wal, 2) == STATUS_FAILED);
        cr_assert(wal_flush(log.wal, 1) == STATUS_OK); /* That one is durable. */
        cr_assert(wal_reserve(log.wal, 10, true) == STATUS_FAILED);
        cr_assert(wal_make_room(log.wal, 10, true) == STATUS_FAILED);
        cr_assert(wal_prepare_step(log.wal, &more) == STATUS_FAILED);
        cr_assert(wal_write_horizon(log.wal) == STATUS_FAILED);
        cr_assert(wal_release(log.wal, position) == STATUS_FAILED);
        cr_assert(wal_csn_durable(log.wal) == 1);
        cr_assert(io_sim_op_count(log.io) == op_count && log_count == 1);
        help_close(&log);
        help_reopen(&log);
        help_commit(&log, 100);
        help_deinit(&log);
    }
    log_sink_set(NULL, NULL, LOG_ERROR);
}

/* covers: W10 */
Test(wal_flush, failed_at_a_segment_header_is_final)
{
    begin(8000);
    while (log.wal->lsn_next + WAL_BLOCK_SIZE <= 2 * log.options.segment_size)
        help_commit(&log, 100);
    help_append(&log, 100);
    io_sim_fail_at(log.io, io_sim_op_count(log.io), IO_SIM_FAULT_LATE_SYNC, false);
    cr_assert(help_try_flush(&log, log.history.appended) == STATUS_FAILED);
    cr_assert(log.wal->kept.count == 1);
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}
