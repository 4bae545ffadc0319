/*
 * The journal: bench_journal.h. A head, then records of one size:
 *
 *   head     magic, size of a record, commit of the build
 *   record   kind, sum of the rest, then the result's names and numbers, or a step's name
 *
 * Pointers are written as names and found again by them. It is read by the build that wrote it, so structs are
 * written as they are; the sum is there for what a power failure leaves. What does not read well is the end.
 */
#include "tools/qtdb-bench/bench_journal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_engines.h"

enum { NAME_SIZE = 64 };
enum kind { KIND_RESULT = 1, KIND_STEP = 2 };

static const char magic[16] = "qtdb-bench runs";

struct head {
    char magic[16];
    uint64_t record_size;
    char commit[BENCH_COMMIT_SIZE];
};

struct record {
    uint64_t sum; /* Of what follows. */
    uint64_t kind;
    char name[NAME_SIZE]; /* Of the step, or the workload. */
    char engine[NAME_SIZE];
    uint64_t run; /* Or the step's seconds. */
    struct bench_case sizes;
    struct bench_outcome outcome;
};

static uint64_t
sum_of(const struct record *record)
{
    return checksum64((const uint8_t *)record + sizeof(record->sum),
                      sizeof(*record) - sizeof(record->sum), 0);
}

static void
set_name(char out[NAME_SIZE], const char *name)
{
    if (name != NULL)
        (void)snprintf(out, NAME_SIZE, "%s", name);
}

static void
take_result(struct bench_journal *journal, const struct record *record)
{
    struct bench_result result = {
        .engine = bench_engine_find(record->engine), .sizes = record->sizes, .run = record->run};

    result.sizes.workload = bench_workload_find(record->name);
    result.sizes.router = NULL;
    result.sizes.key_set = NULL;
    result.outcome = record->outcome;
    if (result.engine != NULL && result.sizes.workload != NULL)
        bench_results_add(&journal->before, &result);
}

static void
take_step(struct bench_journal *journal, const char *name, uint64_t seconds)
{
    if (journal->step_count == BENCH_STEPS_MAX)
        return;
    (void)snprintf(journal->steps[journal->step_count++], BENCH_STEP_SIZE, "%s", name);
    journal->seconds += seconds;
}

static bool
is_text(const char name[NAME_SIZE])
{
    return memchr(name, '\0', NAME_SIZE) != NULL;
}

/* Everything that is whole; then the file ends there. */
static enum status
read_records(struct bench_journal *journal, const char *path, const char *commit)
{
    struct record *record = memory_alloc(journal->memory, MEMORY_OTHER, sizeof(*record));
    struct head head;
    long end = sizeof(head);
    enum status status = STATUS_OK;

    if (record == NULL)
        return STATUS_NO_MEMORY;
    if (fread(&head, sizeof(head), 1, journal->file) != 1 ||
        memcmp(head.magic, magic, sizeof(magic)) != 0) {
        status = error_raise(STATUS_CORRUPT, "%s is no journal of qtdb-bench", path);
    } else if (head.record_size != sizeof(*record) ||
               strncmp(head.commit, commit, sizeof(head.commit)) != 0) {
        status = error_raise(
            STATUS_VERSION,
            "%s was written by the build of commit %.*s, this is %s: figures of two builds "
            "do not go together; start the suite anew",
            path, (int)strnlen(head.commit, sizeof(head.commit)), head.commit, commit);
    }
    while (status == STATUS_OK && fread(record, sizeof(*record), 1, journal->file) == 1 &&
           record->sum == sum_of(record) && is_text(record->name) && is_text(record->engine)) {
        if (record->kind == KIND_RESULT)
            take_result(journal, record);
        else
            take_step(journal, record->name, record->run);
        end = ftell(journal->file);
    }
    memory_free(journal->memory, MEMORY_OTHER, record, sizeof(*record));
    TRY(status);
    if (ftruncate(fileno(journal->file), end) != 0 || fseek(journal->file, end, SEEK_SET) != 0)
        return error_raise(STATUS_IO, "%s: %s", path, strerror(errno));
    return STATUS_OK;
}

static enum status
write_head(struct bench_journal *journal, const char *path, const char *commit)
{
    struct head head = {.record_size = sizeof(struct record)};

    memcpy(head.magic, magic, sizeof(magic));
    (void)snprintf(head.commit, sizeof(head.commit), "%s", commit);
    if (fwrite(&head, sizeof(head), 1, journal->file) != 1 || fflush(journal->file) != 0)
        return error_raise(STATUS_IO, "%s: %s", path, strerror(errno));
    return STATUS_OK;
}

enum status
bench_journal_open(struct bench_journal *journal, struct memory *memory, const char *path,
                   const char *commit, bool resume)
{
    *journal = (struct bench_journal){.memory = memory, .before = {.memory = memory}};
    journal->file = fopen(path, resume ? "r+b" : "w+b");
    if (journal->file == NULL)
        return error_raise(STATUS_IO, "%s: %s", path, strerror(errno));
    enum status status =
        resume ? read_records(journal, path, commit) : write_head(journal, path, commit);
    if (status != STATUS_OK)
        (void)bench_journal_close(journal);
    return status;
}

bool
bench_journal_close(struct bench_journal *journal)
{
    bool ok = journal->file == NULL || ferror(journal->file) == 0;

    if (journal->file != NULL)
        ok = fclose(journal->file) == 0 && ok;
    journal->file = NULL;
    if (journal->memory != NULL)
        bench_results_free(&journal->before);
    journal->before = (struct bench_results){.memory = journal->memory};
    return ok;
}

static void
append(struct bench_journal *journal, struct record *record)
{
    record->sum = sum_of(record);
    if (fwrite(record, sizeof(*record), 1, journal->file) == 1 && fflush(journal->file) == 0)
        (void)fdatasync(fileno(journal->file)); /* A failure costs a repetition at most. */
}

void
bench_journal_note(struct bench_journal *journal, const struct bench_result *result)
{
    struct record *record;

    /* What `learned` adds is no case of its own: that step is noted as a whole. */
    if (journal->file == NULL || result->sizes.router != NULL ||
        result->outcome.state != BENCH_DONE || result->outcome.stopped)
        return;
    record = memory_alloc(journal->memory, MEMORY_OTHER, sizeof(*record));
    if (record == NULL)
        return;
    record->kind = KIND_RESULT;
    set_name(record->name, result->sizes.workload->name);
    set_name(record->engine, result->engine->name);
    record->run = result->run;
    record->sizes = result->sizes;
    record->outcome = result->outcome;
    append(journal, record);
    memory_free(journal->memory, MEMORY_OTHER, record, sizeof(*record));
}

void
bench_journal_note_step(struct bench_journal *journal, const char *step, uint64_t seconds)
{
    struct record *record;

    if (journal->file == NULL)
        return;
    record = memory_alloc(journal->memory, MEMORY_OTHER, sizeof(*record));
    if (record == NULL)
        return;
    record->kind = KIND_STEP;
    set_name(record->name, step);
    record->run = seconds;
    append(journal, record);
    memory_free(journal->memory, MEMORY_OTHER, record, sizeof(*record));
}

bool
bench_journal_has_step(const struct bench_journal *journal, const char *step)
{
    for (size_t i = 0; i < journal->step_count; i++) {
        if (strcmp(journal->steps[i], step) == 0)
            return true;
    }
    return false;
}
