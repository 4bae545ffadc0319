/*
 * Goal: prove that a crash at any moment loses no acknowledged commit, shows no half of one, and leaves a
 * log that goes on; also when the next crash comes while the log is being opened again.
 * Method: a seeded workload on a simulated disk. Before each operation, and while each write is in
 * flight, the disk is forked as a crash could leave it, in many ways; each fork is opened, read
 * and compared with what was written, started, written to, and opened again. For a share of the forks
 * that recovery is itself crashed at each of its operations.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/error.h"
#include "kernel/base/random.h"
#include "tests/unit/wal/wal_help.h"

struct crasher {
    struct help_log *log;
    struct random random;
    uint32_t depth;
    uint64_t state_count;
    uint64_t choices;       /* Random settlements at each place. */
    uint64_t nested_chance; /* One in so many forks is crashed again. */
};

static void explore(struct crasher *crasher, const struct io_sim_crash *crash);

static void
explore_here(struct crasher *crasher, bool is_process_only)
{
    static const enum io_sim_crash_mode modes[] = {IO_SIM_CRASH_RANDOM, IO_SIM_CRASH_GARBAGE};
    uint64_t pending = io_sim_pending_count(crasher->log->io);
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_PROCESS};

    explore(crasher, &crash);
    if (is_process_only)
        return;
    crash.mode = IO_SIM_CRASH_LOST;
    explore(crasher, &crash);
    if (pending == 0)
        return;
    crash.mode = IO_SIM_CRASH_KEPT;
    explore(crasher, &crash);
    for (uint64_t i = 0; i < crasher->choices; i++) {
        crash.mode = modes[i % 2];
        crash.seed = random_u64(&crasher->random);
        explore(crasher, &crash);
        crash.mode = (enum io_sim_crash_mode)(IO_SIM_CRASH_PREFIX + (int)(i % 3));
        crash.index = random_below(&crasher->random, pending + 1);
        explore(crasher, &crash);
    }
}

static void
on_event(void *context, const struct io_sim_event *event)
{
    struct crasher *crasher = context;

    if (event->done || event->op == IO_SIM_READ || event->op == IO_SIM_OPEN ||
        event->op == IO_SIM_LIST || (event->op == IO_SIM_WRITE && !event->in_flight))
        return;
    explore_here(crasher, false);
}

/* What a process does after a crash: open, check, start, work, and open once more. */
static void
recover(struct help_log *log)
{
    if (log->history.appended % 2 == 0)
        log->start = log->newer;
    help_reopen(log);
    help_commit(log, 100);
    help_commit(log, log->wal->payload_max);
    if (help_try_checkpoint(log) != STATUS_OK)
        help_fail("checkpoint");
    help_append(log, 20);
    help_close(log);
    help_reopen(log);
    help_commit(log, 50);
    help_close(log);
}

static void
explore(struct crasher *crasher, const struct io_sim_crash *crash)
{
    struct help_log *fork = malloc(sizeof(*fork));
    struct io *io = NULL;
    struct crasher nested = {.log = fork, .depth = crasher->depth + 1, .choices = 1};

    if (fork == NULL ||
        io_sim_fork(crasher->log->io, crash, crasher->log->disk_memory, &io) != STATUS_OK)
        help_fail("fork");
    crasher->state_count++;
    help_init_fork(fork, crasher->log, io);
    random_init(&nested.random, random_u64(&crasher->random));
    if (crasher->nested_chance > 0 && random_chance(&crasher->random, 1, crasher->nested_chance))
        io_sim_watch(io, on_event, &nested);
    recover(fork);
    crasher->state_count += nested.state_count;
    free(fork->scratch);
    if (io_sim_open_count(io) != 0)
        help_fail("files stay open");
    io_close_all(io);
    free(fork);
}

static void
work(struct help_log *log, struct random *random, uint64_t steps)
{
    for (uint64_t i = 0; i < steps; i++) {
        uint32_t most = log->wal->payload_max * log->options.buffer_count / 2;
        uint32_t size = (uint32_t)random_below(random, random_chance(random, 1, 6) ? most : 600);
        bool more = false;
        enum status status = STATUS_OK;

        switch (random_below(random, 12)) {
        case 0:
            status = help_try_checkpoint(log);
            break;
        case 1:
            status = wal_write_horizon(log->wal);
            break;
        case 2:
            status = wal_prepare_step(log->wal, &more);
            break;
        case 3:
            wal_mark(log->wal);
            break;
        case 4:
            help_close(log);
            help_reopen(log);
            break;
        default:
            help_append(log, size);
            if (random_chance(random, 2, 3))
                help_flush(log);
        }
        if (status != STATUS_OK)
            help_fail("step %d: %s", (int)i, status_name(status));
    }
}

static uint64_t
run(uint64_t seed, uint64_t steps, uint64_t choices, uint64_t nested_chance, bool direct_refused)
{
    struct io_sim_options options = {.seed = seed, .direct_refused = direct_refused};
    static struct help_log log;
    struct crasher crasher = {.log = &log, .choices = choices, .nested_chance = nested_chance};

    help_init_sim(&log, &options);
    random_init(&crasher.random, seed);
    log.options.buffer_count = 2 + (uint32_t)random_below(&crasher.random, 3);
    log.options.frame_size_max = 300 + (uint32_t)random_below(&crasher.random, 12000);
    if (random_chance(&crasher.random, 1, 2))
        log.options.frame_size_max = 0;
    help_create(&log);
    io_sim_watch(log.io, on_event, &crasher);
    work(&log, &crasher.random, steps);
    io_sim_watch(log.io, NULL, NULL);
    help_deinit(&log);
    return crasher.state_count;
}

/* covers: W1, W2, W4, W5, W7, W8, W9 */
Test(wal_crash, at_any_operation_loses_nothing_acknowledged)
{
    uint64_t state_count = 0;

    for (uint64_t seed = 1; seed <= 8; seed++) {
        printf("seed %d\n", (int)seed);
        fflush(stdout);
        state_count += run(seed, 60, 3, 0, seed % 4 == 0);
    }
    printf("%d crash states\n", (int)state_count);
    cr_assert(state_count > 5000);
}

/* covers: W8 */
Test(wal_crash, inside_recovery_loses_nothing_acknowledged)
{
    uint64_t state_count = 0;

    for (uint64_t seed = 101; seed <= 105; seed++) {
        printf("seed %d\n", (int)seed);
        fflush(stdout);
        state_count += run(seed, 30, 1, 20, seed % 4 == 0);
    }
    printf("%d crash states\n", (int)state_count);
    cr_assert(state_count > 2000);
}
