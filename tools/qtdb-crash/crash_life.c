/*
 * Life after a recovery: a recovered store is changed, flushed, perhaps checkpointed, and then closed
 * or crashed again, and opened. It must hold exactly what it held.
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/error.h"
#include "kernel/base/random.h"
#include "pager/page.h"
#include "tools/qtdb-crash/crash_change.h"
#include "tools/qtdb-crash/crash_verify.h"

/* What a store holds now: no history, one state. */
struct snapshot {
    uint32_t count;
    uint8_t used[CRASH_PAGE_LIMIT];
    uint64_t hash[CRASH_PAGE_LIMIT];
};

struct life {
    struct io *io;
    struct memory *rig;
    struct memory *engine;
    struct pager *pager;
    const struct crash_expect *expect;
    struct crash_found *found;
    struct random random;
    struct snapshot *snapshot;
    bool changed; /* A change was made, and is durable. */
};

/* Pages that may be refused are left out: they stay refused. */
static enum crash_violation
snapshot_take(struct life *life, struct snapshot *out)
{
    out->count = pager_page_count(life->pager);
    for (uint32_t number = PAGE_CATALOG_ROOT; number < out->count; number++) {
        enum page_state state;
        struct pager_pin pin;

        if (page_is_map(number))
            continue;
        enum status status = pager_page_state(life->pager, number, &state);

        if (status == STATUS_OK && state != PAGE_STATE_USED)
            continue;
        if (status == STATUS_OK)
            status = pager_pin(life->pager, number, &pin);
        if (status != STATUS_OK && life->expect->may_refuse_page)
            continue;
        if (status != STATUS_OK)
            return crash_found_wrong(life->found, CRASH_REFUSED,
                                     "later: page %" PRIu32 ": %s: %.200s", number,
                                     status_name(status), error_message());
        out->used[number] = 1;
        out->hash[number] = crash_page_hash(pin.bytes, number);
        pager_unpin(life->pager, &pin);
    }
    return CRASH_OK;
}

static enum crash_violation
snapshot_compare(struct life *life)
{
    struct snapshot *now = crash_alloc(life->rig, sizeof(*now));
    enum crash_violation violation = snapshot_take(life, now);

    for (uint32_t number = 0; number < CRASH_PAGE_LIMIT && violation == CRASH_OK; number++) {
        if (life->snapshot->used[number] == now->used[number] &&
            life->snapshot->hash[number] == now->hash[number])
            continue;
        violation = crash_found_wrong(
            life->found, now->used[number] ? CRASH_SILENT : CRASH_LOST,
            "later: page %" PRIu32 " is not what it was when it was durable", number);
    }
    crash_free(life->rig, now, sizeof(*now));
    return violation;
}

static uint32_t
draw_used(struct life *life)
{
    uint32_t drawn = (uint32_t)random_below(&life->random, CRASH_PAGE_LIMIT);

    for (uint32_t step = 0; step < CRASH_PAGE_LIMIT; step++) {
        uint32_t number = (drawn + step) % CRASH_PAGE_LIMIT;

        if (life->snapshot->used[number] != 0)
            return number;
    }
    return PAGE_NONE;
}

static enum crash_violation
status_wrong(struct life *life, const char *what, enum status status)
{
    return crash_found_wrong(life->found, CRASH_STATUS, "later: %s: %s: %.200s", what,
                             status_name(status), error_message());
}

/* A full disk may refuse a change; then there is none. */
static enum crash_violation
change_once(struct life *life)
{
    struct crash_change change = {.count = 0};
    uint32_t page_number = draw_used(life);
    uint64_t csn;

    if (page_number != PAGE_NONE)
        crash_change_add(&change, CRASH_EDIT, page_number, random_u64(&life->random));
    if (random_chance(&life->random, 1, 2))
        crash_change_add(&change, CRASH_ALLOCATE, PAGE_NONE, random_u64(&life->random));
    if (change.count == 0)
        return CRASH_OK;
    enum status status = crash_change_run(life->pager, &change, &csn);

    if (status == STATUS_FULL && life->expect->id.workload == CRASH_FULL)
        return CRASH_OK;
    if (status == STATUS_CORRUPT && life->expect->may_refuse_page)
        return CRASH_OK;
    if (status != STATUS_OK)
        return status_wrong(life, "change", status);
    for (uint32_t index = 0; index < change.count; index++) {
        life->snapshot->used[change.actions[index].page_number] = 1;
        life->snapshot->hash[change.actions[index].page_number] = change.actions[index].hash;
    }
    status = pager_flush(life->pager, csn);
    life->changed |= status == STATUS_OK;
    return status == STATUS_OK ? CRASH_OK : status_wrong(life, "flush", status);
}

static enum crash_violation
reopen(struct life *life)
{
    struct env env = {.memory = life->engine, .io = life->io};
    struct pager_options options = crash_pager_options(&life->expect->id);
    enum status status;

    io_sim_set_disk_size(life->io, 0);
    status = pager_open(&env, CRASH_FILE, &options, &life->pager);

    /* Of a file whose creation was not finished nothing has to be there before it is written to. */
    if (status == STATUS_NOT_FOUND && life->expect->may_be_absent && !life->changed)
        return CRASH_OK;
    if (status != STATUS_OK)
        return crash_found_wrong(life->found, CRASH_REFUSED, "later: open: %s: %.240s",
                                 status_name(status), error_message());
    return snapshot_compare(life);
}

static void
note_finding(void *context, const struct pager_finding *finding)
{
    struct life *life = context;

    (void)crash_found_wrong(life->found, CRASH_UNCLEAN,
                            "later: pager_check: page %" PRIu32 ": %s: %s", finding->page_number,
                            status_name(finding->status), finding->reason);
}

/* A file that was closed has no log, and every witness in it is exact (P16). */
static enum crash_violation
after_close(struct life *life)
{
    struct pager_check_result result = {0};
    enum crash_violation violation;

    if (crash_log_exists(life->io))
        return crash_found_wrong(life->found, CRASH_UNCLEAN, "later: closed, and the log is there");
    violation = reopen(life);
    if (violation != CRASH_OK || life->pager == NULL || life->expect->may_refuse_page)
        return violation;
    enum status status = pager_check(life->pager, note_finding, life, &result);

    if (status != STATUS_OK)
        return status_wrong(life, "check", status);
    return result.finding_count == 0 ? CRASH_OK : CRASH_UNCLEAN;
}

static enum crash_violation
close_and_reopen(struct life *life)
{
    enum status status = pager_close(life->pager);
    enum crash_violation violation;

    life->pager = NULL;
    if (status == STATUS_FULL && life->expect->id.workload == CRASH_FULL)
        return reopen(life);
    if (status != STATUS_OK)
        return status_wrong(life, "close", status);
    violation = crash_verify_closed(life->io, life->engine, life->found);
    return violation == CRASH_OK ? after_close(life) : violation;
}

/* The disk forks; the fork is the caller's `io` from here on only inside this function. */
static enum crash_violation
crash_and_reopen(struct life *life)
{
    static const enum io_sim_crash_mode modes[] = {IO_SIM_CRASH_LOST, IO_SIM_CRASH_KEPT,
                                                   IO_SIM_CRASH_RANDOM, IO_SIM_CRASH_PROCESS};
    struct io_sim_crash choice = {.mode = modes[random_below(&life->random, 4)],
                                  .seed = random_u64(&life->random)};
    struct io *before = life->io;
    enum crash_violation violation;

    CHECK(io_sim_fork(before, &choice, life->rig, &life->io) == STATUS_OK);
    pager_abandon(life->pager);
    life->pager = NULL;
    violation = reopen(life);
    pager_abandon(life->pager);
    life->pager = NULL;
    if (violation == CRASH_OK)
        violation = crash_verify_closed(life->io, life->engine, life->found);
    io_close_all(life->io);
    life->io = before;
    return violation;
}

static enum crash_violation
live(struct life *life)
{
    enum crash_violation violation = snapshot_take(life, life->snapshot);
    uint64_t count = random_below(&life->random, 4);

    while (count-- > 0 && violation == CRASH_OK)
        violation = change_once(life);
    if (violation != CRASH_OK)
        return violation;
    if (random_chance(&life->random, 1, 3)) {
        enum status status = pager_checkpoint(life->pager);

        if (status == STATUS_FULL && life->expect->id.workload == CRASH_FULL) {
            /* After a crash nothing may be left in reserve; with space freed it has to succeed. */
            io_sim_set_disk_size(life->io, 0);
            status = pager_checkpoint(life->pager);
        }
        if (status == STATUS_CORRUPT && life->expect->may_refuse_page)
            return CRASH_OK;
        if (status != STATUS_OK)
            return status_wrong(life, "checkpoint", status);
    }
    if (random_chance(&life->random, 1, 2))
        return crash_and_reopen(life);
    return close_and_reopen(life);
}

enum crash_violation
crash_verify_life(struct pager *pager, struct io *io, struct memory *rig,
                  const struct crash_expect *expect, uint64_t seed, struct crash_found *out)
{
    struct life life = {.io = io,
                        .rig = rig,
                        .engine = pager_env(pager).memory,
                        .pager = pager,
                        .expect = expect,
                        .found = out};
    enum crash_violation violation;

    life.snapshot = crash_alloc(rig, sizeof(*life.snapshot));
    random_init(&life.random, seed);
    violation = live(&life);
    pager_abandon(life.pager);
    crash_free(rig, life.snapshot, sizeof(*life.snapshot));
    if (violation != CRASH_OK)
        return violation;
    return crash_verify_closed(io, life.engine, out);
}
