/*
 * Goal: every record of SQLite's corpus that PostgreSQL 15 gets right, qtdb gets right.
 * Method: each file below the given folder runs on both, read by tests/support/logictest.h; a record
 * counts against us only when PostgreSQL passed it. What both fail may not be more than EXCEPTIONS_MAX
 * records. Times are shown, not judged. COMPARE_SHOW_EXCEPTED in the environment lists what PostgreSQL fails.
 *
 *   compare_logictest FOLDER
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel/base/check.h"
#include "tests/postgres/postgres.h"

enum { EXCEPTIONS_MAX = 1400, FILES_MAX = 1000, SHOWN_MAX = 200 };

struct verdicts {
    char **faults; /* One a record, in order; NULL: right. */
    uint64_t *lines;
    size_t count;
    size_t capacity;
};

static char *files[FILES_MAX];
static size_t file_count;

static int
note_file(const char *path, const struct stat *status, int type)
{
    size_t size = strlen(path);

    (void)status;
    if (type == FTW_F && size > 5 && strcmp(path + size - 5, ".test") == 0) {
        CHECK(file_count < FILES_MAX);
        files[file_count] = strdup(path);
        CHECK(files[file_count++] != NULL);
    }
    return 0;
}

static int
compare_paths(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static char *
read_file(const char *name)
{
    FILE *file = fopen(name, "rb");

    CHECK(file != NULL);
    CHECK(fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    CHECK(text != NULL);
    CHECK(fread(text, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    return text;
}

static void
take_verdict(void *context, uint64_t line, const char *fault)
{
    struct verdicts *verdicts = context;

    if (verdicts->count == verdicts->capacity) {
        verdicts->capacity = verdicts->capacity == 0 ? 1024 : 2 * verdicts->capacity;
        verdicts->faults = realloc(verdicts->faults, verdicts->capacity * sizeof(char *));
        verdicts->lines = realloc(verdicts->lines, verdicts->capacity * sizeof(uint64_t));
        CHECK(verdicts->faults != NULL && verdicts->lines != NULL);
    }
    verdicts->lines[verdicts->count] = line;
    verdicts->faults[verdicts->count++] = fault == NULL ? NULL : strdup(fault);
}

static void
free_verdicts(struct verdicts *verdicts)
{
    for (size_t i = 0; i < verdicts->count; i++)
        free(verdicts->faults[i]);
    free(verdicts->faults);
    free(verdicts->lines);
}

static double
run(const struct logictest_engine *engine, const char *name, struct verdicts *out)
{
    struct logictest_result result = {0, 0};
    char *text = read_file(name);
    struct timespec from, to;

    clock_gettime(CLOCK_MONOTONIC, &from);
    logictest_run(engine, text, take_verdict, out, &result);
    clock_gettime(CLOCK_MONOTONIC, &to);
    free(text);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

static double
run_qtdb(const char *name, struct verdicts *out)
{
    struct qtdb_options options = {.size = sizeof(options), .create = true, .no_threads = true};
    const char *folder = getenv("TMPDIR");
    struct qtdb_session *session = NULL;
    struct qtdb *db = NULL;
    char path[300];

    snprintf(path, sizeof(path), "%s/compare_logictest.%d.qtdb", folder != NULL ? folder : "/tmp",
             (int)getpid());
    CHECK(qtdb_open(path, &options, &db) == QTDB_OK);
    CHECK(qtdb_session_open(db, &session) == QTDB_OK);
    struct logictest_engine engine = logictest_qtdb(session);
    double seconds = run(&engine, name, out);
    qtdb_session_close(session);
    CHECK(qtdb_close(db) == QTDB_OK);
    unlink(path);
    return seconds;
}

struct totals {
    size_t records, excepted, wrong, better;
    double ours, theirs;
};

static void
compare(const char *name, const struct verdicts *ours, const struct verdicts *theirs,
        struct totals *totals)
{
    CHECK(ours->count == theirs->count);
    for (size_t i = 0; i < ours->count; i++) {
        CHECK(ours->lines[i] == theirs->lines[i]);
        totals->records++;
        totals->excepted += theirs->faults[i] != NULL;
        totals->better += theirs->faults[i] != NULL && ours->faults[i] == NULL;
        if (theirs->faults[i] != NULL && getenv("COMPARE_SHOW_EXCEPTED") != NULL)
            printf("%s:%llu: PostgreSQL: %s; ours: %s\n", name, (unsigned long long)ours->lines[i],
                   theirs->faults[i], ours->faults[i] != NULL ? ours->faults[i] : "right");
        if (theirs->faults[i] != NULL || ours->faults[i] == NULL)
            continue;
        if (totals->wrong++ < SHOWN_MAX)
            fprintf(stderr, "%s:%llu: %s\n", name, (unsigned long long)ours->lines[i],
                    ours->faults[i]);
    }
}

int
main(int argc, char **argv)
{
    struct totals totals = {0, 0, 0, 0, 0, 0};
    struct postgres *postgres;

    if (argc != 2 || ftw(argv[1], note_file, 16) != 0 || file_count == 0) {
        fprintf(stderr, "usage: compare_logictest FOLDER with .test files\n");
        return 2;
    }
    postgres = postgres_open();
    if (postgres == NULL)
        return 1;
    struct logictest_engine engine = postgres_engine(postgres);
    qsort(files, file_count, sizeof(files[0]), compare_paths);
    for (size_t i = 0; i < file_count; i++) {
        struct verdicts ours = {.count = 0}, theirs = {.count = 0};
        size_t wrong = totals.wrong, excepted = totals.excepted;

        postgres_clear(postgres);
        double ours_seconds = run_qtdb(files[i], &ours);
        double theirs_seconds = run(&engine, files[i], &theirs);
        compare(files[i], &ours, &theirs, &totals);
        totals.ours += ours_seconds;
        totals.theirs += theirs_seconds;
        printf("%-40s %6zu records, %4zu that PostgreSQL fails, %zu wrong; %.2f s, PostgreSQL %.2f "
               "s\n",
               files[i] + strlen(argv[1]), ours.count, totals.excepted - excepted,
               totals.wrong - wrong, ours_seconds, theirs_seconds);
        free_verdicts(&ours);
        free_verdicts(&theirs);
        free(files[i]);
    }
    postgres_close(postgres);
    printf("%zu records; %zu that PostgreSQL fails (%zu of them right here); %.1f s, PostgreSQL "
           "%.1f s\n",
           totals.records, totals.excepted, totals.better, totals.ours, totals.theirs);
    size_t excepted = totals.excepted - totals.better;
    printf("%zu passed, %zu failed\n", totals.records - excepted - totals.wrong,
           totals.wrong + (excepted > EXCEPTIONS_MAX));
    return totals.wrong == 0 && excepted <= EXCEPTIONS_MAX ? 0 : 1;
}
