/*
 * The mode big: one transaction that changes every row of tables ten times the pool, crashed at points
 * spread over it. What comes back has all of it or nothing, and all of it once it was
 * acknowledged; the engine's memory stays within pool, write set and 16 MB, by its own count.
 *
 *   1. a run beside a thread that reads: it may not see two generations in one snapshot
 *   2. a run that counts its operations; its writes are larger than their budget, so it spills before
 *      it commits
 *   3. the same run again, forked at its points; each fork is opened, compared, checked, and now and
 *      then opened read-only first, crashed again inside its recovery, or changed and reopened
 *
 * --states is the number of points. The runs follow from the seed.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/random.h"
#include "tools/qtdb-crash/crash_big_world.h"
#include "tools/qtdb-crash/crash_report.h"

enum {
    POINTS_DEFAULT = 100,
    POINTS_AFTER = 4, /* Of them behind the acknowledgement. */
    POOLS = 10,       /* The tables are so many times the pool. */
    ROW_SIZE = 105,   /* About; with its share of the page. */
    NESTED_OPS = 400,
    LOOKS_A_SCAN = 100, /* The reader beside the commit reads everything now and then. */
};

struct big_run {
    const struct crash_options *options;
    struct crash_report *report;
    struct memory *rig;
    struct big_world world;
    uint64_t op_begin; /* Of the transaction. */
    uint64_t op_end;
    uint64_t points;
    uint64_t point; /* The next one. */
    bool watching;
    bool acknowledged;
    uint64_t memory_max;
};

static void
tell(struct big_run *run, enum crash_violation violation, uint64_t point, const char *text)
{
    char line[2 * BIG_TEXT_SIZE];

    (void)snprintf(line, sizeof(line), "point %" PRIu64 ": %s", point, text);
    crash_report_wrong(run->report, NULL, violation, line);
}

/* ---- One state ---------------------------------------------------------------------------------- */

/* A fork of the disk, and an engine of its own. */
static void
fork_world(struct big_run *run, struct io *disk, const struct io_sim_crash *crash,
           struct big_world *out)
{
    *out = (struct big_world){.engine = memory_new(), .row_count = run->world.row_count};
    CHECK(out->engine != NULL);
    CHECK(io_sim_fork(disk, crash, run->rig, &out->io) == STATUS_OK);
}

static void
close_world(struct big_run *run, struct big_world *world, uint64_t point)
{
    database_abandon(world->db);
    world->db = NULL;
    if (io_sim_open_count(world->io) != 0 || memory_live_count(world->engine) != 0)
        tell(run, CRASH_LEAK, point, "something was not given back");
    io_close_all(world->io);
    memory_delete(world->engine);
}

/* Crashes inside the recovery of a state, once. */
struct nested {
    struct big_run *run;
    struct io *disk;
    uint64_t index;
    uint64_t point;
    bool acknowledged;
    bool done;
};

static void check_state(struct big_run *run, struct big_world *world, uint64_t point,
                        bool acknowledged, bool deep);

static void
watch_recovery(void *context, const struct io_sim_event *event)
{
    struct nested *nested = context;
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_RANDOM, .seed = nested->index};
    struct big_world world;

    if (nested->done || event->index != nested->index)
        return;
    nested->done = true;
    fork_world(nested->run, nested->disk, &crash, &world);
    check_state(nested->run, &world, nested->point, nested->acknowledged, false);
    close_world(nested->run, &world, nested->point);
    crash_count(nested->run->report, CRASH_COUNT_NESTED, 1);
}

static void
check_generation(struct big_run *run, struct big_world *world, uint64_t point, bool acknowledged)
{
    int generation = big_world_generation(world, NULL);

    if (generation < 0)
        tell(run, CRASH_HALF, point, world->what);
    else if (acknowledged && generation != 1)
        tell(run, CRASH_LOST, point, "the acknowledged transaction is not there");
}

static void
check_read_only(struct big_run *run, struct big_world *world, uint64_t point, bool acknowledged)
{
    uint64_t before = io_sim_image_hash(world->io);

    if (!big_world_open(world, true)) {
        tell(run, CRASH_REFUSED, point, world->what);
        return;
    }
    check_generation(run, world, point, acknowledged);
    database_abandon(world->db);
    world->db = NULL;
    if (io_sim_image_hash(world->io) != before)
        tell(run, CRASH_UNCLEAN, point, "a read-only open changed the file");
    crash_count(run->report, CRASH_COUNT_READ_ONLY, 1);
}

/* What is committed afterwards stays. */
static void
check_life(struct big_run *run, struct big_world *world, uint64_t point)
{
    if (!big_world_live(world)) {
        tell(run, CRASH_STATUS, point, world->what);
        return;
    }
    database_abandon(world->db);
    world->db = NULL;
    if (!big_world_open(world, false))
        tell(run, CRASH_REFUSED, point, world->what);
    else if (!big_world_has_lived(world))
        tell(run, CRASH_LOST, point, "a commit after the recovery is not there");
    crash_count(run->report, CRASH_COUNT_LIVES, 1);
}

static void
finding(void *context, const char *line)
{
    struct big_run *run = context;

    tell(run, CRASH_UNCLEAN, run->point, line);
}

static void
check_state(struct big_run *run, struct big_world *world, uint64_t point, bool acknowledged,
            bool deep)
{
    struct nested nested = {.run = run,
                            .disk = world->io,
                            .index = random_mix(run->options->seed + point) % NESTED_OPS,
                            .point = point,
                            .acknowledged = acknowledged};

    if (deep && point % 4 == 1)
        check_read_only(run, world, point, acknowledged);
    nested.index += io_sim_op_count(world->io);
    if (deep && point % 4 == 2)
        io_sim_watch(world->io, watch_recovery, &nested);
    if (!big_world_open(world, false)) {
        tell(run, CRASH_REFUSED, point, world->what);
        return;
    }
    io_sim_watch(world->io, NULL, NULL);
    check_generation(run, world, point, acknowledged);
    if (point % 4 == 0 && qtdb_check(world->db, finding, run) != QTDB_OK)
        tell(run, CRASH_UNCLEAN, point, "the check found faults");
    if (deep && point % 4 == 3)
        check_life(run, world, point);
    crash_count(run->report, CRASH_COUNT_STATES, 1);
}

static void
crash_here(struct big_run *run)
{
    static const enum io_sim_crash_mode modes[] = {IO_SIM_CRASH_LOST, IO_SIM_CRASH_RANDOM,
                                                   IO_SIM_CRASH_KEPT, IO_SIM_CRASH_PROCESS,
                                                   IO_SIM_CRASH_RANDOM};
    uint64_t point = run->point++;
    struct io_sim_crash crash = {.mode = modes[point % 5], .seed = run->options->seed + point};
    struct big_world world;

    if (run->options->first_only && atomic_load(&run->report->violation_count) > 0)
        return;
    fork_world(run, run->world.io, &crash, &world);
    check_state(run, &world, point, run->acknowledged, true);
    close_world(run, &world, point);
    crash_count(run->report, CRASH_COUNT_POINTS, 1);
}

/* ---- The runs ----------------------------------------------------------------------------------- */

/* The page table is address space, 8 bytes for each page that is touched. */
static void
measure(struct big_run *run)
{
    uint64_t used = 0;

    for (int part = 0; part < MEMORY_PART_COUNT; part++)
        if (part != MEMORY_PAGE_TABLE)
            used += memory_used(run->world.engine, (enum memory_part)part);
    if (used > run->memory_max)
        run->memory_max = used;
}

static void
watch_commit(void *context, const struct io_sim_event *event)
{
    struct big_run *run = context;
    uint64_t span = run->op_end - run->op_begin;
    uint64_t inside = run->points > POINTS_AFTER ? run->points - POINTS_AFTER : 1;

    measure(run);
    if (!run->watching || event->done || event->in_flight || run->point >= inside)
        return;
    if (event->index >= run->op_begin + run->point * span / inside)
        crash_here(run);
}

static bool
start(struct big_run *run, const struct crash_options *options, struct crash_report *report)
{
    struct io_sim_options disk = {.seed = options->seed};

    *run = (struct big_run){.options = options, .report = report, .rig = memory_new()};
    run->world.engine = memory_new();
    run->world.row_count = POOLS * BIG_POOL_SIZE / ROW_SIZE / 16 * 16;
    CHECK(run->rig != NULL && run->world.engine != NULL);
    CHECK(io_sim_open(run->rig, &disk, &run->world.io) == STATUS_OK);
    if (big_world_open(&run->world, false) && big_world_fill(&run->world))
        return true;
    tell(run, CRASH_STATUS, 0, run->world.what);
    return false;
}

static void
finish(struct big_run *run)
{
    close_world(run, &run->world, run->point);
    memory_delete(run->rig);
}

static bool
commit(struct big_run *run)
{
    struct qtdb_txn *txn;

    if (run->op_begin == 0)
        run->op_begin = io_sim_op_count(run->world.io);
    bool good = big_world_write(&run->world, &txn);

    if (good && qtdb_commit(txn) != QTDB_OK) {
        (void)snprintf(run->world.what, sizeof(run->world.what), "commit: %.150s",
                       qtdb_error_last()->message);
        good = false;
    }
    if (run->op_end == 0)
        run->op_end = io_sim_op_count(run->world.io);
    run->acknowledged = good;
    if (!good)
        tell(run, CRASH_STATUS, run->point, run->world.what);
    return good;
}

/* Nobody else may use the disk while it is watched: what the watcher keeps is for one thread. */
static bool
commit_watched(struct big_run *run)
{
    io_sim_watch(run->world.io, watch_commit, run);
    bool good = commit(run);

    io_sim_watch(run->world.io, NULL, NULL);
    return good;
}

/* A snapshot from before, kept over the commit, and one from after it. */
static void
check_snapshots(struct big_run *run)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .read_only = true};
    struct qtdb_txn *before;

    CHECK(qtdb_begin(run->world.db, &options, &before) == QTDB_OK);
    if (commit_watched(run) && big_world_generation(&run->world, before) != 0)
        tell(run, CRASH_HALF, run->point, run->world.what);
    qtdb_rollback(before);
    if (run->acknowledged && big_world_generation(&run->world, NULL) != 1)
        tell(run, CRASH_HALF, run->point, run->world.what);
}

static void
check_memory(struct big_run *run)
{
    uint64_t bound = BIG_POOL_SIZE + BIG_WRITE_SET_LIMIT + BIG_MEMORY_ROOM;

    crash_report_line(run->report,
                      "%" PRIu32 " numbers, pool %d bytes, memory at most %" PRIu64 " of %" PRIu64
                      " bytes, %" PRIu64 " operations",
                      run->world.row_count, BIG_POOL_SIZE, run->memory_max, bound,
                      run->op_end - run->op_begin);
    if (run->memory_max > bound)
        tell(run, CRASH_STATUS, run->point, "the engine took more memory than it may");
}

/* A reader beside the commit. */
struct reader {
    struct big_world world;
    _Atomic bool stop;
    uint64_t looks;
    uint64_t mixed;
};

static void *
read_on(void *context)
{
    struct reader *reader = context;

    while (!atomic_load(&reader->stop)) {
        int first = -1;
        int last = -1;

        if (!big_world_ends(&reader->world, &first, &last) || first != last || first < 0)
            reader->mixed++;
        if (reader->looks % LOOKS_A_SCAN == 0 && big_world_generation(&reader->world, NULL) < 0)
            reader->mixed++;
        reader->looks++;
    }
    return NULL;
}

static void
run_with_reader(const struct crash_options *options, struct crash_report *report)
{
    static struct reader reader;
    struct big_run run;
    pthread_t thread;

    if (start(&run, options, report)) {
        reader = (struct reader){.world = run.world};
        (void)snprintf(reader.world.what, sizeof(reader.world.what),
                       "a snapshot shows a part of the transaction");
        CHECK(pthread_create(&thread, NULL, read_on, &reader) == 0);
        (void)commit(&run);
        atomic_store(&reader.stop, true);
        CHECK(pthread_join(thread, NULL) == 0);
        if (reader.mixed > 0)
            tell(&run, CRASH_HALF, 0, reader.world.what);
        crash_report_line(report, "%" PRIu64 " snapshots taken beside the commit", reader.looks);
    }
    finish(&run);
}

/* The commit's first operation and the one behind its last. */
static bool
count_operations(const struct crash_options *options, struct crash_report *report,
                 uint64_t *begin_out, uint64_t *end_out)
{
    struct big_run run;
    bool good = start(&run, options, report);

    if (good)
        check_snapshots(&run);
    good = good && run.acknowledged;
    if (good)
        check_memory(&run);
    *begin_out = run.op_begin;
    *end_out = run.op_end;
    finish(&run);
    return good;
}

bool
crash_big(const struct crash_options *options, struct crash_report *report)
{
    struct big_run run;
    uint64_t begin;
    uint64_t end;

    run_with_reader(options, report);
    if (!count_operations(options, report, &begin, &end))
        return true;
    if (start(&run, options, report)) {
        run.op_begin = begin;
        run.op_end = end;
        run.points = options->states != 0 ? options->states : POINTS_DEFAULT;
        run.watching = true;
        if (commit_watched(&run))
            while (run.point < run.points)
                crash_here(&run);
    }
    finish(&run);
    return true;
}
