/*
 * learned: what one subject does in its turn, and the turns.
 *
 * Keys are drawn before the clock starts; each turn begins with as many look-ups that do not count, because
 * who came before has filled the processor's caches with its own. Every answer is compared with what the
 * key says (learned_value_of), the absent ones included: the first that is wrong ends the command.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_engines.h"
#include "tools/qtdb-bench/bench_learned.h"

enum { MIXED_GETS = 8, MIXED_PUTS = 2, COLD_GETS = 20000, BATCH_GETS = 32, RANGE_ROWS = 1000 };

static const struct bench_workload workloads[LEARNED_VARIANTS] = {
    {.name = "learned-get"},   {.name = "learned-chain"}, {.name = "learned-absent"},
    {.name = "learned-batch"}, {.name = "learned-range"}, {.name = "learned-mixed"},
    {.name = "learned-cold"},
};

static const char wrong_answer[] = "WRONG ANSWER";

const char *
learned_variant_name(int variant)
{
    return workloads[variant].name;
}

uint64_t
learned_value_of(uint64_t key)
{
    return key * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static uint64_t
cpu_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- One round ----------------------------------------------------------------------------------- */

static void
draw(struct learned *learned, enum learned_variant variant, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t rank = random_below(&learned->random, learned->sizes.rows);

        learned->there[i] = variant != LEARNED_ABSENT || (random_u64(&learned->random) & 1) == 0;
        learned->probes[i] = learned->there[i]
                                 ? bench_keys_at(learned->keys, 2 * rank)
                                 : bench_keys_absent(learned->keys, rank, &learned->random);
    }
}

static enum status
wrong(const struct learned_subject *subject, uint64_t key)
{
    return error_raise(STATUS_CORRUPT, "%s, %s: %s for key %" PRIu64, subject->engine->name,
                       subject->router, wrong_answer, key);
}

/* Looks the probes [first, last) up; `chained`: each key waits for the value before. */
static enum status
look_up(const struct learned *learned, const struct learned_subject *subject, uint64_t first,
        uint64_t last, bool chained)
{
    const struct bench_engine *engine = subject->engine;
    uint64_t mask = chained ? learned->no_bits : 0;
    uint64_t before = 0;

    for (uint64_t i = first; i < last; i++) {
        uint64_t key = learned->probes[i] ^ (chained ? before & mask : 0);
        const void *value = NULL;
        size_t size = 0;
        enum status status = engine->get(subject->session, key, &value, &size);

        if (status != (learned->there[i] ? STATUS_OK : STATUS_NOT_FOUND))
            return status == STATUS_OK || status == STATUS_NOT_FOUND ? wrong(subject, key) : status;
        if (status != STATUS_OK)
            continue;
        if (size != sizeof(before))
            return wrong(subject, key);
        memcpy(&before, value, sizeof(before));
        if (before != learned_value_of(key))
            return wrong(subject, key);
    }
    return STATUS_OK;
}

/* Rows that came, in the order in which they have to. */
struct visited {
    const struct bench_keys *keys;
    const uint64_t *probes; /* NULL: in the order of keys, from `rank` on. */
    uint64_t rank;
    uint64_t count;
    uint64_t wrong_key;
    bool wrong;
};

static bool
visit(void *context, uint64_t key, const void *value, size_t size)
{
    struct visited *visited = context;
    uint64_t number = visited->count++;
    uint64_t wanted = visited->probes != NULL
                          ? visited->probes[number]
                          : bench_keys_at(visited->keys, 2 * (visited->rank + number));
    uint64_t word = 0;

    if (size == sizeof(word))
        memcpy(&word, value, sizeof(word));
    visited->wrong = key != wanted || size != sizeof(word) || word != learned_value_of(key);
    visited->wrong_key = wanted;
    return !visited->wrong;
}

static enum status
look_up_in_batches(const struct learned *learned, const struct learned_subject *subject,
                   uint64_t count)
{
    for (uint64_t i = 0; i < count; i += BATCH_GETS) {
        uint32_t size = count - i < BATCH_GETS ? (uint32_t)(count - i) : BATCH_GETS;
        struct visited visited = {.probes = learned->probes + i};

        TRY(subject->engine->get_many(subject->session, learned->probes + i, size, visit,
                                      &visited));
        if (visited.wrong || visited.count != size)
            return wrong(subject, visited.wrong_key);
    }
    return STATUS_OK;
}

/* As many rows in all as look-ups. */
static enum status
look_up_ranges(const struct learned *learned, const struct learned_subject *subject, uint64_t count)
{
    uint64_t rows = learned->sizes.rows;

    for (uint64_t i = 0; i < count; i += RANGE_ROWS) {
        uint64_t first = bench_keys_id(learned->keys, learned->probes[i]) / 2;
        uint64_t size = rows < RANGE_ROWS ? rows : RANGE_ROWS;
        struct visited visited = {.keys = learned->keys,
                                  .rank = first + size <= rows ? first : rows - size};

        TRY(subject->engine->scan(subject->session, bench_keys_at(learned->keys, 2 * visited.rank),
                                  size, visit, &visited));
        if (visited.wrong || visited.count != size)
            return wrong(subject, visited.wrong_key);
    }
    return STATUS_OK;
}

static enum status
round_of_gets(struct learned *learned, struct learned_subject *subject,
              enum learned_variant variant, uint64_t count)
{
    const struct bench_engine *engine = subject->engine;
    enum status status;

    TRY(engine->begin(subject->session, BENCH_READ));
    if (variant == LEARNED_BATCH)
        status = look_up_in_batches(learned, subject, count);
    else if (variant == LEARNED_RANGE)
        status = look_up_ranges(learned, subject, count);
    else
        status = look_up(learned, subject, 0, count, variant == LEARNED_CHAIN);
    engine->rollback(subject->session);
    return status;
}

/* New rows between those there are, in no order. */
static enum status
round_of_both(struct learned *learned, struct learned_subject *subject, uint64_t count)
{
    const struct bench_engine *engine = subject->engine;
    struct bench_shuffle shuffle;

    bench_shuffle_init(&shuffle, learned->sizes.rows, 77);
    for (uint64_t i = 0; i + MIXED_GETS <= count; i += MIXED_GETS + MIXED_PUTS) {
        TRY(engine->begin(subject->session, BENCH_WRITE));
        enum status status = look_up(learned, subject, i, i + MIXED_GETS, false);

        for (int k = 0; k < MIXED_PUTS && status == STATUS_OK; k++) {
            uint64_t rank = bench_shuffle_at(&shuffle, learned->extras++ % learned->sizes.rows);
            uint64_t key = bench_keys_at(learned->keys, 2 * rank + 1);
            uint64_t value = learned_value_of(key);

            status = engine->put(subject->session, key, &value, sizeof(value), BENCH_PUT);
        }
        if (status != STATUS_OK) {
            engine->rollback(subject->session);
            return status;
        }
        TRY(engine->commit(subject->session));
    }
    return STATUS_OK;
}

/* ---- Turns --------------------------------------------------------------------------------------- */

static void
note(struct learned *learned, const struct learned_subject *subject, enum learned_variant variant,
     uint64_t run, const struct bench_outcome *outcome)
{
    struct bench_result result = {
        .engine = subject->engine, .sizes = learned->sizes, .run = run, .outcome = *outcome};

    result.sizes.workload = &workloads[variant];
    result.sizes.router = subject->router;
    bench_results_add(learned->results, &result);
}

void
learned_note_failure(struct learned *learned)
{
    struct bench_outcome outcome = {.state = BENCH_FAILED};

    learned->is_wrong = learned->is_wrong || strstr(error_message(), wrong_answer) != NULL;
    (void)snprintf(outcome.message, sizeof(outcome.message), "%s", error_message());
    note(learned, &learned->subjects[0], LEARNED_GET, 0, &outcome);
}

static struct bench_written
counts_of(const struct learned_subject *subject)
{
    struct bench_written written = {.page_reads = 0};

    if (subject->engine->written != NULL)
        subject->engine->written(subject->db, &written);
    return written;
}

/* The least of all rounds. */
static void
note_reads(struct learned *learned, size_t subject, const struct bench_written *written)
{
    struct learned_size *size = &learned->size[learned->size_count];
    double all = (double)written->page_reads / COLD_GETS;

    if (subject < LEARNED_ROUTERS &&
        (size->reads[subject].all < 0 || all < size->reads[subject].all))
        size->reads[subject] = (struct learned_reads){all, (double)written->inner_reads / COLD_GETS,
                                                      (double)written->map_reads / COLD_GETS};
}

/* As it is now; made in the least time of all rounds. */
static void
note_routing(struct bench_routing *noted, const struct bench_routing *now)
{
    uint64_t least = noted->build_ns;

    *noted = *now;
    if (least > 0 && least < noted->build_ns)
        noted->build_ns = least;
}

/* All of a round's answers were right. */
static void
count_answers(struct learned *learned, enum learned_variant variant, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        bool is_insert = variant == LEARNED_MIXED && i % (MIXED_GETS + MIXED_PUTS) >= MIXED_GETS;

        learned->found_count += learned->there[i] && !is_insert;
        learned->absent_count += !learned->there[i];
    }
}

/* One turn of one subject. */
static enum status
take_turn(struct learned *learned, size_t index, enum learned_variant variant, uint64_t run)
{
    struct learned_subject *subject = &learned->subjects[index];
    uint64_t count = variant == LEARNED_COLD ? COLD_GETS : LEARNED_ROUND;
    struct bench_outcome outcome = {.state = BENCH_DONE, .operations = count, .rows = count};

    if (subject->engine->route != NULL)
        TRY(subject->engine->route(subject->db, subject->router));
    if (variant != LEARNED_COLD) {
        draw(learned, variant, count);
        TRY(round_of_gets(learned, subject, variant == LEARNED_MIXED ? LEARNED_GET : variant,
                          count));
    }
    draw(learned, variant, count);
    struct bench_written before = counts_of(subject);
    uint64_t begin = tool_clock_ns();
    uint64_t cpu = cpu_ns();
    enum status status = variant == LEARNED_MIXED ? round_of_both(learned, subject, count)
                                                  : round_of_gets(learned, subject, variant, count);

    TRY(status);
    outcome.cpu_ns = cpu_ns() - cpu;
    outcome.seconds = (double)(tool_clock_ns() - begin) / 1e9;
    outcome.written = counts_of(subject);
    outcome.written.page_reads -= before.page_reads;
    outcome.written.inner_reads -= before.inner_reads;
    outcome.written.map_reads -= before.map_reads;
    count_answers(learned, variant, count);
    if (variant == LEARNED_COLD)
        note_reads(learned, index, &outcome.written);
    if (subject->engine->routing != NULL) {
        subject->engine->routing(subject->db, &subject->routing);
        if (variant <= LEARNED_RANGE && index < LEARNED_ROUTERS)
            note_routing(&learned->size[learned->size_count].routing[index], &subject->routing);
    }
    note(learned, subject, variant, run, &outcome);
    return STATUS_OK;
}

static bool
takes_part(const struct learned_subject *subject, enum learned_variant variant)
{
    bool is_choice = subject->engine == &bench_qtdb &&
                     (strcmp(subject->router, "tree") == 0 || strcmp(subject->router, "auto") == 0);

    if (variant <= LEARNED_ABSENT)
        return true;
    if (variant == LEARNED_BATCH)
        return subject->engine->get_many != NULL;
    if (variant == LEARNED_RANGE)
        return is_choice || (subject->engine != &bench_qtdb && subject->engine->scan != NULL);
    return is_choice || (variant == LEARNED_COLD && subject->engine == &bench_qtdb &&
                         strcmp(subject->router, "rmi") == 0);
}

enum status
learned_run(struct learned *learned, enum learned_variant variant, uint64_t rounds)
{
    for (uint64_t run = 0; run < rounds; run++)
        for (size_t i = 0; i < learned->count; i++) {
            if (tool_stop_requested())
                return error_raise(STATUS_STOPPED, "stopped");
            if (takes_part(&learned->subjects[i], variant))
                TRY(take_turn(learned, i, variant, run));
        }
    return STATUS_OK;
}
