/*
 * The mode rot: damage at rest. Single bits anywhere in file and log, and whole pages overwritten by
 * zeros, by random bytes, by each other and by older versions of themselves. What is damaged may be
 * harmless, repaired or refused; it is never returned, and nothing is lost without a word.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/random.h"
#include "pager/page.h"
#include "tools/qtdb-crash/crash_damage.h"
#include "tools/qtdb-crash/crash_report.h"

enum { PAGE_TARGET = 58, SAMPLES_A_STORE = 4000, PAGE_ROUNDS = 2 };

enum region {
    REGION_META = 0,
    REGION_MAP = 1,
    REGION_PAGE = 2,
    REGION_LOG_HEADER = 3,
    REGION_HORIZON = 4,
    REGION_LOG = 5,
    REGION_OTHER = 6,
    REGION_COUNT = 7,
};

enum verdict {
    HARMLESS = 0,
    REPAIRED = 1,
    REFUSED_PAGE = 2,
    REFUSED_FILE = 3,
    RESIDUAL = 4,
    VERDICT_COUNT = 5
};

struct rot {
    const struct crash_options *options;
    struct crash_report *report;
    _Atomic uint64_t next; /* Stores handed out. */
    _Atomic uint64_t left; /* Samples to take; only with `samples`. */
    _Atomic uint64_t table[REGION_COUNT][VERDICT_COUNT];
};

static enum region
region_of(const char *path, uint64_t offset)
{
    uint64_t number = offset / PAGE_SIZE;

    if (strcmp(path, CRASH_FILE) == 0) {
        if (number < META_SLOT_COUNT)
            return REGION_META;
        return page_is_map((uint32_t)number) ? REGION_MAP : REGION_PAGE;
    }
    if (strstr(path, ".seg") == NULL)
        return REGION_OTHER;
    if (offset < WAL_BLOCK_SIZE)
        return REGION_LOG_HEADER;
    return offset < WAL_FRAMES_OFFSET ? REGION_HORIZON : REGION_LOG;
}

static enum verdict
verdict_of(const struct crash_rest *rest, const struct crash_found *found)
{
    if (found->refused)
        return REFUSED_FILE;
    if (found->refused_pages > 0)
        return REFUSED_PAGE;
    if (found->commit < rest->model.commit_count)
        return RESIDUAL;
    return found->repaired > 0 ? REPAIRED : HARMLESS;
}

static void
count_verdict(struct rot *rot, enum region region, enum verdict verdict,
              const struct crash_found *found)
{
    static const enum crash_counter counters[VERDICT_COUNT] = {
        CRASH_COUNT_HARMLESS, CRASH_COUNT_REPAIRED, CRASH_COUNT_FENCED_ROT,
        CRASH_COUNT_REFUSED_FILES, CRASH_COUNT_RESIDUAL};

    atomic_fetch_add(&rot->table[region][verdict], 1);
    crash_count(rot->report, counters[verdict], 1);
    crash_count(rot->report, CRASH_COUNT_REFUSED_PAGES, found->refused_pages);
    crash_count(rot->report, CRASH_COUNT_SAMPLES, 1);
}

/* Opens the damaged copy and counts what came of it. */
static void
judge(struct rot *rot, struct crash_session *session, const struct crash_rest *rest,
      struct io *copy, enum region region, const char *what)
{
    static const char *const conditions[] = {"clean", "quiet", "busy"};
    struct crash_place place = {.id = rest->id};
    struct crash_found found;
    char text[CRASH_FOUND_TEXT_SIZE + 160];

    crash_report_at(rot->report, &place, what);
    enum crash_violation violation = crash_rest_judge(session, rest, copy, &found);

    if (violation == CRASH_OK) {
        count_verdict(rot, region, verdict_of(rest, &found), &found);
        return;
    }
    (void)snprintf(text, sizeof(text), "%s (%s): %s", what, conditions[rest->condition],
                   found.text);
    crash_report_wrong(rot->report, &place, violation, text);
}

static void
flip(struct rot *rot, struct crash_session *session, const struct crash_rest *rest, uint64_t bit)
{
    struct io *copy = crash_rest_copy(session, rest);
    const struct crash_rest_file *file = rest->files;
    char what[128];

    while (bit / 8 >= file->size)
        bit -= 8 * (file++)->size;
    CHECK(io_sim_flip_bit(copy, file->path, bit) == STATUS_OK);
    (void)snprintf(what, sizeof(what), "bit %" PRIu64 " of %.60s", bit, file->path);
    judge(rot, session, rest, copy, region_of(file->path, bit / 8), what);
}

enum page_damage {
    PAGE_ZERO = 0,
    PAGE_RANDOM = 1,
    PAGE_SWAP = 2,
    PAGE_STALE = 3,
    PAGE_DAMAGES = 4
};

/* False: there is no such damage to this page. */
static bool
page_damage(struct io *copy, const struct crash_rest *rest, enum page_damage kind, uint32_t number,
            struct random *random)
{
    uint64_t count = rest->files[0].size / PAGE_SIZE;
    uint32_t other = (uint32_t)random_below(random, count);
    uint64_t offset = (uint64_t)number * PAGE_SIZE;
    uint8_t bytes[PAGE_SIZE] = {0};
    uint8_t before[PAGE_SIZE];

    CHECK(io_sim_peek(copy, CRASH_FILE, offset, before, PAGE_SIZE) == STATUS_OK);
    if (kind == PAGE_RANDOM)
        random_bytes(random, bytes, PAGE_SIZE);
    if (kind == PAGE_STALE &&
        io_sim_peek(rest->older, CRASH_FILE, offset, bytes, PAGE_SIZE) != STATUS_OK)
        return false;
    if (kind == PAGE_SWAP) {
        uint64_t to = (uint64_t)other * PAGE_SIZE;

        CHECK(io_sim_peek(copy, CRASH_FILE, to, bytes, PAGE_SIZE) == STATUS_OK);
        CHECK(io_sim_overwrite(copy, CRASH_FILE, to, before, PAGE_SIZE) == STATUS_OK);
    }
    CHECK(io_sim_overwrite(copy, CRASH_FILE, offset, bytes, PAGE_SIZE) == STATUS_OK);
    return memcmp(bytes, before, PAGE_SIZE) != 0;
}

static void
damage_pages(struct rot *rot, struct crash_session *session, const struct crash_rest *rest,
             struct random *random)
{
    static const char *const names[] = {"zeros", "random bytes", "another page",
                                        "an older version"};
    uint32_t count = (uint32_t)(rest->files[0].size / PAGE_SIZE);

    for (uint32_t index = 0; index < count * PAGE_DAMAGES; index++) {
        enum page_damage kind = (enum page_damage)(index % PAGE_DAMAGES);
        uint32_t number = index / PAGE_DAMAGES;
        struct io *copy = crash_rest_copy(session, rest);
        char what[128];

        if (!page_damage(copy, rest, kind, number, random) || crash_report_done(rot->report)) {
            io_close_all(copy);
            continue;
        }
        (void)snprintf(what, sizeof(what), "page %" PRIu32 " holds %s", number, names[kind]);
        judge(rot, session, rest, copy, region_of(CRASH_FILE, (uint64_t)number * PAGE_SIZE), what);
    }
}

/* Takes up to `most` off what is left to do. */
static uint64_t
take_samples(struct rot *rot, uint64_t most)
{
    uint64_t left = atomic_load(&rot->left);
    uint64_t taken;

    do {
        taken = left < most ? left : most;
    } while (!atomic_compare_exchange_weak(&rot->left, &left, left - taken));
    return taken;
}

static void
sample_bits(struct rot *rot, struct crash_session *session, const struct crash_rest *rest,
            uint64_t samples, struct random *random)
{
    while (samples-- > 0 && !crash_report_done(rot->report))
        flip(rot, session, rest, random_below(random, 8 * rest->size));
}

static void
every_bit(struct rot *rot, struct crash_session *session, const struct crash_rest *rest)
{
    for (uint64_t bit = 0; bit < 8 * rest->size && !crash_report_done(rot->report); bit++)
        flip(rot, session, rest, bit);
}

/* A store, whole pages of it in the first rounds, forged frames, and a share of the bits. */
static void
rot_store(struct rot *rot, struct crash_session *session, uint64_t index, uint64_t samples)
{
    struct crash_id id = {.seed = random_mix(rot->options->seed + index),
                          .workload = CRASH_UPDATE,
                          .policy = rot->options->policy};
    enum crash_condition condition = (enum crash_condition)(index % CRASH_CONDITION_COUNT);
    struct crash_rest rest;
    struct random random;

    if (id.policy == 0)
        id.policy =
            index / CRASH_CONDITION_COUNT % 2 == 0 ? PAGER_POLICY_IMAGE : PAGER_POLICY_RANGE;
    if (!crash_rest_make(session, &id, condition, PAGE_TARGET, &rest))
        return;
    random_init(&random, id.seed);
    if (condition == CRASH_QUIET)
        crash_forge(session, &rest);
    if (index < (uint64_t)PAGE_ROUNDS * CRASH_CONDITION_COUNT)
        damage_pages(rot, session, &rest, &random);
    if (rot->options->samples == 0)
        every_bit(rot, session, &rest);
    else
        sample_bits(rot, session, &rest, samples, &random);
    crash_rest_free(&rest);
}

static void *
rot_run(void *argument)
{
    struct rot *rot = argument;
    uint64_t stores_all = (uint64_t)PAGE_ROUNDS * CRASH_CONDITION_COUNT;
    uint64_t share = rot->options->samples / stores_all + 1;
    struct crash_session session;

    if (share > SAMPLES_A_STORE)
        share = SAMPLES_A_STORE;
    crash_session_init(&session, rot->options, rot->report, NULL);
    while (!crash_report_done(rot->report)) {
        uint64_t index = atomic_fetch_add(&rot->next, 1);
        uint64_t samples = take_samples(rot, share);

        if (samples == 0 && index >= stores_all)
            break;
        rot_store(rot, &session, index, samples);
    }
    crash_session_deinit(&session);
    return NULL;
}

static void
tell_table(struct rot *rot)
{
    static const char *const regions[] = {"meta slots",  "map pages",  "pages", "log headers",
                                          "log horizon", "log frames", "other"};

    crash_report_line(rot->report, "  %-14s %10s %10s %10s %10s %10s", "region", "harmless",
                      "repaired", "page", "file", "residual");
    for (int region = 0; region < REGION_COUNT; region++)
        crash_report_line(rot->report,
                          "  %-14s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64
                          " %10" PRIu64,
                          regions[region], atomic_load(&rot->table[region][HARMLESS]),
                          atomic_load(&rot->table[region][REPAIRED]),
                          atomic_load(&rot->table[region][REFUSED_PAGE]),
                          atomic_load(&rot->table[region][REFUSED_FILE]),
                          atomic_load(&rot->table[region][RESIDUAL]));
}

bool
crash_rot(const struct crash_options *options, struct crash_report *report)
{
    struct rot rot = {.options = options, .report = report, .left = options->samples};
    pthread_t threads[CRASH_THREAD_MAX];
    uint64_t started = 0;

    while (started + 1 < options->threads &&
           pthread_create(&threads[started], NULL, rot_run, &rot) == 0)
        started++;
    rot_run(&rot);
    while (started > 0)
        CHECK(pthread_join(threads[--started], NULL) == 0);
    tell_table(&rot);
    return true;
}
