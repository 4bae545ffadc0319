/*
 * Goal: prove that every single failure of the disk or of memory, once and for ever, is reported with a
 * right status, leaks nothing, loses nothing acknowledged, and leaves a log that can be opened again.
 * Method: a workload that touches every operation of the log. It is run once to count operations and
 * allocations, then once for each of them with that one failing. Afterwards the fault is taken
 * away, the log opened again, checked, used, hit by a power cut, and checked once more.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/error.h"
#include "tests/unit/wal/wal_help.h"

enum { COMMIT_SIZE = 3000 };

static struct help_log log;

static enum status
use(uint32_t commit_count)
{
    bool more = true;

    for (uint32_t i = 0; i < commit_count; i++) {
        TRY(help_try_append(&log, i % 5 == 4 ? 4 * COMMIT_SIZE : COMMIT_SIZE, i % 7 == 6));
        if (i % 3 != 0)
            TRY(help_try_flush(&log, log.history.appended));
        if (i % 10 == 9)
            TRY(help_try_checkpoint(&log));
        if (i % 10 == 5)
            TRY(wal_write_horizon(log.wal));
        if (i % 10 == 7)
            TRY(wal_prepare_step(log.wal, &more));
    }
    return help_try_flush(&log, log.history.appended);
}

static enum status
read_all(void)
{
    struct wal_reader *reader = NULL;
    struct wal_record record;
    enum status status;

    TRY(wal_reader_open(log.wal, &reader));
    while ((status = wal_reader_next(reader, &record)) == STATUS_OK)
        ;
    wal_reader_close(reader);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Everything once; stops at the first failure. */
static enum status
workload(void)
{
    TRY(wal_create(&log.env, log.dir, &log.options, 0, &log.wal));
    log.start = log.newer = wal_mark(log.wal);
    TRY(use(40));
    help_close(&log);
    TRY(help_open(&log));
    log.newer = log.start;
    TRY(read_all());
    TRY(wal_start(log.wal));
    log.history.appended = wal_scan(log.wal)->end.csn;
    TRY(use(25));
    TRY(read_all());
    help_close(&log);
    return STATUS_OK;
}

static void
begin(void)
{
    struct io_sim_options options = {.seed = 6};

    help_init_sim(&log, &options);
}

static void
cut_power(void)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct io *io = NULL;

    cr_assert(io_sim_fork(log.io, &crash, log.disk_memory, &io) == STATUS_OK);
    io_close_all(log.io);
    log.io = log.env.io = io;
}

/* After a failure, whatever it was. */
static void
recover(enum status status)
{
    bool was_failed = log.wal != NULL && wal_is_failed(log.wal);
    bool was_created = log.start.lsn != 0;

    cr_assert((status == STATUS_FAILED) == was_failed, "%s", status_name(status));
    cr_assert(status == STATUS_OK || error_message()[0] != 0);
    help_close(&log);
    cr_assert(memory_live_count(log.memory) == 0);
    cr_assert(io_sim_open_count(log.io) == 0);
    io_sim_fail_at(log.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
    memory_fail_at(log.memory, UINT64_MAX, false);
    log.generation++;
    if (was_created) {
        help_reopen(&log);
        help_commit(&log, COMMIT_SIZE);
        help_close(&log);
        cut_power();
        help_reopen(&log);
        cr_assert(use(12) == STATUS_OK);
    }
    help_deinit(&log);
}

static uint64_t
count_ops(uint64_t *alloc_count)
{
    uint64_t op_first, op_count;

    begin();
    op_first = io_sim_op_count(log.io);
    *alloc_count = memory_alloc_count(log.memory);
    cr_assert(workload() == STATUS_OK, "%s", error_message());
    op_count = io_sim_op_count(log.io) - op_first;
    *alloc_count = memory_alloc_count(log.memory) - *alloc_count;
    help_deinit(&log);
    return op_count;
}

static void
fail_each_op(enum io_sim_fault fault, bool for_ever)
{
    uint64_t alloc_count, injected = 0, op_count = count_ops(&alloc_count);

    for (uint64_t i = 0; i < op_count; i++) {
        begin();
        io_sim_fail_at(log.io, io_sim_op_count(log.io) + i, fault, for_ever);
        enum status status = workload();

        if (!io_sim_failed(log.io)) {
            cr_assert(status == STATUS_OK);
            help_deinit(&log);
            continue;
        }
        injected++;
        cr_assert(status != STATUS_OK, "operation %d", (int)i);
        cr_assert(status == STATUS_IO || status == STATUS_FULL || status == STATUS_FAILED,
                  "operation %d: %s", (int)i, status_name(status));
        recover(status);
    }
    printf("%d of %d operations\n", (int)injected, (int)op_count);
    cr_assert(injected > 30);
}

/* covers: W10 */
Test(wal_faults, each_io_error_once_is_reported_and_recovered_from)
{
    fail_each_op(IO_SIM_FAULT_EIO, false);
}

/* covers: W10 */
Test(wal_faults, each_io_error_for_ever_is_reported_and_recovered_from)
{
    fail_each_op(IO_SIM_FAULT_EIO, true);
}

/* covers: W10 */
Test(wal_faults, each_full_disk_is_reported_and_recovered_from)
{
    fail_each_op(IO_SIM_FAULT_ENOSPC, false);
}

/* covers: W10 */
Test(wal_faults, each_short_write_is_reported_and_recovered_from)
{
    fail_each_op(IO_SIM_FAULT_SHORT, false);
}

/* covers: W8, W10 */
Test(wal_faults, each_late_sync_error_is_reported_and_recovered_from)
{
    fail_each_op(IO_SIM_FAULT_LATE_SYNC, false);
}

/* covers: W11 */
Test(wal_faults, each_refused_allocation_is_reported_and_recovered_from)
{
    uint64_t alloc_count, injected = 0;

    count_ops(&alloc_count);
    for (uint64_t i = 0; i < alloc_count * 2; i++) {
        begin();
        memory_fail_at(log.memory, i / 2, i % 2 == 1);
        enum status status = workload();

        cr_assert(memory_failed(log.memory), "allocation %d", (int)i);
        if (status != STATUS_OK) /* Else it was for filling ahead, which may be left out. */
            injected++;
        cr_assert(status == STATUS_OK || status == STATUS_NO_MEMORY, "allocation %d: %s", (int)i,
                  status_name(status));
        recover(status);
    }
    cr_assert(injected > 20 && injected >= alloc_count * 2 - 4);
}

Test(wal_faults, on_a_full_disk_nothing_is_lost_and_freed_space_lets_it_go_on)
{
    for (uint64_t size = 1; size <= 8; size++) {
        struct io_sim_options options = {.seed = 6,
                                         .disk_size = size * HELP_SEGMENT_SIZE + 3 * 4096};
        enum status status;

        help_init_sim(&log, &options);
        status = workload();
        if (status != STATUS_OK) {
            cr_assert(status == STATUS_FULL, "%s", status_name(status));
            cr_assert(log.wal == NULL || !wal_is_failed(log.wal));
            io_sim_set_disk_size(log.io, 0);
            if (log.wal != NULL && log.wal->started)
                cr_assert(use(10) == STATUS_OK);
        }
        recover(STATUS_OK);
    }
}
